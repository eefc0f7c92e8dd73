"""From the uniform vector to labelled inputs: `transform` for given points, `sample` for new ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc

from sinkrisk.arguments import Holding, checked
from sinkrisk.errors import InputError, Problem
from sinkrisk.inputs.blocks import SMALLEST, Floats, NetworkBlock
from sinkrisk.rng import RandomSource, generator, seed_of

if TYPE_CHECKING:
    import xarray as xr

    from sinkrisk.inputs.registry import Drivers

ROWS = 1024
"""Rows computed at once: bounds the memory of intermediate arrays; results do not depend on it."""

DRIVERS = Holding(origin="drivers come from sinkrisk.inputs.drivers")
OWN = Holding(kind="Any")
"""An argument of which the function says itself what is wrong."""

SHOWN = 5
"""Offending rows or drivers named in a message."""


@checked(drivers=DRIVERS, u=OWN)
def transform(drivers: Drivers, u: ArrayLike) -> xr.Dataset:
    """Turn points of the unit cube into inputs of a simulation.

    Parameters
    ----------
    drivers : Drivers
    u : array_like, shape (n, D)
        Columns in the order of ``drivers.names``, values in [0, 1]; clipped to
        [2^-53, 1 - 2^-53], so 0 and 1 are allowed.

    Returns
    -------
    Dataset
        Variables with `sample` first, units in attrs. Per pathway: ``potential`` and
        ``current_capacity`` GtCO2/yr, ``cost`` USD/tCO2, ``energy`` GJ/tCO2, ``growth_rate`` 1/yr,
        ``half_life`` yr (inf for a geological store), ``leakage_rate`` 1/yr, ``reversal_loss``,
        ``trl``, ``ecological_risk``, ``removal_share``; ``suitability_share(sample, pathway,
        region)`` sums to 1 over regions; ``mode(sample, class, region, period)`` codes full 0,
        throttled 1, passive_redundancy 2, collapse 3, and ``mode_fraction(sample, mode)`` in that
        order; ``shock(sample, region, period)``; ``cost_slope``, ``cost_exponent``,
        ``discount_rate``, ``reallocation_headroom``; ``land_sink_ratio`` and, with a budget,
        ``land_sink`` and ``ocean_sink`` GtC/yr and ``budget_draw``, the number of the posterior
        draw (chain-major) they belong to; with a network ``network_table``; ``probability`` 1/n.

        Accounting: ``additionality``, ``efficiency``, ``verification_delay`` yr (pathway). Shared
        (coord ``resource``, its unit in ``resource_unit``): ``resource_use(sample, pathway,
        resource)`` per GtCO2/yr, ``resource_supply(sample, resource, region, period)``;
        ``grid_intensity(sample, region, period)`` tCO2/GJ of power, ``power_share(sample, pathway)`` of the
        energy, ``heat_intensity(sample, period)`` tCO2/GJ of the rest, less ``own_fuel(sample, pathway)``
        of it that burns the pathway's own biomass. Couplings:
        ``coupling_effect(sample, coupling)`` with coords ``coupling_pathway``, ``coupling_with``,
        ``coupling_kind``. Cost: ``learning_rate``, ``experience`` GtCO2, ``cost_floor``, ``scarcity``
        (pathway). Side effects: ``foregone_regrowth``, ``non_co2``, ``non_co2_young``, ``non_co2_fade`` yr
        (inf: does not fade) (pathway). Stores: ``fast_share``, ``fast_half_life`` yr, ``saturation_years``
        yr (inf: no fast pool, never full) (pathway); ``hazard_exponent``, ``setback``, ``years_per_trl`` yr.
        Shocks: ``shock_severity(sample, region, period)``, lognormal of mean 1, correlated between
        regions by ``shock_correlation``; ``late_hazard(sample, region)`` 1/yr. With a budget the
        outlook's parameters, ``outlook_<name>``.

    Raises
    ------
    InputError
        When u is not two-dimensional, has another width, or holds a NaN or a value outside [0, 1];
        the message names drivers and rows.

    Notes
    -----
    A row's inputs depend on that row of u alone. xarray lists ``mode`` among the coordinates,
    because ``mode_fraction`` has a dimension of that name; ``drawn["mode"]`` reads it all the same.
    """
    points = _checked(drivers, u)
    out = drivers.allocate(points.shape[0])
    for rows in _blocks(points.shape[0]):
        _fill(drivers, points[rows], out, rows)
    return drivers.label(out)


@checked(drivers=DRIVERS, n=OWN)
def sample(drivers: Drivers, n: int, *, rng: RandomSource = None) -> xr.Dataset:
    """Draw inputs at n scrambled Sobol' points.

    Parameters
    ----------
    drivers : Drivers
    n : int
        Number of draws. Take a power of two: only then are the points balanced, which the dataset
        says in ``attrs["balanced"]``.
    rng : int, Generator or None

    Returns
    -------
    Dataset
        As from `transform`. Points are made and mapped in blocks, never all held at once.

    Raises
    ------
    InputError
        When n is not a positive integer.
    """
    _check_count(n)
    out = drivers.allocate(int(n))
    for rows, points in _points(drivers, int(n), rng):
        _fill(drivers, points, out, rows)
    drawn = drivers.label(out)
    drawn.attrs["design"] = "scrambled Sobol' points"
    drawn.attrs["balanced"] = int(n & (n - 1) == 0)
    return drawn


@checked(drivers=DRIVERS, n=OWN)
def network_states(drivers: Drivers, n: int, *, rng: RandomSource = None) -> xr.DataArray:
    """Return the states of all network nodes in the draws that `sample` makes of the same seed.

    Parameters
    ----------
    drivers : Drivers
        With a network.
    n : int
    rng : int, Generator or None
        What `sample` was given.

    Returns
    -------
    DataArray of int8, (sample, node)
        Codes; the states behind them are in the network's ``states``.

    Raises
    ------
    InputError
        When the drivers hold no network, or n is not a positive integer.
    """
    import xarray as xr

    _check_count(n)
    blocks = [block for block in drivers.blocks if isinstance(block, NetworkBlock)]
    if not blocks:
        raise InputError(Problem("no network among the drivers", hint="give drivers(..., network=load())"))
    network = blocks[0].network
    codes = np.empty((int(n), len(network)), dtype=np.int8)
    for rows, points in _points(drivers, int(n), rng):
        codes[rows] = blocks[0].states(points)[0]
    return xr.DataArray(
        codes,
        dims=("sample", "node"),
        coords={"sample": np.arange(int(n)), "node": list(network.order)},
        name="state",
        attrs={"units": "1", "network": network.name},
    )


def _check_count(n: int) -> None:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(
            Problem("number of draws must be a positive integer", got=n, key="n", hint="take a power of two")
        )


def _points(drivers: Drivers, n: int, rng: RandomSource) -> Iterator[tuple[slice, Floats]]:
    """Yield blocks of scrambled Sobol' points."""
    source = generator(rng)
    if not len(drivers):
        return
    engine = qmc.Sobol(len(drivers), scramble=True, rng=np.random.default_rng(seed_of(source)))
    for rows in _blocks(n):
        wanted = rows.stop - rows.start
        # A whole power of two is drawn even for a shorter last block: the sequence is the same
        # and scipy has nothing to warn of.
        points = engine.random(1 << (wanted - 1).bit_length())[:wanted]
        yield rows, np.clip(points, SMALLEST, 1.0 - SMALLEST)


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, ROWS):
        yield slice(start, min(start + ROWS, n))


def _fill(drivers: Drivers, u: Floats, out: dict[str, NDArray[Any]], rows: slice) -> None:
    view = {name: values[rows] for name, values in out.items()}
    for block in drivers.blocks:
        block.fill(u, view)


def _checked(drivers: Drivers, u: ArrayLike) -> Floats:
    try:
        points = np.asarray(u, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(Problem("u must be numbers", got=type(u).__name__)) from error
    width = len(drivers)
    if points.ndim != 2 or points.shape[1] != width:
        raise InputError(
            Problem(
                "u must have one row per sample and one column per driver",
                got=f"shape {points.shape}",
                allowed=f"(n, {width})",
                hint="a single point is u[None, :]" if points.shape == (width,) else None,
            )
        )
    if points.shape[0] == 0:
        raise InputError(Problem("u has no rows", allowed="at least one"))
    # Written so that NaN fails too.
    bad = ~((points >= 0.0) & (points <= 1.0))
    if bad.any():
        rows, columns = np.nonzero(bad)
        names = [drivers.names[c] for c in dict.fromkeys(columns.tolist())]
        listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        nans = int(np.isnan(points).sum())
        raise InputError(
            Problem(
                f"u holds {int(bad.sum())} values that are no probability ({nans} of them NaN), "
                f"in rows {', '.join(map(str, dict.fromkeys(rows.tolist()[:SHOWN])))} and drivers {listed}",
                got=float(points[rows[0], columns[0]]),
                allowed="[0, 1]",
            )
        )
    clipped: Floats = np.clip(points, SMALLEST, 1.0 - SMALLEST)
    return clipped
