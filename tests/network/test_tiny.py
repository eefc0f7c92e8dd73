"""Probabilities far below what a float holds, and far below their neighbours, are kept."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import (
    causes,
    evidence_probability,
    load,
    marginals,
    most_probable,
    network_from_tables,
    query,
    query_draws,
    table_bank,
)
from sinkrisk.network.noisy import chain, noisy_max_table, product_form, push_form


def _naive(count, low=1e-9, high=1.1e-9):
    """A root and children that all hint at its second state by a little."""
    states = {"r": ["a", "b"], **{f"c{k}": ["a", "b"] for k in range(count)}}
    table = [[low, 1 - low], [high, 1 - high]]
    tables = {"r": [0.5, 0.5], **{f"c{k}": table for k in range(count)}}
    return network_from_tables(states, {f"c{k}": ["r"] for k in range(count)}, tables)


@pytest.mark.parametrize("count", [36, 60, 400])
def test_improbable_evidence_does_not_underflow(count):
    net = _naive(count)
    evidence = {f"c{k}": "a" for k in range(count)}
    odds = 1.1**count
    expected = [1 / (1 + odds), odds / (1 + odds)]
    np.testing.assert_allclose(query(net, "r", evidence)["r"], expected, rtol=1e-9)
    table = marginals(net, evidence=evidence)
    np.testing.assert_allclose(table.loc[table.node == "r", "probability"], expected, rtol=1e-9)
    log = count * math.log(1e-9) + math.log(0.5) + math.log1p(odds)
    assert evidence_probability(net, evidence, log=True) == pytest.approx(log, rel=1e-12)
    assert evidence_probability(net, evidence) == pytest.approx(math.exp(log), rel=1e-9)
    found = causes(net, evidence, ["r"])
    np.testing.assert_allclose(found.set_index("state").posterior[["a", "b"]], expected, rtol=1e-9)
    assert most_probable(net, evidence, variables="r").states == {"r": "b"}
    draws = query_draws(net, "r", table_bank(net, 3, rng=1), evidence)
    np.testing.assert_allclose(draws.values, [expected] * 3, rtol=1e-9)


def test_hints_that_balance_do_not_underflow():
    # Either half alone would bring one state far below the least float.
    net = _naive(160, 1e-9, 1e-3)
    evidence = {f"c{k}": "a" if k < 80 else "b" for k in range(160)}
    odds = 80 * math.log(1e6) + 80 * (math.log1p(-1e-3) - math.log1p(-1e-9))
    assert math.log(query(net, "r", evidence)["r"]["b"]) == pytest.approx(0.0, abs=1e-9)
    assert query(net, "r", evidence)["r"]["a"] == pytest.approx(math.exp(-odds), abs=1e-300)


def test_the_whole_shipped_network_observed(governance):
    from sinkrisk.network import sample

    drawn = sample(governance, 1, rng=5)
    whole = {name: governance.nodes[name].states[int(drawn[name].values[0])] for name in governance.order}
    left_out = "policy_support__arid_zones__mid_term"
    evidence = {name: state for name, state in whole.items() if name != left_out}
    got = query(governance, left_out, evidence)[left_out]

    def log_joint(state):
        codes = {n: governance.nodes[n].states.index(s) for n, s in {**whole, left_out: state}.items()}
        return sum(
            math.log(governance.tables[n][tuple(codes[p] for p in (*governance.nodes[n].parents, n))])
            for n in governance.order
        )

    logs = np.array([log_joint(state) for state in governance.nodes[left_out].states])
    np.testing.assert_allclose(got, np.exp(logs - np.logaddexp.reduce(logs)), rtol=1e-9)
    total = evidence_probability(governance, evidence, log=True)
    assert total == pytest.approx(np.logaddexp.reduce(logs), rel=1e-12)


def test_impossible_evidence_is_named_soon_and_in_few_words():
    rng = np.random.default_rng(3)
    names = [f"n{k}" for k in range(200)]
    tables = {"n0": [0.5, 0.5], **{n: rng.dirichlet([1, 1], size=2) for n in names[1:]}}
    tables["n120"] = [[1.0, 0.0], [0.0, 1.0]]
    parents = {names[k]: [names[k - 1]] for k in range(1, 200)}
    net = network_from_tables({n: ["a", "b"] for n in names}, parents, tables)
    evidence = {**dict.fromkeys(names, "a"), "n120": "b"}
    start = time.process_time()
    with pytest.raises(InputError) as error:
        query(net, "n199", evidence)
    assert time.process_time() - start < 5.0
    assert "n119=a together with n120=b'" in str(error.value)
    assert len(str(error.value)) < 400


def test_no_more_than_five_clashing_pieces_are_named():
    # The child forbids only all eight together.
    table = np.zeros((*[2] * 8, 2))
    table[..., 0] = 1.0
    names = [f"p{k}" for k in range(8)]
    table[(1,) * 8] = [0.0, 1.0]
    net = network_from_tables(
        {n: ["a", "b"] for n in [*names, "c"]},
        {"c": names},
        {**{n: [0.5, 0.5] for n in names}, "c": table},
    )
    with pytest.raises(InputError, match="some of the other 4 pieces of evidence"):
        query(net, "p0", {**dict.fromkeys(names, "b"), "c": "a"})


def _tiny_family(states=3):
    push = np.array([1 - 3e-15, 1e-15, 2e-15]) if states == 3 else np.array([1 - 1e-14, 1e-14])
    none = np.eye(states)[0]
    table = noisy_max_table(none, [np.array([none, push])] * 3)
    names = ["x", "y", "z"]
    labels = [f"s{k}" for k in range(states)]
    return network_from_tables(
        {**{n: ["off", "on"] for n in names}, "c": labels},
        {"c": names},
        {**{n: [0.5, 0.5] for n in names}, "c": table},
    )


@pytest.mark.parametrize("states", [2, 3])
def test_tiny_pushes_are_not_lost_to_cancellation(states):
    net = _tiny_family(states)
    last = f"s{states - 1}"
    joint = {}
    for codes in itertools.product(range(2), repeat=3):
        joint[codes] = net.tables["c"][(*codes, states - 1)] / 8
    total = sum(joint.values())
    assert total > 0.0
    assert evidence_probability(net, {"c": last}) == pytest.approx(total, rel=1e-9)
    on = sum(p for codes, p in joint.items() if codes[0]) / total
    assert query(net, "x", {"c": last})["x"]["on"] == pytest.approx(on, rel=1e-9)
    bank = table_bank(net, 2, rng=1)
    assert query_draws(net, "x", bank, {"c": last}).sel(state="on").values == pytest.approx([on] * 2)
    with pytest.raises(InputError, match="impossible evidence"):
        query(net, "x", {"c": last, "x": "off", "y": "off", "z": "off"})


def test_a_chain_of_maxima_is_the_table():
    rng = np.random.default_rng(4)
    leak = rng.dirichlet(np.ones(3), size=5)
    effects = [rng.dirichlet(np.ones(3), size=(5, 2)) for _ in range(3)]
    for effect in effects:
        effect[:, 0] = np.eye(3)[0]
    table = noisy_max_table(leak, effects)
    assert product_form(table, drawn=True) is not None
    factors = chain(push_form(table, drawn=True))
    assert all(values.min() >= 0.0 for values in factors)
    np.testing.assert_allclose(np.einsum("dax,dbxy,dcyz->dabcz", *factors), table, rtol=1e-12)


def test_marginals_of_a_reduced_network_with_certain_pushes():
    net = load(regions=["arid_zones"], periods=["near_term"])
    assert marginals(net).probability.between(0, 1).all()
