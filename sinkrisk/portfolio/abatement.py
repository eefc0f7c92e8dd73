"""Marginal abatement cost curves: how much each price calls forth, by region and period, with its band

A curve is read from price to tonnes, both of what counts: at a price p every pathway is used until the
marginal cost ``c0 (1 + a u^eta)`` of a captured tonne reaches p times the part of it that counts, and the
counted tonnes of all pathways are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk
from sinkrisk.errors import Problems
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.measuring import weights_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

WORLD = "world"
STATISTICS: tuple[str, ...] = ("mean", "median", "low", "high")
LEDGERS: tuple[str, ...] = ("removal", "avoided", "utilisation")


def use_at_price(price: Floats, cost: Floats, slope: Floats, exponent: Floats) -> Floats:
    """Return the use of a pathway's capacity at which its marginal cost reaches a price.

    Parameters
    ----------
    price, cost : ndarray
        USD/tCO2; `cost` is c0, that of the first tonne.
    slope, exponent : ndarray
        a and eta of ``mc(u) = c0 (1 + a u^eta)``, not negative.

    Returns
    -------
    ndarray
        ``u = ((p / c0 - 1) / a)^(1 / eta)`` between 0 and 1, the exact inverse; without a slope all or
        nothing, and at no cost (c0 of 0 or below, whose marginal cost does not rise) all at any price.

    Examples
    --------
    >>> use_at_price(np.array([90.0, 100.0, 150.0, 999.0]), *map(np.array, (100.0, 2.0, 1.0)))
    array([0.  , 0.  , 0.25, 1.  ])
    """
    price, cost, slope, exponent = np.broadcast_arrays(price, cost, slope, exponent)
    dear = cost > 0.0
    over = np.maximum(price / np.where(dear, cost, 1.0) - 1.0, 0.0)
    rising = dear & (slope > 0.0) & (exponent > 0.0)
    # An exponent of 0 makes the first tonne as dear as the last: all or nothing at c0 (1 + a).
    flat_cost = np.where(dear & (exponent == 0.0), cost * (1.0 + slope), cost)
    share = np.minimum(over / np.where(rising, slope, 1.0), 1.0)
    bent = share ** (1.0 / np.where(rising, exponent, 1.0))
    return np.asarray(np.where(rising, bent, np.where(price >= flat_cost, 1.0, 0.0)))


@checked()
def abatement_curves(
    drawn: xr.Dataset,
    *,
    prices: ArrayLike,
    region: str | Sequence[str] | None = None,
    period: str | Sequence[str] | None = None,
    level: float = 0.9,
    ledgers: Sequence[str] = ("removal",),
    institutions: bool = True,
    block: int = 256,
) -> xr.Dataset:
    """Return marginal abatement cost curves with their uncertainty bands.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``).
    prices : array_like, (price,)
        USD per tonne that counts (of CO2 removed, with the ledger of removal), rising: the levels at
        which the curves are evaluated.
    region, period : str or sequence of str, optional
        Which ones; all when left out, after the ``world``, the sum of all regions.
    level : float
        Mass of the equal-tailed band of the tonnes at a given price.
    ledgers : sequence of {"removal", "avoided", "utilisation"}
        What counts as tonnes: removal alone when left out, of which only what is additional and reaches
        the store counts, less regrowth given up (``additionality * efficiency - foregone_regrowth``, at
        least 0, as in `simulate`); utilisation pathways count by `removal_share`.
    institutions : bool
        Whether a pathway's use stops at the share that its deployment mode lets through, as in
        `simulate`.
    block : int
        Samples worked on at once; never changes a result.

    Returns
    -------
    Dataset
        ``supply`` (region, period, price, statistic), GtCO2/yr: mean, median, low and high of the
        counted tonnes a year of which each costs at most the price; ``by_pathway`` (pathway, region,
        period, price), GtCO2/yr: what of the mean each pathway gives. Attributes ``interval_kind``,
        ``interval_mass``, ``ledgers``.

    Raises
    ------
    InputError
        For prices that do not rise, an unknown region, period or ledger, a level out of range, and
        everything wrong with `drawn`, before anything is computed.

    Notes
    -----
    Capacities are those of `capacity`, so that growth, the matching gate and suitability are in the
    curve; what pathways take from one another of a shared resource, learning and scarcity are not: it
    is the curve that the first decision of a period meets, at today's costs. `simulate` states cost per
    tonne captured; here all of it is borne by what counts, c of every captured tonne: a pathway is used
    until ``c0 (1 + a u^eta) / c`` reaches the price. What a pathway gives beside it - products, say, on a
    curve of removal alone - earns nothing, so that the curves of single ledgers do not add up to that of
    all. What counts for nothing (c = 0) is on no curve at any price. Supply at a price is not price at a
    supply: the band is read across, at a given price.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> curves = abatement_curves(inputs.sample(inputs.drivers(), 16, rng=1), prices=[50, 100, 400])
    >>> bool((curves["supply"].diff("price") >= 0.0).all())
    True
    """
    from sinkrisk.portfolio.simulation import capacity

    grid, regions, periods = _checked(drawn, prices, region, period, level, ledgers)
    room = capacity(drawn)
    weight = weights_of(drawn["cost"], drawn["probability"].values if "probability" in drawn else None)
    given = None if np.ptp(weight) <= 1e-15 else weight
    counted = _ledger_share(drawn, ledgers)
    dims = ("sample", "pathway", "region", "period")
    available = room["available"].transpose(*dims).values
    limit = room["deployable_fraction"].transpose(*dims).values if institutions else np.ones_like(available)
    cost = drawn["cost"].transpose("sample", "pathway").values
    slope, exponent = (drawn[name].values[:, None] for name in ("cost_slope", "cost_exponent"))
    names = [str(v) for v in drawn["region"].values]
    picked = [names.index(r) for r in regions if r != WORLD]
    at = [[str(v) for v in drawn["period"].values].index(q) for q in periods]
    n = len(cost)
    total = np.empty((len(regions), len(at), grid.size, n))
    by_pathway = np.zeros((cost.shape[1], len(regions), len(at), grid.size))
    for start in range(0, n, block):
        some = slice(start, start + block)
        tonnes = available[some][..., at] * counted[some, :, None, None]
        for k, price in enumerate(grid):
            # Price times what counts, not cost over it: that is the same, and 0 where nothing counts.
            use = use_at_price(price * counted[some], cost[some], slope[some], exponent[some])
            supply = tonnes * np.minimum(use[:, :, None, None], limit[some][..., at])
            here = [
                supply[:, :, r] if r is not None else supply.sum(axis=2) for r in _places(regions, picked)
            ]
            for i, one in enumerate(here):
                total[i, :, k, some] = one.sum(axis=1).T
                by_pathway[:, i, :, k] += np.tensordot(weight[some], one, axes=1)
    masses = [0.5, (1.0 - level) / 2.0, (1.0 + level) / 2.0]
    numbers = np.concatenate(
        [(total @ weight)[..., None], risk.quantile(total, masses, probability=given)], axis=-1
    )
    return xr.Dataset(
        {
            "supply": (("region", "period", "price", "statistic"), numbers, {"units": "GtCO2/yr"}),
            "by_pathway": (("pathway", "region", "period", "price"), by_pathway, {"units": "GtCO2/yr"}),
        },
        coords={
            "pathway": [str(v) for v in drawn["pathway"].values],
            "region": regions,
            "period": periods,
            "price": ("price", grid, {"units": "USD/tCO2", "long_name": "price of a tonne that counts"}),
            "statistic": list(STATISTICS),
        },
        attrs={
            "interval_kind": "equal-tailed",
            "interval_mass": level,
            "ledgers": ", ".join(ledgers),
            "draws": n,
        },
    )


@checked()
def abatement_table(curves: xr.Dataset) -> pd.DataFrame:
    """Return curves as a tidy table.

    Parameters
    ----------
    curves : Dataset
        From `abatement_curves`.

    Returns
    -------
    DataFrame
        region, period, price (USD per tonne that counts), mean, median, low, high (GtCO2/yr), unit,
        interval_kind, interval_mass.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> table = abatement_table(abatement_curves(drawn, prices=[100, 400], region="world"))
    >>> table.loc[table["period"] == "long_term", ["region", "price", "unit"]]
      region  price      unit
    4  world  100.0  GtCO2/yr
    5  world  400.0  GtCO2/yr
    """
    import pandas as pd

    supply = curves["supply"].transpose("region", "period", "price", "statistic")
    rows = [
        {
            "region": str(region),
            "period": str(period),
            "price": float(price),
            **dict(zip(STATISTICS, map(float, supply.values[r, q, k]), strict=True)),
            "unit": "GtCO2/yr",
            "interval_kind": str(curves.attrs["interval_kind"]),
            "interval_mass": float(curves.attrs["interval_mass"]),
        }
        for r, region in enumerate(supply["region"].values)
        for q, period in enumerate(supply["period"].values)
        for k, price in enumerate(supply["price"].values)
    ]
    return pd.DataFrame(rows)


@checked()
def abatement_sentence(curves: xr.Dataset, *, price: float | None = None) -> str:
    """Return what the curves say of the last period at one price.

    Parameters
    ----------
    curves : Dataset
        From `abatement_curves`.
    price : float, optional
        USD per tonne that counts, the nearest evaluated; the middle one when left out.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> text = abatement_sentence(abatement_curves(drawn, prices=[100, 400]))
    >>> print(text[: text.index(" can ")])
    At 400 USD per counted tonne of CO2 all regions together
    """
    grid = curves["price"].values
    chosen = float(grid[len(grid) // 2] if price is None else grid[np.abs(grid - price).argmin()])
    regions = [str(v) for v in curves["region"].values]
    where = WORLD if WORLD in regions else regions[0]
    # A run of some regions has no world.
    name = "all regions together" if where == WORLD else where.replace("_", " ")
    one = curves.sel(region=where, price=chosen).isel(period=-1)
    low, middle, high = (float(one["supply"].sel(statistic=s)) for s in ("low", "median", "high"))
    parts = one["by_pathway"].values
    text = (
        f"At {chosen:g} USD per counted tonne of CO2 {name} can supply {middle:.3g} "
        f"GtCO2/yr in {one['period'].item()} (median; {curves.attrs['interval_mass']:.0%} equal-tailed "
        f"interval {low:.3g} to {high:.3g}; ledgers: {curves.attrs['ledgers']})"
    )
    if parts.sum() <= 0.0:
        return text + "."
    first = str(curves["pathway"].values[int(parts.argmax())])
    return text + f", most of it by {first} ({parts.max() / parts.sum():.0%} of the mean)."


def _places(regions: Sequence[str], picked: Sequence[int]) -> list[int | None]:
    """Return the region's position for each name, None for the world."""
    left = iter(picked)
    return [None if name == WORLD else next(left) for name in regions]


def _ledger_share(drawn: xr.Dataset, ledgers: Sequence[str]) -> Floats:
    """Return the share of each pathway's tonnes that counts, (sample, pathway)."""
    share = drawn["removal_share"].transpose("sample", "pathway").values.astype(float)
    real = np.ones(share.shape)
    for name in ("additionality", "efficiency"):
        if name in drawn:
            real = real * drawn[name].transpose("sample", "pathway").values
    given_up = np.zeros(share.shape)
    if "foregone_regrowth" in drawn:
        given_up = drawn["foregone_regrowth"].transpose("sample", "pathway").values
    out = np.zeros(share.shape)
    for p, flow in enumerate(drawn["flow_class"].values.astype(str)):
        part = share[:, p] if flow == "utilisation" else float(flow == "removal")
        # Regrowth given up is taken off before storage, as in the simulation.
        removal = np.maximum(part * real[:, p] - given_up[:, p], 0.0)
        out[:, p] = ("removal" in ledgers) * removal
        if flow != "removal" and flow in ledgers:
            out[:, p] += 1.0 - part
    return out


def _checked(
    drawn: xr.Dataset,
    prices: ArrayLike,
    region: str | Sequence[str] | None,
    period: str | Sequence[str] | None,
    level: float,
    ledgers: Sequence[str],
) -> tuple[Floats, list[str], list[str]]:
    found = Problems()
    for name in ("cost", "cost_slope", "cost_exponent", "removal_share", "region", "period", "flow_class"):
        if name not in drawn.variables:
            found.add("inputs lack a variable", key=name, hint="inputs come from inputs.sample")
    found.raise_if_any()
    grid = np.atleast_1d(np.asarray(prices, dtype=float))
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all() or (np.diff(grid) <= 0.0).any():
        found.add("prices must be finite and rise", got=np.array2string(grid), key="prices")
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    chosen = []
    for key, given, known in (
        ("region", region, [WORLD, *(str(v) for v in drawn["region"].values)]),
        ("period", period, [str(v) for v in drawn["period"].values]),
    ):
        names = known if given is None else [given] if isinstance(given, str) else list(given)
        for name in names:
            if name not in known:
                found.add(f"unknown {key}", got=name, allowed=known, key=key)
        if not names or len(set(names)) < len(names):
            found.add(f"name at least one {key}, none twice", got=", ".join(names), key=key)
        chosen.append(names)
    for name in ledgers:
        if name not in LEDGERS:
            found.add("unknown ledger", got=name, allowed=LEDGERS, key="ledgers")
    if not ledgers:
        found.add("name at least one ledger", allowed=LEDGERS, key="ledgers")
    found.raise_if_any()
    return grid, chosen[0], chosen[1]
