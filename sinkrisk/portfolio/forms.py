"""What the room's functions hand to each other: what each must hold, by the argument's name"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from sinkrisk.arguments import Checker, Holding
from sinkrisk.errors import Problems
from sinkrisk.risk.quantiles import RESCALE

DRAWN = "joint draws come from sinkrisk.inputs.sample"
OUTCOMES = "outcomes come from sinkrisk.simulate"
DISCOUNTS = "discounts come from portfolio.credit_discounts"
PLANS = "plans come from portfolio.plan, shares from portfolio.load_portfolios"

checked = Checker(
    {
        "drawn": Holding(dims=("sample",), origin=DRAWN),
        "outcomes": Holding(dims=("sample", "portfolio"), origin=OUTCOMES),
        "decoupled": Holding(
            dims=("sample", "portfolio"), origin="simulate the same plans on portfolio.decouple_shocks(drawn)"
        ),
        "portfolios": Holding(origin=PLANS),
        "candidates": Holding(origin=PLANS),
        "plans": Holding(origin=PLANS),
        "measures": Holding(
            dims=("sample", "portfolio", "criterion"), origin="measures come from sinkrisk.measure"
        ),
        "summary": Holding(
            dims=("portfolio", "criterion", "statistic"), origin="a summary comes from sinkrisk.summarise"
        ),
        "ranking": Holding(variables=("rank_acceptability",), origin="a ranking comes from sinkrisk.rank"),
        "curves": Holding(
            variables=("price", "supply"), origin="curves come from portfolio.abatement_curves"
        ),
        "projected": Holding(
            variables=("co2_without_removal", "relief", "portfolio"),
            dims=("year",),
            origin="the air comes from portfolio.project_air",
        ),
        "discounts": Holding(
            variables=("factor", "discount"),
            dims=("sample",),
            origin=DISCOUNTS,
        ),
        "rates": Holding(
            dims=("statistic", "pathway", "other"), origin="rates come from portfolio.exchange_rates"
        ),
        "matrix": Holding(
            variables=("pathway_share_mean", "probability_active"), origin="it comes from portfolio.schedule"
        ),
        "atlas": Holding(variables=("possible",), origin="it comes from portfolio.suitability"),
        "budget": Holding(origin="a budget comes from sinkrisk.reconcile"),
        "network": Holding(dims=("sample",), origin="states come from sinkrisk.inputs.network_states"),
        "criteria": Holding(),
        "total": Holding(origin="write {'near_term': 1.0, ...} in GtCO2/yr"),
        "noise": Holding(origin="write {'removal_ratio': 0.1, ...}"),
        "target": Holding(origin="write {'net_removal': 60, 'unit': 'GtCO2', 'year': 2100}"),
        "decision": Holding(origin="write {'carbon_value': 250, 'shortfall_penalty': 300}"),
    }
)


def find_level_problem(found: Problems, level: float, name: str = "level") -> None:
    """Add a problem where the mass of an interval lies outside 0 to 1."""
    if not 0.0 < level < 1.0:
        found.add(f"{name} outside its range", got=level, allowed=f"0 < {name} < 1", key=name)


def find_sample_problem(found: Problems, given: Mapping[str, xr.Dataset | xr.DataArray]) -> None:
    """Add a problem where arguments are of different draws, with the size of each.

    Parameters
    ----------
    found : Problems
    given : mapping of str to Dataset or DataArray
        Argument name -> what was given; the first is what the others are held against.
    """
    (first, held), *others = given.items()
    for name, value in others:
        sizes = held.sizes["sample"], value.sizes["sample"]
        labelled = "sample" in held.coords and "sample" in value.coords
        if sizes[0] != sizes[1]:
            got = f"{sizes[1]} samples in {name}, {sizes[0]} in {first}"
        elif labelled and not np.array_equal(held["sample"].values, value["sample"].values):
            got = f"{sizes[1]} samples in {name} with other labels than the {sizes[0]} in {first}"
        else:
            continue
        found.add(
            f"{name} and {first} are of different draws",
            got=got,
            key=name,
            hint=f"take both of the same draws, for example {name}.sel(sample={first}['sample'])",
        )


def find_weight_problem(found: Problems, drawn: xr.Dataset) -> None:
    """Add a problem where the draws' probabilities do not sum to 1, as after taking some of the draws."""
    if "probability" not in drawn.variables or drawn["probability"].dims != ("sample",):
        return
    total = float(drawn["probability"].sum())
    if not abs(total - 1.0) <= 1e-6:
        found.add("probabilities do not sum to 1", got=total, key="probability", hint=RESCALE)
