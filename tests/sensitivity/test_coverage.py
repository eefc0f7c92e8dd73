"""How often 95 % intervals hold the closed form, over 100 repetitions

Of 100 intervals that cover with probability .95, fewer than 90 hold with probability .012 and all 100 with
.006. Seeds are fixed; the bound is the analysis's promise (90 to 99 of 100, taken over the drivers of a kind
of index) and not a test of a p-value.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sinkrisk import sensitivity

ISHIGAMI = {f"x{i}": stats.uniform(-math.pi, 2 * math.pi) for i in (1, 2, 3)}
ISHIGAMI_S1 = np.array([0.31390519, 0.44241114, 0.0])
ISHIGAMI_ST = np.array([0.55758886, 0.44241114, 0.24368366])
REPETITIONS = 100


def ishigami(x):
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


LINEAR = {name: stats.norm() for name in "abc"}
LINEAR_S1 = np.array([1.0, 4.0, 9.0]) / 14.0


def linear(x):
    return x @ [1.0, 2.0, 3.0]


def held(function, drivers, truth, n, **settings):
    """Share of intervals that hold the truth, (S1 or ST, driver)."""
    inside = np.zeros((2, len(truth[0])))
    for seed in range(REPETITIONS):
        found = sensitivity.sobol(function, drivers, n, block=2**14, rng=1000 + seed, draws=False, **settings)
        for k, index in enumerate(("S1", "ST")):
            low, high = found[index + "_low"].values, found[index + "_high"].values
            inside[k] += (low <= truth[k]) & (truth[k] <= high)
    return inside / REPETITIONS


CASES = [
    (ishigami, ISHIGAMI, (ISHIGAMI_S1, ISHIGAMI_ST)),
    (linear, LINEAR, (LINEAR_S1, LINEAR_S1)),
]


@pytest.mark.parametrize(("function", "drivers", "truth"), CASES, ids=["Ishigami", "linear Gaussian"])
def test_bootstrap_intervals_of_random_designs_cover(function, drivers, truth):
    share = held(function, drivers, truth, 1000, design="random", resamples=300)
    assert ((share.mean(axis=1) >= 0.90) & (share.mean(axis=1) <= 0.99)).all(), share
    # One driver alone, of six: fewer than 88 has probability 6 x .0013.
    assert (share >= 0.88).all(), share


@pytest.mark.parametrize(("function", "drivers", "truth"), CASES, ids=["Ishigami", "linear Gaussian"])
def test_replicate_intervals_of_qmc_designs_cover(function, drivers, truth):
    share = held(function, drivers, truth, 256)
    assert ((share.mean(axis=1) >= 0.90) & (share.mean(axis=1) <= 0.99)).all(), share
    assert (share >= 0.88).all(), share


def test_a_bootstrap_of_qmc_points_would_be_far_too_wide():
    # Why replicates: the spread over scrambles is a fraction of what a random design's bootstrap says.
    qmc = sensitivity.sobol(linear, LINEAR, 1024, rng=1)
    plain = sensitivity.sobol(linear, LINEAR, 8 * 1024, design="random", rng=1)
    width = {k: (v["ST_high"] - v["ST_low"]).max().item() for k, v in {"q": qmc, "r": plain}.items()}
    assert width["q"] < 0.2 * width["r"]
