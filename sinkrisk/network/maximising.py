"""The most probable explanation: the joint state that fits evidence and interventions best.

Sums and maxima run along one order of elimination, sums first, for a maximum and a sum cannot
change places; the state is then traced back, and states that do equally well are counted on the
way (Koller and Friedman 2009, chapter 13). Maxima run in logarithms: a product over hundreds of
nodes would underflow.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions, Evidence, read_conditions
from sinkrisk.network.exact import Exact
from sinkrisk.network.factors import Piece, aligned, bucket_scopes, graph_under, network_pieces, refuse_large
from sinkrisk.network.inference import query
from sinkrisk.network.telling import near_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Scope = tuple[int, ...]

TIE = 1e-9
"""Joint states whose probabilities differ by no more than this share count as tied."""
MOST_TOLD = 3
"""Nodes that the sentence names."""
MOST_TIES = 8
"""Tied joint states that are listed beside the first."""


@dataclass(frozen=True)
class Explanation:
    """A most probable joint state.

    Parameters
    ----------
    states : dict of str to str
        Node -> state, in topological order; nodes that evidence or `do` fix are left out.
    log_probability : float
        Logarithm of the probability of these states together with the evidence, under `do` (soft
        evidence with its largest likelihood 1).
    log_posterior : float
        Logarithm of the probability of these states given the evidence.
    ties : int
        Joint states that do equally well, this one included.
    others : tuple of dict
        The first few of the others.
    summed : int
        Hidden nodes that were summed over rather than explained.
    """

    states: dict[str, str]
    log_probability: float
    log_posterior: float
    ties: int
    others: tuple[dict[str, str], ...]
    summed: int

    @property
    def words(self) -> str:
        """The explanation as a sentence."""
        chance = math.exp(self.log_posterior)
        share = f"{chance:.3g}" if chance > 0.0 else f"exp({self.log_posterior:.1f})"
        tied = f", as probable as {self.ties - 1} others" if self.ties > 1 else ""
        told = ", ".join(f"{node}={state}" for node, state in list(self.states.items())[:MOST_TOLD])
        if len(self.states) > MOST_TOLD:
            told += f", and {len(self.states) - MOST_TOLD} more nodes (explanation_table lists them)"
        return f"Most probable given what is seen (probability {share}{tied}): {told}."


def most_probable(
    net: Network,
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
    variables: str | Sequence[str] | None = None,
    *,
    relevant: bool | None = None,
) -> Explanation:
    """Return the most probable joint state of unobserved nodes, exactly.

    Parameters
    ----------
    net : Network
    evidence : mapping, optional
        Node -> state, or node -> likelihood per state.
    do : mapping, optional
        Node -> state it is set to.
    variables : str or sequence of str, optional
        Nodes to explain, the others summed over (marginal MAP); None: see `relevant`. What is
        asked matters: the best joint state of all need not hold the best states of some.
    relevant : bool, optional
        Without `variables`: explain only what is upstream of the evidence, and sum over the rest,
        which nobody looked at. True when left out, if there is anything upstream. False explains every node,
        which the shipped network is too large for: a maximum needs noisy-max families whole.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        For unknown nodes and states, impossible evidence, nodes to explain that are fixed, and
        when a table of more than `propagation.MAX_CLIQUE_CELLS` cells would be needed.

    Notes
    -----
    Noisy-max families count in full: their parts, which keep sums cheap, are not positive, and a
    maximum cannot be taken of them one by one. Where a family is summed over altogether they help.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> print(most_probable(net, {"wet": "yes"}).words)
    Most probable given what is seen (probability 0.667): rain=yes.
    """
    conditions = read_conditions(net, evidence, do)
    above = graph_under(net, conditions)
    observed = [*conditions.hard, *conditions.soft]
    fixed = {**conditions.hard, **conditions.do}
    if relevant is None:
        relevant = any(name not in fixed for name in net.ancestors(observed, above))
    chosen = _chosen(net, variables, fixed, above, observed if relevant else None)
    log_evidence = float(Exact(net, conditions).log_probability[0])
    if log_evidence == -math.inf:
        query(net, observed[0], evidence, do)  # names the clash
    needed = net.ancestors([*chosen, *observed], above)
    explained = {net.position[name] for name in chosen}
    log_best, ties, found = _best(*_pieces(net, conditions, needed, explained), explained)
    if log_best == -math.inf:
        # Only rounding can tell this from the sum above.
        raise InputError(Problem("impossible evidence: its probability is zero", got=observed))
    joint = [{name: net.nodes[name].states[codes[net.position[name]]] for name in chosen} for codes in found]
    hidden = sum(name not in fixed for name in net.order) - len(chosen)
    return Explanation(joint[0], log_best, log_best - log_evidence, ties, tuple(joint[1:]), hidden)


def explanation_table(net: Network, explanation: Explanation) -> pd.DataFrame:
    """Return an explanation as a table.

    Returns
    -------
    DataFrame
        Columns node, base, class, region, period ('' where a node has none), state, tied (the
        other states it has in the ties listed, '' for none).

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> explanation_table(net, most_probable(net, {"wet": "yes"}))[["node", "state", "tied"]]
       node state tied
    0  rain   yes
    """
    rows = []
    for name, state in explanation.states.items():
        node = net.nodes[name]
        tied = dict.fromkeys(other[name] for other in explanation.others if other[name] != state)
        place = (node.cls or "", node.region or "", node.period or "")
        rows.append((name, node.base, *place, state, ", ".join(tied)))
    return pd.DataFrame(rows, columns=["node", "base", "class", "region", "period", "state", "tied"])


def _chosen(
    net: Network,
    variables: str | Sequence[str] | None,
    fixed: Mapping[str, int],
    above: Mapping[str, Sequence[str]],
    observed: Sequence[str] | None,
) -> list[str]:
    found = Problems()
    if variables is None:
        scope = set(net.order) if observed is None else net.ancestors(observed, above)
        chosen = [name for name in net.order if name in scope and name not in fixed]
        if not chosen:
            found.add("no node to explain: none that matters is left unobserved")
    else:
        names = [variables] if isinstance(variables, str) else list(variables)
        for name in names:
            if name not in net.nodes:
                found.add(
                    "no such node in the network",
                    got=name,
                    allowed=near_names(str(name), net.order) or list(net.order[:5]),
                    key="variables",
                    hint=f"the {len(net)} nodes are in net.order",
                )
            elif name in fixed:
                found.add("node to explain is fixed by evidence or do", got=name, key="variables")
        if not names:
            found.add("no node to explain", got=names, key="variables")
        chosen = [name for name in net.order if name in names]
    found.raise_if_any()
    return chosen


def _pieces(
    net: Network, conditions: Conditions, needed: Collection[str], explained: set[int]
) -> tuple[list[Piece], list[int], tuple[int, ...]]:
    """Factors, cards and an order with sums first; refused where a table would be too large."""
    pieces, cards, order = network_pieces(net, conditions, needed, last=explained)
    refuse_large(
        bucket_scopes([piece.scope for piece in pieces], order)[1].values(),
        cards,
        "the most probable explanation",
        "nodes that are summed over come first and tie those to explain together: explain fewer nodes"
        if any(variable not in explained for variable in order)
        else "explain what is upstream of the evidence (relevant=True), or a few nodes in `variables`",
    )
    return pieces, cards, order


def _best(
    pieces: Sequence[Piece], cards: Sequence[int], order: Sequence[int], explained: set[int]
) -> tuple[float, int, list[dict[int, int]]]:
    """Sum, then maximise, then trace back: the logarithm, the number of ties, the first of them."""
    rank, bucket = bucket_scopes([piece.scope for piece in pieces], order)
    sums: dict[int, list[tuple[Scope, Floats]]] = {v: [] for v in order if v not in explained}
    maxima: dict[int, list[tuple[Scope, Floats, Floats | None]]] = {v: [] for v in order if v in explained}
    log_best, ties = 0.0, 1.0

    def place(scope: Scope, values: Floats) -> None:
        nonlocal log_best
        first = min(scope, key=rank.__getitem__, default=None)
        if first in sums:
            sums[first].append((scope, values))
            return
        logs = np.full_like(values, -np.inf)
        # Below nought is rounding left by the parts of a split table.
        np.log(values, where=values > 0.0, out=logs)
        if first is None:
            log_best += float(logs)
        else:
            maxima[first].append((scope, logs, None))

    for piece in pieces:
        place(piece.scope, piece.values)
    masks: list[tuple[int, Scope, NDArray[np.bool_]]] = []
    for variable in order:
        scope = bucket[variable]
        shape = [cards[member] for member in scope]
        if variable in sums:
            belief = np.ones(shape)
            for part, values in sums.pop(variable):
                belief *= aligned(part, values, scope, rank)
            message = belief.sum(axis=0)
            scale = float(np.abs(message).max()) or 1.0
            log_best += math.log(scale)
            place(scope[1:], message / scale)
            continue
        belief, count = np.zeros(shape), np.ones(shape)
        for part, values, tied in maxima.pop(variable):
            belief += aligned(part, values, scope, rank)
            if tied is not None:
                count *= aligned(part, tied, scope, rank)
        message = belief.max(axis=0)
        mask = (belief >= message - TIE) & np.isfinite(message)
        masks.append((variable, scope, mask))
        numbers = np.where(mask, count, 0.0).sum(axis=0)
        if len(scope) > 1:
            maxima[scope[1]].append((scope[1:], message, numbers))
        else:
            log_best += float(message)
            ties *= float(numbers)
    return log_best, round(ties), _traced(masks)


def _traced(masks: Sequence[tuple[int, Scope, NDArray[np.bool_]]]) -> list[dict[int, int]]:
    """Follow the maxima back from the last; every choice kept completes, so the first few will do."""
    found: list[dict[int, int]] = [{}]
    for variable, scope, mask in reversed(masks):
        found = [
            {**codes, variable: int(code)}
            for codes in found
            for code in np.flatnonzero(mask.transpose()[tuple(codes[m] for m in scope[:0:-1])])
        ][: MOST_TIES + 1]
    return found
