"""Elicitation: the claims on one quantity become one distribution that knows its sources.

How a claim is read, in the unit of the quantity (``priors/quantities.csv``):

- low and high: the equal-tailed central interval of the mass in its `interval` column (0.9 where
  empty) of a lognormal (positive quantities), a beta stretched to the quantity's bounds (fractions,
  scores), or a normal (quantities that may be negative). Where such a range also states a central
  value, the range alone is used.
- central and sd: a normal, cut off at the quantity's bounds.
- central alone, or low equal to high: the interval central / spread to central * spread, with the
  quantity's `spread` (for a beta the odds are scaled; for a normal the spread is an absolute
  half-width).
- low alone (">200"): the interval low to low * spread^2. High alone ("<0.02"): high / spread^2 to
  high. Both keep the stated bound as a tail quantile, not as a wall. A bound on the edge of the
  quantity's support (0 for a share) states nothing and counts as not given.

Pooling: only claims of one `basis` are pooled. With ``basis=None`` it is the first basis of the
quantity's `basis_order` on which there is a claim; what that leaves out is kept in
`Elicited.left_out`. Claims that share a source key count as one source and share its weight;
sources count alike (linear pool).
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sinkrisk import units
from sinkrisk.errors import InputError, Problem
from sinkrisk.priors import tables
from sinkrisk.priors.families import Array, Family, Normal, fit_beta, fit_lognormal, fit_normal
from sinkrisk.priors.quantiles import InverseTable, Pool, connected, share_weights
from sinkrisk.priors.references import split_keys

if TYPE_CHECKING:
    import pandas as pd

MASS_TOLERANCE = 1e-3
"""Largest difference between the mass asked for and the mass reached that passes without a warning."""


class ElicitationWarning(UserWarning):
    """The fitted distribution does not hold the mass that the claim states."""


@dataclass(frozen=True)
class Rule:
    """How a quantity is elicited: one row of ``priors/quantities.csv``."""

    quantity: str
    unit: str
    family: str
    lower: float
    upper: float
    basis_order: tuple[str, ...]
    spread: float


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
        Components and weights, in the order of `used`.
    used : DataFrame
        The claims pooled: ``id, weight, reading, low, high, mass`` in `unit`, and their source.
    left_out : DataFrame
        Claims on the same quantity that were not pooled: ``id, basis, reason, source, locator``.
    """

    pathway: str
    quantity: str
    unit: str
    basis: tuple[str, ...]
    pool: Pool
    used: pd.DataFrame
    left_out: pd.DataFrame
    logarithmic: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """``quantity`` for the chain as a whole, ``quantity__pathway`` otherwise."""
        return self.quantity if self.pathway == "all" else f"{self.quantity}__{self.pathway}"

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the works behind the pool, each once."""
        return tuple(dict.fromkeys(key for cell in self.used["source"] for key in split_keys(cell)))

    @functools.cached_property
    def _table(self) -> InverseTable:
        return InverseTable(self.pool, logarithmic=self.logarithmic)

    def ppf(self, q: ArrayLike) -> Array:
        """Return quantiles in `unit`, same shape as `q`, from the stored inverse table.

        Probabilities are clipped to [2^-53, 1 - 2^-53]; NaN stays NaN.
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
            f"{high:.3g} {self.unit}, from {len(self.used)} claim(s) on basis {'/'.join(self.basis)} "
            f"({', '.join(self.sources)})"
        )
        if len(self.left_out):
            text += f"; left out: {', '.join(self.left_out['id'])}"
        return text

    def to_pymc(self, name: str, points: int = 513) -> Any:
        """Add the distribution to the PyMC model in context, as an interpolated density.

        Parameters
        ----------
        name : str
            The variable's name.
        points : int
            Nodes of the density, even in normal scores over all but 2e-7 of the mass.
        """
        import pymc
        from scipy import special

        x = self.ppf(special.ndtr(np.linspace(-5.2, 5.2, points)))
        x = np.unique(x)
        return pymc.Interpolated(name, x_points=x, pdf_points=self.pdf(x))


def elicit(
    claims: pd.DataFrame,
    pathway: str,
    quantity: str,
    *,
    basis: str | Sequence[str] | None = None,
    mass: float = 0.9,
) -> Elicited:
    """Turn the claims on one quantity of one pathway into a distribution.

    Parameters
    ----------
    claims : DataFrame
        As `load_claims` returns.
    pathway : str
        A pathway, a group, or ``"all"``. A pathway without a claim of its own takes those of the
        group it belongs to (never for ``potential``, which a group's members divide).
    quantity : str
        A quantity of ``priors/quantities.csv``.
    basis : str or sequence of str, optional
        Bases to pool; default: the first of the quantity's order of preference that has a claim.
    mass : float
        Mass of low to high where a claim's `interval` is empty.

    Returns
    -------
    Elicited
        In the unit of the quantity.

    Raises
    ------
    InputError
        For an unknown quantity, or where no claim fits; the message lists what there is.

    Warns
    -----
    ElicitationWarning
        Where a fitted distribution misses the stated mass by more than `MASS_TOLERANCE`.

    Examples
    --------
    >>> from sinkrisk.priors import load_claims
    >>> cost = elicit(load_claims(), "beccs", "cost")
    >>> cost.unit, len(cost.used)
    ('USD/tCO2', 3)
    """
    import pandas as pd

    rule = _rule(quantity)
    if not 0.0 < mass < 1.0:
        raise InputError(Problem("not a mass", got=mass, allowed="between 0 and 1", key="mass"))
    on_quantity = claims[claims["quantity"] == quantity]
    own, groups = on_quantity[on_quantity["pathway"] == pathway], _groups_of(pathway)
    of_groups = on_quantity[on_quantity["pathway"].isin(groups)]
    if own.empty and quantity != "potential" and not of_groups.empty:
        # A group is asked in the order of pathway_groups.csv; the first that speaks answers.
        speaking = next(g for g in groups if g in set(of_groups["pathway"]))
        own = of_groups[of_groups["pathway"] == speaking]
        of_groups = of_groups[of_groups["pathway"] != speaking]
    if own.empty:
        have = sorted(set(on_quantity["pathway"]))
        raise InputError(Problem(f"no claim on {quantity}", got=pathway, allowed=have, key="pathway"))
    chosen = _chosen_bases(own, rule, basis, pathway)
    used = own[own["basis"].isin(chosen)]
    left = [
        _left_out(row, f"basis {row['basis']}, pooled is {'/'.join(chosen)}")
        for row in _records(own[~own["basis"].isin(chosen)])
    ]
    left += [_left_out(row, f"speaks of the group {row['pathway']}") for row in _records(of_groups)]

    fitted: list[Family] = []
    read: list[dict[str, Any]] = []
    for row in _records(used):
        family, reading = _read_claim(row, rule, mass)
        fitted.append(family)
        read.append({"id": row["id"], **reading, "basis": row["basis"], "source": row["source"]})
        read[-1]["locator"] = row["locator"]
    weights = share_weights(connected([split_keys(row["source"]) for row in read]))
    table = pd.DataFrame(read)
    table.insert(1, "weight", list(weights))
    return Elicited(
        pathway=pathway,
        quantity=quantity,
        unit=rule.unit,
        basis=tuple(chosen),
        pool=Pool(tuple(fitted), weights),
        used=table,
        left_out=pd.DataFrame(left, columns=["id", "basis", "reason", "source", "locator"]),
        logarithmic=rule.family == "lognormal",
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _left_out(row: dict[str, Any], reason: str) -> dict[str, str]:
    return {**{k: str(row[k]) for k in ("id", "basis", "source", "locator")}, "reason": reason}


def _rule(quantity: str) -> Rule:
    rules = _rules()
    if quantity not in rules:
        raise InputError(Problem("unknown quantity", got=quantity, allowed=list(rules), key="quantity"))
    return rules[quantity]


@functools.cache
def _rules() -> dict[str, Rule]:
    table = tables.load_table("quantities").to_dict("records")
    return {
        str(row["quantity"]): Rule(
            quantity=str(row["quantity"]),
            unit=str(row["unit"]),
            family=str(row["family"]),
            lower=-math.inf if math.isnan(row["lower"]) else float(row["lower"]),
            upper=math.inf if math.isnan(row["upper"]) else float(row["upper"]),
            basis_order=split_keys(str(row["basis_order"])),
            spread=float(row["spread"]),
        )
        for row in table
    }


@functools.cache
def _group_members() -> dict[str, tuple[str, ...]]:
    table = tables.load_table("pathway_groups").to_dict("records")
    return {str(row["group"]): split_keys(str(row["members"])) for row in table}


def _groups_of(pathway: str) -> list[str]:
    return [group for group, members in _group_members().items() if pathway in members]


def _chosen_bases(
    own: pd.DataFrame, rule: Rule, basis: str | Sequence[str] | None, pathway: str
) -> tuple[str, ...]:
    there = tuple(dict.fromkeys(own["basis"]))
    if basis is None:
        for name in rule.basis_order:
            if name in there:
                return (name,)
        wanted: tuple[str, ...] = rule.basis_order
    else:
        wanted = (basis,) if isinstance(basis, str) else tuple(basis)
        if all(name in there for name in wanted) and wanted:
            return wanted
    what = f"no claim on {rule.quantity} of {pathway} with that basis"
    raise InputError(Problem(what, got=", ".join(wanted), allowed=there, key="basis"))


def _read_claim(row: dict[str, Any], rule: Rule, mass: float) -> tuple[Family, dict[str, Any]]:
    """Return the distribution of one claim and how it was read, in the quantity's unit."""
    scale = units.factor(str(row["unit"]), rule.unit)
    low, high, central, sd = (float(row[key]) * scale for key in ("low", "high", "central", "sd"))
    mass = mass if math.isnan(row["interval"]) else float(row["interval"])
    if not math.isnan(central) and not math.isnan(sd):
        cut = Normal(central, sd, rule.lower, rule.upper)
        return cut, {"reading": "central and sd: normal", "low": math.nan, "high": math.nan, "mass": math.nan}
    low = math.nan if low <= rule.lower else low
    high = math.nan if high >= rule.upper else high
    if math.isnan(low) and math.isnan(high) and math.isnan(central):
        what = "a claim that only states the edge of the support"
        raise InputError(Problem(what, got=str(row["id"]), hint="give a bound inside the support"))
    if low < high:
        reading = "interval"
    elif low == high or (math.isnan(low) and math.isnan(high)):
        middle = low if low == high else central
        low, high = _scaled(middle, -1, rule), _scaled(middle, 1, rule)
        reading = f"point {middle:g} with the quantity's spread {rule.spread:g}"
    elif math.isnan(high):
        high = _scaled(low, 2, rule)
        reading = f"one-sided above {low:g}, reaching spread {rule.spread:g} squared"
    else:
        low = _scaled(high, -2, rule)
        reading = f"one-sided below {high:g}, reaching spread {rule.spread:g} squared"
    family = _fit(low, high, mass, rule, str(row["id"]))
    return family, {"reading": reading, "low": low, "high": high, "mass": mass}


def _scaled(value: float, power: int, rule: Rule) -> float:
    """Return `value` moved by `power` spreads: by ratio, by odds, or by difference."""
    if rule.family == "lognormal":
        return float(value * rule.spread**power)
    if rule.family == "normal":
        return value + power * rule.spread
    odds = (value - rule.lower) / (rule.upper - value) * rule.spread**power
    return float((rule.lower + odds * rule.upper) / (1.0 + odds))


def _fit(low: float, high: float, mass: float, rule: Rule, identity: str) -> Family:
    family: Family
    if rule.family == "lognormal":
        family = fit_lognormal(low, high, mass)
    elif rule.family == "beta":
        family = fit_beta(low, high, mass, rule.lower, rule.upper)
    else:
        family = fit_normal(low, high, mass, rule.lower, rule.upper)
    ends = np.array([low, high])
    below, above = float(family.cdf(ends)[0]), float(family.sf(ends)[1])
    tail = (1.0 - mass) / 2.0
    if max(abs(below - tail), abs(above - tail)) > MASS_TOLERANCE:
        warnings.warn(
            f"claim {identity}: asked for tails of {tail:.4g} outside {low:g} to {high:g}, "
            f"reached {below:.4g} and {above:.4g}",
            ElicitationWarning,
            stacklevel=4,
        )
    return family
