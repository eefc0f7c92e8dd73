"""What becomes of a planned tonne, step by step, and what limits the capacity there is"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRACED = (
    "portfolio", "step", "role", "mean", "low", "high", "share", "unit", "interval_kind", "interval_mass",
)  # fmt: skip

STEP_WORDS: dict[str, str] = {
    "planned": "planned",
    "limited": "beyond capacity",
    "scarce": "resources oversubscribed",
    "withheld": "withheld by institutions",
    "captured": "captured",
    "reallocated": "moved to other pathways",
    "coupled": "changed by couplings",
    "avoided": "avoided emissions",
    "utilised": "fossil carbon in products",
    "uncounted": "not additional or not taken up",
    "foregone": "foregone regrowth",
    "saturated": "turned away by full stores",
    "removed": "gross removal",
    "returned": "returned to the air",
    "process": "process emissions",
    "non_co2": "non-CO₂ effects",
    "net": "net removal",
}
"""What the steps of `portfolio.trace_table` are called."""

STEP_STYLES: dict[str, tuple[str, str]] = {
    "limited": (style.LIGHT, ""),
    "scarce": (style.YELLOW, ""),
    "withheld": ("#F3DFA2", "////"),
    "captured": (style.SKY, ""),
    "reallocated": (style.SKY, "////"),
    "coupled": (style.GREEN, "////"),
    "avoided": ("#B5B5B5", "////"),
    "utilised": ("#E5BCD3", "////"),
    "uncounted": (style.GREY, ""),
    "foregone": ("#8A5A00", ""),
    "saturated": ("#9ADBC6", ""),
    "returned": (style.VERMILION, ""),
    "process": (style.ORANGE, ""),
    "non_co2": (style.PURPLE, ""),
    "net": (style.BLUE, ""),
}
"""Colour and hatch of each step."""

LIMIT_STYLES: dict[str, tuple[str, str]] = {
    "growth": (style.SKY, ""),
    "potential": (style.LIGHT, ""),
    "land": ("#8A5A00", ""),
    "biomass": (style.GREEN, ""),
    "water": (style.BLUE, ""),
    "clean_energy": (style.ORANGE, ""),
    "reactive_mineral": (style.PURPLE, ""),
    "co2_transport": (style.GREY, ""),
    "co2_storage": ("#333333", ""),
    "point_co2": (style.VERMILION, "////"),
}
"""Colour and hatch of each limit of capacity."""


def _checked(tracing: pd.DataFrame) -> pd.DataFrame:
    return require_table(
        tracing, _TRACED, name="tracing", numeric=("mean", "low", "high", "share"), ordered=(("low", "high"),)
    )


def plot_tracing(tracing: pd.DataFrame) -> Figure:
    """Draw for all portfolios what becomes of the plan, and what becomes of what is captured.

    Parameters
    ----------
    tracing : DataFrame
        From ``portfolio.trace_table``: portfolio, step, role, mean, low, high, share, unit,
        interval_kind, interval_mass.

    Returns
    -------
    Figure
        Left shares of the plan, right tonnes of what is captured; both read from right to left as losses.

    Raises
    ------
    InputError
        For a missing column or text where a number belongs.
    """
    table = _checked(tracing)
    interval = interval_label(table, name="tracing")
    names = list(dict.fromkeys(table["portfolio"].astype(str)))
    # A portfolio that plans nothing has no shares.
    value, share = (
        {
            (str(p), str(s)): 0.0 if np.isnan(v) else float(v)
            for p, s, v in zip(table["portfolio"], table["step"], table[column], strict=True)
        }
        for column in ("mean", "share")
    )
    net = table[table["step"] == "net"].set_index("portfolio")
    at = np.arange(len(names), dtype=float)
    handles: dict[str, Any] = {}
    with style.styled():
        figure = style.new_figure(0.34 * len(names) + 2.5)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.0, 1.25])
        for k, name in enumerate(names):
            one = {step: 100.0 * share.get((name, step), 0.0) for step in STEP_WORDS}
            start = 0.0
            for step, length in (
                ("captured", one["captured"] - one["reallocated"]), ("reallocated", one["reallocated"]),
                ("withheld", -one["withheld"]), ("scarce", -one["scarce"]), ("limited", -one["limited"]),
            ):  # fmt: skip
                handles.setdefault(step, _bar(left, k, start, length, step))
                start += length
            _losses(right, k, {step: value.get((name, step), 0.0) for step in STEP_WORDS}, handles)
        right.hlines(
            at, net["low"].reindex(names), net["high"].reindex(names), color=style.INK, linewidth=1.4
        )
        right.plot(net["mean"].reindex(names), at, "D", color=style.INK, markersize=4.5)
        left.set_xlim(0.0, 100.0)
        left.set_xlabel("% of the plan, all periods")
        left.set_title("Of what is planned …")
        right.set_xlabel("GtCO₂ until the end of the horizon (GWP100)")
        right.set_title("… of what is captured")
        right.axvline(0.0, color=style.GREY, linewidth=0.8)
        for axes in (left, right):
            axes.set_yticks(at, style.wrapped(names, 26))
            axes.set_ylim(len(names) - 0.45, -0.55)
            axes.tick_params(length=0)
        shown = [step for step in STEP_STYLES if step in handles]
        words = STEP_WORDS | {"captured": "captured as planned"}
        figure.legend(
            [handles[s] for s in shown], [words[s] for s in shown], loc="outside upper left",
            ncols=4, handlelength=1.4, columnspacing=1.2,
        )  # fmt: skip
        style.caption(
            figure,
            f"Means over draws. Diamond and line on the right: net removal and its {interval}. Where net "
            "removal is negative, losses reach below nought. Plans beyond capacity exceed the potential, "
            "what can have grown since today, or what a resource of the region suffices for.",
        )
    return figure


def _losses(axes: Axes, k: int, one: dict[str, float], handles: dict[str, Any]) -> None:
    """Draw what is left of captured carbon from nought, and what is lost from there on."""
    start = one["captured"] + max(one["coupled"], 0.0) + max(one["non_co2"], 0.0)
    for step in (
        "avoided", "utilised", "uncounted", "foregone", "saturated", "coupled", "returned", "process",
        "non_co2",
    ):  # fmt: skip
        length = max(-one[step], 0.0)
        if length > 0.0:
            handles.setdefault(step, _bar(axes, k, start - length, length, step))
            start -= length
    # What losses leave is net removal; where they leave nothing there is nothing to draw.
    handles.setdefault("net", _bar(axes, k, 0.0, max(start, 0.0), "net"))


def _bar(axes: Axes, at: float, start: float, length: float, step: str) -> Any:
    colour, hatch = STEP_STYLES[step]
    return axes.barh(
        [at], [length], left=[start], height=0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5
    )


def plot_waterfall(tracing: pd.DataFrame, portfolio: str) -> Figure:
    """Draw one portfolio's way from plan to net removal as a waterfall.

    Parameters
    ----------
    tracing : DataFrame
        From ``portfolio.trace_table``.
    portfolio : str

    Returns
    -------
    Figure
        Dark bars are levels, light ones what is lost or gained between them, with its amount.

    Raises
    ------
    InputError
        For a missing column or an unknown portfolio.
    """
    table = _checked(tracing)
    names = list(dict.fromkeys(table["portfolio"].astype(str)))
    chosen([portfolio], names, key="portfolio", name="tracing")
    table = table[table["portfolio"] == portfolio]
    interval = interval_label(table, name="tracing")
    nothing = (table["role"] == "change") & (table["mean"] == 0.0)
    rows = table[~nothing & (table["role"] != "part")].to_dict("records")
    whole = max((r["mean"] for r in rows), default=1.0)
    with style.styled():
        figure = style.new_figure(0.3 * len(rows) + 1.5)
        axes = figure.subplots()
        level = 0.0
        for k, row in enumerate(rows):
            mean = float(row["mean"])
            is_level = row["role"] == "level"
            start = 0.0 if is_level else level
            colour = style.BLUE if is_level else style.ORANGE if mean < 0.0 else style.GREEN
            axes.barh([k], [mean], left=[start], height=0.68, color=colour)
            if is_level:
                axes.hlines([k], row["low"], row["high"], color=style.INK, linewidth=1.4)
                level = mean
            else:
                level += mean
            edge = max(start, start + mean, float(row["high"]) if is_level else 0.0)
            axes.text(edge + 0.012 * whole, k, _amount(mean), va="center", fontsize=8.5)
        axes.axvline(0.0, color=style.GREY, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [sentence_case(STEP_WORDS[r["step"]]) for r in rows])
        axes.set_ylim(len(rows) - 0.45, -0.6)
        axes.margins(x=0.09)
        axes.set_xlabel("GtCO₂ until the end of the horizon (GWP100)")
        axes.set_title(style.wrapped([portfolio], 80)[0])
        style.few_ticks(axes, 6)
        style.light_grid(axes, "x")
        style.caption(
            figure,
            f"Means over draws, all pathways and periods; line: {interval} of a level. Blue: what there is; "
            "orange: what is taken off; green: what is added.",
        )
    return figure


def _amount(value: float) -> str:
    text = f"{value:.3g}" if abs(value) >= 0.005 else "<0.01" if value > 0.0 else ">−0.01"
    return text.replace("-", "−")


def plot_limits(limiting: pd.DataFrame) -> Figure:
    """Draw what limits the capacity of each pathway before any plan, one panel a period.

    Parameters
    ----------
    limiting : DataFrame
        From ``portfolio.limiting_table``: pathway, period, limit, probability, draws.

    Returns
    -------
    Figure
        Stacked bars that add up to 100 %.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or numbers of draws that differ.
    """
    table = require_table(
        limiting, ("pathway", "period", "limit", "probability", "draws"), name="limiting",
        numeric=("probability", "draws"),
    )  # fmt: skip
    draws = int(float(only(table, "draws", name="limiting")))
    periods = in_order(table["period"])
    rows = in_order(table["pathway"], tuple(style.PATHWAY_STYLES))
    limits = in_order(table["limit"], tuple(LIMIT_STYLES))
    wide = table.pivot_table(index=["pathway", "period"], columns="limit", values="probability", fill_value=0)
    with style.styled():
        figure = style.new_figure(0.26 * len(rows) + 1.9)
        grid = figure.subplots(1, len(periods), squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        for axes, period in zip(grid[0], periods, strict=True):
            left = np.zeros(len(rows))
            for position, limit in enumerate(limits):
                lengths = np.array([wide[limit].get((row, period), 0.0) for row in rows], dtype=float)
                colour, hatch = style.style_of(limit, LIMIT_STYLES, position)
                handles[limit] = axes.barh(
                    range(len(rows)), 100.0 * lengths, left=left, color=colour, hatch=hatch,
                    edgecolor="white", linewidth=0.4, height=0.76,
                )  # fmt: skip
                left = left + 100.0 * lengths
            axes.set_title(sentence_case(period))
            axes.set_xlim(0.0, 100.0)
            axes.set_xticks([0, 50, 100], ["0", "50", "100 %"])
            axes.set_yticks(range(len(rows)), [readable(r) for r in rows])
            axes.set_ylim(len(rows) - 0.45, -0.55)
            axes.tick_params(length=0)
        figure.legend(
            list(handles.values()), [readable(n) for n in handles], loc="outside upper left",
            ncols=min(5, len(handles)), handlelength=1.4, columnspacing=1.2,
        )  # fmt: skip
        style.caption(
            figure,
            f"Share of {draws} draws, regions weighted by their part of the pathway's potential, in which "
            "each limit of capacity is the least, before anything is planned. Growth: what can have grown "
            "since today. Resources are those of the region for this pathway alone.",
        )
    return figure
