"""Checks of one node's table: rows, ranked parameters, noisy-max effects, each with its line."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sinkrisk import files
from sinkrisk.errors import Problems, did_you_mean
from sinkrisk.network.specification import (
    PREVIOUS,
    AnyTableSpec,
    EffectSpec,
    NetworkFile,
    NodeSpec,
    NoisyMaxTableSpec,
    OverrideSpec,
    RankedTableSpec,
    RowSpec,
    Sourced,
    base_of,
    combinations,
    matches,
)

SUM_TOLERANCE = 1e-6
"""How far a row of probabilities may miss one; it is then divided by its sum."""
MAX_FAMILY_CELLS = 2**22
"""Cells of a table (32 MiB); a bank of a few hundred draws of one table is then what memory holds."""


def check_source(
    located: files.LocatedYaml, found: Problems, source: str, locator: str, *where: str | int
) -> None:
    """Report a source that no bibliography has, and one without a locator."""
    from sinkrisk.priors.references import ASSUMPTION, known_keys, split_keys

    place = {"key": ".".join(map(str, where)), "row": located.line(*where, "source")}
    known = known_keys(located.path)
    for key in split_keys(source):
        if key not in known:
            near = did_you_mean(key, known)
            hint = "give the work an entry in a .bib file beside this one"
            found.add(
                "source is in no bibliography",
                got=key,
                allowed=f"a key of priors/references.bib, or '{ASSUMPTION}'",
                hint=f"did you mean '{near}'?" if near else hint,
                **place,  # type: ignore[arg-type]
            )
    if source != ASSUMPTION and not locator:
        found.add("source without a locator", got=source, hint="name the section or the table", **place)  # type: ignore[arg-type]


class TableChecker:
    """Collects what is wrong with tables; all faults are raised together by `checking`."""

    def __init__(
        self,
        spec: NetworkFile,
        plates: Mapping[str, tuple[str, ...]],
        located: files.LocatedYaml,
        found: Problems,
        values: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.spec, self.plates, self.located, self.found = spec, plates, located, found
        self.values = plates if values is None else values

    def add(self, what: str, *where: str | int, **details: Any) -> None:
        self.found.add(what, key=".".join(map(str, where)), row=self.located.line(*where), **details)

    def sourced(self, table: Sourced, *where: str | int) -> None:
        check_source(self.located, self.found, table.source, table.locator, *where)

    def fits(self, name: str, node: NodeSpec, table: AnyTableSpec, *where: str | int) -> bool:
        """Report a family whose table would be too large to build."""
        cells, most = len(node.states), ""
        for parent in node.parents:
            above = self.spec.nodes[base_of(parent)]
            if isinstance(table, RankedTableSpec):
                limiting = table.bottleneck.parents if table.bottleneck else []
                if not table.weights.get(parent, 0.0) and parent not in limiting:
                    continue
            folded = [plate for plate in above.plate if plate not in node.plate]
            places = itertools.product(*(self.values.get(plate, ()) for plate in folded))
            effects = table.effects if isinstance(table, NoisyMaxTableSpec) else []
            for place in places:
                at = dict(zip(folded, place, strict=True))
                if not effects or any(
                    effect.parent == parent and all(at.get(plate) in v for plate, v in effect.match.items())
                    for effect in effects
                ):
                    cells *= len(above.states)
            if cells > MAX_FAMILY_CELLS:
                number = node.parents.index(parent) + 1
                most = f"more than {MAX_FAMILY_CELLS} cells with its first {number} parents"
                break
        if most:
            self.add(
                f"node '{name}': table too large",
                *where,
                got=most,
                allowed=f"up to {MAX_FAMILY_CELLS} cells: the states of all parents times its own",
                hint="put a node between some of the parents and this one, or give them fewer states",
            )
        return not most

    def table(
        self,
        name: str,
        node: NodeSpec,
        table: AnyTableSpec,
        override: OverrideSpec | None,
        *where: str | int,
    ) -> None:
        self.sourced(override if override is not None else table, *where)
        if isinstance(table, NoisyMaxTableSpec):
            self._noisy(name, node, table, override, *where)
            return
        carried = [parent for parent in node.parents if parent.endswith(PREVIOUS)]
        if isinstance(table, RankedTableSpec):
            for key, given, wanted in (
                ("weights", list(table.weights), node.parents),
                ("today", list(table.today), carried),
            ):
                for parent in given:
                    if parent not in wanted:
                        self.add(
                            f"node '{name}': '{key}' names what is no such parent",
                            *where,
                            key,
                            got=parent,
                            allowed=wanted or "(none)",
                        )
                for parent in wanted:
                    if parent not in given:
                        self.add(
                            f"node '{name}': '{key}' lacks a parent", *where, key, got=given, hint=parent
                        )
            for parent in table.bottleneck.parents if table.bottleneck else ():
                if parent not in node.parents:
                    self.add(
                        f"node '{name}': bottleneck names what is no parent",
                        *where,
                        "bottleneck",
                        got=parent,
                        allowed=node.parents,
                    )
            if sum(table.weights.values()) + (table.baseline.weight if table.baseline else 0.0) <= 0:
                self.add(f"node '{name}': all weights are zero", *where, "weights")
            return
        several = len(self.plates.get("period", ())) > 1 or not carried
        if several and (override is None or override.rows is not None):
            self._rows(name, node, table.rows, node.parents, *where, "rows")
        if carried and table.first is None:
            self.add(
                f"node '{name}' has no table for the first period",
                *where,
                hint=f"give 'first': rows without {', '.join(carried)}",
            )
        elif not carried and table.first is not None and (override is None or override.first is not None):
            self.add(f"node '{name}': 'first' without a parent of the period before", *where, "first")
        elif table.first is not None and (override is None or override.first is not None):
            current = [parent for parent in node.parents if parent not in carried]
            self._rows(name, node, table.first, current, *where, "first")

    def _noisy(
        self,
        name: str,
        node: NodeSpec,
        table: NoisyMaxTableSpec,
        override: OverrideSpec | None,
        *where: str | int,
    ) -> None:
        carried = [parent for parent in node.parents if parent.endswith(PREVIOUS)]
        for key in ("leak", "first_leak"):
            values = getattr(table, key)
            if values is not None and (override is None or getattr(override, key) is not None):
                self._probabilities(name, node, values, *where, key)
        if carried and table.first_leak is None:
            self.add(
                f"node '{name}' has no leak for the first period",
                *where,
                hint=f"give 'first_leak': the probabilities without {', '.join(carried)}",
            )
        elif not carried and table.first_leak is not None:
            self.add(f"node '{name}': 'first_leak' without a parent of the period before", *where)
        if override is not None and override.effects is None:
            return
        taken: set[tuple[str, str, str, str]] = set()
        for index, effect in enumerate(table.effects):
            at = (*where, "effects", index)
            self._probabilities(name, node, effect.probabilities, *at)
            if effect.parent not in node.parents:
                self.add(
                    f"node '{name}': unknown parent of an effect",
                    *at,
                    got=effect.parent,
                    allowed=node.parents or "(none)",
                )
                continue
            above = self.spec.nodes[base_of(effect.parent)]
            folded = [plate for plate in above.plate if plate not in node.plate]
            for plate, values in effect.match.items():
                if plate not in folded:
                    self.add(
                        f"node '{name}': effect matches a plate it does not fold over",
                        *at,
                        got=plate,
                        allowed=folded or "(none)",
                    )
                for value in values:
                    if value not in self.plates.get(plate, ()):
                        self.add(
                            f"node '{name}': unknown {plate}",
                            *at,
                            got=value,
                            allowed=self.plates.get(plate, ()),
                        )
            states = [effect.state] if isinstance(effect.state, str) else effect.state
            for state in states:
                if state not in above.states:
                    self.add(
                        f"node '{name}': unknown state of parent '{effect.parent}'",
                        *at,
                        got=state,
                        allowed=above.states,
                    )
            cells = {
                (effect.parent, state, cls, region)
                for state in states
                for cls in self._matched(effect, "class")
                for region in self._matched(effect, "region")
            }
            if cells & taken:
                self.add(f"node '{name}': two effects for one state of a parent", *at, got=effect.parent)
            taken |= cells
        for parent in node.parents:
            if parent not in {effect.parent for effect in table.effects}:
                self.add(f"node '{name}': parent without an effect", *where, "effects", got=parent)

    def _matched(self, effect: EffectSpec, plate: Literal["class", "region"]) -> Sequence[str]:
        return effect.match.get(plate, self.plates.get(plate, ()) or ("",))

    def _probabilities(self, name: str, node: NodeSpec, values: list[float], *at: str | int) -> bool:
        if len(values) != len(node.states):
            self.add(
                f"node '{name}': wrong number of probabilities",
                *at,
                got=len(values),
                allowed=f"{len(node.states)}, one per state: {', '.join(node.states)}",
            )
        elif not all(0.0 <= value <= 1.0 for value in values):
            self.add(f"node '{name}': probability out of range", *at, got=values, allowed="0 to 1")
        elif abs(sum(values) - 1.0) > SUM_TOLERANCE:
            self.add(
                f"node '{name}': probabilities do not sum to one",
                *at,
                got=round(sum(values), 9),
                allowed="1",
            )
        else:
            return True
        return False

    def _rows(
        self, name: str, node: NodeSpec, rows: list[RowSpec], parents: list[str], *where: str | int
    ) -> None:
        if not rows:
            self.add(f"node '{name}' has no rows in its table", *where, hint="give 'rows'")
            return
        sound = True
        for index, row in enumerate(rows):
            at = (*where, index)
            for parent, states in row.given.items():
                if parent not in parents:
                    self.add(
                        f"node '{name}': unknown parent in 'given'",
                        *at,
                        got=parent,
                        allowed=parents or "(none)",
                    )
                    sound = False
                    continue
                allowed = self.spec.nodes[base_of(parent)].states
                for state in [states] if isinstance(states, str) else states:
                    if state not in allowed:
                        self.add(
                            f"node '{name}': unknown state of parent '{parent}'",
                            *at,
                            got=state,
                            allowed=allowed,
                        )
                        sound = False
            self._probabilities(name, node, row.probabilities, *at)
        if sound:
            self._coverage(name, rows, parents, *where)

    def _coverage(self, name: str, rows: list[RowSpec], parents: list[str], *where: str | int) -> None:
        missing: list[str] = []
        for combination in combinations(self.spec, parents):
            matching = [index for index, row in enumerate(rows) if matches(row, combination)]
            text = ", ".join(f"{parent}={state}" for parent, state in combination.items()) or "(no parents)"
            if not matching:
                missing.append(text)
            elif len(matching) > 1:
                self.add(f"node '{name}': two rows for one combination", *where, matching[1], got=text)
                return
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            self.add(f"node '{name}': no row for a combination", *where, got=missing[0] + more)
