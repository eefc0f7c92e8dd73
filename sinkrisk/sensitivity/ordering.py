"""The ranking of the drivers, and how sure it is: how often is a driver among the first k?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.sensitivity.describing import outputs_of
from sinkrisk.sensitivity.forms import checked

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

SIMULATED = 4000
"""Draws of the indices' joint sampling distribution behind the shares of ranks."""


@checked()
def driver_ranks(
    indices: xr.Dataset,
    *,
    top: int = 3,
    index: Literal["ST", "S1"] = "ST",
    level: float | None = None,
    simulated: int = SIMULATED,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Rank the drivers of every output, with the uncertainty of the ranks.

    Parameters
    ----------
    indices : Dataset
        From `sobol` or `sobol_until`, with its draws.
    top : int
        k of "among the first k".
    index : {"ST", "S1"}
    level : float, optional
        Mass of the interval of a rank; that of the indices when left out.
    simulated : int
        Draws made from the replicates of a QMC design.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        Output by output, the leading driver first: output, measure, portfolio, driver, rank,
        rank_low, rank_high, first (share of the draws in which it leads), among_top (share in which it
        is among the first `top`; never for a driver whose index is exactly 0), top, index, value, low,
        high, interval_kind, interval_mass. Drivers that tie, idle ones say, share the mean of their ranks.
        Outputs without indices are left out.

    Raises
    ------
    InputError
        For indices without draws, or numbers out of range.

    Notes
    -----
    Random design: the ranks in each bootstrap resample. QMC design: R replicates give the mean with
    ``mean + sqrt((R - 1) / chi2) * sum_r z_r (x_r - mean) / sqrt(R (R - 1))``, z standard normal, chi2
    with R - 1 degrees of freedom: each driver's margin is the Student's t of its interval, and drivers
    keep the correlation they have over replicates.

    Examples
    --------
    >>> from scipy import stats
    >>> from sinkrisk.sensitivity import sobol
    >>> uniform = {name: stats.uniform(0, 1) for name in ("x", "y")}
    >>> found = driver_ranks(sobol(lambda x: x @ [1.0, 2.0], uniform, 64, rng=1), top=1)
    >>> found[["driver", "rank", "first"]].values.tolist()
    [['y', 1.0, 1.0], ['x', 2.0, 0.0]]
    """
    import pandas as pd

    found = Problems()
    name = f"{index}_draws"
    if index not in ("ST", "S1"):
        found.add("unknown index", got=index, allowed=["ST", "S1"], key="index")
    elif name not in indices:
        found.add(
            "indices without draws", got=list(indices.data_vars), key=name, hint="sobol(..., draws=True)"
        )
    if top < 1:
        found.add("too small", got=top, allowed="at least 1", key="top")
    if level is not None and not 0.0 < level < 1.0:
        found.add("an interval's mass lies between 0 and 1", got=level, key="level")
    if simulated < 2:
        found.add("too small", got=simulated, allowed="at least 2", key="simulated")
    found.raise_if_any()
    mass = float(indices.attrs["interval_mass"]) if level is None else float(level)
    tails = [0.5 - mass / 2, 0.5 + mass / 2]
    generator = random.generator(rng)
    # The same numbers for all outputs, so that equal outputs get equal ranks.
    seed = random.seed_of(generator)
    names = [str(d) for d in indices["driver"].values]
    parts: list[pd.DataFrame] = []
    for number, who in enumerate(outputs_of(indices)):
        one = indices.isel(output=number) if "output" in indices.dims else indices
        if int(one["status"]) != 0:
            continue
        held = one[name].transpose("draw", "driver").values
        if indices.attrs["design"] == "qmc":
            held = simulate_means(held, simulated, np.random.default_rng(seed))
        held = held[np.isfinite(held).all(axis=1)]
        ranks = ranks_of(held)
        value = one[index].values
        low, high = np.quantile(ranks, tails, axis=0, method="inverted_cdf")
        part: dict[str, Any] = {
            **who,
            "driver": names,
            "rank": ranks_of(value[None])[0],
            "rank_low": low,
            "rank_high": high,
            "first": places_of(held, ranks, 1).mean(axis=0),
            "among_top": places_of(held, ranks, top).mean(axis=0),
            "top": top,
            "index": index,
            "value": value,
            "low": one[index + "_low"].values,
            "high": one[index + "_high"].values,
            "interval_kind": indices.attrs["interval_kind"],
            "interval_mass": mass,
        }
        parts.append(pd.DataFrame(part).sort_values("rank", kind="stable"))
    if not parts:
        raise InputError(Problem("no output has indices", got=indices.attrs.get("note", "")))
    return pd.concat(parts, ignore_index=True)


def ranks_of(values: Floats) -> Floats:
    """Return ranks along the last axis, 1 the largest; equal values share the mean of their ranks."""
    from scipy import stats

    return np.asarray(stats.rankdata(-values, axis=-1), dtype=float)


def places_of(values: Floats, ranks: Floats, top: int) -> Floats:
    """Return 1 where a driver is among the first `top`, (draw, driver).

    Parameters
    ----------
    values, ranks : ndarray, (draw, driver)
        Indices, and what `ranks_of` makes of them.
    top : int

    Notes
    -----
    Drivers that tie share the places left to them. One whose index is exactly 0 does nothing and takes
    none, however few others there are.

    Examples
    --------
    >>> values = np.array([[0.7, 0.7, 0.1], [0.9, 0.0, 0.0]])
    >>> places_of(values, ranks_of(values), 1)
    array([[0.5, 0.5, 0. ],
           [1. , 0. , 0. ]])
    """
    from scipy import stats

    ahead = stats.rankdata(-values, method="min", axis=-1) - 1.0
    # The mean of the ranks of t drivers behind a others is a + (t + 1) / 2.
    tied = 2.0 * (ranks - ahead) - 1.0
    return np.where(values == 0.0, 0.0, np.clip((top - ahead) / tied, 0.0, 1.0))


def simulate_means(replicates: Floats, count: int, generator: np.random.Generator) -> Floats:
    """Return draws of the mean over replicates, (count, ...), multivariate t; see `driver_ranks`.

    Parameters
    ----------
    replicates : ndarray, (replicate, ...)
    count : int
    generator : Generator
    """
    number = len(replicates)
    mean = replicates.mean(axis=0)
    deviation = (replicates - mean).reshape(number, -1) / np.sqrt(number * (number - 1))
    normal = generator.standard_normal((count, number)) @ deviation
    stretch = np.sqrt((number - 1) / generator.chisquare(number - 1, size=(count, 1)))
    return np.asarray(mean + (stretch * normal).reshape(count, *mean.shape))
