"""Sum-product over a tree of buckets, for one table of each node or for many drawn ones at once.

Variables are numbers; a factor is (variables, array), one axis per variable in that order. `DRAW` is
the number of the variable that runs over drawn tables: it is never summed. Two factors are
multiplied and summed in one matrix product, so that the largest tables are never stored, and what
comes out is scaled before it could underflow; messages follow Shafer and Shenoy (1990): none is
ever divided out, so factors may hold negative numbers, as the difference matrices of noisy-max
families do (see `noisy`). Koller and Friedman (2009), Probabilistic Graphical Models, chapters 9
and 10.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Factor = tuple[tuple[int, ...], Floats]

MAX_CLIQUE_CELLS = 2**27
"""Largest table formed (1 GiB of float64); beyond it exact inference is refused."""
DRAW = -1
"""The variable that runs over draws."""
CANCELLATION = 1e-13
"""A sum of terms of both signs smaller than this share of them is rounding: nought."""
EASY = 1e-100
"""Products whose largest entry is smaller than this, or larger than its inverse, are scaled."""


class Propagation:
    """Factors sorted into buckets along an elimination order.

    Parameters
    ----------
    factors : sequence of (tuple of int, ndarray)
    cards : sequence of int
        States of each variable.
    order : sequence of int
        Elimination order; variables that no factor names are left out.
    keep : collection of int
        Variables not summed out: what is left is a factor over them (`rest`).

    Raises
    ------
    InputError
        When a clique would need more than `MAX_CLIQUE_CELLS` cells.
    """

    def __init__(
        self,
        factors: Sequence[Factor],
        cards: Sequence[int],
        order: Sequence[int],
        *,
        keep: Collection[int] = (),
    ) -> None:
        named = {variable for scope, _ in factors for variable in scope}
        self.order = [variable for variable in order if variable in named and variable not in keep]
        self._rank = {variable: index for index, variable in enumerate(self.order)}
        self._own: dict[int, list[Factor]] = {variable: [] for variable in self.order}
        self._rest: list[Factor] = []
        self.scope: dict[int, tuple[int, ...]] = {}
        self.parent: dict[int, int | None] = {}
        self._children: dict[int, list[int]] = {variable: [] for variable in self.order}
        self._up: dict[int, Factor] = {}
        self.kept = tuple(sorted((named & set(keep)) - {DRAW}))
        self.draws = max(
            (values.shape[scope.index(DRAW)] for scope, values in factors if DRAW in scope), default=1
        )
        self.log_scale: Floats = np.zeros(self.draws)
        alone: dict[tuple[int, ...], list[Floats]] = {}
        for scope, values in factors:
            if len(scope) - (DRAW in scope) <= 1 and values.min() >= 0.0:
                alone.setdefault(scope, []).append(values)
            else:
                self._place((scope, values))
        for scope, several in alone.items():
            self._place(self._joined(scope, several))
        self._shape(cards)

    def _joined(self, scope: tuple[int, ...], several: Sequence[Floats]) -> Factor:
        """Multiply factors over one variable in logarithms: hundreds of observed children may meet."""
        if scope and len(several) == 1:
            return scope, several[0]
        with np.errstate(divide="ignore"):
            logs = np.asarray(np.sum([np.log(values) for values in several], axis=0))
        axes = tuple(axis for axis, variable in enumerate(scope) if variable != DRAW)
        peak = logs.max(axis=axes, keepdims=True)
        finite = np.where(np.isneginf(peak), 0.0, peak)
        self.log_scale = self.log_scale + finite.reshape(-1)
        return scope, np.exp(logs - finite)

    def _place(self, factor: Factor) -> None:
        ranks = [self._rank[variable] for variable in factor[0] if variable in self._rank]
        (self._own[self.order[min(ranks)]] if ranks else self._rest).append(factor)

    def _shape(self, cards: Sequence[int]) -> None:
        """Find the scope of every message, and refuse tables that are too large."""
        self.largest = 1
        for variable in self.order:
            members = {variable}.union(*(scope for scope, _ in self._own[variable]))
            members = members.union(*(self.scope[child] for child in self._children[variable]))
            cells = math.prod(self.draws if member == DRAW else cards[member] for member in members)
            if cells > MAX_CLIQUE_CELLS:
                raise InputError(
                    Problem(
                        "exact inference would need too large a table",
                        got=f"{cells} cells over {len(members - {DRAW})} nodes"
                        + (f" and {self.draws} draws" if self.draws > 1 else ""),
                        allowed=f"up to {MAX_CLIQUE_CELLS} cells",
                        hint="ask about fewer pieces of evidence at once, or thin out parents",
                    )
                )
            self.largest = max(self.largest, cells)
            members.discard(variable)
            self.scope[variable] = tuple(members)
            ranks = [self._rank[member] for member in members if member in self._rank]
            after = self.order[min(ranks)] if ranks else None
            self.parent[variable] = after
            if after is not None:
                self._children[after].append(variable)

    def collect(self) -> None:
        """Sweep upwards; what messages are divided by is counted in `log_scale`, per draw."""
        for variable in self.order:
            incoming = [self._up[child] for child in self._children[variable]]
            product, eased = contracted([*self._own[variable], *incoming], self.scope[variable])
            message, log = _scaled(product)
            self.log_scale = self.log_scale + eased + log
            self._up[variable] = message

    def total(self) -> Floats:
        """Return, after `collect`, the logarithm of the sum over everything, per draw (-inf: nought)."""
        values, log = self._left((DRAW,) if self.draws > 1 else ())
        with np.errstate(divide="ignore"):
            return np.asarray(self.log_scale + log + np.log(np.maximum(values, 0.0)))

    def rest(self) -> tuple[Factor, Floats]:
        """Return, after `collect`, what is left over the variables kept, and the logarithm of its scale."""
        scope = (*((DRAW,) if self.draws > 1 else ()), *self.kept)
        values, log = self._left(scope)
        return (scope, values), self.log_scale + log

    def _left(self, scope: tuple[int, ...]) -> tuple[Floats, Floats]:
        loose = [self._up[variable] for variable in self.order if self.parent[variable] is None]
        factor, log = contracted([*self._rest, *loose], scope)
        return _ordered(factor, scope), log

    def marginals(self, wanted: Collection[int]) -> dict[int, Floats]:
        """Sweep back after `collect`; return normalised marginals (draw, state) of those wanted."""
        needed: set[int] = set()
        for target in wanted:
            variable: int | None = target
            while variable is not None and variable not in needed:
                needed.add(variable)
                variable = self.parent[variable]
        down: dict[int, Factor] = {}
        result: dict[int, Floats] = {}
        for variable in reversed(self.order):
            if variable not in needed:
                continue
            children = self._children[variable]
            fixed = [*self._own[variable], *([down[variable]] if variable in down else [])]
            if variable in wanted:
                everything = [*fixed, *(self._up[child] for child in children)]
                scope = (*((DRAW,) if self.draws > 1 else ()), variable)
                belief = np.maximum(_ordered(contracted(everything, scope)[0], scope), 0.0)
                belief = belief.reshape(-1, belief.shape[-1])
                result[variable] = belief / belief.sum(axis=1, keepdims=True)
            for child in children:
                if child in needed:
                    others = [self._up[other] for other in children if other != child]
                    down[child] = _scaled(contracted([*fixed, *others], self.scope[child])[0])[0]
        return {variable: result[variable] for variable in wanted}


def contracted(factors: Sequence[Factor], scope: Collection[int]) -> tuple[Factor, Floats]:
    """Multiply factors and sum out what is not in `scope`; variables nobody names are left out.

    Returns
    -------
    Factor
    ndarray (draw,) or (1,)
        Logarithm of what the product was divided by on the way.
    """
    log: Floats = np.zeros(1)
    waiting = sorted(factors, key=lambda factor: factor[1].size)
    if not waiting:
        return ((), np.ones(())), log
    while len(waiting) > 1:
        first, second = waiting.pop(0), waiting.pop(0)
        later = {variable for other in waiting for variable in other[0]}
        product = _pair(first, second, later.union(scope))
        if (waiting and not EASY < np.abs(product[1]).max() < 1.0 / EASY) or DRAW in product[0]:
            product, more = _scaled(product)
            log = log + more
        waiting.append(product)
        waiting.sort(key=lambda factor: factor[1].size)
    return _summed(waiting[0], scope), log


def _summed(factor: Factor, scope: Collection[int]) -> Factor:
    variables, values = factor
    axes = tuple(axis for axis, variable in enumerate(variables) if variable not in scope)
    if not axes:
        return factor
    total = values.sum(axis=axes)
    if values.size and values.min() < 0.0:
        total = np.where(np.abs(total) <= CANCELLATION * np.abs(values).sum(axis=axes), 0.0, total)
    return tuple(variable for variable in variables if variable in scope), np.asarray(total)


def _pair(first: Factor, second: Factor, scope: Collection[int]) -> Factor:
    """Multiply two factors and sum out what neither `scope` holds: one matrix product."""
    one, two = _alone(first, second[0], scope), _alone(second, first[0], scope)
    if DRAW in one[0] or DRAW in two[0]:
        return _pair_drawn(one, two, scope)
    both = [variable for variable in one[0] if variable in two[0]]
    batch = [variable for variable in both if variable in scope]
    inner = [variable for variable in both if variable not in scope]
    left = [variable for variable in one[0] if variable not in both]
    right = [variable for variable in two[0] if variable not in both]
    a, shape_a = _blocks(one, batch, left, inner)
    b, shape_b = _blocks(two, batch, inner, right)
    product = np.matmul(a, b) if inner else a * b
    if inner and (a.min() < 0.0 or b.min() < 0.0):
        # The product of the lengths bounds every sum of terms (Cauchy and Schwarz): cheap to ask first.
        bound = np.sqrt((a * a).sum(axis=2)[:, :, None] * (b * b).sum(axis=1)[:, None, :])
        if np.any(np.abs(product) < 2.0 * CANCELLATION * bound):
            whole = np.matmul(np.abs(a), np.abs(b))
            product = np.where(np.abs(product) <= CANCELLATION * whole, 0.0, product)
    shape = (*shape_a[: len(batch) + len(left)], *shape_b[len(batch) + len(inner) :])
    return (*batch, *left, *right), product.reshape(shape)


def _pair_drawn(one: Factor, two: Factor, scope: Collection[int]) -> Factor:
    """The same for many draws: these lie last, so that the loops of numpy run along them."""
    both = [variable for variable in one[0] if variable in two[0] and variable != DRAW]
    batch = [variable for variable in both if variable in scope]
    inner = [variable for variable in both if variable not in scope]
    left = [variable for variable in one[0] if variable not in both and variable != DRAW]
    right = [variable for variable in two[0] if variable not in both and variable != DRAW]
    a, sizes_a = _drawn_blocks(one, inner, batch, left)
    b, sizes_b = _drawn_blocks(two, inner, batch, right)
    a, b = a[:, :, :, None, :], b[:, :, None, :, :]
    signed = a.min() < 0.0 or b.min() < 0.0
    product = a[0] * b[0]
    whole = np.abs(product) if signed and inner else None
    for step in range(1, len(a)):
        term = a[step] * b[step]
        product += term
        if whole is not None:
            whole += np.abs(term)
    if whole is not None:
        product = np.where(np.abs(product) <= CANCELLATION * whole, 0.0, product)
    sizes = {**sizes_a, **sizes_b}
    variables = (*batch, *left, *right)
    shape = [sizes[variable] for variable in variables]
    return (*variables, DRAW), product.reshape(*shape, product.shape[-1])


def _drawn_blocks(
    factor: Factor, inner: Sequence[int], batch: Sequence[int], alone: Sequence[int]
) -> tuple[Floats, dict[int, int]]:
    """Return the array as (inner, batch, alone, draw) and the size of each variable."""
    variables, values = factor
    sizes = dict(zip(variables, values.shape, strict=True))
    order = [variables.index(v) for v in (*inner, *batch, *alone, *((DRAW,) if DRAW in variables else ()))]
    blocks = [math.prod(sizes[variable] for variable in group) for group in (inner, batch, alone)]
    return values.transpose(order).reshape(*blocks, sizes.get(DRAW, 1)), sizes


def _alone(factor: Factor, other: Collection[int], scope: Collection[int]) -> Factor:
    """Sum out what only this factor has and nobody asks for."""
    return _summed(factor, {*other, *scope})


def _blocks(
    factor: Factor, batch: Sequence[int], rows: Sequence[int], columns: Sequence[int]
) -> tuple[Floats, list[int]]:
    """Return the array as (batch, rows, columns) and the shape it had in that order."""
    variables, values = factor
    moved = values.transpose([variables.index(variable) for variable in (*batch, *rows, *columns)])
    shape = list(moved.shape)
    i, j = len(batch), len(batch) + len(rows)
    return moved.reshape(math.prod(shape[:i]), math.prod(shape[i:j]), math.prod(shape[j:])), shape


def _ordered(factor: Factor, scope: Sequence[int]) -> Floats:
    """Return the array with axes as in `scope`; those it lacks have length one."""
    variables, values = factor
    present = [variable for variable in scope if variable in variables]
    moved = values.transpose([variables.index(variable) for variable in present])
    sizes = dict(zip(present, moved.shape, strict=True))
    return moved.reshape([sizes.get(variable, 1) for variable in scope])


def _scaled(factor: Factor) -> tuple[Factor, Floats]:
    """Return the factor with its largest entry, per draw, one; and the logarithm of the divisor.

    Without it long chains of evidence would underflow.
    """
    variables, values = factor
    axes = tuple(axis for axis, variable in enumerate(variables) if variable != DRAW)
    scale = np.abs(values).max(axis=axes, keepdims=True)
    with np.errstate(divide="ignore"):
        return (variables, values / np.where(scale > 0.0, scale, np.inf)), np.log(scale.reshape(-1))
