"""Conflicts: does what one component and method says fit what all the others imply?

Every group (all rows of one component and method) is left out in turn and predicted from the rest,
the parameters' uncertainty included (`leaving_out`). Two statistics of its rows are compared with that
prediction:

- the common shift, the generalised least-squares estimate of one number added to all rows of the
  group, whose direction depends on the rest of the table only;
- the Mahalanobis distance of all rows from the predictive mean, which also sees a wrong trend.

Both p-values are tail probabilities of the exact predictive mixture over the parameters, so that for
tables drawn from the model they are uniform. The shift decides; the distance is information.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from sinkrisk import rng as random
from sinkrisk.budget.arguments import check_level, require_fitted
from sinkrisk.budget.groups import group_parts
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.leaving_out import PARETO_K_MAX, LeftOut, leave_out
from sinkrisk.budget.structure import FloatArray
from sinkrisk.results import Check

if TYPE_CHECKING:
    import xarray as xr

    from sinkrisk.budget.hierarchical import Fitted
    from sinkrisk.budget.modelling import Likelihood

LEVEL = 0.01
"""A group whose p-value is below is flagged."""

QUICK_DRAWS = 1000
"""Draws that `check_conflicts` reweights; the p-values of four times as many differ by about .01."""

MOST_ROWS = 120
"""Rows up to which leaving every group out takes about a second."""

REPLICATES = 20_000
"""Replicated groups behind the p-value of the distance, at least."""


def find_conflicts(
    fitted: Fitted, *, level: float = LEVEL, refit: str = "auto", rng: random.RandomSource = None
) -> pd.DataFrame:
    """Test every component and method against what the rest of the table says of it.

    A group whose rows are all moved by four leave-one-out predictive standard deviations (of the mean of
    its rows) is flagged in about 95 of 100 tables like the review's Table 2, one that is consistent in
    1 of 100. Four predictive sds are far more than four stated ones: on decades the rest of the table
    knows one component to about 1 GtC/yr, and a group moved by four stated sds need not be found.

    Closure ties all components together. Where each has one group, a conflict is one imbalance seen from
    every side: the groups are flagged together, and the smallest p need not name the culprit. Who is
    wrong shows only where a component is estimated by several methods.

    Parameters
    ----------
    fitted : Fitted
        A fitted annual model.
    level : float
        Flag below this p-value. Every group is tested at this level: with n groups and nothing wrong,
        n x level false flags are expected; `p_holm` holds the error rate of the whole family.
    refit : {"auto", "always", "never"}
        Sample the parameters again without the group where importance weights fail, always, never.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        One row per group, smallest p first: component, method, rows; shift, the group's common shift
        from its prediction, and sd, that of the predicted shift, GtC/yr; p, two-sided; p_holm,
        corrected for the number of groups (Holm); flagged; distance, the squared Mahalanobis distance
        of the rows, and p_distance; pareto_k and refitted. ``attrs``: tested, level, expected_false.

    Raises
    ------
    InputError
        For a tree in place of a fit, a table of one group, a level that is none, and an unknown `refit`.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> fitted = budget.fit(load_observations("global"), rng=1)  # doctest: +SKIP
    >>> find_conflicts(fitted, rng=2)[["component", "method", "p", "flagged"]]  # doctest: +SKIP
    """
    require_fitted(fitted)
    check_level(level)
    values = {name: v.reshape(-1, v.shape[-1]) for name, v in fitted.sampled.values.items()}
    return _tested(fitted.likelihood, values, level, refit, random.generator(rng))


def _tested(
    likelihood: Likelihood,
    values: dict[str, FloatArray],
    level: float,
    refit: str,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Return the table of `find_conflicts` for draws of the parameters, shape (draw, label)."""
    annual = likelihood.annual
    found = leave_out(likelihood, values, group_parts(annual), generator=generator, refit=refit)
    rows = []
    for left in found:
        first = annual.observations.iloc[left.part.target[0]]
        y = annual.structure.y[left.part.target]
        shift, sd, p = common_shift(left, y)
        distance, p_distance = mahalanobis(left, y, generator)
        rows.append(
            {
                "component": str(first["component"]),
                "method": str(first["method"]),
                "rows": len(y),
                "shift": shift,
                "sd": sd,
                "p": p,
                "distance": distance,
                "p_distance": p_distance,
                "pareto_k": left.pareto_k,
                "refitted": left.refitted,
            }
        )
    table = pd.DataFrame(rows).sort_values("p", kind="stable", ignore_index=True)
    table.insert(6, "p_holm", holm(table["p"].to_numpy()))
    table.insert(7, "flagged", table["p"] < level)
    table.attrs.update(
        {"tested": len(table), "level": level, "expected_false": level * len(table), "units": UNIT}
    )
    return table


def check_conflicts(
    observations: object, tree: xr.DataTree, *, level: float = LEVEL, rng: random.RandomSource = None
) -> Check:
    """Inform of conflicts in a reconciled table, from its tree alone and in about a second.

    `QUICK_DRAWS` of the tree's draws are reweighted to each group left out, without sampling again; where
    the weights fail (Pareto-k above 0.7) the group's p-value is said to be rough.

    Parameters
    ----------
    observations : DataFrame
        What the tree was reconciled from.
    tree : DataTree
        What `reconcile` returned, of a model of years.
    level : float
        As of `find_conflicts`.
    rng : int, Generator or None

    Returns
    -------
    Check
        ``conflicts``, passed None: a conflict is a finding, not a chain that failed. The table is that of
        `find_conflicts`; none for tables of one group or of more than `MOST_ROWS` rows, where the cubic
        cost of a group left out calls for `find_conflicts` itself.
    """
    from sinkrisk.budget.hierarchical import prepare_likelihood

    check_level(level)
    attrs = tree.attrs
    likelihood = prepare_likelihood(
        observations,
        model=str(attrs["model"]),
        errors=str(attrs["errors"]),
        attribution=str(attrs["attribution"]),
        series=str(attrs["series"]) or None,
        fixed=json.loads(attrs["fixed"]),
    )[1]
    rows, groups = len(likelihood.annual.structure.y), len(group_parts(likelihood.annual))
    if groups < 2:
        return Check("conflicts", None, "Conflicts were not looked for: there is one group only.")
    if rows > MOST_ROWS:
        text = f"Conflicts were not looked for: {rows} rows take minutes; budget.find_conflicts tests them."
        return Check("conflicts", None, text)
    table = _tested(likelihood, _thinned(likelihood, tree), level, "never", random.generator(rng))
    rough = int((table["pareto_k"] > PARETO_K_MAX).sum())
    flagged = table[table["flagged"]]
    named = [f"{row.component} {row.method} (p = {row.p:.2g})" for row in flagged.itertuples()]
    first = table.iloc[0]
    said = (
        f"in conflict with the rest of the table: {', '.join(named)}; closure shows one conflict from every "
        "side, so who is wrong may stay open"
        if named
        else f"none is in conflict with the rest; smallest p {first['p']:.2g} "
        f"({first['component']} {first['method']})"
    )
    more = f" ({rough} roughly: Pareto-k above {PARETO_K_MAX:g})" if rough else ""
    return Check("conflicts", None, f"Of {len(table)} groups tested at p < {level:g}{more}: {said}.", table)


def _thinned(likelihood: Likelihood, tree: xr.DataTree) -> dict[str, FloatArray]:
    """Return `QUICK_DRAWS` of the free parameters of a tree, shape (draw, label)."""
    posterior, out = tree["posterior"].to_dataset(), {}
    for p in likelihood.annual.parameters.free:
        if p.name in posterior:
            values = posterior[p.name].values
        else:
            shares = posterior["error_share"].values
            values = shares[..., 0] if p.name == "share_bias" else shares[..., 1] / (1.0 - shares[..., 0])
        flat = values.reshape(-1, len(p.labels))
        out[p.name] = flat[np.linspace(0, len(flat) - 1, min(QUICK_DRAWS, len(flat))).astype(int)]
    return out


def common_shift(left: LeftOut, y: FloatArray) -> tuple[float, float, float]:
    """Return the common shift of a group's rows, its predictive sd, and the two-sided p-value.

    With predictive mean m and covariance S (mixtures over the parameters given the rest) the shift is
    ``w' (y - m)``, ``w = S^-1 1 / (1' S^-1 1)``; its distribution given the rest is the mixture of
    ``N(w' (m_d - m), w' S_d w)`` over draws d.

    Parameters
    ----------
    left : LeftOut
    y : ndarray, shape (target,)
        What the group says, GtC/yr.
    """
    covariance, mean = left.covariance, left.mean
    weights = np.linalg.solve(covariance, np.ones(len(y)))
    weights = weights / weights.sum()
    shift = float(weights @ (y - mean))
    middles = (left.prediction.mean - mean) @ weights
    sds = np.sqrt(np.einsum("i,dij,j->d", weights, left.prediction.covariance, weights))
    # Both tails by the same function: 1 - ndtr would lose what is far out.
    z = (shift - middles) / sds
    lower, upper = left.weights @ special.ndtr(z), left.weights @ special.ndtr(-z)
    return shift, float(np.sqrt(weights @ covariance @ weights)), float(min(2.0 * min(lower, upper), 1.0))


def mahalanobis(left: LeftOut, y: FloatArray, generator: np.random.Generator) -> tuple[float, float]:
    """Return the squared Mahalanobis distance of a group from its prediction, and its p-value.

    The p-value counts replicated groups, at least `REPLICATES`, and is never below 1 / (count + 1).

    Parameters
    ----------
    left : LeftOut
    y : ndarray, shape (target,)
        GtC/yr.
    generator : Generator
    """
    inverse = np.linalg.cholesky(left.covariance)
    draws, size = left.prediction.mean.shape
    each = -(-REPLICATES // draws)
    factors = np.linalg.cholesky(left.prediction.covariance)
    z = generator.standard_normal((draws, size, each))
    apart = (left.prediction.mean - left.mean)[:, :, None] + factors @ z
    flat = apart.transpose(1, 0, 2).reshape(size, -1)
    replicated = (np.linalg.solve(inverse, flat) ** 2).sum(axis=0).reshape(draws, each)
    distance = float((np.linalg.solve(inverse, y - left.mean) ** 2).sum())
    above = float(left.weights @ (replicated >= distance).mean(axis=1))
    count = draws * each
    return distance, (above * count + 1.0) / (count + 1.0)


def holm(p: FloatArray) -> FloatArray:
    """Return Holm's corrected p-values, in the order given.

    Examples
    --------
    >>> import numpy as np
    >>> holm(np.array([0.04, 0.01, 0.03]))
    array([0.06, 0.03, 0.06])
    """
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(scaled, 1.0)
    return out
