"""Answers and files beside those of pyAgrum, an independent implementation in C++ (extra `agrum`)."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.network import evidence_probability, marginals, query
from sinkrisk.network.bif import read_bif
from sinkrisk.network.bifxml import read_bifxml, save_bifxml

gum = pytest.importorskip("pyagrum")

NETWORKS = 40


def agrum(net, do=None):
    """The network in pyAgrum; `do` by graph surgery there: arcs into the node erased, one state certain."""
    model = gum.BayesNet(net.name)
    for name, node in net.nodes.items():
        model.add(gum.LabelizedVariable(name, name, list(node.states)))
    for name, node in net.nodes.items():
        for parent in node.parents:
            model.addArc(parent, name)
    for name, node in net.nodes.items():
        # pyAgrum keeps parents in an order of its own and the first of its variables changes fastest.
        axes = [(*node.parents, name).index(other) for other in reversed(model.cpt(name).names)]
        model.cpt(name).fillWith(net.tables[name].transpose(axes).ravel().tolist())
    for name, state in (do or {}).items():
        for parent in net.nodes[name].parents:
            model.eraseArc(parent, name)
        model.cpt(name).fillWith([float(own == state) for own in net.nodes[name].states])
    return model


def answers(net, model, evidence):
    engine = gum.LazyPropagation(model)
    engine.setEvidence(
        {
            name: seen
            if isinstance(seen, str)
            else [seen.get(state, 0.0) for state in net.nodes[name].states]
            for name, seen in evidence.items()
        }
    )
    engine.makeInference()
    # Entry by entry: pyAgrum's own `toarray` uses what numpy 2.5 deprecates.
    found = {name: engine.posterior(name) for name in net.order}
    return {
        name: np.array([found[name][{name: state}] for state in net.nodes[name].states]) for name in found
    }


def random_case(net, rng):
    """Evidence on about a third of the nodes, half of it soft, and one or two interventions."""
    names = [str(name) for name in rng.permutation(list(net.order))]
    evidence, do = {}, {}
    for name in names[: len(names) // 3 + 1]:
        states = net.nodes[name].states
        if rng.random() < 0.5:
            evidence[name] = str(rng.choice(states))
        else:
            evidence[name] = {
                state: float(w) for state, w in zip(states, rng.random(len(states)), strict=True)
            }
    for name in names[len(names) // 3 + 1 :][: int(rng.integers(1, 3))]:
        do[name] = str(rng.choice(net.nodes[name].states))
    return evidence, do


@pytest.mark.parametrize("with_do", [False, True])
def test_queries_equal_those_of_pyagrum(random_network, with_do):
    compared = 0
    for seed in range(NETWORKS):
        rng = np.random.default_rng(seed)
        net = random_network(rng)
        evidence, do = random_case(net, rng)
        do = do if with_do else {}
        if evidence_probability(net, evidence, do) < 1e-12:
            continue
        theirs = answers(net, agrum(net, do), evidence)
        ours = query(net, list(net.order), evidence, do)
        swept = marginals(net, evidence=evidence, do=do).groupby("node", sort=False)["probability"].agg(list)
        for name in net.order:
            np.testing.assert_allclose(ours[name].to_numpy(), theirs[name], rtol=0.0, atol=1e-10)
            np.testing.assert_allclose(swept[name], theirs[name], rtol=0.0, atol=1e-10)
        compared += 1
    # Evidence that cannot occur together is rare, but must not have emptied the test.
    assert compared > NETWORKS // 2


def test_probability_of_evidence_equals_that_of_pyagrum(random_network):
    for seed in range(NETWORKS):
        net = random_network(np.random.default_rng(500 + seed), zeros=False)
        evidence = {
            net.order[-1]: net.nodes[net.order[-1]].states[0],
            net.order[0]: net.nodes[net.order[0]].states[1],
        }
        engine = gum.LazyPropagation(agrum(net))
        engine.setEvidence(evidence)
        assert evidence_probability(net, evidence) == pytest.approx(engine.evidenceProbability(), abs=1e-12)


def test_a_policy_lever_on_the_governance_network_equals_graph_surgery_in_pyagrum(governance):
    # One region and what it depends on, the global nodes: the rest of the network has no say in it.
    do = {"climate_ambition__mid_term": "high", "policy_support__arid_zones__near_term": "declining"}
    evidence = {
        "climate_shock__near_term": "shock",
        "public_acceptance__nature__arid_zones__mid_term": {
            "resistant": 0.7,
            "mixed": 0.2,
            "supportive": 0.1,
        },
    }
    # Two periods: with the third, pyAgrum runs for minutes, as it does not split noisy-max tables.
    targets = [
        name
        for name, node in governance.nodes.items()
        if node.region == "arid_zones" and node.period != "long_term"
    ]
    upstream = governance.ancestors([*targets, *do, *evidence])
    part = type(governance)(
        [node for name, node in governance.nodes.items() if name in upstream], governance.rules
    )
    theirs = answers(part, agrum(part, do), evidence)
    table = (
        marginals(governance, evidence=evidence, do=do).groupby("node", sort=False)["probability"].agg(list)
    )
    for name in targets:
        np.testing.assert_allclose(table[name], theirs[name], rtol=0.0, atol=1e-10)


def test_pyagrum_reads_our_bifxml_and_we_read_its_files(tmp_path, random_network):
    for seed in range(10):
        net = random_network(np.random.default_rng(800 + seed))
        # It writes six digits into BIFXML, all of them into BIF.
        for suffix, read, atol in (("bif", read_bif, 1e-15), ("bifxml", read_bifxml, 5e-6)):
            path = str(tmp_path / f"{seed}.{suffix}")
            gum.saveBN(agrum(net), path)
            again = read(path)
            for name in net.order:
                order = [again.nodes[name].parents.index(parent) for parent in net.nodes[name].parents]
                table = again.tables[name].transpose(*order, len(order))
                np.testing.assert_allclose(table, net.tables[name], rtol=0.0, atol=atol)
        model = gum.loadBN(str(save_bifxml(net, tmp_path / f"ours{seed}.bifxml")))
        for name, values in answers(net, model, {}).items():
            np.testing.assert_allclose(values, query(net, name)[name].to_numpy(), rtol=0.0, atol=1e-6)
