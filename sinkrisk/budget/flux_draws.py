"""Draws of the budget's fluxes as one array (sample, component, year), from whatever holds them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sinkrisk.budget.trees import group
from sinkrisk.budget.windows import parse_window, reference_window
from sinkrisk.errors import InputError, Problem

DECADE = 10


def stack_samples(array: xr.DataArray) -> xr.DataArray:
    """Return the array with ``chain`` and ``draw`` as one leading dimension ``sample``."""
    if "sample" in array.dims:
        return array.transpose("sample", ...)
    found = [name for name in ("chain", "draw") if name in array.dims]
    if not found:
        return array.expand_dims("sample")
    stacked = array.stack(sample=found).reset_index("sample", drop=True)
    return stacked.transpose("sample", ...)


def recent_sinks(source: object) -> tuple[xr.DataArray, tuple[int, int]]:
    """Return each draw's mean ocean and land flux over its last decade, and that decade.

    Parameters
    ----------
    source : DataTree, Dataset or DataArray
        What `reconcile` returned, or its ``flux`` (component, year) or ``window_flux`` (component,
        window) with chain and draw, or sample, or neither.

    Returns
    -------
    flux : DataArray, dims (sample, component)
        Components ``ocean`` and ``land``, GtC/yr.
    years : tuple of int
        First and last year, both inclusive.

    Raises
    ------
    InputError
        Where no flux by year or window is there, or a component is missing.
    """
    if isinstance(source, xr.DataTree):
        posterior = group(source, "posterior")
        array = posterior["flux"] if "flux" in posterior else posterior["window_flux"]
    elif isinstance(source, xr.Dataset):
        array = source["flux"] if "flux" in source else source["window_flux"]
    elif isinstance(source, xr.DataArray):
        array = source
    else:
        allowed = "a reconciled budget, or a DataArray of flux by component and year"
        raise InputError(Problem("no draws of fluxes", got=type(source).__name__, allowed=allowed))
    names = [str(name) for name in array["component"].values] if "component" in array.coords else []
    if not {"ocean", "land"} <= set(names) or not {"year", "window"} & set(array.dims):
        allowed = "components 'ocean' and 'land' by year or by window"
        raise InputError(Problem("fluxes without what an outlook needs", got=names, allowed=allowed))
    array = array.sel(component=["ocean", "land"])
    if "year" in array.dims:
        years = array["year"].values
        last = array.sel(year=years[-DECADE:])
        flux, span = last.mean("year", skipna=False), (int(last["year"].values[0]), int(years[-1]))
    else:
        label = reference_window([str(name) for name in array["window"].values])
        flux, span = array.sel(window=label, drop=True), parse_window(label)
    flux = stack_samples(flux).transpose("sample", "component")
    if not np.isfinite(flux.values).all():
        raise InputError("fluxes of the last decade are not all finite")
    return flux, span
