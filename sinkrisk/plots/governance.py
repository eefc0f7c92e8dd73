"""What scenarios and levers do to deployment, and which jurisdictions it is at risk in."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem
from sinkrisk.network.jurisdictions import JurisdictionRanking
from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLASSES = ("nature", "land_based", "geological", "mineral", "ocean")
_COLOURS = (style.GREEN, style.ORANGE, style.BLUE, style.GREY, style.SKY)
_MARKERS = ("o", "s", "D", "^", "v")


_PHRASES = {
    "full": ("is deployed in full", False),
    "throttled": ("is throttled", None),
    "passive_redundancy": ("falls back to passive redundancy", True),
    "collapse": ("collapses", True),
    "fallen": ("falls back to passive redundancy or collapses", True),
}
"""State -> what a class does then, and whether more of it is worse (None: neither)."""


def plot_scenario_effects(effects: pd.DataFrame, state: str = "fallen") -> Figure:
    """Draw how far each scenario moves the probability of a deployment state, by class and period.

    Parameters
    ----------
    effects : DataFrame
        From ``network.scenario_effects(..., by=("class", "period"))``.
    state : str
        ``fallen`` is passive redundancy or collapse.

    Returns
    -------
    Figure
        One row of panels a scenario, one column a period; dots are means, lines intervals.

    Raises
    ------
    InputError
        For a table without the columns, a state it has not, or rows per region.
    """
    require_table(
        effects,
        ("scenario", "kind", "class", "period", "state", "change", "change_low", "change_high"),
        numeric=("change", "change_low", "change_high"),
        name="effects",
    )
    wanted = effects[effects["state"] == state]
    if wanted.empty or wanted.duplicated(["scenario", "class", "period"]).any():
        raise InputError(
            Problem(
                "effects: not one row a scenario, class and period",
                got=f"{len(wanted)} rows of state '{state}'",
                allowed=sorted(set(effects["state"])),
                hint="ask network.scenario_effects for by=('class', 'period')",
            )
        )
    scenarios = list(dict.fromkeys(wanted["scenario"].astype(str)))
    classes, periods = in_order(wanted["class"], _CLASSES), in_order(wanted["period"])
    table = wanted.set_index(["scenario", "class", "period"])
    with style.styled():
        figure = style.new_figure(0.62 * len(scenarios) + 1.5)
        grid = figure.subplots(1, len(periods), sharex=True, sharey=True, squeeze=False)[0]
        offsets = np.linspace(-0.3, 0.3, len(classes)) if len(classes) > 1 else np.zeros(1)
        for axes, period in zip(grid, periods, strict=True):
            axes.axvline(0.0, color=style.INK, linewidth=0.8)
            for position, cls in enumerate(classes):
                rows = [table.xs((name, cls, period)) for name in scenarios]
                y = np.arange(len(scenarios)) + offsets[position]
                axes.hlines(
                    y,
                    [100 * row.change_low for row in rows],
                    [100 * row.change_high for row in rows],
                    color=_COLOURS[position % len(_COLOURS)],
                    linewidth=1.6,
                )
                axes.plot(
                    [100 * row.change for row in rows],
                    y,
                    linestyle="none",
                    marker=_MARKERS[position % len(_MARKERS)],
                    markersize=4.5,
                    color=_COLOURS[position % len(_COLOURS)],
                    label=readable(cls),
                )
            for edge in np.arange(0.5, len(scenarios) - 0.5):
                axes.axhline(edge, color=style.LIGHT, linewidth=0.6)
            axes.set_title(sentence_case(period))
            axes.set_ylim(len(scenarios) - 0.5, -0.5)
            style.light_grid(axes, "x")
        grid[0].set_yticks(range(len(scenarios)), style.wrapped(_labels(wanted, scenarios), 18))
        grid[len(periods) // 2].set_xlabel("change of the probability, percentage points")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(classes))
        what, worse = _PHRASES.get(state, (f"is in the state '{readable(state)}'", None))
        direction = {True: " Right of nought is worse.", False: " Right of nought is better.", None: ""}
        counted = effects.attrs.get("cells")
        style.caption(
            figure,
            f"Change of the probability that a class {what}, averaged over regions"
            + (f" ({counted})" if counted else "")
            + ", when the scenario is set (do) against when it is not. Dots: means over draws of the tables; "
            f"lines: {interval_label(wanted, name='effects')}.{direction[worse]}",
        )
    return figure


def _labels(table: pd.DataFrame, scenarios: list[str]) -> list[str]:
    """The scenarios' labels where the table has them, else their names."""
    if "label" not in table:
        return [readable(name) for name in scenarios]
    labels = table.drop_duplicates("scenario").set_index("scenario")["label"]
    return [str(labels[name]) for name in scenarios]


def plot_jurisdictions(
    table: JurisdictionRanking | pd.DataFrame, ranks: pd.DataFrame | None = None
) -> Figure:
    """Draw regions by deployment risk, with the probability of each rank.

    Parameters
    ----------
    table : JurisdictionRanking or DataFrame
        What `network.rank_jurisdictions` returns; or its table, with its ranks beside it.
    ranks : DataFrame, optional

    Returns
    -------
    Figure
        Left the risk with its interval, right the probability of each rank.

    Raises
    ------
    InputError
        For tables without the columns, and a table without ranks.
    """
    if isinstance(table, JurisdictionRanking):
        ranks = table.ranks
        table = table.table
    if ranks is None:
        raise InputError(
            Problem("jurisdictions: no ranks", hint="give what network.rank_jurisdictions returns as it is")
        )
    counted = table.attrs.get("cells")
    require_table(
        table,
        ("region", "risk", "risk_low", "risk_high"),
        numeric=("risk", "risk_low", "risk_high"),
        name="jurisdictions",
    )
    require_table(ranks, ("region", "rank", "probability"), numeric=("probability",), name="ranks")
    regions = [str(name) for name in table["region"]]
    wide = ranks.pivot(index="region", columns="rank", values="probability").loc[regions]
    with style.styled():
        figure = style.new_figure(0.36 * len(regions) + 1.5)
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.1])
        y = np.arange(len(regions))
        left.hlines(y, 100 * table["risk_low"], 100 * table["risk_high"], color=style.BLUE, linewidth=2.0)
        left.plot(100 * table["risk"], y, "o", color=style.BLUE, markersize=5.5)
        left.set_yticks(y, [readable(name) for name in regions])
        left.set_xlabel("falls back or collapses, %")
        left.set_title("Deployment risk")
        left.set_ylim(len(regions) - 0.5, -0.5)
        style.light_grid(left, "x")
        right.imshow(wide.to_numpy(), cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
        for (row, column), value in np.ndenumerate(wide.to_numpy()):
            if value >= 0.005:
                ink = "white" if value > 0.6 else style.INK
                right.text(
                    column, row, f"{100 * value:.0f}", ha="center", va="center", color=ink, fontsize=8.5
                )
        right.set_xticks(range(len(wide.columns)), [str(rank) for rank in wide.columns])
        right.set_yticks(y, [""] * len(regions))
        right.tick_params(length=0)
        right.set_xlabel("rank, 1 is the riskiest")
        right.set_title("Probability of each rank, %")
        style.caption(
            figure,
            "Probability that a class falls back to passive redundancy or collapses, averaged over classes "
            + (f"and periods, over {counted}. " if counted else "and periods. ")
            + f"Lines: {interval_label(table, name='jurisdictions')}, over "
            "draws of the network's tables; so are the ranks. Below 0.5 % is left blank.",
        )
    return figure


def plot_entry_sensitivity(table: pd.DataFrame, most: int = 12) -> Figure:
    """Draw how far each number of a network's tables moves one probability: a tornado.

    Parameters
    ----------
    table : DataFrame
        What `network.entry_sensitivity` returns, the widest swing first.
    most : int
        Numbers drawn, the first ones.

    Returns
    -------
    Figure
        One bar a number, from the probability at the low end of its interval to that at its high
        end; the line is the probability as stated.

    Raises
    ------
    InputError
        For a table without the columns, or no number to draw.
    """
    numbers = ("value", "low", "high", "target", "at_low", "at_high")
    columns = ("base", "parameter", "given", "state", *numbers)
    require_table(table, columns, numeric=numbers, name="sensitivities")
    if isinstance(most, bool) or not isinstance(most, (int, np.integer)) or most < 1:
        raise InputError(Problem("bars of a tornado", got=most, allowed="a positive integer", key="most"))
    shown = table.head(most)
    labels = []
    words = shown[["base", "parameter", "given", "state"]].astype(str)
    for base, parameter, given, state in words.to_numpy():
        what = f"{readable(base)}: {readable(parameter)}"
        where = ", ".join(filter(None, (given, state)))
        label = f"{what} ({readable(where)})" if where else what
        labels.append(textwrap.shorten(label, 66, placeholder=" …"))
    stated = 100.0 * float(table["target"].iloc[0])
    with style.styled():
        figure = style.new_figure(0.44 * len(shown) + 1.5)
        axes = figure.subplots()
        y = np.arange(len(shown))
        for ends, colour, label in (
            ("at_low", style.ORANGE, "number at the low end of its interval"),
            ("at_high", style.BLUE, "at the high end"),
        ):
            there = 100.0 * shown[ends].to_numpy(dtype=float)
            axes.barh(y, there - stated, left=stated, color=colour, height=0.6, label=label)
        furthest = shown[["at_low", "at_high", "target"]].to_numpy(dtype=float).max(axis=1)
        for at, right in enumerate(furthest):
            value, low, high = (float(shown[name].iloc[at]) for name in ("value", "low", "high"))
            text = f"{value:.2g} ({low:.2g} to {high:.2g})"
            axes.annotate(
                text, (100.0 * right, at), (4, 0), textcoords="offset points", va="center", fontsize=8.0
            )
        axes.axvline(stated, color=style.INK, linewidth=0.9)
        axes.set_yticks(y, ["\n".join(textwrap.wrap(label, 40)) for label in labels])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.margins(x=0.22)
        axes.set_xlabel("probability, %")
        style.light_grid(axes, "x")
        figure.legend(loc="outside upper center", ncols=2)
        rest = len(table) - len(shown)
        style.caption(
            figure,
            f"The probability asked about is {stated:.1f} % as the tables are stated (line). Each bar moves "
            "one number of the tables alone over the equal-tailed interval that its doubt gives it: beside "
            "the bar the number and its interval"
            + (f"; {rest} numbers of smaller swing are left out." if rest else "."),
        )
    return figure
