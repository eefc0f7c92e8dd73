"""Atlas of suitability and scheduling matrix: pathways by regions as heat maps"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.errors import InputError, Problem
from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case
from sinkrisk.plots.portfolio import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_COLOURS = "Blues"
_METHODS = {"topsis": "TOPSIS", "vikor": "VIKOR", "promethee": "PROMETHEE II"}


def plot_suitability(atlas: pd.DataFrame) -> Figure:
    """Draw the probability that each pathway suits each region.

    Parameters
    ----------
    atlas : DataFrame
        From ``portfolio.suitability_table``: pathway, region, possible, probability_suited, method,
        threshold, draws.

    Returns
    -------
    Figure
        One cell for each pair, its colour and number the probability in per cent; hatched where the
        pathway is impossible.

    Raises
    ------
    InputError
        For a missing column, a pair given twice or not at all, a probability outside 0 to 1, or
        methods, thresholds or numbers of draws that differ between rows.
    """
    table = require_table(
        atlas,
        ("pathway", "region", "possible", "probability_suited", "method", "threshold", "draws"),
        numeric=("probability_suited", "threshold", "draws"),
        name="suitability",
    )
    method = only(table, "method", name="suitability")
    threshold = float(only(table, "threshold", name="suitability"))
    draws = int(float(only(table, "draws", name="suitability")))
    rows = in_order(table["pathway"], tuple(style.PATHWAY_STYLES))
    columns = in_order(table["region"], ())
    probability = _wide(table, "probability_suited", rows, columns, "suitability")
    possible = _wide(table, "possible", rows, columns, "suitability") > 0.0
    with style.styled():
        figure = style.new_figure(0.34 * len(rows) + 2.1)
        axes = figure.subplots()
        image = _heat(axes, probability, possible, 100.0 * probability, rows, columns)
        axes.set_title("Probability that the pathway suits the region, %")
        _scale(figure, image, axes, "probability suited")
        style.caption(
            figure,
            f"Share of {draws} draws of criteria weights, regional endowments and pathway needs in which a "
            f"region's score reaches {threshold:g}, from 0, nothing of what the pathway needs, to 1, all "
            f"({_METHODS.get(method, method)}). Monte Carlo standard error at most "
            f"{50.0 / np.sqrt(draws):.1f} percentage points. Hatched: impossible. How well a place fits, not "
            "how much of it there is.",
        )
    return figure


def plot_schedule(matrix: pd.DataFrame) -> Figure:
    """Draw the scheduling matrix: how likely each cell is in use at least cost, and how much it carries.

    Parameters
    ----------
    matrix : DataFrame
        From ``portfolio.schedule_table``: pathway, region, period, probability_active, share_mean,
        share_low, share_high, total, probability_reached, least, draws, interval_kind, interval_mass.

    Returns
    -------
    Figure
        One panel a period; colour is the probability of being active, the number the mean share of
        the period's total in per cent, beneath half a per cent none.

    Raises
    ------
    InputError
        For a missing column, a cell given twice or not at all, a probability outside 0 to 1, or
        interval masses that differ between rows.
    """
    table = require_table(
        matrix,
        (
            "pathway", "region", "period", "probability_active", "share_mean", "share_low", "share_high",
            "total", "probability_reached", "least", "draws", "interval_kind", "interval_mass",
        ),
        numeric=("probability_active", "share_mean", "total", "probability_reached", "least", "draws"),
        ordered=(("share_low", "share_high"),),
        name="schedule",
    )  # fmt: skip
    least = float(only(table, "least", name="schedule"))
    draws = int(float(only(table, "draws", name="schedule")))
    label = interval_label(table, name="schedule")
    periods = in_order(table["period"])
    rows = in_order(table["pathway"], tuple(style.PATHWAY_STYLES))
    columns = in_order(table["region"], ())
    lines = []
    with style.styled():
        figure = style.new_figure(0.27 * len(rows) + 3.0)
        panels = figure.subplots(1, len(periods), squeeze=False, sharey=True)[0]
        for axes, period in zip(panels, periods, strict=True):
            here = table[table["period"] == period]
            active = _wide(here, "probability_active", rows, columns, "schedule")
            share = _wide(here, "share_mean", rows, columns, "schedule")
            numbers = np.where(share >= 0.005, 100.0 * share, np.nan)
            image = _heat(axes, active, np.ones_like(active, dtype=bool), numbers, rows, columns, narrow=True)
            total = float(only(here, "total", name="schedule"))
            reached = float(only(here, "probability_reached", name="schedule"))
            axes.set_title(f"{sentence_case(period)}: {total:g} GtCO₂/yr", fontsize=9.5)
            top = here.iloc[int(here["share_mean"].to_numpy().argmax())]
            lines.append(
                f"{readable(period)} the total is reached in {percent(reached)} of draws, largest cell "
                f"{readable(top['pathway'])} in {readable(top['region'])}, {100 * top['share_low']:.0f} to "
                f"{100 * top['share_high']:.0f} %"
            )
        _scale(figure, image, list(panels), "probability active")
        style.caption(
            figure,
            f"Cheapest way to each period's total in {draws} draws. Colour: share of draws in which the cell "
            f"carries at least {100 * least:g} % of the total; number: mean share in per cent, none beneath "
            f"0.5. In the {'; in the '.join(lines)} ({label}). Where the total is out of reach everything is "
            "used.",
        )
    return figure


def _wide(
    table: pd.DataFrame, column: str, rows: list[str], columns: list[str], name: str
) -> NDArray[np.float64]:
    """Return a column as a matrix of pathway by region."""
    if table.duplicated(["pathway", "region"]).any() or len(table) != len(rows) * len(columns):
        raise InputError(
            Problem(
                f"{name}: not one row for each pathway and region",
                got=f"{len(table)} rows",
                allowed=f"{len(rows)} x {len(columns)}",
            )
        )
    wide = table.pivot(index="pathway", columns="region", values=column).reindex(index=rows, columns=columns)
    values = wide.to_numpy(dtype=float)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise InputError(Problem(f"{name}: outside 0 to 1", got=float(np.nanmax(values)), key=column))
    return values


def _heat(
    axes: Axes,
    colour: NDArray[np.float64],
    there: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    rows: list[str],
    columns: list[str],
    narrow: bool = False,
) -> AxesImage:
    """Draw a matrix of probabilities with a number in each cell and hatching where nothing can be."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex
    from matplotlib.patches import Rectangle

    palette = colormaps[_COLOURS]
    image = axes.imshow(np.where(there, colour, np.nan), cmap=palette, vmin=0.0, vmax=1.0, aspect="auto")
    for row, column in np.argwhere(~there):
        axes.add_patch(
            Rectangle(
                (float(column) - 0.5, float(row) - 0.5), 1.0, 1.0, facecolor="#F4F4F4", hatch="////",
                edgecolor=style.LIGHT, linewidth=0.0,
            )
        )  # fmt: skip
    for (row, column), number in np.ndenumerate(numbers):
        if there[row, column] and np.isfinite(number):
            ink = style.ink_on(to_hex(palette(colour[row, column])))
            axes.text(column, row, f"{number:.0f}", ha="center", va="center", color=ink, fontsize=8.0)
    # Slanted labels of narrow cells would push the panels apart.
    turned: dict[str, Any] = (
        {"rotation": 90} if narrow else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    )
    axes.set_xticks(range(len(columns)), [sentence_case(c) for c in columns], **turned)
    axes.set_yticks(range(len(rows)), [sentence_case(r) for r in rows])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    return image


def _scale(figure: Figure, image: AxesImage, axes: Axes | list[Axes], text: str) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=28, pad=0.02, ticks=[0.0, 0.5, 1.0])
    bar.set_label(text)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
