"""Forecasts of the ocean and the land sink from annual series that end at an origin.

Every function sees only the series it is handed, which ends at the origin, and the emissions after it.
The box model runs along the CO2 that the growth rates imply; what it takes up is calibrated by regression
on the observed sinks, with an offset, first-order autocorrelated residuals and the uncertainty of both
coefficients. CO2 after the origin is not known to it: it is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.budget.carbon_cycle import follow, simulate
from sinkrisk.budget.cycle_table import land_curvature, load_carbon_cycle, ocean_curvature
from sinkrisk.errors import InputError, Problem

FloatArray = NDArray[np.float64]
Moments = tuple[FloatArray, FloatArray]
"""Mean and standard deviation of normal forecasts, shape (horizon,)."""

SINKS: tuple[str, ...] = ("ocean", "land")

NEEDED: tuple[str, ...] = ("fossil", "land_use", "atmosphere", "ocean", "land")

RECENT = 10
"""Years whose residuals tell how much a year scatters, and of the last-ten-year mean."""

MOST_PERSISTENT = 0.95
"""Bound on the residuals' autocorrelation: at 1 a forecast would never return to the model."""

FIRST_YEAR = 1959
"""First year of the annual budgets, whose growth rates begin at the table's end of 1958."""

FEWEST = 20
"""Years a forecast needs before its origin."""


@dataclass(frozen=True)
class Calibration:
    """The box model calibrated on one sink: ``flux = scale x box + offset + residual``.

    Parameters
    ----------
    scale, offset : float
        The scale has no unit, the offset is in GtC/yr.
    persistence : float
        First-order autocorrelation of the residuals, 0 to `MOST_PERSISTENT`.
    sd : float
        Standard deviation of the residuals in recent years, GtC/yr.
    last : float
        Residual of the last year.
    centre, spread : float
        Mean of the box model's flux, and its sum of squares about it.
    years : int
    """

    scale: float
    offset: float
    persistence: float
    sd: float
    last: float
    centre: float
    spread: float
    years: int

    def moments(self, box: FloatArray) -> Moments:
        """Return mean and sd of the sink where the box model takes up `box`, 1, 2, ... years ahead."""
        decay = self.persistence ** np.arange(1, len(box) + 1)
        mean = self.offset + self.scale * box + decay * self.last
        # Autocorrelated residuals hold fewer independent years than they have.
        worth = (1.0 - self.persistence) / (1.0 + self.persistence)
        coefficients = (1.0 / self.years + (box - self.centre) ** 2 / self.spread) / worth
        return mean, self.sd * np.sqrt(1.0 - decay**2 + coefficients)


def calibrate(box: FloatArray, observed: FloatArray) -> Calibration:
    """Regress an observed sink on the box model's, both over the same years.

    Examples
    --------
    >>> box = np.arange(1.0, 31.0)
    >>> round(calibrate(box, 0.5 * box + 1.0 + 0.1 * (-1.0) ** np.arange(30)).scale, 2)
    0.5
    """
    centre = float(box.mean())
    spread = float(((box - centre) ** 2).sum())
    scale = float((box - centre) @ observed / spread)
    offset = float(observed.mean() - scale * centre)
    residual = observed - offset - scale * box
    persistence = float(residual[1:] @ residual[:-1] / (residual[:-1] @ residual[:-1]))
    recent = min(RECENT, len(box))
    freedom = recent * (1.0 - 2.0 / len(box))
    sd = float(np.sqrt(residual[-recent:] @ residual[-recent:] / freedom))
    return Calibration(
        scale, offset, float(np.clip(persistence, 0.0, MOST_PERSISTENT)), sd, float(residual[-1]),
        centre, spread, len(box),
    )  # fmt: skip


def forecast_box(series: pd.DataFrame, emissions: FloatArray) -> dict[str, Moments]:
    """Forecast ocean and land with the calibrated box model.

    Parameters
    ----------
    series : DataFrame
        Index year (from 1959, without gaps), columns as `NEEDED` and ``cement`` where carbonation is
        stated apart; it ends at the origin.
    emissions : ndarray, shape (horizon,)
        Known fossil and land-use emissions less cement carbonation after the origin, GtC/yr.

    Returns
    -------
    dict
        ``"ocean"`` and ``"land"`` -> mean and sd, GtC/yr.
    """
    check_series(series)
    cycle = load_carbon_cycle()
    first = int(series.index[0])
    end = float(cycle.excess(cycle.value("air", "end_of_1958"))) + series["atmosphere"].to_numpy().cumsum()
    begin = np.concatenate([[end[0] - series["atmosphere"].iloc[0]], end[:-1]])
    path = np.concatenate([cycle.history(first - 1), 0.5 * (begin + end)])
    sinks, pools, fits = [], [], {}
    for name in SINKS:
        sink = cycle.sink(name, _central_curvature(name))
        box, held = follow(path, sink)
        fits[name] = calibrate(box[-len(series) :], series[name].to_numpy(dtype=float))
        sinks.append(sink.scaled(fits[name].scale))
        pools.append(fits[name].scale * held)
    # Offsets are part of the calibrated sinks and leave the air like the rest.
    offsets = sum(fit.offset for fit in fits.values())
    run = simulate(
        np.asarray(emissions, dtype=float) - offsets,
        end[-1],
        sinks[0],
        sinks[1],
        ocean_pools=pools[0],
        land_pools=pools[1],
    )
    ahead = {"ocean": run.ocean, "land": run.land}
    return {name: fit.moments(ahead[name] / fit.scale) for name, fit in fits.items()}


def _central_curvature(name: str) -> FloatArray:
    rows = load_carbon_cycle().rows
    at = {"ocean": "efficiency_decline", "land": "half_saturation"}[name]
    row = rows[(rows["process"] == name) & (rows["parameter"] == at)].iloc[0]
    middle = float(np.sqrt(row["low"] * row["high"]))
    return ocean_curvature(middle) if name == "ocean" else land_curvature(middle)


def last_value(past: FloatArray, horizon: int) -> Moments:
    """Forecast the last value with a random walk: the spread h years ahead is that of h-year changes.

    Examples
    --------
    >>> mean, sd = last_value(np.array([1.0, 2.0, 1.0, 2.0]), 2)
    >>> mean.tolist(), sd.tolist()
    ([2.0, 2.0], [1.0, 0.0])
    """
    steps = range(1, horizon + 1)
    sd = [float(np.sqrt(np.mean((past[h:] - past[:-h]) ** 2))) for h in steps]
    return np.full(horizon, past[-1]), np.asarray(sd)


def last_ten(past: FloatArray, horizon: int) -> Moments:
    """Forecast the mean of the last ten years with their standard deviation."""
    recent = past[-RECENT:]
    return np.full(horizon, recent.mean()), np.full(horizon, recent.std())


def linear_trend(past: FloatArray, horizon: int) -> Moments:
    """Forecast the straight line through all years, with the usual predictive standard deviation.

    Examples
    --------
    >>> linear_trend(np.array([1.0, 2.0, 3.0, 4.0]), 2)[0].round(6).tolist()
    [5.0, 6.0]
    """
    place = np.arange(len(past), dtype=float)
    centre, spread = place.mean(), ((place - place.mean()) ** 2).sum()
    slope = (place - centre) @ past / spread
    residual = past - past.mean() - slope * (place - centre)
    variance = residual @ residual / (len(past) - 2)
    ahead = len(past) - 1.0 + np.arange(1, horizon + 1)
    sd = np.sqrt(variance * (1.0 + 1.0 / len(past) + (ahead - centre) ** 2 / spread))
    return np.asarray(past.mean() + slope * (ahead - centre)), np.asarray(sd)


BASELINES: dict[str, Callable[[FloatArray, int], Moments]] = {
    "last_value": last_value,
    "last_ten": last_ten,
    "linear_trend": linear_trend,
}
"""Forecasts that know only the sink's own past."""


def check_series(series: pd.DataFrame) -> None:
    """Raise `InputError` unless a series is what `forecast_box` needs."""
    missing = [name for name in NEEDED if name not in series]
    if missing:
        raise InputError(Problem("series without a component", got=missing[0], allowed=NEEDED))
    years = np.asarray(series.index)
    first = FIRST_YEAR
    if len(years) < FEWEST or years[0] != first or not (np.diff(years) == 1).all():
        got = f"{len(years)} years" + (f" from {years[0]}" if len(years) else "")
        allowed = f"at least {FEWEST} years from {first} without gaps"
        raise InputError(Problem("series of other years", got=got, allowed=allowed))
    if not np.isfinite(series[list(NEEDED)].to_numpy(dtype=float)).all():
        raise InputError("series: a value is missing or not finite")
