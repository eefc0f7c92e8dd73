"""Pictures of annual budgets: what is drawn is what the tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import budget, plots
from sinkrisk.errors import InputError

INTERVAL = {"interval_kind": "equal-tailed", "interval_mass": 0.9}


@pytest.fixture
def fluxes():
    years = np.arange(2000, 2005)
    parts = [
        pd.DataFrame({"component": name, "year": years, "mean": level + 0.1 * (years - 2000), **INTERVAL})
        for name, level in (("ocean", 2.0), ("land", -1.0))
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(low=table["mean"] - 0.3, high=table["mean"] + 0.4, unit="GtC/yr")


def test_fluxes_are_lines_in_bands_and_statements_as_long_as_their_windows(fluxes):
    stated = pd.DataFrame(
        {"component": ["ocean", "ocean"], "start": [2000, 2004], "end": [2003, 2004], "value": [2.2, 2.5]}
    )
    figure = plots.plot_fluxes(fluxes, stated)
    ocean = figure.axes[0]
    assert ocean.get_title(loc="left") == "Ocean"
    np.testing.assert_allclose(ocean.lines[0].get_ydata(), [2.0, 2.1, 2.2, 2.3, 2.4])
    band = ocean.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((1.7, 2.8))
    spans = ocean.collections[1].get_segments()
    np.testing.assert_allclose(spans[0], [[1999.5, 2.2], [2003.5, 2.2]])
    np.testing.assert_allclose(ocean.lines[1].get_xydata(), [[2004, 2.5]])
    land = figure.axes[1]
    assert land.get_ylim()[1] >= 0.0
    assert "90 % equal-tailed interval" in figure.texts[-1].get_text().replace("\n", " ")


@pytest.mark.parametrize("driven", [[True, False], ["True", "False"]])
def test_prior_driven_parameters_are_hollow_also_when_read_from_a_file(driven):
    table = pd.DataFrame(
        {"parameter": "error_scale", "label": ["ocean", "land"], "prior_mean": 1.0, "prior_low": 0.6,
         "prior_high": 1.6, "mean": [0.9, 1.7], "low": [0.5, 1.4], "high": [1.5, 2.0],
         "prior_driven": driven, **INTERVAL}
    )  # fmt: skip
    axes = plots.plot_parameters(table).axes[0]
    full, hollow = axes.lines
    np.testing.assert_allclose(full.get_xdata(), [1.7])
    np.testing.assert_allclose(hollow.get_xdata(), [0.9])
    assert hollow.get_markerfacecolor() == "white"
    posterior = axes.collections[1].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in posterior], [[0.5, 1.5], [1.4, 2.0]])


def test_an_outlook_has_a_panel_for_each_variable_and_a_line_for_each_portfolio():
    rows = [
        (variable, portfolio, year, level + 0.01 * (year - 2030))
        for variable, level in (("co2", 430.0), ("ocean", 3.0))
        for portfolio in ("none", "phased")
        for year in (2030, 2050, 2100)
    ]
    table = pd.DataFrame(rows, columns=["quantity", "portfolio", "year", "mean"]).assign(**INTERVAL)
    table = table.assign(low=table["mean"] - 1.0, high=table["mean"] + 1.0)
    table["unit"] = table["quantity"].map({"co2": "ppm", "ocean": "GtC/yr"})
    co2, ocean = plots.plot_outlook(table).axes
    assert len(co2.lines) == len(ocean.lines) == 2
    np.testing.assert_allclose(ocean.lines[1].get_ydata(), [3.0, 3.2, 3.7])


def test_a_table_without_its_columns_is_refused(fluxes):
    with pytest.raises(InputError, match="low"):
        plots.plot_fluxes(fluxes.drop(columns="low"))
    with pytest.raises(InputError, match="high"):
        plots.plot_fluxes(fluxes.assign(high=-9.0))


def test_a_statement_net_of_another_component_is_not_drawn_as_the_flux(fluxes):
    stated = pd.DataFrame(
        {"component": "land", "start": [2000, 2002, 2004], "end": [2001, 2003, 2004],
         "value": [-1.0, 0.3, 0.4], "net_of": ["", "land_use", "land_use"]}
    )  # fmt: skip
    figure = plots.plot_fluxes(fluxes, stated)
    land = figure.axes[1]
    solid, dashed = land.collections[1:3]
    np.testing.assert_allclose(solid.get_segments()[0][:, 1], -1.0)
    np.testing.assert_allclose(dashed.get_segments()[0][:, 1], 0.3)
    assert solid.get_linestyle()[0][1] is None
    assert dashed.get_linestyle()[0][1] is not None
    hollow = [line for line in land.lines if line.get_markerfacecolor() == "white"]
    np.testing.assert_allclose(hollow[0].get_xydata(), [[2004, 0.4]])
    said = figure.texts[-1].get_text().replace("\n", " ")
    assert "Dashed or hollow: stated of land minus land-use change" in said
    assert "Dashed" not in plots.plot_fluxes(fluxes, stated.iloc[:1]).texts[-1].get_text()


def test_parameters_say_what_they_measure_and_in_what_unit():
    one = {"prior_mean": 1.0, "prior_low": 0.6, "prior_high": 1.6, "mean": 0.9, "low": 0.5, "high": 1.5}
    table = pd.DataFrame(
        [{"parameter": "walk_scale", "label": "land_use", "unit": "GtC/yr", **one},
         {"parameter": "error_share", "label": "land_use ar", "unit": "1", **one},
         {"parameter": "a_new_one", "label": "land", "unit": "ppm", **one}]
    ).assign(prior_driven=False, **INTERVAL)  # fmt: skip
    walk, share, new = plots.plot_parameters(table).axes
    assert (walk.get_title(loc="left"), walk.get_xlabel()) == ("Walk of the flux", "yearly step, GtC/yr")
    assert share.get_xlabel() == "share of variance"
    assert share.get_yticklabels()[0].get_text() == "land-use change, lag-1"
    assert (new.get_title(loc="left"), new.get_xlabel()) == ("A new one", "ppm")


def test_an_outlook_is_drawn_in_every_year_under_its_scenario():
    years = np.arange(2024, 2034)
    values = np.linspace(1.0, 2.0, 10)[None, :] * np.array([[1.0], [1.1], [1.2]])
    units = {"co2": "ppm", "ocean": "GtC/yr", "land": "GtC/yr"}
    projected = xr.Dataset(
        {name: (("sample", "year"), size * values, {"units": units[name]})
         for name, size in (("co2", 400.0), ("ocean", 3.0), ("land", 2.0))},
        coords={"year": years}, attrs={"scenario": "ssp245"},
    )  # fmt: skip
    figure = plots.plot_outlook(projected)
    co2, ocean, land = figure.axes
    np.testing.assert_allclose(co2.lines[0].get_xdata(), years)
    assert co2.lines[0].get_marker() in ("", "None")
    assert ocean.get_ylim() == land.get_ylim()
    assert ocean.get_ylim()[0] == 0.0
    assert "scenario ssp245" in figure.texts[-1].get_text().replace("\n", " ")
    # A table of few years is marked where it has numbers.
    few = budget.summarise_outlook(projected, years=[2025, 2030])
    assert plots.plot_outlook(few).axes[0].lines[0].get_marker() == "o"


@pytest.mark.parametrize("table", [None, "x", xr.DataTree(), xr.Dataset(), pd.DataFrame()])
def test_what_is_no_outlook_is_refused(table):
    with pytest.raises(InputError, match="outlook"):
        plots.plot_outlook(table)
