"""Tables of several experts' opinions, pooled row by row into the tables of a network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.events import PLACE, SOURCED, Cell, read_cells, row_label
from sinkrisk.network.opinions import MOST_JUDGEMENTS, Method, check_method, pool_checked, shares_of
from sinkrisk.network.table_checks import SUM_TOLERANCE
from sinkrisk.network.tables import TableRule
from sinkrisk.network.updating import Drawn, full_rule, is_drawn, row_sizes, with_rules
from sinkrisk.priors.schemas import Column, Schema

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OPINIONS = Schema(
    "opinions",
    (
        Column("expert"),
        *PLACE,
        Column("probability", "number", minimum=0.0, maximum=1.0),
        Column("weight", "number", required=False, minimum=0.0),
        *SOURCED,
    ),
)


def pooled_table(
    net: Network,
    opinions: str | os.PathLike[str] | pd.DataFrame,
    *,
    method: Method = "linear",
    weights: Mapping[str, float] | None = None,
    cap: float = MOST_JUDGEMENTS,
    local: bool = False,
    ranked: Drawn = "refuse",
) -> tuple[Network, pd.DataFrame]:
    """Return the network with rows of its tables replaced by pooled opinions, and what was pooled.

    Parameters
    ----------
    net : Network
    opinions : path or DataFrame
        Columns expert, node, given, state, probability; weight, source, locator and note may be left
        out. ``given`` holds the states of all parents as ``parent=state; parent=state``, as in
        `read_events`, or each parent has a column of its own. An expert who speaks of a row gives every
        state of it. A row of a table nobody speaks of stays as it is.
    method : {"linear", "logarithmic"}
    weights : mapping, optional
        Expert -> weight, in place of the column; an expert who does not speak of a row is left out
        of its pool.
    cap : float
        Largest equivalent sample size that agreement implies.
    local : bool
        False: what is said of one node of a plate holds for every node that shares its rule. True:
        the node gets a table of its own.
    ranked : {"refuse", "full"}
        What becomes of ranked and noisy-max tables, as in `updated`.

    Returns
    -------
    Network
        Replaced rows have the size that the experts' scatter implies in `TableRule.row_sizes`; the
        row of a single expert keeps the size it had.
    DataFrame
        One row per state of each row replaced: table (its rule's key), node, given, state, experts,
        stated (before), pooled, lowest, highest, sd, divergence (nats), stated_size, implied_size
        (NaN for one expert), vetoed_by (experts whose nought alone made a logarithmic pool nought,
        joined by ``; ``). ``attrs`` holds ``method`` and ``cap``.

    Raises
    ------
    InputError
        Every problem at once, with file, row and column; then rows that do not sum to one or lack a
        state, weights that contradict each other or name nobody, an expert who speaks of one row
        twice through two nodes of a plate; tables that cannot be replaced.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> said = pd.DataFrame(
    ...     {
    ...         "expert": ["a", "a", "b", "b"],
    ...         "node": "rain",
    ...         "state": ["no", "yes"] * 2,
    ...         "probability": [0.7, 0.3, 0.5, 0.5],
    ...     }
    ... )
    >>> after, summary = pooled_table(net, said)
    >>> after.tables["rain"].round(12)
    array([0.6, 0.4])
    """
    found = Problems(file=None if isinstance(opinions, pd.DataFrame) else str(opinions))
    check_method(method, cap, found)
    if weights is not None and not isinstance(weights, Mapping):
        found.add("weights", got=weights, allowed="a mapping of expert to weight", key="weights")
    found.raise_if_any()
    frame, cells = read_cells(net, opinions, OPINIONS, ("expert",))
    said = _by_row(net, frame, cells, weights, local, found)
    found.raise_if_any()
    replaced: dict[str, TableRule] = {}
    remarks: dict[str, str] = {}
    lines: list[dict[str, str | int | float]] = []
    for target, rows in said.items():
        node = next(iter(rows.values())).node
        rule = net.rules[net.nodes[node].rule]
        if is_drawn(rule) and ranked == "refuse":
            hint = "ask for ranked='full', which makes it a full table first"
            found.add(f"node '{node}': opinions replace rows of full tables only", got=target, hint=hint)
            continue
        replaced[target] = _replaced(net, full_rule(rule), rows, method, cap, found, lines)
        sources = dict.fromkeys(source for said_of in rows.values() for source in said_of.sources)
        remarks[target] = f"Rows pooled from experts: {len(rows)} ({'; '.join(sources)})."
    found.raise_if_any()
    after = with_rules(net, {} if local else replaced, replaced if local else {}, remarks)
    summary = pd.DataFrame(lines)
    summary.attrs.update(method=method, cap=cap)
    return after, summary


@dataclass(frozen=True)
class _Said:
    """What experts say of one row of a table: probabilities by expert, and their shares."""

    node: str
    values: dict[str, Floats]
    shares: Floats
    sources: tuple[str, ...]


def _by_row(
    net: Network,
    frame: pd.DataFrame,
    cells: Sequence[Cell],
    weights: Mapping[str, float] | None,
    local: bool,
    found: Problems,
) -> dict[str, dict[tuple[int, ...], _Said]]:
    """Table -> row -> what is said of it, checked."""
    experts = [str(name) for name in frame["expert"]]
    origins = [str(source) for source in frame["source"]]
    stated = frame["weight"].to_numpy(dtype=float)
    if weights is not None:
        if np.any(np.isfinite(stated)):
            found.add("weights given twice", got="the column and the argument", key="weight")
        shares_of(weights, list(dict.fromkeys(experts)), found)
    lines: dict[tuple[str, tuple[int, ...]], dict[str, list[int]]] = {}
    for number, (cell, expert) in enumerate(zip(cells, experts, strict=True)):
        target = cell.node if local else net.nodes[cell.node].rule
        lines.setdefault((target, cell.row), {}).setdefault(expert, []).append(number)
    chances = frame["probability"].to_numpy(dtype=float)
    result: dict[str, dict[tuple[int, ...], _Said]] = {}
    for (target, row), by_expert in lines.items():
        node = cells[next(iter(by_expert.values()))[0]].node
        values = {
            expert: _opinion(net, [cells[n] for n in numbers], chances[numbers], expert, found)
            for expert, numbers in by_expert.items()
        }
        if weights is None:
            shares = _stated_shares(stated, by_expert, cells, found)
        else:
            shares = np.array([float(weights.get(expert, 0.0)) for expert in values])
            if not found and not shares.sum() > 0.0:
                where = f"{node} given {row_label(net, node, row)}" if row else node
                found.add("nobody of positive weight speaks of a row", got=where, key="weights")
        if not found:
            sources = tuple(dict.fromkeys(origins[n] for numbers in by_expert.values() for n in numbers))
            result.setdefault(target, {})[row] = _Said(node, values, shares / shares.sum(), sources)
    return result


def _opinion(net: Network, cells: Sequence[Cell], chances: Floats, expert: str, found: Problems) -> Floats:
    """One expert's row, in the order of the states."""
    first = cells[0]
    states = net.nodes[first.node].states
    values = np.full(len(states), math.nan)
    values[[cell.state for cell in cells]] = chances
    other = next((cell for cell in cells if cell.node != first.node), None)
    if other is not None:
        found.add(
            f"expert '{expert}' speaks of one row through two nodes that share a table",
            got=f"{first.node}, {other.node}",
            key="node",
            row=other.at,
            hint="say it once, or ask for local=True",
        )
    elif np.isnan(values).any():
        missing = [state for state, value in zip(states, values, strict=True) if math.isnan(value)]
        found.add(
            f"expert '{expert}' on {first.node}: state without a probability",
            got=", ".join(state for state in states if state not in missing),
            allowed=", ".join(states),
            key="state",
            row=first.at,
        )
    elif abs(values.sum() - 1.0) > SUM_TOLERANCE:
        what = f"expert '{expert}' on {first.node}: probabilities do not sum to one"
        found.add(what, got=round(float(values.sum()), 9), allowed="1", key="probability", row=first.at)
    return values / values.sum() if values.sum() > 0.0 else values


def _stated_shares(
    stated: Floats, by_expert: Mapping[str, Sequence[int]], cells: Sequence[Cell], found: Problems
) -> Floats:
    """Weights of a row's experts from the column: one for each expert, or for none."""
    shares = []
    for expert, numbers in by_expert.items():
        own = {float(value) for value in stated[list(numbers)] if not math.isnan(value)}
        if len(own) > 1:
            what = f"expert '{expert}': two weights for one row"
            found.add(what, got=", ".join(map(str, sorted(own))), key="weight", row=cells[numbers[0]].at)
        shares.append(max(own, default=math.nan))
    result = np.array(shares)
    if np.isnan(result).all():
        return np.ones(len(result))
    at = cells[next(iter(by_expert.values()))[0]].at
    if np.isnan(result).any():
        lacking = [name for name, share in zip(by_expert, shares, strict=True) if math.isnan(share)]
        what = "expert without a weight on a row where others have one"
        found.add(what, got=", ".join(lacking), key="weight", row=at)
    elif not result.sum() > 0.0:
        found.add("nobody of positive weight speaks of a row", got=0.0, key="weight", row=at)
    return result


def _replaced(
    net: Network,
    rule: TableRule,
    rows: Mapping[tuple[int, ...], _Said],
    method: Method,
    cap: float,
    found: Problems,
    lines: list[dict[str, str | int | float]],
) -> TableRule:
    """The table with its rows replaced; a line of the summary for each state."""
    mean, sizes, before = rule.mean.copy(), row_sizes(rule).copy(), row_sizes(rule)
    node = next(iter(rows.values())).node
    states = net.nodes[node].states
    for row, said in rows.items():
        names = list(said.values)
        try:
            pooled = pool_checked(np.array(list(said.values.values())), names, method, said.shares, cap)
        except InputError as error:
            found.add(f"node '{said.node}', {row_label(net, said.node, row)}: {error}")
            continue
        mean[row] = pooled.probabilities
        if not math.isnan(pooled.equivalent_sample_size):
            sizes[row] = pooled.equivalent_sample_size
        for code, state in enumerate(states):
            lines.append(
                {
                    "table": net.nodes[node].rule,
                    "node": said.node,
                    "given": row_label(net, said.node, row),
                    "state": state,
                    "experts": int((said.shares > 0.0).sum()),
                    "stated": float(rule.mean[(*row, code)]),
                    "pooled": float(pooled.probabilities[code]),
                    "lowest": float(pooled.lowest[code]),
                    "highest": float(pooled.highest[code]),
                    "sd": float(pooled.sd[code]),
                    "divergence": pooled.divergence,
                    "stated_size": float(before[row]),
                    "implied_size": pooled.equivalent_sample_size,
                    "vetoed_by": "; ".join(name for name, vetoed in pooled.vetoes if vetoed == code),
                }
            )
    finite = np.isfinite(sizes)
    if not finite.all() and finite.any():
        found.add(
            f"node '{node}': opinions on some rows of a table that is certain",
            got="equivalent sample size inf",
            hint="give the table a finite equivalent sample size, or opinions on every row",
        )
    return TableRule(rule.stream, mean, float(sizes.min()), rule.correlation, row_sizes=sizes)
