"""The layouts of what pathways share and do to each other: resources, point emissions, grid, couplings

A quantity of a region and period is one uncertain level of the world, times a constant of the region,
times a constant of the period or an exponential decline: about two drivers each, not one per cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sinkrisk.errors import Problems
from sinkrisk.priors.schemas import AddProblem, Column, Row, Schema, TableCheck

RESOURCES: tuple[str, ...] = (
    "land", "biomass", "water", "clean_energy", "reactive_mineral", "co2_transport", "co2_storage",
)  # fmt: skip
"""Resources that pathways share, in the order of the `resource` dimension; ``point_co2`` follows them."""

POINT_CO2 = "point_co2"
"""Remaining emissions of point sources: what can still be captured there."""

GRID = "grid"
"""What the emissions of power are listed as in ``grid.csv``."""

PARAMETERS: tuple[str, ...] = ("level", "decline", "region", "period")
"""Rows of a resource: its level and decline in the world, a constant per region and per period."""

KINDS: tuple[str, ...] = ("yield", "cost", "energy")
"""What a coupling changes."""

UNCERTAIN_PARAMETERS: tuple[str, ...] = ("level", "decline")

_SUM_TOLERANCE = 1e-9
_SOURCE = (Column("source", "source"), Column("locator", required=False), Column("note", required=False))
# Units of flows of no other table, so not among units.UNITS.
_SUPPLY_UNITS = ("km3/yr",)
_USE_UNITS = ("Mha/(GtCO2/yr)", "EJ/GtCO2", "km3/GtCO2", "Gt/GtCO2")


def _ordered(row: Row, add: AddProblem) -> None:
    if row["low"] > row["high"]:
        add("low lies above high", got=row["low"], allowed=f"at most {row['high']:g}", key="low")


def _interval(row: Row, add: AddProblem) -> None:
    _ordered(row, add)
    if row["low"] < row["high"]:
        if math.isnan(row["interval"]):
            add("an interval needs the mass it holds", got="", allowed="for example 0.9", key="interval")
        if row["low"] <= 0.0:
            add("a range is read as lognormal", got=row["low"], allowed="above 0", key="low")


def _place(row: Row, add: AddProblem) -> None:
    _interval(row, add)
    uncertain = row["parameter"] in UNCERTAIN_PARAMETERS
    if uncertain != (row["place"] == "world"):
        allowed = "world" if uncertain else f"a {row['parameter']}"
        add("parameter of another place", got=row["place"], allowed=allowed, key="place")
    if not uncertain and row["low"] != row["high"]:
        add("a constant has no range", got=row["high"], allowed=f"{row['low']:g}", key="high")


def _complete(sums: bool) -> TableCheck:
    """Return the check that each resource has one level and its constants, which are shares or ratios."""

    def check(rows: Sequence[tuple[int, Row]], found: Problems) -> None:
        for name in dict.fromkeys(row["resource"] for _, row in rows):
            own = [row for _, row in rows if row["resource"] == name]
            count = {what: sum(row["parameter"] == what for row in own) for what in PARAMETERS}
            if count["level"] != 1:
                found.add(f"{name} needs one level", got=count["level"], allowed="1", key="parameter")
            if not count["region"]:
                found.add(f"{name} has no constant per region", key="parameter")
            if bool(count["decline"]) == bool(count["period"]):
                found.add(f"{name} needs either a decline or a constant per period", key="parameter")
            total = math.fsum(row["low"] for row in own if row["parameter"] == "region")
            if sums and count["region"] and abs(total - 1.0) > _SUM_TOLERANCE:
                found.add(f"shares of {name} do not sum to 1", got=total, allowed="1", key="low")

    return check


def _supply(name: str, resources: tuple[str, ...], *, sums: bool) -> Schema:
    return Schema(
        name,
        (
            Column("resource", "identifier", allowed=resources),
            Column("parameter", "identifier", allowed=PARAMETERS),
            Column("place", "identifier", vocabulary="places", extra=("world",)),
            Column("low", "number", minimum=0.0),
            Column("high", "number", minimum=0.0),
            Column("interval", "number", required=False, minimum=0.0, maximum=1.0, above=True),
            Column("unit", "unit", extra=_SUPPLY_UNITS),
            *_SOURCE,
        ),
        unique=("resource", "parameter", "place"),
        row_checks=(_place,),
        table_checks=(_complete(sums),),
    )


RESOURCE_SUPPLY = _supply("resources", RESOURCES, sums=True)
POINT_EMISSIONS = _supply("point emissions", (POINT_CO2,), sums=True)
GRID_INTENSITY = _supply("grid", (GRID,), sums=False)

RESOURCE_USE = Schema(
    "resource use",
    (
        Column("pathway", "identifier", vocabulary="creditable pathways"),
        Column("resource", "identifier", allowed=RESOURCES),
        Column("low", "number", minimum=0.0),
        Column("high", "number", minimum=0.0),
        Column("interval", "number", required=False, minimum=0.0, maximum=1.0, above=True),
        # Where the need is a multiple of another quantity of the pathway: its process energy.
        Column("times", "identifier", required=False, allowed=("energy",)),
        Column("unit", "unit", extra=_USE_UNITS),
        *_SOURCE,
    ),
    unique=("pathway", "resource"),
    row_checks=(_interval,),
)


def _coupling(row: Row, add: AddProblem) -> None:
    _ordered(row, add)
    if row["pathway"] == row["other"]:
        add("a pathway coupled with itself", got=row["other"], key="other")


INTERACTIONS = Schema(
    "interactions",
    (
        Column("coupling", "identifier"),
        Column("pathway", "identifier", vocabulary="creditable pathways"),
        Column("other", "identifier", vocabulary="creditable pathways"),
        Column("kind", "identifier", allowed=KINDS),
        # Relative change of the pathway's yield, cost or energy where the other is in full use.
        Column("low", "number", minimum=-1.0, maximum=1.0),
        Column("high", "number", minimum=-1.0, maximum=1.0),
        *_SOURCE,
    ),
    unique=("coupling",),
    row_checks=(_coupling,),
)
