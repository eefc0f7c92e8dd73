"""Hand-built joint draws in the contract's form: five pathways, two regions, three periods."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

PATHWAYS = {
    "beccs": ("removal", "land_based;geological"),
    "daccs": ("removal", "geological"),
    "forests": ("removal", "nature"),
    "point_source_ccs": ("avoided", "geological"),
    "industrial_carbonation": ("utilisation", "mineral"),
}


def make_drawn(n: int, seed: int = 0) -> xr.Dataset:
    """Return `n` draws; nothing is reallocated, so that a programme can equal the engine."""
    g = np.random.default_rng(seed)
    names = list(PATHWAYS)
    p = len(names)
    by_pathway = {
        "potential": g.lognormal(0.5, 0.4, (n, p)),
        "cost": g.lognormal(np.log([150, 300, 30, 60, 90]), 0.3, (n, p)),
        "energy": g.uniform(1, 8, (n, p)),
        "growth_rate": g.uniform(0.1, 0.3, (n, p)),
        "current_capacity": np.full((n, p), 0.02),
        "half_life": np.tile([np.inf, np.inf, 150.0, np.inf, np.inf], (n, 1)),
        "leakage_rate": np.full((n, p), 1e-4),
        "reversal_loss": np.tile([0.0, 0.0, 0.3, 0.0, 0.0], (n, 1)),
        "trl": np.full((n, p), 7.0),
        "ecological_risk": np.full((n, p), 0.3),
        "removal_share": np.full((n, p), 0.4),
    }
    alone = {
        "land_sink_ratio": g.normal(1.0, 0.1, n),
        "land_sink": g.normal(3.0, 0.5, n),
        "cost_slope": g.uniform(0.2, 1.0, n),
        "cost_exponent": g.uniform(1.0, 2.0, n),
        "discount_rate": g.uniform(0.01, 0.05, n),
        "reallocation_headroom": np.zeros(n),
        "probability": np.full(n, 1.0 / n),
    }
    drawn = xr.Dataset(
        {name: (("sample", "pathway"), values) for name, values in by_pathway.items()}
        | {name: ("sample", values) for name, values in alone.items()}
        | {
            "suitability_share": (("sample", "pathway", "region"), g.dirichlet([2.0, 3.0], size=(n, p))),
            "mode": (("sample", "class", "region", "period"), g.integers(0, 4, (n, 5, 2, 3)).astype(np.int8)),
            "mode_fraction": (("sample", "mode"), np.tile([1.0, 0.6, 0.3, 0.0], (n, 1))),
            "shock": (("sample", "region", "period"), g.random((n, 2, 3)) < 0.3),
        },
        coords={
            "sample": np.arange(n),
            "pathway": names,
            "region": ["north", "south"],
            "period": ["near_term", "mid_term", "long_term"],
            "class": ["nature", "land_based", "geological", "mineral", "ocean"],
            "flow_class": ("pathway", [flow for flow, _ in PATHWAYS.values()]),
            "classes": ("pathway", [classes for _, classes in PATHWAYS.values()]),
            "domain": ("region", ["land", "land"]),
            "period_start": ("period", [2025, 2035, 2050]),
            "period_length": ("period", [10, 15, 51]),
        },
    )
    drawn["land_sink"].attrs["units"] = "GtC/yr"
    return drawn


@pytest.fixture(scope="session")
def drawn() -> xr.Dataset:
    return make_drawn(64)


@pytest.fixture(scope="session")
def built(drawn: xr.Dataset) -> xr.Dataset:
    from sinkrisk import scenarios

    return scenarios.build(drawn, None, 12)


def by_hand(
    fraction: list[float],
    cost: float | list[float],
    *,
    capacity: float = 100.0,
    probability: list[float] | None = None,
    durable: float = 1.0,
    flow: str = "removal",
    years: float = 1.0,
    rise: float = 0.0,
    exponent: float = 1.0,
    discount: float = 1.0,
) -> xr.Dataset:
    """Return scenarios of one pathway, one region and one period."""
    n = len(fraction)
    f = np.array(fraction, dtype=float)
    c = np.broadcast_to(np.asarray(cost, dtype=float), n).copy()
    full = ("sample", "pathway", "region", "period")
    summed = ("sample", "pathway", "period")
    return xr.Dataset(
        {
            "probability": ("sample", np.full(n, 1 / n) if probability is None else np.array(probability)),
            "available": (full, np.full((n, 1, 1, 1), capacity)),
            "deployable_fraction": (full, f[:, None, None, None]),
            "durable_fraction": (full, np.full((n, 1, 1, 1), durable)),
            "capacity": (summed, np.full((n, 1, 1), capacity)),
            "delivered_fraction": (summed, f[:, None, None]),
            "deliverable": (summed, capacity * f[:, None, None]),
            "durable_share": (summed, np.full((n, 1, 1), durable)),
            "cost": (("sample", "pathway"), c[:, None]),
            "unit_cost": (("sample", "pathway"), c[:, None] * (1.0 + rise / (exponent + 1.0))),
            "cost_rise": (summed, np.full((n, 1, 1), rise)),
            "cost_exponent": ("sample", np.full(n, exponent)),
            "energy": (("sample", "pathway"), np.ones((n, 1))),
            "discount_factor": (("sample", "period"), np.full((n, 1), discount)),
        },
        coords={
            "sample": np.arange(n),
            "pathway": ["daccs"],
            "region": ["world"],
            "period": ["now"],
            "flow_class": ("pathway", [flow]),
            "period_start": ("period", [2025]),
            "period_length": ("period", [years]),
        },
    )
