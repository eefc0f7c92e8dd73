"""Outcomes to criteria, per draw, and criteria over draws.

What a criterion is called, its unit and which way it is better stand in ``priors/criteria.csv``;
how it is computed stands in `criteria`, one function each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.criteria import (
    CRITERIA,
    Horizon,
    annuity as annuity,
    years_until as years_until,
)
from sinkrisk.portfolio.specification import TargetSpec, make_target
from sinkrisk.risk.quantiles import Direction, check_probability

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

STATISTICS: tuple[str, ...] = (
    "mean",
    "sd",
    "median",
    "low",
    "high",
    "value_at_risk",
    "cvar",
    "probability_met",
    "probability_defined",
)


def _criteria_table(criteria: pd.DataFrame | None) -> pd.DataFrame:
    if criteria is None:
        from sinkrisk.priors import load_table

        criteria = load_table("criteria")
    found = Problems()
    for name in ("criterion", "direction", "unit", "axis"):
        if name not in criteria.columns:
            found.add("criteria lack a column", key=name)
    found.raise_if_any()
    for name, direction in zip(criteria["criterion"], criteria["direction"], strict=True):
        if name not in CRITERIA:
            found.add("unknown criterion", got=name, allowed=list(CRITERIA))
        if direction not in ("maximise", "minimise"):
            found.add("unknown direction", got=direction, allowed=["maximise", "minimise"], key=name)
    if criteria.empty:
        found.add("no criterion")
    found.raise_if_any()
    return criteria


def measure(
    outcomes: xr.Dataset,
    *,
    target: TargetSpec | Mapping[str, Any],
    criteria: pd.DataFrame | None = None,
) -> xr.DataArray:
    """Measure every portfolio in every draw by the criteria.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`; may be dask-backed.
    target : TargetSpec or mapping
        ``{"net_removal": 400, "unit": "GtCO2", "year": 2100}``: what `shortfall` is taken from.
    criteria : DataFrame, optional
        Columns criterion, direction, unit, axis; ``priors/criteria.csv`` when left out.

    Returns
    -------
    DataArray, (sample, portfolio, criterion)
        Coordinates along criterion: ``direction`` ("maximise" or "minimise"), ``unit``, ``axis``
        (one of the review's six). Computed as follows, with sums over pathways and periods:

        - ``sequestration_rate``: net removal (`stored`) a year, mean over the horizon, GtCO2/yr;
        - ``storage_permanence``: durable over gross removal;
        - ``technological_maturity``, ``ecological_risk``: TRL and risk score weighted by the
          tonnes deployed or received;
        - ``marginal_abatement_cost``: mean of ``c0 (1 + a u^eta)`` at the use u reached in each
          pathway, region and period, weighted by the tonnes deployed or received there, in any
          ledger; undiscounted;
        - ``energy_intensity``: energy per tonne deployed or received, in any ledger; what returns
          later is counted by the permanence, not here a second time;
        - ``net_removal_2050``, ``net_removal_2100``: cumulative net removal, see `years_until`;
        - ``total_cost``: the integral of the marginal cost over the tonnes, discounted to the start
          of the first period, billion USD;
        - ``cost_per_durable_tonne``: the same cost undiscounted, of tonnes in any ledger, over
          durable removal;
        - ``reallocated_share``: tonnes that moved to other pathways under passive redundancy over
          all tonnes deployed or received;
        - ``shortfall``: target less cumulative durable removal until its year, at least 0.

        Durable removal is gross removal times the share still stored 100 years after storage; shocks
        after the horizon are not drawn, so it is an upper bound where shocks return carbon. A ratio is
        NaN in a draw where nothing was deployed (removed, durable): it is not defined there.

    Raises
    ------
    InputError
        For a target that is not positive, in a wrong unit, or out of the horizon; for criteria
        that are not known; for outcomes that lack a variable.
    """
    goal = make_target(target)
    table = _criteria_table(criteria)
    found = Problems()
    for name in ("deployed", "received", "removed", "stored", "durable", "cost", "marginal_cost", "energy",
                 "trl", "ecological_risk", "discount_rate", "period_start", "period_length"):  # fmt: skip
        if name not in outcomes.variables:
            found.add("outcomes lack a variable", key=name, hint="outcomes come from portfolio.simulate")
    found.raise_if_any()
    start, length = outcomes["period_start"].values, outcomes["period_length"].values
    first, last = int(start[0]), int(start[-1] + length[-1] - 1)
    if not first < goal.year <= last:
        raise InputError(
            Problem(
                "target year outside the horizon",
                got=goal.year,
                allowed=f"{first + 1} .. {last}",
                key="target.year",
            )
        )
    horizon = Horizon(outcomes, goal)
    names = [str(v) for v in table["criterion"]]
    columns = [
        CRITERIA[name](horizon).transpose("sample", "portfolio").reset_coords(drop=True) for name in names
    ]
    measured = xr.concat(columns, dim="criterion").transpose("sample", "portfolio", "criterion")
    measured = measured.drop_attrs().assign_coords(
        criterion=names,
        direction=("criterion", [str(v) for v in table["direction"]]),
        unit=("criterion", [str(v) for v in table["unit"]]),
        axis=("criterion", (table["axis"].astype(str).str.lower() == "true").to_numpy()),
        probability=outcomes["probability"],
    )
    if "name" in outcomes.coords:
        measured = measured.assign_coords(name=outcomes["name"])
    measured.attrs["target"] = f"{goal.net_removal:g} {goal.unit} durable by {goal.year}"
    return measured.rename("measure")


def summarise(
    measures: xr.DataArray,
    *,
    level: float = 0.9,
    probability: ArrayLike | None = None,
    tail: float = 0.95,
) -> xr.DataArray:
    """Summarise criteria over draws.

    Parameters
    ----------
    measures : DataArray, (sample, portfolio, criterion)
        From `measure`.
    level : float
        Mass of the equal-tailed interval ``low`` to ``high``.
    probability : array_like, (sample,), optional
        Probability of each draw; the coordinate `probability` of `measures`, or equal, when left
        out.
    tail : float
        Level of value at risk and CVaR: 0.95 looks at the worst 5 %.

    Returns
    -------
    DataArray, (portfolio, criterion, statistic)
        ``mean sd median low high``; ``value_at_risk`` and ``cvar`` towards the bad end of the
        criterion, in its own sign and unit; ``probability_met``, the probability that nothing is
        missing, for shortfall only (NaN elsewhere); ``probability_defined``, the probability of a
        draw in which the criterion is defined: the other statistics are conditional on it.
        Attributes ``interval_kind``, ``interval_mass``, ``tail_mass``.

    Raises
    ------
    InputError
        For a level or tail out of range, or bad probabilities.

    Notes
    -----
    sd is that of the distribution the draws stand for (no n - 1), so that a weight equals
    repetition.
    """
    found = Problems()
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    if not 0.0 <= tail < 1.0:
        found.add("tail outside its range", got=tail, allowed="0 <= tail < 1", key="tail")
    found.raise_if_any()
    values = measures.transpose("portfolio", "criterion", "sample")
    weight = weights_of(measures, probability)
    data = np.asarray(values.values, dtype=float)
    direction = measures["direction"].values
    out = np.full((*data.shape[:2], len(STATISTICS)), np.nan)
    for f in range(data.shape[0]):
        for c in range(data.shape[1]):
            met = str(measures["criterion"].values[c]) == "shortfall"
            out[f, c] = _statistics(data[f, c], weight, str(direction[c]), level, tail, met)
    coords = {n: v for n, v in measures.coords.items() if set(v.dims) <= {"portfolio", "criterion"}}
    return xr.DataArray(
        out,
        dims=("portfolio", "criterion", "statistic"),
        coords={**coords, "statistic": list(STATISTICS)},
        name="summary",
        attrs={
            "interval_kind": "equal-tailed",
            "interval_mass": level,
            "tail_mass": 1.0 - tail,
            **{k: v for k, v in measures.attrs.items() if k == "target"},
        },
    )


def weights_of(
    measures: xr.DataArray, probability: ArrayLike | None
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the probability of each draw: the argument, else the coordinate, else equal."""
    n = measures.sizes["sample"]
    if probability is None:
        if "probability" not in measures.coords:
            return np.full(n, 1.0 / n)
        probability = measures["probability"].values
    return check_probability(probability, n)


def _statistics(
    x: Floats,
    weight: Floats,
    direction: str,
    level: float,
    tail: float,
    met: bool,
) -> list[float]:
    defined = ~np.isnan(x)
    mass = float(weight[defined].sum())
    if mass <= 0.0:
        return [math.nan] * (len(STATISTICS) - 1) + [0.0]
    x, weight = x[defined], weight[defined] / mass
    # Equal probabilities take the unweighted rule, which is the same and much faster.
    probability = None if np.ptp(weight) <= 1e-15 else weight
    bad: Direction = "low_is_bad" if direction == "maximise" else "high_is_bad"
    mean = float(weight @ x)
    low, median, high = risk.quantile(
        x, [(1.0 - level) / 2.0, 0.5, (1.0 + level) / 2.0], probability=probability
    )
    return [
        mean,
        math.sqrt(max(float(weight @ (x - mean) ** 2), 0.0)),
        float(median),
        float(low),
        float(high),
        float(risk.value_at_risk(x, tail, direction=bad, probability=probability)),
        float(risk.cvar(x, tail, direction=bad, probability=probability)),
        float(weight @ (x <= 0.0)) if met else math.nan,
        min(mass, 1.0),
    ]
