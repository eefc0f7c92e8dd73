"""What monitoring sees, by hand; composite plans and their worth by period; what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio, priors
from sinkrisk.errors import InputError, Problems
from sinkrisk.portfolio import composing, signalling
from sinkrisk.portfolio.policies import digits, number
from sinkrisk.portfolio.specification import make_decision, make_target

from .conftest import PERIODS, build_drawn, random_plans
from .made_outcomes import constant_outcomes

TARGET = make_target({"net_removal": 150.0, "unit": "GtCO2", "year": 2080})
DECISION = make_decision({"carbon_value": 200.0, "carbon_value_growth": 0.01, "shortfall_penalty": 300.0})


def resolved(names, drawn, network=None, noise=None):
    found = Problems()
    signals = signalling.find_signals(names, drawn, network, noise, found)
    found.raise_if_any()
    return signals


def test_signals_of_outcomes_by_hand():
    # daccs, forests, point_source_ccs; 10, 15 and 51 years.
    outcomes = constant_outcomes(
        {
            "planned": [2.0, 4.0, 10.0], "deployed": [1.0, 2.0, 8.0], "received": [0.0, 1.0, 0.0],
            "removed": [1.0, 2.0, 0.0], "returned": [0.0, 0.6, 0.0], "lost": [1.0, 2.0, 1.0],
            "withheld": [0.5, 0.5, 0.6], "reallocated": [0.0, 0.0, 1.6], "cost": [500.0, 100.0, 600.0],
        }
    )  # fmt: skip
    drawn = build_drawn(200, pathways=["daccs", "forests", "point_source_ccs"])
    names = [
        "removal_ratio", "lost_share", "held_share", "returned_share", "cost_per_tonne",
        "cost_per_tonne:daccs", "removal_ratio:forests", "removal_ratio:point_source_ccs",
    ]  # fmt: skip
    seen = signalling.signal_values(resolved(names, drawn), outcomes, drawn)
    assert seen.shape == (1, 1, 3, len(names))
    expected = [3 / 6, 4 / 16, 3.2 / 16, 0.6 / 3, 1200 / 12, 500.0, 2 / 4, 0.0]
    for q in range(3):
        assert seen[0, 0, q] == pytest.approx(expected)
    # What came back counts since the start: all in the second period, of what both removed.
    outcomes["returned"] = outcomes["returned"] * xr.DataArray([0.0, 1.0, 0.0], dims="period")
    late = signalling.signal_values(resolved(["returned_share"], drawn), outcomes, drawn)[0, 0, :, 0]
    assert late == pytest.approx([0.0, 0.6 * 15 / (3 * 25), 0.6 * 15 / (3 * 76)])


def test_signals_of_draws():
    drawn = build_drawn(200)
    drawn["land_sink"] = "sample", np.linspace(2.0, 4.0, 200), {"units": "GtC/yr"}
    drawn["ocean_sink"] = ("sample", "period"), np.arange(600.0).reshape(200, 3), {"units": "GtC/yr"}
    nodes = ["climate_ambition__" + p for p in PERIODS] + ["governance_capacity__arid_zones"]
    states = np.random.default_rng(1).integers(0, 3, (200, 4)).astype(np.int8)
    states[:, 3] = np.arange(200) % 2
    network = xr.DataArray(states, dims=("sample", "node"), coords={"node": nodes})
    names = [
        "land_sink", "ocean_sink", "shock_share", "shock:arid_zones", "mode:nature__open_ocean",
        "node:climate_ambition", "node:governance_capacity__arid_zones",
    ]  # fmt: skip
    signals = resolved(names, drawn, network)
    assert [s.noise.states for s in signals] == [0, 0, 0, 2, 4, 3, 2]
    outcomes = portfolio.simulate(drawn, random_plans(drawn, 2))
    seen = signalling.signal_values(signals, outcomes, drawn, network)
    assert np.array_equal(seen[:, 0], seen[:, 1])
    one = seen[:, 0]
    assert np.array_equal(one[..., 0], np.repeat(drawn["land_sink"].values[:, None], 3, axis=1))
    assert np.array_equal(one[..., 1], drawn["ocean_sink"].values)
    assert np.allclose(one[..., 2], drawn["shock"].values.mean(1))
    assert np.array_equal(one[..., 3], drawn["shock"].sel(region="arid_zones").values)
    assert np.array_equal(one[..., 4], drawn["mode"].values[:, 0, 2])
    assert np.array_equal(one[..., 5], states[:, :3])
    assert np.array_equal(one[..., 6], np.repeat(states[:, 3:], 3, axis=1))


def test_noise_comes_from_the_library_unless_said():
    drawn = build_drawn(200)
    drawn["land_sink"] = "sample", np.ones(200)
    table = priors.load_table("monitoring").set_index("signal")
    given = resolved(
        ["land_sink", "cost_per_tonne", "cost_per_tonne:daccs"], drawn, noise={"cost_per_tonne": 7.0}
    )
    assert given[0].noise.size == table.loc["land_sink", "size"]
    assert [s.noise.size for s in given[1:]] == [7.0, 7.0]
    # The sinks' errors are those of the observations' decade, which the library holds once more.
    budget = priors.load_observations("global").query("start == 2014")
    for sink in ("land", "ocean"):
        assert table.loc[f"{sink}_sink", "size"] == budget.set_index("component").loc[sink, "sd"]
    every = {*signalling.OF_OUTCOMES, *signalling.OF_DRAWS}
    assert set(table.index) == every
    assert [s.name for s in resolved(None, drawn)] == [n for n in signalling.DEFAULT if n != "ocean_sink"]


def test_regions_sinks_are_read_with_their_share_of_the_worlds_variance():
    drawn = build_drawn(200)
    sinks = {"land_sink": np.linspace(1.6, 4.8, 200), "ocean_sink": np.full(200, 2.9)}
    for name, values in sinks.items():
        drawn[name] = "sample", values
    # Of the world nothing is scaled, whatever the sinks drawn.
    names = ["land_sink", "ocean_sink", "lost_share"]
    assert [s.noise.size for s in resolved(names, drawn)] == [0.9, 0.4, 0.05]
    part = drawn.assign_attrs(regions=["arid_zones"])
    # Half the world's sea: the error's variance is halved. A sea near nought counts by its spread.
    part["ocean_sink"] = "sample", np.full(200, 1.45)
    part["land_sink"] = "sample", np.tile([-0.128, 0.128], 100)
    sizes = [s.noise.size for s in resolved(names, part)]
    assert sizes == pytest.approx([0.9 * 0.2, 0.4 * np.sqrt(0.5), 0.05])
    # Ten regions of a tenth each err together as the world does.
    part["ocean_sink"] = "sample", np.full(200, 0.29)
    assert 10.0 * resolved(["ocean_sink"], part)[0].noise.size ** 2 == pytest.approx(0.4**2)
    part["ocean_sink"] = "sample", np.full(200, 29.0)
    assert resolved(["ocean_sink"], part)[0].noise.size == 0.4
    assert resolved(["ocean_sink"], part, noise={"ocean_sink": 0.3})[0].noise.size == 0.3
    # The flux that an error belongs to is that of the same row of the observations.
    table = priors.load_table("monitoring").set_index("signal")
    budget = priors.load_observations("global").query("start == 2014").set_index("component")
    for sink in ("land", "ocean"):
        assert table.loc[f"{sink}_sink", "reference"] == budget.loc[sink, "value"]


@pytest.mark.parametrize(
    ("names", "noise", "message"),
    [
        (["removal_rate"], None, "unknown signal: got 'removal_rate'.*did you mean 'removal_ratio'"),
        (["cost_per_tonne:dacs"], None, "unknown detail.*did you mean 'daccs'"),
        (["shock"], None, "unknown detail of the signal 'shock'"),
        (["mode:nature"], None, "unknown detail of the signal 'mode'"),
        (["ocean_sink"], None, "inputs lack the sink"),
        (["node:climate_ambition"], None, "needs `network`"),
        (["lost_share", "lost_share"], None, "none twice"),
        ([], None, "at least one signal"),
        (["lost_share"], {"lost_share": 0.0}, "noise must be positive: got 0.0"),
        (["lost_share"], {"lost_share": -1.0}, "noise must be positive"),
        (["lost_share"], {"lost_share": np.nan}, "noise must be positive"),
        (["lost_share"], {"shock": 0.1}, "noise of a signal that is not used"),
        (["shock:arid_zones"], {"shock": 1.5}, "noise of a state is a probability"),
    ],
)
def test_bad_signals_are_named(names, noise, message):
    with pytest.raises(InputError, match=message):
        resolved(names, build_drawn(200), noise=noise)


def test_bad_network_states():
    drawn = build_drawn(200)
    nodes = [f"climate_ambition__{p}" for p in PERIODS]
    network = xr.DataArray(np.zeros((100, 3), np.int8), dims=("sample", "node"), coords={"node": nodes})
    with pytest.raises(
        InputError, match="network states of other draws: got '100 draws'; allowed: 200 draws"
    ):
        resolved(["node:climate_ambition"], drawn, network)
    two = network.isel(node=slice(0, 2))
    two = xr.concat([two, two], "sample")
    with pytest.raises(InputError, match="unknown detail of the signal 'node'"):
        resolved(["node:climate_ambition"], drawn, two)


@pytest.mark.parametrize("regional", [False, True])
def test_composites_take_each_period_from_their_candidate(regional):
    drawn = build_drawn(4)
    plans = random_plans(drawn, 3)
    if regional:
        share = xr.DataArray([0.5, 0.25, 0.25], dims="region", coords={"region": drawn["region"].values})
        plans["planned"] = (plans["planned"] * share).transpose("portfolio", "pathway", "region", "period")
        plans = plans.assign_coords(coordinated=("portfolio", [True] * 3))
    courses = digits(np.arange(27), 3, 3)
    made = composing.compose(plans, courses)
    assert made["planned"].dims == plans["planned"].dims
    assert len(set(made["portfolio"].values.tolist())) == 27
    for c, course in enumerate(courses):
        for q, k in enumerate(course):
            assert np.array_equal(
                made["planned"].isel(portfolio=c, period=q).values,
                plans["planned"].isel(portfolio=k, period=q).values,
            )
    pure = composing.compose(plans, np.array([[1, 1, 1]]))
    assert pure["portfolio"].values.tolist() == ["p1"]
    if regional:
        assert made["coordinated"].values.all()
    first = portfolio.simulate(drawn, plans)["durable"].sel(portfolio="p1")
    assert np.array_equal(portfolio.simulate(drawn, pure)["durable"].sel(portfolio="p1"), first)


@pytest.mark.parametrize("discounting", ["all", "none"])
@pytest.mark.parametrize("year", [2034, 2080, 2100])
def test_worth_by_period_sums_to_the_net_benefit(year, discounting):
    drawn = build_drawn(30)
    outcomes = portfolio.simulate(drawn, random_plans(drawn, 3))
    target = make_target({"net_removal": 100.0, "unit": "GtCO2", "year": year})
    decision = DECISION.model_copy(update={"discounting": discounting})
    parts = composing.worth_by_period(outcomes, target, decision)
    whole = portfolio.net_benefit(outcomes, target=target, decision=decision)
    assert np.allclose(parts.sum("period").values, whole.values, rtol=1e-12)
    measured = portfolio.measure(outcomes, target=target).sel(criterion="shortfall")
    assert np.allclose(composing.shortfall_of(outcomes, target), measured.values)
    # The penalty lies in the period that holds the target year, and nowhere else.
    free = composing.worth_by_period(outcomes, target, decision.model_copy(update={"shortfall_penalty": 0.0}))
    charged = (abs(parts - free).values > 0).any(axis=(0, 1))
    assert charged.tolist() == [(2025 <= year < 2035), False, (year >= 2050)]


def test_a_game_knows_every_course(monkeypatch):
    drawn = build_drawn(200)
    plans = random_plans(drawn, 3)
    signals = resolved(["removal_ratio", "cost_per_tonne", "returned_share"], drawn)
    # Small blocks: a course's beginning and its rest are then simulated apart.
    monkeypatch.setattr(composing, "BLOCK_BYTES", 2e6)
    game = composing.build_game(drawn, plans, TARGET, DECISION, signals, None, 1)
    courses = np.array(list(itertools.product(range(3), repeat=3)))
    outcomes = portfolio.simulate(drawn, composing.compose(plans, courses))
    whole = portfolio.net_benefit(outcomes, target=TARGET, decision=DECISION).values
    assert np.allclose(game.value(), whole, rtol=1e-10)
    # The engine never looks ahead: whatever follows, what was seen is the same.
    seen = signalling.signal_values(signals, outcomes, drawn)
    worth = composing.worth_by_period(outcomes, TARGET, DECISION).values
    for q in range(3):
        until = number(courses[:, : q + 1], 3)
        assert np.allclose(game.worth[q][:, until], worth[:, :, q], rtol=1e-10)
        if q < 2:
            assert np.allclose(game.truth[q][:, until], seen[:, :, q], rtol=1e-10)


def test_a_regions_share_of_a_sink_weighs_draws():
    def share(values, probability):
        drawn = xr.Dataset(
            {"ocean_sink": ("sample", values), "probability": ("sample", probability)},
            attrs={"regions": ["open_ocean"]},
        )
        return signalling._regional("ocean_sink", 2.9, drawn)

    repeated = share([1.0] + [0.2] * 9, np.full(10, 0.1))
    assert share([1.0, 0.2], [0.1, 0.9]) == pytest.approx(repeated, rel=1e-12)
    assert share([1.0, 0.2, 2.9], [0.1, 0.9, 0.0]) == pytest.approx(repeated, rel=1e-12)
    assert repeated == pytest.approx(((0.1 + 0.9 * 0.04) ** 0.5 / 2.9) ** 0.5)
