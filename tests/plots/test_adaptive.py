"""The map of plans and the early warning are drawn where the tables say."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from sinkrisk.errors import InputError
from sinkrisk.plots import style
from sinkrisk.plots.adaptive import plot_decision_map, plot_early_warning


@pytest.fixture
def flows() -> pd.DataFrame:
    rows = [
        ("fixed", "near_term", "mid_term", "a", "a", 1.0),
        ("fixed", "mid_term", "long_term", "a", "b_plan", 1.0),
        ("rolling", "near_term", "mid_term", "a", "a", 0.7),
        ("rolling", "near_term", "mid_term", "a", "c", 0.3),
        ("rolling", "mid_term", "long_term", "a", "b_plan", 0.7),
        ("rolling", "mid_term", "long_term", "c", "c", 0.296),
        ("rolling", "mid_term", "long_term", "c", "a", 0.004),
    ]
    return pd.DataFrame(rows, columns=["policy", "period", "next_period", "from", "to", "share"])


@pytest.fixture
def triggers() -> pd.DataFrame:
    rows = [
        (
            1,
            "mid_term",
            "a",
            "c",
            "cost_per_tonne:daccs",
            "above",
            120.0,
            "USD/tCO2",
            0.2,
            5.0,
            1.0,
            9.0,
            True,
        ),
        (1, "all", "", "", "", "", float("nan"), "", 0.2, 5.0, 1.0, 9.0, True),
        (2, "mid_term", "a", "c", "removal_ratio", "below", 0.5, "1", 0.1, 1.0, -1.0, 3.0, False),
    ]
    columns = ["half", "period", "from", "to", "signal", "side", "threshold", "signal_unit", "share", "value"]
    table = pd.DataFrame(rows, columns=[*columns, "low", "high", "kept"])
    return table.assign(unit="billion USD", interval_kind="percentile bootstrap", interval_mass=0.9)


@pytest.fixture
def warning() -> pd.DataFrame:
    rows = [
        ("a", "near_term", 2035, 0.4, 0.6, 0.55, 0.65),
        ("a", "mid_term", 2050, 0.4, 0.8, 0.75, 0.85),
        ("b", "near_term", 2035, 1.0, float("nan"), float("nan"), float("nan")),
        ("b", "mid_term", 2050, 1.0, float("nan"), float("nan"), float("nan")),
    ]
    table = pd.DataFrame(rows, columns=["portfolio", "period", "year", "base_rate", "auc", "low", "high"])
    return table.assign(interval_kind="logit-normal (DeLong)", interval_mass=0.9)


@pytest.fixture
def calibration() -> pd.DataFrame:
    table = pd.DataFrame({"portfolio": "a", "period": "near_term", "predicted": [0.2, 0.6]})
    return table.assign(observed=[0.25, 0.5], low=0.1, high=0.7, interval_kind="Wilson", interval_mass=0.9)


def texts_of(figure):
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def test_tracks_have_the_width_of_their_share(flows):
    axes = plot_decision_map(flows).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "c", "b plan"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["Near term", "Mid term", "Long term"]
    tracks = [line for line in axes.lines if len(line.get_xdata()) > 2]
    grey = [line for line in tracks if to_hex(line.get_color()) == style.LIGHT.lower()]
    own = [line for line in tracks if to_hex(line.get_color()) != style.LIGHT.lower()]
    assert len(grey) == 2
    ends = {
        (line.get_xdata()[0], line.get_ydata()[0], line.get_ydata()[-1]): line.get_linewidth() for line in own
    }
    assert ends == {
        (0.0, 0.0, 0.0): pytest.approx(13 * 0.7), (0.0, 0.0, -1.0): pytest.approx(13 * 0.3),
        (1.0, 0.0, -2.0): pytest.approx(13 * 0.7), (1.0, -1.0, -1.0): pytest.approx(13 * 0.296),
        (1.0, -1.0, 0.0): 1.0,
    }  # fmt: skip


def test_switches_and_stations_are_labelled(flows):
    texts = texts_of(plot_decision_map(flows))
    # Stations: 100; 70 and 30; 70, 30 (29.6) and under 1. Switches: 30 and 70; under 1 is not labelled.
    expected = ["100 %", "70 %", "30 %", "70 %", "30 %", "<1 %", "30 %", "70 %"]
    assert sorted(texts) == sorted(expected)


def test_rules_are_numbered_and_spelt_out(flows, triggers):
    figure = plot_decision_map(flows, triggers)
    texts = texts_of(figure)
    assert "1" in texts
    assert "2" in texts
    rule = "1  Mid term (1): a → c where cost per tonne (DACCS) above 120 USD/tCO₂; 20 %; worth 5 (1 to 9)"
    assert any(t.startswith(rule) and "(−1 to 3)" in t for t in texts)
    caption = " ".join(t.get_text() for t in figure.texts)
    marks = {t.get_text(): t.get_bbox_patch() for t in figure.axes[0].texts if t.get_text() in "12"}
    # Kept rules are black, the others white.
    assert to_hex(marks["1"].get_facecolor()) == style.INK.lower()
    assert to_hex(marks["2"].get_facecolor()) == "#ffffff"
    label = figure._supxlabel.get_text().replace("\n", " ") if figure._supxlabel else caption
    assert "90 % percentile bootstrap interval" in label


def test_another_policy_is_drawn_on_demand(flows):
    own = flows.assign(policy=flows["policy"].replace("rolling", "perfect"))
    assert "which knows each draw" in plot_decision_map(own, policy="perfect")._supxlabel.get_text()
    with pytest.raises(InputError, match=r"no such policy: got 'roling'.*did you mean 'rolling'"):
        plot_decision_map(flows, policy="roling")


def test_bad_tables_are_named(flows, triggers, warning):
    with pytest.raises(InputError, match=r"no share: got 1\.5"):
        plot_decision_map(flows.assign(share=1.5))
    with pytest.raises(InputError, match="missing column"):
        plot_decision_map(flows.drop(columns="to"))
    with pytest.raises(InputError, match="interval ends before it starts"):
        plot_decision_map(flows, triggers.assign(low=99.0))
    with pytest.raises(InputError, match="missing column"):
        plot_early_warning(warning.drop(columns="auc"))
    with pytest.raises(InputError, match="interval ends before it starts"):
        plot_early_warning(warning.assign(low=2.0))


def test_warning_is_drawn_where_the_table_says(warning, calibration):
    figure = plot_early_warning(warning, calibration)
    left, right = figure.axes
    near, mid = left.lines[:2]
    assert near.get_label() == "by 2035"
    assert near.get_xdata()[0] == 0.6
    assert mid.get_xdata()[0] == 0.8
    assert [t.get_text() for t in left.get_yticklabels()] == ["a\nmissed in 40 %", "b\nmissed in 100 %"]
    assert list(right.lines[0].get_xdata()) == [0.2, 0.6]
    assert list(right.lines[0].get_ydata()) == [0.25, 0.5]
    caption = figure._supxlabel.get_text().replace("\n", " ")
    assert "90 % logit-normal (DeLong) interval" in caption
    assert "90 % Wilson interval" in caption


def test_a_warning_without_anything_to_tell_is_still_drawn(warning):
    silent = warning[warning["portfolio"] == "b"]
    figure = plot_early_warning(silent, pd.DataFrame())
    assert len(figure.axes) == 1
    style.svg_text(figure)
