"""Posterior predictive checks: would new errors leave an imbalance like the one observed?

The imbalance of the stated values is the sum of their errors (and of the flux the budget misses), so it
is the one thing the data say of the errors' structure without knowing any flux.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.arguments import check_level
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.structure import FloatArray, IntArray
from sinkrisk.budget.trees import group
from sinkrisk.budget.weighing import Weighing
from sinkrisk.budget.windows import DECADE, parse_window
from sinkrisk.errors import InputError, Problem
from sinkrisk.results import Check

if TYPE_CHECKING:
    from sinkrisk.budget.hierarchical import Fitted

TAIL = 0.05
"""A statistic passes when its probability lies in the middle: neither tail below this."""

FEWEST = 4
"""Fewest windows whose imbalance is checked: fewer say nothing of spread or order."""

FEWEST_DECADES = 3
"""Fewest complete decades of annual data whose sd is a statistic of its own."""

COLUMNS: tuple[str, ...] = (
    "statistic", "series", "windows", "observed", "replicated_median", "replicated_low",
    "replicated_high", "probability_below", "probability_above", "probability_two_sided", "direction",
    "mcse", "draws", "interval_kind", "interval_mass", "unit",
)  # fmt: skip
"""Columns of the table."""


def check_predictive(tree: xr.DataTree | Fitted) -> list[Check]:
    """Compare the observed imbalance with those that new errors of the fitted model leave.

    For every posterior draw new errors and new rounding are drawn from its parameters, on the same
    fluxes (and the same missing flux, in the model `open`), and summed to an imbalance as the stated
    values are. T is the standard deviation (ddof = 1), the lag-1 autocorrelation, and for annual
    series the sd of the means of complete decades.

    The imbalance is taken by year where the table states every component in at least four years,
    all such years; else by the table's longer windows, those that overlap no earlier one taken in
    order of time.

    Scales of errors that were learnt from the same data have already adapted to them, so passing is
    weaker evidence than failing.

    Parameters
    ----------
    tree : DataTree or Fitted
        What `reconcile` or `fit` returned.

    Returns
    -------
    list of Check
        ``predictive_sd``, ``predictive_autocorrelation`` and, for annual series,
        ``predictive_decadal_sd``, each with the table of `tabulate_predictive`; passed when
        P(T_rep <= T_obs) lies between .05 and .95. One informing check where the table states too few
        windows.
    """
    table = tabulate_predictive(tree)
    if table.empty:
        text = f"Fewer than {FEWEST} windows state every component, too few to check the imbalance."
        return [Check("predictive", None, text, table)]
    checks = []
    for row in table.to_dict("records"):
        below, above, draws = float(row["probability_below"]), float(row["probability_above"]), row["draws"]
        side, tail = ("<=", below) if below < above else (">=", above)
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        judged = str(row["direction"]) if tail < TAIL else "which agrees"
        text = (
            f"The {row['statistic']} of the imbalance of {row['windows']} {row['series']} is "
            f"{row['observed']:.3f}{unit}; new errors give {row['replicated_median']:.3f} "
            f"({row['replicated_low']:.3f} to {row['replicated_high']:.3f}), {judged}: P(T_rep {side} T_obs) "
            f"{_probability(tail, draws)}, two-sided {_probability(row['probability_two_sided'], draws)}."
        )
        checks.append(Check(NAMES[str(row["statistic"])], TAIL <= below <= 1.0 - TAIL, text, table))
    return checks


def tabulate_predictive(tree: xr.DataTree | Fitted | Sequence[Check], *, level: float = 0.9) -> pd.DataFrame:
    """Return the statistics of the observed imbalance beside those under new errors.

    Parameters
    ----------
    tree : DataTree, Fitted or list of Check
        What `reconcile` or `fit` returned; or what `check_predictive` found, which holds the table at
        its level of .9.
    level : float
        Mass of the equal-tailed interval of the replicated statistic.

    Returns
    -------
    DataFrame
        One row per statistic: statistic, series ("years" or "windows"), windows (their number),
        observed, replicated_median, replicated_low, replicated_high, probability_below
        P(T_rep <= T_obs), probability_above P(T_rep >= T_obs), probability_two_sided (twice the
        smaller, at most 1), direction (whether the model predicts a statistic "too large" or "too
        small"), mcse (Monte Carlo standard error of probability_below, draws taken as independent),
        draws, interval_kind, interval_mass, unit. Empty where too few windows are stated.
    """
    check_level(level)
    if isinstance(tree, Sequence) and tree and all(isinstance(check, Check) for check in tree):
        found = tree[0].table
        if found is not None and level in set(found.get("interval_mass", [level])):
            return found
        raise InputError(
            Problem("these checks hold no table at that level", got=level, key="level", hint="pass the tree")
        )
    labels, observed, replicated = imbalances(_tree_of(tree))
    if len(labels) < FEWEST:
        return pd.DataFrame(columns=list(COLUMNS))
    spans = np.array([parse_window(label) for label in labels])
    annual = bool((spans[:, 0] == spans[:, 1]).all())
    statistics: dict[str, tuple[Callable[[FloatArray], FloatArray], str]] = {
        "sd": (_sd, UNIT),
        "lag-1 autocorrelation": (lambda x: _autocorrelation(x, spans), "1"),
    }
    decades = _decades(spans[:, 0]) if annual else []
    if len(decades) >= FEWEST_DECADES:
        statistics["decadal sd"] = (
            lambda x: _sd(np.stack([x[..., at].mean(axis=-1) for at in decades], axis=-1)),
            UNIT,
        )
    rows = []
    for name, (statistic, unit) in statistics.items():
        seen, new = float(statistic(observed)), statistic(replicated)
        below, above = float((new <= seen).mean()), float((new >= seen).mean())
        low, median, high = np.quantile(new, [(1 - level) / 2, 0.5, (1 + level) / 2])
        rows.append(
            {
                "statistic": name,
                "series": "years" if annual else "windows",
                "windows": len(labels),
                "observed": seen,
                "replicated_median": median,
                "replicated_low": low,
                "replicated_high": high,
                "probability_below": below,
                "probability_above": above,
                "probability_two_sided": min(1.0, 2 * min(below, above)),
                "direction": "too large" if below < above else "too small",
                "mcse": float(np.sqrt(below * (1 - below) / len(new))),
                "draws": len(new),
                "interval_kind": "equal-tailed",
                "interval_mass": level,
                "unit": unit,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _tree_of(fitted: object) -> xr.DataTree:
    """Return the tree of a fit, or what was given."""
    inside: Any = getattr(fitted, "tree", None)
    tree: Any = fitted if inside is None else inside
    group(tree, "posterior")
    return cast("xr.DataTree", tree)


def imbalances(tree: xr.DataTree) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Return the windows checked, their observed imbalance, and it under new errors (draw, window).

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    """
    weighing = Weighing(tree)
    rows = {label: total for label in weighing.windows if (total := weighing.signed(label)) is not None}
    chosen = _series(tuple(rows))
    if not chosen:
        return (), np.empty(0), np.empty((0, 0))
    matrix = np.stack([rows[label] for label in chosen])
    new = group(tree, "posterior_predictive")["value"].values
    return chosen, matrix @ weighing.value, new.reshape(-1, new.shape[-1]) @ matrix.T


def _series(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the years, where there are enough; else the longer windows that overlap no earlier one."""
    years = tuple(label for label in labels if len(set(parse_window(label))) == 1)
    if len(years) >= FEWEST:
        return years
    chosen: list[str] = []
    last = -np.inf
    for label in labels:
        start, end = parse_window(label)
        if end > start > last:
            chosen.append(label)
            last = end
    return tuple(chosen)


def _decades(years: IntArray) -> list[IntArray]:
    """Return the places of the years of every complete calendar decade."""
    firsts = np.unique(years - years % DECADE)
    places = [np.flatnonzero((years >= first) & (years < first + DECADE)) for first in firsts]
    return [at for at in places if len(at) == DECADE]


def _sd(x: FloatArray) -> FloatArray:
    return np.asarray(x.std(axis=-1, ddof=1))


def _autocorrelation(x: FloatArray, spans: IntArray) -> FloatArray:
    """Return the lag-1 autocorrelation over neighbouring windows; of years, over years without a gap."""
    d = x - x.mean(axis=-1, keepdims=True)
    annual = (spans[:, 0] == spans[:, 1]).all()
    follows = (np.diff(spans[:, 0]) == 1) | (not annual)
    return np.asarray((d[..., 1:] * d[..., :-1])[..., follows].sum(axis=-1) / (d**2).sum(axis=-1))


def _probability(p: float, draws: int) -> str:
    """Return a probability as digits; below one draw it is only bounded."""
    return f"= {p:.3f}" if p >= 1.0 / draws else f"< {1.0 / draws:.2g}"


NAMES: dict[str, str] = {
    "sd": "predictive_sd",
    "lag-1 autocorrelation": "predictive_autocorrelation",
    "decadal sd": "predictive_decadal_sd",
}
"""Statistic -> name of its check."""
