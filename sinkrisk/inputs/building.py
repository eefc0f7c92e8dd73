"""The collector that every part of the input space adds its drivers to.

It hands out columns of u, honours what the spec holds fixed, and gathers every problem, so that
a user sees them all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sinkrisk.errors import Problems, did_you_mean
from sinkrisk.inputs.blocks import SMALLEST, Block, Marginal, Slot
from sinkrisk.inputs.registry import Constant, Driver, Kind
from sinkrisk.inputs.specification import InputsSpec


@dataclass(frozen=True)
class Tables:
    """The packaged tables that give the inputs their dimensions, creditable pathways only."""

    pathways: pd.DataFrame
    regions: pd.DataFrame
    periods: pd.DataFrame
    suitability: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """Pathway names."""
        return list(self.pathways["pathway"])


@dataclass
class Builder:
    """Drivers, constants and blocks so far, and the problems found on the way."""

    spec: InputsSpec
    problems: Problems = field(default_factory=Problems)
    rows: list[Driver] = field(default_factory=list)
    held: list[Constant] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def fixed(self, name: str) -> float | str | None:
        """Return the value at which the spec fixes a driver, or None; marks the name as known."""
        if name in self.known:
            self.problems.add(
                "two drivers of one name", got=name, hint="a network node must not bear the name of a driver"
            )
        self.known.add(name)
        if name in self.spec.fixed and name in self.spec.quantiles:
            self.problems.add("fixed both at a value and at a quantile", key=f"inputs.fixed.{name}")
        return self.spec.fixed.get(name)

    def number(self, name: str, low: float, high: float) -> float | None:
        """Return the number at which the spec fixes a driver, checked against its bounds, or None."""
        value = self.fixed(name)
        if value is None:
            return None
        allowed = f"a number in [{low:g}, {high:g}]"
        if isinstance(value, str) or not low <= value <= high:
            self.problems.add(
                "driver fixed at an impossible value", got=value, allowed=allowed, key=f"inputs.fixed.{name}"
            )
            return low
        return float(value)

    def slot(
        self, name: str, group: str, kind: Kind, source: str, transform: str, *, unit: str = "1"
    ) -> Slot:
        """Give a driver its column of u, or hold it at the spec's quantile."""
        if name in self.spec.quantiles:
            quantile = self.spec.quantiles[name]
            self.hold(name, quantile, unit, "held at this quantile", source)
            return Slot(None, float(np.clip(quantile, SMALLEST, 1.0 - SMALLEST)))
        self.rows.append(Driver(name, group, kind, source, transform))
        return Slot(len(self.rows) - 1)

    def hold(self, name: str, value: float | str, unit: str, reason: str, source: str) -> None:
        """Record a quantity that is not varied."""
        self.held.append(Constant(name, value, unit, reason, source))

    def scalar(
        self,
        name: str,
        group: str,
        marginal: Marginal,
        *,
        unit: str,
        source: str,
        text: str,
        kind: Kind = "epistemic",
    ) -> tuple[Slot, Marginal | float]:
        """Make a scalar prior a driver, or a constant where it is fixed or a point."""
        value = self.number(name, marginal.low, marginal.high)
        if value is not None:
            self.hold(name, value, unit, "fixed by the spec", source)
            return Slot(None), value
        ends = marginal(np.array([SMALLEST, 1.0 - SMALLEST]))
        if ends[0] == ends[1]:
            self.hold(name, float(ends[0]), unit, "stated as a point", source)
            return Slot(None), float(ends[0])
        if name in self.spec.quantiles:
            quantile = float(np.clip(self.spec.quantiles[name], SMALLEST, 1.0 - SMALLEST))
            point = float(marginal(np.array([quantile]))[0])
            self.hold(name, point, unit, f"held at its {quantile:g} quantile", source)
            return Slot(None), point
        return self.slot(name, group, kind, source, text, unit=unit), marginal

    def check_names(self) -> None:
        """Record every fixed or held name that no driver bears."""
        for part, names in (("fixed", self.spec.fixed), ("quantiles", self.spec.quantiles)):
            for name in names:
                if name not in self.known:
                    near = did_you_mean(name, sorted(self.known))
                    self.problems.add(
                        "no such driver",
                        got=name,
                        key=f"inputs.{part}.{name}",
                        hint=f"did you mean '{near}'?" if near else "Drivers.table lists them",
                    )


def joined(sources: Sequence[Any]) -> str:
    """Return source keys as one string, each once, in order."""
    return "; ".join(dict.fromkeys(str(source) for source in sources if str(source).strip()))
