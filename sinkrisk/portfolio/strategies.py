"""The strategies that come with the library: of the world, of single pathways, and by region"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sinkrisk import files
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio import plan_rows
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.plan_rows import BY_REGION, Names

if TYPE_CHECKING:
    import pandas as pd

SHARE_COLUMNS: tuple[str, ...] = ("portfolio", "pathway", "period", "share")

SUM_TOLERANCE = 1e-6
"""How far the shares of a period may be off 1: the rounding of six printed decimals."""


@checked()
def list_strategies() -> pd.DataFrame:
    """Return the named strategies.

    Returns
    -------
    DataFrame
        Columns portfolio, name, description; regional (plans by region); coordinated (regions take
        over what another cannot); default (taken up when no names are given).

    Examples
    --------
    >>> table = list_strategies().set_index("portfolio")
    >>> bool(table.loc["phased", "default"]), bool(table.loc["china_zones", "regional"])
    (True, True)
    """
    import pandas as pd

    from sinkrisk.priors import load_table

    named = load_table("portfolio_names").set_index("portfolio")
    regions = load_table("portfolio_regions")
    ways = regions.groupby("portfolio", sort=False)["coordinated"].first()
    default = list(dict.fromkeys(load_table("portfolios")["portfolio"]))
    further = list(dict.fromkeys(load_table("portfolios_further")["portfolio"]))
    rows = [
        {
            "portfolio": label,
            "name": str(named["name"].get(label, label)),
            "description": str(named["description"].get(label, "")),
            "regional": label in ways.index,
            "coordinated": bool(ways.get(label, False)),
            "default": label in default,
        }
        for label in [*default, *further, *ways.index]
    ]
    return pd.DataFrame(rows)


def load_strategies(names: Sequence[str] | None, known: Names) -> xr.Dataset:
    """Return named strategies as shares.

    Parameters
    ----------
    names : sequence of str, optional
        Strategies of `list_strategies`, all of the world or all by region; those of
        ``priors/portfolios.csv`` when left out.
    known : Names
        Names that the rows taken up may use.

    Returns
    -------
    Dataset
        ``share`` (portfolio, pathway, period) or (portfolio, pathway, region, period), 1.

    Raises
    ------
    InputError
        For unknown names, strategies of the world named beside strategies by region, or rows that
        use names that are not known.
    """
    from sinkrisk.priors import load_table

    listed = list_strategies()
    everyone = listed["portfolio"].tolist()
    regional = set(listed.loc[listed["regional"], "portfolio"])
    if names is None:
        names = listed.loc[listed["default"], "portfolio"].tolist()
    plan_rows.check_choice(names, everyone)
    by_region = [name for name in names if name in regional]
    if not by_region:
        return _mixes(list(names), known)
    if len(by_region) < len(names):
        world = [name for name in names if name not in regional]
        raise InputError(
            Problem(
                "strategies of the world beside strategies by region",
                got=f"{', '.join(world)} beside {', '.join(by_region)}",
                hint="simulate them apart: a plan of the world goes where each draw's suitability lies; "
                "their outcomes have the same dims and can be joined",
            )
        )
    parts = load_table("portfolio_regions")
    parts = parts[parts["portfolio"].isin(by_region)]
    mixes = _mixes(list(dict.fromkeys(parts["mix"])), known)
    return _compose(by_region, parts, mixes, listed, known)


def _mixes(names: list[str], known: Names) -> xr.Dataset:
    """Return strategies of the world, read from the files that hold them."""
    from sinkrisk.priors import load_table

    read = plan_rows.PortfolioRows()
    found = Problems()
    for table in ("portfolios.csv", "portfolios_further.csv"):
        path = files.data_path("priors", table)
        rows = files.read_csv(path, required=SHARE_COLUMNS, optional=plan_rows.FURTHER, purpose="portfolios")
        rows = [row for row in rows if row.cells["portfolio"] in names]
        if rows:
            here = Problems(file=str(path))
            part = plan_rows.read_rows(rows, SHARE_COLUMNS, "share", known, here)
            plan_rows.check_shares(part, known.periods, SUM_TOLERANCE, here)
            found.extend(here.found)
            read.cells |= part.cells
            read.labels |= part.labels
    found.raise_if_any()
    named = load_table("portfolio_names")
    descriptions = zip(named["name"], named["description"], strict=True)
    plan_rows.labelled(read, dict(zip(named["portfolio"], descriptions, strict=True)))
    return normalised(plan_rows.to_dataset("share", "1", read, known)).sel(portfolio=names)


def _compose(
    names: list[str], parts: pd.DataFrame, mixes: xr.Dataset, listed: pd.DataFrame, known: Names
) -> xr.Dataset:
    """Return strategies by region: the part of each region times the mix it plans."""
    shares = mixes["share"].transpose("portfolio", "pathway", "period")
    of = {str(v): i for i, v in enumerate(shares["portfolio"].values)}
    shape = (len(names), len(known.pathways), len(known.regions), len(known.periods))
    values = np.zeros(shape)
    found = Problems()
    for row in parts.to_dict("records"):
        if row["region"] not in known.regions:
            found.add("unknown region", got=row["region"], allowed=known.regions, key=row["portfolio"])
            continue
        place = (names.index(row["portfolio"]), slice(None), known.regions.index(row["region"]))
        values[place] += row["part"] * shares.values[of[row["mix"]]]
    found.raise_if_any()
    about = listed.set_index("portfolio").loc[names]
    out = xr.Dataset(
        {"share": (BY_REGION, values, {"units": "1"})},
        coords={
            "portfolio": names,
            "pathway": known.pathways,
            "region": known.regions,
            "period": known.periods,
            "name": ("portfolio", about["name"].tolist()),
            "description": ("portfolio", about["description"].tolist()),
            "coordinated": ("portfolio", about["coordinated"].tolist()),
        },
    )
    return normalised(out)


def normalised(shares: xr.Dataset) -> xr.Dataset:
    """Return shares that sum to 1 to the last digit: printed decimals do so only nearly."""
    over = [d for d in ("pathway", "region") if d in shares["share"].dims]
    out = shares.copy()
    out["share"] = (shares["share"] / shares["share"].sum(over)).assign_attrs(units="1")
    return out
