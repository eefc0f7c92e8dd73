"""Exact draws of the latent processes given parameters, by Matheron's rule.

For parameters theta draw every process and the noise from their priors, compute the observations they
would give, and correct by what the real ones say (Matheron; see e.g. Wilson et al. 2020, "Efficiently
sampling functions from Gaussian process posteriors")::

    u | y  =  u* + cov(u, y) K^-1 (y - y*)

``cov(u, y) = C A'`` is applied process by process in time linear in years, so a draw costs one solve with
the engine's factor and a few sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinkrisk.budget.modelling import Likelihood
from sinkrisk.budget.structure import FloatArray, Process, Structure, process_length, values_on_years


@dataclass(frozen=True)
class Conditional:
    """Draws of the processes, and of replicated observations.

    Parameters
    ----------
    functions : dict of str to ndarray, shape (draw, year)
        Process name -> f(t), GtC/yr.
    noise : ndarray, shape (draw, observation)
        What is left of each observation: rounding (and a projection's extra error).
    replicated_errors : dict of str to ndarray, shape (draw, year)
        New errors: the error processes drawn afresh from the same parameters.
    replicated : ndarray, shape (draw, observation)
        The observations that these would give with the same fluxes.
    """

    functions: dict[str, FloatArray]
    noise: FloatArray
    replicated_errors: dict[str, FloatArray]
    replicated: FloatArray


def prior_values(
    structure: Structure,
    coefficients: FloatArray,
    correlations: FloatArray,
    generator: np.random.Generator,
) -> list[FloatArray]:
    """Draw the random values of every process from its prior.

    Parameters
    ----------
    coefficients, correlations : ndarray, shape (draw, ...)

    Returns
    -------
    list of ndarray, shape (draw, length)
        One per process, in order.
    """
    draws, years = coefficients.shape[0], len(structure.years)
    out = []
    for process in structure.processes:
        sd = np.sqrt(coefficients[:, process.coefficient])[:, None]
        z = generator.standard_normal((draws, process_length(structure, process)))
        if process.kind == "walk":
            z[:, 0] = 0.0
            out.append(sd * np.cumsum(z, axis=1))
        elif process.kind == "ar":
            rho = correlations[:, process.correlation]
            spread = np.sqrt(1.0 - rho**2)
            for t in range(1, years):
                z[:, t] = rho * z[:, t - 1] + spread * z[:, t]
            out.append(sd * z)
        else:
            out.append(sd * z)
    for cross in structure.crosses:
        first, second = (structure.processes[i].coefficient for i in (cross.first, cross.second))
        covariance = coefficients[:, cross.coefficient]
        slope = covariance / coefficients[:, first]
        rest = np.sqrt(np.maximum(1.0 - covariance * slope / coefficients[:, second], 0.0))
        out[cross.second] = slope[:, None] * out[cross.first] + rest[:, None] * out[cross.second]
    return out


def observe(
    structure: Structure, values: list[FloatArray], which: tuple[int, ...] | None = None
) -> FloatArray:
    """Return what the observations see of the processes (of those in `which`), shape (draw, observation)."""
    draws = values[0].shape[0]
    total = np.zeros((draws, len(structure.y)))
    for index, (process, u) in enumerate(zip(structure.processes, values, strict=True)):
        if which is None or index in which:
            f = np.broadcast_to(values_on_years(structure, process, u), (draws, len(structure.years)))
            sums = np.concatenate([np.zeros((draws, 1)), np.cumsum(f, axis=1)], axis=1)
            length = structure.end - structure.start + 1
            total += (
                structure.loading[:, index] * (sums[:, structure.end + 1] - sums[:, structure.start]) / length
            )
    return total


def draw_conditional(
    likelihood: Likelihood,
    coefficients: FloatArray,
    correlations: FloatArray,
    generator: np.random.Generator,
    residual: FloatArray | None = None,
) -> Conditional:
    """Draw processes and noise from their exact posterior given each row of parameters.

    Parameters
    ----------
    likelihood : Likelihood
    coefficients, correlations : ndarray, shape (draw, ...)
    generator : Generator
    residual : ndarray, shape (observation,), optional
        Observations less offsets, instead of the structure's own.
    """
    structure = likelihood.annual.structure
    draws, count = coefficients.shape[0], len(structure.y)
    r = structure.residual if residual is None else residual
    values = prior_values(structure, coefficients, correlations, generator)
    noise_sd = np.sqrt(structure.noise_variance)
    noise = noise_sd * generator.standard_normal((draws, count))
    simulated = observe(structure, values) + noise
    weights = np.empty((draws, count))
    known: dict[int, FloatArray] = {}
    for i in range(draws):
        weights[i], means = likelihood.expect(coefficients[i], correlations[i], r - simulated[i])
        for index, mean in means.items():
            known.setdefault(index, np.empty((draws, len(mean))))[i] = mean
    pulled = [_pull(structure, index, weights) for index in range(len(structure.processes))]
    updated = [
        u + coefficients[:, p.coefficient, None] * _apply(p, w, correlations)
        for p, u, w in zip(structure.processes, values, pulled, strict=True)
    ]
    for cross in structure.crosses:
        c = coefficients[:, cross.coefficient, None]
        updated[cross.first] = updated[cross.first] + c * pulled[cross.second]
        updated[cross.second] = updated[cross.second] + c * pulled[cross.first]
    for index, mean in known.items():
        updated[index] = values[index] + mean
    noise = noise + structure.noise_variance * weights
    _settle(structure, likelihood, r, updated, noise)
    again = prior_values(structure, coefficients, correlations, generator)
    kept = tuple(i for i, p in enumerate(structure.processes) if p.role in ("flux", "missing"))
    new = tuple(i for i in range(len(structure.processes)) if i not in kept)
    replicated = (
        structure.offset
        + observe(structure, updated, kept)
        + observe(structure, again, new)
        + noise_sd * generator.standard_normal((draws, count))
    )
    shape = (draws, len(structure.years))

    def on_years(values: list[FloatArray], which: tuple[int, ...]) -> dict[str, FloatArray]:
        return {
            structure.processes[i].name: np.broadcast_to(
                values_on_years(structure, structure.processes[i], values[i]), shape
            )
            for i in which
        }

    return Conditional(
        functions=on_years(updated, tuple(range(len(updated)))),
        noise=noise,
        replicated_errors=on_years(again, new),
        replicated=replicated,
    )


def _settle(
    structure: Structure,
    likelihood: Likelihood,
    r: FloatArray,
    updated: list[FloatArray],
    noise: FloatArray,
) -> None:
    """Give what is left of observed = seen + noise to the errors that stand for their own observations.

    The banded engine writes some AR(1) errors as residuals of their observations; of those it has no
    states, and a sum over K^-1 r would lose half their digits.
    """
    chains = [] if likelihood.engine == "dense" else [int(p) for p in likelihood.plan.owner_chain]
    if not chains:
        return
    rest = r - observe(structure, updated) - noise
    for index in chains:
        at = np.flatnonzero(structure.loading[:, index])
        # Absorbed errors are annual: one observation, one year.
        at = at[structure.start[at] == structure.end[at]]
        years = structure.start[at]
        scale = structure.loading[at, index] * structure.processes[index].profile[years]
        updated[index] = updated[index].copy()
        updated[index][:, years] += rest[:, at] / scale


def _pull(structure: Structure, index: int, weights: FloatArray) -> FloatArray:
    """Return A_p' w for one process, shape (draw, length): the transpose of what observations see."""
    process, years = structure.processes[index], len(structure.years)
    scaled = weights * structure.loading[:, index] / (structure.end - structure.start + 1)
    edges = np.zeros((weights.shape[0], years + 1))
    # A window adds its weight at its first year and takes it back after its last: then sum along years.
    np.add.at(edges.T, structure.start, scaled.T)
    np.subtract.at(edges.T, structure.end + 1, scaled.T)
    by_year = np.cumsum(edges, axis=1)[:, :years]
    if process.kind == "endpoint":
        out = np.zeros((weights.shape[0], years + 1))
        out[:, 1:] += by_year
        out[:, :-1] -= by_year
        return out * process.profile
    by_year = by_year * process.profile
    return by_year.sum(axis=1, keepdims=True) if process.kind == "constant" else by_year


def _apply(process: Process, w: FloatArray, correlations: FloatArray) -> FloatArray:
    """Return C w for the unit kernel of a process, shape (draw, length), linear in years."""
    if process.kind in ("constant", "white", "endpoint"):
        return w
    if process.kind == "walk":
        # min(t, s) is the sum over k = 1 .. min(t, s) of 1: sum from the end, then from the start.
        tail = np.cumsum(w[:, ::-1], axis=1)[:, ::-1].copy()
        tail[:, 0] = 0.0
        return np.cumsum(tail, axis=1)
    rho = correlations[:, process.correlation]
    forward, backward = w.copy(), w.copy()
    for t in range(1, w.shape[1]):
        forward[:, t] += rho * forward[:, t - 1]
    for t in range(w.shape[1] - 2, -1, -1):
        backward[:, t] += rho * backward[:, t + 1]
    return forward + backward - w
