"""The portfolio engine: plain numpy on one block of samples.

The sample axis is LAST in every array here, so that each operation runs over contiguous memory
whatever broadcasts; the labelled side turns the axes round without copying. A block is worked
through one portfolio and one period at a time and only on the pathways that portfolio can use,
which keeps the working arrays in the processor's cache. Axes are written p pathway, r region,
q period, f portfolio, c deployment class, s sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinkrisk.portfolio import ledgers, stores

Floats = NDArray[np.float64]

FULL, THROTTLED, PASSIVE, COLLAPSE = range(4)
"""Codes of the deployment modes, as the network's samples carry them."""

OUTCOMES: dict[str, str] = {
    "planned": "GtCO2/yr",
    "deployed": "GtCO2/yr",
    "reallocated": "GtCO2/yr",
    "received": "GtCO2/yr",
    "lost": "GtCO2/yr",
    "removed": "GtCO2/yr",
    "stored": "GtCO2/yr",
    "returned": "GtCO2/yr",
    "avoided": "GtCO2/yr",
    "utilised": "GtCO2/yr",
    "cost": "billion USD/yr",
    "marginal_cost": "billion USD/yr",
    "energy": "EJ/yr",
    "durable": "GtCO2/yr",
}
"""Outcome variables and their units, all means over the period."""


@dataclass(frozen=True)
class Block:
    """Inputs of one block of samples, sample axis last.

    Parameters
    ----------
    potential, current, growth, cost, energy, half_life, leakage, reversal_loss, removal_share : (p, s)
        GtCO2/yr, GtCO2/yr, 1/yr, USD/tCO2, GJ/tCO2, yr, 1/yr, 1, 1. `potential` already carries
        the land sink's ratio for nature pathways.
    share : (p, r, s)
        Suitability shares, summing to 1 over r.
    mode : (c, r, q, s) integer
        Deployment modes.
    mode_fraction : (mode, s)
        Share of the possible deployment that each mode lets through.
    shock : (r, q, s)
        1 where a shock hits, else 0.
    cost_slope, cost_exponent, headroom : (s,)
    """

    potential: Floats
    current: Floats
    growth: Floats
    cost: Floats
    energy: Floats
    half_life: Floats
    leakage: Floats
    reversal_loss: Floats
    removal_share: Floats
    share: Floats
    mode: NDArray[np.int8]
    mode_fraction: Floats
    shock: Floats
    cost_slope: Floats
    cost_exponent: Floats
    headroom: Floats


def logistic_mean(capacity: Floats, current: Floats, growth: Floats, start: float, end: float) -> Floats:
    """Return the mean over a period of capacity that grows logistically from today's.

    Parameters
    ----------
    capacity : ndarray
        Ceiling K, GtCO2/yr, not negative.
    current : ndarray
        Capacity c0 at time 0, GtCO2/yr, not negative.
    growth : ndarray
        Growth rate g, 1/yr, not negative.
    start, end : float
        Years after time 0, ``0 <= start < end``.

    Returns
    -------
    ndarray
        ``C(t) = K / (1 + A exp(-g t))`` with ``A = (K - c0) / c0``. With ``x = g (end - start)``
        and ``d = 1 + A exp(-g start) = K / C(start)`` the mean is ``K log(1 + (exp(x) - 1) / d) / x``,
        never above K (a capacity that starts above its ceiling is cut to it). Without capacity
        today nothing grows: 0.
    """
    shape = np.broadcast_shapes(capacity.shape, current.shape, growth.shape)
    capacity, current, growth = (np.broadcast_to(v, shape) for v in (capacity, current, growth))
    begun = (current > 0.0) & (capacity > 0.0)
    excess = np.where(begun, np.maximum(capacity - current, 0.0) / np.where(begun, current, 1.0), 0.0)
    excess = excess * np.exp(-growth * start)
    x = growth * (end - start)
    # The same logarithm twice: the first form keeps the digits of slow growth, the second does not
    # overflow where growth is fast.
    small = np.clip(x, 1e-12, 1.0)
    slow = np.log1p(np.expm1(small) / (1.0 + excess)) / small
    large = np.maximum(x, 1.0)
    fast = 1.0 + (np.log1p(excess * np.exp(-large)) - np.log1p(excess)) / large
    mean = np.where(x < 1.0, slow, fast)
    return np.asarray(np.where(begun, capacity * np.clip(mean, 0.0, 1.0), 0.0))


def available_capacity(block: Block, bounds: Floats) -> Floats:
    """Return the capacity available to each pathway, region and period.

    ``min(potential * share, mean over the period of the logistic growth from current * share
    towards potential * share)``. Both are proportional to the share, so the growth is computed
    once for the world and shared out.

    Parameters
    ----------
    block : Block
    bounds : ndarray, (q + 1,)
        Calendar years at which the periods begin and end; growth starts at the first.

    Returns
    -------
    ndarray, (q, p, r, s)
        GtCO2/yr.
    """
    years = bounds - bounds[0]
    out = np.empty((len(years) - 1, *block.share.shape))
    for q in range(len(years) - 1):
        world = logistic_mean(block.potential, block.current, block.growth, years[q], years[q + 1])
        np.multiply(np.minimum(world, block.potential)[:, None, :], block.share, out=out[q])
    return out


def deployment(block: Block, classes: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
    """Return what the deployment modes let through, and where capacity is passively redundant.

    Parameters
    ----------
    block : Block
    classes : sequence of sequences of int, (p,)
        Indexes into the class axis of `block.mode`; a pathway of two classes needs both, so the
        lower fraction holds for it.

    Returns
    -------
    fraction : ndarray, (q, p, r, s)
        Share of the possible deployment that happens.
    passive : ndarray, (q, p, r, s)
        1 where the class that holds the pathway back is in passive redundancy, so that the lost
        part may move elsewhere; a collapse at the same fraction leaves nothing to move.
    """
    by_class = np.take_along_axis(
        block.mode_fraction[:, None, None, None, :], block.mode[None].astype(np.intp), axis=0
    )[0]
    regions, periods, samples = block.mode.shape[1:]
    fraction = np.empty((periods, len(classes), regions, samples))
    passive = np.empty_like(fraction)
    for p, members in enumerate(classes):
        low = by_class[list(members)].min(axis=0)
        holds = by_class[list(members)] == low
        mode = block.mode[list(members)]
        redundant = (holds & (mode == PASSIVE)).any(axis=0) & ~(holds & (mode == COLLAPSE)).any(axis=0)
        fraction[:, p] = low.swapaxes(0, 1)
        passive[:, p] = redundant.swapaxes(0, 1)
    return fraction, passive


def _divide(top: Floats, bottom: Floats, out: Floats | None = None) -> Floats:
    """Return ``top / bottom``, 0 where the bottom is 0."""
    out = np.zeros_like(top) if out is None else out
    out[...] = 0.0
    return np.divide(top, bottom, out=out, where=bottom > 0.0)


def simulate_block(
    block: Block,
    planned: Floats,
    bounds: Floats,
    classes: Sequence[Sequence[int]],
    flow_class: Sequence[str],
    recipients: Sequence[int],
) -> dict[str, Floats]:
    """Simulate every portfolio on one block of samples.

    Parameters
    ----------
    block : Block
    planned : ndarray, (f, p, q)
        Plans of the world, GtCO2/yr.
    bounds : ndarray, (q + 1,)
        Calendar years at which the periods begin and end.
    classes, flow_class : sequences, (p,)
        Deployment classes by index, and the ledger of each pathway.
    recipients : sequence of int
        Pathways that take over what passive redundancy frees elsewhere.

    Returns
    -------
    dict of str to ndarray, (f, p, q, s)
        The variables of `OUTCOMES` except `planned`, summed over regions, in their units.

    Notes
    -----
    For every region and period, with u the use of the available capacity K:

    - a plan is spread over the regions by the suitability shares; what exceeds K there is lost;
    - ``deployed = min(planned, K) * fraction``, from `deployment`;
    - the part ``min(planned, K) * (1 - fraction)`` lost to passive redundancy moves, tonne for
      tonne, to the recipients in the same region and period, as far as the headroom share of
      their free capacity times their own mode's fraction allows, in proportion to that room. A
      recipient's own loss does not move: it is itself what the others fall back on. The rest is
      lost, so ``planned = deployed + reallocated + lost``;
    - marginal cost ``mc(u) = c0 (1 + a u^eta)`` integrates to the cost
      ``c0 K (u + a u^(eta+1) / (eta+1))``; ``marginal_cost`` is what the same tonnes come to when
      each is priced at the last one's cost, ``c0 K u (1 + a u^eta)``, so that a sum of it over a sum
      of tonnes is the marginal cost weighted by tonnes; GtCO2 times USD/t is billion USD, GtCO2
      times GJ/t EJ;
    - captured carbon (deployed and received) goes to its ledger (`ledgers.ledger_shares`); only
      the removal ledger is stored, decays, and is reversed by shocks (`stores`):
      ``stored`` is the net change of the stock per year, ``returned = removed - stored``.
      Avoided and utilised carbon is stated at capture.
    """
    portfolios, pathways, periods = planned.shape
    samples = block.potential.shape[-1]
    available = available_capacity(block, bounds)
    fraction, passive = deployment(block, classes)
    passive[:, list(recipients)] = 0.0
    removal, avoided, utilised = ledgers.ledger_shares(flow_class, block.removal_share)
    rate = stores.loss_rate(block.half_life, block.leakage)
    survival = stores.surviving_share(block.reversal_loss, block.shock.swapaxes(0, 1))
    durable = stores.durable_share(rate, survival, bounds)
    # Without capacity nothing is captured, so the infinite use of nothing is called 0.
    inverse = _divide(np.ones_like(available), available)
    curvature = block.cost_slope / (block.cost_exponent + 1.0)

    shape = (portfolios, pathways, periods, samples)
    out = {name: np.zeros(shape) for name in OUTCOMES if name != "planned"}
    room_possible = bool(recipients) and bool(passive.any()) and bool((block.headroom > 0.0).any())
    for f in range(portfolios):
        used = (planned[f] > 0.0).any(axis=1)
        if room_possible and used.any():
            used[list(recipients)] = True
        act = np.flatnonzero(used)
        if act.size == 0:
            continue
        local = [int(np.flatnonzero(act == j)[0]) for j in recipients] if room_possible else []
        every = act.size == pathways
        pick = slice(None) if every else act
        share = block.share[pick]
        stock = np.zeros_like(share)
        for q in range(periods):
            length = float(bounds[q + 1] - bounds[q])
            room, let = available[q][pick], fraction[q][pick]
            base = np.minimum(planned[f, act, q][:, None, None] * share, room)
            captured = base * let
            out["deployed"][f, pick, q] = captured.sum(axis=1)
            if local:
                _reallocate(
                    f, q, base, captured, room, let, passive[q][pick], block.headroom, local, act, out
                )
            kept_plan = out["deployed"][f, pick, q] + out["reallocated"][f, pick, q]
            # Rounding may leave -1e-17 where nothing is lost.
            out["lost"][f, pick, q] = np.maximum(planned[f, act, q][:, None] - kept_plan, 0.0)
            total = captured.sum(axis=1)
            # cost: base is free from here on and holds the use, then tonnes times use ** eta.
            np.multiply(captured, inverse[q][pick], out=base)
            np.power(base, block.cost_exponent, out=base)
            base *= captured
            bent = base.sum(axis=1)
            out["cost"][f, pick, q] = block.cost[pick] * (total + curvature * bent)
            out["marginal_cost"][f, pick, q] = block.cost[pick] * (total + block.cost_slope * bent)
            out["energy"][f, pick, q] = block.energy[pick] * total
            out["removed"][f, pick, q] = removal[pick] * total
            out["avoided"][f, pick, q] = avoided[pick] * total
            out["utilised"][f, pick, q] = utilised[pick] * total
            np.multiply(captured, durable[q][pick], out=base)
            out["durable"][f, pick, q] = removal[pick] * base.sum(axis=1)
            # the stock of the removal ledger; `captured` becomes the period's addition to it.
            kept, filled = stores.period_factors(rate[pick], length)
            opening = stock.sum(axis=1)
            captured *= (removal[pick] * filled)[:, None, :]
            stock *= kept[:, None, :]
            stock += captured
            stock *= survival[q][pick]
            out["stored"][f, pick, q] = (stock.sum(axis=1) - opening) / length
    np.subtract(out["removed"], out["stored"], out=out["returned"])
    return out


def _reallocate(
    f: int,
    q: int,
    base: Floats,
    captured: Floats,
    room: Floats,
    let: Floats,
    passive: Floats,
    headroom: Floats,
    local: Sequence[int],
    act: NDArray[np.intp],
    out: dict[str, Floats],
) -> None:
    """Move what passive redundancy lost to the recipients; changes `captured` and `out`.

    All arrays (active pathway, region, sample); `local` indexes the recipients among the active.
    """
    freed = (base - captured) * passive
    pool = freed.sum(axis=0)
    free = [headroom * (room[j] - base[j]) * let[j] for j in local]
    space = np.sum(free, axis=0)
    moved = np.minimum(pool, space)
    freed *= _divide(moved, pool)
    out["reallocated"][f, act, q] = freed.sum(axis=1)
    taken = _divide(moved, space)
    for j, part in zip(local, free, strict=True):
        gain = part * taken
        captured[j] += gain
        out["received"][f, act[j], q] = gain.sum(axis=0)
