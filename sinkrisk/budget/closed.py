"""Exact generalised least squares under the budget constraint, in plain numpy.

With flat priors and independent Gaussian errors the posterior of the fluxes x given the stated means
m with variances V, subject to s'x = 0, is Gaussian:

    P = I - g s',   g = V s / (s' V s),   mean = P m,   covariance = P V P'

(the textbook update on a noise-free observation of s'x; the Lagrange-multiplier solution of
``min (x - m)' V^-1 (x - m)`` subject to ``s'x = 0`` is the same). A component nobody estimated has
infinite variance: the limit is g = e_j / s_j, that is, closure determines it and teaches nothing
about the others. Component dimensions come last; nothing here knows a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def pool(values: ArrayLike, sds: ArrayLike, groups: ArrayLike, size: int) -> tuple[Floats, Floats]:
    """Pool independent estimates of the same quantity by inverse variance.

    Parameters
    ----------
    values, sds : array_like, shape (row,)
        Estimates and their standard deviations, positive and finite.
    groups : array_like of int, shape (row,)
        Which quantity each row estimates, 0 .. size - 1.
    size : int
        Number of quantities.

    Returns
    -------
    mean, variance : ndarray, shape (size,)
        Mean 0 and variance infinity where a quantity has no estimate.

    Examples
    --------
    >>> pool([1.0, 3.0], [1.0, 1.0], [0, 0], 2)
    (array([2., 0.]), array([0.5, inf]))
    """
    values = np.asarray(values, dtype=float)
    sds = np.asarray(sds, dtype=float)
    groups = np.asarray(groups, dtype=int)
    # Weights relative to the group's smallest sd: 1/sd**2 would overflow for tiny sds.
    smallest = np.full(size, np.inf)
    np.minimum.at(smallest, groups, sds)
    weights = (smallest[groups] / sds) ** 2
    total = np.bincount(groups, weights, minlength=size)
    seen = total > 0.0
    safe = np.where(seen, total, 1.0)
    mean = np.where(seen, np.bincount(groups, weights * values, minlength=size) / safe, 0.0)
    variance = np.where(seen, smallest**2 / safe, np.inf)
    return mean, variance


def gain(variance: ArrayLike, signs: ArrayLike) -> Floats:
    """Return g, the share of a budget's misfit that each component takes up (signed).

    Parameters
    ----------
    variance : array_like, shape (..., component)
        Variances; at most one infinite per budget.
    signs : array_like, shape (..., component)
        +1, -1, or 0 outside the identity.

    Returns
    -------
    ndarray, shape (..., component)
        ``signs * gain`` sums to 1.

    Raises
    ------
    ValueError
        When two components of one budget have infinite variance: closure cannot separate them.
    """
    signs = np.asarray(signs, dtype=float)
    variance = np.where(signs == 0.0, 0.0, np.asarray(variance, dtype=float))
    unknown = np.isinf(variance)
    if np.any(unknown.sum(axis=-1) > 1):
        raise ValueError("two components without an estimate in one budget")
    known = np.where(unknown, 0.0, variance)
    # Variances relative to the largest one, so that extreme scales neither overflow nor vanish.
    largest = known.max(axis=-1, keepdims=True)
    relative = known / np.where(largest > 0.0, largest, 1.0)
    total = (relative * signs**2).sum(axis=-1, keepdims=True)
    shared = relative * signs / np.where(total > 0.0, total, 1.0)
    lone = np.where(unknown, signs, 0.0)
    return np.asarray(np.where(unknown.any(axis=-1, keepdims=True), lone, shared))


def solve(mean: ArrayLike, variance: ArrayLike, signs: ArrayLike) -> tuple[Floats, Floats]:
    """Return the exact posterior mean and covariance of closed budgets.

    Parameters
    ----------
    mean, variance : array_like, shape (..., component)
        Stated means and variances; variance infinity where nothing was stated.
    signs : array_like, shape (..., component)
        +1 for sources, -1 for sinks, 0 outside the identity.

    Returns
    -------
    mean : ndarray, shape (..., component)
        NaN outside the identity.
    covariance : ndarray, shape (..., component, component)
        NaN in rows and columns outside the identity.

    Examples
    --------
    A source of 3 +- 1 and a sink of 1 +- 1 meet half-way:

    >>> solve([3.0, 1.0], [1.0, 1.0], [1, -1])
    (array([2., 2.]), array([[0.5, 0.5], [0.5, 0.5]]))
    """
    signs = np.asarray(signs, dtype=float)
    inside = signs != 0.0
    mean = np.where(inside, np.asarray(mean, dtype=float), 0.0)
    g = gain(variance, signs)
    known = np.where(inside & np.isfinite(variance), np.asarray(variance, dtype=float), 0.0)
    projection = np.eye(signs.shape[-1]) - g[..., :, None] * signs[..., None, :]
    fitted = mean - g * (mean * signs).sum(axis=-1, keepdims=True)
    covariance = np.einsum("...ik,...k,...jk->...ij", projection, known, projection)
    both = inside[..., :, None] & inside[..., None, :]
    return np.where(inside, fitted, np.nan), np.where(both, covariance, np.nan)


def draw(
    mean: ArrayLike,
    variance: ArrayLike,
    signs: ArrayLike,
    shape: tuple[int, ...],
    derived: int,
    rng: np.random.Generator,
) -> Floats:
    """Draw from the exact posterior, one component derived so that closure holds to rounding.

    Independent draws z ~ N(m, V) are projected onto the constraint, x = z - g s'z, which is exactly
    the conditional distribution. Component `derived` is then recomputed from the others.

    Parameters
    ----------
    mean, variance, signs : array_like, shape (..., component)
        As in `solve`.
    shape : tuple of int
        Leading shape of the draws, for example ``(chain, draw)``.
    derived : int
        Position of the component that closure supplies (the atmosphere).
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (*shape, ..., component)
        NaN outside the identity.
    """
    signs = np.asarray(signs, dtype=float)
    inside = signs != 0.0
    mean = np.where(inside, np.asarray(mean, dtype=float), 0.0)
    known = np.where(inside & np.isfinite(variance), np.asarray(variance, dtype=float), 0.0)
    z = mean + np.sqrt(known) * rng.standard_normal((*shape, *signs.shape))
    x = z - gain(variance, signs) * (z * signs).sum(axis=-1, keepdims=True)
    x[..., derived] = 0.0
    x[..., derived] = -signs[..., derived] * (x * signs).sum(axis=-1)
    return np.where(inside, x, np.nan)
