"""Everything a run keeps of a budget beside its draws, as tidy tables and informing checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sinkrisk.budget.attribution import attribute_imbalance
from sinkrisk.budget.predictive import check_predictive
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


def budget_tables(tree: xr.DataTree, *, level: float = 0.9) -> dict[str, pd.DataFrame]:
    """Return the tables of a run's budget stage by file name.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    dict of str to DataFrame
        budget.csv, attribution.csv, fluxes.csv and parameters.csv.
    """
    annual = "flux" in tree["posterior"]
    return {
        "budget.csv": summarise_budget(tree, level=level),
        "attribution.csv": attribute_imbalance(tree, level=level),
        "fluxes.csv": tabulate_fluxes(tree, level=level) if annual else pd.DataFrame(columns=FLUX_COLUMNS),
        "parameters.csv": (
            summarise_parameters(tree, level=level) if annual else pd.DataFrame(columns=PARAMETER_COLUMNS)
        ),
    }


def predictive_findings(tree: xr.DataTree) -> list[Check]:
    """Return the predictive checks as findings that inform and never refuse; none for the closed model.

    A model that would leave another imbalance than the one observed is a result to read, not a chain
    that failed.
    """
    if "flux" not in tree["posterior"]:
        return []
    told = {True: "holds", False: "does not hold", None: "informs"}
    return [
        Check(c.name, None, f"Predictive check {told[c.passed]}: {c.text}") for c in check_predictive(tree)
    ]
