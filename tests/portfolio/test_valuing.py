"""Net benefit by hand and by integration; what drivers are worth learning."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio.specification import DecisionSpec

from .made_outcomes import constant_outcomes, random_outcomes

TARGET = {"net_removal": 200.0, "unit": "GtCO2", "year": 2100}


def test_net_benefit_by_hand_without_discounting():
    outcomes = constant_outcomes(
        {"deployed": [2.0, 1.0, 1.0], "durable": [2.0, 0.4, 0.0], "process": 0.1, "cost": [200.0, 20.0, 50.0]}
    )
    decision = {"carbon_value": 300.0, "shortfall_penalty": 600.0, "discounting": "none"}
    got = portfolio.net_benefit(outcomes, target=TARGET, decision=decision)
    # 2.1 durable tonnes a year after process emissions, 76 years: 159.6 of 200.
    assert got.item() == pytest.approx(76.0 * (300.0 * 2.1 - 270.0) - 600.0 * (200.0 - 159.6))
    assert got.attrs["units"] == "billion USD"


def test_net_benefit_is_discounted_like_an_integral():
    outcomes = constant_outcomes({"deployed": 1.0, "durable": [1.5, 0.0, 0.0], "cost": [90.0, 0.0, 0.0]})
    outcomes["discount_rate"] = ("sample", [0.04])
    decision = DecisionSpec(carbon_value=150.0, carbon_value_growth=0.015, shortfall_penalty=400.0)
    got = portfolio.net_benefit(outcomes, target=TARGET, decision=decision).item()
    worth = integrate.quad(lambda t: 150.0 * 1.015**t * 1.5 * 1.04**-t, 0.0, 76.0)[0]
    paid = integrate.quad(lambda t: 90.0 * 1.04**-t, 0.0, 76.0)[0]
    late = integrate.quad(lambda t: 1.04**-t, 25.0, 76.0)[0] / 51.0
    assert got == pytest.approx(worth - paid - 400.0 * (200.0 - 76.0 * 1.5) * late, rel=1e-9)
    # A target by 2050 is due in the period before: it counts until the end of 2049.
    early = portfolio.net_benefit(outcomes, target=TARGET | {"year": 2050}, decision=decision).item()
    due = integrate.quad(lambda t: 1.04**-t, 10.0, 25.0)[0] / 15.0
    assert early == pytest.approx(worth - paid - 400.0 * (200.0 - 25.0 * 1.5) * due, rel=1e-9)


def test_avoided_tonnes_are_worth_nothing_here_and_a_met_target_costs_nothing():
    outcomes = constant_outcomes({"deployed": 1.0, "avoided": [0.0, 0.0, 9.0], "durable": [9.0, 0.0, 0.0]})
    decision = {"carbon_value": 1.0, "shortfall_penalty": 1e6, "discounting": "none"}
    assert portfolio.net_benefit(outcomes, target=TARGET, decision=decision).item() == pytest.approx(684.0)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"carbon_value": 1.0, "shortfal_penalty": 2.0}, "key 'decision.shortfal_penalty': unknown key.*"
         "did you mean 'shortfall_penalty'"),
        ({}, "key 'decision.carbon_value': missing key; allowed: a finite number of at least 0"),
        ({"carbon_value": -1.0, "discounting": "some"}, "2 problems"),
        ({"carbon_value": float("nan")}, "finite number"),
    ],
)  # fmt: skip
def test_bad_decisions_are_named(decision, message):
    with pytest.raises(InputError, match=message):
        portfolio.net_benefit(constant_outcomes({}), target=TARGET, decision=decision)


def test_learning_finds_the_driver_that_moves_the_choice():
    # A linear-Gaussian choice: p1 is worth x more than p0; `cost` moves both alike; the block holds x.
    rng = np.random.default_rng(5)
    n = 3000
    x, common, noise = rng.standard_normal((3, n))
    values = xr.DataArray(
        np.stack([common, common + 0.2 + x + 0.5 * noise], axis=1),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["p0", "p1"]},
        attrs={"units": "billion USD"},
    )
    drivers = {
        "x": x,
        "common": common,
        "states": (x > 0).astype(int),
        "block": xr.DataArray(np.stack([x + noise, noise, common], axis=1), dims=("sample", "part")),
        "fixed": np.ones(n),
        "shuffled": rng.permutation(x),
    }
    table = portfolio.value_of_learning(values, drivers, rng=2).set_index("driver")
    exact = stats.norm.pdf(0.2) - 0.2 * stats.norm.cdf(-0.2)
    # Standard errors of about .013: four of them.
    assert table.loc["x", "plug_in"] == pytest.approx(exact, abs=0.055)
    assert table.loc["x", "cross_fitted"] == pytest.approx(exact, abs=0.055)
    assert table.loc["block", "plug_in"] == pytest.approx(table.loc["block", "perfect"], abs=0.03)
    assert set(table.index[table["acts"]]) == {"x", "states", "block"}
    assert table.index[0] == "block"
    assert (table["plug_in"] <= table["perfect"] + 1e-9).all()
    sentence = portfolio.learning_sentence(table.reset_index())
    assert sentence.startswith("Most worth learning before the choice is block")
    assert "3 of 6 drivers" in sentence
    first = table.iloc[0]
    reach = stats.norm.ppf(0.95) * first["mc_error"]
    low, high = first["cross_fitted"] - reach, first["plug_in"] + reach
    assert f"{low:.3g} to {high:.3g} billion USD (from the estimate biased down" in sentence
    assert "moved out by its 90% Monte Carlo error" in sentence
    crossing = table.reset_index().iloc[:1].assign(cross_fitted=0.5, plug_in=0.4, mc_error=0.1)
    told = portfolio.learning_sentence(crossing, level=0.8)
    assert "0.372 to 0.528" in told
    assert "which cross: the first is 0.5, the second 0.4" in told
    assert "80% Monte Carlo" in told
    nothing = portfolio.value_of_learning(values, {"shuffled": drivers["shuffled"]}, rng=2)
    assert "none was seen to be worth learning" in portfolio.learning_sentence(nothing)
    plain = portfolio.learning_sentence(crossing.assign(unit="1"))
    assert " 1 (from" not in plain
    assert "(from the estimate" in plain


def test_outcomes_feed_the_value_of_learning():
    outcomes = random_outcomes(300)
    values = portfolio.net_benefit(outcomes, target=TARGET, decision={"carbon_value": 300.0})
    table = portfolio.value_of_learning(values, outcomes[["discount_rate", "trl"]], permutations=20)
    assert set(table["driver"]) == {"discount_rate", "trl"}
    assert set(table["unit"]) == {"billion USD"}
    # Constant technology levels tell nothing, and exactly so.
    assert table.set_index("driver").loc["trl", "plug_in"] == 0.0


def test_every_bad_driver_is_named_at_once():
    values = portfolio.net_benefit(random_outcomes(60), target=TARGET, decision={"carbon_value": 300.0})
    with pytest.raises(
        InputError, match=r"(?s)2 problems.*driver 'a': driver is not finite.*driver 'b': too many"
    ):
        portfolio.value_of_learning(values, {"a": np.full(60, np.nan), "b": np.arange(60)})
    with pytest.raises(InputError, match="no drivers"):
        portfolio.value_of_learning(values, {})
    with pytest.raises(InputError, match="driver 'c' has no sample axis"):
        portfolio.value_of_learning(values, {"c": xr.DataArray(np.ones(60), dims="draw")})


def test_what_learning_is_worth_weighs_draws_by_their_probability():
    """Draws of N(0, 1.5) weighted to N(0, 1): E[max(x, 0)] = .399, where equal weights would say .598."""
    x = np.random.default_rng(4).normal(0.0, 1.5, 4000)
    weight = stats.norm.pdf(x) / stats.norm.pdf(x, scale=1.5)
    values = xr.DataArray(np.stack([x, 0.0 * x], axis=1), dims=("sample", "portfolio"))
    table = portfolio.value_of_learning(
        values, {"x": x}, probability=weight / weight.sum(), permutations=1, rng=1
    )
    row = table.iloc[0]
    # Five Monte Carlo errors, about .05.
    for name in ("plug_in", "cross_fitted"):
        assert row[name] == pytest.approx(1.0 / np.sqrt(2.0 * np.pi), abs=5.0 * row["mc_error"])
    assert 5.0 * row["mc_error"] < 0.1
