"""An outlook as a tidy table and as a sentence."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.arguments import check_count, check_level
from sinkrisk.budget.summarising import INTERVAL_KIND
from sinkrisk.errors import InputError, Problem
from sinkrisk.results import Result

QUANTITIES: tuple[str, ...] = (
    "co2", "ocean", "land", "atmosphere", "warming", "removal", "removal_cumulative", "net_effect",
    "net_effect_co2", "probability_crossed",
)  # fmt: skip
"""Variables a table lists, in this order, as far as the outlook holds them."""


def summarise_outlook(
    projected: xr.Dataset, *, years: Iterable[int] | None = None, level: float = 0.9
) -> pd.DataFrame:
    """Tabulate an outlook.

    Parameters
    ----------
    projected : Dataset
        What `outlook` returned.
    years : iterable of int, optional
        Default: 2030, 2050, 2075, 2100, 2150, 2200 as far as they are there, and the last year.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        ``[portfolio,] year, quantity, mean, median, low, high, unit, interval_kind, interval_mass``. A
        probability is one number over the draws and has no interval: its low and high are empty.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> import pandas as pd
    >>> path = pd.DataFrame({"year": [2024, 2100], "fossil": [10.0, 0.0], "land_use": [1.0, 0.0]})
    >>> table = summarise_outlook(budget.outlook(tree, path, draws=200, rng=1), years=[2050, 2100])
    >>> table.query("quantity == 'co2'")[["year", "unit"]].to_numpy().tolist()
    [[2050, 'ppm'], [2100, 'ppm']]
    """
    check_level(level)
    _check(projected)
    there = [int(year) for year in projected["year"].values]
    wanted = (
        [*(2030, 2050, 2075, 2100, 2150, 2200)]
        if years is None
        else [check_count(year, key="years") for year in years]
    )
    if years is None:
        wanted = sorted({year for year in wanted if year in there} | {there[-1]})
    if unknown := [year for year in wanted if year not in there]:
        allowed = f"{there[0]} to {there[-1]}"
        raise InputError(Problem("year outside the outlook", got=unknown[0], allowed=allowed, key="years"))
    tail = (1.0 - level) / 2.0
    rows: list[dict[str, object]] = []
    for name in QUANTITIES:
        if name not in projected:
            continue
        array = projected[name].sel(year=wanted)
        cells = array if "portfolio" in array.dims else array.expand_dims(portfolio=[""])
        for portfolio in cells["portfolio"].values:
            for year in wanted:
                values = np.atleast_1d(cells.sel(portfolio=portfolio, year=year).values).astype(float)
                single = "sample" not in array.dims
                low, middle, high = np.quantile(values, [tail, 0.5, 1.0 - tail])
                rows.append(
                    {
                        **({"portfolio": str(portfolio)} if "portfolio" in projected.dims else {}),
                        "year": year,
                        "quantity": name,
                        "mean": float(values.mean()),
                        "median": np.nan if single else float(middle),
                        "low": np.nan if single else float(low),
                        "high": np.nan if single else float(high),
                        "unit": str(array.attrs["units"]),
                        "interval_kind": INTERVAL_KIND,
                        "interval_mass": level,
                    }
                )
    table = pd.DataFrame(rows)
    table.attrs["scenario"] = str(projected.attrs.get("scenario", ""))
    return table


def _check(projected: object) -> None:
    if not isinstance(projected, xr.Dataset) or not {"co2", "year"} <= set(projected.variables):
        raise InputError(
            Problem(
                "not an outlook",
                got=type(projected).__name__,
                allowed="the Dataset that outlook returns",
                hint="budget.outlook(tree, emissions) projects a reconciled budget",
            )
        )


def outlook_result(projected: xr.Dataset, *, year: int | None = None, level: float = 0.9) -> Result:
    """Return an outlook as a result: its table, a sentence to quote, and what was assumed.

    The sentence speaks of one year (default 2100, or the last) and, with portfolios, of the first.
    """
    _check(projected)
    there = projected["year"].values
    at = year if year is not None else (2100 if 2100 in there else int(there[-1]))
    table = summarise_outlook(projected, level=level)
    here = projected.sel(year=at)
    lead = ""
    if "portfolio" in here.dims:
        lead = f" with portfolio {here['portfolio'].values[0]}"
        here = here.isel(portfolio=0)
    tail = (1.0 - level) / 2.0
    low, middle, high = np.quantile(here["co2"].values, [tail, 0.5, 1.0 - tail])
    sentence = (
        f"Under {projected.attrs['scenario']}{lead} CO2 stands at {middle:.0f} ppm at the end of {at} "
        f"({low:.0f} to {high:.0f}, {100 * level:g} % {INTERVAL_KIND} interval), and the land sink has "
        f"passed its threshold with probability {float(here['probability_crossed']):.2f}"
    )
    if "net_effect" in here:
        gross = float(here["removal_cumulative"].mean())
        left = float(here["net_effect"].mean())
        share = f", {100 * -left / gross:.0f} % of it" if gross > 0 else ""
        sentence += (
            f"; {gross:.0f} GtC removed until then leave {-left:.0f} GtC less in the air{share}, because "
            "ocean and land give back part"
        )
    return Result(
        name="outlook",
        table=table,
        sentence=sentence + ".",
        provenance={str(key): value for key, value in projected.attrs.items()},
    )
