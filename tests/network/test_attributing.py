"""Posteriors over causes against enumeration, and shortfalls as evidence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import network_from_tables, query
from sinkrisk.network.attributing import CAUSE_GROUPS, causes
from sinkrisk.network.realised import shortfall_evidence

MODES = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.25, "collapse": 0.0}


def test_causes_equal_enumeration_on_random_networks(random_network, enumerate_joint):
    rng = np.random.default_rng(61)
    done = moved = 0
    for _ in range(380):
        net = random_network(rng)
        names = [str(name) for name in rng.permutation(list(net.order))]
        evidence = {names[0]: str(rng.choice(net.nodes[names[0]].states))}
        if rng.random() < 0.5:
            evidence[names[1]] = {state: float(rng.random()) for state in net.nodes[names[1]].states}
        do = {names[2]: net.nodes[names[2]].states[0]} if rng.random() < 0.4 else {}
        candidates = [name for name in names[1:] if name not in evidence and name not in do][:2]
        if not candidates or math.prod(len(node.states) for node in net.nodes.values()) > 400:
            continue
        total, after = enumerate_joint(net, evidence, do)
        if total == 0.0:
            continue
        done += 1
        scale = math.prod(max(v.values()) for v in evidence.values() if isinstance(v, dict))
        table = causes(net, evidence, candidates, do)
        before = enumerate_joint(net, {}, do)[1]
        assert set(table["node"]) == set(candidates)
        for _, row in table.iterrows():
            code = net.nodes[row["node"]].states.index(row["state"])
            prior, posterior = before[row["node"]][code], after[row["node"]][code]
            assert row["prior"] == pytest.approx(prior, abs=1e-12)
            assert row["posterior"] == pytest.approx(posterior, abs=1e-12)
            assert row["evidence_probability"] == pytest.approx(total / scale, abs=1e-12)
            as_set = enumerate_joint(net, evidence, {**do, row["node"]: row["state"]})[0] / scale
            assert row["likelihood_if_set"] == pytest.approx(as_set, abs=1e-12)
            assert row["total_effect"] == pytest.approx(as_set - total / scale, abs=1e-12)
            moved += abs(row["total_effect"]) > 1e-6
            if prior == 0.0:
                assert np.isnan(row["likelihood"])
                assert np.isnan(row["bayes_factor"])
                continue
            # The likelihood by its definition: the state joins the evidence.
            likelihood = enumerate_joint(net, {**evidence, row["node"]: row["state"]}, do)[0] / scale / prior
            assert row["likelihood"] == pytest.approx(likelihood, rel=1e-9, abs=1e-14)
            if likelihood > 1e-12:
                ratio = math.log(likelihood / (total / scale))
                assert row["log_likelihood_ratio"] == pytest.approx(ratio, abs=1e-9)
            other = (total / scale - likelihood * prior) / (1 - prior) if prior < 1 - 1e-9 else 0.0
            if other > 1e-9:
                assert row["bayes_factor"] == pytest.approx(likelihood / other, rel=1e-6, abs=1e-12)
    assert done >= 100
    assert moved > 200


def test_a_sign_is_no_cause():
    # A common cause drives both: the sign moves with the evidence, but setting it does nothing.
    net = network_from_tables(
        {"cause": ["n", "y"], "sign": ["n", "y"], "harm": ["n", "y"]},
        {"sign": ["cause"], "harm": ["cause"]},
        {"cause": [0.7, 0.3], "sign": [[0.9, 0.1], [0.2, 0.8]], "harm": [[0.95, 0.05], [0.3, 0.7]]},
    )
    table = causes(net, {"harm": "y"}, ["sign", "cause"]).set_index(["node", "state"])
    assert table.loc[("sign", "y"), "bayes_factor"] > 2.0
    assert table.loc[("sign", "y"), "total_effect"] == 0.0
    assert table.loc[("cause", "y"), "total_effect"] == pytest.approx(0.7 - (0.7 * 0.05 + 0.3 * 0.7))
    # What moved most comes first.
    assert table.index[0][0] == "cause"
    # Downstream of nothing observed: the sign is no ancestor and so no default candidate.
    assert set(causes(net, {"harm": "y"})["node"]) == {"cause"}


def test_a_state_that_alone_allows_the_evidence_has_an_infinite_bayes_factor():
    net = network_from_tables(
        {"a": ["n", "y", "never"], "b": ["n", "y"]},
        {"b": ["a"]},
        {"a": [0.5, 0.5, 0.0], "b": [[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]]},
    )
    table = causes(net, {"b": "y"}).set_index("state")
    assert table.loc["y", "bayes_factor"] == math.inf
    assert table.loc["n", "bayes_factor"] == 0.0
    assert table.loc["n", "log_likelihood_ratio"] == -math.inf
    assert np.isnan(table.loc["never", "bayes_factor"])
    assert table.loc["never", "likelihood_if_set"] == pytest.approx(0.5)


def test_shortfall_points_at_declining_support_and_resistance(governance):
    evidence = shortfall_evidence(
        governance, "north_america", "geological", "mid_term", 0.9, sd=0.1, factors=MODES
    )
    (name,) = evidence
    assert name == "deployment_mode__geological__north_america__mid_term"
    assert evidence[name]["collapse"] == 1.0
    assert evidence[name]["full"] < 1e-12
    table = causes(governance, evidence)
    assert set(table["group"]) <= set(CAUSE_GROUPS)
    assert not set(table["region"]) & {"open_ocean"}
    table = table.set_index(["node", "state"])
    support = table.loc[("policy_support__north_america__mid_term", "declining")]
    assert support["posterior"] > support["prior"] + 0.05
    assert support["total_effect"] > 0.0
    resistant = table.loc[("public_acceptance__geological__north_america__mid_term", "resistant")]
    assert resistant["bayes_factor"] > 1.5
    after = query(governance, "policy_support__north_america__mid_term", evidence)
    assert support["posterior"] == pytest.approx(
        after["policy_support__north_america__mid_term"]["declining"], abs=1e-12
    )


def test_shortfall_likelihoods_are_normal_densities(governance):
    (found,) = shortfall_evidence(
        governance, "open_ocean", "ocean", "near_term", 0.4, sd=0.2, factors=MODES
    ).values()
    densities = {mode: math.exp(-0.5 * ((0.6 - share) / 0.2) ** 2) for mode, share in MODES.items()}
    for mode, value in found.items():
        assert value == pytest.approx(densities[mode] / max(densities.values()), rel=1e-12)
    (sharp,) = shortfall_evidence(
        governance, "open_ocean", "ocean", "near_term", 0.4, sd=1e-4, factors=MODES
    ).values()
    assert sharp == {"full": 0.0, "throttled": 1.0, "passive_redundancy": 0.0, "collapse": 0.0}


def test_bad_shortfalls_are_refused_together(governance):
    with pytest.raises(InputError) as caught:
        shortfall_evidence(
            governance, "north_amerika", "ocean", "near_term", 1.4, sd=0.0, factors={"full": float("nan")}
        )
    message = str(caught.value)
    assert "no such region for 'deployment_mode': got 'north_amerika'" in message
    assert "did you mean 'north_america'?" in message
    assert "key 'severity': not a share: got 1.4; allowed: 0 to 1" in message
    assert "key 'sd': sd of the severity: got 0.0; allowed: a positive number" in message
    assert "key 'factors.full': not a share: got nan" in message
    with pytest.raises(InputError) as caught:
        shortfall_evidence(
            governance, "north_america", "ocean", "near_term", 0.4, sd=0.1, factors={"ful": 1.0, **MODES}
        )
    assert "no such mode: got 'ful'" in str(caught.value)
    with pytest.raises(InputError, match="a mode has no factor"):
        shortfall_evidence(
            governance, "north_america", "ocean", "near_term", 0.4, sd=0.1, factors={"full": 1}
        )
    with pytest.raises(InputError, match="no such base in the network: got 'deploymentmode'"):
        shortfall_evidence(
            governance,
            "north_america",
            "ocean",
            "near_term",
            0.4,
            sd=0.1,
            factors=MODES,
            base="deploymentmode",
        )


def test_bad_questions_about_causes_are_refused():
    net = network_from_tables(
        {"a": ["n", "y"], "b": ["n", "y"]}, {"b": ["a"]}, {"a": [0.5, 0.5], "b": [[1.0, 0.0], [0.5, 0.5]]}
    )
    with pytest.raises(InputError, match="no evidence to explain"):
        causes(net, {})
    with pytest.raises(InputError, match="nothing upstream of the evidence counts as a cause"):
        causes(net, {"a": "y"})
    with pytest.raises(InputError) as caught:
        causes(net, {"b": "y"}, ["b", "aa"])
    assert "candidate carries evidence or is set by do: got 'b'" in str(caught.value)
    assert "no such node in the network: got 'aa'" in str(caught.value)
    with pytest.raises(InputError, match="no candidate named"):
        causes(net, {"b": "y"}, [])
    net = network_from_tables(
        {"a": ["n", "y"], "b": ["n", "y"], "c": ["n", "y"]},
        {"b": ["a", "c"]},
        {"a": [0.5, 0.5], "b": [[[1.0, 0.0]] * 2, [[0.5, 0.5]] * 2], "c": [0.5, 0.5]},
    )
    with pytest.raises(InputError, match=r"impossible evidence.*do\(a=n\)"):
        causes(net, {"b": "y"}, do={"a": "n"})
