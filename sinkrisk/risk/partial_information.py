"""What it is worth to learn one driver before choosing: regression of the net benefit on the driver

The conditional expectation of every alternative's net benefit given the driver is estimated by least
squares, the best alternative is chosen by it, and the gain over choosing without it is its value
(Strong, Oakley and Brennan 2014, Medical Decision Making 34(3); models.md 3.4). `features` says which
functions of the driver enter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from sinkrisk import rng as random
from sinkrisk.arguments import Holding, checked
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.risk.features import block_features, spline_features, state_features
from sinkrisk.risk.information import FOLDS, checked_values, perfect_gain

Floats = NDArray[np.float64]
Kind = Literal["scalar", "states", "block"]

PERMUTATIONS = 100
FLEXIBILITY = 6
"""Spline functions of a scalar driver, the constant apart: a few, as noise is fitted by each."""

MOST_STATES = 50
"""More integer values than this are no states but a row index or a count, and are refused."""

RIDGES: tuple[float, ...] = (1e-8, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Penalties tried, relative to the variance of the features; leave-one-out error chooses."""


@dataclass(frozen=True)
class PartialInformation:
    """Value of learning a driver before choosing, in the unit of the values.

    Parameters
    ----------
    plug_in : float
        Choice and evaluation on the same fit: biased up.
    cross_fitted : float
        Choice by a fit to other draws, evaluation on the draws left out: biased down, below nought
        where the fit misleads. The two are a bracket.
    mc_error : float
        Standard error of `cross_fitted`.
    floor : float
        Largest plug-in value of the driver shuffled: what a driver that does nothing seems to be
        worth. Act only above it.
    perfect : float
        Value of perfect information, which no driver can exceed.
    kind : str
        How the driver was read: "scalar", "states" or "block".
    features : int
        Functions of the driver that entered the regression, the constant apart.
    """

    plug_in: float
    cross_fitted: float
    mc_error: float
    floor: float
    perfect: float
    kind: str
    features: int

    @property
    def acts(self) -> bool:
        """Whether learning the driver changes the choice by more than chance would."""
        return self.plug_in > self.floor and self.cross_fitted > 0.0


def bracket(
    cross_fitted: float, plug_in: float, mc_error: float, *, level: float = 0.9
) -> tuple[float, float, bool]:
    """Return the two estimates of a value of learning as a range that allows for chance.

    Parameters
    ----------
    cross_fitted, plug_in, mc_error : float
        See `PartialInformation`.
    level : float
        Mass of the normal interval by which both ends are moved outwards.

    Returns
    -------
    low, high : float
        ``cross_fitted - z mc_error`` and ``plug_in + z mc_error``; below nought too, where chance allows
        it, though no knowledge is worth less than nothing.
    crossed : bool
        Whether the estimate that is biased down lies above the one biased up: then both are within
        chance of each other and what lies between them is no bracket.

    Examples
    --------
    >>> low, high, crossed = bracket(12.0, 10.0, 2.0)
    >>> round(low, 2), round(high, 2), crossed
    (8.71, 13.29, True)
    """
    reach = float(ndtri(0.5 + level / 2.0)) * mc_error
    return cross_fitted - reach, plug_in + reach, cross_fitted > plug_in


@checked(driver=Holding(kind="labels"))
def evppi(
    values: ArrayLike,
    driver: ArrayLike,
    *,
    kind: Kind | None = None,
    probability: ArrayLike | None = None,
    folds: int = FOLDS,
    permutations: int = PERMUTATIONS,
    flexibility: int = FLEXIBILITY,
    rng: random.RandomSource = None,
) -> PartialInformation:
    """Return the expected value of partial perfect information on one driver.

    Parameters
    ----------
    values : array_like (draw, alternative)
        Net benefit, more is better.
    driver : array_like (draw,) or (draw, variable)
        The driver in the same draws. One axis of real numbers is a scalar; whole numbers, truth
        values or words are states; two axes are a correlated block, given by the VALUES of its
        variables: the number of the draw it picks says nothing a regression could use.
    kind : {"scalar", "states", "block"}, optional
        Told from the driver when left out.
    probability : array_like (draw,), optional
        Probability of each draw.
    folds : int
        Parts of the draws, each left out once for `PartialInformation.cross_fitted`.
    permutations : int
        Shuffles of the driver behind `PartialInformation.floor`: a driver that does nothing exceeds
        it with probability ``1 / (permutations + 1)`` at most.
    flexibility : int
        Spline functions of a scalar driver, 3 or more (3 is a cubic); a block takes as many of
        each principal component.
    rng : int, Generator or None
        Makes folds and shuffles.

    Returns
    -------
    PartialInformation

    Raises
    ------
    InputError
        For values or drivers that are not finite, of different lengths, more than 50 states, or
        numbers out of range.

    Notes
    -----
    ``EVPPI = E[max_d E[B_d | X]] - max_d E[B_d]``. Scalars: a cubic spline with knots at quantiles.
    States: means per state. Blocks: ridge regression on splines of the principal components that hold
    99 % of the variance, its penalty chosen by leave-one-out error.

    Examples
    --------
    Two alternatives, one worth x, the other nothing: EVPPI = E[max(x, 0)] = 1 / sqrt(2 pi).

    >>> x = np.random.default_rng(1).standard_normal(4000)
    >>> found = evppi(np.stack([x, 0.0 * x], axis=1), x, rng=1)
    >>> print(f"{found.plug_in:.2f}", found.acts, found.kind)
    0.39 True scalar
    """
    data, weight = checked_values(values, probability)
    raw, read = _checked_driver(driver, kind, len(data))
    problems = Problems()
    if not 2 <= folds <= len(data):
        problems.add("folds", got=folds, allowed=f"2 to {len(data)}")
    if permutations < 1:
        problems.add("permutations", got=permutations, allowed="a positive integer")
    if flexibility < 3:
        problems.add("flexibility", got=flexibility, allowed="3 or more")
    problems.raise_if_any()
    generator = random.generator(rng)
    features = _features(raw, read, flexibility)
    fold = generator.permutation(np.arange(len(data)) % folds)
    # The choice without knowing is made on all draws: it can only look better for it, so that what
    # is left for the driver stays biased down.
    overall = int(np.argmax(weight @ data))
    gain = np.zeros(len(data))
    for number in range(folds):
        held = fold == number
        predict = _fit(features[~held], data[~held], weight[~held], read)
        rows = np.flatnonzero(held)
        gain[rows] = data[rows, predict(features[held]).argmax(axis=1)] - data[rows, overall]
    crossed = float(weight @ gain)
    shuffled = [
        _plug_in(features[generator.permutation(len(data))], data, weight, read) for _ in range(permutations)
    ]
    return PartialInformation(
        plug_in=_plug_in(features, data, weight, read),
        cross_fitted=crossed,
        mc_error=float(np.sqrt(np.sum(weight**2 * (gain - crossed) ** 2))),
        floor=float(max(shuffled)),
        perfect=perfect_gain(data, weight),
        kind=read,
        features=features.shape[1],
    )


def _features(raw: NDArray[np.generic], kind: Kind, flexibility: int) -> Floats:
    if kind == "states":
        return state_features(raw)
    if kind == "scalar":
        return spline_features(np.asarray(raw, dtype=float), flexibility)
    return block_features(np.asarray(raw, dtype=float), flexibility)


def _plug_in(features: Floats, data: Floats, weight: Floats, kind: Kind) -> float:
    if features.shape[1] == 0:
        return 0.0
    fitted = _fit(features, data, weight, kind)(features)
    return max(float(weight @ fitted.max(axis=1) - (weight @ fitted).max()), 0.0)


def _fit(features: Floats, data: Floats, weight: Floats, kind: Kind) -> Callable[[Floats], Floats]:
    """Return the weighted least-squares fit as a function of features, a constant included."""
    share = weight / weight.sum() if weight.sum() > 0.0 else np.full(len(data), 1.0 / len(data))
    centre, level = share @ features, share @ data
    x, y = features - centre, data - level
    gram, moment = (x * share[:, None]).T @ x, (x * share[:, None]).T @ y
    roots, axes = np.linalg.eigh(gram)
    largest = max(float(roots[-1]), 0.0) if roots.size else 0.0
    if largest == 0.0:
        return lambda new: np.broadcast_to(level, (len(new), len(level)))
    roots = np.maximum(roots, 0.0)
    along = axes.T @ moment
    if kind == "block":
        ridge = _best_ridge(x @ axes, y, share, roots, along, largest)
    else:
        # Next to nothing: only so that features that repeat each other do no harm.
        ridge = np.full(y.shape[1], 1e-10 * largest)
    coefficients = axes @ (along / (roots[:, None] + ridge))
    return lambda new: np.asarray((new - centre) @ coefficients + level)


def _best_ridge(
    rotated: Floats, y: Floats, share: Floats, roots: Floats, along: Floats, largest: float
) -> Floats:
    """Return each alternative's penalty with the least leave-one-out error, (alternative,)."""
    squared = rotated**2
    errors = []
    for relative in RIDGES:
        scaled = 1.0 / (roots + relative * largest)
        leverage = share * (1.0 + squared @ scaled)
        residual = (y - rotated @ (along * scaled[:, None])) / np.maximum(1.0 - leverage, 1e-6)[:, None]
        errors.append(share @ residual**2)
    return np.asarray(RIDGES)[np.argmin(errors, axis=0)] * largest


def _checked_driver(driver: ArrayLike, kind: Kind | None, draws: int) -> tuple[NDArray[np.generic], Kind]:
    raw = np.asarray(driver)
    if kind is not None and kind not in get_args(Kind):
        raise InputError(Problem("unknown kind of driver", got=kind, allowed=get_args(Kind)))
    if raw.ndim not in (1, 2) or raw.shape[0] != draws or 0 in raw.shape:
        raise InputError(
            Problem("driver", got=str(raw.shape), allowed=f"({draws},) or ({draws}, variable), not empty")
        )
    numeric = np.issubdtype(raw.dtype, np.number) or raw.dtype == np.bool_
    if numeric and not np.isfinite(raw.astype(float)).all():
        row = int(np.argwhere(~np.isfinite(raw.astype(float)))[0, 0])
        raise InputError(Problem("driver is not finite", got=f"draw {row}", allowed="finite numbers"))
    if kind is None:
        whole = not np.issubdtype(raw.dtype, np.floating)
        kind = "block" if raw.ndim == 2 else "states" if whole else "scalar"
    if kind != "states" and not numeric:
        raise InputError(Problem(f"a {kind} driver must be numbers", got=str(raw.dtype)))
    if (kind == "block") != (raw.ndim == 2):
        raise InputError(Problem(f"a {kind} driver has the wrong number of axes", got=str(raw.shape)))
    if kind == "states" and np.unique(raw).size > MOST_STATES:
        raise InputError(
            Problem(
                "too many states",
                got=int(np.unique(raw).size),
                allowed=f"at most {MOST_STATES}",
                hint="give a block by the values of its variables, (draw, variable), not by the row it picks",
            )
        )
    return raw, kind
