from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import distance

from sinkrisk.errors import InputError
from sinkrisk.network.opinions import pool


def _experts(rng: np.random.Generator, count: int = 4, states: int = 3) -> np.ndarray:
    return rng.dirichlet(np.full(states, 2.0), count)


def test_linear_pool_is_the_weighted_mean():
    said = _experts(np.random.default_rng(1))
    weights = [0.5, 1.0, 0.0, 2.5]
    row = pool(said, weights=weights)
    np.testing.assert_allclose(row.probabilities, np.array(weights) / 4 @ said, rtol=1e-14)
    np.testing.assert_allclose(row.weights, [0.125, 0.25, 0.0, 0.625])
    np.testing.assert_allclose(pool(said).probabilities, said.mean(axis=0), rtol=1e-14)
    # The expert of weight nought is heard in nothing.
    heard = said[[0, 1, 3]]
    np.testing.assert_allclose(row.lowest, heard.min(axis=0), rtol=1e-14)
    np.testing.assert_allclose(row.highest, heard.max(axis=0), rtol=1e-14)


def test_logarithmic_pool_is_the_weighted_geometric_mean():
    said = _experts(np.random.default_rng(2))
    share = np.array([0.1, 0.2, 0.3, 0.4])
    row = pool(said, method="logarithmic", weights=list(10 * share))
    product = np.prod(said ** share[:, None], axis=0)
    np.testing.assert_allclose(row.probabilities, product / product.sum(), rtol=1e-12)
    assert row.vetoes == ()


@pytest.mark.parametrize("method", ["linear", "logarithmic"])
def test_experts_who_agree_are_taken_at_their_word(method):
    one = np.array([0.2, 0.0, 0.7, 0.1])
    row = pool([one] * 5, method=method, weights=[1, 2, 3, 4, 5])
    np.testing.assert_allclose(row.probabilities, one, rtol=1e-13, atol=0)
    assert row.divergence == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(row.sd, 0.0, atol=1e-15)
    assert row.equivalent_sample_size == 100.0
    # All hold the second state impossible: nobody vetoes anybody.
    assert row.vetoes == ()
    assert pool([one] * 5, method=method, cap=30).equivalent_sample_size == 30.0


def test_the_logarithmic_pool_is_externally_bayesian_and_the_linear_one_is_not():
    rng = np.random.default_rng(3)

    def learnt(p: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
        return p * likelihood / (p * likelihood).sum(axis=-1, keepdims=True)

    apart = []
    for _ in range(50):
        said, likelihood = _experts(rng), rng.uniform(0.01, 1.0, 3)
        weights = rng.dirichlet(np.ones(4))
        for method in ("logarithmic", "linear"):
            first = pool(learnt(said, likelihood), method=method, weights=weights).probabilities
            last = learnt(pool(said, method=method, weights=weights).probabilities, likelihood)
            if method == "logarithmic":
                np.testing.assert_allclose(first, last, rtol=1e-12)
            else:
                apart.append(np.abs(first - last).max())
    assert min(apart) > 1e-5


def test_divergence_is_jensen_and_shannons():
    said = _experts(np.random.default_rng(4), count=2)
    # scipy returns the square root, of two experts of equal weight.
    assert pool(said).divergence == pytest.approx(distance.jensenshannon(*said) ** 2, rel=1e-12)
    # Opposite experts: as far apart as the entropy of their weights.
    row = pool([[1.0, 0.0], [0.0, 1.0]], weights=[3, 1])
    assert row.divergence == pytest.approx(stats.entropy([0.75, 0.25]), rel=1e-12)
    assert row.equivalent_sample_size == 1.0


def test_scatter_by_hand():
    row = pool([[0.6, 0.4], [0.5, 0.5], [0.7, 0.3]])
    np.testing.assert_allclose(row.sd, [0.1, 0.1])
    # Variances sum to .02; m(1 - m) to .48, corrected by .02 / 3.
    assert row.equivalent_sample_size == pytest.approx((0.48 + 0.02 / 3) / 0.02 - 1, rel=1e-12)
    doubled = pool([[0.6, 0.4], [0.5, 0.5], [0.7, 0.3]], weights=[2, 2, 2])
    assert doubled.equivalent_sample_size == pytest.approx(row.equivalent_sample_size)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_size_behind_simulated_experts_is_found_again(weighted):
    rng = np.random.default_rng(5)
    mean, true, trials = np.array([0.5, 0.3, 0.2]), 9.0, 400
    found = []
    for _ in range(trials):
        weights = rng.uniform(0.5, 2.0, 60) if weighted else None
        row = pool(rng.dirichlet(true * mean, 60), weights=weights, cap=1e6)
        found.append(1.0 / (1.0 + row.equivalent_sample_size))
    # 1 / (1 + s) is the ratio of two unbiased moments; its own bias is of order 1 / experts.
    error = np.std(found) / math.sqrt(trials)
    # Normal tail beyond 4.5, 1e-5, on top of 1 % for the ratio's bias.
    assert abs(np.mean(found) - 0.1) < 4.5 * error + 0.001


def test_one_expert_shows_no_scatter():
    row = pool([[0.9, 0.1]])
    assert math.isnan(row.equivalent_sample_size)
    assert np.isnan(row.sd).all()
    assert row.divergence == 0.0
    assert math.isnan(pool([[0.9, 0.1], [0.2, 0.8]], weights=[1, 0]).equivalent_sample_size)


def test_a_nought_vetoes_a_state_and_is_named():
    said = pd.DataFrame([[0.0, 0.4, 0.6], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], index=["ann", "bob", "cem"])
    row = pool(said, method="logarithmic")
    np.testing.assert_allclose(row.probabilities, [0.0, 1.0, 0.0])
    assert row.vetoes == (("ann", 0), ("bob", 2))
    assert pool(said).vetoes == ()
    # Without weight no veto.
    free = pool(said, method="logarithmic", weights={"ann": 0.0, "bob": 0.0, "cem": 1.0})
    np.testing.assert_allclose(free.probabilities, [0.2, 0.3, 0.5])


def test_a_thousand_experts_do_not_underflow():
    row = pool(np.tile([1e-3, 1.0 - 1e-3], (1000, 1)), method="logarithmic")
    np.testing.assert_allclose(row.probabilities, [1e-3, 1.0 - 1e-3], rtol=1e-9)


NAMED = pd.DataFrame([[0.7, 0.3], [0.5, 0.5]], index=["ann", "bob"])
MESSAGES = {
    "sum": (
        [[0.7, 0.3], [0.5, 0.6]],
        {},
        "expert '2': probabilities do not sum to one: got 1.1; allowed: 1",
    ),
    "range": (
        [[1.2, -0.2], [0.5, 0.5]],
        {},
        "expert '1': probability out of range: got [1.2, -0.2]; allowed: 0 to 1",
    ),
    "nan": ([[math.nan, 0.2], [0.5, 0.5]], {}, "expert '1': probability out of range: got [nan, 0.2]"),
    "single": ([[1.0], [1.0]], {}, "opinions on a single state: got 1; allowed: 2 states or more"),
    "flat": ([0.5, 0.5], {}, "opinions are no table of experts and states: got (2,)"),
    "nobody": (np.empty((0, 2)), {}, "opinions are no table of experts and states: got (0, 2)"),
    "unknown": (
        NAMED,
        {"weights": {"ann": 1, "bob": 1, "bbo": 2}},
        "key 'weights': weight of an unknown expert: got 'bbo'; allowed: bob; did you mean 'bob'?",
    ),
    "missing": (
        NAMED,
        {"weights": {"ann": 1}},
        "key 'weights': expert without a weight: got 'bob'; allowed: ann",
    ),
    "length": (
        NAMED,
        {"weights": [1, 2, 3]},
        "weights of another number of experts: got (3,); allowed: (2,)",
    ),
    "negative": (
        NAMED,
        {"weights": [1, -1]},
        "key 'weights': weights of experts: got [1.0, -1.0]; allowed: finite, none negative, one positive",
    ),
    "nought": (NAMED, {"weights": [0, 0]}, "weights of experts: got [0.0, 0.0]"),
    "twice": (pd.concat([NAMED, NAMED[:1]]), {}, "expert given twice: got 'ann'"),
    "method": (
        NAMED,
        {"method": "log"},
        "key 'method': unknown way of pooling: got 'log'; allowed: linear, logarithmic",
    ),
    "cap": (NAMED, {"cap": 0.5}, "cap of the equivalent sample size: got 0.5; allowed: at least 1"),
    "veto": (
        pd.DataFrame([[1.0, 0.0], [0.0, 1.0]], index=["ann", "bob"]),
        {"method": "logarithmic"},
        "logarithmic pool: the experts leave no state possible together: got \"'ann', 'bob'\"; "
        "a single nought vetoes a state: pool linearly, or ask for small numbers instead",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(name):
    said, options, expected = MESSAGES[name]
    with pytest.raises(InputError) as caught:
        pool(said, **options)
    assert expected in str(caught.value)


def test_all_problems_at_once():
    with pytest.raises(InputError) as caught:
        pool([[0.7, 0.2], [0.5, 0.6]], weights=[1, -1], method="mean")
    assert len(caught.value.problems) == 4
