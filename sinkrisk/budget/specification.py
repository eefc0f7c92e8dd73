"""The `budget` section of a run's spec, and the budget models there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from sinkrisk.budget.windows import PERIODS, parse_window, window_label
from sinkrisk.errors import InputError, Problem, Problems

MODELS: dict[str, str] = {
    "hierarchical": "annual fluxes, errors on years with bias, autocorrelated and white shares",
    "open": "hierarchical, with a flux the budget misses",
    "robust": "hierarchical, with a precision of its own for every component and method",
    "closed": "stated errors independent, windows independent, flat priors; exact",
}
"""Name -> one line on each budget model."""

ERRORS: tuple[str, ...] = ("shares", "iid")
"""Error structures of the models of years."""

SERIES: tuple[str, ...] = ("assessed", "members")
"""Which series of a workbook enter."""

SAMPLERS: tuple[str, ...] = ("nutpie", "pymc", "elliptical_slice")
"""Samplers of the parameters: nutpie is the fastest, but equal seeds give equal draws only up to rounding,
which a chain amplifies (its linear algebra rounds by memory address); the other two repeat to the bit."""

RHAT_MAX = 1.01
"""Largest accepted R-hat (rank-normalised, split), the usual threshold of the field."""

ESS_MIN = 400.0
"""Smallest accepted effective sample size, bulk and tail: about 100 per chain of four."""

RUN_ESS_MIN = 1000.0
"""Smallest effective sample size a run accepts, bulk and tail: what it reports holds to about 3 % of a
posterior sd, and a 5 % quantile is pinned by some fifty draws beyond it."""

CLOSURE_MAX = 1e-9
"""Largest accepted |sources - sinks| in any draw, GtC/yr."""


class BudgetSpec(BaseModel):
    """How the budget of a run is reconciled.

    Parameters
    ----------
    observations : str
        A packaged table ("global", "china") or the path of a CSV in the same schema.
    model : str
        One of `MODELS`.
    errors : {"shares", "iid"}
        Error structure of the models of years.
    series : {"assessed", "members"}, optional
        Which series of a workbook enter.
    sampler : {"pymc", "nutpie", "elliptical_slice"}
        Sampler of the models of years. Default PyMC's own NUTS: a run of equal spec, data and seed must
        give equal values, which nutpie does not.
    draws, tune, chains : int
        Posterior draws per chain, tuning steps (exact models need none) and chains.
    attribution : {"exclude", "include"}
        Whether rows of ``method=attribution`` (shares of emissions, not measurements) enter.
    level : float
        Mass of the equal-tailed intervals reported.
    windows : list, optional
        Reconcile these windows only: labels as the results print them (``'2014-2023'``), years
        (``2024`` or ``[2024]``) or spans ``[first year, last year]``. A single label or year may
        stand without the list.
    rhat_max, ess_min, closure_max : float
        Thresholds of the gate. With fewer draws than `ess_min` in all chains no run can pass.

    Examples
    --------
    >>> BudgetSpec(observations="global", windows=["2000-2009", [2014, 2023], 2024]).window_labels
    ('2000-2009', '2014-2023', '2024')
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    observations: str = Field(default="global", min_length=1)
    model: Literal["hierarchical", "open", "robust", "closed"] = "hierarchical"
    errors: Literal["shares", "iid"] = "shares"
    series: Literal["assessed", "members"] | None = None
    sampler: Literal["nutpie", "pymc", "elliptical_slice"] = "pymc"
    draws: int = Field(default=1000, ge=1, le=1_000_000)
    tune: int = Field(default=1000, ge=0, le=1_000_000)
    chains: int = Field(default=4, ge=2, le=64)
    attribution: Literal["exclude", "include"] = "exclude"
    level: float = Field(default=0.9, gt=0.0, lt=1.0)
    windows: list[Annotated[tuple[int, int], BeforeValidator(parse_window)]] | None = Field(
        default=None, min_length=1
    )
    rhat_max: float = Field(default=RHAT_MAX, gt=1.0)
    ess_min: float = Field(default=RUN_ESS_MIN, gt=0.0)
    closure_max: float = Field(default=CLOSURE_MAX, gt=0.0)

    @field_validator("windows", mode="before")
    @classmethod
    def _windows_are_a_list(cls, value: object) -> object:
        if value is None or isinstance(value, list | tuple):
            return value
        if isinstance(value, str | int):
            return [value]
        raise InputError(Problem("windows must be a list", got=value, allowed=f"a list, each item {PERIODS}"))

    @model_validator(mode="after")
    def _closed_has_no_errors_of_its_own(self) -> BudgetSpec:
        found = Problems()
        if self.model == "closed":
            for name, given in (("errors", self.errors == "iid"), ("series", self.series is not None)):
                if given:
                    found.add(
                        f"the closed model has no '{name}'",
                        got=getattr(self, name),
                        allowed="nothing here, or a model of years",
                        key=name,
                        hint="leave it out, or take model: hierarchical",
                    )
        found.raise_if_any()
        return self

    @property
    def window_labels(self) -> tuple[str, ...] | None:
        """Labels of the selected windows, or None for all."""
        return None if self.windows is None else tuple(window_label(*window) for window in self.windows)

    @property
    def is_file(self) -> bool:
        """Whether `observations` names a file rather than a packaged table."""
        return Path(self.observations).suffix != ""
