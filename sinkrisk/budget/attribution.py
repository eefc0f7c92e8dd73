"""The imbalance explained: which component gives way, and by how much, for the budget to close."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.summarising import (
    INTERVAL_KIND,
    check_level,
    equal_tailed,
    exact_moments,
    normal_interval,
)
from sinkrisk.budget.trees import group


def attribute_imbalance(tree: xr.DataTree, *, level: float = 0.9) -> pd.DataFrame:
    """Split the reported imbalance of every window into the adjustments that close the budget.

    The adjustment of a component is sign x (stated mean - flux), sign +1 for sources and -1 for
    sinks; a positive one says that the statement helps to make sources exceed sinks. In every draw
    the adjustments of a window sum to its reported imbalance, so their means do too: an identity.
    With independent errors the exact mean of an adjustment is the imbalance times sigma_c^2 / sum
    sigma^2, so this attribution restates the stated variances; `variance_share` stands beside it to
    show that.

    Windows in which a component was not stated have no reported imbalance; they are left out and
    named in ``attrs["not_attributed"]``.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        One row per window and component: window, component, adjustment_mean, adjustment_low,
        adjustment_high (GtC/yr), adjustment_share (of the reported imbalance; NaN where that is
        zero), variance_share, reported_imbalance (sources minus sinks of the stated means),
        imbalance_sd (root of the summed variances), printed_imbalance (as in the table, NaN where
        not printed), rounding_difference (printed minus reported), basis ("closed form" where the
        model has one, else "draws"), interval_kind, interval_mass, unit.

    Raises
    ------
    InputError
        When `level` is not between 0 and 1.
    """
    check_level(level)
    flux = group(tree, "posterior")["window_flux"]
    given = group(tree, "constant_data")
    known = given["in_identity"].astype(bool)
    stated = given["stated"]
    variance = given["stated_sd"] ** 2
    # Windows whose every component of the identity was stated.
    complete = (known & np.isfinite(stated)).sum("component") == known.sum("component")
    adjustment = given["sign"] * (stated - flux)
    reported = (given["sign"] * stated.where(known, 0.0)).sum("component")
    total = variance.where(known, 0.0).sum("component")
    exact = exact_moments(tree)
    # A residual below rounding of the stated values is no imbalance to take shares of.
    scale = 1e-12 * abs(stated).max("component")

    rows: list[dict[str, object]] = []
    for window in flux["window"].values:
        if not bool(complete.sel(window=window)):
            continue
        imbalance = float(reported.sel(window=window))
        share_of = imbalance if abs(imbalance) > float(scale.sel(window=window)) else np.nan
        printed = float(given["printed_imbalance"].sel(window=window))
        for component in flux["component"].values:
            at = {"component": component, "window": window}
            if not bool(known.sel(at)):
                continue
            if exact is not None:
                flux_mean, flux_sd = (float(moment.sel(at)) for moment in exact)
                mean = float(given["sign"].sel(component=component)) * (float(stated.sel(at)) - flux_mean)
                low, high = normal_interval(mean, flux_sd, level)
            else:
                draws = adjustment.sel(at).values
                mean = float(draws.mean())
                low, high = equal_tailed(draws, level)
            rows.append(
                {
                    "window": str(window),
                    "component": str(component),
                    "adjustment_mean": mean,
                    "adjustment_low": low,
                    "adjustment_high": high,
                    "adjustment_share": mean / share_of,
                    "variance_share": float(variance.sel(at) / total.sel(window=window)),
                    "reported_imbalance": imbalance,
                    "imbalance_sd": float(np.sqrt(total.sel(window=window))),
                    "printed_imbalance": printed,
                    "rounding_difference": printed - imbalance,
                    "basis": "draws" if exact is None else "closed form",
                    "interval_kind": INTERVAL_KIND,
                    "interval_mass": level,
                    "unit": UNIT,
                }
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["not_attributed"] = [
        str(w) for w in flux["window"].values if not bool(complete.sel(window=w))
    ]
    return table


COLUMNS: tuple[str, ...] = (
    "window", "component", "adjustment_mean", "adjustment_low", "adjustment_high", "adjustment_share",
    "variance_share", "reported_imbalance", "imbalance_sd", "printed_imbalance", "rounding_difference",
    "basis", "interval_kind", "interval_mass", "unit",
)  # fmt: skip
"""Columns of the attribution table."""
