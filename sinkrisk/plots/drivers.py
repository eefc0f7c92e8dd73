"""Drivers pictured: tornado, interactions, response curves, how sure the ranks are, how indices settle"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.plots import style
from sinkrisk.plots.checking import chosen, interval_label, only, require_table
from sinkrisk.plots.labels import readable, sentence_case, unit_text
from sinkrisk.plots.portfolio import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 12
"""Drivers shown when the caller does not say how many."""


def plot_tornado(tornado: pd.DataFrame, output: str | None = None, *, top: int = FEW) -> Figure:
    """Draw the mean of an output where each driver is low and where it is high, the widest swing on top.

    Parameters
    ----------
    tornado : DataFrame
        From `sensitivity.tornado_table`; with a column ``unit``, as in ``tornado.csv``, the axis bears it.
    output : str, optional
        May be left out where there is one.
    top : int
        Drivers drawn.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an output the table does not hold.
    """
    ends = ("at_low_low", "at_low_high", "at_high_low", "at_high_high")
    table = require_table(
        tornado,
        ("output", "driver", "base", "at_low", "at_high", *ends, "low_label", "high_label", "interval_kind",
         "interval_mass"),
        name="tornado",
        numeric=["base", "at_low", "at_high", *ends],
    )  # fmt: skip
    table, name = _of_output(table, output, "tornado")
    order = (table["at_high"] - table["at_low"]).abs().sort_values(ascending=False, kind="stable").index
    table = table.loc[order].head(top).reset_index(drop=True)
    base = float(table["base"].iloc[0])
    with style.styled():
        figure = style.new_figure(0.36 * len(table) + 1.7)
        axes = figure.subplots()
        at = np.arange(len(table), dtype=float)
        handles: list[Any] = []
        for key, colour in (("at_low", style.SKY), ("at_high", style.ORANGE)):
            handles.append(axes.barh(at, table[key] - base, left=base, height=0.62, color=colour))
            axes.hlines(at, table[f"{key}_low"], table[f"{key}_high"], color=style.INK, linewidth=1.3)
        axes.axvline(base, color=style.GREY, linewidth=1.0)
        _drivers_down(axes, list(table["driver"]))
        style.light_grid(axes, "x")
        axes.set_title(sentence_case(name))
        if "unit" in table:
            axes.set_xlabel(unit_text(table["unit"].iloc[0]))
        low, high = _common(table["low_label"], "low"), _common(table["high_label"], "high")
        figure.legend(handles, [low, high], loc="outside upper right", ncols=2)
        style.caption(
            figure,
            f"Bars: mean of the output where the driver is {low} and where it is {high}, from the mean of "
            "all draws (vertical line); other drivers vary as they do. Thin lines: "
            f"{interval_label(table, name='tornado')}.",
            characters=130,
        )
    return figure


def plot_interactions(sobol: pd.DataFrame, output: str | None = None, *, top: int = FEW) -> Figure:
    """Draw second-order indices as a triangle of drivers by drivers, those with the most on top.

    Parameters
    ----------
    sobol : DataFrame
        From `sensitivity.sobol_table`, of an analysis with ``second_order=True``.
    output : str, optional
        May be left out where there is one.
    top : int
        Drivers shown: those whose pairs reach the largest index.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, a table without S2, or an output it does not hold.
    """
    import matplotlib
    from matplotlib.colors import to_hex

    from sinkrisk.errors import InputError, Problem

    table = require_table(
        sobol, ("output", "driver", "index", "value", "low", "high", "interval_kind", "interval_mass"),
        name="sobol", numeric=["value", "low", "high"],
    )  # fmt: skip
    table, name = _of_output(table, output, "sobol")
    table = table[table["index"] == "S2"]
    if table.empty:
        raise InputError(
            Problem("sobol: no second-order indices", key="index", hint="call sobol with second_order=True")
        )
    split = table["driver"].str.partition(" x ")
    table = table.assign(one=split[0], other=split[2])
    names = list(dict.fromkeys([*table["one"], *table["other"]]))
    largest = {
        driver: table.loc[(table["one"] == driver) | (table["other"] == driver), "value"].abs().max()
        for driver in names
    }
    shown = sorted(sorted(names, key=lambda d: -np.nan_to_num(largest[d]))[:top], key=names.index)
    size = len(shown)
    value = np.full((size, size), np.nan)
    sure = np.zeros((size, size), dtype=bool)
    low, high = table["low"].to_numpy(dtype=float), table["high"].to_numpy(dtype=float)
    for k, (one, other) in enumerate(zip(table["one"], table["other"], strict=True)):
        if one in shown and other in shown:
            i, j = sorted((shown.index(one), shown.index(other)))
            value[j, i] = table["value"].iloc[k]
            # What prints as 0.00 is not worth a mark, however sure.
            sure[j, i] = (low[k] > 0.0 or high[k] < 0.0) and abs(value[j, i]) >= 0.005
    with style.styled():
        figure = style.new_figure(0.42 * size + 2.4)
        axes = figure.subplots()
        colormap = matplotlib.colormaps["Blues"]
        limit = max(float(np.nanmax(np.abs(value), initial=0.0)), 0.05)
        shade = np.clip(value / limit, 0.0, 1.0)
        axes.pcolormesh(np.ma.masked_invalid(shade), cmap=colormap, vmin=0.0, vmax=1.0, edgecolors="white")
        for j, i in np.argwhere(np.isfinite(value)):
            text = f"{value[j, i] + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")
            axes.text(
                i + 0.5, j + 0.5, text, ha="center", va="center", fontsize=9,
                color=style.ink_on(to_hex(tuple(colormap(shade[j, i])))),
                weight="bold" if sure[j, i] else "normal",
            )  # fmt: skip
        axes.set_xticks(np.arange(size) + 0.5, [readable(d) for d in shown], rotation=40, ha="right",
                        rotation_mode="anchor")  # fmt: skip
        axes.set_yticks(np.arange(size) + 0.5, style.wrapped(shown, 24))
        axes.set_xlim(0, size)
        axes.set_ylim(size, 0)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{sentence_case(name)}: second-order index S2")
        left_out = (
            "" if size == len(names) else f" {len(names) - size} drivers with smaller ones are left out."
        )
        style.caption(
            figure,
            "Share of the output's variance that two drivers make together and neither alone, no unit. "
            f"Bold: the {interval_label(table, name='sobol')} does not hold 0. Estimates may fall below 0."
            + left_out,
        )
    return figure


def plot_responses(
    responses: pd.DataFrame,
    output: str | None = None,
    *,
    drivers: Sequence[str] | None = None,
    unit: str = "",
) -> Figure:
    """Draw the mean of an output over each driver, with its interval; one panel a driver.

    Parameters
    ----------
    responses : DataFrame
        From `sensitivity.response_curves`; a column ``driver_unit``, where there is one, ends the label
        of its axis.
    output : str, optional
        May be left out where there is one.
    drivers : sequence of str, optional
        All by default.
    unit : str
        Of the output; that of the table's column ``unit`` where it is left out.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or names the table does not hold.
    """
    table = require_table(
        responses,
        ("output", "driver", "kind", "at", "state", "mean", "low", "high", "interval_kind", "interval_mass"),
        name="responses", numeric=["at", "mean", "low", "high"],
    )  # fmt: skip
    table, name = _of_output(table, output, "responses")
    if not unit and "unit" in table:
        unit = unit_text(table["unit"].iloc[0])
    picked = chosen(drivers, list(dict.fromkeys(table["driver"].astype(str))), key="driver", name="responses")
    columns = min(3, len(picked))
    rows = -(-len(picked) // columns)
    with style.styled():
        figure = style.new_figure(2.3 * rows + 0.9)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for driver, axes in zip(picked, grid.flat, strict=False):
            part = table[table["driver"] == driver].sort_values("at", kind="stable")
            if (part["kind"] == "states").all():
                at = np.arange(len(part))
                axes.errorbar(
                    at, part["mean"], yerr=np.abs(part[["low", "high"]].T - part["mean"].to_numpy()),
                    fmt="o", color=style.BLUE, ecolor=style.INK, capsize=3,
                )  # fmt: skip
                states = [str(state) for state in part["state"]]
                # No word is broken: "strengthenin-g".
                longest = max(len(word) for state in states for word in readable(state).split() or [""])
                axes.set_xticks(at, style.wrapped(states, max(12, longest)))
                axes.set_xlim(-0.5, len(part) - 0.5)
            else:
                axes.fill_between(
                    part["at"], part["low"], part["high"], color=style.SKY, alpha=0.35, linewidth=0
                )
                axes.plot(part["at"], part["mean"], color=style.BLUE, marker="o", markersize=3)
                # 0.000025, 0.000050, ... would run into each other.
                axes.locator_params(axis="x", nbins=5)
                axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
            axes.set_xlabel(style.wrapped([readable(driver) + _of_driver(part)], 30)[0])
            style.light_grid(axes, "y")
        for axes in list(grid.flat)[len(picked) :]:
            axes.set_axis_off()
        for axes in grid[:, 0]:
            axes.set_ylabel(unit)
        figure.suptitle(f"Mean of {readable(name)}", x=0.012, ha="left", fontsize=10.5, fontweight="bold")
        kinds = dict.fromkeys(zip(table["interval_kind"], table["interval_mass"], strict=True))
        said = "; ".join(f"{round(100 * float(m), 6):g} % {k}" for k, m in kinds)
        style.caption(
            figure, f"What is expected of the output when the driver is learnt; pointwise intervals: {said}."
        )
    return figure


def plot_driver_ranks(ranks: pd.DataFrame, output: str | None = None, *, top: int = FEW) -> Figure:
    """Draw how often each driver is among the first, and the interval of its rank.

    Parameters
    ----------
    ranks : DataFrame
        From `sensitivity.driver_ranks`.
    output : str, optional
        May be left out where there is one.
    top : int
        Drivers drawn.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an output the table does not hold.
    """
    numbers = ["rank", "rank_low", "rank_high", "first", "among_top"]
    table = require_table(
        ranks, ("output", "driver", *numbers, "top", "index", "interval_mass"), name="ranks", numeric=numbers,
        ordered=[("rank_low", "rank_high")],
    )  # fmt: skip
    table, name = _of_output(table, output, "ranks")
    table = table.sort_values("rank", kind="stable").head(top).reset_index(drop=True)
    first = int(float(only(table, "top", name="ranks")))
    mass = float(only(table, "interval_mass", name="ranks"))
    with style.styled():
        figure = style.new_figure(0.36 * len(table) + 1.7)
        left, right = figure.subplots(1, 2, sharey=True)
        at = np.arange(len(table), dtype=float)
        left.barh(at, table["among_top"], height=0.62, color=style.BLUE)
        for k, share in enumerate(table["among_top"]):
            left.text(share + 0.02, k, percent(share), va="center", fontsize=9, color=style.INK)
        left.set_xlim(0.0, 1.18)
        left.set_xticks([0.0, 0.5, 1.0], ["0 %", "50 %", "100 %"])
        left.set_title("leads" if first == 1 else f"among the first {first}")
        right.hlines(at, table["rank_low"], table["rank_high"], color=style.INK, linewidth=1.6)
        right.plot(table["rank"], at, "o", color=style.BLUE)
        right.set_title(f"rank by {only(table, 'index', name='ranks')}")
        right.set_xlim(0.5, float(table["rank_high"].max()) + 0.5)
        _drivers_down(left, list(table["driver"]))
        for axes in (left, right):
            style.light_grid(axes, "x")
        figure.suptitle(sentence_case(name), x=0.012, ha="left", fontsize=10.5, fontweight="bold")
        style.caption(
            figure,
            "Left: share of replications of the analysis, simulated from its replicates or resamples. Right: "
            f"rank of the estimate (dot) and its {round(100 * mass, 6):g} % equal-tailed interval.",
        )
    return figure


def plot_convergence(series: pd.DataFrame, output: str | None = None, *, top: int = 6) -> Figure:
    """Draw total-order indices with their intervals against the number of base points.

    Parameters
    ----------
    series : DataFrame
        From `sensitivity.convergence_table`.
    output : str, optional
        May be left out where there is one.
    top : int
        Drivers drawn: the first at the largest N.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For a missing column, text where a number belongs, or an output the table does not hold.
    """
    table = require_table(
        series, ("output", "driver", "index", "value", "low", "high", "n", "interval_kind", "interval_mass"),
        name="series", numeric=["value", "low", "high", "n"],
    )  # fmt: skip
    table, name = _of_output(table, output, "series")
    table = table[table["index"] == "ST"]
    last = table[table["n"] == table["n"].max()].sort_values("value", ascending=False, kind="stable")
    drivers = list(last["driver"].head(top))
    marks = ("o", "s", "^", "D", "v", "P", "X", "*")
    colours = (
        style.BLUE,
        style.VERMILION,
        style.GREEN,
        style.PURPLE,
        style.ORANGE,
        style.SKY,
        style.BLACK,
        style.GREY,
    )
    with style.styled():
        figure = style.new_figure(3.6)
        axes = figure.subplots()
        points = sorted(table["n"].unique())
        for k, driver in enumerate(drivers):
            part = table[table["driver"] == driver].sort_values("n")
            # Side by side, so that intervals of drivers that tie can be told apart.
            at = part["n"] * 2.0 ** (0.06 * (k - (len(drivers) - 1) / 2))
            colour = colours[k % len(colours)]
            axes.vlines(at, part["low"], part["high"], color=colour, linewidth=1.3)
            axes.plot(at, part["value"], color=colour, marker=marks[k % len(marks)], markersize=4,
                      linewidth=0.8, label=readable(driver))  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_xticks(points, [f"{int(n):,}" for n in points])
        axes.minorticks_off()
        axes.set_xlabel("base points N of a replicate")
        axes.set_ylabel("share of variance")
        axes.set_title(f"{sentence_case(name)}: total-order index ST")
        style.light_grid(axes, "y")
        figure.legend(loc="outside right upper")
        style.caption(
            figure, f"Total-order Sobol' indices as N doubles; lines: {interval_label(table, name='series')}."
        )
    return figure


def _of_driver(table: pd.DataFrame) -> str:
    """Return what ends the label of a driver's axis: its unit, where the table says one."""
    unit = unit_text(table["driver_unit"].iloc[0]) if "driver_unit" in table else ""
    return "" if unit in ("", "state") else f", {unit}"


def _of_output(table: pd.DataFrame, output: str | None, name: str) -> tuple[pd.DataFrame, str]:
    """Return the rows of one output, and its name without the colon of ``measure:portfolio``."""
    there = list(dict.fromkeys(table["output"].astype(str)))
    if output is None and len(there) > 1:
        chosen([""], there, key="output", name=name)
    picked = chosen(None if output is None else [output], there, key="output", name=name)[0]
    label = ", ".join(readable(part) for part in picked.split(":") if part)
    return table[table["output"].astype(str) == picked].reset_index(drop=True), label


def _drivers_down(axes: Axes, drivers: Sequence[str]) -> None:
    axes.set_yticks(np.arange(len(drivers)), style.wrapped(drivers, 26))
    axes.set_ylim(len(drivers) - 0.45, -0.55)


def _common(labels: pd.Series, otherwise: str) -> str:
    values = labels.astype(str).unique()
    return (
        f"in its {values[0]}"
        if len(values) == 1 and values[0].startswith(("lowest", "highest"))
        else otherwise
    )
