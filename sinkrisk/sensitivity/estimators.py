"""Sobol' indices from running sums over base points, all outputs at once: numpy in, numpy out

The formulas are SALib's (Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018, for S1 and ST; Saltelli
2002, doi:10.1016/S0010-4655(02)00280-1, for S2), and so are the numbers, to rounding. SALib centres
outputs on the mean of the whole design before it multiplies them; sums of products and of differences
give the same without a second pass, so that no output needs to be held, and a design that grows goes on
from where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinkrisk.sensitivity.design import SaltelliDesign

Floats = NDArray[np.float64]

OK, CONSTANT, RARE = 0, 1, 2
STATUS_MEANINGS = "estimated constant_output constant_in_a_base_sample"
"""Meanings of the status codes 0, 1 and 2, in the CF convention for flags."""

ROUNDING = 64 * np.finfo(float).eps
"""An output whose range is below this share of its size is constant: the rest is rounding."""

BATCH = 100
"""Bootstrap resamples per matrix product; bounds the memory to BATCH x n weights."""

CHUNK_BYTES = 4 * 2**20
"""Outputs summed up at a time: few, because products several times their size are made."""


@dataclass(frozen=True)
class Indices:
    """Indices of one design: arrays (labels, outputs), S2 (labels, labels, outputs) or None."""

    s1: Floats
    st: Floats
    s2: Floats | None
    mean: Floats
    variance: Floats
    status: NDArray[np.int8]


class Sums:
    """Sums over base points from which the indices of all outputs follow.

    Parameters
    ----------
    labels : int
        Drivers or groups.
    outputs : int
    second_order : bool

    Notes
    -----
    Outputs are shifted and scaled by the first points before they are summed, which changes no index
    and keeps a large mean from cancelling what varies.
    """

    def __init__(self, labels: int, outputs: int, second_order: bool) -> None:
        self.labels, self.outputs, self.second_order = labels, outputs, second_order
        self.step = (2 if second_order else 1) * labels + 2
        self.points = 0
        self._origin: tuple[Floats, Floats] | None = None
        pair = (labels, outputs)
        self._all, self._base, self._squares = np.zeros((3, outputs))
        self._first, self._moved, self._total, self._back = np.zeros((4, *pair))
        self._cross = np.zeros((labels, *pair)) if second_order else None
        # Of the outputs as they came: least and largest, of all rows and of A and B.
        self._range = np.full((4, outputs), np.inf)

    @property
    def chunk(self) -> int:
        """Base points to add at a time."""
        return max(1, CHUNK_BYTES // (8 * self.step * self.outputs))

    def add(self, y: Floats) -> None:
        """Add the rows of whole base points, (points x step, outputs), in the order of the design."""
        for start in range(0, len(y), self.chunk * self.step):
            self._add(y[start : start + self.chunk * self.step].reshape(-1, self.step, self.outputs))

    def _add(self, cube: Floats) -> None:
        ends = cube[:, [0, -1]]
        for row, part in ((0, cube), (2, ends)):
            self._range[row] = np.minimum(self._range[row], part.min(axis=(0, 1)))
            self._range[row + 1] = np.minimum(self._range[row + 1], -part.max(axis=(0, 1)))
        if self._origin is None:
            shift = cube.mean(axis=(0, 1))
            spread = np.abs(cube - shift).max(axis=(0, 1))
            self._origin = shift, np.where(spread > 0.0, spread, 1.0)
        scaled = (cube - self._origin[0]) / self._origin[1]
        a, b, ab, ba = separate(scaled, self.labels, self.second_order)
        self.points += len(cube)
        self._all += scaled.sum(axis=(0, 1))
        self._base += (a + b).sum(axis=0)
        self._squares += (a**2 + b**2).sum(axis=0)
        difference = ab - a[:, None]
        self._first += np.einsum("no,nlo->lo", b, difference)
        self._moved += difference.sum(axis=0)
        self._total += 0.5 * np.einsum("nlo,nlo->lo", difference, difference)
        if ba is not None and self._cross is not None:
            back = ba - b[:, None]
            self._back += back.sum(axis=0)
            for k in range(self.outputs):
                self._cross[:, :, k] += back[:, :, k].T @ ab[:, :, k]

    def indices(self) -> Indices:
        """Return the indices of the points added so far.

        An output that is constant has no indices: NaN, status 1. One that is constant in A and B and
        varies elsewhere (a rare event) likewise: NaN, status 2; SALib would print zeros.
        """
        if self._origin is None:
            raise ValueError("no base points were added")
        n = self.points
        low, high, base_low, base_high = self._range * np.array([1.0, -1.0, 1.0, -1.0])[:, None]
        floor = ROUNDING * np.maximum(np.abs(low), np.abs(high))
        status = np.where(base_high - base_low <= floor, RARE, OK)
        status = np.where(high - low <= floor, CONSTANT, status).astype(np.int8)
        shift, scale = self._origin
        mean = self._base / (2 * n)
        variance = np.maximum(self._squares / (2 * n) - mean**2, 0.0)
        # SALib centres on the mean of the whole design.
        centre = self._all / (n * self.step)
        known = np.where(status == OK, variance, np.nan)
        s1 = (self._first - centre * self._moved) / n / known
        st = self._total / n / known
        s2 = self._second(centre, known, st)
        # Adding zero turns -0.0 into 0.0.
        return Indices(s1 + 0.0, st + 0.0, s2, shift + scale * mean, scale**2 * variance, status)

    def _second(self, centre: Floats, variance: Floats, st: Floats) -> Floats | None:
        if self._cross is None:
            return None
        # mean(BA_j AB_k - A B) - V_j - V_k, in differences that vanish where j does nothing.
        joint = self._cross - (self._first - centre * self._moved)[:, None]
        joint = (joint - centre * self._back[:, None]) / self.points / variance
        idle = st == 0.0
        joint[idle[:, None] | idle[None]] = 0.0
        joint[:, :, np.isnan(variance)] = np.nan
        joint[np.tril_indices(self.labels)] = np.nan
        return np.asarray(joint + 0.0)


def separate(cube: Floats, labels: int, second_order: bool) -> tuple[Floats, Floats, Floats, Floats | None]:
    """Split (points, step, outputs) into A, B (points, outputs), AB and BA (points, labels, outputs)."""
    ba = cube[:, labels + 1 : 2 * labels + 1] if second_order else None
    return cube[:, 0], cube[:, -1], cube[:, 1 : labels + 1], ba


def estimate(design: SaltelliDesign, y: Floats) -> Indices:
    """Return the indices of outputs `y` (rows, outputs) of one design; see `Sums.indices`."""
    sums = Sums(design.columns.shape[0], y.shape[1], design.second_order)
    sums.add(np.asarray(y, dtype=float))
    return sums.indices()


def standardise(y: Floats) -> Floats:
    """Return (y - mean) / sd over all rows, per output, as SALib's ``analyze`` does."""
    return np.asarray((y - y.mean(axis=0)) / y.std(axis=0))


def bootstrap(
    design: SaltelliDesign, y: Floats, resamples: int, generator: np.random.Generator
) -> tuple[Floats, Floats, Floats | None]:
    """Return resampled indices, the resample first: S1 and ST (resample, labels, outputs), S2.

    Base points are drawn with replacement, all rows of a point together; all outputs share the
    draws. A resample is a vector of counts, so one matrix product does what SALib does by copying
    rows; the numbers are the same (tested). Outputs must not be constant.
    """
    n, count, outputs = design.a.shape[0], design.columns.shape[0], y.shape[1]
    a, b, ab, ba = separate(standardise(y).reshape(n, -1, outputs), count, design.second_order)
    picks = generator.integers(n, size=(n, resamples))
    s1 = np.empty((resamples, count, outputs))
    st = np.empty_like(s1)
    s2 = np.full((resamples, count, count, outputs), np.nan) if ba is not None else None
    some = max(1, 8 * CHUNK_BYTES // (8 * n * outputs))
    for start in range(0, resamples, BATCH):
        here = slice(start, min(start + BATCH, resamples))
        weights = np.stack([np.bincount(picks[:, r], minlength=n) for r in range(here.start, here.stop)]) / n
        mean = weights @ (0.5 * (a + b))
        variance = weights @ (0.5 * (a**2 + b**2)) - mean**2
        variance[variance <= np.finfo(float).eps] = np.nan
        for first in range(0, count, some):
            part = slice(first, min(first + some, count))
            shape = (len(weights), part.stop - part.start, outputs)
            difference = ab[:, part] - a[:, None]
            s1[here, part] = (weights @ (b[:, None] * difference).reshape(n, -1)).reshape(shape)
            st[here, part] = (weights @ (0.5 * difference**2).reshape(n, -1)).reshape(shape)
        s1[here] /= variance[:, None]
        st[here] /= variance[:, None]
        if s2 is not None and ba is not None:
            for j in range(count):
                for k in range(j + 1, count):
                    joint = weights @ (ba[:, j] * ab[:, k] - a * b) / variance
                    s2[here, j, k] = joint - s1[here, j] - s1[here, k]
    if s2 is not None:
        idle = (ab == a[:, None]).all(axis=0)
        s2[:, idle[:, None] | idle[None]] = 0.0
        s2[:, *np.tril_indices(count)] = np.nan
    return s1 + 0.0, st + 0.0, s2


def percentile_interval(resampled: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the equal-tailed percentile interval over axis 0, ignoring undefined resamples."""
    tails = [0.5 - level / 2, 0.5 + level / 2]
    missing = np.isnan(resampled)
    if not missing.any():
        low, high = np.quantile(resampled, tails, axis=0)
        return low, high
    out = np.full((2, *resampled.shape[1:]), np.nan)
    defined = ~missing.all(axis=0)
    out[:, defined] = np.nanquantile(resampled[:, defined], tails, axis=0)
    return out[0], out[1]


def replicate_interval(values: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return mean, low and high over axis 0 from Student's t: replicates are independent and alike."""
    from scipy import stats

    count = values.shape[0]
    mean = values.mean(axis=0)
    half = stats.t.ppf(0.5 + level / 2, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half
