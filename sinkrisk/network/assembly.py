"""What a network file says, checked as a whole and turned into a network.

Every reader hands over its nodes as written; what is wrong with names, parents and tables is told
here, once for all formats, with node and line and all at once.
"""

from __future__ import annotations

import graphlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sinkrisk.errors import Problems
from sinkrisk.network.building import Network
from sinkrisk.network.properties import Labels, labelled_network
from sinkrisk.network.telling import near_names

KEPT_AS_IT_IS = 1e-9
"""A row of probabilities that misses one by no more is kept to the last bit."""
SUM_TOLERANCE = 1e-5
"""How far a row may miss one; it is then divided by its sum. Other programs write six digits."""


@dataclass
class WrittenNode:
    """One node as a file has it.

    Parameters
    ----------
    name : str
    line : int
    states, parents : sequence of str
    numbers : list of float or None
        The table in the file's order, the last parent changing faster than those before it.
    table_line : int
    child_fastest : bool
        Whether the node's own states change fastest (XDSL, BIFXML) or slowest (BIF's ``table``).
    told : bool
        What is wrong with the table has been said already.
    labels : Labels
    """

    name: str
    line: int
    states: Sequence[str]
    parents: Sequence[str]
    numbers: list[float] | None
    table_line: int
    child_fastest: bool = True
    told: bool = False
    labels: Labels = field(default_factory=lambda: Labels({}, {}))


def read_numbers(text: str, node: str, line: int, found: Problems) -> list[float] | None:
    """Return the numbers of a table as written, or None after telling which is no number."""
    numbers = []
    for word in text.split():
        try:
            # Python alone reads "1_0" as ten.
            numbers.append(float(word if "_" not in word else "?"))
        except ValueError:
            found.add(f"node '{node}': not a number in its table", got=word, row=line, key=node)
            return None
    return numbers


def assembled(
    written: Sequence[WrittenNode], *, name: str, found: Problems, elsewhere: Collection[str] = ()
) -> Network:
    """Check the nodes of a file against one another and return their network.

    Parameters
    ----------
    written : sequence of WrittenNode
    name : str
    found : Problems
        Raised here, with what the reader has already put in.
    elsewhere : collection of str
        Nodes that were refused by the reader: naming them as parents is no second fault.

    Raises
    ------
    InputError
        All at once: no nodes, a node twice, states missing or twice, unknown parents, cycles,
        tables missing, of a wrong length, out of range or not summing to one.
    """
    nodes: dict[str, WrittenNode] = {}
    for node in written:
        if node.name in nodes:
            found.add(
                "node given twice",
                got=node.name,
                row=node.line,
                key=node.name,
                hint=f"the first is on line {nodes[node.name].line}",
            )
            continue
        nodes[node.name] = node
    if not nodes and not elsewhere:
        found.add("no nodes in the file")
    for node in nodes.values():
        _names(node, nodes, elsewhere, found)
    _cycles(nodes, found)
    tables = {node.name: _table(node, nodes, found) for node in nodes.values()}
    found.raise_if_any()
    return labelled_network(
        {node.name: tuple(node.states) for node in nodes.values()},
        {node.name: tuple(node.parents) for node in nodes.values()},
        {key: table for key, table in tables.items() if table is not None},
        {node.name: node.labels for node in nodes.values()},
        name=name,
        found=found,
    )


def _names(
    node: WrittenNode, nodes: dict[str, WrittenNode], elsewhere: Collection[str], found: Problems
) -> None:
    if not node.name:
        found.add("node without a name", row=node.line)
    if not node.states or not all(node.states):
        found.add(
            f"node '{node.name}': {'a state has no name' if node.states else 'no states'}",
            row=node.line,
            key=node.name,
        )
    for what, values in (("state", node.states), ("parent", node.parents)):
        for value in dict.fromkeys(values):
            if list(values).count(value) > 1:
                found.add(f"node '{node.name}': {what} given twice", got=value, row=node.line, key=node.name)
    for parent in node.parents:
        if parent not in nodes and parent not in elsewhere:
            found.add(
                f"node '{node.name}': unknown parent",
                got=parent,
                allowed=near_names(parent, list(nodes)) or list(nodes)[:5],
                row=node.line,
                key=node.name,
            )


def _cycles(nodes: dict[str, WrittenNode], found: Problems) -> None:
    graph = {node.name: [p for p in node.parents if p in nodes] for node in nodes.values()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = list(error.args[1])
        found.add(
            "cycle",
            got=" -> ".join(cycle),
            row=nodes[cycle[0]].line,
            key=cycle[0],
            hint="drop one of the parents",
        )


def _table(node: WrittenNode, nodes: dict[str, WrittenNode], found: Problems) -> NDArray[np.float64] | None:
    if node.told:
        return None
    if node.numbers is None:
        found.add(f"node '{node.name}' has no table", row=node.line, key=node.name)
        return None
    if not node.states or any(parent not in nodes for parent in node.parents):
        return None
    shape = [*(len(nodes[parent].states) for parent in node.parents), len(node.states)]
    wanted = math.prod(shape)
    if len(node.numbers) != wanted:
        found.add(
            f"node '{node.name}': wrong number of probabilities",
            got=len(node.numbers),
            allowed=f"{wanted}: " + " x ".join(map(str, shape)) + ", parents' states times its own",
            row=node.table_line,
            key=node.name,
        )
        return None
    values = np.array(node.numbers, dtype=float)
    if node.child_fastest:
        table = values.reshape(shape)
    else:
        table = np.ascontiguousarray(np.moveaxis(values.reshape(shape[-1], *shape[:-1]), 0, -1))
    # Written so that what is not a number is caught too.
    outside = ~((table >= 0.0) & (table <= 1.0 + SUM_TOLERANCE))
    if outside.any():
        found.add(
            f"node '{node.name}': probability out of range",
            got=float(table[outside][0]),
            allowed="0 to 1",
            row=node.table_line,
            key=node.name,
        )
        return None
    sums = table.sum(axis=-1)
    wrong = np.argwhere(np.abs(sums - 1.0) > SUM_TOLERANCE)
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        place = ", ".join(f"{p}={nodes[p].states[i]}" for p, i in zip(node.parents, at, strict=True))
        found.add(
            f"node '{node.name}': probabilities do not sum to one",
            got=round(float(sums[at]), 9),
            allowed="1",
            row=node.table_line,
            key=node.name,
            hint=(f"for {place}" if place else None)
            if len(wrong) == 1
            else f"for {place}, and {len(wrong) - 1} more rows",
        )
        return None
    off = np.abs(sums - 1.0) > KEPT_AS_IT_IS
    table[off] /= sums[off][..., None]
    return table
