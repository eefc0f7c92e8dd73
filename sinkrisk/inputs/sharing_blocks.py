"""Numerics of what pathways share: need and supply of resources, grid and heat, couplings, and shocks

Like every block, what is written for a row depends on that row of u alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sinkrisk.inputs.blocks import Arrays, Floats, Part, drawn


@dataclass(frozen=True)
class Line:
    """Inverse CDF of the uniform distribution on [low, high]."""

    low: float
    high: float

    def __call__(self, u: Floats) -> Floats:
        """Return the quantile at u."""
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class LognormalRange:
    """Inverse CDF of the lognormal whose central interval of a mass is [low, high], both positive."""

    low: float
    high: float
    mass: float = 0.9

    def __call__(self, u: Floats) -> Floats:
        """Return the quantile at u."""
        if self.low == self.high:
            return np.full_like(u, self.low)
        score = special.ndtri(u) / special.ndtri(0.5 + 0.5 * self.mass)
        return np.asarray(np.sqrt(self.low * self.high) * (self.high / self.low) ** (0.5 * score))


def standard_score(u: Floats) -> Floats:
    """Return the quantile of the standard normal distribution at u."""
    return np.asarray(special.ndtri(u))


@dataclass(frozen=True)
class ConstantBlock:
    """One number drawn once and written to several positions of a variable's second axis.

    Parameters
    ----------
    variable : str
    positions : ndarray (k,)
    part : Part
    """

    variable: str
    positions: NDArray[np.intp]
    part: Part

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write the number."""
        out[self.variable][:, self.positions] = drawn(self.part, u)[:, None]


@dataclass(frozen=True)
class ExperienceBlock:
    """Cumulative capture so far: so many years at today's capacity."""

    years: Part

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``experience``, GtCO2, from ``current_capacity``, which is filled before."""
        np.multiply(out["current_capacity"], drawn(self.years, u)[:, None], out=out["experience"])


@dataclass(frozen=True)
class UseBlock:
    """Need of shared resources per captured tonne.

    Parameters
    ----------
    entries : tuple of (int, int, Part, bool)
        Pathway, resource, need, and whether it is a multiple of the pathway's process energy.
    """

    entries: tuple[tuple[int, int, Part, bool], ...]

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``resource_use``; ``energy`` is filled before."""
        for pathway, resource, part, times_energy in self.entries:
            need = drawn(part, u)
            if times_energy:
                # GJ per tonne of CO2 is EJ per gigatonne.
                need = need * out["energy"][:, pathway]
            out["resource_use"][:, pathway, resource] = need


@dataclass(frozen=True)
class PlaceBlock:
    """A level of the world, spread over regions and periods: level x region x period.

    Parameters
    ----------
    variable : str
    position : int or None
        On the variable's second axis, where it has one before region and period.
    level : Part
    region : ndarray (region,)
        Share of the world, or ratio to it.
    period : ndarray (period,)
        Constant factor; 1 where the level declines.
    decline : Part or None
        Rate of exponential decline, 1/yr.
    years : ndarray (period,)
        Years from the start of the first period to the middle of each.
    """

    variable: str
    position: int | None
    level: Part
    region: Floats
    period: Floats
    decline: Part | None
    years: Floats

    def over_time(self, u: Floats) -> Floats:
        """Return the factor of each period (n, period), 1 at the start where the level declines."""
        factor = np.broadcast_to(self.period, (u.shape[0], self.period.size))
        if self.decline is not None:
            factor = factor * np.exp(-drawn(self.decline, u)[:, None] * self.years)
        return factor

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write one resource's supply, or the grid's intensity."""
        level = drawn(self.level, u)[:, None] * self.over_time(u)
        target = out[self.variable] if self.position is None else out[self.variable][:, self.position]
        np.multiply(level[:, None, :], self.region[:, None], out=target)


@dataclass(frozen=True)
class HeatBlock:
    """Emissions of heat and fuel: a level at the start that falls at a share of the rate of the grid's.

    Parameters
    ----------
    level : Part
        tCO2/GJ.
    share : Part
        Of the grid's rate, in [0, 1].
    grid : PlaceBlock
    """

    level: Part
    share: Part
    grid: PlaceBlock

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``heat_intensity``: exp(-rate years) to the power of the share is exp(-share rate years)."""
        fall = self.grid.over_time(u) ** drawn(self.share, u)[:, None]
        np.multiply(drawn(self.level, u)[:, None], fall, out=out["heat_intensity"])


@dataclass(frozen=True)
class SeverityBlock:
    """Severity of shocks: lognormal of mean 1, correlated between regions within a period.

    Parameters
    ----------
    spread : Part
        Sd of the logarithm of the severity.
    common : tuple of Part
        Standard normal score of each period, shared by its regions.
    own : tuple of (int, int, Part)
        Region, period and its own standard normal score; other cells keep severity 1.

    Notes
    -----
    ``shock_correlation``, which is filled before, is the correlation rho of the severity itself
    between any two regions in a period; periods are independent.
    severity = exp(s x - s^2 / 2), x = sqrt(r) common + sqrt(1 - r) own. Two such lognormals correlate
    by (exp(s^2 r) - 1) / (exp(s^2) - 1), so r = log(1 + rho (exp(s^2) - 1)) / s^2 gives rho exactly.
    """

    spread: Part
    common: tuple[Part, ...]
    own: tuple[tuple[int, int, Part], ...]

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``shock_severity``."""
        spread = drawn(self.spread, u)
        score = score_correlation(out["shock_correlation"], spread)
        shared, apart = np.sqrt(score), np.sqrt(1.0 - score)
        common = [drawn(part, u) for part in self.common]
        for region, period, part in self.own:
            x = shared * common[period] + apart * drawn(part, u)
            out["shock_severity"][:, region, period] = np.exp(spread * x - 0.5 * spread**2)


def score_correlation(correlation: Floats, spread: Floats) -> Floats:
    """Return the correlation of normal scores at which their lognormals correlate as wanted.

    Parameters
    ----------
    correlation : ndarray (n,)
        Of the lognormals, in [0, 1].
    spread : ndarray (n,)
        Sd of their logarithms; where it is 0 the scores' correlation is the one given.

    Examples
    --------
    >>> score_correlation(np.array([0.0, 0.5, 1.0]), np.array([1.0, 1.0, 1.0])).round(4)
    array([0.    , 0.6201, 1.    ])
    """
    variance = np.square(spread)
    safe = np.where(variance > 0.0, variance, 1.0)
    found = np.log1p(correlation * np.expm1(safe)) / safe
    return np.clip(np.where(variance > 0.0, found, correlation), 0.0, 1.0)


@dataclass(frozen=True)
class LateHazardBlock:
    """Shocks a year after the last period, where no network tells: the chance of a period over its length."""

    probability: Part
    regions: NDArray[np.intp]
    length: float

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``late_hazard`` of its regions, 1/yr."""
        out["late_hazard"][:, self.regions] = (drawn(self.probability, u) / self.length)[:, None]
