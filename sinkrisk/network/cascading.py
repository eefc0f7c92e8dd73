"""Deployment collapse as a network phenomenon: how far a shock spreads, and for how long.

A shock sets nodes to a state. Against the same samples without it: which cells (class, region) that
the shock does not itself set collapse as well, whether collapse is widespread, how long fallen cells
take to come back, and what a plan loses. Cascades run through competition for resources,
controversy and what persists from period to period (ma2025, sections 4.2, 4.4 and 4.5).
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
from sinkrisk.network.cells import Cells, deployment_nodes
from sinkrisk.network.scenarios import Scenarios, as_scenarios
from sinkrisk.network.simulated import Doubt, check_bank, check_mass, halves, over_draws
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLLAPSE = "collapse"
WORKING = ("full", "throttled")
MEASURES = ("widespread", "collapsed_cells", "spread", "recovery_years", "unrecovered", "lost")


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


@dataclass(frozen=True)
class _Cells:
    """Deployment nodes as a grid: cells by periods, and what is planned in them."""

    columns: NDArray[np.int64]
    cells: list[tuple[str, str]]
    periods: list[str]
    years: Floats
    planned: Floats | None
    delivered: Floats
    collapse: int
    working: NDArray[np.bool_]
    counted: str


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
        Mode -> share of the planned removal delivered, with `planned`: for example the means of the
        drivers `mode_fraction` (table `claims` of the priors) over draws.
    widespread : float
        Share of cells collapsed from which a collapse counts as widespread.
    mass, samples, rng
        As in `scenario_effects`.

    Returns
    -------
    DataFrame
        Columns shock, measure, baseline, shocked, change with _low and _high, mc_error, unit,
        interval_kind, interval_mass. Measures, all from the shock's first period on:

        - widespread: probability that in some period at least that share of cells collapses;
        - collapsed_cells: expected number of collapsed cells, summed over periods;
        - spread: the same for cells that the shock does not set;
        - recovery_years: years from the start of the shock's period to the start of the first later
          one in full or throttled deployment, mean over cells collapsed in the shock's period,
          counted to the horizon where that never comes (a restricted mean);
        - unrecovered: share of those cells that never come back by the horizon;
        - lost: planned removal not delivered, GtCO2.

        recovery_years and unrecovered are ratios of expectations, NaN where nothing collapses. The
        cells that are down under a shock are others than those down without it, so that their
        change compares populations.

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
    base: dict[tuple[frozenset[int], int], Floats] = {}
    rows = []
    for name, do in told.items():
        if not do:
            raise InputError(Problem("shock without nodes", got=name))
        own, start = _reach(net, grid, do)
        key = (own, start)
        if key not in base:
            base[key] = _measured(net, bank, {}, grid, key, widespread, samples, seed)
        shocked = _measured(net, bank, do, grid, key, widespread, samples, seed)
        for index, measure in enumerate(MEASURES):
            if measure == "lost" and grid.planned is None:
                continue
            before, after = _ratio(base[key], index), _ratio(shocked, index)
            row: dict[str, object] = {"shock": name, "measure": measure}
            change = Doubt.of(after - before)
            row |= Doubt.of(before).columns("baseline", mass)
            row |= Doubt.of(after).columns("shocked", mass)
            row |= change.columns("change", mass)
            unit = {"recovery_years": "yr", "lost": "GtCO2"}.get(measure, "1")
            rows.append({**row, "mc_error": change.mc_error, "unit": unit})
    table = pd.DataFrame(rows).assign(interval_kind="equal-tailed", interval_mass=mass)
    table.attrs["cells"] = grid.counted
    return table


def _ratio(values: Floats, index: int) -> Floats:
    """One measure (2, draw); those of collapsed cells divided by how many there are."""
    if MEASURES[index] in ("recovery_years", "unrecovered"):
        count = np.maximum(values[..., -1], 1e-12)
        return np.asarray(np.where(values[..., -1] > 0.0, values[..., index] / count, np.nan))
    return values[..., index]


def _grid(
    net: Network,
    cells: Cells,
    planned: pd.DataFrame | None,
    delivered: Mapping[str, float] | None,
    widespread: float,
) -> _Cells:
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
    return _Cells(
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


def _reach(net: Network, grid: _Cells, do: Mapping[str, str]) -> tuple[frozenset[int], int]:
    """Which cells a shock sets itself, and the first period that it can reach."""
    nodes: list[Node] = [net.nodes[name] for name in do if name in net.nodes]
    own = frozenset(
        grid.cells.index((str(node.cls), str(node.region)))
        for node in nodes
        if net.position[node.name] in grid.columns
    )
    known = [grid.periods.index(node.period) for node in nodes if node.period in grid.periods]
    return own, min(known, default=0)


def _measured(
    net: Network,
    bank: TableBank,
    do: Mapping[str, str],
    grid: _Cells,
    key: tuple[frozenset[int], int],
    widespread: float,
    samples: int,
    seed: int,
) -> Floats:
    """All measures, and the number of collapsed cells last: (2, draw, measure)."""
    own, start = key
    others = np.array([cell not in own for cell in range(len(grid.cells))])
    length = grid.years[-1] - grid.years[start:-1]

    def measure(codes: NDArray[np.int8], numbers: NDArray[np.int64]) -> Floats:
        modes = codes[:, :, grid.columns[:, start:]]
        fallen = modes == grid.collapse
        # Recovery is asked of cells down in the shock's first period: later ones have no time left.
        down = fallen[..., 0]
        back = grid.working[modes]
        returned = back.any(axis=-1)
        until = np.where(returned, length[0] - length[back.argmax(axis=-1)], length[0])
        columns = [
            (fallen.mean(axis=2) >= widespread).any(axis=-1),
            fallen.sum(axis=(2, 3)),
            fallen[:, :, others].sum(axis=(2, 3)),
            np.where(down, until, 0.0).sum(axis=2),
            (down & ~returned).sum(axis=2),
            np.zeros(codes.shape[:2])
            if grid.planned is None
            else ((1.0 - grid.delivered[modes]) * grid.planned[:, start:]).sum(axis=(2, 3)),
            down.sum(axis=2),
        ]
        return halves(np.stack([np.asarray(column, dtype=float) for column in columns], axis=-1))

    parts = over_draws(net, bank, do, measure, samples=samples, rng=seed)
    return np.concatenate(parts, axis=1)
