"""Candidate portfolios: the review's strategies by name, a user's own tables, and plans made of them.

A portfolio is a table of shares: which part of each period's planned total every pathway carries, in
the world or in each region. `plan` multiplies the shares by totals. Nothing here is clipped or scaled
to fit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sinkrisk import files
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio import plan_rows
from sinkrisk.portfolio.forms import PLANS, checked
from sinkrisk.portfolio.plan_rows import BY_REGION, WORLD, Names
from sinkrisk.portfolio.strategies import SHARE_COLUMNS, SUM_TOLERANCE, load_strategies, normalised
from sinkrisk.portfolio.variables import BEYOND_SENSE, MOST_PLANNED

if TYPE_CHECKING:
    import pandas as pd

PLAN_COLUMNS: tuple[str, ...] = ("portfolio", "pathway", "period", "planned", "unit")


@checked()
def load_portfolios(
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    pathways: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
) -> xr.Dataset:
    """Read portfolios as shares.

    Parameters
    ----------
    path : path, optional
        CSV with the columns portfolio, pathway, period, share and, if wanted, region, coordinated
        (true or false: whether a region takes over what another cannot), name, description, source,
        locator, note. What is not listed has share 0. When left out, the strategies that come with
        the library (`list_strategies`).
    names : sequence of str, optional
        Portfolios to keep, in this order. When left out all of the file, or of the library the
        strategies of ``priors/portfolios.csv``.
    pathways, periods, regions : sequence of str, optional
        Names that may be used; the creditable pathways, the periods and the regions of ``priors/``
        when left out.

    Returns
    -------
    Dataset
        ``share`` (portfolio, pathway, period), or (portfolio, pathway, region, period) where the
        table has a column ``region``, 1, summing to 1 over pathways and regions; coordinates
        ``name`` and ``description`` (portfolio), and ``coordinated`` where the table says it.

    Raises
    ------
    InputError
        Everything wrong with the file at once, with its row: unknown pathways, regions or periods,
        shares that are negative or do not sum to 1, rows given twice, periods without shares, a
        portfolio with two names or two with one, an empty file; strategies of the world named
        beside strategies by region.

    Examples
    --------
    >>> shares = load_portfolios(names=["phased"])
    >>> float(shares.share.sel(portfolio="phased", pathway="beccs", period="near_term"))
    0.5
    >>> zones = load_portfolios(names=["china_zones", "china_zones_coordinated"])
    >>> zones.share.dims, zones.coordinated.values.tolist()
    (('portfolio', 'pathway', 'region', 'period'), [False, True])
    """
    known = plan_rows.known_names(pathways, periods, regions)
    if path is None:
        return load_strategies(names, known)
    found = Problems(file=str(path))
    rows = files.read_csv(path, required=SHARE_COLUMNS, optional=plan_rows.FURTHER, purpose="portfolios")
    read = plan_rows.read_rows(rows, SHARE_COLUMNS, "share", known, found)
    plan_rows.check_shares(read, known.periods, SUM_TOLERANCE, found)
    found.raise_if_any()
    return plan_rows.select(normalised(plan_rows.to_dataset("share", "1", read, known)), names)


@checked()
def load_plans(
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    pathways: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
) -> xr.Dataset:
    """Read plans as amounts, ready for `simulate`.

    Parameters
    ----------
    path : path
        CSV with the columns portfolio, pathway, period, planned, unit (any unit of flow, converted
        to GtCO2/yr) and the further ones of `load_portfolios`; what `plan_table` writes can be read
        again.
    names, pathways, periods, regions
        As in `load_portfolios`.

    Returns
    -------
    Dataset
        ``planned`` (portfolio, pathway, period), or (portfolio, pathway, region, period) where the
        table has a column ``region``, GtCO2/yr, not listed meaning 0; coordinates ``name`` and
        ``description`` (portfolio), and ``coordinated`` where the table says it.

    Raises
    ------
    InputError
        Everything wrong with the file at once, with its row: unknown pathways, regions, periods or
        units, negative plans, rows given twice, an empty file, a portfolio that plans nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> plans = plan(load_portfolios(names=["phased"]), {"near_term": 1, "mid_term": 4, "long_term": 8})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.csv"
    ...     plan_table(plans).to_csv(path, index=False)
    ...     read = load_plans(path)
    >>> bool((read["planned"] == plans["planned"]).all()), float(read["planned"].sum("pathway")[0, -1])
    (True, 8.0)
    """
    known = plan_rows.known_names(pathways, periods, regions)
    rows = files.read_csv(path, required=PLAN_COLUMNS, optional=plan_rows.FURTHER, purpose="portfolios")
    return plan_rows.select(_plans(rows, Problems(file=str(path)), known), names)


@checked()
def plan_from_table(
    table: pd.DataFrame,
    *,
    portfolio: str | None = None,
    name: str | None = None,
    description: str = "",
    pathways: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
    regions: Sequence[str] | None = None,
) -> xr.Dataset:
    """Turn a table of amounts into plans, ready for `simulate`.

    Parameters
    ----------
    table : DataFrame
        Columns pathway, period, planned, unit; portfolio, unless `portfolio` is given; and, if
        wanted, region and coordinated.
    portfolio, name, description : str, optional
        Label, name and description of the one portfolio the table holds.
    pathways, periods, regions
        As in `load_portfolios`.

    Returns
    -------
    Dataset
        As from `load_plans`.

    Raises
    ------
    InputError
        As from `load_plans`; the header counts as row 1, as in a CSV.

    Examples
    --------
    >>> import pandas as pd
    >>> amounts = pd.DataFrame(
    ...     {
    ...         "pathway": ["daccs", "biochar"],
    ...         "period": ["long_term", "long_term"],
    ...         "planned": [1.0, 250.0],
    ...         "unit": ["GtCO2/yr", "MtCO2/yr"],
    ...     }
    ... )
    >>> plans = plan_from_table(amounts, portfolio="mine", name="My plan")
    >>> plans.planned.sel(portfolio="mine", pathway=["daccs", "biochar"], period="long_term").values
    array([1.  , 0.25])
    >>> plan_table(plans)[["portfolio", "pathway", "period", "planned", "unit"]]
      portfolio  pathway     period  planned      unit
    0      mine    daccs  long_term     1.00  GtCO2/yr
    1      mine  biochar  long_term     0.25  GtCO2/yr
    """
    known = plan_rows.known_names(pathways, periods, regions)
    found = Problems()
    needed = [c for c in PLAN_COLUMNS if portfolio is None or c != "portfolio"]
    for column in needed:
        if column not in table.columns:
            found.add("plan lacks a column", got=", ".join(map(str, table.columns)), key=column)
    found.raise_if_any()
    rows = []
    for i, record in enumerate(table.to_dict("records")):
        cells = {str(k): str(v) for k, v in record.items()}
        if portfolio is not None:
            cells |= {"portfolio": portfolio, "name": name or portfolio, "description": description}
        rows.append(files.LocatedRow(i + 2, cells))
    return _plans(rows, found, known)


def _plans(rows: Sequence[files.LocatedRow], found: Problems, known: Names) -> xr.Dataset:
    read = plan_rows.read_rows(rows, PLAN_COLUMNS, "planned", known, found)
    for label, own in read.cells.items():
        if all(v == 0.0 for v in own.values()):
            found.add("empty portfolio: it plans nothing", got=label, row=read.rows[label, ""])
    found.raise_if_any()
    return plan_rows.to_dataset("planned", "GtCO2/yr", read, known)


@checked()
def plan(portfolios: xr.Dataset, total: Mapping[str, float]) -> xr.Dataset:
    """Turn shares into plans.

    Parameters
    ----------
    portfolios : Dataset
        ``share`` (portfolio, pathway, period) or (portfolio, pathway, region, period), from
        `load_portfolios` or `design_portfolios`.
    total : mapping of str to float
        Period -> planned total over all pathways, GtCO2/yr.

    Returns
    -------
    Dataset
        ``planned``, GtCO2/yr, with the dims of the shares and the coordinates of `portfolios`.

    Raises
    ------
    InputError
        A period without a total, a total for an unknown period, a negative total or one beyond
        `variables.MOST_PLANNED`, or totals that are all zero; shares that are no numbers, negative or
        do not sum to 1; all at once.

    Examples
    --------
    >>> shares = load_portfolios(names=["daccs_only"])
    >>> plans = plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> plans.planned.sum("pathway").values
    array([[0.1, 1. , 5. ]])
    """
    found = Problems()
    if "share" not in portfolios:
        got = ", ".join(map(str, portfolios.data_vars))
        raise InputError(Problem("portfolios lack the variable 'share'", got=got))
    periods = [str(v) for v in portfolios["period"].values]
    for period in total:
        if period not in periods:
            found.add("total of an unknown period", got=str(period), allowed=periods, key=f"total.{period}")
    for period in periods:
        value = total.get(period)
        if value is None:
            found.add("period without a planned total", key=f"total.{period}", hint="give 0 to plan nothing")
        elif not math.isfinite(value) or value < 0.0:
            found.add(
                "planned total out of range", got=value, allowed="0 or more GtCO2/yr", key=f"total.{period}"
            )
        elif value > MOST_PLANNED:
            allowed, key = f"0 to {MOST_PLANNED:.0f} GtCO2/yr", f"total.{period}"
            found.add("planned total beyond sense", got=value, allowed=allowed, key=key, hint=BEYOND_SENSE)
    if not found and not any(total[p] > 0.0 for p in periods):
        found.add("the planned totals are all zero", key="total")
    _check_shares(portfolios["share"], found)
    found.raise_if_any()
    amounts = xr.DataArray([float(total[p]) for p in periods], dims="period", coords={"period": periods})
    dims = BY_REGION if "region" in portfolios["share"].dims else WORLD
    planned = (portfolios["share"] * amounts).transpose(*dims).assign_attrs(units="GtCO2/yr")
    return portfolios.drop_vars("share").assign(planned=planned)


def _check_shares(share: xr.DataArray, found: Problems) -> None:
    """Find shares that are none, and portfolios whose shares do not sum to 1 in a period."""
    if share.size == 0:
        found.add("no portfolio to plan", got=str(dict(share.sizes)), key="share")
        return
    if share.dtype.kind not in "biuf":
        found.add("shares must be numbers", got=str(share.dtype), key="share")
        return
    faulty = int((~np.isfinite(share) | (share < 0.0)).sum())
    if faulty:
        got = f"{faulty} of {share.size}"
        found.add("shares negative or not finite", got=got, allowed="0 to 1", key="share")
        return
    over = [d for d in share.dims if d not in ("portfolio", "period")]
    sums = share.sum(over).transpose("portfolio", "period")
    for f, q in np.argwhere(np.abs(sums.values - 1.0) > SUM_TOLERANCE):
        place = f"{sums['portfolio'].values[f]}.{sums['period'].values[q]}"
        found.add("shares do not sum to 1", got=float(sums.values[f, q]), allowed="1", key=f"share.{place}")


@checked(plans=Holding(variables=("planned",), never=("sample",), origin=PLANS))
def plan_table(plans: xr.Dataset) -> pd.DataFrame:
    """Return plans as a tidy table.

    Parameters
    ----------
    plans : Dataset
        From `plan` or `load_plans`.

    Returns
    -------
    DataFrame
        Columns portfolio, name, description, pathway, period, planned, unit; region after pathway
        where plans are by region, and coordinated at the end where it is said. What is not planned
        has no row. `load_plans` reads it back.

    Examples
    --------
    >>> shares = load_portfolios(names=["daccs_only"])
    >>> table = plan_table(plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0}))
    >>> table[["portfolio", "pathway", "period", "planned", "unit"]]
        portfolio pathway     period  planned      unit
    0  daccs_only   daccs  near_term      0.1  GtCO2/yr
    1  daccs_only   daccs   mid_term      1.0  GtCO2/yr
    2  daccs_only   daccs  long_term      5.0  GtCO2/yr
    """
    import pandas as pd

    dims = BY_REGION if "region" in plans["planned"].dims else WORLD
    planned = plans["planned"].transpose(*dims)
    values = planned.values
    places = np.nonzero(values)
    found = {d: planned[d].values.astype(str)[i] for d, i in zip(dims, places, strict=True)}
    labels = planned["portfolio"].values.astype(str)
    columns = {"portfolio": found["portfolio"]}
    for text in ("name", "description"):
        of = plans[text].values.astype(str) if text in plans.coords else labels
        columns[text] = of[places[0]]
    columns |= {d: found[d] for d in dims[1:]}
    table = pd.DataFrame(columns).astype(str).assign(planned=values[places].astype(float), unit="GtCO2/yr")
    if "coordinated" in plans.coords:
        table["coordinated"] = plans["coordinated"].values.astype(bool)[places[0]]
    return table
