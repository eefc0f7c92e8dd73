"""Large tables: what the models of years take, and what they refuse before any work."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from sinkrisk import budget
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.errors import InputError


def test_ten_thousand_statements_over_windows_are_refused_with_the_way_out(table_2):
    stated = table_2[table_2["method"] == "assessment"]
    many = pd.concat(
        [stated.assign(estimate=f"E{k}", value=stated["value"] + 1e-4 * k) for k in range(250)],
        ignore_index=True,
    )
    assert len(many) == 10_000
    with pytest.raises(
        InputError, match=r"(?s)more statements over windows.*got 7500.*inverse-variance mean"
    ) as e:
        budget.reconcile(many, rng=1)
    assert len(e.value.problems) == 2
    # The closed model pools them: 250 tables are one at their mean, .01245 above the first.
    tree = budget.reconcile(many, model="closed", draws=1, rng=1)
    one = budget.reconcile(table_2, model="closed", draws=1, rng=1)
    shifted = budget.reconcile(
        table_2.assign(value=table_2["value"] + 0.01245), model="closed", draws=1, rng=1
    )
    np.testing.assert_allclose(tree["exact"]["mean"], shifted["exact"]["mean"], atol=1e-9)
    assert float(abs(tree["exact"]["mean"] - one["exact"]["mean"]).max()) > 1e-3


def test_ten_thousand_individual_estimates_are_a_panel(table_2):
    rng = np.random.default_rng(3)
    years = np.arange(1960, 2010)
    ocean = 1.2 + 0.03 * (years - 1960)
    members = [
        pd.DataFrame(
            {"component": "ocean", "geography": "global", "method": "gobm", "estimate": f"M{k:03d}",
             "start": years, "end": years,
             "value": (ocean + rng.normal(0, 0.2, 50) + rng.normal(0, 0.3)).round(4),
             "kind": "observed", "unit": "GtC/yr", "source": "simulated"}
        )
        for k in range(200)
    ]  # fmt: skip
    table = pd.concat([table_2[table_2["component"] != "ocean"], *members], ignore_index=True)
    assert len(table) > 10_000
    prepared, likelihood = prepare_likelihood(table)
    assert (prepared.rows["role"] == "member").sum() == 10_000
    # One mean series of 50 years beside the 32 stated rows; the other 9,950 numbers are six sums.
    assert len(likelihood.annual.structure.y) == 82
    assert likelihood.annual.panels[0].count == 199
    values = likelihood.annual.parameters.prior_draws(np.random.default_rng(1), ())
    assert np.isfinite(likelihood(likelihood.pack(values))[0])


def test_windows_that_cannot_be_reported_are_refused_before_sampling(table_2, monkeypatch):
    def sampled(*_, **__):
        raise AssertionError("the sampler was started")

    monkeypatch.setattr("sinkrisk.budget.hierarchical.sample_parameters", sampled)
    with pytest.raises(
        InputError, match=r"(?s)not a period.*window outside the years of the table: got '1850'"
    ):
        budget.reconcile(table_2, windows=["1850", "x"], rng=1)


def test_preparing_is_linear_in_rows(table_2):
    """It took a minute for 10,000 rows, one series each, when every series was sliced out of a frame."""
    stated = table_2[(table_2["method"] == "assessment") & (table_2["start"] == 2014)]
    many = pd.concat([stated.assign(estimate=f"E{k}") for k in range(2000)], ignore_index=True)
    many["value"] += np.random.default_rng(1).normal(0.0, 0.3, len(many)).round(9)
    assert len(many) == 10_000
    before = time.process_time()
    assert len(budget.prepare_rows(many).rows) == 10_000
    # Two seconds on one core; five times that for a slow machine.
    assert time.process_time() - before < 10.0
