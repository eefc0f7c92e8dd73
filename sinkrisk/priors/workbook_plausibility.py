"""Whether a budget's numbers can be what the sheet says they are: their signs, unit and closure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk import units
from sinkrisk.errors import Problems
from sinkrisk.priors.workbook_series import UNIT
from sinkrisk.priors.workbook_tables import Column, letters

if TYPE_CHECKING:
    from sinkrisk.priors.workbook_budget import AnnualBudget

CLOSURE_LIMIT = 0.05
"""Above this a workbook is refused, GtC/yr: a column is missing, misread or of another sign."""

UNIT_TOLERANCE = 0.2
"""How near a ratio must lie to the factor between two units to be taken for it."""


def check_values(result: AnnualBudget, left: Sequence[Column], found: Problems) -> None:
    """Refuse signs of the other convention, numbers of another unit, and a budget that does not close.

    Parameters
    ----------
    result : AnnualBudget
    left : sequence of Column
        Columns of the sheet that could not be placed, named where the budget does not close.
    found : Problems
        Collects what is wrong.
    """
    name = result.sheet
    for component, series in result.series.items():
        mean = float(series.values.mean())
        if mean < 0:
            found.add(
                f"sheet '{name}': {component} has the other sign",
                got=f"a mean of {mean:.4g} GtC/yr",
                allowed="emissions positive into the air, sinks positive out of it",
                key=letters(series.column),
            )
    if not found:
        _check_magnitude(result, found)
    if found or result.imbalance is None:
        return
    residual = result.imbalance.values - result.recomputed()
    worst = int(np.argmax(np.abs(residual)))
    if abs(residual[worst]) > CLOSURE_LIMIT:
        years = int((np.abs(residual) > CLOSURE_LIMIT).sum())
        unplaced = ", ".join(f"{letters(c.index)} '{c.label}'" for c in left)
        found.add(
            f"sheet '{name}': the budget does not close in {years} years",
            got=f"{residual[worst]:.4g} GtC/yr in {result.years[worst]}",
            allowed=f"printed imbalance = recomputed, within {CLOSURE_LIMIT:g}",
            row=result.imbalance.rows[worst] + 1,
            hint=f"columns that could not be placed: {unplaced}"
            if unplaced
            else "a number or a sign is wrong",
        )


def _check_magnitude(result: AnnualBudget, found: Problems) -> None:
    """Compare fossil emissions with the library's decades: a wrong unit shows as its factor."""
    from sinkrisk.priors.tables import load_observations

    library = load_observations("global")
    fossil = result.series["fossil"]
    ratios: list[float] = []
    for row in library[library["component"] == "fossil"].to_dict("records"):
        start, end = int(row["start"]), int(row["end"])
        inside = (fossil.years >= start) & (fossil.years <= end)
        if start < end and inside.sum() == end - start + 1:
            known = float(row["value"]) * units.factor(str(row["unit"]), UNIT)
            ratios.append(float(fossil.values[inside].mean()) / known)
    mistakes = {"GtCO2/yr": units.C_TO_CO2, "MtC/yr": 1e3, "MtCO2/yr": 1e3 * units.C_TO_CO2}
    for unit, factor in mistakes.items():
        for ratio, text in ((factor, f"they look like {unit}"), (1.0 / factor, f"{UNIT} taken for {unit}?")):
            if ratios and all(abs(value / ratio - 1.0) < UNIT_TOLERANCE for value in ratios):
                found.add(
                    f"sheet '{result.sheet}': the numbers are not in {result.unit}",
                    got=f"fossil emissions {float(np.median(ratios)):.4g} times those of the library",
                    hint=f"{text}; correct the unit that the sheet states",
                )
                return
