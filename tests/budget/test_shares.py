"""Constructed columns are found, genuine ones are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk import budget


def test_table_3_is_constructed_and_table_2_is_not(packaged, table_2):
    found = budget.constant_shares(packaged("china"))
    assert dict(zip(found["component"], found["share"].round(2), strict=True)) == {
        "atmosphere": 0.44,
        "ocean": 0.23,
        "land": 0.31,
    }
    assert set(found["windows"]) == {6}
    assert budget.constant_shares(packaged("global")).empty
    assert budget.constant_shares(table_2).empty


@pytest.mark.parametrize("seed", range(20))
def test_rounded_shares_are_found_and_noisy_ones_are_not(seed):
    rng = np.random.default_rng(seed)
    emissions = np.round(rng.uniform(0.3, 3.0, 8), 2)

    def column(name, values):
        return pd.DataFrame({"component": name, "value": values, "start": range(1960, 1968)})

    made = np.round(0.3 * emissions, 2)
    # Noise of 5 printed units: its rms over 8 windows is below half a unit with probability < 1e-8.
    real = np.round(0.3 * emissions + 0.05 * rng.standard_normal(8), 2)
    frame = pd.concat([column("total_emissions", emissions), column("land", made), column("ocean", real)])
    frame["end"], frame["unit"] = frame["start"], "GtC/yr"
    found = budget.constant_shares(frame)
    assert list(found["component"]) == ["land"]
    # The rounding noise of 8 values, sd .0029 each, moves the share by less than .01.
    assert found["share"].iloc[0] == pytest.approx(0.3, abs=0.01)


def test_two_windows_are_too_few(packaged):
    china = packaged("china")
    assert budget.constant_shares(china[china["start"] < 1980]).empty
