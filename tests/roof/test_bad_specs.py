"""Every bad spec: exit 2, one message with file, line and key, nothing written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sinkrisk import cli, config, files
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
    "spec_reversed_window.yaml": [
        r"spec_reversed_window\.yaml, row 7, key 'budget\.windows\.1': window ends before it starts",
        r"got '2023-2014'",
    ],
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
    "spec_programme.yaml": [
        r"row 7, key 'target\.year': target year outside the horizon: got 3000; allowed: 2026 to 2100",
        r"row 9, key 'scenarios\.n': more scenarios than joint draws: got 5000; allowed: 1 to 64",
        r"row 11, key 'optimize\.budget': a budget of nothing",
        r"row 12, key 'optimize\.total\.far_term': unknown name.*allowed: near_term",
        r"row 13, key 'optimize\.minimum\.forest': unknown name.*did you mean 'forests'",
        r"row 13, key 'optimize\.minimum\.forests': minimum above maximum: got 50\.0; allowed: up to 1\.0",
        r"row 13, key 'optimize\.minimum': the minima alone exceed",
    ],
    "spec_both_kinds.yaml": [
        r"row 3, key 'drows': unknown key.*did you mean 'draws'",
        r"row 5, key 'budget\.observations': no such file",
        r"row \d+, key 'portfolios[^']*': unknown portfolio: got 'fased'",
        r"row 8, key 'portfolios\.total[^']*'.*far_term",
    ],
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
    ("draws", "message"),
    [
        (1000, "power of two"),
        (0, "below its range: got 0; allowed: a whole number from 16 to 1048576"),
        (-4, "16"),
    ],
)
def test_a_bad_override_is_refused(draws, message):
    with pytest.raises(InputError, match=message):
        config.load_spec("global", {"draws": draws})


def test_a_bad_override_blames_the_option_not_the_file():
    with pytest.raises(InputError) as caught:
        config.load_spec("global", {"draws": 1000})
    assert str(caught.value).startswith("key '--draws': must be a power of two")


def test_a_portfolio_may_not_take_the_optimums_name(tmp_path, capsys):
    rows = [f"optimum,forests,{p},1.0,assumption,,test" for p in ("near_term", "mid_term", "long_term")]
    (tmp_path / "mine.csv").write_text(
        "portfolio,pathway,period,share,source,locator,note\n" + "\n".join(rows) + "\n"
    )
    (tmp_path / "spec.yaml").write_text(
        "title: t\nseed: 1\ndraws: 64\nportfolios:\n  file: mine.csv\n"
        "  total: {near_term: 1.0, mid_term: 4.0, long_term: 8.0}\n"
        "target: {net_removal: 10.0}\nscenarios: {n: 4}\noptimize: {}\n"
    )
    code, _, stderr = _run(["run", str(tmp_path / "spec.yaml"), "--out", str(tmp_path / "run")], capsys)
    assert code == 2
    assert "row 5, key 'portfolios.file': a portfolio may not be named 'optimum'" in stderr


def test_a_network_that_cannot_deploy_is_one_problem(tmp_path, capsys):
    text = files.data_path("priors", "network.yaml").read_text()
    (tmp_path / "net.yaml").write_text(text.replace("deployment_mode", "deploy"))
    (tmp_path / "spec.yaml").write_text(
        "title: t\nseed: 1\ndraws: 64\nnetwork: {file: net.yaml}\nportfolios:\n"
        "  total: {near_term: 1.0, mid_term: 4.0, long_term: 8.0}\n"
    )
    out = tmp_path / "run"
    code, _, stderr = _run(["run", str(tmp_path / "spec.yaml"), "--out", str(out)], capsys)
    assert code == 2
    assert "the simulation needs a node 'deployment_mode'" in stderr
    assert "problems" not in stderr
    assert not out.exists()


def test_a_run_directory_that_holds_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    code, _, stderr = _run(["run", "global", "--out", str(tmp_path)], capsys)
    assert code == 2
    assert "thesis.tex" in stderr
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", [".tmp-mine", ".old-mine"])
def test_a_hidden_folder_that_only_looks_like_ours_is_left_alone(name, tmp_path, capsys):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("mine")
    code, _, _ = _run(["run", "global", "--out", str(tmp_path)], capsys)
    assert code == 2
    assert (tmp_path / name / "thesis.tex").read_text() == "mine"


def test_an_out_that_is_a_file_is_refused(tmp_path, capsys):
    target = tmp_path / "file"
    target.write_text("x")
    code, _, stderr = _run(["run", "global", "--out", str(target)], capsys)
    assert code == 2
    assert "is a file" in stderr
    assert target.read_text() == "x"
