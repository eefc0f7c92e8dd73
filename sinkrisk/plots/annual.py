"""Budgets of years: fluxes year by year, what the data taught each parameter, and the outlook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.plots import style
from sinkrisk.plots.checking import interval_label, only, require_table
from sinkrisk.plots.labels import in_order, readable, sentence_case, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
        component, start, end, value: statements to lay over it, as `prepare_rows` gives them. With
        ``net_of`` a statement on a difference of two components is told apart from one on the component.

    Returns
    -------
    Figure
        Lines are means, bands their intervals; dark marks are statements, as long as their window, and
        dashed or hollow where they are net of another component.

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
        if "net_of" not in stated:
            stated = stated.assign(net_of="")
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
                _lay_over(axes, stated[stated["component"] == component])
            axes.set_title(sentence_case(component))
            axes.set_ylabel(unit)
            low, high = axes.get_ylim()
            axes.set_ylim(min(low, 0.0), max(high, 0.0))
            axes.axhline(0.0, color=style.GREY, linewidth=0.8)
            style.light_grid(axes, "y")
        for axes in list(grid.flat)[len(components) :]:
            axes.set_axis_off()
        marks = "" if stated is None else "Black: what was stated, a line as long as its window. "
        if stated is not None:
            differences = stated[stated["net_of"].astype(str).str.len() > 0]
            for component, other in differences[["component", "net_of"]].drop_duplicates().to_numpy():
                marks += (
                    f"Dashed or hollow: stated of {readable(component)} minus {readable(other)}, another "
                    "flux than this panel's. "
                )
        style.caption(
            figure,
            f"Line: reconciled mean of each year; band: its {interval}. {marks}Each panel has its own scale, "
            f"in {unit}, and includes zero. Emissions count positive into the air, sinks positive out of it.",
        )
    return figure


def _lay_over(axes: Axes, stated: pd.DataFrame) -> None:
    """Draw statements: filled and solid on the flux itself, hollow and dashed on it net of another."""
    net = stated["net_of"].astype(str).str.len() > 0
    single = stated["end"] == stated["start"]
    mark = 4.0 if int(single.sum()) <= _MOST_BARS else 1.6
    looks: tuple[tuple[pd.Series[bool], Literal["-", "--"], str], ...] = (
        (~net, "-", style.INK),
        (net, "--", "white"),
    )
    for chosen, dashes, face in looks:
        spans, years = stated[chosen & ~single], stated[chosen & single]
        if len(spans) or dashes == "-":
            axes.hlines(
                spans["value"], spans["start"] - 0.5, spans["end"] + 0.5, color=style.INK, linewidth=1.4,
                linestyles=dashes,
            )  # fmt: skip
        if len(years) or dashes == "-":
            axes.plot(
                years["start"], years["value"], "o", color=style.INK, markerfacecolor=face, markersize=mark,
                linestyle="none",
            )  # fmt: skip


_PARAMETERS = {
    "walk_scale": ("Walk of the flux", "yearly step, {unit}"),
    "variability": ("Year-to-year variability", "sd, {unit}"),
    "error_scale": ("Size of errors", "in stated sds"),
    "error_correlation": ("Persistence of errors", "lag-1 correlation"),
    "error_share": ("Parts of errors", "share of variance"),
    "land_use_land_correlation": ("Land-use and land biases", "correlation"),
    "missing_scale": ("Missing flux, size", "sd, {unit}"),
    "missing_mean_share": ("Missing flux, steady part", "share of variance"),
    "missing_correlation": ("Missing flux, persistence", "lag-1 correlation"),
    "precision": ("Precision of a group", "relative"),
    "method_bias_scale": ("Bias of a method", "sd, {unit}"),
    "method_ar_scale": ("Persistent error of a method", "sd, {unit}"),
    "method_walk_scale": ("Drift of a method", "yearly step, {unit}"),
    "method_correlation": ("Persistence in a method", "lag-1 correlation"),
    "estimate_offset_scale": ("Offset of an estimate", "sd, {unit}"),
    "estimate_error_scale": ("Error of an estimate", "sd, {unit}"),
    "estimate_correlation": ("Persistence in an estimate", "lag-1 correlation"),
}
"""Parameter -> title of its panel, and what its axis measures."""

_PARTS = {"ar": "lag-1"}


def _entry_text(label: object) -> str:
    """Return a parameter's entry in words: ``land_use ar`` as ``land-use change, lag-1``."""
    words = str(label).replace(",", " ").split()
    return ", ".join(_PARTS.get(word, readable(word)) for word in words)


def plot_parameters(table: pd.DataFrame) -> Figure:
    """Draw prior and posterior of every parameter, those that the data hardly moved set apart.

    Parameters
    ----------
    table : DataFrame
        What `budget.summarise_parameters` returns: parameter, label, prior_mean, prior_low, prior_high,
        mean, low, high, prior_driven, interval_kind, interval_mass, and unit where there is one.

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
        figure = style.new_figure((1.0 + 0.2 * most) * rows + 0.8)
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
            axes.set_yticks(at, [_entry_text(label) for label in one["label"]])
            axes.set_ylim(len(one) - 0.4, -0.6)
            unit = unit_text(one["unit"].iloc[0]) if "unit" in one else ""
            title, measure = _PARAMETERS.get(name, (sentence_case(name), "{unit}"))
            axes.set_title(title)
            axes.set_xlabel(measure.format(unit=unit).rstrip(", "))
            style.light_grid(axes, "x")
        for axes in list(grid.flat)[len(groups) :]:
            axes.set_axis_off()
        style.caption(
            figure,
            f"Grey: prior, blue: posterior; lines are {interval}s, marks posterior means. Hollow: the data "
            "hardly moved the prior, and what is drawn is what was assumed.",
        )
    return figure


def plot_outlook(table: pd.DataFrame | xr.Dataset) -> Figure:
    """Draw an outlook: concentration and natural sinks, with and without removal.

    Parameters
    ----------
    table : Dataset or DataFrame
        What `budget.outlook` returned, drawn in every year; or its `budget.summarise_outlook`, drawn with
        a mark in each of its years: quantity, year, mean, low, high, interval_kind, interval_mass, unit,
        and portfolio where there are several.

    Returns
    -------
    Figure
        One panel for each of co2, ocean and land that the table has; lines are means, bands intervals. The
        two sinks share their scale.

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an interval that ends before it starts.
    """
    numeric = ["year", "mean", "low", "high"]
    if isinstance(table, xr.Dataset):
        from sinkrisk.budget import summarise_outlook

        years = table["year"].values.tolist() if "year" in table else None
        table = summarise_outlook(table, years=years)
    scenario = str(getattr(table, "attrs", {}).get("scenario", ""))
    if isinstance(table, pd.DataFrame) and "portfolio" not in table:
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
        sinks = []
        for variable, axes in zip(shown, grid.flat, strict=True):
            part = table[table["quantity"] == variable]
            for position, portfolio in enumerate(portfolios):
                one = part[part["portfolio"].astype(str) == portfolio].sort_values("year")
                colour = palette[position % len(palette)]
                axes.fill_between(one["year"], one["low"], one["high"], color=colour, alpha=0.2, linewidth=0)
                # Between years that were tabulated the line is only a guide.
                mark = "o" if (np.diff(one["year"]) > 1).any() else ""
                axes.plot(
                    one["year"], one["mean"], color=colour, linewidth=1.8, marker=mark, markersize=4,
                    label=readable(portfolio),
                )  # fmt: skip
            axes.set_title("CO₂" if variable == "co2" else f"{sentence_case(variable)} sink")
            axes.set_ylabel(unit_text(str(part["unit"].iloc[0])))
            axes.set_xlabel("year")
            style.light_grid(axes, "y")
            if variable != "co2":
                sinks.append(axes)
        if sinks:
            low = min(0.0, *(axes.get_ylim()[0] for axes in sinks))
            high = max(axes.get_ylim()[1] for axes in sinks)
            for axes in sinks:
                axes.set_ylim(low, high)
        if len(portfolios) > 1:
            grid[0, 0].legend()
        said = f"scenario {scenario}" if scenario else "the scenario"
        style.caption(
            figure,
            f"Lines: means over posterior draws; bands: {interval}s of what is uncertain in the sinks. No "
            f"year-to-year variability; emissions are those of {said}."
            " CO₂ at the end of the year; the sinks share a scale that starts at zero.",
        )
    return figure
