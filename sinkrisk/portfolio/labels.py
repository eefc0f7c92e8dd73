"""Checked Datasets as the engine's arrays: which axis means what, and plans on the labels of the inputs"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from sinkrisk.errors import InputError, Problem
from sinkrisk.portfolio import engine, variables as known
from sinkrisk.portfolio.checking import INPUT_COORDS, find_input_problems, find_plan_problems

RECIPIENTS: tuple[str, ...] = ("enhanced_weathering", "biochar")
"""Where passive redundancy moves effort to: the low-sensitivity pathways of the review, section 4.2."""


def layout_of(drawn: xr.Dataset) -> engine.Layout:
    """Return what the axes of checked inputs mean, in the engine's terms."""
    names = [str(p) for p in drawn["pathway"].values]
    classes = [str(c) for c in drawn["class"].values]
    members = [[m.strip() for m in str(t).split(";")] for t in drawn["classes"].values]
    start, length = drawn["period_start"].values, drawn["period_length"].values
    creditable = drawn["creditable"].values if "creditable" in drawn.variables else np.ones(len(names), bool)
    coupling: list[tuple[int, int, int]] = []
    if "coupling_effect" in drawn:
        rows = zip(*(drawn[n].values for n in known.COUPLING_COORDS), strict=True)
        coupling = [
            (names.index(str(p)), names.index(str(o)), known.COUPLING_KINDS.index(str(k))) for p, o, k in rows
        ]
    return engine.Layout(
        member=np.array([[c in own for c in classes] for own in members]),
        nature=np.array(["nature" in own for own in members]),
        recipient=np.array([name in RECIPIENTS for name in names]),
        creditable=np.asarray(creditable, bool),
        flow_class=[str(v) for v in drawn["flow_class"].values],
        bounds=np.asarray([*start, start[-1] + length[-1]], dtype=float),
        regions=drawn.sizes["region"],
        resources=[str(v) for v in drawn["resource"].values] if "resource" in drawn.coords else [],
        coupling=np.array(coupling, np.int64).reshape(-1, 3),
    )


def arrays_of(drawn: xr.Dataset, names: Iterable[str] = tuple(known.INPUTS)) -> dict[str, Any]:
    """Return the inputs as arrays by name, sample axis first; views where the order allows."""
    return {
        name: drawn[name].transpose("sample", *known.INPUTS[name].dims).values
        for name in names
        if name in drawn
    }


def rows_of(arrays: Mapping[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Return the samples from `start` to `stop` of every input."""
    return {name: values[start:stop] for name, values in arrays.items()}


def coords_of(drawn: xr.Dataset, dims: set[str]) -> dict[Hashable, Any]:
    """Return the coordinates of the inputs that span no other dims than these."""
    return {n: c for n, c in drawn.coords.items() if set(c.dims) <= dims} | {
        n: drawn[n] for n in INPUT_COORDS if set(drawn[n].dims) <= dims
    }


def check_size(name: str, size: int) -> None:
    """Raise where a number of things is below 1."""
    if size < 1:
        raise InputError(Problem(f"{name} must be at least 1", got=size, key=name))


def validated(drawn: xr.Dataset, portfolios: xr.Dataset) -> xr.DataArray:
    """Raise everything wrong at once, or return planned(portfolio, pathway[, region], period) on labels."""
    found = find_input_problems(drawn)
    labels = ("pathway", "period", "region")
    if all(n in drawn.coords for n in labels):
        names = [[str(v) for v in drawn[n].values] for n in labels]
        found.extend(find_plan_problems(portfolios, *names).found)
    found.raise_if_any()
    planned = portfolios["planned"].reindex(pathway=drawn["pathway"].values, fill_value=0.0)
    planned = planned.sel(period=drawn["period"].values)
    if "region" in planned.dims:
        planned = planned.reindex(region=drawn["region"].values, fill_value=0.0)
        return planned.transpose("portfolio", "pathway", "region", "period").astype(float)
    return planned.transpose("portfolio", "pathway", "period").astype(float)
