"""Functions of a driver that a regression is made on: splines, states, principal components"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEGREE = 3
VARIANCE_KEPT = 0.99
MOST_COMPONENTS = 12
"""Principal components of a block at most: beyond, a regression on thousands of draws fits noise."""


def spline_features(x: Floats, count: int) -> Floats:
    """Return a cubic spline basis of a scalar, the constant left out.

    Parameters
    ----------
    x : ndarray, (draw,)
    count : int
        Functions, 3 or more: a cubic, and one more per inner knot. Knots lie at quantiles of `x`, so
        that the basis does not change with the unit of the driver; where `x` takes no more than
        `count` values the features are those values' indicators.

    Returns
    -------
    ndarray, (draw, function)
        No column for a constant.
    """
    from scipy.interpolate import BSpline

    distinct = np.unique(x)
    if distinct.size <= count + 1:
        return state_features(x)
    inner = np.unique(np.quantile(x, np.linspace(0.0, 1.0, count - DEGREE + 2)[1:-1]))
    low, high = float(distinct[0]), float(distinct[-1])
    inner = inner[(inner > low) & (inner < high)]
    knots = np.concatenate([[low] * (DEGREE + 1), inner, [high] * (DEGREE + 1)])
    basis = BSpline.design_matrix(x, knots, DEGREE).toarray()
    # The functions sum to 1, so that one of them is the constant.
    return np.asarray(basis[:, 1:])


def state_features(states: NDArray[np.generic]) -> Floats:
    """Return one indicator per state but the first, (draw, states - 1)."""
    distinct, codes = np.unique(states, return_inverse=True)
    return np.asarray(codes.reshape(-1, 1) == np.arange(1, distinct.size), dtype=float)


def principal_components(block: Floats) -> Floats:
    """Return standardised principal components of a block, the largest first.

    Parameters
    ----------
    block : ndarray, (draw, variable)
        Variables in any units: each is standardised first; constant ones are dropped.

    Returns
    -------
    ndarray, (draw, component)
        As many as hold 99 % of the variance, at most 12; mean 0, variance 1.
    """
    spread = block.std(axis=0)
    varying = spread > 1e-12 * np.maximum(np.abs(block).max(axis=0), 1e-300)
    if not varying.any():
        return np.empty((len(block), 0))
    scaled = (block[:, varying] - block[:, varying].mean(axis=0)) / spread[varying]
    # The correlation matrix and not the draws themselves: blocks have far fewer variables than draws.
    if scaled.shape[1] <= len(scaled):
        roots, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
        order = np.argsort(-roots)
        roots, scores = np.maximum(roots[order], 0.0), scaled @ axes[:, order]
    else:
        left, singular, _ = np.linalg.svd(scaled, full_matrices=False)
        roots, scores = singular**2 / len(scaled), left * singular
    held = np.cumsum(roots) / roots.sum()
    kept = min(int(np.searchsorted(held, VARIANCE_KEPT - 1e-12)) + 1, MOST_COMPONENTS, roots.size)
    return np.asarray(scores[:, :kept] / np.sqrt(roots[:kept]))


def block_features(block: Floats, count: int) -> Floats:
    """Return the features of a correlated block: of each principal component a line and a spline.

    Parameters
    ----------
    block : ndarray, (draw, variable)
    count : int
        Spline functions of each component.

    Returns
    -------
    ndarray, (draw, function)
        Products of two components among the first four are added, so that an effect of two at once
        is seen.
    """
    components = principal_components(block)
    if components.shape[1] == 0:
        return np.empty((len(block), 0))
    splines = [spline_features(column, count) for column in components.T]
    first = components[:, : min(4, components.shape[1])]
    pairs = [first[:, [i]] * first[:, [j]] for i in range(first.shape[1]) for j in range(i)]
    return np.hstack([components, *splines, *pairs])
