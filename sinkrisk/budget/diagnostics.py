"""The gate between sampling and every table: convergence, mass balance, and what to know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk.budget.convergence import energy_fraction, rhat_and_ess
from sinkrisk.budget.identity import UNIT, closure_residual
from sinkrisk.budget.specification import CLOSURE_MAX, ESS_MIN, RHAT_MAX
from sinkrisk.budget.structure import FloatArray
from sinkrisk.budget.summarising import summarise_parameters
from sinkrisk.budget.trees import group, has_group
from sinkrisk.budget.weighing import Weighing, average_windows
from sinkrisk.errors import ConvergenceError, InputError, Problem
from sinkrisk.results import Check

DIVERGENCES_MAX = 0
"""Most accepted divergent transitions: one already says that a part of the posterior is not reached."""

ENERGY_MIN = 0.3
"""Smallest accepted E-BFMI of a chain (Betancourt 2016)."""

STATEMENT_MAX = 1e-6
"""Largest accepted gap between a stated value and its flux, error and rounding, GtC/yr: solvers of
hundreds of nearly exact observations lose digits, far below any error of the budget."""

PARETO_MAX = 0.7
"""Largest Pareto-k of a comparison whose importance weights are to be trusted."""

FEWEST_CHAINS, FEWEST_DRAWS = 2, 8
"""Least for R-hat and ESS."""


@dataclass(frozen=True)
class Quantities:
    """Every reported quantity of a tree, side by side.

    Parameters
    ----------
    variables, labels : list of str
        Name in the posterior, and which entry of it.
    draws : ndarray, shape (chain, draw, quantity)
    """

    variables: list[str]
    labels: list[str]
    draws: FloatArray

    def named(self, place: int) -> str:
        """Return what a quantity is called in a sentence."""
        return f"{self.variables[place]} of {self.labels[place]}"


def diagnose(
    tree: xr.DataTree,
    *,
    rhat_max: float = RHAT_MAX,
    ess_min: float = ESS_MIN,
    closure_max: float = CLOSURE_MAX,
) -> list[Check]:
    """Check a reconciled budget.

    R-hat is the rank-normalised split R-hat; ESS bulk and tail (quantiles .05 and .95) are counted
    over all chains. All three are taken over every reported quantity - fluxes by window and year,
    imbalance and missing flux where they vary, and every parameter - and the worst is reported by name.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    rhat_max : float
        Largest accepted R-hat.
    ess_min : float
        Smallest accepted ESS.
    closure_max : float
        Largest accepted |sources - sinks| of a draw, GtC/yr; the missing flux of the model `open`
        counts as a source.

    Returns
    -------
    list of Check
        finite, closure (of windows) and, for models of years, closure_years and statements (every
        stated value is its flux plus error plus rounding); divergences and energy (E-BFMI by chain),
        where the sampler reports them; rhat, ess_bulk, ess_tail; pareto_k, where a comparison left
        the values of groups it did not refit in ``attrs["pareto_k"]`` (JSON, group -> k). Then
        informing checks (passed None): prior_driven parameters, notes of the reading (overlapping
        windows, projections, constructed columns) and the rows left out.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> [check.name for check in diagnose(tree) if check.passed]
    ['finite', 'closure', 'rhat', 'ess_bulk', 'ess_tail']
    """
    posterior, given = group(tree, "posterior"), group(tree, "constant_data")
    known = given["in_identity"].astype(bool)
    quantities = gather_quantities(tree)
    checks = [_finite(quantities), _closure(posterior, given, known, closure_max)]
    if "flux" in posterior:
        checks.append(_closure_years(posterior, given, closure_max))
        checks.append(_statements(tree, posterior))
    checks.extend(_sampler(tree))
    if checks[0].passed:
        checks.extend(_convergence(quantities, rhat_max, ess_min))
    if "pareto_k" in tree.attrs:
        checks.append(_pareto(json.loads(tree.attrs["pareto_k"])))
    if has_group(tree, "prior"):
        checks.append(_prior_driven(tree))
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
    InputError
        For anything else than checks, such as the tree itself.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=20, rng=1)
    >>> gate(diagnose(tree))
    Traceback (most recent call last):
    sinkrisk.errors.ConvergenceError: the budget must not be used: [ess_bulk] Smallest bulk ESS is ...
    """
    if not isinstance(checks, Sequence) or not all(isinstance(check, Check) for check in checks):
        raise InputError(
            Problem(
                "no checks",
                got=type(checks).__name__,
                allowed="what diagnose returns",
                hint="budget.gate(budget.diagnose(tree))",
            )
        )
    failed = tuple(check for check in checks if check.passed is False)
    if failed and not allow_unconverged:
        raise ConvergenceError(
            "the budget must not be used: " + " ".join(f"[{check.name}] {check.text}" for check in failed)
        )
    return failed


def gather_quantities(tree: xr.DataTree) -> Quantities:
    """Return every reported quantity of a tree: fluxes, imbalance, missing flux and parameters.

    What is constant by construction stays out: fluxes outside a window's identity, and the imbalance
    where it is that of the stated values in every draw.
    """
    posterior, given = group(tree, "posterior"), group(tree, "constant_data")
    names: list[str] = ["window_flux", "imbalance", "flux", "missing"]
    if has_group(tree, "prior"):
        names += [str(name) for name in group(tree, "prior").data_vars]
    variables, labels, parts = [], [], []
    for name in names:
        if name not in posterior:
            continue
        array = posterior[name].transpose("chain", "draw", ...)
        draws = array.values.reshape(*array.shape[:2], -1)
        index = [array[dim].values.astype(str) for dim in array.dims[2:]]
        said = [
            " ".join(entry)
            for entry in np.stack(np.meshgrid(*index, indexing="ij"), -1).reshape(-1, len(index))
        ]
        keep = np.ones(len(said), dtype=bool)
        if name == "window_flux":
            keep = given["in_identity"].transpose(*array.dims[2:]).values.astype(bool).ravel()
        elif name == "imbalance":
            stated = ~np.isnan(draws).all(axis=(0, 1))
            # Equal to the last digits in every draw; what is not finite stays in, to be found.
            keep = stated & ~(np.ptp(draws, axis=(0, 1)) <= CLOSURE_MAX)
        parts.append(draws[:, :, keep])
        labels += [text for text, kept in zip(said, keep, strict=True) if kept]
        variables += [name] * int(keep.sum())
    return Quantities(variables, labels, np.concatenate(parts, axis=-1))


def _finite(quantities: Quantities) -> Check:
    bad = np.flatnonzero(~np.isfinite(quantities.draws).all(axis=(0, 1)))
    if not len(bad):
        return Check("finite", True, f"All {len(quantities.labels)} quantities are finite in every draw.")
    fluxes = [quantities.labels[i] for i in bad if quantities.variables[i] == "window_flux"]
    others = [quantities.named(int(i)) for i in bad if quantities.variables[i] != "window_flux"]
    return Check("finite", False, f"Not finite in some draw: {', '.join(fluxes + others)}.")


def _closure(posterior: xr.Dataset, given: xr.Dataset, known: xr.DataArray, closure_max: float) -> Check:
    flux = posterior["window_flux"].transpose("chain", "draw", "window", "component").values
    signs = (given["sign"] * known).transpose("window", "component").values
    residual = closure_residual(flux, signs)
    if "missing" in posterior:
        missing = posterior["missing"].transpose("chain", "draw", "year").values
        residual = residual + average_windows(missing, posterior["year"].values, given)
    return _balance("closure", residual, posterior["window"].values, closure_max)


def _closure_years(posterior: xr.Dataset, given: xr.Dataset, closure_max: float) -> Check:
    flux = posterior["flux"].transpose("chain", "draw", "year", "component").values
    residual = closure_residual(flux, given["sign"].values)
    if "missing" in posterior:
        residual = residual + posterior["missing"].transpose("chain", "draw", "year").values
    return _balance("closure_years", residual, posterior["year"].values, closure_max)


def _balance(name: str, residual: FloatArray, labels: FloatArray, closure_max: float) -> Check:
    size = np.abs(residual)
    worst = float(size.max())
    at = labels[np.unravel_index(int(size.argmax()), size.shape)[-1]]
    return Check(
        name,
        # Written so that NaN fails.
        bool(worst <= closure_max),
        f"Largest |sources - sinks| of any draw is {worst:.1e} {UNIT} (in {at}); allowed {closure_max:.1e}.",
    )


def _statements(tree: xr.DataTree, posterior: xr.Dataset) -> Check:
    """Check that every stated value is its flux plus its error plus its rounding, in every draw."""
    weighing = Weighing(tree)
    years = posterior["year"].values
    dims = ("chain", "draw")
    left = weighing.value - (
        posterior["error"].transpose(*dims, ...).values + posterior["rounding"].transpose(*dims, ...).values
    )
    worst, at = 0.0, 0
    pairs = np.stack([weighing.component, weighing.net_of], axis=1)
    for component, other in np.unique(pairs, axis=0):
        flux = posterior["flux"].sel(component=component).transpose(*dims, "year").values
        if other:
            flux = flux - posterior["flux"].sel(component=other).transpose(*dims, "year").values
        sums = np.concatenate([np.zeros((*flux.shape[:2], 1)), np.cumsum(flux, axis=-1)], axis=-1)
        rows = np.flatnonzero((pairs == [component, other]).all(axis=1))
        start, end = weighing.start[rows] - years[0], weighing.end[rows] - years[0] + 1
        gap = np.abs(left[..., rows] - (sums[..., end] - sums[..., start]) / (end - start)).max(axis=(0, 1))
        # Written so that NaN is the worst.
        if not gap.max() <= worst:
            worst, at = float(gap.max()), int(rows[gap.argmax()])
    text = (
        f"Largest |stated - flux - error - rounding| of any draw is {worst:.1e} {UNIT} "
        f"({weighing.component[at]} {weighing.window[at]}); allowed {STATEMENT_MAX:.1e}."
    )
    return Check("statements", bool(worst <= STATEMENT_MAX), text)


def _sampler(tree: xr.DataTree) -> list[Check]:
    """Check what the sampler says of itself, where it does."""
    if not has_group(tree, "sample_stats"):
        return []
    stats, checks = group(tree, "sample_stats"), []
    if "diverging" in stats:
        by_chain = stats["diverging"].sum("draw").values.astype(int)
        count = int(by_chain.sum())
        text = f"{count} of {stats['diverging'].size} transitions diverged; allowed {DIVERGENCES_MAX}."
        if count:
            text += f" Most in chain {int(by_chain.argmax())} ({int(by_chain.max())})."
        checks.append(Check("divergences", count <= DIVERGENCES_MAX, text))
    if "energy" in stats and stats.sizes["draw"] > 1:
        fraction = energy_fraction(stats["energy"].transpose("chain", "draw").values)
        worst = int(fraction.argmin())
        text = f"Smallest E-BFMI is {fraction[worst]:.2f} (chain {worst}); needed {ENERGY_MIN:g}."
        checks.append(Check("energy", bool((fraction >= ENERGY_MIN).all()), text))
    return checks


def _convergence(quantities: Quantities, rhat_max: float, ess_min: float) -> list[Check]:
    chains, count = quantities.draws.shape[:2]
    if chains < FEWEST_CHAINS or count < FEWEST_DRAWS:
        text = (
            f"R-hat and ESS need at least {FEWEST_CHAINS} chains of {FEWEST_DRAWS} draws; "
            f"there are {chains} of {count}."
        )
        return [Check(name, False, text) for name in ("rhat", "ess_bulk", "ess_tail")]
    rhat, bulk, tail = rhat_and_ess(quantities.draws)
    table = pd.DataFrame(
        {
            "variable": quantities.variables,
            "quantity": quantities.labels,
            "rhat": rhat,
            "ess_bulk": bulk,
            "ess_tail": tail,
        }
    )
    checks = []
    # argmax and argmin stop at NaN, so what does not vary at all is the worst.
    for name, values, limit, worst in (
        ("rhat", rhat, rhat_max, int(np.argmax(rhat))),
        ("ess_bulk", bulk, ess_min, int(np.argmin(bulk))),
        ("ess_tail", tail, ess_min, int(np.argmin(tail))),
    ):
        figure = float(values[worst])
        passed = bool(figure <= limit) if name == "rhat" else bool(figure >= limit)
        at = f"({quantities.named(worst)})"
        if name == "rhat":
            said = f"Largest R-hat is {figure:.4f} {at}; allowed {limit:g}."
        else:
            said = (
                f"Smallest {name[4:]} ESS is {figure:.0f} {at}; needed {limit:g}, "
                f"from {chains} chains of {count} draws."
            )
        checks.append(Check(name, passed, said, table))
    return checks


def _pareto(values: dict[str, float]) -> Check:
    # A value that is not a number is the worst there is.
    worst = max(values, key=lambda name: np.nan_to_num(values[name], nan=np.inf))
    table = pd.DataFrame({"group": list(values), "pareto_k": list(values.values())})
    text = f"Largest Pareto-k is {values[worst]:.2f} ({worst}); allowed {PARETO_MAX:g}."
    return Check("pareto_k", all(k <= PARETO_MAX for k in values.values()), text, table)


def _prior_driven(tree: xr.DataTree) -> Check:
    table = summarise_parameters(tree)
    driven = table[table["prior_driven"]]
    if driven.empty:
        text = f"None of the {len(table)} parameters is prior-driven."
    else:
        named = "; ".join(
            f"{name} ({', '.join(rows['label'])})" for name, rows in driven.groupby("parameter", sort=False)
        )
        text = (
            f"{len(driven)} of {len(table)} parameters are prior-driven, the data hardly move them: {named}."
        )
    return Check("prior_driven", None, text, table)
