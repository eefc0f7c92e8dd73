"""`optimize`: a two-stage mean-CVaR programme over scenarios, in linopy, solved by HiGHS.

First stage, before the scenario is known: planned capacity ``x[pathway, period]``. Second stage:
captured carbon ``d[sample, pathway, period]`` and what the target lacks, ``z``. What a plan costs is
what `sinkrisk.portfolio.simulate` charges for it, reallocation apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sinkrisk.errors import ConvergenceError, InputError, Problem, Problems
from sinkrisk.portfolio.variables import BEYOND_SENSE, MOST_PLANNED
from sinkrisk.risk import cvar, value_at_risk
from sinkrisk.scenarios import curves
from sinkrisk.scenarios.curtailing import respond_curtailed
from sinkrisk.scenarios.descent import objective_of, search
from sinkrisk.scenarios.formulation import Setting, solve
from sinkrisk.scenarios.recourse import Terms, penalties, respond, terms, wanted_tonnes
from sinkrisk.scenarios.solution import UNIT, Optimum, in_sample_sentence
from sinkrisk.scenarios.tree import check

if TYPE_CHECKING:
    from sinkrisk.scenarios.specification import OptimizeSpec

AGREEMENT = 1e-6
"""Largest relative difference allowed between the solver's objective and its recomputation."""


def optimize(
    scenarios: xr.Dataset,
    *,
    target: float | Mapping[str, float],
    cvar_level: float = 0.9,
    risk_weight: float = 0.5,
    shortfall_penalty: float | None = None,
    commitment_share: float = 0.0,
    curtail: bool = False,
    segments: int = 4,
    total: Mapping[str, float] | None = None,
    max_share: float | None = None,
    budget: float | None = None,
    minimum: Mapping[str, float] | None = None,
    maximum: Mapping[str, float] | None = None,
    year: int | None = None,
    starts: xr.DataArray | None = None,
    time_limit: float = 120.0,
) -> Optimum:
    """Plan capacity before the scenario is known, at the least mean-CVaR loss.

    Parameters
    ----------
    scenarios : Dataset
        From `build` or `read`.
    target : float or mapping
        Durable removal wanted: GtCO2 over all periods, or period -> GtCO2/yr. Only carbon of the
        removal ledger counts; avoided emissions never do.
    cvar_level : float
        In [0, 1): the CVaR is the mean loss of the worst ``1 - cvar_level``.
    risk_weight : float
        In [0, 1]: 0 minimises the expected loss, 1 the CVaR.
    shortfall_penalty : float, optional
        USD per tCO2 short, money of the time when it is missed: of the period that holds `year` (the
        last one without a year), or of each period for a target by period. It is discounted like
        that period's costs, with each scenario's own rate. Left out: the highest unit cost of any
        pathway that can remove carbon in any scenario, brought to that time.
    commitment_share : float
        Share of the cost at the start of the cost curve owed for what is planned and not captured.
        0 (the default) pays for captured tonnes only, as `simulate` does; 1 is take-or-pay.
    curtail : bool
        False (the default): all that is planned and let through is captured and paid, as in
        `simulate`. True: once the scenario is known a capture is left undone where it costs more
        than the penalty it avoids or the target is met without it.
    segments : int
        Straight pieces that stand for each rising cost curve in a programme.
    total : mapping, optional
        period -> GtCO2/yr, most that may be planned in all.
    max_share : float, optional
        Most of a period's plan that one pathway may hold.
    budget : float, optional
        Most the plan may cost if delivered in full, expected present value, billion USD.
    minimum, maximum : mapping, optional
        pathway -> GtCO2/yr, bounds of its plan in every period.
    year : int, optional
        Removal after this year does not count; all periods do when left out.
    starts : DataArray, (portfolio, pathway, period), optional
        Plans in GtCO2/yr; the optimum is no worse on the scenarios than any of them that meets the
        bounds. Without effect with `curtail`.
    time_limit : float
        Seconds for each programme.

    Returns
    -------
    Optimum

    Raises
    ------
    InputError
        For faulty scenarios or arguments (all listed), and where no plan meets the bounds.
    ConvergenceError
        Where the solver stopped short of an optimum, or its objective is not the one recomputed.

    Notes
    -----
    With probability ``p_s``, capacity ``W``, the fraction f let through, captured carbon
    ``d = f min(x, W)``, the integrated cost curve C of ``mc = c0 (1 + cost_rise u^eta)`` in present
    value, commitment share k and penalty v in present value, the loss of a scenario is
    ``L_s = sum C(d) + k c0 (x - d) + sum v z`` with ``z >= target - sum length durable_share d``, and

        min (1 - w) sum p_s L_s + w (t + sum p_s u_s / (1 - level)),  u_s >= L_s - t

    (Rockafellar and Uryasev 2000 for the CVaR). With `curtail`, ``0 <= d <= f min(x, W)`` is chosen
    in the second stage: a linear programme once C is replaced by its chords. Without, a plan beyond
    W costs nothing more in that scenario, so the loss is not convex: `sinkrisk.scenarios.descent`
    bounds it from below and descends by programmes that are never below the true loss, and the gap
    says how far the plan can be from the best one. Losses are then on the exact cost curve.

    The programme does not know of capacity that passive redundancy moves to other pathways
    (`simulate` counts its removal and its cost). Measured: 100 scenarios of 16 pathways and 3
    periods take 10 s on two busy cores, with `curtail` 1 s.
    """
    check(scenarios)
    _validate(scenarios, target, cvar_level, risk_weight, shortfall_penalty, commitment_share,
              segments, total, max_share, budget, minimum, maximum, time_limit)  # fmt: skip
    given = terms(scenarios, year)
    useful = (given.length * given.durable).max(axis=0) > 0.0
    wanted = wanted_tonnes(given, scenarios, target)
    if shortfall_penalty is None:
        shortfall_penalty = _dearest(scenarios, given, wanted, useful)
    penalty = penalties(given, wanted, shortfall_penalty)
    lower, upper = _bounds(scenarios, useful, minimum, maximum, total)
    setting = Setting(
        given, [str(v) for v in scenarios["pathway"].values], [str(v) for v in scenarios["period"].values],
        wanted, penalty, lower, upper, total, max_share, budget,
        cvar_level, risk_weight, commitment_share, time_limit,
    )  # fmt: skip
    if curtail:
        solved = solve(setting, on_captured=curves.chords(given, segments))
        planned, status, gap = solved.plan, solved.status, solved.gap
        cost, shortfall = respond_curtailed(given, planned, wanted, penalty, commitment_share, segments)
    else:
        found = search(setting, _plans(scenarios, starts), segments)
        planned, gap = found.plan, found.solver_gap
        cost, shortfall = respond(given, planned, wanted, commitment_share)
    missing = shortfall.sum(axis=1)
    loss = cost + (penalty * shortfall).sum(axis=1)
    weight = given.probability
    objective = objective_of(setting, loss)
    if curtail:
        difference = abs(objective - solved.objective) / max(1.0, abs(objective))
        if difference > AGREEMENT:
            raise ConvergenceError(
                f"the solver's objective {solved.objective:.9g} is not that of its plan, {objective:.9g} "
                f"(relative difference {difference:.2g}, allowed {AGREEMENT:.0g})"
            )
        bound, gap = min(solved.objective, objective), max(gap, difference)
    else:
        bound = min(found.bound, objective)
        gap = max(gap, (objective - bound) / max(1.0, abs(objective)))
        status = "optimal" if gap <= AGREEMENT else "within gap"
    plan = xr.DataArray(
        planned,
        dims=("pathway", "period"),
        coords={"pathway": scenarios["pathway"].values, "period": scenarios["period"].values},
        name="planned",
        attrs={"units": UNIT, "long_name": "planned capture, mean over the period"},
    )
    error = np.where(upper > 0.0, curves.linearisation_error(given, segments), 0.0)
    met = float(weight[missing <= AGREEMENT * max(1.0, float(wanted.sum()))].sum())
    tail = float(cvar(loss, cvar_level, probability=weight))
    return Optimum(
        planned=plan,
        table=plan.to_dataframe().reset_index().assign(unit=UNIT),
        loss=xr.DataArray(
            loss, dims="sample", coords={"sample": scenarios["sample"].values}, name="loss",
            attrs={"units": "billion USD", "long_name": "cost and penalty, present value"},
        ),
        objective=objective,
        bound=bound,
        expected_loss=float(weight @ loss),
        expected_cost=float(weight @ cost),
        cvar=tail,
        value_at_risk=float(value_at_risk(loss, cvar_level, probability=weight)),
        expected_shortfall=float(weight @ missing),
        probability_met=met,
        status=status,
        gap=gap,
        linearisation=float(weight @ error.sum(axis=(1, 2))),
        scenarios=weight.size,
        effective_scenarios=float(1.0 / (weight @ weight)),
        wasserstein=float(scenarios.attrs.get("wasserstein", math.nan)),
        cvar_level=cvar_level,
        risk_weight=risk_weight,
        shortfall_penalty=shortfall_penalty,
        commitment_share=commitment_share,
        curtail=curtail,
        segments=segments,
        year=year,
        target=target,
        sentence=in_sample_sentence(
            plan, wanted, float(weight @ missing), met, tail, cvar_level, weight.size, shortfall_penalty
        ),
    )  # fmt: skip


def _dearest(scenarios: xr.Dataset, given: Terms, wanted: Any, useful: Any) -> float:
    """Return the highest unit cost of what can remove carbon, in money of the time of the penalty."""
    unit = scenarios["unit_cost"].transpose("sample", "pathway").values[:, :, None]
    reference = given.discount if wanted.ndim else given.discount[:, [given.due]]
    worth = unit * (given.discount / reference)[:, None, :]
    able = worth[:, useful]
    return float(able.max()) if able.size and able.max() > 0.0 else 1.0


def _plans(scenarios: xr.Dataset, starts: xr.DataArray | None) -> list[Any]:
    """Return plans on the scenarios' labels, each (pathway, period)."""
    if starts is None:
        return []
    labels = {dim: scenarios[dim].values for dim in ("pathway", "period")}
    return list(starts.reindex(labels, fill_value=0.0).transpose(..., "pathway", "period").values)


def optimize_spec(
    scenarios: xr.Dataset,
    spec: OptimizeSpec | None = None,
    portfolios: Any = None,
    target: Any = None,
    starts: xr.DataArray | None = None,
) -> Optimum:
    """Solve the programme of a spec's ``optimize`` section.

    Parameters
    ----------
    scenarios : Dataset
    spec : OptimizeSpec, optional
    portfolios : PortfolioSpec or mapping, optional
        Its ``total`` (period -> GtCO2/yr) caps the plans where the section gives no ``total``, so
        that the optimum compares with the named portfolios. A mapping is taken as that total.
    target : TargetSpec or number of GtCO2, optional
        Its ``net_removal`` until its ``year`` is the target where the section gives none. Without
        either the target is the total itself: every planned tonne should be durable.
    starts : DataArray, (portfolio, pathway, period), optional
        Plans the optimum must not be worse than, as in `optimize`.
    """
    from sinkrisk.scenarios.specification import OptimizeSpec

    given = (spec or OptimizeSpec()).model_dump()
    cap = portfolios if isinstance(portfolios, Mapping) else getattr(portfolios, "total", None)
    if given["total"] is None and cap is not None:
        given["total"] = {str(name): float(value) for name, value in dict(cap).items()}
    if given["target"] is None and target is not None:
        given["target"] = float(getattr(target, "net_removal_gtco2", target))
        given["year"] = getattr(target, "year", None)
    if given["target"] is None:
        given["target"] = given["total"]
    if given["target"] is None:
        raise InputError(Problem("optimize: no target", key="optimize.target", hint="give a target"))
    return optimize(scenarios, **given, starts=starts)


def _validate(
    scenarios: xr.Dataset,
    target: Any,
    cvar_level: float,
    risk_weight: float,
    shortfall_penalty: float | None,
    commitment_share: float,
    segments: int,
    total: Any,
    max_share: float | None,
    budget: float | None,
    minimum: Any,
    maximum: Any,
    time_limit: float,
) -> None:
    found = Problems()
    pathways = [str(v) for v in scenarios["pathway"].values]
    periods = [str(v) for v in scenarios["period"].values]
    for key, value, names in (
        ("target", target if isinstance(target, Mapping) else None, periods),
        ("total", total, periods),
        ("minimum", minimum, pathways),
        ("maximum", maximum, pathways),
    ):
        for name, amount in (value or {}).items():
            if name not in names:
                found.add(f"{key}: unknown name", got=name, allowed=names, key=key)
            elif not 0.0 <= amount <= MOST_PLANNED:
                allowed = f"0 to {MOST_PLANNED:.0f} GtCO2/yr"
                hint = BEYOND_SENSE if amount > MOST_PLANNED else None
                found.add(
                    f"{key}: not an amount", got=amount, allowed=allowed, key=f"{key}.{name}", hint=hint
                )
    for name in minimum or {}:
        if name in (maximum or {}) and minimum[name] > maximum[name]:
            found.add("minimum above maximum", got=(minimum[name], maximum[name]), key=f"minimum.{name}")
    amounts = {
        "target": None if isinstance(target, Mapping) else target,
        "budget": budget,
        "shortfall_penalty": shortfall_penalty,
    }
    for key, one in amounts.items():
        if one is not None and not 0.0 <= one < np.inf:
            found.add("not an amount", got=one, allowed="0 or more", key=key)
    if isinstance(target, Mapping) and not target:
        found.add("target: no period given", allowed=periods, key="target")
    if not 0.0 <= cvar_level < 1.0:
        found.add("out of range", got=cvar_level, allowed="0 <= cvar_level < 1", key="cvar_level")
    for key, share in (("risk_weight", risk_weight), ("commitment_share", commitment_share)):
        if not 0.0 <= share <= 1.0:
            found.add("out of range", got=share, allowed="0 to 1", key=key)
    if max_share is not None and not 1.0 / len(pathways) <= max_share <= 1.0:
        found.add(
            "out of range", got=max_share, allowed=f"{1.0 / len(pathways):.3g} to 1", key="max_share",
            hint=f"{len(pathways)} pathways cannot each hold less than an equal share",
        )  # fmt: skip
    if segments < 1:
        found.add("out of range", got=segments, allowed="1 or more", key="segments")
    if not time_limit > 0.0:
        found.add("out of range", got=time_limit, allowed="above 0", key="time_limit")
    found.raise_if_any()


def _bounds(
    scenarios: xr.Dataset,
    useful: Any,
    minimum: Mapping[str, float] | None,
    maximum: Mapping[str, float] | None,
    total: Mapping[str, float] | None,
) -> tuple[Any, Any]:
    """Return bounds of the plan, (pathway, period).

    More than the largest capacity of any scenario captures nothing more, and a pathway that
    removes nothing is not planned: without these bounds a free plan would not be determined.
    """
    names = [str(v) for v in scenarios["pathway"].values]
    lower = np.array([float((minimum or {}).get(name, 0.0)) for name in names])[:, None]
    most = np.array([float((maximum or {}).get(name, np.inf)) for name in names])[:, None]
    reach = scenarios["capacity"].transpose("sample", "pathway", "period").values.max(axis=0)
    cap = np.array([float((total or {}).get(str(name), np.inf)) for name in scenarios["period"].values])
    reach = np.minimum(np.where(useful, reach, 0.0), cap)
    upper = np.maximum(np.minimum(most, reach), lower)
    return np.broadcast_to(lower, upper.shape), upper
