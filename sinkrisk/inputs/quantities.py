"""Which quantities the chain needs of each pathway and of the whole, their units and their bounds.

Bounds are what a quantity can be by definition (a fraction lies in [0, 1]); what it is believed to
be is a claim in `priors/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MODES: tuple[str, ...] = ("full", "throttled", "passive_redundancy", "collapse")
"""Deployment modes in the order of their codes 0..3."""

CLASSES: tuple[str, ...] = ("nature", "land_based", "geological", "mineral", "ocean")
"""Deployment classes, in the order of the `class` dimension."""

POOLS: Mapping[str, tuple[str, ...]] = {"oae_oif": ("oae", "oif")}
"""Claims pathway of a merged row -> the pathways it pools (Table 5 merges OAE and OIF)."""


@dataclass(frozen=True)
class PathwayTraits:
    """What decides which quantities a pathway needs."""

    name: str
    classes: tuple[str, ...]
    flow_class: str
    store: str


@dataclass(frozen=True)
class Quantity:
    """One quantity of the chain.

    Parameters
    ----------
    name : str
        Variable of the drawn inputs and `quantity` of the claims.
    unit : str
        Unit of the variable; claims in another unit are converted.
    group : str
        Driver group.
    meaning : str
        One line for the variable's ``long_name``.
    low, high : float
        What the quantity can be by definition; a prior's tails are clipped to it.
    tolerated : float
        Largest mass of a prior accepted outside the bounds, where it is moved to the bound.
    needed : callable
        Whether a pathway must have a claim on it.
    default : callable
        Value of a pathway that needs none; claims on it are then not read.
    """

    name: str
    unit: str
    group: str
    meaning: str
    low: float = 0.0
    high: float = math.inf
    needed: Callable[[PathwayTraits], bool] = lambda traits: True
    default: Callable[[PathwayTraits], float] = lambda traits: 0.0
    tolerated: float = 0.1


def _is_geological(traits: PathwayTraits) -> bool:
    return traits.store == "geological"


def _decays(traits: PathwayTraits) -> bool:
    return traits.store != "geological"


def _burns(traits: PathwayTraits) -> bool:
    # What lies in rock is out of reach of fire, drought and pests, also where the land grew it (BECCS).
    return traits.store != "geological" and bool({"nature", "land_based"} & set(traits.classes))


def _is_split(traits: PathwayTraits) -> bool:
    return traits.flow_class == "utilisation"


def _whole(traits: PathwayTraits) -> float:
    return 1.0 if traits.flow_class == "removal" else 0.0


PATHWAY_QUANTITIES: tuple[Quantity, ...] = (
    Quantity("potential", "GtCO2/yr", "potential", "removal potential of the pathway, world"),
    Quantity("cost", "USD/tCO2", "cost", "unit cost at the start of the pathway's cost curve"),
    Quantity("energy", "GJ/tCO2", "energy", "energy use per tonne"),
    Quantity("growth_rate", "1/yr", "growth", "rate of the logistic growth of capacity"),
    Quantity("current_capacity", "GtCO2/yr", "growth", "capacity today"),
    # A store that loses half within weeks is none; the bound keeps decay rates finite.
    Quantity(
        "half_life",
        "yr",
        "durability",
        "half-life of the store",
        0.1,
        math.inf,
        _decays,
        lambda traits: math.inf,
    ),
    Quantity("leakage_rate", "1/yr", "durability", "leakage of a geological store", 0.0, 1.0, _is_geological),
    Quantity(
        "reversal_loss", "1", "durability", "fraction of the stock that returns in a shock", 0.0, 1.0, _burns
    ),
    # A level k is elicited as k - 0.5 to k + 0.5, so half of a prior on level 9 lies beyond the scale.
    Quantity("trl", "1", "maturity", "technology readiness level", 1.0, 9.0, tolerated=1.0),
    Quantity("ecological_risk", "1", "ecological", "ecological risk score", 0.0, 1.0),
    Quantity(
        "removal_share", "1", "accounting", "share of the carbon that is removal", 0.0, 1.0, _is_split, _whole
    ),
)
"""Quantities of a pathway, each a variable with the dimension `pathway`."""

CHAIN_QUANTITIES: tuple[Quantity, ...] = (
    Quantity("cost_slope", "1", "economics", "a in mc(u) = c0 (1 + a u^eta)"),
    Quantity("cost_exponent", "1", "economics", "eta in mc(u) = c0 (1 + a u^eta)"),
    Quantity("discount_rate", "1/yr", "economics", "discount rate, a choice rather than a belief"),
    Quantity(
        "reallocation_headroom", "1", "deployment", "share of spare capacity that can be taken up", 0.0, 1.0
    ),
)
"""Quantities of the whole chain that are variables by themselves (claims pathway ``all``)."""

MODE_FRACTIONS: Mapping[str, Quantity] = {
    "throttled": Quantity(
        "fraction_throttled", "1", "deployment", "fraction deployed when throttled", 0.0, 1.0
    ),
    "passive_redundancy": Quantity(
        "fraction_passive_redundancy", "1", "deployment", "fraction deployed in passive redundancy", 0.0, 1.0
    ),
}
"""Mode -> the uncertain fraction deployed in it; full is 1 and collapse 0 by definition."""

SHOCK_PROBABILITY = Quantity(
    "shock_probability", "1", "climate", "chance of a shock per region and period", 0.0, 1.0
)
"""Read only where a network has no disturbance node for a region and period."""
