"""What the rows of the kernel's stacked arrays are, and how arrays of a run are handed to it

The kernel works on tiles of `LANES` samples at once: what is the same arithmetic for all of them becomes
vector instructions. Arrays of one shape are stacked with the samples of the tile last, and a row is named by
the constant at which it begins (``w[p, r, GOING + lane]``): distances between rows that the compiler knows
need no test whether they overlap. Axes: t tile, s sample, f portfolio, q period, p pathway, r region,
z resource, k coupling; i counts the pathways a portfolio can use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

LANES = 16
"""Samples of a tile: enough for the widest vectors, few enough for a tile's scratch to stay in the cache."""

KERNEL_FLOWS = (
    "deployed", "reallocated", "received", "limited", "scarce", "withheld", "lost", "coupled",
    "uncounted", "foregone", "saturated", "removed", "stored", "returned", "avoided", "utilised", "cost",
    "marginal_cost", "energy", "process", "non_co2", "net", "durable", "credited",
)  # fmt: skip
"""Flows (p, q), in the order of their rows below."""
(
    DEPLOYED, REALLOCATED, RECEIVED, LIMITED, SCARCE, WITHHELD, LOST, COUPLED,
    UNCOUNTED, FOREGONE, SATURATED, REMOVED, STORED, RETURNED, AVOIDED, UTILISED, COST,
    MARGINAL_COST, ENERGY, PROCESS, NON_CO2, NET, DURABLE, CREDITED,
) = range(0, 24 * LANES, LANES)  # fmt: skip

CELL_ROWS = (
    "available", "inverse", "fraction", "passive", "survival", "durable", "share", "fullness", "emission",
)  # fmt: skip
"""Rows of `Inputs.cell`: capacity and 1 / capacity (0 where there is none), what the mode lets through,
1 where the rest may move; what shocks leave; share of stored carbon left after 100 years; suitability share,
1 / the most a store can hold (0 without limit), tCO2 per GJ of energy used."""
AVAILABLE, INVERSE, FRACTION, PASSIVE, SURVIVAL, KEPT_LONG, SHARE, FULLNESS, EMISSION = range(
    0, 9 * LANES, LANES
)

LATE_ROWS = ("late", "fast_late")
"""Rows of `Inputs.late`: share of the slow and of the fast pool left at the end of 2200."""
LATE, FAST_LATE = range(0, 2 * LANES, LANES)

PATH_ROWS = (
    "removal", "avoided", "utilised", "counted", "rate", "fast_share", "cost", "energy", "learning",
    "experience", "cost_floor", "scarcity", "foregone", "non_co2", "young", "fade", "delay", "slope",
    "exponent", "kept", "filled", "fast_kept", "fast_filled",
)  # fmt: skip
"""Rows of `Inputs.path`: ledger shares, the share of the removal ledger that counts, loss rate of the slow
pool, unit cost, ..., log2(1 - learning rate), ...; slope and exponent of the marginal cost;
`stores.period_factors` of the slow and of the fast pool; units as in `variables`."""
(
    TO_REMOVAL, TO_AVOIDED, TO_UTILISED, COUNTED, RATE, FAST_SHARE, UNIT_COST, UNIT_ENERGY, LEARNING,
    EXPERIENCE, COST_FLOOR, SCARCITY, FOREGONE_SHARE, STEADY, YOUNG, FADE, DELAY, SLOPE,
    EXPONENT, KEPT, FILLED, FAST_KEPT, FAST_FILLED,
) = range(0, 23 * LANES, LANES)  # fmt: skip

ALONE_ROWS = ("headroom", "setback")
HEADROOM, SETBACK = range(0, 2 * LANES, LANES)

YIELD, COST_KIND, ENERGY_KIND = range(3)
"""Codes of the kinds of coupling, in the order of `variables.COUPLING_KINDS`."""

# Rows of the scratch (p, r), (z, r), (r), and of what one step needs by itself.
SPOT_SCRATCH, POOL_SCRATCH, REGION_SCRATCH, STEP_SCRATCH = 20, 3, 3, 9
(
    BASE, UNPLACED, LET, GOING, HELD, CUT, MOVED, GAIN, CAPTURED, USE, YIELDS, COSTS, ENERGIES,
    SLOW, FAST, AGE, BEFORE, PAID, LEAST, WHICH,
) = range(0, SPOT_SCRATCH * LANES, LANES)  # fmt: skip
IN_USE, FACTOR, WANTED = range(0, POOL_SCRATCH * LANES, LANES)
BRAKE, LAND_SHARE, POOLED = range(0, REGION_SCRATCH * LANES, LANES)
OVER, SPARE, SPACE, TOTAL, PART, TIGHT, UNMET, ASKED, FALL = range(0, STEP_SCRATCH * LANES, LANES)

# Rows behind the flows (p, q): what is gathered over regions on the way to them.
GROSS, CHANGE, FRESH, UNIT = range(24 * LANES, 28 * LANES, LANES)
FLOW_SCRATCH = 28


class Inputs(NamedTuple):
    """One block of samples in tiles; the last tile is filled up with the block's last sample.

    ``cell`` (t, q, p, r), ``late`` (t, p, r), ``path`` (t, q, p), ``alone`` (t), each with its rows of lanes
    last: what one loop reads lies in few arrays, for it must be tested of each that it does not overlap what
    the loop writes. ``need`` (t, p, z, lane) and ``supply`` (t, q, z, r, lane) of resources; ``effect``
    (t, coupling, lane). ``samples`` are those of the block; ``lanes`` is LANES, told at run time: a loop of
    known length would be written out in full instead of as vectors.
    """

    cell: Floats
    late: Floats
    path: Floats
    alone: Floats
    need: Floats
    supply: Floats
    effect: Floats
    samples: int
    lanes: int


class Plans(NamedTuple):
    """What is the same in every sample.

    ``world`` (f, q, p) or ``regional`` (f, q, p, r) GtCO2/yr, the other empty; ``planned`` (f, q, p)
    its sum over regions; ``used`` (f, p); ``bounds`` (q + 1,) years; ``takes`` (f, r) whether the region
    takes over what another cannot place, nowhere where a portfolio's regions do not coordinate;
    ``recipient, creditable`` (p,); ``coupling`` (k, 3): pathway, with, kind; ``land`` index or -1.
    """

    world: Floats
    regional: Floats
    planned: Floats
    used: Flags
    takes: Flags
    bounds: Floats
    recipient: Flags
    creditable: Flags
    coupling: Ints
    land: int


class Results(NamedTuple):
    """Where outcomes go; zero beforehand, since only pathways in use are written.

    ``chosen`` (row,) is the code of each row of ``flows`` (row, s, f, p, q); ``retained`` (s, f, p),
    ``captured_in, cost_in`` (s, f, r, q), ``resource_used, scarcity`` (s, f, z, q) have no samples
    where they are not wanted.
    """

    chosen: Ints
    flows: Floats
    retained: Floats
    captured_in: Floats
    cost_in: Floats
    resource_used: Floats
    scarcity: Floats
