"""Values of policies in the same draws, and how sure their differences are: the paired bootstrap

Efron and Tibshirani (1993), An Introduction to the Bootstrap: draws are resampled whole, so that the
policies compared share them; the interval is that of the percentiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinkrisk import rng as random

Floats = NDArray[np.float64]

INTERVAL = "percentile bootstrap"
REPLICATES = 2000


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


def bounds(replicates: Floats, mass: float) -> tuple[float, float]:
    """Return the equal-tailed bounds of replicates."""
    low, high = np.quantile(replicates, [(1.0 - mass) / 2.0, (1.0 + mass) / 2.0])
    return float(low), float(high)
