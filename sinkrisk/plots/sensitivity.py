"""Which doubt matters: Sobol' indices with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import readable, sentence_case

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_COLUMNS = (
    "output", "measure", "portfolio", "driver", "index", "value", "low", "high",
    "interval_kind", "interval_mass", "n",
)  # fmt: skip


IDLE = 0.005
"""Indices that never reach this print as 0.00; such drivers are named instead of drawn."""


def split_outputs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with measure and portfolio apart where an output is ``measure:portfolio``.

    Parameters
    ----------
    table : DataFrame
        With columns measure and portfolio; rows that name a portfolio stay as they are.
    """
    measure = table["measure"].astype(str)
    portfolio = table["portfolio"].astype(object).where(table["portfolio"].notna(), "").astype(str)
    split = measure.str.partition(":")
    joined = (portfolio == "") & (split[1] == ":")
    return table.assign(measure=split[0].where(joined, measure), portfolio=split[2].where(joined, portfolio))


def _active(table: pd.DataFrame, drivers: list[str]) -> tuple[list[str], str]:
    """Return the drivers worth drawing, and a sentence that names the others."""
    top = table.assign(size=table["value"].abs()).groupby("driver", sort=False)["size"].max().fillna(0.0)
    active = [d for d in drivers if top[d] >= IDLE]
    idle = [readable(d) for d in drivers if top[d] < IDLE]
    if not active or not idle:
        return drivers, ""
    return active, f" Not drawn, below {IDLE} everywhere: {', '.join(idle)}."


def plot_sobol(sobol: pd.DataFrame, outputs: Sequence[str] | None = None) -> Figure:
    """Draw first-order (S1) and total-order (ST) indices, one panel an output.

    Parameters
    ----------
    sobol : DataFrame
        Table ``sobol.csv``: output, measure, portfolio, driver, index (S1, ST), value, low, high,
        interval_kind, interval_mass, n. An output that does not vary has NaN throughout.
    outputs : sequence of str, optional
        Outputs to draw, all by default.

    Returns
    -------
    Figure
        Drivers are ordered by their mean total-order index over the panels.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an output the table does not hold.
    """
    table = require_table(
        sobol, _COLUMNS, name="sobol", numeric=["value", "low", "high"], ordered=[("low", "high")]
    )
    picked = chosen(outputs, list(dict.fromkeys(table["output"].astype(str))), key="output", name="sobol")
    table = split_outputs(table[table["output"].isin(picked) & table["index"].isin(["S1", "ST"])])
    interval = interval_label(table, name="sobol")
    size = f"{float(only(table, 'n', name='sobol')):g}"
    source = f"over independent replicates of N = {size}"
    if "bootstrap" in interval:
        source = f"of a random design of N = {size}"
    total = table[table["index"] == "ST"].groupby("driver", sort=False)["value"].mean()
    drivers = [str(d) for d in total.fillna(-1.0).sort_values(ascending=False, kind="stable").index]
    drivers, left_out = _active(table, drivers)
    columns = 2 if len(picked) == 4 else min(3, len(picked))
    rows = -(-len(picked) // columns)
    with style.styled():
        figure = style.new_figure((0.31 * len(drivers) + 0.85) * rows + 1.2)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
        handles: dict[str, Any] = {}
        for output, axes in zip(picked, grid.flat, strict=False):
            one = table[table["output"] == output]
            at = np.arange(len(drivers), dtype=float)
            for index, shift, colour in (("ST", 0.19, style.SKY), ("S1", -0.19, style.BLUE)):
                part = one[one["index"] == index].set_index("driver").reindex(drivers)
                value = part["value"].to_numpy(dtype=float)
                shown = np.isfinite(value)
                handles[index] = axes.barh(at[shown] + shift, value[shown], height=0.36, color=colour)
                axes.hlines(
                    at[shown] + shift, part["low"][shown], part["high"][shown], color=style.INK, linewidth=1.2
                )
            axes.set_title(_heading(one), fontsize=9.5)
            if not np.isfinite(one["value"].to_numpy(dtype=float)).any():
                axes.text(
                    0.5, 0.5, "does not vary:\nno index is defined", ha="center", va="center",
                    transform=axes.transAxes, color=style.INK,
                )  # fmt: skip
            axes.set_yticks(at, style.wrapped(drivers, 24))
            axes.set_ylim(len(drivers) - 0.45, -0.55)
            axes.axvline(0.0, color=style.GREY, linewidth=0.8)
            style.light_grid(axes, "x")
        left, right = grid[0, 0].get_xlim()
        grid[0, 0].set_xlim(min(left, 0.0), max(right, 1.0))
        for axes in list(grid.flat)[len(picked) :]:
            axes.set_axis_off()
        for axes in grid[-1][: len(picked) - (rows - 1) * columns]:
            axes.set_xlabel("share of variance")
        for axes in list(grid.flat)[: len(picked)]:
            axes.tick_params(labelbottom=True)
        figure.legend(
            [handles["S1"], handles["ST"]],
            ["S1: the driver alone", "ST: with its interactions"],
            loc="outside upper left", ncols=2,
        )  # fmt: skip
        style.caption(
            figure,
            f"Sobol' indices: share of the output's variance, no unit. Thin lines: {interval} "
            f"{source}. Estimates may fall slightly below 0 or above 1." + left_out,
        )
    return figure


def _heading(one: pd.DataFrame) -> str:
    measure, name = str(one["measure"].iloc[0]), one["portfolio"].iloc[0]
    if name is None or name != name or str(name) == "":
        return sentence_case(measure)
    return f"{sentence_case(measure)}\n{readable(name)}"


def plot_total_effects(sobol: pd.DataFrame) -> Figure:
    """Draw the total-order indices of one measure as a matrix of portfolios by drivers.

    For more outputs than panels can show; the intervals belong in the table beside it.

    Parameters
    ----------
    sobol : DataFrame
        As for `plot_sobol`, with one measure and a portfolio in every row.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or more than one measure.
    """
    import matplotlib
    from matplotlib.colors import to_hex

    table = require_table(sobol, _COLUMNS, name="sobol", numeric=["value", "low", "high"])
    table = split_outputs(table)
    measure, size = only(table, "measure", name="sobol"), f"{float(only(table, 'n', name='sobol')):g}"
    table = table[table["index"] == "ST"]
    wide = table.pivot_table(index="portfolio", columns="driver", values="value", sort=False, dropna=False)
    order = [str(d) for d in wide.mean().fillna(-1.0).sort_values(ascending=False, kind="stable").index]
    active, left_out = _active(table, order)
    wide = wide[active]
    values = wide.to_numpy(dtype=float)
    with style.styled():
        figure = style.new_figure(0.36 * len(wide) + 2.3)
        axes = figure.subplots()
        colormap = matplotlib.colormaps["Blues"]
        clipped = np.clip(values, 0.0, 1.0)
        axes.pcolormesh(
            np.arange(len(wide.columns) + 1), np.arange(len(wide) + 1), np.ma.masked_invalid(clipped),
            cmap=colormap, vmin=0.0, vmax=1.0, edgecolors="white", linewidth=1.0,
        )  # fmt: skip
        for i, j in np.ndindex(values.shape):
            known = np.isfinite(values[i, j])
            ink = style.ink_on(to_hex(tuple(colormap(clipped[i, j])))) if known else style.INK
            text = f"{values[i, j] + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−") if known else "–"
            axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=ink, fontsize=9)
        axes.set_xticks(np.arange(len(wide.columns)) + 0.5, [readable(d) for d in wide.columns],
            rotation=40, ha="right", rotation_mode="anchor",
        )  # fmt: skip
        axes.set_yticks(np.arange(len(wide)) + 0.5, style.wrapped(list(wide.index), 30))
        axes.set_ylim(len(wide), 0)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{sentence_case(measure)}: total-order index ST")
        axes.set_xlabel("group of drivers (share of variance with interactions, no unit)")
        style.caption(
            figure,
            f"Total-order Sobol' index ST from replicates of N = {size}. The parts of a row may add up to "
            "more than 1, because an interaction counts for every group in it. A dash: the output does not "
            "vary. Intervals are in the table." + left_out,
        )
    return figure
