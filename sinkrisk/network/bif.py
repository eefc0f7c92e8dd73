"""The Bayesian network interchange format (BIF 0.15), read only.

A parser of our own: pgmpy's `BIFReader` leaves combinations that no row states at nought without
a word, stops at a ``default`` beside other rows and checks no sum. The format is that of Cozman and
others (1996), as JavaBayes, bnlearn, pgmpy and pyAgrum write it: the numbers of a ``table`` run
over the parents fastest, the node's own states slowest.
"""

from __future__ import annotations

import itertools
import os

from sinkrisk import files
from sinkrisk.errors import InputError, Problems
from sinkrisk.network.assembly import WrittenNode, assembled
from sinkrisk.network.bif_blocks import PURPOSE, Block, BlockReader, Token, Variable, cut
from sinkrisk.network.building import Network

MAX_CELLS = 10_000_000
"""Combinations of parent states that a `default` row may fill."""


def read_bif(path: str | os.PathLike[str]) -> Network:
    """Read a BIF file.

    The labels of the nodes are plain: every node global, its table certain, the last state the
    favourable end. Properties are passed over. A name of several words is put in quotes; states of
    several words may also be set apart by commas.

    Parameters
    ----------
    path : path
        UTF-8, at most 64 MiB.

    Returns
    -------
    Network
        Nodes in the order of the file where parents precede children there; probabilities to the
        last bit where they sum to one within 1e-9, and divided by their sum within 1e-5.

    Raises
    ------
    InputError
        Every fault with node, file and line: what is no BIF, combinations of parent states without
        a row or with two, unknown variables and states, wrong numbers of probabilities, rows that
        do not sum to one, cycles, nodes given twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = '''network weather { }
    ... variable rain { type discrete [2] { no, yes }; }
    ... probability ( rain ) { table 0.8, 0.2; }'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "weather.bif")
    ...     _ = path.write_text(text)
    ...     net = read_bif(path)
    >>> net.name, net.tables["rain"].tolist()
    ('weather', [0.8, 0.2])
    """
    found = Problems(file=str(path))
    reader = BlockReader(cut(files.read_text(path, purpose=PURPOSE), found), found)
    try:
        reader.read()
    except InputError as error:
        # Past a broken block nothing can be told apart: what was found so far is all there is.
        found.extend(error.problems)
        found.raise_if_any()
    states: dict[str, list[str]] = {}
    for variable in reader.variables:
        states.setdefault(variable.name, variable.states)
    blocks: dict[str, Block] = {}
    for block in reader.blocks:
        if block.name not in states:
            found.add(
                "probabilities of an unknown node", got=block.name, allowed=list(states), row=block.line
            )
        elif block.name in blocks:
            found.add(
                f"node '{block.name}': probabilities given twice",
                row=block.line,
                key=block.name,
                hint=f"the first are on line {blocks[block.name].line}",
            )
        blocks.setdefault(block.name, block)
    written = [_written(variable, blocks.get(variable.name), states, found) for variable in reader.variables]
    return assembled(written, name=reader.name, found=found)


def _written(
    variable: Variable, block: Block | None, states: dict[str, list[str]], found: Problems
) -> WrittenNode:
    name = variable.name
    if variable.states is not states[name]:
        # Given twice, which is told when the nodes are put together; the table goes with the first.
        return WrittenNode(name, variable.line, variable.states, [], None, variable.line, told=True)
    if block is None:
        return WrittenNode(name, variable.line, variable.states, [], None, variable.line)
    node = WrittenNode(name, variable.line, variable.states, block.parents, None, block.line)
    before = len(found.found)
    if block.table is not None and (block.rows or block.default is not None):
        found.add(f"node '{name}': a table, and rows or a default beside it", row=block.line, key=name)
    elif block.table is not None:
        node.numbers = _numbers(block.table, name, found)
        node.child_fastest = False
    elif not block.rows and block.default is None:
        found.add(f"node '{name}' has no table", row=block.line, key=name)
    elif all(parent in states for parent in block.parents):
        node.numbers = _by_rows(variable, block, states, found)
    # An unknown parent leaves the rows unread; it is told when the nodes are put together.
    node.told = node.numbers is None and (
        len(found.found) > before or any(parent not in states for parent in block.parents)
    )
    return node


def _numbers(tokens: list[Token], name: str, found: Problems) -> list[float] | None:
    numbers = []
    for token in tokens:
        if token.mark and token.text == ",":
            continue
        try:
            numbers.append(float(token.text if "_" not in token.text else "?"))
        except ValueError:
            found.add(f"node '{name}': not a number in its table", got=token.text, row=token.line, key=name)
            return None
    return numbers


def _by_rows(
    variable: Variable, block: Block, states: dict[str, list[str]], found: Problems
) -> list[float] | None:
    """The table of rows by parents' states, own states fastest; None after telling what is wrong."""
    name, count = variable.name, len(variable.states)
    before = len(found.found)
    by_combination: dict[tuple[str, ...], list[float]] = {}

    def probabilities(tokens: list[Token], line: int) -> list[float] | None:
        values = _numbers(tokens, name, found)
        if values is not None and len(values) != count:
            found.add(
                f"node '{name}': wrong number of probabilities",
                got=len(values),
                allowed=f"{count}, one per state: {', '.join(variable.states)}",
                row=line,
                key=name,
            )
            return None
        return values

    for given, tokens, line in block.rows:
        if len(given) != len(block.parents):
            found.add(
                f"node '{name}': wrong number of parents' states in a row",
                got=", ".join(given),
                allowed=f"{len(block.parents)}: {', '.join(block.parents)}",
                row=line,
                key=name,
            )
            continue
        known = True
        for parent, state in zip(block.parents, given, strict=True):
            if state not in states[parent]:
                found.add(
                    f"node '{name}': unknown state of parent '{parent}'",
                    got=state,
                    allowed=states[parent],
                    row=line,
                    key=name,
                )
                known = False
        values = probabilities(tokens, line)
        if known and tuple(given) in by_combination:
            found.add(
                f"node '{name}': two rows for one combination", got=", ".join(given), row=line, key=name
            )
        if known and values is not None:
            by_combination[tuple(given)] = values
    rest = None
    if block.default is not None:
        rest = probabilities(block.default, block.default[0].line if block.default else block.line)
    if len(found.found) > before:
        return None
    return _filled(block, states, by_combination, rest, found)


def _filled(
    block: Block,
    states: dict[str, list[str]],
    by_combination: dict[tuple[str, ...], list[float]],
    rest: list[float] | None,
    found: Problems,
) -> list[float] | None:
    wanted = 1
    for parent in block.parents:
        wanted *= len(states[parent])
    missing = wanted - len(by_combination) if rest is None else 0
    combinations = itertools.product(*(states[parent] for parent in block.parents))
    if missing > 0:
        # Before any table is laid out: a short file can name a table of any size.
        first = next(combination for combination in combinations if combination not in by_combination)
        more = f" and {missing - 1} more" if missing > 1 else ""
        found.add(
            f"node '{block.name}': no row for a combination of its parents",
            got=", ".join(f"{p}={s}" for p, s in zip(block.parents, first, strict=True)) + more,
            row=block.line,
            key=block.name,
        )
        return None
    if wanted > MAX_CELLS:
        found.add(
            f"node '{block.name}': combinations of its parents' states",
            got=wanted,
            allowed=f"up to {MAX_CELLS}",
            row=block.line,
            key=block.name,
        )
        return None
    values: list[float] = []
    for combination in combinations:
        values.extend(by_combination.get(combination) or rest or ())
    return values
