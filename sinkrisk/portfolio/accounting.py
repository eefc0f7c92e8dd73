"""From captures to accounts: losses, cost, energy, ledgers, stores, side effects, credits

Steps of the kernel for one tile of samples, one portfolio and one period, in the order they are taken; the
model is written down in `engine.simulate_block`, the rows in `rows`, the form of the loops in `allotting`.
Not cached by numba by themselves: see `kernel`.
"""

from __future__ import annotations

import numba
import numpy as np

from sinkrisk.portfolio.allotting import any_positive
from sinkrisk.portfolio.elementary import exp, expm1, power
from sinkrisk.portfolio.rows import (
    AGE,
    AVOIDED,
    BASE,
    BEFORE,
    CAPTURED,
    CHANGE,
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
    EMISSION,
    ENERGIES,
    ENERGY,
    EXPERIENCE,
    EXPONENT,
    FADE,
    FALL,
    FAST,
    FAST_FILLED,
    FAST_KEPT,
    FAST_SHARE,
    FILLED,
    FOREGONE,
    FOREGONE_SHARE,
    FRESH,
    FULLNESS,
    GAIN,
    GOING,
    GROSS,
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
    PAID,
    PROCESS,
    RATE,
    REALLOCATED,
    RECEIVED,
    REMOVED,
    RETURNED,
    SATURATED,
    SCARCE,
    SCARCITY,
    SLOPE,
    SLOW,
    STEADY,
    STORED,
    SURVIVAL,
    TO_AVOIDED,
    TO_REMOVAL,
    TO_UTILISED,
    UNCOUNTED,
    UNIT,
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


@numba.njit(nogil=True, error_model="numpy")
def list_stores(
    cell: Floats, path: Floats, bounded: Flags, ageing: Flags, keeping: Flags, lanes: int
) -> None:
    """Say of each pathway, in some sample, that stores fill up, that effects age, that it removes at all."""
    for p in range(bounded.shape[0]):
        bounded[p] = False
        for r in range(cell.shape[2]):
            bounded[p] = bounded[p] or any_positive(cell[0, p, r], FULLNESS, lanes)
        ageing[p] = keeping[p] = False
        for k in range(lanes):
            ageing[p] = ageing[p] or path[0, p, YOUNG + k] != 0.0
            keeping[p] = keeping[p] or path[0, p, TO_REMOVAL + k] * path[0, p, COUNTED + k] > 0.0


@numba.njit(nogil=True, error_model="numpy")
def deploy(
    f: int, q: int, active: Ints, planned: Floats, cell: Floats, path: Floats, w: Floats, o: Floats,
    lanes: int,
) -> None:  # fmt: skip
    """State what became of plans, and the energy of captures, summed over regions."""
    for i in range(active.shape[0]):
        p = active[i]
        plan = planned[f, q, p]
        for k in range(lanes):
            o[p, q, DEPLOYED + k] = 0.0
            o[p, q, REALLOCATED + k] = 0.0
            o[p, q, RECEIVED + k] = 0.0
            o[p, q, LIMITED + k] = 0.0
            o[p, q, SCARCE + k] = 0.0
            o[p, q, WITHHELD + k] = 0.0
            o[p, q, ENERGY + k] = 0.0
            o[p, q, PROCESS + k] = 0.0
        for r in range(w.shape[1]):
            for k in range(lanes):
                taken = path[q, p, UNIT_ENERGY + k] * w[p, r, CAPTURED + k] * w[p, r, ENERGIES + k]
                o[p, q, DEPLOYED + k] += w[p, r, GOING + k]
                o[p, q, REALLOCATED + k] += w[p, r, MOVED + k]
                o[p, q, RECEIVED + k] += w[p, r, GAIN + k]
                o[p, q, LIMITED + k] += w[p, r, BASE + k]
                o[p, q, SCARCE + k] += w[p, r, CUT + k]
                o[p, q, WITHHELD + k] += w[p, r, HELD + k]
                o[p, q, ENERGY + k] += taken
                o[p, q, PROCESS + k] += taken * cell[q, p, r, EMISSION + k]
        for k in range(lanes):
            # Rounding may leave -1e-17 where nothing is lost.
            limited = max(plan - o[p, q, LIMITED + k], 0.0)
            withheld = max(o[p, q, WITHHELD + k] - o[p, q, REALLOCATED + k], 0.0)
            o[p, q, LIMITED + k] = limited
            o[p, q, WITHHELD + k] = withheld
            o[p, q, LOST + k] = limited + o[p, q, SCARCE + k] + withheld


@numba.njit(nogil=True, error_model="numpy")
def _learn(p: int, q: int, path: Floats, bounds: Floats, o: Floats, x: Floats, lanes: int) -> None:
    """Fill the unit cost that learning has reached by the middle of a period, USD/t."""
    for k in range(lanes):
        x[FALL + k] = 0.0
    for other in range(q + 1):
        years = (bounds[other + 1] - bounds[other]) * (0.5 if other == q else 1.0)
        for k in range(lanes):
            x[FALL + k] += years * (o[p, other, DEPLOYED + k] + o[p, other, RECEIVED + k])
    for k in range(lanes):
        begun = path[q, p, EXPERIENCE + k]
        x[FALL + k] = 1.0 + (x[FALL + k] / begun if begun > 0.0 else 0.0)
    for k in range(lanes):
        x[FALL + k] = power(x[FALL + k], path[q, p, LEARNING + k])
    for k in range(lanes):
        unit = path[q, p, UNIT_COST + k]
        fallen = unit * max(x[FALL + k], path[q, p, COST_FLOOR + k])
        same = (path[q, p, LEARNING + k] == 0.0) | (path[q, p, EXPERIENCE + k] <= 0.0)
        o[p, q, UNIT + k] = unit if same else fallen


@numba.njit(nogil=True, error_model="numpy")
def charge(
    q: int, active: Ints, path: Floats, bounds: Floats, land: int, supply: Floats, w: Floats, shared: Floats,
    region: Floats, o: Floats, x: Floats, lanes: int,
) -> None:  # fmt: skip
    """State what captures cost, by pathway and by region."""
    for r in range(w.shape[1]):
        for k in range(lanes):
            region[r, LAND_SHARE + k] = 0.0
        if land >= 0:
            for k in range(lanes):
                there, used = supply[q, land, r, k], shared[land, r, IN_USE + k]
                region[r, LAND_SHARE + k] = used / there if (there > 0.0) & (there < np.inf) else 0.0
    for i in range(active.shape[0]):
        p = active[i]
        _learn(p, q, path, bounds, o, x, lanes)
        for k in range(lanes):
            o[p, q, COST + k] = 0.0
            o[p, q, MARGINAL_COST + k] = 0.0
        for r in range(w.shape[1]):
            for k in range(lanes):
                exponent = path[q, p, EXPONENT + k]
                rise = path[q, p, SLOPE + k] * power(w[p, r, USE + k], exponent)
                land_price = 1.0 + path[q, p, SCARCITY + k] * region[r, LAND_SHARE + k]
                price = o[p, q, UNIT + k] * land_price * w[p, r, COSTS + k] * w[p, r, CAPTURED + k]
                paid = price * (1.0 + rise / (exponent + 1.0))
                w[p, r, PAID + k] = paid
                o[p, q, COST + k] += paid
                o[p, q, MARGINAL_COST + k] += price * (1.0 + rise)


@numba.njit(nogil=True, error_model="numpy")
def disturb(
    q: int, active: Ints, ageing: Flags, path: Floats, length: float, w: Floats, o: Floats, lanes: int
) -> None:
    """State the non-CO2 effects, which may fade with the capacity's age."""
    for i in range(active.shape[0]):
        p = active[i]
        for k in range(lanes):
            o[p, q, FRESH + k] = 0.0
        if ageing[p]:
            for r in range(w.shape[1]):
                for k in range(lanes):
                    # What was there before grows older by the period, what is new by half of it.
                    here, old = w[p, r, CAPTURED + k], w[p, r, BEFORE + k]
                    older = (w[p, r, AGE + k] + length) * min(old, here)
                    aged = older + 0.5 * length * max(0.0, here - old)
                    w[p, r, AGE + k] = aged / here if here > 0.0 else 0.0
                    w[p, r, BEFORE + k] = here
                for k in range(lanes):
                    o[p, q, FRESH + k] += w[p, r, BEFORE + k] * exp(-w[p, r, AGE + k] / path[q, p, FADE + k])
        for k in range(lanes):
            captured = o[p, q, DEPLOYED + k] + o[p, q, RECEIVED + k]
            fading = path[q, p, YOUNG + k] * o[p, q, FRESH + k]
            o[p, q, NON_CO2 + k] = path[q, p, STEADY + k] * captured + fading


@numba.njit(nogil=True, error_model="numpy")
def store(
    q: int, active: Ints, bounded: Flags, keeping: Flags, path: Floats, cell: Floats, length: float,
    w: Floats, o: Floats, lanes: int,
) -> None:  # fmt: skip
    """Enter what was captured into the ledgers; let stores fill, decay and be reversed.

    Regrowth given up is taken off what enters the store: it would have been stored in the same place, and
    so would have decayed and burned with it. A pool of its own would be as good as permanent.
    """
    for i in range(active.shape[0]):
        p = active[i]
        for k in range(lanes):
            o[p, q, GROSS + k] = 0.0
            o[p, q, CHANGE + k] = 0.0
            o[p, q, FOREGONE + k] = 0.0
            o[p, q, SATURATED + k] = 0.0
            o[p, q, REMOVED + k] = 0.0
            o[p, q, DURABLE + k] = 0.0
        for r in range(w.shape[1]):
            if not keeping[p]:
                for k in range(lanes):
                    o[p, q, GROSS + k] += w[p, r, CAPTURED + k] * w[p, r, YIELDS + k]
            elif bounded[p]:
                _fill(q, p, r, path, cell, length, w, o, lanes)
            else:
                _keep(q, p, r, path, cell, w, o, lanes)
        for k in range(lanes):
            gross, removed = o[p, q, GROSS + k], o[p, q, REMOVED + k] - o[p, q, SATURATED + k]
            stored = o[p, q, CHANGE + k] / length
            o[p, q, COUPLED + k] = gross - (o[p, q, DEPLOYED + k] + o[p, q, RECEIVED + k])
            o[p, q, UNCOUNTED + k] = gross * path[q, p, TO_REMOVAL + k] * (1.0 - path[q, p, COUNTED + k])
            o[p, q, REMOVED + k] = removed
            o[p, q, STORED + k] = stored
            o[p, q, RETURNED + k] = removed - stored
            o[p, q, AVOIDED + k] = gross * path[q, p, TO_AVOIDED + k]
            o[p, q, UTILISED + k] = gross * path[q, p, TO_UTILISED + k]
            o[p, q, NET + k] = stored - o[p, q, PROCESS + k] - o[p, q, NON_CO2 + k]


@numba.njit(nogil=True, error_model="numpy")
def _keep(q: int, p: int, r: int, path: Floats, cell: Floats, w: Floats, o: Floats, lanes: int) -> None:
    """Store what counts of one pathway's captures in one region."""
    for k in range(lanes):
        captured, part = w[p, r, CAPTURED + k], path[q, p, FAST_SHARE + k]
        gross = captured * w[p, r, YIELDS + k]
        into = path[q, p, TO_REMOVAL + k] * path[q, p, COUNTED + k] * gross
        lost = min(path[q, p, FOREGONE_SHARE + k] * captured, into)
        real, stock, quick = into - lost, w[p, r, SLOW + k], w[p, r, FAST + k]
        inflow = (1.0 - part) * real
        slow = stock * path[q, p, KEPT + k] + inflow * path[q, p, FILLED + k]
        fast = quick * path[q, p, FAST_KEPT + k] + part * real * path[q, p, FAST_FILLED + k]
        slow = slow * cell[q, p, r, SURVIVAL + k]
        fast = fast * cell[q, p, r, SURVIVAL + k]
        w[p, r, SLOW + k] = slow
        w[p, r, FAST + k] = fast
        o[p, q, GROSS + k] += gross
        o[p, q, CHANGE + k] += slow + fast - (stock + quick)
        o[p, q, FOREGONE + k] += lost
        o[p, q, REMOVED + k] += real
        o[p, q, DURABLE + k] += real * cell[q, p, r, KEPT_LONG + k]


@numba.njit(nogil=True, error_model="numpy")
def _fill(
    q: int, p: int, r: int, path: Floats, cell: Floats, length: float, w: Floats, o: Floats, lanes: int
) -> None:
    """Store as `_keep`, where a slow pool holds no more than 1 / fullness and turns the rest away.

    ``dS/dt = g (1 - S/Smax) - k S`` has the rate ``k' = k + g/Smax`` and is solved exactly; the flow
    turned away is the mean of ``g S/Smax``.
    """
    for k in range(lanes):
        captured, part = w[p, r, CAPTURED + k], path[q, p, FAST_SHARE + k]
        gross = captured * w[p, r, YIELDS + k]
        into = path[q, p, TO_REMOVAL + k] * path[q, p, COUNTED + k] * gross
        lost = min(path[q, p, FOREGONE_SHARE + k] * captured, into)
        real, stock, quick = into - lost, w[p, r, SLOW + k], w[p, r, FAST + k]
        inflow, fullness = (1.0 - part) * real, cell[q, p, r, FULLNESS + k]
        limited = inflow * fullness > 0.0
        rate = path[q, p, RATE + k] + inflow * fullness
        loss = expm1(-rate * length)
        filled = -loss / rate
        level = stock * filled + inflow * (length - filled) / rate
        turned = min(inflow * level * fullness / length, inflow)
        free = stock * path[q, p, KEPT + k] + inflow * path[q, p, FILLED + k]
        slow = stock * (1.0 + loss) + inflow * filled if limited else free
        refused = turned if limited else 0.0
        fast = quick * path[q, p, FAST_KEPT + k] + part * real * path[q, p, FAST_FILLED + k]
        slow = slow * cell[q, p, r, SURVIVAL + k]
        fast = fast * cell[q, p, r, SURVIVAL + k]
        w[p, r, SLOW + k] = slow
        w[p, r, FAST + k] = fast
        o[p, q, GROSS + k] += gross
        o[p, q, CHANGE + k] += slow + fast - (stock + quick)
        o[p, q, FOREGONE + k] += lost
        o[p, q, REMOVED + k] += real
        o[p, q, SATURATED + k] += refused
        o[p, q, DURABLE + k] += (real - refused) * cell[q, p, r, KEPT_LONG + k]


@numba.njit(nogil=True, error_model="numpy")
def issue(active: Ints, creditable: Flags, path: Floats, bounds: Floats, o: Floats, lanes: int) -> None:
    """State the credits: removal of creditable pathways, issued after their delay."""
    for i in range(active.shape[0]):
        p = active[i]
        for q in range(bounds.shape[0] - 1):
            length = bounds[q + 1] - bounds[q]
            for k in range(lanes):
                o[p, q, CREDITED + k] = 0.0
            if not creditable[p]:
                continue
            for other in range(q + 1):
                for k in range(lanes):
                    delay = path[q, p, DELAY + k]
                    begins = max(bounds[q], bounds[other] + delay)
                    ends = min(bounds[q + 1], bounds[other + 1] + delay)
                    o[p, q, CREDITED + k] += o[p, other, REMOVED + k] * (max(0.0, ends - begins) / length)
