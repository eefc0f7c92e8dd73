"""Evaluating a function over the rows of a design: in blocks, in threads, checked, never twice"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import InputError, Problem
from sinkrisk.sensitivity.design import DriverSet, SaltelliDesign

if TYPE_CHECKING:
    from sinkrisk.sensitivity.keeping import Folder

Floats = NDArray[np.float64]
Workers = int | Executor | None

SHOWN = 5
"""Offending rows named in a message."""

PROBED = 64
"""Kept rows that are evaluated again before the rest is believed."""

AHEAD = 2
"""Blocks in flight per worker: enough to keep all busy, few enough to bound memory."""


class Evaluator:
    """A function, how its rows are fed to it, and what it was found to return.

    Parameters
    ----------
    function : callable
    who : DriverSet
    block : int
        Rows handed over at a time.
    workers : int, Executor or None
        Threads, or an executor of the user's.
    folder : Folder, optional
        Where evaluated blocks are kept.
    """

    def __init__(
        self,
        function: Callable[[Floats], Any],
        who: DriverSet,
        block: int,
        workers: Workers = None,
        folder: Folder | None = None,
    ) -> None:
        self.function, self.who, self.block = function, who, block
        self.workers, self.folder = workers, folder
        self.labels: xr.DataArray | None = None
        self.scalar = False
        self.outputs = 0
        self.evaluated = 0

    def rows(self, plan: SaltelliDesign, start: int, stop: int, replicate: int) -> Iterator[Floats]:
        """Yield the outputs (rows, outputs) of rows start .. stop - 1 in their order, block by block."""
        kept = self.folder.kept(replicate) if self.folder is not None else {}
        plan = plan.mapped(self.who)
        if kept and not self.outputs:
            self._probe(plan, replicate)
        waiting: deque[tuple[int, int, bool, Future[Any] | None]] = deque()
        with _executor(self.workers) as (executor, most):
            try:
                for first, last, known in spans(start, stop, self.block, dict(kept)):
                    future = None
                    if not known and executor is not None:
                        future = executor.submit(self.function, plan.block(first, last))
                    waiting.append((first, last, known, future))
                    if len(waiting) >= most:
                        yield self._take(plan, replicate, *waiting.popleft())
                while waiting:
                    yield self._take(plan, replicate, *waiting.popleft())
            finally:
                for *_, future in waiting:
                    if future is not None:
                        future.cancel()

    def _take(
        self,
        plan: SaltelliDesign,
        replicate: int,
        first: int,
        last: int,
        known: bool,
        future: Future[Any] | None,
    ) -> Floats:
        if known and self.folder is not None:
            kept = self.folder.kept(replicate)
            begin = _holding(first, sorted(kept))
            assert begin is not None
            held = self.folder.read(replicate, begin, kept[begin], self.outputs)
            return held[first - begin : last - begin]
        raw = future.result() if future else self.function(plan.block(first, last))
        y = self._checked(raw, np.arange(first, last), replicate)
        self.evaluated += last - first
        if self.folder is not None:
            self.folder.write(replicate, first, y)
        return y

    def _checked(self, out: Any, numbers: NDArray[np.int64], replicate: int) -> Floats:
        """Return outputs as (rows, outputs), or raise for a wrong shape or a value that is not finite."""
        count = len(numbers)
        part, out = _plain(out)
        if part.ndim not in (1, 2) or part.shape[0] != count or part.size == 0:
            raise InputError(
                Problem(
                    "the function returned the wrong shape",
                    got=part.shape,
                    allowed=f"({count},) or ({count}, outputs)",
                    key="function",
                    hint="it must return one row of outputs for each row of inputs",
                )
            )
        if part.dtype.kind not in "fiub":
            raise InputError(
                Problem("the function returned no real numbers", got=str(part.dtype), key="function")
            )
        scalar = part.ndim == 1
        # In rows, whatever came: sums in another order differ in the last bit.
        y = part.reshape(count, -1).astype(float, order="C")
        if isinstance(out, xr.DataArray) and not scalar and self.labels is None:
            labels = output_labels(out)
            _check_names(labels)
            self.labels = labels
        if self.outputs and y.shape[1] != self.outputs:
            raise InputError(
                Problem(
                    "the function changed its number of outputs between blocks",
                    got=y.shape[1],
                    allowed=str(self.outputs),
                    key="function",
                )
            )
        self.scalar, self.outputs = scalar, y.shape[1]
        _check_finite(y, numbers, replicate, self.labels, scalar)
        return y

    def _probe(self, plan: SaltelliDesign, replicate: int) -> None:
        """Evaluate some kept rows again: labels come from it, and a function that changed is refused.

        They are taken from all that is kept: a function with a bound in it may have changed in few rows.
        """
        assert self.folder is not None
        kept = self.folder.kept(replicate)
        places = np.concatenate([np.arange(first, first + count) for first, count in sorted(kept.items())])
        places = np.unique(places[places < plan.rows])
        some = places[np.unique(np.linspace(0, len(places) - 1, PROBED).astype(np.int64))]
        given = np.concatenate([plan.block(row, row + 1) for row in some.tolist()])
        fresh = self._checked(self.function(given), some, replicate)
        starts = sorted(kept)
        held = np.empty_like(fresh)
        blocks: dict[int, Floats] = {}
        for place, row in enumerate(some.tolist()):
            begin = max(first for first in starts if first <= row < first + kept[first])
            if begin not in blocks:
                blocks = {begin: self.folder.read(replicate, begin, kept[begin], self.outputs)}
            held[place] = blocks[begin][row - begin]
        same = np.isclose(held, fresh, rtol=1e-7, atol=0.0).all(axis=1)
        if not same.all():
            other = some[~same]
            raise InputError(
                Problem(
                    f"'{self.folder.path}' keeps evaluations of another function: {len(other)} of "
                    f"{len(some)} rows tried now give other values, row {other[0]} first",
                    key="folder",
                    hint="name another folder, or delete this one",
                )
            )


def _plain(out: Any) -> tuple[NDArray[Any], Any]:
    """Return what a function returned as an array, and the labelled form of it where it has one.

    Columns of a DataFrame name the outputs; what a masked array hides is not known: NaN.
    """
    if isinstance(out, pd.DataFrame):
        out = xr.DataArray(out.to_numpy(), dims=("sample", "output"), coords={"output": list(out.columns)})
    if isinstance(out, np.ma.MaskedArray):
        out = np.ma.filled(out.astype(float), np.nan) if np.ma.is_masked(out) else out.data
    try:
        return np.asarray(out.values if isinstance(out, xr.DataArray) else out), out
    except (TypeError, ValueError) as error:
        raise InputError(
            Problem(
                "the function returned no array",
                got=type(out).__name__,
                allowed="(rows,), (rows, outputs) or a DataArray",
                key="function",
                hint=str(error),
            )
        ) from error


def _check_names(labels: xr.DataArray) -> None:
    names = [str(v) for v in labels["output"].values] if "output" in labels.coords else []
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise InputError(Problem("the function gave two outputs one name", got=twice[0], key="function"))


def spans(start: int, stop: int, block: int, kept: dict[int, int]) -> Iterator[tuple[int, int, bool]]:
    """Yield (first, last, known): kept blocks as they are, and new ones of at most `block` rows between.

    Parameters
    ----------
    start, stop, block : int
    kept : dict of int to int
        First row -> number of rows of every block that is kept.

    Examples
    --------
    >>> list(spans(0, 10, 4, {4: 3}))
    [(0, 4, False), (4, 7, True), (7, 10, False)]
    """
    starts = sorted(kept)
    at = start
    while at < stop:
        inside = _holding(at, starts)
        if inside is not None and inside + kept[inside] > at:
            last, known = min(inside + kept[inside], stop), True
        else:
            after = bisect.bisect_right(starts, at)
            limit = starts[after] if after < len(starts) else stop
            last, known = min(at + block, stop, limit), False
        yield at, last, known
        at = last


def _holding(row: int, starts: list[int]) -> int | None:
    """Return the first row of the last kept block that starts at or before `row`."""
    position = bisect.bisect_right(starts, row)
    return starts[position - 1] if position else None


@contextmanager
def _executor(workers: Workers) -> Iterator[tuple[Executor | None, int]]:
    """Yield an executor, or None for this thread alone, and how many blocks may be in flight."""
    if workers is None or workers == 1:
        yield None, 1
    elif isinstance(workers, int):
        with ThreadPoolExecutor(workers) as pool:
            yield pool, AHEAD * workers
    else:
        # A foreign executor does not tell its size; it is the user's to close.
        yield workers, AHEAD * 16


def output_labels(out: xr.DataArray) -> xr.DataArray:
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
    part: Floats, numbers: NDArray[np.int64], replicate: int, labels: xr.DataArray | None, scalar: bool
) -> None:
    bad = ~np.isfinite(part)
    if not bad.any():
        return
    problems = []
    for k in np.flatnonzero(bad.any(axis=0)):
        places = np.flatnonzero(bad[:, k])
        rows = numbers[places]
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
                got=float(part[places[0], k]),
                key="function",
                hint="one such value would turn every index to zero silently; mend the function",
            )
        )
    raise InputError(problems)
