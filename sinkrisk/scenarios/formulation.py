"""The mean-CVaR programme itself: variables, constraints and objective in linopy, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import ConvergenceError, InputError, Problem, SinkriskError
from sinkrisk.scenarios.curves import Lines
from sinkrisk.scenarios.recourse import Terms, owed

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-9
"""Plans below this, in GtCO2/yr, are the solver's rounding."""

SLACK = 1e-7
"""How far a plan may pass a bound, relative, and still count as meeting it."""


@dataclass(frozen=True)
class Setting:
    """A programme's data: arguments of `sinkrisk.scenarios.optimize`, validated, as arrays.

    Parameters
    ----------
    given : Terms
    pathway, period : list of str
    wanted : ndarray, () or (period,)
        Target, GtCO2.
    penalty : ndarray, (sample, 1 or period)
        Present value of a tonne missed, USD.
    lower, upper : ndarray, (pathway, period)
        Bounds of the plan, GtCO2/yr.
    total : mapping or None
    max_share, budget : float or None
    level, weight, commitment, time_limit : float
    """

    given: Terms
    pathway: list[str]
    period: list[str]
    wanted: Floats
    penalty: Floats
    lower: Floats
    upper: Floats
    total: Mapping[str, float] | None
    max_share: float | None
    budget: float | None
    level: float
    weight: float
    commitment: float
    time_limit: float

    def clean(self, plan: Floats) -> Floats:
        """Return a plan within its bounds and freed of the solver's rounding."""
        plan = np.clip(plan, self.lower, self.upper)
        return np.where(plan < NEGLIGIBLE, 0.0, plan)

    def allows(self, plan: Floats) -> bool:
        """Return whether a plan meets every bound."""
        sums = plan.sum(axis=0)
        caps = np.array([(self.total or {}).get(name, np.inf) for name in self.period])
        within = bool(np.all(plan >= self.lower) and np.all(plan <= self.upper))
        within &= bool(np.all(sums <= caps * (1.0 + SLACK)))
        if self.max_share is not None:
            within &= bool(np.all(plan <= self.max_share * sums + SLACK * (1.0 + sums)))
        if self.budget is not None:
            within &= self.spent(plan) <= self.budget * (1.0 + SLACK)
        return within

    def spent(self, plan: Floats) -> float:
        """Return the expected cost of a plan delivered in full, billion USD."""
        return float(self.given.probability @ (self.given.full_price * plan).sum(axis=(1, 2)))


@dataclass(frozen=True)
class Solved:
    """A plan (pathway, period), the programme's objective and bound, and the solver's words."""

    plan: Floats
    objective: float
    status: str
    gap: float


def solve(setting: Setting, on_plan: Lines | None = None, on_captured: Lines | None = None) -> Solved:
    """Build and solve the programme for cost curves given as lines.

    Parameters
    ----------
    setting : Setting
    on_plan, on_captured : Lines, optional
        The cost of each scenario, pathway and period is at least every line, against the plan and
        against what is captured. Captures are free below the plan's; they cost nothing else.

    Raises
    ------
    InputError
        Where no plan meets the bounds.
    ConvergenceError
        Where the solver stopped short of an optimum.
    """
    import linopy

    given, commitment = setting.given, setting.commitment
    sample = pd.RangeIndex(given.probability.size, name="sample")
    pathway, period = pd.Index(setting.pathway, name="pathway"), pd.Index(setting.period, name="period")
    full = (sample, pathway, period)

    def array(values: Any, *coords: pd.Index) -> xr.DataArray:
        return xr.DataArray(values, coords=list(coords))

    probability = array(given.probability, sample)
    # The options are global to linopy: the context manager puts the caller's back.
    with linopy.options:
        linopy.options["semantics"] = "v1"
        model = linopy.Model()
        x = model.add_variables(
            lower=array(setting.lower, pathway, period), upper=array(setting.upper, pathway, period),
            coords=[pathway, period], name="planned",
        )  # fmt: skip
        d = model.add_variables(
            lower=0.0, upper=array(given.limit, *full), coords=list(full), name="captured"
        )
        y = model.add_variables(
            lower=array(np.where(given.price < 0.0, -np.inf, 0.0), *full), coords=list(full), name="cost"
        )
        u = model.add_variables(lower=0.0, coords=[sample], name="excess")
        t = model.add_variables(name="value_at_risk")
        model.add_constraints(d - array(given.fraction, *full) * x <= 0.0, name="capture")
        possible = (given.limit > 0.0) & (setting.upper > 0.0)
        # Where no plan exceeds the capacity the lines against the plan imply the others.
        some = possible if on_plan is None else possible & (setting.upper > given.capacity)
        for name, lines, quantity, where in (
            ("plan", on_plan, x, possible),
            ("captured", on_captured, d, some),
        ):
            if lines is None:
                continue
            line = pd.RangeIndex(lines.slope.shape[-1], name="line")
            model.add_constraints(
                y - array(lines.slope, *full, line) * quantity >= array(lines.intercept, *full, line),
                name=name, mask=array(np.broadcast_to(where[..., None], lines.slope.shape), *full, line),
            )  # fmt: skip
        durable = d * array(given.durable * given.length, *full)
        due = array(setting.penalty, sample, period if setting.wanted.ndim else pd.Index([0], name="due"))
        if setting.wanted.ndim:
            z = model.add_variables(lower=0.0, coords=[sample, period], name="shortfall")
            model.add_constraints(z + durable.sum("pathway") >= array(setting.wanted, period), name="target")
            loss = (due * z).sum("period")
        else:
            z = model.add_variables(lower=0.0, coords=[sample], name="shortfall")
            reached = durable.sum(["pathway", "period"])
            model.add_constraints(z + reached >= float(setting.wanted), name="target")
            loss = due.isel(due=0, drop=True) * z
        loss = loss + y.sum(["pathway", "period"])
        if commitment > 0.0:
            price = array(commitment * owed(given), *full)
            loss = loss + (price * x - price * d).sum(["pathway", "period"])
        model.add_constraints(u + t - loss >= 0.0, name="tail")
        _bound(model, setting, x, pathway, period)
        weight = setting.weight
        objective = (1.0 - weight) * (probability * loss).sum("sample")
        objective = objective + weight * t + (weight / (1.0 - setting.level) * probability * u).sum("sample")
        model.add_objective(objective)
        # The direct interface prints HiGHS' banner before it can be told not to; a file does not.
        _, condition = model.solve(
            solver_name="highs", io_api="lp", progress=False, output_flag=False,
            time_limit=float(setting.time_limit),
        )  # fmt: skip
        if condition != "optimal":
            model.solver = None
            raise _refusal(str(condition), setting.time_limit)
        gap = abs(float(model.solver_model.getInfo().primal_dual_objective_error))
        value = float(model.solver_model.getInfo().objective_function_value)
        plan = x.solution.transpose("pathway", "period").values
        model.solver = None
    return Solved(setting.clean(plan), value, str(condition), gap)


def _bound(model: Any, setting: Setting, x: Any, pathway: pd.Index, period: pd.Index) -> None:
    """Add the bounds on sums, shares and the budget."""
    if setting.total:
        capped = period[period.isin(list(setting.total))]
        cap = xr.DataArray([float(setting.total[name]) for name in capped], coords=[capped])
        model.add_constraints(x.sel(period=capped).sum("pathway") <= cap, name="total")
    if setting.max_share is not None:
        model.add_constraints(x - setting.max_share * x.sum("pathway") <= 0.0, name="share")
    if setting.budget is not None:
        mean = np.tensordot(setting.given.probability, setting.given.full_price, axes=1)
        spent = xr.DataArray(mean, coords=[pathway, period]) * x
        model.add_constraints(spent.sum(["pathway", "period"]) <= setting.budget, name="budget")


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
