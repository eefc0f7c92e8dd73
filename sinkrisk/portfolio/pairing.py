"""Values of policies in the same draws, and how sure their differences are: the paired bootstrap

Efron and Tibshirani (1993), An Introduction to the Bootstrap: draws are resampled whole, so that the
policies compared share them; the interval is that of the percentiles. Of what two halves of the draws chose
for one another it is widened, because their errors are not independent of one another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinkrisk import rng as random

Floats = NDArray[np.float64]

INTERVAL = "percentile bootstrap"
WIDENED = "widened percentile bootstrap"
REPLICATES = 2000

HALVES_TOGETHER = 2.0 / np.pi
"""Correlation allowed for between the errors of two halves that choose for one another.

Each half's mean both errs in what it evaluates and decides what the other evaluates. Of two plans of equal
value, the one that looked worse on the other half less the one that looked better, the errors are
``-s |a|`` and ``-s |b|``, with a and b the halves' standard normal means and s the product of their signs:
correlation ``E|a| E|b| = 2 / pi``. Policies that sometimes keep to the same plan come less far; of three
plans, the worst-looking less the best-looking, it is 0.72.
"""


def resampled(draws: int, replicates: int, rng: random.RandomSource) -> Floats:
    """Return how often each draw stands in each resample, (replicate, draw)."""
    counts = random.generator(rng).multinomial(draws, np.full(draws, 1.0 / draws), size=replicates)
    return counts.astype(float)


def mean_replicates(values: Floats, probability: Floats, counts: Floats) -> Floats:
    """Return the weighted mean of values (draw,) in every resample, (replicate,)."""
    mass = counts @ probability
    return np.asarray(counts @ (probability * values) / mass)


def tail_replicates(values: Floats, probability: Floats, counts: Floats, level: float) -> Floats:
    """Return the mean of the worst ``1 - level`` of values (draw,) in every resample; more is better."""
    order = np.argsort(values, kind="stable")
    weights = counts[:, order] * probability[order]
    weights /= weights.sum(axis=1, keepdims=True)
    before = np.cumsum(weights, axis=1) - weights
    taken = np.clip((1.0 - level) - before, 0.0, weights)
    return np.asarray(taken @ values[order] / taken.sum(axis=1))


def widened(replicates: Floats, value: float, correlation: float = HALVES_TOGETHER) -> Floats:
    """Return replicates moved away from the value, for two halves whose errors are so correlated.

    Parameters
    ----------
    replicates : ndarray, (replicate,)
        Resampled as if all draws were independent.
    value : float
        What was resampled, over the draws as they are.
    correlation : float
        The variance of the mean of two halves is ``1 + correlation`` times that of independent ones.

    Examples
    --------
    >>> widened(np.array([0.0, 2.0]), 1.0, correlation=3.0).tolist()
    [-1.0, 3.0]
    """
    return np.asarray(value + np.sqrt(1.0 + correlation) * (replicates - value))


def bounds(replicates: Floats, mass: float) -> tuple[float, float]:
    """Return the equal-tailed bounds of replicates."""
    low, high = np.quantile(replicates, [(1.0 - mass) / 2.0, (1.0 + mass) / 2.0])
    return float(low), float(high)
