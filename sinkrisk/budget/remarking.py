"""What to know about the rows of a budget: projections, definitions pooled, printed sds that look wrong."""

from __future__ import annotations

import pandas as pd

from sinkrisk.budget.shares import describe_shares

_DECADE = 10
_SHOWN = 3
"""Windows named in a note."""


def remarks(
    rows: pd.DataFrame,
    forecasts: pd.DataFrame,
    determined: tuple[str, ...],
    geography: str,
    shares: pd.DataFrame,
) -> list[str]:
    """Return what a reader must know of rows that are otherwise sound.

    Parameters
    ----------
    rows, forecasts : DataFrame
        Rows that enter, and projections kept for scoring.
    determined : tuple of str
        What closure alone determines.
    geography : str
    shares : DataFrame
        What `constant_shares` found.
    """
    notes = []
    projected = rows[rows["kind"] == "projection"]
    if len(projected):
        named = ", ".join(dict.fromkeys(projected["window"]))
        notes.append(f"projections enter with an extra sd: {len(projected)} rows in {named}")
    if len(forecasts):
        notes.append(f"{len(forecasts)} projections stay out of the likelihood, to be scored as forecasts")
    if determined:
        what = (
            f"the net contribution of {geography} to the air, not the growth of the whole atmosphere"
            if determined[0] == "atmosphere" and geography != "global"
            else ""
        )
        notes.append(
            f"determined by closure alone, no estimate in any year: {determined[0]}"
            + (f" ({what})" if what else "")
        )
    coarse = rows[rows["digit"] / 12.0**0.5 > 0.5 * rows["sd"]]
    for (component, digit), group in coarse.groupby(["component", "digit"], sort=False):
        windows = list(dict.fromkeys(group["window"]))
        more = f" and {len(windows) - _SHOWN} more" if len(windows) > _SHOWN else ""
        least = group["sd"].min()
        notes.append(
            f"{component} is printed to {digit:g} GtC/yr: rounding adds ±{digit / 12.0**0.5:.2g} to stated "
            f"sds down to ±{least:.2g} ({', '.join(windows[:_SHOWN])}{more}); write trailing noughts "
            "(10.0, not 10) or more digits if the values are known better"
        )
    if (rows["method"] == "attribution").any():
        notes.append("attribution rows were included: shares of emissions, not measurements")
    definitions = rows.groupby("component", sort=False)["definition"].unique()
    for component, texts in definitions.items():
        if len(texts) > 1:
            named = "; ".join(sorted(text or "(blank)" for text in texts))
            notes.append(f"{component} pools rows of different definitions: {named}")
    if "cement" not in set(rows["component"]):
        gross = rows[(rows["component"] == "fossil") & rows["definition"].str.startswith("without cement")]
        if len(gross):
            notes.append(
                "fossil emissions are stated without cement carbonation and no series of it is there"
            )
    air = rows[(rows["component"] == "atmosphere") & (rows["sd_basis"] == "stated")]
    decades, singles = air[air["end"] - air["start"] + 1 >= _DECADE], air[air["end"] == air["start"]]
    if len(decades) and len(singles) and decades["sd"].max() >= singles["sd"].min():
        named = ", ".join(decades.loc[decades["sd"] >= singles["sd"].min(), "window"])
        notes.append(
            f"atmosphere {named}: the sd of a decade is printed as large as that of a year; a concentration "
            "difference knows a decade ten times better, so it looks like a slip and is kept as printed"
        )
    if sentence := describe_shares(shares):
        notes.append(sentence)
    return notes
