"""The page on writing a network: its examples load, its numbers are the ones computed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sinkrisk.network import load, load_scenarios, marginals, require_deployment_modes
from sinkrisk.network.tables import RankedParameters, ranked_table

PAGE = Path(__file__).parents[2] / "docs" / "network.md"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def test_the_examples_load(blocks, tmp_path):
    assert len(blocks) == 2
    (tmp_path / "mine.yaml").write_text(blocks[0])
    (tmp_path / "scenarios.yaml").write_text(blocks[1])
    net = load(tmp_path / "mine.yaml")
    require_deployment_modes(net)
    assert {node.region for node in net.nodes.values()} > {"arid_zones", "open_ocean"}
    part = load(tmp_path / "mine.yaml", regions=["arid_zones", "open_ocean"])
    table = marginals(part).set_index(["node", "state"]).probability
    ocean = table["deployment_mode__ocean__arid_zones__near_term"]["full"]
    assert ocean < table["deployment_mode__nature__arid_zones__near_term"]["full"]
    scenarios = load_scenarios(net, tmp_path / "scenarios.yaml")
    assert dict(scenarios["low_ambition"].do) == {"ambition__mid_term": "low"}


def test_the_numbers_of_the_page(blocks):
    middle = RankedParameters(
        parents=(), constants=(), weights=(), baseline_weight=1.0, baseline=0.5, spread=0.2, bottleneck=0.0,
        limiting=(), states=3, favourable_first=False,
    )  # fmt: skip
    np.testing.assert_allclose(ranked_table(middle).ravel(), [0.2, 0.6, 0.2], atol=0.005)
    assert "0.20, 0.60, 0.20" in PAGE.read_text()
    # Every key of the table kinds is explained.
    from sinkrisk.network.specification import TABLE_KEYS, NodeSpec

    for key in {*NodeSpec.model_fields, *(key for keys in TABLE_KEYS.values() for key in keys)}:
        assert f"`{key}`" in PAGE.read_text() or f"**`{key}`**" in PAGE.read_text(), key
