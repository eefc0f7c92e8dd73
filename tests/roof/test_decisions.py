"""The stages around the ranking: their tables agree with each other and with the rooms that made them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from sinkrisk import portfolio, running
from sinkrisk.errors import InputError


def table(run, name):
    return pd.read_csv(run / name)


def test_the_air_of_the_table_is_that_of_the_measures(small_run):
    air = table(small_run, "air.csv")
    assert set(air["portfolio"]) >= {"none", "phased", "daccs_only", "optimum"}
    measured = table(small_run, "measures.csv")
    measured = measured[(measured["statistic"] == "mean") & (measured["criterion"] == "co2_2100")]
    co2 = measured.set_index("portfolio")["value"]
    at = air[(air["quantity"] == "co2") & (air["year"] == 2100)].set_index("portfolio")["mean"]
    for name in ("phased", "nature_first", "daccs_only", "optimum"):
        assert co2[name] == pytest.approx(at[name], rel=1e-9)
        assert co2[name] < at["none"]
    assert air["year"].max() == 2200
    assert (air["interval_mass"] == 0.9).all()


def test_the_decision_is_of_the_simulated_outcomes(small_run):
    with xr.open_zarr(small_run / "outcomes.zarr", consolidated=False) as data:
        outcomes = data.load()
    spec = json.loads((small_run / "manifest.json").read_text())["spec"]
    values = portfolio.net_benefit(outcomes, target=spec["target"], decision=spec["decision"])
    decided = table(small_run, "decision.csv").set_index("portfolio")
    for name in ("phased", "nature_first", "daccs_only"):
        assert decided.loc[name, "mean"] == pytest.approx(float(values.sel(portfolio=name).mean()), rel=1e-9)
    assert (decided["cvar"] <= decided["mean"]).all()
    buffers = table(small_run, "buffers.csv")
    pool = buffers[buffers["pathway"] == "pool"]
    assert (pool["pooled_buffer"] <= pool["own_buffer"] * (1 + 1e-9)).all()


def test_few_draws_do_not_adapt_and_the_run_says_so(small_run):
    record = json.loads((small_run / "manifest.json").read_text())["stages"]["adapt"]
    assert record["skipped"] == "64 joint draws; re-weighting them needs 512"
    assert not (small_run / "adaptation.csv").exists()


def test_the_survey_speaks_of_every_pathway_and_region(small_run):
    atlas = table(small_run, "suitability.csv")
    assert len(atlas) == atlas["pathway"].nunique() * atlas["region"].nunique()
    impossible = atlas[~atlas["possible"]]
    assert (impossible["probability_suited"] == 0.0).all()
    curves = table(small_run, "abatement.csv")
    for _, one in curves.groupby(["region", "period"]):
        assert (np.diff(one.sort_values("price")["median"]) >= -1e-12).all()


@pytest.mark.slow
def test_a_run_that_adapts_and_holds_plans_by_region(small_spec, tmp_path):
    spec = yaml.safe_load(small_spec.read_text())
    spec |= {"draws": 512, "adapt": {"candidates": ["phased", "nature_first"]}}
    for name in ("sobol", "optimize", "scenarios"):
        spec.pop(name)
    spec["portfolios"]["names"] = ["phased", "nature_first", "china_zones", "coordinated_regions"]
    spec["inputs"] = {"yield_sink": "net_land"}
    path = tmp_path / "adapting.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    out = tmp_path / "run"
    running.run(path, out)
    adapted = table(out, "adaptation.csv").set_index("policy")
    assert adapted.loc["fixed", "gain"] == 0.0
    assert adapted.loc["perfect", "mean"] >= adapted["mean"].max() - 1e-9
    assert (adapted["gain_low"] <= adapted["gain"]).all()
    assert (adapted["gain"] <= adapted["gain_high"]).all()
    named = set(table(out, "decision.csv")["portfolio"])
    assert named == {"phased", "nature_first", "china_zones", "coordinated_regions"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"adapt": {"candidates": ["phased", "nature_frst"]}, "draws": 512},
            "unknown portfolio, or one by region",
        ),
        ({"adapt": {"candidates": ["phased"]}, "draws": 512}, "adapt.candidates"),
        ({"outlook": {"scenari": "decline"}}, "unknown key"),
        ({"outlook": {"until": 2050}}, "outlook.until"),
        ({"survey": {"method": "topsi"}}, "survey.method"),
        ({"decision": {"carbon_value": -1}}, "decision.carbon_value"),
        ({"budget": None}, "section 'outlook' needs a section 'budget'"),
        ({"inputs": {"regions": ["china_est_coast"]}}, "did you mean"),
        ({"outlook": {"scenario": "wishful"}}, "unknown scenario"),
        ({"outlook": {"emissions": "none.csv"}}, "no such file"),
        ({"survey": {"prices": [100, 50]}}, "prices must be positive, finite and rise"),
        ({"adapt": {"candidates": ["phased", "phased"]}, "draws": 512}, "each portfolio once"),
        (
            {"adapt": {"candidates": ["phased", "nature_first"], "signals": ["land_snik"]}, "draws": 512},
            "unknown signal",
        ),
        ({"inputs": {"fixed": {"cost__dacs": 3.0}}}, "did you mean 'cost__daccs'"),
        ({"inputs": {"between": {"cost__daccs": [-5.0, -1.0]}}}, "cost__daccs"),
    ],
)
def test_faults_of_the_new_sections_are_told_before_anything_is_written(
    change, message, small_spec, tmp_path
):
    spec = {k: v for k, v in (yaml.safe_load(small_spec.read_text()) | change).items() if v is not None}
    path = tmp_path / "faulty.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    with pytest.raises(InputError, match=message):
        running.run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
