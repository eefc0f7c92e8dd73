"""Simulated observation tables: what a budget's sources would have printed, were a stated truth true.

The table keeps the windows, methods and standard deviations of a template. Errors come from the annual
models, so they live on years: a window's error is the mean of its years' errors, the atmosphere is
measured by differences of concentration, estimates of a method share its bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk import rng as random
from sinkrisk.budget.annual import AnnualModel
from sinkrisk.budget.arguments import check_number
from sinkrisk.budget.conditional import observe, prior_values
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.identity import DERIVED, SIGNS, UNIT
from sinkrisk.budget.modelling import Likelihood
from sinkrisk.budget.panels import Panel
from sinkrisk.budget.preparing import PreparedTable
from sinkrisk.budget.structure import FloatArray, values_on_years
from sinkrisk.errors import InputError, Problem, Problems

CLOSURE_MAX = 1e-6
"""Largest |sources - sinks| of a stated truth, GtC/yr."""


@dataclass(frozen=True)
class PriorDraws:
    """Draws from the prior of a model: the truth, and the data it gives.

    Parameters
    ----------
    parameters : dict of str to ndarray, shape (draw, label)
    values : list of ndarray, shape (draw, length)
        Random values of every process of the structure.
    residuals : ndarray, shape (draw, observation)
        Observations less their fixed offsets.
    """

    parameters: dict[str, FloatArray]
    values: list[FloatArray]
    residuals: FloatArray


def draw_prior(
    likelihood: Likelihood,
    draws: int,
    generator: np.random.Generator,
    *,
    parameters: Mapping[str, Any] | None = None,
) -> PriorDraws:
    """Draw parameters, processes and observations of an annual model from its prior.

    Parameters
    ----------
    likelihood : Likelihood
    draws : int
    generator : Generator
    parameters : mapping, optional
        Free parameters that are held: name -> number, or one per label.
    """
    structure, known = likelihood.annual.structure, likelihood.annual.parameters
    theta = known.prior_draws(generator, (draws,))
    theta |= _held(known.free, parameters, (draws,))
    coefficients, correlations = known.evaluate(theta)
    values = prior_values(structure, coefficients, correlations, generator)
    noise = np.sqrt(structure.noise_variance) * generator.standard_normal((draws, len(structure.y)))
    return PriorDraws(theta, values, observe(structure, values) + noise)


def simulate_observations(
    truth: Mapping[str, Any] | xr.Dataset | str,
    template: pd.DataFrame,
    *,
    rng: random.RandomSource = None,
    model: str = "hierarchical",
    errors: str = "shares",
    series: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    shifts: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """Simulate the observation table that a stated truth would have given.

    Parameters
    ----------
    truth : mapping, Dataset or "prior"
        Component -> annual flux: a Series indexed by year, a mapping year -> GtC/yr or a DataArray with
        a coordinate ``year``, over all years of the template. The atmosphere may be left out; where it is
        given the budget must close (model `open` apart). ``"prior"`` draws fluxes and parameters from
        the priors: levels are then anywhere between -20 and 20, and a table whose signs look mirrored
        is refused by `reconcile`.
    template : DataFrame
        Rows of the observation schema; windows, methods, sds, digits and who enters are taken from it.
    rng : int, Generator or None
    model, errors, series
        As of `reconcile`: whose errors are simulated, for which rows.
    parameters : mapping, optional
        Parameters of the errors, such as ``{"error_scale": 1.0}``; the others take their prior medians
        (for ``"prior"``, a draw).
    shifts : mapping, optional
        A planted conflict: (component, method) -> GtC/yr added to all its rows.

    Returns
    -------
    DataFrame
        Rows of the observation schema in GtC/yr, ready for `reconcile`; ``attrs["truth"]`` holds the
        years and annual fluxes as lists, ``attrs["parameters"]`` the parameters. Values are printed to
        the template's digits.

    Examples
    --------
    >>> from sinkrisk.priors import load_observations
    >>> flat = {"fossil": 8.0, "land_use": 1.5, "ocean": 2.5, "land": 3.0}
    >>> years = range(1960, 2025)
    >>> truth = {name: dict.fromkeys(years, value) for name, value in flat.items()}
    >>> table = simulate_observations(truth, load_observations("global"), rng=1)
    >>> len(table), table.attrs["truth"]["atmosphere"][0]
    (40, 4.0)
    """
    _check_arguments(truth, parameters, shifts)
    prepared, likelihood = prepare_likelihood(template, model=model, errors=errors, series=series)
    annual, generator = likelihood.annual, random.generator(rng)
    structure = annual.structure
    if isinstance(truth, str):
        if truth != "prior":
            raise InputError(
                Problem("unknown truth", got=truth, allowed="annual fluxes, or 'prior'", key="truth")
            )
        drawn = draw_prior(likelihood, 1, generator, parameters=parameters)
        theta, fluxes = drawn.parameters, _fluxes_of(annual, drawn.values)
        seen = observe(structure, drawn.values)[0]
    else:
        fluxes = _read_truth(truth, annual)
        middle = annual.parameters.at(np.zeros((1, annual.parameters.size)))
        theta = middle | _held(annual.parameters.free, parameters, (1,))
        drawn = draw_prior(likelihood, 1, generator, parameters=theta)
        own = tuple(i for i, p in enumerate(structure.processes) if p.role not in ("flux", "missing"))
        seen = observe(structure, drawn.values, own)[0] + _windows(annual, fluxes)
    seen = seen + structure.offset
    values = _values_by_row(prepared, annual, seen, theta, generator)
    for (component, method), shift in (shifts or {}).items():
        chosen = (prepared.rows["component"] == component) & (prepared.rows["method"] == method)
        if not chosen.any():
            raise InputError(
                Problem(
                    "no rows to shift", got=f"{component}, {method}", allowed=_groups(prepared), key="shifts"
                )
            )
        values = values + shift * chosen.to_numpy()
    digit = prepared.rows["digit"].to_numpy(dtype=float)
    rounded = np.where(digit > 0, np.round(values / np.where(digit > 0, digit, 1.0)) * digit, values)
    table = _table(template, prepared, rounded)
    table.attrs["truth"] = {"years": structure.years.tolist(), **{k: v.tolist() for k, v in fluxes.items()}}
    table.attrs["parameters"] = {name: np.ravel(v[0]).tolist() for name, v in theta.items()}
    return table


def _check_arguments(truth: object, parameters: object, shifts: object) -> None:
    found = Problems()
    if not isinstance(truth, str | Mapping | xr.Dataset):
        found.add(
            "unknown truth",
            got=type(truth).__name__,
            allowed="annual fluxes by component, or 'prior'",
            key="truth",
        )
    if parameters is not None and not isinstance(parameters, Mapping):
        found.add("parameters are given by name", got=parameters, key="parameters")
    if shifts is not None and not isinstance(shifts, Mapping):
        found.add("shifts are given by component and method", got=shifts, key="shifts")
    elif shifts:
        for name, shift in shifts.items():
            if isinstance(name, str) or not isinstance(name, tuple) or len(name) != 2:
                found.add(
                    "a shift is given by component and method",
                    got=name,
                    allowed="('ocean', 'gobm')",
                    key="shifts",
                )
            check_number(shift, key="shifts", found=found)
    found.raise_if_any()


def _held(free: Any, parameters: Mapping[str, Any] | None, shape: tuple[int, ...]) -> dict[str, FloatArray]:
    known = {p.name: p for p in free}
    found = Problems()
    for name in parameters or {}:
        if name not in known:
            found.add("unknown parameter", got=name, allowed=tuple(known), key="parameters")
    found.raise_if_any()
    out = {}
    for name, value in (parameters or {}).items():
        labels = known[name].labels
        try:
            out[name] = np.broadcast_to(np.asarray(value, dtype=float), (*shape, len(labels))).copy()
        except (TypeError, ValueError):
            found.add("one number, or one for each of its entries", got=value, allowed=labels, key=name)
    found.raise_if_any()
    return out


def _groups(prepared: PreparedTable) -> tuple[str, ...]:
    rows = prepared.rows
    return tuple(dict.fromkeys(f"{c}, {m}" for c, m in zip(rows["component"], rows["method"], strict=True)))


def _fluxes_of(annual: AnnualModel, values: list[FloatArray]) -> dict[str, FloatArray]:
    """Return the annual fluxes of one draw, the atmosphere closing the budget."""
    structure = annual.structure
    years = len(structure.years)
    out = {name: np.zeros(years) for name in annual.components}
    missing = np.zeros(years)
    for process, u in zip(structure.processes, values, strict=True):
        on_years = np.broadcast_to(values_on_years(structure, process, u)[0], (years,))
        if process.role == "flux":
            out[process.component] = out[process.component] + on_years
        elif process.role == "missing":
            missing = missing + on_years
    out["atmosphere"] = missing + sum(
        (SIGNS[name] * flux for name, flux in out.items() if name != "atmosphere"), np.zeros(years)
    )
    return out


def _read_truth(truth: Mapping[str, Any] | xr.Dataset, annual: AnnualModel) -> dict[str, FloatArray]:
    found = Problems()
    years = annual.structure.years
    fluxes: dict[str, FloatArray] = {}
    for name in truth:
        if name not in annual.components:
            found.add(
                "the template has no such component", got=str(name), allowed=annual.components, key="truth"
            )
    for name in annual.components:
        if name not in truth:
            if name != "atmosphere":
                found.add("the truth lacks a component", got=", ".join(map(str, truth)), key=name)
            continue
        given: Any = truth[name]
        try:
            series = given.to_series() if isinstance(given, xr.DataArray) else pd.Series(given, dtype=float)
        except (TypeError, ValueError):
            found.add(
                f"the truth of {name} is no number by year", got=given, allowed="{2014: 9.7, ...}", key=name
            )
            continue
        if not isinstance(given, pd.Series | Mapping | xr.DataArray):
            hint = f"for one value in every year: dict.fromkeys(range({years[0]}, {years[-1] + 1}), {given})"
            found.add(
                f"the truth of {name} is no flux by year",
                got=given,
                allowed="year -> GtC/yr",
                key=name,
                hint=hint,
            )
            continue
        at = series.reindex(years).to_numpy(dtype=float)
        if not np.isfinite(at).all():
            absent = years[~np.isfinite(at)]
            found.add(
                f"the truth of {name} lacks years of the template",
                got=", ".join(map(str, absent[:5])),
                allowed=f"{years[0]} to {years[-1]}",
                key=name,
            )
        fluxes[name] = at
    found.raise_if_any()
    air = np.sum([SIGNS[name] * flux for name, flux in fluxes.items() if name != "atmosphere"], axis=0)
    off = np.abs(fluxes.setdefault("atmosphere", air) - air).max()
    if annual.model != "open" and off > CLOSURE_MAX:
        found.add(
            "the truth does not close",
            got=f"{off:.3g} {UNIT}",
            allowed=f"at most {CLOSURE_MAX:g}",
            key="truth",
        )
    found.raise_if_any()
    return {name: fluxes[name] for name in annual.components}


def _windows(annual: AnnualModel, fluxes: Mapping[str, FloatArray]) -> FloatArray:
    """Return the flux each observation of the model stands for, shape (observation,)."""
    sums = {name: np.concatenate([[0.0], np.cumsum(flux)]) for name, flux in fluxes.items()}
    structure, out = annual.structure, np.zeros(len(annual.observations))
    for i, (component, net_of) in enumerate(
        zip(annual.observations["component"], annual.observations["net_of"], strict=True)
    ):
        a, b = int(structure.start[i]), int(structure.end[i]) + 1
        out[i] = (sums[component][b] - sums[component][a]) / (b - a)
        if net_of:
            out[i] -= (sums[net_of][b] - sums[net_of][a]) / (b - a)
    return out


def _values_by_row(
    prepared: PreparedTable,
    annual: AnnualModel,
    seen: FloatArray,
    theta: Mapping[str, FloatArray],
    generator: np.random.Generator,
) -> FloatArray:
    """Return a value for every prepared row: the model's observations, panels spread about their mean."""
    rows, observed = prepared.rows, annual.observations
    out = np.full(len(rows), np.nan)
    panels = {(p.component, p.method, name): p for p in annual.panels for name in p.estimates}
    alone = dict(zip(_keys(observed), seen.tolist(), strict=True))
    drawn: dict[int, dict[str, FloatArray]] = {}
    for place, key in enumerate(_keys(rows)):
        component, method, estimate, start, _, _ = key
        panel = panels.get((component, method, estimate))
        if panel is None or key in alone:
            out[place] = alone[key]
            continue
        spread = drawn.setdefault(id(panel), _contrasts(annual, panel, theta, generator))
        mean = observed[
            (observed["component"] == component)
            & (observed["method"] == method)
            & (observed["estimate"] == _mean_label(observed, rows, panel))
        ]
        years = mean["start"].to_numpy()
        out[place] = seen[mean.index[years == start][0]] + spread[estimate][int(start - years.min())]
    return out


def _keys(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    names = ["component", "method", "estimate", "start", "end", "row"]
    return list(rows[names].itertuples(index=False, name=None))


def _mean_label(observed: pd.DataFrame, rows: pd.DataFrame, panel: Panel) -> str:
    """Return the name of the mean series of a panel."""
    own = rows[
        (rows["component"] == panel.component)
        & (rows["method"] == panel.method)
        & (rows["estimate"] == panel.estimates[0])
        & (rows["start"] == rows["end"])
    ]
    same = observed[
        (observed["component"] == panel.component)
        & (observed["method"] == panel.method)
        & (observed["members"] == panel.count + 1)
        & (observed["start"] == int(own["start"].min()))
    ]
    return next(
        str(label) for label in same["estimate"] if (observed["estimate"] == label).sum() == panel.length
    )


def _contrasts(
    annual: AnnualModel, panel: Panel, theta: Mapping[str, FloatArray], generator: np.random.Generator
) -> dict[str, FloatArray]:
    """Draw each estimate's error about the mean of the panel's, shape (year,) by estimate."""
    label = f"{panel.component} {panel.method}"

    def of(name: str) -> float:
        labels = next(p.labels for p in annual.parameters.parameters if p.name == name)
        return float(np.ravel(theta[name])[labels.index(label)])

    offset, error = of("estimate_offset_scale"), of("estimate_error_scale")
    rho, count = of("estimate_correlation"), len(panel.estimates)
    z = generator.standard_normal((count, panel.length))
    for t in range(1, panel.length):
        z[:, t] = rho * z[:, t - 1] + np.sqrt(1.0 - rho**2) * z[:, t]
    own = offset * generator.standard_normal((count, 1)) + error * z
    return dict(zip(panel.estimates, own - own.mean(axis=0), strict=True))


def _table(template: pd.DataFrame, prepared: PreparedTable, values: FloatArray) -> pd.DataFrame:
    """Return the template with other values where rows enter, and without what derives from them."""
    out = template.copy()
    whole = template.attrs.get("path") and pd.api.types.is_integer_dtype(template.index.dtype)
    lines = template.index.to_numpy() + 2 if whole else np.arange(1, len(template) + 1)
    place = {int(line): at for at, line in enumerate(lines)}
    at = np.array([place[int(line)] for line in prepared.rows["row"]])
    sd = np.where(prepared.rows["sd_basis"] == "reference", np.nan, prepared.rows["sd"].to_numpy(dtype=float))
    changes: dict[str, FloatArray | float | str] = {"value": values, "sd": sd, "low": np.nan, "high": np.nan}
    for name, new in changes.items():
        column = out[name].to_numpy(dtype=float).copy() if name in out else np.full(len(out), np.nan)
        column[at] = new
        out[name] = column
    unit = out["unit"].to_numpy(dtype=object).copy()
    unit[at] = UNIT
    out["unit"] = unit
    stays = ~out["component"].isin(DERIVED)
    if "method" in out:
        stays &= out["method"] != "derived"
    return out[stays]
