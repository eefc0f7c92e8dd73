"""Stated standard deviations to errors on years."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk.budget.calibrating import annual_sds, bias_layers, bias_profile, stock_ratios, stock_sds
from sinkrisk.budget.parameters import window_factor
from sinkrisk.budget.structure import Process, Structure, covariance
from sinkrisk.priors import load_observations

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


def test_growth_rates_of_table_2_have_their_stated_sds():
    # Windows of different sd meet at year ends: averaging their stocks gave the 1970s 0.117 for a stated
    # 0.07 and 2014-2023 0.143 for a stated 0.2.
    table = load_observations("global")
    air = table[table["component"] == "atmosphere"]
    years = np.arange(1960, 2025)
    stocks = stock_sds(air, years)
    for row in air.itertuples():
        n = row.end - row.start + 1
        implied = np.hypot(stocks[row.start - 1960], stocks[row.end - 1959]) / n
        assert implied == pytest.approx(row.sd, rel=0.05), (row.start, row.end)
    assert stock_ratios(air, years, stocks).empty


def test_sds_that_no_stocks_can_have_are_told():
    # The decades share a year end with both neighbours: 0.01 on either side leaves nothing for 0.2.
    table = rows((1990, 1999, 0.01), (2000, 2009, 0.2), (2010, 2019, 0.01), (2000, 2004, 0.01))
    table = pd.concat([table, rows((2005, 2009, 0.01))])
    years = np.arange(1990, 2020)
    told = stock_ratios(table, years, stock_sds(table, years))
    assert told.empty  # the decade 2000-2009 is the narrowest at neither end: its halves speak
    clash = rows((2000, 2000, 0.01), (2001, 2001, 0.5), (2002, 2002, 0.01))
    years = np.arange(2000, 2003)
    told = stock_ratios(clash, years, stock_sds(clash, years))
    assert 2001 in set(told["start"])
    assert (told["implied"] > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_layers_add_up_and_share_what_the_smaller_bias_holds(seed):
    profile = np.random.default_rng(seed).uniform(0.3, 1.5, 30)
    layers = np.array(bias_layers(profile))
    k = layers.T @ layers
    np.testing.assert_allclose(np.diag(k), profile**2, rtol=1e-12)
    smaller = np.minimum.outer(profile, profile) ** 2
    # Exactly the smaller variance where the two lie in different layers; in one layer (a quarter wide)
    # it is at most the product of the two.
    assert (k >= smaller - 1e-12).all()
    assert (k <= 1.25 * smaller).all()


def test_a_bias_of_one_size_is_one_constant():
    (layer,) = bias_layers(np.full(5, 0.4))
    np.testing.assert_array_equal(layer, 0.4)


def test_percentage_sds_state_the_shape_of_their_bias():
    table = load_observations("global")
    years = np.arange(1960, 2025)
    for component, shaped in (("fossil", True), ("land", False), ("ocean", False)):
        series = table[table["component"] == component]
        sigma = annual_sds(series, years, SHARES, RHO)
        profile, stated = bias_profile(series, years, sigma)
        assert stated is shaped
        if stated:
            np.testing.assert_allclose(np.diff(profile, 2), 0.0, atol=1e-12)
