"""One number to decide by: the net benefit of every draw, and what learning a driver would add to it"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk, rng as random
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.criteria import Horizon, annuity, years_until
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.measuring import check_outcomes, weights_of
from sinkrisk.portfolio.specification import DecisionSpec, TargetSpec, make_decision, make_target
from sinkrisk.risk.information import FOLDS
from sinkrisk.risk.partial_information import FLEXIBILITY, PERMUTATIONS, bracket

if TYPE_CHECKING:
    import pandas as pd

MONEY = "billion USD"


@checked()
def net_benefit(
    outcomes: xr.Dataset,
    *,
    target: TargetSpec | Mapping[str, Any],
    decision: DecisionSpec | Mapping[str, Any],
) -> xr.DataArray:
    """Return the net benefit of every portfolio in every draw.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`.
    target : TargetSpec or mapping
        What the shortfall is taken from.
    decision : DecisionSpec or mapping
        ``{"carbon_value": 200, "shortfall_penalty": 600, "discounting": "all"}``.

    Returns
    -------
    DataArray, (sample, portfolio)
        Billion USD, more is better: worth of the durable tonnes less cost less the penalty on the
        shortfall. Durable tonnes and the shortfall are those of `measure`: after foregone
        regrowth, process emissions and non-CO2 effects; avoided and utilised tonnes cost and are worth
        nothing here.

    Raises
    ------
    InputError
        For a target or decision that is not sound, or outcomes that lack a variable.

    Notes
    -----
    ``sum_q v (1 + g)^t D_q - sum_q C_q - w max(T - sum D, 0)`` (models.md 3.4), GtCO2 times USD/t being
    billion USD; with "all" each term at its present value at the start of the first period, periods by
    `criteria.annuity`, the penalty by the mean discount factor of the period that holds the target year,
    as in `scenarios.optimize`.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> outcomes = portfolio.simulate(drawn, plans)
    >>> target = {"net_removal": 60, "unit": "GtCO2", "year": 2100}
    >>> worth = net_benefit(outcomes, target=target, decision={"carbon_value": 200})
    >>> worth.dims, worth.attrs["units"]
    (('sample', 'portfolio'), 'billion USD')
    >>> more = net_benefit(outcomes, target=target, decision={"carbon_value": 300})
    >>> bool((more > worth).all())
    True
    """
    goal, spec = make_target(target), make_decision(decision)
    check_outcomes(outcomes, goal)
    horizon = Horizon(outcomes, goal)
    start, length = outcomes["period_start"], horizon.length
    rate = outcomes["discount_rate"] if spec.discounting == "all" else 0.0 * outcomes["discount_rate"]
    worth = annuity((1.0 + rate) / (1.0 + spec.carbon_value_growth) - 1.0, start, length)
    money = annuity(rate, start, length)
    due = int(np.flatnonzero(years_until(outcomes, goal.year).values > 0.0)[-1])
    missing = goal.net_removal_gtco2 - horizon.until(horizon.net_durable, goal.year)
    value: xr.DataArray = (
        spec.carbon_value * xr.dot(horizon.net_durable, worth, dim="period")
        - xr.dot(horizon.world("cost"), money, dim="period")
        - spec.shortfall_penalty * missing.clip(min=0.0) * (money / length).isel(period=due, drop=True)
    )
    value = value.transpose("sample", "portfolio").drop_attrs().rename("net_benefit")
    value = value.reset_coords(drop=True).assign_coords(probability=outcomes["probability"])
    if "name" in outcomes.coords:
        value = value.assign_coords(name=outcomes["name"])
    value.attrs = {
        "units": MONEY,
        "long_name": "net benefit",
        "target": f"{goal.net_removal:g} {goal.unit} durable by {goal.year}",
        **spec.model_dump(),
    }
    return value


@checked()
def value_of_learning(
    values: xr.DataArray,
    drivers: Mapping[str, ArrayLike] | xr.Dataset,
    *,
    probability: ArrayLike | None = None,
    folds: int = FOLDS,
    permutations: int = PERMUTATIONS,
    flexibility: int = FLEXIBILITY,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return what learning each driver before choosing would add to the value of the best portfolio.

    Parameters
    ----------
    values : DataArray, (sample, portfolio)
        `net_benefit`, or any value of which more is better.
    drivers : mapping or Dataset
        Name -> the driver in the same draws, as for `risk.evppi`: (sample,) numbers or states,
        (sample, ...) a block. The variables of `drawn` that have a sample axis, say.
    probability : array_like, (sample,), optional
        The coordinate of `values`, or equal, when left out.
    folds, permutations, flexibility
        See `risk.evppi`.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        The most worth learning first: driver, kind, cross_fitted (biased down), plug_in (biased up),
        mc_error, floor, perfect, share_of_perfect, acts, unit. Act only on rows with `acts`: plug-in
        above the floor, cross-fitted above nought.

    Raises
    ------
    InputError
        For values or drivers of other dims, or drivers `risk.evppi` refuses, all at once.

    Examples
    --------
    One portfolio is worth x, the other nothing; y moves neither.

    >>> x, y = np.random.default_rng(1).standard_normal((2, 1000))
    >>> values = xr.DataArray(np.stack([x, 0.0 * x], axis=1), dims=("sample", "portfolio"))
    >>> table = value_of_learning(values, {"x": x, "y": y})
    >>> table["driver"].tolist(), table["acts"].tolist()
    (['x', 'y'], [True, False])
    """
    import pandas as pd

    if set(values.dims) != {"sample", "portfolio"}:
        raise InputError(Problem("dims of values", got=str(values.dims), allowed="(sample, portfolio)"))
    data = values.transpose("sample", "portfolio").values
    weight = weights_of(values, probability)
    given = None if np.ptp(weight) <= 1e-15 else weight
    arrays = _driver_arrays(drivers, len(data))
    # The same seed for all: drivers are compared on the same folds.
    seed = int(random.generator(rng).integers(2**63))
    found = Problems()
    rows = []
    for name, array in arrays.items():
        try:
            worth = risk.evppi(
                data,
                array,
                probability=given,
                folds=folds,
                permutations=permutations,
                flexibility=flexibility,
                rng=seed,
            )
        except InputError as error:
            found.extend([replace(p, what=f"driver '{name}': {p.what}") for p in error.problems])
            continue
        rows.append(
            {
                "driver": name,
                "kind": worth.kind,
                "cross_fitted": worth.cross_fitted,
                "plug_in": worth.plug_in,
                "mc_error": worth.mc_error,
                "floor": worth.floor,
                "perfect": worth.perfect,
                "share_of_perfect": worth.cross_fitted / worth.perfect if worth.perfect > 0.0 else 0.0,
                "acts": worth.acts,
                "unit": str(values.attrs.get("units", "1")),
            }
        )
    found.raise_if_any()
    table = pd.DataFrame(rows)
    return table.sort_values(["acts", "cross_fitted"], ascending=False, kind="stable", ignore_index=True)


@checked(table=Holding(columns=("unit",), origin="it comes from portfolio.value_of_learning"))
def learning_sentence(table: pd.DataFrame, *, level: float = 0.9) -> str:
    """Return what a table of `value_of_learning` says, in a sentence or two.

    Parameters
    ----------
    table : DataFrame
        From `value_of_learning`.
    level : float
        Mass of the normal interval by which Monte Carlo error widens the bracket of the two estimates.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> cost = rng.normal(size=400)
    >>> values = xr.DataArray(
    ...     np.stack([-cost, np.zeros(400)], axis=1),
    ...     dims=("sample", "portfolio"),
    ...     coords={"portfolio": ["built", "nothing"]},
    ...     attrs={"units": "billion USD"},
    ... )
    >>> text = learning_sentence(value_of_learning(values, {"cost": cost}, rng=1))
    >>> print(text[: text.index(":")])
    Most worth learning before the choice is cost
    """
    unit, perfect = f" {table['unit'].iloc[0]}".removesuffix(" 1"), float(table["perfect"].iloc[0])
    acting = table[table["acts"]]
    if acting.empty:
        return (
            f"Of {len(table)} drivers none was seen to be worth learning before the choice: none stands out "
            f"from a shuffled one. Knowing everything would be worth {perfect:.3g}{unit}."
        )
    best = acting.iloc[0]
    estimates = [float(best[name]) for name in ("cross_fitted", "plug_in", "mc_error")]
    low, high, crossed = bracket(*estimates, level=level)
    cross = (
        f", which cross: the first is {estimates[0]:.3g}, the second {estimates[1]:.3g}" if crossed else ""
    )
    return (
        f"Most worth learning before the choice is {best['driver']}: {low:.3g} to {high:.3g}{unit} (from "
        f"the estimate biased down to the one biased up{cross}, each end moved out by its {level:.0%} Monte "
        f"Carlo error), of {perfect:.3g} for knowing everything. {len(acting)} of "
        f"{len(table)} drivers stand out from a shuffled one."
    )


def _driver_arrays(drivers: Mapping[str, ArrayLike] | xr.Dataset, draws: int) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for key, array in drivers.items():
        name = str(key)
        if isinstance(array, xr.DataArray):
            if "sample" not in array.dims:
                raise InputError(Problem(f"driver '{name}' has no sample axis", got=str(array.dims)))
            array = array.transpose("sample", ...).values
        raw = np.asarray(array)
        if raw.ndim > 1:
            raw = raw.reshape(len(raw), -1).astype(float)
        arrays[name] = raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw
    if not arrays:
        raise InputError(Problem("no drivers"))
    return arrays
