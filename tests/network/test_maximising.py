"""The most probable explanation against enumeration of every joint state."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import network_from_tables, propagation
from sinkrisk.network.maximising import explanation_table, most_probable


def _conditions(net, rng):
    names = [str(name) for name in rng.permutation(list(net.order))]
    n_do, n_evidence = int(rng.integers(0, 2)), int(rng.integers(0, 3))

    def pick(name):
        return str(rng.choice(net.nodes[name].states))

    do = {name: pick(name) for name in names[:n_do]}
    evidence = {}
    for name in names[n_do : n_do + n_evidence]:
        soft = {state: float(rng.random()) for state in net.nodes[name].states}
        evidence[name] = soft if rng.random() < 0.4 else pick(name)
    return evidence, do


def _joint(net, evidence, do):
    """Every joint state and its probability with the evidence, likelihoods with largest one."""
    nodes = net.nodes
    for combination in itertools.product(*(node.states for node in nodes.values())):
        state = dict(zip(nodes, combination, strict=True))
        weight = 1.0
        for name, node in nodes.items():
            code = node.states.index(state[name])
            if name in do:
                weight *= float(state[name] == do[name])
            else:
                weight *= net.tables[name][(*(nodes[p].states.index(state[p]) for p in node.parents), code)]
            seen = evidence.get(name)
            if isinstance(seen, str):
                weight *= float(state[name] == seen)
            elif seen is not None:
                weight *= seen[state[name]] / max(seen.values())
            if weight == 0.0:
                break
        yield state, weight


def _best(net, evidence, do, names):
    """Oracle: sum over the rest, then look for the largest; the probability of the evidence."""
    sums: dict[tuple[str, ...], float] = {}
    for state, weight in _joint(net, evidence, do):
        key = tuple(state[name] for name in names)
        sums[key] = sums.get(key, 0.0) + weight
    largest = max(sums.values())
    ties = [key for key, value in sums.items() if value >= largest * (1 - 1e-9)]
    return largest, ties, sum(sums.values())


def _check(net, evidence, do, names, got):
    largest, ties, total = _best(net, evidence, do, names)
    assert math.exp(got.log_probability) == pytest.approx(largest, rel=1e-10)
    assert math.exp(got.log_posterior) == pytest.approx(largest / total, rel=1e-10)
    assert got.ties == len(ties)
    found = [tuple(state[name] for name in names) for state in (got.states, *got.others)]
    assert len(set(found)) == len(found) == min(len(ties), 9)
    assert set(found) <= set(ties)


@pytest.mark.parametrize("block", range(4))
def test_explanations_equal_enumeration_on_random_networks(block, random_network):
    rng = np.random.default_rng(900 + block)
    explained = impossible = 0
    for _ in range(35):
        net = random_network(rng)
        if math.prod(len(node.states) for node in net.nodes.values()) > 3000:
            continue
        evidence, do = _conditions(net, rng)
        hard = [name for name, value in evidence.items() if isinstance(value, str)]
        free = [name for name in net.order if name not in do and name not in hard]
        if not free:
            continue
        if _best(net, evidence, do, free)[0] == 0.0:
            impossible += 1
            with pytest.raises(InputError, match="impossible evidence"):
                most_probable(net, evidence, do, relevant=False)
            continue
        explained += 1
        _check(net, evidence, do, free, most_probable(net, evidence, do, relevant=False))
        some = [name for name in free if rng.random() < 0.5] or free[:1]
        _check(net, evidence, do, some, most_probable(net, evidence, do, list(reversed(some))))
        above = {name: () if name in do else node.parents for name, node in net.nodes.items()}
        upstream = net.ancestors(evidence, above)
        causes = [name for name in free if name in upstream]
        if causes:
            got = most_probable(net, evidence, do, relevant=True)
            _check(net, evidence, do, causes, got)
            assert got.summed == len(free) - len(causes)
    assert explained >= 25
    assert impossible < 10


def test_ties_are_counted_and_listed():
    coin = {"a": ["h", "t"], "b": ["h", "t"], "c": ["h", "t"]}
    net = network_from_tables(coin, {}, {name: [0.5, 0.5] for name in coin})
    got = most_probable(net, {"c": "t"})
    assert (got.ties, len(got.others)) == (4, 3)
    assert got.states == {"a": "h", "b": "h"}
    assert "as probable as 3 others" in got.words
    many = {f"x{i}": ["h", "t"] for i in range(40)}
    net = network_from_tables(many, {}, {name: [0.5, 0.5] for name in many})
    got = most_probable(net)
    assert got.ties == 2**40
    assert len(got.others) == 8
    assert list(explanation_table(net, got)["tied"]).count("t") == 4


def test_best_joint_state_need_not_hold_the_best_single_states():
    net = network_from_tables(
        {"a": ["p", "q"], "b": ["x", "y", "z"]},
        {"b": ["a"]},
        {"a": [0.4, 0.6], "b": [[1.0, 0.0, 0.0], [0.34, 0.33, 0.33]]},
    )
    assert most_probable(net).states == {"a": "p", "b": "x"}
    assert most_probable(net, variables="a").states == {"a": "q"}


def test_a_chain_of_thousands_does_not_underflow():
    names = [f"n{i:04d}" for i in range(1500)]
    parents = {name: [before] for before, name in itertools.pairwise(names)}
    tables = {name: [[0.55, 0.45], [0.4, 0.6]] for name in names}
    tables[names[0]] = [0.5, 0.5]
    net = network_from_tables({name: ["s", "t"] for name in names}, parents, tables)
    got = most_probable(net, {names[-1]: "t"})
    # Staying in t all the way is best: 0.5 * 0.6^1499.
    assert got.log_probability == pytest.approx(math.log(0.5) + 1499 * math.log(0.6), rel=1e-12)
    assert set(got.states.values()) == {"t"}


def test_noisy_max_families_summed_over_are_split(enumerate_joint):
    rng = np.random.default_rng(4)
    causes = {f"c{i}": ["no", "yes"] for i in range(4)}
    push = rng.uniform(0.1, 0.9, size=4)
    table = np.ones((2, 2, 2, 2, 2))
    for code in itertools.product((0, 1), repeat=4):
        quiet = 0.9 * math.prod(1 - p for p, on in zip(push, code, strict=True) if on)
        table[code] = [quiet, 1 - quiet]
    net = network_from_tables(
        {**causes, "effect": ["no", "yes"], "seen": ["no", "yes"]},
        {"effect": list(causes), "seen": ["effect"]},
        {**{name: [0.7, 0.3] for name in causes}, "effect": table, "seen": [[0.8, 0.2], [0.3, 0.7]]},
    )
    evidence = {"seen": "yes"}
    for names in (["c0"], ["c1", "c3"], ["effect"], ["effect", *causes]):
        _check(net, evidence, {}, names, most_probable(net, evidence, variables=names))


def test_too_large_a_table_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(propagation, "MAX_CLIQUE_CELLS", 100)
    roots = {f"r{i}": ["a", "b"] for i in range(8)}
    parents = {f"e{i}{j}": [f"r{i}", f"r{j}"] for i in range(8) for j in range(i)}
    states = {**roots, **{name: ["a", "b"] for name in parents}}
    pair = np.random.default_rng(1).dirichlet([1, 1], size=(2, 2))
    tables = {name: pair if name in parents else [0.5, 0.5] for name in states}
    net = network_from_tables(states, parents, tables)
    with pytest.raises(InputError) as caught:
        most_probable(net)
    assert "the most probable explanation would need too large a table: got '256 cells" in str(caught.value)
    assert "relevant=True" in str(caught.value)
    with pytest.raises(InputError, match="explain fewer nodes"):
        most_probable(net, variables=[f"e{i}0" for i in range(1, 8)])
    assert most_probable(net, variables="r0").ties == 2


def test_bad_questions_are_refused():
    net = network_from_tables({"a": ["p", "q"], "b": ["p", "q"]}, {}, {"a": [0.4, 0.6], "b": [0.5, 0.5]})
    with pytest.raises(InputError) as caught:
        most_probable(net, {"a": "p"}, variables=["a", "c"])
    message = str(caught.value)
    assert "key 'variables': node to explain is fixed by evidence or do: got 'a'" in message
    assert "key 'variables': no such node in the network: got 'c'" in message
    with pytest.raises(InputError, match="no node to explain: none that matters is left unobserved"):
        most_probable(net, {"a": "p"}, relevant=True)
    with pytest.raises(InputError, match="no such state: got 'x'"):
        most_probable(net, {"a": "x"})
