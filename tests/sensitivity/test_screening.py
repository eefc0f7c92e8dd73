"""Screening hundreds of drivers: shares known in closed form, and a floor that holds for all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import screen_drivers, state_shares, tornado_table, winners_by
from sinkrisk.sensitivity.screening import COLUMNS

N = 4096


def many(seed, count=200):
    x = np.random.default_rng(seed).random((N, count))
    return x, {f"x{k}": x[:, k] for k in range(count)}


def test_shares_are_those_of_the_classes():
    # Y = X of 8 classes of a uniform: Var(E[Y|class]) / Var(Y) = 1 - 1/64; a hump is seen as well.
    x, drivers = many(1)
    y = np.stack([x[:, 3], (x[:, 5] - 0.5) ** 2, x[:, 7] + x[:, 9]], axis=1)
    labelled = xr.DataArray(y, dims=("sample", "output"), coords={"output": ["line", "hump", "sum"]})
    found = screen_drivers(labelled, drivers, top=3)
    line, hump, both = (part.reset_index(drop=True) for _, part in found.groupby("output", sort=False))
    assert list(found.columns) == COLUMNS
    assert line["driver"][0] == "x3"
    assert line["value"][0] == pytest.approx(1 - 1 / 64, abs=0.001)
    assert hump["driver"][0] == "x5"
    assert hump["value"][0] > 0.9
    assert set(both["driver"][:2]) == {"x7", "x9"}
    np.testing.assert_allclose(both["value"][:2], 0.5 * (1 - 1 / 64), atol=0.03)
    assert line["stands_out"][0]
    assert hump["stands_out"][0]
    assert both["stands_out"][:2].all()
    assert set(found["tried"]) == {200}


def test_a_share_is_that_of_state_shares():
    g = np.random.default_rng(2)
    state = g.integers(3, size=N)
    y = state + g.standard_normal(N)
    found = screen_drivers(y, {"policy": state})
    assert found["value"][0] == pytest.approx(state_shares(y, {"policy": state})["value"][0], abs=1e-12)


def test_none_of_many_idle_drivers_stands_out_more_often_than_stated():
    # Chance of any at all: 1 / (shuffles + 1) = 1/21 a run at most. Over 40 runs more than 6 would be
    # seen in less than 1 % of cases (binomial).
    hits = 0
    for seed in range(40):
        g = np.random.default_rng(seed)
        x = g.random((512, 60))
        found = screen_drivers(g.standard_normal(512), {f"x{k}": x[:, k] for k in range(60)}, rng=seed)
        hits += bool(found["stands_out"].any())
    assert hits <= 6


def test_constant_outputs_are_left_out_and_idle_states_explain_nothing():
    x, drivers = many(3, 5)
    y = xr.DataArray(
        np.stack([np.ones(N), x[:, 0]], axis=1), dims=("sample", "output"), coords={"output": ["a", "b"]}
    )
    found = screen_drivers(y, {**drivers, "still": np.zeros(N, dtype=int)})
    assert set(found["output"]) == {"b"}
    assert found.set_index("driver").loc["still", "value"] == 0.0
    assert screen_drivers(np.ones(N), drivers).empty


def test_states_keep_the_order_they_come_with():
    g = np.random.default_rng(4)
    codes = g.integers(3, size=N)
    states = pd.Categorical.from_codes(codes, categories=["weak", "fair", "strong"], ordered=True)
    y = codes + 0.1 * g.standard_normal(N)
    row = tornado_table(y, {"support": states}).iloc[0]
    assert (row["low_label"], row["high_label"]) == ("weak", "strong")
    values = xr.DataArray(
        np.stack([y, np.full(N, 1.5)], axis=1), dims=("sample", "portfolio"), coords={"portfolio": ["b", "s"]}
    )
    found = winners_by(values, {"support": states})
    assert found[["condition", "winner"]].values.tolist() == [["weak", "s"], ["fair", "s"], ["strong", "b"]]
    with pytest.raises(InputError, match="driver is not known"):
        screen_drivers(y, {"support": pd.Categorical.from_codes(np.r_[-1, codes[1:]], ["a", "b", "c"])})


def test_bad_input_is_told_at_once():
    x, drivers = many(5, 2)
    with pytest.raises(InputError, match="3 problems"):
        screen_drivers(x[:, 0], drivers, classes=1, shuffles=0, top=0)
    with pytest.raises(InputError, match="another shape"):
        screen_drivers(x[:, 0], {"a": np.ones(3)})
