"""Pooling: the distributions of several sources become one; how far the sources disagree.

Sources are compared on a scale without bounds, g(x): the logarithm of positive quantities, the log
odds of bounded ones, x itself otherwise.

**Linear pool** (default): the sources' distributions averaged, each source once. It keeps every
source's spread and the distance between them, and never narrows.

**Hierarchical pool**: the sources read as measurements of one number x, each with a bias of its own,

    y_s = g(x) + b_s + e_s,   b_s ~ N(0, tau^2),   e_s ~ N(0, v_s),   tau ~ half-normal(A),

flat in g(x), with y_s and v_s the mean and variance of source s on the scale (Gelman et al., Bayesian
Data Analysis, section 5.4). Given tau, g(x) is normal; tau is integrated out by Gauss-Legendre
quadrature, so the pool is a finite mixture of normals on the scale and everything is deterministic.
It narrows where sources agree and widens where they do not. A is an assumption: by default the
quantity's `spread`, read as the bias that a source has with probability 0.9 at most.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sinkrisk.errors import InputError, Problem
from sinkrisk.priors.families import Array, BetaScaled, Family, Lognormal
from sinkrisk.priors.quantiles import Pool
from sinkrisk.priors.readings import Rule
from sinkrisk.priors.scales import NormalMixture, Scale, ScaleName

NODES = 48
"""Quadrature nodes over the between-source sd: the pooled probability is right to 1e-6 or better."""

REACH = 6.0
"""Largest between-source sd integrated over, in scales of its half-normal prior (2e-9 lie beyond)."""

_NEGLIGIBLE = 1e-13
_Z95 = 1.6448536269514722


@functools.cache
def _legendre(nodes: int) -> tuple[Array, Array]:
    z, weights = np.polynomial.legendre.leggauss(nodes)
    return z, weights


@dataclass(frozen=True)
class Part:
    """What one source says: its claims pooled.

    Parameters
    ----------
    label : str
        Its key, or keys joined by ``;`` where claims that share a key are one source.
    weight : float
        Its weight in the linear pool.
    pool : Pool
        Its claims, alike among themselves.
    claims : tuple of str
        Their ids.
    """

    label: str
    weight: float
    pool: Pool
    claims: tuple[str, ...]


def scale_of(rule: Rule) -> Scale:
    """Return the scale of a quantity, by its family."""
    names: dict[str, ScaleName] = {"lognormal": "log", "beta": "log odds", "normal": "identity"}
    return Scale(names[rule.family], rule.lower, rule.upper)


def moments(family: Family, scale: Scale) -> tuple[float, float]:
    """Return mean and variance of g(X), in closed form where there is one."""
    if scale.name == "log" and isinstance(family, Lognormal):
        return family.mu, family.sigma**2
    if scale.name == "log odds" and isinstance(family, BetaScaled):
        # A quantity's betas stand on its own bounds, as the scale does.
        a, b = family.a, family.b
        mean = special.digamma(a) - special.digamma(b)
        return float(mean), float(special.polygamma(1, a) + special.polygamma(1, b))
    if scale.name == "identity":
        return family.mean, family.sd**2
    # E g(X) over the normal score of X: Gauss-Legendre on all but 1e-15 of the mass.
    z, weights = _legendre(400)
    weights = weights * np.exp(-0.5 * (8.0 * z) ** 2) * 8.0 / math.sqrt(2.0 * math.pi)
    y = scale(family.quantile_at(8.0 * z))
    mean = float(weights @ y)
    return mean, float(weights @ (y - mean) ** 2)


def pooled_moments(pool: Pool, scale: Scale) -> tuple[float, float]:
    """Return mean and variance of g(X) under a mixture."""
    each = np.array([moments(family, scale) for family in pool.families])
    weights = np.array(pool.weights)
    mean = float(weights @ each[:, 0])
    return mean, float(weights @ (each[:, 1] + (each[:, 0] - mean) ** 2))


def disagreement(parts: Sequence[Part], scale: Scale) -> float:
    """Return the between-source share of the linear pool's variance on the scale.

    Law of total variance: Var g(X) = sum_s w_s v_s + sum_s w_s (m_s - m)^2; the second term over both.
    0 for one source or sources of one mean, towards 1 for narrow statements far apart.
    """
    each = np.array([pooled_moments(part.pool, scale) for part in parts])
    weights = np.array([part.weight for part in parts])
    center = weights @ each[:, 0]
    within, between = weights @ each[:, 1], weights @ (each[:, 0] - center) ** 2
    return float(between / (within + between))


@dataclass(frozen=True)
class Hierarchical:
    """The hierarchical pool.

    Parameters
    ----------
    pool : Pool
        Distribution of the quantity, a mixture over the between-source sd.
    between_prior : float
        Scale A of the half-normal prior of the between-source sd, on the quantity's scale.
    between_mean, between_sd : float
        Posterior mean and sd of the between-source sd, on the quantity's scale.
    """

    pool: Pool
    between_prior: float
    between_mean: float
    between_sd: float


def default_between(rule: Rule) -> float:
    """Return the default A: the quantity's spread as the 0.9 central interval of a source's bias."""
    return (rule.spread if rule.family == "normal" else math.log(rule.spread)) / _Z95


def hierarchical(parts: Sequence[Part], scale: Scale, between: float) -> Hierarchical:
    """Return the hierarchical pool of the sources (see the module).

    Parameters
    ----------
    parts : sequence of Part
    scale : Scale
    between : float
        Scale A of the half-normal prior, above 0.

    Raises
    ------
    InputError
        For a scale that is not above 0.
    """
    if not 0.0 < between < math.inf:
        raise InputError(Problem("not a scale of the between-source sd", got=between, allowed="above 0"))
    each = np.array([pooled_moments(part.pool, scale) for part in parts])
    y, v = each[:, 0], each[:, 1]
    t, weights = _legendre(NODES)
    t, weights = 0.5 * (t + 1.0), 0.5 * weights
    # tau = REACH A t^3: nodes crowd towards 0, where precise sources put the structure.
    tau = REACH * between * t**3
    precision = 1.0 / (v + tau[:, None] ** 2)
    total = precision.sum(axis=1)
    center = (precision @ y) / total
    log_density = (
        -0.5 * (tau / between) ** 2
        + 0.5 * (np.log(precision).sum(axis=1) - np.log(total))
        - 0.5 * (precision * (y - center[:, None]) ** 2).sum(axis=1)
        + np.log(3.0 * t**2 * weights)
    )
    if scale.name == "identity":
        # Flat between the bounds only: what a normal has beyond them does not count.
        log_density += np.log(_mass_inside(center, 1.0 / np.sqrt(total), scale))
    share = np.exp(log_density - log_density.max())
    share /= share.sum()
    mean = float(share @ tau)
    spread = math.sqrt(max(float(share @ tau**2) - mean**2, 0.0))
    kept = share > _NEGLIGIBLE
    weight: NDArray[Any] = share[kept] / share[kept].sum()
    sd = 1.0 / np.sqrt(total[kept])
    mixture = NormalMixture(scale, *(tuple(v.tolist()) for v in (center[kept], sd, weight)))
    pool = Pool((mixture,), (1.0,))
    return Hierarchical(pool, between, mean, spread)


def _mass_inside(center: Array, sd: Array, scale: Scale) -> Array:
    inside = special.ndtr((scale.upper - center) / sd) - special.ndtr((scale.lower - center) / sd)
    return np.asarray(np.maximum(inside, np.finfo(float).tiny))
