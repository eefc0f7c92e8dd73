"""What stored carbon may come back, and what must be held or added against it: buffers, Carbon-at-Risk"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk, rng as random
from sinkrisk.errors import Problems
from sinkrisk.portfolio.measuring import weights_of

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
        removed (mean, GtCO2), own_buffer (GtCO2), own_share (of the tonnes removed), pooled_buffer
        (its part of the pool, GtCO2), pooled_share; and a row ``pool`` with the sums, whose
        `own_buffer` is what they need apart and `pooled_buffer` what they need together, never more.
        `saved` is the share pooling saves; unit, tail_mass.

    Raises
    ------
    InputError
        For outcomes that lack a variable or a level out of range.

    Notes
    -----
    The loss is all carbon that came back until the end of the horizon, by decay, leakage and reversal,
    of tonnes removed by then (`risk.reserve`). A pathway whose decay is expected anyway is better
    discounted (`credit_discounts`) than buffered: its own_share then shows little but that.

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
        removed, lost = sums["removed"][f], np.maximum(sums["returned"][f], 0.0)
        mean = removed.mean(axis=0) if weight is None else weight @ removed
        held = np.flatnonzero(counted & (mean > 0.0))
        if held.size == 0:
            continue
        found = risk.reserve(lost[:, held], level, probability=weight)
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


def carbon_at_risk(
    outcomes: xr.Dataset,
    *,
    level: float = 0.95,
    promised: float | None = None,
    probability: ArrayLike | None = None,
    repeats: int = 16,
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
    repeats, rng
        For the decoupling, see `risk.at_risk`.

    Returns
    -------
    DataFrame
        portfolio, removed (mean), promised, extra, extra_decoupled (GtCO2), loss_share,
        loss_share_decoupled (share of the gross removal lost at the level), level, unit. `extra` is
        removal in the same mix that meets the same losses; it is added so that with probability
        `level` no more is lost than it makes up for.

    Raises
    ------
    InputError
        For outcomes that lack a variable, or a level out of range.

    Notes
    -----
    "Decoupled" gives every pathway the share it loses in another draw (`risk.at_risk`), so that what
    pathways share - the climate shocks of their regions - no longer strikes them together. What the
    regions of ONE pathway share stays: to take that away too, simulate again on `decouple_shocks`.

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
    >>> float(found["promised"]), float(found["loss_share"]), round(float(found["extra"]), 9)
    (17.5, 0.25, 5.833333333)
    """
    import pandas as pd

    sums = _cumulated(outcomes, ("removed", "returned"))
    weight = _weight(outcomes, probability)
    rows = []
    for f, portfolio in enumerate(outcomes["portfolio"].values):
        removed = sums["removed"][f]
        # Rounding may return 1e-17 more than went in.
        lost = np.clip(sums["returned"][f], 0.0, removed)
        found = risk.at_risk(
            removed, lost, level, promised=promised, probability=weight, repeats=repeats, rng=rng
        )
        mean = removed.mean(axis=0) if weight is None else weight @ removed
        rows.append(
            {
                "portfolio": str(portfolio),
                "removed": float(mean.sum()),
                "promised": found.promised,
                "extra": found.extra,
                "extra_decoupled": found.extra_decoupled,
                "loss_share": found.loss_share,
                "loss_share_decoupled": found.loss_share_decoupled,
                "level": level,
                "unit": "GtCO2",
            }
        )
    return pd.DataFrame(rows)


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
