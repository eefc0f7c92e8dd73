"""The simulation kernel: one loop over tiles of samples, portfolios, periods and active pathways

Numba, sample axis first. Everything that does not depend on the portfolio comes ready made from `gate`
and `stores`; everything of one tile and portfolio stays in scratch of a few hundred kilobytes, which the
cache holds, so that memory is touched once per outcome. The steps are those of `allotting` and `accounting`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba
import numpy as np

from sinkrisk.portfolio import accounting, allotting, elementary, rows
from sinkrisk.portfolio.accounting import charge, deploy, disturb, issue, list_stores, store
from sinkrisk.portfolio.allotting import (
    activate,
    any_positive,
    couple,
    let_through,
    list_needs,
    may_move,
    reallocate,
    remember_losses,
    share_resources,
    spread,
)
from sinkrisk.portfolio.rows import (
    BRAKE,
    CAPTURED,
    COST,
    CREDITED,
    FAST,
    FAST_LATE,
    FLOW_SCRATCH,
    IN_USE,
    LANES,
    LATE,
    MARGINAL_COST,
    PAID,
    POOL_SCRATCH,
    REGION_SCRATCH,
    SETBACK,
    SLOW,
    SPOT_SCRATCH,
    STEP_SCRATCH,
    Floats,
    Inputs,
    Ints,
    Plans,
    Results,
)


@numba.njit(nogil=True, error_model="numpy")
def _write(
    at: int, count: int, f: int, active: Ints, late: Floats, w: Floats, o: Floats, in_use: Floats,
    scarcity: Floats, out: Results,
) -> None:  # fmt: skip
    """Copy the outcomes that are wanted of one tile and portfolio to the `count` rows from `at` on.

    Adding 0 turns -0 into 0: what no plan asks for is the same whatever other samples share the tile.
    """
    flows, chosen, retained = out.flows, out.chosen, out.retained
    periods = o.shape[1]
    for row in range(chosen.shape[0]):
        first = chosen[row] * LANES
        for k in range(count):
            for i in range(active.shape[0]):
                for q in range(periods):
                    flows[row, at + k, f, active[i], q] = o[active[i], q, first + k] + 0.0
    if retained.shape[0] > 0:
        for i in range(active.shape[0]):
            p = active[i]
            for k in range(count):
                left = 0.0
                for r in range(w.shape[1]):
                    left += w[p, r, SLOW + k] * late[p, r, LATE + k]
                    left += w[p, r, FAST + k] * late[p, r, FAST_LATE + k]
                retained[at + k, f, p] = left
    _spill(at, count, f, in_use, out.resource_used)
    _spill(at, count, f, scarcity, out.scarcity)


@numba.njit(nogil=True, error_model="numpy")
def _write_regions(
    at: int, count: int, f: int, q: int, row: int, active: Ints, w: Floats, target: Floats
) -> None:
    """Copy one row of the scratch, summed over pathways, to a target (sample, portfolio, region, period)."""
    if target.shape[0] == 0:
        return
    for k in range(count):
        for r in range(w.shape[1]):
            total = 0.0
            for i in range(active.shape[0]):
                total += w[active[i], r, row + k]
            target[at + k, f, r, q] = total


@numba.njit(nogil=True, error_model="numpy")
def _spill(at: int, count: int, f: int, values: Floats, target: Floats) -> None:
    """Copy values (row, period, lane) to a target (sample, portfolio, row, period), where it is wanted."""
    if target.shape[0] == 0:
        return
    for k in range(count):
        for row in range(values.shape[0]):
            for q in range(values.shape[1]):
                target[at + k, f, row, q] = values[row, q, k] + 0.0


def _compile(sources: str) -> Any:
    """Return the compiled kernel.

    numba's cache looks only at the file of the function it compiles; the digest of all sources, a free
    variable, makes the key of the cache change with any of them.
    """

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(first_row: int, inputs: Inputs, plans: Plans, out: Results) -> None:
        """Simulate every portfolio on one block of samples, writing from `first_row` on.

        The model is that of `engine.simulate_block`. The GIL is released, so blocks may run on threads;
        each writes its own rows only.
        """
        key = sources  # noqa: F841
        tiles, periods, pathways, regions, _ = inputs.cell.shape
        resources, lanes = inputs.need.shape[2], inputs.lanes
        world, regional, planned, used, takes, bounds = (
            plans.world, plans.regional, plans.planned, plans.used, plans.takes, plans.bounds,
        )  # fmt: skip
        recipient, creditable, coupling, land = plans.recipient, plans.creditable, plans.coupling, plans.land
        # What nobody asked for costs no time.
        priced, credited, booked = out.cost_in.shape[0] > 0, False, out.scarcity.shape[0] > 0
        for row in range(out.chosen.shape[0]):
            first = out.chosen[row] * LANES
            priced = priced or first in (COST, MARGINAL_COST)
            credited = credited or first == CREDITED
        # Unsigned, so that an index is not first asked whether it counts from the end.
        listed: Any = np.zeros(pathways, np.uintp)
        moves, is_active = np.zeros(pathways, np.bool_), used[0].copy()
        bounded, ageing, keeping = is_active.copy(), is_active.copy(), is_active.copy()
        needs, needed = np.zeros((pathways, resources), np.int64), np.zeros(pathways, np.int64)
        w = np.zeros((pathways, regions, SPOT_SCRATCH * LANES))
        o = np.zeros((pathways, periods, FLOW_SCRATCH * LANES))
        shared = np.zeros((resources, regions, POOL_SCRATCH * LANES))
        region = np.zeros((regions, REGION_SCRATCH * LANES))
        x = np.zeros(STEP_SCRATCH * LANES)
        in_use, scarcity = np.zeros((resources, periods, LANES)), np.zeros((resources, periods, LANES))
        for t in range(tiles):
            cell, late, path, alone = inputs.cell[t], inputs.late[t], inputs.path[t], inputs.alone[t]
            need, supply, effect = inputs.need[t], inputs.supply[t], inputs.effect[t]
            at, count = first_row + t * LANES, min(LANES, inputs.samples - t * LANES)
            set_back = any_positive(alone, SETBACK, lanes)
            list_needs(need, needs, needed)
            list_stores(cell, path, bounded, ageing, keeping, lanes)
            may_move(cell, alone, recipient, moves, lanes)
            for f in range(used.shape[0]):
                active = listed[: activate(f, used, recipient, moves, listed, w, lanes)]
                is_active[:] = False
                for i in range(active.shape[0]):
                    is_active[active[i]] = True
                for r in range(regions):
                    for k in range(lanes):
                        region[r, BRAKE + k] = 1.0
                for q in range(periods):
                    length = bounds[q + 1] - bounds[q]
                    spread(f, q, active, world, regional, takes, cell, w, x, lanes)
                    let_through(q, active, cell, w, region, lanes)
                    if resources > 0:
                        share_resources(
                            q, active, need, needs, needed, supply, w, shared, booked, scarcity, x, lanes
                        )
                    reallocate(
                        q, active, recipient, alone, need, needs, needed, supply, cell, w, shared, region, x,
                        lanes,
                    )  # fmt: skip
                    if set_back:
                        remember_losses(active, alone, w, region, x, lanes)
                    couple(q, active, is_active, coupling, effect, cell, w, lanes)
                    deploy(f, q, active, planned, cell, path, w, o, lanes)
                    _write_regions(at, count, f, q, CAPTURED, active, w, out.captured_in)
                    if priced:
                        charge(q, active, path, bounds, land, supply, w, shared, region, o, x, lanes)
                        _write_regions(at, count, f, q, PAID, active, w, out.cost_in)
                    disturb(q, active, ageing, path, length, w, o, lanes)
                    store(q, active, bounded, keeping, path, cell, length, w, o, lanes)
                    for z in range(resources):
                        for k in range(lanes):
                            in_use[z, q, k] = 0.0
                        for r in range(regions):
                            for k in range(lanes):
                                in_use[z, q, k] += shared[z, r, IN_USE + k]
                if credited:
                    issue(active, creditable, path, bounds, o, lanes)
                _write(at, count, f, active, late, w, o, in_use, scarcity, out)

    return run


_SOURCES = [Path(str(m.__file__)) for m in (rows, elementary, allotting, accounting)] + [Path(__file__)]
run = _compile(hashlib.sha256(b"".join(p.read_bytes() for p in _SOURCES)).hexdigest())
