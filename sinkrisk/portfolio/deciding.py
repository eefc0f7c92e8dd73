"""Portfolios side by side over all draws: by mean, by the worst draws, by regret, and who dominates whom"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.measuring import weights_of
from sinkrisk.risk.quantiles import Direction

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


def _oriented(
    values: xr.DataArray, criterion: str | None, probability: ArrayLike | None
) -> tuple[Floats, Floats | None, Direction, str, xr.DataArray]:
    """Return draws (sample, portfolio), probabilities (None where equal), the bad end, unit, and array."""
    if "criterion" in values.dims:
        known = [str(v) for v in values["criterion"].values]
        if criterion is None or criterion not in known:
            raise InputError(Problem("which criterion?", got=str(criterion), allowed=known, key="criterion"))
        values = values.sel(criterion=criterion)
        direction: Direction = (
            "low_is_bad" if str(values["direction"].item()) == "maximise" else "high_is_bad"
        )
        unit = str(values["unit"].item())
    else:
        direction, unit = "low_is_bad", str(values.attrs.get("units", "1"))
    if set(values.dims) != {"sample", "portfolio"}:
        raise InputError(
            Problem("dims of values", got=str(values.dims), allowed="(sample, portfolio[, criterion])")
        )
    data = np.asarray(values.transpose("sample", "portfolio").values, dtype=float)
    if not np.isfinite(data).all():
        missing = int((~np.isfinite(data)).any(axis=0).sum())
        raise InputError(
            Problem(
                "values are not defined in every draw",
                got=f"{missing} of {data.shape[1]} portfolios",
                allowed="finite numbers",
                hint="leave out portfolios for which the criterion is undefined in some draws",
            )
        )
    weight = weights_of(values, probability)
    return data, None if np.ptp(weight) <= 1e-15 else weight, direction, unit, values


@checked()
def compare_portfolios(
    values: xr.DataArray,
    *,
    criterion: str | None = None,
    level: float = 0.9,
    tail: float = 0.95,
    probability: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return every portfolio's mean, interval, tail, regret and dominance as one table.

    Parameters
    ----------
    values : DataArray, (sample, portfolio) or (sample, portfolio, criterion)
        `net_benefit` (more is better), or `measure` with one `criterion` picked, whose direction counts.
    criterion : str, optional
        Needed with measures.
    level : float
        Mass of the equal-tailed interval.
    tail : float
        Level of value at risk and CVaR: 0.95 looks at the worst 5 %.
    probability : array_like, (sample,), optional

    Returns
    -------
    DataFrame
        One row per portfolio, in the order of the CVaR, the best first: portfolio, mean, low, high,
        value_at_risk, cvar, expected_regret, cvar_regret, probability_best, rank_by_mean,
        rank_by_cvar, dominated_first, dominated_second (how many portfolios dominate it in that
        order), unit, interval_kind, interval_mass, tail_mass. Regret is against the best portfolio of
        the same draw; equal portfolios share the best rank, and `probability_best` counts a tie for
        each.

    Raises
    ------
    InputError
        For an unknown criterion, values that are not defined in every draw, or levels out of range.

    Examples
    --------
    A gamble on 3 or -1 beside a sure 0: better on average, worse in the worst half.

    >>> values = xr.DataArray(
    ...     [[3.0, 0.0], [-1.0, 0.0]],
    ...     dims=("sample", "portfolio"),
    ...     coords={"portfolio": ["gamble", "sure"]},
    ... )
    >>> table = compare_portfolios(values, tail=0.5)
    >>> table[["portfolio", "mean", "cvar", "expected_regret", "rank_by_mean"]]
      portfolio  mean  cvar  expected_regret  rank_by_mean
    0      sure   0.0   0.0              1.5             2
    1    gamble   1.0  -1.0              0.5             1
    """
    import pandas as pd

    found = Problems()
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    if not 0.0 <= tail < 1.0:
        found.add("tail outside its range", got=tail, allowed="0 <= tail < 1", key="tail")
    found.raise_if_any()
    data, weight, direction, unit, picked = _oriented(values, criterion, probability)
    sign = 1.0 if direction == "low_is_bad" else -1.0
    each = np.full(len(data), 1.0 / len(data)) if weight is None else weight
    mean = each @ data
    low, high = risk.quantile(data.T, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], probability=weight).T
    at_risk = np.asarray(risk.value_at_risk(data.T, tail, direction=direction, probability=weight))
    worst = np.asarray(risk.cvar(data.T, tail, direction=direction, probability=weight))
    matrices = [
        risk.dominance_matrix(data, order, direction=direction, probability=weight) for order in (1, 2)
    ]
    best = (sign * data).max(axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "portfolio": [str(v) for v in picked["portfolio"].values],
            "mean": mean,
            "low": low,
            "high": high,
            "value_at_risk": at_risk,
            "cvar": worst,
            "expected_regret": risk.expected_regret(sign * data, probability=weight),
            "cvar_regret": risk.expected_regret(sign * data, level=tail, probability=weight),
            "probability_best": each @ (sign * data >= best),
            "rank_by_mean": _shared_ranks(sign * mean),
            "rank_by_cvar": _shared_ranks(sign * worst),
            "dominated_first": matrices[0].sum(axis=0),
            "dominated_second": matrices[1].sum(axis=0),
            "unit": unit,
            "interval_kind": "equal-tailed",
            "interval_mass": level,
            "tail_mass": 1.0 - tail,
        }
    )
    return table.sort_values(["rank_by_cvar", "rank_by_mean"], kind="stable", ignore_index=True)


@checked(
    table=Holding(columns=("portfolio", "rank_by_mean"), origin="it comes from portfolio.compare_portfolios")
)
def comparison_sentence(table: pd.DataFrame) -> str:
    """Return what a table of `compare_portfolios` says, in a sentence or two.

    Parameters
    ----------
    table : DataFrame
        From `compare_portfolios`.

    Examples
    --------
    >>> values = xr.DataArray(
    ...     [[3.0, 0.0], [-1.0, 0.0]],
    ...     dims=("sample", "portfolio"),
    ...     coords={"portfolio": ["gamble", "sure"]},
    ... )
    >>> text = comparison_sentence(compare_portfolios(values, tail=0.5))
    >>> print(text[: text.index(". Least")])
    In the worst 50 % of draws sure does best, 0 on average; the best mean is that of gamble, 1
    """
    safe = table.iloc[0]
    mean = table.sort_values("rank_by_mean", kind="stable").iloc[0]
    calm = table.sort_values("expected_regret", kind="stable").iloc[0]
    share = f"{100.0 * float(safe['tail_mass']):.3g} %"
    unit = "" if safe["unit"] == "1" else f" {safe['unit']}"
    if len(table) == 1:
        return (
            f"{safe['portfolio']} is the only portfolio: {safe['mean']:.3g}{unit} on average, "
            f"{safe['cvar']:.3g}{unit} in the worst {share} of draws; there is nothing to choose."
        )
    text = f"In the worst {share} of draws {safe['portfolio']} does best, {safe['cvar']:.3g}{unit} on average"
    if mean["portfolio"] == safe["portfolio"]:
        text += f"; it also has the best mean, {mean['mean']:.3g}{unit}"
    else:
        text += f"; the best mean is that of {mean['portfolio']}, {mean['mean']:.3g}{unit}"
    text += f". Least is regretted of {calm['portfolio']}, {calm['expected_regret']:.3g}{unit} on average. "
    count = int((table["dominated_second"] > 0).sum())
    return text + (
        f"{count} of {len(table)} portfolios are dominated: whoever prefers more and dislikes risk prefers "
        "another."
        if count
        else "None is dominated in the second order: the choice depends on how risk is disliked."
    )


@checked()
def dominance(
    values: xr.DataArray, *, criterion: str | None = None, probability: ArrayLike | None = None
) -> xr.Dataset:
    """Return which portfolios stochastically dominate which.

    Parameters
    ----------
    values, criterion, probability
        As in `compare_portfolios`.

    Returns
    -------
    Dataset
        ``first_order``, ``second_order`` (portfolio, other) bool: True where the portfolio dominates
        the other (`risk.dominance_matrix`). The first implies the second.

    Raises
    ------
    InputError
        As in `compare_portfolios`.

    Examples
    --------
    >>> values = xr.DataArray(
    ...     [[2.0, 1.0], [2.0, 3.0]], dims=("sample", "portfolio"), coords={"portfolio": ["sure", "spread"]}
    ... )
    >>> found = dominance(values).sel(portfolio="sure", other="spread")
    >>> bool(found["first_order"]), bool(found["second_order"])
    (False, True)
    """
    data, weight, direction, _, picked = _oriented(values, criterion, probability)
    names = [str(v) for v in picked["portfolio"].values]
    return xr.Dataset(
        {
            name: (
                ("portfolio", "other"),
                risk.dominance_matrix(data, order, direction=direction, probability=weight),
            )
            for order, name in ((1, "first_order"), (2, "second_order"))
        },
        coords={"portfolio": names, "other": names},
        attrs={"direction": direction, "of": criterion or str(values.name or "values")},
    )


def _shared_ranks(x: Floats) -> NDArray[np.int64]:
    """Return ranks from 1, the highest first; equal values share the best."""
    return np.array([1 + int((x > one).sum()) for one in x], dtype=np.int64)
