"""Whether the assessed series that components' own sheets repeat are those of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sinkrisk.errors import Problems
from sinkrisk.priors.workbook_budget import AnnualBudget
from sinkrisk.priors.workbook_members import SheetEstimates
from sinkrisk.priors.workbook_series import Series
from sinkrisk.priors.workbook_tables import letters

AGREEMENT_LIMIT = 0.02
"""Above this a repeated series is another one, GtC/yr: twice the step of numbers with two decimals."""


def check_agreement(annual: AnnualBudget, read: Sequence[SheetEstimates], found: Problems) -> None:
    """Refuse a budget whose series are not those their own sheets repeat: headers or years changed."""
    repeated = [(e.subject, one) for e in read for one in e.assessed if e.subject in annual.series]
    for component, one in repeated:
        own = annual.series[component]
        gap = np.abs(one.values - own.on(one.years))
        off = np.isfinite(gap) & (gap > AGREEMENT_LIMIT)
        if not off.any():
            continue
        years = one.years[off]
        hints = [
            f"the column agrees with '{other.sheet}', the sheet of {name}"
            for name, other in repeated
            if other is not one and _same(own, other)
        ]
        columns = [*annual.series.items(), *([("imbalance", annual.imbalance)] if annual.imbalance else [])]
        hints += [
            f"'{one.sheet}' agrees with the budget's column {letters(other.column)}, read as {name}"
            for name, other in columns
            if name != component and _same(other, one)
        ]
        hints += [
            f"they agree with the years of '{one.sheet}' moved by {step:+d}"
            for step in (-1, 1)
            if _same(replace(one, years=one.years + step), own)
        ]
        found.add(
            f"sheet '{annual.sheet}': column {letters(own.column)}, read as {component}, is not what sheet "
            f"'{one.sheet}' repeats in column {letters(one.column)}",
            got=f"up to {np.nanmax(gap):.4g} GtC/yr apart in {len(years)} years, {years[0]}-{years[-1]}",
            allowed=f"the same series, within {AGREEMENT_LIMIT:g}",
            row=own.rows[0] + 1,
            key=letters(own.column),
            hint="; ".join(hints) or "a header, a year or a number is wrong on one of them",
        )


def _same(first: Series, second: Series) -> bool:
    gap = np.abs(first.on(second.years) - second.values)
    return bool(np.isfinite(gap).sum() >= 10 and np.nanmax(gap) <= AGREEMENT_LIMIT)
