"""Scalar quantities: elicited from claims, made drivers or constants, pools constrained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk import units
from sinkrisk.errors import InputError
from sinkrisk.inputs.blocks import Floats, Marginal, Part, PoolBlock, ScalarBlock, Slot
from sinkrisk.inputs.building import Builder, Tables, joined
from sinkrisk.inputs.quantities import PATHWAY_QUANTITIES, POOLS, POWER_SHARES, PathwayTraits, Quantity
from sinkrisk.inputs.sharing_blocks import Line

if TYPE_CHECKING:
    from sinkrisk.priors import Elicited

CHAIN = "all"
"""Claims pathway of quantities of the whole chain."""

KEPT = 2048
"""Elicited priors kept in memory; beyond that all are forgotten."""

_KEPT: dict[tuple[str, str, str | None, float, str], Elicited] = {}


@dataclass
class Claims:
    """The claims, and the priors elicited from them.

    Parameters
    ----------
    table : DataFrame
    builder : Builder
    groups : dict of str to tuple of str
        Pathway -> groups whose claims `elicit` falls back on (``priors/pathway_groups.csv``).
    """

    table: pd.DataFrame
    builder: Builder
    groups: dict[str, tuple[str, ...]]

    @cached_property
    def stated(self) -> set[tuple[str, str]]:
        """The (pathway, quantity) pairs that have claims of their own."""
        return set(zip(self.table["pathway"], self.table["quantity"], strict=True))

    def have(self, pathway: str, quantity: str) -> bool:
        """Return whether `elicit` will find a claim; a group's potential is shared, never inherited."""
        if (pathway, quantity) in self.stated:
            return True
        shared = quantity != "potential"
        return shared and any((group, quantity) in self.stated for group in self.groups.get(pathway, ()))

    def missing(self, pathway: str, quantity: Quantity) -> None:
        """Record that a quantity the chain needs has no claim."""
        self.builder.known.add(quantity.name if pathway == CHAIN else f"{quantity.name}__{pathway}")
        self.builder.problems.add(
            f"no claim on {quantity.name} of {pathway}",
            allowed=f"a row of pathway '{pathway}', quantity '{quantity.name}', unit such as {quantity.unit}",
            file=self.table.attrs.get("path"),
        )

    def part_of_energy(self, pathway: str) -> float | None:
        """Return the share of power where claims on energy state a part of it, None where the whole."""
        spec = self.builder.spec
        try:
            found = _elicited(self, pathway, "energy", spec.basis.get("energy"), spec.mass)
        except InputError:
            # Reported where energy itself is read.
            return None
        shares = {POWER_SHARES.get(basis) for basis in found.basis}
        return shares.pop() if len(shares) == 1 else None

    def prior(self, pathway: str, quantity: Quantity) -> tuple[Marginal, str, str] | None:
        """Return the marginal, its sources and its description; None, and a problem, on failure."""
        spec, problems = self.builder.spec, self.builder.problems
        try:
            found = _elicited(self, pathway, quantity.name, spec.basis.get(quantity.name), spec.mass)
            factor = units.factor(found.unit, quantity.unit)
        except InputError as error:
            problems.extend(error.problems)
            return None
        marginal = Marginal(found.ppf, factor, quantity.low, quantity.high)
        text = f"inverse CDF of claims of basis {' and '.join(found.basis)}, {quantity.unit}"
        inside = _mass_inside(found.ppf, factor, quantity)
        if inside < 1.0 - quantity.tolerated:
            problems.add(
                f"prior of {quantity.name} of {pathway} lies outside what it can be",
                got=f"{1.0 - inside:.0%} of its mass",
                allowed=f"[{quantity.low:g}, {quantity.high:g}] {quantity.unit}",
                file=self.table.attrs.get("path"),
            )
        if inside < 1.0:
            text += f", clipped to [{quantity.low:g}, {quantity.high:g}]"
        return marginal, joined(found.sources), text


def _elicited(claims: Claims, pathway: str, quantity: str, basis: str | None, mass: float) -> Elicited:
    """Return `elicit`'s answer, kept per content of the claims: a run builds its drivers several times."""
    from sinkrisk.priors import elicit

    table, speakers = claims.table, [pathway, *claims.groups.get(pathway, ())]
    own = table[(table["quantity"] == quantity) & table["pathway"].isin(speakers)]
    key = (pathway, quantity, basis, mass, own.to_csv(index=False))
    if key not in _KEPT:
        if len(_KEPT) >= KEPT:
            _KEPT.clear()
        _KEPT[key] = elicit(table, pathway, quantity, basis=basis, mass=mass)
    return _KEPT[key]


def _mass_inside(ppf: Callable[[Floats], Floats], factor: float, quantity: Quantity) -> float:
    """Return how much of a prior lies within a quantity's bounds, to about a thousandth."""
    u = (np.arange(2000) + 0.5) / 2000
    values = np.asarray(ppf(u)) * factor
    return float(np.mean((values >= quantity.low) & (values <= quantity.high)))


def traits_of(tables: Tables) -> list[PathwayTraits]:
    """Return what decides which quantities each pathway needs."""
    return [
        PathwayTraits(
            str(row.pathway), tuple(str(row.classes).split(";")), str(row.flow_class), str(row.store)
        )
        for row in tables.pathways.itertuples()
    ]


def add_pathway_quantities(builder: Builder, claims: Claims, tables: Tables) -> dict[str, NDArray[Any]]:
    """Add the quantities of every pathway.

    Returns
    -------
    dict of str to ndarray (pathway,)
        What each variable holds before its drivers fill it: constants and defaults.
    """
    pathways = traits_of(tables)
    position = {traits.name: index for index, traits in enumerate(pathways)}
    starts: dict[str, NDArray[Any]] = {}
    entries: list[tuple[str, int | None, int, Marginal]] = []
    for quantity in PATHWAY_QUANTITIES:
        start = np.array([quantity.default(traits) for traits in pathways])
        pooled = _add_pools(builder, claims, quantity, position)
        for traits in pathways:
            if not quantity.needed(traits) or traits.name in pooled:
                continue
            if not claims.have(traits.name, quantity.name):
                if not quantity.optional:
                    claims.missing(traits.name, quantity)
                continue
            part = _add(builder, claims, f"{quantity.name}__{traits.name}", traits.name, quantity)
            _place(part, quantity.name, position[traits.name], start, entries)
        starts[quantity.name] = start
    builder.blocks.append(ScalarBlock(tuple(entries)))
    return starts


def add_chain_quantities(builder: Builder, claims: Claims, wanted: dict[str, Quantity]) -> dict[str, Any]:
    """Add quantities of the whole chain, named by the variable and the position they fill.

    Parameters
    ----------
    wanted : dict of str to Quantity
        Variable, or ``"mode_fraction:1"`` for a position on the second axis.

    Returns
    -------
    dict of str to float
        The constant of each that is not varied; NaN where a driver fills it.
    """
    starts: dict[str, Any] = {}
    entries: list[tuple[str, int | None, int, Marginal]] = []
    for target, quantity in wanted.items():
        starts[target] = math.nan
        part = add_chain_quantity(builder, claims, quantity)
        if part is None:
            continue
        slot, prior = part
        if isinstance(prior, float):
            starts[target] = prior
        elif slot.column is not None:
            variable, _, place = target.partition(":")
            entries.append((variable, int(place) if place else None, slot.column, prior))
    builder.blocks.append(ScalarBlock(tuple(entries)))
    return starts


def add_chain_quantity(builder: Builder, claims: Claims, quantity: Quantity) -> Part | None:
    """Add one quantity of the whole chain; None, and a problem, on failure."""
    if not claims.have(CHAIN, quantity.name):
        if quantity.optional:
            return Slot(None), quantity.neutral
        claims.missing(CHAIN, quantity)
        return None
    return _add(builder, claims, quantity.name, CHAIN, quantity)


def _add(builder: Builder, claims: Claims, name: str, owner: str, quantity: Quantity) -> Part | None:
    prior = claims.prior(owner, quantity)
    if prior is None:
        builder.known.add(name)
        return None
    marginal, source, text = prior
    part = claims.part_of_energy(owner) if quantity.name == "power_share" else None
    if part is not None:
        # Where energy is read as heat alone none of it is power, whatever the share in the whole.
        marginal, source = (
            Marginal(Line(part, part), 1.0, part, part),
            "claims on energy state this part alone",
        )
    if (owner, quantity.name) not in claims.stated:
        text += f", those of the group {' or '.join(claims.groups[owner])}"
    return builder.scalar(name, quantity.group, marginal, unit=quantity.unit, source=source, text=text)


def _place(
    part: Part | None,
    variable: str,
    position: int,
    start: Floats,
    entries: list[tuple[str, int | None, int, Marginal]],
) -> None:
    if part is None:
        return
    slot, prior = part
    if isinstance(prior, float):
        start[position] = prior
    elif slot.column is not None:
        entries.append((variable, position, slot.column, prior))


def _add_pools(builder: Builder, claims: Claims, quantity: Quantity, position: dict[str, int]) -> set[str]:
    """Add the pools of potentials; return the pathways they settle."""
    settled: set[str] = set()
    if quantity.name != "potential":
        return settled
    for merged, members in POOLS.items():
        if not claims.have(merged, quantity.name) or not all(member in position for member in members):
            continue
        settled.update(members)
        lacking = [member for member in members if not claims.have(member, quantity.name)]
        for member in lacking:
            claims.missing(member, quantity)
        if lacking:
            continue
        total = _add(builder, claims, f"{quantity.name}__{merged}", merged, quantity)
        parts = [
            _add(builder, claims, f"{quantity.name}_own__{member}", member, quantity) for member in members
        ]
        if total is None or any(part is None for part in parts):
            continue
        builder.blocks.append(
            PoolBlock(
                quantity.name,
                tuple(position[member] for member in members),
                total,
                tuple(part for part in parts if part is not None),
            )
        )
    return settled
