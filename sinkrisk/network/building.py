"""The expanded network: nodes, parents and tables as arrays, with a pgmpy model behind them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.tables import TableRule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


NEAR_ONE = 1e-9
"""How far a row of a table given as an array may miss one."""
SUMS = 1e-5
"""How far a row of a table may miss one."""


@dataclass(frozen=True)
class Node:
    """One node of an expanded network.

    Parameters
    ----------
    name : str
        ``base[__class][__region][__period]``.
    base : str
        Its name in the file.
    kind : str
        global | regional | class.
    region, period, cls : str or None
    group : str
        policy | market | acceptance | deployment | climate.
    states, parents : tuple of str
        Parents in the order of the table's axes.
    favourable : str
        Whether the ``first`` or the ``last`` state is the favourable end.
    rule : str
        Key of its table in `Network.rules`.
    rationale, source, locator : str
    equivalent_sample_size : float
    """

    name: str
    base: str
    kind: str
    region: str | None
    period: str | None
    cls: str | None
    group: str
    states: tuple[str, ...]
    parents: tuple[str, ...]
    favourable: str
    rule: str
    rationale: str
    source: str
    locator: str
    equivalent_sample_size: float


class Network:
    """An expanded discrete Bayesian network.

    It holds its tables as arrays and builds the pgmpy model on first use. The class wraps
    `pgmpy.models.DiscreteBayesianNetwork`; it does not derive from it.

    Parameters
    ----------
    nodes : iterable of Node
        In any order that has an order of parents before children.
    rules : mapping of str to TableRule
    name, description : str
    plates : mapping of str to sequence of str, optional
        Class, region, period -> the values its file knows, of which the nodes may be a part.

    Attributes
    ----------
    nodes : mapping of str to Node
    order : tuple of str
        Parents before children; the columns of u follow it.
    tables : mapping of str to ndarray
        Stated table of each node: parent axes in the order of `Node.parents`, own state last.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        rules: Mapping[str, TableRule],
        *,
        name: str = "network",
        description: str = "",
        plates: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        given = {node.name: node for node in nodes}
        self.name, self.description = name, description
        self.plates: Mapping[str, tuple[str, ...]] = MappingProxyType(
            {plate: tuple(values) for plate, values in (plates or {}).items()}
        )
        self.order: tuple[str, ...] = _topological(given)
        self.nodes: Mapping[str, Node] = MappingProxyType({node: given[node] for node in self.order})
        self.rules: Mapping[str, TableRule] = MappingProxyType(dict(rules))
        found = Problems()
        for key, rule in self.rules.items():
            rule.mean.setflags(write=False)
            # Written so that what is not a number is caught too.
            if not (np.all(rule.mean >= 0.0) and np.all(np.abs(rule.mean.sum(axis=-1) - 1.0) <= SUMS)):
                found.add(
                    f"table '{key}' is no table of probabilities", allowed="none negative, rows sum to 1"
                )
        found.raise_if_any()
        self.tables: Mapping[str, NDArray[np.float64]] = MappingProxyType(
            {node: self.rules[given[node].rule].mean for node in self.order}
        )

    def __len__(self) -> int:
        return len(self.order)

    def __repr__(self) -> str:
        return f"Network('{self.name}', {len(self)} nodes, {len(self.rules)} tables)"

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Column of each node in u and in state arrays."""
        return MappingProxyType({name: index for index, name in enumerate(self.order)})

    @cached_property
    def states(self) -> Mapping[str, tuple[str, ...]]:
        """States of each node, in the order of their codes."""
        return MappingProxyType({name: node.states for name, node in self.nodes.items()})

    @cached_property
    def cumulative_tables(self) -> dict[str, NDArray[np.float64]]:
        """Cumulative probabilities per rule, filled by `sampling` as they are needed."""
        return {}

    @cached_property
    def split_tables(self) -> dict[str, list[NDArray[np.float64]] | None]:
        """Factors per rule whose table is a product (see `noisy.product_form`), filled as needed."""
        return {}

    @cached_property
    def orders(self) -> dict[Any, tuple[int, ...]]:
        """Elimination orders by shape of the question, filled by `exact` as they are needed."""
        return {}

    @cached_property
    def regions_apart(self) -> bool:
        """Whether no node has a parent in another region, and no global node one in any."""
        return all(
            self.nodes[parent].region in (None, node.region)
            for node in self.nodes.values()
            for parent in node.parents
        )

    @cached_property
    def model(self) -> Any:
        """The network as a `pgmpy.models.DiscreteBayesianNetwork`, checked; built once."""
        return pgmpy_model(
            {name: node.parents for name, node in self.nodes.items()}, self.states, self.tables
        )

    def ancestors(self, names: Iterable[str], parents: Mapping[str, Sequence[str]] | None = None) -> set[str]:
        """Return the named nodes and everything upstream of them (in `parents`, if given)."""
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(self.nodes[name].parents if parents is None else parents[name])
        return seen

    def with_tables(self, tables: Mapping[str, NDArray[np.float64]]) -> Network:
        """Return the same network with other tables, taken as certain: one draw of a bank, say."""
        rules: dict[str, TableRule] = {}
        for name, node in self.nodes.items():
            table = np.asarray(tables.get(name, self.tables[name]), dtype=float)
            if table.shape != self.tables[name].shape:
                raise InputError(
                    Problem(f"table of '{name}'", got=table.shape, allowed=str(self.tables[name].shape))
                )
            rules.setdefault(
                name, TableRule(name, table.copy(), float("inf"), self.rules[node.rule].correlation)
            )
        nodes = [dataclasses.replace(node, rule=name) for name, node in self.nodes.items()]
        return Network(nodes, rules, name=self.name, description=self.description, plates=self.plates)


def pgmpy_model(
    parents: Mapping[str, Sequence[str]],
    states: Mapping[str, Sequence[str]],
    tables: Mapping[str, NDArray[np.float64]],
) -> Any:
    """Return a checked pgmpy model of nodes given as parents, states and tables."""
    with warnings.catch_warnings():
        # pgmpy announces a renamed default on import; nothing here uses it.
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork

    model = DiscreteBayesianNetwork()
    model.add_nodes_from(list(parents))
    model.add_edges_from([(parent, child) for child, above in parents.items() for parent in above])
    cpds = []
    for name, above in parents.items():
        table = tables[name]
        cpds.append(
            TabularCPD(
                name,
                len(states[name]),
                table.reshape(-1, table.shape[-1]).T.copy(),
                evidence=list(above) or None,
                evidence_card=[len(states[parent]) for parent in above] or None,
                state_names={node: list(states[node]) for node in (name, *above)},
            )
        )
    model.add_cpds(*cpds)
    model.check_model()
    return model


def _topological(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Parents before children, keeping the given order where it is free."""
    done: dict[str, None] = {}
    path: dict[str, None] = {}

    def visit(start: str) -> None:
        stack = [(start, iter(nodes[start].parents))]
        path[start] = None
        while stack:
            name, waiting = stack[-1]
            for parent in waiting:
                if parent not in nodes:
                    raise InputError(
                        Problem(f"node '{name}': unknown parent", got=parent, allowed=list(nodes))
                    )
                if parent in path:
                    trail = list(path)
                    cycle = [*trail[trail.index(parent) :], parent][::-1]
                    raise InputError(Problem("cycle", got=" -> ".join(cycle), hint="drop one of the parents"))
                if parent not in done:
                    path[parent] = None
                    stack.append((parent, iter(nodes[parent].parents)))
                    break
            else:
                stack.pop()
                del path[name]
                done[name] = None

    for name in nodes:
        if name not in done:
            visit(name)
    return tuple(done)


def network_from_tables(
    states: Mapping[str, Sequence[str]],
    parents: Mapping[str, Sequence[str]],
    tables: Mapping[str, ArrayLike],
    *,
    equivalent_sample_size: float = float("inf"),
    correlation: float = 0.0,
    name: str = "network",
) -> Network:
    """Build a network from arrays.

    Parameters
    ----------
    states : mapping
        Node -> its states.
    parents : mapping
        Node -> its parents, in the order of the table's axes; left out: none.
    tables : mapping
        Node -> array (parent states ..., states).
    equivalent_sample_size, correlation : float
        Doubt about every table (infinite: none), see `tables.TableRule`.

    Raises
    ------
    InputError
        All at once: names and states that are none, unknown or doubled ones, a missing table, a wrong
        shape, numbers that are no probabilities, rows that do not sum to one, a size or correlation
        out of range; then a cycle.

    Examples
    --------
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> net.order
    ('rain', 'wet')
    """
    size, found = equivalent_sample_size, Problems()
    if isinstance(size, bool) or not isinstance(size, (int, float, np.number)) or not size > 0.0:
        allowed = "a positive number of judgements, or inf"
        found.add("equivalent sample size", got=size, allowed=allowed, key="equivalent_sample_size")
    if (
        isinstance(correlation, bool)
        or not isinstance(correlation, (int, float, np.number))
        or not 0.0 <= correlation <= 1.0
    ):
        found.add("correlation of rows", got=correlation, allowed="0 to 1", key="correlation")
    for what, value in (("states", states), ("parents", parents), ("tables", tables)):
        if not isinstance(value, Mapping):
            found.add(f"{what} are no mapping of nodes", got=type(value).__name__, key=what)
    found.raise_if_any()
    if not states:
        found.add("no nodes", got={}, key="states")
    for what, keys in (("parents", parents), ("tables", tables)):
        for key in keys:
            if key not in states:
                found.add(f"{what} of an unknown node", got=key, allowed=list(states), key=what)
    sound = {key: _labels(key, values, found) for key, values in states.items()}
    nodes: list[Node] = []
    rules: dict[str, TableRule] = {}
    for key, values in states.items():
        above = _above(key, parents.get(key, ()), states, found)
        if key not in tables:
            found.add(f"node '{key}' has no table", allowed=list(tables), key="tables")
            continue
        if above is None or not all(sound.get(name, False) for name in (key, *above)):
            continue
        table = _probabilities(key, tables[key], above, states, found)
        if table is not None:
            rules[key] = TableRule(key, table, float(size), float(correlation))
        nodes.append(
            Node(
                key, key, "global", None, None, None, "policy", tuple(values), above, "last", key, "", "", "",
                float(size),
            )
        )  # fmt: skip
    found.raise_if_any()
    return Network(nodes, rules, name=name)


def _labels(key: str, values: Sequence[str], found: Problems) -> bool:
    """Whether the states of a node are names, two or more, none twice; told where not."""
    before = len(found.found)
    if not isinstance(key, str) or not key:
        found.add("name of a node is no text", got=key, key="states")
    if isinstance(values, str) or not isinstance(values, Iterable):
        found.add(f"node '{key}': states are no list of names", got=values, hint="['no', 'yes'], for example")
        return False
    names = list(values)
    if not names:
        found.add(f"node '{key}': no states", got=names)
    for state in names:
        if not isinstance(state, str) or not state:
            found.add(f"node '{key}': name of a state is no text", got=state)
    if len(found.found) == before and len(set(names)) < len(names):
        found.add(f"node '{key}': state given twice", got=", ".join(names))
    return len(found.found) == before


def _above(
    key: str, given: Sequence[str], states: Mapping[str, Sequence[str]], found: Problems
) -> tuple[str, ...] | None:
    if isinstance(given, str) or not isinstance(given, Iterable):
        found.add(f"node '{key}': parents are no list of nodes", got=given, hint=f"[{given!r}]")
        return None
    above = tuple(given)
    before = len(found.found)
    for parent in dict.fromkeys(above):
        if parent not in states:
            found.add(f"node '{key}': unknown parent", got=parent, allowed=list(states))
        if above.count(parent) > 1:
            found.add(f"node '{key}': parent given twice", got=parent)
    return above if len(found.found) == before else None


def _probabilities(
    key: str,
    given: ArrayLike,
    above: Sequence[str],
    states: Mapping[str, Sequence[str]],
    found: Problems,
) -> NDArray[np.float64] | None:
    try:
        table = np.array(given, dtype=float)
    except (ValueError, TypeError):
        found.add(f"node '{key}': table is no array of numbers", got=repr(given)[:60])
        return None
    shape = tuple(len(states[name]) for name in (*above, key))
    if table.shape != shape:
        found.add(f"node '{key}': shape of the table", got=table.shape, allowed=str(shape))
        return None
    # Written so that what is not a number is caught too.
    outside = ~((table >= 0.0) & (table <= 1.0 + NEAR_ONE))
    if outside.any():
        found.add(f"node '{key}': probability out of range", got=float(table[outside][0]), allowed="0 to 1")
        return None
    sums = table.sum(axis=-1)
    wrong = np.argwhere(np.abs(sums - 1.0) > NEAR_ONE)
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        place = ", ".join(f"{p}={list(states[p])[i]}" for p, i in zip(above, at, strict=True))
        more = f", and {len(wrong) - 1} more rows" if len(wrong) > 1 else ""
        hint = f"for {place}{more}" if place else None
        got = round(float(sums[at]), 9)
        found.add(f"node '{key}': probabilities do not sum to one", got=got, allowed="1", hint=hint)
        return None
    return table
