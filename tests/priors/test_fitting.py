"""Fits with freedom left: maximum entropy against brute force, and against PreliZ."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from sinkrisk import priors
from sinkrisk.priors import fitting
from sinkrisk.priors.families import LogitNormal, Lognormal
from sinkrisk.priors.scales import NormalMixture, Scale


@pytest.mark.parametrize(("bound", "mass"), [(0.02, 0.95), (0.9, 0.05), (0.61, 0.95), (0.333, 0.95)])
def test_the_beta_under_one_quantile_has_the_largest_entropy(bound, mass):
    fitted = fitting.fit_beta_below(bound, mass)
    assert stats.beta(fitted.a, fitted.b).cdf(bound) == pytest.approx(mass, abs=1e-10)
    entropy = stats.beta(fitted.a, fitted.b).entropy()
    # Brute force: the constraint solved on a grid of a by bisection in b.
    rivals = []
    for a in np.exp(np.linspace(math.log(fitted.a) - 1.5, math.log(fitted.a) + 1.5, 61)):
        low, high = 1e-4, 1e6
        for _ in range(200):
            b = math.sqrt(low * high)
            low, high = (b, high) if stats.beta.cdf(bound, a, b) < mass else (low, b)
        rivals.append(float(stats.beta(a, b).entropy()))
    assert max(rivals) <= entropy + 1e-9
    assert np.argmax(rivals) == 30


def test_one_sided_claims_of_bounded_quantities_can_take_maximum_entropy():
    row = {"id": "c0", "pathway": "oae", "quantity": "trl", "low": math.nan, "high": 6.0, "central": math.nan}
    row |= {"sd": math.nan, "unit": "1", "interval": math.nan, "basis": "current", "source": "ma2025"}
    claims = pd.DataFrame([row])
    spread = priors.elicit(claims, "oae", "trl")
    entropy = priors.elicit(claims, "oae", "trl", one_sided="entropy")
    assert spread.ppf(0.95) == pytest.approx(6.0, rel=1e-6)
    assert entropy.ppf(0.95) == pytest.approx(6.0, rel=1e-6)
    assert entropy.sd > spread.sd
    assert "maximum entropy within 0.5 to 9.5" in entropy.used["reading"].iloc[0]
    # Mirrored, ">4" on the same scale is the mirror image.
    mirrored = pd.DataFrame([row | {"low": 4.0, "high": math.nan}])
    above = priors.elicit(mirrored, "oae", "trl", one_sided="entropy")
    np.testing.assert_allclose(above.ppf([0.05, 0.5]), 10.0 - entropy.ppf([0.95, 0.5]), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 50.0), st.floats(0.05, 0.95))
def test_cut_normals_have_the_moments_asked_for(mean, ratio):
    fitted = fitting.fit_cut_normal(mean, ratio * mean, 0.0, math.inf)
    assert fitted is not None
    assert (fitted.mean, fitted.sd) == pytest.approx((mean, ratio * mean), rel=1e-7)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
def test_beyond_the_exponential_the_lognormal_takes_the_place_of_the_cut_normal(ratio):
    """On a half-line the exponential is the limit: its sd equals its mean."""
    assert fitting.fit_cut_normal(2.0, 2.0 * ratio, 0.0, math.inf) is None
    oracle = fitting.fit_moments(2.0, 2.0 * ratio, 0.0, math.inf)
    mean, variance = stats.lognorm(s=oracle.sigma, scale=math.exp(oracle.mu)).stats("mv")
    assert (mean, math.sqrt(variance)) == pytest.approx((2.0, 2.0 * ratio), rel=1e-9)


@pytest.mark.parametrize("ratio", [0.95, 0.97, 0.98, 0.985, 0.99, 0.999, 1.0, 1.1, 1.5, 2.0])
def test_one_of_the_two_fits_has_the_moments_at_every_ratio(ratio):
    cut = fitting.fit_cut_normal(100.0, 100.0 * ratio, 0.0, math.inf)
    fitted = cut or fitting.fit_moments(100.0, 100.0 * ratio, 0.0, math.inf)
    assert (fitted.mean, fitted.sd) == pytest.approx((100.0, 100.0 * ratio), rel=1e-7)


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.3), (0.5, 0.499), (0.1, 0.25), (0.02, 0.1)])
def test_bounded_moments_are_those_of_a_beta_up_to_the_two_point_distribution(mean, sd):
    assert fitting.fit_cut_normal(mean, sd, 0.0, 1.0) is None
    fitted = fitting.fit_moments(mean, sd, 0.0, 1.0)
    oracle = stats.beta(fitted.a, fitted.b)
    assert (oracle.mean(), oracle.std()) == pytest.approx((mean, sd), rel=1e-9)
    assert fitting.fit_moments(mean, math.sqrt(mean * (1.0 - mean)) * 1.001, 0.0, 1.0) is None
    assert fitting.fit_moments(mean, sd, 0.0, 1.0) is not None
    assert fitting.fit_moments(mean, sd, -1.0, math.inf) is None


def test_the_logit_normal_against_a_fine_grid():
    family = LogitNormal(0.4, 1.3, 0.5, 9.5)
    u = (np.arange(400_000) + 0.5) / 400_000
    x = family.quantile_at(stats.norm.ppf(u))
    assert family.mean == pytest.approx(x.mean(), rel=1e-8)
    assert family.sd == pytest.approx(x.std(), rel=1e-5)
    np.testing.assert_allclose(family.cdf(x[::4000]), u[::4000], atol=1e-12)
    np.testing.assert_allclose(family.sf(x[::4000]), 1.0 - u[::4000], atol=1e-12)
    grid = np.linspace(0.5, 9.5, 200_001)
    mass = np.trapezoid(family.pdf(grid), grid)
    assert mass == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(
    "scale", [Scale("log", 0, math.inf), Scale("log odds", 0, 1), Scale("identity", -1, 2)]
)
def test_a_mixture_on_a_scale_is_the_mixture_of_its_components(scale):
    mixture = NormalMixture(scale, (-0.5, 0.3, 1.5), (0.3, 0.6, 0.2), (0.2, 0.5, 0.3))
    x = np.linspace(-1.2, 2.2, 341)
    for name in ("cdf", "sf", "pdf"):
        expected = getattr(mixture.components, name)(x)
        np.testing.assert_allclose(getattr(mixture, name)(x), expected, atol=1e-13, err_msg=name)
    z = np.linspace(-4.0, 4.0, 41)
    np.testing.assert_allclose(mixture.quantile_at(z), mixture.components.quantile_at(z), rtol=1e-9)


@pytest.mark.slow
def test_fits_agree_with_preliz():
    """Two quantiles: `quartile`, whose outer quartiles are our interval of mass 0.5; else `maxent`."""
    import preliz

    for low, high in [(100.0, 400.0), (2.0, 3.0), (0.5, 40.0)]:
        ours, theirs = fitting.fit_lognormal(low, high, 0.5), preliz.LogNormal()
        preliz.quartile(theirs, low, math.sqrt(low * high), high, plot=False)
        assert (theirs.mu, theirs.sigma) == pytest.approx((ours.mu, ours.sigma), rel=1e-3)
    for low, high in [(0.1, 0.3), (0.6, 0.7), (0.02, 0.5)]:
        shapes, beta = fitting.fit_beta(low, high, 0.5), preliz.Beta()
        preliz.quartile(beta, low, float(stats.beta(shapes.a, shapes.b).median()), high, plot=False)
        assert (beta.alpha, beta.beta) == pytest.approx((shapes.a, shapes.b), rel=1e-3)
    normal = preliz.Normal()
    preliz.maxent(normal, -2.0, 6.0, 0.9, plot=False)
    mine = fitting.fit_normal(-2.0, 6.0, 0.9, -math.inf, math.inf)
    # For a normal the central interval is the one of maximum entropy: its sd is the largest.
    assert (normal.mu, normal.sigma) == pytest.approx((mine.center, mine.scale), rel=1e-3)
    for bound, mass in [(0.02, 0.95), (0.61, 0.95), (0.333, 0.95)]:
        fitted, beta = fitting.fit_beta_below(bound, mass), preliz.Beta()
        preliz.maxent(beta, 0.0, bound, mass, plot=False)
        assert (beta.alpha, beta.beta) == pytest.approx((fitted.a, fitted.b), rel=0.02)
    # PreliZ's maximum-entropy lognormal over an interval leaves the tails free: more entropy, unequal tails.
    free, tied = preliz.LogNormal(), fitting.fit_lognormal(100.0, 400.0, 0.9)
    preliz.maxent(free, 100.0, 400.0, 0.9, plot=False)
    entropy = [
        float(stats.lognorm(s=s, scale=math.exp(m)).entropy())
        for m, s in ((free.mu, free.sigma), (tied.mu, tied.sigma))
    ]
    assert entropy[0] > entropy[1]
    assert isinstance(tied, Lognormal)
