"""Mixed sign conventions: rows that fit their component far better with the other sign.

A single sign proves nothing: a sink may weaken into a source, and China's land-use emissions did the
reverse. A row is suspect only where its mirror image lies at the size of its neighbours while the row
itself lies several standard deviations away from them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.budget.checking import records
from sinkrisk.budget.identity import UNIT
from sinkrisk.errors import Problems

FAR = 3.0
"""Standard deviations between a row and its neighbours' value from which it is suspect."""

NEIGHBOURS = 7
"""Rows nearest in time that a row is held against; all of an equal distance count."""

ALIKE = 2.0
"""A mirror image fits where it is within this factor of the neighbours' value."""

DECLARED = "negative:"
"""A definition that holds this means its sign: ``net sink; negative: a source``."""

_MAD_TO_SD = 1.4826  # of a normal distribution

_ONE_SIGN = ("fossil", "atmosphere", "ocean", "land", "cement")


def check_signs(rows: pd.DataFrame, geography: str, found: Problems) -> None:
    """Report rows whose sign contradicts their component's other rows.

    Parameters
    ----------
    rows : DataFrame
        row, component, window, method, source, estimate, definition, start, end, value and sd, GtC/yr.
    geography : str
        Only the globe's fluxes are known to be sinks; elsewhere a component may be negative throughout.
    found : Problems
        The collector: one problem per component and series, naming its rows.
    """
    for component, group in rows.groupby("component", sort=False):
        values = group["value"].to_numpy(dtype=float)
        sds = group["sd"].to_numpy(dtype=float)
        if component in _ONE_SIGN and (geography == "global" or component == "fossil") and len(group):
            below = values < -FAR * sds
            below &= ~group["definition"].str.contains(DECLARED, regex=False).to_numpy()
            if below.any() and not (values > FAR * sds).any():
                _report(group[below], "every row far from zero is negative", found)
                continue
        suspects = _suspects(group, values, sds) & ~group["definition"].str.contains(DECLARED, regex=False)
        for _, series in group[suspects].groupby(["method", "source", "estimate"], sort=False):
            _report(series, "with the other sign it would fit the rows beside it", found)


def _suspects(
    group: pd.DataFrame, values: NDArray[np.float64], sds: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which rows are mirror images of their neighbours.

    A row must be one both within its series and beside the other series; a whole series is one where
    half its rows are beside the others.
    """
    middle = (group["start"].to_numpy(dtype=float) + group["end"].to_numpy(dtype=float)) / 2
    series = group.groupby(["method", "source", "estimate"], sort=False).ngroup().to_numpy()
    # Equal numbers of either sign: sinks and emissions are positive in this schema.
    minority = np.sign(values) == (1.0 if (values < 0).sum() > (values > 0).sum() else -1.0)
    within, beside = np.zeros((2, len(values)), dtype=bool)
    for i in np.flatnonzero(minority):
        same = series == series[i]
        own = same & (np.arange(len(values)) != i)
        for out, others in ((within, own), (beside, ~same)):
            if others.any():
                expected, spread = _expected(middle[others], values[others], middle[i])
                size, sd = abs(values[i]), float(np.hypot(sds[i], spread))
                alike = abs(expected) / ALIKE <= size <= abs(expected) * ALIKE
                opposite = values[i] * expected < 0
                out[i] = opposite and alike and abs(values[i] - expected) > FAR * sd
    alone = len(np.unique(series)) == 1
    whole = np.zeros(len(values), dtype=bool)
    for name in np.unique(series[beside]):
        mine = series == name
        whole[mine] = 2 * beside[mine].sum() >= mine.sum()
    return np.asarray((within & (beside | alone)) | (beside & whole))


def _expected(times: NDArray[np.float64], values: NDArray[np.float64], at: float) -> tuple[float, float]:
    """Return what the rows nearest in time lead one to expect, and their spread about it.

    A median line and the median absolute deviation: a few bad rows do not move them.
    """
    distance = np.abs(times - at)
    limit = np.sort(distance)[min(NEIGHBOURS, len(distance)) - 1]
    near = distance <= limit
    x, y = times[near], values[near]
    slope = 0.0
    if len(np.unique(x)) > 2:
        first, second = np.triu_indices(len(x), 1)
        apart = x[first] != x[second]
        slope = float(np.median((y[first] - y[second])[apart] / (x[first] - x[second])[apart]))
    level = y - slope * (x - at)
    middle = float(np.median(level))
    return middle, float(np.median(np.abs(level - middle))) * _MAD_TO_SD


def _report(rows: pd.DataFrame, why: str, found: Problems) -> None:
    first = records(rows)[0]
    lines = [int(row) for row in rows["row"]]
    shown = ", ".join(map(str, lines[:6])) + (f" and {len(lines) - 6} more" if len(lines) > 6 else "")
    named = f"{first['component']} ({first['estimate']})" if first["estimate"] else first["component"]
    place = f"row{'s' if len(lines) > 1 else ''} {shown}"
    found.add(
        f"mixed sign conventions: {named} in {place}: {why}",
        got=f"{first['value']:g} {UNIT} in {first['window']}",
        allowed="emissions positive into the air, sinks positive out of it",
        row=lines[0],
        key="value",
        hint="if the sign is meant, say so in column 'definition': 'negative: a source'",
    )
