"""What a plan costs in each scenario once the scenario is known: the second stage, in closed form.

Given the plan, a scenario's best response is a fractional knapsack: capture the cheapest durable
tonnes first, as long as one costs less than the penalty it avoids, until the target is met.
The linear programme and this function must agree; `optimize` refuses a solution where they do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    price : ndarray, (sample, pathway, period)
        Present value of one GtCO2/yr for the whole period, billion USD.
    length : ndarray, (period,)
        Years of the period that count towards the target.
    probability : ndarray, (sample,)
    """

    fraction: Floats
    limit: Floats
    durable: Floats
    price: Floats
    length: Floats
    probability: Floats


def terms(scenarios: xr.Dataset, year: int | None = None) -> Terms:
    """Return the arrays of a scenario set; avoided emissions never count as removal.

    `year` ends the years that count towards the target (`portfolio.measuring.years_until`); costs
    are those of the whole periods.
    """
    dims = ("sample", "pathway", "period")
    length = scenarios["period_length"].values.astype(float)
    counted = length if year is None else years_until(scenarios, year).values.astype(float)
    counts = scenarios["flow_class"].values != "avoided"
    unit = scenarios["unit_cost"].transpose("sample", "pathway").values
    factor = scenarios["discount_factor"].transpose("sample", "period").values

    def take(name: str) -> Floats:
        # Contiguous whatever the file's layout: sums then round alike, digit for digit.
        return np.ascontiguousarray(scenarios[name].transpose(*dims).values, dtype=float)

    return Terms(
        fraction=take("delivered_fraction"),
        limit=take("deliverable"),
        durable=take("durable_share") * counts[None, :, None],
        price=np.ascontiguousarray(unit[:, :, None] * factor[:, None, :] * length),
        length=counted,
        probability=np.ascontiguousarray(scenarios["probability"].values),
    )


def respond(
    given: Terms, planned: Floats, target: Floats, penalty: float, commitment: float
) -> tuple[Floats, Floats]:
    """Return cost and shortfall of a plan in every scenario.

    Parameters
    ----------
    given : Terms
    planned : ndarray, (pathway, period)
        GtCO2/yr.
    target : ndarray, (period,) or ()
        Durable removal in each period, or over all of them, GtCO2.
    penalty : float
        USD per tCO2 short, present value.
    commitment : float
        Share of the cost owed for the plan itself; the rest is owed for what is captured.

    Returns
    -------
    cost : ndarray, (sample,)
        Billion USD, present value.
    shortfall : ndarray, (sample, period) or (sample, 1)
        GtCO2.
    """
    samples = given.probability.size
    committed = commitment * (given.price * planned).sum(axis=(1, 2))
    possible = np.minimum(given.fraction * planned, given.limit)
    amount = given.length * given.durable * possible
    useful = given.length * given.durable > 0.0
    running = (1.0 - commitment) * given.price
    # What saves money is captured in full; what also removes carbon is taken up below.
    saved = np.where(~useful & (running < 0.0), running * possible, 0.0).sum(axis=(1, 2))
    tonnes = np.where(useful, given.length * given.durable, 1.0)
    per_tonne = np.where(useful, running / tonnes, np.inf)
    if target.ndim:
        amount, per_tonne = np.moveaxis(amount, 1, 2), np.moveaxis(per_tonne, 1, 2)
        wanted = np.broadcast_to(target, (samples, target.size))
    else:
        amount, per_tonne = amount.reshape(samples, 1, -1), per_tonne.reshape(samples, 1, -1)
        wanted = np.full((samples, 1), float(target))
    order = np.argsort(per_tonne, axis=2, kind="stable")
    per_tonne = np.take_along_axis(per_tonne, order, axis=2)
    worth = per_tonne < penalty
    amount = np.where(worth, np.take_along_axis(amount, order, axis=2), 0.0)
    before = np.cumsum(amount, axis=2) - amount
    taken = np.where(per_tonne < 0.0, amount, np.clip(wanted[:, :, None] - before, 0.0, amount))
    paid = np.where(worth, per_tonne, 0.0) * taken
    shortfall = np.maximum(wanted - taken.sum(axis=2), 0.0)
    return committed + saved + paid.sum(axis=(1, 2)), shortfall


def evaluate(
    scenarios: xr.Dataset,
    planned: xr.DataArray,
    *,
    target: float | Mapping[str, float],
    shortfall_penalty: float,
    commitment_share: float = 1.0,
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
        As in `sinkrisk.scenarios.optimize`.

    Returns
    -------
    Dataset
        ``cost``, ``loss`` (sample) in billion USD present value, ``shortfall`` (sample) in GtCO2
        and ``probability``.
    """
    plan = planned.reindex(
        pathway=scenarios["pathway"].values, period=scenarios["period"].values, fill_value=0.0
    ).transpose("pathway", "period")
    given = terms(scenarios, year)
    wanted = wanted_tonnes(given, scenarios, target)
    cost, shortfall = respond(given, plan.values, wanted, shortfall_penalty, commitment_share)
    missing = shortfall.sum(axis=1)
    money = {"units": "billion USD"}
    return xr.Dataset(
        {
            "cost": ("sample", cost, money | {"long_name": "present value of the plan's cost"}),
            "shortfall": ("sample", missing, {"units": "GtCO2", "long_name": "durable removal short"}),
            "loss": (
                "sample",
                cost + shortfall_penalty * missing,
                money | {"long_name": "cost and penalty of the shortfall"},
            ),
            "probability": scenarios["probability"],
        },
        coords={"sample": scenarios["sample"]},
    )


def wanted_tonnes(given: Terms, scenarios: xr.Dataset, target: float | Mapping[str, float]) -> Floats:
    """Return the target in GtCO2: one number, or one for each period (0 where none is given)."""
    if not isinstance(target, Mapping):
        return np.asarray(float(target))
    rate = np.array([float(target.get(str(name), 0.0)) for name in scenarios["period"].values])
    return np.asarray(rate * given.length)
