"""What a plan costs where captures may be curtailed once the scenario is known, in closed form.

The best response is a fractional knapsack: capture the cheapest durable tonnes first, as long as one
costs less than the penalty it avoids, until the target is met. The linear programme and this
function must agree; `optimize` refuses a solution where they do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sinkrisk.scenarios.curves import capture_chords
from sinkrisk.scenarios.recourse import Terms, captured, owed

Floats = NDArray[np.float64]


def respond_curtailed(
    given: Terms, planned: Floats, target: Floats, penalty: Floats, commitment: float, segments: int
) -> tuple[Floats, Floats]:
    """Return cost and shortfall of a plan in every scenario when captures may be curtailed.

    Parameters
    ----------
    given, planned, target, commitment
        As in `sinkrisk.scenarios.recourse.respond`.
    penalty : ndarray, (sample, period) or (sample, 1)
        Present value of a tonne missed, USD.
    segments : int
        The cost curve is the chords of its equal parts, as in the programme.

    Returns
    -------
    cost, shortfall : ndarray
        As from `respond`.
    """
    samples = given.probability.size
    possible = captured(given, planned)
    edges, slope = capture_chords(given, segments)
    committed = commitment * (owed(given) * planned).sum(axis=(1, 2))
    limit = given.limit[..., None]
    part = np.clip(possible[..., None] - edges[:-1] * limit, 0.0, np.diff(edges) * limit)
    tonnes = np.broadcast_to((given.length * given.durable)[..., None], part.shape)
    running = slope - commitment * owed(given)[..., None]
    useful = tonnes > 0.0
    # What saves money is captured in full; what also removes carbon is taken up below.
    saved = np.where(~useful & (running < 0.0), running * part, 0.0).sum(axis=(1, 2, 3))
    per_tonne = np.where(useful, running / np.where(useful, tonnes, 1.0), np.inf)
    amount = tonnes * part
    if target.ndim:
        periods = target.size
        amount, per_tonne = (np.moveaxis(v, 2, 1).reshape(samples, periods, -1) for v in (amount, per_tonne))
        wanted = np.broadcast_to(target, (samples, periods))
    else:
        amount, per_tonne = amount.reshape(samples, 1, -1), per_tonne.reshape(samples, 1, -1)
        wanted = np.full((samples, 1), float(target))
    order = np.argsort(per_tonne, axis=2, kind="stable")
    per_tonne = np.take_along_axis(per_tonne, order, axis=2)
    worth = per_tonne < penalty[:, :, None]
    amount = np.where(worth, np.take_along_axis(amount, order, axis=2), 0.0)
    before = np.cumsum(amount, axis=2) - amount
    taken = np.where(per_tonne < 0.0, amount, np.clip(wanted[:, :, None] - before, 0.0, amount))
    paid = np.where(worth, per_tonne, 0.0) * taken
    shortfall = np.maximum(wanted - taken.sum(axis=2), 0.0)
    return committed + saved + paid.sum(axis=(1, 2)), shortfall
