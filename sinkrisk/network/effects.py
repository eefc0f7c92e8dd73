"""What scenarios and levers do to deployment: per class, region and period, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem
from sinkrisk.network.building import Network
from sinkrisk.network.cells import FALLEN, Cells, deployment_nodes
from sinkrisk.network.scenarios import Scenarios, as_scenarios
from sinkrisk.network.simulated import Doubt, check_bank, check_mass, state_probabilities
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLACE = {"class": "cls", "region": "region", "period": "period"}


def scenario_effects(
    net: Network,
    scenarios: Scenarios,
    bank: TableBank,
    *,
    cells: Cells = "possible",
    by: str | Sequence[str] = ("class", "region", "period"),
    mass: float = 0.9,
    samples: int = 256,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return what each scenario does to the probabilities of the deployment modes.

    Parameters
    ----------
    net : Network
    scenarios : mapping of str to Scenario, or list of Scenario
        From `load_scenarios`; or name -> {node: state}, what the scenario sets.
    bank : TableBank
        Its draws carry the doubt about the tables; intervals run over them.
    cells : "possible", "all" or collection of (class, region)
        Those that count: where a pathway of the class is possible (see `possible_cells`), all, or
        these.
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
        Columns scenario, label, kind, those of `by`, state, baseline, baseline_low, baseline_high,
        probability, probability_low, probability_high, change, change_low, change_high, mc_error
        (standard error of `change` from sampling), interval_kind, interval_mass. Means over the
        draws. Beside the modes, the state `fallen` is passive redundancy or collapse.
        ``attrs["cells"]`` says which cells were counted.

    Raises
    ------
    InputError
        For a network without deployment nodes, cells that it has not, a mass outside (0, 1), fewer
        than two samples, and groups that are not of class, region and period.

    Examples
    --------
    >>> from sinkrisk.network import load, load_scenarios, table_bank
    >>> net = load(regions=["arid_zones"], periods=["near_term", "mid_term"])
    >>> named = load_scenarios(net)
    >>> chosen = {"price_collapse": named["price_collapse"]}
    >>> found = scenario_effects(net, chosen, table_bank(net, 16, rng=1), by="period", samples=64)
    >>> found[found["state"] == "fallen"][["scenario", "period", "change"]].round(2)
             scenario     period  change
    4  price_collapse  near_term    0.00
    9  price_collapse   mid_term    0.05
    >>> found.attrs["cells"]
    'the 4 of 5 cells (class, region) in which a pathway is possible'
    """
    check_mass(mass)
    check_bank(net, bank)
    by = (by,) if isinstance(by, str) else by
    named = as_scenarios(net, scenarios)
    wrong = [name for name in by if name not in _PLACE]
    if wrong or not by or len(set(by)) < len(by):
        raise InputError(Problem("groups of effects", got=", ".join(by), allowed=list(_PLACE), key="by"))
    nodes, counted = deployment_nodes(net, cells)
    names = [node.name for node in nodes]
    seed = int(random.generator(rng).integers(2**63))
    before = state_probabilities(net, bank, names, samples=samples, rng=seed)
    states = nodes[0].states
    groups: dict[tuple[str, ...], list[str]] = {}
    for node in nodes:
        groups.setdefault(tuple(str(getattr(node, _PLACE[name])) for name in by), []).append(node.name)
    rows: list[dict[str, object]] = []
    for scenario in named.values():
        after = state_probabilities(net, bank, names, scenario.do, samples=samples, rng=seed)
        for place, members in groups.items():
            base, moved = (_mean(found, members, states) for found in (before, after))
            for code, state in enumerate((*states, "fallen")):
                change = Doubt.of(moved[..., code] - base[..., code])
                rows.append(
                    {
                        "scenario": scenario.name,
                        "label": scenario.label,
                        "kind": scenario.kind,
                        **dict(zip(by, place, strict=True)),
                        "state": state,
                        **Doubt.of(base[..., code]).columns("baseline", mass, (0.0, 1.0)),
                        **Doubt.of(moved[..., code]).columns("probability", mass, (0.0, 1.0)),
                        **change.columns("change", mass),
                        "mc_error": change.mc_error,
                    }
                )
    table = pd.DataFrame(rows).assign(interval_kind="equal-tailed", interval_mass=mass)
    table.attrs["cells"] = counted
    return table


def _mean(
    found: Mapping[str, NDArray[np.float64]], members: Sequence[str], states: Sequence[str]
) -> NDArray[np.float64]:
    """Mean over nodes of (2, draw, state), with the fallen states added up as one more."""
    mean = np.mean([found[name] for name in members], axis=0)
    fallen = mean[..., [states.index(state) for state in FALLEN]].sum(axis=-1)
    return np.concatenate([mean, fallen[..., None]], axis=-1)
