"""What becomes of carbon after it was stored: decay, leakage, reversal, durability.

Every store is one pool per pathway and region that loses carbon at the constant rate
``k = ln 2 / half_life + leakage_rate`` and, where a climate or disturbance shock hits, the share
`reversal_loss` of all it holds. Plain numpy; the sample axis is last everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DURABLE_YEARS = 100.0
"""Carbon counts as durable when it is retained at least this long after storage (models.md 3.4)."""


def loss_rate(half_life: Floats, leakage_rate: Floats) -> Floats:
    """Return the first-order loss rate of a store.

    Parameters
    ----------
    half_life : ndarray
        Years, positive; inf where the store does not decay.
    leakage_rate : ndarray
        Further constant loss, 1/yr.

    Returns
    -------
    ndarray
        ``k = ln 2 / half_life + leakage_rate``, 1/yr.
    """
    return np.asarray(np.log(2.0) / half_life + leakage_rate)


def period_factors(rate: Floats, length: float) -> tuple[Floats, Floats]:
    """Return what a period does to a stock and to a constant inflow.

    With ``dS/dt = g - k S`` over `length` years, ``S_end = S_start * kept + g * filled`` where
    ``kept = exp(-k length)`` and ``filled = (1 - exp(-k length)) / k`` (= length for k = 0).

    Parameters
    ----------
    rate : ndarray
        Loss rate k, 1/yr, not negative.
    length : float
        Years.

    Returns
    -------
    kept : ndarray
        Share of the opening stock left, 1.
    filled : ndarray
        Closing stock per unit of inflow, yr.
    """
    x = rate * length
    kept = np.exp(-x)
    # expm1 keeps the digits of a tiny rate; below 1e-300 the limit itself is exact.
    safe = np.where(x > 1e-300, x, 1.0)
    filled = length * np.where(x > 1e-300, -np.expm1(-safe) / safe, 1.0)
    return np.asarray(kept), np.asarray(filled)


def surviving_share(reversal_loss: Floats, shock: Floats) -> Floats:
    """Return the share of a stock that survives the end of a period.

    Parameters
    ----------
    reversal_loss : ndarray, (pathway, sample)
        Share of the stock that returns to the air when a shock hits.
    shock : ndarray, (period, region, sample)
        1 where a shock hits the region in the period, else 0.

    Returns
    -------
    ndarray, (period, pathway, region, sample)
        ``1 - reversal_loss * shock``. The shock is placed at the END of its period, so that it
        meets all the carbon stored until then: the cautious convention.
    """
    return np.asarray(1.0 - reversal_loss[None, :, None, :] * shock[:, None, :, :])


def durable_share(rate: Floats, survival: Floats, bounds: Floats) -> Floats:
    """Return the share of carbon stored in a period that is retained 100 years after storage.

    Parameters
    ----------
    rate : ndarray, (pathway, sample)
        Loss rate of the store, 1/yr.
    survival : ndarray, (period, pathway, region, sample)
        Share that survives the end of each period, from `surviving_share`.
    bounds : ndarray, (period + 1,)
        Calendar years at which the periods begin and end.

    Returns
    -------
    ndarray, (period, pathway, region, sample)
        ``exp(-100 k)``, which is ``0.5 ** (100 / half_life) * exp(-100 leakage_rate)``, times the
        survival of every shock of the horizon that comes less than 100 years after the end of the
        period of storage. Shocks beyond the horizon are not drawn, so carbon stored late has seen
        fewer of them: its durable share is an upper bound where reversals matter.
    """
    decay = np.exp(-DURABLE_YEARS * rate)[:, None, :]
    out = np.empty_like(survival)
    ends = bounds[1:]
    for q in range(survival.shape[0]):
        share = np.broadcast_to(decay, survival.shape[1:]).copy()
        for later in range(q, survival.shape[0]):
            if ends[later] - ends[q] < DURABLE_YEARS:
                share *= survival[later]
        out[q] = share
    return out
