"""Constructed columns: sinks that are nothing but a fixed share of the emissions beside them.

A column made by multiplying emissions with one number carries no evidence about the sink. It gives
itself away: in every window it lies within rounding of that share.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from sinkrisk import units
from sinkrisk.budget.cells import last_digit
from sinkrisk.budget.identity import SINKS, UNIT
from sinkrisk.budget.windows import window_label

MIN_WINDOWS = 3
"""Fewest windows on which a share can be called constant: two agree too easily."""

MIN_SPREAD = 5.0
"""Least range of a column, in units of its last printed digit: a flat column shows nothing."""


def constant_shares(observations: pd.DataFrame) -> pd.DataFrame:
    """Find the sink columns that are constant shares of emissions.

    Emissions are the rows of ``total_emissions``, or fossil plus land_use where a window has none.
    A column (one component, method, estimate and source) is reported when its root-mean-square
    distance from ``share x emissions``, the share fitted by least squares, is at most half a unit of
    its last printed digit: the largest error that rounding alone can leave. Table 3 of the review
    lies at 0.61 to 0.83 of that bound, the columns of its Table 2 at 1.35 and more.

    Parameters
    ----------
    observations : DataFrame
        Rows of the observation schema; rows with a blank value are passed over.

    Returns
    -------
    DataFrame
        component, method, share (of emissions, 1), windows (count), rms_deviation and half_digit
        (GtC/yr), unit. Empty where nothing was found.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("fossil", 1.0, 1960), ("fossil", 2.0, 1970), ("fossil", 4.0, 1980),
    ...         ("land_use", 0.0, 1960), ("land_use", 0.0, 1970), ("land_use", 0.0, 1980),
    ...         ("ocean", 0.25, 1960), ("ocean", 0.5, 1970), ("ocean", 1.0, 1980)]
    >>> frame = pd.DataFrame(rows, columns=["component", "value", "start"])
    >>> frame["end"], frame["unit"] = frame["start"] + 9, "GtC/yr"
    >>> constant_shares(frame)[["component", "share", "windows"]]
      component  share  windows
    0     ocean   0.25        3
    """
    columns = ["component", "method", "share", "windows", "rms_deviation", "half_digit", "unit"]
    rows = _tidy(observations)
    emissions = _emissions(rows)
    found = []
    sinks = rows[rows["component"].isin(SINKS)]
    for (component, method, _, _), column in sinks.groupby(
        ["component", "method", "estimate", "source"], sort=False
    ):
        if len(column) < MIN_WINDOWS:
            # Before any slicing: a table may have thousands of series of one row.
            continue
        column = column[column["window"].isin(emissions.keys())]
        if len(column) < MIN_WINDOWS or column["window"].duplicated().any():
            continue
        values = column["flux"].to_numpy(dtype=float)
        totals = np.array([emissions[window] for window in column["window"]])
        digit = last_digit(column["value"].to_numpy(dtype=float)) * float(column["factor"].iloc[0])
        if not np.any(totals) or np.ptp(values) < MIN_SPREAD * digit:
            continue
        share = float(values @ totals / (totals @ totals))
        deviation = float(np.sqrt(np.mean((values - share * totals) ** 2)))
        # Columns computed to full precision have no printed digit; allow for rounding of doubles.
        bound = max(digit / 2, 1e-9 * float(np.abs(values).max()))
        if deviation <= bound:
            found.append((component, method, share, len(column), deviation, bound, UNIT))
    table = pd.DataFrame(found, columns=columns)
    order = {name: position for position, name in enumerate(SINKS)}
    return table.sort_values("component", key=lambda names: names.map(order)).reset_index(drop=True)


def describe_shares(table: pd.DataFrame) -> str:
    """Say in one sentence which columns are constant shares; empty where there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> describe_shares(pd.DataFrame({"component": ["ocean"], "share": [0.2304], "windows": [6]}))
    'constructed: ocean is 23 % of emissions in all 6 windows, so it is no evidence on the sink'
    """
    if table.empty:
        return ""
    named = [
        f"{component} is {100 * share:.0f} %"
        for component, share in zip(table["component"], table["share"].to_numpy(dtype=float), strict=True)
    ]
    counts = sorted({int(n) for n in table["windows"]})
    several = "they are" if len(named) > 1 else "it is"
    sinks = "sinks" if len(named) > 1 else "sink"
    return (
        f"constructed: {', '.join(named)} of emissions in all {' or '.join(map(str, counts))} windows, "
        f"so {several} no evidence on the {sinks}"
    )


def _tidy(observations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that can be compared, with their window label and flux in GtC/yr."""
    rows = observations.copy()
    for name in ("method", "estimate", "source"):
        rows[name] = rows[name].fillna("").astype(str) if name in rows else ""
    rows = rows.dropna(subset=["value", "start", "end"])
    rows = rows[rows["unit"].isin(units.UNITS) & (rows["end"] >= rows["start"])]
    rows["window"] = [
        window_label(int(start), int(end)) for start, end in zip(rows["start"], rows["end"], strict=True)
    ]
    rows["factor"] = [_factor(str(unit)) for unit in rows["unit"]]
    rows["flux"] = rows["value"].astype(float) * rows["factor"]
    return rows.dropna(subset=["factor"])


def _factor(unit: str) -> float:
    try:
        return units.factor(unit, UNIT)
    except ValueError:
        return math.nan


def _emissions(rows: pd.DataFrame) -> dict[str, float]:
    named = rows[rows["component"].isin(["fossil", "land_use", "total_emissions"])]
    means = named.groupby(["window", "component"])["flux"].mean()
    out: dict[str, float] = {}
    for window in named["window"].unique():
        stated = means[window]
        if "total_emissions" in stated.index:
            out[str(window)] = float(stated["total_emissions"])
        elif {"fossil", "land_use"} <= set(stated.index):
            out[str(window)] = float(stated["fossil"] + stated["land_use"])
    return out
