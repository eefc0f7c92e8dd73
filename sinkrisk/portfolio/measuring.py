"""Outcomes to criteria, per draw, and criteria over draws.

What a criterion is called, its unit and which way it is better stand in ``priors/criteria.csv``;
how it is computed stands in `criteria`, one function each.
"""

from __future__ import annotations

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
    measurable,
    years_until as years_until,
)
from sinkrisk.portfolio.forms import checked
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


@checked()
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

        - ``net_removal_2050``, ``net_removal_2100``: cumulative net removal, see `years_until`: what
          went into the stores less what came back, less process emissions and non-CO2 effects
          (GWP100) of every pathway, those of avoided and utilised tonnes included; regrowth given up on
          the land used was taken off before storage;
          ``sequestration_rate``: the same a year, mean over the horizon;
        - ``durable_removal``: gross removal times the share still stored 100 years after storage,
          less the same two; ``shortfall``: target less that until the target's year, at least 0;
        - ``storage_permanence``: the probability that a tonne removed is still stored 100 years
          later, durable over gross removal, before overheads;
        - ``avoided_emissions``, ``utilised_carbon``: the other two ledgers, apart, at capture;
        - ``technological_maturity``, ``ecological_risk``: TRL and risk score weighted by the
          tonnes deployed or received;
        - ``marginal_abatement_cost``: mean of ``c0 (1 + a u^eta)`` at the use u reached in each
          pathway, region and period, weighted by the tonnes deployed or received there, in any
          ledger; undiscounted;
        - ``energy_intensity``: energy per tonne deployed or received, in any ledger;
          ``energy_demand``: the energy a year; ``land_demand``: land in use in the period of most
          use; ``water_demand``: water a year;
        - ``total_cost``: the integral of the marginal cost over the tonnes, discounted to the start
          of the first period, billion USD;
        - ``cost_per_durable_tonne``: the same cost undiscounted, of tonnes in any ledger, over
          ``durable_removal``; undefined where that is not positive;
        - ``acceptance``: share of the tonnes that capacity and shared resources allow which
          institutions do not hold back, 1 less withheld and reallocated over planned less limited
          and scarce;
        - ``regional_equity``: 1 less the Gini index of tonnes captured per land region against its
          area (`criteria.evenness`);
        - ``reallocated_share``: tonnes that moved to other pathways under passive redundancy over
          all tonnes deployed or received;
        - ``credited_tonnes``: credits issued within the horizon; ``retained_2200``: the stock at the
          end of 2200; ``co2_2100``: concentration at the end of 2100.

        Criteria whose outcomes a simulation did not produce (`criteria.NEEDS`) are left out and named
        in the attribute ``left_out``. Where `late_hazard` is not drawn, shocks after the horizon do
        not happen and durable removal is an upper bound. A ratio is NaN in a draw where there is
        nothing to divide by (nothing deployed, removed, durable): it is not defined there.

    Raises
    ------
    InputError
        For a target that is not positive, in a wrong unit, or out of the horizon; for criteria
        that are not known; for outcomes that lack a variable.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> measures = measure(
    ...     portfolio.simulate(drawn, plans), target={"net_removal": 60, "unit": "GtCO2", "year": 2100}
    ... )
    >>> missed = measures.sel(criterion="shortfall", portfolio="daccs_only")
    >>> str(missed["unit"].values), bool(((missed >= 0.0) & (missed <= 60.0)).all())
    ('GtCO2', True)
    """
    goal = make_target(target)
    table = _criteria_table(criteria)
    check_outcomes(outcomes, goal)
    kept = [measurable(str(name), outcomes) for name in table["criterion"]]
    left_out = [str(name) for name, there in zip(table["criterion"], kept, strict=True) if not there]
    table = table[kept]
    if table.empty:
        raise InputError(
            Problem(
                "no criterion can be measured",
                got=", ".join(left_out),
                hint="the outcomes lack the variables these need",
            )
        )
    horizon = Horizon(outcomes, goal, _region_reference() if "captured_in" in outcomes else None)
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
    if left_out:
        measured.attrs["left_out"] = ", ".join(left_out)
    return measured.rename("measure")


def _region_reference() -> dict[str, float]:
    """Return every region's share of Earth's surface, from ``priors/regions.csv``."""
    from sinkrisk.priors import load_table

    regions = load_table("regions")
    return dict(zip(regions["region"].astype(str), regions["surface_share"].astype(float), strict=True))


def check_outcomes(outcomes: xr.Dataset, target: TargetSpec) -> None:
    """Raise where outcomes lack what every measure needs, or do not reach the target's year."""
    found = Problems()
    for name in ("deployed", "received", "removed", "stored", "durable", "cost", "marginal_cost", "energy",
                 "trl", "ecological_risk", "discount_rate", "period_start", "period_length"):  # fmt: skip
        if name not in outcomes.variables:
            found.add("outcomes lack a variable", key=name, hint="outcomes come from portfolio.simulate")
    found.raise_if_any()
    start, length = outcomes["period_start"].values, outcomes["period_length"].values
    first, last = int(start[0]), int(start[-1] + length[-1] - 1)
    if not first < target.year <= last:
        raise InputError(
            Problem(
                "target year outside the horizon",
                got=target.year,
                allowed=f"{first + 1} .. {last}",
                key="target.year",
            )
        )


@checked()
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

    Examples
    --------
    >>> measures = xr.DataArray(
    ...     [[[3.0]], [[2.0]], [[1.0]], [[6.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased"],
    ...         "criterion": ["durable_removal"],
    ...         "direction": ("criterion", ["maximise"]),
    ...         "unit": ("criterion", ["GtCO2"]),
    ...     },
    ... )
    >>> told = summarise(measures, tail=0.75).sel(portfolio="phased", criterion="durable_removal")
    >>> float(told.sel(statistic="mean")), float(told.sel(statistic="cvar"))  # the worst quarter
    (3.0, 1.0)
    """
    found = Problems()
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    if not 0.0 <= tail < 1.0:
        found.add("tail outside its range", got=tail, allowed="0 <= tail < 1", key="tail")
    found.raise_if_any()
    values = measures.transpose("criterion", "portfolio", "sample")
    weight = weights_of(measures, probability)
    data = np.asarray(values.values, dtype=float)
    out = np.full((data.shape[1], data.shape[0], len(STATISTICS)), np.nan)
    for c, direction in enumerate(measures["direction"].values):
        met = str(measures["criterion"].values[c]) == "shortfall"
        whole = ~np.isnan(data[c]).any(axis=1)
        if whole.any():
            out[whole, c] = _statistics(data[c, whole], weight, str(direction), level, tail, met)
        for f in np.flatnonzero(~whole):
            # Conditional on being defined: each row keeps other draws, so one at a time.
            defined = ~np.isnan(data[c, f])
            mass = float(weight[defined].sum())
            out[f, c, -1] = min(mass, 1.0)
            if mass > 0.0:
                some = data[c, f, defined][None]
                out[f, c] = _statistics(some, weight[defined] / mass, str(direction), level, tail, met)[0]
                out[f, c, -1] = min(mass, 1.0)
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
) -> Floats:
    """Return the statistics of rows of draws, (row, draw) to (row, statistic)."""
    # Equal probabilities take the unweighted rule, which is the same and much faster.
    probability = None if np.ptp(weight) <= 1e-15 else weight
    bad: Direction = "low_is_bad" if direction == "maximise" else "high_is_bad"
    mean = x @ weight
    spread = np.sqrt(((x - mean[:, None]) ** 2) @ weight)
    masses = [(1.0 - level) / 2.0, 0.5, (1.0 + level) / 2.0]
    low, median, high = risk.quantile(x, masses, probability=probability).T
    reached = (x <= 0.0) @ weight if met else np.full(len(x), np.nan)
    columns = [
        mean, spread, median, low, high,
        risk.value_at_risk(x, tail, direction=bad, probability=probability),
        risk.cvar(x, tail, direction=bad, probability=probability),
        reached,
        np.ones(len(x)),
    ]  # fmt: skip
    return np.column_stack(columns)
