"""A plan on draws it was not chosen on: the simulation's figures with bootstrap intervals.

The scenarios a plan was chosen on flatter it: it was fitted to them, and a few scenarios hold less of
the tail than all draws. Fresh joint draws say what to expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.errors import Problems
from sinkrisk.portfolio.measuring import annuity, years_until
from sinkrisk.risk import cvar
from sinkrisk.scenarios.curtailing import respond_curtailed
from sinkrisk.scenarios.recourse import (
    due_period,
    evaluate,
    loss_dataset,
    penalties,
    terms,
    wanted_tonnes,
)
from sinkrisk.scenarios.tree import whole

if TYPE_CHECKING:
    from sinkrisk.scenarios.solution import Optimum

Floats = NDArray[np.float64]

KIND = "bootstrap percentile, equal-tailed"

FIGURES = ("objective", "expected_loss", "expected_cost", "expected_shortfall", "probability_met", "cvar")
"""What is told of a plan, in the order of `_figures`."""

MET = 1e-9
"""GtCO2 short that still count as the target met: rounding."""

ENTRIES = 2**23
"""Resampled losses held at once."""

NAME = "optimum of the programme"


def simulated_loss(
    outcomes: xr.Dataset,
    *,
    target: float | Mapping[str, float],
    shortfall_penalty: float,
    commitment_share: float = 0.0,
    year: int | None = None,
    cost: xr.DataArray | None = None,
) -> xr.Dataset:
    """Return cost, shortfall and loss of simulated portfolios, on the terms of `optimize`.

    Parameters
    ----------
    outcomes : Dataset
        From `sinkrisk.portfolio.simulate`.
    target, shortfall_penalty, commitment_share, year
        As in `sinkrisk.scenarios.optimize`.
    cost : DataArray, (sample, pathway), optional
        USD/tCO2 at the start of the cost curve (``drawn["cost"]``); needed with `commitment_share`.

    Returns
    -------
    Dataset, (sample, portfolio)
        ``cost`` and ``loss`` in billion USD present value, ``shortfall`` in GtCO2. The cost is the
        criterion ``total_cost`` of `sinkrisk.portfolio.measure`.

    Raises
    ------
    InputError
        For outcomes that lack a variable, and for a commitment without `cost`.
    """
    found = Problems()
    for name in ("cost", "durable", "lost", "discount_rate", "period_start", "period_length"):
        if name not in outcomes.variables:
            found.add("outcomes lack a variable", key=name, hint="outcomes come from portfolio.simulate")
    if commitment_share > 0.0 and cost is None:
        found.add("cost is needed with a commitment share", got=commitment_share, key="cost")
    found.raise_if_any()
    start, length = outcomes["period_start"], outcomes["period_length"]
    worth = annuity(outcomes["discount_rate"], start, length)
    spent = (outcomes["cost"].sum("pathway") * worth).sum("period")
    if cost is not None and commitment_share > 0.0:
        idle = (cost.clip(min=0.0) * outcomes["lost"]).sum("pathway")
        spent = spent + commitment_share * (idle * worth).sum("period")
    counted = length.astype(float) if year is None else years_until(outcomes, year)
    reached = outcomes["durable"].sum("pathway") * counted
    factor = worth / length
    if isinstance(target, Mapping):
        rates = [float(target.get(str(name), 0.0)) for name in outcomes["period"].values]
        missing = (xr.DataArray(rates, dims="period") * counted - reached).clip(min=0.0)
        due = (missing * factor).sum("period")
        missing = missing.sum("period")
    else:
        missing = (float(target) - reached.sum("period")).clip(min=0.0)
        due = missing * factor.isel(period=due_period(outcomes, year), drop=True)
    order = ("sample", "portfolio")
    found_loss = xr.Dataset({"cost": spent, "shortfall": missing, "loss": spent + shortfall_penalty * due})
    found_loss = found_loss.transpose(*order).reset_coords(drop=True).drop_attrs()
    for name, unit in (("cost", "billion USD"), ("shortfall", "GtCO2"), ("loss", "billion USD")):
        found_loss[name].attrs["units"] = unit
    return found_loss


def validate(
    optimum: Optimum,
    drawn: xr.Dataset,
    portfolios: xr.Dataset | None = None,
    *,
    level: float = 0.9,
    resamples: int = 1000,
    rng: random.RandomSource = None,
) -> Optimum:
    """Return the optimum with its figures on fresh draws, beside those of named portfolios.

    Parameters
    ----------
    optimum : Optimum
    drawn : Dataset
        Joint draws the scenarios were not picked from (`sinkrisk.inputs.sample`).
    portfolios : Dataset, optional
        ``planned`` (portfolio, pathway, period) to compare with, as for `simulate`.
    level : float
        Mass of the bootstrap intervals.
    resamples : int
        Bootstrap resamples of the draws.
    rng : int, Generator or None
        Of the bootstrap.

    Returns
    -------
    Optimum
        With ``out_of_sample`` and a sentence that quotes it. ``out_of_sample`` holds ``draws``,
        ``interval_kind``, ``interval_mass``, ``resamples``; each figure of `FIGURES` as value, low
        and high, from `simulate`; ``programme``, the same figures by the programme's own reckoning,
        which leaves out what passive redundancy moves to other pathways (and curtails if the
        programme did); and ``portfolios``, for each its objective and how far it lies above the
        optimum's, with intervals from the same resamples.

    Raises
    ------
    InputError
        For a plan of nothing, a level or a number of resamples out of range, and draws that
        `simulate` refuses.

    Notes
    -----
    Intervals say how well these draws determine the figures of this one plan; that other scenarios
    would have led to another plan is not in them.
    """
    from sinkrisk import portfolio

    found = Problems()
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    if resamples < 100:
        found.add("too few resamples", got=resamples, allowed="100 or more", key="resamples")
    if not (optimum.planned > 0.0).any():
        found.add(
            "the optimum plans nothing: no removal is worth its cost",
            key="optimize.shortfall_penalty",
            got=optimum.shortfall_penalty,
            hint="raise the penalty, or leave it out",
        )
    found.raise_if_any()
    own = optimum.planned.expand_dims(portfolio=["optimum"])
    plans = own.to_dataset(name="planned")
    names = {"optimum": NAME}
    if portfolios is not None:
        others = portfolios["planned"].reset_coords(drop=True)
        plans = xr.concat([own, others], dim="portfolio", join="outer", fill_value=0.0).to_dataset(
            name="planned"
        )
        labels = portfolios["name"].values if "name" in portfolios.coords else others["portfolio"].values
        names |= {str(k): str(v) for k, v in zip(others["portfolio"].values, labels, strict=True)}
    # Outer joins sort labels; the engine wants the periods in the order of the draws.
    plans = plans.reindex(period=drawn["period"].values)
    losses = simulated_loss(
        portfolio.simulate(drawn, plans),
        target=optimum.target,
        shortfall_penalty=optimum.shortfall_penalty,
        commitment_share=optimum.commitment_share,
        year=optimum.year,
        cost=drawn["cost"],
    )
    weight = drawn["probability"].values if "probability" in drawn else None
    samples = drawn.sizes["sample"]
    weight = np.full(samples, 1.0 / samples) if weight is None else np.asarray(weight / weight.sum())
    spread = _bootstrap(losses, weight, optimum, resamples, random.generator(rng))
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    record: dict[str, Any] = {
        "draws": int(samples),
        "interval_kind": KIND,
        "interval_mass": level,
        "resamples": int(resamples),
    }
    first = _figures(*_columns(losses, 0), optimum, weight)
    for k, name in enumerate(FIGURES):
        low, high = np.quantile(spread[0, :, k], tails)
        record[name] = {"value": first[k], "low": float(low), "high": float(high)}
    model = _model(optimum, whole(drawn))
    columns = (model["cost"].values, model["shortfall"].values, model["loss"].values)
    record["programme"] = dict(zip(FIGURES, _figures(*columns, optimum, weight), strict=True))
    record["portfolios"] = []
    for f, label in enumerate(str(v) for v in losses["portfolio"].values):
        if f == 0:
            continue
        mine = _figures(*_columns(losses, f), optimum, weight)
        low, high = np.quantile(spread[f, :, 0], tails)
        apart = np.quantile(spread[f, :, 0] - spread[0, :, 0], tails)
        record["portfolios"].append(
            {
                "portfolio": label, "name": names[label], "objective": mine[0],
                "low": float(low), "high": float(high), "difference": mine[0] - first[0],
                "difference_low": float(apart[0]), "difference_high": float(apart[1]),
                "expected_cost": mine[2], "expected_shortfall": mine[3], "probability_met": mine[4],
                "cvar": mine[5],
            }
        )  # fmt: skip
    return replace(optimum, out_of_sample=record, sentence=_sentence(optimum, record))


def _columns(losses: xr.Dataset, f: int) -> tuple[Floats, Floats, Floats]:
    one = losses.isel(portfolio=f)
    return one["cost"].values, one["shortfall"].values, one["loss"].values


def _figures(
    cost: Floats, shortfall: Floats, loss: Floats, optimum: Optimum, weight: Floats | None
) -> list[Any]:
    """Return `FIGURES`; draws lie on the last axis, equally probable where `weight` is None."""
    mean = [v.mean(axis=-1) if weight is None else v @ weight for v in (loss, cost, shortfall)]
    met = (shortfall <= MET).astype(float)
    tail = cvar(loss, optimum.cvar_level, probability=weight)
    objective = (1.0 - optimum.risk_weight) * mean[0] + optimum.risk_weight * np.asarray(tail)
    figures = [objective, *mean, met.mean(axis=-1) if weight is None else met @ weight, tail]
    return [float(v) if np.ndim(v) == 0 else v for v in figures]


def _bootstrap(
    losses: xr.Dataset, weight: Floats, optimum: Optimum, resamples: int, generator: np.random.Generator
) -> Floats:
    """Return figures of resampled draws, (portfolio, resample, figure); all portfolios share draws."""
    count = losses.sizes["sample"]
    out = np.empty((losses.sizes["portfolio"], resamples, len(FIGURES)))
    step = max(1, ENTRIES // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        picked = generator.choice(count, size=(rows, count), p=weight)
        for f in range(out.shape[0]):
            cost, shortfall, loss = (v[picked] for v in _columns(losses, f))
            out[f, start : start + rows] = np.stack(_figures(cost, shortfall, loss, optimum, None), axis=-1)
    return out


def _model(optimum: Optimum, scenarios: xr.Dataset) -> xr.Dataset:
    """Return the plan's losses by the programme's own reckoning."""
    if not optimum.curtail:
        return evaluate(
            scenarios,
            optimum.planned,
            target=optimum.target,
            shortfall_penalty=optimum.shortfall_penalty,
            commitment_share=optimum.commitment_share,
            year=optimum.year,
        )
    given = terms(scenarios, optimum.year)
    wanted = wanted_tonnes(given, scenarios, optimum.target)
    penalty = penalties(given, wanted, optimum.shortfall_penalty)
    labels = {dim: scenarios[dim].values for dim in ("pathway", "period")}
    plan = optimum.planned.reindex(labels, fill_value=0.0).transpose("pathway", "period").values
    cost, missing = respond_curtailed(
        given, plan, wanted, penalty, optimum.commitment_share, optimum.segments
    )
    loss = cost + (penalty * missing).sum(axis=1)
    return loss_dataset(cost, missing.sum(axis=1), loss, scenarios["probability"])


def _sentence(optimum: Optimum, record: Mapping[str, Any]) -> str:
    """Return the plan, its figures out of sample with intervals, and those in sample named as such."""
    plan = optimum.sentence.split(" In sample,")[0]
    tail = f"{1.0 - optimum.cvar_level:.0%}"
    worst, met, short = (record[k] for k in ("cvar", "probability_met", "expected_shortfall"))
    text = (
        f"{plan} Out of sample, simulated on {record['draws']:,} fresh draws, it meets the target with "
        f"probability {met['value']:.2f} ({met['low']:.2f} to {met['high']:.2f}), falls "
        f"{short['value']:.3g} GtCO2 ({short['low']:.3g} to {short['high']:.3g}) short on average, and loses "
        f"{worst['value']:,.0f} billion USD ({worst['low']:,.0f} to {worst['high']:,.0f}) on average in the "
        f"worst {tail} of cases (in brackets {record['interval_mass']:.0%} {record['interval_kind']} "
        f"intervals). In sample, on the {optimum.scenarios} scenarios it was chosen on, these were "
        f"{optimum.probability_met:.2f}, {optimum.expected_shortfall:.3g} GtCO2 and {optimum.cvar:,.0f} "
        "billion USD."
    )
    return f"{text} {_rivals(record['portfolios'])}".rstrip()


def _rivals(compared: list[Any]) -> str:
    """Return what the comparison with named portfolios says; nothing where there is none."""
    if not compared:
        return ""
    best = min(compared, key=lambda one: float(one["objective"]))
    gain = f"{abs(best['difference']):,.0f} billion USD"
    span = f"{best['difference_low']:,.0f} to {best['difference_high']:,.0f}"
    apart = (
        "" if best["difference_low"] * best["difference_high"] > 0.0 else "; the draws do not tell them apart"
    )
    if best["difference"] >= 0.0:
        return (
            "Out of sample no named portfolio has a better objective; the best of them, "
            f"{best['name']}, is {gain} worse (difference {span}{apart})."
        )
    return (
        f"Out of sample the named portfolio {best['name']} has a better objective than the optimum, "
        f"by {gain} (difference {span}{apart})."
    )
