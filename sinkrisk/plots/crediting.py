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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RATES = (
    "pathway",
    "other",
    "median",
    "low",
    "high",
    "probability_defined",
    "interval_kind",
    "interval_mass",
)
_DISCOUNTS = ("pathway", "factor", "kind", "median", "low", "high", "interval_kind", "interval_mass")


def plot_exchange_rates(rates: pd.DataFrame) -> Figure:
    """Draw how many credits of one pathway are worth one of another, as a heat map.

    Parameters
    ----------
    rates : DataFrame
        From ``portfolio.exchange_table``: pathway, other, median, low, high, probability_defined,
        interval_kind, interval_mass.

    Returns
    -------
    Figure
        Rows and columns from the pathway whose credit holds most to the one whose holds least; each
        cell the median and, smaller, its interval; a dash and, smaller, the share of draws with a rate
        where that is less than half.

    Raises
    ------
    InputError
        For a table without the columns or with text where numbers belong.
    """
    table = require_table(
        rates, _RATES, name="exchange rates", numeric=["median", "low", "high", "probability_defined"],
        ordered=[("low", "high")],
    )  # fmt: skip
    interval = interval_label(table, name="exchange rates")
    cells = {
        (str(r["pathway"]), str(r["other"])): tuple(
            float(r[n]) for n in ("median", "low", "high", "probability_defined")
        )
        for r in table.to_dict("records")
    }
    names = [str(n) for n in dict.fromkeys([*table["pathway"], *table["other"]])]
    rate = np.array([[_told(cells.get((a, b), (1.0, 1.0, 1.0, 1.0))) for b in names] for a in names])
    # Beyond a hundred to one colours say no more, and a net source (a rate below 0) is worth no more.
    shades = np.log10(np.clip(np.where(np.isnan(rate), 1.0, rate), 1e-2, 1e2))
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
                cell = cells.get((pathway, other), (np.nan, np.nan, np.nan, 0.0))
                if np.isnan(_told(cell)):
                    axes.text(j, i - 0.16, "–", ha="center", va="center", fontsize=8.0)
                    text = f"{100.0 * cell[3]:.0f} %"
                    axes.text(j, i + 0.24, text, ha="center", va="center", fontsize=6.2, color=style.GREY)
                    continue
                middle_rate, low, high, _ = cell
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
            "net tonnes than that of the column. Rates are over the draws in which the other holds anything; "
            "a dash: in fewer than half, the share below it. Below 0: a net source. Avoided emissions do not "
            "exchange.",
            characters=130,
        )
    return figure


def plot_discounts(discounts: pd.DataFrame) -> Figure:
    """Draw the discount of every pathway's credits with its interval, the heaviest factor named.

    Parameters
    ----------
    discounts : DataFrame
        From ``portfolio.credit_table``: pathway, factor, kind (factor, charge or, of the discount,
        whole), median, low, high, interval_kind, interval_mass.

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
    whole = table[table["kind"] == "whole"].sort_values("median", ascending=False, kind="stable")
    parts = table[table["kind"] != "whole"]
    parts = parts.assign(taken=parts["median"].where(parts["kind"] == "charge", 1.0 - parts["median"]))
    names = [str(n) for n in whole["pathway"]]
    at = np.arange(len(names), dtype=float)
    with style.styled():
        figure = style.new_figure(0.3 * len(names) + 1.3)
        axes = figure.subplots()
        axes.hlines(at, whole["low"], whole["high"], color=style.BLUE, linewidth=2.4)
        axes.plot(whole["median"], at, "o", color=style.BLUE, markersize=6)
        right = float(max(1.0, whole["high"].max()))
        for position, name in zip(at, names, strict=True):
            own = parts[parts["pathway"] == name].sort_values("taken", ascending=False, kind="stable")
            if not own.empty:
                most = own.iloc[0]
                sign = "\N{MINUS SIGN}" if most["kind"] == "charge" else "\N{MULTIPLICATION SIGN}"
                text = f"{readable(most['factor'])} {sign}{float(most['median']):.2f}"
                axes.text(right * 1.03, position, text, va="center", fontsize=8.5, color=style.GREY)
        axes.set_yticks(at, style.wrapped(names, 30))
        axes.set_ylim(len(names) - 0.4, -0.6)
        left = float(min(0.0, whole["low"].min()))
        axes.set_xlim(1.02 * left, right * 1.02)
        if left < 0.0:
            axes.axvline(0.0, color=style.GREY, linewidth=0.8)
        axes.set_xlabel("credited tonnes per tonne booked as removal")
        style.light_grid(axes, "x")
        style.caption(
            figure,
            f"Circle: median over draws; line: {interval}; below 0 a net source. On the right what takes "
            "most off: a factor (\N{MULTIPLICATION SIGN}) or tonnes per tonne captured (\N{MINUS SIGN}).",
        )
    return figure


_BUFFERS = ("portfolio", "pathway", "removed", "own_share", "pooled_share", "tail_mass")
_AT_RISK = (
    "portfolio", "promised", "extra", "extra_low", "extra_high", "extra_decoupled", "extra_decoupled_low",
    "extra_decoupled_high", "level", "interval_kind", "interval_mass", "unit",
)  # fmt: skip


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
        "buffer, % of the credits",
        f"Share of the credits to hold back, to cover the mean share lost in the worst {tail:.3g} % of draws "
        "(CVaR): all carbon that comes back until the end of the horizon, by decay, leakage and reversal. A "
        "pool needs less, because not everything comes back in the same draw.",
    )


def plot_carbon_at_risk(at_risk: pd.DataFrame) -> Figure:
    """Draw the extra removal that guarantees what portfolios store, with and without the common shock.

    Parameters
    ----------
    at_risk : DataFrame
        From ``portfolio.carbon_at_risk``: portfolio, promised, extra, extra_low, extra_high, the same
        of extra_decoupled (NaN where not simulated), level, interval_kind, interval_mass, unit.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or units that differ between rows.
    """
    numeric = [n for n in _AT_RISK if n.startswith(("promised", "extra", "level"))]
    # No factor may do: then there is no mark to draw.
    endless = at_risk.replace([np.inf, -np.inf], np.nan)
    table = require_table(endless, _AT_RISK, name="carbon at risk", numeric=numeric)
    interval = interval_label(table, name="carbon at risk")
    level = 100.0 * float(only(table, "level", name="carbon at risk"))
    unit = unit_text(only(table, "unit", name="carbon at risk"))
    return _pairs(
        [str(n) for n in table["portfolio"]],
        table["extra"].to_numpy(float),
        table["extra_decoupled"].to_numpy(float),
        ("shocks as drawn", "regions' shocks apart"),
        f"extra removal, {unit}",
        f"Removal added to the same mix so that, in {level:.3g} % of draws, what the plan stores on average "
        f"is stored; lines: {interval} (finite draws). Part of it answers for removal that may not "
        "come, the rest for losses. The "
        "gap between the marks is what shocks cost that strike regions together.",
        intervals=(
            table[["extra_low", "extra_high"]].to_numpy(float),
            table[["extra_decoupled_low", "extra_decoupled_high"]].to_numpy(float),
        ),
    )


def _pairs(
    names: list[str],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    words: tuple[str, str],
    label: str,
    text: str,
    intervals: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> Figure:
    """Draw two numbers of each portfolio on one line, or a little apart where they have intervals."""
    at = np.arange(len(names), dtype=float)
    with style.styled():
        figure = style.new_figure(0.32 * len(names) + 1.6)
        axes = figure.subplots()
        apart = 0.0 if intervals is None else 0.14
        if intervals is None:
            low, high = np.minimum(first, second), np.maximum(first, second)
            axes.hlines(at, low, high, color=style.LIGHT, linewidth=3.0)
        else:
            for (low, high), where, colour in zip(
                (part.T for part in intervals), (at - apart, at + apart), (style.VERMILION, style.BLUE),
                strict=True,
            ):  # fmt: skip
                axes.hlines(where, low, high, color=colour, linewidth=1.6)
        axes.plot(first, at - apart, "s", color=style.VERMILION, markersize=5, label=words[0])
        axes.plot(second, at + apart, "o", color=style.BLUE, markersize=5, label=words[1])
        axes.set_yticks(at, style.wrapped(names, 30))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.0, 1.06 * _most([first, second, *(intervals or ())]))
        axes.set_xlabel(label)
        style.few_ticks(axes, 6)
        if intervals is not None:
            _spread_out(axes, np.concatenate([first, second]))
        style.light_grid(axes, "x")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        style.caption(figure, text)
    return figure


def _spread_out(axes: Axes, values: NDArray[np.float64]) -> None:
    """Make the axis logarithmic where the largest number would crowd the others together."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    known = values[np.isfinite(values)]
    if known.size == 0 or known.min() <= 0.0 or known.max() < 10.0 * np.median(known):
        return
    axes.set_xscale("log")
    axes.set_xlim(0.7 * float(known.min()), None)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _most(parts: list[NDArray[np.float64]]) -> float:
    """Return the largest finite number, or next to nothing where there is none."""
    numbers = np.concatenate([np.ravel(part) for part in parts])
    return float(max([*numbers[np.isfinite(numbers)].tolist(), 1e-12]))


def _told(cell: tuple[float, ...]) -> float:
    """Return the median of a rate that is defined in half of the draws or more, else NaN."""
    return cell[0] if cell[3] >= 0.5 else np.nan


def _short(number: float) -> str:
    """Return a rate in few characters."""
    if number < 0.0:
        return "<0"
    if number >= 1000.0:
        return f"{number / 1000.0:.0f}k"
    if number >= 10.0:
        return f"{number:.0f}"
    if number >= 0.95:
        return f"{number:.1f}"
    return f"{number:.2f}" if number >= 0.01 else "<0.01"
