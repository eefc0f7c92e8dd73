"""Everything a run keeps of a budget beside its draws, as tidy tables and informing checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sinkrisk.budget.attribution import attribute_imbalance
from sinkrisk.budget.conflicts import check_conflicts
from sinkrisk.budget.predictive import check_predictive
from sinkrisk.budget.rates import RATE_COLUMNS, TREND_COLUMNS, all_trends, rate_table
from sinkrisk.budget.summarising import summarise_budget, summarise_parameters, tabulate_fluxes
from sinkrisk.results import Check

if TYPE_CHECKING:
    import xarray as xr

FLUX_COLUMNS = ("component", "year", "mean", "sd", "low", "high", "interval_kind", "interval_mass", "unit")
"""Columns of ``fluxes.csv``, which is empty for the closed model."""

PARAMETER_COLUMNS = (
    "parameter", "label", "prior_mean", "prior_sd", "prior_low", "prior_high", "mean", "sd", "low", "high",
    "sd_ratio", "shift", "prior_driven", "rhat", "ess_bulk", "ess_tail", "interval_kind", "interval_mass",
    "unit",
)  # fmt: skip
"""Columns of ``parameters.csv``, which is empty for the closed model."""


def budget_tables(
    tree: xr.DataTree, *, level: float = 0.9, compared: xr.DataTree | None = None
) -> dict[str, pd.DataFrame]:
    """Return the tables of a run's budget stage by file name.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    level : float
        Mass of the equal-tailed intervals.
    compared : DataTree, optional
        The same table reconciled with the other error structure, ``errors="iid"``: its rates and trends
        stand below. How sure a trend is depends on that structure more than on anything else.

    Returns
    -------
    dict of str to DataFrame
        budget.csv, attribution.csv, fluxes.csv, parameters.csv, sink_rates.csv and trends.csv; the last
        two with a column ``errors`` first, and empty for the closed model and for other geographies than
        the globe, whose excess CO2 they rest on.
    """
    annual = "flux" in tree["posterior"]
    return {
        "budget.csv": summarise_budget(tree, level=level),
        "attribution.csv": attribute_imbalance(tree, level=level),
        "fluxes.csv": tabulate_fluxes(tree, level=level) if annual else pd.DataFrame(columns=FLUX_COLUMNS),
        "parameters.csv": (
            summarise_parameters(tree, level=level) if annual else pd.DataFrame(columns=PARAMETER_COLUMNS)
        ),
        **_rates([tree] if compared is None else [tree, compared], level),
    }


def _rates(trees: list[xr.DataTree], level: float) -> dict[str, pd.DataFrame]:
    """Return the tables of rates and trends, one block of rows for each error structure."""
    found: dict[str, list[pd.DataFrame]] = {
        "sink_rates.csv": [pd.DataFrame(columns=["errors", *RATE_COLUMNS])],
        "trends.csv": [pd.DataFrame(columns=["errors", *TREND_COLUMNS])],
    }
    for tree in trees:
        posterior = tree["posterior"].to_dataset()
        if "flux" not in posterior or tree.attrs.get("geography", "") not in ("", "global"):
            continue
        flux = posterior["flux"]
        windows = [str(label) for label in posterior["window"].values]
        for name, table in (
            ("sink_rates.csv", rate_table(flux, windows, level=level)),
            ("trends.csv", all_trends(flux, level=level)),
        ):
            table.insert(0, "errors", str(tree.attrs.get("errors", "")))
            found[name].append(table)
    return {
        name: pd.concat(parts[1:], ignore_index=True) if parts[1:] else parts[0]
        for name, parts in found.items()
    }


def predictive_findings(tree: xr.DataTree, observations: object = None) -> list[Check]:
    """Return the predictive checks as findings that inform and never refuse; none for the closed model.

    A model that would leave another imbalance than the one observed is a result to read, not a chain
    that failed. Nor is a conflict between groups of rows: with `observations`, what the tree was
    reconciled from, `check_conflicts` stands last.
    """
    if "flux" not in tree["posterior"]:
        return []
    told = {True: "holds", False: "does not hold", None: "informs"}
    found = [
        Check(c.name, None, f"Predictive check {told[c.passed]}: {c.text}") for c in check_predictive(tree)
    ]
    return found if observations is None else [*found, check_conflicts(observations, tree, rng=1)]
