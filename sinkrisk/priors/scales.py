"""Scales without bounds - log, log odds, the value itself - and mixtures of normals on them."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from sinkrisk.priors.families import Array, Family, LogitNormal, Lognormal, Normal
from sinkrisk.priors.quantiles import Pool

ScaleName = Literal["log", "log odds", "identity"]

_SQRT_2PI = math.sqrt(2.0 * math.pi)
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Scale:
    """The scale g on which sources are compared.

    Parameters
    ----------
    name : str
        ``log``, ``log odds`` or ``identity``.
    lower, upper : float
        Bounds of the quantity.
    """

    name: ScaleName
    lower: float
    upper: float

    def __call__(self, x: Array) -> Array:
        """Return g(x), finite at the bounds."""
        if self.name == "log":
            return np.asarray(np.log(np.maximum(x, np.finfo(float).tiny)))
        if self.name == "log odds":
            t = (x - self.lower) / (self.upper - self.lower)
            return np.asarray(special.logit(np.clip(t, 1e-300, 1.0 - 2.0**-53)))
        return np.asarray(x, dtype=float)

    def slope(self, x: Array) -> Array:
        """Return dg/dx; 0 outside the support, where there is no density to carry over."""
        if self.name == "log":
            return np.asarray(np.where(x > 0.0, 1.0 / np.maximum(x, np.finfo(float).tiny), 0.0))
        if self.name == "log odds":
            inside = (x > self.lower) & (x < self.upper)
            safe = np.where(inside, x, 0.5 * (self.lower + self.upper))
            slope = (self.upper - self.lower) / ((safe - self.lower) * (self.upper - safe))
            return np.asarray(np.where(inside, slope, 0.0))
        return np.asarray(np.where((x >= self.lower) & (x <= self.upper), 1.0, 0.0))

    def normal(self, mean: float, sd: float) -> Family:
        """Return the distribution of X whose g(X) is normal (cut off at the bounds on the identity)."""
        if self.name == "log":
            return Lognormal(mean, sd)
        if self.name == "log odds":
            return LogitNormal(mean, sd, self.lower, self.upper)
        return Normal(mean, sd, self.lower, self.upper)


@dataclass(frozen=True)
class NormalMixture:
    """X whose g(X) is a mixture of normals: a `Family` that transforms x once for all components.

    Parameters
    ----------
    scale : Scale
    centers, sds, weights : tuple of float
        Of the components, on the scale; weights sum to 1.
    """

    scale: Scale
    centers: tuple[float, ...]
    sds: tuple[float, ...]
    weights: tuple[float, ...]

    @functools.cached_property
    def components(self) -> Pool:
        """The components as distributions of X."""
        each = (self.scale.normal(m, s) for m, s in zip(self.centers, self.sds, strict=True))
        return Pool(tuple(each), self.weights)

    @property
    def mean(self) -> float:
        """Expectation."""
        return self.components.mean

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return self.components.sd

    @functools.cached_property
    def _arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        center, sd, weight = (np.array(v) for v in (self.centers, self.sds, self.weights))
        below, above = np.zeros_like(center), np.zeros_like(center)
        if self.scale.name == "identity":
            below = special.ndtr((self.scale.lower - center) / sd)
            above = special.ndtr((center - self.scale.upper) / sd)
        return center, sd, weight / (1.0 - below - above), below, above

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        return self._sum(x, 1.0)

    def sf(self, x: Array) -> Array:
        """P(X > x)."""
        return self._sum(x, -1.0)

    def pdf(self, x: Array) -> Array:
        """Density at x."""
        x = np.asarray(x, dtype=float)
        center, sd, share, _, _ = self._arrays
        flat, out = self.scale(x).ravel(), np.empty(x.size)
        for at in range(0, x.size, _BLOCK):
            score = (flat[at : at + _BLOCK, None] - center) / sd
            out[at : at + _BLOCK] = np.exp(-0.5 * score**2) @ (share / (sd * _SQRT_2PI))
        return np.asarray(out.reshape(x.shape) * self.scale.slope(x))

    def quantile_at(self, z: Array) -> Array:
        """Quantile of probability Phi(z), solved between the smallest and the largest component's."""
        z = np.asarray(z, dtype=float)
        flat = z.ravel()
        each = np.stack([family.quantile_at(flat) for family in self.components.families])
        solved = Pool((self,), (1.0,)).solve(flat, each.min(axis=0), each.max(axis=0))
        return solved.reshape(z.shape)

    def _sum(self, x: Array, sign: float) -> Array:
        x = np.asarray(x, dtype=float)
        center, sd, share, below, above = self._arrays
        cut = below if sign > 0.0 else above
        inside = np.clip(x, self.scale.lower, self.scale.upper)
        flat, out = self.scale(inside).ravel(), np.empty(x.size)
        for at in range(0, x.size, _BLOCK):
            score = sign * (flat[at : at + _BLOCK, None] - center) / sd
            out[at : at + _BLOCK] = (special.ndtr(score) - cut) @ share
        # Off the support the scale is held finite; the probability there is 0 or 1.
        edge = x <= self.scale.lower if sign > 0.0 else x >= self.scale.upper
        return np.asarray(np.where(edge, 0.0, np.maximum(out.reshape(x.shape), 0.0)))
