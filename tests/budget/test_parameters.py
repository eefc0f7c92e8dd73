"""Parameters to variances: one matrix against the formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.parameters import Parameter, window_factor
from sinkrisk.priors import load_observations

COMPONENTS = ("fossil", "land_use", "ocean", "land")


def likelihood_of(**options):
    return prepare_likelihood(load_observations("global"), **options)[1]


def by_name(annual, values):
    coef, rho = annual.parameters.evaluate(values)
    structure = annual.structure
    return dict(zip(structure.coefficients, coef.T, strict=True)), dict(
        zip(structure.correlations, rho.T, strict=True)
    )


def test_variances_of_the_hierarchical_model():
    annual = likelihood_of().annual
    values = annual.parameters.prior_draws(np.random.default_rng(1), (7,))
    coef, rho = by_name(annual, values)
    scale = dict(
        zip(("fossil", "land_use", "atmosphere", "ocean", "land"), values["error_scale"].T, strict=True)
    )
    np.testing.assert_allclose(coef["level ocean"], 100.0)
    np.testing.assert_allclose(coef["slope ocean"], 0.09)
    np.testing.assert_allclose(coef["variability land"], values["variability"][:, 0] ** 2)
    np.testing.assert_allclose(coef["error atmosphere assessment"], scale["atmosphere"] ** 2)
    for k, name in enumerate(COMPONENTS):
        bias, ar = values["share_bias"][:, k], values["share_ar_of_rest"][:, k]
        shares = {"bias": bias, "ar": (1 - bias) * ar, "white": (1 - bias) * (1 - ar)}
        np.testing.assert_allclose(sum(shares.values()), 1.0)
        for part, share in shares.items():
            np.testing.assert_allclose(coef[f"error {name} assessment {part}"], scale[name] ** 2 * share)
        np.testing.assert_allclose(coef[f"walk {name}"], values["walk_scale"][:, k] ** 2)
        np.testing.assert_allclose(rho[f"error_correlation[{name}]"], values["error_correlation"][:, k])
    both = (
        scale["land_use"] * scale["land"] * np.sqrt(values["share_bias"][:, 1] * values["share_bias"][:, 3])
    )
    shared = -values["land_use_land_correlation"][:, 0] * both
    np.testing.assert_allclose(coef["shared forcing assessment"], shared)


def test_variances_of_the_missing_flux_and_of_robust_errors():
    annual = likelihood_of(model="open").annual
    values = annual.parameters.prior_draws(np.random.default_rng(2), (5,))
    coef, rho = by_name(annual, values)
    size, share = values["missing_scale"][:, 0] ** 2, values["missing_mean_share"][:, 0]
    np.testing.assert_allclose(coef["missing mean"], size * share)
    np.testing.assert_allclose(coef["missing ar"], size * (1 - share))
    np.testing.assert_allclose(rho["missing_correlation[missing]"], values["missing_correlation"][:, 0])

    annual = likelihood_of(model="robust").annual
    values = annual.parameters.prior_draws(np.random.default_rng(2), (5,))
    coef, _ = by_name(annual, values)
    place = annual.parameters.parameters[-1].labels.index("ocean assessment")
    expected = values["error_scale"][:, 3] ** 2 * values["share_bias"][:, 2] / values["precision"][:, place]
    np.testing.assert_allclose(coef["error ocean assessment bias"], expected)


def test_a_held_parameter_leaves_the_free_ones_and_keeps_its_value():
    free, held = likelihood_of(), likelihood_of(fixed={"error_scale": 2.0, "error_correlation": 0.5})
    assert held.annual.parameters.size == free.annual.parameters.size - 9
    values = free.annual.parameters.prior_draws(np.random.default_rng(3), (1,))
    values |= {"error_scale": np.full((1, 5), 2.0), "error_correlation": np.full((1, 4), 0.5)}
    rest = {k: v for k, v in values.items() if k not in ("error_scale", "error_correlation")}
    for one, other in zip(
        free.annual.parameters.evaluate(values), held.annual.parameters.evaluate(rest), strict=True
    ):
        np.testing.assert_allclose(one, other)
    value, gradient = held(held.pack(rest)[0])
    expected, longer = free(free.pack(values)[0])
    assert value == pytest.approx(expected, rel=1e-12)
    for name, part in held.unpack(gradient).items():
        np.testing.assert_allclose(part, free.unpack(longer)[name], rtol=1e-9)


def test_packing_and_unpacking_are_inverse():
    likelihood = likelihood_of(model="open")
    values = likelihood.annual.parameters.prior_draws(np.random.default_rng(4), (3, 2))
    again = likelihood.unpack(likelihood.pack(values))
    assert again.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(again[name], value)


@pytest.mark.parametrize(
    ("family", "a", "b", "distribution"),
    [
        ("lognormal", 0.4, 0.3, stats.lognorm(0.3, scale=np.exp(0.4))),
        ("halfnormal", 0.0, 0.5, stats.halfnorm(scale=0.5)),
        ("beta", 4.0, 2.0, stats.beta(4, 2)),
        ("log_gamma", 2.0, 2.0, stats.gamma(2, scale=0.5)),
    ],
)
def test_quantiles_of_the_families(family, a, b, distribution):
    parameter = Parameter("p", ("x",), "dim", family, np.array([a]), np.array([b]))
    z = np.linspace(-3, 3, 13)[:, None]
    np.testing.assert_allclose(parameter.quantile(z)[:, 0], distribution.ppf(stats.norm.cdf(z[:, 0])))


def test_window_factor_is_the_sd_of_a_mean():
    rho, n = 0.7, 10
    lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    shares = np.array([0.5, 0.3, 0.2])
    k = shares[0] + shares[1] * rho**lags + shares[2] * np.eye(n)
    assert window_factor(n, shares, rho) == pytest.approx(np.sqrt(k.mean()))
