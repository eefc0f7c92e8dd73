"""The factors of a network under conditions, and the trees that answer exact questions about it.

Regions talk only through the global nodes. So evidence in a region is first summed up to one factor
over global nodes; a question about another region then needs that factor and its own ancestors,
nothing else. Families with noisy-max tables enter split into factors of two variables, or, where
that would lose tiny probabilities, as a chain of maxima.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions
from sinkrisk.network.drawn_sums import SumPlan
from sinkrisk.network.noisy import chain, loses_little, product_form, push_form
from sinkrisk.network.ordering import order_cells, search_order
from sinkrisk.network.propagation import DRAW, MAX_CLIQUE_CELLS, Propagation
from sinkrisk.network.sizing import chain_scopes, largest_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sinkrisk.network.propagation import Factor

    Floats = NDArray[np.float64]
    Parts = tuple[bool, list[Floats]]

EXTRA_CELLS = 3.0
"""How many times its cells evidence elsewhere may add before a question gets an order of its own."""
CHAINED_CELLS = MAX_CLIQUE_CELLS // 4
"""Largest table of the network up to which noisy-max families may be chains; else they stay split."""


class Exact:
    """A network under evidence and interventions, ready for exact questions.

    Parameters
    ----------
    net : Network
    conditions : Conditions
    tables : mapping of str to ndarray, optional
        Rule -> drawn tables (draw, parent states ..., states); the stated ones where left out.
    support : bool
        Put every probability above nought to the same, in place of `tables`: what is then
        impossible is so by the zeros of the tables, not by rounding.
    summed : bool
        Sum the evidence up, region by region; else `log_probability` stays nought, and only `whole`
        may be asked.

    Attributes
    ----------
    log_probability : ndarray (draw,)
        Logarithm of the probability of the evidence, -inf where impossible.
    """

    def __init__(
        self,
        net: Network,
        conditions: Conditions,
        tables: Mapping[str, Floats] | None = None,
        *,
        support: bool = False,
        summed: bool = True,
    ) -> None:
        self.net, self.conditions = net, conditions
        self._tables = {} if tables is None else tables
        self._support = support
        self._split: dict[str, Parts | None] = {}
        self._links: dict[str, list[int]] = {}
        self.parents = {
            name: () if name in conditions.do else node.parents for name, node in net.nodes.items()
        }
        self.fixed = {**conditions.hard, **conditions.do}
        self.cards = [len(node.states) for node in net.nodes.values()] * 2
        self._seen: dict[str | None, list[str]] = {}
        for name in [*conditions.hard, *conditions.soft] if summed else ():
            self._seen.setdefault(self._block(name), []).append(name)
        self._log_scale: Floats = np.zeros(1)
        self._summaries = {region: self._summary(region) for region in self._seen if region is not None}
        self.log_probability = self._log_scale
        if self._seen:
            tree = self.question([], None).tree()
            tree.collect()
            self.log_probability = self._log_scale + tree.total()

    def _block(self, name: str) -> str | None:
        return self.net.nodes[name].region if self.net.regions_apart else None

    def _summary(self, region: str) -> Factor:
        """Sum the region's evidence up to a factor over global nodes; count its scale."""
        names = self.net.ancestors(self._seen[region], self.parents)
        mine = [name for name in self.net.order if name in names and self._block(name) == region]
        keep = {
            parent
            for name in mine
            for parent in self.parents[name]
            if self._block(parent) != region and parent not in self.fixed
        }
        question = self._question(mine, (), sorted(keep), mine)
        tree = question.tree()
        tree.collect()
        factor, log_scale = tree.rest()
        self._log_scale = self._log_scale + log_scale
        return factor

    def question(self, targets: Iterable[str], region: str | None, keep: Collection[str] = ()) -> Question:
        """Return what has to be summed for the marginals of targets of one region.

        Parameters
        ----------
        targets : iterable of str
        region : str or None
            Their region; None for global nodes only.
        keep : collection of str
            Nodes not summed out.
        """
        others = [factor for name, factor in self._summaries.items() if name != region]
        order = self.net.order
        here = [*targets, *self._seen.get(None, ()), *(self._seen.get(region, ()) if region else ())]
        there = [order[variable] for scope, _ in others for variable in scope if variable != DRAW]
        near = self.net.ancestors(here, self.parents)
        names = near | self.net.ancestors(there, self.parents)
        return self._question(
            [name for name in order if name in names],
            others,
            [name for name in keep if name not in self.fixed],
            [name for name in order if name in near],
        )

    def whole(self, targets: Sequence[str]) -> Question:
        """Return all that matters to targets, evidence of every region included, as one sum."""
        near = self.net.ancestors([*targets, *self.conditions.hard, *self.conditions.soft], self.parents)
        names = [name for name in self.net.order if name in near]
        return self._question(names, (), targets, names)

    def _question(
        self,
        names: Sequence[str],
        extra: Sequence[Factor],
        keep: Collection[str],
        core: Sequence[str],
    ) -> Question:
        scopes = [*self._scopes(names), *(scope for scope, _ in extra)]
        kept = tuple(self.net.position[name] for name in keep)
        factors = [*self.factors(names), *extra]
        if len(core) == len(names) and not extra:
            return Question(factors, self.cards, self._order(scopes, kept), kept)
        near = self._scopes(core)
        key, variables = self._shape(scopes, kept, near)
        if key not in self.net.orders:
            label = {variable: index for index, variable in enumerate(variables)}
            found = self._longer_order(scopes, near, kept)
            self.net.orders[key] = tuple(label[variable] for variable in found)
        return Question(factors, self.cards, [variables[index] for index in self.net.orders[key]], kept)

    def _longer_order(
        self, scopes: Sequence[tuple[int, ...]], core: Sequence[tuple[int, ...]], kept: Sequence[int]
    ) -> list[int]:
        """An elimination order where evidence elsewhere adds a factor over global nodes.

        The order found without it serves, with the nodes it lacks put in front, unless that costs
        much more.
        """
        order = self._order(core, kept)
        known = set(order)
        longer = [*sorted({variable for scope in scopes for variable in scope} - known - {DRAW}), *order]
        if order_cells(scopes, self.cards, longer) > EXTRA_CELLS * order_cells(core, self.cards, order):
            return self._order(scopes, kept)
        return longer

    def _order(self, scopes: Sequence[tuple[int, ...]], last: Sequence[int]) -> list[int]:
        """An elimination order, remembered by shape: regions of one shape share it.

        Families are taken whole, evidence not cut out of them: that only ever makes tables smaller,
        and so one order serves many questions.
        """
        key, variables = self._shape(scopes, last)
        if key not in self.net.orders:
            self.net.orders[key] = search_order(key[0], key[1], last=key[2])[0]
        return [variables[index] for index in self.net.orders[key]]

    def _shape(
        self, scopes: Sequence[tuple[int, ...]], last: Sequence[int], core: Sequence[tuple[int, ...]] = ()
    ) -> tuple[tuple[Any, ...], list[int]]:
        """Scopes, states and what stays to the last with variables renumbered, and the variables."""
        variables = sorted({variable for scope in scopes for variable in scope} - {DRAW})
        label = {variable: index for index, variable in enumerate(variables)}
        named = [tuple([label[v] for v in scope if v != DRAW]) for scope in scopes]
        cards = tuple([self.cards[variable] for variable in variables])
        key: tuple[Any, ...] = (tuple(named), cards, tuple(sorted(label[variable] for variable in last)))
        if core:
            key = (*key, tuple([tuple([label[v] for v in scope]) for scope in core]))
        return key, variables

    def factors(self, names: Sequence[str]) -> list[Factor]:
        """Return the factors of nodes, cut and conditioned."""
        found: list[Factor] = []
        for name in names:
            if name in self.conditions.soft:
                found.append(((self.net.position[name],), self.conditions.soft[name]))
            if name in self.conditions.do:
                continue
            family = (*self.net.nodes[name].parents, name)
            parts = self._parts(name)
            if parts is None:
                found.append(self._sliced(family, self._table(name)))
                continue
            found += self._split_family(name, *parts)
        return found

    def _split_family(self, name: str, chained: bool, parts: Sequence[Floats]) -> list[Factor]:
        above = self.net.nodes[name].parents
        if not chained:
            aux = len(self.net) + self.net.position[name]
            states = self.cards[self.net.position[name]]
            found = [self._sliced((name,), np.eye(states) - np.eye(states, k=-1), aux)]
            return found + [self._sliced((p,), values, aux) for p, values in zip(above, parts, strict=True)]
        links = self._chain_links(name)
        found = [self._sliced(above[:1], parts[0], links[0])]
        for number in range(1, len(above) - 1):
            found.append(self._sliced((above[number],), parts[number], links[number - 1], links[number]))
        found.append(self._sliced((above[-1], name), parts[-1].swapaxes(-1, -2), links[-1]))
        return found

    def _chain_links(self, name: str) -> list[int]:
        """Numbers of the hidden variables of a chain: the largest push so far, but for the last."""
        if name not in self._links:
            count = len(self.net.nodes[name].parents) - 1
            self._links[name] = list(range(len(self.cards), len(self.cards) + count))
            self.cards += [len(self.net.nodes[name].states)] * count
        return self._links[name]

    def _sliced(self, family: Sequence[str], values: Floats, *hidden: int) -> Factor:
        """Cut evidence out of an array: (draw,) if there is one, the family, hidden variables."""
        drawn = values.ndim > len(family) + len(hidden)
        index = tuple(self.fixed.get(member, slice(None)) for member in family)
        scope = [self.net.position[member] for member in family if member not in self.fixed]
        whole = (*scope, *hidden)
        cut = np.asarray(values[((slice(None),) if drawn else ()) + index])
        if not drawn:
            return whole, cut
        return (*whole, DRAW), np.ascontiguousarray(np.moveaxis(cut, 0, -1))

    def _table(self, name: str) -> Floats:
        table = self._tables.get(self.net.nodes[name].rule, self.net.tables[name])
        return _support(table) if self._support else table

    def splits(self, name: str) -> bool:
        """Return whether the node's table is a product over its parents and enters in factors."""
        return self._parts(name) is not None

    def _parts(self, name: str) -> Parts | None:
        """Whether the parts of a noisy-max family are a chain, and the parts; None: it is whole."""
        rule = self.net.nodes[name].rule
        if rule not in self._split:
            if rule not in self.net.split_tables:
                self.net.split_tables[rule] = product_form(self.net.tables[name])
            stated = self.net.split_tables[rule]
            if rule in self._tables and stated is None:
                # Draws of a table that is no product are not looked at: that would cost more than it saves.
                self._split[rule] = None
            elif rule in self._tables:
                known = self.net.rules[rule].noisy is not None
                parts = product_form(self._tables[rule], drawn=True, known=known)
                self._split[rule] = None if parts is None else self._best(parts, self._tables[rule], True)
            else:
                self._split[rule] = None if stated is None else self._best(stated, self.net.tables[name])
        return self._split[rule]

    def _best(self, parts: list[Floats], table: Floats, drawn: bool = False) -> Parts | None:
        if not self._support and loses_little(table):
            return False, parts
        pushes = push_form(table, drawn=drawn) if chains_fit(self.net) else None
        if pushes is None:
            return None if self._support else (False, parts)
        return True, chain([_support(push) for push in pushes] if self._support else pushes)

    def _scopes(self, names: Sequence[str]) -> list[tuple[int, ...]]:
        scopes: list[tuple[int, ...]] = []
        for name in names:
            own = self.net.position[name]
            above = tuple(self.net.position[parent] for parent in self.parents[name])
            parts = self._parts(name) if above else None
            if parts is None:
                scopes.append((*above, own))
            elif parts[0]:
                scopes += chain_scopes(above, own, self._chain_links(name))
            else:
                scopes += [(len(self.net) + own, member) for member in (*above, own)]
        return scopes


def _support(table: Floats) -> Floats:
    allowed = (table > 0.0).astype(float)
    return np.asarray(allowed / np.maximum(allowed.sum(axis=-1, keepdims=True), 1.0))


def chains_fit(net: Network) -> bool:
    """Whether exact inference stays small with every noisy-max family as a chain; asked once."""
    if "chains" not in net.orders:
        fits = largest_table(net, CHAINED_CELLS, chained=True)[0] <= CHAINED_CELLS
        # Remembered beside the orders, as one that is there or empty.
        net.orders["chains"] = (1,) if fits else ()
    return bool(net.orders["chains"])


@dataclass(frozen=True)
class Question:
    """Factors to be multiplied and summed in an order, but for the variables kept."""

    factors: Sequence[Factor]
    cards: Sequence[int]
    order: Sequence[int]
    keep: Collection[int]

    def tree(self) -> Propagation:
        """Return the tree, not yet collected."""
        return Propagation(self.factors, self.cards, self.order, keep=self.keep)

    def kept(self, plans: dict[Any, Any]) -> tuple[tuple[int, ...], Floats]:
        """Return the sums over the variables kept, up to a factor, for tables without draws.

        Parameters
        ----------
        plans : dict
            Plans by shape of the question, filled as they are needed: regions of one shape share them.
        """
        named = {variable for scope, _ in self.factors for variable in scope}
        keep = tuple(variable for variable in self.keep if variable in named)
        order = [variable for variable in self.order if variable in named]
        label = {variable: index for index, variable in enumerate([*order, *sorted(named - {*order})])}
        key = (
            "plan",
            tuple(tuple(label[variable] for variable in scope) for scope, _ in self.factors),
            tuple(self.cards[variable] for variable in label),
            tuple(label[variable] for variable in keep),
        )
        if key not in plans:
            plans[key] = SumPlan(key[1], key[2], range(len(label)), key[3])
        values = [np.asarray(array)[..., None] for _, array in self.factors]
        return keep, plans[key].sums(values, 1)[..., 0]
