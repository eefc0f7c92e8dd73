"""The marginal likelihood of long annual series, at a cost linear in years.

Information form: the states of a year, the constants as a border, a Cholesky factor that is block
tridiagonal with that border, the inverse inside its pattern, and the gradient by Fisher's identity.
`prepare` lays a structure out (`banded_layout`); the kernels take its arrays and nothing else, so they are
compiled once for all structures.
"""

from __future__ import annotations

import numba
import numpy as np

from sinkrisk.budget.banded_factor import (
    admissible,
    assemble,
    eliminate,
    prior_of_constants,
    resolve_border,
    row_noise,
)
from sinkrisk.budget.banded_layout import BandedLayout, prepare
from sinkrisk.budget.banded_scores import score_border, score_lasting, score_rows, select_inverse, sense
from sinkrisk.budget.structure import FloatArray, IntArray

__all__ = ["BandedLayout", "posterior", "prepare", "solve", "value_and_gradient"]

LOG_2PI = float(np.log(2.0 * np.pi))


@numba.njit(cache=True, error_model="numpy")
def value_and_gradient(
    coef: FloatArray, rho: FloatArray, r: FloatArray, shape: IntArray, variances: IntArray,
    correlations: IntArray, lasting: IntArray, passing: IntArray, idle: IntArray, constants: IntArray,
    crosses: IntArray, rows: IntArray, row_values: FloatArray, chains: IntArray, windows: IntArray,
    window_noise: FloatArray, residuals: IntArray, residual_weights: FloatArray, entries: IntArray,
    weights: FloatArray,
) -> tuple[float, FloatArray, FloatArray]:  # fmt: skip
    """Return log N(r | 0, K) and its gradient with respect to the coefficients and correlations.

    The value is -inf and the gradient zero where a process has a variance that is not positive or a
    correlation outside (-1, 1), where the constants' covariance is not positive definite, and where an
    input is not finite.

    Parameters
    ----------
    coef, rho : ndarray
        The parameter vectors of the structure.
    r : ndarray, shape (observation,)
        Observations less their offsets, GtC/yr.
    shape, ..., weights : ndarray
        `BandedLayout.arrays`.
    """
    by_coef, by_rho = np.zeros(coef.shape[0]), np.zeros(rho.shape[0])
    if not admissible(coef, rho, variances, correlations):
        return -np.inf, by_coef, by_rho
    logdet, prior = prior_of_constants(coef, constants, crosses, shape[5])
    if not np.isfinite(logdet):
        return -np.inf, by_coef, by_rho
    data = r.copy()
    for k in range(residuals.shape[0]):
        data[residuals[k, 0]] -= residual_weights[k] * r[residuals[k, 1]]
    part, panels, border = assemble(
        coef, rho, data, shape, lasting, passing, idle, constants, prior, rows, row_values, chains, windows,
        window_noise, entries, weights,
    )  # fmt: skip
    logdet += part + eliminate(panels, border, shape[0], shape[1])
    if not np.isfinite(logdet):
        return -np.inf, by_coef, by_rho
    part, onward = resolve_border(border, shape[3])
    logdet += part
    if not np.isfinite(logdet):
        return -np.inf, by_coef, by_rho
    select_inverse(panels, onward, shape[0], shape[1])
    quadratic = score_lasting(coef, rho, shape, lasting, panels, by_coef, by_rho)
    quadratic += score_rows(
        coef, rho, data, shape, passing, rows, row_values, chains, entries, weights, panels, onward, by_coef,
        by_rho,
    )  # fmt: skip
    quadratic += score_border(
        coef, shape, constants, crosses, prior, windows, window_noise, entries, weights, onward, by_coef
    )
    value = -0.5 * (shape[6] * LOG_2PI + logdet + quadratic)
    if not (np.isfinite(value) and np.isfinite(by_coef.sum()) and np.isfinite(by_rho.sum())):
        by_coef[:] = 0.0
        by_rho[:] = 0.0
        return -np.inf, by_coef, by_rho
    return value, by_coef, by_rho


@numba.njit(cache=True, error_model="numpy")
def _means(panels: FloatArray, onward: FloatArray, years: int, states: int) -> None:
    """Write the posterior means of the states over the right-hand sides of factored panels."""
    edges = onward.shape[0]
    width = 2 * states + edges
    last = width - 1
    column = np.ascontiguousarray(onward[:, edges - 1])
    for t in range(years - 1, -1, -1):
        for i in range(states - 1, -1, -1):
            row = (t * states + i) * width
            total = 0.0
            for k in range(edges):
                total += panels[row + 2 * states + k] * column[k]
            for k in range(i + 1, states):
                total -= panels[row + k] * panels[(t * states + k) * width + last]
            if t + 1 < years:
                for k in range(states):
                    total -= panels[row + states + k] * panels[((t + 1) * states + k) * width + last]
            panels[row + last] = total / panels[row + i]


@numba.njit(cache=True, error_model="numpy")
def posterior(
    coef: FloatArray, rho: FloatArray, r: FloatArray, shape: IntArray, variances: IntArray,
    correlations: IntArray, lasting: IntArray, passing: IntArray, idle: IntArray, constants: IntArray,
    crosses: IntArray, rows: IntArray, row_values: FloatArray, chains: IntArray, windows: IntArray,
    window_noise: FloatArray, residuals: IntArray, residual_weights: FloatArray, entries: IntArray,
    weights: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Return K^-1 r (observation,), and the posterior means of states (year, state) and constants.

    The means are accurate where sums of K^-1 r are not: with a vague level those cancel to eight digits.
    NaN where `value_and_gradient` returns -inf.
    """
    out = np.full(r.shape[0], np.nan)
    states = np.full((shape[0], shape[1]), np.nan)
    steady = np.full(shape[3], np.nan)
    if not admissible(coef, rho, variances, correlations):
        return out, states, steady
    logdet, prior = prior_of_constants(coef, constants, crosses, shape[5])
    if not np.isfinite(logdet):
        return out, states, steady
    data = r.copy()
    for k in range(residuals.shape[0]):
        data[residuals[k, 0]] -= residual_weights[k] * r[residuals[k, 1]]
    _, panels, border = assemble(
        coef, rho, data, shape, lasting, passing, idle, constants, prior, rows, row_values, chains, windows,
        window_noise, entries, weights,
    )  # fmt: skip
    logdet = eliminate(panels, border, shape[0], shape[1])
    if not np.isfinite(logdet):
        return out, states, steady
    logdet, onward = resolve_border(border, shape[3])
    if not np.isfinite(logdet):
        return out, states, steady
    _means(panels, onward, shape[0], shape[1])
    edge = shape[3] + shape[4]
    width = 2 * shape[1] + edge + 1
    for t in range(shape[0]):
        for j in range(shape[1]):
            states[t, j] = panels[(t * shape[1] + j) * width + width - 1]
    for i in range(shape[3]):
        steady[i] = -onward[i, edge]
    seen = np.empty(edge + 1)
    for i in range(shape[7]):
        sense(seen, rows[i], panels, onward, shape[1], entries, weights)
        noise = row_noise(coef, row_values[i, 1], rows[i, 5], rows[i, 6], entries, weights)
        out[rows[i, 1]] = (data[rows[i, 1]] * row_values[i, 0] + seen[edge]) / noise
    for k in range(chains.shape[0]):
        begin, end = chains[k, 0], chains[k, 1]
        c, q = coef[chains[k, 2]], rho[chains[k, 3]]
        v = c * (1.0 - q * q)
        before = 0.0
        for i in range(begin, end):
            sense(seen, rows[i], panels, onward, shape[1], entries, weights)
            error = seen[edge]
            if rows[i, 1] >= 0:
                error += data[rows[i, 1]] * row_values[i, 0]
            # The derivative of the chain's half quadratic form by this error and, added to it, the last.
            step = error / c if i == begin else (error - q * before) / v
            if i > begin and rows[i - 1, 1] >= 0:
                out[rows[i - 1, 1]] -= q * step * row_values[i - 1, 0]
            if rows[i, 1] >= 0:
                out[rows[i, 1]] = step * row_values[i, 0]
            before = error
    for w in range(shape[4]):
        out[windows[w, 0]] = -onward[shape[3] + w, edge]
    for k in range(residuals.shape[0]):
        out[residuals[k, 1]] -= residual_weights[k] * out[residuals[k, 0]]
    return out, states, steady


@numba.njit(cache=True, error_model="numpy")
def solve(
    coef: FloatArray, rho: FloatArray, r: FloatArray, shape: IntArray, variances: IntArray,
    correlations: IntArray, lasting: IntArray, passing: IntArray, idle: IntArray, constants: IntArray,
    crosses: IntArray, rows: IntArray, row_values: FloatArray, chains: IntArray, windows: IntArray,
    window_noise: FloatArray, residuals: IntArray, residual_weights: FloatArray, entries: IntArray,
    weights: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return K^-1 r, shape (observation,); NaN where `value_and_gradient` returns -inf."""
    return posterior(
        coef, rho, r, shape, variances, correlations, lasting, passing, idle, constants, crosses, rows,
        row_values, chains, windows, window_noise, residuals, residual_weights, entries, weights,
    )[0]  # fmt: skip
