"""Simulations larger than memory: blocks of samples streamed to a Zarr store that survives a kill

The store is made whole and empty first, under a hidden name, and moved into place; then every block of
samples is one chunk of every outcome, and the store's attributes record the blocks that are complete.
Zarr replaces a chunk or a record as a whole or not at all, so a run that was killed goes on with the
blocks that are not recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sinkrisk import files
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem
from sinkrisk.portfolio import engine, rows, simulation, variables as known
from sinkrisk.portfolio.forms import DRAWN, checked
from sinkrisk.portfolio.labels import arrays_of, layout_of, rows_of

PROGRESS = "sinkrisk_progress"
"""Attribute of the store: digest of what it was made of, blocks in all, and which are complete."""


@checked(drawn=Holding(origin=DRAWN))
def simulate_to_zarr(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    block: int = 256,
    variables: Sequence[str] | None = None,
    workers: int | None = None,
    resume: bool = True,
) -> xr.Dataset:
    """Simulate portfolios block by block into a Zarr store, with bounded memory.

    Parameters
    ----------
    drawn, portfolios : Dataset
        As for `simulate`.
    path : path
        Folder of the store; made if need be, never overwritten where it is something else.
    block : int
        Samples worked on and written together: the store's chunks. Every worker holds one block, which
        takes ``8 * block * portfolios * pathways * periods`` bytes an outcome.
    variables : sequence of str, optional
        Outcomes to keep, all by default.
    workers : int, optional
        Threads, by default one per core; never changes a result.
    resume : bool
        Go on where an interrupted run of the same inputs stopped. False starts afresh.

    Returns
    -------
    Dataset
        The complete store, opened lazily: what `simulate` returns, read from the disk when used.

    Raises
    ------
    InputError
        Everything wrong with the arguments, before anything is written; a `path` that holds something
        else than such a store, or a store of other inputs, plans, block or outcomes.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = simulate_to_zarr(drawn, plans, f"{folder}/out.zarr", block=4)  # two blocks of four draws
    ...     same = bool((kept["net"] == portfolio.simulate(drawn, plans)["net"]).all())
    ...     kept.close()
    >>> same
    True
    """
    import zarr

    task = simulation.make_task(drawn, portfolios, block, variables, workers)
    target, identity = Path(path), digest_of(drawn, task)
    n = drawn.sizes["sample"]
    starts = list(range(0, n, task.block))
    if not _resumable(target, identity, resume):
        _create(target, drawn, task, {"digest": identity, "blocks": len(starts), "complete": []})
    group = zarr.open_group(target, mode="r+")
    progress: Any = group.attrs.asdict()[PROGRESS]
    done = _kept(target, group, task.wanted, set(_expand(progress["complete"])))
    todo = [k for k in range(len(starts)) if k not in done]
    for number in _stream(drawn, task, group, starts, todo):
        done.add(number)
        group.attrs[PROGRESS] = progress | {"complete": _ranges(done)}
    opened: xr.Dataset = xr.open_zarr(target, consolidated=False, chunks=None)
    opened.attrs.pop(PROGRESS, None)
    return opened


def _kept(target: Path, group: Any, wanted: Sequence[str], done: set[int]) -> set[int]:
    """Return the blocks of `done` of which every chunk is there: a lost one would be read as NaN."""
    arrays = {name: group[name] for name in wanted}

    def whole(number: int) -> bool:
        keys = {n: a.metadata.encode_chunk_key((number, *[0] * (a.ndim - 1))) for n, a in arrays.items()}
        return all((target / name / key).exists() for name, key in keys.items())

    return {number for number in done if whole(number)}


def _stream(
    drawn: xr.Dataset, task: simulation.Task, group: Any, starts: Sequence[int], todo: Sequence[int]
) -> Iterator[int]:
    """Simulate and write the blocks `todo`; yield the number of each once it is on the disk."""
    layout, arrays, n = layout_of(drawn), arrays_of(drawn), drawn.sizes["sample"]
    plans = engine.make_plans(task.planned.values, task.coordinated, layout)
    targets = {name: group[name] for name in task.wanted}
    # Every worker writes into the same memory again and again.
    free: list[rows.Results] = []

    def work(number: int) -> int:
        start, stop = starts[number], min(starts[number] + task.block, n)
        size = stop - start
        if free:
            results = free.pop()
            # The kernel writes only the pathways in use.
            results.flows.fill(0.0)
            results.retained.fill(0.0)
        else:
            results = engine.make_results(task.wanted, task.block, len(plans.used), layout)
        engine.simulate_block(rows_of(arrays, start, stop), layout, plans, results)
        for name, values in engine.named(results).items():
            targets[name][start:stop] = values[:size]
        if "planned" in targets:
            targets["planned"][start:stop] = np.broadcast_to(task.world, (size, *task.world.shape))
        free.append(results)
        return number

    if task.workers == 1:
        yield from map(work, todo)
        return
    waiting, queue = set[Future[int]](), iter(todo)
    with ThreadPoolExecutor(task.workers) as pool:
        try:
            while True:
                # No more is handed out than is worked on, so that a kill or an error ends it soon.
                for number in queue:
                    waiting.add(pool.submit(work, number))
                    if len(waiting) >= task.workers:
                        break
                if not waiting:
                    return
                ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from sorted(future.result() for future in ready)
        finally:
            pool.shutdown(cancel_futures=True)


def digest_of(drawn: xr.Dataset, task: simulation.Task) -> str:
    """Return a digest of everything that decides what the store holds."""
    digest = hashlib.blake2b(digest_size=20)

    def take(name: str, values: Any) -> None:
        data = np.asarray(values)
        if data.dtype.kind not in "biufc":
            data = np.asarray(data, dtype=str)
            digest.update(f"{name} {data.shape} {data.tolist()}".encode())
            return
        digest.update(f"{name} {data.dtype.str} {data.shape}".encode())
        digest.update(np.ascontiguousarray(data).data)

    for name, values in sorted(arrays_of(drawn).items()):
        take(name, values)
    for name in sorted(simulation.CARRIED):
        if name in drawn and name not in known.INPUTS:
            take(name, drawn[name].values)
    for name in sorted(str(n) for n in drawn.coords):
        take(name, drawn[name].values)
    take("planned", task.planned.values)
    take("portfolio", task.planned["portfolio"].values)
    take("coordinated", task.coordinated)
    digest.update(json.dumps([task.block, list(task.wanted), version("sinkrisk")]).encode())
    return digest.hexdigest()


def _resumable(target: Path, identity: str, resume: bool) -> bool:
    """Say whether `target` is a store to go on with; raise where it must not be touched."""
    import zarr

    if not target.exists():
        return False
    try:
        progress: Mapping[str, Any] = dict(zarr.open_group(target, mode="r").attrs)[PROGRESS]  # type: ignore[assignment]
    except Exception as error:
        # Whatever zarr stumbles over: it is not ours, so it is not touched.
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
            return False
        raise InputError(
            Problem("not a store of this kind", got=str(target), key="path", hint="name a new folder")
        ) from error
    if not resume:
        return False
    if progress["digest"] != identity:
        raise InputError(
            Problem(
                "the store holds a run of other inputs, plans, block or outcomes",
                got=str(target),
                key="path",
                hint="name a new folder, or pass resume=False to replace it",
            )
        )
    return True


def _create(target: Path, drawn: xr.Dataset, task: simulation.Task, progress: Mapping[str, Any]) -> None:
    """Make the store whole and empty under a hidden name, then move it into place."""
    import zarr
    from zarr.codecs import ZstdCodec

    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        n = drawn.sizes["sample"]
        one = simulation.run_task(drawn.isel(sample=slice(0, 1)), task)
        whole = simulation.describe(drawn, replace(task, wanted=()), {})
        whole = whole.assign_coords({n: c for n, c in one.coords.items() if "sample" not in c.dims})
        whole.attrs |= {PROGRESS: dict(progress)}
        whole.to_zarr(beside / "store", consolidated=False)
        group = zarr.open_group(beside / "store", mode="r+")
        for name in task.wanted:
            form = one[name]
            shape = (n, *form.shape[1:])
            group.create_array(
                name,
                shape=shape,
                chunks=tuple(max(1, k) for k in (min(task.block, n), *form.shape[1:])),
                dtype=form.dtype,
                # Zarr's own choice of level writes as few bytes in two and a half times the time.
                compressors=ZstdCodec(level=1),
                # A chunk that is not there was lost, whatever it held.
                config={"write_empty_chunks": True},
                fill_value=float("nan"),
                dimension_names=[str(d) for d in form.dims],
                attributes=dict(form.attrs),
            )
        files.move_into(beside / "store", target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _ranges(numbers: set[int]) -> list[list[int]]:
    """Return numbers as [first, last] ranges: the record stays short whatever their count."""
    out: list[list[int]] = []
    for number in sorted(numbers):
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def _expand(ranges: Sequence[Sequence[int]]) -> Iterator[int]:
    for first, last in ranges:
        yield from range(first, last + 1)
