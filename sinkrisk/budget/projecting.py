"""The outlook: what the air, the ocean and the land do under emissions and removal, draw by draw.

Every draw of the reconciled budget scales the box model's ocean and land so that its own last decade is
met under the historical CO2, and carries its own decline of ocean efficiency, saturation and tipping of
the land. Removal lowers the CO2 and with it the natural sinks: both the amount removed and what remains
of it in the air are reported. Interannual variability is left out: a year's flux scatters about it. What
the box model itself misses is carried as a discrepancy of each sink that grows with time, as large as its
misses of past decades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import units
from sinkrisk.budget.arguments import check_count, check_number
from sinkrisk.budget.carbon_cycle import Run, Sink, follow, simulate
from sinkrisk.budget.cycle_table import (
    UNCERTAIN,
    draw_cycle,
    land_curvature,
    load_carbon_cycle,
    ocean_curvature,
)
from sinkrisk.budget.emission_paths import extend_emissions, gross_emissions, read_emissions
from sinkrisk.budget.flux_draws import recent_sinks
from sinkrisk.budget.hyper import load_hyper
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.rng import RandomSource, generator

if TYPE_CHECKING:
    import os

    import pandas as pd

FloatArray = NDArray[np.float64]

LAST_YEAR = 2200
"""Stores run on to this year; no outlook goes beyond it."""

DISCREPANCIES: tuple[str, ...] = ("ocean_discrepancy", "land_discrepancy")
"""What a draw's sink departs from the box model by, in standard deviations, for `fixed`."""


def outlook(
    source: object,
    emissions: str | os.PathLike[str] | pd.DataFrame,
    *,
    scenario: str | None = None,
    removal: xr.DataArray | None = None,
    draws: int | None = None,
    rng: RandomSource = None,
    u: ArrayLike | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    gross: str = "floor",
    residual: float | None = None,
    extend: str = "none",
    until: int = 2100,
) -> xr.Dataset:
    """Project CO2 and the natural sinks for every draw and portfolio.

    Parameters
    ----------
    source : DataTree, Dataset or DataArray
        The reconciled budget, or draws of its flux; see `flux_draws.recent_sinks`.
    emissions : path or DataFrame
        Scenario in GtC/yr; see `emission_paths.read_emissions`.
    scenario : str, optional
        Which scenario of it.
    removal : DataArray, optional
        Removal from the air in GtCO2/yr less what stores give back, dims ``year`` and, where they
        matter, ``portfolio`` and ``sample`` (one per draw). Years outside it have none.
    draws : int, optional
        Draws used, picked evenly; default all.
    rng : int, Generator or None
    u, fixed
        As in `cycle_table.draw_cycle`; `fixed` also takes `DISCREPANCIES`, in standard deviations. Where
        `rng` is left out and nothing is left to draw (by `u`, or by `fixed`), they are nought.
    gross : {"floor", "as_given"}
        How a scenario net of its own removal becomes gross; beside `removal`, only ``"floor"``.
    residual : float, optional
        See `emission_paths.gross_emissions`.
    extend : {"none", "hold", "taper"}
        Rule for years beyond the scenario.
    until : int
        Last year, at most 2200.

    Returns
    -------
    Dataset
        Dims (sample, [portfolio,] year); every variable has ``units``. ``co2`` (ppm, end of year),
        ``ocean``, ``land``, ``atmosphere`` (GtC/yr), ``warming`` (K), ``crossed`` (the land's threshold
        has been passed), ``probability_crossed`` without ``sample``; with `removal` also ``removal``
        (GtC/yr), ``removal_cumulative`` and ``net_effect`` (GtC in the air against the run without
        removal, negative when less), ``net_effect_co2`` (ppm) and ``co2_without_removal``. ``fossil``
        and ``land_use`` by year. ``attrs`` state the scenario, the assumption on its own removal, the
        extension, the history and the decade that was matched.

    Raises
    ------
    InputError
        For a budget of another place than the globe, a scenario that ends too early or begins too late,
        removal beside a path that already is net of its own, or removal whose samples are not those of the
        draws.

    Examples
    --------
    >>> from sinkrisk import budget, load_observations
    >>> tree = budget.reconcile(load_observations("global"), "closed", draws=500, rng=1)
    >>> import pandas as pd
    >>> path = pd.DataFrame({"year": [2024, 2100], "fossil": [10.0, 0.0], "land_use": [1.0, 0.0]})
    >>> projected = outlook(tree, path, draws=200, rng=1)
    >>> projected["co2"].dims, projected.attrs["matched"]
    (('sample', 'year'), '2014-2023')
    """
    cycle = load_carbon_cycle()
    _check_arguments(source, removal, draws, residual, until)
    flux, span = recent_sinks(source)
    flux = _picked(flux, draws)
    count, first = flux.sizes["sample"], span[1] + 1
    if not span[1] < until <= LAST_YEAR:
        raise InputError(
            Problem("year out of range", got=until, allowed=f"{first} to {LAST_YEAR}", key="until")
        )
    path = gross_emissions(read_emissions(emissions, scenario=scenario), rule=gross, residual=residual)
    if removal is not None and path.attrs["net"]:
        hint = "use gross='floor': the scenario already counts removal of its own"
        raise InputError(Problem("removal would be counted twice", got=path.attrs["scenario"], hint=hint))
    path = extend_emissions(path, until, rule=extend)
    years = np.arange(first, until + 1)
    path = path[path["year"] >= first]
    if int(path["year"].iloc[0]) != first:
        raise InputError(
            Problem("the scenario begins too late", got=int(path["year"].iloc[0]), allowed=f"by {first}")
        )
    emitted = (path["fossil"] + path["land_use"]).to_numpy(dtype=float)
    held = {name: v for name, v in (fixed or {}).items() if name not in DISCREPANCIES}
    whole = rng is None and (u is not None or set(held) == set(UNCERTAIN))
    stream = generator(rng)
    drawn = draw_cycle(count, rng=stream, u=u, fixed=held)
    missed = _discrepancies(count, stream, fixed or {}, whole)
    apart = _grown(missed, years, span)
    ocean, land, pools = _fitted(flux, span, drawn)
    start = cycle.year_end(span[1])

    taken = None if removal is None else _removal(removal, years, count)
    gone = np.zeros((1, 1, len(years))) if taken is None else taken
    plain, _ = _run(emitted[None, None, :], start, ocean, land, pools, drawn, apart)
    run, warming = (
        (plain, _warming(emitted[None, None, :], drawn))
        if taken is None
        else _run(emitted[None, None, :] - gone, start, ocean, land, pools, drawn, apart)
    )
    crossed = _crossed(warming, drawn)
    named = taken is not None and removal is not None and "portfolio" in removal.dims
    dims = ("sample", "portfolio", "year") if named else ("sample", "year")
    coords: dict[str, object] = {"sample": np.arange(count), "year": years}
    if named and removal is not None:
        coords["portfolio"] = (
            removal["portfolio"].values if "portfolio" in removal.coords else np.arange(run.carbon.shape[1])
        )

    def put(values: NDArray[np.generic], unit: str, text: str, over: tuple[str, ...] = dims) -> xr.DataArray:
        full = np.broadcast_to(values, (count, *np.broadcast_shapes(values.shape[1:], run.carbon.shape[1:])))
        full = full if "portfolio" in over else full[:, 0, :]
        return xr.DataArray(np.array(full), dims=over, attrs={"units": unit, "long_name": text})

    before = np.concatenate([np.full((*run.carbon.shape[:-1], 1), start), run.carbon[..., :-1]], axis=-1)
    out = xr.Dataset(
        {
            "co2": put(cycle.ppm(run.carbon), "ppm", "CO2 at the end of the year"),
            "ocean": put(run.ocean, "GtC/yr", "Ocean sink"),
            "land": put(run.land, "GtC/yr", "Land sink"),
            "atmosphere": put(run.carbon - before, "GtC/yr", "Growth of the atmosphere"),
            "warming": put(warming, "K", "Warming from CO2 emissions since 1850-1900"),
            "crossed": put(crossed, "1", "Threshold of the land sink passed"),
            "fossil": ("year", path["fossil"].to_numpy(), {"units": "GtC/yr"}),
            "land_use": ("year", path["land_use"].to_numpy(), {"units": "GtC/yr"}),
        },
        coords=coords,
    )
    out["probability_crossed"] = out["crossed"].astype(float).mean("sample").assign_attrs(units="1")
    for name, values in {**drawn, **missed}.items():
        out[name] = ("sample", values, {"units": _UNITS[name]})
    for name, sink in (("ocean", ocean), ("land", land)):
        scale = sink.capacity[:, 0, 0] / cycle.sink(name).capacity[0]
        out[f"{name}_scale"] = ("sample", scale, {"units": "1"})
    if taken is not None:
        effect = run.carbon - plain.carbon
        out["removal"] = put(taken, "GtC/yr", "Removal from the air")
        out["removal_cumulative"] = put(np.cumsum(taken, axis=-1), "GtC", "Removal so far")
        out["net_effect"] = put(effect, "GtC", "Carbon in the air against the run without removal")
        out["net_effect_co2"] = put(
            effect / cycle.carbon_per_ppm, "ppm", "CO2 against the run without removal"
        )
        out["co2_without_removal"] = put(
            cycle.ppm(plain.carbon), "ppm", "CO2 without removal", ("sample", "year")
        )
    out.attrs = {
        "scenario": path.attrs["scenario"],
        "gross_assumption": path.attrs["assumption"],
        "extension": path.attrs["extension"],
        "matched": f"{span[0]}-{span[1]}",
        "history": "CO2 of priors/carbon_cycle.csv; the air starts from it, whatever the draws' growth",
        "variability": "interannual variability is left out",
        "discrepancy": "none drawn" if whole and not any(map(np.any, missed.values())) else _DISCREPANCY,
        "start_co2_ppm": float(cycle.ppm(start)),
    }
    return out


_UNITS = {
    "ocean_efficiency_decline": "%", "land_half_saturation": "ppm", "land_tipping_threshold": "K",
    "land_tipping_timescale": "yr", "land_tipping_loss": "1", "warming_present": "K",
    "warming_per_emission": "K/GtC", "ocean_discrepancy": "1", "land_discrepancy": "1",
}  # fmt: skip

_DISCREPANCY = (
    "each sink departs from the box model by an amount whose sd grows with the square root of the time since "
    "the matched decade (outlook_discrepancy of priors/budget.csv, the misses of 25 past decades)"
)


def _check_arguments(source: object, removal: object, draws: object, residual: object, until: object) -> None:
    found = Problems()
    place = str(source.attrs.get("geography", "")) if isinstance(source, xr.DataTree | xr.Dataset) else ""
    if place not in ("", "global"):
        found.add(
            "an outlook follows the globe's air, ocean and land",
            got=f"a budget of {place}",
            allowed="a budget of the globe",
            key="source",
            hint="a country's sinks see the CO2 of all emissions, and its own budget does not hold those",
        )
    if removal is not None and not isinstance(removal, xr.DataArray):
        found.add(
            "removal is given by year",
            got=type(removal).__name__,
            allowed="a DataArray in GtCO2/yr with dim 'year'",
            key="removal",
        )
    if draws is not None:
        check_count(draws, key="draws", found=found)
    if residual is not None:
        check_number(residual, key="residual", least=0.0, most=1.0, found=found)
    check_count(until, key="until", found=found)
    found.raise_if_any()


def _picked(flux: xr.DataArray, draws: int | None) -> xr.DataArray:
    size = flux.sizes["sample"]
    if draws is None or draws == size:
        return flux
    if not 1 <= draws <= size:
        raise InputError(Problem("draws out of range", got=draws, allowed=f"1 to {size}", key="draws"))
    return flux.isel(sample=np.linspace(0, size - 1, draws).round().astype(int))


def _fitted(
    flux: xr.DataArray, span: tuple[int, int], drawn: Mapping[str, FloatArray]
) -> tuple[Sink, Sink, tuple[FloatArray, FloatArray]]:
    """Return ocean and land scaled to each draw's last decade, with their pools at its end.

    Arrays have shape (sample, 1, ...): the second axis is the portfolio.
    """
    cycle = load_carbon_cycle()
    history = cycle.history(span[1])
    curvatures = {
        "ocean": ocean_curvature(drawn["ocean_efficiency_decline"]),
        "land": land_curvature(drawn["land_half_saturation"]),
    }
    sinks, pools = [], []
    for name, curvature in curvatures.items():
        sink = cycle.sink(name, curvature[:, None])
        modelled, held = follow(history, sink)
        mean = modelled[..., -(span[1] - span[0] + 1) :].mean(axis=-1)
        scale = flux.sel(component=name).values[:, None] / mean
        sinks.append(sink.scaled(scale))
        pools.append(scale[..., None] * held)
    return sinks[0], sinks[1], (pools[0], pools[1])


def _discrepancies(
    count: int, stream: np.random.Generator, fixed: Mapping[str, ArrayLike], whole: bool
) -> dict[str, FloatArray]:
    """Return one standard normal number per draw and sink, nought where nothing is drawn."""
    z = np.zeros((count, len(DISCREPANCIES))) if whole else stream.standard_normal((count, 2))
    out = {}
    for place, name in enumerate(DISCREPANCIES):
        given = np.asarray(fixed.get(name, z[:, place]), dtype=float)
        if given.shape not in ((), (count,)):
            raise InputError(
                Problem(f"{name}: other draws", got=str(given.shape), allowed=f"one number, or {count}")
            )
        out[name] = np.broadcast_to(given, count).copy()
    return out


def _grown(
    missed: Mapping[str, FloatArray], years: NDArray[np.int64], span: tuple[int, int]
) -> list[FloatArray]:
    """Return what each sink takes up beyond the box model, GtC/yr, shape (sample, 1, year).

    A random walk from the middle of the matched decade would have this spread in every year; one number
    per draw makes it a function of the draw, at the price of paths that bend less than a walk's.
    """
    hyper = load_hyper()
    elapsed = np.sqrt(years - 0.5 * (span[0] + span[1]))
    return [
        hyper.a("outlook_discrepancy", name.removesuffix("_discrepancy")) * z[:, None, None] * elapsed
        for name, z in missed.items()
    ]


def _removal(removal: xr.DataArray, years: NDArray[np.int64], count: int) -> FloatArray:
    """Return removal in GtC/yr, shape (sample or 1, portfolio or 1, year)."""
    extra = set(removal.dims) - {"sample", "portfolio", "year"}
    if extra or "year" not in removal.dims or "year" not in removal.coords:
        allowed = "year, with portfolio and sample where they matter"
        raise InputError(Problem("removal: other dimensions", got=list(removal.dims), allowed=allowed))
    if removal.sizes.get("sample", count) != count:
        got = removal.sizes["sample"]
        raise InputError(Problem("removal: other samples than the draws", got=got, allowed=str(count)))
    unit = str(removal.attrs.get("units", "GtCO2/yr"))
    array = removal.reindex(year=years, fill_value=0.0)
    for name in ("portfolio", "sample"):
        array = array if name in array.dims else array.expand_dims(name)
    values = np.asarray(array.transpose("sample", "portfolio", "year").values, dtype=float)
    if not np.isfinite(values).all():
        raise InputError("removal: a value is not finite")
    return units.convert(values, unit, "GtC/yr")


def _warming(emitted: FloatArray, drawn: Mapping[str, FloatArray]) -> FloatArray:
    """Return the warming from cumulative emissions, shape (sample, portfolio, year)."""
    total = np.cumsum(emitted, axis=-1)
    column = {name: values[:, None, None] for name, values in drawn.items()}
    return np.asarray(column["warming_present"] + column["warming_per_emission"] * total)


def _crossed(warming: FloatArray, drawn: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
    """Return whether the threshold has ever been passed: a tipped land does not come back."""
    above = warming >= drawn["land_tipping_threshold"][:, None, None]
    return np.asarray(np.logical_or.accumulate(above, axis=-1))


def _run(
    emitted: FloatArray,
    start: float,
    ocean: Sink,
    land: Sink,
    pools: tuple[FloatArray, FloatArray],
    drawn: Mapping[str, FloatArray],
    apart: list[FloatArray],
) -> tuple[Run, FloatArray]:
    warming = _warming(emitted, drawn)
    crossed = _crossed(warming, drawn)
    age = np.cumsum(crossed, axis=-1)
    lost = -np.expm1(-age / drawn["land_tipping_timescale"][:, None, None])
    capacity = 1.0 - drawn["land_tipping_loss"][:, None, None] * lost
    run = simulate(
        emitted - apart[0] - apart[1],
        start,
        ocean,
        land,
        ocean_pools=pools[0],
        land_pools=pools[1],
        land_capacity=capacity,
    )
    return replace(run, ocean=run.ocean + apart[0], land=run.land + apart[1]), warming
