"""An observation table as a frame: its type, columns, numbers and components, before any row is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from sinkrisk.budget.arguments import nearest_first
from sinkrisk.budget.identity import DERIVED, SIGNS
from sinkrisk.budget.windows import parse_window, window_label
from sinkrisk.errors import InputError, Problem, Problems, did_you_mean
from sinkrisk.priors.layouts import METHODS, OBSERVATIONS

KINDS: tuple[str, ...] = ("observed", "projection")
"""Kinds of rows; a blank kind is read as observed."""

ATTRIBUTION: tuple[str, ...] = ("exclude", "include")
"""What may be done with rows of ``method=attribution``."""

_NEEDED = ("component", "start", "end", "unit")
_OURS = ("sd_rule",)
"""Columns that the packaged views of the library add to the schema."""

_NUMBERS = ("start", "end", "value", "sd", "low", "high", "interval")
_TEXTS = ("component", "geography", "method", "estimate", "unit", "definition", "kind", "source", "locator")


def as_frame(observations: object) -> pd.DataFrame:
    """Return a copy with every column of the schema, or raise what no row could mend."""
    if not isinstance(observations, pd.DataFrame):
        raise InputError(
            Problem(
                "observations must be a table",
                got=type(observations).__name__,
                allowed="a pandas DataFrame of the observation schema",
                hint="load one with sinkrisk.load_observations('global')",
            )
        )
    file = observations.attrs.get("path")
    found = Problems(file=str(file) if file else None)
    columns = [str(name) for name in observations.columns]
    bounds = {"low", "high", "interval"} <= set(columns)
    for name in _NEEDED:
        if name not in columns:
            found.add("missing column", got=", ".join(columns), key=name)
    for name in ("value", "sd"):
        if name not in columns and not bounds:
            found.add(
                "missing column",
                got=", ".join(columns),
                key=name,
                hint="give value and sd, or low, high and interval",
            )
    allowed = (*OBSERVATIONS.names, *_OURS)
    for name in dict.fromkeys(columns):
        if name not in allowed:
            hint = _meant(name, OBSERVATIONS.names)
            found.add(
                "unknown column", got=name, allowed=nearest_first(name, OBSERVATIONS.names), hint=hint or None
            )
        elif columns.count(name) > 1:
            found.add("column given twice", got=name, key=name)
    if len(observations) == 0:
        found.add("the table has no rows")
    found.raise_if_any()
    frame = observations.copy()
    # Errors name a line of the file: the header is line 1 and the reader numbers rows from 0.
    whole = file and pd.api.types.is_integer_dtype(frame.index.dtype)
    frame["row"] = frame.index.to_numpy() + 2 if whole else np.arange(1, len(frame) + 1)
    for name in _TEXTS:
        frame[name] = frame[name].fillna("").astype(str).str.strip() if name in frame else ""
    # Left out, geography is the globe, as the README and the reader of files have it.
    frame["geography"] = frame["geography"].replace("", "global")
    frame["method"] = frame["method"].replace("", "assessment")
    for name in _NUMBERS:
        if name not in frame:
            frame[name] = np.nan
    digits = observations.attrs.get("printed_digits", {})
    for name in ("value", "low", "high"):
        known = digits.get(name, {})
        frame[f"digit_{name}"] = [known.get(label, np.nan) for label in frame.index]
    return frame.reset_index(drop=True)


def selected_windows(windows: Sequence[object] | None, found: Problems) -> tuple[str, ...] | None:
    """Return the labels of the selected windows, None for all; what is no period goes to `found`."""
    if windows is None:
        return None
    if isinstance(windows, str) or not isinstance(windows, Sequence) or len(windows) == 0:
        found.add(
            "windows must be a list with at least one window",
            got=windows,
            allowed="['1960-1969', [2014, 2023], 2024]",
            key="windows",
        )
        return None
    labels = []
    for window in windows:
        if isinstance(window, Sequence) and not isinstance(window, str):
            # Years out of a frame or an array are numpy's integers.
            window = [int(year) if isinstance(year, np.integer) else year for year in window]
        try:
            labels.append(window_label(*parse_window(window)))
        except InputError as error:
            found.extend(error.problems)
    return tuple(labels)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def as_numbers(frame: pd.DataFrame, found: Problems) -> pd.DataFrame:
    """Return the frame with its number columns as floats; text among them goes to `found`."""
    for name in _NUMBERS:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype.kind in "bc":
            # A truth value or a complex number would pass for a number, a list stop pandas itself.
            column = column.astype(object)
            odd = np.array([not isinstance(cell, _CELLS) or isinstance(cell, _ODD) for cell in column])
            odd &= ~np.array([cell is None or cell is pd.NA for cell in column])
            for place in np.flatnonzero(odd):
                found.add("not a number", got=column.iloc[place], row=int(frame["row"].iloc[place]), key=name)
            column = column.mask(odd, np.nan)
        numeric = pd.to_numeric(column, errors="coerce").astype(float)
        blank = column.isna() | (column.astype(str).str.strip() == "")
        for place in np.flatnonzero((numeric.isna() & ~blank).to_numpy()):
            found.add("not a number", got=column.iloc[place], row=int(frame["row"].iloc[place]), key=name)
        frame[name] = numeric
    return frame


_CELLS = (str, int, float, np.integer, np.floating)
_ODD = (bool, np.bool_)


def check_methods(frame: pd.DataFrame, found: Problems) -> None:
    """Report each method nobody knows, once."""
    for name, rows in frame.groupby("method", sort=False)["row"]:
        if name not in METHODS:
            more = f"{len(rows)} rows have it" if len(rows) > 1 else ""
            found.add(
                "unknown method",
                got=str(name),
                allowed=nearest_first(name, METHODS),
                row=int(rows.iloc[0]),
                key="method",
                hint="; ".join(filter(None, [_meant(str(name), METHODS), more])) or None,
            )


def _meant(got: str, allowed: Sequence[str]) -> str:
    near = did_you_mean(got, allowed)
    return f"did you mean '{near}'?" if near is not None else ""


def check_components(frame: pd.DataFrame, found: Problems) -> None:
    """Report each component the budget does not know, once."""
    allowed = [*SIGNS, *DERIVED]
    for name, rows in frame.groupby("component", sort=False)["row"]:
        if name not in allowed:
            more = f"{len(rows)} rows have it" if len(rows) > 1 else None
            found.add(
                "unknown component",
                got=str(name),
                allowed=allowed,
                row=int(rows.iloc[0]),
                key="component",
                hint=more,
            )
