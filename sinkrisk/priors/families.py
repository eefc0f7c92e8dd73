"""The distribution families of elicitation, evaluated as arrays; `fitting` finds their parameters.

Each family has ``cdf``, ``sf``, ``pdf`` of x, ``quantile_at`` of a standard normal score z (the
quantile of probability Phi(z), so that both tails keep their precision), ``mean`` and ``sd``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
_SQRT_2PI = math.sqrt(2.0 * math.pi)


class Family(Protocol):
    """What the pool needs of a component."""

    @property
    def mean(self) -> float:
        """Expectation."""

    @property
    def sd(self) -> float:
        """Standard deviation."""

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""

    def sf(self, x: Array) -> Array:
        """P(X > x)."""

    def pdf(self, x: Array) -> Array:
        """Density at x."""

    def quantile_at(self, z: Array) -> Array:
        """Quantile of probability Phi(z)."""


@dataclass(frozen=True)
class Lognormal:
    """Lognormal: log X is normal with mean `mu` and sd `sigma`."""

    mu: float
    sigma: float

    @property
    def mean(self) -> float:
        """Expectation."""
        return math.exp(self.mu + self.sigma**2 / 2.0)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return self.mean * math.sqrt(math.expm1(self.sigma**2))

    def _score(self, x: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray((np.log(np.maximum(x, 0.0)) - self.mu) / self.sigma)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return np.asarray(special.ndtr(self._score(x)))

    def sf(self, x: Array) -> Array:
        """P(X > x)."""
        return np.asarray(special.ndtr(-self._score(x)))

    def pdf(self, x: Array) -> Array:
        """Density at x."""
        positive = np.maximum(x, np.finfo(float).tiny)
        return np.asarray(np.exp(-0.5 * self._score(positive) ** 2) / (positive * self.sigma * _SQRT_2PI))

    def quantile_at(self, z: Array) -> Array:
        """Quantile of probability Phi(z)."""
        return np.asarray(np.exp(self.mu + self.sigma * z))


@dataclass(frozen=True)
class BetaScaled:
    """Beta(a, b) stretched from [0, 1] to [lower, upper]."""

    a: float
    b: float
    lower: float = 0.0
    upper: float = 1.0

    @property
    def mean(self) -> float:
        """Expectation."""
        return self.lower + (self.upper - self.lower) * self.a / (self.a + self.b)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        total = self.a + self.b
        return (self.upper - self.lower) * math.sqrt(self.a * self.b / (total**2 * (total + 1.0)))

    def _unit(self, x: Array) -> Array:
        return np.asarray(np.clip((x - self.lower) / (self.upper - self.lower), 0.0, 1.0))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return np.asarray(special.betainc(self.a, self.b, self._unit(x)))

    def sf(self, x: Array) -> Array:
        """P(X > x)."""
        # The mirrored lower tail: scipy's betaincc is twenty times slower in the far tail.
        return np.asarray(special.betainc(self.b, self.a, 1.0 - self._unit(x)))

    def pdf(self, x: Array) -> Array:
        """Density at x."""
        t = self._unit(x)
        inside = (t > 0.0) & (t < 1.0)
        safe = np.where(inside, t, 0.5)
        log = special.xlogy(self.a - 1.0, safe) + special.xlog1py(self.b - 1.0, -safe)
        density = np.exp(log - special.betaln(self.a, self.b)) / (self.upper - self.lower)
        return np.asarray(np.where(inside, density, 0.0))

    def quantile_at(self, z: Array) -> Array:
        """Quantile of probability Phi(z)."""
        z = np.asarray(z, dtype=float)
        below, t = z <= 0.0, np.empty(z.shape)
        # Each half with its own tail, which keeps its digits; a half it does not need costs as much again.
        t[below] = special.betaincinv(self.a, self.b, special.ndtr(z[below]))
        t[~below] = 1.0 - special.betaincinv(self.b, self.a, special.ndtr(-z[~below]))
        return np.asarray(self.lower + (self.upper - self.lower) * t)


@dataclass(frozen=True)
class Normal:
    """Normal, cut off at [lower, upper] where the quantity has bounds."""

    center: float
    scale: float
    lower: float = -math.inf
    upper: float = math.inf

    def _limits(self) -> tuple[float, float]:
        return (self.lower - self.center) / self.scale, (self.upper - self.center) / self.scale

    def _mass(self) -> float:
        a, b = self._limits()
        return float(special.ndtr(b) - special.ndtr(a))

    def _density_at_limits(self) -> tuple[float, float]:
        a, b = self._limits()
        return math.exp(-0.5 * a * a) / _SQRT_2PI, math.exp(-0.5 * b * b) / _SQRT_2PI

    @property
    def mean(self) -> float:
        """Expectation."""
        at_a, at_b = self._density_at_limits()
        return self.center + self.scale * (at_a - at_b) / self._mass()

    @property
    def sd(self) -> float:
        """Standard deviation."""
        (a, b), (at_a, at_b), mass = self._limits(), self._density_at_limits(), self._mass()
        edge = (0.0 if math.isinf(a) else a * at_a) - (0.0 if math.isinf(b) else b * at_b)
        return self.scale * math.sqrt(1.0 + edge / mass - ((at_a - at_b) / mass) ** 2)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        a, b = self._limits()
        score = np.clip((x - self.center) / self.scale, a, b)
        return np.asarray((special.ndtr(score) - special.ndtr(a)) / self._mass())

    def sf(self, x: Array) -> Array:
        """P(X > x)."""
        a, b = self._limits()
        score = np.clip((x - self.center) / self.scale, a, b)
        return np.asarray((special.ndtr(-score) - special.ndtr(-b)) / self._mass())

    def pdf(self, x: Array) -> Array:
        """Density at x."""
        score = (x - self.center) / self.scale
        density = np.exp(-0.5 * score**2) / (_SQRT_2PI * self.scale * self._mass())
        return np.asarray(np.where((x >= self.lower) & (x <= self.upper), density, 0.0))

    def quantile_at(self, z: Array) -> Array:
        """Quantile of probability Phi(z)."""
        a, b = self._limits()
        if math.isinf(a) and math.isinf(b):
            return np.asarray(self.center + self.scale * z)
        from_below = special.ndtri(special.ndtr(a) + special.ndtr(np.minimum(z, 0.0)) * self._mass())
        from_above = -special.ndtri(special.ndtr(-b) + special.ndtr(-np.maximum(z, 0.0)) * self._mass())
        x = self.center + self.scale * np.where(z <= 0.0, from_below, from_above)
        return np.asarray(np.clip(x, self.lower, self.upper))


@dataclass(frozen=True)
class LogitNormal:
    """The log odds of X within [lower, upper] are normal with mean `mu` and sd `sigma`."""

    mu: float
    sigma: float
    lower: float = 0.0
    upper: float = 1.0

    @functools.cached_property
    def _moments(self) -> tuple[float, float]:
        # No closed form: Gauss-Legendre over the normal scores that hold all but 1e-17 of the mass.
        z, weights = np.polynomial.legendre.leggauss(200)
        weights = weights * np.exp(-0.5 * (8.5 * z) ** 2) * 8.5 / _SQRT_2PI
        x = self.quantile_at(8.5 * z)
        mean = float(weights @ x)
        return mean, math.sqrt(float(weights @ (x - mean) ** 2))

    @property
    def mean(self) -> float:
        """Expectation, by quadrature."""
        return self._moments[0]

    @property
    def sd(self) -> float:
        """Standard deviation, by quadrature."""
        return self._moments[1]

    def _score(self, x: Array) -> Array:
        t = np.clip((x - self.lower) / (self.upper - self.lower), 0.0, 1.0)
        return np.asarray((special.logit(t) - self.mu) / self.sigma)

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return np.asarray(special.ndtr(self._score(x)))

    def sf(self, x: Array) -> Array:
        """P(X > x)."""
        return np.asarray(special.ndtr(-self._score(x)))

    def pdf(self, x: Array) -> Array:
        """Density at x."""
        inside = (x > self.lower) & (x < self.upper)
        safe = np.where(inside, x, 0.5 * (self.lower + self.upper))
        slope = (self.upper - self.lower) / ((safe - self.lower) * (self.upper - safe))
        density = np.exp(-0.5 * self._score(safe) ** 2) * slope / (self.sigma * _SQRT_2PI)
        return np.asarray(np.where(inside, density, 0.0))

    def quantile_at(self, z: Array) -> Array:
        """Quantile of probability Phi(z)."""
        t = special.expit(self.mu + self.sigma * z)
        return np.asarray(self.lower + (self.upper - self.lower) * t)
