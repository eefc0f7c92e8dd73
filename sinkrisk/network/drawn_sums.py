"""Sums of products of drawn tables: planned once for a question, then run on draws by the block

`propagation` multiplies factors as matrices, which serves one table of each node. With many draws
the loops run along the draws instead, where they lie next to one another in memory: a step visits
each cell once, wherever its axes stand, and nothing is transposed or copied. Nothing is swept back:
what is asked for is kept. Numbers stand as factors have them, variables by number, draws last.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numba
import numpy as np

from sinkrisk.errors import InputError, Problem
from sinkrisk.network.propagation import CANCELLATION, EASY, MAX_CLIQUE_CELLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Scope = tuple[int, ...]

BLOCK_CELLS = 2**23
"""Cells of the largest stored table times draws taken at a time (64 MiB)."""
MOST_DRAWS = 256
"""Draws at a time where tables are small: more do not stay in a processor's cache."""


@dataclass(frozen=True)
class _Step:
    """One product of two factors (or one with itself alone), summed over what nobody needs any more.

    Cells of the result run over (batch, left, right); a cell of the first factor is at
    ``first[0][batch] + first[1][left] + first[2][inner]``, of the second likewise with right.
    """

    one: int
    two: int
    first: tuple[Integers, Integers, Integers]
    second: tuple[Integers, Integers, Integers]


class SumPlan:
    """The steps by which a product of factors is summed, but for the variables kept.

    Parameters
    ----------
    scopes : sequence of tuple of int
        Variables of each factor, its axes in their order.
    cards : sequence of int
        States of each variable.
    order : sequence of int
        Elimination order; variables that no factor names are left out.
    keep : sequence of int
        Variables not summed out, each named by a factor: the axes of the result.

    Attributes
    ----------
    largest : int
        Cells of the largest table that is stored.

    Raises
    ------
    InputError
        When a step would visit more than `propagation.MAX_CLIQUE_CELLS` cells.

    Examples
    --------
    Two draws of a coin's table, and what it says of a second node:

    >>> plan = SumPlan([(0,), (0, 1)], [2, 2], [0], [1])
    >>> coin = np.array([[0.5, 0.2], [0.5, 0.8]])
    >>> copy = np.eye(2)[..., None]
    >>> plan.sums([coin, copy], 2)
    array([[0.5, 0.2],
           [0.5, 0.8]])
    """

    def __init__(
        self, scopes: Sequence[Scope], cards: Sequence[int], order: Sequence[int], keep: Sequence[int]
    ) -> None:
        self._cards, self._kept = cards, set(keep)
        self._steps: list[_Step] = []
        self._scopes: list[Scope] = [tuple(scope) for scope in scopes]
        self._count = len(scopes)
        self.largest = 1
        waiting = list(range(len(scopes)))
        for variable in order:
            if variable in self._kept:
                continue
            mine = [number for number in waiting if variable in self._scopes[number]]
            if mine:
                waiting = [number for number in waiting if number not in mine]
                waiting.append(self._joined(mine, waiting))
        self._last = self._joined(waiting, []) if waiting else None
        self.keep = tuple(keep)
        self._free: list[Floats] = []

    def _joined(self, numbers: Sequence[int], others: Collection[int]) -> int:
        """Multiply factors, the smallest first; sum out what neither others nor the result need."""
        needed = self._kept.union(*(self._scopes[other] for other in others))
        queue = sorted(numbers, key=self._size)
        if len(queue) == 1:
            return self._step(queue[0], None, needed)
        while len(queue) > 1:
            one, two = queue.pop(0), queue.pop(0)
            later = needed.union(*(self._scopes[other] for other in queue))
            one, two = (
                self._step(number, None, later | set(self._scopes[partner]))
                for number, partner in ((one, two), (two, one))
            )
            queue.append(self._step(one, two, later))
            queue.sort(key=self._size)
        return queue[0]

    def _size(self, number: int) -> int:
        return math.prod(self._cards[variable] for variable in self._scopes[number])

    def _step(self, one: int, two: int | None, needed: Collection[int]) -> int:
        """Add a step; a factor alone with nothing to sum out needs none."""
        mine = self._scopes[one]
        partner: Scope = () if two is None else self._scopes[two]
        if two is None and all(variable in needed for variable in mine):
            return one
        both = [variable for variable in mine if variable in partner]
        batch = [variable for variable in both if variable in needed]
        left = [variable for variable in mine if variable not in both and variable in needed]
        right = [variable for variable in partner if variable not in both]
        inner = [variable for variable in mine if variable not in needed]
        cells = math.prod(self._cards[variable] for variable in (*batch, *left, *right, *inner))
        if cells > MAX_CLIQUE_CELLS:
            raise InputError(
                Problem(
                    "exact inference would need too large a table",
                    got=f"{cells} cells over {len({*mine, *partner})} nodes",
                    allowed=f"up to {MAX_CLIQUE_CELLS} cells",
                    hint="ask about fewer pieces of evidence at once, or thin out parents",
                )
            )
        groups = ((batch, left, inner), (batch, right, inner))
        first, second = (
            tuple(self._offsets(scope, group) for group in wanted)
            for scope, wanted in zip((mine, partner), groups, strict=True)
        )
        # The partner of a factor alone is the number one, the factor numbered -1.
        self._steps.append(_Step(one, -1 if two is None else two, first, second))  # type: ignore[arg-type]
        self._scopes.append((*batch, *left, *right))
        self.largest = max(self.largest, self._size(len(self._scopes) - 1))
        return len(self._scopes) - 1

    def _offsets(self, scope: Scope, group: Sequence[int]) -> Integers:
        """Cells by which the states of a group of variables, the last fastest, lie apart in a factor."""
        strides = {}
        width = 1
        for variable in reversed(scope):
            strides[variable] = width
            width *= self._cards[variable]
        return _spread(tuple([(self._cards[variable], strides.get(variable, 0)) for variable in group]))

    def block(self) -> int:
        """Return how many draws to take at a time."""
        return int(min(max(BLOCK_CELLS // self.largest, 1), MOST_DRAWS))

    def sums(self, values: Sequence[Floats], draws: int) -> Floats:
        """Return the sums for a block of draws, up to a positive factor of each draw.

        Parameters
        ----------
        values : sequence of ndarray (states ..., draws) or (states ..., 1)
            One per scope.
        draws : int

        Returns
        -------
        ndarray (states of the kept variables ..., draws)
        """
        held: dict[int, Floats] = {-1: np.ones((1, draws))}
        signed = {-1: False}
        for number, array in enumerate(values):
            flat = array.reshape(-1, array.shape[-1])
            if flat.shape[1] != draws:
                flat = np.broadcast_to(flat, (len(flat), draws))
            held[number] = np.ascontiguousarray(flat)
            signed[number] = bool(flat.min() < 0.0)
        for at, step in enumerate(self._steps, start=self._count):
            negative = signed[step.one] or signed[step.two]
            batch, left, _ = step.first
            result = self._space(len(batch) * len(left) * len(step.second[1]), draws)
            if draws == 1:
                three = held[step.one].ravel(), held[step.two].ravel(), result.ravel()
                least, most = _multiplied_once(*three, *step.first, *step.second, negative)
            else:
                _multiplied(held[step.one], held[step.two], result, *step.first, *step.second, negative)
                least, most = _ease(result)
            # Every result is used once.
            for number in {step.one, step.two} - {-1}:
                used = held.pop(number)
                if number >= self._count:
                    self._give_back(used)
            peak = max(-least, most)
            if draws == 1 and 0.0 < peak < EASY:
                result /= peak
            held[at], signed[at] = result, negative and least < 0.0
        if self._last is None:
            return np.ones((*(1 for _ in self.keep), draws))
        scope = self._scopes[self._last]
        final = held[self._last].reshape(*(self._cards[variable] for variable in scope), draws)
        result = final.transpose(*(scope.index(variable) for variable in self.keep), len(scope)).copy()
        if self._last >= self._count:
            self._give_back(held[self._last])
        return result

    def _give_back(self, used: Floats) -> None:
        # A plan kept for single sums is not to hold on to its tables.
        if used.shape[1] > 1:
            assert used.base is not None
            self._free.append(used.base)

    def _space(self, cells: int, draws: int) -> Floats:
        """Return room for a table, used before where possible: fresh pages cost more than the sums."""
        size = cells * draws
        fitting = [number for number, buffer in enumerate(self._free) if size <= len(buffer)]
        if fitting:
            buffer = self._free.pop(min(fitting, key=lambda number: len(self._free[number])))
        else:
            buffer = np.empty(size)
        return buffer[:size].reshape(cells, draws)


@lru_cache(maxsize=4096)
def _spread(strides: tuple[tuple[int, int], ...]) -> Integers:
    """Sums of multiples of strides, given as (states, stride) with the last running fastest."""
    offsets = np.zeros(1, dtype=np.int64)
    for states, stride in strides:
        offsets = (offsets[:, None] + stride * np.arange(states)[None, :]).ravel()
    offsets.flags.writeable = False
    return offsets


def _ease(values: Floats) -> tuple[float, float]:
    """Scale each draw by its largest cell where that is tiny, so that long evidence does not underflow.

    Return the least and the largest cell before.
    """
    least, most = values.min(axis=0), values.max(axis=0)
    peak = np.maximum(most, -least)
    if peak.min() < EASY:
        values /= np.where(peak > 0.0, peak, 1.0)
    return float(least.min()), float(most.max())


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _multiplied(
    one: Floats, two: Floats, result: Floats,
    first_batch: Integers, first_left: Integers, first_inner: Integers,
    second_batch: Integers, second_right: Integers, second_inner: Integers,
    signed: bool,
) -> None:  # fmt: skip
    """Fill result (batch x left x right, draw) with products of cells, summed over the inner ones.

    Where terms have both signs, a sum smaller than their rounding is nought.
    """
    draws = result.shape[1]
    whole = np.zeros(draws)
    cell = 0
    for b in range(len(first_batch)):
        for i in range(len(first_left)):
            for j in range(len(second_right)):
                row = result[cell]
                row[:] = 0.0
                if signed:
                    whole[:] = 0.0
                for k in range(len(first_inner)):
                    x = one[first_batch[b] + first_left[i] + first_inner[k]]
                    y = two[second_batch[b] + second_right[j] + second_inner[k]]
                    if signed:
                        for d in range(draws):
                            term = x[d] * y[d]
                            row[d] += term
                            whole[d] += abs(term)
                    else:
                        for d in range(draws):
                            row[d] += x[d] * y[d]
                if signed:
                    for d in range(draws):
                        if abs(row[d]) <= CANCELLATION * whole[d]:
                            row[d] = 0.0
                cell += 1


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _extremes(values: Floats) -> tuple[float, float]:
    """Least and largest of nought and cells that are numbers, many at a time."""
    least = 0.0
    most = 0.0
    for value in values:
        least = min(least, value)
        most = max(most, value)
    return least, most


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _multiplied_once(
    one: Floats, two: Floats, result: Floats,
    first_batch: Integers, first_left: Integers, first_inner: Integers,
    second_batch: Integers, second_right: Integers, second_inner: Integers,
    signed: bool,
) -> tuple[float, float]:  # fmt: skip
    """The same for a single draw, cells in one dimension; return the least and the largest cell, or nought.

    The second factor's cells of a batch are laid side by side first, so that the loop along them
    runs many at a time.
    """
    width, depth = len(second_right), len(second_inner)
    beside = np.empty((depth, width))
    whole = np.empty(width if signed else 0)
    cell = 0
    for b in range(len(first_batch)):
        for k in range(depth):
            start = second_batch[b] + second_inner[k]
            for j in range(width):
                beside[k, j] = two[start + second_right[j]]
        for i in range(len(first_left)):
            start = first_batch[b] + first_left[i]
            row = result[cell : cell + width]
            row[:] = 0.0
            for k in range(depth):
                x = one[start + first_inner[k]]
                for j in range(width):
                    row[j] += x * beside[k, j]
            if signed:
                whole[:] = 0.0
                for k in range(depth):
                    x = abs(one[start + first_inner[k]])
                    for j in range(width):
                        whole[j] += x * abs(beside[k, j])
                for j in range(width):
                    if abs(row[j]) <= CANCELLATION * whole[j]:
                        row[j] = 0.0
            cell += width
    return _extremes(result)
