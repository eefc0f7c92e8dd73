"""How much an output depends on a driver, from draws alone: rank Sobol', PAWN, delta, HSIC - numpy only

Inputs may depend on each other; the indices then say what a driver tells of the output, its companions'
share included.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

SLICES = 10
"""Conditioning intervals of PAWN (Pianosi and Wagener 2018 advise about ten)."""

GRID = 100
"""Points at which delta compares densities, as in SALib."""

FEW_VALUES = 20
"""An output of no more values than this is compared value by value, not by a density."""


def tie_broken_order(x: NDArray[np.generic], generator: np.random.Generator) -> Codes:
    """Return the order of a driver's draws, equal ones in random order."""
    return np.asarray(np.lexsort((generator.random(len(x)), x)))


def rank_sobol(order: Codes, y: Floats) -> Floats:
    """Return first-order indices from the neighbour in rank, (outputs,).

    Parameters
    ----------
    order : ndarray of int, (draw,)
        Draws by rising driver.
    y : ndarray, (draw, output)

    Notes
    -----
    ``(mean(Y_j Y_N(j)) - mean^2) / var``, N(j) the draw next in rank (Gamboa, Gremaud, Klein and Lagnoux
    2022, doi:10.3150/21-BEJ1421). They let the first follow the last; here the last has no neighbour,
    because the pair of both ends takes from an index of .8 another .014 at 600 draws, which brings the
    coverage of its 95 % interval from .94 down to .81. NaN for a constant output.
    """
    centred = y[order] - y.mean(axis=0)
    variance = np.einsum("no,no->o", centred, centred) / len(y)
    pairs = np.einsum("no,no->o", centred[:-1], centred[1:]) / (len(y) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 0.0, pairs / variance, np.nan)


def equal_classes(order: Codes, count: int) -> Codes:
    """Return the class of each draw, (draw,): `count` classes of equally many draws along `order`."""
    n = len(order)
    classes = np.empty(n, dtype=np.intp)
    # Ranks 1 .. n in (m_j, m_j+1], m evenly spaced, as SALib's delta has them.
    edges = np.linspace(0, n, count + 1)
    classes[order] = np.searchsorted(edges, np.arange(1, n + 1), side="left") - 1
    return classes


def delta_classes(draws: int) -> int:
    """Return the number of classes for delta (Plischke, Borgonovo and Smith 2013, as in SALib)."""
    exponent = 2.0 / (7.0 + np.tanh((1500.0 - draws) / 500.0))
    return int(np.round(min(int(np.ceil(draws**exponent)), 48)))


def pawn(classes: Codes, y: Floats) -> Floats:
    """Return the median over classes of the Kolmogorov-Smirnov distance to all draws, (outputs,).

    Parameters
    ----------
    classes : ndarray of int, (draw,)
        From 0, none empty.
    y : ndarray, (draw, output)

    Notes
    -----
    Pianosi and Wagener (2015, doi:10.1016/j.envsoft.2015.01.004; 2018).
    """
    n = len(y)
    count = int(classes.max()) + 1
    size = np.bincount(classes, minlength=count)
    out = np.empty(y.shape[1])
    whole = np.arange(1, n + 1)[:, None] / n
    for k in range(y.shape[1]):
        order = np.argsort(y[:, k], kind="stable")
        member = classes[order][:, None] == np.arange(count)
        distance = np.abs(np.cumsum(member, axis=0) / size - whole)
        ordered = y[order, k]
        # Distribution functions are compared where a value ends, not between equal values.
        last = np.append(ordered[1:] != ordered[:-1], True)
        out[k] = np.median(distance[last].max(axis=0))
    return out


def delta(classes: Codes, y: Floats) -> Floats:
    """Return Borgonovo's delta, half the mean L1 distance between densities, (outputs,).

    Parameters
    ----------
    classes : ndarray of int, (draw,)
    y : ndarray, (draw, output)

    Notes
    -----
    Gaussian kernels with Silverman's bandwidth on 100 points, as SALib's ``calc_delta`` (Plischke,
    Borgonovo and Smith 2013, doi:10.1016/j.ejor.2012.11.047, eq. 26); a class in which the output is
    constant is passed over. Outputs of at most 20 values, indicators say, by their frequencies. NaN for
    a constant output.
    """
    return np.array([_delta_of_one(classes, column) for column in y.T])


def _delta_of_one(classes: Codes, y: Floats) -> float:
    values, codes = np.unique(y, return_inverse=True)
    if values.size == 1:
        return float("nan")
    count = int(classes.max()) + 1
    size = np.bincount(classes, minlength=count)
    if values.size <= FEW_VALUES:
        table = np.zeros((count, values.size))
        np.add.at(table, (classes, codes), 1.0)
        gap = np.abs(table / np.maximum(size, 1)[:, None] - table.sum(axis=0) / len(y)).sum(axis=1)
        return float(size @ gap / (2 * len(y)))
    grid = np.linspace(values[0], values[-1], GRID)
    whole = _density(y, np.array([0]), grid)[0]
    order = np.argsort(classes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    varying = np.array([np.ptp(part) > 0.0 for part in np.split(y[order], starts[1:])])
    gaps = np.zeros(count)
    if varying.any():
        kept = np.isin(classes[order], np.flatnonzero(varying))
        inside = np.concatenate([[0], np.cumsum(size[varying])[:-1]])
        conditional = _density(y[order][kept], inside, grid)
        gaps[varying] = np.trapezoid(np.abs(whole - conditional), grid, axis=1)
    return float(size @ gaps / (2 * len(y)))


def _density(y: Floats, starts: Codes, grid: Floats) -> Floats:
    """Return kernel densities of consecutive parts of `y` on a grid, (part, grid)."""
    size = np.diff(np.append(starts, len(y)))
    mean = np.add.reduceat(y, starts) / size
    part = np.repeat(np.arange(len(size)), size)
    variance = np.add.reduceat((y - mean[part]) ** 2, starts) / (size - 1)
    width = np.sqrt(variance) * (0.75 * size) ** -0.2
    bell = np.exp(-0.5 * ((grid[:, None] - y) / width[part]) ** 2)
    return np.asarray(np.add.reduceat(bell, starts, axis=1).T / (size * width * np.sqrt(2 * np.pi))[:, None])


def centred_kernel(x: NDArray[np.generic], *, states: bool) -> Floats:
    """Return the centred kernel matrix of a variable, (draw, draw).

    Parameters
    ----------
    x : ndarray, (draw,)
    states : bool
        Equal or not, for states; else a Gaussian kernel with the standard deviation as its width.
    """
    if states:
        kernel = (x[:, None] == x).astype(float)
    else:
        z = np.asarray(x, dtype=float)
        spread = z.std()
        z = z / (spread if spread > 0.0 else 1.0)
        kernel = np.exp(-0.5 * (z[:, None] - z) ** 2)
    mean = kernel.mean(axis=0)
    return np.asarray(kernel - mean - mean[:, None] + mean.mean())


def hsic(kernel: Floats, other: Floats) -> float:
    """Return the normalised Hilbert-Schmidt criterion of two centred kernels, 0 to 1 (Da Veiga 2015).

    ``HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y))``, doi:10.1080/00949655.2014.945932. NaN for a constant.
    """
    scale = np.sqrt(np.vdot(kernel, kernel) * np.vdot(other, other))
    return float(np.vdot(kernel, other) / scale) if scale > 0.0 else float("nan")
