"""Exchange rates and discounts are drawn where the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError


@pytest.fixture
def rates() -> pd.DataFrame:
    worth = {"forests": 0.2, "daccs": 0.8, "biochar": 0.4}
    rows = [
        (a, b, worth[a] / worth[b], 0.5 * worth[a] / worth[b], 2.0 * worth[a] / worth[b])
        for a in worth
        for b in worth
        if a != b
    ]
    table = pd.DataFrame(rows, columns=["pathway", "other", "median", "low", "high"])
    return table.assign(probability_defined=1.0, interval_kind="equal-tailed", interval_mass=0.9)


def test_rates_are_ordered_by_what_a_credit_holds(rates):
    axes = plots.plot_exchange_rates(rates).axes[0]
    order = ["DACCS", "biochar", "forests"]
    assert [t.get_text() for t in axes.get_yticklabels()] == order
    assert [t.get_text() for t in axes.get_xticklabels()] == order
    found = {
        (round(t.get_position()[0]), round(t.get_position()[1] + 0.16, 2)): t.get_text() for t in axes.texts
    }
    # One DACCS credit is worth 4 of forests; one of forests .25 of DACCS.
    assert found[(2, 0.0)] == "4.0"
    assert found[(0, 2.0)] == "0.25"
    assert [t.get_text() for t in axes.texts if t.get_text() == "1"] == ["1"] * 3
    colours = axes.images[0].get_array()
    assert colours[0, 2] == pytest.approx(-colours[2, 0])
    undefined = rates.assign(median=rates["median"].where(rates["other"] != "forests"))
    seldom = rates.assign(probability_defined=1.0 - 0.6 * (rates["other"] == "forests"))
    for table in (undefined, seldom):
        texts = [t.get_text() for t in plots.plot_exchange_rates(table).axes[0].texts]
        assert texts.count("–") == 2
    assert texts.count("40 %") == 2


def test_a_net_source_has_a_rate_below_nothing_and_bounded_colours(rates):
    row = rates["pathway"] == "forests"
    axes = plots.plot_exchange_rates(rates.assign(median=rates["median"].where(~row, -0.5))).axes[0]
    assert [t.get_text() for t in axes.texts].count("<0") == 2
    assert float(axes.images[0].get_array().min()) == -2.0


def test_discounts_name_the_factor_that_takes_most():
    table = pd.DataFrame(
        [
            ("forests", "durability", "factor", 0.5, 0.4, 0.6),
            ("forests", "process_energy", "charge", 0.1, 0.05, 0.2),
            ("forests", "discount", "whole", 0.4, -0.3, 0.5),
            ("daccs", "process_energy", "charge", 0.3, 0.2, 0.4),
            ("daccs", "durability", "factor", 1.0, 1.0, 1.0),
            ("daccs", "discount", "whole", 0.7, 0.6, 0.8),
        ],
        columns=["pathway", "factor", "kind", "median", "low", "high"],
    ).assign(interval_kind="equal-tailed", interval_mass=0.9)
    axes = plots.plot_discounts(table).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["DACCS", "forests"]
    assert list(axes.lines[0].get_xdata()) == [0.7, 0.4]
    assert [t.get_text() for t in axes.texts] == ["process energy −0.30", "durability ×0.50"]
    segments = axes.collections[0].get_segments()
    assert segments[1][:, 0].tolist() == [-0.3, 0.5]
    assert axes.get_xlim()[0] < -0.3


def test_bad_tables_are_named(rates):
    with pytest.raises(InputError, match="missing column"):
        plots.plot_exchange_rates(rates.drop(columns="median"))
    with pytest.raises(InputError, match="missing column"):
        plots.plot_discounts(rates)


def test_buffers_compare_own_with_pooled():
    rows = [
        ("mixed", "forests", 10.0, 0.4, 0.3), ("mixed", "pool", 20.0, 0.25, 0.1),
        ("trees", "forests", 5.0, 0.4, 0.4), ("trees", "pool", 5.0, 0.4, 0.4),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["portfolio", "pathway", "removed", "own_share", "pooled_share"])
    table = table.assign(tail_mass=0.05)
    axes = plots.plot_buffers(table).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["mixed", "trees"]
    assert [list(line.get_xdata()) for line in axes.lines] == [[25.0, 40.0], [10.0, 40.0]]
    with pytest.raises(InputError, match="no such pathway"):
        plots.plot_buffers(table[table["pathway"] != "pool"])


def test_carbon_at_risk_is_drawn_with_and_without_the_common_shock():
    table = pd.DataFrame(
        [
            ("mixed", 50.0, 6.0, 5.0, 7.0, 5.0, 4.5, 5.5),
            ("trees", 20.0, 9.0, 8.0, 9.8, np.nan, np.nan, np.nan),
        ],
        columns=[
            "portfolio", "promised", "extra", "extra_low", "extra_high", "extra_decoupled",
            "extra_decoupled_low", "extra_decoupled_high",
        ],
    )  # fmt: skip
    table = table.assign(level=0.95, unit="GtCO2", interval_kind="percentile bootstrap", interval_mass=0.9)
    figure = plots.plot_carbon_at_risk(table)
    first, second = (line.get_xdata() for line in figure.axes[0].lines)
    assert list(first) == [6.0, 9.0]
    assert second[0] == 5.0
    assert np.isnan(second[1])
    assert figure.axes[0].collections[0].get_segments()[1][:, 0].tolist() == [8.0, 9.8]
    assert figure.axes[0].get_xlim()[1] == pytest.approx(1.06 * 9.8)
    assert figure.axes[0].get_xscale() == "linear"
    crowded = pd.concat([table, table, table.assign(extra=900.0, extra_high=950.0)])
    assert plots.plot_carbon_at_risk(crowded).axes[0].get_xscale() == "log"
    endless = table.assign(extra=[np.inf, 9.0], extra_high=[np.inf, 9.8])
    assert np.isfinite(plots.plot_carbon_at_risk(endless).axes[0].get_xlim()).all()
    assert figure.axes[0].get_xlabel() == "extra removal, GtCO₂"
    assert "in 95 % of draws" in " ".join(t.get_text() for t in figure.texts)
    with pytest.raises(InputError, match="missing column"):
        plots.plot_carbon_at_risk(table.drop(columns="extra"))
