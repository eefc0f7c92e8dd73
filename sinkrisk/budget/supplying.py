"""Standard deviations nobody stated, or stated as a share of the very value: supplied, and said so.

A standard deviation proportional to the observation itself lets a bias absorb the series, so shares
are taken of a smooth reference. Every number comes from ``priors/budget.csv``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sinkrisk.budget.checking import records
from sinkrisk.budget.identity import UNIT
from sinkrisk.errors import InputError, Problem, Problems

TREND_YEARS = 11
"""Years of the straight line that stands in for the reference of a share."""

MEMBER_METHODS: tuple[str, ...] = (
    "gobm", "fco2", "dgvm", "bookkeeping", "inversion", "model", "observation",
)  # fmt: skip
"""Methods of individual estimates, which seldom state a standard deviation of their own."""

Rules = dict[tuple[str, str], dict[str, Any]]
"""Rows of ``priors/budget.csv`` by parameter and component."""

_FEWEST = 5
_SERIES = ["component", "method", "source", "estimate"]


def smooth_reference(middle: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Return at each time the straight line through the values within `TREND_YEARS` around it.

    Parameters
    ----------
    middle : array_like, shape (row,)
        Mid-years of the windows.
    values : array_like, shape (row,)
        GtC/yr.

    Examples
    --------
    >>> smooth_reference([2000, 2001, 2002], [1.0, 2.0, 3.0])
    array([1., 2., 3.])
    """
    x, y = np.asarray(middle, dtype=float), np.asarray(values, dtype=float)
    out = np.empty(len(x))
    for i, at in enumerate(x):
        distance = np.abs(x - at)
        near = distance <= max(TREND_YEARS / 2, np.sort(distance)[min(2, len(x) - 1)])
        if near.sum() < min(TREND_YEARS, len(x)):
            near = distance <= np.sort(distance)[min(TREND_YEARS, len(x)) - 1]
        centred = x[near] - x[near].mean()
        spread = float(centred @ centred)
        slope = float(centred @ y[near]) / spread if spread > 0 else 0.0
        out[i] = y[near].mean() + slope * (at - x[near].mean())
    return out


def apply_rule(rule: dict[str, Any], middle: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Return the standard deviations a row of ``priors/budget.csv`` gives to a series, GtC/yr."""
    if rule["family"] == "constant":
        return np.full(len(np.asarray(values)), float(rule["a"]))
    if rule["family"] == "relative":
        return np.maximum(float(rule["a"]) * np.abs(smooth_reference(middle, values)), float(rule["b"]))
    raise InputError(
        Problem("no rule for a standard deviation", got=rule["family"], allowed="constant, relative")
    )


def smooth_shares(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Replace standard deviations that are one share of each value by that share of a smooth reference.

    Only annual rows are changed: a decade's mean is smooth already. The share is constant where one
    number reproduces every sd within its printed digits and a constant sd does not.
    """
    rows, notes = rows.copy(), []
    candidates = ((rows["sd_basis"] == "stated") & (rows["value"] != 0)).to_numpy()
    for positions in rows.groupby(_SERIES, sort=False).indices.values():
        series = np.asarray(positions, dtype=np.intp)
        places = series[candidates[series]]
        if len(places) < _FEWEST:
            continue
        stated = rows.iloc[places]
        component, estimate = str(stated["component"].iloc[0]), str(stated["estimate"].iloc[0])
        share = _constant_share(stated)
        if share is None:
            continue
        name = f"{component} ({estimate})" if estimate else str(component)
        annual = stated[stated["start"] == stated["end"]]
        if len(annual) < _FEWEST:
            notes.append(
                f"the sd of {name} is {100 * share:.3g} % of every value to within printing; means over "
                "windows are smooth enough to be its reference"
            )
            continue
        rows.loc[annual.index, "sd"] = share * np.abs(smooth_reference(annual["start"], annual["value"]))
        rows.loc[annual.index, "sd_basis"] = "trend"
        notes.append(
            f"the sd of {name} is {100 * share:.3g} % of every value to within printing: taken of its trend "
            f"over {TREND_YEARS} years, because a sd that follows the value lets the bias absorb the series"
        )
    return rows, notes


def _constant_share(series: pd.DataFrame) -> float | None:
    sd = series["sd"].to_numpy(dtype=float)
    half = np.maximum(series["sd_digit"].to_numpy(dtype=float) / 2, 1e-9 * sd)
    size = np.abs(series["value"].to_numpy(dtype=float))
    if (sd - half).max() <= (sd + half).min():
        return None
    least, most = ((sd - half) / size).max(), ((sd + half) / size).min()
    return float((sd @ size) / (size @ size)) if least <= most else None


def supply_missing(
    rows: pd.DataFrame, priors: pd.DataFrame, found: Problems
) -> tuple[pd.DataFrame, list[str]]:
    """Give rows without a standard deviation the one a stated rule has for them; report the others.

    Members (``role=member``) take the standard deviations of their component's assessed series as
    reference scale, year by year where it has the year; `rows` may hold such a series that does not
    enter (``enters=False``). Column ``sd_rule`` names another parameter than ``missing_sd``.
    """
    rows, notes = rows.copy(), []
    rules = {(row["parameter"], row["component"]): row for row in records(priors)}
    for component, group in rows[rows["sd"].isna()].groupby("component", sort=False):
        members = group[group["method"].isin(MEMBER_METHODS) & (group["sd_rule"] == "")]
        if len(members):
            notes.append(_reference(rows, str(component), members, rules))
        for _, series in group.drop(members.index).groupby([*_SERIES, "sd_rule"], sort=False):
            key = (str(series["sd_rule"].iloc[0]) or "missing_sd", str(component))
            if key not in rules:
                continue
            rule = rules[key]
            last = rule["b"] if rule["family"] == "constant" and np.isfinite(rule["b"]) else np.inf
            whole = rows.loc[_same(rows, series.iloc[0])]
            middle = (whole["start"] + whole["end"]) / 2
            given = pd.Series(apply_rule(rule, middle, whole["value"]), index=whole.index)
            # A rule for single years says nothing of a decade, whose mean is known better.
            takes = series[
                (series["end"] <= last) & ((series["start"] == series["end"]) | ~np.isfinite(last))
            ]
            rows.loc[takes.index, "sd"] = given.loc[takes.index]
            rows.loc[takes.index, "sd_basis"] = "prior"
            if len(takes):
                span = f"{takes['start'].min()}-{takes['end'].max()}"
                notes.append(f"{component} {span} states no sd: {_named(rule)}: {rule['note']}")
    for row in records(rows[rows["sd"].isna()]):
        found.add(
            f"{row['component']} {row['window']}: no standard deviation",
            allowed="sd, or low, high and interval",
            row=int(row["row"]),
            key="sd",
            hint="declare one as an assumption and give its reason in 'note'",
        )
    return rows, [note for note in notes if note]


def _reference(
    rows: pd.DataFrame, component: str, members: pd.DataFrame, rules: dict[tuple[str, str], dict[str, Any]]
) -> str:
    """Write the reference scale of members into `rows` and say where it comes from."""
    own = rows[(rows["component"] == component) & rows["sd"].notna() & (rows["method"] == "assessment")]
    if len(own):
        by_year = own.groupby("start")["sd"].mean()
        scale = members["start"].map(by_year).fillna(float(by_year.mean()))
        rows.loc[members.index, "sd"] = scale
        source = "the sd of the assessed series"
    elif ("member_sd", component) in rules:
        rule = rules["member_sd", component]
        for _, series in members.groupby(_SERIES, sort=False):
            middle = (series["start"] + series["end"]) / 2
            rows.loc[series.index, "sd"] = apply_rule(rule, middle, series["value"])
        source = _named(rule)
    else:
        return ""
    rows.loc[members.index, "sd_basis"] = "reference"
    return f"{component}: individual estimates state no sd; their scales are told in units of {source}"


def _named(rule: dict[str, Any]) -> str:
    if rule["family"] == "constant":
        return f"{rule['a']:g} {rule['unit']}"
    return f"{100 * rule['a']:g} % of the series' trend, at least {rule['b']:g} {UNIT}"


def _same(rows: pd.DataFrame, one: pd.Series) -> NDArray[np.bool_]:
    out = np.ones(len(rows), dtype=bool)
    for name in _SERIES:
        out &= (rows[name] == one[name]).to_numpy()
    return out
