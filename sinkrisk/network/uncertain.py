"""Exact answers for every draw of the tables: what the doubt about the tables does to a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Evidence, known_node, read_conditions
from sinkrisk.network.exact import Exact
from sinkrisk.network.inference import conditioned, exact_marginal
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    import xarray as xr

CHUNK_CELLS = 2**19
"""Cells of the largest table times draws taken at a time: what stays in a processor's cache."""


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

    found = Problems()
    known_node(net, variable, "variable", found)
    found.raise_if_any()
    _same_network(net, bank)
    conditions = read_conditions(net, evidence, do)
    stated = conditioned(net, conditions)
    states = net.nodes[variable].states
    values = np.empty((bank.size, len(states)))
    if variable in stated.fixed:
        values[:] = exact_marginal(stated, variable)
    else:
        question = stated.question([variable], net.nodes[variable].region, keep=[variable])
        step = max(1, CHUNK_CELLS // max(question.tree().largest, 1))
        for start in range(0, bank.size, step):
            chunk = slice(start, min(start + step, bank.size))
            exact = Exact(net, conditions, {rule: draws[chunk] for rule, draws in bank.draws.items()})
            if np.any(np.isneginf(exact.log_probability)):
                impossible = start + int(np.argmax(np.isneginf(exact.log_probability)))
                raise InputError(
                    Problem("evidence is impossible under a draw of the tables", got=f"draw {impossible}")
                )
            values[chunk] = exact_marginal(exact, variable)
    return xr.DataArray(
        values,
        dims=("draw", "state"),
        coords={"draw": np.arange(bank.size), "state": list(states)},
        name=variable,
        attrs={"units": "1", "network": net.name},
    )


def _same_network(net: Network, bank: TableBank) -> None:
    for name in net.order:
        rule = net.nodes[name].rule
        if bank.rule_of.get(name) != rule or bank.draws[rule].shape[1:] != net.tables[name].shape:
            raise InputError(
                Problem("table bank of another network", got=name, allowed="a bank from table_bank(net)")
            )
