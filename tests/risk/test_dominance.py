"""Stochastic dominance: by hand, against brute force, and the implication between the orders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from sinkrisk import risk
from sinkrisk.errors import InputError

small = hnp.arrays(float, st.integers(1, 8), elements=st.integers(-5, 5).map(float))


def test_by_hand():
    assert risk.dominates([2.0, 3.0], [1.0, 3.0], 1)
    assert not risk.dominates([1.0, 3.0], [2.0, 3.0], 1)
    # A mean-preserving spread loses in the second order only.
    assert risk.dominates([2.0, 2.0], [1.0, 3.0], 2)
    assert not risk.dominates([2.0, 2.0], [1.0, 3.0], 1)
    assert not risk.dominates([1.0, 3.0], [2.0, 2.0], 2)


def test_nothing_dominates_its_equal():
    assert not risk.dominates([1.0, 2.0], [2.0, 1.0], 1)
    assert not risk.dominates([1.0, 2.0], [2.0, 1.0, 1.0, 2.0], 2)


def test_costs_are_better_low():
    assert risk.dominates([1.0, 2.0], [2.0, 3.0], 1, direction="high_is_bad")
    assert not risk.dominates([2.0, 3.0], [1.0, 2.0], 1, direction="high_is_bad")


@given(small, small)
def test_first_order_implies_second(a, b):
    if risk.dominates(a, b, 1):
        assert risk.dominates(a, b, 2)


@given(small, small, st.sampled_from([1, 2]))
def test_against_expected_utility(a, b, order):
    """First order: E[1{X > t}] for all t; second: E[min(X, t)] for all t, with one strict."""
    grid = np.unique(np.concatenate([a, b]))
    utility = (lambda x, t: (x > t).mean()) if order == 1 else (lambda x, t: np.minimum(x, t).mean())
    gaps = np.array([utility(a, t) - utility(b, t) for t in grid])
    assert risk.dominates(a, b, order) == bool((gaps >= -1e-9).all() and (gaps > 1e-9).any())


@given(small, st.lists(st.integers(0, 3), min_size=8, max_size=8), small, st.sampled_from([1, 2]))
def test_weights_equal_repetition(a, counts, b, order):
    counts = np.array(counts[: len(a)])
    counts[0] += 1
    uniform = np.full(len(b), 1.0 / len(b))
    weighted = risk.dominates(a, b, order, probability=counts / counts.sum(), other_probability=uniform)
    assert weighted == risk.dominates(np.repeat(a, counts), b, order)


many = hnp.arrays(
    float, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.integers(-4, 4).map(float)
)


@given(many, st.sampled_from([1, 2]), st.sampled_from(["low_is_bad", "high_is_bad"]))
def test_the_matrix_is_every_pair(values, order, direction):
    found = risk.dominance_matrix(values, order, direction=direction)
    count = values.shape[1]
    for a in range(count):
        for b in range(count):
            assert found[a, b] == (
                a != b and risk.dominates(values[:, a], values[:, b], order, direction=direction)
            )
    assert (risk.dominance_matrix(values, 1) <= risk.dominance_matrix(values, 2)).all()


def test_the_matrix_takes_probabilities():
    values = np.array([[1.0, 2.0], [3.0, 2.0]])
    assert not risk.dominance_matrix(values, 2, probability=[0.5, 0.5])[0, 1]
    # Nearly always 3 against 2, but it can be 1: neither order.
    assert not risk.dominance_matrix(values, 2, probability=[0.01, 0.99]).any()
    assert risk.dominance_matrix(values, 1, probability=[0.0, 1.0]).tolist() == [
        [False, True],
        [False, False],
    ]


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match="values are not finite numbers"):
        risk.dominance_matrix([1.0, 2.0], 1)
    with pytest.raises(InputError, match="unknown order of dominance: got 0"):
        risk.dominance_matrix([[1.0, 2.0]], 0)
    with pytest.raises(InputError, match="unknown order of dominance: got 3; allowed: 1 or 2"):
        risk.dominates([1.0], [2.0], 3)
    with pytest.raises(InputError, match="'b' is not one axis of finite draws"):
        risk.dominates([1.0], [np.inf], 1)
    with pytest.raises(InputError, match="unknown direction"):
        risk.dominates([1.0], [2.0], 1, direction="up")
