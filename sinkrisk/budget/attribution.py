"""The imbalance explained: which component gives way, and by how much, for the budget to close."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.arguments import check_level
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.structure import FloatArray
from sinkrisk.budget.summarising import (
    INTERVAL_KIND,
    equal_tailed,
    exact_moments,
    normal_interval,
)
from sinkrisk.budget.trees import group
from sinkrisk.budget.weighing import Weighing, average_windows
from sinkrisk.budget.windows import DECADE, parse_window


def attribute_imbalance(tree: xr.DataTree, *, level: float = 0.9) -> pd.DataFrame:
    """Split the reported imbalance of every window into the adjustments that close the budget.

    The adjustment of a component is sign x (stated mean - flux), sign +1 for sources and -1 for
    sinks; a positive one says that the statement helps to make sources exceed sinks. In every draw
    the adjustments of a window sum to its reported imbalance, so their means do too: an identity.
    With independent errors the exact mean of an adjustment is the imbalance times sigma_c^2 / sum
    sigma^2, so this attribution restates the stated variances; `variance_share` stands beside it to
    show that.

    The models of years tell a statement's error from its rounding (and, of a projection, its extra
    error): there a component's adjustment is sign x error, and a row ``rounding`` holds the rest of
    all components. The model `open` adds a row ``missing``: minus the mean of the missing flux, a
    flux into the air that no source explains and that makes stated sinks exceed stated sources. With
    these rows the identity is reported imbalance = adjustments + rounding + missing. Neither has a
    stated variance, so their `variance_share` is 0.

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
        One row per window and component (then ``rounding`` and ``missing`` where the model has them):
        window, component, adjustment_mean, adjustment_low,
        adjustment_high (GtC/yr), adjustment_share (of the reported imbalance; NaN where that is
        zero), variance_share, reported_imbalance (sources minus sinks of the stated means),
        imbalance_sd (root of the summed variances), printed_imbalance (as in the table, NaN where
        not printed), rounding_difference (printed minus reported), basis ("closed form" where the
        model has one, else "draws"), interval_kind, interval_mass, unit.

    Raises
    ------
    InputError
        When `level` is not between 0 and 1.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> table = attribute_imbalance(tree).query("window == '2014-2023'").set_index("component")
    >>> table["adjustment_mean"].round(3).to_dict()
    {'fossil': -0.071, 'land_use': -0.14, 'atmosphere': -0.011, 'ocean': -0.046, 'land': -0.231}
    >>> float(table["adjustment_mean"].sum().round(3)), float(table["reported_imbalance"].iloc[0].round(3))
    (-0.5, -0.5)
    """
    check_level(level)
    given = group(tree, "constant_data")
    parts = draw_adjustments(tree)
    known = given["in_identity"].astype(bool)
    stated = given["stated"]
    variance = given["stated_sd"] ** 2
    # Windows whose every component of the identity was stated.
    complete = (known & np.isfinite(stated)).sum("component") == known.sum("component")
    reported = (given["sign"] * stated.where(known, 0.0)).sum("component")
    total = variance.where(known, 0.0).sum("component")
    exact = exact_moments(tree)
    # A residual below rounding of the stated values is no imbalance to take shares of.
    scale = 1e-12 * abs(stated).max("component")

    rows: list[dict[str, object]] = []
    for window in parts["window"].values:
        if not bool(complete.sel(window=window)):
            continue
        imbalance = float(reported.sel(window=window))
        share_of = imbalance if abs(imbalance) > float(scale.sel(window=window)) else np.nan
        printed = float(given["printed_imbalance"].sel(window=window))
        for part in parts["part"].values:
            at = {"component": part, "window": window}
            is_component = part not in (ROUNDING, MISSING)
            if is_component and not bool(known.sel(at)):
                continue
            if exact is not None:
                flux_mean, flux_sd = (float(moment.sel(at)) for moment in exact)
                mean = float(given["sign"].sel(component=part)) * (float(stated.sel(at)) - flux_mean)
                low, high = normal_interval(mean, flux_sd, level)
            else:
                draws = parts.sel(part=part, window=window).values
                mean = float(draws.mean())
                low, high = equal_tailed(draws, level)
            rows.append(
                {
                    "window": str(window),
                    "component": str(part),
                    "adjustment_mean": mean,
                    "adjustment_low": low,
                    "adjustment_high": high,
                    "adjustment_share": mean / share_of,
                    "variance_share": (
                        float(variance.sel(at) / total.sel(window=window)) if is_component else 0.0
                    ),
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
        str(w) for w in parts["window"].values if not bool(complete.sel(window=w))
    ]
    return table


def draw_adjustments(tree: xr.DataTree) -> xr.DataArray:
    """Return the parts of the reported imbalance in every draw.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.

    Returns
    -------
    DataArray
        (chain, draw, part, window), GtC/yr; `attribute_imbalance` defines the parts. They sum to
        the reported imbalance in every draw. NaN where a component is not stated or outside the
        window's identity, and for ``rounding`` and ``missing`` in windows in which any is unstated.
    """
    posterior, given = group(tree, "posterior"), group(tree, "constant_data")
    flux = posterior["window_flux"].transpose("chain", "draw", "component", "window")
    adjustment = given["sign"] * (given["stated"] - flux)
    adjustment = adjustment.where(given["in_identity"].astype(bool)).transpose(*flux.dims)
    whole = adjustment.rename(component="part").assign_attrs(units=UNIT).rename("adjustment")
    if "rounding" not in posterior:
        return whole
    weighing = Weighing(tree)
    error = posterior["error"].transpose("chain", "draw", "observation").values
    by_error = np.full(adjustment.shape, np.nan)
    for j, window in enumerate(adjustment["window"].values):
        for i, component in enumerate(adjustment["component"].values):
            weights = weighing.weights(str(component), *parse_window(str(window)))
            if weights is not None:
                by_error[:, :, i, j] = weighing.sign[str(component)] * (error @ weights)
    # What is left of a stated value without its flux and its error is its rounding, by definition.
    extra = {ROUNDING: (adjustment.values - by_error).sum(axis=2)}
    if "missing" in posterior:
        missing = posterior["missing"].transpose("chain", "draw", "year").values
        means = average_windows(missing, posterior["year"].values, given)
        extra[MISSING] = np.where(np.isfinite(extra[ROUNDING]), -means, np.nan)
    return xr.DataArray(
        np.concatenate([by_error, np.stack(list(extra.values()), axis=2)], axis=2),
        dims=whole.dims,
        coords={**whole.drop_vars("part").coords, "part": [*whole["part"].values, *extra]},
        name="adjustment",
        attrs={"units": UNIT},
    )


def source_pulls(tree: xr.DataTree) -> pd.DataFrame:
    """Tabulate how far the reconciled budget stays from every series, and how much narrower it is.

    The gap of an observation is its stated value minus the posterior mean of what it measures: the
    posterior mean of its error and rounding. A series with a positive gap says more than the budget
    concludes. `sinkrisk.budget.influence.trace_influence` says what the budget would be without it.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.

    Returns
    -------
    DataFrame
        One row per series: component, method, estimate, source, observations (their number),
        stated_sd (root mean square, GtC/yr), gap (mean over its observations, GtC/yr), gap_in_sds
        (mean of gap over stated sd), largest_window and largest_in_sds (the observation with the
        largest gap in sds), shrinkage (1 - summed posterior variance of what it measures over summed
        stated variance: 0 where the budget is as unsure as the source, near 1 where it knows far
        better, negative where it is less sure), unit.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> source_pulls(tree)[["component", "observations", "stated_sd"]].round(2).head(2)
      component  observations  stated_sd
    0    fossil             8       0.38
    1  land_use             8       0.70
    """
    posterior, observed = group(tree, "posterior"), group(tree, "observed_data")
    weighing = Weighing(tree)
    dims = ("chain", "draw", "observation")
    if "rounding" in posterior:
        gaps = (posterior["error"] + posterior["rounding"]).transpose(*dims).values
    else:
        flux = posterior["window_flux"].sel(
            component=xr.DataArray(weighing.component, dims="observation"),
            window=xr.DataArray(weighing.window, dims="observation"),
        )
        gaps = weighing.value - flux.transpose(*dims).values
    frame = pd.DataFrame(
        {
            "gap": gaps.mean(axis=(0, 1)),
            "variance": gaps.var(axis=(0, 1)),
            "sd": weighing.sd,
            "window": weighing.window,
            **{name: observed[f"observation_{name}"].values.astype(str) for name in _SERIES},
        }
    )
    frame["in_sds"] = frame["gap"] / frame["sd"]
    rows = []
    for _, series in frame.groupby(list(_SERIES), sort=False):
        largest = series.iloc[int(series["in_sds"].abs().to_numpy().argmax())]
        rows.append(
            {
                **{name: str(largest[name]) for name in _SERIES},
                "observations": len(series),
                "stated_sd": float(np.sqrt((series["sd"] ** 2).mean())),
                "gap": float(series["gap"].mean()),
                "gap_in_sds": float(series["in_sds"].mean()),
                "largest_window": str(largest["window"]),
                "largest_in_sds": float(largest["in_sds"]),
                "shrinkage": 1.0 - float(series["variance"].sum() / (series["sd"] ** 2).sum()),
                "unit": UNIT,
            }
        )
    return pd.DataFrame(rows)


_SERIES = ("component", "method", "estimate", "source")


def missing_and_biases(tree: xr.DataTree) -> tuple[FloatArray, FloatArray]:
    """Return the missing flux and the stated values' errors, each averaged over time, in every draw.

    Only their difference is observed: the mean reported imbalance is the summed errors of sources
    minus sinks (and rounding) less the missing flux. So they are confounded, whatever their priors.

    Parameters
    ----------
    tree : DataTree
        Of the model `open`.

    Returns
    -------
    tuple of ndarray, each shape (draw,)
        Mean missing flux into the air over all years, and the mean over the reported windows of ten
        years or more (of all, where there is none) of sign x error summed over components, GtC/yr; NaN
        where no window states every component.
    """
    given, parts = group(tree, "constant_data"), draw_adjustments(tree)
    complete = np.isfinite(parts.sel(part=MISSING).values).all(axis=(0, 1))
    long = complete & (given["end"].values - given["start"].values + 1 >= DECADE)
    biases = parts.sel(part=[str(c) for c in given["component"].values]).sum("part")
    missing = group(tree, "posterior")["missing"].transpose("chain", "draw", "year").values.mean(axis=-1)
    if not complete.any():
        return missing.ravel(), np.full(missing.size, np.nan)
    chosen = biases.values[..., long if long.any() else complete]
    return missing.ravel(), chosen.mean(axis=-1).ravel()


def describe_missing(tree: xr.DataTree, *, level: float = 0.9) -> str:
    """Return what the model `open` says of the flux the budget misses, and what it cannot say."""
    missing, biases = missing_and_biases(tree)
    low, high = equal_tailed(missing, level)
    said = (
        f"The flux the budget misses averages {missing.mean():+.2f} ({low:+.2f} to {high:+.2f}) {UNIT} into "
        "the air; "
    )
    if np.isnan(biases).any():
        return said + "no window states every component, so only its prior speaks of it."
    correlation = float(np.corrcoef(missing, biases)[0, 1])
    return said + (
        "its mean is confounded with the sum of the biases of the stated values, because only their "
        f"difference is observed (posterior correlation {correlation:+.2f})."
    )


ROUNDING, MISSING = "rounding", "missing"
"""Parts of an imbalance that belong to no component."""

COLUMNS: tuple[str, ...] = (
    "window", "component", "adjustment_mean", "adjustment_low", "adjustment_high", "adjustment_share",
    "variance_share", "reported_imbalance", "imbalance_sd", "printed_imbalance", "rounding_difference",
    "basis", "interval_kind", "interval_mass", "unit",
)  # fmt: skip
"""Columns of the attribution table."""
