"""Arguments that are none, or in the wrong place: told in one sentence, never a traceback of another."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sinkrisk import network
from sinkrisk.errors import InputError
from sinkrisk.network import network_from_tables, query, query_draws, sample, table_bank


@pytest.fixture(scope="module")
def net():
    return network_from_tables(
        {"rain": ["no", "some", "much"], "wet": ["no", "yes"]},
        {"wet": ["rain"]},
        {"rain": [0.5, 0.3, 0.2], "wet": [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]},
        equivalent_sample_size=10,
    )


def test_soft_evidence_comes_in_several_forms(net):
    expected = query(net, "wet", {"rain": {"no": 0.1, "some": 0.5, "much": 1.0}})["wet"]
    likelihoods = [0.1, 0.5, 1.0]
    states = ["no", "some", "much"]
    named = pd.Series(likelihoods, index=states)
    for soft in (likelihoods, tuple(likelihoods), np.array(likelihoods), named):
        pd.testing.assert_series_equal(query(net, "wet", {"rain": soft})["wet"], expected)


@pytest.mark.parametrize(
    ("soft", "message"),
    [
        ({"no": 0.1, "some": 0.5}, "soft evidence lacks a state.*much: a state left out is not taken"),
        ([0.1, 0.5], "soft evidence of another number of states: got 2"),
        (["a", "b", "c"], "likelihood of soft evidence"),
        ({"no": "0.1", "some": 0.5, "much": 1.0}, "likelihood of soft evidence"),
        ({"no": 0.1, "some": 0.5, "lots": 1.0}, "no such state: got 'lots'"),
        ([0.0, 0.0, 0.0], "one positive"),
        ([[0.1], [0.5], [1.0]], "likelihood of soft evidence"),
        (3, "no such state: got 3"),
        (None, "no such state: got 'NoneType'"),
    ],
)
def test_soft_evidence_that_is_none(net, soft, message):
    with pytest.raises(InputError, match=message):
        query(net, "wet", {"rain": soft})


@pytest.mark.parametrize("wrong", [["rain"], "rain", pd.Series({"rain": "no"}), 3])
def test_evidence_and_do_are_mappings(net, wrong):
    with pytest.raises(InputError, match="key 'evidence': evidence is no mapping"):
        query(net, "wet", wrong)
    with pytest.raises(InputError, match="key 'do': do is no mapping"):
        query(net, "wet", do=wrong)


def test_variables_are_names(net):
    for wrong in (None, 3):
        with pytest.raises(InputError, match="allowed: a list of names"):
            query(net, wrong)
    with pytest.raises(InputError, match="name of a node is no text: got 'list'"):
        query(net, [["wet"]])
    bank = table_bank(net, 2, rng=1)
    with pytest.raises(InputError, match="name of a node is no text: got 'list'"):
        query_draws(net, ["wet"], bank)
    with pytest.raises(InputError, match="not a bank of tables: got 'NoneType'"):
        query_draws(net, "wet", None)


@pytest.mark.parametrize(
    "ask",
    [
        lambda net: query(net, "wet"),
        lambda net: network.marginals(net),
        lambda net: network.most_probable(net),
        lambda net: sample(net, 2),
        lambda net: network.save_xdsl(net, "x.xdsl"),
        lambda net: network.save_bifxml(net, "x.xml"),
        lambda net: table_bank(net, 2),
        lambda net: network.load_scenarios(net),
        lambda net: network.causes(net, {"wet": "yes"}),
        lambda net: network.entry_sensitivity(net, "wet", "yes"),
        lambda net: network.separated(net, "rain", "wet"),
    ],
)
def test_a_path_is_no_network(ask):
    with pytest.raises(InputError, match=r"not a network: got 'mine\.yaml'.*network\.load\(path\) reads one"):
        ask("mine.yaml")


def test_sizes_that_no_memory_holds_are_refused_at_once(net):
    with pytest.raises(InputError, match="table bank too large: got '1000000000000 draws"):
        table_bank(net, 10**12)
    with pytest.raises(InputError, match="number of samples too large: got 10000000000000"):
        sample(net, 10**13)
    with pytest.raises(InputError, match="u is no array of numbers: got 'str'"):
        sample(net, u="abc")
    with pytest.raises(InputError, match="rng': rng: got 'x'"):
        sample(net, 2, rng="x")
    assert repr(table_bank(net, 3)) == "TableBank(3 draws of 2 tables)"


def test_opinions_that_are_no_table(net):
    for wrong in ([[0.5, 0.5], [0.1]], "abc", [["a", "b"]]):
        with pytest.raises(InputError, match="opinions are no table of numbers"):
            network.pool(wrong)
    with pytest.raises(InputError, match="weights of experts"):
        network.pool([[0.5, 0.5]], weights=["a"])
    said = pd.DataFrame(
        {"expert": "a", "node": "rain", "state": ["no", "some", "much"], "probability": [0.2, 0.3, 0.5]}
    )
    with pytest.raises(InputError, match=r"weights: got .*a mapping of expert to weight"):
        network.pooled_table(net, said, weights=[1])


def test_events_separated_by_commas_get_the_hint():
    net = network_from_tables(
        {"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]},
        {"c": ["a", "b"]},
        {"a": [0.5, 0.5], "b": [0.5, 0.5], "c": np.full((2, 2, 2), 0.5)},
        equivalent_sample_size=10,
    )
    seen = pd.DataFrame({"node": ["c"], "given": ["a=x, b=y"], "state": ["x"], "count": [3]})
    with pytest.raises(InputError, match="separate the parents with ';'"):
        network.read_events(net, seen)
    sound = network.read_events(net, seen.assign(given="b=y; a=x"))
    assert sound.given[0] == "a=x; b=y"
    for least in (math.nan, "many", -1.0):
        with pytest.raises(InputError, match="least effective sample size"):
            network.reweighed(table_bank(net, 4), net, seen.assign(given="a=x; b=y"), least=least)


def test_numbers_of_ranges_are_whole(net):
    for wrong in ("all", 1.5, -1, True):
        with pytest.raises(InputError, match="number of ranges"):
            network.entry_sensitivity(net, "wet", "yes", ranges=wrong)


def test_files_go_to_files(net, tmp_path):
    for save in (network.save_xdsl, network.save_bifxml):
        with pytest.raises(InputError, match="a folder, not a file"):
            save(net, tmp_path)
        with pytest.raises(InputError, match="not a path: got 'int'"):
            save(net, 3)
    with pytest.raises(InputError, match="network file: got 'int'; allowed: a path"):
        network.load(3)
    with pytest.raises(InputError, match=r"network\.read_xdsl reads this file"):
        network.load(network.save_xdsl(net, tmp_path / "mine.xdsl"))


def test_long_explanations_are_cut_short():
    names = [f"n{k}" for k in range(12)]
    net = network_from_tables({n: ["a", "b"] for n in names}, {}, {n: [0.8, 0.2] for n in names})
    assert "n0=a, n1=a, n2=a, and 9 more nodes" in network.most_probable(net).words
    assert "n0, n1, n2 and 8 more" in network.separated(net, names[:11], "n11").words


def test_what_is_upstream_is_explained_unless_everything_is_asked_for(net):
    found = network.most_probable(net, {"rain": "no"}, relevant=False)
    assert found.states == {"wet": "no"}
    assert network.most_probable(net, {"wet": "yes"}).states == {"rain": "some"}
    assert network.most_probable(net, {"wet": "yes"}, relevant=False).states == {"rain": "some"}


def test_the_shipped_network_explains_a_collapse(governance):
    found = network.most_probable(governance, {"deployment_mode__ocean__open_ocean__near_term": "collapse"})
    assert found.states
    assert len(found.words) < 400


def test_counts_on_tables_that_cannot_learn_name_file_and_row(governance, tmp_path):
    path = tmp_path / "events.csv"
    name = "policy_support__arid_zones__near_term"
    path.write_text(
        "node,given,state,count\n"
        "disturbance__arid_zones__near_term,climate_shock=shock,shock,3\n"
        f"{name},governance_capacity=robust; climate_ambition=low,stable,3\n"
    )
    with pytest.raises(InputError, match=r"events\.csv, row 3: node 'policy_support.*no conjugate update"):
        network.updated(governance, path)
