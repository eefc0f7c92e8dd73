"""Sink rates, airborne fraction and their trends, from draws of annual fluxes.

A sink rate is the flux per GtC of excess CO2 in the middle of the year. Over a window it is the mean flux
over the mean excess, not the mean of the years' ratios, in which early years with little excess shout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sinkrisk.budget.arguments import check_level
from sinkrisk.budget.cycle_table import load_carbon_cycle
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.summarising import INTERVAL_KIND, equal_tailed
from sinkrisk.budget.trees import get_flux
from sinkrisk.budget.windows import parse_window
from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_DIMS: tuple[str, ...] = ("chain", "draw", "sample")
"""Dimensions that count draws."""

YEARS_PER_DECADE = 10.0

RECENT = 30
"""Years of the second, recent trend of `all_trends`."""

RATE_COLUMNS = (
    "quantity", "component", "window", "mean", "sd", "low", "high", "unit", "interval_kind", "interval_mass",
)  # fmt: skip
"""Columns of `rate_table`."""

TREND_COLUMNS = (
    "quantity", "component", "start", "end", "mean", "low", "high", "probability_positive", "unit",
    "interval_kind", "interval_mass",
)  # fmt: skip
"""Columns of `all_trends`."""


def mid_year_excess(years: object, co2: xr.DataArray | pd.Series | None = None) -> xr.DataArray:
    """Return the mid-year excess CO2 in GtC, dims (year).

    Parameters
    ----------
    years : sequence of int
    co2 : DataArray or Series, optional
        Annual mean CO2 in ppm by year; default the library's history, interpolated between its rows.

    Raises
    ------
    InputError
        Where a year is not covered.

    Examples
    --------
    >>> mid_year_excess([2023]).round(1).values
    array([300.2])
    """
    cycle = load_carbon_cycle()
    wanted = [int(year) for year in np.asarray(years)]
    if co2 is None:
        known = dict(zip(cycle.years.tolist(), cycle.concentration.tolist(), strict=True))
    elif isinstance(co2, xr.DataArray):
        known = dict(zip(co2["year"].values.tolist(), co2.values.tolist(), strict=True))
    else:
        known = dict(zip(co2.index.tolist(), co2.to_numpy().tolist(), strict=True))
    missing = [year for year in wanted if not np.isfinite(known.get(year, np.nan))]
    if missing:
        allowed = f"{min(known)} to {max(known)}"
        raise InputError(Problem("no CO2 for this year", got=missing[0], allowed=allowed, key="co2"))
    values = cycle.excess([known[year] for year in wanted])
    return xr.DataArray(values, dims="year", coords={"year": wanted}, attrs={"units": "GtC"})


def sink_rates(
    flux: xr.DataArray | xr.DataTree,
    co2: xr.DataArray | pd.Series | None = None,
    *,
    window: tuple[int, int] | None = None,
) -> xr.DataArray:
    """Return the sink rates of ocean and land.

    Parameters
    ----------
    flux : DataArray or DataTree
        GtC/yr by ``component`` and ``year``, with any dimensions of draws; or what `reconcile` returned.
    co2 : DataArray or Series, optional
        Annual mean CO2 in ppm; see `mid_year_excess`.
    window : tuple of int, optional
        First and last year, both inclusive: one rate for the window; default one for each year.

    Returns
    -------
    DataArray
        1/yr; component ``ocean`` and ``land``, with ``year`` unless a window was given.

    Examples
    --------
    >>> flux = xr.DataArray([[3.0, 3.0], [3.0, 6.0]], dims=("component", "year"),
    ...     coords={"component": ["ocean", "land"], "year": [2022, 2023]})
    >>> sink_rates(flux, window=(2022, 2023)).round(4).values
    array([0.0101, 0.0151])
    """
    sinks = _components(flux, ("ocean", "land"))
    excess = mid_year_excess(sinks["year"].values, co2)
    if window is None:
        rate = sinks / excess
    else:
        years = slice(*window)
        held = excess.sel(year=years)
        if held.sizes["year"] != window[1] - window[0] + 1:
            first, last = int(excess["year"][0]), int(excess["year"][-1])
            raise InputError(Problem("window outside the years", got=window, allowed=f"{first} to {last}"))
        rate = sinks.sel(year=years).mean("year") / held.mean("year")
    return rate.rename("sink_rate").assign_attrs(units="1/yr", long_name="Sink per GtC of excess CO2")


def airborne_fraction(flux: xr.DataArray | xr.DataTree) -> xr.DataArray:
    """Return growth of the atmosphere over fossil and land-use emissions, draw by draw and year by year.

    Parameters
    ----------
    flux : DataArray or DataTree
        As of `sink_rates`.

    Examples
    --------
    >>> flux = xr.DataArray([[9.0], [1.0], [4.5]], dims=("component", "year"),
    ...     coords={"component": ["fossil", "land_use", "atmosphere"], "year": [2023]})
    >>> airborne_fraction(flux).values
    array([0.45])
    """
    parts = _components(flux, ("fossil", "land_use", "atmosphere"))
    emitted = parts.sel(component="fossil", drop=True) + parts.sel(component="land_use", drop=True)
    fraction = parts.sel(component="atmosphere", drop=True) / emitted
    return fraction.rename("airborne_fraction").assign_attrs(units="1", long_name="Airborne fraction")


def trends(values: xr.DataArray | xr.DataTree) -> xr.DataArray:
    """Return the least-squares slope over the years, per decade, one for each draw.

    Parameters
    ----------
    values : DataArray or DataTree
        By ``year``; of what `reconcile` returned the annual fluxes.

    Examples
    --------
    >>> flux = xr.DataArray([2.0, 2.1, 2.2], dims="year", coords={"year": [2021, 2022, 2023]})
    >>> round(float(trends(flux.assign_attrs(units="GtC/yr"))), 6)
    1.0
    """
    values = _by_year(values)
    years = values["year"] - values["year"].mean()
    slope = YEARS_PER_DECADE * (values * years).sum("year") / (years**2).sum("year")
    return slope.assign_attrs(units=f"{values.attrs.get('units', '1')} per decade")


def trend_table(values: xr.DataArray | xr.DataTree, *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate trends over draws.

    Parameters
    ----------
    values : DataArray
        By ``year`` and any dimensions of draws; every other dimension becomes a column.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        The other dimensions' columns, ``mean``, ``low``, ``high`` (per decade), ``probability_positive``
        (share of draws whose slope is above zero), ``unit``, ``interval_kind``, ``interval_mass``.
    """
    import pandas as pd

    check_level(level)
    slope = trends(values)
    others = [str(dim) for dim in slope.dims if dim not in SAMPLE_DIMS]
    tail = (1.0 - level) / 2.0
    rows = []
    for place in np.ndindex(*(slope.sizes[name] for name in others)):
        cell = slope.isel(dict(zip(others, place, strict=True)))
        here = np.atleast_1d(cell.values).reshape(-1)
        low, high = np.quantile(here, [tail, 1.0 - tail])
        rows.append(
            {
                **{
                    name: str(cell[name].item()) if name in cell.coords else str(at)
                    for name, at in zip(others, place, strict=True)
                },
                "mean": float(here.mean()),
                "low": float(low),
                "high": float(high),
                "probability_positive": float((here > 0.0).mean()),
                "unit": str(slope.attrs["units"]),
                "interval_kind": INTERVAL_KIND,
                "interval_mass": level,
            }
        )
    return pd.DataFrame(rows)


def rate_table(flux: xr.DataArray, windows: Sequence[str], *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate sink rates and the airborne fraction of windows.

    Parameters
    ----------
    flux : DataArray
        Draws of annual fluxes, GtC/yr, by ``component`` and ``year`` and any dimensions of draws.
    windows : sequence of str
        ``"2014-2023"`` or ``"2023"``; those whose years the library's CO2 does not cover are left out.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        `RATE_COLUMNS`: one row per window and quantity (``sink_rate`` of ocean and land, mean flux over
        mean mid-year excess CO2, 1/yr; ``airborne_fraction``, mean growth over mean emissions, 1).
    """
    import pandas as pd

    check_level(level)
    known = set(load_carbon_cycle().years.tolist()) & set(flux["year"].values.tolist())
    rows = []
    for label in windows:
        first, last = parse_window(label)
        if not set(range(first, last + 1)) <= known:
            continue
        within = flux.sel(year=slice(first, last))
        rates = sink_rates(within, window=(first, last))
        parts = {("sink_rate", name): rates.sel(component=name) for name in ("ocean", "land")}
        mean = within.mean("year").expand_dims(year=[last])
        parts["airborne_fraction", ""] = airborne_fraction(mean).isel(year=0)
        units = {"sink_rate": "1/yr", "airborne_fraction": "1"}
        for (quantity, component), draws in parts.items():
            values = np.asarray(draws.values).reshape(-1)
            low, high = equal_tailed(values, level)
            rows.append(
                {
                    "quantity": quantity,
                    "component": component,
                    "window": label,
                    "mean": float(values.mean()),
                    "sd": float(values.std()),
                    "low": low,
                    "high": high,
                    "unit": units[quantity],
                    "interval_kind": INTERVAL_KIND,
                    "interval_mass": level,
                }
            )
    return pd.DataFrame(rows, columns=list(RATE_COLUMNS))


def all_trends(flux: xr.DataArray, *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate the trends of every flux, of the sink rates and of the airborne fraction.

    Parameters
    ----------
    flux : DataArray
        Draws of annual fluxes, GtC/yr, by ``component`` and ``year`` and any dimensions of draws.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        `TREND_COLUMNS`: quantity (``flux``, ``sink_rate``, ``airborne_fraction``), component, first and
        last year, and what `trend_table` gives. Over all years that the library's CO2 covers and over
        the last `RECENT` of them.
    """
    import pandas as pd

    known = set(load_carbon_cycle().years.tolist())
    covered = flux.sel(year=[year for year in flux["year"].values.tolist() if year in known])
    parts = []
    for values in (covered, covered.isel(year=slice(-RECENT, None))):
        if values.sizes["year"] < 3:
            continue
        for quantity, series in (
            ("flux", values.assign_attrs(units=UNIT)),
            ("sink_rate", sink_rates(values)),
            ("airborne_fraction", airborne_fraction(values)),
        ):
            table = trend_table(series, level=level)
            if "component" not in table:
                table.insert(0, "component", "")
            table.insert(0, "quantity", quantity)
            table.insert(2, "start", int(values["year"][0]))
            table.insert(3, "end", int(values["year"][-1]))
            parts.append(table)
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole.drop_duplicates(["quantity", "component", "start"]).reindex(columns=list(TREND_COLUMNS))


def _by_year(values: object) -> xr.DataArray:
    """Return what is given by year; of a reconciled budget its annual fluxes."""
    array = get_flux(values) if isinstance(values, xr.DataTree) else values
    if isinstance(array, xr.DataArray) and "year" in array.dims:
        return array
    raise InputError(
        Problem(
            "values of other dimensions",
            got=list(array.dims) if isinstance(array, xr.DataArray) else type(values).__name__,
            allowed="a DataArray with dim 'year', or a reconciled budget of years",
        )
    )


def _components(flux: xr.DataArray | xr.DataTree, names: tuple[str, ...]) -> xr.DataArray:
    flux = _by_year(flux)
    if not {"component", "year"} <= set(flux.dims):
        allowed = "component and year, and any dimensions of draws"
        raise InputError(Problem("fluxes of other dimensions", got=list(flux.dims), allowed=allowed))
    there = [str(name) for name in flux["component"].values]
    missing = [name for name in names if name not in there]
    if missing:
        raise InputError(Problem("no such component", got=missing[0], allowed=there))
    return flux.sel(component=list(names))
