"""Rows of a portfolio table turned into labelled arrays, every wrong cell found with its row"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from sinkrisk import files, units
from sinkrisk.errors import InputError, Problems
from sinkrisk.portfolio.variables import BEYOND_SENSE, MOST_PLANNED

FURTHER: tuple[str, ...] = ("region", "coordinated", "name", "description", "source", "locator", "note")
"""Columns a table of portfolios may have beside those it needs."""

WORLD = ("portfolio", "pathway", "period")
BY_REGION = ("portfolio", "pathway", "region", "period")
"""Dims of shares and plans, without and with regions."""


@dataclass(frozen=True)
class Names:
    """The names a table may use; pathways and periods it need not use all."""

    pathways: list[str]
    regions: list[str]
    periods: list[str]


@dataclass
class PortfolioRows:
    """What the rows of a table say.

    Parameters
    ----------
    cells : dict
        portfolio -> {(pathway, region, period): number}; the region is empty where the table has
        none, a number that could not be read is NaN.
    labels : dict
        portfolio -> (name, description).
    coordinated : dict
        portfolio -> whether regions take over each other's plans; empty where the table is silent.
    rows : dict
        (portfolio, period) -> first row, and (portfolio, "") -> the portfolio's first row.
    regional : bool
        Whether the table has a column ``region``.
    """

    cells: dict[str, dict[tuple[str, str, str], float]] = field(default_factory=dict)
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    coordinated: dict[str, bool] = field(default_factory=dict)
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    regional: bool = False


def known_names(
    pathways: Sequence[str] | None, periods: Sequence[str] | None, regions: Sequence[str] | None = None
) -> Names:
    """Return the names a portfolio may use: the library's where the caller gives none."""
    from sinkrisk.priors import load_table

    if pathways is None:
        table = load_table("pathways")
        pathways = table.loc[table["creditable"].astype(bool), "pathway"].tolist()
    if periods is None:
        periods = load_table("periods")["period"].tolist()
    if regions is None:
        regions = load_table("regions")["region"].tolist()
    return Names(list(pathways), list(regions), list(periods))


def read_rows(
    rows: Sequence[files.LocatedRow], columns: Sequence[str], number: str, known: Names, found: Problems
) -> PortfolioRows:
    """Read rows into numbers; whatever is wrong with them goes to `found`, with its row.

    Parameters
    ----------
    rows : sequence of LocatedRow
    columns : sequence of str
        Columns the table needs, for the message of an empty one; with ``unit`` among them numbers
        are turned into GtCO2/yr.
    number : str
        The column that holds the number.
    known : Names
    found : Problems

    Returns
    -------
    PortfolioRows
    """
    out = PortfolioRows()
    if not rows:
        found.add("portfolios: no row", hint=f"one per portfolio, pathway and period: {', '.join(columns)}")
        return out
    out.regional = "region" in rows[0].cells
    said: dict[str, dict[str, str]] = {}
    for row in rows:
        cell = row.cells
        label, pathway, period = (cell[n] for n in WORLD)
        region = _text(cell.get("region", ""))
        if not label:
            found.add("portfolio without a name", row=row.row, key="portfolio")
        if pathway not in known.pathways:
            found.add("unknown pathway", got=pathway, allowed=known.pathways, row=row.row, key="pathway")
        if out.regional and not region:
            hint = "a table with the column 'region' names one in every row"
            found.add("plan without a region", row=row.row, key="region", hint=hint)
        elif out.regional and region not in known.regions:
            found.add("unknown region", got=region, allowed=known.regions, row=row.row, key="region")
        if period not in known.periods:
            found.add("unknown period", got=period, allowed=known.periods, row=row.row, key="period")
        value = _number(cell[number], found, row.row, number)
        if "unit" in columns and value is not None:
            try:
                value *= units.factor(cell["unit"], "GtCO2/yr")
            except InputError as error:
                found.add(str(error), row=row.row, key="unit")
            else:
                if value > MOST_PLANNED:
                    got, allowed = f"{cell[number]} {cell['unit']}", f"0 to {MOST_PLANNED:.0f} GtCO2/yr"
                    found.add(
                        "plan beyond sense",
                        got=got,
                        allowed=allowed,
                        row=row.row,
                        key=number,
                        hint=BEYOND_SENSE,
                    )
        own = out.cells.setdefault(label, {})
        if (pathway, region, period) in own:
            got = ", ".join(part for part in (label, pathway, region, period) if part)
            found.add("given twice", got=got, row=row.row)
        own[pathway, region, period] = math.nan if value is None else value
        _words(cell, label, said, found, row.row)
        out.rows.setdefault((label, period), row.row)
        out.rows.setdefault((label, ""), row.row)
        if "coordinated" in cell:
            _coordinated(cell["coordinated"], label, out, found, row.row)
    for label, words in said.items():
        out.labels[label] = (words.get("name", label), words.get("description", ""))
        twin = next((k for k, v in out.labels.items() if v[0] == out.labels[label][0]), label)
        if twin != label:
            found.add(
                f"portfolios '{twin}' and '{label}' have one name",
                got=out.labels[label][0],
                row=out.rows[label, ""],
                key="name",
                hint="tables and pictures tell portfolios apart by their names",
            )
    return out


def _words(
    cell: Mapping[str, str], label: str, said: dict[str, dict[str, str]], found: Problems, row: int
) -> None:
    """Keep a portfolio's name and description, said in one row or the same in all that say it."""
    own = said.setdefault(label, {})
    for column in ("name", "description"):
        text = _text(cell.get(column, ""))
        if text and own.setdefault(column, text) != text:
            hint = f"'{label}' is called '{own[column]}' above: say it once, or the same in every row"
            found.add(f"another {column} for one portfolio", got=text, row=row, key=column, hint=hint)


def _text(cell: str) -> str:
    # What a DataFrame holds where nothing was given.
    return "" if cell in ("nan", "None", "<NA>") else cell


def _coordinated(text: str, label: str, out: PortfolioRows, found: Problems, row: int) -> None:
    word = _text(text).lower()
    if word not in ("true", "false", ""):
        found.add("not true or false", got=text, allowed=["true", "false"], row=row, key="coordinated")
        return
    if out.coordinated.setdefault(label, word == "true") != (word == "true"):
        hint = "the regions of a portfolio take over each other's plans or they do not: the same in every row"
        found.add("a portfolio coordinated in part", got=label, row=row, key="coordinated", hint=hint)


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


def to_dataset(variable: str, unit: str, read: PortfolioRows, known: Names) -> xr.Dataset:
    """Return what was read as one variable on (portfolio, pathway[, region], period); no row means 0."""
    dims = BY_REGION if read.regional else WORLD
    places = {
        "pathway": {name: i for i, name in enumerate(known.pathways)},
        "region": {name: i for i, name in enumerate(known.regions)},
        "period": {name: i for i, name in enumerate(known.periods)},
    }
    labels = list(read.cells)
    values = np.zeros((len(labels), *(len(places[d]) for d in dims[1:])))
    for f, own in enumerate(read.cells.values()):
        for key, value in own.items():
            named = dict(zip(("pathway", "region", "period"), key, strict=True))
            values[(f, *(places[d][named[d]] for d in dims[1:]))] = value
    out = xr.Dataset(
        {variable: (dims, values, {"units": unit})},
        coords={
            "portfolio": labels,
            **{d: list(places[d]) for d in dims[1:]},
            "name": ("portfolio", [read.labels[label][0] for label in labels]),
            "description": ("portfolio", [read.labels[label][1] for label in labels]),
        },
    )
    if read.coordinated:
        ways = [read.coordinated.get(label, False) for label in labels]
        out = out.assign_coords(coordinated=("portfolio", ways))
    return out


def select(data: xr.Dataset, names: Sequence[str] | None) -> xr.Dataset:
    """Return the portfolios asked for, in that order; all when none are named."""
    if names is None:
        return data
    check_choice(names, [str(v) for v in data["portfolio"].values])
    return data.sel(portfolio=list(names))


def check_choice(names: Sequence[str], known: Sequence[str]) -> None:
    """Raise for names that are not known, given twice, or none at all; everything at once."""
    found = Problems()
    for name in names:
        if name not in known:
            found.add("unknown portfolio", got=name, allowed=known)
    if not names:
        found.add("no portfolio chosen", allowed=known)
    if len(set(names)) < len(names):
        found.add("portfolio chosen twice", got=", ".join(names))
    found.raise_if_any()


def check_shares(read: PortfolioRows, periods: Sequence[str], tolerance: float, found: Problems) -> None:
    """Report portfolios whose shares do not sum to 1 in a period, or that skip one."""
    for label, own in read.cells.items():
        if any(math.isnan(v) for v in own.values()):
            continue
        for period in periods:
            shares = [v for (_, _, q), v in own.items() if q == period]
            if not shares:
                row = read.rows[label, ""]
                found.add("portfolio without shares in a period", got=label, key=period, row=row)
            elif abs(math.fsum(shares) - 1.0) > tolerance:
                found.add(
                    f"shares of '{label}' in '{period}' do not sum to 1",
                    got=round(math.fsum(shares), 9),
                    row=read.rows[label, period],
                    hint="the shares of a portfolio sum to 1 in every period",
                )


def labelled(read: PortfolioRows, names: Mapping[str, tuple[str, str]]) -> None:
    """Give portfolios the names and descriptions of a table that holds them."""
    read.labels |= {label: names[label] for label in read.labels if label in names}
