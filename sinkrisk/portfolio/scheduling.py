"""The scheduling matrix: which pathway carries how much, where and when, if each draw is met at least cost"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import risk
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio import filling
from sinkrisk.portfolio.forms import checked, find_weight_problem
from sinkrisk.portfolio.simulation import capacity
from sinkrisk.portfolio.variables import BEYOND_SENSE, MOST_PLANNED

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

_DIMS = ("pathway", "region", "period")


@checked()
def schedule(
    drawn: xr.Dataset,
    total: Mapping[str, float],
    *,
    pathways: Sequence[str] | None = None,
    modes: bool = True,
    least: float = 0.005,
    level: float = 0.9,
    keep_draws: bool = False,
    block: int = 1024,
) -> xr.Dataset:
    """Return the cheapest way to a total in every draw, as a matrix of pathway, region and period.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``).
    total : mapping of str to float
        Period -> total captured, GtCO2/yr, above 0.
    pathways : sequence of str, optional
        Pathways to choose from; those of the removal ledger when left out, because a tonne avoided
        or used again is not a tonne removed.
    modes : bool
        Whether institutions hold back: use is then at most what the deployment mode lets through.
    least : float
        Share of the period's total from which on a cell is called active: a two-hundredth, somewhat
        less than an even split over all cells would give each. At 0 any use counts.
    level : float
        Mass of the intervals.
    keep_draws : bool
        Whether to return ``share_drawn`` (sample, pathway, region, period) too.
    block : int
        Samples worked on at once; bounds the memory of the work, never changes a result.

    Returns
    -------
    Dataset
        On (pathway, region, period): ``probability_active``, 1, of the draws that use the cell;
        ``standard_error``, 1, its Monte Carlo error ``sqrt(p (1 - p) / m)`` with m draws' worth of
        probability; ``share_mean``, ``share_low``, ``share_high``, 1, of the period's total, mean and
        equal-tailed interval over draws. On (pathway, period): ``pathway_share_mean``,
        ``pathway_share_low``, ``pathway_share_high``, all regions together. On (period):
        ``price_mean``, ``price_low``, ``price_high``, USD/tCO2, the marginal cost all cells in use
        share; ``probability_reached``, 1, that the total can be reached; ``unmet_mean``, GtCO2/yr;
        and ``total``.

    Raises
    ------
    InputError
        Everything wrong with `drawn`; totals that are missing, not positive or of unknown periods;
        unknown pathways; a level outside (0, 1). All at once.

    Notes
    -----
    In every draw and period, ``sum c0 K (u + a u^(eta+1) / (eta+1))`` is least under ``sum K u =
    total`` (models.md 3.3's marginal cost, integrated): `filling.fill`. K and the mode's fraction are
    those of `capacity`; periods are met one by one, cost is today's without learning, and a tonne is
    a tonne captured, whatever its durability. A pathway costs the same everywhere, so regions differ
    by what they can take, not by price. Resources that pathways share are not rationed between them.
    Where the total cannot be reached everything is used and the shares are of what can be.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(inputs.InputsSpec()), 16, rng=1)
    >>> matrix = schedule(drawn, {"near_term": 0.1, "mid_term": 1.0, "long_term": 4.0})
    >>> matrix.share_mean.sum(["pathway", "region"]).values.round(12)
    array([1., 1., 1.])
    """
    available = capacity(drawn, block=block)
    names, totals = _check(drawn, total, pathways, least, level)
    picked = available.sel(pathway=names).transpose("sample", "period", "pathway", "region")
    cost = drawn["cost"].sel(pathway=names).transpose("sample", "pathway").values
    n = drawn.sizes["sample"]
    amount = np.empty(picked["available"].shape)
    price = np.empty((n, len(totals)))
    for start in range(0, n, block):
        some = slice(start, start + block)
        room = picked["available"].values[some]
        let = picked["deployable_fraction"].values[some] if modes else np.ones_like(room)
        over_periods = (room.shape[0], len(totals))
        slope, exponent = (
            np.broadcast_to(drawn[v].values[some][:, None], over_periods)
            for v in ("cost_slope", "cost_exponent")
        )
        wanted = np.broadcast_to(totals, over_periods)
        amount[some], price[some] = filling.fill(room, let, cost[some][:, None, :], slope, exponent, wanted)
    return _summary(drawn, names, amount, price, totals, least, level, modes, keep_draws)


def _check(
    drawn: xr.Dataset,
    total: Mapping[str, float],
    pathways: Sequence[str] | None,
    least: float,
    level: float,
) -> tuple[list[str], Floats]:
    found = Problems()
    find_weight_problem(found, drawn)
    periods = [str(v) for v in drawn["period"].values]
    known = [str(v) for v in drawn["pathway"].values]
    for period in total:
        if period not in periods:
            found.add("total of an unknown period", got=str(period), allowed=periods, key=f"total.{period}")
    for period in periods:
        if period not in total:
            found.add("period without a total", key=f"total.{period}")
        elif not 0.0 < float(total[period]) <= MOST_PLANNED:
            allowed, key = f"above 0, to {MOST_PLANNED:.0f} GtCO2/yr", f"total.{period}"
            hint = BEYOND_SENSE if float(total[period]) > MOST_PLANNED else None
            found.add("total out of range", got=total[period], allowed=allowed, key=key, hint=hint)
    if pathways is None:
        flow = drawn["flow_class"].values
        names = [p for p, f in zip(known, flow, strict=True) if f == "removal"]
    else:
        names = list(pathways)
        for name in names:
            if name not in known:
                found.add("unknown pathway", got=name, allowed=known, key="pathways")
        if len(set(names)) < len(names):
            found.add("pathway chosen twice", got=", ".join(names), key="pathways")
    if not names:
        found.add("no pathway to choose from", key="pathways", allowed=known)
    if not 0.0 <= least < 1.0:
        found.add("least share out of range", got=least, allowed="at least 0 and below 1", key="least")
    if not 0.0 < level < 1.0:
        found.add("level out of range", got=level, allowed="between 0 and 1", key="level")
    found.raise_if_any()
    return names, np.array([float(total[p]) for p in periods])


def _summary(
    drawn: xr.Dataset,
    names: list[str],
    amount: Floats,
    price: Floats,
    totals: Floats,
    least: float,
    level: float,
    modes: bool,
    keep_draws: bool,
) -> xr.Dataset:
    n = amount.shape[0]
    weight = drawn["probability"].values if "probability" in drawn else np.full(n, 1.0 / n)
    weight = weight / weight.sum()
    equal = np.ptp(weight) <= 1e-15
    tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)

    def spread(values: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean and tails over the first axis."""
        last = np.moveaxis(values, 0, -1)
        quantiles = risk.quantile(last, tails, probability=None if equal else weight)
        return np.asarray(last @ weight), quantiles[..., 0], quantiles[..., 1]

    met = amount.sum(axis=(2, 3))
    share = np.divide(
        amount, met[..., None, None], out=np.zeros_like(amount), where=met[..., None, None] > 0.0
    )
    share = share.transpose(0, 2, 3, 1)
    active = np.asarray(np.moveaxis((share > 0.0) & (share >= least), 0, -1) @ weight)
    one = {"units": "1"}
    out: dict[str, tuple[tuple[str, ...], Floats, dict[str, str]]] = {
        "probability_active": (_DIMS, active, one),
        # Unequal probabilities are worth fewer draws (Kish).
        "standard_error": (
            _DIMS,
            np.sqrt(np.clip(active * (1.0 - active), 0.0, None) * (weight**2).sum()),
            one,
        ),
    }
    groups = (
        ("share", share, _DIMS, "1"),
        ("pathway_share", share.sum(axis=2), ("pathway", "period"), "1"),
        ("price", price, ("period",), "USD/tCO2"),
    )
    for name, values, dims, unit in groups:
        for statistic, part in zip(("mean", "low", "high"), spread(values), strict=True):
            out[f"{name}_{statistic}"] = (dims, part, {"units": unit})
    missing = np.maximum(totals - met, 0.0)
    out["probability_reached"] = (("period",), (missing <= 1e-9 * totals).T @ weight, one)
    out["unmet_mean"] = (("period",), missing.T @ weight, {"units": "GtCO2/yr"})
    out["total"] = (("period",), totals, {"units": "GtCO2/yr"})
    if keep_draws:
        out["share_drawn"] = (("sample", *_DIMS), share, one)
    return xr.Dataset(
        out,
        coords={"pathway": names, "region": drawn["region"].values, "period": drawn["period"].values},
        attrs={
            "draws": n,
            "effective_draws": float(1.0 / (weight**2).sum()),
            "least": least,
            "statistic": f"share of each period's total at least cost; active from {least:.2%} of it on",
            "modes": "institutions hold back" if modes else "institutions do not hold back",
            "interval_kind": "equal-tailed",
            "interval_mass": level,
        },
    )


@checked()
def schedule_table(matrix: xr.Dataset) -> pd.DataFrame:
    """Return the scheduling matrix as a tidy table.

    Parameters
    ----------
    matrix : Dataset
        From `schedule`.

    Returns
    -------
    DataFrame
        One row for each pathway, region and period: pathway, region, period, probability_active,
        standard_error, share_mean, share_low, share_high, total (GtCO2/yr), probability_reached,
        least, draws, interval_kind, interval_mass.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> table = schedule_table(schedule(drawn, {"near_term": 0.1, "mid_term": 1.0, "long_term": 4.0}))
    >>> table.groupby("period", sort=False)["share_mean"].sum().round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    names = ["probability_active", "standard_error", "share_mean", "share_low", "share_high"]
    table = matrix[names].to_dataframe(dim_order=list(_DIMS)).reset_index()
    for name in ("total", "probability_reached"):
        table[name] = matrix[name].sel(period=table["period"].to_xarray()).values
    for name in ("least", "draws", "interval_kind", "interval_mass"):
        table[name] = matrix.attrs[name]
    return table


@checked()
def schedule_sentence(matrix: xr.Dataset) -> str:
    """Return what the scheduling matrix says, a sentence for each period.

    Parameters
    ----------
    matrix : Dataset
        From `schedule`.

    Raises
    ------
    InputError
        For a matrix without periods.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> text = schedule_sentence(schedule(drawn, {"near_term": 0.1, "mid_term": 1.0, "long_term": 4.0}))
    >>> print(text[: text.index(" over")])
    Cheapest way to the total, mean share and 90% equal-tailed interval
    """
    if matrix.sizes["period"] == 0:
        raise InputError(Problem("a schedule without periods"))
    parts = []
    for period in matrix["period"].values:
        here = matrix.sel(period=period)
        order = np.argsort(-here["pathway_share_mean"].values, kind="stable")[:3]
        leading = [
            f"{here['pathway'].values[p]} {here['pathway_share_mean'].values[p]:.0%} "
            f"({here['pathway_share_low'].values[p]:.0%} to {here['pathway_share_high'].values[p]:.0%})"
            for p in order
            if here["pathway_share_mean"].values[p] > 0.0
        ]
        parts.append(
            f"{str(period).replace('_', ' ')}: {', '.join(leading) or 'nothing'} of {float(here['total']):g} "
            f"GtCO2/yr, which can be reached in {float(here['probability_reached']):.0%} of draws"
        )
    return (
        "Cheapest way to the total, mean share and "
        f"{matrix.attrs['interval_mass']:.0%} {matrix.attrs['interval_kind']} interval over "
        f"{matrix.attrs['draws']} draws, {matrix.attrs['modes']}. " + "; ".join(parts) + "."
    )
