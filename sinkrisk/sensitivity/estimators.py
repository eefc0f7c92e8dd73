"""Sobol' indices of separated outputs, and their intervals: numpy in, numpy out.

The estimators are SALib's own functions (Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018, for
S1 and ST; Saltelli 2002, doi:10.1016/S0010-4655(02)00280-1, for S2), called once for all outputs.
Outputs are standardised over the whole design first, as SALib does.
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


@dataclass(frozen=True)
class Indices:
    """Indices of one design: arrays (labels, outputs), S2 (labels, labels, outputs) or None."""

    s1: Floats
    st: Floats
    s2: Floats | None
    mean: Floats
    variance: Floats
    status: NDArray[np.int8]


def estimate(design: SaltelliDesign, y: Floats) -> Indices:
    """Return the indices of outputs `y` (rows, outputs) of one design.

    An output that is constant has no indices: NaN, status 1. One that is constant in A and B and
    varies elsewhere (a rare event) likewise: NaN, status 2; SALib would print zeros.
    """
    from SALib.analyze.sobol import first_order, second_order, total_order

    count, outputs = design.columns.shape[0], y.shape[1]
    base = np.concatenate(design.separate(y)[:2])
    status = _status(y, base)
    use = status == OK
    s1 = np.full((count, outputs), np.nan)
    st = np.full((count, outputs), np.nan)
    s2 = np.full((count, count, outputs), np.nan) if design.second_order else None
    if use.any():
        a, b, ab, ba = design.separate(standardise(y[:, use]))
        for j in range(count):
            s1[j, use] = first_order(a, ab[:, j], b)
            st[j, use] = total_order(a, ab[:, j], b)
            if s2 is not None and ba is not None:
                for k in range(j + 1, count):
                    s2[j, k, use] = second_order(a, ab[:, j], ab[:, k], ba[:, j], b)
    # Adding zero turns -0.0 into 0.0.
    return Indices(s1 + 0.0, st + 0.0, s2, base.mean(axis=0), base.var(axis=0), status)


def standardise(y: Floats) -> Floats:
    """Return (y - mean) / sd over all rows, per output, as SALib's ``analyze`` does."""
    return np.asarray((y - y.mean(axis=0)) / y.std(axis=0))


def _status(y: Floats, base: Floats) -> NDArray[np.int8]:
    floor = ROUNDING * np.abs(y).max(axis=0)
    status = np.where(np.ptp(base, axis=0) <= floor, RARE, OK)
    return np.where(np.ptp(y, axis=0) <= floor, CONSTANT, status).astype(np.int8)


def bootstrap(
    design: SaltelliDesign, y: Floats, resamples: int, generator: np.random.Generator
) -> tuple[Floats, Floats, Floats | None]:
    """Return resampled indices, the resample first: S1 and ST (resample, labels, outputs), S2.

    Base points are drawn with replacement, all rows of a point together; all outputs share the
    draws. A resample is a vector of counts, so one matrix product does what SALib does by copying
    rows; the numbers are the same (tested). Outputs must not be constant.
    """
    n, count = design.a.shape[0], design.columns.shape[0]
    a, b, ab, ba = design.separate(standardise(y))
    flat = (n, -1)
    first = (b[:, None] * (ab - a[:, None])).reshape(flat)
    total = (0.5 * (a[:, None] - ab) ** 2).reshape(flat)
    pairs = [(j, k) for j in range(count) for k in range(j + 1, count)] if ba is not None else []
    cross = [ba[:, j] * ab[:, k] - a * b for j, k in pairs] if ba is not None else []
    picks = generator.integers(n, size=(n, resamples))
    s1 = np.empty((resamples, count, y.shape[1]))
    st = np.empty_like(s1)
    s2 = np.full((resamples, count, count, y.shape[1]), np.nan) if ba is not None else None
    for start in range(0, resamples, BATCH):
        here = slice(start, min(start + BATCH, resamples))
        weights = np.stack([np.bincount(picks[:, r], minlength=n) for r in range(here.start, here.stop)]) / n
        mean = weights @ (0.5 * (a + b))
        variance = weights @ (0.5 * (a**2 + b**2)) - mean**2
        variance[variance <= np.finfo(float).eps] = np.nan
        shape = (-1, count, y.shape[1])
        s1[here] = (weights @ first).reshape(shape) / variance[:, None]
        st[here] = (weights @ total).reshape(shape) / variance[:, None]
        if s2 is not None:
            for (j, k), product in zip(pairs, cross, strict=True):
                s2[here, j, k] = (weights @ product) / variance - s1[here, j] - s1[here, k]
    return s1, st, s2


def percentile_interval(resampled: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the equal-tailed percentile interval over axis 0, ignoring undefined resamples."""
    out = np.full((2, *resampled.shape[1:]), np.nan)
    defined = ~np.isnan(resampled).all(axis=0)
    tails = [0.5 - level / 2, 0.5 + level / 2]
    out[:, defined] = np.nanquantile(resampled[:, defined], tails, axis=0)
    return out[0], out[1]


def replicate_interval(values: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return mean, low and high over axis 0 from Student's t: replicates are independent and alike."""
    from scipy import stats

    count = values.shape[0]
    mean = values.mean(axis=0)
    half = stats.t.ppf(0.5 + level / 2, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half
