"""Reading a network file and checking it, with the line of every fault.

All faults are collected and raised together. What pydantic finds in the shape of the file is put
into our words first; the checks that look at more than one key run on a file of sound shape.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from sinkrisk import files
from sinkrisk.errors import InputError, Problems
from sinkrisk.network.specification import (
    PLATES,
    PREVIOUS,
    TABLE_KEYS,
    BaselineSpec,
    BottleneckSpec,
    EffectSpec,
    FullTableSpec,
    NetworkFile,
    NodeSpec,
    NoisyMaxTableSpec,
    OverrideSpec,
    RankedTableSpec,
    RowSpec,
    SharedDeviationSpec,
    base_of,
    merged,
)
from sinkrisk.network.table_checks import TableChecker
from sinkrisk.network.telling import told_shape

_NAMES = "letters, digits and single underscores, a letter first"
_IDENTIFIER = re.compile(r"^[A-Za-z](?:_?[A-Za-z0-9])*$")


@dataclass(frozen=True)
class CheckedNetwork:
    """A network file without faults: the specification, its plates' values and the file's path."""

    spec: NetworkFile
    plates: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]
    path: str
    named: Mapping[str, tuple[str, ...]]
    located: files.LocatedYaml


def read_network(
    path: str | os.PathLike[str], *, plates: Mapping[str, Sequence[str]] | None = None
) -> CheckedNetwork:
    """Read and check a network file.

    Parameters
    ----------
    path : path
    plates : mapping, optional
        Values of plates, in place of what the file says; the file's overrides may still name its
        own, so that a part of a network can be read.

    Raises
    ------
    InputError
        Listing every fault of the file with line and node: unknown keys, names, parents or
        states, missing tables or rows, rows that do not sum to one, cycles, plates that clash.
    """
    located = files.load_yaml(path, purpose="network file")
    found = Problems(file=str(path))
    if not isinstance(located.data, dict):
        found.add("network file: not a mapping", got=type(located.data).__name__, allowed="keys and values")
        found.raise_if_any()
    try:
        spec = NetworkFile.model_validate(located.data)
    except ValidationError as error:
        _translate(error, located, found)
        found.raise_if_any()
        raise AssertionError("a validation error without details") from error
    values = _plate_values(spec, plates or {}, located, found)
    # Without its plates nothing else of the file can be judged.
    found.raise_if_any()
    named = _plates_named(spec, values, located)
    checker = _Checker(spec, named, located, found, values)
    order = checker.run()
    found.raise_if_any()
    return CheckedNetwork(spec, values, order, str(path), named, located)


def _plate_values(
    spec: NetworkFile, given: Mapping[str, Sequence[str]], located: files.LocatedYaml, found: Problems
) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    used = {plate for node in spec.nodes.values() for plate in node.plate}
    for plate in PLATES:
        stated = spec.plates.get(plate)  # type: ignore[call-overload]
        own: tuple[str, ...] | None = None
        if isinstance(stated, list):
            own = tuple(stated)
        elif isinstance(stated, str):
            own = _from_priors(stated, plate, located, found)
        if own == () and isinstance(stated, list):
            found.add(
                "plate without values", got=[], key=f"plates.{plate}", row=located.line("plates", plate)
            )
        if plate in given:
            values[plate] = _wanted(given[plate], own, plate)
        elif own is not None:
            values[plate] = own
        elif plate in used:
            found.add(
                "plate without values",
                got=plate,
                key="plates",
                row=located.line("plates"),
                hint="list them, or name a table of priors such as 'regions'",
            )
        for value in values.get(plate, ()):
            if not _IDENTIFIER.match(value):
                found.add(
                    "plate value is not a name",
                    got=value,
                    allowed=_NAMES,
                    key=f"plates.{plate}",
                    row=located.line("plates", plate),
                )
        if len(set(values.get(plate, ()))) != len(values.get(plate, ())):
            found.add("plate value given twice", key=f"plates.{plate}", row=located.line("plates", plate))
    return values


def _wanted(given: Sequence[str], own: tuple[str, ...] | None, plate: str) -> tuple[str, ...]:
    """Values of a plate asked for: among the file's, periods in their order."""
    argument = {"class": "classes"}.get(plate, f"{plate}s")
    found = Problems()
    if isinstance(given, str) or not isinstance(given, Iterable):
        found.add(
            f"{argument} of a network",
            got=given,
            allowed="a list of names",
            key=argument,
            hint=f"[{given!r}]",
        )
        found.raise_if_any()
    values = tuple(given)
    if not values:
        found.add(f"no {plate} left in the network", got=list(values), key=argument, allowed=own)
    for value in dict.fromkeys(values):
        if own is not None and value not in own:
            found.add(f"the network file has no such {plate}", got=value, allowed=own, key=argument)
        if values.count(value) > 1:
            found.add(f"{plate} given twice", got=value, key=argument)
    found.raise_if_any()
    # Periods follow one another; the order of regions and classes is that of the nodes, no more.
    if plate == "period" and own is not None and list(values) != [value for value in own if value in values]:
        ordered = ", ".join(value for value in own if value in values)
        found.add(f"{argument} out of order", got=", ".join(values), allowed=f"{ordered}", key=argument)
    found.raise_if_any()
    return values


def _plates_named(
    spec: NetworkFile, values: Mapping[str, tuple[str, ...]], located: files.LocatedYaml
) -> Mapping[str, tuple[str, ...]]:
    """Return the values that overrides may name: those in use and the file's own."""
    known = {}
    for plate, used in values.items():
        stated = spec.plates.get(plate)  # type: ignore[call-overload]
        own = (
            _from_priors(stated, plate, located, Problems())
            if isinstance(stated, str)
            else tuple(stated or ())
        )
        known[plate] = tuple(dict.fromkeys((*used, *own)))
    return known


def _from_priors(table: str, plate: str, located: files.LocatedYaml, found: Problems) -> tuple[str, ...]:
    """Values of a plate from a table of the priors: the column that bears the plate's name."""
    from sinkrisk.priors import load_table

    place = {"key": f"plates.{plate}", "row": located.line("plates", plate)}
    fitting = {"region": "regions", "period": "periods"}.get(plate)
    hint = f"list the {plate} names, or name the table '{fitting}'" if fitting else "list the names"
    try:
        values = load_table(table)
    except InputError:
        found.add("no such table in priors", got=table, hint=hint, **place)  # type: ignore[arg-type]
        return ()
    if plate not in values:
        found.add(f"the table has no column '{plate}'", got=table, hint=hint, **place)  # type: ignore[arg-type]
        return ()
    return tuple(str(value) for value in values[plate])


def _fields_at(loc: tuple[Any, ...]) -> list[str]:
    """Keys that the file may hold where `loc` (without its last key) points."""
    inside = loc[:-1]
    model: type[BaseModel] = NetworkFile
    if inside[:1] == ("shared_deviation",):
        model = SharedDeviationSpec
    elif inside[:1] == ("nodes",) and len(inside) >= 2:
        model = NodeSpec
        if len(inside) >= 3 and inside[2] == "table":
            kinds: dict[Any, type[BaseModel]] = {
                "full": FullTableSpec,
                "ranked": RankedTableSpec,
                "noisy_max": NoisyMaxTableSpec,
            }
            model = kinds.get(next(iter(inside[3:4]), None), RankedTableSpec)
        elif len(inside) >= 3 and inside[2] == "overrides":
            model = OverrideSpec
        for key, deeper in (
            ("baseline", BaselineSpec),
            ("bottleneck", BottleneckSpec),
            ("rows", RowSpec),
            ("first", RowSpec),
            ("effects", EffectSpec),
        ):
            if key in inside[3:]:
                model = deeper
    return list(model.model_fields)


def _translate(error: ValidationError, located: files.LocatedYaml, found: Problems) -> None:
    told_shape(error, located, found, _fields_at)


class _Checker(TableChecker):
    """The checks that look at more than one key."""

    def run(self) -> tuple[str, ...]:
        if not _IDENTIFIER.match(self.spec.network):
            self.add("network name is not a name", "network", got=self.spec.network, allowed=_NAMES)
        self.sourced(self.spec.shared_deviation, "shared_deviation")
        for name, node in self.spec.nodes.items():
            self._names(name, node)
            if self._parents(name, node) and self.fits(name, node, node.table, "nodes", name):
                self.table(name, node, node.table, None, "nodes", name, "table")
                for number, override in enumerate(node.overrides):
                    self._override(name, node, override, number)
        return self._order()

    def _names(self, name: str, node: NodeSpec) -> None:
        for what, value in [("node", name), *(("state", state) for state in node.states)]:
            if not _IDENTIFIER.match(value):
                self.add(
                    f"{what} name is not a name",
                    "nodes",
                    name,
                    got=value,
                    allowed=_NAMES,
                )
        if len(set(node.states)) != len(node.states):
            self.add("state given twice", "nodes", name, "states", got=", ".join(node.states))
        if [plate for plate in PLATES if plate in node.plate] != node.plate:
            self.add(
                "plates out of order or given twice",
                "nodes",
                name,
                "plate",
                got=", ".join(node.plate),
                allowed="any of class, region, period in this order",
            )

    def _parents(self, name: str, node: NodeSpec) -> bool:
        known = True
        for index, parent in enumerate(node.parents):
            base = base_of(parent)
            where = ("nodes", name, "parents", index)
            if base not in self.spec.nodes:
                self.add(f"node '{name}': unknown parent", *where, got=base, allowed=list(self.spec.nodes))
                known = False
                continue
            other = self.spec.nodes[base]
            folded = set(other.plate) - set(node.plate)
            if folded and not (node.table.kind == "noisy_max" and "period" not in folded):
                self.add(
                    f"node '{name}': parent has plates that the node has not",
                    *where,
                    got=f"{base} [{', '.join(other.plate)}]",
                    allowed=f"plates among {', '.join(node.plate) or '(none)'}",
                    hint="only a noisy_max table folds over the classes or regions of a parent",
                )
                known = False
            if parent.endswith(PREVIOUS) and "period" not in other.plate:
                self.add(f"node '{name}': {PREVIOUS} on a parent without periods", *where, got=parent)
                known = False
        if len(set(node.parents)) != len(node.parents):
            self.add(f"node '{name}': parent given twice", "nodes", name, "parents")
            known = False
        return known

    def _override(self, name: str, node: NodeSpec, override: OverrideSpec, number: int) -> None:
        where = ("nodes", name, "overrides", number)
        for plate, values in override.match.items():
            if plate not in node.plate:
                self.add(
                    f"node '{name}': override on a plate it has not",
                    *where,
                    "match",
                    got=plate,
                    allowed=node.plate or "(none)",
                )
                continue
            for value in values:
                if value not in self.plates.get(plate, ()):
                    self.add(
                        f"node '{name}': unknown {plate}",
                        *where,
                        "match",
                        plate,
                        got=value,
                        allowed=self.plates.get(plate, ()),
                    )
        mine = TABLE_KEYS[node.table.kind]
        for key in (key for keys in TABLE_KEYS.values() for key in keys):
            if key not in mine and getattr(override, key) is not None:
                self.add(
                    f"node '{name}': key does not belong to a {node.table.kind} table",
                    *where,
                    key,
                    got=key,
                    allowed=mine,
                )
                return
        table = merged(node.table, override)
        if self.fits(name, node, table, *where):
            self.table(name, node, table, override, *where)

    def _order(self) -> tuple[str, ...]:
        waiting = {
            name: [p for p in node.parents if not p.endswith(PREVIOUS) and p in self.spec.nodes]
            for name, node in self.spec.nodes.items()
        }
        done: list[str] = []
        while ready := [name for name, parents in waiting.items() if all(p in done for p in parents)]:
            done.append(ready[0])
            del waiting[ready[0]]
        if waiting:
            # Every node left waits for another that is left, so walking backwards must repeat one.
            path = [next(iter(waiting))]
            while path.count(path[-1]) < 2:
                path.append(next(p for p in waiting[path[-1]] if p in waiting))
            cycle = path[path.index(path[-1]) :][::-1]
            self.add(
                "cycle within a period",
                "nodes",
                cycle[0],
                "parents",
                got=" -> ".join(cycle),
                hint=f"drop one of the parents, or take it from the period before with {PREVIOUS}",
            )
        return tuple(done)
