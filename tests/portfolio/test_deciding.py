"""Portfolios compared over draws: by hand, against the plain definitions, and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio, risk
from sinkrisk.errors import InputError

from .made_outcomes import random_outcomes

TARGET = {"net_removal": 200.0, "unit": "GtCO2", "year": 2100}


def make_values(data, **attrs):
    data = np.asarray(data, dtype=float)
    return xr.DataArray(
        data,
        dims=("sample", "portfolio"),
        coords={"portfolio": [f"p{i}" for i in range(data.shape[1])]},
        attrs={"units": "billion USD"} | attrs,
    )


def test_table_by_hand():
    # Losses 1..10 of the oracle, turned to benefits; a sure 5; and a copy of the sure one.
    first = -np.arange(1.0, 11.0)
    values = make_values(np.column_stack([first, np.full(10, -5.0), np.full(10, -5.0)]))
    table = portfolio.compare_portfolios(values, tail=0.8).set_index("portfolio")
    assert table.index.tolist() == ["p1", "p2", "p0"]
    assert table.loc["p0", ["mean", "cvar", "value_at_risk"]].tolist() == pytest.approx([-5.5, -9.5, -8.0])
    assert table["rank_by_cvar"].tolist() == [1, 1, 3]
    assert table["rank_by_mean"].tolist() == [1, 1, 3]
    # p0 is best in the five draws -1 .. -5 (a tie at -5), the sure ones in -5 .. -10.
    assert table["probability_best"].tolist() == pytest.approx([0.6, 0.6, 0.5])
    assert table.loc["p0", "expected_regret"] == pytest.approx((1 + 2 + 3 + 4 + 5) / 10)
    assert table.loc["p1", "expected_regret"] == pytest.approx((4 + 3 + 2 + 1) / 10)
    assert table.loc["p0", "cvar_regret"] == pytest.approx(4.5)
    # A sure -5 dominates a spread about a lower mean in the second order only; equals do not dominate.
    assert table["dominated_second"].tolist() == [0, 0, 2]
    assert table["dominated_first"].tolist() == [0, 0, 0]
    text = portfolio.comparison_sentence(table.reset_index())
    assert text.startswith("In the worst 20 % of draws p1 does best, -5 billion USD on average")
    assert "1 of 3 portfolios are dominated" in text


def test_one_portfolio_is_not_the_best_of_many():
    table = portfolio.compare_portfolios(make_values(-np.arange(1.0, 11.0)[:, None]), tail=0.8)
    text = portfolio.comparison_sentence(table)
    assert text.startswith(
        "p0 is the only portfolio: -5.5 billion USD on average, -9.5 billion USD in the worst"
    )


def test_table_equals_the_numerics_on_random_outcomes():
    values = portfolio.net_benefit(random_outcomes(500), target=TARGET, decision={"carbon_value": 250.0})
    table = portfolio.compare_portfolios(values).set_index("portfolio").loc[values["portfolio"].values]
    np.testing.assert_allclose(table["cvar"], risk.cvar(values.values.T, 0.95, direction="low_is_bad"))
    assert (table["cvar"] <= table["value_at_risk"] + 1e-9).all()
    assert table["expected_regret"].min() == pytest.approx(risk.evpi(values.values))
    matrix = portfolio.dominance(values)
    assert bool((matrix["first_order"] <= matrix["second_order"]).all())
    np.testing.assert_array_equal(table["dominated_second"], matrix["second_order"].sum("portfolio"))


def test_weights_equal_repetition():
    values = make_values(np.random.default_rng(3).normal(size=(30, 3)))
    counts = np.random.default_rng(4).integers(1, 4, 30)
    exact = ["mean", "low", "high", "value_at_risk", "cvar", "expected_regret", "cvar_regret"]
    exact += ["probability_best"]
    weighted = portfolio.compare_portfolios(values, probability=counts / counts.sum())
    repeated = portfolio.compare_portfolios(values.isel(sample=np.repeat(np.arange(30), counts)))
    assert weighted["portfolio"].tolist() == repeated["portfolio"].tolist()
    np.testing.assert_allclose(weighted[exact], repeated[exact], rtol=1e-9)
    shares = ["dominated_first", "dominated_second"]
    np.testing.assert_array_equal(weighted[shares], repeated[shares])


def test_shift_and_scale_move_the_table_with_them():
    values = make_values(np.random.default_rng(5).normal(size=(200, 4)))
    plain = portfolio.compare_portfolios(values).set_index("portfolio")
    moved = portfolio.compare_portfolios(3.0 * values + 7.0).set_index("portfolio").loc[plain.index]
    for name in ("mean", "low", "high", "value_at_risk", "cvar"):
        np.testing.assert_allclose(moved[name], 3.0 * plain[name] + 7.0)
    for name in ("expected_regret", "cvar_regret"):
        np.testing.assert_allclose(moved[name], 3.0 * plain[name], atol=1e-12)
    for name in ("rank_by_mean", "rank_by_cvar", "dominated_second", "probability_best"):
        np.testing.assert_allclose(moved[name], plain[name])


def test_a_minimised_criterion_is_turned_round():
    measures = portfolio.measure(random_outcomes(200), target=TARGET)
    table = portfolio.compare_portfolios(measures, criterion="total_cost").set_index("portfolio")
    cost = measures.sel(criterion="total_cost").values
    names = measures["portfolio"].values.tolist()
    assert table["rank_by_mean"].idxmin() == names[int(cost.mean(axis=0).argmin())]
    assert (table["cvar"] >= table["mean"]).all()
    assert table["unit"].iloc[0] == "billion USD"
    assert portfolio.dominance(measures, criterion="total_cost").attrs["direction"] == "high_is_bad"


def test_bad_arguments_are_named():
    measures = portfolio.measure(random_outcomes(20), target=TARGET)
    with pytest.raises(InputError, match=r"which criterion\?: got 'total_cst'.*did you mean 'total_cost'"):
        portfolio.compare_portfolios(measures, criterion="total_cst")
    with pytest.raises(InputError, match="2 problems"):
        portfolio.compare_portfolios(measures, criterion="total_cost", level=0.0, tail=1.0)
    holes = make_values([[np.nan, 1.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="not defined in every draw: got '1 of 2 portfolios'"):
        portfolio.dominance(holes)


def test_dominance_weighs_draws():
    # p1 is better in the first draw alone, by less than it loses in the second.
    values = make_values([[0.0, 1.0], [3.0, 1.5]])
    even = portfolio.compare_portfolios(values).set_index("portfolio")
    assert even["dominated_second"].tolist() == [0, 0]
    # Nearly all weight on the second: nothing changes in the first order, as the worst case stays.
    sure = portfolio.compare_portfolios(values, probability=[0.0, 1.0]).set_index("portfolio")
    assert sure.loc["p1", ["dominated_first", "dominated_second"]].tolist() == [1, 1]
    assert sure.loc["p0", ["dominated_first", "dominated_second"]].tolist() == [0, 0]
    found = portfolio.dominance(values, probability=[0.0, 1.0])
    assert bool(found["first_order"].sel(portfolio="p0", other="p1"))
