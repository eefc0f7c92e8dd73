from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from sinkrisk import units
from sinkrisk.errors import InputError


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (1.0, "GtC/yr", "GtCO2/yr", 44 / 12),
        (3.6666666666666665, "GtCO2/yr", "GtC/yr", 1.0),
        (1.3, "PgCO2/yr", "GtC/yr", 1.3 * 12 / 44),
        (69.8, "TgC/yr", "GtC/yr", 0.0698),
        (1.0, "PgC", "GtC", 1.0),
        (3.0, "MtCO2/yr", "GtCO2/yr", 0.003),
        (3.6, "GJ/tCO2", "MWh/tCO2", 1.0),
        (45.0, "%", "1", 0.45),
        (1.0, "MgC/ha/yr", "gC/m^2/yr", 100.0),
    ],
)
def test_conversions_by_hand(value, unit, to, expected):
    assert units.convert(value, unit, to) == pytest.approx(expected, rel=1e-12)


def test_carbon_is_not_the_coulomb():
    # pint alone reads "C" as the coulomb: a registry without the climate units converts silently.
    assert units.factor("GtC", "GtCO2") == pytest.approx(units.C_TO_CO2, rel=1e-14)


def test_the_ratio_is_44_to_12_not_the_workbooks_3_664():
    assert units.C_TO_CO2 == 44 / 12
    assert abs(units.C_TO_CO2 - 3.664) > 0.002


@pytest.mark.parametrize("unit", units.UNITS)
def test_every_listed_unit_is_known_to_the_registry(unit):
    assert units.factor(unit, unit) == 1.0
    assert units._registry().Quantity(1.0, unit).magnitude == 1.0


def test_unknown_unit_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown unit: got 'GtCO2/y'.*did you mean 'GtCO2/yr'"):
        units.convert(1.0, "GtCO2/y", "GtC/yr")


def test_different_dimensions_are_refused():
    with pytest.raises(InputError, match="cannot turn 'GtC/yr' into 'USD/tCO2'"):
        units.factor("GtC/yr", "USD/tCO2")


FLUXES = [u for u in units.UNITS if u.endswith("/yr") and ("C/" in u or "CO2/" in u) and "gC/m" not in u][:8]


@given(st.sampled_from(FLUXES), st.sampled_from(FLUXES), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_identity(a, b, x):
    if "ha" in a or "ha" in b:
        return
    assert np.isclose(units.convert(units.convert(x, a, b), b, a), x, rtol=1e-12, atol=1e-12)
