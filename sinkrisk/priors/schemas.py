"""Schemas of the prior tables: what each column may hold, checked cell by cell.

A schema turns the text cells of a CSV file into a typed DataFrame. Every problem of a file is
collected with its file, row and key, and raised at once; nothing is loaded in part. The library's own
tables state every cell; `for_own_files` says what a user's table may leave out.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sinkrisk import files, units
from sinkrisk.errors import InputError, Problem, Problems, did_you_mean
from sinkrisk.priors.references import ASSUMPTION, split_keys

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "identifier", "number", "integer", "boolean", "unit", "source", "names"]
Vocabularies = Mapping[str, Sequence[str]]
Row = dict[str, Any]
AddProblem = Callable[..., None]
RowCheck = Callable[[Row, AddProblem], None]
TableCheck = Callable[[Sequence[tuple[int, Row]], Problems], None]

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
    kind : str
        ``text``, ``identifier`` (lower case, digits, underscores), ``number``, ``integer``,
        ``boolean``, ``unit`` (of `units.UNITS`), ``source`` (keys joined by ``;``) or ``names``
        (identifiers joined by ``;``).
    required : bool
        Whether an empty cell is a problem. Empty numbers load as NaN, other cells as ``""``.
    allowed : sequence of str, optional
        The words a cell may hold.
    vocabulary : str, optional
        Name of the vocabulary handed to `parse` that lists the words a cell may hold.
    minimum, maximum : float, optional
        Bounds of a number; `above` makes the lower one strict.
    extra : sequence of str
        Words allowed beside those of `units.UNITS` or of the vocabulary.
    shown : sequence of str
        The units a message lists, where most of `units.UNITS` would not fit; empty for all.
    """

    name: str
    kind: Kind = "text"
    required: bool = True
    allowed: tuple[str, ...] | None = None
    vocabulary: str | None = None
    minimum: float = -math.inf
    maximum: float = math.inf
    above: bool = False
    extra: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """A table: its columns, the columns that identify a row, and the checks across cells.

    Parameters
    ----------
    name : str
        What the file is, for messages.
    columns : tuple of Column
        All must be there; no other may be.
    unique : tuple of str
        Columns whose values together occur once; empty for no such rule.
    row_checks, table_checks : tuple of callable
        Run on typed rows; each reports through the collector it is handed. A row check also sees
        rows with cells that failed (NaN, 0 or the text as found in their place) and names as `key`
        the column at fault, so that a failed cell is not reported twice. Table checks run only on
        files whose rows are all sound.
    fills : tuple of (str, str)
        Column and text: what stands for an empty cell or a missing column in a user's own table.
        ``{name}`` and ``{stem}`` are the file's name with and without its suffix.
    either : tuple of tuple of str
        Sets of columns of which a user's own table needs one.
    own : bool
        Whether this is the layout of a user's own table, see `for_own_files`.
    """

    name: str
    columns: tuple[Column, ...]
    unique: tuple[str, ...] = ()
    row_checks: tuple[RowCheck, ...] = ()
    table_checks: tuple[TableCheck, ...] = ()
    fills: tuple[tuple[str, str], ...] = ()
    either: tuple[tuple[str, ...], ...] = ()
    own: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the columns that must be there: all, or in a user's own table those nothing fills."""
        filled = dict(self.fills)
        return tuple(c.name for c in self.columns if not self.own or (c.required and c.name not in filled))


def for_own_files(schema: Schema, name: str) -> Schema:
    """Return the layout of a user's own table.

    A column that may be empty may be missing, `Schema.fills` stand for what is left out, and a source
    is any text: a key of a bibliography, or words.

    Parameters
    ----------
    schema : Schema
        The layout of the library's tables.
    name : str
        The file's name, or what a frame is called; stands as the source where none is given.

    Examples
    --------
    >>> from sinkrisk.priors.layouts import OBSERVATIONS
    >>> for_own_files(OBSERVATIONS, "mine.csv").needed
    ('component', 'start', 'end', 'unit')
    """
    given = (("source", "{name}"), *schema.fills)
    words = {"{name}": name, "{stem}": Path(name).stem}
    return replace(
        schema,
        columns=tuple(replace(c, kind="text") if c.kind == "source" else c for c in schema.columns),
        fills=tuple((column, words.get(text, text)) for column, text in given if column in schema.names),
        own=True,
    )


def parse(path: Path, schema: Schema, vocabularies: Vocabularies) -> pd.DataFrame:
    """Read and check a CSV file.

    Parameters
    ----------
    path : Path
    schema : Schema
    vocabularies : mapping of str to sequence of str
        Words that columns with a `vocabulary` may hold; ``source`` columns use ``"sources"``.

    Returns
    -------
    DataFrame
        Numbers as float64 (NaN where empty), integers as int64, booleans as bool, the rest as str;
        ``attrs["path"]`` names the file.

    Raises
    ------
    InputError
        Every problem of the file at once: file, row, key, what was found, what is allowed.
    """
    found = Problems(file=str(path))
    header = _header(path, schema)
    if header:
        check_columns(header, schema, found, at=1)
    found.raise_if_any()
    located = files.read_csv(path, required=schema.needed, optional=schema.names, purpose=schema.name)
    rows = check_cells([(item.row, item.cells) for item in located], schema, vocabularies, found)
    found.raise_if_any()
    table = typed_frame(schema, rows)
    table.attrs["path"] = str(path)
    return table


def _header(path: Path, schema: Schema) -> list[str]:
    """Return the columns a file names, or raise when they are separated by something else than commas."""
    text = files.read_text(path, purpose=schema.name)
    header = [name.strip() for name in next(csv.reader(text.splitlines(keepends=True)), [])]
    line = text.partition("\n")[0]
    for separator, shown in ((";", ";"), ("\t", "a tab"), ("|", "|")):
        parts = {part.strip().strip('"') for part in line.split(separator)}
        if len(parts & set(schema.names)) > max(1, len(set(header) & set(schema.names))):
            what = f"{schema.name}: looks separated by {shown if separator == chr(9) else repr(shown)}"
            hint = "save it with commas between the cells and points in the numbers"
            raise InputError(Problem(what, allowed="','", file=str(path), row=1, hint=hint))
    return header


def check_columns(header: Sequence[str], schema: Schema, found: Problems, at: int | None = None) -> None:
    """Report the columns a table lacks, in one problem, and each one nobody knows.

    Parameters
    ----------
    header : sequence of str
        The columns there are.
    schema : Schema
    found : Problems
        The collector.
    at : int, optional
        Line of the header in its file.
    """
    missing = [name for name in schema.needed if name not in header]
    hint = None
    if schema.own and schema.either:
        lacks = sorted(([name for name in names if name not in header] for names in schema.either), key=len)
        missing += lacks[0]
        ways = " or ".join(",".join(names) for names in schema.either)
        hint = f"a table of your own needs {','.join(schema.needed)} and {ways}"
    if missing:
        what = "missing column" if len(missing) == 1 else f"missing columns {', '.join(missing)}"
        key = missing[0] if len(missing) == 1 else None
        found.add(f"{schema.name}: {what}", got=", ".join(header), key=key, row=at, hint=hint)
    for name in dict.fromkeys(header):
        if name not in schema.names:
            found.add(f"{schema.name}: unknown column", got=name, allowed=schema.names, row=at)


def check_cells(
    located: Sequence[tuple[int, Mapping[str, str]]],
    schema: Schema,
    vocabularies: Vocabularies,
    found: Problems,
) -> list[tuple[int, Row]]:
    """Turn text cells into typed rows; every problem goes into `found`.

    Parameters
    ----------
    located : sequence of (int, mapping of str to str)
        Each row's number and its cells by column; what `schema` fills may be missing.
    schema : Schema
    vocabularies : mapping of str to sequence of str
        See `parse`.
    found : Problems
        The collector; where it stays empty the rows are sound.
    """
    rows: list[tuple[int, Row]] = []
    filled = dict(schema.fills) if schema.own else {}
    for at, cells in located:
        row: Row = {}
        failed: set[str] = set()
        for column in schema.columns:
            before = len(found.found)
            text = cells.get(column.name, "") or filled.get(column.name, "")
            row[column.name] = check_cell(text, column, vocabularies, found, at)
            if len(found.found) > before:
                failed.add(column.name)
        _check_row(schema, row, found, at, failed)
        rows.append((at, row))
    if not located:
        found.add(f"{schema.name}: no rows", hint="the file holds a header only")
    if schema.unique:
        _check_unique(schema, rows, found)
    if not found:
        for check in schema.table_checks:
            check(rows, found)
    return rows


def typed_frame(schema: Schema, rows: Sequence[tuple[int, Row]]) -> pd.DataFrame:
    """Return sound rows as a DataFrame: float64, int64, bool and str columns."""
    import pandas as pd

    return pd.DataFrame({c.name: _series(c, [row[c.name] for _, row in rows]) for c in schema.columns})


def _series(column: Column, values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    dtype = {"number": "float64", "integer": "int64", "boolean": "bool"}.get(column.kind, "str")
    return pd.Series(values, dtype=dtype)


def check_cell(text: str, column: Column, vocabularies: Vocabularies, found: Problems, at: int) -> Any:
    """Return the value of one text cell; what is wrong with it goes into `found`."""
    if text == "":
        if column.required:
            found.add("empty cell", key=column.name, row=at)
        return math.nan if column.kind == "number" else ""
    if column.kind in ("number", "integer"):
        return _number(text, column, found, at)
    if column.kind == "boolean":
        if text not in ("true", "false"):
            found.add("not a truth value", got=text, allowed=["true", "false"], key=column.name, row=at)
        return text == "true"
    if column.kind == "unit":
        allowed = (*units.UNITS, *column.extra)
        if text not in allowed:
            near = did_you_mean(text, allowed)
            # A rate that resembles no rate, such as PgC/a, is meant as one all the same.
            rate = near in (None, *column.shown) or ("/" in text and "/" not in str(near))
            fitting = column.shown if rate else ()
            found.add("unknown unit", got=text, allowed=fitting or allowed, key=column.name, row=at)
        return text
    words = [text] if column.kind in ("text", "identifier") else list(split_keys(text))
    listed = allowed_words(column, vocabularies)
    for word in words:
        if listed is not None and word not in listed:
            if column.kind == "source":
                _unknown_source(word, listed, column, found, at)
            else:
                what = f"unknown {column.name.replace('_', ' ')}"
                found.add(what, got=word, allowed=listed, key=column.name, row=at)
        elif column.kind in ("identifier", "names") and not _IDENTIFIER.fullmatch(word):
            what = "not an identifier"
            rule = "lower-case letters, digits and underscores, a letter first"
            found.add(what, got=word, allowed=rule, key=column.name, row=at)
    return text


def allowed_words(column: Column, vocabularies: Vocabularies) -> tuple[str, ...] | None:
    """Return the words a column may hold; None where any will do."""
    if column.kind == "source":
        return tuple(vocabularies["sources"])
    if column.vocabulary is not None:
        return (*vocabularies[column.vocabulary], *column.extra)
    return column.allowed


def _unknown_source(word: str, keys: Sequence[str], column: Column, found: Problems, at: int) -> None:
    near = did_you_mean(word, keys)
    found.add(
        "unknown source key",
        got=word,
        allowed=f"a key of references.bib, or '{ASSUMPTION}' with the reason in note",
        key=column.name,
        row=at,
        hint=f"did you mean '{near}'?" if near is not None else None,
    )


def _number(text: str, column: Column, found: Problems, at: int) -> float | int:
    try:
        value = float(text)
    except ValueError:
        hint = "write decimals with a point" if "," in text else None
        found.add("not a number", got=text, key=column.name, row=at, hint=hint)
        return 0 if column.kind == "integer" else math.nan
    if not math.isfinite(value):
        found.add("not a finite number", got=text, key=column.name, row=at)
    elif column.kind == "integer" and value != int(value):
        found.add("not a whole number", got=text, key=column.name, row=at)
    elif value < column.minimum or value > column.maximum or (column.above and value == column.minimum):
        found.add(f"{column.name} out of range", got=value, allowed=_range(column), key=column.name, row=at)
    if column.kind == "integer":
        return int(value) if math.isfinite(value) else 0
    return value


def _range(column: Column) -> str:
    lower = (
        "" if math.isinf(column.minimum) else f"{'above' if column.above else 'at least'} {column.minimum:g}"
    )
    upper = "" if math.isinf(column.maximum) else f"at most {column.maximum:g}"
    return " and ".join(part for part in (lower, upper) if part)


def _check_row(schema: Schema, row: Row, found: Problems, at: int, failed: set[str]) -> None:
    def add(what: str, **place: Any) -> None:
        # A cell already reported is not reported again for what its placeholder leads to.
        if place.get("key") not in failed:
            found.add(what, row=at, **place)

    for check in (assumption_states_its_reason, *schema.row_checks):
        check(row, add)


def assumption_states_its_reason(row: Row, add: AddProblem) -> None:
    """Report a belief of ours that cites a source too, or gives no reason."""
    if row.get("source") and ASSUMPTION in split_keys(row["source"]):
        if row["source"] != ASSUMPTION:
            add("an assumption cites no other source", got=row["source"], key="source")
        if not row.get("note"):
            add("an assumption needs its reason", got="", key="note", allowed="the reason, in words")


def _check_unique(schema: Schema, rows: Sequence[tuple[int, Row]], found: Problems) -> None:
    first: dict[tuple[Any, ...], int] = {}
    for at, row in rows:
        identity = tuple(row[name] for name in schema.unique)
        if identity in first:
            shown = ", ".join(str(part) for part in identity)
            hint = f"the first is row {first[identity]}"
            if "estimate" in schema.unique:
                hint += "; tell independent estimates apart in column 'estimate'"
            found.add("row given twice", got=shown, key=",".join(schema.unique), row=at, hint=hint)
        else:
            first[identity] = at
