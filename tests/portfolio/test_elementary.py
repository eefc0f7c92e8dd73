"""Exponential and power of the kernel against the C library's, over the range the kernel needs."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from sinkrisk.portfolio import elementary

EPS = np.finfo(float).eps


@numba.njit
def over(function, x, out):
    for i in range(x.size):
        out[i] = function(x[i])


@numba.njit
def over_pairs(function, x, y, out):
    for i in range(x.size):
        out[i] = function(x[i], y[i])


def of(function, x):
    out = np.empty_like(x)
    over(function, x, out)
    return out


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_expm1_keeps_the_digits_of_small_and_large(sign):
    x = sign * 10.0 ** np.random.default_rng(1).uniform(-300.0, math.log10(690.0), 200_000)
    np.testing.assert_allclose(of(elementary.expm1, x), np.expm1(x), rtol=2.0 * EPS, atol=0.0)
    near = sign * np.linspace(0.0, 3.0, 200_001)
    np.testing.assert_allclose(of(elementary.expm1, near), np.expm1(near), rtol=2.0 * EPS, atol=0.0)


def test_exp_and_log():
    x = np.linspace(-690.0, 690.0, 200_001)
    np.testing.assert_allclose(of(elementary.exp, x), np.exp(x), rtol=2.0 * EPS, atol=0.0)
    y = np.concatenate([10.0 ** np.random.default_rng(2).uniform(-307.0, 307.0, 200_000), 1.0 + 1e-9 * x])
    np.testing.assert_allclose(of(elementary.log, y), np.log(y), rtol=2.0 * EPS, atol=1e-300)


def test_power():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(0.0, 1.0, 100_000), 10.0 ** rng.uniform(-100.0, 2.0, 100_000)])
    y = np.concatenate([rng.uniform(0.5, 4.0, 100_000), rng.uniform(-2.0, 2.0, 100_000)])
    out = np.empty_like(x)
    over_pairs(elementary.power, x, y, out)
    # The exponent's rounding is magnified by y log x, as in any product of this kind.
    error = np.abs(out / x**y - 1.0) / (1.0 + np.abs(y * np.log(x)))
    assert error.max() < 2.0 * EPS


def test_limits():
    assert elementary.expm1(0.0) == 0.0
    assert elementary.expm1(-1e9) == -1.0
    assert elementary.exp(0.0) == 1.0
    assert elementary.power(1.0, 2.3) == 1.0
    assert elementary.power(0.7, 0.0) == 1.0
    assert 0.0 <= elementary.power(0.0, 0.5) < 1e-150
