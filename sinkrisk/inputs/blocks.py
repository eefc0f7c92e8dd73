"""The numerics of the joint input space: each block turns its columns of u into arrays.

A block fills arrays whose first axis is the sample. What it writes for a row depends on that row of
u alone, so a run may be cut into blocks of rows anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

SMALLEST = 2.0**-53
"""u is clipped to [SMALLEST, 1 - SMALLEST]: the nearest doubles at which every inverse CDF is finite."""


class Block(Protocol):
    """One part of the inputs."""

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write the block's variables for the rows of u (n, D), already checked and clipped."""


def pick(u: Floats, count: int) -> NDArray[np.int64]:
    """Return floor(u * count), the index of one of `count` equally likely joint draws.

    Examples
    --------
    >>> pick(np.array([0.0, 0.49, 0.5, 1.0]), 2)
    array([0, 0, 1, 1])
    """
    return np.minimum((u * count).astype(np.int64), count - 1)


@dataclass(frozen=True)
class Slot:
    """Where a driver's u comes from: a column of u, or a value at which it is held."""

    column: int | None
    held: float = 0.5

    def u(self, u: Floats) -> Floats:
        """Return the driver's u, shape (n,)."""
        return u[:, self.column] if self.column is not None else np.full(u.shape[0], self.held)


@dataclass(frozen=True)
class Marginal:
    """A scalar prior in the chain's unit, clipped to what the quantity can be.

    Parameters
    ----------
    ppf : callable
        Inverse CDF in the prior's own unit, vectorised.
    factor : float
        From the prior's unit to the chain's.
    low, high : float
        Bounds by definition, in the chain's unit.
    """

    ppf: Callable[[Floats], Floats]
    factor: float
    low: float
    high: float

    def __call__(self, u: Floats) -> Floats:
        """Return the quantile at u, same shape."""
        return np.clip(np.asarray(self.ppf(u), dtype=float) * self.factor, self.low, self.high)


Part = tuple[Slot, Marginal | float]
"""One scalar of a block: where its u comes from and its prior, or the number it is held at."""


def drawn(part: Part, u: Floats) -> Floats:
    """Return the values of a part for the rows of u, shape (n,)."""
    slot, marginal = part
    if isinstance(marginal, float):
        return np.full(u.shape[0], marginal)
    return marginal(slot.u(u))


@dataclass(frozen=True)
class ScalarBlock:
    """Independent scalars: variable, position on its second axis (None for none), column, prior."""

    entries: tuple[tuple[str, int | None, int, Marginal], ...]

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write each scalar's quantile."""
        for variable, position, column, marginal in self.entries:
            values = marginal(u[:, column])
            if position is None:
                out[variable][:] = values
            else:
                out[variable][:, position] = values


@dataclass(frozen=True)
class PoolBlock:
    """Potentials of pathways that a merged row pools.

    The pool is drawn from the merged row and split in proportion to draws from each pathway's own
    claims, so the sum follows the merged row exactly and the ratio follows the own claims. The own
    claims are theoretical potentials; the merged row is the level the review tabulates.
    """

    variable: str
    positions: tuple[int, ...]
    total: Part
    parts: tuple[Part, ...]

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write the members' potentials."""
        total = drawn(self.total, u)
        parts = np.stack([drawn(part, u) for part in self.parts], axis=1)
        whole = parts.sum(axis=1)
        # Own potentials that are all zero say nothing about the ratio: split evenly.
        even = 1.0 / parts.shape[1]
        ratio = np.divide(parts, whole[:, None], out=np.full_like(parts, even), where=whole[:, None] > 0.0)
        for index, position in enumerate(self.positions):
            out[self.variable][:, position] = total * ratio[:, index]


@dataclass(frozen=True)
class SuitabilityBlock:
    """Shares of a pathway's potential by region, from relative weights uniform between low and high.

    Parameters
    ----------
    low, high : ndarray (pathway, region)
        Weights; equal where a weight is known, both 0 where the region is impossible.
    cells, columns : ndarray (k,)
        Flat cells whose weight is uncertain, and their columns of u.
    others : tuple of (int, Marginal)
        Positions in `cells` whose weight is not uniform, and its prior.
    """

    low: Floats
    high: Floats
    cells: NDArray[np.intp]
    columns: NDArray[np.intp]
    others: tuple[tuple[int, Marginal], ...] = ()

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``suitability_share``; an impossible region gets exactly 0."""
        n = u.shape[0]
        weight = np.broadcast_to(self.low.ravel(), (n, self.low.size)).copy()
        width = (self.high - self.low).ravel()[self.cells]
        weight[:, self.cells] += width * u[:, self.columns]
        for place, prior in self.others:
            weight[:, self.cells[place]] = prior(u[:, self.columns[place]])
        weight = weight.reshape(n, *self.low.shape)
        np.divide(weight, weight.sum(axis=2, keepdims=True), out=out["suitability_share"])


@dataclass(frozen=True)
class BudgetBlock:
    """The budget posterior as one driver: u picks a whole joint draw.

    Parameters
    ----------
    slot : Slot
    order : ndarray (draw,)
        Posterior draws (chain-major) by increasing `taken`, so that the index is a smooth driver.
    land, ocean : ndarray (draw,)
        Sinks of the reference window in posterior order, GtC/yr.
    taken : ndarray (draw,)
        The flux that yields of nature pathways follow, GtC/yr.
    """

    slot: Slot
    order: NDArray[np.int64]
    land: Floats
    ocean: Floats
    taken: Floats

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write the draw's number and its sinks."""
        draw = self.order[pick(self.slot.u(u), self.order.size)]
        out["budget_draw"][:] = draw
        out["land_sink"][:] = self.land[draw]
        out["ocean_sink"][:] = self.ocean[draw]
        out["land_sink_ratio"][:] = self.taken[draw] / self.taken.mean()


@dataclass(frozen=True)
class Reading:
    """How one variable is read from network states.

    Parameters
    ----------
    variable : str
    columns : ndarray (k,)
        Nodes, as columns of the states.
    cells : ndarray (k,)
        Flat cells of the variable that they fill.
    codes : ndarray (k, states)
        The variable's code of each state of each node.
    """

    variable: str
    columns: NDArray[np.intp]
    cells: NDArray[np.intp]
    codes: NDArray[np.int8]


@dataclass(frozen=True)
class NetworkBlock:
    """The governance network: one driver picks a draw of its tables, one per node its state.

    Parameters
    ----------
    network, bank : Network, TableBank
        The bank's draws are ordered by how favourable they are.
    tables : Slot
    nodes : tuple of Slot
        In the network's topological order.
    do : mapping of str to str
        Nodes held at a state.
    readings : tuple of Reading
    sample_states : callable
        `sinkrisk.network.sample_states`.
    """

    network: Any
    bank: Any
    tables: Slot
    nodes: tuple[Slot, ...]
    do: Mapping[str, str]
    readings: tuple[Reading, ...]
    sample_states: Callable[..., Any]

    def states(self, u: Floats) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return the codes of all nodes, (row, node), and the number of the table draw."""
        draw = pick(self.tables.u(u), self.bank.size)
        own = np.stack([slot.u(u) for slot in self.nodes], axis=1)
        states, _ = self.sample_states(self.network, u=own, tables=self.bank.take(draw), do=self.do)
        return states, draw

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``mode``, ``shock`` and the number of the table draw."""
        n = u.shape[0]
        states, draw = self.states(u)
        out["network_table"][:] = draw
        for reading in self.readings:
            codes = reading.codes[np.arange(reading.columns.size), states[:, reading.columns]]
            out[reading.variable].reshape(n, -1)[:, reading.cells] = codes


@dataclass(frozen=True)
class ShockBlock:
    """Shocks where the network has no disturbance node: u below an uncertain probability."""

    probability: Part
    cells: tuple[tuple[Slot, int, int], ...]

    def fill(self, u: Floats, out: Arrays) -> None:
        """Write ``shock`` for its regions and periods."""
        probability = drawn(self.probability, u)
        for slot, region, period in self.cells:
            out["shock"][:, region, period] = slot.u(u) < probability
