"""The labelled side of the engine: checked Datasets in, outcomes with names and units out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import InputError, MissingDependencyError, Problem
from sinkrisk.portfolio import engine
from sinkrisk.portfolio.checking import INPUT_COORDS, INPUT_DIMS, find_input_problems, find_plan_problems
from sinkrisk.results import Check

Floats = NDArray[np.float64]

RECIPIENTS: tuple[str, ...] = ("enhanced_weathering", "biochar")
"""Where passive redundancy moves effort to: the low-sensitivity pathways of the review, section 4.2."""

CARRIED: dict[str, str] = {"trl": "1", "ecological_risk": "1", "discount_rate": "1/yr", "probability": "1"}
"""Inputs that outcomes carry along, because measures need them."""


def _classes(drawn: xr.Dataset) -> list[list[int]]:
    known = [str(c) for c in drawn["class"].values]
    return [[known.index(m.strip()) for m in str(t).split(";")] for t in drawn["classes"].values]


def _bounds(drawn: xr.Dataset) -> Floats:
    start, length = drawn["period_start"].values, drawn["period_length"].values
    return np.asarray([*start, start[-1] + length[-1]], dtype=float)


def _take(drawn: xr.Dataset, name: str) -> Floats:
    """Return an input with the sample axis last and contiguous."""
    dims = [d for d in INPUT_DIMS[name] if d != "sample"]
    return np.ascontiguousarray(drawn[name].transpose(*dims, "sample").values, dtype=float)


def _potential(drawn: xr.Dataset) -> Floats:
    """Return the potential (pathway, sample), that of nature pathways scaled by the land sink."""
    nature = np.array(["nature" in str(t).split(";") for t in drawn["classes"].values])
    ratio = np.maximum(_take(drawn, "land_sink_ratio"), 0.0)
    return np.asarray(_take(drawn, "potential") * np.where(nature[:, None], ratio, 1.0))


def _block(drawn: xr.Dataset) -> engine.Block:
    """Return the engine's arrays of some samples."""
    return engine.Block(
        potential=_potential(drawn),
        current=_take(drawn, "current_capacity"),
        growth=_take(drawn, "growth_rate"),
        cost=_take(drawn, "cost"),
        energy=_take(drawn, "energy"),
        half_life=_take(drawn, "half_life"),
        leakage=_take(drawn, "leakage_rate"),
        reversal_loss=_take(drawn, "reversal_loss"),
        removal_share=_take(drawn, "removal_share"),
        share=_take(drawn, "suitability_share"),
        mode=np.ascontiguousarray(drawn["mode"].transpose("class", "region", "period", "sample").values),
        mode_fraction=_take(drawn, "mode_fraction"),
        shock=_take(drawn, "shock"),
        cost_slope=_take(drawn, "cost_slope"),
        cost_exponent=_take(drawn, "cost_exponent"),
        headroom=_take(drawn, "reallocation_headroom"),
    )


def _recipients(drawn: xr.Dataset) -> list[int]:
    names = [str(p) for p in drawn["pathway"].values]
    return [names.index(r) for r in RECIPIENTS if r in names]


def capacity(drawn: xr.Dataset, *, block: int = 1024) -> xr.Dataset:
    """Return what can be deployed where and when, before any plan.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``).
    block : int
        Samples worked on at once.

    Returns
    -------
    Dataset
        ``available`` (sample, pathway, region, period), GtCO2/yr: the potential of the region or
        what growth from today's capacity allows, whichever is less (`engine.available_capacity`).
        ``deployable_fraction`` (same dims), 1: what the deployment mode lets through.

    Raises
    ------
    InputError
        Everything wrong with `drawn`, at once.
    """
    find_input_problems(drawn).raise_if_any()
    bounds, classes, n = _bounds(drawn), _classes(drawn), drawn.sizes["sample"]
    shape = (len(bounds) - 1, drawn.sizes["pathway"], drawn.sizes["region"], n)
    available, fraction = np.empty(shape), np.empty(shape)
    for start in range(0, n, block):
        some = slice(start, start + block)
        arrays = _block(drawn.isel(sample=some))
        available[..., some] = engine.available_capacity(arrays, bounds)
        fraction[..., some] = engine.deployment(arrays, classes)[0]
    dims = ("period", "pathway", "region", "sample")
    out = xr.Dataset(
        {
            "available": (dims, available, {"units": "GtCO2/yr"}),
            "deployable_fraction": (dims, fraction, {"units": "1"}),
        },
        coords=_coords(drawn, ("pathway", "region", "period", "sample")),
    )
    return out.transpose("sample", "pathway", "region", "period")


def _coords(drawn: xr.Dataset, dims: tuple[str, ...]) -> dict[Hashable, Any]:
    return {n: c for n, c in drawn.coords.items() if set(c.dims) <= set(dims)} | {
        n: drawn[n] for n in INPUT_COORDS if set(drawn[n].dims) <= set(dims)
    }


def check_plan(drawn: xr.Dataset, portfolios: xr.Dataset) -> list[Check]:
    """Say which plans ask for more than a pathway's potential; nothing is clipped.

    Parameters
    ----------
    drawn, portfolios : Dataset
        As for `simulate`.

    Returns
    -------
    list of Check
        One, with ``passed=None`` (it informs) where some plan exceeds the potential in some draw,
        ``True`` where none does. Its table has the columns portfolio, pathway, period, planned
        (GtCO2/yr), potential_median (GtCO2/yr) and probability_beyond.

    Raises
    ------
    InputError
        Everything wrong with either argument, at once.
    """
    return [_check_plan(drawn, _validated(drawn, portfolios))]


def _check_plan(drawn: xr.Dataset, planned: xr.DataArray) -> Check:
    import pandas as pd

    potential = np.sort(_potential(drawn), axis=1)
    rows = []
    for f, p, q in np.argwhere(planned.values > 0.0):
        beyond = np.searchsorted(potential[p], planned.values[f, p, q], side="left") / potential.shape[1]
        if beyond > 0.0:
            rows.append(
                {
                    "portfolio": str(planned["portfolio"].values[f]),
                    "pathway": str(planned["pathway"].values[p]),
                    "period": str(planned["period"].values[q]),
                    "planned": float(planned.values[f, p, q]),
                    "potential_median": float(np.median(potential[p])),
                    "probability_beyond": float(beyond),
                }
            )
    columns = ["portfolio", "pathway", "period", "planned", "potential_median", "probability_beyond"]
    table = pd.DataFrame(rows, columns=columns).sort_values(
        "probability_beyond", ascending=False, kind="stable"
    )
    name = "plans within potentials"
    if not rows:
        return Check(name, True, "no plan exceeds the potential of its pathway in any draw", table)
    worst = table.iloc[0]
    text = (
        f"{len(rows)} of {int((planned.values > 0.0).sum())} plans exceed the potential in some draws; most "
        f"often {worst['portfolio']}, {worst['pathway']}, {worst['period']}: {worst['planned']:.3g} GtCO2/yr "
        f"planned, in {worst['probability_beyond']:.0%} of draws more than there is; what exceeds it is lost"
    )
    return Check(name, None, text, table.reset_index(drop=True))


def _validated(drawn: xr.Dataset, portfolios: xr.Dataset) -> xr.DataArray:
    """Raise everything wrong at once, or return planned(portfolio, pathway, period) on drawn's labels."""
    found = find_input_problems(drawn)
    if "pathway" in drawn.coords and "period" in drawn.coords:
        names = [[str(v) for v in drawn[n].values] for n in ("pathway", "period")]
        found.extend(find_plan_problems(portfolios, *names).found)
    found.raise_if_any()
    planned = portfolios["planned"].reindex(pathway=drawn["pathway"].values, fill_value=0.0)
    planned = planned.sel(period=drawn["period"].values).transpose("portfolio", "pathway", "period")
    return planned.astype(float)


def simulate(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    *,
    block: int = 1024,
    chunks: int | Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Simulate portfolios on joint draws of the inputs.

    Parameters
    ----------
    drawn : Dataset
        Joint draws, dim ``sample`` first (``inputs.sample``).
    portfolios : Dataset
        ``planned`` (portfolio, pathway, period), GtCO2/yr; see `plan`.
    block : int
        Samples worked on at once; bounds the memory of the work, never changes a result.
    chunks : int or mapping, optional
        Samples per dask chunk (or ``{"sample": n}``): the result is then computed lazily, chunk by
        chunk, on whatever dask scheduler is active.

    Returns
    -------
    Dataset, (sample, portfolio, pathway, period)
        The variables of `engine.OUTCOMES`, means over the period summed over the regions, in
        GtCO2/yr, billion USD/yr and EJ/yr; trl, ecological_risk, discount_rate and probability
        carried along. The attribute ``plan_beyond_potential`` says what `check_plan` found.

    Raises
    ------
    InputError
        Everything wrong with the arguments, at once, before anything is simulated.
    MissingDependencyError
        When `chunks` is given and dask is not installed.

    Notes
    -----
    The model is written down in `engine.simulate_block`. Potentials of nature pathways are
    multiplied by ``land_sink_ratio`` (cut at 0): a weaker land sink lowers their yield. That the
    land takes up carbon by itself is never credited.
    """
    if block < 1:
        raise InputError(Problem("block must be at least 1", got=block))
    planned = _validated(drawn, portfolios)
    beyond = _check_plan(drawn, planned).text
    meta = {n: c for n, c in portfolios.coords.items() if c.dims == ("portfolio",) and n != "portfolio"}
    if chunks is None:
        return _run(drawn, planned, meta, beyond, block)
    size = chunks["sample"] if isinstance(chunks, Mapping) else chunks
    if size < 1:
        raise InputError(Problem("chunks must hold at least 1 sample", got=size))
    return _run_chunked(drawn, planned, meta, beyond, block, size)


def _run(
    drawn: xr.Dataset, planned: xr.DataArray, meta: Mapping[Hashable, Any], beyond: str, block: int
) -> xr.Dataset:
    plans, bounds, classes = planned.values, _bounds(drawn), _classes(drawn)
    flow_class, recipients = [str(v) for v in drawn["flow_class"].values], _recipients(drawn)
    n = drawn.sizes["sample"]
    held = {name: np.empty((*plans.shape, n)) for name in engine.OUTCOMES if name != "planned"}
    for start in range(0, n, block):
        some = slice(start, start + block)
        part = engine.simulate_block(
            _block(drawn.isel(sample=some)), plans, bounds, classes, flow_class, recipients
        )
        for name, values in part.items():
            held[name][..., some] = values
    # A plan is the same in every draw: a view that repeats it costs no memory.
    held["planned"] = np.broadcast_to(plans[..., None], (*plans.shape, n))
    dims = ("portfolio", "pathway", "period", "sample")
    out = xr.Dataset(
        {name: (dims, held[name], {"units": unit}) for name, unit in engine.OUTCOMES.items()},
        coords={"portfolio": planned["portfolio"], **_coords(drawn, ("pathway", "period", "sample")), **meta},
        attrs={
            "time_convention": "annual means over each period; shocks hit at the end of a period",
            "plan_beyond_potential": beyond,
            "notes": [beyond],
        },
    ).transpose("sample", "portfolio", "pathway", "period")
    for name, unit in CARRIED.items():
        if name in drawn:
            out[name] = drawn[name].variable.copy(deep=False)
            out[name].attrs.setdefault("units", unit)
    if "probability" not in out:
        out["probability"] = ("sample", np.full(n, 1.0 / n), {"units": "1"})
    return out


def _run_chunked(
    drawn: xr.Dataset,
    planned: xr.DataArray,
    meta: Mapping[Hashable, Any],
    beyond: str,
    block: int,
    size: int,
) -> xr.Dataset:
    try:
        import dask.array
    except ImportError as error:
        raise MissingDependencyError("dask", "simulate(..., chunks=...)", "scale") from error
    if "probability" not in drawn:
        uniform = np.full(drawn.sizes["sample"], 1.0 / drawn.sizes["sample"])
        drawn = drawn.assign(probability=("sample", uniform, {"units": "1"}))
    form = _run(drawn.isel(sample=slice(0, 1)), planned, meta, beyond, block)
    n = drawn.sizes["sample"]
    chunked = drawn.chunk({"sample": size, **{str(d): -1 for d in drawn.dims if d != "sample"}})

    def lazy(values: xr.DataArray) -> tuple[Any, Any, Any]:
        shape = tuple(n if d == "sample" else k for d, k in values.sizes.items())
        sizes = tuple(size if d == "sample" else -1 for d in values.dims)
        return values.dims, dask.array.empty(shape, chunks=sizes, dtype=values.dtype), values.attrs

    template = xr.Dataset(
        {name: lazy(v) for name, v in form.data_vars.items()},
        coords={n: c for n, c in form.coords.items() if "sample" not in c.dims}
        | {n: c for n, c in drawn.coords.items() if c.dims == ("sample",)},
        attrs=form.attrs,
    )
    out: xr.Dataset = xr.map_blocks(
        _run,
        chunked,
        kwargs={"planned": planned, "meta": dict(meta), "beyond": beyond, "block": block},
        template=template,
    )
    return out
