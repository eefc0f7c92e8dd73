"""Every variable the simulation reads and writes: dims, unit, range, and what stands in where it is absent

`sample` is the first dim of every input and is not repeated here. An input with a `neutral` value may
be left out; the model then runs as if the mechanism did not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

INF = float("inf")

MOST_PLANNED = 1e6
"""Largest amount that may be planned of a pathway or in all, GtCO2/yr: some hundred times all the CO2 the air
holds, every year. What lies beyond any potential is allowed, lost and told; what lies beyond this was meant
in another unit, and squares and products of it leave the range of floating point."""

BEYOND_SENSE = "the air holds a few thousand GtCO2 in all: is the unit right?"
"""Why `MOST_PLANNED` stands, for messages."""


@dataclass(frozen=True)
class Variable:
    """What an input must look like.

    Parameters
    ----------
    dims : tuple of str
        Dims after ``sample``.
    unit : str
        Unit its attrs must name where they name one; "" where a coordinate says it.
    low, high : float
        Range, bounds included.
    infinite : bool
        Whether inf is a value (never decays, no limit).
    neutral : float, optional
        Value that switches the mechanism off; None for inputs that must be there.
    positive : bool
        Zero is refused as well.
    """

    dims: tuple[str, ...] = ()
    unit: str = "1"
    low: float = 0.0
    high: float = INF
    infinite: bool = False
    neutral: float | None = None
    positive: bool = False


_P = ("pathway",)
_RQ = ("region", "period")

REQUIRED: dict[str, Variable] = {
    "potential": Variable(_P, "GtCO2/yr"),
    "cost": Variable(_P, "USD/tCO2", low=-INF),
    "energy": Variable(_P, "GJ/tCO2"),
    "growth_rate": Variable(_P, "1/yr"),
    "current_capacity": Variable(_P, "GtCO2/yr"),
    "half_life": Variable(_P, "yr", infinite=True, positive=True),
    "leakage_rate": Variable(_P, "1/yr"),
    "reversal_loss": Variable(_P, high=1.0),
    "trl": Variable(_P),
    "ecological_risk": Variable(_P, high=1.0),
    "removal_share": Variable(_P, high=1.0),
    "suitability_share": Variable(("pathway", "region")),
    "mode": Variable(("class", *_RQ)),
    "mode_fraction": Variable(("mode",), high=1.0),
    "shock": Variable(_RQ, high=1.0),
    "land_sink_ratio": Variable(low=-INF),
    "cost_slope": Variable(),
    "cost_exponent": Variable(),
    "discount_rate": Variable(unit="1/yr"),
    "reallocation_headroom": Variable(high=1.0),
}

OPTIONAL: dict[str, Variable] = {
    "years_per_trl": Variable(unit="yr", neutral=0.0),
    "resource_use": Variable((*_P, "resource"), "", neutral=0.0),
    "resource_supply": Variable(("resource", *_RQ), "", infinite=True, neutral=INF),
    "coupling_effect": Variable(("coupling",), low=-INF, neutral=0.0),
    "additionality": Variable(_P, high=1.0, neutral=1.0),
    "efficiency": Variable(_P, high=1.0, neutral=1.0),
    "learning_rate": Variable(_P, high=0.99, neutral=0.0),
    # Learning needs it: `checking` refuses a learning rate without.
    "experience": Variable(_P, "GtCO2", neutral=0.0),
    "cost_floor": Variable(_P, high=1.0, neutral=0.0),
    "scarcity": Variable(_P, neutral=0.0),
    "grid_intensity": Variable(_RQ, "tCO2/GJ", neutral=0.0),
    "power_share": Variable(_P, high=1.0, neutral=1.0),
    # A power share below 1 needs it: `checking` refuses one without.
    "heat_intensity": Variable(("period",), "tCO2/GJ", neutral=0.0),
    "own_fuel": Variable(_P, high=1.0, neutral=0.0),
    "foregone_regrowth": Variable(_P, neutral=0.0),
    "non_co2": Variable(_P, low=-INF, neutral=0.0),
    "non_co2_young": Variable(_P, low=-INF, neutral=0.0),
    "non_co2_fade": Variable(_P, "yr", infinite=True, positive=True, neutral=INF),
    "fast_share": Variable(_P, high=1.0, neutral=0.0),
    "fast_half_life": Variable(_P, "yr", infinite=True, positive=True, neutral=INF),
    "saturation_years": Variable(_P, "yr", infinite=True, positive=True, neutral=INF),
    "hazard_exponent": Variable(neutral=0.0),
    "shock_severity": Variable(_RQ, neutral=1.0),
    "late_hazard": Variable(("region",), "1/yr", neutral=0.0),
    "setback": Variable(high=1.0, neutral=0.0),
    "verification_delay": Variable(_P, "yr", neutral=0.0),
}

INPUTS: dict[str, Variable] = REQUIRED | OPTIONAL

RESOURCES: dict[str, str] = {
    "land": "Mha",
    "biomass": "EJ/yr",
    "water": "km3/yr",
    "clean_energy": "EJ/yr",
    "reactive_mineral": "Gt/yr",
    "co2_transport": "GtCO2/yr",
    "co2_storage": "GtCO2/yr",
    "point_co2": "GtCO2/yr",
}
"""Shared resources and their units; `point_co2` is what chimneys still emit."""

COUPLING_KINDS: tuple[str, ...] = ("yield", "cost", "energy")
COUPLING_COORDS: tuple[str, ...] = ("coupling_pathway", "coupling_with", "coupling_kind")

FLOWS: dict[str, str] = {
    "planned": "GtCO2/yr",
    "deployed": "GtCO2/yr",
    "reallocated": "GtCO2/yr",
    "received": "GtCO2/yr",
    "limited": "GtCO2/yr",
    "scarce": "GtCO2/yr",
    "withheld": "GtCO2/yr",
    "lost": "GtCO2/yr",
    "coupled": "GtCO2/yr",
    "uncounted": "GtCO2/yr",
    "foregone": "GtCO2/yr",
    "saturated": "GtCO2/yr",
    "removed": "GtCO2/yr",
    "stored": "GtCO2/yr",
    "returned": "GtCO2/yr",
    "avoided": "GtCO2/yr",
    "utilised": "GtCO2/yr",
    "cost": "billion USD/yr",
    "marginal_cost": "billion USD/yr",
    "energy": "EJ/yr",
    "process": "GtCO2/yr",
    "non_co2": "GtCO2e/yr",
    "net": "GtCO2e/yr",
    "durable": "GtCO2/yr",
    "credited": "GtCO2/yr",
}
"""Outcomes (sample, portfolio, pathway, period) and their units: means over the period."""

OTHERS: dict[str, tuple[tuple[str, ...], str]] = {
    "retained": (("pathway",), "GtCO2"),
    "captured_in": (("region", "period"), "GtCO2/yr"),
    "cost_in": (("region", "period"), "billion USD/yr"),
    "resource_used": (("resource", "period"), "resource_unit"),
    "scarcity_by_resource": (("resource", "period"), "GtCO2/yr"),
}
"""Outcomes of other dims (after sample and portfolio), and their units."""

NOTES: dict[str, str] = {
    "net": "stored less process emissions and non-CO2 effects; GWP100",
    "non_co2": "GWP100, warming positive",
    "foregone": "regrowth given up on the land used, taken off before storage",
    "retained": "stock of the removal ledger at the end of 2200",
    "resource_used": "each resource in the unit that the coordinate resource_unit names",
}
"""What the attrs of an outcome say beside its unit."""
