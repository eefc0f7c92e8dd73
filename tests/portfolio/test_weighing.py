"""Readings, likelihoods and weights: by hand, against scipy, and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import norm

from sinkrisk import risk
from sinkrisk.portfolio.weighing import Noise, log_likelihood, read_signals, weigh, weighted_tail

NORMAL, MISREAD = Noise("normal", 0.5), Noise("misread", 0.2, 3)


def test_likelihood_is_that_of_the_errors():
    rng = np.random.default_rng(1)
    truth = np.column_stack([rng.normal(size=7), rng.integers(0, 3, 7)])
    read = np.column_stack([rng.normal(size=4), rng.integers(0, 3, 4)])
    got = log_likelihood(read, truth, [NORMAL, MISREAD])
    for i in range(4):
        for j in range(7):
            # The normal's constant is left out: no weight depends on it.
            one = norm.logpdf(read[i, 0], truth[j, 0], 0.5) - norm.logpdf(0.0, 0.0, 0.5)
            one += np.log(0.8 if read[i, 1] == truth[j, 1] else 0.1)
            assert got[i, j] == pytest.approx(one)


def test_readings_err_as_said_and_alike_for_every_course():
    n = 40_000
    truth = np.zeros((n, 2, 2))
    truth[:, 1, 0], truth[..., 1] = 3.0, 1.0
    (read,) = read_signals([truth], [NORMAL, MISREAD], 1)
    error = read[..., 0] - truth[..., 0]
    assert np.allclose(error[:, 0], error[:, 1])
    # False-alarm rate of each bound 6e-5 (4 standard errors).
    assert abs(error[:, 0].mean()) < 4 * 0.5 / np.sqrt(n)
    assert abs(error[:, 0].std() - 0.5) < 4 * 0.5 / np.sqrt(2 * n)
    for state, share in ((0, 0.1), (1, 0.8), (2, 0.1)):
        assert abs((read[:, 0, 1] == state).mean() - share) < 4 * np.sqrt(share * (1 - share) / n)


def test_periods_have_errors_of_their_own():
    first, second = read_signals([np.zeros((5, 1, 1))] * 2, [NORMAL], 1)
    assert not np.isclose(first, second).any()


def test_weights_by_hand():
    weights, size = weigh(np.log([[1.0, 3.0], [1.0, 1.0]]), np.array([0.5, 0.5]))
    assert weights == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert size == pytest.approx([1.6, 2.0])
    # Far from every draw the weights still sum to 1: nothing underflows.
    weights, size = weigh(np.array([[-2000.0, -2001.0]]), np.ones(2))
    assert weights.sum() == pytest.approx(1.0)
    assert 1.0 < size[0] < 2.0


@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=12),
    st.floats(0.0, 0.99),
    st.integers(0, 2**31 - 1),
)
def test_the_tail_is_that_of_the_risk_room(values, level, seed):
    x = np.array(values)
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(x)), size=3)
    got = weighted_tail(np.column_stack([x, -x]), weights, level)
    for i, w in enumerate(weights):
        for k, column in enumerate((x, -x)):
            expected = risk.cvar(column, level, direction="low_is_bad", probability=w)
            assert got[i, k] == pytest.approx(expected, abs=1e-7)
