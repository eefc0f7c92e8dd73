"""Pools of distributions and their inverse: a stored monotone table instead of a root search.

The pooled distribution function has no closed inverse. Its quantiles are solved once on a grid of
standard normal scores z and interpolated by a monotone cubic (PCHIP), on the logarithm for positive
quantities, so one evaluation costs a few arithmetic operations whatever the pool. Between ranges that do
not meet, the quantile function all but jumps and no table follows it: the cells there are known from the
table's own error, and probabilities that fall into them are solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import interpolate, special

from sinkrisk.errors import InputError, Problem
from sinkrisk.priors.families import Array, Family

SMALLEST = 2.0**-53
"""Probabilities are clipped to [SMALLEST, 1 - SMALLEST]."""

ACCURACY = 1e-7
"""Interpolation error, in widths of the central 90 % interval, above which a cell is solved instead."""

_REACH = 8.3
_COARSE = 1001
_FINE = 8001
_ITERATIONS = 80
_Z95 = 1.6448536269514722
_SQRT_2PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Pool:
    """A weighted mixture (linear pool) of distributions.

    Parameters
    ----------
    families : sequence of Family
    weights : array (component,)
        Positive, summing to 1.
    """

    families: tuple[Family, ...]
    weights: tuple[float, ...]

    def cdf(self, x: Array) -> Array:
        """P(X <= x) under the pool."""
        return np.asarray(sum(w * f.cdf(x) for w, f in zip(self.weights, self.families, strict=True)))

    def sf(self, x: Array) -> Array:
        """P(X > x) under the pool."""
        return np.asarray(sum(w * f.sf(x) for w, f in zip(self.weights, self.families, strict=True)))

    def pdf(self, x: Array) -> Array:
        """Density under the pool."""
        return np.asarray(sum(w * f.pdf(x) for w, f in zip(self.weights, self.families, strict=True)))

    @property
    def mean(self) -> float:
        """Expectation."""
        return sum(w * f.mean for w, f in zip(self.weights, self.families, strict=True))

    @property
    def sd(self) -> float:
        """Standard deviation: within the components and between their means."""
        mean = self.mean
        parts = zip(self.weights, self.families, strict=True)
        return float(np.sqrt(sum(w * (f.sd**2 + (f.mean - mean) ** 2) for w, f in parts)))

    def quantile_at(self, z: ArrayLike) -> Array:
        """Solve for the quantile of probability Phi(z), to the last digits of its bracket.

        A mixture's quantile lies between the smallest and the largest of its components'. Newton's
        method on the score of the pooled probability, which is close to a straight line, with a
        bisection wherever a step leaves the bracket; each half works with its own tail.
        """
        scores = np.asarray(z, dtype=float)
        if len(self.families) == 1:
            return self.families[0].quantile_at(scores)
        flat = scores.ravel()
        with np.errstate(over="ignore"):
            each = np.stack([family.quantile_at(flat) for family in self.families])
        return self.solve(flat, each.min(axis=0), each.max(axis=0)).reshape(scores.shape)

    def solve(self, z: Array, low: Array, high: Array, start: Array | None = None) -> Array:
        """Return the quantiles of probabilities Phi(z), given brackets (all arrays of one length).

        Parameters
        ----------
        z : array (n,)
        low, high : array (n,)
            The quantile lies between them.
        start : array (n,), optional
            Where the search begins; default the bracket's middle.
        """
        start = 0.5 * (low + high) if start is None else start
        solved = np.empty_like(z)
        for upper, half in ((False, z <= 0.0), (True, z > 0.0)):
            if half.any():
                solved[half] = self._newton(z[half], low[half], high[half], start[half], upper)
        return solved

    def _newton(self, z: Array, low: Array, high: Array, x: Array, upper: bool) -> Array:
        result, at = x.copy(), np.arange(len(z))
        for _ in range(_ITERATIONS):
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                score = -special.ndtri(self.sf(x)) if upper else special.ndtri(self.cdf(x))
                excess = score - z
                low, high = np.where(excess < 0.0, x, low), np.where(excess > 0.0, x, high)
                slope = self.pdf(x) * _SQRT_2PI * np.exp(0.5 * score**2)
                step = x - excess / slope
            middle = 0.5 * (low + high)
            trusted = np.isfinite(step) & (step > low) & (step < high)
            following = np.where(excess == 0.0, x, np.where(trusted, step, middle))
            # Rounding of the score moves x by more than its own last digit where x is nearly flat in z.
            settled = np.abs(following - x) <= 4.0 * np.spacing(np.abs(x))
            result[at] = following
            if settled.all():
                break
            going = ~settled
            at, z, low, high, x = at[going], z[going], low[going], high[going], following[going]
        return result


class InverseTable:
    """Quantiles of a pool, interpolated in a stored monotone table.

    Parameters
    ----------
    pool : Pool
    logarithmic : bool
        Interpolate log x: for quantities whose support is positive.
    """

    def __init__(self, pool: Pool, *, logarithmic: bool) -> None:
        self._pool, self._logarithmic = pool, logarithmic
        z, x = _grid(pool, logarithmic)
        self._least, self._most = float(x[0]), float(x[-1])
        self._nodes = x
        y = _bent(x, logarithmic)
        self._coefficients: NDArray[np.float64] = np.ascontiguousarray(
            interpolate.PchipInterpolator(z, y).c.T
        )
        self._step = z[1] - z[0]
        # The table's error, from above: a table of every second node against the nodes left out.
        halved = interpolate.PchipInterpolator(z[::2], y[::2])(z[1::2])
        missed = np.abs((np.exp(halved) if logarithmic else halved) - x[1::2])
        low, high = np.interp([-_Z95, _Z95], z, x)
        poor = missed > ACCURACY * (high - low)
        poor = poor | np.r_[poor[1:], False] | np.r_[False, poor[:-1]]
        self._poor: NDArray[np.bool_] | None = np.repeat(poor, 2) if poor.any() else None

    @property
    def solved_share(self) -> float:
        """Probability that falls into cells that are solved instead of interpolated."""
        if self._poor is None:
            return 0.0
        edges = special.ndtr(np.linspace(-_REACH, _REACH, len(self._nodes)))
        return float(np.diff(edges)[self._poor].sum())

    def __call__(self, q: ArrayLike) -> Array:
        """Return the quantiles of probabilities `q`, same shape; NaN stays NaN.

        Raises
        ------
        InputError
            For a probability outside [0, 1].
        """
        p = np.asarray(q, dtype=float)
        if np.any((p < 0.0) | (p > 1.0)):
            wrong = float(p[(p < 0.0) | (p > 1.0)].flat[0])
            raise InputError(Problem("not a probability", got=wrong, allowed="0 to 1"))
        z = special.ndtri(np.clip(p, SMALLEST, 1.0 - SMALLEST))
        at = (z + _REACH) / self._step
        missing = np.isnan(at)
        cell = np.where(missing, 0.0, at).astype(np.intp)
        offset = (at - cell) * self._step
        c = self._coefficients[cell]
        y = ((c[..., 0] * offset + c[..., 1]) * offset + c[..., 2]) * offset + c[..., 3]
        x = np.asarray(np.clip(np.exp(y) if self._logarithmic else y, self._least, self._most))
        if self._poor is not None:
            hard = self._poor[cell] & ~missing
            if hard.any():
                place = cell[hard]
                bracket = self._nodes[place], self._nodes[place + 1]
                x[hard] = self._pool.solve(z[hard], *bracket, start=np.clip(x[hard], *bracket))
        return x


def _bent(x: Array, logarithmic: bool) -> Array:
    return np.log(np.maximum(x, np.finfo(float).tiny)) if logarithmic else x


def _grid(pool: Pool, logarithmic: bool) -> tuple[Array, Array]:
    """Return scores and quantiles: a coarse grid solved outright, a fine one between its nodes."""
    rough = np.linspace(-_REACH, _REACH, _COARSE)
    x_rough = np.maximum.accumulate(pool.quantile_at(rough))
    z = np.linspace(-_REACH, _REACH, _FINE)
    guess = interpolate.PchipInterpolator(rough, _bent(x_rough, logarithmic))(z)
    every = (_FINE - 1) // (_COARSE - 1)
    cell = np.minimum(np.arange(_FINE) // every, _COARSE - 2)
    low, high = x_rough[cell], x_rough[cell + 1]
    start = np.clip(np.exp(guess) if logarithmic else guess, low, high)
    x = pool.solve(z, low, high, start)
    x[::every] = x_rough
    return z, np.maximum.accumulate(x)


def share_weights(groups: Sequence[int]) -> tuple[float, ...]:
    """Return weights in which each group counts once and its members share its weight.

    Examples
    --------
    >>> share_weights([0, 0, 1])
    (0.25, 0.25, 0.5)
    """
    sizes = {group: groups.count(group) for group in groups}
    return tuple(1.0 / (len(sizes) * sizes[group]) for group in groups)


def connected(keys: Sequence[tuple[str, ...]]) -> list[int]:
    """Return a group number per item; items that share a key, directly or by a chain, are one group.

    Examples
    --------
    >>> connected([("a", "b"), ("c",), ("b",)])
    [0, 1, 0]
    """
    group = list(range(len(keys)))
    for i, mine in enumerate(keys):
        for j in range(i):
            if set(mine) & set(keys[j]) and group[i] != group[j]:
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if g == old else g for g in group]
    numbers = {g: n for n, g in enumerate(dict.fromkeys(group))}
    return [numbers[g] for g in group]
