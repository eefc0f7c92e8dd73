"""The `scenarios` and `optimize` sections of an analysis spec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sinkrisk.portfolio.specification import Planned

Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ScenarioSpec(BaseModel):
    """How many scenarios are handed to optimizers, and how they are picked.

    Parameters
    ----------
    n : int
        Scenarios.
    method : {"forward_selection", "sample"}
        Fast forward selection, or equally probable draws.
    """

    model_config = ConfigDict(extra="forbid")

    n: int = Field(default=50, ge=1)
    method: Literal["forward_selection", "sample"] = "forward_selection"


class OptimizeSpec(BaseModel):
    """The two-stage mean-CVaR programme; see `sinkrisk.scenarios.optimize` for each term.

    Parameters
    ----------
    target : float or mapping, optional
        Durable removal: cumulative GtCO2 over all periods, or period -> GtCO2/yr. Left out: the
        analysis' own target.
    cvar_level, risk_weight : float
    shortfall_penalty : float, optional
        USD/tCO2, money of the period in which the target is missed. Left out: the highest unit cost
        of any scenario.
    commitment_share : float
        Share of the cost at the start of the curve owed for what is planned and not delivered; 0
        pays for delivered tonnes only, as the simulation does.
    curtail : bool
        Whether captures may be left undone once the scenario is known; the simulation never does.
    segments : int
        Straight pieces that stand for each cost curve.
    total : mapping, optional
        period -> GtCO2/yr, cap on the sum of the plans. Left out: the totals of the portfolios.
    max_share : float, optional
    budget : float, optional
        Billion USD.
    minimum, maximum : mapping, optional
        pathway -> GtCO2/yr.
    time_limit : float
        Seconds.
    """

    model_config = ConfigDict(extra="forbid")

    target: Amount | dict[str, Amount] | None = None
    cvar_level: float = Field(default=0.9, ge=0.0, lt=1.0)
    risk_weight: Share = 0.5
    shortfall_penalty: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    commitment_share: Share = 0.0
    curtail: bool = False
    segments: int = Field(default=4, ge=1, le=32)
    total: dict[str, Planned] | None = None
    max_share: float | None = Field(default=None, gt=0.0, le=1.0)
    budget: Amount | None = None
    minimum: dict[str, Planned] | None = None
    maximum: dict[str, Planned] | None = None
    time_limit: float = Field(default=120.0, gt=0.0)
