"""Value at risk, conditional value at risk and weighted quantiles of draws.

The draws lie on the last axis. `direction` says which end is bad; results stay in the sign and
unit of `x`: the CVaR of a cost is a high cost, the CVaR of a removal is a low removal.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk.arguments import checked
from sinkrisk.errors import InputError, Problem

Direction = Literal["high_is_bad", "low_is_bad"]

PROBABILITY_SLACK = 1e-12
"""Rounding allowed where a sum of probabilities is compared with a level: ten times .1 is not 1."""

RESCALE = "where some of the draws were taken: data['probability'] /= data['probability'].sum()"
"""How draws taken out of a set are mended: their probabilities no longer sum to 1."""

Floats = NDArray[np.float64]


def _check(
    x: ArrayLike, level: float, direction: str, probability: ArrayLike | None
) -> tuple[Floats, Floats | None]:
    if direction not in get_args(Direction):
        raise InputError(Problem("unknown direction", got=direction, allowed=get_args(Direction)))
    if not 0.0 <= level < 1.0:
        raise InputError(Problem("level outside its range", got=level, allowed="0 <= level < 1"))
    return check_draws(x, probability)


def check_draws(x: ArrayLike, probability: ArrayLike | None) -> tuple[Floats, Floats | None]:
    """Return draws and their probabilities (None where equal) as float arrays.

    Raises
    ------
    InputError
        No draw, a NaN, or probabilities that are negative, of another length, or do not sum to 1.
    """
    values = np.asarray(x, dtype=float)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise InputError(Problem("no draws", got=f"shape {values.shape}", allowed="draws on the last axis"))
    if np.isnan(values).any():
        raise InputError(
            Problem("NaN among the draws", got=f"{int(np.isnan(values).sum())} of {values.size}")
        )
    return values, None if probability is None else check_probability(probability, values.shape[-1])


def check_probability(probability: ArrayLike, draws: int) -> Floats:
    """Return probabilities of `draws` draws as a float array that sums to exactly 1 up to rounding.

    Raises
    ------
    InputError
        For another length, a negative or NaN entry, or a sum off 1 by more than 1e-6.
    """
    weight = np.asarray(probability, dtype=float)
    if weight.shape != (draws,):
        raise InputError(
            Problem(
                "probability has another length",
                got=str(weight.shape),
                allowed=f"({draws},)",
                key="probability",
            )
        )
    if not np.all(weight >= 0.0):
        raise InputError(Problem("probability negative or NaN", got=float(weight.min())))
    total = float(weight.sum())
    if abs(total - 1.0) > 1e-6:
        raise InputError(Problem("probabilities do not sum to 1", got=total, key="probability", hint=RESCALE))
    return np.asarray(weight / total)


def _slack(draws: int) -> float:
    """Return the rounding allowed in a sum of the probabilities of so many draws."""
    return max(PROBABILITY_SLACK, draws * float(np.finfo(float).eps))


def _sorted(loss: Floats, weight: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Return losses in rising order, the probability of each, and the cumulative probability."""
    n = loss.shape[-1]
    if weight is None:
        ordered = np.sort(loss, axis=-1)
        each = np.full(n, 1.0 / n)
        # Not a cumulative sum: k / n is exact where adding 1 / n k times is not.
        return ordered, each, np.arange(1, n + 1) / n
    order = np.argsort(loss, axis=-1, kind="stable")
    each = weight[order]
    return np.take_along_axis(loss, order, axis=-1), each, np.cumsum(each, axis=-1)


def _value_at_risk(loss: Floats, level: float, weight: Floats | None) -> Floats:
    ordered, each, cumulative = _sorted(loss, weight)
    # A draw of probability zero is no value of the distribution, even at level 0.
    reached = (cumulative >= level - _slack(loss.shape[-1])) & (each > 0.0)
    index = np.broadcast_to(np.argmax(reached, axis=-1), ordered.shape[:-1])
    return np.asarray(np.take_along_axis(ordered, index[..., None], axis=-1)[..., 0])


def _number_or_array(values: Floats) -> float | Floats:
    return float(values) if values.ndim == 0 else values


@checked()
def value_at_risk(
    x: ArrayLike,
    level: float,
    *,
    direction: Direction = "high_is_bad",
    probability: ArrayLike | None = None,
) -> float | Floats:
    """Return the value at risk: the smallest loss l with ``P(L <= l) >= level``.

    Parameters
    ----------
    x : array_like, (..., draw)
        Draws of the quantity on the last axis, any unit.
    level : float
        In [0, 1); 0.95 looks at the worst 5 %.
    direction : {"high_is_bad", "low_is_bad"}
        With "low_is_bad" the loss is ``-x``, and the result is turned back into the sign of `x`.
    probability : array_like, (draw,), optional
        Probability of each draw; equal when left out.

    Returns
    -------
    float or ndarray
        One of the draws, in the unit of `x`; an array where `x` has leading axes.

    Raises
    ------
    InputError
        For no draws, NaN, a level or direction out of range, or bad probabilities.

    Notes
    -----
    ``VaR_b = inf{l : F(l) >= b}``, Rockafellar and Uryasev (2002).

    Examples
    --------
    >>> value_at_risk([0.0, 10.0, 50.0, 200.0], 0.9, probability=[0.5, 0.3, 0.15, 0.05])
    50.0
    >>> value_at_risk([1.0, 2.0, 3.0, 4.0], 0.75, direction="low_is_bad")
    2.0
    """
    values, weight = _check(x, level, direction, probability)
    sign = -1.0 if direction == "low_is_bad" else 1.0
    return _number_or_array(sign * _value_at_risk(sign * values, level, weight) + 0.0)


@checked()
def cvar(
    x: ArrayLike,
    level: float,
    *,
    direction: Direction = "high_is_bad",
    probability: ArrayLike | None = None,
) -> float | Floats:
    """Return the conditional value at risk: the mean of the worst ``1 - level`` of probability.

    Parameters
    ----------
    x, level, direction, probability
        As in `value_at_risk`; level 0 gives the mean.

    Returns
    -------
    float or ndarray
        In the sign and unit of `x`.

    Raises
    ------
    InputError
        As in `value_at_risk`.

    Notes
    -----
    ``CVaR_b = min_t t + E[(L - t)+] / (1 - b)``. A draw whose probability straddles the level is
    split: only the part beyond the level counts (Rockafellar and Uryasev 2002), so the result is
    coherent for discrete draws as well.

    Examples
    --------
    >>> cvar([0.0, 10.0, 50.0, 200.0], 0.8, probability=[0.5, 0.3, 0.15, 0.05])
    87.5
    """
    values, weight = _check(x, level, direction, probability)
    sign = -1.0 if direction == "low_is_bad" else 1.0
    ordered, each, cumulative = _sorted(sign * values, weight)
    beyond = np.clip(cumulative - level, 0.0, each)
    total = beyond.sum(axis=-1)
    # Subtracting the value at risk first keeps CVaR >= VaR exactly and equal draws exact.
    anchor = _value_at_risk(sign * values, level, weight)
    excess = np.where(beyond > 0.0, np.maximum(ordered - anchor[..., None], 0.0), 0.0)
    return _number_or_array(sign * (anchor + (beyond * excess).sum(axis=-1) / total) + 0.0)


def _at_steps(ordered: Floats, low: NDArray[np.intp], high: NDArray[np.intp]) -> Floats:
    """Return the middle of two order statistics on the last axis; of one with itself, exactly that."""
    return np.asarray(0.5 * ordered[..., low] + 0.5 * ordered[..., high])


@checked()
def quantile(x: ArrayLike, mass: ArrayLike, *, probability: ArrayLike | None = None) -> Floats:
    """Return quantiles of the distribution that puts its probability on each draw.

    Parameters
    ----------
    x : array_like, (..., draw)
    mass : array_like
        Probabilities in [0, 1], scalar or one axis.
    probability : array_like, (draw,), optional
        Probability of each draw; equal when left out.

    Returns
    -------
    ndarray, (...,) + mass.shape
        The smallest draw l with ``F(l) >= mass``; where a step of F ends just there, the middle of this
        draw and the next (type 2 of Hyndman and Fan 1996). So a draw of probability k / n counts as k of
        n equal draws, one of probability zero does not exist, and turning signs turns the quantiles.

    Raises
    ------
    InputError
        For no draws, NaN, a mass outside [0, 1] or bad probabilities.

    Examples
    --------
    >>> quantile([1.0, 2.0, 3.0, 4.0], [0.25, 0.5])
    array([1.5, 2.5])
    >>> quantile([1.0, 2.0, 7.0], 0.5, probability=[0.25, 0.25, 0.5])
    array(4.5)
    """
    values, weight = check_draws(x, probability)
    wanted = np.asarray(mass, dtype=float)
    if not np.all((wanted >= 0.0) & (wanted <= 1.0)):
        raise InputError(Problem("quantile outside its range", got=wanted.tolist(), allowed="0 .. 1"))
    slack = _slack(values.shape[-1])
    below, above = wanted.ravel() - slack, wanted.ravel() + slack
    if weight is None:
        n = values.shape[-1]
        low = np.clip(np.ceil(n * below) - 1.0, 0.0, n - 1.0).astype(np.intp)
        high = np.clip(np.floor(n * above), 0.0, n - 1.0).astype(np.intp)
        ordered = np.partition(values, np.union1d(low, high), axis=-1)
        return _at_steps(ordered, low, high).reshape(values.shape[:-1] + wanted.shape)
    flat = values.reshape(-1, values.shape[-1])[:, weight > 0.0]
    each = weight[weight > 0.0]
    out = np.empty((flat.shape[0], wanted.size))
    for i, row in enumerate(flat):
        order = np.argsort(row, kind="stable")
        cumulative = np.cumsum(each[order])
        last = len(order) - 1
        low = np.minimum(np.searchsorted(cumulative, below, side="left"), last)
        high = np.minimum(np.searchsorted(cumulative, above, side="right"), last)
        out[i] = _at_steps(row[order], low, high)
    return out.reshape(values.shape[:-1] + wanted.shape)
