"""What a spec says about portfolios, the target and the ranking, as models that refuse unknown keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sinkrisk import shapes, units
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.variables import BEYOND_SENSE, MOST_PLANNED

AXES: tuple[str, ...] = (
    "sequestration_rate",
    "storage_permanence",
    "technological_maturity",
    "marginal_abatement_cost",
    "energy_intensity",
    "ecological_risk",
)
"""The six axes of the review's section 4.1.1: the criteria a ranking takes when none are named."""


Planned = Annotated[float, Field(ge=0.0, le=MOST_PLANNED, allow_inf_nan=False), shapes.Reason(BEYOND_SENSE)]
"""An amount that is planned, GtCO2/yr."""

Concentration = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
"""A Dirichlet concentration of a criterion's weight."""


def _no_repeats(names: Iterable[str], kind: str, key: str | None = None) -> None:
    """Refuse a list of a spec that names an entry twice."""
    given = list(names)
    twice = [name for name in dict.fromkeys(given) if given.count(name) > 1]
    if twice:
        raise InputError(
            Problem(f"a {kind} named twice", got=", ".join(twice), allowed=f"each {kind} once", key=key)
        )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PortfolioSpec(_Strict):
    """Which portfolios are compared, and how much they plan.

    Parameters
    ----------
    file : str, optional
        CSV of shares (`candidates.load_portfolios`); the review's strategies when left out.
    names : list of str, optional
        Portfolios to keep; all when left out.
    total : dict of str to float
        Period -> planned total, GtCO2/yr.

    Examples
    --------
    >>> PortfolioSpec(names=["phased"], total={"near_term": 1, "mid_term": 4, "long_term": 8}).total
    {'near_term': 1.0, 'mid_term': 4.0, 'long_term': 8.0}
    """

    file: str | None = None
    names: list[str] | None = None
    total: dict[str, Planned]

    @field_validator("total")
    @classmethod
    def _total(cls, value: dict[str, float]) -> dict[str, float]:
        if not any(v > 0.0 for v in value.values()):
            problem = "at least one period needs a positive total"
            raise InputError(Problem(problem, got=value, allowed="GtCO2/yr by period, one of them above 0"))
        return value


class TargetSpec(_Strict):
    """What the portfolios are held against: a cumulative durable removal.

    Parameters
    ----------
    net_removal : float
        Cumulative durable removal, positive, in `unit`: gross removal times the share still stored
        100 years after storage.
    unit : str
        A unit of mass of carbon or CO2, converted to GtCO2.
    year : int
        Until when, see `criteria.years_until`.

    Examples
    --------
    >>> round(TargetSpec(net_removal=30, unit="GtC", year=2080).net_removal_gtco2)
    110
    """

    net_removal: float = Field(gt=0.0, allow_inf_nan=False)
    unit: str = "GtCO2"
    year: int = 2100

    @field_validator("unit")
    @classmethod
    def _unit(cls, value: str) -> str:
        # InputError is a ValueError, so pydantic reports it with its place.
        units.factor(value, "GtCO2")
        return value

    @model_validator(mode="after")
    def _sensible(self) -> TargetSpec:
        if self.net_removal_gtco2 > MOST_PLANNED:
            got, allowed = f"{self.net_removal:g} {self.unit}", f"above 0, to {MOST_PLANNED:.0f} GtCO2"
            raise InputError(Problem("target beyond sense", got=got, allowed=allowed, hint=BEYOND_SENSE))
        return self

    @property
    def net_removal_gtco2(self) -> float:
        """The target in GtCO2."""
        return self.net_removal * units.factor(self.unit, "GtCO2")


class RankSpec(_Strict):
    """How portfolios are ranked.

    Parameters
    ----------
    criteria : list of str
        Criteria that count; when left out those that `weights` names, or else the review's six
        axes.
    weights : "uniform", dict or list
        "uniform": every weighting is as likely. A dict criterion -> Dirichlet concentration. A
        list of the criteria, the most important first (ordinal).

    Examples
    --------
    >>> RankSpec(weights=["shortfall", "total_cost"]).criteria
    ['shortfall', 'total_cost']
    """

    criteria: list[str] = Field(default_factory=lambda: list(AXES), min_length=1)
    weights: Literal["uniform"] | dict[str, Concentration] | list[str] = "uniform"

    @model_validator(mode="before")
    @classmethod
    def _named_by_weights(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("criteria") is None:
            weights = data.get("weights")
            named = list(weights) if isinstance(weights, (dict, list)) else []
            # Names that are no text are said of the weights, where they stand.
            sound = named and all(isinstance(name, str) for name in named)
            return {**data, "criteria": named if sound else list(AXES)}
        return data

    @field_validator("criteria")
    @classmethod
    def _criteria(cls, value: list[str]) -> list[str]:
        _no_repeats(value, "criterion")
        return value

    @model_validator(mode="after")
    def _weights(self) -> RankSpec:
        if not isinstance(self.weights, str):
            _no_repeats(self.weights, "criterion", "weights")
            if set(self.criteria) != set(self.weights):
                raise InputError(
                    Problem(
                        "weights and criteria name different criteria",
                        got=", ".join(self.weights),
                        allowed=f"each of {', '.join(self.criteria)}, and no other",
                        key="weights",
                        hint="leave out 'criteria' to rank by those that 'weights' names",
                    )
                )
        return self


class OutlookSpec(_Strict):
    """Under which emissions the air is projected.

    Parameters
    ----------
    emissions : str, optional
        CSV of emission paths gross of removal (`sinkrisk.budget.read_emissions`); the library's when
        left out.
    scenario : str, optional
        Which path of it; "decline" of the library when both are left out.
    until : int
        Last year, to 2200.
    gross, extend : str
        How a path net of its own removal becomes gross, and how one that ends early goes on; see
        `sinkrisk.budget.outlook`.

    Examples
    --------
    >>> OutlookSpec().until
    2200
    """

    emissions: str | None = None
    scenario: str | None = None
    until: int = Field(default=2200, ge=2100, le=2200)
    gross: Literal["floor", "as_given"] = "floor"
    extend: Literal["none", "hold", "taper"] = "hold"


class SurveySpec(_Strict):
    """What is worked out of places, credits and costs before any portfolio is looked at.

    Parameters
    ----------
    method : {"topsis", "vikor", "promethee"}
        Multi-criteria method of the suitability.
    draws : int
        Draws of its scores and weights.
    prices : list of float
        Prices at which the abatement curves are tabulated, USD/tCO2.

    Examples
    --------
    >>> SurveySpec(prices=[50, 100]).prices, SurveySpec().method
    ([50.0, 100.0], 'topsis')
    """

    prices: list[float] = Field(
        default_factory=lambda: [25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0]
    )
    method: Literal["topsis", "vikor", "promethee"] = "topsis"
    draws: int = Field(default=1000, ge=100, le=100_000)

    @field_validator("prices")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        pairs = zip([0.0, *value], value, strict=False)
        if not value or not all(low < high < float("inf") for low, high in pairs):
            problem = "prices must be positive, finite and rise"
            raise InputError(Problem(problem, got=value, allowed="for example [50, 100, 200], USD/tCO2"))
        return value


class DecisionSpec(_Strict):
    """What a tonne is worth and a missed one costs: the coefficients of the net benefit.

    Parameters
    ----------
    carbon_value : float
        Worth of one tonne of durable removal at the start of the first period, USD/tCO2.
    carbon_value_growth : float
        Yearly rise of that worth, 1/yr.
    shortfall_penalty : float
        Charge on each tonne by which the target is missed, USD/tCO2, in money of the period that
        holds the target year.
    discounting : "all" or "none"
        "all": worth, cost and penalty are discounted to the start of the first period at each draw's
        own rate. "none": nothing is.

    Examples
    --------
    >>> DecisionSpec(carbon_value=200).discounting
    'all'
    """

    carbon_value: float = Field(ge=0.0, allow_inf_nan=False)
    carbon_value_growth: float = Field(default=0.0, ge=0.0, le=0.2)
    shortfall_penalty: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    discounting: Literal["all", "none"] = "all"


class AdaptSpec(_Strict):
    """Deciding again in every period, and warning of a missed target.

    Parameters
    ----------
    candidates : list of str
        Portfolios of the run between which every period may choose, two to six.
    signals : list of str, optional
        What monitoring sees; those of `signalling.DEFAULT` when left out.
    caution : float
        Standard errors by which leaving the fixed course must be better.
    false_alarm_rate : float
        Share of sound draws in which an alarm is accepted.

    Examples
    --------
    >>> AdaptSpec(candidates=["phased", "nature_first"]).caution
    2.0
    """

    candidates: list[str] = Field(min_length=2, max_length=6)
    signals: list[str] | None = None
    caution: float = Field(default=2.0, ge=0.0, allow_inf_nan=False)
    false_alarm_rate: float = Field(default=0.1, gt=0.0, lt=0.5)

    @field_validator("candidates")
    @classmethod
    def _apart(cls, value: list[str]) -> list[str]:
        _no_repeats(value, "portfolio")
        return value

    @field_validator("signals")
    @classmethod
    def _signals(cls, value: list[str] | None) -> list[str] | None:
        from sinkrisk.portfolio.signalling import OF_DRAWS, OF_OUTCOMES

        known = [*OF_OUTCOMES, *OF_DRAWS]
        if value == []:
            hint = "leave the key out to watch the default ones"
            raise InputError(Problem("no signal at all", got=value, allowed=known, hint=hint))
        found = Problems()
        for index, name in enumerate(value or ()):
            if name.split(":")[0] not in known:
                found.add("unknown signal", got=name, allowed=known, key=str(index))
        found.raise_if_any()
        return value


def make_decision(decision: DecisionSpec | Mapping[str, Any]) -> DecisionSpec:
    """Return a decision section from a mapping, with every problem in one `InputError`."""
    if isinstance(decision, DecisionSpec):
        return decision
    return _made(DecisionSpec, decision, "decision")


def make_target(target: TargetSpec | Mapping[str, Any]) -> TargetSpec:
    """Return a target from a mapping, with every problem in one `InputError`."""
    if isinstance(target, TargetSpec):
        return target
    return _made(TargetSpec, target, "target")


def _made[Model: BaseModel](model: type[Model], given: Mapping[str, Any], section: str) -> Model:
    if not isinstance(given, Mapping):
        allowed = f"a mapping with {', '.join(model.model_fields)}"
        raise InputError(Problem(f"{section}: no mapping", got=given, allowed=allowed, key=section))
    made, faults = shapes.read(model, dict(given))
    if made is None:
        raise InputError([replace(f.problem, key=".".join([section, *map(str, f.keys)])) for f in faults])
    return made
