"""Exact questions to a network: queries, interventions, soft evidence, all marginals at once.

An intervention cuts the edges into its nodes and sets them; evidence then conditions as usual, in
the network so cut. (pgmpy's `CausalInference.query(do=)` is not used: it is wrong when one target
is another's parent or evidence lies outside its adjustment set, pgmpy issue 3543.) The sums are
done by `exact`, which knows that regions meet only in global nodes and splits noisy-max families;
pgmpy's variable elimination knows neither and is what the tests compare with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import (
    Conditions,
    Evidence,
    known_node,
    listed,
    read_conditions,
    require_network,
)
from sinkrisk.network.exact import Exact

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOINT_TARGETS = 2
"""Up to so many targets are found from their joint distribution, without a sweep back."""
MOST_CLASHING = 5
"""Pieces of impossible evidence that are named."""


def conditioned(net: Network, conditions: Conditions) -> Exact:
    """The network under conditions; raises when they are impossible."""
    exact = Exact(net, conditions)
    if np.all(np.isneginf(exact.log_probability)):
        _refuse_impossible(net, conditions)
    return exact


def _refuse_impossible(net: Network, conditions: Conditions) -> None:
    """Raise with evidence that cannot occur together, as little as it takes."""
    names = [name for name in net.order if name in conditions.hard or name in conditions.soft]
    if not _impossible(net, conditions):
        raise InputError(
            Problem(
                "evidence too improbable for floating-point numbers, though not impossible",
                got=f"evidence on {len(names)} nodes",
                hint="ask about fewer of them at once",
            )
        )
    clash = _clash(net, conditions, names)
    parts = [f"soft evidence on {n}" if n in conditions.soft else _told(net, conditions, n) for n in clash]
    if len(clash) == MOST_CLASHING:
        parts.append(f"some of the other {len(names) - len(clash)} pieces of evidence")
    set_ = [f"{name}={net.nodes[name].states[code]}" for name, code in conditions.do.items()]
    if len(set_) > MOST_CLASHING:
        set_[MOST_CLASHING:] = [f"and {len(set_) - MOST_CLASHING} more"]
    raise InputError(
        Problem(
            "impossible evidence: its probability is zero",
            got=" together with ".join(parts) + (f" under do({', '.join(set_)})" if set_ else ""),
            hint="no state of the other nodes allows it; drop one of these",
        )
    )


def _told(net: Network, conditions: Conditions, name: str) -> str:
    return f"{name}={net.nodes[name].states[conditions.hard[name]]}"


def _impossible(net: Network, conditions: Conditions) -> bool:
    """Whether the zeros of the tables forbid the evidence, however small the other numbers are."""
    return bool(np.all(np.isneginf(Exact(net, conditions, support=True).log_probability)))


def _clash(net: Network, conditions: Conditions, names: Sequence[str]) -> list[str]:
    """Evidence that clashes, halving what is left; each piece is needed given those before it."""
    clash: list[str] = []
    rest = list(names)
    while len(clash) < MOST_CLASHING and not _impossible(net, conditions.only(clash)):
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            if _impossible(net, conditions.only([*clash, *rest[:middle]])):
                high = middle
            else:
                low = middle
        clash.append(rest[high - 1])
        rest = rest[: high - 1]
    return sorted(clash, key=net.position.__getitem__)


def evidence_probability(
    net: Network, evidence: Evidence, do: Mapping[str, str] | None = None, *, log: bool = False
) -> float:
    """Return the exact probability of evidence, under interventions.

    Parameters
    ----------
    net : Network
    evidence : mapping
        Node -> state, or node -> likelihood per state (scaled so that its largest is 1).
    do : mapping, optional
    log : bool
        Return the natural logarithm: a probability below 1e-308 is nought as a number.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> round(evidence_probability(net, {"rain": "yes"}), 12)
    0.2
    >>> round(evidence_probability(net, {"rain": "yes"}, log=True), 6)
    -1.609438
    """
    value = float(Exact(net, read_conditions(net, evidence, do)).log_probability[0])
    return value if log else math.exp(value)


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
    require_network(net)
    names = [variables] if isinstance(variables, str) else listed(variables, "variables")
    found = Problems()
    for name in names:
        known_node(net, name, "variables", found)
    if not names:
        found.add("no variable asked for", got=names)
    found.raise_if_any()
    exact = conditioned(net, read_conditions(net, evidence, do))
    result: dict[str, pd.Series] = {}
    for name in dict.fromkeys(names):
        states = net.nodes[name].states
        values = exact_marginal(exact, name)[0]
        result[name] = pd.Series(values, index=pd.Index(states, name="state"), name=name)
    return result


def exact_marginal(exact: Exact, name: str) -> NDArray[np.float64]:
    """Return the marginal of one node, ndarray (draw, state)."""
    if name in exact.fixed:
        return np.eye(len(exact.net.nodes[name].states))[[exact.fixed[name]]]
    tree = exact.question([name], exact.net.nodes[name].region, keep=[name]).tree()
    tree.collect()
    values = np.maximum(tree.rest()[0][1], 0.0).reshape(tree.draws, -1)
    return np.asarray(values / values.sum(axis=1, keepdims=True))


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

    Notes
    -----
    On the shipped network (486 nodes) the first question to a network also finds elimination orders;
    they are kept for later ones of the same shape. Evidence late in a region costs most, since all
    that leads to it must be summed (`make bench` prints the seconds).

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> marginals(net)[["node", "state", "probability"]].round(6)
       node state  probability
    0  rain    no         0.80
    1  rain   yes         0.20
    2   wet    no         0.76
    3   wet   yes         0.24
    """
    exact = conditioned(net, read_conditions(net, evidence, do))
    values = _all_marginals(exact)
    rows: list[tuple[str | float, ...]] = []
    for name, node in net.nodes.items():
        probabilities = values[name]
        rows.extend(
            (name, node.base, node.cls or "", node.region or "", node.period or "", state, float(value))
            for state, value in zip(node.states, probabilities, strict=True)
        )
    return pd.DataFrame(rows, columns=["node", "base", "class", "region", "period", "state", "probability"])


def _all_marginals(exact: Exact) -> dict[str, NDArray[np.float64]]:
    """Marginals of every node: small trees for few targets at a time cost less than one for all."""
    net = exact.net
    done = {name: np.eye(len(net.nodes[name].states))[code] for name, code in exact.fixed.items()}
    groups: dict[tuple[str | None, ...], list[str]] = {}
    for name, node in net.nodes.items():
        # Nodes that classes of the period before feed into have far more ancestors than the others.
        heavy = name if exact.splits(name) else None
        region = node.region if net.regions_apart else None
        groups.setdefault((region, node.period, node.cls, heavy), []).append(name)
    for (region, *_), names in groups.items():
        targets = [name for name in names if name not in done]
        if not targets:
            continue
        joint = len(targets) <= JOINT_TARGETS
        question = exact.question(targets, region, keep=targets if joint else ())
        wanted = {net.position[name]: name for name in targets}
        if joint:
            scope, values = question.kept(net.orders)
            for axis, variable in enumerate(scope):
                others = tuple(other for other in range(len(scope)) if other != axis)
                marginal = np.maximum(values.sum(axis=others), 0.0)
                done[wanted[variable]] = marginal / marginal.sum()
        else:
            tree = question.tree()
            tree.collect()
            for variable, marginals_ in tree.marginals(wanted).items():
                done[wanted[variable]] = marginals_[0]
    return done
