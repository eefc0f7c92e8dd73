"""Joint states as a function of uniforms: inverse conditional CDF, parents before children.

A node's state is the number of its cumulative probabilities, given its parents' states, that its
uniform has reached: the same u gives the same states, and a larger u never a lower state code for
equal parents. (pgmpy's `simulate(seed=)` is not used: it reseeds numpy's global generator.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import Conditions, Evidence, read_conditions, require_network
from sinkrisk.network.tables import UNIFORM_MARGIN, TableBank, TableDraws, cumulative

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray


MAX_CODES = 2**34
"""Most states held at once (17 GB)."""
BLOCK = 8192
"""Samples drawn at a time."""


def sample_states(
    net: Network,
    n: int | None = None,
    *,
    u: ArrayLike | None = None,
    tables: TableBank | TableDraws | None = None,
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
    rng: random.RandomSource = None,
) -> tuple[NDArray[np.int8], NDArray[np.float64] | None]:
    """Draw joint states as an array of codes; arguments and errors as in `sample`.

    Returns
    -------
    states : ndarray of int8 (n, nodes)
        Codes, columns in `net.order`.
    probability : ndarray (n,) or None
        Sample weights that sum to one when there is evidence.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> sample_states(net, u=[[0.1], [0.9]])
    (array([[0],
           [1]], dtype=int8), None)
    """
    require_network(net)
    generator = random.generator(rng)
    uniforms, rows = _uniforms(net, n, u)
    if isinstance(tables, TableBank):
        tables = tables.take(generator.integers(tables.size, size=rows))
    if tables is not None:
        _check_tables(net, tables, rows)
    conditions = read_conditions(net, evidence, do)
    weights = np.ones(rows) if conditions.hard or conditions.soft else None
    # Nodes first, so that each column is contiguous; in blocks that stay in the processor's cache.
    codes = np.empty((len(net), rows), dtype=np.int8)
    steps = _cumulative_tables(net, tables)
    for start in range(0, rows, BLOCK):
        block = slice(start, min(start + BLOCK, rows))
        if uniforms is None:
            drawn = generator.random((block.stop - block.start, len(net)))
        else:
            drawn = uniforms[block]
        drawn = np.clip(drawn, UNIFORM_MARGIN, 1.0 - UNIFORM_MARGIN)
        _fill(
            net,
            codes[:, block],
            np.ascontiguousarray(drawn.T),
            steps,
            None if tables is None else tables.index[block],
            conditions,
            None if weights is None else weights[block],
        )
    if weights is not None:
        total = weights.sum()
        if not total > 0.0:
            raise InputError(
                Problem(
                    "no sample agrees with the evidence",
                    got=", ".join([*conditions.hard, *conditions.soft]),
                    hint="the evidence is impossible (ask query) or rare: draw more samples",
                )
            )
        weights /= total
    return codes.T, weights


def _cumulative_tables(net: Network, tables: TableDraws | None) -> dict[str, NDArray[np.float64]]:
    if tables is not None:
        return {name: tables.bank.cumulative(name) for name in net.order}
    cache = net.cumulative_tables
    for name, node in net.nodes.items():
        if node.rule not in cache:
            cache[node.rule] = cumulative(net.tables[name])
    return {name: cache[node.rule] for name, node in net.nodes.items()}


def _fill(
    net: Network,
    codes: NDArray[np.int8],
    uniforms: NDArray[np.float64],
    steps: Mapping[str, NDArray[np.float64]],
    draw: NDArray[np.int64] | None,
    conditions: Conditions,
    weights: NDArray[np.float64] | None,
) -> None:
    """Fill a block of codes (nodes, rows), and multiply the likelihood into its weights."""
    rows = codes.shape[1]
    for column, (name, node) in enumerate(net.nodes.items()):
        if name in conditions.do:
            codes[column] = conditions.do[name]
            continue
        # One flat row number per sample: the draw of the table first, then the parents' states.
        row = np.zeros(rows, dtype=np.int64) if draw is None else draw.copy()
        for parent in node.parents:
            row *= len(net.nodes[parent].states)
            row += codes[net.position[parent]]
        count = len(node.states)
        row *= count
        flat = steps[name].reshape(-1)
        if name in conditions.hard:
            code = conditions.hard[name]
            codes[column] = code
            assert weights is not None
            weights *= flat[row + code] - (flat[row + (code - 1)] if code else 0.0)
            continue
        state = np.zeros(rows, dtype=np.int8)
        for step in range(count - 1):
            state += uniforms[column] >= flat[row + step]
        codes[column] = state
        if name in conditions.soft:
            assert weights is not None
            weights *= conditions.soft[name][state]


def _uniforms(net: Network, n: int | None, u: ArrayLike | None) -> tuple[NDArray[np.float64] | None, int]:
    """Return the uniforms given, if any, and the number of samples."""
    if u is None:
        if n is None or isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise InputError(Problem("number of samples", got=n, allowed="a positive integer, or give u"))
        if int(n) * len(net) > MAX_CODES:
            allowed = f"up to {MAX_CODES // len(net)} for {len(net)} nodes"
            raise InputError(Problem("number of samples too large", got=n, allowed=allowed))
        return None, int(n)
    try:
        values = np.asarray(u, dtype=float)
    except (TypeError, ValueError):
        raise InputError(
            Problem("u is no array of numbers", got=type(u).__name__, allowed=f"(n, {len(net)})", key="u")
        ) from None
    found = Problems()
    if values.ndim != 2 or values.shape[1] != len(net):
        found.add(
            "u has the wrong shape",
            got=values.shape,
            allowed=f"(n, {len(net)}), one column per node of net.order",
        )
    elif n is not None and n != len(values):
        found.add("n disagrees with the rows of u", got=n, allowed=str(len(values)))
    elif not (np.all(values >= 0.0) and np.all(values <= 1.0)):
        wrong = values[~((values >= 0.0) & (values <= 1.0))]
        found.add("u outside its range", got=float(wrong[0]), allowed="0 to 1")
    found.raise_if_any()
    return values, len(values)


def _check_tables(net: Network, tables: TableDraws, rows: int) -> None:
    found = Problems()
    if not isinstance(tables, TableDraws):
        raise InputError(
            Problem("tables", got=type(tables).__name__, allowed="a TableBank, or what its take returns")
        )
    if len(tables) != rows:
        found.add("tables for another number of samples", got=len(tables), allowed=str(rows))
    for name in net.order:
        rule = tables.bank.rule_of.get(name)
        if rule is None or tables.bank.draws[rule].shape[1:] != net.tables[name].shape:
            found.add("table bank of another network", got=name, allowed=str(net.tables[name].shape))
            break
    found.raise_if_any()


def sample(
    net: Network,
    n: int | None = None,
    *,
    u: ArrayLike | None = None,
    tables: TableBank | TableDraws | None = None,
    evidence: Evidence | None = None,
    do: Mapping[str, str] | None = None,
    rng: random.RandomSource = None,
) -> xr.Dataset:
    """Draw joint states of all nodes.

    Parameters
    ----------
    net : Network
    n : int, optional
        Number of samples; needed unless `u` is given.
    u : array_like (n, nodes), optional
        Uniforms in [0, 1], columns in `net.order`; kept 2**-53 away from 0 and 1. Columns of nodes
        set by `evidence` or `do` are not used.
    tables : TableBank or TableDraws, optional
        The stated tables when left out; ``bank.take(index)`` for a table draw per sample; a bank
        for draws picked at random.
    evidence : mapping, optional
        Node -> state or likelihood. Evidence is met by likelihood weighting: the Dataset then has
        `probability(sample)`, weights that sum to one, without which its rows mean nothing.
    do : mapping, optional
        Node -> state it is set to, its incoming edges cut.
    rng : int, Generator or None
        Used for u, and to pick draws of a bank, where they are not given.

    Returns
    -------
    Dataset
        One int8 variable of state codes per node, dim sample; attrs["states"] of each lists its
        states in the order of the codes.

    Raises
    ------
    InputError
        For u of the wrong shape or range, tables of another network or length, unknown nodes or
        states, and evidence that no sample agrees with.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> sample(net, u=[[0.0], [0.79], [0.81], [1.0]])["rain"].values
    array([0, 0, 1, 1], dtype=int8)
    """
    import xarray as xr

    codes, weights = sample_states(net, n, u=u, tables=tables, evidence=evidence, do=do, rng=rng)
    columns = codes.T
    data = {
        name: ("sample", columns[index], {"states": list(node.states), "units": "1"})
        for index, (name, node) in enumerate(net.nodes.items())
    }
    result = xr.Dataset(data, coords={"sample": np.arange(len(codes))}, attrs={"network": net.name})
    if weights is not None:
        result["probability"] = ("sample", weights, {"units": "1"})
        result.attrs["effective_sample_size"] = float(1.0 / np.sum(weights**2))
    return result
