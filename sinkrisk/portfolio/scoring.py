"""Scores of a warning: a ridge logistic regression, the area under its curve, Brier skill, calibration

The area with its standard error: DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44(3)); the Brier
score: Brier (1950, Monthly Weather Review 78(1)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from sinkrisk.errors import Problems

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STEPS = 100
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression on standardised predictors.

    Parameters
    ----------
    centre, scale : ndarray, (predictor,)
        Of the standardisation; a predictor that does not vary has scale inf and no effect.
    intercept : float
    slopes : ndarray, (predictor,)
        Change of the log odds per standard deviation.
    """

    centre: Floats
    scale: Floats
    intercept: float
    slopes: Floats

    def risk(self, predictors: Floats) -> Floats:
        """Return the probability of the event, (draw,), at predictors (draw, predictor)."""
        return np.asarray(expit(self.intercept + (predictors - self.centre) / self.scale @ self.slopes))


def fit_logistic(
    predictors: ArrayLike, event: ArrayLike, *, ridge: float = 1.0, weight: ArrayLike | None = None
) -> Logistic:
    """Fit a logistic regression with a ridge on the slopes.

    Parameters
    ----------
    predictors : array_like, (draw, predictor)
    event : array_like of bool, (draw,)
    ridge : float
        Half of it times the sum of squared slopes is added to the negative log-likelihood: a normal
        prior of variance 1 / ridge on the log odds per standard deviation.
    weight : array_like, (draw,), optional
        Repetitions of each draw; 1 when left out.

    Returns
    -------
    Logistic
        By Newton's method with halved steps; the intercept is not shrunk.

    Examples
    --------
    Without a predictor the risk is the share of events:

    >>> round(float(fit_logistic(np.zeros((4, 1)), [1, 0, 0, 0]).risk(np.zeros((1, 1)))[0]), 9)
    0.25
    """
    x, y = np.asarray(predictors, dtype=float), np.asarray(event, dtype=float)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    share = w / w.sum()
    centre = share @ x
    spread = np.sqrt(share @ (x - centre) ** 2)
    scale = np.where(spread > 1e-12 * np.maximum(np.abs(centre), 1.0), spread, np.inf)
    design = np.column_stack([np.ones(len(y)), (x - centre) / scale])
    penalty = np.diag(np.r_[0.0, np.full(x.shape[1], ridge)])
    # A start at the base rate keeps the intercept finite; half an event stands in where there is none.
    base = (share @ y * w.sum() + 0.5) / (w.sum() + 1.0)
    beta = np.r_[np.log(base / (1.0 - base)), np.zeros(x.shape[1])]

    def loss(b: Floats) -> float:
        odds = design @ b
        return float(w @ (np.logaddexp(0.0, odds) - y * odds) + 0.5 * b @ penalty @ b)

    now = loss(beta)
    for _ in range(STEPS):
        p = expit(design @ beta)
        slope = design.T @ (w * (p - y)) + penalty @ beta
        curve = (design * (w * p * (1.0 - p))[:, None]).T @ design + penalty
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        size = 1.0
        while (new := loss(beta - size * step)) > now and size > 1e-6:
            size *= 0.5
        beta, gained, now = beta - size * step, now - new, min(new, now)
        if gained < TOLERANCE * (1.0 + abs(now)):
            break
    return Logistic(np.asarray(centre), scale, float(beta[0]), np.asarray(beta[1:]))


def area_under_curve(score: ArrayLike, event: ArrayLike) -> tuple[float, float]:
    """Return the area under the receiver operating characteristic, and its standard error.

    Parameters
    ----------
    score : array_like, (draw,)
        Higher means the event is held more likely.
    event : array_like of bool, (draw,)

    Returns
    -------
    area : float
        The probability that a draw with the event scores higher than one without, ties counting half.
        NaN where either kind is missing.
    error : float
        DeLong's standard error; NaN with fewer than two of either kind.

    Examples
    --------
    >>> area_under_curve([0.9, 0.5, 0.5, 0.1], [True, True, False, False])[0]
    0.875
    """
    s, happened = np.asarray(score, dtype=float), np.asarray(event, dtype=bool)
    with_it, without = s[happened], s[~happened]
    m, n = len(with_it), len(without)
    if not m or not n:
        return np.nan, np.nan
    ranks = rankdata(np.r_[with_it, without])
    # Share of the other kind that each draw beats.
    v10 = (ranks[:m] - rankdata(with_it)) / n
    v01 = 1.0 - (ranks[m:] - rankdata(without)) / m
    area = float(v10.mean())
    if m < 2 or n < 2:
        return area, np.nan
    return area, float(np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n))


def area_interval(
    areas: ArrayLike, errors: ArrayLike, counts: ArrayLike, mass: float
) -> tuple[float, float, float]:
    """Return the mean of cross-fitted areas with its interval, normal on the scale of log odds.

    Parameters
    ----------
    areas, errors : array_like, (half,)
        From `area_under_curve`, each of a half of the draws scored by what the other half taught.
    counts : array_like of int, (half,)
        Draws of the rarer kind, with the event or without, in each half.
    mass : float

    Notes
    -----
    DeLong's error is 0 where no pair is told wrongly, which is not to say that none would be. With k draws
    of the rarer kind k separate pairs are all told rightly with probability A^k at most, so that an area
    below ``((1 - mass) / 2)^(1 / k)`` is refuted by a perfect score alone (Clopper and Pearson's bound for k
    successes of k). No score ends above that bound, nor begins below its mirror image: what a perfect
    score cannot show, no other can. The smaller half counts.

    Near chance the areas of both halves rise and fall together, both with the product of what the halves
    taught: correlation 0.8 in 400 simulated sets of pure noise. The errors are therefore averaged as if
    the areas were one; treating them as independent, intervals of 90 % lay beside chance in 24 % of those
    sets, so in 8 %. Where the signal is strong the interval is up to the root of 2 too wide.
    """
    mean = float(np.asarray(areas, dtype=float).mean())
    error = float(np.asarray(errors, dtype=float).mean())
    bound = (0.5 - mass / 2.0) ** (1.0 / float(np.asarray(counts, dtype=float).min()))
    if mean in (0.0, 1.0):
        return mean, min(mean, bound), max(mean, 1.0 - bound)
    # The error of log odds, by the derivative.
    half = norm.ppf(0.5 + mass / 2.0) * error / (mean * (1.0 - mean))
    low, high = expit(logit(mean) - half), expit(logit(mean) + half)
    return mean, float(min(low, bound)), float(max(high, 1.0 - bound))


def brier_skill(risk: Floats, event: Bools, reference: Floats) -> float:
    """Return by how much of the reference's Brier score the risk is better; NaN where that is 0.

    Examples
    --------
    >>> brier_skill(np.array([1.0, 0.0]), np.array([True, False]), np.array([0.5, 0.5]))
    1.0
    """
    score, base = (float(np.mean((p - event) ** 2)) for p in (risk, reference))
    return 1.0 - score / base if base > 0.0 else np.nan


def calibration(risk: Floats, event: Bools, bins: int, mass: float = 0.9) -> Floats:
    """Return how often the event happened where it was held so likely.

    Parameters
    ----------
    risk : ndarray, (draw,)
    event : ndarray of bool, (draw,)
    bins : int
        Of equal numbers of draws, equal risks together.
    mass : float
        Of the bounds.

    Returns
    -------
    ndarray, (bin, 5)
        Draws, mean risk, share of events, and Wilson's bounds of that share.
    """
    edges = np.quantile(risk, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    group = np.searchsorted(edges, risk, side="left")
    rows = []
    z = norm.ppf(0.5 + mass / 2.0)
    for g in np.unique(group):
        inside = group == g
        n, p = int(inside.sum()), float(event[inside].mean())
        centre, spread = p + z * z / (2 * n), z * np.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n))
        low, high = (
            max((centre - spread) / (1 + z * z / n), 0.0),
            min((centre + spread) / (1 + z * z / n), 1.0),
        )
        rows.append((n, float(risk[inside].mean()), p, low, high))
    return np.asarray(rows, dtype=float)


def alarm_levels(risks: Floats, event: Bools, rate: float) -> Floats:
    """Return the risk at which to raise the alarm at each time, for a rate of false alarms.

    Parameters
    ----------
    risks : ndarray, (draw, time)
    event : ndarray of bool, (draw,)
    rate : float
        Share of the draws without the event that may have an alarm at any of the times.

    Returns
    -------
    ndarray, (time,)
        An alarm is a risk above its level. At each time the same share of draws without the event lies
        above it, the largest for which the share that is ever above stays at `rate` or below.

    Examples
    --------
    >>> alarm_levels(np.array([[0.1], [0.2], [0.3], [0.4]]), np.zeros(4, dtype=bool), 0.25)
    array([0.3])
    """
    found = Problems()
    if not 0.0 < rate < 1.0:
        found.add("rate of false alarms outside its range", got=rate, allowed="0 < rate < 1")
    if event.all():
        found.add("no draw without the event: no alarm would be false")
    found.raise_if_any()
    calm = np.sort(risks[~event], axis=0)
    for above in range(int(rate * len(calm)), -1, -1):
        levels = calm[len(calm) - 1 - above]
        if (risks[~event] > levels).any(axis=1).mean() <= rate:
            break
    return np.asarray(levels)
