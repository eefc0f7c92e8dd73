"""Windows of years: their labels, how a written period is read, and which windows overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sinkrisk.errors import InputError, Problem

Window = tuple[int, int]
"""First and last year, both inclusive."""

DECADE = 10
"""Years in a complete decade."""

PERIODS = "a year 2023 or [2023], a decade '1960s', or a span '1960-1969' or [1960, 1969]"
"""The forms `parse_window` reads, in words."""

_YEAR = re.compile(r"^(\d{4})$")
_DECADE = re.compile(r"^(\d{3}0)s$")
_RANGE = re.compile(r"^(\d{4})\s*(?:-|–|—|~|/|to)\s*(\d{4})$")


def window_label(start: int, end: int) -> str:
    """Return the label of a window: ``"1960-1969"``, or ``"2023"`` for a single year.

    Raises
    ------
    InputError
        When the window ends before it starts.

    Examples
    --------
    >>> window_label(2014, 2023), window_label(2024, 2024)
    ('2014-2023', '2024')
    """
    if end < start:
        raise InputError(
            Problem("window ends before it starts", got=f"{start}-{end}", allowed="end >= start")
        )
    return str(start) if start == end else f"{start}-{end}"


def parse_window(text: object) -> Window:
    """Read a period as a table prints it and return its first and last year.

    Parameters
    ----------
    text : str, int or sequence of int
        ``"1960s"``, ``"1960-1969"``, ``"2014~2023"``, ``"2024 (projection)"``, ``2023``, ``[2023]``
        or ``(2014, 2023)``.

    Raises
    ------
    InputError
        When it is none of these, or ends before it starts.

    Examples
    --------
    >>> parse_window("1960s"), parse_window("2014~2023"), parse_window("2024 (projection.)")
    ((1960, 1969), (2014, 2023), (2024, 2024))
    >>> parse_window([1990, 1999])
    (1990, 1999)
    """
    window: Window | None = None
    if isinstance(text, str):
        bare = re.sub(r"\(.*\)\s*$", "", text).strip()
        if found := _YEAR.match(bare):
            window = (int(found[1]), int(found[1]))
        elif found := _DECADE.match(bare):
            window = (int(found[1]), int(found[1]) + DECADE - 1)
        elif found := _RANGE.match(bare):
            window = (int(found[1]), int(found[2]))
    elif isinstance(text, int) and not isinstance(text, bool):
        window = (text, text)
    elif isinstance(text, Sequence) and len(text) in (1, 2) and all(_is_year(year) for year in text):
        window = (int(text[0]), int(text[-1]))
    if window is None:
        raise InputError(Problem("not a period", got=text, allowed=PERIODS))
    window_label(*window)
    return window


def _is_year(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def overlapping(windows: Iterable[object]) -> list[tuple[str, str]]:
    """Return the pairs of windows that share at least one year, as labels.

    Examples
    --------
    >>> overlapping(["1960-1969", "2014-2023", "2023"])
    [('2014-2023', '2023')]
    """
    spans = sorted({parse_window(window) for window in windows})
    return [
        (window_label(*one), window_label(*other))
        for i, one in enumerate(spans)
        for other in spans[i + 1 :]
        if other[0] <= one[1]
    ]


def reference_window(windows: Iterable[object]) -> str:
    """Return the latest window of at least ten years; where there is none, the latest of the longest.

    Examples
    --------
    >>> reference_window(["2000-2009", "2014-2023", "2023", "2024"])
    '2014-2023'
    """
    spans = [parse_window(window) for window in windows]
    if not spans:
        raise InputError("no windows given")
    return window_label(*max(spans, key=lambda span: (min(span[1] - span[0] + 1, DECADE), span[1])))
