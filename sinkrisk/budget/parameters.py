"""The parameters of an annual budget model, and how they become variances and correlations.

Every variance of the structure is a product of powers of parameters: that of an error's bias is the
squared scale of the component times its share. So the logarithms of the variances are linear in the
logarithms of the parameters, and one matrix holds the model::

    coefficient = sign exp(constant + powers @ entries)

An entry is log p of a positive parameter, or log p and log(1 - p) of a share. The same matrix serves
PyMC (tensors), the exact draws (arrays) and the elliptical slice sampler (quantile functions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy import special

from sinkrisk.budget.structure import FloatArray, IntArray

Family = Literal["lognormal", "halfnormal", "beta", "log_gamma"]


@dataclass(frozen=True)
class Parameter:
    """A vector of independent parameters of one family.

    Parameters
    ----------
    name : str
        Name in the posterior, for example ``"walk_scale"``.
    labels : tuple of str
        What the entries belong to: components or methods.
    dim : str
        Name of the dimension the labels stand on.
    family : {"lognormal", "halfnormal", "beta", "log_gamma"}
        ``lognormal``: a mean and b sd of the logarithm; ``halfnormal``: b its scale, a unused;
        ``beta``: a and b its two shapes; ``log_gamma``: shape a and rate b of a positive precision.
    a, b : ndarray, shape (label,)
    correlation : bool
        Whether it enters the correlation vector (a rho) instead of the variances.
    unit : str
    """

    name: str
    labels: tuple[str, ...]
    dim: str
    family: Family
    a: FloatArray
    b: FloatArray
    correlation: bool = False
    unit: str = "1"

    def quantile(self, z: FloatArray) -> FloatArray:
        """Return the values at standard-normal coordinates z, shape (..., label)."""
        if self.family == "lognormal":
            return np.asarray(np.exp(self.a + self.b * z))
        u = special.ndtr(z)
        if self.family == "halfnormal":
            return np.asarray(self.b * special.ndtri(0.5 + 0.5 * np.minimum(u, 1 - 1e-16)))
        if self.family == "beta":
            return np.asarray(np.clip(special.betaincinv(self.a, self.b, u), 1e-12, 1 - 1e-12))
        return np.asarray(np.maximum(special.gammaincinv(self.a, u) / self.b, 1e-12))

    def sample(self, generator: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw from the prior, shape (*shape, label)."""
        return self.quantile(generator.standard_normal((*shape, len(self.labels))))


@dataclass
class ParameterSet:
    """Parameters, pinned values, and the matrix from their logarithms to the coefficients.

    Parameters
    ----------
    parameters : list of Parameter
    fixed : mapping
        Name -> value (a number or one per label) of parameters that are held.
    """

    parameters: list[Parameter] = field(default_factory=list)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    coefficient_names: list[str] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    signs: list[float] = field(default_factory=list)
    _powers: list[dict[str, float]] = field(default_factory=list)

    def add(self, parameter: Parameter) -> None:
        """Register a parameter."""
        self.parameters.append(parameter)

    def coefficient(
        self,
        name: str,
        powers: Mapping[str, float] | None = None,
        *,
        constant: float = 0.0,
        sign: float = 1.0,
    ) -> int:
        """Register a coefficient and return its place.

        Parameters
        ----------
        name : str
            A coefficient of a name already registered is returned as it is.
        powers : mapping
            Entry -> power: ``"scale[ocean]"`` or ``"1-share_bias[ocean]"``.
        constant : float
            Added to the logarithm.
        sign : float
            -1 for a negative covariance.
        """
        if name in self.coefficient_names:
            return self.coefficient_names.index(name)
        self.coefficient_names.append(name)
        self.constants.append(constant)
        self.signs.append(sign)
        self._powers.append(dict(powers or {}))
        return len(self.coefficient_names) - 1

    @property
    def free(self) -> tuple[Parameter, ...]:
        """Parameters that are sampled."""
        return tuple(p for p in self.parameters if p.name not in self.fixed)

    @property
    def correlation_names(self) -> tuple[str, ...]:
        """Entries of the correlation vector, in order."""
        return tuple(f"{p.name}[{label}]" for p in self.parameters if p.correlation for label in p.labels)

    def correlation(self, entry: str) -> int:
        """Return the place of a rho, for example ``"error_correlation[ocean]"``."""
        return self.correlation_names.index(entry)

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the logarithms, in the order of the matrix's columns: log p, then log(1 - p)."""
        out: list[str] = []
        for p in self.parameters:
            if not p.correlation:
                out.extend(f"{p.name}[{label}]" for label in p.labels)
        for p in self.parameters:
            if not p.correlation and p.family == "beta":
                out.extend(f"1-{p.name}[{label}]" for label in p.labels)
        return tuple(out)

    @property
    def matrix(self) -> FloatArray:
        """Powers, shape (coefficient, entry)."""
        place = {name: i for i, name in enumerate(self.entries)}
        out = np.zeros((len(self._powers), len(place)))
        for row, powers in enumerate(self._powers):
            for name, power in powers.items():
                out[row, place[name]] += power
        return out

    def pinned(self, parameter: Parameter) -> FloatArray:
        """Return the values a held parameter has, shape (label,)."""
        value = np.asarray(self.fixed[parameter.name], dtype=float)
        return np.ascontiguousarray(np.broadcast_to(value, (len(parameter.labels),)))

    def evaluate(self, values: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return coefficients (..., coefficient) and correlations (..., rho) of parameter values.

        Parameters
        ----------
        values : mapping
            Name -> values of every free parameter, shape (..., label).
        """
        shape: tuple[int, ...] = ()
        for p in self.free:
            shape = np.asarray(values[p.name]).shape[:-1]
        full = {
            p.name: np.broadcast_to(self.pinned(p), (*shape, len(p.labels)))
            if p.name in self.fixed
            else np.asarray(values[p.name])
            for p in self.parameters
        }
        logs = [np.log(full[p.name]) for p in self.parameters if not p.correlation]
        logs += [np.log1p(-full[p.name]) for p in self.parameters if not p.correlation and p.family == "beta"]
        entries = np.concatenate(logs, axis=-1)
        coefficients = np.asarray(self.signs) * np.exp(entries @ self.matrix.T + np.asarray(self.constants))
        rhos = [full[p.name] for p in self.parameters if p.correlation]
        correlations = np.concatenate(rhos, axis=-1) if rhos else np.zeros((*shape, 0))
        return coefficients, correlations

    def at(self, z: FloatArray) -> dict[str, FloatArray]:
        """Return the free parameters at standard-normal coordinates, shape (..., free entries)."""
        out, start = {}, 0
        for p in self.free:
            out[p.name] = p.quantile(z[..., start : start + len(p.labels)])
            start += len(p.labels)
        return out

    @property
    def size(self) -> int:
        """Number of free scalar parameters."""
        return sum(len(p.labels) for p in self.free)

    def prior_draws(self, generator: np.random.Generator, shape: tuple[int, ...]) -> dict[str, FloatArray]:
        """Draw every free parameter from its prior, shape (*shape, label)."""
        return {p.name: p.sample(generator, shape) for p in self.free}


def window_factor(length: int, shares: FloatArray, rho: float) -> float:
    """Return sd(mean of a window) / sd(year) of an error with shares (bias, AR(1), white).

    ``sqrt(pi_B + pi_A v + pi_I / n)``, v the variance of the mean of n values of a unit AR(1).

    Examples
    --------
    >>> import numpy as np
    >>> round(window_factor(10, np.array([0.0, 0.0, 1.0]), 0.5), 4)
    0.3162
    >>> window_factor(10, np.array([1.0, 0.0, 0.0]), 0.5)
    1.0
    """
    lag: IntArray = np.arange(1, length)
    ar = (length + 2.0 * float(((length - lag) * rho**lag).sum())) / length**2
    return float(np.sqrt(shares[0] + shares[1] * ar + shares[2] / length))
