"""Tables about cells of the network's tables: counts of events, and what experts say.

A row names a node, the states of all its parents and one of its own states. The parents stand in
``given`` as ``parent=state; parent=state``, or in a column of their own each (left empty where a node
has no such parent). A parent goes by its full name (``policy_support__arid_zones__near_term``) or by
its name in the network file (``policy_support``, ``policy_support@previous``) where only one parent of
the node has it. A row that leaves a parent's state open is refused: without it the count says nothing
of one row of the table alone, and the update would no longer be conjugate.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk import files
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.specification import PREVIOUS
from sinkrisk.network.telling import near_names
from sinkrisk.priors import schemas
from sinkrisk.priors.schemas import Column, Row, Schema

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    TableSource = str | os.PathLike[str] | pd.DataFrame

PLACE = (Column("node"), Column("given", required=False), Column("state"))
"""Columns that say which cell of which table a row speaks of; columns named after parents may follow."""
SOURCED = (Column("source"), Column("locator", required=False), Column("note", required=False))

MOST_EVENTS = 1e12
"""Largest count of a row: beyond it whole numbers and their logarithms lose digits that matter."""
EVENTS = Schema("events", (*PLACE, Column("count", "integer", minimum=0.0, maximum=MOST_EVENTS), *SOURCED))
EVENT_IDENTITY = ("source", "locator")
"""What tells two counts of one cell apart, which then add up."""
_OWN = "own table"


@dataclass(frozen=True)
class Cell:
    """One cell of a node's table.

    Parameters
    ----------
    node : str
    row : tuple of int
        Codes of the parents' states, in the order of the table's axes.
    state : int
        Code of the node's own state.
    at : int
        Row of the table that names it, for messages; not compared.
    """

    node: str
    row: tuple[int, ...]
    state: int
    at: int = dataclasses.field(default=0, compare=False)


def parent_names(net: Network, node: str) -> dict[str, tuple[str, ...]]:
    """Return what the parents of a node may be called: name -> the parents it could mean.

    Names in the network file come first, full names after them.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> parent_names(net, "wet")
    {'rain': ('rain',)}
    """
    child = net.nodes[node]
    names: dict[str, tuple[str, ...]] = {}
    for parent in child.parents:
        above = net.nodes[parent]
        before = above.period is not None and above.period != child.period
        short = above.base + (PREVIOUS if before else "")
        names[short] = (*names.get(short, ()), parent)
    for parent in child.parents:
        names.setdefault(parent, (parent,))
    return names


def row_label(net: Network, node: str, row: Sequence[int]) -> str:
    """Return a combination of parent states as ``given`` writes it, by the shortest names that do.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> row_label(net, "wet", (1,))
    'rain=yes'
    """
    short = {
        parents[0]: name for name, parents in reversed(parent_names(net, node).items()) if len(parents) == 1
    }
    return "; ".join(
        f"{short[parent]}={net.nodes[parent].states[code]}"
        for parent, code in zip(net.nodes[node].parents, row, strict=True)
    )


def read_cells(
    net: Network, table: TableSource, schema: Schema, identity: Sequence[str]
) -> tuple[pd.DataFrame, list[Cell]]:
    """Read a table whose rows speak of cells of the network's tables.

    Parameters
    ----------
    net : Network
    table : path or DataFrame
    schema : Schema
        With the columns of `PLACE`.
    identity : sequence of str
        Columns that, with the cell, occur once.

    Returns
    -------
    DataFrame
        The columns of `schema`, ``given`` by the shortest names; ``attrs["path"]`` where it was a file.
    list of Cell
        One per row.

    Raises
    ------
    InputError
        Every problem at once, with file (if any), row (line of a file, position counted from 1 in
        a DataFrame) and column.
    """
    import pandas as pd

    path = Path(table) if isinstance(table, (str, os.PathLike)) else None
    found = Problems(file=None if path is None else str(path))
    if path is not None:
        header = _header(path, schema)
    elif isinstance(table, pd.DataFrame):
        header = [str(name) for name in table.columns]
        for name in dict.fromkeys(header):
            if header.count(name) > 1:
                found.add(f"{schema.name}: column given twice", key=name)
        found.raise_if_any()
    else:
        raise InputError(
            Problem(f"{schema.name}: not a table", got=type(table).__name__, allowed="a path or a DataFrame")
        )
    parents = _parent_columns(net, header, schema)
    columns = (*schema.columns, *(Column(name, required=False) for name in parents))
    own = schemas.for_own_files(
        dataclasses.replace(schema, columns=columns), _OWN if path is None else path.name
    )
    if path is not None:
        rows = files.read_csv(path, required=own.needed, optional=own.names, purpose=schema.name)
        located = [(item.row, item.cells) for item in rows]
    else:
        schemas.check_columns(header, own, found)
        found.raise_if_any()
        located = _located(table, own)
    typed = schemas.check_cells(located, own, {}, found)
    cells = [_cell(net, row, parents, at, found) for at, row in typed]
    _refuse_twice(typed, cells, identity, found)
    found.raise_if_any()
    sound = [cell for cell in cells if cell is not None]
    frame = schemas.typed_frame(schema, typed)
    frame["given"] = pd.Series([row_label(net, cell.node, cell.row) for cell in sound], dtype="str")
    if path is not None:
        frame.attrs["path"] = str(path)
    return frame, sound


def read_events(net: Network, table: TableSource) -> pd.DataFrame:
    """Read and check a table of events.

    Parameters
    ----------
    net : Network
        The network whose nodes, parents and states the events name.
    table : path or DataFrame
        Columns node, given, state, count; source, locator and note may be left out (the source is
        then the file itself). ``given`` holds the states of all parents, in any order, as
        ``parent=state; parent=state``, separated by semicolons: by the names of the network file
        (``policy_support=declining; deployment_mode@previous=full``, ``@previous`` for the period
        before) or by full node names. Or each parent has a column of its own. Counts are whole
        numbers from 0; a cell not listed counts nought. The same cell may come from several sources:
        its counts add up. A row that repeats cell, source and locator is refused.

    Returns
    -------
    DataFrame
        Columns node, given, state (str), count (int64), source, locator, note (str).

    Raises
    ------
    InputError
        Every problem at once: an empty table, unknown nodes, parents or states, parents left out or
        named twice, counts that are negative or no whole numbers, rows given twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> seen = pd.DataFrame({"node": ["wet"], "rain": ["yes"], "state": ["yes"], "count": [7]})
    >>> read_events(net, seen)[["node", "given", "state", "count"]].to_numpy().tolist()
    [['wet', 'rain=yes', 'yes', 7]]
    """
    return read_cells(net, table, EVENTS, EVENT_IDENTITY)[0]


def counts_of(net: Network, table: TableSource) -> dict[str, NDArray[np.int64]]:
    """Return the counts of a table of events as arrays.

    Parameters
    ----------
    net : Network
    table : path or DataFrame
        See `read_events`.

    Returns
    -------
    dict of str to ndarray of int64 (parent states ..., states)
        By node, for nodes with a row in the table.

    Raises
    ------
    InputError
        As `read_events`.
    """
    frame, cells = read_cells(net, table, EVENTS, EVENT_IDENTITY)
    counts: dict[str, NDArray[np.int64]] = {}
    for cell, count in zip(cells, frame["count"], strict=True):
        own = counts.setdefault(cell.node, np.zeros(net.tables[cell.node].shape, dtype=np.int64))
        own[(*cell.row, cell.state)] += int(count)
    return counts


def _header(path: Path, schema: Schema) -> list[str]:
    text = files.read_text(path, purpose=schema.name)
    header = [name.strip() for name in next(csv.reader(text.splitlines(keepends=True)), [])]
    if len(header) == 1 and any(separator in header[0] for separator in ";\t|"):
        what = f"{schema.name}: not separated by commas"
        hint = "save it with commas between the cells, and quote a 'given' that holds one"
        raise InputError(Problem(what, got=header[0], file=str(path), row=1, hint=hint))
    return header


def _parent_columns(net: Network, header: Sequence[str], schema: Schema) -> list[str]:
    """Columns named after parents; for one that is neither, the names it may have been meant to be."""
    names = list(dict.fromkeys(name for node in net.order for name in parent_names(net, node)))
    columns: list[str] = []
    for column in header:
        if column not in schema.names:
            columns += [column] if column in names else near_names(column, names, 3)
    return list(dict.fromkeys(columns))


def _located(frame: Any, schema: Schema) -> list[tuple[int, Mapping[str, str]]]:
    """Rows of a DataFrame as the text cells of a file, counted from 1."""
    columns = [name for name in schema.names if name in frame.columns]
    texts = [[_text(value) for value in frame[name]] for name in columns]
    return [(at, dict(zip(columns, row, strict=True))) for at, row in enumerate(zip(*texts, strict=True), 1)]


def _text(value: Any) -> str:
    """Return a value as the cell of a file: nothing for what is missing, full precision for numbers."""
    import pandas as pd

    if isinstance(value, str):
        return value.strip()
    return "" if pd.isna(value) else repr(value.item() if hasattr(value, "item") else value)


def _cell(net: Network, row: Row, columns: Sequence[str], at: int, found: Problems) -> Cell | None:
    """Return the cell a row speaks of; None, and problems, where it is none."""
    node = str(row["node"])
    if not node:
        return None
    if node not in net.nodes:
        near = near_names(node, net.order) or list(net.order[:5])
        hint = f"the {len(net)} nodes are in net.order"
        found.add("no such node in the network", got=node, allowed=near, key="node", row=at, hint=hint)
        return None
    before = len(found.found)
    states = net.nodes[node].states
    state = str(row["state"])
    if state and state not in states:
        found.add(f"node '{node}': no such state", got=state, allowed=states, key="state", row=at)
    given = _given(net, node, row, columns, at, found)
    if len(found.found) > before or not state:
        return None
    codes = tuple(net.nodes[p].states.index(given[p]) for p in net.nodes[node].parents)
    return Cell(node, codes, states.index(state), at)


def _given(
    net: Network, node: str, row: Row, columns: Sequence[str], at: int, found: Problems
) -> dict[str, str]:
    """States of the parents as a row gives them."""
    stated: list[tuple[str, str, str]] = [(name, str(row[name]), name) for name in columns if row[name]]
    for part in filter(None, (piece.strip() for piece in str(row["given"]).split(";"))):
        name, equals, state = (piece.strip() for piece in part.partition("="))
        if equals and name and state and "=" not in state:
            stated.append((name, state, "given"))
        else:
            found.add(
                "not a parent's state",
                got=part,
                allowed="'parent=state', joined by ';'",
                key="given",
                row=at,
                hint="separate the parents with ';'" if part.count("=") > 1 else None,
            )
            # What the part was meant to say is not then missing as well.
            return {}
    names = parent_names(net, node)
    given: dict[str, str] = {}
    sound = True
    for name, state, key in stated:
        place: dict[str, Any] = {"key": key, "row": at}
        meant = names.get(name, ())
        if not meant:
            found.add(f"node '{node}': no such parent", got=name, allowed=list(names) or "(none)", **place)
            sound = False
        elif len(meant) > 1:
            found.add(f"node '{node}': several parents of this name", got=name, allowed=list(meant), **place)
            sound = False
        elif meant[0] in given:
            found.add(f"node '{node}': parent given twice", got=f"{name}={state}", **place)
        else:
            given[meant[0]] = state
            allowed = net.nodes[meant[0]].states
            if state not in allowed:
                found.add(f"no such state of parent '{name}'", got=state, allowed=allowed, **place)
    short = {parents[0]: name for name, parents in reversed(names.items()) if len(parents) == 1}
    missing = [short[parent] for parent in net.nodes[node].parents if parent not in given]
    if missing and sound:
        found.add(
            f"node '{node}': the state of a parent is missing",
            got="; ".join(f"{name}={state}" for name, state, _ in stated),
            allowed=", ".join(f"{name}=..." for name in missing),
            key="given",
            row=at,
            hint="without it the row says nothing of one row of the table alone",
        )
    return given


def _refuse_twice(
    rows: Sequence[tuple[int, Row]], cells: Sequence[Cell | None], identity: Sequence[str], found: Problems
) -> None:
    first: dict[tuple[Any, ...], int] = {}
    for (at, row), cell in zip(rows, cells, strict=True):
        if cell is None:
            continue
        key = (cell, *(row[name] for name in identity))
        if key in first:
            shown = ", ".join([cell.node, str(row["given"]), str(row["state"]), *(str(v) for v in key[1:])])
            hint = f"the first is row {first[key]}; equal rows are told apart by {' and '.join(identity)}"
            found.add("row given twice", got=shown, row=at, hint=hint)
        else:
            first[key] = at
