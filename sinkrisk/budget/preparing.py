"""From an observation table to the checked rows of the annual models.

Unlike `reading`, which solves every window by itself, the annual models have a flux in every year: a
window needs no complete set of components, standard deviations nobody stated come from
``priors/budget.csv``, and individual estimates may stand in for the assessed series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sinkrisk.budget.balancing import find_misfits
from sinkrisk.budget.cells import check_years, credible, factor_of, last_digit, value_and_sd_of, window_of
from sinkrisk.budget.checking import (
    ATTRIBUTION,
    KINDS,
    as_frame,
    as_numbers,
    check_components,
    check_methods,
    records,
    selected_windows,
)
from sinkrisk.budget.choosing import SERIES_KEY, choose_geography, choose_series, entry, roles
from sinkrisk.budget.identity import DERIVED, REQUIRED, SIGNS
from sinkrisk.budget.remarking import remarks
from sinkrisk.budget.repeating import without_repeats
from sinkrisk.budget.shares import constant_shares, describe_shares
from sinkrisk.budget.signs import check_signs
from sinkrisk.budget.supplying import smooth_shares, supply_missing
from sinkrisk.errors import Problems
from sinkrisk.priors.tables import load_table

FULL_PRECISION = 1e-6
"""A last printed digit at or below this is no rounding worth modelling, GtC/yr."""

FEW_PRINTED = 3
"""Series of fewer printed numbers say too little of their last digit: one in ten ends in a nought."""

NO_VALUE = "no value: read as missing"
"""Why a row without a number stays out."""

COLUMNS: tuple[str, ...] = (
    "row", "component", "method", "estimate", "window", "start", "end", "value", "sd",
    "digit", "sd_basis", "role", "river", "net_of", "definition", "kind", "source", "locator",
)  # fmt: skip
"""Columns of `PreparedTable.rows`."""

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_TEXTS = ("method", "estimate", "definition", "source", "locator")


@dataclass(frozen=True)
class PreparedTable:
    """Checked rows, ready for an annual model.

    Parameters
    ----------
    rows : DataFrame
        One row per estimate that enters: row (line of the file, or place in the frame counted from
        1), component, method, estimate, window, start, end (years, inclusive), value and sd (GtC/yr),
        digit (unit of the last printed digit, GtC/yr; 0 at full precision), sd_basis (stated;
        interval; trend: the stated share of a smooth reference; prior: from ``priors/budget.csv``;
        reference: the component's assessed sd, scale of an individual estimate), role (assessed,
        member), river (adjusted, unadjusted, or blank), net_of (land_use where a land row states
        land minus land-use emissions, else blank), definition, kind, source, locator.
    windows, components : tuple of str
        In order of their last years; in the order of the identity.
    determined : tuple of str
        The component without any observation, which closure determines; empty or one.
    printed : dict of str to float
        Window -> imbalance printed in the table, GtC/yr.
    forecasts : DataFrame
        Projections too far beyond the last observed year to enter, columns as `rows`; for scoring.
    excluded : tuple of dict
        row, component, window, reason of everything that stays out; whole series in one entry.
    shares : DataFrame
        What `constant_shares` found.
    notes : tuple of str
        What a reader of the result must know.
    geography, file : str
    """

    rows: pd.DataFrame
    windows: tuple[str, ...]
    components: tuple[str, ...]
    determined: tuple[str, ...]
    printed: dict[str, float]
    forecasts: pd.DataFrame
    excluded: tuple[dict[str, Any], ...]
    shares: pd.DataFrame
    notes: tuple[str, ...]
    geography: str
    file: str

    @property
    def years(self) -> tuple[int, int]:
        """First and last year of any window."""
        return int(self.rows["start"].min()), int(self.rows["end"].max())


def prepare_rows(
    observations: object,
    *,
    attribution: str = "exclude",
    series: str | None = None,
    windows: Sequence[object] | None = None,
    geography: str | None = None,
) -> PreparedTable:
    """Check an observation table for use in an annual model.

    Parameters
    ----------
    observations : DataFrame
        Rows of the observation schema: a packaged table, a user's own, or a workbook.
    attribution : {"exclude", "include"}
        Whether rows of ``method=attribution`` enter.
    series : {"assessed", "members"}, optional
        Which enter where a table holds assessed series and the individual estimates they are made
        of. Left out, a workbook's assessed series enter and any other such table is refused. With
        ``"members"`` the estimates of ocean, land and land_use replace their assessed series, whose
        sd becomes their reference scale; the other components stay assessed.
    windows : sequence, optional
        Windows to keep, as labels, years or pairs of years.
    geography : str, optional
        Whose rows to keep; default ``observations.attrs["geography"]``, else the only one there is.

    Raises
    ------
    InputError
        Everything wrong with the table, each problem with its row.

    Examples
    --------
    >>> from sinkrisk.priors import load_observations
    >>> table = prepare_rows(load_observations("global"))
    >>> len(table.rows), table.determined, table.years
    (40, (), (1960, 2024))
    """
    frame = as_frame(observations)
    file = str(frame.attrs.get("path") or "")
    found = Problems(file=file or None)
    if attribution not in ATTRIBUTION:
        found.add(
            "unknown treatment of attribution rows", got=attribution, allowed=ATTRIBUTION, key="attribution"
        )
    # Windows that cannot be read are a problem already: the rows are still checked.
    wanted = selected_windows(windows, found) or None
    frame = as_numbers(frame, found)
    check_components(frame, found)
    check_methods(frame, found)
    # What a packaged view left out of other tables, see `statements`.
    left_out = frame.attrs.get("left_out", ())
    excluded = [dict(zip(("row", "component", "window", "reason"), line, strict=True)) for line in left_out]
    frame, place = choose_geography(frame, geography or frame.attrs.get("geography"), excluded, found)
    priors = load_table("budget")
    in_play, enters = choose_series(frame, series, excluded, found)
    rows, printed = _read(in_play, enters, attribution, wanted, excluded, found)
    rows, notes = _complete(rows, priors, excluded, found)
    if not found:
        check_signs(rows, place, found)
    for window in wanted or ():
        if rows.empty or window not in set(rows["window"]):
            found.add("no row enters in the selected window", got=window, key="windows")
    rows, forecasts = _split_forecasts(rows, priors, excluded)
    rows.attrs["geography"] = place
    shares = constant_shares(frame) if not found else constant_shares(frame.iloc[:0])
    determined = _coverage(rows, frame, excluded, shares, place, found)
    found.raise_if_any()
    components = tuple(name for name in SIGNS if name in REQUIRED or (rows["component"] == name).any())
    labels = tuple(dict.fromkeys(rows.sort_values(["end", "start"], kind="stable")["window"]))
    return PreparedTable(
        rows=rows,
        windows=labels,
        components=components,
        determined=determined,
        printed={window: float(np.mean(values)) for window, values in printed.items() if window in labels},
        forecasts=forecasts,
        excluded=tuple(excluded),
        shares=shares,
        notes=(
            *(misfit.text for misfit in find_misfits(rows)),
            *notes,
            *remarks(rows, forecasts, determined, place, shares),
        ),
        geography=place,
        file=file,
    )


def _read(
    frame: pd.DataFrame,
    enters: np.ndarray[Any, np.dtype[np.bool_]],
    attribution: str,
    wanted: tuple[str, ...] | None,
    excluded: list[dict[str, Any]],
    found: Problems,
) -> tuple[pd.DataFrame, dict[str, list[float]]]:
    """Read every row in play: value and sd in GtC/yr, sd NaN where a rule may supply it."""
    out: list[dict[str, Any]] = []
    printed: dict[str, list[float]] = {}
    for record, takes_part in zip(records(frame), enters, strict=True):
        line = int(record["row"])
        window = window_of(record, found)
        factor = factor_of(record, found)
        if record["kind"] not in ("", *KINDS):
            found.add("unknown kind", got=record["kind"], allowed=KINDS, row=line, key="kind")
        sound = credible(record, factor, found)
        check_years(record, window, found)
        reason = _reason(record, window, attribution, wanted)
        if record["component"] == "imbalance" and window and factor and np.isfinite(record["value"]):
            printed.setdefault(window, []).append(record["value"] * factor)
        if reason is not None:
            if takes_part:
                excluded.append(entry(record, window or "", reason))
            continue
        value, sd, basis = _numbers_of(record, window, found) if sound else (0.0, 1.0, "stated")
        if window is None or record["component"] not in SIGNS:
            continue
        # Without a unit it is a problem already; the row still counts, so that nothing is said to be missing.
        factor = factor or 1.0
        shown = ["value"] if np.isfinite(record["value"]) else ["low", "high"]
        out.append(
            {
                "row": line,
                "component": record["component"],
                "window": window,
                "start": int(record["start"]),
                "end": int(record["end"]),
                "value": value * factor,
                "sd": sd * factor,
                "sd_basis": basis,
                "factor": factor,
                "digits": [record[name] for name in shown],
                "printed_digits": [record[f"digit_{name}"] for name in shown],
                "stated_sd": record["sd"],
                "kind": record["kind"] or "observed",
                "sd_rule": str(record.get("sd_rule") or ""),
                "enters": bool(takes_part),
                **{name: record[name] for name in _TEXTS},
            }
        )
    return pd.DataFrame(out), printed


def _reason(
    record: dict[str, Any], window: str | None, attribution: str, wanted: tuple[str, ...] | None
) -> str | None:
    """Return why a row stays out, None where it enters."""
    if record["component"] in DERIVED or record["method"] == "derived":
        return "derived from the other columns"
    if wanted is not None and window is not None and window not in wanted:
        return "window not selected"
    if record["method"] == "attribution" and attribution != "include":
        return "method=attribution: a share of emissions, not a measurement"
    low, high = np.isfinite(record["low"]), np.isfinite(record["high"])
    if np.isnan(record["value"]) and not (low and high):
        if low or high:
            side = f"at least {record['low']:g}" if low else f"at most {record['high']:g}"
            return f"one-sided: {side} {record['unit']}"
        return NO_VALUE
    return None


def _numbers_of(record: dict[str, Any], window: str | None, found: Problems) -> tuple[float, float, str]:
    """Return value, sd and its basis in the row's unit; a problem leaves 0 and 1 in their place."""
    bounds = np.isfinite(record["low"]) and np.isfinite(record["high"])
    if np.isnan(record["sd"]) and not bounds:
        if not np.isfinite(record["value"]):
            value_and_sd_of(record, window, found)
            return 0.0, 1.0, "stated"
        return float(record["value"]), np.nan, ""
    value, sd = value_and_sd_of(record, window, found)
    if value is None or sd is None:
        return value or 0.0, 1.0, "stated"
    return value, sd, "interval" if np.isnan(record["sd"]) else "stated"


def _complete(
    rows: pd.DataFrame, priors: pd.DataFrame, excluded: list[dict[str, Any]], found: Problems
) -> tuple[pd.DataFrame, list[str]]:
    """Add digits, the missing standard deviations, roles and readings of the definition."""
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS), []
    rows["digit"], rows["sd_digit"] = _digits(rows)
    rows = without_repeats(rows, excluded, found)
    rows, notes = smooth_shares(rows)
    rows, more = supply_missing(rows, priors, found)
    rows = rows[rows["enters"]].reset_index(drop=True)
    rows["sd"] = rows["sd"].fillna(1.0)
    rows["role"] = roles(rows)
    rows["river"] = [_river(row["component"], row["definition"]) for row in records(rows)]
    net = (rows["component"] == "land") & rows["definition"].str.contains(
        "net of land-use change", regex=False
    )
    rows["net_of"] = np.where(net, "land_use", "")
    return rows[list(COLUMNS)], notes + more


def _digits(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return the unit of the last printed digit of every row's value and of its sd, GtC/yr, by series."""
    digit, sd_digit = np.zeros((2, len(rows)))
    factors, sds = rows["factor"].to_numpy(dtype=float), rows["stated_sd"].to_numpy(dtype=float)
    numbers, knowns = rows["digits"].tolist(), rows["printed_digits"].tolist()
    # Positions, not frames: a table of thousands of series of one row each spends its time on slices.
    for places in rows.groupby(SERIES_KEY, sort=False).indices.values():
        printed = np.array([number for place in places for number in numbers[place]], dtype=float)
        known = np.array([number for place in places for number in knowns[place]], dtype=float)
        stated = sds[places]
        stated = stated[np.isfinite(stated)]
        if np.isfinite(known).all():
            last = float(known.min())
        else:
            # Numbers do not remember a printed nought at their end (10.0); one or two of them that end
            # in noughts are no evidence of coarse printing where the sd is given more finely.
            last = last_digit(printed)
            if len(printed) < FEW_PRINTED and len(stated):
                last = min(last, last_digit(stated))
        own = last * factors[places]
        digit[places] = np.where(own > FULL_PRECISION, own, 0.0)
        sd_digit[places] = last_digit(stated) * factors[places]
    return digit, sd_digit


def _river(component: str, definition: str) -> str:
    if component != "ocean" or "adjusted for the river loop" not in definition:
        return ""
    return "unadjusted" if "not adjusted for the river loop" in definition else "adjusted"


def _split_forecasts(
    rows: pd.DataFrame, priors: pd.DataFrame, excluded: list[dict[str, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take projections far beyond the last observed year out of the likelihood."""
    horizon = float(priors.set_index("parameter")["a"]["projection_horizon"])
    projected = rows["kind"] == "projection"
    last = rows.loc[~projected, "end"].max() if (~projected).any() else np.inf
    far = projected & (rows["end"] > last + horizon)
    for row in records(rows[far]):
        reason = f"a projection {row['end'] - last:g} years beyond the last observed one: kept for scoring"
        excluded.append(entry(row, row["window"], reason))
    return rows[~far].reset_index(drop=True), rows[far].reset_index(drop=True)


def _coverage(
    rows: pd.DataFrame,
    frame: pd.DataFrame,
    excluded: list[dict[str, Any]],
    shares: pd.DataFrame,
    geography: str,
    found: Problems,
) -> tuple[str, ...]:
    """Return what closure must determine; report what it cannot, and carbonation counted twice."""
    if rows.empty:
        if not found:
            found.add("no row enters the budget: all are derived, attributions or in windows not selected")
        return ()
    present = set(rows["component"])
    missing = tuple(name for name in REQUIRED if name not in present)
    blank = [line for line in excluded if line["component"] in missing and line["reason"] == NO_VALUE]
    for name in dict.fromkeys(str(line["component"]) for line in blank):
        lines = [int(line["row"]) for line in blank if line["component"] == name]
        found.add(
            f"{name}: not one of its {len(lines)} rows has a value",
            got="empty",
            row=lines[0],
            key="value",
            hint="give the values; or drop the rows, for closure to determine the component on purpose",
        )
    if len(missing) > 1 and not any(problem.key in ("component", "geography") for problem in found.found):
        hints = ["closure can supply one component of the whole table: add estimates"]
        if geography == "china":
            hints.append(
                "or take budget.china_observations(), which adds what the review says of China elsewhere"
            )
        if present == {"ocean"}:
            hints.append("or take budget.ocean_observations(), which sets the statements beside Table 2")
        attributed = set(frame.loc[frame["method"] == "attribution", "component"]) - present
        if attributed & set(missing):
            sentence = describe_shares(shares) or "they are shares of emissions"
            hints.append(f"or take the attributed columns with attribution='include' ({sentence})")
        found.add(
            f"no estimate of {', '.join(missing)}: closure cannot tell them apart", hint="; ".join(hints)
        )
    fossil = rows[rows["component"] == "fossil"]
    net = fossil[fossil["definition"].str.startswith("net of cement carbonation")]
    if "cement" in present and len(net):
        found.add(
            "cement carbonation is counted twice: a cement series beside fossil emissions net of it",
            row=int(net["row"].iloc[0]),
            key="definition",
            hint="drop the cement rows, or state fossil emissions without cement carbonation",
        )
    return missing[:1] if len(missing) == 1 else ()
