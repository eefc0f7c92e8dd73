"""Composite plans: another candidate in each period, simulated, valued and watched period by period"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.errors import Problems
from sinkrisk.portfolio.criteria import OVERHEADS, Horizon, annuity, years_until
from sinkrisk.portfolio.policies import Game, digits
from sinkrisk.portfolio.signalling import NEEDED, Signal, signal_values
from sinkrisk.portfolio.simulation import simulate
from sinkrisk.portfolio.specification import DecisionSpec, TargetSpec
from sinkrisk.portfolio.weighing import read_signals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VALUED: tuple[str, ...] = ("durable", "cost", *OVERHEADS)
"""Outcomes that the net benefit is made of."""

LEAST_DRAWS = 200
"""Fewest draws: a half of them must hold the least effective sample size."""

BLOCK_BYTES = 200e6
"""Memory of the outcomes held at once, roughly."""


def check_setting(
    drawn: xr.Dataset, plans: xr.Dataset, target: TargetSpec, *, periods: int, found: Problems
) -> None:
    """Record what keeps plans from being adapted or watched, before anything is simulated.

    Parameters
    ----------
    drawn, plans : Dataset
    target : TargetSpec
    periods : int
        Fewest periods that are needed.
    found : Problems
    """
    if "planned" not in plans:
        got = ", ".join(map(str, plans.data_vars))
        found.add("portfolios lack the variable 'planned'", got=got, hint="make plans with portfolio.plan")
    if drawn.sizes.get("sample", 0) < LEAST_DRAWS:
        found.add("too few draws", got=drawn.sizes.get("sample", 0), allowed=f"{LEAST_DRAWS} or more")
    if "period_start" not in drawn.variables or "period_length" not in drawn.variables:
        found.add("inputs lack the periods", key="period_start", hint="inputs come from inputs.sample")
        return
    start, length = drawn["period_start"].values, drawn["period_length"].values
    if len(start) < periods:
        found.add("too few periods: nothing is left to decide", got=len(start), allowed=f"{periods} or more")
    first, last = int(start[0]), int(start[-1] + length[-1] - 1)
    if not first < target.year <= last:
        found.add(
            "target year outside the horizon",
            got=target.year,
            allowed=f"{first + 1} .. {last}",
            key="target.year",
        )


def compose(candidates: xr.Dataset, courses: Ints) -> xr.Dataset:
    """Return the plans that follow another candidate in each period.

    Parameters
    ----------
    candidates : Dataset
        ``planned`` (portfolio, pathway, period) or with region, GtCO2/yr.
    courses : ndarray of int, (course, period)
        Position of the candidate of each period.

    Returns
    -------
    Dataset
        As `candidates`, with one portfolio per course.
    """
    planned = candidates["planned"]
    chosen = xr.DataArray(courses, dims=("course", "period"), coords={"period": planned["period"].values})
    together = planned.drop_vars([n for n in planned.coords if n not in planned.dims])
    picked = xr.concat(
        [together.isel(period=q, portfolio=chosen.isel(period=q)) for q in range(planned.sizes["period"])],
        dim="period",
        coords="minimal",
        compat="override",
    )
    names = candidates["portfolio"].values.astype(str)
    labels = [course_name(row, names) for row in courses]
    picked = picked.drop_vars("portfolio", errors="ignore").rename(course="portfolio")
    picked = picked.assign_coords(portfolio=labels, period=planned["period"].values)
    out = xr.Dataset({"planned": picked.transpose(*planned.dims).assign_attrs(planned.attrs)})
    if "coordinated" in candidates.coords:
        # `check_candidates` has seen to it that all candidates agree.
        out = out.assign_coords(
            coordinated=("portfolio", np.full(len(courses), bool(candidates["coordinated"].values[0])))
        )
    return out


def course_name(course: Sequence[int] | Ints, names: Sequence[str] | NDArray[np.str_]) -> str:
    """Return the candidates of a course, once where it keeps to one.

    Examples
    --------
    >>> course_name([0, 0], ["a", "b"]), course_name([0, 1], ["a", "b"])
    ('a', 'a > b')
    """
    steps = [str(names[i]) for i in course]
    return steps[0] if len(set(steps)) == 1 else " > ".join(steps)


def worth_by_period(outcomes: xr.Dataset, target: TargetSpec, decision: DecisionSpec) -> xr.DataArray:
    """Return the net benefit of every portfolio in every draw, period by period.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`, with the outcomes of `VALUED`.
    target : TargetSpec
    decision : DecisionSpec

    Returns
    -------
    DataArray, (sample, portfolio, period)
        Billion USD, summing over periods to `valuing.net_benefit`: worth of the period's durable tonnes
        less its cost, and in the period that holds the target year less the penalty on the shortfall.
    """
    horizon = Horizon(outcomes, target)
    start, length = outcomes["period_start"], horizon.length
    rate = outcomes["discount_rate"] if decision.discounting == "all" else 0.0 * outcomes["discount_rate"]
    worth = annuity((1.0 + rate) / (1.0 + decision.carbon_value_growth) - 1.0, start, length)
    money = annuity(rate, start, length)
    due = years_until(outcomes, target.year) > 0.0
    last = np.flatnonzero(due.values)[-1]
    missing = (target.net_removal_gtco2 - horizon.until(horizon.net_durable, target.year)).clip(min=0.0)
    charged = xr.zeros_like(length)
    charged[last] = decision.shortfall_penalty
    value: xr.DataArray = (
        decision.carbon_value * horizon.net_durable * worth
        - horizon.world("cost") * money
        - missing * charged * money / length
    )
    return value.transpose("sample", "portfolio", "period")


def shortfall_of(outcomes: xr.Dataset, target: TargetSpec) -> Floats:
    """Return by how much the target is missed, (sample, portfolio), GtCO2; as the criterion ``shortfall``."""
    horizon = Horizon(outcomes, target)
    reached = horizon.until(horizon.net_durable, target.year).transpose("sample", "portfolio")
    return np.asarray((target.net_removal_gtco2 - reached).clip(min=0.0).values, dtype=float)


def simulated_blocks(
    drawn: xr.Dataset, candidates: xr.Dataset, courses: Ints
) -> Iterator[tuple[slice, xr.Dataset]]:
    """Yield the outcomes of courses, some at a time, so that memory stays bounded."""
    wanted = tuple(dict.fromkeys((*NEEDED, *VALUED)))
    sizes = drawn.sizes
    each = 8.0 * len(wanted) * sizes["sample"] * sizes["pathway"] * sizes["period"]
    step = max(1, int(BLOCK_BYTES / each))
    for start in range(0, len(courses), step):
        some = slice(start, min(start + step, len(courses)))
        yield some, simulate(drawn, compose(candidates, courses[some]), variables=wanted)


def build_game(
    drawn: xr.Dataset,
    candidates: xr.Dataset,
    target: TargetSpec,
    decision: DecisionSpec,
    signals: Sequence[Signal],
    network: xr.DataArray | None,
    rng: random.RandomSource,
) -> Game:
    """Simulate every course of candidates, and return what it brings and shows.

    Parameters
    ----------
    drawn, candidates : Dataset
    target : TargetSpec
    decision : DecisionSpec
    signals : sequence of Signal
    network : DataArray, optional
    rng : int, Generator or None
        For the errors of monitoring.

    Returns
    -------
    Game
        The engine looks back, never ahead: what a period brings and shows is that of any course with the
        same beginning, and is taken from the first one.
    """
    k, periods, n = candidates.sizes["portfolio"], drawn.sizes["period"], drawn.sizes["sample"]
    numbers = np.arange(k**periods)
    worth = [np.empty((n, k ** (q + 1))) for q in range(periods)]
    truth = [np.empty((n, k ** (q + 1), len(signals))) for q in range(periods - 1)]
    for some, outcomes in simulated_blocks(drawn, candidates, digits(numbers, k, periods)):
        value = worth_by_period(outcomes, target, decision).values
        seen = signal_values(signals, outcomes, drawn, network)
        for q in range(periods):
            rest = k ** (periods - 1 - q)
            first = np.flatnonzero(numbers[some] % rest == 0)
            at = numbers[some][first] // rest
            worth[q][:, at] = value[:, first, q]
            if q < periods - 1:
                truth[q][:, at] = seen[:, first, q]
    noises = [s.noise for s in signals]
    probability = np.full(n, 1.0 / n)
    if "probability" in drawn:
        probability = np.asarray(drawn["probability"].values, dtype=float)
    return Game(worth, truth, read_signals(truth, noises, rng), noises, probability, k)
