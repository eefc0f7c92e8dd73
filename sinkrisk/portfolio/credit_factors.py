"""The factors and charges between a tonne captured and a tonne worth crediting, one function each

Every function takes `drawn` and returns (sample, pathway): a factor is 1 and a charge 0 where nothing is
taken off. What differs between regions and periods is averaged over `deployable`, the flow that capacity
allows there. An optional input that is absent is neutral.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import xarray as xr

from sinkrisk.portfolio.available import capacity

DURABLE_YEARS = 100.0
"""Years after storage at which durability is judged, as in `stores`."""

LEAST_SINK_RATIO = 0.1
"""Bound of the land sink's ratio where it raises the hazard, as in the simulation."""


def _input(drawn: xr.Dataset, name: str, neutral: float) -> xr.DataArray:
    """Return an input, or its neutral value for every sample."""
    if name in drawn:
        return drawn[name]
    return xr.full_like(drawn["discount_rate"], neutral, dtype=float)


def _exp(x: xr.DataArray) -> xr.DataArray:
    # numpy's stubs call the result of a ufunc on a DataArray an ndarray.
    return cast("xr.DataArray", np.exp(x))


def deployable(drawn: xr.Dataset) -> xr.DataArray:
    """Return what can be deployed of each pathway, (sample, pathway, region, period), GtCO2/yr.

    `capacity` times what the deployment mode lets through: most of it late, where capacity grows. Where
    that is nothing in any region and period of a draw, the suitability shares, the same in every period.
    """
    there = capacity(drawn)
    flow = there["available"] * there["deployable_fraction"]
    spread = drawn["suitability_share"].broadcast_like(flow).transpose(*flow.dims)
    return flow.where(flow.sum(["region", "period"]) > 0.0, spread)


def _mean(x: xr.DataArray, flow: xr.DataArray, drawn: xr.Dataset) -> xr.DataArray:
    """Return the mean over regions and periods of what was captured there."""
    amount = flow * drawn["period_length"].astype(float)
    return (x * amount).sum(["region", "period"]) / amount.sum(["region", "period"])


def durability(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share that decay and leakage leave 100 years after storage.

    ``f 0.5^(100 / fast half-life) + (1 - f) exp(-100 (ln 2 / half-life + leakage))``, f the share of the
    fast pool.
    """
    slow = _exp(-DURABLE_YEARS * (np.log(2.0) / drawn["half_life"] + drawn["leakage_rate"]))
    fast_share = _input(drawn, "fast_share", 0.0)
    fast = _exp(-DURABLE_YEARS * np.log(2.0) / _input(drawn, "fast_half_life", np.inf))
    return fast_share * fast + (1.0 - fast_share) * slow


def reversal(drawn: xr.Dataset, flow: xr.DataArray) -> xr.DataArray:
    """Return the share that shocks leave 100 years after storage.

    The shocks drawn, in every region and period, until 100 years after the end of the period of storage,
    and after the last period ``exp(-late hazard x loss x years)``; mean over `flow`, from `deployable`.
    """
    loss = drawn["reversal_loss"]
    nature = xr.DataArray(["nature" in str(t).split(";") for t in drawn["classes"].values], dims="pathway")
    ratio = drawn["land_sink_ratio"].clip(min=LEAST_SINK_RATIO)
    hazard = ratio ** -_input(drawn, "hazard_exponent", 0.0)
    loss = (loss * hazard.where(nature, 1.0)).clip(0.0, 1.0)
    severity = _input(drawn, "shock_severity", 1.0)
    struck = (loss * severity * drawn["shock"]).clip(0.0, 1.0)
    late = _input(drawn, "late_hazard", 0.0) * loss
    start, length = drawn["period_start"].values.astype(float), drawn["period_length"].values.astype(float)
    ends = start + length
    parts = []
    for q in range(len(ends)):
        left = xr.ones_like(struck.isel(period=0, drop=True))
        for later in range(q, len(ends)):
            if ends[later] - ends[q] < DURABLE_YEARS:
                left = left * (1.0 - struck.isel(period=later, drop=True))
        beyond = max(0.0, DURABLE_YEARS - (ends[-1] - ends[q]))
        parts.append(left * _exp(-late * beyond))
    survived = xr.concat(parts, dim="period").assign_coords(period=drawn["period"].values)
    return _mean(survived, flow, drawn)


def uptake(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share of captured tonnes that reaches the store from the air."""
    return _input(drawn, "efficiency", 1.0)


def additionality(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share of tonnes that the counterfactual would not have removed."""
    return _input(drawn, "additionality", 1.0)


def foregone_regrowth(drawn: xr.Dataset) -> xr.DataArray:
    """Return the regrowth given up on the land used, tonnes per tonne captured."""
    return _input(drawn, "foregone_regrowth", 0.0)


def delay(drawn: xr.Dataset) -> xr.DataArray:
    """Return the present value of a credit that arrives when verification is done."""
    return (1.0 + drawn["discount_rate"]) ** -_input(drawn, "verification_delay", 0.0)


def other_gases(drawn: xr.Dataset, flow: xr.DataArray) -> xr.DataArray:
    """Return non-CO2 effects, tonnes of CO2 equivalent per tonne captured; below 0 where they cool.

    Those of young capacity fade with its age, as in the simulation: capacity kept grows older by the
    period, new capacity is half of it old.
    """
    fade = _input(drawn, "non_co2_fade", np.inf)
    age = before = xr.zeros_like(flow.isel(period=0, drop=True))
    fresh = []
    for q, length in enumerate(drawn["period_length"].values.astype(float)):
        here = flow.isel(period=q, drop=True)
        kept = here.where(here < before, before)
        aged = (age + length) * kept + 0.5 * length * (here - kept)
        age = (aged / here.where(here > 0.0)).fillna(0.0)
        before = here
        fresh.append(_exp(-age / fade))
    young = xr.concat(fresh, dim="period").assign_coords(period=drawn["period"].values)
    return _input(drawn, "non_co2", 0.0) + _input(drawn, "non_co2_young", 0.0) * _mean(young, flow, drawn)


def process_energy(drawn: xr.Dataset, flow: xr.DataArray) -> xr.DataArray:
    """Return the emissions of process energy, tonnes per tonne captured.

    Energy per tonne, GJ/tCO2, times the emissions of power and of heat, tCO2/GJ, by the share of each, where
    and when capacity allows the capture: most of it late, when both are cleaner. Heat from the pathway's own
    biomass is not charged.
    """
    power = _input(drawn, "power_share", 1.0)
    bought = (1.0 - power) * (1.0 - _input(drawn, "own_fuel", 0.0))

    def carried(name: str) -> xr.DataArray:
        return _mean(drawn[name], flow, drawn) if name in drawn else xr.zeros_like(drawn["energy"])

    return drawn["energy"] * (power * carried("grid_intensity") + bought * carried("heat_intensity"))
