"""Which rows of an observation table may stand together: one geography, and assessed or members.

An assessed series is made of its members, so the two together would count the same evidence twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.budget.checking import records
from sinkrisk.budget.supplying import MEMBER_METHODS
from sinkrisk.errors import Problems

SERIES: tuple[str, ...] = ("assessed", "members")
"""Which of the two enters where a table holds both."""

MEMBERS: dict[str, tuple[str, ...]] = {
    "ocean": ("gobm", "fco2"),
    "land": ("dgvm",),
    "land_use": ("bookkeeping",),
}
"""Component -> methods whose individual estimates can replace its assessed series."""

SERIES_KEY = ["component", "method", "source", "estimate"]
"""Columns that tell one series from another."""

_OUT = "a member of the assessed series of the same source, which stands for it"
_NOT_AVERAGED = "this component stays assessed: its members are not a panel that the assessment averages"
_DGVM_LAND_USE = (
    "land-use emissions of vegetation models count lost sink capacity too: not those of bookkeeping"
)


def choose_geography(
    frame: pd.DataFrame, wanted: str | None, excluded: list[dict[str, Any]], found: Problems
) -> tuple[pd.DataFrame, str]:
    """Return the rows of one geography and its name; `wanted` where there are several."""
    names = sorted(set(frame["geography"]))
    if wanted is None:
        if len(names) > 1:
            found.add(
                "rows of several geographies in one budget",
                got=", ".join(name or "(blank)" for name in names),
                allowed="one geography",
                key="geography",
                hint="keep one, for example observations[observations.geography == 'global']",
            )
        return frame, names[0]
    if wanted not in names:
        found.add("no row of that geography", got=wanted, allowed=names, key="geography")
        return frame, wanted
    other = frame["geography"] != wanted
    excluded.extend(
        entry(row, "", f"geography {row['geography'] or '(blank)'}, not {wanted}")
        for row in records(frame[other])
    )
    return frame[~other], wanted


def choose_series(
    frame: pd.DataFrame, series: str | None, excluded: list[dict[str, Any]], found: Problems
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return the rows in play and which of them enter; the others only lend their sd as a reference.

    `series` None takes the assessed series of a workbook and refuses the mixture of any other table.
    """
    if series is not None and series not in SERIES:
        found.add("unknown choice of series", got=series, allowed=SERIES, key="series")
        series = "assessed"
    is_member = frame["method"].isin(MEMBER_METHODS)
    panel = np.zeros(len(frame), dtype=bool)
    for name, methods in MEMBERS.items():
        panel |= ((frame["component"] == name) & frame["method"].isin(methods)).to_numpy()
    assessed = frame["method"] == "assessment"
    key = pd.MultiIndex.from_frame(frame[["component", "source"]])
    has_assessed = key.isin(key[assessed])
    inside = (is_member & has_assessed).to_numpy()
    if series is None and inside.any() and "release" not in frame.attrs:
        for (component, source), rows in frame[inside].groupby(["component", "source"], sort=False):
            found.add(
                f"an assessed series of {component} together with its members: the same evidence twice",
                got=", ".join(dict.fromkeys(rows["estimate"])),
                allowed=f"either, of one source ('{source}')",
                row=int(rows["row"].iloc[0]),
                key="method",
                hint="say series='assessed' or series='members'; "
                "or, if they are independent of it, name their sources apart in column 'source'",
            )
    reasons = np.full(len(frame), "", dtype=object)
    if series == "members":
        if not panel.any():
            found.add(
                "no individual estimates in the table",
                got="members",
                allowed="; ".join(f"{name}: {', '.join(methods)}" for name, methods in MEMBERS.items()),
                key="series",
            )
        reasons[assessed.to_numpy() & key.isin(key[panel])] = "replaced by its members (series='members')"
        reasons[inside & ~panel] = _NOT_AVERAGED
        reasons[inside & ((frame["component"] == "land_use") & (frame["method"] == "dgvm")).to_numpy()] = (
            _DGVM_LAND_USE
        )
    else:
        reasons[inside] = _OUT
    enters = reasons == ""
    for _, rows in frame[~enters].groupby(SERIES_KEY, sort=False):
        first = rows.iloc[0].to_dict()
        span = f"{int(rows['start'].min())}-{int(rows['end'].max())}"
        named = f"{len(rows)} rows of {first['method']} {first['estimate']}"
        excluded.append(entry(first, span, f"{named}: {reasons[frame.index.get_loc(rows.index[0])]}"))
    in_play = enters | (assessed & (reasons != "")).to_numpy()
    return frame[in_play], enters[in_play]


def bias_families(
    rows: pd.DataFrame, geography: str = ""
) -> list[tuple[tuple[str, tuple[str, ...]], pd.DataFrame]]:
    """Return which stated series share their bias: component, its methods, and their rows.

    All series of one method, and with a global assessment every estimate of which such an assessment is
    made (`MEMBERS`), whatever release or paper it comes from. The assessment comes first. Elsewhere than
    on the globe an assessment is one study's, not the mean of the others.

    Parameters
    ----------
    rows : DataFrame
        Prepared rows; individual estimates (role member) and the atmosphere have no such bias.
    geography : str
        Blank is taken for the globe.
    """
    stated = rows[(rows["role"] != "member") & (rows["component"] != "atmosphere")]
    out = []
    for component, group in stated.groupby("component", sort=False):
        methods = list(dict.fromkeys(group["method"]))
        inside: tuple[str, ...] = ()
        if "assessment" in methods and geography in ("", "global"):
            inside = tuple(m for m in methods if m in MEMBERS.get(str(component), ()))
        for method in methods:
            if method in inside:
                continue
            family = (method, *inside) if method == "assessment" else (method,)
            out.append(((str(component), family), group[group["method"].isin(family)]))
    return out


def entry(row: dict[str, Any], window: str, reason: str) -> dict[str, Any]:
    """Return one line of the list of what stays out."""
    return {"row": int(row["row"]), "component": row["component"], "window": window, "reason": reason}


def roles(rows: pd.DataFrame) -> NDArray[np.object_]:
    """Return ``assessed`` or ``member`` for every row.

    A member is an individual estimate without an sd of its own, and every other estimate of its method:
    their sizes are learnt from their spread, in units of the reference sd.
    """
    key = pd.MultiIndex.from_frame(rows[["component", "method"]])
    return np.where(key.isin(key[rows["sd_basis"] == "reference"]), "member", "assessed").astype(object)
