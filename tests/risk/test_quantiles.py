"""Value at risk, CVaR and quantiles against the lists of models.md 3.4 and their axioms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from sinkrisk import risk
from sinkrisk.errors import InputError

ONE_TO_TEN = np.arange(1.0, 11.0)
LOSSES, MASSES = [0.0, 10.0, 50.0, 200.0], [0.5, 0.3, 0.15, 0.05]

finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)
draws = hnp.arrays(float, st.integers(1, 30), elements=finite)
levels = st.floats(0.0, 0.99)


@pytest.mark.parametrize(("level", "expected"), [(0.8, 9.5), (0.85, 9.6666667), (0.9, 10.0), (0.95, 10.0)])
def test_cvar_of_one_to_ten(level, expected):
    assert risk.cvar(ONE_TO_TEN, level) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("level", "cvar", "var"), [(0.8, 87.5, 10.0), (0.9, 125.0, 50.0), (0.95, 200.0, 50.0)]
)
def test_weighted_losses(level, cvar, var):
    assert risk.cvar(LOSSES, level, probability=MASSES) == pytest.approx(cvar, abs=1e-9)
    assert risk.value_at_risk(LOSSES, level, probability=MASSES) == var


def test_order_of_the_draws_does_not_matter():
    order = [2, 0, 3, 1]
    shuffled = np.array(LOSSES)[order], np.array(MASSES)[order]
    assert risk.cvar(shuffled[0], 0.8, probability=shuffled[1]) == pytest.approx(87.5, abs=1e-9)


def test_low_is_bad_is_the_mirror_image():
    assert risk.cvar(-ONE_TO_TEN, 0.8, direction="low_is_bad") == pytest.approx(-9.5)
    assert risk.value_at_risk(ONE_TO_TEN, 0.8, direction="low_is_bad") == 3.0
    assert risk.cvar(ONE_TO_TEN, 0.8, direction="low_is_bad") == pytest.approx(1.5)


def test_level_zero_is_the_mean_and_draws_of_probability_zero_do_not_exist():
    assert risk.cvar(ONE_TO_TEN, 0.0) == pytest.approx(5.5)
    assert risk.value_at_risk([-9.0, 1.0, 2.0], 0.0, probability=[0.0, 0.5, 0.5]) == 1.0
    assert risk.cvar([1.0, 2.0, 99.0], 0.9, probability=[0.5, 0.5, 0.0]) == pytest.approx(2.0)


def test_normal_draws_reach_the_closed_form():
    # Quantiles of 20,000 equally probable normal points: only the discretisation is left.
    x = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    expected = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    assert risk.cvar(x, 0.95) == pytest.approx(expected, abs=2e-3)


def test_leading_axes_are_kept():
    x = np.stack([ONE_TO_TEN, -ONE_TO_TEN])
    np.testing.assert_allclose(risk.cvar(x, 0.8), [9.5, -1.5])
    np.testing.assert_allclose(risk.value_at_risk(x, 0.8, probability=np.full(10, 0.1)), [8.0, -3.0])


@given(draws, st.lists(st.integers(0, 4), min_size=30, max_size=30), levels, st.booleans())
def test_weights_equal_repetition(x, counts, level, low):
    counts = np.array(counts[: len(x)])
    if counts.sum() == 0:
        counts[0] = 1
    direction = "low_is_bad" if low else "high_is_bad"
    weighted = {"direction": direction, "probability": counts / counts.sum()}
    repeated = np.repeat(x, counts)
    scale = 1e-9 * (1.0 + np.abs(x).max())
    assert risk.cvar(x, level, **weighted) == pytest.approx(
        risk.cvar(repeated, level, direction=direction), abs=scale
    )
    assert risk.value_at_risk(x, level, **weighted) == risk.value_at_risk(
        repeated, level, direction=direction
    )
    masses = [0.0, level, 1.0 - level, 1.0]
    np.testing.assert_array_equal(
        risk.quantile(x, masses, probability=weighted["probability"]), risk.quantile(repeated, masses)
    )


@given(draws, levels, st.floats(0.01, 100.0), st.floats(-1e4, 1e4))
def test_translation_and_scale_equivariance(x, level, scale, shift):
    slack = 1e-9 * (1.0 + scale * np.abs(x).max() + abs(shift))
    for statistic in (risk.cvar, risk.value_at_risk):
        moved = statistic(scale * x + shift, level)
        assert moved == pytest.approx(scale * statistic(x, level) + shift, abs=slack)


@given(draws, levels)
def test_cvar_is_at_least_var_and_at_most_the_worst(x, level):
    slack = 1e-12 * (1.0 + np.abs(x).max())
    assert risk.value_at_risk(x, level) <= risk.cvar(x, level) <= x.max() + slack


@given(draws, draws, levels)
def test_cvar_is_subadditive(x, y, level):
    n = min(len(x), len(y))
    x, y = x[:n], y[:n]
    slack = 1e-9 * (1.0 + np.abs(x).max() + np.abs(y).max())
    assert risk.cvar(x + y, level) <= risk.cvar(x, level) + risk.cvar(y, level) + slack


@given(draws, levels)
def test_cvar_solves_the_minimisation_that_defines_it(x, level):
    # The minimum of a convex piecewise linear function lies at one of the draws.
    objective = x + np.maximum(x[:, None] - x[None, :], 0.0).mean(axis=0) / (1.0 - level)
    assert risk.cvar(x, level) == pytest.approx(objective.min(), abs=1e-7 * (1.0 + np.abs(x).max()))


@given(draws, st.integers(0, 60), st.integers(1, 60))
def test_quantiles_are_type_2_of_hyndman_and_fan(x, part, whole):
    # Fractions hit the ends of steps, where the rule takes the middle of two draws.
    mass = min(part, whole) / whole
    steps, ordered = Fraction(min(part, whole), whole) * len(x), np.sort(x)
    last = len(x) - 1
    low, high = max(math.ceil(steps) - 1, 0), min(math.floor(steps), last)
    assert risk.quantile(x, mass) == 0.5 * ordered[low] + 0.5 * ordered[high]
    np.testing.assert_array_equal(risk.quantile(x, mass), -risk.quantile(-x, 1.0 - mass))


@pytest.mark.parametrize("n", [100_000, 1_000_000])
def test_many_equal_weights_still_equal_none(n):
    x, masses = np.arange(float(n)), [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
    each = np.full(n, 1.0 / n)
    np.testing.assert_array_equal(risk.quantile(x, masses, probability=each), risk.quantile(x, masses))
    for level in masses:
        assert risk.value_at_risk(x, level, probability=each) == risk.value_at_risk(x, level)


def test_quantiles_of_unequal_weights_by_hand():
    x, weight = [7.0, 1.0, 3.0, 99.0], [0.5, 0.2, 0.3, 0.0]
    masses = [0.0, 0.1, 0.2, 0.35, 0.5, 0.51, 1.0]
    np.testing.assert_array_equal(
        risk.quantile(x, masses, probability=weight), [1.0, 1.0, 2.0, 3.0, 5.0, 7.0, 7.0]
    )
    assert np.isposinf(risk.quantile([0.0, np.inf, np.inf], 0.9))


def test_quantiles_with_equal_weights_equal_those_without():
    x = np.random.default_rng(1).normal(size=(3, 50))
    mass = [0.05, 0.5, 0.95]
    np.testing.assert_allclose(risk.quantile(x, mass, probability=np.full(50, 0.02)), risk.quantile(x, mass))
    assert risk.quantile(x, 0.5).shape == (3,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], 1.0, {}), "level outside its range: got 1.0; allowed: 0 <= level < 1"),
        (([], 0.5, {}), "no draws"),
        (([1.0, np.nan], 0.5, {}), "NaN among the draws: got '1 of 2'"),
        (([1.0, 2.0], 0.5, {"direction": "high_is_baad"}), "did you mean 'high_is_bad'"),
        (([1.0, 2.0], 0.5, {"probability": [0.4, 0.4]}), "probabilities do not sum to 1: got 0.8"),
        (([1.0, 2.0], 0.5, {"probability": [-0.5, 1.5]}), "probability negative or NaN"),
        (([1.0, 2.0], 0.5, {"probability": [1.0]}), "probability has another length"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    x, level, further = arguments
    for statistic in (risk.cvar, risk.value_at_risk):
        with pytest.raises(InputError, match="(?s)" + message.replace("(", r"\(").replace(")", r"\)")):
            statistic(x, level, **further)
