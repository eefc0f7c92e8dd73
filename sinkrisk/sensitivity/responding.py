"""Response curves: the mean of an output at each value of a driver, and its swing from low to high"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk.errors import Problems
from sinkrisk.sensitivity.dependence import tie_broken_order
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.reading import GivenDriver, read_drivers, read_outputs

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

BINS = "equal-tailed Student t"
SPLINE = "equal-tailed normal (HC3)"
EVENTS = "Wilson score"
"""Kind of the interval of a probability in a bin, a state or a tail."""


@checked()
def response_curves(
    y: ArrayLike | xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    kind: Literal["bins", "spline"] = "bins",
    points: int = 12,
    flexibility: int = 6,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return ``E[Y | driver]`` with intervals, for every output and driver, from draws.

    Parameters
    ----------
    y : array_like or DataArray, (sample,) or (sample, output)
    drivers : mapping or Dataset
        Name -> (sample,) numbers, or states, which are always compared one by one.
    kind : {"bins", "spline"}
        Means in bins of equally many draws, or a least-squares cubic spline.
    points : int
        Bins, or points at which the spline is given; 2 or more.
    flexibility : int
        Functions of the spline besides the constant, 3 or more.
    level : float
        Mass of the intervals, which are pointwise.

    Returns
    -------
    DataFrame
        output, measure, portfolio, driver, kind ("bins", "spline", "states"), at (mean of the driver in
        the bin, point, or code of the state), state, mean, low, high, n (draws behind it),
        interval_kind, interval_mass, unit (as of `tornado_table`). A bin of one draw has no interval: NaN.

    Raises
    ------
    InputError
        All at once: values that are not finite, shapes that do not match, numbers out of range.

    Notes
    -----
    Other drivers vary as they do: the curve is what is expected when the driver is learnt, not what
    moving it would do if it is tied to others. The spline's interval does not hold its own bias.

    Examples
    --------
    >>> x = np.linspace(0, 1, 1000)
    >>> found = response_curves(x**2, {"x": x}, points=4)
    >>> found[["at", "mean"]].round(2).values.tolist()
    [[0.12, 0.02], [0.37, 0.15], [0.63, 0.4], [0.88, 0.77]]
    """
    import pandas as pd

    found = Problems()
    outputs = read_outputs(y, found)
    read = read_drivers(drivers, len(outputs.values), found) if outputs is not None else ()
    if kind not in ("bins", "spline"):
        found.add("unknown kind of curve", got=kind, allowed=["bins", "spline"], key="kind")
    if points < 2:
        found.add("points", got=points, allowed="2 or more", key="points")
    if flexibility < 3:
        found.add("flexibility", got=flexibility, allowed="3 or more", key="flexibility")
    if not 0.0 < level < 1.0:
        found.add("an interval's mass lies between 0 and 1", got=level, key="level")
    found.raise_if_any()
    assert outputs is not None
    parts = []
    events = _events(outputs.values)
    for driver in read:
        if driver.kind == "states":
            way, name = "states", BINS
            curve = _classes(np.asarray(driver.values), driver.values.astype(float), outputs.values, level)
        elif kind == "bins":
            way, name = "bins", BINS
            curve = _classes(_bins(driver, points), driver.values, outputs.values, level)
        else:
            way, name = "spline", SPLINE
            curve = _spline(driver.values, outputs.values, points, flexibility, level)
        at, mean, low, high, size = curve
        state = [driver.states[int(a)] for a in at] if driver.kind == "states" else [""] * len(at)
        parts += [
            pd.DataFrame(
                {
                    **who,
                    "driver": driver.name,
                    "kind": way,
                    "at": at,
                    "state": state,
                    "mean": mean[:, k],
                    "low": low[:, k],
                    "high": high[:, k],
                    "n": size,
                    "interval_kind": EVENTS if events[k] and way != "spline" else name,
                    "interval_mass": level,
                    "unit": outputs.units[k],
                }
            )
            for k, who in enumerate(outputs.who)
        ]
    return pd.concat(parts, ignore_index=True)


@checked()
def tornado_table(
    y: ArrayLike | xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    tail: float = 0.1,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the mean of every output where a driver is low and where it is high, the widest swing first.

    Parameters
    ----------
    y, drivers
        As for `response_curves`. States: those of the least and of the largest mean.
    tail : float
        Share of the draws that is "low", and "high"; up to 0.5.
    level : float

    Returns
    -------
    DataFrame
        output, measure, portfolio, driver, base (mean of all draws), at_low, at_low_low, at_low_high,
        at_high, at_high_low, at_high_high, low_label, high_label, swing (at_high - at_low), tail,
        interval_kind, interval_mass, n, unit (of the output: its coordinate ``unit``, or the array's
        ``attrs["units"]``; blank where neither says it).

    Raises
    ------
    InputError
        All at once: as `response_curves`, and for a tail with fewer than two draws.

    Notes
    -----
    States are chosen by the means that are then told, so that the swing of a driver of states that does
    nothing is not 0 but what chance makes of so many; their intervals are widened for it, by Bonferroni.

    Examples
    --------
    >>> x = np.linspace(0, 1, 1000)
    >>> tornado_table(100 * x, {"x": x})[["base", "at_low", "at_high"]].round(0).values.tolist()
    [[50.0, 5.0, 95.0]]
    """
    import pandas as pd

    found = Problems()
    outputs = read_outputs(y, found)
    read = read_drivers(drivers, len(outputs.values), found) if outputs is not None else ()
    if not 0.0 < tail <= 0.5 or (outputs is not None and tail * len(outputs.values) < 2.0):
        found.add("tail", got=tail, allowed="a share up to 0.5 that holds two draws or more", key="tail")
    if not 0.0 < level < 1.0:
        found.add("an interval's mass lies between 0 and 1", got=level, key="level")
    found.raise_if_any()
    assert outputs is not None
    data = outputs.values
    rows = []
    events = _events(data)
    for driver in read:
        if driver.kind == "states":
            codes = np.asarray(driver.values)
        else:
            rank = np.empty(len(data))
            # Equal values in random order: in that of the draws they would get the draws' own trend.
            order = tie_broken_order(driver.values, np.random.default_rng(0))
            rank[order] = (np.arange(len(data)) + 0.5) / len(data)
            codes = np.where(rank < tail, 0, np.where(rank > 1.0 - tail, 2, 1))
        # The outer two of k states are chosen by their means: theirs hold for all k at once (Bonferroni).
        tried = len(np.unique(codes)) if driver.kind == "states" else 1
        at, mean, low, high, _ = _classes(codes, codes.astype(float), data, 1.0 - (1.0 - level) / tried)
        for k, who in enumerate(outputs.who):
            if driver.kind == "states":
                first, last = int(np.argmin(mean[:, k])), int(np.argmax(mean[:, k]))
                labels = driver.states[int(at[first])], driver.states[int(at[last])]
            else:
                first, last = 0, len(at) - 1
                labels = f"lowest {tail:.0%}", f"highest {tail:.0%}"
            rows.append(
                {
                    **who,
                    "driver": driver.name,
                    "base": data[:, k].mean(),
                    "at_low": mean[first, k],
                    "at_low_low": low[first, k],
                    "at_low_high": high[first, k],
                    "at_high": mean[last, k],
                    "at_high_low": low[last, k],
                    "at_high_high": high[last, k],
                    "low_label": labels[0],
                    "high_label": labels[1],
                    "swing": mean[last, k] - mean[first, k],
                    "tail": tail,
                    "interval_kind": EVENTS if events[k] else BINS,
                    "interval_mass": level,
                    "n": len(data),
                    "unit": outputs.units[k],
                }
            )
    table = pd.DataFrame(rows)
    at_output = table["output"].map({who["output"]: k for k, who in enumerate(outputs.who)})
    table = table.assign(at=at_output, size=-table["swing"].abs())
    table = table.sort_values(["at", "size"], kind="stable")
    return table.drop(columns=["at", "size"]).reset_index(drop=True)


def _bins(driver: GivenDriver, points: int) -> NDArray[np.intp]:
    """Return the bin of each draw: equally many draws each, and equal values never apart."""
    x = driver.values
    edges = np.unique(np.quantile(x, np.linspace(0.0, 1.0, points + 1)[1:-1]))
    return np.asarray(np.searchsorted(edges, x, side="left"))


def _classes(
    codes: NDArray[np.intp], x: Floats, y: Floats, level: float
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.intp]]:
    from scipy import stats

    _, inside = np.unique(codes, return_inverse=True)
    count = int(inside.max()) + 1
    member = (inside[:, None] == np.arange(count)).astype(float)
    size = member.sum(axis=0)
    mean = member.T @ y / size[:, None]
    squares = member.T @ (y - mean[inside]) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(squares / (size - 1.0)[:, None] / size[:, None])
        reach = stats.t.ppf(0.5 + level / 2, np.maximum(size - 1.0, 1.0))[:, None] * error
    low, high = mean - reach, mean + reach
    events = _events(y)
    low[:, events], high[:, events] = _wilson(mean[:, events], size[:, None], level)
    low[size < 2] = high[size < 2] = np.nan
    return member.T @ x / size, mean, low, high, size.astype(np.intp)


def _events(y: Floats) -> NDArray[np.bool_]:
    """Say which outputs are events: 1 where they happened, 0 where not."""
    return np.asarray(((y == 0.0) | (y == 1.0)).all(axis=0))


def _wilson(share: Floats, size: Floats, level: float) -> tuple[Floats, Floats]:
    """Return Wilson's (1927) interval of a probability, which never leaves 0 to 1."""
    from scipy import stats

    square = stats.norm.ppf(0.5 + level / 2) ** 2 / size
    middle = share + square / 2.0
    half = np.sqrt(square * (share * (1.0 - share) + square / 4.0))
    # Rounding may leave 1 + 2e-16.
    return (
        np.maximum((middle - half) / (1.0 + square), 0.0),
        np.minimum((middle + half) / (1.0 + square), 1.0),
    )


def _spline(
    x: Floats, y: Floats, points: int, flexibility: int, level: float
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.intp]]:
    from scipy import stats
    from scipy.interpolate import BSpline

    low, high = float(x.min()), float(x.max())
    if np.unique(x).size <= flexibility + 1:
        _, codes = np.unique(x, return_inverse=True)
        return _classes(codes, x, y, level)
    inner = np.unique(np.quantile(x, np.linspace(0.0, 1.0, flexibility - 1)[1:-1]))
    inner = inner[(inner > low) & (inner < high)]
    knots = np.concatenate([[low] * 4, inner, [high] * 4])
    # Points at quantiles: where there are draws.
    at = np.quantile(x, np.linspace(0.01, 0.99, points))
    basis = BSpline.design_matrix(x, knots, 3).toarray()
    shown = BSpline.design_matrix(at, knots, 3).toarray()
    inverse = np.linalg.pinv(basis.T @ basis)
    solved = inverse @ basis.T @ y
    leverage = np.clip(np.einsum("nf,fg,ng->n", basis, inverse, basis), 0.0, 1.0 - 1e-6)
    residual = (y - basis @ solved) / (1.0 - leverage)[:, None]
    reach = np.empty((len(at), y.shape[1]))
    influence = shown @ inverse
    for k in range(y.shape[1]):
        middle = (basis * residual[:, [k]] ** 2).T @ basis
        reach[:, k] = np.sqrt(np.maximum(np.einsum("pf,fg,pg->p", influence, middle, influence), 0.0))
    reach *= stats.norm.ppf(0.5 + level / 2)
    mean = shown @ solved
    low_mean, high_mean = mean - reach, mean + reach
    # A curve through events may leave 0 to 1 though their probability cannot.
    events = _events(y)
    for curve in (mean, low_mean, high_mean):
        curve[:, events] = np.clip(curve[:, events], 0.0, 1.0)
    return at, mean, low_mean, high_mean, np.full(len(at), len(x))
