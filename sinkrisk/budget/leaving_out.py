"""What the rest of a table says of a part of it, the parameters' uncertainty included.

Two ways to the parameters' posterior without the part: the draws of the whole fit with Pareto-smoothed
importance weights, which cost nothing and fail where the part mattered (Vehtari et al. 2024); and
sampling again without the part. Where both samples exist the density of the part is the ratio of two
marginal likelihoods, and bridge sampling (Meng and Wong 1996) between the two is far more precise than
averaging the density over either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from sinkrisk.budget.groups import Part, Prediction, predict_parts, restrict
from sinkrisk.budget.modelling import Likelihood
from sinkrisk.budget.sampling import sample_parameters
from sinkrisk.budget.structure import FloatArray
from sinkrisk.errors import InputError, Problem

PARETO_K_MAX = 0.7
"""Largest Pareto shape at which importance weights are trusted, with many draws."""

REFITS: tuple[str, ...] = ("auto", "always", "never")

SMALL = 120
"""Most observations for which every draw is used; beyond, `THINNED` of them."""

THINNED = 400
REFIT_DRAWS, REFIT_TUNE, REFIT_CHAINS = 500, 500, 4


@dataclass(frozen=True)
class LeftOut:
    """A part predicted from the rest.

    Parameters
    ----------
    part : Part
    prediction : Prediction
        Per draw of the parameters.
    weights : ndarray, shape (draw,)
        Weights of the draws, summing to 1: then they are draws given the rest alone.
    log_density : float
        log p(part | given), parameters integrated out.
    mcse : float
        Its Monte Carlo standard error, draws taken as independent.
    pareto_k : float
        Shape of the largest importance weights.
    refitted : bool
        Whether the parameters were sampled again without the part.
    """

    part: Part
    prediction: Prediction
    weights: FloatArray
    log_density: float
    mcse: float
    pareto_k: float
    refitted: bool

    @property
    def mean(self) -> FloatArray:
        """Predictive mean, shape (target,), GtC/yr."""
        return np.asarray(self.weights @ self.prediction.mean)

    @property
    def covariance(self) -> FloatArray:
        """Predictive covariance, shape (target, target): within draws plus between them."""
        apart = self.prediction.mean - self.mean
        within = np.tensordot(self.weights, self.prediction.covariance, axes=1)
        return np.asarray(within + (self.weights[:, None] * apart).T @ apart)


def leave_out(
    likelihood: Likelihood,
    values: Mapping[str, FloatArray],
    parts: tuple[Part, ...],
    *,
    generator: np.random.Generator,
    refit: str = "auto",
    residual: FloatArray | None = None,
    draws: int = REFIT_DRAWS,
    tune: int = REFIT_TUNE,
    chains: int = REFIT_CHAINS,
    cores: int | None = None,
) -> list[LeftOut]:
    """Predict each part from what is given to it.

    Parameters
    ----------
    likelihood : Likelihood
    values : mapping
        Draws of the whole posterior: name -> shape (draw, label).
    parts : tuple of Part
    generator : Generator
    refit : {"auto", "always", "never"}
        When to sample again without the part: where the Pareto k is too large, always, never.
    residual : ndarray, shape (observation,), optional
        Other observations less offsets, those that `values` were fitted to.
    draws, tune, chains : int
        Of a refit.
    cores : int, optional

    Raises
    ------
    InputError
        When a part has nothing to be predicted from.
    """
    if refit not in REFITS:
        raise InputError(Problem("unknown refit", got=refit, allowed=REFITS, key="refit"))
    for part in parts:
        if not len(part.given) or not len(part.target):
            lack = "predicted from" if not len(part.given) else "predicted"
            raise InputError(
                Problem(f"{part.name}: nothing to be {lack}", hint="it needs other rows beside its own")
            )
    annual = likelihood.annual
    kept = thin(values, THINNED) if len(annual.structure.y) > SMALL else dict(values)
    out = []
    for part, whole in zip(parts, predict_parts(annual, parts, kept, residual), strict=True):
        log_weights, k = smooth_weights(whole.left_out)
        count = len(log_weights)
        if refit == "never" or (refit == "auto" and k <= min(PARETO_K_MAX, 1.0 - 1.0 / np.log10(count))):
            weights = np.exp(log_weights)
            density, mcse = _average(whole.log_density, log_weights)
            out.append(LeftOut(part, whole, weights, density, mcse, k, False))
            continue
        sampled = sample_parameters(
            restrict(likelihood, part),
            draws=draws,
            tune=tune,
            chains=chains,
            generator=generator,
            residual=None if residual is None else residual[part.given],
            cores=cores,
        )
        again = {name: v.reshape(-1, v.shape[-1]) for name, v in sampled.values.items()}
        if len(annual.structure.y) > SMALL:
            again = thin(again, THINNED)
        prediction = predict_parts(annual, (part,), again, residual)[0]
        size = len(prediction.log_density)
        if np.array_equal(prediction.log_density, prediction.left_out):
            density, mcse = bridge(whole.left_out, prediction.left_out)
        else:
            density, mcse = _average(prediction.log_density, np.full(size, -np.log(size)))
        out.append(LeftOut(part, prediction, np.full(size, 1.0 / size), density, mcse, k, True))
    return out


def thin(values: Mapping[str, FloatArray], most: int) -> dict[str, FloatArray]:
    """Return at most so many draws, evenly spaced."""
    count = len(next(iter(values.values())))
    kept = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
    return {name: v[kept] for name, v in values.items()}


def smooth_weights(log_density: FloatArray) -> tuple[FloatArray, float]:
    """Return normalised log weights proportional to 1 / density, Pareto-smoothed, and their k."""
    from arviz_stats.base.array import array_stats

    functions: Any = array_stats
    log_weights, k = functions.psislw(np.asarray(log_density, dtype=float))
    log_weights = np.asarray(log_weights, dtype=float)
    return log_weights - float(logsumexp(log_weights)), float(k)


def _average(log_density: FloatArray, log_weights: FloatArray) -> tuple[float, float]:
    """Return the log of the weighted mean density, and its standard error."""
    density = float(logsumexp(log_density + log_weights))
    apart = np.exp(log_weights) * np.expm1(np.minimum(log_density - density, 700.0))
    return density, float(np.sqrt((apart**2).sum()))


def bridge(whole: FloatArray, rest: FloatArray) -> tuple[float, float]:
    """Return log E_rest[exp l] and its standard error from l at draws of both posteriors.

    Parameters
    ----------
    whole, rest : ndarray
        l(theta) = log p(part | given, theta) at draws of p(theta | all) and of p(theta | given).

    Examples
    --------
    For theta ~ N(0, 1) and one observation y = 0 ~ N(theta, 1) the answer is log N(0 | 0, 2).

    >>> import numpy as np
    >>> draw = np.random.default_rng(1).standard_normal
    >>> def l(theta):
    ...     return -0.5 * theta**2 - 0.5 * np.log(2 * np.pi)
    >>> value, error = bridge(l(draw(4000) / np.sqrt(2)), l(draw(4000)))
    >>> bool(abs(value + 0.5 * np.log(4 * np.pi)) < 4 * error), bool(error < 0.01)
    (True, True)
    """
    n1, n2 = len(whole), len(rest)
    log_1, log_2 = np.log(n1 / (n1 + n2)), np.log(n2 / (n1 + n2))
    value = float(np.median(np.concatenate([whole, rest])))
    # The fixed point is unique and the iteration monotone: it stops at rounding.
    for _ in range(1000):
        top = rest - np.logaddexp(log_1 + rest, log_2 + value)
        bottom = -np.logaddexp(log_1 + whole, log_2 + value)
        new = float(logsumexp(top) - np.log(n2) - logsumexp(bottom) + np.log(n1))
        if abs(new - value) < 1e-10:
            break
        value = new
    errors = [
        np.var(np.exp(a - a.max())) / (len(a) * np.mean(np.exp(a - a.max())) ** 2) for a in (top, bottom)
    ]
    return value, float(np.sqrt(sum(errors)))
