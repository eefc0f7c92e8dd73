"""What was revised between two releases of the Global Carbon Budget."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk import units
from sinkrisk.errors import InputError, Problem
from sinkrisk.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

UNIT = "GtC/yr"
DECADE = 10
_ORDER = ("fossil", "land_use", "atmosphere", "ocean", "land", "cement", "imbalance")


def compare_releases(
    a: str | os.PathLike[str] | pd.DataFrame, b: str | os.PathLike[str] | pd.DataFrame
) -> Result:
    """Compare the assessed series of two releases over the years both have.

    Parameters
    ----------
    a, b : path or DataFrame
        Workbooks, or their observations; `b` is the later one, a revision is b minus a.

    Returns
    -------
    Result
        The table holds per component one row with ``scope="all years"`` (the means over all common
        years), one with ``"last decade"`` (over the last ten of them) and one per year
        (``scope="year"``): component, scope, start, end, a, b, revision, unit. The sentence names the
        largest revisions; ``provenance`` holds the releases, the root mean square and the largest
        annual revision per component, and the estimates that came and went.

    Raises
    ------
    InputError
        When a workbook cannot be read, or the two have no component or no year in common.
    """
    import pandas as pd

    first, second = _observations(a), _observations(b)
    names = (_name(first, "a"), _name(second, "b"))
    wide_a, wide_b = _assessed(first, "a"), _assessed(second, "b")
    components = [c for c in _ORDER if c in wide_a and c in wide_b]
    rows: list[dict[str, Any]] = []
    annual: dict[str, dict[str, Any]] = {}
    for component in components:
        both = pd.concat([wide_a[component].rename("a"), wide_b[component].rename("b")], axis=1).dropna()
        if both.empty:
            continue
        years = both.index.to_numpy()
        pairs = both.to_numpy(dtype=float)
        for scope, size in (("all years", len(years)), ("last decade", min(DECADE, len(years)))):
            means = pairs[-size:].mean(axis=0)
            rows.append(_row(component, scope, years[-size], years[-1], *means))
        rows.extend(
            _row(component, "year", year, year, *pair) for year, pair in zip(years, pairs, strict=True)
        )
        change = pairs[:, 1] - pairs[:, 0]
        largest = int(np.argmax(np.abs(change)))
        annual[component] = {
            "rms": float(np.sqrt(np.mean(change**2))),
            "largest": float(change[largest]),
            "largest_year": int(years[largest]),
        }
    if not rows:
        got = f"{sorted(wide_a.columns)} {_span(wide_a)} and {sorted(wide_b.columns)} {_span(wide_b)}"
        raise InputError(Problem("the two releases share no component and year", got=got))
    table = pd.DataFrame(rows)
    came, went = _estimates(second) - _estimates(first), _estimates(first) - _estimates(second)
    provenance = {
        "a": first.attrs.get("path", ""),
        "b": second.attrs.get("path", ""),
        "releases": names,
        "annual": annual,
        "estimates_added": sorted(":".join(e) for e in came),
        "estimates_removed": sorted(":".join(e) for e in went),
    }
    sentence = _sentence(table, annual, names, len(came), len(went))
    return Result("releases", table, sentence, lambda: _picture(table, names), provenance)


def _observations(source: str | os.PathLike[str] | pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source
    from sinkrisk.priors.tables import load_observations

    return load_observations(source)


def _name(table: pd.DataFrame, otherwise: str) -> str:
    assessed = table.loc[table["method"] == "assessment", "estimate"]
    return str(assessed.iloc[0]) if len(assessed) else otherwise


def _assessed(table: pd.DataFrame, which: str) -> pd.DataFrame:
    """Return the annual assessed series, and the imbalance: years by component, GtC/yr."""
    chosen = table[
        ((table["method"] == "assessment") | (table["component"] == "imbalance"))
        & (table["start"] == table["end"])
        & table["component"].isin(_ORDER)
    ]
    if chosen.empty:
        hint = "give a workbook, or the observations of one"
        raise InputError(Problem(f"{which} holds no annual assessed series", hint=hint))
    if chosen.duplicated(["component", "start"]).any():
        twice = chosen[chosen.duplicated(["component", "start"])].iloc[0]
        what = f"{which} holds two assessed values of one year"
        raise InputError(Problem(what, got=f"{twice['component']} {twice['start']}"))
    factors = np.array([units.factor(str(unit), UNIT) for unit in chosen["unit"]])
    chosen = chosen.assign(value=chosen["value"].to_numpy(dtype=float) * factors)
    return chosen.pivot(index="start", columns="component", values="value").sort_index()


def _row(component: str, scope: str, start: Any, end: Any, a: float, b: float) -> dict[str, Any]:
    return {
        "component": component,
        "scope": scope,
        "start": int(start),
        "end": int(end),
        "a": float(a),
        "b": float(b),
        "revision": float(b) - float(a),
        "unit": UNIT,
    }


def _span(wide: pd.DataFrame) -> str:
    return f"{wide.index[0]}-{wide.index[-1]}"


def _estimates(table: pd.DataFrame) -> set[tuple[str, str, str]]:
    rows = table[~table["method"].isin(["assessment", "derived"])]
    return set(zip(rows["component"], rows["method"], rows["estimate"], strict=True))


def _sentence(
    table: pd.DataFrame, annual: dict[str, dict[str, Any]], names: tuple[str, str], came: int, went: int
) -> str:
    whole = table[table["scope"] == "all years"].to_dict("records")
    decade = max(table[table["scope"] == "last decade"].to_dict("records"), key=lambda r: abs(r["revision"]))
    yearly = max(annual, key=lambda name: abs(annual[name]["largest"]))
    start, end = min(row["start"] for row in whole), max(row["end"] for row in whole)
    means = ", ".join(f"{row['component']} {row['revision']:+.3f}" for row in whole)
    return (
        f"From {names[0]} to {names[1]} the means over {start}-{end} were revised by {means} {UNIT}; over "
        f"{decade['start']}-{decade['end']} most in {decade['component']} ({decade['revision']:+.3f}), in a "
        f"single year most in {yearly} {annual[yearly]['largest_year']} ({annual[yearly]['largest']:+.3f}). "
        f"{came} individual estimates are new, {went} are gone."
    )


def _picture(table: pd.DataFrame, names: tuple[str, str]) -> Figure:
    from matplotlib.figure import Figure

    components = list(dict.fromkeys(table["component"]))
    figure = Figure(figsize=(8.0, 1.3 * len(components) + 0.8), layout="constrained")
    axes = figure.subplots(len(components), 1, sharex=True, squeeze=False)[:, 0]
    for axis, component in zip(axes, components, strict=True):
        rows = table[(table["component"] == component) & (table["scope"] == "year")]
        axis.bar(rows["start"], rows["revision"], width=0.9, color="#33608c")
        axis.axhline(0.0, color="black", linewidth=0.6)
        axis.set_ylabel(component.replace("_", " "))
    axes[0].set_title(f"Annual revisions from {names[0]} to {names[1]}, {UNIT}")
    axes[-1].set_xlabel("year")
    return figure
