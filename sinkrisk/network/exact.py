"""The factors of a network under conditions, and the trees that answer exact questions about it.

Regions talk only through the global nodes. So evidence in a region is first summed up to one factor
over global nodes; a question about another region then needs that factor and its own ancestors,
nothing else. Families with noisy-max tables enter split into factors of two variables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions
from sinkrisk.network.noisy import product_form
from sinkrisk.network.ordering import order_cells, search_order
from sinkrisk.network.propagation import DRAW, Propagation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sinkrisk.network.propagation import Factor

    Floats = NDArray[np.float64]

EXTRA_CELLS = 3.0
"""How many times its cells evidence elsewhere may add before a question gets an order of its own."""


class Exact:
    """A network under evidence and interventions, ready for exact questions.

    Parameters
    ----------
    net : Network
    conditions : Conditions
    tables : mapping of str to ndarray, optional
        Rule -> drawn tables (draw, parent states ..., states); the stated ones where left out.

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
    ) -> None:
        self.net, self.conditions = net, conditions
        self._tables = {} if tables is None else tables
        self._split: dict[str, list[Floats] | None] = {}
        self.parents = {
            name: () if name in conditions.do else node.parents for name, node in net.nodes.items()
        }
        self.fixed = {**conditions.hard, **conditions.do}
        self.cards = [len(node.states) for node in net.nodes.values()] * 2
        self._seen: dict[str | None, list[str]] = {}
        for name in [*conditions.hard, *conditions.soft]:
            self._seen.setdefault(self._block(name), []).append(name)
        self._log_scale: Floats = np.zeros(1)
        self._summaries = {region: self._summary(region) for region in self._seen if region is not None}
        self.log_probability = self._log_scale
        if self._seen:
            self.log_probability = self._log_scale + self.question([], None).tree().collect()

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
        self._log_scale = self._log_scale + tree.log_scale
        return tree.rest()

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

    def _question(
        self,
        names: Sequence[str],
        extra: Sequence[Factor],
        keep: Collection[str],
        core: Sequence[str],
    ) -> Question:
        scopes = [*self._scopes(names), *(scope for scope, _ in extra)]
        kept = tuple(self.net.position[name] for name in keep)
        cards = self.cards
        order = self._order(self._scopes(core), kept)
        if len(core) < len(names) or extra:
            # Evidence elsewhere adds a factor over global nodes. The order found without it serves,
            # with the nodes it lacks put in front, unless that costs much more.
            known = set(order)
            added = sorted({variable for scope in scopes for variable in scope} - known - {DRAW})
            longer = [*added, *order]
            if order_cells(scopes, cards, longer) > EXTRA_CELLS * order_cells(
                self._scopes(core), cards, order
            ):
                longer = self._order(scopes, kept)
            order = longer
        return Question([*self.factors(names), *extra], cards, order, kept)

    def _order(self, scopes: Sequence[tuple[int, ...]], last: Sequence[int]) -> list[int]:
        """An elimination order, remembered by shape: regions of one shape share it.

        Families are taken whole, evidence not cut out of them: that only ever makes tables smaller,
        and so one order serves many questions.
        """
        variables = sorted({variable for scope in scopes for variable in scope} - {DRAW})
        label = {variable: index for index, variable in enumerate(variables)}
        key = (
            tuple(tuple(label[variable] for variable in scope if variable != DRAW) for scope in scopes),
            tuple(self.cards[variable] for variable in variables),
            tuple(sorted(label[variable] for variable in last)),
        )
        if key not in self.net.orders:
            self.net.orders[key] = search_order(key[0], key[1], last=key[2])[0]
        return [variables[index] for index in self.net.orders[key]]

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
            aux = len(self.net) + self.net.position[name]
            states = self.cards[self.net.position[name]]
            difference = np.eye(states) - np.eye(states, k=-1)
            found.append(self._sliced((name,), difference, aux))
            for parent, values in zip(family[:-1], parts, strict=True):
                found.append(self._sliced((parent,), values, aux))
        return found

    def _sliced(self, family: Sequence[str], values: Floats, aux: int | None = None) -> Factor:
        """Cut evidence out of an array: (draw,) if there is one, the family, (the auxiliary)."""
        drawn = values.ndim > len(family) + (aux is not None)
        index = tuple(self.fixed.get(member, slice(None)) for member in family)
        scope = [self.net.position[member] for member in family if member not in self.fixed]
        whole = (*scope, *(() if aux is None else (aux,)))
        cut = np.asarray(values[((slice(None),) if drawn else ()) + index])
        if not drawn:
            return whole, cut
        return (*whole, DRAW), np.ascontiguousarray(np.moveaxis(cut, 0, -1))

    def _table(self, name: str) -> Floats:
        return self._tables.get(self.net.nodes[name].rule, self.net.tables[name])

    def splits(self, name: str) -> bool:
        """Return whether the node's table is a product over its parents and enters in factors."""
        return self._parts(name) is not None

    def _parts(self, name: str) -> list[Floats] | None:
        rule = self.net.nodes[name].rule
        if rule not in self._split:
            if rule in self._tables:
                known = self.net.rules[rule].noisy is not None
                self._split[rule] = product_form(self._tables[rule], drawn=True, known=known)
            else:
                if rule not in self.net.split_tables:
                    self.net.split_tables[rule] = product_form(self.net.tables[name])
                self._split[rule] = self.net.split_tables[rule]
        return self._split[rule]

    def _scopes(self, names: Sequence[str]) -> list[tuple[int, ...]]:
        scopes: list[tuple[int, ...]] = []
        for name in names:
            own = self.net.position[name]
            above = tuple(self.net.position[parent] for parent in self.parents[name])
            if above and self._parts(name) is not None:
                scopes += [(len(self.net) + own, member) for member in (*above, own)]
            else:
                scopes.append((*above, own))
        return scopes


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
