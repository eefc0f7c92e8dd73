"""The commands: what they print, where, and with which exit code."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

import pandas as pd
import pytest

from sinkrisk import __version__, cli


def _call(*arguments, capsys):
    try:
        cli.main(list(arguments))
    except SystemExit as stopped:
        code = stopped.code or 0
    else:
        code = 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_version_and_help_need_no_heavy_import():
    code = (
        "import sys\nfrom sinkrisk import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'pandas', 'xarray', 'pymc', 'pgmpy', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "reconcile" in done.stdout


def test_version(capsys):
    code, out, _ = _call("--version", capsys=capsys)
    assert (code, out.strip()) == (0, f"sinkrisk {__version__}")


def test_unknown_command_is_bad_input(capsys):
    code, _, err = _call("recncile", capsys=capsys)
    assert code == 2
    assert "reconcile" in err


def test_reconcile_prints_the_oracle_and_writes_what_it_prints(tmp_path, capsys):
    code, out, _ = _call("reconcile", "global", "--model", "closed", "--out", str(tmp_path), capsys=capsys)
    assert code == 0
    assert "equal-tailed 90% intervals" in out
    table = pd.read_csv(tmp_path / "budget.csv").set_index(["window", "component"])
    # models.md 1.3, closed oracle on Table 2.
    assert table.loc[("2014-2023", "ocean"), "mean"] == pytest.approx(2.8543, abs=5e-5)
    assert table.loc[("2014-2023", "ocean"), "sd"] == pytest.approx(0.3813, abs=5e-5)


def test_reconcile_refuses_china_without_attribution_and_does_it_with(capsys):
    closed = ("reconcile", "china", "--model", "closed")
    code, _, err = _call(*closed, capsys=capsys)
    assert code == 2
    assert "--attribution include" in err
    code, out, _ = _call(*closed, "--attribution", "include", capsys=capsys)
    assert code == 0
    assert "share" in out


def test_reconcile_reads_china_by_what_was_measured(capsys):
    code, out, _ = _call("reconcile", "china", "--draws", "600", capsys=capsys)
    assert code == 0
    assert "model hierarchical" in out
    assert "2010-2019" in out


def test_reconcile_refuses_a_negative_seed_and_absurd_numbers_in_words(tmp_path, capsys):
    code, _, err = _call("reconcile", "global", "--seed", "-1", capsys=capsys)
    assert (code, err.strip()) == (
        2,
        "sinkrisk: key 'seed': the seed must not be negative: got -1; allowed: >= 0",
    )
    values = {"fossil": 9, "land_use": 1, "atmosphere": 5, "ocean": 3, "land": 3}
    rows = [f"{name},2014,2023,{value},0.4,GtC/yr" for name, value in values.items()]
    text = "\n".join(["component,start,end,value,sd,unit", *rows])
    path = tmp_path / "mine.csv"
    path.write_text(text)
    code, out, _ = _call("reconcile", str(path), "--model", "closed", capsys=capsys)
    assert code == 0
    assert "2014-2023" in out
    path.write_text(text.replace(",5,", ",1e308,"))
    code, _, err = _call("reconcile", str(path), capsys=capsys)
    assert code == 2
    assert f"{path}, row 4, key 'value': far larger than any flux of carbon: got 1e+308" in err
    assert "Warning" not in err


def test_run_prints_the_path_of_the_report(small_spec, small_run, capsys):
    code, out, err = _call("run", str(small_spec), "--out", str(small_run), "--quiet", capsys=capsys)
    assert code == 0
    assert out.strip() == str(small_run / "report.html")
    assert err == ""


def test_report_rewrites_the_report_of_a_run(small_run, capsys):
    before = (small_run / "report.html").read_bytes()
    code, out, _ = _call("report", str(small_run), capsys=capsys)
    assert code == 0
    assert out.strip() == str(small_run / "report.html")
    assert (small_run / "report.html").read_bytes() == before


def test_report_of_an_unfinished_run_says_so(small_spec, tmp_path, capsys):
    out = tmp_path / "part"
    _call("network", str(small_spec), "--out", str(out), capsys=capsys)
    code, _, err = _call("report", str(out), capsys=capsys)
    assert code == 0
    assert "unfinished run, these stages are missing: inputs, simulate" in err
    assert "Unfinished" in (out / "report.html").read_text()


def test_report_of_a_run_whose_gate_was_overridden_keeps_exit_3(tmp_path, capsys):
    spec = tmp_path / "few.yaml"
    spec.write_text("title: few\nseed: 1\nbudget:\n  observations: global\n  draws: 20\n")
    code, _, _ = _call("run", str(spec), "--out", str(tmp_path / "out"), "--allow-unconverged", capsys=capsys)
    assert code == 3
    code, _, err = _call("report", str(tmp_path / "out"), capsys=capsys)
    assert code == 3
    assert "not converged" in err


def test_report_of_nothing_is_bad_input(tmp_path, capsys):
    code, _, err = _call("report", str(tmp_path / "nowhere"), capsys=capsys)
    assert code == 2
    assert "nowhere" in err


def test_priors_check_passes_on_the_repositorys_own_library(capsys):
    code, out, _ = _call("priors", "check", capsys=capsys)
    assert code == 0, out
    assert "FAIL" not in out


def test_priors_show_keeps_contradictions_side_by_side(capsys):
    code, out, _ = _call("priors", "show", "cost", "--pathway", "daccs", capsys=capsys)
    assert code == 0
    assert "300" in out
    assert "600" in out
    assert "200" in out


def test_priors_show_of_an_unknown_quantity_names_those_there_are(capsys):
    code, _, err = _call("priors", "show", "costs", capsys=capsys)
    assert code == 2
    assert "did you mean 'cost'" in err


@pytest.mark.parametrize("stage", ["network", "rank", "sobol", "scenarios"])
def test_a_stage_command_stops_at_its_stage(stage, small_spec, small_run, capsys):
    code, out, _ = _call(stage, str(small_spec), "--out", str(small_run), capsys=capsys)
    assert code == 0
    assert out.strip()


def test_what_the_system_refuses_is_one_line_and_exit_2(tmp_path, capsys, monkeypatch):
    from sinkrisk import running

    def full(*_, **__):
        raise OSError(28, "No space left on device", str(tmp_path / "budget.nc"))

    monkeypatch.setattr(running, "run", full)
    code, out, err = _call("run", "global", "--out", str(tmp_path), capsys=capsys)
    assert (code, out) == (2, "")
    assert err.strip() == f"sinkrisk: {tmp_path / 'budget.nc'}: No space left on device"


def test_an_interrupt_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    from sinkrisk import running

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupted)
    code, _, err = _call("run", "global", "--out", str(tmp_path), capsys=capsys)
    assert code == 130
    assert "start the same command again to go on" in err


@pytest.mark.parametrize(
    "arguments", [("reconcile", "global"), ("priors", "check"), ("data", "check", "x.csv")]
)
def test_an_interrupt_ends_every_command_with_one_line_and_130(arguments, capsys, monkeypatch):
    from sinkrisk import texts

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    for name in ("reconcile_text", "priors_check_text", "data_check_text"):
        monkeypatch.setattr(texts, name, interrupted)
    code, out, err = _call(*arguments, capsys=capsys)
    assert (code, out, err) == (130, "", "\nsinkrisk: interrupted, nothing is kept\n")


def test_an_interrupt_that_a_callback_swallowed_still_ends_the_command(capsys, monkeypatch):
    """Numba's callbacks print and ignore exceptions; the flag beside the exception does not get lost."""
    from sinkrisk import texts

    def swallowed(*_, **__):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return "a table"

    monkeypatch.setattr(texts, "reconcile_text", swallowed)
    # A shell starts jobs in the background deaf to interrupts, and Python then leaves them so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    code, out, err = _call("reconcile", "global", capsys=capsys)
    assert (code, out) == (130, "")
    assert err.strip() == "sinkrisk: interrupted, nothing is kept"
    monkeypatch.setattr(texts, "reconcile_text", lambda *_, **__: "a table")
    assert _call("reconcile", "global", capsys=capsys)[:2] == (0, "a table\n")
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_a_process_that_ends_leaves_its_objects_alone(capsys, monkeypatch):
    """Thirteen seconds between the answer and the prompt were half a second without that look."""
    frozen = []
    monkeypatch.setattr("gc.freeze", lambda: frozen.append(True))
    monkeypatch.setattr(sys, "argv", ["sinkrisk", "--version"])
    with pytest.raises(SystemExit):
        cli.main()
    assert frozen == [True]
    assert _call("--version", capsys=capsys)[0] == 0
    assert frozen == [True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "{file}"), "--out is a file, not a folder"),
        (("--level", "90"), "90.0 % is 0.9"),
        (("--draws", "0"), "key 'draws': must be a whole number of at least 8"),
    ],
)
def test_reconcile_refuses_before_sampling(arguments, said, tmp_path, capsys, monkeypatch):
    def sampled(*_, **__):
        raise AssertionError("the sampler was started")

    monkeypatch.setattr("sinkrisk.budget.hierarchical.sample_parameters", sampled)
    file = tmp_path / "file"
    file.write_text("")
    code, _, err = _call("reconcile", "global", *(a.format(file=file) for a in arguments), capsys=capsys)
    assert code == 2
    assert said in err


def test_tables_that_state_no_budget_are_not_offered(capsys):
    code, _, err = _call("reconcile", "ecosystems", capsys=capsys)
    assert code == 2
    assert "no budget in this table: got 'ecosystems'; allowed: global, china, ocean;" in err
    assert "reconcile_ecosystems()" in err


def test_the_answer_of_a_closed_budget_says_what_its_figures_are(capsys, tmp_path):
    names = ("fossil", "land_use", "atmosphere", "ocean", "land")
    values = dict(zip(names, (9.7, 1.1, 5.2, 2.9, 3.2), strict=True))
    table = "\n".join(f"{name},2014,2023,{value},0.5,GtC/yr" for name, value in values.items())
    path = tmp_path / "mine.csv"
    path.write_text(f"component,start,end,value,sd,unit\n{table}\n")
    code, out, err = _call("reconcile", str(path), "--model", "closed", capsys=capsys)
    assert (code, err) == (0, "")
    assert "are standard deviations" in out
    assert "adjustment_low" in out
    assert "adjustment_share" not in out
    assert "-0.000" not in out
    # Without one component nothing is left to attribute, and no empty table is printed.
    path.write_text(path.read_text().replace("land,2014,2023,3.2,0.5,GtC/yr\n", ""))
    code, out, _ = _call("reconcile", str(path), "--model", "closed", capsys=capsys)
    assert code == 0
    assert "No imbalance where closure determines a component: 2014-2023." in out
    assert "Columns" not in out
    # A slip of a unit is told before anything else, in one line, and fails the check of the file.
    path.write_text(f"component,start,end,value,sd,unit\n{table}\n".replace("9.7", "35.6"))
    code, _, err = _call("reconcile", str(path), "--model", "closed", capsys=capsys)
    assert code == 0
    assert err.startswith("sinkrisk: warning: the stated means of 2014-2023 leave +25.40 GtC/yr")
    code, out, _ = _call("data", "check", str(path), capsys=capsys)
    assert code == 2
    assert "FAIL  closure, global: the stated means of 2014-2023 leave" in out
    path.write_text(f"component,start,end,value,sd,unit\n{table}\n")
    code, out, _ = _call("data", "check", str(path), capsys=capsys)
    assert code == 0
    assert "ok    closure, global" in out


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "sinkrisk", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"sinkrisk {__version__}"
