"""The linear-Gaussian structure of a budget: latent processes on years, and how observations see them.

Given the variances and correlations, everything in the annual budget models is Gaussian. An observation
is the mean over its window of a signed sum of processes, plus the rounding noise of its printed digits::

    y[i] = offset[i] + mean over years t of i's window of sum_p loading[i, p] f_p(t) + noise[i]

A process is one of five kinds, u standing for what is random in it, with variance coefficient c and,
for ``ar``, correlation rho:

==========  ==============================================================================
constant    f(t) = profile(t) u,                 u ~ N(0, c)
walk        f(t) = profile(t) u(t),              u(first year) = 0, increments N(0, c)
white       f(t) = profile(t) u(t),              u(t) ~ N(0, c) independent
ar          f(t) = profile(t) u(t),              stationary, variance c, corr(u(t), u(s)) = rho^|t-s|
endpoint    f(t) = profile(t) u(t) - profile(t-1) u(t-1), u ~ N(0, c) at year ends (a difference of stocks)
==========  ==============================================================================

Pairs of constants may be correlated (`Cross`). Numpy only; the engines that evaluate the likelihood
(`dense`, `banded`) read a `Structure` and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["constant", "walk", "white", "ar", "endpoint"]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Process:
    """One latent process.

    Parameters
    ----------
    name : str
        For example ``"error ocean bias"``.
    kind : str
        One of the five kinds of the module's docstring.
    role : {"flux", "error", "missing", "method", "estimate"}
        What it stands for: part of a component's flux, of the error of an assessed series, of the flux
        the budget misses, of the bias all estimates of a method share, of one estimate's own error.
    component : str
        The component it belongs to; empty for the missing flux.
    profile : ndarray, shape (year,), for ``endpoint`` (year + 1,)
        Amplitude by year; for ``endpoint`` by year end, the first being that before the first year.
    coefficient : int
        Place of its variance in the coefficient vector.
    correlation : int
        Place of its rho in the correlation vector; -1 where the kind has none.
    """

    name: str
    kind: Kind
    role: str
    component: str
    profile: FloatArray
    coefficient: int
    correlation: int = -1


@dataclass(frozen=True)
class Cross:
    """A covariance between two constants: its place in the coefficient vector, and the processes."""

    coefficient: int
    first: int
    second: int


@dataclass(frozen=True)
class Structure:
    """Processes, and how each observation sees them.

    Parameters
    ----------
    years : ndarray of int, shape (year,)
        Consecutive.
    processes : tuple of Process
    loading : ndarray of float, shape (observation, process)
        +1, -1 or 0.
    start, end : ndarray of int, shape (observation,)
        First and last year of each window as places in `years`, both inclusive.
    y, offset, noise_variance : ndarray, shape (observation,)
        GtC/yr and its square.
    crosses : tuple of Cross
    coefficients, correlations : tuple of str
        Names of the entries of the two parameter vectors.
    """

    years: IntArray
    processes: tuple[Process, ...]
    loading: FloatArray
    start: IntArray
    end: IntArray
    y: FloatArray
    offset: FloatArray
    noise_variance: FloatArray
    crosses: tuple[Cross, ...]
    coefficients: tuple[str, ...]
    correlations: tuple[str, ...]

    @property
    def residual(self) -> FloatArray:
        """Observations less their fixed offsets, shape (observation,)."""
        return self.y - self.offset

    def with_values(self, y: ArrayLike) -> Structure:
        """Return the same structure with other observed values."""
        return replace(self, y=np.asarray(y, dtype=float))


def process_length(structure: Structure, process: Process) -> int:
    """Return the number of random values in a process: 1, years, or years + 1."""
    if process.kind == "constant":
        return 1
    return len(structure.years) + (process.kind == "endpoint")


def design(structure: Structure, index: int) -> FloatArray:
    """Return the matrix from a process's random values to the observations, shape (observation, length).

    Window means, signs and profiles are inside it, so the contribution of the process is
    ``design @ u``.
    """
    process = structure.processes[index]
    count, years = len(structure.y), len(structure.years)
    means = np.zeros((count, years))
    for i, (first, last) in enumerate(zip(structure.start, structure.end, strict=True)):
        means[i, first : last + 1] = structure.loading[i, index] / (last - first + 1)
    if process.kind == "endpoint":
        out = np.zeros((count, years + 1))
        out[:, 1:] += means
        out[:, :-1] -= means
        return out * process.profile
    scaled = means * process.profile
    return scaled.sum(axis=1, keepdims=True) if process.kind == "constant" else scaled


def kernel(process: Process, years: int, correlation: ArrayLike = 0.0) -> FloatArray:
    """Return the covariance of a process's random values at coefficient 1, shape (length, length)."""
    if process.kind == "constant":
        return np.ones((1, 1))
    if process.kind == "white":
        return np.eye(years)
    if process.kind == "endpoint":
        return np.eye(years + 1)
    place = np.arange(years)
    if process.kind == "walk":
        return np.minimum.outer(place, place).astype(float)
    rho = float(np.asarray(correlation)[process.correlation])
    return np.asarray(rho ** np.abs(np.subtract.outer(place, place)), dtype=float)


def covariance(structure: Structure, coefficients: ArrayLike, correlations: ArrayLike) -> FloatArray:
    """Return the covariance of the observations, shape (observation, observation): the plain definition.

    Cubic in everything and meant as the oracle of the engines.
    """
    c = np.asarray(coefficients, dtype=float)
    years = len(structure.years)
    out = np.diag(structure.noise_variance)
    designs = [design(structure, index) for index in range(len(structure.processes))]
    for process, matrix in zip(structure.processes, designs, strict=True):
        out += c[process.coefficient] * matrix @ kernel(process, years, correlations) @ matrix.T
    for cross in structure.crosses:
        outer = designs[cross.first] @ designs[cross.second].T
        out += c[cross.coefficient] * (outer + outer.T)
    return out


def values_on_years(structure: Structure, process: Process, u: FloatArray) -> FloatArray:
    """Return f(t), shape (..., year), from a process's random values u, shape (..., length)."""
    if process.kind == "endpoint":
        scaled = u * process.profile
        return np.asarray(scaled[..., 1:] - scaled[..., :-1])
    return np.asarray(u * process.profile)
