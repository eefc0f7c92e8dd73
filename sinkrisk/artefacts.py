"""What stages hand to each other: the files of earlier stages, read once, never what is in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinkrisk import files
from sinkrisk.pipeline import Context

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a tidy table; floats keep every digit, so that a reader gets the value computed."""
    with files.atomic_file(path) as handle:
        frame.to_csv(handle, index=False, lineterminator="\n")


def section(context: Context, *names: str) -> dict[str, Any]:
    """Return sections of the spec as plain data, for a stage's identity."""
    spec = context.spec.model_dump(mode="json")
    return {name: spec[name] for name in names}


def library(context: Context) -> Any:
    """Return the hashes of all input files, for a stage's identity."""
    return context.memory["hashes"]


def budget_tree(context: Context) -> xr.DataTree | None:
    """Return the reconciled budget, read from ``budget.nc``."""
    if context.spec.budget is None:
        return None

    def read() -> xr.DataTree:
        import xarray as xr

        with xr.open_datatree(context.directory / "budget.nc") as tree:
            return tree.load()

    tree: xr.DataTree = context.artefact("budget", read)
    return tree


def drivers(context: Context) -> Any:
    """Return the driver registry of this run: deterministic, so it is built, never stored."""
    from sinkrisk import inputs

    return context.artefact(
        "drivers",
        lambda: inputs.drivers(
            context.memory["inputs_spec"],
            budget=budget_tree(context),
            network=context.memory.get("network"),
            claims=context.memory["claims"],
        ),
    )


def drawn_inputs(context: Context) -> xr.Dataset:
    """Return the joint draws, read from ``inputs.nc``."""

    def read() -> xr.Dataset:
        import xarray as xr

        with xr.open_dataset(context.directory / "inputs.nc") as data:
            return data.load()

    drawn: xr.Dataset = context.artefact("drawn", read)
    return drawn


def store(data: xr.Dataset, path: Path) -> None:
    """Write outcomes as Zarr."""
    data.to_zarr(path, mode="w", consolidated=False)


def _restore(path: Path) -> xr.Dataset:
    import xarray as xr

    with xr.open_zarr(path, consolidated=False) as data:
        restored: xr.Dataset = data.load()
    return restored


def outcomes(context: Context) -> xr.Dataset:
    """Return the outcomes of the named portfolios."""
    named: xr.Dataset = context.artefact("outcomes", lambda: _restore(context.directory / "outcomes.zarr"))
    return named


def has_optimum(context: Context) -> bool:
    """Return whether this run looks for an optimum."""
    return context.spec.optimize is not None and context.spec.scenarios is not None


def all_outcomes(context: Context) -> xr.Dataset:
    """Return the outcomes of every portfolio, the optimum last where there is one."""
    named = outcomes(context)
    if not has_optimum(context):
        return named
    optimum = context.artefact(
        "outcomes_optimum", lambda: _restore(context.directory / "outcomes_optimum.zarr")
    )
    return join([named, optimum])


def join(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return outcomes of several sets of portfolios, simulated on the same draws, as one."""
    from sinkrisk import portfolio

    return portfolio.join_outcomes(parts)


def chosen(sets: Sequence[xr.Dataset], names: Sequence[str] | None) -> list[xr.Dataset]:
    """Return the sets of plans with the named portfolios only; all when none are named."""
    if names is None:
        return list(sets)
    picked = [[n for n in names if n in plans["portfolio"].values] for plans in sets]
    return [plans.sel(portfolio=own) for plans, own in zip(sets, picked, strict=True) if own]


def air(context: Context, simulated: xr.Dataset, drawn: xr.Dataset, **options: Any) -> xr.Dataset:
    """Return the air under simulated portfolios, by the spec's emissions and the run's budget."""
    from sinkrisk import portfolio

    spec, tree = context.spec.outlook, budget_tree(context)
    assert spec is not None
    assert tree is not None
    source = None if spec.emissions is None else context.loaded.resolve(spec.emissions)
    return portfolio.project_air(
        simulated,
        tree,
        source,
        scenario=spec.scenario,
        drawn=drawn,
        gross=spec.gross,
        extend=spec.extend,
        rng=context.stream("outlook"),
        **options,
    )


def with_air(context: Context, simulated: xr.Dataset, drawn: xr.Dataset) -> xr.Dataset:
    """Return outcomes with the CO2 of 2100 (sample, portfolio), ppm."""
    co2 = air(context, simulated, drawn, years=[2100])["co2"].sel(year=2100, drop=True)
    return simulated.assign(co2_2100=co2.reset_coords(drop=True))


def co2_2100(context: Context) -> xr.DataArray:
    """Return the CO2 of 2100 of every draw and portfolio, read from ``co2_2100.nc``."""

    def read() -> xr.DataArray:
        import xarray as xr

        with xr.open_dataset(context.directory / "co2_2100.nc") as data:
            return data["co2_2100"].load()

    co2: xr.DataArray = context.artefact("co2_2100", read)
    return co2


def measured(context: Context) -> xr.DataArray:
    """Return the measures of every draw and portfolio."""

    def read() -> xr.DataArray:
        import xarray as xr

        with xr.open_dataset(context.directory / "measures.nc") as data:
            return data["measures"].load()

    measures: xr.DataArray = context.artefact("measures", read)
    return measures


def read_table(context: Context, name: str) -> pd.DataFrame:
    """Return a table of an earlier stage."""
    import pandas as pd

    table: pd.DataFrame = context.artefact(name, lambda: pd.read_csv(context.directory / name))
    return table
