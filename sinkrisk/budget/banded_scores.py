"""From the factor to posterior moments inside the band, and from those to the gradient.

Fisher's identity: the derivative of the log likelihood is the posterior expectation of the derivative of
the joint log density, a sum of terms log N(z | 0, v) with z linear in states of at most two neighbouring
years and in the constants. So the covariances inside the band and the border suffice.
"""

from __future__ import annotations

import numba
import numpy as np

from sinkrisk.budget.banded_factor import LOOSE, row_noise, subtract_rows
from sinkrisk.budget.structure import FloatArray, IntArray


@numba.njit(cache=True, error_model="numpy")
def select_inverse(panels: FloatArray, onward: FloatArray, years: int, states: int) -> None:
    """Turn factored panels, in place, into posterior moments.

    A panel becomes [S, C, V, m]: the covariance of the year's states given the border, their covariance
    with the next year's, their sensitivity to the border's independent parts, their posterior mean.
    """
    edges = onward.shape[0]
    width = 2 * states + edges
    beside = states + edges
    flat = onward.ravel()
    mapped = np.empty(edges)
    inverse = np.zeros(states * states)
    transposed = np.zeros(states * states)
    gain = np.empty(states * states)
    gain_transposed = np.empty(states * states)
    after = np.empty(states * beside)
    for t in range(years - 1, -1, -1):
        base = t * states * width
        for i in range(states - 1, -1, -1):
            row = base + i * width
            mapped[:] = 0.0
            subtract_rows(mapped, 0, flat, 0, edges, panels, row + 2 * states, 1, edges, edges)
            at = row + 2 * states
            for k in range(edges):
                panels[at + k] = -mapped[k]
            scale = 1.0 / panels[row + i]
            rest = states - 1 - i
            subtract_rows(
                panels,
                row + states,
                panels,
                row + width + states,
                width,
                panels,
                row + i + 1,
                1,
                rest,
                beside,
            )
            for k in range(row + states, row + width):
                panels[k] *= scale
            own = i * states + i
            for k in range(1, rest + 1):
                inverse[own + k] = 0.0
            subtract_rows(
                inverse, own + 1, inverse, own + states + 1, states, panels, row + i + 1, 1, rest, rest
            )
            inverse[own] = scale
            transposed[own] = -scale
            for k in range(1, rest + 1):
                inverse[own + k] *= scale
                transposed[own + k * states] = -inverse[own + k]
        if t + 1 < years:
            for i in range(states):
                at = base + i * width + states
                for k in range(states):
                    x = panels[at + k]
                    gain[i * states + k] = x
                    gain_transposed[k * states + i] = x
                    panels[at + k] = 0.0
                subtract_rows(panels, at, after, 0, beside, gain, i * states, 1, states, beside)
        for i in range(states):
            row = base + i * width
            own = i * states + i
            for k in range(row + i, row + states):
                panels[k] = 0.0
            subtract_rows(panels, row + i, transposed, own, states, inverse, own, 1, states - i, states - i)
            if t + 1 < years:
                subtract_rows(
                    panels, row + i, gain_transposed, i, states, panels, row + states, 1, states, states - i
                )
            for k in range(i + 1, states):
                panels[row + (k - i) * width + i] = panels[row + k]
        for i in range(states):
            row = base + i * width
            at = i * beside
            for k in range(states):
                after[at + k] = panels[row + k]
            at += states
            row += 2 * states
            for k in range(edges):
                after[at + k] = panels[row + k]


@numba.njit(cache=True, error_model="numpy", fastmath=LOOSE)
def signed_product(x: FloatArray, i: int, y: FloatArray, j: int, n_constants: int, n_windows: int) -> float:
    """Return the covariance that the border adds to two values of the sensitivities x[i:] and y[j:]."""
    p, q = np.uint64(i), np.uint64(j)
    total = 0.0
    for k in range(np.uint64(n_constants)):
        total += x[p + k] * y[q + k]
    p, q = np.uint64(i + n_constants), np.uint64(j + n_constants)
    for k in range(np.uint64(n_windows)):
        total -= x[p + k] * y[q + k]
    return total


@numba.njit(cache=True, error_model="numpy", fastmath=LOOSE)
def _add_rows(to: FloatArray, factor: float, rows: FloatArray, start: int) -> None:
    s = np.uint64(start)
    for k in range(np.uint64(to.shape[0])):
        to[k] += factor * rows[s + k]


@numba.njit(cache=True, error_model="numpy")
def sense(
    to: FloatArray, row: IntArray, panels: FloatArray, onward: FloatArray, states: int, entries: IntArray,
    weights: FloatArray,
) -> None:  # fmt: skip
    """Write the sensitivity of a row's residual to the border; last, minus what the posterior means give."""
    edges = onward.shape[0]
    width = 2 * states + edges
    to[:] = 0.0
    flat = onward.ravel()
    for p in range(row[4], row[5]):
        _add_rows(to, weights[p], flat, entries[p] * edges)
    base = row[0] * states
    for p in range(row[2], row[3]):
        _add_rows(to, -weights[p], panels, (base + entries[p]) * width + 2 * states)
    base -= states
    for p in range(row[3], row[4]):
        _add_rows(to, -weights[p], panels, (base + entries[p]) * width + 2 * states)


@numba.njit(cache=True, error_model="numpy")
def _between(
    panels: FloatArray, year: int, states: int, width: int, across: int, a: int, b: int, c: int, d: int,
    entries: IntArray, weights: FloatArray,
) -> float:  # fmt: skip
    """Return the covariance, given the border, of weighted states a..b of a year and c..d of it or the next.

    `across` is 0 for the same year and `states` for the next.
    """
    total = 0.0
    base = year * states
    for p in range(a, b):
        at = (base + entries[p]) * width + across
        part = 0.0
        for q in range(c, d):
            part += weights[q] * panels[at + entries[q]]
        total += weights[p] * part
    return total


@numba.njit(cache=True, error_model="numpy")
def score_chain(
    c: float, q: float, count: int, first: float, steps: float, slopes: float
) -> tuple[float, float]:
    """Return the derivatives of a stationary AR(1)'s log density by its variance and correlation.

    Parameters
    ----------
    c, q : float
        Variance, correlation.
    count : int
        Length.
    first, steps, slopes : float
        Expectations of e(0)^2, of the sum of (e(t) - q e(t-1))^2, of that of (e(t) - q e(t-1)) e(t-1).
    """
    rest = 1.0 - q * q
    v = c * rest
    by_c = -0.5 * (count - (first / c + steps / v)) / c
    by_q = (q * (count - 1) - q * steps / v) / rest + slopes / v
    return by_c, by_q


@numba.njit(cache=True, error_model="numpy")
def score_lasting(
    coef: FloatArray, rho: FloatArray, shape: IntArray, lasting: IntArray, panels: FloatArray,
    by_coef: FloatArray, by_rho: FloatArray,
) -> float:  # fmt: skip
    """Add the scores of walks and ``ar`` states; return their quadratic form at the posterior means."""
    years, states, n_constants, n_windows = shape[0], shape[1], shape[3], shape[4]
    edge = n_constants + n_windows
    width = 2 * states + edge + 1
    quadratic = 0.0
    for j in range(shape[2]):
        is_ar = lasting[j, 0] == 1
        c = coef[lasting[j, 1]]
        q = rho[lasting[j, 2]] if is_ar else 1.0
        # A walk is 0 in its first year, where its place is idle.
        first, steps, slopes, at_mean = 0.0, 0.0, 0.0, 0.0
        var, mean, cov = 0.0, 0.0, 0.0
        for t in range(years):
            at = (t * states + j) * width
            border = at + 2 * states
            var_before, mean_before = var, mean
            if is_ar or t > 0:
                mean = panels[border + edge]
                var = panels[at + j] + signed_product(panels, border, panels, border, n_constants, n_windows)
            if t > 0:
                step = mean - q * mean_before
                at_mean += step * step
                steps += step * step + var - 2.0 * q * cov + q * q * var_before
                slopes += step * mean_before + cov - q * var_before
            else:
                first = mean * mean + var
                quadratic += mean * mean / c
            if t + 1 < years and (is_ar or t > 0):
                ahead = border + states * width
                cov = panels[at + states + j]
                cov += signed_product(panels, border, panels, ahead, n_constants, n_windows)
        if is_ar:
            by_c, by_q = score_chain(c, q, years, first, steps, slopes)
            by_coef[lasting[j, 1]] += by_c
            by_rho[lasting[j, 2]] += by_q
            quadratic += at_mean / (c * (1.0 - q * q))
        else:
            by_coef[lasting[j, 1]] -= 0.5 * (years - 1 - steps / c) / c
            quadratic += at_mean / c
    return quadratic


@numba.njit(cache=True, error_model="numpy")
def score_rows(
    coef: FloatArray, rho: FloatArray, r: FloatArray, shape: IntArray, passing: IntArray, rows: IntArray,
    row_values: FloatArray, chains: IntArray, entries: IntArray, weights: FloatArray, panels: FloatArray,
    onward: FloatArray, by_coef: FloatArray, by_rho: FloatArray,
) -> float:  # fmt: skip
    """Add the scores of passing states, noise and absorbed processes; return their quadratic form."""
    states, n_constants, n_windows = shape[1], shape[3], shape[4]
    edge = n_constants + n_windows
    width = 2 * states + edge + 1
    quadratic = 0.0
    for k in range(passing.shape[0]):
        c = coef[passing[k, 2]]
        at = (passing[k, 0] * states + passing[k, 1]) * width
        border = at + 2 * states
        mean = panels[border + edge]
        var = panels[at + passing[k, 1]]
        var += signed_product(panels, border, panels, border, n_constants, n_windows)
        quadratic += mean * mean / c
        by_coef[passing[k, 2]] += 0.5 * ((mean * mean + var) / c - 1.0) / c
    seen, before = np.empty(edge + 1), np.empty(edge + 1)
    for i in range(shape[7]):
        row = rows[i]
        noise = row_noise(coef, row_values[i, 1], row[5], row[6], entries, weights)
        sense(seen, row, panels, onward, states, entries, weights)
        z = r[row[1]] * row_values[i, 0] + seen[edge]
        quadratic += z * z / noise
        if row[6] == row[5]:
            continue
        year, a, b, c0 = row[0], row[2], row[3], row[4]
        var = signed_product(seen, 0, seen, 0, n_constants, n_windows)
        var += _between(panels, year, states, width, 0, a, b, a, b, entries, weights)
        if c0 > b:
            var += _between(panels, year - 1, states, width, 0, b, c0, b, c0, entries, weights)
            var += 2.0 * _between(panels, year - 1, states, width, states, b, c0, a, b, entries, weights)
        by_noise = 0.5 * ((z * z + var) / noise - 1.0) / noise
        for p in range(row[5], row[6]):
            by_coef[entries[p]] += by_noise * weights[p]
    for k in range(chains.shape[0]):
        c, q = coef[chains[k, 2]], rho[chains[k, 3]]
        begin, end = chains[k, 0], chains[k, 1]
        first, steps, slopes, at_mean = 0.0, 0.0, 0.0, 0.0
        var, mean, cov = 0.0, 0.0, 0.0
        for i in range(begin, end):
            row = rows[i]
            year, a, b = row[0], row[2], row[3]
            var_before, mean_before = var, mean
            seen, before = before, seen
            sense(seen, row, panels, onward, states, entries, weights)
            mean = seen[edge]
            if row[1] >= 0:
                mean += r[row[1]] * row_values[i, 0]
            var = signed_product(seen, 0, seen, 0, n_constants, n_windows)
            var += _between(panels, year, states, width, 0, a, b, a, b, entries, weights)
            if i > begin:
                cov = signed_product(before, 0, seen, 0, n_constants, n_windows)
                cov += _between(
                    panels,
                    year - 1,
                    states,
                    width,
                    states,
                    rows[i - 1, 2],
                    rows[i - 1, 3],
                    a,
                    b,
                    entries,
                    weights,
                )
                step = mean - q * mean_before
                at_mean += step * step
                steps += step * step + var - 2.0 * q * cov + q * q * var_before
                slopes += step * mean_before + cov - q * var_before
            else:
                first = mean * mean + var
                quadratic += mean * mean / c
        by_c, by_q = score_chain(c, q, end - begin, first, steps, slopes)
        by_coef[chains[k, 2]] += by_c
        by_rho[chains[k, 3]] += by_q
        quadratic += at_mean / (c * (1.0 - q * q))
    return quadratic


@numba.njit(cache=True, error_model="numpy")
def score_border(
    coef: FloatArray, shape: IntArray, constants: IntArray, crosses: IntArray, prior: FloatArray,
    windows: IntArray, window_noise: FloatArray, entries: IntArray, weights: FloatArray,
    onward: FloatArray, by_coef: FloatArray,
) -> float:  # fmt: skip
    """Add the scores of the constants and of the windows' noise; return their quadratic form."""
    n_constants, n_windows, correlated = shape[3], shape[4], shape[5]
    edge = n_constants + n_windows
    edges = edge + 1
    flat = onward.ravel()
    quadratic = 0.0
    for i in range(correlated, n_constants):
        c = coef[constants[i]]
        at = i * edges
        mean = flat[at + edge]
        second = mean * mean + signed_product(flat, at, flat, at, n_constants, n_windows)
        quadratic += mean * mean / c
        by_coef[constants[i]] += 0.5 * (second / c - 1.0) / c
    # Half of (prior E[c c'] prior - prior), prior being the inverse covariance.
    half = np.zeros((correlated, correlated))
    for i in range(correlated):
        for j in range(correlated):
            means = flat[i * edges + edge] * flat[j * edges + edge]
            quadratic += means * prior[i, j]
            second = means + signed_product(flat, i * edges, flat, j * edges, n_constants, n_windows)
            for k in range(correlated):
                half[i, k] += second * prior[j, k]
    for i in range(correlated):
        total = -prior[i, i]
        for j in range(correlated):
            total += prior[i, j] * half[j, i]
        by_coef[constants[i]] += 0.5 * total
    for k in range(crosses.shape[0]):
        a, b = crosses[k, 1], crosses[k, 2]
        total = -prior[a, b]
        for j in range(correlated):
            total += prior[a, j] * half[j, b]
        by_coef[crosses[k, 0]] += total
    for w in range(n_windows):
        at = (n_constants + w) * edges
        multiplier = flat[at + edge]
        noise = row_noise(coef, window_noise[w], windows[w, 3], windows[w, 4], entries, weights)
        quadratic += multiplier * multiplier * noise
        by_noise = multiplier * multiplier + signed_product(flat, at, flat, at, n_constants, n_windows)
        for p in range(windows[w, 3], windows[w, 4]):
            by_coef[entries[p]] += 0.5 * by_noise * weights[p]
    return quadratic
