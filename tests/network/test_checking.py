from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sinkrisk.errors import InputError
from sinkrisk.files import data_path
from sinkrisk.network import NetworkSpec, load
from sinkrisk.priors import load_table

BAD = Path(__file__).parents[1] / "data" / "bad"

MESSAGES = {
    "sum": (
        "network_sum.yaml, row 17, key 'nodes.ambition.table.rows.0': "
        "node 'ambition': probabilities do not sum to one: got 0.9; allowed: 1"
    ),
    "unknown_parent": (
        "network_unknown_parent.yaml, row 22, key 'nodes.support.parents.0': node 'support': "
        "unknown parent: got 'ambitoin'; allowed: ambition, support; did you mean 'ambition'?"
    ),
    "unknown_state": (
        "network_unknown_state.yaml, row 30, key 'nodes.support.table.rows.1': node 'support': "
        "unknown state of parent 'ambition': got 'hihg'; allowed: low, high; did you mean 'high'?"
    ),
    "cycle": (
        "network_cycle.yaml, row 11, key 'nodes.ambition.parents': cycle within a period: "
        "got 'ambition -> support -> ambition'; "
        "drop one of the parents, or take it from the period before with @previous"
    ),
    "missing_table": (
        "network_missing_table.yaml, row 18, key 'nodes.support.table': node 'support' has no table; "
        "allowed: plate, states, favourable, group, parents, table, overrides"
    ),
    "missing_row": (
        "network_missing_row.yaml, row 28, key 'nodes.support.table.rows': node 'support': "
        "no row for a combination: got 'ambition=high'"
    ),
    "missing_first": (
        "network_missing_first.yaml, row 12, key 'nodes.ambition.table': node 'ambition' has no table "
        "for the first period; give 'first': rows without ambition@previous"
    ),
    "unknown_key": (
        "network_unknown_key.yaml, row 14, key 'nodes.ambition.table.rationnale': unknown key: "
        "got 'rationnale'; allowed: rationale, source, locator, kind, equivalent_sample_size, rows, first; "
        "did you mean 'rationale'?"
    ),
    "boolean_state": (
        "network_boolean_state.yaml, row 9, key 'nodes.ambition.states.0': Input should be a valid string: "
        "got False; YAML reads yes, no, on and off as true and false: quote the word"
    ),
    "unknown_region": (
        "network_unknown_region.yaml, row 32, key 'nodes.support.overrides.0.match.region': "
        "node 'support': unknown region: got 'nroth'; allowed: north, south; did you mean 'north'?"
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message(name):
    with pytest.raises(InputError) as caught:
        load(BAD / f"network_{name}.yaml")
    assert MESSAGES[name] in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_fault_is_reported_at_once():
    with pytest.raises(InputError) as caught:
        load(BAD / "network_several.yaml")
    message = str(caught.value)
    assert message.startswith("2 problems:")
    assert "do not sum to one: got 0.9" in message
    assert "did you mean 'high'?" in message


def test_each_bad_file_has_a_message():
    files = {path.stem.removeprefix("network_") for path in BAD.glob("network_*.yaml")}
    assert files == {*MESSAGES, "several"}


def test_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "network.yaml").write_text("network: x\n")
    with pytest.raises(InputError, match=r"did you mean|network\.yaml"):
        load(tmp_path / "netwrk.yaml")


def test_analysis_section_forbids_unknown_keys():
    assert NetworkSpec().tables == 512
    with pytest.raises(ValidationError):
        NetworkSpec(table=3)
    with pytest.raises(ValidationError):
        NetworkSpec(tables=0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "weights: {carbon_price_regime: 3, credit_recognition: 2}",
            "weights: {carbon_price_regime: 3, credit_recogniton: 2}",
            "'weights' names what is no such parent: got 'credit_recogniton'; allowed: "
            "carbon_price_regime, credit_recognition; did you mean 'credit_recognition'?",
        ),
        (
            "today: {credit_recognition@previous: 0.2}",
            "today: {}",
            "node 'credit_recognition': 'today' lacks a parent: got []; credit_recognition@previous",
        ),
        (
            "bottleneck: {share: 0.5, parents: [carbon_price_regime, credit_recognition]}",
            "bottleneck: {share: 1.3, parents: [carbon_price_regime, credit_recognition]}",
            "key 'nodes.removal_revenue.table.bottleneck.share': Input should be less than or equal to 1",
        ),
        ("locator: Sections 4.1.3 and 4.4", "locator: ''", "source without a locator: got 'ma2025'"),
        ("group: climate", "group: wheather", "Input should be 'policy', 'market'"),
        ("network: governance", "network: my network", "network name is not a name: got 'my network'"),
        (
            "parents: [policy_support, infrastructure@previous]",
            "parents: [disturbance@previous, infrastructure@previous]",
            "'weights' lacks a parent",
        ),
        (
            "first_leak: [0.88, 0.12]",
            "first_leak: [0.88, 0.22]",
            "probabilities do not sum to one: got 1.1",
        ),
        (
            "leak: [0.88, 0.12]\n      first_leak",
            "leak: [0.88]\n      first_leak",
            "wrong number of probabilities",
        ),
        ("      first_leak: [0.88, 0.12]\n", "", "no leak for the first period"),
        (
            "parents: [deployment_mode@previous, disturbance@previous]",
            "parents: [deployment_mode@previous, climate_shock, disturbance@previous]",
            "parent without an effect: got 'climate_shock'",
        ),
        (
            "match: {class: [ocean]}\n          state: full",
            "match: {class: [oceans]}\n          state: full",
            "unknown class: got 'oceans'; allowed: nature, land_based, geological, mineral, ocean; did you",
        ),
        (
            "match: {class: [ocean]}\n          state: full",
            "match: {region: [open_ocean]}\n          state: full",
            "effect matches a plate it does not fold over: got 'region'; allowed: class",
        ),
        (
            "match: {class: [ocean]}\n          state: full",
            "match: {class: [ocean]}\n          state: fulll",
            "unknown state of parent 'deployment_mode@previous': got 'fulll'",
        ),
        (
            "match: {class: [ocean]}\n          state: full",
            "match: {class: [ocean, land_based]}\n          state: full",
            "two effects for one state of a parent",
        ),
        (
            "        - parent: disturbance@previous\n          state: shock",
            "        - parent: disturbanc@previous\n          state: shock",
            "unknown parent of an effect: got 'disturbanc@previous'",
        ),
        (
            "parents: [policy_support, infrastructure@previous]",
            "parents: [policy_support, deployment_mode@previous]",
            "only a noisy_max table folds over the classes or regions of a parent",
        ),
        (
            "parents: [climate_shock]",
            "parents: [public_acceptance]",
            "parent has plates that the node has not: got 'public_acceptance [class, region, period]'",
        ),
        (
            "[none, shock]\n    favourable: first\n    group: climate\n    table",
            "[none, none]\n    favourable: first\n    group: climate\n    table",
            "state given twice: got 'none, none'",
        ),
    ],
)
def test_faults_planted_in_the_shipped_network(tmp_path, old, new, message):
    text = data_path("priors", "network.yaml").read_text()
    assert old in text
    path = tmp_path / "network.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load(path, regions=("north_america",), periods=("near_term", "mid_term"))
    assert message in str(caught.value)


def test_shipped_network_takes_regions_and_periods_from_the_priors():
    net = load()
    assert {node.period for node in net.nodes.values()} == {None, "near_term", "mid_term", "long_term"}
    assert {node.region for node in net.nodes.values()} == {None, *load_table("regions")["region"]}
