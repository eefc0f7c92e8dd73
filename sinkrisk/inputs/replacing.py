"""Priors that a user puts in place of the elicited ones, or cuts to a range

A distribution is named as scipy.stats spells it (``norm``, ``lognorm``, ``triang``), or as PreliZ does
(``Normal``, ``LogNormal``, ``PERT``, in any case where scipy has no such name), with its parameters.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinkrisk.errors import InputError, Problem, did_you_mean
from sinkrisk.inputs.blocks import SMALLEST, Floats, Marginal

DISTRIBUTION = "distribution"
"""Key of a replacement that names its family; all others are the family's parameters."""

MOST_OUTSIDE = 0.1
"""Largest mass of a replacement accepted outside what the quantity can be, where it is clipped."""

_BISECTIONS = 60
_PROBED = (np.arange(1000) + 0.5) / 1000


def replaced_marginal(given: Mapping[str, Any], low: float, high: float, *, key: str) -> Marginal:
    """Return the prior that a spec gives, clipped to the quantity's bounds.

    Parameters
    ----------
    given : mapping
        ``distribution`` and the parameters of that family, in the driver's unit.
    low, high : float
        What the quantity can be, in the driver's unit.
    key : str
        Where the spec says so, for messages.

    Returns
    -------
    Marginal

    Raises
    ------
    InputError
        For an unknown family, parameters it does not have or cannot take, and more than a tenth of
        the mass outside the bounds.

    Examples
    --------
    >>> prior = replaced_marginal(
    ...     {"distribution": "uniform", "loc": 2.0, "scale": 4.0}, 0.0, 9.0, key="x"
    ... )
    >>> prior(np.array([0.25, 0.5]))
    array([3., 4.])
    """
    parameters = {name: value for name, value in given.items() if name != DISTRIBUTION}
    ppf = _quantile_function(str(given.get(DISTRIBUTION, "")), parameters, key)
    try:
        values = np.asarray(ppf(_PROBED), dtype=float)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InputError(Problem("distribution cannot be evaluated", got=str(error), key=key)) from error
    if values.shape != _PROBED.shape or not np.isfinite(values).all():
        shown = ", ".join(f"{name}={value}" for name, value in parameters.items())
        hint = "its parameters are out of range or incomplete"
        raise InputError(Problem("distribution without finite quantiles", got=shown, key=key, hint=hint))
    outside = float(np.mean((values < low) | (values > high)))
    if outside > MOST_OUTSIDE:
        allowed = f"[{low:g}, {high:g}]"
        raise InputError(
            Problem(
                "prior lies outside what the driver can be", got=f"{outside:.0%}", allowed=allowed, key=key
            )
        )
    return Marginal(ppf, 1.0, low, high)


def _quantile_function(name: str, parameters: Mapping[str, Any], key: str) -> Callable[[Floats], Floats]:
    from scipy import stats

    family = getattr(stats, name, None)
    if isinstance(family, stats.rv_continuous):
        shapes = [part.strip() for part in (family.shapes or "").split(",") if part.strip()]
        _check_parameters(name, parameters, needed=shapes, known=[*shapes, "loc", "scale"], key=key)
        quantile: Callable[[Floats], Floats] = family(**parameters).ppf
        return quantile
    return _from_preliz(name, parameters, key)


def _from_preliz(name: str, parameters: Mapping[str, Any], key: str) -> Callable[[Floats], Floats]:
    import preliz
    from preliz.distributions.distributions import Continuous
    from scipy import stats

    families: dict[str, Any] = {
        label.lower(): found
        for label, found in vars(preliz.distributions).items()
        if inspect.isclass(found) and issubclass(found, Continuous) and found is not Continuous
    }
    family = families.get(name.lower())
    if family is None:
        known = [label for label in dir(stats) if isinstance(getattr(stats, label), stats.rv_continuous)]
        near = did_you_mean(name, [*known, *(found.__name__ for found in families.values())])
        hint = f"did you mean '{near}'?" if near else "a continuous family of scipy.stats or PreliZ"
        raise InputError(Problem("unknown distribution", got=name, key=key, hint=hint))
    known = [label for label in inspect.signature(family.__init__).parameters if label != "self"]
    _check_parameters(name, parameters, needed=[], known=known, key=key)
    try:
        frozen = family(**parameters)
    except (TypeError, ValueError) as error:
        raise InputError(Problem(f"{name} cannot take these parameters", got=str(error), key=key)) from error
    if not frozen.is_frozen:
        raise InputError(
            Problem(f"{name} lacks parameters", got=", ".join(parameters), allowed=", ".join(known), key=key)
        )
    quantile: Callable[[Floats], Floats] = frozen.ppf
    return quantile


def _check_parameters(
    name: str, parameters: Mapping[str, Any], *, needed: list[str], known: list[str], key: str
) -> None:
    unknown = [label for label in parameters if label not in known]
    missing = [label for label in needed if label not in parameters]
    if unknown or missing:
        what = f"{name} has no parameter" if unknown else f"{name} lacks a parameter"
        raise InputError(Problem(what, got=", ".join(unknown or missing), allowed=known, key=key))


@dataclass(frozen=True)
class _Part:
    """Quantiles of a prior given that it lies in a range: u runs from `start` to `end`."""

    prior: Marginal
    start: float
    end: float

    def __call__(self, u: Floats) -> Floats:
        return self.prior(self.start + u * (self.end - self.start))


def conditioned_marginal(prior: Marginal, low: float, high: float, *, key: str) -> Marginal:
    """Return a prior given that the quantity lies between two values.

    Parameters
    ----------
    prior : Marginal
    low, high : float
        In the driver's unit; ends outside its bounds are moved to them.
    key : str
        For messages.

    Raises
    ------
    InputError
        Where the prior has no mass there.

    Notes
    -----
    Q(u) = F^-1(F(low) + u (F(high) - F(low))), F found from the inverse by bisection: the inverse-CDF
    form of truncation.

    Examples
    --------
    >>> prior = Marginal(lambda u: 10.0 * u, 1.0, 0.0, 10.0)
    >>> conditioned_marginal(prior, 2.0, 4.0, key="x")(np.array([0.0, 0.5, 1.0]))
    array([2., 3., 4.])
    """
    low, high = max(low, prior.low), min(high, prior.high)
    start, end = _below(prior, low, strict=True), _below(prior, high, strict=False)
    if low > high or end - start <= SMALLEST:
        ends = prior(np.array([0.001, 0.999]))
        allowed = f"part of {ends[0]:g} to {ends[1]:g}, where nearly all its mass is"
        raise InputError(
            Problem("prior has no mass in this range", got=f"[{low:g}, {high:g}]", allowed=allowed, key=key)
        )
    return Marginal(_Part(prior, start, end), 1.0, low, high)


def _below(prior: Marginal, value: float, *, strict: bool) -> float:
    """Return P(X < value), or P(X <= value), from the inverse CDF."""
    if math.isinf(value):
        return 0.0 if value < 0.0 else 1.0
    left, right = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (left + right)
        at = float(prior(np.array([min(max(middle, SMALLEST), 1.0 - SMALLEST)]))[0])
        inside = at < value if strict else at <= value
        left, right = (middle, right) if inside else (left, middle)
    return 0.5 * (left + right)
