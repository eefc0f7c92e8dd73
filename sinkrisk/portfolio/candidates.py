"""Candidate portfolios: the review's strategies by name, a user's own tables, and plans made of them.

A portfolio is a table of shares: which part of each period's planned total every pathway carries.
`plan` multiplies the shares by totals. Nothing here is clipped or scaled to fit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sinkrisk import files, units
from sinkrisk.errors import InputError, Problem, Problems

if TYPE_CHECKING:
    import pandas as pd

SHARE_COLUMNS: tuple[str, ...] = ("portfolio", "pathway", "period", "share")
PLAN_COLUMNS: tuple[str, ...] = ("portfolio", "pathway", "period", "planned", "unit")
_FURTHER: tuple[str, ...] = ("name", "description", "source", "locator", "note")

SUM_TOLERANCE = 1e-6
"""How far the shares of a period may be off 1: the rounding of six printed decimals."""

_DIMS = ("portfolio", "pathway", "period")


def _known(pathways: Sequence[str] | None, periods: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return the pathways a portfolio may use and the periods it must fill."""
    if pathways is None:
        from sinkrisk.priors import load_table

        table = load_table("pathways")
        creditable = table["creditable"].astype(str).str.lower() == "true"
        pathways = table.loc[creditable, "pathway"].tolist()
    if periods is None:
        from sinkrisk.priors import load_table

        periods = load_table("periods")["period"].tolist()
    return list(pathways), list(periods)


def _read(
    rows: Sequence[files.LocatedRow],
    columns: tuple[str, ...],
    number: str,
    pathways: list[str],
    periods: list[str],
    found: Problems,
) -> tuple[dict[str, dict[tuple[str, str], float]], dict[str, tuple[str, str]]]:
    """Return {portfolio: {(pathway, period): number}} and names; rows that are wrong go to `found`."""
    table: dict[str, dict[tuple[str, str], float]] = {}
    names: dict[str, tuple[str, str]] = {}
    if not rows:
        found.add("portfolios: no row", hint=f"one per portfolio, pathway and period: {', '.join(columns)}")
    for row in rows:
        cell = row.cells
        label, pathway, period = (cell[n] for n in _DIMS)
        if not label:
            found.add("portfolio without a name", row=row.row, key="portfolio")
        if pathway not in pathways:
            found.add("unknown pathway", got=pathway, allowed=pathways, row=row.row, key="pathway")
        if period not in periods:
            found.add("unknown period", got=period, allowed=periods, row=row.row, key="period")
        value = _number(cell[number], found, row.row, number)
        if "unit" in columns and value is not None:
            try:
                value *= units.factor(cell["unit"], "GtCO2/yr")
            except InputError as error:
                found.add(str(error), row=row.row, key="unit")
        own = table.setdefault(label, {})
        if (pathway, period) in own:
            found.add("given twice", got=f"{label}, {pathway}, {period}", row=row.row)
        own[pathway, period] = math.nan if value is None else value
        names.setdefault(label, (cell.get("name") or label, cell.get("description", "")))
    return table, names


def _number(text: str, found: Problems, row: int, key: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        found.add("not a number", got=text, row=row, key=key)
        return None
    if not math.isfinite(value):
        found.add("not a finite number", got=text, row=row, key=key)
        return None
    if value < 0.0:
        found.add(f"negative {key}", got=value, allowed="0 or more", row=row, key=key)
    return value


def _dataset(
    variable: str,
    unit: str,
    table: Mapping[str, Mapping[tuple[str, str], float]],
    names: Mapping[str, tuple[str, str]],
    pathways: list[str],
    periods: list[str],
) -> xr.Dataset:
    values = np.zeros((len(table), len(pathways), len(periods)))
    for f, own in enumerate(table.values()):
        for (pathway, period), value in own.items():
            values[f, pathways.index(pathway), periods.index(period)] = value
    return xr.Dataset(
        {variable: (_DIMS, values, {"units": unit})},
        coords={
            "portfolio": list(table),
            "pathway": pathways,
            "period": periods,
            "name": ("portfolio", [names[label][0] for label in table]),
            "description": ("portfolio", [names[label][1] for label in table]),
        },
    )


def _select(data: xr.Dataset, names: Sequence[str] | None) -> xr.Dataset:
    if names is None:
        return data
    known = [str(v) for v in data["portfolio"].values]
    found = Problems()
    for name in names:
        if name not in known:
            found.add("unknown portfolio", got=name, allowed=known)
    if not names:
        found.add("no portfolio chosen", allowed=known)
    if len(set(names)) < len(names):
        found.add("portfolio chosen twice", got=", ".join(names))
    found.raise_if_any()
    return data.sel(portfolio=list(names))


def load_portfolios(
    path: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    pathways: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
) -> xr.Dataset:
    """Read portfolios as shares.

    Parameters
    ----------
    path : path, optional
        CSV with the columns portfolio, pathway, period, share (and, if wanted, name, description,
        source, locator, note); the review's strategies of ``priors/portfolios.csv`` when left out.
        A pathway that is not listed has share 0.
    names : sequence of str, optional
        Portfolios to keep, in this order; all when left out.
    pathways, periods : sequence of str, optional
        Names that may be used; the creditable pathways and the periods of ``priors/`` when left
        out.

    Returns
    -------
    Dataset
        ``share`` (portfolio, pathway, period), 1, summing to 1 over pathways; coordinates ``name``
        and ``description`` (portfolio).

    Raises
    ------
    InputError
        Everything wrong with the file at once: unknown pathways or periods, shares that are
        negative or do not sum to 1, rows given twice, periods without shares, an empty file.

    Examples
    --------
    >>> shares = load_portfolios(names=["phased"])
    >>> float(shares.share.sel(portfolio="phased", pathway="beccs", period="near_term"))
    0.5
    """
    source = files.data_path("priors", "portfolios.csv") if path is None else path
    known, wanted = _known(pathways, periods)
    found = Problems(file=str(source))
    rows = files.read_csv(source, required=SHARE_COLUMNS, optional=_FURTHER, purpose="portfolios")
    table, labels = _read(rows, SHARE_COLUMNS, "share", known, wanted, found)
    for label, own in table.items():
        if any(math.isnan(v) for v in own.values()):
            continue
        for period in wanted:
            shares = [v for (_, q), v in own.items() if q == period]
            if not shares:
                found.add("portfolio without shares in a period", got=label, key=period)
            elif abs(sum(shares) - 1.0) > SUM_TOLERANCE:
                found.add(
                    f"shares of '{label}' in '{period}' do not sum to 1",
                    got=round(sum(shares), 9),
                    hint="the shares of a portfolio sum to 1 in every period",
                )
    found.raise_if_any()
    if path is None:
        named = files.read_csv(
            files.data_path("priors", "portfolio_names.csv"), required=("portfolio", "name", "description")
        )
        labels |= {r.cells["portfolio"]: (r.cells["name"], r.cells["description"]) for r in named}
    out = _dataset("share", "1", table, labels, known, wanted)
    # Printed decimals sum to 1 only nearly; from here on they do to the last digit.
    out["share"] = (out["share"] / out["share"].sum("pathway")).assign_attrs(units="1")
    return _select(out, names)


def load_plans(
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    pathways: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
) -> xr.Dataset:
    """Read plans as amounts, ready for `simulate`.

    Parameters
    ----------
    path : path
        CSV with the columns portfolio, pathway, period, planned, unit (any unit of flow, converted
        to GtCO2/yr); what `plan_table` writes can be read again.
    names, pathways, periods
        As in `load_portfolios`.

    Returns
    -------
    Dataset
        ``planned`` (portfolio, pathway, period), GtCO2/yr, not listed meaning 0; coordinates
        ``name`` and ``description`` (portfolio).

    Raises
    ------
    InputError
        Everything wrong with the file at once: unknown pathways, periods or units, negative plans,
        rows given twice, an empty file, a portfolio that plans nothing.
    """
    known, wanted = _known(pathways, periods)
    rows = files.read_csv(path, required=PLAN_COLUMNS, optional=_FURTHER, purpose="portfolios")
    return _select(_plans(rows, Problems(file=str(path)), known, wanted), names)


def plan_from_table(
    table: pd.DataFrame,
    *,
    portfolio: str | None = None,
    name: str | None = None,
    description: str = "",
    pathways: Sequence[str] | None = None,
    periods: Sequence[str] | None = None,
) -> xr.Dataset:
    """Turn a table of amounts into plans, ready for `simulate`.

    Parameters
    ----------
    table : DataFrame
        Columns pathway, period, planned, unit; and portfolio, unless `portfolio` is given.
    portfolio, name, description : str, optional
        Label, name and description of the one portfolio the table holds.
    pathways, periods
        As in `load_portfolios`.

    Returns
    -------
    Dataset
        As from `load_plans`.

    Raises
    ------
    InputError
        As from `load_plans`; rows are counted from 1 after the header, as in a CSV.
    """
    known, wanted = _known(pathways, periods)
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
    return _plans(rows, found, known, wanted)


def _plans(
    rows: Sequence[files.LocatedRow], found: Problems, pathways: list[str], periods: list[str]
) -> xr.Dataset:
    table, labels = _read(rows, PLAN_COLUMNS, "planned", pathways, periods, found)
    for label, own in table.items():
        if all(v == 0.0 for v in own.values()):
            found.add("empty portfolio: it plans nothing", got=label)
    found.raise_if_any()
    return _dataset("planned", "GtCO2/yr", table, labels, pathways, periods)


def plan(portfolios: xr.Dataset, total: Mapping[str, float]) -> xr.Dataset:
    """Turn shares into plans.

    Parameters
    ----------
    portfolios : Dataset
        ``share`` (portfolio, pathway, period) from `load_portfolios`.
    total : mapping of str to float
        Period -> planned total over all pathways, GtCO2/yr.

    Returns
    -------
    Dataset
        ``planned`` (portfolio, pathway, period), GtCO2/yr, with the coordinates of `portfolios`.

    Raises
    ------
    InputError
        A period without a total, a total for an unknown period, a negative total, or totals that
        are all zero; all at once.

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
    if not found and not any(total[p] > 0.0 for p in periods):
        found.add("the planned totals are all zero", key="total")
    found.raise_if_any()
    amounts = xr.DataArray([float(total[p]) for p in periods], dims="period", coords={"period": periods})
    planned = (portfolios["share"] * amounts).transpose(*_DIMS).assign_attrs(units="GtCO2/yr")
    return portfolios.drop_vars("share").assign(planned=planned)


def plan_table(plans: xr.Dataset) -> pd.DataFrame:
    """Return plans as a tidy table.

    Parameters
    ----------
    plans : Dataset
        From `plan` or `load_plans`.

    Returns
    -------
    DataFrame
        Columns portfolio, name, description, pathway, period, planned, unit; what is not planned
        has no row. `load_plans` reads it back.
    """
    import pandas as pd

    planned = plans["planned"].transpose(*_DIMS)
    labels = [str(v) for v in planned["portfolio"].values]
    names = {
        n: [str(v) for v in plans[n].values] if n in plans.coords else labels for n in ("name", "description")
    }
    rows = [
        {
            "portfolio": labels[f],
            "name": names["name"][f],
            "description": names["description"][f],
            "pathway": str(planned["pathway"].values[p]),
            "period": str(planned["period"].values[q]),
            "planned": float(planned.values[f, p, q]),
            "unit": "GtCO2/yr",
        }
        for f, p, q in np.argwhere(planned.values != 0.0)
    ]
    columns = ["portfolio", "name", "description", "pathway", "period", "planned", "unit"]
    return pd.DataFrame(rows, columns=columns)
