"""Deployment collapse as a network phenomenon: how far a shock spreads, and for how long.

A shock sets nodes to a state. Against the same samples without it: which cells (class, region) that
the shock does not itself set collapse as well, hit directly or through competition for resources and
controversy (the cascade, see `cascade_runs`), whether collapse is widespread, how long the cells that
the shock brings down take to come back, and what a plan loses (ma2025, sections 4.2, 4.4 and 4.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.cascade_runs import Grid, Reach, shock_sums
from sinkrisk.network.cells import Cells, deployment_nodes
from sinkrisk.network.scenarios import Scenarios, as_scenarios
from sinkrisk.network.simulated import Doubt, check_bank, check_mass, interval
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLLAPSE = "collapse"
WORKING = ("full", "throttled")
SUMS = {
    "widespread": ("widespread.base", "widespread.free", (0.0, 1.0), "1"),
    "collapsed_cells": ("cells.base", "cells.free", (0.0, np.inf), "1"),
    "direct": ("others.base", "others.held", (0.0, np.inf), "1"),
    "spread": ("others.held", "others.free", (0.0, np.inf), "1"),
    "induced": (None, "induced", (0.0, np.inf), "1"),
    "lost": ("lost.base", "lost.free", (0.0, np.inf), "GtCO2"),
}
"""Measure -> what is counted before and after, its bounds and unit."""
RATIOS = {"recovery_years": ("years", "yr"), "unrecovered": ("never", "1")}
"""Measure of the cells that a shock brings down -> what is added up over them, and unit."""
MEASURES = ("widespread", "collapsed_cells", "direct", "spread", "induced", *RATIOS, "lost")


def worst_state_shocks(net: Network, bases: str | Sequence[str], period: str) -> dict[str, dict[str, str]]:
    """Return one shock per node: set to its least favourable state in one period.

    Parameters
    ----------
    net : Network
    bases : str or sequence of str
        Names as in the file: policy_support gives one shock per region, deployment_mode one per
        class and region.
    period : str

    Returns
    -------
    dict of str to dict
        Node name -> {node name: state}.

    Raises
    ------
    InputError
        For a base that has no node in the period.

    Examples
    --------
    >>> from sinkrisk.network import load
    >>> net = load(regions=["arid_zones"])
    >>> worst_state_shocks(net, ["carbon_price_regime"], "mid_term")
    {'carbon_price_regime__mid_term': {'carbon_price_regime__mid_term': 'collapsed'}}
    """
    shocks: dict[str, dict[str, str]] = {}
    found = Problems()
    for base in [bases] if isinstance(bases, str) else bases:
        nodes = [node for node in net.nodes.values() if node.base == base and node.period == period]
        if not nodes:
            have = sorted({node.base for node in net.nodes.values() if node.period == period})
            found.add("no such node in the period", got=f"{base} in {period}", allowed=have or "(no period)")
        for node in nodes:
            worst = node.states[-1] if node.favourable == "first" else node.states[0]
            shocks[node.name] = {node.name: worst}
    found.raise_if_any()
    return shocks


def collapse_cascades(
    net: Network,
    shocks: Scenarios,
    bank: TableBank,
    *,
    cells: Cells = "possible",
    planned: pd.DataFrame | None = None,
    delivered: Mapping[str, float] | None = None,
    widespread: float = 0.25,
    mass: float = 0.9,
    samples: int = 256,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return, for each shock, how likely, wide, long and costly the collapse is that follows.

    Parameters
    ----------
    net : Network
    shocks : mapping of str to mapping, or scenarios
        Name -> nodes set to states, from `worst_state_shocks`; or what `load_scenarios` returns, or a
        list of them.
    bank : TableBank
        Intervals run over its draws.
    cells : "possible", "all" or collection of (class, region)
        Those that count: where a pathway of the class is possible (see `possible_cells`), all, or
        these.
    planned : DataFrame, optional
        Columns class, region, period, removal (GtCO2 over the period), one row a cell and period;
        needed for `lost`. Of a plan by pathway, region and period: sum over the pathways of a class.
    delivered : mapping, optional
        Mode -> share of the planned removal delivered, with `planned`: for example 1, the claims
        `fraction_throttled` and `fraction_passive_redundancy` of the priors, and 0.
    widespread : float
        Share of cells collapsed from which a collapse counts as widespread.
    mass, samples, rng
        As in `scenario_effects`.

    Returns
    -------
    DataFrame
        Columns shock, measure, baseline, shocked, change with _low and _high, mc_error (standard
        error of change from sampling), unit, note, interval_kind, interval_mass. Measures, all from
        the shock's first period on:

        - widespread: probability that in some period at least that share of cells collapses;
        - collapsed_cells: expected number of collapsed cells, summed over periods;
        - direct: the same for cells that the shock does not set, from without the shock to with it
          but with competition for resources and controversy held, sample by sample, as they are
          without: what the shock does to them by itself;
        - spread: the same cells, from held to free: the cascade, what collapse adds through
          competition and controversy. direct and spread add up to the whole change of these cells;
        - induced: expected number of cells that collapse because of the shock: with it and, on the
          same random numbers, not without it in that period; baseline nought by definition;
        - recovery_years: mean over induced cells of the years from the start of the first period in
          which they are, to the start of the first later one in full or throttled deployment,
          counted to the horizon where that never comes (a restricted mean). Cells induced in the
          last period alone have no later one and are left out;
        - unrecovered: share of the same cells that never come back by the horizon;
        - lost: planned removal not delivered, GtCO2.

        recovery_years and unrecovered are ratios of sums over all samples and draws; their interval
        runs over the draws in which a cell is induced, and their baseline is nought: without the
        shock these cells stand. NaN where they have no cell to speak of, with the reason in note.
        ``attrs["cells"]`` says which cells were counted.

    Raises
    ------
    InputError
        Shocks on unknown nodes or states, plans for unknown cells or for one twice, shares outside
        their range.

    Examples
    --------
    >>> from sinkrisk.network import load, table_bank
    >>> net = load(regions=["arid_zones"], periods=["near_term", "mid_term"])
    >>> shocks = worst_state_shocks(net, "carbon_price_regime", "near_term")
    >>> plan = pd.DataFrame(
    ...     {"class": "geological", "region": "arid_zones", "period": ["near_term"], "removal": [2.0]}
    ... )
    >>> share = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.1, "collapse": 0.0}
    >>> found = collapse_cascades(
    ...     net, shocks, table_bank(net, 16, rng=1), planned=plan, delivered=share, samples=64
    ... )
    >>> found.set_index("measure").loc["lost", ["baseline", "shocked"]].astype(float).round(1).to_dict()
    {'baseline': 1.5, 'shocked': 1.6}
    """
    check_mass(mass)
    check_bank(net, bank)
    told = {name: scenario.do for name, scenario in as_scenarios(net, shocks).items()}
    grid = _grid(net, cells, planned, delivered, widespread)
    seed = int(random.generator(rng).integers(2**63))
    reach = {}
    for name, do in told.items():
        if not do:
            raise InputError(Problem("shock without nodes", got=name))
        reach[name] = _reach(net, grid, do)
    sums = shock_sums(net, bank, told, reach, grid, widespread, samples=samples, rng=seed)
    rows = [
        {"shock": name, "measure": measure, **_row(measure, found, mass, grid, reach[name])}
        for name, found in sums.items()
        for measure in MEASURES
        if measure != "lost" or grid.planned is not None
    ]
    table = pd.DataFrame(rows).assign(interval_kind="equal-tailed", interval_mass=mass)
    table.attrs["cells"] = grid.counted
    return table


def _row(
    measure: str, found: Mapping[str, Floats], mass: float, grid: Grid, reach: Reach
) -> dict[str, object]:
    if measure in RATIOS:
        return _ratio_row(measure, found, mass, grid, reach)
    first, second, bounds, unit = SUMS[measure]
    after = found[second]
    before = np.zeros_like(after) if first is None else found[first]
    change = Doubt.of(after - before)
    return {
        **Doubt.of(before).columns("baseline", mass, bounds),
        **Doubt.of(after).columns("shocked", mass, bounds),
        **change.columns("change", mass),
        "mc_error": change.mc_error,
        "unit": unit,
        "note": "",
    }


def _ratio_row(
    measure: str, found: Mapping[str, Floats], mass: float, grid: Grid, reach: Reach
) -> dict[str, object]:
    """A mean over the cells that the shock brings down: one sum over draws divided by another."""
    key, unit = RATIOS[measure]
    part, whole = found[key], found["asked"]
    nought = dict.fromkeys(("baseline", "baseline_low", "baseline_high"), 0.0)
    if not whole.sum() > 0.0:
        if reach.start == len(grid.periods) - 1:
            note = "no period follows the shock's"
        elif found["induced"].sum() > 0.0:
            note = "cells collapse because of the shock in the last period alone"
        else:
            note = "no cell collapses because of the shock"
        names = [f"{kind}{end}" for kind in ("shocked", "change") for end in ("", "_low", "_high")]
        nothing = dict.fromkeys([*nought, *names, "mc_error"], float("nan"))
        return {**nothing, "unit": unit, "note": note}
    ratio = float(part.sum() / whole.sum())
    # Where a draw's two halves lie off its own ratio is chance; both halves together lie on it.
    some = whole.sum(axis=0) > 0.0
    part, whole = part[:, some], whole[:, some]
    own = part.sum(axis=0) / whole.sum(axis=0)
    low, high = interval(Doubt.of(own + (part - own * whole) / whole.mean(axis=0)).values, mass)
    off = part - ratio * whole
    error = float(np.sqrt(np.sum((off[0] - off[1]) ** 2)) / whole.sum())
    ends = Doubt.widened(ratio, (low, high), error, mass, (0.0, 1.0 if unit == "1" else np.inf))
    values = dict(zip(("", "_low", "_high"), (ratio, *ends), strict=True))
    shown = {f"{kind}{end}": value for kind in ("shocked", "change") for end, value in values.items()}
    return {**nought, **shown, "mc_error": error, "unit": unit, "note": ""}


def _grid(
    net: Network,
    cells: Cells,
    planned: pd.DataFrame | None,
    delivered: Mapping[str, float] | None,
    widespread: float,
) -> Grid:
    nodes, counted = deployment_nodes(net, cells)
    found = Problems()
    if not 0.0 < widespread <= 1.0:
        found.add("share of cells", got=widespread, allowed="0 < share <= 1", key="widespread")
    places = list(dict.fromkeys((str(node.cls), str(node.region)) for node in nodes))
    periods = list(dict.fromkeys(str(node.period) for node in nodes))
    at = {(str(node.cls), str(node.region), str(node.period)): node for node in nodes}
    columns = np.array(
        [[net.position[at[(*place, period)].name] for period in periods] for place in places], dtype=np.int64
    )
    states = nodes[0].states
    shares = np.zeros(len(states))
    if (planned is None) != (delivered is None):
        found.add("planned and delivered go together", got="one of them", hint="give both, or neither")
    for code, state in enumerate(states if delivered is not None else ()):
        share = (delivered or {}).get(state)
        if share is None:
            found.add(
                "mode without a delivered share", got=list(delivered or ()), hint=state, key="delivered"
            )
        elif not 0.0 <= share <= 1.0:
            found.add("delivered share", got=share, allowed="0 to 1", key=f"delivered.{state}")
        else:
            shares[code] = share
    amounts = None if planned is None else _planned(planned, places, periods, found)
    found.raise_if_any()
    return Grid(
        columns,
        places,
        periods,
        _starts(periods),
        amounts,
        shares,
        states.index(COLLAPSE),
        np.array([state in WORKING for state in states]),
        counted,
    )


def _starts(periods: Sequence[str]) -> Floats:
    """Start of each period, and the end of the last, in years of the priors."""
    from sinkrisk.priors import load_table

    table = load_table("periods")
    years = {
        str(period): (float(start), float(end))
        for period, start, end in table[["period", "start", "end_exclusive"]].itertuples(index=False)
    }
    missing = [period for period in periods if period not in years]
    if missing:
        raise InputError(Problem("period without years", got=missing[0], allowed=list(years)))
    return np.array([*(years[period][0] for period in periods), years[periods[-1]][1]])


def _planned(
    planned: pd.DataFrame, places: list[tuple[str, str]], periods: list[str], found: Problems
) -> Floats:
    amounts = np.zeros((len(places), len(periods)))
    seen: set[tuple[str, str, str]] = set()
    if not isinstance(planned, pd.DataFrame):
        found.add("planned", got=type(planned).__name__, allowed="a DataFrame", key="planned")
        return amounts
    missing = {"class", "region", "period", "removal"} - set(planned.columns)
    if missing:
        found.add("plan without columns", got=list(planned.columns), allowed=sorted(missing), key="planned")
        return amounts
    for row, (cls, region, period, amount) in enumerate(
        planned[["class", "region", "period", "removal"]].itertuples(index=False), start=1
    ):
        if (cls, region) not in places or period not in periods:
            found.add(
                "plan for a cell that is not asked about",
                got=f"{cls}, {region}, {period}",
                allowed="classes and regions of the cells, periods of the network",
                row=row,
                key="planned",
            )
        elif not np.isfinite(amount) or amount < 0.0:
            found.add("planned removal", got=amount, allowed="finite, not negative", row=row, key="planned")
        elif (cls, region, period) in seen:
            place = f"{cls}, {region}, {period}"
            found.add("cell planned twice", got=place, row=row, key="planned", hint="add the amounts up")
        else:
            amounts[places.index((cls, region)), periods.index(period)] = float(amount)
            seen.add((cls, region, period))
    return amounts


def _reach(net: Network, grid: Grid, do: Mapping[str, str]) -> Reach:
    """Which cells a shock sets itself, and the first period that it can reach."""
    nodes: list[Node] = [net.nodes[name] for name in do if name in net.nodes]
    own = frozenset(
        grid.cells.index((str(node.cls), str(node.region)))
        for node in nodes
        if net.position[node.name] in grid.columns
    )
    known = [grid.periods.index(node.period) for node in nodes if node.period in grid.periods]
    return Reach(own, min(known, default=0))
