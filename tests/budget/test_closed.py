"""The exact solver against independent solutions of the same problem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sinkrisk.budget import closed

SIGNS = np.array([1.0, 1.0, -1.0, -1.0, -1.0])

sds = st.lists(st.floats(1e-3, 1e2), min_size=5, max_size=5)
means = st.lists(st.floats(-50, 50), min_size=5, max_size=5)


def kkt(mean, variance, signs):
    """Minimise (x - m)' V^-1 (x - m) subject to s'x = 0 by the full KKT system, dense."""
    n = len(mean)
    weight = np.diag(1 / np.asarray(variance))
    system = np.block([[weight, signs[:, None]], [signs[None, :], np.zeros((1, 1))]])
    right = np.concatenate([weight @ mean, [0.0]])
    inverse = np.linalg.inv(system)
    return (inverse @ right)[:n], inverse[:n, :n]


@given(means, sds)
@settings(max_examples=100, deadline=None)
def test_equals_dense_kkt_solution_and_closes(mean, sd):
    mean, variance = np.array(mean), np.array(sd) ** 2
    got_mean, got_covariance = closed.solve(mean, variance, SIGNS)
    want_mean, want_covariance = kkt(mean, variance, SIGNS)
    scale = np.abs(mean).max() + np.sqrt(variance.max())
    # 1e-6: the dense inverse loses up to 10 digits where variances differ by 1e10.
    np.testing.assert_allclose(got_mean, want_mean, atol=1e-6 * scale)
    np.testing.assert_allclose(got_covariance, want_covariance, atol=1e-6 * variance.max())
    assert abs(got_mean @ SIGNS) < 1e-12 * scale
    assert np.abs(got_covariance @ SIGNS).max() < 1e-12 * variance.max()


@given(means, sds, st.floats(1e-6, 1e6))
@settings(max_examples=50, deadline=None)
def test_scale_equivariance(mean, sd, factor):
    mean, variance = np.array(mean), np.array(sd) ** 2
    one, covariance = closed.solve(mean, variance, SIGNS)
    other, scaled = closed.solve(mean * factor, variance * factor**2, SIGNS)
    np.testing.assert_allclose(other, one * factor, rtol=1e-9, atol=1e-9 * factor)
    np.testing.assert_allclose(
        scaled, covariance * factor**2, rtol=1e-9, atol=1e-12 * factor**2 * variance.max()
    )


def test_infinite_variance_is_the_limit_of_a_large_one():
    mean, variance = np.array([9.7, 1.1, 5.2, 2.9, 0.0]), np.array([0.25, 0.49, 0.04, 0.16, np.inf])
    got_mean, got_covariance = closed.solve(mean, variance, SIGNS)
    near_mean, near_covariance = closed.solve(mean, np.where(np.isinf(variance), 1e10, variance), SIGNS)
    np.testing.assert_allclose(got_mean, near_mean, atol=1e-9)
    np.testing.assert_allclose(got_covariance, near_covariance, atol=1e-6)
    # By hand: land = 9.7 + 1.1 - 5.2 - 2.9, its variance the sum of the others'.
    assert got_mean[4] == pytest.approx(2.7, abs=1e-12)
    assert got_covariance[4, 4] == pytest.approx(0.94, abs=1e-12)


def test_two_infinite_variances_are_refused():
    with pytest.raises(ValueError, match="two components"):
        closed.gain([1.0, 1.0, 1.0, np.inf, np.inf], SIGNS)


def test_a_component_outside_the_identity_is_nan_and_changes_nothing():
    mean, variance = np.array([3.0, 1.6, 1.7, 1.2, 1.2]), np.array([0.04, 0.49, 0.0049, 0.16, 0.25])
    plain, covariance = closed.solve(mean, variance, SIGNS)
    wide, wide_covariance = closed.solve(
        np.append(mean, 7.0), np.append(variance, 3.0), np.append(SIGNS, 0.0)
    )
    np.testing.assert_array_equal(wide[:5], plain)
    np.testing.assert_array_equal(wide_covariance[:5, :5], covariance)
    assert np.isnan(wide[5])
    assert np.isnan(wide_covariance[5]).all()


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_extreme_scales_neither_overflow_nor_vanish(scale):
    mean, variance = closed.pool([1.0 * scale, 3.0 * scale], [scale, scale], [0, 0], 1)
    assert mean[0] == pytest.approx(2.0 * scale)
    assert np.sqrt(variance[0]) == pytest.approx(scale / np.sqrt(2))


@given(
    st.lists(st.tuples(st.floats(-10, 10), st.floats(0.01, 10)), min_size=1, max_size=6),
)
@settings(max_examples=50, deadline=None)
def test_pooling_is_weighted_least_squares(pairs):
    values, sd = map(np.array, zip(*pairs, strict=True))
    mean, variance = closed.pool(values, sd, np.zeros(len(pairs), dtype=int), 1)
    design = np.ones((len(pairs), 1)) / sd[:, None]
    want = np.linalg.lstsq(design, values / sd, rcond=None)[0][0]
    assert mean[0] == pytest.approx(want, abs=1e-8)
    assert variance[0] == pytest.approx(1 / (design.T @ design).item(), rel=1e-9)


def test_draws_are_normal_with_the_exact_moments():
    mean = np.array([9.7, 1.1, 5.2, 2.9, 3.2])
    variance = np.array([0.5, 0.7, 0.2, 0.4, 0.9]) ** 2
    n = 200_000
    x = closed.draw(mean, variance, SIGNS, (n,), 2, np.random.default_rng(5))
    want, covariance = closed.solve(mean, variance, SIGNS)
    sd = np.sqrt(np.diag(covariance))
    # 5 standard errors: false-alarm rate below 6e-7 for each of 5 means and 15 covariances.
    assert (np.abs(x.mean(axis=0) - want) < 5 * sd / np.sqrt(n)).all()
    error = np.sqrt((np.outer(sd**2, sd**2) + covariance**2) / n)
    assert (np.abs(np.cov(x.T) - covariance) < 5 * error).all()
    # Fourth moment: kurtosis of a normal is 3, its standard error sqrt(24/n).
    z = (x - want) / sd
    assert (np.abs((z**4).mean(axis=0) - 3) < 5 * np.sqrt(96 / n)).all()
    assert np.abs(x @ SIGNS).max() < 1e-13
