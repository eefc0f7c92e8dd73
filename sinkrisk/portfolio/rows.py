"""What the rows of the kernel's stacked arrays are, and how arrays of a run are handed to it

Arrays of one shape are stacked, and a row is named by a constant (``w[GOING, p, r]``): numba counts
references for every array it takes out of a tuple, which cost four fifths of the time. Axes: s sample,
f portfolio, q period, p pathway, r region, z resource, k coupling; i counts the pathways a portfolio can
use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

KERNEL_FLOWS = (
    "deployed", "reallocated", "received", "limited", "scarce", "withheld", "lost", "coupled",
    "uncounted", "foregone", "saturated", "removed", "stored", "returned", "avoided", "utilised", "cost",
    "marginal_cost", "energy", "process", "non_co2", "net", "durable", "credited",
)  # fmt: skip
"""Flows (p, q) in the order of their codes below."""
(
    DEPLOYED, REALLOCATED, RECEIVED, LIMITED, SCARCE, WITHHELD, LOST, COUPLED,
    UNCOUNTED, FOREGONE, SATURATED, REMOVED, STORED, RETURNED, AVOIDED, UTILISED, COST,
    MARGINAL_COST, ENERGY, PROCESS, NON_CO2, NET, DURABLE, CREDITED,
) = range(24)  # fmt: skip

CELL_ROWS = ("available", "inverse", "fraction", "passive", "survival", "durable")
"""Rows of `Inputs.cell`: capacity and 1 / capacity (0 where there is none), what the mode lets through,
1 where the rest may move; what shocks leave; share of stored carbon left after 100 years."""
AVAILABLE, INVERSE, FRACTION, PASSIVE, SURVIVAL, KEPT_LONG = range(6)

SPOT_ROWS = ("share", "fullness", "late", "fast_late")
"""Rows of `Inputs.spot`: suitability share, 1 / the most a store can hold (0 without limit), share of the
slow and of the fast pool left at the end of 2200."""
SHARE, FULLNESS, LATE, FAST_LATE = range(4)

POOL_ROWS = ("kept", "filled", "fast_kept", "fast_filled")
"""Rows of `Inputs.pool`: `stores.period_factors` of the slow and of the fast pool."""
KEPT, FILLED, FAST_KEPT, FAST_FILLED = range(4)

PATH_ROWS = (
    "removal", "avoided", "utilised", "counted", "rate", "fast_share", "cost", "energy", "learning",
    "experience", "cost_floor", "scarcity", "foregone", "non_co2", "young", "fade", "delay",
)  # fmt: skip
"""Rows of `Inputs.path`: ledger shares, the share of the removal ledger that counts, loss rate of the slow
pool, unit cost, ..., log2(1 - learning rate), ...; units as in `variables`."""
(
    TO_REMOVAL, TO_AVOIDED, TO_UTILISED, COUNTED, RATE, FAST_SHARE, UNIT_COST, UNIT_ENERGY, LEARNING,
    EXPERIENCE, COST_FLOOR, SCARCITY, FOREGONE_SHARE, STEADY, YOUNG, FADE, DELAY,
) = range(17)  # fmt: skip

ALONE_ROWS = ("headroom", "setback", "slope", "exponent")
HEADROOM, SETBACK, SLOPE, EXPONENT = range(4)

YIELD, COST_KIND, ENERGY_KIND = range(3)
"""Codes of the kinds of coupling, in the order of `variables.COUPLING_KINDS`."""

# Rows of the scratch (row, p, r), (row, z, r) and (row, r).
(
    BASE, UNPLACED, LET, GOING, HELD, CUT, MOVED, GAIN, CAPTURED, USE, YIELDS, COSTS, ENERGIES,
    SLOW, FAST, AGE, BEFORE,
) = range(17)  # fmt: skip
IN_USE, FACTOR, WANTED = range(3)
BRAKE, LAND_SHARE, POOLED = range(3)


class Inputs(NamedTuple):
    """One block of samples.

    ``cell`` (s, row, q, p, r), ``spot`` (s, row, p, r), ``pool`` (s, row, q, p),
    ``path`` (s, row, p), ``alone`` (s, row); ``need`` (s, p, z) and ``supply`` (s, q, z, r) of resources;
    ``effect`` (s, k) of couplings; ``grid`` (s, q, r), tCO2/GJ.
    """

    cell: Floats
    spot: Floats
    pool: Floats
    path: Floats
    alone: Floats
    need: Floats
    supply: Floats
    effect: Floats
    grid: Floats


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
