"""From the written network to the expanded one: plates unrolled over their values, tables filled."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence

import numpy as np

from sinkrisk import files
from sinkrisk.errors import InputError, Problem
from sinkrisk.network.building import Network, Node
from sinkrisk.network.checking import CheckedNetwork, read_network
from sinkrisk.network.noisy import NoisyMaxParameters, noisy_max_table, stated
from sinkrisk.network.propagation import MAX_CLIQUE_CELLS
from sinkrisk.network.sizing import largest_table
from sinkrisk.network.specification import (
    PLATES,
    PREVIOUS,
    AnyTableSpec,
    EffectSpec,
    FullTableSpec,
    NetworkFile,
    NodeSpec,
    NoisyMaxTableSpec,
    OverrideSpec,
    RankedTableSpec,
    base_of,
    combinations,
    effective_parents,
    matches,
    merged,
)
from sinkrisk.network.tables import RankedParameters, TableRule, favourability, ranked_table

_READERS = {
    ".xdsl": "read_xdsl",
    ".xml": "read_bifxml",
    ".bifxml": "read_bifxml",
    ".xmlbif": "read_bifxml",
    ".bif": "read_bif",
}
"""What reads the files of other programs."""


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    regions: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
) -> Network:
    """Read a network file, check it and expand its plates.

    Parameters
    ----------
    path : path, optional
        None means the network shipped in ``priors/network.yaml``; docs/network.md shows how to write
        another.
    regions, classes, periods : sequence of str, optional
        Keep these values of the plates alone, periods in the file's order.

    Returns
    -------
    Network
        Every plate is expanded over all of its values, so a class stands in every region, even
        where no pathway of it can be deployed (land-based pathways in the open ocean): suitability
        decides later that such a node moves nothing.

    Raises
    ------
    InputError
        Every fault of the file, with its line; regions, classes or periods that it has not; a
        network that exact inference could not sum up.

    Examples
    --------
    >>> net = load(regions=["arid_zones"], periods=["near_term", "mid_term"])
    >>> net
    Network('governance', 47 nodes, 43 tables)
    >>> net.nodes["deployment_mode__ocean__arid_zones__mid_term"].states
    ('full', 'throttled', 'passive_redundancy', 'collapse')
    """
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise InputError(
            Problem("network file", got=type(path).__name__, allowed="a path, or None for the one shipped")
        )
    reader = _READERS.get(os.path.splitext(str(path))[1].lower())
    if reader is not None:
        raise InputError(
            Problem(
                "network file: YAML is read here",
                got=str(path),
                hint=f"network.{reader} reads this file; an analysis takes its network from YAML alone",
            )
        )
    given = {"region": regions, "class": classes, "period": periods}
    plates = {plate: values for plate, values in given.items() if values is not None}
    checked = read_network(files.data_path("priors", "network.yaml") if path is None else path, plates=plates)
    return expand(checked)


def expand(checked: CheckedNetwork) -> Network:
    """Unroll the plates of a checked network file."""
    spec = checked.spec
    periods = checked.plates.get("period", ())
    nodes: list[Node] = []
    rules: dict[str, TableRule] = {}
    for step, period in enumerate(periods or (None,)):
        for base in checked.order:
            node = spec.nodes[base]
            if "period" not in node.plate and step > 0:
                continue
            values = [
                checked.plates[plate] if plate in node.plate else (None,) for plate in ("class", "region")
            ]
            for cls, region in itertools.product(*values):
                at = {"class": cls, "region": region, "period": period if "period" in node.plate else None}
                nodes.append(_expanded(checked, base, at, periods, step, rules))
    net = Network(nodes, rules, name=spec.network, description=spec.description, plates=checked.named)
    _refuse_hopeless(checked, net)
    return net


def _refuse_hopeless(checked: CheckedNetwork, net: Network) -> None:
    """Refuse a network whose exact inference needs too large a table, before anybody waits for it."""
    cells, clique = largest_table(net, MAX_CLIQUE_CELLS)
    if cells <= MAX_CLIQUE_CELLS:
        return
    inside = set(clique)
    largest = max(
        (name for name in net.order if name in inside),
        key=lambda name: len(inside & {name, *net.nodes[name].parents}),
    )
    base = net.nodes[largest].base
    shown = ", ".join(clique[:5]) + (f" and {len(clique) - 5} more" if len(clique) > 5 else "")
    raise InputError(
        Problem(
            "exact inference would need too large a table",
            got=f"{cells:.1e} cells over {len(clique)} nodes that depend on each other at once: {shown}",
            allowed=f"up to {MAX_CLIQUE_CELLS} cells",
            file=checked.path,
            row=checked.located.line("nodes", base, "parents"),
            key=f"nodes.{base}.parents",
            hint="give these nodes fewer parents or states; noisy_max tables are cheaper than others",
        )
    )


def _name(base: str, plate: Sequence[str], at: Mapping[str, str | None]) -> str:
    return "__".join([base, *(str(at[p]) for p in PLATES if p in plate)])


def _expanded(
    checked: CheckedNetwork,
    base: str,
    at: Mapping[str, str | None],
    periods: Sequence[str],
    step: int,
    rules: dict[str, TableRule],
) -> Node:
    node = checked.spec.nodes[base]
    table: AnyTableSpec = node.table
    applied = []
    for number, override in enumerate(node.overrides):
        if _applies(override, at):
            table = merged(table, override)
            applied.append(number)
    first = step == 0
    moving = effective_parents(table, node.parents)
    parents = [parent for parent in moving if not (first and parent.endswith(PREVIOUS))]
    instances = [
        (parent, place)
        for parent in parents
        for place in _places(checked, node, parent)
        if not isinstance(table, NoisyMaxTableSpec) or _effects(checked.spec, table, parent, place)
    ]
    names = []
    for parent, place in instances:
        above = checked.spec.nodes[base_of(parent)]
        before = {"period": periods[step - 1]} if parent.endswith(PREVIOUS) else {}
        names.append(_name(base_of(parent), above.plate, {**at, **place, **before}))
    carried = len(parents) < len(moving)
    key = "".join([base, *(f"+{number}" for number in applied), "@first" if carried else ""])
    if key not in rules:
        if isinstance(table, NoisyMaxTableSpec):
            rules[key] = _noisy_rule(checked, base, table, instances, carried)
        else:
            rules[key] = _rule(checked, base, node, table, parents)
    kind = "class" if "class" in node.plate else "regional" if "region" in node.plate else "global"
    return Node(
        name=_name(base, node.plate, at),
        base=base,
        kind=kind,
        region=at["region"],
        period=at["period"],
        cls=at["class"],
        group=node.group,
        states=tuple(node.states),
        parents=tuple(names),
        favourable=node.favourable,
        rule=key,
        rationale=table.rationale,
        source=table.source,
        locator=table.locator,
        equivalent_sample_size=table.equivalent_sample_size,
    )


def _applies(override: OverrideSpec, at: Mapping[str, str | None]) -> bool:
    return all(at[plate] in values for plate, values in override.match.items())


def _rule(
    checked: CheckedNetwork,
    base: str,
    node: NodeSpec,
    table: FullTableSpec | RankedTableSpec,
    parents: list[str],
) -> TableRule:
    spec = checked.spec
    correlation = spec.shared_deviation.correlation
    size = table.equivalent_sample_size
    if isinstance(table, FullTableSpec):
        first = any(parent not in parents for parent in node.parents)
        rows = (table.first or []) if first else table.rows
        shape = [len(spec.nodes[base_of(parent)].states) for parent in parents]
        values = [
            next(row.probabilities for row in rows if matches(row, combination))
            for combination in combinations(spec, parents)
        ]
        mean = np.array(values, dtype=float).reshape(*shape, len(node.states))
        return TableRule(base, mean / mean.sum(axis=-1, keepdims=True), size, correlation)
    constant = [parent for parent in effective_parents(table, node.parents) if parent not in parents]
    limiting = table.bottleneck.parents if table.bottleneck else []
    order = [*parents, *constant]
    ranked = RankedParameters(
        parents=tuple(
            favourability(len(above.states), above.favourable == "first")
            for above in (spec.nodes[base_of(parent)] for parent in parents)
        ),
        constants=tuple(table.today[parent] for parent in constant),
        weights=tuple(table.weights[parent] for parent in order),
        baseline_weight=table.baseline.weight if table.baseline else 0.0,
        baseline=table.baseline.value if table.baseline else 0.5,
        spread=table.spread,
        bottleneck=table.bottleneck.share if table.bottleneck else 0.0,
        limiting=tuple(parent in limiting for parent in order),
        states=len(node.states),
        favourable_first=node.favourable == "first",
        slots=tuple(node.parents.index(parent) for parent in order),
        slot_count=len(node.parents),
    )
    return TableRule(base, ranked_table(ranked), size, correlation, ranked)


def _places(checked: CheckedNetwork, node: NodeSpec, parent: str) -> list[dict[str, str]]:
    """Values of the plates that a parent has and the node has not: one parent node for each."""
    above = checked.spec.nodes[base_of(parent)]
    folded = [plate for plate in PLATES if plate in above.plate and plate not in node.plate]
    values = [checked.plates[plate] for plate in folded]
    return [dict(zip(folded, place, strict=True)) for place in itertools.product(*values)]


def _effects(
    spec: NetworkFile, table: NoisyMaxTableSpec, parent: str, place: Mapping[str, str]
) -> dict[str, EffectSpec]:
    """State of one parent node -> its effect."""
    found: dict[str, EffectSpec] = {}
    for effect in table.effects:
        if effect.parent == parent and all(place[plate] in v for plate, v in effect.match.items()):
            states = [effect.state] if isinstance(effect.state, str) else effect.state
            found.update(dict.fromkeys(states, effect))
    return found


def _noisy_rule(
    checked: CheckedNetwork,
    base: str,
    table: NoisyMaxTableSpec,
    instances: list[tuple[str, dict[str, str]]],
    first: bool,
) -> TableRule:
    spec = checked.spec
    effects = []
    for parent, place in instances:
        by_state = _effects(spec, table, parent, place)
        effects.append(
            tuple(
                _normalised(by_state[state].probabilities) if state in by_state else None
                for state in spec.nodes[base_of(parent)].states
            )
        )
    leak = table.first_leak if first and table.first_leak is not None else table.leak
    parameters = NoisyMaxParameters(tuple(effects), _normalised(leak))
    mean = noisy_max_table(*stated(parameters))
    return TableRule(base, mean, table.equivalent_sample_size, noisy=parameters)


def _normalised(values: Sequence[float]) -> tuple[float, ...]:
    total = sum(values)
    return tuple(value / total for value in values)
