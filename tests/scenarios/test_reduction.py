"""Scenario reduction against brute force and exact optimal transport."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from sinkrisk.scenarios import reduction


def plain_forward_selection(points, n, probability):
    """The algorithm as printed: at each step try every candidate."""
    d = cdist(points, points)
    chosen: list[int] = []
    for _ in range(n):
        cost = {
            k: float(probability @ d[:, [*chosen, k]].min(axis=1))
            for k in range(len(points))
            if k not in chosen
        }
        chosen.append(min(cost, key=cost.get))
    return sorted(chosen), float(probability @ d[:, chosen].min(axis=1))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9))
def test_lazy_selection_is_the_plain_algorithm(seed, n):
    g = np.random.default_rng(seed)
    points = reduction.standardise(g.normal(size=(20, 3)))
    probability = g.dirichlet(np.ones(20))
    picked, weight, distance = reduction.forward_selection(points, n, probability, np.arange(20))
    expected, cost = plain_forward_selection(points, n, probability)
    assert picked.tolist() == expected
    assert distance == pytest.approx(cost, abs=1e-12)
    assert weight.sum() == pytest.approx(1.0, abs=1e-15)


def test_reported_distance_is_the_exact_transport_distance():
    g = np.random.default_rng(3)
    points = reduction.standardise(g.normal(size=(40, 4)))
    probability = g.dirichlet(np.ones(40))
    picked, weight, distance = reduction.forward_selection(points, 6, probability, np.arange(40))
    assert reduction.transport_distance(points, probability, picked, weight) == pytest.approx(
        distance, abs=1e-9
    )
    # No other probabilities of the same draws do better.
    for _ in range(20):
        other = g.dirichlet(np.ones(6))
        assert reduction.transport_distance(points, probability, picked, other) >= distance - 1e-9


def test_transport_distance_equals_scipy_in_one_dimension():
    g = np.random.default_rng(4)
    points = g.normal(size=(30, 1))
    p = g.dirichlet(np.ones(30))
    picked = np.array([2, 5, 11, 17])
    q = g.dirichlet(np.ones(4))
    expected = wasserstein_distance(points[:, 0], points[picked, 0], p, q)
    assert reduction.transport_distance(points, p, picked, q) == pytest.approx(expected, abs=1e-9)


def test_greedy_is_near_the_best_subset():
    g = np.random.default_rng(5)
    points = reduction.standardise(g.normal(size=(12, 2)))
    p = np.full(12, 1 / 12)
    d = cdist(points, points)
    best = min(float(p @ d[:, list(s)].min(axis=1)) for s in itertools.combinations(range(12), 3))
    _, _, distance = reduction.forward_selection(points, 3, p, np.arange(12))
    assert best <= distance <= 1.25 * best


def test_distance_falls_to_zero_as_draws_are_added():
    g = np.random.default_rng(6)
    points = reduction.standardise(g.normal(size=(30, 5)))
    p = np.full(30, 1 / 30)
    path = [reduction.forward_selection(points, n, p, np.arange(30))[2] for n in (1, 5, 15, 29, 30)]
    assert path == sorted(path, reverse=True)
    assert path[-1] == 0.0


def test_standardised_distance_ignores_units_and_constant_features():
    g = np.random.default_rng(7)
    raw = g.normal(size=(15, 2))
    more = np.column_stack([1e6 * raw[:, 0] - 3, 1e-6 * raw[:, 1], np.full(15, 4.2)])
    np.testing.assert_allclose(
        cdist(*[reduction.standardise(raw)] * 2), cdist(*[reduction.standardise(more)] * 2)
    )
    assert reduction.standardise(np.ones((5, 3))).tolist() == [[0.0]] * 5


def test_candidates_are_bounded_for_large_sets(monkeypatch):
    monkeypatch.setattr(reduction, "MAX_ENTRIES", 1000)
    some = reduction.candidates_for(100, 4, np.random.default_rng(1))
    assert some.size == 10
    assert np.unique(some).size == 10
    picked, weight, _ = reduction.forward_selection(
        np.random.default_rng(2).normal(size=(100, 2)), 4, np.full(100, 0.01), some
    )
    assert set(picked) <= set(some)
    assert weight.sum() == pytest.approx(1.0)
