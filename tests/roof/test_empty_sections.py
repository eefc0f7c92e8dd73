"""A section that is only named: its defaults hold, or what it lacks is missed by name."""

from __future__ import annotations

import re

import pytest

from sinkrisk import config
from sinkrisk.errors import InputError

HEAD = "title: t\nseed: 1\n"


@pytest.mark.parametrize("name", list(config.sections()))
def test_a_bare_section_means_its_defaults_or_is_refused(name, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(f"{HEAD}{name}:\n")
    model = config.sections()[name]
    needed = [key for key, field in model.model_fields.items() if field.is_required()]
    if not needed:
        assert getattr(config.load_spec(path).spec, name) == model()
        return
    with pytest.raises(InputError) as caught:
        config.load_spec(path)
    for key in needed:
        pattern = (
            rf"spec\.yaml, row 3, key '{name}\.{key}': missing key.*leave out the empty section '{name}'"
        )
        assert re.search(pattern, str(caught.value))


def test_both_kinds_of_sections_are_there():
    required = {
        name: [key for key, field in model.model_fields.items() if field.is_required()]
        for name, model in config.sections().items()
    }
    assert required["survey"] == []
    assert required["target"] == ["net_removal"]


def test_a_section_left_out_stays_out(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD)
    assert all(getattr(config.load_spec(path).spec, name) is None for name in config.sections())


@pytest.mark.parametrize("key", ["title", "seed", "draws", "level", "description"])
def test_a_bare_value_is_refused(key, tmp_path):
    path = tmp_path / "spec.yaml"
    lines = {"title": "title: t", "seed": "seed: 1"} | {key: f"{key}:"}
    path.write_text("\n".join(lines.values()) + "\n")
    with pytest.raises(InputError, match=rf"key '{key}': not .*: got None;.*write a value, or leave"):
        config.load_spec(path)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("portfolios:\n  total:\n", "portfolios.total"),
        ("target:\n  net_removal: 6\n  year:\n", "target.year"),
        ("survey:\n  prices:\n", "survey.prices"),
        ("decision:\n  carbon_value:\n", "decision.carbon_value"),
    ],
)
def test_a_bare_value_inside_a_section_is_refused(text, key, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + text)
    with pytest.raises(InputError, match=rf"key '{re.escape(key)}': not .*: got None; allowed: a"):
        config.load_spec(path)


def test_values_that_may_be_absent_may_be_bare(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        f"{HEAD}outlook:\n  emissions:\nrank:\n  criteria:\n"
        "portfolios:\n  total: {near_term: 1}\n  names:\n"
    )
    spec = config.load_spec(path).spec
    assert spec.outlook == config.OutlookSpec()
    assert spec.rank == config.RankSpec()
    assert spec.portfolios.names is None
