"""The library's rows as statements that can be set against each other: bounds, period, place.

A statement is what one row of the review says, with its numbers as an interval, half a unit of its
last printed digit, and how exactly it was said. `comparable` decides whether two statements speak
of the same thing at the same time; nothing here judges whether they agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinkrisk import files, units
from sinkrisk.errors import InputError
from sinkrisk.priors.references import ASSUMPTION

if TYPE_CHECKING:
    import pandas as pd

CURRENT_SLACK = 15
"""Years by which a statement without years may lie apart from one that ended then, and still be current."""

LONGEST_RATIO = 3.0
"""How many times longer one window may be than another that is compared with it."""

_SILENT = re.compile(r"\byears? not stated")

APPROXIMATE = 0.05
"""Relative slack of a share or ratio said to be approximate."""

IN_WORDS = 0.15
"""Relative slack of a share or ratio said in words, such as one-third."""


@dataclass(frozen=True)
class Statement:
    """One row of the library, ready to be compared.

    `low` and `high` are the stated bounds (infinite where one-sided; both the value of a point), in
    `unit`; `half` is half a unit of the last printed digit; `current` says that the source gives no
    years; `superseded` that the same place gives a later window; `basis` is empty where the source
    states none.
    """

    table: str
    subject: str
    quantity: str
    geography: str
    low: float
    high: float
    unit: str
    half: float = 0.0
    sd: float = math.nan
    start: int = 0
    end: int = 0
    current: bool = False
    superseded: bool = False
    method: str = ""
    kind: str = "observed"
    definition: str = ""
    basis: str = ""
    source: str = ""
    locator: str = ""
    note: str = ""

    @property
    def place(self) -> str:
        """The table or the section that the statement stands in."""
        return self.locator.split(",")[0]

    @property
    def in_table(self) -> bool:
        """Whether the statement is a cell of one of the review's tables."""
        return self.locator.startswith("Table")

    @property
    def point(self) -> bool:
        """Whether one number was stated, not a range or a bound."""
        return self.low == self.high

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def in_words(self) -> bool:
        """Whether the numbers are our reading of words."""
        return "words:" in self.note

    @property
    def slack(self) -> float:
        """How far a computed share or ratio may lie from the stated one, in `unit`.

        A bound such as "over 98 %" is exact; a number is good to half its last digit, more where it
        is said to be approximate or stands in words.
        """
        size = max((abs(x) for x in (self.low, self.high) if math.isfinite(x)), default=0.0)
        relative = IN_WORDS if self.in_words else APPROXIMATE if "approximate" in self.note else 0.0
        return max(self.half if self.bounded else 0.0, relative * size)

    @property
    def reach(self) -> tuple[float, float]:
        """The bounds, those of a point half a last digit wider."""
        return (self.low - self.half, self.high + self.half) if self.point else (self.low, self.high)

    def to(self, unit: str) -> Statement:
        """Return the statement in another unit."""
        scale = units.factor(self.unit, unit)
        changed = {name: getattr(self, name) * scale for name in ("low", "high", "half", "sd")}
        return replace(self, unit=unit, **changed)

    def printed(self) -> str:
        """Return the numbers as the review states them.

        Examples
        --------
        >>> Statement("t", "s", "cost", "global", 5.0, math.inf, "USD/tCO2").printed()
        'above 5 USD/tCO2'
        """
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.point:
            spread = "" if math.isnan(self.sd) else f" +- {self.sd:g}"
            return f"{self.low:g}{spread}{unit}"
        if not math.isfinite(self.high):
            return f"above {self.low:g}{unit}"
        if not math.isfinite(self.low):
            return f"below {self.high:g}{unit}"
        return f"{self.low:g} to {self.high:g}{unit}"


def measure_of(unit: str) -> str:
    """Return ``flux``, ``stock`` or, for any other unit, the unit itself.

    Examples
    --------
    >>> measure_of("TgC/yr"), measure_of("PgC"), measure_of("%")
    ('flux', 'stock', '%')
    """
    for name, to in (("flux", "GtC/yr"), ("stock", "GtC")):
        if convertible(unit, to):
            return name
    return unit


def convertible(unit: str, to: str) -> bool:
    """Return whether a value in one unit can be turned into the other."""
    try:
        units.factor(unit, to)
    except InputError:
        return False
    return True


def read_observations(table: pd.DataFrame, name: str) -> list[Statement]:
    """Return the statements of an observation table; an empty cell is none."""
    halves = _halves(table, ("value", "low", "high"))
    found = []
    for row, half in zip(table.to_dict("records"), halves, strict=True):
        bounds = _bounds(row, "value")
        if bounds is None:
            continue
        found.append(
            Statement(
                table=f"observations/{name}", subject=row["component"], quantity=measure_of(row["unit"]),
                geography=row["geography"], low=bounds[0], high=bounds[1], unit=row["unit"], half=half,
                sd=math.nan if "assumption: " in row["note"] else row["sd"],
                start=int(row["start"]), end=int(row["end"]),
                current=_SILENT.search(row["note"]) is not None, method=row["method"], kind=row["kind"],
                definition=row["definition"], source=row["source"], locator=row["locator"], note=row["note"],
            )
        )  # fmt: skip
    return found


def read_claims(table: pd.DataFrame) -> list[Statement]:
    """Return the statements of the claims table; assumptions are none.

    The basis is the table's, also where the note says that it is our reading of a source without one: a
    potential read as technical lies inside a larger theoretical one and is not contradicted by it.
    """
    halves = _halves(table, ("central", "low", "high"))
    found = []
    for row, half in zip(table.to_dict("records"), halves, strict=True):
        bounds = _bounds(row, "central")
        if row["source"] == ASSUMPTION or bounds is None:
            continue
        silent = row["basis"] == "unspecified"
        found.append(
            Statement(
                table="claims", subject=row["pathway"], quantity=row["quantity"],
                geography=row["geography"], low=bounds[0], high=bounds[1], unit=row["unit"], half=half,
                sd=row["sd"], basis="" if silent else row["basis"], source=row["source"],
                locator=row["locator"], note=row["note"],
            )
        )  # fmt: skip
    return found


def _bounds(row: Mapping[Any, Any], middle: str) -> tuple[float, float] | None:
    low, high, value = row["low"], row["high"], row[middle]
    if math.isnan(low) and math.isnan(high):
        return None if math.isnan(value) else (value, value)
    return (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)


def _halves(table: pd.DataFrame, columns: tuple[str, ...]) -> list[float]:
    """Return half a unit of the last digit of each row: as in the file, else as Python prints it."""
    path = Path(str(table.attrs.get("path", "")))
    cells: Iterable[Mapping[str, Any]]
    if path.is_file():
        cells = [row.cells for row in files.read_csv(path, required=columns)]
    else:
        cells = [
            {c: "" if math.isnan(row[c]) else f"{row[c]:.12g}" for c in columns}
            for row in table.to_dict("records")
        ]
    return [_half(str(cell[c]) for c in columns) for cell in cells]


def _half(texts: Iterable[str]) -> float:
    digits = [len(text.partition(".")[2]) for text in texts if text and "e" not in text.lower()]
    return 0.5 * 10.0 ** -max(digits) if digits else 0.0


def same_period(a: Statement, b: Statement) -> bool:
    """Return whether two statements speak of one period.

    Windows must share half of the shorter one and not differ much in length. A statement without
    years is current: it meets the latest window of each place that ended at most `CURRENT_SLACK`
    years before its own. A projection without a year meets none.
    """
    if a.kind != b.kind or {a.start, b.start} == {0}:
        return a.kind == b.kind
    if a.kind == "projection" and (a.current or b.current):
        return False
    lengths = sorted((a.end - a.start + 1, b.end - b.start + 1))
    if lengths[1] > LONGEST_RATIO * lengths[0]:
        return False
    shared = min(a.end, b.end) - max(a.start, b.start) + 1
    if shared >= 0.5 * lengths[0]:
        return True
    current, other = (a, b) if a.current else (b, a)
    return (
        current.current
        and not other.superseded
        and other.end >= current.start - CURRENT_SLACK
        and other.start <= current.end
    )


def mark_superseded(rows: Iterable[Statement]) -> list[Statement]:
    """Return the statements, those marked whose place states a later window of the same length or so."""
    rows = list(rows)
    series: dict[tuple[str, ...], list[Statement]] = {}
    for s in rows:
        if s.kind == "observed" and s.start:
            series.setdefault((s.subject, s.quantity, s.geography, s.definition, s.place), []).append(s)

    def later(s: Statement) -> bool:
        others = series.get((s.subject, s.quantity, s.geography, s.definition, s.place), [])
        length = s.end - s.start + 1
        return any(o.end > s.end and 2 * (o.end - o.start + 1) >= length for o in others)

    return [replace(s, superseded=True) if later(s) else s for s in rows]


def comparable(a: Statement, b: Statement) -> bool:
    """Return whether two statements give the same quantity of the same subject, period and basis."""
    same = (a.subject, a.quantity, a.geography) == (b.subject, b.quantity, b.geography)
    if not same or not convertible(a.unit, b.unit) or not same_period(a, b):
        return False
    if a.quantity not in ("flux", "stock") and a.table != "claims":
        return a.definition == b.definition
    return comparable_bases(a, b)


def comparable_bases(a: Statement, b: Statement) -> bool:
    """Return whether the bases are one; a silent source may mean any but a restricted one."""
    restricted = {"optimal", "realistic", "target", "cumulative"}
    if a.basis == b.basis:
        return True
    return not (a.basis and b.basis) and not {a.basis, b.basis} & restricted


def distinct(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Yield one statement for each thing said, its repeats' locators joined to the first's."""
    merged: dict[tuple[Any, ...], Statement] = {}
    for item in statements:
        # Tables 2 and 3 against the text that repeats them: one statement, two places.
        key = (
            item.subject, item.quantity, item.geography, item.low, item.high, item.unit, item.kind,
            item.basis, item.definition if item.quantity in ("%", "1") else "",
            "now" if item.current else (item.start, item.end),
        )  # fmt: skip
        if key in merged:
            first = merged[key]
            if item.locator not in first.locator:
                merged[key] = replace(first, locator=f"{first.locator}; {item.locator}")
        else:
            merged[key] = item
    yield from merged.values()
