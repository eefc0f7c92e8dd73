"""Outcomes made up in the contract's form, no engine needed: constant flows to count by hand, or random."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .conftest import PERIODS, REGIONS

PATHWAYS = ["daccs", "forests", "point_source_ccs"]
FLOWS = (
    "planned", "deployed", "reallocated", "received", "limited", "scarce", "withheld", "lost", "coupled",
    "uncounted", "foregone", "saturated", "removed", "stored", "returned", "avoided", "utilised", "cost",
    "marginal_cost", "energy", "process", "non_co2", "net", "durable", "credited",
)  # fmt: skip


def constant_outcomes(values: dict[str, float | list[float]], n: int = 1, portfolios: int = 1) -> xr.Dataset:
    """Flows constant in time: a number for all pathways, or one per pathway; the rest is 0."""
    dims = ("sample", "portfolio", "pathway", "period")
    shape = (n, portfolios, len(PATHWAYS), len(PERIODS))
    out = xr.Dataset(
        {
            name: (dims, np.broadcast_to(np.reshape(values.get(name, 0.0), (1, 1, -1, 1)), shape).copy())
            for name in FLOWS
        },
        coords={
            "sample": np.arange(n),
            "portfolio": [f"p{i}" for i in range(portfolios)],
            "pathway": PATHWAYS,
            "period": PERIODS,
            "region": REGIONS,
            "domain": ("region", ["land", "land", "ocean"]),
            "flow_class": ("pathway", ["removal", "removal", "avoided"]),
            "creditable": ("pathway", [True, True, True]),
            "period_start": ("period", [2025, 2035, 2050]),
            "period_length": ("period", [10, 15, 51]),
        },
    )
    for name in ("trl", "ecological_risk"):
        out[name] = ("sample", "pathway"), np.ones((n, len(PATHWAYS)))
    out["discount_rate"] = "sample", np.zeros(n)
    out["probability"] = "sample", np.full(n, 1.0 / n)
    out["retained"] = ("sample", "portfolio", "pathway"), np.full(shape[:3], 2.0)
    resource = ("sample", "portfolio", "resource", "period")
    out["resource_used"] = (
        resource,
        np.broadcast_to([[30.0, 50.0, 10.0], [1.0, 2.0, 3.0]], (n, portfolios, 2, 3)),
    )
    out["captured_in"] = ("sample", "portfolio", "region", "period"), np.ones((n, portfolios, 3, 3))
    return out.assign_coords(resource=["land", "water"])


def random_outcomes(n: int = 200, portfolios: int = 4, seed: int = 1) -> xr.Dataset:
    """Random removal, loss, cost and durability, with a shock that all pathways share."""
    rng = np.random.default_rng(seed)
    out = constant_outcomes({}, n, portfolios)
    shape = out["removed"].shape
    out["deployed"][...] = rng.uniform(0.1, 3.0, shape)
    removal = (out["flow_class"] == "removal").astype(float)
    out["removed"] = out["deployed"] * removal
    out["avoided"] = out["deployed"] * (1.0 - removal)
    shock = (rng.random((n, 1, 1, 1)) < 0.2) * rng.uniform(0.1, 0.7, (1, 1, shape[2], 1))
    out["returned"] = out["removed"] * shock
    out["stored"] = out["removed"] - out["returned"]
    out["durable"] = out["removed"] * (1.0 - shock) * 0.9
    out["process"] = 0.05 * out["deployed"]
    out["net"] = out["stored"] - out["process"]
    out["credited"] = 0.8 * out["removed"]
    out["planned"] = 1.2 * out["deployed"]
    out["withheld"] = 0.1 * out["deployed"]
    out["cost"] = out["deployed"] * rng.uniform(50.0, 400.0, (n, 1, shape[2], 1))
    out["marginal_cost"] = 1.5 * out["cost"]
    out["discount_rate"] = "sample", rng.uniform(0.0, 0.05, n)
    dims = ("sample", "portfolio", "pathway", "period")
    return out.map(lambda v: v.transpose(*[d for d in dims if d in v.dims], ...))
