"""From a checked table and plain arrays to the labelled groups of a budget tree.

Arrays of the numerics are (..., window, component); the groups carry (component, window).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from sinkrisk.budget import closed
from sinkrisk.budget.identity import SIGNS, UNIT
from sinkrisk.budget.reading import BudgetTable
from sinkrisk.budget.windows import parse_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_UNITS = {"units": UNIT}
_NONE = {"units": "1"}
_TEXTS = ("component", "window", "method", "estimate", "kind", "source", "locator")


class Statement(NamedTuple):
    """What a table states of every flux, estimates pooled; arrays (window, component).

    Parameters
    ----------
    mean : ndarray
        Inverse-variance pooled estimates, GtC/yr; 0 where nothing was stated.
    variance : ndarray
        Their variances, (GtC/yr)^2; infinite where nothing was stated.
    signs : ndarray
        +1 for sources, -1 for sinks, 0 where a component is outside the window's identity.
    """

    mean: Floats
    variance: Floats
    signs: Floats


def pool_rows(table: BudgetTable) -> Statement:
    """Pool the rows of a table per window and component."""
    shape = (len(table.windows), len(table.components))
    at_window, at_component = _places(table)
    mean, variance = closed.pool(
        table.rows["value"], table.rows["sd"], at_window * shape[1] + at_component, shape[0] * shape[1]
    )
    mean, variance = mean.reshape(shape), variance.reshape(shape)
    signs = np.tile([SIGNS[name] for name in table.components], (shape[0], 1))
    if "cement" in table.components:
        # Fossil emissions are net of cement carbonation wherever the table has no cement row.
        at = table.components.index("cement")
        absent = np.isinf(variance[:, at])
        signs[absent, at] = 0.0
        variance[absent, at] = 0.0
    return Statement(mean, variance, signs)


def posterior_group(table: BudgetTable, statement: Statement, flux: Floats) -> xr.Dataset:
    """Label draws of the fluxes, shape (chain, draw, window, component), and add the imbalance."""
    inside = statement.signs != 0.0
    complete = np.isfinite(statement.variance).all(axis=-1)
    # Summed per draw rather than copied from the table, so that it is a finding and not a label.
    adjustment = np.where(inside, (statement.mean - np.where(inside, flux, 0.0)) * statement.signs, 0.0)
    imbalance = np.where(complete, adjustment.sum(axis=-1), np.nan)
    return xr.Dataset(
        {
            "window_flux": (
                ("chain", "draw", "component", "window"),
                np.ascontiguousarray(flux.swapaxes(2, 3)),
                _UNITS,
            ),
            "imbalance": (("chain", "draw", "window"), imbalance, _UNITS),
        },
        coords={**_sampled(flux), **_labels(table)},
    )


def exact_group(table: BudgetTable, mean: Floats, covariance: Floats) -> xr.Dataset:
    """Label the exact mean (window, component) and covariance (window, component, component)."""
    return xr.Dataset(
        {
            "mean": (("component", "window"), mean.T, _UNITS),
            "covariance": (("window", "component", "component_other"), covariance, {"units": f"({UNIT})^2"}),
        },
        coords={**_labels(table), "component_other": list(table.components)},
    )


def observation_groups(
    table: BudgetTable, flux: Floats, generator: np.random.Generator
) -> dict[str, xr.Dataset]:
    """Return observed_data, posterior_predictive and log_likelihood, one value per row that enters."""
    at_window, at_component = _places(table)
    expected = flux[:, :, at_window, at_component]
    sd = table.rows["sd"].to_numpy(dtype=float)
    value = table.rows["value"].to_numpy(dtype=float)
    replicated = expected + sd * generator.standard_normal(expected.shape)
    log_density = -0.5 * ((value - expected) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    dims = ("chain", "draw", "observation")
    observed = _observation_coords(table)
    coords = {**_sampled(flux), **observed}
    return {
        "posterior_predictive": xr.Dataset({"value": (dims, replicated, _UNITS)}, coords=coords),
        "log_likelihood": xr.Dataset({"value": (dims, log_density, _NONE)}, coords=coords),
        "observed_data": xr.Dataset({"value": ("observation", value, _UNITS)}, coords=observed),
    }


def constant_group(table: BudgetTable, statement: Statement) -> xr.Dataset:
    """Label what the model was given: stated values, signs, windows and what was printed."""
    inside = statement.signs != 0.0
    seen = inside & np.isfinite(statement.variance)
    by_flux = ("component", "window")
    spans = [parse_window(window) for window in table.windows]
    printed = [table.printed.get(window, np.nan) for window in table.windows]
    found = table.shares.drop_duplicates("component").set_index("component")["share"].to_dict()
    shares = [float(found.get(name, np.nan)) for name in table.components]
    return xr.Dataset(
        {
            "sd": ("observation", table.rows["sd"].to_numpy(dtype=float), _UNITS),
            "stated": (by_flux, np.where(seen, statement.mean, np.nan).T, _UNITS),
            "stated_sd": (by_flux, np.sqrt(np.where(seen, statement.variance, np.nan)).T, _UNITS),
            "sign": ("component", [SIGNS[name] for name in table.components], _NONE),
            "in_identity": (by_flux, inside.T, _NONE),
            "printed_imbalance": ("window", printed, _UNITS),
            "start": ("window", [start for start, _ in spans], {"units": "year"}),
            "end": ("window", [end for _, end in spans], {"units": "year"}),
            "constant_share": ("component", shares, _NONE),
        },
        coords={**_labels(table), **_observation_coords(table)},
    )


def _places(table: BudgetTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the window and component index of every row."""
    window = {label: place for place, label in enumerate(table.windows)}
    component = {name: place for place, name in enumerate(table.components)}
    return (
        np.array([window[label] for label in table.rows["window"]], dtype=np.int64),
        np.array([component[name] for name in table.rows["component"]], dtype=np.int64),
    )


def _sampled(flux: Floats) -> dict[str, Any]:
    return {"chain": np.arange(flux.shape[0]), "draw": np.arange(flux.shape[1])}


def _labels(table: BudgetTable) -> dict[str, Any]:
    return {"component": list(table.components), "window": list(table.windows)}


def _observation_coords(table: BudgetTable) -> dict[str, Any]:
    rows = table.rows
    texts = {
        f"observation_{name}": ("observation", np.array([str(text) for text in rows[name]], dtype=object))
        for name in _TEXTS
    }
    row = ("observation", rows["row"].to_numpy())
    return {"observation": np.arange(len(rows)), "observation_row": row, **texts}
