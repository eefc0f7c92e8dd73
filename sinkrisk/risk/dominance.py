"""First- and second-order stochastic dominance: between two sets of draws, and among many alternatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk.arguments import checked
from sinkrisk.errors import InputError, Problem
from sinkrisk.risk.quantiles import PROBABILITY_SLACK, check_draws, check_probability


def _cumulative(
    x: NDArray[np.float64], weight: NDArray[np.float64] | None, grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return F(grid), the probability of a draw at or below each grid point."""
    order = np.argsort(x, kind="stable")
    count = np.searchsorted(x[order], grid, side="right")
    if weight is None:
        return np.asarray(count / x.size)
    return np.concatenate([[0.0], np.cumsum(weight[order])])[count]


@checked()
def dominates(
    a: ArrayLike,
    b: ArrayLike,
    order: int,
    *,
    direction: str = "low_is_bad",
    probability: ArrayLike | None = None,
    other_probability: ArrayLike | None = None,
) -> bool:
    """Return whether `a` stochastically dominates `b`.

    Parameters
    ----------
    a, b : array_like, (draw,)
        Draws of the two alternatives in the same unit; the numbers of draws may differ.
    order : {1, 2}
        1: every decision maker who prefers more prefers `a`.
        2: every such decision maker who also dislikes risk prefers `a`.
    direction : {"low_is_bad", "high_is_bad"}
        "low_is_bad": more is better (a removal); "high_is_bad": less is better (a cost).
    probability : array_like, (draw,), optional
        Probabilities of the draws of `a`, and of `b` where `other_probability` is left out and the
        two have equally many draws.
    other_probability : array_like, (draw,), optional
        Probabilities of the draws of `b`.

    Returns
    -------
    bool
        True only where `a` is somewhere strictly better: nothing dominates its equal.

    Raises
    ------
    InputError
        For another order or direction, no draws, NaN, infinite draws, or bad probabilities.

    Notes
    -----
    First order: ``F_a(x) <= F_b(x)`` for all x. Second order: the integral of ``F_b - F_a`` up to
    x is not negative for any x (Hadar and Russell 1969). Both are checked at every draw of either,
    where step functions and their integrals take their extremes.

    Examples
    --------
    >>> dominates([2.0, 3.0], [1.0, 3.0], 1)
    True
    >>> dominates([2.0, 2.0], [1.0, 3.0], 1), dominates([2.0, 2.0], [1.0, 3.0], 2)
    (False, True)
    """
    if order not in (1, 2):
        raise InputError(Problem("unknown order of dominance", got=order, allowed="1 or 2"))
    if direction not in ("low_is_bad", "high_is_bad"):
        raise InputError(Problem("unknown direction", got=direction, allowed=["low_is_bad", "high_is_bad"]))
    if other_probability is None and probability is not None and np.size(b) == np.size(a):
        other_probability = probability
    first, first_weight = check_draws(a, probability)
    second, second_weight = check_draws(b, other_probability)
    for name, values in (("a", first), ("b", second)):
        if values.ndim != 1 or not np.isfinite(values).all():
            raise InputError(Problem(f"'{name}' is not one axis of finite draws", got=str(values.shape)))
    sign = 1.0 if direction == "low_is_bad" else -1.0
    first, second = sign * first, sign * second
    grid = np.unique(np.concatenate([first, second]))
    gap = _cumulative(second, second_weight, grid) - _cumulative(first, first_weight, grid)
    if (gap >= -PROBABILITY_SLACK).all() and (gap > PROBABILITY_SLACK).any():
        return True
    if order == 1:
        return False
    integral = np.cumsum(gap[:-1] * np.diff(grid))
    slack = PROBABILITY_SLACK * float(grid[-1] - grid[0])
    return bool((integral >= -slack).all() and (integral > slack).any())


@checked()
def dominance_matrix(
    values: ArrayLike,
    order: int,
    *,
    direction: str = "low_is_bad",
    probability: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Return which alternatives stochastically dominate which.

    Parameters
    ----------
    values : array_like, (draw, alternative)
        In one unit.
    order, direction, probability
        As in `dominates`.

    Returns
    -------
    ndarray of bool, (alternative, other)
        True where the alternative dominates the other; the diagonal is False.

    Raises
    ------
    InputError
        As `dominates`.

    Notes
    -----
    With equally probable draws one sort per alternative is enough: first order compares sorted draws,
    second order their running sums (Levy 2016, Stochastic Dominance, chapter 5).

    Examples
    --------
    >>> dominance_matrix([[2.0, 1.0], [2.0, 3.0]], 2)
    array([[False,  True],
           [False, False]])
    """
    if order not in (1, 2):
        raise InputError(Problem("unknown order of dominance", got=order, allowed="1 or 2"))
    if direction not in ("low_is_bad", "high_is_bad"):
        raise InputError(Problem("unknown direction", got=direction, allowed=["low_is_bad", "high_is_bad"]))
    data = np.asarray(values, dtype=float)
    if data.ndim != 2 or 0 in data.shape or not np.isfinite(data).all():
        raise InputError(Problem("values are not finite numbers (draw, alternative)", got=str(data.shape)))
    count = data.shape[1]
    out = np.zeros((count, count), dtype=bool)
    if probability is not None and np.ptp(check_probability(probability, len(data))) > 0.0:
        for a in range(count):
            for b in range(count):
                if a != b:
                    out[a, b] = dominates(
                        data[:, a], data[:, b], order, direction=direction, probability=probability
                    )
        return out
    rising = np.sort(data if direction == "low_is_bad" else -data, axis=0)
    if order == 2:
        rising = np.cumsum(rising, axis=0)
    # Sums of equal draws in another order may differ by rounding; sorted draws never do.
    slack = 0.0 if order == 1 else PROBABILITY_SLACK * len(data) * float(np.ptp(data) + np.abs(data).max())
    for a in range(count):
        gap = rising[:, [a]] - rising
        out[a] = (gap >= -slack).all(axis=0) & (gap > slack).any(axis=0)
    return out
