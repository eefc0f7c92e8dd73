"""Picture of an elicited quantity: what each source says under the pooled distribution."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.plots import style
from sinkrisk.plots.labels import readable, sentence_case, unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sinkrisk.priors import Elicited

_MASS = 0.9
_POINTS = 801
_FACTOR = 30.0
# Equal statements draw equal curves: the dashes of the later one show both.
_LINES = ("-", "--", "-.", ":")
_COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY, style.GREY)


def plot_elicitation(elicited: Elicited) -> Figure:
    """Draw the pooled density, each source's share of it, and the interval of every claim.

    Parameters
    ----------
    elicited : Elicited
        What `elicit` returns.

    Returns
    -------
    Figure
        Above, densities: under the linear pool each source's curve is its weight times its density, so
        the curves add up to the pool; under the hierarchical pool each source's own density. Below,
        median and 90 % equal-tailed interval of every claim and of the pool. The axis is logarithmic
        where the pool spans a factor of more than 30, and the density then one of the logarithm.
    """
    low, high = (float(x) for x in elicited.ppf([0.002, 0.995]))
    logarithmic = elicited.scale.name == "log" and high / low > _FACTOR
    if not logarithmic:
        reach = 0.04 * (high - low)
        low, high = max(low - reach, elicited.scale.lower), min(high + reach, elicited.scale.upper)
    x = np.geomspace(low, high, _POINTS) if logarithmic else np.linspace(low, high, _POINTS)
    rows = len(elicited.claims_used) + 1
    with style.styled():
        figure = style.new_figure(3.1 + 0.3 * rows + 0.16 * len(elicited.parts) + 1.0)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.1, 0.3 * rows + 0.35])
        _densities(upper, elicited, x, logarithmic)
        _intervals(lower, elicited)
        if logarithmic:
            lower.set_xscale("log")
            lower.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        lower.set_xlim(low, high)
        unit = unit_text(elicited.unit)
        lower.set_xlabel(f"{_quantity(elicited)}{f', {unit}' if unit else ''}")
        figure.legend(loc="outside upper left", ncols=1 if len(elicited.parts) < 5 else 2)
        style.caption(figure, _explained(elicited, logarithmic))
    return figure


def _densities(axes: Axes, elicited: Elicited, x: np.ndarray, logarithmic: bool) -> None:
    jacobian = x if logarithmic else 1.0
    linear = elicited.hierarchy is None
    for position, part in enumerate(elicited.parts):
        share = part.weight if linear and len(elicited.parts) > 1 else 1.0
        y, colour = share * part.pool.pdf(x) * jacobian, _colour(position)
        axes.fill_between(x, y, color=colour, alpha=0.18, linewidth=0.0)
        axes.plot(
            x, y, color=colour, linewidth=1.4, linestyle=_LINES[position % len(_LINES)],
            label=part.label.replace(";", ", "),
        )  # fmt: skip
    axes.plot(x, elicited.pdf(x) * jacobian, color=style.BLACK, linewidth=2.0, label=_pool_name(elicited))
    axes.set_ylim(bottom=0.0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("density of the logarithm" if logarithmic else "density")
    whose = "" if elicited.pathway == "all" else f", {readable(elicited.pathway)}"
    title = f"{_quantity(elicited)}{whose} (basis: {' and '.join(elicited.basis)})"
    axes.set_title("\n".join(textwrap.wrap(title, 62)))
    style.light_grid(axes, "x")


def _intervals(axes: Axes, elicited: Elicited) -> None:
    names, at = [], 0
    order = [identity for part in elicited.parts for identity in part.claims]
    for position, part in enumerate(elicited.parts):
        for identity, family in zip(part.claims, part.pool.families, strict=True):
            ends = family.quantile_at(np.array([-1.6448536269514722, 0.0, 1.6448536269514722]))
            _bar(axes, at, ends, _colour(position), 1.8)
            names.append(identity)
            at += 1
    low, high = elicited.interval(_MASS)
    _bar(axes, at, np.array([low, float(elicited.ppf(0.5)), high]), style.BLACK, 2.6)
    axes.set_yticks(np.arange(len(order) + 1), [*names, "pool"])
    axes.set_ylim(len(order) + 0.6, -0.6)
    axes.spines["left"].set_visible(False)
    style.light_grid(axes, "x")


def _bar(axes: Axes, at: int, ends: np.ndarray, colour: str, width: float) -> None:
    axes.hlines(at, ends[0], ends[2], color=colour, linewidth=width)
    axes.plot(ends[1], at, marker="o", markersize=4.5, color=colour)


def _quantity(elicited: Elicited) -> str:
    from sinkrisk.priors import load_table

    names = load_table("quantities").set_index("quantity")["name"]
    return str(names.get(elicited.quantity, sentence_case(elicited.quantity)))


def _colour(position: int) -> str:
    return _COLOURS[position % len(_COLOURS)]


def _pool_name(elicited: Elicited) -> str:
    return f"{elicited.method} pool" if len(elicited.parts) > 1 or elicited.hierarchy else "the distribution"


def _explained(elicited: Elicited, logarithmic: bool) -> str:
    text = f"Bars: median and {_MASS:.0%} equal-tailed interval of each claim as read, and of the pool."
    text = text.replace("%", " %")
    if len(elicited.parts) > 1:
        if elicited.hierarchy is None:
            text += " Each source's curve is drawn at its weight; together they are the pool."
        text += (
            f" Disagreement: {elicited.disagreement:.0%}".replace("%", " %")
            + f" of the linear pool's variance ({elicited.scale.name} scale) lies between sources."
        )
    if elicited.hierarchy is not None:
        text += (
            f" Between-source sd {elicited.hierarchy.between_mean:.2g} ({elicited.scale.name} scale; "
            f"half-normal prior of scale {elicited.hierarchy.between_prior:.2g})."
        )
    if logarithmic:
        text += " The axis is logarithmic."
    if elicited.claims_left_out:
        names = [row["id"] for row in elicited.claims_left_out]
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        text += f" Left out: {shown}."
    return text
