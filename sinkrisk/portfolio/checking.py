"""What inputs and plans must be before anything is simulated: every problem found, all at once."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sinkrisk.errors import Problems
from sinkrisk.portfolio.ledgers import FLOW_CLASSES
from sinkrisk.portfolio.variables import (
    BEYOND_SENSE,
    COUPLING_COORDS,
    COUPLING_KINDS,
    INPUTS,
    MOST_PLANNED,
    OPTIONAL,
    REQUIRED,
    RESOURCES,
    Variable,
)

INPUT_COORDS = ("flow_class", "classes", "period_start", "period_length")
CARRIED: dict[str, Variable] = {
    "probability": Variable(),
    "shock_correlation": Variable(low=-1.0, high=1.0),
    "land_sink": Variable(low=-np.inf),
    "ocean_sink": Variable(low=-np.inf),
}
"""Inputs that the simulation does not read itself, but what follows it does; checked where they are there,
as is every parameter of the carbon cycle (`OUTLOOK`)."""

OUTLOOK = "outlook_"

_SLACK = 1e-9
_ROWS = 8192
"""Samples looked at together: bounds the memory of the checks."""


def find_input_problems(drawn: xr.Dataset) -> Problems:
    """Return everything wrong with the drawn inputs; values are read only where the form is right."""
    found = Problems()
    _check_form(found, drawn)
    if found:
        return found
    if drawn.sizes["sample"] == 0:
        found.add("inputs hold no sample")
        return found
    for name, variable in INPUTS.items():
        if name in drawn:
            _check_values(found, name, drawn[name], variable)
    _check_carried(found, drawn)
    for pathway, flow in zip(drawn["pathway"].values, drawn["flow_class"].values, strict=True):
        if flow not in FLOW_CLASSES:
            found.add("unknown flow class", got=str(flow), allowed=FLOW_CLASSES, key=str(pathway))
    known = [str(c) for c in drawn["class"].values]
    for pathway, text in zip(drawn["pathway"].values, drawn["classes"].values, strict=True):
        for member in str(text).split(";"):
            if member.strip() not in known:
                found.add("unknown deployment class", got=member.strip(), allowed=known, key=str(pathway))
    start, length = drawn["period_start"].values, drawn["period_length"].values
    if not (length > 0).all() or not np.allclose(start[1:], (start + length)[:-1]):
        listed = ", ".join(f"[{a:g}, {a + n:g})" for a, n in zip(start, length, strict=True))
        found.add("periods must follow each other without gap or overlap", got=listed, key="period")
    if "experience" not in drawn and "learning_rate" in drawn and (drawn["learning_rate"] > 0.0).any():
        hint = "add experience (sample, pathway), GtCO2 captured so far: years of current_capacity, say"
        found.add("learning needs the experience it starts from", key="experience", hint=hint)
    if "heat_intensity" not in drawn and "power_share" in drawn and (drawn["power_share"] < 1.0).any():
        hint = "add heat_intensity (sample, period), tCO2/GJ, or leave power_share out: all is then power"
        found.add("energy that is not power needs its emissions", key="heat_intensity", hint=hint)
    _check_resources(found, drawn)
    _check_couplings(found, drawn)
    return found


def _check_form(found: Problems, drawn: xr.Dataset) -> None:
    for name, variable in INPUTS.items():
        dims = ("sample", *variable.dims)
        if name not in drawn:
            if name in REQUIRED:
                found.add("inputs lack a variable", key=name, hint=f"it needs the dims {', '.join(dims)}")
            continue
        values = drawn[name]
        if set(values.dims) != set(dims):
            found.add("inputs: wrong dims", got=str(values.dims), allowed=str(dims), key=name)
        unit = values.attrs.get("units", variable.unit)
        if name in OPTIONAL and variable.unit and unit != variable.unit:
            found.add("inputs in another unit", got=unit, allowed=[variable.unit], key=name)
    labelled = ["pathway", "region", "period", "class"]
    if "resource_use" in drawn or "resource_supply" in drawn:
        labelled.append("resource")
    for name in labelled:
        if name not in drawn.coords:
            found.add("inputs lack a coordinate", key=name)
        elif not drawn.indexes[name].is_unique:
            found.add("inputs: label given twice", got=drawn[name].values.tolist(), key=name)
    coords = {name: "period" if name.startswith("period") else "pathway" for name in INPUT_COORDS}
    if "coupling_effect" in drawn:
        coords |= dict.fromkeys(COUPLING_COORDS, "coupling")
    for name, dim in coords.items():
        if name not in drawn.variables:
            found.add("inputs lack a coordinate", key=name)
        elif drawn[name].dims != (dim,):
            found.add("inputs: wrong dims", got=str(drawn[name].dims), allowed=str((dim,)), key=name)
    if "creditable" in drawn.variables and (
        drawn["creditable"].dims != ("pathway",) or drawn["creditable"].dtype != bool
    ):
        got = f"{drawn['creditable'].dtype} {drawn['creditable'].dims}"
        found.add("creditable must be true or false for each pathway", got=got, key="creditable")


def _check_carried(found: Problems, drawn: xr.Dataset) -> None:
    free = Variable(low=-np.inf)
    told = {str(name): free for name in drawn.variables if str(name).startswith(OUTLOOK)}
    for name, variable in (CARRIED | told).items():
        if name in drawn and "sample" in drawn[name].dims:
            _check_values(found, name, drawn[name], variable)


def _check_values(found: Problems, name: str, values: xr.DataArray, variable: Variable) -> None:
    if values.dtype.kind not in "biuf":
        found.add("inputs must be numbers", got=str(values.dtype), key=name)
        return
    low, high, faulty, where = np.inf, -np.inf, 0, None
    pathways: set[int] = set()
    axis = values.dims.index("pathway") if "pathway" in values.dims else None
    sample = values.dims.index("sample")
    for start in range(0, values.sizes["sample"], _ROWS):
        data = values.isel(sample=slice(start, start + _ROWS)).values.astype(float)
        bad = np.isnan(data) | (data == -np.inf) if variable.infinite else ~np.isfinite(data)
        if bad.any():
            faulty += int(bad.sum())
            spots = np.argwhere(bad)
            if axis is not None:
                pathways |= set(spots[:, axis].tolist())
            if where is None:
                first = spots[0].copy()
                first[sample] += start
                where = first
            continue
        low, high = min(low, float(data.min(initial=np.inf))), max(high, float(data.max(initial=-np.inf)))
        if name == "mode":
            codes = set(np.unique(data).tolist())
            if not codes <= {0.0, 1.0, 2.0, 3.0}:
                found.add("unknown deployment mode", got=sorted(codes), allowed="0 .. 3", key=name)
                return
        if name == "suitability_share":
            total = data.sum(axis=values.dims.index("region"))
            if np.abs(total - 1.0).max() > 1e-6:
                worst = float(total.ravel()[np.abs(total - 1.0).argmax()])
                found.add("suitability shares do not sum to 1 over the regions", got=worst, key=name)
                return
    if where is not None:
        names = ", ".join(str(values["pathway"].values[i]) for i in sorted(pathways))
        at = f" at {names}" if names else ""
        first_at = ", ".join(
            f"{d} {values[d].values[i] if d in values.coords else i}"
            for d, i in zip(values.dims, where, strict=True)
        )
        found.add(
            "NaN or infinite inputs",
            got=f"{faulty} of {values.size}{at}",
            key=name,
            hint=f"the first at {first_at}",
        )
        return
    if low > high:
        return
    if variable.positive and low <= 0.0:
        found.add(f"{name.replace('_', '-')} must be positive", got=low, key=name)
    elif low < variable.low:
        found.add("negative inputs", got=low, key=name)
    if high > variable.high + _SLACK:
        if variable.high == 1.0:
            found.add("a share above 1", got=high, key=name)
        else:
            found.add("inputs out of range", got=high, allowed=f"up to {variable.high:g}", key=name)


def _check_resources(found: Problems, drawn: xr.Dataset) -> None:
    if "resource" not in drawn.coords:
        return
    names = [str(v) for v in drawn["resource"].values]
    for name in names:
        if name not in RESOURCES:
            found.add("unknown resource", got=name, allowed=list(RESOURCES), key="resource")
    if "resource_unit" in drawn.coords:
        for name, unit in zip(names, drawn["resource_unit"].values, strict=True):
            if name in RESOURCES and str(unit) != RESOURCES[name]:
                found.add("resource in another unit", got=str(unit), allowed=[RESOURCES[name]], key=name)


def _check_couplings(found: Problems, drawn: xr.Dataset) -> None:
    if "coupling_effect" not in drawn:
        return
    pathways = [str(p) for p in drawn["pathway"].values]
    rows = zip(*(drawn[name].values for name in COUPLING_COORDS), strict=True)
    for pathway, other, kind in rows:
        key = f"{pathway}, {other}"
        for name in (str(pathway), str(other)):
            if name not in pathways:
                found.add("unknown pathway in a coupling", got=name, allowed=pathways, key=key)
        if str(pathway) == str(other):
            found.add("a pathway is coupled with itself", got=str(pathway), key="coupling")
        if str(kind) not in COUPLING_KINDS:
            found.add("unknown kind of coupling", got=str(kind), allowed=COUPLING_KINDS, key=key)


def find_plan_problems(
    portfolios: xr.Dataset, pathways: list[str], periods: list[str], regions: list[str]
) -> Problems:
    """Return everything wrong with a set of plans, of the world or of regions, given the names to use."""
    found = Problems()
    if "planned" not in portfolios:
        found.add(
            "portfolios lack the variable 'planned'",
            got=", ".join(map(str, portfolios.data_vars)) or "no variable",
            hint="make it with portfolio.plan(shares, total)",
        )
        return found
    planned = portfolios["planned"]
    wanted = {"portfolio", "pathway", "period"}
    regional = "region" in planned.dims
    if regional:
        wanted.add("region")
    if set(planned.dims) != wanted or not wanted <= set(portfolios.coords):
        found.add(
            "planned needs the labelled dims portfolio, pathway, period, and region where plans are regional",
            got=str(planned.dims),
        )
        return found
    if planned.size == 0:
        found.add("no portfolio to simulate", got=str(dict(planned.sizes)))
        return found
    for name, known in (("pathway", pathways), ("period", periods), ("region", regions)):
        if name not in wanted:
            continue
        for label in map(str, planned[name].values):
            if label not in known:
                found.add(f"unknown {name} in the portfolios", got=label, allowed=known)
    for name in sorted(wanted):
        if not portfolios.indexes[name].is_unique:
            found.add(f"{name} given twice in the portfolios", got=planned[name].values.tolist())
    for period in periods:
        if period not in planned["period"].values:
            found.add("portfolios lack a period", got=[str(p) for p in planned["period"].values], key=period)
    unit = planned.attrs.get("units", "GtCO2/yr")
    if unit != "GtCO2/yr":
        found.add("plans in another unit", got=unit, allowed=["GtCO2/yr"], key="planned")
    if "coordinated" in portfolios.coords and (
        portfolios["coordinated"].dims != ("portfolio",) or portfolios["coordinated"].dtype != bool
    ):
        got = f"{portfolios['coordinated'].dtype} {portfolios['coordinated'].dims}"
        found.add("coordinated must be true or false for each portfolio", got=got, key="coordinated")
    order = ("portfolio", "pathway", "region", "period") if regional else ("portfolio", "pathway", "period")
    values = planned.transpose(*order).values
    if values.dtype.kind not in "biuf":
        found.add("plans must be numbers", got=str(values.dtype), key="planned")
        return found
    finite = np.isfinite(values)
    for bad, what, hint in (
        (~finite, "plan is not a finite number", None),
        (values < 0.0, "negative plan", None),
        (finite & (values > MOST_PLANNED), "plan beyond sense", BEYOND_SENSE),
    ):
        for spot in np.argwhere(bad):
            place = ".".join(str(planned[n].values[i]) for n, i in zip(order, spot, strict=True))
            value, allowed = float(values[tuple(spot)]), f"0 to {MOST_PLANNED:.0f} GtCO2/yr"
            found.add(what, got=value, allowed=allowed, key=place, hint=hint)
    if not found:
        for f in np.flatnonzero((values == 0.0).all(axis=tuple(range(1, values.ndim)))):
            found.add("empty portfolio: it plans nothing", key=str(planned["portfolio"].values[f]))
    return found
