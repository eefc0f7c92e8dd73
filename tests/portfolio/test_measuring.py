"""Criteria by hand, summaries against weights and repetition."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import integrate

from sinkrisk import portfolio, priors, risk
from sinkrisk.errors import InputError
from sinkrisk.portfolio.criteria import CRITERIA, NEEDS, annuity, evenness, years_until

from .conftest import build_drawn, plans, random_plans, simple_drawn
from .made_outcomes import constant_outcomes, random_outcomes

TARGET = {"net_removal": 100.0, "unit": "GtCO2", "year": 2100}


def measured(drawn, table, criteria, **further):
    out = portfolio.simulate(drawn, plans(drawn, table))
    return portfolio.measure(out, target=TARGET | further, criteria=criteria).isel(sample=0, portfolio=0)


def test_criteria_by_hand(criteria):
    # 1 GtCO2/yr of DACCS and 1 of biochar with half-life 100 yr, flat costs of 100, energy 2, TRL 8 and 6.
    drawn = simple_drawn("daccs", discount_rate=0.03)
    drawn["half_life"].loc[{"pathway": "biochar"}] = 100.0
    drawn["trl"].loc[{"pathway": "biochar"}] = 6.0
    drawn["ecological_risk"].loc[{"pathway": "biochar"}] = 0.4
    got = measured(drawn, {"p": {"daccs": 1.0, "biochar": 1.0}}, criteria)
    k = np.log(2.0) / 100.0
    stock = {t: (1.0 - np.exp(-k * t)) / k for t in (25.0, 76.0)}
    worth, _ = integrate.quad(lambda t: 1.03**-t, 0.0, 76.0)
    expected = {
        "sequestration_rate": (76.0 + stock[76.0]) / 76.0,
        "storage_permanence": 0.75,
        "technological_maturity": 7.0,
        "marginal_abatement_cost": 100.0,
        "energy_intensity": 2.0,
        "ecological_risk": 0.3,
        "net_removal_2050": 25.0 + stock[25.0],
        "net_removal_2100": 76.0 + stock[76.0],
        "total_cost": 200.0 * worth,
        "cost_per_durable_tonne": 200.0 / 1.5,
        "reallocated_share": 0.0,
        "shortfall": 0.0,
    }
    for name, value in expected.items():
        assert float(got.sel(criterion=name)) == pytest.approx(value, rel=1e-9), name


def test_costs_by_hand_where_the_cost_rises_with_use(criteria):
    # K = 10 each; slope 2, exponent 1: mc(u) = c0 (1 + 2 u), average c0 (1 + u).
    drawn = simple_drawn("daccs", cost_slope=2.0, cost_exponent=1.0, discount_rate=0.0)
    drawn["cost"].loc[{"pathway": "biochar"}] = 40.0
    drawn["half_life"].loc[{"pathway": "biochar"}] = 100.0
    got = measured(drawn, {"p": {"daccs": 4.0, "biochar": [1.0, 1.0, 5.0]}}, criteria)
    # DACCS, u = .4: last tonne 180, average 140. Biochar: u = .1 for 25 yr (48, 44), .5 for 51 yr (80, 60).
    tonnes = np.array([4.0 * 76.0, 1.0 * 25.0, 5.0 * 51.0])
    marginal = tonnes @ [180.0, 48.0, 80.0] / tonnes.sum()
    total = tonnes @ [140.0, 44.0, 60.0]
    durable = tonnes @ [1.0, 0.5, 0.5]
    assert float(got.sel(criterion="marginal_abatement_cost")) == pytest.approx(marginal, rel=1e-12)
    assert float(got.sel(criterion="total_cost")) == pytest.approx(total, rel=1e-12)
    assert float(got.sel(criterion="cost_per_durable_tonne")) == pytest.approx(total / durable, rel=1e-12)


def test_marginal_cost_weighs_unequal_regions_by_tonnes(criteria):
    # Potential equally dear, but half of the regions' capacity is used unequally: a throttled region
    # reaches a lower use, delivers fewer tonnes, and counts less.
    drawn = simple_drawn("daccs", cost_slope=3.0, cost_exponent=2.0)
    drawn["mode"].loc[{"class": "geological", "region": "arid_zones"}] = 1
    got = measured(drawn, {"p": {"daccs": 6.0}}, criteria)
    # Shares .5 .3 .2 of K = 10 and of the plan: u = .6, but .3 in the arid zones (fraction .5).
    tonnes = np.array([3.0, 0.9, 1.2])
    last = 100.0 * (1.0 + 3.0 * np.array([0.6, 0.3, 0.6]) ** 2)
    expected = tonnes @ last / tonnes.sum()
    assert float(got.sel(criterion="marginal_abatement_cost")) == pytest.approx(expected, rel=1e-12)


def test_costs_equal_a_slow_recomputation_draw_by_draw(criteria):
    """From the outcomes' definition, cell by cell in plain Python, with slopes and modes at random."""
    # Without passive redundancy nothing moves, so that what is captured follows from capacity alone.
    calm = build_drawn(6, seed=31, passive=False)
    plan = random_plans(calm, 3, seed=32)
    got = portfolio.measure(portfolio.simulate(calm, plan), target=TARGET, criteria=criteria)
    cap = portfolio.capacity(calm)
    length = calm["period_length"].values
    for s in range(6):
        for f in range(3):
            paid = priced = tonnes = 0.0
            for p in range(calm.sizes["pathway"]):
                c0 = float(calm["cost"][s, p])
                a, eta = float(calm["cost_slope"][s]), float(calm["cost_exponent"][s])
                for r in range(calm.sizes["region"]):
                    for q in range(3):
                        room = float(cap["available"][s, p, r, q])
                        if room <= 0.0:
                            continue
                        asked = float(plan["planned"][f, p, q]) * float(calm["suitability_share"][s, p, r])
                        x = min(asked, room) * float(cap["deployable_fraction"][s, p, r, q])
                        tonnes += x * length[q]
                        priced += x * length[q] * c0 * (1.0 + a * (x / room) ** eta)
                        grid = (np.arange(400) + 0.5) / 400.0 * x / room
                        paid += x * length[q] * c0 * float(np.mean(1.0 + a * grid**eta))
            one = got.isel(sample=s, portfolio=f)
            assert float(one.sel(criterion="marginal_abatement_cost")) == pytest.approx(
                priced / tonnes, rel=1e-10
            )
            # The last tonne is the dearest.
            assert priced >= paid
            out = portfolio.simulate(calm.isel(sample=[s]), plan.isel(portfolio=[f]))
            durable = float((out["durable"].sum("pathway") * out["period_length"]).sum())
            # The midpoint rule with 400 cells: relative error below 1e-5 for exponents of 1 to 3.
            assert float(one.sel(criterion="cost_per_durable_tonne")) == pytest.approx(
                paid / durable, rel=1e-5
            )


def test_the_share_moved_to_other_pathways_by_hand(criteria):
    # As in the engine's test: of 4 planned 1 is deployed, 2 move (1 to each recipient), 1 is lost.
    drawn = simple_drawn("daccs", reallocation_headroom=0.1)
    drawn["mode"].loc[{"class": "geological"}] = 2
    got = measured(drawn, {"p": {"daccs": 4.0}}, criteria)
    assert float(got.sel(criterion="reallocated_share")) == pytest.approx(2.0 / 3.0)


def test_shortfall_counts_durable_removal_only(criteria):
    drawn = simple_drawn("forests", half_life=100.0)
    got = measured(drawn, {"p": {"forests": 2.0}}, criteria)
    # 152 Gt removed, half of it durable.
    assert float(got.sel(criterion="shortfall")) == pytest.approx(24.0)
    half = measured(drawn, {"p": {"forests": 2.0}}, criteria, year=2050)
    assert float(half.sel(criterion="shortfall")) == pytest.approx(75.0)


def test_avoided_emissions_are_no_removal_but_cost(criteria):
    got = measured(simple_drawn("point_source_ccs"), {"p": {"point_source_ccs": 2.0}}, criteria)
    for name in ("sequestration_rate", "net_removal_2050", "net_removal_2100"):
        assert float(got.sel(criterion=name)) == 0.0
    assert np.isnan(float(got.sel(criterion="storage_permanence")))
    assert np.isnan(float(got.sel(criterion="cost_per_durable_tonne")))
    assert float(got.sel(criterion="marginal_abatement_cost")) == pytest.approx(100.0)
    assert float(got.sel(criterion="shortfall")) == 100.0


def test_ratios_are_undefined_where_nothing_was_deployed(criteria):
    drawn = simple_drawn("daccs", current_capacity=0.0)
    got = measured(drawn, {"p": {"daccs": 1.0}}, criteria)
    undefined = got["criterion"].values[np.isnan(got.values)].tolist()
    assert undefined == [
        "storage_permanence", "technological_maturity", "marginal_abatement_cost",
        "energy_intensity", "ecological_risk", "cost_per_durable_tonne", "reallocated_share",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("year", "years"), [(2050, [10, 15, 0]), (2100, [10, 15, 51]), (2040, [10, 5, 0]), (2034, [10, 0, 0])]
)
def test_years_until(year, years):
    assert years_until(build_drawn(1), year).values.tolist() == years


def test_annuity_equals_integration():
    drawn = build_drawn(1)
    for rate in (0.0, 1e-9, 0.05):
        got = annuity(xr.DataArray([rate], dims="sample"), drawn["period_start"], drawn["period_length"])
        for value, (a, b) in zip(got.values[0], ((0, 10), (10, 25), (25, 76)), strict=True):
            assert value == pytest.approx(
                integrate.quad(lambda t, r=rate: (1.0 + r) ** -t, a, b)[0], rel=1e-9
            )


def test_measures_carry_unit_direction_and_axis(criteria):
    drawn = build_drawn(10)
    out = portfolio.measure(portfolio.simulate(drawn, random_plans(drawn)), target=TARGET, criteria=criteria)
    assert out.dims == ("sample", "portfolio", "criterion")
    assert out["unit"].sel(criterion="total_cost") == "billion USD"
    assert out["direction"].sel(criterion="shortfall") == "minimise"
    assert int(out["axis"].sum()) == 6
    assert set(out["criterion"].values) == set(criteria["criterion"])
    # Summaries and measures are written by the pipeline.
    portfolio.summarise(out)


def test_shipped_criteria_are_all_known_and_measured():
    outcomes = constant_outcomes({})
    outcomes["co2_2100"] = 400.0 + outcomes["retained"].sum("pathway")
    out = portfolio.measure(outcomes, target=TARGET)
    assert out["criterion"].values.tolist() == priors.load_table("criteria")["criterion"].tolist()
    assert set(out["criterion"].values) == set(CRITERIA)
    assert int(out["axis"].sum()) == 6
    assert "left_out" not in out.attrs


def test_criteria_without_their_outcomes_are_left_out_and_named():
    outcomes = constant_outcomes({"deployed": 1.0})
    bare = outcomes.drop_vars(["resource_used", "withheld", "captured_in", "credited", "retained", "net"])
    out = portfolio.measure(bare, target=TARGET)
    assert set(CRITERIA) - set(out["criterion"].values) == set(NEEDS)
    assert sorted(out.attrs["left_out"].split(", ")) == sorted(NEEDS)
    one = priors.load_table("criteria").query("criterion == 'co2_2100'")
    with pytest.raises(InputError, match="no criterion can be measured: got 'co2_2100'"):
        portfolio.measure(outcomes, target=TARGET, criteria=one)
    dry = outcomes.sel(resource=["land"])
    assert portfolio.measure(dry, target=TARGET).attrs["left_out"] == "water_demand, co2_2100"


def test_further_criteria_by_hand():
    # Per year: 2 DACCS and 1 forest removed, 1 avoided; the horizon has 76 years.
    outcomes = constant_outcomes(
        {
            "planned": [3.0, 2.0, 1.0], "deployed": [2.0, 1.0, 1.0], "withheld": [0.5, 1.0, 0.0],
            "reallocated": [0.0, 0.0, 0.3], "removed": [2.0, 1.0, 0.0], "stored": [2.0, 0.6, 0.0],
            "durable": [2.0, 0.4, 0.0], "avoided": [0.0, 0.0, 1.0], "process": [0.2, 0.0, 0.1],
            "foregone": [0.0, 0.1, 0.0], "non_co2": [0.0, 0.05, 0.0], "net": [1.8, 0.55, -0.1],
            "credited": [1.9, 0.7, 0.0], "energy": [4.0, 0.0, 1.0], "cost": [200.0, 20.0, 50.0],
        }
    )  # fmt: skip
    got = portfolio.measure(outcomes, target=TARGET | {"net_removal": 200.0}).isel(sample=0, portfolio=0)
    expected = {
        "sequestration_rate": 2.25,
        "net_removal_2050": 25.0 * 2.25,
        "net_removal_2100": 76.0 * 2.25,
        "storage_permanence": 0.8,
        # Durable 2.4 less process .3 and other gases .05; regrowth is out of what was stored already.
        "durable_removal": 76.0 * 2.05,
        "shortfall": 200.0 - 76.0 * 2.05,
        "avoided_emissions": 76.0,
        "utilised_carbon": 0.0,
        "cost_per_durable_tonne": 270.0 / 2.05,
        "energy_demand": 5.0,
        "land_demand": 50.0,
        "water_demand": (10.0 * 1.0 + 15.0 * 2.0 + 51.0 * 3.0) / 76.0,
        "acceptance": 1.0 - 1.8 / 6.0,
        "credited_tonnes": 76.0 * 2.6,
        "retained_2200": 6.0,
    }
    for name, value in expected.items():
        assert float(got.sel(criterion=name)) == pytest.approx(value, rel=1e-12), name


def test_net_removal_is_made_up_where_outcomes_lack_it():
    outcomes = random_outcomes(20)
    outcomes["foregone"] = 0.02 * outcomes["deployed"]
    outcomes["net"] = outcomes["stored"] - outcomes["process"]
    whole = portfolio.measure(outcomes, target=TARGET)
    xr.testing.assert_allclose(portfolio.measure(outcomes.drop_vars("net"), target=TARGET), whole)


def test_overheads_beyond_what_is_durable_leave_no_cost_per_tonne():
    outcomes = constant_outcomes({"deployed": 1.0, "durable": 0.1, "process": 0.2, "cost": 10.0})
    got = portfolio.measure(outcomes, target=TARGET).isel(sample=0, portfolio=0)
    assert float(got.sel(criterion="durable_removal")) == pytest.approx(-0.3 * 76.0)
    assert np.isnan(float(got.sel(criterion="cost_per_durable_tonne")))
    # A deficit is made up for as well.
    assert float(got.sel(criterion="shortfall")) == pytest.approx(100.0 + 0.3 * 76.0)


def equity(outcomes) -> float:
    return portfolio.measure(outcomes, target=TARGET).sel(criterion="regional_equity").item()


def test_equity_counts_land_regions_by_their_area():
    outcomes = constant_outcomes({})
    # .048 and .045 of Earth's surface; what is captured at sea does not count.
    area = np.array([0.048, 0.045])
    outcomes["captured_in"][...] = np.array([*area, 7.0])[:, None]
    assert equity(outcomes) == pytest.approx(1.0)
    outcomes["captured_in"][...] = np.array([1.0, 0.0, 0.0])[:, None]
    assert equity(outcomes) == pytest.approx(0.048 / 0.093)
    outcomes["captured_in"][...] = np.array([0.0, 0.0, 5.0])[:, None]
    assert np.isnan(equity(outcomes))
    # Regions the library does not know count alike.
    other = outcomes.assign_coords(region=["a", "b", "c"])
    other["captured_in"][...] = np.array([1.0, 1.0, 0.0])[:, None]
    assert equity(other) == pytest.approx(1.0)


@given(
    hnp.arrays(float, 5, elements=st.floats(0.0, 100.0)), hnp.arrays(float, 5, elements=st.floats(0.1, 10.0))
)
def test_evenness_lies_between_nought_and_one_and_knows_no_scale(amount, reference):
    y, w = xr.DataArray(amount, dims="region"), xr.DataArray(reference, dims="region")
    got = float(evenness(y, w))
    if amount.sum() < 1e-12:
        assert np.isnan(got)
        return
    assert reference.min() / reference.sum() - 1e-9 <= got <= 1.0 + 1e-9
    if amount.sum() > 1e-6:
        assert float(evenness(3.0 * y, 7.0 * w)) == pytest.approx(got, abs=1e-9)


def test_measures_of_chunks_equal_those_in_memory():
    drawn = build_drawn(30)
    plan = random_plans(drawn)
    whole = portfolio.measure(portfolio.simulate(drawn, plan), target=TARGET)
    lazy = portfolio.measure(portfolio.simulate(drawn, plan, chunks=8), target=TARGET)
    assert lazy.chunks is not None
    assert {"regional_equity", "acceptance", "retained_2200"} <= set(lazy["criterion"].values)
    xr.testing.assert_allclose(lazy.compute(scheduler="synchronous"), whole, rtol=1e-12)


def test_summary_by_hand(criteria):
    drawn = build_drawn(400, seed=8)
    out = portfolio.measure(portfolio.simulate(drawn, random_plans(drawn)), target=TARGET, criteria=criteria)
    summary = portfolio.summarise(out, level=0.8, tail=0.9)
    assert summary.attrs["interval_kind"] == "equal-tailed"
    assert summary.attrs["interval_mass"] == 0.8
    assert summary.attrs["tail_mass"] == pytest.approx(0.1)
    first = out.isel(portfolio=0)
    cost, removal = first.sel(criterion="total_cost").values, first.sel(criterion="net_removal_2100").values
    of = summary.isel(portfolio=0)
    assert float(of.sel(criterion="total_cost", statistic="mean")) == pytest.approx(cost.mean())
    assert float(of.sel(criterion="total_cost", statistic="sd")) == pytest.approx(cost.std())
    assert float(of.sel(criterion="total_cost", statistic="low")) == pytest.approx(
        float(risk.quantile(cost, 0.1))
    )
    # The bad end of a cost is high, that of a removal low: the mean of the worst 40 of 400.
    assert float(of.sel(criterion="total_cost", statistic="cvar")) == pytest.approx(
        np.sort(cost)[-40:].mean()
    )
    assert float(of.sel(criterion="net_removal_2100", statistic="cvar")) == pytest.approx(
        np.sort(removal)[:40].mean()
    )
    missing = first.sel(criterion="shortfall").values
    met = of.sel(statistic="probability_met")
    assert float(met.sel(criterion="shortfall")) == pytest.approx((missing == 0.0).mean())
    assert np.isnan(met.drop_sel(criterion="shortfall")).all()


def test_weights_equal_repetition(criteria):
    drawn = build_drawn(60, seed=9)
    out = portfolio.measure(portfolio.simulate(drawn, random_plans(drawn)), target=TARGET, criteria=criteria)
    counts = np.random.default_rng(1).integers(0, 4, 60)
    weighted = portfolio.summarise(out, probability=counts / counts.sum())
    repeated = out.isel(sample=np.repeat(np.arange(60), counts)).drop_vars("probability")
    plain = portfolio.summarise(repeated)
    np.testing.assert_allclose(weighted, plain, rtol=1e-9)


def test_summary_is_conditional_on_being_defined(criteria):
    drawn = build_drawn(50)
    drawn["current_capacity"][:20] = 0.0
    out = portfolio.simulate(drawn, plans(drawn, {"a": {"daccs": 1.0}}))
    measures = portfolio.measure(out.assign(received=0.0 * out["received"]), target=TARGET, criteria=criteria)
    cost = portfolio.summarise(measures).isel(portfolio=0).sel(criterion="marginal_abatement_cost")
    assert float(cost.sel(statistic="probability_defined")) <= 0.6 + 1e-12
    assert np.isfinite(float(cost.sel(statistic="cvar")))


def test_tables_are_tidy(criteria):
    drawn = build_drawn(20)
    out = portfolio.measure(
        portfolio.simulate(drawn, random_plans(drawn, 3)), target=TARGET, criteria=criteria
    )
    summary = portfolio.summarise(out)
    table = portfolio.summary_table(summary)
    low = table.query("portfolio == 'p1' and criterion == 'total_cost' and statistic == 'low'").iloc[0]
    assert low["value"] == float(summary.sel(portfolio="p1", criterion="total_cost", statistic="low"))
    assert (low["unit"], low["interval_kind"], low["interval_mass"]) == ("billion USD", "equal-tailed", 0.9)
    assert len(table.query("statistic == 'probability_met'")) == 3


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            TARGET | {"year": 2500},
            r"key 'target.year': target year outside the horizon: got 2500; allowed: 2026 .. 2100",
        ),
        (TARGET | {"unit": "USD/tCO2"}, "cannot turn 'USD/tCO2' into 'GtCO2'"),
        (TARGET | {"unit": "GtCO"}, "did you mean"),
        (
            TARGET | {"net_removal": 1e300},
            "target beyond sense: got '1e.300 GtCO2'; allowed: above 0, to 1000000",
        ),
        ({"unit": "GtCO2"}, "key 'target.net_removal': missing key; allowed: a finite number above 0"),
    ],
)
def test_bad_targets_are_named(target, message, criteria):
    drawn = build_drawn(3)
    with pytest.raises(InputError, match=message):
        portfolio.measure(portfolio.simulate(drawn, random_plans(drawn)), target=target, criteria=criteria)


def test_bad_outcomes_and_criteria_are_named(criteria):
    drawn = build_drawn(3)
    out = portfolio.simulate(drawn, random_plans(drawn))
    with pytest.raises(InputError, match="key 'durable': outcomes lack a variable"):
        portfolio.measure(out.drop_vars("durable"), target=TARGET, criteria=criteria)
    criteria.loc[0, "criterion"] = "sequestration_rat"
    criteria.loc[1, "direction"] = "up"
    with pytest.raises(
        InputError, match=r"(?s)2 problems.*did you mean 'sequestration_rate'.*unknown direction: got 'up'"
    ):
        portfolio.measure(out, target=TARGET, criteria=criteria)
    measures = portfolio.measure(out, target=TARGET)
    with pytest.raises(InputError, match=r"(?s)key 'level'.*key 'tail'"):
        portfolio.summarise(measures, level=1.0, tail=1.0)


def test_acceptance_does_not_rise_with_a_plan_beyond_what_is_possible():
    # Institutions let half through in a region that has half of the capacity: .75, however much is planned.
    drawn = simple_drawn("daccs")
    drawn["mode"].loc[{"class": "geological", "region": "north_america"}] = 1
    table = {f"times_{k}": {"daccs": 10.0 * k} for k in (1, 3, 100)}
    outcomes = portfolio.simulate(drawn, plans(drawn, table))
    got = portfolio.measure(outcomes, target=TARGET).sel(criterion="acceptance").isel(sample=0)
    assert float(outcomes["limited"].sel(portfolio="times_100").sum()) > 100.0
    np.testing.assert_allclose(got, 0.75, rtol=1e-12)


def test_acceptance_counts_what_capacity_and_resources_leave():
    flows = {"planned": [6.0, 2.0, 2.0], "limited": [3.0, 0.0, 0.0], "scarce": [0.0, 1.0, 0.0]}
    held = flows | {"withheld": [0.6, 0.0, 0.0], "reallocated": [0.0, 0.0, 0.9]}
    got = portfolio.measure(constant_outcomes(held), target=TARGET).sel(criterion="acceptance")
    assert got.item() == pytest.approx(1.0 - 1.5 / 6.0)
    nothing = constant_outcomes({"planned": 2.0, "limited": 1.5, "scarce": 0.5})
    assert np.isnan(portfolio.measure(nothing, target=TARGET).sel(criterion="acceptance").item())
