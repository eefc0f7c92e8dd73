"""From plans to captures: capacity, institutions, shared resources, reallocation, couplings

Steps of the kernel for one sample, portfolio and period, in the order they are taken; the model is
written down in `engine.simulate_block`, the rows in `rows`. Not cached by numba by themselves: see
`kernel`.
"""

from __future__ import annotations

import numba

from sinkrisk.portfolio.rows import (
    AGE,
    AVAILABLE,
    BASE,
    BEFORE,
    BRAKE,
    CAPTURED,
    COSTS,
    CUT,
    ENERGIES,
    FACTOR,
    FAST,
    FRACTION,
    GAIN,
    GOING,
    HELD,
    IN_USE,
    INVERSE,
    LET,
    MOVED,
    PASSIVE,
    POOLED,
    SHARE,
    SLOW,
    UNPLACED,
    USE,
    WANTED,
    YIELDS,
    Flags,
    Floats,
    Ints,
)


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def list_needs(need: Floats, needs: Ints, needed: Ints) -> None:
    """List the resources each pathway needs in a sample: most need few."""
    for p in range(need.shape[0]):
        count = 0
        for z in range(need.shape[1]):
            if need[p, z] > 0.0:
                needs[p, count] = z
                count += 1
        needed[p] = count


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def may_move(cell: Floats, headroom: float, recipient: Flags, moves: Flags) -> None:
    """Fill moves (p,): whether some of the pathway's held capacity may move elsewhere."""
    for p in range(recipient.shape[0]):
        found = False
        if headroom > 0.0 and not recipient[p]:
            for q in range(cell.shape[1]):
                for r in range(cell.shape[3]):
                    found = found or cell[PASSIVE, q, p, r] > 0.0
        moves[p] = found


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def activate(f: int, used: Flags, recipient: Flags, moves: Flags, active: Ints, w: Floats) -> int:
    """List the pathways that a portfolio can use and clear what they remember; return how many."""
    moving = False
    for p in range(moves.shape[0]):
        moving = moving or (used[f, p] and moves[p])
    count = 0
    for p in range(moves.shape[0]):
        if used[f, p] or (moving and recipient[p]):
            active[count] = p
            count += 1
            for r in range(w.shape[2]):
                w[SLOW, p, r] = w[FAST, p, r] = w[AGE, p, r] = w[BEFORE, p, r] = 0.0
                w[YIELDS, p, r] = w[COSTS, p, r] = w[ENERGIES, p, r] = 1.0
    return count


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def spread(
    f: int, q: int, active: Ints, world: Floats, regional: Floats, takes: Flags,
    cell: Floats, spot: Floats, w: Floats,
) -> None:  # fmt: skip
    """Spread plans over regions, cut them to capacity, share out the excess where regions coordinate."""
    regions = w.shape[2]
    by_region = regional.shape[0] > 0
    for i in range(active.shape[0]):
        p = active[i]
        over, spare = 0.0, 0.0
        for r in range(regions):
            wanted = regional[f, q, p, r] if by_region else world[f, q, p] * spot[SHARE, p, r]
            room = cell[AVAILABLE, q, p, r]
            base = min(wanted, room)
            w[BASE, p, r] = base
            w[UNPLACED, p, r] = wanted - base
            over += wanted - base
            if takes[r]:
                spare += room - base
        if over > 0.0 and spare > 0.0:
            moved = min(over, spare)
            taken, left = moved / spare, 1.0 - moved / over
            for r in range(regions):
                room, base = cell[AVAILABLE, q, p, r], w[BASE, p, r]
                if takes[r]:
                    w[BASE, p, r] = min(base + (room - base) * taken, room)
                w[UNPLACED, p, r] *= left


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def let_through(q: int, active: Ints, cell: Floats, w: Floats, region: Floats) -> None:
    """Let the deployment mode and the setback of the last period through; hold the rest."""
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(w.shape[2]):
            let = cell[FRACTION, q, p, r] * region[BRAKE, r]
            going = w[BASE, p, r] * let
            w[LET, p, r] = let
            w[GOING, p, r] = going
            w[HELD, p, r] = w[BASE, p, r] - going
            w[CUT, p, r] = w[MOVED, p, r] = w[GAIN, p, r] = 0.0


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _demand(active: Ints, need: Floats, needs: Ints, needed: Ints, w: Floats, shared: Floats) -> None:
    """Work out the resources that what is going needs."""
    for z in range(shared.shape[1]):
        for r in range(shared.shape[2]):
            shared[IN_USE, z, r] = 0.0
    for i in range(active.shape[0]):
        p = active[i]
        for n in range(needed[p]):
            z = needs[p, n]
            use = need[p, z]
            for r in range(shared.shape[2]):
                shared[IN_USE, z, r] += use * w[GOING, p, r]


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def share_resources(
    q: int, active: Ints, need: Floats, needs: Ints, needed: Ints, supply: Floats,
    w: Floats, shared: Floats, scarcity: Floats,
) -> None:  # fmt: skip
    """Scale down what oversubscribes a resource of a region, each pathway by its scarcest one."""
    _, resources, regions = shared.shape
    _demand(active, need, needs, needed, w, shared)
    binds = False
    for z in range(resources):
        scarcity[z, q] = 0.0
        for r in range(regions):
            over = shared[IN_USE, z, r] > supply[q, z, r]
            shared[FACTOR, z, r] = supply[q, z, r] / shared[IN_USE, z, r] if over else 1.0
            binds = binds or over
    if not binds:
        return
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(regions):
            least, which = 1.0, -1
            for n in range(needed[p]):
                factor = shared[FACTOR, needs[p, n], r]
                if factor < least:
                    least, which = factor, needs[p, n]
            if which >= 0:
                cut = w[GOING, p, r] * (1.0 - least)
                w[GOING, p, r] *= least
                w[CUT, p, r] = cut
                scarcity[which, q] += cut
    _demand(active, need, needs, needed, w, shared)


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def reallocate(
    q: int, active: Ints, recipient: Flags, headroom: float, need: Floats, needs: Ints, needed: Ints,
    supply: Floats, cell: Floats, w: Floats, shared: Floats, region: Floats,
) -> None:  # fmt: skip
    """Move what passive redundancy held to the recipients, within their room and the resources left."""
    _, resources, regions = shared.shape
    any_pool = False
    for r in range(regions):
        region[POOLED, r] = 0.0
    for i in range(active.shape[0]):
        p = active[i]
        if not recipient[p]:
            for r in range(regions):
                region[POOLED, r] += cell[PASSIVE, q, p, r] * w[HELD, p, r]
    for r in range(regions):
        any_pool = any_pool or region[POOLED, r] > 0.0
    if headroom <= 0.0 or not any_pool:
        return
    for r in range(regions):
        space = 0.0
        for i in range(active.shape[0]):
            p = active[i]
            if recipient[p]:
                room = headroom * (cell[AVAILABLE, q, p, r] - w[BASE, p, r]) * w[LET, p, r]
                w[GAIN, p, r] = room
                space += room
        moved = min(region[POOLED, r], space)
        taken = moved / space if space > 0.0 else 0.0
        for z in range(resources):
            shared[WANTED, z, r] = 0.0
        for i in range(active.shape[0]):
            p = active[i]
            if recipient[p]:
                w[GAIN, p, r] *= taken
                for n in range(needed[p]):
                    shared[WANTED, needs[p, n], r] += need[p, needs[p, n]] * w[GAIN, p, r]
        if moved <= 0.0:
            continue
        # How far the resources left allow these gains, every recipient by its scarcest.
        for z in range(resources):
            left = max(supply[q, z, r] - shared[IN_USE, z, r], 0.0)
            wanted = shared[WANTED, z, r]
            shared[FACTOR, z, r] = left / wanted if wanted > left else 1.0
        total = 0.0
        for i in range(active.shape[0]):
            p = active[i]
            if recipient[p]:
                least = 1.0
                for n in range(needed[p]):
                    least = min(least, shared[FACTOR, needs[p, n], r])
                w[GAIN, p, r] *= least
                total += w[GAIN, p, r]
                for n in range(needed[p]):
                    shared[IN_USE, needs[p, n], r] += need[p, needs[p, n]] * w[GAIN, p, r]
        part = min(total / region[POOLED, r], 1.0)
        for i in range(active.shape[0]):
            p = active[i]
            if not recipient[p]:
                w[MOVED, p, r] = cell[PASSIVE, q, p, r] * w[HELD, p, r] * part


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def remember_losses(active: Ints, setback: float, w: Floats, region: Floats) -> None:
    """Turn the share of each region's plans that was lost into the brake on its next period."""
    for r in range(w.shape[2]):
        unmet, asked = 0.0, 0.0
        for i in range(active.shape[0]):
            p = active[i]
            unmet += w[UNPLACED, p, r] + w[CUT, p, r] + (w[HELD, p, r] - w[MOVED, p, r])
            asked += w[BASE, p, r] + w[UNPLACED, p, r]
        lost = min(max(unmet / asked, 0.0), 1.0) if asked > 0.0 else 0.0
        region[BRAKE, r] = 1.0 - setback * lost


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def couple(
    q: int, active: Ints, is_active: Flags, coupling: Ints, effect: Floats, cell: Floats, w: Floats
) -> None:
    """Work out captures and the use of capacity, and what the use of one pathway does to another."""
    regions = w.shape[2]
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(regions):
            w[CAPTURED, p, r] = w[GOING, p, r] + w[GAIN, p, r]
            w[USE, p, r] = w[CAPTURED, p, r] * cell[INVERSE, q, p, r]
    if coupling.shape[0] == 0:
        return
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(regions):
            w[YIELDS, p, r] = w[COSTS, p, r] = w[ENERGIES, p, r] = 1.0
    for k in range(coupling.shape[0]):
        # A pathway that is not active has no scratch of this portfolio: its use is 0.
        p, other = coupling[k, 0], coupling[k, 1]
        if is_active[p] and is_active[other]:
            row = YIELDS + coupling[k, 2]
            for r in range(regions):
                w[row, p, r] += effect[k] * w[USE, other, r]
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(regions):
            w[YIELDS, p, r] = min(max(w[YIELDS, p, r], 0.0), 2.0)
            w[COSTS, p, r] = min(max(w[COSTS, p, r], 0.1), 10.0)
            w[ENERGIES, p, r] = min(max(w[ENERGIES, p, r], 0.1), 10.0)
