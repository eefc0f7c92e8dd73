from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.network import load, network_from_tables, table_bank
from sinkrisk.network.foreseeing import log_probability, surprise, update_summary
from sinkrisk.network.updating import updated

PLATES = Path(__file__).parents[1] / "data" / "network_plates.yaml"


def _events(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["node", "given", "state", "count"])


def test_the_distribution_of_counts_sums_to_one_and_is_scipys():
    shape = np.array([0.4, 2.0, 1.3])
    outcomes = np.array([c for c in itertools.product(range(8), repeat=3) if sum(c) == 7])
    logs = log_probability(outcomes, shape)
    assert np.exp(logs).sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(logs, stats.dirichlet_multinomial(shape, 7).logpmf(outcomes), rtol=1e-10)


@pytest.mark.parametrize(
    ("counts", "shape"), [([4, 6], [8.0, 2.0]), ([0, 9], [3.0, 3.0]), ([5, 5], [0.2, 7])]
)
def test_two_states_against_the_beta_binomial_added_up(counts, shape):
    n = sum(counts)
    pmf = stats.betabinom(n, *shape).pmf(np.arange(n + 1))
    expected = pmf[pmf <= pmf[counts[0]] * (1 + 1e-9)].sum()
    assert surprise(counts, shape)[0] == pytest.approx(expected, rel=1e-9)


def test_simulated_p_values_are_the_exact_ones_within_their_error():
    for counts, shape in (([3, 2, 10], [4.0, 4.0, 2.0]), ([0, 1, 5], [6.0, 1.0, 3.0])):
        exact, none = surprise(counts, shape)
        assert none == 0.0
        p, error = surprise(counts, shape, most=1, rng=4)
        assert 0.0 < error < 0.0036
        # Two normal tails beyond 4.5.
        assert abs(p - exact) < 4.5 * error + 1 / 20_000


def test_a_state_held_impossible_counts_for_nothing():
    assert surprise([4, 0, 6], [8.0, 0.0, 2.0]) == surprise([4, 6], [8.0, 2.0])
    assert surprise([4, 0], [8.0, 0.0]) == (1.0, 0.0)


def test_p_values_of_a_right_prior_are_rarely_small():
    rng = np.random.default_rng(12)
    shape = np.array([3.0, 2.0, 1.0])
    trials = 2000
    p = np.array([surprise(rng.multinomial(12, rng.dirichlet(shape)), shape)[0] for _ in range(trials)])
    for alpha in (0.05, 0.2):
        # Discrete p-values are at most uniform; two binomial tails beyond 4 sd: 1e-4.
        most = alpha + 4.0 * np.sqrt(alpha * (1 - alpha) / trials)
        assert (p <= alpha).mean() < most


def test_summary_states_prior_counts_and_posterior():
    net = network_from_tables(
        {"dry": ["no", "yes"], "fire": ["none", "small", "large"]},
        {"fire": ["dry"]},
        {"dry": [0.7, 0.3], "fire": [[0.9, 0.08, 0.02], [0.5, 0.3, 0.2]]},
        equivalent_sample_size=8,
    )
    seen = _events(
        ("fire", "dry=yes", "none", 1), ("fire", "dry=yes", "large", 9), ("fire", "dry=no", "none", 0)
    )
    table = update_summary(net, seen, level=0.8)
    # The row without a count says nothing.
    assert table["given"].tolist() == ["dry=yes"] * 3
    assert table["state"].tolist() == ["none", "small", "large"]
    np.testing.assert_allclose(table["prior_mean"], [0.5, 0.3, 0.2])
    assert table["count"].tolist() == [1, 0, 9]
    np.testing.assert_allclose(table["posterior_mean"], updated(net, seen).tables["fire"][1])
    alpha = np.array([5.0, 2.4, 10.6])
    beta = stats.beta(alpha, 18 - alpha)
    np.testing.assert_allclose(table["low"], beta.ppf(0.1), rtol=1e-9)
    np.testing.assert_allclose(table["high"], beta.ppf(0.9), rtol=1e-9)
    assert set(table["posterior_size"]) == {18.0}
    assert set(table["p_value"]) == {surprise([1, 0, 9], [4.0, 2.4, 1.6])[0]}
    assert table["p_value"][0] < 0.01
    assert set(table["p_method"]) == {"exact"}
    assert table.attrs == {"level": 0.8, "interval": "equal-tailed"}


def test_summary_of_a_plate_counts_its_nodes_and_says_what_was_matched():
    net = load(PLATES)
    seen = _events(
        ("trust__land__north__now", "support=rising", "rejecting", 300),
        ("trust__ocean__south__now", "support=rising", "accepting", 200),
        ("ambition__now", "", "low", 2),
    )
    pooled = update_summary(net, seen, ranked="full", rng=1)
    assert pooled["nodes"].tolist() == [2, 2, 1, 1]
    assert pooled["count"].tolist() == [300, 200, 2, 0]
    assert pooled["prior"].tolist() == ["matched", "matched", "stated", "stated"]
    local = update_summary(net, seen, ranked="full", local=True, rng=1)
    assert local["count"].tolist() == [300, 0, 0, 200, 2, 0]


def test_intervals_of_updated_rows_cover_the_truth():
    net = network_from_tables(
        {"dry": ["no", "yes"], "fire": ["none", "small", "large"]},
        {"fire": ["dry"]},
        {"dry": [0.7, 0.3], "fire": [[0.6, 0.3, 0.1], [0.5, 0.3, 0.2]]},
        equivalent_sample_size=8,
        correlation=0.5,
    )
    trials = 400
    truths = table_bank(net, trials, rng=3).draws["fire"]
    rng = np.random.default_rng(4)
    inside = np.zeros(6)
    for truth in truths:
        rows = []
        for code, dry in enumerate(("no", "yes")):
            counts = rng.multinomial(10 + 20 * code, truth[code])
            states = zip(net.nodes["fire"].states, counts, strict=True)
            rows += [("fire", f"dry={dry}", state, int(count)) for state, count in states]
        table = update_summary(net, _events(*rows))
        values = truth.reshape(-1)
        inside += (table["low"].to_numpy() <= values) & (values <= table["high"].to_numpy())
    # Binomial(400, .9) lies outside 334 to 383 with probability 3e-5; six cells: below 2e-4.
    assert inside.min() >= 334
    assert inside.max() <= 383


def test_a_level_that_is_none():
    net = network_from_tables({"dry": ["no", "yes"]}, {}, {"dry": [0.7, 0.3]}, equivalent_sample_size=5)
    with pytest.raises(InputError) as caught:
        update_summary(net, _events(("dry", "", "no", 1)), level=90)
    assert str(caught.value) == "level outside its range: got 90; allowed: above 0 and below 1"
