"""Pandera schemas of the tables, derived from the layouts, and the check of a frame built by hand.

`frame_schema` states each layout as a `pandera.DataFrameSchema`: dtypes, ranges, words, unique rows and
the checks across cells and rows, from the same `Column` and `Schema` objects that read the files, so the
two cannot drift apart. Files do not pass through it on loading - they are checked cell by cell with
their line numbers, and importing pandera costs a command 0.2 s - but the tests send every table of the
library through both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.priors import tables
from sinkrisk.priors.schemas import (
    Column,
    RowCheck,
    TableCheck,
    Vocabularies,
    allowed_words,
    assumption_states_its_reason,
    check_cell,
    check_cells,
    check_columns,
    for_own_files,
    typed_frame,
)

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pandera

_OWN = "own table"
_DTYPES = {"number": "float64", "integer": "int64", "boolean": "bool"}


def frame_schema(name: str, *, own: bool = False) -> pandera.DataFrameSchema:
    """Return the schema of a table as pandera states it.

    Parameters
    ----------
    name : str
        ``claims``, ``observations`` or one of `list_tables`.
    own : bool
        Whether the table is a user's own, whose sources are any text, rather than one of the library.
        What it left out must have been filled in, as loading it or `check_frame` does.

    Returns
    -------
    pandera.DataFrameSchema
        Strict (no other column); text columns are never null, an optional number may be NaN. Columns
        of numbers take integers, columns of words any object that is a string.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> from sinkrisk.priors import load_table
    >>> len(frame_schema("periods").validate(load_table("periods")))
    3
    """
    import pandera.pandas as pandera

    schema = tables.schema_of(name)
    if own:
        schema = for_own_files(schema, _OWN)
    words = tables.vocabularies_of(schema)
    checks = [
        pandera.Check(_holds(check), name=_name(check), error=_name(check).replace("_", " "))
        for check in (assumption_states_its_reason, *schema.row_checks)
    ]
    checks += [
        pandera.Check(_holds_together(check), name=_name(check), error=_name(check).replace("_", " "))
        for check in schema.table_checks
    ]
    return pandera.DataFrameSchema(
        {column.name: _column(column, words) for column in schema.columns},
        checks=checks,
        strict=True,
        unique=list(schema.unique) or None,
        name=schema.name,
    )


def check_frame(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Check a DataFrame as a user's file would be, and return it filled in, with the types of a loaded one.

    Parameters
    ----------
    name : str
        ``claims``, ``observations`` or one of `list_tables`.
    frame : DataFrame
        Missing cells may be NaN, None or ``""``. A column that may be empty may be missing; what a
        user's own file may leave out is filled in, named after ``attrs["path"]`` where there is one.

    Raises
    ------
    InputError
        Every problem at once, with the row's position counted from 1, the column, what was found and
        what is allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> check_frame("portfolio_names", pd.DataFrame({"portfolio": ["A B"], "name": ["first"]}))
    Traceback (most recent call last):
    sinkrisk.errors.InputError: row 1, key 'portfolio': not an identifier: got 'A B'; ...
    """
    import pandas as pd

    schema = tables.schema_of(name)
    if isinstance(frame, pd.DataFrame):
        schema = for_own_files(schema, Path(str(frame.attrs.get("path") or _OWN)).name)
    else:
        raise InputError(
            Problem(f"{schema.name}: not a table", got=type(frame).__name__, allowed="DataFrame")
        )
    found = Problems()
    check_columns([str(given) for given in frame.columns], schema, found)
    found.raise_if_any()
    texts = {
        column.name: [_text(value) for value in frame[column.name]]
        if column.name in frame.columns
        else [""] * len(frame)
        for column in schema.columns
    }
    cells = [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]
    words = tables.vocabularies_of(schema)
    rows = check_cells(list(enumerate(cells, 1)), schema, words, found)
    found.raise_if_any()
    typed = typed_frame(schema, rows)
    typed.attrs = dict(frame.attrs)
    return frame_schema(name, own=True).validate(typed)


def _text(value: Any) -> str:
    """Return a value as the cell of a file: nothing for what is missing, full precision for numbers."""
    import pandas as pd

    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "true" if value else "false"
    return "" if pd.isna(value) else repr(value.item() if hasattr(value, "item") else value)


def _column(column: Column, words: Vocabularies) -> pandera.Column:
    import pandera.pandas as pandera

    checks = []
    if column.kind in ("number", "integer"):
        rule = pandera.Check.in_range(
            column.minimum, column.maximum, include_min=not column.above, name=f"{column.name}_in_range"
        )
        finite = pandera.Check(lambda s: s.abs() < float("inf"), name=f"{column.name}_is_finite")
        checks += [rule, finite]
    elif column.kind != "boolean":

        def sound(value: str) -> bool:
            found = Problems()
            check_cell(value, column, words, found, 1)
            return not found

        allowed = allowed_words(column, words)
        text = f"{column.kind} of {', '.join(allowed)}" if allowed is not None else column.kind
        checks.append(
            pandera.Check(sound, element_wise=True, name=f"{column.name}_is_{column.kind}", error=text)
        )
    nullable = column.kind == "number" and not column.required
    # Integers and truth values are never coerced: 2014.5 would lose its half, "no" become true.
    coerce = column.kind not in ("integer", "boolean")
    return pandera.Column(
        _DTYPES.get(column.kind, "str"), checks=checks, nullable=nullable, coerce=coerce, required=True
    )


def _holds(check: RowCheck) -> Callable[[pd.DataFrame], pd.Series[bool]]:
    def holds(frame: pd.DataFrame) -> pd.Series[bool]:
        import pandas as pd

        verdicts = []
        for row in frame.to_dict("records"):
            found = Problems()
            check({str(key): value for key, value in row.items()}, found.add)
            verdicts.append(not found)
        return pd.Series(verdicts, index=frame.index, dtype=bool)

    return holds


def _holds_together(check: TableCheck) -> Callable[[pd.DataFrame], bool]:
    def holds(frame: pd.DataFrame) -> bool:
        found = Problems()
        rows = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
        check(list(enumerate(rows, 1)), found)
        return not found

    return holds


def _name(check: Any) -> str:
    return str(check.__name__).strip("_")
