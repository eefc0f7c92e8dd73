"""The inner loop of SMAA-2: values, ranks and comparisons of every pair of a draw and a weighting"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def tally(
    scores: Floats,
    weights: Floats,
    share: Floats,
    acceptability: Floats,
    weight_sum: Floats,
    pairwise: Floats,
) -> None:
    """Add every pair to the three sums; pair i is draw ``i % draws`` with weighting i.

    Parameters
    ----------
    scores : ndarray, (draw, criterion, alternative)
    weights : ndarray, (pair, criterion)
    share : ndarray, (pair,)
        Probability of each pair.
    acceptability : ndarray, (alternative, rank)
        Probability of each rank, tied alternatives at the best.
    weight_sum : ndarray, (alternative, criterion)
        Weightings under which the alternative is first, times their probability.
    pairwise : ndarray, (other, alternative)
        Probability that the alternative is strictly better than the other.

    Notes
    -----
    One criterion at a time, in one order and without fused operations: equal alternatives get bitwise
    equal values and so tie.
    """
    draws, criteria, alternatives = scores.shape
    value = np.empty(alternatives)
    for i in range(weights.shape[0]):
        row = scores[i % draws]
        for b in range(alternatives):
            value[b] = weights[i, 0] * row[0, b]
        for c in range(1, criteria):
            for b in range(alternatives):
                value[b] += weights[i, c] * row[c, b]
        each = share[i]
        for a in range(alternatives):
            mine = value[a]
            rank = 0
            for b in range(alternatives):
                better = value[b] > mine
                rank += better
                pairwise[a, b] += each if better else 0.0
            acceptability[a, rank] += each
            if rank == 0:
                for c in range(criteria):
                    weight_sum[a, c] += each * weights[i, c]


@numba.njit(cache=True, nogil=True)
def confidence_factors(scores: Floats, central: Floats, share: Floats, out: Floats) -> None:
    """Add up, for every alternative, the draws in which it is first by its own central weights.

    Parameters
    ----------
    scores : ndarray, (draw, criterion, alternative)
    central : ndarray, (alternative, criterion)
        NaN for alternatives that are never first: they are passed over.
    share : ndarray, (draw,)
        Probability of each draw.
    out : ndarray, (alternative,)
        NaN stays NaN.

    Notes
    -----
    Values are built up as in `tally`, so that ties count as first; rivals are tried until one is better.
    """
    draws, criteria, alternatives = scores.shape
    for i in range(draws):
        row = scores[i]
        rival = 0
        for a in range(alternatives):
            if np.isnan(central[a, 0]):
                continue
            mine = central[a, 0] * row[0, a]
            for c in range(1, criteria):
                mine += central[a, c] * row[c, a]
            first = True
            # Who beat the one before most likely beats this one too.
            for step in range(alternatives):
                b = rival + step
                if b >= alternatives:
                    b -= alternatives
                other = central[a, 0] * row[0, b]
                for c in range(1, criteria):
                    other += central[a, c] * row[c, b]
                if other > mine:
                    first = False
                    rival = b
                    break
            if first:
                out[a] += share[i]
