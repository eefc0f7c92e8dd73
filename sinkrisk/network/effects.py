"""What scenarios and levers do to deployment: per class, region and period, with intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem
from sinkrisk.network.building import Network, Node
from sinkrisk.network.scenarios import Scenario
from sinkrisk.network.simulated import Doubt, check_mass, state_probabilities
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODE = "deployment_mode"
FALLEN = ("passive_redundancy", "collapse")
_PLACE = {"class": "cls", "region": "region", "period": "period"}


def deployment_nodes(net: Network, cells: Collection[tuple[str, str]] | None = None) -> list[Node]:
    """Return the deployment nodes of a network, of the given (class, region) cells alone if any.

    Raises
    ------
    InputError
        When there are none.
    """
    nodes = [
        node
        for node in net.nodes.values()
        if node.base == MODE and (cells is None or (node.cls, node.region) in cells)
    ]
    if not nodes:
        raise InputError(
            Problem(
                "no deployment node",
                got="none of the cells" if cells else net.name,
                allowed=f"a network with '{MODE}'" if not cells else "pairs (class, region) of the network",
            )
        )
    return nodes


def scenario_effects(
    net: Network,
    scenarios: Mapping[str, Scenario],
    bank: TableBank,
    *,
    cells: Collection[tuple[str, str]] | None = None,
    by: Sequence[str] = ("class", "region", "period"),
    mass: float = 0.9,
    samples: int = 256,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return what each scenario does to the probabilities of the deployment modes.

    Parameters
    ----------
    net : Network
    scenarios : mapping of str to Scenario
        From `load_scenarios`.
    bank : TableBank
        Its draws carry the doubt about the tables; intervals run over them.
    cells : collection of (class, region), optional
        All when left out.
    by : sequence of str
        Of class, region, period: what rows stand for; probabilities are averaged over the rest,
        every cell counting the same.
    mass : float
        Of the equal-tailed intervals.
    samples : int
        Joint samples per draw of the tables, common to all scenarios.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        Columns scenario, kind, those of `by`, state, baseline, baseline_low, baseline_high,
        probability, probability_low, probability_high, change, change_low, change_high, mc_error
        (standard error of `change` from sampling), interval_kind, interval_mass. Means over the
        draws. Beside the modes, the state `fallen` is passive redundancy or collapse.

    Raises
    ------
    InputError
        For a network without deployment nodes, a mass outside (0, 1), fewer than two samples, and
        groups that are not of class, region and period.
    """
    check_mass(mass)
    wrong = [name for name in by if name not in _PLACE]
    if wrong or not by or len(set(by)) < len(by):
        raise InputError(Problem("groups of effects", got=", ".join(by), allowed=list(_PLACE), key="by"))
    nodes = deployment_nodes(net, cells)
    names = [node.name for node in nodes]
    seed = int(random.generator(rng).integers(2**63))
    before = state_probabilities(net, bank, names, samples=samples, rng=seed)
    states = nodes[0].states
    groups: dict[tuple[str, ...], list[str]] = {}
    for node in nodes:
        groups.setdefault(tuple(str(getattr(node, _PLACE[name])) for name in by), []).append(node.name)
    rows: list[dict[str, object]] = []
    for scenario in scenarios.values():
        after = state_probabilities(net, bank, names, scenario.do, samples=samples, rng=seed)
        for place, members in groups.items():
            base, moved = (_mean(found, members, states) for found in (before, after))
            for code, state in enumerate((*states, "fallen")):
                change = Doubt.of(moved[..., code] - base[..., code])
                rows.append(
                    {
                        "scenario": scenario.name,
                        "kind": scenario.kind,
                        **dict(zip(by, place, strict=True)),
                        "state": state,
                        **Doubt.of(base[..., code]).columns("baseline", mass),
                        **Doubt.of(moved[..., code]).columns("probability", mass),
                        **change.columns("change", mass),
                        "mc_error": change.mc_error,
                    }
                )
    return pd.DataFrame(rows).assign(interval_kind="equal-tailed", interval_mass=mass)


def _mean(
    found: Mapping[str, NDArray[np.float64]], members: Sequence[str], states: Sequence[str]
) -> NDArray[np.float64]:
    """Mean over nodes of (2, draw, state), with the fallen states added up as one more."""
    mean = np.mean([found[name] for name in members], axis=0)
    fallen = mean[..., [states.index(state) for state in FALLEN]].sum(axis=-1)
    return np.concatenate([mean, fallen[..., None]], axis=-1)
