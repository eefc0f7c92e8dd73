"""Shapley effects: the variance of an output shared out fairly among a few dependent inputs

Owen (2014, doi:10.1137/130936233): an input's effect is the mean, over all orders in which inputs are
learnt, of what it adds to the explained variance. Effects are never negative and add up to what all of
them explain, dependent or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import factorial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.errors import Problems
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.given_data import check_settings
from sinkrisk.sensitivity.reading import (
    HALF_SAMPLES,
    GivenDriver,
    half_sample_interval,
    half_samples,
    read_drivers,
    read_outputs,
)

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

MOST = 12
"""Inputs at most: every subset of them is looked at."""

NEIGHBOURS = 5

SHUFFLES = 19
"""Shuffles of each input behind its floor: each evaluates half of all subsets, so that there are few."""


@checked()
def shapley_effects(
    y: ArrayLike | xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    estimator: Literal["neighbours", "linear"] = "neighbours",
    neighbours: int = NEIGHBOURS,
    permutations: int = SHUFFLES,
    halves: int = 20,
    level: float = 0.95,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Share the variance of outputs out among a small group of inputs that may depend on each other.

    Parameters
    ----------
    y : array_like or DataArray, (sample,) or (sample, output)
    drivers : mapping or Dataset
        At most 12: name -> (sample,) numbers or states, or (sample, variable), a block as one input.
    estimator : {"neighbours", "linear"}
        How ``Var(E[Y|X_S]) / Var(Y)`` of each subset S is estimated: from the variance of Y among the
        nearest neighbours in X_S, for any function of few inputs; or by the R2 of a linear regression,
        exact where inputs and output are jointly Gaussian.
    neighbours : int
        Draws compared, the draw itself included; 2 or more.
    permutations : int
        Shuffles of each input behind its floor, the largest effect that the input shuffled has in its own
        place (at least 0). One that tells nothing stands out with probability ``1 / (permutations + 1)``
        at most, each of several so: .05 by default.
    halves : int
        Half-samples behind the intervals.
    level : float
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        output, measure, portfolio, driver, method, value, low, high, floor, stands_out, explained (what
        all inputs together explain), interval_kind, interval_mass, n; the largest first.

    Raises
    ------
    InputError
        All at once: too many inputs, values that are not finite, shapes that do not match.

    Notes
    -----
    Exact over all subsets; neighbours as in Broto, Bachoc and Depecker (2020, doi:10.1137/18M1234631).
    In many dimensions neighbours are far away and the explained part is underestimated: compare
    ``explained`` with what is known.

    Examples
    --------
    Two inputs with correlation 0.5 and equal coefficients share alike:

    >>> x = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 4000)
    >>> found = shapley_effects(x.sum(axis=1), {"a": x[:, 0], "b": x[:, 1]}, estimator="linear")
    >>> found["value"].round(2).tolist()
    [0.5, 0.5]
    """
    import pandas as pd

    found = Problems()
    outputs = read_outputs(y, found)
    read = read_drivers(drivers, len(outputs.values), found, blocks=True) if outputs is not None else ()
    if len(read) > MOST:
        found.add(
            "too many inputs: all subsets are looked at",
            got=len(read),
            allowed=f"{MOST} at most",
            key="drivers",
            hint="join some of them into blocks, or take given_data_indices",
        )
    if estimator not in ("neighbours", "linear"):
        found.add("unknown estimator", got=estimator, allowed=["neighbours", "linear"], key="estimator")
    if neighbours < 2:
        found.add("neighbours", got=neighbours, allowed="2 or more", key="neighbours")
    check_settings(found, permutations, halves, level)
    found.raise_if_any()
    assert outputs is not None
    generator = random.generator(rng)
    data, n = outputs.values, len(outputs.values)
    inputs = [_columns(driver, generator) for driver in read]

    def shares(parts: Sequence[Floats], pick: NDArray[np.intp]) -> Floats:
        return explained_shares(
            [part[pick] for part in parts], data[pick], estimator, min(neighbours, len(pick))
        )

    known = shares(inputs, np.arange(n))
    value, whole = shapley_values(known), known[-1]
    some = np.stack([shapley_values(shares(inputs, pick)) for pick in half_samples(n, halves, generator)])
    low, high = half_sample_interval(value, some, level)
    floor = np.zeros_like(value)
    for j in range(len(inputs)):
        for _ in range(permutations):
            # In the input's place, not beside it: an effect depends on how many share.
            parts = [*inputs]
            parts[j] = parts[j][generator.permutation(n)]
            worth = explained_shares(parts, data, estimator, min(neighbours, n), instead=(j, known))
            floor[j] = np.maximum(floor[j], shapley_values(worth)[j])
    rows = [
        {
            **who,
            "driver": driver.name,
            "method": f"Shapley, {estimator}",
            "value": value[j, k],
            "low": low[j, k],
            "high": high[j, k],
            "floor": floor[j, k],
            "stands_out": bool(value[j, k] > floor[j, k]),
            "explained": whole[k],
            "interval_kind": HALF_SAMPLES,
            "interval_mass": level,
            "n": n,
        }
        for k, who in enumerate(outputs.who)
        for j, driver in enumerate(read)
    ]
    table = pd.DataFrame(rows)
    at = table["output"].map({who["output"]: k for k, who in enumerate(outputs.who)})
    table = table.assign(at=at).sort_values(["at", "value"], ascending=[True, False], kind="stable")
    return table.drop(columns="at").reset_index(drop=True)


def shapley_values(worth: Floats) -> Floats:
    """Return the Shapley value of every player, (player, ...), given the worth of every coalition.

    Parameters
    ----------
    worth : ndarray, (2**players, ...)
        By bit mask: player i belongs to coalition m where bit i of m is set.

    Examples
    --------
    >>> shapley_values(np.array([0.0, 1.0, 3.0, 6.0])).tolist()
    [2.0, 4.0]
    """
    players = len(worth).bit_length() - 1
    masks = np.arange(len(worth))
    sizes = np.array([mask.bit_count() for mask in range(len(worth))])
    share = np.array(
        [factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)] + [0.0]
    )
    out = []
    for player in range(players):
        without = masks[(masks >> player) & 1 == 0]
        out.append(np.tensordot(share[sizes[without]], worth[without | (1 << player)] - worth[without], 1))
    return np.stack(out)


@checked()
def gaussian_shapley(covariance: ArrayLike, coefficients: ArrayLike, noise: float = 0.0) -> Floats:
    """Return the Shapley effects of a linear function of Gaussian inputs in closed form, (input,).

    Parameters
    ----------
    covariance : array_like (input, input)
    coefficients : array_like (input,)
    noise : float
        Variance that no input explains.

    Raises
    ------
    InputError
        For shapes that do not match, more than 12 inputs, or what is no covariance.

    Notes
    -----
    ``Var(E[Y|X_S]) = c_S' C_SS^-1 c_S`` with ``c = C b`` (Owen and Prieur 2017, doi:10.1137/16M1097717).

    Examples
    --------
    >>> gaussian_shapley([[1.0, 0.0], [0.0, 4.0]], [1.0, 1.0]).round(6).tolist()
    [0.2, 0.8]
    """
    c, b = np.asarray(covariance, dtype=float), np.asarray(coefficients, dtype=float)
    found = Problems()
    if b.ndim != 1 or not 1 <= b.size <= MOST or c.shape != (b.size, b.size):
        found.add(
            "one coefficient an input, and a square of covariances",
            got=f"covariance {c.shape}, coefficients {b.shape}",
            allowed=f"(inputs, inputs) and (inputs,), {MOST} inputs at most",
            key="covariance",
        )
    elif not (np.isfinite(c).all() and np.isfinite(b).all() and 0.0 <= noise < np.inf):
        found.add("values are not finite, or the noise is negative", got=float(noise), key="covariance")
    elif not np.allclose(c, c.T) or np.linalg.eigvalsh(c)[0] < -1e-9 * max(float(np.trace(c)), 0.0):
        found.add(
            "no covariance: not symmetric, or with a negative variance", got=c.tolist(), key="covariance"
        )
    elif not b @ c @ b + noise > 0.0:
        found.add("the function has no variance to share out", got=b.tolist(), key="coefficients")
    found.raise_if_any()
    towards = c @ b
    total = float(b @ towards) + noise
    worth = np.zeros(2 ** len(c))
    for mask in range(1, len(worth)):
        part = [i for i in range(len(c)) if (mask >> i) & 1]
        solved = np.linalg.lstsq(c[np.ix_(part, part)], towards[part])[0]
        worth[mask] = towards[part] @ solved / total
    return shapley_values(worth)


def explained_shares(
    inputs: Sequence[Floats],
    y: Floats,
    estimator: str,
    neighbours: int = NEIGHBOURS,
    *,
    instead: tuple[int, Floats] | None = None,
) -> Floats:
    """Return the explained share of variance of every subset of inputs, (2**inputs, output).

    Parameters
    ----------
    inputs : sequence of ndarray, (draw, variable)
        Standardised.
    y : ndarray, (draw, output)
    estimator : {"neighbours", "linear"}
    neighbours : int
    instead : int and ndarray (2**inputs, output), optional
        The only input that changed since the shares given were computed.
    """
    out = np.zeros((2 ** len(inputs), y.shape[1]))
    variance = y.var(axis=0, ddof=1)
    known = np.where(variance > 0.0, variance, np.nan)
    for mask in range(1, len(out)):
        if instead is not None and not (mask >> instead[0]) & 1:
            out[mask] = instead[1][mask]
            continue
        x = np.hstack([part for i, part in enumerate(inputs) if (mask >> i) & 1])
        left = _left_linear(x, y) if estimator == "linear" else _left_near(x, y, neighbours)
        out[mask] = 1.0 - left / known
    out[0] = np.where(variance > 0.0, 0.0, np.nan)
    return out


def _left_linear(x: Floats, y: Floats) -> Floats:
    """Return the variance left by a linear regression, degrees of freedom taken off."""
    design = np.hstack([np.ones((len(x), 1)), x])
    solved, _, rank, _ = np.linalg.lstsq(design, y)
    residual = y - design @ solved
    return np.asarray((residual**2).sum(axis=0) / max(len(x) - int(rank), 1))


def _left_near(x: Floats, y: Floats, neighbours: int) -> Floats:
    """Return the mean variance of Y among nearest neighbours, the draw itself one of them."""
    from scipy.spatial import cKDTree

    _, near = cKDTree(x).query(x, k=neighbours)
    return np.asarray(y[near].var(axis=1, ddof=1).mean(axis=0))


def _columns(driver: GivenDriver, generator: np.random.Generator) -> Floats:
    """Return a driver as standardised columns; states are kept apart, and ties fall at random."""
    if driver.kind == "states":
        x = (driver.values[:, None] == np.arange(len(driver.states))).astype(float)
    else:
        x = np.asarray(driver.values, dtype=float).reshape(len(driver.values), -1)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    return np.asarray(x + 1e-9 * generator.standard_normal(x.shape))
