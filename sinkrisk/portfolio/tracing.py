"""What becomes of a planned tonne on its way to net removal, and what binds: resources, growth, potential"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.forms import DRAWN, checked, find_level_problem
from sinkrisk.portfolio.labels import check_size
from sinkrisk.portfolio.measuring import weights_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

STEPS: tuple[tuple[str, str, int], ...] = (
    ("planned", "level", 1),
    ("limited", "change", -1),
    ("scarce", "change", -1),
    ("withheld", "change", -1),
    ("captured", "level", 1),
    ("reallocated", "part", 1),
    ("coupled", "change", 1),
    ("avoided", "change", -1),
    ("utilised", "change", -1),
    ("uncounted", "change", -1),
    ("foregone", "change", -1),
    ("saturated", "change", -1),
    ("removed", "level", 1),
    ("returned", "change", -1),
    ("process", "change", -1),
    ("non_co2", "change", -1),
    ("net", "level", 1),
)
"""Steps in their order, whether each is a level, a change between levels or a part of the level above it,
and its sign: changes between two levels add up to their difference (`ledgers.IDENTITIES`)."""

LEAST = 1e-6
"""A resource binds where it holds back at least this share of the period's plan: anything, but rounding."""


def _sums(outcomes: xr.Dataset) -> dict[str, Floats]:
    """Return every step summed over pathways and the horizon, (portfolio, sample), GtCO2, signed."""
    needed = [n for n, _, _ in STEPS if n != "captured"] + ["deployed", "received", "period_length"]
    found = Problems()
    for name in needed:
        if name not in outcomes.variables:
            found.add("outcomes lack a variable", key=name, hint="outcomes come from portfolio.simulate")
    found.raise_if_any()
    length = outcomes["period_length"].astype(float)
    out = {}
    for name, _, sign in STEPS:
        flow = outcomes["deployed"] + outcomes["received"] if name == "captured" else outcomes[name]
        world = xr.dot(flow, length, dim=["pathway", "period"]).transpose("portfolio", "sample")
        # Adding nought turns -0 into 0.
        out[name] = sign * np.asarray(world.values, dtype=float) + 0.0
    return out


def _weight(outcomes: xr.Dataset, probability: ArrayLike | None) -> Floats:
    given = outcomes["probability"] if probability is None and "probability" in outcomes else probability
    return weights_of(outcomes["planned"], given)


def _check_level(level: float) -> None:
    found = Problems()
    find_level_problem(found, level)
    found.raise_if_any()


def _band(values: Floats, weight: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return mean, low and high over the last axis."""
    each = None if np.ptp(weight) <= 1e-15 else weight
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    ends = np.asarray(risk.quantile(values, tails, probability=each))
    return values @ weight, ends[..., 0], ends[..., 1]


@checked()
def trace_table(
    outcomes: xr.Dataset, *, level: float = 0.9, probability: ArrayLike | None = None
) -> pd.DataFrame:
    """Return what becomes of what portfolios plan, step by step, until it is net removal.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`, with every flow of `STEPS`; GtCO2/yr (sample, portfolio, pathway, period).
    level : float
        Mass of the equal-tailed intervals.
    probability : array_like, (sample,), optional
        The variable of `outcomes`, or equal, when left out.

    Returns
    -------
    DataFrame
        ``portfolio, step, role, mean, low, high, share, unit, interval_kind, interval_mass``: sums over
        pathways and all periods, GtCO2 (net removal and non-CO2 effects in GtCO2e, GWP100). `role` is
        ``level`` for what there is, ``change`` for what is added (positive) or taken off (negative)
        between two levels, ``part`` for what a level holds: ``reallocated`` is what passive redundancy
        moved to other pathways, inside ``captured``. Means of changes add up to the difference of the
        levels around them; ends of intervals do not. `share` is the mean over the mean plan.

        ``limited`` exceeds capacity, ``scarce`` finds no shared resource, ``withheld`` is held back by
        institutions; ``avoided`` and ``utilised`` are captured, but no removal; ``uncounted`` would have
        been removed anyway or is never taken up, ``foregone`` makes up for regrowth given up on the land,
        ``saturated`` meets full stores, ``returned`` came back until the end of the horizon; ``process``
        emissions and ``non_co2`` effects are set against what is stored.

    Raises
    ------
    InputError
        For outcomes that lack a variable, or a level out of range.

    Examples
    --------
    Of 10 planned 4 are withheld, 1 comes back:

    >>> flow = ("sample", "portfolio", "pathway", "period")
    >>> made = {"planned": 10, "withheld": 4, "deployed": 6, "removed": 6, "returned": 1, "net": 5}
    >>> names = {name for name, _, _ in STEPS} - {"captured"} | {"deployed", "received"}
    >>> outcomes = xr.Dataset({name: (flow, np.full((1, 1, 1, 1), made.get(name, 0.0))) for name in names})
    >>> outcomes = outcomes.assign_coords(portfolio=["p"], period_length=("period", [1]))
    >>> table = trace_table(outcomes).set_index("step")
    >>> table.loc[["planned", "withheld", "captured", "returned", "net"], "mean"].tolist()
    [10.0, -4.0, 6.0, -1.0, 5.0]
    """
    import pandas as pd

    _check_level(level)
    sums, weight = _sums(outcomes), _weight(outcomes, probability)
    names = [str(v) for v in outcomes["portfolio"].values]
    plan = sums["planned"] @ weight
    frames = []
    for position, (step, role, _) in enumerate(STEPS):
        mean, low, high = _band(sums[step], weight, level)
        share = np.divide(mean, plan, out=np.full(len(plan), np.nan), where=plan > 0.0)
        frames.append(
            pd.DataFrame(
                {
                    "portfolio": names, "position": position, "step": step, "role": role, "mean": mean,
                    "low": low, "high": high, "share": share,
                    "unit": "GtCO2e" if step in ("net", "non_co2") else "GtCO2",
                }
            )
        )  # fmt: skip
    table = pd.concat(frames, ignore_index=True)
    order = {name: k for k, name in enumerate(names)}
    table = table.sort_values(
        ["portfolio", "position"], key=lambda c: c.map(order) if c.name == "portfolio" else c
    )
    table = table.drop(columns="position").reset_index(drop=True)
    return table.assign(interval_kind="equal-tailed", interval_mass=level)


@checked(table=Holding(columns=("step",), origin="it comes from portfolio.trace_table"))
def trace_sentence(table: pd.DataFrame) -> str:
    """Return what a table of `trace_table` says, in a sentence or two.

    Parameters
    ----------
    table : DataFrame
        From `trace_table`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "portfolio": "trees",
    ...         "step": ["planned", "withheld", "net"],
    ...         "role": ["level", "change", "level"],
    ...         "mean": [10.0, -4.0, 6.0],
    ...         "share": [1.0, -0.4, 0.6],
    ...         "unit": "GtCO2",
    ...     }
    ... )
    >>> print(trace_sentence(table).split(". ")[0])
    Of a planned tonne 0.60 t become net removal with trees, on average over draws
    """
    net = table[table["step"] == "net"].set_index("portfolio")["share"].dropna()
    if net.empty:
        return "No portfolio plans anything."
    best, worst = str(net.idxmax()), str(net.idxmin())
    losses = table[(table["role"] == "change") & (table["portfolio"] == best)]
    most = losses.sort_values("mean", kind="stable").iloc[0]
    planned = float(table.loc[(table["portfolio"] == best) & (table["step"] == "planned"), "mean"].iloc[0])
    others = f", the most, and {net[worst]:.2f} t with {worst}, the least" if len(net) > 1 else ""
    return (
        f"Of a planned tonne {net[best]:.2f} t become net removal with {best}{others}, on average over "
        f"draws. With {best} most is "
        f"{most['step']}: {-most['mean']:.3g} of {planned:.3g} {most['unit']}."
    )


@checked()
def binding_table(
    outcomes: xr.Dataset, *, level: float = 0.9, least: float = LEAST, probability: ArrayLike | None = None
) -> pd.DataFrame:
    """Return which shared resource holds portfolios back when, by how much and in what share of draws.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate` with shared resources: ``scarcity_by_resource`` (sample, portfolio, resource,
        period) and ``planned``, GtCO2/yr.
    level : float
        Mass of the equal-tailed intervals.
    least : float
        A resource binds in a draw where it holds back at least this share of the period's plan.
    probability : array_like, (sample,), optional

    Returns
    -------
    DataFrame
        ``portfolio, period, resource, probability_binds, mean, low, high, share, unit, least, draws,
        interval_kind, interval_mass``: what is cut because the resource is oversubscribed, GtCO2/yr, and
        `share` of it in the plan, both on average; empty where resources are not modelled. A cut is
        booked to the scarcest resource alone. What never passed the gate in front, because growth, the
        potential or a resource of the region allows no more, is in `limiting_table`.

    Raises
    ------
    InputError
        For outcomes without plans, or a level or share out of range.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> table = binding_table(portfolio.simulate(drawn, plans * 100.0))
    >>> energy = table[(table["resource"] == "clean_energy") & (table["period"] == "long_term")]
    >>> energy["unit"].item(), float(energy["mean"].item()) <= 500.0
    ('GtCO2/yr', True)
    """
    import pandas as pd

    _check_level(level)
    if not 0.0 < least < 1.0:
        raise InputError(Problem("least outside its range", got=least, allowed="0 < least < 1", key="least"))
    columns = [
        "portfolio", "period", "resource", "probability_binds", "mean", "low", "high", "share", "unit",
        "least", "draws", "interval_kind", "interval_mass",
    ]  # fmt: skip
    if "planned" not in outcomes:
        raise InputError(Problem("outcomes lack a variable", key="planned"))
    if "scarcity_by_resource" not in outcomes:
        return pd.DataFrame(columns=columns)
    weight = _weight(outcomes, probability)
    dims = ("portfolio", "period", "resource", "sample")
    cut = np.asarray(outcomes["scarcity_by_resource"].transpose(*dims).values, dtype=float)
    world = outcomes["planned"].sum("pathway").transpose("portfolio", "period", "sample")
    plan = np.asarray(world.values, dtype=float)[:, :, None, :]
    mean, low, high = _band(cut, weight, level)
    binds = ((cut >= least * plan) & (cut > 0.0)) @ weight
    whole = np.broadcast_to(plan @ weight, mean.shape)
    share = np.divide(mean, whole, out=np.zeros_like(mean), where=whole > 0.0)
    labels = np.meshgrid(*(outcomes[dim].values.astype(str) for dim in dims[:3]), indexing="ij")
    values = {"probability_binds": binds, "mean": mean, "low": low, "high": high, "share": share}
    table = pd.DataFrame(
        {dim: label.ravel() for dim, label in zip(dims[:3], labels, strict=True)}
        | {name: array.ravel() for name, array in values.items()}
    )
    table = table.assign(
        unit="GtCO2/yr", least=least, draws=len(weight), interval_kind="equal-tailed", interval_mass=level
    )
    return table[columns]


@checked(drawn=Holding(variables=("potential", "class", "suitability_share"), dims=("sample",), origin=DRAWN))
def limiting_table(drawn: xr.Dataset, *, block: int = 4096) -> pd.DataFrame:
    """Return what limits the capacity of each pathway before any plan, and how likely.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs, as for `capacity`.
    block : int
        Samples worked on at once; bounds memory, never changes a result beyond rounding.

    Returns
    -------
    DataFrame
        ``pathway, period, limit, probability, draws``: probability that the limit (potential, growth
        from today's capacity, or a resource of the region) is the least, over draws and over regions
        weighted by their share of the pathway's potential; sums to 1 over limits. Limits that never
        bind have no row.

    Raises
    ------
    InputError
        As `capacity`.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> table = limiting_table(drawn)
    >>> table.groupby(["pathway", "period"])["probability"].sum().round(9).unique().tolist()
    [1.0]
    >>> daccs = table[(table["pathway"] == "daccs") & (table["period"] == "near_term")]
    >>> daccs["limit"].tolist()  # what is built today bounds the near term
    ['growth']
    """
    import pandas as pd

    from sinkrisk.portfolio.available import capacity

    check_size("block", block)
    n = drawn.sizes["sample"]
    weight = weights_of(drawn["suitability_share"], drawn.get("probability"))
    total: Floats | None = None
    names: list[str] = []
    for start in range(0, n, block):
        some = drawn.isel(sample=slice(start, start + block))
        found = capacity(some)
        limiting = found["limiting"].transpose("sample", "pathway", "region", "period")
        names = str(limiting.attrs["flag_meanings"]).split()
        share = some["suitability_share"].transpose("sample", "pathway", "region").values
        each = (share * weight[start : start + block, None, None])[..., None]
        part = np.stack(
            [(each * (limiting.values == k)).sum(axis=(0, 2)) for k in range(len(names))], axis=-1
        )
        total = part if total is None else total + part
    assert total is not None
    labels = np.meshgrid(
        drawn["pathway"].values.astype(str), drawn["period"].values.astype(str), names, indexing="ij"
    )
    whole = total.sum(axis=-1, keepdims=True)
    probability = np.divide(total, whole, out=np.zeros_like(total), where=whole > 0.0)
    columns = dict(zip(("pathway", "period", "limit"), (label.ravel() for label in labels), strict=True))
    table = pd.DataFrame(columns | {"probability": probability.ravel()})
    return table[table["probability"] > 0.0].assign(draws=n).reset_index(drop=True)
