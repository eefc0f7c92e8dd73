"""Noisy-max tables: each parent pushes the child on its own, and the furthest push wins.

The child's state is the largest (in the order of its states) of independent contributions, one per
parent and a leak for what is not modelled (Díez 1993, UAI; the noisy-or of Pearl 1988 with more than
two states). Its cumulative probabilities are a product over the parents, so a family of many
parents splits into factors of two variables (Díez and Galán 2003, Int. J. Intell. Syst. 18(2)):
that is what keeps feedback from five classes to one regional node exact and fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PRODUCT_TOLERANCE = 1e-12
"""Largest departure from a product up to which a table counts as one."""
SPLIT_FROM = 3
"""Families of fewer parents are left whole: splitting them saves nothing."""
SPLIT_LEAST = 1e-6
"""Least share of a probability in its cumulative one down to which differences are taken."""
AGREES = 1e-9
"""How far, relative to each probability, a chain of maxima may miss the table."""
_MARGIN = 2.0**-53


@dataclass(frozen=True)
class NoisyMaxParameters:
    """Parameters of a noisy-max node.

    Parameters
    ----------
    effects : tuple of tuple of (tuple of float or None)
        Per parent that is an axis of the table, per state of it: probabilities of the child's
        states as that parent alone would have them; None for no effect (all on the first state).
    leak : tuple of float
        Probabilities of the child's states when no parent has an effect.
    """

    effects: tuple[tuple[tuple[float, ...] | None, ...], ...]
    leak: tuple[float, ...]


def noisy_max_table(leak: Floats, effects: list[Floats]) -> Floats:
    """Return the table of a noisy-max node.

    Parameters
    ----------
    leak : ndarray ([draw,] states)
    effects : list of ndarray ([draw,] parent states, states)

    Returns
    -------
    ndarray ([draw,] parent states ..., states)

    Examples
    --------
    Two causes that each act with probability one half, and no leak:

    >>> cause = np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> noisy_max_table(np.array([1.0, 0.0]), [cause, cause])[..., 1]
    array([[0.  , 0.5 ],
           [0.5 , 0.75]])
    """
    dims = len(effects)
    lead = leak.shape[:-1]
    table = leak.reshape(*lead, *([1] * dims), leak.shape[-1])
    for axis, effect in enumerate(effects):
        shape = [effect.shape[-2] if a == axis else 1 for a in range(dims)]
        table = _larger(table, effect.reshape(*lead, *shape, effect.shape[-1]))
    return np.asarray(table / table.sum(axis=-1, keepdims=True))


def _larger(first: Floats, second: Floats) -> Floats:
    """Probabilities of the larger of two states: sums of positive terms, so that none is lost."""
    below = np.cumsum(first, axis=-1)
    below = np.concatenate([np.zeros_like(below[..., :1]), below[..., :-1]], axis=-1)
    return np.asarray(first * np.cumsum(second, axis=-1) + below * second)


def stated(parameters: NoisyMaxParameters) -> tuple[Floats, list[Floats]]:
    """Return the leak and the effects as arrays, as `noisy_max_table` takes them."""
    states = len(parameters.leak)
    none = np.eye(states)[0]
    effects = [
        np.array([none if row is None else np.asarray(row) for row in parent])
        for parent in parameters.effects
    ]
    return np.asarray(parameters.leak, dtype=float), effects


def drawn(
    parameters: NoisyMaxParameters, size: float, count: int, generator: np.random.Generator
) -> tuple[Floats, list[Floats]]:
    """Draw leak and effects, each Dirichlet about what is stated, independent of one another.

    Cumulative probabilities of the child are a product of independent terms, so the mean of the
    tables drawn is the stated table exactly and every drawn table is a noisy-max again. Effects
    stated alike in two states of a parent, or in two parents, are drawn apart.
    """
    leak, effects = stated(parameters)
    moved = [_dirichlet(leak, size, count, generator)]
    for effect, rows in zip(effects, parameters.effects, strict=True):
        values = np.broadcast_to(effect, (count, *effect.shape)).copy()
        for state, row in enumerate(rows):
            if row is not None:
                values[:, state] = _dirichlet(effect[state], size, count, generator)
        moved.append(values)
    return moved[0], moved[1:]


def _dirichlet(mean: Floats, size: float, count: int, generator: np.random.Generator) -> Floats:
    uniforms = np.clip(generator.random((count, len(mean))), _MARGIN, 1.0 - _MARGIN)
    gammas = np.zeros_like(uniforms)
    positive = mean > 0.0
    gammas[:, positive] = special.gammaincinv(size * mean[positive], uniforms[:, positive])
    total = gammas.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0.0, gammas / np.where(total > 0.0, total, 1.0), mean))


def product_form(table: Floats, *, drawn: bool = False, known: bool = False) -> list[Floats] | None:
    """Return the factors of a table whose cumulative probabilities are a product over the parents.

    Found from the numbers, so that tables read from a file or drawn count too.

    Parameters
    ----------
    table : ndarray ([draw,] parent states ..., states)
    drawn : bool
        Whether the first axis runs over draws.
    known : bool
        Whether the table is known to be a noisy-max, so that the product need not be checked.

    Returns
    -------
    list of ndarray ([draw,] parent states, states), or None
        One per parent, the first with the constant in it; their product is the cumulative
        probability. None where the table is no such product, or has fewer than three parents.
    """
    tables = table if drawn else table[None]
    dims = tables.ndim - 2
    if dims < SPLIT_FROM:
        return None
    # The combination with most on the first state is the one nothing pushes: no division by nought.
    highest = int(np.argmax(tables[: (1 if known else None), ..., 0].mean(axis=0)))
    anchor = tuple(int(code) for code in np.unravel_index(highest, tables.shape[1:-1]))
    base = _cumulative(_at(tables, anchor, None))
    if np.any(base <= 0.0):
        return None
    factors = [_cumulative(_at(tables, anchor, axis)) for axis in range(dims)]
    factors[1:] = [values / base[:, None, :] for values in factors[1:]]
    if not known:
        product = np.ones((1,) * tables.ndim)
        for axis, values in enumerate(factors):
            shape = [values.shape[1] if a == axis else 1 for a in range(dims)]
            product = product * values.reshape(len(values), *shape, values.shape[-1])
        if np.abs(product - _cumulative(tables)).max() > PRODUCT_TOLERANCE:
            return None
        # The first state's probability is the product itself, and must hold however small it is.
        if np.any(np.abs(product[..., 0] - tables[..., 0]) > SPLIT_LEAST * tables[..., 0]):
            return None
    return factors if drawn else [values[0] for values in factors]


def loses_little(table: Floats) -> bool:
    """Whether every probability beyond the first is large beside its cumulative one."""
    return bool(np.all(table[..., 1:] >= SPLIT_LEAST * np.cumsum(table, axis=-1)[..., 1:]))


def push_form(table: Floats, *, drawn: bool = False) -> list[Floats] | None:
    """Return the pushes of a noisy-max table: probabilities, none negative.

    Parameters
    ----------
    table : ndarray ([draw,] parent states ..., states)
        One that `product_form` takes apart.
    drawn : bool
        Whether the first axis runs over draws.

    Returns
    -------
    list of ndarray ([draw,] parent states, states), or None
        One per parent, the leak in the first; the child is the largest of them. None where the
        table is no such largest.
    """
    tables = table if drawn else table[None]
    highest = int(np.argmax(tables[..., 0].mean(axis=0)))
    anchor = tuple(int(code) for code in np.unravel_index(highest, tables.shape[1:-1]))
    leak = _at(tables, anchor, None)
    if np.any(leak[:, 0] <= 0.0):
        return None
    reached = np.cumsum(leak, axis=-1)[:, None, :]
    pushes = [_at(tables, anchor, 0)]
    for axis in range(1, tables.ndim - 2):
        rows = _at(tables, anchor, axis)
        push = np.zeros_like(rows)
        below = np.zeros(rows.shape[:-1])
        for state in range(rows.shape[-1]):
            # What the leak alone brings here is taken off; a rest below its rounding is none.
            rest = rows[..., state] - leak[:, None, state] * below
            if np.any(rest < -PRODUCT_TOLERANCE):
                return None
            push[..., state] = np.maximum(rest, 0.0) / reached[..., state]
            below = below + push[..., state]
        pushes.append(push / push.sum(axis=-1, keepdims=True))
    lead = tables.shape[:1]
    none = np.broadcast_to(np.eye(tables.shape[-1])[0], (*lead, tables.shape[-1]))
    if np.any(np.abs(noisy_max_table(none, pushes) - tables) > AGREES * tables):
        return None
    return pushes if drawn else [values[0] for values in pushes]


def chain(pushes: list[Floats]) -> list[Floats]:
    """Return the factors of a chain of maxima: the largest so far, parent by parent.

    Parameters
    ----------
    pushes : list of ndarray ([draw,] parent states, states)

    Returns
    -------
    list of ndarray
        The first ([draw,] parent states, states), the others ([draw,] parent states, largest so
        far, largest then).

    Examples
    --------
    >>> half = np.array([[1.0, 0.0], [0.5, 0.5]])
    >>> chain([half, half])[1][1]
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    states = pushes[0].shape[-1]
    before = np.eye(states)
    return [pushes[0], *(_larger(before, push[..., None, :]) for push in pushes[1:])]


def _at(tables: Floats, anchor: tuple[int, ...], axis: int | None) -> Floats:
    """Every draw's row at the anchor; or, along one parent, its rows with the others at the anchor."""
    index: tuple[Any, ...] = (
        slice(None),
        *(slice(None) if other == axis else code for other, code in enumerate(anchor)),
    )
    return np.asarray(tables[index])


def _cumulative(tables: Floats) -> Floats:
    sums = np.cumsum(tables, axis=-1)
    sums[..., -1] = 1.0
    return np.asarray(sums)
