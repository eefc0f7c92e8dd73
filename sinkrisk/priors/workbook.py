"""Global Carbon Budget workbooks, read as the publisher gives them.

`read_workbook` finds the annual budget and the estimates behind it on whatever sheets a release keeps
them (layouts of 2017 to 2025), in GtC/yr, emissions positive into the air and sinks positive out of
it. Sheets, headers and columns are recognised by their words, units and numbers, never by position;
what cannot be placed is listed, and a budget that cannot be placed as a whole is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk import units
from sinkrisk.errors import Problems
from sinkrisk.priors import (
    workbook_budget as budget,
    workbook_meaning as meaning,
    workbook_members as members,
)
from sinkrisk.priors.workbook_agreement import check_agreement
from sinkrisk.priors.workbook_files import read_sheets
from sinkrisk.priors.workbook_series import Series, Skipped
from sinkrisk.priors.workbook_tables import Table, find_table, letters, note_texts

if TYPE_CHECKING:
    import pandas as pd

_RELEASE = re.compile(r"global[ _]carbon[ _]budget[ _]*(20[12]\d)", re.IGNORECASE)
_VERSION = re.compile(r"v\s*(\d+(?:\.\d+)*)", re.IGNORECASE)
_FACTOR = re.compile(r"\b3\.66\d*\b")
_INTERVAL = 0.6827


@dataclass(frozen=True)
class Workbook:
    """A workbook as read.

    Parameters
    ----------
    path : str
    release : str
        Year of the release, for example ``"2024"``.
    version : str
        From the file's name, empty where it states none.
    observations : DataFrame
        Rows of the observation schema in GtC/yr. ``method=assessment`` are the series of the budget
        itself, ``derived`` its imbalance; the individual estimates are gobm, fco2, dgvm, bookkeeping,
        inversion, model or observation. A year without a number has no row.
    closure : DataFrame
        year, printed and recomputed imbalance, residual, GtC/yr.
    ensembles : DataFrame
        Printed means and spreads beside the recomputed ones; they are no observations.
    agreement : DataFrame
        Assessed series that a second sheet repeats, with the differences.
    skipped : tuple of Skipped
        What was left out, where, why, and whether it could be placed.
    notes : tuple of str
        What a reader of the numbers must know.
    units : mapping of str to str
        Unit of each sheet read.
    """

    path: str
    release: str
    version: str
    observations: pd.DataFrame
    closure: pd.DataFrame
    ensembles: pd.DataFrame
    agreement: pd.DataFrame
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)


def read_workbook(path: str | os.PathLike[str], *, historical: bool = False) -> Workbook:
    """Read a Global Carbon Budget workbook of any release.

    Parameters
    ----------
    path : path
        An .xlsx file.
    historical : bool
        Whether the long budget (from 1750) adds its years before those of the annual budget. Off by
        default: it is made with other methods and leaves components out.

    Returns
    -------
    Workbook

    Raises
    ------
    InputError
        Every problem found, and nothing loaded: a file that is no workbook, a sheet without a unit, a
        component of the budget that cannot be placed (with the columns that could not), years missing
        or doubled, text in a cell of numbers, signs of the other convention, numbers of another unit
        than stated, a budget that does not close or differs from what its components' sheets repeat.
    """
    path = Path(path)
    found = Problems(file=str(path))
    skipped: list[Skipped] = []
    tables = _tables(path, skipped)
    main, long = budget.choose(tables, skipped, found)
    found.raise_if_any()
    assert main is not None
    annual = budget.read_budget(main, found, skipped)
    found.raise_if_any()
    by_subject = _by_subject(tables, {id(main), *(id(table) for table in long)}, skipped)
    land_names = [column.name for table in by_subject.get("land", []) for column in table.columns]
    read: list[members.SheetEstimates] = []
    for subject in meaning.FLUXES:
        for table in by_subject.get(subject, []):
            assessed = annual.series.get(subject)
            read.append(members.read_estimates(table, subject, assessed, land_names, found, skipped))
    members.check_names([series for estimates in read for series in estimates.series], found)
    for estimates in read:
        if estimates.assessed_sd is not None:
            annual = annual.with_sd(estimates.subject, estimates.assessed_sd, found)
    if not found:
        check_agreement(annual, read, found)
    early = budget.read_long(long, annual, found, skipped, historical=historical)
    found.raise_if_any()
    release, version, notes = _release(path, tables, _texts(tables), annual.years[-1])
    for estimates in read:
        notes.extend(estimates.notes)
    observations = _observations(path, release, annual, early, read)
    sheet_units = {main.sheet.name: annual.unit, **{e.sheet: e.unit for e in read}}
    book = Workbook(
        path=str(path),
        release=release,
        version=version,
        observations=observations,
        closure=annual.closure(),
        ensembles=members.ensemble_table(read),
        agreement=members.agreement_table(read, annual.series, early.overlap),
        skipped=tuple(skipped),
        notes=(*notes, *_conversion_notes(tables, sheet_units)),
        units=sheet_units,
    )
    observations.attrs.update(_attrs(book))
    return book


def load_workbook(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return a workbook's observations; what `load_observations` calls for an .xlsx file.

    Returns
    -------
    DataFrame
        As `Workbook.observations`. ``attrs`` hold ``path``, ``release``, ``version``, ``doi``,
        ``skipped`` and ``notes`` as plain strings.

    Raises
    ------
    InputError
        As `read_workbook`, and where a sheet's printed mean proves that one member's column has
        another unit or sign: `read_workbook` still reads such a file, for `check_workbook` to show.
    """
    book = read_workbook(path)
    found = Problems(file=str(path))
    proved = book.ensembles[(book.ensembles["suspect"] != "") & ~book.ensembles["assessed"].astype(bool)]
    for (sheet, label, cause), rows in proved.groupby(["sheet", "label", "suspect"], sort=False):
        found.add(
            f"sheet '{sheet}': the printed mean '{label}' holds only if one column is mended",
            got=cause,
            hint=f"it differs in {len(rows)} years; mend the column, or look with `sinkrisk data check`",
        )
    found.raise_if_any()
    return book.observations


def _tables(path: Path, skipped: list[Skipped]) -> list[Table]:
    out: list[Table] = []
    for sheet in read_sheets(path):
        if sheet.hidden:
            skipped.append(Skipped(sheet.name, "", "a hidden sheet"))
            continue
        table = find_table(sheet, str(path))
        if table is None:
            skipped.append(Skipped(sheet.name, "", "no column of years"))
        else:
            out.append(table)
    return out


def _by_subject(tables: Sequence[Table], taken: set[int], skipped: list[Skipped]) -> dict[str, list[Table]]:
    """Return the sheets of individual estimates: flux -> tables."""
    out: dict[str, list[Table]] = {}
    for table in tables:
        if id(table) in taken:
            continue
        name = table.sheet.name
        subject = meaning.subject_of(table.sheet)
        if meaning.is_regional(table.sheet):
            skipped.append(Skipped(name, "", "parts of the globe"))
        elif meaning.is_fuel_table(table):
            skipped.append(Skipped(name, "", "fossil emissions by fuel: parts of one component"))
        elif subject is None:
            skipped.append(Skipped(name, "", "holds no estimates of a flux of the budget", placed=False))
        else:
            out.setdefault(subject, []).append(table)
    return out


def _texts(tables: Sequence[Table]) -> list[tuple[str, str]]:
    """Return every text cell outside the tables as (place, text)."""
    return [item for table in tables for item in note_texts(table)]


def _release(
    path: Path, tables: Sequence[Table], texts: Sequence[tuple[str, str]], last_year: int
) -> tuple[str, str, list[str]]:
    notes: list[str] = []
    version = _VERSION.search(path.stem.replace("_", " "))
    named = _RELEASE.search(path.stem)
    inside = [
        match[1] for _, text in texts for match in [re.search(r"et al\.?,? \(?(20[12]\d)", text)] if match
    ]
    if named is not None:
        release = named[1]
    else:
        # A release of year Y ends with Y - 1; its texts cite the release itself most often.
        following = str(last_year + 1)
        release = following if following in inside or not inside else max(inside)
        if following not in inside:
            notes.append(f"the release is taken to be {release}: no text and no file name says so")
    if int(release) != last_year + 1:
        notes.append(
            f"release {release} is expected to end with {int(release) - 1}, this one ends with {last_year}"
        )
    return release, version[1] if version else "", notes


def _conversion_notes(tables: Sequence[Table], sheet_units: Mapping[str, str]) -> list[str]:
    notes = []
    for table in tables:
        unit = sheet_units.get(table.sheet.name)
        if unit is None:
            continue
        factor = next((m[0] for _, text in note_texts(table) if (m := _FACTOR.search(text))), None)
        if "CO2" in unit:
            stated = f"; the sheet itself states {factor}" if factor else ""
            notes.append(f"sheet '{table.sheet.name}' is in {unit}: turned into GtC/yr with 44/12{stated}")
        elif unit != "GtC/yr":
            notes.append(f"sheet '{table.sheet.name}' is in {unit}: turned into GtC/yr")
    if any(_FACTOR.search(text) for table in tables for _, text in note_texts(table)):
        exact = f"{units.C_TO_CO2:.4f}"
        notes.append(
            f"the workbook counts 3.664 tonnes of CO2 per tonne of carbon; sinkrisk counts 44/12 = {exact}"
        )
    return notes


def _observations(
    path: Path,
    release: str,
    annual: budget.AnnualBudget,
    early: budget.LongBudget,
    read: Sequence[members.SheetEstimates],
) -> pd.DataFrame:
    import pandas as pd

    source = source_key(release)
    blocks: list[Series] = [*annual.rows(f"GCB{release}"), *early.rows(f"GCB{release}")]
    blocks.extend(series for estimates in read for series in estimates.series)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("component", "method", "estimate", "definition", "note")
    }
    numbers: dict[str, list[np.ndarray]] = {name: [] for name in ("start", "value", "sd")}
    locators: list[str] = []
    for series in blocks:
        keep = np.isfinite(series.values)
        count = int(keep.sum())
        for name in columns:
            columns[name].extend([getattr(series, name)] * count)
        numbers["start"].append(series.years[keep])
        numbers["value"].append(series.values[keep])
        sds = series.sd if series.sd is not None else np.full(len(series.values), np.nan)
        numbers["sd"].append(sds[keep])
        stem = f"{series.sheet}!{letters(series.column)}"
        locators.extend(f"{stem}{row + 1}" for row in np.asarray(series.rows)[keep])
    years = np.concatenate(numbers["start"]).astype("int64")
    sds = np.concatenate(numbers["sd"])
    size = len(years)
    blank = np.full(size, np.nan)
    return pd.DataFrame(
        {
            "component": pd.Series(columns["component"], dtype="str"),
            "geography": pd.Series(["global"] * size, dtype="str"),
            "method": pd.Series(columns["method"], dtype="str"),
            "estimate": pd.Series(columns["estimate"], dtype="str"),
            "start": years,
            "end": years.copy(),
            "value": np.concatenate(numbers["value"]),
            "sd": sds,
            "low": blank,
            "high": blank.copy(),
            "interval": np.where(np.isfinite(sds), _INTERVAL, np.nan),
            "unit": pd.Series(["GtC/yr"] * size, dtype="str"),
            "definition": pd.Series(columns["definition"], dtype="str"),
            "kind": pd.Series(["observed"] * size, dtype="str"),
            "source": pd.Series([source] * size, dtype="str"),
            "locator": pd.Series(locators, dtype="str"),
            "note": pd.Series(columns["note"], dtype="str"),
        }
    )


def source_key(release: str) -> str:
    """Return the key of the release's paper where the library has it, else ``gcp<year>``, the data's own."""
    from sinkrisk.priors.references import known_keys

    keys = known_keys()
    named = (f"friedlingstein{release}", f"lequere{release}")
    return next((key for key in named if key in keys), f"gcp{release}")


def _attrs(book: Workbook) -> dict[str, Any]:
    # Plain strings only: pandas copies attrs with every operation and compares them when it joins.
    return {
        "path": book.path,
        "release": book.release,
        "version": book.version,
        "doi": f"10.18160/gcp-{book.release}",
        "skipped": tuple(str(item) for item in book.skipped),
        "notes": book.notes,
    }
