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
