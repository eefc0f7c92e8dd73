"""What process energy carries: power from the grid of region and period, heat from that of the period"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sinkrisk.errors import InputError
from sinkrisk.inputs import InputsSpec, drivers, sample, transform
from sinkrisk.inputs.blocks import Slot
from sinkrisk.inputs.sharing_blocks import HeatBlock, PlaceBlock

HELD = Slot(None)
MIDDLES = np.array([5.0, 17.5, 50.5])
"""Years from 2025 to the middles of the periods."""


def ends(drivers_, name):
    """Draws with one driver at its 5 % quantile, its median and its 95 % quantile."""
    u = np.full((3, len(drivers_)), 0.5)
    u[:, drivers_.index(name)] = [0.05, 0.5, 0.95]
    return transform(drivers_, u)


@pytest.fixture(scope="module")
def some(bare):
    return sample(bare, 512, rng=8)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_heat_falls_at_a_share_of_the_grid_s_rate(share):
    out = {"heat_intensity": np.empty((1, 3))}
    grid = PlaceBlock("x", None, (HELD, 9.0), np.ones(2), np.ones(3), (HELD, 0.04), MIDDLES)
    HeatBlock((HELD, 0.06), (HELD, share), grid).fill(np.empty((1, 0)), out)
    assert_allclose(out["heat_intensity"], [0.06 * np.exp(-share * 0.04 * MIDDLES)])


def test_heat_follows_a_grid_stated_by_period():
    out = {"heat_intensity": np.empty((1, 2))}
    grid = PlaceBlock("x", None, (HELD, 9.0), np.ones(2), np.array([1.0, 0.25]), None, np.array([5.0, 20.0]))
    HeatBlock((HELD, 0.06), (HELD, 0.5), grid).fill(np.empty((1, 0)), out)
    assert_allclose(out["heat_intensity"], [[0.06, 0.03]])


def test_a_run_takes_both_rates_from_one_driver():
    spec = InputsSpec(
        fixed={
            "heat_intensity": 0.06,
            "heat_decline": 0.5,
            "grid_intensity": 0.1,
            "grid_intensity_decline": 0.04,
        }
    )
    held = drivers(spec)
    drawn = transform(held, np.random.default_rng(0).random((2, len(held))))
    assert_allclose(drawn["heat_intensity"], 0.06 * np.exp(-0.02 * np.stack([MIDDLES] * 2)))
    world = drawn["grid_intensity"].sel(region="rest_of_world")
    assert_allclose(world, 0.1 * np.exp(-0.04 * np.stack([MIDDLES] * 2)))


def test_without_a_claim_on_its_decline_heat_stays_as_it_is(claims):
    plain = drivers(claims=claims[claims["quantity"] != "heat_decline"].copy())
    heat = sample(plain, 16, rng=1)["heat_intensity"]
    assert_array_equal(heat, heat.isel(period=[0]).values * np.ones(3))


def test_heat_grows_cleaner_but_never_faster_than_power(some):
    assert (some["heat_intensity"].diff("period") < 0).all()
    grid = some["grid_intensity"].sel(region="rest_of_world")
    fall, grid_s = some["heat_intensity"], grid
    ratio = np.log(fall.isel(period=2) / fall.isel(period=0)) / np.log(
        grid_s.isel(period=2) / grid_s.isel(period=0)
    )
    assert ((ratio > 0.0) & (ratio <= 1.0 + 1e-9)).all()


def test_shares_lie_in_their_stated_ranges(bare, some, claims):
    rows = claims.set_index("id")
    stated = [("power_share", str(pathway)) for pathway in some["pathway"].values]
    for quantity, pathway in (*stated, ("own_fuel", "beccs"), ("own_fuel", "biochar")):
        row = rows.loc[f"{pathway}_{quantity}_1"]
        values = ends(bare, f"{quantity}__{pathway}")[quantity].sel(pathway=pathway).values
        assert_allclose(values[[0, 2]], [row["low"], row["high"]], rtol=1e-6)
        # 90 % of the mass: 461 of 512 points of a Sobol' sequence, within 8.
        inside = some[quantity].sel(pathway=pathway)
        inside = (inside >= row["low"]) & (inside <= row["high"])
        assert int(inside.sum()) == pytest.approx(461, abs=8), (quantity, pathway)


def test_only_what_takes_in_biomass_burns_its_own(some):
    other = [p for p in some["pathway"].values if p not in ("beccs", "biochar")]
    assert_array_equal(some["own_fuel"].sel(pathway=other), 0.0)


def test_direct_air_capture_runs_on_the_heat_that_the_review_states(some, claims):
    rows = claims.set_index("id")
    heat, power = rows.loc["daccs_energy_2"], rows.loc["daccs_energy_3"]
    assert (heat["basis"], power["basis"]) == ("heat", "electricity")
    low = power["low"] / (power["low"] + heat["high"])
    high = power["high"] / (power["high"] + heat["low"])
    share = rows.loc["daccs_power_share_1"]
    assert share["low"] == pytest.approx(low, abs=0.005)
    assert high < share["high"]
    # What grinds takes most of its energy from the grid, whose power carries more than heat does today.
    middle = some["power_share"].median("sample")
    assert float(middle.sel(pathway="daccs")) < 0.25
    assert float(middle.sel(pathway=["enhanced_weathering", "oae"]).min()) > 0.75
    first = some.isel(period=0)
    assert (
        float((first["grid_intensity"].sel(region="rest_of_world") > first["heat_intensity"]).mean()) > 0.95
    )


@pytest.mark.parametrize(("basis", "share"), [("heat", 0.0), ("electricity", 1.0)])
def test_a_part_of_the_energy_settles_the_share_of_power(claims, basis, share):
    own = (claims["quantity"] == "energy") & (claims["pathway"] == "daccs")
    part = claims[~own | (claims["basis"] == basis)].copy()
    plain = drivers(claims=part)
    assert "power_share__daccs" not in plain.names
    assert {c.name: c.value for c in plain.held}["power_share__daccs"] == share
    assert_array_equal(sample(plain, 4, rng=1)["power_share"].sel(pathway="daccs"), share)
    with pytest.raises(InputError, match=r"power_share__daccs.*impossible value: got 0\.2"):
        drivers(InputsSpec(fixed={"power_share__daccs": 0.2}), claims=part)


def test_grinding_is_power(claims):
    own = (claims["quantity"] == "energy") & (claims["pathway"] == "enhanced_weathering")
    plain = drivers(claims=claims[~own | (claims["basis"] == "grinding")].copy())
    assert_array_equal(sample(plain, 4, rng=1)["power_share"].sel(pathway="enhanced_weathering"), 1.0)


def test_a_basis_that_a_pathway_does_not_state_is_refused():
    with pytest.raises(InputError, match="no claim on energy of beccs with that basis: got 'heat'"):
        drivers(InputsSpec(basis={"energy": "heat"}))


def test_a_share_of_power_needs_the_emissions_of_heat(claims):
    gone = claims[claims["quantity"] != "heat_intensity"].copy()
    with pytest.raises(InputError, match="no claim on heat_intensity of all"):
        drivers(claims=gone)
    # With nobody claiming a share, nothing is missing.
    plain = drivers(claims=gone[gone["quantity"] != "power_share"].copy())
    assert "heat_intensity" not in plain.names
