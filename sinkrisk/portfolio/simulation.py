"""The labelled side of the engine: checked Datasets in, outcomes with names and units out."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, MissingDependencyError, Problem, Problems
from sinkrisk.portfolio import engine, rows, variables as known
from sinkrisk.portfolio.available import capacity as capacity, check_plan as check_plan, plan_check
from sinkrisk.portfolio.forms import DRAWN, checked
from sinkrisk.portfolio.labels import arrays_of, check_size, coords_of, layout_of, rows_of, validated

Floats = NDArray[np.float64]

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
    check_size("workers", workers)
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
    check_size("block", block)
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


@checked(drawn=Holding(origin=DRAWN))
def simulate(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    *,
    block: int = 256,
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
        other regions in which the portfolio plans anything; otherwise it is lost.
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
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> outcomes = simulate(drawn, plans)
    >>> outcomes["planned"].isel(sample=0).sel(portfolio="daccs_only", pathway="daccs").values
    array([0.1, 1. , 5. ])
    >>> removed, planned = (outcomes[name].sum("pathway") for name in ("removed", "planned"))
    >>> bool((removed <= planned).all())  # institutions, growth and resources only take
    True
    """
    task = make_task(drawn, portfolios, block, variables, workers)
    if chunks is None:
        return run_task(drawn, task)
    if isinstance(chunks, Mapping) and set(chunks) != {"sample"}:
        raise InputError(
            Problem("chunks go by sample alone", got=dict(chunks), allowed="{'sample': 1024}", key="chunks")
        )
    size = chunks["sample"] if isinstance(chunks, Mapping) else chunks
    if size < 1:
        raise InputError(Problem("chunks must hold at least 1 sample", got=size, key="chunks"))
    return _run_chunked(drawn, task, size)


def compute(arrays: Mapping[str, Any], layout: engine.Layout, task: Task, n: int) -> dict[str, Floats]:
    """Return the wanted outcomes of `n` samples by name; blocks of samples go to threads."""
    plans = engine.make_plans(task.planned.values, task.coordinated, layout)
    results = engine.make_results(task.wanted, n, len(task.coordinated), layout)

    def work(start: int) -> None:
        some = rows_of(arrays, start, min(start + block, n))
        engine.simulate_block(some, layout, plans, results, start)

    # Every worker gets some of a small run; whole tiles waste nothing.
    share = -(-n // (task.workers * rows.LANES)) * rows.LANES
    block = min(task.block, share)
    starts = range(0, n, block)
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
    coords = coords_of(drawn, dims_in_use)
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
