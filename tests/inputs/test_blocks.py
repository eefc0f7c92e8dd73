"""Hand-calculated oracles of the numerics."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sinkrisk.inputs.blocks import (
    SMALLEST,
    BudgetBlock,
    Marginal,
    PoolBlock,
    ScalarBlock,
    ShockBlock,
    Slot,
    SuitabilityBlock,
    pick,
)


def line(low: float, high: float) -> Marginal:
    """A uniform prior, whose quantile is known by hand."""
    return Marginal(lambda q: low + (high - low) * q, 1.0, 0.0, np.inf)


def test_pick_gives_every_draw_the_same_share_of_u():
    u = (np.arange(12) + 0.5) / 12
    assert_array_equal(np.bincount(pick(u, 4)), [3, 3, 3, 3])
    assert_array_equal(pick(np.array([SMALLEST, 1 - SMALLEST]), 7), [0, 6])


def test_marginal_converts_and_clips():
    marginal = Marginal(lambda q: 10 * q, 0.5, 1.0, 4.0)
    assert_allclose(marginal(np.array([0.1, 0.4, 0.9])), [1.0, 2.0, 4.0])


def test_scalars_fill_only_their_cell():
    out = {"a": np.zeros((2, 3)), "b": np.zeros(2)}
    block = ScalarBlock((("a", 1, 0, line(0, 2)), ("b", None, 1, line(10, 20))))
    block.fill(np.array([[0.25, 0.5], [0.75, 0.0]]), out)
    assert_array_equal(out["a"], [[0, 0.5, 0], [0, 1.5, 0]])
    assert_array_equal(out["b"], [15, 10])


def test_pool_follows_the_total_and_the_ratio_of_the_parts():
    out = {"potential": np.zeros((1, 3))}
    block = PoolBlock("potential", (2, 0), (Slot(0), line(5, 20)), ((Slot(1), line(0, 8)), (Slot(None), 2.0)))
    block.fill(np.array([[1 / 3, 0.75]]), out)
    # Total 10, own potentials 6 and 2: three quarters and one quarter.
    assert_allclose(out["potential"], [[2.5, 0.0, 7.5]])


def test_pool_of_nothing_is_split_evenly():
    out = {"potential": np.zeros((1, 2))}
    block = PoolBlock("potential", (0, 1), (Slot(None), 4.0), ((Slot(None), 0.0), (Slot(None), 0.0)))
    block.fill(np.empty((1, 0)), out)
    assert_array_equal(out["potential"], [[2.0, 2.0]])


def test_suitability_is_the_weight_over_the_sum():
    low = np.array([[0.2, 0.0, 0.5]])
    high = np.array([[0.6, 0.0, 0.5]])
    block = SuitabilityBlock(low, high, np.array([0]), np.array([1]))
    out = {"suitability_share": np.empty((2, 1, 3))}
    block.fill(np.array([[0.9, 0.0], [0.9, 0.75]]), out)
    assert_allclose(out["suitability_share"][0, 0], [0.2 / 0.7, 0, 0.5 / 0.7])
    assert_allclose(out["suitability_share"][1, 0], [0.5, 0, 0.5])
    assert out["suitability_share"][1, 0, 1] == 0.0


def test_budget_block_picks_by_rank_of_the_land_sink():
    land, ocean = np.array([3.0, 1.0, 2.0]), np.array([30.0, 10.0, 20.0])
    block = BudgetBlock(Slot(0), np.argsort(land), land, ocean, land)
    names = ("land_sink", "ocean_sink", "land_sink_ratio")
    out = {name: np.empty(3) for name in names} | {"budget_draw": np.empty(3, dtype=np.int64)}
    block.fill(np.array([[0.1], [0.5], [0.9]]), out)
    assert_array_equal(out["land_sink"], [1, 2, 3])
    assert_array_equal(out["ocean_sink"], [10, 20, 30])
    assert_array_equal(out["budget_draw"], [1, 2, 0])
    assert_array_equal(out["land_sink_ratio"], [0.5, 1.0, 1.5])


def test_shock_strikes_below_the_probability():
    out = {"shock": np.zeros((3, 1, 2), dtype=bool)}
    block = ShockBlock((Slot(1), line(0.0, 1.0)), ((Slot(0), 0, 1),))
    block.fill(np.array([[0.2, 0.3], [0.3, 0.3], [0.4, 0.3]]), out)
    assert_array_equal(out["shock"][:, 0, 1], [True, False, False])
    assert not out["shock"][:, 0, 0].any()
