"""Elimination orders: greedy with a little noise, many times, the cheapest kept.

A single greedy order can cost a hundred times more than a good one on a network unrolled over
periods. Rules compared: fewest cells in the next table, and least weight of new edges (weighted
min-fill); noise on either finds better orders within some dozens of trials (Fishelson and Geiger
2003, RECOMB; Kask et al. 2011, AAAI).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIALS = 32
TRIAL_CELLS = 100_000
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
    near = _neighbours(scopes)
    variables = sorted(near)
    column = {variable: index for index, variable in enumerate(variables)}
    adjacent = np.zeros((len(variables), len(variables)), dtype=np.bool_)
    for variable, around in near.items():
        for other in around:
            adjacent[column[variable], column[other]] = True
    logs = np.log(np.array([cards[variable] for variable in variables], dtype=float))
    late = np.array([variable in last for variable in variables], dtype=np.bool_)
    best: tuple[tuple[int, ...], float] = ((), math.inf)
    for trial in range(max(trials, 2)):
        if trial >= 2 and trial * TRIAL_CELLS > best[1]:
            break
        noise = 0.0 if trial < 2 else NOISE[(trial // 2) % len(NOISE)]
        deviations = noise * generator.standard_normal(4 * len(cards) + 64)
        order, cells = _greedy(adjacent.copy(), logs, late, trial % 2 == 1, deviations, best[1])
        if cells < best[1]:
            best = tuple(variables[index] for index in order), float(cells)
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


@numba.njit(nogil=True, cache=True)
def _cost(variable: int, adjacent: NDArray[np.bool_], logs: NDArray[np.float64], fill: bool) -> float:
    """What eliminating a variable costs: weight of new edges, or nats of the table it makes."""
    count = len(logs)
    value = 0.0 if fill else logs[variable]
    for one in range(count):
        if not adjacent[variable, one]:
            continue
        if not fill:
            value += logs[one]
            continue
        for other in range(one + 1, count):
            if adjacent[variable, other] and not adjacent[one, other]:
                value += logs[one] + logs[other]
    return value


@numba.njit(nogil=True, cache=True)
def _greedy(
    adjacent: NDArray[np.bool_],
    logs: NDArray[np.float64],
    late: NDArray[np.bool_],
    fill: bool,
    deviations: NDArray[np.float64],
    limit: float,
) -> tuple[NDArray[np.int64], float]:
    """Return one greedy order and its cells, infinite as soon as they reach `limit`."""
    count = len(logs)
    costs = np.empty(count)
    drawn = 0
    for variable in range(count):
        costs[variable] = _cost(variable, adjacent, logs, fill) + deviations[drawn % len(deviations)]
        drawn += 1
    waiting = np.ones(count, dtype=np.bool_)
    order = np.empty(count, dtype=np.int64)
    cells = 0.0
    for place in range(count):
        best = -1
        for variable in range(count):
            if waiting[variable] and (
                best < 0
                or (late[best] and not late[variable])
                or (late[best] == late[variable] and costs[variable] < costs[best])
            ):
                best = variable
        waiting[best] = False
        order[place] = best
        nats = logs[best]
        for other in range(count):
            if adjacent[best, other]:
                nats += logs[other]
        # Capped, for a hopeless order would overflow the float before it is compared.
        cells += np.exp(min(nats, 600.0))
        if cells >= limit:
            return order, np.inf
        for one in range(count):
            if adjacent[best, one]:
                for other in range(count):
                    if adjacent[best, other] and other != one:
                        adjacent[one, other] = True
                adjacent[one, best] = False
        for other in range(count):
            if adjacent[best, other]:
                costs[other] = _cost(other, adjacent, logs, fill) + deviations[drawn % len(deviations)]
                drawn += 1
            adjacent[best, other] = False
    return order, cells
