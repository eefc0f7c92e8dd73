"""Joint samples without a shock, with it, and with it but its channels held, on common numbers

Collapse spreads from cell to cell only through channels: competition for resources and controversy.
Held, they keep in every sample the states they have without the shock, whatever it does to the rest;
what the shock then does to other cells it does directly, and what letting go adds is the cascade.
Holding is graph surgery: a held node has no parents, and its uniform is chosen to give the state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk import rng as random
from sinkrisk.network.building import Network
from sinkrisk.network.sampling import sample_states
from sinkrisk.network.simulated import ROWS, check_samples, halves
from sinkrisk.network.tables import TableBank, TableRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int8]

CHANNELS = ("resource_competition", "controversy")
"""Nodes through which one cell's collapse reaches another."""


@dataclass(frozen=True)
class Grid:
    """Deployment nodes as a grid: cells by periods, and what is planned in them.

    Parameters
    ----------
    columns : ndarray of int (cell, period)
        Columns of the nodes in arrays of states.
    cells : list of (class, region)
    periods : list of str
    years : ndarray (period + 1,)
        Start of each period, and the end of the last.
    planned : ndarray (cell, period) or None
        GtCO2 over the period.
    delivered : ndarray (mode,)
        Share of what is planned that a mode delivers.
    collapse : int
        Code of collapse.
    working : ndarray of bool (mode,)
    counted : str
        The cells in words.
    """

    columns: NDArray[np.int64]
    cells: list[tuple[str, str]]
    periods: list[str]
    years: Floats
    planned: Floats | None
    delivered: Floats
    collapse: int
    working: NDArray[np.bool_]
    counted: str


@dataclass(frozen=True)
class Reach:
    """What a shock sets: its own cells, and the first period that it can reach."""

    own: frozenset[int]
    start: int


def shock_sums(
    net: Network,
    bank: TableBank,
    shocks: Mapping[str, Mapping[str, str]],
    reach: Mapping[str, Reach],
    grid: Grid,
    widespread: float,
    *,
    samples: int,
    rng: random.RandomSource,
) -> dict[str, dict[str, Floats]]:
    """Return, for each shock, means of what is counted in each draw, from either half of the samples.

    Returns
    -------
    dict of str to dict of str to ndarray (2, draw)
        By shock: see `counted`.
    """
    found: dict[str, list[dict[str, Floats]]] = {name: [] for name in shocks}
    for base, runs in _runs(net, bank, shocks, samples=samples, rng=rng):
        for name, (held, free) in runs:
            values = counted(base, held, free, grid, reach[name], widespread)
            found[name].append({key: halves(array) for key, array in values.items()})
    return {
        name: {key: np.concatenate([part[key] for part in parts], axis=1) for key in parts[0]}
        for name, parts in found.items()
    }


def _runs(
    net: Network,
    bank: TableBank,
    shocks: Mapping[str, Mapping[str, str]],
    *,
    samples: int,
    rng: random.RandomSource,
) -> Iterator[tuple[Codes, Iterator[tuple[str, tuple[Codes, Codes]]]]]:
    """Yield states (draw, sample, node) without a shock and, shock by shock, held and free."""
    check_samples(samples)
    generator = random.generator(rng)
    channels = [name for name, node in net.nodes.items() if node.base in CHANNELS]
    held_net, held_bank = _held(net, bank, channels)
    columns = [net.position[name] for name in held_net.order]
    back = [held_net.position[name] for name in net.order]
    states = np.array([len(net.nodes[name].states) for name in channels])
    at = [held_net.position[name] for name in channels]
    step = max(1, ROWS // samples)
    for start in range(0, bank.size, step):
        numbers = np.arange(start, min(start + step, bank.size))
        index = np.repeat(numbers, samples)
        uniforms = generator.random((len(index), len(net)))
        base = sample_states(net, u=uniforms, tables=bank.take(index))[0]
        fixed = uniforms[:, columns]
        # The middle of the state's share of a uniform table.
        fixed[:, at] = (base[:, [net.position[name] for name in channels]] + 0.5) / states
        shape = (len(numbers), samples, len(net))

        def runs(
            index: NDArray[np.int64] = index,
            uniforms: Floats = uniforms,
            fixed: Floats = fixed,
            shape: tuple[int, ...] = shape,
        ) -> Iterator[tuple[str, tuple[Codes, Codes]]]:
            for name, do in shocks.items():
                free = sample_states(net, u=uniforms, tables=bank.take(index), do=do)[0].reshape(shape)
                held = free
                if channels:
                    codes = sample_states(held_net, u=fixed, tables=held_bank.take(index), do=do)[0]
                    held = codes[:, back].reshape(shape)
                yield name, (held, free)

        yield base.reshape(shape), runs()


def _held(net: Network, bank: TableBank, channels: list[str]) -> tuple[Network, TableBank]:
    """The network with its channels cut off from what moves them, and a bank for it."""
    rules, draws, rule_of = dict(net.rules), dict(bank.draws), dict(bank.rule_of)
    nodes = dict(net.nodes)
    for name in channels:
        count = len(net.nodes[name].states)
        rule = f"held|{name}"
        rules[rule] = TableRule(rule, np.full(count, 1.0 / count), float("inf"))
        draws[rule] = np.broadcast_to(rules[rule].mean, (bank.size, count))
        rule_of[name] = rule
        nodes[name] = dataclasses.replace(nodes[name], parents=(), rule=rule)
    # The cumulative tables of the other nodes are those of the bank: found once.
    held = TableBank(draws, rule_of, bank.size, bank.summary, bank._cumulative)
    return Network(nodes.values(), rules, name=net.name), held


def counted(
    base: Codes, held: Codes, free: Codes, grid: Grid, reach: Reach, widespread: float
) -> dict[str, Floats]:
    """Return what is counted in each sample, arrays (draw, sample), from the shock's first period on.

    - ``widespread``, ``cells``, ``others``, ``lost`` with the run behind a dot: base, held or free;
      others are the cells that the shock does not set;
    - ``induced``: cells that collapse with the shock and, in that period, not without it;
    - ``asked``: those of them with a period after the first in which that is so; ``years`` from its
      start to the start of the first later one in full or throttled deployment, added up over them
      and counted to the horizon where none comes; ``never``: those for which none comes.
    """
    columns = grid.columns[:, reach.start :]
    others = np.array([cell not in reach.own for cell in range(len(grid.cells))])
    found: dict[str, NDArray[np.generic]] = {}
    fallen = {}
    for run, codes in (("base", base), ("held", held), ("free", free)):
        modes = codes[:, :, columns]
        fallen[run] = modes == grid.collapse
        found[f"widespread.{run}"] = (fallen[run].mean(axis=2) >= widespread).any(axis=-1)
        found[f"cells.{run}"] = fallen[run].sum(axis=(2, 3))
        found[f"others.{run}"] = fallen[run][:, :, others].sum(axis=(2, 3))
        if grid.planned is not None:
            missing = (1.0 - grid.delivered[modes]) * grid.planned[:, reach.start :]
            found[f"lost.{run}"] = missing.sum(axis=(2, 3))
    induced = fallen["free"] & ~fallen["base"]
    first = induced.argmax(axis=-1)
    periods = np.arange(induced.shape[-1])
    asked = induced.any(axis=-1) & (first < periods[-1])
    back = grid.working[free[:, :, columns]] & (periods > first[..., None])
    returned = back.any(axis=-1)
    starts = grid.years[reach.start : -1]
    until = np.where(returned, starts[back.argmax(axis=-1)], grid.years[-1]) - starts[first]
    found["induced"] = induced.any(axis=-1).sum(axis=2)
    found["asked"] = asked.sum(axis=2)
    found["years"] = np.where(asked, until, 0.0).sum(axis=2)
    found["never"] = (asked & ~returned).sum(axis=2)
    return {key: np.asarray(array, dtype=float) for key, array in found.items()}
