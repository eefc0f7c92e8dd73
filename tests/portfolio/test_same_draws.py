"""Arguments of one call come from the same draws, and some of the draws weigh what they should."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import sinkrisk
from sinkrisk import portfolio
from sinkrisk.errors import InputError

from .conftest import PERIODS, full_drawn, random_plans

TARGET = {"net_removal": 60.0, "unit": "GtCO2", "year": 2100}
TOTAL = {"near_term": 0.1, "mid_term": 0.5, "long_term": 2.0}
ADAPT = {"decision": {"carbon_value": 250.0}, "ess_min": 10.0, "replicates": 100}


@pytest.fixture(scope="module")
def world():
    drawn = full_drawn(240)
    plans = random_plans(drawn, 3)
    return drawn, plans, portfolio.simulate(drawn, plans)


@pytest.fixture(scope="module")
def budget():
    return sinkrisk.reconcile(
        sinkrisk.load_observations("global"), model="closed", draws=60, chains=4, rng=5, progress=False
    )


def test_the_air_wants_inputs_and_outcomes_of_the_same_draws(world, budget):
    drawn, _, outcomes = world
    with pytest.raises(
        InputError, match=r"'drawn': .* different draws: got '100 samples in drawn, 240 .*outcomes"
    ):
        portfolio.project_air(outcomes, budget, drawn=drawn.isel(sample=slice(0, 100)), rng=1)
    with pytest.raises(InputError, match="240 samples in drawn with other labels than the 240 in outcomes"):
        portfolio.project_air(outcomes, budget, drawn=drawn.assign_coords(sample=np.arange(240) + 7), rng=1)
    with pytest.raises(InputError, match="'drawn': project_air: argument lacks the dim 'sample'"):
        portfolio.project_air(outcomes, budget, drawn=random_plans(drawn), rng=1)
    with pytest.raises(InputError, match="'budget': project_air: argument of the wrong kind"):
        portfolio.project_air(budget, outcomes)


@pytest.mark.parametrize("signals", [["removal_ratio"], ["node:climate_ambition"]])
def test_network_states_of_other_draws_are_refused_even_unread(world, signals):
    drawn, plans, _ = world
    nodes = [f"climate_ambition__{p}" for p in PERIODS]
    network = xr.DataArray(np.zeros((99, 3), np.int8), dims=("sample", "node"), coords={"node": nodes})
    given = {"target": TARGET, "signals": signals, "network": network, "rng": 1}
    with pytest.raises(InputError, match="99 samples in network, 240 in drawn"):
        portfolio.adapt(drawn, plans, **ADAPT, **given)
    with pytest.raises(InputError, match="99 samples in network, 240 in drawn"):
        portfolio.early_warning(drawn, plans, **given)


def test_some_of_the_draws_say_how_to_scale_their_probability(world):
    drawn, plans, _ = world
    some = drawn.isel(sample=slice(0, 220))
    outcomes = portfolio.simulate(some, plans)
    measures = portfolio.measure(outcomes, target=TARGET)
    calls = {
        "adapt": lambda d: portfolio.adapt(
            d, plans, target=TARGET, signals=["removal_ratio"], rng=1, **ADAPT
        ),
        "early_warning": lambda d: portfolio.early_warning(
            d, plans, target=TARGET, signals=["removal_ratio"], rng=1
        ),
        "schedule": lambda d: portfolio.schedule(d, TOTAL),
        "abatement_curves": lambda d: portfolio.abatement_curves(d, prices=[100.0]),
        "suitability": lambda d: portfolio.suitability(d, n=100),
    }
    for name, call in calls.items():
        with pytest.raises(InputError, match=r"probabilities do not sum to 1: got .*/= .*sum\(\)"):
            call(some)
            pytest.fail(name)
    with pytest.raises(InputError, match=r"probabilities do not sum to 1: got .*/= .*sum\(\)"):
        portfolio.summarise(measures)
    scaled = some.copy()
    scaled["probability"] = scaled["probability"] / scaled["probability"].sum()
    for call in calls.values():
        call(scaled)
