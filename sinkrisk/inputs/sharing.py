"""Putting together what pathways share and do to each other: resources, grid and heat, couplings, learning"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.inputs.blocks import Floats, Marginal, Part
from sinkrisk.inputs.building import Builder, Tables
from sinkrisk.inputs.quantities import EXPERIENCE_YEARS, HEAT_DECLINE, HEAT_INTENSITY, SPREAD_QUANTITIES
from sinkrisk.inputs.scalars import CHAIN, Claims, add_chain_quantity, traits_of
from sinkrisk.inputs.sharing_blocks import (
    ConstantBlock,
    ExperienceBlock,
    HeatBlock,
    Line,
    LognormalRange,
    PlaceBlock,
    UseBlock,
)

RESOURCES_GROUP = "resources"
COUPLINGS_GROUP = "interactions"


def resource_names(tables: Tables) -> list[str]:
    """Return the resources, in the order of the `resource` dimension."""
    return list(dict.fromkeys(str(name) for name in tables.resources["resource"]))


def resource_units(tables: Tables) -> list[str]:
    """Return the unit of each resource's supply."""
    levels = tables.resources[tables.resources["parameter"] == "level"].set_index("resource")["unit"]
    return [str(levels[name]) for name in resource_names(tables)]


def add_learning(builder: Builder, claims: Claims, tables: Tables) -> None:
    """Add the experience that learning starts from, its floor, and scarcity of land."""
    traits = traits_of(tables)
    years = add_chain_quantity(builder, claims, EXPERIENCE_YEARS)
    if years is not None:
        builder.blocks.append(ExperienceBlock(years))
    for quantity, wanted in SPREAD_QUANTITIES:
        part = add_chain_quantity(builder, claims, quantity)
        if part is not None:
            at = np.flatnonzero([wanted(pathway) for pathway in traits])
            builder.blocks.append(ConstantBlock(quantity.name, at, part))


def add_resources(builder: Builder, tables: Tables) -> None:
    """Add the supply of every resource and each pathway's need of it."""
    names = resource_names(tables)
    for position, name in enumerate(names):
        own = tables.resources[tables.resources["resource"] == name]
        _add_place(builder, tables, own, name, "resource_supply", position, "supply", RESOURCES_GROUP)
    entries: list[tuple[int, int, Part, bool]] = []
    for row in tables.resource_use.to_dict("records"):
        if row["pathway"] not in tables.names or row["resource"] not in names:
            continue
        times = str(row["times"]) == "energy"
        unit, text = str(row["unit"]), _told(row)
        if times:
            text += ", times the drawn energy of the pathway"
        part = builder.scalar(
            f"use_{row['resource']}__{row['pathway']}",
            RESOURCES_GROUP,
            _marginal(row),
            unit=unit,
            source=_source(row),
            text=text,
        )
        entries.append(
            (tables.names.index(str(row["pathway"])), names.index(str(row["resource"])), part, times)
        )
    builder.blocks.append(UseBlock(tuple(entries)))


def add_energy(builder: Builder, claims: Claims, tables: Tables) -> None:
    """Add the emissions of power by region and period, and those of heat by period.

    Heat needs a claim as soon as one pathway has a share of power.
    """
    name, group = "grid_intensity", HEAT_INTENSITY.group
    grid = _add_place(builder, tables, tables.grid, "grid", name, None, name, group)
    split = any(claims.have(pathway, "power_share") for pathway in tables.names)
    if split and not claims.have(CHAIN, HEAT_INTENSITY.name):
        claims.missing(CHAIN, HEAT_INTENSITY)
    level = add_chain_quantity(builder, claims, HEAT_INTENSITY)
    share = add_chain_quantity(builder, claims, HEAT_DECLINE)
    if level is not None and share is not None:
        builder.blocks.append(HeatBlock(level, share, grid))


def add_couplings(builder: Builder, tables: Tables) -> dict[str, Any]:
    """Add the named couplings; return their coordinates."""
    rows = [
        row
        for row in tables.interactions.to_dict("records")
        if row["pathway"] in tables.names and row["other"] in tables.names
    ]
    for position, row in enumerate(rows):
        low, high = float(row["low"]), float(row["high"])
        part = builder.scalar(
            f"coupling__{row['coupling']}",
            COUPLINGS_GROUP,
            Marginal(Line(low, high), 1.0, -1.0, 1.0),
            unit="1",
            source=_source(row),
            text=f"relative change of {row['kind']}, uniform on [{low:g}, {high:g}]",
        )
        builder.blocks.append(ConstantBlock("coupling_effect", np.array([position]), part))

    def labels(column: str) -> NDArray[Any]:
        return np.array([str(row[column]) for row in rows])

    return {
        "coupling": labels("coupling"),
        "coupling_pathway": ("coupling", labels("pathway")),
        "coupling_with": ("coupling", labels("other")),
        "coupling_kind": ("coupling", labels("kind")),
    }


def _add_place(
    builder: Builder,
    tables: Tables,
    rows: pd.DataFrame,
    name: str,
    variable: str,
    position: int | None,
    prefix: str,
    group: str,
) -> PlaceBlock:
    """Add one level of the world that is spread over regions and periods; return its block."""
    parts: dict[str, Part] = {}
    for row in rows[rows["parameter"].isin(["level", "decline"])].to_dict("records"):
        what = "" if row["parameter"] == "level" else "_decline"
        label = f"{prefix}{what}" if name == "grid" else f"{prefix}{what}__{name}"
        spread = "constant shares of regions" if name != "grid" else "constant ratios of regions"
        parts[str(row["parameter"])] = builder.scalar(
            label,
            group,
            _marginal(row),
            unit=str(row["unit"]),
            source=_source(row),
            text=_told(row) + (f", {row['unit']}" if what else f", {row['unit']} of the world, {spread}"),
        )
    regions, periods = list(tables.regions["region"]), list(tables.periods["period"])
    region = _constants(builder, rows, name, "region", regions)
    period = (
        np.ones(len(periods)) if "decline" in parts else _constants(builder, rows, name, "period", periods)
    )
    block = PlaceBlock(
        variable, position, parts["level"], region, period, parts.get("decline"), _years(tables)
    )
    builder.blocks.append(block)
    return block


def _constants(builder: Builder, rows: pd.DataFrame, name: str, parameter: str, places: list[str]) -> Floats:
    """Return a resource's constant in every place; a place it lacks is a problem."""
    own = rows[rows["parameter"] == parameter]
    found = dict(zip(own["place"].astype(str), own["low"].astype(float), strict=True))
    path = rows.attrs.get("path")
    for place in places:
        if place not in found:
            builder.problems.add(f"no constant of {name} in {place}", file=path, key="place")
    for place in found:
        if place not in places:
            builder.problems.add(f"{name}: no such {parameter}", got=place, allowed=places, file=path)
    return np.array([found.get(place, math.nan) for place in places])


def _years(tables: Tables) -> Floats:
    """Return the years from the start of the first period to the middle of each."""
    start = tables.periods["start"].to_numpy(dtype=float)
    end = tables.periods["end_exclusive"].to_numpy(dtype=float)
    return np.asarray(0.5 * (start + end) - start[0])


def _marginal(row: dict[Any, Any]) -> Marginal:
    low, high = float(row["low"]), float(row["high"])
    mass = 0.9 if low == high else float(row["interval"])
    return Marginal(LognormalRange(low, high, mass), 1.0, 0.0, math.inf)


def _told(row: dict[Any, Any]) -> str:
    if row["low"] == row["high"]:
        return f"{row['low']:g}"
    return f"lognormal, {row['interval']:.0%} in [{row['low']:g}, {row['high']:g}]"


def _source(row: dict[Any, Any]) -> str:
    locator = str(row["locator"])
    return str(row["source"]) if locator in ("", "nan") else f"{row['source']}: judged from {locator}"
