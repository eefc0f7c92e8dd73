"""Which of hundreds of single drivers an output moves with, beside what chance makes of so many"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.errors import Problems
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.reading import GivenDriver, read_drivers, read_outputs

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

CLASSES = 8
"""Classes of equally many draws that a driver of numbers is cut into: enough for a hump."""

SHUFFLES = 20


@checked()
def screen_drivers(
    y: ArrayLike | xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    top: int | None = None,
    classes: int = CLASSES,
    shuffles: int = SHUFFLES,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return the drivers that explain most of each output alone, out of many.

    Parameters
    ----------
    y : array_like or DataArray, (sample,) or (sample, output)
    drivers : mapping or Dataset
        Name -> (sample,) numbers, or states.
    top : int, optional
        Drivers kept for each output, all by default.
    classes : int
        Classes of equally many draws that numbers are cut into, 2 or more.
    shuffles : int
        Shuffles of the outputs behind the floor.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        Output by output, the largest first: output, measure, portfolio, driver, value (share of the
        variance that the driver's class or state explains, as `state_shares` has it), floor,
        stands_out (value above floor), tried (how many drivers), n (draws). Constant outputs are left
        out.

    Raises
    ------
    InputError
        All at once: values that are not finite, shapes that do not match, numbers out of range.

    Notes
    -----
    The floor is that of the whole table, not of one driver: the largest value of ANY driver in any of the
    shuffles. If no driver does anything, one stands out with probability ``1 / (shuffles + 1)`` at most.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal((2000, 50))
    >>> found = screen_drivers(x[:, 7] ** 2, {f"x{k}": x[:, k] for k in range(50)}, top=1)
    >>> found[["driver", "stands_out", "tried"]].values.tolist()
    [['x7', True, 50]]
    """
    import pandas as pd

    found = Problems()
    outputs = read_outputs(y, found)
    read = read_drivers(drivers, len(outputs.values), found) if outputs is not None else ()
    for key, value, least in (("classes", classes, 2), ("shuffles", shuffles, 1), ("top", top, 1)):
        if value is not None and value < least:
            found.add("too small", got=value, allowed=f"at least {least}", key=key)
    found.raise_if_any()
    assert outputs is not None
    data = outputs.values - outputs.values.mean(axis=0)
    n = len(data)
    generator = random.generator(rng)
    # The same shuffles for all drivers: the floor is of the largest of them all.
    stacked = np.concatenate([data, *(data[generator.permutation(n)] for _ in range(shuffles))], axis=1)
    total = np.einsum("no,no->o", data, data)
    constant = total <= 1e-24 * n
    shape = (shuffles + 1, data.shape[1])
    between = np.empty((len(read), *shape))
    states = np.empty(len(read))
    for j, driver in enumerate(read):
        member = _members(driver, classes)
        sums = member.T @ stacked
        # The outputs are centred: no mean is to be taken off.
        between[j] = (sums**2 / member.sum(axis=0)[:, None]).sum(axis=0).reshape(shape)
        states[j] = member.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = 1.0 - (total - between) / (n - states)[:, None, None] / (total / (n - 1.0))
    shares[states == 1] = 0.0
    shares[:, :, constant] = np.nan
    floor = shares[:, 1:].max(axis=(0, 1))
    rows = []
    for k, who in enumerate(outputs.who):
        value = shares[:, 0, k]
        if np.isnan(value).all():
            continue
        rows += [
            {
                **who,
                "driver": read[j].name,
                "value": value[j],
                "floor": floor[k],
                "stands_out": bool(value[j] > floor[k]),
                "tried": len(read),
                "n": n,
            }
            for j in np.argsort(-value, kind="stable")[:top]
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = ["output", "measure", "portfolio", "driver", "value", "floor", "stands_out", "tried", "n"]
"""Columns of `screen_drivers`, in order."""


def _members(driver: GivenDriver, classes: int) -> Floats:
    """Return 1 where a draw is in a class, (draw, class)."""
    if driver.kind == "states":
        codes = np.asarray(driver.values)
    else:
        # Equal values are never apart.
        edges = np.unique(np.quantile(driver.values, np.linspace(0.0, 1.0, classes + 1)[1:-1]))
        codes = np.searchsorted(edges, driver.values, side="left")
    _, codes = np.unique(codes, return_inverse=True)
    return np.asarray(codes[:, None] == np.arange(int(codes.max()) + 1), dtype=float)
