"""The plan an optimizer found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.plots import style
from sinkrisk.plots.checking import only, require_table
from sinkrisk.plots.labels import in_order, sentence_case, unit_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def _amount(value: float) -> str:
    """Return an amount for a bar's label; below a thousandth the digits would only be noise."""
    if value <= 1e-6:
        return "0"
    return "<0.001" if value < 1e-3 else f"{value:.3g}"


def plot_optimum(optimum: pd.DataFrame) -> Figure:
    """Draw the planned amount of every pathway, one panel a period.

    Parameters
    ----------
    optimum : DataFrame
        Table ``optimum.csv``: pathway, period, planned, unit.

    Returns
    -------
    Figure
        Pathways that are planned in no period are left out and counted in the caption.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or units that differ between rows.
    """
    table = require_table(
        optimum, ["pathway", "period", "planned", "unit"], name="optimum", numeric=["planned"]
    )
    unit = unit_text(only(table, "unit", name="optimum"))
    periods = in_order(table["period"])
    wide = table.pivot_table(
        index="pathway", columns="period", values="planned", aggfunc="sum", fill_value=0.0, sort=False
    )
    # Solvers leave amounts of the size of their tolerance, which are zero for a plan.
    used = wide.max(axis=1) > 1e-6
    order = in_order(wide.index, tuple(style.PATHWAY_STYLES))
    pathways = [p for p in order if used[p]] or order
    with style.styled():
        figure = style.new_figure(0.33 * len(pathways) + 1.6)
        grid = figure.subplots(1, len(periods), squeeze=False, sharey=True)
        for column, period in enumerate(periods):
            axes = grid[0, column]
            values = wide.loc[pathways, period].to_numpy(dtype=float)
            for position, (pathway, value) in enumerate(zip(pathways, values, strict=True)):
                colour, hatch = style.style_of(pathway, style.PATHWAY_STYLES, position)
                bar = axes.barh(position, value, color=colour, hatch=hatch, edgecolor="white", height=0.72)
                axes.bar_label(bar, [_amount(value)], padding=3, fontsize=8.5)
            axes.set_title(f"{sentence_case(period)}\ntotal {values.sum():.3g} {unit}")
            axes.set_xlabel(f"planned, {unit}")
            axes.set_xlim(0.0, max(float(np.max(values)) * 1.25, 1e-3))
            axes.set_yticks(range(len(pathways)), [sentence_case(p) for p in pathways])
            axes.set_ylim(len(pathways) - 0.45, -0.55)
            style.light_grid(axes, "x")
        left_out = len(order) - len(pathways)
        style.caption(
            figure,
            f"Planned per year, mean over the period, in {unit}; each period has its own scale."
            + {0: "", 1: " One pathway is planned in no period and is not drawn."}.get(
                left_out, f" {left_out} pathways are planned in no period and are not drawn."
            ),
        )
    return figure
