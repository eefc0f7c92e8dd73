"""Whatever is handed to a public function, it works or says what is wrong: no raw Python error."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import sinkrisk
from sinkrisk import portfolio, risk

from ..wrong_objects import faults
from .conftest import full_drawn, random_plans

TARGET = {"net_removal": 60.0, "unit": "GtCO2", "year": 2100}
DECISION = {"carbon_value": 250.0, "shortfall_penalty": 300.0}
TOTAL = {"near_term": 0.1, "mid_term": 0.5, "long_term": 2.0}


class World:
    """Right arguments for every public function, made once; `calls` maps a name to them."""

    def __init__(self) -> None:
        drawn = full_drawn(256)
        plans = random_plans(drawn, 3)
        outcomes = portfolio.simulate(drawn, plans)
        measures = portfolio.measure(outcomes, target=TARGET)
        benefit = portfolio.net_benefit(outcomes, target=TARGET, decision=DECISION)
        shares = portfolio.load_portfolios(names=["phased"])
        summary, ranking = portfolio.summarise(measures), portfolio.rank(measures, rng=1)
        discounts = portfolio.credit_discounts(drawn)
        rates = portfolio.exchange_rates(discounts)
        matrix = portfolio.schedule(drawn, TOTAL)
        curves = portfolio.abatement_curves(drawn, prices=[100.0, 300.0])
        atlas = portfolio.suitability(n=100)
        budget = sinkrisk.reconcile(
            sinkrisk.load_observations("global"), model="closed", draws=64, chains=4, rng=5, progress=False
        )
        projected = portfolio.project_air(outcomes, budget, drawn=drawn, rng=1)
        learning = portfolio.value_of_learning(benefit, {"cost": drawn["cost_slope"]}, permutations=20)
        out, draw, plan, measured = ({"outcomes": outcomes}, {"drawn": drawn}, {"portfolios": plans},
                                     {"measures": measures})  # fmt: skip
        rng = np.random.default_rng(1)
        x, y = rng.normal(size=(2, 200))
        both = np.column_stack([x, y])
        self.calls: dict[str, dict[str, Any]] = {
            "abatement_curves": draw | {"prices": [100.0, 300.0]},
            "abatement_sentence": {"curves": curves},
            "abatement_table": {"curves": curves},
            "adapt": draw | {"candidates": plans, "target": TARGET, "decision": DECISION}
            | {"signals": ["removal_ratio"], "ess_min": 10.0, "replicates": 100, "rng": 1},
            "air_sentence": {"projected": projected},
            "air_table": {"projected": projected},
            "annual_relief": out,
            "binding_table": out,
            "buffer_table": out,
            "capacity": draw,
            "carbon_at_risk": out | {"repeats": 20},
            "check_identities": out | {"drawn": drawn},
            "check_plan": draw | plan,
            "compare_portfolios": {"values": benefit},
            "comparison_sentence": {"table": portfolio.compare_portfolios(benefit)},
            "credit_discounts": draw,
            "credit_sentence": {"discounts": discounts},
            "credit_table": {"discounts": discounts},
            "decouple_shocks": draw,
            "design_portfolios": {"n": 8},
            "dominance": {"values": benefit},
            "early_warning": draw | plan | {"target": TARGET, "signals": ["removal_ratio"], "rng": 1},
            "exchange_rates": {"discounts": discounts},
            "exchange_table": {"rates": rates},
            "join_outcomes": {"parts": [outcomes.isel(portfolio=[0]), outcomes.isel(portfolio=[1])]},
            "learning_sentence": {"table": learning},
            "limiting_table": draw,
            "list_strategies": {},
            "load_plans": {"path": "none.csv"},
            "load_portfolios": {"names": ["phased"]},
            "measure": out | {"target": TARGET},
            "net_benefit": out | {"target": TARGET, "decision": DECISION},
            "plan": {"portfolios": shares, "total": TOTAL},
            "plan_from_table": {"table": portfolio.plan_table(plans)},
            "plan_table": {"plans": plans},
            "project_air": out | {"budget": budget, "drawn": drawn, "rng": 1},
            "rank": measured | {"rng": 1},
            "ranking_sensitivity": measured | {"rng": 1},
            "ranking_sentence": {"ranking": ranking},
            "ranking_table": {"ranking": ranking},
            "ranking_values": measured,
            "schedule": draw | {"total": TOTAL},
            "schedule_sentence": {"matrix": matrix},
            "schedule_table": {"matrix": matrix},
            "simulate": draw | plan,
            "simulate_to_zarr": draw | plan | {"path": "none.zarr"},
            "suitability": {"n": 100},
            "suitability_sentence": {"atlas": atlas},
            "suitability_table": {"atlas": atlas},
            "summarise": measured,
            "summary_table": {"summary": summary},
            "trace_sentence": {"table": portfolio.trace_table(outcomes)},
            "trace_table": out,
            "value_of_learning": {"values": benefit, "drivers": {"cost": drawn["cost_slope"]}}
            | {"permutations": 20},
            "at_risk": {"gross": np.exp(both), "lost": np.exp(both) / 9.0, "repeats": 20},
            "cvar": {"x": x, "level": 0.9},
            "dominance_matrix": {"values": both, "order": 1},
            "dominates": {"a": x, "b": y, "order": 1},
            "evpi": {"values": both},
            "evppi": {"values": both, "driver": x, "permutations": 20},
            "evppi_states": {"values": both, "states": (x > 0).astype(int), "permutations": 20},
            "expected_regret": {"values": both},
            "quantile": {"x": x, "mass": 0.5},
            "regrets": {"values": both},
            "reserve": {"losses": np.exp(both)},
            "smaa": {"scores": np.random.default_rng(2).random((20, 3, 2)), "weight_draws": 50},
            "value_at_risk": {"x": x, "level": 0.9},
        }  # fmt: skip
        self.wrong: dict[str, Any] = {
            "None": None, "half": 1.5, "minus": -1, "text": "beccs", "numbers": [1, 2], "names": ["a", "b"],
            "nothing": [], "mapping": {"a": 1}, "letters": {"a": "b"}, "object": object(), "true": True,
            "frame": pd.DataFrame({"a": [1.0]}), "array": xr.DataArray([1.0, 2.0], dims="a"),
            "dataset": xr.Dataset({"a": ("b", [1.0])}), "numpy": np.ones((2, 2)), "outcomes": outcomes,
            "drawn": drawn, "plans": plans, "measures": measures, "summary": summary, "budget": budget,
        }  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World()


FUNCTIONS = [
    (room, name)
    for room in (portfolio, risk)
    for name in room.__all__
    if inspect.isfunction(getattr(room, name))
]


def test_every_public_function_is_called(world):
    assert set(world.calls) == {name for _, name in FUNCTIONS}


DATASETS = ("dataset", "outcomes", "drawn", "plans", "budget")
FITTING = {
    "Dataset": DATASETS, "DataArray": ("array", "measures", "summary"), "DataFrame": ("frame",),
    "ArrayLike": ("frame", "array", "numpy", "true", "numbers", "half", "minus", "nothing",
                  "measures", "summary"),
    "str": ("text",), "Sequence[str]": ("names", "nothing"), "None": ("None",),
    "Mapping": ("mapping", "letters"), "Weights": ("names", "nothing", "mapping", "text"),
    "int": ("minus",), "float": ("half", "minus"),
}  # fmt: skip
"""Annotation -> kinds that are right for it: what is wrong with their content is said of that content."""


@pytest.mark.parametrize(("room", "name"), FUNCTIONS, ids=[name for _, name in FUNCTIONS])
def test_wrong_objects_are_named_or_work(room, name, world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = faults(getattr(room, name), world.calls[name], world.wrong, FITTING)
    assert not found, "\n".join(found)
