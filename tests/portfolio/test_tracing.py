"""Steps from plan to net removal, against counts by hand and the identities of the ledgers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio.tracing import STEPS

from .conftest import build_drawn, full_drawn, random_plans
from .made_outcomes import constant_outcomes

YEARS = 76.0
"""Years of the three periods of the made outcomes."""


@pytest.fixture(scope="module")
def drawn() -> xr.Dataset:
    return build_drawn(n=48, seed=3)


@pytest.fixture(scope="module")
def outcomes(drawn) -> xr.Dataset:
    pathways, periods = drawn["pathway"].values, drawn["period"].values
    planned = np.random.default_rng(5).uniform(0.0, 1.5, (3, len(pathways), len(periods)))
    planned[2] = 0.0
    plans = xr.Dataset(
        {"planned": (("portfolio", "pathway", "period"), planned, {"units": "GtCO2/yr"})},
        coords={"portfolio": ["a", "b", "empty"], "pathway": pathways, "period": periods},
    )
    plans["planned"].loc[{"portfolio": "empty", "pathway": "daccs"}] = 1e-6
    return portfolio.simulate(drawn, plans)


def test_steps_are_counted_by_hand():
    made = constant_outcomes(
        {
            "planned": [4.0, 2.0, 1.0], "deployed": [1.0, 1.0, 0.5], "received": [0.0, 0.2, 0.0],
            "reallocated": [0.2, 0.0, 0.0], "limited": [2.0, 0.5, 0.25], "scarce": [0.3, 0.1, 0.0],
            "withheld": [0.5, 0.4, 0.25], "avoided": [0.0, 0.0, 0.5], "removed": [1.0, 1.0, 0.0],
            "uncounted": [0.0, 0.1, 0.0], "foregone": [0.0, 0.1, 0.0], "returned": [0.1, 0.3, 0.0],
            "process": [0.05, 0.0, 0.0], "net": [0.85, 0.7, 0.0],
        }
    )  # fmt: skip
    table = portfolio.trace_table(made)
    by_hand = {
        "planned": 7.0, "limited": -2.75, "scarce": -0.4, "withheld": -1.15, "captured": 2.7,
        "reallocated": 0.2, "coupled": 0.0, "avoided": -0.5, "utilised": 0.0, "uncounted": -0.1,
        "foregone": -0.1, "saturated": 0.0, "removed": 2.0, "returned": -0.4, "process": -0.05,
        "non_co2": 0.0, "net": 1.55,
    }  # fmt: skip
    assert table["step"].tolist() == list(by_hand)
    assert table["mean"].to_numpy() == pytest.approx(YEARS * np.array(list(by_hand.values())))
    assert table["share"].to_numpy() == pytest.approx(np.array(list(by_hand.values())) / 7.0)
    assert not (np.signbit(table["mean"]) & (table["mean"] == 0.0)).any()


def test_changes_add_up_to_levels_for_every_portfolio(outcomes):
    table = portfolio.trace_table(outcomes)
    assert len(table) == 3 * len(STEPS)
    for _, rows in table.groupby("portfolio", sort=False):
        at = 0.0
        for row in rows.to_dict("records"):
            if row["role"] == "change":
                at += row["mean"]
            elif row["role"] == "level" and row["step"] != "planned":
                assert row["mean"] == pytest.approx(at, rel=1e-9, abs=1e-9)
            if row["role"] == "level":
                at = row["mean"]
        assert (rows["low"] <= rows["high"]).all()


def test_probability_weights_are_repetition(outcomes):
    flat = outcomes.drop_vars("probability", errors="ignore")
    picked = np.repeat(np.arange(48), np.tile([1, 3], 24))
    weight = np.tile([1.0, 3.0], 24) / 96.0
    weighted = portfolio.trace_table(flat, probability=weight)
    repeated = portfolio.trace_table(flat.isel(sample=picked))
    for name in ("mean", "low", "high"):
        np.testing.assert_allclose(weighted[name], repeated[name], rtol=1e-9, atol=1e-12)


def test_the_sentence_names_best_worst_and_the_largest_loss(outcomes):
    table = portfolio.trace_table(outcomes)
    text = portfolio.trace_sentence(table)
    net = table[table["step"] == "net"].set_index("portfolio")["share"]
    assert f"{net.max():.2f} t become net removal with {net.idxmax()}" in text
    assert f"t with {net.idxmin()}, the least" in text


def test_one_portfolio_is_not_the_most_and_the_least():
    table = pd.DataFrame(
        {"portfolio": "a", "step": ["planned", "withheld", "net"], "role": ["level", "change", "level"],
         "mean": [10.0, -4.0, 6.0], "share": [1.0, -0.4, 0.6], "unit": "GtCO2"}
    )  # fmt: skip
    said = (
        "Of a planned tonne 0.60 t become net removal with a, on average over draws. With a most is withheld"
    )
    assert portfolio.trace_sentence(table) == f"{said}: 4 of 10 GtCO2."


def test_binding_counts_draws_and_tonnes():
    made = constant_outcomes({"planned": 2.0}, n=4)
    cut = np.zeros((4, 1, 2, 3))
    cut[0, 0, 0, 2], cut[1, 0, 0, 2], cut[2, 0, 1, 0] = 0.6, 0.2, 1e-12
    made["scarcity_by_resource"] = (("sample", "portfolio", "resource", "period"), cut)
    made = made.assign_coords(resource=["land", "water"])
    table = portfolio.binding_table(made, level=0.5)
    row = table[(table["resource"] == "land") & (table["period"] == "long_term")].iloc[0]
    # Three pathways plan 2 each.
    assert row["probability_binds"] == 0.5
    assert row["mean"] == pytest.approx(0.2)
    assert row["share"] == pytest.approx(0.2 / 6.0)
    rest = table.drop(index=row.name)
    # What rounding leaves does not bind.
    assert (rest["probability_binds"] == 0.0).all()
    assert portfolio.binding_table(constant_outcomes({"planned": 2.0})).empty


def test_limits_are_those_of_the_capacity_weighted_by_region(drawn):
    table = portfolio.limiting_table(drawn)
    assert table.groupby(["pathway", "period"])["probability"].sum().to_numpy() == pytest.approx(1.0)
    found = portfolio.capacity(drawn)["limiting"]
    share = drawn["suitability_share"]
    growth = str(found.attrs["flag_meanings"]).split().index("growth")
    expected = (share * (found == growth)).sum("region").mean("sample")
    for row in table[table["limit"] == "growth"].to_dict("records"):
        cell = expected.sel(pathway=row["pathway"], period=row["period"]).item()
        assert row["probability"] == pytest.approx(cell)
    again = portfolio.limiting_table(drawn, block=7)
    assert again["probability"].to_numpy() == pytest.approx(table["probability"].to_numpy())


def test_bad_arguments_are_named(outcomes):
    with pytest.raises(InputError, match="saturated"):
        portfolio.trace_table(outcomes.drop_vars(["saturated", "net"]))
    with pytest.raises(InputError, match="level"):
        portfolio.trace_table(outcomes, level=1.0)
    with pytest.raises(InputError, match="least"):
        portfolio.binding_table(outcomes, least=0.0)
    with pytest.raises(InputError, match="planned"):
        portfolio.binding_table(outcomes.drop_vars("planned"))


def test_what_limits_capacity_weighs_draws_like_repetition():
    drawn = build_drawn(n=30, seed=8)
    # From this capacity some draws reach their potential in the middle of the century, some do not.
    drawn["current_capacity"] = 10.0 * drawn["current_capacity"]
    counts = np.random.default_rng(2).integers(1, 6, 30)
    repeated = drawn.isel(sample=np.repeat(np.arange(30), counts)).assign_coords(
        sample=np.arange(counts.sum())
    )
    repeated["probability"] = "sample", np.full(counts.sum(), 1.0 / counts.sum())
    drawn["probability"] = "sample", counts / counts.sum()
    keys = ["pathway", "period", "limit"]
    weighted, plain = (
        portfolio.limiting_table(one).set_index(keys)["probability"] for one in (drawn, repeated)
    )
    np.testing.assert_allclose(weighted.sort_index(), plain.sort_index(), rtol=1e-9)
    drawn["probability"] = "sample", np.full(30, 1.0 / 30)
    equal = portfolio.limiting_table(drawn).set_index(keys)["probability"]
    assert abs(equal - weighted).max() > 0.01


def test_all_weight_on_one_draw_leaves_the_resources_it_uses():
    drawn = full_drawn(24)
    outcomes = portfolio.simulate(drawn, random_plans(drawn, 3))
    sure = (np.arange(24) == 5).astype(float)
    keys = ["portfolio", "period", "resource"]
    weighted = portfolio.binding_table(outcomes, least=1e-9, probability=sure).set_index(keys)
    one = outcomes.isel(sample=[5]).assign(probability=("sample", [1.0]))
    alone = portfolio.binding_table(one, least=1e-9).set_index(keys)
    for name in ("probability_binds", "mean", "low", "high", "share"):
        np.testing.assert_allclose(weighted.loc[alone.index, name], alone[name], rtol=1e-12, atol=1e-15)
    plain = portfolio.binding_table(outcomes, least=1e-9).set_index(keys)
    assert abs(plain.loc[alone.index, "mean"] - alone["mean"]).max() > 0.0
