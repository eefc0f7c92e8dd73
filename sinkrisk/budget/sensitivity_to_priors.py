"""What the priors, and what the data, decide: power-scaling sensitivity of fluxes and parameters.

A density is raised to a power a little off 1, the draws are reweighted accordingly (Pareto-smoothed),
and the sensitivity of a quantity is how far its distribution moves per doubling of the power
(cumulative Jensen-Shannon distance; Kallioinen et al. 2024). Scaled are

- the priors: those of the parameters, and those of level and slope of every flux. A prior on a positive
  scale is scaled as a density of its logarithm, the others as densities of the parameter itself, so
  that each stays in its family;
- the likelihood: for fluxes that of the observations given fluxes and parameters, errors integrated out;
  for parameters the marginal likelihood that they are sampled on, fluxes integrated out too, because a
  parameter of the errors that the data do not identify still shapes the density of the errors drawn
  with it. The walks and the variability of the fluxes belong to the model and are not scaled.

A uniform prior does not change when it is raised to a power: its sensitivity is 0 by construction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sinkrisk import rng as random
from sinkrisk.budget.arguments import check_number, require_fitted
from sinkrisk.budget.groups import Covariances, contrast_density
from sinkrisk.budget.parameters import Parameter
from sinkrisk.budget.structure import Cross, FloatArray, Structure

if TYPE_CHECKING:
    from sinkrisk.budget.hierarchical import Fitted

THRESHOLD = 0.05
"""Sensitivity from which a prior informs, or the data do (Kallioinen et al.)."""

ALPHAS = (0.99, 1.01)
"""Powers between which the gradient is taken."""

MOST_DRAWS = 4000
LONG = 120
"""Tables of more observations use `LONG_DRAWS` draws: each costs a dense factor."""

LONG_DRAWS = 2000

SHUFFLES = 5
"""Shuffled weightings over which the noise is averaged."""

ABOVE_NOISE = 2.0
"""A sensitivity counts from so many times the noise, if that is above the threshold."""

_NOT_REPORTED = ("flux", "imbalance", "error", "rounding", "missing")

_FLUXES = ("window_flux", "missing")

PRIOR_DRIVEN = "prior-driven"
BOTH = "prior and data both matter"


def power_scale(
    fitted: Fitted, *, threshold: float = THRESHOLD, rng: random.RandomSource = None
) -> pd.DataFrame:
    """Measure how much every window flux and parameter depends on the priors and on the data.

    Parameters
    ----------
    fitted : Fitted
        A fitted annual model.
    threshold : float
        Sensitivity from which a prior, or the data, count.
    rng : int, Generator or None
        Only for `noise`.

    Returns
    -------
    DataFrame
        One row per quantity, most prior-sensitive first: quantity (``window_flux``, ``walk_scale``,
        ...), label (``"ocean 2014-2023"``), prior and likelihood, the sensitivities to all priors
        together and to the data; contraction, 1 less posterior over prior variance (parameters only);
        driver, the prior that moves it most on its own, and driver_sensitivity; noise, the prior
        sensitivity with the weights shuffled over the draws: what is below twice of it counts for
        nothing; verdict: "prior-driven" (prior sensitivity above the threshold, that to the data
        below), "prior and data both matter", or blank. Blank does not mean that the data decide:
        neither may.

    Raises
    ------
    InputError
        For a tree in place of a fit, and a threshold that is not positive.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> fitted = budget.fit(load_observations("global"), rng=1)  # doctest: +SKIP
    >>> power_scale(fitted, rng=2)[["quantity", "label", "verdict"]]  # doctest: +SKIP
    """
    require_fitted(fitted)
    check_number(threshold, key="threshold", least=0.0, above=True)
    chains, draws = next(iter(fitted.sampled.values.values())).shape[:2]
    most = LONG_DRAWS if len(fitted.annual.structure.y) > LONG else MOST_DRAWS
    kept = np.unique(np.linspace(0, draws - 1, min(draws, max(most // chains, 2))).astype(int))
    priors = log_priors(fitted)
    priors = {name: value[:, kept] for name, value in priors.items()}
    scaled = {name: _weights(value) for name, value in priors.items() if np.ptp(value) > 0.0}
    everything = _weights(np.sum(list(priors.values()), axis=0))
    data = _weights(log_likelihood(fitted, kept)), _weights(log_marginal(fitted, kept))
    generator = random.generator(rng)
    orders = [generator.permutation(everything[0].size) for _ in range(SHUFFLES)]
    lower, upper = (w.ravel() for w in everything)
    shape = everything[0].shape
    floors = [(lower[o].reshape(shape), upper[o].reshape(shape)) for o in orders]
    rows = []
    for name, label, quantity, contraction in _quantities(fitted, kept):
        by_prior = {prior: _sensitivity(quantity, weights) for prior, weights in scaled.items()}
        driver = max(by_prior, key=lambda prior: by_prior[prior])
        prior = _sensitivity(quantity, everything)
        likelihood = _sensitivity(quantity, data[name not in _FLUXES])
        noise = float(np.mean([_sensitivity(quantity, floor) for floor in floors]))
        rows.append(
            {
                "quantity": name,
                "label": label,
                "prior": prior,
                "likelihood": likelihood,
                "contraction": contraction,
                "driver": driver,
                "driver_sensitivity": by_prior[driver],
                "noise": noise,
                "verdict": _verdict(prior, likelihood, max(threshold, ABOVE_NOISE * noise)),
            }
        )
    table = pd.DataFrame(rows).sort_values("prior", ascending=False, kind="stable", ignore_index=True)
    table.attrs.update({"threshold": threshold, "alphas": ALPHAS, "draws": int(chains * len(kept))})
    return table


def _verdict(prior: float, likelihood: float, threshold: float) -> str:
    """Say what decides a quantity; `threshold` is already above the noise."""
    if prior < threshold:
        return ""
    return BOTH if likelihood >= threshold else PRIOR_DRIVEN


def log_priors(fitted: Fitted) -> dict[str, FloatArray]:
    """Return the log density of every prior that is scaled, up to a constant, shape (chain, draw).

    Parameters
    ----------
    fitted : Fitted
    """
    annual = fitted.annual
    out = {
        p.name: np.asarray(log_density(p, fitted.sampled.values[p.name]).sum(axis=-1))
        for p in annual.parameters.free
    }
    shape = next(iter(out.values())).shape
    coefficients = fitted.coefficients[0]
    for process in annual.structure.processes:
        if process.role != "flux" or process.kind != "constant":
            continue
        # f(t) = profile(t) u: read u where the profile is largest.
        at = int(np.argmax(np.abs(process.profile)))
        u = fitted.conditional.functions[process.name][:, at] / process.profile[at]
        value = -0.5 * u**2 / coefficients[:, process.coefficient]
        name = f"flux_{process.name.rsplit(' ', 1)[1]}"
        out[name] = out.get(name, np.zeros(shape)) + value.reshape(shape)
    return out


def log_density(parameter: Parameter, x: FloatArray) -> FloatArray:
    """Return the log prior density that is scaled, up to a constant: of log x for lognormals, else of x.

    Examples
    --------
    >>> import numpy as np
    >>> p = Parameter("error_scale", ("ocean",), "component", "lognormal", np.zeros(1), np.array([0.5]))
    >>> log_density(p, np.exp(np.array([0.0, 1.0])))
    array([-0., -2.])
    """
    a, b = parameter.a, parameter.b
    if parameter.family == "lognormal":
        return np.asarray(-0.5 * ((np.log(x) - a) / b) ** 2)
    if parameter.family == "halfnormal":
        return np.asarray(-0.5 * (x / b) ** 2)
    if parameter.family == "beta":
        return np.asarray((a - 1.0) * np.log(x) + (b - 1.0) * np.log1p(-x))
    return np.asarray((a - 1.0) * np.log(x) - b * x)


def log_likelihood(fitted: Fitted, kept: FloatArray | None = None) -> FloatArray:
    """Return log p(observations | fluxes, parameters), errors integrated out, shape (chain, draw).

    Parameters
    ----------
    fitted : Fitted
    kept : ndarray of int, optional
        Draws of every chain that are used; default all.
    """
    annual = fitted.annual
    posterior = fitted.tree["posterior"].to_dataset()
    places = np.arange(posterior.sizes["draw"]) if kept is None else kept
    chosen = posterior[["error", "rounding"]].isel(draw=places)
    # What is said less what is true: errors and rounding together are what the fluxes leave.
    apart = (chosen["error"] + chosen["rounding"]).values - annual.structure.offset
    shape = apart.shape[:2]
    values = {name: v[:, places].reshape(-1, v.shape[-1]) for name, v in fitted.sampled.values.items()}
    coefficients, correlations = annual.parameters.evaluate(values)
    e = apart.reshape(-1, apart.shape[-1])
    builder = Covariances(errors_only(annual.structure))
    out = np.empty(len(e))
    for block in builder.blocks(len(e)):
        lower = np.linalg.cholesky(builder.at(coefficients[block], correlations[block]))
        z = np.linalg.solve(lower, e[block][..., None])[..., 0]
        out[block] = -(0.5 * z**2 + np.log(np.diagonal(lower, axis1=1, axis2=2))).sum(axis=1)
    out = out + contrast_density(annual, tuple(range(len(annual.panels))), values, len(e))
    return out.reshape(shape)


def log_marginal(fitted: Fitted, kept: FloatArray | None = None) -> FloatArray:
    """Return log p(observations | parameters), fluxes and errors integrated out, shape (chain, draw).

    Parameters
    ----------
    fitted : Fitted
    kept : ndarray of int, optional
        Draws of every chain that are used; default all.
    """
    packed = fitted.likelihood.pack(fitted.sampled.values)
    packed = packed if kept is None else packed[:, kept]
    flat = np.ascontiguousarray(packed.reshape(-1, packed.shape[-1]))
    return np.array([fitted.likelihood(row)[0] for row in flat]).reshape(packed.shape[:2])


def errors_only(structure: Structure) -> Structure:
    """Return the structure of the errors: what observations see beside the fluxes."""
    kept = [i for i, p in enumerate(structure.processes) if p.role not in ("flux", "missing")]
    place = {old: new for new, old in enumerate(kept)}
    return replace(
        structure,
        processes=tuple(structure.processes[i] for i in kept),
        loading=structure.loading[:, kept],
        crosses=tuple(Cross(c.coefficient, place[c.first], place[c.second]) for c in structure.crosses),
    )


def _weights(log_values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the smoothed weights of the two powers, each summing to 1, shape (chain, draw)."""
    from arviz_stats.base.array import array_stats

    functions: Any = array_stats
    out = []
    for alpha in ALPHAS:
        log_weights = functions.power_scale_lw(log_values, alpha=alpha, axis=(-2, -1))
        weights = np.exp(log_weights - np.max(log_weights)).reshape(log_values.shape)
        out.append(weights / weights.sum())
    return out[0], out[1]


def _sensitivity(quantity: FloatArray, weights: tuple[FloatArray, FloatArray]) -> float:
    from arviz_stats.base.array import array_stats

    functions: Any = array_stats
    lower, upper = weights
    return float(functions.power_scale_sense(quantity, lower, upper, *ALPHAS))


def _quantities(fitted: Fitted, kept: FloatArray) -> list[tuple[str, str, FloatArray, float]]:
    """Return name, label, draws and contraction of every reported quantity that varies."""
    posterior = fitted.tree["posterior"].to_dataset().isel(draw=kept)
    prior = fitted.tree["prior"].to_dataset()
    out = []
    if "missing" in posterior:
        mean = posterior["missing"].mean("year").values
        out.append(("missing", "mean over the years", mean, float("nan")))
    for key, array in posterior.data_vars.items():
        name = str(key)
        if name in _NOT_REPORTED:
            continue
        dims = [d for d in array.dims if d not in ("chain", "draw")]
        stacked = array.stack(entry=dims).transpose("entry", "chain", "draw")
        before = np.full(stacked.sizes["entry"], np.nan)
        if name in prior:
            spread = prior[name].stack(entry=dims).transpose("entry", "chain", "draw")
            before = spread.values.var(axis=(1, 2))
        for label, values, was in zip(stacked["entry"].values, stacked.values, before, strict=True):
            text = " ".join(map(str, label)) if isinstance(label, tuple) else str(label)
            if np.isfinite(values).all() and np.ptp(values) > 0.0:
                out.append((name, text, np.ascontiguousarray(values), float(1.0 - values.var() / was)))
    return out
