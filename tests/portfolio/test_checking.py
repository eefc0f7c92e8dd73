"""What is wrong with optional inputs and regional plans is said at once, by name."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.errors import InputError

from .conftest import REGIONS, full_drawn, random_plans


def no_number(d):
    d["grid_intensity"][3, 1, 2] = np.nan


def no_number_at(d):
    d["efficiency"][5, 2] = np.nan


def infinite(d):
    d["learning_rate"][0, 0] = np.inf


def unlimited_backwards(d):
    d["resource_supply"][0, 0, 0, 0] = -np.inf


def negative_supply(d):
    d["resource_supply"][0, 0, 0, 0] = -1.0


def above_one(d):
    d["additionality"][0, 0] = 1.2


def fast_learning(d):
    d["learning_rate"][0, 0] = 1.0


def no_time(d):
    d["saturation_years"][0, 0] = 0.0


def unit(d):
    d["late_hazard"].attrs["units"] = "1/decade"


def dims(d):
    d["setback"] = ("sample", "region"), np.zeros((d.sizes["sample"], 3))


def resource(d):
    d["resource"] = ["land", "biomas", *d["resource"].values[2:]]


def resource_unit(d):
    d["resource_unit"] = "resource", ["ha", *d["resource_unit"].values[1:]]


def coupling(d):
    d["coupling_with"] = "coupling", ["biocahr", *d["coupling_with"].values[1:]]


def kind(d):
    d["coupling_kind"] = "coupling", ["yields", *d["coupling_kind"].values[1:]]


def itself(d):
    d["coupling_with"] = "coupling", ["beccs", *d["coupling_with"].values[1:]]


def credit(d):
    d["creditable"] = "pathway", ["yes"] * d.sizes["pathway"]


def no_probability(d):
    d["probability"] = "sample", [np.nan, *[1.0 / 7.0] * 7]


def negative_probability(d):
    d["probability"] = "sample", [-1.0, *[2.0 / 7.0] * 7]


def no_outlook(d):
    d["outlook_warming_present"] = "sample", [np.nan, *[1.2] * 7]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            no_number,
            "'grid_intensity': NaN or infinite inputs: .* sample 3, region arid_zones, period long_term",
        ),
        (no_number_at, "'efficiency': .*'1 of 64 at biochar'; the first at sample 5, pathway biochar"),
        (infinite, "'learning_rate': NaN or infinite inputs"),
        (unlimited_backwards, "'resource_supply': NaN or infinite inputs"),
        (negative_supply, "'resource_supply': negative inputs: got -1.0"),
        (above_one, "'additionality': a share above 1: got 1.2"),
        (fast_learning, "'learning_rate': inputs out of range: got 1.0; allowed: up to 0.99"),
        (no_time, "saturation-years must be positive"),
        (unit, "'late_hazard': inputs in another unit: got '1/decade'; allowed: 1/yr"),
        (dims, "'setback': inputs: wrong dims"),
        (resource, "unknown resource: got 'biomas'.*did you mean 'biomass'"),
        (resource_unit, "'land': resource in another unit: got 'ha'; allowed: Mha"),
        (coupling, "unknown pathway in a coupling: got 'biocahr'.*did you mean 'biochar'"),
        (kind, "unknown kind of coupling: got 'yields'.*did you mean 'yield'"),
        (itself, "a pathway is coupled with itself: got 'beccs'"),
        (credit, "creditable must be true or false"),
        (no_probability, "'probability': NaN or infinite inputs: .*1 of 8"),
        (negative_probability, "'probability': negative inputs"),
        (no_outlook, "'outlook_warming_present': NaN or infinite inputs"),
    ],
)
def test_bad_optional_inputs_are_named(spoil, message):
    drawn = full_drawn(8)
    plan = random_plans(drawn)
    spoil(drawn)
    with pytest.raises(InputError, match=message):
        portfolio.simulate(drawn, plan)


@pytest.mark.parametrize("name", ["shock_correlation", "land_sink", "ocean_sink"])
def test_what_the_simulation_hands_on_is_a_number(name):
    drawn = full_drawn(8)
    plan = random_plans(drawn)
    drawn[name] = "sample", np.full(8, -0.5)
    portfolio.simulate(drawn, plan)
    drawn[name][6] = np.nan
    with pytest.raises(InputError, match=f"'{name}': NaN or infinite inputs: .*the first at sample 6"):
        portfolio.simulate(drawn, plan)


def regional(drawn):
    share = xr.DataArray([0.5, 0.3, 0.2], dims="region", coords={"region": REGIONS})
    plan = random_plans(drawn)
    return plan.assign(planned=(plan["planned"] * share).assign_attrs(units="GtCO2/yr"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.assign_coords(region=["north_america", "arid_zone", "open_ocean"]), "'arid_zones'"),
        (
            lambda p: p.where(p["region"] != "arid_zones", -1.0),
            "'p0.beccs.arid_zones.near_term': negative",
        ),
        (lambda p: p * 0.0, "empty portfolio: it plans nothing"),
        (lambda p: p.assign_coords(coordinated=("portfolio", [1] * 5)), "coordinated must be true or false"),
        (lambda p: p.drop_vars("region"), "planned needs the labelled dims"),
        (lambda p: p.sel(region=["arid_zones", "arid_zones"]), "region given twice"),
    ],
)
def test_bad_regional_plans_are_named(change, message):
    drawn = full_drawn(4)
    with pytest.raises(InputError, match=message):
        portfolio.simulate(drawn, change(regional(drawn)))


def test_a_region_without_a_plan_has_none():
    drawn = full_drawn(6)
    plan = regional(drawn)
    part = portfolio.simulate(drawn, plan.sel(region=["open_ocean", "north_america"]))
    zero = portfolio.simulate(drawn, plan.where(plan["region"] != "arid_zones", 0.0))
    xr.testing.assert_equal(part, zero)


def test_a_regional_plan_beyond_its_region_is_reported():
    drawn = full_drawn(20)
    plan = regional(drawn) * 1e-6
    plan["planned"].attrs["units"] = "GtCO2/yr"
    plan["planned"].loc[{"portfolio": "p1", "pathway": "oae", "region": "arid_zones"}] = 50.0
    # BECCS has no share of the ocean at all.
    plan["planned"].loc[{"pathway": "beccs", "region": "open_ocean"}] = 0.0
    (check,) = portfolio.check_plan(drawn, plan)
    beyond = check.table[check.table["probability_beyond"] == 1.0]
    assert set(beyond["region"]) == {"arid_zones"}
    assert set(beyond["pathway"]) == {"oae"}
    assert len(beyond) == 3
    out = portfolio.simulate(drawn, plan)
    assert bool((out["planned"].sel(portfolio="p1", pathway="oae") > 49.9).all())
