"""Power scaling: its densities against scipy and by hand, its measure against ArviZ, and what it finds."""

from __future__ import annotations

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.stats import multivariate_normal

from sinkrisk.budget import sensitivity_to_priors as module
from sinkrisk.budget.hierarchical import fit_annual
from sinkrisk.budget.parameters import Parameter
from sinkrisk.budget.sensitivity_to_priors import (
    PRIOR_DRIVEN,
    errors_only,
    log_density,
    log_likelihood,
    log_marginal,
    log_priors,
    power_scale,
)
from sinkrisk.budget.structure import covariance
from sinkrisk.errors import InputError


@pytest.fixture(scope="module")
def fitted(packaged):
    return fit_annual(packaged("global"), draws=1000, tune=500, generator=np.random.default_rng(8))


@pytest.fixture(scope="module")
def table(fitted):
    return power_scale(fitted, rng=1)


@pytest.mark.parametrize(
    ("family", "a", "b", "frozen", "scale"),
    [
        ("lognormal", 0.3, 0.5, stats.norm(0.3, 0.5), np.log),
        ("halfnormal", 0.0, 0.7, stats.halfnorm(scale=0.7), np.asarray),
        ("beta", 3.0, 2.0, stats.beta(3, 2), np.asarray),
        ("log_gamma", 2.5, 2.0, stats.gamma(2.5, scale=1 / 2.0), np.asarray),
    ],
)
def test_densities_of_the_families(family, a, b, frozen, scale):
    x = np.array([[0.1], [0.4], [0.9]])
    got = log_density(Parameter("p", ("one",), "dim", family, np.array([a]), np.array([b])), x)
    expected = frozen.logpdf(scale(x))
    np.testing.assert_allclose(np.diff(got, axis=0), np.diff(expected, axis=0), rtol=1e-10)


def test_the_likelihood_is_that_of_what_the_fluxes_leave(fitted):
    annual = fitted.annual
    posterior = fitted.tree["posterior"]
    got = log_likelihood(fitted)
    coefficients, correlations = fitted.coefficients
    years = annual.structure.years
    means = np.empty((3, len(annual.observations)))
    draws = (0, 1, 1500)
    flux = posterior["flux"].stack(sample=("chain", "draw")).transpose("sample", "component", "year")
    for k, draw in enumerate(draws):
        for i, row in enumerate(annual.observations.itertuples()):
            inside = (years >= row.start) & (years <= row.end)
            means[k, i] = flux[draw].sel(component=row.component).values[inside].mean()
        k_errors = covariance(errors_only(annual.structure), coefficients[draw], correlations[draw])
        expected = multivariate_normal(means[k], k_errors).logpdf(annual.structure.y)
        means[k, 0] = expected - got.ravel()[draw]
    # Up to the constant of the normal density.
    np.testing.assert_allclose(means[:, 0], -0.5 * len(annual.structure.y) * np.log(2 * np.pi), atol=1e-5)


def test_the_marginal_is_what_the_parameters_are_sampled_on(fitted):
    got = log_marginal(fitted, np.array([3, 7]))
    values = {name: v[2, 7] for name, v in fitted.sampled.values.items()}
    assert got.shape == (4, 2)
    assert got[2, 1] == fitted.likelihood(fitted.likelihood.pack(values))[0]


def test_priors_of_level_and_slope_are_read_from_the_fluxes(fitted):
    priors = log_priors(fitted)
    assert {"flux_level", "flux_slope", "walk_scale", "error_scale"} <= set(priors)
    annual, posterior = fitted.annual, fitted.tree["posterior"]
    assert all(value.shape == (4, 1000) for value in priors.values())
    # Weakly informative by design: the data, not the prior of a level, say how large a flux is.
    assert posterior["flux"].sizes["year"] == len(annual.structure.years)
    assert np.ptp(priors["flux_level"]) < 5.0
    # Raising a uniform prior to a power changes nothing.
    assert np.ptp(priors["share_ar_of_rest"]) == 0.0


def test_the_measure_equals_that_of_arviz(fitted):
    priors = log_priors(fitted)
    quantity = fitted.tree["posterior"]["window_flux"].sel(component="land", window="2014-2023")
    total = np.sum(list(priors.values()), axis=0)
    data = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"x": (("chain", "draw"), quantity.values)}),
            "log_prior": xr.Dataset({"prior": (("chain", "draw"), total)}),
        }
    )
    expected = float(arviz_stats.psense(data, group="prior")["x"])
    assert module._sensitivity(quantity.values, module._weights(total)) == pytest.approx(expected, rel=1e-9)


def test_a_normal_mean_moves_with_its_prior_as_it_must():
    # theta ~ N(0, 1) raised to the power a, y = 1 ~ N(theta, 1): posterior mean 1 / (a + 1).
    rng = np.random.default_rng(3)
    theta = 0.5 + np.sqrt(0.5) * rng.standard_normal((4, 5000))
    lower, upper = module._weights(-0.5 * theta**2)
    moved = (theta * upper).sum() - (theta * lower).sum()
    low, high = module.ALPHAS
    # The slope -1/4 has a Monte Carlo sd of .004 in 20,000 draws; six of them.
    assert moved / (high - low) == pytest.approx(-0.25, abs=0.025)


def test_fluxes_are_decided_by_the_data(table):
    fluxes = table[table["quantity"] == "window_flux"]
    assert len(fluxes) == 5 * 8
    assert (fluxes["likelihood"] > fluxes["prior"]).all()
    assert (fluxes["verdict"] != PRIOR_DRIVEN).all()
    assert fluxes["contraction"].isna().all()


def test_correlations_of_errors_are_named_as_prior_driven(table):
    # Decades cannot tell how errors follow each other from year to year. Figures over eight seeds:
    # prior .10 to .14, likelihood .01 to .03, threshold .05.
    rows = table[table["quantity"] == "error_correlation"].set_index("label")
    assert set(rows.index) == {"fossil", "land_use", "ocean", "land"}
    assert (rows["verdict"] == PRIOR_DRIVEN).sum() >= 3
    assert (rows["driver"] == "error_correlation").all()
    assert (rows["contraction"].abs() < 0.3).all()
    assert table["prior"].is_monotonic_decreasing


def test_the_noise_is_below_the_threshold(table):
    assert (table["noise"] < table.attrs["threshold"]).all()
    assert table.attrs["draws"] == 4000


def test_a_threshold_must_be_positive(fitted):
    with pytest.raises(InputError, match=r"got 0\.0; allowed: > 0"):
        power_scale(fitted, threshold=0.0)
