"""Triggers: the one threshold on one signal at which it pays most to leave the fixed course

In the manner of dynamic adaptive policy pathways (Haasnoot, Kwakkel, Walker and ter Maat 2013, Global
Environmental Change 23(2)): a rule is found by exhaustive search over signals, sides, thresholds and
candidates, and judged on draws it was not found on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_SHARE = 0.05
"""Least share of draws on either side of a threshold: a rule for fewer is a rule for single draws."""


@dataclass(frozen=True)
class Trigger:
    """Switch where a signal lies on one side of a threshold.

    Parameters
    ----------
    signal, to : int
        Position of the signal, and of the alternative switched to.
    below : bool
        Whether it is below the threshold that the switch happens.
    threshold : float
    gain : float
        What the rule adds over the draws it was found on: the largest of many, so biased up.
    """

    signal: int
    to: int
    below: bool
    threshold: float
    gain: float

    def fires(self, read: Floats) -> NDArray[np.bool_]:
        """Return in which draws of readings (draw, signal) the switch happens."""
        values = read[:, self.signal]
        return values < self.threshold if self.below else values > self.threshold


def find_trigger(
    read: Floats,
    gains: Floats,
    probability: Floats,
    *,
    truth: Floats | None = None,
    least_share: float = LEAST_SHARE,
) -> Trigger | None:
    """Return the rule that adds most over these draws.

    Parameters
    ----------
    read : ndarray, (draw, signal)
    gains : ndarray, (draw, alternative)
        What switching to each alternative adds in each draw.
    probability : ndarray, (draw,)
        Any scale.
    truth : ndarray, (draw, signal), optional
        What was read: no threshold is set where the signal itself never is, among draws of any
        probability. Readings reach further than what they err about, and a rule out there would wait for
        an error.
    least_share : float
        Least probability of switching and of not switching.

    Returns
    -------
    Trigger or None
        None where no signal divides the draws within its range or no rule adds anything.

    Examples
    --------
    Switching pays 1 below nought and costs 1 above:

    >>> x = np.linspace(-1.0, 1.0, 100)
    >>> rule = find_trigger(x[:, None], -np.sign(x)[:, None], np.ones(100))
    >>> rule.below, abs(rule.threshold) < 1e-9, round(rule.gain, 9)
    (True, True, 0.5)
    """
    weight = probability / probability.sum()
    best: Trigger | None = None
    for s in range(read.shape[1]):
        order = np.argsort(read[:, s], kind="stable")
        x = read[order, s]
        mass = np.cumsum(weight[order])[:-1]
        # Between two different values only; midway, so that neither lies on the threshold.
        within = (mass >= least_share) & (mass <= 1.0 - least_share)
        if truth is not None:
            there = truth[weight > 0.0, s]
            middle = 0.5 * (x[:-1] + x[1:])
            within &= (middle >= there.min()) & (middle <= there.max())
        cuts = np.flatnonzero((np.diff(x) > 0.0) & within)
        if not cuts.size:
            continue
        running = np.cumsum(weight[order, None] * gains[order], axis=0)
        low = running[cuts]
        for below, totals in ((True, low), (False, running[-1] - low)):
            cut, to = np.unravel_index(int(totals.argmax()), totals.shape)
            gain = float(totals[cut, to])
            if gain > (best.gain if best is not None else 0.0):
                at = cuts[cut]
                best = Trigger(s, int(to), below, float(0.5 * (x[at] + x[at + 1])), gain)
    return best
