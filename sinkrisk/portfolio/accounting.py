"""From captures to accounts: losses, cost, energy, ledgers, stores, side effects, credits

Steps of the kernel for one sample, portfolio and period, in the order they are taken; the model is
written down in `engine.simulate_block`, the rows in `rows`. Not cached by numba by themselves: see
`kernel`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from sinkrisk.portfolio.rows import (
    AGE,
    AVOIDED,
    BASE,
    BEFORE,
    CAPTURED,
    COST,
    COST_FLOOR,
    COSTS,
    COUNTED,
    COUPLED,
    CREDITED,
    CUT,
    DELAY,
    DEPLOYED,
    DURABLE,
    ENERGIES,
    ENERGY,
    EXPERIENCE,
    FADE,
    FAST,
    FAST_FILLED,
    FAST_KEPT,
    FAST_SHARE,
    FILLED,
    FOREGONE,
    FOREGONE_SHARE,
    FULLNESS,
    GAIN,
    GOING,
    HELD,
    IN_USE,
    KEPT,
    KEPT_LONG,
    LAND_SHARE,
    LEARNING,
    LIMITED,
    LOST,
    MARGINAL_COST,
    MOVED,
    NET,
    NON_CO2,
    PROCESS,
    RATE,
    REALLOCATED,
    RECEIVED,
    REMOVED,
    RETURNED,
    SATURATED,
    SCARCE,
    SCARCITY,
    SLOW,
    STEADY,
    STORED,
    SURVIVAL,
    TO_AVOIDED,
    TO_REMOVAL,
    TO_UTILISED,
    UNCOUNTED,
    UNIT_COST,
    UNIT_ENERGY,
    USE,
    UTILISED,
    WITHHELD,
    YIELDS,
    YOUNG,
    Flags,
    Floats,
    Ints,
)


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def deploy(f: int, q: int, active: Ints, planned: Floats, w: Floats, o: Floats) -> None:
    """State what became of plans, summed over regions: deployed, moved, and why the rest was lost."""
    for i in range(active.shape[0]):
        p = active[i]
        base, going, held, cut, moved, gain = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for r in range(w.shape[2]):
            base += w[BASE, p, r]
            going += w[GOING, p, r]
            held += w[HELD, p, r]
            cut += w[CUT, p, r]
            moved += w[MOVED, p, r]
            gain += w[GAIN, p, r]
        # Rounding may leave -1e-17 where nothing is lost.
        limited = max(planned[f, q, p] - base, 0.0)
        withheld = max(held - moved, 0.0)
        o[DEPLOYED, p, q] = going
        o[REALLOCATED, p, q] = moved
        o[RECEIVED, p, q] = gain
        o[LIMITED, p, q] = limited
        o[SCARCE, p, q] = cut
        o[WITHHELD, p, q] = withheld
        o[LOST, p, q] = limited + cut + withheld


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _unit_cost(p: int, q: int, path: Floats, bounds: Floats, o: Floats) -> float:
    """Return the unit cost that learning has reached by the middle of a period, USD/t."""
    unit: float = path[UNIT_COST, p]
    if path[LEARNING, p] == 0.0 or path[EXPERIENCE, p] <= 0.0:
        return unit
    so_far = 0.0
    for other in range(q + 1):
        years = (bounds[other + 1] - bounds[other]) * (0.5 if other == q else 1.0)
        so_far += years * (o[DEPLOYED, p, other] + o[RECEIVED, p, other])
    fall: float = (1.0 + so_far / path[EXPERIENCE, p]) ** path[LEARNING, p]
    return unit * max(fall, float(path[COST_FLOOR, p]))


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def charge(
    q: int, active: Ints, path: Floats, slope: float, exponent: float, grid: Floats, bounds: Floats,
    land: int, supply: Floats, w: Floats, shared: Floats, region: Floats, o: Floats, by_region: Floats,
) -> None:  # fmt: skip
    """State cost and energy of what is captured, by pathway and by region, and process emissions."""
    regions = w.shape[2]
    for r in range(regions):
        by_region[0, r, q] = by_region[1, r, q] = region[LAND_SHARE, r] = 0.0
        if land >= 0 and supply[q, land, r] > 0.0 and supply[q, land, r] < np.inf:
            region[LAND_SHARE, r] = shared[IN_USE, land, r] / supply[q, land, r]
    for i in range(active.shape[0]):
        p = active[i]
        unit, need = _unit_cost(p, q, path, bounds, o), path[UNIT_ENERGY, p]
        cost, marginal, energy, process = 0.0, 0.0, 0.0, 0.0
        for r in range(regions):
            here = w[CAPTURED, p, r]
            if here > 0.0:
                rise = slope * w[USE, p, r] ** exponent if slope > 0.0 else 0.0
                price = unit * (1.0 + path[SCARCITY, p] * region[LAND_SHARE, r]) * w[COSTS, p, r] * here
                paid = price * (1.0 + rise / (exponent + 1.0))
                taken = need * here * w[ENERGIES, p, r]
                cost += paid
                marginal += price * (1.0 + rise)
                energy += taken
                process += taken * grid[q, r]
                by_region[0, r, q] += here
                by_region[1, r, q] += paid
        o[COST, p, q] = cost
        o[MARGINAL_COST, p, q] = marginal
        o[ENERGY, p, q] = energy
        o[PROCESS, p, q] = process


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def disturb(q: int, active: Ints, path: Floats, length: float, w: Floats, o: Floats) -> None:
    """State the non-CO2 effects, which may fade with the capacity's age."""
    for i in range(active.shape[0]):
        p = active[i]
        captured, fresh = o[DEPLOYED, p, q] + o[RECEIVED, p, q], 0.0
        if path[YOUNG, p] != 0.0:
            for r in range(w.shape[2]):
                # What was there before grows older by the period, what is new by half of it.
                here, old = w[CAPTURED, p, r], w[BEFORE, p, r]
                aged = (w[AGE, p, r] + length) * min(old, here) + 0.5 * length * max(0.0, here - old)
                w[AGE, p, r] = aged / here if here > 0.0 else 0.0
                w[BEFORE, p, r] = here
                fresh += here * math.exp(-w[AGE, p, r] / path[FADE, p])
        o[NON_CO2, p, q] = path[STEADY, p] * captured + path[YOUNG, p] * fresh


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _saturating(
    stock: float, inflow: float, rate: float, fullness: float, length: float
) -> tuple[float, float]:
    """Return the closing stock, and the mean flow turned away, of a pool that holds 1 / fullness.

    ``dS/dt = g (1 - S/Smax) - k S`` has the rate ``k' = k + g/Smax`` and is solved exactly; the flow
    turned away is the mean of ``g S/Smax``.
    """
    rate = rate + inflow * fullness
    loss = math.expm1(-rate * length)
    filled = -loss / rate
    level = stock * filled + inflow * (length - filled) / rate
    return stock * (1.0 + loss) + inflow * filled, min(inflow * level * fullness / length, inflow)


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def store(
    q: int, active: Ints, path: Floats, pool: Floats, spot: Floats, cell: Floats, length: float,
    w: Floats, o: Floats,
) -> None:  # fmt: skip
    """Enter what was captured into the ledgers; let stores fill, decay and be reversed.

    Regrowth given up is taken off what enters the store: it would have been stored in the same place, and
    so would have decayed and burned with it. A pool of its own would be as good as permanent.
    """
    for i in range(active.shape[0]):
        p = active[i]
        into, part = path[TO_REMOVAL, p] * path[COUNTED, p], path[FAST_SHARE, p]
        gross, counted, given_up, away, durable, change = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for r in range(w.shape[2]):
            here, opening = w[CAPTURED, p, r] * w[YIELDS, p, r], w[SLOW, p, r] + w[FAST, p, r]
            gross += here
            if into * here + opening <= 0.0:
                continue
            lost = min(path[FOREGONE_SHARE, p] * w[CAPTURED, p, r], into * here)
            real = into * here - lost
            given_up += lost
            inflow, refused = (1.0 - part) * real, 0.0
            if spot[FULLNESS, p, r] > 0.0 and inflow > 0.0:
                slow, refused = _saturating(
                    w[SLOW, p, r], inflow, path[RATE, p], spot[FULLNESS, p, r], length
                )
            else:
                slow = w[SLOW, p, r] * pool[KEPT, q, p] + inflow * pool[FILLED, q, p]
            fast = w[FAST, p, r] * pool[FAST_KEPT, q, p] + part * real * pool[FAST_FILLED, q, p]
            slow *= cell[SURVIVAL, q, p, r]
            fast *= cell[SURVIVAL, q, p, r]
            w[SLOW, p, r], w[FAST, p, r] = slow, fast
            change += slow + fast - opening
            counted += real
            away += refused
            durable += (real - refused) * cell[KEPT_LONG, q, p, r]
        removed, stored = counted - away, change / length
        o[COUPLED, p, q] = gross - (o[DEPLOYED, p, q] + o[RECEIVED, p, q])
        o[UNCOUNTED, p, q] = gross * path[TO_REMOVAL, p] * (1.0 - path[COUNTED, p])
        o[FOREGONE, p, q] = given_up
        o[SATURATED, p, q] = away
        o[REMOVED, p, q] = removed
        o[STORED, p, q] = stored
        o[RETURNED, p, q] = removed - stored
        o[AVOIDED, p, q] = gross * path[TO_AVOIDED, p]
        o[UTILISED, p, q] = gross * path[TO_UTILISED, p]
        o[DURABLE, p, q] = durable
        o[NET, p, q] = stored - o[PROCESS, p, q] - o[NON_CO2, p, q]


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def issue(active: Ints, creditable: Flags, path: Floats, bounds: Floats, o: Floats) -> None:
    """State the credits: removal of creditable pathways, issued after their delay."""
    for i in range(active.shape[0]):
        p = active[i]
        delay = path[DELAY, p]
        for q in range(bounds.shape[0] - 1):
            issued = o[REMOVED, p, q] if delay == 0.0 else 0.0
            if delay > 0.0:
                for other in range(q + 1):
                    begins = max(bounds[q], bounds[other] + delay)
                    ends = min(bounds[q + 1], bounds[other + 1] + delay)
                    overlap = max(0.0, ends - begins) / (bounds[q + 1] - bounds[q])
                    issued += o[REMOVED, p, other] * overlap
            o[CREDITED, p, q] = issued if creditable[p] else 0.0
