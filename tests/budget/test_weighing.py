"""Stated values are taken apart with the weights that made them."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk import budget
from sinkrisk.budget.attribution import draw_adjustments
from sinkrisk.budget.hierarchical import fit_annual
from sinkrisk.budget.statements import china_observations, ocean_observations
from sinkrisk.budget.weighing import Weighing
from sinkrisk.budget.windows import parse_window
from sinkrisk.priors.workbook import load_workbook


@pytest.fixture(scope="module", params=["table 2", "china", "ocean"])
def example(request, packaged):
    frame = {
        "table 2": lambda: packaged("global"),
        "china": china_observations,
        "ocean": ocean_observations,
    }[request.param]()
    # Slices need no compilation, and weights do not depend on how well anything converged.
    generator = np.random.default_rng(1)
    return fit_annual(frame, sampler="elliptical_slice", draws=15, tune=5, chains=2, generator=generator)


def test_weights_give_the_stated_values(example):
    weighing, given = Weighing(example.tree), example.tree["constant_data"]
    for window in given["window"].values:
        for component in given["component"].values:
            weights = weighing.weights(component, *parse_window(window))
            stated = float(given["stated"].sel(component=component, window=window))
            if weights is None:
                assert np.isnan(stated)
            else:
                assert weights @ weighing.value == pytest.approx(stated, abs=1e-12)
                assert weights.sum() == pytest.approx(1.0)
                assert set(weighing.component[weights > 0]) == {component}


def test_rows_that_see_two_fluxes_are_found(example):
    net = example.annual.observations["net_of"].to_numpy() != ""
    np.testing.assert_array_equal(Weighing(example.tree).plain, ~net)
    assert net.any() == (example.prepared.geography == "china")


def test_the_imbalance_of_a_window(example):
    weighing, given = Weighing(example.tree), example.tree["constant_data"]
    reported = (given["sign"] * given["stated"]).sum("component", skipna=False)
    for window in given["window"].values:
        weights = weighing.signed(window)
        want = float(reported.sel(window=window))
        assert (weights is None) == np.isnan(want)
        if weights is not None:
            assert weights @ weighing.value == pytest.approx(want, abs=1e-12)


def test_a_workbook_is_taken_apart_exactly(official):
    """Hundreds of nearly exact observations: the banded solver must not leave a gap in any draw."""
    frame = load_workbook(official / "Global_Carbon_Budget_2024_v1.0.xlsx")
    generator = np.random.default_rng(1)
    tree = fit_annual(frame, sampler="elliptical_slice", draws=15, tune=5, chains=2, generator=generator).tree
    checks = {check.name: check for check in budget.diagnose(tree)}
    assert checks["statements"].passed is True, checks["statements"].text
    assert checks["closure_years"].passed is True
    given, parts = tree["constant_data"], draw_adjustments(tree)
    reported = (given["sign"] * given["stated"]).sum("component")
    assert float(abs(parts.sum("part") - reported).max()) < 1e-9
