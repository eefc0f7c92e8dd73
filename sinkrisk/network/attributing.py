"""What lies behind what happened: posteriors over causes.

That a node's state became more probable after the fact is not that it brought the fact about: the
two differ where both have a common cause. So each state is given twice, as seen (what observing it
says about the evidence) and as set (what bringing it about by `do` makes of the evidence).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions, Evidence, known_node, read_conditions
from sinkrisk.network.exact import Exact
from sinkrisk.network.factors import WHOLE, graph_under, network_pieces, sum_gradients
from sinkrisk.network.inference import query

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAUSE_GROUPS = ("policy", "market", "acceptance", "climate")
"""Groups of nodes that count as causes unless candidates are named."""

_COLUMNS = (
    "node",
    "base",
    "class",
    "region",
    "period",
    "group",
    "state",
    "prior",
    "posterior",
    "likelihood",
    "bayes_factor",
    "log_likelihood_ratio",
    "evidence_probability",
    "likelihood_if_set",
    "total_effect",
)


def causes(
    net: Network,
    evidence: Evidence,
    candidates: Iterable[str] | None = None,
    do: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return how evidence changes what is believed of its possible causes, exactly.

    Parameters
    ----------
    net : Network
    evidence : mapping
        What happened: node -> state, or node -> likelihood per state (see `realised`).
    candidates : iterable of str, optional
        Nodes without evidence of their own; None: everything upstream of the evidence in the
        groups policy, market, acceptance and climate.
    do : mapping, optional
        Node -> state it was set to, before and after.

    Returns
    -------
    DataFrame
        One row per candidate and state, the candidates whose distribution moved most (by total
        variation) first. Columns node, base, class, region, period, group, state, and

        - ``prior``, ``posterior``: probability before and after the evidence;
        - ``likelihood``: P(evidence | state), and ``evidence_probability``: P(evidence); soft
          evidence counts with its largest likelihood 1;
        - ``bayes_factor``: P(evidence | state) / P(evidence | any other state);
        - ``log_likelihood_ratio``: ln P(evidence | state) - ln P(evidence), which is also
          ln posterior - ln prior;
        - ``likelihood_if_set``: P(evidence | do(node = state)), and ``total_effect``: that less
          P(evidence). Nought for a node that is only a sign of the evidence's causes.

        NaN where a state is impossible beforehand; infinite where it alone allows the evidence.

    Raises
    ------
    InputError
        For unknown nodes or states, impossible evidence, no evidence, candidates that carry
        evidence or are set, and when nothing is upstream of the evidence.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain"]},
    ...     {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> found = causes(net, {"wet": "yes"}, ["rain"])
    >>> print(found[["state", "prior", "posterior", "bayes_factor"]].round(3).to_string(index=False))
    state  prior  posterior  bayes_factor
       no    0.8      0.333         0.125
      yes    0.2      0.667         8.000
    """
    conditions = read_conditions(net, evidence, do)
    names = _candidates(net, conditions, candidates)
    query(net, names[:1], evidence, do)  # refuses impossible evidence
    total = math.exp(float(Exact(net, conditions).log_probability[0]))
    parents = graph_under(net, conditions)
    upstream = net.ancestors([*conditions.hard, *conditions.soft], parents)
    before = _swept(net, Conditions({}, {}, conditions.do), net.ancestors(names, parents), names)
    after = _swept(net, conditions, upstream, names)
    blocks: list[tuple[float, pd.DataFrame]] = []
    for name in names:
        node = net.nodes[name]
        prior = before[name][0] if name in before else query(net, name, do=do)[name].to_numpy(float)
        if name in after:
            posterior, as_set = after[name]
        else:
            posterior = query(net, name, evidence, do)[name].to_numpy(float)
            as_set = np.full(len(prior), total)
            if name in upstream:
                as_set = np.array([_probability_if_set(net, conditions, name, c) for c in range(len(prior))])
        block = pd.DataFrame(
            {
                "node": name,
                "base": node.base,
                "class": node.cls or "",
                "region": node.region or "",
                "period": node.period or "",
                "group": node.group,
                "state": node.states,
                "prior": prior,
                "posterior": posterior,
                **_support(prior, posterior, total),
                "evidence_probability": total,
                "likelihood_if_set": as_set,
                "total_effect": as_set - total,
            }
        )
        blocks.append((float(np.abs(posterior - prior).sum()) / 2.0, block))
    # A stable sort: nodes that moved alike stay in the order in which they were named.
    blocks.sort(key=lambda block: -block[0])
    return pd.concat([block for _, block in blocks], ignore_index=True)[list(_COLUMNS)]


def _support(
    prior: NDArray[np.float64], posterior: NDArray[np.float64], total: float
) -> dict[str, NDArray[np.float64]]:
    """What the evidence says for each state, by Bayes' rule from its probabilities."""
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = np.where(prior > 0.0, posterior * total / prior, np.nan)
        odds = (posterior / (1.0 - posterior)) / (prior / (1.0 - prior))
        # A state that is certain has no rival to be compared with.
        factor = np.where((prior > 0.0) & (prior < 1.0), odds, np.nan)
        ratio = np.where(prior > 0.0, np.log(posterior) - np.log(prior), np.nan)
    return {"likelihood": likelihood, "bayes_factor": factor, "log_likelihood_ratio": ratio}


def _swept(
    net: Network, conditions: Conditions, relevant: Collection[str], names: Collection[str]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Marginal, and probability of the evidence if set, of the names in the tree that enter whole.

    The derivative of the evidence's probability in a table's entry is the probability of evidence
    and parents if the state were set; times the entry it is that of evidence, parents and state.
    """
    pieces, cards, order = network_pieces(net, conditions, relevant)
    sums = sum_gradients([(piece.scope, piece.values) for piece in pieces], cards, order)
    found = {}
    for piece, gradient in zip(pieces, sums.gradients, strict=True):
        if piece.part == WHOLE and piece.node in names:
            states = gradient.shape[-1]
            seen = (piece.values * gradient).reshape(-1, states).sum(axis=0)
            as_set = gradient.reshape(-1, states).sum(axis=0)
            found[piece.node] = (seen / seen.sum(), as_set * math.exp(sums.log_scale))
    return found


def _probability_if_set(net: Network, conditions: Conditions, name: str, code: int) -> float:
    changed = Conditions(conditions.hard, conditions.soft, {**conditions.do, name: code})
    return math.exp(float(Exact(net, changed).log_probability[0]))


def _candidates(net: Network, conditions: Conditions, named: Iterable[str] | None) -> list[str]:
    seen = {**conditions.hard, **conditions.soft}
    if not seen:
        raise InputError(Problem("no evidence to explain", got={}, key="evidence"))
    if named is None:
        upstream = net.ancestors(seen, graph_under(net, conditions))
        found = [
            name
            for name in net.order
            if name in upstream
            and net.nodes[name].group in CAUSE_GROUPS
            and name not in seen
            and name not in conditions.do
        ]
        if not found:
            raise InputError(
                Problem(
                    "nothing upstream of the evidence counts as a cause",
                    got=list(seen),
                    hint=f"causes are of the groups {', '.join(CAUSE_GROUPS)}; or name candidates",
                )
            )
        return found
    problems = Problems()
    names = list(dict.fromkeys([named] if isinstance(named, str) else named))
    for name in names:
        if known_node(net, name, "candidates", problems) and (name in seen or name in conditions.do):
            problems.add("candidate carries evidence or is set by do", got=name, key="candidates")
    if not names:
        problems.add("no candidate named", got=names, key="candidates")
    problems.raise_if_any()
    return names
