"""Sensitivity to table entries: every derivative and range against asking again with moved tables."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.network import Network, network_from_tables, query
from sinkrisk.network.noisy import NoisyMaxParameters, noisy_max_table, stated
from sinkrisk.network.perturbing import entry_sensitivity
from sinkrisk.network.tables import RankedParameters, TableRule, ranked_table


def _sharing(net, size, rng):
    """The network with tables of one shape shared, as plates share them."""
    rules, nodes, by_shape = {}, [], {}
    for name, node in net.nodes.items():
        shape = net.tables[name].shape
        rule = by_shape.setdefault(shape, name) if rng.random() < 0.8 else name
        rules.setdefault(rule, TableRule(rule, net.tables[rule].copy(), size))
        nodes.append(dataclasses.replace(node, rule=rule))
    return Network(nodes, rules)


def _binary_network(rng):
    """Nodes of two states and at most two parents: many tables of one shape to share."""
    names = [f"n{i}" for i in range(int(rng.integers(4, 7)))]
    parents, tables = {}, {}
    for i, name in enumerate(names):
        chosen = rng.choice(i, size=min(i, int(rng.integers(1, 3))), replace=False) if i else []
        parents[name] = [names[int(j)] for j in chosen]
        tables[name] = rng.dirichlet([1.0, 1.0], size=(2,) * len(parents[name]))
        if rng.random() < 0.2:
            tables[name] = np.round(tables[name])
    return network_from_tables({name: ["s0", "s1"] for name in names}, parents, tables)


def _conditions(net, target, rng):
    names = [str(name) for name in rng.permutation(list(net.order)) if name != target]
    do = {names[0]: net.nodes[names[0]].states[0]} if rng.random() < 0.3 else {}
    evidence = {}
    for name in names[1 : 1 + int(rng.integers(0, 3))]:
        states = net.nodes[name].states
        evidence[name] = (
            {state: float(rng.random()) for state in states}
            if rng.random() < 0.3
            else str(rng.choice(states))
        )
    if rng.random() < 0.2:
        evidence[target] = {state: float(rng.random()) for state in net.nodes[target].states}
    return evidence, do


def _moved(net, rule, table):
    return net.with_tables({name: table for name, node in net.nodes.items() if node.rule == rule})


def _entry(net, row, value):
    """Oracle: the table of a row with its entry set, the rest of the row in proportion."""
    table = net.rules[row.rule].mean.copy()
    node = next(node for node in net.nodes.values() if node.rule == row.rule)
    given = dict(part.split("=") for part in row.given.split(", ")) if row.given else {}
    code = tuple(net.nodes[p].states.index(given[p]) for p in node.parents)
    at = node.states.index(row.state)
    rest = np.delete(table[code], at)
    rest = rest * (1 - value) / rest.sum() if rest.sum() > 0 else np.full(len(rest), (1 - value) / len(rest))
    table[code] = np.insert(rest, at, value)
    return table


def _ask(net, row, target, state, evidence, do, value):
    changed = _moved(net, row.rule, _entry(net, row, value))
    return query(changed, target, evidence, do)[target][state]


@pytest.mark.parametrize("block", range(4))
def test_derivatives_and_ranges_equal_asking_again_on_random_networks(block, random_network):
    rng = np.random.default_rng(300 + block)
    checked = shared = noughts = 0
    networks = 0
    while networks < 26:
        net = _binary_network(rng) if networks % 2 else random_network(rng)
        net = _sharing(net, 12.0, rng)
        target = str(rng.choice(list(net.order)))
        state = str(rng.choice(net.nodes[target].states))
        evidence, do = _conditions(net, target, rng)
        try:
            base = query(net, target, evidence, do)[target][state]
        except InputError:
            continue
        networks += 1
        found = entry_sensitivity(net, target, state, evidence, do, ranges=None)
        assert found["exact"].all()
        np.testing.assert_allclose(found["target"], base, atol=1e-12)
        picked = list(rng.permutation(len(found))[:4])
        picked += list(rng.permutation(np.flatnonzero(found["nodes"] > 1))[:4])
        for row in found.iloc[picked].itertuples():
            checked += 1
            shared += row.nodes > 1

            ask = functools.partial(_ask, net, row, target, state, evidence, do)
            for end, value in ((row.low, row.at_low), (row.high, row.at_high)):
                assert value == pytest.approx(ask(end), abs=1e-10)
            assert row.swing == pytest.approx(row.most - row.least)
            if 0.0 < row.value < 1.0:
                tail = stats.beta(12.0 * row.value, 12.0 * (1 - row.value)).ppf([0.05, 0.95])
                np.testing.assert_allclose([row.low, row.high], tail, rtol=1e-9)
                step = 1e-4 * min(row.value, 1.0 - row.value)
                slope = (ask(row.value + step) - ask(row.value - step)) / (2 * step)
                assert row.derivative == pytest.approx(slope, rel=1e-5, abs=1e-6)
            else:
                noughts += 1
                assert row.low == row.high == row.value
                step = 1e-6 if row.value == 0.0 else -1e-6
                try:
                    slope = (ask(row.value + step) - base) / step
                except InputError:
                    continue
                assert row.derivative == pytest.approx(slope, rel=1e-3, abs=1e-3)
    assert checked > 80
    assert shared > 15
    assert noughts > 2


def test_what_is_left_out_does_not_matter_and_the_widest_comes_first(random_network):
    rng = np.random.default_rng(8)
    for _ in range(20):
        net = _sharing(random_network(rng, zeros=False), 12.0, rng)
        target = net.order[len(net) // 2]
        found = entry_sensitivity(net, target, net.nodes[target].states[0])
        assert found["swing"].is_monotonic_decreasing
        upstream = net.ancestors([target])
        for name, node in net.nodes.items():
            rows = int((found["rule"] == node.rule).sum())
            if any(net.nodes[other].rule == node.rule for other in upstream):
                assert rows == net.tables[name].size
            else:
                assert rows == 0
        # Moving a row as a whole does nothing: its derivatives, weighted, cancel.
        assert np.isfinite(found.select_dtypes("number").drop(columns="equivalent_sample_size")).all().all()


def test_beyond_the_most_ranges_the_rest_is_first_order_and_says_so():
    states = {name: ["n", "y"] for name in "abc"}
    rule = TableRule("step", np.array([[0.8, 0.2], [0.3, 0.7]]), 10.0)
    plain = network_from_tables(
        states, {"b": ["a"], "c": ["b"]}, {"a": [0.6, 0.4], "b": rule.mean, "c": rule.mean}
    )
    nodes = [dataclasses.replace(n, rule="a" if n.name == "a" else "step") for n in plain.nodes.values()]
    net = Network(nodes, {"a": TableRule("a", np.array([0.6, 0.4]), 10.0), "step": rule})
    exact = entry_sensitivity(net, "c", "y").set_index(["rule", "given", "state"]).sort_index()
    some = entry_sensitivity(net, "c", "y", ranges=1).set_index(["rule", "given", "state"]).sort_index()
    assert exact["exact"].all()
    assert list(some.loc["step", "exact"]).count(True) == 1
    assert some.loc["a", "exact"].all()
    first = some[~some["exact"]]
    straight = first["target"] + first["derivative"] * (first["high"] - first["value"])
    np.testing.assert_allclose(first["at_high"], straight, atol=1e-12)
    assert np.abs(first["at_high"] - exact.loc[first.index, "at_high"]).max() > 1e-4
    # By hand: P(c=y) is quadratic in the shared entry, both nodes move at once.
    x = exact.loc[("step", "a=y", "y"), "high"]
    b = 0.6 * 0.2 + 0.4 * x
    assert exact.loc[("step", "a=y", "y"), "at_high"] == pytest.approx((1 - b) * 0.2 + b * x, abs=1e-12)


def _plated(rule, parents, length=3):
    """A chain of `length` nodes that share one table, beside roots of their own."""
    rng = np.random.default_rng(5)
    states = {"start": ["lo", "mid", "hi"][: parents[0]]}
    above, tables = {}, {"start": rng.dirichlet(np.ones(parents[0]))}
    names = []
    for step in range(length):
        name = f"x{step}"
        names.append(name)
        above[name] = ["start" if step == 0 else names[step - 1]]
        for number, card in enumerate(parents[1:]):
            root = f"r{number}_{step}"
            states[root] = ["lo", "mid", "hi"][:card]
            tables[root] = rng.dirichlet(np.ones(card))
            above[name].append(root)
        states[name] = ["lo", "mid", "hi"][: rule.mean.shape[-1]]
        tables[name] = rule.mean
    plain = network_from_tables(states, above, tables)
    rules = {name: r for name, r in plain.rules.items() if name not in names} | {"shared": rule}
    nodes = [
        dataclasses.replace(n, rule="shared" if n.name in names else n.rule) for n in plain.nodes.values()
    ]
    return Network(nodes, rules), names


RANKED = RankedParameters(
    parents=((1 / 6, 0.5, 5 / 6), (0.25, 0.75)),
    constants=(0.4,),
    weights=(2.0, 1.0, 1.0),
    baseline_weight=1.5,
    baseline=0.6,
    spread=0.2,
    bottleneck=0.3,
    limiting=(True, True, False),
    states=3,
    favourable_first=False,
)


@pytest.mark.parametrize("length", [1, 3])
def test_parameters_of_ranked_tables_equal_asking_again(length):
    size = 15.0
    rule = TableRule("shared", ranked_table(RANKED), size, ranked=RANKED)
    net, names = _plated(rule, (3, 2), length)
    target, state = names[-1], "hi"
    found = entry_sensitivity(net, target, state)
    rows = found[found["kind"] == "parameter"].set_index("parameter")
    assert set(rows.index) == {
        "weight of start", "weight of r0_0", "weight of constant 1", "weight of the baseline", "baseline",
        "spread",
    }  # fmt: skip
    shares = np.array([2.0, 1.0, 1.0, 1.5]) / 5.5
    order = ["weight of start", "weight of r0_0", "weight of constant 1", "weight of the baseline"]

    def ask(label, value):
        moved, baseline, spread = shares.copy(), RANKED.baseline, RANKED.spread
        if label == "baseline":
            baseline = value
        elif label == "spread":
            spread = value
        else:
            at = order.index(label)
            moved *= (1 - value) / (1 - shares[at])
            moved[at] = value
        table = ranked_table(RANKED, moved[None], np.array([baseline]), np.array([spread]))[0]
        return query(_moved(net, "shared", table), target)[target][state]

    for label, row in rows.iterrows():
        assert row["nodes"] == length
        assert row["exact"]
        for end in ("low", "high"):
            assert row[f"at_{end}"] == pytest.approx(ask(label, row[end]), abs=1e-10)
        step = 1e-4
        slope = (ask(label, row["value"] + step) - ask(label, row["value"] - step)) / (2 * step)
        assert row["derivative"] == pytest.approx(slope, rel=1e-4, abs=1e-7)
    low, high = stats.beta(size * shares[0], size * (1 - shares[0])).ppf([0.05, 0.95])
    np.testing.assert_allclose(rows.loc[order[0], ["low", "high"]].astype(float), [low, high], rtol=1e-9)
    z = stats.norm.ppf(0.95) / math.sqrt(2 * size)
    np.testing.assert_allclose(
        rows.loc["spread", ["low", "high"]].astype(float), 0.2 * np.exp([-z, z]), rtol=1e-9
    )
    assert (found["kind"] == "entry").sum() >= rule.mean.size


def test_parameter_intervals_are_those_of_the_bank():
    from sinkrisk.network.tables import _ranked_draws

    # A baseline alone decides the mean: the bank's spread of it is the interval's.
    only = dataclasses.replace(RANKED, weights=(0.0, 0.0, 0.0), bottleneck=0.0)
    uniforms = np.full((2, 6), 0.5)
    uniforms[:, -2] = [0.05, 0.95]
    drawn = _ranked_draws(only, 15.0, uniforms)
    net, names = _plated(TableRule("shared", ranked_table(only), 15.0, ranked=only), (3, 2), 1)
    rows = entry_sensitivity(net, names[-1], "hi").set_index("parameter")
    ends = rows.loc["baseline", ["at_low", "at_high"]].astype(float)
    np.testing.assert_allclose(ends, drawn[:, 0, 0, 2], atol=1e-12)


NOISY = NoisyMaxParameters(
    effects=(
        (None, (0.6, 0.3, 0.1), (0.2, 0.5, 0.3)),
        (None, (0.7, 0.2, 0.1)),
        ((0.9, 0.1, 0.0), (0.5, 0.4, 0.1)),
    ),
    leak=(0.9, 0.06, 0.04),
)


@pytest.mark.parametrize("length", [1, 3])
def test_parameters_of_noisy_max_tables_equal_asking_again(length):
    leak, effects = stated(NOISY)
    rule = TableRule("shared", noisy_max_table(leak, effects), 15.0, noisy=NOISY)
    net, names = _plated(rule, (3, 2, 2), length)
    target, state = "start", "hi"
    evidence = {names[-1]: "mid"}
    found = entry_sensitivity(net, target, state, evidence)
    rows = found[found["rule"] == "shared"]
    assert set(rows["kind"]) == {"parameter"}
    assert len(rows) == 3 * (1 + 2 + 1 + 2)
    assert rows["exact"].all()

    def ask(row, value):
        moved = [leak[None].copy(), *(effect.copy() for effect in effects)]
        if row.parameter == "leak":
            part, at = 0, 0
        else:
            name, code = row.given.split("=")
            part = 1 + ["start", "r0_0", "r1_0"].index(name)
            at = ["lo", "mid", "hi"].index(code)
        column = ["lo", "mid", "hi"].index(row.state)
        values = moved[part][at]
        others = [i for i in range(3) if i != column]
        values[others] *= (1 - value) / values[others].sum()
        values[column] = value
        table = noisy_max_table(moved[0][0], moved[1:])
        return query(_moved(net, "shared", table), target, evidence)[target][state]

    for row in rows.itertuples():
        for end, value in ((row.low, row.at_low), (row.high, row.at_high)):
            assert value == pytest.approx(ask(row, end), abs=1e-10)
        if row.value > 0.0:
            step = 1e-3 * min(row.value, 1 - row.value)
            slope = (ask(row, row.value + step) - ask(row, row.value - step)) / (2 * step)
            assert row.derivative == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_shipped_network_answers_name_what_decides(governance):
    mode = "deployment_mode__ocean__open_ocean__near_term"
    found = entry_sensitivity(governance, mode, "full")
    assert found["exact"].all()
    parameters = found[found["kind"] == "parameter"]
    assert set(parameters["parameter"]) >= {"baseline", "spread", "weight of deployment_mode@previous"}
    np.testing.assert_allclose(found["target"], query(governance, mode)[mode]["full"], atol=1e-12)
    assert found["swing"].iloc[0] > 0.02


def test_bad_questions_are_refused():
    net = network_from_tables(
        {"a": ["n", "y"], "b": ["n", "y"]}, {"b": ["a"]}, {"a": [0.5, 0.5], "b": [[1.0, 0.0], [0.5, 0.5]]}
    )
    with pytest.raises(InputError) as caught:
        entry_sensitivity(net, "a", "z", level=1.5, ranges=-1)
    message = str(caught.value)
    assert "key 'target.a': no such state: got 'z'" in message
    assert "key 'level': level of the interval: got 1.5; allowed: between 0 and 1" in message
    assert "key 'ranges': number of ranges: got -1" in message
    with pytest.raises(InputError, match="no such node in the network: got 'aa'"):
        entry_sensitivity(net, "aa", "y")
    with pytest.raises(InputError, match="target is observed or set: nothing can move it: got 'a'"):
        entry_sensitivity(net, "a", "y", {"a": "y"})
    with pytest.raises(InputError, match=r"impossible evidence.*do\(a=n\)"):
        entry_sensitivity(
            network_from_tables(
                {"a": ["n", "y"], "b": ["n", "y"], "c": ["n", "y"]},
                {"b": ["a"]},
                {"a": [0.5, 0.5], "b": [[1.0, 0.0], [0.5, 0.5]], "c": [0.5, 0.5]},
            ),
            "c", "y", {"b": "y"}, {"a": "n"},
        )  # fmt: skip
    # A target that is impossible now can become possible: nought, with a slope.
    found = entry_sensitivity(net, "b", "y", do={"a": "n"}).set_index(["rule", "given", "state"]).sort_index()
    assert found.loc[("b", "a=n", "y"), "target"] == 0.0
    assert found.loc[("b", "a=n", "y"), "derivative"] == pytest.approx(1.0)


def test_after_an_update_each_row_moves_over_the_interval_of_its_own_size():
    from scipy import special

    rule = TableRule("b", np.array([[0.7, 0.3], [0.4, 0.6]]), 5.0, row_sizes=np.array([5.0, 500.0]))
    plain = network_from_tables(
        {"a": ["x", "y"], "b": ["n", "y"]}, {"b": ["a"]}, {"a": [0.5, 0.5], "b": rule.mean}
    )
    net = Network(plain.nodes.values(), {**plain.rules, "b": rule})
    found = entry_sensitivity(net, "b", "y").query("rule == 'b' and state == 'y'").set_index("given")
    for given, share, size in (("a=x", 0.3, 5.0), ("a=y", 0.6, 500.0)):
        ends = special.betaincinv(size * share, size * (1 - share), [0.05, 0.95])
        np.testing.assert_allclose(found.loc[given, ["low", "high"]].to_numpy(float), ends, rtol=1e-12)


def test_a_node_of_a_single_state_moves_nothing():
    net = network_from_tables(
        {"only": ["one"], "b": ["n", "y"]},
        {"b": ["only"]},
        {"only": [1.0], "b": [[0.8, 0.2]]},
        equivalent_sample_size=10.0,
    )
    found = entry_sensitivity(net, "b", "y").set_index("rule")
    assert found.loc["only", "swing"] == 0.0
    assert found.loc["only", "derivative"] == 0.0
    assert found.loc["b", "swing"].min() > 0.1
