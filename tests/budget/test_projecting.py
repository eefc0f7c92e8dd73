"""The outlook: what it matches, what removal does, whose emissions are whose, and what it refuses."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import priors
from sinkrisk.budget import carbon_cycle, cycle_table, emission_paths, outlook_tables, projecting
from sinkrisk.errors import InputError

YEARS = np.arange(2014, 2024)
# Five-yearly, like an SSP file; net emissions fall below zero.
NET = pd.DataFrame(
    {
        "scenario": "low",
        "year": [2015, 2020, 2050, 2080, 2100],
        "fossil_net_GtC_yr": [9.7, 10.0, 5.0, -0.5, -2.0],
        "land_use_net_GtC_yr": [1.0, 0.9, 0.0, -0.5, -0.8],
    }
)
GROSS = pd.DataFrame({"year": [2015, 2020, 2050, 2100], "fossil": [9.7, 10.0, 6.0, 2.0], "land_use": 0.5})


@pytest.fixture(scope="module")
def flux():
    """Draws of ocean and land over a decade, chain and draw apart."""
    rng = np.random.default_rng(7)
    values = rng.normal([2.85, 2.97], [0.3, 0.4], (2, 20, 2))[..., None] + 0.1 * rng.normal(
        size=(2, 20, 2, 10)
    )
    coords = {"component": ["ocean", "land"], "year": YEARS}
    return xr.DataArray(values, dims=("chain", "draw", "component", "year"), coords=coords)


@pytest.fixture(scope="module")
def removal():
    years = np.arange(2025, 2101)
    path = np.linspace(0.0, 10.0, len(years))
    values = np.stack([0.0 * path, path, 0.5 * path])
    coords = {"portfolio": ["none", "large", "half"], "year": years}
    return xr.DataArray(values, dims=("portfolio", "year"), coords=coords, attrs={"units": "GtCO2/yr"})


@pytest.fixture(scope="module")
def projected(flux, removal):
    return projecting.outlook(flux, NET, removal=removal, rng=3)


@pytest.fixture(scope="module")
def ssp():
    """The SSP compilation, outside the repository."""
    beside = Path(priors.__file__).parents[3] / "shared"
    path = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "scenarios" / "ssp_co2_emissions.csv"
    if not path.is_file():
        pytest.skip(
            "the SSP emissions are not here; set SINKRISK_SHARED to the folder that holds data/scenarios"
        )
    return path


def test_every_draws_last_decade_is_matched_under_the_historical_co2(flux, projected):
    cycle = cycle_table.load_carbon_cycle()
    wanted = flux.mean("year").stack(sample=("chain", "draw")).transpose("sample", "component").values
    curvatures = (
        cycle_table.ocean_curvature(projected["ocean_efficiency_decline"].values),
        cycle_table.land_curvature(projected["land_half_saturation"].values),
    )
    for at, name in enumerate(("ocean", "land")):
        sink = cycle.sink(name, curvatures[at]).scaled(projected[f"{name}_scale"].values)
        along, _ = carbon_cycle.follow(cycle.history(2023), sink)
        np.testing.assert_allclose(along[:, -10:].mean(-1), wanted[:, at], rtol=1e-9)


def test_dims_units_and_closure(projected):
    assert projected["co2"].dims == ("sample", "portfolio", "year")
    assert projected["probability_crossed"].dims == ("portfolio", "year")
    assert all("units" in projected[name].attrs for name in projected.data_vars)
    closure = (
        projected["fossil"] + projected["land_use"] - projected["removal"]
        - projected["atmosphere"] - projected["ocean"] - projected["land"]
    )  # fmt: skip
    assert float(np.abs(closure).max()) < 1e-9
    growth = projected["co2"].diff("year") * 2.124
    assert float(np.abs(growth - projected["atmosphere"].isel(year=slice(1, None))).max()) < 1e-9


def test_removal_enters_as_carbon_and_its_effect_is_smaller_than_itself(projected, removal):
    np.testing.assert_allclose(
        projected["removal"].sel(year=removal["year"]).isel(sample=0), removal * 12 / 44, rtol=1e-12
    )
    gross = projected["removal_cumulative"].sel(year=2100)
    effect = -projected["net_effect"].sel(year=2100)
    assert (effect.sel(portfolio="none") == 0).all()
    for name in ("large", "half"):
        share = effect.sel(portfolio=name) / gross.sel(portfolio=name)
        assert ((share > 0.4) & (share < 0.95)).all()
    # The natural sinks weaken by exactly what is missing.
    weaker = (projected["ocean"] + projected["land"]).sel(portfolio="none") - (
        projected["ocean"] + projected["land"]
    ).sel(portfolio="large")
    lost = weaker.sum("year") - (gross.sel(portfolio="large") - effect.sel(portfolio="large"))
    assert float(np.abs(lost).max()) < 1e-8
    plain = projected["co2"].sel(portfolio="none", drop=True)
    np.testing.assert_allclose(plain, projected["co2_without_removal"], rtol=0, atol=1e-10)


def test_the_one_box_loop_understates_what_lasts_of_removal(flux, removal):
    # Until 2100 the two agree, most removal being young; a century after the last of it they do not.
    run = projecting.outlook(flux, NET, removal=removal, rng=3, until=2200, extend="taper")
    large = run.sel(portfolio="large")
    box = carbon_cycle.one_box(large["removal"].values, 0.0, 0.0218)
    ratio = -large["net_effect"].values / np.where(box > 0, box, np.inf)
    young, old = (int(np.flatnonzero(run["year"] == year)[0]) for year in (2100, 2200))
    assert ratio[:, young].mean() == pytest.approx(1.0, abs=0.1)
    assert (ratio[:, old] > 2.0).all()


def test_removal_by_sample_and_in_another_unit(flux, removal):
    one = projecting.outlook(flux, NET, removal=removal, u=np.full((40, 7), 0.5))
    carbon = removal * 12 / 44
    carbon.attrs["units"] = "GtC/yr"
    spread = carbon.expand_dims(sample=40)
    other = projecting.outlook(flux, NET, removal=spread.transpose("year", ...), u=np.full((40, 7), 0.5))
    np.testing.assert_allclose(one["co2"], other["co2"], rtol=0, atol=1e-9)
    with pytest.raises(InputError, match="other samples"):
        projecting.outlook(flux, NET, removal=spread.isel(sample=slice(3)))


def test_a_net_scenario_is_made_gross_and_says_so(flux, removal):
    path = emission_paths.gross_emissions(emission_paths.read_emissions(NET))
    assert (path["land_use"] >= 0).all()
    assert path["fossil"].min() == pytest.approx(0.97)
    assert "never below 0.1" in path.attrs["assumption"]
    untouched = path["year"] <= 2050
    before = emission_paths.read_emissions(NET)
    np.testing.assert_array_equal(path.loc[untouched, "fossil"], before.loc[untouched, "fossil"])
    run = projecting.outlook(flux, NET, rng=1)
    assert run.attrs["gross_assumption"] == path.attrs["assumption"]
    with pytest.raises(InputError, match="counted twice"):
        projecting.outlook(flux, NET, removal=removal, gross="as_given")
    given = projecting.outlook(flux, GROSS, removal=removal, rng=1)
    assert "given gross" in given.attrs["gross_assumption"]


def test_outlook_runs_on_to_2200_by_a_stated_rule(flux):
    with pytest.raises(InputError, match="ends before the outlook"):
        projecting.outlook(flux, GROSS, until=2200)
    run = projecting.outlook(flux, GROSS, until=2200, extend="taper", rng=1)
    assert run["fossil"].sel(year=2200) == 0.0
    assert run["fossil"].sel(year=2150) == pytest.approx(1.0)
    assert "straight line from 2100 to 2200" in run.attrs["extension"]
    held = projecting.outlook(flux, GROSS, until=2200, extend="hold", rng=1)
    assert (held["fossil"].sel(year=slice(2100, None)) == 2.0).all()
    np.testing.assert_array_equal(held["co2"].sel(year=2100), run["co2"].sel(year=2100))
    with pytest.raises(InputError, match="year out of range"):
        projecting.outlook(flux, GROSS, until=2201, extend="hold")


def test_tipping_is_crossed_once_and_lowers_the_land_sink(flux):
    high = GROSS.assign(fossil=[10.0, 10.0, 25.0, 30.0])
    run = projecting.outlook(flux, high, rng=1)
    probability = run["probability_crossed"]
    assert (probability.diff("year") >= 0).all()
    assert probability.sel(year=2024) < 0.05
    assert 0.3 < probability.sel(year=2100) < 1.0
    expected = (run["warming"].sel(year=2100) >= run["land_tipping_threshold"]).mean()
    assert probability.sel(year=2100) == pytest.approx(float(expected))
    calm = projecting.outlook(flux, high, rng=1, fixed={"land_tipping_loss": 0.0})
    crossed = run["crossed"].sel(year=2100)
    assert (run["co2"].sel(year=2100)[crossed] > calm["co2"].sel(year=2100)[crossed]).all()
    np.testing.assert_array_equal(run["co2"].sel(year=2100)[~crossed], calm["co2"].sel(year=2100)[~crossed])
    # Removal lowers the warming, and with it the chance of crossing.
    years = np.arange(2025, 2101)
    removal = xr.DataArray(np.full(len(years), 20.0), dims="year", coords={"year": years})
    less = projecting.outlook(flux, high, rng=1, removal=removal)
    assert less["co2"].dims == ("sample", "year")
    assert less["probability_crossed"].sel(year=2100) < probability.sel(year=2100)


def test_equal_seeds_agree_and_draws_are_picked(flux):
    one, other = (projecting.outlook(flux, GROSS, rng=5) for _ in range(2))
    xr.testing.assert_identical(one, other)
    assert projecting.outlook(flux, GROSS, rng=5, draws=8).sizes["sample"] == 8
    with pytest.raises(InputError, match="draws out of range"):
        projecting.outlook(flux, GROSS, draws=41)


def test_the_discrepancy_grows_with_the_root_of_time_and_closes(flux):
    calm = {"ocean_discrepancy": 0.0, "land_discrepancy": 0.0}
    one = projecting.outlook(flux, GROSS, rng=5, fixed={"ocean_discrepancy": 1.0, "land_discrepancy": 0.0})
    none = projecting.outlook(flux, GROSS, rng=5, fixed=calm)
    assert (none["ocean_discrepancy"] == 0.0).all()
    # In the first year nothing has come back yet but the air's own answer to what the ocean takes.
    first = (one["ocean"] - none["ocean"]).isel(year=0)
    assert float(first.mean()) == pytest.approx(0.027 * np.sqrt(5.5), rel=0.05)
    assert (one["co2"].sel(year=2100) < none["co2"].sel(year=2100)).all()
    closure = one["fossil"] + one["land_use"] - one["atmosphere"] - one["ocean"] - one["land"]
    assert float(np.abs(closure).max()) < 1e-9
    drawn = projecting.outlook(flux, GROSS, rng=5)
    assert float(drawn["co2"].sel(year=2100).std()) > float(none["co2"].sel(year=2100).std())
    assert "square root" in drawn.attrs["discrepancy"]
    # A design that fixes everything stays a function of the design.
    held = projecting.outlook(flux, GROSS, u=np.full((40, 7), 0.5))
    assert held.attrs["discrepancy"] == "none drawn"
    with pytest.raises(InputError, match="other draws"):
        projecting.outlook(flux, GROSS, rng=5, fixed={"land_discrepancy": [1.0, 2.0]})


def test_a_reconciled_budget_is_a_source(tree):
    run = projecting.outlook(tree, GROSS, rng=1, draws=50)
    assert run.attrs["matched"] == "2014-2023"
    assert run["co2"].sel(year=2100).std() > 1.0


def test_table_and_sentence(projected):
    table = outlook_tables.summarise_outlook(projected, years=[2050, 2100], level=0.8)
    row = table[
        (table["quantity"] == "co2") & (table["portfolio"] == "large") & (table["year"] == 2100)
    ].iloc[0]
    cell = projected["co2"].sel(portfolio="large", year=2100).values
    np.testing.assert_allclose([row["low"], row["high"]], np.quantile(cell, [0.1, 0.9]))
    assert row["interval_kind"] == "equal-tailed"
    assert row["interval_mass"] == 0.8
    assert row["unit"] == "ppm"
    assert table[table["quantity"] == "probability_crossed"]["low"].isna().all()
    result = outlook_tables.outlook_result(projected.isel(portfolio=[1, 0]))
    assert "with portfolio large" in result.sentence
    assert "ocean and land give back part" in result.sentence
    assert result.provenance["scenario"] == "low"
    with pytest.raises(InputError, match="outside the outlook"):
        outlook_tables.summarise_outlook(projected, years=[1999])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (NET.drop(columns="year"), "missing year"),
        (pd.concat([NET, NET.assign(scenario="other")]), "several scenarios"),
        (pd.concat([NET, NET]), "a year stands twice"),
        (GROSS.assign(fossil="many"), "no number"),
        (GROSS[GROSS["year"] > 2020].iloc[[0, 1]], "begins too late"),
    ],
)
def test_bad_emissions_are_refused(flux, frame, message):
    with pytest.raises(InputError, match=message):
        projecting.outlook(flux, frame)


def test_bad_sources_are_refused(flux):
    for source, message in (
        (3.0, "no draws of fluxes"),
        (flux.sel(component=["ocean"]), "without what an outlook needs"),
        (flux.where(flux["year"] < 2020), "not all finite"),
    ):
        with pytest.raises(InputError, match=message):
            projecting.outlook(source, GROSS)
    with pytest.raises(InputError, match="unknown scenario"):
        projecting.outlook(flux, NET, scenario="lower")


def test_ssp_scenarios_are_ordered_and_near_the_published_concentrations(flux, ssp):
    # Meinshausen et al. 2020, ppm in 2100. The model stays below them: see the report of the outlook.
    published = {"ssp119": 393, "ssp370": 867, "ssp585": 1135}
    found = {}
    for name in ("ssp119", "ssp126", "ssp245", "ssp370", "ssp585"):
        run = projecting.outlook(flux, ssp, scenario=name, gross="as_given", u=np.full((40, 7), 0.5))
        found[name] = float(run["co2"].sel(year=2100).median())
    assert list(found.values()) == sorted(found.values())
    for name, ppm in published.items():
        assert -0.15 < found[name] / ppm - 1 < 0.05
