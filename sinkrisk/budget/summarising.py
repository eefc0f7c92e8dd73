"""The budget as a table and as a sentence."""

from __future__ import annotations

import json
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.arguments import check_level
from sinkrisk.budget.convergence import rhat_and_ess
from sinkrisk.budget.identity import SIGNS, UNIT
from sinkrisk.budget.trees import get_flux, group, has_group
from sinkrisk.budget.windows import reference_window
from sinkrisk.errors import InputError, Problem
from sinkrisk.results import Result

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

INTERVAL_KIND = "equal-tailed"
"""Kind of every interval the budget reports."""


def equal_tailed(draws: ArrayLike, level: float) -> tuple[float, float]:
    """Return the equal-tailed interval of draws (linear interpolation between order statistics).

    Examples
    --------
    >>> equal_tailed(range(101), 0.5)
    (25.0, 75.0)
    """
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(np.asarray(draws, dtype=float), [tail, 1.0 - tail])
    return float(low), float(high)


def normal_interval(mean: float, sd: float, level: float) -> tuple[float, float]:
    """Return the equal-tailed interval of a normal distribution.

    Examples
    --------
    >>> low, high = normal_interval(0.0, 1.0, 0.9)
    >>> round(high, 4)
    1.6449
    """
    half = NormalDist().inv_cdf((1.0 + level) / 2.0) * sd
    return mean - half, mean + half


def exact_moments(tree: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray] | None:
    """Return mean and sd (component, window) of a model with a closed form, else None."""
    if not has_group(tree, "exact"):
        return None
    exact = group(tree, "exact")
    covariance = exact["covariance"]
    variance = xr.concat(
        [
            covariance.sel(component=name, component_other=name, drop=True)
            for name in exact["component"].values
        ],
        dim=exact["component"],
    )
    return exact["mean"], variance**0.5


def summarise_budget(tree: xr.DataTree, *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate stated and reconciled fluxes.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        One row per window and component of its identity: window, component, stated and stated_sd
        (inverse-variance pool of the estimates, NaN where closure alone determines the component),
        mean, sd, low, high, basis ("closed form" where the model has one, so that no Monte Carlo
        noise is printed, else "draws"), interval_kind, interval_mass, unit (GtC/yr).

    Raises
    ------
    InputError
        When `level` is not between 0 and 1.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> table = summarise_budget(tree, level=0.9).set_index(["window", "component"])
    >>> table.loc[("2014-2023", "ocean"), ["stated", "mean", "low", "high"]].astype(float).round(2).tolist()
    [2.9, 2.85, 2.23, 3.48]
    """
    check_level(level)
    flux = group(tree, "posterior")["window_flux"]
    given = group(tree, "constant_data")
    exact = exact_moments(tree)
    rows: list[dict[str, object]] = []
    for window in flux["window"].values:
        for component in flux["component"].values:
            at = {"component": component, "window": window}
            if not bool(given["in_identity"].sel(at)):
                continue
            if exact is not None:
                mean, sd = (float(moment.sel(at)) for moment in exact)
                low, high = normal_interval(mean, sd, level)
            else:
                draws = flux.sel(at).values
                mean, sd = float(draws.mean()), float(draws.std(ddof=1)) if draws.size > 1 else np.nan
                low, high = equal_tailed(draws, level)
            rows.append(
                {
                    "window": str(window),
                    "component": str(component),
                    "stated": float(given["stated"].sel(at)),
                    "stated_sd": float(given["stated_sd"].sel(at)),
                    "mean": mean,
                    "sd": sd,
                    "low": low,
                    "high": high,
                    "basis": "draws" if exact is None else "closed form",
                    "interval_kind": INTERVAL_KIND,
                    "interval_mass": level,
                    "unit": UNIT,
                }
            )
    return pd.DataFrame(rows)


def summarise_parameters(tree: xr.DataTree, *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate what the data say of every parameter beside its prior.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned, for a model with parameters.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        One row per parameter and entry: parameter, label, prior_mean, prior_sd, prior_low,
        prior_high, mean, sd, low, high, sd_ratio (posterior sd over prior sd), shift (posterior less
        prior mean, in prior sds), prior_driven (sd_ratio above .8 and abs(shift) below .5: the data
        hardly moved it), ess_bulk, ess_tail, rhat, interval_kind, interval_mass, unit.

    Raises
    ------
    InputError
        When `level` is not between 0 and 1, or the model has no parameters (closed).

    Examples
    --------
    Of the closed model, which has none:

    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> summarise_parameters(tree)
    Traceback (most recent call last):
    sinkrisk.errors.InputError: the model 'closed' has no parameters; ...
    """
    check_level(level)
    posterior = group(tree, "posterior")
    if not has_group(tree, "prior"):
        raise InputError(
            Problem(
                f"the model '{tree.attrs.get('model', 'closed')}' has no parameters",
                allowed="a tree of hierarchical, open or robust",
                hint="it takes the stated sds as they are",
            )
        )
    prior = group(tree, "prior")
    tables = []
    for name in prior.data_vars:
        after = posterior[name].transpose("chain", "draw", ...)
        before = prior[name].transpose("chain", "draw", *after.dims[2:])
        index = [after[dim].values.astype(str) for dim in after.dims[2:]]
        labels = [" ".join(entry) for entry in product(*index)]
        draws = after.values.reshape(*after.shape[:2], len(labels))
        columns: dict[str, object] = {"parameter": str(name), "label": labels}
        for prefix, values in (
            ("prior_", before.values.reshape(-1, len(labels))),
            ("", draws.reshape(-1, len(labels))),
        ):
            low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
            mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
            columns |= {prefix + "mean": mean, prefix + "sd": sd, prefix + "low": low, prefix + "high": high}
        table = pd.DataFrame(columns)
        table["sd_ratio"] = table["sd"] / table["prior_sd"]
        table["shift"] = (table["mean"] - table["prior_mean"]) / table["prior_sd"]
        table["prior_driven"] = (table["sd_ratio"] > UNMOVED_SD) & (table["shift"].abs() < UNMOVED_MEAN)
        table["rhat"], table["ess_bulk"], table["ess_tail"] = rhat_and_ess(draws)
        tables.append(
            table.assign(
                interval_kind=INTERVAL_KIND, interval_mass=level, unit=prior[name].attrs.get("units", "1")
            )
        )
    return pd.concat(tables, ignore_index=True)


UNMOVED_SD = 0.8
"""Posterior over prior sd above which a parameter counts as prior-driven: for a normal parameter the data
then weigh less than about half as much as the prior (1 / .8^2 - 1 = .56)."""

UNMOVED_MEAN = 0.5
"""Shift of the mean, in prior sds, below which it does."""


def tabulate_fluxes(tree: xr.DataTree, *, level: float = 0.9) -> pd.DataFrame:
    """Tabulate the reconciled flux of every component and year of a model of years.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    level : float
        Mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        component, year, mean, sd, low, high, interval_kind, interval_mass, unit (GtC/yr).

    Raises
    ------
    InputError
        When `level` is not between 0 and 1, or the model has no annual flux.

    Examples
    --------
    >>> import xarray as xr
    >>> flux = xr.DataArray([[[[2.9, 3.0]], [[3.1, 3.0]]]], dims=("chain", "draw", "component", "year"),
    ...     coords={"component": ["ocean"], "year": [2022, 2023]}, name="flux")
    >>> tree = xr.DataTree.from_dict({"posterior": flux.to_dataset()})
    >>> tabulate_fluxes(tree, level=0.5)[["year", "mean", "low", "high"]]
       year  mean   low  high
    0  2022   3.0  2.95  3.05
    1  2023   3.0  3.00  3.00
    """
    check_level(level)
    flux = get_flux(tree).stack(sample=("chain", "draw")).transpose("component", "year", "sample")
    values, tail = flux.values, (1.0 - level) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail], axis=-1)
    names, years = flux["component"].values.astype(str), flux["year"].values
    return pd.DataFrame(
        {
            "component": np.repeat(names, len(years)),
            "year": np.tile(years, len(names)),
            "mean": values.mean(axis=-1).ravel(),
            "sd": values.std(axis=-1, ddof=1).ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "interval_kind": INTERVAL_KIND,
            "interval_mass": level,
            "unit": UNIT,
        }
    )


def budget_result(tree: xr.DataTree, *, level: float = 0.9) -> Result:
    """Return the budget as a result: its table, a sentence to quote, and where it came from.

    The sentence speaks of the latest window of at least ten years; for the model `open` a second one
    speaks of the missing flux.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    level : float
        Mass of the equal-tailed intervals.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> print(budget_result(tree).sentence.partition(" and the land")[0])
    In 2014-2023 the closed budget puts the ocean sink at 2.85 (2.23 to 3.48)
    """
    # The attribution builds on this module's intervals, so it is imported here and not above.
    from sinkrisk.budget.attribution import attribute_imbalance, describe_missing

    table = summarise_budget(tree, level=level)
    window = reference_window(table["window"].unique())
    here = table[table["window"] == window].set_index("component")
    figures = here[["mean", "low", "high"]].astype(float)
    said = [
        "the {} sink at {:.2f} ({:.2f} to {:.2f})".format(name, *figures.loc[name])
        for name in ("ocean", "land")
    ]
    sentence = (
        f"In {window} the {tree.attrs['model']} budget puts {' and '.join(said)} {UNIT} "
        f"({100 * level:g} % {INTERVAL_KIND} intervals)"
    )
    attributed = attribute_imbalance(tree, level=level)
    shares = attributed[(attributed["window"] == window) & attributed["component"].isin(list(SIGNS))]
    # In the closed model the two orders agree; where all adjustments vanish the variance speaks.
    size = shares["adjustment_mean"].abs().round(9)
    shares = shares.assign(size=size).sort_values(["size", "variance_share"], ascending=False)
    if shares.empty:
        sentence += "; closure determines one component there, so no imbalance is reported."
    else:
        first = shares.iloc[0]
        sentence += (
            f"; the stated means leave {first['reported_imbalance']:+.2f} +- {first['imbalance_sd']:.2f} "
            f"{UNIT} unexplained, and {first['component']}, with {100 * first['variance_share']:.0f} % of "
            f"the stated variance, gives way the most ({first['adjustment_mean']:+.2f} {UNIT})."
        )
    if "missing" in group(tree, "posterior"):
        sentence += " " + describe_missing(tree, level=level)
    provenance = {name: tree.attrs[name] for name in PROVENANCE if name in tree.attrs}
    for name in ("notes", "excluded", "constant_shares"):
        if name in tree.attrs:
            provenance[name] = json.loads(tree.attrs[name])
    return Result(name="budget", table=table, sentence=sentence, provenance=provenance)


PROVENANCE: tuple[str, ...] = (
    "model", "model_description", "geography", "observations", "sources", "seed", "draws", "chains",
    "attribution", "prior", "sampling", "units",
)  # fmt: skip
"""Attributes of a budget tree that say where it came from."""
