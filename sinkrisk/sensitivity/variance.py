"""`sobol`: variance-based sensitivity indices with honest intervals, evaluated in blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.sensitivity import estimators
from sinkrisk.sensitivity.design import DriverSet, SaltelliDesign, draw_design, driver_set
from sinkrisk.sensitivity.specification import MIN_REPLICATES

Floats = NDArray[np.float64]

MAX_DRIVERS = 21201 // 2
"""scipy's Sobol' points reach 21,201 dimensions, and a Saltelli design needs two per driver."""

SHOWN = 5
"""Offending rows named in a message."""


def sobol(
    function: Callable[[Floats], Any],
    drivers: Any,
    n: int,
    *,
    second_order: bool = False,
    groups: bool | Mapping[str, Any] | None = None,
    design: Literal["sobol", "random"] = "sobol",
    replicates: int = MIN_REPLICATES,
    block: int = 1024,
    level: float = 0.95,
    resamples: int = 1000,
    rng: random.RandomSource = None,
) -> xr.Dataset:
    """Estimate Sobol' indices of a vectorised function of independent drivers.

    Parameters
    ----------
    function : callable
        Takes (rows, drivers), returns (rows,), (rows, outputs) or a DataArray whose first
        dimension is the rows and whose second, if any, is the outputs. Each row must depend on
        that row's inputs only, and equal inputs must give equal outputs wherever they stand.
    drivers : object or mapping
        An object with ``names``, ``groups`` (name -> group) and ``len()``: the function receives
        uniform numbers in [2**-53, 1 - 2**-53]. Or a dict name -> frozen scipy distribution: it
        receives values, columns in the dict's order.
    n : int
        Base points N per design, a power of two for ``design="sobol"``. A design evaluates
        N (G + 2) rows for G drivers or groups, N (2 G + 2) with `second_order`.
    second_order : bool
        Also estimate S2.
    groups : None, bool or mapping
        None: the drivers' own groups, where they have any. False: every driver alone. A mapping:
        driver -> group or group -> drivers.
    design : {"sobol", "random"}
        Scrambled Sobol' points, repeated with independent scrambles, or one random design.
    replicates : int
        Independent scrambles of a Sobol' design, at least 8.
    block : int
        Rows handed to `function` at a time.
    level : float
        Mass of the intervals.
    resamples : int
        Bootstrap resamples of a random design.
    rng : int, Generator or None

    Returns
    -------
    Dataset
        ``S1(driver[, output])``, ``ST``, optionally ``S2(driver, driver_other)`` (upper triangle),
        each with ``_low`` and ``_high``; ``mean(output)``, ``variance(output)`` of the output; and
        ``status(output)``: 0 estimated, 1 the output is constant, 2 it is constant in a base
        sample (a rare event); the indices are NaN in the last two. ``driver`` holds the groups
        where grouped. attrs: ``interval_kind``, ``interval_mass``, ``n``, ``replicates``, ``rows``
        (evaluations), ``design``, ``grouped``, ``note``.

    Raises
    ------
    InputError
        Before any evaluation: N not a power of two, duplicate names, a degenerate distribution, a
        group with an unknown driver. From the first block that shows it: a wrong shape, an output
        that is not finite (with its rows).

    Notes
    -----
    Estimators are SALib's (see `sinkrisk.sensitivity.estimators`). With Sobol' points a bootstrap
    is far too wide, so the estimate is the mean over replicates and the interval Student's t over
    them. Estimates are differences: they may fall below 0 by noise, and a driver that does
    nothing has S1 and ST exactly 0.

    Examples
    --------
    >>> from scipy import stats
    >>> uniform = {name: stats.uniform(0, 1) for name in ("x", "y", "idle")}
    >>> result = sobol(lambda x: x[:, 0] + 2 * x[:, 1], uniform, 256, rng=1)
    >>> result["S1"].round(2).values.tolist()
    [0.2, 0.8, 0.0]
    """
    who = _validate(drivers, groups, n, design, replicates, block, level, resamples, second_order)
    generator = random.generator(rng)
    if design == "random":
        replicates = 1
    seeds: list[int] = []
    while len(seeds) < replicates:
        seed = random.seed_of(generator)
        if seed not in seeds:
            seeds.append(seed)
    found: list[estimators.Indices] = []
    labels: xr.DataArray | None = None
    scalar = False
    for number, seed in enumerate(seeds):
        plan = draw_design(who, n, design=design, second_order=second_order, seed=seed)
        y, labels, scalar = _evaluate(function, who, plan, block, number, labels)
        found.append(estimators.estimate(plan, y))
    values = {
        "S1": np.stack([one.s1 for one in found]),
        "ST": np.stack([one.st for one in found]),
    }
    if second_order:
        values["S2"] = np.stack([one.s2 for one in found if one.s2 is not None])
    if design == "sobol":
        intervals = {k: estimators.replicate_interval(v, level) for k, v in values.items()}
        kind = "equal-tailed replicate t"
    else:
        intervals = _bootstrap_intervals(plan, y, values, found[0].status, level, resamples, generator)
        kind = "equal-tailed bootstrap percentile"
    statuses = np.stack([one.status for one in found])
    # An output constant in one replicate and not in another is a rare event, not a constant.
    same = statuses.min(axis=0) == statuses.max(axis=0)
    status = np.where(same, statuses[0], np.int8(estimators.RARE)).astype(np.int8)
    moments = {
        "mean": np.mean([one.mean for one in found], axis=0),
        "variance": np.mean([one.variance for one in found], axis=0),
    }
    attrs = {
        "interval_kind": kind,
        "interval_mass": float(level),
        "n": int(n),
        "replicates": int(replicates),
        "rows": int(plan.rows * replicates),
        "design": design,
        "grouped": int(who.grouped),
    }
    return _label(who, intervals, moments, status, labels, scalar, attrs)


def _validate(
    drivers: Any,
    groups: Any,
    n: int,
    design: str,
    replicates: int,
    block: int,
    level: float,
    resamples: int,
    second_order: bool,
) -> DriverSet:
    found = Problems()
    who = driver_set(drivers, groups, found)
    if design not in ("sobol", "random"):
        found.add("unknown design", got=design, allowed=["sobol", "random"], key="design")
    for key, value, least in (
        ("n", n, 2),
        ("block", block, 1),
        ("replicates", replicates, MIN_REPLICATES if design == "sobol" else 1),
        ("resamples", resamples, 2),
    ):
        if not isinstance(value, int | np.integer) or isinstance(value, bool):
            found.add("must be a whole number", got=value, key=key)
        elif value < least:
            hint = "an interval needs that many independent scrambles" if key == "replicates" else None
            found.add("too small", got=int(value), allowed=f"at least {least}", key=key, hint=hint)
        elif key == "n" and design == "sobol" and value & (value - 1):
            below = 1 << (int(value).bit_length() - 1)
            found.add(
                "N must be a power of two",
                got=int(value),
                allowed=f"for example {below} or {2 * below}",
                key="n",
                hint="Sobol' points fill the space evenly only at powers of two; design='random' takes any N",
            )
    if not 0.0 < level < 1.0:
        found.add("an interval's mass lies between 0 and 1", got=level, key="level")
    if who is not None and second_order and len(who.labels) < 2:
        found.add("second-order indices need at least two drivers or groups", key="second_order")
    if who is not None and design == "sobol" and len(who.names) > MAX_DRIVERS:
        found.add(
            "too many drivers for Sobol' points",
            got=len(who.names),
            allowed=f"up to {MAX_DRIVERS}",
            key="drivers",
            hint="use design='random'",
        )
    found.raise_if_any()
    assert who is not None
    return who


def _evaluate(
    function: Callable[[Floats], Any],
    who: DriverSet,
    plan: SaltelliDesign,
    block: int,
    replicate: int,
    labels: xr.DataArray | None,
) -> tuple[Floats, xr.DataArray | None, bool]:
    """Evaluate one design; return outputs (rows, outputs), the outputs' labels, and scalar or not."""
    y: Floats | None = None
    scalar = False
    for start in range(0, plan.rows, block):
        stop = min(start + block, plan.rows)
        out = function(who.inputs(plan.block(start, stop)))
        part = np.asarray(out.values if isinstance(out, xr.DataArray) else out)
        if part.ndim not in (1, 2) or part.shape[0] != stop - start or part.size == 0:
            raise InputError(
                Problem(
                    "the function returned the wrong shape",
                    got=part.shape,
                    allowed=f"({stop - start},) or ({stop - start}, outputs)",
                    key="function",
                    hint="it must return one row of outputs for each row of inputs",
                )
            )
        if part.dtype.kind not in "fiub":
            raise InputError(
                Problem("the function returned no real numbers", got=str(part.dtype), key="function")
            )
        scalar = part.ndim == 1
        part = part.reshape(stop - start, -1).astype(float)
        if isinstance(out, xr.DataArray) and not scalar and labels is None:
            labels = _output_labels(out)
        if y is None:
            y = np.empty((plan.rows, part.shape[1]))
        elif part.shape[1] != y.shape[1]:
            raise InputError(
                Problem(
                    "the function changed its number of outputs between blocks",
                    got=part.shape[1],
                    allowed=str(y.shape[1]),
                    key="function",
                )
            )
        _check_finite(part, start, replicate, labels, scalar)
        y[start:stop] = part
    assert y is not None
    return y, labels, scalar


def _output_labels(out: xr.DataArray) -> xr.DataArray:
    """Return the outputs' coordinates as a DataArray over one dimension called ``output``.

    A stacked dimension keeps its levels as coordinates and is labelled by them, joined by ":".
    """
    dim = out.dims[1]
    first = out.isel({out.dims[0]: 0}, drop=True)
    index = first.indexes.get(dim)
    joined = None
    if isinstance(index, pd.MultiIndex):
        joined = np.array([":".join(map(str, levels)) for levels in index], dtype=object)
        first = first.reset_index(dim)
    # A coordinate of the rows says nothing of an output.
    first = first.drop_vars([name for name, c in first.coords.items() if c.dims != (dim,)])
    if dim != "output":
        first = first.rename({dim: "output"})
    if joined is not None:
        first = first.assign_coords(output=joined)
    return xr.zeros_like(first, dtype=float)


def _check_finite(
    part: Floats, start: int, replicate: int, labels: xr.DataArray | None, scalar: bool
) -> None:
    bad = ~np.isfinite(part)
    if not bad.any():
        return
    problems = []
    for k in np.flatnonzero(bad.any(axis=0)):
        rows = np.flatnonzero(bad[:, k]) + start
        if scalar:
            name = "the output"
        elif labels is not None and "output" in labels.coords:
            name = f"output '{labels['output'].values[k]}'"
        else:
            name = f"output {k}"
        more = f" and {rows.size - SHOWN} more" if rows.size > SHOWN else ""
        problems.append(
            Problem(
                f"{name} is not finite in {rows.size} rows of a block, replicate {replicate}: "
                f"rows {', '.join(map(str, rows[:SHOWN].tolist()))}{more}",
                got=float(part[rows[0] - start, k]),
                key="function",
                hint="one such value would turn every index to zero silently; mend the function",
            )
        )
    raise InputError(problems)


def _bootstrap_intervals(
    plan: SaltelliDesign,
    y: Floats,
    values: Mapping[str, Floats],
    status: NDArray[np.int8],
    level: float,
    resamples: int,
    generator: np.random.Generator,
) -> dict[str, tuple[Floats, Floats, Floats]]:
    use = status == estimators.OK
    out: dict[str, tuple[Floats, Floats, Floats]] = {}
    resampled: tuple[Floats | None, ...] = (None, None, None)
    if use.any():
        resampled = estimators.bootstrap(plan, y[:, use], resamples, generator)
    for (name, value), draws in zip(values.items(), resampled, strict=False):
        low = np.full(value.shape[1:], np.nan)
        high = low.copy()
        if draws is not None:
            low[..., use], high[..., use] = estimators.percentile_interval(draws, level)
        out[name] = (value[0], low, high)
    return out


def _label(
    who: DriverSet,
    intervals: Mapping[str, tuple[Floats, Floats, Floats]],
    moments: Mapping[str, Floats],
    status: NDArray[np.int8],
    labels: xr.DataArray | None,
    scalar: bool,
    attrs: dict[str, Any],
) -> xr.Dataset:
    tail: tuple[str, ...] = () if scalar else ("output",)
    meaning = {
        "S1": "first-order Sobol' index: share of the variance explained by the driver alone",
        "ST": "total-order Sobol' index: share of the variance that involves the driver",
        "S2": "second-order Sobol' index: share of the variance due to the pair's interaction alone",
    }
    data: dict[str, Any] = {}
    for name, triple in intervals.items():
        dims = ("driver", "driver_other", *tail) if name == "S2" else ("driver", *tail)
        for suffix, value in zip(("", "_low", "_high"), triple, strict=True):
            about = {"units": "1", "long_name": meaning[name]}
            if suffix:
                about |= {k: attrs[k] for k in ("interval_kind", "interval_mass")}
            data[name + suffix] = (dims, value[..., 0] if scalar else value, about)
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
