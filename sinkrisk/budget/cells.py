"""One row of an observation table: its window, its unit, its value and its standard deviation.

Each function records what is wrong with its part of the row and then returns None, so that a row
with three faults yields three messages.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sinkrisk import units
from sinkrisk.budget.identity import SIGNS, UNIT
from sinkrisk.budget.windows import window_label
from sinkrisk.errors import InputError, Problems

LARGEST = 100.0
"""Largest number read as a flux, GtC/yr: seven times the globe's emissions, far below any slip of a unit."""

LARGEST_ELSE = 1e6
"""Largest number read in any other place, GtC/yr: an sd may say that nothing is known."""

SMALLEST_SD = 1e-9
"""Smallest standard deviation read, GtC/yr: one tonne of carbon. Below it rounding would decide."""


FIRST_YEAR, LAST_YEAR = 1750, 2200
"""Years a window may lie in: from the first historical budgets to the end of the stores' horizon."""


def check_years(record: dict[str, Any], window: str | None, found: Problems) -> None:
    """Report a window outside the years a budget can have."""
    if window is not None and not FIRST_YEAR <= record["start"] <= record["end"] <= LAST_YEAR:
        found.add(
            "window outside the years a budget can have",
            got=window,
            allowed=f"{FIRST_YEAR} to {LAST_YEAR}",
            row=int(record["row"]),
            key="start" if record["start"] < FIRST_YEAR else "end",
        )


def window_of(record: dict[str, Any], found: Problems) -> str | None:
    """Return the label of the row's window."""
    line = int(record["row"])
    years: list[int] = []
    for name in ("start", "end"):
        year = record[name]
        if not np.isfinite(year) or year != int(year):
            found.add("not a year", got=year, allowed="a whole year", row=line, key=name)
        else:
            years.append(int(year))
    if len(years) < 2:
        return None
    if years[1] < years[0]:
        found.add("window ends before it starts", got=years[1], allowed=f">= {years[0]}", row=line, key="end")
        return None
    return window_label(*years)


def factor_of(record: dict[str, Any], found: Problems) -> float | None:
    """Return the number that turns the row's unit into GtC/yr."""
    try:
        return units.factor(record["unit"], UNIT)
    except InputError as error:
        what = error.problems[0]
        found.add(
            what.what,
            got=record["unit"],
            allowed=[u for u in units.UNITS if u.endswith(("C/yr", "CO2/yr"))],
            row=int(record["row"]),
            key="unit",
        )
        return None


def credible(record: dict[str, Any], factor: float | None, found: Problems) -> bool:
    """Return whether every number of the row is of a size a flux can have; `factor` turns it into GtC/yr."""
    before = len(found.found)
    scale = factor or 1.0
    for name in ("value", "sd", "low", "high"):
        number = float(record[name])
        most = (LARGEST if name != "sd" and record["component"] in SIGNS else LARGEST_ELSE) / scale
        if np.isfinite(number) and abs(number) > most:
            found.add(
                "far larger than any flux of carbon",
                got=number,
                allowed=f"at most {most:g} {record['unit']} in size",
                row=int(record["row"]),
                key=name,
                hint="is the unit right?",
            )
    if 0 < record["sd"] < SMALLEST_SD / scale:
        found.add(
            "standard deviation too small to compute with",
            got=float(record["sd"]),
            allowed=f"at least {SMALLEST_SD / scale:g} {record['unit']}",
            row=int(record["row"]),
            key="sd",
        )
    return len(found.found) == before


def value_and_sd_of(
    record: dict[str, Any], window: str | None, found: Problems
) -> tuple[float | None, float | None]:
    """Return value and sd in the row's own unit, None where a problem was recorded."""
    line, named = int(record["row"]), f"{record['component']} {window or ''}".strip()
    value, sd, low, high, mass = (float(record[n]) for n in ("value", "sd", "low", "high", "interval"))
    bounds = np.isfinite(low) and np.isfinite(high)
    if bounds and high <= low:
        found.add(f"{named}: high is not above low", got=high, allowed=f"> {low}", row=line, key="high")
        return None, None
    if np.isnan(value) and bounds:
        value = (low + high) / 2
    if not np.isfinite(value):
        found.add(
            f"{named}: no finite value", got=value, allowed="a number, or low and high", row=line, key="value"
        )
        return None, None
    if bounds and not low <= value <= high:
        found.add(
            f"{named}: value outside low..high", got=value, allowed=f"{low} .. {high}", row=line, key="value"
        )
    if not np.isnan(sd):
        if sd <= 0 or not np.isfinite(sd):
            found.add(
                f"{named}: the standard deviation must be positive and finite",
                got=sd,
                allowed="0 < sd < inf",
                row=line,
                key="sd",
            )
            return value, None
        return value, sd
    if bounds and 0.0 < mass < 1.0:
        # A central normal interval of that mass: half its width is z(mass) standard deviations.
        return value, (high - low) / (2.0 * float(ndtri((1.0 + mass) / 2.0)))
    if bounds:
        found.add(
            f"{named}: low and high need the mass they hold",
            got=mass,
            allowed="0 < interval < 1",
            row=line,
            key="interval",
        )
    else:
        found.add(
            f"{named}: no standard deviation",
            allowed="sd, or low, high and interval",
            row=line,
            key="sd",
            hint="declare one as an assumption and give its reason in 'note'",
        )
    return value, None


def last_digit(values: NDArray[np.float64]) -> float:
    """Return the unit of the last digit with which the values are printed.

    Examples
    --------
    >>> last_digit(np.array([0.6, 0.58]))
    0.01
    """
    for places in range(16):
        if all(math.isclose(round(float(value), places), float(value), rel_tol=1e-12) for value in values):
            return float(10.0**-places)
    return 0.0
