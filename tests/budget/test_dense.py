"""The dense engine against the plain definition, and against the banded engine."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from sinkrisk.budget import banded, dense
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.structure import covariance
from sinkrisk.priors import load_observations

MODELS = ["hierarchical", "open", "robust"]


def prior_point(model, seed):
    """Table 2's structure at parameters drawn from the prior."""
    _, likelihood = prepare_likelihood(load_observations("global"), model=model)
    parameters = likelihood.annual.parameters
    coef, rho = parameters.evaluate(parameters.prior_draws(np.random.default_rng(seed), (1,)))
    return likelihood.annual.structure, coef[0], rho[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [1, 2])
def test_value_and_solution_are_those_of_the_plain_definition(model, seed):
    structure, coef, rho = prior_point(model, seed)
    arrays = dense.prepare(structure).arrays
    k = covariance(structure, coef, rho)
    value, _, _ = dense.value_and_gradient(coef, rho, structure.residual, *arrays)
    assert value == pytest.approx(
        multivariate_normal(np.zeros(len(k)), k).logpdf(structure.residual), rel=1e-9
    )
    solved = dense.solve(coef, rho, structure.residual, *arrays)
    np.testing.assert_allclose(k @ solved, structure.residual, atol=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_gradient_is_the_slope_of_the_value(model):
    structure, coef, rho = prior_point(model, 3)
    arrays, r = dense.prepare(structure).arrays, structure.residual
    _, by_coef, by_rho = dense.value_and_gradient(coef, rho, r, *arrays)

    def slope(vector, place, at):
        step = 1e-5 * max(abs(vector[place]), 1e-3)
        up, down = vector.copy(), vector.copy()
        up[place] += step
        down[place] -= step
        return (at(up) - at(down)) / (2 * step)

    for g in range(len(coef)):
        expected = slope(coef, g, lambda c: dense.value_and_gradient(c, rho, r, *arrays)[0])
        assert by_coef[g] == pytest.approx(expected, rel=2e-5, abs=1e-6), structure.coefficients[g]
    for k in range(len(rho)):
        expected = slope(rho, k, lambda q: dense.value_and_gradient(coef, q, r, *arrays)[0])
        assert by_rho[k] == pytest.approx(expected, rel=2e-5, abs=1e-6), structure.correlations[k]


@pytest.mark.parametrize("model", MODELS)
def test_both_engines_give_the_same_answers(model):
    structure, coef, rho = prior_point(model, 4)
    r = structure.residual
    answers = [
        (
            engine.value_and_gradient(coef, rho, r, *engine.prepare(structure).arrays),
            engine.solve(coef, rho, r, *engine.prepare(structure).arrays),
        )
        for engine in (dense, banded)
    ]
    (one, by_coef, by_rho), solved = answers[0]
    (other, other_coef, other_rho), other_solved = answers[1]
    assert one == pytest.approx(other, rel=1e-9)
    scale = np.abs(by_coef).max()
    np.testing.assert_allclose(by_coef, other_coef, rtol=1e-5, atol=1e-7 * scale)
    np.testing.assert_allclose(by_rho, other_rho, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(solved, other_solved, rtol=1e-5, atol=1e-6 * np.abs(solved).max())


def test_what_is_no_covariance_has_no_likelihood():
    structure, coef, rho = prior_point("hierarchical", 5)
    arrays, r = dense.prepare(structure).arrays, structure.residual
    for bad_coef, bad_rho in ((-coef, rho), (coef, np.ones_like(rho)), (coef * np.nan, rho)):
        value, by_coef, by_rho = dense.value_and_gradient(bad_coef, bad_rho, r, *arrays)
        assert value == -np.inf
        assert not by_coef.any()
        assert not by_rho.any()
    assert np.isnan(dense.solve(-coef, rho, r, *arrays)).all()
