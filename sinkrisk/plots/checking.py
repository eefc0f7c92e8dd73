"""Checks on the tables that plots are drawn from: every problem at once, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems


def require_table(
    table: object,
    columns: Sequence[str],
    *,
    name: str,
    numeric: Sequence[str] = (),
    ordered: Sequence[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Return a copy of `table` with a fresh index, or raise naming everything that is wrong.

    Parameters
    ----------
    table : DataFrame
    columns : sequence of str
        Columns that must be there.
    name : str
        What the table is, for messages.
    numeric : sequence of str
        Columns that must hold numbers; NaN is allowed, infinities and text are not.
    ordered : sequence of (low, high)
        Pairs of columns of which the first must not exceed the second.

    Raises
    ------
    InputError
        For something that is not a DataFrame, a missing column, an empty table, text or an infinity
        where a number belongs, an interval that ends before it starts.
    """
    if not isinstance(table, pd.DataFrame):
        raise InputError(Problem(f"{name}: not a table", got=type(table).__name__, allowed="DataFrame"))
    found = Problems()
    for column in columns:
        if column not in table.columns:
            found.add(f"{name}: missing column", got=", ".join(map(str, table.columns)), key=column)
    if table.empty:
        found.add(f"{name}: no rows to draw", got=0)
    found.raise_if_any()
    table = table.reset_index(drop=True)
    for column in numeric:
        values = pd.to_numeric(table[column], errors="coerce")
        text = values.isna() & table[column].notna()
        for row in np.flatnonzero(text):
            found.add(f"{name}: not a number", got=str(table[column].iloc[row]), key=column, row=int(row) + 1)
        for row in np.flatnonzero(np.isinf(values.to_numpy(dtype=float))):
            found.add(f"{name}: not finite", got=float(values.iloc[row]), key=column, row=int(row) + 1)
        if not text.any():
            table[column] = values.astype(float)
    found.raise_if_any()
    for low, high in ordered:
        for row in np.flatnonzero(table[low].to_numpy() > table[high].to_numpy()):
            found.add(
                f"{name}: interval ends before it starts",
                got=f"{table[low].iloc[row]} to {table[high].iloc[row]}",
                key=f"{low}, {high}",
                row=int(row) + 1,
            )
    found.raise_if_any()
    return table


def only(table: pd.DataFrame, column: str, *, name: str) -> str:
    """Return the one value a column holds throughout, for example the unit of an axis.

    Raises
    ------
    InputError
        When rows differ: one axis cannot carry two units or two interval masses.
    """
    values = sorted({str(v) for v in table[column].dropna()})
    if len(values) != 1:
        raise InputError(
            Problem(f"{name}: '{column}' must be the same in every row", got=", ".join(values), key=column)
        )
    return values[0]


def interval_label(table: pd.DataFrame, *, name: str) -> str:
    """Return for example ``90 % equal-tailed interval`` from the columns that say so.

    Examples
    --------
    >>> import pandas as pd
    >>> interval_label(pd.DataFrame({"interval_kind": ["equal-tailed"], "interval_mass": [0.9]}), name="t")
    '90 % equal-tailed interval'
    """
    kind = only(table, "interval_kind", name=name)
    mass = float(only(table, "interval_mass", name=name))
    return f"{round(100 * mass, 6):g} % {kind} interval"


def chosen(wanted: Sequence[str] | None, there: Sequence[str], *, key: str, name: str) -> list[str]:
    """Return `wanted`, or all that is there; an unknown entry raises with the nearest known one.

    Raises
    ------
    InputError
        For entries the table does not hold, all at once, or an empty choice.
    """
    if wanted is None:
        return list(there)
    found = Problems()
    for entry in wanted:
        if entry not in there:
            found.add(f"{name}: no such {key}", got=str(entry), allowed=list(there), key=key)
    if not wanted:
        found.add(f"{name}: nothing chosen", got="[]", allowed=list(there), key=key)
    found.raise_if_any()
    return list(wanted)
