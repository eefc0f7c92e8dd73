"""Rows of an observation table that say a thing twice, and rows that contradict each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sinkrisk.budget.checking import records
from sinkrisk.budget.choosing import entry
from sinkrisk.budget.identity import UNIT
from sinkrisk.errors import Problems


def without_repeats(rows: pd.DataFrame, excluded: list[dict[str, Any]], found: Problems) -> pd.DataFrame:
    """Drop what is said twice; report rows that contradict an earlier one of the same estimate."""
    drop: dict[int, int] = {}
    exact = ["component", "window", "method", "estimate", "source"]
    keyed = rows[[*exact, "definition", "value", "sd", "row"]].fillna({"sd": -1.0})
    seen: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for place, row in enumerate(records(keyed)):
        earlier = seen.setdefault(tuple(row[name] for name in exact), [])
        for first in earlier:
            if (first["value"], first["sd"]) == (row["value"], row["sd"]):
                drop[place] = first["row"]
                break
            if first["definition"] == row["definition"]:
                found.add(
                    f"contradicts row {first['row']} on {row['component']} {row['window']}",
                    got=f"{_shown(row)} against {_shown(first)} {UNIT}",
                    row=row["row"],
                    key="value",
                    hint="drop one, or name independent estimates apart in column 'estimate'",
                )
                break
        earlier.append(row)
    drop.update(_repeated_series(rows, drop))
    lines = records(rows)
    for place, earliest in drop.items():
        record = lines[place]
        if record["enters"]:
            excluded.append(
                entry(record, record["window"], f"repeats row {earliest} of its source; counted once")
            )
    keep = np.ones(len(rows), dtype=bool)
    keep[list(drop)] = False
    return rows[keep].reset_index(drop=True)


def _repeated_series(rows: pd.DataFrame, dropped: dict[int, int]) -> dict[int, int]:
    """Return rows of series that only repeat another series of their source: place -> row repeated.

    A whole series must repeat, not a row of it: models rounded to a digit agree in some year by chance.
    """
    out: dict[int, int] = {}
    stated = rows[rows["sd"].notna() & ~rows.index.isin(list(dropped))]
    for _, group in stated.groupby(["component", "source", "method"], sort=False):
        if group["estimate"].nunique() < 2:
            continue
        held: dict[tuple[Any, ...], list[tuple[str, int]]] = {}
        sizes = group.groupby("estimate", sort=False).size().sort_values(ascending=False, kind="stable")
        for estimate in sizes.index:
            own = group[group["estimate"] == estimate]
            keys = list(zip(own["window"], own["value"], own["sd"], strict=True))
            common = set.intersection(*({name for name, _ in held.get(key, [])} for key in keys))
            if common:
                other = min(common)
                for place, key in zip(own.index, keys, strict=True):
                    out[int(place)] = next(row for name, row in held[key] if name == other)
            else:
                for key, row in zip(keys, own["row"], strict=True):
                    held.setdefault(key, []).append((str(estimate), int(row)))
    return out


def _shown(row: dict[str, Any]) -> str:
    return f"{row['value']:g}" + (f" +- {row['sd']:g}" if row["sd"] > 0 else "")
