"""Simulation-based calibration of the fit of Table 2, seed fixed in advance."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.budget.calibration import COVERAGE, LEVEL, Calibration, calibrate
from sinkrisk.errors import InputError
from sinkrisk.priors import load_observations

SEED = 20261123


def build(ranks, covered=0.9, draws=99):
    ranks = np.asarray(ranks).reshape(-1, 1)
    inside = np.arange(len(ranks)) < covered * len(ranks)
    return Calibration(ranks, inside[:, None], ("q",), draws)


def test_uniform_ranks_pass_and_others_do_not():
    even = np.repeat(np.arange(100), 5)
    assert build(even).table["chi_square"].item() == 0.0
    assert build(even).passed
    assert not build(even, covered=0.8).passed
    # Truths in the middle (intervals too wide), at the ends (too narrow), or on one side (biased).
    for wrong in (25 + even // 2, np.where(even < 50, even // 2, 50 + even // 2), even // 2):
        assert build(wrong).smallest_p < 1e-6
        assert not build(wrong).passed
    assert "smallest p" in str(build(even))


def test_ranks_must_fill_the_bins():
    for options in ({"draws": 100}, {"simulations": 10}):
        with pytest.raises(InputError, match="fill the bins"):
            calibrate(load_observations("global"), rng=1, **options)


@pytest.mark.slow
def test_table_2_is_calibrated():
    found = calibrate(load_observations("global"), simulations=500, draws=99, rng=SEED)
    assert found.ranks.shape == (500, len(found.quantities))
    table = found.table
    # Chi-square with Bonferroni: a calibrated fit fails for one seed in a hundred.
    assert (table["p"] > LEVEL / len(table)).all(), str(found)
    # An interval's coverage has an sd of 1.3 %, so 4 % is crossed by one quantity in 350.
    assert table["coverage"].between(*COVERAGE).all(), str(found)
    assert found.passed
    assert found.ranks.min() >= 0
    assert found.ranks.max() <= 99


@pytest.mark.slow
def test_a_wrong_model_is_found_out():
    found = calibrate(load_observations("global"), simulations=100, draws=99, rng=SEED, sd_factor=0.4)
    assert not found.passed
    assert found.smallest_p < LEVEL
