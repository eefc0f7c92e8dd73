"""Printed ensemble means as evidence: which columns they were taken over, and which column is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from sinkrisk import units
from sinkrisk.priors.workbook_series import Floats, Ints, Series
from sinkrisk.priors.workbook_tables import letters

MEAN_TOLERANCE = 1e-6
"""A printed mean or spread agrees with the recomputed one to within this, GtC/yr."""

MOST_DECIMALS = 4
"""Numbers that all end within so many decimals are taken to be rounded."""

MOST_LEFT_OUT = 3
"""So many columns at most are tried as left out of a mean, one by one."""

FEWEST_YEARS = 3
RATIO_TOLERANCE = 1e-3

_FACTORS: dict[str, float] = {
    "has the other sign": -1.0,
    "is 1000 times too large": 1e3,
    "is 1000 times too small": 1e-3,
    "is 44/12 times too large (CO2 taken for carbon)": units.C_TO_CO2,
    "is 44/12 times too small (carbon taken for CO2)": 1.0 / units.C_TO_CO2,
    "is 44/12 times 1000 too large (CO2 taken for carbon)": units.C_TO_CO2 * 1e3,
}


def precision(values: Floats) -> float:
    """Return the step that numbers are rounded to, 0 where they are not.

    Examples
    --------
    >>> precision(np.array([2.31, 0.9, np.nan])), precision(np.array([2.3123456]))
    (0.01, 0.0)
    """
    there = values[np.isfinite(values)]
    for decimals in range(MOST_DECIMALS + 1):
        if there.size and np.abs(there - np.round(there, decimals)).max() < 1e-9:
            return float(10.0**-decimals)
    return 0.0


def tolerance(printed: Series, members: Sequence[Series]) -> float:
    """Return how far a printed mean may lie from its members' mean by rounding alone, GtC/yr."""
    steps = float(np.median([precision(series.values) for series in members])) if members else 0.0
    return MEAN_TOLERANCE + 0.5 * min(precision(printed.values) + steps, 0.1)


def _mean(members: Sequence[Series], years: Ints) -> Floats:
    """Return the mean of the years in which all have a number, else NaN."""
    return np.asarray(np.mean([series.on(years) for series in members], axis=0), dtype=np.float64)


def fits(printed: Series, members: Sequence[Series]) -> bool:
    """Return whether a printed mean is that of the members, of either sign, where none is missing."""
    if not members:
        return False
    mean = _mean(members, printed.years)
    both = np.isfinite(mean) & np.isfinite(printed.values)
    if both.sum() < FEWEST_YEARS:
        return False
    limit = tolerance(printed, members)
    gaps = (np.abs(mean - printed.values)[both].max(), np.abs(mean + printed.values)[both].max())
    return bool(min(gaps) <= limit)


def left_out(printed: Series, group: Sequence[Series], doubtful: Sequence[Series]) -> list[Series]:
    """Return the doubtful columns that a printed mean was taken without, none where it decides nothing."""
    if not doubtful or fits(printed, group):
        return []
    for dropped in _choices(doubtful):
        if fits(printed, [series for series in group if all(series is not d for d in dropped)]):
            return list(dropped)
    return []


def _choices(doubtful: Sequence[Series]) -> Iterator[tuple[Series, ...]]:
    for size in range(1, min(MOST_LEFT_OUT, len(doubtful)) + 1):
        yield from combinations(doubtful, size)
    yield tuple(doubtful)


def suspect(printed: Series, members: Sequence[Series]) -> str:
    """Return the one column whose sign or unit explains a mean that differs, and how; else nothing.

    The value a column would need for the mean to hold is its number times a constant only where that
    column is the wrong one.
    """
    if not members:
        return ""
    years = printed.years
    stacked = np.array([series.on(years) for series in members])
    there = np.isfinite(stacked).all(axis=0) & np.isfinite(printed.values)
    if there.sum() < FEWEST_YEARS:
        return ""
    lacking = printed.values[there] * len(members) - stacked[:, there].sum(axis=0)
    rounding = len(members) * tolerance(printed, members)
    for series, own in zip(members, stacked[:, there], strict=True):
        for what, factor in _FACTORS.items():
            right = own / factor
            gap = np.abs(lacking + own - right).max()
            if gap <= RATIO_TOLERANCE * np.abs(right).max() + rounding < np.abs(lacking).max():
                return f"{series.sheet}!{letters(series.column)} '{series.estimate}' {what}"
    return ""
