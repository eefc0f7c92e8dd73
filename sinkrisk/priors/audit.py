"""The audit of the prior library: one check per rule, and the arithmetic of the review's tables.

Checks that must hold pass or fail; what the review prints is its own affair, so its arithmetic is
reported with ``passed=None`` and the numbers behind it.
"""

from __future__ import annotations

import math

import pandas as pd

from sinkrisk import files
from sinkrisk.errors import InputError
from sinkrisk.priors import contradictions, layouts, references, tables
from sinkrisk.results import Check

# What every creditable pathway needs, and what only those with some kind of store need.
_NEEDED = (
    "potential", "cost", "energy", "trl", "current_capacity", "growth_rate", "ecological_risk",
    "verification_delay",
)  # fmt: skip
_NEEDED_BY_STORE = {
    "biomass_soil": ("reversal_loss", "additionality", "saturation_years"),
    "biochar": ("reversal_loss", "fast_share", "fast_half_life"),
    "ocean": ("efficiency",),
}
_ROUNDING_SLACK = 1e-9


def check_priors() -> list[Check]:
    """Audit the library under ``priors/``.

    Returns
    -------
    list of Check
        First whether every table loads; where one does not, its problems and nothing further.
        Then sources, bibliography, ids, intervals, shares, completeness of the pathways, and,
        informing, the row arithmetic and the constant shares of the review's Tables 2 and 3, and
        every contradiction that `find_contradictions` computes.

    Examples
    --------
    >>> all(check.passed is not False for check in check_priors())
    True
    """
    try:
        everything = tables.load_everything()
    except InputError as error:
        return [Check("tables load", False, str(error))]
    rows = sum(len(table) for table in everything.values())
    return [
        Check("tables load", True, f"{len(everything)} tables with {rows} rows load without a problem"),
        _sources_resolve(everything),
        _keys_are_used(everything),
        _ids_are_unique(everything["claims"]),
        _intervals_are_ordered(everything),
        _shares_sum(everything["regions"]),
        _pathways_are_complete(everything),
        *(_arithmetic(name, everything[f"observations/{name}"]) for name in ("global", "china")),
        *(_constant_shares(name, everything[f"observations/{name}"]) for name in ("global", "china")),
        _contradictions(),
    ]


def _sources_resolve(everything: dict[str, pd.DataFrame]) -> Check:
    known = set(references.known_keys())
    bad: list[dict[str, str]] = []
    cited = 0
    for name, table in everything.items():
        if "source" not in table:
            continue
        notes = table["note"] if "note" in table else pd.Series("", index=table.index)
        for source, note in zip(table["source"], notes, strict=True):
            keys = references.split_keys(source)
            cited += 1
            unknown = [key for key in keys if key not in known]
            if not keys or unknown or (references.ASSUMPTION in keys and not note):
                bad.append({"table": name, "source": source, "note": note})
    text = f"{cited - len(bad)} of {cited} rows cite a known source, or are assumptions with a reason"
    return Check("sources resolve", not bad, text, pd.DataFrame(bad) if bad else None)


def _keys_are_used(everything: dict[str, pd.DataFrame]) -> Check:
    used: set[str] = set()
    for table in everything.values():
        if "source" in table:
            used.update(key for cell in table["source"] for key in references.split_keys(cell))
    entries = list(references.load_references())
    unused = [key for key in entries if key not in used]
    text = f"{len(entries) - len(unused)} of {len(entries)} entries of references.bib are cited"
    if unused:
        text += f"; never cited: {', '.join(unused)}"
    return Check("bibliography is used", not unused, text)


def _ids_are_unique(claims: pd.DataFrame) -> Check:
    double = sorted(set(claims.loc[claims["id"].duplicated(), "id"]))
    return Check("claim ids are unique", not double, f"{len(claims)} claims, {len(double)} ids given twice")


def _intervals_are_ordered(everything: dict[str, pd.DataFrame]) -> Check:
    bad, seen = 0, 0
    for table in everything.values():
        if {"low", "high"} <= set(table.columns):
            both = table[["low", "high"]].dropna()
            seen += len(both)
            bad += int((both["low"] > both["high"]).sum())
    return Check("intervals are ordered", bad == 0, f"{seen} intervals, {bad} with low above high")


def _shares_sum(regions: pd.DataFrame) -> Check:
    total = math.fsum(regions["surface_share"])
    close = abs(total - 1.0) <= layouts.EARTH_SURFACE_TOLERANCE
    text = f"surface shares of {len(regions)} regions sum to {total:.12g}; needed 1"
    return Check("regions partition the globe", close, text)


def _pathways_are_complete(everything: dict[str, pd.DataFrame]) -> Check:
    pathways, claims = everything["pathways"], everything["claims"]
    members = {
        row["group"]: references.split_keys(row["members"])
        for row in everything["pathway_groups"].to_dict("records")
    }
    missing: list[dict[str, str]] = []
    for row in pathways[pathways["creditable"]].to_dict("records"):
        pathway = row["pathway"]
        needed = [*_NEEDED, "leakage_rate" if row["store"] == "geological" else "half_life"]
        needed += _NEEDED_BY_STORE.get(str(row["store"]), ())
        if row["flow_class"] == "utilisation":
            needed.append("removal_share")
        speakers = {pathway, *(group for group, names in members.items() if pathway in names)}
        has = set(claims.loc[claims["pathway"].isin(speakers), "quantity"])
        missing += [{"pathway": pathway, "quantity": name} for name in needed if name not in has]
    count = int(pathways["creditable"].sum())
    text = f"{count} creditable pathways, {len(missing)} quantities without a claim"
    return Check("pathways are complete", not missing, text, pd.DataFrame(missing) if missing else None)


def _half_units(table: pd.DataFrame) -> pd.Series:
    """Return half a unit of the last digit printed, read from the decimals of the file."""
    cells = files.read_csv(table.attrs["path"], required=layouts.OBSERVATIONS.names)
    return pd.Series([0.5 * 10.0 ** -len(c.cells["value"].partition(".")[2]) for c in cells])


def _arithmetic(name: str, table: pd.DataFrame) -> Check:
    """Compare printed totals and imbalances with those recomputed from the printed columns."""
    wide = table.pivot(index=["start", "end"], columns="component", values="value")
    slack = table.assign(half=_half_units(table)).pivot(
        index=["start", "end"], columns="component", values="half"
    )
    total = wide["fossil"] + wide["land_use"]
    imbalance = wide["total_emissions"] - wide["atmosphere"] - wide["ocean"] - wide["land"]
    parts = {"total_emissions": ["fossil", "land_use"]}
    parts["imbalance"] = ["total_emissions", "atmosphere", "ocean", "land"]
    found = []
    for component, computed in (("total_emissions", total), ("imbalance", imbalance)):
        allowed = slack[[component, *parts[component]]].sum(axis=1)
        for window in wide.index:
            printed, recomputed = float(wide.loc[window, component]), float(computed.loc[window])
            found.append(
                {
                    "window": f"{window[0]}-{window[1]}" if window[0] != window[1] else f"{window[0]}",
                    "component": component,
                    "printed": printed,
                    "recomputed": round(recomputed, 10),
                    "difference": round(printed - recomputed, 10),
                    "rounding": float(allowed.loc[window]),
                    "within_rounding": abs(printed - recomputed)
                    <= float(allowed.loc[window]) + _ROUNDING_SLACK,
                    "unit": str(table["unit"].iloc[0]),
                }
            )
    result = pd.DataFrame(found)
    outside = int((~result["within_rounding"]).sum())
    exact = int((result["difference"].abs() < _ROUNDING_SLACK).sum())
    text = (
        f"{len(result)} printed sums recomputed: {exact} agree to the digit, "
        f"{len(result) - exact - outside} within rounding, {outside} beyond it"
    )
    return Check(f"row arithmetic of observations/{name}", None, text, result)


def _constant_shares(name: str, table: pd.DataFrame) -> Check:
    """Report sinks that are one constant share of emissions in every window: constructed columns.

    A share is constant where one number reproduces every printed value: where the intervals that
    the printed digits leave for the share have a point in common.
    """
    keys = ["start", "end"]
    wide = table.pivot(index=keys, columns="component", values="value")
    half = table.assign(half=_half_units(table)).pivot(index=keys, columns="component", values="half")
    emissions, blur = wide["fossil"] + wide["land_use"], half["fossil"] + half["land_use"]
    rows = []
    for sink in ("atmosphere", "ocean", "land"):
        shares = wide[sink] / emissions
        least = (wide[sink] - half[sink]) / (emissions + blur)
        most = (wide[sink] + half[sink]) / (emissions - blur)
        rows.append(
            {
                "component": sink,
                "median_share": float(shares.median()),
                "smallest": float(shares.min()),
                "largest": float(shares.max()),
                "constant": bool(least.max() <= most.min()),
            }
        )
    result = pd.DataFrame(rows)
    which = result.loc[result["constant"], "component"].tolist()
    text = (
        f"one share of emissions reproduces every printed window of {', '.join(which)}: "
        "an attribution, not a measurement"
        if which
        else "no sink is a constant share of emissions"
    )
    return Check(f"constant shares in observations/{name}", None, text, result)


def _contradictions() -> Check:
    """Report what the review says against itself; a contradiction of the review fails nothing."""
    table = contradictions.find_contradictions()
    rules = table["rule"].nunique()
    kinds = ", ".join(f"{count} {kind}" for kind, count in table["severity"].value_counts().items())
    text = (
        f"{len(table)} places where the review differs from itself or arithmetic ({kinds}), by {rules} rules"
    )
    return Check("contradictions of the review", None, text, table)
