"""The matching gate: what capacity exists where and when, what limits it, what institutions let through

Scalar numba over one block of samples, sample axis first; nothing here depends on a portfolio, so it
is worked out once per sample. Axes are written s sample, p pathway, r region, q period, c class,
z resource.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FULL, THROTTLED, PASSIVE, COLLAPSE = range(4)
"""Codes of the deployment modes, as the network's samples carry them."""

POTENTIAL, GROWTH, FIRST_RESOURCE = range(3)
"""Codes of what limits capacity; resources follow in their own order."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def logistic_mean(capacity: float, current: float, growth: float, start: float, end: float) -> float:
    """Return the mean over a period of capacity that grows logistically from today's.

    Parameters
    ----------
    capacity, current : float
        Ceiling K and capacity c0 at time 0, GtCO2/yr, not negative.
    growth : float
        Growth rate g, 1/yr, not negative.
    start, end : float
        Years after time 0, ``0 <= start < end``.

    Returns
    -------
    float
        ``C(t) = K / (1 + A exp(-g t))`` with ``A = (K - c0) / c0``. With ``x = g (end - start)``
        and ``d = 1 + A exp(-g start) = K / C(start)`` the mean is ``K log(1 + (exp(x) - 1) / d) / x``,
        never above K (a capacity that starts above its ceiling is cut to it). Without capacity
        today nothing grows: 0.

    Examples
    --------
    >>> round(logistic_mean(1.0, 0.2, 0.1, 0.0, 10.0), 6)
    0.295395
    """
    if current <= 0.0 or capacity <= 0.0:
        return 0.0
    if current >= capacity:
        return capacity
    excess = (capacity - current) / current * math.exp(-growth * start)
    x = growth * (end - start)
    # The same logarithm twice: the first form keeps the digits of slow growth, the second does not
    # overflow where growth is fast.
    if x < 1e-12:
        mean = 1.0 / (1.0 + excess)
    elif x < 1.0:
        mean = math.log1p(math.expm1(x) / (1.0 + excess)) / x
    else:
        mean = 1.0 + (math.log1p(excess * math.exp(-x)) - math.log1p(excess)) / x
    return capacity * min(max(mean, 0.0), 1.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def delayed_mean(
    capacity: float, current: float, growth: float, delay: float, start: float, end: float
) -> float:
    """Return the mean over a period of capacity that stays at today's for `delay` years, then grows.

    Arguments are those of `logistic_mean`; a period that holds the delay's end has the mean of its two
    parts, weighted by their years.

    Examples
    --------
    >>> delayed_mean(1.0, 0.2, 50.0, 5.0, 0.0, 5.0)
    0.2
    """
    if current <= 0.0 or capacity <= 0.0:
        return 0.0
    if start >= delay:
        return logistic_mean(capacity, current, growth, start - delay, end - delay)
    still = min(current, capacity)
    if end <= delay:
        return still
    grown = logistic_mean(capacity, current, growth, 0.0, end - delay)
    return ((delay - start) * still + (end - delay) * grown) / (end - start)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def open_gate(
    potential: Floats,
    current: Floats,
    growth: Floats,
    trl: Floats,
    years_per_trl: Floats,
    share: Floats,
    use: Floats,
    supply: Floats,
    times: Floats,
    available: Floats,
    limiting: NDArray[np.int8],
) -> None:
    """Fill the capacity available to each pathway, region and period, and what limits it.

    Parameters
    ----------
    potential, current, growth, trl : (s, p)
        GtCO2/yr (nature pathways scaled by the land sink), GtCO2/yr, 1/yr, 1.
    years_per_trl : (s,)
        Years that each level below 9 delays growth by.
    share : (s, p, r)
        Suitability shares, summing to 1 over r.
    use : (s, p, z)
        Need of a resource per GtCO2 captured.
    supply : (s, q, z, r)
        Supply of each resource, inf without limit.
    times : (q + 1,)
        Years after the start at which the periods begin and end.
    available : (s, q, p, r), filled
        GtCO2/yr: the least of potential x share, the mean of growth from today's capacity towards
        it, and supply / use of every resource in use.
    limiting : (s, q, p, r), filled
        0 potential, 1 growth, 2 + z resource: the first of the least, equal within 1e-9.
    """
    samples, periods, pathways, regions = available.shape
    for s in range(samples):
        for p in range(pathways):
            top = potential[s, p]
            delay = max(0.0, 9.0 - trl[s, p]) * years_per_trl[s]
            for q in range(periods):
                grown = delayed_mean(top, current[s, p], growth[s, p], delay, times[q], times[q + 1])
                world = min(grown, top)
                first = GROWTH if world < top * (1.0 - 1e-9) else POTENTIAL
                for r in range(regions):
                    least, what = world * share[s, p, r], first
                    if share[s, p, r] <= 0.0:
                        what = POTENTIAL
                    for z in range(use.shape[2]):
                        if use[s, p, z] > 0.0:
                            enough = supply[s, q, z, r] / use[s, p, z]
                            if enough < least * (1.0 - 1e-9):
                                what = FIRST_RESOURCE + z
                            least = min(least, enough)
                    available[s, q, p, r] = least
                    limiting[s, q, p, r] = what


@numba.njit(cache=True, nogil=True, error_model="numpy")
def let_through(
    mode: NDArray[np.int8],
    mode_fraction: Floats,
    member: NDArray[np.bool_],
    fraction: Floats,
    passive: NDArray[np.bool_],
) -> None:
    """Fill what the deployment modes let through, and where capacity is passively redundant.

    Parameters
    ----------
    mode : (s, c, r, q)
        Deployment modes.
    mode_fraction : (s, mode)
        Share of the possible deployment that each mode lets through.
    member : (p, c)
        Classes of each pathway; a pathway of two classes needs both, so the lower fraction holds.
    fraction : (s, q, p, r), filled
        Share of the possible deployment that happens.
    passive : (s, q, p, r), filled
        Whether the class that holds the pathway back is in passive redundancy, so that the held part
        may move elsewhere; a collapse at the same fraction leaves nothing to move.
    """
    samples, periods, pathways, regions = fraction.shape
    classes = member.shape[1]
    for s in range(samples):
        for q in range(periods):
            for p in range(pathways):
                for r in range(regions):
                    low = np.inf
                    redundant, collapsed = False, False
                    for c in range(classes):
                        if member[p, c]:
                            code = mode[s, c, r, q]
                            here = mode_fraction[s, code]
                            if here < low:
                                low, redundant, collapsed = here, False, False
                            if here == low:
                                redundant = redundant or code == PASSIVE
                                collapsed = collapsed or code == COLLAPSE
                    fraction[s, q, p, r] = low
                    passive[s, q, p, r] = redundant and not collapsed
