"""Predictive checks: independent errors fail them, the default passes, on Table 2 and on the workbook."""

from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest

from sinkrisk import budget
from sinkrisk.budget.hierarchical import fit_annual
from sinkrisk.budget.predictive import check_predictive, imbalances, tabulate_predictive
from sinkrisk.errors import InputError
from sinkrisk.priors.workbook import load_workbook

DECADES = ("1960-1969", "1970-1979", "1980-1989", "1990-1999", "2000-2009", "2014-2023")


def by_statistic(tree):
    return tabulate_predictive(tree).set_index("statistic")


def by_name(checks):
    return {check.name: check for check in checks}


def test_the_observed_imbalance_of_table_2_is_that_of_its_decades(fitted_table_2, table_2):
    labels, observed, replicated = imbalances(fitted_table_2.tree)
    assert labels == DECADES
    signs = {"fossil": 1, "land_use": 1, "atmosphere": -1, "ocean": -1, "land": -1}
    plain = table_2[table_2["component"].isin(list(signs))]
    want = (plain["value"] * plain["component"].map(signs)).groupby([plain["start"], plain["end"]]).sum()
    np.testing.assert_allclose(observed, [want[int(w[:4]), int(w[5:])] for w in DECADES], atol=1e-12)
    assert by_statistic(fitted_table_2.tree)["observed"]["sd"] == pytest.approx(0.369, abs=5e-4)
    assert replicated.shape == (4000, 6)


@pytest.mark.parametrize("model", ["fitted_table_2", "fitted_iid"])
def test_replications_are_new_errors_by_year_plus_rounding(model, request):
    """The errors by year, averaged over each window, differ from the replications by rounding only."""
    tree = request.getfixturevalue(model).tree
    labels, _, replicated = imbalances(tree)
    by_year = tree["posterior_predictive"]["error_imbalance"]
    means = [by_year.sel(year=slice(int(w[:4]), int(w[5:]))).mean("year").values.ravel() for w in labels]
    rounding = replicated - np.stack(means, axis=1)
    # Five values printed to 0.1: their sum has sd .1 sqrt(5 / 12); 4000 draws, 5 standard errors of an sd
    # (the sums of windows are independent: 12 of them, false-alarm rate below 1e-5).
    want = 0.1 * np.sqrt(5 / 12)
    np.testing.assert_allclose(rounding.std(axis=0), want, rtol=5 / np.sqrt(2 * 4000))
    assert np.abs(rounding.mean(axis=0)).max() < 5 * want / np.sqrt(4000)


def test_table_2_independent_errors_fail_and_the_default_passes(fitted_table_2, fitted_iid):
    default, iid = by_statistic(fitted_table_2.tree), by_statistic(fitted_iid.tree)
    # Measured .50 and .008; the Monte Carlo error of the latter is .0014, 8 of them below the limit.
    assert iid["probability_below"]["sd"] < 0.02
    assert iid["direction"]["sd"] == "too large"
    assert 0.05 < default["probability_below"]["sd"] < 0.95
    assert 0.05 < default["probability_below"]["lag-1 autocorrelation"] < 0.95
    # Independent decades of the stated sds: the sum of variances of a decade is 1.2 on average.
    assert iid["replicated_median"]["sd"] == pytest.approx(1.1, abs=0.1)
    failed = by_name(check_predictive(fitted_iid.tree))["predictive_sd"]
    assert failed.passed is False
    assert "too large: P(T_rep <= T_obs) = 0.0" in failed.text
    assert all(check.passed for check in check_predictive(fitted_table_2.tree))


def test_the_open_model_passes_too(fitted_open):
    assert all(check.passed for check in check_predictive(fitted_open.tree))


def test_the_closed_model_is_the_independent_one(tree):
    """Its replications are stated errors: by hand, window by window, they have the summed variances."""
    table = by_statistic(tree)
    assert table["probability_below"]["sd"] < 0.02
    _, _, replicated = imbalances(tree)
    given = tree["constant_data"]
    variance = (given["stated_sd"] ** 2).sum("component").sel(window=list(DECADES)).values
    # 20,000 independent draws, 5 standard errors.
    np.testing.assert_allclose(replicated.var(axis=0), variance, rtol=5 * np.sqrt(2 / 20_000))


def test_too_few_windows_inform(table_2):
    few = table_2[table_2["start"].isin([1990, 2000, 2014])]
    (check,) = check_predictive(budget.reconcile(few, model="closed", draws=10, rng=1))
    assert check.passed is None
    assert "Fewer than 4 windows" in check.text


@pytest.fixture(scope="module")
def annual_tree():
    """Thirty years of known imbalances, in the closed model (independent years): 1971-2000."""
    years = np.arange(1971, 2001)
    imbalance = np.sin(years)
    rows = []
    for component, value in (
        ("fossil", 8 + imbalance),
        ("land_use", 1.0),
        ("atmosphere", 4.0),
        ("ocean", 2.0),
        ("land", 3.0),
    ):
        rows.append(pd.DataFrame({"component": component, "start": years, "value": value}))
    frame = pd.concat(rows, ignore_index=True)
    frame["end"], frame["sd"], frame["unit"] = frame["start"], 0.4, "GtC/yr"
    return budget.reconcile(frame, model="closed", draws=500, rng=1), imbalance


def test_statistics_of_years_by_hand(annual_tree):
    tree, x = annual_tree
    table = by_statistic(tree)
    assert set(table["series"]) == {"years"}
    assert table["observed"]["sd"] == pytest.approx(np.std(x, ddof=1))
    d = x - x.mean()
    assert table["observed"]["lag-1 autocorrelation"] == pytest.approx((d[1:] @ d[:-1]) / (d @ d))
    # Complete calendar decades only: 1980-1989 and 1990-1999 are two, too few for an sd of their own.
    assert "decadal sd" not in table.index
    # Independent years of variance 5 x .16: the median of the sd of 30 is near .894, 2000 draws.
    assert table["replicated_median"]["sd"] == pytest.approx(np.sqrt(0.8), abs=0.03)
    assert table["probability_two_sided"]["sd"] <= 1.0
    # sin(t) goes on from year to year by cos(1) = .54, which independent years reach once in 1000 at most.
    check = by_name(check_predictive(tree))["predictive_autocorrelation"]
    assert check.passed is False
    assert "too small: P(T_rep >= T_obs)" in check.text


def test_calibrated_where_the_model_is_true(fitted_table_2):
    """Replications taken for observations: their probabilities are uniform, so 10 % fail."""
    tree = fitted_table_2.tree
    labels, _, new = imbalances(tree)
    sd = new.std(axis=1, ddof=1)
    below = (sd[:, None] >= sd[None, ::40]).mean(axis=0)
    # 100 of them: the number outside [.05, .95] is Binomial(100, .1); 24 or more has probability < 3e-5.
    assert ((below < 0.05) | (below > 0.95)).sum() < 24
    assert len(labels) == 6


@pytest.mark.slow
def test_the_workbook_fails_independent_errors_and_passes_the_default(official):
    frame = load_workbook(official / "Global_Carbon_Budget_2024_v1.0.xlsx")

    def fitted(**options):
        generator = np.random.default_rng(20261123)
        return fit_annual(frame, draws=600, tune=600, generator=generator, **options).tree

    default = by_statistic(fitted())
    assert default["windows"]["sd"] == 65
    observed = default["observed"]
    assert observed["sd"] == pytest.approx(0.710, abs=5e-4)
    assert observed["lag-1 autocorrelation"] == pytest.approx(0.31, abs=5e-3)
    assert observed["decadal sd"] == pytest.approx(0.287, abs=5e-4)
    # Measured .34, .76 and .37.
    assert default["probability_below"].between(0.05, 0.95).all()
    # Stated sds as they are. Measured 0 of 2000, predicted sd 1.09 (.93 to 1.26).
    stated = by_statistic(fitted(errors="iid"))
    assert stated["probability_below"]["sd"] < 0.001
    assert stated["direction"]["sd"] == "too large"
    assert stated["replicated_median"]["sd"] == pytest.approx(1.09, abs=0.05)


def test_a_fit_and_its_checks_are_read_like_the_tree(tree):
    fitted = types.SimpleNamespace(tree=tree)
    checks = check_predictive(fitted)
    pd.testing.assert_frame_equal(tabulate_predictive(fitted), tabulate_predictive(tree))
    pd.testing.assert_frame_equal(tabulate_predictive(checks), tabulate_predictive(tree))
    with pytest.raises(InputError, match=r"no table at that level: got 0\.5; pass the tree"):
        tabulate_predictive(checks, level=0.5)
    with pytest.raises(InputError, match="not the mass of an interval"):
        tabulate_predictive(tree, level=90)
