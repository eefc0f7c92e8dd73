"""Every optional input of the engine by itself, against a hand calculation for a single pathway."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import integrate

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio import engine, gate
from sinkrisk.portfolio.variables import RESOURCES

from .conftest import PERIODS, REGIONS, plans, simple_drawn

LENGTH = np.array([10.0, 15.0, 51.0])
SHARE = np.array([0.5, 0.3, 0.2])


def run(drawn, table):
    return portfolio.simulate(drawn, plans(drawn, table)).isel(sample=0, portfolio=0)


def with_path(drawn, **values):
    """The same value of an optional input for every pathway."""
    for name, value in values.items():
        drawn[name] = xr.full_like(drawn["potential"], value).assign_attrs(units="")
        del drawn[name].attrs["units"]
    return drawn


def with_alone(drawn, **values):
    return drawn.assign({name: ("sample", [value]) for name, value in values.items()})


def with_resources(drawn, use, supply):
    """use {resource: {pathway: per tonne}}, supply {resource: per region}."""
    names = list(use)
    need, there = np.zeros((1, drawn.sizes["pathway"], len(names))), np.full((1, len(names), 3, 3), np.inf)
    for z, name in enumerate(names):
        for pathway, amount in use[name].items():
            need[0, list(drawn["pathway"].values).index(pathway), z] = amount
        if name in supply:
            there[0, z] = np.asarray(supply[name], float)[:, None]
    return drawn.assign(
        resource_use=(("sample", "pathway", "resource"), need),
        resource_supply=(("sample", "resource", "region", "period"), there),
    ).assign_coords(resource=names)


def test_growth_waits_for_maturity():
    drawn = with_alone(
        simple_drawn("daccs", current_capacity=0.1, growth_rate=0.2, trl=6.0), years_per_trl=5.0
    )
    available = portfolio.capacity(drawn)["available"].sum("region").isel(sample=0).sel(pathway="daccs")
    # 3 levels of 5 years: today's .1 until 2040, the mean of 5 years of growth and 10 of none in between.
    grown = [gate.logistic_mean(10.0, 0.1, 0.2, a, b) for a, b in ((0.0, 10.0), (10.0, 61.0))]
    np.testing.assert_allclose(available, [0.1, (5 * 0.1 + 10 * grown[0]) / 15, grown[1]], rtol=1e-12)
    curve, _ = integrate.quad(lambda t: 10.0 / (1.0 + 99.0 * np.exp(-0.2 * max(t - 15.0, 0.0))), 10.0, 25.0)
    assert float(available[1]) == pytest.approx(curve / 15.0, rel=1e-6)


@pytest.mark.parametrize("resource", [r for r in RESOURCES if r != "point_co2"])
def test_each_resource_can_be_what_binds(resource):
    # 4 units a tonne; 2 units in each region allow .5 GtCO2/yr there, less than any region's potential.
    drawn = with_resources(simple_drawn("daccs"), {resource: {"daccs": 4.0}}, {resource: [2.0, 2.0, 2.0]})
    capacity = portfolio.capacity(drawn).isel(sample=0).sel(pathway="daccs")
    np.testing.assert_allclose(capacity["available"], 0.5)
    meanings = capacity["limiting"].attrs["flag_meanings"].split()
    assert {meanings[i] for i in capacity["limiting"].values.ravel()} == {resource}
    out = run(drawn, {"p": {"daccs": 10.0}})
    np.testing.assert_allclose(out["deployed"].sel(pathway="daccs"), 1.5)
    np.testing.assert_allclose(out["limited"].sel(pathway="daccs"), 8.5)
    np.testing.assert_allclose(out["resource_used"].sel(resource=resource), 6.0)


def test_what_limits_is_named_potential_then_growth():
    drawn = simple_drawn("daccs")
    drawn["current_capacity"].loc[{"pathway": "biochar"}] = 1.0
    limiting = portfolio.capacity(drawn)["limiting"].isel(sample=0)
    assert (limiting.sel(pathway="daccs") == gate.POTENTIAL).all()
    assert (limiting.sel(pathway="biochar") == gate.GROWTH).all()
    assert limiting.attrs["flag_meanings"] == "potential growth"


def test_point_emissions_cap_avoided_and_utilised_carbon():
    drawn = with_resources(
        simple_drawn("point_source_ccs"), {"point_co2": {}}, {"point_co2": [1.0, 2.0, 3.0]}
    )
    out = run(drawn, {"p": {"point_source_ccs": 10.0}}).sel(pathway="point_source_ccs")
    # Potentials 5, 3, 2 against emissions 1, 2, 3.
    np.testing.assert_allclose(out["avoided"], 1.0 + 2.0 + 2.0)
    drawn = with_resources(
        simple_drawn("industrial_carbonation", removal_share=0.75),
        {"point_co2": {"industrial_carbonation": 9.0}},
        {"point_co2": [1.0, 0.5, 0.0]},
    )
    out = run(drawn, {"p": {"industrial_carbonation": 10.0}}).sel(pathway="industrial_carbonation")
    # A quarter of it comes from chimneys: 4, 2 and 0 tonnes are possible, whatever resource_use says.
    np.testing.assert_allclose(out["deployed"], 6.0)


def test_an_oversubscribed_resource_is_shared():
    drawn = with_resources(
        simple_drawn("daccs"), {"water": {"daccs": 1.0, "biochar": 2.0}}, {"water": [3.0, 60.0, 60.0]}
    )
    out = run(drawn, {"p": {"daccs": 2.0, "biochar": 4.0}})
    # First region: K = 3 and 1.5; 1 and min(2, 1.5) wanted, need 1 + 3 = 4 of 3: both by 3/4.
    np.testing.assert_allclose(out["deployed"].sel(pathway="daccs"), 1.0 * 0.75 + 1.0)
    np.testing.assert_allclose(out["scarce"].sel(pathway="daccs"), 0.25)
    np.testing.assert_allclose(out["deployed"].sel(pathway="biochar"), 1.5 * 0.75 + 2.0)
    np.testing.assert_allclose(out["limited"].sel(pathway="biochar"), 0.5)
    np.testing.assert_allclose(out["scarcity_by_resource"].sel(resource="water"), 0.25 + 0.375)
    np.testing.assert_allclose(out["resource_used"].sel(resource="water"), 3.0 + 1.0 + 4.0)


def test_what_moves_takes_only_the_resources_left():
    drawn = simple_drawn("daccs", reallocation_headroom=0.1)
    drawn["mode"].loc[{"class": "geological"}] = engine.PASSIVE
    drawn = with_resources(drawn, {"biomass": {"biochar": 2.0}}, {"biomass": [100.0, 100.0, 0.1]})
    out = run(drawn, {"p": {"daccs": 4.0}})
    # Room .1 K: .5, .3, .2 for weathering; biochar the same, but in the last region K = .05 allows .005.
    freed = 3.0 * SHARE
    room = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.005]])
    moved = np.minimum(freed, room.sum(axis=0))
    gain = room / room.sum(axis=0) * moved
    np.testing.assert_allclose(out["received"].sel(pathway="biochar"), gain[1].sum())


def test_a_gain_beyond_the_resources_left_is_withheld():
    drawn = simple_drawn("daccs", reallocation_headroom=1.0, potential=2.0, current_capacity=2.0)
    drawn["mode"].loc[{"class": "geological"}] = engine.PASSIVE
    drawn = with_resources(
        drawn,
        {"water": {"daccs": 1.0, "biochar": 1.0, "enhanced_weathering": 1.0}},
        {"water": [0.6, 9.0, 9.0]},
    )
    out = run(drawn, {"p": {"daccs": 2.0}})
    # First region: K = .6 each, base .6, going .15, freed .45, for which .45 of the water is left.
    np.testing.assert_allclose(out["withheld"].sel(pathway="daccs"), 0.0, atol=1e-12)
    out = run(drawn, {"p": {"daccs": 2.0, "biochar": [0.8, 0.8, 0.8]}})
    # Biochar goes with .4 in the first region: water left .6 - .15 - .4 = .05. Room of biochar .2 and of
    # weathering .6: gains .45 / 4 and .45 * 3 / 4, both scaled by .05 / .45.
    first = np.array([0.45 * 0.25, 0.45 * 0.75]) * 0.05 / 0.45
    # Elsewhere base .6 and .4 of K .6 and .4: freed .45 and .3; biochar has room .36 and .24.
    elsewhere = np.array([0.45 * 0.36 / 0.96 + 0.3 * 0.24 / 0.64, 0.45 * 0.6 / 0.96 + 0.3 * 0.4 / 0.64])
    np.testing.assert_allclose(out["received"].sel(pathway="biochar"), first[0] + elsewhere[0])
    np.testing.assert_allclose(out["received"].sel(pathway="enhanced_weathering"), first[1] + elsewhere[1])
    np.testing.assert_allclose(out["reallocated"].sel(pathway="daccs"), 0.05 + 0.45 + 0.3)
    np.testing.assert_allclose(out["withheld"].sel(pathway="daccs"), 0.4)
    np.testing.assert_allclose(
        out["resource_used"].isel(resource=0).values[0], 0.6 + 1.0 + 0.24 + 0.16, rtol=0.2
    )


def coupled(drawn, pathway, other, kind, effect):
    return drawn.assign(coupling_effect=(("sample", "coupling"), [[effect]])).assign_coords(
        coupling_pathway=("coupling", [pathway]),
        coupling_with=("coupling", [other]),
        coupling_kind=("coupling", [kind]),
    )


@pytest.mark.parametrize(
    ("kind", "effect", "factor"),
    [("yield", 0.3, 1.15), ("yield", -9.0, 0.0), ("yield", 9.0, 2.0),
     ("cost", -0.4, 0.8), ("cost", -9.0, 0.1), ("energy", 0.5, 1.25), ("energy", 90.0, 10.0)],
)  # fmt: skip
def test_a_coupling_follows_the_use_of_the_other_pathway(kind, effect, factor):
    # Biochar is used to half of its capacity in every region.
    drawn = coupled(simple_drawn("daccs"), "daccs", "biochar", kind, effect)
    out = run(drawn, {"p": {"daccs": 4.0, "biochar": 5.0}})
    own = out.sel(pathway="daccs")
    plain = {"yield": 4.0, "cost": 400.0, "energy": 8.0}
    for name, variable in (("yield", "removed"), ("cost", "cost"), ("energy", "energy")):
        np.testing.assert_allclose(own[variable], plain[name] * (factor if name == kind else 1.0), atol=1e-12)
    np.testing.assert_allclose(own["coupled"], 4.0 * (factor - 1.0) if kind == "yield" else 0.0, atol=1e-12)
    np.testing.assert_allclose(out["removed"].sel(pathway="biochar"), 5.0)
    # Where the other is not used there is nothing to feel.
    np.testing.assert_allclose(run(drawn, {"p": {"daccs": 4.0}})["removed"].sel(pathway="daccs"), 4.0)


def test_learning_over_periods_down_to_the_floor():
    drawn = with_path(simple_drawn("daccs"), learning_rate=0.2, experience=10.0, cost_floor=0.0)
    out = run(drawn, {"p": {"daccs": [1.0, 2.0, 3.0]}}).sel(pathway="daccs")
    # To the middle of each period: 5, 10 + 15, 10 + 30 + 76.5 Gt on top of 10.
    so_far = np.array([15.0, 35.0, 126.5])
    unit = 100.0 * (so_far / 10.0) ** np.log2(0.8)
    np.testing.assert_allclose(out["cost"], unit * [1.0, 2.0, 3.0], rtol=1e-12)
    floored = run(with_path(drawn, cost_floor=0.7), {"p": {"daccs": [1.0, 2.0, 3.0]}}).sel(pathway="daccs")
    np.testing.assert_allclose(floored["cost"], np.maximum(unit, 70.0) * [1.0, 2.0, 3.0], rtol=1e-12)
    # A doubling of experience is what the rate speaks of.
    doubled = with_path(simple_drawn("daccs"), learning_rate=0.2, experience=5.0)
    assert float(run(doubled, {"p": {"daccs": 1.0}}).sel(pathway="daccs")["cost"][0]) == pytest.approx(80.0)
    # Without experience there is nothing to double: told, where it was forgotten; nought, where it is said.
    standing = with_path(simple_drawn("daccs"), learning_rate=0.2)
    with pytest.raises(InputError, match=r"'experience': learning needs the experience.*add experience"):
        run(standing, {"p": {"daccs": 1.0}})
    none = run(with_path(standing, experience=0.0), {"p": {"daccs": 1.0}}).sel(pathway="daccs")
    np.testing.assert_allclose(none["cost"], 100.0)


def test_scarce_land_raises_the_cost():
    drawn = with_path(simple_drawn("forests"), scarcity=0.5)
    drawn = with_resources(drawn, {"land": {"forests": 10.0}}, {"land": [50.0, 40.0, np.inf]})
    out = run(drawn, {"p": {"forests": 4.0}}).sel(pathway="forests")
    # Land in use 20 of 50, 12 of 40; no limit in the last region.
    by_hand = 100.0 * 4.0 * (SHARE @ [1.0 + 0.5 * 0.4, 1.0 + 0.5 * 0.3, 1.0])
    np.testing.assert_allclose(out["cost"], by_hand, rtol=1e-12)


def test_foregone_regrowth_and_lasting_non_co2_effects_lower_the_net():
    out = run(
        with_path(simple_drawn("forests"), foregone_regrowth=0.1, non_co2=0.05), {"p": {"forests": 4.0}}
    ).sel(pathway="forests")
    np.testing.assert_allclose(out["foregone"], 0.4)
    np.testing.assert_allclose(out["removed"], 3.6)
    np.testing.assert_allclose(out["non_co2"], 0.2)
    np.testing.assert_allclose(out["net"], 3.4)


def decaying(**values):
    """A forest that leaks, burns and fills up, so that what it removes is anything but permanent."""
    drawn = simple_drawn("forests", half_life=60.0, leakage_rate=0.002, reversal_loss=0.3)
    drawn["shock"].loc[{"period": "mid_term"}] = True
    drawn["late_hazard"] = ("sample", "region"), [[0.01, 0.02, 0.0]]
    drawn = with_path(drawn, fast_share=0.2, fast_half_life=8.0, **values)
    return run(drawn, {"p": {"forests": [2.0, 5.0, 3.0]}}).sel(pathway="forests")


def test_a_forest_in_the_place_of_a_forest_does_nothing():
    out = decaying(foregone_regrowth=1.0, additionality=1.0, saturation_years=20.0)
    for name in ("removed", "stored", "returned", "durable", "net", "credited", "saturated", "uncounted"):
        assert float(abs(out[name]).max()) == 0.0, name
    assert float(out["retained"]) == 0.0
    np.testing.assert_array_equal(out["foregone"], [2.0, 5.0, 3.0])
    np.testing.assert_array_equal(out["planned"], [2.0, 5.0, 3.0])


def test_regrowth_given_up_is_as_permanent_as_the_store():
    whole, part = decaying(), decaying(foregone_regrowth=0.25)
    for name in ("removed", "stored", "returned", "durable", "net", "retained"):
        np.testing.assert_allclose(part[name], 0.75 * whole[name], rtol=1e-12, atol=1e-15, err_msg=name)
    np.testing.assert_allclose(whole["durable"] - part["durable"], 0.25 * whole["durable"], rtol=1e-12)


def test_no_more_regrowth_is_given_up_than_is_removed():
    drawn = with_path(simple_drawn("forests"), foregone_regrowth=0.5, additionality=0.8, efficiency=0.5)
    out = run(drawn, {"p": {"forests": 3.0}}).sel(pathway="forests")
    np.testing.assert_allclose(out["foregone"], 1.2)
    np.testing.assert_allclose(out["uncounted"], 1.8)
    assert float(abs(out["removed"]).max()) == 0.0
    # What is not in the ledger of removal gives up nothing.
    drawn = with_path(simple_drawn("point_source_ccs"), foregone_regrowth=0.5)
    out = run(drawn, {"p": {"point_source_ccs": 3.0}}).sel(pathway="point_source_ccs")
    assert float(abs(out["foregone"]).max()) == 0.0
    np.testing.assert_allclose(out["avoided"], 3.0)


def test_the_methane_of_young_capacity_fades_with_its_age():
    drawn = with_path(simple_drawn("forests"), non_co2=0.01, non_co2_young=0.5, non_co2_fade=20.0)
    out = run(drawn, {"p": {"forests": [2.0, 5.0, 3.0]}}).sel(pathway="forests")
    # New: 5 years. Then 2 of 20 years and 3 of 7.5; then 3 of 63.5 on the average of all.
    ages = [5.0, ((5.0 + 15.0) * 2.0 + 7.5 * 3.0) / 5.0]
    ages.append(ages[1] + 51.0)
    by_hand = np.array([2.0, 5.0, 3.0]) * (0.01 + 0.5 * np.exp(-np.array(ages) / 20.0))
    np.testing.assert_allclose(out["non_co2"], by_hand, rtol=1e-12)
    # After a break the capacity is new again.
    out = run(drawn, {"p": {"forests": [2.0, 0.0, 3.0]}}).sel(pathway="forests")
    assert float(out["non_co2"][2]) == pytest.approx(3.0 * (0.01 + 0.5 * np.exp(-25.5 / 20.0)))


def test_two_pools_by_hand():
    drawn = with_path(simple_drawn("biochar", half_life=500.0), fast_share=0.2, fast_half_life=5.0)
    out = run(drawn, {"p": {"biochar": [1.0, 0.0, 0.0]}}).sel(pathway="biochar")
    stock = np.zeros(3)
    for part, k in ((0.8, np.log(2.0) / 500.0), (0.2, np.log(2.0) / 5.0)):
        filled = part * (1.0 - np.exp(-10.0 * k)) / k
        stock += filled * np.exp(-k * np.array([0.0, 15.0, 66.0]))
    np.testing.assert_allclose((out["stored"] * LENGTH).cumsum(), stock, rtol=1e-12)
    np.testing.assert_allclose(out["durable"][0], 0.2 * 0.5**20 + 0.8 * 0.5**0.2, rtol=1e-12)
    # The outlook: another 100 years to the end of 2200.
    slow = 0.8 * (1.0 - np.exp(-np.log(2.0) / 50.0)) / (np.log(2.0) / 500.0) * 0.5 ** (166.0 / 500.0)
    assert float(out["retained"]) == pytest.approx(slow, rel=1e-5)


def test_a_store_saturates_as_its_equation_says():
    drawn = with_path(simple_drawn("forests", half_life=80.0), saturation_years=8.0)
    out = run(drawn, {"p": {"forests": [5.0, 2.0, 4.0]}}).sel(pathway="forests")
    room, k = 80.0, np.log(2.0) / 80.0
    stock, turned = [0.0], []
    for flow, years in zip((5.0, 2.0, 4.0), LENGTH, strict=True):
        solved = integrate.solve_ivp(
            lambda t, y, g=flow: [g * (1.0 - y[0] / room) - k * y[0], g * y[0] / room],
            (0.0, years), [stock[-1], 0.0], rtol=1e-11, atol=1e-12,
        )  # fmt: skip
        stock.append(solved.y[0, -1])
        turned.append(solved.y[1, -1] / years)
    np.testing.assert_allclose(out["saturated"], turned, rtol=1e-8)
    np.testing.assert_allclose(out["removed"], np.array([5.0, 2.0, 4.0]) - turned, rtol=1e-8)
    np.testing.assert_allclose(out["stored"] * LENGTH, np.diff(stock), rtol=1e-7)
    assert stock[-1] < room


def test_a_weaker_land_sink_raises_the_hazard_of_nature_alone():
    for pathway, ratio, loss in (("forests", 0.5, 0.4), ("forests", 0.01, 1.0), ("daccs", 0.5, 0.1)):
        drawn = simple_drawn(pathway, reversal_loss=0.1, land_sink_ratio=ratio)
        drawn = with_alone(drawn, hazard_exponent=2.0)
        drawn["shock"].loc[{"period": "near_term"}] = True
        out = run(drawn, {"p": {pathway: [0.05, 0.0, 0.0]}}).sel(pathway=pathway)
        assert float(out["returned"][0] * 10.0) == pytest.approx(0.5 * loss)


def test_severity_scales_a_shock_up_to_all():
    drawn = simple_drawn("forests", reversal_loss=0.4)
    drawn["shock"].loc[{"period": "near_term"}] = True
    severity = np.ones((1, 3, 3))
    severity[0, :, 0] = [0.5, 1.5, 4.0]
    drawn["shock_severity"] = ("sample", "region", "period"), severity
    out = run(drawn, {"p": {"forests": [1.0, 0.0, 0.0]}}).sel(pathway="forests")
    assert float(out["returned"][0] * 10.0) == pytest.approx(10.0 * (SHARE @ [0.2, 0.6, 1.0]))


def test_shocks_after_the_horizon_are_expected():
    drawn = simple_drawn("forests", reversal_loss=0.4)
    drawn["late_hazard"] = ("sample", "region"), [[0.02, 0.01, 0.0]]
    out = run(drawn, {"p": {"forests": [1.0, 0.0, 1.0]}}).sel(pathway="forests")
    # Stored until 2035: 34 of its 100 years lie after 2101; stored until 2101: all of them.
    hazard = 0.4 * np.array([0.02, 0.01, 0.0])
    np.testing.assert_allclose(out["durable"][0], SHARE @ np.exp(-34.0 * hazard), rtol=1e-12)
    np.testing.assert_allclose(out["durable"][2], SHARE @ np.exp(-100.0 * hazard), rtol=1e-12)
    np.testing.assert_allclose(out["retained"], 61.0 * (SHARE @ np.exp(-100.0 * hazard)), rtol=1e-12)


def test_a_loss_sets_the_next_period_back():
    drawn = with_alone(simple_drawn("daccs"), setback=0.5)
    drawn["mode"].loc[{"class": "geological", "period": "near_term", "region": "arid_zones"}] = (
        engine.THROTTLED
    )
    out = run(drawn, {"p": {"daccs": 4.0}}).sel(pathway="daccs")
    # Arid zones: half of 1.2 lost, so three quarters of the next plan go, and a quarter is lost, and so on.
    arid = 1.2 * np.array([0.5, 0.75, 1.0 - 0.5 * 0.25])
    np.testing.assert_allclose(out["deployed"], 2.8 + arid, rtol=1e-12)
    np.testing.assert_allclose(out["withheld"], 1.2 - arid, rtol=1e-12)
    # The region's plans count together: half as much lost of a plan twice as large.
    both = run(drawn, {"p": {"daccs": 4.0, "biochar": 4.0}})
    np.testing.assert_allclose(both["deployed"].sel(pathway="daccs")[1], 2.8 + 1.2 * 0.875, rtol=1e-12)
    np.testing.assert_allclose(both["deployed"].sel(pathway="biochar")[1], 2.8 + 1.2 * 0.875, rtol=1e-12)


def test_credits_come_late():
    drawn = with_path(simple_drawn("daccs"), verification_delay=4.0)
    out = run(drawn, {"p": {"daccs": [1.0, 2.0, 4.0]}}).sel(pathway="daccs")
    np.testing.assert_allclose(
        out["credited"], [0.6, (4.0 * 1.0 + 11.0 * 2.0) / 15.0, (4.0 * 2.0 + 47.0 * 4.0) / 51.0], rtol=1e-12
    )
    longer = run(with_path(drawn, verification_delay=30.0), {"p": {"daccs": [1.0, 2.0, 4.0]}})
    by_hand = [0.0, 0.0, (10.0 * 1.0 + 15.0 * 2.0 + 21.0 * 4.0) / 51.0]
    np.testing.assert_allclose(longer["credited"].sel(pathway="daccs"), by_hand, rtol=1e-12)
    never = drawn.assign_coords(creditable=("pathway", [False, True, True]))
    assert float(run(never, {"p": {"daccs": 1.0}})["credited"].max()) == 0.0
    prompt = run(simple_drawn("daccs"), {"p": {"daccs": [1.0, 2.0, 4.0]}})
    np.testing.assert_allclose(prompt["credited"], prompt["removed"])


def test_only_additional_carbon_that_reaches_the_store_counts():
    drawn = with_path(simple_drawn("forests"), additionality=0.8, efficiency=0.5)
    out = run(drawn, {"p": {"forests": 3.0}}).sel(pathway="forests")
    np.testing.assert_allclose(out["removed"], 1.2)
    np.testing.assert_allclose(out["uncounted"], 1.8)
    np.testing.assert_allclose(out["cost"], 300.0)


def test_coordinated_regions_take_what_another_cannot():
    # Two thirds of the world's 10 in the plan of a region that holds 2.
    drawn = simple_drawn("daccs")
    planned = np.zeros((2, 3, 3, 3))
    planned[:, 0] = np.array([1.0, 2.0, 6.0])[:, None]
    both = xr.Dataset(
        {"planned": (("portfolio", "pathway", "region", "period"), planned, {"units": "GtCO2/yr"})},
        coords={
            "portfolio": ["alone", "together"], "pathway": drawn["pathway"].values, "region": REGIONS,
            "period": PERIODS, "coordinated": ("portfolio", [False, True]),
        },
    )  # fmt: skip
    out = portfolio.simulate(drawn, both).isel(sample=0)
    own = out.sel(pathway="daccs")
    # Autarkic: 4 of 6 are lost. Coordinated: spare 4 and 1 take 4 as 3.2 and .8.
    np.testing.assert_allclose(own["deployed"].sel(portfolio="alone"), 5.0)
    np.testing.assert_allclose(own["limited"].sel(portfolio="alone"), 4.0)
    np.testing.assert_allclose(own["deployed"].sel(portfolio="together"), 9.0)
    np.testing.assert_allclose(own["limited"].sel(portfolio="together"), 0.0, atol=1e-12)
    spread = out["captured_in"].sel(portfolio="together", period="near_term")
    np.testing.assert_allclose(spread, [4.2, 2.8, 2.0])
    np.testing.assert_allclose(
        out["cost_in"].sel(portfolio="alone", period="near_term"), [100.0, 200.0, 200.0]
    )


def test_a_regional_plan_spread_by_the_shares_equals_the_world_plan():
    drawn = simple_drawn("daccs", cost_slope=1.0)
    world = plans(drawn, {"p": {"daccs": [3.0, 12.0, 4.0]}})
    share = xr.DataArray(SHARE, dims="region", coords={"region": REGIONS})
    regional = world.assign(planned=(world["planned"] * share).assign_attrs(units="GtCO2/yr"))
    a, b = portfolio.simulate(drawn, world), portfolio.simulate(drawn, regional)
    for name in a.data_vars:
        np.testing.assert_allclose(b[name].values, a[name].values, rtol=1e-12, atol=1e-12, err_msg=str(name))
