"""Elimination orders: greedy with a little noise, many times, the cheapest kept.

A single greedy order can cost a hundred times more than a good one on a network unrolled over
periods. Rules compared: fewest cells in the next table, and least weight of new edges (weighted
min-fill); noise on either finds better orders within some dozens of trials (Fishelson and Geiger
2003, RECOMB; Kask et al. 2011, AAAI).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np

TRIALS = 48
TRIAL_CELLS = 40_000
"""Cells that one trial is worth: small problems are not searched for longer than they take."""
NOISE = (0.3, 0.7, 1.5, 2.5)
"""Standard deviations of the noise, in nats of table size."""


def search_order(
    scopes: Sequence[tuple[int, ...]],
    cards: Sequence[int],
    *,
    last: Sequence[int] = (),
    trials: int = TRIALS,
    seed: int = 0,
) -> tuple[tuple[int, ...], float]:
    """Return an elimination order of few cells and its cells in all.

    Parameters
    ----------
    scopes : sequence of tuple of int
        Variables of each factor; variables in no factor are left out of the order.
    cards : sequence of int
        States of each variable.
    last : sequence of int
        Variables that must come last.
    trials, seed : int
        Orders tried; the same seed gives the same order.

    Examples
    --------
    >>> search_order([(0,), (0, 1), (1, 2)], [2, 2, 2])[1]
    10.0
    """
    generator = np.random.default_rng(seed)
    best: tuple[tuple[int, ...], float] = ((), math.inf)
    for trial in range(max(trials, 2)):
        if trial >= 2 and trial * TRIAL_CELLS > best[1]:
            break
        noise = 0.0 if trial < 2 else NOISE[(trial // 2) % len(NOISE)]
        deviations = noise * generator.standard_normal(4 * len(cards) + 64) if noise else None
        found = _greedy(scopes, cards, frozenset(last), trial % 2 == 1, deviations, best[1])
        if found is not None and found[1] < best[1]:
            best = found
    return best


def order_cells(scopes: Sequence[tuple[int, ...]], cards: Sequence[int], order: Sequence[int]) -> float:
    """Return the cells of all tables that an order makes.

    Examples
    --------
    >>> order_cells([(0,), (0, 1), (1, 2)], [2, 2, 2], (1, 0, 2))
    14.0
    """
    near = _neighbours(scopes)
    cells = 0.0
    for variable in order:
        around = near[variable]
        cells += math.prod(float(cards[member]) for member in (variable, *around))
        for other in around:
            near[other] |= around
            near[other] -= {other, variable}
    return cells


def _neighbours(scopes: Sequence[tuple[int, ...]]) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {}
    for scope in scopes:
        for variable in scope:
            near.setdefault(variable, set()).update(scope)
    for variable, around in near.items():
        around.discard(variable)
    return near


def _greedy(
    scopes: Sequence[tuple[int, ...]],
    cards: Sequence[int],
    last: frozenset[int],
    fill: bool,
    deviations: np.ndarray | None,
    limit: float,
) -> tuple[tuple[int, ...], float] | None:
    """Return one greedy order, or None as soon as it costs more than `limit`."""
    near = _neighbours(scopes)
    log = [math.log(card) for card in cards]
    drawn = 0

    def cost(variable: int) -> tuple[bool, float]:
        nonlocal drawn
        around = near[variable]
        if fill:
            value = 0.0
            for one in around:
                for other in around - near[one]:
                    if other > one:
                        value += log[one] + log[other]
        else:
            value = log[variable] + sum(log[other] for other in around)
        if deviations is not None:
            value += float(deviations[drawn % len(deviations)])
            drawn += 1
        return (variable in last, value)

    current = {variable: cost(variable) for variable in near}
    heap = [(value, variable) for variable, value in current.items()]
    heapq.heapify(heap)
    order: list[int] = []
    cells = 0.0
    while heap:
        value, variable = heapq.heappop(heap)
        if current.get(variable) != value:
            continue
        del current[variable]
        order.append(variable)
        around = near[variable]
        # Capped, for a hopeless order would overflow the float before it is compared.
        cells += math.exp(min(log[variable] + sum(log[other] for other in around), 600.0))
        if cells >= limit:
            return None
        for other in around:
            near[other] |= around
            near[other] -= {other, variable}
        for other in around:
            current[other] = cost(other)
            heapq.heappush(heap, (current[other], other))
    return tuple(order), cells
