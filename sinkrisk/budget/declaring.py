"""Which parameters an annual model has, and their priors, from the rows it is to explain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sinkrisk.budget.hyper import Hyper
from sinkrisk.budget.identity import SIGNS
from sinkrisk.budget.panels import Panel
from sinkrisk.budget.parameters import Parameter, ParameterSet
from sinkrisk.errors import Problems

FREE: tuple[str, ...] = ("fossil", "land_use", "ocean", "land", "cement")
"""Components with processes of their own; the atmosphere is never free."""


def declare_parameters(
    parameters: ParameterSet, rows: pd.DataFrame, panels: list[Panel], hyper: Hyper, model: str, errors: str
) -> None:
    """Register the parameters the rows call for."""
    free = tuple(c for c in FREE if c != "cement" or (rows["component"] == "cement").any())
    assessed = rows[rows["role"] != "member"]
    stated = tuple(c for c in SIGNS if (assessed["component"] == c).any())
    spread = tuple(c for c in stated if c != "atmosphere")
    members = rows[rows["role"] == "member"]
    methods = tuple(
        dict.fromkeys(f"{c} {m}" for c, m in zip(members["component"], members["method"], strict=True))
    )

    def lognormal(
        name: str, labels: tuple[str, ...], dim: str, unit: str = "1", shift: dict[str, float] | None = None
    ) -> None:
        a, b = hyper.pairs(name, labels)
        a = a + np.array([(shift or {}).get(label, 0.0) for label in labels])
        parameters.add(Parameter(name, labels, dim, "lognormal", a, b, unit=unit))

    def beta(name: str, labels: tuple[str, ...], dim: str, correlation: bool = False) -> None:
        a, b = hyper.pairs(name, labels)
        parameters.add(Parameter(name, labels, dim, "beta", a, b, correlation))

    size = relative_sizes(rows, hyper)
    lognormal("walk_scale", free, "flux_component", "GtC/yr", {c: np.log(size[c]) for c in free})
    lognormal("variability", ("land",), "variable_component", "GtC/yr", {"land": np.log(size["land"])})
    lognormal("error_scale", stated, "stated_component")
    if errors == "shares" and spread:
        bias, ar, white = hyper.shares
        count = len(spread)
        # Dirichlet(b, a, w) by stick-breaking: b against the rest, then a against w.
        parameters.add(
            Parameter(
                "share_bias",
                spread,
                "error_component",
                "beta",
                np.full(count, bias),
                np.full(count, ar + white),
            )
        )
        parameters.add(
            Parameter(
                "share_ar_of_rest",
                spread,
                "error_component",
                "beta",
                np.full(count, ar),
                np.full(count, white),
            )
        )
        beta("error_correlation", spread, "error_component", correlation=True)
        both = {"land_use", "land"} <= set(spread)
        if both and {"assessment"} <= set(assessed.loc[assessed["component"] == "land", "method"]):
            beta("land_use_land_correlation", ("land_use, land",), "pair")
    if model == "open":
        parameters.add(
            Parameter(
                "missing_scale",
                ("missing",),
                "missing_term",
                "halfnormal",
                np.zeros(1),
                np.array([hyper.b("missing_scale") * max(size.values())]),
                unit="GtC/yr",
            )
        )
        beta("missing_mean_share", ("missing",), "missing_term")
        beta("missing_correlation", ("missing",), "missing_term", correlation=True)
    if model == "robust":
        groups = tuple(
            dict.fromkeys(f"{c} {m}" for c, m in zip(assessed["component"], assessed["method"], strict=True))
        )
        half = hyper.a("robust_degrees") / 2.0
        parameters.add(
            Parameter(
                "precision",
                groups,
                "error_group",
                "log_gamma",
                np.full(len(groups), half),
                np.full(len(groups), half),
            )
        )
    if methods:
        reference = {
            f"{c} {m}": float(np.log(np.nanmean(group["sd"])))
            for (c, m), group in members.groupby(["component", "method"], sort=False)
        }
        for name in ("method_bias_scale", "method_ar_scale", "estimate_offset_scale", "estimate_error_scale"):
            lognormal(name, methods, "method", "GtC/yr", reference)
        lognormal("method_walk_scale", methods, "method", "GtC/yr", reference)
        beta("method_correlation", methods, "method", correlation=True)
        beta("estimate_correlation", methods, "method", correlation=True)


def check_held(parameters: ParameterSet, panels: list[Panel]) -> None:
    """Refuse held parameters that do not exist, and values they cannot take.

    Raises
    ------
    InputError
        Every problem at once.
    """
    found = Problems()
    known = {p.name: p for p in parameters.parameters}
    free = {name for name in known if not (panels and name.startswith("estimate_"))}
    for name, value in parameters.fixed.items():
        key = f"fixed.{name}"
        if name not in free:
            found.add("no such parameter to hold", got=name, allowed=sorted(free), key=key)
            continue
        try:
            parameter, array = known[name], np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            found.add("not numbers", got=value, allowed="one number, or one for each of its entries", key=key)
            continue
        if array.shape not in ((), (1,), (len(parameter.labels),)):
            found.add(
                "one number, or one for each of its entries", got=value, allowed=parameter.labels, key=key
            )
        elif not (np.isfinite(array) & (array > 0.0)).all():
            found.add("held at a value it cannot take", got=value, allowed="> 0", key=key)
        elif parameter.family == "beta" and (array >= 1.0).any():
            found.add("held at a value it cannot take", got=value, allowed="0 < value < 1", key=key)
    found.raise_if_any()


def _groups(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the pairs of component and method of some rows, in order."""
    pairs = zip(rows["component"], rows["method"], strict=True)
    return tuple(dict.fromkeys(f"{component} {method}" for component, method in pairs))


def relative_sizes(rows: pd.DataFrame, hyper: Hyper) -> dict[str, float]:
    """Return by how much the scales of each flux are those of the global budget (1 for that)."""
    out = {}
    for component in FREE:
        values = rows.loc[rows["component"] == component, "value"].abs()
        reference = hyper.a("reference_flux", component)
        # The largest, not the mean: a flux that grew tenfold moves as its present size does.
        out[component] = 1.0 if values.empty else float(np.clip(values.max() / reference, 0.02, None))
    # Within a factor of two of the globe it is the globe: keep the priors exactly as written.
    return {c: 1.0 if 0.5 <= s <= 2.0 else s for c, s in out.items()}
