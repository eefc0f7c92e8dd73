"""The outlook's uncertain parameters as drivers, so that one uniform vector drives the century too"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sinkrisk.inputs.blocks import Floats, Marginal, ScalarBlock
from sinkrisk.inputs.building import Builder
from sinkrisk.inputs.registry import Variable

PREFIX = "outlook_"
"""Before each parameter of `cycle_table.UNCERTAIN` and `projecting.DISCREPANCIES` of the budget room, as
driver and as variable."""

GROUP = "outlook"


@dataclass(frozen=True)
class CycleQuantile:
    """Inverse CDF of one uncertain parameter of the outlook, as the budget room draws it."""

    name: str

    def __call__(self, u: Floats) -> Floats:
        """Return the quantile at u."""
        from sinkrisk.budget.cycle_table import UNCERTAIN, draw_cycle

        points = np.full((u.size, len(UNCERTAIN)), 0.5)
        points[:, UNCERTAIN.index(self.name)] = u
        # The others are held, so that only this one is looked up.
        held = {other: 0.0 for other in UNCERTAIN if other != self.name}
        return draw_cycle(u.size, u=points, fixed=held)[self.name]


def add_outlook(builder: Builder) -> dict[str, Variable]:
    """Add every parameter that an outlook draws from its table; return the variables they fill."""
    from scipy import special

    from sinkrisk.budget.cycle_table import UNCERTAIN, load_carbon_cycle
    from sinkrisk.budget.projecting import DISCREPANCIES

    rows = load_carbon_cycle().rows
    named = dict(zip(rows["process"] + "_" + rows["parameter"], rows.to_dict("records"), strict=True))
    variables: dict[str, Variable] = {}
    entries: list[tuple[str, int | None, int, Marginal]] = []
    for parameter in UNCERTAIN:
        row, name = named[parameter], PREFIX + parameter
        family = str(row["family"])
        low = -math.inf if family == "normal" else 0.0
        high = 1.0 if family == "uniform" and row["unit"] == "1" else math.inf
        source = "assumption" if row["source"] == "assumption" else f"{row['source']} {row['locator']}"
        text = f"{family} over [{row['low']:g}, {row['high']:g}], {row['unit']}"
        slot, prior = builder.scalar(
            name,
            GROUP,
            Marginal(CycleQuantile(parameter), 1.0, low, high),
            unit=str(row["unit"]),
            source=source,
            text=text,
        )
        meaning = f"outlook: {parameter.replace('_', ' ')}"
        start = prior if isinstance(prior, float) else math.nan
        variables[name] = Variable((), "float64", str(row["unit"]), meaning, start)
        if slot.column is not None and not isinstance(prior, float):
            entries.append((name, None, slot.column, prior))
    for parameter in DISCREPANCIES:
        name, sink = PREFIX + parameter, parameter.removesuffix("_discrepancy")
        slot, prior = builder.scalar(
            name,
            GROUP,
            Marginal(special.ndtri, 1.0, -math.inf, math.inf),
            unit="1",
            source="assumption: outlook_discrepancy of priors/budget.csv",
            text=f"standard normal: sds by which the {sink} sink departs from the box model",
        )
        start = prior if isinstance(prior, float) else math.nan
        variables[name] = Variable((), "float64", "1", f"outlook: discrepancy of the {sink} sink", start)
        if slot.column is not None and not isinstance(prior, float):
            entries.append((name, None, slot.column, prior))
    builder.blocks.append(ScalarBlock(tuple(entries)))
    return variables
