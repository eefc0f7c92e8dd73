"""The engine: capacity growth against numerical integration, single-pathway limits by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import integrate

from sinkrisk import portfolio
from sinkrisk.portfolio import engine, gate, stores

from .conftest import PERIODS, build_drawn, plans, random_plans, simple_drawn

LENGTH = np.array([10.0, 15.0, 51.0])


def run(drawn, table):
    out = portfolio.simulate(drawn, plans(drawn, table))
    return out.isel(sample=0, portfolio=0)


# The first call compiles.
@settings(deadline=None)
@given(
    st.floats(0.01, 20.0),
    st.floats(1e-6, 1.2),
    st.floats(0.0, 1.0),
    st.sampled_from([(0.0, 10.0), (10.0, 25.0), (25.0, 76.0)]),
)
def test_logistic_mean_equals_numerical_integration(capacity, begun, growth, period):
    current = capacity * begun

    def level(t):
        return min(capacity, capacity / (1.0 + (capacity - current) / current * np.exp(-growth * t)))

    expected = integrate.quad(level, *period, epsabs=1e-13, epsrel=1e-12, limit=400)[0] / (
        period[1] - period[0]
    )
    got = gate.logistic_mean(capacity, current, growth, *period)
    # A capacity above its ceiling is cut to the ceiling.
    assert got == pytest.approx(min(expected, capacity), rel=1e-9)


def test_growth_has_its_limits():
    assert gate.logistic_mean(1.0, 0.0, 1.0, 0.0, 10.0) == 0.0
    assert gate.logistic_mean(0.0, 1.0, 1.0, 0.0, 10.0) == 0.0
    assert gate.logistic_mean(1.0, 0.2, 0.0, 0.0, 10.0) == pytest.approx(0.2)
    assert gate.logistic_mean(1.0, 0.2, 50.0, 25.0, 76.0) == pytest.approx(1.0)
    # Either side of the switch between the two forms.
    sides = [gate.logistic_mean(1.0, 0.2, g, 0.0, 10.0) for g in (0.1 - 1e-12, 0.1 + 1e-12)]
    assert sides[0] == pytest.approx(sides[1], rel=1e-10)
    assert gate.logistic_mean(1.0, 1e-6, 1e3, 0.0, 51.0) == pytest.approx(1.0, rel=1e-3)


def test_plain_permanent_pathway_by_hand():
    # 3 GtCO2/yr of 10 available, no slope: all deployed, 100 USD/t, 2 GJ/t, nothing returns.
    out = run(simple_drawn("daccs"), {"p": {"daccs": 3.0}}).sel(pathway="daccs")
    for name, value in {
        "deployed": 3.0,
        "removed": 3.0,
        "stored": 3.0,
        "durable": 3.0,
        "cost": 300.0,
        "energy": 6.0,
    }.items():
        np.testing.assert_allclose(out[name], value)
    for name in ("lost", "reallocated", "received", "returned", "avoided", "utilised"):
        np.testing.assert_allclose(out[name], 0.0, atol=1e-12)


def test_a_plan_beyond_capacity_is_lost_region_by_region():
    out = run(simple_drawn("daccs"), {"p": {"daccs": 14.0}}).sel(pathway="daccs")
    np.testing.assert_allclose(out["deployed"], 10.0)
    np.testing.assert_allclose(out["lost"], 4.0)


def test_cost_is_the_integral_of_the_marginal_cost():
    drawn = simple_drawn("daccs", cost_slope=2.0, cost_exponent=1.5)
    out = run(drawn, {"p": {"daccs": 4.0}}).sel(pathway="daccs")
    # Every region is used to u = .4 of its capacity.
    total, _ = integrate.quad(lambda q: 100.0 * (1.0 + 2.0 * (q / 10.0) ** 1.5), 0.0, 4.0)
    np.testing.assert_allclose(out["cost"], total, rtol=1e-9)
    np.testing.assert_allclose(out["marginal_cost"], 4.0 * 100.0 * (1.0 + 2.0 * 0.4**1.5), rtol=1e-12)


def test_throttled_class_deploys_its_fraction_and_two_classes_the_lower():
    drawn = simple_drawn("beccs")
    drawn["mode"].loc[{"class": "land_based"}] = engine.THROTTLED
    np.testing.assert_allclose(run(drawn, {"p": {"beccs": 4.0}}).sel(pathway="beccs")["deployed"], 2.0)
    drawn["mode"].loc[{"class": "geological"}] = engine.COLLAPSE
    np.testing.assert_allclose(run(drawn, {"p": {"beccs": 4.0}}).sel(pathway="beccs")["deployed"], 0.0)


def test_reallocation_by_hand():
    # DACCS passive: .25 of 4 deployed, 3 freed. Recipients have K = 10, nothing planned, full mode.
    drawn = simple_drawn("daccs", reallocation_headroom=0.1)
    drawn["mode"].loc[{"class": "geological"}] = engine.PASSIVE
    out = run(drawn, {"p": {"daccs": 4.0}})
    np.testing.assert_allclose(out["deployed"].sel(pathway="daccs"), 1.0)
    # Room .1 * 10 each, so 2 of 3 move and 1 is lost.
    np.testing.assert_allclose(out["reallocated"].sel(pathway="daccs"), 2.0)
    np.testing.assert_allclose(out["received"].sel(pathway=["biochar", "enhanced_weathering"]), 1.0)
    np.testing.assert_allclose(out["lost"].sel(pathway="daccs"), 1.0)
    # The recipients' own mode binds them too.
    drawn["mode"].loc[{"class": "mineral"}] = engine.THROTTLED
    out = run(drawn, {"p": {"daccs": 4.0}})
    np.testing.assert_allclose(out["received"].sel(pathway="enhanced_weathering"), 0.5)
    # What moved costs what the recipient costs, and counts there.
    np.testing.assert_allclose(out["removed"].sel(pathway="biochar"), 1.0)


def test_capacity_lost_is_not_moved_and_recipients_do_not_move_to_themselves():
    drawn = simple_drawn("daccs", reallocation_headroom=1.0, potential=1.0, current_capacity=1.0)
    np.testing.assert_allclose(run(drawn, {"p": {"daccs": 4.0}})["received"], 0.0)
    drawn["mode"].loc[{"class": "land_based"}] = engine.PASSIVE
    out = run(drawn, {"p": {"biochar": 0.8}})
    np.testing.assert_allclose(out["received"], 0.0)
    np.testing.assert_allclose(out["lost"].sel(pathway="biochar"), 0.6)


def test_a_collapse_leaves_nothing_to_move():
    drawn = simple_drawn("beccs", reallocation_headroom=1.0)
    drawn["mode"].loc[{"class": "land_based"}] = engine.PASSIVE
    drawn["mode"].loc[{"class": "geological"}] = engine.COLLAPSE
    out = run(drawn, {"p": {"beccs": 4.0}})
    np.testing.assert_allclose(out["reallocated"], 0.0)
    np.testing.assert_allclose(out["lost"].sel(pathway="beccs"), 4.0)


def test_no_passive_redundancy_equals_the_run_without_headroom():
    drawn = build_drawn(200, seed=5, passive=False)
    plan = random_plans(drawn)
    plain = portfolio.simulate(drawn.assign(reallocation_headroom=0.0 * drawn["reallocation_headroom"]), plan)
    out = portfolio.simulate(drawn, plan)
    for name in engine.OUTCOMES:
        np.testing.assert_array_equal(out[name].values, plain[name].values)
    assert float(out["received"].max()) == 0.0


def test_decay_within_and_after_a_period_by_hand():
    drawn = simple_drawn("forests", half_life=30.0)
    out = run(drawn, {"p": {"forests": [2.0, 0.0, 0.0]}}).sel(pathway="forests")
    k = np.log(2.0) / 30.0
    stock = [2.0 * (1.0 - np.exp(-10.0 * k)) / k]
    stock += [stock[0] * 0.5 ** (15.0 / 30.0)]
    stock += [stock[1] * 0.5 ** (51.0 / 30.0)]
    np.testing.assert_allclose(out["stored"] * LENGTH, np.diff([0.0, *stock]), rtol=1e-12)
    np.testing.assert_allclose(out["returned"] * LENGTH, np.array([20.0, 0.0, 0.0]) - np.diff([0.0, *stock]))
    np.testing.assert_allclose(out["durable"], [2.0 * 0.5 ** (100.0 / 30.0), 0.0, 0.0])


def test_leakage_by_hand():
    out = run(simple_drawn("daccs", leakage_rate=1e-3), {"p": {"daccs": 1.0}}).sel(pathway="daccs")
    total = (1.0 - np.exp(-0.076)) / 1e-3
    assert float((out["stored"] * LENGTH).sum()) == pytest.approx(total)
    np.testing.assert_allclose(out["durable"], np.exp(-0.1))


def test_a_reversal_returns_carbon_once():
    drawn = simple_drawn("forests", reversal_loss=0.4)
    drawn["shock"].loc[{"period": ["near_term", "mid_term"]}] = True
    out = run(drawn, {"p": {"forests": [1.0, 0.0, 0.0]}}).sel(pathway="forests")
    # 10 Gt stored: 4 return with the first shock, .4 of the remaining 6 with the second, no more.
    np.testing.assert_allclose(out["returned"] * LENGTH, [4.0, 2.4, 0.0], atol=1e-12)
    np.testing.assert_allclose(out["durable"] * LENGTH, [3.6, 0.0, 0.0], atol=1e-12)


def test_a_shock_hits_its_own_region_only():
    drawn = simple_drawn("forests", reversal_loss=1.0)
    drawn["shock"].loc[{"period": "near_term", "region": "arid_zones"}] = True
    out = run(drawn, {"p": {"forests": [1.0, 0.0, 0.0]}}).sel(pathway="forests")
    np.testing.assert_allclose(out["returned"] * LENGTH, [3.0, 0.0, 0.0], atol=1e-12)


def test_the_land_sink_changes_the_yield_of_nature_only():
    drawn = simple_drawn("forests", land_sink_ratio=0.5, current_capacity=20.0)
    drawn["mode"][...] = 0
    available = portfolio.capacity(drawn)["available"].sum("region").isel(sample=0)
    np.testing.assert_allclose(available.sel(pathway="forests"), 5.0)
    np.testing.assert_allclose(available.sel(pathway="biochar"), 10.0)


def test_point_source_ccs_alone_removes_nothing():
    drawn = build_drawn(100, seed=3)
    out = portfolio.simulate(drawn, plans(drawn, {"ccs": {"point_source_ccs": 4.0}}))
    ccs = out.sel(pathway="point_source_ccs")
    for name in ("removed", "stored", "returned", "durable", "utilised"):
        assert float(abs(ccs[name]).max()) == 0.0
    assert float(ccs["avoided"].max()) > 0.0
    # What passive redundancy moves elsewhere is removal there, and only that.
    moved = out["received"].sum("pathway")
    np.testing.assert_allclose(out["removed"].sum("pathway"), moved, atol=1e-12)


def test_utilisation_is_split_by_the_origin_of_its_carbon():
    out = run(
        simple_drawn("industrial_carbonation", removal_share=0.3), {"p": {"industrial_carbonation": 2.0}}
    )
    own = out.sel(pathway="industrial_carbonation")
    np.testing.assert_allclose(own["removed"], 0.6)
    np.testing.assert_allclose(own["utilised"], 1.4)


def test_period_factors_reach_their_limits():
    kept, filled = zip(*(stores.period_factors(k, 10.0) for k in (0.0, 1e-12, 0.1)), strict=True)
    np.testing.assert_allclose(kept, [1.0, 1.0, np.exp(-1.0)], rtol=1e-10)
    np.testing.assert_allclose(filled, [10.0, 10.0, (1.0 - np.exp(-1.0)) / 0.1], rtol=1e-10)


def test_shocks_beyond_a_hundred_years_do_not_touch_durability():
    def durable(end):
        one, none = np.ones((1, 1)), np.zeros((1, 1))
        shock = np.array([[[0.0, 1.0]]])
        bounds = np.array([2000.0, 2050.0, end])
        factors = stores.store_factors(
            np.inf * one, none, none, one, 0.5 * one, np.ones(1), np.zeros(1), np.array([False]),
            shock, np.ones((1, 1, 2)), none, bounds,
        )  # fmt: skip
        return factors.durable.ravel().tolist()

    assert durable(2100.0) == [0.5, 0.5]
    assert durable(2200.0) == [1.0, 0.5]
    assert len(PERIODS) == 3
