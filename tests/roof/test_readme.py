"""What the README shows is what there is: the spec's sections, and a user's table run to its ranking."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pandas as pd
import pytest

from sinkrisk import cli, config, consistency

README = Path(__file__).parents[2] / "README.md"
pytestmark = pytest.mark.skipif(
    not README.exists(), reason="needs the checkout: a wheel carries no README.md"
)


def section(title: str) -> str:
    """Return the text under a heading."""
    found = re.search(rf"## {title}\n(.*?)\n## ", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found, title
    return found[1]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def rows() -> dict[str, tuple[str, list[str]]]:
    """Return the table of sections: name -> what it does, keys without a default."""
    found = {}
    for line in section("What a spec says").splitlines():
        if line.startswith("| `"):
            names, does, needed = (cell.strip() for cell in line.strip("|").split("|"))
            for name in re.findall(r"`(\w+)`", names):
                found[name] = does, re.findall(r"`(\w+)`", needed)
    return found


def test_every_section_stands_in_the_table_in_the_order_of_the_spec():
    assert set(rows()) == set(config.RunSpec.model_fields)
    named = [name for name in rows() if name in config.sections()]
    assert named == list(config.sections())


@pytest.mark.parametrize("name", list(config.sections()))
def test_the_table_names_what_has_no_default(name):
    model = config.sections()[name]
    assert rows()[name][1] == [key for key, field in model.model_fields.items() if field.is_required()]
    assert rows()[name][0]


def test_top_level_keys_without_a_default_are_named():
    plain = set(config.RunSpec.model_fields) - set(config.sections())
    required = [k for k in config.RunSpec.model_fields if config.RunSpec.model_fields[k].is_required()]
    assert all(rows()[name][1] == required for name in plain)


def test_what_sections_need_is_said():
    said = section("What a spec says").replace("\n", " ")
    for name, needed in consistency.NEEDS.items():
        clause = re.search(rf"`{name}`[^.;]*? `{needed}`", said)
        assert clause, f"{name} needs {needed}"


def test_a_table_of_ones_own_runs_to_its_ranking(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (table,) = blocks("Your own portfolios", "csv")
    (spec,) = blocks("Your own portfolios", "yaml")
    (commands,) = blocks("Your own portfolios", "sh")
    Path("mine.csv").write_text(table)
    Path("mine.yaml").write_text(spec.replace("draws: 256", "draws: 64"))
    command = commands.splitlines()[0].split()
    assert command[0] == "sinkrisk"
    with contextlib.suppress(SystemExit):
        cli.main(command[1:])
    assert "runs/mine/ranking.csv" in capsys.readouterr().out.splitlines()
    ranking = pd.read_csv("runs/mine/ranking.csv")
    assert set(ranking["portfolio"]) == {"rocks", "fields"}
    measures = pd.read_csv("runs/mine/measures.csv")
    assert set(measures["portfolio"]) == {"rocks", "fields"}


def test_the_columns_told_are_those_read():
    from sinkrisk.portfolio.candidates import SHARE_COLUMNS
    from sinkrisk.portfolio.plan_rows import FURTHER

    told = [n for line in section("Your own portfolios").splitlines() if line.startswith("| `")
            for n in re.findall(r"`(\w+)`", line.split("|")[1])]  # fmt: skip
    assert set(told) == {*SHARE_COLUMNS, *FURTHER}


def test_what_a_run_directory_holds_is_told_in_full():
    from sinkrisk.stages import stages

    told = [n for line in section("What a run directory holds").splitlines() if line.startswith("| `")
            for n in re.findall(r"`([\w./]+)`", line.split("|")[1])]  # fmt: skip
    assert len(told) == len(set(told))
    # A run writes what its stages declare, no more and no less (test_running), and its manifest.
    declared = [name for stage in stages() for name in stage.outputs]
    assert set(told) == {*declared, "manifest.json"}


def test_a_run_holds_nothing_that_is_not_told(small_run):
    told = section("What a run directory holds")
    untold = {p.name for p in small_run.iterdir() if p.name != ".lock" and f"`{p.name}`" not in told}
    assert not untold
