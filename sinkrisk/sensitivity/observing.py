"""What it would be worth to observe a node of the governance network before choosing a portfolio."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sinkrisk import risk, rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.risk.information import FOLDS, PERMUTATIONS
from sinkrisk.sensitivity.forms import checked

if TYPE_CHECKING:
    import xarray as xr


@checked()
def value_of_observing(
    values: xr.DataArray,
    states: xr.DataArray,
    *,
    nodes: str | Collection[str] | None = None,
    probability: ArrayLike | None = None,
    folds: int = FOLDS,
    permutations: int = PERMUTATIONS,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return what learning each node's state would add to the value of the best portfolio.

    Parameters
    ----------
    values : DataArray (sample, portfolio)
        Net benefit of each portfolio, more is better: `portfolio.ranking_values`, or a value in
        money.
    states : DataArray (sample, node)
        Codes of the nodes' states in the same samples: `inputs.network_states`.
    nodes : str or collection of str, optional
        All when left out.
    probability : array_like (sample,), optional
    folds, permutations : int
        See `risk.evppi_states`.
    rng : int, Generator or None

    Returns
    -------
    DataFrame
        The most worth observing first: node, value (cross-fitted), value_plug_in, mc_error, floor,
        share_of_perfect, perfect, acts, unit. `acts` says that the plug-in value exceeds what a
        shuffled node seems to be worth and the cross-fitted one is above nought; a node of one
        state in all samples is worth nothing.

    Raises
    ------
    InputError
        For samples that do not match in number or in label, and unknown nodes, or none.

    Notes
    -----
    The value is that of knowing the node and nothing else, when the portfolio is chosen; with some
    hundred nodes tried, one in twenty that is worth nothing exceeds its floor.
    """
    found = Problems()
    for name, array, wanted in (
        ("values", values, ("sample", "portfolio")),
        ("states", states, ("sample", "node")),
    ):
        if set(array.dims) != set(wanted):
            found.add(f"dims of {name}", got=array.dims, allowed=wanted)
    found.raise_if_any()
    if values.sizes["sample"] != states.sizes["sample"]:
        raise InputError(
            Problem(
                "values and states of different samples",
                got=states.sizes["sample"],
                allowed=str(values.sizes["sample"]),
            )
        )
    if "sample" in values.coords and "sample" in states.coords:
        # Rows are joined by their place: the labels must say the same.
        apart = np.flatnonzero(np.asarray(values["sample"].values != states["sample"].values))
        if apart.size:
            at = int(apart[0])
            raise InputError(
                Problem(
                    "values and states of different samples",
                    got=f"sample {states['sample'].values[at]} in place {at} of the states",
                    allowed=f"sample {values['sample'].values[at]}, as in the values",
                    hint="states.sel(sample=values.sample) puts them in order",
                )
            )
    known = [str(name) for name in states["node"].values]
    wanted_nodes = known if nodes is None else [nodes] if isinstance(nodes, str) else list(nodes)
    if not wanted_nodes:
        raise InputError(
            Problem("no node to observe", got=wanted_nodes, allowed="names, or None for all", key="nodes")
        )
    for node in wanted_nodes:
        if node not in known:
            near = difflib.get_close_matches(str(node), known, n=5, cutoff=0.5) or known[:5]
            hint = f"the {len(known)} nodes are in states.node"
            found.add("no such node among the states", got=node, allowed=near, hint=hint)
    found.raise_if_any()
    data = values.transpose("sample", "portfolio").values
    codes = states.transpose("sample", "node")
    seed = int(random.generator(rng).integers(2**63))
    rows = []
    for node in wanted_nodes:
        # The same seed for all: nodes are compared on the same folds.
        worth = risk.evppi_states(
            data,
            np.asarray(codes.sel(node=node).values, dtype=np.int64),
            probability=probability,
            folds=folds,
            permutations=permutations,
            rng=seed,
        )
        share = worth.cross_fitted / worth.perfect if worth.perfect > 0.0 else 0.0
        rows.append(
            (
                node,
                worth.cross_fitted,
                worth.plug_in,
                worth.mc_error,
                worth.floor,
                share,
                worth.perfect,
                worth.acts,
            )
        )
    table = pd.DataFrame(
        rows,
        columns=[
            "node",
            "value",
            "value_plug_in",
            "mc_error",
            "floor",
            "share_of_perfect",
            "perfect",
            "acts",
        ],
    )
    table = table.assign(unit=str(values.attrs.get("units", "1")))
    return table.sort_values(["acts", "value"], ascending=False, kind="stable", ignore_index=True)
