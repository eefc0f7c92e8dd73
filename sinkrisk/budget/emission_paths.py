"""Emission scenarios: read from a user's table, made gross of their own removal, made annual, extended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk import files
from sinkrisk.budget.arguments import check_number
from sinkrisk.budget.cells import LARGEST
from sinkrisk.budget.cycle_table import load_carbon_cycle
from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd

NET_COLUMNS: dict[str, str] = {"fossil_net_GtC_yr": "fossil", "land_use_net_GtC_yr": "land_use"}
"""Columns of the SSP compilation (RCMIP): net of the removal the scenarios themselves assume."""

GROSS_RULES: dict[str, str] = {
    "floor": "gross fossil emissions are the net ones, never below {share:g} of the first year's; land-use "
    "emissions never below zero (what lies below is taken to be the scenario's own removal)",
    "as_given": "the scenario's emissions are used as they stand",
}
"""How a path net of its own removal becomes gross of it: rule -> its statement."""

EXTENSIONS: dict[str, str] = {
    "none": "emissions end with the scenario",
    "hold": "emissions stay at the last year's after {last}",
    "taper": "emissions go to zero in a straight line from {last} to {end}",
}
"""Rules for years beyond the scenario: rule -> its statement."""


def read_emissions(
    source: str | os.PathLike[str] | pd.DataFrame, *, scenario: str | None = None
) -> pd.DataFrame:
    """Read an emission scenario.

    Parameters
    ----------
    source : path or DataFrame
        Columns ``year``, ``fossil`` and ``land_use`` in GtC/yr, gross of removal; or, net of the
        scenario's own removal, ``fossil_net_GtC_yr`` and ``land_use_net_GtC_yr`` as the SSP files name
        them; and ``scenario`` where there are several.
    scenario : str, optional
        Which one; needed where there are several.

    Returns
    -------
    DataFrame
        ``year, fossil, land_use``, one row a year, interpolated linearly. ``attrs`` hold ``scenario``
        and ``net``: whether the path is net of its own removal.

    Raises
    ------
    InputError
        For missing columns, an unknown scenario, years that repeat, or numbers that are none.

    Examples
    --------
    >>> import pandas as pd
    >>> path = pd.DataFrame({"year": [2025, 2050], "fossil": [10.0, 0.0], "land_use": 1.0})
    >>> read_emissions(path).set_index("year").loc[2030].to_dict()
    {'fossil': 8.0, 'land_use': 1.0}
    >>> read_emissions(path.assign(fossil=37000.0))
    Traceback (most recent call last):
    sinkrisk.errors.InputError: key 'fossil': emissions: fossil far larger than any, is it in MtCO2?: ...
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        frame = source.copy()
    elif not isinstance(source, str | os.PathLike):
        raise InputError(
            Problem(
                "no emissions",
                got=type(source).__name__,
                allowed="a CSV file, or a DataFrame with year, fossil and land_use in GtC/yr",
                key="emissions",
            )
        )
    else:
        frame = pd.read_csv(files.require_file(source, purpose="emissions"))
    net = set(NET_COLUMNS) <= set(frame.columns)
    frame = frame.rename(columns=NET_COLUMNS) if net else frame
    missing = [name for name in ("year", "fossil", "land_use") if name not in frame]
    if missing:
        allowed = "year, fossil, land_use, or year and the _net_GtC_yr columns of an SSP file"
        raise InputError(
            Problem(f"emissions: missing {', '.join(missing)}", got=list(frame), allowed=allowed)
        )
    name = scenario or "given"
    if "scenario" in frame:
        known = list(dict.fromkeys(frame["scenario"].astype(str)))
        if scenario is None and len(known) > 1:
            raise InputError(Problem("emissions: several scenarios", got=None, allowed=known, key="scenario"))
        name = scenario or known[0]
        if name not in known:
            raise InputError(Problem("unknown scenario", got=name, allowed=known, key="scenario"))
        frame = frame[frame["scenario"].astype(str) == name]
    table = frame[["year", "fossil", "land_use"]].apply(pd.to_numeric, errors="coerce").sort_values("year")
    if table.empty or not np.isfinite(table.to_numpy(dtype=float)).all():
        raise InputError(Problem("emissions: a cell is no number", allowed="finite numbers in every row"))
    if table["year"].duplicated().any():
        twice = int(table.loc[table["year"].duplicated(), "year"].iloc[0])
        raise InputError(Problem("emissions: a year stands twice", got=twice, key="year"))
    for column in ("fossil", "land_use"):
        largest = table.loc[table[column].abs().idxmax()]
        if abs(float(largest[column])) > LARGEST:
            raise InputError(
                Problem(
                    f"emissions: {column} far larger than any, is it in MtCO2?",
                    got=f"{largest[column]:g} in {largest['year']:g}",
                    allowed=f"at most {LARGEST:g} GtC/yr in size",
                    key=column,
                    hint="1 GtC is 3667 MtCO2",
                )
            )
    years = np.arange(int(table["year"].iloc[0]), int(table["year"].iloc[-1]) + 1)
    out = pd.DataFrame({"year": years})
    for column in ("fossil", "land_use"):
        out[column] = np.interp(years, table["year"], table[column])
    out.attrs = {"scenario": str(name), "net": net}
    return out


def gross_emissions(
    table: pd.DataFrame, *, rule: str = "floor", residual: float | None = None
) -> pd.DataFrame:
    """Return a path gross of removal, with the assumption behind it in ``attrs["assumption"]``.

    Parameters
    ----------
    table : DataFrame
        What `read_emissions` returned; a path that is gross already is returned unchanged.
    rule : {"floor", "as_given"}
    residual : float, optional
        Floor as a share of the first year's fossil emissions; default the library's row.

    Examples
    --------
    >>> import pandas as pd
    >>> net = pd.DataFrame({"year": [2025, 2050], "fossil_net_GtC_yr": [10.0, -2.0],
    ...     "land_use_net_GtC_yr": [1.0, -1.0]})
    >>> gross_emissions(read_emissions(net), residual=0.1).iloc[-1].to_dict()
    {'year': 2050.0, 'fossil': 1.0, 'land_use': 0.0}
    """
    if rule not in GROSS_RULES:
        raise InputError(Problem("unknown rule", got=rule, allowed=tuple(GROSS_RULES), key="gross"))
    if residual is None:
        share = load_carbon_cycle().value("emissions", "residual_share")
    else:
        share = check_number(residual, key="residual", least=0.0, most=1.0)
    out = table.copy()
    out.attrs = dict(table.attrs)
    if not table.attrs.get("net", False):
        out.attrs["assumption"] = "the path is given gross of removal"
        return out
    if rule == "floor":
        out["fossil"] = out["fossil"].clip(lower=share * float(out["fossil"].iloc[0]))
        out["land_use"] = out["land_use"].clip(lower=0.0)
        out.attrs["net"] = False
    out.attrs["assumption"] = GROSS_RULES[rule].format(share=share)
    return out


def extend_emissions(table: pd.DataFrame, until: int, *, rule: str = "none") -> pd.DataFrame:
    """Return a path that runs on to the year `until`, with the rule in ``attrs["extension"]``.

    Raises
    ------
    InputError
        Where the path ends earlier and the rule is ``"none"``.

    Examples
    --------
    >>> import pandas as pd
    >>> path = pd.DataFrame({"year": [2025, 2050], "fossil": [10.0, 0.0], "land_use": 1.0})
    >>> extend_emissions(read_emissions(path), 2060, rule="taper").iloc[-5]["land_use"]
    np.float64(0.4)
    """
    import pandas as pd

    if rule not in EXTENSIONS:
        raise InputError(Problem("unknown rule", got=rule, allowed=tuple(EXTENSIONS), key="extend"))
    last = int(table["year"].iloc[-1])
    out = table[table["year"] <= until]
    if until > last:
        if rule == "none":
            hint = "say extend='hold' or extend='taper'"
            raise InputError(
                Problem("the scenario ends before the outlook", got=last, allowed=f"{until}", hint=hint)
            )
        years = np.arange(last + 1, until + 1)
        share = np.ones(len(years)) if rule == "hold" else (until - years) / (until - last)
        end = table.iloc[-1]
        more = {"year": years, "fossil": end["fossil"] * share, "land_use": end["land_use"] * share}
        out = pd.concat([table, pd.DataFrame(more)], ignore_index=True)
    out = out.reset_index(drop=True)
    out.attrs = {**table.attrs, "extension": EXTENSIONS[rule].format(last=last, end=until)}
    return out
