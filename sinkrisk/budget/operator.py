"""The marginal likelihood as one PyTensor Op, value and gradient from the same numba kernel.

The Op has two outputs: the log likelihood and its gradient with respect to the free parameters. The
pullback reads the second output of an equal node, which PyTensor merges with the first, so one call of
the kernel gives both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from sinkrisk.budget import banded, dense
from sinkrisk.budget.likelihood import MAP_ARRAYS, coefficients_at, contrasts, pull_back

ENGINES: dict[str, Any] = {"dense": dense, "banded": banded}
"""Name -> module with `prepare`, `value_and_gradient` and `solve`."""


def _write_kernel(engine: str) -> Callable[..., Any]:
    """Return the plain function of an engine: (values, r, map arrays, layout arrays) -> value, gradient."""
    marginal = ENGINES[engine].value_and_gradient

    def kernel(values: Any, r: Any, *arrays: Any) -> Any:
        powers, complements, constants, signs, rho_place, rho_held, place, panels = arrays[:MAP_ARRAYS]
        gradient = np.zeros(values.shape[0])
        coef, rho = coefficients_at(values, powers, complements, constants, signs, rho_place, rho_held)
        value, by_coef, by_rho = marginal(coef, rho, r, *arrays[MAP_ARRAYS:])
        if not np.isfinite(value):
            return np.asarray(-np.inf), gradient
        pull_back(gradient, values, coef, by_coef, by_rho, powers, complements, rho_place)
        value += contrasts(values, place, panels, gradient)
        return np.asarray(value), gradient

    return kernel


@cache
def compiled_kernel(engine: str) -> Callable[..., Any]:
    """Return the kernel compiled by numba, for use outside PyTensor."""
    compiled: Callable[..., Any] = numba.njit(_write_kernel(engine))
    return compiled


class MarginalLikelihood(Op):
    """Log likelihood of the observations, the latents integrated out, by one of the engines.

    Inputs: free parameter values, residuals r, the arrays of a `ParameterMap`, those of the layout.

    Parameters
    ----------
    engine : {"dense", "banded"}
    """

    __props__ = ("engine",)

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def make_node(self, *inputs: Any) -> Any:
        return Apply(self, [pt.as_tensor_variable(x) for x in inputs], [pt.dscalar(), pt.dvector()])

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        for cell, out in zip(output_storage, compiled_kernel(self.engine)(*inputs), strict=True):
            cell[0] = out

    def infer_shape(self, node: Any, shapes: Sequence[Any]) -> list[Any]:
        return [(), shapes[0]]

    def pullback(self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
        if not isinstance(cotangents[1].type, DisconnectedType):
            raise ValueError("second derivatives of the marginal likelihood are not available")
        gradient = self.make_node(*inputs).outputs[1]
        return [cotangents[0] * gradient, *[DisconnectedType()() for _ in inputs[1:]]]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[True, False], *[[False, False] for _ in node.inputs[1:]]]


@register_funcify_default_op_cache_key(MarginalLikelihood)  # type: ignore[no-untyped-call,untyped-decorator]
def _funcify(op: MarginalLikelihood, node: Any, **_: Any) -> Any:
    return numba_njit(_write_kernel(op.engine)), 1
