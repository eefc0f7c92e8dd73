"""Every bad spec: exit 2, one message with file, line and key, nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sinkrisk import cli, config
from sinkrisk.errors import InputError

BAD = Path(__file__).parents[1] / "data" / "bad"

MESSAGES = {
    "spec_unknown_key.yaml": [
        r"spec_unknown_key\.yaml, row 4, key 'budget\.observation': unknown key: got 'observation'",
        r"did you mean 'observations'\?",
    ],
    "spec_missing_file.yaml": [
        r"spec_missing_file\.yaml, row 4, key 'budget\.observations': no such file",
        r"no_such_table\.csv.*relative to the spec",
    ],
    "spec_reversed_window.yaml": [r"spec_reversed_window\.yaml, row 5", r"2023", r"2014", r"ends before"],
    "spec_several.yaml": [
        r"row 2, key 'seed'",
        r"row 3, key 'draws'.*power of two.*512 or 1024",
        r"row 4, key 'budgett': unknown key: got 'budgett'.*did you mean 'budget'\?",
        r"row 8, key 'rank\.weight': unknown key.*did you mean 'weights'\?",
    ],
    "spec_wrong_types.yaml": [r"row 2, key 'seed'.*got 'many'", r"row 4, key 'budget'"],
    "spec_missing_key.yaml": [r"key 'seed': missing key"],
    "spec_unknown_names.yaml": [
        r"row 8, key 'rank\.criteria\.0': unknown criterion.*did you mean 'storage_permanence'\?",
        r"row 12, key 'sobol\.portfolios\.0': unknown portfolio: got 'fased'.*did you mean 'phased'\?",
    ],
    "spec_section_missing.yaml": [r"row 5, key 'rank': section 'rank' needs a section 'target'"],
    "spec_syntax.yaml": [r"spec_syntax\.yaml, row \d+: spec: not valid YAML"],
    "spec_python_tag.yaml": [
        r"spec_python_tag\.yaml, row 1: spec: not valid YAML: could not determine a constructor"
    ],
    "spec_list.yaml": [r"the file must hold keys and values: got 'list'"],
    "spec_empty.yaml": [r"the file must hold keys and values: got 'nothing'"],
    "spec_duplicate_key.yaml": [r"row 3, key 'seed': key given twice"],
}


def _run(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_bad_spec(name, tmp_path, capsys):
    out = tmp_path / "run"
    code, stdout, stderr = _run(["run", str(BAD / name), "--out", str(out)], capsys)
    assert code == 2
    assert stdout == ""
    assert "Traceback" not in stderr
    for pattern in MESSAGES[name]:
        assert re.search(pattern, stderr, flags=re.DOTALL), f"{pattern!r} not in:\n{stderr}"
    assert not out.exists()


def test_every_bad_spec_has_its_message():
    assert {p.name for p in BAD.glob("spec_*.yaml")} == set(MESSAGES)


OBSERVATIONS = {
    "observations_negative_sd.csv": [r"row \d+", r"key 'sd'", r"-0?\.\d"],
    "observations_unknown_unit.csv": [r"row \d+", r"key 'unit'", r"unknown unit", r"did you mean"],
    "observations_reversed_window.csv": [r"row \d+", r"key '(end|start)'"],
    "observations_missing_column.csv": [r"missing column", r"key '\w+'"],
}


@pytest.mark.parametrize("name", sorted(OBSERVATIONS))
def test_bad_observations_through_a_spec(name, tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"title: t\nseed: 1\nbudget:\n  observations: {BAD / name}\n")
    out = tmp_path / "run"
    code, _, stderr = _run(["run", str(spec), "--out", str(out)], capsys)
    assert code == 2
    for pattern in [re.escape(name), *OBSERVATIONS[name]]:
        assert re.search(pattern, stderr), f"{pattern!r} not in:\n{stderr}"
    assert not out.exists()


def test_problems_of_two_files_come_together(tmp_path, capsys):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"title: t\nseed: 1\nbudget:\n  observations: {BAD / 'observations_negative_sd.csv'}\n"
        "network:\n  file: nowhere.yaml\n"
    )
    code, _, stderr = _run(["run", str(spec), "--out", str(tmp_path / "run")], capsys)
    assert code == 2
    assert "observations_negative_sd.csv" in stderr
    assert "nowhere.yaml" in stderr


def test_an_unknown_packaged_spec_names_those_there_are():
    with pytest.raises(InputError, match=r"no such spec: got 'globl'.*did you mean 'global'"):
        config.load_spec("globl")


@pytest.mark.parametrize(
    ("draws", "message"), [(1000, "power of two"), (0, "greater than or equal to 16"), (-4, "16")]
)
def test_a_bad_override_is_refused(draws, message):
    with pytest.raises(InputError, match=message):
        config.load_spec("global", {"draws": draws})


def test_a_run_directory_that_holds_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    code, _, stderr = _run(["run", "global", "--out", str(tmp_path)], capsys)
    assert code == 2
    assert "thesis.tex" in stderr
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_out_that_is_a_file_is_refused(tmp_path, capsys):
    target = tmp_path / "file"
    target.write_text("x")
    code, _, stderr = _run(["run", "global", "--out", str(target)], capsys)
    assert code == 2
    assert "is a file" in stderr
    assert target.read_text() == "x"
