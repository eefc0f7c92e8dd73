"""The PyMC model of an annual budget: priors on the parameters, the latents integrated out.

The model holds the parameters only; the fluxes are drawn exactly afterwards (`conditional`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.budget.annual import AnnualModel
from sinkrisk.budget.likelihood import ParameterMap, map_parameters
from sinkrisk.budget.operator import ENGINES, MarginalLikelihood, compiled_kernel
from sinkrisk.budget.parameters import Parameter, ParameterSet
from sinkrisk.budget.structure import FloatArray

if TYPE_CHECKING:
    import pymc as pm

DENSE_MOST = 120
"""Most observations for which one dense factor is cheaper than the banded one."""


@dataclass(frozen=True)
class Stack:
    """The free parameters of one family as one vector: few variables keep compilation short."""

    family: str
    parameters: tuple[Parameter, ...]

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the entries: ``"walk_scale[ocean]"``."""
        return tuple(f"{p.name}[{label}]" for p in self.parameters for label in p.labels)

    @property
    def a(self) -> FloatArray:
        """First prior number of every entry."""
        return np.concatenate([p.a for p in self.parameters])

    @property
    def b(self) -> FloatArray:
        """Second prior number of every entry."""
        return np.concatenate([p.b for p in self.parameters])

    @property
    def variable(self) -> str:
        """Name of the vector in the PyMC model."""
        return f"{self.family}_parameters"


def stack_families(parameters: ParameterSet) -> tuple[Stack, ...]:
    """Return the free parameters grouped by family, in the order the families first appear."""
    families = dict.fromkeys(p.family for p in parameters.free)
    return tuple(Stack(f, tuple(p for p in parameters.free if p.family == f)) for f in families)


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of an annual model: which engine, and everything its kernel reads.

    Parameters
    ----------
    annual : AnnualModel
    engine : {"dense", "banded"}
    plan : DenseLayout or BandedLayout
        What the engine reads of the structure.
    """

    annual: AnnualModel
    engine: str
    plan: Any

    @property
    def layout(self) -> tuple[Any, ...]:
        """The arrays of the plan."""
        return tuple(self.plan.arrays)

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """The free parameters by family."""
        return stack_families(self.annual.parameters)

    @cached_property
    def map(self) -> ParameterMap:
        """The map from the stacked free values to coefficients and correlations."""
        entries = tuple(name for stack in self.stacks for name in stack.entries)
        return map_parameters(self.annual.parameters, self.annual.panels, entries)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Everything the kernel takes after values and residuals."""
        return (*self.map.arrays, *self.layout)

    def pack(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Return free parameters by name as one array, shape (..., value)."""
        return np.concatenate(
            [np.asarray(values[p.name], dtype=float) for stack in self.stacks for p in stack.parameters],
            axis=-1,
        )

    def unpack(self, packed: FloatArray) -> dict[str, FloatArray]:
        """Return the parameters by name of an array of stacked values."""
        out, start = {}, 0
        for stack in self.stacks:
            for p in stack.parameters:
                out[p.name] = packed[..., start : start + len(p.labels)]
                start += len(p.labels)
        return out

    def __call__(self, packed: FloatArray, r: FloatArray | None = None) -> tuple[float, FloatArray]:
        """Return log likelihood and gradient at stacked values."""
        residual = self.annual.structure.residual if r is None else r
        value, gradient = compiled_kernel(self.engine)(packed, residual, *self.arrays)
        return float(value), gradient

    def solve(self, coefficients: FloatArray, correlations: FloatArray, r: FloatArray) -> FloatArray:
        """Return K^-1 r."""
        return ENGINES[self.engine].solve(coefficients, correlations, r, *self.layout)  # type: ignore[no-any-return]

    def expect(
        self, coefficients: FloatArray, correlations: FloatArray, r: FloatArray
    ) -> tuple[FloatArray, dict[int, FloatArray]]:
        """Return K^-1 r, and the posterior means that the engine knows better than sums of it.

        The banded engine knows those of constants, walks and ``ar`` states, by place of the process.
        """
        if self.engine == "dense":
            return self.solve(coefficients, correlations, r), {}
        weights, states, steady = ENGINES["banded"].posterior(coefficients, correlations, r, *self.layout)
        means = {int(p): steady[i : i + 1] for i, p in enumerate(self.plan.owner_constant)}
        means |= {int(p): states[:, j] for j, p in enumerate(self.plan.owner_lasting)}
        return weights, means


def make_likelihood(annual: AnnualModel, engine: str | None = None) -> Likelihood:
    """Return the likelihood with the engine that suits the structure: dense for few observations."""
    chosen = engine or ("dense" if len(annual.structure.y) <= DENSE_MOST else "banded")
    return Likelihood(annual, chosen, ENGINES[chosen].prepare(annual.structure))


def make_model(likelihood: Likelihood) -> pm.Model:
    """Return the PyMC model: one vector of parameters per family, and one Op.

    The residuals are ``pm.Data`` named ``residual``, so that other data need no new compilation.
    """
    import pymc as pm
    import pytensor.tensor as pt

    stacks = likelihood.stacks
    with pm.Model(coords={f"{s.family}_entry": list(s.entries) for s in stacks}) as model:
        values = pt.concatenate([_variable(pm, stack) for stack in stacks])  # type: ignore[no-untyped-call]
        residual = pm.Data("residual", likelihood.annual.structure.residual)
        # Constants, not shared data: each shared array costs nutpie a second of compilation.
        arrays = [pt.constant(array) for array in likelihood.arrays]
        node = MarginalLikelihood(likelihood.engine).make_node(values, residual, *arrays)
        pm.Potential("marginal_likelihood", node.outputs[0])
    return model


def _variable(pm: Any, stack: Stack) -> Any:
    name, dims = stack.variable, f"{stack.family}_entry"
    if stack.family == "lognormal":
        return pm.LogNormal(name, mu=stack.a, sigma=stack.b, dims=dims)
    if stack.family == "halfnormal":
        return pm.HalfNormal(name, sigma=stack.b, dims=dims)
    if stack.family == "beta":
        return pm.Beta(name, alpha=stack.a, beta=stack.b, dims=dims)
    return pm.Gamma(name, alpha=stack.a, beta=stack.b, dims=dims)
