"""Opinions of several experts on one row of a table: pooled, with their disagreement shown.

With opinions p_e over the states and weights w_e that sum to one, the linear pool is sum_e w_e p_e, the
logarithmic pool prod_e p_e^w_e, divided by its sum (Genest and Zidek 1986, Statistical Science 1(1)).
The linear pool keeps what any expert holds possible; the logarithmic one is vetoed by a single nought,
and is externally Bayesian: pooling and then learning from data is learning and then pooling.

Disagreement is shown per state and as the Jensen-Shannon divergence H(sum_e w_e p_e) - sum_e w_e H(p_e)
(Lin 1991, IEEE Trans. Inf. Theory 37(1)). It also says how sure the pooled row can be: experts who
scatter like draws of a Dirichlet(s m) show s, by the moments sum_k m_k (1 - m_k) / (s + 1) = sum_k v_k.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from scipy import special

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.table_checks import SUM_TOLERANCE
from sinkrisk.network.telling import near_names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Weights = Mapping[str, float] | Sequence[float] | Floats

Method = Literal["linear", "logarithmic"]

MOST_JUDGEMENTS = 100.0
"""Default cap of the equivalent sample size that agreement implies. Assumption: experts who agree have
read the same papers, so their agreement is never worth more than a hundred independent judgements."""
LEAST_JUDGEMENTS = 1.0
"""Its floor, the least a network file may state: experts can scatter more than any Dirichlet."""


@dataclass(frozen=True)
class PooledRow:
    """Opinions on one row, pooled.

    Parameters
    ----------
    probabilities : ndarray (states,)
    weights : ndarray (experts,)
        Summing to one.
    lowest, highest, sd : ndarray (states,)
        Over experts of positive weight; sd about the linear pool, weighted, unbiased; NaN for one.
    divergence : float
        Jensen-Shannon divergence in nats: 0 where all agree, at most the entropy of the weights.
    equivalent_sample_size : float
        What the experts' scatter implies, between `LEAST_JUDGEMENTS` and the cap; NaN for one expert.
    vetoes : tuple of (str, int)
        Expert and code of a state that its nought forces to nought in a logarithmic pool though
        another expert of positive weight holds it possible.
    """

    probabilities: Floats
    weights: Floats
    lowest: Floats
    highest: Floats
    sd: Floats
    divergence: float
    equivalent_sample_size: float
    vetoes: tuple[tuple[str, int], ...] = ()


def pool(
    opinions: ArrayLike | pd.DataFrame,
    *,
    method: Method = "linear",
    weights: Weights | None = None,
    cap: float = MOST_JUDGEMENTS,
) -> PooledRow:
    """Pool the opinions of several experts on one row of probabilities.

    Parameters
    ----------
    opinions : array_like or DataFrame (experts, states)
        Probabilities; rows may miss one by 1e-6 and are then divided by their sum. The index of a
        DataFrame names the experts, who are otherwise called "1", "2", ...
    method : {"linear", "logarithmic"}
    weights : mapping or sequence of float, optional
        One per expert, or by expert; divided by their sum. Equal when left out. An expert of weight
        nought is left out of everything.
    cap : float
        Largest equivalent sample size.

    Returns
    -------
    PooledRow
        Its equivalent sample size s solves sum(m (1 - m)) / (s + 1) = sum(v), with m the linear pool
        and v the weighted variance over experts, both sides corrected for the finite number of
        experts. From few experts it is a rough number: with two it has one degree of freedom per
        state that is free.

    Raises
    ------
    InputError
        Every problem at once: no expert, a single state, numbers that are no probabilities or do not
        sum to one, weights that are negative, none positive, of unknown experts or missing; then a
        logarithmic pool in which no state is left possible.

    Examples
    --------
    >>> said = pool([[0.7, 0.3], [0.5, 0.5]])
    >>> said.probabilities.round(12)
    array([0.6, 0.4])
    >>> pool([[0.7, 0.3], [0.5, 0.5]], method="logarithmic").probabilities.round(4)
    array([0.6044, 0.3956])
    """
    names = [str(name) for name in opinions.index] if isinstance(opinions, pd.DataFrame) else None
    found = Problems()
    check_method(method, cap, found)
    try:
        values = np.asarray(opinions, dtype=float)
    except (TypeError, ValueError):
        found.add(
            "opinions are no table of numbers",
            got=repr(opinions)[:60],
            allowed="(experts, states), rows of one length",
        )
        found.raise_if_any()
        raise
    if values.ndim != 2 or values.shape[0] < 1:
        found.add(
            "opinions are no table of experts and states", got=values.shape, allowed="(experts, states)"
        )
        found.raise_if_any()
    if values.shape[1] < 2:
        found.add("opinions on a single state", got=values.shape[1], allowed="2 states or more")
    names = [str(number) for number in range(1, len(values) + 1)] if names is None else names
    _check_rows(values, names, found)
    share = shares_of(weights, names, found)
    found.raise_if_any()
    return pool_checked(values / values.sum(axis=1, keepdims=True), names, method, share, cap)


def check_method(method: str, cap: float, found: Problems) -> None:
    """Report an unknown way of pooling, or a cap below the floor."""
    if method not in get_args(Method):
        found.add("unknown way of pooling", got=method, allowed=get_args(Method), key="method")
    number = isinstance(cap, (int, float, np.number)) and not isinstance(cap, bool)
    if not number or not cap >= LEAST_JUDGEMENTS:
        found.add("cap of the equivalent sample size", got=cap, allowed=f"at least {LEAST_JUDGEMENTS:g}")


def _check_rows(values: Floats, names: Sequence[str], found: Problems) -> None:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            found.add("expert given twice", got=name)
    for name, row in zip(names, values, strict=True):
        if not (np.all(np.isfinite(row)) and np.all((row >= 0.0) & (row <= 1.0))):
            found.add(f"expert '{name}': probability out of range", got=row.tolist(), allowed="0 to 1")
        elif abs(row.sum() - 1.0) > SUM_TOLERANCE:
            got = round(float(row.sum()), 9)
            found.add(f"expert '{name}': probabilities do not sum to one", got=got, allowed="1")


def shares_of(weights: Weights | None, names: Sequence[str], found: Problems) -> Floats:
    """Return the weights by expert, summing to one.

    Parameters
    ----------
    weights : mapping or sequence of float, or None
    names : sequence of str
        The experts.
    found : Problems
        The collector; where something goes into it the weights returned are equal.
    """
    equal = np.full(len(names), 1.0 / len(names))
    if weights is None:
        return equal
    before = len(found.found)
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in names:
                near = near_names(str(name), names) or list(names)
                found.add("weight of an unknown expert", got=name, allowed=near, key="weights")
        for name in names:
            if name not in weights:
                found.add("expert without a weight", got=name, allowed=list(weights), key="weights")
        values = _as_numbers([weights.get(name, 0.0) for name in names])
    else:
        values = _as_numbers(weights)
        if values.shape != (len(names),):
            found.add("weights of another number of experts", got=values.shape, allowed=f"({len(names)},)")
    if len(found.found) == before and not (
        np.all(np.isfinite(values)) and values.min() >= 0.0 and values.max() > 0.0
    ):
        allowed = "finite, none negative, one positive"
        found.add("weights of experts", got=values.tolist(), allowed=allowed, key="weights")
    return equal if len(found.found) > before else np.asarray(values / values.sum())


def _as_numbers(values: object) -> Floats:
    """Numbers as an array; NaN, which is refused later, where they are none."""
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return np.full(np.shape(np.asarray(values, dtype=object)), math.nan)


def pool_checked(
    values: Floats, names: Sequence[str], method: Method, share: Floats, cap: float
) -> PooledRow:
    """Pool opinions whose rows and weights are known to sum to one, see `pool`.

    Parameters
    ----------
    values : ndarray (experts, states)
    names : sequence of str
    method : {"linear", "logarithmic"}
    share : ndarray (experts,)
    cap : float

    Raises
    ------
    InputError
        For a logarithmic pool in which no state is left possible.
    """
    heard = share > 0.0
    p, w = values[heard], share[heard]
    linear = w @ p
    vetoes: tuple[tuple[str, int], ...] = ()
    pooled = linear
    if method == "logarithmic":
        nought = p.min(axis=0) <= 0.0
        if np.all(nought):
            who = [f"'{name}'" for name, row in zip(np.asarray(names)[heard], p, strict=True) if 0.0 in row]
            raise InputError(
                Problem(
                    "logarithmic pool: the experts leave no state possible together",
                    got=", ".join(who),
                    hint="a single nought vetoes a state: pool linearly, or ask for small numbers instead",
                )
            )
        with np.errstate(divide="ignore"):
            # A product of powers, in logarithms: many experts would underflow it.
            logs = np.where(nought, -np.inf, w @ np.where(p > 0.0, np.log(p), 0.0))
        pooled = special.softmax(logs)
        speaking = np.asarray(names)[heard]
        vetoes = tuple(
            (str(speaking[expert]), int(state))
            for state in np.flatnonzero(nought & (linear > 0.0))
            for expert in np.flatnonzero(p[:, state] <= 0.0)
        )
    sd, size = _scatter(p, w, linear, cap)
    return PooledRow(
        probabilities=np.asarray(pooled / pooled.sum()),
        weights=share,
        lowest=p.min(axis=0),
        highest=p.max(axis=0),
        sd=sd,
        divergence=max(float(special.entr(linear).sum() - w @ special.entr(p).sum(axis=1)), 0.0),
        equivalent_sample_size=size,
        vetoes=vetoes,
    )


def _scatter(p: Floats, w: Floats, linear: Floats, cap: float) -> tuple[Floats, float]:
    """Sd over experts per state, and the size of the Dirichlet that scatters as they do."""
    alike = float(np.sum(w**2))
    if len(p) == 1:
        return np.full(p.shape[1], math.nan), math.nan
    # Weighted and unbiased: E of the plain sum is (1 - sum w^2) v.
    variance = w @ (p - linear) ** 2 / (1.0 - alike)
    total = float(variance.sum())
    # The square of the estimated mean is too large by its variance, sum(w^2) v.
    spread = float((linear * (1.0 - linear)).sum()) + alike * total
    size = spread / total - 1.0 if total > 0.0 else math.inf
    return np.sqrt(variance), float(np.clip(size, LEAST_JUDGEMENTS, cap))
