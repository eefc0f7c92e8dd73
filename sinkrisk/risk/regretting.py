"""Regret: what a choice turns out to have cost against the best one of the same draw"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk.arguments import checked
from sinkrisk.errors import InputError, Problem
from sinkrisk.risk.information import checked_values
from sinkrisk.risk.quantiles import cvar

Floats = NDArray[np.float64]


@checked()
def regrets(values: ArrayLike) -> Floats:
    """Return the regret of every alternative in every draw.

    Parameters
    ----------
    values : array_like (draw, alternative)
        Net benefit, more is better.

    Returns
    -------
    ndarray (draw, alternative)
        The draw's best less the alternative's value, at least 0, in the unit of `values` (Savage 1951).

    Raises
    ------
    InputError
        For values that are not finite numbers (draw, alternative).

    Examples
    --------
    >>> regrets([[3.0, 1.0], [0.0, 5.0]])
    array([[0., 2.],
           [5., 0.]])
    """
    data, _ = checked_values(values, None)
    return np.asarray(data.max(axis=1, keepdims=True) - data)


@checked()
def expected_regret(
    values: ArrayLike, *, level: float | None = None, probability: ArrayLike | None = None
) -> Floats:
    """Return the mean regret of every alternative, or the mean of its worst share.

    Parameters
    ----------
    values : array_like (draw, alternative)
        Net benefit, more is better.
    level : float, optional
        In [0, 1): CVaR of the regret at this level instead of its mean.
    probability : array_like (draw,), optional
        Probability of each draw; equal when left out.

    Returns
    -------
    ndarray (alternative,)
        In the unit of `values`. The least mean regret is the value of perfect information.

    Raises
    ------
    InputError
        As `regrets`, or for a level out of range or bad probabilities.

    Examples
    --------
    >>> expected_regret([[3.0, 1.0], [0.0, 5.0]])
    array([2.5, 1. ])
    """
    if level is not None and not 0.0 <= level < 1.0:
        raise InputError(Problem("level outside its range", got=level, allowed="0 <= level < 1"))
    _, weight = checked_values(values, probability)
    missed = regrets(values)
    if level is None:
        return np.asarray(weight @ missed)
    return np.asarray(cvar(missed.T, level, probability=probability))
