"""Deciding period by period on arrays: a fixed course, a greedy and a rolling one, and perfect information

A course is the candidate chosen in each period. With K candidates the courses until period q are
numbered ``((c_0 K + c_1) K + ...) K + c_q``; that number divided by K is the course until q - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sinkrisk.portfolio.weighing import Noise, log_likelihood, weigh, weighted_tail

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Objective = Literal["mean", "cvar"]
POLICIES: tuple[str, ...] = ("fixed", "greedy", "rolling", "perfect")
"""From the one that never looks to the one that knows everything beforehand."""

TIE = 1e-9
"""Relative difference below which two scores are equal: the fixed course is then kept."""


@dataclass(frozen=True)
class Game:
    """What every course of action brings and shows in every draw.

    Parameters
    ----------
    worth : sequence of ndarray, (draw, K ** (q + 1))
        One per period q: what the period adds to the value of the course until then; more is better.
    truth : sequence of ndarray, (draw, K ** (q + 1), signal)
        One per period but the last: what there is to see at its end.
    read : sequence of ndarray, as `truth`
        What monitoring reads of it.
    noises : sequence of Noise, one per signal
    probability : ndarray, (draw,)
    candidates : int
        K.
    """

    worth: Sequence[Floats]
    truth: Sequence[Floats]
    read: Sequence[Floats]
    noises: Sequence[Noise]
    probability: Floats
    candidates: int

    @property
    def periods(self) -> int:
        """Number of decisions."""
        return len(self.worth)

    def value(self) -> Floats:
        """Return the value of every whole course, (draw, K ** periods)."""
        total = np.zeros((len(self.probability), 1))
        for worth in self.worth:
            total = np.repeat(total, self.candidates, axis=1) + worth
        return total


@dataclass(frozen=True)
class Rule:
    """How policies choose.

    Parameters
    ----------
    objective : "mean" or "cvar"
        What is made as large as possible: the mean, or the mean of the worst draws.
    level : float
        0.95: the worst 5 %.
    ess_min : float
        Fewest effective draws a re-weighting may rest on.
    caution : float
        Standard errors by which leaving the fixed course must be better; only with the mean.
    """

    objective: Objective = "mean"
    level: float = 0.95
    ess_min: float = 100.0
    caution: float = 0.0

    def score(self, values: Floats, weights: Floats) -> Floats:
        """Return the score of every alternative (case, alternative) under weights (case, draw)."""
        if self.objective == "mean":
            return np.asarray(weights @ values)
        return weighted_tail(values, weights, self.level)


@dataclass(frozen=True)
class Followed:
    """What a policy did in the draws it was evaluated on.

    Parameters
    ----------
    course : ndarray of int, (case, period)
        Candidate chosen.
    size : ndarray, (case, period)
        Effective sample size of the re-weighting behind the choice; NaN where none was made.
    refused : ndarray of bool, (case, period)
        Whether it was below the least, so that the fixed course's choice was taken.
    """

    course: Ints
    size: Floats = field(default_factory=lambda: np.empty((0, 0)))
    refused: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 0), dtype=bool))


def digits(course: Ints | int, candidates: int, periods: int) -> Ints:
    """Return the candidate of each period of numbered courses, (..., period).

    Examples
    --------
    >>> digits(5, candidates=2, periods=3).tolist()
    [1, 0, 1]
    """
    powers = candidates ** np.arange(periods - 1, -1, -1)
    return np.asarray(np.asarray(course)[..., None] // powers % candidates, dtype=np.int64)


def number(course: Ints, candidates: int) -> Ints:
    """Return the numbers of courses (..., period)."""
    powers = candidates ** np.arange(course.shape[-1] - 1, -1, -1)
    return np.asarray(course @ powers, dtype=np.int64)


def fixed_course(game: Game, train: Ints, rule: Rule) -> Ints:
    """Return the course that scores best over the training draws when nothing is looked at, (period,)."""
    prior = game.probability[train]
    scores = rule.score(game.value()[train], (prior / prior.sum())[None])[0]
    return digits(int(scores.argmax()), game.candidates, game.periods)


def follow(
    game: Game, train: Ints, test: Ints, fixed: Ints, rule: Rule, *, ahead: bool, values: Floats
) -> Followed:
    """Decide period by period in the test draws, on the training draws re-weighted by what was read.

    Parameters
    ----------
    game : Game
    train, test : ndarray of int
        Draws that are reasoned with, and draws that are decided in.
    fixed : ndarray of int, (period,)
        From `fixed_course`: taken where the effective sample size does not suffice, and on ties.
    rule : Rule
    ahead : bool
        True: rolling, the candidate that begins the best rest of the horizon, decided as if nothing more
        were learned. False: greedy, the candidate that is best for the period alone.
    values : ndarray, (draw, K ** periods)
        ``game.value()``.

    Returns
    -------
    Followed
        The first decision, before anything is read, is made on the prior weights, and so common to all.
    """
    k, periods = game.candidates, game.periods
    prior = game.probability[train] / game.probability[train].sum()
    course = np.zeros((len(test), periods), dtype=np.int64)
    size = np.full((len(test), periods), np.nan)
    refused = np.zeros((len(test), periods), dtype=bool)
    seen = np.zeros((len(test), len(train)))
    until = np.zeros(len(test), dtype=np.int64)
    for q in range(periods):
        for done in np.unique(until):
            rows = np.flatnonzero(until == done)
            if q == 0:
                weights = prior[None]
            else:
                read, truth = game.read[q - 1][test[rows], done], game.truth[q - 1][train, done]
                seen[rows] += log_likelihood(read, truth, game.noises)
                weights, size[rows, q] = weigh(seen[rows], prior)
                refused[rows, q] = size[rows, q] < rule.ess_min
            # Alternatives are whole rests of the horizon, or the candidates of this period alone.
            rest = k ** (periods - q) if ahead else k
            source = values if ahead else game.worth[q]
            own = source[train, done * rest : (done + 1) * rest]
            course[rows, q] = _first_step(own, weights, rule, k, int(fixed[q]))
        course[refused[:, q], q] = fixed[q]
        until = until * k + course[:, q]
    return Followed(course, size, refused)


def _first_step(values: Floats, weights: Floats, rule: Rule, candidates: int, preferred: int) -> Ints:
    """Return the candidate that the best alternative begins with; the preferred one unless it is beaten."""
    scores = rule.score(values, weights)
    blocks = scores.reshape(len(scores), candidates, -1)
    by_first = blocks.max(axis=2)
    choice = by_first.argmax(axis=1)
    lead = by_first.max(axis=1) - by_first[:, preferred]
    least = TIE * np.abs(by_first.max(axis=1))
    if rule.caution > 0.0:
        width, within = blocks.shape[2], blocks.argmax(axis=2)
        row = np.arange(len(scores))
        best = choice * width + within[row, choice]
        kept = preferred * width + within[row, np.full(len(row), preferred)]
        # Standard error of a self-normalised weighted mean (Owen 2013, Monte Carlo theory, section 9.2).
        gap = values[:, best].T - values[:, kept].T - lead[:, None]
        least = np.maximum(least, rule.caution * np.sqrt(((weights * gap) ** 2).sum(axis=1)))
    return np.where(lead <= least, preferred, choice)


def halves(draws: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return two halves of the draws, each sorted, shuffled which draw falls where."""
    order = rng.permutation(draws)
    return np.sort(order[: draws // 2]), np.sort(order[draws // 2 :])


def play(game: Game, train: Ints, test: Ints, rule: Rule) -> dict[str, Followed]:
    """Return what every policy of `POLICIES` does in the test draws, chosen on the training draws.

    Parameters
    ----------
    game : Game
    train, test : ndarray of int
    rule : Rule

    Returns
    -------
    dict of str to Followed
        ``perfect`` sees the test draws themselves and bounds every policy.
    """
    values = game.value()
    fixed = fixed_course(game, train, rule)
    best = digits(values[test].argmax(axis=1), game.candidates, game.periods)
    return {
        "fixed": Followed(np.broadcast_to(fixed, (len(test), game.periods)).copy()),
        "greedy": follow(game, train, test, fixed, rule, ahead=False, values=values),
        "rolling": follow(game, train, test, fixed, rule, ahead=True, values=values),
        "perfect": Followed(best),
    }
