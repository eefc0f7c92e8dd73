from __future__ import annotations

import pytest

from sinkrisk.errors import InputError
from sinkrisk.files import data_path
from sinkrisk.network import load, load_scenarios


def test_shipped_scenarios_are_the_ones_the_review_speaks_of(governance):
    scenarios = load_scenarios(governance)
    assert [s.name for s in scenarios.values() if s.kind == "shock"] == [
        "declining_support", "price_collapse", "rising_resistance",
    ]  # fmt: skip
    assert [s.name for s in scenarios.values() if s.kind == "lever"] == [
        "ecological_compensation", "linked_incentives", "credit_recognition",
    ]  # fmt: skip
    assert scenarios["price_collapse"].do == {"carbon_price_regime__mid_term": "collapsed"}
    assert len(scenarios["declining_support"].do) == 9
    resisted = scenarios["rising_resistance"].do
    assert resisted["public_acceptance__ocean__open_ocean__mid_term"] == "resistant"
    assert "public_acceptance__nature__open_ocean__mid_term" not in resisted
    for scenario in scenarios.values():
        assert scenario.rationale
        assert scenario.source == "assumption" or scenario.locator


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("node: carbon_price_regime,", "node: carbon_price_regim,", "got 'carbon_price_regim'; allowed: c"),
        ("state: collapsed,", "state: colapsed,", "no such state of 'carbon_price_regime': got 'colapsed'"),
        ("declining, periods: [mid_term]", "declining, periods: [midterm]", "did you mean 'mid_term'?"),
        ("classes: [land_based, geological, ocean]", "classes: [land]", "has no such class: got 'land'"),
        ("state: present, periods: [near_term]", "state: present, regions: [arid_zones]", "allowed: (none)"),
        ("kind: opportunity", "kind: chance", "got 'chance'; allowed: shock, opportunity, lever"),
        ("locator: Sections 4.2 and 4.4", "locator: ''", "source without a locator: got 'ma2025'"),
        ("label: MRV breakthrough", "labell: MRV breakthrough", "unknown key: got 'labell'"),
        (
            "set:\n      - {node: mrv_breakthrough",
            "set:\n      - {node: mrv_breakthrough, state: absent}\n      - {node: mrv_breakthrough",
            "node set twice",
        ),
    ],
)  # fmt: skip
def test_faults_planted_in_the_scenarios(governance, tmp_path, old, new, message):
    text = data_path("priors", "governance_scenarios.yaml").read_text()
    assert old in text
    path = tmp_path / "scenarios.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_scenarios(governance, path)
    assert message in str(caught.value)
    assert "scenarios.yaml, row " in str(caught.value)


def test_every_fault_of_a_scenario_file_is_reported_at_once(governance, tmp_path):
    path = tmp_path / "scenarios.yaml"
    path.write_text(
        "scenarios:\n  one:\n    label: One\n    kind: shock\n    rationale: why\n    source: assumption\n"
        "    set:\n      - {node: nothing, state: low}\n      - {node: climate_shock, state: shok}\n"
    )
    with pytest.raises(InputError, match="2 problems"):
        load_scenarios(governance, path)


def test_a_part_of_the_network_takes_the_shipped_scenarios():
    part = load(regions=["arid_zones"])
    assert set(load_scenarios(part)["declining_support"].do) == {"policy_support__arid_zones__mid_term"}
