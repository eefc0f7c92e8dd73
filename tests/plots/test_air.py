"""Fans and net effects are drawn where the table says."""

from __future__ import annotations

import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError
from sinkrisk.plots.air import effect_table


@pytest.fixture
def air() -> pd.DataFrame:
    rows = []
    for portfolio, cut in (("trees", 5.0), ("mixed", 20.0), ("none", 0.0)):
        for year, top in ((2025, 425.0), (2100, 450.0), (2200, 440.0)):
            fall = cut * (year > 2025)
            rows.append(
                (portfolio, year, "co2", top - fall, top - fall, top - fall - 30, top - fall + 40, "ppm")
            )
            if portfolio != "none":
                rows.append(
                    (
                        portfolio,
                        year,
                        "relief_cumulative",
                        44 * fall,
                        44 * fall,
                        22 * fall,
                        88 * fall,
                        "GtCO2",
                    )
                )
                rows.append(
                    (portfolio, year, "net_effect", -6 * fall, -6 * fall, -9 * fall, -3 * fall, "GtC")
                )
    columns = ["portfolio", "year", "quantity", "mean", "median", "low", "high", "unit"]
    return pd.DataFrame(rows, columns=columns).assign(interval_kind="equal-tailed", interval_mass=0.9)


def test_each_panel_shows_a_portfolio_over_the_air_without(air):
    figure = plots.plot_concentrations(air)
    drawn = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in drawn] == ["trees", "mixed"]
    plain, own = drawn[1].lines
    assert list(plain.get_ydata()) == [425.0, 450.0, 440.0]
    assert list(own.get_ydata()) == [425.0, 430.0, 420.0]
    band = drawn[1].collections[1].get_paths()[0].vertices
    assert {(2100.0, 400.0), (2100.0, 470.0)} <= {(float(x), float(y)) for x, y in band}
    assert [t.get_text() for t in drawn[1].texts] == ["2100: 430 ppm (−20.0)\n2200: 420 ppm (−20.0)"]
    assert drawn[0].get_ylim() == drawn[1].get_ylim()
    assert "90 % equal-tailed interval" in " ".join(t.get_text() for t in figure.texts)


def test_portfolios_are_picked(air):
    figure = plots.plot_concentrations(air, ["mixed"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["mixed"]
    with pytest.raises(InputError, match="no such portfolio"):
        plots.plot_concentrations(air, ["none"])


def test_net_effects_are_in_one_unit_and_shares_of_means(air):
    table = effect_table(air, 2100).set_index("portfolio")
    # 6 GtC of every 44 GtCO2: 22 of 44.
    assert table.loc["mixed", ["removed", "less", "share"]].tolist() == pytest.approx([880.0, 440.0, 0.5])
    assert table.loc["mixed", ["less_low", "less_high"]].tolist() == pytest.approx([220.0, 660.0])
    assert "none" not in table.index
    first = effect_table(air, 2025)
    assert first["share"].isna().all()


def test_net_effects_are_drawn_where_the_table_says(air):
    axes = plots.plot_net_effect(air).axes[0]
    assert list(axes.lines[0].get_xdata()) == [220.0, 880.0]
    assert list(axes.lines[1].get_xdata()) == pytest.approx([110.0, 440.0])
    assert [t.get_text() for t in axes.texts] == ["50 %", "50 %"]
    assert axes.collections[1].get_segments()[1][:, 0].tolist() == pytest.approx([220.0, 660.0])


def test_bad_tables_are_named(air):
    with pytest.raises(InputError, match="no CO2 in the table"):
        plots.plot_concentrations(air[air["quantity"] != "co2"])
    with pytest.raises(InputError, match="relief_cumulative in 2077"):
        plots.plot_net_effect(air, 2077)
    with pytest.raises(InputError, match="missing column"):
        plots.plot_net_effect(air.drop(columns="low"))
