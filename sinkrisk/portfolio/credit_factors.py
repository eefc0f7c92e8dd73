"""The factors between a tonne captured and a tonne worth crediting, one function each, from the inputs

Every function takes `drawn` and returns (sample, pathway), 1 where nothing is taken off. An optional input
that is absent is neutral.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import xarray as xr

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


def durability(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share that decay and leakage leave 100 years after storage.

    ``f 0.5^(100 / fast half-life) + (1 - f) exp(-100 (ln 2 / half-life + leakage))``, f the share of the
    fast pool.
    """
    slow = _exp(-DURABLE_YEARS * (np.log(2.0) / drawn["half_life"] + drawn["leakage_rate"]))
    fast_share = _input(drawn, "fast_share", 0.0)
    fast = _exp(-DURABLE_YEARS * np.log(2.0) / _input(drawn, "fast_half_life", np.inf))
    return fast_share * fast + (1.0 - fast_share) * slow


def reversal(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share that shocks leave 100 years after storage.

    The shocks drawn, in every region and period, until 100 years after the end of the period of storage,
    and after the last period ``exp(-late hazard x loss x years)``; mean over periods by their years and
    over regions by the suitability shares.
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
        parts.append(left * _exp(-late * beyond) * length[q])
    survived = cast("xr.DataArray", sum(parts)) / length.sum()
    share = drawn["suitability_share"]
    left_over: xr.DataArray = (survived * share).sum("region") / share.sum("region")
    return left_over


def uptake(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share of captured tonnes that reaches the store from the air."""
    return _input(drawn, "efficiency", 1.0)


def additionality(drawn: xr.Dataset) -> xr.DataArray:
    """Return the share of tonnes that the counterfactual would not have removed."""
    return _input(drawn, "additionality", 1.0)


def regrowth(drawn: xr.Dataset) -> xr.DataArray:
    """Return what is left after the sink of regrowth given up on the land used."""
    return (1.0 - _input(drawn, "foregone_regrowth", 0.0)).clip(min=0.0)


def delay(drawn: xr.Dataset) -> xr.DataArray:
    """Return the present value of a credit that arrives when verification is done."""
    return (1.0 + drawn["discount_rate"]) ** -_input(drawn, "verification_delay", 0.0)


def other_gases(drawn: xr.Dataset) -> xr.DataArray:
    """Return what is left after non-CO2 effects, those of young capacity averaged over the horizon."""
    years = float(drawn["period_length"].sum())
    fade = _input(drawn, "non_co2_fade", np.inf)
    # The mean of exp(-age / fade) over the horizon; inf does not fade.
    x = (years / fade).clip(min=1e-9)
    young = _input(drawn, "non_co2_young", 0.0) * (1.0 - _exp(-x)) / x
    return (1.0 - _input(drawn, "non_co2", 0.0) - young).clip(min=0.0)


def energy_penalty(drawn: xr.Dataset) -> xr.DataArray:
    """Return what is left after the emissions of process energy.

    Energy per tonne times the grid's emissions, mean over the periods by their years and over the regions
    by the suitability shares; GJ/tCO2 times tCO2/GJ.
    """
    if "grid_intensity" not in drawn:
        return xr.ones_like(drawn["energy"])
    length = drawn["period_length"].astype(float)
    grid = xr.dot(drawn["grid_intensity"], length / length.sum(), dim="period")
    share = drawn["suitability_share"] / drawn["suitability_share"].sum("region")
    emitted = drawn["energy"] * (grid * share).sum("region")
    left_over: xr.DataArray = (1.0 - emitted).clip(min=0.0)
    return left_over
