"""A panel of estimates: its mean and its contrasts, against the plain density of all estimates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from sinkrisk.budget.panels import contrast_matrix, make_panel, panel_log_likelihood, split_panels


def ar(n, rho):
    return rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))).astype(float)


@pytest.mark.parametrize(("count", "length"), [(2, 2), (3, 5), (10, 24)])
@pytest.mark.parametrize("rho", [0.0, 0.4, 0.95])
def test_density_of_the_contrasts(count, length, rho):
    offset, error = 0.3, 0.05
    values = np.random.default_rng(count).normal(size=(count, length))
    k = offset + error * ar(length, rho)
    expected = sum(
        multivariate_normal(np.zeros(length), k).logpdf(row) for row in contrast_matrix(count) @ values
    )
    panel = make_panel("ocean", "gobm", [str(i) for i in range(count)], values)
    assert panel_log_likelihood(panel, offset, error, rho) == pytest.approx(expected, rel=1e-9)


def test_mean_and_contrasts_hold_everything():
    # log p(all estimates) = log p(mean) + log p(contrasts) + a constant of the rotation.
    rng = np.random.default_rng(1)
    count, length, offset, error, rho = 4, 6, 0.3, 0.1, 0.6
    flux = rng.normal(size=(length, length))
    flux = flux @ flux.T
    values = rng.normal(size=(count, length))
    own = offset + error * ar(length, rho)
    whole = np.kron(np.ones((count, count)), flux) + np.kron(np.eye(count), own)
    together = multivariate_normal(np.zeros(count * length), whole).logpdf(values.ravel())
    mean = multivariate_normal(np.zeros(length), flux + own / count).logpdf(values.mean(axis=0))
    panel = make_panel("ocean", "gobm", list("abcd"), values)
    parts = mean + panel_log_likelihood(panel, offset, error, rho)
    # The orthonormal mean is sqrt(count) times the mean.
    assert together == pytest.approx(parts - 0.5 * length * np.log(count), rel=1e-9)


def test_contrasts_are_orthonormal_and_ignore_what_is_common():
    c = contrast_matrix(5)
    np.testing.assert_allclose(c @ c.T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(c @ np.ones(5), 0.0, atol=1e-12)


def test_splitting_groups_by_years_and_leaves_gaps_alone():
    spans = {"a": range(2000, 2005), "b": range(2000, 2005), "c": range(2002, 2005), "d": [2000, 2003]}
    cells = [
        (name, year, float(7 * ord(name) % 5 + year % 4)) for name, years in spans.items() for year in years
    ]
    table = pd.DataFrame(cells, columns=["estimate", "start", "value"]).assign(
        component="ocean", method="gobm"
    )
    means, panels = split_panels(table)
    assert [(p.estimates, p.length, p.count) for p in panels] == [(("a", "b"), 5, 1)]
    assert sorted(set(means["members"])) == [1, 2]
    pair = means[means["members"] == 2].set_index("start")["value"]
    both = table[table["estimate"].isin(["a", "b"])].groupby("start")["value"].mean()
    pd.testing.assert_series_equal(pair, both, check_names=False)
    assert set(means.loc[means["members"] == 1, "estimate"]) == {"c", "d"}


def test_a_panel_needs_two_of_each():
    with pytest.raises(ValueError, match="2 estimates and 2 years"):
        make_panel("ocean", "gobm", ["a"], np.zeros((1, 5)))
