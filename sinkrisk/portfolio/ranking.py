"""Ranking portfolios over uncertain outcomes and uncertain preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.measuring import weights_of
from sinkrisk.portfolio.specification import AXES, RankSpec
from sinkrisk.risk.acceptability import dirichlet_weights
from sinkrisk.rng import RandomSource, generator

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

SCALE = (0.05, 0.95)
"""Pooled quantiles that become score 0 and 1: the tails of one wild portfolio do not set the scale."""

WEIGHT_DRAWS = 10_000


def partial_values(
    measures: xr.DataArray, probability: ArrayLike | None = None
) -> tuple[Floats, dict[str, tuple[float, float]]]:
    """Bring criteria to a common scale on which more is better.

    Parameters
    ----------
    measures : DataArray, (sample, portfolio, criterion)
        With the coordinate ``direction`` (criterion).
    probability : array_like, (sample,), optional
        Probability of each draw.

    Returns
    -------
    scores : ndarray, (sample, portfolio, criterion)
        0 at the pooled 5 % quantile over all draws and portfolios, 1 at the 95 % quantile, linear
        between and flat beyond, turned round where the criterion is minimised. A criterion that is
        the same everywhere scores 0. Where a criterion is not defined (a cost per tonne without a
        tonne) the score is 0, the worst: a portfolio that does nothing gains nothing by it.
    scale : dict of str to (float, float)
        The two quantiles, in the criterion's unit.
    """
    values = measures.transpose("sample", "portfolio", "criterion")
    data = np.asarray(values.values, dtype=float)
    weight = np.repeat(weights_of(measures, probability)[:, None], data.shape[1], axis=1)
    scores = np.zeros(data.shape)
    scale: dict[str, tuple[float, float]] = {}
    for c, (name, direction) in enumerate(
        zip(values["criterion"].values, values["direction"].values, strict=True)
    ):
        x = data[..., c]
        defined = np.isfinite(x)
        if not defined.any():
            scale[str(name)] = (np.nan, np.nan)
            continue
        each = weight[defined]
        probability_each = None if np.ptp(each) <= 1e-15 else each / each.sum()
        low, high = risk.quantile(x[defined], SCALE, probability=probability_each)
        scale[str(name)] = (float(low), float(high))
        if high > low:
            score = np.clip((np.where(defined, x, low) - low) / (high - low), 0.0, 1.0)
            scores[..., c] = np.where(defined, 1.0 - score if direction == "minimise" else score, 0.0)
    return scores, scale


def _choose(measures: xr.DataArray, criteria: Sequence[str] | None, weights: Any) -> list[str]:
    known = [str(v) for v in measures["criterion"].values]
    found = Problems()
    if criteria is None:
        axes = list(AXES) if set(AXES) <= set(known) else known
        criteria = list(weights) if isinstance(weights, (Mapping, list, tuple)) else axes
    for name in criteria:
        if name not in known:
            found.add("unknown criterion", got=name, allowed=known)
    if not criteria or len(set(criteria)) < len(criteria):
        found.add("criteria must name at least one criterion, none twice", got=", ".join(criteria))
    if isinstance(weights, (Mapping, list, tuple)) and set(weights) != set(criteria):
        found.add(
            "weights and criteria name different criteria", got=", ".join(weights), allowed=list(criteria)
        )
    found.raise_if_any()
    return list(criteria)


def _weights(weights: Any, criteria: list[str], count: int, rng: np.random.Generator) -> tuple[Floats, str]:
    """Return weight vectors (count, criterion) in the order of `criteria`, and what they are."""
    if weights is None or weights == "uniform":
        return dirichlet_weights(count, np.ones(len(criteria)), rng=rng), "uniform on the simplex"
    if isinstance(weights, Mapping):
        alphas = [float(weights[name]) for name in criteria]
        if not all(0.0 < a < float("inf") for a in alphas):
            raise InputError(Problem("Dirichlet concentrations must be positive", got=dict(weights)))
        return dirichlet_weights(count, alphas, rng=rng), "Dirichlet: " + ", ".join(
            f"{n} {a:g}" for n, a in zip(criteria, alphas, strict=True)
        )
    if isinstance(weights, (list, tuple)):
        ordered = dirichlet_weights(count, np.ones(len(criteria)), rng=rng, ordinal=True)
        return ordered[:, [list(weights).index(n) for n in criteria]], "ordinal: " + " >= ".join(weights)
    raise InputError(
        Problem(
            "weights not understood",
            got=weights,
            allowed="'uniform', a dict of concentrations, a list in order",
        )
    )


@checked()
def ranking_values(
    measures: xr.DataArray,
    *,
    weights: str | Mapping[str, float] | Sequence[str] | RankSpec | None = None,
    criteria: Sequence[str] | None = None,
    probability: ArrayLike | None = None,
    rng: RandomSource = 1,
) -> xr.DataArray:
    """Return each portfolio's value in each draw, averaged over the preferences.

    Parameters
    ----------
    measures, weights, criteria, probability, rng
        As in `rank`.

    Returns
    -------
    DataArray, (sample, portfolio)
        Weighted mean of the scores of `partial_values`, 0 to 1, more is better: what the ranking
        goes by when one choice has to be made for all preferences. The mean weight of
        "uniform" is the same for every criterion.

    Raises
    ------
    InputError
        As in `rank`.

    Examples
    --------
    >>> measures = xr.DataArray(
    ...     [[[1.0, 20.0], [3.0, 10.0]], [[4.0, 30.0], [2.0, 60.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased", "nature_first"],
    ...         "criterion": ["durable_removal", "total_cost"],
    ...         "direction": ("criterion", ["maximise", "minimise"]),
    ...         "unit": ("criterion", ["GtCO2", "billion USD"]),
    ...     },
    ... )
    >>> values = ranking_values(measures, criteria=["durable_removal", "total_cost"])
    >>> values.sel(portfolio="phased").values.tolist()  # half of 0 and 0.8, half of 1 and 0.6
    [0.4, 0.8]
    """
    if isinstance(weights, RankSpec):
        criteria = weights.criteria if criteria is None else criteria
        weights = weights.weights
    chosen = _choose(measures, criteria, weights)
    picked = measures.sel(criterion=chosen)
    scores, _ = partial_values(picked, probability)
    drawn, text = _weights(weights, chosen, WEIGHT_DRAWS, generator(rng))
    mean = np.full(len(chosen), 1.0 / len(chosen)) if text.startswith("uniform") else drawn.mean(axis=0)
    return xr.DataArray(
        scores @ mean,
        dims=("sample", "portfolio"),
        coords={name: picked[name] for name in ("sample", "portfolio")},
        name="value",
        attrs={"units": "1", "preferences": text, "long_name": "mean score over preferences"},
    )


def standard_error(probability: ArrayLike, draws: float) -> Floats:
    """Return the Monte Carlo standard error of a probability estimated from independent draws.

    Parameters
    ----------
    probability : array_like
    draws : float
        Number of draws; of unequal probability as many as they are worth, ``1 / sum w^2`` (Kish 1965).

    Returns
    -------
    ndarray
        ``sqrt(p (1 - p) / draws)``. Zero at an estimate of 0 or 1 says that no draw differed, not
        that none can: up to ``3 / draws`` is then still plausible.

    Examples
    --------
    >>> float(standard_error(0.2, 1600))
    0.01
    """
    p = np.asarray(probability, dtype=float)
    return np.asarray(np.sqrt(np.clip(p * (1.0 - p), 0.0, None) / draws))


@checked()
def rank(
    measures: xr.DataArray,
    *,
    weights: str | Mapping[str, float] | Sequence[str] | RankSpec | None = None,
    rng: RandomSource = None,
    criteria: Sequence[str] | None = None,
    probability: ArrayLike | None = None,
) -> xr.Dataset:
    """Say with which probability each portfolio takes each rank.

    Parameters
    ----------
    measures : DataArray, (sample, portfolio, criterion)
        From `measure`.
    weights : "uniform", mapping, sequence or RankSpec, optional
        Preferences between criteria. "uniform" (the same as None): every weighting is as likely. A
        mapping criterion -> Dirichlet concentration. A sequence of criteria, the most important
        first: uniform over all weightings in that order. A RankSpec brings its criteria along.
    rng : int, Generator or None
    criteria : sequence of str, optional
        Criteria that count; those that `weights` names, else the review's six axes, as with
        ``RankSpec()``, else - where `measures` lacks an axis - all of `measures`. The choice of
        criteria moves the winner: say it beside the result.
    probability : array_like, (sample,), optional
        Probability of each draw; the coordinate of `measures`, or equal, when left out.

    Returns
    -------
    Dataset
        ``rank_acceptability`` (portfolio, rank), ``central_weight`` (portfolio, criterion),
        ``confidence`` (portfolio), ``pairwise`` (portfolio, other), as in `risk.smaa`, and
        ``scale_low``, ``scale_high`` (criterion), the values that score 0 and 1 before
        orientation. Scores are those of `partial_values`. Attributes method, weights, draws,
        effective_draws (fewer where draws differ in probability) and weight_draws.

    Raises
    ------
    InputError
        For criteria that are not measured, or weights that do not fit them.

    Notes
    -----
    Draws enter as a fair sample of the joint uncertainty, weights independently of them. An
    acceptability p carries the Monte Carlo error `standard_error` of as many independent draws;
    every draw meets the same number of weightings, which only lowers it, and draws from Sobol'
    points, which spread more evenly than independent ones, usually lower it further: it is
    conservative for them.

    Examples
    --------
    >>> measures = xr.DataArray(
    ...     [[[1.0, 20.0], [3.0, 10.0]], [[4.0, 30.0], [2.0, 60.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased", "daccs_only"],
    ...         "criterion": ["durable_removal", "total_cost"],
    ...         "direction": ("criterion", ["maximise", "minimise"]),
    ...         "unit": ("criterion", ["GtCO2", "billion USD"]),
    ...     },
    ... )
    >>> ranking = rank(measures, weights="uniform", criteria=["durable_removal", "total_cost"], rng=1)
    >>> first = ranking.rank_acceptability.sel(portfolio="phased", rank=1)
    >>> round(float(first), 3)  # better by both criteria in one draw of two
    0.5
    """
    if isinstance(weights, RankSpec):
        criteria = weights.criteria if criteria is None else criteria
        weights = weights.weights
    chosen = _choose(measures, criteria, weights)
    picked = measures.sel(criterion=chosen)
    random = generator(rng)
    scores, scale = partial_values(picked, probability)
    drawn, text = _weights(weights, chosen, max(WEIGHT_DRAWS, scores.shape[0]), random)
    each = weights_of(measures, probability)
    result = risk.smaa(scores, weights=drawn, probability=each, rng=random)
    portfolios = [str(v) for v in picked["portfolio"].values]
    out = xr.Dataset(
        {
            "rank_acceptability": (("portfolio", "rank"), result["rank_acceptability"], {"units": "1"}),
            "central_weight": (("portfolio", "criterion"), result["central_weight"], {"units": "1"}),
            "confidence": (("portfolio",), result["confidence"], {"units": "1"}),
            "pairwise": (("portfolio", "other"), result["pairwise"], {"units": "1"}),
            "scale_low": (("criterion",), [scale[n][0] for n in chosen]),
            "scale_high": (("criterion",), [scale[n][1] for n in chosen]),
        },
        coords={
            "portfolio": portfolios,
            "rank": np.arange(1, len(portfolios) + 1),
            "criterion": chosen,
            "other": portfolios,
            "unit": ("criterion", [str(v) for v in picked["unit"].values])
            if "unit" in picked.coords
            else ("criterion", [""] * len(chosen)),
        },
        attrs={
            "method": "SMAA-2",
            "weights": text,
            "draws": scores.shape[0],
            "effective_draws": float(1.0 / (each**2).sum()),
            "weight_draws": drawn.shape[0],
        },
    )
    if "name" in picked.coords:
        out = out.assign_coords(name=picked["name"].reset_coords(drop=True))
    return out


@checked()
def ranking_sensitivity(
    measures: xr.DataArray,
    *,
    weights: str | Mapping[str, float] | Sequence[str] | RankSpec | None = None,
    rng: RandomSource = None,
    criteria: Sequence[str] | None = None,
    probability: ArrayLike | None = None,
    leave_out: Sequence[str] = ("optimum",),
) -> pd.DataFrame:
    """Say how the ranking changes when a criterion or a portfolio is left out.

    Parameters
    ----------
    measures, weights, rng, criteria, probability
        As for `rank`. Preferences keep their form: the concentrations of a mapping and the order of
        a sequence are those of the criteria that remain.
    leave_out : sequence of str
        Portfolios each left out in turn, where they are among those measured.

    Returns
    -------
    DataFrame
        Columns variant ("all criteria", "without <criterion>", "without <portfolio>"), portfolio,
        first (probability of rank 1) and mean_rank. Every variant starts from the same random
        state, so "all criteria" is what `rank` gives for it, and scores are scaled anew by the
        portfolios of the variant (`partial_values`).

    Raises
    ------
    InputError
        As `rank`.

    Examples
    --------
    >>> measures = xr.DataArray(
    ...     [[[1.0, 20.0], [3.0, 10.0]], [[4.0, 30.0], [2.0, 60.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased", "nature_first"],
    ...         "criterion": ["durable_removal", "total_cost"],
    ...         "direction": ("criterion", ["maximise", "minimise"]),
    ...         "unit": ("criterion", ["GtCO2", "billion USD"]),
    ...     },
    ... )
    >>> table = ranking_sensitivity(measures, criteria=["durable_removal", "total_cost"], rng=1)
    >>> table.loc[table["portfolio"] == "phased", ["variant", "first"]].round(3)
                       variant  first
    0             all criteria    0.5
    2  without durable_removal    0.5
    4       without total_cost    0.5
    """
    import pandas as pd

    if isinstance(weights, RankSpec):
        criteria = weights.criteria if criteria is None else criteria
        weights = weights.weights
    chosen = _choose(measures, criteria, weights)
    everyone = [str(v) for v in measures["portfolio"].values]
    variants: list[tuple[str, list[str], list[str]]] = [("all criteria", chosen, everyone)]
    if len(chosen) > 1:
        variants += [(f"without {n}", [c for c in chosen if c != n], everyone) for n in chosen]
    variants += [
        (f"without {name}", chosen, [p for p in everyone if p != name])
        for name in leave_out
        if name in everyone and len(everyone) > 1
    ]
    random = generator(rng)
    state = random.bit_generator.state
    rows = []
    for variant, kept, compared in variants:
        random.bit_generator.state = state
        ranking = rank(
            measures.sel(portfolio=compared),
            weights=_preferences(weights, kept),
            rng=random,
            criteria=kept,
            probability=probability,
        )
        acceptability = ranking["rank_acceptability"]
        mean = (acceptability * acceptability["rank"]).sum("rank").values
        rows += [
            {"variant": variant, "portfolio": name, "first": float(share), "mean_rank": float(place)}
            for name, share, place in zip(compared, acceptability.values[:, 0], mean, strict=True)
        ]
    return pd.DataFrame(rows, columns=["variant", "portfolio", "first", "mean_rank"])


def _preferences(
    weights: str | Mapping[str, float] | Sequence[str] | None, kept: list[str]
) -> str | Mapping[str, float] | Sequence[str] | None:
    """Return preferences between the criteria that remain."""
    if isinstance(weights, Mapping):
        return {name: weights[name] for name in kept}
    if weights is None or isinstance(weights, str):
        return weights
    return [name for name in weights if name in kept]
