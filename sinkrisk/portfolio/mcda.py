"""Multi-criteria scores of places against an ideal and an empty one, by pymcdm, plain numpy"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

METHODS: tuple[str, ...] = ("topsis", "vikor", "promethee")

INDIFFERENCE, PREFERENCE = 0.1, 0.5
"""PROMETHEE's thresholds on the scale 0 to 1: scores a tenth apart are not told apart, as they are
judged to about a tenth; half the scale apart, one is preferred outright. Assumptions."""

COMPROMISE = 0.5
"""VIKOR's weight of the mean shortfall against the worst one: its authors' usual half and half."""


@functools.cache
def _library() -> Any:
    # Loads matplotlib too: only when scores are wanted.
    from pymcdm import methods

    return methods


def _as_it_is(x: Floats, cost: bool = False) -> Floats:
    return x


def score_places(scores: Floats, weights: Floats, method: str) -> Floats:
    """Return how near each place comes to having everything that counts.

    Parameters
    ----------
    scores : ndarray, (place, criterion)
        0 nothing to 1 all there is, more is better in every criterion.
    weights : ndarray, (criterion,)
        Not negative, summing to 1.
    method : str
        One of `METHODS`.

    Returns
    -------
    ndarray, (place,)
        0 (as a place without anything) to 1 (as a place with everything), both of which join the
        comparison, so that the scale is the same whatever the other places are:

        - topsis: closeness ``D- / (D- + D+)``, Euclidean distances of the weighted scores from the
          empty and from the ideal place (Hwang and Yoon 1981);
        - vikor: ``1 - Q`` with ``Q = S / 2 + R / (2 max w)``, S the weighted mean and R the largest
          weighted shortfall (Opricovic and Tzeng 2004);
        - promethee: net flow of PROMETHEE II, linear preference between the two thresholds, on the
          scale from the empty place's flow to the ideal place's (Brans and Vincke 1985). Only here
          do the other places matter.

        More in any criterion never lowers a place's score.
    """
    # Weightless criteria change nothing; without them the matrix is half as wide.
    counts = weights > 0.0
    matrix = np.vstack([scores[:, counts], np.ones(counts.sum()), np.zeros(counts.sum())])
    weight, better = weights[counts], np.ones(int(counts.sum()), dtype=int)
    methods = _library()
    if method == "topsis":
        return _without_references(methods.TOPSIS(_as_it_is)(matrix, weight, better, validation=False))
    if method == "vikor":
        distance = methods.VIKOR(v=COMPROMISE)(matrix, weight, better, validation=False)
        return _without_references(1.0 - distance)
    # A PROMETHEE object uses up its preference functions in one call: a new one every time.
    outranking = methods.PROMETHEE_II(
        "vshape_2", p=[PREFERENCE] * len(weight), q=[INDIFFERENCE] * len(weight)
    )
    flow = outranking(matrix, weight, better, validation=False)
    return _without_references((flow - flow[-1]) / (flow[-2] - flow[-1]))


def _without_references(values: Floats) -> Floats:
    # Rounding may leave a place that equals a reference outside by 1e-16.
    return np.asarray(np.clip(values[:-2], 0.0, 1.0))


def met(endowment: Floats, weights: Floats, need: Floats) -> tuple[Floats, Floats]:
    """Return what counts for one pathway: its criteria's weights, and the places' scores.

    Parameters
    ----------
    endowment : ndarray, (criterion, place)
        How much of it there is, 0 to 1.
    weights : ndarray, (criterion,)
        How much criteria count to whoever decides, summing to 1.
    need : ndarray, (criterion,)
        How far the pathway depends on each, 0 to 1, one at least above 0.

    Returns
    -------
    scores : ndarray, (place, criterion)
        The endowments.
    weights : ndarray, (criterion,)
        ``w need / sum(w need)``: what a pathway can do without does not count. Among what does count,
        plenty of one makes up for lack of another: `lacking` says where it must not.
    """
    own = weights * need
    return np.asarray(endowment.T), np.asarray(own / own.sum())


def lacking(endowment: Floats, need: Floats, essential: float, floor: float) -> NDArray[np.bool_]:
    """Return which of what a pathway cannot do without each place lacks: a veto.

    Parameters
    ----------
    endowment : ndarray, (criterion, place)
        0 to 1.
    need : ndarray, (criterion,)
        0 to 1.
    essential : float
        Need from which on the pathway cannot do without a criterion.
    floor : float
        Endowment below which there is none of it to speak of.

    Returns
    -------
    ndarray of bool, (criterion, place)

    Examples
    --------
    >>> lacking(np.array([[0.05, 0.5], [0.0, 0.0]]), np.array([0.9, 0.3]), 0.8, 0.1).tolist()
    [[True, False], [False, False]]
    """
    return np.asarray((need >= essential)[:, None] & (endowment < floor))
