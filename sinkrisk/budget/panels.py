"""Many estimates of one method: their mean enters the annual model, their contrasts do not need it.

For n estimates over the same years with errors of one law, the mean and the n - 1 orthonormal contrasts
are independent. The mean carries everything about the flux; a contrast is an estimate's offset plus its
AR(1) error and speaks only of their sizes and of rho. The likelihood of all contrasts needs six sums
of the data, whatever the number of estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sinkrisk.budget.structure import FloatArray

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Panel:
    """The contrasts of estimates of one method over the same consecutive years.

    Parameters
    ----------
    component, method : str
    estimates : tuple of str
        Estimates in the panel.
    length : int
        Years.
    count : int
        Contrasts, one less than estimates.
    squares, inner, lagged : float
        Over all contrasts d: sum of d(t)^2, the same without first and last year, sum of d(t) d(t-1).
    edge, cross, middle : float
        Over all contrasts: sums of u^2, u w and w^2 with u = d(first) + d(last) and w the sum of d over
        the years between.
    """

    component: str
    method: str
    estimates: tuple[str, ...]
    length: int
    count: int
    squares: float
    inner: float
    lagged: float
    edge: float
    cross: float
    middle: float


def contrast_matrix(count: int) -> FloatArray:
    """Return orthonormal contrasts of `count` values, shape (count - 1, count): Helmert's."""
    out = np.zeros((count - 1, count))
    for k in range(1, count):
        out[k - 1, :k] = 1.0
        out[k - 1, k] = -k
        out[k - 1] /= np.sqrt(k * (k + 1.0))
    return out


def make_panel(component: str, method: str, estimates: Sequence[str], values: FloatArray) -> Panel:
    """Return the sums of a panel of values, shape (estimate, year).

    Raises
    ------
    ValueError
        With fewer than 2 estimates or 2 years.
    """
    count, length = values.shape
    if count < 2 or length < 2:
        raise ValueError(f"a panel needs 2 estimates and 2 years, got {count} and {length}")
    d = contrast_matrix(count) @ values
    u, w = d[:, 0] + d[:, -1], d[:, 1:-1].sum(axis=1)
    return Panel(
        component=component,
        method=method,
        estimates=tuple(estimates),
        length=length,
        count=count - 1,
        squares=float((d**2).sum()),
        inner=float((d[:, 1:-1] ** 2).sum()),
        lagged=float((d[:, 1:] * d[:, :-1]).sum()),
        edge=float(u @ u),
        cross=float(u @ w),
        middle=float(w @ w),
    )


def panel_log_likelihood(panel: Panel, offset: Any, error: Any, rho: Any, log: Any = np.log) -> Any:
    """Return the log density of a panel's contrasts; works on numbers, arrays and tensors alike.

    Each contrast is N(0, offset 11' + error R), R the correlation matrix of an AR(1). R has a
    tridiagonal inverse whose rows sum to 1 / (1 + rho) at the ends and (1 - rho) / (1 + rho) between,
    and determinant (1 - rho^2)^(length - 1); the constant is a rank-one update.

    Parameters
    ----------
    panel : Panel
    offset, error : float or array or tensor
        Variances of an estimate's offset and of its AR(1) error, (GtC/yr)^2.
    rho : float or array or tensor
    log : callable
        The logarithm of that kind of number.
    """
    n, m = panel.length, panel.count
    innovation = error * (1.0 - rho**2)
    quadratic = (panel.squares + rho**2 * panel.inner - 2.0 * rho * panel.lagged) / innovation
    total = (2.0 + (n - 2.0) * (1.0 - rho)) / (error * (1.0 + rho))
    linear = (panel.edge + 2.0 * (1.0 - rho) * panel.cross + (1.0 - rho) ** 2 * panel.middle) / (
        error * (1.0 + rho)
    ) ** 2
    inflation = 1.0 + offset * total
    determinant = n * log(error) + (n - 1.0) * log(1.0 - rho**2) + log(inflation)
    return -0.5 * (m * (n * LOG_2PI + determinant) + quadratic - offset * linear / inflation)


def split_panels(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Panel]]:
    """Split the annual rows of one component and method into mean series and contrasts.

    Parameters
    ----------
    rows : DataFrame
        Annual rows: component, method, estimate, start, value, ....

    Returns
    -------
    DataFrame
        One row per group and year: ``value`` the mean over the group's estimates, ``members`` their
        number, ``estimate`` the estimate, or the group's name.
    list of Panel
        One for each group of two estimates and more over the same consecutive years. Estimates over
        years with gaps stand alone.
    """
    wide = rows.pivot(index="start", columns="estimate", values="value")
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in wide.columns:
        years = tuple(int(y) for y in wide.index[wide[name].notna()])
        whole = years[-1] - years[0] + 1 == len(years)
        groups.setdefault(years if whole else (*years, len(groups) + 10_000), []).append(str(name))
    component, method = str(rows["component"].iloc[0]), str(rows["method"].iloc[0])
    means, panels = [], []
    for key, names in groups.items():
        years = tuple(y for y in key if y < 10_000)
        block = wide.loc[list(years), names].to_numpy(dtype=float).T
        label = names[0] if len(names) == 1 else f"mean of {len(names)} {method} from {years[0]}"
        first = rows[rows["estimate"] == names[0]].sort_values("start")
        mean = first.assign(value=block.mean(axis=0), estimate=label, members=len(names))
        means.append(mean)
        if len(names) > 1 and len(years) > 1:
            panels.append(make_panel(component, method, names, block))
    return pd.concat(means, ignore_index=True), panels
