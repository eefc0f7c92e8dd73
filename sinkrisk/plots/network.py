"""What institutions allow: the probabilities of the deployment modes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem
from sinkrisk.network.cells import possible_cells
from sinkrisk.plots import style
from sinkrisk.plots.checking import require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["deployment_modes", "plot_deployment_modes", "possible_cells"]

_COLUMNS = ("base", "class", "region", "period", "state", "probability")
HIGHEST = 10.2
"""Height of the picture of all modes, inches: A4 is 11.7."""
_CLASSES = ("nature", "land_based", "geological", "mineral", "ocean")


def deployment_modes(
    marginals: pd.DataFrame, cells: Collection[tuple[str, str]] | Literal["possible", "all"] = "all"
) -> pd.DataFrame:
    """Return the probabilities of the deployment modes, one row a class, region and period.

    Parameters
    ----------
    marginals : DataFrame
        What `network.marginals` returns: base, class, region, period, state, probability.
    cells : collection of (class, region), or "possible" or "all"
        Keep these alone ("possible": those of `possible_cells`); a class none of whose cells is named
        is kept whole, for nothing is known of it.

    Returns
    -------
    DataFrame
        Indexed by class, region, period; one column a mode, from full to collapse; rows sum to 1.

    Raises
    ------
    InputError
        When the table holds no deployment mode, a probability outside 0..1, or rows that do not sum
        to one.
    """
    table = require_table(marginals, _COLUMNS, name="network marginals", numeric=["probability"])
    table = table[table["base"] == "deployment_mode"]
    if table.empty:
        raise InputError(
            Problem(
                "network marginals: no node 'deployment_mode'",
                got=", ".join(sorted(set(marginals["base"].astype(str)))[:8]),
                key="base",
            )
        )
    wide = table.pivot_table(
        index=["class", "region", "period"], columns="state", values="probability", sort=False
    )
    wide = wide[in_order(wide.columns, tuple(style.MODE_STYLES))]
    if cells == "possible":
        cells = possible_cells()
    if cells is not None and cells != "all":
        known = {name for name, _ in cells}
        wide = wide[[c not in known or (c, r) in cells for c, r, _ in wide.index]]
    values = wide.to_numpy()
    wrong = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1) | (abs(values.sum(axis=1) - 1) > 1e-6)
    if wrong.any():
        first = wide.index[int(np.flatnonzero(wrong)[0])]
        raise InputError(
            Problem(
                "network marginals: the modes of a node are no probabilities",
                got=f"{' '.join(map(str, first))}: {wide.loc[first].to_dict()}",
                allowed="0 to 1, summing to 1",
                key="probability",
            )
        )
    return wide


def plot_deployment_modes(
    marginals: pd.DataFrame, cells: Collection[tuple[str, str]] | Literal["possible", "all"] = "possible"
) -> Figure:
    """Draw the probability of every deployment mode, by class, region and period.

    Parameters
    ----------
    marginals : DataFrame
        What `network.marginals` returns.
    cells : collection of (class, region), or "possible" or "all"
        Draw these alone, see `deployment_modes`.

    Returns
    -------
    Figure
        One row of panels a class, one column a period; each bar is a region, split by mode. It fits a
        page of A4.

    Raises
    ------
    InputError
        See `deployment_modes`.
    """
    wide = deployment_modes(marginals, cells)
    classes = in_order(wide.index.get_level_values("class"), _CLASSES)
    periods = in_order(wide.index.get_level_values("period"))
    regions = {
        c: list(dict.fromkeys(wide.xs(c, level="class").index.get_level_values("region"))) for c in classes
    }
    count = sum(len(names) for names in regions.values())
    with style.styled():
        # No higher than a page of A4 less its margins, however many bars there are.
        figure = style.new_figure(min(0.17 * count + 0.42 * len(classes) + 1.0, HIGHEST))
        grid = figure.subplots(
            len(classes), len(periods), squeeze=False, sharex=True,
            height_ratios=[len(regions[c]) + 0.6 for c in classes],
        )  # fmt: skip
        handles: dict[str, Any] = {}
        for row, name in enumerate(classes):
            for column, period in enumerate(periods):
                axes = grid[row, column]
                there = [r for r in regions[name] if (name, r, period) in wide.index]
                at = np.array([regions[name].index(r) for r in there])
                left = np.zeros(len(there))
                for position, mode in enumerate(wide.columns):
                    height = np.array([wide.loc[(name, r, period), mode] for r in there])
                    colour, hatch = style.style_of(mode, style.MODE_STYLES, position)
                    handles[mode] = axes.barh(
                        at, height, left=left, color=colour, hatch=hatch, edgecolor="white",
                        linewidth=0.4, height=0.82, label=readable(mode),
                    )  # fmt: skip
                    left = left + height
                axes.set_ylim(len(regions[name]) - 0.4, -0.6)
                axes.set_xlim(0.0, 1.0)
                axes.set_yticks(
                    range(len(regions[name])),
                    [readable(r) for r in regions[name]] if column == 0 else [""] * len(regions[name]),
                )
                axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100 %"])
                style.light_grid(axes, "x")
                if column == 0:
                    axes.set_title(sentence_case(name))
                if row == 0:
                    heading = axes.get_title(loc="left")
                    axes.set_title(f"{sentence_case(period)}\n\n{heading}")
                if row == len(classes) - 1:
                    axes.set_xlabel("probability")
        figure.legend(
            list(handles.values()), [readable(m) for m in handles], loc="outside upper center",
            ncols=len(handles),
        )  # fmt: skip
        style.caption(
            figure,
            "Each bar is one region of one deployment class and period, split into the probabilities of its "
            "deployment modes under the network's central tables (exact marginals, not samples). "
            "Regions where a class has no node"
            + (" or no possible pathway" if cells != "all" else "")
            + " are left out.",
        )
    return figure
