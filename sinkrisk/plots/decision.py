"""Deciding: the worst draws against the mean, who is dominated, and what learning would be worth"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, only, require_table
from sinkrisk.plots.labels import readable, sentence_case, unit_text
from sinkrisk.risk.partial_information import bracket

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COMPARED = (
    "portfolio", "mean", "low", "high", "cvar", "expected_regret", "dominated_first", "dominated_second",
    "unit", "interval_kind", "interval_mass", "tail_mass",
)  # fmt: skip
_LEARNED = ("driver", "cross_fitted", "plug_in", "mc_error", "floor", "perfect", "acts", "unit")

LEARNED_WORDS: dict[str, str] = {
    "mode": "deployment modes",
    "potential": "potentials",
    "cost": "costs of a tonne",
    "energy": "energy needs",
    "shock": "climate shocks",
    "cost_slope": "rise of costs with use",
    "suitability_share": "where potentials lie",
    "resource_supply": "supply of resources",
    "growth_rate": "growth rates",
    "trl": "readiness levels (TRL)",
    "non_co2": "non-CO₂ effects",
    "efficiency": "share taken up",
    "land_sink": "land sink",
    "ocean_sink": "ocean sink",
}
"""What a learnt input is called; others by `labels.readable`."""


def learned_word(name: object) -> str:
    """Return what a learnt input is called.

    Examples
    --------
    >>> learned_word("mode"), learned_word("discount_rate")
    ('deployment modes', 'discount rate')
    """
    return LEARNED_WORDS.get(str(name), readable(name))


def plot_mean_against_cvar(decision: pd.DataFrame) -> Figure:
    """Draw every portfolio's mean against its mean in the worst draws; the best stand top right.

    Parameters
    ----------
    decision : DataFrame
        From ``portfolio.compare_portfolios``: portfolio, mean, low, high, cvar, expected_regret,
        dominated_first, dominated_second, unit, interval_kind, interval_mass, tail_mass.

    Returns
    -------
    Figure
        Left the scatter, right the expected regret; pale where another portfolio dominates.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or units that differ between rows.
    """
    table = require_table(
        decision,
        _COMPARED,
        name="decision",
        numeric=("mean", "low", "high", "cvar", "expected_regret", "dominated_first", "dominated_second"),
        ordered=(("low", "high"),),
    )
    unit = unit_text(only(table, "unit", name="decision"))
    tail = 100.0 * float(only(table, "tail_mass", name="decision"))
    interval_label(table, name="decision")
    names = [str(n) for n in table["portfolio"]]
    shades = [
        _shade(int(f), int(s))
        for f, s in zip(table["dominated_first"], table["dominated_second"], strict=True)
    ]
    with style.styled():
        figure = style.new_figure(max(4.4, 0.3 * len(names) + 1.6))
        left, right = figure.subplots(1, 2, width_ratios=[1.35, 1.0])
        for k, (face, edge, _) in enumerate(shades):
            left.plot(
                table["cvar"].iloc[k], table["mean"].iloc[k], "o", markerfacecolor=face, markeredgecolor=edge,
                markersize=9, markeredgewidth=1.8, zorder=3,
            )  # fmt: skip
        left.set_xlabel(f"CVaR: mean of the worst {tail:.3g} % of draws, {unit}")
        left.set_ylabel(f"mean, {unit}")
        left.set_title("Net benefit: mean against CVaR")
        style.few_ticks(left, 4)
        _thousands(left)
        left.margins(0.14)
        style.light_grid(left, "both")
        _number(left, table["cvar"].to_numpy(float), table["mean"].to_numpy(float))
        at = np.arange(len(names), dtype=float)
        bars = right.barh(
            at, table["expected_regret"], height=0.66, color=[f for f, _, _ in shades],
            edgecolor=[e for _, e, _ in shades], linewidth=1.4,
        )  # fmt: skip
        right.bar_label(bars, [_short(v) for v in table["expected_regret"]], padding=3, fontsize=8.5)
        labels = style.wrapped(names, 26)
        right.set_yticks(at, [f"{label}  {k + 1}" for k, label in enumerate(labels)])
        right.set_ylim(len(names) - 0.4, -0.6)
        right.set_xlim(0.0, 1.2 * max(float(table["expected_regret"].max()), 1e-12))
        right.set_xlabel(unit)
        right.set_title("Expected regret")
        style.few_ticks(right, 4)
        style.light_grid(right, "x")
        style.caption(
            figure,
            "Numbers name the portfolios, in the order of their CVaR. Further up: better on average; further "
            "right: better in the worst draws. Filled: no portfolio dominates it; light: one does in the "
            "second order (whoever prefers more and dislikes risk prefers that one); white: one does in the "
            "first order (whoever prefers more does). Regret: what the best portfolio of each draw would "
            "have brought more, on average.",
        )
    return figure


def _shade(first: int, second: int) -> tuple[str, str, str]:
    """Return face and edge colour by dominance, and the word for it."""
    if first:
        return "white", style.GREY, "dominated in the first order"
    if second:
        return "#C9DDEC", style.BLUE, "dominated in the second order"
    return style.BLUE, style.BLUE, "not dominated"


def _number(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Write the numbers of the points beside them, on the side that is free."""
    scale = [max(float(np.ptp(v)), 1e-12) for v in (x, y)]
    for k in range(len(x)):
        others = [j for j in range(len(x)) if j != k]
        offsets = [(9, 7), (-9, 7), (9, -8), (-9, -8)]

        def room(offset: tuple[int, int], k: int = k, others: list[int] = others) -> float:
            spot = (x[k] / scale[0] + offset[0] / 260.0, y[k] / scale[1] + offset[1] / 200.0)
            if not others:
                return 0.0
            return min(float(np.hypot(spot[0] - x[j] / scale[0], spot[1] - y[j] / scale[1])) for j in others)

        best = max(offsets, key=room)
        axes.annotate(
            str(k + 1), (x[k], y[k]), xytext=best, textcoords="offset points", ha="center", va="center",
            fontsize=9.0, zorder=4,
        )  # fmt: skip


def _thousands(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _short(v, exact=True)))


def _short(value: float, *, exact: bool = False) -> str:
    """Return a number with thousands set apart and a true minus."""
    text = f"{value:,.6g}" if exact or abs(value) < 1000 else f"{round(value):,d}"
    if not exact and abs(value) < 1000:
        text = f"{value:.3g}"
    return text.replace(",", "\u2009").replace("-", "−")


def plot_learning(learning: pd.DataFrame) -> Figure:
    """Draw what learning each input before the choice would be worth: a bracket beside its noise floor.

    Parameters
    ----------
    learning : DataFrame
        From ``portfolio.value_of_learning``: driver, cross_fitted (biased down), plug_in (biased up),
        mc_error, floor, perfect, acts, unit.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or units that differ between rows.
    """
    table = require_table(
        learning,
        _LEARNED,
        name="learning",
        numeric=("cross_fitted", "plug_in", "mc_error", "floor", "perfect"),
    )
    unit = unit_text(only(table, "unit", name="learning"))
    perfect = float(table["perfect"].iloc[0])
    # A table read back from a file has the words.
    acts = (table["acts"].astype(str) == "True").to_numpy()
    estimates = table[["cross_fitted", "plug_in", "mc_error"]].to_numpy(float)
    ends = np.clip(estimates[:, :2], 0.0, None)
    ranges = [bracket(*row) for row in estimates]
    wide = np.clip([row[:2] for row in ranges], 0.0, None)
    floor = table["floor"].to_numpy(float)
    order = np.argsort(-(1e12 * acts + wide[:, 1]), kind="stable")
    at = np.arange(len(order), dtype=float)
    with style.styled():
        figure = style.new_figure(0.26 * len(order) + 1.6)
        axes = figure.subplots()
        for k, row in zip(at, order, strict=True):
            colour = style.BLUE if acts[row] else style.GREY
            axes.plot(wide[row], [k, k], color=colour, linewidth=1.2, solid_capstyle="butt", zorder=2)
            # Estimates that cross bracket nothing: no bar between them.
            thick = 0.0 if ranges[row][2] else 4.0
            axes.plot(ends[row], [k, k], color=colour, linewidth=thick, solid_capstyle="butt", zorder=2)
            axes.plot(ends[row], [k, k], "|", color=colour, markersize=9, markeredgewidth=1.6, zorder=2)
            axes.plot([floor[row]], [k], "D", color=style.VERMILION, markersize=4.5, zorder=3)
        axes.set_yticks(at, [sentence_case(learned_word(table["driver"].iloc[row])) for row in order])
        axes.set_ylim(len(order) - 0.4, -0.6)
        right = float(np.nanmax([*wide.ravel(), *ends.ravel(), *floor, 1e-12]))
        axes.set_xlim(-0.01 * right, 1.05 * right)
        axes.set_xlabel(f"expected gain of learning before choosing, {unit}")
        style.few_ticks(axes, 6)
        style.light_grid(axes, "x")
        style.caption(
            figure,
            "Bar: from the cross-fitted estimate (biased down) to the plug-in one (biased up), none "
            "where they cross; thin line: both ends moved out by their 90 % Monte Carlo error; values below "
            "nought drawn at nought. Diamond: the floor, the plug-in value of a shuffled driver. Blue: the "
            "plug-in value is above the floor and the cross-fitted one above nought, so learning may change "
            f"the choice; grey: it does not stand out. Knowing everything: {_short(perfect)} {unit}.",
        )
    return figure
