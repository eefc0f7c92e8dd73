"""Exact questions to a network: queries, interventions, soft evidence, all marginals at once.

An intervention cuts the edges into its nodes and sets them; evidence then conditions as usual, in
the network so cut. (pgmpy's `CausalInference.query(do=)` is not used: it is wrong when one target
is another's parent or evidence lies outside its adjustment set, pgmpy issue 3543.) `query` runs
pgmpy's variable elimination on what is relevant; `marginals` sweeps our own bucket tree once.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network, pgmpy_model
from sinkrisk.network.checking import near_names
from sinkrisk.network.elimination import BucketTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

Evidence = Mapping[str, str | Mapping[str, float]]
"""Node -> the state it is in, or -> a likelihood of each of its states (soft evidence)."""

_SOFT = "soft_evidence__"


@dataclass(frozen=True)
class Conditions:
    """Evidence and interventions as codes.

    Parameters
    ----------
    hard, do : dict of str to int
        Node -> code of its state.
    soft : dict of str to ndarray
        Node -> likelihood per state, the largest 1.
    """

    hard: dict[str, int]
    soft: dict[str, NDArray[np.float64]]
    do: dict[str, int]

    def without(self, name: str) -> Conditions:
        """Return the conditions less the evidence on one node."""
        return Conditions(
            {k: v for k, v in self.hard.items() if k != name},
            {k: v for k, v in self.soft.items() if k != name},
            self.do,
        )


def read_conditions(net: Network, evidence: Evidence | None, do: Mapping[str, str] | None) -> Conditions:
    """Check evidence and interventions and turn states into codes.

    Raises
    ------
    InputError
        All at once: unknown nodes or states, likelihoods that are none, a node in both.
    """
    found = Problems()
    hard: dict[str, int] = {}
    soft: dict[str, NDArray[np.float64]] = {}
    targets: dict[str, int] = {}
    for name, state in (do or {}).items():
        if _known(net, name, "do", found) and _state(net, name, state, "do", found):
            targets[name] = net.nodes[name].states.index(state)
    for name, value in (evidence or {}).items():
        if not _known(net, name, "evidence", found):
            continue
        if name in (do or {}):
            found.add("evidence on a node that is set by do", got=name, hint="give it once")
        elif isinstance(value, Mapping):
            likelihood = _likelihood(net, name, value, found)
            if likelihood is not None:
                soft[name] = likelihood
        elif _state(net, name, value, "evidence", found):
            hard[name] = net.nodes[name].states.index(value)
    found.raise_if_any()
    return Conditions(hard, soft, targets)


def _known(net: Network, name: str, where: str, found: Problems) -> bool:
    if name in net.nodes:
        return True
    near = near_names(str(name), net.order) or list(net.order[:5])
    found.add(
        "no such node in the network",
        got=name,
        allowed=near,
        key=where,
        hint=f"the {len(net)} nodes are in net.order",
    )
    return False


def _state(net: Network, name: str, state: Any, where: str, found: Problems) -> bool:
    if state in net.nodes[name].states:
        return True
    found.add("no such state", got=state, allowed=net.nodes[name].states, key=f"{where}.{name}")
    return False


def _likelihood(
    net: Network, name: str, value: Mapping[str, float], found: Problems
) -> NDArray[np.float64] | None:
    states = net.nodes[name].states
    # A list first: every unknown state is reported, not only the first.
    known = [_state(net, name, state, "evidence", found) for state in value]
    numbers = np.array([float(value.get(state, 0.0)) for state in states])
    if not np.all(np.isfinite(numbers)) or numbers.min() < 0.0 or numbers.max() <= 0.0:
        found.add(
            "likelihood of soft evidence",
            got=dict(value),
            allowed="finite numbers, none negative, one positive",
            key=f"evidence.{name}",
        )
        return None
    return numbers / numbers.max() if all(known) else None


def _tree(net: Network, conditions: Conditions, relevant: set[str]) -> BucketTree:
    """Bucket tree of the relevant part of the network, cut and conditioned."""
    fixed = {**conditions.hard, **conditions.do}
    factors: list[tuple[tuple[int, ...], NDArray[np.float64]]] = []
    for name in net.order:
        if name not in relevant or name in conditions.do:
            continue
        family = (*net.nodes[name].parents, name)
        index = tuple(fixed.get(member, slice(None)) for member in family)
        scope = tuple(net.position[member] for member in family if member not in fixed)
        factors.append((scope, np.asarray(net.tables[name][index])))
    for name, likelihood in conditions.soft.items():
        factors.append(((net.position[name],), likelihood))
    cards = [len(node.states) for node in net.nodes.values()]
    return BucketTree(factors, cards, net.elimination_order)


def _parents(net: Network, conditions: Conditions) -> dict[str, tuple[str, ...]]:
    return {name: () if name in conditions.do else node.parents for name, node in net.nodes.items()}


def _log_probability(net: Network, conditions: Conditions) -> float:
    observed = [*conditions.hard, *conditions.soft]
    if not observed:
        return 0.0
    return _tree(net, conditions, net.ancestors(observed, _parents(net, conditions))).collect()


def _refuse_impossible(net: Network, conditions: Conditions) -> None:
    """Raise with a smallest set of evidence that cannot occur together."""
    clash = conditions
    for name in [*conditions.hard, *conditions.soft]:
        fewer = clash.without(name)
        if _log_probability(net, fewer) == -math.inf:
            clash = fewer
    parts = [f"{name}={net.nodes[name].states[code]}" for name, code in clash.hard.items()]
    parts += [f"soft evidence on {name}" for name in clash.soft]
    set_ = [f"{name}={net.nodes[name].states[code]}" for name, code in clash.do.items()]
    together = " together with ".join(parts)
    raise InputError(
        Problem(
            "impossible evidence: its probability is zero",
            got=together + (f" under do({', '.join(set_)})" if set_ else ""),
            hint="no state of the other nodes allows it; drop one of these",
        )
    )


def evidence_probability(net: Network, evidence: Evidence, do: Mapping[str, str] | None = None) -> float:
    """Return the exact probability of evidence, under interventions.

    Parameters
    ----------
    net : Network
    evidence : mapping
        Node -> state, or node -> likelihood per state (scaled so that its largest is 1).
    do : mapping, optional

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> round(evidence_probability(net, {"rain": "yes"}), 12)
    0.2
    """
    return math.exp(_log_probability(net, read_conditions(net, evidence, do)))


def query(
    net: Network,
    variables: str | Sequence[str],
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
) -> dict[str, pd.Series]:
    """Return exact marginals of nodes given evidence and interventions.

    Parameters
    ----------
    net : Network
    variables : str or sequence of str
    evidence : mapping, optional
        Node -> state, or node -> likelihood per state (soft evidence).
    do : mapping, optional
        Node -> state it is set to; the edges into it are cut.

    Returns
    -------
    dict of str to Series
        Probabilities indexed by state, one Series per variable (not their joint distribution).

    Raises
    ------
    InputError
        For unknown nodes or states, and evidence of probability zero, with the clash named.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> print(round(query(net, "rain", {"wet": "yes"})["rain"]["yes"], 6))
    0.666667
    >>> print(round(query(net, "rain", do={"wet": "yes"})["rain"]["yes"], 6))
    0.2
    """
    names = [variables] if isinstance(variables, str) else list(variables)
    found = Problems()
    for name in names:
        _known(net, name, "variables", found)
    if not names:
        found.add("no variable asked for", got=names)
    found.raise_if_any()
    conditions = read_conditions(net, evidence, do)
    if _log_probability(net, conditions) == -math.inf:
        _refuse_impossible(net, conditions)
    fixed = {**conditions.hard, **conditions.do}
    result: dict[str, pd.Series] = {}
    for name in dict.fromkeys(names):
        states = net.nodes[name].states
        values = np.eye(len(states))[fixed[name]] if name in fixed else _eliminated(net, name, conditions)
        result[name] = pd.Series(values, index=pd.Index(states, name="state"), name=name)
    return result


def _eliminated(net: Network, name: str, conditions: Conditions) -> NDArray[np.float64]:
    """One marginal by pgmpy's variable elimination on the ancestors of what is asked and seen."""
    parents = _parents(net, conditions)
    relevant = net.ancestors([name, *conditions.hard, *conditions.soft], parents)
    above: dict[str, Sequence[str]] = {n: parents[n] for n in net.order if n in relevant}
    states: dict[str, Sequence[str]] = {n: net.nodes[n].states for n in above}
    tables = {n: net.tables[n] for n in above}
    for target in conditions.do.keys() & relevant:
        tables[target] = np.eye(len(states[target]))[conditions.do[target]]
    seen = {
        n: net.nodes[n].states[code] for n, code in (conditions.hard | conditions.do).items() if n in relevant
    }
    for node, likelihood in conditions.soft.items():
        # A child that is `seen` with the stated likelihood says the same as soft evidence.
        child = _SOFT + node
        above[child], states[child] = (node,), ("seen", "unseen")
        tables[child] = np.stack([likelihood, 1.0 - likelihood], axis=-1)
        seen[child] = "seen"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.inference import VariableElimination

    model = pgmpy_model(above, states, tables)
    factor = VariableElimination(model).query([name], evidence=seen, show_progress=False)
    return np.asarray(factor.values, dtype=float)


def marginals(
    net: Network, *, evidence: Evidence | None = None, do: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return the exact marginal of every node.

    Parameters
    ----------
    net : Network
    evidence, do : mapping, optional
        As in `query`.

    Returns
    -------
    DataFrame
        Columns node, base, class, region, period ('' where a node has none), state, probability;
        nodes in topological order, states in theirs.

    Raises
    ------
    InputError
        As in `query`.
    """
    conditions = read_conditions(net, evidence, do)
    tree = _tree(net, conditions, set(net.order))
    if tree.collect() == -math.inf:
        _refuse_impossible(net, conditions)
    values = tree.distribute()
    fixed = {**conditions.hard, **conditions.do}
    rows: list[tuple[str | float, ...]] = []
    for name, node in net.nodes.items():
        at = net.position[name]
        probabilities = np.eye(len(node.states))[fixed[name]] if name in fixed else values[at]
        rows.extend(
            (name, node.base, node.cls or "", node.region or "", node.period or "", state, float(value))
            for state, value in zip(node.states, probabilities, strict=True)
        )
    return pd.DataFrame(rows, columns=["node", "base", "class", "region", "period", "state", "probability"])
