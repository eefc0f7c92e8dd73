"""How the indices settle as N doubles, and when to stop: ranks stable, intervals narrow"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.sensitivity import estimators
from sinkrisk.sensitivity.evaluating import Workers
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.specification import MIN_REPLICATES
from sinkrisk.sensitivity.variance import Design, check_points, check_whole, start

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@checked(drivers=Holding())
def sobol_until(
    function: Callable[[Floats], Any],
    drivers: Any,
    *,
    first: int = 256,
    least: int | None = None,
    most: int = 2**14,
    top: int = 3,
    width: float = 0.05,
    patience: int = 1,
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
    """Double N, reusing every evaluation, until the ranking of the drivers has settled.

    Parameters
    ----------
    function, drivers
        As for `sobol`.
    first, most : int
        Base points to begin with, and at most; `first` is doubled.
    least : int, optional
        Base points before which it does not stop, `first` when left out: a smaller `first` then only
        adds to the series.
    top : int
        Leading drivers, by ST, whose ranks must be stable in every output.
    width : float
        Largest interval, from low to high, of any S1 and ST that is accepted. Changes of rank between
        drivers that differ by less than half of it are ties and no change. 0 goes on to `most`.
    patience : int
        Doublings in a row over which the ranks must have been stable.
    second_order, groups, design, replicates, block, level, resamples, draws, workers, folder, identity, rng
        As for `sobol`.

    Returns
    -------
    Dataset
        What `sobol` returns at the last N, and over ``n_points``: ``S1_series(n_points, driver[,
        output])`` and ``ST_series`` with ``_low`` and ``_high``, ``widest(n_points)``, the widest
        interval, and ``stable(n_points)``, whether the ranks were those of half as many points. attrs
        ``met`` (1 or 0) and ``stopped``, a sentence.

    Raises
    ------
    InputError
        As `sobol`, and for a `most` below `first` or `least`, or a `width` outside 0 to 1.

    Notes
    -----
    An interval that has been looked at after every doubling and is reported when it is narrow covers a
    little less often than one at a fixed N; the ranks' rule is looked at likewise. Outputs that have no
    indices (constant, or rare events) are passed over by both rules, and `stopped` says how many; where no
    output has any, ``met`` is 0.

    Examples
    --------
    >>> from scipy import stats
    >>> uniform = {name: stats.uniform(0, 1) for name in ("x", "y", "z")}
    >>> result = sobol_until(lambda x: x @ [1.0, 2.0, 4.0], uniform, first=64, top=2, width=0.02, rng=1)
    >>> result.attrs["stopped"]
    'at N = 256: the ranks of the first 2 drivers are stable, and no interval is wider than 0.02'
    """
    found = Problems()
    check_points(found, "first", first, design)
    check_whole(found, "most", most, 2)
    check_whole(found, "top", top, 1)
    check_whole(found, "patience", patience, 1)
    if least is not None:
        check_whole(found, "least", least, 2)
        if not found and most < least:
            found.add(
                "fewer base points at most than at least", got=most, allowed=f"{least} or more", key="most"
            )
    if not found and most < first:
        found.add("fewer base points at most than at first", got=most, allowed=f"{first} or more", key="most")
    if not 0.0 <= width <= 1.0:
        found.add("the width of an interval of a share", got=width, allowed="0 to 1", key="width")
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
    # One seed for every bootstrap: the series must not move by other resamples.
    seed = random.seed_of(generator)
    n = int(first)
    steps: list[xr.Dataset] = []
    stable: list[bool] = []
    widest: list[float] = []
    while True:
        run.extend(n)
        now = run.summarise(level, resamples, np.random.default_rng(seed), draws)
        stable.append(bool(steps) and ranks_held(steps[-1]["ST"], now["ST"], top, width / 2))
        widest.append(widest_interval(now))
        steps.append(now)
        settled = len(stable) > patience and all(stable[-patience:])
        met = settled and widest[-1] <= width
        # More points make no index of a constant; of a rare event they may.
        still = settled and bool((now["status"] == estimators.CONSTANT).all())
        if ((met or still) and n >= (least or first)) or 2 * n > most:
            break
        n *= 2
    series = xr.concat(
        [_series(one) for one in steps], dim="n_points", join="exact", coords="minimal", compat="override"
    )
    result = steps[-1].assign(
        {name: series[name].assign_attrs(steps[-1][_plain(name)].attrs) for name in series}
    )
    result = result.assign(
        widest=("n_points", np.array(widest), {"units": "1", "long_name": "widest interval of S1 and ST"}),
        stable=("n_points", np.array(stable), {"long_name": f"ranks of the first {top} as at half of N"}),
    )
    result = result.assign_coords(n_points=[int(one.attrs["n"]) for one in steps])
    return result.assign_attrs(
        evaluated=run.evaluator.evaluated,
        met=int(met),
        top=int(top),
        width=float(width),
        stopped=_stopped(met, settled, n, widest[-1], top, width) + _undefined(result["status"]),
    )


def _series(step: xr.Dataset) -> xr.Dataset:
    names = [index + end for index in ("S1", "ST") for end in ("", "_low", "_high")]
    plain = step[names].drop_attrs()
    return plain.rename({name: name[:2] + "_series" + name[2:] for name in names})


def _plain(name: Any) -> str:
    return str(name).replace("_series", "")


def _stopped(met: bool, settled: bool, n: int, widest: float, top: int, width: float) -> str:
    if not np.isfinite(widest):
        return f"not settled at N = {n}: nothing is ranked"
    drivers = f"the first {top} drivers" if top > 1 else "the first driver"
    if met:
        return f"at N = {n}: the ranks of {drivers} are stable, and no interval is wider than {width:g}"
    reasons = [] if settled else [f"the ranks of {drivers} still change"]
    if not widest <= width:
        reasons.append(f"the widest interval is {widest:.2g}, wider than {width:g}")
    return f"not settled at N = {n}, the most allowed: {' and '.join(reasons)}"


def _undefined(status: xr.DataArray) -> str:
    """Return of how many outputs nothing was told, or nothing."""
    gone = int((status != estimators.OK).sum())
    if not gone:
        return ""
    return f"; {gone} of {status.size} outputs " + ("has no indices" if gone == 1 else "have no indices")


def widest_interval(result: xr.Dataset) -> float:
    """Return the widest interval of S1 and ST over drivers and outputs that have indices, NaN of none."""
    worst = float("nan")
    for index in ("S1", "ST"):
        gap = (result[index + "_high"] - result[index + "_low"]).values
        if np.isfinite(gap).any():
            worst = float(np.fmax(worst, np.nanmax(gap)))
    return worst


def ranks_held(before: xr.DataArray, now: xr.DataArray, top: int, tie: float) -> bool:
    """Return whether the leading drivers of every output are those there were, in their order.

    Parameters
    ----------
    before, now : DataArray, (driver[, output])
        The same index at two numbers of points; undefined outputs are passed over.
    top : int
    tie : float
        Drivers that differ by no more than this `now` may stand in either order.
    """
    old = before.transpose("driver", ...).values.reshape(before.sizes["driver"], -1)
    new = now.transpose("driver", ...).values.reshape(old.shape)
    for j in range(old.shape[1]):
        if np.isnan(new[:, j]).any():
            continue
        if np.isnan(old[:, j]).any():
            return False
        order = np.argsort(-old[:, j], kind="stable")
        leading = new[order[:top], j]
        after = new[order[top:], j]
        # Each must be at least every one that stood behind it.
        behind = np.concatenate([leading, after])
        for k in range(min(top, len(order))):
            if behind[k + 1 :].size and behind[k + 1 :].max() > behind[k] + tie:
                return False
    return True


@checked()
def convergence_table(result: xr.Dataset) -> pd.DataFrame:
    """Return the series of `sobol_until` as a tidy table.

    Parameters
    ----------
    result : Dataset
        From `sobol_until`.

    Returns
    -------
    DataFrame
        output, measure, portfolio, driver, index, n, value, low, high, interval_kind, interval_mass,
        replicates: `sobol_table` at every N.

    Raises
    ------
    InputError
        For a Dataset without a series.
    """
    import pandas as pd

    from sinkrisk.sensitivity.describing import COLUMNS, sobol_table

    if "n_points" not in result.dims:
        raise InputError(Problem("no series over N", allowed="what sobol_until returns", key="result"))
    parts = []
    names = [index + end for index in ("S1", "ST") for end in ("", "_low", "_high")]
    for n in result["n_points"].values:
        one = result[[name[:2] + "_series" + name[2:] for name in names]].sel(n_points=n, drop=True)
        one = one.rename({name: _plain(name) for name in one}).assign_attrs(n=int(n))
        parts.append(sobol_table(one))
    return pd.concat(parts, ignore_index=True)[COLUMNS]
