"""From arrays with the sample first to tiles of samples with the sample last, as the kernel takes them"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from sinkrisk.portfolio.rows import LANES

Floats = NDArray[np.float64]


@numba.njit(cache=True, nogil=True)
def _place(values: Floats, out: Floats, first: int) -> None:
    """Copy values (s, m) to the lanes from `first` on of out (t, m, row of lanes)."""
    last = values.shape[0] - 1
    for t in range(out.shape[0]):
        for m in range(values.shape[1]):
            for k in range(LANES):
                out[t, m, first + k] = values[min(t * LANES + k, last), m]


def in_tiles(values: Floats) -> Floats:
    """Return values (s, ...) as (t, ..., lane), the last tile filled up with the last sample."""
    return stack(["values"], {"values": values}, values.shape)


def stack(names: Sequence[str], values: Mapping[str, Floats], shape: tuple[int, ...]) -> Floats:
    """Return arrays, each broadcast to `shape` (s, ...), as (t, ..., row of lanes): one row each, in order.

    Examples
    --------
    >>> stack(["a", "b"], {"a": np.ones((3, 1)), "b": np.zeros((3, 2))}, (3, 2)).shape
    (1, 2, 32)
    """
    n, size = shape[0], int(np.prod(shape[1:]))
    tiles, width = -(-n // LANES), len(names) * LANES
    out = np.empty((tiles, size, width))
    for row, name in enumerate(names):
        whole = np.ascontiguousarray(np.broadcast_to(values[name], shape), dtype=float)
        _place(whole.reshape(n, size), out, row * LANES)
    return out.reshape(tiles, *shape[1:], width)
