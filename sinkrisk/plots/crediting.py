"""At what rate credits of different pathways exchange, and what their discounts are made of"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import readable, unit_text

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
                axes.text(j, i + 0.24, text, ha="center", va="center", fontsize=6.2, color=ink)
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


_BUFFERS = ("portfolio", "pathway", "removed", "own_share", "pooled_share", "tail_mass")
_AT_RISK = ("portfolio", "promised", "extra", "extra_decoupled", "level", "unit")


def plot_buffers(buffers: pd.DataFrame) -> Figure:
    """Draw the buffer that the credits of each portfolio need, pathway by pathway and as one pool.

    Parameters
    ----------
    buffers : DataFrame
        From ``portfolio.buffer_table``: portfolio, pathway (``pool`` is all together), removed,
        own_share, pooled_share, tail_mass.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or a table without pools.
    """
    table = require_table(
        buffers, _BUFFERS, name="buffers", numeric=["removed", "own_share", "pooled_share", "tail_mass"]
    )
    chosen(["pool"], list(dict.fromkeys(table["pathway"].astype(str))), key="pathway", name="buffers")
    tail = 100.0 * float(only(table, "tail_mass", name="buffers"))
    pool = table[table["pathway"] == "pool"]
    return _pairs(
        [str(n) for n in pool["portfolio"]],
        100.0 * pool["own_share"].to_numpy(float),
        100.0 * pool["pooled_share"].to_numpy(float),
        ("every pathway for itself", "one pool"),
        "buffer, % of the tonnes removed",
        f"What must be held back to cover the mean loss of the worst {tail:.3g} % of draws (CVaR): all "
        "carbon that comes back until the end of the horizon, by decay, leakage and reversal. A pool needs "
        "less, because not everything comes back in the same draw.",
    )


def plot_carbon_at_risk(at_risk: pd.DataFrame) -> Figure:
    """Draw the extra removal that guarantees what portfolios store, with and without the common shock.

    Parameters
    ----------
    at_risk : DataFrame
        From ``portfolio.carbon_at_risk``: portfolio, promised, extra, extra_decoupled, level, unit.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or units that differ between rows.
    """
    table = require_table(
        at_risk, _AT_RISK, name="carbon at risk", numeric=["promised", "extra", "extra_decoupled", "level"]
    )
    level = 100.0 * float(only(table, "level", name="carbon at risk"))
    unit = unit_text(only(table, "unit", name="carbon at risk"))
    return _pairs(
        [str(n) for n in table["portfolio"]],
        table["extra"].to_numpy(float),
        table["extra_decoupled"].to_numpy(float),
        ("with the common shock", "shocks independent"),
        f"extra removal, {unit}",
        f"Gross removal beyond the plan's own that guarantees, in {level:.3g} % of draws, that what it "
        "stores on average is stored. The gap between the marks is what shocks that strike regions and "
        "pathways together cost.",
    )


def _pairs(
    names: list[str],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    words: tuple[str, str],
    label: str,
    text: str,
) -> Figure:
    """Draw two numbers of each portfolio on one line."""
    at = np.arange(len(names), dtype=float)
    with style.styled():
        figure = style.new_figure(0.32 * len(names) + 1.6)
        axes = figure.subplots()
        axes.hlines(
            at, np.minimum(first, second), np.maximum(first, second), color=style.LIGHT, linewidth=3.0
        )
        axes.plot(first, at, "s", color=style.VERMILION, markersize=6, label=words[0])
        axes.plot(second, at, "o", color=style.BLUE, markersize=6, label=words[1])
        axes.set_yticks(at, style.wrapped(names, 30))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.0, 1.06 * max(float(np.nanmax([*first, *second])), 1e-12))
        axes.set_xlabel(label)
        style.few_ticks(axes, 6)
        style.light_grid(axes, "x")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        style.caption(figure, text)
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
