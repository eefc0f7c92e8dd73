"""Reserves and amounts at risk: two stores in closed form, subadditivity, perfect correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from sinkrisk import risk
from sinkrisk.errors import InputError

losses = hnp.arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(0, 50))
levels = st.floats(0.0, 0.97)


@given(losses, levels)
def test_a_pool_never_needs_more_than_its_members(lost, level):
    found = risk.reserve(lost, level)
    slack = 1e-9 * (1.0 + lost.sum())
    assert found.pooled <= found.own.sum() + slack
    assert found.contribution.sum() == pytest.approx(found.pooled, abs=slack)
    # A member never contributes more than it would need alone.
    assert (found.contribution <= found.own + slack).all()
    assert -1e-9 <= found.saved <= 1.0


@given(losses, levels)
def test_perfect_correlation_saves_nothing(lost, level):
    together = np.sort(lost, axis=0)
    found = risk.reserve(together, level)
    assert found.pooled == pytest.approx(found.own.sum(), abs=1e-9 * (1.0 + lost.sum()))
    assert found.saved == pytest.approx(0.0, abs=1e-9)


@given(losses, levels, st.floats(0.1, 10.0))
def test_scale_and_order_of_draws(lost, level, scale):
    found, scaled = risk.reserve(lost, level), risk.reserve(scale * lost[::-1], level)
    slack = 1e-7 * (1.0 + scale * lost.sum())
    assert scaled.pooled == pytest.approx(scale * found.pooled, abs=slack)
    np.testing.assert_allclose(scaled.own, scale * found.own, atol=slack)


def test_reserves_by_hand():
    # Ten draws; the first store loses 1..10, the second 10 in the first draw only. Worst fifth.
    lost = np.column_stack([np.arange(1.0, 11.0), [10.0] + [0.0] * 9])
    found = risk.reserve(lost, 0.8)
    np.testing.assert_allclose(found.own, [9.5, 5.0])
    # Sums: 11 2 3 ... 10: the worst two are 11 (1 and 10) and 10 (10 and 0).
    assert found.pooled == pytest.approx(10.5)
    np.testing.assert_allclose(found.contribution, [5.5, 5.0])
    weighted = risk.reserve(lost[[0, 9]], 0.8, probability=[0.1, 0.9])
    # Worst fifth: all of draw one (.1, sum 11) and .1 of draw two (sum 10).
    assert weighted.pooled == pytest.approx(10.5)


def two_stores(n: int, chance: float, share: float):
    """Both stores hold 1 and lose `share` in the same draws, a fraction `chance` of them."""
    lost = np.zeros((n, 2))
    lost[: round(chance * n)] = share
    return np.ones((n, 2)), lost


def test_two_stores_with_and_without_their_common_shock():
    # Chance .1, loss .6. Common: P(.6 lost) = .1, so at 95 % .6 has to be made up for. Independent: both
    # with .01, one (.3 lost) with .18, so at 95 % it is .3, and at 99.5 % .6 again.
    gross, lost = two_stores(4000, 0.1, 0.6)
    kept = 2.0 * (1.0 - 0.06)
    found = risk.at_risk(gross, lost, 0.95, rng=1)
    assert found.promised == pytest.approx(kept)
    assert found.loss_share == pytest.approx(0.6)
    assert found.extra == pytest.approx(kept * 0.6 / 0.4)
    # The share of draws with both is .01 +- .0004 (64,000 of them): .95 and .995 are far from .98 and .99.
    assert found.loss_share_decoupled == pytest.approx(0.3)
    assert found.extra_decoupled == pytest.approx(kept * 0.3 / 0.7)
    assert risk.at_risk(gross, lost, 0.995, rng=1).extra_decoupled == pytest.approx(kept * 1.5)
    # At 85 % nothing is lost where the shock is common, but something where it is not.
    calm = risk.at_risk(gross, lost, 0.85, rng=1)
    assert (calm.extra, calm.extra_decoupled) == (0.0, pytest.approx(kept * 0.3 / 0.7))


def test_one_store_shares_nothing_and_a_promise_scales():
    rng = np.random.default_rng(2)
    gross = np.ones((500, 1))
    lost = rng.beta(1.0, 4.0, (500, 1))
    found = risk.at_risk(gross, lost, 0.9, promised=3.0, rng=1)
    assert found.extra == pytest.approx(found.extra_decoupled)
    assert found.extra == pytest.approx(3.0 * found.loss_share / (1.0 - found.loss_share))
    # What was added is enough in 90 % of the draws, and in no more than that by a draw.
    kept = (3.0 + found.extra) * (1.0 - lost[:, 0])
    assert (kept >= 3.0 - 1e-9).mean() == pytest.approx(0.9, abs=1 / 500 + 1e-12)


def test_probability_counts_and_all_lost_cannot_be_made_up_for():
    gross, lost = np.ones((2, 2)), np.array([[1.0, 1.0], [0.0, 0.0]])
    assert risk.at_risk(gross, lost, 0.9, rng=1).extra == np.inf
    rare = risk.at_risk(gross, lost, 0.9, probability=[0.05, 0.95], rng=1)
    assert (rare.extra, rare.promised) == (0.0, pytest.approx(1.9))
    nothing = risk.at_risk(np.zeros((3, 2)), np.zeros((3, 2)), 0.9, rng=1)
    assert (nothing.extra, nothing.promised) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk.reserve([1.0, 2.0]), r"losses: got '\(2,\)'"),
        (lambda: risk.reserve([[-1.0]]), "losses are not amounts"),
        (lambda: risk.reserve([[1.0]], 1.0), "level outside its range"),
        (lambda: risk.at_risk([[1.0]], [[2.0]]), "more is lost than went in"),
        (lambda: risk.at_risk([[1.0]], [[1.0, 0.0]], 1.5, repeats=0), "3 problems"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
