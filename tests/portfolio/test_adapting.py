"""Adaptive deployment from inputs to tables: identities, determinism, refusals, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio import adaptive_tables, composing
from sinkrisk.portfolio.adapting import Half
from sinkrisk.portfolio.policies import POLICIES, Followed

from .conftest import build_drawn, random_plans

TARGET = {"net_removal": 150.0, "unit": "GtCO2", "year": 2100}
DECISION = {"carbon_value": 250.0, "shortfall_penalty": 300.0}
SIGNALS = ["removal_ratio", "cost_per_tonne"]


def adapted(drawn, plans, **given):
    options = {"signals": SIGNALS, "ess_min": 20.0, "replicates": 300, "rng": 1} | given
    return portfolio.adapt(drawn, plans, target=TARGET, decision=DECISION, **options)


@pytest.fixture(scope="module")
def inputs():
    drawn = build_drawn(400)
    return drawn, random_plans(drawn, 3)


@pytest.fixture(scope="module")
def result(inputs):
    return adapted(*inputs)


def test_the_effective_size_counts_draws_by_their_probability():
    """A draw of probability 3 / n stands for three equal draws: weights equal repetition."""
    size, weights = np.array([10.0, 40.0, 20.0, 90.0]), np.array([1.0, 0.0, 1.0, 5.0])

    def median(sizes, probability):
        course = np.zeros((len(sizes), 2), dtype=int)
        seen = np.column_stack([np.full(len(sizes), np.nan), sizes])
        followed = Followed(course, seen, np.zeros(course.shape, dtype=bool))
        one = Half(np.array([], int), np.arange(len(sizes)), dict.fromkeys(POLICIES, followed), [])
        frame = adaptive_tables.Frame(["a"], ["first", "second"], ["s"], ["1"])
        table = adaptive_tables.decision_table([one], probability, frame)
        return table.set_index(["policy", "period"])["ess"]

    weighted = median(size, weights)
    assert weighted[("rolling", "second")] == pytest.approx(
        median(np.repeat(size, weights.astype(int)), np.ones(7))[("rolling", "second")]
    )
    # Five sevenths of the probability lie on 90.
    assert weighted[("rolling", "second")] == 90.0
    assert np.isnan(weighted[("rolling", "first")])
    assert median(size, np.ones(4))[("greedy", "second")] == pytest.approx(30.0)


def test_tables_agree_with_the_draws(inputs, result):
    drawn, plans = inputs
    draws = result.draws
    table = result.table.set_index("policy")
    means = draws["value"].weighted(draws["probability"]).mean("sample")
    for policy in table.index:
        assert table.loc[policy, "mean"] == pytest.approx(float(means.sel(policy=policy)))
        gain = float(means.sel(policy=policy) - means.sel(policy="fixed"))
        assert table.loc[policy, "gain"] == pytest.approx(gain, abs=1e-6)
        assert table.loc[policy, "gain_low"] <= table.loc[policy, "gain"] + 1e-9
        assert table.loc[policy, "gain_high"] >= table.loc[policy, "gain"] - 1e-9
    assert table.loc["fixed", ["gain", "gain_low", "gain_high", "cvar_gain"]].tolist() == [0.0] * 4
    assert set(table["interval_kind"]) == {"widened percentile bootstrap"}
    assert set(result.triggers["interval_kind"]) == {"percentile bootstrap"}
    assert set(table["interval_mass"]) == {0.9}
    assert (draws["value"] <= draws["value"].sel(policy="perfect")).all()
    # A value is that of the composite plan which the choices name.
    courses, which = np.unique(draws["choice"].sel(policy="rolling").values, axis=0, return_inverse=True)
    outcomes = portfolio.simulate(drawn, composing.compose(plans, courses))
    benefit = portfolio.net_benefit(outcomes, target=TARGET, decision=DECISION).values
    assert np.allclose(benefit[np.arange(400), which.ravel()], draws["value"].sel(policy="rolling"))


def test_flows_and_decisions_agree(result):
    flows = result.flows
    sums = flows.groupby(["policy", "period"])["share"].sum()
    assert np.allclose(sums, 1.0)
    choice = result.draws["choice"].sel(policy="rolling")
    names = result.draws["candidate"].values
    own = flows[(flows["policy"] == "rolling") & (flows["next_period"] == "long_term")]
    for k, name in enumerate(names):
        assert own.loc[own["to"] == name, "share"].sum() == pytest.approx(
            float((choice.sel(period="long_term") == k).mean())
        )
    decisions = result.decisions.set_index(["policy", "period"])
    fixed = result.draws["choice"].sel(policy="fixed")
    for period in result.draws["period"].values:
        departs = float((choice != fixed).sel(period=period).mean())
        assert decisions.loc[("rolling", period), "departs"] == pytest.approx(departs)
    first = decisions.xs("near_term", level="period")
    assert first["ess"].isna().all()
    assert (first["refused"] == 0.0).all()
    assert decisions.loc[("rolling", "near_term"), "departs"] == 0.0


def test_triggers_say_when_what_and_how_much(result):
    rules = result.triggers[result.triggers["period"] != "all"]
    assert (rules["from"] != rules["to"]).all()
    assert set(rules["signal"]) <= set(SIGNALS)
    assert rules["share"].between(0.0, 0.5).any()
    assert (rules["kept"] == (rules["low"] > 0.0)).all()
    assert (rules["low"] <= rules["value"] + 1e-9).all()
    assert result.triggers.groupby("half")["period"].apply(lambda p: (p == "all").sum()).tolist() == [1, 1]


def test_no_threshold_lies_beyond_what_a_regions_sink_can_reach(inputs):
    """An error many times the sink: before, thresholds lay at three times what any draw of it is."""
    drawn, plans = inputs
    rng = np.random.default_rng(3)
    met = 0
    for seed in range(5):
        # The sink says nothing of what pays: what a rule finds in it is chance.
        small = drawn.assign(ocean_sink=("sample", rng.uniform(-0.05, 0.05, 400)))
        found = adapted(small, plans, signals=["ocean_sink"], noise={"ocean_sink": 0.4}, rng=seed)
        rules = found.triggers[found.triggers["period"] != "all"]
        assert (rules["threshold"].abs() <= 0.05).all()
        met += len(rules)
    assert met > 0


def test_where_no_threshold_helps_that_is_said(result):
    frame = adaptive_tables.Frame(["p0"], ["near_term", "mid_term", "long_term"], SIGNALS, ["1"])

    def told(triggers):
        return adaptive_tables.adaptive_sentence(result.table, result.decisions, triggers, frame)

    rules = result.triggers
    assert "no threshold helps" not in told(rules)
    fewer = rules.drop(index=rules.index[rules["period"] == "mid_term"][0])
    assert told(fewer).endswith("In 1 of 4 searches no threshold helps.")
    assert told(rules[rules["period"] == "all"]).endswith("No threshold helps, on any signal in any period.")


def test_the_sentence_never_says_a_gain_without_its_interval(result):
    row = result.table.set_index("policy").loc["rolling"]
    frame = adaptive_tables.Frame(["p0"], ["near_term"], SIGNALS, ["1"])

    def told(**refused):
        decisions = result.decisions.assign(refused=result.decisions["policy"].map(refused))
        return adaptive_tables.adaptive_sentence(result.table, decisions, result.triggers, frame)

    gain = f"{row['gain']:.3g} billion USD ({row['gain_low']:.3g} to {row['gain_high']:.3g}"
    text = told(rolling=0.2, greedy=0.2)
    assert gain in text
    assert "90 % widened percentile bootstrap interval" in text
    assert "20% of its later decisions rest on too few effective draws" in text
    assert "The greedy policy changes it by" in text
    assert "greedy" not in told(rolling=0.2, greedy=0.6)
    # Where most decisions were refused the gain is that of the fixed plan: no estimate of deciding again.
    refused = told(rolling=0.6, greedy=0.2)
    assert gain not in refused
    assert "not estimable from these draws: 60% of its later decisions" in refused
    # 71 % of the later decisions of these few draws are.
    assert "not estimable" in result.sentence
    assert result.name == "adaptive"
    assert result.provenance["signals"] == {"removal_ratio": 0.1, "cost_per_tonne": 20.0}
    assert result.provenance["courses"] == 27


def test_equal_seed_equal_result(inputs, result):
    again = adapted(*inputs)
    assert again.draws.identical(result.draws)
    for name in ("table", "courses", "decisions", "triggers", "flows"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name))
    assert again.sentence == result.sentence
    assert not adapted(*inputs, rng=2).draws.equals(result.draws)


def test_too_few_effective_draws_fall_back_or_raise(inputs):
    sharp = dict.fromkeys(SIGNALS, 1e-9)
    fallen = adapted(*inputs, noise=sharp)
    later = fallen.decisions.query("policy == 'rolling' and period != 'near_term'")
    assert later["refused"].tolist() == pytest.approx([1.0, 1.0])
    assert (later["ess"] < 2.0).all()
    rolling = fallen.table.set_index("policy").loc["rolling"]
    assert rolling[["gain", "gain_low", "gain_high"]].tolist() == [0.0] * 3
    assert fallen.sentence.startswith(
        "What deciding again each period adds to the best fixed plan is not estimable from these draws: 100% "
        "of its later decisions rest on too few effective draws"
    )
    # A gain of nought is what refusing gives, no finding.
    assert "0 (0 to 0" not in fallen.sentence
    with pytest.raises(InputError, match=r"2 problems.*mid_term rest on fewer than 20 effective draws"):
        try:
            adapted(*inputs, noise=sharp, on_low_ess="error")
        except InputError as error:
            raise InputError(str(error).replace("\n", " ")) from error


def test_equal_candidates_make_policies_equal(inputs):
    drawn, plans = inputs
    twins = xr.concat([plans.isel(portfolio=[0]), plans.isel(portfolio=[0])], "portfolio")
    twins = twins.assign_coords(portfolio=["a", "b"])
    found = adapted(drawn, twins)
    assert np.allclose(found.draws["value"], found.draws["value"].sel(policy=["fixed"]).values)
    # Whoever ties with the fixed course is not a departure.
    assert (found.decisions["departs"] == 0.0).all()


def test_cvar_is_an_objective_too(inputs):
    found = adapted(*inputs, objective="cvar", tail=0.8)
    assert found.provenance["objective"] == "cvar"
    assert np.allclose(found.table["tail_mass"], 0.2)
    assert (found.draws["value"] <= found.draws["value"].sel(policy="perfect")).all()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d, p: (d.isel(sample=slice(0, 199)), p), {}, "too few draws: got 199; allowed: 200 or more"),
        (lambda d, p: (d, p.isel(portfolio=[0])), {}, "nothing to choose between: got '1 candidates'"),
        (lambda d, p: (d, random_plans(d, 13)), {}, "too many composite plans.*2197"),
        (lambda d, p: (d, p), {"signals": ["removal"]}, "unknown signal"),
        (lambda d, p: (d, p), {"noise": {"removal_ratio": 0.0}}, "noise must be positive"),
        (lambda d, p: (d, p), {"objective": "median"}, "unknown objective: got 'median'"),
        (lambda d, p: (d, p), {"on_low_ess": "warn"}, "unknown on_low_ess"),
        (lambda d, p: (d, p), {"ess_min": 300.0}, "ess_min outside its range.*1 .. 200"),
        (lambda d, p: (d, p), {"level": 1.0}, "level outside its range"),
        (lambda d, p: (d, p), {"tail": -0.1}, "tail outside its range"),
        (lambda d, p: (d, p), {"replicates": 5}, "too few replicates"),
        (lambda d, p: (d, p), {"caution": -1.0}, "caution outside its range"),
        (lambda d, p: (d, p), {"caution": 1.0, "objective": "cvar"}, "caution outside its range"),
        (lambda d, p: (d, p.drop_vars("planned")), {}, "lack the variable 'planned'"),
        (lambda d, p: (d, p.assign(planned=-p["planned"])), {}, "negative"),
        (
            lambda d, p: (d, p.assign_coords(coordinated=("portfolio", [True, False, True]))),
            {},
            "coordinated or not, all alike",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_simulated(inputs, monkeypatch, change, options, message):
    monkeypatch.setattr(composing, "simulate", lambda *a, **k: pytest.fail("it was simulated"))
    with pytest.raises(InputError, match=message):
        adapted(*change(*inputs), **options)


def test_all_problems_are_told_at_once(inputs):
    drawn, plans = inputs
    with pytest.raises(InputError, match="target year outside the horizon") as caught:
        portfolio.adapt(
            drawn.isel(sample=slice(0, 50)), plans.isel(portfolio=[0]), target=TARGET | {"year": 2150},
            decision=DECISION, signals=["weather"], noise={"weather": -1.0}, ess_min=10.0,
        )  # fmt: skip
    text = str(caught.value)
    for part in ("too few draws", "nothing to choose between", "unknown signal", "noise must be positive"):
        assert part in text


def test_one_period_leaves_nothing_to_adapt():
    drawn = build_drawn(200).isel(period=[0])
    plans = random_plans(build_drawn(200), 2).isel(period=[0])
    with pytest.raises(InputError, match="too few periods"):
        portfolio.adapt(drawn, plans, target=TARGET | {"year": 2034}, decision=DECISION, signals=SIGNALS)
