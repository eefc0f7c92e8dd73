"""`sobol`: variance-based sensitivity indices with honest intervals, evaluated in blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.arguments import Holding
from sinkrisk.errors import Problems
from sinkrisk.sensitivity import keeping
from sinkrisk.sensitivity.design import driver_set
from sinkrisk.sensitivity.evaluating import Evaluator, Workers
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.replicating import Replicates, distinct_seeds
from sinkrisk.sensitivity.specification import MIN_REPLICATES

Floats = NDArray[np.float64]
Design = Literal["qmc", "random", "sobol"]

MAX_DRIVERS = 21201 // 2
"""scipy's Sobol' points reach 21,201 dimensions, and a Saltelli design needs two per driver."""


@checked(drivers=Holding())
def sobol(
    function: Callable[[Floats], Any],
    drivers: Any,
    n: int,
    *,
    second_order: bool = False,
    groups: bool | Mapping[str, Any] | None = None,
    design: Design = "qmc",
    replicates: int = MIN_REPLICATES,
    block: int = 1024,
    level: float = 0.95,
    resamples: int = 1000,
    draws: bool = True,
    workers: Workers = None,
    folder: str | os.PathLike[str] | None = None,
    identity: str | None = None,
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
        Base points N per design, a power of two for ``design="qmc"``. A design evaluates
        N (G + 2) rows for G drivers or groups, N (2 G + 2) with `second_order`.
    second_order : bool
        Also estimate S2.
    groups : None, bool or mapping
        None: the drivers' own groups, where they have any. False: every driver alone. A mapping:
        driver -> group or group -> drivers.
    design : {"qmc", "random"}
        Scrambled Sobol' points, repeated with independent scrambles, or one random design.
        "sobol" is another word for "qmc".
    replicates : int
        Independent scrambles of a QMC design, at least 8.
    block : int
        Rows handed to `function` at a time; it changes no result.
    level : float
        Mass of the intervals.
    resamples : int
        Bootstrap resamples of a random design.
    draws : bool
        Keep the indices of every replicate or resample: `driver_ranks` reads them.
    workers : int or Executor, optional
        Threads that evaluate blocks, or an executor, for example ``client.get_executor()`` of a
        dask client. They change no result.
    folder : path, optional
        Where evaluated blocks are kept: an analysis that was killed goes on from there, and a
        larger `n` evaluates only what is new.
    identity : str, optional
        What `function` depends on besides its input, a hash of data and spec, say: a folder of
        another identity is refused. With or without it some rows are evaluated again and compared.
    rng : int, Generator or None
        With None a folder's own seeds are taken.

    Returns
    -------
    Dataset
        ``S1(driver[, output])``, ``ST``, optionally ``S2(driver, driver_other)`` (upper triangle),
        each with ``_low`` and ``_high``; ``S1_draws(draw, driver[, output])`` and ``ST_draws``;
        ``mean(output)``, ``variance(output)`` of the output; and ``status(output)``: 0 estimated,
        1 the output is constant, 2 it is constant in a base sample (a rare event); the indices are
        NaN in the last two. ``driver`` holds the groups where grouped. attrs: ``interval_kind``,
        ``interval_mass``, ``n``, ``replicates``, ``rows`` (of the design), ``evaluated`` (by this
        call), ``design``, ``grouped``, ``note``.

    Raises
    ------
    InputError
        Before any evaluation: N not a power of two, duplicate names, a degenerate distribution, a
        group with an unknown driver, a folder of another analysis. From the first block that shows
        it: a wrong shape, an output that is not finite (with its rows).

    Notes
    -----
    Estimators are SALib's (see `sinkrisk.sensitivity.estimators`). With Sobol' points a bootstrap
    is far too wide, so the estimate is the mean over replicates and the interval Student's t over
    them. Estimates are differences: they may fall below 0 by noise, and a driver that does
    nothing has S1 and ST exactly 0. A QMC design is summed up as it comes: memory does not grow
    with N. A random design keeps its outputs, 8 bytes each, for the bootstrap.

    Examples
    --------
    >>> from scipy import stats
    >>> uniform = {name: stats.uniform(0, 1) for name in ("x", "y", "idle")}
    >>> result = sobol(lambda x: x[:, 0] + 2 * x[:, 1], uniform, 256, rng=1)
    >>> result["S1"].round(2).values.tolist()
    [0.2, 0.8, 0.0]
    """
    found = Problems()
    check_points(found, "n", n, design)
    run, generator = start(
        function,
        drivers,
        found,
        second_order=second_order,
        groups=groups,
        design=design,
        replicates=replicates,
        block=block,
        level=level,
        resamples=resamples,
        workers=workers,
        folder=folder,
        identity=identity,
        rng=rng,
    )
    run.extend(n)
    result = run.summarise(level, resamples, generator, draws)
    return result.assign_attrs(evaluated=run.evaluator.evaluated)


def start(
    function: Callable[[Floats], Any],
    drivers: Any,
    found: Problems,
    *,
    second_order: bool,
    groups: bool | Mapping[str, Any] | None,
    design: Design,
    replicates: int,
    block: int,
    level: float,
    resamples: int,
    workers: Workers,
    folder: str | os.PathLike[str] | None,
    identity: str | None,
    rng: random.RandomSource,
) -> tuple[Replicates, np.random.Generator]:
    """Return replicates without points yet, and the generator of the bootstrap; arguments as `sobol`.

    Raises
    ------
    InputError
        All problems at once, those in `found` among them.
    """
    who = driver_set(drivers, groups, found)
    if design not in ("qmc", "sobol", "random"):
        found.add("unknown design", got=design, allowed=["qmc", "random"], key="design")
    least = {"block": 1, "replicates": 1 if design == "random" else MIN_REPLICATES, "resamples": 2}
    for key, value in (("block", block), ("replicates", replicates), ("resamples", resamples)):
        hint = "an interval needs that many independent scrambles" if key == "replicates" else None
        check_whole(found, key, value, least[key], hint)
    if workers is not None and not isinstance(workers, Executor):
        check_whole(found, "workers", workers, 1, "a number of threads, or an executor")
    if not 0.0 < level < 1.0:
        found.add("an interval's mass lies between 0 and 1", got=level, key="level")
    if who is not None and second_order and len(who.labels) < 2:
        found.add("second-order indices need at least two drivers or groups", key="second_order")
    if who is not None and design != "random" and len(who.names) > MAX_DRIVERS:
        found.add(
            "too many drivers for Sobol' points",
            got=len(who.names),
            allowed=f"up to {MAX_DRIVERS}",
            key="drivers",
            hint="use design='random'",
        )
    found.raise_if_any()
    assert who is not None
    kind = "random" if design == "random" else "qmc"
    generator = random.generator(rng)
    seeds = distinct_seeds(generator, 1 if kind == "random" else replicates)
    store = None
    if folder is not None:
        store = keeping.Folder(folder, keeping.about(who, kind, second_order, identity))
        seeds = store.seeds(seeds, fixed=rng is not None)
    evaluator = Evaluator(function, who, block, workers, store)
    return Replicates(evaluator, who, kind, second_order, seeds), generator


def check_points(found: Problems, key: str, n: Any, design: str) -> None:
    """Add to `found` what is wrong with a number of base points."""
    if not check_whole(found, key, n, 2):
        return
    if design in ("qmc", "sobol") and n & (n - 1):
        below = 1 << (int(n).bit_length() - 1)
        found.add(
            "N must be a power of two",
            got=int(n),
            allowed=f"for example {below} or {2 * below}",
            key=key,
            hint="Sobol' points fill the space evenly only at powers of two; design='random' takes any N",
        )


def check_whole(found: Problems, key: str, value: Any, least: int, hint: str | None = None) -> bool:
    """Add to `found` if a value is no whole number of at least `least`; return whether it is."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        found.add("must be a whole number", got=value, key=key)
    elif value < least:
        found.add("too small", got=int(value), allowed=f"at least {least}", key=key, hint=hint)
    else:
        return True
    return False
