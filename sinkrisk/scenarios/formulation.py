"""The mean-CVaR programme itself: variables, constraints and objective in linopy, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.errors import ConvergenceError, InputError, Problem, SinkriskError
from sinkrisk.scenarios.recourse import Terms

NEGLIGIBLE = 1e-9
"""Plans below this, in GtCO2/yr, are the solver's rounding."""


def solve(
    scenarios: xr.Dataset,
    given: Terms,
    wanted: Any,
    lower: Any,
    upper: Any,
    total: Mapping[str, float] | None,
    max_share: float | None,
    budget: float | None,
    level: float,
    weight: float,
    penalty: float,
    commitment: float,
    time_limit: float,
) -> tuple[Any, float, str, float]:
    """Build and solve the programme; return the plan, the objective, the status and the gap.

    The plan is clipped to its bounds and freed of the solver's rounding. Arguments are those of
    `sinkrisk.scenarios.optimize`, validated; `lower` and `upper` bound the plan (pathway, period).

    Raises
    ------
    InputError
        Where no plan meets the bounds.
    ConvergenceError
        Where the solver stopped short of an optimum.
    """
    import linopy

    sample = pd.RangeIndex(given.probability.size, name="sample")
    pathway = pd.Index([str(v) for v in scenarios["pathway"].values], name="pathway")
    period = pd.Index([str(v) for v in scenarios["period"].values], name="period")

    def array(values: Any, *coords: pd.Index) -> xr.DataArray:
        return xr.DataArray(values, coords=list(coords))

    price = array(given.price, sample, pathway, period)
    probability = array(given.probability, sample)
    # The options are global to linopy: the context manager puts the caller's back.
    with linopy.options:
        linopy.options["semantics"] = "v1"
        model = linopy.Model()
        x = model.add_variables(
            lower=array(lower, pathway, period), upper=array(upper, pathway, period),
            coords=[pathway, period], name="planned",
        )  # fmt: skip
        d = model.add_variables(
            lower=0.0, upper=array(given.limit, sample, pathway, period),
            coords=[sample, pathway, period], name="captured",
        )  # fmt: skip
        u = model.add_variables(lower=0.0, coords=[sample], name="excess")
        t = model.add_variables(name="value_at_risk")
        fraction = array(given.fraction, sample, pathway, period)
        model.add_constraints(d - fraction * x <= 0.0, name="capture")
        durable = d * array(given.durable * given.length, sample, pathway, period)
        if wanted.ndim:
            z = model.add_variables(lower=0.0, coords=[sample, period], name="shortfall")
            model.add_constraints(z + durable.sum("pathway") >= array(wanted, period), name="target")
            missing = z.sum("period")
        else:
            z = model.add_variables(lower=0.0, coords=[sample], name="shortfall")
            model.add_constraints(z + durable.sum(["pathway", "period"]) >= float(wanted), name="target")
            missing = 1.0 * z
        loss = penalty * missing
        if commitment > 0.0:
            loss = loss + (commitment * price * x).sum(["pathway", "period"])
        if commitment < 1.0:
            loss = loss + ((1.0 - commitment) * price * d).sum(["pathway", "period"])
        model.add_constraints(u + t - loss >= 0.0, name="tail")
        if total:
            capped = period[period.isin(list(total))]
            cap = array([float(total[name]) for name in capped], capped)
            model.add_constraints(x.sel(period=capped).sum("pathway") <= cap, name="total")
        if max_share is not None:
            model.add_constraints(x - max_share * x.sum("pathway") <= 0.0, name="share")
        if budget is not None:
            spent = (price * probability).sum("sample") * x
            model.add_constraints(spent.sum(["pathway", "period"]) <= budget, name="budget")
        objective = (1.0 - weight) * (probability * loss).sum("sample")
        objective = objective + weight * t + (weight / (1.0 - level) * probability * u).sum("sample")
        model.add_objective(objective)
        # The direct interface prints HiGHS' banner before it can be told not to; a file does not.
        _, condition = model.solve(
            solver_name="highs", io_api="lp", progress=False, output_flag=False, time_limit=float(time_limit)
        )
        if condition != "optimal":
            model.solver = None
            raise _refusal(str(condition), time_limit)
        gap = abs(float(model.solver_model.getInfo().primal_dual_objective_error))
        value = float(model.solver_model.getInfo().objective_function_value)
        plan = x.solution.transpose("pathway", "period").values
        model.solver = None
    plan = np.clip(plan, lower, upper)
    return np.where(plan < NEGLIGIBLE, 0.0, plan), value, str(condition), gap


def _refusal(condition: str, time_limit: float) -> SinkriskError:
    """Return the error for a solve that did not end in an optimum."""
    if condition in ("infeasible", "infeasible_or_unbounded"):
        return InputError(
            Problem(
                "optimize: no plan meets all bounds",
                got=condition,
                key="optimize",
                hint="the minimum plans exceed the total, the share or the budget",
            )
        )
    hint = f" within {time_limit:g} s" if condition == "time_limit" else ""
    return ConvergenceError(f"optimize: the solver found no optimum{hint} (it says: {condition})")
