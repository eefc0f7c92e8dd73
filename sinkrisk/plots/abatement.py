"""Marginal abatement cost curves: what each price calls forth, with its band, by region and period"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem
from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case, unit_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (style.ORANGE, style.SKY, style.BLUE, style.GREEN, style.PURPLE, style.VERMILION)
_LINES = ("-", "--", "-.", ":")
_COLUMNS = ("region", "period", "price", "median", "low", "high", "unit", "interval_kind", "interval_mass")


def plot_abatement(curves: pd.DataFrame, regions: Sequence[str] | None = None) -> Figure:
    """Draw marginal abatement cost curves, one panel a region, one line and band a period.

    Of one region alone every period has a panel and a scale of its own.

    Parameters
    ----------
    curves : DataFrame
        From ``portfolio.abatement_table``: region, period, price, median, low, high, unit,
        interval_kind, interval_mass.
    regions : sequence of str, optional
        Regions to draw, all by default.

    Returns
    -------
    Figure
        Tonnes across, price upwards, as the curves are usually drawn; the band is read across.

    Raises
    ------
    InputError
        For a table without the columns, an unknown region, or two rows for one point.
    """
    table = require_table(
        curves,
        _COLUMNS,
        name="abatement",
        numeric=["price", "median", "low", "high"],
        ordered=[("low", "high")],
    )
    there = list(dict.fromkeys(table["region"].astype(str)))
    picked = chosen(regions, there, key="region", name="abatement")
    table = table[table["region"].isin(picked)]
    if table.duplicated(["region", "period", "price"]).any():
        raise InputError(Problem("abatement: two rows for one region, period and price", key="price"))
    unit, interval = unit_text(only(table, "unit", name="abatement")), interval_label(table, name="abatement")
    periods = in_order(table["period"])
    # One region alone has room for a panel a period: what can grow until then differs tenfold.
    single = len(picked) == 1 and len(periods) > 1
    panels = [(picked[0], [p]) for p in periods] if single else [(r, periods) for r in picked]
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with style.styled():
        figure = style.new_figure(2.3 * rows + 1.1)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for (region, shown), axes in zip(panels, grid.flat, strict=False):
            here = table[table["region"] == region]
            for period in shown:
                k = periods.index(period)
                one = here[here["period"] == period].sort_values("price")
                colour = _COLOURS[k % len(_COLOURS)]
                axes.fill_betweenx(
                    one["price"], one["low"], one["high"], color=colour, alpha=0.25, linewidth=0.0
                )
                axes.plot(
                    one["median"],
                    one["price"],
                    color=colour,
                    linestyle=_LINES[k % len(_LINES)],
                    linewidth=1.8,
                    label=readable(period),
                )
            title = f"{sentence_case(region)}, {readable(shown[0])}" if single else sentence_case(region)
            axes.set_title(title)
            # A region without supply still has an axis.
            most = float(np.nanmax(here.loc[here["period"].isin(shown), "high"]))
            axes.set_xlim(0.0, most * 1.03 if most > 0.0 else 1.0)
            axes.set_ylim(float(table["price"].min()), float(table["price"].max()))
            style.few_ticks(axes, 4)
            style.light_grid(axes, "both")
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        for row in grid:
            row[0].set_ylabel("USD/tCO₂")
        for k, axes in enumerate(list(grid.flat)[: len(panels)]):
            if k + columns >= len(panels):
                axes.set_xlabel(unit)
        if not single:
            handles, labels = grid[0, 0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper center", ncols=len(periods))
        style.caption(
            figure,
            f"Line: median of the tonnes that cost at most the price each, a year; band: its {interval}, "
            f"read across at a given price. All in {unit}, price and tonnes of what counts, not of what is "
            "captured; each panel has its own scale. Capacities after growth, matching and what institutions "
            "let through; shared resources are not yet divided.",
        )
    return figure
