"""Rules on fluxes and stocks: row arithmetic, sums of parts, constant shares, definitions mixed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from sinkrisk.priors import statements as st
from sinkrisk.priors.findings import Finding, Library, Relation, comparable_pairs, computed, gap, one_sd, pair
from sinkrisk.priors.statements import Statement

CONSTANT_WINDOWS = 4
"""Fewest windows in which one share must fit for the share to count as constant."""


def row_arithmetic(library: Library) -> Iterator[Finding]:
    """Yield totals and imbalances of a budget's rows that their own columns do not give."""
    rows: dict[tuple[str, str, int, int], dict[str, Statement]] = {}
    for s in library.observed:
        if s.quantity == "flux" and s.point:
            rows.setdefault((s.locator, s.geography, s.start, s.end), {})[s.subject] = s
    formulas = (
        ("total_emissions", {"fossil": 1.0, "land_use": 1.0}),
        ("imbalance", {"total_emissions": 1.0, "atmosphere": -1.0, "ocean": -1.0, "land": -1.0}),
    )
    for cells in rows.values():
        for name, parts in formulas:
            if name not in cells or any(part not in cells for part in parts):
                continue
            stated = cells[name]
            used = [cells[part].to(stated.unit) for part in parts]
            value = math.fsum(sign * cells[part].to(stated.unit).low for part, sign in parts.items())
            blur = stated.half + math.fsum(s.half for s in used)
            if abs(value - stated.low) > blur + 1e-9:
                text = f"{name} of {stated.start}-{stated.end} is not what its columns give, rounding allowed"
                yield computed("row arithmetic", stated, value, value, used, text)


def sums(library: Library) -> Iterator[Finding]:
    """Yield wholes that differ from the sum of their stated parts; one agreeing statement acquits."""
    for relation in library.relations:
        if relation.relation == "same":
            for a in _whole(library, relation.whole, relation.measure):
                for b in _whole(library, relation.parts[0], relation.measure):
                    difference = gap(a, b) if a.geography == b.geography and st.same_period(a, b) else None
                    if difference is not None:
                        text = f"{a.subject} and {b.subject} name the same thing; {relation.note}"
                        yield pair("one name, two sizes", a, b, difference, text)
        if relation.relation != "sum":
            continue
        for geography in dict.fromkeys(s.geography for s in library.observed):
            findings: list[Finding | None] = []
            for whole in st.distinct(library.of(relation.whole, relation.measure, geography)):
                total = sum_of_parts(library, relation, whole)
                if total is None:
                    findings.append(None)
                    continue
                low, high, used, missing = total
                sd = 0.0 if math.isnan(whole.sd) else whole.sd
                least, most = whole.reach[0] - sd, whole.reach[1] + sd
                # Parts that are not stated can only add to a sum that is still too small.
                short = high < least and not missing
                if not short and low <= most:
                    findings.append(None)
                    continue
                names = ", ".join(dict.fromkeys(s.subject for s in used))
                text = f"the parts ({names}) do not add up to the whole"
                findings.append(computed("sums of parts", whole, low, high, used, text, one_sd(*used)))
            if findings and all(f is not None for f in findings):
                yield from (f for f in findings if f is not None)


def _whole(library: Library, subject: str, measure: str) -> Iterable[Statement]:
    return st.distinct(s for s in library.observed if (s.subject, s.quantity) == (subject, measure))


def sum_of_parts(
    library: Library, relation: Relation, whole: Statement
) -> tuple[float, float, list[Statement], list[str]] | None:
    """Return the sum of a relation's parts in the unit of `whole`: low, high, what was used, what is missing.

    Parts are taken from the one place (table or section) that states most of them; a part stated
    only elsewhere contributes the hull of its statements. None with fewer than two parts stated.
    """
    stated = {
        part: [s.to(whole.unit) for s in library.of(part, relation.measure, whole.geography)]
        for part in relation.parts
    }
    found = {part: [s for s in rows if st.same_period(s, whole)] for part, rows in stated.items()}
    found = {part: rows for part, rows in found.items() if rows}
    if len(found) < 2:
        return None
    places = dict.fromkeys(s.place for options in found.values() for s in options)
    best = max(places, key=lambda p: sum(any(s.place == p for s in o) for o in found.values()))
    # A table that sets most parts beside each other also sets the one whose years it differs in.
    beside = {
        part: rows
        for part in relation.parts
        if part not in found and len(rows := [s for s in stated[part] if s.place == best and s.in_table]) == 1
    }
    here = sum(any(s.place == best for s in rows) for rows in found.values())
    if here > len(beside):
        found |= beside
    low = high = 0.0
    used: list[Statement] = []
    for options in found.values():
        chosen = [s for s in options if s.place == best] or options
        low += min(max(s.reach[0], 0.0) if not math.isfinite(s.low) else s.reach[0] for s in chosen)
        high += max(s.reach[1] for s in chosen)
        used += chosen
    return low, high, used, [part for part in relation.parts if part not in found]


def constant_shares(library: Library) -> Iterator[Finding]:
    """Yield sinks that one share of emissions reproduces in every window: constructed, not measured."""
    windows: dict[tuple[str, str], dict[tuple[int, int], dict[str, Statement]]] = {}
    for s in library.observed:
        if s.in_table and s.quantity == "flux" and s.point:
            cells = windows.setdefault((s.place, s.geography), {}).setdefault((s.start, s.end), {})
            cells[s.subject] = s
    for rows in windows.values():
        for sink in ("atmosphere", "ocean", "land"):
            full = [c for c in rows.values() if {"fossil", "land_use", sink} <= set(c)]
            if len(full) < CONSTANT_WINDOWS:
                continue
            bounds = []
            for c in full:
                emitted, blur = c["fossil"].low + c["land_use"].low, c["fossil"].half + c["land_use"].half
                least, most = c[sink].reach
                bounds.append((least / (emitted + blur), most / (emitted - blur)))
            low, high = max(b[0] for b in bounds), min(b[1] for b in bounds)
            if low > high:
                continue
            last = full[-1][sink]
            text = (
                f"one share, {low:.1%} to {high:.1%} of emissions, reproduces all {len(full)} printed "
                f"windows of {sink}: an attribution printed as a measured sink"
            )
            # The conflict is the whole column: none of it is a measurement.
            yield Finding(
                "constant shares", last, f"computed {low:.1%} to {high:.1%} of emissions in every window",
                last.source, last.place, abs(last.low), 1.0, text,
            )  # fmt: skip


def definitions_mixed(library: Library) -> Iterator[Finding]:
    """Yield gross against net, and attributed against measured, where one word covers both."""
    for relation in library.relations:
        if relation.relation != "gross_and_net":
            continue
        net = relation.parts[0]
        for whole in st.distinct(
            s for s in library.observed if (s.subject, s.quantity) == (relation.whole, relation.measure)
        ):
            for part in st.distinct(library.of(net, relation.measure, whole.geography)):
                difference = gap(part, whole) if st.same_period(part, whole) else None
                if difference is not None:
                    text = f"{net} and {relation.whole} are both called the land sink: {relation.note}"
                    yield pair("definitions mixed", part, whole, difference, text)
            for inner in library.relations:
                if (inner.relation, inner.whole, inner.measure) != ("sum", net, relation.measure):
                    continue
                total = sum_of_parts(library, inner, whole)
                if total is None or whole.kind != "observed":
                    continue
                # A sum of a few ecosystems says nothing of the whole.
                few = 2 * len(total[3]) >= len(inner.parts)
                if few or (total[0] <= whole.reach[1] and total[1] >= whole.reach[0]):
                    continue
                text = f"net sinks of ecosystems, added, against the gross {relation.whole} sink"
                if total[3]:
                    text += f"; not stated: {', '.join(total[3])}"
                yield computed(
                    "definitions mixed", whole, total[0], total[1], total[2], text, one_sd(*total[2])
                )
    for a, b in comparable_pairs(library.observed):
        if (a.method == "attribution") != (b.method == "attribution"):
            difference = gap(a, b)
            if difference is not None:
                text = "a share attributed from the globe against a measured flux of the same name"
                yield pair("definitions mixed", a, b, difference, text)
