"""Stated standard deviations to errors on years."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk.budget.calibrating import annual_sds, stock_sds
from sinkrisk.budget.parameters import window_factor
from sinkrisk.budget.structure import Process, Structure, covariance

SHARES, RHO = np.array([0.6, 0.2, 0.2]), 2 / 3
DECADE = np.arange(2010, 2020)


def rows(*cells):
    return pd.DataFrame(cells, columns=["start", "end", "sd"])


def decade_and_last_year(kind, profile):
    """One error process seen through a decade's mean and through its last year."""
    process = Process("error", kind, "error", "ocean", profile, 0, 0 if kind == "ar" else -1)
    return Structure(
        years=DECADE,
        processes=(process,),
        loading=np.ones((2, 1)),
        start=np.array([0, 9]),
        end=np.array([9, 9]),
        y=np.zeros(2),
        offset=np.zeros(2),
        noise_variance=np.zeros(2),
        crosses=(),
        coefficients=("c",),
        correlations=("rho",) if kind == "ar" else (),
    )


@pytest.mark.parametrize(
    ("rho", "expected"), [(0.0, 0.3162), (0.2, 0.3297), (0.5, 0.3918), (0.8, 0.6057), (0.95, 0.8703)]
)
def test_correlation_of_a_decade_with_its_last_year(rho, expected):
    k = covariance(decade_and_last_year("ar", np.ones(10)), [1.0], [rho])
    assert k[0, 1] / np.sqrt(k[0, 0] * k[1, 1]) == pytest.approx(expected, abs=5e-5)


def test_the_atmosphere_is_a_difference_of_concentrations():
    k = covariance(decade_and_last_year("endpoint", np.ones(11)), [1.0], [])
    assert np.sqrt(k[0, 0] / k[1, 1]) == pytest.approx(0.1)
    assert k[0, 1] / np.sqrt(k[0, 0] * k[1, 1]) == pytest.approx(0.5)


def test_a_stated_sd_comes_back_at_the_prior_mean_of_the_shares():
    sigma = annual_sds(rows((2010, 2019, 0.4)), DECADE, SHARES, RHO)
    np.testing.assert_allclose(sigma * window_factor(10, SHARES, RHO), 0.4)
    np.testing.assert_allclose(annual_sds(rows((2010, 2010, 0.4)), DECADE, SHARES, RHO), 0.4)


def test_the_narrowest_window_speaks():
    years = rows(*((y, y, 0.4) for y in DECADE))
    both = pd.concat([years, rows((2010, 2019, 0.9))])
    np.testing.assert_array_equal(
        annual_sds(both, DECADE, SHARES, RHO), annual_sds(years, DECADE, SHARES, RHO)
    )
    np.testing.assert_array_equal(stock_sds(both, DECADE), stock_sds(years, DECADE))


def test_equals_are_averaged_in_variance_and_gaps_interpolated():
    table = rows((2010, 2010, 0.3), (2010, 2010, 0.4), (2014, 2014, 0.5))
    sigma = annual_sds(table, DECADE, SHARES, RHO)
    first = np.sqrt((0.09 + 0.16) / 2)
    np.testing.assert_allclose(sigma[:5], np.linspace(first, 0.5, 5))
    np.testing.assert_allclose(sigma[5:], 0.5)


def test_stocks_of_a_growth_rate():
    np.testing.assert_allclose(stock_sds(rows((2010, 2010, 0.2)), DECADE)[:2], 0.2 / np.sqrt(2))
    # The same stocks: a year's 0.2 is a decade's 0.02.
    np.testing.assert_allclose(stock_sds(rows((2010, 2019, 0.02)), DECADE), 0.2 / np.sqrt(2))
