"""Separation: against networkx on random graphs, and against the tables' own independences."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import Network, network_from_tables
from sinkrisk.network.separating import separated


def _network(edges, nodes="abcdefg"):
    """Two states each; the tables do not matter to separation."""
    parents = {node: [u for u, v in edges if v == node] for node in nodes}
    return network_from_tables(
        {node: ["n", "y"] for node in nodes},
        parents,
        {node: np.full((2,) * (len(parents[node]) + 1), 0.5) for node in nodes},
    )


def _random_dag(rng, count, density):
    names = [f"n{i}" for i in range(count)]
    edges = [(u, v) for u, v in itertools.combinations(names, 2) if rng.random() < density]
    return _network(edges, names), edges


def _question(net, rng):
    """Disjoint ends and given nodes; interventions that may be an end."""
    names = [str(name) for name in rng.permutation(list(net.order))]
    sizes = [
        int(rng.integers(1, 3)),
        int(rng.integers(1, 3)),
        int(rng.integers(0, 4)),
        int(rng.integers(0, 3)),
    ]
    edges = np.cumsum(sizes)
    a, b, given = names[: edges[0]], names[edges[0] : edges[1]], names[edges[1] : edges[2]]
    do = names[edges[2] : edges[3]]
    if rng.random() < 0.2:
        do = [*do, a[0]]
    return a, b, given, do


def _oracle(net, a, b, given, do):
    graph = nx.DiGraph(
        [(p, name) for name, node in net.nodes.items() if name not in do for p in node.parents]
    )
    graph.add_nodes_from(net.order)
    return nx.is_d_separator(graph, set(a), set(b), set(given) | (set(do) - set(a) - set(b)))


def _active(net, path, given, do):
    """Oracle for a path: every node on it lets news through, by the definition."""
    parents = {name: () if name in do else node.parents for name, node in net.nodes.items()}
    blocking = set(given) | (set(do) - {path[0], path[-1]})
    above = net.ancestors(blocking, parents)
    for u, v in itertools.pairwise(path):
        if not (u in parents[v] or v in parents[u]):
            return False
    for u, v, w in zip(path, path[1:], path[2:], strict=False):
        collider = u in parents[v] and w in parents[v]
        if (collider and v not in above) or (not collider and v in blocking):
            return False
    return True


@pytest.mark.parametrize("block", range(4))
def test_separation_equals_networkx_on_random_graphs(block):
    rng = np.random.default_rng(500 + block)
    both = [0, 0]
    for _ in range(150):
        net, _ = _random_dag(rng, int(rng.integers(7, 12)), float(rng.uniform(0.1, 0.4)))
        a, b, given, do = _question(net, rng)
        answer = separated(net, a, b, given, do)
        assert bool(answer) == answer.separated == _oracle(net, a, b, given, do)
        both[answer.separated] += 1
        if answer:
            assert answer.path == ()
            # What is named is enough, and all of it is needed.
            fixed = [name for name in answer.blocked_by if name not in do]
            held = [name for name in answer.blocked_by if name in do]
            assert set(fixed) <= set(given)
            graph = nx.DiGraph(
                [(p, name) for name, node in net.nodes.items() if name not in do for p in node.parents]
            )
            graph.add_nodes_from(net.order)
            assert nx.is_d_separator(graph, set(a), set(b), {*fixed, *held})
            for name in answer.blocked_by:
                assert not nx.is_d_separator(graph, set(a), set(b), {*fixed, *held} - {name})
            for name in answer.common_effects:
                assert not nx.is_d_separator(graph, set(a), set(b), {*fixed, *held, name})
        else:
            path = answer.path
            assert path[0] in a
            assert path[-1] in b
            assert len(set(path)) == len(path)
            assert _active(net, path, given, do)
            assert all(name in answer.words for name in path)
    assert min(both) > 20


def test_the_path_is_a_shortest_one():
    rng = np.random.default_rng(9)
    told = 0
    for _ in range(60):
        net, _ = _random_dag(rng, 6, 0.35)
        a, b, *given = (str(name) for name in rng.permutation(list(net.order))[:4])
        answer = separated(net, a, b, given)
        others = [name for name in net.order if name not in (a, b)]
        lengths = [
            count + 2
            for count in range(len(others) + 1)
            for between in itertools.permutations(others, count)
            if _active(net, (a, *between, b), given, [])
        ]
        assert answer.separated == (not lengths)
        if lengths:
            told += 1
            assert len(answer.path) == min(lengths)
    assert told > 10


def _joint(net: Network, do):
    """Joint table of all nodes in `net.order`, nodes of `do` uniform and cut."""
    axes = {name: i for i, name in enumerate(net.order)}
    operands = []
    for name, node in net.nodes.items():
        if name in do:
            operands += [np.full(len(node.states), 1.0 / len(node.states)), [axes[name]]]
        else:
            operands += [net.tables[name], [axes[p] for p in (*node.parents, name)]]
    return np.einsum(*operands, list(range(len(axes))))


def test_separation_equals_independence_of_the_tables(random_network):
    rng = np.random.default_rng(77)
    both = [0, 0]
    for _ in range(150):
        net = random_network(rng, zeros=False)
        names = [str(name) for name in rng.permutation(list(net.order))]
        given = names[2 : 2 + int(rng.integers(0, len(names) - 1))][:2]
        do = [name for name in names[2 + len(given) :][:1] if rng.random() < 0.5]
        answer = separated(net, names[0], names[1], given, do)
        held = [*given, *do]
        rest = tuple(i for i, name in enumerate(net.order) if name not in (*names[:2], *held))
        table = _joint(net, do).sum(axis=rest)
        left = [name for name in net.order if name in (*names[:2], *held)]
        # (a, b, combinations of what is held)
        table = np.moveaxis(table, [left.index(names[0]), left.index(names[1])], [0, 1])
        table = table.reshape(*table.shape[:2], -1)
        table = table / table.sum(axis=(0, 1))
        gap = np.abs(table - table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)).max()
        # Random tables make d-connected nodes dependent with probability one; seeds are fixed.
        assert answer.separated == (gap < 1e-10)
        both[answer.separated] += 1
    assert min(both) > 20


def test_told_in_plain_words():
    net = _network([("a", "b"), ("b", "c"), ("b", "d"), ("e", "d"), ("d", "f")])
    assert separated(net, "a", "b").words == (
        "a and b can depend on each other. The shortest path: a acts on b directly."
    )
    assert separated(net, "c", "a").words.endswith("a acts on c through the chain a -> b -> c.")
    assert "b is a common cause of c and d" in separated(net, "c", "d").words
    assert separated(net, "c", "d", "b").words == (
        "c and d are independent given b. Every path between them ends at b (given)."
    )
    opened = separated(net, "a", "e", "f")
    assert opened.path == ("a", "b", "d", "e")
    assert opened.words.endswith(
        "a and e both act on d (through b), which is observed through its descendant f (d -> f)."
    )
    assert separated(net, "a", "e").common_effects == ("d",)
    assert separated(net, "a", "g").words == "a and g are independent. No path joins them."


def test_interventions_cut_and_hold():
    net = _network([("a", "b"), ("b", "c"), ("d", "b"), ("d", "c")])
    cut = separated(net, "a", "c", do="b")
    assert cut
    assert cut.cut == ("b",)
    assert cut.blocked_by == ()
    # Observing b instead joins a and c through d: the cut is what keeps them apart.
    assert not separated(net, "a", "c", given="b")
    crossing = separated(net, "a", "d", given="c", do={"b": "y"})
    assert crossing
    assert crossing.cut == ("b",)
    assert "where setting b cut it off from its causes" in crossing.words
    # An end that is set: does what it is set to matter?
    assert not separated(net, "b", "c", do="b")
    assert separated(net, "b", "a", do="b").cut == ("b",)
    assert separated(net, "b", "a", do="b")


def test_several_common_effects_in_a_row_are_said():
    net = _network([("a", "b"), ("c", "b"), ("c", "d"), ("e", "d")])
    answer = separated(net, "a", "e")
    assert answer.words.endswith("Every path passes several unobserved common effects.")


def test_bad_questions_are_refused_together():
    net = _network([("a", "b")])
    with pytest.raises(InputError) as caught:
        separated(net, ["a", "aa"], [], given=["a", "b"], do=["b"])
    message = str(caught.value)
    assert "no such node in the network: got 'aa'" in message
    assert "key 'b': no node to separate" in message
    assert "node both in 'a' and in 'given': got 'a'" in message
    assert "node both in 'given' and in 'do': got 'b'" in message
