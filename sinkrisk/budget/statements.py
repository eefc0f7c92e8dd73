"""Views of the library for a budget: a table joined by what the review says of its fluxes elsewhere.

``priors/budget_statements.csv`` names the statements of other tables that speak of a budget's flux, as
which component they enter, which are parts of one sum, and which stay out and why.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from sinkrisk.budget.checking import records
from sinkrisk.budget.windows import window_label
from sinkrisk.errors import InputError, Problem
from sinkrisk.priors.tables import OBSERVATION_TABLES, load_observations, load_table

BUDGETS: tuple[str, ...] = ("global", "china", "ocean")
"""Packaged tables a budget can be made of."""

_KEY = ["component", "geography", "estimate", "start"]
_RULE = "statement_sd"


def china_observations() -> pd.DataFrame:
    """Return Table 3 with the statements of sections 2 and 3 on China's land and seas.

    Returns
    -------
    DataFrame
        Rows of the observation schema, geography china, in the units stated, for `prepare_rows` and
        `reconcile`. Table 3's attributed columns are there with ``method=attribution``, so they stay
        out unless included. Land: the terrestrial uptake of section 2, the sum of Table 4's net sinks
        and the projection for 2060, all net of land-use change; seas: the two statements of section
        3.3.2 that contradict each other. ``attrs["left_out"]`` lists statements that stay out.

    Examples
    --------
    >>> table = china_observations()
    >>> rows = table[(table["component"] == "land") & (table["method"] != "attribution")]
    >>> rows[["estimate", "value", "unit"]].head(2).round(4)
                  estimate   value      unit
    44             Bao2023  1.3000  PgCO2/yr
    45  Ma2025 Table 4 sum  0.3066    PgC/yr
    """
    return _view("china", "china", ("china", "ocean"))


def ocean_observations() -> pd.DataFrame:
    """Return Table 2 with the net ocean sinks of sections 3.3.2 to 3.3.4.

    Returns
    -------
    DataFrame
        Rows of the observation schema, geography global, in the units stated, for `prepare_rows` and
        `reconcile`. ``attrs["left_out"]`` lists statements on the ocean that are other quantities.

    Examples
    --------
    >>> table = ocean_observations()
    >>> int((table["component"] == "ocean").sum())
    15
    """
    return _view("ocean", "global", ("global", "ocean"))


def budget_observations(name_or_path: str, model: str = "hierarchical") -> pd.DataFrame:
    """Load what a spec names for a budget model.

    Parameters
    ----------
    name_or_path : str
        "china" and "ocean" are the joined views for the models of years, and the plain tables for
        ``model="closed"``, which cannot read statements that fill no window; anything else is what
        `load_observations` gives.
    model : str
        One of the budget models.

    Examples
    --------
    >>> len(budget_observations("china", "closed")) < len(budget_observations("china"))
    True
    """
    if not isinstance(name_or_path, str | os.PathLike):
        load_observations(name_or_path)
    if name_or_path in OBSERVATION_TABLES and name_or_path not in BUDGETS:
        hint = (
            "budget.reconcile_ecosystems() reconciles these"
            if name_or_path == "ecosystems"
            else "it states no budget: load_observations gives its rows"
        )
        raise InputError(
            Problem(
                "no budget in this table", got=name_or_path, allowed=BUDGETS, key="observations", hint=hint
            )
        )
    if model != "closed" and name_or_path in ("china", "ocean"):
        return china_observations() if name_or_path == "china" else ocean_observations()
    return load_observations(name_or_path)


def _view(view: str, geography: str, tables: tuple[str, ...]) -> pd.DataFrame:
    parts = []
    for name in tables:
        table = load_observations(name)
        parts.append(table[table["geography"] == geography])
    chosen = load_table("budget_statements")
    chosen = chosen[chosen["view"] == view]
    left_out: list[tuple[int, str, str, str]] = []
    sums: dict[str, list[dict[str, Any]]] = {}
    for line in records(chosen):
        row = _find(line)
        if not line["as_component"]:
            window = window_label(int(row["start"]), int(row["end"]))
            left_out.append((0, line["component"], window, f"{line['estimate']}: {line['note']}"))
            continue
        row["component"], row["definition"] = line["as_component"], line["definition"]
        row["note"] = "; ".join(text for text in (row["note"], line["note"]) if text)
        sums.setdefault(line["combine"] or f"alone {len(sums)}", []).append(row)
    rows = [_sum(name, members) for name, members in sums.items()]
    joined = pd.concat(
        [*(part.reset_index(drop=True) for part in parts), pd.DataFrame(rows)], ignore_index=True
    )
    unstated = joined["sd"].isna() & (joined["low"].isna() | joined["high"].isna()) & joined["value"].notna()
    unstated &= ~joined["method"].isin(["derived", "attribution"])
    joined["sd_rule"] = np.where(unstated, _RULE, "")
    joined.attrs = {"geography": geography, "left_out": tuple(left_out)}
    return joined


def _find(line: dict[str, Any]) -> dict[str, Any]:
    table = load_observations(line["table"])
    at = np.ones(len(table), dtype=bool)
    for name in _KEY:
        at &= (table[name] == line[name]).to_numpy()
    if at.sum() != 1:
        named = ", ".join(str(line[name]) for name in _KEY)
        raise InputError(
            Problem(
                f"budget statements: {int(at.sum())} rows of observations/{line['table']} are meant",
                got=named,
                allowed="one",
                key="estimate",
            )
        )
    return records(table[at])[0]


def _sum(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return several parts as one row over all their years; one row as it is."""
    if len(rows) == 1:
        return rows[0]
    units = {row["unit"] for row in rows}
    if len(units) > 1:
        raise InputError(
            Problem("parts of one sum in several units", got=", ".join(sorted(units)), allowed="one")
        )
    total = {
        "value": float(sum(row["value"] for row in rows)),
        "start": min(row["start"] for row in rows),
        "end": max(row["end"] for row in rows),
        "method": "inventory",
        "estimate": name,
        "locator": "; ".join(row["locator"] for row in rows),
        "note": rows[0]["note"],
    }
    return {**rows[0], **total}
