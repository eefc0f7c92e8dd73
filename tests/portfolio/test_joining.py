"""Joining outcomes: equal to one simulation, the coordinate that only some have, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.errors import InputError

from .conftest import full_drawn, random_plans


@pytest.fixture(scope="module")
def parts():
    drawn = full_drawn(32)
    plans = random_plans(drawn, 4)
    regional = plans.isel(portfolio=[3])
    share = xr.DataArray([0.5, 0.3, 0.2], dims="region", coords={"region": drawn["region"].values})
    regional = regional.assign(planned=(regional["planned"] * share).assign_attrs(units="GtCO2/yr"))
    regional = regional.assign_coords(portfolio=["r"], coordinated=("portfolio", [True]))
    return drawn, plans, [portfolio.simulate(drawn, plans), portfolio.simulate(drawn, regional)]


def test_the_world_and_regions_stand_side_by_side(parts):
    _, _, (world, regional) = parts
    joined = portfolio.join_outcomes([world, regional])
    assert joined["portfolio"].values.tolist() == ["p0", "p1", "p2", "p3", "r"]
    assert joined["coordinated"].values.tolist() == [False] * 4 + [True]
    for part in (world, regional):
        mine = joined.sel(portfolio=part["portfolio"])
        for name in joined.data_vars:
            xr.testing.assert_equal(mine[name].drop_vars("coordinated", errors="ignore"),
                                    part[name].drop_vars("coordinated", errors="ignore"))  # fmt: skip
    assert joined["trl"].dims == world["trl"].dims
    measures = portfolio.measure(joined, target={"net_removal": 60, "unit": "GtCO2", "year": 2100})
    assert measures.sizes["portfolio"] == 5


def test_parts_of_one_simulation_give_it_back(parts):
    drawn, plans, (world, _) = parts
    halves = [portfolio.simulate(drawn, plans.isel(portfolio=s)) for s in (slice(0, 2), slice(2, 4))]
    joined = portfolio.join_outcomes(halves)
    xr.testing.assert_identical(joined.drop_attrs(deep=False), world.drop_attrs(deep=False))
    # What either half says of its plans is said of the whole.
    assert all(
        half.attrs["plan_beyond_potential"] in joined.attrs["plan_beyond_potential"] for half in halves
    )
    assert portfolio.join_outcomes([world]) is world


def test_other_draws_are_refused_with_both_sizes(parts):
    _, _, (world, regional) = parts
    with pytest.raises(InputError, match=r"another sample: got '10 in part 1, 32 in part 0'.*the same draws"):
        portfolio.join_outcomes([world, regional.isel(sample=slice(0, 10))])
    moved = regional.assign_coords(sample=np.arange(32) + 5)
    with pytest.raises(InputError, match="outcomes of another sample"):
        portfolio.join_outcomes([world, moved])
    with pytest.raises(InputError, match="portfolios given twice: got 'p0, p1, p2, p3'"):
        portfolio.join_outcomes([world, world])
    with pytest.raises(InputError, match="no outcomes to join"):
        portfolio.join_outcomes([])
    with pytest.raises(InputError, match=r"key 'parts': .*a list of xarray Datasets"):
        portfolio.join_outcomes(world)


def test_draws_that_only_share_their_numbers_are_refused(parts):
    drawn, plans, (world, _) = parts
    rest = plans.isel(portfolio=[0]).assign_coords(portfolio=["other"])
    again = portfolio.simulate(drawn, rest)
    assert portfolio.join_outcomes([world, again]).sizes["portfolio"] == 5
    # Another seed numbers its draws alike; paired comparisons over them would mean nothing.
    with pytest.raises(InputError, match=r"outcomes of other draws: got 'other .*discount_rate"):
        portfolio.join_outcomes([world, portfolio.simulate(full_drawn(32, seed=9), rest)])
    weight = np.arange(1.0, 33.0) / np.arange(1.0, 33.0).sum()
    heavier = again.assign(probability=("sample", weight))
    with pytest.raises(InputError, match="other probability in part 1"):
        portfolio.join_outcomes([world, heavier])
