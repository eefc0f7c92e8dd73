"""The scatter and the brackets of learning are drawn where the tables say."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from sinkrisk import plots
from sinkrisk.errors import InputError


@pytest.fixture
def decision() -> pd.DataFrame:
    rows = [
        ("calm", 10.0, -5.0, 30.0, -8.0, 2.0, 0, 0),
        ("bold", 14.0, -30.0, 60.0, -35.0, 1.0, 0, 0),
        ("poor", 9.0, -31.0, 40.0, -36.0, 6.0, 0, 1),
        ("worst", 1.0, -50.0, 10.0, -60.0, 1500.0, 2, 2),
    ]
    columns = [
        "portfolio", "mean", "low", "high", "cvar", "expected_regret", "dominated_first", "dominated_second",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).assign(
        unit="billion USD", interval_kind="equal-tailed", interval_mass=0.9, tail_mass=0.05
    )


@pytest.fixture
def learning() -> pd.DataFrame:
    rows = [
        ("trl", -3.0, 8.0, 1.0, 9.0, False),
        ("mode", 20.0, 30.0, 2.0, 5.0, True),
        ("cost", 12.0, 6.0, 3.0, 4.0, True),
        ("shock", -2.0, -1e-12, 0.0, 7.0, False),
    ]
    table = pd.DataFrame(rows, columns=["driver", "cross_fitted", "plug_in", "mc_error", "floor", "acts"])
    return table.assign(perfect=100.0, unit="billion USD")


def test_points_stand_at_cvar_and_mean(decision):
    left, right = plots.plot_mean_against_cvar(decision).axes
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in left.lines] == [
        (-8.0, 10.0), (-35.0, 14.0), (-36.0, 9.0), (-60.0, 1.0),
    ]  # fmt: skip
    assert [t.get_text() for t in left.texts] == ["1", "2", "3", "4"]
    faces = [to_hex(line.get_markerfacecolor()) for line in left.lines]
    assert faces[0] == faces[1] != faces[2] != faces[3]
    assert [bar.get_width() for bar in right.patches] == [2.0, 1.0, 6.0, 1500.0]
    assert [t.get_text() for t in right.texts] == ["2", "1", "6", "1\u2009500"]
    assert [t.get_text() for t in right.get_yticklabels()] == ["calm  1", "bold  2", "poor  3", "worst  4"]
    assert "worst 5 %" in left.get_xlabel()


def test_one_portfolio_is_drawn(decision):
    left = plots.plot_mean_against_cvar(decision.iloc[:1]).axes[0]
    assert [t.get_text() for t in left.texts] == ["1"]


@pytest.mark.parametrize("kind", [bool, str])
def test_brackets_are_cut_at_nought_widened_by_chance_and_beside_their_floor(learning, kind):
    axes = plots.plot_learning(learning.assign(acts=learning["acts"].map(kind))).axes[0]
    # Those that act first, then by the upper end.
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "Deployment modes", "Costs of a tonne", "Readiness levels (TRL)", "Climate shocks",
    ]  # fmt: skip
    wide, bars, floors = axes.lines[0::4], axes.lines[1::4], axes.lines[3::4]
    assert [list(bar.get_xdata()) for bar in bars] == [[20.0, 30.0], [12.0, 6.0], [0.0, 8.0], [0.0, 0.0]]
    # The second crosses: no bar, its thin line goes from 12 - 1.645 x 3 to 6 + 1.645 x 3.
    assert [bar.get_linewidth() for bar in bars] == [4.0, 0.0, 4.0, 4.0]
    assert list(wide[0].get_xdata()) == pytest.approx([20.0 - 2 * 1.644854, 30.0 + 2 * 1.644854])
    assert list(wide[1].get_xdata()) == pytest.approx([12.0 - 3 * 1.644854, 6.0 + 3 * 1.644854])
    assert [line.get_xdata()[0] for line in floors] == [5.0, 4.0, 9.0, 7.0]
    assert bars[0].get_color() == bars[1].get_color() != bars[2].get_color()


def test_bad_tables_are_named(decision, learning):
    with pytest.raises(InputError, match="missing column"):
        plots.plot_mean_against_cvar(decision.drop(columns="cvar"))
    with pytest.raises(InputError, match="'unit' must be the same in every row"):
        plots.plot_mean_against_cvar(decision.assign(unit=["a", "a", "a", "b"]))
    with pytest.raises(InputError, match="not a number"):
        plots.plot_learning(learning.assign(floor="high"))
