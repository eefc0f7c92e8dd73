"""The simulation kernel: one scalar loop over samples, portfolios, periods and active pathways

Numba, sample axis first. Everything that does not depend on the portfolio comes ready made from `gate`
and `stores`; everything of one sample and portfolio stays in `Work`, a few kilobytes, so that memory is
touched once per outcome. All functions that the loop calls live in this file, because numba's cache
looks only at the file of the function it starts from. Axes: s sample, f portfolio, q period, p pathway,
r region, z resource, k coupling; i counts the pathways a portfolio can use.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from sinkrisk.portfolio.stores import StoreFactors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

KERNEL_FLOWS = (
    "deployed", "reallocated", "received", "limited", "scarce", "withheld", "lost", "coupled",
    "uncounted", "saturated", "removed", "stored", "returned", "avoided", "utilised", "cost",
    "marginal_cost", "energy", "process", "foregone", "non_co2", "net", "durable", "credited",
)  # fmt: skip
"""Flows in the order of their codes below."""
(
    DEPLOYED, REALLOCATED, RECEIVED, LIMITED, SCARCE, WITHHELD, LOST, COUPLED,
    UNCOUNTED, SATURATED, REMOVED, STORED, RETURNED, AVOIDED, UTILISED, COST,
    MARGINAL_COST, ENERGY, PROCESS, FOREGONE, NON_CO2, NET, DURABLE, CREDITED,
) = range(24)  # fmt: skip

YIELD, COST_KIND, ENERGY_KIND = range(3)
"""Codes of the kinds of coupling, in the order of `variables.COUPLING_KINDS`."""


class Inputs(NamedTuple):
    """One block of samples; units as in `variables`.

    ``available, fraction, passive`` (s, q, p, r); ``share, room`` (s, p, r), room the most a store can
    hold, GtCO2; ``use`` (s, p, z), ``supply`` (s, q, z, r), ``effect`` (s, k), ``grid`` (s, q, r);
    ``headroom, setback, slope, exponent`` (s,); ``removal, avoided, utilised, counted`` (s, p) ledger
    shares and the share of the removal ledger that counts; ``learning`` (s, p) is log2(1 - rate); the
    rest (s, p).
    """

    available: Floats
    fraction: Floats
    passive: Flags
    share: Floats
    room: Floats
    use: Floats
    supply: Floats
    effect: Floats
    grid: Floats
    headroom: Floats
    setback: Floats
    slope: Floats
    exponent: Floats
    removal: Floats
    avoided: Floats
    utilised: Floats
    counted: Floats
    cost: Floats
    energy: Floats
    learning: Floats
    experience: Floats
    cost_floor: Floats
    scarcity: Floats
    foregone: Floats
    non_co2: Floats
    young: Floats
    fade: Floats
    fast_share: Floats
    delay: Floats
    stores: StoreFactors


class Plans(NamedTuple):
    """What is the same in every sample.

    ``world`` (f, p, q) or ``regional`` (f, q, p, r) GtCO2/yr, the other empty; ``planned`` (f, p, q)
    its sum over regions; ``used`` (f, p); ``coordinated`` (f,); ``bounds`` (q + 1,) years;
    ``recipient, creditable`` (p,); ``coupling`` (k, 3): pathway, with, kind; ``land`` index or -1.
    """

    world: Floats
    regional: Floats
    planned: Floats
    used: Flags
    coordinated: Flags
    bounds: Floats
    recipient: Flags
    creditable: Flags
    coupling: Ints
    land: int


class Results(NamedTuple):
    """Where outcomes go; zero beforehand, since only pathways in use are written.

    ``place`` (flow,) is the row of ``flows`` (row, s, f, p, q) or -1 where the flow is not wanted;
    ``retained`` (s, f, p), ``captured_in, cost_in`` (s, f, r, q), ``resource_used, scarcity`` (s, f, z,
    q) have no samples where they are not wanted.
    """

    place: Ints
    flows: Floats
    retained: Floats
    captured_in: Floats
    cost_in: Floats
    resource_used: Floats
    scarcity: Floats


class Work(NamedTuple):
    """Scratch of one sample and portfolio: (p, r) unless said.

    ``active`` (i,), ``needs`` (p, z) the resources in use and ``needed`` (p,) how many; ``used, factor,
    want`` (z, r); ``brake, unmet, asked, land_share`` (r,); ``cumulative`` (p,); ``removed`` (p, q).
    """

    active: Ints
    needs: Ints
    needed: Ints
    base: Floats
    limited: Floats
    let: Floats
    going: Floats
    held: Floats
    scarce: Floats
    moved: Floats
    gain: Floats
    ratio: Floats
    yields: Floats
    costs: Floats
    energies: Floats
    slow: Floats
    fast: Floats
    age: Floats
    before: Floats
    used: Floats
    factor: Floats
    want: Floats
    brake: Floats
    unmet: Floats
    asked: Floats
    land_share: Floats
    cumulative: Floats
    removed: Floats


def _work(periods: int, pathways: int, regions: int, resources: int) -> Work:
    cell, shared = (pathways, regions), (resources, regions)
    return Work(
        np.zeros(pathways, np.int64),
        np.zeros((pathways, resources), np.int64),
        np.zeros(pathways, np.int64),
        *(np.zeros(cell) for _ in range(16)),
        *(np.zeros(shared) for _ in range(3)),
        *(np.zeros(regions) for _ in range(4)),
        np.zeros(pathways),
        np.zeros((pathways, periods)),
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _list_needs(s: int, inputs: Inputs, work: Work) -> None:
    """List the resources each pathway needs in a sample, most need few."""
    for p in range(inputs.use.shape[1]):
        count = 0
        for z in range(inputs.use.shape[2]):
            if inputs.use[s, p, z] > 0.0:
                work.needs[p, count] = z
                count += 1
        work.needed[p] = count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _moves_possible(s: int, inputs: Inputs, plans: Plans, moves: Flags) -> None:
    """Fill moves (p,): whether some of the pathway's held capacity may move elsewhere."""
    _, periods, pathways, regions = inputs.available.shape
    for p in range(pathways):
        found = False
        if inputs.headroom[s] > 0.0 and not plans.recipient[p]:
            for q in range(periods):
                for r in range(regions):
                    found = found or inputs.passive[s, q, p, r]
        moves[p] = found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _activate(f: int, plans: Plans, moves: Flags, work: Work) -> int:
    """List the pathways that a portfolio can use and clear their scratch; return how many."""
    moving = False
    for p in range(moves.shape[0]):
        moving = moving or (plans.used[f, p] and moves[p])
    count = 0
    for p in range(moves.shape[0]):
        if plans.used[f, p] or (moving and plans.recipient[p]):
            work.active[count] = p
            count += 1
            work.cumulative[p] = 0.0
            for r in range(work.base.shape[1]):
                work.slow[p, r] = 0.0
                work.fast[p, r] = 0.0
                work.age[p, r] = 0.0
                work.before[p, r] = 0.0
                work.yields[p, r] = 1.0
                work.costs[p, r] = 1.0
                work.energies[p, r] = 1.0
    for r in range(work.brake.shape[0]):
        work.brake[r] = 1.0
        work.land_share[r] = 0.0
    return count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spread(s: int, f: int, q: int, count: int, inputs: Inputs, plans: Plans, work: Work) -> None:
    """Spread plans over regions, cut them to capacity, share out the excess where regions coordinate."""
    regions = work.base.shape[1]
    by_region = plans.regional.shape[0] > 0
    for i in range(count):
        p = work.active[i]
        over, spare = 0.0, 0.0
        for r in range(regions):
            wanted = plans.regional[f, q, p, r] if by_region else plans.world[f, p, q] * inputs.share[s, p, r]
            room = inputs.available[s, q, p, r]
            base = min(wanted, room)
            work.base[p, r] = base
            work.limited[p, r] = wanted - base
            over += wanted - base
            spare += room - base
        if plans.coordinated[f] and over > 0.0 and spare > 0.0:
            moved = min(over, spare)
            taken, left = moved / spare, 1.0 - moved / over
            for r in range(regions):
                room = inputs.available[s, q, p, r]
                base = work.base[p, r]
                work.base[p, r] = min(base + (room - base) * taken, room)
                work.limited[p, r] *= left


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _let_through(s: int, q: int, count: int, inputs: Inputs, work: Work) -> None:
    """Let the deployment mode and the setback of the last period through; hold the rest."""
    for i in range(count):
        p = work.active[i]
        for r in range(work.base.shape[1]):
            let = inputs.fraction[s, q, p, r] * work.brake[r]
            base = work.base[p, r]
            work.let[p, r] = let
            work.going[p, r] = base * let
            work.held[p, r] = base - base * let
            work.scarce[p, r] = 0.0
            work.moved[p, r] = 0.0
            work.gain[p, r] = 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _demand(s: int, count: int, amount: Floats, inputs: Inputs, work: Work, out: Floats) -> None:
    """Fill out (z, r): the resources that `amount` (p, r) needs."""
    for z in range(out.shape[0]):
        for r in range(out.shape[1]):
            out[z, r] = 0.0
    for i in range(count):
        p = work.active[i]
        for n in range(work.needed[p]):
            z = work.needs[p, n]
            use = inputs.use[s, p, z]
            for r in range(out.shape[1]):
                out[z, r] += use * amount[p, r]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _share_resources(
    s: int, f: int, q: int, first: int, count: int, inputs: Inputs, work: Work, out: Results
) -> None:
    """Scale down what oversubscribes a resource of a region, each pathway by its scarcest one."""
    resources, regions = work.used.shape
    if resources == 0:
        return
    _demand(s, count, work.going, inputs, work, work.used)
    binds = False
    for z in range(resources):
        for r in range(regions):
            over = work.used[z, r] > inputs.supply[s, q, z, r]
            work.factor[z, r] = inputs.supply[s, q, z, r] / work.used[z, r] if over else 1.0
            binds = binds or over
    if not binds:
        return
    for i in range(count):
        p = work.active[i]
        for r in range(regions):
            least, which = 1.0, -1
            for n in range(work.needed[p]):
                factor = work.factor[work.needs[p, n], r]
                if factor < least:
                    least, which = factor, work.needs[p, n]
            if which >= 0 and work.going[p, r] > 0.0:
                cut = work.going[p, r] * (1.0 - least)
                work.going[p, r] *= least
                work.scarce[p, r] = cut
                if out.scarcity.shape[0] > 0:
                    out.scarcity[first + s, f, which, q] += cut
    _demand(s, count, work.going, inputs, work, work.used)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _reallocate(s: int, q: int, count: int, inputs: Inputs, plans: Plans, work: Work) -> None:
    """Move what passive redundancy held to the recipients, within their room and the resources left."""
    resources, regions = work.used.shape
    headroom = inputs.headroom[s]
    if headroom <= 0.0:
        return
    for r in range(regions):
        pool, space = 0.0, 0.0
        for i in range(count):
            p = work.active[i]
            if plans.recipient[p]:
                work.gain[p, r] = headroom * (inputs.available[s, q, p, r] - work.base[p, r]) * work.let[p, r]
                space += work.gain[p, r]
            elif inputs.passive[s, q, p, r]:
                pool += work.held[p, r]
        moved = min(pool, space)
        taken = moved / space if space > 0.0 else 0.0
        for z in range(resources):
            work.want[z, r] = 0.0
        for i in range(count):
            p = work.active[i]
            if plans.recipient[p]:
                work.gain[p, r] *= taken
                for n in range(work.needed[p]):
                    z = work.needs[p, n]
                    work.want[z, r] += inputs.use[s, p, z] * work.gain[p, r]
        if moved <= 0.0:
            continue
        total = 0.0
        for i in range(count):
            p = work.active[i]
            if plans.recipient[p]:
                least = 1.0
                for n in range(work.needed[p]):
                    z = work.needs[p, n]
                    left = max(inputs.supply[s, q, z, r] - work.used[z, r], 0.0)
                    if work.want[z, r] > left:
                        least = min(least, left / work.want[z, r])
                work.gain[p, r] *= least
                total += work.gain[p, r]
        share = min(total / pool, 1.0)
        for i in range(count):
            p = work.active[i]
            if plans.recipient[p]:
                for n in range(work.needed[p]):
                    z = work.needs[p, n]
                    work.used[z, r] += inputs.use[s, p, z] * work.gain[p, r]
            elif inputs.passive[s, q, p, r]:
                work.moved[p, r] = work.held[p, r] * share


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _remember_losses(s: int, count: int, inputs: Inputs, work: Work) -> None:
    """Turn the share of each region's plan that was lost into the brake on its next period."""
    if inputs.setback[s] <= 0.0:
        return
    for r in range(work.brake.shape[0]):
        unmet, asked = 0.0, 0.0
        for i in range(count):
            p = work.active[i]
            unmet += work.limited[p, r] + work.scarce[p, r] + (work.held[p, r] - work.moved[p, r])
            asked += work.base[p, r] + work.limited[p, r]
        lost = min(max(unmet / asked, 0.0), 1.0) if asked > 0.0 else 0.0
        work.brake[r] = 1.0 - inputs.setback[s] * lost


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _couple(s: int, q: int, count: int, inputs: Inputs, plans: Plans, work: Work) -> None:
    """Work out the use of capacity, and what the use of one pathway does to another."""
    regions = work.base.shape[1]
    for i in range(count):
        p = work.active[i]
        for r in range(regions):
            captured = work.going[p, r] + work.gain[p, r]
            # Without capacity nothing is captured, so the infinite use of nothing is called 0.
            work.ratio[p, r] = captured / inputs.available[s, q, p, r] if captured > 0.0 else 0.0
    couplings = plans.coupling.shape[0]
    if couplings == 0:
        return
    for i in range(count):
        p = work.active[i]
        for r in range(regions):
            work.yields[p, r], work.costs[p, r], work.energies[p, r] = 1.0, 1.0, 1.0
    for k in range(couplings):
        # A pathway that is not active has no scratch of this portfolio: its use is 0.
        p, other, kind = plans.coupling[k, 0], plans.coupling[k, 1], plans.coupling[k, 2]
        here, there = False, False
        for i in range(count):
            here = here or work.active[i] == p
            there = there or work.active[i] == other
        if here and there:
            effect = inputs.effect[s, k]
            for r in range(regions):
                change = effect * work.ratio[other, r]
                if kind == YIELD:
                    work.yields[p, r] += change
                elif kind == COST_KIND:
                    work.costs[p, r] += change
                else:
                    work.energies[p, r] += change
    for i in range(count):
        p = work.active[i]
        for r in range(regions):
            work.yields[p, r] = min(max(work.yields[p, r], 0.0), 2.0)
            work.costs[p, r] = min(max(work.costs[p, r], 0.1), 10.0)
            work.energies[p, r] = min(max(work.energies[p, r], 0.1), 10.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _put(out: Results, flow: int, s: int, f: int, p: int, q: int, value: float) -> None:
    place = out.place[flow]
    if place >= 0:
        out.flows[place, s, f, p, q] = value


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _deploy(
    s: int, f: int, q: int, at: int, count: int, inputs: Inputs, plans: Plans, work: Work, out: Results
) -> None:
    """Write what became of plans, summed over regions: deployed, moved, and why the rest was lost."""
    for i in range(count):
        p = work.active[i]
        base, going, held, scarce, moved, gain = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for r in range(work.base.shape[1]):
            base += work.base[p, r]
            going += work.going[p, r]
            held += work.held[p, r]
            scarce += work.scarce[p, r]
            moved += work.moved[p, r]
            gain += work.gain[p, r]
        # Rounding may leave -1e-17 where nothing is lost.
        limited = max(plans.planned[f, p, q] - base, 0.0)
        withheld = max(held - moved, 0.0)
        _put(out, DEPLOYED, at, f, p, q, going)
        _put(out, REALLOCATED, at, f, p, q, moved)
        _put(out, RECEIVED, at, f, p, q, gain)
        _put(out, LIMITED, at, f, p, q, limited)
        _put(out, SCARCE, at, f, p, q, scarce)
        _put(out, WITHHELD, at, f, p, q, withheld)
        _put(out, LOST, at, f, p, q, limited + scarce + withheld)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _charge(
    s: int, f: int, q: int, at: int, count: int, inputs: Inputs, plans: Plans, work: Work, out: Results
) -> None:
    """Write cost and energy of what is captured, and its emissions outside the store."""
    regions = work.base.shape[1]
    length = plans.bounds[q + 1] - plans.bounds[q]
    slope, exponent = inputs.slope[s], inputs.exponent[s]
    curvature = slope / (exponent + 1.0)
    if plans.land >= 0:
        for r in range(regions):
            supply = inputs.supply[s, q, plans.land, r]
            shared = supply > 0.0 and supply < np.inf
            work.land_share[r] = work.used[plans.land, r] / supply if shared else 0.0
    for i in range(count):
        p = work.active[i]
        captured = 0.0
        for r in range(regions):
            captured += work.going[p, r] + work.gain[p, r]
        unit = inputs.cost[s, p]
        if inputs.learning[s, p] != 0.0 and inputs.experience[s, p] > 0.0:
            so_far = work.cumulative[p] + 0.5 * captured * length
            fall = (1.0 + so_far / inputs.experience[s, p]) ** inputs.learning[s, p]
            unit *= max(inputs.cost_floor[s, p], fall)
        work.cumulative[p] += captured * length
        cost, marginal, energy, process, young = 0.0, 0.0, 0.0, 0.0, 0.0
        ages = inputs.young[s, p] != 0.0
        for r in range(regions):
            here = work.going[p, r] + work.gain[p, r]
            if here > 0.0:
                rise = work.ratio[p, r] ** exponent if slope > 0.0 else 0.0
                price = unit * (1.0 + inputs.scarcity[s, p] * work.land_share[r]) * work.costs[p, r] * here
                paid = price * (1.0 + curvature * rise)
                cost += paid
                marginal += price * (1.0 + slope * rise)
                taken = inputs.energy[s, p] * here * work.energies[p, r]
                energy += taken
                process += taken * inputs.grid[s, q, r]
                if out.captured_in.shape[0] > 0:
                    out.captured_in[at, f, r, q] += here
                if out.cost_in.shape[0] > 0:
                    out.cost_in[at, f, r, q] += paid
            if ages:
                # What was there before grows older by the period, what is new by half of it.
                old = work.before[p, r]
                aged = (work.age[p, r] + length) * min(old, here) + 0.5 * length * max(0.0, here - old)
                work.age[p, r] = aged / here if here > 0.0 else 0.0
                work.before[p, r] = here
                young += here * math.exp(-work.age[p, r] / inputs.fade[s, p])
        foregone = inputs.foregone[s, p] * captured
        non_co2 = inputs.non_co2[s, p] * captured + inputs.young[s, p] * young
        _put(out, COST, at, f, p, q, cost)
        _put(out, MARGINAL_COST, at, f, p, q, marginal)
        _put(out, ENERGY, at, f, p, q, energy)
        _put(out, PROCESS, at, f, p, q, process)
        _put(out, FOREGONE, at, f, p, q, foregone)
        _put(out, NON_CO2, at, f, p, q, non_co2)
        # `_store` adds what is stored.
        _put(out, NET, at, f, p, q, -(process + foregone + non_co2))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _saturating(stock: float, inflow: float, rate: float, room: float, length: float) -> tuple[float, float]:
    """Return the closing stock and the mean flow turned away of a pool that holds at most `room`.

    ``dS/dt = g (1 - S/room) - k S`` has the rate ``k' = k + g/room`` and is solved exactly; the flow
    turned away is the mean of ``g S/room``.
    """
    rate = rate + inflow / room
    x = rate * length
    filled = -math.expm1(-x) / rate
    level = stock * filled + inflow * (length - filled) / rate
    return stock * math.exp(-x) + inflow * filled, min(inflow * level / (length * room), inflow)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _store(
    s: int, f: int, q: int, at: int, count: int, inputs: Inputs, plans: Plans, work: Work, out: Results
) -> None:
    """Enter what was captured into the ledgers; let stores fill, decay and be reversed."""
    length = plans.bounds[q + 1] - plans.bounds[q]
    for i in range(count):
        p = work.active[i]
        into, part = inputs.removal[s, p], inputs.fast_share[s, p]
        kept, filled = inputs.stores.kept[s, q, p], inputs.stores.filled[s, q, p]
        fast_kept, fast_filled = inputs.stores.fast_kept[s, q, p], inputs.stores.fast_filled[s, q, p]
        gross, captured, counted, saturated, durable, change = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for r in range(work.base.shape[1]):
            here = work.going[p, r] + work.gain[p, r]
            captured += here
            here *= work.yields[p, r]
            gross += here
            slow, fast = work.slow[p, r], work.fast[p, r]
            if into <= 0.0 or (here <= 0.0 and slow + fast <= 0.0):
                continue
            real = into * here * inputs.counted[s, p]
            inflow = (1.0 - part) * real
            room = inputs.room[s, p, r]
            away = 0.0
            if inflow > 0.0 and room < np.inf:
                closing, away = _saturating(slow, inflow, inputs.stores.rate[s, p], room, length)
            else:
                closing = slow * kept + inflow * filled
            survival = inputs.stores.survival[s, q, p, r]
            closing *= survival
            closing_fast = (fast * fast_kept + part * real * fast_filled) * survival
            change += (closing + closing_fast) - (slow + fast)
            work.slow[p, r], work.fast[p, r] = closing, closing_fast
            counted += real
            saturated += away
            durable += (real - away) * inputs.stores.durable[s, q, p, r]
        removed, stored = counted - saturated, change / length
        work.removed[p, q] = removed
        _put(out, COUPLED, at, f, p, q, gross - captured)
        _put(out, UNCOUNTED, at, f, p, q, gross * into * (1.0 - inputs.counted[s, p]))
        _put(out, SATURATED, at, f, p, q, saturated)
        _put(out, REMOVED, at, f, p, q, removed)
        _put(out, STORED, at, f, p, q, stored)
        _put(out, RETURNED, at, f, p, q, removed - stored)
        _put(out, AVOIDED, at, f, p, q, gross * inputs.avoided[s, p])
        _put(out, UTILISED, at, f, p, q, gross * inputs.utilised[s, p])
        _put(out, DURABLE, at, f, p, q, durable)
        if out.place[NET] >= 0:
            out.flows[out.place[NET], at, f, p, q] += stored


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _settle(
    s: int, f: int, at: int, count: int, inputs: Inputs, plans: Plans, work: Work, out: Results
) -> None:
    """Write what is decided at the end: credits after their delay, and the stock of the outlook."""
    periods = plans.bounds.shape[0] - 1
    for i in range(count):
        p = work.active[i]
        if out.place[CREDITED] >= 0 and plans.creditable[p]:
            delay = inputs.delay[s, p]
            for q in range(periods):
                start, end = plans.bounds[q], plans.bounds[q + 1]
                issued = work.removed[p, q] if delay == 0.0 else 0.0
                if delay > 0.0:
                    for other in range(q + 1):
                        begins = max(start, plans.bounds[other] + delay)
                        ends = min(end, plans.bounds[other + 1] + delay)
                        issued += work.removed[p, other] * max(0.0, ends - begins) / (end - start)
                out.flows[out.place[CREDITED], at, f, p, q] = issued
        if out.retained.shape[0] > 0:
            total = 0.0
            for r in range(work.base.shape[1]):
                total += work.slow[p, r] * inputs.stores.late[s, p, r]
                total += work.fast[p, r] * inputs.stores.fast_late[s, p, r]
            out.retained[at, f, p] = total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _run(first: int, inputs: Inputs, plans: Plans, work: Work, moves: Flags, out: Results) -> None:
    samples, periods = inputs.available.shape[:2]
    for s in range(samples):
        at = first + s
        _list_needs(s, inputs, work)
        _moves_possible(s, inputs, plans, moves)
        for f in range(plans.used.shape[0]):
            count = _activate(f, plans, moves, work)
            for q in range(periods):
                _spread(s, f, q, count, inputs, plans, work)
                _let_through(s, q, count, inputs, work)
                _share_resources(s, f, q, first, count, inputs, work, out)
                _reallocate(s, q, count, inputs, plans, work)
                _remember_losses(s, count, inputs, work)
                _couple(s, q, count, inputs, plans, work)
                _deploy(s, f, q, at, count, inputs, plans, work, out)
                _charge(s, f, q, at, count, inputs, plans, work, out)
                _store(s, f, q, at, count, inputs, plans, work, out)
                if out.resource_used.shape[0] > 0:
                    for z in range(work.used.shape[0]):
                        total = 0.0
                        for r in range(work.used.shape[1]):
                            total += work.used[z, r]
                        out.resource_used[at, f, z, q] = total
            _settle(s, f, at, count, inputs, plans, work, out)


def run(first: int, inputs: Inputs, plans: Plans, out: Results) -> None:
    """Simulate every portfolio on one block of samples, writing from row `first` on.

    The model is that of `engine.simulate_block`. The GIL is released, so blocks may run on threads;
    each writes its own rows only.
    """
    _, periods, pathways, regions = inputs.available.shape
    work = _work(periods, pathways, regions, inputs.use.shape[2])
    _run(first, inputs, plans, work, np.zeros(pathways, bool), out)
