"""Adaptive deployment: the map of plans over periods and its switch points, and how a miss is foretold"""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.errors import InputError, Problem
from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case, unit_text
from sinkrisk.plots.portfolio import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_FLOWS = ("policy", "period", "next_period", "from", "to", "share")
_TRIGGERS = (
    "half", "period", "from", "to", "signal", "side", "threshold", "signal_unit", "share", "value", "low",
    "high", "kept", "unit", "interval_kind", "interval_mass",
)  # fmt: skip
_COLOURS = (
    style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY, "#8A5A00", style.VERMILION, style.GREY,
)  # fmt: skip
_WIDEST = 13.0
"""Width of a line that all draws travel on, points."""

LABELLED = 0.02
"""Least share of draws whose switch is labelled."""


def plot_decision_map(
    flows: pd.DataFrame, triggers: pd.DataFrame | None = None, *, policy: str = "rolling"
) -> Figure:
    """Draw which plan is followed when, as a metro map: a line a plan, a station a period.

    Parameters
    ----------
    flows : DataFrame
        ``AdaptResult.flows``: policy, period, next_period, from, to, share.
    triggers : DataFrame, optional
        ``AdaptResult.triggers``: rules are numbered on the map and spelt out below it.
    policy : str
        Whose choices are drawn; the fixed plan lies beneath in grey.

    Returns
    -------
    Figure
        Widths of lines and areas of stations are shares of draws.

    Raises
    ------
    InputError
        For a missing column, an unknown policy, or shares outside 0 to 1.
    """
    table = require_table(flows, _FLOWS, name="flows", numeric=["share"])
    there = list(dict.fromkeys(table["policy"].astype(str)))
    chosen([policy], there, key="policy", name="flows")
    if not table["share"].between(0.0, 1.0 + 1e-9).all():
        row = int(np.flatnonzero(~table["share"].between(0.0, 1.0 + 1e-9))[0])
        got = float(table["share"].iloc[row])
        raise InputError(Problem("flows: no share", got=got, allowed="0 to 1", key="share", row=row + 1))
    rules = _rules(triggers)
    periods = in_order([*table["period"], *table["next_period"]])
    own, fixed = (table[table["policy"] == p] for p in (policy, "fixed"))
    seen = [*own["from"], *own["to"], *fixed["from"], *fixed["to"]]
    lines = list(dict.fromkeys([*seen, *rules.get("from", []), *rules.get("to", [])]))
    place = {name: -float(k) for k, name in enumerate(lines)}
    colour = {name: _COLOURS[k % len(_COLOURS)] for k, name in enumerate(lines)}
    with style.styled():
        spelt = _spelt(rules)
        below = 0.17 * sum(1 + text.count("\n") for text in spelt) + 0.09 * len(spelt)
        heights = [0.62 * len(lines) + 0.7] + ([below + 0.2] if spelt else [])
        figure = style.new_figure(sum(heights) + 0.8)
        axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        for name in lines:
            axes[0].plot([0, len(periods) - 1], [place[name]] * 2, color=style.LIGHT, linewidth=0.8, zorder=0)
        for flow in fixed.to_dict("records"):
            _track(axes[0], flow, periods, place, style.LIGHT, _WIDEST + 7.0, 1)
        for flow in own.sort_values("share", ascending=False, kind="stable").to_dict("records"):
            _track(axes[0], flow, periods, place, colour[flow["to"]], _WIDEST, 3)
        _labels(axes[0], own, periods, place)
        _stations(axes[0], own, periods, place, colour)
        for number, rule in enumerate(rules.to_dict("records"), start=1):
            # Numbers stand side by side on the line that is left, before the station of the period.
            before = sum(
                (rules["period"].iloc[: number - 1] == rule["period"])
                & (rules["from"].iloc[: number - 1] == rule["from"])
            )
            x = periods.index(str(rule["period"])) - 0.16 - 0.1 * before
            face = style.INK if rule["kept"] else "white"
            axes[0].text(
                x, place[rule["from"]] + 0.36, str(number), ha="center", va="center", fontsize=8.5,
                color="white" if rule["kept"] else style.INK, zorder=9,
                bbox={"boxstyle": "circle,pad=0.22", "facecolor": face, "edgecolor": style.INK},
            )  # fmt: skip
        axes[0].set_yticks([place[n] for n in lines], style.wrapped(lines, 24))
        axes[0].set_xticks(range(len(periods)), [sentence_case(p) for p in periods])
        axes[0].set_xlim(-0.12, len(periods) - 0.8)
        axes[0].set_ylim(-len(lines) + 0.45, 0.65)
        axes[0].tick_params(length=0)
        for side in ("left", "bottom"):
            axes[0].spines[side].set_visible(False)
        if spelt:
            axes[1].set_axis_off()
            text = "\n".join(spelt)
            axes[1].text(-0.16, 1.0, text, fontsize=8.5, va="top", linespacing=1.5, color=style.INK)
        how = "which knows each draw" if policy == "perfect" else "decided on the other half of the draws"
        text = (
            f"Coloured: the {readable(policy)} policy, {how}; widths, areas and percentages are shares of "
            f"draws, those of switches from {percent(LABELLED)} on. Grey, beneath: the best fixed plan of "
            "each half."
        )
        if spelt:
            interval, unit = interval_label(rules, name="triggers"), unit_text(rules["unit"].iloc[0])
            text += (
                f" Numbers: rules found on half 1 or 2 of the draws, their worth in {unit} "
                f"against the fixed plan on the other, with the {interval}; black where it lies above nought."
            )
        style.caption(figure, text)
    return figure


def _rules(triggers: pd.DataFrame | None) -> pd.DataFrame:
    if triggers is None or triggers.empty or (triggers["period"] == "all").all():
        return pd.DataFrame()
    table = require_table(
        triggers,
        _TRIGGERS,
        name="triggers",
        numeric=["threshold", "share", "value", "low", "high"],
        ordered=[("low", "high")],
    )
    return table[table["period"] != "all"].reset_index(drop=True)


def _track(
    axes: Axes,
    flow: Mapping[Hashable, Any],
    periods: list[str],
    place: dict[str, float],
    colour: str,
    widest: float,
    order: int,
) -> None:
    x, y = _curve(periods.index(flow["period"]), place[flow["from"]], place[flow["to"]])
    width = max(widest * flow["share"], 1.0)
    axes.plot(x, y, color=colour, linewidth=width, zorder=order, solid_capstyle="round")


def _labels(axes: Axes, own: pd.DataFrame, periods: list[str], place: dict[str, float]) -> None:
    """Label the switches, each where its track is farthest from the labels that stand already."""
    switches = own[(own["from"] != own["to"]) & (own["share"] >= LABELLED)]
    taken: list[tuple[float, float]] = []
    for flow in switches.sort_values("share", ascending=False, kind="stable").to_dict("records"):
        x, y = _curve(periods.index(flow["period"]), place[flow["from"]], place[flow["to"]])
        spots = [(float(x[k]), float(y[k])) for k in range(21, 43, 2)]
        # A label is about a tenth of a period wide and a quarter of a line high; the middle is preferred.
        far = [
            min([*(max(abs(u - a) / 0.11, abs(v - b) / 0.26) for a, b in taken), 1.0]) - 0.01 * abs(k - 5)
            for k, (u, v) in enumerate(spots)
        ]
        spot = spots[int(np.argmax(far))]
        taken.append(spot)
        axes.text(
            *spot, percent(flow["share"]), fontsize=8, ha="center", va="center", zorder=6,
            color=style.INK, bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip


def _curve(at: int, start: float, end: float) -> tuple[Floats, Floats]:
    """Return a track from one station to the next: along its line, over, and along the other line."""
    t = np.linspace(0.0, 1.0, 61)
    s = np.clip((t - 0.25) / 0.5, 0.0, 1.0)
    return at + t, start + (end - start) * s * s * (3.0 - 2.0 * s)


def _stations(
    axes: Axes, own: pd.DataFrame, periods: list[str], place: dict[str, float], colour: dict[str, str]
) -> None:
    for q, period in enumerate(periods):
        rows = own[own["period"] == period].groupby("from")["share"].sum()
        if q == len(periods) - 1:
            rows = own[own["next_period"] == period].groupby("to")["share"].sum()
        for name, share in rows.items():
            axes.scatter(
                [q], [place[str(name)]], s=40.0 + 330.0 * float(share), facecolor="white",
                edgecolor=colour[str(name)], linewidth=2.2, zorder=7,
            )  # fmt: skip
            axes.annotate(
                percent(float(share)), (q, place[str(name)]), xytext=(0, -17), fontsize=8,
                textcoords="offset points", ha="center", va="center", color=style.INK, zorder=8,
            )  # fmt: skip


def _spelt(rules: pd.DataFrame) -> list[str]:
    """Return the rules in words, broken over lines."""
    out = []
    for k, rule in enumerate(rules.to_dict("records")):
        signal, _, detail = str(rule["signal"]).partition(":")
        what = readable(signal) + (f" ({readable(detail)})" if detail else "")
        unit = unit_text(rule["signal_unit"])
        text = (
            f"{k + 1}  {sentence_case(rule['period'])} ({rule['half']}): {readable(rule['from'])} → "
            f"{readable(rule['to'])} where {what} {rule['side']} {rule['threshold']:.3g}"
            f"{' ' + unit if unit else ''}; {percent(float(rule['share']))}; worth {rule['value']:.3g} "
            f"({rule['low']:.3g} to {rule['high']:.3g})"
        ).replace("-", "−")
        out.append("\n".join(textwrap.wrap(text, 108, subsequent_indent="    ")))
    return out


def plot_early_warning(warning: pd.DataFrame, calibration: pd.DataFrame | None = None) -> Figure:
    """Draw how well monitoring foretells a missed target, by portfolio and period.

    Parameters
    ----------
    warning : DataFrame
        ``WarningResult.table``: portfolio, period, year, base_rate, auc, low, high, interval_kind,
        interval_mass.
    calibration : DataFrame, optional
        ``WarningResult.calibration``: predicted risks against what happened, a second panel.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column or an interval that ends before it starts.
    """
    table = require_table(
        warning,
        ("portfolio", "period", "year", "base_rate", "auc", "low", "high", "interval_kind", "interval_mass"),
        name="early warning",
        numeric=["year", "base_rate", "auc", "low", "high"],
        ordered=[("low", "high")],
    )
    binned = None
    if calibration is not None and not calibration.empty:
        binned = require_table(
            calibration,
            ("portfolio", "period", "predicted", "observed", "low", "high", "interval_kind", "interval_mass"),
            name="calibration",
            numeric=["predicted", "observed", "low", "high"],
            ordered=[("low", "high")],
        )
    interval = interval_label(table, name="early warning")
    names, periods = list(dict.fromkeys(table["portfolio"].astype(str))), in_order(table["period"])
    with style.styled():
        figure = style.new_figure(max(0.42 * len(names), 2.2) + 1.6)
        grid = figure.subplots(1, 2 if binned is not None else 1, squeeze=False)[0]
        colours = {p: _COLOURS[k % len(_COLOURS)] for k, p in enumerate(periods)}
        marks = {p: "osD^v"[k % 5] for k, p in enumerate(periods)}
        for k, period in enumerate(periods):
            one = table[table["period"] == period].set_index("portfolio").reindex(names)
            at = np.arange(len(names)) + 0.2 * (k - (len(periods) - 1) / 2.0)
            grid[0].hlines(at, one["low"], one["high"], color=colours[period], linewidth=2.2)
            year = int(only(table[table["period"] == period], "year", name="early warning").partition(".")[0])
            grid[0].plot(
                one["auc"], at, marks[period], color=colours[period], markersize=6, label=f"by {year}"
            )
        grid[0].axvline(0.5, color=style.INK, linewidth=0.8, linestyle="--")
        rates = table.groupby("portfolio")["base_rate"].first()
        labels = [f"{n}\nmissed in {percent(float(rates[n]))}" for n in names]
        grid[0].set_yticks(range(len(names)), [_two_lines(t) for t in labels])
        grid[0].set_ylim(len(names) - 0.4, -0.6)
        lowest = float(np.nanmin([*table["low"].dropna(), 0.45]))
        grid[0].set_xlim(min(lowest, 0.45), 1.0)
        grid[0].set_xlabel("area under the curve, held out")
        grid[0].set_title("Telling misses from the rest")
        style.light_grid(grid[0], "x")
        if binned is not None:
            _calibrated(grid[1], binned, periods, colours, marks)
        handles, texts = grid[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside upper left", ncols=len(periods))
        text = (
            f"Left: mark, area under the receiver operating characteristic; line, its {interval}; dashed, "
            "chance; portfolios without a mark miss or meet the target in nearly all draws."
        )
        if binned is not None:
            text += (
                f" Right: share of misses where they were held so likely, in tenths of the draws of each "
                f"portfolio and year; line, {interval_label(binned, name='calibration')}; dashed, perfect "
                "calibration."
            )
        style.caption(figure, text)
    return figure


def _two_lines(label: str) -> str:
    name, _, rest = label.partition("\n")
    return f"{readable(name)}\n{rest}"


def _calibrated(
    axes: Axes, binned: pd.DataFrame, periods: list[str], colours: dict[str, str], marks: dict[str, str]
) -> None:
    for period in periods:
        one = binned[binned["period"] == period]
        axes.vlines(
            one["predicted"], one["low"], one["high"], color=colours[period], linewidth=1.0, alpha=0.5
        )
        axes.plot(one["predicted"], one["observed"], marks[period], color=colours[period], markersize=4)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=style.INK, linewidth=0.8, linestyle="--")
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("predicted risk of a miss")
    axes.set_ylabel("share that missed")
    axes.set_title("Calibration")
    style.light_grid(axes, "both")
