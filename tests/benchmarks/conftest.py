from __future__ import annotations

import pytest

import sinkrisk


@pytest.fixture(scope="session")
def chain():
    """Budget, network, drivers and the named plans of the packaged global spec."""
    tree = sinkrisk.reconcile(sinkrisk.load_observations("global"), model="closed", rng=1)
    net = sinkrisk.network.load()
    registry = sinkrisk.inputs.drivers(budget=tree, network=net)
    plans = sinkrisk.portfolio.plan(
        sinkrisk.portfolio.load_portfolios(), {"near_term": 1.0, "mid_term": 4.0, "long_term": 8.0}
    )
    return {"tree": tree, "net": net, "drivers": registry, "plans": plans}


@pytest.fixture(scope="session")
def drawn(chain):
    return sinkrisk.inputs.sample(chain["drivers"], 4096, rng=2)
