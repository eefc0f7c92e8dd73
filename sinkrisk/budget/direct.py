"""The annual models sampled the plain way: NUTS over the latent processes as well as the parameters.

The cross-check of the marginal likelihood, and the baseline of its benchmark; none of the engines is
used. The processes are non-centred. What is white in the errors of an assessed series, and the stocks
behind the atmosphere's, are left to the observations' density: with the rounding alone (0.03 GtC/yr
beside levels of 10) the posterior is a thin sheet in a thousand dimensions. For the same reason level
and slope of a flux are centred on what its first series sees: the data know the sum of flux and error
far better than either. An estimate without rounding is centred as well: its own AR(1) error is what the
other processes leave of it.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import xarray as xr

from sinkrisk import rng as random
from sinkrisk.budget.conditional import Conditional, observe, prior_values
from sinkrisk.budget.direct_plan import Plan, plan_direct, projection_row
from sinkrisk.budget.modelling import Likelihood, _variable
from sinkrisk.budget.panels import panel_log_likelihood
from sinkrisk.budget.sampling import Sampled
from sinkrisk.budget.structure import (
    FloatArray,
    IntArray,
    Process,
    Structure,
    design,
    kernel,
    process_length,
    values_on_years,
)

TARGET_ACCEPT = 0.95
"""Smaller steps than the default: the posterior of all latents is narrow in places."""

LATENT = "latent"
"""Name of the vector of standard-normal values behind the processes."""


def make_direct_model(likelihood: Likelihood, plan: Plan) -> Any:
    """Return the PyMC model of parameters and latent processes."""
    import pymc as pm
    import pytensor.tensor

    pt: Any = pytensor.tensor
    structure, mapped = likelihood.annual.structure, likelihood.map
    coords = {f"{s.family}_entry": list(s.entries) for s in likelihood.stacks}
    with pm.Model(coords=coords) as model:
        values = pt.concatenate([_variable(pm, stack) for stack in likelihood.stacks])
        share = pt.where(values < 1.0, values, 0.5)
        log_c = mapped.powers @ pt.log(values) + mapped.complements @ pt.log1p(-share) + mapped.constants
        rho = pt.stack(
            [
                values[place] if place >= 0 else pt.constant(held)
                for place, held in zip(mapped.rho_place.tolist(), mapped.rho_held, strict=True)
            ]
            or [pt.constant(0.0)]
        )
        seen = _seen(pm, pt, structure, plan, log_c, rho, mapped.signs)
        rest = structure.residual - seen
        for group in plan.whites:
            variance = 1.0 + pt.exp(log_c[structure.processes[group.process].coefficient]) * group.eigenvalues
            turned = pt.dot(group.turn, rest[group.rows])
            pm.Potential(f"rows of {group.process}", -0.5 * (turned**2 / variance + pt.log(variance)).sum())
        if len(plan.plain):
            variance = structure.noise_variance[plan.plain]
            pm.Potential("plain rows", -0.5 * (rest[plan.plain] ** 2 / variance).sum())
        for index, rows in plan.exact.items():
            process = structure.processes[index]
            gap = np.diff(structure.start[rows]).astype(float)
            e = rest[rows] / (structure.loading[rows, index] * process.profile[structure.start[rows]])
            pulled = rho[process.correlation] ** gap
            spread = pt.exp(log_c[process.coefficient]) * (1.0 - pulled**2)
            first = e[0] ** 2 / pt.exp(log_c[process.coefficient]) + log_c[process.coefficient]
            others = (e[1:] - pulled * e[:-1]) ** 2 / spread + pt.log(spread)
            pm.Potential(f"rows of {index}", -0.5 * (first + others.sum()))
        for number, (panel, place) in enumerate(
            zip(likelihood.annual.panels, mapped.panel_place, strict=True)
        ):
            a, b, q = (values[int(i)] for i in place)
            pm.Potential(f"panel {number}", panel_log_likelihood(panel, a**2, b**2, q, pt.log))
    return model


def _seen(pm: Any, pt: Any, structure: Structure, plan: Plan, log_c: Any, rho: Any, signs: FloatArray) -> Any:
    """Return what the observations see of the sampled processes."""
    lengths = [process_length(structure, structure.processes[i]) for i in plan.latent]
    z = pm.Normal(LATENT, 0.0, 1.0, shape=sum(lengths))
    ends = np.cumsum([0, *lengths])
    u = {i: z[a:b] for i, a, b in zip(plan.latent, ends[:-1], ends[1:], strict=True)}
    sd = pt.exp(0.5 * log_c)
    unit = dict(u)
    for cross in structure.crosses:
        first, second = (structure.processes[i].coefficient for i in (cross.first, cross.second))
        r = signs[cross.coefficient] * pt.exp(log_c[cross.coefficient] - 0.5 * (log_c[first] + log_c[second]))
        unit[cross.second] = r * u[cross.first] + pt.sqrt(1.0 - r**2) * u[cross.second]
    values = {}
    for i in plan.latent:
        process = structure.processes[i]
        if process.kind == "walk":
            unit[i] = pt.concatenate([pt.zeros(1), pt.cumsum(unit[i][1:])])
        elif process.kind == "ar":
            unit[i] = _autoregressive(pt, unit[i], rho[process.correlation], len(structure.years))
        values[i] = sd[process.coefficient] * unit[i]
    for i, beside in plan.anchors.items():
        spread = sd[structure.processes[i].coefficient]
        shift = sum(pt.dot(projection_row(structure, i, j), values[j]) for j in beside) / spread
        moved = u[i] - shift
        # The prior is that of the process itself, not that of what is sampled.
        pm.Potential(f"prior of {i}", 0.5 * (u[i] ** 2 - moved**2).sum())
        values[i] = spread * moved
    matrix = np.concatenate([design(structure, i) for i in plan.latent], axis=1)
    return pt.dot(matrix, pt.concatenate([values[i] for i in plan.latent]))


def _autoregressive(pt: Any, z: Any, rho: Any, length: int) -> Any:
    """Return a unit AR(1) of independent normals: sum_k rho^k z(t - k), by doubling instead of a scan."""
    u = pt.concatenate([z[:1], pt.sqrt(1.0 - rho**2) * z[1:]])
    shift, power = 1, rho
    while shift < length:
        u = u + power * pt.concatenate([pt.zeros(shift), u[:-shift]])
        shift, power = 2 * shift, power**2
    return u


def sample_direct(
    likelihood: Likelihood,
    *,
    draws: int,
    tune: int,
    chains: int,
    generator: np.random.Generator,
    progress: bool = False,
) -> tuple[Sampled, Conditional]:
    """Sample parameters and processes together by NUTS (nutpie).

    Parameters
    ----------
    likelihood : Likelihood
        The model; its engine is not used.
    draws, tune, chains : int
    generator : Generator
    progress : bool

    Returns
    -------
    Sampled
        As of `sample_parameters`.
    Conditional
        As of `draw_conditional`: the processes by year, chain after chain.
    """
    import nutpie

    plan = plan_direct(likelihood.annual)
    compiled = nutpie.compile_pymc_model(make_direct_model(likelihood, plan))
    return sample_compiled(
        likelihood,
        plan,
        compiled,
        draws=draws,
        tune=tune,
        chains=chains,
        generator=generator,
        progress=progress,
    )


def sample_compiled(
    likelihood: Likelihood,
    plan: Plan,
    compiled: Any,
    *,
    draws: int,
    tune: int,
    chains: int,
    generator: np.random.Generator,
    progress: bool = False,
) -> tuple[Sampled, Conditional]:
    """Sample a model already compiled; as `sample_direct` otherwise."""
    import nutpie

    with warnings.catch_warnings():
        # nutpie announces parts of its own interface; none of it speaks of this model.
        warnings.simplefilter("ignore", FutureWarning)
        trace = nutpie.sample(
            compiled,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=min(chains, os.cpu_count() or 1),
            seed=random.seed_of(generator),
            progress_bar=progress,
            save_warmup=False,
            target_accept=TARGET_ACCEPT,
        )
    posterior, stats = trace["posterior"], trace["sample_stats"]
    packed = np.concatenate([posterior[s.variable].values for s in likelihood.stacks], axis=-1)
    kept = {
        name: (("chain", "draw"), stats[name].values)
        for name in ("diverging", "energy", "n_steps", "logp")
        if name in stats
    }
    sampled = Sampled(likelihood.unpack(packed), xr.Dataset(kept))
    flat = {name: v.reshape(-1, v.shape[-1]) for name, v in sampled.values.items()}
    coefficients, correlations = likelihood.annual.parameters.evaluate(flat)
    z = posterior[LATENT].values.reshape(len(coefficients), -1)
    return sampled, _complete(likelihood.annual.structure, plan, coefficients, correlations, z, generator)


def _complete(
    structure: Structure,
    plan: Plan,
    coefficients: FloatArray,
    correlations: FloatArray,
    z: FloatArray,
    generator: np.random.Generator,
) -> Conditional:
    """Return all processes on years: the sampled ones, and exact draws of those left to the density."""
    # Prior draws give the processes left out; the sampled ones replace theirs.
    values = prior_values(structure, coefficients, correlations, generator)
    noise_sd = np.sqrt(structure.noise_variance)
    noise = noise_sd * generator.standard_normal((len(z), len(noise_sd)))
    _replace(structure, plan, coefficients, correlations, z, values)
    rest = structure.residual - observe(structure, values, plan.latent)
    noise[:, plan.plain] = rest[:, plan.plain]
    for group in plan.whites:
        # Matheron's rule in the rotated rows, where the covariance is diagonal.
        index, rows = group.process, group.rows
        c = coefficients[:, structure.processes[index].coefficient, None]
        matrix = design(structure, index)[rows]
        surprise = rest[:, rows] - values[index] @ matrix.T - noise[:, rows]
        weights = (surprise @ group.turn.T) / (1.0 + c * group.eigenvalues) @ group.turn
        values[index] = values[index] + c * (weights @ matrix)
        noise[:, rows] += structure.noise_variance[rows] * weights
    for index, rows in plan.exact.items():
        values[index] = _through(structure, index, rows, correlations, values[index], rest[:, rows])
    again = prior_values(structure, coefficients, correlations, generator)
    kept = tuple(i for i, p in enumerate(structure.processes) if p.role in ("flux", "missing"))
    new = tuple(i for i in range(len(structure.processes)) if i not in kept)
    fresh = noise_sd * generator.standard_normal(noise.shape)
    return Conditional(
        functions=_on_years(structure, values, range(len(values))),
        noise=noise,
        replicated_errors=_on_years(structure, again, new),
        replicated=structure.offset
        + observe(structure, values, kept)
        + observe(structure, again, new)
        + fresh,
    )


def _on_years(structure: Structure, values: list[FloatArray], which: Any) -> dict[str, FloatArray]:
    shape = (len(values[0]), len(structure.years))
    return {
        structure.processes[i].name: np.broadcast_to(
            values_on_years(structure, structure.processes[i], values[i]), shape
        )
        for i in which
    }


def _replace(
    structure: Structure,
    plan: Plan,
    coefficients: FloatArray,
    correlations: FloatArray,
    z: FloatArray,
    values: list[FloatArray],
) -> None:
    """Put the sampled processes' values in the place of prior draws."""
    start = 0
    unit: dict[int, FloatArray] = {}
    for i in plan.latent:
        length = process_length(structure, structure.processes[i])
        unit[i] = z[:, start : start + length].copy()
        start += length
    for cross in structure.crosses:
        first, second = (
            coefficients[:, structure.processes[i].coefficient] for i in (cross.first, cross.second)
        )
        r = (coefficients[:, cross.coefficient] / np.sqrt(first * second))[:, None]
        unit[cross.second] = r * unit[cross.first] + np.sqrt(1.0 - r**2) * unit[cross.second]
    for i, u in unit.items():
        process = structure.processes[i]
        if process.kind == "walk":
            u[:, 0] = 0.0
            u = np.cumsum(u, axis=1)
        elif process.kind == "ar":
            rho = correlations[:, process.correlation]
            for t in range(1, u.shape[1]):
                u[:, t] = rho * u[:, t - 1] + np.sqrt(1.0 - rho**2) * u[:, t]
        values[i] = np.sqrt(coefficients[:, process.coefficient])[:, None] * u
    for i, beside in plan.anchors.items():
        for j in beside:
            values[i] = values[i] - (values[j] @ projection_row(structure, i, j))[:, None]


def _through(
    structure: Structure,
    index: int,
    rows: IntArray,
    correlations: FloatArray,
    prior: FloatArray,
    rest: FloatArray,
) -> FloatArray:
    """Return an AR(1) process that takes given values in the observed years, drawn in the others."""
    process: Process = structure.processes[index]
    at = structure.start[rows]
    known = rest / (structure.loading[rows, index] * process.profile[at])
    out = prior.copy()
    for draw in range(len(out)):
        full = kernel(process, len(structure.years), correlations[draw])
        out[draw] += full[:, at] @ np.linalg.solve(full[np.ix_(at, at)], known[draw] - prior[draw, at])
    out[:, at] = known
    return out
