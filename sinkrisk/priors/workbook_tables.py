"""Finding the table on a worksheet: its column of years, its header rows, its unit.

Nothing is looked for at a fixed place. The column of years is the one under the word "year", or the
one whose cells count up by one; the header is what stands above the first year; the unit is the cell
or the sentence that states one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinkrisk.errors import Problems
from sinkrisk.priors.workbook_files import Row, Sheet

FIRST_YEAR, LAST_YEAR = 1700, 2100
HEADER_ROWS = 5
LABEL_LENGTH = 64
MISSING: frozenset[str] = frozenset({"", "na", "n/a", "nan", "#n/a", "-", "--", "–"})
"""Words that stand for no value, in lower case."""

_YEAR_TEXT = re.compile(r"\s*((?:17|18|19|20)\d\d)\s*\*?\s*")
_YEAR_LABEL = re.compile(r"\s*years?\s*(\(.*\))?\s*", re.IGNORECASE)
_NOT_A_LABEL = re.compile(
    r"^\s*(cite|notes?\b|methods?\b|sources?\b|please|uncertaint|all (values|uncertainties)"
    r"|https?:|\d+ ?(billion|mt|gt|pg))",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"^\(?\s*(?:in\s+)?(?P<scale>[GMTP])(?:t|g)\s*(?P<what>CO\s*[2₂]|C)\s*"
    r"(?:/\s*(?:yr|year|a|y)|(?:yr|year|a|y)\s*(?:\^?\s*[-−–⁻]\s*[1¹])|per\s+(?:yr|year))\s*\)?$",
    re.IGNORECASE,
)
_UNIT_INSIDE = re.compile(r"[(\[]([^()\[\]]{3,20})[)\]]")
_SENTENCE = re.compile(
    r"(?:values|numbers|data|fluxes)\s+(?:are\s+)?in\s+(?P<scale>billion|million|trillion|giga|mega|peta|tera)\s*-?"
    r"(?:metric\s+)?(?:tonnes?|tons?|grams?)\s+(?:of\s+)?(?P<what>carbon dioxide|carbon|co2|c)\b",
    re.IGNORECASE,
)
_SCALES = {
    "billion": "G",
    "giga": "G",
    "million": "M",
    "mega": "M",
    "trillion": "T",
    "peta": "P",
    "tera": "T",
}


@dataclass(frozen=True)
class Column:
    """A column of numbers: its place (from 0), its name, the words under the name and above it."""

    index: int
    name: str
    sub: str = ""
    groups: tuple[str, ...] = ()
    section: int = 0
    numbers: int = 0

    @property
    def label(self) -> str:
        """The name with what stands under it."""
        return f"{self.name}: {self.sub}" if self.sub else self.name


@dataclass(frozen=True)
class Table:
    """The table of a worksheet: years by row, and its columns."""

    sheet: Sheet
    header_row: int
    rows: tuple[int, ...]
    years: tuple[int, ...]
    columns: tuple[Column, ...]
    notes: tuple[tuple[int, str], ...] = ()
    problems: Problems = field(default_factory=Problems)
    skipped: tuple[str, ...] = ()

    def cell(self, row: int, column: int) -> Any:
        """Return a cell's value, None beyond the row's end."""
        cells = self.sheet.rows[row]
        return cells[column] if column < len(cells) else None

    def place(self, row: int, column: int) -> str:
        """Return where a cell stands, for example ``Ocean Sink!E33``."""
        return f"{self.sheet.name}!{letters(column)}{row + 1}"


def letters(column: int) -> str:
    """Return a column's letters.

    Examples
    --------
    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    out = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        out = chr(65 + rest) + out
    return out


def year_of(value: Any) -> int | None:
    """Return the year a cell states, or None.

    Examples
    --------
    >>> year_of(1959), year_of("2016*"), year_of(2.1), year_of("1959-1980")
    (1959, 2016, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, datetime.datetime | datetime.date):
        return value.year
    if isinstance(value, str):
        match = _YEAR_TEXT.fullmatch(value)
        return int(match[1]) if match else None
    if isinstance(value, int | float) and value == value and abs(value) < 1e6 and value == int(value):
        return int(value) if FIRST_YEAR <= value <= LAST_YEAR else None
    return None


def text_of(value: Any) -> str:
    """Return a cell's text with single blanks, empty where it holds none."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def is_number(value: Any) -> bool:
    """Return whether a cell holds a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def unit_in(text: str) -> str | None:
    """Return the unit that a short text is, in the spelling of `units.UNITS`.

    Examples
    --------
    >>> unit_in("GtC/yr"), unit_in("Mt CO2 yr-1"), unit_in("PgC per year"), unit_in("GCB")
    ('GtC/yr', 'MtCO2/yr', 'PgC/yr', None)
    """
    match = _UNIT.match(text.strip())
    if match is None:
        return None
    carbon = "C" if match["what"].upper() == "C" else "CO2"
    scale = match["scale"].upper()
    # A megagram is a tonne and a gigagram a kilotonne: of the prefixes only these mean what they seem.
    prefix = {"G": "Gt", "M": "Mt", "T": "Tg", "P": "Pg"}[scale]
    stem = text.strip().lstrip("(").lstrip()
    grams = re.match(r"(?:in\s+)?[gmtp]g", stem, re.IGNORECASE) is not None
    if grams != prefix.endswith("g"):
        return None
    return f"{prefix}{carbon}/yr"


def unit_inside(text: str) -> str | None:
    """Return the unit in the brackets of a label, for example of ``fossil (MtC/yr)``."""
    for match in _UNIT_INSIDE.finditer(text):
        unit = unit_in(match[1])
        if unit is not None:
            return unit
    return None


def units_of(table: Table) -> tuple[str, ...]:
    """Return the units a sheet states for its numbers, each once: one where all is well.

    A cell of the header that is a unit comes first, then the sentence "All values in ...". What
    such a sentence says of other units ("for values in GtCO2/yr, multiply by") is no statement.
    """
    found: dict[str, None] = {}
    first = table.rows[0]
    for row in table.sheet.rows[max(0, first - HEADER_ROWS - 1) : first]:
        for value in row:
            unit = unit_in(text_of(value))
            if unit is not None:
                found[unit] = None
    for _, note in table.notes:
        match = _SENTENCE.search(re.split(r"(?i)\bfor values\b", note)[0])
        if match is not None:
            carbon = "C" if match["what"].lower() in ("carbon", "c") else "CO2"
            grams = re.search(r"(?i)gram", match[0]) is not None
            scale = _SCALES[match["scale"].lower()]
            unit = {"G": "Gt", "M": "Mt", "T": "Tg" if grams else "", "P": "Pg"}[scale]
            if (grams and scale in "GM") or not unit:
                continue
            found[f"{unit}{carbon}/yr"] = None
    return tuple(found)


def find_table(sheet: Sheet, file: str | None = None) -> Table | None:
    """Return the table of years on a worksheet, or None where there is none.

    Years that are given twice, left out or lost are recorded in the table's `problems`.
    """
    start = _year_column(sheet)
    if start is None:
        return None
    header_row, first, column, repeats = start
    problems = Problems(file=file)
    skipped: list[str] = []
    width = max(len(row) for row in sheet.rows)
    rows, years = _year_rows(sheet, first, column, width, problems, skipped)
    others = {column}
    for repeat in repeats:
        cells = [sheet.rows[row][repeat] if repeat < len(sheet.rows[row]) else None for row in rows]
        if all(year_of(cell) in (year, None) for cell, year in zip(cells, years, strict=True)):
            others.add(repeat)
        else:
            width = repeat
            skipped.append(f"{sheet.name}!{letters(repeat)}: a second table beside the first, of other years")
            break
    header = _header_rows(sheet, header_row, first)
    name_row = header_row if header_row is not None else (header[-1] if header else max(first - 1, 0))
    columns = _columns(sheet, header, name_row, range(width), others, rows)
    notes = tuple(
        (index, text)
        for index, row in enumerate(sheet.rows)
        if index not in header and index not in set(rows)
        for text in [" ".join(t for t in map(text_of, row) if t)]
        if text
    )
    return Table(sheet, name_row, tuple(rows), tuple(years), columns, notes, problems, tuple(skipped))


def _year_column(sheet: Sheet) -> tuple[int | None, int, int, list[int]] | None:
    """Return header row (None without the word), first year's row, year column, further such columns."""
    width = max((len(row) for row in sheet.rows), default=0)
    for index, row in enumerate(sheet.rows):
        labels = [c for c, value in enumerate(row) if _YEAR_LABEL.fullmatch(text_of(value) or "-")]
        for column in labels:
            for below in range(index + 1, min(index + 6, len(sheet.rows))):
                cells = sheet.rows[below]
                if column < len(cells) and year_of(cells[column]) is not None:
                    later = [c for c in labels if c > column]
                    return index, below, column, later
    for column in range(min(width, 12)):
        run = 0
        for index, row in enumerate(sheet.rows):
            year = year_of(row[column]) if column < len(row) else None
            before = sheet.rows[index - 1][column] if index and column < len(sheet.rows[index - 1]) else None
            run = run + 1 if year is not None and year_of(before) == year - 1 else int(year is not None)
            if run >= 10:
                return None, index - 9, column, []
    return None


def _year_rows(
    sheet: Sheet, first: int, column: int, last: int, problems: Problems, skipped: list[str]
) -> tuple[list[int], list[int]]:
    rows: list[int] = []
    years: list[int] = []
    open_table, blank_since = True, False
    key = letters(column)
    for index in range(first, len(sheet.rows)):
        cells = sheet.rows[index]
        value = cells[column] if column < len(cells) else None
        year = year_of(value)
        numbers = any(is_number(v) for c, v in enumerate(cells[:last]) if c != column)
        if year is None:
            if open_table and numbers and (value is None or is_number(value)) and not blank_since:
                what = f"sheet '{sheet.name}': a row of numbers without a year"
                problems.add(what, got=value, row=index + 1, key=key)
            elif text_of(value) and numbers:
                skipped.append(
                    f"{sheet.name}!{key}{index + 1} '{text_of(value)[:40]}': a row that is no year"
                )
            blank_since = blank_since or not numbers
            continue
        if open_table and years and blank_since and year <= years[-1]:
            skipped.append(f"{sheet.name}!{key}{index + 1}: a second table below the first")
            open_table = False
        if not open_table:
            continue
        if years and year in years:
            what = f"sheet '{sheet.name}': year given twice"
            problems.add(
                what, got=year, row=index + 1, key=key, hint=f"the first is row {rows[years.index(year)] + 1}"
            )
        elif years and year != years[-1] + 1:
            what = f"sheet '{sheet.name}': years do not follow each other"
            problems.add(what, got=f"{years[-1]}, {year}", allowed=str(years[-1] + 1), row=index + 1, key=key)
        blank_since = False
        rows.append(index)
        years.append(year)
    return rows, years


def _is_header(row: Row) -> bool:
    texts = [text_of(value) for value in row if text_of(value)]
    numbers = sum(is_number(value) for value in row)
    return (
        bool(texts)
        and numbers <= len(texts)
        and all(len(text) <= LABEL_LENGTH and not _NOT_A_LABEL.match(text) for text in texts)
    )


def _header_rows(sheet: Sheet, labelled: int | None, first: int) -> list[int]:
    """Return the rows of labels above the first year, top first."""
    rows: list[int] = []
    blanks = 0
    for index in range(first - 1, max(-1, first - 1 - HEADER_ROWS - 3), -1):
        row = sheet.rows[index]
        if not any(text_of(value) or is_number(value) for value in row):
            blanks += 1
            # One blank row may part labels from groups, or the header from the numbers.
            if blanks > (1 if labelled is None or index < labelled else 3):
                break
            continue
        if not (_is_header(row) or index == labelled) or len(rows) == HEADER_ROWS:
            break
        rows.append(index)
    return rows[::-1]


def _columns(
    sheet: Sheet,
    header: Sequence[int],
    name_row: int,
    owned: range,
    year_columns: set[int],
    rows: Sequence[int],
) -> tuple[Column, ...]:
    def label(row: int, column: int) -> str:
        cells = sheet.rows[row]
        return text_of(cells[column]) if column < len(cells) else ""

    above = [row for row in header if row < name_row]
    below = [row for row in header if row > name_row]
    filled = dict.fromkeys(above, "")
    name_left = ""
    section, empty_before = 0, True
    out: list[Column] = []
    for column in owned:
        if column in year_columns:
            empty_before = True
            continue
        counts = [sheet.rows[r][column] for r in rows if column < len(sheet.rows[r])]
        numbers = sum(is_number(value) for value in counts)
        texts = sum(bool(text_of(value)) for value in counts)
        for row in above:
            text = label(row, column)
            if text:
                filled[row] = "" if unit_in(text) else text
        name = label(name_row, column)
        sub = " ".join(text for text in (label(row, column) for row in below) if text)
        if unit_in(sub):
            sub, name = "", f"{name} ({sub})"
        if name:
            name_left = name
        if not (name or sub or numbers or texts):
            empty_before = True
            continue
        section += empty_before
        empty_before = False
        groups = tuple(filled[row] for row in above if filled[row])
        out.append(Column(column, name or (name_left if sub else ""), sub, groups, section, numbers))
    return tuple(out)


def note_texts(table: Table) -> Iterator[tuple[str, str]]:
    """Yield each text cell outside the table as (place, text)."""
    rows = set(table.rows)
    for index, row in enumerate(table.sheet.rows):
        if index in rows:
            continue
        for column, value in enumerate(row):
            text = text_of(value)
            if text:
                yield f"{table.sheet.name}!{letters(column)}{index + 1}", text
