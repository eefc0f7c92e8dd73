"""The stage that asks which doubt matters: indices by group, the single drivers behind them, what to act on

As in `stages`, no mathematics lives here. The design's evaluations are kept until the stage is recorded, so
that a killed run goes on from them. Tables of single drivers rest on two sets of independent draws of their
own: the first chooses among hundreds of drivers, the second says what is told of those chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sinkrisk.artefacts import chosen, drivers, library, section, with_air, write_table
from sinkrisk.pipeline import Context, Stage, StageOutput

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from sinkrisk.inputs import Drivers

Floats = NDArray[np.float64]
Skip = Callable[[str], Callable[[Context], str | None]]

LEADING = 8
"""Single drivers, and as many nodes, that are told of each output."""

ACTED_ON = 16
"""Drivers whose learning is valued: those that lead what the choice turns on."""

SERIES = 4
"""The series over N begins at this part of the base sample, which costs nothing."""

CHOICE = ("ranked_first", "margin")
"""Measures of the outputs that a choice turns on."""

SMALLEST = 2.0**-53
"""Points of the unit cube keep so far from its faces, as those of the design do."""

QUANTILE = "quantile"
"""Unit of a driver that has no number of its own, or none that rises or falls with it throughout."""

OUTPUTS = (
    "sobol.csv", "convergence.csv", "driver_ranks.csv", "leading_drivers.csv", "tornado.csv",
    "responses.csv", "state_shares.csv", "actions.csv",
)  # fmt: skip


class Evaluated(NamedTuple):
    """The chain at some points: outputs (sample, output), worth of portfolios where told, and inputs."""

    outputs: xr.DataArray
    values: xr.DataArray | None
    drawn: xr.Dataset | None


class Drawn(NamedTuple):
    """The chain in independent draws, the numbers or states of drivers, and the noise of nodes."""

    outputs: xr.DataArray
    values: xr.DataArray | None
    known: dict[str, Any]
    units: dict[str, str]
    noise: dict[str, Floats]


def _sobol(context: Context, into: Path) -> StageOutput:
    from sinkrisk import sensitivity

    spec = context.spec.sobol
    assert spec is not None
    registry = drivers(context)
    sets = chosen(context.memory["portfolios"], spec.portfolios)
    found = sensitivity.sobol_until(
        lambda u: evaluate(context, registry, sets, u).outputs,
        registry,
        first=max(spec.n // SERIES, 2),
        least=spec.n,
        most=spec.most or spec.n,
        top=spec.top,
        width=spec.width,
        second_order=spec.second_order,
        groups=None if spec.groups else {name: name for name in registry.names},
        replicates=spec.replicates,
        block=spec.block,
        level=spec.level,
        workers=spec.workers,
        folder=context.kept("sobol"),
        identity=context.digests["sobol"],
        rng=context.stream("sobol"),
    )
    write_table(sensitivity.sobol_table(found), into / "sobol.csv")
    write_table(sensitivity.convergence_table(found), into / "convergence.csv")
    ranks = None
    if bool((found["status"] == 0).any()):
        ranks = sensitivity.driver_ranks(found, top=spec.top, rng=context.stream("sobol", "ranks"))
    write_table(_or_empty(ranks, RANKS), into / "driver_ranks.csv")
    outputs = [str(name) for name in found["output"].values]
    told = "margin" if "margin" in outputs else outputs[0]
    notes = [
        sensitivity.driver_sentence(found, told),
        f"Stopping rule: {found.attrs['stopped']}.",
        *_single(context, registry, sets, found, into),
    ]
    return StageOutput(notes=notes)


def evaluate(context: Context, registry: Drivers, sets: Sequence[xr.Dataset], u: Floats) -> Evaluated:
    """Return what the chain makes of points of the unit cube, (rows, drivers)."""
    from sinkrisk import inputs, portfolio, sensitivity

    spec, target, decision = context.spec.sobol, context.spec.target, context.spec.decision
    assert spec is not None
    assert target is not None
    drawn = inputs.transform(registry, u)
    simulated = portfolio.join_outcomes([portfolio.simulate(drawn, plans) for plans in sets])
    if "co2_2100" in spec.measures:
        simulated = with_air(context, simulated, drawn)
    measures = portfolio.measure(simulated, target=target)
    values = None
    if decision is not None:
        values = portfolio.net_benefit(simulated, target=target, decision=decision)
    # One portfolio is always the first.
    several = values if values is not None and values.sizes["portfolio"] > 1 else None
    stacked = sensitivity.stack_outputs(measures, several, criteria=spec.measures, missed="shortfall")
    return Evaluated(stacked, values, drawn)


def draw(
    context: Context, registry: Drivers, sets: Sequence[xr.Dataset], name: str, wanted: Sequence[str] | None
) -> Drawn:
    """Return independent draws of the chain with the drivers `wanted`, all of them when None.

    Where all are wanted a driver is its own uniform number, which is enough to choose by; otherwise the
    number that rises or falls with it, where there is one. A node of the network is its state.
    """
    import pandas as pd
    import xarray as xr

    spec = context.spec.sobol
    assert spec is not None
    generator = context.stream("sobol", name)
    names = list(registry.names if wanted is None else wanted)
    points, parts = [], []
    states: list[dict[str, NDArray[Any]]] = []
    numbers: dict[str, list[xr.DataArray]] = {}
    for start in range(0, spec.single_draws, spec.block):
        u = generator.random((min(spec.block, spec.single_draws - start), len(registry)))
        points.append(np.clip(u, SMALLEST, 1.0 - SMALLEST))
        parts.append(evaluate(context, registry, sets, points[-1]))
        states.append(_states(registry, points[-1], names))
        for driver in names if wanted is not None else ():
            number = _number(parts[-1].drawn, driver)
            if number is not None:
                numbers.setdefault(driver, []).append(number)
        # Of the inputs no more than the numbers wanted is held.
        parts[-1] = parts[-1]._replace(drawn=None)
    u = np.concatenate(points)
    words = context.memory["network"].states if states[0] else {}
    known: dict[str, Any] = {}
    units: dict[str, str] = {}
    for driver in names:
        if driver in states[0]:
            codes = np.concatenate([block[driver] for block in states])
            known[driver] = pd.Categorical.from_codes(codes, categories=words[driver], ordered=True)
            continue
        known[driver], units[driver] = u[:, registry.index(driver)], QUANTILE
        if driver in numbers:
            values = np.concatenate([one.values for one in numbers[driver]])
            if _follows(known[driver], values):
                known[driver], units[driver] = values, str(numbers[driver][0].attrs.get("units", "1"))
    worth = [_bare(part.values) for part in parts if part.values is not None]
    return Drawn(
        xr.concat([_bare(part.outputs) for part in parts], dim="sample"),
        xr.concat(worth, dim="sample") if worth else None,
        known,
        units,
        {node: u[:, registry.index(node)] for node in states[0]} if wanted is not None else {},
    )


def _bare(values: xr.DataArray) -> xr.DataArray:
    """Return values without coordinates of a block: its draws' numbers and their probability."""
    return values.drop_vars(["sample", "probability"], errors="ignore")


def _states(registry: Drivers, u: Floats, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the codes of the states of network nodes that are drivers."""
    from sinkrisk.inputs.blocks import NetworkBlock

    held: dict[str, NDArray[Any]] = {}
    for block in registry.blocks:
        if isinstance(block, NetworkBlock) and set(names).intersection(block.network.order):
            codes, _ = block.states(u)
            for column, node in enumerate(block.network.order):
                if node in names:
                    held[node] = codes[:, column]
    return held


def _number(drawn: xr.Dataset | None, driver: str) -> xr.DataArray | None:
    """Return the drawn number that a driver bears the name of: ``cost__daccs``, ``discount_rate``."""
    quantity, _, place = driver.partition("__")
    if drawn is None or quantity not in drawn:
        return None
    number = drawn[quantity]
    if not place:
        return number if number.dims == ("sample",) and number.dtype.kind == "f" else None
    if set(number.dims) != {"sample", "pathway"} or place not in number["pathway"].values:
        return None
    return number.sel(pathway=place)


def _follows(own: Floats, number: Floats) -> bool:
    """Return whether a number rises, or falls, with the driver throughout, and is finite."""
    along = np.diff(number[np.argsort(own, kind="stable")])
    return bool(np.isfinite(number).all() and ((along >= 0.0).all() or (along <= 0.0).all()) and along.any())


def _single(
    context: Context, registry: Drivers, sets: Sequence[xr.Dataset], indices: xr.Dataset, into: Path
) -> list[str]:
    """Write the tables of single drivers; return what is to be noted of them."""
    import pandas as pd

    from sinkrisk import sensitivity

    spec = context.spec.sobol
    assert spec is not None
    first = draw(context, registry, sets, "choosing drivers", None)
    outputs, network = first.outputs, [n for n in first.known if n not in first.units]
    screened = sensitivity.screen_drivers(
        outputs, first.known, rng=context.stream("sobol", "shuffles")
    ).assign(group=lambda t: t["driver"].map(registry.groups))
    write_table(screened.groupby("output", sort=False).head(LEADING), into / "leading_drivers.csv")
    # What chance alone could have brought to the front is not told of.
    screened = screened[screened["stands_out"]]
    leading = screened.groupby("output", sort=False).head(LEADING)
    nodes = screened[screened["driver"].isin(network)].groupby("output", sort=False).head(LEADING)
    of_choice = screened[screened["measure"].isin(CHOICE)].sort_values(
        "value", ascending=False, kind="stable"
    )
    acted = list(dict.fromkeys(of_choice["driver"]))[:ACTED_ON]
    wanted = list(dict.fromkeys([*leading["driver"], *nodes["driver"], *acted]))
    second = draw(context, registry, sets, "telling of drivers", wanted)
    outputs, known = second.outputs, second.known
    tornado, responses, shares = [], [], []
    for name in outputs["output"].values:
        one = outputs.sel(output=[name])
        own = {d: known[d] for d in leading.loc[leading["output"] == name, "driver"]}
        if own:
            tornado.append(sensitivity.tornado_table(one, own, level=spec.level))
            responses.append(sensitivity.response_curves(one, own, level=spec.level))
        here = {d: known[d] for d in nodes.loc[nodes["output"] == name, "driver"]}
        if here:
            shares.append(_shares(context, one, here, second.noise, None if spec.groups else indices))
    write_table(_told(tornado, TORNADO, second.units, registry), into / "tornado.csv")
    write_table(_told(responses, RESPONSES, second.units, registry), into / "responses.csv")
    write_table(_or_empty(pd.concat(shares) if shares else None, SHARES), into / "state_shares.csv")
    actions = None
    values = second.values
    if values is not None and acted:
        actions = sensitivity.action_table(
            values,
            {name: known[name] for name in acted},
            indices=indices,
            output="margin",
            labels={name: registry.groups[name] for name in acted} if spec.groups else None,
            rng=context.stream("sobol", "learning"),
        ).assign(group=lambda t: t["driver"].map(registry.groups), n=len(outputs))
    write_table(_or_empty(actions, ACTIONS), into / "actions.csv")
    if actions is None:
        return []
    acting = actions[actions["acts"]]
    if acting.empty:
        return [
            "No single driver was seen to be worth learning before the choice: "
            "none stands out from a shuffled one."
        ]
    best = acting.iloc[0]
    return [f"Most worth learning is {best['driver']}. {sensitivity.worth_text(best)}"]


def _shares(
    context: Context,
    one: xr.DataArray,
    here: dict[str, Any],
    noise: dict[str, Floats],
    indices: xr.Dataset | None,
) -> pd.DataFrame:
    """Return the shares of nodes' states, beside the first-order index of each node's own noise."""
    from sinkrisk import sensitivity

    spec = context.spec.sobol
    assert spec is not None
    table = sensitivity.state_shares(
        one, here, indices=indices, level=spec.level, rng=context.stream("sobol", "states")
    )
    if indices is not None:
        return table.assign(own_noise_kind="Sobol' index", own_noise_floor=0.0)
    # By group there is no index of a single node: its own uniform numbers in these draws give S1.
    read = sensitivity.given_data_indices(
        one, {node: noise[node] for node in here}, methods=["rank"], permutations=20, halves=2
    ).set_index("driver")
    return table.assign(
        own_noise_S1=table["node"].map(read["value"]),
        own_noise_floor=table["node"].map(read["floor"]),
        own_noise_kind="rank estimate of S1",
    )


TORNADO = (
    "output", "measure", "portfolio", "driver", "base", "at_low", "at_low_low", "at_low_high", "at_high",
    "at_high_low", "at_high_high", "low_label", "high_label", "swing", "tail", "interval_kind",
    "interval_mass", "n", "group", "unit", "driver_unit",
)  # fmt: skip
RESPONSES = (
    "output", "measure", "portfolio", "driver", "kind", "at", "state", "mean", "low", "high", "n",
    "interval_kind", "interval_mass", "group", "unit", "driver_unit",
)  # fmt: skip
SHARES = (
    "output", "measure", "portfolio", "node", "states", "value", "low", "high", "floor", "stands_out",
    "own_noise_S1", "own_noise_ST", "own_noise_floor", "own_noise_kind", "interval_kind", "interval_mass",
    "n",
)  # fmt: skip
ACTIONS = (
    "driver", "kind", "S1", "ST", "ST_low", "ST_high", "cross_fitted", "plug_in", "mc_error", "floor",
    "perfect", "share_of_perfect", "acts", "winner", "winners", "changes", "unit", "group", "n",
)  # fmt: skip
RANKS = (
    "output", "measure", "portfolio", "driver", "rank", "rank_low", "rank_high", "first", "among_top", "top",
    "index", "value", "low", "high", "interval_kind", "interval_mass",
)  # fmt: skip


def _told(
    parts: Sequence[pd.DataFrame],
    columns: Sequence[str],
    driver_units: dict[str, str],
    registry: Drivers,
) -> pd.DataFrame:
    """Return tables as one, with the driver's group and its unit; a node has none."""
    import pandas as pd

    if not parts:
        return _or_empty(None, columns)
    table = pd.concat(parts, ignore_index=True)
    return table.assign(
        group=table["driver"].map(registry.groups),
        driver_unit=[driver_units.get(d, "state") for d in table["driver"]],
    )[list(columns)]


def _or_empty(table: pd.DataFrame | None, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table, or one without rows, so that a reader finds its columns."""
    import pandas as pd

    return pd.DataFrame(columns=list(columns)) if table is None else table[list(columns)]


def driver_stages(without: Skip) -> tuple[Stage, ...]:
    """Return the stage of the drivers."""
    return (
        Stage(
            "sobol", ("inputs", "simulate"),
            lambda c: [c.spec.seed, section(c, "sobol", "target", "decision", "outlook"), library(c)],
            without("sobol"), _sobol, OUTPUTS,
        ),
    )  # fmt: skip
