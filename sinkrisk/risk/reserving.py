"""Reserves against losses: what each store must hold alone, what a pool must, and what to add to a stock"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.arguments import checked
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.risk.quantiles import check_probability, cvar, value_at_risk

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reserve:
    """What stores need to cover their losses, by CVaR, in the unit of the losses.

    Parameters
    ----------
    own : ndarray (store,)
        Needed where each store covers its own losses.
    pooled : float
        Needed where one pool covers the sum; at most ``own.sum()``.
    contribution : ndarray (store,)
        Mean loss of each store in the draws that decide the pool's need; sums to `pooled`.
    level : float
    """

    own: Floats
    pooled: float
    contribution: Floats
    level: float

    @property
    def saved(self) -> float:
        """Share of the reserves that pooling saves; 0 where nothing is needed."""
        alone = float(self.own.sum())
        return 1.0 - self.pooled / alone if alone > 0.0 else 0.0


@checked()
def reserve(losses: ArrayLike, level: float = 0.95, *, probability: ArrayLike | None = None) -> Reserve:
    """Return the reserve of every store and of a pool of them.

    Parameters
    ----------
    losses : array_like (draw, store)
        What each store loses in the same draws; any unit, not negative.
    level : float
        In [0, 1): the reserve is the mean of the worst ``1 - level`` of the losses.
    probability : array_like (draw,), optional

    Returns
    -------
    Reserve

    Raises
    ------
    InputError
        For losses that are negative or not finite, or a level out of range.

    Notes
    -----
    CVaR is subadditive (Rockafellar and Uryasev 2002), so a pool never needs more than its members
    together; it needs as much where losses rise and fall together. Contributions are Euler's: the
    pool's tail, a draw at its edge counted in part; where several draws tie at the edge they share it
    equally, so that the order of draws does not matter.

    Examples
    --------
    Two stores that never lose in the same draw:

    >>> found = reserve([[8.0, 0.0], [0.0, 8.0], [0.0, 0.0], [0.0, 0.0]], 0.75)
    >>> found.own, found.pooled, found.contribution, found.saved
    (array([8., 8.]), 8.0, array([4., 4.]), 0.5)
    """
    lost = _amounts(losses, "losses")
    if not 0.0 <= level < 1.0:
        raise InputError(Problem("level outside its range", got=level, allowed="0 <= level < 1"))
    n = len(lost)
    weight = np.full(n, 1.0 / n) if probability is None else check_probability(probability, n)
    total = lost.sum(axis=1)
    pooled = float(cvar(total, level, probability=probability))
    edge = float(value_at_risk(total, level, probability=probability))
    # Rounding of the sums must not part draws that are equal.
    slack = 1e-12 * max(1.0, float(np.abs(total).max()))
    beyond, at = total > edge + slack, np.abs(total - edge) <= slack
    left = max(1.0 - level - float(weight[beyond].sum()), 0.0)
    share = np.where(beyond, weight, 0.0)
    if at.any() and weight[at].sum() > 0.0:
        share[at] = weight[at] * left / float(weight[at].sum())
    contribution = share @ lost / float(share.sum())
    scale = pooled / float(contribution.sum()) if contribution.sum() > 0.0 else 1.0
    return Reserve(
        np.atleast_1d(np.asarray(cvar(lost.T, level, probability=probability))),
        pooled,
        np.asarray(contribution * scale),
        level,
    )


@dataclass(frozen=True)
class AtRisk:
    """What must be added to a stock that may lose part of itself; see `at_risk`.

    Parameters
    ----------
    promised : float
        The amount kept that is guaranteed, in the unit of the amounts.
    mean : float
        Mean gross amount.
    kept : float
        What is kept with probability `level` as things stand.
    factor : float
        Smallest factor, at least 1, on the gross amounts that keeps the promise with probability
        `level`; inf where nothing is kept so surely.
    extra, low, high : float
        ``(factor - 1) * mean`` and its bootstrap interval.
    loss_share : float
        Share of the gross amount that is lost at the level.
    extra_certain, gap_certain : float
        If the gross amount were certain and losses alone varied: ``promised / (1 - loss_share)`` less
        `promised`, and less `mean`. The gap is below 0 where the mean gross amount would do.
    level, interval_mass : float
    """

    promised: float
    mean: float
    kept: float
    factor: float
    extra: float
    low: float
    high: float
    loss_share: float
    extra_certain: float
    gap_certain: float
    level: float
    interval_mass: float


@checked()
def at_risk(
    gross: ArrayLike,
    lost: ArrayLike,
    level: float = 0.95,
    *,
    promised: float | None = None,
    probability: ArrayLike | None = None,
    interval_mass: float = 0.9,
    repeats: int = 200,
    rng: random.RandomSource = None,
) -> AtRisk:
    """Return the extra amount that keeps a promise of what is left after losses.

    Parameters
    ----------
    gross, lost : array_like (draw, store)
        What went into each store and what it lost of it; one unit, ``0 <= lost <= gross``.
    level : float
        In [0, 1): with which probability the promised amount is to be kept.
    promised : float, optional
        The amount kept that is to be guaranteed; the mean of ``gross - lost`` when left out.
    probability : array_like (draw,), optional
    interval_mass : float
        Mass of the interval of the extra amount.
    repeats : int
        Bootstrap resamples of the draws.
    rng : int, Generator or None
        For the bootstrap.

    Returns
    -------
    AtRisk

    Raises
    ------
    InputError
        For amounts that are negative, not finite or of different shapes, losses above the gross
        amount, or a level, mass or number out of range.

    Notes
    -----
    More of the same mix is more of the same in every draw: what goes in is as uncertain as before and
    meets the same shares of loss. With K the amount kept, the smallest factor f with
    ``P(f K >= Q) >= b`` is ``Q / k``, k the largest amount with ``P(K >= k) >= b``. The interval is the
    percentile bootstrap of the draws, weights and all, with the promise worked out anew where it is the
    mean: the error of a finite number of draws, nothing else.

    Examples
    --------
    One store that loses half in one draw of four: at 80 % it has to be 7/4 as large.

    >>> found = at_risk([[1.0]] * 4, [[0.5], [0.0], [0.0], [0.0]], 0.8, rng=1)
    >>> found.promised, found.kept, found.extra
    (0.875, 0.5, 0.75)
    """
    into, out = _amounts(gross, "gross"), _amounts(lost, "lost")
    found = Problems()
    if into.shape != out.shape:
        found.add("gross and lost have different shapes", got=str(out.shape), allowed=str(into.shape))
    elif (out > into * (1.0 + 1e-9) + 1e-12).any():
        found.add("more is lost than went in", got=float((out - into).max()), allowed="lost <= gross")
    if not 0.0 <= level < 1.0:
        found.add("level outside its range", got=level, allowed="0 <= level < 1")
    if not 0.0 < interval_mass < 1.0:
        found.add("interval_mass", got=interval_mass, allowed="0 < mass < 1")
    if repeats < 1:
        found.add("repeats", got=repeats, allowed="a positive integer")
    if promised is not None and not 0.0 <= promised < np.inf:
        found.add("promised", got=promised, allowed="0 or more")
    found.raise_if_any()
    n = len(into)
    weight = np.full(n, 1.0 / n) if probability is None else check_probability(probability, n)
    total = into.sum(axis=1)
    left = np.clip(total - out.sum(axis=1), 0.0, None)
    mean = float(weight @ total)
    due = float(weight @ left) if promised is None else promised
    kept = float(value_at_risk(left, level, direction="low_is_bad", probability=weight))
    factor = _factor(due, kept)
    some = total > 0.0
    share = np.where(some, out.sum(axis=1), 0.0) / np.where(some, total, 1.0)
    at = min(float(value_at_risk(share, level, probability=weight)), 1.0)
    needed = due / (1.0 - at) if at < 1.0 else (np.inf if due > 0.0 else 0.0)
    generator, extras = random.generator(rng), np.empty(repeats)
    for k in range(repeats):
        # Draws are resampled alike and keep their weights: a few heavy ones are no more than a few draws.
        order = generator.integers(n, size=n)
        held = weight[order]
        if held.sum() <= 0.0:
            order, held = np.arange(n), weight
        each = held / held.sum()
        again, into_again = left[order], float(each @ total[order])
        sure = float(value_at_risk(again, level, direction="low_is_bad", probability=each))
        extras[k] = _extra(_factor(float(each @ again) if promised is None else due, sure), into_again)
    extras.sort()
    edges = np.array([(1.0 - interval_mass) / 2.0, (1.0 + interval_mass) / 2.0])
    # Order statistics, not interpolated: an infinite extra has no neighbour to be mixed with.
    low, high = extras[np.clip(np.ceil(edges * repeats).astype(int) - 1, 0, repeats - 1)]
    return AtRisk(
        due, mean, kept, factor, _extra(factor, mean), float(low), float(high), at, needed - due,
        needed - mean, level, interval_mass,
    )  # fmt: skip


def _factor(due: float, kept: float) -> float:
    if due <= kept:
        return 1.0
    return due / kept if kept > 0.0 else np.inf


def _extra(factor: float, mean: float) -> float:
    return (factor - 1.0) * mean if factor > 1.0 else 0.0


def _amounts(values: ArrayLike, name: str) -> Floats:
    data = np.asarray(values, dtype=float)
    if data.ndim != 2 or 0 in data.shape:
        raise InputError(Problem(name, got=str(data.shape), allowed="(draw, store), none of them empty"))
    if not np.isfinite(data).all() or (data < 0.0).any():
        raise InputError(Problem(f"{name} are not amounts", allowed="finite numbers, 0 or more"))
    return data
