"""The box model's parameters: read from ``priors/carbon_cycle.csv``, drawn, and bent to what is claimed.

The table holds fixed rows (capacities, time scales, the history of CO2) and uncertain ones, each with a
source or a reason. An uncertain row is a function of one uniform number, so any design can drive it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sinkrisk import files
from sinkrisk.budget.carbon_cycle import Sink, follow, impulse_response, make_sink
from sinkrisk.errors import InputError, Problem
from sinkrisk.priors import layouts, references, schemas
from sinkrisk.rng import RandomSource, generator

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

UNCERTAIN: tuple[str, ...] = (
    "ocean_efficiency_decline", "land_half_saturation", "land_tipping_threshold",
    "land_tipping_timescale", "land_tipping_loss", "warming_present", "warming_per_emission",
)  # fmt: skip
"""Uncertain parameters of an outlook, in the order in which a design lists them."""

RATE_WINDOW = 10
"""Years over which sink rates are averaged: the last decade of a history, and of the century."""

_BISECTIONS = 50


@dataclass(frozen=True)
class CarbonCycle:
    """The table, as the box model takes it.

    Parameters
    ----------
    carbon_per_ppm, preindustrial : float
        GtC/ppm and ppm.
    years, concentration : ndarray, shape (year,)
        Annual means of CO2 in ppm, interpolated between the table's rows.
    rows : DataFrame
        The table itself.
    """

    carbon_per_ppm: float
    preindustrial: float
    years: NDArray[np.int64]
    concentration: FloatArray
    rows: pd.DataFrame

    def value(self, process: str, parameter: str, place: int = 0) -> float:
        """Return one fixed value, in its row's unit."""
        rows = self.rows
        found = rows[
            (rows["process"] == process) & (rows["parameter"] == parameter) & (rows["place"] == place)
        ]
        return float(found["value"].iloc[0])

    def values(self, process: str, parameter: str) -> FloatArray:
        """Return the fixed values of all places, in their order."""
        rows = self.rows
        found = rows[(rows["process"] == process) & (rows["parameter"] == parameter)].sort_values("place")
        return found["value"].to_numpy(dtype=float)

    def excess(self, ppm: ArrayLike) -> FloatArray:
        """Return the carbon above the pre-industrial one in GtC."""
        return np.asarray(self.carbon_per_ppm * (np.asarray(ppm, dtype=float) - self.preindustrial))

    def ppm(self, excess: ArrayLike) -> FloatArray:
        """Return the concentration that an excess in GtC amounts to."""
        return np.asarray(np.asarray(excess, dtype=float) / self.carbon_per_ppm + self.preindustrial)

    def history(self, last: int) -> FloatArray:
        """Return the mid-year excess from the first year of the table to `last`, GtC, never below zero."""
        return np.maximum(self.excess(self.concentration[self.years <= last]), 0.0)

    def year_end(self, last: int) -> float:
        """Return the excess at the end of a year: the mean of its and the next year's, GtC.

        Where the next year is not in the table, half of the last step is added.
        """
        at = int(np.searchsorted(self.years, last))
        level = self.concentration
        step = level[at + 1] - level[at] if at + 1 < len(level) else level[at] - level[at - 1]
        return float(self.excess(level[at] + 0.5 * step))

    def sink(self, name: str, curvature: ArrayLike = 0.0) -> Sink:
        """Return ``"ocean"`` or ``"land"`` with the table's capacities and the given curvature."""
        return make_sink(self.values(name, "capacity"), self.values(name, "timescale"), curvature)

    def joos(self, year: ArrayLike) -> FloatArray:
        """Return the impulse response of Joos et al. 2013: the share of a pulse left after some years."""
        timescale = np.concatenate([[np.inf], self.values("joos", "timescale")])
        return impulse_response(year, self.values("joos", "share"), timescale)


@functools.cache
def load_carbon_cycle() -> CarbonCycle:
    """Return the library's carbon cycle.

    Examples
    --------
    >>> cycle = load_carbon_cycle()
    >>> cycle.joos([0.0, 20.0, 50.0, 100.0]).round(2)
    array([1.  , 0.6 , 0.49, 0.41])
    """
    path = files.data_path("priors", "carbon_cycle.csv")
    rows = schemas.parse(path, layouts.CARBON_CYCLE, {"sources": references.known_keys(beside=path)})
    told = rows[(rows["process"] == "air") & (rows["parameter"] == "history")]
    years = np.arange(int(told["place"].min()), int(told["place"].max()) + 1)
    fixed = rows[rows["process"] == "air"].set_index("parameter")["value"]
    return CarbonCycle(
        carbon_per_ppm=float(fixed["carbon_per_ppm"]),
        preindustrial=float(fixed["preindustrial"]),
        years=years,
        concentration=np.interp(years, told["place"], told["value"]),
        rows=rows,
    )


def draw_cycle(
    draws: int,
    *,
    rng: RandomSource = None,
    u: ArrayLike | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
) -> dict[str, FloatArray]:
    """Draw the uncertain parameters of an outlook.

    Parameters
    ----------
    draws : int
    rng : int, Generator or None
    u : array_like, shape (draws, parameter), optional
        Uniform numbers in the order of `UNCERTAIN`, in place of `rng`.
    fixed : mapping of str to float or array_like (draws,), optional
        Parameters held at a value, for example ``{"land_tipping_loss": 0.0}``, or at one per draw.

    Returns
    -------
    dict
        Name -> array of shape (draws,), in the unit of the table's row.

    Raises
    ------
    InputError
        For an unknown name, or uniforms of another shape.

    Examples
    --------
    >>> drawn = draw_cycle(3, u=np.full((3, 7), 0.5))
    >>> drawn["ocean_efficiency_decline"].round(1)
    array([42.4, 42.4, 42.4])
    """
    held = dict(fixed or {})
    for name in held:
        if name not in UNCERTAIN:
            raise InputError(Problem("unknown parameter of the outlook", got=name, allowed=UNCERTAIN))
        if np.shape(held[name]) not in ((), (draws,)):
            shape = str(np.shape(held[name]))
            raise InputError(Problem(f"{name}: other draws", got=shape, allowed=f"one number, or {draws}"))
    size = (draws, len(UNCERTAIN))
    uniform = generator(rng).random(size) if u is None else np.asarray(u, dtype=float)
    if uniform.shape != size:
        raise InputError(Problem("uniforms of another shape", got=uniform.shape, allowed=str(size)))
    rows = load_carbon_cycle().rows
    names = rows["process"] + "_" + rows["parameter"]
    out = {}
    for at, name in enumerate(UNCERTAIN):
        if name in held:
            out[name] = np.broadcast_to(np.asarray(held[name], dtype=float), draws).copy()
        else:
            out[name] = _quantile(rows[names == name].iloc[0], uniform[:, at])
    return out


def _quantile(row: pd.Series, u: FloatArray) -> FloatArray:
    """Return quantiles of an uncertain row, whose low and high bound a central interval."""
    low, high = float(row["low"]), float(row["high"])
    if row["family"] == "uniform":
        return low + (high - low) * u
    reach = float(special.ndtri(0.5 + 0.5 * float(row["interval"])))
    score = special.ndtri(u) / reach
    if row["family"] == "normal":
        return np.asarray(0.5 * (low + high) + 0.5 * (high - low) * score)
    return np.asarray(np.sqrt(low * high) * (high / low) ** (0.5 * score))


def land_curvature(half_saturation: ArrayLike) -> FloatArray:
    """Return the land's curvature, 1/GtC, from the excess CO2 (ppm) that halves its response."""
    return np.asarray(1.0 / (load_carbon_cycle().carbon_per_ppm * np.asarray(half_saturation, dtype=float)))


def ocean_curvature(decline: ArrayLike) -> FloatArray:
    """Return the ocean's curvature, 1/GtC, at which its efficiency declines as claimed.

    Parameters
    ----------
    decline : array_like
        Per cent by which flux per GtC of excess falls under SSP5-8.5 from the last decade of the
        history (2014-2023) to that of the century. A decline the linear ocean already has gives 0.

    Returns
    -------
    ndarray
        Same shape, by bisection: the decline rises with the curvature.
    """
    wanted = np.asarray(decline, dtype=float) / 100.0
    low, high = np.zeros(wanted.shape), np.full(wanted.shape, _MOST_CURVED)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        short = _reference_decline(middle) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray(np.where(wanted <= _reference_decline(np.zeros(1))[0], 0.0, 0.5 * (low + high)))


_MOST_CURVED = 0.05
"""1/GtC: a response that halves at 10 ppm of excess, beyond any reading of the claim."""


def _reference_decline(curvature: FloatArray) -> FloatArray:
    cycle = load_carbon_cycle()
    last, end = int(cycle.years[-1]), 2100
    path = cycle.history(last)
    rise = float(cycle.excess(cycle.value("ocean", "reference_2100"))) / path[-1]
    path = np.concatenate([path, path[-1] * rise ** (np.arange(1, end - last + 1) / (end - last))])
    years = np.arange(int(cycle.years[0]), end + 1)
    # The present rate is dated, so that a longer table of CO2 does not move the meaning of the claim.
    now = (years >= PRESENT[0]) & (years <= PRESENT[1])
    grid = np.concatenate([[0.0], np.geomspace(1e-6, _MOST_CURVED, 80)])
    rates = _rates_on(tuple(grid), tuple(path), tuple(now))
    return np.asarray(1.0 - np.interp(curvature, grid, rates))


@functools.lru_cache(maxsize=2)
def _rates_on(grid: tuple[float, ...], path: tuple[float, ...], now: tuple[bool, ...]) -> FloatArray:
    """Return the end-of-century over the present sink rate on a grid of curvatures."""
    excess, present = np.asarray(path), np.asarray(now)
    flux, _ = follow(excess, load_carbon_cycle().sink("ocean", np.asarray(grid)))
    late = flux[:, -RATE_WINDOW:].mean(axis=-1) / excess[-RATE_WINDOW:].mean()
    return np.asarray(late / (flux[:, present].mean(axis=-1) / excess[present].mean()))


PRESENT = (2014, 2023)
"""Years of the present sink rates in the table."""
