"""What given-data analyses are handed: outputs and drivers of the same draws, as plain arrays"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk.errors import Problems
from sinkrisk.sensitivity.describing import outputs_of
from sinkrisk.sensitivity.evaluating import output_labels

Floats = NDArray[np.float64]

LEAST_DRAWS = 16
"""Fewer draws say nothing of an index."""


@dataclass(frozen=True)
class GivenDriver:
    """A driver in the draws at hand.

    Parameters
    ----------
    name : str
    kind : {"scalar", "states", "block"}
    values : ndarray
        (draw,) numbers or codes of states, (draw, variable) for a block.
    states : tuple of str
        Names of the states, by code; empty for numbers.
    """

    name: str
    kind: Literal["scalar", "states", "block"]
    values: NDArray[Any]
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenOutputs:
    """Outputs in the draws at hand: values (draw, output); output, measure, portfolio and unit of each."""

    values: Floats
    who: tuple[dict[str, str], ...]
    units: tuple[str, ...]


def read_outputs(y: ArrayLike | xr.DataArray, found: Problems, *, key: str = "y") -> GivenOutputs | None:
    """Return outputs as (draw, output); what is wrong goes to `found`, and None is returned.

    Parameters
    ----------
    y : array_like or DataArray, (draw,) or (draw, output)
        A DataArray's first dimension is the draws unless it has one called ``sample``; a second
        dimension of any name is the outputs, with its coordinates.
    found : Problems
    key : str
        For messages.
    """
    labels: list[dict[str, str]] | None = None
    units: list[str] | None = None
    if isinstance(y, xr.DataArray):
        if "sample" in y.dims:
            y = y.transpose("sample", ...)
        if y.ndim == 2:
            blank = output_labels(y)
            if "portfolio" in y.dims and "measure" not in blank.coords:
                name = str(y.name or "output")
                blank = blank.rename(output="portfolio") if "portfolio" not in blank.coords else blank
                portfolios = [str(p) for p in y["portfolio"].values]
                labels = [{"output": f"{name}:{p}", "measure": name, "portfolio": p} for p in portfolios]
            else:
                labels = outputs_of(blank.to_dataset(name="y"))
        elif y.name is not None:
            labels = [{"output": str(y.name), "measure": str(y.name), "portfolio": ""}]
        if y.ndim == 2 and "unit" in y.coords and y["unit"].dims == (y.dims[1],):
            units = [str(unit) for unit in y["unit"].values]
        elif "units" in y.attrs:
            units = [str(y.attrs["units"])] * (y.shape[1] if y.ndim == 2 else 1)
        y = y.values
    raw = np.asarray(y)
    if raw.ndim not in (1, 2) or 0 in raw.shape or raw.dtype.kind not in "fiub":
        found.add(
            "outputs", got=f"{raw.dtype} {raw.shape}", allowed="numbers (draw,) or (draw, output)", key=key
        )
        return None
    values = raw.reshape(len(raw), -1).astype(float)
    if len(values) < LEAST_DRAWS:
        found.add("too few draws", got=len(values), allowed=f"{LEAST_DRAWS} or more", key=key)
    rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if rows.size:
        shown = ", ".join(map(str, rows[:5].tolist()))
        found.add(f"outputs are not finite in {rows.size} draws: {shown}", key=key)
    if labels is None:
        names = ["output"] if raw.ndim == 1 else [str(k) for k in range(values.shape[1])]
        labels = [{"output": name, "measure": name, "portfolio": ""} for name in names]
    given = [one["output"] for one in labels]
    for name in dict.fromkeys(given):
        if given.count(name) > 1:
            found.add("two outputs of one name", got=name, key=key)
    return GivenOutputs(values, tuple(labels), tuple(units or [""] * len(labels)))


def read_drivers(
    x: Mapping[Any, ArrayLike] | xr.Dataset, draws: int, found: Problems, *, blocks: bool = False
) -> tuple[GivenDriver, ...]:
    """Return drivers as plain arrays; what is wrong goes to `found`.

    Parameters
    ----------
    x : mapping or Dataset
        Name -> numbers, or whole numbers, truth values or words, which are states, (draw,); with
        `blocks` also (draw, ...). A pandas Categorical holds states in an order of their own.
    draws : int
    found : Problems
    blocks : bool
    """
    drivers = []
    for key, value in x.items():
        name = str(key)
        given: Any = value
        if isinstance(given, xr.DataArray) and "sample" in given.dims:
            given = given.transpose("sample", ...)
        categories = getattr(given, "categories", None)
        if categories is not None:
            given = given.codes
        raw = np.asarray(given.values if isinstance(given, xr.DataArray) else given)
        if categories is not None and len(raw) == draws:
            if (raw < 0).any():
                found.add("driver is not known", got=f"draw {int(np.argmax(raw < 0))}", key=name)
            names = tuple(str(c) for c in categories)
            drivers.append(GivenDriver(name, "states", raw.astype(np.intp), names))
            continue
        if raw.ndim == 2 and raw.shape[1] == 1:
            raw = raw[:, 0]
        if raw.ndim == 0 or len(raw) != draws or (raw.ndim > 1 and not blocks):
            wanted = f"({draws},)" + (f" or ({draws}, variable)" if blocks else "")
            found.add("driver of another shape than the outputs", got=raw.shape, allowed=wanted, key=name)
            continue
        if raw.dtype.kind == "f":
            rows = np.flatnonzero(~np.isfinite(raw.reshape(draws, -1)).all(axis=1))
            if rows.size:
                found.add("driver is not finite", got=f"draw {rows[0]}", key=name)
                continue
        if raw.ndim > 1:
            drivers.append(GivenDriver(name, "block", raw.reshape(draws, -1).astype(float)))
        elif raw.dtype.kind == "f":
            drivers.append(GivenDriver(name, "scalar", raw.astype(float)))
        else:
            states, codes = np.unique(raw.astype(str) if raw.dtype.kind == "O" else raw, return_inverse=True)
            drivers.append(GivenDriver(name, "states", codes, tuple(str(s) for s in states)))
    if not x:
        found.add("no drivers", key="drivers")
    return tuple(drivers)


def half_samples(draws: int, count: int, generator: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return `count` random halves of the draws, each without repetition.

    The spread of an estimate over halves is that of its error on all draws (delete-half jackknife, Shao
    and Wu 1989, doi:10.1214/aos/1176347263). A bootstrap would put equal draws side by side, which
    estimators that compare neighbours take for dependence.
    """
    return [np.sort(generator.permutation(draws)[: draws // 2]) for _ in range(count)]


HALF_SAMPLES = "equal-tailed half-sample normal"


def half_sample_interval(value: Floats, halves: Floats, level: float) -> tuple[Floats, Floats]:
    """Return value -/+ z times the root mean square deviation over halves (axis 0)."""
    from scipy import stats

    spread = halves.std(axis=0, ddof=1)
    reach = stats.norm.ppf(0.5 + level / 2) * spread
    return np.asarray(value - reach), np.asarray(value + reach)
