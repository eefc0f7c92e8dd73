"""Weighing draws by what monitoring saw: noisy readings, likelihoods, effective sample size

Importance weights of simulated draws given readings (models.md 3.4); Kong, Liu and Wong (1994, JASA
89(425)) for the effective sample size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sinkrisk import rng as random

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """How readings of one signal err.

    Parameters
    ----------
    kind : "normal" or "misread"
        A normal deviation added to the value, or a state read as another one.
    size : float
        Standard deviation in the signal's unit, or the probability of a misread state.
    states : int
        How many states a misread signal has.
    """

    kind: Literal["normal", "misread"]
    size: float
    states: int = 0


def read_signals(truth: Sequence[Floats], noises: Sequence[Noise], rng: random.RandomSource) -> list[Floats]:
    """Return what monitoring reads of true signals.

    Parameters
    ----------
    truth : sequence of ndarray, (draw, course, signal)
        One per period; a course is what was done until then.
    noises : sequence of Noise, one per signal
    rng : int, Generator or None

    Returns
    -------
    list of ndarray, as `truth`
        One error per draw, period and signal, the same whatever was done: courses differ by what they
        cause, not by luck of reading.
    """
    generator = random.generator(rng)
    read = []
    for values in truth:
        shape = (len(values), 1, len(noises))
        deviation, turn = generator.standard_normal(shape), generator.random(shape)
        other = generator.random(shape)
        out = np.array(values, dtype=float)
        for s, noise in enumerate(noises):
            if noise.kind == "normal":
                out[..., s] += noise.size * deviation[..., s]
            else:
                # One of the other states, each as likely.
                step = 1.0 + np.floor(other[..., s] * (noise.states - 1))
                wrong = (turn[..., s] < noise.size) & (noise.states > 1)
                out[..., s] = np.where(wrong, (out[..., s] + step) % max(noise.states, 1), out[..., s])
        read.append(out)
    return read


def log_likelihood(read: Floats, truth: Floats, noises: Sequence[Noise]) -> Floats:
    """Return the log-likelihood of readings under the true signals of every draw.

    Parameters
    ----------
    read : ndarray, (case, signal)
    truth : ndarray, (draw, signal)
    noises : sequence of Noise, one per signal

    Returns
    -------
    ndarray, (case, draw)
        Errors being independent, the sum over signals; constants that no weight depends on left out.

    Examples
    --------
    >>> log_likelihood(np.array([[0.0]]), np.array([[0.0], [2.0]]), [Noise("normal", 2.0)]).tolist()
    [[0.0, -0.5]]
    """
    total = np.zeros((len(read), len(truth)))
    for s, noise in enumerate(noises):
        if noise.kind == "normal":
            total -= 0.5 * ((read[:, None, s] - truth[None, :, s]) / noise.size) ** 2
        elif noise.states > 1:
            same, other = np.log1p(-noise.size), np.log(noise.size / (noise.states - 1))
            total += np.where(read[:, None, s] == truth[None, :, s], same, other)
    return total


def weigh(log_like: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Return the weights of draws given readings, and their effective sample size.

    Parameters
    ----------
    log_like : ndarray, (case, draw)
    prior : ndarray, (draw,)
        Probability of each draw before any reading, any scale.

    Returns
    -------
    weights : ndarray, (case, draw)
        Summing to 1 over draws.
    size : ndarray, (case,)
        ``1 / sum w^2``: as many equally weighted draws would be as telling.

    Examples
    --------
    >>> weights, size = weigh(np.zeros((1, 4)), np.ones(4))
    >>> weights[0].tolist(), size.tolist()
    ([0.25, 0.25, 0.25, 0.25], [4.0])
    """
    weights = np.exp(log_like - log_like.max(axis=1, keepdims=True)) * prior
    weights /= weights.sum(axis=1, keepdims=True)
    return weights, 1.0 / np.einsum("ij,ij->i", weights, weights)


def weighted_tail(values: Floats, weights: Floats, level: float) -> Floats:
    """Return the mean of the worst draws of every alternative under every set of weights.

    Parameters
    ----------
    values : ndarray, (draw, alternative)
        More is better.
    weights : ndarray, (case, draw)
        Summing to 1 over draws.
    level : float
        0.95 looks at the worst 5 %; atoms are split (Rockafellar and Uryasev 2002).

    Returns
    -------
    ndarray, (case, alternative)

    Examples
    --------
    >>> losses = np.array([[0.0], [-10.0], [-50.0], [-200.0]])
    >>> weighted_tail(losses, np.array([[0.5, 0.3, 0.15, 0.05]]), 0.8).round(9).tolist()
    [[-87.5]]
    """
    tail = 1.0 - level
    out = np.empty((len(weights), values.shape[1]))
    for a in range(values.shape[1]):
        order = np.argsort(values[:, a], kind="stable")
        sorted_weights = weights[:, order]
        before = np.cumsum(sorted_weights, axis=1) - sorted_weights
        taken = np.clip(tail - before, 0.0, sorted_weights)
        out[:, a] = taken @ values[order, a] / taken.sum(axis=1)
    return out
