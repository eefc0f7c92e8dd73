"""`reconcile`: an observation table in, a labelled posterior of the budget out, by any of the models."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk import rng as random
from sinkrisk.budget import closed
from sinkrisk.budget.arguments import MOST_DRAWS, check_choice, check_count, check_flag
from sinkrisk.budget.assembling import (
    constant_group,
    exact_group,
    observation_groups,
    pool_rows,
    posterior_group,
)
from sinkrisk.budget.balancing import warn_misfits
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.reading import read_table
from sinkrisk.budget.specification import ERRORS, MODELS, SAMPLERS, SERIES
from sinkrisk.errors import ConvergenceWarning, InputError, Problem, Problems

if TYPE_CHECKING:
    from sinkrisk.budget.hierarchical import Fitted

FEWEST_DRAWS = 8
"""Fewest draws of a sampled chain: R-hat and ESS compare its halves."""


def reconcile(
    observations: pd.DataFrame,
    model: str = "hierarchical",
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    rng: random.RandomSource = None,
    progress: object = None,
    attribution: str = "exclude",
    windows: Sequence[object] | None = None,
    errors: str = "shares",
    series: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    sampler: str = "nutpie",
    direct: bool = False,
    check: bool = True,
) -> xr.DataTree:
    """Reconcile stated estimates so that the carbon budget closes exactly in every draw.

    The models of years (`hierarchical`, the default; `open`; `robust`) give every component a flux in
    each year, let the errors live on years with a bias, an autocorrelated and a white share, and
    learn scales and shares from the data (`annual`, priors in ``priors/budget.csv``). Given those
    everything is Gaussian: the parameters are sampled with the fluxes integrated out, the fluxes then
    drawn exactly. `open` adds a flux the budget misses; its mean is confounded with the sum of the
    biases. `robust` gives each component and method a precision of its own.

    The model `closed` takes the stated errors as independent between estimates, components and
    windows, gives the fluxes flat priors, and conditions on
    ``fossil + land_use = atmosphere + ocean + land + cement``. Its posterior is Gaussian and known in
    closed form (`sinkrisk.budget.closed`); the draws are independent draws from it, not a Markov
    chain.

    Cement is part of the identity only where the table has rows for it; elsewhere fossil emissions
    are net of cement carbonation. One component may be without any row: closure determines it.

    Parameters
    ----------
    observations : DataFrame
        Rows of the observation schema, of one geography, in any unit of carbon or CO2 per year.
        ``total_emissions`` and ``imbalance`` are sums of the others and never enter. Rows of
        ``kind=projection`` enter with their stated sd (closed) or with extra sd (the others). Where sd
        is blank, low and high with the mass they hold are read as a central normal interval; the models
        of years also supply sds that a workbook does not state, and say so.
    model : {"hierarchical", "open", "robust", "closed"}
    draws, chains : int
        Draws per chain (of a sampled model at least 8) and chains.
    tune : int
        Steps per chain before them; not used by `closed`.
    rng : int, Generator or None
    progress : bool, optional
        Show a bar while sampling.
    attribution : {"exclude", "include"}
        Rows of ``method=attribution`` are shares of emissions, not measurements; they stay out unless
        included.
    windows : sequence, optional
        Labels ("1960-1969", "1960s"), years or pairs of years. `closed` reconciles these windows only;
        the models of years read every row and report these windows, by default those of the table, or
        the decades, the last ten years and the last year of a table of more than 40.
    errors : {"shares", "iid"}
        Error structure of the models of years; ``"iid"`` takes the stated sds as they are and all errors
        as independent between years, for comparison. Not for `closed`, as `series`, `fixed` and `direct`.
    series : {"assessed", "members"}, optional
        Which series of a workbook enter: assessed (default) or the individual estimates of ocean, land
        and land_use. Never both.
    fixed : mapping, optional
        Parameters held at a value, by name, one number or one for each entry: ``{"error_scale": 1.0}``,
        of the model `open` ``{"missing_scale": 1e-6}``. `budget.summarise_parameters` lists the names.
    sampler : {"nutpie", "pymc", "elliptical_slice"}
        nutpie is the fastest, but equal seeds give equal draws only up to rounding, which a chain amplifies
        to Monte Carlo error; the others repeat to the bit. Runs of a spec use ``"pymc"`` for that reason.
    direct : bool
        Sample all latent fluxes by NUTS instead, the cross-check of the marginal likelihood: minutes where
        the default takes seconds on Table 2, and out of reach on a workbook.
    check : bool
        Warn when a sampled model did not converge. A warning is all: `budget.gate` refuses.

    Returns
    -------
    DataTree
        ``posterior``: window_flux (chain, draw, component, window) and imbalance (chain, draw,
        window), GtC/yr; the models of years add flux (chain, draw, component, year), error and
        rounding (chain, draw, observation), the parameters (walk_scale, variability, error_scale,
        error_share, error_correlation, ...), and `open` missing (chain, draw, year), a flux into the
        air. The imbalance of a draw is the sum over components of sign x (stated mean -
        flux), sign +1 for sources and -1 for sinks, stated mean the inverse-variance pool of the
        component's estimates. The fluxes of a draw sum to zero, so it equals the imbalance of the
        stated means to rounding, the same in every draw; NaN in windows where a component was
        not stated. ``exact``: mean (component, window) and covariance (window, component,
        component_other). ``posterior_predictive`` and ``log_likelihood``: value (chain, draw,
        observation). ``observed_data``: value (observation). ``constant_data``: sd (observation),
        stated and stated_sd (component, window), sign, in_identity, printed_imbalance, start, end,
        constant_share (component; share of emissions of a constructed column, else NaN). ``prior``:
        draws of the parameters (models of years; the priors of `closed` are flat). ``sample_stats``
        and ``exact`` belong to sampled models and to `closed`. The root's attrs hold model, geography, seed,
        settings, notes and excluded rows (JSON).

    Raises
    ------
    InputError
        Before any computation: everything wrong with the arguments and the table.

    Warns
    -----
    ImbalanceWarning
        Before sampling, where the stated means of a window leave more than 4 of their sds.
    ConvergenceWarning
        After sampling, with the text of each check of `diagnose` that failed.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "component": ["fossil", "land_use", "atmosphere", "ocean", "land"],
    ...     "start": 2014, "end": 2023, "value": [9.7, 1.1, 5.2, 2.9, 3.2],
    ...     "sd": [0.5, 0.7, 0.2, 0.4, 0.9], "unit": "GtC/yr"})
    >>> tree = reconcile(frame, model="closed", rng=1)
    >>> tree["exact"]["mean"].sel(window="2014-2023").values.round(4)
    array([9.7714, 1.24  , 5.1886, 2.8543, 2.9686])

    What did not converge is refused, with the name of the quantity, before it is used:

    >>> from sinkrisk import budget
    >>> budget.gate(budget.diagnose(tree))
    ()
    """
    if model != "closed":
        return fit(
            observations,
            model,
            draws=draws,
            tune=tune,
            chains=chains,
            rng=rng,
            progress=progress,
            attribution=attribution,
            windows=windows,
            errors=errors,
            series=series,
            fixed=fixed,
            sampler=sampler,
            direct=direct,
            check=check,
        ).tree
    _check_arguments(
        model, draws=draws, tune=tune, chains=chains, rng=rng, errors=errors, series=series,
        sampler=sampler, progress=progress, direct=direct, check=check, fixed=fixed,
    )  # fmt: skip
    draws, chains = int(draws), int(chains)
    seed, generator = _seeded(rng)
    table = read_table(observations, attribution=attribution, windows=windows)
    warn_misfits(table.notes)

    statement = pool_rows(table)
    mean, covariance = closed.solve(*statement)
    atmosphere = table.components.index("atmosphere")
    flux = closed.draw(*statement, (chains, draws), atmosphere, generator)

    groups = {
        "posterior": posterior_group(table, statement, flux),
        "exact": exact_group(table, mean, covariance),
        **observation_groups(table, flux, generator),
        "constant_data": constant_group(table, statement),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(
        {
            "model": model,
            "model_description": MODELS[model],
            "geography": table.geography,
            "observations": table.file,
            "sources": "; ".join(dict.fromkeys(s for s in table.rows["source"] if s)),
            "seed": seed,
            "draws": draws,
            "chains": chains,
            "attribution": attribution,
            "sampling": "independent draws from the exact posterior; R-hat and ESS check only their number",
            "prior": "flat on every flux",
            "units": UNIT,
            "notes": json.dumps(list(table.notes)),
            "excluded": json.dumps(list(table.excluded)),
            "constant_shares": table.shares.to_json(orient="records"),
        }
    )
    return tree


def fit(
    observations: pd.DataFrame,
    model: str = "hierarchical",
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    rng: random.RandomSource = None,
    progress: object = None,
    attribution: str = "exclude",
    windows: Sequence[object] | None = None,
    errors: str = "shares",
    series: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    sampler: str = "nutpie",
    direct: bool = False,
    check: bool = True,
) -> Fitted:
    """Fit a model of years and keep what its comparisons need: `reconcile` with more than the tree.

    Parameters
    ----------
    observations, model, draws, tune, chains, rng, progress, attribution, windows, errors, series, fixed, \
sampler, direct, check
        As for `reconcile`; not ``model="closed"``, which has no parameters to fit.

    Returns
    -------
    Fitted
        ``tree`` is what `reconcile` returns; beside it the prepared table, the likelihood, the sampled
        parameters and the draws of every process, for `find_conflicts`, `compare_models`,
        `power_scale` and `trace_influence`.

    Raises
    ------
    InputError
        Before any computation: everything wrong with the arguments and the table.

    Warns
    -----
    ImbalanceWarning
        Before sampling, where the stated means of a window leave more than 4 of their sds.
    ConvergenceWarning
        After sampling, with the text of each check of `diagnose` that failed.

    Examples
    --------
    >>> from sinkrisk import load_observations
    >>> fitted = fit(load_observations("global"), rng=1)  # doctest: +SKIP
    >>> fitted.tree["posterior"]["flux"].dims  # doctest: +SKIP
    ('chain', 'draw', 'component', 'year')
    """
    _check_arguments(
        model, draws=draws, tune=tune, chains=chains, rng=rng, errors=errors, series=series,
        sampler=sampler, progress=progress, direct=direct, check=check, fixed=fixed,
    )  # fmt: skip
    if model == "closed":
        raise InputError(
            Problem(
                "the closed model has no parameters to fit",
                got=model,
                allowed="hierarchical, open, robust",
                hint="reconcile(..., model='closed') solves it",
                key="model",
            )
        )
    seed, generator = _seeded(rng)
    # The sampler and its compiler are imported only where they are used.
    from sinkrisk.budget.hierarchical import fit_annual

    fitted = fit_annual(
        observations,
        model=model,
        errors=errors,
        draws=int(draws),
        tune=int(tune),
        chains=int(chains),
        generator=generator,
        progress=bool(progress),
        attribution=attribution,
        series=series,
        windows=windows,
        fixed=fixed,
        sampler=sampler,
        direct=direct,
        attrs={"seed": seed, "model_description": MODELS[model]},
    )
    if check:
        warn_unconverged(fitted.tree)
    return fitted


def warn_unconverged(tree: xr.DataTree) -> None:
    """Warn with every check of a budget that failed, where one did."""
    from sinkrisk.budget.diagnostics import diagnose

    failed = [check for check in diagnose(tree) if check.passed is False]
    if failed:
        named = " ".join(f"[{check.name}] {check.text}" for check in failed)
        warnings.warn(
            f"the budget did not pass its checks and must not be used as it is: {named} Take more draws and "
            "tune steps; `budget.gate(budget.diagnose(tree))` refuses it, check=False says nothing",
            ConvergenceWarning,
            skip_file_prefixes=(os.path.dirname(os.path.dirname(__file__)),),
        )


def _seeded(rng: random.RandomSource) -> tuple[str, np.random.Generator]:
    """Return the seed in words, and the generator."""
    seed = str(int(rng)) if isinstance(rng, int | np.integer) else "unseeded" if rng is None else "generator"
    return seed, random.generator(int(rng) if isinstance(rng, np.integer) else rng)


def _check_arguments(
    model: object,
    *,
    draws: object,
    tune: object,
    chains: object,
    rng: random.RandomSource,
    errors: object,
    series: object,
    sampler: object,
    progress: object,
    direct: object,
    check: object,
    fixed: object,
) -> None:
    found = Problems()
    for name, got, allowed in (
        ("errors", errors, ERRORS),
        ("series", "assessed" if series is None else series, SERIES),
        ("sampler", sampler, SAMPLERS),
    ):
        check_choice(got, allowed, key=name, what=f"unknown {name}", found=found)
    check_choice(model, MODELS, key="model", what="unknown budget model", found=found)
    sampled = model != "closed"
    few = "R-hat and ESS compare the halves of a chain; 1000 is the default" if sampled else None
    check_count(
        draws, key="draws", least=FEWEST_DRAWS if sampled else 1, most=MOST_DRAWS, hint=few, found=found
    )
    check_count(tune, key="tune", least=0, most=MOST_DRAWS, found=found)
    check_count(chains, key="chains", least=1, most=64, found=found)
    for name, flag in (("progress", progress), ("direct", direct), ("check", check)):
        if not (name == "progress" and flag is None):
            check_flag(flag, key=name, found=found)
    if fixed is not None and not isinstance(fixed, Mapping):
        found.add("held parameters are given by name", got=fixed, allowed="{'error_scale': 1.0}", key="fixed")
    if not sampled:
        for name, given, why in (
            ("errors", errors == "iid", "it takes the stated errors as independent anyway"),
            ("series", series is not None, "it knows no panels of individual estimates"),
            ("fixed", bool(fixed), "it has no parameters"),
            ("direct", direct is True, "it is solved, not sampled"),
        ):
            if given:
                found.add(
                    f"the closed model has no '{name}'",
                    key=name,
                    hint=f"{why}: leave it out, or take a model of years",
                )
    if isinstance(rng, int | np.integer) and rng < 0:
        found.add("the seed must not be negative", got=int(rng), allowed=">= 0", key="seed")
    found.raise_if_any()
