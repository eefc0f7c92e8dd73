"""Indices from draws alone, where inputs depend on each other: posterior draws beside a shuffled driver"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.sensitivity import dependence
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.reading import (
    HALF_SAMPLES,
    GivenDriver,
    GivenOutputs,
    half_sample_interval,
    half_samples,
    read_drivers,
    read_outputs,
)

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Estimator = Callable[[GivenDriver, Floats, np.random.Generator], Floats]

METHODS = ("rank", "pawn", "delta")
PERMUTATIONS = 100
HALVES = 30
HSIC_DRAWS = 1000
"""Draws that HSIC is computed on: its matrices are draws x draws."""

COLUMNS = [
    "output", "measure", "portfolio", "driver", "kind", "method", "value", "low", "high", "floor",
    "stands_out", "interval_kind", "interval_mass", "n",
]  # fmt: skip


@checked()
def given_data_indices(
    y: ArrayLike | xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    methods: Sequence[str] = METHODS,
    permutations: int = PERMUTATIONS,
    halves: int = HALVES,
    level: float = 0.95,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return what each driver tells of each output, from draws in which drivers may depend on each other.

    Parameters
    ----------
    y : array_like or DataArray, (sample,) or (sample, output)
        Numbers, or an indicator.
    drivers : mapping or Dataset
        Name -> (sample,) numbers; or whole numbers, truth values or words, which are states.
    methods : sequence of str
        ``"rank"``, the first-order index ``Var(E[Y|X]) / Var(Y)`` from neighbours in rank; ``"pawn"``,
        the median distance between conditional and unconditional distribution functions; ``"delta"``,
        half the mean distance between densities; ``"hsic"``, the normalised Hilbert-Schmidt criterion
        on at most 1,000 draws.
    permutations : int
        Shuffles behind the floor.
    halves : int
        Half-samples behind the intervals, 2 or more.
    level : float
        Mass of the intervals.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, output by output and method by method, the largest value first. ``floor`` is
        the largest value of the driver shuffled, which tells nothing: one that tells nothing exceeds it
        with probability ``1 / (permutations + 1)``. ``stands_out``: value above floor. A constant output
        has NaN.

    Raises
    ------
    InputError
        All at once: values that are not finite, shapes that do not match, unknown methods.

    Notes
    -----
    A driver that does nothing itself has an index here if it moves with one that does. PAWN and delta
    are distances, never below 0, and biased up by as much as the floor says. Drivers of numbers enter
    by their ranks, so that all of them share one floor; ties are broken at random.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal((2000, 2))
    >>> found = given_data_indices(x[:, 0] + 0.1 * x[:, 1], {"a": x[:, 0], "b": x[:, 1]}, methods=["rank"])
    >>> found[["driver", "stands_out"]].values.tolist()
    [['a', True], ['b', False]]
    """
    import pandas as pd

    found = Problems()
    outputs = read_outputs(y, found)
    read = read_drivers(drivers, len(outputs.values), found) if outputs is not None else ()
    for method in methods:
        if method not in (*METHODS, "hsic"):
            found.add("unknown method", got=method, allowed=[*METHODS, "hsic"], key="methods")
    if not len(methods):
        found.add("no method", allowed=[*METHODS, "hsic"], key="methods")
    check_settings(found, permutations, halves, level)
    found.raise_if_any()
    assert outputs is not None
    generator = random.generator(rng)
    rows = [
        _of_method(str(method), outputs, read, permutations, halves, level, generator) for method in methods
    ]
    table = pd.concat(rows, ignore_index=True)
    order = {who["output"]: k for k, who in enumerate(outputs.who)}
    table = table.assign(at=table["output"].map(order), way=table["method"].map(list(methods).index))
    table = table.sort_values(["at", "way", "value"], ascending=[True, True, False], kind="stable")
    return table[COLUMNS].reset_index(drop=True)


@checked()
def target_sensitivity(
    y: ArrayLike | xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    below: float | None = None,
    above: float | None = None,
    methods: Sequence[str] = ("rank", "pawn", "hsic"),
    **settings: Any,
) -> pd.DataFrame:
    """Return which drivers decide whether an output ends below or above a bound: a target missed, say.

    Parameters
    ----------
    y, drivers, methods
        As for `given_data_indices`.
    below, above : float
        One of the two; the indices are those of the indicator of ``y < below`` or ``y > above``.
    **settings
        permutations, halves, level, rng.

    Returns
    -------
    DataFrame
        As `given_data_indices`, with the columns ``event`` ("< 150") and ``probability``. Where it
        always or never happens, NaN.

    Raises
    ------
    InputError
        As there, and unless exactly one bound is given.

    Notes
    -----
    ``Var(P(event | X)) / Var(event)`` for the method "rank" (target sensitivity, Marrel and Chabridon
    2021, doi:10.1016/j.ress.2021.107711; they recommend HSIC for small samples).

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal((2000, 2))
    >>> found = target_sensitivity(x[:, 0], {"a": x[:, 0], "b": x[:, 1]}, below=-1.0, methods=["pawn"])
    >>> found[["driver", "event", "stands_out"]].values.tolist()
    [['a', '< -1', True], ['b', '< -1', False]]
    """
    if (below is None) == (above is None):
        raise InputError(Problem("exactly one bound", got=f"below={below}, above={above}"))
    # A comparison makes False of what is not a number: it is to be refused before.
    found = Problems()
    read_outputs(y, found)
    if np.isnan(below if below is not None else above):  # type: ignore[arg-type]
        found.add("the bound is not a number", got="nan", key="below" if below is not None else "above")
    found.raise_if_any()
    data: Any = y if isinstance(y, xr.DataArray) else np.asarray(y)
    happens = data < below if below is not None else data > above
    if isinstance(y, xr.DataArray):
        happens = happens.rename(y.name)
    table = given_data_indices(happens, drivers, methods=methods, **settings)
    outputs = read_outputs(happens, Problems())
    assert outputs is not None
    chance = {who["output"]: outputs.values[:, k].mean() for k, who in enumerate(outputs.who)}
    event = f"< {below:g}" if below is not None else f"> {above:g}"
    return table.assign(event=event, probability=table["output"].map(chance))


def check_settings(found: Problems, permutations: int, halves: int, level: float) -> None:
    """Add to `found` settings out of range."""
    if permutations < 1:
        found.add("permutations", got=permutations, allowed="a positive integer", key="permutations")
    if halves < 2:
        found.add("half-samples", got=halves, allowed="2 or more", key="halves")
    if not 0.0 < level < 1.0:
        found.add("an interval's mass lies between 0 and 1", got=level, key="level")


def _of_method(
    method: str,
    outputs: GivenOutputs,
    drivers: Sequence[GivenDriver],
    permutations: int,
    halves: int,
    level: float,
    generator: np.random.Generator,
) -> pd.DataFrame:
    import pandas as pd

    data = outputs.values
    if method == "hsic" and len(data) > HSIC_DRAWS:
        chosen = np.sort(generator.permutation(len(data))[:HSIC_DRAWS])
    else:
        chosen = np.arange(len(data))
    data = data[chosen]
    estimate = _estimator(method, data)
    picks = half_samples(len(data), halves, generator)
    shared: Floats | None = None
    rows = []
    for driver in drivers:
        here = GivenDriver(driver.name, driver.kind, driver.values[chosen], driver.states)
        value = estimate(here, data, generator)
        part = [_part(here, pick) for pick in picks]
        some = np.stack(
            [
                _estimator(method, data[pick])(p, data[pick], generator)
                for p, pick in zip(part, picks, strict=True)
            ]
        )
        low, high = half_sample_interval(value, some, level)
        if here.kind == "scalar":
            shared = _floor(estimate, here, data, permutations, generator) if shared is None else shared
            floor = shared
        else:
            floor = _floor(estimate, here, data, permutations, generator)
        rows += [
            {
                **who,
                "driver": driver.name,
                "kind": driver.kind,
                "method": method,
                "value": value[k],
                "low": low[k],
                "high": high[k],
                "floor": floor[k],
                "stands_out": bool(value[k] > floor[k]),
                "interval_kind": HALF_SAMPLES,
                "interval_mass": level,
                "n": len(data),
            }
            for k, who in enumerate(outputs.who)
        ]
    return pd.DataFrame(rows)


def _part(driver: GivenDriver, pick: NDArray[np.intp]) -> GivenDriver:
    return GivenDriver(driver.name, driver.kind, driver.values[pick], driver.states)


def _floor(
    estimate: Estimator,
    driver: GivenDriver,
    data: Floats,
    permutations: int,
    generator: np.random.Generator,
) -> Floats:
    shuffled = [
        estimate(_part(driver, generator.permutation(len(data))), data, generator)
        for _ in range(permutations)
    ]
    return np.asarray(np.max(shuffled, axis=0))


def _estimator(method: str, data: Floats) -> Estimator:
    """Return the estimator of a method for outputs (draw, output)."""
    if method == "rank":
        return lambda driver, y, generator: dependence.rank_sobol(
            dependence.tie_broken_order(driver.values, generator), y
        )
    if method == "hsic":
        # The outputs' kernels are the same for every driver and shuffle.
        kernels = [
            dependence.centred_kernel(column, states=np.unique(column).size <= dependence.FEW_VALUES)
            for column in data.T
        ]
        return lambda driver, y, generator: _hsic(driver, kernels, generator)
    count = dependence.SLICES if method == "pawn" else dependence.delta_classes(len(data))
    distance = dependence.pawn if method == "pawn" else dependence.delta

    def compared(driver: GivenDriver, y: Floats, generator: np.random.Generator) -> Floats:
        value = distance(_classes(driver, count, generator), y)
        return np.where(np.ptp(y, axis=0) > 0.0, value, np.nan)

    return compared


def _classes(driver: GivenDriver, count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    if driver.kind == "states":
        _, codes = np.unique(driver.values, return_inverse=True)
        return np.asarray(codes, dtype=np.intp)
    return dependence.equal_classes(dependence.tie_broken_order(driver.values, generator), count)


def _hsic(driver: GivenDriver, kernels: Sequence[Floats], generator: np.random.Generator) -> Floats:
    if driver.kind == "states":
        own = dependence.centred_kernel(driver.values, states=True)
    else:
        rank = np.empty(len(driver.values))
        rank[dependence.tie_broken_order(driver.values, generator)] = np.arange(len(rank))
        own = dependence.centred_kernel(rank, states=False)
    return np.array([dependence.hsic(own, other) for other in kernels])
