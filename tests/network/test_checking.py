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
        "network_boolean_state.yaml, row 9, key 'nodes.ambition.states.0': not a text: "
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
            "'nodes.removal_revenue.table.bottleneck.share': above its range: got 1.3; allowed: at most 1",
        ),
        ("locator: Sections 4.1.3 and 4.4", "locator: ''", "source without a locator: got 'ma2025'"),
        ("group: climate", "group: wheather", "got 'wheather'; allowed: policy, market, "),
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


def _row(text):
    """Line of the shipped network that holds a text first."""
    lines = data_path("priors", "network.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def _planted(tmp_path, old, new, **plates):
    text = data_path("priors", "network.yaml").read_text()
    assert old in text
    path = tmp_path / "network.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load(path, **plates)
    message = str(caught.value)
    assert "Input" not in message
    return message


@pytest.mark.parametrize("weight", [".inf", ".nan", "1.0e+308", "1.0e+7"])
def test_weights_without_bounds_are_refused(tmp_path, weight):
    old = "weights: {carbon_price_regime: 3, credit_recognition: 2}"
    message = _planted(tmp_path, old, f"weights: {{carbon_price_regime: {weight}, credit_recognition: 2}}")
    row = _row(old)
    assert f"row {row}, key 'nodes.removal_revenue.table.weights.carbon_price_regime'" in message
    message = _planted(
        tmp_path, "baseline: {weight: 1, value: 0.50}", f"baseline: {{weight: {weight}, value: 0.5}}"
    )
    assert "baseline.weight'" in message


def test_numbers_that_yaml_reads_as_text_get_a_hint(tmp_path):
    message = _planted(tmp_path, "spread: 0.22", "spread: 1e-1")
    assert "not a number: got '1e-1'; YAML reads this as text: write 1.0e-01" in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"regions": ["arid_zone"]}, "no such region: got 'arid_zone'.*did you mean 'arid_zones'"),
        ({"periods": ["midterm"]}, "no such period: got 'midterm'.*did you mean 'mid_term'"),
        ({"classes": ["oceans"]}, "no such class: got 'oceans'.*did you mean 'ocean'"),
        ({"regions": []}, "no region left in the network"),
        ({"regions": "arid_zones"}, "allowed: a list of names"),
        ({"periods": ["mid_term", "near_term"]}, "periods out of order: .*allowed: near_term, mid_term"),
        ({"regions": ["arid_zones", "arid_zones"]}, "region given twice"),
    ],
)
def test_plates_asked_for_are_among_the_files(given, message):
    with pytest.raises(InputError, match=message) as caught:
        load(**given)
    assert f"key '{next(iter(given))}'" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("region: regions", "region: []", "key 'plates.region': plate without values: got []"),
        (
            "period: periods",
            "period: pathways",
            "key 'plates.period': the table has no column 'period'",
        ),
        (
            "period: periods",
            "period: perods",
            "key 'plates.period': no such table in priors: got 'perods'",
        ),
        (
            "region: regions",
            "region: [1, 2]",
            "key 'plates.region.0': neither a text nor a list of texts: got 1",
        ),
        ("kind: ranked", "kind: rankd", "no such kind of table: got"),
    ],
)
def test_faults_of_plates_and_kinds_are_told_in_our_words(tmp_path, old, new, message):
    got = _planted(tmp_path, old, new)
    assert message in got
    assert "list[str]" not in got


def _crowded(kind, parents, states=4):
    """A network file of one node with many parents."""
    labels = ", ".join(f"s{k}" for k in range(states))
    sourced = "rationale: made up, source: assumption"
    lines = [
        "network: crowded",
        f"shared_deviation: {{correlation: 0.5, {sourced}}}",
        "nodes:",
    ]
    row = ", ".join(["%.6f" % (1 / states)] * states)
    for number in range(parents):
        table = f"{{kind: full, equivalent_sample_size: 5, rows: [{{probabilities: [{row}]}}], {sourced}}}"
        lines.append(f"  p{number}: {{plate: [], states: [{labels}], group: policy, table: {table}}}")
    names = ", ".join(f"p{number}" for number in range(parents))
    weights = ", ".join(f"p{number}: 1" for number in range(parents))
    table = {
        "ranked": f"{{kind: ranked, equivalent_sample_size: 5, spread: 0.2, weights: {{{weights}}}, "
        f"{sourced}}}",
        "full": f"{{kind: full, equivalent_sample_size: 5, rows: [{{probabilities: [{row}]}}], {sourced}}}",
    }[kind]
    lines.append(
        f"  child: {{plate: [], states: [{labels}], group: policy, parents: [{names}], table: {table}}}"
    )
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["ranked", "full"])
def test_a_family_too_large_to_build_is_refused_with_its_line(tmp_path, kind):
    path = tmp_path / "crowded.yaml"
    path.write_text(_crowded(kind, 16))
    with pytest.raises(InputError, match=r"row 20, key 'nodes\.child': node 'child': table too large"):
        load(path)
    path.write_text(_crowded(kind, 6))
    assert len(load(path)) == 7


def test_a_hopeless_network_is_refused_when_it_is_read(tmp_path):
    # Every pair of forty roots has a child: all forty depend on each other once the children count.
    sourced = "rationale: made up, source: assumption"
    lines = ["network: grid", f"shared_deviation: {{correlation: 0.5, {sourced}}}", "nodes:"]
    for number in range(40):
        table = f"{{kind: full, equivalent_sample_size: 5, rows: [{{probabilities: [0.5, 0.5]}}], {sourced}}}"
        lines.append(f"  p{number}: {{plate: [], states: [a, b], group: policy, table: {table}}}")
    for one in range(40):
        for other in range(one):
            weights = f"{{p{one}: 1, p{other}: 1}}"
            table = f"{{kind: ranked, equivalent_sample_size: 5, weights: {weights}, spread: 0.2, {sourced}}}"
            lines.append(
                f"  c{one}x{other}: {{plate: [], states: [a, b], group: policy, "
                f"parents: [p{one}, p{other}], table: {table}}}"
            )
    path = tmp_path / "grid.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"row \d+, key 'nodes.*exact inference would need.*and 3\d more"):
        load(path)


def test_sources_are_looked_up(tmp_path):
    message = _planted(tmp_path, "source: ma2025", "source: ma2052")
    where = f"row {_row('source: ma2025')}, key 'nodes.climate_ambition.table'"
    assert f"{where}: source is in no bibliography: got 'ma2052'" in message
    assert "did you mean 'ma2025'?" in message
    text = data_path("priors", "network.yaml").read_text().replace("source: ma2025", "source: ma2052", 1)
    (tmp_path / "mine.bib").write_text("@article{ma2052,\n  title = {Later},\n  year = {2052},\n}\n")
    (tmp_path / "network.yaml").write_text(text)
    assert len(load(tmp_path / "network.yaml", regions=["arid_zones"], periods=["near_term"])) > 10
