"""How hard shocks hit, and how often they go on striking after the last period"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.inputs.blocks import Floats, Marginal, Part, Reading
from sinkrisk.inputs.building import Builder, Tables
from sinkrisk.inputs.quantities import SHOCK_SPREAD
from sinkrisk.inputs.scalars import CHAIN, Claims, add_chain_quantity
from sinkrisk.inputs.sharing_blocks import LateHazardBlock, SeverityBlock, standard_score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sinkrisk.network import Network

SHOCK_STATES: tuple[str, ...] = ("none", "shock")
"""States of a node that says whether a shock strikes."""

_SOURCE = "assumption: lognormal severity of mean 1"


def add_severity(builder: Builder, claims: Claims, tables: Tables) -> None:
    """Add the severity of shocks: one score per period, one per region of land and period."""
    spread = add_chain_quantity(builder, claims, SHOCK_SPREAD)
    # Without the claim there is no spread; held at 0 by the spec, the scores still keep their columns.
    if spread is None or not claims.have(CHAIN, SHOCK_SPREAD.name):
        return
    periods = list(tables.periods["period"])
    common = tuple(_score(builder, f"shock_common__{period}", "of a period") for period in periods)
    own = tuple(
        (r, q, _score(builder, f"shock_own__{row.region}__{period}", "of a region and period"))
        for r, row in enumerate(tables.regions.itertuples())
        # What lies in the sea burns in no shock: its severity stays 1.
        if row.domain == "land"
        for q, period in enumerate(periods)
    )
    builder.blocks.append(SeverityBlock(spread, common, own))


def _score(builder: Builder, name: str, what: str) -> Part:
    prior = Marginal(standard_score, 1.0, -math.inf, math.inf)
    text = f"standard normal score {what} of the severity of shocks"
    return builder.scalar(name, "climate", prior, unit="1", source=_SOURCE, text=text, kind="aleatory")


def add_late_hazard(
    builder: Builder,
    tables: Tables,
    *,
    network: Network | None,
    do: Mapping[str, str],
    shocks: Reading | None,
    probability: Part | None,
) -> Floats:
    """Return expected shocks a year after the last period by region, 1/yr; uncertain ones get a block.

    Parameters
    ----------
    builder : Builder
    tables : Tables
    network : Network or None
    do : mapping of str to str
        Nodes held at a state.
    shocks : Reading or None
        Which nodes say shocks, and the cells (region, period) they fill.
    probability : Part or None
        ``shock_probability``, for regions without a node; None where every region has one.

    Notes
    -----
    The chance of a shock in the last period, exact under the network's expected tables and what is
    held there, divided by the period's length: what the last period was like goes on.
    """
    from sinkrisk import network as governance

    regions, periods = len(tables.regions), len(tables.periods)
    last = tables.periods.iloc[-1]
    length = float(last["end_exclusive"] - last["start"])
    chance = np.full(regions, math.nan)
    if network is not None and shocks is not None and not builder.problems:
        nodes = {
            network.order[column]: cell // periods
            for column, cell in zip(shocks.columns.tolist(), shocks.cells.tolist(), strict=True)
            if cell % periods == periods - 1
        }
        free = [name for name in nodes if name not in do]
        found = governance.query(network, free, do=do) if free else {}
        for name, region in nodes.items():
            struck = SHOCK_STATES[1]
            chance[region] = float(do[name] == struck) if name in do else float(found[name].get(struck, 0.0))
    spare = np.flatnonzero(np.isnan(chance))
    if spare.size and probability is not None:
        builder.blocks.append(LateHazardBlock(probability, spare, length))
    return np.asarray(np.nan_to_num(chance) / length)
