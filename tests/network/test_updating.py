from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.network import Network, load, network_from_tables, query, reweighed, table_bank
from sinkrisk.network.tables import TableRule
from sinkrisk.network.updating import full_rule, row_sizes, updated

PLATES = Path(__file__).parents[1] / "data" / "network_plates.yaml"


@pytest.fixture(scope="module")
def net() -> Network:
    return load(PLATES)


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


FIRES = _events(
    ("fire", "dry=yes", "none", 4), ("fire", "dry=yes", "small", 9), ("fire", "dry=yes", "large", 7)
)


def test_row_sizes_of_equal_numbers_draw_what_one_number_draws():
    mean = np.array([[0.9, 0.08, 0.02], [0.5, 0.5, 0.0]])
    one = TableRule("t", mean, 8.0, 0.5)
    rows = TableRule("t", mean, 3.0, 0.5, row_sizes=np.full(2, 8.0))
    a, b = (rule.draw(50, np.random.default_rng(2)) for rule in (one, rows))
    np.testing.assert_array_equal(a, b)


def test_closed_form_of_the_posterior():
    after = updated(_pair(), FIRES)
    # Dirichlet(8 x (.5, .3, .2) + (4, 9, 7)) = Dirichlet(8, 11.4, 8.6), of size 28.
    np.testing.assert_allclose(after.tables["fire"][1], np.array([8.0, 11.4, 8.6]) / 28.0, rtol=1e-14)
    np.testing.assert_allclose(after.tables["fire"][0], [0.9, 0.08, 0.02], rtol=1e-14)
    np.testing.assert_array_equal(after.rules["fire"].row_sizes, [8.0, 28.0])
    assert after.nodes["fire"].equivalent_sample_size == 8.0
    assert after.nodes["fire"].rationale == "Updated by 20 events (own table)."
    assert after.nodes["dry"] == _pair().nodes["dry"]


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_a_bank_of_the_updated_network_has_the_posterior_mean_and_sd(correlation):
    size = 4000
    after = updated(_pair(correlation), FIRES)
    draws = table_bank(after, size, rng=4).draws["fire"]
    for row, alpha in ((0, [7.2, 0.64, 0.16]), (1, [8.0, 11.4, 8.6])):
        alpha = np.array(alpha)
        total = alpha.sum()
        sd = np.sqrt(alpha * (total - alpha) / (total**2 * (total + 1)))
        error = np.abs(draws[:, row].mean(axis=0) - alpha / total)
        # Six normal tails beyond 4.5 in each of two cases: false alarms below 1e-4.
        assert np.all(error < 4.5 * sd / np.sqrt(size))
        # The sd's own error is below 4 % even for the heavy tail of Beta(.16, 7.84) (kurtosis about 40).
        np.testing.assert_allclose(draws[:, row].std(axis=0), sd, rtol=0.2 if row == 0 else 0.06)
    # Kolmogorov-Smirnov at 1e-4.
    assert stats.kstest(draws[:, 1, 2], stats.beta(8.6, 19.4).cdf).pvalue > 1e-4


def test_one_update_after_another_is_one_update_with_both(random_network):
    rng = np.random.default_rng(8)
    for _ in range(20):
        plain = random_network(rng, zeros=False)
        net = network_from_tables(
            plain.states,
            {n: node.parents for n, node in plain.nodes.items()},
            plain.tables,
            equivalent_sample_size=7.0,
            correlation=0.3,
        )
        first, second = (_random_events(net, rng, source) for source in ("first", "second"))
        both = pd.concat([first, second])
        for local in (False, True):
            one = updated(updated(net, first, local=local), second, local=local)
            joint = updated(net, both, local=local)
            for name in net.order:
                np.testing.assert_allclose(one.tables[name], joint.tables[name], atol=1e-14)
                a, b = (row_sizes(n.rules[n.nodes[name].rule]) for n in (one, joint))
                np.testing.assert_allclose(a, b, rtol=1e-14)


def _random_events(net: Network, rng: np.random.Generator, source: str, rows: int = 25) -> pd.DataFrame:
    lines = {}
    for _ in range(rows):
        node = net.nodes[str(rng.choice(net.order))]
        given = "; ".join(f"{p}={rng.choice(net.nodes[p].states)}" for p in node.parents)
        lines[(node.name, given, str(rng.choice(node.states)))] = int(rng.integers(0, 6))
    table = pd.DataFrame([(*key, count) for key, count in lines.items()])
    return table.set_axis(["node", "given", "state", "count"], axis=1).assign(source=source)


def test_counts_of_a_plate_are_pooled_or_stay_with_their_node(net):
    given = "ambition=low; support@previous=stable"
    seen = _events(
        ("support__north__later", given, "rising", 5),
        ("support__south__last", given, "stable", 3),
        ("support__west__now", "ambition=low", "rising", 2),
    )
    pooled = updated(net, seen)
    alpha = 12 * np.array([0.2, 0.6, 0.2]) + [0, 3, 5]
    for node in ("support__north__later", "support__south__last", "support__north__last"):
        np.testing.assert_allclose(pooled.tables[node][0, 1], alpha / 20, rtol=1e-14)
        np.testing.assert_array_equal(pooled.tables[node][1], net.tables[node][1])
    # The override of the west has a rule of its own, used there in the first period only.
    np.testing.assert_allclose(pooled.tables["support__west__now"][0], np.array([1.2, 4.8, 8.0]) / 14)
    assert pooled.tables["support__north__now"] is net.tables["support__north__now"]
    assert set(pooled.rules) == set(net.rules)

    local = updated(net, seen, local=True)
    north = 12 * np.array([0.2, 0.6, 0.2]) + [0, 0, 5]
    np.testing.assert_allclose(local.tables["support__north__later"][0, 1], north / 17, rtol=1e-14)
    south = 12 * np.array([0.2, 0.6, 0.2]) + [0, 3, 0]
    np.testing.assert_allclose(local.tables["support__south__last"][0, 1], south / 15, rtol=1e-14)
    np.testing.assert_array_equal(local.tables["support__north__last"], net.tables["support__north__last"])
    assert local.nodes["support__north__later"].rule == "support|support__north__later"
    # Nobody else has the rule: it stays where it is.
    assert local.nodes["support__west__now"].rule == net.nodes["support__west__now"].rule
    # What is not updated is drawn as before, and a table of its own still errs with its plate's.
    before, after = table_bank(net, 300, rng=3), table_bank(local, 300, rng=3)
    for name in ("ambition", "fuss", "trust"):
        np.testing.assert_array_equal(np.sort(before.draws[name], axis=0), np.sort(after.draws[name], axis=0))
    own, plate = (after.draws[local.nodes[n].rule][:, 0, 1, 0] for n in list(local.nodes) if n in _TWO)
    # Independent tables would correlate by more than 0.3 in fewer than 1 in 1e6 cases.
    assert stats.spearmanr(own, plate).statistic > 0.3


_TWO = ("support__north__later", "support__north__last")


def test_events_without_a_count_change_nothing(net):
    seen = _events(("ambition__now", "", "low", 0))
    after = updated(net, seen)
    np.testing.assert_array_equal(after.tables["ambition__now"], net.tables["ambition__now"])
    a, b = (table_bank(n, 20, rng=1) for n in (net, after))
    for rule in net.rules:
        np.testing.assert_array_equal(a.draws[rule], b.draws[rule])


def test_drawn_tables_are_matched_by_moments_when_asked(net):
    for name in ("trust", "trust@first", "fuss"):
        rule = net.rules[name]
        full = full_rule(rule)
        assert full.ranked is None
        assert full.noisy is None
        np.testing.assert_array_equal(full.mean, rule.mean)
        size = 4000
        a, b = (r.draw(size, np.random.default_rng(5)) for r in (rule, full))
        total = [x.var(axis=0).sum(axis=-1) for x in (a, b)]
        # Variances of 1,024 (matched) and 4,000 draws: errors of about 5 and 3 %, tails allowed for.
        np.testing.assert_allclose(total[1], total[0], rtol=0.3)
        # The doubt of a mean over rows, which independent rows would average away.
        flat = [x[..., 0].reshape(size, -1).mean(axis=1).std() for x in (a, b)]
        assert flat[1] == pytest.approx(flat[0], rel=0.25)


def test_counts_move_a_ranked_table_made_full(net):
    node = "trust__land__north__now"
    seen = _events((node, "support=rising", "accepting", 40))
    after = updated(net, seen, ranked="full")
    rule = full_rule(net.rules[net.nodes[node].rule])
    s, m = rule.row_sizes[2], rule.mean[2, 1]
    assert after.tables[node][2, 1] == pytest.approx((s * m + 40) / (s + 40), rel=1e-12)
    np.testing.assert_allclose(after.tables[node][:2], net.tables[node][:2], rtol=1e-12)
    before, now = (query(n, node)[node]["accepting"] for n in (net, after))
    assert now > before


def _message(net: Network, events: pd.DataFrame, **options) -> str:
    with pytest.raises(InputError) as caught:
        updated(net, events, **options)
    return str(caught.value)


def test_every_table_that_cannot_be_updated_is_named_at_once(net):
    seen = _events(
        ("trust__land__north__now", "support=rising", "accepting", 4),
        (
            "fuss__north__now",
            "trust__land__north__now=rejecting; trust__ocean__north__now=rejecting",
            "some",
            1,
        ),
        ("support__north__later", "ambition=low; support@previous=rising", "declining", 2),
    )
    message = _message(net, seen)
    assert message.startswith("3 problems:")
    assert (
        "node 'trust__land__north__now': no conjugate update of a ranked table, which draws its parameters; "
        "reweigh a bank of table draws, or ask for ranked='full'"
    ) in message
    assert "node 'fuss__north__now': no conjugate update of a noisy-max table" in message
    assert (
        "node 'support__north__later': counts of a state that the table holds impossible: got 'declining "
        "given ambition=low; support@previous=rising'; no count makes a probability of nought positive"
    ) in message


def test_a_certain_table_does_not_learn():
    assert _message(_pair(size=np.inf), FIRES) == (
        "row 1: node 'fire': counts cannot move a table that is certain: got 'equivalent sample size inf'; "
        "give the table a finite equivalent sample size"
    )


def test_an_unknown_way_with_ranked_tables():
    assert _message(_pair(), FIRES, ranked="fulll") == (
        "what becomes of ranked tables: got 'fulll'; allowed: refuse, full; did you mean 'full'?"
    )


def test_rows_that_share_a_deviation_and_have_no_counts_are_told_of():
    # The two ways to learn disagree on the row without counts, by the numbers of the docstrings.
    net = network_from_tables(
        {"a": ["x", "y"], "b": ["n", "y"]},
        {"b": ["a"]},
        {"a": [0.5, 0.5], "b": [[0.8, 0.2], [0.8, 0.2]]},
        equivalent_sample_size=10.0,
        correlation=0.5,
    )
    some = _events(("b", "a=x", "n", 10), ("b", "a=x", "y", 30))
    after = updated(net, some)
    np.testing.assert_allclose(after.tables["b"][:, 1], [0.64, 0.20], rtol=1e-12)
    drawn = reweighed(table_bank(net, 100_000, rng=1), net, some, rng=1)
    # Some 480 effective draws of sd .15 at most: a standard error of .007, six of them.
    np.testing.assert_allclose(drawn.bank.draws["b"][:, :, 1].mean(axis=0), [0.64, 0.39], atol=0.042)
    note = after.nodes["b"].rationale
    assert "1 of 2 rows without events were left as stated" in note
    assert "(correlation 0.5): reweighed" in note
    both = _events(("b", "a=x", "y", 3), ("b", "a=y", "y", 3))
    assert "left as stated" not in updated(net, both).nodes["b"].rationale
    assert "left as stated" not in updated(_pair(0.0), FIRES).nodes["fire"].rationale
