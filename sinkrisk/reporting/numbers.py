"""Numbers, units and intervals as a reader meets them: significant digits, true minus signs, a unit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from sinkrisk.plots.labels import unit_text as unit_text
from sinkrisk.plots.portfolio import percent as percent

MISSING = "–"
"""Shown where a value is not stated or not defined."""


def fixed(value: float, decimals: int) -> str:
    r"""Return a number with so many decimals, thousands set apart, and a true minus sign.

    Examples
    --------
    >>> fixed(-12345.678, 1), fixed(-0.001, 2), fixed(float("nan"), 2), fixed(float("inf"), 0)
    ('−12\u202f345.7', '0.00', '–', '∞')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if round(value, decimals) == 0:
        value = 0.0
    return f"{value:,.{decimals}f}".replace(",", "\u202f").replace("-", "−")


def decimals_for(values: Iterable[float], digits: int = 3) -> int:
    """Return the decimals that give the largest of the values `digits` significant digits.

    Examples
    --------
    >>> decimals_for([0.0123, 4.2]), decimals_for([1234.5]), decimals_for([])
    (2, 0, 0)
    """
    sizes = [abs(v) for v in values if math.isfinite(v) and v != 0.0]
    if not sizes:
        return 0
    return min(max(digits - 1 - math.floor(math.log10(max(sizes))), 0), 6)


def significant(value: float, digits: int = 3) -> str:
    r"""Return a number with so many significant digits.

    Examples
    --------
    >>> significant(0.012345), significant(12345.6), significant(-3.14159)
    ('0.0123', '12\u202f346', '−3.14')
    """
    return fixed(value, decimals_for([value], digits))


def span(mean: float, low: float, high: float, decimals: int | None = None) -> str:
    """Return ``mean (low to high)`` with shared decimals.

    Examples
    --------
    >>> span(2.854, 2.23, 3.481)
    '2.85 (2.23 to 3.48)'
    """
    if decimals is None:
        decimals = decimals_for([mean, low, high])
    if math.isnan(mean):
        return MISSING
    return f"{fixed(mean, decimals)} ({fixed(low, decimals)} to {fixed(high, decimals)})"


def interval_name(kind: str, mass: float) -> str:
    """Return for example ``90 % equal-tailed interval``.

    Examples
    --------
    >>> interval_name("equal-tailed", 0.95)
    '95 % equal-tailed interval'
    """
    return f"{round(100 * mass, 6):g} % {kind} interval"


def sentence(text: str) -> str:
    """Return a finding with exactly one full stop at its end, whoever wrote it.

    Examples
    --------
    >>> sentence("allowed 1.01."), sentence("what exceeds it is lost")
    ('allowed 1.01.', 'what exceeds it is lost.')
    """
    return text.rstrip(" .;") + "."


def joined(findings: Iterable[str]) -> str:
    """Return findings as one sentence, semicolons between them.

    Examples
    --------
    >>> joined(["R-hat is 1.31.", "ESS is 12."])
    'R-hat is 1.31; ESS is 12.'
    """
    return sentence("; ".join(text.rstrip(" .;") for text in findings))


def together(text: str) -> str:
    r"""Return a table cell that may break only before a bracket and after a slash.

    Examples
    --------
    >>> together("−0.01 (−0.33 to +0.32)"), together("50 % / 1.7")
    ('−0.01 (−0.33\xa0to\xa0+0.32)', '50\xa0%\xa0/ 1.7')
    """
    return re.sub(r"(?<!/) (?!\()", "\N{NO-BREAK SPACE}", text)


def unbroken(value: object) -> object:
    r"""Return a text in which no line ends between a number and its % or beside a ±; others as they are.

    Examples
    --------
    >>> unbroken("34 % (± 2.1 points)"), unbroken(3)
    ('34\xa0% (±\xa02.1 points)', 3)
    """
    if not isinstance(value, str):
        return value
    # `replace`, unlike `re.sub`, leaves the template's finished markup marked as such.
    for loose in (" %", " ±", "± "):
        value = value.replace(loose, loose.replace(" ", "\N{NO-BREAK SPACE}"))
    return value


def window_text(window: str) -> str:
    """Return a window label with an en dash, ``2014–2023``."""
    return window.replace("-", "–")
