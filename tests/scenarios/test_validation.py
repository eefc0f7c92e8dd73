"""Figures out of sample against direct calculation, and what the sentence and the record say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio, risk, scenarios
from sinkrisk.errors import InputError

_spec = importlib.util.spec_from_file_location("fixtures", Path(__file__).with_name("conftest.py"))
fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fixtures)

ASKED = {"target": 80.0, "shortfall_penalty": 3000.0, "year": 2100}


@pytest.fixture(scope="module")
def solved():
    drawn = fixtures.make_drawn(200, 21)
    return scenarios.optimize(scenarios.build(drawn, None, 8), **ASKED)


@pytest.fixture(scope="module")
def fresh():
    return fixtures.make_drawn(300, 22)


@pytest.fixture(scope="module")
def named(solved):
    plans = xr.concat([0.3 * solved.planned, 0.001 * solved.planned], dim="portfolio")
    plans = plans.assign_coords(
        portfolio=["third", "idle"], name=("portfolio", ["A third", "Next to nothing"])
    )
    return plans.to_dataset(name="planned")


@pytest.fixture(scope="module")
def validated(solved, fresh, named):
    return scenarios.validate(solved, fresh, named, rng=5)


def test_figures_are_those_of_simulate_and_measure(validated, fresh, solved):
    plan = solved.planned.expand_dims(portfolio=["optimum"]).to_dataset(name="planned")
    outcomes = portfolio.simulate(fresh, plan)
    measures = portfolio.measure(outcomes, target={"net_removal": 80.0, "year": 2100}).isel(portfolio=0)
    cost = measures.sel(criterion="total_cost").values
    short = measures.sel(criterion="shortfall").values
    found = validated.out_of_sample
    assert found["draws"] == 300
    assert found["expected_cost"]["value"] == pytest.approx(cost.mean(), rel=1e-12)
    assert found["expected_shortfall"]["value"] == pytest.approx(short.mean(), rel=1e-12)
    assert found["probability_met"]["value"] == pytest.approx(float((short <= 1e-9).mean()))
    loss = scenarios.simulated_loss(outcomes, **ASKED)["loss"].isel(portfolio=0).values
    assert found["cvar"]["value"] == pytest.approx(risk.cvar(loss, 0.9))
    assert found["objective"]["value"] == pytest.approx(0.5 * loss.mean() + 0.5 * risk.cvar(loss, 0.9))
    # Nothing is reallocated in these draws: the programme's own reckoning is the simulation's.
    for name in ("expected_cost", "expected_shortfall", "cvar", "objective"):
        assert found["programme"][name] == pytest.approx(found[name]["value"], rel=1e-9)


def test_intervals_name_kind_and_mass_and_are_as_wide_as_theory_says(validated, fresh, solved):
    found = validated.out_of_sample
    assert found["interval_kind"] == "bootstrap percentile, equal-tailed"
    assert found["interval_mass"] == 0.9
    cost = scenarios.evaluate(scenarios.whole(fresh), solved.planned, **ASKED)["cost"].values
    half = 1.6449 * cost.std() / np.sqrt(cost.size)
    # The mean of 300 draws is near normal; 1000 resamples give the ends to a few per cent of the width.
    assert found["expected_cost"]["high"] - found["expected_cost"]["low"] == pytest.approx(2 * half, rel=0.15)
    for name in (
        "objective",
        "expected_loss",
        "expected_cost",
        "expected_shortfall",
        "probability_met",
        "cvar",
    ):
        one = found[name]
        assert one["low"] <= one["value"] <= one["high"], name


def test_the_tail_flatters_in_sample():
    # The mean over repetitions of the in-sample CVaR lies below that on fresh draws: optimistic bias.
    # The gap is many standard errors wide here, so that chance of a false alarm is far below 1e-6.
    apart = []
    for seed in range(4):
        drawn = fixtures.make_drawn(60, 100 + seed)
        got = scenarios.optimize(scenarios.build(drawn, None, 5), **ASKED)
        judged = scenarios.validate(got, fixtures.make_drawn(400, 500 + seed), resamples=100, rng=1)
        apart.append(judged.out_of_sample["cvar"]["value"] / got.cvar - 1.0)
    assert np.mean(apart) > 0.05


def test_named_portfolios_are_compared_on_the_same_draws(validated, fresh, named):
    found = {one["portfolio"]: one for one in validated.out_of_sample["portfolios"]}
    assert list(found) == ["third", "idle"]
    idle = scenarios.simulated_loss(portfolio.simulate(fresh, named), **ASKED)["loss"].sel(portfolio="idle")
    value = 0.5 * float(idle.mean()) + 0.5 * risk.cvar(idle.values, 0.9)
    assert found["idle"]["objective"] == pytest.approx(value)
    own = validated.out_of_sample["objective"]["value"]
    assert found["idle"]["difference"] == pytest.approx(value - own)
    for one in found.values():
        assert one["difference_low"] <= one["difference"] <= one["difference_high"]
        assert one["name"] in ("A third", "Next to nothing")


def test_a_better_named_portfolio_is_said(fresh, solved):
    worse = scenarios.optimize(
        scenarios.build(fixtures.make_drawn(60, 3), None, 5), **ASKED, total={"long_term": 0.2}
    )
    rival = solved.planned.expand_dims(portfolio=["rival"]).to_dataset(name="planned")
    got = scenarios.validate(worse, fresh, rival, rng=5)
    assert "the named portfolio rival has a better objective than the optimum" in got.sentence
    assert got.out_of_sample["portfolios"][0]["difference_high"] < 0.0


def test_the_sentence_quotes_the_figures_out_of_sample(validated, solved):
    text, found = validated.sentence, validated.out_of_sample
    worst = found["cvar"]
    quoted = f"{worst['value']:,.0f} billion USD ({worst['low']:,.0f} to {worst['high']:,.0f})"
    assert quoted in text
    assert "Out of sample, simulated on 300 fresh draws" in text
    assert "90% bootstrap percentile, equal-tailed intervals" in text
    assert text.index("Out of sample") < text.index(
        "In sample, on the 8 scenarios it was chosen on, these were"
    )
    assert f"{solved.cvar:,.0f} billion USD" in text[text.index("In sample") :]
    assert solved.out_of_sample is None


def test_the_record_is_plain_json(validated):
    again = json.loads(json.dumps(validated.record(), allow_nan=False))
    assert again["out_of_sample"]["cvar"] == validated.out_of_sample["cvar"]
    assert again["in_sample"]["cvar"] == validated.cvar
    assert again["reduction"]["wasserstein"] == validated.wasserstein
    assert again["reduction"]["effective_scenarios"] == validated.effective_scenarios


def test_equal_seeds_give_equal_intervals(solved, fresh, named, validated):
    assert scenarios.validate(solved, fresh, named, rng=5).out_of_sample == validated.out_of_sample


def test_a_curtailing_programme_is_reckoned_as_such(fresh):
    drawn = fixtures.make_drawn(60, 3)
    got = scenarios.optimize(scenarios.build(drawn, None, 6), **ASKED, curtail=True)
    found = scenarios.validate(got, fresh, rng=1).out_of_sample
    # The simulation never curtails, so there the plan loses more.
    assert found["programme"]["objective"] < found["objective"]["value"]
    assert found["portfolios"] == []


def test_draws_of_unequal_probability_count_by_it(solved):
    drawn = fixtures.make_drawn(4, 30)
    doubled = drawn.isel(sample=[0, 0, 0, 1, 2, 3]).assign_coords(sample=np.arange(6))
    doubled["probability"] = ("sample", np.full(6, 1 / 6))
    drawn["probability"] = ("sample", np.array([3.0, 1.0, 1.0, 1.0]) / 6)
    one, other = (scenarios.validate(solved, d, rng=1).out_of_sample for d in (drawn, doubled))
    for name in ("objective", "expected_cost", "cvar"):
        assert one[name]["value"] == pytest.approx(other[name]["value"], rel=1e-9)


def test_bad_arguments_are_refused_together(solved, fresh):
    with pytest.raises(InputError) as error:
        scenarios.validate(solved, fresh, level=1.0, resamples=5)
    assert "key 'level'" in str(error.value)
    assert "key 'resamples'" in str(error.value)


def test_a_plan_of_nothing_is_refused_with_its_cause(fresh):
    got = scenarios.optimize(scenarios.whole(fixtures.make_drawn(10, 3)), target=5.0, shortfall_penalty=0.01)
    with pytest.raises(InputError, match="no removal is worth its cost") as error:
        scenarios.validate(got, fresh)
    assert "optimize.shortfall_penalty" in str(error.value)
