"""Arrays of indices as a labelled Dataset: dims, units, kinds and masses of intervals, status flags"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.sensitivity import estimators
from sinkrisk.sensitivity.design import DriverSet

Floats = NDArray[np.float64]

MEANING = {
    "S1": "first-order Sobol' index: share of the variance explained by the driver alone",
    "ST": "total-order Sobol' index: share of the variance that involves the driver",
    "S2": "second-order Sobol' index: share of the variance due to the pair's interaction alone",
}


def label_indices(
    who: DriverSet,
    intervals: Mapping[str, tuple[Floats, Floats, Floats]],
    draws: Mapping[str, Floats],
    moments: Mapping[str, Floats],
    status: NDArray[np.int8],
    labels: xr.DataArray | None,
    scalar: bool,
    attrs: dict[str, Any],
) -> xr.Dataset:
    """Return what `sobol` returns.

    Parameters
    ----------
    who : DriverSet
    intervals : mapping
        S1, ST and perhaps S2 -> value, low, high, (labels[, labels], outputs).
    draws : mapping
        S1 and ST -> replicates or resamples, (draw, labels, outputs).
    moments : mapping
        mean, variance -> (outputs,).
    status : ndarray, (outputs,)
    labels : DataArray or None
        Over ``output``: its coordinates are taken.
    scalar : bool
        Whether there is one output without a dimension.
    attrs : dict
        Of the Dataset.
    """
    tail: tuple[str, ...] = () if scalar else ("output",)
    data: dict[str, Any] = {}
    for name, triple in intervals.items():
        dims = ("driver", "driver_other", *tail) if name == "S2" else ("driver", *tail)
        for suffix, value in zip(("", "_low", "_high"), triple, strict=True):
            about = {"units": "1", "long_name": MEANING[name]}
            if suffix:
                about |= {k: attrs[k] for k in ("interval_kind", "interval_mass")}
            data[name + suffix] = (dims, value[..., 0] if scalar else value, about)
    for name, value in draws.items():
        about = {"units": "1", "long_name": f"{name} of every replicate or resample"}
        data[name + "_draws"] = (("draw", "driver", *tail), value[..., 0] if scalar else value, about)
    for name, value in moments.items():
        about = {"long_name": f"{name} of the output over A and B, in the output's unit"}
        data[name] = (tail, value[0] if scalar else value, about)
    data["status"] = (
        tail,
        status[0] if scalar else status,
        {"flag_values": [0, 1, 2], "flag_meanings": estimators.STATUS_MEANINGS},
    )
    undefined = int((status != estimators.OK).sum())
    attrs["note"] = (
        f"{undefined} of {status.size} outputs are constant, or constant in a base sample: "
        "their indices are undefined (NaN), see status"
        if undefined
        else ""
    )
    names = np.array(who.labels, dtype=object)
    coords: dict[str, Any] = {"driver": names}
    if "S2" in intervals:
        coords["driver_other"] = names
    result = xr.Dataset(data, coords=coords, attrs=attrs)
    if labels is not None and not scalar:
        result = result.assign_coords(labels.coords)
    elif not scalar:
        result = result.assign_coords(output=np.arange(status.size))
    return result
