"""How large exact inference gets: the tables that summing a network up would need

Regions that talk through global nodes alone are summed up one by one (see `exact`), so a network is
as large as the largest of its regions, evidence apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinkrisk.network.factors import bucket_scopes
from sinkrisk.network.noisy import product_form
from sinkrisk.network.ordering import search_order

if TYPE_CHECKING:
    from sinkrisk.network.building import Network

TRIALS = 2
"""Orders tried first; `MORE_TRIALS` when they are too large."""
MORE_TRIALS = 24


def chain_scopes(above: Sequence[int], own: int, links: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the variables of each factor of a chain of maxima, see `noisy.chain`.

    Examples
    --------
    >>> chain_scopes((0, 1, 2), 3, (4, 5))
    [(0, 4), (1, 4, 5), (2, 5, 3)]
    """
    largest = [*links, own]
    return [(parent, *largest[max(number - 1, 0) : number + 1]) for number, parent in enumerate(above)]


def largest_table(net: Network, limit: int, *, chained: bool = False) -> tuple[int, list[str]]:
    """Return the cells of the largest table that marginals of all nodes need, and its nodes.

    Parameters
    ----------
    net : Network
    limit : int
        Cells from which more orders are tried.
    chained : bool
        Take noisy-max families as chains of maxima instead of products.
    """
    worst: tuple[int, list[str]] = (1, [])
    seen = set()
    for names in _parts(net):
        scopes, cards = _scopes(net, names, chained)
        label = {variable: index for index, variable in enumerate(sorted({v for s in scopes for v in s}))}
        # Regions of one shape cost the same.
        shape = tuple(tuple((label[variable], cards[variable]) for variable in scope) for scope in scopes)
        if shape in seen:
            continue
        seen.add(shape)
        for trials in (TRIALS, MORE_TRIALS):
            order = search_order(scopes, cards, trials=trials)[0]
            buckets = bucket_scopes(scopes, order)[1].values()
            clique = max(buckets, key=lambda scope: math.prod(cards[member] for member in scope), default=())
            cells = math.prod(cards[member] for member in clique)
            if cells <= limit:
                break
        if cells > worst[0]:
            found = [net.order[member] for member in clique if member < len(net)]
            worst = (cells, found)
    return worst


def _parts(net: Network) -> list[list[str]]:
    regions = list(dict.fromkeys(node.region for node in net.nodes.values() if node.region is not None))
    if not net.regions_apart or not regions:
        return [list(net.order)]
    return [[name for name, node in net.nodes.items() if node.region in (None, region)] for region in regions]


def _scopes(net: Network, names: Sequence[str], chained: bool) -> tuple[list[tuple[int, ...]], list[int]]:
    cards = [len(node.states) for node in net.nodes.values()] * 2
    scopes: list[tuple[int, ...]] = []
    for name in names:
        node, own = net.nodes[name], net.position[name]
        above = tuple(net.position[parent] for parent in node.parents)
        if node.rule not in net.split_tables:
            net.split_tables[node.rule] = product_form(net.tables[name])
        if net.split_tables[node.rule] is None:
            scopes.append((*above, own))
        elif chained:
            links = range(len(cards), len(cards) + len(above) - 1)
            cards += [len(node.states)] * len(links)
            scopes += chain_scopes(above, own, links)
        else:
            scopes += [(len(net) + own, member) for member in (*above, own)]
    return scopes, cards
