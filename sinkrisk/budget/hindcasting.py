"""Hindcasts: what forecasts from earlier years would have been worth.

A pseudo-hindcast cuts one release at many origins: the values before an origin are those of today's
release, which nobody knew then. The true hindcast fits an older release and is scored on a later one.
Emissions after the origin are taken as known; CO2 is not. The pools' shape in ``priors/carbon_cycle.csv``
was fitted once, partly to decades of one release; scale, offset and spread are estimated at each origin.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sinkrisk import rng as random
from sinkrisk.budget.arguments import check_count, check_level
from sinkrisk.budget.forecasting import BASELINES, NEEDED, SINKS, Moments, check_series, forecast_box
from sinkrisk.errors import InputError, Problem

ORIGINS = range(1989, 2014)
"""Origins of the standard pseudo-hindcast: last years known."""

HORIZONS = 10
"""Years ahead."""

MODELS: tuple[str, ...] = ("box", *BASELINES)


_SCHEMA = {"component", "method", "start", "end", "value"}
_FORECAST = {"component", "model", "crps", "covered"}


def annual_series(observations: pd.DataFrame) -> pd.DataFrame:
    """Return the assessed annual budget of an observation table as one column for each component.

    Parameters
    ----------
    observations : DataFrame
        Observation schema in GtC/yr, for example a workbook's.

    Returns
    -------
    DataFrame
        Index year; the components of the budget that are stated for single years.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(name, "assessment", year, year, 1.0) for year in (2022, 2023)
    ...         for name in ("fossil", "land_use", "atmosphere", "ocean", "land")]
    >>> frame = pd.DataFrame(rows, columns=["component", "method", "start", "end", "value"])
    >>> annual_series(frame).index.tolist()
    [2022, 2023]
    """
    if not isinstance(observations, pd.DataFrame) or not set(observations.columns) >= _SCHEMA:
        raise InputError(
            Problem(
                "no observations",
                got=list(observations) if isinstance(observations, pd.DataFrame) else observations,
                allowed="a DataFrame of the observation schema, such as a workbook's",
            )
        )
    rows = observations[
        (observations["method"] == "assessment") & (observations["start"] == observations["end"])
    ]
    if rows.duplicated(["component", "start"]).any():
        raise InputError("several assessed values for one component and year")
    series = rows.pivot(index="start", columns="component", values="value").sort_index()
    missing = [name for name in NEEDED if name not in series]
    if missing:
        raise InputError(Problem("no assessed annual series", got=missing[0], allowed=NEEDED))
    series.index.name = "year"
    series.columns.name = None
    return series[series[list(NEEDED)].notna().all(axis=1)]


def net_emissions(series: pd.DataFrame) -> pd.Series:
    """Return fossil and land-use emissions less cement carbonation, GtC/yr by year."""
    cement = series["cement"].fillna(0.0) if "cement" in series else 0.0
    return series["fossil"] + series["land_use"] - cement


def crps_normal(mean: ArrayLike, sd: ArrayLike, observed: ArrayLike) -> NDArray[np.float64]:
    """Return the continuous ranked probability score of normal forecasts, in the unit of the values.

    Examples
    --------
    >>> crps_normal([0.0, 0.0], [1.0, 1e-9], [0.0, 2.0]).round(4)
    array([0.2337, 2.    ])
    """
    sd = np.asarray(sd, dtype=float)
    z = (np.asarray(observed, dtype=float) - np.asarray(mean, dtype=float)) / sd
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(sd * (z * (2.0 * special.ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi)))


def hindcast(
    series: pd.DataFrame,
    *,
    origins: Iterable[int] = ORIGINS,
    horizons: int = HORIZONS,
    level: float = 0.9,
) -> pd.DataFrame:
    """Forecast from every origin with every model, and score the forecasts.

    Parameters
    ----------
    series : DataFrame
        What `annual_series` returned. Forecasts use the years up to the origin and the emissions after
        it; values after the origin are read only to score.
    origins : iterable of int
        Last years known.
    horizons : int
        Forecasts run 1 to `horizons` years ahead, as far as the series goes.
    level : float
        Mass of the central interval whose coverage is counted.

    Returns
    -------
    DataFrame
        ``origin, horizon, year, component, model, mean, sd, observed, crps, covered``, GtC/yr.

    Raises
    ------
    InputError
        For series with gaps, or an origin outside them.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> years = np.arange(1959, 2024)
    >>> series = pd.DataFrame({"fossil": 2.4 + 0.12 * (years - 1959), "land_use": 1.3}, index=years)
    >>> series["atmosphere"] = 0.45 * (series["fossil"] + series["land_use"])
    >>> series["ocean"] = 0.25 * (series["fossil"] + series["land_use"])
    >>> series["land"] = series["fossil"] + series["land_use"] - series["atmosphere"] - series["ocean"]
    >>> table = hindcast(series, origins=[2010], horizons=3)
    >>> len(table), sorted(table["component"].unique())
    (24, ['land', 'ocean'])
    """
    _check(series)
    check_level(level)
    horizons = check_count(horizons, key="horizons")
    if isinstance(origins, str) or not isinstance(origins, Iterable):
        raise InputError(Problem("origins must be a list of years", got=origins, key="origins"))
    years = [check_count(origin, key="origins") for origin in origins]
    if not years:
        raise InputError(Problem("no origin to forecast from", got=[], allowed="years", key="origins"))
    blocks = []
    for origin in years:
        if not int(series.index[0]) <= origin < int(series.index[-1]):
            allowed = f"{series.index[0]} to {series.index[-1] - 1}"
            raise InputError(Problem("origin outside the series", got=origin, allowed=allowed, key="origins"))
        ahead = series.loc[origin + 1 : origin + horizons]
        blocks.append(_scored(series.loc[:origin], ahead, level))
    return pd.concat(blocks, ignore_index=True)


def true_hindcast(older: pd.DataFrame, later: pd.DataFrame, *, level: float = 0.9) -> pd.DataFrame:
    """Fit an older release and forecast the years that a later one adds.

    Parameters
    ----------
    older, later : DataFrame
        What `annual_series` returned for two releases; emissions of the added years are the later's.
    level : float
        As in `hindcast`.

    Returns
    -------
    DataFrame
        As `hindcast`.

    Raises
    ------
    InputError
        Where the later release adds no year.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> years = np.arange(1959, 2024)
    >>> series = pd.DataFrame({"fossil": 2.4 + 0.12 * (years - 1959), "land_use": 1.3}, index=years)
    >>> series["atmosphere"] = 0.45 * (series["fossil"] + series["land_use"])
    >>> series["ocean"] = 0.25 * (series["fossil"] + series["land_use"])
    >>> series["land"] = series["fossil"] + series["land_use"] - series["atmosphere"] - series["ocean"]
    >>> true_hindcast(series.loc[:2020], series)["year"].unique().tolist()
    [2021, 2022, 2023]
    """
    _check(older)
    _check(later)
    check_level(level)
    last = int(older.index[-1])
    ahead = later.loc[last + 1 :]
    if ahead.empty:
        raise InputError(
            Problem("the later release adds no year", got=int(later.index[-1]), allowed=f"after {last}")
        )
    return _scored(older, ahead, level)


def hindcast_outlook(
    series: pd.DataFrame,
    *,
    origins: Iterable[int] = ORIGINS,
    draws: int = 200,
    level: float = 0.9,
    rng: random.RandomSource = None,
) -> pd.DataFrame:
    """Run the outlook itself from past origins, and say how often its intervals held the next ten years.

    The flux of the ten years up to the origin is taken as it stands in the series, so that the spread is
    the outlook's own: its parameters and its discrepancy. The size of the discrepancy was taken from the
    misses of these very origins (``priors/budget.csv``), so coverage is a check of it, not a proof.

    Parameters
    ----------
    series : DataFrame
        What `annual_series` returned.
    origins : iterable of int
        Last years known.
    draws : int
        Draws of the outlook at each origin.
    level : float
        Mass of the central interval.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        One row per origin and quantity (``ocean``, ``land``: mean of the next ten years, GtC/yr; ``co2``:
        at their end, ppm): ``origin, quantity, mean, sd, observed, covered, unit``.

    Raises
    ------
    InputError
        For series with gaps, and origins without ten years before and after them.
    """
    from sinkrisk.budget.projecting import outlook

    _check(series)
    check_level(level)
    draws = check_count(draws, key="draws")
    stream, rows, tail = random.generator(rng), [], 0.5 * (1.0 - level)
    fossil = net_emissions(series) - series["land_use"]
    for origin in origins:
        past, coming = series.loc[origin - 9 : origin], series.loc[origin + 1 : origin + HORIZONS]
        if len(past) < 10 or len(coming) < HORIZONS:
            allowed = f"{int(series.index[0]) + 9} to {int(series.index[-1]) - HORIZONS}"
            raise InputError(Problem("origin outside the series", got=origin, allowed=allowed, key="origins"))
        flux = xr.DataArray(
            np.broadcast_to(past[list(SINKS)].to_numpy().T, (draws, len(SINKS), 10)),
            dims=("sample", "component", "year"),
            coords={"component": list(SINKS), "year": past.index.to_numpy()},
        )
        later = series.index >= origin
        emitted = {"fossil": fossil[later], "land_use": series["land_use"][later]}
        path = pd.DataFrame(emitted).rename_axis("year").reset_index()
        run = outlook(flux, path, rng=stream, until=origin + HORIZONS, gross="as_given")
        air = float(run.attrs["start_co2_ppm"]) + coming["atmosphere"].sum() / _carbon_per_ppm()
        observed = {**{name: float(coming[name].mean()) for name in SINKS}, "co2": float(air)}
        drawn = {name: run[name].mean("year").values for name in SINKS}
        drawn["co2"] = run["co2"].isel(year=-1).values
        for name, values in drawn.items():
            low, high = np.quantile(values, [tail, 1.0 - tail])
            rows.append(
                {
                    "origin": origin,
                    "quantity": name,
                    "mean": float(values.mean()),
                    "sd": float(values.std()),
                    "observed": observed[name],
                    "covered": bool(low <= observed[name] <= high),
                    "unit": "ppm" if name == "co2" else "GtC/yr",
                }
            )
    return pd.DataFrame(rows)


def _carbon_per_ppm() -> float:
    from sinkrisk.budget.cycle_table import load_carbon_cycle

    return load_carbon_cycle().carbon_per_ppm


def _check(series: object) -> None:
    """Refuse what is no annual series, and a raw table with the way to one."""
    if isinstance(series, pd.DataFrame) and not set(series.columns) >= _SCHEMA:
        check_series(series)
        return
    raise InputError(
        Problem(
            "not an annual series",
            got="a table of observations" if isinstance(series, pd.DataFrame) else type(series).__name__,
            allowed="what annual_series returns",
            hint="pass budget.annual_series(observations)",
        )
    )


def _scored(past: pd.DataFrame, ahead: pd.DataFrame, level: float) -> pd.DataFrame:
    box = forecast_box(past, net_emissions(ahead).to_numpy(dtype=float))
    reach = float(special.ndtri(0.5 + 0.5 * level))
    blocks = []
    for component in SINKS:
        own = past[component].to_numpy(dtype=float)
        forecasts: dict[str, Moments] = {"box": box[component]}
        forecasts |= {name: rule(own, len(ahead)) for name, rule in BASELINES.items()}
        observed = ahead[component].to_numpy(dtype=float)
        for model, (mean, sd) in forecasts.items():
            blocks.append(
                pd.DataFrame(
                    {
                        "origin": int(past.index[-1]),
                        "horizon": np.arange(1, len(ahead) + 1),
                        "year": ahead.index.to_numpy(),
                        "component": component,
                        "model": model,
                        "mean": mean,
                        "sd": sd,
                        "observed": observed,
                        "crps": crps_normal(mean, sd, observed),
                        "covered": np.abs(observed - mean) <= reach * sd,
                    }
                )
            )
    out = pd.concat(blocks, ignore_index=True)
    out.attrs = {"level": level, "unit": "GtC/yr"}
    return out


def score_hindcast(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean CRPS and coverage of a hindcast by component and model.

    Returns
    -------
    DataFrame
        ``component, model, crps, coverage, against_linear, forecasts``; ``against_linear`` is the mean
        CRPS over that of the linear trend. Forecasts that share an origin or a year are not independent.

    Raises
    ------
    InputError
        For anything else than forecasts.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> years = np.arange(1959, 2024)
    >>> series = pd.DataFrame({"fossil": 2.4 + 0.12 * (years - 1959), "land_use": 1.3}, index=years)
    >>> series["atmosphere"] = 0.45 * (series["fossil"] + series["land_use"])
    >>> series["ocean"] = 0.25 * (series["fossil"] + series["land_use"])
    >>> series["land"] = series["fossil"] + series["land_use"] - series["atmosphere"] - series["ocean"]
    >>> scores = score_hindcast(hindcast(series, origins=[2005, 2010], horizons=3))
    >>> scores.columns.tolist()
    ['component', 'model', 'crps', 'coverage', 'against_linear', 'forecasts']
    """
    if not isinstance(table, pd.DataFrame) or not set(table.columns) >= _FORECAST or table.empty:
        got = list(table) if isinstance(table, pd.DataFrame) else type(table).__name__
        raise InputError(Problem("no forecasts to score", got=got, allowed="what hindcast returns"))
    grouped = table.groupby(["component", "model"], sort=False)
    out = grouped.agg(
        crps=("crps", "mean"), coverage=("covered", "mean"), forecasts=("crps", "size")
    ).reset_index()
    linear = out[out["model"] == "linear_trend"].set_index("component")["crps"]
    out["against_linear"] = out["crps"] / out["component"].map(linear)
    return out[["component", "model", "crps", "coverage", "against_linear", "forecasts"]]
