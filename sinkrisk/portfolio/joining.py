"""Outcomes of several sets of portfolios as one: plans of the world beside plans by region"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import OUTCOMES, checked


@checked()
def join_outcomes(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return outcomes of several sets of portfolios, simulated on the same draws, as one.

    Parameters
    ----------
    parts : sequence of Dataset, (sample, portfolio, ...)
        From `simulate` with the same draws, for example once with plans of the world and once with
        plans by region.

    Returns
    -------
    Dataset
        All portfolios, in the order given. Coordinate ``coordinated`` (portfolio) where any part has
        it: plans of the world do not say whether regions coordinate, and count as not coordinated.
        What holds for the draws alone is kept once; variables that only some parts have are left out.

    Raises
    ------
    InputError
        For parts of other draws, pathways, regions or periods, or a portfolio that stands in two.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> one = xr.Dataset({"stored": (("sample", "portfolio"), np.ones((2, 1)))}, coords={"portfolio": ["a"]})
    >>> other = one.assign_coords(portfolio=["b"], coordinated=("portfolio", [True]))
    >>> join_outcomes([one, other])["coordinated"].values.tolist()
    [False, True]
    """
    parts = list(parts)
    _check(parts)
    if len(parts) == 1:
        return parts[0]
    coords = {name for part in parts for name, c in part.coords.items() if c.dims == ("portfolio",)}
    filled = []
    for part in parts:
        # Only plans by region say whether regions coordinate; plans of the world do not.
        absent = {n: ("portfolio", [_ABSENT.get(str(n), "")] * part.sizes["portfolio"]) for n in coords}
        filled.append(part.assign_coords({n: v for n, v in absent.items() if n not in part.coords}))
    everywhere = [n for n in filled[0].data_vars if all(n in part.data_vars for part in filled)]
    shared = [n for n in everywhere if "portfolio" not in filled[0][n].dims]
    own = [n for n in everywhere if n not in shared]
    together = xr.concat([part[own] for part in filled], dim="portfolio")
    return xr.merge([filled[0][shared], together]).assign_attrs(_attrs(parts))


def _attrs(parts: list[xr.Dataset]) -> dict[str, Any]:
    """Return what parts say of themselves; where they differ every part's word is kept."""
    out: dict[str, Any] = {}
    for part in parts:
        for name, value in part.attrs.items():
            before = out.setdefault(name, value)
            if isinstance(value, list) and before != value:
                out[name] = [*before, *(v for v in value if v not in before)]
            elif isinstance(value, str) and value not in str(before):
                out[name] = f"{before}; {value}"
    return out


_ABSENT: dict[str, bool] = {"coordinated": False}
"""What a plan says that lacks a coordinate of another; words are blank."""


def _check(parts: list[xr.Dataset]) -> None:
    if not parts:
        raise InputError(
            Problem("no outcomes to join", got=0, allowed="1 or more", key="parts", hint=OUTCOMES)
        )
    found = Problems()
    for at, part in enumerate(parts):
        lacking = [d for d in ("sample", "portfolio") if d not in part.dims]
        if lacking:
            found.add("outcomes lack a dim", got=", ".join(lacking), key=f"parts.{at}", hint=OUTCOMES)
    found.raise_if_any()
    first = parts[0]
    for at, part in enumerate(parts[1:], start=1):
        for dim in ("sample", "pathway", "region", "period", "resource"):
            sizes = [p.sizes.get(dim) for p in (part, first)]
            alike = sizes[0] == sizes[1] and (
                dim not in part.coords or dim not in first.coords or part[dim].equals(first[dim])
            )
            if not alike:
                found.add(
                    f"outcomes of another {dim}",
                    got=f"{sizes[0]} in part {at}, {sizes[1]} in part 0",
                    key=f"parts.{at}",
                    hint="simulate every set of plans on the same draws",
                )
        unlike = _unlike(part, first)
        if unlike and not found:
            found.add(
                "outcomes of other draws",
                got=f"other {', '.join(unlike)} in part {at} than in part 0",
                key=f"parts.{at}",
                hint="simulate every set of plans on the same draws",
            )
    names = [str(n) for part in parts for n in part["portfolio"].values]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        found.add("portfolios given twice", got=", ".join(twice), key="parts", hint="rename one of each")
    found.raise_if_any()


def _unlike(part: xr.Dataset, first: xr.Dataset) -> list[str]:
    """Return what both carry along from the draws and yet holds other values: equal labels prove nothing."""
    return [
        str(name)
        for name in first.variables
        if "sample" in first[name].dims
        and "portfolio" not in first[name].dims
        and name in part.variables
        and not xr.DataArray(part[name].variable).equals(xr.DataArray(first[name].variable))
    ]
