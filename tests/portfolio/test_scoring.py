"""Scores of warnings: pair counting, closed forms, coverage, and what an alarm promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.optimize import minimize

from sinkrisk.errors import InputError
from sinkrisk.portfolio.scoring import (
    alarm_levels,
    area_interval,
    area_under_curve,
    brier_skill,
    calibration,
    fit_logistic,
)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_area_is_the_count_of_pairs(draws):
    score, event = np.array([s for s, _ in draws], dtype=float), np.array([e for _, e in draws])
    area, error = area_under_curve(score, event)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[event] for b in score[~event]]
    if not pairs:
        assert np.isnan(area)
        return
    assert area == pytest.approx(np.mean(pairs))
    assert np.isnan(error) == (min(event.sum(), (~event).sum()) < 2)


def test_delong_against_the_definition():
    rng = np.random.default_rng(1)
    event = rng.random(80) < 0.4
    score = (rng.normal(size=80) + event).round(1)
    wins = (score[event][:, None] > score[~event]) + 0.5 * (score[event][:, None] == score[~event])
    expected = wins.mean(1).var(ddof=1) / event.sum() + wins.mean(0).var(ddof=1) / (~event).sum()
    assert area_under_curve(score, event)[1] == pytest.approx(np.sqrt(expected))


def test_delong_interval_covers_as_said():
    # Scores of events are normal one sd higher: the area is Phi(1 / sqrt 2) = 0.7602. 300 sets; a 90 %
    # interval covers 270 times, below 252 with about 6e-4.
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        event = rng.random(300) < 0.5
        area, error = area_under_curve(rng.normal(size=300) + event, event)
        _, low, high = area_interval([area], [error], [min(event.sum(), (~event).sum())], 0.9)
        covered += low <= 0.76025 <= high
    assert 252 <= covered <= 288


def test_interval_of_two_halves_by_hand():
    odds, reach = 0.7 / 0.3, np.exp(1.644854 * 0.03 / 0.21)
    ends = [odds / reach / (1 + odds / reach), odds * reach / (1 + odds * reach)]
    assert area_interval([0.6, 0.8], [0.02, 0.04], [50, 60], 0.9) == pytest.approx((0.7, *ends), abs=1e-6)


def test_a_perfect_score_is_not_certain():
    # 10 separate pairs all right: .05 = A^10. The smaller half counts.
    assert area_interval([1.0, 1.0], [0.0, 0.0], [10, 40], 0.9) == (1.0, 0.05 ** (1 / 10), 1.0)
    assert area_interval([0.0], [0.0], [10], 0.9) == pytest.approx((0.0, 0.0, 1 - 0.05 ** (1 / 10)))
    # One pair of a hundred wrong: no surer than none, whatever DeLong's error.
    score, event = np.r_[np.arange(10.0), 8.5 + np.arange(10.0)], np.arange(20) >= 10
    area, error = area_under_curve(score, event)
    assert area == 0.99
    low, high = area_interval([area], [error], [10], 0.9)[1:]
    assert low <= 0.05 ** (1 / 10)
    assert 0.99 < high < 1.0


def test_a_strong_score_is_covered():
    # Scores of events 4 sd higher: the area is Phi(4 / sqrt 2) = .99766; with 15 of each kind most sets are
    # told perfectly. 300 sets, a 90 % interval covers 270 times, below 252 with about 6e-4.
    rng, event = np.random.default_rng(7), np.arange(30) < 15
    covered = perfect = 0
    for _ in range(300):
        area, error = area_under_curve(rng.normal(size=30) + 4.0 * event, event)
        _, low, high = area_interval([area], [error], [15], 0.9)
        covered += low <= 0.99766 <= high
        perfect += area == 1.0
    assert perfect > 100
    assert covered >= 252


def test_logistic_is_the_minimum():
    rng = np.random.default_rng(3)
    x = rng.normal(2.0, [1.0, 5.0], (200, 2))
    event = rng.random(200) < 1 / (1 + np.exp(-(x[:, 0] - 2.0)))
    model = fit_logistic(x, event, ridge=2.0)
    z = (x - x.mean(0)) / x.std(0)

    def loss(b):
        odds = b[0] + z @ b[1:]
        return np.sum(np.logaddexp(0, odds) - event * odds) + (b[1:] ** 2).sum()

    best = minimize(loss, np.zeros(3), tol=1e-12).x
    assert [model.intercept, *model.slopes] == pytest.approx(best, abs=1e-4)
    # The mean risk is the share of events: the intercept is not shrunk.
    assert model.risk(x).mean() == pytest.approx(event.mean(), abs=1e-6)


def test_logistic_stays_finite():
    x = np.r_[np.zeros(50), np.ones(50)][:, None]
    separated = fit_logistic(x, x[:, 0] > 0.5)
    assert np.isfinite(separated.slopes).all()
    assert separated.risk(x)[-1] > 0.9
    still = fit_logistic(np.c_[x, np.full(100, 7.0)], x[:, 0] > 0.5)
    assert still.slopes[1] == 0.0
    assert np.isfinite(still.risk(np.array([[0.0, 1e9]]))).all()
    none = fit_logistic(x, np.zeros(100, dtype=bool)).risk(x)
    assert (none < 0.05).all()


def test_weights_repeat():
    rng = np.random.default_rng(4)
    x, event, weight = rng.normal(size=(30, 1)), rng.random(30) < 0.5, rng.integers(1, 4, 30)
    once = fit_logistic(x, event, weight=weight)
    again = fit_logistic(np.repeat(x, weight, axis=0), np.repeat(event, weight))
    assert [once.intercept, *once.slopes] == pytest.approx([again.intercept, *again.slopes])


def test_brier_by_hand():
    event = np.array([True, False, False, False])
    risk = np.array([0.5, 0.5, 0.0, 0.0])
    # (0.25 + 0.25) / 4 against 0.25 * 0.75.
    assert brier_skill(risk, event, np.full(4, 0.25)) == pytest.approx(1 - 0.125 / 0.1875)
    assert np.isnan(brier_skill(risk, np.zeros(4, bool), np.zeros(4)))


def test_calibration_counts_every_draw_once():
    rng = np.random.default_rng(5)
    risk = rng.random(1000)
    event = rng.random(1000) < risk
    bins = calibration(risk, event, 10)
    assert bins[:, 0].sum() == 1000
    assert bins[:, 0] @ bins[:, 2] == pytest.approx(event.sum())
    assert ((bins[:, 3] <= bins[:, 2]) & (bins[:, 2] <= bins[:, 4])).all()
    # A true risk: of ten 90 % intervals 5 or fewer cover the mean risk with 2e-3.
    assert ((bins[:, 3] <= bins[:, 1]) & (bins[:, 1] <= bins[:, 4])).sum() >= 6
    assert len(calibration(np.full(50, 0.3), event[:50], 10)) == 1
    # Wilson's bounds of 5 in 10 by hand: 1 / (2 sqrt(1 + n / z^2)) about a half.
    half = calibration(np.full(10, 0.5), np.arange(10) < 5, 1, 0.5)[0]
    assert half[4] - half[2] == pytest.approx(0.5 / np.sqrt(1 + 10 / 0.6744898**2))


@given(st.integers(1, 4), st.floats(0.02, 0.9), st.integers(0, 1000))
def test_alarms_keep_their_promise(times, rate, seed):
    rng = np.random.default_rng(seed)
    risks, event = rng.random((120, times)), rng.random(120) < 0.4
    levels = alarm_levels(risks, event, rate)
    assert (risks[~event] > levels).any(axis=1).mean() <= rate
    # One more draw above at each time would be too many, or all times are at their top.
    calm = np.sort(risks[~event], axis=0)
    above = int((calm > levels)[:, 0].sum())
    looser = calm[len(calm) - 2 - above]
    assert (risks[~event] > looser).any(axis=1).mean() > rate


def test_bad_alarms():
    with pytest.raises(InputError, match="2 problems"):
        alarm_levels(np.ones((3, 1)), np.ones(3, bool), 1.5)
