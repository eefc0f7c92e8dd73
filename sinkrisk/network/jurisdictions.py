"""Jurisdictions ranked by deployment risk, and how sure the ranks are.

The review (section 4.3) asks for a module that weighs "policy incentive strength", "public
acceptance" and "governance capacity" and ranks deployment risk across jurisdictions. The risk of a
region is the probability that a class that could be deployed there falls back to passive redundancy
or collapses, averaged over classes and periods; the indicators are shown beside it, not added up.

Regions differ by hundredths, less than sampling under one draw of the tables would blur them. So the
risk is summed exactly under every draw, as `query_draws` does, once for all regions whose tables are
the same; ranks then speak of doubt about the tables alone, and equal regions share theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.cells import FALLEN, Cells, deployment_nodes
from sinkrisk.network.conditions import read_conditions
from sinkrisk.network.factors import graph_under
from sinkrisk.network.simulated import (
    check_bank,
    check_mass,
    interval,
    interval_errors,
    mean_error,
    state_probabilities,
)
from sinkrisk.network.tables import TableBank, favourability
from sinkrisk.network.uncertain import marginal_draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 128
"""Draws of the bank used unless asked otherwise: a rank's probability is good to .044 or better."""
INDICATORS = ("policy_support", "public_acceptance", "governance_capacity", "institutional_compatibility")
"""Nodes whose mean favourability (0 worst, 1 best) stands beside the risk."""


@dataclass(frozen=True)
class JurisdictionRanking:
    """Regions by deployment risk.

    Parameters
    ----------
    table : DataFrame
        One row per region, the riskiest first: region, risk, risk_low, risk_high, mean_rank
        (1 is riskiest), mc_error (standard error of risk from the number of draws), mc_error_low,
        mc_error_high (those of the ends), cells, the indicators, interval_kind, interval_mass.
    ranks : DataFrame
        region, rank, probability, mc_error (its standard error from the number of draws); rank 1 is
        the riskiest.
    cells : str
        The cells that were counted, in words.
    """

    table: pd.DataFrame
    ranks: pd.DataFrame
    cells: str = ""


def rank_jurisdictions(
    net: Network,
    bank: TableBank,
    *,
    cells: Cells = "possible",
    periods: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    do: Mapping[str, str] | None = None,
    mass: float = 0.9,
    samples: int = 256,
    rng: random.RandomSource = 1,
    draws: int | None = DRAWS,
) -> JurisdictionRanking:
    """Rank regions by the probability that deployment falls back or collapses.

    Parameters
    ----------
    net : Network
    bank : TableBank
        Intervals and rank probabilities run over its draws, or `draws` of them.
    cells : "possible", "all" or collection of (class, region)
        Those that count: where a pathway of the class is possible (see `possible_cells`), all, or
        these.
    periods : sequence of str, optional
    weights : mapping of str to float, optional
        Class -> weight in a region's mean; 1 where left out.
    do : mapping, optional
        Rank under an intervention.
    mass : float
        Of the equal-tailed intervals.
    samples, rng
        Joint samples per draw behind the indicators, and their seed; the risk is not sampled.
    draws : int or None
        Draws of the bank used, evenly spaced in its order (from the least to the most favourable
        tables); None: all. The long term costs a hundred times what the periods before it do.

    Returns
    -------
    JurisdictionRanking

    Raises
    ------
    InputError
        As in `scenario_effects`; unknown periods or classes, a weight below nought, no positive
        number of draws, and a network whose exact sums are too large.

    Notes
    -----
    Under each draw the regions are ranked by their exact risk; regions of equal risk share the ranks
    they take evenly. Rank probabilities are means over the draws, so they hold doubt about the
    tables, and chance only from the number of draws.

    Examples
    --------
    >>> from sinkrisk.network import load, table_bank
    >>> net = load(regions=["arid_zones", "northern_europe"], periods=["near_term"])
    >>> found = rank_jurisdictions(net, table_bank(net, 64, rng=1), draws=16)
    >>> list(found.table.region)
    ['northern_europe', 'arid_zones']
    >>> found.cells
    'the 9 of 10 cells (class, region) in which a pathway is possible'
    """
    check_mass(mass)
    check_bank(net, bank)
    bank = _thinned(bank, draws)
    nodes, counted = _chosen(net, cells, periods, weights or {})
    regions = list(dict.fromkeys(str(node.region) for node in nodes))
    beside = [node for node in net.nodes.values() if node.base in INDICATORS and node.region in regions]
    if periods is not None:
        beside = [node for node in beside if node.period is None or node.period in periods]
    places = {(node.cls, node.region) for node in nodes}
    beside = [node for node in beside if node.cls is None or (node.cls, node.region) in places]
    found = state_probabilities(net, bank, [node.name for node in beside], do, samples=samples, rng=rng)
    exact = _fallen_draws(net, bank, nodes, do)
    values = np.empty((len(regions), bank.size))
    rows = []
    for index, region in enumerate(regions):
        own = [node for node in nodes if node.region == region]
        share = np.array([(weights or {}).get(str(node.cls), 1.0) for node in own])
        values[index] = share / share.sum() @ np.array([exact[node.name] for node in own])
        low, high = interval(values[index], mass)
        low_error, high_error = interval_errors(values[index], mass)
        rows.append(
            {
                "region": region,
                "risk": float(values[index].mean()),
                "risk_low": low,
                "risk_high": high,
                "mc_error": mean_error(values[index]),
                "mc_error_low": low_error,
                "mc_error_high": high_error,
                "cells": len(own),
                **_indicators(found, [node for node in beside if node.region == region]),
            }
        )
    shares = _rank_shares(values)
    table = pd.DataFrame(rows).assign(mean_rank=shares.mean(axis=2) @ np.arange(1, len(regions) + 1))
    table = table.assign(interval_kind="equal-tailed", interval_mass=mass)
    ranks = pd.DataFrame(
        [
            (region, rank, float(shares[index, rank - 1].mean()), mean_error(shares[index, rank - 1]))
            for index, region in enumerate(regions)
            for rank in range(1, len(regions) + 1)
        ],
        columns=["region", "rank", "probability", "mc_error"],
    )
    table = table.sort_values("risk", ascending=False, ignore_index=True)
    table.attrs["cells"] = counted
    return JurisdictionRanking(table, ranks, counted)


def _thinned(bank: TableBank, draws: int | None) -> TableBank:
    if draws is None:
        return bank
    if isinstance(draws, bool) or not isinstance(draws, (int, np.integer)) or draws < 1:
        raise InputError(Problem("draws of the bank", got=draws, allowed="a positive integer, or None"))
    if draws >= bank.size:
        return bank
    index = np.floor((np.arange(draws) + 0.5) * bank.size / draws).astype(int)
    taken = {rule: values[index] for rule, values in bank.draws.items()}
    return TableBank(taken, bank.rule_of, int(draws), bank.summary[index])


def _fallen_draws(
    net: Network, bank: TableBank, nodes: Sequence[Node], do: Mapping[str, str] | None
) -> dict[str, Floats]:
    """Exact probability under every draw that a node has fallen, summed once for nodes that are alike."""
    conditions = read_conditions(net, None, do)
    parents = graph_under(net, conditions)
    known: dict[object, Floats] = {}
    found: dict[str, Floats] = {}
    for node in nodes:
        columns = [node.states.index(state) for state in FALLEN]
        if node.name in conditions.do:
            found[node.name] = np.full(bank.size, float(conditions.do[node.name] in columns))
            continue
        key = _shape_of(net, node, parents, conditions.do)
        if key not in known:
            known[key] = marginal_draws(net, node.name, bank, conditions)[:, columns].sum(axis=1)
        found[node.name] = known[key]
    return found


def _shape_of(
    net: Network, node: Node, parents: Mapping[str, Sequence[str]], do: Mapping[str, int]
) -> object:
    """What a node's marginal depends on, its region's name left out: equal keys, equal marginals."""

    def neutral(name: str) -> tuple[str | None, ...]:
        other = net.nodes[name]
        return other.base, other.cls, other.period, "" if other.region == node.region else other.region

    return neutral(node.name), frozenset(
        (neutral(name), net.nodes[name].rule, do.get(name), tuple(neutral(above) for above in parents[name]))
        for name in net.ancestors([node.name], parents)
    )


def _rank_shares(values: Floats) -> Floats:
    """Return which rank each region takes, (region, rank, draw): evenly shared among equals."""
    count = len(values)
    # Equal sums may differ in their last bits.
    values = np.round(values, 12)
    above = (values[None] > values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    ranks = np.arange(count)[None, :, None]
    taken = (ranks >= above[:, None]) & (ranks < (above + equal)[:, None])
    return np.asarray(taken / equal[:, None])


def _chosen(
    net: Network,
    cells: Cells,
    periods: Sequence[str] | None,
    weights: Mapping[str, float],
) -> tuple[list[Node], str]:
    nodes, counted = deployment_nodes(net, cells)
    if isinstance(periods, str):
        raise InputError(Problem("periods", got=periods, allowed="a list of periods", key="periods"))
    problems = Problems()
    have = list(dict.fromkeys(str(node.period) for node in nodes))
    for period in periods or ():
        if period not in have:
            problems.add("unknown period", got=period, allowed=have, key="periods")
    classes = list(dict.fromkeys(str(node.cls) for node in nodes))
    for cls, weight in weights.items():
        if cls not in classes:
            problems.add("unknown class", got=cls, allowed=classes, key="weights")
        elif not weight >= 0.0 or not np.isfinite(weight):
            problems.add(
                "weight of a class", got=weight, allowed="finite, not negative", key=f"weights.{cls}"
            )
    problems.raise_if_any()
    kept = [node for node in nodes if periods is None or node.period in periods]
    for region in {node.region for node in kept}:
        if sum(weights.get(str(node.cls), 1.0) for node in kept if node.region == region) <= 0.0:
            raise InputError(
                Problem("no weight left in a region", got=region, allowed="one class above nought")
            )
    return kept, counted


def _indicators(found: Mapping[str, NDArray[np.float64]], nodes: Sequence[Node]) -> dict[str, float]:
    result = {}
    for base in INDICATORS:
        scores = []
        for node in nodes:
            if node.base == base:
                favour = np.asarray(favourability(len(node.states), node.favourable == "first"))
                # Midpoints of slices, stretched so that certainty of the worst is 0, of the best 1.
                # A single state is neither: it scores one half.
                reach = favour.max() - favour.min()
                favour = (favour - favour.min()) / reach if reach > 0.0 else favour
                scores.append(float((found[node.name] @ favour).mean()))
        result[base] = float(np.mean(scores)) if scores else float("nan")
    return result
