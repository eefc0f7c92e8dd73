"""The reconciled budget beside what was stated, and what gives way for it to close."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case, signed, unit_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ORDER = ("fossil", "land_use", "atmosphere", "ocean", "land", "cement")


def plot_budget(table: pd.DataFrame) -> Figure:
    """Draw stated and reconciled fluxes of every window, one panel a component.

    Parameters
    ----------
    table : DataFrame
        What `budget.summarise_budget` returns: window, component, stated, stated_sd, mean, low,
        high, interval_kind, interval_mass, unit.

    Returns
    -------
    Figure
        Hollow marks are the stated values with the normal interval of the same mass (none where a
        component was not stated), filled marks the reconciled means with their intervals.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an interval that ends before it starts.
    """
    numeric = ["stated", "stated_sd", "mean", "low", "high"]
    table = require_table(
        table,
        ["window", "component", *numeric, "interval_kind", "interval_mass", "unit"],
        name="budget",
        numeric=numeric,
        ordered=[("low", "high")],
    )
    unit, interval = unit_text(only(table, "unit", name="budget")), interval_label(table, name="budget")
    # Both bars at one mass: beside a 90 % interval, a bar of one sd would look like the surer estimate.
    reach = NormalDist().inv_cdf((1.0 + float(table["interval_mass"].iloc[0])) / 2.0)
    windows = _in_time(table["window"])
    singles = [window for window in windows if not _is_span(window)]
    # Years stand apart from the means of decades: their errors and their weather are larger.
    apart = len(windows) - len(singles) - 0.5 if singles and len(singles) < len(windows) else None
    components = in_order(table["component"], _ORDER)
    rows = -(-len(components) // 3)
    with style.styled():
        figure = style.new_figure(2.75 * rows + 0.75)
        grid = figure.subplots(rows, 3, squeeze=False)
        for position, (component, axes) in enumerate(zip(components, grid.flat, strict=False)):
            one = table[table["component"] == component]
            at = np.array([windows.index(w) for w in one["window"].astype(str)], dtype=float)
            colour = style.colour_of(component, style.COMPONENT_COLOURS, position)
            stated = one["stated"].notna().to_numpy()
            axes.errorbar(
                at[stated] - 0.16, one["stated"][stated], yerr=reach * one["stated_sd"][stated].fillna(0.0),
                fmt="o", markerfacecolor="white", color=style.GREY, markersize=4.5, linewidth=1.1,
                label="stated",
            )  # fmt: skip
            axes.errorbar(
                at + 0.16, one["mean"], yerr=[one["mean"] - one["low"], one["high"] - one["mean"]],
                fmt="o", color=colour, markersize=5.5, linewidth=2.0, label="reconciled",
            )  # fmt: skip
            axes.set_title(sentence_case(component))
            axes.set_xlim(-0.6, len(windows) - 0.4)
            axes.set_xticks(range(len(windows)), windows, rotation=55, ha="right", rotation_mode="anchor")
            axes.set_ylabel(unit)
            if apart is not None:
                axes.axvline(apart, color=style.GREY, linewidth=0.8, linestyle=":")
            low, high = axes.get_ylim()
            axes.set_ylim(min(low, 0.0), max(high, 0.0))
            axes.axhline(0.0, color=style.GREY, linewidth=0.8)
            style.light_grid(axes, "y")
        for axes in list(grid.flat)[len(components) :]:
            axes.set_axis_off()
        style.caption(
            figure,
            f"Hollow, left: stated value ± {reach:.2f} stated standard deviations, the same mass under "
            f"normal errors. Filled, right: reconciled mean with its {interval}. Each panel has its own "
            f"scale, in {unit}, and includes zero. "
            + ("Right of the dotted line: single years. " if apart is not None else "")
            + "Emissions (fossil, land-use change) count positive into the air, sinks positive out of it.",
        )
    return figure


def _is_span(window: str) -> bool:
    return not window.isdigit()


def _in_time(windows: pd.Series[str]) -> list[str]:
    """Return the distinct windows: longer ones in order of their last years, then single years."""
    names = list(dict.fromkeys(windows.astype(str)))
    return sorted(names, key=lambda name: (not _is_span(name), name.split("-")[::-1]))


_GREYS = {"rounding": (style.LIGHT, ""), "missing": ("white", "////")}
"""Parts of an imbalance that belong to no component: colour and hatch."""


def plot_attribution(table: pd.DataFrame) -> Figure:
    """Draw the adjustments that close each window's budget, one panel a window.

    Parameters
    ----------
    table : DataFrame
        What `budget.attribute_imbalance` returns: window, component, adjustment_mean,
        adjustment_low, adjustment_high, variance_share, reported_imbalance, interval_kind,
        interval_mass, unit.

    Returns
    -------
    Figure
        Bars are mean adjustments; a window's bars sum to its reported imbalance (dashed line).

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an interval that ends before it starts.
    """
    numeric = [
        "adjustment_mean", "adjustment_low", "adjustment_high", "variance_share", "reported_imbalance",
    ]  # fmt: skip
    table = require_table(
        table,
        ["window", "component", *numeric, "interval_kind", "interval_mass", "unit"],
        name="attribution",
        numeric=numeric,
        ordered=[("adjustment_low", "adjustment_high")],
    )
    unit, interval = (
        unit_text(only(table, "unit", name="attribution")),
        interval_label(table, name="attribution"),
    )
    windows = _in_time(table["window"])
    columns = min(4, len(windows))
    rows = -(-len(windows) // columns)
    components = in_order(table["component"], _ORDER)
    with style.styled():
        figure = style.new_figure((0.9 + 0.27 * len(components)) * rows + 1.1)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for window, axes in zip(windows, grid.flat, strict=False):
            one = table[table["window"].astype(str) == window].set_index("component")
            names = [c for c in components if c in one.index]
            one, at = one.loc[names], np.array([components.index(c) for c in names])
            mean = one["adjustment_mean"].to_numpy()
            colours = [style.colour_of(c, style.COMPONENT_COLOURS, components.index(c)) for c in names]
            bars = axes.barh(at, mean, color=colours, height=0.66)
            for name, bar in zip(names, bars, strict=True):
                if name in _GREYS:
                    bar.set(facecolor=_GREYS[name][0], hatch=_GREYS[name][1], edgecolor=style.GREY)
            axes.errorbar(
                mean, at,
                xerr=[mean - one["adjustment_low"], one["adjustment_high"] - mean],
                fmt="none", ecolor=style.INK, elinewidth=1.2,
            )  # fmt: skip
            imbalance = float(one["reported_imbalance"].iloc[0])
            axes.axvline(0.0, color=style.GREY, linewidth=0.8)
            axes.axvline(imbalance, color=style.VERMILION, linewidth=1.4, linestyle="--")
            axes.set_title(f"{window}\nimbalance {signed(imbalance)}")
            axes.set_yticks(
                range(len(components)),
                ["missing flux" if c == "missing" else readable(c) for c in components],
            )
            style.light_grid(axes, "x")
        grid[0, 0].invert_yaxis()
        for axes in list(grid.flat)[len(windows) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel(unit)
        style.caption(
            figure,
            "Bars: mean adjustment, sign × (stated − reconciled) with + for sources and − for sinks; thin "
            f"lines: its {interval}. The bars of a window sum to its reported imbalance (dashed line, and "
            f"under the window's name), in {unit}."
            + (" Pale: the rounding of printed values." if "rounding" in components else "")
            + (" Hatched: the flux the budget misses." if "missing" in components else ""),
        )
    return figure
