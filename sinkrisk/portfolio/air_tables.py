"""The air under portfolios in a table and in words"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import checked, find_level_problem

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@checked()
def air_table(projected: xr.Dataset, *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate what `project_air` returned.

    Parameters
    ----------
    projected : Dataset
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        ``portfolio, year, quantity, mean, median, low, high, unit, interval_kind, interval_mass`` for
        co2, net_effect, relief, relief_cumulative, ocean, land and warming; the CO2 without any
        portfolio under the name `NO_PORTFOLIO`.

    Raises
    ------
    InputError
        For a level out of range.

    Examples
    --------
    >>> import sinkrisk
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> tree = sinkrisk.reconcile(sinkrisk.load_observations("global"), model="closed", rng=1)
    >>> air = portfolio.project_air(portfolio.simulate(drawn, plans), tree, years=[2050, 2100], rng=1)
    >>> table = air_table(air, level=0.5)
    >>> table["portfolio"].unique().tolist(), table["year"].unique().tolist()
    (['daccs_only', 'none'], [2050, 2100])
    >>> table.loc[table["quantity"] == "co2", "unit"].unique().tolist()
    ['ppm']
    """
    import pandas as pd

    found = Problems()
    find_level_problem(found, level)
    found.raise_if_any()
    weight = projected["probability"].values if "probability" in projected.coords else None
    bounds = [(1.0 - level) / 2.0, 0.5, (1.0 + level) / 2.0]
    plain = projected["co2_without_removal"].expand_dims(portfolio=[NO_PORTFOLIO])
    parts = [(name, projected[name]) for name in TABULATED] + [("co2", plain)]
    frames = []
    for name, array in parts:
        values = array.transpose("portfolio", "year", "sample").values
        low, middle, high = np.moveaxis(_quantiles(values, bounds, weight), -1, 0)
        labels = np.meshgrid(array["portfolio"].values.astype(str), array["year"].values, indexing="ij")
        frames.append(
            pd.DataFrame(
                {
                    "portfolio": labels[0].ravel(), "year": labels[1].ravel(), "quantity": name,
                    "mean": np.average(values, axis=-1, weights=weight).ravel(),
                    "median": middle.ravel(), "low": low.ravel(), "high": high.ravel(),
                    "unit": str(projected[name].attrs["units"]),
                }
            )
        )  # fmt: skip
    table = pd.concat(frames, ignore_index=True)
    return table.assign(interval_kind="equal-tailed", interval_mass=level)


TABULATED = ("co2", "net_effect", "relief", "relief_cumulative", "ocean", "land", "warming")
"""Quantities of `air_table`."""

NO_PORTFOLIO = "none"
"""Name under which the air without any portfolio is tabulated."""


def _quantiles(values: Floats, bounds: Sequence[float], weight: Floats | None) -> Floats:
    """Return quantiles over the last axis; equal weights take the unweighted form of the same rule."""
    from sinkrisk import risk

    equal = weight is None or np.ptp(weight) <= 1e-15
    return risk.quantile(values, list(bounds), probability=None if equal else weight)


@checked()
def air_sentence(projected: xr.Dataset, *, year: int = 2100, level: float = 0.9) -> str:
    """Return what portfolios do to the CO2 of one year, in words.

    Parameters
    ----------
    projected : Dataset
        From `project_air`.
    year : int
        A year it holds.
    level : float
        Mass of the equal-tailed interval.

    Raises
    ------
    InputError
        For a year it does not hold, or a level out of range.

    Examples
    --------
    >>> import sinkrisk
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> tree = sinkrisk.reconcile(sinkrisk.load_observations("global"), model="closed", rng=1)
    >>> air = portfolio.project_air(portfolio.simulate(drawn, plans), tree, years=[2050, 2100], rng=1)
    >>> text = air_sentence(air)
    >>> print(text[: text.index(" stands")])
    Under emissions 'decline' CO2
    """
    years = projected["year"].values.tolist()
    if year not in years:
        allowed = f"{len(years)} years, {years[0]} to {years[-1]}"
        raise InputError(Problem("year that was not projected", got=year, allowed=allowed, key="year"))
    here = projected.sel(year=year)
    table = air_table(projected.sel(year=[year]), level=level)
    co2 = table[table["quantity"] == "co2"].set_index("portfolio")
    plain = co2.loc[NO_PORTFOLIO]
    best = co2.drop(index=NO_PORTFOLIO)["median"].idxmin()
    row = co2.loc[str(best)]
    weight = projected["probability"].values if "probability" in projected.coords else None
    taken, kept = (
        float(np.average(here[name].sel(portfolio=best).values, weights=weight))
        for name in ("relief_cumulative", "net_effect")
    )
    taken, kept = taken * 12.0 / 44.0, -kept
    share = f", {kept / taken:.0%} of it" if taken > 0.0 else ""
    return (
        f"Under emissions '{projected.attrs['scenario']}' CO2 stands at {plain['median']:.0f} ppm at the end "
        f"of {year} ({plain['low']:.0f} to {plain['high']:.0f}, {level:.0%} equal-tailed interval) without "
        f"any portfolio; lowest with {best}, {row['median']:.0f} ppm ({row['low']:.0f} to {row['high']:.0f}):"
        f" {taken:.0f} GtC removed or avoided until then leave {kept:.0f} GtC less in the air{share}, "
        "because ocean and land give back part."
    )
