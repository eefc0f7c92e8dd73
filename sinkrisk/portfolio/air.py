"""What portfolios do to the air: annual relief, CO2 to 2100 or 2200, and what the sinks give back

The simulation speaks of means over periods; the carbon cycle of `sinkrisk.budget.outlook` wants years.
Every joint draw runs with the posterior draw of the sinks it was made of.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import checked, find_sample_problem
from sinkrisk.portfolio.labels import check_size
from sinkrisk.rng import RandomSource, generator

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

OUTLOOK_PREFIX = "outlook_"
"""Drawn inputs of this prefix are the uncertain parameters of the carbon cycle."""

STORES_UNTIL = 2200
"""Year at whose end `retained` of the outcomes is stated."""

KEPT = ("co2", "co2_without_removal", "net_effect", "ocean", "land", "warming", "crossed")
"""Variables of the outlook that are kept."""


@checked()
def annual_relief(outcomes: xr.Dataset, *, until: int = 2100) -> xr.DataArray:
    """Return what portfolios take out of, or keep from, the air in every year.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`; dims (sample, portfolio, pathway, period).
    until : int
        Last year, at most 2200.

    Returns
    -------
    DataArray, (sample, portfolio, year)
        GtCO2/yr: net removal (``stored`` less ``process`` emissions) plus avoided emissions and fossil
        carbon in products. Foregone regrowth never entered a store and so is out of ``stored`` already.
        The non-CO2 effects of a portfolio warm like CO2 but are none: they are in ``net`` and not here.
        A period's mean holds in each of its years; after the last period nothing is deployed and every
        store decays to what is ``retained`` at the end of 2200, each at one rate.

    Raises
    ------
    InputError
        For outcomes that lack a variable, or a year outside the horizon.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> one = xr.DataArray(np.ones((1, 1, 1, 1)), dims=("sample", "portfolio", "pathway", "period"))
    >>> outcomes = xr.Dataset({"stored": one, "avoided": 0 * one, "utilised": 0 * one}).assign_coords(
    ...     period_start=("period", [2025]), period_length=("period", [10]))
    >>> annual_relief(outcomes, until=2034).sum("year").item()
    10.0
    """
    found = Problems()
    for name in ("stored", "avoided", "utilised"):
        if name not in outcomes:
            found.add("outcomes lack a variable", key=name, hint="outcomes come from portfolio.simulate")
    start = outcomes["period_start"].values.astype(int)
    end = int(start[-1] + int(outcomes["period_length"].values[-1]))
    if not start[0] <= until <= STORES_UNTIL:
        found.add("year out of range", got=until, allowed=f"{start[0]} to {STORES_UNTIL}", key="until")
    if until >= end and "retained" not in outcomes:
        found.add(
            f"nothing says what stores hold after {end - 1}", key="retained", hint=f"take until={end - 1}"
        )
    found.raise_if_any()
    means = outcomes["stored"] + outcomes["avoided"] + outcomes["utilised"]
    if "process" in outcomes:
        means = means - outcomes["process"]
    total = means.sum("pathway").transpose("sample", "portfolio", "period").values
    years = np.arange(start[0], until + 1)
    inside = years < end
    period = np.searchsorted(start, years[inside], side="right") - 1
    relief = np.zeros((*total.shape[:2], len(years)))
    relief[..., inside] = total[..., period]
    if not inside.all():
        relief[..., ~inside] = _after(outcomes, end, years[~inside])
    return xr.DataArray(
        relief,
        dims=("sample", "portfolio", "year"),
        coords={"sample": outcomes["sample"], "portfolio": outcomes["portfolio"].values, "year": years},
        name="relief",
        attrs={"units": "GtCO2/yr", "long_name": "removal from the air and avoided emissions"},
    )


def _after(outcomes: xr.Dataset, end: int, years: NDArray[np.int64]) -> Floats:
    """Return the change of all stores in years after the last period, negative where they give back."""
    length = outcomes["period_length"]
    closing = (outcomes["stored"] * length).sum("period").transpose("sample", "portfolio", "pathway").values
    kept = outcomes["retained"].transpose("sample", "portfolio", "pathway").values
    closing = np.maximum(closing, 0.0)
    share = np.divide(kept, closing, out=np.ones_like(kept), where=closing > 0.0)
    span = STORES_UNTIL + 1 - end
    out = np.empty((*closing.shape[:2], len(years)))
    for at, year in enumerate(years):
        before, after = ((year - end + step) / span for step in (0, 1))
        out[..., at] = (closing * (share**after - share**before)).sum(axis=-1)
    return out


@checked()
def project_air(
    outcomes: xr.Dataset,
    budget: xr.DataTree,
    emissions: str | os.PathLike[str] | pd.DataFrame | None = None,
    *,
    scenario: str | None = None,
    drawn: xr.Dataset | None = None,
    until: int = 2100,
    years: Sequence[int] | None = None,
    gross: str = "floor",
    extend: str = "hold",
    block: int = 512,
    rng: RandomSource = None,
) -> xr.Dataset:
    """Project the CO2 of the air for every joint draw and portfolio.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`. Where it, or `drawn`, holds ``budget_draw`` (the number of the posterior draw,
        chain-major), every draw has its own sinks; without it draws are picked evenly.
    budget : DataTree
        From `sinkrisk.reconcile`.
    emissions : path or DataFrame, optional
        Scenario gross of removal, GtC/yr; ``priors/emissions.csv`` when left out.
    scenario : str, optional
        Which scenario of it; "decline" of the library when both are left out.
    drawn : Dataset, optional
        The joint draws: uncertain parameters of the carbon cycle are read from variables
        ``outlook_<parameter>`` (sample); those that are absent are drawn with `rng`.
    until : int
        Last year, at most 2200.
    years : sequence of int, optional
        Years to keep; all when left out.
    gross, extend : str
        As in `sinkrisk.budget.outlook`.
    block : int
        Draws worked on at once; bounds memory, never changes a result that rests on `drawn`.
    rng : int, Generator or None

    Returns
    -------
    Dataset, (sample, portfolio, year)
        ``co2`` (ppm, end of year), ``net_effect`` (GtC in the air against no portfolio, negative when
        less), ``relief`` (GtCO2/yr, see `annual_relief`, its avoided and utilised part held to the
        scenario's fossil emissions), ``relief_cumulative`` (GtCO2), ``ocean``,
        ``land`` (GtC/yr), ``warming`` (K), ``crossed``; ``co2_without_removal`` (sample, year). Removal
        lowers CO2 and so weakens the natural sinks: ``net_effect`` is smaller than what was removed.
        Attribute ``held_to_fossil``: share of draws, portfolios and years with a portfolio's avoided or
        utilised carbon in which the scenario had less fossil carbon than that.

    Raises
    ------
    InputError
        For draws that do not fit the budget or the outcomes, unknown scenarios, or years outside the outlook.

    Notes
    -----
    Nobody can keep more fossil carbon from the air than is emitted: avoided emissions and fossil carbon in
    products together are cut to the gross fossil emissions of the same year, world-wide. What is avoided
    or utilised never returns here, as fossil carbon left in the ground or in lasting products does not;
    products that decay, and gas that leaks from where a point source put it, give back what this leaves
    out.

    Examples
    --------
    >>> import sinkrisk
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> tree = sinkrisk.reconcile(sinkrisk.load_observations("global"), model="closed", rng=1)
    >>> air = project_air(portfolio.simulate(drawn, plans), tree, until=2060, rng=1)
    >>> lower = air["co2_without_removal"] - air["co2"].sel(portfolio="daccs_only")
    >>> bool((lower.sel(year=2060) > 0.0).all()), air["co2"].attrs["units"]
    (True, 'ppm')
    """
    from sinkrisk.budget import outlook
    from sinkrisk.budget.cycle_table import UNCERTAIN, draw_cycle
    from sinkrisk.budget.emission_paths import extend_emissions, gross_emissions, read_emissions
    from sinkrisk.budget.flux_draws import recent_sinks
    from sinkrisk.budget.projecting import DISCREPANCIES

    source: Any = emissions
    if source is None:
        from sinkrisk.priors import load_table

        source, scenario = load_table("emissions"), scenario or "decline"
    check_size("block", block)
    found = Problems()
    find_sample_problem(found, {"outcomes": outcomes} | ({} if drawn is None else {"drawn": drawn}))
    found.raise_if_any()
    flux, span = recent_sinks(budget)
    n = outcomes.sizes["sample"]
    picked = _posterior_draws(outcomes, drawn, flux.sizes["sample"], n)
    relief = annual_relief(outcomes, until=until)
    path = gross_emissions(read_emissions(source, scenario=scenario), rule=gross)
    path = extend_emissions(path, until, rule=extend)
    relief, held = _held_to_fossil(relief, outcomes, path)
    kept = relief["year"].values if years is None else np.asarray(list(years), dtype=int)
    missing = sorted(set(kept.tolist()) - set(relief["year"].values.tolist()))
    if missing:
        allowed = f"{int(relief['year'][0])} to {until}"
        raise InputError(Problem("years outside the outlook", got=missing, allowed=allowed, key="years"))
    stream = generator(rng)
    cycle = draw_cycle(n, rng=stream)
    cycle |= {name: stream.standard_normal(n) for name in DISCREPANCIES}
    for name in (*UNCERTAIN, *DISCREPANCIES):
        if drawn is not None and OUTLOOK_PREFIX + name in drawn:
            cycle[name] = np.asarray(drawn[OUTLOOK_PREFIX + name].values, dtype=float)
    parts = []
    for start in range(0, n, block):
        some = slice(start, min(start + block, n))
        sinks = xr.DataArray(
            flux.values[picked[some], :, None],
            dims=("sample", "component", "window"),
            coords={"component": flux["component"].values, "window": [f"{span[0]}-{span[1]}"]},
        )
        part = outlook(
            sinks,
            source,
            scenario=scenario,
            removal=relief.isel(sample=some).drop_vars("sample"),
            fixed={name: values[some] for name, values in cycle.items()},
            gross=gross,
            extend=extend,
            until=until,
        )
        parts.append(part[list(KEPT)].sel(year=kept))
        attrs = part.attrs
    out = xr.concat(parts, dim="sample", data_vars="minimal").assign_coords(sample=outcomes["sample"])
    out["relief"] = relief.sel(year=kept)
    length = np.cumsum(relief.values, axis=-1)[..., np.searchsorted(relief["year"].values, kept)]
    out["relief_cumulative"] = (("sample", "portfolio", "year"), length, {"units": "GtCO2"})
    for name in ("probability", "name"):
        if name in outcomes.variables:
            out = out.assign_coords({name: outcomes[name].variable})
    out.attrs = {**attrs, "held_to_fossil": held}
    return out


def _held_to_fossil(
    relief: xr.DataArray, outcomes: xr.Dataset, path: pd.DataFrame
) -> tuple[xr.DataArray, float]:
    """Return relief without what would be kept from the air beyond fossil emissions, and how often it is.

    Parameters
    ----------
    relief : DataArray, (sample, portfolio, year)
        From `annual_relief`, GtCO2/yr.
    outcomes : Dataset
    path : DataFrame
        ``year, fossil`` in GtC/yr, gross.
    """
    start = outcomes["period_start"].values.astype(int)
    end = int(start[-1] + int(outcomes["period_length"].values[-1]))
    years = relief["year"].values
    inside = years < end
    # Years before the scenario have no bound; `outlook` refuses them.
    fossil = path.set_index("year")["fossil"].reindex(years).fillna(np.inf).to_numpy() * 44.0 / 12.0
    means = (outcomes["avoided"] + outcomes["utilised"]).sum("pathway")
    spared = np.zeros(relief.shape)
    period = np.searchsorted(start, years[inside], side="right") - 1
    spared[..., inside] = means.transpose("sample", "portfolio", "period").values[..., period]
    excess = np.maximum(spared - np.maximum(fossil, 0.0), 0.0)
    weight = outcomes["probability"].values if "probability" in outcomes.variables else np.ones(len(relief))
    some, cut = ((array > 0.0).sum(axis=(1, 2)) @ weight for array in (spared, excess))
    return relief.copy(data=relief.values - excess), float(cut / some) if some > 0.0 else 0.0


def _posterior_draws(
    outcomes: xr.Dataset, drawn: xr.Dataset | None, available: int, n: int
) -> NDArray[np.int64]:
    """Return the number of the posterior draw behind each sample."""
    holder = next((d for d in (drawn, outcomes) if d is not None and "budget_draw" in d), None)
    if holder is None:
        return np.linspace(0, available - 1, n).round().astype(np.int64)
    picked = np.asarray(holder["budget_draw"].values, dtype=np.int64)
    if picked.shape != (n,) or picked.min() < 0 or picked.max() >= available:
        raise InputError(
            Problem(
                "draws and budget do not belong together",
                got=f"{picked.size} draws numbered {picked.min()} to {picked.max()}",
                allowed=f"{n} draws numbered 0 to {available - 1}",
                hint="hand over the budget that the inputs were drawn with",
            )
        )
    return picked
