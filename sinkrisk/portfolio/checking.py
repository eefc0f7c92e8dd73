"""What inputs and plans must be before anything is simulated: every problem found, all at once."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sinkrisk.errors import Problems
from sinkrisk.portfolio.ledgers import FLOW_CLASSES

_PATHWAY = ("sample", "pathway")
INPUT_DIMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("potential", "cost", "energy", "growth_rate", "current_capacity", "half_life", "leakage_rate"),
        _PATHWAY,
    ),
    **dict.fromkeys(("reversal_loss", "trl", "ecological_risk", "removal_share"), _PATHWAY),
    "suitability_share": ("sample", "pathway", "region"),
    "mode": ("sample", "class", "region", "period"),
    "mode_fraction": ("sample", "mode"),
    "shock": ("sample", "region", "period"),
    **dict.fromkeys(
        ("land_sink_ratio", "cost_slope", "cost_exponent", "discount_rate", "reallocation_headroom"),
        ("sample",),
    ),
}
_SHARES = ("reversal_loss", "ecological_risk", "removal_share", "mode_fraction", "reallocation_headroom")
_MAY_BE_NEGATIVE = ("land_sink_ratio", "cost", "mode")
INPUT_COORDS = ("flow_class", "classes", "period_start", "period_length")


def find_input_problems(drawn: xr.Dataset) -> Problems:
    """Return everything wrong with the drawn inputs; values are read only where the form is right."""
    found = Problems()
    for name, dims in INPUT_DIMS.items():
        if name not in drawn:
            found.add("inputs lack a variable", key=name, hint=f"it needs the dims {', '.join(dims)}")
        elif set(drawn[name].dims) != set(dims):
            found.add("inputs: wrong dims", got=str(drawn[name].dims), allowed=str(dims), key=name)
    for name in ("pathway", "region", "period", "class"):
        if name not in drawn.coords:
            found.add("inputs lack a coordinate", key=name)
        elif not drawn.indexes[name].is_unique:
            found.add("inputs: label given twice", got=drawn[name].values.tolist(), key=name)
    for name in INPUT_COORDS:
        if name not in drawn.variables:
            found.add("inputs lack a coordinate", key=name)
    if found:
        return found
    if drawn.sizes["sample"] == 0:
        found.add("inputs hold no sample")
        return found
    for name in INPUT_DIMS:
        _check_values(found, name, drawn[name])
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
    return found


def _check_values(found: Problems, name: str, values: xr.DataArray) -> None:
    data = values.values.astype(float)
    bad = np.isnan(data) if name == "half_life" else ~np.isfinite(data)
    if bad.any():
        where = ""
        if "pathway" in values.dims:
            other = tuple(i for i, d in enumerate(values.dims) if d != "pathway")
            where = " at " + ", ".join(str(p) for p in values["pathway"].values[bad.any(axis=other)])
        found.add("NaN or infinite inputs", got=f"{int(bad.sum())} of {data.size}{where}", key=name)
        return
    low, high = float(data.min()), float(data.max())
    if name == "half_life":
        if low <= 0.0:
            found.add("half-life must be positive", got=low, key=name)
    elif name not in _MAY_BE_NEGATIVE and low < 0.0:
        found.add("negative inputs", got=low, key=name)
    if name in _SHARES and high > 1.0 + 1e-9:
        found.add("a share above 1", got=high, key=name)
    if name == "mode" and not set(np.unique(data)) <= {0.0, 1.0, 2.0, 3.0}:
        found.add("unknown deployment mode", got=np.unique(data).tolist(), allowed="0 .. 3", key=name)
    if name == "suitability_share":
        total = data.sum(axis=values.dims.index("region"))
        if np.abs(total - 1.0).max() > 1e-6:
            worst = float(total.ravel()[np.abs(total - 1.0).argmax()])
            found.add("suitability shares do not sum to 1 over the regions", got=worst, key=name)


def find_plan_problems(portfolios: xr.Dataset, pathways: list[str], periods: list[str]) -> Problems:
    """Return everything wrong with a set of plans, given the names they may use."""
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
    if set(planned.dims) != wanted or not wanted <= set(portfolios.coords):
        found.add("planned needs the labelled dims portfolio, pathway, period", got=str(planned.dims))
        return found
    if planned.size == 0:
        found.add("no portfolio to simulate", got=str(dict(planned.sizes)))
        return found
    for name, known in (("pathway", pathways), ("period", periods)):
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
    values = planned.transpose("portfolio", "pathway", "period").values
    for bad, what in ((~np.isfinite(values), "plan is not a finite number"), (values < 0.0, "negative plan")):
        for f, p, q in np.argwhere(bad):
            place = ".".join(
                str(planned[n].values[i]) for n, i in (("portfolio", f), ("pathway", p), ("period", q))
            )
            found.add(what, got=float(values[f, p, q]), allowed="0 or more GtCO2/yr", key=place)
    if not found:
        for f in np.flatnonzero((values == 0.0).all(axis=(1, 2))):
            found.add("empty portfolio: it plans nothing", key=str(planned["portfolio"].values[f]))
    return found
