"""The engine against the same model written a second time as plain xarray operations."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio

from .conftest import build_drawn, random_plans
from .plain_model import plain_simulate

TOLERANCE = 1e-10
"""Of the largest value of a variable: both sum the same terms in another order."""

UNITS = {
    "years_per_trl": "yr", "experience": "GtCO2", "grid_intensity": "tCO2/GJ",
    "heat_intensity": "tCO2/GJ", "non_co2_fade": "yr",
    "fast_half_life": "yr", "saturation_years": "yr", "late_hazard": "1/yr", "verification_delay": "yr",
}  # fmt: skip


def everything_on(n: int = 32, seed: int = 0) -> xr.Dataset:
    """Random inputs with every option of the simulation in use."""
    rng = np.random.default_rng(seed)
    drawn = build_drawn(n, seed=seed + 1)
    w, r, q = (drawn.sizes[d] for d in ("pathway", "region", "period"))
    own, resources = ("sample", "pathway"), ["land", "biomass", "water", "point_co2"]

    def flat(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, (n, *shape))

    def often(values: np.ndarray, other: float, chance: float = 0.5) -> np.ndarray:
        return np.where(rng.random(values.shape) < chance, values, other)

    table = {
        "years_per_trl": (("sample",), flat(0.0, 3.0)),
        "resource_use": ((*own, "resource"), often(flat(0.0, 2.0, w, 4), 0.0)),
        "resource_supply": (
            ("sample", "resource", "region", "period"), often(flat(0.2, 8.0, 4, r, q), np.inf, 0.8)
        ),
        "coupling_effect": (("sample", "coupling"), flat(-1.5, 1.5, 4)),
        "additionality": (own, flat(0.5, 1.0, w)), "efficiency": (own, flat(0.5, 1.0, w)),
        "learning_rate": (own, often(flat(0.0, 0.2, w), 0.0)),
        "experience": (own, often(flat(0.0, 2.0, w), 0.0)),
        "cost_floor": (own, flat(0.0, 0.8, w)), "scarcity": (own, flat(0.0, 1.0, w)),
        "grid_intensity": (("sample", "region", "period"), flat(0.0, 0.1, r, q)),
        "power_share": (own, often(flat(0.0, 1.0, w), 1.0)),
        "heat_intensity": (("sample", "period"), flat(0.0, 0.1, q)),
        "own_fuel": (own, often(flat(0.0, 1.0, w), 0.0)),
        "foregone_regrowth": (own, flat(0.0, 0.6, w)), "non_co2": (own, flat(-0.1, 0.3, w)),
        "non_co2_young": (own, flat(0.0, 0.5, w)), "non_co2_fade": (own, often(flat(5.0, 50.0, w), np.inf)),
        "fast_share": (own, often(flat(0.0, 0.5, w), 0.0)),
        "fast_half_life": (own, often(flat(1.0, 20.0, w), np.inf)),
        "saturation_years": (own, often(flat(5.0, 60.0, w), np.inf)),
        "hazard_exponent": (("sample",), flat(0.0, 2.0)),
        "shock_severity": (("sample", "region", "period"), flat(0.0, 2.0, r, q)),
        "late_hazard": (("sample", "region"), flat(0.0, 0.02, r)), "setback": (("sample",), flat(0.0, 0.5)),
        "verification_delay": (own, flat(0.0, 20.0, w)),
    }  # fmt: skip
    for name, (dims, values) in table.items():
        drawn[name] = (dims, values, {"units": UNITS.get(name, "1")})
    for name in ("resource_use", "resource_supply"):
        drawn[name].attrs.pop("units")
    return drawn.assign_coords(
        resource=resources,
        resource_unit=("resource", ["Mha", "EJ/yr", "km3/yr", "GtCO2/yr"]),
        coupling=[f"k{k}" for k in range(4)],
        coupling_pathway=("coupling", ["enhanced_weathering", "forests", "beccs", "oae"]),
        coupling_with=("coupling", ["beccs", "biochar", "biochar", "beccs"]),
        coupling_kind=("coupling", ["yield", "yield", "cost", "energy"]),
        creditable=("pathway", [True] * (w - 1) + [False]),
    )


def assert_same(drawn: xr.Dataset, plans: xr.Dataset) -> None:
    ours, plain = portfolio.simulate(drawn, plans), plain_simulate(drawn, plans)
    flows = [name for name in ours.data_vars if "portfolio" in ours[name].dims]
    assert set(flows) - {"planned"} <= set(plain.data_vars)
    for name in plain.data_vars:
        if name not in ours and name in ("resource_used", "scarcity_by_resource"):
            continue
        expected = plain[name].transpose(*ours[name].dims)
        scale = max(1.0, float(abs(expected).max()))
        np.testing.assert_allclose(ours[name].values, expected.values, rtol=0, atol=TOLERANCE * scale)
        assert float(abs(expected).max()) > 0.0, f"{name} is never anything"


@pytest.mark.parametrize("seed", range(4))
def test_everything_on(seed):
    drawn = everything_on(seed=seed)
    plans = random_plans(drawn, 5, seed=seed).assign_coords(
        coordinated=("portfolio", [False, True, True, False, True])
    )
    assert_same(drawn, plans)


def test_plans_by_region():
    drawn = everything_on(seed=9)
    plans = random_plans(drawn, 4, seed=3)
    share = np.random.default_rng(1).dirichlet(np.ones(drawn.sizes["region"]), size=plans["planned"].shape)
    regional = plans["planned"] * xr.DataArray(
        share, dims=(*plans["planned"].dims, "region"), coords={"region": drawn["region"].values}
    )
    # The last region is none of the first portfolios' business.
    regional[{"region": -1, "portfolio": slice(0, 2)}] = 0.0
    regional = regional.transpose("portfolio", "pathway", "region", "period").assign_attrs(units="GtCO2/yr")
    plans = plans.drop_vars("planned").assign(planned=regional)
    assert_same(drawn, plans.assign_coords(coordinated=("portfolio", [True, False, True, False])))


def test_one_option_at_a_time_is_left_out():
    # Each option alone at its neutral value, so that no two mistakes can hide each other.
    whole = everything_on(n=8, seed=21)
    plans = random_plans(whole, 3, seed=5)
    groups = [["resource_use", "resource_supply"], ["coupling_effect"], ["power_share"], ["own_fuel"]]
    groups += [[name] for name in UNITS]
    # Learning cannot stand without the experience it starts from, nor a share of power without the rest.
    leaning = {"experience": "learning_rate", "heat_intensity": "power_share"}
    for group in groups:
        drawn = whole.drop_vars([*group, *(leaning[name] for name in group if name in leaning)])
        if "resource_use" in group:
            drawn = drawn.drop_vars(["resource", "resource_unit"])
        if "coupling_effect" in group:
            drawn = drawn.drop_vars([name for name in whole.coords if name.startswith("coupling")])
        ours, plain = portfolio.simulate(drawn, plans), plain_simulate(drawn, plans)
        for name in ("deployed", "cost", "net", "durable", "credited", "retained"):
            expected = plain[name].transpose(*ours[name].dims).values
            np.testing.assert_allclose(
                ours[name].values, expected, rtol=0, atol=1e-9 * max(1.0, abs(expected).max())
            )
