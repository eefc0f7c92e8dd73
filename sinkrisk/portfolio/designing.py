"""A designed set of portfolios that fills the simplex of shares, labelled"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk.errors import Problems
from sinkrisk.portfolio import simplex
from sinkrisk.portfolio.forms import checked
from sinkrisk.portfolio.plan_rows import WORLD, known_names
from sinkrisk.rng import RandomSource, generator

Floats = NDArray[np.float64]

METHODS: tuple[str, ...] = ("dirichlet", "lattice", "sobol")


@checked()
def design_portfolios(
    n: int,
    pathways: Sequence[str] | None = None,
    *,
    periods: Sequence[str] | None = None,
    rng: RandomSource = None,
    method: Literal["dirichlet", "lattice", "sobol"] = "sobol",
    smooth: float = 1.0,
) -> xr.Dataset:
    """Return portfolios that fill the space of all mixes of some pathways.

    Parameters
    ----------
    n : int
        Number of portfolios; for a lattice the most there may be.
    pathways : sequence of str, optional
        Pathways to mix, at least two; the creditable ones when left out.
    periods : sequence of str, optional
        The periods of ``priors/`` when left out.
    rng : int, Generator or None
        Equal seeds give equal designs. A lattice that is the same throughout needs none.
    method : str
        ``dirichlet``: independent, uniform on the simplex. ``sobol``: uniform too, from scrambled
        Sobol' points, so that fewer holes are left. ``lattice``: every mix whose shares are
        multiples of 1/m, with the largest m that gives at most `n` mixes.
    smooth : float
        From 0 (each period's mix has nothing to do with the one before) to 1 (the same mix
        throughout); between, the correlation of the amounts from one period to the next
        (`simplex.walk`). In every period by itself the mixes fill the simplex alike. A lattice takes
        0 (every period holds every mix of the lattice once, in an order of its own) or 1.

    Returns
    -------
    Dataset
        ``share`` (portfolio, pathway, period), 1; coordinates ``name`` and ``description``
        (portfolio). Attributes: ``method``, ``smooth``, ``mean_nearest_distance`` (Euclidean, of
        the shares of the first period: how finely the simplex is filled), and ``steps`` (m) of a
        lattice.

    Raises
    ------
    InputError
        For fewer than two pathways, a name given twice or not known, a method that is not known, a
        `smooth` outside [0, 1], or fewer portfolios than the coarsest lattice has; all at once.

    Examples
    --------
    >>> design = design_portfolios(10, ["daccs", "forests", "oae"], method="lattice")
    >>> design.sizes["portfolio"], design.attrs["steps"]
    (10, 3)
    >>> design.share.sel(portfolio="design_02", period="mid_term").values.round(3)
    array([0.667, 0.333, 0.   ])
    """
    known = known_names(None, None)
    names = known.pathways if pathways is None else list(pathways)
    times = known.periods if periods is None else list(periods)
    _check(n, names, times, known.pathways, method, smooth)
    random, parts = generator(rng), len(names)
    attrs: dict[str, str | float | int] = {"method": method, "smooth": float(smooth)}
    if method == "lattice":
        steps = simplex.finest_lattice(parts, n)
        points = simplex.lattice(parts, steps)
        attrs["steps"] = steps
        orders = [np.arange(len(points))] + [
            random.permutation(len(points)) if smooth == 0.0 else np.arange(len(points)) for _ in times[1:]
        ]
        share = np.stack([points[order] for order in orders], axis=-1)
    else:
        needed = simplex.uniforms_needed(parts, len(times), smooth)
        u = random.random((n, needed)) if method == "dirichlet" else _sobol(n, needed, random)
        # An inverse distribution function at exactly 0 or 1 would give an infinite or an empty mix.
        share = simplex.walk(np.clip(u, 1e-12, 1.0 - 1e-12), parts, len(times), smooth)
    attrs["mean_nearest_distance"] = simplex.mean_nearest_distance(share[..., 0])
    width = max(2, len(str(len(share))))
    labels = [f"design_{i + 1:0{width}d}" for i in range(len(share))]
    return xr.Dataset(
        {"share": (WORLD, share, {"units": "1"})},
        coords={
            "portfolio": labels,
            "pathway": names,
            "period": times,
            "name": ("portfolio", [label.replace("_", " ").capitalize() for label in labels]),
            "description": ("portfolio", _descriptions(share, names)),
        },
        attrs=attrs,
    )


def _check(n: int, names: list[str], times: list[str], known: list[str], method: str, smooth: float) -> None:
    found = Problems()
    for what, given in (("pathway", names), ("period", times)):
        for name in dict.fromkeys(given):
            if given.count(name) > 1:
                found.add(f"{what} given twice", got=name)
    for name in names:
        if name not in known:
            found.add("unknown pathway", got=name, allowed=known, key="pathways")
    if len(names) < 2:
        found.add("a design mixes at least two pathways", got=", ".join(names) or "none", key="pathways")
    if not times:
        found.add("a design needs a period", key="periods")
    if method not in METHODS:
        found.add("unknown method", got=method, allowed=METHODS, key="method")
    if not 0.0 <= smooth <= 1.0:
        found.add("smooth out of range", got=smooth, allowed="0 to 1", key="smooth")
    elif method == "lattice" and smooth not in (0.0, 1.0):
        found.add("a lattice is smooth or it is not", got=smooth, allowed="0 or 1", key="smooth")
    if n < 1:
        found.add("a design needs a portfolio", got=n, allowed="1 or more", key="n")
    elif method == "lattice" and len(names) > n:
        allowed = f"at least {len(names)}, one for each pathway"
        found.add("fewer portfolios than the coarsest lattice has", got=n, allowed=allowed, key="n")
    found.raise_if_any()


def _sobol(n: int, dimensions: int, random: np.random.Generator) -> Floats:
    from scipy.stats import qmc

    points = qmc.Sobol(dimensions, scramble=True, rng=random)
    # Whole powers of two are balanced; of the last one the first part is kept.
    return np.asarray(points.random_base2(max(0, int(n - 1).bit_length()))[:n])


def _descriptions(share: Floats, names: list[str]) -> list[str]:
    """Say in words what carries most of each design in its first period."""
    first = share[..., 0]
    most = np.argsort(-first, axis=1, kind="stable")[:, :3]
    return [
        ", ".join(f"{names[p]} {row[p]:.0%}" for p in order if row[p] > 0.0)
        for row, order in zip(first, most, strict=True)
    ]
