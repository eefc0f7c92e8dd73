"""Exact answers for every draw of the tables: what the doubt about the tables does to a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions, Evidence, known_node, read_conditions, require_network
from sinkrisk.network.drawn_sums import SumPlan
from sinkrisk.network.exact import Exact
from sinkrisk.network.inference import conditioned, exact_marginal
from sinkrisk.network.propagation import DRAW
from sinkrisk.network.simulated import (
    check_bank,
    check_mass,
    interval,
    interval_errors,
    mean_error,
)
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
        Probabilities; draws in the order of the bank. `draw_intervals` sums them up.

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


def draw_intervals(draws: xr.DataArray, mass: float = 0.9) -> pd.DataFrame:
    """Return mean and equal-tailed interval of each state over draws, with their Monte Carlo errors.

    Parameters
    ----------
    draws : DataArray (draw, state)
        From `query_draws`: the draws are exact, so what is left of chance is their number.
    mass : float
        Of the interval, between 0 and 1.

    Returns
    -------
    DataFrame
        One row per state: state, probability (the mean), low, high, mc_error, mc_error_low,
        mc_error_high, draws, interval_kind, interval_mass. The errors are standard errors, those of
        the ends from the ranks next to them (`simulated.interval_errors`).

    Raises
    ------
    InputError
        For a mass outside (0, 1).

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables, table_bank
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> found = draw_intervals(query_draws(net, "rain", table_bank(net, 2000, rng=1)))
    >>> print(found[["state", "low", "high", "mc_error_low"]].round(2).to_string(index=False))
    state  low  high  mc_error_low
       no 0.57  0.95          0.01
      yes 0.05  0.43          0.00
    """
    check_mass(mass)
    rows = []
    for state in draws["state"].values:
        values = draws.sel(state=state).values
        low, high = interval(values, mass)
        low_error, high_error = interval_errors(values, mass)
        rows.append(
            {
                "state": str(state), "probability": float(values.mean()), "low": low, "high": high,
                "mc_error": mean_error(values), "mc_error_low": low_error, "mc_error_high": high_error,
                "draws": len(values), "interval_kind": "equal-tailed", "interval_mass": mass,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


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
            plan = SumPlan(scopes, question.cards, question.order, tuple(question.keep))
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
