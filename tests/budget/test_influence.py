"""What leaving a series out does, against solving without it."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.budget.identity import SIGNS
from sinkrisk.budget.influence import trace_influence
from sinkrisk.budget.structure import covariance, design, kernel
from sinkrisk.errors import InputError


def flux_mean(fitted, coefficients, correlations, component, window, keep):
    """E[flux | some observations] by the plain definition, process by process."""
    structure = fitted.annual.structure
    k = covariance(structure, coefficients, correlations)[np.ix_(keep, keep)]
    weights = np.zeros(len(structure.y))
    weights[keep] = np.linalg.solve(k, structure.residual[keep])
    years = (structure.years >= window[0]) & (structure.years <= window[1])
    mean = 0.0
    for index, process in enumerate(structure.processes):
        if process.role != "flux" or process.component != component:
            continue
        unit = kernel(process, len(structure.years), correlations)
        u = coefficients[process.coefficient] * unit @ design(structure, index).T @ weights
        mean += np.mean((u * process.profile)[years])
    return mean


def test_pulls_equal_refitting_without_the_series(fitted_table_2):
    table = trace_influence(fitted_table_2, draws=3)
    assert set(table["window"]) == {"2014-2023"}
    coefficients, correlations = fitted_table_2.coefficients
    rows = fitted_table_2.annual.observations["component"].to_numpy()
    everything = np.arange(len(rows))
    for series, component in (("ocean", "ocean"), ("fossil", "land"), ("atmosphere", "land_use")):
        want = np.mean(
            [
                flux_mean(
                    fitted_table_2, coefficients[d], correlations[d], component, (2014, 2023), everything
                )
                - flux_mean(
                    fitted_table_2,
                    coefficients[d],
                    correlations[d],
                    component,
                    (2014, 2023),
                    np.flatnonzero(rows != series),
                )
                for d in (0, 1999, 3999)
            ]
        )
        at = (table["series_component"] == series) & (table["component"] == component)
        assert table.loc[at, "pull"].item() == pytest.approx(want, abs=1e-7)


@pytest.mark.parametrize("model", ["fitted_table_2", "fitted_open"])
def test_pulls_close_like_the_budget(model, request):
    table = trace_influence(request.getfixturevalue(model), windows=["1990-1999", "2024"], draws=5)
    left = (
        (table["pull"] * table["component"].map(SIGNS))
        .groupby([table["series_component"], table["window"]])
        .sum()
    )
    # In the model `open` a series also pulls on the missing flux.
    assert (left.abs().max() < 1e-7) == (model == "fitted_table_2")
    assert len(table) == 5 * 2 * 5


def test_bad_windows_and_draws_are_refused(fitted_table_2):
    with pytest.raises(InputError, match="1960 to 2024"):
        trace_influence(fitted_table_2, windows=["1950s"])
    with pytest.raises(InputError, match="whole number of at least 2"):
        trace_influence(fitted_table_2, draws=1)
