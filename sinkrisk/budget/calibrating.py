"""What a stated standard deviation says of the error in each year.

Errors live on years. A standard deviation stated for a year is that year's; one stated for a longer
window is divided by the ratio sd(window mean) / sd(year) at the prior mean of the error's shares, so
that at the prior mean the window's error has the stated size. Where several windows cover a year the
narrowest speaks: a decade added beside its ten years changes nothing.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from sinkrisk.budget.parameters import window_factor
from sinkrisk.budget.structure import FloatArray, IntArray

FEWEST = 4
"""Fewest rows whose sds can be called one share of the values."""

PROPORTIONAL = 0.15
"""Largest relative distance (root mean square) of sds from one share of the values: printed digits."""

STEADINESS = 0.03
"""Weight of an equal split of a growth rate's variance between its two stocks, beside what is stated."""

HONOURED = 0.05
"""Relative distance up to which stocks give a stated sd back."""

LAYER = 1.25
"""Largest ratio of one level of a bias to the next, where its size changes from year to year."""

SAME = 1.01
"""Largest ratio of a bias's sizes that counts as one size."""


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

    A growth rate over n years is a difference of two stocks divided by n, so a stated sd s means
    ``n^2 s^2 = v(before its first year) + v(at the end of its last)``. These equations are solved for
    variances v >= 0 by least squares of their relative errors, drawn lightly (`STEADINESS`) to an equal
    split, ``n s / sqrt 2`` at either end: a year's 0.2 is a decade's 0.02. A window joins where it is the
    narrowest at one of its ends; equals are averaged in variance.
    """
    start, end, stated = stated_stocks(rows)
    first = int(years[0])
    length = (rows["end"] - rows["start"] + 1).to_numpy()
    ends = np.stack([rows["start"].to_numpy() - 1, rows["end"].to_numpy()])
    split = rows["sd"].to_numpy(dtype=float) * length / np.sqrt(2.0)
    out = np.full(len(years) + 1, np.nan)
    for year in np.unique(ends):
        touching = (ends == year).any(axis=0)
        narrowest = touching & (length == length[touching].min())
        out[int(year) - first + 1] = np.sqrt(np.mean(split[narrowest] ** 2))
    known = np.flatnonzero(np.isfinite(out))
    even, place = out[known] ** 2, {int(at) + first - 1: i for i, at in enumerate(known)}
    left = np.array([place[year] for year in start])
    right = np.array([place[year] for year in end])
    system = np.zeros((len(stated) + len(known), len(known)))
    lines = np.arange(len(stated))
    system[lines, left] += even[left] / stated
    system[lines, right] += even[right] / stated
    system[len(stated) :] = STEADINESS * np.eye(len(known))
    wanted = np.concatenate([np.ones(len(stated)), np.full(len(known), STEADINESS)])
    out[known] = np.sqrt(nnls(system, wanted)[0] * even)
    return _interpolated(out)


def stated_stocks(rows: pd.DataFrame) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the windows of growth rates that speak of stocks: year ends before and at the end, n^2 s^2."""
    length = (rows["end"] - rows["start"] + 1).to_numpy()
    before, after = rows["start"].to_numpy() - 1, rows["end"].to_numpy()
    ends = np.stack([before, after])
    least = {int(year): length[(ends == year).any(axis=0)].min() for year in np.unique(ends)}
    speaks = np.array(
        [n == least[int(a)] or n == least[int(b)] for n, a, b in zip(length, before, after, strict=True)]
    )
    squares = (rows["sd"].to_numpy(dtype=float) * length) ** 2
    return before[speaks].astype(np.int64), after[speaks].astype(np.int64), squares[speaks]


def stock_ratios(rows: pd.DataFrame, years: IntArray, sds: FloatArray) -> pd.DataFrame:
    """Return the windows whose sd the stocks do not give back: window, stated, implied (GtC/yr).

    Parameters
    ----------
    rows : DataFrame
        start, end and sd of the series.
    years : ndarray of int, shape (year,)
    sds : ndarray, shape (year + 1,)
        What `stock_sds` returned.
    """
    first, out = int(years[0]), []
    for before, after, square in zip(*stated_stocks(rows), strict=True):
        n = int(after - before)
        stated = np.sqrt(square) / n
        implied = np.hypot(sds[before - first + 1], sds[after - first + 1]) / n
        if abs(implied / stated - 1.0) > HONOURED:
            out.append({"start": int(before) + 1, "end": int(after), "stated": stated, "implied": implied})
    return pd.DataFrame(out, columns=["start", "end", "stated", "implied"])


def stock_notes(rows: pd.DataFrame, years: IntArray, sds: FloatArray) -> list[str]:
    """Return what to know of growth rates whose stated sd the stocks do not give back."""
    return [
        f"atmosphere {int(a)}-{int(b)}: an sd of {implied:.2g} GtC/yr enters, {implied / stated:.2f} of "
        "what is stated: no errors of the concentration at year ends give all stated sds back at once"
        for a, b, stated, implied in stock_ratios(rows, years, sds).itertuples(index=False)
    ]


def bias_profile(rows: pd.DataFrame, years: IntArray, sigma: FloatArray) -> tuple[FloatArray, bool]:
    """Return the size by year of a series' bias, shape (year,), GtC/yr, and whether its shape is stated.

    sigma(t) itself, except where the sds are one share of the values: there the source says that the
    error goes with the flux, one constant times a profile, and the profile is the straight line through
    sigma(t). A bias with the series' own curve cancels that curve for less than the random walk charges
    for it, and the flux shrinks: China's fossil emissions of the 2010s fell from 2.69 to 2.21. A straight
    line is what the flux's level and slope have for nothing, so nothing is gained.
    """
    sd, value = rows["sd"].to_numpy(dtype=float), rows["value"].abs().to_numpy(dtype=float)
    share = float(sd @ value / (value @ value)) if value.any() else 0.0
    proportional = len(sd) >= FEWEST and np.ptp(value) > 0.5 * value.mean()
    if not proportional or np.sqrt(np.mean((sd - share * value) ** 2)) > PROPORTIONAL * sd.mean():
        return sigma, False
    x = years.astype(float)
    line = np.polynomial.Polynomial.fit(x, sigma, 1)(x)
    # A falling line must not cross zero: a bias does not change sign.
    return np.asarray(np.maximum(line, 0.1 * float(np.mean(sigma)))), True


def bias_layers(profile: FloatArray) -> list[FloatArray]:
    """Return the amplitudes by year of independent constants that add up to a bias, each shape (year,).

    What is stated is how large the bias is in each year, ``profile(t)``, not how that of one year goes
    with that of another. One constant times the profile would say that it is the same number everywhere
    but for its size: a value stated with a larger sd then counts against its own flux (Peelle's puzzle),
    and the growth of a stated sd explains a trend. Instead years share what the smaller of two biases
    can hold, ``cov(t, t') = min(profile(t), profile(t'))^2``, and the rest is the larger one's own: a
    random walk in the clock of the variance. It is cut at levels (`LAYER` apart, the smallest profile
    the first), and layer j has ``p_j(t)^2 = clip(profile(t)^2, level_(j-1)^2, level_j^2) - level_(j-1)^2``,
    so that the squares add up to the stated variance in every year, whatever the levels.

    Examples
    --------
    >>> import numpy as np
    >>> [layer.round(3).tolist() for layer in bias_layers(np.array([0.4, 0.5, 0.4]))]
    [[0.4, 0.4, 0.4], [0.0, 0.3, 0.0]]
    """
    least, most = float(profile.min()), float(profile.max())
    if most <= SAME * least:
        return [np.asarray(profile, dtype=float)]
    count = int(np.ceil(np.log(most / least) / np.log(LAYER) - 1e-9))
    levels = least * (most / least) ** (np.arange(count + 1) / count)
    squares = np.concatenate([[0.0], levels**2])
    layers = [np.clip(profile**2, a, b) - a for a, b in itertools.pairwise(squares)]
    return [np.sqrt(np.maximum(layer, 0.0)) for layer in layers]


def _interpolated(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])
