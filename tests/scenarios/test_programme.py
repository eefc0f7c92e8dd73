"""The mean-CVaR programme against hand calculation, scipy's linprog and the portfolio engine."""

from __future__ import annotations

import importlib.util
import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st
from scipy.optimize import linprog

from sinkrisk import portfolio, risk, scenarios
from sinkrisk.errors import ConvergenceError, InputError
from sinkrisk.scenarios.recourse import respond, terms

_spec = importlib.util.spec_from_file_location("fixtures", Path(__file__).with_name("conftest.py"))
fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fixtures)
by_hand = fixtures.by_hand

TARGET = {"near_term": 0.05, "mid_term": 0.5, "long_term": 2.0}


def linprog_optimum(s, target, level, w, penalty, k, total=None):
    """The curtailing programme at flat cost as matrices, for cumulative or per-period targets."""
    n, p, q = s.sizes["sample"], s.sizes["pathway"], s.sizes["period"]
    years = s["period_length"].values.astype(float)
    order = ("sample", "pathway", "period")
    f = s["delivered_fraction"].transpose(*order).values
    cap = s["deliverable"].transpose(*order).values
    h = s["durable_share"].transpose(*order).values * (s["flow_class"].values != "avoided")[None, :, None]
    c = s["unit_cost"].values[:, :, None] * s["discount_factor"].values[:, None, :] * years
    assert not s["cost_rise"].any()
    pr = s["probability"].values
    factor = s["discount_factor"].transpose("sample", "period").values
    per_period = isinstance(target, dict)
    zn = q if per_period else 1
    nx, nd, nz = p * q, n * p * q, n * zn
    size = nx + nd + nz + n + 1
    X, D, Z, U, T = 0, nx, nx + nd, nx + nd + nz, size - 1
    loss = np.zeros((n, size))
    for i in range(n):
        loss[i, X : X + nx] = k * c[i].ravel()
        loss[i, D + i * nx : D + (i + 1) * nx] = (1 - k) * c[i].ravel()
        loss[i, Z + i * zn : Z + (i + 1) * zn] = penalty * (factor[i] if per_period else factor[i, -1:])
    objective = (1 - w) * pr @ loss
    objective[T] += w
    objective[U : U + n] += w * pr / (1 - level)
    rows, rhs = [], []
    for i in range(n):
        for j in range(nx):
            row = np.zeros(size)
            row[D + i * nx + j] = 1
            row[X + j] = -f[i].ravel()[j]
            rows.append(row)
            rhs.append(0.0)
        for m in range(zn):
            row = np.zeros(size)
            row[Z + i * zn + m] = -1
            weight = h[i] * years
            if per_period:
                keep = np.zeros_like(weight)
                keep[:, m] = weight[:, m]
                weight = keep
                want = target.get(str(s["period"].values[m]), 0.0) * years[m]
            else:
                want = target
            row[D + i * nx : D + (i + 1) * nx] = -weight.ravel()
            rows.append(row)
            rhs.append(-want)
        row = loss[i].copy()
        row[T] -= 1
        row[U + i] -= 1
        rows.append(row)
        rhs.append(0.0)
    for name, most in (total or {}).items():
        row = np.zeros(size)
        m = list(s["period"].values).index(name)
        row[X + m : X + nx : q] = 1
        rows.append(row)
        rhs.append(most)
    bounds = [(0, None)] * nx + [(0, v) for v in cap.ravel()] + [(0, None)] * (nz + n) + [(None, None)]
    solved = linprog(objective, A_ub=np.array(rows), b_ub=rhs, bounds=bounds, method="highs")
    assert solved.status == 0
    return solved.fun


# --- by hand ---------------------------------------------------------------------------------


def test_two_scenarios_one_pathway_by_hand():
    # Delivery 1 or 1/2 with probability 1/2 each, target 10, cost 100 take-or-pay, penalty k.
    # Expected loss: slope of x is 100 - k (1/2 + 1/4) up to x = 10, 100 - k/4 from 10 to 20.
    s = by_hand([1.0, 0.5], 100.0)
    expected = {130.0: (0.0, 130 * 10), 300.0: (10.0, 1000 + 0.5 * 300 * 5), 500.0: (20.0, 2000.0)}
    for penalty, (plan, value) in expected.items():
        got = scenarios.optimize(
            s, target=10.0, risk_weight=0.0, shortfall_penalty=penalty, commitment_share=1.0
        )
        assert float(got.planned.sum()) == pytest.approx(plan, abs=1e-9)
        assert got.objective == pytest.approx(value)
        assert got.status == "optimal"
        assert got.gap <= 1e-9
    # CVaR of the worst half is the loss where half is delivered: 100 x + 300 (10 - x/2), falling in x.
    cautious = scenarios.optimize(
        s, target=10.0, risk_weight=1.0, cvar_level=0.5, shortfall_penalty=300.0, commitment_share=1.0
    )
    assert float(cautious.planned.sum()) == pytest.approx(20.0)
    assert cautious.cvar == pytest.approx(2000.0)
    assert cautious.probability_met == 1.0


def test_pay_on_delivery_by_hand():
    # Delivery 1 or 1/4 with probability .6 and .4, target 10, 100 a tonne, penalty 400. Up to x = 10 the
    # expected loss is 4000 - 210 x; from there the first scenario only costs: 1600 + 30 x.
    s = by_hand([1.0, 0.25], 100.0, capacity=60.0, probability=[0.6, 0.4])
    asked = {"target": 10.0, "risk_weight": 0.0}
    got = scenarios.optimize(s, **asked, shortfall_penalty=400.0)
    assert got.commitment_share == 0.0
    assert got.objective == pytest.approx(1900.0)
    assert float(got.planned.sum()) == pytest.approx(10.0)
    # Curtailed, the first scenario captures 10 of any plan: 1000 is the least either one costs.
    free = scenarios.optimize(s, **asked, shortfall_penalty=400.0, curtail=True)
    assert free.objective == pytest.approx(1000.0)
    assert free.expected_shortfall == pytest.approx(0.0, abs=1e-9)
    for curtail in (False, True):
        dear = scenarios.optimize(s, **asked, shortfall_penalty=90.0, curtail=curtail)
        assert dear.objective == pytest.approx(900.0)
        assert dear.expected_shortfall == pytest.approx(10.0)


def test_a_rising_cost_curve_by_hand():
    # mc(u) = 100 (1 + u), capacity 20, penalty 150: capture until mc is 150, at u = 1/2, x = 10.
    # C(10) = 100 * 10 * (1 + 1/4) = 1250, and 5 of 15 missed cost 750. The chords have an edge there.
    s = by_hand([1.0], 100.0, capacity=20.0, rise=1.0)
    for curtail in (False, True):
        got = scenarios.optimize(s, target=15.0, shortfall_penalty=150.0, curtail=curtail)
        assert got.objective == pytest.approx(2000.0)
    # Between edges descent moves an edge to the plan: optimum u = .6, x = 12.
    got = scenarios.optimize(s, target=15.0, shortfall_penalty=160.0)
    assert got.objective == pytest.approx(100 * 12 * 1.3 + 3 * 160.0, rel=got.gap + 1e-9)
    assert got.linearisation == pytest.approx(100 * 20 * 0.5 * 0.25**2 / 4)


def test_the_penalty_is_money_of_the_time_when_the_target_is_missed():
    # A missed tonne at 600 in a period whose money is worth .25 today costs 150: not worth 160 today.
    s = by_hand([1.0], 640.0, discount=0.25, years=2.0)
    nothing = scenarios.evaluate(
        s, xr.zeros_like(scenarios.optimize(s, target=10.0, shortfall_penalty=1.0).planned),
        target=10.0, shortfall_penalty=600.0,
    )  # fmt: skip
    assert nothing["loss"].item() == pytest.approx(10.0 * 600.0 * 0.25)
    got = scenarios.optimize(s, target=10.0, shortfall_penalty=600.0)
    assert float(got.planned.sum()) == 0.0
    assert got.objective == pytest.approx(1500.0)
    dearer = scenarios.optimize(s, target=10.0, shortfall_penalty=650.0)
    assert dearer.objective == pytest.approx(640.0 * 0.25 * 10.0)


def test_target_rates_count_the_years_of_the_period():
    s = by_hand([1.0], 50.0, years=20.0, durable=0.5)
    got = scenarios.optimize(s, target={"now": 2.0}, shortfall_penalty=1e4)
    assert float(got.planned.sum()) == pytest.approx(4.0)
    assert got.expected_cost == pytest.approx(50.0 * 4.0 * 20.0)
    # Until 2034 ten of the twenty years count, with the whole period to pay for.
    half = scenarios.optimize(s, target=20.0, year=2035, shortfall_penalty=1e4)
    assert float(half.planned.sum()) == pytest.approx(4.0)


def test_avoided_carbon_cannot_meet_a_removal_target():
    # Even where a file says otherwise.
    s = by_hand([1.0, 1.0], 1.0, flow="avoided", durable=1.0)
    got = scenarios.optimize(s, target=10.0, shortfall_penalty=500.0)
    assert float(got.planned.sum()) == 0.0
    assert got.expected_shortfall == pytest.approx(10.0)
    assert got.probability_met == 0.0


def test_bounds_hold(built):
    got = scenarios.optimize(
        built, target=TARGET, shortfall_penalty=2000.0, total={"long_term": 3.0}, max_share=0.4,
        minimum={"forests": 0.1}, maximum={"daccs": 0.2}, budget=20000.0,
    )  # fmt: skip
    plan = got.planned
    sums = plan.sum("pathway")
    assert float(sums.sel(period="long_term")) <= 3.0 + 1e-7
    assert (plan <= 0.4 * sums + 1e-7).all()
    assert (plan.sel(pathway="forests") >= 0.1 - 1e-9).all()
    assert (plan.sel(pathway="daccs") <= 0.2 + 1e-9).all()
    price = built["unit_cost"] * built["discount_factor"] * built["period_length"]
    assert float((built["probability"] * price * plan).sum()) <= 20000.0 * (1 + 1e-7)


# --- the same optimum as other code ----------------------------------------------------------


@pytest.mark.parametrize("target", [30.0, TARGET])
@pytest.mark.parametrize(("k", "w", "level"), [(1.0, 0.5, 0.9), (0.3, 0.0, 0.5), (0.6, 1.0, 0.8)])
def test_equals_linprog(drawn, target, k, w, level):
    s = scenarios.build(drawn, None, 6)
    s["cost_rise"] = 0.0 * s["cost_rise"]
    s["unit_cost"] = s["cost"]
    got = scenarios.optimize(
        s, target=target, curtail=True, cvar_level=level, risk_weight=w, shortfall_penalty=900.0,
        commitment_share=k, total={"long_term": 2.5},
    )  # fmt: skip
    theirs = linprog_optimum(s, target, level, w, 900.0, k, {"long_term": 2.5})
    assert got.objective == pytest.approx(theirs, rel=1e-7)
    assert got.objective == pytest.approx((1 - w) * got.expected_loss + w * got.cvar, rel=1e-12)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.floats(0.0, 1.0), w=st.floats(0.0, 1.0))
def test_random_programmes_agree_with_the_closed_form_second_stage(seed, k, w):
    # optimize() itself refuses a solution whose objective is not the recomputed one.
    s = scenarios.build(fixtures.make_drawn(8, seed), None, 5)
    terms_asked = {"target": 40.0, "commitment_share": k, "shortfall_penalty": 2000.0}
    free = scenarios.optimize(s, **terms_asked, risk_weight=w, curtail=True)
    assert free.gap <= 1e-6
    got = scenarios.optimize(s, **terms_asked, risk_weight=w)
    # Curtailing can only help, up to the chords it is priced by.
    assert free.objective <= got.objective + 10.0 * free.linearisation + 1e-6
    assert got.bound <= got.objective
    g = np.random.default_rng(seed)
    for _ in range(10):
        other = got.planned * g.uniform(0.5, 1.5, got.planned.shape)
        loss = scenarios.evaluate(s, other, **terms_asked)["loss"]
        tail = risk.cvar(loss.values, 0.9, probability=s["probability"].values)
        mean = float((loss * s["probability"]).sum())
        assert (1 - w) * mean + w * tail >= got.bound * (1 - 1e-7)


@pytest.mark.parametrize("rise", [0.0, 0.5])
@pytest.mark.parametrize("curtail", [False, True])
def test_negative_costs_are_taken_whatever_the_target(curtail, rise):
    s = by_hand([1.0, 0.5], -20.0, capacity=8.0, rise=rise)
    got = scenarios.optimize(
        s, target=3.0, commitment_share=0.5, risk_weight=0.3, shortfall_penalty=100.0, curtail=curtail
    )
    assert float(got.planned.sum()) == pytest.approx(8.0)
    # A negative cost is owed to nobody: what is not captured costs nothing.
    assert got.expected_cost == pytest.approx(-20 * (1 + rise / 2) * (0.5 * 8 + 0.5 * 4))


def test_cvar_and_var_are_those_of_the_losses(built):
    got = scenarios.optimize(built, target=60.0, shortfall_penalty=800.0)
    p = built["probability"].values
    again = scenarios.evaluate(built, got.planned, target=60.0, shortfall_penalty=800.0)
    np.testing.assert_allclose(again["loss"], got.loss)
    assert got.cvar == pytest.approx(risk.cvar(got.loss.values, 0.9, probability=p))
    # Rockafellar and Uryasev's minimum over t lies at one of the losses.
    direct = min(t + float(p @ np.maximum(got.loss.values - t, 0)) / 0.1 for t in got.loss.values)
    assert got.cvar == pytest.approx(direct)
    assert got.value_at_risk in got.loss.values


def test_more_risk_weight_never_raises_the_cvar(built):
    runs = [
        scenarios.optimize(built, target=60.0, shortfall_penalty=800.0, risk_weight=w)
        for w in (0.0, 0.5, 1.0)
    ]
    cvars, means = [r.cvar for r in runs], [r.expected_loss for r in runs]
    slack = max(r.gap for r in runs) + 1e-7
    assert all(b <= a * (1 + slack) for a, b in itertools.pairwise(cvars))
    assert all(b >= a * (1 - slack) for a, b in itertools.pairwise(means))


def test_the_engine_delivers_what_the_programme_says(drawn):
    # Nothing is reallocated in these draws, so simulate must give the programme's durable removal.
    whole = scenarios.build(drawn, None, drawn.sizes["sample"])
    got = scenarios.optimize(whole, target=80.0, shortfall_penalty=3000.0)
    plan = got.planned.expand_dims(portfolio=["optimum"]).to_dataset(name="planned")
    outcomes = portfolio.simulate(drawn, plan)
    given = terms(whole)
    captured = np.minimum(given.fraction * got.planned.values, given.limit)
    simulated = (outcomes["deployed"] + outcomes["received"]).isel(portfolio=0)
    np.testing.assert_allclose(captured, simulated.transpose("sample", "pathway", "period"), atol=1e-9)
    np.testing.assert_allclose(
        captured * given.durable,
        outcomes["durable"].isel(portfolio=0).transpose("sample", "pathway", "period"),
        atol=1e-9,
    )
    short = (
        portfolio.measure(outcomes, target={"net_removal": 80.0}).sel(criterion="shortfall").isel(portfolio=0)
    )
    missing = respond(given, got.planned.values, np.asarray(80.0), 0.0)[1][:, 0]
    np.testing.assert_allclose(missing, short, atol=1e-7)


# --- files, specs, refusals ------------------------------------------------------------------


def test_netcdf_and_parquet_give_the_same_optimum(built, tmp_path):
    found = []
    for suffix in (".nc", ".parquet"):
        path = scenarios.save(built, tmp_path / f"s{suffix}")
        found.append(scenarios.optimize(scenarios.read(path), target=TARGET, shortfall_penalty=700.0))
    direct = scenarios.optimize(built, target=TARGET, shortfall_penalty=700.0)
    for one in found:
        xr.testing.assert_identical(one.planned, direct.planned)
        pd.testing.assert_frame_equal(one.table, direct.table)
        assert one.record() == direct.record()


def test_spec_fills_target_and_total_from_the_analysis(built):
    total = {"near_term": 0.05, "mid_term": 0.5, "long_term": 2.0}
    spec = scenarios.OptimizeSpec()
    target = portfolio.TargetSpec(net_removal=10.0, unit="GtC")
    got = scenarios.optimize_spec(built, spec, portfolio.PortfolioSpec(total=total), target)
    same = scenarios.optimize(built, target=10.0 * 44 / 12, total=total, year=2100)
    xr.testing.assert_allclose(got.planned, same.planned, rtol=1e-9)
    assert (got.planned.sum("pathway") <= xr.DataArray(list(total.values()), dims="period") + 1e-7).all()
    own = scenarios.optimize_spec(built, scenarios.OptimizeSpec(target=5.0, shortfall_penalty=300.0))
    assert own.shortfall_penalty == 300.0
    assert "target of 5 GtCO2" in own.sentence
    with pytest.raises(InputError, match="no target"):
        scenarios.optimize_spec(built, spec)


def test_result_explains_itself(built):
    got = scenarios.optimize(built, target=60.0, shortfall_penalty=800.0)
    assert got.table.columns.tolist() == ["pathway", "period", "planned", "unit"]
    assert len(got.table) == 15
    assert set(got.table["unit"]) == {"GtCO2/yr"}
    assert got.record()["status"] in ("optimal", "within gap")
    assert got.record()["in_sample"]["cvar"] == got.cvar
    assert got.record()["out_of_sample"] is None
    assert got.record()["reduction"]["scenarios"] == 12
    assert got.effective_scenarios == pytest.approx(1 / float((built["probability"] ** 2).sum()))
    assert got.wasserstein == built.attrs["wasserstein"]
    assert f"probability {got.probability_met:.2f}" in got.sentence
    assert "At a penalty of 800 USD per tCO2 short" in got.sentence
    assert "In sample, on the 12 scenarios it was chosen on" in got.sentence


def test_nothing_is_printed_and_options_are_restored(built, capfd):
    import linopy

    before = linopy.options["semantics"]
    scenarios.optimize(built, target=60.0, shortfall_penalty=800.0)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    assert linopy.options["semantics"] == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"target": {"midterm": 1.0}}, "did you mean 'mid_term'"),
        ({"target": {}}, "no period given"),
        ({"target": -1.0}, "key 'target'"),
        ({"target": float("nan")}, "key 'target'"),
        ({"cvar_level": 1.0}, "key 'cvar_level'"),
        ({"risk_weight": 1.5}, "key 'risk_weight'"),
        ({"commitment_share": -0.1}, "key 'commitment_share'"),
        ({"shortfall_penalty": -5.0}, "key 'shortfall_penalty'"),
        ({"max_share": 0.1}, "cannot each hold less"),
        ({"total": {"long_term": -1.0}}, "key 'total.long_term'"),
        (
            {"maximum": {"daccs": 1e300}},
            "got 1e+300; allowed: 0 to 1000000 GtCO2/yr; the air holds",
        ),
        ({"minimum": {"dac": 1.0}}, "did you mean 'daccs'"),
        ({"minimum": {"daccs": 2.0}, "maximum": {"daccs": 1.0}}, "minimum above maximum"),
        ({"time_limit": 0.0}, "key 'time_limit'"),
        ({"segments": 0}, "key 'segments'"),
    ],
)
def test_bad_arguments_are_refused(built, change, text):
    with pytest.raises(InputError) as error:
        scenarios.optimize(built, **({"target": 10.0} | change))
    assert text in str(error.value)


def test_an_infeasible_programme_is_refused(built):
    with pytest.raises(InputError, match="no plan meets all bounds") as error:
        scenarios.optimize(built, target=10.0, minimum={"daccs": 3.0}, total={"mid_term": 1.0})
    assert "infeasible" in str(error.value)


def test_a_solver_that_stops_short_is_refused(built):
    with pytest.raises(ConvergenceError, match="found no optimum within"):
        scenarios.optimize(built, target=10.0, time_limit=1e-9)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"target": -1}, "greater than or equal to 0"),
        ({"penalty": 1}, "Extra inputs"),
        ({"cvar_level": 1}, "less than 1"),
        ({"shortfall_penalty": 0}, "greater than 0"),
    ],
)
def test_spec_refuses(raw, text):
    with pytest.raises(ValueError, match=text):
        scenarios.OptimizeSpec.model_validate(raw)
    with pytest.raises(ValueError, match="forward_selection"):
        scenarios.ScenarioSpec.model_validate({"method": "kmeans"})


@pytest.mark.slow
def test_a_hundred_scenarios_of_sixteen_pathways_solve_in_seconds():
    n, p = 100, 16
    g = np.random.default_rng(1)
    base = scenarios.build(fixtures.make_drawn(n, 2), None, n)
    wide = xr.concat([base.isel(pathway=[k % 5]) for k in range(p)], dim="pathway", data_vars="minimal")
    wide = wide.assign_coords(pathway=[f"pathway_{k}" for k in range(p)])
    wide["unit_cost"] = wide["unit_cost"] * (("sample", "pathway"), g.lognormal(0, 0.2, (n, p)))[1]
    begin = time.perf_counter()
    scenarios.optimize(scenarios.check(wide), target=150.0, shortfall_penalty=600.0)
    assert time.perf_counter() - begin < 40.0
