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
    optional : bool
        Whether a missing claim leaves the default, or for the whole chain `neutral`, in place.
    neutral : float
        What an optional quantity of the whole chain is without a claim: no effect.
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
    optional: bool = False
    neutral: float = 0.0


def _is_geological(traits: PathwayTraits) -> bool:
    return traits.store == "geological"


def _decays(traits: PathwayTraits) -> bool:
    return traits.store != "geological"


def _burns(traits: PathwayTraits) -> bool:
    # What lies in rock is out of reach of fire, drought and pests, also where the land grew it (BECCS).
    return traits.store != "geological" and bool({"nature", "land_based"} & set(traits.classes))


def _is_split(traits: PathwayTraits) -> bool:
    return traits.flow_class == "utilisation"


def _is_nature(traits: PathwayTraits) -> bool:
    return "nature" in traits.classes


def _uses_land(traits: PathwayTraits) -> bool:
    return bool({"nature", "land_based"} & set(traits.classes))


def _is_manufactured(traits: PathwayTraits) -> bool:
    # Plants that are built again and again; quarries, ships and planted land learn no more.
    return traits.store in ("geological", "product", "biochar")


def _burns_biomass(traits: PathwayTraits) -> bool:
    return "land_based" in traits.classes


def _is_at_sea(traits: PathwayTraits) -> bool:
    return traits.store == "ocean"


def _is_biochar(traits: PathwayTraits) -> bool:
    return traits.store == "biochar"


def _all(traits: PathwayTraits) -> bool:
    return True


def _zero(traits: PathwayTraits) -> float:
    return 0.0


def _one(traits: PathwayTraits) -> float:
    return 1.0


def _never(traits: PathwayTraits) -> float:
    return math.inf


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
    *(
        Quantity(name, unit, group, meaning, low, high, needed, default, optional=True)
        for name, unit, group, meaning, low, high, needed, default in (
            ("power_share", "1", "energy", "share of the process energy that is electric",
             0.0, 1.0, _all, _one),
            ("own_fuel", "1", "energy", "share of the process heat that the pathway's own biomass gives",
             0.0, 1.0, _burns_biomass, _zero),
            ("additionality", "1", "accounting", "share of captured tonnes additional to a counterfactual",
             0.0, 1.0, _is_nature, _one),
            ("efficiency", "1", "accounting", "share that reaches the store from the air",
             0.0, 1.0, _is_at_sea, _one),
            ("verification_delay", "yr", "accounting", "delay between a removal and its credit",
             0.0, math.inf, _all, _zero),
            ("foregone_regrowth", "1", "feedback", "regrowth given up on the land used, per captured tonne",
             0.0, 1.0, _uses_land, _zero),
            ("non_co2", "1", "feedback", "lasting non-CO2 effect, tCO2e (GWP100) per tonne, warming positive",
             0.0, math.inf, _all, _zero),
            ("non_co2_young", "1", "feedback", "further non-CO2 effect at age 0, tCO2e (GWP100) per tonne",
             0.0, math.inf, _all, _zero),
            # An effect that fades within weeks is none; the bound keeps exponents finite.
            ("non_co2_fade", "yr", "feedback", "age over which the further effect falls to 1/e",
             0.1, math.inf, _all, _never),
            ("learning_rate", "1", "cost", "fall of unit cost per doubling of cumulative capture",
             0.0, 0.9, _is_manufactured, _zero),
            ("fast_share", "1", "durability", "share of the store in its fast pool",
             0.0, 1.0, _is_biochar, _zero),
            ("fast_half_life", "yr", "durability", "half-life of the fast pool",
             0.1, math.inf, _is_biochar, _never),
            ("saturation_years", "yr", "durability", "years of full potential that a store holds at most",
             1.0, math.inf, _is_nature, _never),
        )
    ),
)  # fmt: skip
"""Quantities of a pathway, each a variable with the dimension `pathway`."""

POWER_SHARES: Mapping[str, float] = {"heat": 0.0, "electricity": 1.0, "grinding": 1.0}
"""Basis of claims on energy that state a part of it -> the share of that part that is power; mills are
electric."""

CHAIN_QUANTITIES: tuple[Quantity, ...] = (
    Quantity("cost_slope", "1", "economics", "a in mc(u) = c0 (1 + a u^eta)"),
    Quantity("cost_exponent", "1", "economics", "eta in mc(u) = c0 (1 + a u^eta)"),
    Quantity("discount_rate", "1/yr", "economics", "discount rate, a choice rather than a belief"),
    Quantity(
        "reallocation_headroom", "1", "deployment", "share of spare capacity that can be taken up", 0.0, 1.0
    ),
    Quantity("years_per_trl", "yr", "maturity", "years per missing readiness level", optional=True),
    Quantity("hazard_exponent", "1", "feedback", "h in reversal loss x land_sink_ratio^-h", optional=True),
    Quantity(
        "setback", "1", "feedback", "effect of a lost share on the next period's deployment",
        0.0, 1.0, optional=True,
    ),
    Quantity(
        "shock_correlation", "1", "durability", "correlation of the severity of shocks between regions",
        0.0, 1.0, optional=True,
    ),
)  # fmt: skip
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

SPREAD_QUANTITIES: tuple[tuple[Quantity, Callable[[PathwayTraits], bool]], ...] = (
    (
        Quantity(
            "cost_floor", "1", "cost", "share of the first cost that learning never undercuts",
            0.0, 1.0, optional=True,
        ),
        _is_manufactured,
    ),
    (
        Quantity("scarcity", "1", "cost", "rise of unit cost when all land is in use", optional=True),
        _uses_land,
    ),
)  # fmt: skip
"""Quantities drawn once and given to every pathway of a kind; 0 for the others."""

EXPERIENCE_YEARS = Quantity(
    "experience_years", "yr", "cost", "years at today's capacity that learning starts from",
    optional=True, neutral=10.0,
)  # fmt: skip
"""Makes the variable ``experience``: cumulative capture so far, GtCO2."""

HEAT_INTENSITY = Quantity(
    "heat_intensity", "tCO2/GJ", "energy", "emissions of process heat and fuel at the start", optional=True
)
HEAT_DECLINE = Quantity(
    "heat_decline", "1", "energy", "rate at which they fall, as a share of the rate of power's",
    0.0, 1.0, optional=True,
)  # fmt: skip
"""Make the variable ``heat_intensity`` by period, tCO2/GJ; without a claim on the decline it stays."""

SHOCK_SPREAD = Quantity(
    "shock_spread",
    "1",
    "durability",
    "sd of the logarithm of the severity of shocks",
    0.0,
    3.0,
    optional=True,
)
"""With ``shock_correlation`` and the normal scores of shocks it makes ``shock_severity``."""

SHOCK_PROBABILITY = Quantity(
    "shock_probability", "1", "climate", "chance of a shock per region and period", 0.0, 1.0
)
"""Read where a network has no disturbance node for a region and period, and without a network."""
