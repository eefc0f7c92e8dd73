"""Readings: how one claim becomes one distribution, in the unit of its quantity.

- low and high: the equal-tailed central interval of the mass in the claim's `interval` column (0.9
  where empty) of a lognormal (positive quantities), a beta stretched to the quantity's bounds
  (fractions, scores), or a normal (quantities that may be negative). The two quantiles fix the two
  parameters. Where such a range also states a central value, the range alone is used.
- central and sd (plus-minus): the distribution of maximum entropy on the quantity's support with
  that mean and sd, a normal cut off at the bounds. Where none has them (an sd beyond the distance to
  the bound), the normal of that centre and scale is cut, with a warning.
- central alone, or low equal to high: the interval central / spread to central * spread, with the
  quantity's `spread` (for a beta the odds are scaled; for a normal the spread is an absolute
  half-width).
- low alone (">200"): the interval low to low * reach. High alone ("<0.02"): high / reach to high, with
  the quantity's `reach` (spread squared where the table leaves it empty). Both keep the stated bound as
  a tail quantile, not as a wall, and the other end is the table's assumption, not the claim's word. With
  ``one_sided="entropy"`` a bounded quantity takes the beta of maximum entropy with that one quantile
  instead; without bounds the entropy has no maximum, so unbounded quantities keep the reach. A bound on
  the edge of the quantity's support (0 for a share) states nothing and counts as not given.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sinkrisk import units
from sinkrisk.errors import InputError, Problem
from sinkrisk.priors import fitting, tables
from sinkrisk.priors.families import Family, Normal
from sinkrisk.priors.references import split_keys

MASS_TOLERANCE = 1e-3
"""Largest difference between the mass asked for and the mass reached that passes without a warning."""

OneSided = Literal["spread", "entropy"]


class ElicitationWarning(UserWarning):
    """The fitted distribution does not hold what the claim states."""


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
    reach: float


@dataclass(frozen=True)
class Fit:
    """One claim as a distribution.

    Parameters
    ----------
    family : Family
    reading : str
        How the claim was read, in words.
    low, high, mass : float
        The interval it was fitted to and the mass asked for; NaN for a mean and an sd.
    reached : float
        The mass the distribution holds between low and high.
    shortfall : str
        What is missed, in words; empty where the fit is as asked.
    """

    family: Family
    reading: str
    low: float
    high: float
    mass: float
    reached: float
    shortfall: str = ""


def rule_of(quantity: str) -> Rule:
    """Return the row of ``priors/quantities.csv``; an unknown quantity raises, naming the known ones."""
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
            reach=float(row["spread"]) ** 2 if math.isnan(row["reach"]) else float(row["reach"]),
        )
        for row in table
    }


def read_claim(row: dict[str, Any], rule: Rule, mass: float, one_sided: OneSided = "spread") -> Fit:
    """Return the distribution of one claim, in the quantity's unit.

    Parameters
    ----------
    row : dict
        A row of the claims table.
    rule : Rule
    mass : float
        Mass of low to high where the row's `interval` is empty.
    one_sided : str
        What a single bound of a bounded quantity becomes: see the module.

    Raises
    ------
    InputError
        For a claim that states nothing but the edge of the support.
    """
    scale = units.factor(str(row["unit"]), rule.unit)
    low, high, central, sd = (float(row[key]) * scale for key in ("low", "high", "central", "sd"))
    mass = mass if math.isnan(row["interval"]) else float(row["interval"])
    if not math.isnan(central) and not math.isnan(sd):
        return _plus_minus(central, sd, rule, str(row["id"]))
    low = math.nan if low <= rule.lower else low
    high = math.nan if high >= rule.upper else high
    if math.isnan(low) and math.isnan(high) and (math.isnan(central) or _on_edge(central, rule)):
        what = "a claim that only states the edge of the support"
        raise InputError(Problem(what, got=str(row["id"]), hint="give a bound inside the support"))
    if low < high:
        reading = "interval"
    elif low == high or (math.isnan(low) and math.isnan(high)):
        middle = low if low == high else central
        low, high = _scaled(middle, -1, rule), _scaled(middle, 1, rule)
        reading = f"point {middle:g} with the quantity's spread {rule.spread:g}"
    elif one_sided == "entropy" and rule.family == "beta":
        return _bounded(low, high, mass, rule)
    elif math.isnan(high):
        high = _reached(low, 1, rule)
        reading = f"one-sided above {low:g}, reach {rule.reach:g} assumed"
    else:
        low = _reached(high, -1, rule)
        reading = f"one-sided below {high:g}, reach {rule.reach:g} assumed"
    return _interval(low, high, mass, rule, reading, str(row["id"]))


def _on_edge(value: float, rule: Rule) -> bool:
    return rule.family != "normal" and not rule.lower < value < rule.upper


def _scaled(value: float, power: int, rule: Rule) -> float:
    """Return `value` moved by `power` spreads: by ratio, by odds, or by difference."""
    return _moved(value, rule.spread**power, power * rule.spread, rule)


def _reached(value: float, power: int, rule: Rule) -> float:
    """Return the end that a one-sided claim leaves open, at the quantity's reach from its bound."""
    return _moved(value, rule.reach**power, 2 * power * rule.spread, rule)


def _moved(value: float, ratio: float, difference: float, rule: Rule) -> float:
    if rule.family == "lognormal":
        return float(value * ratio)
    if rule.family == "normal":
        return value + difference
    odds = (value - rule.lower) / (rule.upper - value) * ratio
    return float((rule.lower + odds * rule.upper) / (1.0 + odds))


def _interval(low: float, high: float, mass: float, rule: Rule, reading: str, identity: str) -> Fit:
    family: Family
    if rule.family == "lognormal":
        family = fitting.fit_lognormal(low, high, mass)
    elif rule.family == "beta":
        family = fitting.fit_beta(low, high, mass, rule.lower, rule.upper)
    else:
        family = fitting.fit_normal(low, high, mass, rule.lower, rule.upper)
    ends = np.array([low, high])
    below, above = float(family.cdf(ends)[0]), float(family.sf(ends)[1])
    tail, shortfall = (1.0 - mass) / 2.0, ""
    if max(abs(below - tail), abs(above - tail)) > MASS_TOLERANCE:
        shortfall = (
            f"claim {identity}: asked for tails of {tail:.4g} outside {low:g} to {high:g}, "
            f"reached {below:.4g} and {above:.4g}"
        )
    return Fit(family, reading, low, high, mass, 1.0 - below - above, shortfall)


def _bounded(low: float, high: float, mass: float, rule: Rule) -> Fit:
    """Return the beta of maximum entropy that keeps one bound as its tail quantile."""
    tail = (1.0 - mass) / 2.0
    bound, below = (high, 1.0 - tail) if math.isnan(low) else (low, tail)
    family = fitting.fit_beta_below(bound, below, rule.lower, rule.upper)
    side = "below" if math.isnan(low) else "above"
    low, high = (float(x) for x in family.quantile_at(_scores(mass)))
    reading = f"one-sided {side} {bound:g}, maximum entropy within {rule.lower:g} to {rule.upper:g}"
    return Fit(family, reading, low, high, mass, mass)


def _scores(mass: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    from scipy import special

    return np.asarray(special.ndtri(np.array([0.5 - mass / 2.0, 0.5 + mass / 2.0])))


def _plus_minus(central: float, sd: float, rule: Rule, identity: str) -> Fit:
    reading, shortfall = f"{central:g} plus-minus {sd:g}: normal", ""
    family = fitting.fit_cut_normal(central, sd, rule.lower, rule.upper)
    if family is None:
        family = Normal(central, sd, rule.lower, rule.upper)
        reading += ", cut off at the bounds"
        shortfall = (
            f"claim {identity}: no distribution on {rule.lower:g} to {rule.upper:g} has mean {central:g} "
            f"and sd {sd:g}; cutting the normal off reaches mean {family.mean:.4g} and sd {family.sd:.4g}"
        )
    elif (family.center, family.scale) != (central, sd):
        reading += " with these moments after the cut at the bounds"
    return Fit(family, reading, math.nan, math.nan, math.nan, math.nan, shortfall)
