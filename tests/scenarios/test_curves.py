"""Lines against the curve they stand for: on the right side of it, and as near as they say."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sinkrisk import scenarios
from sinkrisk.scenarios import curves
from sinkrisk.scenarios.recourse import captured, terms, use_cost

_spec = importlib.util.spec_from_file_location("fixtures", Path(__file__).with_name("conftest.py"))
fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fixtures)


def some_terms(seed, *, falling=False):
    given = terms(scenarios.whole(fixtures.make_drawn(6, seed)))
    if falling:
        sign = np.where(np.random.default_rng(seed).random(given.price.shape) < 0.5, -1.0, 1.0)
        given = replace(given, price=sign * given.price)
    return given


def true_cost(given, plan):
    amount = captured(given, plan)
    use = np.divide(amount, given.limit, out=np.zeros_like(amount), where=given.limit > 0)
    return use_cost(given, use)


def highest(lines, quantity):
    return (lines.slope * quantity[..., None] + lines.intercept).max(axis=-1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), segments=st.integers(1, 6), settled=st.booleans())
def test_majorising_lines_are_never_below_the_cost_and_exact_at_the_plan(seed, segments, settled):
    given = some_terms(seed, falling=True)
    g = np.random.default_rng(seed)
    shape = given.limit.shape[1:]
    most = 2.0 * given.capacity.max(axis=0)
    here = most * g.random(shape) ** 2
    # Some plans lie exactly on a capacity, where the cost has its kink.
    here = np.where(g.random(shape) < 0.3, given.capacity[0], here)
    lines = curves.majorising(given, here, segments, settled=settled)
    scale = np.abs(given.price * given.limit).max() + 1.0
    np.testing.assert_allclose(highest(lines, np.broadcast_to(here, given.limit.shape)),
                               true_cost(given, here), atol=1e-5 * scale)  # fmt: skip
    for _ in range(20):
        plan = most * g.random(shape) ** 2
        over = highest(lines, np.broadcast_to(plan, given.limit.shape)) - true_cost(given, plan)
        assert over.min() >= -1e-9 * scale


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), segments=st.integers(1, 6))
def test_minorising_lines_are_never_above_the_cost(seed, segments):
    given = some_terms(seed, falling=True)
    g = np.random.default_rng(seed)
    upper = given.capacity.max(axis=0) * g.uniform(0.1, 2.0, given.limit.shape[1:])
    on_plan = curves.minorising_planned(given, upper, segments)
    on_captured = curves.minorising_captured(given, segments)
    scale = np.abs(given.price * given.limit).max() + 1.0
    for share in (*np.linspace(0, 1, 9), *g.random(10)):
        plan = share * upper
        cost = true_cost(given, plan)
        assert (cost - highest(on_plan, np.broadcast_to(plan, cost.shape))).min() >= -1e-9 * scale
        assert (cost - highest(on_captured, captured(given, plan))).min() >= -1e-9 * scale
    # Nothing planned costs nothing, and no line says less than that a rising curve starts at 0.
    nothing = highest(on_captured, np.zeros_like(given.limit))
    np.testing.assert_allclose(nothing, 0.0, atol=1e-9 * scale)


@pytest.mark.parametrize("segments", [1, 4, 7])
@pytest.mark.parametrize("falling", [False, True])
def test_the_stated_error_of_the_chords_is_their_largest_distance(segments, falling):
    given = some_terms(3, falling=falling)
    use = np.linspace(0.0, 1.0, 20_001)
    exact = use_cost(given, np.broadcast_to(use, (*given.limit.shape, use.size)))
    lines = curves.chords(given, segments)
    quantity = use * given.limit[..., None]
    chord = (lines.slope[..., None, :] * quantity[..., None] + lines.intercept[..., None, :]).max(axis=-1)
    stated = curves.linearisation_error(given, segments)
    seen = np.abs(chord - exact).max(axis=-1)
    np.testing.assert_allclose(seen, stated, rtol=1e-5, atol=1e-9)
    if not falling:
        assert (chord - exact).min() >= -1e-9
        # f'' h^2 / 8 with eta <= 2 here: at four parts at most 1/64 of the rise's own cost.
        whole = given.price * given.limit * given.rise
        assert (stated <= whole * given.exponent[:, None, None] / (8 * segments**2) + 1e-12).all()
