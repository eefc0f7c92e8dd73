"""Exchange rates and discounts are drawn where the tables say."""

from __future__ import annotations

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
    return table.assign(interval_kind="equal-tailed", interval_mass=0.9)


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
    dashes = [t for t in plots.plot_exchange_rates(undefined).axes[0].texts if t.get_text() == "–"]
    assert len(dashes) == 2


def test_discounts_name_the_factor_that_takes_most():
    table = pd.DataFrame(
        [
            ("forests", "durability", 0.5, 0.4, 0.6),
            ("forests", "measurement", 0.8, 0.7, 0.9),
            ("forests", "discount", 0.4, 0.3, 0.5),
            ("daccs", "energy_penalty", 0.7, 0.6, 0.8),
            ("daccs", "discount", 0.7, 0.6, 0.8),
        ],
        columns=["pathway", "factor", "median", "low", "high"],
    ).assign(interval_kind="equal-tailed", interval_mass=0.9)
    axes = plots.plot_discounts(table).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["DACCS", "forests"]
    assert list(axes.lines[0].get_xdata()) == [0.7, 0.4]
    assert [t.get_text() for t in axes.texts] == ["energy penalty 0.70", "durability 0.50"]
    segments = axes.collections[0].get_segments()
    assert segments[1][:, 0].tolist() == [0.3, 0.5]


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
        [("mixed", 50.0, 6.0, 5.0), ("trees", 20.0, 9.0, 9.5)],
        columns=["portfolio", "promised", "extra", "extra_decoupled"],
    ).assign(level=0.95, unit="GtCO2")
    figure = plots.plot_carbon_at_risk(table)
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[6.0, 9.0], [5.0, 9.5]]
    assert figure.axes[0].collections[0].get_segments()[1][:, 0].tolist() == [9.0, 9.5]
    assert figure.axes[0].get_xlabel() == "extra removal, GtCO₂"
    assert "in 95 % of draws" in " ".join(t.get_text() for t in figure.texts)
    with pytest.raises(InputError, match="missing column"):
        plots.plot_carbon_at_risk(table.drop(columns="extra"))
