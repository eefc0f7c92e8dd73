"""What process energy emits: power from the grid of region and period, heat from that of the period"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.errors import InputError

from .conftest import full_drawn, plans, random_plans, simple_drawn

SHARE = np.array([0.5, 0.3, 0.2])
GRID = np.array([[0.1, 0.05, 0.0], [0.2, 0.1, 0.0], [0.0, 0.0, 0.0]])


def capturing(power=None, heat=None, grid=None):
    """Direct air capture of 4 Gt a year, 2 GJ/t; heat and grid in tCO2/GJ by period, grid by region first."""
    drawn = simple_drawn("daccs")
    if power is not None:
        drawn["power_share"] = xr.full_like(drawn["cost"], power).assign_attrs(units="1")
    if heat is not None:
        drawn["heat_intensity"] = ("sample", "period"), [heat], {"units": "tCO2/GJ"}
    if grid is not None:
        drawn["grid_intensity"] = ("sample", "region", "period"), grid[None], {"units": "tCO2/GJ"}
    return drawn


def captured(drawn):
    table = plans(drawn, {"p": {"daccs": 4.0}})
    return portfolio.simulate(drawn, table).isel(sample=0, portfolio=0).sel(pathway="daccs")


def test_power_carries_the_grid():
    out = captured(capturing(grid=GRID))
    np.testing.assert_allclose(out["process"], 8.0 * SHARE @ GRID, rtol=1e-12)
    np.testing.assert_allclose(out["net"], 4.0 - 8.0 * SHARE @ GRID, rtol=1e-12)


@pytest.mark.parametrize("power", [0.0, 1.0, 0.5, 0.175])
def test_energy_is_power_and_heat(power):
    heat = np.array([0.08, 0.05, 0.01])
    out = captured(capturing(power, heat, GRID))
    # Only what is power asks where it is taken from the grid.
    by_hand = 8.0 * (power * SHARE @ GRID + (1.0 - power) * heat)
    np.testing.assert_allclose(out["process"], by_hand, rtol=1e-12)
    np.testing.assert_allclose(out["net"], 4.0 - by_hand, rtol=1e-12)
    np.testing.assert_allclose(out["energy"], 8.0, rtol=1e-12)


def test_heat_is_charged_where_no_grid_is_stated():
    heat = np.array([0.06, 0.03, 0.0])
    np.testing.assert_allclose(captured(capturing(0.25, heat))["process"], 8.0 * 0.75 * heat, rtol=1e-12)


def test_heat_of_a_pathway_s_own_biomass_is_not_charged():
    heat = np.array([0.08, 0.05, 0.01])
    drawn = capturing(0.25, heat, GRID)
    drawn["own_fuel"] = xr.full_like(drawn["cost"], 0.8).assign_attrs(units="1")
    by_hand = 8.0 * (0.25 * SHARE @ GRID + 0.75 * 0.2 * heat)
    np.testing.assert_allclose(captured(drawn)["process"], by_hand, rtol=1e-12)


def test_without_a_share_of_power_all_energy_is_power_to_the_bit():
    drawn = full_drawn(96, seed=8)
    table = random_plans(drawn, 6, seed=3)
    absent = portfolio.simulate(drawn.drop_vars(["power_share", "heat_intensity"]), table)
    for change in (
        drawn.drop_vars("power_share"),
        drawn.drop_vars(["power_share", "own_fuel"]),
        drawn.assign(power_share=xr.ones_like(drawn["power_share"])),
        drawn.drop_vars("heat_intensity").assign(power_share=xr.ones_like(drawn["power_share"])),
    ):
        xr.testing.assert_identical(portfolio.simulate(change, table), absent)
    bought = drawn.assign(own_fuel=xr.zeros_like(drawn["own_fuel"]))
    xr.testing.assert_identical(
        portfolio.simulate(drawn.drop_vars("own_fuel"), table), portfolio.simulate(bought, table)
    )
    mixed = portfolio.simulate(drawn, table)
    for name in mixed.data_vars:
        if name not in ("process", "net"):
            xr.testing.assert_identical(mixed[name], absent[name])
    assert float(abs(mixed["process"] - absent["process"]).max()) > 0.0


def test_a_share_of_power_without_the_emissions_of_heat_is_refused():
    with pytest.raises(InputError, match=r"'heat_intensity': energy that is not power.*add heat_intensity"):
        captured(capturing(0.2))


def test_heat_without_its_period_is_refused():
    drawn = capturing(0.2)
    drawn["heat_intensity"] = "sample", [0.06]
    with pytest.raises(InputError, match=r"'heat_intensity'.*wrong dims"):
        captured(drawn)
