from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import inputs, network
from sinkrisk.errors import InputError
from sinkrisk.portfolio import ranking_values
from sinkrisk.sensitivity import value_of_observing


@pytest.fixture(scope="module")
def drawn():
    net = network.load()
    registry = inputs.drivers(inputs.InputsSpec(tables=16), network=net)
    return net, registry, inputs.network_states(registry, 512, rng=4)


def test_states_are_those_that_sample_reads(drawn):
    net, registry, states = drawn
    sampled = inputs.sample(registry, 512, rng=4)
    for cls, region, period in (("ocean", "open_ocean", "long_term"), ("nature", "arid_zones", "mid_term")):
        mode = sampled["mode"].sel({"class": cls, "region": region, "period": period})
        np.testing.assert_array_equal(mode, states.sel(node=f"deployment_mode__{cls}__{region}__{period}"))
    shock = sampled["shock"].sel(region="arid_zones", period="near_term").values
    np.testing.assert_array_equal(shock, states.sel(node="disturbance__arid_zones__near_term") == 1)
    assert list(states["node"].values) == list(net.order)


def test_the_node_that_decides_comes_first(drawn):
    _, _, states = drawn
    node = "carbon_price_regime__mid_term"
    collapsed = (states.sel(node=node) == 0).values
    noise = np.random.default_rng(1).normal(0, 0.05, size=len(collapsed))
    values = xr.DataArray(
        np.stack([np.full(len(collapsed), 0.5), np.where(collapsed, 0.1, 0.6) + noise], axis=1),
        dims=("sample", "portfolio"),
        attrs={"units": "USD"},
    )
    nodes = [node, "carbon_price_regime__near_term", "disturbance__open_ocean__near_term"]
    table = value_of_observing(values, states, nodes=nodes)
    assert table.node[0] == node
    assert table.acts[0]
    # Without knowing, the better mean; knowing, the first portfolio when prices have collapsed.
    p = collapsed.mean()
    exact = p * 0.5 + (1 - p) * 0.6 - max(0.5, p * 0.1 + (1 - p) * 0.6)
    assert table.value[0] == pytest.approx(exact, abs=0.02)
    assert (table.unit == "USD").all()
    other = table.set_index("node").loc["disturbance__open_ocean__near_term"]
    assert not other.acts


def test_ranking_values_are_mean_scores():
    measures = xr.DataArray(
        [[[1.0, 4.0], [2.0, 3.0]], [[3.0, 2.0], [4.0, 1.0]]],
        dims=("sample", "portfolio", "criterion"),
        coords={
            "sample": [0, 1],
            "portfolio": ["a", "b"],
            "criterion": ["gain", "cost"],
            "direction": ("criterion", ["maximise", "minimise"]),
        },
    )
    values = ranking_values(measures, criteria=["gain", "cost"])
    low, high = np.quantile([1.0, 2.0, 3.0, 4.0], [0.05, 0.95], method="inverted_cdf")
    gain = np.clip((np.array([[1.0, 2.0], [3.0, 4.0]]) - low) / (high - low), 0, 1)
    cost = 1 - np.clip((np.array([[4.0, 3.0], [2.0, 1.0]]) - low) / (high - low), 0, 1)
    np.testing.assert_allclose(values, (gain + cost) / 2, atol=1e-12)
    ordered = ranking_values(measures, weights=["cost", "gain"], rng=1)
    # Ordered weights of two criteria average 3/4 and 1/4.
    np.testing.assert_allclose(ordered, 0.25 * gain + 0.75 * cost, atol=0.01)


def test_what_does_not_fit_is_refused(drawn):
    _, registry, states = drawn
    values = xr.DataArray(np.zeros((4, 2)), dims=("sample", "portfolio"))
    with pytest.raises(InputError, match="values and states of different samples"):
        value_of_observing(values, states)
    with pytest.raises(InputError, match="2 problems"):
        value_of_observing(values.rename(portfolio="plan"), states.rename(node="state"))
    whole = xr.DataArray(np.zeros((512, 2)), dims=("sample", "portfolio"))
    with pytest.raises(InputError, match="no such node among the states: got 'weather'"):
        value_of_observing(whole, states, nodes=["weather"])
    with pytest.raises(InputError, match="no network among the drivers"):
        inputs.network_states(inputs.drivers(), 4)
    with pytest.raises(InputError, match="number of draws must be a positive integer"):
        inputs.network_states(registry, 0)


def test_nodes_and_samples_are_checked(drawn):
    _, _, states = drawn
    node = "carbon_price_regime__mid_term"
    values = xr.DataArray(
        np.random.default_rng(1).random((512, 2)),
        dims=("sample", "portfolio"),
        coords={"sample": np.arange(512)},
    )
    assert list(value_of_observing(values, states, nodes=node, permutations=4).node) == [node]
    with pytest.raises(InputError, match="no node to observe"):
        value_of_observing(values, states, nodes=[])
    with pytest.raises(InputError, match="did you mean 'carbon_price_regime__mid_term'") as caught:
        value_of_observing(values, states, nodes=["carbon_price_regim__mid_term"])
    assert len(str(caught.value)) < 500
    labelled = states.assign_coords(sample=np.arange(512))
    with pytest.raises(InputError, match=r"sample 511 in place 0 of the states'; allowed: sample 0"):
        value_of_observing(values, labelled[::-1], nodes=[node])
