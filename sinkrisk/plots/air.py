"""The air under portfolios: concentration fans, and what of the removal the sinks leave to the air"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk import units
from sinkrisk.errors import InputError, Problem
from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import signed, unit_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = (
    "portfolio", "year", "quantity", "mean", "median", "low", "high", "unit", "interval_kind",
    "interval_mass",
)  # fmt: skip

WITHOUT = "none"
"""Name under which the table holds the air without any portfolio."""

RELIEF, EFFECT = "relief_cumulative", "net_effect"
"""Quantities of the table: removed or avoided so far (GtCO2); what is in the air for it (GtC, negative)."""


def _checked(air: pd.DataFrame) -> pd.DataFrame:
    return require_table(
        air,
        _COLUMNS,
        name="air",
        numeric=("year", "mean", "median", "low", "high"),
        ordered=(("low", "high"),),
    )


def plot_concentrations(air: pd.DataFrame, portfolios: Sequence[str] | None = None) -> Figure:
    """Draw the fan of CO2 under each portfolio over that without any, one panel a portfolio.

    Parameters
    ----------
    air : DataFrame
        From ``portfolio.air_table``: portfolio, year, quantity, mean, median, low, high, unit,
        interval_kind, interval_mass; the portfolio ``none`` is the air without any.
    portfolios : sequence of str, optional
        Portfolios to draw, all by default.

    Returns
    -------
    Figure
        All panels share their axes, so that heights compare.

    Raises
    ------
    InputError
        For a table without the columns or without CO2, or an unknown portfolio.
    """
    table = _checked(air)
    table = table[table["quantity"] == "co2"]
    if table.empty:
        raise InputError(Problem("air: no CO2 in the table", allowed="quantity 'co2'", key="quantity"))
    there = [n for n in dict.fromkeys(table["portfolio"].astype(str)) if n != WITHOUT]
    picked = chosen(portfolios, there, key="portfolio", name="air")
    unit, interval = unit_text(only(table, "unit", name="air")), interval_label(table, name="air")
    plain = table[table["portfolio"] == WITHOUT].sort_values("year")
    last = int(table["year"].max())
    # The end of the century is what is mostly asked for.
    years = sorted({last} | ({2100} & {int(y) for y in plain["year"]}))
    columns = min(3, max(len(picked), 1))
    rows = -(-len(picked) // columns)
    with style.styled():
        figure = style.new_figure(2.35 * rows + 0.9)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for name, axes in zip(picked, grid.flat, strict=False):
            one = table[table["portfolio"] == name].sort_values("year")
            axes.fill_between(
                plain["year"], plain["low"], plain["high"], color=style.GREY, alpha=0.25, linewidth=0.0
            )
            axes.plot(
                plain["year"], plain["median"], color=style.INK, linewidth=1.4, linestyle="--",
                label="without any portfolio",
            )  # fmt: skip
            axes.fill_between(
                one["year"], one["low"], one["high"], color=style.BLUE, alpha=0.3, linewidth=0.0
            )
            axes.plot(one["year"], one["median"], color=style.BLUE, linewidth=1.8, label="with the portfolio")
            axes.set_title(style.wrapped([name], 34)[0])
            axes.margins(x=0.0)
            style.light_grid(axes, "y")
            told = [
                f"{year}: {_at(one, year):.0f} {unit} ({signed(_at(one, year) - _at(plain, year), 1)})"
                for year in years
            ]
            axes.text(
                0.98, 0.97, "\n".join(told), transform=axes.transAxes, ha="right", va="top", fontsize=8.5,
                color=style.BLUE, linespacing=1.3,
            )  # fmt: skip
        # Room above the bands for the numbers.
        low, high = grid[0, 0].get_ylim()
        grid[0, 0].set_ylim(low, high + 0.2 * (high - low))
        for axes in list(grid.flat)[len(picked) :]:
            axes.set_axis_off()
        for row in grid:
            row[0].set_ylabel(f"CO₂, {unit}")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2)
        style.caption(
            figure,
            f"Line: median over draws; band: {interval}. In brackets the difference of the medians to "
            "those without any portfolio. Blue over grey: with the portfolio, and without any, under the "
            "same emissions and the same draws of the sinks.",
        )
    return figure


def _at(one: pd.DataFrame, year: int) -> float:
    return float(one.loc[one["year"] == year, "median"].iloc[0])


def effect_table(air: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return what was removed or avoided until a year beside what the air then holds less, in one unit.

    Parameters
    ----------
    air : DataFrame
        From ``portfolio.air_table``.
    year : int

    Returns
    -------
    DataFrame
        ``portfolio, removed, removed_low, removed_high, less, less_low, less_high, share``, GtCO2; `less`
        is counted positive where the air holds less, `share` is of the two means, NaN where nothing
        is removed.

    Raises
    ------
    InputError
        For a table without the columns, or without the year or the quantities.
    """
    table = _checked(air)
    table = table[(table["year"] == year) & (table["portfolio"] != WITHOUT)]
    parts = {}
    for quantity in (RELIEF, EFFECT):
        rows = table[table["quantity"] == quantity]
        if rows.empty:
            raise InputError(
                Problem("air: not in the table", got=f"{quantity} in {year}", key="quantity, year")
            )
        rate = units.factor(only(rows, "unit", name="air"), "GtCO2")
        numbers = rows.set_index("portfolio")[["mean", "low", "high"]].astype(float)
        parts[quantity] = numbers * rate
    removed, effect = parts[RELIEF], parts[EFFECT].reindex(parts[RELIEF].index)
    positive = removed["mean"] > 0.0
    return pd.DataFrame(
        {
            "portfolio": removed.index,
            "removed": removed["mean"].to_numpy(),
            "removed_low": removed["low"].to_numpy(),
            "removed_high": removed["high"].to_numpy(),
            # What lowers the air counts up, so the ends change places.
            "less": -effect["mean"].to_numpy(),
            "less_low": -effect["high"].to_numpy(),
            "less_high": -effect["low"].to_numpy(),
            "share": (-effect["mean"] / removed["mean"]).where(positive).to_numpy(),
        }
    )


def plot_net_effect(air: pd.DataFrame, year: int = 2100) -> Figure:
    """Draw what each portfolio removed or avoided until a year beside what the air holds less for it.

    Parameters
    ----------
    air : DataFrame
        From ``portfolio.air_table``.
    year : int

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        As `effect_table`.
    """
    table = effect_table(air, year)
    interval = interval_label(air, name="air")
    names = [str(n) for n in table["portfolio"]]
    at = np.arange(len(names), dtype=float)
    with style.styled():
        figure = style.new_figure(0.42 * len(names) + 1.5)
        axes = figure.subplots()
        for shift, what, colour, mark, label in (
            (-0.16, "removed", style.ORANGE, "s", "removed or avoided"),
            (0.16, "less", style.BLUE, "o", "less in the air"),
        ):
            axes.hlines(at + shift, table[f"{what}_low"], table[f"{what}_high"], color=colour, linewidth=2.4)
            axes.plot(table[what], at + shift, mark, color=colour, markersize=6, label=label)
        right = float(table[["removed_high", "less_high"]].to_numpy().max())
        axes.set_xlim(min(0.0, float(table["less_low"].min())), 1.02 * right if right > 0.0 else 1.0)
        for position, share in zip(at, table["share"], strict=True):
            if np.isfinite(share):
                axes.text(
                    1.01, position, f"{100.0 * share:.0f} %", transform=axes.get_yaxis_transform(),
                    va="center", fontsize=9.0, color=style.INK,
                )  # fmt: skip
        axes.set_yticks(at, style.wrapped(names, 30))
        axes.set_ylim(len(names) - 0.5, -0.6)
        axes.set_xlabel(f"GtCO₂ until the end of {year}")
        style.light_grid(axes, "x")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        style.caption(
            figure,
            f"Marks: means over draws; lines: {interval}s. On the right how much of the removal the air "
            "keeps: less CO₂ weakens ocean and land, which give back the rest.",
        )
    return figure
