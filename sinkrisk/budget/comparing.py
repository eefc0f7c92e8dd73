"""Budget models compared by how well each predicts what was left out.

The score of a model is the sum over groups (all rows of one component and method) of
``log p(group | all other rows)``, the parameters integrated out (`leaving_out`): exact given the
parameters, and refitted without the group where importance weights fail. Rows that are themselves
projections, and any years after an origin the user names, are scored as forecasts as well. The
weights of stacking maximise the score of the mixture of the models (Yao et al. 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from sinkrisk import rng as random
from sinkrisk.budget.annual import AnnualModel
from sinkrisk.budget.arguments import require_fitted
from sinkrisk.budget.groups import BoolArray, future_part, group_parts
from sinkrisk.budget.identity import SIGNS, UNIT
from sinkrisk.budget.leaving_out import LeftOut, leave_out
from sinkrisk.budget.structure import FloatArray
from sinkrisk.errors import InputError, Problem
from sinkrisk.results import Result

if TYPE_CHECKING:
    from sinkrisk.budget.hierarchical import Fitted

REPLICATES = 400
"""Bayesian bootstrap replicates of the groups behind the interval of the weights."""

MASS = 0.9
"""Mass of that interval."""

_SAME = ["component", "method", "estimate", "start", "end", "value"]


@dataclass(frozen=True)
class ModelComparison(Result):
    """Models of one table of observations, compared.

    Parameters
    ----------
    table : DataFrame
        One row per model, best first: model; elpd, the sum over groups of the log predictive density; se,
        its standard error over groups; mcse, that of the Monte Carlo; elpd_diff and diff_se, against the
        best; weight, of stacking, with low and high (Bayesian bootstrap over the groups, 90 %);
        pareto_k, the largest; refitted, the number of groups; forecast_elpd, over all origins; note.
    groups : DataFrame
        One row per model and group: model, group, rows, elpd, mcse, pareto_k, refitted.
    forecasts : DataFrame
        One row per model, origin and forecast row: model, origin, component, method, window, kind,
        value, mean, sd, crps (GtC/yr), elpd (of all rows of the origin together), pareto_k, refitted.
    """

    groups: pd.DataFrame = field(default_factory=pd.DataFrame)
    forecasts: pd.DataFrame = field(default_factory=pd.DataFrame)


def compare_models(
    models: Mapping[str, Fitted | xr.DataTree],
    *,
    origins: Sequence[int] | None = None,
    refit: str = "auto",
    rng: random.RandomSource = None,
) -> ModelComparison:
    """Compare models that were fitted to the same observations.

    Parameters
    ----------
    models : mapping
        Name -> fitted annual model, or the tree of a closed budget. The closed model takes windows
        as independent and its fluxes have flat priors: it predicts a group only where the other rows
        of the same window determine it, and never a window to come. Where it cannot be compared its
        elpd is missing, the note says why, and stacking leaves it out.
    origins : sequence of int, optional
        Years after which rows are forecast from those before. Default: the last year before the first
        row of ``kind=projection``; without such rows, none.
    refit : {"auto", "always", "never"}
        Sample the parameters again without the part where importance weights fail, always, never.
    rng : int, Generator or None

    Returns
    -------
    ModelComparison

    Raises
    ------
    InputError
        With fewer than two models, models of different data, or an origin with nothing before or after.

    Notes
    -----
    A table has few groups, so `se`, `diff_se` and the weights are themselves unsure: with five groups a
    difference of twice its standard error is a hint. `diff_se` is over groups and knows that the models
    are scored on the same ones. Groups of a closed budget are not independent either: each, given the
    others, is scored on the same imbalance. For the closed model that is all there is, so all its
    groups have one score and its `se` is zero.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> table = load_observations("global")
    >>> models = {name: budget.fit(table, name, rng=1) for name in ("hierarchical", "open")}  # doctest: +SKIP
    >>> compare_models(models, rng=2).sentence  # doctest: +SKIP
    """
    generator = random.generator(rng)
    fitted = _check(models)
    reference = next(iter(fitted.values())).annual
    names = [part.name for part in group_parts(reference)]
    years = _origins(reference) if origins is None else tuple(int(year) for year in origins)
    groups: list[dict[str, Any]] = []
    forecasts: list[dict[str, Any]] = []
    notes = dict.fromkeys(models, "")
    for name, model in models.items():
        if isinstance(model, xr.DataTree):
            rows, notes[name] = _closed_groups(model, reference)
            if years:
                notes[name] = "; ".join(
                    filter(None, [notes[name], "no forecasts: flat priors know no years"])
                )
            groups.extend({"model": name, **row} for row in rows)
            continue
        annual = model.annual
        values = {key: v.reshape(-1, v.shape[-1]) for key, v in model.sampled.values.items()}
        parts = (*group_parts(annual), *(future_part(annual, year) for year in years))
        found = leave_out(model.likelihood, values, parts, generator=generator, refit=refit)
        groups.extend(
            {
                "model": name,
                "group": left.part.name,
                "rows": len(left.part.target),
                "elpd": left.log_density,
                "mcse": left.mcse,
                "pareto_k": left.pareto_k,
                "refitted": left.refitted,
            }
            for left in found[: len(names)]
        )
        for year, left in zip(years, found[len(names) :], strict=True):
            forecasts.extend(
                {"model": name, "origin": year, **row} for row in _forecast(annual, left, generator)
            )
    by_group = pd.DataFrame(groups)
    by_row = pd.DataFrame(forecasts)
    table = _table(by_group, by_row, names, notes, generator)
    table.attrs.update({"units": "nats", "interval": f"{100 * MASS:g} %, Bayesian bootstrap over groups"})
    by_row.attrs["units"] = UNIT
    return ModelComparison("model_comparison", table, _sentence(table), groups=by_group, forecasts=by_row)


def stacking_weights(log_densities: FloatArray, emphasis: FloatArray | None = None) -> FloatArray:
    """Return the weights of models that maximise the log score of their mixture.

    The problem is concave; the multiplicative fixed point of expectation maximisation climbs to its top.

    Parameters
    ----------
    log_densities : ndarray, shape (model, group)
    emphasis : ndarray, shape (..., group), optional
        Weights of the groups; default equal.

    Returns
    -------
    ndarray, shape (..., model)

    Examples
    --------
    Two models that are each right for one of two groups share the weight.

    >>> import numpy as np
    >>> stacking_weights(np.log([[0.9, 0.1], [0.1, 0.9]])).round(3)
    array([0.5, 0.5])
    >>> stacking_weights(np.log([[0.9, 0.5], [0.1, 0.4]])).round(3)
    array([1., 0.])
    """
    count, size = log_densities.shape
    # Only ratios between the models of a group matter.
    densities = np.exp(log_densities - log_densities.max(axis=0))
    v = np.full(size, 1.0 / size) if emphasis is None else emphasis / emphasis.sum(axis=-1, keepdims=True)
    w = np.full((*v.shape[:-1], count), 1.0 / count)
    for _ in range(20_000):
        new = w * ((v / (w @ densities)) @ densities.T)
        if np.abs(new - w).max() < 1e-9:
            return np.asarray(new)
        w = new
    return np.asarray(w)


def _check(models: Mapping[str, Fitted | xr.DataTree]) -> dict[str, Fitted]:
    """Return the annual models; refuse what cannot be compared at all."""
    if not isinstance(models, Mapping):
        raise InputError(
            Problem(
                "models are compared by name", got=type(models).__name__, allowed="{'open': fit(..., 'open')}"
            )
        )
    if len(models) < 2:
        raise InputError(Problem("a comparison needs at least two models", got=len(models)))
    fitted = {name: m for name, m in models.items() if not isinstance(m, xr.DataTree)}
    for name, model in models.items():
        if isinstance(model, xr.DataTree) and model.attrs.get("model") != "closed":
            raise InputError(
                Problem(
                    f"{name}: a tree holds no likelihood to leave observations out of",
                    allowed="what `fit` returns; a tree of the closed model",
                )
            )
        if not isinstance(model, xr.DataTree):
            require_fitted(model)
    if not fitted:
        raise InputError(Problem("one of the models must be a model of years", allowed="what `fit` returns"))
    first, *others = fitted.items()
    for name, model in others:
        a, b = first[1].annual, model.annual
        same = len(a.observations) == len(b.observations) and a.panels == b.panels
        if not (same and a.observations[_SAME].equals(b.observations[_SAME])):
            raise InputError(
                Problem(f"{name} and {first[0]} were fitted to different observations: scores do not compare")
            )
    return fitted


def _origins(annual: AnnualModel) -> tuple[int, ...]:
    rows = annual.observations
    projected = rows[rows["kind"] == "projection"]
    return (int(projected["start"].min()) - 1,) if len(projected) else ()


def _forecast(annual: AnnualModel, left: LeftOut, generator: np.random.Generator) -> list[dict[str, Any]]:
    """Return one row per forecast observation."""
    mean, sd = left.mean, np.sqrt(np.diag(left.covariance))
    spread = np.sqrt(np.diagonal(left.prediction.covariance, axis1=1, axis2=2))
    draws = left.prediction.mean + spread * generator.standard_normal(spread.shape)
    out = []
    for k, index in enumerate(left.part.target):
        row = annual.observations.iloc[index]
        out.append(
            {
                **{name: str(row[name]) for name in ("component", "method", "window", "kind")},
                "value": float(row["value"]),
                "mean": float(mean[k]),
                "sd": float(sd[k]),
                "crps": crps(draws[:, k], left.weights, float(row["value"])),
                "elpd": left.log_density,
                "pareto_k": left.pareto_k,
                "refitted": left.refitted,
            }
        )
    return out


def crps(draws: FloatArray, weights: FloatArray, value: float) -> float:
    """Return the continuous ranked probability score of weighted draws; smaller is better.

    ``E|X - y| - E|X - X'| / 2`` over the weighted draws.

    Examples
    --------
    >>> import numpy as np
    >>> crps(np.array([0.0, 1.0]), np.array([0.5, 0.5]), 0.0)
    0.25
    """
    order = np.argsort(draws)
    x, w = draws[order], weights[order]
    below = np.cumsum(w)
    # E|X - X'| = 2 integral F (1 - F).
    half = float((np.diff(x) * below[:-1] * (1.0 - below[:-1])).sum())
    return float(weights @ np.abs(draws - value)) - half


def _closed_groups(tree: xr.DataTree, reference: AnnualModel) -> tuple[list[dict[str, Any]], str]:
    """Return the scores of the closed model by group, and why there are none."""
    given, observed = tree["constant_data"].to_dataset(), tree["observed_data"].to_dataset()
    rows = pd.DataFrame(
        {
            **{n: given[f"observation_{n}"].values for n in ("component", "method", "window")},
            "value": observed["value"].values,
            "sd": given["sd"].values,
        }
    )
    key = ["component", "method", "window", "value"]
    ours, theirs = (
        frame[key].astype({"value": float}).sort_values(key, ignore_index=True)
        for frame in (rows, reference.observations)
    )
    if len(ours) != len(theirs) or not (
        ours[key[:3]].astype(str).equals(theirs[key[:3]].astype(str))
        and np.allclose(ours["value"], theirs["value"])
    ):
        return [], "not compared: the closed model was given other rows"
    components = tuple(str(name) for name in given["component"].values)
    signs = np.array([SIGNS[name] for name in components], dtype=float)
    out = []
    for part in group_parts(reference):
        total = 0.0
        for window, block in rows.groupby("window", sort=False):
            target = (block["component"] + " " + block["method"] == part.name).to_numpy()
            if not target.any():
                continue
            place = [components.index(name) for name in block["component"]]
            value, sd = block["value"].to_numpy(dtype=float), block["sd"].to_numpy(dtype=float)
            score = _closed_density(signs, np.array(place), value, sd, target)
            if score is None:
                return [], f"not compared: in {window} closure alone does not determine {part.name}"
            total += score
        out.append(
            {
                "group": part.name, "rows": len(part.target), "elpd": total, "mcse": 0.0,
                "pareto_k": np.nan, "refitted": False,
            }
        )  # fmt: skip
    return out, ""


def _closed_density(
    signs: FloatArray, place: Any, y: FloatArray, s: FloatArray, target: BoolArray
) -> float | None:
    """Return log p(rows of a group | other rows of the window) under flat priors; None where improper."""
    free = np.linalg.svd(signs[None])[2][1:].T
    seen = free[place]
    weighted = seen[~target] / s[~target, None]
    if np.linalg.matrix_rank(weighted) < free.shape[1]:
        return None
    spread = np.linalg.inv(weighted.T @ weighted)
    mean = seen[target] @ spread @ weighted.T @ (y[~target] / s[~target])
    covariance = seen[target] @ spread @ seen[target].T + np.diag(s[target] ** 2)
    return float(stats.multivariate_normal(mean, covariance).logpdf(y[target]))


def _table(
    groups: pd.DataFrame,
    forecasts: pd.DataFrame,
    names: list[str],
    notes: Mapping[str, str],
    generator: np.random.Generator,
) -> pd.DataFrame:
    wide = groups.pivot(index="model", columns="group", values="elpd").reindex(columns=names)
    scored = [name for name in notes if name in wide.index]
    densities = wide.loc[scored].to_numpy(dtype=float)
    totals = densities.sum(axis=1)
    best, count = int(np.argmax(totals)), len(names)
    apart = densities - densities[best]
    weights = stacking_weights(densities)
    boot = stacking_weights(densities, generator.dirichlet(np.ones(count), REPLICATES))
    low, high = np.quantile(boot, [(1 - MASS) / 2, (1 + MASS) / 2], axis=0)
    rows = []
    for i, name in enumerate(scored):
        own = groups[groups["model"] == name]
        rows.append(
            {
                "model": name,
                "elpd": totals[i],
                "se": np.sqrt(count * np.var(densities[i], ddof=1)) if count > 1 else np.nan,
                "mcse": float(np.sqrt((own["mcse"] ** 2).sum())),
                "elpd_diff": totals[i] - totals[best],
                "diff_se": np.sqrt(count * np.var(apart[i], ddof=1)) if count > 1 else np.nan,
                "weight": weights[i],
                "weight_low": low[i],
                "weight_high": high[i],
                "pareto_k": float(own["pareto_k"].max()),
                "refitted": int(own["refitted"].sum()),
                "forecast_elpd": _forecast_total(forecasts, name),
                "note": notes[name],
            }
        )
    table = pd.DataFrame(rows).sort_values("elpd", ascending=False, kind="stable", ignore_index=True)
    missing = [{"model": name, "note": note} for name, note in notes.items() if name not in scored]
    if not missing:
        return table
    return pd.DataFrame([*table.to_dict("records"), *missing], columns=table.columns)


def _forecast_total(forecasts: pd.DataFrame, name: str) -> float:
    if forecasts.empty or name not in set(forecasts["model"]):
        return float("nan")
    own = forecasts[forecasts["model"] == name]
    return float(own.groupby("origin")["elpd"].first().sum())


def _sentence(table: pd.DataFrame) -> str:
    scored = table[table["elpd"].notna()]
    first = scored.iloc[0]
    text = f"'{first['model']}' predicts left-out groups best (elpd {first['elpd']:.1f})"
    if len(scored) > 1:
        second = scored.iloc[1]
        text += f", {-second['elpd_diff']:.1f} ± {second['diff_se']:.1f} nats ahead of '{second['model']}'"
    shares = ", ".join(
        f"{row['model']} {_weight(row['weight'])} ({row['weight_low']:.2f} to {row['weight_high']:.2f})"
        for _, row in scored.iterrows()
    )
    return f"{text}; stacking weights: {shares}, {100 * MASS:g} % intervals of a bootstrap over groups."


def _weight(weight: float) -> str:
    """Return a weight with two decimals; one that rounds to nothing is said to be small, not left out."""
    return f"{weight:.2f}" if weight >= 0.005 else "below 0.01"
