"""One column of a workbook as a series in GtC/yr, and the record of what was left out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinkrisk import units
from sinkrisk.errors import Problems
from sinkrisk.priors.workbook_tables import (
    MISSING,
    Column,
    Table,
    is_number,
    letters,
    text_of,
    unit_inside,
    units_of,
)

UNIT = "GtC/yr"
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


MAX_FLUX = 100.0
"""Largest flux of a year taken for one, GtC/yr: the largest there is, fossil emissions, is a tenth of it."""


@dataclass(frozen=True)
class Skipped:
    """Something of a workbook that was left out.

    Parameters
    ----------
    place : str
        Sheet, or sheet and column.
    what : str
        The header found there.
    reason : str
    placed : bool
        False where no word says what it is.
    """

    place: str
    what: str
    reason: str
    placed: bool = True

    @classmethod
    def of(cls, text: str) -> Skipped:
        """Return what a table reports as ``place: reason``."""
        place, _, reason = text.partition(": ")
        return cls(place, "", reason)

    def __str__(self) -> str:
        named = f" '{self.what}'" if self.what else ""
        return f"{self.place}{named}: {self.reason}" + ("" if self.placed else " (could not be placed)")


@dataclass(frozen=True)
class Series:
    """One column: its values by year in GtC/yr, NaN where the cell is empty, and where it stands."""

    component: str
    method: str
    estimate: str
    years: Ints
    values: Floats
    sheet: str
    column: int
    rows: tuple[int, ...]
    sd: Floats | None = None
    definition: str = ""
    note: str = ""

    def on(self, years: Ints) -> Floats:
        """Return the values of these years, NaN where the series has none."""
        at = {int(year): float(value) for year, value in zip(self.years, self.values, strict=True)}
        return np.array([at.get(int(year), math.nan) for year in years])

    def flipped(self, note: str) -> Series:
        """Return the series with the other sign, and a note that says so."""
        return replace(self, values=-self.values, note="; ".join(t for t in (self.note, note) if t))


def sheet_unit(table: Table, found: Problems) -> str | None:
    """Return the unit of a sheet's numbers; no unit, or two, is a problem."""
    stated = units_of(table)
    name = table.sheet.name
    if len(stated) == 1:
        return stated[0]
    if not stated:
        labelled = {unit_inside(column.name) for column in table.columns if column.numbers} - {None}
        if labelled:
            return UNIT
        hint = "a cell above the table must state it"
        found.add(f"sheet '{name}': no unit", allowed="for example GtC/yr or MtCO2/yr", hint=hint)
    else:
        found.add(f"sheet '{name}': two units for its numbers", got=", ".join(stated), allowed="one")
    return None


def column_series(
    table: Table, column: Column, unit: str, found: Problems, *, complete: bool = False, **fields: Any
) -> Series:
    """Return a column as a series in GtC/yr; what is no number in it is a problem each.

    Parameters
    ----------
    table : Table
    column : Column
    unit : str
        The sheet's unit; one in the brackets of the column's own header goes before it.
    found : Problems
    complete : bool
        Whether an empty cell is a problem.
    **fields
        The rest of `Series`.
    """
    own = unit_inside(column.name) or unit_inside(column.sub) or unit
    factor = units.factor(own, UNIT)
    values = np.full(len(table.rows), np.nan)
    sheet = f"sheet '{table.sheet.name}'"
    for place, row in enumerate(table.rows):
        cell = table.cell(row, column.index)
        key = letters(column.index)
        if is_number(cell) and math.isfinite(cell):
            values[place] = float(cell) * factor
        elif cell is None or (text_of(cell).lower() in MISSING and isinstance(cell, str)):
            if complete:
                found.add(
                    f"{sheet}: no number for '{column.label}' in {table.years[place]}", row=row + 1, key=key
                )
        else:
            hint = "a number stored as text" if _numeric(cell) else None
            found.add(
                f"{sheet}: not a number under '{column.label}'", got=cell, hint=hint, row=row + 1, key=key
            )
    _refuse_fill_values(values, table, column, found)
    return Series(
        years=np.array(table.years, dtype=np.int64),
        values=values,
        sheet=table.sheet.name,
        column=column.index,
        rows=table.rows,
        **fields,
    )


def _refuse_fill_values(values: Floats, table: Table, column: Column, found: Problems) -> None:
    """Collect single numbers no flux can reach; a whole column of them is a unit, judged elsewhere."""
    large = np.abs(values) > MAX_FLUX
    if not large.any() or float(np.nanmedian(np.abs(values))) > MAX_FLUX:
        return
    for place in np.flatnonzero(large):
        found.add(
            f"sheet '{table.sheet.name}': no flux of a year is this large, under '{column.label}'",
            got=float(values[place]),
            allowed=f"up to {MAX_FLUX:g} {UNIT} either way",
            hint="a fill value?",
            row=table.rows[place] + 1,
            key=letters(column.index),
        )


def _numeric(cell: Any) -> bool:
    try:
        float(str(cell).replace(",", "."))
    except ValueError:
        return False
    return not isinstance(cell, bool)
