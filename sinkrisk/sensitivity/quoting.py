"""A sentence for each leading driver that an analyst can quote"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from sinkrisk.errors import InputError, Problem
from sinkrisk.risk.partial_information import bracket
from sinkrisk.sensitivity.describing import one_output, output_number, outputs_of, percent_span
from sinkrisk.sensitivity.forms import RANKED, SWUNG, WORTH, checked

if TYPE_CHECKING:
    import pandas as pd


@checked()
def driver_sentences(
    indices: xr.Dataset,
    output: Any = None,
    *,
    top: int = 3,
    ranks: pd.DataFrame | None = None,
    tornado: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
    unit: str = "",
) -> list[str]:
    """Return one to four sentences for each of the drivers with the largest ST.

    Parameters
    ----------
    indices : Dataset
        From `sobol`.
    output : label, optional
        May be left out where there is only one.
    top : int
        Drivers.
    ranks : DataFrame, optional
        From `driver_ranks`: how sure the rank is.
    tornado : DataFrame, optional
        From `tornado_table`, drivers of the same names: the mean where the driver is low and high.
    actions : DataFrame, optional
        From `action_table`: what learning it is worth, and who would win.
    unit : str
        Of the output, for the means.

    Returns
    -------
    list of str
        Empty where the output has no indices. Of a driver whose ST is exactly 0 nothing is told.

    Raises
    ------
    InputError
        For an output the dataset does not hold, or `top` below 1.

    Examples
    --------
    >>> from scipy import stats
    >>> from sinkrisk.sensitivity import sobol
    >>> uniform = {name: stats.uniform(0, 1) for name in ("price", "climate")}
    >>> found = sobol(lambda x: x @ [1.0, 3.0], uniform, 1024, rng=1)
    >>> print(driver_sentences(found, top=1)[0])
    climate alone explains 90 % (90 to 90 %) of the variance of the output, 90 % (90 to 90 %) with its
    interactions (95 % equal-tailed replicate t intervals).
    """
    if top < 1:
        raise InputError(Problem("too small", got=top, allowed="at least 1", key="top"))
    one = one_output(indices, output)
    who = outputs_of(indices)[output_number(indices, output)]
    if int(one["status"]) != 0:
        return []
    about = "the output" if who["measure"] == "output" else who["measure"].replace("_", " ")
    if who["portfolio"]:
        about += f" of portfolio {who['portfolio']}"
    ordered = one.isel(driver=(one["ST"] != 0.0).values).sortby("ST", ascending=False)
    out = []
    for j in range(min(top, ordered.sizes["driver"])):
        row = ordered.isel(driver=j)
        name = str(row["driver"].item())
        text = (
            f"{name} alone explains {percent_span(row, 'S1')} of the variance of {about}, "
            f"{percent_span(row, 'ST')} with its interactions ({100 * indices.attrs['interval_mass']:g} % "
            f"{indices.attrs['interval_kind']} intervals)."
        )
        text += _rank(ranks, who["output"], name) + _swing(tornado, who["output"], name, unit)
        out.append(text + _action(actions, name))
    return out


def _row(table: pd.DataFrame | None, driver: str, output: str | None = None) -> pd.Series | None:
    if table is None:
        return None
    mask = table["driver"] == driver
    if output is not None:
        mask &= table["output"] == output
    return table[mask].iloc[0] if mask.any() else None


def _rank(table: pd.DataFrame | None, output: str, driver: str) -> str:
    row = _row(table, driver, output)
    return "" if row is None else " " + rank_text(row)


@checked(row=RANKED)
def rank_text(row: pd.Series | Mapping[str, Any]) -> str:
    """Return what a row of `driver_ranks` says of the rank of "it".

    Parameters
    ----------
    row : Series or mapping
        rank_low, rank_high, among_top, top, interval_mass.

    Examples
    --------
    >>> print(rank_text({"rank_low": 1, "rank_high": 2, "among_top": 0.99, "top": 3, "interval_mass": 0.95}))
    It is among the first 3 in 99 % of replications of the analysis (95 % interval: ranks 1 to 2).
    """
    place = f"rank {row['rank_low']:g}"
    if row["rank_low"] != row["rank_high"]:
        place = f"ranks {row['rank_low']:g} to {row['rank_high']:g}"
    among = "leads" if row["top"] == 1 else f"is among the first {row['top']:g}"
    return (
        f"It {among} in {_share(float(row['among_top']))} of replications of the analysis "
        f"({100 * row['interval_mass']:g} % interval: {place})."
    )


def _share(share: float) -> str:
    """Return a share in per cent; only what is always so is 100 %, and only what never is 0 %."""
    if 0.995 <= share < 1.0:
        return "more than 99 %"
    return "less than 1 %" if 0.0 < share < 0.005 else f"{100 * share:.0f} %"


def short(value: float) -> str:
    """Return a number with three digits that count, and no power of ten below a million.

    Examples
    --------
    >>> short(4063.4), short(0.01234), short(-2e9)
    ('4060', '0.0123', '-2e+09')
    """
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e6 else text


def _swing(table: pd.DataFrame | None, output: str, driver: str, unit: str) -> str:
    row = _row(table, driver, output)
    return "" if row is None else " " + swing_text(row, unit)


@checked(row=SWUNG)
def swing_text(row: pd.Series | Mapping[str, Any], unit: str = "") -> str:
    """Return what a row of `tornado_table` says: the mean where the driver is low and high.

    Parameters
    ----------
    row : Series or mapping
        at_low, at_high, low_label, high_label; with at_low_low, at_low_high, at_high_low, at_high_high,
        interval_kind and interval_mass also the intervals of the means.
    unit : str
        Of the output.

    Examples
    --------
    >>> row = {"at_low": 1.0, "at_high": 2.0, "low_label": "lowest 10%", "high_label": "highest 10%"}
    >>> print(swing_text(row, "GtCO2"))
    The mean goes from 1 (lowest 10%) to 2 GtCO2 (highest 10%).
    """
    ending = f" {unit}" if unit and unit != "1" else ""
    low, high = str(row["low_label"]), str(row["high_label"])
    told = ""
    if "interval_mass" in row:
        low += f"; {short(row['at_low_low'])} to {short(row['at_low_high'])}"
        high += f"; {short(row['at_high_low'])} to {short(row['at_high_high'])}"
        told = f", in brackets {100 * row['interval_mass']:g} % {row['interval_kind']} intervals"
    ends = short(row["at_low"]), short(row["at_high"])
    return f"The mean goes from {ends[0]} ({low}) to {ends[1]}{ending} ({high}){told}."


def _action(table: pd.DataFrame | None, driver: str) -> str:
    row = _row(table, driver)
    return "" if row is None else " " + worth_text(row)


@checked(row=WORTH)
def worth_text(row: pd.Series | Mapping[str, Any], *, level: float = 0.9) -> str:
    """Return what a row of `action_table` says: what learning the driver is worth, and who would win.

    Parameters
    ----------
    row : Series or mapping
        acts, cross_fitted, plug_in, mc_error, unit, winner, winners.
    level : float
        Mass of the normal interval by which Monte Carlo error moves both ends outwards.

    Examples
    --------
    >>> row = {"acts": True, "cross_fitted": 10.0, "plug_in": 12.0, "mc_error": 1.0, "unit": "USD",
    ...        "winner": "safe", "winners": "lowest third: safe; highest third: bold"}
    >>> print(worth_text(row))
    Learning it before choosing would be worth 8.36 to 13.6 USD (from the estimate biased down to the one
    biased up, each moved out by its 90 % Monte Carlo error): lowest third: safe; highest third: bold,
    against safe without knowing.
    """
    if not row["acts"]:
        return "Learning it before choosing was not seen to change the choice by more than chance would."
    estimates = [float(row[name]) for name in ("cross_fitted", "plug_in", "mc_error")]
    low, high, crossed = bracket(*estimates, level=level)
    cross = (
        f", which cross: the first is {short(estimates[0])}, the second {short(estimates[1])}"
        if crossed
        else ""
    )
    return (
        f"Learning it before choosing would be worth {short(low)} to {short(high)} {row['unit']} (from the "
        f"estimate biased down to the one biased up{cross}, each moved out by its {100 * level:g} % Monte "
        f"Carlo error): {row['winners']}, against {row['winner']} without knowing."
    )
