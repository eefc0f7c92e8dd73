"""A sentence for each leading driver that an analyst can quote"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from sinkrisk.errors import InputError, Problem
from sinkrisk.sensitivity.describing import one_output, output_number, outputs_of, percent_span

if TYPE_CHECKING:
    import pandas as pd


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
        Empty where the output has no indices.

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
    interactions.
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
    ordered = one.sortby("ST", ascending=False)
    out = []
    for j in range(min(top, ordered.sizes["driver"])):
        row = ordered.isel(driver=j)
        name = str(row["driver"].item())
        text = (
            f"{name} alone explains {percent_span(row, 'S1')} of the variance of {about}, "
            f"{percent_span(row, 'ST')} with its interactions."
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
    if row is None:
        return ""
    place = f"rank {row['rank_low']:g}"
    if row["rank_low"] != row["rank_high"]:
        place = f"ranks {row['rank_low']:g} to {row['rank_high']:g}"
    among = "leads" if row["top"] == 1 else f"is among the first {row['top']:g}"
    return (
        f" It {among} in {row['among_top']:.0%} of replications of the analysis "
        f"({row['interval_mass']:.0%} interval: {place})."
    )


def _swing(table: pd.DataFrame | None, output: str, driver: str, unit: str) -> str:
    row = _row(table, driver, output)
    if row is None:
        return ""
    ending = f" {unit}" if unit and unit != "1" else ""
    return (
        f" The mean goes from {row['at_low']:.3g} ({row['low_label']}) to {row['at_high']:.3g}{ending} "
        f"({row['high_label']})."
    )


def _action(table: pd.DataFrame | None, driver: str) -> str:
    row = _row(table, driver)
    if row is None:
        return ""
    if not row["acts"]:
        return " Learning it before choosing would not change the choice by more than chance would."
    low, high = sorted((float(row["cross_fitted"]), float(row["plug_in"])))
    worth = f" Learning it before choosing would be worth {low:.3g} to {high:.3g} {row['unit']}"
    return f"{worth}: {row['winners']}, against {row['winner']} without knowing."
