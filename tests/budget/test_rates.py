"""Sink rates, airborne fraction and trends."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import priors
from sinkrisk.budget import hindcasting, rates
from sinkrisk.budget.tables import budget_tables
from sinkrisk.errors import InputError
from sinkrisk.priors import load_observations


@pytest.fixture(scope="module")
def official():
    """The folder of the official workbooks, outside the repository; as in the tests of the priors."""
    beside = Path(priors.__file__).parents[3] / "shared"
    folder = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "gcb"
    if not (folder / "SOURCES.md").is_file():
        pytest.skip(
            "the official workbooks are not here; set SINKRISK_SHARED to the folder that holds data/gcb"
        )
    return folder


@pytest.fixture(scope="module")
def series(official):
    return hindcasting.annual_series(load_observations(official / "Global_Carbon_Budget_2024_v1.0.xlsx"))


def _array(frame):
    return xr.DataArray(
        frame.to_numpy().T,
        dims=("component", "year"),
        coords={"component": list(frame.columns), "year": frame.index.to_numpy()},
    )


def test_the_workbook_gives_the_known_rates(series):
    rate = rates.sink_rates(_array(series), window=(2014, 2023))
    assert rate.attrs["units"] == "1/yr"
    np.testing.assert_allclose(rate.sel(component=["ocean", "land"]), [0.0104, 0.0115], atol=6e-5)


def test_a_rate_is_flux_over_excess():
    co2 = pd.Series({2000: 370.0, 2001: 372.0, 2002: 374.0})
    excess = 2.124 * (co2.to_numpy() - 278.0)
    flux = xr.DataArray(
        np.stack([0.01 * excess, 0.012 * excess]),
        dims=("component", "year"),
        coords={"component": ["ocean", "land"], "year": co2.index.to_numpy()},
    )
    np.testing.assert_allclose(rates.sink_rates(flux, co2), [[0.01] * 3, [0.012] * 3])
    np.testing.assert_allclose(rates.sink_rates(flux, co2, window=(2000, 2002)), [0.01, 0.012])
    as_array = xr.DataArray(co2.to_numpy(), dims="year", coords={"year": co2.index.to_numpy()})
    xr.testing.assert_identical(rates.sink_rates(flux, co2), rates.sink_rates(flux, as_array))


def test_airborne_fraction(series):
    fraction = rates.airborne_fraction(_array(series))
    year = series.loc[2023]
    assert float(fraction.sel(year=2023)) == pytest.approx(
        year["atmosphere"] / (year["fossil"] + year["land_use"])
    )
    assert 0.4 < float(fraction.mean()) < 0.5


def test_trends_and_their_probability():
    # Slopes of .5 per decade with sd .5 / 1.2816: ten per cent of the draws fall below zero.
    rng = np.random.default_rng(2)
    slope = 0.05 + 0.05 / 1.2816 * rng.normal(size=(4, 5000))
    year = np.arange(1990, 2020)
    values = xr.DataArray(
        slope[..., None] * (year - 2000.0) + 7.0, dims=("chain", "draw", "year"), coords={"year": year}
    )
    np.testing.assert_allclose(rates.trends(values), 10 * slope, atol=1e-10)
    table = rates.trend_table(values.expand_dims(component=["ocean"]), level=0.8)
    row = table.iloc[0]
    assert row["component"] == "ocean"
    # 20,000 draws: sd .0021, so five of them have a false-alarm rate of 6e-7.
    assert row["probability_positive"] == pytest.approx(0.9, abs=0.0106)
    assert row["low"] == pytest.approx(0.0, abs=0.03)
    assert row["high"] == pytest.approx(1.0, abs=0.03)
    assert len(rates.trend_table(values)) == 1


def test_a_reconciled_budget_gives_the_known_rates(fitted_table_2, fitted_iid):
    found = budget_tables(fitted_table_2.tree, compared=fitted_iid.tree)
    table = found["sink_rates.csv"]
    assert list(table["errors"].unique()) == ["shares", "iid"]
    last = table[(table["window"] == "2014-2023") & (table["errors"] == "shares")]
    last = last.set_index(["quantity", "component"])
    flux = fitted_table_2.tree["posterior"]["window_flux"].mean(["chain", "draw"]).sel(window="2014-2023")
    excess = float(rates.mid_year_excess(range(2014, 2024)).mean())
    # The values of the assessed series, .0104 and .0115, lie inside; the reconciled means are their own.
    for name, known in (("ocean", 0.0104), ("land", 0.0115)):
        row = last.loc["sink_rate", name]
        assert row["mean"] == pytest.approx(float(flux.sel(component=name)) / excess, rel=1e-9)
        assert row["low"] < known < row["high"]
    assert last.loc[("sink_rate", "ocean"), "mean"] == pytest.approx(0.0104, abs=3e-4)
    emitted = float(flux.sel(component="fossil") + flux.sel(component="land_use"))
    fraction = last.loc[("airborne_fraction", ""), "mean"]
    assert fraction == pytest.approx(float(flux.sel(component="atmosphere")) / emitted, abs=2e-3)


def test_trends_hinge_on_the_error_structure(fitted_table_2, fitted_iid):
    table = budget_tables(fitted_table_2.tree, compared=fitted_iid.tree)["trends.csv"]
    assert set(table["quantity"]) == {"flux", "sink_rate", "airborne_fraction"}
    ocean = table[(table["quantity"] == "flux") & (table["component"] == "ocean")]
    whole = ocean[ocean["start"] == 1960].set_index("errors")
    width = whole["high"] - whole["low"]
    # A bias shared by all years leaves no doubt about a trend: independent errors say less of it.
    assert width["shares"] < 0.8 * width["iid"]
    assert (whole["probability_positive"] > 0.99).all()
    # Slope of the draws' own years, by numpy.
    flux = fitted_table_2.tree["posterior"]["flux"].sel(
        component="ocean", year=slice(1960, whole["end"].iloc[0])
    )
    slope = np.polyfit(flux["year"], flux.values.reshape(-1, flux.sizes["year"]).T, 1)[0] * 10
    assert whole.loc["shares", "mean"] == pytest.approx(slope.mean(), abs=1e-9)


def test_no_rates_where_there_is_no_excess_or_no_year(tree):
    found = budget_tables(tree)
    assert found["sink_rates.csv"].empty
    assert list(found["trends.csv"].columns) == ["errors", *rates.TREND_COLUMNS]


def test_bad_input_is_refused(series):
    flux = _array(series)
    with pytest.raises(InputError, match="no such component"):
        rates.sink_rates(flux.sel(component=["ocean"]))
    with pytest.raises(InputError, match="other dimensions"):
        rates.sink_rates(flux.isel(year=0))
    with pytest.raises(InputError, match="no CO2 for this year"):
        rates.sink_rates(flux, pd.Series({2023: 419.0}))
    with pytest.raises(InputError, match="window outside"):
        rates.sink_rates(flux, window=(1950, 1960))


def test_a_reconciled_budget_stands_for_its_annual_fluxes():
    names = ["fossil", "land_use", "atmosphere", "ocean", "land"]
    flux = xr.DataArray(
        np.arange(1.0, 31.0).reshape(1, 1, 5, 6), dims=("chain", "draw", "component", "year"),
        coords={"component": names, "year": [*range(2018, 2024)]},
    )  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": flux.to_dataset(name="flux")})
    for function in (rates.sink_rates, rates.airborne_fraction, rates.trends):
        xr.testing.assert_identical(function(tree), function(flux))
