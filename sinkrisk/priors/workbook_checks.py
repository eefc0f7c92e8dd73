"""Checks of a workbook against itself: closure, ensemble means and spreads, series printed twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.priors.workbook import Workbook, read_workbook
from sinkrisk.priors.workbook_budget import CLOSURE_TOLERANCE
from sinkrisk.priors.workbook_means import MEAN_TOLERANCE
from sinkrisk.results import Check

if TYPE_CHECKING:
    import pandas as pd


def check_workbook(workbook: Workbook | str | os.PathLike[str]) -> list[Check]:
    """Check a Global Carbon Budget workbook against itself.

    Parameters
    ----------
    workbook : Workbook or path

    Returns
    -------
    list of Check
        ``closure`` (each year's imbalance against the recomputed one, to 1e-9 GtC/yr), ``repeated
        series`` (the assessed series on their own sheets and in the historical budget), ``ensemble
        means`` and ``ensemble spreads`` (recomputed against printed, per method), ``years without
        estimates``, ``notes`` and ``left out``. A printed mean that differs from its members' by more
        than rounding, in a year in which none is missing, fails, and names the column whose sign or
        unit explains it. Where members are missing, or the assessed series is the mean, and for
        spreads, a difference informs. Each check carries its table.

    Raises
    ------
    InputError
        As `read_workbook`.
    """
    book = workbook if isinstance(workbook, Workbook) else read_workbook(workbook)
    return [
        _closure(book),
        _repeated(book),
        _ensembles(book, "mean"),
        _ensembles(book, "sd"),
        _gaps(book),
        _notes(book),
        _left_out(book),
    ]


def _closure(book: Workbook) -> Check:
    table = book.closure
    if table["printed"].isna().all():
        return Check("closure", None, "the workbook prints no imbalance to close against", table)
    residual = np.abs(table["residual"].to_numpy(dtype=float))
    years = table["year"].to_numpy()
    worst = int(np.argmax(residual))
    failed = int((residual > CLOSURE_TOLERANCE).sum())
    text = (
        f"{len(years)} years, {years[0]}-{years[-1]}: largest difference {residual[worst]:.2g} GtC/yr in "
        f"{years[worst]}, {failed} years beyond {CLOSURE_TOLERANCE:g}"
    )
    return Check("closure", failed == 0, text, table)


def _repeated(book: Workbook) -> Check:
    table = book.agreement
    if table.empty:
        return Check("repeated series", None, "no assessed series stands on a second sheet", table)
    parts = []
    for (component, sheet), rows in table.groupby(["component", "sheet"], sort=False):
        difference = rows["difference"].abs().max()
        if difference > MEAN_TOLERANCE:
            parts.append(f"{component} on '{sheet}' by up to {difference:.3g} GtC/yr")
    pairs = table.groupby(["component", "sheet"]).ngroups
    text = f"{pairs} series stand on a second sheet; " + (
        f"differing: {', '.join(parts)}" if parts else f"all agree to within {MEAN_TOLERANCE:g} GtC/yr"
    )
    return Check("repeated series", not parts, text, table)


def _ensembles(book: Workbook, statistic: str) -> Check:
    name = "ensemble means" if statistic == "mean" else "ensemble spreads"
    table = book.ensembles[book.ensembles["statistic"] == statistic].reset_index(drop=True)
    if table.empty:
        return Check(name, None, "none printed", table)
    parts, agree, failed = [], 0, False
    for (component, method, label), rows in table.groupby(["component", "method", "label"], sort=False):
        difference = np.abs(rows["difference"].to_numpy(dtype=float))
        whole = (rows["members"] == rows["of"]).to_numpy()
        if not np.isfinite(difference).any():
            parts.append(f"'{label}' ({component}, {method}): no members to recompute it from")
        elif np.nanmax(difference) > MEAN_TOLERANCE:
            at = rows["year"].to_numpy()[int(np.nanargmax(difference))]
            off = difference > MEAN_TOLERANCE
            only = "" if (off & whole).any() else ", only where members are missing"
            beyond = difference > rows["tolerance"].to_numpy(dtype=float)
            proved = statistic == "mean" and not rows["assessed"].any()
            failed |= proved and bool((beyond & whole).any())
            cause = str(rows["suspect"].iloc[0]) if proved else ""
            parts.append(
                f"'{label}' ({component}, {method}): {int(off.sum())} of {len(rows)} years, up to "
                f"{np.nanmax(difference):.3g} GtC/yr in {at}{only}" + (f": {cause}" if cause else "")
            )
        else:
            agree += 1
    text = f"{agree} of {agree + len(parts)} agree with their members to within {MEAN_TOLERANCE:g} GtC/yr"
    passed = False if failed else None
    return Check(name, passed, text + (f"; differing: {'; '.join(parts)}" if parts else ""), table)


def _gaps(book: Workbook) -> Check:
    """List the estimates that lack years the budget has; a missing year is no row, never a zero."""
    import pandas as pd

    rows = book.observations
    years = np.sort(rows.loc[rows["component"] == "fossil", "start"].unique())
    counts = rows.groupby(["component", "method", "estimate"], sort=False)["start"].agg(
        ["size", "min", "max"]
    )
    inside = counts[counts["size"] < len(years)].reset_index()
    table = pd.DataFrame(inside).rename(columns={"size": "years", "min": "first", "max": "last"})
    total = len(counts)
    text = f"{total} series, {total - len(table)} with all {len(years)} years, {len(table)} with fewer"
    return Check("years without estimates", None, text, table)


def _notes(book: Workbook) -> Check:
    stated = rows_without_sd(book)
    notes = [*book.notes]
    if stated:
        notes.append(f"no standard deviation stated for {', '.join(stated)}")
    return Check("notes", None, "; ".join(notes) if notes else "none")


def rows_without_sd(book: Workbook) -> tuple[str, ...]:
    """Return the assessed components and years without a standard deviation, ``cement 1959-2023``."""
    rows = book.observations[book.observations["method"] == "assessment"]
    without = rows[rows["sd"].isna()].groupby("component", sort=False)["start"].agg(["min", "max"])
    return tuple(f"{name} {first}-{last}" for name, first, last in without.reset_index().to_numpy())


def _left_out(book: Workbook) -> Check:
    import pandas as pd

    table: pd.DataFrame = pd.DataFrame(
        [{"place": s.place, "header": s.what, "reason": s.reason, "placed": s.placed} for s in book.skipped],
        columns=["place", "header", "reason", "placed"],
    )
    unplaced = [str(s).removesuffix(" (could not be placed)") for s in book.skipped if not s.placed]
    text = f"{len(table)} sheets and columns left out"
    text += f"; could not be placed: {'; '.join(unplaced)}" if unplaced else ", all of them recognised"
    return Check("left out", None, text, table)
