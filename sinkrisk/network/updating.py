"""Updating the tables by counts of events: Dirichlet rows in closed form.

A row of a full table is Dirichlet(s m), s its equivalent sample size and m its stated probabilities.
Counts n of the child's states under that row's parent states make it Dirichlet(s m + n): mean
(s m + n) / (s + N) and size s + N, N the sum of the counts (Gelman et al., Bayesian Data Analysis,
3rd edition, section 3.4). Nodes that share a rule share one belief, so their counts add up.

Rows are updated one by one: what the shared deviation of a table (see `tables`) lets one row's counts
say of another row is left out, and the deviation stays shared afterwards. Each row's interval is
exact given its own counts alone; `reweighing` uses the dependence, and the two then disagree. Of two
rows stated at 0.20, each worth ten judgements and of correlation 0.5, with 30 of 40 events in the
state under the first and none seen under the second, `updated` gives 0.64 and 0.20, `reweighed` 0.64
and 0.39. Where only some rows of such a table have counts, `updated` says so in the rationale of its
nodes. `reweighing` is also the way for ranked and noisy-max tables, whose drawn parameters have no
conjugate form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.events import EVENT_IDENTITY, EVENTS, read_cells, row_label
from sinkrisk.network.tables import TableRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sinkrisk.network.events import TableSource

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

Drawn = Literal["refuse", "full"]
"""What becomes of a table of drawn parameters: refused, or made a full table of equal moments."""

MATCHING_DRAWS = 1024
"""Draws behind the moments of a table of drawn parameters: their variances are good to 5 %."""


@dataclass(frozen=True)
class Observed:
    """Counts that speak of one table.

    Parameters
    ----------
    rule : str
        Key of the table in `Network.rules`.
    nodes : tuple of str
        Nodes with counts.
    counts : ndarray of int64 (parent states ..., states)
    sources : tuple of str
        Where the counts come from.
    file : str or None
    at : int or None
        File and row of the first of them, for messages.
    """

    rule: str
    nodes: tuple[str, ...]
    counts: Counts
    sources: tuple[str, ...] = ()
    file: str | None = None
    at: int | None = None


def updated(net: Network, events: TableSource, *, local: bool = False, ranked: Drawn = "refuse") -> Network:
    """Return the network with its tables updated by counts of events.

    Parameters
    ----------
    net : Network
    events : path or DataFrame
        Columns node, given, state, count, ...: see `read_events`. ``given`` holds the states of all
        parents as ``parent=state; parent=state``.
    local : bool
        False: counts of nodes that share a rule of a plate are pooled on it, and move every node of
        it. True: a node with counts gets a table of its own; what that table still doubts it shares
        with the plate's (the same random numbers), as overrides do.
    ranked : {"refuse", "full"}
        Ranked and noisy-max tables with counts: refused, or first turned into full tables whose rows
        have the mean and the summed variance of the table's draws, and whose shared deviation has
        their mean correlation between rows (`full_rule`). A noisy-max table so turned no longer
        splits, which makes exact queries dearer.

    Returns
    -------
    Network
        Same nodes and states; `TableRule.row_sizes` of updated tables holds s + N of each row, and
        their `equivalent_sample_size` the smallest of them. The nodes' rationale names the sources,
        and where rows without counts share a deviation with rows that have some, that they were left
        as stated and that `reweighed` would move them.

    Raises
    ------
    InputError
        Every problem of the events at once; then every table that cannot be updated: one that is
        certain (infinite equivalent sample size), holds a counted state impossible, or is of drawn
        parameters.

    Examples
    --------
    >>> import pandas as pd
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> seen = pd.DataFrame({"node": "rain", "state": ["no", "yes"], "count": [4, 6]})
    >>> after = updated(net, seen)
    >>> after.tables["rain"], after.rules["rain"].row_sizes
    (array([0.6, 0.4]), array(20.))
    """
    rules: dict[str, TableRule] = {}
    own: dict[str, TableRule] = {}
    remarks: dict[str, str] = {}
    for seen, rule in conjugate_rules(net, observed(net, events, local=local), ranked):
        key, target = (seen.nodes[0], own) if local else (seen.rule, rules)
        target[key] = _posterior(rule, seen.counts)
        remarks[key] = f"Updated by {int(seen.counts.sum())} events ({'; '.join(seen.sources)})."
        remarks[key] += _left_alone(rule, seen.counts)
    return with_rules(net, rules, own, remarks)


def observed(net: Network, events: TableSource, *, local: bool = False) -> list[Observed]:
    """Return the counts of a table of events by the table they speak of.

    Parameters
    ----------
    net : Network
    events : path or DataFrame
    local : bool
        Whether each node stands alone; otherwise those of one rule are added up.

    Raises
    ------
    InputError
        As `events.read_events`.
    """
    frame, cells = read_cells(net, events, EVENTS, EVENT_IDENTITY)
    groups: dict[str, Observed] = {}
    for cell, count, source in zip(cells, frame["count"], frame["source"], strict=True):
        rule = net.nodes[cell.node].rule
        key = cell.node if local else rule
        if key not in groups:
            counts = np.zeros(net.tables[cell.node].shape, dtype=np.int64)
            groups[key] = Observed(rule, (), counts, file=frame.attrs.get("path"), at=cell.at)
        before = groups[key]
        before.counts[(*cell.row, cell.state)] += int(count)
        groups[key] = dataclasses.replace(
            before,
            nodes=tuple(dict.fromkeys((*before.nodes, cell.node))),
            sources=tuple(dict.fromkeys((*before.sources, str(source)))),
        )
    return list(groups.values())


def conjugate_rules(
    net: Network, groups: list[Observed], ranked: Drawn = "refuse"
) -> list[tuple[Observed, TableRule]]:
    """Return each group of counts with its table as Dirichlet rows.

    Raises
    ------
    InputError
        Every table that counts cannot update, see `updated`.
    """
    if ranked not in get_args(Drawn):
        raise InputError(Problem("what becomes of ranked tables", got=ranked, allowed=get_args(Drawn)))
    found = Problems()
    pairs = []
    for seen in groups:
        rule, node = net.rules[seen.rule], seen.nodes[0]
        found.file = seen.file
        _refuse_impossible(net, seen, found)
        if not np.isfinite(rule.equivalent_sample_size):
            found.add(
                f"node '{node}': counts cannot move a table that is certain",
                got="equivalent sample size inf",
                row=seen.at,
                hint="give the table a finite equivalent sample size",
            )
        elif is_drawn(rule) and ranked == "refuse":
            kind = "ranked" if rule.ranked is not None else "noisy-max"
            found.add(
                f"node '{node}': no conjugate update of a {kind} table, which draws its parameters",
                row=seen.at,
                hint="reweigh a bank of table draws, or ask for ranked='full'",
            )
        elif not found:
            pairs.append((seen, full_rule(rule)))
    found.raise_if_any()
    return pairs


def _refuse_impossible(net: Network, seen: Observed, found: Problems) -> None:
    node = seen.nodes[0]
    for index in np.argwhere((seen.counts > 0) & (net.rules[seen.rule].mean <= 0.0)):
        *row, state = (int(code) for code in index)
        given = row_label(net, node, row)
        found.add(
            f"node '{node}': counts of a state that the table holds impossible",
            got=f"{net.nodes[node].states[state]}" + (f" given {given}" if given else ""),
            row=seen.at,
            hint="no count makes a probability of nought positive: mend the table",
        )


def is_drawn(rule: TableRule) -> bool:
    """Return whether a table draws parameters rather than rows."""
    return rule.ranked is not None or rule.noisy is not None


def row_sizes(rule: TableRule) -> Floats:
    """Return the equivalent sample size of each row of a full table, shape (parent states ...)."""
    if rule.row_sizes is not None:
        return rule.row_sizes
    return np.full(rule.mean.shape[:-1], rule.equivalent_sample_size)


def full_rule(rule: TableRule) -> TableRule:
    """Return a table as Dirichlet rows; one of drawn parameters is matched by moments.

    Each row keeps its mean m; its size s is such that the variances of a Dirichlet, summed over the
    states, sum(m (1 - m)) / (s + 1), equal those of `MATCHING_DRAWS` draws. The correlation of the
    shared deviation is the mean correlation between rows of those draws, over states.

    Examples
    --------
    >>> full = TableRule("t", np.array([0.5, 0.5]), 10.0)
    >>> full_rule(full) is full
    True
    """
    if not is_drawn(rule):
        return rule
    draws = rule.draw(MATCHING_DRAWS, np.random.default_rng(1))
    variance = draws.var(axis=0).sum(axis=-1)
    spread = (rule.mean * (1.0 - rule.mean)).sum(axis=-1)
    # A row that does not move (all on one state) takes the table's size: no count can move it either.
    moving = variance > 0.0
    sizes = np.full(variance.shape, float(rule.equivalent_sample_size))
    sizes[moving] = np.maximum(spread[moving] / variance[moving] - 1.0, np.finfo(float).tiny)
    return TableRule(
        rule.stream,
        rule.mean.copy(),
        float(sizes.min()),
        _row_correlation(draws, rule.correlation),
        row_sizes=sizes,
    )


def _row_correlation(draws: Floats, default: float) -> float:
    """Mean correlation between rows of one state's probabilities, over states; not below nought."""
    values = draws.reshape(len(draws), -1, draws.shape[-1])
    sd = values.std(axis=0)
    moving = np.all(sd > 0.0, axis=-1)
    count = int(moving.sum())
    if count < 2:
        return default
    scores = (values[:, moving] - values[:, moving].mean(axis=0)) / sd[moving]
    # The variance of a sum of `count` standard scores is count + count (count - 1) x mean correlation.
    mean = (scores.sum(axis=1).var(axis=0) - count) / (count * (count - 1))
    return float(np.clip(mean.mean(), 0.0, 1.0))


def _posterior(rule: TableRule, counts: Counts) -> TableRule:
    before = row_sizes(rule)
    seen = counts.sum(axis=-1)
    sizes = before + seen
    # Rows without counts stay as they are to the last bit.
    mean, told = rule.mean.copy(), seen > 0
    mean[told] = (before[told, None] * rule.mean[told] + counts[told]) / sizes[told, None]
    return dataclasses.replace(
        rule,
        mean=mean,
        equivalent_sample_size=float(sizes.min()),
        row_sizes=np.asarray(sizes, dtype=float),
    )


def _left_alone(rule: TableRule, counts: Counts) -> str:
    """Say which rows the counts would speak of and the update leaves as they are; empty for none."""
    told = counts.sum(axis=-1) > 0
    if rule.correlation == 0.0 or told.all() or not told.any():
        return ""
    return (
        f" {int((~told).sum())} of {told.size} rows without events were left as stated, though rows share"
        f" their deviation (correlation {rule.correlation:g}): reweighed lets the events speak of them too."
    )


def with_rules(
    net: Network,
    rules: Mapping[str, TableRule],
    own: Mapping[str, TableRule],
    remarks: Mapping[str, str],
) -> Network:
    """Return the network with other tables, their doubt included.

    Parameters
    ----------
    net : Network
    rules : mapping
        Key of a rule -> what stands in its place.
    own : mapping
        Node -> a table of its own; a rule that no other node has keeps its key.
    remarks : mapping
        What to add to the rationale of the nodes concerned, by the same keys.
    """
    users: dict[str, int] = {}
    for node in net.nodes.values():
        users[node.rule] = users.get(node.rule, 0) + 1
    key_of = {
        name: f"{node.rule}|{name}" if name in own and users[node.rule] > 1 else node.rule
        for name, node in net.nodes.items()
    }
    made = {key_of[name]: rule for name, rule in own.items()}
    # In the order of the old rules, so that the seeds of a bank fall on the same tables as before.
    ordered: dict[str, TableRule] = {}
    for key, rule in net.rules.items():
        ordered[key] = made.get(key, rules.get(key, rule))
        for name in own:
            if net.nodes[name].rule == key:
                ordered[key_of[name]] = made[key_of[name]]
    used = set(key_of.values())
    nodes = [
        dataclasses.replace(
            node,
            rule=key_of[name],
            equivalent_sample_size=ordered[key_of[name]].equivalent_sample_size,
            rationale=". ".join(filter(None, (node.rationale.rstrip(". "), remarks[_key(node, own)]))),
        )
        if name in own or node.rule in rules
        else node
        for name, node in net.nodes.items()
    ]
    return Network(
        nodes,
        {key: rule for key, rule in ordered.items() if key in used},
        name=net.name,
        description=net.description,
        plates=net.plates,
    )


def _key(node: Node, own: Mapping[str, TableRule]) -> str:
    return node.name if node.name in own else node.rule
