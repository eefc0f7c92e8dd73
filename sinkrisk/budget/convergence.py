"""Convergence of many quantities at once: R-hat, effective sample sizes, and E-BFMI.

The definitions are those of Vehtari et al. (2021), "Rank-normalization, folding, and localization: an
improved R-hat", as ArviZ has them, which takes one quantity at a time; a budget reports hundreds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft, special, stats

from sinkrisk.budget.structure import FloatArray

TAILS = (0.05, 0.95)
"""Quantiles whose effective sample size is the tail ESS."""


def rhat_and_ess(draws: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return R-hat (rank-normalised, split and folded), bulk ESS and tail ESS.

    Parameters
    ----------
    draws : array_like, shape (chain, draw, quantity)
        At least 2 chains of 8 draws. A quantity equal in every draw has R-hat NaN.

    Returns
    -------
    tuple of ndarray, each shape (quantity,)

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rhat, bulk, tail = rhat_and_ess(rng.standard_normal((4, 1000, 1)))
    >>> bool(rhat[0] < 1.01), bool(bulk[0] > 3000), bool(tail[0] > 3000)
    (True, True, True)
    """
    x = np.asarray(draws, dtype=float)
    split = _split(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = _normal_scores(split)
        folded = _normal_scores(np.abs(split - np.median(split, axis=(0, 1))))
        rhat = np.maximum(_rhat(z), _rhat(folded))
        bulk = _ess(z)
        low, high = np.quantile(x, TAILS, axis=(0, 1))
        tail = np.minimum(_ess(_split(x <= low)), _ess(_split(x <= high)))
    return rhat, bulk, tail


def energy_fraction(energy: ArrayLike) -> FloatArray:
    """Return the estimated Bayesian fraction of missing information of every chain (Betancourt 2016).

    Parameters
    ----------
    energy : array_like, shape (chain, draw)

    Examples
    --------
    >>> energy_fraction([[0.0, 1.0, 0.0, 1.0]])
    array([3.])
    """
    e = np.asarray(energy, dtype=float)
    return np.asarray((np.diff(e, axis=1) ** 2).sum(axis=1) / (e.shape[1] * e.var(axis=1)))


def _split(x: ArrayLike) -> FloatArray:
    """Return chains cut in halves, the middle draw of an odd number left out."""
    x = np.asarray(x)
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]]).astype(float)


def _normal_scores(x: FloatArray) -> FloatArray:
    count = x.shape[0] * x.shape[1]
    rank = stats.rankdata(x.reshape(count, -1), axis=0)
    return np.asarray(special.ndtri((rank - 0.375) / (count + 0.25)).reshape(x.shape))


def _rhat(x: FloatArray) -> FloatArray:
    draws = x.shape[1]
    between = draws * x.mean(axis=1).var(axis=0, ddof=1)
    within = x.var(axis=1, ddof=1).mean(axis=0)
    return np.asarray(np.sqrt((between / within + draws - 1) / draws))


def _ess(x: FloatArray) -> FloatArray:
    """Return the effective sample size of split chains, by Geyer's initial monotone sequence."""
    chains, draws, quantities = x.shape
    centred = x - x.mean(axis=1, keepdims=True)
    size = fft.next_fast_len(2 * draws, real=True)
    power = np.abs(fft.rfft(centred, size, axis=1)) ** 2
    # The inverse is linear: averaged over chains first, it is needed once.
    covariance = fft.irfft(power.mean(axis=0), size, axis=0)[:draws] / draws
    within = covariance[0] * draws / (draws - 1.0)
    total = covariance[0] + x.mean(axis=1).var(axis=0, ddof=1)
    rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    pairs = rho[: 2 * ((draws - 1) // 2)].reshape(-1, 2, quantities)
    sums = pairs.sum(axis=1)
    # The sum of lags stops at the first pair that is not positive.
    ends = sums <= 0.0
    ends[0], ends[-1] = False, True
    last = ends.argmax(axis=0)
    kept = np.arange(len(sums))[:, None] < last
    monotone = np.minimum.accumulate(sums, axis=0)
    beyond = np.maximum(np.take_along_axis(pairs[:, 0], last[None], axis=0)[0], 0.0)
    tau = -1.0 + 2.0 * np.where(kept, monotone, 0.0).sum(axis=0) + beyond
    count = chains * draws
    return np.asarray(count / np.maximum(tau, 1.0 / np.log10(count)))
