"""What monitoring can see of a draw by the end of each period, and how far it errs

A signal is named, or named with a detail after a colon: ``cost_per_tonne:daccs``. How far each errs
stands in ``priors/monitoring.csv``, of the sinks as the world's are read. Of draws cut to some regions
(``inputs.restrict``) the sinks are smaller, and so is the error: its variance is the regions' share of the
world's, as of regions that err independently of one another. (An error common to all would shrink with the
share itself: China's seas would be read to 0.01 GtC/yr, where the budget leaves them uncertain by seven times
as much.) The share is the root mean square of the drawn sink over the world's flux, at most 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import Problems
from sinkrisk.portfolio.weighing import Noise

Floats = NDArray[np.float64]

NEEDED: tuple[str, ...] = (
    "planned", "deployed", "reallocated", "received", "withheld", "lost", "removed", "returned", "cost",
)  # fmt: skip
"""Outcomes that signals are made of."""

DEFAULT: tuple[str, ...] = ("removal_ratio", "returned_share", "cost_per_tonne", "land_sink", "ocean_sink")
"""Signals taken when none are named, those of the sinks where they are drawn."""


@dataclass(frozen=True)
class Signal:
    """One signal, resolved: what it is called, what it reads and how it errs.

    Parameters
    ----------
    name : str
        As asked for: ``base`` or ``base:detail``.
    noise : Noise
    unit : str
    """

    name: str
    noise: Noise
    unit: str

    @property
    def base(self) -> str:
        """What is before the colon."""
        return self.name.partition(":")[0]

    @property
    def detail(self) -> str:
        """What is after the colon, "" where there is none."""
        return self.name.partition(":")[2]


def _sum(outcomes: xr.Dataset, name: str, keep: NDArray[np.bool_]) -> Floats:
    """Return an outcome summed over some pathways, (sample, portfolio, period)."""
    values = outcomes[name].transpose("sample", "portfolio", "pathway", "period").values
    return np.asarray(values[:, :, keep].sum(axis=2), dtype=float)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Return a ratio, 0 where there is nothing to divide by: it then says nothing."""
    enough = bottom > 1e-12
    return np.where(enough, top / np.where(enough, bottom, 1.0), 0.0)


def _removal_ratio(o: xr.Dataset, keep: NDArray[np.bool_]) -> Floats:
    # Avoided emissions never remove: what they plan is no plan of removal.
    keep = keep & (o["flow_class"].values.astype(str) != "avoided")
    return _ratio(_sum(o, "removed", keep), _sum(o, "planned", keep))


def _lost_share(o: xr.Dataset, keep: NDArray[np.bool_]) -> Floats:
    return _ratio(_sum(o, "lost", keep), _sum(o, "planned", keep))


def _held_share(o: xr.Dataset, keep: NDArray[np.bool_]) -> Floats:
    return _ratio(_sum(o, "withheld", keep) + _sum(o, "reallocated", keep), _sum(o, "planned", keep))


def _returned_share(o: xr.Dataset, keep: NDArray[np.bool_]) -> Floats:
    years = o["period_length"].values.astype(float)
    returned, removed = (np.cumsum(_sum(o, n, keep) * years, axis=2) for n in ("returned", "removed"))
    return _ratio(returned, removed)


def _cost_per_tonne(o: xr.Dataset, keep: NDArray[np.bool_]) -> Floats:
    return _ratio(_sum(o, "cost", keep), _sum(o, "deployed", keep) + _sum(o, "received", keep))


OF_OUTCOMES: dict[str, Callable[[xr.Dataset, NDArray[np.bool_]], Floats]] = {
    "removal_ratio": _removal_ratio,
    "lost_share": _lost_share,
    "held_share": _held_share,
    "returned_share": _returned_share,
    "cost_per_tonne": _cost_per_tonne,
}
"""Signals that depend on what is done; ``:pathway`` looks at one pathway alone.

Gross removal over plan; what was planned and not done over plan; what institutions held back over plan;
carbon that came back over carbon removed, both until the period's end; cost over tonnes captured.
"""

OF_DRAWS: tuple[str, ...] = ("land_sink", "ocean_sink", "shock_share", "shock", "mode", "node")
"""Signals that do not depend on what is done.

The sinks, GtC/yr; share of regions with a shock; ``shock:region``; ``mode:class__region``;
``node:name``, the state of a network node of the period (or one that has no period).
"""


def find_signals(
    names: Sequence[str] | None,
    drawn: xr.Dataset,
    network: xr.DataArray | None,
    sizes: Mapping[str, float] | None,
    found: Problems,
) -> list[Signal]:
    """Resolve signals by name, and record everything wrong with them.

    Parameters
    ----------
    names : sequence of str, optional
        `DEFAULT` when left out.
    drawn : Dataset
    network : DataArray, (sample, node), optional
        From ``inputs.network_states``, for signals ``node:...``.
    sizes : mapping of str to float, optional
        Signal (with or without its detail) -> size of its error, in place of ``priors/monitoring.csv``; taken
        as it is, also of regions.
    found : Problems
    """
    from sinkrisk.priors import load_table

    if isinstance(names, str):
        names = [names]
    if names is None:
        names = [n for n in DEFAULT if n in OF_OUTCOMES or n in drawn]
    rules = load_table("monitoring").set_index("signal").to_dict("index")
    given = dict(sizes or {})
    for key, size in given.items():
        if key not in names and key not in {n.partition(":")[0] for n in names}:
            found.add("noise of a signal that is not used", got=str(key), allowed=list(names), key="noise")
        elif not np.isfinite(size) or size <= 0.0:
            found.add("noise must be positive", got=float(size), key=f"noise.{key}")
    if not list(names) or len(set(names)) < len(list(names)):
        found.add("name at least one signal, none twice", got=", ".join(names), key="signals")
    signals = []
    for name in names:
        base, _, detail = str(name).partition(":")
        if base not in OF_OUTCOMES and base not in OF_DRAWS:
            found.add("unknown signal", got=base, allowed=[*OF_OUTCOMES, *OF_DRAWS], key="signals")
            continue
        problem = _missing(base, detail, drawn, network)
        if problem is not None:
            found.add(problem[0], got=problem[1], allowed=problem[2], key=f"signals.{name}")
            continue
        rule = rules[base]
        stated = float(rule["size"]) * _regional(base, rule["reference"], drawn)
        size = float(given.get(name, given.get(base, stated)))
        if rule["kind"] == "misread" and size >= 1.0:
            found.add("noise of a state is a probability", got=size, allowed="below 1", key=f"noise.{name}")
        noise = Noise(rule["kind"], size, _states(base, detail, drawn, network))
        signals.append(Signal(str(name), noise, str(rule["unit"])))
    return signals


def _regional(base: str, reference: float, drawn: xr.Dataset) -> float:
    """Return the root of the share that the drawn regions have in a world's sink; 1 for the world."""
    if "regions" not in drawn.attrs or not reference > 0.0:
        return 1.0
    squares = (drawn[base].astype(float) ** 2).mean([d for d in drawn[base].dims if d != "sample"])
    weight = np.asarray(drawn["probability"].values if "probability" in drawn else np.ones(squares.size))
    # Sign apart: a sea that is as likely a source as a sink still has to be measured.
    flux = float(np.sqrt(np.average(squares.values, weights=weight)))
    return float(np.sqrt(min(flux / reference, 1.0))) if flux > 0.0 else 1.0


def _missing(
    base: str, detail: str, drawn: xr.Dataset, network: xr.DataArray | None
) -> tuple[str, str, list[str] | str] | None:
    """Return what a signal lacks: what is wrong, what was got, what is allowed."""
    listed = {d: [str(v) for v in drawn[d].values] for d in ("pathway", "region", "class", "period")}
    if base in OF_OUTCOMES:
        known, may_lack = listed["pathway"], True
    elif base in ("land_sink", "ocean_sink"):
        if base not in drawn:
            return "inputs lack the sink", base, "draws made with a budget"
        known, may_lack = [], True
    elif base == "shock_share":
        known, may_lack = [], True
    elif base == "shock":
        known, may_lack = listed["region"], False
    elif base == "mode":
        known, may_lack = [f"{c}__{r}" for c in listed["class"] for r in listed["region"]], False
    else:
        if network is None:
            return "a node's state needs `network`", detail, "inputs.network_states(...)"
        if network.sizes["sample"] != drawn.sizes["sample"]:
            got = f"{network.sizes['sample']} draws"
            return "network states of other draws", got, f"{drawn.sizes['sample']} draws"
        nodes = {str(v) for v in network["node"].values}
        ends = [f"__{q}" for q in listed["period"]]
        whole = {n.removesuffix(ends[0]) for n in nodes if n.endswith(ends[0])}
        whole = {n for n in whole if all(n + end in nodes for end in ends)}
        still = {n for n in nodes if not any(n.endswith(end) for end in ends)}
        known, may_lack = sorted(whole | still), False
    if (detail or not may_lack) and detail not in known:
        return f"unknown detail of the signal '{base}'", detail, known or "no detail"
    return None


def _states(base: str, detail: str, drawn: xr.Dataset, network: xr.DataArray | None) -> int:
    """Return how many states a signal has; of a node as many as are met with in any draw and period."""
    if base == "node" and network is not None:
        return int(network.sel(node=_nodes(detail, drawn, network)).max()) + 1
    return {"mode": drawn.sizes["mode"], "shock": 2}.get(base, 0)


def _nodes(detail: str, drawn: xr.Dataset, network: xr.DataArray) -> list[str]:
    """Return the node of every period, or the one node that has no period."""
    known = {str(v) for v in network["node"].values}
    each = [f"{detail}__{q}" for q in drawn["period"].values]
    return [n if n in known else detail for n in each]


def signal_values(
    signals: Sequence[Signal],
    outcomes: xr.Dataset,
    drawn: xr.Dataset,
    network: xr.DataArray | None = None,
) -> Floats:
    """Return the true signals of every draw and portfolio at the end of every period.

    Parameters
    ----------
    signals : sequence of Signal
    outcomes : Dataset
        From `simulate`, with the outcomes of `NEEDED`.
    drawn : Dataset
        What was simulated on.
    network : DataArray, (sample, node), optional

    Returns
    -------
    ndarray, (sample, portfolio, period, signal)
        In the unit of each signal; states as their codes.
    """
    shape = (outcomes.sizes["sample"], outcomes.sizes["portfolio"], outcomes.sizes["period"])
    out = np.empty((*shape, len(signals)))
    pathways = outcomes["pathway"].values.astype(str)
    for s, signal in enumerate(signals):
        if signal.base in OF_OUTCOMES:
            keep = pathways == signal.detail if signal.detail else np.ones(pathways.size, bool)
            out[..., s] = OF_OUTCOMES[signal.base](outcomes, keep)
        else:
            out[..., s] = _of_draws(signal, drawn, network)[:, None, :]
    return out


def _of_draws(signal: Signal, drawn: xr.Dataset, network: xr.DataArray | None) -> Floats:
    """Return a signal that nothing done changes, (sample, period)."""
    shape = (drawn.sizes["sample"], drawn.sizes["period"])
    if signal.base == "node":
        assert network is not None  # `find_signals` has seen to it
        picked = _nodes(signal.detail, drawn, network)
        return np.asarray(network.transpose("sample", "node").sel(node=picked).values, dtype=float)
    if signal.base == "shock_share":
        values = drawn["shock"].astype(float).mean("region")
    elif signal.base == "shock":
        values = drawn["shock"].sel(region=signal.detail)
    elif signal.base == "mode":
        member, _, region = signal.detail.partition("__")
        values = drawn["mode"].sel({"class": member, "region": region})
    else:
        values = drawn[signal.base]
    if "period" in values.dims:
        return np.asarray(values.transpose("sample", "period").values, dtype=float)
    return np.broadcast_to(np.asarray(values.values, dtype=float)[:, None], shape)
