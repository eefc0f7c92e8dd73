"""Exact draws of the processes against Gaussian conditioning written out."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.budget.conditional import draw_conditional, observe, prior_values
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.structure import covariance, design, kernel, process_length, values_on_years
from sinkrisk.priors import load_observations

DRAWS = 20_000
FAR = 5.5
"""Bound on |z| of a mean or variance. With 4,000 of them, were they normal and independent, one in
6,000 correct programs would cross it (2 x 1.9e-8 x 4,000)."""


def conditioned(structure, coef, rho):
    """Mean and covariance of all f(t), stacked by process, given the observations."""
    years = len(structure.years)
    maps, priors = [], []
    for process in structure.processes:
        length = process_length(structure, process)
        on_years = np.stack(
            [np.broadcast_to(values_on_years(structure, process, unit), years) for unit in np.eye(length)],
            axis=1,
        )
        maps.append(on_years)
        priors.append(coef[process.coefficient] * kernel(process, years, rho))
    sizes = np.cumsum([0, *(len(p) for p in priors)])
    c = np.zeros((sizes[-1], sizes[-1]))
    for p, a, b in zip(priors, sizes[:-1], sizes[1:], strict=True):
        c[a:b, a:b] = p
    for cross in structure.crosses:
        i, j = sizes[cross.first], sizes[cross.second]
        c[i, j] = c[j, i] = coef[cross.coefficient]
    seen = np.concatenate([design(structure, i) for i in range(len(structure.processes))], axis=1)
    gain = np.linalg.solve(covariance(structure, coef, rho), seen @ c).T
    mean, left = gain @ structure.residual, c - gain @ seen @ c
    means, variances = [], []
    for m, a, b in zip(maps, sizes[:-1], sizes[1:], strict=True):
        means.append(m @ mean[a:b])
        variances.append(np.diag(m @ left[a:b, a:b] @ m.T))
    return np.stack(means), np.stack(variances), left


@pytest.fixture(scope="module", params=["hierarchical", "open"])
def case(request):
    """Windows, an endpoint process, a cross and a decade beside one of its years: Table 2."""
    _, likelihood = prepare_likelihood(load_observations("global"), model=request.param)
    parameters = likelihood.annual.parameters
    coef, rho = parameters.evaluate(parameters.prior_draws(np.random.default_rng(3), (1,)))
    assert likelihood.annual.structure.crosses
    assert {p.kind for p in likelihood.annual.structure.processes} == {
        "constant", "walk", "white", "ar", "endpoint",
    }  # fmt: skip
    drawn = draw_conditional(
        likelihood, np.tile(coef, (DRAWS, 1)), np.tile(rho, (DRAWS, 1)), np.random.default_rng(4)
    )
    return likelihood, coef[0], rho[0], drawn


def test_moments_are_those_of_gaussian_conditioning(case):
    likelihood, coef, rho, drawn = case
    structure = likelihood.annual.structure
    means, variances, _ = conditioned(structure, coef, rho)
    for process, mean, variance in zip(structure.processes, means, variances, strict=True):
        f, some = drawn.functions[process.name], variance > 1e-12
        z = (f.mean(axis=0) - mean)[some] / np.sqrt(variance[some] / DRAWS)
        assert np.abs(z).max(initial=0.0) < FAR, process.name
        ratio = (f.var(axis=0)[some] / variance[some] - 1.0) / np.sqrt(2.0 / DRAWS)
        assert np.abs(ratio).max(initial=0.0) < FAR, process.name
        np.testing.assert_allclose(f[:, ~some], np.broadcast_to(mean[~some], f[:, ~some].shape), atol=1e-6)


def test_processes_move_together_as_they_should(case):
    likelihood, coef, rho, drawn = case
    structure = likelihood.annual.structure
    *_, left = conditioned(structure, coef, rho)
    sizes = np.cumsum([0, *(process_length(structure, p) for p in structure.processes)])
    constants = [i for i, p in enumerate(structure.processes) if p.kind == "constant" and p.role != "flux"]
    expected = left[np.ix_(sizes[constants], sizes[constants])]
    sd = np.sqrt(np.diag(expected))
    got = np.corrcoef(
        [
            # A layer of a bias is nought in the years it does not reach.
            drawn.functions[structure.processes[i].name][:, k] / structure.processes[i].profile[k]
            for i in constants
            for k in [int(np.argmax(structure.processes[i].profile))]
        ]
    )
    # Fisher's z has sd 1 / sqrt(draws); the bound is crossed once in a million.
    pairs = np.triu_indices(len(sd), 1)
    z = np.arctanh(got[pairs]) - np.arctanh((expected / np.outer(sd, sd))[pairs])
    assert np.abs(z).max() < FAR / np.sqrt(DRAWS)


def test_every_draw_adds_up_to_the_observations(case):
    likelihood, _, _, drawn = case
    structure = likelihood.annual.structure
    total = structure.offset + drawn.noise
    for i, process in enumerate(structure.processes):
        f = drawn.functions[process.name]
        sums = np.concatenate([np.zeros((DRAWS, 1)), np.cumsum(f, axis=1)], axis=1)
        length = structure.end - structure.start + 1
        total = (
            total + structure.loading[:, i] * (sums[:, structure.end + 1] - sums[:, structure.start]) / length
        )
    np.testing.assert_allclose(total, np.broadcast_to(structure.y, total.shape), atol=1e-7)


def test_prior_values_have_the_covariance_of_the_observations():
    _, likelihood = prepare_likelihood(load_observations("global"))
    structure, parameters = likelihood.annual.structure, likelihood.annual.parameters
    coef, rho = parameters.evaluate(parameters.prior_draws(np.random.default_rng(5), (1,)))
    many = (np.tile(coef, (DRAWS, 1)), np.tile(rho, (DRAWS, 1)))
    generator = np.random.default_rng(6)
    seen = observe(structure, prior_values(structure, *many, generator))
    seen += np.sqrt(structure.noise_variance) * generator.standard_normal(seen.shape)
    k = covariance(structure, coef[0], rho[0])
    sample = seen.T @ seen / DRAWS
    # sd of a sample covariance of normals: sqrt((k_ii k_jj + k_ij^2) / draws).
    z = (sample - k) / np.sqrt((np.outer(np.diag(k), np.diag(k)) + k**2) / DRAWS)
    assert np.abs(z).max() < FAR
