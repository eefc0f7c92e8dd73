"""The gate between sampling and every table: convergence, mass balance, and what to know."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.identity import UNIT, closure_residual
from sinkrisk.budget.specification import CLOSURE_MAX, ESS_MIN, RHAT_MAX
from sinkrisk.budget.trees import group
from sinkrisk.errors import ConvergenceError
from sinkrisk.results import Check

TAILS = (0.05, 0.95)
"""Quantiles whose effective sample size is the tail ESS."""


def diagnose(
    tree: xr.DataTree,
    *,
    rhat_max: float = RHAT_MAX,
    ess_min: float = ESS_MIN,
    closure_max: float = CLOSURE_MAX,
) -> list[Check]:
    """Check a reconciled budget.

    R-hat is the rank-normalised split R-hat; ESS bulk and tail (quantiles .05 and .95) are counted
    over all chains (ArviZ). All three are taken over every component and window of the fluxes, and
    the worst is reported by name.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    rhat_max : float
        Largest accepted R-hat.
    ess_min : float
        Smallest accepted ESS.
    closure_max : float
        Largest accepted |sources - sinks| of a draw, GtC/yr.

    Returns
    -------
    list of Check
        finite, closure, rhat, ess_bulk, ess_tail, then informing checks (passed None): notes of the
        reading (overlapping windows, projections, constructed columns) and the rows left out.
    """
    flux = group(tree, "posterior")["window_flux"]
    given = group(tree, "constant_data")
    known = given["in_identity"].astype(bool)
    checks = [_finite(flux, known), _closure(flux, given["sign"] * known, closure_max)]
    if checks[0].passed:
        checks.extend(_convergence(flux, known, rhat_max, ess_min))
    for note in json.loads(tree.attrs.get("notes", "[]")):
        name = "constant_shares" if note.startswith("constructed") else "note"
        checks.append(Check(name, None, note[:1].upper() + note[1:] + "."))
    excluded = pd.DataFrame(json.loads(tree.attrs.get("excluded", "[]")))
    if len(excluded):
        counted = "; ".join(
            f"{count} {reason}" for reason, count in excluded["reason"].value_counts().items()
        )
        checks.append(Check("excluded_rows", None, f"{len(excluded)} rows stay out: {counted}.", excluded))
    return checks


def gate(checks: Sequence[Check], allow_unconverged: bool = False) -> tuple[Check, ...]:
    """Let nothing unconverged leave quietly.

    Parameters
    ----------
    checks : sequence of Check
        What `diagnose` returned.
    allow_unconverged : bool
        Return the failed checks instead of raising, for a banner on everything that follows.

    Returns
    -------
    tuple of Check
        The failed checks; empty when all passed.

    Raises
    ------
    ConvergenceError
        Naming each failed quantity with its figure and threshold.
    """
    failed = tuple(check for check in checks if check.passed is False)
    if failed and not allow_unconverged:
        raise ConvergenceError(
            "the budget must not be used: " + " ".join(f"[{check.name}] {check.text}" for check in failed)
        )
    return failed


def _finite(flux: xr.DataArray, known: xr.DataArray) -> Check:
    # Fluxes outside a window's identity are NaN on purpose.
    bad = (flux.isnull() | (abs(flux) == np.inf)).any(["chain", "draw"]) & known
    count = int(bad.sum())
    if not count:
        return Check("finite", True, f"All {int(known.sum())} window fluxes are finite in every draw.")
    return Check("finite", False, f"Not finite in some draw: {_named(bad)}.")


def _closure(flux: xr.DataArray, signs: xr.DataArray, closure_max: float) -> Check:
    values = flux.transpose("chain", "draw", "window", "component").values
    residual = np.abs(closure_residual(values, signs.transpose("window", "component").values))
    worst = float(residual.max())
    window = str(flux["window"].values[np.unravel_index(int(residual.argmax()), residual.shape)[-1]])
    return Check(
        "closure",
        # Written so that NaN fails.
        bool(worst <= closure_max),
        f"Largest |sources - sinks| of any draw is {worst:.1e} {UNIT} (in {window}); "
        f"allowed {closure_max:.1e}.",
    )


def _convergence(flux: xr.DataArray, known: xr.DataArray, rhat_max: float, ess_min: float) -> list[Check]:
    import arviz

    places = known.stack(place=("component", "window"))
    labels = [
        f"{c} {w}" for (c, w), inside in zip(places["place"].values, places.values, strict=True) if inside
    ]
    draws = (
        flux.stack(place=("component", "window"))
        .transpose("chain", "draw", "place")
        .values[:, :, places.values]
    )
    chains, count = draws.shape[:2]
    if chains < 2 or count < 4:
        text = f"R-hat and ESS need at least 2 chains of 4 draws; there are {chains} of {count}."
        return [Check(name, False, text) for name in ("rhat", "ess_bulk", "ess_tail")]
    # Plain arrays per quantity: ArviZ then neither guesses dimensions nor drops labels.
    data = xr.Dataset({"window_flux": (("chain", "draw", "place"), draws)})
    rhat = arviz.rhat(data, method="rank")["window_flux"].values
    bulk = arviz.ess(data, method="bulk")["window_flux"].values
    tail = arviz.ess(data, method="tail", prob=TAILS)["window_flux"].values
    table = pd.DataFrame({"quantity": labels, "rhat": rhat, "ess_bulk": bulk, "ess_tail": tail})
    checks = []
    for name, values, limit, worst in (
        ("rhat", rhat, rhat_max, int(np.argmax(rhat))),
        ("ess_bulk", bulk, ess_min, int(np.argmin(bulk))),
        ("ess_tail", tail, ess_min, int(np.argmin(tail))),
    ):
        figure = float(values[worst])
        passed = bool(figure <= limit) if name == "rhat" else bool(figure >= limit)
        at = f"(window_flux of {labels[worst]})"
        if name == "rhat":
            said = f"Largest R-hat is {figure:.4f} {at}; allowed {limit:g}."
        else:
            said = (
                f"Smallest {name[4:]} ESS is {figure:.0f} {at}; needed {limit:g}, "
                f"from {chains} chains of {count} draws."
            )
        checks.append(Check(name, passed, said, table))
    return checks


def _named(flags: xr.DataArray) -> str:
    return ", ".join(
        f"{component} {window}"
        for component in flags["component"].values
        for window in flags["window"].values
        if bool(flags.sel(component=component, window=window))
    )
