"""Reserves against losses: what each store must hold alone, what a pool must, and what to add to a stock"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
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
    extra : float
        In the unit of the amounts; inf where everything may be lost.
    extra_decoupled : float
        The same if the stores lost their shares independently of one another.
    loss_share, loss_share_decoupled : float
        Share of the gross amount lost at the level.
    promised : float
        The amount guaranteed.
    level : float
    """

    extra: float
    extra_decoupled: float
    loss_share: float
    loss_share_decoupled: float
    promised: float
    level: float


def at_risk(
    gross: ArrayLike,
    lost: ArrayLike,
    level: float = 0.95,
    *,
    promised: float | None = None,
    probability: ArrayLike | None = None,
    repeats: int = 16,
    rng: random.RandomSource = None,
) -> AtRisk:
    """Return the extra amount that guarantees what is kept, with and without what stores share.

    Parameters
    ----------
    gross, lost : array_like (draw, store)
        What went into each store and what it lost of it; one unit, ``0 <= lost <= gross``.
    level : float
        In [0, 1): with which probability the promised amount is to be kept.
    promised : float, optional
        The amount kept that is to be guaranteed; the mean of ``gross - lost`` when left out.
    probability : array_like (draw,), optional
    repeats : int
        Independent decouplings, whose draws are pooled.
    rng : int, Generator or None
        For the decoupling.

    Returns
    -------
    AtRisk

    Raises
    ------
    InputError
        For amounts that are negative, not finite or of different shapes, losses above the gross
        amount, or a level out of range.

    Notes
    -----
    With l the share of all that was stored that is lost in a draw, and more of the same mix meeting
    the same losses, keeping Q with probability b takes ``Q / (1 - VaR_b(l))``, so that the extra is
    ``Q (1 / (1 - VaR_b(l)) - 1)``. Decoupled: each store's SHARE lost is taken from another draw, drawn
    independently for every store by its probability (a permutation where draws are equally probable),
    while the gross amounts stay; each store's own distribution of shares is kept and only what they
    have in common is lost.
    A store with nothing in it in a draw takes no part: its share there is not used.

    Examples
    --------
    One store that loses half in one draw of four: at 80 % that half has to be made up for.

    >>> found = at_risk([[1.0]] * 4, [[0.5], [0.0], [0.0], [0.0]], 0.8)
    >>> found.promised, found.loss_share, found.extra
    (0.875, 0.5, 0.875)
    """
    into, out = _amounts(gross, "gross"), _amounts(lost, "lost")
    found = Problems()
    if into.shape != out.shape:
        found.add("gross and lost have different shapes", got=str(out.shape), allowed=str(into.shape))
    elif (out > into * (1.0 + 1e-9) + 1e-12).any():
        found.add("more is lost than went in", got=float((out - into).max()), allowed="lost <= gross")
    if not 0.0 <= level < 1.0:
        found.add("level outside its range", got=level, allowed="0 <= level < 1")
    if repeats < 1:
        found.add("repeats", got=repeats, allowed="a positive integer")
    if promised is not None and not 0.0 <= promised < np.inf:
        found.add("promised", got=promised, allowed="0 or more")
    found.raise_if_any()
    n = len(into)
    weight = np.full(n, 1.0 / n) if probability is None else check_probability(probability, n)
    kept = float(weight @ (into - out).sum(axis=1)) if promised is None else promised
    coupled = _share(out.sum(axis=1), into.sum(axis=1))
    mixed = _decoupled(into, out, weight, probability is None, repeats, random.generator(rng))
    at, apart = (
        float(value_at_risk(coupled, level, probability=weight)),
        float(value_at_risk(mixed, level, probability=np.tile(weight, repeats) / repeats)),
    )
    return AtRisk(_extra(kept, at), _extra(kept, apart), at, apart, kept, level)


def _decoupled(
    into: Floats, out: Floats, weight: Floats, equal: bool, repeats: int, rng: np.random.Generator
) -> Floats:
    """Return the share lost where every store takes its own from a draw of its own, (repeat x draw,)."""
    n = len(into)
    total = into.sum(axis=1)
    lost = np.zeros((repeats, n))
    for store in range(into.shape[1]):
        held = np.flatnonzero((into[:, store] > 0.0) & (weight > 0.0))
        if held.size == 0:
            continue
        share = out[held, store] / into[held, store]
        chance = weight[held] / weight[held].sum()
        for repeat in range(repeats):
            drawn = np.zeros(n)
            if equal:
                drawn[held] = rng.permutation(share)
            else:
                drawn[held] = rng.choice(share, size=held.size, p=chance)
            lost[repeat] += drawn * into[:, store]
    return _share(lost.ravel(), np.tile(total, repeats))


def _share(part: Floats, whole: Floats) -> Floats:
    some = whole > 0.0
    return np.asarray(np.clip(np.where(some, part, 0.0) / np.where(some, whole, 1.0), 0.0, 1.0))


def _extra(kept: float, share: float) -> float:
    if kept == 0.0 or share == 0.0:
        return 0.0
    return kept * share / (1.0 - share) if share < 1.0 else np.inf


def _amounts(values: ArrayLike, name: str) -> Floats:
    data = np.asarray(values, dtype=float)
    if data.ndim != 2 or 0 in data.shape:
        raise InputError(Problem(name, got=str(data.shape), allowed="(draw, store), none of them empty"))
    if not np.isfinite(data).all() or (data < 0.0).any():
        raise InputError(Problem(f"{name} are not amounts", allowed="finite numbers, 0 or more"))
    return data
