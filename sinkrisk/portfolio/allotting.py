"""From plans to captures: capacity, institutions, shared resources, reallocation, couplings

Steps of the kernel for one tile of samples, one portfolio and one period, in the order they are taken; the
model is written down in `engine.simulate_block`, the rows in `rows`. Every innermost loop runs over the
samples of the tile (k) and holds no branch, so that it becomes vector instructions. What can be skipped is
skipped where no sample of the tile needs it, and leaves the others as they are to the last bit. Not cached by
numba by themselves: see `kernel`.
"""

from __future__ import annotations

import numba

from sinkrisk.portfolio.rows import (
    AGE,
    ASKED,
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
    HEADROOM,
    HELD,
    IN_USE,
    INVERSE,
    LANES,
    LEAST,
    LET,
    MOVED,
    OVER,
    PART,
    PASSIVE,
    POOLED,
    SETBACK,
    SHARE,
    SLOW,
    SPACE,
    SPARE,
    TIGHT,
    TOTAL,
    UNMET,
    UNPLACED,
    USE,
    WANTED,
    WHICH,
    YIELDS,
    Flags,
    Floats,
    Ints,
)


@numba.njit(nogil=True, error_model="numpy")
def any_positive(row: Floats, first: int, lanes: int) -> bool:
    """Say whether any sample of the tile has more than 0 in the row that begins at `first`."""
    for k in range(lanes):  # noqa: SIM110 - numba has no `any`
        if row[first + k] > 0.0:
            return True
    return False


@numba.njit(nogil=True, error_model="numpy")
def list_needs(need: Floats, needs: Ints, needed: Ints) -> None:
    """List the resources each pathway needs in some sample of the tile: most need few."""
    for p in range(need.shape[0]):
        count = 0
        for z in range(need.shape[1]):
            if any_positive(need[p, z], 0, need.shape[2]):
                needs[p, count] = z
                count += 1
        needed[p] = count


@numba.njit(nogil=True, error_model="numpy")
def may_move(cell: Floats, alone: Floats, recipient: Flags, moves: Flags, lanes: int) -> None:
    """Fill moves (p,): whether some of the pathway's held capacity may move elsewhere in some sample."""
    periods, pathways, regions, _ = cell.shape
    for p in range(pathways):
        found = False
        if not recipient[p]:
            for q in range(periods):
                for r in range(regions):
                    for k in range(lanes):
                        found = found or (alone[HEADROOM + k] > 0.0 and cell[q, p, r, PASSIVE + k] > 0.0)
        moves[p] = found


@numba.njit(nogil=True, error_model="numpy")
def activate(f: int, used: Flags, recipient: Flags, moves: Flags, active: Ints, w: Floats, lanes: int) -> int:
    """List the pathways that a portfolio can use and clear what they remember; return how many."""
    moving = False
    for p in range(moves.shape[0]):
        moving = moving or (used[f, p] and moves[p])
    count = 0
    for p in range(moves.shape[0]):
        if used[f, p] or (moving and recipient[p]):
            active[count] = p
            count += 1
            for r in range(w.shape[1]):
                for k in range(lanes):
                    w[p, r, SLOW + k] = 0.0
                    w[p, r, FAST + k] = 0.0
                    w[p, r, AGE + k] = 0.0
                    w[p, r, BEFORE + k] = 0.0
                    w[p, r, YIELDS + k] = 1.0
                    w[p, r, COSTS + k] = 1.0
                    w[p, r, ENERGIES + k] = 1.0
    return count


@numba.njit(nogil=True, error_model="numpy")
def spread(
    f: int, q: int, active: Ints, world: Floats, regional: Floats, takes: Flags, cell: Floats, w: Floats,
    x: Floats, lanes: int,
) -> None:  # fmt: skip
    """Spread plans over regions, cut them to capacity, share out the excess where regions coordinate."""
    regions = w.shape[1]
    by_region = regional.shape[0] > 0
    together = False
    for r in range(regions):
        together = together or takes[f, r]
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(regions):
            plan = regional[f, q, p, r] if by_region else world[f, q, p]
            # A plan of a region is all its own.
            whole = 1.0 if by_region else 0.0
            for k in range(lanes):
                wanted = plan * max(cell[q, p, r, SHARE + k], whole)
                base = min(wanted, cell[q, p, r, AVAILABLE + k])
                w[p, r, BASE + k] = base
                w[p, r, UNPLACED + k] = wanted - base
        if together:
            _share_out(f, q, p, takes, cell, w, x, lanes)


@numba.njit(nogil=True, error_model="numpy")
def _share_out(f: int, q: int, p: int, takes: Flags, cell: Floats, w: Floats, x: Floats, lanes: int) -> None:
    """Move what a region cannot place to those that take it, in proportion to the room they have."""
    regions = w.shape[1]
    for k in range(lanes):
        x[OVER + k] = 0.0
        x[SPARE + k] = 0.0
    for r in range(regions):
        helps = 1.0 if takes[f, r] else 0.0
        for k in range(lanes):
            x[OVER + k] += w[p, r, UNPLACED + k]
            x[SPARE + k] += helps * (cell[q, p, r, AVAILABLE + k] - w[p, r, BASE + k])
    for k in range(lanes):
        over, spare = x[OVER + k], x[SPARE + k]
        moved = min(over, spare)
        x[SPARE + k] = moved / spare if spare > 0.0 else 0.0
        x[OVER + k] = 1.0 - (moved / over if over > 0.0 else 0.0)
    for r in range(regions):
        helps = 1.0 if takes[f, r] else 0.0
        for k in range(lanes):
            room, base = cell[q, p, r, AVAILABLE + k], w[p, r, BASE + k]
            w[p, r, BASE + k] = min(base + helps * (room - base) * x[SPARE + k], room)
            w[p, r, UNPLACED + k] *= x[OVER + k]


@numba.njit(nogil=True, error_model="numpy")
def let_through(q: int, active: Ints, cell: Floats, w: Floats, region: Floats, lanes: int) -> None:
    """Let the deployment mode and the setback of the last period through; hold the rest."""
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(w.shape[1]):
            for k in range(lanes):
                let = cell[q, p, r, FRACTION + k] * region[r, BRAKE + k]
                base = w[p, r, BASE + k]
                going = base * let
                w[p, r, LET + k] = let
                w[p, r, GOING + k] = going
                w[p, r, HELD + k] = base - going
                w[p, r, CUT + k] = 0.0
                w[p, r, MOVED + k] = 0.0
                w[p, r, GAIN + k] = 0.0


@numba.njit(nogil=True, error_model="numpy")
def _demand(
    r: int, active: Ints, need: Floats, needs: Ints, needed: Ints, w: Floats, shared: Floats, lanes: int
) -> None:
    """Work out the resources that what is going in a region needs."""
    for z in range(shared.shape[0]):
        for k in range(lanes):
            shared[z, r, IN_USE + k] = 0.0
    for i in range(active.shape[0]):
        p = active[i]
        for n in range(needed[p]):
            z = needs[p, n]
            for k in range(lanes):
                shared[z, r, IN_USE + k] += need[p, z, k] * w[p, r, GOING + k]


@numba.njit(nogil=True, error_model="numpy")
def share_resources(
    q: int, active: Ints, need: Floats, needs: Ints, needed: Ints, supply: Floats, w: Floats, shared: Floats,
    booked: bool, scarcity: Floats, x: Floats, lanes: int,
) -> None:  # fmt: skip
    """Scale down what oversubscribes a resource of a region, each pathway by its scarcest one."""
    resources, regions, _ = shared.shape
    for z in range(resources):
        for k in range(lanes):
            scarcity[z, q, k] = 0.0
    for r in range(regions):
        _demand(r, active, need, needs, needed, w, shared, lanes)
        for k in range(lanes):
            x[TIGHT + k] = 1.0
        for z in range(resources):
            for k in range(lanes):
                used, there = shared[z, r, IN_USE + k], supply[q, z, r, k]
                factor = there / used if used > there else 1.0
                shared[z, r, FACTOR + k] = factor
                x[TIGHT + k] = min(x[TIGHT + k], factor)
        binds = False
        for k in range(lanes):
            binds = binds or x[TIGHT + k] < 1.0
        if binds:
            _cut(q, r, active, need, needs, needed, w, shared, booked, scarcity, lanes)
            _demand(r, active, need, needs, needed, w, shared, lanes)


@numba.njit(nogil=True, error_model="numpy")
def _cut(
    q: int, r: int, active: Ints, need: Floats, needs: Ints, needed: Ints, w: Floats, shared: Floats,
    booked: bool, scarcity: Floats, lanes: int,
) -> None:  # fmt: skip
    """Cut what is going in a region to its resources, and book the cut to the scarcest if `booked`."""
    for i in range(active.shape[0]):
        p = active[i]
        if needed[p] == 0:
            continue
        for k in range(lanes):
            w[p, r, LEAST + k] = 1.0
            w[p, r, WHICH + k] = -1.0
        for n in range(needed[p]):
            z = needs[p, n]
            name = float(z)
            for k in range(lanes):
                factor = shared[z, r, FACTOR + k]
                scarcer = (factor < w[p, r, LEAST + k]) & (need[p, z, k] > 0.0)
                w[p, r, LEAST + k] = factor if scarcer else w[p, r, LEAST + k]
                w[p, r, WHICH + k] = name if scarcer else w[p, r, WHICH + k]
        for k in range(lanes):
            going = w[p, r, GOING + k]
            w[p, r, CUT + k] = going * (1.0 - w[p, r, LEAST + k])
            w[p, r, GOING + k] = going * w[p, r, LEAST + k]
        if booked:
            for n in range(needed[p]):
                z = needs[p, n]
                name = float(z)
                for k in range(lanes):
                    scarcity[z, q, k] += w[p, r, CUT + k] if w[p, r, WHICH + k] == name else 0.0


@numba.njit(nogil=True, error_model="numpy")
def reallocate(
    q: int, active: Ints, recipient: Flags, alone: Floats, need: Floats, needs: Ints, needed: Ints,
    supply: Floats, cell: Floats, w: Floats, shared: Floats, region: Floats, x: Floats, lanes: int,
) -> None:  # fmt: skip
    """Move what passive redundancy held to the recipients, within their room and the resources left."""
    if not any_positive(alone, HEADROOM, lanes):
        return
    for r in range(w.shape[1]):
        for k in range(lanes):
            region[r, POOLED + k] = 0.0
        for i in range(active.shape[0]):
            p = active[i]
            if not recipient[p]:
                for k in range(lanes):
                    region[r, POOLED + k] += cell[q, p, r, PASSIVE + k] * w[p, r, HELD + k]
        if any_positive(region[r], POOLED, lanes):
            _move(
                q, r, active, recipient, alone, need, needs, needed, supply, cell, w, shared, region, x, lanes
            )


@numba.njit(nogil=True, error_model="numpy")
def _move(
    q: int, r: int, active: Ints, recipient: Flags, alone: Floats, need: Floats, needs: Ints, needed: Ints,
    supply: Floats, cell: Floats, w: Floats, shared: Floats, region: Floats, x: Floats, lanes: int,
) -> None:  # fmt: skip
    """Reallocate in one region."""
    for k in range(lanes):
        x[SPACE + k] = 0.0
        x[TOTAL + k] = 0.0
    for i in range(active.shape[0]):
        p = active[i]
        if recipient[p]:
            for k in range(lanes):
                free = cell[q, p, r, AVAILABLE + k] - w[p, r, BASE + k]
                room = alone[HEADROOM + k] * free * w[p, r, LET + k]
                w[p, r, GAIN + k] = room
                x[SPACE + k] += room
    for k in range(lanes):
        space = x[SPACE + k]
        x[PART + k] = min(region[r, POOLED + k], space) / space if space > 0.0 else 0.0
    for z in range(shared.shape[0]):
        for k in range(lanes):
            shared[z, r, WANTED + k] = 0.0
    for i in range(active.shape[0]):
        p = active[i]
        if recipient[p]:
            for k in range(lanes):
                w[p, r, GAIN + k] *= x[PART + k]
            for n in range(needed[p]):
                z = needs[p, n]
                for k in range(lanes):
                    shared[z, r, WANTED + k] += need[p, z, k] * w[p, r, GAIN + k]
    # How far the resources left allow these gains, every recipient by its scarcest.
    for z in range(shared.shape[0]):
        for k in range(lanes):
            left = max(supply[q, z, r, k] - shared[z, r, IN_USE + k], 0.0)
            wanted = shared[z, r, WANTED + k]
            shared[z, r, FACTOR + k] = left / wanted if wanted > left else 1.0
    for i in range(active.shape[0]):
        p = active[i]
        if recipient[p]:
            for k in range(lanes):
                w[p, r, LEAST + k] = 1.0
            for n in range(needed[p]):
                z = needs[p, n]
                for k in range(lanes):
                    factor = shared[z, r, FACTOR + k] if need[p, z, k] > 0.0 else 1.0
                    w[p, r, LEAST + k] = min(w[p, r, LEAST + k], factor)
            for k in range(lanes):
                w[p, r, GAIN + k] *= w[p, r, LEAST + k]
                x[TOTAL + k] += w[p, r, GAIN + k]
            for n in range(needed[p]):
                z = needs[p, n]
                for k in range(lanes):
                    shared[z, r, IN_USE + k] += need[p, z, k] * w[p, r, GAIN + k]
    for k in range(lanes):
        pooled = region[r, POOLED + k]
        x[PART + k] = min(x[TOTAL + k] / pooled, 1.0) if pooled > 0.0 else 0.0
    for i in range(active.shape[0]):
        p = active[i]
        if not recipient[p]:
            for k in range(lanes):
                w[p, r, MOVED + k] = cell[q, p, r, PASSIVE + k] * w[p, r, HELD + k] * x[PART + k]


@numba.njit(nogil=True, error_model="numpy")
def remember_losses(active: Ints, alone: Floats, w: Floats, region: Floats, x: Floats, lanes: int) -> None:
    """Turn the share of each region's plans that was lost into the brake on its next period."""
    for r in range(w.shape[1]):
        for k in range(lanes):
            x[UNMET + k] = 0.0
            x[ASKED + k] = 0.0
        for i in range(active.shape[0]):
            p = active[i]
            for k in range(lanes):
                unplaced = w[p, r, UNPLACED + k]
                x[UNMET + k] += unplaced + w[p, r, CUT + k] + (w[p, r, HELD + k] - w[p, r, MOVED + k])
                x[ASKED + k] += w[p, r, BASE + k] + unplaced
        for k in range(lanes):
            asked = x[ASKED + k]
            share = x[UNMET + k] / asked if asked > 0.0 else 0.0
            region[r, BRAKE + k] = 1.0 - alone[SETBACK + k] * min(max(share, 0.0), 1.0)


@numba.njit(nogil=True, error_model="numpy")
def couple(
    q: int, active: Ints, is_active: Flags, coupling: Ints, effect: Floats, cell: Floats, w: Floats,
    lanes: int,
) -> None:  # fmt: skip
    """Work out captures and the use of capacity, and what the use of one pathway does to another."""
    regions = w.shape[1]
    for i in range(active.shape[0]):
        p = active[i]
        for r in range(regions):
            for k in range(lanes):
                captured = w[p, r, GOING + k] + w[p, r, GAIN + k]
                w[p, r, CAPTURED + k] = captured
                w[p, r, USE + k] = captured * cell[q, p, r, INVERSE + k]
    for m in range(coupling.shape[0]):
        p = coupling[m, 0]
        if is_active[p]:
            for r in range(regions):
                for k in range(lanes):
                    w[p, r, YIELDS + k] = 1.0
                    w[p, r, COSTS + k] = 1.0
                    w[p, r, ENERGIES + k] = 1.0
    for m in range(coupling.shape[0]):
        # A pathway that is not active has no scratch of this portfolio: its use is 0.
        p, other = coupling[m, 0], coupling[m, 1]
        if is_active[p] and is_active[other]:
            row = YIELDS + LANES * coupling[m, 2]
            for r in range(regions):
                for k in range(lanes):
                    w[p, r, row + k] += effect[m, k] * w[other, r, USE + k]
    for m in range(coupling.shape[0]):
        p = coupling[m, 0]
        if is_active[p]:
            for r in range(regions):
                for k in range(lanes):
                    w[p, r, YIELDS + k] = min(max(w[p, r, YIELDS + k], 0.0), 2.0)
                    w[p, r, COSTS + k] = min(max(w[p, r, COSTS + k], 0.1), 10.0)
                    w[p, r, ENERGIES + k] = min(max(w[p, r, ENERGIES + k], 0.1), 10.0)
