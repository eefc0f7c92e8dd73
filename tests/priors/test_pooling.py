"""Pools of sources: the hierarchical one against brute force, disagreement in closed form."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from sinkrisk import priors
from sinkrisk.errors import InputError
from sinkrisk.priors import pooling
from sinkrisk.priors.families import BetaScaled, Lognormal, Normal
from sinkrisk.priors.pooling import Part, disagreement, hierarchical, moments
from sinkrisk.priors.quantiles import Pool
from sinkrisk.priors.scales import Scale

LOG, LINE = Scale("log", 0.0, math.inf), Scale("identity", -math.inf, math.inf)
NAN = math.nan


def sources(means, sds, make=Lognormal):
    count = len(means)
    return [
        Part(f"s{i}", 1.0 / count, Pool((make(float(m), float(s)),), (1.0,)), (f"c{i}",))
        for i, (m, s) in enumerate(zip(means, sds, strict=True))
    ]


def brute_force(means, sds, between, x):
    """P(X <= x) by trapezoids over tau, uniform and dense, with the textbook marginal likelihood.

    p(tau | y) is the half-normal times the integral over the location of prod N(y_s; location,
    v_s + tau^2), that integral by quadrature too: nothing is shared with the closed form.
    """
    tau = np.linspace(0.0, 7.0 * between, 4001)
    location = np.linspace(
        min(means) - 12.0 * between - 9 * max(sds), max(means) + 12 * between + 9 * max(sds), 6001
    )
    joint = np.zeros((len(tau), len(location)))
    for mean, sd in zip(means, sds, strict=True):
        spread = np.sqrt(sd**2 + tau**2)[:, None]
        joint += -0.5 * ((mean - location) / spread) ** 2 - np.log(spread)
    joint -= 0.5 * (tau[:, None] / between) ** 2
    density = np.exp(joint - joint.max())
    over_tau = np.trapezoid(density, tau, axis=0)
    cumulative = np.r_[0.0, np.cumsum(0.5 * (over_tau[1:] + over_tau[:-1]) * np.diff(location))]
    tau_density = np.trapezoid(density, location, axis=1)
    tau_density /= np.trapezoid(tau_density, tau)
    return np.interp(np.log(x), location, cumulative / cumulative[-1]), np.trapezoid(tau_density * tau, tau)


CASES = [
    ([0.0, 0.0, 0.0], [0.2, 0.2, 0.2], 0.42),
    ([0.0, 1.0], [0.1, 0.3], 0.42),
    ([0.0, 0.3, 2.5], [0.3, 0.1, 0.2], 0.25),
    ([1.0], [0.2], 0.4),
    ([0.1, -0.4, 0.9, 0.2, 0.5, -0.1], [0.1, 0.4, 0.2, 0.2, 0.3, 0.15], 0.67),
]


@pytest.mark.parametrize(("means", "sds", "between"), CASES, ids=str)
def test_the_hierarchical_pool_against_brute_force(means, sds, between):
    got = hierarchical(sources(means, sds), LOG, between)
    x = np.exp(np.linspace(min(means) - 1.5, max(means) + 1.5, 121))
    expected, tau = brute_force(means, sds, between, x)
    # The trapezoids, interpolated, are good to 3e-5 here; the quadrature to 1e-7 (next test).
    np.testing.assert_allclose(got.pool.cdf(x), expected, atol=5e-5)
    assert got.between_mean == pytest.approx(tau, rel=1e-4)


@pytest.mark.parametrize(("means", "sds", "between"), CASES, ids=str)
def test_more_nodes_change_nothing(means, sds, between, monkeypatch):
    parts, x = sources(means, sds), np.exp(np.linspace(min(means) - 2.0, max(means) + 2.0, 201))
    usual = hierarchical(parts, LOG, between).pool.cdf(x)
    monkeypatch.setattr(pooling, "NODES", 400)
    np.testing.assert_allclose(usual, hierarchical(parts, LOG, between).pool.cdf(x), atol=1e-7)


def test_one_source_is_widened_by_the_assumed_bias():
    """With one source tau keeps its prior, so Var log X = v + E tau^2 = v + A^2."""
    got = hierarchical(sources([0.7], [0.3]), LOG, 0.5)
    z = np.linspace(-0.9995, 0.9995, 400_001)
    u = 0.5 * (z + 1.0)
    log_x = np.log(got.pool.quantile_at(stats.norm.ppf(u[::40])))
    assert got.between_mean == pytest.approx(0.5 * math.sqrt(2.0 / math.pi), rel=1e-7)
    assert np.median(log_x) == pytest.approx(0.7, abs=1e-9)
    mixture = got.pool.families[0]
    variance = np.dot(mixture.weights, np.square(mixture.sds))
    assert variance == pytest.approx(0.3**2 + 0.5**2, rel=1e-7)


def test_equal_sources_shrink_the_between_source_sd_and_the_pool():
    found = [hierarchical(sources([0.0] * n, [0.1] * n), LOG, 0.5) for n in (1, 2, 4, 8, 16)]
    between = [h.between_mean for h in found]
    widths = [float(np.diff(np.log(h.pool.quantile_at(np.array([-1.645, 1.645]))))[0]) for h in found]
    assert all(np.diff(between) < 0.0)
    assert all(np.diff(widths) < 0.0)
    assert between[-1] < 0.15 * between[0]


def test_sources_that_disagree_widen_the_pool():
    widths, between = [], []
    for distance in (0.0, 0.3, 0.6, 1.2, 2.4):
        got = hierarchical(sources([-distance / 2, distance / 2], [0.15, 0.15]), LOG, 0.5)
        low, median, high = np.log(got.pool.quantile_at(np.array([-1.645, 0.0, 1.645])))
        widths.append(high - low)
        between.append(got.between_mean)
        assert median == pytest.approx(0.0, abs=1e-12)
    assert all(np.diff(widths) > 0.0)
    assert all(np.diff(between) > 0.0)


def test_sources_count_by_precision_without_bias_and_alike_where_bias_rules():
    means, sds = [0.0, 1.0], [0.1, 0.3]
    tight = hierarchical(sources(means, sds), LOG, 1e-4).pool
    # A -> 0: the inverse-variance weighted mean and its variance.
    precision = np.array([100.0, 100.0 / 9.0])
    oracle = stats.norm(precision @ means / precision.sum(), 1.0 / math.sqrt(precision.sum()))
    x = np.exp(oracle.ppf([0.05, 0.3, 0.5, 0.9]))
    np.testing.assert_allclose(tight.cdf(x), [0.05, 0.3, 0.5, 0.9], atol=1e-5)
    # Statements precise against the bias: only the biases count, and they are alike.
    precise = hierarchical(sources(means, [0.001, 0.01]), LOG, 0.5).pool
    assert np.log(precise.quantile_at(np.array([0.0]))) == pytest.approx([0.5], abs=2e-3)


def test_bounds_cut_the_flat_prior_on_the_identity_scale():
    """x flat on [0, inf): the posterior is the uncut one, conditioned on x > 0."""
    half = Scale("identity", 0.0, math.inf)
    parts = sources([0.2, 0.6], [0.4, 0.5], make=Normal)
    cut, whole = hierarchical(parts, half, 0.3).pool, hierarchical(parts, LINE, 0.3).pool
    x = np.linspace(0.0, 3.0, 61)
    below = whole.cdf(np.array([0.0]))[0]
    np.testing.assert_allclose(cut.cdf(x), (whole.cdf(x) - below) / (1.0 - below), atol=1e-12)
    np.testing.assert_allclose(cut.cdf(x) + cut.sf(x), 1.0, atol=1e-12)
    assert cut.cdf(np.array([-1.0]))[0] == 0.0


def test_disagreement_in_closed_form():
    # Means 0 and 2, variances 1 and 3, halves: within 2, between 1, so a third.
    parts = sources([0.0, 2.0], [1.0, math.sqrt(3.0)])
    assert disagreement(parts, LOG) == pytest.approx(1.0 / 3.0, rel=1e-12)
    assert disagreement(sources([1.0, 1.0], [0.2, 0.5]), LOG) == 0.0
    assert disagreement(sources([1.0], [0.2]), LOG) == 0.0
    assert disagreement(sources([0.0, 9.0], [1e-3, 1e-3]), LOG) == pytest.approx(1.0, abs=1e-6)


def test_what_one_source_says_twice_counts_within_it():
    """Claims 0 and 2 of one source, 1 of another, each variance 1: within (2 + 1) / 2, between 0."""
    twice = Part("a", 0.5, Pool((Lognormal(0.0, 1.0), Lognormal(2.0, 1.0)), (0.5, 0.5)), ("c0", "c1"))
    once = Part("b", 0.5, Pool((Lognormal(1.0, 1.0),), (1.0,)), ("c2",))
    assert disagreement([twice, once], LOG) == 0.0
    rows = pd.DataFrame(
        [
            _row("c0", 100.0, 200.0, "a2020"),
            _row("c1", 300.0, 600.0, "a2020"),
            _row("c2", 150.0, 300.0, "b2020"),
        ]
    )
    got = priors.elicit(rows, "daccs", "cost")
    sigma = math.log(2.0) / (2.0 * 1.6448536269514722)
    means = np.log([math.sqrt(2.0) * low for low in (100.0, 300.0, 150.0)])
    first = (means[0] + means[1]) / 2.0
    within = sigma**2 + 0.5 * ((means[1] - means[0]) / 2.0) ** 2
    between = ((first - means[2]) / 2.0) ** 2
    assert got.disagreement == pytest.approx(between / (within + between), rel=1e-12)
    assert [part.label for part in got.parts] == ["a2020", "b2020"]
    assert got.parts[0].claims == ("c0", "c1")


def _row(name, low, high, source):
    cells = {"id": name, "pathway": "daccs", "quantity": "cost", "low": low, "high": high, "central": NAN}
    return cells | {"sd": NAN, "unit": "USD/tCO2", "interval": 0.9, "basis": "net", "source": source}


def test_the_variance_splits_exactly():
    """Law of total variance on the log scale, checked on the pool's own quantiles."""
    got = priors.elicit(priors.load_claims(), "biochar", "potential")
    u = (np.arange(400_000) + 0.5) / 400_000
    total = np.log(got.ppf(u)).var()
    within = np.mean([f.sigma**2 for part in got.parts for f in part.pool.families])
    # Midpoint rule: the tails beyond 1.25e-6 leave about 1e-5 of the variance.
    assert 1.0 - within / total == pytest.approx(got.disagreement, abs=1e-4)


def test_moments_on_the_scale():
    odds = Scale("log odds", 0.5, 9.5)
    beta = BetaScaled(2.5, 4.0, 0.5, 9.5)
    u = (np.arange(40_000) + 0.5) / 40_000
    logit = np.log(stats.beta(2.5, 4.0).ppf(u) / (1.0 - stats.beta(2.5, 4.0).ppf(u)))
    assert moments(beta, odds) == pytest.approx((logit.mean(), logit.var()), rel=5e-4)
    cut = Normal(3.0, 1.0, 0.0, math.inf)
    log_x = np.log(stats.truncnorm(-3.0, math.inf, loc=3.0).ppf(u))
    # The midpoint rule cuts log x off near its tail to minus infinity: 1e-3 of the variance.
    assert moments(cut, LOG) == pytest.approx((log_x.mean(), log_x.var()), rel=2e-3)
    assert moments(Normal(3.0, 1.0), LINE) == (3.0, 1.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=5), st.floats(0.02, 1.0), st.floats(0.05, 1.0))
def test_the_hierarchical_pool_moves_with_the_unit(means, sd, between):
    """A change of unit shifts the log scale and nothing else."""
    here = hierarchical(sources(means, [sd] * len(means)), LOG, between)
    there = hierarchical(sources(np.add(means, 3.0), [sd] * len(means)), LOG, between)
    x = np.exp(np.linspace(-3.0, 3.0, 25))
    np.testing.assert_allclose(there.pool.cdf(x * math.exp(3.0)), here.pool.cdf(x), atol=1e-9)
    assert there.between_mean == pytest.approx(here.between_mean, rel=1e-9)


def test_the_option_of_elicit_and_its_assumed_prior():
    claims = priors.load_claims()
    got = priors.elicit(claims, "daccs", "cost", pool="hierarchical")
    assert got.method == "hierarchical"
    # The cost's spread 1.5 is the bias that a source has with probability 0.9 at most.
    assert got.hierarchy.between_prior == pytest.approx(math.log(1.5) / 1.6448536269514722, rel=1e-12)
    assert "between-source sd" in got.describe()
    wide = priors.elicit(claims, "daccs", "cost", pool="hierarchical", between=2.0)
    assert np.diff(wide.interval(0.9)) > np.diff(got.interval(0.9))
    shares = priors.elicit(claims, "oae", "trl", pool="hierarchical")
    low, high = shares.ppf([0.0, 1.0])
    assert 0.5 <= low < high <= 9.5
    with pytest.raises(InputError, match=r"not a scale of the between-source sd: got 0\.0"):
        priors.elicit(claims, "daccs", "cost", pool="hierarchical", between=0.0)


def test_the_hierarchical_table_is_accurate():
    claims, u = priors.load_claims(), np.linspace(0.0005, 0.9995, 499)
    for pathway, quantity in [("daccs", "cost"), ("oae", "trl"), ("biochar", "potential")]:
        got = priors.elicit(claims, pathway, quantity, pool="hierarchical")
        exact = got.pool.families[0].components.quantile_at(stats.norm.ppf(u))
        low, high = got.interval(0.9)
        assert np.abs(got.ppf(u) - exact).max() < 1e-6 * (high - low)
