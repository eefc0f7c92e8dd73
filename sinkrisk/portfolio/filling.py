"""The cheapest way to a total at rising marginal costs: exact water-filling, plain numpy"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = 200
"""Most halvings of the bracket around the common marginal cost; it ends when the bracket is as narrow
as floating point allows."""


def use_at(price: Floats, cost: Floats, slope: Floats, exponent: Floats) -> Floats:
    """Return the use of capacity whose marginal cost is the price, not above 1.

    Parameters
    ----------
    price : ndarray
        USD/tCO2.
    cost, slope, exponent : ndarray
        c0 (USD/tCO2), a and eta of ``mc(u) = c0 (1 + a u ** eta)``; broadcast against the price.

    Returns
    -------
    ndarray
        ``((price / c0 - 1) / a) ** (1 / eta)`` cut to [0, 1]: 0 below c0, 1 from ``c0 (1 + a)`` on.
        Where the cost does not rise (a or c0 not positive) 0 below c0 and 1 from c0 on. With eta 0
        the cost is ``c0 (1 + a)`` from the first tonne.
    """
    rises = (slope > 0.0) & (cost > 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        excess = np.where(
            rises, (price / np.where(rises, cost, 1.0) - 1.0) / np.where(rises, slope, 1.0), 0.0
        )
        bent = np.clip(excess, 0.0, 1.0) ** (1.0 / np.where(exponent > 0.0, exponent, 1.0))
    bent = np.where(exponent > 0.0, bent, excess >= 1.0)
    return np.asarray(np.where(rises, bent, price >= cost), dtype=float)


def fill(
    capacity: Floats, most: Floats, cost: Floats, slope: Floats, exponent: Floats, total: Floats
) -> tuple[Floats, Floats]:
    """Return the cheapest amounts that add up to a total, and the price they share.

    Minimises ``sum c0 K (u + a u ** (eta + 1) / (eta + 1))`` over ``0 <= u <= most`` subject to
    ``sum K u = total``. The cost is convex, so at the optimum every cell in use either has the common
    marginal cost or is full at less; that price is found by bisection.

    Parameters
    ----------
    capacity : ndarray, (..., pathway, region)
        K, GtCO2/yr.
    most : ndarray, (..., pathway, region)
        Largest use that institutions let happen, 0 to 1.
    cost : ndarray, (..., pathway)
        c0, USD/tCO2.
    slope, exponent : ndarray, (...)
        a and eta, not negative.
    total : ndarray, (...)
        GtCO2/yr. What is more than there is is not filled.

    Returns
    -------
    amount : ndarray, (..., pathway, region)
        GtCO2/yr, summing to ``min(total, sum K most)``. Where equal costs leave a choice, cells of
        the same cost are used in proportion to what they have left.
    price : ndarray, (...)
        USD/tCO2: the marginal cost of the last tonne; the dearest there is where the total cannot be
        reached, the cheapest where it is 0.
    """
    room = capacity * most
    wanted = np.minimum(total, room.sum(axis=(-2, -1)))
    a, eta = slope[..., None], exponent[..., None]

    def amounts(price: Floats) -> Floats:
        use = use_at(price[..., None], cost, a, eta)
        return np.asarray(capacity * np.minimum(use[..., None], most))

    # Only cells with room bound the price.
    there = room.sum(axis=-1) > 0.0
    dearest = cost * (1.0 + np.where(cost > 0.0, a, 0.0))
    low = np.where(there, cost, np.inf).min(axis=-1, initial=np.inf)
    high = np.where(there, dearest, -np.inf).max(axis=-1, initial=-np.inf)
    empty = ~there.any(axis=-1)
    low, high = np.where(empty, 0.0, low), np.where(empty, 0.0, high)
    # Below the cheapest cost nothing is used, at the dearest everything.
    low = np.nextafter(low, -np.inf)
    for _ in range(STEPS):
        middle = low + (high - low) / 2.0
        stuck = (middle <= low) | (middle >= high)
        if stuck.all():
            break
        short = amounts(middle).sum(axis=(-2, -1)) < wanted
        low = np.where(short & ~stuck, middle, low)
        high = np.where(~short & ~stuck, middle, high)
    under, over = amounts(low), amounts(high)
    below, above = under.sum(axis=(-2, -1)), over.sum(axis=(-2, -1))
    # Between two neighbouring prices supply may jump, where marginal costs are flat: take the part needed.
    gap = above - below
    part = np.divide(wanted - below, gap, out=np.zeros_like(gap), where=gap > 0.0)
    return under + np.clip(part, 0.0, 1.0)[..., None, None] * (over - under), high
