"""The simulation kernel: one scalar loop over samples, portfolios, periods and active pathways

Numba, sample axis first. Everything that does not depend on the portfolio comes ready made from `gate`
and `stores`; everything of one sample and portfolio stays in a few kilobytes of scratch, so that memory
is touched once per outcome. The steps are those of `allotting` and `accounting`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba
import numpy as np

from sinkrisk.portfolio import accounting, allotting, rows
from sinkrisk.portfolio.accounting import charge, deploy, disturb, issue, store
from sinkrisk.portfolio.allotting import (
    activate,
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
    EXPONENT,
    FAST,
    FAST_LATE,
    HEADROOM,
    IN_USE,
    KERNEL_FLOWS,
    LATE,
    SETBACK,
    SLOPE,
    SLOW,
    Floats,
    Inputs,
    Ints,
    Plans,
    Results,
)


@numba.njit(nogil=True, error_model="numpy")
def _write(
    at: int, f: int, active: Ints, spot: Floats, w: Floats, o: Floats, by_region: Floats, by_resource: Floats,
    out: Results,
) -> None:  # fmt: skip
    """Copy the outcomes that are wanted of one sample and portfolio to where they go."""
    flows, chosen, retained = out.flows, out.chosen, out.retained
    periods = o.shape[2]
    for row in range(chosen.shape[0]):
        for i in range(active.shape[0]):
            for q in range(periods):
                flows[row, at, f, active[i], q] = o[chosen[row], active[i], q]
    if retained.shape[0] > 0:
        for i in range(active.shape[0]):
            p = active[i]
            left = 0.0
            for r in range(w.shape[2]):
                left += w[SLOW, p, r] * spot[LATE, p, r] + w[FAST, p, r] * spot[FAST_LATE, p, r]
            retained[at, f, p] = left
    if out.captured_in.shape[0] > 0:
        out.captured_in[at, f] = by_region[0]
    if out.cost_in.shape[0] > 0:
        out.cost_in[at, f] = by_region[1]
    if out.resource_used.shape[0] > 0:
        out.resource_used[at, f] = by_resource[0]
    if out.scarcity.shape[0] > 0:
        out.scarcity[at, f] = by_resource[1]


def _compile(sources: str) -> Any:
    """Return the compiled kernel.

    numba's cache looks only at the file of the function it compiles; the digest of all sources, a free
    variable, makes the key of the cache change with any of them.
    """

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(first: int, inputs: Inputs, plans: Plans, out: Results) -> None:
        """Simulate every portfolio on one block of samples, writing from row `first` on.

        The model is that of `engine.simulate_block`. The GIL is released, so blocks may run on threads;
        each writes its own rows only.
        """
        key = sources  # noqa: F841
        samples, _, periods, pathways, regions = inputs.cell.shape
        resources = inputs.need.shape[2]
        world, regional, planned, used, bounds = (
            plans.world, plans.regional, plans.planned, plans.used, plans.bounds,
        )  # fmt: skip
        recipient, creditable, coupling, land = plans.recipient, plans.creditable, plans.coupling, plans.land
        # Unsigned, so that an index is not first asked whether it counts from the end.
        listed: Any = np.zeros(pathways, np.uintp)
        moves, is_active = np.zeros(pathways, np.bool_), used[0].copy()
        needs, needed = np.zeros((pathways, resources), np.int64), np.zeros(pathways, np.int64)
        w, o = np.zeros((17, pathways, regions)), np.zeros((len(KERNEL_FLOWS), pathways, periods))
        shared, region = np.zeros((3, resources, regions)), np.zeros((3, regions))
        by_region, by_resource = np.zeros((2, regions, periods)), np.zeros((2, resources, periods))
        for s in range(samples):
            cell, spot, pool, path = inputs.cell[s], inputs.spot[s], inputs.pool[s], inputs.path[s]
            need, supply, effect, grid = inputs.need[s], inputs.supply[s], inputs.effect[s], inputs.grid[s]
            headroom, setback = inputs.alone[s, HEADROOM], inputs.alone[s, SETBACK]
            slope, exponent = inputs.alone[s, SLOPE], inputs.alone[s, EXPONENT]
            list_needs(need, needs, needed)
            may_move(cell, headroom, recipient, moves)
            for f in range(used.shape[0]):
                active = listed[: activate(f, used, recipient, moves, listed, w)]
                is_active[:] = False
                for i in range(active.shape[0]):
                    is_active[active[i]] = True
                region[BRAKE] = 1.0
                for q in range(periods):
                    length = bounds[q + 1] - bounds[q]
                    spread(f, q, active, world, regional, plans.takes[f], cell, spot, w)
                    let_through(q, active, cell, w, region)
                    if resources > 0:
                        share_resources(q, active, need, needs, needed, supply, w, shared, by_resource[1])
                    reallocate(
                        q, active, recipient, headroom, need, needs, needed, supply, cell, w, shared, region
                    )
                    if setback > 0.0:
                        remember_losses(active, setback, w, region)
                    couple(q, active, is_active, coupling, effect, cell, w)
                    deploy(f, q, active, planned, w, o)
                    charge(
                        q, active, path, slope, exponent, grid, bounds, land, supply, w, shared, region, o,
                        by_region,
                    )  # fmt: skip
                    disturb(q, active, path, length, w, o)
                    store(q, active, path, pool, spot, cell, length, w, o)
                    for z in range(resources):
                        in_use = 0.0
                        for r in range(regions):
                            in_use += shared[IN_USE, z, r]
                        by_resource[0, z, q] = in_use
                issue(active, creditable, path, bounds, o)
                _write(first + s, f, active, spot, w, o, by_region, by_resource, out)

    return run


_SOURCES = [Path(str(m.__file__)) for m in (rows, allotting, accounting)] + [Path(__file__)]
run = _compile(hashlib.sha256(b"".join(p.read_bytes() for p in _SOURCES)).hexdigest())
