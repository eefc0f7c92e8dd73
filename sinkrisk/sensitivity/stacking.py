"""All outputs of the chain side by side: measures, the target missed, who ranks first, and by how much"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk.errors import InputError, Problems
from sinkrisk.sensitivity.forms import checked

Floats = NDArray[np.float64]

FIRST, MARGIN, MISSED = "ranked_first", "margin", "target_missed"
"""Measures of the outputs made here."""

MET = 1e-9
"""A shortfall of no more than this is none: the rest is rounding."""


def first_shares(values: ArrayLike) -> Floats:
    """Return the indicator that an alternative is best, (draw, alternative); those that tie share it.

    Parameters
    ----------
    values : array_like (draw, alternative)
        More is better.

    Examples
    --------
    >>> first_shares([[3.0, 1.0], [2.0, 2.0]])
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    data = np.asarray(values, dtype=float)
    best = data == data.max(axis=1, keepdims=True)
    return np.asarray(best / best.sum(axis=1, keepdims=True))


@checked()
def stack_outputs(
    measures: xr.DataArray | None = None,
    values: xr.DataArray | None = None,
    *,
    criteria: Sequence[str] | None = None,
    missed: str | None = None,
    between: tuple[str, str] | None = None,
) -> xr.DataArray:
    """Return measures and what a choice turns on as one array of outputs, for `sobol`.

    Parameters
    ----------
    measures : DataArray, (sample, portfolio, criterion), optional
        From `sinkrisk.measure`.
    values : DataArray, (sample, portfolio), optional
        What portfolios are ranked by, more is better: `portfolio.net_benefit`. Each row must depend on
        its own draw only; scores that are scaled over the sample do not.
    criteria : sequence of str, optional
        Measures kept, all by default. Leave out those that are undefined in some draws, cost per durable
        tonne where nothing durable is stored, say: no index can be taken of them.
    missed : str, optional
        Criterion, ``"shortfall"``, whose being above nought means that the target is missed: adds the
        indicator of every portfolio.
    between : pair of str, optional
        Portfolios whose difference in value, the first less the second, is the margin. By default the
        best of each draw less the second best.

    Returns
    -------
    DataArray, (sample, output)
        ``output`` is labelled ``measure:portfolio``, with coordinates ``measure``, ``portfolio`` and
        ``unit``: the measures; ``target_missed``, 0 or 1; ``ranked_first``, 1 for the best portfolio of a
        draw (those that tie share it); ``margin``, in the unit of `values`, without a portfolio.

    Raises
    ------
    InputError
        For neither measures nor values, other dims, or names that are not there.

    Examples
    --------
    >>> values = xr.DataArray([[3.0, 1.0], [2.0, 5.0]], dims=("sample", "portfolio"),
    ...                       coords={"portfolio": ["a", "b"]})
    >>> outputs = stack_outputs(values=values)
    >>> outputs["output"].values.tolist(), outputs.values.tolist()
    (['ranked_first:a', 'ranked_first:b', 'margin'], [[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])
    """
    found = Problems()
    if measures is None and values is None:
        found.add("nothing to stack", allowed="measures, values or both")
    if measures is not None and set(measures.dims) != {"sample", "portfolio", "criterion"}:
        found.add("dims of measures", got=measures.dims, allowed=("sample", "portfolio", "criterion"))
    if values is not None and set(values.dims) != {"sample", "portfolio"}:
        found.add("dims of values", got=values.dims, allowed=("sample", "portfolio"))
    found.raise_if_any()
    parts: list[tuple[str, str, Floats]] = []
    units: dict[str, str] = {}
    if measures is not None:
        known = [str(c) for c in measures["criterion"].values]
        for name in [*(() if criteria is None else criteria), *([missed] if missed else [])]:
            if name not in known:
                found.add("no such criterion among the measures", got=name, allowed=known)
        found.raise_if_any()
        for criterion in known if criteria is None else criteria:
            one = measures.sel(criterion=criterion).transpose("sample", "portfolio")
            parts += _columns(criterion, one, one.values)
            units[criterion] = str(one["unit"].values) if "unit" in one.coords else ""
        if missed is not None:
            one = measures.sel(criterion=missed).transpose("sample", "portfolio")
            # What is not known is not met either: it stays NaN, which `sobol` refuses with its rows.
            event = np.where(np.isnan(one.values), np.nan, one.values > MET)
            parts += _columns(MISSED, one, event)
    elif missed is not None:
        raise InputError("'missed' names a criterion of the measures, which were not given")
    if values is not None:
        values = values.transpose("sample", "portfolio")
        parts += _columns(FIRST, values, first_shares(values.values))
        if values.sizes["portfolio"] > 1 or between is not None:
            parts.append((MARGIN, "", _margin(values, between)))
        units[MARGIN] = str(values.attrs.get("units", ""))
    source = values if values is not None else measures
    assert source is not None
    coords: dict[str, Any] = {
        "output": [f"{m}:{p}" if p else m for m, p, _ in parts],
        "measure": ("output", [m for m, _, _ in parts]),
        "portfolio": ("output", [p for _, p, _ in parts]),
        # Events and who is first are shares.
        "unit": ("output", [units.get(m, "1") for m, _, _ in parts]),
    }
    if "sample" in source.coords:
        coords["sample"] = source["sample"].values
    data = np.stack([column for _, _, column in parts], axis=1).astype(float)
    return xr.DataArray(data, dims=("sample", "output"), coords=coords)


def _columns(measure: str, labelled: xr.DataArray, data: Floats) -> list[tuple[str, str, Floats]]:
    return [(measure, str(p), data[:, k]) for k, p in enumerate(labelled["portfolio"].values)]


def _margin(values: xr.DataArray, between: tuple[str, str] | None) -> Floats:
    if between is None:
        top = np.partition(values.values, -2, axis=1)[:, -2:]
        return np.asarray(top[:, 1] - top[:, 0], dtype=float)
    known = [str(p) for p in values["portfolio"].values]
    found = Problems()
    for name in between:
        if name not in known:
            found.add("no such portfolio", got=name, allowed=known, key="between")
    found.raise_if_any()
    first, second = (values.values[:, known.index(name)] for name in between)
    return np.asarray(first - second, dtype=float)
