"""What each series does to the reconciled budget: the change that leaving it out would make.

Given the parameters the fluxes are linear in the observations, so leaving a series S out needs no new
fit: with K the covariance of the observations and a = K^-1 (y - offset)::

    E[f | y] - E[f | y without S] = (cov(f, y) K^-1)[S] ((K^-1)[S, S])^-1 a[S]

averaged over posterior draws of the parameters, which stay those of all the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from sinkrisk.budget.arguments import check_count, require_fitted
from sinkrisk.budget.checking import selected_windows
from sinkrisk.budget.hierarchical import Fitted
from sinkrisk.budget.identity import SIGNS, UNIT
from sinkrisk.budget.structure import FloatArray, Structure, covariance
from sinkrisk.budget.windows import parse_window, reference_window
from sinkrisk.errors import InputError, Problem, Problems

_SERIES = ["component", "method", "estimate"]


def trace_influence(fitted: Fitted, *, windows: Sequence[str] | None = None, draws: int = 40) -> pd.DataFrame:
    """Return the pull of every series on every flux.

    Parameters
    ----------
    fitted : Fitted
        What `fit_annual` returned.
    windows : sequence of str, optional
        Labels of the windows whose fluxes are asked for; default the latest of at least ten years.
    draws : int
        Posterior draws of the parameters averaged over, spread evenly.

    Returns
    -------
    DataFrame
        One row per series, component and window: series_component, series_method, series_estimate,
        observations, component, window, pull (GtC/yr: posterior mean of the flux less what it would be
        without the series), mcse (standard error from the draws), draws, unit. The pulls of a series
        on the fluxes of a window close like the budget itself (with a missing flux, up to the pull on
        that).

    Raises
    ------
    InputError
        For a tree in place of a fit, a window outside the years, or a number of draws below 2.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> fitted = budget.fit(load_observations("global"), rng=1)  # doctest: +SKIP
    >>> trace_influence(fitted, windows=["2014-2023"])  # doctest: +SKIP
    """
    annual = require_fitted(fitted).annual
    structure, found = annual.structure, Problems()
    labels = list(selected_windows(windows, found) or [reference_window(fitted.prepared.windows)])
    found.raise_if_any()
    wanted = [(c, label) for label in labels for c in annual.components]
    _check(structure, labels, draws)
    whole = _with_fluxes(structure, [(c, *parse_window(label)) for c, label in wanted])
    count = len(structure.y)
    coefficients, correlations = fitted.coefficients
    chosen = np.unique(np.linspace(0, len(coefficients) - 1, draws).astype(int))
    names = annual.observations[_SERIES].astype(str).drop_duplicates().to_dict("records")
    number = annual.observations.groupby(_SERIES, sort=False).ngroup().to_numpy()
    series = [np.flatnonzero(number == j) for j in range(len(names))]
    pulls = np.empty((len(chosen), len(series), len(wanted)))
    for k, draw in enumerate(chosen):
        joint = covariance(whole, coefficients[draw], correlations[draw])
        inverse = np.linalg.inv(joint[:count, :count])
        solved = inverse @ structure.residual
        gain = joint[count:, :count] @ inverse
        for j, rows in enumerate(series):
            left_out = np.linalg.solve(inverse[np.ix_(rows, rows)], solved[rows])
            pulls[k, j] = gain[:, rows] @ left_out
    mean = pulls.mean(axis=0)
    error = pulls.std(axis=0, ddof=1) / np.sqrt(len(chosen))
    table = [
        {
            **{f"series_{column}": text for column, text in names[j].items()},
            "observations": len(rows),
            "component": component,
            "window": label,
            "pull": float(mean[j, i]),
            "mcse": float(error[j, i]),
            "draws": len(chosen),
            "unit": UNIT,
        }
        for j, rows in enumerate(series)
        for i, (component, label) in enumerate(wanted)
    ]
    return pd.DataFrame(table)


def _check(structure: Structure, labels: Sequence[str], draws: int) -> None:
    first, last = int(structure.years[0]), int(structure.years[-1])
    for label in labels:
        start, end = parse_window(label)
        if start < first or end > last:
            raise InputError(
                Problem("window outside the years of the budget", got=label, allowed=f"{first} to {last}")
            )
    check_count(draws, key="draws", least=2)


def _with_fluxes(structure: Structure, wanted: Sequence[tuple[str, int, int]]) -> Structure:
    """Return the structure with exact observations of window fluxes appended."""
    loads = []
    for component, _, _ in wanted:
        row = np.zeros(len(structure.processes))
        for p, process in enumerate(structure.processes):
            if component == "atmosphere" and process.role in ("flux", "missing"):
                # The atmosphere is what the others, and the missing flux, leave in the air.
                row[p] = SIGNS[process.component] if process.role == "flux" else 1.0
            elif process.role == "flux" and process.component == component:
                row[p] = 1.0
        loads.append(row)

    def extended(values: FloatArray) -> FloatArray:
        return np.append(values, np.zeros(len(wanted)))

    first = int(structure.years[0])
    return replace(
        structure,
        loading=np.vstack([structure.loading, np.array(loads)]),
        start=np.append(structure.start, [a - first for _, a, _ in wanted]),
        end=np.append(structure.end, [b - first for _, _, b in wanted]),
        y=extended(structure.y),
        offset=extended(structure.offset),
        noise_variance=extended(structure.noise_variance),
    )
