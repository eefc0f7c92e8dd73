"""Queries, interventions and soft evidence against enumeration of the joint, on networks of every kind.

pgmpy is compared with elsewhere (`test_exact`, `test_inference`), pyAgrum in `test_agrum`, where it is
installed: it is an extra of the tests, never needed to use the project.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from sinkrisk.errors import InputError
from sinkrisk.network import (
    Network,
    evidence_probability,
    marginals,
    network_from_tables,
    query,
    query_draws,
    table_bank,
)
from sinkrisk.network.noisy import NoisyMaxParameters, noisy_max_table, stated
from sinkrisk.network.tables import RankedParameters, TableRule, favourability, ranked_table

MOST_STATES = 3_000
"""Joint states up to which a network is enumerated."""
COMMON = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def _rows(draw, shape, kind):
    """A full table: Dirichlet rows; or rows with noughts; or one state for each combination."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if kind == "deterministic":
        return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    table = rng.dirichlet(np.full(shape[-1], 0.8), size=shape[:-1])
    if kind == "zeros":
        table = np.where(table < 0.25, 0.0, table)
        table /= table.sum(axis=-1, keepdims=True)
    return table


def _ranked(draw, cards, count):
    weights = draw(st.lists(st.floats(0.1, 3.0), min_size=len(cards), max_size=len(cards)))
    limiting = draw(st.lists(st.booleans(), min_size=len(cards), max_size=len(cards)))
    return RankedParameters(
        tuple(favourability(card, draw(st.booleans())) for card in cards),
        (),
        tuple(weights),
        1.0,
        draw(st.floats(0.0, 1.0)),
        draw(st.floats(0.02, 1.0)),
        0.4 if any(limiting) else 0.0,
        tuple(limiting),
        count,
        draw(st.booleans()),
    )


def _noisy(draw, cards, count):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def push():
        return tuple(float(p) for p in rng.dirichlet(np.ones(count)))

    effects = tuple(
        tuple(None if state == 0 or rng.random() < 0.2 else push() for state in range(card)) for card in cards
    )
    return NoisyMaxParameters(effects, push() if draw(st.booleans()) else (1.0, *[0.0] * (count - 1)))


@st.composite
def networks(draw, size=7, doubt=float("inf")):
    """A network of two to `size` nodes, of one to three states and up to four parents, in any order."""
    count = draw(st.integers(2, size))
    names = [f"n{i}" for i in range(count)]
    cards = [draw(st.sampled_from([1, 2, 2, 2, 3])) for _ in names]
    parents, rules = {}, {}
    for i, name in enumerate(names):
        above = draw(st.lists(st.sampled_from(range(i)), unique=True, max_size=4)) if i else []
        parents[name] = [names[j] for j in above]
        kind = draw(st.sampled_from(["full", "zeros", "deterministic", "ranked", "noisy"]))
        shape = (*(cards[j] for j in above), cards[i])
        ranked = noisy = None
        if kind == "ranked" and above:
            ranked = _ranked(draw, shape[:-1], cards[i])
            table = ranked_table(ranked)
        elif kind == "noisy" and above:
            noisy = _noisy(draw, shape[:-1], cards[i])
            table = noisy_max_table(*stated(noisy))
        else:
            table = _rows(draw, shape, kind)
        rules[name] = TableRule(name, table, doubt, 0.5, ranked, noisy)
    order = draw(st.permutations(names))
    states = {name: [f"s{k}" for k in range(cards[names.index(name)])] for name in order}
    plain = network_from_tables(states, parents, {name: rules[name].mean for name in names})
    nodes = [dataclasses.replace(node, equivalent_sample_size=doubt) for node in plain.nodes.values()]
    assume(math.prod(cards) <= MOST_STATES)
    return Network(nodes, rules)


@st.composite
def conditions(draw, net):
    """Interventions on up to three nodes; hard and soft evidence on up to three others, anywhere."""
    names = draw(st.permutations(list(net.order)))
    done, rest = names[: draw(st.integers(0, 3))], names[3:]
    do = {name: draw(st.sampled_from(net.nodes[name].states)) for name in done}
    evidence = {}
    for name in rest[: draw(st.integers(0, 3))]:
        states = net.nodes[name].states
        if draw(st.booleans()):
            evidence[name] = draw(st.sampled_from(states))
        else:
            weights = [draw(st.sampled_from([0.0, 1e-6, 0.3, 0.7, 1.0])) for _ in states]
            assume(max(weights) > 0.0)
            evidence[name] = dict(zip(states, weights, strict=True))
    return evidence, do


def _joint(net, do):
    """Oracle: the joint distribution in the network cut by `do`, one axis per node, multiplied out."""
    names = list(net.nodes)
    cards = [len(net.nodes[name].states) for name in names]
    joint = np.ones(cards)
    for name, node in net.nodes.items():
        if name in do:
            members = [name]
            table = np.eye(len(node.states))[node.states.index(do[name])]
        else:
            members, table = [*node.parents, name], net.tables[name]
        axes = [names.index(member) for member in members]
        order = np.argsort(axes)
        shape = [cards[axis] if axis in axes else 1 for axis in range(len(names))]
        joint = joint * table.transpose(order).reshape(shape)
    return names, joint


def _seen(net, names, joint, evidence):
    for name, value in evidence.items():
        states = net.nodes[name].states
        likelihood = np.array(
            [float(state == value) for state in states]
            if isinstance(value, str)
            else [value[state] for state in states]
        )
        # Likelihoods count with the largest 1.
        likelihood = likelihood / likelihood.max()
        joint = joint * likelihood.reshape([-1 if other == name else 1 for other in names])
    return joint


@COMMON
@given(st.data())
def test_every_answer_equals_enumeration(data):
    net = data.draw(networks())
    evidence, do = data.draw(conditions(net))
    names, joint = _joint(net, do)
    joint = _seen(net, names, joint, evidence)
    total = joint.sum()
    # Rounding of a split table may leave 1e-17 where the joint has nought; in between nothing is asked.
    if total <= 1e-13:
        assume(total == 0.0)
        with pytest.raises(InputError, match="impossible evidence"):
            query(net, names[0], evidence, do)
        return
    assert evidence_probability(net, evidence, do) == pytest.approx(total, rel=1e-9)
    table = marginals(net, evidence=evidence, do=do).set_index(["node", "state"]).probability
    asked = query(net, names, evidence, do)
    for axis, name in enumerate(names):
        others = tuple(other for other in range(len(names)) if other != axis)
        exact = joint.sum(axis=others) / total
        np.testing.assert_allclose(asked[name].to_numpy(), exact, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(table.loc[name].to_numpy(), exact, rtol=1e-8, atol=1e-10)


@settings(COMMON, max_examples=60)
@given(st.data())
def test_every_draw_of_the_tables_equals_enumeration(data):
    net = data.draw(networks(size=5, doubt=8.0))
    evidence, do = data.draw(conditions(net))
    bank = table_bank(net, 3, rng=data.draw(st.integers(0, 1000)))
    target = data.draw(st.sampled_from(net.order))
    exact = []
    for draw in range(3):
        drawn = net.with_tables(bank.tables(draw))
        names, joint = _joint(drawn, do)
        joint = _seen(drawn, names, joint, evidence)
        axis = names.index(target)
        exact.append(joint.sum(axis=tuple(other for other in range(len(names)) if other != axis)))
    exact = np.array(exact)
    assume((exact.sum(axis=1) > 1e-12).all())
    found = query_draws(net, target, bank, evidence, do)
    np.testing.assert_allclose(found, exact / exact.sum(axis=1, keepdims=True), rtol=1e-8, atol=1e-9)


def test_the_oracle_is_the_sum_over_joint_states(random_network, enumerate_joint):
    # The array oracle above against the loop over joint states that other tests use.
    rng = np.random.default_rng(5)
    for _ in range(20):
        net = random_network(rng)
        if math.prod(len(node.states) for node in net.nodes.values()) > 500:
            continue
        last = net.order[-1]
        evidence, do = {last: net.nodes[last].states[0]}, {net.order[0]: net.nodes[net.order[0]].states[-1]}
        total, after = enumerate_joint(net, evidence, do)
        names, joint = _joint(net, do)
        joint = _seen(net, names, joint, evidence)
        assert joint.sum() == pytest.approx(total, rel=1e-12, abs=1e-300)
        for axis, name in enumerate(names):
            if total > 0.0:
                others = tuple(other for other in range(len(names)) if other != axis)
                np.testing.assert_allclose(joint.sum(axis=others) / total, after[name], atol=1e-12)
