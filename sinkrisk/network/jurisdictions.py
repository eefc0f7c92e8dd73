"""Jurisdictions ranked by deployment risk, and how sure the ranks are.

The review (section 4.3) asks for a module that weighs "policy incentive strength", "public
acceptance" and "governance capacity" and ranks deployment risk across jurisdictions. The risk of a
region is the probability that a class that could be deployed there falls back to passive redundancy
or collapses, averaged over classes and periods; the indicators are shown beside it, not added up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.effects import FALLEN, deployment_nodes
from sinkrisk.network.simulated import Doubt, check_mass, state_probabilities
from sinkrisk.network.tables import TableBank, favourability

if TYPE_CHECKING:
    from numpy.typing import NDArray

INDICATORS = ("policy_support", "public_acceptance", "governance_capacity", "institutional_compatibility")
"""Nodes whose mean favourability (0 worst, 1 best) stands beside the risk."""


@dataclass(frozen=True)
class JurisdictionRanking:
    """Regions by deployment risk.

    Parameters
    ----------
    table : DataFrame
        One row per region, the riskiest first: region, risk, risk_low, risk_high, mean_rank
        (1 is riskiest), mc_error, cells, the indicators, interval_kind, interval_mass.
    ranks : DataFrame
        region, rank, probability; rank 1 is the riskiest.
    """

    table: pd.DataFrame
    ranks: pd.DataFrame


def rank_jurisdictions(
    net: Network,
    bank: TableBank,
    *,
    cells: Collection[tuple[str, str]] | None = None,
    periods: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    do: Mapping[str, str] | None = None,
    mass: float = 0.9,
    samples: int = 256,
    rng: random.RandomSource = 1,
) -> JurisdictionRanking:
    """Rank regions by the probability that deployment falls back or collapses.

    Parameters
    ----------
    net : Network
    bank : TableBank
        Intervals and rank probabilities run over its draws.
    cells : collection of (class, region), optional
        Those in which deployment is possible; all when left out.
    periods : sequence of str, optional
    weights : mapping of str to float, optional
        Class -> weight in a region's mean; 1 where left out.
    do : mapping, optional
        Rank under an intervention.
    mass, samples, rng
        As in `scenario_effects`.

    Returns
    -------
    JurisdictionRanking

    Raises
    ------
    InputError
        As in `scenario_effects`; unknown periods or classes, a weight below nought.

    Notes
    -----
    Rank probabilities count table draws; chance from sampling is taken out of each region's draws
    first (`simulated.Doubt`), so that they speak of doubt about the tables alone.
    """
    check_mass(mass)
    nodes = _chosen(net, cells, periods, weights or {})
    regions = list(dict.fromkeys(str(node.region) for node in nodes))
    beside = [node for node in net.nodes.values() if node.base in INDICATORS and node.region in regions]
    if periods is not None:
        beside = [node for node in beside if node.period is None or node.period in periods]
    if cells is not None:
        beside = [node for node in beside if node.cls is None or (node.cls, node.region) in cells]
    names = [node.name for node in (*nodes, *beside)]
    found = state_probabilities(net, bank, names, do, samples=samples, rng=rng)
    draws: dict[str, Doubt] = {}
    rows = []
    for region in regions:
        own = [node for node in nodes if node.region == region]
        share = np.array([(weights or {}).get(str(node.cls), 1.0) for node in own])
        fallen = [
            found[node.name][..., [node.states.index(state) for state in FALLEN]].sum(axis=-1) for node in own
        ]
        draws[region] = Doubt.of(np.tensordot(share / share.sum(), np.array(fallen), axes=1))
        rows.append(
            {
                "region": region,
                **draws[region].columns("risk", mass),
                "mc_error": draws[region].mc_error,
                "cells": len(own),
                **_indicators(found, [node for node in beside if node.region == region]),
            }
        )
    values = np.array([draws[region].values for region in regions])
    # Ties share their ranks evenly, so that the probabilities of each rank sum to one.
    order = np.argsort(np.argsort(-values, axis=0, kind="stable"), axis=0) + 1
    table = pd.DataFrame(rows).assign(mean_rank=order.mean(axis=1))
    table = table.assign(interval_kind="equal-tailed", interval_mass=mass)
    ranks = pd.DataFrame(
        [
            (region, rank, float(np.mean(order[index] == rank)))
            for index, region in enumerate(regions)
            for rank in range(1, len(regions) + 1)
        ],
        columns=["region", "rank", "probability"],
    )
    return JurisdictionRanking(table.sort_values("risk", ascending=False, ignore_index=True), ranks)


def _chosen(
    net: Network,
    cells: Collection[tuple[str, str]] | None,
    periods: Sequence[str] | None,
    weights: Mapping[str, float],
) -> list[Node]:
    nodes = deployment_nodes(net, cells)
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
    return kept


def _indicators(found: Mapping[str, NDArray[np.float64]], nodes: Sequence[Node]) -> dict[str, float]:
    result = {}
    for base in INDICATORS:
        scores = []
        for node in nodes:
            if node.base == base:
                favour = np.asarray(favourability(len(node.states), node.favourable == "first"))
                # Midpoints of slices, stretched so that certainty of the worst is 0, of the best 1.
                favour = (favour - favour.min()) / (favour.max() - favour.min())
                scores.append(float((found[node.name] @ favour).mean()))
        result[base] = float(np.mean(scores)) if scores else float("nan")
    return result
