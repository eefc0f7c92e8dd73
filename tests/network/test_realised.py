"""What a period brought, as evidence for the next: likelihoods by hand, and what they move."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import network_from_tables, query
from sinkrisk.network.realised import (
    disturbance_evidence,
    joined_evidence,
    reversal_evidence,
    shortfall_evidence,
)

PLACE = ("arid_zones", "near_term")
NODE = "disturbance__arid_zones__near_term"
MODES = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.25, "collapse": 0.0}


def test_reports_of_a_disturbance_are_bayes_by_hand(governance):
    prior = query(governance, NODE)[NODE]["shock"]
    for seen, of_shock, of_none in ((True, 0.9, 0.2), (False, 0.1, 0.8)):
        evidence = disturbance_evidence(governance, *PLACE, seen, detection=0.9, false_alarm=0.2)
        after = query(governance, NODE, evidence)[NODE]["shock"]
        by_hand = prior * of_shock / (prior * of_shock + (1 - prior) * of_none)
        assert after == pytest.approx(by_hand, rel=1e-12)


def test_a_sure_report_is_hard_evidence(governance):
    sure = disturbance_evidence(governance, *PLACE, True, detection=1.0, false_alarm=0.0)
    assert sure == {NODE: {"none": 0.0, "shock": 1.0}}
    assert joined_evidence(governance, sure) == {NODE: "shock"}


def test_reversals_are_normal_densities(governance):
    found = reversal_evidence(governance, *PLACE, 0.05, sd=0.02, expected={"none": 0.01, "shock": 0.07})
    ratio = math.exp(-0.5 * (0.04 / 0.02) ** 2) / math.exp(-0.5 * (0.02 / 0.02) ** 2)
    assert found[NODE]["shock"] == 1.0
    assert found[NODE]["none"] == pytest.approx(ratio, rel=1e-12)


def test_what_a_period_brought_moves_the_next(governance):
    losses = reversal_evidence(governance, *PLACE, 0.08, sd=0.02, expected={"none": 0.01, "shock": 0.08})
    reports = disturbance_evidence(governance, *PLACE, True, detection=0.8, false_alarm=0.1)
    short = shortfall_evidence(governance, "arid_zones", "nature", "near_term", 0.9, sd=0.1, factors=MODES)
    everything = joined_evidence(governance, losses, reports, short)
    assert everything[NODE]["none"] == pytest.approx(losses[NODE]["none"] * reports[NODE]["none"])
    for name, state in (
        ("controversy__arid_zones__mid_term", "contested"),
        ("deployment_mode__nature__arid_zones__mid_term", "collapse"),
    ):
        before, after = (query(governance, name, seen)[name][state] for seen in ({}, everything))
        assert after > before + 0.02
    elsewhere = "deployment_mode__nature__northern_europe__mid_term"
    moved = query(governance, elsewhere, everything)[elsewhere] - query(governance, elsewhere)[elsewhere]
    assert 0.0 < np.abs(moved).max() < 0.05


def test_joined_likelihoods_are_those_of_observations_that_err_independently():
    # Two thermometers of one node: the joined evidence against a network that holds both.
    states = {"x": ["a", "b", "c"], "one": ["n", "y"], "two": ["n", "y"]}
    one, two = np.array([0.2, 0.5, 0.9]), np.array([0.7, 0.1, 0.4])
    net = network_from_tables(
        states,
        {"one": ["x"], "two": ["x"]},
        {"x": [0.5, 0.3, 0.2], "one": np.stack([1 - one, one], 1), "two": np.stack([1 - two, two], 1)},
    )
    parts = [{"x": dict(zip("abc", values.tolist(), strict=True))} for values in (one, two)]
    joined = query(net, "x", joined_evidence(net, *parts))["x"]
    np.testing.assert_allclose(joined, query(net, "x", {"one": "y", "two": "y"})["x"], rtol=1e-12)
    assert joined_evidence(net, {"x": "b"}, parts[0]) == {"x": "b"}
    assert joined_evidence(net) == {}
    with pytest.raises(InputError, match="pieces of evidence contradict one another: got 'x'"):
        joined_evidence(net, {"x": "b"}, {"x": {"a": 1.0, "b": 0.0, "c": 1.0}})
    with pytest.raises(InputError, match="no such state"):
        joined_evidence(net, {"x": "d"})


def test_bad_realised_evidence_is_refused_together(governance):
    with pytest.raises(InputError) as caught:
        disturbance_evidence(governance, "arid_zone", "near_term", True, detection=1.2, false_alarm=-0.1)
    message = str(caught.value)
    assert "did you mean 'arid_zones'?" in message
    assert "key 'detection': not a share: got 1.2" in message
    assert "key 'false_alarm': not a share: got -0.1" in message
    with pytest.raises(InputError, match=r"reports that say nothing: got 0\.2; allowed: above 0\.2"):
        disturbance_evidence(governance, *PLACE, True, detection=0.2, false_alarm=0.2)
    with pytest.raises(InputError, match="node has other than two states"):
        disturbance_evidence(governance, *PLACE, True, detection=0.9, false_alarm=0.2, base="policy_support")
    with pytest.raises(InputError) as caught:
        reversal_evidence(governance, *PLACE, 1.5, sd=-1.0, expected={"shok": 0.1, "none": 2.0})
    message = str(caught.value)
    for part in (
        "key 'reversed_share': not a share: got 1.5",
        "sd of the reversed share: got -1.0",
        "no such state: got 'shok'",
        "a state has no share",
        "key 'expected.none': not a share: got 2.0",
    ):
        assert part in message
