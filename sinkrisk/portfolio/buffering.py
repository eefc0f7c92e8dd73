"""What stored carbon may come back, and what must be held or added against it: buffers, Carbon-at-Risk"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk, rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.measuring import weights_of
from sinkrisk.portfolio.pairing import INTERVAL

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


def _cumulated(outcomes: xr.Dataset, names: tuple[str, ...]) -> dict[str, Floats]:
    """Return outcomes summed over the horizon, (portfolio, sample, pathway), GtCO2."""
    found = Problems()
    for name in (*names, "period_length"):
        if name not in outcomes.variables:
            found.add("outcomes lack a variable", key=name, hint="outcomes come from portfolio.simulate")
    found.raise_if_any()
    length = outcomes["period_length"].astype(float)
    return {
        name: xr.dot(outcomes[name], length, dim="period").transpose("portfolio", "sample", "pathway").values
        for name in names
    }


def _weight(outcomes: xr.Dataset, probability: ArrayLike | None) -> Floats | None:
    given = outcomes["probability"] if probability is None and "probability" in outcomes else probability
    held = outcomes["deployed"] if "deployed" in outcomes else outcomes["removed"]
    weight = weights_of(held, given)
    return None if np.ptp(weight) <= 1e-15 else weight


@checked()
def buffer_table(
    outcomes: xr.Dataset, *, level: float = 0.95, probability: ArrayLike | None = None
) -> pd.DataFrame:
    """Return the buffer that credits need against carbon that comes back, own against pooled.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`: ``removed``, ``returned``, ``creditable``.
    level : float
        Level of the CVaR: 0.95 covers the mean of the worst 5 % of draws.
    probability : array_like, (sample,), optional

    Returns
    -------
    DataFrame
        Per portfolio one row for each creditable pathway that removes something: portfolio, pathway,
        removed (mean, GtCO2), own_share (share of its credits to hold back alone, 0..1), own_buffer
        (that share of the mean removal, GtCO2), pooled_buffer (its part of the pool, GtCO2),
        pooled_share; and a row ``pool`` with the sums, whose `own_buffer` is what they need apart and
        `pooled_buffer` what they need together, never more. `saved` is the share pooling saves; unit,
        tail_mass.

    Raises
    ------
    InputError
        For outcomes that lack a variable or a level out of range.

    Notes
    -----
    A credit loses the SHARE of its pathway's removal that comes back until the end of the horizon, by
    decay, leakage and reversal; where removal varies, a draw counts by what the portfolio issues in it.
    The pool holds the pathways' credits in their mean amounts (`risk.reserve` of share times mean
    removal), so that both lie in [0, 1] and a pool never needs more. In a draw in which a pathway issues
    nothing, its share is its mean one. A pathway whose decay is expected anyway is better discounted
    (`credit_discounts`) than buffered: its own_share then shows little but that.

    Examples
    --------
    Two pathways that never lose in the same draw:

    >>> flow = ("sample", "portfolio", "pathway", "period")
    >>> outcomes = xr.Dataset(
    ...     {
    ...         "removed": (flow, np.ones((4, 1, 2, 1))),
    ...         "returned": (flow, np.array([[0.5, 0], [0, 0.5], [0, 0], [0, 0]]).reshape(4, 1, 2, 1)),
    ...         "period_length": ("period", [10]),
    ...     },
    ...     coords={"portfolio": ["p"], "pathway": ["forests", "biochar"]},
    ... )
    >>> pool = buffer_table(outcomes, level=0.75).iloc[-1]
    >>> float(pool["own_buffer"]), float(pool["pooled_buffer"]), float(pool["saved"])
    (10.0, 5.0, 0.5)
    """
    import pandas as pd

    sums = _cumulated(outcomes, ("removed", "returned"))
    weight = _weight(outcomes, probability)
    names = [str(v) for v in outcomes["pathway"].values]
    counted = np.ones(len(names), bool)
    if "creditable" in outcomes.coords:
        counted &= outcomes["creditable"].values.astype(bool)
    rows = []
    for f, portfolio in enumerate(outcomes["portfolio"].values):
        removed = sums["removed"][f]
        # Rounding may return 1e-17 more than went in.
        lost = np.clip(sums["returned"][f], 0.0, removed)
        chance = np.full(len(removed), 1.0 / len(removed)) if weight is None else weight
        mean = chance @ removed
        held = np.flatnonzero(counted & (mean > 0.0))
        if held.size == 0:
            continue
        shares = _loss_shares(removed[:, held], lost[:, held], chance)
        issued = chance * removed[:, held].sum(axis=1)
        found = risk.reserve(shares * mean[held], level, probability=issued / issued.sum())
        whole = float(mean[held].sum())
        lines = [
            (names[p], float(mean[p]), float(found.own[i]), float(found.contribution[i]), np.nan)
            for i, p in enumerate(held)
        ]
        lines.append(("pool", whole, float(found.own.sum()), found.pooled, found.saved))
        rows += [
            {
                "portfolio": str(portfolio),
                "pathway": pathway,
                "removed": amount,
                "own_buffer": own,
                "own_share": own / amount,
                "pooled_buffer": pooled,
                "pooled_share": pooled / amount,
                "saved": saved,
                "unit": "GtCO2",
                "tail_mass": 1.0 - level,
            }
            for pathway, amount, own, pooled, saved in lines
        ]
    columns = [
        "portfolio", "pathway", "removed", "own_buffer", "own_share", "pooled_buffer", "pooled_share",
        "saved", "unit", "tail_mass",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _loss_shares(removed: Floats, lost: Floats, chance: Floats) -> Floats:
    """Return the share of removal that comes back, (sample, pathway), the mean one where there is none."""
    some = removed > 0.0
    mean = (chance @ lost) / (chance @ removed)
    return np.asarray(np.clip(np.where(some, lost / np.where(some, removed, 1.0), mean), 0.0, 1.0))


@checked()
def carbon_at_risk(
    outcomes: xr.Dataset,
    *,
    level: float = 0.95,
    promised: float | None = None,
    probability: ArrayLike | None = None,
    decoupled: xr.Dataset | None = None,
    interval_mass: float = 0.9,
    repeats: int = 200,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return the extra removal that guarantees what each portfolio stores, with and without the common shock.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`: ``removed`` and ``returned``.
    level : float
        With which probability the stored amount is to be reached.
    promised : float, optional
        Stored at the end of the horizon, GtCO2; each portfolio's own mean when left out.
    probability : array_like, (sample,), optional
    decoupled : Dataset, optional
        Outcomes of the same plans simulated again on `decouple_shocks`; portfolios it lacks have no
        number without the common shock.
    interval_mass, repeats, rng
        Of the bootstrap interval, see `risk.at_risk`.

    Returns
    -------
    DataFrame
        portfolio, removed (mean), promised, kept (stored with probability `level` as planned), factor,
        extra, extra_low, extra_high (GtCO2): removal added to the same mix, ``(factor - 1) x removed``,
        so that with probability `level` at least `promised` is stored, with its bootstrap interval;
        extra_decoupled with _low and _high: the same promise where regions' shocks strike apart, NaN
        where not simulated; loss_share (of the gross removal, at the level); extra_certain, gap_certain
        (GtCO2): if the removed amount were certain and losses alone varied, what must be removed beyond
        `promised` and beyond `removed`, and the first where shocks strike apart,
        extra_certain_decoupled; level, interval_kind, interval_mass, unit.

    Raises
    ------
    InputError
        For outcomes that lack a variable, a level out of range, or weighted outcomes beside decoupled ones
        of equal probability, which would be compared over other draws.

    Notes
    -----
    The same mix, scaled up, is as uncertain as before, in what it removes and in what it loses
    (`risk.at_risk`): most of `extra` may answer for removal that fails to come, `extra_certain` for
    losses alone. Without the common shock two pathways of one region still meet the same one.

    Examples
    --------
    In half of the draws a quarter of what was removed comes back:

    >>> flow = ("sample", "portfolio", "pathway", "period")
    >>> outcomes = xr.Dataset(
    ...     {
    ...         "removed": (flow, np.ones((4, 1, 2, 1))),
    ...         "returned": (flow, np.array([[0.5, 0], [0, 0.5], [0, 0], [0, 0]]).reshape(4, 1, 2, 1)),
    ...         "period_length": ("period", [10]),
    ...     },
    ...     coords={"portfolio": ["p"], "pathway": ["forests", "biochar"]},
    ... )
    >>> found = carbon_at_risk(outcomes, level=0.7).iloc[0]
    >>> float(found["promised"]), float(found["kept"]), round(float(found["extra"]), 9)
    (17.5, 15.0, 3.333333333)
    """
    import pandas as pd

    generator = random.generator(rng)
    names = [str(v) for v in outcomes["portfolio"].values]
    apart = {} if decoupled is None else {str(v): f for f, v in enumerate(decoupled["portfolio"].values)}
    sums, weight = _cumulated(outcomes, ("removed", "returned")), _weight(outcomes, probability)
    other = {} if decoupled is None else _cumulated(decoupled, ("removed", "returned"))
    other_weight = None if decoupled is None else _weight(decoupled, None)
    if decoupled is not None and weight is not None and other_weight is None:
        hint = "shocks are decoupled by a permutation, which only draws of equal probability allow"
        raise InputError(
            Problem("outcomes weigh by probability, decoupled ones do not", key="probability", hint=hint)
        )

    def stocked(of: dict[str, Floats], f: int, chance: Floats | None, due: float | None) -> risk.AtRisk:
        removed = of["removed"][f]
        # Rounding may return 1e-17 more than went in.
        lost = np.clip(of["returned"][f], 0.0, removed)
        return risk.at_risk(
            removed, lost, level, promised=due, probability=chance, interval_mass=interval_mass,
            repeats=repeats, rng=generator,
        )  # fmt: skip

    rows = []
    for f, name in enumerate(names):
        found = stocked(sums, f, weight, promised)
        free = stocked(other, apart[name], other_weight, found.promised) if name in apart else None
        nothing = (np.nan,) * 4
        four = nothing if free is None else (free.extra, free.low, free.high, free.extra_certain)
        rows.append(
            {
                "portfolio": name,
                "removed": found.mean,
                "promised": found.promised,
                "kept": found.kept,
                "factor": found.factor,
                "extra": found.extra,
                "extra_low": found.low,
                "extra_high": found.high,
                "extra_decoupled": four[0],
                "extra_decoupled_low": four[1],
                "extra_decoupled_high": four[2],
                "loss_share": found.loss_share,
                "extra_certain": found.extra_certain,
                "extra_certain_decoupled": four[3],
                "gap_certain": found.gap_certain,
                "level": level,
                "interval_kind": INTERVAL,
                "interval_mass": interval_mass,
                "unit": "GtCO2",
            }
        )
    return pd.DataFrame(rows)


@checked()
def decouple_shocks(drawn: xr.Dataset, *, rng: random.RandomSource = 1) -> xr.Dataset:
    """Return inputs in which no region's shocks say anything of another's.

    Parameters
    ----------
    drawn : Dataset
        Joint draws with ``shock`` (sample, region, period), equally probable.
    rng : int, Generator or None

    Returns
    -------
    Dataset
        A copy in which every region takes its shocks, and their severity, from another draw, a
        permutation of its own: each region's own history of shocks and its probability stay, what
        regions share is gone. Two pathways of one region still meet the same shock.

    Raises
    ------
    InputError
        Without ``shock``, or for draws that are not equally probable.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> apart = decouple_shocks(drawn, rng=1)
    >>> before, after = (d["shock"].sum("sample") for d in (drawn, apart))
    >>> bool((before == after).all())  # each region keeps its own shocks, in other draws
    True
    """
    found = Problems()
    if "shock" not in drawn:
        found.add("inputs lack a variable", key="shock")
    if "probability" in drawn and float(np.ptp(drawn["probability"].values)) > 1e-12:
        found.add("draws must be equally probable to be permuted", key="probability")
    found.raise_if_any()
    generator = random.generator(rng)
    orders = [generator.permutation(drawn.sizes["sample"]) for _ in range(drawn.sizes["region"])]
    out = drawn.copy()
    for name in ("shock", "shock_severity"):
        if name in drawn:
            dims = drawn[name].dims
            values = drawn[name].transpose("region", "sample", ...).values
            moved = np.stack([part[order] for part, order in zip(values, orders, strict=True)])
            rest = tuple(d for d in dims if d not in ("region", "sample"))
            changed = xr.DataArray(moved, dims=("region", "sample", *rest), attrs=drawn[name].attrs)
            out[name] = changed.transpose(*dims).variable
    return out
