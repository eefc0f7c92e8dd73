"""Portfolios: what they are made of, what they achieve, how sure that is, whether they meet the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem
from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, scale_text, sentence_case, unit_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MEASURES = ("portfolio", "criterion", "statistic", "value", "unit", "interval_kind", "interval_mass")


def plot_portfolio_composition(portfolios: pd.DataFrame) -> Figure:
    """Draw what each portfolio plans, by pathway, one panel a period.

    Parameters
    ----------
    portfolios : DataFrame
        Table ``portfolios.csv`` of a run: portfolio, pathway, period, planned, unit; optional name.

    Returns
    -------
    Figure
        Stacked bars whose lengths are planned removal per year.

    Raises
    ------
    InputError
        For a missing column, a negative plan, or units that differ between rows.
    """
    table = require_table(
        portfolios,
        ["portfolio", "pathway", "period", "planned", "unit"],
        name="portfolios",
        numeric=["planned"],
    )
    if (table["planned"] < 0).any():
        row = int(np.flatnonzero(table["planned"].to_numpy() < 0)[0])
        raise InputError(
            Problem("portfolios: a plan is negative", got=float(table["planned"].iloc[row]), row=row + 1)
        )
    unit = unit_text(only(table, "unit", name="portfolios"))
    names = list(dict.fromkeys(table["portfolio"].astype(str)))
    periods = in_order(table["period"])
    used = table.groupby("pathway", sort=False)["planned"].sum()
    pathways = in_order([p for p in used.index if used[p] > 0], tuple(style.PATHWAY_STYLES))
    wide = table.pivot_table(
        index=["portfolio", "period"], columns="pathway", values="planned", aggfunc="sum", fill_value=0.0
    )
    with style.styled():
        figure = style.new_figure(0.33 * len(names) + 1.5 + 0.24 * -(-len(pathways) // 4))
        grid = figure.subplots(1, len(periods), squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        for column, period in enumerate(periods):
            axes = grid[0, column]
            left = np.zeros(len(names))
            for position, pathway in enumerate(pathways):
                lengths = np.array([wide[pathway].get((name, period), 0.0) for name in names], dtype=float)
                colour, hatch = style.style_of(pathway, style.PATHWAY_STYLES, position)
                handles[pathway] = axes.barh(
                    range(len(names)), lengths, left=left, color=colour, hatch=hatch,
                    edgecolor="white", linewidth=0.5, height=0.74,
                )  # fmt: skip
                left = left + lengths
            axes.set_title(sentence_case(period))
            axes.set_xlabel(f"planned, {unit}")
            axes.set_yticks(range(len(names)), style.wrapped(names, 26))
            axes.set_xlim(0.0, None)
            style.light_grid(axes, "x")
        grid[0, 0].invert_yaxis()
        figure.legend(
            list(handles.values()), [readable(p) for p in handles], loc="outside upper left",
            ncols=min(5, len(handles)), handlelength=1.4, columnspacing=1.2,
        )  # fmt: skip
        style.caption(
            figure,
            f"Planned per year, mean over the period, in {unit}; a plan, not what institutions and nature "
            "let happen. Each period has its own scale. Point-source CCS avoids emissions and never counts "
            "as removal.",
        )
    return figure


def _wide(measures: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the checked long table and values by (criterion, portfolio) x statistic."""
    table = require_table(measures, _MEASURES, name="measures", numeric=["value"])
    wide = table.pivot_table(
        index=["criterion", "portfolio"], columns="statistic", values="value", sort=False
    )
    missing = [s for s in ("mean", "low", "high") if s not in wide.columns]
    if missing:
        raise InputError(
            Problem(
                "measures: missing statistic",
                got=", ".join(map(str, wide.columns)),
                allowed=missing,
                key="statistic",
            )
        )
    return table, wide


def plot_measures(measures: pd.DataFrame, criteria: Sequence[str] | None = None) -> Figure:
    """Draw every portfolio's measures with their intervals, one panel a criterion.

    Parameters
    ----------
    measures : DataFrame
        Table ``measures.csv``: portfolio, criterion, statistic, value, unit, interval_kind,
        interval_mass; statistics mean, low and high are needed, cvar is drawn where it is there.
    criteria : sequence of str, optional
        Criteria to draw, all by default.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column or statistic, or a criterion the table does not hold.
    """
    table, wide = _wide(measures)
    names = list(dict.fromkeys(table["portfolio"].astype(str)))
    there = list(dict.fromkeys(table["criterion"].astype(str)))
    picked = chosen(criteria, there, key="criterion", name="measures")
    banded = table[table["statistic"].isin(["low", "high"])]
    interval = interval_label(banded, name="measures")
    # Three panels fill one row; otherwise rows of two leave room for the numbers.
    columns = 3 if len(picked) == 3 else min(2, len(picked))
    rows = -(-len(picked) // columns)
    with style.styled():
        figure = style.new_figure((0.26 * len(names) + 0.85) * rows + 0.7)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for criterion, axes in zip(picked, grid.flat, strict=False):
            one = wide.loc[criterion].reindex(names)
            means = table[(table["criterion"] == criterion) & (table["statistic"] == "mean")]
            unit = scale_text(criterion, only(means, "unit", name="measures"))
            at = np.arange(len(names), dtype=float)
            axes.hlines(at, one["low"], one["high"], color=style.BLUE, linewidth=2.4)
            axes.plot(one["mean"], at, "o", color=style.BLUE, markersize=6)
            if "cvar" in one.columns:
                axes.plot(one["cvar"], at, "D", color=style.VERMILION, markersize=4.5)
            axes.set_title(sentence_case(criterion))
            axes.set_xlabel(unit or "no unit")
            axes.set_yticks(range(len(names)), style.wrapped(names, 26))
            axes.set_ylim(len(names) - 0.4, -0.6)
            # A concentration varies by little of itself: from nought on nothing would be told apart.
            least, most = np.nanmin(one[["low", "mean"]].to_numpy()), np.nanmax(one["high"].to_numpy())
            if 0.0 <= least < 0.5 * most or least == most == 0.0:
                axes.set_xlim(left=0.0)
            style.few_ticks(axes)
            style.light_grid(axes, "x")
        for axes in list(grid.flat)[len(picked) :]:
            axes.set_axis_off()
        text = f"Circle: mean. Line: {interval}."
        if "cvar" in wide.columns:
            tail = tail_share(table)
            text += f" Diamond: conditional value at risk, the mean of the worst {tail} of draws."
        style.caption(figure, text)
    return figure


def tail_share(table: pd.DataFrame) -> str:
    """Return the share of draws in the tail of the CVaR, for example ``5 %``.

    Parameters
    ----------
    table : DataFrame
        Rows of ``measures.csv``; without a ``tail_mass`` the answer is the word ``share``.
    """
    if "tail_mass" not in table.columns:
        return "share"
    masses = table.loc[table["statistic"] == "cvar", "tail_mass"].dropna().astype(float)
    if masses.empty:
        return "share"
    # A confidence level such as 0.95 leaves 5 %; a tail mass of 0.05 says 5 % itself.
    mass = float(masses.iloc[0])
    return f"{100 * min(mass, 1.0 - mass):.3g} %"


def plot_target(measures: pd.DataFrame) -> Figure:
    """Draw how likely each portfolio meets the target, and how far it falls short in the worst draws.

    Parameters
    ----------
    measures : DataFrame
        Table ``measures.csv`` with criterion ``shortfall`` and statistics probability_met, mean, low,
        high and cvar.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        When the shortfall or one of its statistics is missing.
    """
    table, wide = _wide(measures)
    criteria = list(dict.fromkeys(table["criterion"].astype(str)))
    chosen(["shortfall"], criteria, key="criterion", name="measures")
    one = wide.loc["shortfall"]
    chosen(["probability_met", "cvar"], [str(c) for c in one.columns], key="statistic", name="measures")
    short = table[table["criterion"] == "shortfall"]
    unit = unit_text(only(short[short["statistic"] == "cvar"], "unit", name="measures"))
    interval = interval_label(short[short["statistic"].isin(["low", "high"])], name="measures")
    names = [str(n) for n in one.index]
    at = np.arange(len(names), dtype=float)
    with style.styled():
        figure = style.new_figure(0.32 * len(names) + 1.6)
        left, right = figure.subplots(1, 2, sharey=True)
        bars = left.barh(at, one["probability_met"], color=style.BLUE, height=0.66)
        left.bar_label(bars, [percent(v) for v in one["probability_met"]], padding=3, fontsize=9)
        left.set_xlim(0.0, 1.0)
        left.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100 %"])
        left.set_xlabel("share of draws")
        left.set_title("Probability that the target is met")
        right.hlines(at, one["low"], one["high"], color=style.BLUE, linewidth=2.4)
        right.plot(one["mean"], at, "o", color=style.BLUE, markersize=6)
        right.plot(one["cvar"], at, "D", color=style.VERMILION, markersize=5)
        right.set_xlim(left=0.0)
        right.set_xlabel(unit)
        right.set_title("Shortfall against the target")
        for axes in (left, right):
            axes.set_yticks(at, style.wrapped(names, 26))
            axes.set_ylim(len(names) - 0.4, -0.6)
            style.light_grid(axes, "x")
        style.caption(
            figure,
            f"Right: circle, mean shortfall; line, its {interval}; diamond, its conditional value at risk, "
            f"the mean of the worst {tail_share(short)} of draws; all in {unit}.",
        )
    return figure


def percent(value: float) -> str:
    """Return a probability as a whole percentage that never rounds a doubt away.

    Examples
    --------
    >>> percent(0.427), percent(0.0), percent(0.0004), percent(0.9999)
    ('43 %', '0 %', '<1 %', '>99 %')
    """
    if np.isnan(value):
        return "–"
    if 0.0 < value < 0.005:
        return "<1 %"
    if 0.995 < value < 1.0:
        return ">99 %"
    return f"{100 * value:.0f} %"
