"""What a plan costs and lacks in each scenario once the scenario is known, in closed form.

As `simulate` has it, everything planned that institutions and capacity let through is captured, and
each tonne captured is paid on the rising cost curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.portfolio.measuring import years_until

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """Arrays of a scenario set as the programme uses them.

    Parameters
    ----------
    fraction, limit, durable : ndarray, (sample, pathway, period)
        Share of a plan captured; most captured, GtCO2/yr; durable removal per tonne captured.
    capacity : ndarray, (sample, pathway, period)
        Plan above which nothing more is captured, GtCO2/yr.
    price : ndarray, (sample, pathway, period)
        Present value of one GtCO2/yr for the whole period at the start of the cost curve, billion
        USD.
    full_price : ndarray, (sample, pathway, period)
        The same at the mean unit cost of full use.
    rise : ndarray, (sample, pathway, period)
        Rise of the marginal cost from the start of the curve to full use, relative.
    exponent : ndarray, (sample,)
        Exponent of that rise.
    discount : ndarray, (sample, period)
        Present value of one unit of the period's money.
    due : int
        Index of the period that holds the target year, when a missed cumulative target is paid for.
    length : ndarray, (period,)
        Years of the period that count towards the target.
    probability : ndarray, (sample,)
    """

    fraction: Floats
    limit: Floats
    durable: Floats
    capacity: Floats
    price: Floats
    full_price: Floats
    rise: Floats
    exponent: Floats
    discount: Floats
    due: int
    length: Floats
    probability: Floats


def due_period(scenarios: xr.Dataset, year: int | None) -> int:
    """Return the index of the period that holds `year`; the last one without a year."""
    starts = scenarios["period_start"].values
    if year is None:
        return int(starts.size - 1)
    return max(int((starts <= year).sum()) - 1, 0)


def terms(scenarios: xr.Dataset, year: int | None = None) -> Terms:
    """Return the arrays of a scenario set; avoided emissions never count as removal.

    `year` ends the years that count towards the target (`portfolio.measuring.years_until`); costs
    are those of the whole periods.
    """
    dims = ("sample", "pathway", "period")
    length = scenarios["period_length"].values.astype(float)
    counted = length if year is None else years_until(scenarios, year).values.astype(float)
    counts = scenarios["flow_class"].values != "avoided"
    factor = np.ascontiguousarray(scenarios["discount_factor"].transpose("sample", "period").values)

    def take(name: str) -> Floats:
        # Contiguous whatever the file's layout: sums then round alike, digit for digit.
        return np.ascontiguousarray(scenarios[name].transpose(*dims).values, dtype=float)

    def present(name: str) -> Floats:
        unit = scenarios[name].transpose("sample", "pathway").values
        return np.ascontiguousarray(unit[:, :, None] * factor[:, None, :] * length)

    return Terms(
        fraction=take("delivered_fraction"),
        limit=take("deliverable"),
        durable=take("durable_share") * counts[None, :, None],
        capacity=take("capacity"),
        price=present("cost"),
        full_price=present("unit_cost"),
        rise=take("cost_rise"),
        exponent=np.ascontiguousarray(scenarios["cost_exponent"].values, dtype=float),
        discount=factor,
        due=due_period(scenarios, year),
        length=counted,
        probability=np.ascontiguousarray(scenarios["probability"].values),
    )


def penalties(given: Terms, wanted: Floats, penalty: float) -> Floats:
    """Return the present value of the penalty on each tonne missed.

    The penalty is money of the period in which the tonne is missed: of each period for a target by
    period, of the period of the target year for a cumulative one. It is discounted like that
    period's costs, with each scenario's own rate.

    Returns
    -------
    ndarray, (sample, period) or (sample, 1)
        USD/tCO2, present value.
    """
    factor = given.discount if wanted.ndim else given.discount[:, given.due : given.due + 1]
    return np.asarray(penalty * factor)


def captured(given: Terms, planned: Floats) -> Floats:
    """Return what a plan captures when nothing is curtailed, (sample, pathway, period), GtCO2/yr."""
    return np.minimum(given.fraction * planned, given.limit)


def use_cost(given: Terms, use: Floats) -> Floats:
    """Return the present value of capturing a share `use` of what can be captured, billion USD.

    ``price * limit * u (1 + rise u^eta / (eta + 1))``, the integral of the marginal cost. `use` is
    (sample, pathway, period) or has one more axis.
    """
    extra = (1,) * (use.ndim - 3)
    scale, rise = (v.reshape(v.shape + extra) for v in (given.price * given.limit, given.rise))
    eta = given.exponent.reshape((-1, 1, 1, *extra))
    return np.asarray(scale * use * (1.0 + rise * use**eta / (eta + 1.0)))


def respond(given: Terms, planned: Floats, target: Floats, commitment: float) -> tuple[Floats, Floats]:
    """Return cost and shortfall of a plan in every scenario when nothing is curtailed.

    Parameters
    ----------
    given : Terms
    planned : ndarray, (pathway, period)
        GtCO2/yr.
    target : ndarray, (period,) or ()
        Durable removal in each period, or over all of them, GtCO2.
    commitment : float
        Share of the cost at the start of the curve owed for what is planned and not captured.

    Returns
    -------
    cost : ndarray, (sample,)
        Billion USD, present value.
    shortfall : ndarray, (sample, period) or (sample, 1)
        GtCO2.
    """
    amount = captured(given, planned)
    use = np.divide(amount, given.limit, out=np.zeros_like(amount), where=given.limit > 0.0)
    cost = use_cost(given, use).sum(axis=(1, 2))
    if commitment > 0.0:
        cost = cost + commitment * (owed(given) * (planned - amount)).sum(axis=(1, 2))
    durable = given.length * given.durable * amount
    reached = durable.sum(axis=1) if target.ndim else durable.sum(axis=(1, 2))[:, None]
    return cost, np.maximum(target - reached, 0.0)


def owed(given: Terms) -> Floats:
    """Return the price of what is planned and not captured; a negative cost is owed to nobody."""
    return np.maximum(given.price, 0.0)


def evaluate(
    scenarios: xr.Dataset,
    planned: xr.DataArray,
    *,
    target: float | Mapping[str, float],
    shortfall_penalty: float,
    commitment_share: float = 0.0,
    year: int | None = None,
) -> xr.Dataset:
    """Evaluate any plan on any scenario set, for example an optimum on draws it has not seen.

    Parameters
    ----------
    scenarios : Dataset
        From `sinkrisk.scenarios.build` or `read`.
    planned : DataArray, (pathway, period)
        GtCO2/yr; pathways and periods it leaves out are not planned.
    target, shortfall_penalty, commitment_share, year
        As in `sinkrisk.scenarios.optimize`. Nothing is curtailed.

    Returns
    -------
    Dataset
        ``cost``, ``loss`` (sample) in billion USD present value, ``shortfall`` (sample) in GtCO2
        and ``probability``. Without `commitment_share` the cost is that of `simulate` and `measure`
        to rounding, except for capacity that passive redundancy moves to other pathways.
    """
    plan = planned.reindex(
        pathway=scenarios["pathway"].values, period=scenarios["period"].values, fill_value=0.0
    ).transpose("pathway", "period")
    given = terms(scenarios, year)
    wanted = wanted_tonnes(given, scenarios, target)
    penalty = penalties(given, wanted, shortfall_penalty)
    cost, shortfall = respond(given, plan.values, wanted, commitment_share)
    return loss_dataset(
        cost, shortfall.sum(axis=1), cost + (penalty * shortfall).sum(axis=1), scenarios["probability"]
    )


def loss_dataset(cost: Any, shortfall: Any, loss: Any, probability: xr.DataArray) -> xr.Dataset:
    """Return ``cost``, ``shortfall``, ``loss`` and ``probability`` (sample) with names and units."""
    money = {"units": "billion USD"}
    return xr.Dataset(
        {
            "cost": ("sample", cost, money | {"long_name": "present value of the plan's cost"}),
            "shortfall": ("sample", shortfall, {"units": "GtCO2", "long_name": "durable removal short"}),
            "loss": ("sample", loss, money | {"long_name": "cost and penalty of the shortfall"}),
            "probability": ("sample", probability.values, {"units": "1"}),
        },
        coords={"sample": probability["sample"].values},
    )


def wanted_tonnes(given: Terms, scenarios: xr.Dataset, target: float | Mapping[str, float]) -> Floats:
    """Return the target in GtCO2: one number, or one for each period (0 where none is given)."""
    if not isinstance(target, Mapping):
        return np.asarray(float(target))
    rate = np.array([float(target.get(str(name), 0.0)) for name in scenarios["period"].values])
    return np.asarray(rate * given.length)
