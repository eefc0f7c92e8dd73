"""Straight lines for the rising cost curve, as a linear programme needs them.

The cost of a plan x in one scenario, pathway and period rises along a convex curve up to the
capacity W and is flat beyond: what exceeds W captures nothing and costs nothing. With the share of
use ``v = x / W`` it is ``phi(min(v, 1))``, ``phi(v) = A v (1 + r v^eta / (eta + 1))``. Lines are
given as slope and intercept on the last axis; the cost they stand for is their maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinkrisk.scenarios.recourse import Terms, use_cost

Floats = NDArray[np.float64]

CLOSE = 1e-6
"""Share of use closer than which two edges count as one."""

NEAR = 0.1
"""Distance of the two edges beside the plan, in parts of the curve: how finely descent can settle."""


@dataclass(frozen=True)
class Lines:
    """Lines ``slope * quantity + intercept``, (sample, pathway, period, line), billion USD."""

    slope: Floats
    intercept: Floats


def marginal(given: Terms, use: Floats) -> Floats:
    """Return the derivative of `use_cost` with respect to `use`; `use` has one axis more."""
    scale, rise = (given.price * given.limit)[..., None], given.rise[..., None]
    return np.asarray(scale * (1.0 + rise * use ** given.exponent[:, None, None, None]))


def _spread(given: Terms, values: Floats) -> Floats:
    """Return values of the last axis for every scenario, pathway and period."""
    return np.broadcast_to(values, (*given.limit.shape, values.size))


def _per(slope: Floats, quantity: Floats) -> Floats:
    """Return slopes per GtCO2/yr instead of per share of use; 0 where there is no capacity."""
    whole = quantity[..., None]
    return np.divide(slope, whole, out=np.zeros_like(slope), where=whole > 0.0)


def capture_chords(given: Terms, segments: int) -> tuple[Floats, Floats]:
    """Return the edges of equal parts of the use, and the mean marginal cost on each.

    Returns
    -------
    edges : ndarray, (segments + 1,)
        Shares of use.
    slope : ndarray, (sample, pathway, period, segment)
        Billion USD, present value, per GtCO2/yr captured; a curve that falls is one chord.
    """
    edges = np.linspace(0.0, 1.0, segments + 1)
    value = use_cost(given, _spread(given, edges))
    slope = np.diff(value, axis=-1) * segments
    slope = np.where(given.price[..., None] >= 0.0, slope, value[..., -1:])
    return edges, _per(slope, given.limit)


def chords(given: Terms, segments: int) -> Lines:
    """Return the chords of the curve against what is captured; never below a curve that rises."""
    edges, slope = capture_chords(given, segments)
    value = use_cost(given, _spread(given, edges[:-1]))
    start = edges[:-1] * given.limit[..., None]
    rising = given.price[..., None] >= 0.0
    return Lines(slope, np.where(rising, value - slope * start, 0.0))


def linearisation_error(given: Terms, segments: int) -> Floats:
    """Return how far the chords lie from the curve at most, (sample, pathway, period), billion USD.

    On each part the distance is largest where the marginal cost equals the chord's slope:
    ``v* = ((m / A - 1) / r)^(1 / eta)``. A curve that falls has one chord, which lies below it; the
    largest distance is found the same way.
    """
    edges = np.linspace(0.0, 1.0, segments + 1)
    value = use_cost(given, _spread(given, edges))
    slope = np.diff(value, axis=-1) * segments
    bulge = slope * (_touching(given, slope) - edges[:-1]) + value[..., :-1]
    bulge -= use_cost(given, _touching(given, slope))
    whole = value[..., -1:]
    fallen = np.abs(use_cost(given, _touching(given, whole)) - whole * _touching(given, whole))
    return np.where(given.price >= 0.0, bulge.max(axis=-1), fallen[..., 0])


def _touching(given: Terms, slope: Floats) -> Floats:
    """Return the share of use, in [0, 1], at which the marginal cost is `slope`."""
    scale, rise = (given.price * given.limit)[..., None], given.rise[..., None]
    curved = (scale != 0.0) & (rise > 0.0)
    above = np.divide(slope, scale, out=np.ones_like(slope), where=curved) - 1.0
    above = np.divide(np.maximum(above, 0.0), rise, out=np.zeros_like(slope), where=curved)
    eta = given.exponent[:, None, None, None]
    return np.where(curved, np.clip(above, 0.0, 1.0) ** (1.0 / np.maximum(eta, 1e-9)), 0.0)


def majorising(given: Terms, planned: Floats, segments: int, *, settled: bool) -> Lines:
    """Return convex lines never below the cost of any plan and exact at `planned`.

    The curve is replaced by chords, their edges denser at the plan itself and one of them there.
    That the cost stops at the capacity makes it the difference of two convex functions; the second
    one is replaced by its tangent at `planned` (the convex-concave procedure, Yuille and Rangarajan
    2003): a scenario whose capacity the plan exceeds charges nothing for more, any other one charges
    on beyond its capacity.

    Parameters
    ----------
    given : Terms
    planned : ndarray, (pathway, period)
    segments : int
    settled : bool
        Whether a plan exactly at the capacity counts as beyond it.

    Returns
    -------
    Lines
        Against the plan.
    """
    use = np.divide(planned, given.capacity, out=np.zeros_like(given.capacity), where=given.capacity > 0.0)
    beyond = use > (1.0 - CLOSE if settled else 1.0 + CLOSE)
    use = np.clip(use, 0.0, 1.0)[..., None]
    grid = _spread(given, np.linspace(0.0, 1.0, segments + 1))
    near = np.clip(use + NEAR / segments * np.array([-1.0, 0.0, 1.0]), 0.0, 1.0)
    edges = np.sort(np.concatenate([grid, near], axis=-1), axis=-1)
    value = use_cost(given, edges)
    width = np.diff(edges, axis=-1)
    real = width > CLOSE
    slope = np.diff(value, axis=-1) / np.where(real, width, 1.0)
    intercept = value[..., :-1] - slope * edges[..., :-1]
    # An edge that was there already leaves an empty part: it takes the line of the last full one.
    final = real.shape[-1] - 1 - np.argmax(real[..., ::-1], axis=-1)[..., None]
    slope, intercept = (np.where(real, v, np.take_along_axis(v, final, axis=-1)) for v in (slope, intercept))
    last = np.where(beyond[..., None], np.take_along_axis(slope, final, axis=-1), 0.0)
    slope, intercept = slope - last, intercept + last
    # A falling curve is concave: its tangent, and beyond the capacity a line that undoes the fall.
    tangent = marginal(given, use)
    anchor = use_cost(given, use) - tangent * use
    steep = -marginal(given, np.ones_like(use))
    bend = np.zeros_like(slope)
    bend[..., -1:] = 1.0
    falling = given.price[..., None] < 0.0
    slope = np.where(falling, tangent + bend * steep, slope)
    intercept = np.where(falling, anchor - bend * steep, intercept)
    return Lines(_per(slope, given.capacity), np.where(given.capacity[..., None] > 0.0, intercept, 0.0))


def minorising_captured(given: Terms, segments: int) -> Lines:
    """Return tangents of the curve against what is captured: never above the cost."""
    edges = _spread(given, np.linspace(0.0, 1.0, segments + 1))
    slope = marginal(given, edges)
    intercept = use_cost(given, edges) - slope * edges
    whole = use_cost(given, np.ones_like(edges))
    falling = given.price[..., None] < 0.0
    slope, intercept = np.where(falling, whole, slope), np.where(falling, 0.0, intercept)
    return Lines(_per(slope, given.limit), np.where(given.limit[..., None] > 0.0, intercept, 0.0))


def minorising_planned(given: Terms, upper: Floats, segments: int) -> Lines:
    """Return lines against the plan that are never above its cost for any plan up to `upper`.

    Slopes are those of the curve's tangents and of the chord from nothing to `upper`; each line is
    lowered until it touches the cost, which for a rising curve happens where its slope is the
    marginal cost, or at `upper`.
    """
    most = np.divide(upper, given.capacity, out=np.ones_like(given.capacity), where=given.capacity > 0.0)
    most = np.maximum(most, CLOSE)[..., None]
    end = np.minimum(most, 1.0)
    at_end = use_cost(given, end)
    slope = marginal(given, _spread(given, np.linspace(0.0, 1.0, segments + 1)))
    slope = np.concatenate([slope, at_end / most, np.zeros_like(most)], axis=-1)
    touch = np.minimum(_touching(given, slope), end)
    gaps = (use_cost(given, touch) - slope * touch, at_end - slope * end, at_end - slope * most)
    lowest = np.minimum(np.minimum(gaps[0], gaps[1]), np.minimum(gaps[2], 0.0))
    return Lines(_per(slope, given.capacity), np.where(given.capacity[..., None] > 0.0, lowest, 0.0))
