"""Runs of the annual budget models: equal seeds give equal values, and the packaged specs hold."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from sinkrisk import running

SPEC = {
    "title": "The world's budget",
    "seed": 7,
    "budget": {"observations": "global", "draws": 1000, "tune": 500},
}


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("annual") / "spec.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


def test_equal_spec_data_and_seed_give_equal_values(spec, tmp_path):
    for name in ("one", "two"):
        running.run(spec, tmp_path / name)
    for table in ("budget.csv", "attribution.csv"):
        one, two = ((tmp_path / name / table).read_bytes() for name in ("one", "two"))
        assert one == two, table
    budget = pd.read_csv(tmp_path / "one" / "budget.csv").set_index(["window", "component"])
    # Stated 9.7 +- 0.5: a bias must not absorb the series (models of the sds in `calibrating`).
    assert abs(budget.loc[("2014-2023", "fossil"), "mean"] - 9.7) < 0.5


@pytest.fixture(scope="module")
def annual_run(spec, tmp_path_factory):
    out = tmp_path_factory.mktemp("annual_run") / "run"
    running.run(spec, out)
    return out


def test_a_run_keeps_fluxes_and_parameters_and_its_report_reads_them(annual_run):
    fluxes = pd.read_csv(annual_run / "fluxes.csv")
    budget = pd.read_csv(annual_run / "budget.csv").set_index(["window", "component"])
    decade = fluxes[(fluxes["component"] == "ocean") & fluxes["year"].between(2014, 2023)]
    # A window's mean flux is the mean of its years' mean fluxes, whatever their intervals.
    assert decade["mean"].mean() == pytest.approx(budget.loc[("2014-2023", "ocean"), "mean"], abs=1e-9)
    parameters = pd.read_csv(annual_run / "parameters.csv")
    driven = int(parameters["prior_driven"].sum())
    assert 0 < driven < len(parameters)
    page = (annual_run / "report.html").read_text(encoding="utf-8")
    assert f"{driven} of {len(parameters)} parameters are prior-driven" in page
    assert "Predictive check holds: The sd of the imbalance of 6 windows is 0.369" in page
    assert "Reconciled fluxes of every year from 1960 to 2024" in page
