"""The observation table read for a budget: every row checked, every problem reported at once.

What comes out holds only rows that enter the likelihood, in GtC/yr with a standard deviation each;
rows that stay out are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from sinkrisk.budget.arguments import MOST_LISTED, nearest_first
from sinkrisk.budget.balancing import find_misfits
from sinkrisk.budget.cells import check_years, credible, factor_of, value_and_sd_of, window_of
from sinkrisk.budget.checking import (
    ATTRIBUTION,
    KINDS,
    as_frame,
    as_numbers,
    check_components,
    check_methods,
    selected_windows,
)
from sinkrisk.budget.identity import DERIVED, REQUIRED, SIGNS, UNIT
from sinkrisk.budget.shares import constant_shares, describe_shares
from sinkrisk.budget.windows import overlapping, parse_window
from sinkrisk.errors import Problems


@dataclass(frozen=True)
class BudgetTable:
    """Checked rows, ready for a budget model.

    Parameters
    ----------
    rows : DataFrame
        One row per estimate that enters: row (line of the file, or place in the frame counted from
        1), component, window, start, end, value and sd (GtC/yr), method, estimate, kind, definition,
        source, locator.
    windows, components : tuple of str
        In the order of the output; components in the order of the identity.
    determined : dict of str to str
        Window -> component that no row estimates there, so that closure determines it.
    printed : dict of str to float
        Window -> imbalance printed in the table, GtC/yr.
    excluded : tuple of dict
        row, component, window, reason of every row that stays out.
    shares : DataFrame
        What `constant_shares` found.
    notes : tuple of str
        What a reader of the result must know.
    geography, file : str
    """

    rows: pd.DataFrame
    windows: tuple[str, ...]
    components: tuple[str, ...]
    determined: dict[str, str]
    printed: dict[str, float]
    excluded: tuple[dict[str, Any], ...]
    shares: pd.DataFrame
    notes: tuple[str, ...]
    geography: str
    file: str


def read_table(
    observations: object, *, attribution: str = "exclude", windows: Sequence[object] | None = None
) -> BudgetTable:
    """Check an observation table for use in a budget.

    Parameters
    ----------
    observations : DataFrame
        Rows of the observation schema.
    attribution : {"exclude", "include"}
        Whether rows of ``method=attribution`` enter.
    windows : sequence, optional
        Windows to keep, as labels, years or pairs of years.

    Raises
    ------
    InputError
        Everything wrong with the table, each problem with its row.

    Examples
    --------
    >>> from sinkrisk import load_observations
    >>> table = read_table(load_observations("global"), windows=["2014-2023"])
    >>> table.windows, len(table.rows), len(table.excluded)
    (('2014-2023',), 5, 51)
    """
    frame = as_frame(observations)
    file = str(frame.attrs.get("path") or "")
    found = Problems(file=file or None)
    if attribution not in ATTRIBUTION:
        found.add(
            "unknown treatment of attribution rows", got=attribution, allowed=ATTRIBUTION, key="attribution"
        )
    wanted = selected_windows(windows, found)
    frame = as_numbers(frame, found)
    check_components(frame, found)
    check_methods(frame, found)
    geographies = sorted(set(frame["geography"]))
    if len(geographies) > 1:
        found.add(
            "rows of several geographies in one budget",
            got=", ".join(name or "(blank)" for name in geographies),
            allowed="one geography",
            key="geography",
            hint="keep one, for example observations[observations.geography == 'global']",
        )
    entering, excluded, printed = _rows(frame, attribution, wanted, found)
    _repeats(entering, excluded, found)
    rows = pd.DataFrame([row for row in entering if not row["repeats"]])
    # A table that is wrong in its cells would only yield misleading complaints about its shares.
    shares = constant_shares(frame) if not found else constant_shares(frame.iloc[:0])
    entered = set(rows["window"]) if len(rows) else set()
    offered = {row["window"] for row in [*entering, *excluded] if row["window"] and row["component"] in SIGNS}
    for window in wanted or ():
        if window not in entered:
            allowed = nearest_first(window, sorted(offered - {window}, key=parse_window))
            found.add("no row enters in the selected window", got=window, allowed=allowed, key="windows")
    labels, determined = _identify(rows, shares, frame, found)
    found.raise_if_any()
    rows = rows.drop(columns="repeats").reset_index(drop=True)
    components = tuple(name for name in SIGNS if name in REQUIRED or (rows["component"] == name).any())
    return BudgetTable(
        rows=rows,
        windows=labels,
        components=components,
        determined=determined,
        printed={window: float(np.mean(values)) for window, values in printed.items() if window in labels},
        excluded=tuple(excluded),
        shares=shares,
        notes=_notes(rows, labels, determined, shares),
        geography=geographies[0],
        file=file,
    )


def _rows(
    frame: pd.DataFrame, attribution: str, wanted: tuple[str, ...] | None, found: Problems
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, list[float]]]:
    """Split the frame into rows that enter, rows that stay out, and printed imbalances."""
    entering: list[dict[str, Any]] = []
    excluded: list[dict[str, Any]] = []
    printed: dict[str, list[float]] = {}
    for record in cast("list[dict[str, Any]]", frame.to_dict("records")):
        line = int(record["row"])
        window = window_of(record, found)
        check_years(record, window, found)
        factor = factor_of(record, found)
        if record["kind"] not in ("", *KINDS):
            found.add("unknown kind", got=record["kind"], allowed=KINDS, row=line, key="kind")
        derived = record["component"] in DERIVED
        sound = credible(record, factor, found)
        reason = None
        if derived:
            reason = "derived from the other columns"
            if record["component"] == "imbalance" and window and factor and np.isfinite(record["value"]):
                printed.setdefault(window, []).append(record["value"] * factor)
        elif wanted is not None and window is not None and window not in wanted:
            reason = "window not selected"
        elif record["method"] == "attribution" and attribution != "include":
            reason = "method=attribution: a share of emissions, not a measurement"
        if reason is not None:
            excluded.append(
                {"row": line, "component": record["component"], "window": window or "", "reason": reason}
            )
            continue
        value, sd = value_and_sd_of(record, window, found) if sound else (None, None)
        if (
            window is None
            or factor is None
            or value is None
            or sd is None
            or record["component"] not in SIGNS
        ):
            # Already a problem; the row still counts as present, so that nothing is said to be missing.
            factor, value, sd = factor or 1.0, value or 0.0, sd or 1.0
        if window is not None:
            texts = {n: record[n] for n in ("method", "estimate", "definition", "source", "locator")}
            entering.append(
                {
                    "row": line,
                    "component": record["component"],
                    "window": window,
                    "start": int(record["start"]),
                    "end": int(record["end"]),
                    "value": value * factor,
                    "sd": sd * factor,
                    **texts,
                    "kind": record["kind"] or "observed",
                    "repeats": False,
                }
            )
    return entering, excluded, printed


def _repeats(entering: list[dict[str, Any]], excluded: list[dict[str, Any]], found: Problems) -> None:
    """Mark literal repetitions, and report rows that contradict an earlier one."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    names = ("component", "window", "method", "estimate", "definition", "source")
    for row in entering:
        first = seen.setdefault(tuple(row[name] for name in names), row)
        if first is row:
            continue
        if (first["value"], first["sd"]) == (row["value"], row["sd"]):
            row["repeats"] = True
            reason = f"repeats row {first['row']}; counted once"
            excluded.append(
                {"row": row["row"], "component": row["component"], "window": row["window"], "reason": reason}
            )
        else:
            found.add(
                f"contradicts row {first['row']} on {row['component']} {row['window']}",
                got=f"{row['value']:g} +- {row['sd']:g} against {first['value']:g} +- {first['sd']:g} {UNIT}",
                row=row["row"],
                key="value",
                hint="drop one, or name independent estimates apart in column 'estimate'",
            )


def _identify(
    rows: pd.DataFrame, shares: pd.DataFrame, frame: pd.DataFrame, found: Problems
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the window labels and what closure determines; report windows it cannot determine."""
    if rows.empty:
        if not found:
            found.add("no row enters the budget: all are derived, attributions or in windows not selected")
        return (), {}
    labels = tuple(dict.fromkeys(rows.sort_values(["end", "start"], kind="stable")["window"]))
    present = {window: set(group) for window, group in rows.groupby("window")["component"]}
    missing = {window: [c for c in REQUIRED if c not in present[window]] for window in labels}
    open_windows = [window for window in labels if len(missing[window]) > 1]
    if open_windows and not any(problem.key == "component" for problem in found.found):
        usable = [window for window in labels if window not in open_windows]
        attributed = set(frame.loc[frame["method"] == "attribution", "component"]) - set(rows["component"])
        hints = ["closure can supply one component per window: add estimates"]
        if usable:
            more = f" (and {len(usable) - MOST_LISTED} more)" if len(usable) > MOST_LISTED else ""
            hints.append(f"or select windows={usable[:MOST_LISTED]}{more}")
        if attributed:
            sentence = describe_shares(shares) or "they are shares of emissions"
            hints.append(
                "or take the attributed columns with attribution='include', on the command line "
                f"--attribution include, in a spec budget.attribution: include ({sentence})"
            )
        by_missing: dict[str, list[str]] = {}
        for window in open_windows:
            by_missing.setdefault(", ".join(missing[window]), []).append(window)
        for names, at in by_missing.items():
            found.add(
                f"no estimate of {names} in {', '.join(at)}: closure cannot tell them apart",
                hint=", ".join(hints),
            )
    return labels, {window: names[0] for window, names in missing.items() if len(names) == 1}


def _notes(
    rows: pd.DataFrame, labels: tuple[str, ...], determined: dict[str, str], shares: pd.DataFrame
) -> tuple[str, ...]:
    notes = [misfit.text for misfit in find_misfits(rows)]
    if pairs := overlapping(labels):
        named = ", ".join(f"{one} with {other}" for one, other in pairs)
        notes.append(f"windows that share years are treated as independent: {named}")
    projected = rows[rows["kind"] == "projection"]
    if len(projected):
        named = ", ".join(dict.fromkeys(projected["window"]))
        notes.append(f"projections enter with their stated sd: {len(projected)} rows in {named}")
    if determined:
        named = ", ".join(f"{component} in {window}" for window, component in determined.items())
        notes.append(f"determined by closure alone, no estimate: {named}")
    if (rows["method"] == "attribution").any():
        notes.append("attribution rows were included: shares of emissions, not measurements")
    for (component, window), group in rows.groupby(["component", "window"], sort=False):
        definitions = sorted(set(group["definition"]))
        if len(definitions) > 1:
            named = "; ".join(name or "(blank)" for name in definitions)
            notes.append(f"{component} {window} pools rows of different definitions: {named}")
    if sentence := describe_shares(shares):
        notes.append(sentence)
    return tuple(notes)
