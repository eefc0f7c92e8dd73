"""The drivers' stage: its tables agree with each other, and a killed run goes on to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from sinkrisk import driver_stages, running
from sinkrisk.provenance import Manifest

TABLES = driver_stages.OUTPUTS


@pytest.fixture(scope="module")
def spec(small_spec, tmp_path_factory) -> Path:
    """Two portfolios, so that there is a choice."""
    raw = yaml.safe_load(small_spec.read_text())
    for name in ("survey", "adapt", "optimize", "scenarios", "rank", "outlook"):
        raw.pop(name, None)
    raw["portfolios"]["names"] = ["phased", "engineered_first"]
    raw["sobol"] |= {
        "portfolios": ["phased", "engineered_first"], "measures": ["net_removal_2100"], "single_draws": 1024,
        "block": 512,
    }  # fmt: skip
    path = tmp_path_factory.mktemp("drivers") / "spec.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def run(spec, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("drivers-run") / "run"
    running.run(spec, out, until="sobol")
    return out


def table(run: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(run / name, keep_default_na=False, na_values=["", "nan"])


def test_outputs_are_the_measures_and_what_the_choice_turns_on(run):
    outputs = list(dict.fromkeys(table(run, "sobol.csv")["output"]))
    assert outputs == [
        "net_removal_2100:phased", "net_removal_2100:engineered_first",
        "target_missed:phased", "target_missed:engineered_first",
        "ranked_first:phased", "ranked_first:engineered_first", "margin",
    ]  # fmt: skip


def test_one_of_two_is_first_where_the_other_is_not(run):
    """Y and 1 - Y have equal indices, whatever the model: the two indicators must agree."""
    sobol = table(run, "sobol.csv")
    total = sobol.pivot_table(index=["driver", "index"], columns="output", values="value")
    np.testing.assert_allclose(
        total["ranked_first:phased"], total["ranked_first:engineered_first"], atol=1e-9
    )


def test_the_series_ends_at_the_indices(run):
    series, last = table(run, "convergence.csv"), table(run, "sobol.csv")
    assert sorted(series["n"].unique()) == [64, 128, 256]
    series = series[series["n"] == 256].reset_index(drop=True)
    columns = ["output", "driver", "index", "value", "low", "high"]
    pd.testing.assert_frame_equal(series[columns], last[columns])


def test_ranks_are_those_of_the_indices(run):
    ranks, sobol = table(run, "driver_ranks.csv"), table(run, "sobol.csv")
    first = ranks[ranks["rank"] == 1].set_index("output")["driver"]
    total = sobol[sobol["index"] == "ST"].dropna(subset="value")
    largest = total.loc[total.groupby("output")["value"].idxmax()].set_index("output")["driver"]
    assert first.to_dict() == largest[first.index].to_dict()
    assert ((ranks["rank_low"] <= ranks["rank_high"]) & ranks["among_top"].between(0, 1)).all()
    # So many drivers are among the first three in every replication, ties apart.
    assert ranks.groupby("output")["among_top"].sum().max() <= 3 + 1e-9


def test_single_drivers_that_are_told_were_chosen_and_bear_their_group_and_units(run):
    chosen, tornado = table(run, "leading_drivers.csv"), table(run, "tornado.csv")
    drivers = pd.read_csv(run / "drivers.csv").set_index("name")["group"]
    picked = chosen[chosen["stands_out"]]
    assert set(zip(tornado["output"], tornado["driver"], strict=True)) == set(
        zip(picked["output"], picked["driver"], strict=True)
    )
    assert (tornado["group"] == tornado["driver"].map(drivers)).all()
    assert set(tornado.loc[tornado["measure"] == "net_removal_2100", "unit"]) == {"GtCO2"}
    growth = tornado[tornado["driver"].str.startswith("growth_rate__")]
    assert set(growth["driver_unit"]) == {"1/yr"}
    assert (tornado["at_low_low"] <= tornado["at_low_high"]).all()
    curves = table(run, "responses.csv")
    assert set(curves["driver"]) == set(tornado["driver"])
    at = curves.loc[curves["driver_unit"] == "quantile", "at"]
    assert at.between(0, 1).all()


def test_nodes_have_the_share_of_their_state_beside_their_own_noise(run):
    shares = table(run, "state_shares.csv")
    assert not shares.empty
    assert shares[["own_noise_S1", "own_noise_floor"]].notna().all().all()
    assert set(shares["own_noise_kind"]) == {"rank estimate of S1"}
    assert (shares["low"] <= shares["value"]).all()


def test_actions_stand_beside_the_index_of_the_margin(run):
    actions = table(run, "actions.csv")
    sobol = table(run, "sobol.csv")
    margin = sobol[(sobol["output"] == "margin") & (sobol["index"] == "ST")].set_index("driver")["value"]
    np.testing.assert_allclose(actions["ST"], actions["group"].map(margin), rtol=1e-12)
    assert set(actions["winner"]) <= {"phased", "engineered_first"}
    assert (actions["plug_in"] <= actions["perfect"] * (1 + 1e-9)).all()
    assert set(actions["unit"]) == {"billion USD"}


def test_the_run_says_what_it_found(run):
    notes = Manifest.read(run).stages["sobol"].notes
    assert notes[0].startswith("By share of the variance of margin")
    assert notes[1].startswith("Stopping rule: ")


@pytest.mark.slow
def test_a_run_killed_among_its_evaluations_goes_on_to_the_same_bytes(spec, run, tmp_path, monkeypatch):
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "sinkrisk.cli", "run", str(spec), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if len(list(out.glob(".kept-sobol-*/replicate-*/*.npy"))) >= 12:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    manifest = Manifest.read(out)
    assert "sobol" not in manifest.stages
    assert not (out / "sobol.csv").exists()
    (folder,) = out.glob(".kept-sobol-*")
    record = json.loads((folder / "analysis.json").read_text())
    assert record["identity"].startswith(folder.name.rsplit("-", 1)[1])
    kept = len(list(folder.glob("replicate-*/*.npy")))
    fresh = []
    whole = driver_stages.evaluate

    def counted(context, registry, sets, u):
        fresh.append(len(u))
        return whole(context, registry, sets, u)

    monkeypatch.setattr(driver_stages, "evaluate", counted)
    running.run(spec, out, until="sobol")
    rows = 256 * 8 * (table(run, "sobol.csv")["driver"].nunique() + 2)
    # All rows but those kept (blocks are of up to 512), four that are compared, and two sets of 1,024 draws.
    assert sum(fresh) <= rows + 4 + 2 * 1024 - 256 * (kept - 1)
    for name in TABLES:
        assert (out / name).read_bytes() == (run / name).read_bytes(), name
    assert not list(out.glob(".kept-*"))


def test_what_another_spec_left_behind_is_not_taken_up(spec, run, tmp_path):
    stranger = run / ".kept-sobol-0123456789abcdef"
    stranger.mkdir()
    (stranger / "analysis.json").write_text("{}")
    running.run(spec, run, until="sobol")
    assert not stranger.exists()


@pytest.mark.slow
def test_without_a_decision_there_is_no_choice_to_speak_of(spec, tmp_path):
    raw = yaml.safe_load(spec.read_text())
    raw.pop("decision")
    raw["sobol"] |= {"portfolios": ["phased"], "single_draws": 256}
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    out = tmp_path / "run"
    running.run(path, out, until="sobol")
    outputs = set(table(out, "sobol.csv")["output"])
    assert outputs == {"net_removal_2100:phased", "target_missed:phased"}
    assert table(out, "actions.csv").empty
    assert list(table(out, "actions.csv").columns) == list(driver_stages.ACTIONS)


@pytest.mark.slow
def test_drivers_alone_and_in_pairs(spec, tmp_path):
    """Few drivers, each alone: nodes then have indices of their own, and pairs are told."""
    raw = yaml.safe_load(spec.read_text())
    raw["sobol"] |= {"second_order": True, "portfolios": ["phased"], "single_draws": 256}
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    out = tmp_path / "run"
    running.run(path, out)
    pairs = table(out, "sobol.csv").query("index == 'S2'")
    groups = table(out, "drivers.csv")["group"].nunique()
    assert len(pairs) == 2 * groups * (groups - 1) // 2
    assert "interactions_net_removal_2100_phased.svg" in {p.name for p in (out / "figures").iterdir()}
