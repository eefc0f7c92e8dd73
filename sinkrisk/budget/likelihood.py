"""From parameter values to the marginal likelihood and its gradient, in numba.

One kernel does what a graph of a hundred tensor operations would: parameters to variances
(`ParameterSet`), variances to the likelihood of the observations (an engine), plus the likelihood of the
panels' contrasts (`panels`). As one Op it compiles in a second where the graph took forty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from sinkrisk.budget.panels import Panel
from sinkrisk.budget.parameters import ParameterSet
from sinkrisk.budget.structure import FloatArray, IntArray

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class ParameterMap:
    """What the kernel reads of the parameters, one array per field.

    Parameters
    ----------
    powers, complements : ndarray, shape (coefficient, value)
        Powers of each free value p, and of 1 - p.
    constants, signs : ndarray, shape (coefficient,)
        Held parameters are inside the constants.
    rho_place : ndarray of int, shape (correlation,)
        Place among the free values, -1 where it is held.
    rho_held : ndarray, shape (correlation,)
    panel_place : ndarray of int, shape (panel, 3)
        Places of offset scale, error scale and rho among the free values.
    panel_data : ndarray, shape (panel, 8)
    """

    powers: FloatArray
    complements: FloatArray
    constants: FloatArray
    signs: FloatArray
    rho_place: IntArray
    rho_held: FloatArray
    panel_place: IntArray
    panel_data: FloatArray

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The fields in the order the kernel takes them."""
        return (
            self.powers,
            self.complements,
            self.constants,
            self.signs,
            self.rho_place,
            self.rho_held,
            self.panel_place,
            self.panel_data,
        )


MAP_ARRAYS = 8
"""Number of arrays in a `ParameterMap`."""


def map_parameters(
    parameters: ParameterSet, panels: tuple[Panel, ...], entries: tuple[str, ...]
) -> ParameterMap:
    """Return the map for free values that stand in the order of `entries`.

    Raises
    ------
    ValueError
        When a parameter of the panels is held: their likelihood reads free values only.
    """
    place = {name: i for i, name in enumerate(entries)}
    held = {
        f"{p.name}[{label}]": float(value)
        for p in parameters.parameters
        if p.name in parameters.fixed
        for label, value in zip(p.labels, parameters.pinned(p), strict=True)
    }
    matrix, count = parameters.matrix, len(parameters.constants)
    powers, complements = np.zeros((count, len(entries))), np.zeros((count, len(entries)))
    constants = np.array(parameters.constants, dtype=float)
    for column, name in enumerate(parameters.entries):
        bare, complement = name.removeprefix("1-"), name.startswith("1-")
        if bare in held:
            value = 1.0 - held[bare] if complement else held[bare]
            if matrix[:, column].any():
                constants = constants + matrix[:, column] * np.log(value)
        else:
            (complements if complement else powers)[:, place[bare]] = matrix[:, column]
    rhos = parameters.correlation_names
    panel_names = ("estimate_offset_scale", "estimate_error_scale", "estimate_correlation")
    labels = [f"{p.component} {p.method}" for p in panels]
    if any(f"{name}[{label}]" in held for name in panel_names for label in labels):
        raise ValueError(f"parameters of panels cannot be held: {', '.join(panel_names)}")
    return ParameterMap(
        powers=powers,
        complements=complements,
        constants=constants,
        signs=np.array(parameters.signs, dtype=float),
        rho_place=np.array([place.get(name, -1) for name in rhos], dtype=np.int64),
        rho_held=np.array([held.get(name, 0.0) for name in rhos], dtype=float),
        panel_place=np.array(
            [[place[f"{name}[{label}]"] for name in panel_names] for label in labels], dtype=np.int64
        ).reshape(len(panels), 3),
        panel_data=np.array(
            [[p.length, p.count, p.squares, p.inner, p.lagged, p.edge, p.cross, p.middle] for p in panels],
            dtype=float,
        ).reshape(len(panels), 8),
    )


@numba.njit(cache=True)
def coefficients_at(
    values: FloatArray,
    powers: FloatArray,
    complements: FloatArray,
    constants: FloatArray,
    signs: FloatArray,
    rho_place: IntArray,
    rho_held: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients and correlations of free values."""
    count, size = powers.shape
    log_p, log_q = np.zeros(size), np.zeros(size)
    for j in range(size):
        log_p[j] = np.log(values[j])
        if values[j] < 1.0:
            log_q[j] = np.log1p(-values[j])
    coef = np.empty(count)
    for g in range(count):
        total = constants[g]
        for j in range(size):
            if powers[g, j] != 0.0:
                total += powers[g, j] * log_p[j]
            if complements[g, j] != 0.0:
                total += complements[g, j] * log_q[j]
        coef[g] = signs[g] * np.exp(total)
    rho = np.empty(rho_place.shape[0])
    for k in range(rho.shape[0]):
        rho[k] = rho_held[k] if rho_place[k] < 0 else values[rho_place[k]]
    return coef, rho


@numba.njit(cache=True)
def pull_back(
    gradient: FloatArray,
    values: FloatArray,
    coef: FloatArray,
    by_coef: FloatArray,
    by_rho: FloatArray,
    powers: FloatArray,
    complements: FloatArray,
    rho_place: IntArray,
) -> None:
    """Add the gradient with respect to the free values."""
    count, size = powers.shape
    for g in range(count):
        weight = by_coef[g] * coef[g]
        for j in range(size):
            if powers[g, j] != 0.0:
                gradient[j] += weight * powers[g, j] / values[j]
            if complements[g, j] != 0.0:
                gradient[j] -= weight * complements[g, j] / (1.0 - values[j])
    for k in range(rho_place.shape[0]):
        if rho_place[k] >= 0:
            gradient[rho_place[k]] += by_rho[k]


@numba.njit(cache=True)
def contrasts(values: FloatArray, place: IntArray, data: FloatArray, gradient: FloatArray) -> float:
    """Return the log likelihood of all panels' contrasts and add its gradient.

    The formula is `panel_log_likelihood`'s; the derivatives are by hand.
    """
    total = 0.0
    for k in range(place.shape[0]):
        a, b, q = values[place[k, 0]], values[place[k, 1]], values[place[k, 2]]
        n, m, squares, inner, lagged, edge, cross, middle = data[k]
        o, e = a * a, b * b
        det = 1.0 - q * q
        s = squares + q * q * inner - 2.0 * q * lagged
        quad = s / (e * det)
        t = 2.0 + (n - 2.0) * (1.0 - q)
        top = t / (e * (1.0 + q))
        ell = edge + 2.0 * (1.0 - q) * cross + (1.0 - q) ** 2 * middle
        lin = ell / (e * (1.0 + q)) ** 2
        infl = 1.0 + o * top
        total -= 0.5 * (
            m * (n * LOG_2PI + n * np.log(e) + (n - 1.0) * np.log(det) + np.log(infl)) + quad - o * lin / infl
        )
        by_o = -0.5 * (m * top / infl - lin / infl**2)
        by_e = (
            -0.5
            / e
            * (m * n - m * o * top / infl - quad + 2.0 * o * lin / infl - o * o * lin * top / infl**2)
        )
        d_quad = (2.0 * q * inner - 2.0 * lagged) / (e * det) + 2.0 * q * s / (e * det * det)
        d_top = -(n - 2.0) / (e * (1.0 + q)) - t / (e * (1.0 + q) ** 2)
        d_ell = -2.0 * cross - 2.0 * (1.0 - q) * middle
        d_lin = d_ell / (e * (1.0 + q)) ** 2 - 2.0 * ell / (e * e * (1.0 + q) ** 3)
        d_infl = o * d_top
        by_q = -0.5 * (
            m * ((n - 1.0) * (-2.0 * q / det) + d_infl / infl)
            + d_quad
            - o * d_lin / infl
            + o * lin * d_infl / infl**2
        )
        gradient[place[k, 0]] += 2.0 * a * by_o
        gradient[place[k, 1]] += 2.0 * b * by_e
        gradient[place[k, 2]] += by_q
    return total
