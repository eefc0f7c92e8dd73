"""Network nodes: what share of the variance their states explain, beside the index of their own noise

A node's Sobol' index speaks of the node's own uniform number, given its parents, and depends on the order
of its states: a child that alone decided the output had ST .04, its parent S1 .96 (models.md 4). The share
that the state explains, whatever made it so, is Var(E[Y|state]) / Var(Y).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.sensitivity.describing import outputs_of
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.given_data import HALVES, PERMUTATIONS, check_settings
from sinkrisk.sensitivity.reading import (
    HALF_SAMPLES,
    GivenDriver,
    half_sample_interval,
    half_samples,
    read_drivers,
    read_outputs,
)

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@checked()
def state_shares(
    y: ArrayLike | xr.DataArray,
    states: xr.DataArray | Mapping[Any, ArrayLike],
    *,
    nodes: Collection[str] | None = None,
    indices: xr.Dataset | None = None,
    permutations: int = PERMUTATIONS,
    halves: int = HALVES,
    level: float = 0.95,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return the share of each output's variance that each node's state explains.

    Parameters
    ----------
    y : array_like or DataArray, (sample,) or (sample, output)
    states : DataArray (sample, node), or mapping
        `inputs.network_states`, in the same draws; or node -> states.
    nodes : collection of str, optional
        All when left out.
    indices : Dataset, optional
        From `sobol` with each driver alone: S1 and ST of a node's own noise are put beside, where the
        driver bears the name of the node and the output its name.
    permutations, halves, level, rng
        As for `given_data_indices`.

    Returns
    -------
    DataFrame
        output, measure, portfolio, node, states (how many occur), value, low, high, floor, stands_out,
        own_noise_S1, own_noise_ST (NaN where not known), interval_kind, interval_mass, n; the largest
        share first. A constant output has NaN; a node of one state explains 0.

    Raises
    ------
    InputError
        All at once: unknown nodes, values that are not finite, shapes that do not match.

    Notes
    -----
    ``1 - (SSW / (n - k)) / (SST / (n - 1))``, k states: the plug-in share with its bias, (k - 1) / n for
    a node that tells nothing, taken off (Kelley's epsilon squared). Below 0 by noise.

    Examples
    --------
    >>> g = np.random.default_rng(1)
    >>> state = g.integers(3, size=3000)
    >>> nodes = {"policy": state, "weather": g.integers(2, size=3000)}
    >>> found = state_shares(state + g.standard_normal(3000), nodes)
    >>> found["node"].tolist(), float(found["value"][0].round(1)), found["stands_out"].tolist()
    (['policy', 'weather'], 0.4, [True, False])
    """
    import pandas as pd

    found = Problems()
    outputs = read_outputs(y, found)
    if isinstance(states, xr.DataArray):
        if set(states.dims) != {"sample", "node"}:
            raise InputError(Problem("dims of states", got=states.dims, allowed=("sample", "node")))
        states = {str(node): states.sel(node=node).values for node in states["node"].values}
    known = [str(name) for name in states]
    if nodes is not None and not len(nodes):
        found.add("no node to look at", got=nodes, allowed="names, or None for all", key="nodes")
    for node in nodes if nodes is not None else ():
        if node not in known:
            found.add("no such node among the states", got=node, allowed=known, key="nodes")
    check_settings(found, permutations, halves, level)
    found.raise_if_any()
    assert outputs is not None
    wanted = {name: states[name] for name in states if nodes is None or str(name) in nodes}
    as_states = {k: _whole(v) for k, v in wanted.items()}
    read = read_drivers(as_states, len(outputs.values), found)
    found.raise_if_any()
    generator = random.generator(rng)
    data = outputs.values - outputs.values.mean(axis=0)
    n = len(data)
    # All shuffles and halves at once: one matrix product a node.
    shuffled = np.stack([data[generator.permutation(n)] for _ in range(permutations)], axis=1)
    weights = np.zeros((n, halves))
    for number, pick in enumerate(half_samples(n, halves, generator)):
        weights[pick, number] = 1.0
    own = _own_noise(indices)
    rows = []
    for driver in read:
        member = _members(driver)
        value = explained_by(member, data[:, None], np.ones((n, 1)))[0]
        some = explained_by(member, np.broadcast_to(data[:, None], (n, halves, data.shape[1])), weights)
        low, high = half_sample_interval(value, some, level)
        floor = explained_by(member, shuffled, np.ones((n, permutations))).max(axis=0)
        for k, who in enumerate(outputs.who):
            s1, st = own.get((who["output"], driver.name), (np.nan, np.nan))
            rows.append(
                {
                    **who,
                    "node": driver.name,
                    "states": member.shape[1],
                    "value": value[k],
                    "low": low[k],
                    "high": high[k],
                    "floor": floor[k],
                    "stands_out": bool(value[k] > floor[k]),
                    "own_noise_S1": s1,
                    "own_noise_ST": st,
                    "interval_kind": HALF_SAMPLES,
                    "interval_mass": level,
                    "n": n,
                }
            )
    table = pd.DataFrame(rows)
    at = table["output"].map({who["output"]: k for k, who in enumerate(outputs.who)})
    table = table.assign(at=at).sort_values(["at", "value"], ascending=[True, False], kind="stable")
    return table.drop(columns="at").reset_index(drop=True)


def _whole(states: Any) -> Any:
    """Return states that came as floating numbers as whole ones."""
    if hasattr(states, "categories"):
        return states
    raw = np.asarray(states)
    return raw.astype(np.int64) if raw.dtype.kind == "f" else raw


def _members(driver: GivenDriver) -> Floats:
    _, codes = np.unique(driver.values, return_inverse=True)
    return np.asarray(codes[:, None] == np.arange(int(codes.max()) + 1), dtype=float)


def explained_by(member: Floats, y: Floats, weights: Floats) -> Floats:
    """Return the explained share, corrected for its bias, of every sample, (sample, output).

    Parameters
    ----------
    member : ndarray, (draw, state)
        1 where the draw is in the state.
    y : ndarray, (draw, sample, output)
    weights : ndarray, (draw, sample)
        1 where the draw belongs to the sample, else 0.
    """
    n, samples, outputs = y.shape
    weighted = weights[:, :, None] * y
    size = member.T @ weights
    sums = (member.T @ weighted.reshape(n, -1)).reshape(-1, samples, outputs)
    drawn = size.sum(axis=0)[:, None]
    level = sums.sum(axis=0) ** 2 / drawn
    between = (sums**2 / np.maximum(size, 1.0)[:, :, None]).sum(axis=0) - level
    total = np.einsum("nso,nso->so", weighted, y) - level
    states = (size > 0.0).sum(axis=0)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1.0 - (total - between) / (drawn - states) / (total / (drawn - 1.0))
    share = np.where(states == 1, 0.0, share)
    return np.where(total > 1e-24 * drawn, share, np.nan)


def _own_noise(indices: xr.Dataset | None) -> dict[tuple[str, str], tuple[float, float]]:
    out: dict[tuple[str, str], tuple[float, float]] = {}
    if indices is None:
        return out
    for number, who in enumerate(outputs_of(indices)):
        one = indices.isel(output=number) if "output" in indices.dims else indices
        for j, driver in enumerate(indices["driver"].values):
            out[who["output"], str(driver)] = float(one["S1"][j]), float(one["ST"][j])
    return out
