"""The annual budget models, run: prepared rows in, a labelled posterior out.

`reconcile` calls this for the models `hierarchical`, `open` and `robust`. Parameters are sampled on the
marginal likelihood, fluxes and errors drawn exactly given each draw of them, so the budget closes in
every draw and every year.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from sinkrisk.budget.annual import AnnualModel, build_annual
from sinkrisk.budget.arguments import check_choice
from sinkrisk.budget.balancing import warn_misfits
from sinkrisk.budget.conditional import Conditional, draw_conditional
from sinkrisk.budget.hyper import load_hyper
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.labelling import label_draws, report_windows
from sinkrisk.budget.modelling import Likelihood, make_likelihood
from sinkrisk.budget.preparing import PreparedTable, prepare_rows
from sinkrisk.budget.sampling import Sampled, sample_parameters
from sinkrisk.budget.specification import ERRORS, MODELS
from sinkrisk.budget.structure import FloatArray
from sinkrisk.errors import Problems

_log = logging.getLogger(__name__)

MOST_WINDOWS_ROWS = 300
"""Most statements over windows longer than a year: their cost is cubic, 10 ms a gradient at 200."""

MOST_SERIES = 60
"""Most series with a stated error of their own: each adds states to every year."""


@dataclass(frozen=True)
class Fitted:
    """A fitted annual model, with what its checks and forecasts need.

    Parameters
    ----------
    prepared : PreparedTable
    likelihood : Likelihood
    sampled : Sampled
    conditional : Conditional
        Draws stacked: chain by chain.
    tree : DataTree
    """

    prepared: PreparedTable
    likelihood: Likelihood
    sampled: Sampled
    conditional: Conditional
    tree: xr.DataTree

    @property
    def annual(self) -> AnnualModel:
        """The model before sampling."""
        return self.likelihood.annual

    @property
    def coefficients(self) -> tuple[FloatArray, FloatArray]:
        """Coefficients and correlations of every draw, shape (draw, ...)."""
        return self.annual.parameters.evaluate(
            {name: v.reshape(-1, v.shape[-1]) for name, v in self.sampled.values.items()}
        )


def prepare_likelihood(
    observations: object,
    *,
    model: str = "hierarchical",
    errors: str = "shares",
    attribution: str = "exclude",
    series: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    engine: str | None = None,
) -> tuple[PreparedTable, Likelihood]:
    """Check a table and return it with the likelihood of an annual model, before any sampling.

    Raises
    ------
    InputError
        Everything wrong with the model, the table, its size or the held parameters.
    """
    found = Problems()
    years = tuple(name for name in MODELS if name != "closed")
    check_choice(model, years, key="model", what="not a model of years", found=found)
    check_choice(errors, ERRORS, key="errors", what="unknown errors", found=found)
    found.raise_if_any()
    prepared = prepare_rows(observations, attribution=attribution, series=series)
    check_size(prepared)
    annual = build_annual(prepared.rows, model=model, errors=errors, hyper=load_hyper(), fixed=fixed)
    prepared = replace(prepared, notes=(*prepared.notes, *annual.notes))
    return prepared, make_likelihood(annual, engine)


def check_size(prepared: PreparedTable) -> None:
    """Refuse tables that would take hours, and say what does the same work in seconds.

    Raises
    ------
    InputError
        For more statements over windows, or more series of their own error, than the limits.
    """
    rows = prepared.rows[prepared.rows["role"] != "member"]
    windows = int((rows["end"] > rows["start"]).sum())
    series = int(rows[["component", "method", "estimate"]].drop_duplicates().shape[0])
    found = Problems(file=prepared.file or None)
    hint = "pool the estimates of a window first (inverse-variance mean), or use model='closed'"
    if windows > MOST_WINDOWS_ROWS:
        found.add(
            "more statements over windows than a model of years can weigh in reasonable time",
            got=windows,
            allowed=f"at most {MOST_WINDOWS_ROWS}",
            hint=hint,
        )
    if series > MOST_SERIES:
        found.add(
            "more series with errors of their own than a model of years can carry",
            got=series,
            allowed=f"at most {MOST_SERIES}; individual estimates without an sd do not count",
            hint=hint,
        )
    found.raise_if_any()


def fit_annual(
    observations: object,
    *,
    model: str = "hierarchical",
    errors: str = "shares",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    generator: np.random.Generator,
    progress: bool = False,
    attribution: str = "exclude",
    series: str | None = None,
    windows: Sequence[object] | None = None,
    fixed: Mapping[str, Any] | None = None,
    sampler: str = "nutpie",
    direct: bool = False,
    attrs: Mapping[str, Any] | None = None,
) -> Fitted:
    """Fit an annual model; `reconcile` documents the arguments and the tree."""
    prepared, likelihood = prepare_likelihood(
        observations, model=model, errors=errors, attribution=attribution, series=series, fixed=fixed
    )
    warn_misfits(prepared.notes)
    # Windows that cannot be reported are refused before the sampler starts.
    labels = report_windows(prepared, likelihood.annual, windows)
    first, last = prepared.years
    count = len(prepared.rows[["component", "method", "estimate", "source"]].drop_duplicates())
    _log.info("sampling %d years x %d series, %d rows", last - first + 1, count, len(prepared.rows))
    if direct:
        from sinkrisk.budget.direct import sample_direct

        sampled, conditional = sample_direct(
            likelihood, draws=draws, tune=tune, chains=chains, generator=generator, progress=progress
        )
    else:
        sampled = sample_parameters(
            likelihood,
            draws=draws,
            tune=tune,
            chains=chains,
            generator=generator,
            progress=progress,
            sampler=sampler,
        )
        packed = {name: v.reshape(-1, v.shape[-1]) for name, v in sampled.values.items()}
        conditional = draw_conditional(likelihood, *likelihood.annual.parameters.evaluate(packed), generator)
    tree = label_draws(prepared, likelihood.annual, sampled, conditional, labels, generator)
    tree.attrs.update(attrs or {})
    tree.attrs.update(
        {
            "model": model,
            "errors": errors,
            "sampling": "direct NUTS over all latents" if direct else f"{sampler} on the marginal likelihood",
            "geography": prepared.geography,
            "observations": prepared.file,
            "sources": "; ".join(dict.fromkeys(s for s in prepared.rows["source"] if s)),
            "draws": draws,
            "chains": chains,
            "attribution": attribution,
            "series": series or "",
            "fixed": json.dumps({k: np.asarray(v).tolist() for k, v in (fixed or {}).items()}),
            "units": UNIT,
            "notes": json.dumps(list(prepared.notes)),
            "excluded": json.dumps(list(prepared.excluded)),
            "constant_shares": prepared.shares.to_json(orient="records"),
        }
    )
    return Fitted(prepared, likelihood, sampled, conditional, tree)
