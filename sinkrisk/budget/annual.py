"""From checked rows to an annual budget model: its processes, its parameters, and who sees what.

The fluxes of fossil, land_use, ocean, land (and cement, where it is observed) are latent in every year;
the atmosphere is what they leave, so the budget closes by construction (models `hierarchical`, `open`,
`robust`). Sources of the formulas: the package's model notes in ``docs``; priors in
``priors/budget.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sinkrisk.budget.calibrating import annual_sds, bias_layers, bias_profile, stock_notes, stock_sds
from sinkrisk.budget.choosing import bias_families
from sinkrisk.budget.declaring import FREE, check_held, declare_parameters, relative_sizes
from sinkrisk.budget.hyper import Hyper
from sinkrisk.budget.identity import SIGNS
from sinkrisk.budget.panels import Panel, split_panels
from sinkrisk.budget.parameters import ParameterSet
from sinkrisk.budget.structure import Cross, FloatArray, Kind, Process, Structure

SLIGHT = 0.02
"""Variance of a series' bias beyond the shared one, relative to it, that is not worth a process."""

NOISE_FLOOR = 1e-3
"""Least noise sd of an assessed value, GtC/yr: keeps series printed to full precision well conditioned."""


@dataclass(frozen=True)
class AnnualModel:
    """An annual budget model before sampling.

    Parameters
    ----------
    structure : Structure
    parameters : ParameterSet
    panels : tuple of Panel
        Contrasts of individual estimates, whose likelihood is added.
    observations : DataFrame
        One row per observation of the structure: component, method, estimate, members, window, start,
        end, value, sd, kind.
    components : tuple of str
        Components of the identity, in its order; the atmosphere among them.
    model, errors : str
    notes : tuple of str
        What a reader must know of how stated sds entered.
    """

    structure: Structure
    parameters: ParameterSet
    panels: tuple[Panel, ...]
    observations: pd.DataFrame
    components: tuple[str, ...]
    model: str
    errors: str
    notes: tuple[str, ...] = ()


@dataclass
class _Builder:
    rows: pd.DataFrame
    years: np.ndarray
    parameters: ParameterSet
    hyper: Hyper
    processes: list[Process] = field(default_factory=list)
    loads: list[FloatArray] = field(default_factory=list)
    crosses: list[Cross] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def process(
        self,
        name: str,
        kind: Kind,
        role: str,
        component: str,
        coefficient: int,
        seen: FloatArray,
        *,
        profile: FloatArray | None = None,
        correlation: int = -1,
    ) -> int:
        """Add a process that observations see with the given loads; return its place."""
        length = len(self.years) + (kind == "endpoint")
        self.processes.append(
            Process(
                name=name,
                kind=kind,
                role=role,
                component=component,
                profile=np.ones(length) if profile is None else np.asarray(profile, dtype=float),
                coefficient=coefficient,
                correlation=correlation,
            )
        )
        self.loads.append(np.asarray(seen, dtype=float))
        return len(self.processes) - 1

    def of(self, component: str, method: str | None = None, estimate: str | None = None) -> FloatArray:
        """Return 1 for the observations of a component (and method, and estimate), else 0."""
        mask = (self.rows["component"] == component).to_numpy()
        if method is not None:
            mask = mask & (self.rows["method"] == method).to_numpy()
        if estimate is not None:
            mask = mask & (self.rows["estimate"] == estimate).to_numpy()
        return np.asarray(mask, dtype=float)


def build_annual(
    rows: pd.DataFrame,
    *,
    model: str,
    errors: str,
    hyper: Hyper,
    fixed: Mapping[str, Any] | None = None,
) -> AnnualModel:
    """Build the annual model of prepared rows.

    Parameters
    ----------
    rows : DataFrame
        component, method, estimate, window, start, end, value, sd, digit, kind, role ("assessed" or
        "member"), river and net_of, values in GtC/yr; what `prepare_rows` returns.
    model : {"hierarchical", "open", "robust"}
    errors : {"shares", "iid"}
    hyper : Hyper
    fixed : mapping, optional
        Parameters held at a value, by name: ``{"missing_scale": 1e-6}``.

    Raises
    ------
    InputError
        For a held parameter that the model does not have, or a value it cannot take.
    """
    seen, panels = _reduce(rows)
    years = np.arange(int(seen["start"].min()), int(seen["end"].max()) + 1)
    held = dict(fixed or {})
    if errors == "iid":
        # The comparison is with the stated sds, taken as independent. A scale that may be learned lets
        # them shrink to a quarter of what is stated and hides the very misfit that iid is there to show.
        held.setdefault("error_scale", 1.0)
    parameters = ParameterSet(fixed=held)
    declare_parameters(parameters, seen, panels, hyper, model, errors)
    check_held(parameters, panels)
    builder = _Builder(seen, years, parameters, hyper)
    free = tuple(c for c in FREE if c != "cement" or (seen["component"] == "cement").any())
    for name in free:
        _flux(builder, name)
    if model == "open":
        _missing(builder)
    for key, group in seen.groupby(["component", "method"], sort=False):
        component, method = (str(part) for part in key)
        if (group["role"] == "member").any():
            _members(builder, component, method, group)
        else:
            _assessed(builder, component, method, group, model, errors)
    biases: dict[tuple[str, str], int] = {}
    if errors != "iid":
        for key, family in bias_families(seen, str(rows.attrs.get("geography", ""))):
            biases[key[0], key[1][0]] = _biases(builder, *key, family, model)
    if "land_use_land_correlation" in {p.name for p in parameters.parameters}:
        _shared_forcing(builder, biases, model)
    structure = _structure(builder)
    order = tuple(name for name in SIGNS if name == "atmosphere" or name in free)
    return AnnualModel(structure, parameters, tuple(panels), seen, order, model, errors, tuple(builder.notes))


def _reduce(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Panel]]:
    """Replace the members of each method by the means of their panels."""
    parts, panels = [rows[rows["role"] != "member"].assign(members=1)], []
    members = rows[rows["role"] == "member"]
    for _, group in members.groupby(["component", "method"], sort=False):
        annual = group["start"] == group["end"]
        means, found = split_panels(group[annual])
        parts.append(means)
        parts.append(group[~annual].assign(members=1))
        panels.extend(found)
    return pd.concat([p for p in parts if len(p)], ignore_index=True), panels


def _flux(builder: _Builder, component: str) -> None:
    sign = SIGNS[component]
    # The atmosphere sees every flux: sources add to it, sinks take from it.
    seen = builder.of(component) + sign * builder.of("atmosphere")
    # A row stated net of this component (China's land with land use inside) sees it with a minus.
    seen = seen - (builder.rows["net_of"] == component).to_numpy(dtype=float)
    size = relative_sizes(builder.rows, builder.hyper)[component]
    level, slope = size * builder.hyper.b("level"), size * builder.hyper.b("slope")
    years = builder.years
    add, coefficient = builder.process, builder.parameters.coefficient
    add(
        f"flux {component} level", "constant", "flux", component,
        coefficient(f"level {component}", constant=2 * np.log(level)), seen,
    )  # fmt: skip
    add(
        f"flux {component} slope", "constant", "flux", component,
        coefficient(f"slope {component}", constant=2 * np.log(slope)), seen, profile=years - years.mean(),
    )  # fmt: skip
    walk = coefficient(f"walk {component}", {f"walk_scale[{component}]": 2.0})
    add(f"flux {component} walk", "walk", "flux", component, walk, seen)
    if component == "land":
        white = coefficient("variability land", {"variability[land]": 2.0})
        add("flux land variability", "white", "flux", component, white, seen)


def _missing(builder: _Builder) -> None:
    seen = builder.of("atmosphere")
    scale, share = {"missing_scale[missing]": 2.0}, "missing_mean_share[missing]"
    coefficient = builder.parameters.coefficient
    mean = coefficient("missing mean", {**scale, share: 1.0})
    ar = coefficient("missing ar", {**scale, f"1-{share}": 1.0})
    builder.process("missing mean", "constant", "missing", "", mean, seen)
    builder.process(
        "missing ar", "ar", "missing", "", ar, seen,
        correlation=builder.parameters.correlation("missing_correlation[missing]"),
    )  # fmt: skip


def _base(component: str, method: str, model: str) -> dict[str, float]:
    """Return the powers of the parameters in every error variance of a component and method."""
    base = {f"error_scale[{component}]": 2.0}
    if model == "robust":
        base[f"precision[{component} {method}]"] = -1.0
    return base


def _assessed(
    builder: _Builder, component: str, method: str, group: pd.DataFrame, model: str, errors: str
) -> None:
    """Add the errors of stated series that are their own: all but the bias."""
    base = _base(component, method, model)
    coefficient, name = builder.parameters.coefficient, f"error {component} {method}"
    if component == "atmosphere":
        place = coefficient(name, base)
        for estimate, series in group.groupby("estimate", sort=False):
            stocks = stock_sds(series, builder.years)
            builder.process(
                f"{name} {estimate} stocks", "endpoint", "error", component, place,
                builder.of(component, method, str(estimate)), profile=stocks,
            )  # fmt: skip
            builder.notes.extend(stock_notes(series, builder.years, stocks))
        return
    for estimate, series in group.groupby("estimate", sort=False):
        sigma = _sigma(builder, series, errors)
        own = builder.of(component, method, str(estimate))
        if errors == "iid":
            white = coefficient(f"{name} white", base)
            builder.process(f"{name} {estimate}", "white", "error", component, white, own, profile=sigma)
            continue
        rest = {**base, f"1-share_bias[{component}]": 1.0}
        ar = coefficient(f"{name} ar", {**rest, f"share_ar_of_rest[{component}]": 1.0})
        white = coefficient(f"{name} white", {**rest, f"1-share_ar_of_rest[{component}]": 1.0})
        rho = builder.parameters.correlation(f"error_correlation[{component}]")
        builder.process(
            f"{name} {estimate} ar", "ar", "error", component, ar, own, profile=sigma, correlation=rho
        )
        builder.process(f"{name} {estimate} white", "white", "error", component, white, own, profile=sigma)


def _sigma(builder: _Builder, series: pd.DataFrame, errors: str = "shares") -> FloatArray:
    """Return sigma(t) of a stated series at the prior mean of the shares."""
    hyper = builder.hyper
    a, b = hyper.a("error_correlation"), hyper.b("error_correlation")
    shares = np.array([0.0, 0.0, 1.0]) if errors == "iid" else hyper.shares / hyper.shares.sum()
    return annual_sds(series, builder.years, shares, a / (a + b))


def _biases(
    builder: _Builder, component: str, methods: tuple[str, ...], family: pd.DataFrame, model: str
) -> int:
    """Add the biases of series that share theirs; return the place of what they share in every year.

    All series of one method see one bias of one amplitude, the smallest any of them has; what a series has
    beyond it is its own. In proportion to each sd, a 2.1 +- 0.8 beside 2.9 +- 0.4 would raise the ocean.
    Estimates of which the component's assessment is made share its whole bias, however small their sd.
    """
    coefficient, lead, stated = builder.parameters.coefficient, methods[0], False
    sizes: list[tuple[str, str, FloatArray]] = []
    for (method, estimate), series in family.groupby(["method", "estimate"], sort=False):
        size, shaped = bias_profile(series, builder.years, _sigma(builder, series))
        sizes.append((str(method), str(estimate), size))
        stated = stated or (shaped and method == lead)
    shared: FloatArray = np.stack([size for method, _, size in sizes if method == lead]).min(axis=0)
    seen = np.stack([builder.of(component, method) for method in methods]).sum(axis=0)

    def add(name: str, method: str, own: FloatArray, profile: FloatArray) -> int:
        powers = {**_base(component, method, model), f"share_bias[{component}]": 1.0}
        place = coefficient(f"error {component} {method} bias", powers)
        return builder.process(name, "constant", "error", component, place, own, profile=profile)

    layers = [shared] if stated else bias_layers(shared)
    first = add(f"error {component} {lead} bias", lead, seen, layers[0])
    for number, layer in enumerate(layers[1:], start=2):
        add(f"error {component} {lead} bias, layer {number}", lead, seen, layer)
    for method, estimate, size in sizes:
        beyond = size**2 - shared**2
        if beyond.max() > SLIGHT * float(np.mean(shared**2)):
            own, rest = builder.of(component, method, estimate), np.sqrt(np.maximum(beyond, 0.0))
            add(f"error {component} {method} {estimate} bias", method, own, rest)
    if len(methods) > 1:
        named = ", ".join(dict.fromkeys(f"{m} {e}" for m, e, _ in sizes if m != lead))
        builder.notes.append(
            f"{component}: {named} share the bias of the assessed series, made of such estimates of some "
            "release: beside it they are no independent evidence"
        )
    return first


def _members(builder: _Builder, component: str, method: str, group: pd.DataFrame) -> None:
    """Add what all estimates of a method share, and what is left of each one's own error in a mean."""
    label = f"{component} {method}"
    seen, coefficient, parameters = (
        builder.of(component, method),
        builder.parameters.coefficient,
        builder.parameters,
    )
    bias = coefficient(f"method {label} bias", {f"method_bias_scale[{label}]": 2.0})
    ar = coefficient(f"method {label} ar", {f"method_ar_scale[{label}]": 2.0})
    walk = coefficient(f"method {label} walk", {f"method_walk_scale[{label}]": 2.0})
    rho = parameters.correlation(f"method_correlation[{label}]")
    builder.process(f"method {label} bias", "constant", "method", component, bias, seen)
    builder.process(f"method {label} ar", "ar", "method", component, ar, seen, correlation=rho)
    builder.process(f"method {label} walk", "walk", "method", component, walk, seen)
    for kind in ("adjusted", "unadjusted"):
        rows = seen * (builder.rows["river"] == kind).to_numpy()
        if rows.any():
            spread = coefficient(
                f"river {kind}", constant=2 * np.log(builder.hyper.b(f"river_{kind}", component))
            )
            builder.process(f"method {label} river {kind}", "constant", "method", component, spread, rows)
    for estimate, series in group.groupby("estimate", sort=False):
        count = int(series["members"].iloc[0])
        own = builder.of(component, method, str(estimate))
        less = -np.log(count)
        offset = coefficient(
            f"estimate {label} offset / {count}", {f"estimate_offset_scale[{label}]": 2.0}, constant=less
        )
        error = coefficient(
            f"estimate {label} error / {count}", {f"estimate_error_scale[{label}]": 2.0}, constant=less
        )
        builder.process(f"estimate {label} {estimate} offset", "constant", "estimate", component, offset, own)
        builder.process(
            f"estimate {label} {estimate} error", "ar", "estimate", component, error, own,
            correlation=parameters.correlation(f"estimate_correlation[{label}]"),
        )  # fmt: skip


def _shared_forcing(builder: _Builder, biases: dict[tuple[str, str], int], model: str) -> None:
    """Let what land and land use share in all years be negatively correlated: their land-use forcing."""
    for (component, method), place in biases.items():
        other = biases.get(("land", method))
        if component != "land_use" or other is None:
            continue
        powers = {"land_use_land_correlation[land_use, land]": 1.0}
        for name in ("land_use", "land"):
            powers[f"error_scale[{name}]"] = 1.0
            powers[f"share_bias[{name}]"] = 0.5
            if model == "robust":
                powers[f"precision[{name} {method}]"] = -0.5
        coefficient = builder.parameters.coefficient(f"shared forcing {method}", powers, sign=-1.0)
        builder.crosses.append(Cross(coefficient, place, other))


def _structure(builder: _Builder) -> Structure:
    rows, first = builder.rows, int(builder.years[0])
    rounding = rows["digit"].to_numpy(dtype=float) / np.sqrt(12.0)
    # An estimate's own AR(1) error keeps it well conditioned, and without noise it needs no state.
    fine = np.where(rows["role"] == "member", 0.0, NOISE_FLOOR)
    noise = np.where(rounding < NOISE_FLOOR, fine, rounding) ** 2 / rows["members"].to_numpy(dtype=float)
    projected = (rows["kind"] == "projection").to_numpy()
    if projected.any():
        noise = (
            noise + projected * (builder.hyper.a("projection_extra") * rows["sd"].to_numpy(dtype=float)) ** 2
        )
    offset = np.zeros(len(rows))
    for kind in ("adjusted", "unadjusted"):
        at = (rows["river"] == kind).to_numpy()
        if at.any():
            # An unadjusted product misses the outgassing of river carbon: it reads lower than the sink.
            offset = offset - at * builder.hyper.a(f"river_{kind}", "ocean")
    return Structure(
        years=builder.years,
        processes=tuple(builder.processes),
        loading=np.stack(builder.loads, axis=1),
        start=(rows["start"] - first).to_numpy(dtype=np.int64),
        end=(rows["end"] - first).to_numpy(dtype=np.int64),
        y=rows["value"].to_numpy(dtype=float),
        offset=offset,
        noise_variance=noise,
        crosses=tuple(builder.crosses),
        coefficients=tuple(builder.parameters.coefficient_names),
        correlations=builder.parameters.correlation_names,
    )
