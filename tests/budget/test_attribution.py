"""The imbalance explained is an identity."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

from sinkrisk import budget
from sinkrisk.budget.identity import REQUIRED
from sinkrisk.errors import InputError

solve_closed = partial(budget.reconcile, model="closed")


def test_adjustments_sum_to_the_reported_imbalance(tree):
    table = budget.attribute_imbalance(tree)
    for _, rows in table.groupby("window"):
        assert rows["adjustment_mean"].sum() == pytest.approx(rows["reported_imbalance"].iloc[0], abs=1e-9)
        assert rows["variance_share"].sum() == pytest.approx(1.0)


def test_figures_of_2014_2023_by_hand(tree):
    rows = budget.attribute_imbalance(tree).query("window == '2014-2023'").set_index("component")
    bare = xr.DataTree.from_dict({k: v for k, v in tree.to_dict().items() if not k.startswith("/exact")})
    from_draws = budget.attribute_imbalance(bare).query("window == '2014-2023'").set_index("component")
    variances = {"fossil": 0.25, "land_use": 0.49, "atmosphere": 0.04, "ocean": 0.16, "land": 0.81}
    assert rows["reported_imbalance"].iloc[0] == pytest.approx(-0.5)
    assert rows["imbalance_sd"].iloc[0] == pytest.approx(1.75**0.5)
    assert rows["printed_imbalance"].iloc[0] == -0.4
    assert rows["rounding_difference"].iloc[0] == pytest.approx(0.1)
    for component, variance in variances.items():
        row = rows.loc[component]
        assert row["variance_share"] == pytest.approx(variance / 1.75)
        assert row["adjustment_mean"] == pytest.approx(-0.5 * variance / 1.75)
        assert row["adjustment_share"] == pytest.approx(row["variance_share"])
        sd = np.sqrt(variance * (1 - variance / 1.75))
        z = 1.6448536269514722
        assert row["adjustment_low"] == pytest.approx(-0.5 * variance / 1.75 - z * sd)
        assert row["adjustment_high"] == pytest.approx(-0.5 * variance / 1.75 + z * sd)
        # From 20,000 draws: 5 standard errors of the mean and of a 5 % quantile (density .103 there).
        row = from_draws.loc[component]
        assert row["adjustment_mean"] == pytest.approx(-0.5 * variance / 1.75, abs=5 * sd / np.sqrt(20_000))
        error = 5 * sd * np.sqrt(0.05 * 0.95 / 20_000) / 0.1031
        assert row["adjustment_low"] == pytest.approx(-0.5 * variance / 1.75 - z * sd, abs=error)
        assert row["adjustment_high"] == pytest.approx(-0.5 * variance / 1.75 + z * sd, abs=error)
    assert set(rows["interval_kind"]) == {"equal-tailed"}
    assert set(rows["interval_mass"]) == {0.9}


@given(st.lists(st.floats(0.01, 5), min_size=5, max_size=5), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_identity_for_any_sds(sds, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"component": REQUIRED, "value": rng.normal(3, 2, 5), "sd": sds})
    frame = frame.assign(start=2000, end=2009, unit="GtC/yr")
    table = budget.attribute_imbalance(solve_closed(frame, draws=10, chains=2, rng=seed))
    want = frame["value"] @ [1, 1, -1, -1, -1]
    assert table["adjustment_mean"].sum() == pytest.approx(want, abs=1e-9)
    np.testing.assert_allclose(table["adjustment_mean"], want * table["variance_share"], atol=1e-9)


def test_a_balanced_window_has_no_shares(tree):
    rows = budget.attribute_imbalance(tree).query("window == '2023'")
    assert rows["reported_imbalance"].abs().max() < 1e-12
    assert rows["adjustment_share"].isna().all()


def test_windows_with_an_unstated_component_are_named(table_2):
    without = table_2[~((table_2["component"] == "land") & (table_2["start"] == 2023))]
    table = budget.attribute_imbalance(solve_closed(without, draws=10, rng=0))
    assert table.attrs["not_attributed"] == ["2023"]
    assert "2023" not in set(table["window"])


def test_level_is_checked(tree):
    with pytest.raises(InputError, match="allowed: 0 < level < 1"):
        budget.attribute_imbalance(tree, level=90)
