"""What it is worth to know before choosing: values of perfect and of partial information.

Raiffa and Schlaifer (1961), Applied Statistical Decision Theory; the estimators for states, and why
one of them is biased up and the other down, follow Strong, Oakley and Brennan (2014, Medical
Decision Making 34(3)) with group means in place of a regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.arguments import checked
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.risk.quantiles import check_probability

Floats = NDArray[np.float64]

FOLDS = 8
PERMUTATIONS = 100
FLOOR_LEVEL = 0.95


@checked()
def evpi(values: ArrayLike, *, probability: ArrayLike | None = None) -> float:
    """Return the expected value of perfect information.

    Parameters
    ----------
    values : array_like (draw, alternative)
        Net benefit, more is better.
    probability : array_like (draw,), optional

    Returns
    -------
    float
        Mean of each draw's best, less the best mean; in the unit of `values`.

    Raises
    ------
    InputError
        For values that are not finite numbers (draw, alternative).

    Examples
    --------
    Two alternatives that are best in one draw each:

    >>> evpi([[1.0, 0.0], [0.0, 1.0]])
    0.5
    """
    data, weight = checked_values(values, probability)
    return perfect_gain(data, weight)


def perfect_gain(data: Floats, weight: Floats) -> float:
    """Return the mean of each draw's best less the best mean, at least 0 for all that rounding says."""
    return max(float(weight @ data.max(axis=1) - (weight @ data).max()), 0.0)


@dataclass(frozen=True)
class StateInformation:
    """Value of knowing a state before choosing, in the unit of the values.

    Parameters
    ----------
    plug_in : float
        Choice and evaluation on the same draws: biased up.
    cross_fitted : float
        Choice on some draws, evaluation on others: biased down, and below nought where the draws do
        not tell the states' best alternatives apart.
    mc_error : float
        Standard error of `cross_fitted`.
    floor : float
        95 % quantile of `plug_in` with the states shuffled: what knowing nothing seems to be worth.
    perfect : float
        Value of perfect information, which no state can exceed.
    """

    plug_in: float
    cross_fitted: float
    mc_error: float
    floor: float
    perfect: float

    @property
    def acts(self) -> bool:
        """Whether knowing the state changes the choice by more than chance would."""
        return self.plug_in > self.floor and self.cross_fitted > 0.0


@checked()
def evppi_states(
    values: ArrayLike,
    states: ArrayLike,
    *,
    probability: ArrayLike | None = None,
    folds: int = FOLDS,
    permutations: int = PERMUTATIONS,
    rng: random.RandomSource = None,
) -> StateInformation:
    """Return the value of learning a discrete state before choosing.

    Parameters
    ----------
    values : array_like (draw, alternative)
        Net benefit, more is better.
    states : array_like of int (draw,)
    probability : array_like (draw,), optional
    folds, permutations : int
    rng : int, Generator or None
        Shuffles folds and states.

    Returns
    -------
    StateInformation

    Raises
    ------
    InputError
        For states of another length, fewer than two folds, more folds than draws.

    Examples
    --------
    A state that decides which of two alternatives is worth one, the other nothing:

    >>> states = np.arange(1000) % 2
    >>> values = np.stack([states, 1 - states], axis=1)
    >>> found = evppi_states(values, states, rng=1)
    >>> print(round(found.plug_in, 9), round(found.cross_fitted, 9), round(found.perfect, 9))
    0.5 0.5 0.5
    >>> found.acts
    True
    """
    data, weight = checked_values(values, probability)
    codes = np.asarray(states)
    problems = Problems()
    if codes.shape != (len(data),) or not np.issubdtype(codes.dtype, np.integer):
        problems.add("states", got=f"{codes.dtype} {codes.shape}", allowed=f"integers ({len(data)},)")
    if not 2 <= folds <= len(data):
        problems.add("folds", got=folds, allowed=f"2 to {len(data)}")
    if permutations < 1:
        problems.add("permutations", got=permutations, allowed="a positive integer")
    problems.raise_if_any()
    generator = random.generator(rng)
    _, groups = np.unique(codes, return_inverse=True)
    fold = generator.permutation(np.arange(len(data)) % folds)
    # The choice without knowing is made on all draws: it can only look better for it, so that what
    # is left for the state stays biased down.
    overall = int(np.argmax(weight @ data))
    gain = np.zeros(len(data))
    for number in range(folds):
        held = fold == number
        means = _group_means(data[~held], weight[~held], groups[~held], int(groups.max()) + 1)
        rows = np.flatnonzero(held)
        gain[rows] = data[rows, means.argmax(axis=1)[groups[rows]]] - data[rows, overall]
    crossed = float(weight @ gain)
    error = float(np.sqrt(np.sum(weight**2 * (gain - crossed) ** 2)))
    shuffled = [_plug_in(data, weight, generator.permutation(groups)) for _ in range(permutations)]
    return StateInformation(
        _plug_in(data, weight, groups),
        crossed,
        error,
        float(np.quantile(shuffled, FLOOR_LEVEL)),
        perfect_gain(data, weight),
    )


def _plug_in(data: Floats, weight: Floats, groups: NDArray[np.intp]) -> float:
    sums = _group_sums(data, weight, groups, int(groups.max()) + 1)
    return max(float(sums.max(axis=1).sum() - (weight @ data).max()), 0.0)


def _group_sums(data: Floats, weight: Floats, groups: NDArray[np.intp], count: int) -> Floats:
    return np.stack(
        [np.bincount(groups, weight * data[:, k], minlength=count) for k in range(data.shape[1])], axis=1
    )


def _group_means(data: Floats, weight: Floats, groups: NDArray[np.intp], count: int) -> Floats:
    """Means per group; a group without draws takes the mean of all."""
    total = np.bincount(groups, weight, minlength=count)[:, None]
    sums = _group_sums(data, weight, groups, count)
    return np.where(total > 0.0, sums / np.where(total > 0.0, total, 1.0), weight @ data / weight.sum())


def checked_values(values: ArrayLike, probability: ArrayLike | None) -> tuple[Floats, Floats]:
    """Return values (draw, alternative) and probabilities (draw,) as float arrays, or raise."""
    data = np.asarray(values, dtype=float)
    if data.ndim != 2 or 0 in data.shape:
        raise InputError(Problem("values", got=data.shape, allowed="(draw, alternative), none of them empty"))
    if not np.all(np.isfinite(data)):
        row = int(np.argwhere(~np.isfinite(data))[0, 0])
        raise InputError(Problem("values are not finite", got=f"draw {row}", allowed="finite numbers"))
    if probability is None:
        return data, np.full(len(data), 1.0 / len(data))
    return data, check_probability(probability, len(data))
