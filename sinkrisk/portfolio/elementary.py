"""Exponential and power for the kernel, in arithmetic that the compiler turns into vector instructions

A call of the C library's `expm1` or `pow` keeps a whole loop from becoming one of vectors. These are sums of
well-known series after the usual reductions of range, good to a few units in the last place where the kernel
needs them, and tested against the library over that range.
"""

from __future__ import annotations

import numba
import numpy as np

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
"""ln 2 in two parts: a small integer times the first is exact."""
_SHIFT = 6755399441055744.0
"""1.5 * 2^52: what is added to it is rounded to an integer, and stands in its lowest bits."""
_TWO_52 = 4503599627370496.0
_ONE_BITS = np.int64(1023 << 52)
_TWO_52_BITS = np.int64((1023 + 52) << 52)
_MANTISSA = np.int64((1 << 52) - 1)
_SQRT_2 = 1.4142135623730951
_LARGEST = 700.0
"""Exponents are held within this: beyond, a result is as good as 0, or nearly too large for a double."""
_SMALLEST = 2.2250738585072014e-308

_FACTORIALS = tuple(1.0 / float(np.prod(np.arange(1.0, k + 1.0))) for k in range(2, 15))
(_F2, _F3, _F4, _F5, _F6, _F7, _F8, _F9, _F10, _F11, _F12, _F13, _F14) = _FACTORIALS


@numba.njit(nogil=True, error_model="numpy")
def _reduced(x: float) -> tuple[float, float]:
    """Return ``2^k`` and ``exp(r) - 1`` of ``x = k ln 2 + r`` with ``|r| <= ln 2 / 2``."""
    x = min(max(x, -_LARGEST), _LARGEST)
    shifted = x * _LOG2_E + _SHIFT
    k = shifted - _SHIFT
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    scale: float = np.int64((np.float64(shifted).view(np.int64) << 52) + _ONE_BITS).view(np.float64)
    tail = _F11 + r * (_F12 + r * (_F13 + r * _F14))
    tail = _F7 + r * (_F8 + r * (_F9 + r * (_F10 + r * tail)))
    tail = _F2 + r * (_F3 + r * (_F4 + r * (_F5 + r * (_F6 + r * tail))))
    return scale, r + r * r * tail


@numba.njit(nogil=True, error_model="numpy")
def expm1(x: float) -> float:
    """Return ``exp(x) - 1`` for x within 700 of 0; beyond, x is cut to that.

    ``2^k (exp(r) - 1) + (2^k - 1)`` keeps the digits of a small x.
    """
    scale, small = _reduced(x)
    return scale * small + (scale - 1.0)


@numba.njit(nogil=True, error_model="numpy")
def exp(x: float) -> float:
    """Return ``exp(x)`` for x within 700 of 0; beyond, x is cut to that."""
    scale, small = _reduced(x)
    return scale + scale * small


@numba.njit(nogil=True, error_model="numpy")
def log(x: float) -> float:
    """Return the natural logarithm of a normal positive number.

    ``x = 2^k m`` with m around 1, ``log m = 2 artanh((m - 1) / (m + 1))`` as a series.
    """
    bits = np.float64(x).view(np.int64)
    k: float = np.int64((bits >> 52) | _TWO_52_BITS).view(np.float64) - (_TWO_52 + 1023.0)
    m: float = np.int64((bits & _MANTISSA) | _ONE_BITS).view(np.float64)
    large = m > _SQRT_2
    m = 0.5 * m if large else m
    k = k + 1.0 if large else k
    s = (m - 1.0) / (m + 1.0)
    y = s * s
    tail = 1.0 / 13.0 + y * (1.0 / 15.0 + y * (1.0 / 17.0 + y * (1.0 / 19.0 + y * (1.0 / 21.0))))
    tail = 1.0 / 3.0 + y * (1.0 / 5.0 + y * (1.0 / 7.0 + y * (1.0 / 9.0 + y * (1.0 / 11.0 + y * tail))))
    return k * _LN2_HIGH + (2.0 * s + (2.0 * s * y * tail + k * _LN2_LOW))


@numba.njit(nogil=True, error_model="numpy")
def power(base: float, exponent: float) -> float:
    """Return ``base ** exponent`` for a base that is not negative; 0 counts as the smallest normal double.

    So 0 to a positive power is not quite 0, but at most 1e-154 from an exponent of 1/2 on; a choice between
    two values here would keep the loop around from becoming one of vectors.
    """
    return exp(exponent * log(base + _SMALLEST))
