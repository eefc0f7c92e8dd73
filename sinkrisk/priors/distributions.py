"""What elicitation returns: one distribution of one quantity that knows its sources."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sinkrisk.errors import InputError, Problem
from sinkrisk.priors.families import Array
from sinkrisk.priors.pooling import Hierarchical, Part, disagreement
from sinkrisk.priors.quantiles import InverseTable, Pool
from sinkrisk.priors.references import split_keys
from sinkrisk.priors.scales import Scale

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT_COLUMNS = ("id", "basis", "reason", "source", "locator")


@dataclass(frozen=True, eq=False)
class Elicited:
    """A pooled distribution of one quantity of one pathway.

    Attributes
    ----------
    pathway, quantity : str
    unit : str
        Unit of everything it returns.
    basis : tuple of str
        Bases of the claims used.
    pool : Pool
        The pooled distribution. Under the linear pool its components are the claims, in the order of
        `used`; under the hierarchical pool, quadrature nodes over the between-source sd.
    parts : tuple of Part
        Each source's own distribution and its weight in the linear pool.
    scale : Scale
        Where sources are compared: the log, the log odds or the value itself.
    claims_used, claims_left_out : tuple of dict
        Rows of `used` and `left_out`.
    hierarchy : Hierarchical, optional
        The between-source sd of the hierarchical pool; None for the linear pool.
    from_stored : bool
        Whether the fitted parameters were read from ``priors/elicited.csv``.
    """

    pathway: str
    quantity: str
    unit: str
    basis: tuple[str, ...]
    pool: Pool
    parts: tuple[Part, ...]
    scale: Scale
    claims_used: tuple[dict[str, Any], ...]
    claims_left_out: tuple[dict[str, str], ...] = ()
    hierarchy: Hierarchical | None = None
    from_stored: bool = False

    @property
    def name(self) -> str:
        """``quantity`` for the chain as a whole, ``quantity__pathway`` otherwise."""
        return self.quantity if self.pathway == "all" else f"{self.quantity}__{self.pathway}"

    @property
    def method(self) -> str:
        """``linear`` or ``hierarchical``."""
        return "linear" if self.hierarchy is None else "hierarchical"

    @functools.cached_property
    def used(self) -> pd.DataFrame:
        """The claims pooled.

        ``id, weight, reading, low, high, mass, reached, basis, source, locator``: bounds in `unit`,
        the mass asked for between them and the mass reached, the weight in the linear pool.
        """
        import pandas as pd

        return pd.DataFrame(list(self.claims_used))

    @functools.cached_property
    def left_out(self) -> pd.DataFrame:
        """Claims on the same quantity not pooled: ``id, basis, reason, source, locator``."""
        import pandas as pd

        return pd.DataFrame(list(self.claims_left_out), columns=list(LEFT_OUT_COLUMNS))

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the works behind the pool, each once."""
        keys = (key for row in self.claims_used for key in split_keys(row["source"]))
        return tuple(dict.fromkeys(keys))

    @functools.cached_property
    def disagreement(self) -> float:
        """Between-source share of the linear pool's variance on `scale`, 0 to 1.

        0 for a single source; near 1 where narrow statements lie far apart.
        """
        return disagreement(self.parts, self.scale)

    @functools.cached_property
    def _table(self) -> InverseTable:
        return InverseTable(self.pool, logarithmic=self.scale.name == "log")

    def ppf(self, q: ArrayLike) -> Array:
        """Return quantiles in `unit`, same shape as `q`, from the stored inverse table.

        Probabilities are clipped to [2^-53, 1 - 2^-53]; NaN stays NaN. The table is built on the
        first call and kept.
        """
        return self._table(q)

    def cdf(self, x: ArrayLike) -> Array:
        """Return P(X <= x) for `x` in `unit`, exactly."""
        return self.pool.cdf(np.asarray(x, dtype=float))

    def pdf(self, x: ArrayLike) -> Array:
        """Return the density at `x`, per `unit`, exactly."""
        return self.pool.pdf(np.asarray(x, dtype=float))

    @property
    def mean(self) -> float:
        """Expectation in `unit`."""
        return self.pool.mean

    @property
    def sd(self) -> float:
        """Standard deviation in `unit`."""
        return self.pool.sd

    def interval(self, mass: float = 0.9) -> tuple[float, float]:
        """Return the equal-tailed interval (low, high) that holds `mass`, in `unit`."""
        if not 0.0 < mass < 1.0:
            raise InputError(Problem("not a mass", got=mass, allowed="between 0 and 1", key="mass"))
        low, high = self.ppf([0.5 - mass / 2.0, 0.5 + mass / 2.0])
        return float(low), float(high)

    def describe(self) -> str:
        """Return one sentence: what is believed, from how many claims, and what was left out."""
        low, high = self.interval(0.9)
        text = (
            f"{self.name}: median {float(self.ppf(0.5)):.3g}, 90 % equal-tailed interval {low:.3g} to "
            f"{high:.3g} {self.unit}, from {len(self.claims_used)} claim(s) on basis {'/'.join(self.basis)} "
            f"({', '.join(self.sources)})"
        )
        if len(self.parts) > 1:
            text += f", {self.method} pool of {len(self.parts)} sources, {self.disagreement:.0%} of the "
            text += f"variance ({self.scale.name}) between them"
        if self.hierarchy is not None:
            text += f", between-source sd {self.hierarchy.between_mean:.3g} ({self.scale.name})"
        if self.claims_left_out:
            text += f"; left out: {', '.join(row['id'] for row in self.claims_left_out)}"
        return text

    def to_pymc(self, name: str, points: int = 1025) -> Any:
        """Add the distribution to the PyMC model in context, as an interpolated density.

        The density is linear between its nodes and 0 beyond them, that is outside all but 2e-7 of the
        mass; over the central 99 % it is within 0.1 % of the exact one.

        Parameters
        ----------
        name : str
            The variable's name.
        points : int
            Nodes of the density: half of them even in normal scores, for the tails; half even in the
            quantity (or its logarithm), for the valley between sources that disagree.
        """
        import pymc
        from scipy import special

        scores = np.linspace(-5.2, 5.2, points // 2 + 1)
        x = self.ppf(special.ndtr(scores))
        low, high = (float(x[int(np.searchsorted(scores, end))]) for end in (-3.0, 3.0))
        between = np.geomspace if self.scale.name == "log" else np.linspace
        x = np.unique(np.concatenate([x, between(low, high, points - len(x))]))
        return pymc.Interpolated(name, x_points=x, pdf_points=self.pdf(x))
