"""Scenario reduction: which draws stand for all of them, and how far that is from the truth.

Plain numpy. The distance between two draws is the root mean square difference of their
standardised features; the error of a reduction is the Wasserstein-1 distance on that ground
distance between the full and the reduced empirical distribution.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.float64]

MAX_ENTRIES = 2**24
"""Largest distance matrix held, in entries (128 MB): 4,096 draws against 4,096 candidates."""

MAX_TRANSPORT = 300_000
"""Largest transport problem solved exactly, in entries."""

CHUNK = 256


def standardise(features: Floats) -> Floats:
    """Return features (draw, feature) scaled so that Euclidean distance is the RMS of the z-scores.

    Constant features are dropped; without any other the result has one column of zeros.
    """
    spread = features.std(axis=0)
    keep = spread > 1e-12 * np.maximum(np.abs(features).max(axis=0), 1e-300)
    if not keep.any():
        return np.zeros((features.shape[0], 1))
    kept = features[:, keep]
    return np.asarray((kept - kept.mean(axis=0)) / (spread[keep] * np.sqrt(keep.sum())))


def forward_selection(
    points: Floats, n: int, probability: Floats, candidates: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Floats, float]:
    """Pick `n` draws by fast forward selection (Heitsch and Römisch 2003, algorithm 2.4).

    Each step adds the candidate that most reduces the transport distance
    ``sum_j p_j min_i d(i, j)``. The gain of a candidate never grows as others are added, so stale
    gains are upper bounds and only the leading ones are recomputed; the result is the plain
    algorithm's.

    Parameters
    ----------
    points : ndarray, (draw, feature)
        From `standardise`.
    n : int
        At most the number of candidates.
    probability : ndarray, (draw,)
    candidates : ndarray of int
        Draws that may be picked.

    Returns
    -------
    picked : ndarray of int, (n,)
        Draws, in rising order.
    weight : ndarray, (n,)
        Probability of all draws nearest to each, summing to 1.
    distance : float
        The Wasserstein-1 distance reached. For the picked draws no other weights do better.
    """
    distance = cdist(points, points[candidates])
    first = int(np.argmin(probability @ distance))
    nearest = distance[:, first].copy()
    chosen = [first]
    gains = np.concatenate(
        [
            probability @ np.maximum(nearest[:, None] - distance[:, k : k + CHUNK], 0.0)
            for k in range(0, distance.shape[1], CHUNK)
        ]
    )
    heap = [(-gain, k) for k, gain in enumerate(gains.tolist()) if k != first]
    heapq.heapify(heap)
    while len(chosen) < n:
        _, k = heapq.heappop(heap)
        fresh = (-float(probability @ np.maximum(nearest - distance[:, k], 0.0)), k)
        if heap and fresh > heap[0]:
            heapq.heappush(heap, fresh)
            continue
        chosen.append(k)
        np.minimum(nearest, distance[:, k], out=nearest)
    order = np.array(chosen)[np.argsort(candidates[chosen])]
    owner = np.argmin(distance[:, order], axis=1)
    weight = np.bincount(owner, weights=probability, minlength=n)
    return candidates[order], weight / weight.sum(), float(probability @ nearest)


def candidates_for(draws: int, n: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return the draws that may be picked: all, or a random part that bounds the memory."""
    most = max(n, MAX_ENTRIES // draws)
    if draws <= most:
        return np.arange(draws)
    return np.sort(generator.choice(draws, size=most, replace=False))


def transport_distance(
    points: Floats, probability: Floats, picked: NDArray[np.intp], weight: Floats
) -> float:
    """Return the Wasserstein-1 distance between all draws and the picked ones under given weights.

    Solved exactly as a linear programme (HiGHS); NaN above `MAX_TRANSPORT` entries.
    """
    from scipy import sparse
    from scipy.optimize import linprog

    rows, columns = points.shape[0], picked.size
    if rows * columns > MAX_TRANSPORT:
        return float("nan")
    cost = cdist(points, points[picked]).ravel()
    sums = sparse.vstack(
        [
            sparse.kron(sparse.eye_array(rows), np.ones((1, columns))),
            sparse.kron(np.ones((1, rows)), sparse.eye_array(columns)),
        ]
    ).tocsr()
    # The last equation follows from the others; rounding must not make it contradict them.
    solved = linprog(cost, A_eq=sums[:-1], b_eq=np.concatenate([probability, weight])[:-1], method="highs")
    return float(solved.fun) if solved.status == 0 else float("nan")
