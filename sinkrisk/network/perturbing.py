"""How far each number of the tables moves one probability: exact derivatives and ranges.

A probability of target and evidence is linear in the table of each node, so one sweep gives its
derivative in every entry (Darwiche 2003, J. ACM 50(3)); the target is a ratio of two such
probabilities (Castillo, Gutiérrez and Hadi 1997, IEEE Trans. SMC-A 27(4)). One entry moves, the
others of its row give way in proportion (Chan and Darwiche 2005, Int. J. Approx. Reason. 38: of all ways to
keep the sum at one it disturbs the distribution least). A table that plates repeat is one set of numbers:
it moves in all its nodes at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import (
    Conditions,
    Evidence,
    known_node,
    read_conditions,
    require_network,
)
from sinkrisk.network.exact import Exact
from sinkrisk.network.factors import (
    TRIALS,
    WHOLE,
    bucket_scopes,
    graph_under,
    refuse_large,
    sum_gradients,
    table_pieces,
)
from sinkrisk.network.inference import query
from sinkrisk.network.noisy import stated
from sinkrisk.network.ordering import search_order
from sinkrisk.network.table_moves import Move, entry_moves, parameter_moves, row_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BATCH_CELLS = 2**23
"""Cells of the largest table when many moved tables are summed at once."""


@dataclass(frozen=True)
class _Linear:
    """A target at the stated tables and how its two probabilities answer to each table.

    Parameters
    ----------
    value : float
        The target.
    above, below : dict of (str, int) to ndarray
        Rule and part -> derivative of P(target, evidence) and of P(evidence), both divided by
        P(evidence), summed over the nodes that share the rule.
    nodes : dict of str to int
        Rule -> nodes that share it and matter.
    step : int
        Moved tables that can be summed at once.
    """

    value: float
    above: dict[tuple[str, int], Floats]
    below: dict[tuple[str, int], Floats]
    nodes: dict[str, int]
    step: int

    def slopes(self, rule: str, move: Move) -> tuple[float, float]:
        """Answer of the two probabilities to a small step of one number."""
        return _answer(self.above, rule, move.slope), _answer(self.below, rule, move.slope)

    def moved(self, rule: str, change: Mapping[int, Floats]) -> float:
        """The target with a table changed: exact for one node, first order for more."""
        above, below = _answer(self.above, rule, change), _answer(self.below, rule, change)
        if self.nodes[rule] == 1:
            return (self.value + above) / (1.0 + below)
        return min(max(self.value + above - self.value * below, 0.0), 1.0)


def _answer(gradients: Mapping[tuple[str, int], Floats], rule: str, change: Mapping[int, Floats]) -> float:
    return sum(
        float(np.vdot(gradients[rule, part], values))
        for part, values in change.items()
        if (rule, part) in gradients
    )


def entry_sensitivity(
    net: Network,
    target: str,
    state: str,
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
    *,
    level: float = 0.9,
    ranges: int | None = 50,
) -> pd.DataFrame:
    """Return how P(target = state | evidence, do) answers to each number of the tables.

    Parameters
    ----------
    net : Network
    target, state : str
    evidence, do : mapping, optional
        As in `query`.
    level : float
        Mass of the equal-tailed interval that each number moves over.
    ranges : int or None
        Of the entries of tables that several nodes share, how many get their range by summing
        anew (those of the widest range by the derivative); None: all. The rest is first order
        and says so in ``exact``. Derivatives, tables of a single node and parameters are exact.

    Returns
    -------
    DataFrame
        Widest swing first. Tables that cannot matter (not upstream of target or evidence) are left
        out. Columns:

        - ``kind``: entry (of a full or ranked table) or parameter (of a ranked or noisy-max one);
        - ``rule``, ``base``: the table's key in `Network.rules` and the node's base name;
        - ``parameter``: entry, baseline, spread, leak, effect, or weight of a parent (its share of
          all weights); ``given``: the states of the parents; ``state``: of the node;
        - ``value``, ``low``, ``high``: stated, and the ends of its own interval: beta from the
          equivalent sample size, lognormal for a spread, as the bank of tables draws them;
        - ``derivative`` of the target in the number, the rest of its row (or of the weights)
          giving way in proportion;
        - ``target``, ``at_low``, ``at_high``: its value as stated and at both ends; ``least``,
          ``most`` of the three and ``swing`` between them. Within the interval a shared table or
          a weight can take the target a little further than at the ends;
        - ``exact``, ``nodes`` that share the table and matter, ``equivalent_sample_size``,
          ``source``.

    Raises
    ------
    InputError
        As in `query`, for a target that is observed or set, a level outside 0 to 1, and when a
        table of more than `propagation.MAX_CLIQUE_CELLS` cells would be needed.

    Notes
    -----
    A ranked table is drawn by its parameters: its entries do not move singly in the bank, and
    their rows say only which entries matter. The bank also rakes drawn ranked tables to keep their
    mean; here the stated table is the middle, so no raking is needed.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ...     equivalent_sample_size=20.0,
    ... )
    >>> found = entry_sensitivity(net, "rain", "yes", {"wet": "yes"})
    >>> columns = ["rule", "given", "state", "derivative", "swing"]
    >>> print(found[columns].round(3).head(3).to_string(index=False))
    rule   given state  derivative  swing
     wet rain=no    no       2.222  0.444
     wet rain=no   yes      -2.222  0.444
    rain            no      -1.389  0.423
    """
    require_network(net)
    found = Problems()
    if known_node(net, target, "target", found) and state not in net.nodes[target].states:
        found.add("no such state", got=state, allowed=net.nodes[target].states, key=f"target.{target}")
    if not 0.0 < level < 1.0:
        found.add("level of the interval", got=level, allowed="between 0 and 1", key="level")
    whole = isinstance(ranges, (int, np.integer)) and not isinstance(ranges, bool)
    if ranges is not None and not (whole and ranges >= 0):
        found.add("number of ranges", got=ranges, allowed="0 or more, or None for all", key="ranges")
    found.raise_if_any()
    conditions = read_conditions(net, evidence, do)
    if target in conditions.hard or target in conditions.do:
        raise InputError(Problem("target is observed or set: nothing can move it", got=target, key="target"))
    query(net, target, evidence, do)  # refuses impossible evidence
    joint = _with_target(net, conditions, target, state)
    linear = _linear(net, joint, conditions)
    rows: list[dict[str, Any]] = []
    shared: list[tuple[dict[str, Any], str, Move]] = []
    for rule in linear.nodes:
        for row, move in _rows(net, linear, rule, level):
            rows.append(row)
            if linear.nodes[rule] > 1 and move.low < move.high:
                shared.append((row, rule, move))
    _sum_anew(net, joint, conditions, linear, shared, ranges)
    for row in rows:
        ends = (row["target"], row["at_low"], row["at_high"])
        row["least"], row["most"] = min(ends), max(ends)
        row["swing"] = row["most"] - row["least"]
    rows.sort(key=lambda row: (-row["swing"], -abs(row["derivative"])))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    "kind", "rule", "base", "parameter", "given", "state", "value", "low", "high", "derivative", "target",
    "at_low", "at_high", "least", "most", "swing", "exact", "nodes", "equivalent_sample_size", "source",
)  # fmt: skip


def _with_target(net: Network, conditions: Conditions, target: str, state: str) -> Conditions:
    code = net.nodes[target].states.index(state)
    if target in conditions.soft:
        only = np.where(np.arange(len(net.nodes[target].states)) == code, conditions.soft[target], 0.0)
        return Conditions(conditions.hard, {**conditions.soft, target: only}, conditions.do)
    return Conditions({**conditions.hard, target: code}, conditions.soft, conditions.do)


def _linear(net: Network, joint: Conditions, conditions: Conditions) -> _Linear:
    total, log_scale, above, nodes, largest = _derivatives(net, joint)
    total_below, log_below, below, _, _ = _derivatives(net, conditions)
    ratio = math.exp(log_scale - log_below) / total_below
    return _Linear(
        total * ratio,
        {key: values * ratio for key, values in above.items()},
        {key: values / total_below for key, values in below.items()},
        nodes,
        max(1, BATCH_CELLS // largest),
    )


def _derivatives(
    net: Network, conditions: Conditions
) -> tuple[float, float, dict[tuple[str, int], Floats], dict[str, int], int]:
    """Probability of the evidence and its derivative in each table, summed over who shares it."""
    observed = [*conditions.hard, *conditions.soft]
    relevant = net.ancestors(observed, graph_under(net, conditions))
    split = {
        name: _parts(net, name) for name in relevant if net.rules[net.nodes[name].rule].noisy is not None
    }
    pieces, cards = table_pieces(net, conditions, relevant, split)
    scopes = [piece.scope for piece in pieces]
    order, _ = search_order(scopes, cards, trials=TRIALS)
    buckets = bucket_scopes(scopes, order)[1].values()
    hint = "give less evidence at once, or thin out parents"
    refuse_large(buckets, cards, "exact inference", hint)
    largest = max((math.prod(cards[member] for member in scope) for scope in buckets), default=1)
    sums = sum_gradients([(piece.scope, piece.values) for piece in pieces], cards, order)
    found: dict[tuple[str, int], Floats] = {}
    nodes: dict[str, int] = {}
    for piece, gradient in zip(pieces, sums.gradients, strict=True):
        rule = net.nodes[piece.node].rule
        if piece.part in (WHOLE, 0):
            nodes[rule] = nodes.get(rule, 0) + 1
        if piece.part == WHOLE:
            shape = net.tables[piece.node].shape
        elif 0 <= piece.part < len(split.get(piece.node, ())):
            shape = split[piece.node][piece.part].shape
        else:
            continue
        found.setdefault((rule, piece.part), np.zeros(shape))[piece.index] += gradient
    return sums.total, sums.log_scale, found, nodes, largest


def _parts(net: Network, name: str) -> list[Floats]:
    """Cumulative leak and effects: the parts of a noisy-max table, each linear in its own numbers."""
    noisy = net.rules[net.nodes[name].rule].noisy
    assert noisy is not None
    leak, effects = stated(noisy)
    return [np.cumsum(part, axis=-1) for part in (leak, *effects)]


def _rows(net: Network, linear: _Linear, rule: str, level: float) -> Iterator[tuple[dict[str, Any], Move]]:
    table = net.rules[rule]
    labels = row_labels(net, rule)
    moves = [*parameter_moves(table, labels, level)]
    if table.noisy is None:
        moves += entry_moves(table, labels, level)
    node = next(node for node in net.nodes.values() if node.rule == rule)
    for move in moves:
        above, below = linear.slopes(rule, move)
        ends = [linear.moved(rule, change) for change in move.changes()]
        row = {
            "kind": move.kind,
            "rule": rule,
            "base": node.base,
            "parameter": move.parameter,
            "given": move.given,
            "state": move.state,
            "value": move.value,
            "low": move.low,
            "high": move.high,
            "derivative": above - linear.value * below,
            "target": linear.value,
            "at_low": ends[0],
            "at_high": ends[1],
            "exact": linear.nodes[rule] == 1 or move.low == move.high,
            "nodes": linear.nodes[rule],
            "equivalent_sample_size": table.equivalent_sample_size,
            "source": node.source,
        }
        yield row, move


def _sum_anew(
    net: Network,
    joint: Conditions,
    conditions: Conditions,
    linear: _Linear,
    shared: list[tuple[dict[str, Any], str, Move]],
    ranges: int | None,
) -> None:
    """Replace first-order ranges of shared tables by summed ones, in place."""

    def reach(item: tuple[dict[str, Any], str, Move]) -> tuple[bool, float]:
        return item[0]["kind"] == "entry", -abs(item[0]["derivative"]) * (item[0]["high"] - item[0]["low"])

    shared.sort(key=reach)
    parameters = sum(row["kind"] == "parameter" for row, _, _ in shared)
    chosen = shared if ranges is None else shared[: parameters + ranges]
    by_rule: dict[str, list[tuple[dict[str, Any], Move]]] = {}
    for row, rule, move in chosen:
        by_rule.setdefault(rule, []).append((row, move))
    for rule, items in by_rule.items():
        half = max(1, linear.step // 2)
        for start in range(0, len(items), half):
            block = items[start : start + half]
            tables = np.stack([table for _, move in block for table in move.tables()])
            log_above = Exact(net, joint, {rule: tables}).log_probability
            log_below = Exact(net, conditions, {rule: tables}).log_probability
            values = np.broadcast_to(np.exp(log_above - log_below), 2 * len(block))
            for at, (row, _) in enumerate(block):
                row["at_low"], row["at_high"] = float(values[2 * at]), float(values[2 * at + 1])
                row["exact"] = True
