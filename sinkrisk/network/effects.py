"""What scenarios and levers do to deployment: per class, region and period, with intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem
from sinkrisk.network.building import Network, Node
from sinkrisk.network.scenarios import Scenario
from sinkrisk.network.simulated import Doubt, check_mass, state_probabilities
from sinkrisk.network.tables import TableBank

MODE = "deployment_mode"


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
    mass : float
        Of the equal-tailed intervals.
    samples : int
        Joint samples per draw of the tables, common to all scenarios.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        Columns scenario, kind, class, region, period, state, baseline, baseline_low, baseline_high,
        probability, probability_low, probability_high, change, change_low, change_high, mc_error
        (standard error of `change` from sampling), interval_kind, interval_mass. Means over the
        draws.

    Raises
    ------
    InputError
        For a network without deployment nodes, a mass outside (0, 1), fewer than two samples.
    """
    check_mass(mass)
    nodes = deployment_nodes(net, cells)
    names = [node.name for node in nodes]
    seed = int(random.generator(rng).integers(2**63))
    before = state_probabilities(net, bank, names, samples=samples, rng=seed)
    rows: list[dict[str, object]] = []
    for scenario in scenarios.values():
        after = state_probabilities(net, bank, names, scenario.do, samples=samples, rng=seed)
        for node in nodes:
            base, moved = before[node.name], after[node.name]
            for code, state in enumerate(node.states):
                change = Doubt.of(moved[..., code] - base[..., code])
                rows.append(
                    {
                        "scenario": scenario.name,
                        "kind": scenario.kind,
                        "class": node.cls,
                        "region": node.region,
                        "period": node.period,
                        "state": state,
                        **Doubt.of(base[..., code]).columns("baseline", mass),
                        **Doubt.of(moved[..., code]).columns("probability", mass),
                        **change.columns("change", mass),
                        "mc_error": change.mc_error,
                    }
                )
    return pd.DataFrame(rows).assign(interval_kind="equal-tailed", interval_mass=mass)
