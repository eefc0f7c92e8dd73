"""The network under conditions as factors that know their tables, and a sum with its derivatives.

The sum of the product of factors is linear in each factor, so one sweep up a tree of buckets and
one back give the sum and its derivative in every entry of every factor (Darwiche 2003, J. ACM
50(3)). Nothing is divided by a message, so entries of nought have theirs too, and factors may be
negative, as the parts of a noisy-max family are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import InputError, Problem
from sinkrisk.network import propagation
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions
from sinkrisk.network.noisy import loses_little, product_form
from sinkrisk.network.ordering import search_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Scope = tuple[int, ...]

SOFT = -2
WHOLE = -1
TRIALS = 12
"""Orders of elimination tried."""
SPLIT_GAIN = 4.0
"""How many times fewer cells splitting noisy-max tables must need."""


@dataclass(frozen=True)
class Piece:
    """One factor of the network under conditions.

    Parameters
    ----------
    node : str
        The node whose table (or soft evidence) it comes from.
    part : int
        `WHOLE` table, `SOFT` evidence, or from 0 the part of a split table.
    scope : tuple of int
        Variables: columns of nodes; the hidden variable of a split table has its node's column
        plus the number of nodes.
    index : tuple
        Where its values stand in the table or part: evidence and interventions fix the rest.
    values : ndarray
    """

    node: str
    part: int
    scope: Scope
    index: tuple[int | slice, ...]
    values: Floats


def graph_under(net: Network, conditions: Conditions) -> dict[str, tuple[str, ...]]:
    """Return the parents of each node, the edges into interventions cut."""
    return {name: () if name in conditions.do else node.parents for name, node in net.nodes.items()}


def table_pieces(
    net: Network,
    conditions: Conditions,
    relevant: Collection[str],
    split: Mapping[str, Sequence[Floats]] | None = None,
) -> tuple[list[Piece], list[int]]:
    """Return the factors of the relevant nodes, cut and conditioned, and every variable's states.

    Parameters
    ----------
    net : Network
    conditions : Conditions
    relevant : collection of str
        Closed under parents.
    split : mapping, optional
        Node -> parts whose product is its cumulative table: one (parent states, states) for each
        parent, and possibly one more (states,) in front.
    """
    fixed = {**conditions.hard, **conditions.do}
    split = split or {}
    pieces: list[Piece] = []

    def add(node: str, part: int, members: Sequence[str], values: Floats, hidden: bool = False) -> None:
        index = tuple(fixed.get(member, slice(None)) for member in members)
        scope = tuple(net.position[member] for member in members if member not in fixed)
        if hidden:
            scope = (*scope, len(net) + net.position[node])
        pieces.append(Piece(node, part, scope, index, np.asarray(values[index])))

    for name in net.order:
        if name not in relevant:
            continue
        if name in conditions.soft:
            add(name, SOFT, (name,), conditions.soft[name])
        if name in conditions.do:
            continue
        parents = net.nodes[name].parents
        if name not in split:
            add(name, WHOLE, (*parents, name), net.tables[name])
            continue
        parts = split[name]
        extra = len(parts) - len(parents)
        for part, values in enumerate(parts):
            add(name, part, () if part < extra else (parents[part - extra],), values, hidden=True)
        # A state's probability is the cumulative one there, less the one of the state below.
        states = len(net.nodes[name].states)
        add(name, len(parts), (name,), np.eye(states) - np.eye(states, k=-1), hidden=True)
    return pieces, [len(node.states) for node in net.nodes.values()] * 2


def network_pieces(
    net: Network, conditions: Conditions, relevant: Collection[str], last: Collection[int] = ()
) -> tuple[list[Piece], list[int], tuple[int, ...]]:
    """Return the factors of the relevant nodes, every variable's states and an order.

    Tables that are products over their parents (noisy-max) are split where that makes the tables
    of the order much smaller.

    Parameters
    ----------
    net : Network
    conditions : Conditions
    relevant : collection of str
        Closed under parents.
    last : collection of int
        Variables that must come last in the order.
    """
    tables = {n: product_form(net.tables[n]) for n in relevant if n not in conditions.do}
    parts = {
        name: values
        for name, values in tables.items()
        if values is not None and loses_little(net.tables[name])
    }
    options = []
    for split in (None, parts) if parts else (None,):
        pieces, cards = table_pieces(net, conditions, relevant, split)
        scopes = [piece.scope for piece in pieces]
        order, cells = search_order(scopes, cards, last=sorted(last), trials=TRIALS)
        options.append((cells, pieces, cards, order))
    # Splitting has to pay: subtracting the parts from each other costs the last digits.
    best = options[0] if options[0][0] <= SPLIT_GAIN * options[-1][0] else options[-1]
    return best[1:]


def bucket_scopes(scopes: Sequence[Scope], order: Sequence[int]) -> tuple[dict[int, int], dict[int, Scope]]:
    """Return each variable's place in the order, and the variables of its bucket in that order."""
    rank = {variable: at for at, variable in enumerate(order)}
    members: dict[int, set[int]] = {variable: {variable} for variable in order}
    for scope in scopes:
        if scope:
            members[min(scope, key=rank.__getitem__)].update(scope)
    found: dict[int, Scope] = {}
    for variable in order:
        found[variable] = tuple(sorted(members.pop(variable), key=rank.__getitem__))
        if len(found[variable]) > 1:
            members[found[variable][1]].update(found[variable][1:])
    return rank, found


def refuse_large(scopes: Collection[Scope], cards: Sequence[int], what: str, hint: str) -> None:
    """Raise when a table over one of the scopes would pass `propagation.MAX_CLIQUE_CELLS`."""
    sizes = [(math.prod(cards[member] for member in scope), len(scope)) for scope in scopes]
    cells, nodes = max(sizes, default=(1, 0))
    if cells > propagation.MAX_CLIQUE_CELLS:
        raise InputError(
            Problem(
                f"{what} would need too large a table",
                got=f"{cells} cells over {nodes} nodes",
                allowed=f"up to {propagation.MAX_CLIQUE_CELLS} cells",
                hint=hint,
            )
        )


@dataclass(frozen=True)
class Gradients:
    """A sum of products and its derivatives, all still to be multiplied by exp(log_scale).

    Parameters
    ----------
    total, log_scale : float
    gradients : list of ndarray
        Derivative of the total in every entry of every factor.
    """

    total: float
    log_scale: float
    gradients: list[Floats]


def sum_gradients(
    factors: Sequence[tuple[Scope, Floats]], cards: Sequence[int], order: Sequence[int]
) -> Gradients:
    """Return the sum of the product of factors over all variables, and its derivatives.

    Parameters
    ----------
    factors : sequence of (tuple of int, ndarray)
        Axes of an array follow its variables.
    cards : sequence of int
        States of each variable.
    order : sequence of int
        Order of elimination: every variable that a factor names, once.

    Raises
    ------
    InputError
        When a table of more than `propagation.MAX_CLIQUE_CELLS` cells is needed.

    Examples
    --------
    >>> both = sum_gradients([((0,), np.array([2.0, 0.0])), ((0,), np.array([1.0, 4.0]))], [2], [0])
    >>> [round(float(value), 12) for value in both.gradients[0] * np.exp(both.log_scale)]
    [1.0, 4.0]
    """
    scopes = [scope for scope, _ in factors]
    # Each factor is brought to one first: many tiny ones may meet in one bucket.
    peaks = [float(np.abs(array).max()) or 1.0 for _, array in factors]
    values = [np.asarray(array, dtype=float) / peak for (_, array), peak in zip(factors, peaks, strict=True)]
    rank, bucket = bucket_scopes(scopes, order)
    refuse_large(bucket.values(), cards, "exact inference", "give less evidence at once, or thin out parents")
    waiting: dict[int, list[int]] = {variable: [] for variable in order}
    roots: list[int] = []

    def place(number: int) -> None:
        if scopes[number]:
            waiting[min(scopes[number], key=rank.__getitem__)].append(number)
        else:
            roots.append(number)

    def fitted(number: int, scope: Scope) -> Floats:
        return aligned(scopes[number], values[number], scope, rank)

    for number in range(len(factors)):
        place(number)
    messages: dict[int, tuple[int, float]] = {}
    log_scale = sum(math.log(peak) for peak in peaks)
    for variable in order:
        scope = bucket[variable]
        shape = [cards[member] for member in scope]
        message = _product(np.ones(shape), [fitted(number, scope) for number in waiting[variable]]).sum(
            axis=0
        )
        scale = float(np.abs(message).max()) or 1.0
        log_scale += math.log(scale)
        messages[variable] = (len(values), scale)
        values.append(message / scale)
        scopes.append(scope[1:])
        place(len(values) - 1)
    constants = np.array([float(values[number]) for number in roots])
    found = {number: np.asarray(np.prod(np.delete(constants, at))) for at, number in enumerate(roots)}
    for variable in reversed(order):
        scope = bucket[variable]
        number, scale = messages[variable]
        above = np.broadcast_to(found[number] / scale, [cards[member] for member in scope])
        parts = {number: fitted(number, scope) for number in waiting[variable]}
        product: Floats | None = None
        for number, part in parts.items():
            if np.all(part != 0.0):
                # One product serves them all: what a factor lacks is summed out, then it is divided.
                product = _product(above, list(parts.values())) if product is None else product
                found[number] = _collapsed(product, scope, scopes[number], rank) / values[number]
            else:
                others = _product(above, [other for at, other in parts.items() if at != number])
                found[number] = _collapsed(others, scope, scopes[number], rank)
    gradients = [found[number] / peak for number, peak in enumerate(peaks)]
    return Gradients(float(np.prod(constants)), log_scale, gradients)


def _product(first: Floats, others: Sequence[Floats]) -> Floats:
    result = np.array(first)
    for values in others:
        result *= values
    return result


def aligned(scope: Scope, values: Floats, onto: Scope, rank: Mapping[int, int]) -> Floats:
    """Return a factor's values with the axes of a bucket, of length one where it has none."""
    axes = sorted(range(len(scope)), key=lambda axis: rank[scope[axis]])
    sizes = dict(zip(scope, values.shape, strict=True))
    return values.transpose(axes).reshape([sizes.get(member, 1) for member in onto])


def _collapsed(product: Floats, onto: Scope, scope: Scope, rank: Mapping[int, int]) -> Floats:
    """Sum a table over the variables that a factor has not; its axes in the factor's order."""
    summed = product.sum(axis=tuple(axis for axis, member in enumerate(onto) if member not in scope))
    axes = sorted(range(len(scope)), key=lambda axis: rank[scope[axis]])
    return np.asarray(summed.transpose(np.argsort(axes)))
