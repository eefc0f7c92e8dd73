"""A box model of the air's carbon: ocean and land pools that relax after the excess they see.

Plain numpy, arrays (..., year) in and out. The atmosphere is counted at the end of the year and the
fluxes see the mid-year excess ``X = (C[t-1] + C[t]) / 2 - C0`` in GtC. Every sink holds several pools;
pool i approaches ``capacity_i m(t) h(X)`` with its own time scale::

    P_i[t] = P_i[t-1] + (1 - exp(-1 / tau_i)) (capacity_i m(t) h(X) - P_i[t-1]),  flux = sum of the changes

``h(X) = X / (1 + c |X|)`` bends with curvature c, so that a sink takes up less per GtC where there is
much CO2, and m(t) changes its capacity from outside, as a tipping land does. With c = 0 and m = 1 the
model is linear and equals an impulse response. The mid-year excess is solved for within the year, so a
step of one year is stable at any time scale, and what leaves the air is what the pools receive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_NEWTON_STEPS = 6
"""Far more than needed: the equation bends little, and each step squares the error."""


@dataclass(frozen=True)
class Sink:
    """Pools of one sink.

    Parameters
    ----------
    capacity : ndarray, shape (..., pool)
        GtC held in equilibrium per GtC of excess in the air, for little CO2.
    timescale : ndarray, shape (pool,)
        Years.
    curvature : ndarray, shape (...)
        c of the module's docstring, 1/GtC; 0 for a linear sink.
    """

    capacity: FloatArray
    timescale: FloatArray
    curvature: FloatArray

    def scaled(self, scale: ArrayLike) -> Sink:
        """Return the sink with all capacities times `scale`, shape (...): its flux is scaled alike."""
        return replace(self, capacity=np.asarray(scale, dtype=float)[..., None] * self.capacity)

    @property
    def rates(self) -> FloatArray:
        """Share of its gap that each pool closes in a year, shape (pool,)."""
        return np.asarray(-np.expm1(-1.0 / self.timescale))


@dataclass(frozen=True)
class Run:
    """What `simulate` returns; the last axis is the year, for pools the one before the last.

    Parameters
    ----------
    carbon : ndarray, shape (..., year)
        Excess carbon in the air at the end of each year, GtC.
    ocean, land : ndarray, shape (..., year)
        Fluxes out of the air, GtC/yr.
    ocean_pools, land_pools : ndarray, shape (..., pool)
        Carbon above the pre-industrial one at the end of the last year, GtC.
    """

    carbon: FloatArray
    ocean: FloatArray
    land: FloatArray
    ocean_pools: FloatArray
    land_pools: FloatArray


def make_sink(capacity: ArrayLike, timescale: ArrayLike, curvature: ArrayLike = 0.0) -> Sink:
    """Return a sink from plain numbers.

    Examples
    --------
    >>> make_sink([0.2, 0.5], [2.0, 30.0]).rates.round(3)
    array([0.393, 0.033])
    """
    return Sink(*(np.asarray(value, dtype=float) for value in (capacity, timescale, curvature)))


def seen_excess(excess: FloatArray, curvature: FloatArray) -> FloatArray:
    """Return h(X), the excess that the pools respond to."""
    return np.asarray(excess / (1.0 + curvature * np.abs(excess)))


def follow(excess: ArrayLike, sink: Sink) -> tuple[FloatArray, FloatArray]:
    """Return the flux and the final pools of a sink along a known mid-year excess.

    Parameters
    ----------
    excess : array_like, shape (..., year)
        GtC; the pools are empty before the first year.
    sink : Sink

    Returns
    -------
    flux : ndarray, shape (..., year)
        GtC/yr.
    pools : ndarray, shape (..., pool)
        GtC.
    """
    seen = seen_excess(np.asarray(excess, dtype=float), sink.curvature[..., None])
    shape = np.broadcast_shapes(seen.shape[:-1], sink.capacity.shape[:-1])
    pools = np.zeros((*shape, len(sink.timescale)))
    flux = np.empty((*shape, seen.shape[-1]))
    for t in range(seen.shape[-1]):
        change = sink.rates * (sink.capacity * seen[..., t, None] - pools)
        pools = pools + change
        flux[..., t] = change.sum(axis=-1)
    return flux, pools


def simulate(
    emissions: ArrayLike,
    start: ArrayLike,
    ocean: Sink,
    land: Sink,
    *,
    ocean_pools: ArrayLike | None = None,
    land_pools: ArrayLike | None = None,
    land_capacity: ArrayLike = 1.0,
) -> Run:
    """Run the air, the ocean and the land forward under given emissions.

    Parameters
    ----------
    emissions : array_like, shape (..., year)
        Net of removal, GtC/yr.
    start : array_like, shape (...)
        Excess carbon in the air at the end of the year before the first, GtC.
    ocean, land : Sink
    ocean_pools, land_pools : array_like, shape (..., pool), optional
        Pools at that time, as `follow` leaves them; default empty.
    land_capacity : array_like, shape (..., year)
        m(t) of the land.

    Returns
    -------
    Run
        ``carbon`` plus all pools changes by the emissions in every year, to rounding.

    Examples
    --------
    >>> sink = make_sink([0.5], [10.0])
    >>> run = simulate([10.0, 0.0], 0.0, sink, sink)
    >>> bool(abs(run.carbon[-1] + run.ocean_pools.sum() + run.land_pools.sum() - 10.0) < 1e-12)
    True
    """
    emitted = np.asarray(emissions, dtype=float)
    years = emitted.shape[-1]
    carbon = np.asarray(start, dtype=float)
    factor = np.broadcast_to(np.asarray(land_capacity, dtype=float), (*np.shape(land_capacity)[:-1], years))
    sinks = (ocean, land)
    pools = [
        np.zeros(len(sink.timescale)) if held is None else np.asarray(held, dtype=float)
        for sink, held in zip(sinks, (ocean_pools, land_pools), strict=True)
    ]
    shape = np.broadcast_shapes(
        emitted.shape[:-1],
        carbon.shape,
        factor.shape[:-1],
        *(sink.capacity.shape[:-1] for sink in sinks),
        *(sink.curvature.shape for sink in sinks),
        *(held.shape[:-1] for held in pools),
    )
    pools = [np.broadcast_to(held, (*shape, held.shape[-1])) for held in pools]
    slopes = [(sink.capacity * sink.rates).sum(axis=-1) for sink in sinks]
    out = np.empty((3, *shape, years))
    for t in range(years):
        slope = (slopes[0], slopes[1] * factor[..., t])
        returned = [(sink.rates * held).sum(axis=-1) for sink, held in zip(sinks, pools, strict=True)]
        known = carbon + 0.5 * (emitted[..., t] + returned[0] + returned[1])
        excess = _mid_year(known, slope, (ocean.curvature, land.curvature))
        fluxes = []
        for place, sink in enumerate(sinks):
            seen = seen_excess(excess, sink.curvature)
            scale = seen if place == 0 else seen * factor[..., t]
            change = sink.rates * (sink.capacity * scale[..., None] - pools[place])
            pools[place] = pools[place] + change
            fluxes.append(change.sum(axis=-1))
        carbon = carbon + emitted[..., t] - fluxes[0] - fluxes[1]
        out[0, ..., t], out[1, ..., t], out[2, ..., t] = carbon, fluxes[0], fluxes[1]
    return Run(out[0], out[1], out[2], pools[0], pools[1])


def _mid_year(
    known: FloatArray, slopes: tuple[FloatArray, FloatArray], curvatures: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Solve X + sum of slope h(X) / 2 = known for the mid-year excess, by Newton steps."""
    excess = known / (1.0 + 0.5 * (slopes[0] + slopes[1]))
    if not any(np.any(curvature) for curvature in curvatures):
        return np.asarray(excess)
    for _ in range(_NEWTON_STEPS):
        value, slope = excess - known, np.ones_like(excess)
        for rate, curvature in zip(slopes, curvatures, strict=True):
            bend = 1.0 + curvature * np.abs(excess)
            value = value + 0.5 * rate * excess / bend
            slope = slope + 0.5 * rate / bend**2
        step = value / slope
        excess = excess - step
        if np.max(np.abs(step)) < 1e-12 * (1.0 + np.max(np.abs(excess))):
            break
    return np.asarray(excess)


def pulse_response(
    background: ArrayLike, hold: float, ocean: Sink, land: Sink, *, years: int, size: float
) -> FloatArray:
    """Return the share of a pulse left in the air at the ends of years 1, 2, ... after it.

    The air follows `background` and is then held at `hold`, as Joos et al. hold it; the emissions that
    hold it there are the control run's, and the pulse is added to them at the start of the first year.

    Parameters
    ----------
    background : array_like, shape (year,)
        Mid-year excess before the pulse, GtC.
    hold : float
        Excess held afterwards, GtC.
    ocean, land : Sink
    years : int
    size : float
        GtC.

    Returns
    -------
    ndarray, shape (..., years)
    """
    path = np.concatenate([np.asarray(background, dtype=float), np.full(years, float(hold))])
    before = len(path) - years
    held = [follow(path, sink)[0][..., before:] for sink in (ocean, land)]
    pools = [follow(path[:before], sink)[1] for sink in (ocean, land)]
    run = simulate(
        held[0] + held[1],
        float(hold) + float(size),
        ocean,
        land,
        ocean_pools=pools[0],
        land_pools=pools[1],
    )
    return np.asarray((run.carbon - float(hold)) / float(size))


def impulse_response(year: ArrayLike, share: ArrayLike, timescale: ArrayLike) -> FloatArray:
    """Return a sum of exponentials, sum of ``share exp(-year / timescale)``, at the given years.

    Examples
    --------
    >>> impulse_response([0.0, 10.0], [0.25, 0.75], [float("inf"), 10.0]).round(3)
    array([1.   , 0.526])
    """
    age = np.asarray(year, dtype=float)[..., None]
    return np.asarray((np.asarray(share) * np.exp(-age / np.asarray(timescale))).sum(axis=-1))


def one_box(emissions: ArrayLike, start: ArrayLike, rate: ArrayLike) -> FloatArray:
    """Return the excess of the one-box loop ``dC/dt = E - rate (C - C0)``, solved exactly year by year.

    A baseline to compare with: it lets all of a pulse vanish at one rate and so understates how long
    carbon stays.

    Parameters
    ----------
    emissions : array_like, shape (..., year)
        GtC/yr, even through the year.
    start : array_like, shape (...)
        Excess at the end of the year before the first, GtC.
    rate : array_like, shape (...)
        Sum of the ocean's and the land's sink rate, 1/yr.

    Returns
    -------
    ndarray, shape (..., year)
        GtC at the end of each year.

    Examples
    --------
    >>> one_box([0.0, 0.0], 100.0, 0.1).round(2)
    array([90.48, 81.87])
    """
    emitted, rate = np.asarray(emissions, dtype=float), np.asarray(rate, dtype=float)
    kept, carbon, out = np.exp(-rate), np.asarray(start, dtype=float), []
    for t in range(emitted.shape[-1]):
        carbon = carbon * kept + emitted[..., t] * -np.expm1(-rate) / rate
        out.append(carbon)
    return np.stack(np.broadcast_arrays(*out), axis=-1)
