"""Leaving out against an exact integral: one free parameter, its posterior on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from sinkrisk.budget.groups import Part, group_parts, restrict
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.leaving_out import bridge, leave_out, smooth_weights, thin
from sinkrisk.errors import InputError

HELD = {
    "walk_scale": 0.1,
    "error_scale": 1.0,
    "share_bias": 0.6,
    "share_ar_of_rest": 0.5,
    "error_correlation": 0.6,
    "land_use_land_correlation": 0.2,
}
"""All parameters but the variability of land."""


@pytest.fixture(scope="module")
def exact(packaged):
    """A likelihood of one parameter, draws of its posterior, and log p(land | rest) by quadrature."""
    _, likelihood = prepare_likelihood(packaged("global"), fixed=HELD)
    parameter = likelihood.annual.parameters.free[0]
    assert (parameter.name, len(parameter.labels)) == ("variability", 1)
    part = next(p for p in group_parts(likelihood.annual) if p.name.startswith("land "))
    rest = restrict(likelihood, part)
    # Quantiles of the prior at midpoints: an average over them integrates over the prior.
    z = np.linspace(-6, 6, 4001)
    prior = -0.5 * z**2
    x = parameter.quantile(z[:, None])
    whole, given = (np.array([each(row)[0] for row in x]) for each in (likelihood, rest))
    answer = float(logsumexp(prior + whole) - logsumexp(prior + given))
    posterior = np.exp(prior + whole - logsumexp(prior + whole))
    rng = np.random.default_rng(2)
    draws = x[rng.choice(len(x), size=4000, p=posterior)]
    return likelihood, part, {"variability": draws}, answer


def test_importance_weights_give_the_exact_density(exact):
    likelihood, part, values, answer = exact
    (left,) = leave_out(likelihood, values, (part,), generator=np.random.default_rng(1), refit="never")
    assert not left.refitted
    assert left.pareto_k < 0.7
    # Five standard errors: once in a million seeds.
    assert abs(left.log_density - answer) < 5 * left.mcse
    assert left.mcse < 0.02
    assert left.weights.sum() == pytest.approx(1.0)


def test_a_refit_gives_the_exact_density_and_the_same_prediction(exact):
    likelihood, part, values, answer = exact
    rng = np.random.default_rng(1)
    (weighted,) = leave_out(likelihood, values, (part,), generator=rng, refit="never")
    (again,) = leave_out(likelihood, values, (part,), generator=rng, refit="always")
    assert again.refitted
    # NUTS draws of one parameter are autocorrelated: the errors may be half as large again.
    assert abs(again.log_density - answer) < 7 * again.mcse
    np.testing.assert_allclose(again.mean, weighted.mean, atol=0.05)
    np.testing.assert_allclose(again.covariance, weighted.covariance, rtol=0.05, atol=0.05)


def test_the_mixture_has_the_moments_of_its_draws(exact):
    likelihood, part, values, _ = exact
    (left,) = leave_out(
        likelihood, thin(values, 50), (part,), generator=np.random.default_rng(1), refit="never"
    )
    w, m, s = left.weights, left.prediction.mean, left.prediction.covariance
    mean = sum(w[i] * m[i] for i in range(len(w)))
    second = sum(w[i] * (s[i] + np.outer(m[i], m[i])) for i in range(len(w)))
    np.testing.assert_allclose(left.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(left.covariance, second - np.outer(mean, mean), rtol=1e-8, atol=1e-10)


def test_the_bridge_is_right_where_both_averages_are_poor():
    # theta ~ N(0, 1), twelve observations y = 2.5 ~ N(theta, 0.5): the posterior lies in the prior's tail.
    rng = np.random.default_rng(3)
    n, y, sd = 12, 2.5, 0.5
    precision = 1 + n / sd**2
    centre = n * y / sd**2 / precision

    def log_likelihood(theta):
        return -0.5 * n * ((y - theta) / sd) ** 2 - n * np.log(sd * np.sqrt(2 * np.pi))

    covariance = np.ones((n, n)) + sd**2 * np.eye(n)
    exact = -0.5 * (
        n * np.log(2 * np.pi)
        + np.linalg.slogdet(covariance)[1]
        + np.full(n, y) @ np.linalg.solve(covariance, np.full(n, y))
    )
    whole = log_likelihood(centre + rng.standard_normal(2000) / np.sqrt(precision))
    rest = log_likelihood(rng.standard_normal(2000))
    value, error = bridge(whole, rest)
    # Five standard errors: once in a million seeds.
    assert abs(value - exact) < 5 * error
    assert error < 0.2
    assert smooth_weights(whole)[1] > 0.7


def test_nothing_to_be_predicted_from_is_refused(exact):
    likelihood, part, values, _ = exact
    alone = Part("ocean assessment", part.target, np.zeros(0, dtype=int))
    with pytest.raises(InputError, match="ocean assessment: nothing to be predicted from"):
        leave_out(likelihood, values, (alone,), generator=np.random.default_rng(1))
    empty = Part("after 2050", np.zeros(0, dtype=int), part.given)
    with pytest.raises(InputError, match="after 2050: nothing to be predicted"):
        leave_out(likelihood, values, (empty,), generator=np.random.default_rng(1))


def test_thinning_keeps_both_ends():
    kept = thin({"a": np.arange(10.0)[:, None]}, 4)["a"][:, 0]
    assert kept.tolist() == [0.0, 3.0, 6.0, 9.0]
    assert len(thin({"a": np.arange(3.0)[:, None]}, 10)["a"]) == 3
