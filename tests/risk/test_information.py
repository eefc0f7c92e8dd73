from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.risk import evpi, evppi_states


def test_perfect_information_on_two_normals_has_its_closed_form():
    # max(X, 0) - max(E X, 0) for X normal(0, 1): phi(0) = 1 / sqrt(2 pi).
    x = np.random.default_rng(1).standard_normal(400_000)
    got = evpi(np.stack([x, np.zeros_like(x)], axis=1))
    # sd of max(X, 0) is .58; six standard errors are .0055.
    assert got == pytest.approx(1 / np.sqrt(2 * np.pi), abs=0.006)


def test_probability_weighs_the_draws():
    values = [[1.0, 0.0], [0.0, 1.0]]
    assert evpi(values, probability=[0.9, 0.1]) == pytest.approx(0.1)
    assert evpi([[3.0], [5.0]]) == 0.0


def _problem(rng, size, shift=0.6):
    """State 1 (probability .3) makes the second alternative better by `shift` and noise."""
    state = (rng.random(size) < 0.3).astype(int)
    second = np.where(state == 1, shift, -0.5) + rng.standard_normal(size)
    return np.stack([np.zeros(size), second], axis=1), state


def test_value_of_a_state_has_its_closed_form():
    values, state = _problem(np.random.default_rng(2), 200_000)
    found = evppi_states(values, state, rng=1, permutations=20)
    # Knowing the state, take the second alternative where it is 1: .3 x .6; without, stay at nought.
    assert found.plug_in == pytest.approx(0.18, abs=0.012)
    assert found.cross_fitted == pytest.approx(0.18, abs=6 * found.mc_error)
    assert found.cross_fitted < found.perfect
    assert found.acts


def test_plug_in_is_biased_up_and_cross_fitting_down():
    rng = np.random.default_rng(3)
    plug, crossed = [], []
    for _ in range(300):
        values, state = _problem(rng, 40, shift=0.1)
        found = evppi_states(values, state, rng=1, permutations=1)
        plug.append(found.plug_in)
        crossed.append(found.cross_fitted)
    exact = 0.3 * 0.1
    for got, sign in ((plug, 1.0), (crossed, -1.0)):
        error = np.std(got) / np.sqrt(len(got))
        # Each bias is some six standard errors of the mean or more.
        assert sign * (np.mean(got) - exact) > 3 * error


def test_a_state_that_says_nothing_seldom_exceeds_its_floor():
    rng = np.random.default_rng(4)
    acts = []
    for _ in range(200):
        values, _ = _problem(rng, 200)
        acts.append(evppi_states(values, rng.integers(3, size=200), rng=rng, permutations=60).acts)
    # At most 5 % by construction of the floor: 21 or more of 200 has probability 1e-3.
    assert sum(acts) <= 20


def test_one_state_and_weights_that_pick_a_state():
    values, state = _problem(np.random.default_rng(5), 500)
    alone = evppi_states(values, np.zeros(500, dtype=int), rng=1)
    assert (alone.plug_in, alone.acts) == (0.0, False)
    weight = np.where(state == 1, 1.0, 0.0)
    picked = evppi_states(values, state, probability=weight / weight.sum(), rng=1)
    assert picked.plug_in == pytest.approx(0.0, abs=1e-12)


def test_bad_values_are_refused():
    with pytest.raises(InputError, match=r"values: got \(3,\)"):
        evpi([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="values are not finite: got 'draw 1'"):
        evpi([[1.0, 2.0], [np.nan, 1.0]])
    with pytest.raises(InputError, match="3 problems"):
        evppi_states([[1.0, 2.0], [2.0, 1.0]], [0.5, 1.0], folds=5, permutations=0)


def test_an_alternative_that_always_wins_leaves_exactly_nothing_to_learn():
    """Two sums of the same numbers in another order differ by rounding; no value is below nought for it."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(int(rng.integers(30, 400)), 3)) * 1e4
        values[:, 0] = values.max(axis=1) + 1.0
        assert evpi(values) >= 0.0
    states = rng.integers(0, 3, len(values))
    found = evppi_states(values, states, permutations=1, rng=1)
    assert min(found.perfect, found.plug_in, found.floor) >= 0.0
    assert (found.cross_fitted, found.acts) == (0.0, False)
