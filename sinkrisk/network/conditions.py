"""Evidence and interventions: checked and turned into codes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.telling import near_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

Likelihood = Mapping[str, float] | Sequence[float] | np.ndarray | pd.Series
Evidence = Mapping[str, str | Likelihood]
"""Node -> the state it is in, or -> a likelihood of each of its states (soft evidence): by state, or
in the order of the states."""


@dataclass(frozen=True)
class Conditions:
    """Evidence and interventions as codes.

    Parameters
    ----------
    hard, do : dict of str to int
        Node -> code of its state.
    soft : dict of str to ndarray
        Node -> likelihood per state, the largest 1.
    """

    hard: dict[str, int]
    soft: dict[str, NDArray[np.float64]]
    do: dict[str, int]

    def only(self, names: Collection[str]) -> Conditions:
        """Return the conditions with evidence on these nodes alone."""
        return Conditions(
            {k: v for k, v in self.hard.items() if k in names},
            {k: v for k, v in self.soft.items() if k in names},
            self.do,
        )


def read_conditions(net: Network, evidence: Evidence | None, do: Mapping[str, str] | None) -> Conditions:
    """Check evidence and interventions and turn states into codes.

    Raises
    ------
    InputError
        All at once: unknown nodes or states, likelihoods that are none or lack a state, a node in
        both; and for what is no network, or no mapping.
    """
    require_network(net)
    found = Problems()
    for what, given, wanted in (
        ("evidence", evidence, "{node: state}, or {node: {state: likelihood}}"),
        ("do", do, "{node: state}"),
    ):
        if given is not None and not isinstance(given, Mapping):
            found.add(f"{what} is no mapping", got=_shown(given), allowed=wanted, key=what)
    found.raise_if_any()
    hard: dict[str, int] = {}
    soft: dict[str, NDArray[np.float64]] = {}
    targets: dict[str, int] = {}
    for name, state in (do or {}).items():
        if known_node(net, name, "do", found) and _state(net, name, state, "do", found):
            targets[name] = net.nodes[name].states.index(state)
    for name, value in (evidence or {}).items():
        if not known_node(net, name, "evidence", found):
            continue
        if name in (do or {}):
            found.add("evidence on a node that is set by do", got=name, hint="give it once")
        elif not isinstance(value, str) and isinstance(value, (Mapping, Iterable)):
            likelihood = _likelihood(net, name, value, found)
            if likelihood is not None:
                soft[name] = likelihood
        elif _state(net, name, value, "evidence", found):
            hard[name] = net.nodes[name].states.index(value)
    found.raise_if_any()
    return Conditions(hard, soft, targets)


def require_network(net: Network) -> None:
    """Raise unless `net` is a network."""
    if not isinstance(net, Network):
        hint = "network.load(path) reads one" if isinstance(net, (str, os.PathLike)) else None
        allowed = "what network.load returns"
        raise InputError(Problem("not a network", got=_shown(net), allowed=allowed, hint=hint, key="net"))


def listed(values: object, what: str) -> list[str]:
    """Return an iterable of names as a list; raise where it is none."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(Problem(what, got=_shown(values), allowed="a list of names", key=what))
    return list(values)


def _shown(value: object) -> object:
    return value if isinstance(value, (str, int, float)) else type(value).__name__


def known_node(net: Network, name: str, where: str, found: Problems) -> bool:
    """Whether the network has a node of this name; told where not."""
    if isinstance(name, str) and name in net.nodes:
        return True
    if not isinstance(name, str):
        found.add("name of a node is no text", got=_shown(name), key=where)
        return False
    near = near_names(str(name), net.order) or list(net.order[:5])
    found.add(
        "no such node in the network",
        got=name,
        allowed=near,
        key=where,
        hint=f"the {len(net)} nodes are in net.order",
    )
    return False


def _state(net: Network, name: str, state: Any, where: str, found: Problems) -> bool:
    if isinstance(state, str) and state in net.nodes[name].states:
        return True
    found.add("no such state", got=_shown(state), allowed=net.nodes[name].states, key=f"{where}.{name}")
    return False


def _likelihood(net: Network, name: str, value: Likelihood, found: Problems) -> NDArray[np.float64] | None:
    states = net.nodes[name].states
    place = f"evidence.{name}"
    if isinstance(value, pd.Series):
        value = {str(state): number for state, number in value.items()}
    if isinstance(value, Mapping):
        # A list first: every unknown state is reported, not only the first.
        known = [_state(net, name, state, "evidence", found) for state in value]
        missing = [state for state in states if state not in value]
        if missing:
            hint = "a state left out is not taken for impossible: give 0 where it is"
            found.add(
                "soft evidence lacks a state", got=list(value), allowed=states, key=place,
                hint=f"{', '.join(missing)}: {hint}",
            )  # fmt: skip
        if missing or not all(known):
            return None
        given = [value[state] for state in states]
    else:
        given = list(value)
        if len(given) != len(states):
            found.add("soft evidence of another number of states", got=len(given), allowed=states, key=place)
            return None
    try:
        numbers = np.array(given, dtype=float)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if any(isinstance(item, str) for item in given):
        numbers = np.array([np.nan])
    if numbers.ndim != 1 or not np.all(np.isfinite(numbers)) or numbers.min() < 0.0 or numbers.max() <= 0.0:
        found.add(
            "likelihood of soft evidence",
            got=dict(zip(states, given, strict=True)),
            allowed="finite numbers, none negative, one positive",
            key=place,
        )
        return None
    return np.asarray(numbers / numbers.max(), dtype=float)
