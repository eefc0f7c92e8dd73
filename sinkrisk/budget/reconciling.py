"""`reconcile`: an observation table in, a labelled posterior of the closed budget out."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from sinkrisk import rng as random
from sinkrisk.budget import closed
from sinkrisk.budget.assembling import (
    constant_group,
    exact_group,
    observation_groups,
    pool_rows,
    posterior_group,
)
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.reading import read_table
from sinkrisk.budget.specification import MODELS
from sinkrisk.budget.trees import group
from sinkrisk.errors import InputError, Problem, Problems


def reconcile(
    observations: pd.DataFrame,
    model: str = "closed",
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    rng: random.RandomSource = None,
    progress: object = None,
    attribution: str = "exclude",
    windows: Sequence[object] | None = None,
) -> xr.DataTree:
    """Reconcile stated estimates so that the carbon budget closes exactly in every draw.

    The model `closed` takes the stated errors as independent between estimates, components and
    windows, gives the fluxes flat priors, and conditions on
    ``fossil + land_use = atmosphere + ocean + land + cement``. Its posterior is Gaussian and known in
    closed form (`sinkrisk.budget.closed`); the draws are independent draws from it, not a Markov
    chain. Cement is part of a window's identity only where the table has a row for it; elsewhere
    fossil emissions are net of cement carbonation and the cement flux is NaN. A component without a
    row in a window is determined by closure when it is the only one.

    Parameters
    ----------
    observations : DataFrame
        Rows of the observation schema, of one geography, in any unit of carbon or CO2 per year.
        ``total_emissions`` and ``imbalance`` are sums of the others and never enter. Rows of
        ``kind=projection`` enter with their stated sd. Where sd is blank, low and high with the mass
        they hold are read as a central normal interval.
    model : str
        One of the budget models; ``"closed"``.
    draws, chains : int
        Draws per chain and chains.
    tune : int
        Not used by an exact model; accepted so that every model is called alike.
    rng : int, Generator or None
    progress : object, optional
        Not used by an exact model.
    attribution : {"exclude", "include"}
        Rows of ``method=attribution`` are shares of emissions, not measurements; they stay out unless
        included.
    windows : sequence, optional
        Reconcile these windows only: labels ("1960-1969", "1960s"), years or pairs of years.

    Returns
    -------
    DataTree
        ``posterior``: window_flux (chain, draw, component, window) and imbalance (chain, draw,
        window), GtC/yr. The imbalance of a draw is the sum over components of sign x (stated mean -
        flux), sign +1 for sources and -1 for sinks, stated mean the inverse-variance pool of the
        component's estimates. The fluxes of a draw sum to zero, so it equals the imbalance of the
        stated means to rounding, the same in every draw; NaN in windows where a component was
        not stated. ``exact``: mean (component, window) and covariance (window, component,
        component_other). ``posterior_predictive`` and ``log_likelihood``: value (chain, draw,
        observation). ``observed_data``: value (observation). ``constant_data``: sd (observation),
        stated and stated_sd (component, window), sign, in_identity, printed_imbalance, start, end,
        constant_share (component; share of emissions of a constructed column, else NaN). The priors
        are flat, so there is no ``prior`` group. The root's attrs hold model, geography, seed,
        settings, notes and excluded rows (JSON).

    Raises
    ------
    InputError
        Before any computation: everything wrong with the arguments and the table.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "component": ["fossil", "land_use", "atmosphere", "ocean", "land"],
    ...     "start": 2014, "end": 2023, "value": [9.7, 1.1, 5.2, 2.9, 3.2],
    ...     "sd": [0.5, 0.7, 0.2, 0.4, 0.9], "unit": "GtC/yr"})
    >>> tree = reconcile(frame, rng=1)
    >>> tree["exact"]["mean"].sel(window="2014-2023").values.round(4)
    array([9.7714, 1.24  , 5.1886, 2.8543, 2.9686])
    """
    _check_arguments(model, draws, tune, chains, rng)
    table = read_table(observations, attribution=attribution, windows=windows)
    seed = str(int(rng)) if isinstance(rng, int | np.integer) else "unseeded" if rng is None else "generator"
    generator = random.generator(int(rng) if isinstance(rng, np.integer) else rng)

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


def get_flux(tree: xr.DataTree) -> xr.DataArray:
    """Return the annual fluxes of a budget whose model has them.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.

    Returns
    -------
    DataArray
        flux (chain, draw, component, year), GtC/yr.

    Raises
    ------
    InputError
        For the closed model, which reconciles windows as wholes.
    """
    posterior = group(tree, "posterior")
    if "flux" in posterior:
        return posterior["flux"]
    raise InputError(
        Problem(
            f"the model '{tree.attrs.get('model', 'closed')}' has no annual flux",
            allowed="posterior['window_flux'], the mean over each window",
            hint="it reconciles every window as a whole and knows no years inside it; "
            "a decade's mean does not say how the decade's years differ",
        )
    )


def _check_arguments(model: str, draws: int, tune: int, chains: int, rng: random.RandomSource) -> None:
    found = Problems()
    if model not in MODELS:
        found.add("unknown budget model", got=model, allowed=tuple(MODELS), key="model")
    for name, number, least in (("draws", draws, 1), ("tune", tune, 0), ("chains", chains, 1)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
            found.add("must be a whole number", got=number, allowed=f">= {least}", key=name)
    if isinstance(rng, int | np.integer) and rng < 0:
        found.add("the seed must not be negative", got=int(rng), allowed=">= 0", key="seed")
    found.raise_if_any()
