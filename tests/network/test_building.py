from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import load, network_from_tables

SMALL = """network: small
shared_deviation: {correlation: 0.5, rationale: one judgement, source: assumption}
plates: {region: [north, south], period: [early, late]}
nodes:
  ambition:
    plate: [period]
    states: [low, high]
    group: policy
    parents: [ambition@previous]
    table:
      kind: full
      equivalent_sample_size: 10
      rationale: persists
      source: ma2025
      locator: Section 4.4
      first: [{probabilities: [0.4, 0.6]}]
      rows:
        - {given: {ambition@previous: low}, probabilities: [0.7, 0.3]}
        - {given: {ambition@previous: high}, probabilities: [0.1, 0.9]}
  support:
    plate: [region, period]
    states: [declining, stable, strengthening]
    group: policy
    parents: [ambition, support@previous]
    table:
      kind: full
      equivalent_sample_size: 10
      rationale: follows
      source: assumption
      first:
        - {given: {ambition: [low, high]}, probabilities: [0.2, 0.5, 0.3]}
      rows:
        - {given: {ambition: low, support@previous: [declining, stable]}, probabilities: [0.5, 0.4, 0.1]}
        - {given: {ambition: high, support@previous: [declining, stable]}, probabilities: [0.3, 0.4, 0.3]}
        - {given: {support@previous: strengthening}, probabilities: [0.1, 0.3, 0.6]}
    overrides:
      - match: {region: [south], period: [early]}
        rationale: poorer
        source: assumption
        first: [{probabilities: [0.6, 0.3, 0.1]}]
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return load(path)


def test_plates_are_unrolled_with_carry_over(small):
    assert small.order == (
        "ambition__early", "support__north__early", "support__south__early",
        "ambition__late", "support__north__late", "support__south__late",
    )  # fmt: skip
    late = small.nodes["support__south__late"]
    assert late.parents == ("ambition__late", "support__south__early")
    assert (late.kind, late.region, late.period, late.cls, late.group) == (
        "regional", "south", "late", None, "policy",
    )  # fmt: skip
    assert small.tables["support__south__late"].shape == (2, 3, 3)
    np.testing.assert_allclose(small.tables["support__south__late"][1, 1], [0.3, 0.4, 0.3])
    np.testing.assert_allclose(small.tables["support__south__late"][:, 2], [[0.1, 0.3, 0.6]] * 2)
    np.testing.assert_allclose(small.tables["support__south__early"], [[0.6, 0.3, 0.1]] * 2)
    np.testing.assert_allclose(small.tables["support__north__early"], [[0.2, 0.5, 0.3]] * 2)
    assert small.nodes["support__south__early"].rationale == "poorer"
    assert small.nodes["support__north__early"].rationale == "follows"


def test_shipped_network_has_the_nodes_the_contracts_name(governance):
    classes = ("nature", "land_based", "geological", "mineral", "ocean")
    # Six global nodes; governance capacity once per region; seven regional and ten class nodes.
    assert len(governance) == 6 * 3 + 9 * (1 + 3 * (7 + 2 * 5))
    for node in governance.nodes.values():
        assert node.rationale
        assert node.source == "assumption" or node.locator
        assert node.equivalent_sample_size >= 1
        assert node.group in ("policy", "market", "acceptance", "deployment", "climate")
    for cls in classes:
        mode = governance.nodes[f"deployment_mode__{cls}__rest_of_world__mid_term"]
        assert mode.states == ("full", "throttled", "passive_redundancy", "collapse")
        assert (mode.kind, mode.cls, mode.base) == ("class", cls, "deployment_mode")
        assert f"deployment_mode__{cls}__rest_of_world__near_term" in mode.parents
    assert governance.nodes["disturbance__open_ocean__near_term"].states == ("none", "shock")
    for name in ("climate_ambition", "carbon_price_regime", "credit_recognition", "mrv_breakthrough"):
        assert governance.nodes[f"{name}__near_term"].kind == "global"
    for name, node in governance.nodes.items():
        assert all(governance.position[parent] < governance.position[name] for parent in node.parents)


def test_pgmpy_model_holds_the_same_tables(small):
    model = small.model
    assert set(model.nodes()) == set(small.order)
    cpd = model.get_cpds("support__north__late")
    assert cpd.state_names["support__north__late"] == ["declining", "stable", "strengthening"]
    np.testing.assert_allclose(
        np.moveaxis(cpd.values, 0, -1), small.tables["support__north__late"], atol=1e-15
    )
    assert small.model is model


def test_tables_cannot_be_written_to(small):
    with pytest.raises(ValueError, match="read-only"):
        small.tables["ambition__early"][0] = 1.0


def test_network_from_tables_lists_every_fault():
    with pytest.raises(InputError) as caught:
        network_from_tables(
            {"a": ["n", "y"], "b": ["n", "y"], "c": ["n", "y"]},
            {"b": ["aa"]},
            {"a": [0.5, 0.4], "b": [[0.5, 0.5], [0.5, 0.5]]},
        )
    message = str(caught.value)
    assert "node 'a': probabilities do not sum to one" in message
    assert "node 'b': unknown parent: got 'aa'" in message
    assert "node 'c' has no table" in message
    with pytest.raises(InputError, match=r"cycle: got '(a -> b -> a|b -> a -> b)'"):
        network_from_tables(
            {"a": ["n", "y"], "b": ["n", "y"]},
            {"a": ["b"], "b": ["a"]},
            {"a": np.full((2, 2), 0.5), "b": np.full((2, 2), 0.5)},
        )


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, sinkrisk.network\n"
        "heavy = {'pandas', 'xarray', 'pgmpy', 'scipy', 'pydantic', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "net = sinkrisk.network\n"
        "for _ in range(2):\n"
        "    for name in net.__all__:\n"
        "        assert callable(getattr(net, name)), name\n"
        "assert 'pgmpy' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_effects_of_a_noisy_table_make_the_parents_they_name(governance):
    node = governance.nodes["resource_competition__open_ocean__long_term"]
    assert node.parents == (
        "deployment_mode__nature__open_ocean__mid_term",
        "deployment_mode__land_based__open_ocean__mid_term",
        "deployment_mode__geological__open_ocean__mid_term",
        "disturbance__open_ocean__long_term",
    )
    table = governance.tables[node.name]
    # Nothing pushes: the leak. Each push alone: one minus the product of the shares not pushed.
    np.testing.assert_allclose(table[2, 2, 2, 0], [0.80, 0.20])
    np.testing.assert_allclose(table[0, 0, 2, 1, 0], 0.80 * 0.80 * 0.60 * 0.65)
    first = governance.nodes["controversy__open_ocean__near_term"]
    assert first.parents == ()
    np.testing.assert_allclose(governance.tables[first.name], [0.88, 0.12])


def test_a_ranked_parent_of_weight_nought_is_no_parent(governance):
    ocean = governance.nodes["deployment_mode__ocean__open_ocean__mid_term"].parents
    rock = governance.nodes["deployment_mode__geological__open_ocean__mid_term"].parents
    assert "infrastructure__open_ocean__mid_term" in rock
    assert "infrastructure__open_ocean__mid_term" not in ocean
    assert "disturbance__open_ocean__mid_term" not in rock
    # The first period has no table of its own but for what is carried over.
    assert "resource_competition__open_ocean__near_term" in (
        governance.nodes["deployment_mode__geological__open_ocean__near_term"].parents
    )


RAIN = {"states": {"rain": ["no", "yes"]}, "parents": {}, "tables": {"rain": [0.8, 0.2]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parents": {"rian": []}}, "parents of an unknown node: got 'rian'.*did you mean 'rain'"),
        ({"tables": {"rain": [0.8, 0.2], "wet": [1.0]}}, "tables of an unknown node: got 'wet'"),
        ({"states": {"rain": ["no", "no"]}}, "state given twice: got 'no, no'"),
        ({"states": {"rain": [0, 1]}}, "name of a state is no text: got 0"),
        ({"states": {"rain": "ny"}}, "states are no list of names: got 'ny'"),
        ({"states": {"rain": []}}, "no states"),
        ({"states": {}, "tables": {}}, "no nodes"),
        ({"parents": {"rain": "rain"}}, "parents are no list of nodes"),
        ({"tables": {"rain": [1.5, -0.5]}}, "probability out of range: got 1.5; allowed: 0 to 1"),
        ({"tables": {"rain": [np.nan, 1.0]}}, "probability out of range: got nan"),
        ({"tables": {"rain": [0.8, 0.3]}}, "probabilities do not sum to one: got 1.1"),
        ({"tables": {"rain": ["a", "b"]}}, "table is no array of numbers"),
        ({"tables": {"rain": [[0.8], [0.1, 0.1]]}}, "table is no array of numbers"),
        ({"tables": [[0.8, 0.2]]}, "tables are no mapping"),
        ({"equivalent_sample_size": 0}, "equivalent sample size: got 0"),
        ({"equivalent_sample_size": float("nan")}, "equivalent sample size: got nan"),
        ({"equivalent_sample_size": "many"}, "equivalent sample size: got 'many'"),
        ({"correlation": 2.0}, "correlation of rows: got 2.0; allowed: 0 to 1"),
    ],
)
def test_faults_of_a_network_from_tables(changes, message):
    with pytest.raises(InputError, match=message):
        network_from_tables(**{**RAIN, **changes})


def test_the_row_that_misses_one_is_named():
    with pytest.raises(InputError, match=r"got 0\.9; allowed: 1; for rain=yes"):
        network_from_tables(
            {"rain": ["no", "yes"], "wet": ["no", "yes"]},
            {"wet": ["rain"]},
            {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.7]]},
        )


def test_tables_that_are_no_probabilities_never_become_a_network():
    net = network_from_tables(**RAIN)
    for wrong in ([np.nan, 1.0], [0.5, 0.4], [1.5, -0.5]):
        with pytest.raises(InputError, match="table 'rain' is no table of probabilities"):
            net.with_tables({"rain": np.array(wrong)})
