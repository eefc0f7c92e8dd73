"""The individual estimates behind a budget, and the ensemble means and spreads printed beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import Problems
from sinkrisk.priors import workbook_meaning as meaning
from sinkrisk.priors.workbook_meaning import Role
from sinkrisk.priors.workbook_means import left_out, suspect, tolerance
from sinkrisk.priors.workbook_series import UNIT, Floats, Ints, Series, Skipped, column_series, sheet_unit
from sinkrisk.priors.workbook_tables import Column, Table, letters, note_texts

if TYPE_CHECKING:
    import pandas as pd

SAME = 1e-9
"""Two series agree when no year differs by more, GtC/yr."""

MIRRORED = 0.1
"""A printed mean shows the other sign when minus the members' mean is nearer to it by this factor."""

_ENSEMBLE_REST = ("difference", "members", "of", "tolerance", "assessed", "suspect", "sheet", "unit")
_DEFINITIONS = {
    "gobm": "model, without the river loop",
    "dgvm": "land sink without land-use change",
    "bookkeeping": "net land-use change emissions",
    "model": "cement carbonation sink",
    "observation": "growth rate of the atmospheric stock",
    "inversion": "atmospheric inversion",
}
_ADJUSTED = re.compile(
    r"(?:products?|data)\b.*\bare adjusted for\b.*(?:river|pre-?industrial)", re.IGNORECASE
)
_NOT_ADJUSTED = re.compile(r"(?:products?|data)\b.*\binclude\b.*pre-?industrial", re.IGNORECASE)


@dataclass(frozen=True)
class Printed:
    """A mean or a spread as the workbook prints it: over which method, and which members it leaves out."""

    series: Series
    statistic: str
    label: str
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SheetEstimates:
    """What one sheet of individual estimates holds."""

    sheet: str
    subject: str
    unit: str
    series: tuple[Series, ...] = ()
    printed: tuple[Printed, ...] = ()
    assessed: tuple[Series, ...] = ()
    assessed_sd: Series | None = None
    notes: tuple[str, ...] = ()


@dataclass
class _Sorted:
    members: list[Series] = field(default_factory=list)
    printed: list[tuple[str, Column, Series]] = field(default_factory=list)
    assessed: list[Series] = field(default_factory=list)


def read_estimates(
    table: Table,
    subject: str,
    assessed: Series | None,
    land_names: Sequence[str],
    found: Problems,
    skipped: list[Skipped],
) -> SheetEstimates:
    """Read one sheet; every problem goes to `found`, every column left out to `skipped`."""
    name = table.sheet.name
    roles = meaning.roles(table, subject, land_names)
    found.extend(table.problems.found)
    skipped.extend(Skipped.of(text) for text in table.skipped)
    unit = sheet_unit(table, found)
    if unit is None:
        return SheetEstimates(name, subject, UNIT)
    sorted_ = _Sorted()
    guessed: set[int] = set()
    for column in table.columns:
        role = roles[column.index]
        place = f"{name}!{letters(column.index)}"
        if role.kind == "skipped" and (role.placed or not column.numbers):
            skipped.append(Skipped(place, column.label, role.reason))
            continue
        series = column_series(
            table, column, unit, found if role.kind != "skipped" else Problems(),
            component=subject, method=role.method, estimate=_name(column),
            definition=_definition(table, subject, role),
        )  # fmt: skip
        if role.kind in ("member", "skipped") and _equals(series, assessed):
            role = Role("assessed")
        if role.kind == "skipped":
            skipped.append(Skipped(place, column.label, role.reason, placed=False))
        elif role.kind == "assessed":
            sorted_.assessed.append(series)
        elif role.kind == "assessed_sd":
            sorted_.printed.append(("assessed_sd", column, series))
        elif role.kind == "member":
            sorted_.members.append(series)
            guessed |= {column.index} if role.guessed else set()
        else:
            sorted_.printed.append((role.kind, column, series))
    for series, reason in _unproved(sorted_, _printed(sorted_), guessed):
        sorted_.members = [member for member in sorted_.members if member is not series]
        skipped.append(Skipped(f"{name}!{letters(series.column)}", series.estimate, reason, placed=False))
    if not sorted_.members and not found:
        got = ", ".join(f"{letters(c.index)} '{c.label}'" for c in table.columns if not roles[c.index].placed)
        if got:
            what = f"sheet '{name}': none of its estimates could be placed"
            found.add(
                what, got=got, row=table.header_row + 1, hint="group labels above the names say what they are"
            )
    printed = _printed(sorted_)
    oriented, notes = _oriented(sorted_.members, printed, assessed, name, found)
    sds = [series for kind, _, series in sorted_.printed if kind == "assessed_sd"]
    return SheetEstimates(
        sheet=name,
        subject=subject,
        unit=unit,
        series=tuple(oriented),
        printed=printed,
        assessed=tuple(sorted_.assessed),
        assessed_sd=sds[0] if sds else None,
        notes=tuple(notes),
    )


def _unproved(sorted_: _Sorted, printed: Sequence[Printed], guessed: set[int]) -> list[tuple[Series, str]]:
    """Return the columns that are taken for estimates without a proof, and why they are left out.

    A guessed column, or one to the right of its group's printed mean, stays out where that mean was
    taken without it. A guessed one beside others of its kind that labels do place needs a mean.
    """
    out: list[tuple[Series, str]] = []
    for method in dict.fromkeys(series.method for series in sorted_.members):
        group = [series for series in sorted_.members if series.method == method]
        proof = next((p for p in printed if p.statistic == "mean" and p.series.method == method), None)
        if proof is None:
            open_ = [series for series in group if series.column in guessed]
            if len(open_) < len(group):
                reason = f"no label or list says that it is an estimate like its neighbours ({method})"
                out.extend((series, reason) for series in open_)
            continue
        kept = [series for series in group if series.estimate not in proof.excludes]
        doubtful = [s for s in kept if s.column in guessed or s.column > proof.series.column]
        reason = f"'{proof.label}' is the mean of the others without it"
        out.extend((series, reason) for series in left_out(proof.series, kept, doubtful))
    return out


def _name(column: Column) -> str:
    if column.sub and meaning.group_of(column.name):
        return column.sub
    return column.name


def _equals(series: Series, assessed: Series | None) -> bool:
    if assessed is None:
        return False
    difference = np.abs(series.values - assessed.on(series.years))
    return bool(np.isfinite(difference).sum() >= 10 and np.nanmax(difference) <= SAME and series.values.any())


def _definition(table: Table, subject: str, role: Role) -> str:
    if role.method == "dgvm" and subject == "land_use":
        return "net land-use change emissions, land models"
    if role.method != "fco2":
        return _DEFINITIONS.get(role.method, "")
    texts = [text for _, text in note_texts(table)]
    if any(_NOT_ADJUSTED.search(text) for text in texts):
        return "not adjusted for the river loop"
    if any(_ADJUSTED.search(text) for text in texts):
        return "adjusted for the river loop"
    return "adjustment for the river loop not stated"


def check_names(members: Sequence[Series], found: Problems) -> None:
    """Report estimates that stand twice in a workbook, on one sheet or on two."""
    seen: dict[tuple[str, str, str], Series] = {}
    for series in members:
        key = (series.component, series.method, series.estimate.strip().lower())
        first = seen.setdefault(key, series)
        if first is not series:
            found.add(
                f"sheet '{series.sheet}': an estimate given twice",
                got=series.estimate,
                key=letters(series.column),
                hint=f"the first is column {letters(first.column)} of '{first.sheet}'",
            )


def _printed(sorted_: _Sorted) -> tuple[Printed, ...]:
    out = []
    for kind, column, series in sorted_.printed:
        if kind in ("mean", "spread"):
            names = [m.estimate for m in sorted_.members if m.method == series.method]
            excludes = meaning.excluded_names(column.label, names)
            out.append(Printed(series, "mean" if kind == "mean" else "sd", column.label, excludes))
    return tuple(out)


def recompute(members: Sequence[Series], years: Ints, statistic: str) -> tuple[Floats, Ints]:
    """Return the mean or the standard deviation (n - 1) over the members by year, and their number."""
    if not members:
        return np.full(len(years), np.nan), np.zeros(len(years), dtype=np.int64)
    stacked = np.array([series.on(years) for series in members])
    there = np.isfinite(stacked)
    count = there.sum(axis=0)
    total = np.where(there, stacked, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.full(len(years), np.nan), where=count > 0)
    if statistic == "mean":
        return mean, count
    squares = np.where(there, (stacked - mean) ** 2, 0.0).sum(axis=0)
    variance = np.divide(squares, count - 1, out=np.full(len(years), np.nan), where=count > 1)
    return np.sqrt(variance), count


def _oriented(
    members: Sequence[Series],
    printed: Sequence[Printed],
    assessed: Series | None,
    sheet: str,
    found: Problems,
) -> tuple[list[Series], list[str]]:
    """Return the members with sinks and emissions positive.

    A group whose printed mean is minus its members' mean was printed with the other sign (the land
    models' land-use emissions of GCB2022 and GCB2023) and is turned round. A group that runs against
    the assessed series without such a proof is a problem.
    """
    out: list[Series] = []
    notes: list[str] = []
    for method in dict.fromkeys(series.method for series in members):
        group = [series for series in members if series.method == method]
        years = group[0].years
        proof = next((p for p in printed if p.statistic == "mean" and p.series.method == method), None)
        if proof is not None:
            kept = [series for series in group if series.estimate not in proof.excludes]
            mean = recompute(kept, years, "mean")[0]
            target = proof.series.on(years)
            both = np.isfinite(mean) & np.isfinite(target)
            straight, mirrored = np.abs(mean - target)[both], np.abs(mean + target)[both]
            if both.any() and mirrored.max() <= MIRRORED * straight.max():
                note = f"sign turned: the sheet prints it with the other sign, its '{proof.label}' shows it"
                out.extend(series.flipped(note) for series in group)
                against = f"have the other sign than their '{proof.label}'"
                notes.append(f"{sheet}: {len(group)} {method} columns {against}; turned")
                continue
        if assessed is not None:
            mean = recompute(group, years, "mean")[0]
            other = assessed.on(years)
            both = np.isfinite(mean) & np.isfinite(other)
            if both.any() and mean[both].mean() < 0 < other[both].mean():
                found.add(
                    f"sheet '{sheet}': the {method} estimates have the other sign",
                    got=f"a mean of {mean[both].mean():.4g} GtC/yr",
                    allowed="emissions positive into the air, sinks positive out of it",
                    key=letters(group[0].column),
                )
        out.extend(group)
    return out, notes


def ensemble_table(read: Sequence[SheetEstimates]) -> pd.DataFrame:
    """Return each printed mean and spread beside the recomputed one, by year, GtC/yr."""
    import pandas as pd

    blocks = []
    for estimates in read:
        items = [(item, False) for item in estimates.printed]
        for series in estimates.assessed:
            if estimates.subject in ("land_use", "cement"):
                # These sheets print no mean: the assessed series itself is said to be the average.
                method = "bookkeeping" if estimates.subject == "land_use" else "model"
                mean = Printed(replace(series, method=method), "mean", series.estimate)
                items.append((mean, True))
        for item, assessed in items:
            kept = [
                s
                for s in estimates.series
                if s.method == item.series.method and s.estimate not in item.excludes
            ]
            computed, count = recompute(kept, item.series.years, item.statistic)
            there = np.isfinite(item.series.values)
            blocks.append(
                pd.DataFrame(
                    {
                        "component": estimates.subject,
                        "method": item.series.method,
                        "statistic": item.statistic,
                        "label": item.label,
                        "year": item.series.years[there],
                        "printed": item.series.values[there],
                        "recomputed": computed[there],
                        "difference": (item.series.values - computed)[there],
                        "members": count[there],
                        "of": len(kept),
                        "tolerance": tolerance(item.series, kept),
                        "assessed": assessed,
                        "suspect": suspect(item.series, kept) if item.statistic == "mean" else "",
                        "sheet": estimates.sheet,
                        "unit": UNIT,
                    }
                )
            )
    if not blocks:
        names = ["component", "method", "statistic", "label", "year", "printed", "recomputed"]
        return pd.DataFrame(columns=[*names, *_ENSEMBLE_REST])
    return pd.concat(blocks, ignore_index=True)


def agreement_table(
    read: Sequence[SheetEstimates], series: Mapping[str, Series], overlap: Mapping[str, tuple[str, Series]]
) -> pd.DataFrame:
    """Return the assessed series that other sheets repeat, beside those of the budget, GtC/yr."""
    import pandas as pd

    blocks = []
    pairs = [(e.subject, e.sheet, one) for e in read for one in e.assessed]
    pairs.extend((component, sheet, one) for component, (sheet, one) in overlap.items())
    for component, sheet, one in pairs:
        if component not in series:
            continue
        first = series[component]
        other = one.on(first.years)
        there = np.isfinite(other)
        blocks.append(
            pd.DataFrame(
                {
                    "component": component,
                    "sheet": sheet,
                    "year": first.years[there],
                    "budget": first.values[there],
                    "repeated": other[there],
                    "difference": (other - first.values)[there],
                    "unit": UNIT,
                }
            )
        )
    if not blocks:
        return pd.DataFrame(
            columns=["component", "sheet", "year", "budget", "repeated", "difference", "unit"]
        )
    return pd.concat(blocks, ignore_index=True)
