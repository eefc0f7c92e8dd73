from __future__ import annotations

import warnings

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import evidence_probability, marginals, network_from_tables, query

NETWORKS = 240


def _random_conditions(net, rng):
    """Evidence (hard or soft) and interventions anywhere, often on parents of each other."""
    names = [str(name) for name in rng.permutation(list(net.order))]
    n_do, n_evidence = int(rng.integers(0, 3)), int(rng.integers(0, 3))

    def pick(name):
        return str(rng.choice(net.nodes[name].states))

    do = {name: pick(name) for name in names[:n_do]}
    if do and rng.random() < 0.5:
        target = next(iter(do))
        for parent in net.nodes[target].parents[:1]:
            do[parent] = pick(parent)
    evidence = {}
    for name in names[n_do : n_do + n_evidence]:
        if name in do:
            continue
        if rng.random() < 0.25:
            evidence[name] = {state: float(rng.random()) for state in net.nodes[name].states}
        else:
            evidence[name] = pick(name)
    return evidence, do


@pytest.mark.parametrize("block", range(8))
def test_query_and_marginals_equal_enumeration_on_random_networks(block, random_network, enumerate_joint):
    rng = np.random.default_rng(100 + block)
    impossible = related = 0
    for _ in range(NETWORKS // 8):
        net = random_network(rng)
        evidence, do = _random_conditions(net, rng)
        related += any(parent in do for target in do for parent in net.nodes[target].parents)
        total, expected = enumerate_joint(net, evidence, do)
        # Soft evidence counts with its largest likelihood scaled to one.
        scale = np.prod([max(v.values()) for v in evidence.values() if isinstance(v, dict)])
        assert evidence_probability(net, evidence, do) == pytest.approx(total / scale, abs=1e-12)
        if total == 0.0:
            impossible += 1
            with pytest.raises(InputError, match="impossible evidence"):
                query(net, net.order[0], evidence, do)
            continue
        got = query(net, list(net.order), evidence, do)
        table = marginals(net, evidence=evidence, do=do)
        for name, values in expected.items():
            assert list(got[name].index) == list(net.nodes[name].states)
            np.testing.assert_allclose(got[name].to_numpy(), values, atol=1e-12)
            np.testing.assert_allclose(table.loc[table.node == name, "probability"], values, atol=1e-12)
    assert impossible < NETWORKS // 8
    assert related > 0, "no network had a do-target that is another's parent"


def test_two_do_targets_where_pgmpy_causal_inference_is_wrong(enumerate_joint):
    # A -> B, A -> C, B -> C; do on A and on its child B (pgmpy issue 3543, with our own numbers).
    net = network_from_tables(
        {"a": ["n", "y"], "b": ["n", "y"], "c": ["n", "y"]},
        {"b": ["a"], "c": ["a", "b"]},
        {
            "a": [0.6, 0.4],
            "b": [[0.7, 0.3], [0.2, 0.8]],
            "c": [[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.0, 1.0]]],
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.inference import CausalInference
    theirs = CausalInference(net.model).query(["c"], do={"a": "y", "b": "y"}, show_progress=False)
    ours = query(net, "c", do={"a": "y", "b": "y"})["c"]
    assert ours["y"] == pytest.approx(1.0)
    assert enumerate_joint(net, {}, {"a": "y", "b": "y"})[1]["c"][1] == pytest.approx(1.0)
    # Fails when pgmpy mends it; then the note in inference.py can go.
    assert abs(theirs.get_value(c="y") - 1.0) > 0.05


def test_evidence_outside_the_adjustment_set_where_pgmpy_is_wrong(enumerate_joint):
    # The sprinkler: do(sprinkler) with rain observed; given both, wet grass is the table's entry.
    net = network_from_tables(
        {name: ["n", "y"] for name in ("cloudy", "sprinkler", "rain", "wet")},
        {"sprinkler": ["cloudy"], "rain": ["cloudy"], "wet": ["sprinkler", "rain"]},
        {
            "cloudy": [0.5, 0.5],
            "sprinkler": [[0.5, 0.5], [0.9, 0.1]],
            "rain": [[0.8, 0.2], [0.2, 0.8]],
            "wet": [[[1.0, 0.0], [0.1, 0.9]], [[0.1, 0.9], [0.01, 0.99]]],
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.inference import CausalInference
    theirs = CausalInference(net.model).query(
        ["wet"], do={"sprinkler": "y"}, evidence={"rain": "y"}, show_progress=False
    )
    ours = query(net, "wet", {"rain": "y"}, {"sprinkler": "y"})["wet"]
    assert ours["y"] == pytest.approx(0.99, abs=1e-12)
    assert abs(theirs.get_value(wet="y") - 0.99) > 0.005


def test_shipped_network_query_and_marginals_agree(governance):
    target = "deployment_mode__nature__arid_zones__long_term"
    cases = [
        ({}, {}),
        ({"deployment_mode__ocean__open_ocean__long_term": "collapse"}, {}),
        (
            {},
            {
                "policy_support__arid_zones__mid_term": "declining",
                "carbon_price_regime__near_term": "collapsed",
            },
        ),
        (
            {name: "throttled" for name in governance.order if name.startswith("deployment_mode__nature__")
             and name.endswith("mid_term")},
            {"mrv_breakthrough__near_term": "present"},
        ),
    ]  # fmt: skip
    for evidence, do in cases:
        # One keeps the target and sums up once, the other sweeps back or keeps other nodes besides.
        single = query(governance, target, evidence, do)[target]
        table = marginals(governance, evidence=evidence, do=do)
        np.testing.assert_allclose(
            table.loc[table.node == target, "probability"], single.to_numpy(), atol=1e-12
        )


def test_marginals_table_names_where_each_node_stands(governance):
    table = marginals(governance)
    assert list(table.columns) == ["node", "base", "class", "region", "period", "state", "probability"]
    np.testing.assert_allclose(table.groupby("node").probability.sum(), 1.0, atol=1e-12)
    row = table[table.node == "deployment_mode__ocean__open_ocean__mid_term"].iloc[1]
    assert tuple(row[["base", "class", "region", "period", "state"]]) == (
        "deployment_mode", "ocean", "open_ocean", "mid_term", "throttled",
    )  # fmt: skip
    assert set(table.loc[table.base == "climate_shock", "region"]) == {""}


def test_falling_support_and_resistance_lead_to_passive_redundancy(governance):
    # Section 4.2 of the review: "declining policy support or growing societal resistance".
    mode = "deployment_mode__geological__north_america__mid_term"
    support = "policy_support__north_america__mid_term"
    acceptance = "public_acceptance__geological__north_america__mid_term"

    def fallen(evidence):
        probabilities = query(governance, mode, evidence)[mode]
        return probabilities["passive_redundancy"] + probabilities["collapse"]

    usual = fallen({support: "stable", acceptance: "mixed"})
    assert fallen({support: "declining", acceptance: "mixed"}) > usual + 0.2
    assert fallen({support: "stable", acceptance: "resistant"}) > usual + 0.2


def test_intervention_does_not_speak_of_causes_but_evidence_does(governance):
    support, ambition = "policy_support__arid_zones__near_term", "climate_ambition__near_term"
    prior = query(governance, ambition)[ambition]
    done = query(governance, ambition, do={support: "declining"})[ambition]
    seen = query(governance, ambition, {support: "declining"})[ambition]
    np.testing.assert_allclose(done, prior, atol=1e-12)
    assert seen["low"] > prior["low"] + 0.05


def test_impossible_evidence_names_a_smallest_clash():
    net = network_from_tables(
        {"a": ["n", "y"], "b": ["n", "y"], "c": ["n", "y"]},
        {"b": ["a"]},
        {"a": [0.5, 0.5], "b": [[1.0, 0.0], [0.3, 0.7]], "c": [0.5, 0.5]},
    )
    with pytest.raises(InputError) as caught:
        query(net, "c", {"c": "n", "a": "n", "b": "y"})
    assert "impossible evidence: its probability is zero" in str(caught.value)
    assert "a=n together with b=y" in str(caught.value)
    assert "c=n" not in str(caught.value)
    with pytest.raises(InputError, match=r"'b=y under do\(a=n\)'"):
        marginals(net, evidence={"b": "y"}, do={"a": "n"})


def test_unknown_nodes_and_states_are_refused_together_with_a_suggestion(governance):
    with pytest.raises(InputError) as caught:
        query(
            governance,
            ["policy_suport__arid_zones__near_term"],
            {"climate_shock__near_term": "shok"},
        )
    assert "did you mean 'policy_support__arid_zones__near_term'?" in str(caught.value)
    with pytest.raises(InputError) as caught:
        query(
            governance,
            ["climate_shock__near_term"],
            {"climate_shock__near_term": "shok", "climate_ambition__near_term": "low"},
            {"climate_ambition__near_term": "low", "climate_ambition__mid_term": "hig"},
        )
    message = str(caught.value)
    assert "3 problems" in message
    assert "got 'shok'; allowed: none, shock; did you mean 'shock'?" in message
    assert "evidence on a node that is set by do: got 'climate_ambition__near_term'" in message
    assert "did you mean 'high'?" in message
    with pytest.raises(InputError, match="likelihood of soft evidence"):
        query(
            governance, "climate_shock__near_term", {"climate_shock__near_term": {"none": 1.0, "shock": -1.0}}
        )


def test_exact_inference_refuses_a_hopeless_network():
    # Thirty causes with one common effect each pair: a grid of dense cliques.
    rng = np.random.default_rng(3)
    roots = [f"r{i}" for i in range(30)]
    states = {name: ["a", "b", "c", "d"] for name in roots}
    parents, tables = {}, {name: np.full(4, 0.25) for name in roots}
    for i in range(30):
        for j in range(i):
            states[f"e{i}x{j}"] = ["a", "b"]
            parents[f"e{i}x{j}"] = [roots[i], roots[j]]
            tables[f"e{i}x{j}"] = rng.dirichlet([1, 1], size=(4, 4))
    net = network_from_tables(states, parents, tables)
    with pytest.raises(InputError, match="exact inference would need too large a table"):
        marginals(net)
