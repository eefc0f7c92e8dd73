from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import Network, load, network_from_tables, sample, table_bank
from sinkrisk.network.reweighing import reweighed
from sinkrisk.network.updating import updated

PLATES = Path(__file__).parents[1] / "data" / "network_plates.yaml"


def _pair(correlation: float = 0.0, size: float = 8.0) -> Network:
    return network_from_tables(
        {"dry": ["no", "yes"], "fire": ["none", "small", "large"]},
        {"fire": ["dry"]},
        {"dry": [0.7, 0.3], "fire": [[0.9, 0.08, 0.02], [0.5, 0.3, 0.2]]},
        equivalent_sample_size=size,
        correlation=correlation,
    )


def _events(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["node", "given", "state", "count"])


SEEN = _events(
    ("fire", "dry=yes", "none", 2),
    ("fire", "dry=yes", "small", 4),
    ("fire", "dry=yes", "large", 2),
    ("dry", "", "yes", 3),
)


def test_reweighing_agrees_with_the_conjugate_update_where_rows_are_independent():
    net, size = _pair(), 20_000
    result = reweighed(table_bank(net, size, rng=2), net, SEEN, rng=3)
    assert result.reliable
    after = updated(net, SEEN)
    bank = table_bank(net, size, rng=2)
    for node in net.order:
        mean = after.tables[node]
        n = after.rules[node].row_sizes[..., None]
        sd = np.sqrt(mean * (1 - mean) / (n + 1))
        # The weighted mean's own standard error; 8 cells beyond 4.5 sd: false alarms below 1e-4.
        draws = bank.draws[node]
        weights = result.weights[node].reshape(-1, *([1] * (draws.ndim - 1)))
        reached = (weights * draws).sum(axis=0)
        error = np.sqrt((weights**2 * (draws - reached) ** 2).sum(axis=0))
        assert np.all(np.abs(reached - mean) < 4.5 * error + 1e-12)
        spread = np.sqrt((weights * (draws - reached) ** 2).sum(axis=0))
        np.testing.assert_allclose(spread, sd, rtol=0.12)
        # Resampling adds error of its own, here of the same order.
        np.testing.assert_allclose(result.bank.draws[node].mean(axis=0), mean, atol=0.01)


def test_effective_sample_size_falls_with_counts_and_is_all_draws_without_any():
    net = _pair()
    bank = table_bank(net, 1000, rng=2)
    none = reweighed(bank, net, _events(("dry", "", "no", 0)), rng=1)
    assert none.effective_sample_size == pytest.approx(1000)
    for index in none.index.values():
        np.testing.assert_array_equal(index, np.arange(1000))
    sizes = [
        reweighed(bank, net, _events(("dry", "", "yes", count)), rng=1).effective_sample_size
        for count in (1, 5, 25)
    ]
    assert 1000 > sizes[0] > sizes[1] > sizes[2]


def test_a_row_with_counts_speaks_of_the_rows_that_err_with_it():
    seen = _events(("fire", "dry=yes", "large", 12))
    shifts = []
    for correlation in (0.0, 0.9):
        net = _pair(correlation)
        bank = table_bank(net, 20_000, rng=2)
        result = reweighed(bank, net, seen, rng=1)
        other = bank.draws["fire"][:, 0, 2]
        shifts.append((result.weights["fire"] @ other - other.mean()) / other.std())
    # 12 counts leave some 500 effective draws: error of a shift .05, beyond 4 sd in 1 of 16,000 cases.
    assert abs(shifts[0]) < 0.2
    assert shifts[1] > 0.4


def test_the_bank_keeps_to_its_weights_its_order_and_its_joint_draws():
    net = load(PLATES)
    bank = table_bank(net, 2000, rng=5)
    seen = _events(
        ("trust__land__north__now", "support=declining", "accepting", 3),
        ("trust__ocean__south__now", "support=declining", "accepting", 2),
    )
    result = reweighed(bank, net, seen, rng=1)
    assert result.reliable
    again = reweighed(bank, net, seen, rng=1)
    assert list(result.weights) == ["trust"]
    # Systematic resampling: each draw within one of its weight times the size.
    taken = np.bincount(result.index["trust"], minlength=2000)
    assert np.all(np.abs(taken - 2000 * result.weights["trust"]) < 1.0)
    # What has no counts keeps its draws.
    np.testing.assert_array_equal(np.sort(result.index["support"]), np.arange(2000))
    assert np.all(np.diff(result.bank.summary) >= 0)
    for rule, draws in bank.draws.items():
        stream = net.rules[rule].stream
        np.testing.assert_array_equal(result.index[stream], again.index[stream])
        np.testing.assert_array_equal(result.bank.draws[rule], draws[result.index[stream]])
    # Both nodes share one rule: 5 acceptances out of 5 raise what it says of declining support.
    before, after = (b.draws["trust@first"][:, 0, 1].mean() for b in (bank, result.bank))
    assert after > before + 0.02
    # The rule of later periods has the same parameters and moves with it.
    before, after = (b.draws["trust"][:, 0, 0, 1].mean() for b in (bank, result.bank))
    assert after > before + 0.01
    drawn = sample(net, 50, tables=result.bank, rng=2)
    assert drawn.sizes["sample"] == 50
    assert reweighed(bank, net, seen, size=70, rng=1).bank.size == 70


def test_too_few_effective_draws_are_refused_in_words():
    net = _pair()
    bank = table_bank(net, 300, rng=2)
    seen = _events(("fire", "dry=no", "large", 30), ("fire", "dry=no", "small", 30))
    result = reweighed(bank, net, seen, rng=1)
    assert not result.reliable
    assert result.bank is None
    assert result.remark == (
        f"the events leave {result.effective_sample_size:.1f} effective draws of 300 for 'fire', fewer "
        "than 100: "
        "draw a larger bank, or update the tables themselves"
    )
    assert reweighed(bank, net, seen, least=1.0, rng=1).bank is not None


def test_reweighed_intervals_of_a_ranked_table_cover_the_truth():
    net = load(PLATES)
    size, trials = 1500, 300
    bank = table_bank(net, size, rng=6)
    truths = table_bank(net, trials, rng=7).draws["trust@first"][:, 0, 1]
    rng = np.random.default_rng(8)
    inside = 0
    for truth in truths:
        count = int(rng.binomial(20, truth))
        seen = _events(
            ("trust__land__north__now", "support=declining", "accepting", count),
            ("trust__land__north__now", "support=declining", "rejecting", 20 - count),
        )
        weights = reweighed(bank, net, seen, rng=1).weights["trust"]
        values = bank.draws["trust@first"][:, 0, 1]
        order = np.argsort(values)
        level = np.interp(truth, values[order], np.cumsum(weights[order]))
        inside += 0.05 < level < 0.95
    # Binomial(300, .9) lies outside 250 to 288 with probability 2e-4.
    assert 250 <= inside <= 288


@pytest.mark.parametrize("size", [0, 2.5, True])
def test_a_size_that_is_none(size):
    net = _pair()
    with pytest.raises(InputError) as caught:
        reweighed(table_bank(net, 10, rng=1), net, SEEN, size=size)
    assert str(caught.value) == f"draws of the reweighed bank: got {size!r}; allowed: a positive integer"


def test_a_bank_of_another_network():
    other = network_from_tables({"dry": ["no", "yes"]}, {}, {"dry": [0.7, 0.3]}, equivalent_sample_size=5)
    with pytest.raises(InputError) as caught:
        reweighed(table_bank(other, 10, rng=1), _pair(), SEEN)
    assert str(caught.value) == "table bank of another network: got 'fire'; allowed: the network's own rules"
    shapes = network_from_tables(
        {"dry": ["no", "yes", "very"], "fire": ["no", "yes"]},
        {},
        {"dry": [0.7, 0.2, 0.1], "fire": [0.9, 0.1]},
        equivalent_sample_size=5,
    )
    with pytest.raises(InputError) as caught:
        reweighed(table_bank(shapes, 10, rng=1), _pair(), SEEN)
    assert "table bank of another network: got 'dry'; allowed: (2,)" in str(caught.value)


def test_events_that_no_draw_allows():
    net = network_from_tables({"dry": ["no", "yes"]}, {}, {"dry": [1.0, 0.0]}, equivalent_sample_size=5)
    with pytest.raises(InputError) as caught:
        reweighed(table_bank(net, 10, rng=1), net, _events(("dry", "", "yes", 1)))
    assert str(caught.value).startswith(
        "events that every draw of the bank holds impossible: got 'dry'; a state with counts has"
    )


def test_streams_are_weighed_apart_and_stay_independent():
    net = load(PLATES)
    bank = table_bank(net, 3000, rng=4)
    first = _events(("ambition__now", "", "low", 9), ("ambition__now", "", "high", 3))
    second = _events(("support__north__now", "ambition=low", "rising", 3))
    both = reweighed(bank, net, pd.concat([first, second]), rng=1)
    for seen, stream in ((first, "ambition"), (second, "support")):
        alone = reweighed(bank, net, seen, rng=1)
        np.testing.assert_array_equal(both.weights[stream], alone.weights[stream])
        assert both.effective[stream] == alone.effective_sample_size
    assert both.effective_sample_size == min(both.effective.values())
    # One weight for all: fewer draws than either keeps.
    joint = both.weights["ambition"] * both.weights["support"]
    assert joint.sum() ** 2 / (joint**2).sum() < both.effective_sample_size
    a, b = both.bank.draws["ambition@first"][:, 0], both.bank.draws["support@first"][:, 0, 2]
    # Independent in 300 effective draws or more: a correlation beyond .26 in fewer than 1 in 100,000.
    assert min(both.effective.values()) > 300
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.26
