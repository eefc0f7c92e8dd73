from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import Network, load, network_from_tables, table_bank
from sinkrisk.network.opinion_tables import pooled_table
from sinkrisk.network.opinions import pool

PLATES = Path(__file__).parents[1] / "data" / "network_plates.yaml"
STATES = ("declining", "stable", "rising")
GIVEN = "ambition=low; support@previous=stable"
SAID = {"ann": (0.5, 0.3, 0.2), "bob": (0.2, 0.5, 0.3), "cem": (0.3, 0.3, 0.4)}


@pytest.fixture(scope="module")
def net() -> Network:
    return load(PLATES)


def _table(said: dict[str, tuple[float, ...]], node: str = "support__north__later", **more) -> pd.DataFrame:
    rows = [
        {"expert": expert, "node": node, "given": GIVEN, "state": state, "probability": p} | more
        for expert, row in said.items()
        for state, p in zip(STATES, row, strict=True)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("method", ["linear", "logarithmic"])
def test_a_row_of_a_plate_is_replaced_by_the_pool(net, method):
    after, summary = pooled_table(net, _table(SAID), method=method)
    row = pool(list(SAID.values()), method=method)
    for node in ("support__north__later", "support__south__last"):
        np.testing.assert_allclose(after.tables[node][0, 1], row.probabilities, rtol=1e-14)
        # The row for high ambition, written once in the file with this one, is another row here.
        np.testing.assert_array_equal(after.tables[node][1], net.tables[node][1])
    sizes = after.rules["support"].row_sizes
    assert sizes[0, 1] == row.equivalent_sample_size
    assert set(np.delete(sizes.ravel(), 1)) == {12.0}
    assert summary["state"].tolist() == list(STATES)
    np.testing.assert_allclose(summary["stated"], net.tables["support__north__later"][0, 1])
    np.testing.assert_allclose(summary["pooled"], row.probabilities)
    np.testing.assert_allclose(summary["lowest"], [0.2, 0.3, 0.2])
    np.testing.assert_allclose(summary["highest"], [0.5, 0.5, 0.4])
    np.testing.assert_allclose(summary["sd"], np.std(list(SAID.values()), axis=0, ddof=1))
    np.testing.assert_allclose(summary["divergence"], row.divergence)
    np.testing.assert_allclose(summary["implied_size"], row.equivalent_sample_size)
    assert set(summary["stated_size"]) == {12.0}
    assert set(summary["experts"]) == {3}
    assert summary.attrs == {"method": method, "cap": 100.0}
    assert after.nodes["support__south__last"].rationale == "a test. Rows pooled from experts: 1 (own table)."


def test_doubt_of_the_pooled_row_is_that_of_the_experts(net):
    after, _ = pooled_table(net, _table(SAID))
    size = after.rules["support"].row_sizes[0, 1]
    draws = table_bank(after, 4000, rng=3).draws["support"][:, 0, 1]
    mean = np.array([1 / 3, 1.1 / 3, 0.3])
    # Sd of a Dirichlet of that size; three sds of 4,000 draws, each within 5 % but in 1 of 10,000 cases.
    np.testing.assert_allclose(draws.std(axis=0), np.sqrt(mean * (1 - mean) / (size + 1)), rtol=0.05)


def test_one_expert_keeps_the_size_of_the_row(net):
    after, summary = pooled_table(net, _table({"ann": SAID["ann"]}))
    np.testing.assert_allclose(after.tables["support__north__later"][0, 1], SAID["ann"])
    assert set(after.rules["support"].row_sizes.ravel()) == {12.0}
    assert summary["implied_size"].isna().all()
    assert summary["sd"].isna().all()


def test_a_node_may_have_its_own(net):
    after, _ = pooled_table(net, _table(SAID), local=True)
    np.testing.assert_array_equal(after.tables["support__south__last"], net.tables["support__south__last"])
    assert after.nodes["support__north__later"].rule == "support|support__north__later"
    both = pd.concat([_table(SAID), _table(SAID, "support__south__last")])
    apart, _ = pooled_table(net, both, local=True)
    np.testing.assert_array_equal(apart.tables["support__south__last"], after.tables["support__north__later"])


def test_weights_from_the_column_and_from_the_argument(net, tmp_path):
    table = _table(SAID)
    weights = {"ann": 1.0, "bob": 2.0, "cem": 0.0}
    path = tmp_path / "said.csv"
    table.assign(weight=table["expert"].map(weights)).to_csv(path, index=False)
    a, summary = pooled_table(net, path)
    b, _ = pooled_table(net, table, weights=weights)
    expected = (np.array(SAID["ann"]) + 2 * np.array(SAID["bob"])) / 3
    for n in (a, b):
        np.testing.assert_allclose(n.tables["support__north__later"][0, 1], expected, rtol=1e-14)
    assert set(summary["experts"]) == {2}


def test_a_veto_is_named(net):
    said = SAID | {"ann": (0.5, 0.5, 0.0)}
    after, summary = pooled_table(net, _table(said), method="logarithmic")
    assert after.tables["support__north__later"][0, 1, 2] == 0.0
    assert summary["vetoed_by"].tolist() == ["", "", "ann"]
    assert np.all(table_bank(after, 20, rng=1).draws["support"][:, 0, 1, 2] == 0.0)


def test_a_ranked_table_becomes_full_when_asked(net):
    node = "trust__land__north__now"
    said = pd.DataFrame(
        {
            "expert": ["ann", "ann", "bob", "bob"],
            "node": node,
            "support": "rising",
            "state": ["rejecting", "accepting"] * 2,
            "probability": [0.1, 0.9, 0.3, 0.7],
        }
    )
    after, _ = pooled_table(net, said, ranked="full")
    np.testing.assert_allclose(after.tables[node][2], [0.2, 0.8])
    np.testing.assert_array_equal(after.tables[node][:2], net.tables[node][:2])
    with pytest.raises(InputError) as caught:
        pooled_table(net, said)
    assert str(caught.value) == (
        f"node '{node}': opinions replace rows of full tables only: got 'trust@first'; "
        "ask for ranked='full', which makes it a full table first"
    )


def test_a_certain_table_is_replaced_whole_or_not_at_all():
    net = network_from_tables(
        {"dry": ["no", "yes"], "fire": ["no", "yes"]},
        {"fire": ["dry"]},
        {"dry": [0.7, 0.3], "fire": [[0.9, 0.1], [0.5, 0.5]]},
    )
    said = pd.DataFrame(
        [
            (expert, "fire", f"dry={dry}", state, p)
            for dry in ("no", "yes")
            for expert, row in (("ann", (0.8, 0.2)), ("bob", (0.6, 0.4)))
            for state, p in zip(("no", "yes"), row, strict=True)
        ],
        columns=["expert", "node", "given", "state", "probability"],
    )
    after, _ = pooled_table(net, said)
    assert math.isfinite(after.rules["fire"].equivalent_sample_size)
    assert table_bank(after, 50, rng=1).draws["fire"].std(axis=0).min() > 0
    with pytest.raises(InputError) as caught:
        pooled_table(net, said[:4])
    assert "node 'fire': opinions on some rows of a table that is certain" in str(caught.value)
    single, _ = pooled_table(net, said[:2])
    np.testing.assert_allclose(single.tables["fire"][0], [0.8, 0.2])
    assert math.isinf(single.rules["fire"].equivalent_sample_size)


def _message(net: Network, table: pd.DataFrame, **options) -> str:
    with pytest.raises(InputError) as caught:
        pooled_table(net, table, **options)
    return str(caught.value)


def test_rows_that_do_not_sum_to_one_or_lack_a_state(net):
    message = _message(net, _table(SAID | {"bob": (0.2, 0.5, 0.4)}))
    assert message == (
        "row 4, key 'probability': expert 'bob' on support__north__later: probabilities do not sum to one: "
        "got 1.1; allowed: 1"
    )
    message = _message(net, _table(SAID).drop(index=4))
    assert message == (
        "row 4, key 'state': expert 'bob' on support__north__later: state without a probability: "
        "got 'declining, rising'; allowed: declining, stable, rising"
    )


def test_cells_are_checked_like_those_of_events(net):
    table = _table(SAID)
    table.loc[0, "probability"] = 1.5
    table.loc[1, "state"] = "stabel"
    table.loc[2, "node"] = "suport__north__later"
    table.loc[3, "expert"] = ""
    message = _message(net, table)
    assert message.startswith("4 problems:")
    assert (
        "row 1, key 'probability': probability out of range: got 1.5; allowed: at least 0 and at most 1"
        in message
    )
    assert "did you mean 'stable'?" in message
    assert "did you mean 'support__north__later'?" in message
    assert "row 4, key 'expert': empty cell" in message


def test_an_opinion_given_twice(net):
    table = _table(SAID)
    message = _message(net, pd.concat([table, table[:1].assign(probability=0.1)]))
    assert "row 10: row given twice" in message
    assert "the first is row 1; equal rows are told apart by expert" in message


def test_one_expert_through_two_nodes_of_a_plate(net):
    both = pd.concat([_table(SAID), _table({"ann": SAID["ann"]}, "support__south__last")])
    assert _message(net, both) == (
        "row 10, key 'node': expert 'ann' speaks of one row through two nodes that share a table: "
        "got 'support__north__later, support__south__last'; say it once, or ask for local=True"
    )


def test_weights_at_fault(net):
    table = _table(SAID)
    message = _message(net, table, weights={"ann": 1, "bob": 1, "cme": 1})
    assert (
        "key 'weights': weight of an unknown expert: got 'cme'; allowed: cem; did you mean 'cem'?" in message
    )
    assert "key 'weights': expert without a weight: got 'cem'" in message
    column = table["expert"].map({"ann": 1.0, "bob": 2.0, "cem": np.nan})
    assert _message(net, table.assign(weight=column)) == (
        "row 1, key 'weight': expert without a weight on a row where others have one: got 'cem'"
    )
    two = table.assign(weight=1.0)
    two.loc[0, "weight"] = 3.0
    assert "row 1, key 'weight': expert 'ann': two weights for one row: got '1.0, 3.0'" in _message(net, two)
    assert "nobody of positive weight speaks of a row" in _message(net, table.assign(weight=0.0))
    message = _message(net, table.assign(weight=1.0), weights={"ann": 1, "bob": 1, "cem": 1})
    assert "key 'weight': weights given twice" in message
    alone = pd.concat(
        [table[:3], _table({"bob": SAID["bob"]}).assign(given="ambition=high; support@previous=stable")]
    )
    assert _message(net, alone, weights={"ann": 1, "bob": 0}) == (
        "key 'weights': nobody of positive weight speaks of a row: "
        "got 'support__north__later given ambition=high; support@previous=stable'"
    )


def test_a_pool_without_a_possible_state_names_the_row(net):
    message = _message(net, _table({"ann": (1.0, 0.0, 0.0), "bob": (0.0, 0.5, 0.5)}), method="logarithmic")
    assert message.startswith(
        f"node 'support__north__later', {GIVEN}: logarithmic pool: the experts leave no state possible"
    )


def test_options_at_fault(net):
    message = _message(net, _table(SAID), method="geometric", cap=0)
    assert "unknown way of pooling: got 'geometric'" in message
    assert "cap of the equivalent sample size: got 0" in message
