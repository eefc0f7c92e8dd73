"""Evidence and interventions: checked and turned into codes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.errors import Problems
from sinkrisk.network.building import Network
from sinkrisk.network.checking import near_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

Evidence = Mapping[str, str | Mapping[str, float]]
"""Node -> the state it is in, or -> a likelihood of each of its states (soft evidence)."""


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
        All at once: unknown nodes or states, likelihoods that are none, a node in both.
    """
    found = Problems()
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
        elif isinstance(value, Mapping):
            likelihood = _likelihood(net, name, value, found)
            if likelihood is not None:
                soft[name] = likelihood
        elif _state(net, name, value, "evidence", found):
            hard[name] = net.nodes[name].states.index(value)
    found.raise_if_any()
    return Conditions(hard, soft, targets)


def known_node(net: Network, name: str, where: str, found: Problems) -> bool:
    if name in net.nodes:
        return True
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
    if state in net.nodes[name].states:
        return True
    found.add("no such state", got=state, allowed=net.nodes[name].states, key=f"{where}.{name}")
    return False


def _likelihood(
    net: Network, name: str, value: Mapping[str, float], found: Problems
) -> NDArray[np.float64] | None:
    states = net.nodes[name].states
    # A list first: every unknown state is reported, not only the first.
    known = [_state(net, name, state, "evidence", found) for state in value]
    numbers = np.array([float(value.get(state, 0.0)) for state in states])
    if not np.all(np.isfinite(numbers)) or numbers.min() < 0.0 or numbers.max() <= 0.0:
        found.add(
            "likelihood of soft evidence",
            got=dict(value),
            allowed="finite numbers, none negative, one positive",
            key=f"evidence.{name}",
        )
        return None
    return numbers / numbers.max() if all(known) else None
