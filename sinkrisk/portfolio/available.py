"""Before any simulation: the capacity there is and its limits, how stores keep, which plans ask too much"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.arguments import Holding
from sinkrisk.portfolio import engine
from sinkrisk.portfolio.checking import find_input_problems
from sinkrisk.portfolio.forms import DRAWN, checked
from sinkrisk.portfolio.labels import arrays_of, check_size, coords_of, layout_of, rows_of, validated
from sinkrisk.results import Check

Floats = NDArray[np.float64]


@checked(drawn=Holding(origin=DRAWN))
def capacity(drawn: xr.Dataset, *, block: int = 1024) -> xr.Dataset:
    """Return what can be deployed where and when, before any plan, and what limits it.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``).
    block : int
        Samples worked on at once.

    Returns
    -------
    Dataset
        ``available`` (sample, pathway, region, period), GtCO2/yr: the potential of the region, what
        growth from today's capacity allows, or what a shared resource suffices for, whichever is least
        (`gate.open_gate`). ``deployable_fraction`` (same dims), 1: what the deployment mode lets through.
        ``limiting`` (same dims), int8: which of them is the least; its attrs ``flag_values`` and
        ``flag_meanings`` name them (potential, growth, then the resources).

    Raises
    ------
    InputError
        Everything wrong with `drawn`, at once.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> room = capacity(drawn)
    >>> room["available"].dims, room["available"].attrs["units"]
    (('sample', 'pathway', 'region', 'period'), 'GtCO2/yr')
    >>> of_daccs = room["available"].sel(pathway="daccs").sum("region")
    >>> bool((of_daccs.diff("period") > 0.0).all())  # what starts small grows
    True
    """
    check_size("block", block)
    find_input_problems(drawn).raise_if_any()
    layout, arrays, n = layout_of(drawn), arrays_of(drawn), drawn.sizes["sample"]
    shape = (n, layout.periods, layout.pathways, layout.regions)
    available, fraction, limiting = np.empty(shape), np.empty(shape), np.empty(shape, np.int8)
    for start in range(0, n, block):
        some = slice(start, min(start + block, n))
        rows = rows_of(arrays, some.start, some.stop)
        available[some], limiting[some] = engine.available_capacity(rows, layout)
        fraction[some] = engine.deployment(rows, layout)[0]
    meanings = ["potential", "growth", *layout.resources]
    flags = {"flag_values": list(range(len(meanings))), "flag_meanings": " ".join(meanings), "units": "1"}
    dims = ("sample", "period", "pathway", "region")
    out = xr.Dataset(
        {
            "available": (dims, available, {"units": "GtCO2/yr"}),
            "deployable_fraction": (dims, fraction, {"units": "1"}),
            "limiting": (dims, limiting, flags),
        },
        coords=coords_of(drawn, {"pathway", "region", "period", "sample"}),
    )
    return out.transpose("sample", "pathway", "region", "period")


def durable_fraction(drawn: xr.Dataset) -> xr.DataArray:
    """Return durable removal per tonne captured, by the engine's own stores and ledgers.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs; only what ledgers and stores read needs to be there.

    Returns
    -------
    DataArray, (sample, pathway, region, period)
        1: share in the removal ledger that counts, less regrowth given up (``additionality x efficiency -
        foregone_regrowth``, at least 0), still stored 100 years after the end of the period
        (`stores.store_factors`). Couplings and full stores depend on the plan and are left out.
    """
    order = ("sample", "pathway", "region", "period")
    n = drawn.sizes["sample"]
    frame = drawn
    if "classes" not in frame.variables or "class" not in frame.coords:
        # Modes have no say here, so their classes may go; which pathways are nature stays where it is told.
        members = frame["classes"].values if "classes" in frame.variables else [""] * frame.sizes["pathway"]
        frame = frame.drop_dims("class", errors="ignore")
        frame = frame.assign_coords({"classes": ("pathway", members), "class": [""]})
    if "land_sink_ratio" not in frame:
        frame = frame.assign(land_sink_ratio=("sample", np.ones(n)))
    layout = layout_of(frame)
    arrays = arrays_of(frame) | {"potential": np.zeros((n, layout.pathways))}
    kept = (
        engine.block_stores(arrays, layout).durable * engine.counted_share(arrays, layout)[:, None, :, None]
    )
    coords = {dim: drawn[dim].values for dim in order[1:]}
    values = xr.DataArray(kept, dims=("sample", "period", "pathway", "region"), coords=coords)
    return values.transpose(*order).assign_attrs(units="1")


@checked(drawn=Holding(origin=DRAWN))
def check_plan(drawn: xr.Dataset, portfolios: xr.Dataset) -> list[Check]:
    """Say which plans ask for more than a pathway's potential; nothing is clipped.

    Parameters
    ----------
    drawn, portfolios : Dataset
        As for `simulate`.

    Returns
    -------
    list of Check
        One, with ``passed=None`` (it informs) where some plan exceeds the potential in some draw,
        ``True`` where none does. Its table has the columns portfolio, pathway, period, planned
        (GtCO2/yr), potential_median (GtCO2/yr) and probability_beyond; for regional plans also region,
        and each is held against the potential of its region. Draws weigh by ``probability`` of `drawn`
        where it is there.

    Raises
    ------
    InputError
        Everything wrong with either argument, at once.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> (check,) = check_plan(drawn, plans * 0.01)
    >>> check.passed, check.text
    (True, 'no plan exceeds the potential of its pathway in any draw')
    >>> (check,) = check_plan(drawn, plans * 1000.0)
    >>> check.table[["period", "planned", "probability_beyond"]]
          period  planned  probability_beyond
    0  near_term    100.0                 1.0
    1   mid_term   1000.0                 1.0
    2  long_term   5000.0                 1.0
    """
    return [plan_check(drawn, validated(drawn, portfolios))]


def _weights(drawn: xr.Dataset) -> Floats:
    """Return the weight of each draw, equal where none is given; those of some draws need not sum to 1."""
    n = drawn.sizes["sample"]
    if "probability" not in drawn:
        return np.ones(n)
    weight = np.asarray(drawn["probability"].values, dtype=float)
    return weight if weight.sum() > 0.0 else np.ones(n)


def _median(ordered: Floats, mass: Floats) -> float:
    """Return the median of sorted values with their cumulative weights: the rule of `risk.quantile`."""
    half, slack = 0.5 * mass[-1], 1e-12 * mass[-1]
    low, high = np.searchsorted(mass, [half - slack, half + slack], side="left")
    return float(0.5 * (ordered[low] + ordered[high]))


def plan_check(drawn: xr.Dataset, planned: xr.DataArray) -> Check:
    """Return the check of `check_plan` for plans that are on `drawn`'s labels already."""
    import pandas as pd

    layout = layout_of(drawn)
    read = ("potential", "land_sink_ratio", "suitability_share")
    arrays = arrays_of(drawn, read)
    potential = engine.scaled_potential(arrays, layout).T
    dims = [str(d) for d in planned.dims]
    weight = _weights(drawn)
    labels = {d: [str(label) for label in planned[d].values] for d in dims}
    sorted_by: dict[tuple[int, ...], tuple[Floats, Floats]] = {}
    rows = []
    for spot in np.argwhere(planned.values > 0.0):
        at = dict(zip(dims, spot.tolist(), strict=True))
        where = (at["pathway"], at["region"]) if "region" in at else (at["pathway"],)
        if where not in sorted_by:
            here = potential[where[0]]
            if len(where) == 2:
                here = here * arrays["suitability_share"][:, where[0], where[1]]
            order = np.argsort(here, kind="stable")
            sorted_by[where] = here[order], np.cumsum(weight[order])
        amount, (there, mass) = float(planned.values[tuple(spot)]), sorted_by[where]
        below = int(np.searchsorted(there, amount, side="left"))
        beyond = float(mass[below - 1] / mass[-1]) if below > 0 else 0.0
        if beyond > 0.0:
            rows.append(
                {d: labels[d][at[d]] for d in dims}
                | {
                    "planned": amount,
                    "potential_median": _median(there, mass),
                    "probability_beyond": beyond,
                }
            )
    columns = [*dims, "planned", "potential_median", "probability_beyond"]
    table = pd.DataFrame(rows, columns=columns).sort_values(
        "probability_beyond", ascending=False, kind="stable"
    )
    name = "plans within potentials"
    if not rows:
        return Check(name, True, "no plan exceeds the potential of its pathway in any draw", table)
    worst = table.iloc[0]
    by_region, of_what = (" by region", " of their region") if "region" in dims else ("", "")
    text = (
        f"{len(rows)} of {int((planned.values > 0.0).sum())} plans{by_region} exceed the potential{of_what} "
        f"in some draws; most often {', '.join(worst[d] for d in dims)}: {worst['planned']:.3g} GtCO2/yr "
        f"planned, in {worst['probability_beyond']:.0%} of draws more than there is; what exceeds it is lost"
    )
    return Check(name, None, text, table.reset_index(drop=True))
