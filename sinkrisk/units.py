"""Units: the one place where a number changes its unit.

`openscm_units` (pint with the units of climate science) does the arithmetic; it counts carbon and
carbon dioxide by their molar masses as 44 to 12, so 1 GtC is 44/12 GtCO2. The Global Carbon
Budget's own workbooks print 3.664; that is noted where they are read, never used here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

C_TO_CO2 = 44.0 / 12.0
"""Tonnes of CO2 per tonne of carbon: the ratio of molar masses, 44 to 12."""

UNITS: tuple[str, ...] = (
    "GtC/yr", "PgC/yr", "TgC/yr", "MtC/yr",
    "GtCO2/yr", "MtCO2/yr", "TgCO2/yr", "PgCO2/yr",
    "GtC", "PgC", "TgC", "MtC", "GtCO2", "MtCO2", "Gt", "Mt", "Gt/yr", "Mt/yr",
    "USD/tCO2", "GJ/tCO2", "MWh/tCO2", "tCO2/GJ", "EJ/yr", "yr", "1/yr",
    "1", "%", "ppm", "tCO2/t", "gC/m^2/yr", "MgC/ha/yr", "Mha", "km^2", "um",
    "tCO2/day", "tCO2/yr", "kgCO2/t", "PgCO2e/yr",
)  # fmt: skip
"""Spellings accepted in tables and specs; one spelling per unit, so that equal units compare equal."""


@functools.cache
def _registry() -> Any:
    import openscm_units

    registry = openscm_units.ScmUnitRegistry()
    # Without this call "C" is the coulomb and parses without complaint.
    registry.add_standards()
    registry.define("USD = [currency]")
    # Warming of other gases as CO2: no mass of CO2, and never turned into one.
    registry.define("gCO2e = [co2_equivalent]")
    return registry


def check(unit: str) -> str:
    """Return `unit` when it is one of `UNITS`.

    Raises
    ------
    InputError
        When it is not; the message lists the units and names the nearest.
    """
    if unit not in UNITS:
        raise InputError(Problem("unknown unit", got=unit, allowed=UNITS))
    return unit


@functools.cache
def factor(unit: str, to: str) -> float:
    """Return the number that turns a value in `unit` into one in `to`.

    Raises
    ------
    InputError
        For an unknown unit, or two units of different dimension.

    Examples
    --------
    >>> round(factor("GtC/yr", "GtCO2/yr"), 4)
    3.6667
    >>> factor("TgC/yr", "GtC/yr")
    0.001
    """
    check(unit)
    check(to)
    if unit == to:
        return 1.0
    import pint

    registry = _registry()
    try:
        return float(f"{registry.Quantity(1.0, unit).to(to).magnitude:.15g}")
    except pint.DimensionalityError as error:
        raise InputError(
            Problem(f"cannot turn '{unit}' into '{to}'", hint="their dimensions differ")
        ) from error


def convert(values: ArrayLike, unit: str, to: str) -> NDArray[np.float64]:
    """Convert numbers from one unit to another.

    Parameters
    ----------
    values : array_like
        Numbers in `unit`, any shape.
    unit, to : str
        Units from `UNITS`.

    Returns
    -------
    ndarray
        The same numbers in `to`, same shape.

    Examples
    --------
    >>> convert([3.0, 6.0], "GtC/yr", "GtCO2/yr")
    array([11., 22.])
    """
    return np.asarray(np.asarray(values, dtype=float) * factor(unit, to))
