"""Points that fill the simplex: uniform, low-discrepancy and lattice, plain numpy"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def lattice_size(parts: int, steps: int) -> int:
    """Return how many points of the simplex have coordinates that are multiples of ``1 / steps``."""
    return math.comb(steps + parts - 1, parts - 1)


def lattice(parts: int, steps: int) -> Floats:
    """Return every point of the simplex whose coordinates are multiples of ``1 / steps``.

    Parameters
    ----------
    parts : int
        Coordinates of a point.
    steps : int
        Parts the edge is cut into, at least 1.

    Returns
    -------
    ndarray, (C(steps + parts - 1, parts - 1), parts)
        Rows sum to 1; neighbours lie ``sqrt(2) / steps`` apart. Scheffe's simplex-lattice design.

    Examples
    --------
    >>> lattice(2, 2)
    array([[1. , 0. ],
           [0.5, 0.5],
           [0. , 1. ]])
    """
    chosen = np.array(list(itertools.combinations_with_replacement(range(parts), steps)))
    counts = (chosen[:, :, None] == np.arange(parts)).sum(axis=1)
    return np.asarray(counts / steps)


def finest_lattice(parts: int, most: int) -> int:
    """Return the largest number of steps whose lattice has at most `most` points, 0 if none has."""
    if parts == 1:
        return 1 if most >= 1 else 0
    steps = 0
    while lattice_size(parts, steps + 1) <= most:
        steps += 1
    return steps


def break_stick(u: Floats) -> Floats:
    """Map uniform numbers to the simplex so that uniform points stay uniform.

    Parameters
    ----------
    u : ndarray, (..., parts - 1)
        In [0, 1).

    Returns
    -------
    ndarray, (..., parts)
        Of what earlier coordinates leave, coordinate i takes ``1 - (1 - u_i) ** (1 / (parts - i))``
        (i from 1), the last one the rest: the inverse of the Rosenblatt transformation of the
        Dirichlet distribution with all concentrations 1.
    """
    parts = u.shape[-1] + 1
    power = 1.0 / np.arange(parts - 1, 0, -1)
    kept = (1.0 - u) ** power
    left = np.cumprod(np.concatenate([np.ones((*u.shape[:-1], 1)), kept], axis=-1), axis=-1)
    return np.asarray(np.concatenate([left[..., :-1] * (1.0 - kept), left[..., -1:]], axis=-1))


def uniforms_needed(parts: int, periods: int, smooth: float) -> int:
    """Return how many uniform numbers `walk` takes for one point."""
    if smooth == 1.0:
        return parts - 1
    if smooth == 0.0:
        return periods * (parts - 1)
    return parts + (periods - 1) * 2 * parts


def walk(u: Floats, parts: int, periods: int, smooth: float) -> Floats:
    """Return mixes that are uniform on the simplex in every period and alike from one to the next.

    Parameters
    ----------
    u : ndarray, (point, uniforms_needed)
        In (0, 1).
    parts, periods : int
    smooth : float
        0: periods have nothing to do with each other; 1: the same mix throughout; between: a beta-gamma
        autoregression of the unnormalised amounts, ``g' = b g + e`` with b ~ Beta(s, 1 - s) and
        e ~ Gamma(1 - s), which keeps g ~ Gamma(1) and whose correlation from one period to the next
        is s (Lewis, McKenzie and Hugus 1989). Shares are the amounts over their sum, so in every
        period they are Dirichlet(1), uniform on the simplex.

    Returns
    -------
    ndarray, (point, part, period)
    """
    n = u.shape[0]
    out = np.empty((n, parts, periods))
    if smooth == 1.0:
        out[:] = break_stick(u)[:, :, None]
        return out
    if smooth == 0.0:
        out[:] = break_stick(u.reshape(n, periods, parts - 1)).swapaxes(1, 2)
        return out
    from scipy.special import betaincinv, gammaincinv

    amount = break_stick(u[:, : parts - 1]) * gammaincinv(parts, u[:, parts - 1 : parts])
    out[:, :, 0] = amount
    rest = u[:, parts:].reshape(n, periods - 1, 2, parts)
    for q in range(1, periods):
        kept = betaincinv(smooth, 1.0 - smooth, rest[:, q - 1, 0])
        amount = kept * amount + gammaincinv(1.0 - smooth, rest[:, q - 1, 1])
        out[:, :, q] = amount
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def mean_nearest_distance(points: Floats) -> float:
    """Return the mean Euclidean distance of a point to its nearest neighbour; NaN for one point.

    Examples
    --------
    >>> round(mean_nearest_distance(lattice(3, 4)), 6)
    0.353553
    """
    if len(points) < 2:
        return math.nan
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(points).query(points, k=2)
    return float(distance[:, 1].mean())
