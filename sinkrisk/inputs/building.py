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

from sinkrisk.errors import InputError, Problems, did_you_mean
from sinkrisk.inputs.blocks import SMALLEST, Block, Marginal, Part, Slot
from sinkrisk.inputs.registry import Constant, Driver, Kind
from sinkrisk.inputs.replacing import DISTRIBUTION, conditioned_marginal, replaced_marginal
from sinkrisk.inputs.specification import InputsSpec

REPLACED = "given by the spec"
"""Source of a prior that the spec puts in place of the library's."""


@dataclass(frozen=True)
class Tables:
    """The packaged tables that give the inputs their dimensions, creditable pathways only."""

    pathways: pd.DataFrame
    regions: pd.DataFrame
    periods: pd.DataFrame
    suitability: pd.DataFrame
    resources: pd.DataFrame
    grid: pd.DataFrame
    resource_use: pd.DataFrame
    interactions: pd.DataFrame

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
        elif name in self.spec.fixed and (name in self.spec.replaced or name in self.spec.between):
            self.problems.add("fixed, and given another prior", key=f"inputs.fixed.{name}")
        return self.spec.fixed.get(name)

    def whole(self, name: str, what: str, hint: str) -> None:
        """Record that a driver without a scalar prior of its own is given another one, or a range."""
        for part, names in (("replaced", self.spec.replaced), ("between", self.spec.between)):
            if name in names:
                self.problems.add(f"{what} has no scalar prior", key=f"inputs.{part}.{name}", hint=hint)

    def believed(self, name: str, marginal: Marginal, text: str) -> tuple[Marginal, str, bool]:
        """Return a driver's prior as the spec wants it: replaced, cut to a range, or as it is.

        Returns
        -------
        Marginal, str, bool
            The prior, its description, and whether it is another one than was handed in.
        """
        spec, other = self.spec, False
        try:
            if name in spec.replaced:
                given = dict(spec.replaced[name])
                key = f"inputs.replaced.{name}"
                marginal = replaced_marginal(given, marginal.low, marginal.high, key=key)
                family = given.pop(DISTRIBUTION)
                shown = ", ".join(f"{label}={value:g}" for label, value in given.items())
                text, other = f"{family}({shown}), given by the spec", True
            if name in spec.between:
                low, high = spec.between[name]
                marginal = conditioned_marginal(marginal, low, high, key=f"inputs.between.{name}")
                text += f", given that it lies in [{low:g}, {high:g}]"
        except InputError as error:
            self.problems.extend(error.problems)
        return marginal, text, other

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
        known: bool = False,
    ) -> Part:
        """Make a scalar prior a driver, or a constant where it is fixed or a point.

        `known` says that the caller has asked for a fixed value already.
        """
        value = None if known else self.number(name, marginal.low, marginal.high)
        if value is not None:
            self.hold(name, value, unit, "fixed by the spec", source)
            return Slot(None), value
        marginal, text, other = self.believed(name, marginal, text)
        source = REPLACED if other else source
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
        """Record every name of the spec that no driver bears."""
        for part in ("fixed", "quantiles", "replaced", "between"):
            for name in getattr(self.spec, part):
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
