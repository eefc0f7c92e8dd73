"""The budget identity: its components, their signs, and what is left when they are summed.

``fossil + land_use = atmosphere + ocean + land + cement + imbalance`` in GtC/yr, emissions positive
into the air and sinks positive out of it. Where fossil emissions are stated net of cement
carbonation the cement term is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

UNIT = "GtC/yr"
"""Unit of every flux of the budget."""

SIGNS: dict[str, float] = {
    "fossil": 1.0,
    "land_use": 1.0,
    "atmosphere": -1.0,
    "ocean": -1.0,
    "land": -1.0,
    "cement": -1.0,
}
"""Component -> sign in the identity, in the order of the tables: sources +1, sinks -1."""

REQUIRED: tuple[str, ...] = ("fossil", "land_use", "atmosphere", "ocean", "land")
"""Components that are always part of the identity; cement joins in windows where it is observed."""

DERIVED: tuple[str, ...] = ("total_emissions", "imbalance")
"""Columns of budget tables that are sums of the others: kept for comparison, never evidence."""

SINKS: tuple[str, ...] = ("atmosphere", "ocean", "land")
"""Where emissions go: the columns that can be constructed as shares of them."""


def closure_residual(fluxes: ArrayLike, signs: ArrayLike) -> NDArray[np.float64]:
    """Return sources minus sinks, which is zero for a closed budget.

    Parameters
    ----------
    fluxes : array_like, shape (..., component)
        GtC/yr; entries whose sign is 0 are ignored, whatever they hold.
    signs : array_like, shape (..., component)
        +1 for a source, -1 for a sink, 0 for a component outside the identity.

    Returns
    -------
    ndarray, shape (...)
        GtC/yr.

    Examples
    --------
    >>> closure_residual([9.5, 1.0, 5.0, 3.0, 2.0], [1, 1, -1, -1, -1])
    array(0.5)
    """
    signs = np.asarray(signs, dtype=float)
    fluxes = np.where(signs == 0.0, 0.0, np.asarray(fluxes, dtype=float))
    return np.asarray((fluxes * signs).sum(axis=-1))
