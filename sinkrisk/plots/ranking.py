"""Who ranks where, with what probability, and for whose weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem
from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, require_table
from sinkrisk.plots.labels import sentence_case

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def acceptability_table(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return rank acceptabilities, portfolios from the best mean rank to the worst, ranks as columns.

    Parameters
    ----------
    ranking : DataFrame
        Table ``ranking.csv``: portfolio, quantity, label, value.

    Raises
    ------
    InputError
        When there is no rank acceptability, a rank is no whole number, or a portfolio's
        acceptabilities do not sum to one.
    """
    table = _quantity(ranking, "rank_acceptability")
    ranks = pd.to_numeric(table["label"], errors="coerce")
    if ranks.isna().any() or (ranks % 1 != 0).any():
        raise InputError(
            Problem("ranking: a rank is no whole number", got=str(table["label"][ranks.isna()].tolist()))
        )
    wide = table.assign(rank=ranks.astype(int)).pivot_table(
        index="portfolio", columns="rank", values="value", sort=False
    )
    wide = wide[sorted(wide.columns)]
    total = wide.sum(axis=1)
    for name in total.index[abs(total - 1.0) > 1e-6]:
        raise InputError(
            Problem(
                "ranking: the acceptabilities of a portfolio do not sum to one",
                got=f"{name}: {total[name]:.6g}",
                key="rank_acceptability",
            )
        )
    expected = (wide * wide.columns.to_numpy(dtype=float)).sum(axis=1)
    return wide.loc[expected.sort_values(kind="stable").index]


def _quantity(ranking: pd.DataFrame, quantity: str) -> pd.DataFrame:
    table = require_table(
        ranking, ["portfolio", "quantity", "label", "value"], name="ranking", numeric=["value"]
    )
    there = list(dict.fromkeys(table["quantity"].astype(str)))
    chosen([quantity], there, key="quantity", name="ranking")
    return table[table["quantity"] == quantity]


def plot_rank_acceptability(ranking: pd.DataFrame) -> Figure:
    """Draw the probability of every rank, one bar a portfolio, ordered by mean rank.

    Parameters
    ----------
    ranking : DataFrame
        Table ``ranking.csv``: portfolio, quantity, label, value.

    Returns
    -------
    Figure
        Each bar is split into the probabilities of rank 1, 2, ...; dark is a good rank.

    Raises
    ------
    InputError
        See `acceptability_table`.
    """
    import matplotlib
    from matplotlib.colors import to_hex

    wide = acceptability_table(ranking)
    names = [str(n) for n in wide.index]
    with style.styled():
        figure = style.new_figure(0.42 * len(names) + 1.6)
        axes = figure.subplots()
        colours = matplotlib.colormaps["cividis"](np.linspace(0.0, 1.0, max(len(wide.columns), 2)))
        left = np.zeros(len(names))
        handles: list[Any] = []
        for position, rank in enumerate(wide.columns):
            lengths = wide[rank].to_numpy(dtype=float)
            bars = axes.barh(
                range(len(names)), lengths, left=left, color=colours[position], edgecolor="white",
                linewidth=0.5, height=0.78,
            )  # fmt: skip
            handles.append(bars)
            # A label needs about four hundredths of the bar; narrower parts are in the table.
            text = [f"{100 * v:.0f}" if v >= 0.04 else "" for v in lengths]
            axes.bar_label(
                bars, text, label_type="center", fontsize=8.5, color=style.ink_on(to_hex(colours[position]))
            )
            left = left + lengths
        axes.set_yticks(range(len(names)), style.wrapped(names, 30))
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0.0, 1.0)
        axes.set_xticks(np.linspace(0, 1, 6), ["0", "20", "40", "60", "80", "100 %"])
        axes.set_xlabel("rank acceptability (probability of the rank)")
        axes.tick_params(length=0)
        figure.legend(
            handles, [str(rank) for rank in wide.columns], loc="outside upper left", title="rank",
            ncols=min(16, len(handles)), handlelength=1.2, columnspacing=1.1, alignment="left",
        )  # fmt: skip
        style.caption(
            figure,
            "Percentages inside the bars; parts below 4 % are not labelled. The probability runs over the "
            "posterior draws and the preferences (criteria weights). Portfolios are ordered by mean rank.",
        )
    return figure


def plot_central_weights(ranking: pd.DataFrame) -> Figure:
    """Draw the weights under which each portfolio comes first, as a matrix of numbers.

    Parameters
    ----------
    ranking : DataFrame
        Table ``ranking.csv``; a portfolio that never comes first has no central weights (NaN).

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        When the table holds no central weights.
    """
    import matplotlib
    from matplotlib.colors import to_hex

    table = _quantity(ranking, "central_weight")
    wide = table.pivot_table(index="portfolio", columns="label", values="value", sort=False, dropna=False)
    wide = wide[list(dict.fromkeys(table["label"]))]
    if (ranking["quantity"] == "rank_acceptability").any():
        wide = wide.reindex([p for p in acceptability_table(ranking).index if p in wide.index])
    values = wide.to_numpy(dtype=float)
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    with style.styled():
        figure = style.new_figure(0.36 * len(wide) + 1.9)
        axes = figure.subplots()
        colormap = matplotlib.colormaps["Blues"]
        axes.pcolormesh(
            np.arange(len(wide.columns) + 1), np.arange(len(wide) + 1), np.ma.masked_invalid(values),
            cmap=colormap, vmin=0.0, vmax=top, edgecolors="white", linewidth=1.0,
        )  # fmt: skip
        for i, j in np.ndindex(values.shape):
            known = np.isfinite(values[i, j])
            ink = style.ink_on(to_hex(tuple(colormap(values[i, j] / top)))) if known else style.INK
            axes.text(
                j + 0.5, i + 0.5, f"{values[i, j]:.2f}" if known else "never first", ha="center",
                va="center", color=ink, fontsize=9 if known else 7.5,
            )  # fmt: skip
        axes.set_xticks(
            np.arange(len(wide.columns)) + 0.5,
            ["\n".join(sentence_case(c).split(" ", 1)) for c in wide.columns],
        )
        axes.set_yticks(np.arange(len(wide)) + 0.5, style.wrapped(list(wide.index), 30))
        axes.set_ylim(len(wide), 0)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("criterion (weights of a row sum to 1, no unit)")
        style.caption(
            figure,
            "Mean criteria weights of the preferences for which the portfolio ranks first. Uniform "
            f"preferences give each criterion {1 / max(len(wide.columns), 1):.2f}.",
        )
    return figure
