"""The joint precision of states and constants, and its block-tridiagonal factor with a border.

Per year one panel of rows: the year's own block, the block to the next year, the border. The border's
columns are the constants, one multiplier per window observation (which keeps the system exact and only
makes it quasi-definite: a window's pivot is minus its predictive variance), and the right-hand side.
Panels lie in one flat array, for the loops run over offsets: unsigned ones, because numba wraps signed
indices around and the compiler then cannot vectorise.
"""

from __future__ import annotations

import numba
import numpy as np

from sinkrisk.budget.structure import FloatArray, IntArray

# Not `nnan`: a NaN must reach the checks that turn it into -inf.
LOOSE = {"contract", "reassoc", "nsz"}


@numba.njit(cache=True, error_model="numpy", fastmath=LOOSE)
def subtract_rows(
    to: FloatArray, at: int, rows: FloatArray, start: int, stride: int,
    factors: FloatArray, first: int, step: int, count: int, width: int,
) -> None:  # fmt: skip
    """Do to[at:at+width] -= sum over k < count of factors[first + k step] rows[start + k stride:][:width]."""
    d, s, ds = np.uint64(at), np.uint64(start), np.uint64(stride)
    f, df = np.uint64(first), np.uint64(step)
    n = np.uint64(width)
    k = 0
    while k + 4 <= count:
        a0, a1, a2, a3 = factors[f], factors[f + df], factors[f + df + df], factors[f + df + df + df]
        s1 = s + ds
        s2 = s1 + ds
        s3 = s2 + ds
        # Private states leave many zeros.
        if a0 != 0.0 or a1 != 0.0 or a2 != 0.0 or a3 != 0.0:
            for j in range(n):
                to[d + j] -= a0 * rows[s + j] + a1 * rows[s1 + j] + a2 * rows[s2 + j] + a3 * rows[s3 + j]
        s = s3 + ds
        f = f + df + df + df + df
        k += 4
    while k < count:
        a0 = factors[f]
        if a0 != 0.0:
            for j in range(n):
                to[d + j] -= a0 * rows[s + j]
        s = s + ds
        f = f + df
        k += 1


@numba.njit(cache=True, error_model="numpy")
def admissible(coef: FloatArray, rho: FloatArray, variances: IntArray, correlations: IntArray) -> bool:
    """Whether every variance is positive and finite and every correlation inside (-1, 1)."""
    for k in variances:
        if not (coef[k] > 0.0 and coef[k] < np.inf):
            return False
    for k in correlations:  # noqa: SIM110 (numba compiles no all() of a generator)
        if not abs(rho[k]) < 1.0:
            return False
    return True


@numba.njit(cache=True, error_model="numpy")
def prior_of_constants(
    coef: FloatArray, constants: IntArray, crosses: IntArray, correlated: int
) -> tuple[float, FloatArray]:
    """Return the log determinant and the inverse of the covariance of the correlated constants.

    The log determinant is over all constants, and NaN where the covariance is not positive definite.
    """
    logdet = 0.0
    for i in range(correlated, constants.shape[0]):
        logdet += np.log(coef[constants[i]])
    c = np.zeros((correlated, correlated))
    for i in range(correlated):
        c[i, i] = coef[constants[i]]
    for k in range(crosses.shape[0]):
        i, j = crosses[k, 1], crosses[k, 2]
        c[i, j] += coef[crosses[k, 0]]
        c[j, i] += coef[crosses[k, 0]]
    # Gauss-Jordan in place, without pivoting: c is to be positive definite.
    for p in range(correlated):
        d = c[p, p]
        if not d > 0.0:
            return np.nan, c
        logdet += np.log(d)
        c[p, p] = 1.0
        for j in range(correlated):
            c[p, j] /= d
        for i in range(correlated):
            if i != p:
                f = c[i, p]
                c[i, p] = 0.0
                for j in range(correlated):
                    c[i, j] -= f * c[p, j]
    return logdet, c


@numba.njit(cache=True, error_model="numpy")
def row_noise(
    coef: FloatArray, fixed: float, start: int, end: int, entries: IntArray, weights: FloatArray
) -> float:
    """Return the noise variance of one observation: its fixed part and the errors it absorbed."""
    total = fixed
    for p in range(start, end):
        total += weights[p] * coef[entries[p]]
    return total


@numba.njit(cache=True, error_model="numpy")
def _add_product(
    panels: FloatArray, border: FloatArray, i: int, j: int, rate: float, y_i: float, y_j: float,
    width: int, states: int, rows: IntArray, entries: IntArray, weights: FloatArray,
) -> None:  # fmt: skip
    """Add rate times the product of rows i and j, which see their own years only, i at or before j.

    Both orders of the product are added where i and j differ.
    """
    last = border.shape[0] - 1
    base_i = rows[i, 0] * states
    base_j = rows[j, 0] * states
    shift = states * (rows[j, 0] - rows[i, 0])
    i0, i1, i2, i3 = rows[i, 2], rows[i, 3], rows[i, 4], rows[i, 5]
    j0, j1, j2, j3 = rows[j, 2], rows[j, 3], rows[j, 4], rows[j, 5]
    for p in range(i0, i1):
        h = rate * weights[p]
        at = (base_i + entries[p]) * width
        for q in range(j0, j1):
            if i != j or entries[q] >= entries[p]:
                panels[at + shift + entries[q]] += h * weights[q]
        at += 2 * states
        for q in range(j2, j3):
            panels[at + entries[q]] += h * weights[q]
        panels[at + last] += h * y_j
    if i != j:
        for p in range(j0, j1):
            h = rate * weights[p]
            at = (base_j + entries[p]) * width + 2 * states
            for q in range(i2, i3):
                panels[at + entries[q]] += h * weights[q]
            panels[at + last] += h * y_i
    for p in range(i2, i3):
        g = rate * weights[p]
        for q in range(j2, j3):
            a, b = entries[p], entries[q]
            if i != j:
                border[min(a, b), max(a, b)] += g * weights[q] if a != b else 2.0 * g * weights[q]
            elif b >= a:
                border[a, b] += g * weights[q]
        border[entries[p], last] += g * y_j
    if i != j:
        for q in range(j2, j3):
            border[entries[q], last] += rate * weights[q] * y_i


@numba.njit(cache=True, error_model="numpy")
def assemble(
    coef: FloatArray, rho: FloatArray, r: FloatArray, shape: IntArray, lasting: IntArray,
    passing: IntArray, idle: IntArray, constants: IntArray, prior: FloatArray, rows: IntArray,
    row_values: FloatArray, chains: IntArray, windows: IntArray, window_noise: FloatArray,
    entries: IntArray, weights: FloatArray,
) -> tuple[float, FloatArray, FloatArray]:  # fmt: skip
    """Return the log determinant of every prior and noise variance, the panels and the border's block.

    Only the upper triangles are filled.
    """
    years, states, held, n_constants, n_windows, _, _, n_noisy = shape
    edge = n_constants + n_windows
    width = 2 * states + edge + 1
    panels = np.zeros(years * states * width)
    border = np.zeros((edge + 1, edge + 1))
    logdet = 0.0
    for j in range(held):
        c = coef[lasting[j, 1]]
        place = j * width + j
        jump = states * width
        if lasting[j, 0] == 1:
            q = rho[lasting[j, 2]]
            v = c * (1.0 - q * q)
            logdet += np.log(c) + (years - 1) * np.log(v)
            for t in range(years):
                at = place + t * jump
                if t + 1 < years:
                    panels[at + states] -= q / v
                    panels[at] += (1.0 if t == 0 else 1.0 + q * q) / v
                else:
                    panels[at] += 1.0 / (v if years > 1 else c)
        else:
            logdet += (years - 1) * np.log(c)
            for t in range(1, years):
                at = place + t * jump
                if t + 1 < years:
                    panels[at + states] -= 1.0 / c
                    panels[at] += 2.0 / c
                else:
                    panels[at] += 1.0 / c
    for k in range(passing.shape[0]):
        c = coef[passing[k, 2]]
        logdet += np.log(c)
        panels[(passing[k, 0] * states + passing[k, 1]) * width + passing[k, 1]] += 1.0 / c
    for k in range(idle.shape[0]):
        panels[(idle[k, 0] * states + idle[k, 1]) * width + idle[k, 1]] = 1.0
    correlated = prior.shape[0]
    for i in range(n_constants):
        if i < correlated:
            for j in range(i, correlated):
                border[i, j] = prior[i, j]
        else:
            border[i, i] = 1.0 / coef[constants[i]]
    for i in range(n_noisy):
        noise = row_noise(coef, row_values[i, 1], rows[i, 5], rows[i, 6], entries, weights)
        logdet += np.log(noise)
        y = r[rows[i, 1]] * row_values[i, 0]
        _add_product(panels, border, i, i, 1.0 / noise, y, y, width, states, rows, entries, weights)
        if rows[i, 4] > rows[i, 3]:
            _add_before(panels, edge, i, 1.0 / noise, y, width, states, rows, entries, weights)
    for k in range(chains.shape[0]):
        first, end = chains[k, 0], chains[k, 1]
        c, q = coef[chains[k, 2]], rho[chains[k, 3]]
        v = c * (1.0 - q * q)
        logdet += np.log(c) + (end - first - 1) * np.log(v)
        y_before = 0.0
        for i in range(first, end):
            y = r[rows[i, 1]] * row_values[i, 0] if rows[i, 1] >= 0 else 0.0
            logdet -= 2.0 * np.log(abs(row_values[i, 0]))
            outer = i == first or i + 1 == end
            rate = (1.0 if outer else 1.0 + q * q) / v
            if end - first == 1:
                rate = 1.0 / c
            _add_product(panels, border, i, i, rate, y, y, width, states, rows, entries, weights)
            if i > first:
                _add_product(
                    panels, border, i - 1, i, -q / v, y_before, y, width, states, rows, entries, weights
                )
            y_before = y
    for w in range(n_windows):
        column = n_constants + w
        for p in range(windows[w, 1], windows[w, 2]):
            panels[entries[p] * width + 2 * states + column] -= weights[p]
        for p in range(windows[w, 2], windows[w, 3]):
            border[entries[p], column] -= weights[p]
        border[column, column] = -row_noise(
            coef, window_noise[w], windows[w, 3], windows[w, 4], entries, weights
        )
        border[column, edge] = -r[windows[w, 0]]
    return logdet, panels, border


@numba.njit(cache=True, error_model="numpy")
def _add_before(
    panels: FloatArray, edge: int, i: int, rate: float, y: float, width: int, states: int,
    rows: IntArray, entries: IntArray, weights: FloatArray,
) -> None:  # fmt: skip
    """Add what a row that also sees states of the year before adds to that year's panel."""
    base = (rows[i, 0] - 1) * states
    for p in range(rows[i, 3], rows[i, 4]):
        h = rate * weights[p]
        at = (base + entries[p]) * width
        for q in range(rows[i, 3], rows[i, 4]):
            if entries[q] >= entries[p]:
                panels[at + entries[q]] += h * weights[q]
        for q in range(rows[i, 2], rows[i, 3]):
            panels[at + states + entries[q]] += h * weights[q]
        for q in range(rows[i, 4], rows[i, 5]):
            panels[at + 2 * states + entries[q]] += h * weights[q]
        panels[at + 2 * states + edge] += h * y


@numba.njit(cache=True, error_model="numpy")
def eliminate(panels: FloatArray, border: FloatArray, years: int, states: int) -> float:
    """Factor the panels in place and take the band out of the border; return the log determinant.

    A panel becomes [U, X, W] with the band's precision U'U, in rows: U upper triangular, X to the next
    year. NaN where the precision is not positive definite.
    """
    edges = border.shape[0]
    width = 2 * states + edges
    size = states * width
    product = 1.0
    logdet = 0.0
    for t in range(years):
        base = t * size
        for i in range(states):
            row = base + i * width
            subtract_rows(panels, row + i, panels, base + i, width, panels, base + i, width, i, width - i)
            d = panels[row + i]
            if not d > 0.0:
                return np.nan
            product *= d
            if product > 1e200 or product < 1e-200:
                logdet += np.log(product)
                product = 1.0
            scale = 1.0 / np.sqrt(d)
            for k in range(row + i, row + width):
                panels[k] *= scale
        if t + 1 < years:
            across = base + states
            for j in range(states):
                row = base + size + j * width
                subtract_rows(
                    panels, row + j, panels, across + j, width, panels, across + j, width, states, states - j
                )
                subtract_rows(
                    panels, row + 2 * states, panels, across + states, width, panels, across + j, width,
                    states, edges,
                )  # fmt: skip
    flat = border.ravel()
    for a in range(edges):
        at = 2 * states + a
        subtract_rows(flat, a * edges + a, panels, at, width, panels, at, width, years * states, edges - a)
    return float(logdet + np.log(product))


@numba.njit(cache=True, error_model="numpy")
def resolve_border(border: FloatArray, n_constants: int) -> tuple[float, FloatArray]:
    """Factor the border as U'DU, D = 1 for constants and -1 for windows, and return what maps W on.

    Returns
    -------
    logdet : float
        Of the constants' posterior precision and the windows' predictive covariance; NaN where one of
        them is not positive definite.
    onward : ndarray
        [[U^-1, -mean], [0, 1]]: W times it is the sensitivity to the border's independent parts and the
        right-hand side at the posterior mean.
    """
    edges = border.shape[0]
    last = edges - 1
    onward = np.zeros((edges, edges))
    onward[last, last] = 1.0
    logdet = 0.0
    for a in range(last):
        sign = 1.0 if a < n_constants else -1.0
        d = sign * border[a, a]
        if not d > 0.0:
            return np.nan, onward
        logdet += np.log(d)
        scale = sign / np.sqrt(d)
        for b in range(a, edges):
            border[a, b] *= scale
        for b in range(a + 1, last):
            f = sign * border[a, b]
            if f != 0.0:
                for k in range(b, edges):
                    border[b, k] -= f * border[a, k]
    for a in range(last - 1, -1, -1):
        scale = 1.0 / border[a, a]
        onward[a, a] = scale
        onward[a, last] = -border[a, last] * scale
        for b in range(a + 1, last):
            f = border[a, b] * scale
            for k in range(b, edges):
                onward[a, k] -= f * onward[b, k]
    return logdet, onward
