"""What a rule hands back, what it reads, and how two statements are measured against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sinkrisk.priors import statements as st
from sinkrisk.priors.references import split_keys
from sinkrisk.priors.statements import Statement

COLUMNS: tuple[str, ...] = (
    "rule", "subject", "quantity", "geography", "statement_a", "source_a", "locator_a",
    "statement_b", "source_b", "locator_b", "absolute", "relative", "unit", "explanation", "severity",
)  # fmt: skip
"""Columns of the table of contradictions."""

INCOMPATIBLE = "incompatible"
OVERLAPPING = "ranges overlap, ends differ"
WITHIN = "differs within the stated uncertainty"
SEVERITIES: tuple[str, ...] = (INCOMPATIBLE, OVERLAPPING, WITHIN)
"""How hard two statements collide, the hardest first: no value fits both; two ranges share values but not
their ends; or two best estimates lie within one combined standard deviation of each other."""

UNEQUAL_BOUNDS = 0.10
"""Relative difference from which two stated ranges count as unequal."""


@dataclass(frozen=True)
class Relation:
    """A row of ``relations.csv``: how components add up or name the same thing."""

    relation: str
    measure: str
    whole: str
    parts: tuple[str, ...]
    locator: str = ""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One contradiction: statements A and B (or what was computed), the size between them, its severity."""

    rule: str
    a: Statement
    b: str
    source_b: str
    locator_b: str
    absolute: float
    relative: float
    explanation: str
    severity: str = INCOMPATIBLE

    def record(self) -> dict[str, object]:
        """Return the finding as a row of the table."""
        a = self.a
        quantity = a.quantity if a.quantity not in ("%", "1") else a.definition.partition(";")[0]
        values = (
            self.rule, a.subject, quantity, a.geography, a.printed(), a.source, a.locator,
            self.b, self.source_b, self.locator_b, self.absolute, self.relative, a.unit, self.explanation,
            self.severity,
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


@dataclass(frozen=True)
class Library:
    """Everything the rules read: statements, assumed areas, relations and groups of pathways."""

    observed: tuple[Statement, ...]
    claimed: tuple[Statement, ...]
    assumed: tuple[Statement, ...] = ()
    relations: tuple[Relation, ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of(self, subject: str, measure: str, geography: str) -> list[Statement]:
        """Return the observations of a component by measure and geography; attributions are none."""
        return [
            s
            for s in self.observed
            if (s.subject, s.quantity, s.geography) == (subject, measure, geography)
            and s.method != "attribution"
        ]


def gap(a: Statement, b: Statement) -> float | None:
    """Return by how much two statements differ, in the unit of `a`; None where both can hold.

    Points differ beyond half the coarser last digit; a point lies outside a range, its own standard
    deviation allowed; a range passes a one-sided bound; or the ends of two ranges differ.

    Examples
    --------
    >>> a = Statement("t", "s", "cost", "global", 50.0, 150.0, "USD/tCO2")
    >>> gap(a, Statement("t", "s", "cost", "global", 50.0, 100.0, "USD/tCO2"))
    50.0
    """
    b = b.to(a.unit)
    slack = max(a.half, b.half) + 1e-12
    if a.point and b.point:
        return abs(a.low - b.low) if abs(a.low - b.low) > slack else None
    if a.point or b.point:
        point, other = (a, b) if a.point else (b, a)
        sd = 0.0 if math.isnan(point.sd) else point.sd
        outside = max(other.low - (point.low + sd), (point.low - sd) - other.high)
        return outside + sd if outside > slack else None
    # A bound binds only what reaches past it; of two full ranges every end counts.
    low = abs(a.low - b.low) if a.bounded and b.bounded else _passed(a.low, b.low, a, b, upper=False)
    high = abs(a.high - b.high) if a.bounded and b.bounded else _passed(a.high, b.high, a, b, upper=True)
    size = max(abs(x) for x in (a.low, a.high, b.low, b.high) if math.isfinite(x))
    most = max(low, high)
    ends = [(a.low, b.low, low), (a.high, b.high, high)]
    unequal = any(
        d > slack and d > UNEQUAL_BOUNDS * max(abs(x) for x in (p, q) if math.isfinite(x))
        for p, q, d in ends
        if d > 0.0
    )
    return most if unequal and size > 0.0 else None


def _passed(x: float, y: float, a: Statement, b: Statement, *, upper: bool) -> float:
    if not (math.isfinite(x) and math.isfinite(y)) or a.bounded == b.bounded:
        return 0.0
    bound, reached = (y, x) if a.bounded else (x, y)
    return max(0.0, reached - bound if upper else bound - reached)


def one_sd(*statements: Statement) -> float:
    """Return the standard deviations of statements in one unit, added in quadrature; none stated is 0."""
    return math.hypot(*(0.0 if math.isnan(s.sd) else s.sd for s in statements))


def severity(a: Statement, b: Statement) -> str:
    """Return how hard two statements that differ collide, one of `SEVERITIES`.

    Examples
    --------
    >>> a = Statement("t", "s", "flux", "global", 2.9, 2.9, "GtC/yr", sd=0.4)
    >>> severity(a, Statement("t", "s", "flux", "global", 2.5, 2.5, "GtC/yr", sd=0.5))
    'differs within the stated uncertainty'
    """
    b = b.to(a.unit)
    apart = max(a.low - b.high, b.low - a.high, 0.0)
    if apart > 0.0 or (a.point and b.point):
        return WITHIN if apart <= one_sd(a, b) else INCOMPATIBLE
    # A point inside a range is no conflict of its own: what a rule found beyond that stands.
    return INCOMPATIBLE if a.point or b.point else OVERLAPPING


def pair(rule: str, a: Statement, b: Statement, difference: float, explanation: str) -> Finding:
    """Return the finding that two statements differ."""
    other = b.to(a.unit)
    size = max(abs(x) for x in (a.low, a.high, other.low, other.high) if math.isfinite(x))
    shown = b.printed()
    if b.unit != a.unit:
        shown += f" = {other.printed()}"
    relative = difference / size
    return Finding(rule, a, shown, b.source, b.locator, difference, relative, explanation, severity(a, b))


def computed(
    rule: str,
    a: Statement,
    low: float,
    high: float,
    used: Sequence[Statement],
    explanation: str,
    sd: float = 0.0,
) -> Finding:
    """Return the finding that a statement differs from what others give by arithmetic, in its unit.

    `sd` is the standard deviation of what was computed, from those of the statements used.
    """
    centre = [x for x in (low, high) if math.isfinite(x)]
    distance = max(low - a.high, a.low - high, 0.0)
    size = max(abs(x) for x in (*centre, a.low, a.high) if math.isfinite(x))
    unit = "" if a.unit == "1" else f" {a.unit}"
    if _number(low) == _number(high):
        text = f"computed {_number(low)}{unit}"
    elif not math.isfinite(high):
        text = f"computed above {_number(low)}{unit}"
    elif not math.isfinite(low):
        text = f"computed below {_number(high)}{unit}"
    else:
        text = f"computed {_number(low)} to {_number(high)}{unit}"
    sources = ";".join(dict.fromkeys(key for s in used for key in split_keys(s.source)))
    places = "; ".join(dict.fromkeys(s.locator for s in used))
    relative = distance / size if size else 0.0
    total = Statement(a.table, a.subject, a.quantity, a.geography, low, high, a.unit, sd=sd)
    return Finding(rule, a, text, sources, places, distance, relative, explanation, severity(a, total))


def _number(x: float) -> str:
    return f"{x:.0f}" if 1e4 <= abs(x) < 1e12 else f"{x:.4g}"


def comparable_pairs(rows: Iterable[Statement]) -> Iterator[tuple[Statement, Statement]]:
    """Yield every two distinct statements that can be set against each other."""
    kinds: dict[tuple[str, str, str], list[Statement]] = {}
    for s in st.distinct(rows):
        kinds.setdefault((s.subject, s.quantity, s.geography), []).append(s)
    for group in kinds.values():
        for i, a in enumerate(group):
            yield from ((a, b) for b in group[i + 1 :] if st.comparable(a, b))
