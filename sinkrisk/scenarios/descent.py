"""The best plan when everything planned is captured: a lower bound, then descent to a plan near it.

What exceeds a scenario's capacity costs nothing, so the loss is not convex in the plan. A convex
relaxation bounds every plan's loss from below; the convex-concave procedure, whose programmes
never lie below the true loss, leads down from the relaxation's plan to one whose distance to the bound is
reported as the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinkrisk.risk import cvar
from sinkrisk.scenarios import curves
from sinkrisk.scenarios.formulation import Setting, solve
from sinkrisk.scenarios.recourse import respond

Floats = NDArray[np.float64]

MOST_STEPS = 12
"""Programmes solved from one start at most."""

PROGRESS = 1e-4
"""Relative gain below which a step counts as none."""

PROVEN = 1e-9
"""Relative distance to the bound at which there is nothing left to gain."""


@dataclass(frozen=True)
class Found:
    """A plan, its loss in closed form, the lower bound of any plan's loss, and the solver's gap."""

    plan: Floats
    objective: float
    bound: float
    status: str
    solver_gap: float
    programmes: int


def objective_of(setting: Setting, loss: Floats) -> float:
    """Return ``(1 - weight) * mean + weight * CVaR`` of losses, (sample,)."""
    probability = setting.given.probability
    tail = float(cvar(loss, setting.level, probability=probability))
    return (1.0 - setting.weight) * float(probability @ loss) + setting.weight * tail


def value(setting: Setting, plan: Floats) -> float:
    """Return the objective of a plan in closed form, nothing curtailed."""
    cost, missing = respond(setting.given, plan, setting.wanted, setting.commitment)
    return objective_of(setting, cost + (setting.penalty * missing).sum(axis=1))


def search(setting: Setting, starts: Sequence[Floats], segments: int) -> Found:
    """Find a plan of least loss.

    Parameters
    ----------
    setting : Setting
    starts : sequence of ndarray, (pathway, period)
        Plans; of those that meet the bounds none is better than the plan returned.
    segments : int
        Chords of a cost curve.

    Raises
    ------
    InputError, ConvergenceError
        As `sinkrisk.scenarios.formulation.solve`.
    """
    given = setting.given
    relaxed = solve(
        setting,
        curves.minorising_planned(given, setting.upper, segments),
        curves.minorising_captured(given, segments),
    )
    programmes, worst = 1, relaxed.gap

    def descend(plan: Floats) -> tuple[Floats, float]:
        nonlocal programmes, worst
        current, idle = value(setting, plan), 0
        for step in range(MOST_STEPS):
            if current - relaxed.objective <= PROVEN * max(1.0, abs(current)):
                break
            lines = curves.majorising(given, plan, segments, settled=step % 2 == 1)
            solved = solve(setting, lines)
            programmes, worst = programmes + 1, max(worst, solved.gap)
            reached = value(setting, solved.plan)
            idle = 0 if reached < current - PROGRESS * max(1.0, abs(current)) else idle + 1
            if reached < current:
                plan, current = solved.plan, reached
            if idle == 2:
                break
        return plan, current

    best, lowest = descend(relaxed.plan)
    allowed = [plan for plan in map(setting.clean, starts) if setting.allows(plan)]
    rival = min(allowed, key=lambda plan: value(setting, plan), default=best)
    if value(setting, rival) < lowest:
        best, lowest = descend(rival)
    return Found(best, lowest, relaxed.objective, relaxed.status, worst, programmes)
