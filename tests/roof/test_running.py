"""A whole run: complete, resumed, killed, refused, repeated."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from sinkrisk import files, running
from sinkrisk.errors import ConvergenceError, InputError
from sinkrisk.provenance import Manifest
from sinkrisk.stages import stages

DESIGNED = {
    "manifest.json", "budget.nc", "budget.csv", "network.xdsl", "inputs.nc", "outcomes.zarr",
    "measures.csv", "ranking.csv", "sobol.csv", "scenarios.nc", "scenarios.parquet", "report.html", "figures",
}  # fmt: skip


def _visible(directory: Path) -> set[str]:
    return {p.name for p in directory.iterdir() if p.name != ".lock"}


def test_the_run_directory_holds_what_the_design_names_and_nothing_unrecorded(small_run):
    manifest = Manifest.read(small_run)
    recorded = {name for record in manifest.stages.values() for name in record.outputs}
    assert _visible(small_run) >= DESIGNED
    assert _visible(small_run) == recorded | {"manifest.json"}


def test_every_recorded_hash_is_that_of_the_file(small_run):
    manifest = Manifest.read(small_run)
    for record in manifest.stages.values():
        for name, digest in record.outputs.items():
            assert files.sha256_of_tree(small_run / name) == digest, name


def test_stages_declare_each_output_once():
    outputs = [name for stage in stages() for name in stage.outputs]
    assert len(outputs) == len(set(outputs))
    seen = set()
    for stage in stages():
        assert set(stage.needs) <= seen, f"{stage.name} needs a later stage"
        seen.add(stage.name)


def test_tables_hold_the_numbers_of_the_arrays(small_run):
    """budget.csv against budget.nc, measures.csv against measures.nc: one computation, two files."""
    table = pd.read_csv(small_run / "budget.csv")
    with xr.open_datatree(small_run / "budget.nc") as tree:
        exact = tree["exact"]["mean"].to_series()
    for row in table.itertuples():
        assert row.mean == pytest.approx(exact[(row.component, row.window)], abs=1e-12)
    measures = pd.read_csv(small_run / "measures.csv")
    with xr.open_dataset(small_run / "measures.nc") as data:
        means = data["measures"].mean("sample").to_series()
    chosen = measures[measures["statistic"] == "mean"].set_index(["portfolio", "criterion"])["value"]
    for key, value in chosen.items():
        assert value == pytest.approx(means[key], rel=1e-9, nan_ok=True)


def test_rank_acceptabilities_are_probabilities(small_run):
    ranking = pd.read_csv(small_run / "ranking.csv", dtype={"label": str})
    table = ranking[ranking["quantity"] == "rank_acceptability"].pivot(
        index="portfolio", columns="label", values="value"
    )
    assert table.to_numpy().min() >= 0
    # Each portfolio has some rank in every draw; ties share the best rank, so columns need not sum to one.
    np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-12)


def test_the_optimum_is_simulated_measured_and_ranked(small_run):
    assert "optimum" in set(pd.read_csv(small_run / "measures.csv")["portfolio"])
    assert "optimum" in set(pd.read_csv(small_run / "ranking.csv")["portfolio"])


def test_the_optimum_is_judged_on_fresh_draws(small_run, small_spec):
    """Out of sample means draws that neither the scenarios nor the ranking saw, simulated like any others."""
    record = json.loads((small_run / "optimum.json").read_text())
    found = record["out_of_sample"]
    assert found["draws"] == 64
    measures = pd.read_csv(small_run / "measures.csv")
    seen = measures.set_index(["portfolio", "criterion", "statistic"])["value"]
    own = float(seen["optimum", "total_cost", "mean"])
    # The run's own draws give another mean, of the same order: the draws are others, the model the same.
    assert found["expected_cost"]["value"] != own
    assert found["expected_cost"]["value"] == pytest.approx(own, rel=0.5)
    assert [one["portfolio"] for one in found["portfolios"]] == ["phased", "nature_first", "daccs_only"]
    assert record["in_sample"]["bound"] <= record["in_sample"]["objective"]
    with xr.open_dataset(small_run / "scenarios.nc") as scenarios:
        weight = scenarios["probability"].values
        assert record["reduction"]["wasserstein"] == pytest.approx(scenarios.attrs["wasserstein"])
    assert record["reduction"]["effective_scenarios"] == pytest.approx(1.0 / float(weight @ weight))


def test_a_second_run_changes_no_byte(small_spec, small_run):
    before = {
        p: p.stat().st_mtime_ns
        for p in small_run.rglob("*")
        if p.is_file() and p.name not in {".lock", "manifest.json"}
    }
    manifest = (small_run / "manifest.json").read_bytes()
    running.run(small_spec, small_run)
    after = {p: p.stat().st_mtime_ns for p in before}
    assert after == before
    assert (small_run / "manifest.json").read_bytes() == manifest


def test_equal_spec_and_seed_give_equal_values(small_spec, small_run, tmp_path):
    running.run(small_spec, tmp_path / "again")
    for name in ("budget.csv", "measures.csv", "ranking.csv", "sobol.csv", "optimum.csv", "drivers.csv"):
        assert (tmp_path / "again" / name).read_text() == (small_run / name).read_text(), name
    # Timings differ, so the report may differ only where it prints them.
    assert (tmp_path / "again" / "report.html").stat().st_size == pytest.approx(
        (small_run / "report.html").stat().st_size, rel=0.01
    )


def test_another_seed_recomputes_and_the_files_follow(small_spec, small_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(small_run, copy)
    manifest, _ = running.run(small_spec, copy, seed=99, until="inputs")
    assert manifest.seed == 99
    # What belonged to the old seed is gone from the manifest and from the directory.
    assert set(manifest.stages) == {"budget", "network", "inputs"}
    assert not (copy / "ranking.csv").exists()


def test_a_damaged_file_is_made_again(small_spec, small_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(small_run, copy)
    whole = (copy / "ranking.csv").read_bytes()
    (copy / "ranking.csv").write_bytes(whole[: len(whole) // 2])
    running.run(small_spec, copy)
    assert (copy / "ranking.csv").read_bytes() == whole


def test_a_run_resumed_from_files_equals_one_from_memory(small_spec, small_run, tmp_path):
    """Each stage's inputs come from files after a resume: no value may change on the way."""
    out = tmp_path / "steps"
    for stage in stages():
        running.run(small_spec, out, until=stage.name)
    for name in ("measures.csv", "ranking.csv", "sobol.csv", "optimum.csv"):
        assert (out / name).read_text() == (small_run / name).read_text(), name


def test_a_killed_run_leaves_no_file_that_reads_as_complete_and_goes_on(small_spec, small_run, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "sinkrisk.cli", "run", str(small_spec), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        manifest = out / "manifest.json"
        if manifest.exists() and "inputs" in json.loads(manifest.read_text())["stages"]:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    manifest = Manifest.read(out)
    assert "report" not in manifest.stages
    assert "inputs" in manifest.stages
    for record in manifest.stages.values():
        for name, digest in record.outputs.items():
            assert files.sha256_of_tree(out / name) == digest
    running.run(small_spec, out)
    assert _visible(out) == _visible(small_run)
    assert (out / "ranking.csv").read_text() == (small_run / "ranking.csv").read_text()


def test_a_refused_rerun_leaves_no_report_of_the_old_spec(small_spec, small_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(small_run, copy)
    spec = yaml.safe_load(small_spec.read_text())
    spec["budget"]["draws"] = 20
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(spec))
    with pytest.raises(ConvergenceError):
        running.run(changed, copy)
    recorded = {name for record in Manifest.read(copy).stages.values() for name in record.outputs}
    assert _visible(copy) == recorded | {"manifest.json"}
    assert not (copy / "report.html").exists()
    assert not (copy / "budget.csv").exists()


def test_an_unchanged_run_writes_nothing(small_spec, small_run, tmp_path, monkeypatch):
    from sinkrisk import provenance

    def refuse(*_):
        raise AssertionError("the manifest was written again")

    monkeypatch.setattr(provenance.Manifest, "write", refuse)
    running.run(small_spec, small_run)


def test_the_gate_refuses_too_few_draws_with_exit_3_and_records_nothing(tmp_path):
    spec = tmp_path / "few.yaml"
    spec.write_text("title: few\nseed: 1\nbudget:\n  observations: global\n  draws: 20\n")
    out = tmp_path / "out"
    with pytest.raises(ConvergenceError, match=r"(?i)ess|effective") as refused:
        running.run(spec, out)
    assert refused.value.exit_code == 3
    assert not (out / "budget.csv").exists()
    assert "budget" not in Manifest.read(out).stages
    manifest, allowed = running.run(spec, out, allow_unconverged=True)
    assert allowed
    assert manifest.allowed_unconverged
    assert "Not converged" in (out / "report.html").read_text()
    # Without the flag the recorded failure refuses again: being on disk does not make it converged.
    with pytest.raises(ConvergenceError):
        running.run(spec, out)


def test_a_spec_without_portfolios_reports_the_budget_and_says_what_it_skipped(tmp_path):
    spec = tmp_path / "budget.yaml"
    spec.write_text("title: Budget only\nseed: 1\nbudget:\n  observations: global\n")
    manifest, _ = running.run(spec, tmp_path / "out")
    skipped = {name for name, record in manifest.stages.items() if record.skipped}
    assert {"network", "inputs", "simulate", "rank", "sobol", "optimize"} <= skipped
    text = (tmp_path / "out" / "report.html").read_text()
    assert "no &#39;portfolios&#39; section" in text or "no 'portfolios' section" in text


def test_two_runs_in_one_directory_do_not_mix(small_spec, tmp_path):
    import fcntl

    out = tmp_path / "out"
    running.run(small_spec, out, until="network")
    with open(out / ".lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is writing"):
            running.run(small_spec, out)


def test_the_manifest_tells_how_to_repeat_the_run(small_spec, small_run):
    manifest = Manifest.read(small_run)
    spec = yaml.safe_load(small_spec.read_text())
    assert manifest.seed == spec["seed"]
    assert manifest.inputs["spec"] == files.sha256_of(small_spec)
    assert {"numpy", "pymc", "SALib", "pgmpy", "python"} <= set(manifest.versions)
    assert {n for n, record in manifest.stages.items() if record.skipped} == {"adapt"}
    assert all(record.seconds > 0 for record in manifest.stages.values() if not record.skipped)
