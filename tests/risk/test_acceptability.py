"""SMAA-2 against the oracle of models.md 3.4 and what its measures are by definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sinkrisk import risk
from sinkrisk.errors import InputError
from sinkrisk.risk.acceptability import dirichlet_weights

A_AND_B = np.array([[[0.6, 0.2], [0.3, 0.7]]])


def test_oracle_on_a_grid_of_weights():
    # 80,000 midpoints: A is first beyond w = .625, which no midpoint straddles.
    w = (np.arange(80_000) + 0.5) / 80_000
    out = risk.smaa(A_AND_B, weights=np.column_stack([w, 1.0 - w]))
    np.testing.assert_allclose(out["rank_acceptability"], [[0.375, 0.625], [0.625, 0.375]], atol=1e-12)
    np.testing.assert_allclose(out["central_weight"], [[0.8125, 0.1875], [0.3125, 0.6875]], atol=1e-12)
    np.testing.assert_array_equal(out["confidence"], [1.0, 1.0])
    np.testing.assert_allclose(out["pairwise"], [[0.0, 0.375], [0.625, 0.0]], atol=1e-12)


def test_oracle_with_random_weights():
    out = risk.smaa(A_AND_B, rng=1, weight_draws=40_000)
    # Standard error .0024; 5 of them: false alarm below 1e-6, and the seed is fixed.
    assert out["rank_acceptability"][0, 0] == pytest.approx(0.375, abs=0.012)
    np.testing.assert_allclose(out["central_weight"][0], [0.8125, 0.1875], atol=0.01)


def test_never_first_has_no_central_weight_and_no_confidence():
    out = risk.smaa([[[1.0, 1.0], [0.5, 0.5], [0.0, 0.9]]], rng=1)
    assert np.isnan(out["central_weight"][1:]).all()
    assert np.isnan(out["confidence"][1:]).all()
    np.testing.assert_allclose(out["central_weight"][0], [0.5, 0.5], atol=0.02)


def test_ties_share_the_best_rank():
    twin = np.array([[[0.31, 0.57, 0.1], [0.31, 0.57, 0.1], [0.0, 0.0, 0.0]]])
    out = risk.smaa(twin, rng=1)
    np.testing.assert_allclose(
        out["rank_acceptability"], [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], atol=1e-12
    )
    assert out["pairwise"][0, 1] == 0.0


def test_confidence_is_over_the_draws():
    # One criterion: the first alternative wins in three of four draws.
    scores = np.array([[[1.0], [0.5]]] * 3 + [[[0.0], [0.5]]])
    out = risk.smaa(scores, rng=1)
    np.testing.assert_allclose(out["confidence"], [0.75, 0.25])
    weighted = risk.smaa(scores, probability=[0.1, 0.1, 0.1, 0.7], rng=1)
    np.testing.assert_allclose(weighted["confidence"], [0.3, 0.7])
    np.testing.assert_allclose(weighted["rank_acceptability"][:, 0], [0.3, 0.7])


def test_kernels_equal_the_plain_definition():
    rng = np.random.default_rng(2)
    # Rounded scores make ties common.
    scores = rng.random((300, 4, 3)).round(1)
    weights = dirichlet_weights(300, np.ones(3), rng=4)
    out = risk.smaa(scores, weights=weights, rng=3)
    order = np.random.default_rng(3).permutation(300)
    value = np.zeros((300, 4))
    for c in range(3):
        value = value + weights[order, c : c + 1] * scores[:, :, c]
    better = value[:, None, :] > value[:, :, None]
    rank = better.sum(axis=2)
    expected = np.stack([(rank == k).mean(axis=0) for k in range(4)], axis=1)
    np.testing.assert_allclose(out["rank_acceptability"], expected, atol=1e-12)
    np.testing.assert_allclose(out["pairwise"], better.mean(axis=0).T, atol=1e-12)
    for a in range(4):
        centre = weights[order][rank[:, a] == 0].mean(axis=0)
        np.testing.assert_allclose(out["central_weight"][a], centre, atol=1e-12)
        mine = sum(out["central_weight"][a, c] * scores[:, :, c] for c in range(3))
        first = mine[:, a] >= mine.max(axis=1)
        assert out["confidence"][a] == pytest.approx(first.mean(), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(0, 10**6))
def test_shares_are_shares(draws, alternatives, criteria, seed):
    # Rounded scores make ties common.
    scores = np.random.default_rng(seed).random((draws, alternatives, criteria)).round(1)
    out = risk.smaa(scores, rng=seed, weight_draws=50)
    np.testing.assert_allclose(out["rank_acceptability"].sum(axis=1), 1.0)
    first = out["rank_acceptability"][:, 0] > 0.0
    np.testing.assert_allclose(out["central_weight"][first].sum(axis=1), 1.0)
    assert ((out["pairwise"] + out["pairwise"].T) <= 1.0 + 1e-12).all()


def test_ordinal_weights_fall_and_have_the_known_means():
    drawn = dirichlet_weights(20_000, np.ones(3), rng=1, ordinal=True)
    assert (np.diff(drawn, axis=1) <= 0.0).all()
    # Means of ordered uniform simplex weights: (1/3)(1 + 1/2 + 1/3), (1/3)(1/2 + 1/3), 1/9; s.e. below .0011.
    np.testing.assert_allclose(drawn.mean(axis=0), [11 / 18, 5 / 18, 2 / 18], atol=0.006)


@pytest.mark.parametrize(
    ("scores", "further", "message"),
    [
        (np.ones((2, 3)), {}, "axes"),
        ([[[np.nan]]], {}, "not finite"),
        (A_AND_B, {"weights": [0.5, 0.2, 0.3]}, "wrong shape"),
        (A_AND_B, {"weights": [0.5, 0.2]}, "sum to 1"),
        (A_AND_B, {"probability": [0.5, 0.5]}, "another length"),
    ],
)
def test_bad_arguments_are_named(scores, further, message):
    with pytest.raises(InputError, match=message):
        risk.smaa(scores, **further)
