"""Sum-product on a bucket tree: the marginals of all variables in two sweeps, numpy only.

Variables are numbers, factors are pairs (variables, array with one axis per variable). The tree
follows an order of elimination; beliefs are passed back as in Hugin propagation, dividing by the
message that came up (nought by nought is nought). See Koller and Friedman, Probabilistic Graphical
Models (2009), chapters 9 and 10.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Factor = tuple[tuple[int, ...], NDArray[np.float64]]

MAX_CLIQUE_CELLS = 2**27
"""Largest table formed (1 GiB of float64); beyond it exact inference is refused."""


def elimination_order(
    scopes: Sequence[tuple[int, ...]], cards: Sequence[int], stages: Sequence[int] | None = None
) -> tuple[int, ...]:
    """Return an elimination order that keeps the tables small.

    Greedy orders are tried (smallest next table; fewest new neighbours; each also stage by stage)
    and the one whose tables have the fewest cells in all is kept.

    Parameters
    ----------
    scopes : sequence of tuple of int
        Variables of each factor.
    cards : sequence of int
        States of each variable.
    stages : sequence of int, optional
        Stage of each variable; lower ones go first. Nodes inside plates go before the nodes that
        plates share: taken early, a shared node ties all its plates together.

    Examples
    --------
    >>> elimination_order([(0,), (0, 1), (1, 2)], [2, 2, 2])
    (0, 1, 2)
    """
    best: tuple[float, tuple[int, ...]] | None = None
    for staged in dict.fromkeys((stages is not None, False)):
        for fill in (False, True):
            order, cells = _greedy(scopes, cards, stages if staged else None, fill)
            if best is None or cells < best[0]:
                best = (cells, order)
    assert best is not None
    return best[1]


def _greedy(
    scopes: Sequence[tuple[int, ...]], cards: Sequence[int], stages: Sequence[int] | None, fill: bool
) -> tuple[tuple[int, ...], float]:
    neighbours: list[set[int]] = [set() for _ in cards]
    for scope in scopes:
        for variable in scope:
            neighbours[variable].update(scope)
    for variable, near in enumerate(neighbours):
        near.discard(variable)

    def cost(variable: int) -> tuple[int, float, float]:
        around = neighbours[variable]
        weight = math.log(cards[variable]) + sum(math.log(cards[other]) for other in around)
        missing = sum(len(around - neighbours[other]) - 1 for other in around) if fill else 0
        return (0 if stages is None else stages[variable], float(missing), weight)

    current = [cost(variable) for variable in range(len(cards))]
    heap = [(value, variable) for variable, value in enumerate(current)]
    heapq.heapify(heap)
    order: list[int] = []
    gone = [False] * len(cards)
    cells = 0.0
    while heap:
        value, variable = heapq.heappop(heap)
        if gone[variable] or value != current[variable]:
            continue
        gone[variable] = True
        order.append(variable)
        # Capped, for a hopeless order would overflow the float before the sum is compared.
        cells += math.exp(min(value[2], 600.0))
        around = neighbours[variable]
        for other in around:
            neighbours[other] |= around
            neighbours[other] -= {other, variable}
        for other in around:
            current[other] = cost(other)
            heapq.heappush(heap, (current[other], other))
    return tuple(order), cells


class BucketTree:
    """Factors sorted into buckets along an elimination order.

    Parameters
    ----------
    factors : sequence of (tuple of int, ndarray)
        Axes of an array follow its variables; an array without axes is a constant.
    cards : sequence of int
    order : sequence of int
        Elimination order; variables that no factor names are left out.

    Raises
    ------
    InputError
        When a clique would need more than `MAX_CLIQUE_CELLS` cells.
    """

    def __init__(self, factors: Sequence[Factor], cards: Sequence[int], order: Sequence[int]) -> None:
        named = {variable for scope, _ in factors for variable in scope}
        self.order = [variable for variable in order if variable in named]
        self._rank = {variable: index for index, variable in enumerate(self.order)}
        self._cards = cards
        self._waiting: dict[int, list[Factor]] = {variable: [] for variable in self.order}
        self.log_total = 0.0
        for factor in factors:
            self._place(factor)
        self.scope: dict[int, tuple[int, ...]] = {}
        self._parent: dict[int, int | None] = {}
        incoming: dict[int, set[int]] = {v: set() for v in self.order}
        for variable in self.order:
            members = incoming[variable].union({variable}, *(scope for scope, _ in self._waiting[variable]))
            self.scope[variable] = tuple(sorted(members, key=self._rank.__getitem__))
            cells = math.prod(cards[member] for member in members)
            if cells > MAX_CLIQUE_CELLS:
                raise InputError(
                    Problem(
                        "exact inference would need too large a table",
                        got=f"{cells} cells over {len(members)} nodes",
                        allowed=f"up to {MAX_CLIQUE_CELLS} cells",
                        hint="ask about fewer pieces of evidence at once, or thin out parents",
                    )
                )
            rest = self.scope[variable][1:]
            self._parent[variable] = rest[0] if rest else None
            if rest:
                incoming[rest[0]] |= set(rest)
        self._belief: dict[int, NDArray[np.float64]] = {}
        self._message: dict[int, NDArray[np.float64]] = {}

    def _place(self, factor: Factor) -> None:
        scope, values = factor
        if scope:
            self._waiting[min(scope, key=self._rank.__getitem__)].append(factor)
        else:
            self._count(float(values))

    def _count(self, value: float) -> None:
        self.log_total = self.log_total + math.log(value) if value > 0.0 else -math.inf

    def collect(self) -> float:
        """Sweep upwards; return the logarithm of the sum over everything (-inf: impossible)."""
        for variable in self.order:
            scope = self.scope[variable]
            belief = np.ones([self._cards[member] for member in scope])
            for factor in self._waiting[variable]:
                belief *= self._aligned(factor, scope)
            message = belief.sum(axis=0)
            # Scaled to a largest entry of one, so that long chains of evidence do not underflow.
            scale = float(message.max())
            self._count(scale)
            if scale <= 0.0:
                return -math.inf
            message = message / scale
            self._belief[variable], self._message[variable] = belief, message
            parent = self._parent[variable]
            if parent is not None:
                self._waiting[parent].append((scope[1:], message))
        return self.log_total

    def distribute(self) -> dict[int, NDArray[np.float64]]:
        """Sweep back after `collect`; return each variable's normalised marginal."""
        result: dict[int, NDArray[np.float64]] = {}
        for variable in reversed(self.order):
            belief, scope = self._belief[variable], self.scope[variable]
            parent = self._parent[variable]
            if parent is not None:
                kept = scope[1:]
                above = self.scope[parent]
                summed = self._belief[parent].sum(
                    axis=tuple(axis for axis, member in enumerate(above) if member not in kept)
                )
                message = self._message[variable]
                ratio = np.divide(summed, message, out=np.zeros_like(summed), where=message > 0.0)
                belief = belief * ratio
                self._belief[variable] = belief
            marginal = belief.sum(axis=tuple(range(1, belief.ndim)))
            result[variable] = marginal / marginal.sum()
        return result

    def _aligned(self, factor: Factor, scope: tuple[int, ...]) -> NDArray[np.float64]:
        variables, values = factor
        axes = sorted(range(len(variables)), key=lambda axis: self._rank[variables[axis]])
        present = set(variables)
        shape = [self._cards[member] if member in present else 1 for member in scope]
        return values.transpose(axes).reshape(shape)
