"""Putting the joint input space together: tables, claims, suitability, budget, network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.errors import did_you_mean
from sinkrisk.inputs.building import Builder, Tables
from sinkrisk.inputs.future import add_outlook
from sinkrisk.inputs.joint import add_budget, add_calm, add_network, add_suitability
from sinkrisk.inputs.quantities import (
    CHAIN_QUANTITIES,
    CLASSES,
    MODE_FRACTIONS,
    MODES,
    PATHWAY_QUANTITIES,
)
from sinkrisk.inputs.registry import Drivers, Variable
from sinkrisk.inputs.scalars import Claims, add_chain_quantities, add_pathway_quantities
from sinkrisk.inputs.sharing import (
    add_couplings,
    add_energy,
    add_learning,
    add_resources,
    resource_names,
    resource_units,
)
from sinkrisk.inputs.shocks import add_severity
from sinkrisk.inputs.specification import InputsSpec

if TYPE_CHECKING:
    import xarray as xr

    from sinkrisk.network import Network


def assemble(
    spec: InputsSpec | None,
    *,
    budget: xr.DataTree | None,
    network: Network | None,
    claims: pd.DataFrame | None,
    tables: Tables | None = None,
) -> Drivers:
    """Build the drivers; `sinkrisk.inputs.drivers` documents it."""
    from sinkrisk.priors import load_claims

    spec = spec if spec is not None else InputsSpec()
    tables = tables if tables is not None else load_tables()
    builder = Builder(spec)
    beliefs = Claims(claims if claims is not None else load_claims(), builder, load_groups())

    attrs: dict[str, Any] = {}
    outlook: dict[str, Variable] = {}
    if budget is not None and spec.budget:
        attrs |= add_budget(builder, budget)
        outlook = add_outlook(builder)
    with_network = network is not None and spec.network
    if network is not None and spec.network:
        said, late = add_network(builder, network, tables, beliefs)
        attrs |= said
    else:
        late = add_calm(builder, tables, beliefs)
    starts: dict[str, Any] = dict(add_pathway_quantities(builder, beliefs, tables))
    wanted = {quantity.name: quantity for quantity in CHAIN_QUANTITIES}
    wanted |= {f"mode_fraction:{MODES.index(mode)}": quantity for mode, quantity in MODE_FRACTIONS.items()}
    starts |= add_chain_quantities(builder, beliefs, wanted)
    add_suitability(builder, tables)
    add_learning(builder, beliefs, tables)
    add_resources(builder, tables)
    add_energy(builder, beliefs, tables)
    couplings = add_couplings(builder, tables)
    add_severity(builder, beliefs, tables)
    builder.check_names()
    known = [str(name) for name in tables.regions["region"]]
    for name in spec.regions or ():
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean '{near}'?" if near else None
            builder.problems.add("unknown region", got=name, allowed=known, key="inputs.regions", hint=hint)
    if spec.regions is not None and len(set(spec.regions)) != max(len(spec.regions), 1):
        builder.problems.add("regions: none, or one twice", got=spec.regions, key="inputs.regions")
    builder.problems.raise_if_any()

    variables = _variables(starts, with_budget="budget_window" in attrs, with_network=with_network)
    variables |= {**_shared_variables(late), **outlook}
    return Drivers(
        rows=tuple(builder.rows),
        held=tuple(builder.held),
        blocks=tuple(builder.blocks),
        variables=variables,
        sizes={**_sizes(tables), "coupling": len(couplings["coupling"])},
        coords={**_coords(tables), **couplings},
        attrs={"title": "Joint draws of the inputs", **attrs},
        regions=tuple(spec.regions or ()),
    )


def load_tables() -> Tables:
    """Return the packaged tables, creditable pathways only."""
    from sinkrisk.priors import load_table

    pathways = load_table("pathways")
    creditable = pathways["creditable"]
    if creditable.dtype != bool:
        creditable = creditable.astype(str).str.lower() == "true"
    return Tables(
        pathways=pathways[creditable].reset_index(drop=True),
        regions=load_table("regions"),
        periods=load_table("periods"),
        suitability=load_table("suitability"),
        # Point emissions limit what can be captured there as any resource does.
        resources=pd.concat([load_table("resources"), load_table("point_emissions")], ignore_index=True),
        grid=load_table("grid"),
        resource_use=load_table("resource_use"),
        interactions=load_table("interactions"),
    )


def load_groups() -> dict[str, tuple[str, ...]]:
    """Return pathway -> the groups it belongs to, in the order of ``priors/pathway_groups.csv``."""
    from sinkrisk.priors import load_table

    groups: dict[str, tuple[str, ...]] = {}
    table = load_table("pathway_groups")
    for group, members in zip(table["group"], table["members"], strict=True):
        for member in str(members).split(";"):
            groups[member.strip()] = (*groups.get(member.strip(), ()), str(group))
    return groups


def _variables(starts: dict[str, Any], *, with_budget: bool, with_network: bool) -> dict[str, Variable]:
    variables = {
        q.name: Variable(("pathway",), "float64", q.unit, q.meaning, starts[q.name])
        for q in PATHWAY_QUANTITIES
    }
    variables |= {
        q.name: Variable((), "float64", q.unit, q.meaning, starts[q.name]) for q in CHAIN_QUANTITIES
    }
    fraction = np.array([1.0, *(starts[f"mode_fraction:{code}"] for code in (1, 2)), 0.0])
    ratio = "land sink of the draw over its posterior mean" if with_budget else "1: no budget was given"
    variables |= {
        "suitability_share": Variable(
            ("pathway", "region"), "float64", "1", "share of the pathway's potential by region", 0.0
        ),
        "mode": Variable(("class", "region", "period"), "int8", "1", "deployment mode", 0),
        "mode_fraction": Variable(("mode",), "float64", "1", "fraction deployed in each mode", fraction),
        "shock": Variable(("region", "period"), "bool", "1", "whether a climate shock strikes", False),
        "land_sink_ratio": Variable((), "float64", "1", ratio, 1.0),
        "probability": Variable((), "float64", "1", "sample weight", np.nan),
    }
    if with_budget:
        variables |= {
            "land_sink": Variable((), "float64", "GtC/yr", "land sink of the window budget_window", np.nan),
            "ocean_sink": Variable((), "float64", "GtC/yr", "ocean sink of the window budget_window", np.nan),
            "budget_draw": Variable((), "int64", "1", "number of the posterior draw, chain-major", -1),
        }
    if with_network:
        variables["network_table"] = Variable((), "int64", "1", "number of the draw in the table bank", -1)
    return variables


def _shared_variables(late: NDArray[np.float64]) -> dict[str, Variable]:
    """Return the variables of what pathways share, of couplings and of shocks."""

    def number(dims: tuple[str, ...], unit: str, meaning: str, start: Any) -> Variable:
        return Variable(dims, "float64", unit, meaning, start)

    place = ("region", "period")
    return {
        "experience": number(("pathway",), "GtCO2", "cumulative capture that learning starts from", np.nan),
        "cost_floor": number(("pathway",), "1", "share of the first cost that learning never undercuts", 0.0),
        "scarcity": number(("pathway",), "1", "rise of unit cost when all land is in use", 0.0),
        "resource_use": number(
            ("pathway", "resource"),
            "resource_unit per GtCO2/yr",
            "need of a resource per captured tonne",
            0.0,
        ),
        "resource_supply": number(
            ("resource", *place), "resource_unit", "supply of a shared resource", np.nan
        ),
        "grid_intensity": number(place, "tCO2/GJ", "emissions of power", np.nan),
        "heat_intensity": number(("period",), "tCO2/GJ", "emissions of process heat and fuel", np.nan),
        "coupling_effect": number(
            ("coupling",), "1", "relative change where the other pathway is in full use", np.nan
        ),
        "shock_severity": number(place, "1", "severity of a shock, of mean 1", 1.0),
        "late_hazard": number(("region",), "1/yr", "expected shocks a year after the last period", late),
    }


def _sizes(tables: Tables) -> dict[str, int]:
    return {
        "pathway": len(tables.pathways),
        "region": len(tables.regions),
        "period": len(tables.periods),
        "class": len(CLASSES),
        "mode": len(MODES),
        "resource": len(resource_names(tables)),
    }


def _coords(tables: Tables) -> dict[str, Any]:
    pathways, regions, periods = tables.pathways, tables.regions, tables.periods
    start = periods["start"].to_numpy(dtype=float)
    length = periods["end_exclusive"].to_numpy(dtype=float) - start

    def labels(column: pd.Series[Any]) -> np.ndarray[Any, Any]:
        return np.array([str(value) for value in column])

    return {
        "pathway": labels(pathways["pathway"]),
        "region": labels(regions["region"]),
        "period": labels(periods["period"]),
        "class": np.array(CLASSES),
        "flow_class": ("pathway", labels(pathways["flow_class"])),
        "classes": ("pathway", labels(pathways["classes"])),
        "store": ("pathway", labels(pathways["store"])),
        "creditable": ("pathway", pathways["creditable"].to_numpy(dtype=bool)),
        "resource": np.array(resource_names(tables)),
        "resource_unit": ("resource", np.array(resource_units(tables))),
        "domain": ("region", labels(regions["domain"])),
        "period_start": ("period", start, {"units": "yr"}),
        "period_length": ("period", length, {"units": "yr"}),
    }
