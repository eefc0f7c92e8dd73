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


def test_two_stores_that_are_struck_together():
    # Chance .1, loss .6: at 95 % .8 of 2 is kept, at 85 % all.
    gross, lost = two_stores(4000, 0.1, 0.6)
    due = 2.0 * (1.0 - 0.06)
    found = risk.at_risk(gross, lost, 0.95, rng=1)
    assert (found.promised, found.kept) == (pytest.approx(due), pytest.approx(0.8))
    assert found.factor == pytest.approx(due / 0.8)
    assert found.extra == pytest.approx((due / 0.8 - 1.0) * 2.0)
    assert found.loss_share == pytest.approx(0.6)
    # What goes in is certain here: the same gross amount either way.
    assert due + found.extra_certain == pytest.approx(2.0 + found.gap_certain)
    assert found.gap_certain == pytest.approx(found.extra)
    calm = risk.at_risk(gross, lost, 0.85, rng=1)
    assert (calm.extra, calm.factor, calm.low, calm.high) == (0.0, 1.0, 0.0, 0.0)
    assert calm.gap_certain == pytest.approx(due - 2.0)


amounts = hnp.arrays(float, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.floats(0.01, 50))


@given(amounts, levels, st.randoms(use_true_random=False))
def test_the_promise_is_kept_after_adding_and_not_by_less(gross, level, dice):
    """What goes in varies as well as what is lost: the extra counts in every draw by the same factor."""
    lost = gross * np.array([dice.random() for _ in range(gross.size)]).reshape(gross.shape)
    found = risk.at_risk(gross, lost, level, repeats=2, rng=1)
    kept = (gross - lost).sum(axis=1)
    slack = 1e-9 * (1.0 + found.promised)
    factor = (found.mean + found.extra) / found.mean
    assert (factor * kept >= found.promised - slack).mean() >= level - 1e-9
    if found.factor > 1.0 + 1e-6:
        assert ((1.0 - 1e-7) * factor * kept >= found.promised).mean() < level + 1e-9


def test_uncertain_removal_is_not_answered_by_what_losses_alone_take():
    rng = np.random.default_rng(3)
    gross = rng.lognormal(0.0, 0.8, (4000, 1))
    lost = gross * rng.beta(1.0, 9.0, (4000, 1))
    found = risk.at_risk(gross, lost, 0.95, rng=1)
    after = (gross - lost)[:, 0] * found.factor
    assert (after >= found.promised - 1e-9).mean() == pytest.approx(0.95, abs=1e-3)
    # A certain amount on top of losses at the level keeps the promise too, with far less.
    certain = (found.promised + found.extra_certain) * (1.0 - lost[:, 0] / gross[:, 0])
    assert (certain >= found.promised - 1e-9).mean() >= 0.95
    assert found.extra > 3.0 * found.extra_certain
    # Flat addition of the smaller number to uncertain removal keeps the promise in half of the draws.
    flat = (gross[:, 0] + found.extra_certain) * (1.0 - lost[:, 0] / gross[:, 0])
    assert (flat >= found.promised).mean() < 0.7


def test_the_interval_covers_the_extra_of_many_draws():
    def drawn(n: int, seed: int):
        rng = np.random.default_rng(seed)
        gross = rng.uniform(0.5, 1.5, (n, 1))
        return gross, gross * rng.beta(2.0, 8.0, (n, 1))

    truth = risk.at_risk(*drawn(400_000, 0), 0.9, repeats=1, rng=1).extra
    found = [risk.at_risk(*drawn(400, k), 0.9, repeats=100, rng=k) for k in range(1, 61)]
    inside = sum(f.low <= truth <= f.high for f in found)
    # Nominal .9 of 60; fewer than 44 has probability 1e-4 under .9.
    assert inside >= 44
    assert all(f.low <= f.extra <= f.high for f in found)


def test_the_interval_knows_that_few_draws_carry_the_weight():
    """400 draws from a wide proposal with an effective sample size of 65, not 400."""

    def drawn(n: int, seed: int):
        rng = np.random.default_rng(seed)
        x = rng.random(n)
        weight = np.exp(-12.0 * x)
        gross = 0.5 + x
        return gross[:, None], (gross * rng.beta(2.0, 8.0, n))[:, None], weight / weight.sum()

    def extra(n: int, seed: int, repeats: int):
        gross, lost, weight = drawn(n, seed)
        return risk.at_risk(gross, lost, 0.9, probability=weight, repeats=repeats, rng=seed)

    truth = extra(1_000_000, 0, 1).extra
    found = [extra(400, k, 100) for k in range(1, 61)]
    inside = sum(f.low <= truth <= f.high for f in found)
    # Nominal .9 of 60; fewer than 44 has probability 1e-4 under .9. Resampling by weight covered 57 %.
    assert inside >= 44


def test_probability_counts_and_all_lost_cannot_be_made_up_for():
    gross, lost = np.ones((2, 2)), np.array([[1.0, 1.0], [0.0, 0.0]])
    gone = risk.at_risk(gross, lost, 0.9, rng=1)
    assert (gone.extra, gone.extra_certain, gone.high) == (np.inf, np.inf, np.inf)
    rare = risk.at_risk(gross, lost, 0.9, probability=[0.05, 0.95], rng=1)
    assert (rare.extra, rare.promised) == (0.0, pytest.approx(1.9))
    nothing = risk.at_risk(np.zeros((3, 2)), np.zeros((3, 2)), 0.9, rng=1)
    assert (nothing.extra, nothing.promised, nothing.gap_certain) == (0.0, 0.0, 0.0)


def test_equal_seeds_give_equal_intervals():
    rng = np.random.default_rng(5)
    gross = rng.uniform(0.5, 1.5, (200, 2))
    assert risk.at_risk(gross, 0.3 * gross, rng=4) == risk.at_risk(gross, 0.3 * gross, rng=4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk.reserve([1.0, 2.0]), r"losses: got '\(2,\)'"),
        (lambda: risk.reserve([[-1.0]]), "losses are not amounts"),
        (lambda: risk.reserve([[1.0]], 1.0), "level outside its range"),
        (lambda: risk.at_risk([[1.0]], [[2.0]]), "more is lost than went in"),
        (lambda: risk.at_risk([[1.0]], [[1.0, 0.0]], 1.5, repeats=0, interval_mass=1.0), "4 problems"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
