"""Errors that say what is wrong, where, and how to mend it.

Every error a user can cause derives from `SinkriskError` and carries the exit code the command
line returns for it. A value that is wrong is also a `ValueError`. Problems found in one file or
one call are collected in `Problems` and raised together, so a user mends them in one go.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

EXIT_BAD_INPUT = 2
EXIT_UNCONVERGED = 3
EXIT_INTERRUPTED = 130

MOST_SHOWN = 60
"""Problems a message shows: one cause can give hundreds, and nobody reads them."""

_NOTHING = object()


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    what : str
        What is wrong, as a short sentence without a final stop.
    got : object, optional
        The value found.
    allowed : str or sequence of str, optional
        What would have been accepted.
    file, row, key : optional
        Where: a path, a line number counted from 1, and a column or dotted key.
    hint : str, optional
        How to mend it.

    Examples
    --------
    >>> print(Problem("unknown unit", got="GtX", allowed=["GtC", "GtCO2"], file="a.csv", row=3))
    a.csv, row 3: unknown unit: got 'GtX'; allowed: GtC, GtCO2; did you mean 'GtC'?
    """

    what: str
    got: Any = _NOTHING
    allowed: str | Sequence[str] | None = None
    file: str | None = None
    row: int | None = None
    key: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = []
        if self.file is not None:
            place.append(str(self.file))
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.key is not None:
            place.append(f"key '{self.key}'")
        text = (", ".join(place) + ": " if place else "") + self.what
        if self.got is not _NOTHING:
            text += f": got {self.got!r}"
        if self.allowed is not None:
            listed = self.allowed if isinstance(self.allowed, str) else ", ".join(self.allowed)
            text += f"; allowed: {listed}"
            if not isinstance(self.allowed, str) and isinstance(self.got, str):
                near = did_you_mean(self.got, self.allowed)
                if near is not None:
                    text += f"; did you mean '{near}'?"
        if self.hint is not None:
            text += f"; {self.hint}"
        return text


def did_you_mean(got: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name nearest to `got`, or None when none is near.

    Examples
    --------
    >>> did_you_mean("budgte", ["budget", "network"]), did_you_mean("DACCS", ["beccs", "daccs"])
    ('budget', 'daccs')
    """
    names = list(allowed)
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.6)
    if not near:
        # Acronyms are told in capitals, and held in small letters.
        small = {name.lower(): name for name in reversed(names)}
        near = [small[n] for n in difflib.get_close_matches(got.lower(), small, n=1, cutoff=0.6)]
    return near[0] if near else None


class SinkriskError(Exception):
    """Base of every error raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(SinkriskError, ValueError):
    """Something the user gave is wrong.

    Parameters
    ----------
    problems : str, Problem or sequence of Problem
        One or more problems; the message lists them all.
    """

    exit_code = EXIT_BAD_INPUT

    def __init__(self, problems: str | Problem | Sequence[Problem]) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self._message())

    def _message(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        lines = "\n".join(f"  - {p}" for p in self.problems[:MOST_SHOWN])
        more = len(self.problems) - MOST_SHOWN
        rest = f"\n  ... and {more} more; they are in the error's `problems`" if more > 0 else ""
        return f"{len(self.problems)} problems:\n{lines}{rest}"


class ConvergenceError(SinkriskError):
    """A convergence or mass-balance check failed; results must not be used as they are."""

    exit_code = EXIT_UNCONVERGED


class ConvergenceWarning(UserWarning):
    """A result that failed a convergence or mass-balance check was returned all the same."""


class ImbalanceWarning(UserWarning):
    """Stated values leave an imbalance far beyond their standard deviations: look at the units first."""


class MissingDependencyError(SinkriskError, ImportError):
    """An optional package is needed; the message says what to install."""

    exit_code = EXIT_BAD_INPUT

    def __init__(self, package: str, purpose: str, extra: str | None = None) -> None:
        install = f"pip install 'sinkrisk[{extra}]'" if extra else f"pip install {package}"
        super().__init__(f"{purpose} needs the package '{package}'; install it with: {install}")


@dataclass
class Problems:
    """A collector: add problems while validating, raise them all at once at the end.

    Examples
    --------
    >>> found = Problems(file="spec.yaml")
    >>> found.add("must be positive", got=-1, key="draws")
    >>> found.raise_if_any()
    Traceback (most recent call last):
    sinkrisk.errors.InputError: spec.yaml, key 'draws': must be positive: got -1
    """

    file: str | None = None
    found: list[Problem] = field(default_factory=list)

    def add(
        self,
        what: str,
        *,
        got: Any = _NOTHING,
        allowed: str | Sequence[str] | None = None,
        row: int | None = None,
        key: str | None = None,
        hint: str | None = None,
        file: str | None = None,
    ) -> None:
        """Record one problem; `file` defaults to the collector's."""
        self.found.append(
            Problem(
                what,
                got=got,
                allowed=allowed,
                file=file if file is not None else self.file,
                row=row,
                key=key,
                hint=hint,
            )
        )

    def extend(self, problems: Iterable[Problem]) -> None:
        """Take over problems found elsewhere, without repeating one already held."""
        for problem in problems:
            if problem not in self.found:
                self.found.append(problem)

    def __bool__(self) -> bool:
        return bool(self.found)

    def raise_if_any(self) -> None:
        """Raise one `InputError` that lists every problem, if there is any."""
        if self.found:
            raise InputError(self.found)
