"""One function per criterion: the outcomes of every draw and portfolio to one number each.

Sums run over pathways and over the periods of the horizon; a ratio is NaN where there is nothing to
divide by. Outcomes of a simulation without a mechanism lack its variable: what it would take off is
then 0, and a criterion that is about nothing else is left out (`NEEDS`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import xarray as xr

from sinkrisk.portfolio.specification import TargetSpec

SMALLEST_FLOW = 1e-12
"""GtCO2 (a gram of carbon or so): below it a portfolio did nothing and a ratio has no meaning."""


OVERHEADS: tuple[str, ...] = ("process", "non_co2")
"""What is taken off removal: emissions of process energy, warming by other gases. Regrowth given up is taken
off before storage already (`engine.simulate_block`)."""


@dataclass(frozen=True)
class Horizon:
    """Outcomes and what several criteria share.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`.
    target : TargetSpec
    reference : mapping of str to float, optional
        Region -> its share of what an even deployment is measured by, for `regional_equity`.
    """

    outcomes: xr.Dataset
    target: TargetSpec
    reference: Mapping[str, float] | None = None

    @functools.cached_property
    def length(self) -> xr.DataArray:
        """Years of each period."""
        return self.outcomes["period_length"].astype(float)

    @functools.cached_property
    def captured(self) -> xr.DataArray:
        """GtCO2 over the horizon, by pathway."""
        o = self.outcomes
        return _dot(o["deployed"], self.length, dim="period") + _dot(o["received"], self.length, dim="period")

    @functools.cached_property
    def overhead(self) -> xr.DataArray:
        """GtCO2e/yr, by period: process emissions and non-CO2 effects of all pathways."""
        parts = [self.world(name) for name in OVERHEADS if name in self.outcomes]
        return cast("xr.DataArray", sum(parts)) if parts else xr.zeros_like(self.world("durable"))

    @functools.cached_property
    def net(self) -> xr.DataArray:
        """GtCO2e/yr, by period: ``net`` of the outcomes, or what they are made of where it is absent."""
        return self.world("net") if "net" in self.outcomes else self.world("stored") - self.overhead

    @functools.cached_property
    def net_durable(self) -> xr.DataArray:
        """GtCO2e/yr, by period: durable removal less overheads."""
        return self.world("durable") - self.overhead

    def world(self, name: str) -> xr.DataArray:
        """Return an outcome summed over pathways."""
        return self.outcomes[name].sum("pathway")

    def until(self, flow: xr.DataArray, year: int) -> xr.DataArray:
        """Return the sum of a flow until `year`, see `years_until`."""
        return _dot(flow, years_until(self.outcomes, year), dim="period")

    def whole(self, flow: xr.DataArray) -> xr.DataArray:
        """Return the sum of a flow over the horizon."""
        return _dot(flow, self.length, dim="period")

    def total(self, name: str) -> xr.DataArray:
        """Return the sum over the horizon and the pathways of a quantity given per year."""
        return _dot(self.outcomes[name], self.length, dim=["pathway", "period"])

    def weighted(self, weight: str) -> xr.DataArray:
        """Return the mean of a pathway's property, weighted by the tonnes captured."""
        captured = self.captured
        return _ratio(_dot(captured, self.outcomes[weight], dim="pathway"), captured.sum("pathway"))

    def resource(self, name: str) -> xr.DataArray:
        """Return the use of a shared resource, by period, in the resource's unit."""
        return self.outcomes["resource_used"].sel(resource=name)


def years_until(outcomes: xr.Dataset, year: int) -> xr.DataArray:
    """Return how many years of each period count for a cumulative sum "until `year`".

    A period whose last year is `year` counts whole; otherwise the years before `year` do: until
    2050 means until the end of 2049 with a period that starts in 2050, and until 2100 means until
    the end of 2100 with a last period [2050, 2101).

    Parameters
    ----------
    outcomes : Dataset
        With ``period_start`` and ``period_length`` (period).
    year : int

    Returns
    -------
    DataArray, (period,)
        Years.
    """
    start, length = outcomes["period_start"], outcomes["period_length"]
    years = (year - start).clip(0, length)
    return years.where(year + 1 != start + length, length).astype(float)


def annuity(rate: xr.DataArray, start: xr.DataArray, length: xr.DataArray) -> xr.DataArray:
    """Return the present value, at the start of the first period, of one unit a year over each period.

    Parameters
    ----------
    rate : DataArray, (sample,)
        Discount rate r, 1/yr; 0 does not discount.
    start, length : DataArray, (period,)
        Calendar year and years.

    Returns
    -------
    DataArray, (sample, period)
        The integral of ``(1 + r) ** -(t - t0)`` over the period, yr.
    """
    # numpy's stubs call the result of a ufunc on a DataArray an ndarray.
    force = cast("xr.DataArray", np.log1p(rate))
    begin = start - start[0]
    x = force * length
    discounted = abs(x) > 1e-12
    safe = x.where(discounted, 1.0)
    mean = cast("xr.DataArray", -np.expm1(-safe) / safe).where(discounted, 1.0)
    return cast("xr.DataArray", np.exp(-force * begin)) * mean * length


def _dot(*arrays: xr.DataArray, dim: str | list[str]) -> xr.DataArray:
    """Return the sum of products over some dims, without an array of the products."""
    out: xr.DataArray = xr.dot(*arrays, dim=dim)
    return out


def _ratio(top: xr.DataArray, bottom: xr.DataArray) -> xr.DataArray:
    """Return ``top / bottom``, NaN where there is nothing to divide by."""
    enough = bottom > SMALLEST_FLOW
    return (top / bottom.where(enough, 1.0)).where(enough)


def _sequestration_rate(h: Horizon) -> xr.DataArray:
    return h.whole(h.net) / float(h.length.sum())


def _storage_permanence(h: Horizon) -> xr.DataArray:
    return _ratio(h.total("durable"), h.total("removed"))


def _marginal_abatement_cost(h: Horizon) -> xr.DataArray:
    return _ratio(h.total("marginal_cost"), h.captured.sum("pathway"))


def _energy_intensity(h: Horizon) -> xr.DataArray:
    return _ratio(h.total("energy"), h.captured.sum("pathway"))


def _total_cost(h: Horizon) -> xr.DataArray:
    o = h.outcomes
    worth = annuity(o["discount_rate"], o["period_start"], o["period_length"])
    return _dot(h.world("cost"), worth, dim="period")


def _shortfall(h: Horizon) -> xr.DataArray:
    reached = h.until(h.net_durable, h.target.year)
    return (h.target.net_removal_gtco2 - reached).clip(min=0.0)


def _acceptance(h: Horizon) -> xr.DataArray:
    # Capacity and shared resources are no institution's doing: what they cut was never theirs to hold.
    possible = h.total("planned")
    for name in ("limited", "scarce"):
        if name in h.outcomes:
            possible = possible - h.total(name)
    return 1.0 - _ratio(h.total("withheld") + h.total("reallocated"), possible)


def _regional_equity(h: Horizon) -> xr.DataArray:
    by_region = _dot(h.outcomes["captured_in"], h.length, dim="period")
    if "domain" in by_region.coords:
        by_region = by_region.isel(region=np.flatnonzero(by_region["domain"].values != "ocean"))
    names = [str(v) for v in by_region["region"].values]
    given = h.reference or {}
    share = np.array([given.get(n, np.nan) for n in names])
    if np.isnan(share).any():
        share = np.ones(len(names))
    return evenness(by_region, xr.DataArray(share, dims="region"))


def evenness(amount: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """Return 1 less the Gini index of amounts per unit of reference.

    Parameters
    ----------
    amount : DataArray, (..., region)
        Not negative.
    reference : DataArray, (region,)
        What an even distribution is proportional to (area, people); positive, any scale.

    Returns
    -------
    DataArray, (...)
        1 where every region has its reference's share of the sum, ``w`` where one region of reference
        share w has all of it; NaN where the sum is 0.

    Notes
    -----
    With shares y of the amount and w of the reference, Gini is half the mean absolute difference:
    ``sum_ij |y_i w_j - y_j w_i| / 2`` (Gini 1912, for grouped data).

    Examples
    --------
    >>> even = xr.DataArray([0.25, 0.75], dims="region")
    >>> float(evenness(2.0 * even, even)), float(evenness(xr.DataArray([3.0, 0.0], dims="region"), even))
    (1.0, 0.25)
    """
    total = amount.sum("region")
    y = _ratio(amount, total)
    w = reference / reference.sum()
    y2, w2 = y.rename(region="other"), w.rename(region="other")
    drop = [n for n in y.coords if "region" in y[n].dims]
    y, y2 = y.drop_vars(drop), y2.drop_vars([n for n in y2.coords if "other" in y2[n].dims])
    return 1.0 - 0.5 * abs(y * w2 - y2 * w).sum(["region", "other"], skipna=False)


CRITERIA: dict[str, Callable[[Horizon], xr.DataArray]] = {
    "sequestration_rate": _sequestration_rate,
    "storage_permanence": _storage_permanence,
    "technological_maturity": lambda h: h.weighted("trl"),
    "marginal_abatement_cost": _marginal_abatement_cost,
    "energy_intensity": _energy_intensity,
    "ecological_risk": lambda h: h.weighted("ecological_risk"),
    "net_removal_2050": lambda h: h.until(h.net, 2050),
    "net_removal_2100": lambda h: h.until(h.net, 2100),
    "durable_removal": lambda h: h.whole(h.net_durable),
    "avoided_emissions": lambda h: h.total("avoided"),
    "utilised_carbon": lambda h: h.total("utilised"),
    "total_cost": _total_cost,
    "cost_per_durable_tonne": lambda h: _ratio(h.total("cost"), h.whole(h.net_durable)),
    "energy_demand": lambda h: h.total("energy") / float(h.length.sum()),
    "land_demand": lambda h: h.resource("land").max("period"),
    "water_demand": lambda h: h.whole(h.resource("water")) / float(h.length.sum()),
    "acceptance": _acceptance,
    "regional_equity": _regional_equity,
    "reallocated_share": lambda h: _ratio(h.total("received"), h.captured.sum("pathway")),
    "shortfall": _shortfall,
    "credited_tonnes": lambda h: h.total("credited"),
    "retained_2200": lambda h: h.world("retained"),
    "co2_2100": lambda h: h.outcomes["co2_2100"],
}
"""How each criterion of ``priors/criteria.csv`` is computed, (sample, portfolio)."""

NEEDS: dict[str, tuple[str, str]] = {
    "land_demand": ("resource_used", "land"),
    "water_demand": ("resource_used", "water"),
    "acceptance": ("withheld", ""),
    "regional_equity": ("captured_in", ""),
    "credited_tonnes": ("credited", ""),
    "retained_2200": ("retained", ""),
    "co2_2100": ("co2_2100", ""),
}
"""Criteria that are left out where the outcomes lack a variable, or the resource of one."""


def measurable(criterion: str, outcomes: xr.Dataset) -> bool:
    """Return whether outcomes hold what a criterion cannot do without.

    Parameters
    ----------
    criterion : str
        One of `CRITERIA`.
    outcomes : Dataset
        From `simulate`.
    """
    variable, resource = NEEDS.get(criterion, ("", ""))
    if variable and variable not in outcomes:
        return False
    return not resource or resource in [str(v) for v in outcomes["resource"].values]
