"""Shapley effects against closed forms and against the mean over all orders"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import gaussian_shapley, shapley_effects
from sinkrisk.sensitivity.shapley import shapley_values


def test_two_correlated_gaussians_by_the_closed_form():
    # Iooss and Prieur 2019, eq. 17: (b1^2 s1^2 (1 - r^2/2) + r b1 b2 s1 s2 + b2^2 s2^2 r^2/2) / Var.
    b1, b2, s1, s2, r = 1.0, 2.0, 1.5, 0.5, 0.7
    cross = r * b1 * b2 * s1 * s2
    one, two = (b1 * s1) ** 2, (b2 * s2) ** 2
    total = one + two + 2 * cross
    expected = [
        (one * (1 - r**2 / 2) + cross + two * r**2 / 2) / total,
        (two * (1 - r**2 / 2) + cross + one * r**2 / 2) / total,
    ]
    covariance = [[s1**2, r * s1 * s2], [r * s1 * s2, s2**2]]
    np.testing.assert_allclose(gaussian_shapley(covariance, [b1, b2]), expected, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**31))
def test_values_are_the_mean_over_all_orders_and_add_up(players, seed):
    worth = np.random.default_rng(seed).random(2**players)
    worth[0] = 0.0
    orders = list(permutations(range(players)))
    expected = np.zeros(players)
    for order in orders:
        mask = 0
        for player in order:
            expected[player] += worth[mask | 1 << player] - worth[mask]
            mask |= 1 << player
    np.testing.assert_allclose(shapley_values(worth), expected / len(orders), atol=1e-12)
    assert shapley_values(worth).sum() == pytest.approx(worth[-1])


@pytest.fixture(scope="module")
def gaussian():
    covariance = np.array([[1.0, 0.8, 0.0], [0.8, 2.0, 0.3], [0.0, 0.3, 0.5]])
    coefficients = np.array([1.0, -0.5, 2.0])
    x = np.random.default_rng(1).multivariate_normal(np.zeros(3), covariance, 4000)
    return x, x @ coefficients, gaussian_shapley(covariance, coefficients)


@pytest.mark.parametrize(("estimator", "error"), [("linear", 0.03), ("neighbours", 0.03)])
def test_given_data_effects_meet_the_closed_form(gaussian, estimator, error):
    x, y, truth = gaussian
    table = shapley_effects(y, dict(zip("abc", x.T, strict=True)), estimator=estimator).set_index("driver")
    # Standard errors are about .01.
    np.testing.assert_allclose(table.loc[list("abc"), "value"], truth, atol=error)
    assert table["value"].sum() == pytest.approx(table["explained"].iloc[0], abs=1e-9)
    assert table["stands_out"].all()


def test_an_idle_input_stays_below_the_floor_and_a_block_is_one_player(gaussian):
    x, y, _ = gaussian
    idle = np.random.default_rng(2).standard_normal(len(y))
    table = shapley_effects(
        y, {"pair": x[:, :2], "c": x[:, 2], "idle": idle}, estimator="linear", permutations=50
    ).set_index("driver")
    assert not table["stands_out"]["idle"]
    assert table["value"]["pair"] + table["value"]["c"] == pytest.approx(1.0, abs=0.01)
    # Of two players, each gets half of what it explains alone and half of what it adds: R2 by hand.
    alone = np.corrcoef(x[:, 2], y)[0, 1] ** 2
    pair = np.column_stack([np.ones(len(y)), x[:, :2]])
    left = np.linalg.lstsq(pair, y)[1][0] / len(y) / y.var()
    assert table["value"]["pair"] == pytest.approx(((1 - left) + (1 - alone)) / 2, abs=0.005)


@pytest.mark.parametrize("estimator", ["linear", "neighbours"])
def test_what_tells_nothing_seldom_stands_out(estimator):
    # With 19 shuffles 1 in 20 by chance: more than 17 of 150 have probability 6e-4.
    out = 0
    for seed in range(150):
        x = np.random.default_rng(seed).standard_normal((100, 3))
        drivers = {"a": x[:, 0], "idle": x[:, 1]}
        table = shapley_effects(x[:, 0] + x[:, 2], drivers, estimator=estimator, halves=2, rng=10**6 + seed)
        out += bool(table.set_index("driver")["stands_out"]["idle"])
    assert out <= 17, out


def test_neighbours_see_an_interaction_a_line_does_not():
    x = np.random.default_rng(3).standard_normal((3000, 2))
    drivers = {"a": x[:, 0], "b": x[:, 1]}
    y = x[:, 0] * x[:, 1]
    near = shapley_effects(y, drivers, permutations=1, halves=2)
    np.testing.assert_allclose(near["value"], 0.5, atol=0.06)
    line = shapley_effects(y, drivers, estimator="linear", permutations=1, halves=2)
    assert line["explained"][0] < 0.01


def test_states_and_several_outputs():
    g = np.random.default_rng(4)
    state = g.choice(["low", "mid", "high"], size=2000)
    size = np.select([state == "low", state == "mid"], [0.0, 1.0], 2.0)
    noise = g.standard_normal(2000)
    y = np.stack([size, size + noise], axis=1)
    table = shapley_effects(y, {"state": state, "noise": noise}, permutations=1, halves=2)
    first = table[(table["output"] == "0") & (table["driver"] == "state")].iloc[0]
    assert first["value"] == pytest.approx(1.0, abs=0.02)
    # Var 2/3 and 1.
    second = table[(table["output"] == "1") & (table["driver"] == "state")].iloc[0]
    assert second["value"] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"drivers": {f"x{k}": np.arange(32.0) for k in range(13)}}, "too many inputs"),
        ({"estimator": "forest"}, "unknown estimator"),
        ({"neighbours": 1}, "neighbours"),
        ({"drivers": {"x": np.arange(31.0)}}, "another shape"),
    ],
)
def test_bad_input(change, text):
    arguments = {"drivers": {"x": np.arange(32.0)}} | change
    with pytest.raises(InputError) as error:
        shapley_effects(np.arange(32.0), arguments.pop("drivers"), **arguments)
    assert text in str(error.value)
