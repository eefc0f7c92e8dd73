"""Summaries and rankings as tidy tables and as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.ranking import standard_error

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_PROBABILITIES = ("probability_met", "probability_defined")


@checked()
def summary_table(summary: xr.DataArray) -> pd.DataFrame:
    """Return a summary as a tidy table.

    Parameters
    ----------
    summary : DataArray, (portfolio, criterion, statistic)
        From `summarise`.

    Returns
    -------
    DataFrame
        Columns portfolio, criterion, statistic, value, unit, interval_kind, interval_mass,
        tail_mass. The interval is named on the rows ``low`` and ``high``, the tail on the rows
        ``value_at_risk`` and ``cvar``; statistics that do not apply keep no row.

    Examples
    --------
    >>> import xarray as xr
    >>> measures = xr.DataArray(
    ...     [[[3.0]], [[2.0]], [[1.0]], [[6.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased"],
    ...         "criterion": ["durable_removal"],
    ...         "direction": ("criterion", ["maximise"]),
    ...         "unit": ("criterion", ["GtCO2"]),
    ...     },
    ... )
    >>> from sinkrisk import portfolio
    >>> table = summary_table(portfolio.summarise(measures, tail=0.75))
    >>> table.set_index("statistic").loc[["mean", "cvar"], ["criterion", "value", "unit"]]
                     criterion  value   unit
    statistic
    mean       durable_removal    3.0  GtCO2
    cvar       durable_removal    1.0  GtCO2
    """
    import pandas as pd

    units = dict(zip(summary["criterion"].values, summary["unit"].values, strict=True))
    values = summary.transpose("portfolio", "criterion", "statistic")
    rows = []
    for f, portfolio in enumerate(values["portfolio"].values):
        for c, criterion in enumerate(values["criterion"].values):
            for s, statistic in enumerate(values["statistic"].values):
                if statistic == "probability_met" and np.isnan(values.values[f, c, s]):
                    continue
                interval = statistic in ("low", "high")
                rows.append(
                    {
                        "portfolio": str(portfolio),
                        "criterion": str(criterion),
                        "statistic": str(statistic),
                        "value": float(values.values[f, c, s]),
                        "unit": "1" if statistic in _PROBABILITIES else str(units[criterion]),
                        "interval_kind": summary.attrs["interval_kind"] if interval else "",
                        "interval_mass": summary.attrs["interval_mass"] if interval else np.nan,
                        "tail_mass": summary.attrs["tail_mass"]
                        if statistic in ("value_at_risk", "cvar")
                        else np.nan,
                    }
                )
    return pd.DataFrame(rows)


@checked()
def ranking_table(ranking: xr.Dataset) -> pd.DataFrame:
    """Return a ranking as a tidy table.

    Parameters
    ----------
    ranking : Dataset
        From `rank`.

    Returns
    -------
    DataFrame
        Columns portfolio, quantity, label, value, where label is the rank, the criterion, the
        other portfolio, or empty for the confidence; and standard_error, the Monte Carlo error of
        rank acceptabilities and pairwise probabilities (`ranking.standard_error`), empty elsewhere.

    Examples
    --------
    >>> import xarray as xr
    >>> measures = xr.DataArray(
    ...     [[[1.0, 20.0], [3.0, 10.0]], [[4.0, 30.0], [2.0, 60.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased", "nature_first"],
    ...         "criterion": ["durable_removal", "total_cost"],
    ...         "direction": ("criterion", ["maximise", "minimise"]),
    ...         "unit": ("criterion", ["GtCO2", "billion USD"]),
    ...     },
    ... )
    >>> from sinkrisk import portfolio
    >>> ranking = portfolio.rank(measures, criteria=["durable_removal", "total_cost"], rng=1)
    >>> table = ranking_table(ranking)
    >>> first = table[(table["quantity"] == "rank_acceptability") & (table["label"] == "1")]
    >>> first[["portfolio", "value"]].round(3)
          portfolio  value
    0        phased    0.5
    6  nature_first    0.5
    """
    import pandas as pd

    draws = _worth(ranking)
    rows = []
    for f, portfolio in enumerate(ranking["portfolio"].values):
        for quantity, dim in (
            ("rank_acceptability", "rank"),
            ("central_weight", "criterion"),
            ("confidence", None),
            ("pairwise", "other"),
        ):
            values = np.atleast_1d(ranking[quantity].values[f])
            labels = [""] if dim is None else [str(v) for v in ranking[dim].values]
            known = quantity in ("rank_acceptability", "pairwise")
            errors = standard_error(values, draws) if known else np.full(len(values), np.nan)
            rows += [
                {
                    "portfolio": str(portfolio),
                    "quantity": quantity,
                    "label": label,
                    "value": float(value),
                    "standard_error": float(error),
                }
                for label, value, error in zip(labels, values, errors, strict=True)
                if not (quantity == "pairwise" and label == str(portfolio))
            ]
    return pd.DataFrame(rows)


def _worth(ranking: xr.Dataset) -> float:
    """Return how many equally probable draws the draws are worth."""
    return float(ranking.attrs.get("effective_draws", ranking.attrs["draws"]))


@checked()
def ranking_sentence(ranking: xr.Dataset) -> str:
    """Return what a ranking says, in a sentence or two.

    Parameters
    ----------
    ranking : Dataset
        From `rank`.

    Examples
    --------
    >>> import xarray as xr
    >>> measures = xr.DataArray(
    ...     [[[1.0, 20.0], [3.0, 10.0]], [[4.0, 30.0], [2.0, 60.0]]],
    ...     dims=("sample", "portfolio", "criterion"),
    ...     coords={
    ...         "portfolio": ["phased", "nature_first"],
    ...         "criterion": ["durable_removal", "total_cost"],
    ...         "direction": ("criterion", ["maximise", "minimise"]),
    ...         "unit": ("criterion", ["GtCO2", "billion USD"]),
    ...     },
    ... )
    >>> from sinkrisk import portfolio
    >>> ranking = portfolio.rank(measures, criteria=["durable_removal", "total_cost"], rng=1)
    >>> text = ranking_sentence(ranking)
    >>> print(text[: text.index(" (")])
    phased is most often first: in 50% of draws and weightings
    """
    first = ranking["rank_acceptability"].values[:, 0]
    order = np.argsort(-first, kind="stable")
    names = [str(v) for v in (ranking["name"] if "name" in ranking.coords else ranking["portfolio"]).values]
    if len(names) == 1:
        return f"{names[0]} is the only portfolio: nothing is ranked ({ranking.attrs['draws']} draws)."
    best, rest = order[0], [i for i in order[1:3] if first[i] > 0.0]
    error = float(standard_error(first[best], _worth(ranking)))
    text = (
        f"{names[best]} is most often first: in {first[best]:.0%} of draws and weightings "
        f"(Monte Carlo error at most {100.0 * error:.1f} percentage points)"
    )
    if rest:
        text += ", before " + " and ".join(f"{names[i]} ({first[i]:.0%})" for i in rest)
    confidence = float(ranking["confidence"].values[best])
    return (
        f"{text}. With its central weights it is first in {confidence:.0%} of draws "
        f"({ranking.attrs['draws']} draws; weights: {ranking.attrs['weights']})."
    )
