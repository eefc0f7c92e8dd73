"""A synthetic `drawn` in the contract's form: small, random or by hand, no other room needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk.portfolio.variables import OPTIONAL, RESOURCES

PATHWAYS = {
    # pathway: (classes, flow class)
    "beccs": ("land_based;geological", "removal"),
    "daccs": ("geological", "removal"),
    "biochar": ("land_based", "removal"),
    "enhanced_weathering": ("mineral", "removal"),
    "industrial_carbonation": ("mineral", "utilisation"),
    "point_source_ccs": ("geological", "avoided"),
    "oae": ("ocean", "removal"),
    "forests": ("nature", "removal"),
}
REGIONS = ["north_america", "arid_zones", "open_ocean"]
PERIODS = ["near_term", "mid_term", "long_term"]
CLASSES = ["nature", "land_based", "geological", "mineral", "ocean"]


def build_drawn(n: int = 64, seed: int = 1, *, passive: bool = True, pathways: Any = None) -> xr.Dataset:
    """Random but admissible inputs; `passive=False` draws no passive redundancy."""
    rng = np.random.default_rng(seed)
    names = list(PATHWAYS) if pathways is None else list(pathways)
    w, r, q = len(names), len(REGIONS), len(PERIODS)
    pathway = ("sample", "pathway")
    share = rng.dirichlet(np.ones(r), size=(n, w))
    share[:, 0, -1] = 0.0
    share /= share.sum(-1, keepdims=True)
    fraction = np.column_stack([np.ones(n), rng.uniform(0.3, 0.8, n), rng.uniform(0.0, 0.4, n), np.zeros(n)])
    modes = [0, 1, 2, 3] if passive else [0, 1, 3]
    mode = rng.choice(modes, (n, 5, r, q)).astype(np.int8)
    half_life = np.where(rng.random((n, w)) < 0.4, np.inf, rng.uniform(20, 2000, (n, w)))
    all_dims = {
        "potential": (pathway, rng.uniform(0.2, 8.0, (n, w)), "GtCO2/yr"),
        "cost": (pathway, rng.uniform(20.0, 500.0, (n, w)), "USD/tCO2"),
        "energy": (pathway, rng.uniform(0.1, 10.0, (n, w)), "GJ/tCO2"),
        "growth_rate": (pathway, rng.uniform(0.0, 0.4, (n, w)), "1/yr"),
        "current_capacity": (pathway, rng.uniform(0.0, 0.3, (n, w)), "GtCO2/yr"),
        "half_life": (pathway, half_life, "yr"),
        "leakage_rate": (pathway, rng.uniform(0.0, 1e-3, (n, w)), "1/yr"),
        "reversal_loss": (pathway, rng.uniform(0.0, 0.6, (n, w)), "1"),
        "trl": (pathway, rng.uniform(4.0, 9.0, (n, w)), "1"),
        "ecological_risk": (pathway, rng.uniform(0.0, 1.0, (n, w)), "1"),
        "removal_share": (pathway, rng.uniform(0.0, 1.0, (n, w)), "1"),
        "suitability_share": (("sample", "pathway", "region"), share, "1"),
        "mode": (("sample", "class", "region", "period"), mode, "1"),
        "mode_fraction": (("sample", "mode"), fraction, "1"),
        "shock": (("sample", "region", "period"), rng.random((n, r, q)) < 0.3, "1"),
        "land_sink_ratio": (("sample",), rng.uniform(0.7, 1.3, n), "1"),
        "cost_slope": (("sample",), rng.uniform(0.0, 3.0, n), "1"),
        "cost_exponent": (("sample",), rng.uniform(1.0, 3.0, n), "1"),
        "discount_rate": (("sample",), rng.uniform(0.0, 0.06, n), "1/yr"),
        "reallocation_headroom": (("sample",), rng.uniform(0.0, 1.0, n), "1"),
        "probability": (("sample",), np.full(n, 1.0 / n), "1"),
    }  # fmt: skip
    return xr.Dataset(
        {name: (dims, values, {"units": unit}) for name, (dims, values, unit) in all_dims.items()},
        coords={
            "sample": np.arange(n),
            "pathway": names,
            "region": REGIONS,
            "period": PERIODS,
            "class": CLASSES,
            "flow_class": ("pathway", [PATHWAYS[p][1] for p in names]),
            "classes": ("pathway", [PATHWAYS[p][0] for p in names]),
            "domain": ("region", ["land", "land", "ocean"]),
            "period_start": ("period", [2025, 2035, 2050]),
            "period_length": ("period", [10, 15, 51], {"units": "yr"}),
        },
    )


def full_drawn(n: int = 64, seed: int = 1) -> xr.Dataset:
    """`build_drawn` with every optional input in use, each with its unit where it has one."""
    rng = np.random.default_rng([seed, 7])
    drawn = build_drawn(n, seed=seed)
    sizes = dict(drawn.sizes) | {"resource": len(RESOURCES), "coupling": 4}
    ranges = {
        "years_per_trl": (0.0, 3.0), "resource_use": (0.0, 3.0), "resource_supply": (0.1, 5.0),
        "coupling_effect": (-1.5, 1.5), "additionality": (0.4, 1.0), "efficiency": (0.4, 1.0),
        "learning_rate": (0.0, 0.3), "experience": (0.0, 2.0), "cost_floor": (0.0, 0.8),
        "scarcity": (0.0, 1.0),
        "grid_intensity": (0.0, 0.1), "power_share": (0.0, 1.0), "heat_intensity": (0.0, 0.1),
        "own_fuel": (0.0, 1.0), "foregone_regrowth": (0.0, 0.6), "non_co2": (-0.1, 0.3),
        "non_co2_young": (0.0, 0.5), "non_co2_fade": (5.0, 50.0), "fast_share": (0.0, 0.5),
        "fast_half_life": (1.0, 20.0), "saturation_years": (2.0, 60.0), "hazard_exponent": (0.0, 2.0),
        "shock_severity": (0.0, 2.5), "late_hazard": (0.0, 0.02), "setback": (0.0, 1.0),
        "verification_delay": (0.0, 20.0),
    }  # fmt: skip
    assert set(ranges) == set(OPTIONAL)
    for name, (low, high) in ranges.items():
        variable = OPTIONAL[name]
        values = rng.uniform(low, high, (n, *(sizes[d] for d in variable.dims)))
        if name == "resource_use":
            values *= rng.random(values.shape) < 0.5
        if variable.infinite:
            values[rng.random(values.shape) < 0.3] = np.inf
        attrs = {"units": variable.unit} if variable.unit else {}
        drawn[name] = ("sample", *variable.dims), values, attrs
    return drawn.assign_coords(
        resource=list(RESOURCES),
        resource_unit=("resource", list(RESOURCES.values())),
        creditable=("pathway", [p != "oae" for p in drawn["pathway"].values]),
        coupling_pathway=("coupling", ["beccs", "forests", "enhanced_weathering", "oae"]),
        coupling_with=("coupling", ["biochar", "biochar", "beccs", "beccs"]),
        coupling_kind=("coupling", ["yield", "yield", "cost", "energy"]),
    )


def simple_drawn(pathway: str, **values: float) -> xr.Dataset:
    """One sample of one pathway (and of the two recipients), everything plain unless said."""
    names = list(dict.fromkeys([pathway, "enhanced_weathering", "biochar"]))
    drawn = build_drawn(1, pathways=names)
    plain = {
        "potential": 10.0, "cost": 100.0, "energy": 2.0, "growth_rate": 0.0, "current_capacity": 10.0,
        "half_life": np.inf, "leakage_rate": 0.0, "reversal_loss": 0.0, "trl": 8.0, "ecological_risk": 0.2,
        "removal_share": 0.5, "mode": 0, "land_sink_ratio": 1.0, "cost_slope": 0.0, "cost_exponent": 1.0,
        "discount_rate": 0.0, "reallocation_headroom": 0.0, "shock": False,
    }  # fmt: skip
    for name, value in (plain | values).items():
        drawn[name] = xr.full_like(drawn[name], value)
    drawn["mode_fraction"] = ("sample", "mode"), [[1.0, 0.5, 0.25, 0.0]], {"units": "1"}
    drawn["suitability_share"][...] = [0.5, 0.3, 0.2]
    return drawn


def plans(drawn: xr.Dataset, table: dict[str, dict[str, float | list[float]]]) -> xr.Dataset:
    """planned(portfolio, pathway, period) from {portfolio: {pathway: number or one per period}}."""
    names = [str(p) for p in drawn["pathway"].values]
    values = np.zeros((len(table), len(names), len(PERIODS)))
    for f, chosen in enumerate(table.values()):
        for pathway, amount in chosen.items():
            values[f, names.index(pathway)] = amount
    dims = ("portfolio", "pathway", "period")
    return xr.Dataset(
        {"planned": (dims, values, {"units": "GtCO2/yr"})},
        coords={
            "portfolio": list(table), "pathway": names, "period": PERIODS,
            "name": ("portfolio", [k.replace("_", " ") for k in table]),
        },
    )  # fmt: skip


def random_plans(drawn: xr.Dataset, portfolios: int = 5, seed: int = 2) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    out = plans(drawn, {f"p{i}": {} for i in range(portfolios)})
    share = rng.dirichlet(np.full(drawn.sizes["pathway"], 0.5), size=(portfolios, 3))
    share[share < 0.02] = 0.0
    out["planned"][...] = (share * rng.uniform(0.1, 12.0, (portfolios, 3, 1))).swapaxes(1, 2)
    return out


CRITERIA = pd.DataFrame(
    [
        ("sequestration_rate", "Sequestration rate", True, "maximise", "GtCO2/yr"),
        ("storage_permanence", "Storage permanence", True, "maximise", "1"),
        ("technological_maturity", "Technological maturity", True, "maximise", "1"),
        ("marginal_abatement_cost", "Marginal abatement cost", True, "minimise", "USD/tCO2"),
        ("energy_intensity", "Energy intensity", True, "minimise", "GJ/tCO2"),
        ("ecological_risk", "Ecological risk", True, "minimise", "1"),
        ("net_removal_2050", "Net removal by 2050", False, "maximise", "GtCO2"),
        ("net_removal_2100", "Net removal by 2100", False, "maximise", "GtCO2"),
        ("total_cost", "Total cost", False, "minimise", "billion USD"),
        ("cost_per_durable_tonne", "Cost per durable tonne", False, "minimise", "USD/tCO2"),
        ("reallocated_share", "Share moved to other pathways", False, "minimise", "1"),
        ("shortfall", "Shortfall", False, "minimise", "GtCO2"),
    ],
    columns=["criterion", "name", "axis", "direction", "unit"],
)


@pytest.fixture
def criteria() -> pd.DataFrame:
    return CRITERIA.copy()
