"""What the tables foresaw of the events: prior, counts, posterior and the conflict between them.

Before its counts are seen, a Dirichlet row foretells them by the Dirichlet-multinomial distribution.
The p-value of a row is the probability it gives to outcomes no likelier than the one seen (Box 1980,
J. R. Stat. Soc. A 143(4); Evans and Moshonov 2006, Bayesian Analysis 1(4)). It is summed over every
outcome where these are few, and simulated otherwise. A small one says that the row was stated wrongly
or too surely: the update then averages two things that do not agree. Among m rows that are right
about 0.05 m fall below 0.05; outcomes being discrete, seldom more.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem
from sinkrisk.network.building import Network
from sinkrisk.network.events import row_label
from sinkrisk.network.updating import Drawn, conjugate_rules, is_drawn, observed, row_sizes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sinkrisk.network.events import TableSource

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

MOST_OUTCOMES = 20_000
"""Count vectors up to which a p-value is summed over all of them."""
SIMULATED = 20_000
"""Simulated count vectors behind any other p-value: its standard error is at most 0.0035."""
_TIE = 1e-9
"""Difference of log probabilities taken as none: outcomes of equal probability count in full."""


def update_summary(
    net: Network,
    events: TableSource,
    *,
    local: bool = False,
    ranked: Drawn = "refuse",
    level: float = 0.9,
    rng: random.RandomSource = None,
) -> pd.DataFrame:
    """Return prior, counts and posterior of every row with counts, and how surprising the counts are.

    Parameters
    ----------
    net : Network
        The network before the update.
    events, local, ranked
        As in `updated`, whose numbers these are.
    level : float
        Mass of the equal-tailed posterior interval.
    rng : int, Generator or None
        For the p-values that are simulated.

    Returns
    -------
    DataFrame
        One row per state of each table row with counts: table (its rule's key), node (of a plate the
        first with counts), nodes (how many had counts), given, state, prior_mean, prior_size, count,
        posterior_mean, low, high, posterior_size, p_value, p_error (standard error; 0 where exact),
        p_method ("exact" or "simulated"), prior ("stated", or "matched" where a table of drawn
        parameters was turned into Dirichlet rows). Sizes, counts and p belong to one row of the
        table; p repeats over its states. ``attrs`` holds ``level`` and ``interval``.

    Raises
    ------
    InputError
        As `updated`; for a level outside (0, 1).

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> seen = pd.DataFrame({"node": "rain", "state": ["no", "yes"], "count": [4, 6]})
    >>> update_summary(net, seen)[["state", "prior_mean", "count", "posterior_mean", "p_value"]].round(3)
      state  prior_mean  count  posterior_mean  p_value
    0    no         0.8      4             0.6     0.04
    1   yes         0.2      6             0.4     0.04
    """
    if not 0.0 < level < 1.0:
        raise InputError(Problem("level outside its range", got=level, allowed="above 0 and below 1"))
    generator = random.generator(rng)
    rows: list[dict[str, str | int | float]] = []
    for seen, rule in conjugate_rules(net, observed(net, events, local=local), ranked):
        node = seen.nodes[0]
        sizes = row_sizes(rule)
        for index in np.argwhere(seen.counts.sum(axis=-1) > 0):
            row = tuple(int(code) for code in index)
            counts, mean, size = seen.counts[row], rule.mean[row], float(sizes[row])
            p_value, p_error = surprise(counts, size * mean, rng=generator)
            after = size * mean + counts
            total = float(after.sum())
            low, high = _interval(after, level)
            for code, state in enumerate(net.nodes[node].states):
                rows.append(
                    {
                        "table": seen.rule,
                        "node": node,
                        "nodes": len(seen.nodes),
                        "given": row_label(net, node, row),
                        "state": state,
                        "prior_mean": float(mean[code]),
                        "prior_size": size,
                        "count": int(counts[code]),
                        "posterior_mean": float(after[code] / total),
                        "low": float(low[code]),
                        "high": float(high[code]),
                        "posterior_size": total,
                        "p_value": p_value,
                        "p_error": p_error,
                        "p_method": "simulated" if p_error > 0.0 else "exact",
                        "prior": "matched" if is_drawn(net.rules[seen.rule]) else "stated",
                    }
                )
    columns = [
        "table", "node", "nodes", "given", "state", "prior_mean", "prior_size", "count", "posterior_mean",
        "low", "high", "posterior_size", "p_value", "p_error", "p_method", "prior",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    table.attrs.update(level=level, interval="equal-tailed")
    return table


def surprise(
    counts: ArrayLike,
    shape: ArrayLike,
    *,
    most: int = MOST_OUTCOMES,
    draws: int = SIMULATED,
    rng: random.RandomSource = None,
) -> tuple[float, float]:
    """Return the prior-predictive p-value of counts under a Dirichlet row, and its standard error.

    Parameters
    ----------
    counts : array_like of int (states,)
    shape : array_like (states,)
        Parameters of the Dirichlet; a state of nought is impossible and has no counts.
    most : int
        Outcomes up to which the sum over all of them is taken; the error is then 0.
    draws : int
        Outcomes simulated otherwise: p is (b + 1) / (draws + 1) with b as unlikely as the counts.
    rng : int, Generator or None

    Examples
    --------
    A uniform prior finds every outcome of two states equally likely, and none surprising:

    >>> surprise([10, 0], [1.0, 1.0])
    (1.0, 0.0)
    """
    possible = np.asarray(shape, dtype=float) > 0.0
    seen = np.asarray(counts, dtype=np.int64)[possible]
    a = np.asarray(shape, dtype=float)[possible]
    n, states = int(seen.sum()), len(a)
    reached = float(log_probability(seen, a)) + _TIE
    if math.comb(n + states - 1, states - 1) <= most:
        values = log_probability(_outcomes(n, states), a)
        return min(float(np.exp(values[values <= reached]).sum()), 1.0), 0.0
    generator = random.generator(rng)
    outcomes = generator.multinomial(n, generator.dirichlet(a, draws))
    p = (int((log_probability(outcomes, a) <= reached).sum()) + 1) / (draws + 1)
    return p, math.sqrt(p * (1.0 - p) / draws)


def log_probability(counts: NDArray[np.integer], shape: Floats) -> Floats:
    """Return the log probability of counts under the Dirichlet-multinomial distribution.

    Parameters
    ----------
    counts : ndarray of int (..., states)
    shape : ndarray (states,)
        Parameters of the Dirichlet, all positive.
    """
    n, total = counts.sum(axis=-1), shape.sum()
    row = special.gammaln(n + 1.0) + special.gammaln(total) - special.gammaln(n + total)
    cells = special.gammaln(counts + shape) - special.gammaln(counts + 1.0) - special.gammaln(shape)
    return np.asarray(row + cells.sum(axis=-1))


def _outcomes(n: int, states: int) -> Counts:
    """Every way to spread n counts over the states, by stars and bars."""
    if states == 1:
        return np.array([[n]], dtype=np.int64)
    bars = np.array(list(itertools.combinations(range(n + states - 1), states - 1)), dtype=np.int64)
    edges = np.hstack(
        [np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), n + states - 1)], dtype=np.int64
    )
    return np.asarray(np.diff(edges, axis=1) - 1)


def _interval(shape: Floats, level: float) -> tuple[Floats, Floats]:
    """Equal-tailed intervals of the probabilities of a Dirichlet row: each is a beta."""
    rest = shape.sum() - shape
    low, high = np.where(shape > 0.0, 1.0, 0.0), np.where(shape > 0.0, 1.0, 0.0)
    inner = (shape > 0.0) & (rest > 0.0)
    low[inner] = special.betaincinv(shape[inner], rest[inner], 0.5 - level / 2.0)
    high[inner] = special.betaincinv(shape[inner], rest[inner], 0.5 + level / 2.0)
    return low, high
