"""A solved programme: the plan, its certificate, and its figures in and out of sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

UNIT = "GtCO2/yr"
MONEY = "billion USD, present value"


@dataclass(frozen=True)
class Optimum:
    """A solved programme.

    Parameters
    ----------
    planned : DataArray, (pathway, period)
        GtCO2/yr.
    table : DataFrame
        pathway, period, planned, unit.
    loss : DataArray, (sample,)
        Cost and penalty in each scenario, billion USD present value, recomputed from the plan.
    objective : float
        ``(1 - risk_weight) * expected loss + risk_weight * CVaR``, billion USD.
    bound : float
        No plan within the bounds has a lower objective on these scenarios.
    expected_loss, expected_cost, cvar, value_at_risk : float
        Billion USD present value; CVaR and VaR of the loss at `cvar_level`. Like all numbers here
        they are of the scenarios the plan was chosen on, and so too good.
    expected_shortfall : float
        GtCO2.
    probability_met : float
        Probability of the scenarios whose target is met.
    status : str
        "optimal", or "within gap" where the plan is proven to lie within `gap` of the best one.
    gap : float
        Relative distance of the objective to `bound`, or with `curtail` the larger of the solver's
        primal-dual difference and that between its objective and the one recomputed.
    linearisation : float
        Most by which the straight pieces misstate the expected cost of any plan, billion USD.
    scenarios : int
    effective_scenarios : float
        ``1 / sum p**2``: so many equally probable scenarios are as uneven.
    wasserstein : float
        Distance of the scenarios to all draws, in RMS standard deviations; NaN where not known.
    cvar_level, risk_weight, shortfall_penalty, commitment_share : float
    curtail : bool
    segments : int
    year : int or None
    target : float or mapping
        As used.
    sentence : str
    out_of_sample : mapping, optional
        From `sinkrisk.scenarios.validate`: the same figures on draws the plan was not chosen on.
    """

    planned: xr.DataArray
    table: pd.DataFrame
    loss: xr.DataArray
    objective: float
    bound: float
    expected_loss: float
    expected_cost: float
    cvar: float
    value_at_risk: float
    expected_shortfall: float
    probability_met: float
    status: str
    gap: float
    linearisation: float
    scenarios: int
    effective_scenarios: float
    wasserstein: float
    cvar_level: float
    risk_weight: float
    shortfall_penalty: float
    commitment_share: float
    curtail: bool
    segments: int
    year: int | None
    target: float | Mapping[str, float]
    sentence: str
    out_of_sample: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """Return the numbers and the sentence as what ``optimum.json`` holds.

        ``in_sample`` are figures on the scenarios the plan was chosen on, ``out_of_sample`` (null
        where the plan was not validated) those on fresh draws.
        """
        names = (
            "status", "gap", "linearisation", "cvar_level", "risk_weight", "shortfall_penalty",
            "commitment_share", "curtail", "segments", "sentence",
        )  # fmt: skip
        figures = (
            "objective", "bound", "expected_loss", "expected_cost", "expected_shortfall",
            "probability_met", "value_at_risk", "cvar",
        )  # fmt: skip
        known = math.isfinite(self.wasserstein)
        return {
            **{name: getattr(self, name) for name in names},
            "in_sample": {name: getattr(self, name) for name in figures},
            "out_of_sample": None if self.out_of_sample is None else dict(self.out_of_sample),
            "reduction": {
                "scenarios": self.scenarios,
                "effective_scenarios": self.effective_scenarios,
                "wasserstein": self.wasserstein if known else None,
            },
            "units": {"money": MONEY, "shortfall": "GtCO2", "planned": UNIT},
        }


def in_sample_sentence(
    plan: xr.DataArray,
    wanted: Any,
    missing: float,
    met: float,
    tail: float,
    level: float,
    count: int,
    penalty: float,
) -> str:
    """Return the plan's leaders and its figures in sample, named as such."""
    last = plan.isel(period=-1)
    order = np.argsort(-last.values, kind="stable")
    leaders = [f"{last['pathway'].values[k]} {last.values[k]:.2g}" for k in order[:3] if last.values[k] > 0]
    lead = f", led by {', '.join(leaders)}" if leaders else ""
    reached = f"{float(last.sum()):.2g} GtCO2/yr in {last['period'].item()}{lead}"
    return (
        f"At a penalty of {penalty:,.0f} USD per tCO2 short, the least-loss plan reaches {reached}. "
        f"In sample, on the {count} scenarios it was chosen on, it meets the target of "
        f"{float(np.sum(wanted)):.3g} GtCO2 durable removal with probability {met:.2f}, falls "
        f"{missing:.3g} GtCO2 short on average, and loses {tail:,.0f} billion USD on average in the "
        f"worst {1.0 - level:.0%} of cases."
    )
