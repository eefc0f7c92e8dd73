"""Joint samples under many draws of the tables and several interventions, with common numbers.

Every intervention sees the same uniforms, so differences between interventions are hardly blurred
by chance; probabilities are averaged from the nodes' tables at the sampled parents instead of from
counted states (Rao-Blackwell), which takes out more; and what chance is left is measured from two
halves of the samples and taken out of the spread over draws, which is to be doubt and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem
from sinkrisk.network.building import Network
from sinkrisk.network.sampling import sample_states
from sinkrisk.network.tables import TableBank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int8]

ROWS = 2**15
"""Samples held at a time."""


def over_draws[Result](
    net: Network,
    bank: TableBank,
    do: Mapping[str, str],
    measure: Callable[[Codes, NDArray[np.int64]], Result],
    *,
    samples: int,
    rng: random.RandomSource = None,
) -> list[Result]:
    """Sample joint states under every draw of a bank and measure them, some draws at a time.

    Parameters
    ----------
    net : Network
    bank : TableBank
    do : mapping of str to str
        Node -> state it is set to.
    measure : callable
        Given state codes (draws, samples, nodes) and the numbers of the draws.
    samples : int
        Samples per draw, an even number.
    rng : int, Generator or None
        The same seed gives the same uniforms, whatever `do`; each draw has its own.

    Returns
    -------
    list
        What `measure` returned, in the order of the draws.

    Raises
    ------
    InputError
        For a number of samples that is odd or below two.
    """
    check_samples(samples)
    generator = random.generator(rng)
    step = max(1, ROWS // samples)
    results = []
    for start in range(0, bank.size, step):
        numbers = np.arange(start, min(start + step, bank.size))
        codes, _ = sample_states(
            net,
            u=generator.random((len(numbers) * samples, len(net))),
            tables=bank.take(np.repeat(numbers, samples)),
            do=do,
        )
        results.append(measure(codes.reshape(len(numbers), samples, len(net)), numbers))
    return results


def state_probabilities(
    net: Network,
    bank: TableBank,
    names: Sequence[str],
    do: Mapping[str, str] | None = None,
    *,
    samples: int = 256,
    rng: random.RandomSource = None,
) -> dict[str, Floats]:
    """Return the probabilities of nodes' states under every draw of the tables, twice.

    Parameters
    ----------
    net : Network
    bank : TableBank
    names : sequence of str
    do : mapping, optional
    samples : int
        Samples per draw.
    rng : int, Generator or None

    Returns
    -------
    dict of str to ndarray (2, draw, state)
        From either half of the samples: what differs between them is chance, see `Doubt`.
    """
    done = do or {}

    def measure(codes: Codes, numbers: NDArray[np.int64]) -> dict[str, Floats]:
        found = {}
        for name in names:
            node = net.nodes[name]
            if name in done:
                fixed = np.eye(len(node.states))[node.states.index(done[name])]
                found[name] = np.tile(fixed, (2, len(numbers), 1))
                continue
            index: list[NDArray[np.integer]] = [numbers[:, None]]
            index += [codes[:, :, net.position[parent]] for parent in node.parents]
            rows = bank.draws[node.rule][tuple(index)]
            rows = np.broadcast_to(rows, (len(numbers), codes.shape[1], rows.shape[-1]))
            found[name] = halves(rows)
        return found

    parts = over_draws(net, bank, done, measure, samples=samples, rng=rng)
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in names}


def halves(values: Floats) -> Floats:
    """Return means over either half of the samples, (2, draw, ...), of values (draw, sample, ...)."""
    middle = values.shape[1] // 2
    return np.stack([values[:, :middle].mean(axis=1), values[:, middle:].mean(axis=1)])


@dataclass(frozen=True)
class Doubt:
    """A quantity under every draw of the tables, estimated twice.

    Parameters
    ----------
    values : ndarray (draw,)
        Its value per draw, drawn in towards the mean until chance no longer widens them.
    mc_error : float
        Standard error of the mean from sampling alone.
    """

    values: Floats
    mc_error: float

    @classmethod
    def of(cls, estimates: Floats) -> Doubt:
        """Separate doubt about the tables from chance.

        The variance of chance is a quarter of the mean squared difference of the two halves; the
        draws are scaled about their mean to the variance left (a moment estimate; none left: all
        draws at the mean).

        Parameters
        ----------
        estimates : ndarray (2, draw)

        Examples
        --------
        >>> Doubt.of(np.array([[0.2, 0.4], [0.2, 0.4]])).values
        array([0.2, 0.4])
        """
        both = estimates.mean(axis=0)
        chance = float(np.mean((estimates[0] - estimates[1]) ** 2)) / 4.0
        whole = float(np.var(both, ddof=1)) if len(both) > 1 else 0.0
        kept = np.sqrt(max(0.0, 1.0 - chance / whole)) if whole > 0.0 else 0.0
        centre = both.mean()
        return cls(centre + kept * (both - centre), float(np.sqrt(chance / len(both))))

    def columns(
        self, name: str, mass: float, bounds: tuple[float, float] = (-np.inf, np.inf)
    ) -> dict[str, float]:
        """Return the mean and the ends of the equal-tailed interval, named.

        The ends are widened by chance (see `widened`): what sampling cannot resolve is not certain.

        Examples
        --------
        >>> columns = Doubt(np.array([0.3, 0.3]), 0.01).columns("p", 0.9)
        >>> {key: round(value, 4) for key, value in columns.items()}
        {'p': 0.3, 'p_low': 0.2836, 'p_high': 0.3164}
        """
        mean = float(self.values.mean())
        low, high = self.widened(mean, interval(self.values, mass), self.mc_error, mass, bounds)
        return {name: mean, f"{name}_low": low, f"{name}_high": high}

    @staticmethod
    def widened(
        mean: float,
        ends: tuple[float, float],
        error: float,
        mass: float,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> tuple[float, float]:
        """Return the ends of an interval moved out by chance, within what the quantity can be.

        Doubt and chance are independent, so their distances from the mean are added in squares; the
        one of chance is that of a normal of standard error `error`.
        """
        reach = float(special.ndtri((1.0 + mass) / 2.0)) * error
        low = mean - float(np.hypot(max(mean - ends[0], 0.0), reach))
        high = mean + float(np.hypot(max(ends[1] - mean, 0.0), reach))
        return max(low, bounds[0]), min(high, bounds[1])


def interval(values: Floats, mass: float) -> tuple[float, float]:
    """Return the equal-tailed interval of draws."""
    low, high = np.quantile(values, [(1.0 - mass) / 2.0, (1.0 + mass) / 2.0])
    return float(low), float(high)


def mean_error(values: Floats) -> float:
    """Return the standard error of the mean of independent draws, nought for a single one."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def interval_errors(values: Floats, mass: float) -> tuple[float, float]:
    """Return the Monte Carlo errors of the ends of the equal-tailed interval of independent draws.

    The number of draws below a quantile p is binomial, with sd sqrt(n p (1 - p)); half the distance
    between the draws so many ranks to either side is the error of the end (Woodruff 1952, J. Am.
    Stat. Assoc. 47(260)). It is too small where the rank itself is below that sd: an end then rests
    on the outermost draws.

    Examples
    --------
    >>> low, high = interval_errors(np.arange(10_001.0), 0.9)
    >>> print(round(low, 1), round(high, 1))
    21.8 21.8
    """
    tails = np.array([(1.0 - mass) / 2.0, (1.0 + mass) / 2.0])
    sd = np.sqrt(tails * (1.0 - tails) / len(values))
    below, above = (np.quantile(values, np.clip(tails + sign * sd, 0.0, 1.0)) for sign in (-1.0, 1.0))
    low, high = (above - below) / 2.0
    return float(low), float(high)


def check_samples(samples: int) -> None:
    """Raise unless `samples` can be cut into halves."""
    if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < 2 or samples % 2:
        raise InputError(Problem("samples per draw", got=samples, allowed="an even integer of at least 2"))


def check_mass(mass: float) -> None:
    """Raise unless `mass` is the mass of an interval."""
    if not 0.0 < mass < 1.0:
        raise InputError(Problem("mass of an interval", got=mass, allowed="0 < mass < 1"))


def check_bank(net: Network, bank: TableBank) -> None:
    """Raise unless `net` is a network and `bank` holds draws of its tables."""
    if not isinstance(net, Network):
        allowed = "what network.load returns"
        raise InputError(Problem("not a network", got=type(net).__name__, allowed=allowed))
    if not isinstance(bank, TableBank):
        allowed = "what network.table_bank(net) returns"
        got = type(bank).__name__
        raise InputError(Problem("not a bank of tables", got=got, allowed=allowed, key="bank"))
    for name in net.order:
        rule = net.nodes[name].rule
        if bank.rule_of.get(name) != rule or bank.draws[rule].shape[1:] != net.tables[name].shape:
            raise InputError(
                Problem("table bank of another network", got=name, allowed="a bank from table_bank(net)")
            )
