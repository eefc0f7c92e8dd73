"""Budgets of years: fluxes year by year, what the data taught each parameter, and the outlook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case, unit_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ORDER = ("fossil", "land_use", "atmosphere", "ocean", "land", "cement")
_MOST_BARS = 40
"""Most windows drawn as bars with their length; longer tables are drawn as points."""


def plot_fluxes(table: pd.DataFrame, stated: pd.DataFrame | None = None) -> Figure:
    """Draw reconciled fluxes of every year, one panel a component, beside what was stated.

    Parameters
    ----------
    table : DataFrame
        component, year, mean, low, high, interval_kind, interval_mass, unit: what
        `budget.tabulate_fluxes` returns and a run keeps as ``fluxes.csv``.
    stated : DataFrame, optional
        component, start, end, value: statements to lay over it, as `prepare_rows` gives them.

    Returns
    -------
    Figure
        Lines are means, bands their intervals; grey marks are statements, as long as their window.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an interval that ends before it starts.
    """
    numeric = ["year", "mean", "low", "high"]
    table = require_table(
        table,
        ["component", *numeric, "interval_kind", "interval_mass", "unit"],
        name="fluxes",
        numeric=numeric,
        ordered=[("low", "high")],
    )
    if stated is not None:
        stated = require_table(
            stated, ["component", "start", "end", "value"], name="stated", numeric=["start", "end", "value"]
        )
    unit, interval = unit_text(only(table, "unit", name="fluxes")), interval_label(table, name="fluxes")
    components = in_order(table["component"], _ORDER)
    rows = -(-len(components) // 3)
    with style.styled():
        figure = style.new_figure(2.6 * rows + 0.7)
        grid = figure.subplots(rows, 3, squeeze=False)
        for position, (component, axes) in enumerate(zip(components, grid.flat, strict=False)):
            one = table[table["component"] == component].sort_values("year")
            colour = style.colour_of(component, style.COMPONENT_COLOURS, position)
            axes.fill_between(one["year"], one["low"], one["high"], color=colour, alpha=0.25, linewidth=0)
            axes.plot(one["year"], one["mean"], color=colour, linewidth=1.8)
            if stated is not None:
                said = stated[stated["component"] == component]
                spans = said[said["end"] > said["start"]]
                years = said[said["end"] == said["start"]]
                axes.hlines(
                    spans["value"], spans["start"] - 0.5, spans["end"] + 0.5, color=style.INK, linewidth=1.4
                )
                mark = 4.0 if len(years) <= _MOST_BARS else 1.6
                axes.plot(
                    years["start"], years["value"], "o", color=style.INK, markersize=mark, linestyle="none"
                )
            axes.set_title(sentence_case(component))
            axes.set_ylabel(unit)
            low, high = axes.get_ylim()
            axes.set_ylim(min(low, 0.0), max(high, 0.0))
            axes.axhline(0.0, color=style.GREY, linewidth=0.8)
            style.light_grid(axes, "y")
        for axes in list(grid.flat)[len(components) :]:
            axes.set_axis_off()
        marks = "" if stated is None else "Black: what was stated, a line as long as its window. "
        style.caption(
            figure,
            f"Line: reconciled mean of each year; band: its {interval}. {marks}Each panel has its own scale, "
            f"in {unit}, and includes zero. Emissions count positive into the air, sinks positive out of it.",
        )
    return figure


def plot_parameters(table: pd.DataFrame) -> Figure:
    """Draw prior and posterior of every parameter, those that the data hardly moved set apart.

    Parameters
    ----------
    table : DataFrame
        What `budget.summarise_parameters` returns: parameter, label, prior_mean, prior_low, prior_high,
        mean, low, high, prior_driven, interval_kind, interval_mass.

    Returns
    -------
    Figure
        Grey lines are prior intervals, coloured ones posterior; hollow marks are prior-driven.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an interval that ends before it starts.
    """
    numeric = ["prior_mean", "prior_low", "prior_high", "mean", "low", "high"]
    table = require_table(
        table,
        ["parameter", "label", *numeric, "prior_driven", "interval_kind", "interval_mass"],
        name="parameters",
        numeric=numeric,
        ordered=[("prior_low", "prior_high"), ("low", "high")],
    )
    interval = interval_label(table, name="parameters")
    groups = list(dict.fromkeys(table["parameter"].astype(str)))
    columns = 3
    rows = -(-len(groups) // columns)
    most = int(table["parameter"].value_counts().max())
    with style.styled():
        figure = style.new_figure((0.75 + 0.2 * most) * rows + 0.8)
        grid = figure.subplots(rows, columns, squeeze=False)
        for name, axes in zip(groups, grid.flat, strict=False):
            one = table[table["parameter"] == name]
            at = np.arange(len(one), dtype=float)
            axes.hlines(at - 0.16, one["prior_low"], one["prior_high"], color=style.LIGHT, linewidth=3.0)
            axes.hlines(at + 0.16, one["low"], one["high"], color=style.BLUE, linewidth=2.0)
            # A table read back from a file has the words.
            driven = (one["prior_driven"].astype(str) == "True").to_numpy()
            axes.plot(one["mean"][~driven], at[~driven] + 0.16, "o", color=style.BLUE, markersize=5)
            axes.plot(
                one["mean"][driven],
                at[driven] + 0.16,
                "o",
                color=style.BLUE,
                markerfacecolor="white",
                markersize=5,
            )
            axes.set_yticks(at, [readable(label) for label in one["label"]])
            axes.set_ylim(len(one) - 0.4, -0.6)
            axes.set_title(sentence_case(name))
            style.light_grid(axes, "x")
        for axes in list(grid.flat)[len(groups) :]:
            axes.set_axis_off()
        style.caption(
            figure,
            f"Grey: prior, blue: posterior; lines are {interval}s, marks posterior means. A hollow mark is "
            "prior-driven: the data hardly moved it, and what it says is what was assumed.",
        )
    return figure


def plot_outlook(table: pd.DataFrame) -> Figure:
    """Draw an outlook: concentration and natural sinks, with and without removal.

    Parameters
    ----------
    table : DataFrame
        What `budget.summarise_outlook` returns: quantity, year, mean, low, high, interval_kind,
        interval_mass, unit, and portfolio where there are several.

    Returns
    -------
    Figure
        One panel for each of co2, ocean and land that the table has; lines are means, bands intervals.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an interval that ends before it starts.
    """
    numeric = ["year", "mean", "low", "high"]
    if "portfolio" not in table:
        table = table.assign(portfolio="as given")
    table = require_table(
        table,
        ["quantity", "portfolio", *numeric, "interval_kind", "interval_mass", "unit"],
        name="outlook",
        numeric=numeric,
        ordered=[("low", "high")],
    )
    interval = interval_label(table, name="outlook")
    shown = [name for name in ("co2", "ocean", "land") if (table["quantity"] == name).any()]
    portfolios = list(dict.fromkeys(table["portfolio"].astype(str)))
    palette = [style.INK, style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.VERMILION, style.SKY]
    with style.styled():
        figure = style.new_figure(3.4)
        grid = figure.subplots(1, max(len(shown), 1), squeeze=False)
        for variable, axes in zip(shown, grid.flat, strict=True):
            part = table[table["quantity"] == variable]
            for position, portfolio in enumerate(portfolios):
                one = part[part["portfolio"].astype(str) == portfolio].sort_values("year")
                colour = palette[position % len(palette)]
                axes.fill_between(one["year"], one["low"], one["high"], color=colour, alpha=0.2, linewidth=0)
                axes.plot(one["year"], one["mean"], color=colour, linewidth=1.8, label=readable(portfolio))
            axes.set_title("CO₂" if variable == "co2" else f"{sentence_case(variable)} sink")
            axes.set_ylabel(unit_text(str(part["unit"].iloc[0])))
            style.light_grid(axes, "y")
        if len(portfolios) > 1:
            grid[0, 0].legend()
        style.caption(
            figure,
            f"Lines: means over posterior draws; bands: {interval}s of what is uncertain in the sinks. No "
            "year-to-year variability; emissions are the scenario's.",
        )
    return figure
