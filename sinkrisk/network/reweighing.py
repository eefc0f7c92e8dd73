"""Updating a bank of table draws by counts of events: each draw weighed by how likely it made them.

The weight of a draw is the multinomial likelihood of the counts under its tables, the product of
p^n over rows and states (importance sampling with the prior as proposal; Robert and Casella, Monte
Carlo Statistical Methods, 2nd edition, section 3.3). It needs no conjugate form, so it serves ranked
and noisy-max tables, and it lets counts of one row speak of every row and table that errs with it:
of two rows stated at 0.20, each worth ten judgements and of correlation 0.5, 30 of 40 events under
the first alone bring them to 0.64 and 0.39, where `updated` gives 0.64 and 0.20.
The price is draws: the effective sample size 1 / sum(w^2) falls as the counts grow.

Tables of different streams (see `tables.TableRule`) are drawn independently, and each count speaks of
one table, so the posterior is a product over streams as the prior is. Each stream is therefore weighed
and resampled by itself, which keeps many more draws than one weight for all of them would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.events import counts_of
from sinkrisk.network.tables import TableBank, _summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sinkrisk.network.events import TableSource

    Floats = NDArray[np.float64]

LEAST_EFFECTIVE = 100.0
"""Effective draws below which a reweighed bank is refused: the end of a 90 % interval then rests on
fewer than five of them."""


@dataclass(frozen=True)
class Reweighed:
    """A bank of table draws after events.

    Parameters
    ----------
    weights : mapping of str to ndarray (size,)
        By stream with counts: weight of each draw of the bank given, summing to one.
    effective : mapping of str to float
        By stream with counts: 1 / sum of the squared weights, the draws of equal weight that would
        serve as well.
    effective_sample_size : float
        The smallest of them; the bank's size where no stream has counts.
    reliable : bool
        Whether that reaches what was asked for.
    remark : str
        Why not, and what to do; empty where it does.
    index : mapping of str to ndarray of int (draws,)
        By stream: draw of the old bank behind each draw of the new one.
    bank : TableBank or None
        Draws of equal weight, some repeated; None where not `reliable`.
    """

    weights: Mapping[str, Floats]
    effective: Mapping[str, float]
    effective_sample_size: float
    reliable: bool
    remark: str
    index: Mapping[str, NDArray[np.int64]]
    bank: TableBank | None


def reweighed(
    bank: TableBank,
    net: Network,
    events: TableSource,
    *,
    size: int | None = None,
    least: float = LEAST_EFFECTIVE,
    rng: random.RandomSource = None,
) -> Reweighed:
    """Return a bank of table draws reweighed by counts of events, and resampled.

    Parameters
    ----------
    bank : TableBank
        Draws of the network's tables, see `table_bank`, streams independent of one another.
    net : Network
    events : path or DataFrame
        See `events.read_events`. Counts of nodes that share a rule add up.
    size : int, optional
        Draws of the new bank; as many as in the old one when left out.
    least : float
        Effective sample size below which the new bank is refused.
    rng : int, Generator or None
        For the systematic resampling of each stream (Kitagawa 1996, J. Comput. Graph. Stat. 5(1)),
        which takes each draw within one of its weight times `size`, and for shuffling the streams.

    Returns
    -------
    Reweighed

    Raises
    ------
    InputError
        Every problem of the events at once; a bank of another network; counts that every draw holds
        impossible.

    Examples
    --------
    >>> import pandas as pd
    >>> from sinkrisk.network import network_from_tables, table_bank
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> seen = pd.DataFrame({"node": "rain", "state": ["no", "yes"], "count": [4, 6]})
    >>> after = reweighed(table_bank(net, 4000, rng=1), net, seen, rng=1)
    >>> after.reliable, round(float(after.bank.draws["rain"][:, 1].mean()), 2)
    (True, 0.4)
    """
    count = bank.size if size is None else size
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise InputError(Problem("draws of the reweighed bank", got=size, allowed="a positive integer"))
    if isinstance(least, bool) or not isinstance(least, (int, float, np.number)) or not 0.0 <= least < np.inf:
        allowed = "a number of draws, 0 to take what comes"
        raise InputError(Problem("least effective sample size", got=least, allowed=allowed, key="least"))
    _check_bank(bank, net)
    likelihood: dict[str, Floats] = {}
    for node, counts in counts_of(net, events).items():
        draws = bank.draws[bank.rule_of[node]]
        of_rows = special.xlogy(counts, draws).reshape(bank.size, -1).sum(axis=1)
        stream = net.rules[net.nodes[node].rule].stream
        if counts.any():
            likelihood[stream] = likelihood.get(stream, 0.0) + of_rows
    weights = _weights(likelihood)
    effective = {stream: float(1.0 / np.sum(w**2)) for stream, w in weights.items()}
    smallest = min(effective.values(), default=float(bank.size))
    generator = random.generator(rng)
    equal = _systematic(np.full(bank.size, 1.0 / bank.size), count, 0.5)
    index = {rule.stream: equal for rule in net.rules.values()}
    for stream, w in weights.items():
        # Shuffled: in the bank's order the streams would rise and fall together.
        index[stream] = generator.permutation(_systematic(w, count, generator.random()))
    if smallest < least:
        worst = min(effective, key=effective.__getitem__)
        remark = (
            f"the events leave {smallest:.1f} effective draws of {bank.size} for '{worst}', fewer than "
            f"{least:g}: draw a larger bank, or update the tables themselves"
        )
        return Reweighed(weights, effective, smallest, False, remark, index, None)
    resampled = {name: values[index[net.rules[name].stream]] for name, values in bank.draws.items()}
    summary = _summary(net, resampled)
    order = np.argsort(summary, kind="stable")
    index = {stream: picked[order] for stream, picked in index.items()}
    after = TableBank(
        {name: values[order] for name, values in resampled.items()}, bank.rule_of, count, summary[order]
    )
    return Reweighed(weights, effective, smallest, True, "", index, after)


def _weights(likelihood: Mapping[str, Floats]) -> dict[str, Floats]:
    found = Problems()
    weights: dict[str, Floats] = {}
    for stream, values in likelihood.items():
        if not values.max() > -np.inf:
            hint = "a state with counts has probability nought: mend its table"
            found.add("events that every draw of the bank holds impossible", got=stream, hint=hint)
            continue
        weight = np.exp(values - values.max())
        weights[stream] = weight / weight.sum()
    found.raise_if_any()
    return weights


def _systematic(weights: Floats, count: int, uniform: float) -> NDArray[np.int64]:
    """Draws at evenly spaced places of the cumulative weights, in their order."""
    steps = np.cumsum(weights)
    places = (uniform + np.arange(count)) / count
    # The last place may round to one, which lies behind every draw.
    index = np.minimum(np.searchsorted(steps / steps[-1], places, side="right"), len(weights) - 1)
    return index.astype(np.int64)


def _check_bank(bank: TableBank, net: Network) -> None:
    found = Problems()
    if set(bank.draws) != set(net.rules):
        missing = sorted(set(net.rules) ^ set(bank.draws))
        found.add(
            "table bank of another network", got=", ".join(missing[:5]), allowed="the network's own rules"
        )
    for name in net.order:
        rule = bank.rule_of.get(name)
        if not found and (rule is None or bank.draws[rule].shape[1:] != net.tables[name].shape):
            found.add("table bank of another network", got=name, allowed=str(net.tables[name].shape))
    found.raise_if_any()
