"""One function per criterion: the outcomes of every draw and portfolio to one number each.

Sums run over pathways and over the periods of the horizon; a ratio is NaN where there is nothing to
divide by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import xarray as xr

from sinkrisk.portfolio.specification import TargetSpec

SMALLEST_FLOW = 1e-12
"""GtCO2 (a gram of carbon or so): below it a portfolio did nothing and a ratio has no meaning."""


@dataclass(frozen=True)
class Horizon:
    """Outcomes and what several criteria share.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`.
    target : TargetSpec
    """

    outcomes: xr.Dataset
    target: TargetSpec

    @property
    def length(self) -> xr.DataArray:
        """Years of each period."""
        return self.outcomes["period_length"]

    @property
    def captured(self) -> xr.DataArray:
        """GtCO2 over the horizon, by pathway."""
        return ((self.outcomes["deployed"] + self.outcomes["received"]) * self.length).sum("period")

    def cumulative(self, name: str, year: int) -> xr.DataArray:
        """GtCO2 until `year`, summed over pathways."""
        return (self.outcomes[name].sum("pathway") * years_until(self.outcomes, year)).sum("period")

    def total(self, name: str) -> xr.DataArray:
        """Sum over the horizon and the pathways of a quantity given per year."""
        return (self.outcomes[name].sum("pathway") * self.length).sum("period")

    def weighted(self, weight: str) -> xr.DataArray:
        """Mean of a pathway's property, weighted by the tonnes captured."""
        captured = self.captured
        return _ratio((captured * self.outcomes[weight]).sum("pathway"), captured.sum("pathway"))


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


def _ratio(top: xr.DataArray, bottom: xr.DataArray) -> xr.DataArray:
    """Return ``top / bottom``, NaN where there is nothing to divide by."""
    enough = bottom > SMALLEST_FLOW
    return (top / bottom.where(enough, 1.0)).where(enough)


def _sequestration_rate(h: Horizon) -> xr.DataArray:
    return h.total("stored") / float(h.length.sum())


def _storage_permanence(h: Horizon) -> xr.DataArray:
    return _ratio(h.total("durable"), h.total("removed"))


def _marginal_abatement_cost(h: Horizon) -> xr.DataArray:
    return _ratio(h.total("marginal_cost"), h.captured.sum("pathway"))


def _energy_intensity(h: Horizon) -> xr.DataArray:
    return _ratio(h.total("energy"), h.captured.sum("pathway"))


def _total_cost(h: Horizon) -> xr.DataArray:
    o = h.outcomes
    worth = annuity(o["discount_rate"], o["period_start"], o["period_length"])
    return (o["cost"].sum("pathway") * worth).sum("period")


def _shortfall(h: Horizon) -> xr.DataArray:
    reached = h.cumulative("durable", h.target.year)
    return (h.target.net_removal_gtco2 - reached).clip(min=0.0)


CRITERIA: dict[str, Callable[[Horizon], xr.DataArray]] = {
    "sequestration_rate": _sequestration_rate,
    "storage_permanence": _storage_permanence,
    "technological_maturity": lambda h: h.weighted("trl"),
    "marginal_abatement_cost": _marginal_abatement_cost,
    "energy_intensity": _energy_intensity,
    "ecological_risk": lambda h: h.weighted("ecological_risk"),
    "net_removal_2050": lambda h: h.cumulative("stored", 2050),
    "net_removal_2100": lambda h: h.cumulative("stored", 2100),
    "total_cost": _total_cost,
    "cost_per_durable_tonne": lambda h: _ratio(h.total("cost"), h.total("durable")),
    "reallocated_share": lambda h: _ratio(h.total("received"), h.captured.sum("pathway")),
    "shortfall": _shortfall,
}
"""How each criterion of ``priors/criteria.csv`` is computed, (sample, portfolio)."""
