"""Arguments that many functions of the budget share: levels, counts, choices and fits, checked alike"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.errors import InputError, Problem, Problems

if TYPE_CHECKING:
    from sinkrisk.budget.hierarchical import Fitted

MOST_DRAWS = 1_000_000
"""Most draws per chain: beyond it memory runs out, and no quantity needs them."""

MOST_LISTED = 8
"""Most entries a message lists; the nearest to what was given comes first."""


def check_level(level: Any, *, key: str = "level") -> float:
    """Return the mass of an interval, or raise `InputError` when it is not between 0 and 1.

    Examples
    --------
    >>> check_level(0.9)
    0.9
    """
    sound = not isinstance(level, bool | np.bool_) and isinstance(level, int | float | np.number)
    if not sound or np.iscomplexobj(level) or not 0.0 < level < 1.0:
        hint = f"{level} % is {level / 100:g}" if sound and not np.iscomplexobj(level) and level > 1 else None
        raise InputError(
            Problem("not the mass of an interval", got=level, allowed="0 < level < 1", key=key, hint=hint)
        )
    return float(level)


def check_count(
    number: Any,
    *,
    key: str,
    least: int = 1,
    most: int | None = None,
    hint: str | None = None,
    found: Problems | None = None,
) -> int:
    """Return a whole number, or raise `InputError`; with `found` the problem is recorded there instead.

    Examples
    --------
    >>> check_count(0, key="horizons")
    Traceback (most recent call last):
    sinkrisk.errors.InputError: key 'horizons': must be a whole number of at least 1: got 0
    """
    whole = not isinstance(number, bool | np.bool_) and isinstance(number, int | np.integer)
    if whole and number >= least and (most is None or number <= most):
        return int(number)
    what = f"must be a whole number of at least {least}" + (
        f" and at most {most}" if most is not None else ""
    )
    problem = Problem(what, got=number, key=key, hint=hint)
    if found is None:
        raise InputError(problem)
    found.extend([problem])
    return least


def check_number(
    number: Any,
    *,
    key: str,
    least: float = -np.inf,
    most: float = np.inf,
    above: bool = False,
    found: Problems | None = None,
) -> float:
    """Return a finite number within its bounds, or raise `InputError`; `above` makes the lower one strict.

    Examples
    --------
    >>> check_number(-1.0, key="residual", least=0.0)
    Traceback (most recent call last):
    sinkrisk.errors.InputError: key 'residual': must be a finite number: got -1.0; allowed: >= 0
    """
    sound = not isinstance(number, bool | np.bool_) and isinstance(
        number, int | float | np.integer | np.floating
    )
    if sound and np.isfinite(number) and (number > least if above else number >= least) and number <= most:
        return float(number)
    bounds = ([f"{'>' if above else '>='} {least:g}"] if np.isfinite(least) else []) + (
        [f"<= {most:g}"] if np.isfinite(most) else []
    )
    problem = Problem(
        "must be a finite number", got=number, allowed=" and ".join(bounds) if bounds else None, key=key
    )
    if found is None:
        raise InputError(problem)
    found.extend([problem])
    return 0.0


def check_choice(
    got: Any,
    allowed: Sequence[str] | Mapping[str, Any],
    *,
    key: str,
    what: str,
    found: Problems | None = None,
) -> None:
    """Refuse what is not one of some words, whatever its type.

    Examples
    --------
    >>> check_choice("opne", ["open", "robust"], key="model", what="unknown budget model")
    Traceback (most recent call last):
    sinkrisk.errors.InputError: key 'model': unknown budget model: got 'opne'; ...
    """
    if isinstance(got, str) and got in allowed:
        return
    problem = Problem(what, got=got, allowed=tuple(allowed), key=key)
    if found is None:
        raise InputError(problem)
    found.extend([problem])


def check_flag(got: Any, *, key: str, found: Problems | None = None) -> bool:
    """Return a truth value; ``"yes"`` and 1 are none.

    Examples
    --------
    >>> check_flag("yes", key="direct")
    Traceback (most recent call last):
    sinkrisk.errors.InputError: key 'direct': must be True or False: got 'yes'
    """
    if isinstance(got, bool | np.bool_):
        return bool(got)
    problem = Problem("must be True or False", got=got, key=key)
    if found is None:
        raise InputError(problem)
    found.extend([problem])
    return False


def require_fitted(fitted: object) -> Fitted:
    """Return a fitted annual model, or say what to pass instead.

    Raises
    ------
    InputError
        For a tree, which holds no likelihood, and anything else.
    """
    from sinkrisk.budget.hierarchical import Fitted

    if isinstance(fitted, Fitted):
        return fitted
    raise InputError(
        Problem(
            "needs a fit, with its likelihood",
            got=type(fitted).__name__,
            allowed="what sinkrisk.budget.fit returns",
            hint="pass budget.fit(observations, ...); its `tree` is what `reconcile` returns",
        )
    )


def nearest_first(got: object, allowed: Sequence[str]) -> str:
    """Return a list of words for a message: the one nearest to `got` first, at most `MOST_LISTED`.

    Examples
    --------
    >>> nearest_first("2014-2032", [f"{y}-{y + 9}" for y in range(1930, 2020, 10)] + ["2014-2023"])
    '2014-2023, 1930-1939, 1940-1949, 1950-1959, 1960-1969, 1970-1979, 1980-1989, 1990-1999 and 2 more'
    """
    from sinkrisk.errors import did_you_mean

    near = did_you_mean(str(got), allowed)
    words = ([near] if near is not None else []) + [word for word in allowed if word != near]
    more = len(words) - MOST_LISTED
    return ", ".join(words[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
