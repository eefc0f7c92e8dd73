"""The labelled side of the engine: checked Datasets in, outcomes with names and units out."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import InputError, MissingDependencyError, Problem, Problems
from sinkrisk.portfolio import engine, variables as known
from sinkrisk.portfolio.checking import INPUT_COORDS, find_input_problems, find_plan_problems
from sinkrisk.results import Check

Floats = NDArray[np.float64]

RECIPIENTS: tuple[str, ...] = ("enhanced_weathering", "biochar")
"""Where passive redundancy moves effort to: the low-sensitivity pathways of the review, section 4.2."""

CARRIED: dict[str, str] = {
    "trl": "1",
    "ecological_risk": "1",
    "discount_rate": "1/yr",
    "probability": "1",
    "budget_draw": "1",
    "land_sink_ratio": "1",
}
"""Inputs that outcomes carry along, because measures need them."""

_TIMES = "annual means over each period; shocks hit at the end of a period"


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


def capacity(drawn: xr.Dataset, *, block: int = 1024) -> xr.Dataset:
    """Return what can be deployed where and when, before any plan, and what limits it.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``).
    block : int
        Samples worked on at once.

    Returns
    -------
    Dataset
        ``available`` (sample, pathway, region, period), GtCO2/yr: the potential of the region, what
        growth from today's capacity allows, or what a shared resource suffices for, whichever is least
        (`gate.open_gate`). ``deployable_fraction`` (same dims), 1: what the deployment mode lets through.
        ``limiting`` (same dims), int8: which of them is the least; its attrs ``flag_values`` and
        ``flag_meanings`` name them (potential, growth, then the resources).

    Raises
    ------
    InputError
        Everything wrong with `drawn`, at once.

    Examples
    --------
    >>> from sinkrisk import portfolio
    >>> list(portfolio.capacity(drawn))  # doctest: +SKIP
    ['available', 'deployable_fraction', 'limiting']
    """
    _check_size("block", block)
    find_input_problems(drawn).raise_if_any()
    layout, arrays, n = layout_of(drawn), arrays_of(drawn), drawn.sizes["sample"]
    shape = (n, layout.periods, layout.pathways, layout.regions)
    available, fraction, limiting = np.empty(shape), np.empty(shape), np.empty(shape, np.int8)
    for start in range(0, n, block):
        some = slice(start, min(start + block, n))
        rows = rows_of(arrays, some.start, some.stop)
        available[some], limiting[some] = engine.available_capacity(rows, layout)
        fraction[some] = engine.deployment(rows, layout)[0]
    meanings = ["potential", "growth", *layout.resources]
    flags = {"flag_values": list(range(len(meanings))), "flag_meanings": " ".join(meanings), "units": "1"}
    dims = ("sample", "period", "pathway", "region")
    out = xr.Dataset(
        {
            "available": (dims, available, {"units": "GtCO2/yr"}),
            "deployable_fraction": (dims, fraction, {"units": "1"}),
            "limiting": (dims, limiting, flags),
        },
        coords=_coords(drawn, {"pathway", "region", "period", "sample"}),
    )
    return out.transpose("sample", "pathway", "region", "period")


def durable_fraction(drawn: xr.Dataset) -> xr.DataArray:
    """Return durable removal per tonne captured, by the engine's own stores and ledgers.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs; only what ledgers and stores read needs to be there.

    Returns
    -------
    DataArray, (sample, pathway, region, period)
        1: share in the removal ledger that counts, still stored 100 years after the end of the period
        (`stores.store_factors`). Couplings and full stores depend on the plan and are left out.
    """
    order = ("sample", "pathway", "region", "period")
    n = drawn.sizes["sample"]
    frame = drawn
    if "classes" not in frame.variables or "class" not in frame.coords:
        frame = frame.assign_coords({"classes": ("pathway", [""] * drawn.sizes["pathway"]), "class": [""]})
    if "land_sink_ratio" not in frame:
        frame = frame.assign(land_sink_ratio=("sample", np.ones(n)))
    layout = layout_of(frame)
    arrays = arrays_of(frame) | {"potential": np.zeros((n, layout.pathways))}
    kept = (
        engine.block_stores(arrays, layout).durable * engine.counted_share(arrays, layout)[:, None, :, None]
    )
    coords = {dim: drawn[dim].values for dim in order[1:]}
    values = xr.DataArray(kept, dims=("sample", "period", "pathway", "region"), coords=coords)
    return values.transpose(*order).assign_attrs(units="1")


def _coords(drawn: xr.Dataset, dims: set[str]) -> dict[Hashable, Any]:
    return {n: c for n, c in drawn.coords.items() if set(c.dims) <= dims} | {
        n: drawn[n] for n in INPUT_COORDS if set(drawn[n].dims) <= dims
    }


def _check_size(name: str, size: int) -> None:
    if size < 1:
        raise InputError(Problem(f"{name} must be at least 1", got=size))


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
        (GtCO2/yr), potential_median (GtCO2/yr) and probability_beyond; for regional plans also region,
        and each is held against the potential of its region.

    Raises
    ------
    InputError
        Everything wrong with either argument, at once.
    """
    return [plan_check(drawn, validated(drawn, portfolios))]


def plan_check(drawn: xr.Dataset, planned: xr.DataArray) -> Check:
    """Return the check of `check_plan` for plans that are on `drawn`'s labels already."""
    import pandas as pd

    layout = layout_of(drawn)
    read = ("potential", "land_sink_ratio", "suitability_share")
    arrays = arrays_of(drawn, read)
    potential = engine.scaled_potential(arrays, layout).T
    dims = [str(d) for d in planned.dims]
    sorted_by: dict[tuple[int, ...], Floats] = {}
    rows = []
    for spot in np.argwhere(planned.values > 0.0):
        at = dict(zip(dims, spot.tolist(), strict=True))
        where = (at["pathway"], at["region"]) if "region" in at else (at["pathway"],)
        if where not in sorted_by:
            here = potential[where[0]]
            if len(where) == 2:
                here = here * arrays["suitability_share"][:, where[0], where[1]]
            sorted_by[where] = np.sort(here)
        amount, there = float(planned.values[tuple(spot)]), sorted_by[where]
        beyond = float(np.searchsorted(there, amount, side="left")) / there.size
        if beyond > 0.0:
            rows.append(
                {d: str(planned[d].values[at[d]]) for d in dims}
                | {
                    "planned": amount,
                    "potential_median": float(np.median(there)),
                    "probability_beyond": beyond,
                }
            )
    columns = [*dims, "planned", "potential_median", "probability_beyond"]
    table = pd.DataFrame(rows, columns=columns).sort_values(
        "probability_beyond", ascending=False, kind="stable"
    )
    name = "plans within potentials"
    if not rows:
        return Check(name, True, "no plan exceeds the potential of its pathway in any draw", table)
    worst = table.iloc[0]
    text = (
        f"{len(rows)} of {int((planned.values > 0.0).sum())} plans exceed the potential in some draws; most "
        f"often {', '.join(worst[d] for d in dims)}: {worst['planned']:.3g} GtCO2/yr "
        f"planned, in {worst['probability_beyond']:.0%} of draws more than there is; what exceeds it is lost"
    )
    return Check(name, None, text, table.reset_index(drop=True))


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


def wanted_outcomes(drawn: xr.Dataset, variables: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the outcomes to compute, in their order; raise for names that are none."""
    every = [*known.FLOWS, *known.OTHERS]
    if "resource" not in drawn.coords:
        every = [n for n in every if "resource" not in known.OTHERS.get(n, ((), ""))[0]]
    if variables is None:
        return tuple(every)
    found = Problems()
    if isinstance(variables, str):
        variables = [variables]
    for name in variables:
        if name not in every:
            found.add("unknown outcome", got=str(name), allowed=every, key="variables")
    if not list(variables):
        found.add("no outcome asked for", got=list(variables), allowed=every, key="variables")
    found.raise_if_any()
    return tuple(n for n in every if n in variables)


def count_workers(workers: int | None) -> int:
    """Return the number of threads: as asked, or every core this process may use."""
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    _check_size("workers", workers)
    return workers


@dataclass(frozen=True)
class Task:
    """What a run is, checked: the same for every block of samples."""

    planned: xr.DataArray
    coordinated: NDArray[np.bool_]
    meta: Mapping[Hashable, Any]
    beyond: str
    wanted: tuple[str, ...]
    block: int
    workers: int

    @property
    def world(self) -> Floats:
        """Plans of the world (portfolio, pathway, period)."""
        dims = self.planned.dims
        total = self.planned.sum("region") if "region" in dims else self.planned
        return np.asarray(total.values, float)


def make_task(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    block: int,
    variables: Sequence[str] | None,
    workers: int | None,
) -> Task:
    """Check everything and return what is to be done."""
    _check_size("block", block)
    planned = validated(drawn, portfolios)
    together = np.zeros(planned.sizes["portfolio"], bool)
    if "coordinated" in portfolios.coords:
        together = np.array(portfolios["coordinated"].values, bool)
    meta = {n: c for n, c in portfolios.coords.items() if c.dims == ("portfolio",) and n != "portfolio"}
    return Task(
        planned=planned.drop_vars([n for n in planned.coords if n not in planned.dims]),
        coordinated=together,
        meta=meta,
        beyond=plan_check(drawn, planned).text,
        wanted=wanted_outcomes(drawn, variables),
        block=block,
        workers=count_workers(workers),
    )


def simulate(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    *,
    block: int = 1024,
    chunks: int | Mapping[str, int] | None = None,
    variables: Sequence[str] | None = None,
    workers: int | None = None,
) -> xr.Dataset:
    """Simulate portfolios on joint draws of the inputs.

    Parameters
    ----------
    drawn : Dataset
        Joint draws, dim ``sample`` first (``inputs.sample``); names, dims, units and neutral values in
        `variables.INPUTS`. What is optional there may be left out: the mechanism then does not exist.
    portfolios : Dataset
        ``planned`` (portfolio, pathway, period) or (portfolio, pathway, region, period), GtCO2/yr; see
        `plan`. Optional coordinate ``coordinated`` (portfolio), bool: what a region cannot take moves to
        other regions; otherwise it is lost.
    block : int
        Samples worked on at once; bounds the memory of the work, never changes a result.
    chunks : int or mapping, optional
        Samples per dask chunk (or ``{"sample": n}``): the result is then computed lazily, chunk by
        chunk, on whatever dask scheduler is active.
    variables : sequence of str, optional
        Outcomes to keep, all by default: what is not kept takes no memory.
    workers : int, optional
        Threads that work on blocks, by default one per core; never changes a result. A dask chunk is
        worked on by one thread.

    Returns
    -------
    Dataset
        The outcomes of `variables.FLOWS` (sample, portfolio, pathway, period), means over the period
        summed over the regions, in GtCO2/yr, billion USD/yr and EJ/yr; ``retained`` (sample, portfolio,
        pathway), GtCO2; ``captured_in`` and ``cost_in`` (sample, portfolio, region, period); and where
        `drawn` has resources ``resource_used`` and ``scarcity_by_resource`` (sample, portfolio,
        resource, period). The inputs of `CARRIED` come along. The attribute ``plan_beyond_potential``
        says what `check_plan` found.

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

    Examples
    --------
    >>> from sinkrisk import portfolio
    >>> outcomes = portfolio.simulate(drawn, plans, variables=["durable", "cost"])  # doctest: +SKIP
    """
    task = make_task(drawn, portfolios, block, variables, workers)
    if chunks is None:
        return run_task(drawn, task)
    size = chunks["sample"] if isinstance(chunks, Mapping) else chunks
    if size < 1:
        raise InputError(Problem("chunks must hold at least 1 sample", got=size))
    return _run_chunked(drawn, task, size)


def compute(arrays: Mapping[str, Any], layout: engine.Layout, task: Task, n: int) -> dict[str, Floats]:
    """Return the wanted outcomes of `n` samples by name; blocks of samples go to threads."""
    plans = engine.make_plans(task.planned.values, task.coordinated, layout)
    results = engine.make_results(task.wanted, n, len(task.coordinated), layout)

    def work(start: int) -> None:
        rows = rows_of(arrays, start, min(start + task.block, n))
        engine.simulate_block(rows, layout, plans, results, start)

    starts = range(0, n, task.block)
    if task.workers == 1 or len(starts) == 1:
        for start in starts:
            work(start)
    else:
        with ThreadPoolExecutor(task.workers) as pool:
            for _ in pool.map(work, starts):
                pass
    return engine.named(results)


def describe(drawn: xr.Dataset, task: Task, values: Mapping[str, Any]) -> xr.Dataset:
    """Return outcomes by name as a Dataset with coordinates, units and the inputs they carry along."""
    n = drawn.sizes["sample"]
    held: dict[str, Any] = {}
    for name in task.wanted:
        dims, unit = known.OTHERS.get(name, (("pathway", "period"), known.FLOWS.get(name, "")))
        attrs = {"units": unit} | ({"long_name": known.NOTES[name]} if name in known.NOTES else {})
        # A plan is the same in every draw: a view that repeats it costs no memory.
        data = np.broadcast_to(task.world, (n, *task.world.shape)) if name == "planned" else values[name]
        held[name] = (("sample", "portfolio", *dims), data, attrs)
    dims_in_use = {d for d, _, _ in held.values() for d in d} | {"pathway", "period", "sample"}
    coords = _coords(drawn, dims_in_use)
    if "resource" in dims_in_use and "resource_unit" not in coords:
        coords["resource_unit"] = "resource", [known.RESOURCES[str(r)] for r in drawn["resource"].values]
    out = xr.Dataset(
        held,
        coords={"portfolio": task.planned["portfolio"], **coords, **task.meta},
        attrs={"time_convention": _TIMES, "plan_beyond_potential": task.beyond, "notes": [task.beyond]},
    )
    for name, unit in CARRIED.items():
        if name in drawn:
            out[name] = drawn[name].variable.copy(deep=False)
            out[name].attrs.setdefault("units", unit)
    if "probability" not in out:
        out["probability"] = ("sample", np.full(n, 1.0 / n), {"units": "1"})
    return out


def run_task(drawn: xr.Dataset, task: Task) -> xr.Dataset:
    """Return the outcomes of checked inputs, in memory."""
    values = compute(arrays_of(drawn), layout_of(drawn), task, drawn.sizes["sample"])
    return describe(drawn, task, values)


def _run_chunked(drawn: xr.Dataset, task: Task, size: int) -> xr.Dataset:
    try:
        import dask.array
    except ImportError as error:
        raise MissingDependencyError("dask", "simulate(..., chunks=...)", "scale") from error
    from dataclasses import replace

    if "probability" not in drawn:
        uniform = np.full(drawn.sizes["sample"], 1.0 / drawn.sizes["sample"])
        drawn = drawn.assign(probability=("sample", uniform, {"units": "1"}))
    # The scheduler's own threads share the cores: a chunk takes one.
    task = replace(task, workers=1)
    form = run_task(drawn.isel(sample=slice(0, 1)), task)
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
    out: xr.Dataset = xr.map_blocks(run_task, chunked, kwargs={"task": task}, template=template)
    return out
