"""Ranked nodes: tables made from weighted parents on a scale of favourability

Fenton, Neil and Caballero (2007), IEEE Trans. Knowl. Data Eng. 19(10). How such a table is doubted
is in `tables`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RankedParameters:
    """Parameters of a ranked node; favourability runs from 0 to 1.

    Parameters
    ----------
    parents : tuple of tuple of float
        Favourability of the states of each parent that is an axis of the table.
    constants : tuple of float
        Favourability of parents replaced by a constant (those before the first period).
    weights : tuple of float
        Weights of `parents`, then of `constants`.
    baseline_weight, baseline : float
        A constant parent on top.
    spread : float
        Standard deviation of the normal before truncation to [0, 1].
    bottleneck : float
        Share of the mean that follows the worst of the parents in `limiting`.
    limiting : tuple of bool
        Which parents (and constants) the bottleneck looks at.
    states : int
    favourable_first : bool
        Whether the first state is the favourable end.
    slots : tuple of int
        Which random number each weight takes, so that tables of one entry that leave out different
        parents still share theirs; empty: in order.
    slot_count : int
        Parents of the entry as written.
    """

    parents: tuple[tuple[float, ...], ...]
    constants: tuple[float, ...]
    weights: tuple[float, ...]
    baseline_weight: float
    baseline: float
    spread: float
    bottleneck: float
    limiting: tuple[bool, ...]
    states: int
    favourable_first: bool
    slots: tuple[int, ...] = ()
    slot_count: int = 0


def favourability(states: int, favourable_first: bool) -> tuple[float, ...]:
    """Return the midpoints of equal slices of [0, 1], falling when the first state is the best.

    Examples
    --------
    >>> favourability(2, favourable_first=True)
    (0.75, 0.25)
    """
    middle = tuple((i + 0.5) / states for i in range(states))
    return middle[::-1] if favourable_first else middle


def ranked_table(
    parameters: RankedParameters,
    shares: Floats | None = None,
    baseline: Floats | None = None,
    spread: Floats | None = None,
) -> Floats:
    """Return the table of a ranked node, or one table per draw of its parameters.

    The mean is the weighted mean of the parents' midpoints and of the baseline, mixed with the
    worst of the limiting parents in the share `bottleneck`; the child's states are equal slices of
    a normal truncated to [0, 1] (the TNormal, WMEAN and MIXMINMAX of Fenton, Neil and Caballero
    2007; parents enter at their midpoints, not averaged over their slices).

    Parameters
    ----------
    parameters : RankedParameters
    shares : ndarray (draw, parents + constants + 1), optional
        Weights divided by their sum, the baseline's last.
    baseline, spread : ndarray (draw,), optional

    Returns
    -------
    ndarray ([draw,] parent states ..., states)
    """
    p = parameters
    raw = np.array([*p.weights, p.baseline_weight], dtype=float)
    single = shares is None
    shares = (raw / raw.sum())[None, :] if shares is None else shares
    baseline = np.array([p.baseline]) if baseline is None else baseline
    spread = np.array([p.spread]) if spread is None else spread
    dims = len(p.parents)

    def over_draws(values: Floats) -> Floats:
        return values.reshape(-1, *([1] * dims))

    mean = over_draws(shares[:, -1] * baseline)
    worst = np.full([1] * (dims + 1), np.inf)
    for index, values in enumerate(p.parents):
        axis = np.asarray(values).reshape(1, *[len(values) if d == index else 1 for d in range(dims)])
        mean = mean + over_draws(shares[:, index]) * axis
        if p.limiting[index]:
            worst = np.minimum(worst, axis)
    for number, value in enumerate(p.constants, start=dims):
        mean = mean + over_draws(shares[:, number]) * value
        if p.limiting[number]:
            worst = np.minimum(worst, value)
    if p.bottleneck > 0.0:
        mean = (1.0 - p.bottleneck) * mean + p.bottleneck * worst
    edges = np.linspace(0.0, 1.0, p.states + 1)
    cumulative = special.ndtr((edges - mean[..., None]) / over_draws(spread)[..., None])
    table = np.diff(cumulative, axis=-1)
    table /= table.sum(axis=-1, keepdims=True)
    if p.favourable_first:
        table = table[..., ::-1]
    return np.ascontiguousarray(table[0] if single else table)
