"""Regions apart, noisy-max families split, many draws at once: all against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import (
    Network,
    Node,
    evidence_probability,
    load,
    marginals,
    query,
    query_draws,
    sample,
    table_bank,
)
from sinkrisk.network.conditions import read_conditions
from sinkrisk.network.exact import Exact
from sinkrisk.network.inference import exact_marginal
from sinkrisk.network.noisy import NoisyMaxParameters, noisy_max_table, product_form, stated
from sinkrisk.network.propagation import DRAW, Propagation
from sinkrisk.network.tables import TableRule


def _node(name, states, parents, region=None):
    kind = "global" if region is None else "regional"
    labels = tuple(f"s{k}" for k in range(states))
    return Node(
        name, name, kind, region, None, None, "policy", labels, tuple(parents), "last", name, "", "", "", 8.0
    )  # fmt: skip


def _effects(rng, parents, states):
    """Random effects, some of them none, one parent state always without one."""
    effects = []
    for count in parents:
        rows = [
            None if k == 0 or rng.random() < 0.3 else tuple(rng.dirichlet(np.ones(states)))
            for k in range(count)
        ]
        effects.append(tuple(rows))
    return tuple(effects)


def regional_network(rng: np.random.Generator) -> Network:
    """Two global nodes and two or three regions of three nodes; a third node may be noisy-max."""
    nodes, rules = [], {}

    def add(name, states, parents, region=None, noisy=False):
        cards = [len(next(n for n in nodes if n.name == p).states) for p in parents]
        parameters = None
        if noisy:
            leak = tuple(rng.dirichlet(np.ones(states))) if rng.random() < 0.6 else tuple(np.eye(states)[0])
            parameters = NoisyMaxParameters(_effects(rng, cards, states), leak)
            table = noisy_max_table(*stated(parameters))
        else:
            table = rng.dirichlet(np.full(states, 0.7), size=cards)
            if rng.random() < 0.3:
                table = np.where(table < 0.15, 0.0, table)
                table /= table.sum(axis=-1, keepdims=True)
        nodes.append(_node(name, states, parents, region))
        rules[name] = TableRule(name, table, 8.0, 0.5, noisy=parameters)

    add("g0", 2, [])
    add("g1", int(rng.integers(2, 4)), ["g0"])
    for r in range(int(rng.integers(2, 4))):
        add(f"a{r}", 2, ["g1"], f"r{r}")
        add(f"b{r}", 2, [f"a{r}"] if rng.random() < 0.5 else ["g0", f"a{r}"], f"r{r}")
        add(f"c{r}", int(rng.integers(2, 4)), [f"a{r}", f"b{r}", "g0"], f"r{r}", noisy=rng.random() < 0.7)
    return Network(nodes, rules)


def _conditions(net, rng):
    names = [str(name) for name in rng.permutation(list(net.order))]
    evidence = {}
    for name in names[: int(rng.integers(0, 4))]:
        states = net.nodes[name].states
        if rng.random() < 0.25:
            evidence[name] = {state: float(rng.random()) for state in states}
        else:
            evidence[name] = str(rng.choice(states))
    do = {name: str(rng.choice(net.nodes[name].states)) for name in names[4 : 4 + int(rng.integers(0, 2))]}
    return evidence, do


@pytest.mark.parametrize("block", range(4))
def test_regions_and_noisy_max_equal_enumeration(block, enumerate_joint):
    rng = np.random.default_rng(900 + block)
    apart = split = impossible = 0
    for _ in range(15):
        net = regional_network(rng)
        assert net.regions_apart
        evidence, do = _conditions(net, rng)
        apart += len({net.nodes[name].region for name in evidence}) > 1
        total, expected = enumerate_joint(net, evidence, do)
        scale = np.prod([max(v.values()) for v in evidence.values() if isinstance(v, dict)])
        assert evidence_probability(net, evidence, do) == pytest.approx(total / scale, abs=1e-12)
        if total == 0.0:
            impossible += 1
            with pytest.raises(InputError, match="impossible evidence"):
                marginals(net, evidence=evidence, do=do)
            continue
        exact = Exact(net, read_conditions(net, evidence, do))
        split += any(exact.splits(name) for name in net.order)
        table = marginals(net, evidence=evidence, do=do)
        got = query(net, list(net.order), evidence, do)
        for name, values in expected.items():
            np.testing.assert_allclose(table.loc[table.node == name, "probability"], values, atol=1e-12)
            np.testing.assert_allclose(got[name].to_numpy(), values, atol=1e-12)
    assert apart > 0
    assert split > 5
    assert impossible < 8


@pytest.mark.parametrize("block", range(3))
def test_a_query_over_draws_equals_the_query_on_each_draw(block, enumerate_joint):
    rng = np.random.default_rng(40 + block)
    for _ in range(4):
        net = regional_network(rng)
        evidence, do = _conditions(net, rng)
        if enumerate_joint(net, evidence, do)[0] < 1e-3:
            continue
        bank = table_bank(net, 5, rng=3)
        for name in net.order[-2:]:
            got = query_draws(net, name, bank, evidence, do)
            assert got.dims == ("draw", "state")
            for draw in range(bank.size):
                own = net.with_tables(bank.tables(draw))
                expected = enumerate_joint(own, evidence, do)[1][name]
                np.testing.assert_allclose(got.sel(draw=draw), expected, atol=1e-12)


def test_draws_in_chunks_are_the_same(governance, monkeypatch):
    bank = table_bank(governance, 9, rng=2)
    name = "deployment_mode__ocean__open_ocean__near_term"
    evidence = {"policy_support__open_ocean__near_term": "declining"}
    whole = query_draws(governance, name, bank, evidence)
    monkeypatch.setattr("sinkrisk.network.drawn_sums.MOST_DRAWS", 2)
    np.testing.assert_allclose(query_draws(governance, name, bank, evidence), whole, atol=1e-14)


def test_query_draws_refuses_what_it_cannot_answer(governance):
    bank = table_bank(governance, 2, rng=1)
    with pytest.raises(InputError, match="no such node"):
        query_draws(governance, "policy_suport__open_ocean__near_term", bank)
    other = regional_network(np.random.default_rng(1))
    with pytest.raises(InputError, match="table bank of another network"):
        query_draws(other, "g0", bank)
    # A part of a network takes the bank of the whole.
    part = load(regions=["arid_zones"], periods=["near_term"])
    name = "policy_support__arid_zones__near_term"
    np.testing.assert_array_equal(query_draws(part, name, bank), query_draws(governance, name, bank))


def test_the_shipped_network_equals_pgmpy_on_the_first_two_periods():
    import warnings

    net = load(
        regions=["arid_zones"], periods=["near_term", "mid_term"], classes=["nature", "land_based", "ocean"]
    )
    assert Exact(net, read_conditions(net, {}, {})).splits("controversy__arid_zones__mid_term")
    evidence = {"deployment_mode__land_based__arid_zones__near_term": "full"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.inference import VariableElimination
    engine = VariableElimination(net.model)
    for name in (
        "resource_competition__arid_zones__mid_term",
        "controversy__arid_zones__mid_term",
        "deployment_mode__nature__arid_zones__mid_term",
    ):
        theirs = engine.query([name], evidence=evidence, show_progress=False).values
        np.testing.assert_allclose(query(net, name, evidence)[name], theirs, atol=1e-12)


def test_all_marginals_agree_with_samples(governance):
    size = 100_000
    table = marginals(governance)
    drawn = sample(governance, size, rng=17)
    worst = 0.0
    for name, rows in table.groupby("node", sort=False):
        p = rows.probability.to_numpy()
        share = np.bincount(drawn[name].values, minlength=len(p)) / size
        worst = max(worst, float(np.max(np.abs(share - p) / np.sqrt(p * (1 - p) / size))))
    # Some 1,400 standard normals exceed 5.2 with probability 3e-4.
    assert worst < 5.2


def test_feedback_is_what_the_tables_say(governance):
    # Collapse of a class makes the region doubt the others one period later, and only later.
    def contested(period, evidence):
        name = f"controversy__northern_europe__{period}"
        return query(governance, name, evidence)[name]["contested"]

    fallen = {"deployment_mode__geological__northern_europe__near_term": "collapse"}
    full = {"deployment_mode__geological__northern_europe__near_term": "throttled"}
    assert contested("mid_term", fallen) > contested("mid_term", full) + 0.15
    assert abs(contested("near_term", fallen) - contested("near_term", full)) < 0.1


def test_noisy_max_is_the_largest_of_independent_pushes():
    rng = np.random.default_rng(5)
    leak = rng.dirichlet(np.ones(3))
    effects = [
        rng.dirichlet(np.ones(3), size=2),
        rng.dirichlet(np.ones(3), size=4),
        rng.dirichlet(np.ones(3), size=2),
    ]
    table = noisy_max_table(leak, effects)
    for states in itertools.product(range(2), range(4), range(2)):
        expected = np.zeros(3)
        pushes = [leak, *(effect[state] for effect, state in zip(effects, states, strict=True))]
        for codes in itertools.product(range(3), repeat=4):
            expected[max(codes)] += np.prod([push[code] for push, code in zip(pushes, codes, strict=True)])
        np.testing.assert_allclose(table[states], expected, atol=1e-14)
    parts = product_form(table)
    assert parts is not None
    product = parts[0][:, None, None, :] * parts[1][None, :, None, :] * parts[2][None, None, :, :]
    np.testing.assert_allclose(product, np.cumsum(table, axis=-1), atol=1e-13)


def test_a_table_that_is_no_product_is_left_whole():
    rng = np.random.default_rng(6)
    assert product_form(rng.dirichlet(np.ones(2), size=(2, 2, 2))) is None
    # Exclusive or: the furthest thing from a product.
    xor = np.array(
        [
            [[float((a + b + c) % 2 == s) for s in range(2)] for c in range(2)]
            for a in range(2)
            for b in range(2)
        ]
    )
    assert product_form(xor.reshape(2, 2, 2, 2)) is None
    two = noisy_max_table(np.array([0.9, 0.1]), [np.array([[1.0, 0.0], [0.5, 0.5]])] * 2)
    assert product_form(two) is None, "families of two parents are not worth splitting"


def test_mean_of_noisy_max_draws_is_the_stated_table(governance):
    node = governance.nodes["controversy__arid_zones__long_term"]
    rule = governance.rules[node.rule]
    assert rule.noisy is not None
    draws = rule.draw(4000, np.random.default_rng(8))
    error = np.abs(draws.mean(axis=0) - rule.mean) / (draws.std(axis=0) / np.sqrt(4000) + 1e-12)
    # Some 2,000 strongly dependent cells: beyond 5.5 with probability below 1e-4.
    assert error.max() < 5.5
    assert product_form(draws, drawn=True) is not None, "every draw is a noisy-max again"


def test_draws_that_cancel_do_not_turn_into_negative_probabilities(governance):
    table = marginals(
        governance,
        evidence={
            "controversy__arid_zones__long_term": "contested",
            "resource_competition__arid_zones__mid_term": "tight",
        },
    )
    assert table.probability.min() >= 0.0
    np.testing.assert_allclose(table.groupby("node").probability.sum(), 1.0, atol=1e-12)


def test_propagation_sums_factors_of_both_signs():
    rng = np.random.default_rng(2)
    cards = [2, 3, 2, 4]
    factors = [
        ((0, 1), rng.normal(size=(2, 3))),
        ((1, 2), rng.normal(size=(3, 2))),
        ((2, 3), rng.random((2, 4))),
    ]
    whole = np.einsum("ab,bc,cd->abcd", *(values for _, values in factors))
    for order in itertools.permutations(range(3)):
        tree = Propagation(factors, cards, order, keep=[3])
        tree.collect()
        (scope, values), log_scale = tree.rest()
        assert scope == (3,)
        np.testing.assert_allclose(values * np.exp(log_scale), whole.sum(axis=(0, 1, 2)), atol=1e-12)


def test_draws_are_never_summed():
    values = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    tree = Propagation([((DRAW, 0), values), ((0,), np.array([1.0, 0.0]))], [2], [0])
    tree.collect()
    np.testing.assert_allclose(np.exp(tree.total()), [0.2, 0.5, 0.9])


def test_marginal_of_a_fixed_node_is_certain(governance):
    exact = Exact(governance, read_conditions(governance, {"climate_shock__near_term": "shock"}, {}))
    np.testing.assert_array_equal(exact_marginal(exact, "climate_shock__near_term"), [[0.0, 1.0]])
