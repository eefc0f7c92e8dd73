"""What becomes of carbon after it was stored: decay, leakage, reversal, durability

A store has two pools per pathway and region: a slow one that loses carbon at the constant rate
``k = ln 2 / half_life + leakage_rate`` and a fast one at ``ln 2 / fast_half_life``. Where a climate or
disturbance shock hits, both lose a share of all they hold. Scalar numba over one block of samples,
sample axis first; nothing here depends on a portfolio. Axes as in `gate`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DURABLE_YEARS = 100.0
"""Carbon counts as durable when it is retained at least this long after storage (models.md 3.4)."""

OUTLOOK_END = 2201.0
"""Calendar time at which `retained` is read: the end of 2200 (models.md 3.3)."""

LEAST_RATIO = 0.1
"""The land sink's ratio is not taken below this in the hazard: a power of nearly 0 has no meaning."""


class StoreFactors(NamedTuple):
    """What time does to stores, for one block of samples.

    Parameters
    ----------
    rate : (s, p)
        Loss rate of the slow pool, 1/yr.
    kept, filled, fast_kept, fast_filled : (s, q, p)
        `period_factors` of the two pools, 1 and yr.
    survival, durable : (s, q, p, r)
        Share of a stock that survives the end of the period; share of carbon stored in the period that
        is still there 100 years after its end.
    late, fast_late : (s, p, r)
        Share of a pool at the end of the horizon that is left at the end of 2200.
    """

    rate: Floats
    kept: Floats
    filled: Floats
    fast_kept: Floats
    fast_filled: Floats
    survival: Floats
    durable: Floats
    late: Floats
    fast_late: Floats


@numba.njit(cache=True, nogil=True, error_model="numpy")
def period_factors(rate: float, length: float) -> tuple[float, float]:
    """Return what a period does to a stock and to a constant inflow.

    With ``dS/dt = g - k S`` over `length` years, ``S_end = S_start * kept + g * filled`` where
    ``kept = exp(-k length)`` and ``filled = (1 - exp(-k length)) / k`` (= length for k = 0).

    Parameters
    ----------
    rate : float
        Loss rate k, 1/yr, not negative.
    length : float
        Years.

    Examples
    --------
    >>> period_factors(0.0, 10.0)
    (1.0, 10.0)
    """
    x = rate * length
    # expm1 keeps the digits of a tiny rate; below 1e-300 the limit itself is exact.
    return math.exp(-x), (-math.expm1(-x) / x * length if x > 1e-300 else length)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    half_life: Floats,
    leakage: Floats,
    fast_share: Floats,
    fast_half_life: Floats,
    reversal_loss: Floats,
    ratio: Floats,
    hazard_exponent: Floats,
    nature: NDArray[np.bool_],
    shock: Floats,
    severity: Floats,
    late_hazard: Floats,
    bounds: Floats,
    out: StoreFactors,
) -> None:
    samples, periods, pathways, regions = out.survival.shape
    end = bounds[periods]
    later = max(0.0, OUTLOOK_END - end)
    for s in range(samples):
        hazard = max(ratio[s], LEAST_RATIO) ** -hazard_exponent[s]
        for p in range(pathways):
            rate = math.log(2.0) / half_life[s, p] + leakage[s, p]
            fast = math.log(2.0) / fast_half_life[s, p]
            loss = reversal_loss[s, p]
            if nature[p]:
                loss = min(max(loss * hazard, 0.0), 1.0)
            out.rate[s, p] = rate
            for q in range(periods):
                length = bounds[q + 1] - bounds[q]
                out.kept[s, q, p], out.filled[s, q, p] = period_factors(rate, length)
                out.fast_kept[s, q, p], out.fast_filled[s, q, p] = period_factors(fast, length)
                for r in range(regions):
                    share = min(max(loss * severity[s, r, q], 0.0), 1.0)
                    out.survival[s, q, p, r] = 1.0 - share * shock[s, r, q]
            part = fast_share[s, p]
            decay = part * math.exp(-DURABLE_YEARS * fast) + (1.0 - part) * math.exp(-DURABLE_YEARS * rate)
            for q in range(periods):
                beyond = max(0.0, DURABLE_YEARS - (end - bounds[q + 1]))
                for r in range(regions):
                    left = decay * math.exp(-late_hazard[s, r] * loss * beyond)
                    for other in range(q, periods):
                        if bounds[other + 1] - bounds[q + 1] < DURABLE_YEARS:
                            left *= out.survival[s, other, p, r]
                    out.durable[s, q, p, r] = left
            for r in range(regions):
                spared = math.exp(-late_hazard[s, r] * loss * later)
                out.late[s, p, r] = spared * math.exp(-rate * later)
                out.fast_late[s, p, r] = spared * math.exp(-fast * later)


def store_factors(
    half_life: Floats,
    leakage: Floats,
    fast_share: Floats,
    fast_half_life: Floats,
    reversal_loss: Floats,
    ratio: Floats,
    hazard_exponent: Floats,
    nature: NDArray[np.bool_],
    shock: Floats,
    severity: Floats,
    late_hazard: Floats,
    bounds: Floats,
) -> StoreFactors:
    """Return what time does to the stores of one block of samples.

    Parameters
    ----------
    half_life, leakage, fast_share, fast_half_life, reversal_loss : (s, p)
        yr, 1/yr, 1, yr, 1.
    ratio, hazard_exponent : (s,)
        The land sink's ratio; a weaker sink raises the loss of nature pathways to
        ``loss * max(ratio, 0.1) ** -hazard_exponent``, at most 1.
    nature : (p,)
    shock, severity : (s, r, q)
        1 where a shock hits, else 0, and its severity: the loss is ``min(loss * severity, 1)``. The
        shock is placed at the END of its period, so that it meets all the carbon stored until then:
        the cautious convention.
    late_hazard : (s, r)
        Expected shocks a year after the last period.
    bounds : (q + 1,)
        Calendar years at which the periods begin and end.

    Returns
    -------
    StoreFactors
        ``durable`` is ``fast_share * 0.5 ** (100 / fast_half_life) + (1 - fast_share) * exp(-100 k)``
        times the survival of every drawn shock less than 100 years after the end of the period of
        storage, times ``exp(-late_hazard * loss * years)`` over those of the 100 years that lie after
        the last period, where no shocks are drawn.
    """
    samples, pathways = half_life.shape
    regions, periods = shock.shape[1:]
    by_period = (samples, periods, pathways)
    everywhere = (*by_period, regions)
    out = StoreFactors(
        np.empty((samples, pathways)),
        *(np.empty(by_period) for _ in range(4)),
        *(np.empty(everywhere) for _ in range(2)),
        *(np.empty((samples, pathways, regions)) for _ in range(2)),
    )
    _fill(
        half_life, leakage, fast_share, fast_half_life, reversal_loss, ratio, hazard_exponent, nature,
        shock, severity, late_hazard, bounds, out,
    )  # fmt: skip
    return out
