"""Stochastic multicriteria acceptability analysis (SMAA-2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sinkrisk.arguments import checked
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.risk.quantiles import check_probability
from sinkrisk.rng import RandomSource, generator

Floats = NDArray[np.float64]


def dirichlet_weights(
    count: int, alphas: Sequence[float] | Floats, *, rng: RandomSource = None, ordinal: bool = False
) -> Floats:
    """Draw criteria weights on the simplex.

    Parameters
    ----------
    count : int
        Number of weight vectors.
    alphas : sequence of float, (criterion,)
        Dirichlet concentrations; all 1 is uniform.
    rng : int, Generator or None
    ordinal : bool
        Sort every vector so that weights fall from the first criterion to the last: with uniform
        alphas this is uniform on the set ``w1 >= w2 >= ...``, by symmetry.

    Returns
    -------
    ndarray, (count, criterion)
        Rows sum to 1.
    """
    draws = generator(rng).dirichlet(np.asarray(alphas, dtype=float), size=count)
    if ordinal:
        draws = -np.sort(-draws, axis=1)
    return np.asarray(draws)


def _check(scores: ArrayLike) -> Floats:
    values = np.asarray(scores, dtype=float)
    found = Problems()
    if values.ndim != 3 or 0 in values.shape:
        found.add("scores need the axes (draw, alternative, criterion)", got=str(values.shape))
    elif not np.isfinite(values).all():
        found.add("scores are not finite", got=f"{int((~np.isfinite(values)).sum())} of {values.size}")
    found.raise_if_any()
    return values


def _check_weights(weights: ArrayLike, criteria: int) -> Floats:
    values = np.asarray(weights, dtype=float)
    if values.ndim == 1:
        values = values[None, :]
    if values.ndim != 2 or values.shape[1] != criteria or values.shape[0] == 0:
        raise InputError(
            Problem("weights of the wrong shape", got=str(values.shape), allowed=f"(draw, {criteria})")
        )
    if not (values >= 0.0).all() or not np.allclose(values.sum(axis=1), 1.0, rtol=0.0, atol=1e-6):
        raise InputError(Problem("weights are not shares: each row must be >= 0 and sum to 1"))
    return values


@checked()
def smaa(
    scores: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    probability: ArrayLike | None = None,
    rng: RandomSource = None,
    weight_draws: int = 10_000,
) -> dict[str, Floats]:
    """Rank alternatives over uncertain scores and uncertain weights, by SMAA-2.

    Parameters
    ----------
    scores : array_like, (draw, alternative, criterion)
        Partial values, already oriented so that HIGHER IS BETTER and brought to comparable scales
        (0 to 1, say); nothing is normalised here.
    weights : array_like, (weight draw, criterion), optional
        Criteria weights, rows summing to 1; one row fixes them. Left out: uniform on the simplex.
    probability : array_like, (draw,), optional
        Probability of each draw of the scores.
    rng : int, Generator or None
        For the weights (where left out) and for pairing them with the draws.
    weight_draws : int
        How many weight vectors to draw at least, where `weights` is left out.

    Returns
    -------
    dict of str to ndarray
        ``rank_acceptability`` (alternative, rank): probability of the rank, rank 1 first; tied
        alternatives share the best rank, so a column need not sum to 1 but every row does.
        ``central_weight`` (alternative, criterion): mean weight given that the alternative is
        first; NaN where it never is.
        ``confidence`` (alternative,): probability that it is first when its central weight is
        used; NaN where it is never first.
        ``pairwise`` (alternative, other): probability that it is strictly better than the other.

    Raises
    ------
    InputError
        For scores or weights of the wrong shape, not finite, or weights that are not shares.

    Notes
    -----
    Lahdelma and Salminen (2001). Draws and weights are independent: every draw is paired with the
    same number of weight vectors, in random order.

    Examples
    --------
    >>> grid = (np.arange(1000) + 0.5) / 1000
    >>> out = smaa([[[0.6, 0.2], [0.3, 0.7]]], weights=np.column_stack([grid, 1 - grid]))
    >>> out["rank_acceptability"][:, 0]
    array([0.375, 0.625])
    """
    values = _check(scores)
    draws, alternatives, criteria = values.shape
    random = generator(rng)
    each = np.full(draws, 1.0 / draws) if probability is None else check_probability(probability, draws)
    if weights is None:
        pairs = draws * -(-max(weight_draws, draws) // draws)
        drawn = dirichlet_weights(pairs, np.ones(criteria), rng=random)
    else:
        given = _check_weights(weights, criteria)
        # Every weight row is used equally often and every draw too: whole permuted repeats.
        pairs = draws * -(-given.shape[0] // draws) if given.shape[0] > 1 else draws
        if draws == 1 or given.shape[0] == 1:
            drawn = given if draws == 1 else np.broadcast_to(given, (pairs, criteria))
        else:
            repeats = -(-pairs // given.shape[0])
            drawn = np.concatenate([given[random.permutation(given.shape[0])] for _ in range(repeats)])[
                :pairs
            ]
    pairs = drawn.shape[0]
    pair_probability = np.resize(each, pairs) * (draws / pairs)

    acceptability = np.zeros((alternatives, alternatives))
    weight_sum = np.zeros((alternatives, criteria))
    # Compiled: a hundred thousand draws of fifty alternatives are a quarter of a billion comparisons.
    from sinkrisk.risk.acceptability_kernel import confidence_factors, tally

    worse = np.zeros((alternatives, alternatives))
    by_criterion = np.ascontiguousarray(values.swapaxes(1, 2))
    tally(by_criterion, np.ascontiguousarray(drawn), pair_probability, acceptability, weight_sum, worse)
    pairwise = worse.T
    ever_first = acceptability[:, 0] > 0.0
    confidence = np.where(ever_first, 0.0, np.nan)
    central = np.full((alternatives, criteria), np.nan)
    central[ever_first] = weight_sum[ever_first] / acceptability[ever_first, :1]
    confidence_factors(by_criterion, central, each, confidence)
    return {
        "rank_acceptability": acceptability,
        "central_weight": central,
        "confidence": confidence,
        "pairwise": pairwise,
    }
