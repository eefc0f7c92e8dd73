"""Which observations a stated value of a window is made of, with which weights.

The tables of a budget compare what is stated of a window with what was reconciled. The same weights
take apart the stated value, its error and its rounding.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.budget.structure import FloatArray, IntArray
from sinkrisk.budget.trees import group
from sinkrisk.budget.windows import parse_window


class Weighing:
    """The observations of a budget tree, and how windows are stated by them.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.
    """

    def __init__(self, tree: xr.DataTree) -> None:
        observed, given = group(tree, "observed_data"), group(tree, "constant_data")
        self.value: FloatArray = observed["value"].values
        self.sd: FloatArray = given["sd"].values
        self.component = observed["observation_component"].values.astype(str)
        self.window = observed["observation_window"].values.astype(str)
        spans = np.array([parse_window(w) for w in self.window], dtype=int).reshape(-1, 2)
        self.start, self.end = spans[:, 0], spans[:, 1]
        self.sign = {
            str(c): float(s) for c, s in zip(given["component"].values, given["sign"].values, strict=True)
        }
        self._inside = given["in_identity"]
        # A row stated net of another component (land net of land use) sees two fluxes.
        coords = observed.coords
        self.net_of = (
            coords["observation_net_of"].values.astype(str)
            if "observation_net_of" in coords
            else np.full(len(self.value), "")
        )
        self.plain: NDArray[np.bool_] = self.net_of == ""

    @property
    def windows(self) -> tuple[str, ...]:
        """The windows the table states, in order of time."""
        order = np.lexsort((self.end, self.start))
        return tuple(dict.fromkeys(self.window[order]))

    def weights(self, component: str, start: int, end: int) -> FloatArray | None:
        """Return the weights that make the stated value of a window, or None where nothing states it.

        The window's own rows, pooled by inverse variance; else the mean of all its years, each the mean
        of its rows.
        """
        mine = (self.component == component) & self.plain
        own = mine & (self.start == start) & (self.end == end)
        out = np.zeros(len(self.value))
        if own.any():
            out[own] = self.sd[own] ** -2.0
            return out / out.sum()
        inside = mine & (self.start == self.end) & (self.start >= start) & (self.end <= end)
        years, place, count = np.unique(self.start[inside], return_inverse=True, return_counts=True)
        if len(years) < end - start + 1:
            return None
        out[inside] = 1.0 / count[place] / len(years)
        return out

    def members(self, window: str) -> tuple[str, ...]:
        """Return the components of a window's identity: cement only where it is stated, if `closed`."""
        if window not in self._inside["window"].values:
            return tuple(self.sign)
        inside = self._inside.sel(window=window)
        return tuple(str(c) for c in inside["component"].values[inside.values.astype(bool)])

    def signed(self, window: str) -> FloatArray | None:
        """Return the weights of the window's imbalance, sources minus sinks; None where one is unstated."""
        start, end = parse_window(window)
        total = np.zeros(len(self.value))
        for component in self.members(window):
            weights = self.weights(component, start, end)
            if weights is None:
                return None
            total += self.sign[component] * weights
        return total


def average_windows(values: FloatArray, years: IntArray, given: xr.Dataset) -> FloatArray:
    """Return the means of annual values, shape (..., year), over the windows of a tree's constant data.

    Examples
    --------
    >>> given = xr.Dataset({"start": ("window", [2001, 2003]), "end": ("window", [2002, 2003])})
    >>> average_windows(np.array([[1.0, 3.0, 5.0]]), np.arange(2001, 2004), given)
    array([[2., 5.]])
    """
    spans = zip(given["start"].values, given["end"].values, strict=True)
    return np.stack([values[..., (years >= a) & (years <= b)].mean(axis=-1) for a, b in spans], axis=-1)
