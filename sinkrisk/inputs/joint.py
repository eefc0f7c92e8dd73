"""What comes in whole: suitability by region, the budget posterior, the governance network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk import rng as random
from sinkrisk.errors import InputError
from sinkrisk.inputs.blocks import (
    BudgetBlock,
    Marginal,
    NetworkBlock,
    Part,
    Reading,
    ShockBlock,
    Slot,
    SuitabilityBlock,
)
from sinkrisk.inputs.building import Builder, Tables, joined
from sinkrisk.inputs.quantities import CLASSES, MODES, SHOCK_PROBABILITY
from sinkrisk.inputs.registry import Kind
from sinkrisk.inputs.scalars import Claims, add_chain_quantity
from sinkrisk.inputs.sharing_blocks import Line
from sinkrisk.inputs.shocks import SHOCK_STATES, add_late_hazard

if TYPE_CHECKING:
    import xarray as xr

    from sinkrisk.network import Network

MODE_NODES = "deployment_mode"
"""Base name of the network nodes that hold deployment modes."""

SHOCK_NODES = "disturbance"
"""Base name of the network nodes that hold shocks."""


def add_suitability(builder: Builder, tables: Tables) -> None:
    """Add the weight of each pathway in each region where it is uncertain."""
    table = tables.suitability
    regions = list(tables.regions["region"])
    low = np.full((len(tables.names), len(regions)), np.nan)
    high = low.copy()
    source: dict[tuple[int, int], str] = {}
    columns_read = ("pathway", "region", "low", "high", "source", "locator")
    for row in table[list(columns_read)].to_dict("records"):
        if row["pathway"] in tables.names and row["region"] in regions:
            cell = (tables.names.index(row["pathway"]), regions.index(row["region"]))
            low[cell], high[cell] = float(row["low"]), float(row["high"])
            source[cell] = _judged(row["source"], row["locator"])
    path = table.attrs.get("path")
    for p, r in np.argwhere(np.isnan(low)):
        builder.problems.add(f"no suitability of {tables.names[p]} in {regions[r]}", file=path)
    low, high = np.nan_to_num(low), np.nan_to_num(high)
    cells: list[int] = []
    columns: list[int] = []
    others: list[tuple[int, Marginal]] = []
    for p, pathway in enumerate(tables.names):
        # One possible region has share 1 whatever its weight: a driver that could do nothing.
        single = int(np.count_nonzero(high[p])) == 1
        for r, region in enumerate(regions):
            name = f"suitability__{pathway}__{region}"
            if low[p, r] == high[p, r] or single:
                low[p, r] = high[p, r]
                continue
            value = builder.number(name, 0.0, 1.0)
            text = f"weight uniform on [{low[p, r]:g}, {high[p, r]:g}], normalised over regions"
            given = name in builder.spec.replaced or name in builder.spec.between
            if value is None and given:
                prior = Marginal(Line(float(low[p, r]), float(high[p, r])), 1.0, 0.0, 1.0)
                slot, prior_or_value = builder.scalar(
                    name, "suitability", prior, unit="1", source=source[p, r], text=text, known=True
                )
                if isinstance(prior_or_value, float):
                    low[p, r] = high[p, r] = prior_or_value
                elif slot.column is not None:
                    others.append((len(cells), prior_or_value))
                    cells.append(p * len(regions) + r)
                    columns.append(slot.column)
                continue
            if value is not None:
                builder.hold(name, value, "1", "fixed by the spec", source[p, r])
                low[p, r] = high[p, r] = value
                continue
            slot = builder.slot(name, "suitability", "epistemic", source[p, r], text)
            if slot.column is None:
                low[p, r] = high[p, r] = low[p, r] + slot.held * (high[p, r] - low[p, r])
            else:
                cells.append(p * len(regions) + r)
                columns.append(slot.column)
        if not high[p].any():
            builder.problems.add(
                f"{pathway} is suited to no region", file=path, hint="give one a weight above 0"
            )
    builder.blocks.append(
        SuitabilityBlock(
            low, high, np.array(cells, dtype=np.intp), np.array(columns, dtype=np.intp), tuple(others)
        )
    )


def _judged(source: object, locator: object) -> str:
    """Return the source of a number that this project judged from words the literature gives."""
    if source == "assumption":
        return "assumption"
    # A blank locator may be read as NaN, which is not equal to itself.
    cited = str(source) if locator in (None, "") or locator != locator else f"{source} {locator}"
    return f"assumption: number judged from {cited}"


def add_budget(builder: Builder, budget: xr.DataTree) -> dict[str, Any]:
    """Add the budget posterior as one driver; return attributes that say which window was drawn."""
    from sinkrisk.budget import parse_window, reference_window, window_label

    name = "budget_draw"
    fixed = builder.fixed(name)
    posterior = budget.children.get("posterior")
    if posterior is None or "window_flux" not in posterior.data_vars:
        builder.problems.add(
            "budget has no posterior window_flux", hint="pass what sinkrisk.reconcile returns"
        )
        return {}
    flux = posterior.to_dataset()["window_flux"]
    labels = [str(label) for label in flux["window"].values]
    try:
        asked = builder.spec.window
        window = reference_window(labels) if asked is None else window_label(*parse_window(asked))
    except InputError as error:
        builder.problems.extend(error.problems)
        return {}
    found = [str(c) for c in flux["component"].values]
    net = builder.spec.yield_sink == "net_land"
    needed = ("land", "ocean", "land_use") if net else ("land", "ocean")
    for component in needed:
        if component not in found:
            builder.problems.add(
                "budget lacks a sink", got=", ".join(found), allowed=f"a component '{component}'"
            )
    if window not in labels:
        builder.problems.add("budget has no such window", got=window, allowed=labels, key="inputs.window")
    if window not in labels or not set(needed) <= set(found):
        return {}
    at = flux.sel(window=window).transpose("chain", "draw", "component")
    land, ocean = (at.sel(component=c).values.reshape(-1).astype(float) for c in ("land", "ocean"))
    if not (np.isfinite(land).all() and np.isfinite(ocean).all()):
        builder.problems.add(f"budget draws of {window} are not finite")
        return {}
    taken = land - at.sel(component="land_use").values.reshape(-1).astype(float) if net else land
    what = "land sink net of land use" if net else "land sink"
    if not taken.mean() > 0.0:
        builder.problems.add(
            f"mean {what} of {window} is not positive, so draws cannot be scaled by it",
            got=float(taken.mean()),
            hint="choose another window, or set budget: false",
        )
        return {}
    order = np.argsort(taken, kind="stable")
    source = joined([f"posterior '{budget.attrs.get('model', 'budget')}' of the budget"])
    text = f"floor(u x {land.size}) of the posterior draws ordered by the {what} of {window}"
    if name in builder.spec.replaced:
        hint = "hold it by fixed or quantiles, or condition on its land sink by between"
        builder.problems.add("a posterior draw has no other prior", key=f"inputs.replaced.{name}", hint=hint)
    if name in builder.spec.between:
        order = _within(builder, name, order, land)
        bounds = builder.spec.between[name]
        text = text.replace(str(land.size), str(order.size), 1)
        text += f", given that it lies in [{bounds[0]:g}, {bounds[1]:g}] GtC/yr"
    if fixed is None:
        slot = builder.slot(name, "budget", "epistemic", source, text)
    else:
        slot = Slot(None, _nearest(builder, name, fixed, land[order]))
        builder.hold(name, fixed, "GtC/yr", "fixed by the spec: the nearest draw", source)
    builder.blocks.append(BudgetBlock(slot, order.astype(np.int64), land, ocean, taken))
    return {"budget_window": window, "budget_draws": int(land.size)}


def _within(
    builder: Builder, name: str, order: np.ndarray[Any, Any], land: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the draws whose land sink lies in the range of the spec, in their order."""
    low, high = builder.spec.between[name]
    kept = np.asarray(order[(land[order] >= low) & (land[order] <= high)])
    if kept.size:
        return kept
    builder.problems.add(
        "no posterior draw in this range",
        got=f"[{low:g}, {high:g}]",
        allowed=f"part of {land.min():.3f} to {land.max():.3f} GtC/yr",
        key=f"inputs.between.{name}",
    )
    return order


def _nearest(builder: Builder, name: str, value: float | str, ordered: np.ndarray[Any, Any]) -> float:
    if isinstance(value, str) or not ordered.min() <= value <= ordered.max():
        builder.problems.add(
            "driver fixed at an impossible value",
            got=value,
            allowed=f"a land sink between {ordered.min():.3f} and {ordered.max():.3f} GtC/yr",
            key=f"inputs.fixed.{name}",
        )
        return 0.5
    return float((np.argmin(np.abs(ordered - value)) + 0.5) / ordered.size)


def add_network(
    builder: Builder, network: Network, tables: Tables, claims: Claims
) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Add the table draws and the nodes of a network; return attributes and the late hazard by region."""
    from sinkrisk import network as governance

    regions, periods = list(tables.regions["region"]), list(tables.periods["period"])
    spec = builder.spec
    try:
        # Without its modes a network would count as no policy at all, silently.
        governance.require_deployment_modes(network)
    except InputError as error:
        builder.problems.extend(error.problems)
    bank = governance.table_bank(network, spec.tables, rng=random.stream(spec.seed, "network tables"))
    readings = _readings(builder, network, regions, periods)
    do: dict[str, str] = {}
    table_slot = _table_slot(builder)
    slots = tuple(_node_slot(builder, network, node, do) for node in network.order)
    if not builder.problems:
        builder.blocks.append(
            NetworkBlock(network, bank, table_slot, slots, do, readings, governance.sample_states)
        )
    probability = _add_spare_shocks(builder, readings[1], claims, regions, periods)
    late = add_late_hazard(
        builder, tables, network=network, do=do, shocks=readings[1], probability=probability
    )
    return {"network_tables": spec.tables}, late


def add_calm(builder: Builder, tables: Tables, claims: Claims) -> np.ndarray[Any, Any]:
    """Add the chance of shocks after the last period where no network is given; return the late hazard."""
    probability = add_chain_quantity(builder, claims, SHOCK_PROBABILITY)
    return add_late_hazard(builder, tables, network=None, do={}, shocks=None, probability=probability)


def _table_slot(builder: Builder) -> Slot:
    name, size = "network_tables", builder.spec.tables
    source = "assumption: equivalent sample sizes of the governance network"
    builder.whole(name, "a draw of the tables", "hold it by fixed or quantiles")
    value = builder.number(name, 0, size - 1)
    if value is not None:
        builder.hold(name, value, "1", "fixed by the spec: number in the ordered bank", source)
        return Slot(None, (int(value) + 0.5) / size)
    text = f"floor(u x {size}) of the table draws, ordered by how favourable their deployment tables are"
    return builder.slot(name, "network_tables", "epistemic", source, text)


def _node_slot(builder: Builder, network: Network, name: str, do: dict[str, str]) -> Slot:
    node = network.nodes[name]
    states = tuple(str(state) for state in node.states)
    source = _judged(node.source, node.locator)
    builder.whole(name, "a network node", "fix it at a state, or hold it at a quantile")
    value = builder.fixed(name)
    if value is not None:
        if value not in states:
            builder.problems.add(
                "unknown state of a network node", got=value, allowed=states, key=f"inputs.fixed.{name}"
            )
            return Slot(None)
        do[name] = str(value)
        builder.hold(name, str(value), "1", "fixed by the spec: intervention", source)
        return Slot(None)
    if len(states) < 2:
        return Slot(None)
    kind: Kind = "aleatory" if node.group == "climate" else "epistemic"
    given = f" given {len(node.parents)} parents" if node.parents else ""
    text = f"inverse CDF over {', '.join(states)}{given}"
    return builder.slot(name, str(node.group), kind, source, text)


def _readings(
    builder: Builder, network: Network, regions: list[str], periods: list[str]
) -> tuple[Reading, Reading]:
    """Find the nodes that say modes and shocks, and the cells they fill."""
    modes = _reading(builder, network, "mode", MODE_NODES, MODES, (list(CLASSES), regions, periods))
    shocks = _reading(builder, network, "shock", SHOCK_NODES, SHOCK_STATES, (regions, periods))
    return modes, shocks


def _reading(
    builder: Builder,
    network: Network,
    variable: str,
    base: str,
    allowed: tuple[str, ...],
    axes: tuple[list[str], ...],
) -> Reading:
    columns: list[int] = []
    cells: list[int] = []
    codes: list[list[int]] = []
    for column, name in enumerate(network.order):
        node = network.nodes[name]
        if node.base != base:
            continue
        place = (node.region, node.period) if len(axes) == 2 else (node.cls, node.region, node.period)
        wrong = [(got, known) for got, known in zip(place, axes, strict=True) if got not in known]
        for got, known in wrong:
            builder.problems.add(f"network node '{name}': no such place", got=got, allowed=known)
        for state in node.states:
            if state not in allowed:
                builder.problems.add(f"network node '{name}': unknown state", got=state, allowed=allowed)
        if wrong or any(state not in allowed for state in node.states):
            continue
        index = tuple(known.index(str(got)) for got, known in zip(place, axes, strict=True))
        columns.append(column)
        cells.append(int(np.ravel_multi_index(index, tuple(len(known) for known in axes))))
        own = [allowed.index(state) for state in node.states]
        codes.append(own + [0] * (len(allowed) - len(own)))
    return Reading(
        variable,
        np.array(columns, dtype=np.intp),
        np.array(cells, dtype=np.intp),
        np.array(codes, dtype=np.int8).reshape(-1, len(allowed)),
    )


def _add_spare_shocks(
    builder: Builder, shocks: Reading, claims: Claims, regions: list[str], periods: list[str]
) -> Part | None:
    """Add shocks where the network has no disturbance node; return their probability, None where all have."""
    covered = {divmod(cell, len(periods)) for cell in shocks.cells.tolist()}
    spare = [(r, q) for r in range(len(regions)) for q in range(len(periods)) if (r, q) not in covered]
    if not spare:
        return None
    probability = add_chain_quantity(builder, claims, SHOCK_PROBABILITY)
    if probability is None:
        return None
    cells = []
    for r, q in spare:
        name = f"shock__{regions[r]}__{periods[q]}"
        builder.whole(name, "a shock", "hold it by quantiles: 0 means a shock, 1 means none")
        if builder.fixed(name) is not None:
            builder.problems.add(
                "a shock is held by quantile, not by value",
                key=f"inputs.fixed.{name}",
                hint="quantiles: 0 means a shock, 1 means none",
            )
            continue
        text = "shock where u < shock_probability"
        cells.append((builder.slot(name, "climate", "aleatory", "claim shock_probability", text), r, q))
    builder.blocks.append(ShockBlock(probability, tuple(cells)))
    return probability
