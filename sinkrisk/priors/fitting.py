"""Fitting: from what a claim states - two quantiles, one quantile, a mean and an sd - to parameters.

Two quantiles fix a family of two parameters. Where one number is stated, or a mean and an sd, the
distribution is the one of maximum entropy: a beta under one quantile, on bounded quantities (without
bounds the entropy has no maximum), and the normal cut off at the bounds that has the stated moments.
Where no cut normal has them, the lognormal or the beta with these moments takes its place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from sinkrisk.priors.families import Array, BetaScaled, Lognormal, Normal

_LOGS = (-7.0, 16.0)
"""Range of the logarithms of a beta's shapes that are searched."""


def fit_lognormal(low: float, high: float, mass: float) -> Lognormal:
    """Return the lognormal with equal tails outside [low, high]; 0 < low < high, in any unit.

    Examples
    --------
    >>> fitted = fit_lognormal(1.0, 4.0, 0.9)
    >>> round(math.exp(fitted.mu), 6)
    2.0
    """
    z = float(special.ndtri(0.5 + mass / 2.0))
    return Lognormal(0.5 * (math.log(low) + math.log(high)), 0.5 * (math.log(high) - math.log(low)) / z)


def fit_normal(low: float, high: float, mass: float, lower: float, upper: float) -> Normal:
    """Return the normal with equal tails outside [low, high], before it is cut off at its bounds."""
    z = float(special.ndtri(0.5 + mass / 2.0))
    return Normal(0.5 * (low + high), 0.5 * (high - low) / z, lower, upper)


def fit_beta(low: float, high: float, mass: float, lower: float = 0.0, upper: float = 1.0) -> BetaScaled:
    """Return the beta on [lower, upper] with equal tails outside [low, high].

    The two shape parameters solve two equations, the tails' log probabilities, by least squares on
    their logarithms; the caller checks the mass reached.

    Parameters
    ----------
    low, high : float
        lower < low < high < upper.
    mass : float
        Central mass, between 0 and 1.
    """
    from scipy import optimize

    left, right = (low - lower) / (upper - lower), (high - lower) / (upper - lower)
    tail = (1.0 - mass) / 2.0
    # Start where mean and variance of a normal with that interval would put the shapes.
    center = 0.5 * (left + right)
    spread = 0.5 * (right - left) / float(special.ndtri(0.5 + mass / 2.0))
    total = max(center * (1.0 - center) / spread**2 - 1.0, 0.5)

    def misfit(logs: Array) -> Array:
        a, b = np.exp(logs)
        tiny = np.finfo(float).tiny
        below = max(float(special.betainc(a, b, left)), tiny)
        above = max(float(special.betainc(b, a, 1.0 - right)), tiny)
        return np.array([math.log(below / tail), math.log(above / tail)])

    start = np.log([center * total, (1.0 - center) * total])
    solution: Any = optimize.least_squares(misfit, start, bounds=_LOGS, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    a, b = np.exp(solution.x)
    return BetaScaled(float(a), float(b), lower, upper)


def fit_beta_below(bound: float, mass: float, lower: float = 0.0, upper: float = 1.0) -> BetaScaled:
    """Return the beta of maximum entropy among those with P(X <= bound) = mass.

    The constraint leaves a curve of shapes (a, b); along it the differential entropy (Jaynes's
    principle, as PreliZ's ``maxent``) is maximised by a bounded search over log a.

    Parameters
    ----------
    bound : float
        lower < bound < upper.
    mass : float
        Probability up to the bound, between 0 and 1.

    Examples
    --------
    Where the uniform meets the constraint, it is the answer.

    >>> fitted = fit_beta_below(0.3, 0.3)
    >>> round(fitted.a, 4), round(fitted.b, 4)
    (1.0, 1.0)
    """
    from scipy import optimize

    at = (bound - lower) / (upper - lower)

    def other(log_a: float) -> float:
        """Log b that puts `mass` below the bound: the mass grows with b."""
        a = math.exp(log_a)

        def gap(log_b: float) -> float:
            return float(special.betainc(a, math.exp(log_b), at)) - mass

        if gap(_LOGS[0]) > 0.0 or gap(_LOGS[1]) < 0.0:
            return math.nan
        return float(optimize.brentq(gap, *_LOGS, xtol=1e-14, rtol=1e-14))

    def lack(log_a: float) -> float:
        log_b = other(log_a)
        return math.inf if math.isnan(log_b) else -_beta_entropy(math.exp(log_a), math.exp(log_b))

    grid = np.linspace(_LOGS[0], 8.0, 61)
    with np.errstate(invalid="ignore"):
        best = int(np.argmin([lack(float(point)) for point in grid]))
    edges = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(lack, bounds=edges, method="bounded", options={"xatol": 1e-10})
    log_a = float(found.x)
    return BetaScaled(math.exp(log_a), math.exp(other(log_a)), lower, upper)


def _beta_entropy(a: float, b: float) -> float:
    total = special.betaln(a, b) - (a - 1.0) * special.digamma(a) - (b - 1.0) * special.digamma(b)
    return float(total + (a + b - 2.0) * special.digamma(a + b))


def fit_cut_normal(mean: float, sd: float, lower: float, upper: float) -> Normal | None:
    """Return the normal, cut off at its bounds, that has the stated mean and sd after the cut.

    It is the distribution of maximum entropy on [lower, upper] with these two moments. None where no
    such normal exists (on a half-line the sd has to stay below the distance of the mean from the bound)
    or none is found, close to that limit: `fit_moments` covers both.

    Parameters
    ----------
    mean, sd : float
        lower < mean < upper; sd > 0.
    """
    from scipy import optimize

    whole = Normal(mean, sd, lower, upper)
    if abs(whole.mean - mean) < 1e-13 * sd and abs(whole.sd - sd) < 1e-13 * sd:
        return whole

    def misfit(p: Array) -> Array:
        cut = Normal(mean + sd * float(p[0]), sd * math.exp(float(p[1])), lower, upper)
        return np.array([(cut.mean - mean) / sd, math.log(cut.sd / sd)])

    try:
        with np.errstate(all="ignore"):
            solution: Any = optimize.root(misfit, np.zeros(2), tol=1e-13)
    except (ValueError, ZeroDivisionError, OverflowError):
        # The search left for normals without mass between the bounds: there is none that fits.
        return None
    if not solution.success and np.abs(solution.fun).max() > 1e-9:
        return None
    return Normal(mean + sd * float(solution.x[0]), sd * math.exp(float(solution.x[1])), lower, upper)


def fit_moments(mean: float, sd: float, lower: float, upper: float) -> Lognormal | BetaScaled | None:
    """Return the lognormal (support from 0 up) or the beta (bounded support) of that mean and sd, exactly.

    Every mean above 0 and every sd is that of a lognormal; a beta on [lower, upper] exists where
    sd**2 < (mean - lower) (upper - mean), beyond which no distribution on these bounds does. None where
    there is neither.

    Parameters
    ----------
    mean, sd : float
        lower < mean < upper; sd > 0.

    Examples
    --------
    >>> fitted = fit_moments(100.0, 150.0, 0.0, math.inf)
    >>> round(fitted.mean, 9), round(fitted.sd, 9)
    (100.0, 150.0)
    >>> fit_moments(0.5, 0.6, 0.0, 1.0) is None
    True
    """
    if lower == 0.0 and upper == math.inf:
        variance = math.log1p((sd / mean) ** 2)
        return Lognormal(math.log(mean) - 0.5 * variance, math.sqrt(variance))
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return None
    center, spread = (mean - lower) / (upper - lower), sd / (upper - lower)
    total = center * (1.0 - center) / spread**2 - 1.0
    if total <= 0.0:
        return None
    return BetaScaled(center * total, (1.0 - center) * total, lower, upper)
