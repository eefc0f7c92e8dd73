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
    labels, names = stated.index.tolist(), stated["estimate"].tolist()
    keys = list(zip(stated["window"], stated["value"], stated["sd"], strict=True))
    numbers = stated["row"].tolist()
    # Lists and positions: slicing a frame for each of thousands of series is what would cost.
    for places in stated.groupby(["component", "source", "method"], sort=False).indices.values():
        series: dict[str, list[int]] = {}
        for place in places:
            series.setdefault(names[place], []).append(int(place))
        if len(series) < 2:
            continue
        held: dict[tuple[Any, ...], dict[str, int]] = {}
        for estimate in sorted(series, key=lambda name: -len(series[name])):
            own = series[estimate]
            holders = sorted((held.get(keys[place], {}) for place in own), key=len)
            common = next((n for n in sorted(holders[0]) if all(n in others for others in holders)), None)
            if common is not None:
                out.update({int(labels[place]): held[keys[place]][common] for place in own})
            else:
                for place in own:
                    held.setdefault(keys[place], {}).setdefault(estimate, int(numbers[place]))
    return out


def _shown(row: dict[str, Any]) -> str:
    return f"{row['value']:g}" + (f" +- {row['sd']:g}" if row["sd"] > 0 else "")
