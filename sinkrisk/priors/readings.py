"""Readings: how one claim becomes one distribution, in the unit of its quantity.

- low and high: the equal-tailed central interval of the mass in the claim's `interval` column (0.9
  where empty) of a lognormal (positive quantities), a beta stretched to the quantity's bounds
  (fractions, scores), or a normal (quantities that may be negative). The two quantiles fix the two
  parameters. Where such a range also states a central value, the range alone is used.
- central and sd (plus-minus): the distribution of maximum entropy on the quantity's support with
  that mean and sd, a normal cut off at the bounds. Where no cut normal has them (on a half-line: an sd
  as large as the distance to the bound), the lognormal (support from 0 up) or the beta (bounded support)
  with exactly these moments, and the reading says so. Where no distribution on the support has them
  (sd**2 of at least the product of the distances to the two bounds), the normal of that centre and
  scale is cut, with a warning.
- central alone, or low equal to high: the interval central / spread to central * spread, with the
  quantity's `spread` (for a beta the odds are scaled; for a normal the spread is an absolute
  half-width).
- low alone (">200"): the interval low to low * reach. High alone ("<0.02"): high / reach to high, with
  the quantity's `reach` (spread squared where the table leaves it empty). Both keep the stated bound as
  a tail quantile, not as a wall, and the other end is the table's assumption, not the claim's word. With
  ``one_sided="entropy"`` a bounded quantity takes the beta of maximum entropy with that one quantile
  instead; without bounds the entropy has no maximum, so unbounded quantities keep the reach. A bound on
  the edge of the quantity's support (0 for a share) states nothing and counts as not given.

A claim that makes no sense - low above high, an infinite number, an sd of 0, a number outside the
quantity's support - is refused here too, for a frame may not have passed `check_frame`.

`voices` groups the claims that count as one source: those that share a source key, and those that repeat
identical numbers on one basis, such as a table and the section it sums up.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sinkrisk import units
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.priors import fitting, tables
from sinkrisk.priors.families import Family, Lognormal, Normal
from sinkrisk.priors.quantiles import connected
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
        For a claim that states nothing but the edge of the support; for low above high, a number that
        is not finite, an sd that is not above 0, a number outside the support.
    """
    scale = units.factor(str(row["unit"]), rule.unit)
    _check_numbers(row, rule, scale)
    low, high, central, sd = (float(row[key]) * scale for key in ("low", "high", "central", "sd"))
    mass = mass if math.isnan(row["interval"]) else float(row["interval"])
    if not 0.0 < mass < 1.0:
        what = f"claim {row['id']}: an interval that holds everything says nothing of the shape within it"
        raise InputError(Problem(what, got=mass, allowed="above 0 and below 1", key="interval"))
    if not math.isnan(central) and not math.isnan(sd):
        return _plus_minus(central, sd, rule, str(row["id"]))
    low = math.nan if low <= rule.lower else low
    high = math.nan if high >= rule.upper else high
    empty = math.isnan(low) and math.isnan(high) and (math.isnan(central) or _on_edge(central, rule))
    # Below the least or above the most value there is: nothing is left to be distributed.
    if empty or high <= rule.lower or low >= rule.upper:
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


def voices(rows: Sequence[dict[str, Any]], rule: Rule) -> list[int]:
    """Return a group number per claim; the claims of one group are one source and share its weight.

    One source are claims that share a source key, directly or by a chain, and claims on one basis of
    identical numbers, whatever sources they cite: the review's table and its own section repeat each
    other, and a second study that had measured the very same would be rarer than a copied one.

    Parameters
    ----------
    rows : sequence of dict
        Claims on one quantity of one pathway (or the group that speaks for it).
    rule : Rule

    Examples
    --------
    >>> one = {"low": 1.0, "high": 2.0, "central": math.nan, "sd": math.nan, "basis": "net"}
    >>> one |= {"unit": "GJ/tCO2", "source": "a2020"}
    >>> other = one | {"source": "b2021"}
    >>> voices([one, other, other | {"source": "c2022", "high": 3.0}], rule_of("energy"))
    [0, 0, 1]
    """
    return connected([(*split_keys(str(row["source"])), _numbers(row, rule)) for row in rows])


def _numbers(row: dict[str, Any], rule: Rule) -> str:
    """Return what a claim states as one key, in the quantity's unit; no source key has a space."""
    scale = units.factor(str(row["unit"]), rule.unit)
    stated = (float(row[name]) * scale for name in ("low", "high", "central", "sd"))
    return f"{row['basis']}: " + " ".join(f"{number:.12g}" for number in stated)


def _check_numbers(row: dict[str, Any], rule: Rule, scale: float) -> None:
    """Raise every reason for which the numbers of a claim cannot be read, in the claim's own unit."""
    found, who = Problems(), f"claim {row['id']}"
    numbers = {name: float(row[name]) for name in ("low", "high", "central", "sd")}
    support = f"{rule.lower / scale:g} to {rule.upper / scale:g}"
    for name, number in numbers.items():
        if math.isinf(number):
            hint = "leave the cell empty where a claim has no such bound"
            found.add(f"{who}: not a finite number", got=number, allowed="a number", key=name, hint=hint)
        elif name == "sd":
            if number <= 0.0:
                found.add(f"{who}: not a standard deviation", got=number, allowed="above 0", key=name)
        elif not _within(number * scale, rule) and not math.isnan(number):
            found.add(f"{who}: outside the support of {rule.quantity}", got=number, allowed=support, key=name)
    low, high = numbers["low"], numbers["high"]
    if low > high and not found:
        found.add(f"{who}: low lies above high", got=low, allowed=f"at most {high:g}", key="low")
    on_edge = numbers["central"] * scale in (rule.lower, rule.upper)
    if on_edge and not math.isnan(numbers["sd"]) and not found:
        what = f"{who}: a mean on the edge of the support leaves no room for an sd"
        found.add(what, got=numbers["central"], allowed=f"inside {support}", key="central")
    found.raise_if_any()


def _within(value: float, rule: Rule) -> bool:
    # The conversion of units may move a bound by its last digit.
    slack = 1e-12 * abs(value)
    return rule.lower - slack <= value <= rule.upper + slack


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
    support = f"{rule.lower:g} to {rule.upper:g}"
    family: Family
    cut = fitting.fit_cut_normal(central, sd, rule.lower, rule.upper)
    other = fitting.fit_moments(central, sd, rule.lower, rule.upper) if cut is None else None
    if cut is not None:
        family = cut
        if (cut.center, cut.scale) != (central, sd):
            reading += " with these moments after the cut at the bounds"
    elif other is not None:
        family = other
        name = "lognormal" if isinstance(other, Lognormal) else "beta"
        reading = (
            f"{central:g} plus-minus {sd:g}: no cut normal has these on {support}, "
            f"read as the {name} with these moments"
        )
    else:
        family = Normal(central, sd, rule.lower, rule.upper)
        reading += ", cut off at the bounds"
        shortfall = (
            f"claim {identity}: no distribution on {support} has mean {central:g} "
            f"and sd {sd:g}; cutting the normal off reaches mean {family.mean:.4g} and sd {family.sd:.4g}"
        )
    return Fit(family, reading, math.nan, math.nan, math.nan, math.nan, shortfall)
