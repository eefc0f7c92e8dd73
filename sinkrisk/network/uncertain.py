"""Exact answers for every draw of the tables: what the doubt about the tables does to a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions, Evidence, known_node, read_conditions, require_network
from sinkrisk.network.drawn_sums import SumPlan
from sinkrisk.network.exact import Exact
from sinkrisk.network.inference import conditioned, exact_marginal
from sinkrisk.network.propagation import DRAW
from sinkrisk.network.simulated import check_bank
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def query_draws(
    net: Network,
    variable: str,
    bank: TableBank,
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Return the exact marginal of a node under every draw of a table bank.

    Parameters
    ----------
    net : Network
    variable : str
    bank : TableBank
        From `table_bank` of this network.
    evidence, do : mapping, optional
        As in `query`.

    Returns
    -------
    DataArray (draw, state)
        Probabilities; draws in the order of the bank.

    Raises
    ------
    InputError
        As in `query`; for a bank of another network; where evidence is impossible under a draw.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables, table_bank
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> draws = query_draws(net, "rain", table_bank(net, 2000, rng=1))
    >>> bool(abs(draws.sel(state="yes").mean() - 0.2) < 0.02)
    True
    """
    import xarray as xr

    require_network(net)
    found = Problems()
    known_node(net, variable, "variable", found)
    found.raise_if_any()
    check_bank(net, bank)
    conditions = read_conditions(net, evidence, do)
    states = net.nodes[variable].states
    stated = conditioned(net, conditions)
    if variable in stated.fixed:
        values = np.broadcast_to(exact_marginal(stated, variable), (bank.size, len(states))).copy()
    else:
        values = marginal_draws(net, variable, bank, conditions)
    return xr.DataArray(
        values,
        dims=("draw", "state"),
        coords={"draw": np.arange(bank.size), "state": list(states)},
        name=variable,
        attrs={"units": "1", "network": net.name},
    )


def marginal_draws(net: Network, variable: str, bank: TableBank, conditions: Conditions) -> Floats:
    """Return the exact marginal of a node that is not fixed under every draw, ndarray (draw, state).

    Raises
    ------
    InputError
        Where evidence is impossible under a draw.
    """
    plans: dict[object, SumPlan] = {}
    values = np.empty((bank.size, len(net.nodes[variable].states)))
    start, step = 0, 1
    while start < bank.size:
        chunk = slice(start, min(start + step, bank.size))
        tables = {rule: draws[chunk] for rule, draws in bank.draws.items()}
        question = Exact(net, conditions, tables, summed=False).whole([variable])
        scopes = tuple(tuple(member for member in scope if member != DRAW) for scope, _ in question.factors)
        plan = plans.get(scopes)
        if plan is None:
            plan = SumPlan(scopes, question.cards, question.order, question.keep)
            plans[scopes] = plan
        if step == 1 < plan.block() and start == 0:
            # The first draw has told how large the tables are.
            step = plan.block()
            continue
        factors = [table if DRAW in scope else table[..., None] for scope, table in question.factors]
        sums = np.maximum(plan.sums(factors, chunk.stop - start), 0.0).T
        total = sums.sum(axis=1, keepdims=True)
        if not np.all(total > 0.0):
            impossible = start + int(np.argmin(total > 0.0))
            raise InputError(
                Problem("evidence is impossible under a draw of the tables", got=f"draw {impossible}")
            )
        values[chunk] = sums / total
        start = chunk.stop
    return values
