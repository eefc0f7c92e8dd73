"""From draws of an annual model to the labelled groups of a budget tree.

Draws come stacked, chain after chain; the tree has them as (chain, draw).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from sinkrisk.budget.annual import AnnualModel
from sinkrisk.budget.checking import selected_windows
from sinkrisk.budget.conditional import Conditional
from sinkrisk.budget.identity import SIGNS, UNIT
from sinkrisk.budget.preparing import PreparedTable
from sinkrisk.budget.sampling import Sampled
from sinkrisk.budget.structure import FloatArray
from sinkrisk.budget.windows import parse_window, window_label
from sinkrisk.errors import Problems

_UNITS = {"units": UNIT}
_NONE = {"units": "1"}
_TEXTS = ("component", "window", "method", "estimate", "net_of", "kind", "source", "locator")

MOST_WINDOWS = 40
"""Most windows of a table that are all reported; a longer table is reported by decades."""


def report_windows(
    prepared: PreparedTable, annual: AnnualModel, wanted: Sequence[object] | None
) -> tuple[str, ...]:
    """Return the windows to report: those asked for, those of the table, or decades of a long one."""
    first, last = int(annual.structure.years[0]), int(annual.structure.years[-1])
    if wanted is not None:
        return check_report_windows(prepared, wanted)
    if len(prepared.windows) <= MOST_WINDOWS:
        return prepared.windows
    decades = [(d, d + 9) for d in range(-(-first // 10) * 10, last - 8, 10)]
    recent = [(last - 9, last), (last, last)]
    return tuple(dict.fromkeys(window_label(*w) for w in [*decades, *recent]))


def check_report_windows(prepared: PreparedTable, windows: Sequence[object] | None) -> tuple[str, ...]:
    """Return the labels of the windows asked for.

    Raises
    ------
    InputError
        For everything that is no period, or lies outside the table's years.
    """
    found = Problems(file=prepared.file or None)
    first, last = prepared.years
    labels = selected_windows(windows, found) or ()
    for start, end in map(parse_window, labels):
        if not first <= start <= end <= last:
            found.add(
                "window outside the years of the table",
                got=window_label(start, end),
                allowed=f"{first} .. {last}",
                key="windows",
            )
    found.raise_if_any()
    return tuple(dict.fromkeys(labels))


def label_draws(
    prepared: PreparedTable,
    annual: AnnualModel,
    sampled: Sampled,
    conditional: Conditional,
    labels: tuple[str, ...],
    generator: np.random.Generator,
) -> xr.DataTree:
    """Return the tree of an annual model; `reconcile` documents its groups."""
    structure, components, years = annual.structure, annual.components, annual.structure.years
    first = next(iter(sampled.values.values()))
    chains, draws = first.shape[:2]
    flux = fluxes(annual, conditional)
    spans = [parse_window(label) for label in labels]
    means = np.stack([flux[:, :, (years >= a) & (years <= b)].mean(axis=2) for a, b in spans], axis=-1)
    given = _constant(prepared, annual, labels)
    sign = given["sign"].values[:, None]
    known = np.isfinite(given["stated"].values).all(axis=0)
    imbalance = np.where(known, ((given["stated"].values - means) * sign).sum(axis=1), np.nan)

    def shaped(values: FloatArray) -> FloatArray:
        return np.ascontiguousarray(values.reshape(chains, draws, *values.shape[1:]))

    variables: dict[str, Any] = {
        "window_flux": (("chain", "draw", "component", "window"), shaped(means), _UNITS),
        "flux": (("chain", "draw", "component", "year"), shaped(flux), _UNITS),
        "imbalance": (("chain", "draw", "window"), shaped(imbalance), _UNITS),
        "error": (("chain", "draw", "observation"), shaped(_errors(annual, conditional)), _UNITS),
        "rounding": (("chain", "draw", "observation"), shaped(conditional.noise), _UNITS),
    }
    if annual.model == "open":
        variables["missing"] = (("chain", "draw", "year"), shaped(_missing(annual, conditional)), _UNITS)
    coords: dict[str, Any] = {
        "chain": np.arange(chains),
        "draw": np.arange(draws),
        "component": list(components),
        "window": list(labels),
        "year": years,
        **_observation_coords(annual),
    }
    parameters, parameter_coords = _labelled(annual, sampled.values)
    prior_draws = annual.parameters.prior_draws(generator, (1, max(draws, 1000)))
    prior, prior_coords = _labelled(annual, prior_draws)
    rep = {"value": (("chain", "draw", "observation"), shaped(conditional.replicated), _UNITS)}
    replicated = _imbalance_errors(annual, conditional)
    rep["error_imbalance"] = (("chain", "draw", "year"), shaped(replicated), _UNITS)
    observed = _observation_coords(annual)
    sampled_coords = {"chain": coords["chain"], "draw": coords["draw"]}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({**variables, **parameters}, coords={**coords, **parameter_coords}),
            "prior": xr.Dataset(
                prior, coords={"chain": [0], "draw": np.arange(max(draws, 1000)), **prior_coords}
            ),
            "posterior_predictive": xr.Dataset(rep, coords={**sampled_coords, **observed, "year": years}),
            "sample_stats": sampled.stats.assign_coords(sampled_coords),
            "observed_data": xr.Dataset({"value": ("observation", structure.y, _UNITS)}, coords=observed),
            "constant_data": given,
        }
    )


def fluxes(annual: AnnualModel, conditional: Conditional) -> FloatArray:
    """Return the fluxes, shape (draw, component, year); the atmosphere is what closes the budget."""
    shape = next(iter(conditional.functions.values())).shape
    flux = {name: np.zeros(shape) for name in annual.components}
    for process in annual.structure.processes:
        if process.role == "flux":
            flux[process.component] = flux[process.component] + conditional.functions[process.name]
    air = sum(
        (SIGNS[name] * flux[name] for name in annual.components if name != "atmosphere"), np.zeros(shape)
    )
    flux["atmosphere"] = air + _missing(annual, conditional)
    return np.stack([flux[name] for name in annual.components], axis=1)


def _missing(annual: AnnualModel, conditional: Conditional) -> FloatArray:
    """Return the missing flux into the air, shape (draw, year); zero where the model has none."""
    shape = next(iter(conditional.functions.values())).shape
    parts = [conditional.functions[p.name] for p in annual.structure.processes if p.role == "missing"]
    return np.sum(parts, axis=0) if parts else np.zeros(shape)


def _errors(annual: AnnualModel, conditional: Conditional) -> FloatArray:
    """Return what each observation says beyond the flux and its rounding, shape (draw, observation)."""
    structure = annual.structure
    out = np.zeros(conditional.noise.shape)
    for index, process in enumerate(structure.processes):
        if process.role in ("flux", "missing"):
            continue
        sums = np.cumsum(np.pad(conditional.functions[process.name], ((0, 0), (1, 0))), axis=1)
        length = structure.end - structure.start + 1
        out += structure.loading[:, index] * (sums[:, structure.end + 1] - sums[:, structure.start]) / length
    return out + structure.offset


def _imbalance_errors(annual: AnnualModel, conditional: Conditional) -> FloatArray:
    """Return the imbalance that new errors of the assessed series give by year, shape (draw, year).

    One series per component: its first in the table. NaN where a component has no assessed series.
    """
    total = np.zeros(next(iter(conditional.functions.values())).shape)
    for component in annual.components:
        rows = annual.observations[
            (annual.observations["component"] == component) & (annual.observations["role"] != "member")
        ]
        if rows.empty:
            return np.full(total.shape, np.nan)
        chosen = int(rows.index[0])
        for index, process in enumerate(annual.structure.processes):
            seen = annual.structure.loading[chosen, index] != 0.0
            if process.role == "error" and process.component == component and seen:
                total = total + SIGNS[component] * conditional.replicated_errors[process.name]
    return total


def _labelled(annual: AnnualModel, values: Mapping[str, FloatArray]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters as labelled variables; shares are put together from their sticks."""
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    for p in annual.parameters.free:
        if p.name in ("share_bias", "share_ar_of_rest") and "share_bias" in values:
            continue
        variables[p.name] = (("chain", "draw", p.dim), values[p.name], {"units": p.unit})
        coords[p.dim] = list(p.labels)
    if "share_bias" in values and "share_ar_of_rest" in values:
        bias, ar = values["share_bias"], values["share_ar_of_rest"]
        stacked = np.stack([bias, (1 - bias) * ar, (1 - bias) * (1 - ar)], axis=-1)
        label = next(p for p in annual.parameters.free if p.name == "share_bias")
        variables["error_share"] = (("chain", "draw", label.dim, "share"), stacked, _NONE)
        coords[label.dim], coords["share"] = list(label.labels), ["bias", "ar", "white"]
    return variables, coords


def _constant(prepared: PreparedTable, annual: AnnualModel, labels: tuple[str, ...]) -> xr.Dataset:
    """Label what the model was given: stated values by component and window, signs and windows."""
    components = annual.components
    stated = np.full((len(components), len(labels)), np.nan)
    sd = np.full_like(stated, np.nan)
    for j, label in enumerate(labels):
        for i, component in enumerate(components):
            stated[i, j], sd[i, j] = _stated(annual, component, *parse_window(label))
    spans = [parse_window(label) for label in labels]
    shares = prepared.shares.drop_duplicates("component").set_index("component")["share"].to_dict()
    return xr.Dataset(
        {
            "sd": ("observation", annual.observations["sd"].to_numpy(dtype=float), _UNITS),
            "stated": (("component", "window"), stated, _UNITS),
            "stated_sd": (("component", "window"), sd, _UNITS),
            "sign": ("component", [SIGNS[name] for name in components], _NONE),
            "in_identity": (("component", "window"), np.ones_like(stated, dtype=bool), _NONE),
            "printed_imbalance": ("window", [prepared.printed.get(w, np.nan) for w in labels], _UNITS),
            "start": ("window", [a for a, _ in spans], {"units": "year"}),
            "end": ("window", [b for _, b in spans], {"units": "year"}),
            "constant_share": ("component", [float(shares.get(c, np.nan)) for c in components], _NONE),
        },
        coords={"component": list(components), "window": list(labels), **_observation_coords(annual)},
    )


def _stated(annual: AnnualModel, component: str, start: int, end: int) -> tuple[float, float]:
    """Return what the table states of a window: its own rows pooled, else the mean of all its years."""
    rows = annual.observations
    rows = rows[(rows["component"] == component) & (rows["net_of"] == "")]
    own = rows[(rows["start"] == start) & (rows["end"] == end)]
    if len(own):
        weight = 1.0 / own["sd"].to_numpy(dtype=float) ** 2
        value = float(weight @ own["value"].to_numpy(dtype=float) / weight.sum())
        return value, float(weight.sum() ** -0.5)
    inside = rows[(rows["start"] == rows["end"]) & (rows["start"] >= start) & (rows["end"] <= end)]
    by_year = inside.groupby("start")[["value", "sd"]].mean()
    if len(by_year) < end - start + 1:
        return np.nan, np.nan
    # Sources quote one sd for a decade and its years alike; the years' mean is what they would quote.
    return float(by_year["value"].mean()), float(by_year["sd"].mean())


def _observation_coords(annual: AnnualModel) -> dict[str, Any]:
    rows = annual.observations
    texts = {
        f"observation_{name}": ("observation", np.array([str(text) for text in rows[name]], dtype=object))
        for name in _TEXTS
    }
    return {
        "observation": np.arange(len(rows)),
        "observation_row": ("observation", rows["row"].to_numpy()),
        **texts,
    }
