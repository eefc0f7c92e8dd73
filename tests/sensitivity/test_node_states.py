from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import sobol, state_shares


class Nodes:
    names = ("parent", "child")

    def __init__(self):
        self.groups = {"parent": "parent", "child": "child"}

    def __len__(self):
        return 2


def states_of(u):
    """A child that follows its parent but for one draw in fifty, by the inverse of its table."""
    parent = (u[:, 0] > 0.5).astype(int)
    child = np.where(parent == 1, u[:, 1] > 0.02, u[:, 1] > 0.98).astype(int)
    return parent, child


def test_a_child_that_decides_alone_explains_all_though_its_own_noise_explains_little():
    indices = sobol(lambda u: states_of(u)[1].astype(float), Nodes(), 2048, rng=1)
    u = np.random.default_rng(2).random((8000, 2))
    parent, child = states_of(u)
    states = xr.DataArray(
        np.stack([parent, child], axis=1), dims=("sample", "node"), coords={"node": ["parent", "child"]}
    )
    table = state_shares(child.astype(float), states, indices=indices).set_index("node")
    assert table["value"]["child"] == pytest.approx(1.0)
    # E[child | parent] is .02 or .98: .96^2 of the variance, and so S1 of the parent's own number.
    assert table["value"]["parent"] == pytest.approx(0.96**2, abs=0.02)
    assert table["own_noise_S1"]["parent"] == pytest.approx(0.96**2, abs=0.01)
    assert table["own_noise_ST"]["child"] == pytest.approx(1 - 0.96**2, abs=0.01)
    assert table["stands_out"].all()


def test_the_share_is_an_analysis_of_variance():
    g = np.random.default_rng(3)
    state = g.integers(3, size=500)
    y = np.stack([state + g.standard_normal(500), g.standard_normal(500)], axis=1)
    table = state_shares(y, {"s": state}, permutations=200).set_index("output")
    for k in range(2):
        groups = [y[state == s, k] for s in range(3)]
        within = sum(((part - part.mean()) ** 2).sum() for part in groups) / (500 - 3)
        assert table["value"][str(k)] == pytest.approx(1 - within / y[:, k].var(ddof=1), abs=1e-12)
    assert table["stands_out"].tolist() == [True, False]
    assert table["low"]["0"] < 0.4 < table["high"]["0"]


def test_a_node_of_one_state_explains_nothing_and_a_constant_output_is_undefined():
    state = np.zeros(64, dtype=int)
    y = np.stack([np.arange(64.0), np.ones(64)], axis=1)
    table = state_shares(y, {"s": state}).set_index("output")
    assert table["value"]["0"] == 0.0
    assert np.isnan(table["value"]["1"])
    assert not table["stands_out"].any()


def test_bad_input():
    states = xr.DataArray(np.zeros((32, 1), dtype=int), dims=("sample", "node"), coords={"node": ["a"]})
    with pytest.raises(InputError, match="no such node among the states: got 'b'"):
        state_shares(np.arange(32.0), states, nodes=["b"])
    with pytest.raises(InputError, match="lacks the dim 'node'"):
        state_shares(np.arange(32.0), states.rename(node="place"))
    with pytest.raises(InputError, match="another shape"):
        state_shares(np.arange(33.0), states)
