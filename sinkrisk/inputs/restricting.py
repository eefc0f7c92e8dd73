"""Part of the world as a world of its own: the joint draws of some regions, with their part of it all"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.arguments import Holding, checked
from sinkrisk.errors import Problems, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

SPREAD: tuple[str, ...] = ("potential", "current_capacity", "experience")
"""Quantities of the whole world of which regions hold their share of a pathway's suitability."""


@checked(
    drawn=Holding(
        variables=("suitability_share",),
        dims=("sample", "region"),
        origin="joint draws come from sinkrisk.inputs.sample",
    )
)
def restrict(drawn: xr.Dataset, regions: Sequence[str]) -> xr.Dataset:
    """Return the joint draws of some regions, as if there were no others.

    Parameters
    ----------
    drawn : Dataset
        From `sample` or `transform`.
    regions : sequence of str
        Regions to keep, in the order wanted.

    Returns
    -------
    Dataset
        ``potential``, ``current_capacity`` and ``experience`` (GtCO2/yr, GtCO2/yr, GtCO2) times the
        regions' part of the pathway's suitability in each draw, ``suitability_share`` scaled to sum to
        1 again; what has a dimension `region` is cut to them. A pathway that suits none of them keeps
        nothing (potential 0). Learning then counts the regions' own deployment only: what the rest of
        the world builds teaches them nothing, which is a cautious assumption. Attribute ``regions``.

    Raises
    ------
    InputError
        For no region, one named twice, or one that is not there.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 4, rng=1)
    >>> asia = inputs.restrict(drawn, ["china_east_coast", "china_southwest", "china_arid_north"])
    >>> whole = drawn.potential * drawn.suitability_share.sel(region=asia.region).sum("region")
    >>> bool(abs(asia.potential - whole).max() < 1e-12)
    True
    """
    known = [str(name) for name in drawn["region"].values]
    found = Problems()
    if isinstance(regions, str) or not len(regions):
        found.add("regions: a list of names is needed", got=regions, allowed=known, key="regions")
        found.raise_if_any()
    for name in regions:
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean '{near}'?" if near else None
            found.add("unknown region", got=name, allowed=known, hint=hint, key="regions")
    if len(set(regions)) < len(regions):
        found.add("region named twice", got=", ".join(regions), key="regions")
    found.raise_if_any()
    # xarray takes the modes for a coordinate of the dimension `mode`: selection cuts them all the same.
    out = drawn.sel(region=list(regions))
    share = out["suitability_share"]
    part = share.sum("region")
    for name in SPREAD:
        if name in out:
            attrs = out[name].attrs
            out[name] = (out[name] * part).transpose(*drawn[name].dims).assign_attrs(attrs)
    even = 1.0 / len(regions)
    scaled = (share / part.where(part > 0.0, 1.0)).where(part > 0.0, even)
    # Rounding: three thirds must still sum to one.
    scaled = scaled / scaled.sum("region")
    out["suitability_share"] = scaled.transpose(*share.dims).assign_attrs(share.attrs)
    out.attrs["regions"] = list(np.asarray(regions, dtype=str))
    return out
