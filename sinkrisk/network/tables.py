"""Conditional tables, and banks of joint draws that carry how unsure they are.

Rows of a full table are Dirichlet with the stated row as mean and the equivalent sample size as
concentration. Independent rows would average the doubt away (with 81 rows the sd of a marginal
falls from .14 to .02), so within one table all rows share a deviation: the gamma variables behind
the Dirichlet of every row are joined, state by state, by a Gaussian copula of equal correlation.
Each row keeps its Dirichlet exactly, mean included. A ranked table draws its parameters instead
(weights, baseline, spread), and is then raked so that the mean of its draws is the stated table.

One table that a plate repeats over regions or periods is one belief: it is drawn once and used in
all of them. Tables that override parts of one entry share its random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network import noisy
from sinkrisk.network.noisy import NoisyMaxParameters
from sinkrisk.network.ranked_nodes import (
    RankedParameters as RankedParameters,
    favourability as favourability,
    ranked_table as ranked_table,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sinkrisk.network.building import Network

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer]

CALIBRATION_POINTS = 256
"""Quasi-random parameter draws behind the raking factors of a ranked table."""
RAKING_STEPS = 200
RAKING_TOLERANCE = 1e-7
RAKING_LIMIT = 1e100
"""Largest raking factor, and one over the least: a state that no draw reaches would ask for infinity."""
UNIFORM_MARGIN = 2.0**-53
"""Uniforms are kept this far from 0 and 1."""


@dataclass(frozen=True)
class TableRule:
    """One conditional table and what is believed about its doubt.

    Parameters
    ----------
    stream : str
        Rules of equal stream share their random numbers.
    mean : ndarray (parent states ..., states)
    equivalent_sample_size : float
        Judgements the table is worth; ``inf`` for a table that is certain.
    correlation : float
        Correlation of the rows' deviations (full tables).
    ranked : RankedParameters, optional
    noisy : NoisyMaxParameters, optional
    row_sizes : ndarray (parent states ...), optional
        Equivalent sample size of each row of a full table, in place of the one of the whole table.
    """

    stream: str
    mean: Floats
    equivalent_sample_size: float
    correlation: float = 0.0
    ranked: RankedParameters | None = None
    noisy: NoisyMaxParameters | None = None
    row_sizes: Floats | None = None

    def draw(self, size: int, generator: np.random.Generator) -> Floats:
        """Return `size` joint draws of the table, shape (size, parent states ..., states)."""
        if not np.isfinite(self.equivalent_sample_size):
            return np.broadcast_to(self.mean, (size, *self.mean.shape)).copy()
        if self.noisy is not None:
            leak, effects = noisy.drawn(self.noisy, self.equivalent_sample_size, size, generator)
            return noisy.noisy_max_table(leak, effects)
        if self.ranked is None:
            return _dirichlet_rows(self, size, generator)
        factors = self._raking_factors
        uniforms = np.clip(
            generator.random((size, _dimension(self.ranked))), UNIFORM_MARGIN, 1 - UNIFORM_MARGIN
        )
        return _raked(_ranked_draws(self.ranked, self.equivalent_sample_size, uniforms), factors)

    @cached_property
    def _raking_factors(self) -> Floats:
        assert self.ranked is not None
        # A fixed design, so that the factors do not depend on the bank and a bank of one still varies.
        design = stats.qmc.Sobol(_dimension(self.ranked), rng=np.random.default_rng(1)).random(
            CALIBRATION_POINTS
        )
        design = np.clip(design, UNIFORM_MARGIN, 1 - UNIFORM_MARGIN)
        draws = _ranked_draws(self.ranked, self.equivalent_sample_size, design)
        factors = np.ones_like(self.mean)
        for _ in range(RAKING_STEPS):
            reached = _raked(draws, factors).mean(axis=0)
            if np.abs(reached - self.mean).max() < RAKING_TOLERANCE:
                break
            with np.errstate(over="ignore"):
                factors = factors * self.mean / np.maximum(reached, 1e-300)
            factors = np.clip(factors, 1.0 / RAKING_LIMIT, RAKING_LIMIT)
        return factors


def _dimension(parameters: RankedParameters) -> int:
    return max(len(parameters.weights), parameters.slot_count) + 3


def _slots(p: RankedParameters) -> list[int]:
    """Columns of the weights and, last, of the baseline's weight."""
    count = _dimension(p) - 3
    return [*(p.slots or range(len(p.weights))), count]


def _ranked_draws(p: RankedParameters, size: float, uniforms: Floats) -> Floats:
    """Tables of drawn parameters: Dirichlet weights, beta baseline, lognormal spread."""
    raw = np.array([*p.weights, p.baseline_weight], dtype=float)
    shares = raw / raw.sum()
    count = len(shares)
    gammas = np.zeros((len(uniforms), count))
    drawn = shares > 0.0
    columns = np.asarray(_slots(p))[drawn]
    gammas[:, drawn] = special.gammaincinv(size * shares[drawn], uniforms[:, columns])
    # Tiny shapes can underflow to nought in every weight; such a draw keeps the stated shares.
    total = gammas.sum(axis=1, keepdims=True)
    gammas = np.where(total > 0.0, gammas, shares)
    count = _dimension(p) - 2
    baseline = np.full(len(uniforms), p.baseline)
    if 0.0 < p.baseline < 1.0:
        baseline = special.betaincinv(size * p.baseline, size * (1.0 - p.baseline), uniforms[:, count])
    # A variance known from `size` normal judgements has a log-sd of about 1 / sqrt(2 size).
    spread = p.spread * np.exp(special.ndtri(uniforms[:, count + 1]) / np.sqrt(2.0 * size))
    return ranked_table(p, gammas / gammas.sum(axis=1, keepdims=True), baseline, np.clip(spread, 0.02, 1.0))


def _raked(draws: Floats, factors: Floats) -> Floats:
    product = draws * factors
    return np.asarray(product / product.sum(axis=-1, keepdims=True))


def _dirichlet_rows(rule: TableRule, size: int, generator: np.random.Generator) -> Floats:
    states = rule.mean.shape[-1]
    rows = rule.mean.reshape(-1, states)
    shared = generator.standard_normal((size, 1, states))
    own = generator.standard_normal((size, *rows.shape))
    deviation = np.sqrt(rule.correlation) * shared + np.sqrt(1.0 - rule.correlation) * own
    uniforms = np.clip(special.ndtr(deviation), UNIFORM_MARGIN, 1.0 - UNIFORM_MARGIN)
    size_of = rule.equivalent_sample_size if rule.row_sizes is None else rule.row_sizes.reshape(-1, 1)
    shape = size_of * rows
    drawn = np.zeros_like(uniforms)
    positive = rows > 0.0
    drawn[:, positive] = special.gammaincinv(shape[positive], uniforms[:, positive])
    total = drawn.sum(axis=-1, keepdims=True)
    # Tiny shapes can underflow to nought in every state; such a row keeps its stated probabilities.
    result = np.where(total > 0.0, drawn / np.where(total > 0.0, total, 1.0), rows)
    return result.reshape(size, *rule.mean.shape)


MAX_BANK_BYTES = 2**34
"""Largest bank drawn (17 GB): beyond it memory would run out before the first answer."""


@dataclass(frozen=True)
class TableBank:
    """Joint draws of every table of a network.

    Parameters
    ----------
    draws : mapping
        Rule -> ndarray (size, parent states ..., states).
    rule_of : mapping
        Node name -> rule.
    size : int
    summary : ndarray (size,)
        What the draws are sorted by: the tables' mean favourability over all parent combinations,
        of the deployment nodes where there are any. Neighbouring draws are alike, which a
        quasi-random choice of the draw makes use of.
    """

    draws: Mapping[str, Floats]
    rule_of: Mapping[str, str]
    size: int
    summary: Floats
    _cumulative: dict[str, Floats] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"TableBank({self.size} draws of {len(self.draws)} tables)"

    def take(self, index: Integers) -> TableDraws:
        """Return the tables that go with each row of a sample.

        Parameters
        ----------
        index : ndarray of int (n,)
            Draw of the bank for each row, 0 to size - 1.

        Raises
        ------
        InputError
            When an index is no integer or outside the bank.
        """
        index = np.asarray(index)
        if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
            raise InputError(
                Problem(
                    "draws of the table bank", got=f"{index.dtype} {index.shape}", allowed="integers (n,)"
                )
            )
        if index.size and (index.min() < 0 or index.max() >= self.size):
            wrong = int(index.max() if index.max() >= self.size else index.min())
            raise InputError(
                Problem("no such draw in the table bank", got=wrong, allowed=f"0 to {self.size - 1}")
            )
        return TableDraws(self, index.astype(np.int64))

    def tables(self, draw: int) -> dict[str, Floats]:
        """Return one draw's table of every node, parent axes first."""
        self.take(np.array([draw]))
        return {node: self.draws[rule][draw] for node, rule in self.rule_of.items()}

    def cumulative(self, node: str) -> Floats:
        """Return cumulative probabilities of a node's draws, computed once per rule."""
        rule = self.rule_of[node]
        if rule not in self._cumulative:
            self._cumulative[rule] = cumulative(self.draws[rule])
        return self._cumulative[rule]


@dataclass(frozen=True)
class TableDraws:
    """The bank's tables chosen for each row of a sample: what `sample(tables=)` takes."""

    bank: TableBank
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)


def cumulative(table: Floats) -> Floats:
    """Return cumulative probabilities over the last axis, ending in exactly one.

    Dividing by the last sum makes a state of probability nought unreachable even for the largest
    uniform below one.
    """
    sums = np.cumsum(table, axis=-1)
    return np.asarray(sums / sums[..., -1:])


def table_bank(net: Network, size: int = 512, *, rng: random.RandomSource = None) -> TableBank:
    """Draw a bank of joint tables of a network.

    Parameters
    ----------
    net : Network
    size : int
        Number of joint draws.
    rng : int, Generator or None

    Returns
    -------
    TableBank
        Draws sorted by `summary`, lowest favourability first.

    Raises
    ------
    InputError
        When `size` is not a positive integer, or beyond `MAX_BANK_BYTES`; with the node's name, for a
        table whose draws are no probabilities.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10
    ... )
    >>> bank = table_bank(net, 1000, rng=1)
    >>> bank
    TableBank(1000 draws of 1 tables)
    >>> print(bank.draws["rain"].mean(axis=0).round(2), bank.draws["rain"].std(axis=0).round(2))
    [0.8 0.2] [0.12 0.12]
    """
    from sinkrisk.network.conditions import require_network

    require_network(net)
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise InputError(Problem("size of the table bank", got=size, allowed="a positive integer"))
    each = 8 * sum(rule.mean.size for rule in net.rules.values())
    if each * int(size) > MAX_BANK_BYTES:
        raise InputError(
            Problem(
                "table bank too large",
                got=f"{size} draws of {each / 1e6:.3g} MB",
                allowed=f"up to {MAX_BANK_BYTES // each} draws ({MAX_BANK_BYTES / 1e9:.3g} GB)",
            )
        )
    generator = random.generator(rng)
    seeds: dict[str, int] = {}
    for rule in net.rules.values():
        if rule.stream not in seeds:
            seeds[rule.stream] = int(generator.integers(2**63))
    draws = {
        name: rule.draw(int(size), np.random.default_rng(seeds[rule.stream]))
        for name, rule in net.rules.items()
    }
    _check_draws(net, draws)
    summary = _summary(net, draws)
    order = np.argsort(summary, kind="stable")
    rule_of = {name: node.rule for name, node in net.nodes.items()}
    return TableBank(
        {name: values[order] for name, values in draws.items()}, rule_of, int(size), summary[order]
    )


def _check_draws(net: Network, draws: Mapping[str, Floats]) -> None:
    found = Problems()
    told: set[str] = set()
    for name, node in net.nodes.items():
        bad = ~np.isfinite(draws[node.rule])
        if node.rule not in told and bad.any():
            told.add(node.rule)
            found.add(
                f"node '{name}': draws of its table are not finite",
                got=f"{int(bad.sum())} of {bad.size} probabilities",
                allowed="probabilities",
                key=name,
                hint="look at its probabilities, weights, spread and equivalent sample size",
            )
    found.raise_if_any()


def _summary(net: Network, draws: Mapping[str, Floats]) -> Floats:
    deciding = {node.rule: node for node in net.nodes.values() if node.group == "deployment"}
    chosen = deciding or {node.rule: node for node in net.nodes.values()}
    parts = []
    for rule, node in chosen.items():
        score = np.asarray(favourability(len(node.states), node.favourable == "first"))
        parts.append((draws[rule] @ score).reshape(len(draws[rule]), -1).mean(axis=1))
    return np.asarray(np.mean(parts, axis=0))
