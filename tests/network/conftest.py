from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from sinkrisk.network import Network, load, network_from_tables

REGIONS = (
    "north_america", "northern_europe", "southeast_asia_tropics", "arid_zones", "china_east_coast",
    "china_southwest", "china_arid_north", "open_ocean", "rest_of_world",
)  # fmt: skip
PERIODS = ("near_term", "mid_term", "long_term")
CLASSES = ("nature", "land_based", "geological", "mineral", "ocean")


@pytest.fixture(scope="session")
def governance() -> Network:
    """The shipped network with the plates' values of the contracts, no CSV read."""
    return load(regions=REGIONS, periods=PERIODS)


def random_network(rng: np.random.Generator, *, zeros: bool = True) -> Network:
    """Three to seven nodes of two to four states, up to three parents, some probabilities nought."""
    count = int(rng.integers(3, 8))
    names = [f"n{i}" for i in range(count)]
    cards = rng.integers(2, 5, size=count)
    states = {name: [f"s{k}" for k in range(card)] for name, card in zip(names, cards, strict=True)}
    parents, tables = {}, {}
    for i, name in enumerate(names):
        chosen = rng.choice(i, size=int(rng.integers(0, min(i, 3) + 1)), replace=False) if i else []
        parents[name] = [names[int(j)] for j in chosen]
        shape = [len(states[parent]) for parent in parents[name]]
        table = rng.dirichlet(np.full(cards[i], 0.7), size=shape)
        if zeros and rng.random() < 0.3:
            table = np.where(table < 0.1, 0.0, table)
            table /= table.sum(axis=-1, keepdims=True)
        tables[name] = table
    # Names in any order: the network has to find parents first by itself.
    shuffled = [names[int(i)] for i in rng.permutation(count)]
    return network_from_tables({name: states[name] for name in shuffled}, parents, tables)


def enumerate_joint(
    net: Network,
    evidence: Mapping[str, str | Mapping[str, float]] | None = None,
    do: Mapping[str, str] | None = None,
) -> tuple[float, dict[str, np.ndarray]]:
    """Oracle: probability of the evidence and all marginals, by adding up every joint state."""
    evidence, do = evidence or {}, do or {}
    sums = {name: np.zeros(len(node.states)) for name, node in net.nodes.items()}
    total = 0.0
    for combination in itertools.product(*(range(len(node.states)) for node in net.nodes.values())):
        state = dict(zip(net.nodes, combination, strict=True))
        weight = 1.0
        for name, node in net.nodes.items():
            if name in do:
                weight *= float(node.states[state[name]] == do[name])
            else:
                weight *= net.tables[name][(*(state[p] for p in node.parents), state[name])]
            seen = evidence.get(name)
            if isinstance(seen, str):
                weight *= float(node.states[state[name]] == seen)
            elif seen is not None:
                weight *= seen.get(node.states[state[name]], 0.0)
            if weight == 0.0:
                break
        total += weight
        for name, code in state.items():
            sums[name][code] += weight
    return total, {name: values / total if total > 0 else values for name, values in sums.items()}


@pytest.fixture(scope="session", name="random_network")
def _random_network() -> Callable[..., Network]:
    return random_network


@pytest.fixture(scope="session", name="enumerate_joint")
def _enumerate_joint() -> Callable[..., tuple[float, dict[str, np.ndarray]]]:
    return enumerate_joint
