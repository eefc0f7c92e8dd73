"""At what rate credits of different pathways exchange, and what their discounts are made of"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, require_table
from sinkrisk.plots.labels import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RATES = ("pathway", "other", "median", "low", "high", "interval_kind", "interval_mass")
_DISCOUNTS = ("pathway", "factor", "median", "low", "high", "interval_kind", "interval_mass")


def plot_exchange_rates(rates: pd.DataFrame) -> Figure:
    """Draw how many credits of one pathway are worth one of another, as a heat map.

    Parameters
    ----------
    rates : DataFrame
        From ``portfolio.exchange_table``: pathway, other, median, low, high, interval_kind,
        interval_mass.

    Returns
    -------
    Figure
        Rows and columns from the pathway whose credit holds most to the one whose holds least; each
        cell the median and, smaller, its interval.

    Raises
    ------
    InputError
        For a table without the columns or with text where numbers belong.
    """
    table = require_table(
        rates, _RATES, name="exchange rates", numeric=["median", "low", "high"], ordered=[("low", "high")]
    )
    interval = interval_label(table, name="exchange rates")
    cells = {
        (str(a), str(b)): (float(middle), float(low), float(high))
        for a, b, middle, low, high in zip(
            *(table[name].tolist() for name in ("pathway", "other", "median", "low", "high")), strict=True
        )
    }
    names = [str(n) for n in dict.fromkeys([*table["pathway"], *table["other"]])]
    rate = np.array([[cells.get((a, b), (1.0,))[0] for b in names] for a in names])
    # A credit that holds nothing has rate 0 on its row and none in its column; both are cut for the colours.
    shades = np.log10(np.clip(np.where(np.isnan(rate), 1.0, rate), 1e-6, None))
    # A credit that holds more buys more of every other: its row's mean logarithm is highest.
    strongest = np.argsort(-shades.mean(axis=1), kind="stable")
    order = [names[k] for k in strongest]
    shades = shades[np.ix_(strongest, strongest)]
    with style.styled():
        figure = style.new_figure(0.46 * len(order) + 2.2)
        axes = figure.subplots()
        bound = max(0.3, float(np.abs(shades).max()))
        axes.imshow(shades, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
        for i, pathway in enumerate(order):
            for j, other in enumerate(order):
                if i == j:
                    axes.text(j, i, "1", ha="center", va="center", fontsize=8.0)
                    continue
                middle_rate, low, high = cells.get((pathway, other), (np.nan, np.nan, np.nan))
                if np.isnan(middle_rate):
                    axes.text(j, i, "–", ha="center", va="center", fontsize=8.0)
                    continue
                ink = "white" if abs(shades[i, j]) > 0.65 * bound else style.INK
                axes.text(j, i - 0.16, _short(middle_rate), ha="center", va="center", fontsize=8.0, color=ink)
                text = f"{_short(low)}–{_short(high)}"
                axes.text(j, i + 0.24, text, ha="center", va="center", fontsize=5.6, color=ink)
        axes.set_xticks(range(len(order)), [readable(n) for n in order], rotation=40, ha="right")
        axes.set_yticks(range(len(order)), [readable(n) for n in order])
        axes.set_ylabel("one credit of")
        axes.set_xlabel("is worth so many credits of")
        axes.tick_params(length=0)
        style.caption(
            figure,
            f"Large: median over draws; small: {interval}. Blue: the credit of the row holds more durable "
            "net tonnes than that of the column. A dash: the other holds nothing. Avoided emissions do not "
            "exchange.",
            characters=130,
        )
    return figure


def plot_discounts(discounts: pd.DataFrame) -> Figure:
    """Draw the discount of every pathway's credits with its interval, the heaviest factor named.

    Parameters
    ----------
    discounts : DataFrame
        From ``portfolio.credit_table``: pathway, factor (one of them "discount"), median, low, high,
        interval_kind, interval_mass.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a table without the columns or with text where numbers belong.
    """
    table = require_table(
        discounts, _DISCOUNTS, name="discounts", numeric=["median", "low", "high"], ordered=[("low", "high")]
    )
    interval = interval_label(table, name="discounts")
    whole = table[table["factor"] == "discount"].sort_values("median", ascending=False, kind="stable")
    parts = table[table["factor"] != "discount"]
    names = [str(n) for n in whole["pathway"]]
    at = np.arange(len(names), dtype=float)
    with style.styled():
        figure = style.new_figure(0.3 * len(names) + 1.3)
        axes = figure.subplots()
        axes.hlines(at, whole["low"], whole["high"], color=style.BLUE, linewidth=2.4)
        axes.plot(whole["median"], at, "o", color=style.BLUE, markersize=6)
        right = float(max(1.0, whole["high"].max()))
        for position, name in zip(at, names, strict=True):
            own = parts[parts["pathway"] == name].sort_values("median", kind="stable")
            if not own.empty:
                least = own.iloc[0]
                text = f"{readable(least['factor'])} {float(least['median']):.2f}"
                axes.text(right * 1.03, position, text, va="center", fontsize=8.5, color=style.GREY)
        axes.set_yticks(at, style.wrapped(names, 30))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.0, right * 1.02)
        axes.set_xlabel("credited tonnes per tonne booked as removal")
        style.light_grid(axes, "x")
        style.caption(
            figure,
            f"Circle: median over draws; line: {interval}. On the right the factor that takes most off.",
        )
    return figure


def _short(number: float) -> str:
    """Return a rate in few characters."""
    if number >= 1000.0:
        return f"{number / 1000.0:.0f}k"
    if number >= 10.0:
        return f"{number:.0f}"
    if number >= 0.95:
        return f"{number:.1f}"
    return f"{number:.2f}" if number >= 0.01 else "<0.01"
