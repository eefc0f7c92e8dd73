"""Abatement cost curves: the exact inverse of the marginal cost, sums by hand, bands that never cross."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st

from sinkrisk import portfolio, risk
from sinkrisk.errors import InputError
from sinkrisk.portfolio.abatement import use_at_price

from .conftest import PERIODS, REGIONS, build_drawn, plans, simple_drawn

PRICES = np.array([0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 1e6])


@given(st.floats(1.0, 900.0), st.floats(0.01, 5.0), st.floats(0.2, 4.0), st.floats(0.0, 1.0))
def test_use_inverts_the_marginal_cost(cost, slope, exponent, use):
    price = cost * (1.0 + slope * use**exponent)
    got = float(use_at_price(*map(np.asarray, (price, cost, slope, exponent))))
    # Back through the cost: where the curve is flat many uses cost the same to the last digit.
    assert cost * (1.0 + slope * got**exponent) == pytest.approx(price, rel=1e-12)


def test_flat_costs_are_all_or_nothing():
    price = np.array([99.9, 100.0, 400.0])
    assert use_at_price(price, np.array(100.0), np.array(0.0), np.array(2.0)).tolist() == [0, 1, 1]
    assert use_at_price(price, np.array(50.0), np.array(1.0), np.array(0.0)).tolist() == [0, 1, 1]
    assert use_at_price(price, np.array(-5.0), np.array(3.0), np.array(2.0)).tolist() == [1, 1, 1]


def two_pathways() -> xr.Dataset:
    """DACCS at 100, rising to 300, and biochar flat at 150; 10 GtCO2/yr each, shares .5 .3 .2."""
    drawn = simple_drawn("daccs", cost_slope=2.0, cost_exponent=1.0)
    drawn["cost"].loc[{"pathway": "enhanced_weathering"}] = 1e9
    drawn["cost"].loc[{"pathway": "biochar"}] = 150.0
    return drawn


def test_two_pathways_by_hand():
    curves = portfolio.abatement_curves(two_pathways(), prices=PRICES)
    # DACCS u = (p - 100) / 200; biochar u = (p / 150 - 1) / 2.
    daccs = 10.0 * np.clip((PRICES - 100.0) / 200.0, 0.0, 1.0)
    biochar = 10.0 * np.clip((PRICES / 150.0 - 1.0) / 2.0, 0.0, 1.0)
    for statistic in ("mean", "median", "low", "high"):
        got = curves["supply"].sel(region="world", period="mid_term", statistic=statistic)
        np.testing.assert_allclose(got, daccs + biochar, atol=1e-12)
    north = curves["by_pathway"].sel(region="north_america", period="near_term")
    np.testing.assert_allclose(north.sel(pathway="daccs"), 0.5 * daccs, atol=1e-12)
    np.testing.assert_allclose(north.sel(pathway="biochar"), 0.5 * biochar, atol=1e-12)
    assert float(north.sel(pathway="enhanced_weathering").max()) == 0.0
    assert curves["region"].values.tolist() == ["world", *REGIONS]


def test_institutions_stop_the_use_at_the_fraction_they_let_through():
    drawn = two_pathways()
    drawn["mode"].loc[{"class": "geological", "region": "north_america"}] = 1
    curves = portfolio.abatement_curves(drawn, prices=[150.0, 250.0, 300.0], region="north_america")
    # u of DACCS is .25, .75, 1, cut at .5; half of the world's 10.
    got = curves["by_pathway"].sel(pathway="daccs", region="north_america", period="near_term")
    np.testing.assert_allclose(got, [1.25, 2.5, 2.5])
    free = portfolio.abatement_curves(drawn, prices=[300.0], region="north_america", institutions=False)
    assert free["by_pathway"].sel(pathway="daccs", period="near_term").item() == pytest.approx(5.0)


def test_curves_rise_bands_do_not_cross_and_regions_add_up():
    drawn = build_drawn(120, seed=9)
    curves = portfolio.abatement_curves(drawn, prices=PRICES)
    supply = curves["supply"]
    assert (supply.diff("price") >= -1e-12).all()
    assert (supply.sel(statistic="low") <= supply.sel(statistic="median") + 1e-12).all()
    assert (supply.sel(statistic="median") <= supply.sel(statistic="high") + 1e-12).all()
    mean = supply.sel(statistic="mean")
    np.testing.assert_allclose(mean.sel(region=REGIONS).sum("region"), mean.sel(region="world"))
    np.testing.assert_allclose(
        curves["by_pathway"].sum("pathway"), mean.transpose("region", "period", "price")
    )
    # At any price at all: capacity times what institutions let through, of the removal ledger.
    room = portfolio.capacity(drawn)
    share = xr.where(drawn["flow_class"] == "removal", 1.0, 0.0)
    share = share + drawn["removal_share"] * (drawn["flow_class"] == "utilisation")
    for name in ("additionality", "efficiency"):
        share = share * (drawn.get(name, 1.0))
    most = (room["available"] * room["deployable_fraction"] * share).sum("pathway").sum("region")
    top = supply.sel(region="world", price=1e6)
    np.testing.assert_allclose(top.sel(statistic="mean"), most.mean("sample"))
    low = [float(risk.quantile(most.isel(period=q).values, 0.05)) for q in range(3)]
    np.testing.assert_allclose(top.sel(statistic="low"), low)


def test_blocks_and_ledgers():
    drawn = build_drawn(50, seed=10)
    whole = portfolio.abatement_curves(drawn, prices=PRICES)
    xr.testing.assert_allclose(portfolio.abatement_curves(drawn, prices=PRICES, block=7), whole, rtol=1e-12)
    parts = [
        portfolio.abatement_curves(drawn, prices=PRICES, ledgers=[name])["by_pathway"]
        for name in ("removal", "avoided", "utilisation")
    ]
    all_three = portfolio.abatement_curves(
        drawn, prices=PRICES, ledgers=["removal", "avoided", "utilisation"]
    )
    # A pathway of two ledgers bears its whole cost in each: they add up where price stops nothing.
    one_ledger = drawn["pathway"].values[drawn["flow_class"].values != "utilisation"]
    one = {"pathway": one_ledger}
    np.testing.assert_allclose(sum(parts).sel(one), all_three["by_pathway"].sel(one))
    top = {"price": 1e6}
    np.testing.assert_allclose(sum(parts).sel(top), all_three["by_pathway"].sel(top))
    assert (sum(parts) <= all_three["by_pathway"] + 1e-12).all()
    assert float(whole["by_pathway"].sel(pathway="point_source_ccs").max()) == 0.0


def test_only_what_is_additional_and_reaches_the_store_is_removal():
    drawn = two_pathways().drop_vars(["additionality", "efficiency"], errors="ignore")
    flows = ["utilisation" if p == "daccs" else "removal" for p in drawn["pathway"].values]
    drawn = drawn.assign_coords(flow_class=("pathway", flows))
    names = drawn["pathway"].values.tolist()
    real = xr.DataArray([[0.5 if p == "daccs" else 0.8 for p in names]], dims=("sample", "pathway"))
    drawn["additionality"], drawn["efficiency"] = real, xr.full_like(real, 0.9)
    got = portfolio.abatement_curves(drawn, prices=PRICES)["by_pathway"]
    # A removed tonne costs what 1 / .72 captured ones cost: the plain curve, at .72 of the price. Of DACCS,
    # here half a maker of products, .5 x .45 count.
    for pathway, share in (("daccs", 0.225), ("biochar", 0.72)):
        dearer = portfolio.abatement_curves(two_pathways(), prices=share * PRICES)
        expected = share * dearer["by_pathway"].sel(pathway=pathway).values
        np.testing.assert_allclose(got.sel(pathway=pathway), expected, atol=1e-12)
    # By hand: u = (.225 p - 100) / 200 of 10 GtCO2/yr, of which .225 count.
    by_hand = 2.25 * np.clip((0.225 * PRICES - 100.0) / 200.0, 0.0, 1.0)
    np.testing.assert_allclose(
        got.sel(pathway="daccs", region="world", period="mid_term"), by_hand, atol=1e-12
    )
    # What goes into products is no removal and is not cut.
    products = portfolio.abatement_curves(drawn, prices=[1e6], ledgers=["utilisation"])["supply"]
    got = products.sel(region="world", period="mid_term", statistic="mean").item()
    assert got == pytest.approx(0.5 * 10.0)


def test_what_the_curve_offers_is_what_the_simulation_removes():
    drawn = build_drawn(20, seed=12)
    rng = np.random.default_rng(1)
    for name in ("additionality", "efficiency"):
        drawn[name] = ("sample", "pathway"), rng.uniform(0.3, 1.0, (20, drawn.sizes["pathway"]))
    room = portfolio.capacity(drawn)
    plan = plans(drawn, {"p": {"daccs": 1e3}})
    removed = portfolio.simulate(drawn, plan)["removed"].sel(pathway="daccs", portfolio="p")
    top = portfolio.abatement_curves(drawn, prices=[1e9])["by_pathway"].sel(pathway="daccs", region="world")
    assert float(room["available"].sum()) > 0.0
    np.testing.assert_allclose(top.isel(price=0).sel(period="near_term"),
                               removed.mean("sample").sel(period="near_term"), rtol=1e-9)  # fmt: skip


def test_the_price_is_what_the_simulation_pays_for_the_last_tonne_removed():
    """Marginal cost of the simulation over its removed tonnes, at the use that the curve says."""
    drawn = simple_drawn("daccs", cost_slope=2.0, cost_exponent=1.5)
    shape = ("sample", "pathway"), np.ones((1, drawn.sizes["pathway"]))
    for name, value in (("additionality", 0.9), ("efficiency", 0.8), ("foregone_regrowth", 0.2)):
        drawn[name] = shape[0], value * shape[1]
    for price in (220.0, 300.0, 500.0):
        curve = portfolio.abatement_curves(drawn, prices=[price], period="near_term")["by_pathway"]
        tonnes = curve.sel(pathway="daccs", region="world").item()
        out = portfolio.simulate(drawn, plans(drawn, {"p": {"daccs": tonnes / (0.9 * 0.8 - 0.2)}}))
        near = out.sel(pathway="daccs", period="near_term").isel(portfolio=0, sample=0)
        assert near["removed"].item() == pytest.approx(tonnes, rel=1e-9)
        assert (near["marginal_cost"] / near["removed"]).item() == pytest.approx(price, rel=1e-9)


def test_what_removes_nothing_is_on_no_curve_at_any_price():
    drawn = two_pathways()
    drawn["additionality"] = xr.zeros_like(drawn["removal_share"])
    drawn["additionality"].loc[{"pathway": "biochar"}] = 1.0
    drawn["cost"].loc[{"pathway": "enhanced_weathering"}] = -5.0
    got = portfolio.abatement_curves(drawn, prices=PRICES)["by_pathway"].sel(region="world")
    assert float(got.sel(pathway="daccs").max()) == 0.0
    assert float(got.sel(pathway="enhanced_weathering").max()) == 0.0
    assert float(got.sel(pathway="biochar", period="mid_term").max()) == pytest.approx(10.0)


def test_regrowth_given_up_is_no_tonne_of_the_curve():
    drawn = build_drawn(20, seed=12)
    rng = np.random.default_rng(2)
    names = list(drawn["pathway"].values)
    for name, low, high in (("additionality", 0.5, 1.0), ("foregone_regrowth", 0.0, 0.8)):
        drawn[name] = ("sample", "pathway"), rng.uniform(low, high, (20, len(names)))
    drawn["saturation_years"] = ("sample", "pathway"), np.full((20, len(names)), np.inf)
    top = portfolio.abatement_curves(drawn, prices=[1e9])["by_pathway"].sel(region="world").isel(price=0)
    for pathway in ("daccs", "forests", "industrial_carbonation", "point_source_ccs"):
        removed = portfolio.simulate(drawn, plans(drawn, {"p": {pathway: 1e3}}))["removed"]
        offered = top.sel(pathway=pathway, period="near_term")
        np.testing.assert_allclose(
            offered, removed.sel(pathway=pathway, period="near_term").mean(), rtol=1e-9, err_msg=pathway
        )


def test_weights_equal_repetition():
    drawn = build_drawn(25, seed=11)
    counts = np.random.default_rng(1).integers(1, 4, 25)
    repeated = drawn.isel(sample=np.repeat(np.arange(25), counts))
    repeated = repeated.assign_coords(sample=np.arange(counts.sum())).drop_vars("probability")
    drawn["probability"] = "sample", counts / counts.sum()
    weighted = portfolio.abatement_curves(drawn, prices=PRICES)["supply"]
    plain = portfolio.abatement_curves(repeated, prices=PRICES)["supply"]
    np.testing.assert_allclose(weighted, plain, rtol=1e-9)


def test_table_and_sentence():
    curves = portfolio.abatement_curves(two_pathways(), prices=PRICES, level=0.8)
    table = portfolio.abatement_table(curves)
    assert len(table) == 4 * 3 * len(PRICES)
    row = table.query("region == 'world' and period == 'long_term' and price == 200.0").iloc[0]
    assert row["median"] == pytest.approx(5.0 + 10.0 / 6.0)
    assert (row["interval_kind"], row["interval_mass"], row["unit"]) == ("equal-tailed", 0.8, "GtCO2/yr")
    text = portfolio.abatement_sentence(curves, price=210.0)
    assert text.startswith(
        "At 200 USD per counted tonne of CO2 all regions together can supply 6.67 GtCO2/yr in "
        "long_term (median; 80% equal-tailed"
    )
    assert text.endswith("most of it by daccs (75% of the mean).")
    nothing = portfolio.abatement_sentence(curves, price=0.0)
    assert "can supply 0 GtCO2/yr" in nothing


@pytest.mark.parametrize(
    ("further", "message"),
    [
        ({"prices": [100.0, 50.0]}, "prices must be finite and rise"),
        ({"prices": [np.nan]}, "prices must be finite and rise"),
        ({"region": "north_amerca"}, "unknown region: got 'north_amerca'.*did you mean 'north_america'"),
        ({"period": ["mid_term", "mid_term"]}, "name at least one period, none twice"),
        ({"ledgers": ["removed"], "level": 0.0}, "2 problems"),
        ({"ledgers": []}, "at least one ledger"),
    ],
)
def test_bad_arguments_are_named(further, message):
    with pytest.raises(InputError, match=message):
        portfolio.abatement_curves(build_drawn(2), **({"prices": PRICES} | further))
    with pytest.raises(InputError, match="key 'cost_slope': inputs lack a variable"):
        portfolio.abatement_curves(build_drawn(2).drop_vars("cost_slope"), prices=PRICES)


def test_periods_are_those_asked_for():
    curves = portfolio.abatement_curves(build_drawn(5), prices=[100.0], period=PERIODS[1], region="world")
    assert curves["supply"].shape == (1, 1, 1, 4)


def test_all_weight_on_one_draw_leaves_its_curve_and_no_band():
    drawn = build_drawn(25, seed=11)
    alone = portfolio.abatement_curves(drawn.isel(sample=[7]).drop_vars("probability"), prices=PRICES)
    drawn["probability"] = "sample", (np.arange(25) == 7).astype(float)
    sure = portfolio.abatement_curves(drawn, prices=PRICES)
    np.testing.assert_allclose(sure["supply"], alone["supply"], rtol=1e-12, atol=1e-15)
