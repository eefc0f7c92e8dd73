"""One number of a table at a time, moved over its own interval: what the table becomes.

The intervals are those of the draws in `tables`: an entry of a row and a share of the weights are
beta, as any component of a Dirichlet is; a baseline is beta, a spread lognormal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from sinkrisk.network.building import Network
from sinkrisk.network.factors import WHOLE
from sinkrisk.network.noisy import noisy_max_table, stated
from sinkrisk.network.tables import RankedParameters, TableRule, ranked_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SPREAD_LIMITS = (0.02, 1.0)
"""Limits of a drawn spread, as in `tables`."""
STEP = 1e-5
"""Step of the central difference that gives the slope of a ranked table in its parameters."""


@dataclass(frozen=True)
class Move:
    """One number of a table, its interval, and what moving it does.

    Parameters
    ----------
    kind : str
        entry | parameter.
    parameter, given, state : str
    value, low, high : float
    slope : dict of int to ndarray
        Part (`factors.WHOLE`, or a part of a split table) -> its derivative in the number.
    change : callable
        Value of the number -> change of the parts.
    table : callable
        Value of the number -> the whole table.
    """

    kind: str
    parameter: str
    given: str
    state: str
    value: float
    low: float
    high: float
    slope: dict[int, Floats]
    change: Callable[[float], dict[int, Floats]]
    table: Callable[[float], Floats]

    def changes(self) -> list[dict[int, Floats]]:
        """Return the change of the parts at both ends of the interval."""
        return [self.change(self.low), self.change(self.high)]

    def tables(self) -> list[Floats]:
        """Return the whole table at both ends of the interval."""
        return [self.table(self.low), self.table(self.high)]


@dataclass(frozen=True)
class Labels:
    """Names of what a table's axes and constants stand for.

    Parameters
    ----------
    parents : tuple of str
        Base names, with the class where the child has none, and ``@previous``.
    constants : tuple of str
        Parents before the first period.
    parent_states : tuple of tuple of str
    states : tuple of str
    """

    parents: tuple[str, ...]
    constants: tuple[str, ...]
    parent_states: tuple[tuple[str, ...], ...]
    states: tuple[str, ...]


def row_labels(net: Network, rule: str) -> Labels:
    """Return the labels of a rule, from the first node that uses it."""
    name = next(name for name, node in net.nodes.items() if node.rule == rule)
    node = net.nodes[name]
    # The same table in later periods names what the first period holds constant.
    later = [n for n, other in net.nodes.items() if other.rule == rule.removesuffix("@first")]
    parents = _parent_labels(net, later[0]) if later and rule.endswith("@first") else ()
    before = tuple(label for label in parents if label.endswith("@previous"))
    ranked = net.rules[rule].ranked
    count = 0 if ranked is None else len(ranked.constants)
    constants = before if len(before) == count else tuple(f"constant {i + 1}" for i in range(count))
    states = tuple(net.nodes[parent].states for parent in node.parents)
    return Labels(_parent_labels(net, name), constants, states, node.states)


def _parent_labels(net: Network, name: str) -> tuple[str, ...]:
    node = net.nodes[name]
    labels = []
    for parent in (net.nodes[above] for above in node.parents):
        place = f"[{parent.cls}]" if parent.cls is not None and node.cls is None else ""
        previous = parent.period is not None and node.period is not None and parent.period != node.period
        labels.append(parent.base + place + ("@previous" if previous else ""))
    return tuple(labels)


def beta_interval(mean: float, size: float, level: float) -> tuple[float, float]:
    """Return the equal-tailed interval of a beta with a mean and an equivalent sample size.

    Examples
    --------
    >>> low, high = beta_interval(0.5, 2.0, 0.9)
    >>> print(round(low, 6), round(high, 6))
    0.05 0.95
    """
    if not (0.0 < mean < 1.0 and np.isfinite(size)):
        return mean, mean
    tail = (1.0 - level) / 2.0
    a, b = size * mean, size * (1.0 - mean)
    return float(special.betaincinv(a, b, tail)), float(special.betaincinv(a, b, 1.0 - tail))


def giving_way(row: Floats, at: int) -> Floats:
    """Return the direction in which a row moves when one entry grows by one.

    The others give way in proportion; where they are all nought, in equal parts. A single state is
    certain: there is nowhere to move.

    Examples
    --------
    >>> giving_way(np.array([0.5, 0.3, 0.2]), 0)
    array([ 1. , -0.6, -0.4])
    """
    if len(row) == 1:
        return np.zeros(1)
    rest = 1.0 - row[at]
    others = np.delete(row, at)
    shares = (
        others / others.sum()
        if rest > 0.0 and others.sum() > 0.0
        else np.full(len(others), 1.0 / len(others))
    )
    return np.insert(-shares, at, 1.0)


def entry_moves(rule: TableRule, labels: Labels, level: float) -> Iterator[Move]:
    """Yield one move for each entry of a table."""
    mean = rule.mean
    # After an update by counts each row is worth its own number of judgements.
    sizes = np.broadcast_to(
        np.asarray(rule.equivalent_sample_size if rule.row_sizes is None else rule.row_sizes), mean.shape[:-1]
    )
    for combination in np.ndindex(*mean.shape[:-1]):
        given = ", ".join(
            f"{parent}={states[code]}"
            for parent, states, code in zip(labels.parents, labels.parent_states, combination, strict=True)
        )
        for at, state in enumerate(labels.states):
            value = float(mean[(*combination, at)])
            low, high = beta_interval(value, float(sizes[combination]), level)
            slope = np.zeros_like(mean)
            slope[combination] = giving_way(mean[combination], at)
            yield _linear_move("entry", "entry", given, state, (value, low, high), slope, mean)


def _linear_move(
    kind: str,
    parameter: str,
    given: str,
    state: str,
    at: tuple[float, float, float],
    slope: Floats,
    mean: Floats,
) -> Move:
    value = at[0]
    return Move(
        kind, parameter, given, state, *at,
        slope={WHOLE: slope},
        change=lambda moved: {WHOLE: slope * (moved - value)},
        table=lambda moved: mean + slope * (moved - value),
    )  # fmt: skip


def parameter_moves(rule: TableRule, labels: Labels, level: float) -> Iterator[Move]:
    """Yield one move for each parameter of a ranked or noisy-max table; none for a full one."""
    if rule.ranked is not None:
        yield from _ranked_moves(rule, rule.ranked, labels, level)
    elif rule.noisy is not None:
        yield from _noisy_moves(rule, labels, level)


def _ranked_moves(rule: TableRule, p: RankedParameters, labels: Labels, level: float) -> Iterator[Move]:
    raw = np.array([*p.weights, p.baseline_weight], dtype=float)
    shares = raw / raw.sum()
    size = rule.equivalent_sample_size

    def table(moved: Floats, baseline: float, spread: float) -> Floats:
        return np.asarray(ranked_table(p, moved[None], np.array([baseline]), np.array([spread]))[0])

    def move(label: str, value: float, ends: tuple[float, float], at: Callable[[float], Floats]) -> Move:
        step = STEP * min(1.0, value) if value > 0.0 else STEP
        slope = (at(value + step) - at(value - step)) / (2.0 * step)
        stated_table = at(value)
        return Move(
            "parameter", label, "", "", value, *ends,
            slope={WHOLE: slope},
            change=lambda moved: {WHOLE: at(moved) - stated_table},
            table=at,
        )  # fmt: skip

    names = [f"weight of {name}" for name in (*labels.parents, *labels.constants)]
    for number, label in enumerate([*names, "weight of the baseline"]):
        share = float(shares[number])
        if 0.0 < share < 1.0:
            way = giving_way(shares, number)
            yield move(
                label,
                share,
                beta_interval(share, size, level),
                lambda moved, way=way, share=share: table(  # type: ignore[misc]
                    shares + way * (moved - share), p.baseline, p.spread
                ),
            )
    if shares[-1] > 0.0:
        ends = beta_interval(p.baseline, size, level)
        yield move("baseline", p.baseline, ends, lambda moved: table(shares, moved, p.spread))
    factor = float(np.exp(special.ndtri((1.0 + level) / 2.0) / np.sqrt(2.0 * size)))
    low, high = (float(np.clip(p.spread * f, *SPREAD_LIMITS)) for f in (1.0 / factor, factor))
    yield move("spread", p.spread, (low, high), lambda moved: table(shares, p.baseline, moved))


def _noisy_moves(rule: TableRule, labels: Labels, level: float) -> Iterator[Move]:
    assert rule.noisy is not None
    leak, effects = stated(rule.noisy)
    parts = [leak[None], *effects]

    def table(part: int, row: int, values: Floats) -> Floats:
        moved = [array.copy() for array in parts]
        moved[part][row] = values
        return noisy_max_table(moved[0][0], moved[1:])

    for part, array in enumerate(parts):
        for row in range(len(array)):
            if part and rule.noisy.effects[part - 1][row] is None:
                continue
            given = "" if part == 0 else f"{labels.parents[part - 1]}={labels.parent_states[part - 1][row]}"
            for at, state in enumerate(labels.states):
                yield _noisy_move(
                    rule,
                    table,
                    part,
                    row,
                    array,
                    at,
                    ("leak" if part == 0 else "effect", given, state),
                    level,
                )


def _noisy_move(
    rule: TableRule,
    table: Callable[[int, int, Floats], Floats],
    part: int,
    row: int,
    array: Floats,
    at: int,
    words: tuple[str, str, str],
    level: float,
) -> Move:
    values = array[row]
    value = float(values[at])
    way = giving_way(values, at)
    slope = np.zeros_like(array)
    slope[row] = np.cumsum(way)
    # Above the last state nothing is left to come: rounding must not say otherwise.
    slope[row, -1] = 0.0
    slope = slope[0] if part == 0 else slope
    return Move(
        "parameter", *words, value, *beta_interval(value, rule.equivalent_sample_size, level),
        slope={part: slope},
        change=lambda moved: {part: slope * (moved - value)},
        table=lambda moved: table(part, row, values + way * (moved - value)),
    )  # fmt: skip
