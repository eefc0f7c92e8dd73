"""The programme charges what `simulate` charges, so that its optimum is one of the simulation."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sinkrisk import inputs, network, portfolio, risk, scenarios
from sinkrisk.scenarios import curves
from sinkrisk.scenarios.recourse import captured, terms

_spec = importlib.util.spec_from_file_location("fixtures", Path(__file__).with_name("conftest.py"))
fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fixtures)

TOTAL = {"near_term": 1.0, "mid_term": 4.0, "long_term": 8.0}


def as_portfolio(planned):
    return planned.expand_dims(portfolio=["optimum"]).to_dataset(name="planned")


def objective(loss, weight, probability):
    return (1 - weight) * float(loss @ probability) + weight * risk.cvar(loss, 0.9, probability=probability)


@pytest.mark.parametrize("slope", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.5])
def test_the_programmes_cost_is_the_simulations(slope, exponent):
    drawn = fixtures.make_drawn(40, 5)
    drawn["cost_slope"][:] = slope
    drawn["cost_exponent"][:] = exponent
    every = scenarios.whole(drawn)
    got = scenarios.optimize(every, target=80.0, shortfall_penalty=3000.0, year=2100)
    assert got.expected_cost > 0.0
    outcomes = portfolio.simulate(drawn, as_portfolio(got.planned))
    measures = portfolio.measure(outcomes, target={"net_removal": 80.0, "year": 2100}).isel(portfolio=0)
    again = scenarios.evaluate(every, got.planned, target=80.0, shortfall_penalty=3000.0, year=2100)
    for ours, theirs in (("cost", "total_cost"), ("shortfall", "shortfall")):
        np.testing.assert_allclose(again[ours], measures.sel(criterion=theirs), rtol=1e-9, atol=1e-9)
    assert got.expected_cost == pytest.approx(float(measures.sel(criterion="total_cost").mean()), rel=1e-9)
    simulated = scenarios.simulated_loss(outcomes, target=80.0, shortfall_penalty=3000.0, year=2100)
    np.testing.assert_allclose(simulated["loss"].isel(portfolio=0), got.loss, rtol=1e-9)


def test_the_programmes_durable_tonnes_are_after_foregone_regrowth():
    drawn = fixtures.make_drawn(40, 5)
    given_up = np.random.default_rng(8).uniform(0.0, 0.6, (40, drawn.sizes["pathway"]))
    drawn["foregone_regrowth"] = ("sample", "pathway"), given_up
    every = scenarios.whole(drawn)
    got = scenarios.optimize(every, target=80.0, shortfall_penalty=3000.0, year=2100)
    outcomes = portfolio.simulate(drawn, as_portfolio(got.planned))
    assert float(outcomes["foregone"].sum()) > 0.0
    measures = portfolio.measure(outcomes, target={"net_removal": 80.0, "year": 2100}).isel(portfolio=0)
    again = scenarios.evaluate(every, got.planned, target=80.0, shortfall_penalty=3000.0, year=2100)
    np.testing.assert_allclose(again["shortfall"], measures.sel(criterion="shortfall"), rtol=1e-9, atol=1e-9)
    assert 0.0 < float(again["shortfall"].mean()) < 80.0


def test_the_linearised_cost_is_the_simulations_within_the_stated_bound():
    drawn = fixtures.make_drawn(40, 6)
    every = scenarios.whole(drawn)
    given = terms(every)
    g = np.random.default_rng(1)
    for segments in (1, 4):
        lines, error = curves.chords(given, segments), curves.linearisation_error(given, segments)
        for _ in range(5):
            plan = given.capacity.max(axis=0) * g.random(given.capacity.shape[1:])
            amount = captured(given, plan)
            chord = (lines.slope * amount[..., None] + lines.intercept).max(axis=-1)
            labelled = xr.DataArray(
                plan, dims=("pathway", "period"), coords={d: every[d].values for d in ("pathway", "period")}
            )
            cost = portfolio.simulate(drawn, as_portfolio(labelled))["cost"].isel(portfolio=0)
            present = (
                cost * every["discount_factor"].drop_vars("sample") * every["period_length"]
            ).transpose("sample", "pathway", "period")
            over = chord - present.values
            assert over.min() >= -1e-9 * present.values.max()
            assert (over <= error + 1e-9 * present.values.max()).all()


def test_the_simulated_loss_of_a_target_by_period_and_a_commitment():
    drawn = fixtures.make_drawn(20, 7)
    every = scenarios.whole(drawn)
    asked = {
        "target": {"mid_term": 0.5, "long_term": 2.0}, "shortfall_penalty": 800.0, "commitment_share": 0.4,
    }  # fmt: skip
    got = scenarios.optimize(every, **asked)
    outcomes = portfolio.simulate(drawn, as_portfolio(got.planned))
    simulated = scenarios.simulated_loss(outcomes, **asked, cost=drawn["cost"])
    np.testing.assert_allclose(simulated["loss"].isel(portfolio=0), got.loss, rtol=1e-9)
    with pytest.raises(Exception, match="cost is needed"):
        scenarios.simulated_loss(outcomes, **asked)


def test_the_penalty_is_discounted_like_the_costs_of_the_target_years_period():
    drawn = fixtures.make_drawn(30, 8)
    every = scenarios.whole(drawn)
    nothing = xr.zeros_like(every["capacity"].isel(sample=0, drop=True))
    rate = drawn["discount_rate"].values
    for year, start, length in ((2100, 25, 51), (2040, 10, 15), (None, 25, 51)):
        got = scenarios.evaluate(every, nothing, target=50.0, shortfall_penalty=600.0, year=year)
        # The mean of (1 + r)^-t over the years of the period, in closed form.
        log = np.log1p(rate)
        mean = ((1 + rate) ** -start - (1 + rate) ** -(start + length)) / (log * length)
        np.testing.assert_allclose(got["loss"], 50.0 * 600.0 * mean, rtol=1e-12)
    # Money now against money then: the penalty of today's programme was undiscounted.
    assert float(got["loss"].max()) < 50.0 * 600.0


def test_no_start_is_better_than_the_optimum():
    drawn = fixtures.make_drawn(30, 9)
    every = scenarios.whole(drawn)
    g = np.random.default_rng(2)
    plans = xr.DataArray(
        g.dirichlet(np.ones(5), size=(12, 3)).transpose(0, 2, 1) * np.array([0.2, 1.0, 3.0]),
        dims=("portfolio", "pathway", "period"),
        coords={"pathway": every["pathway"].values, "period": every["period"].values},
    )
    total = {"near_term": 0.2, "mid_term": 1.0, "long_term": 3.0}
    asked = {"target": 60.0, "shortfall_penalty": 1500.0}
    got = scenarios.optimize(every, **asked, total=total, starts=plans)
    probability = every["probability"].values
    for plan in plans:
        loss = scenarios.evaluate(every, plan, **asked)["loss"].values
        assert objective(loss, 0.5, probability) >= got.objective * (1 - 1e-9)


def test_the_bound_holds_against_a_fine_search():
    # One pathway, one period, capacities 1 to 6: the loss has a kink at each and is not convex.
    parts = [
        fixtures.by_hand([0.9 - 0.1 * k], 100.0 + 20 * k, capacity=1.0 + k, rise=1.5, exponent=2.0)
        for k in range(6)
    ]
    s = xr.concat(parts, dim="sample").assign_coords(sample=np.arange(6))
    s["probability"] = ("sample", np.array([0.1, 0.25, 0.2, 0.2, 0.15, 0.1]))
    for weight in (0.0, 0.5):
        asked = {"target": 3.0, "shortfall_penalty": 220.0}
        got = scenarios.optimize(s, **asked, risk_weight=weight)
        one = got.planned
        values = []
        for x in np.linspace(0.0, 6.0, 601):
            loss = scenarios.evaluate(s, xr.full_like(one, x), **asked)["loss"].values
            values.append(objective(loss, weight, s["probability"].values))
        assert got.bound <= min(values) + 1e-9
        assert got.objective <= min(values) * (1 + got.gap) + 1e-9
        assert got.gap == pytest.approx((got.objective - got.bound) / got.objective, abs=1e-9)
        # Descent finds the best of several valleys here, to the grid's width.
        assert got.objective <= min(values) * (1 + 1e-3)


@pytest.fixture(scope="module")
def chain():
    """The project's own inputs on few draws, its named portfolios, and the scenarios of all draws."""
    registry = inputs.drivers(network=network.load())
    drawn = inputs.sample(registry, 32, rng=11)
    # What depends on other pathways, or on earlier periods, is no part of the programme.
    drawn = drawn.drop_dims(["coupling", "resource"])
    drawn = drawn.drop_vars(["learning_rate", "scarcity", "setback", "saturation_years"])
    plans = portfolio.plan(portfolio.load_portfolios(), TOTAL)
    return drawn, plans


def judged(drawn, plans, got):
    own = got.planned.expand_dims(portfolio=["optimum"])
    every = xr.concat([own, plans["planned"].reset_coords(drop=True)], dim="portfolio", join="outer",
                      fill_value=0.0).reindex(period=drawn["period"].values)  # fmt: skip
    outcomes = portfolio.simulate(drawn, every.to_dataset(name="planned"))
    losses = scenarios.simulated_loss(outcomes, target=150.0, shortfall_penalty=600.0, year=2100)["loss"]
    probability = np.full(drawn.sizes["sample"], 1 / drawn.sizes["sample"])
    return {
        str(name): objective(losses.sel(portfolio=name).values, 0.5, probability)
        for name in losses["portfolio"].values
    }


def test_no_named_portfolio_beats_the_optimum_in_the_simulation(chain):
    drawn, plans = chain
    asked = {"target": 150.0, "shortfall_penalty": 600.0, "year": 2100, "total": TOTAL}
    got = scenarios.optimize(scenarios.whole(drawn), **asked, starts=plans["planned"])
    # Without reallocation the simulation is the programme's model: the statement is exact.
    still = drawn.assign(reallocation_headroom=0.0 * drawn["reallocation_headroom"])
    values = judged(still, plans, got)
    assert values["optimum"] == pytest.approx(got.objective, rel=1e-9)
    assert len(values) > 5
    assert min(values, key=values.get) == "optimum"
    # With it the programme misses something, here less than what parts the optimum from the others.
    values = judged(drawn, plans, got)
    assert min(values, key=values.get) == "optimum"
    assert got.gap < 0.02
