"""Cascades on a network small enough to work out by hand, and on the shipped one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk.network import Network, Node, collapse_cascades, load, table_bank, worst_state_shocks
from sinkrisk.network.tables import TableRule

MODES = ("full", "throttled", "passive_redundancy", "collapse")
FULL, DOWN = [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]


def _node(base, cls, period, parents, states, group="deployment"):
    name = "__".join(part for part in (base, cls, "here", period) if part)
    return Node(
        name, base, "class" if cls else "regional", "here", period, cls, group, tuple(states), tuple(parents),
        "first", name, "", "", "", float("inf"),
    )  # fmt: skip


def _hand(size: float = float("inf")) -> Network:
    """Classes a and b: a's collapse tightens resources half the time, which stops b in two of five.

    Policy in the near term stops b at once where it fails. A collapsed a works again with .3.
    """
    mode, tight = "deployment_mode", ("eased", "tight")
    nodes = [
        _node("policy", None, "near_term", (), ("good", "bad"), "policy"),
        _node(mode, "a", "near_term", (), MODES),
        _node(mode, "b", "near_term", ("policy__here__near_term",), MODES),
        _node("resource_competition", None, "mid_term", (f"{mode}__a__here__near_term",), tight, "climate"),
        _node(mode, "a", "mid_term", (f"{mode}__a__here__near_term",), MODES),
        _node(
            mode, "b", "mid_term",
            ("resource_competition__here__mid_term", f"{mode}__b__here__near_term"), MODES,
        ),
    ]  # fmt: skip
    tables = [
        [1.0, 0.0],
        FULL,
        [FULL, DOWN],
        [[1.0, 0.0]] * 3 + [[0.5, 0.5]],
        [FULL] * 3 + [[0.3, 0.0, 0.0, 0.7]],
        [[FULL] * 4, [[0.6, 0.0, 0.0, 0.4]] * 4],
    ]
    rules = {
        node.name: TableRule(node.name, np.array(table, dtype=float), size)
        for node, table in zip(nodes, tables, strict=True)
    }
    return Network(nodes, rules)


A = {"deployment_mode__a__here__near_term": "collapse"}
POLICY = {"policy__here__near_term": "bad"}
SAMPLES = 1_600


def _measures(net, shock, **options):
    options = {"samples": SAMPLES, "rng": 1} | options
    bank = table_bank(net, options.pop("draws", 50), rng=1)
    table = collapse_cascades(net, {"x": shock}, bank, cells="all", **options)
    assert table.note.notna().all()
    return table.set_index("measure")


def test_a_shock_to_one_class_by_hand():
    table = _measures(_hand(), A)
    # a itself; a still down with .7; b stopped with .5 x .4 = .2, all of it through the channel.
    expected = {
        "collapsed_cells": (0.0, 1.9), "direct": (0.0, 0.0), "spread": (0.0, 0.2), "induced": (0.0, 1.2),
        "widespread": (0.0, 1.0),
        # Of a alone: back after the ten years of the near term, or counted to the end, 25 years on.
        "recovery_years": (0.0, 0.3 * 10 + 0.7 * 25), "unrecovered": (0.0, 0.7),
    }  # fmt: skip
    for measure, (before, after) in expected.items():
        row = table.loc[measure]
        assert row.baseline == before
        # 80,000 samples; t with 50 degrees of freedom is beyond 5 with probability 7e-6, seven rows of it.
        assert row.shocked == pytest.approx(after, abs=5 * row.mc_error + 1e-12), measure
        assert row.change == pytest.approx(row.shocked - row.baseline)
        assert row.change_low <= row.change <= row.change_high
    assert 0.0 < table.loc["spread"].mc_error < 0.002
    assert table.loc["unrecovered"].mc_error == pytest.approx(np.sqrt(0.7 * 0.3 / 80_000), rel=0.5)


def test_what_a_shock_does_directly_is_no_cascade():
    table = _measures(_hand(), POLICY)
    # Bad policy stops b in the near term for certain; it works again in the next period.
    assert table.loc["direct", "change"] == 1.0
    assert table.loc["spread", "change"] == 0.0
    assert table.loc["recovery_years", "shocked"] == 10.0
    assert table.loc["unrecovered", "shocked"] == 0.0
    both = _measures(_hand(), {**A, **POLICY})
    # Now b is the only cell that the shock does not set: down at once, and again through the channel.
    assert both.loc["direct", "change"] == 1.0
    assert both.loc["spread", "change"] == pytest.approx(0.2, abs=5 * both.loc["spread"].mc_error)


def test_a_channel_that_the_shock_itself_sets_is_a_direct_hit():
    table = _measures(_hand(), {"resource_competition__here__mid_term": "tight"})
    row = table.loc["direct"]
    assert row.change == pytest.approx(0.4, abs=5 * row.mc_error)
    assert table.loc["spread", "change"] == 0.0


def test_recovery_that_cannot_be_told_says_why():
    late = _measures(_hand(), {"deployment_mode__a__here__mid_term": "collapse"}, samples=100)
    for measure in ("recovery_years", "unrecovered"):
        assert np.isnan(late.loc[measure, "shocked"])
        assert late.loc[measure, "note"] == "no period follows the shock's"
    none = _measures(_hand(), {"deployment_mode__a__here__near_term": "full"}, samples=100)
    assert none.loc["recovery_years", "note"] == "no cell collapses because of the shock"
    last = _measures(
        _hand(), {"resource_competition__here__mid_term": "tight", "policy__here__near_term": "good"}
    )
    assert (
        last.loc["recovery_years", "note"] == "cells collapse because of the shock in the last period alone"
    )


def test_draws_in_whose_halves_nothing_collapses_leave_no_gap():
    # Two samples a draw: most halves see no induced collapse of b, and the old ratio was NaN there.
    net = _hand()
    hit = {"resource_competition__here__mid_term": "tight", **A}
    table = _measures(net, hit, samples=2, draws=400)
    values = table.loc[
        ["recovery_years", "unrecovered"], ["shocked", "shocked_low", "shocked_high", "mc_error"]
    ]
    assert np.isfinite(values.to_numpy(float)).all()
    row = table.loc["unrecovered"]
    assert row.shocked == pytest.approx(0.7, abs=5 * row.mc_error)


def test_recovery_under_doubt_is_a_ratio_of_sums():
    net = load(regions=["arid_zones"], periods=["near_term", "mid_term"])
    bank = table_bank(net, 64, rng=1)
    shocks = worst_state_shocks(net, "disturbance", "near_term")
    table = collapse_cascades(net, shocks, bank, samples=16).set_index("measure")
    values = table.drop(columns=["shock", "unit", "note", "interval_kind"]).to_numpy(float)
    assert np.isfinite(values).all()
    assert 0.0 < table.loc["unrecovered", "shocked"] < 1.0
    assert 10.0 < table.loc["recovery_years", "shocked"] < 25.0


def test_direct_and_spread_add_up_on_the_shipped_network():
    net = load(regions=["arid_zones", "northern_europe"], periods=["near_term", "mid_term"])
    bank = table_bank(net, 8, rng=1)
    plan = pd.DataFrame({"class": ["nature"], "region": "arid_zones", "period": "mid_term", "removal": 1.0})
    share = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.1, "collapse": 0.0}
    shock = {"policy_support__arid_zones__near_term": "declining"}
    table = collapse_cascades(net, {"x": shock}, bank, samples=512, planned=plan, delivered=share).set_index(
        "measure"
    )
    # No cell is set by the shock, so all cells are others.
    assert table.loc["direct", "change"] + table.loc["spread", "change"] == pytest.approx(
        table.loc["collapsed_cells", "change"]
    )
    assert table.loc["direct", "change"] > 5 * abs(table.loc["spread", "change"])
    assert table.loc["lost", "unit"] == "GtCO2"
