"""What a stated standard deviation says of the error in each year.

Errors live on years. A standard deviation stated for a year is that year's; one stated for a longer
window is divided by the ratio sd(window mean) / sd(year) at the prior mean of the error's shares, so
that at the prior mean the window's error has the stated size. Where several windows cover a year the
narrowest speaks: a decade added beside its ten years changes nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sinkrisk.budget.parameters import window_factor
from sinkrisk.budget.structure import FloatArray, IntArray

FEWEST = 4
"""Fewest rows whose sds can be called one share of the values."""

PROPORTIONAL = 0.15
"""Largest relative distance (root mean square) of sds from one share of the values: printed digits."""


def annual_sds(rows: pd.DataFrame, years: IntArray, shares: FloatArray, rho: float) -> FloatArray:
    """Return sigma(t) of one series, shape (year,), GtC/yr.

    Parameters
    ----------
    rows : DataFrame
        start, end and sd (GtC/yr) of the series.
    years : ndarray of int, shape (year,)
    shares : ndarray, shape (3,)
        Prior mean of the shares (bias, AR(1), white).
    rho : float
        Prior mean of the AR(1) correlation.

    Notes
    -----
    Years that no row covers take the value interpolated between their neighbours; no observation
    sees them.
    """
    length = (rows["end"] - rows["start"] + 1).to_numpy()
    sd = rows["sd"].to_numpy(dtype=float)
    start, end = rows["start"].to_numpy(), rows["end"].to_numpy()
    out = np.full(len(years), np.nan)
    factors = {int(n): window_factor(int(n), shares, rho) for n in np.unique(length)}
    for place, year in enumerate(years):
        covering = (start <= year) & (year <= end)
        if covering.any():
            narrowest = covering & (length == length[covering].min())
            scaled = sd[narrowest] / factors[int(length[narrowest][0])]
            out[place] = np.sqrt(np.mean(scaled**2))
    return _interpolated(out)


def stock_sds(rows: pd.DataFrame, years: IntArray) -> FloatArray:
    """Return the sd of a measured stock at each year end, shape (year + 1,), GtC.

    A growth rate over n years is a difference of two stocks divided by n, so a stated sd s means stocks
    of sd ``n s / sqrt 2``: a year's 0.2 is a decade's 0.02. The narrowest window ending at a year end
    speaks; equals are averaged in variance.
    """
    length = (rows["end"] - rows["start"] + 1).to_numpy()
    sd = rows["sd"].to_numpy(dtype=float) * length / np.sqrt(2.0)
    ends = np.stack([rows["start"].to_numpy() - 1, rows["end"].to_numpy()])
    out = np.full(len(years) + 1, np.nan)
    for place, year in enumerate(range(int(years[0]) - 1, int(years[-1]) + 1)):
        touching = (ends == year).any(axis=0)
        if touching.any():
            narrowest = touching & (length == length[touching].min())
            out[place] = np.sqrt(np.mean(sd[narrowest] ** 2))
    return _interpolated(out)


def bias_profile(rows: pd.DataFrame, years: IntArray, sigma: FloatArray) -> FloatArray:
    """Return the amplitude by year of a series' constant bias, shape (year,), GtC/yr.

    sigma(t) itself, except where the sds are one share of the values: there the straight line through
    sigma(t). A bias with the series' own curve cancels that curve for less than the random walk charges
    for it, and the flux shrinks: China's fossil emissions of the 2010s fell from 2.69 to 2.21. A straight
    line is what the flux's level and slope have for nothing, so nothing is gained.
    """
    sd, value = rows["sd"].to_numpy(dtype=float), rows["value"].abs().to_numpy(dtype=float)
    share = float(sd @ value / (value @ value)) if value.any() else 0.0
    proportional = len(sd) >= FEWEST and np.ptp(value) > 0.5 * value.mean()
    if not proportional or np.sqrt(np.mean((sd - share * value) ** 2)) > PROPORTIONAL * sd.mean():
        return sigma
    x = years.astype(float)
    line = np.polynomial.Polynomial.fit(x, sigma, 1)(x)
    # A falling line must not cross zero: a bias does not change sign.
    return np.asarray(np.maximum(line, 0.1 * float(np.mean(sigma))))


def _interpolated(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])
