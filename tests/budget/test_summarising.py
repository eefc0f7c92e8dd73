"""The budget table and its sentence."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sinkrisk import budget
from sinkrisk.budget.summarising import summarise_parameters
from sinkrisk.errors import InputError

solve_closed = partial(budget.reconcile, model="closed")


def _without_exact(tree):
    return xr.DataTree.from_dict({k: v for k, v in tree.to_dict().items() if not k.startswith("/exact")})


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_match_the_exact_normal(tree, level):
    table = budget.summarise_budget(tree, level=level)
    z = stats.norm.ppf((1 + level) / 2)
    # 20,000 draws; 5 standard errors of a normal quantile, 80 of them: false-alarm rate below 1e-4.
    error = 5 * np.sqrt((1 - level**2) / 4 / 20_000) / stats.norm.pdf(z)
    np.testing.assert_allclose(table["high"], table["mean"] + z * table["sd"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(table["low"], table["mean"] - z * table["sd"], rtol=0, atol=1e-12)
    assert set(table["basis"]) == {"closed form"}
    # The same table from the draws alone, as a model without a closed form gives it.
    drawn = budget.summarise_budget(_without_exact(tree), level=level)
    assert set(drawn["basis"]) == {"draws"}
    low = (drawn["low"] - table["mean"]) / table["sd"]
    high = (drawn["high"] - table["mean"]) / table["sd"]
    assert (np.abs(low + z) < error).all()
    assert (np.abs(high - z) < error).all()
    assert set(table["interval_mass"]) == {level}
    assert set(table["interval_kind"]) == {"equal-tailed"}
    assert set(table["unit"]) == {"GtC/yr"}


def test_one_row_per_window_and_component(tree, table_2):
    table = budget.summarise_budget(tree)
    assert len(table) == 40
    row = table.query("window == '2014-2023' and component == 'ocean'").iloc[0]
    assert (row["stated"], row["stated_sd"]) == pytest.approx((2.9, 0.4))
    assert row["mean"] == pytest.approx(2.8543, abs=5e-5)
    assert row["sd"] == pytest.approx(0.3813, abs=5e-5)


def test_the_sentence_quotes_the_table(tree):
    result = budget.budget_result(tree)
    row = result.table.query("window == '2014-2023' and component == 'land'").iloc[0]
    assert f"the land sink at {row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in result.sentence
    assert "90 % equal-tailed intervals" in result.sentence
    assert "-0.50 +- 1.32 GtC/yr unexplained, and land, with 46 % of the stated variance" in result.sentence
    assert result.provenance["sources"] == "friedlingstein2024"
    assert len(result.provenance["excluded"]) == 16
    assert result.picture is None


def test_the_sentence_where_closure_determines_a_component(table_2):
    without = table_2[table_2["component"] != "land"]
    result = budget.budget_result(solve_closed(without, draws=50, rng=0))
    assert result.sentence.endswith("no imbalance is reported.")
    assert result.table.query("component == 'land'")["stated"].isna().all()


@pytest.mark.parametrize("level", [0, 1, -0.1, 90, True, "0.9"])
def test_level_is_checked(tree, level):
    with pytest.raises(InputError, match="not the mass of an interval"):
        budget.summarise_budget(tree, level=level)


def test_parameters_beside_their_priors(fitted_table_2):
    tree = fitted_table_2.tree
    table = summarise_parameters(tree, level=0.5).set_index(["parameter", "label"])
    for name, array in tree["prior"].data_vars.items():
        assert len(table.loc[name]) == array.size // (array.sizes["chain"] * array.sizes["draw"])
    row = table.loc[("error_scale", "land")]
    draws = tree["posterior"]["error_scale"].sel(stated_component="land").values.ravel()
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["sd"] == pytest.approx(draws.std(ddof=1))
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(draws, [0.25, 0.75])))
    # The prior, LogNormal(0, .3), from 1000 draws: 5 standard errors of mean and (roughly) sd.
    want = stats.lognorm(0.3)
    assert row["prior_mean"] == pytest.approx(want.mean(), abs=5 * want.std() / np.sqrt(1000))
    assert row["prior_sd"] == pytest.approx(want.std(), rel=0.2)
    assert row["sd_ratio"] == pytest.approx(row["sd"] / row["prior_sd"])
    assert row["shift"] == pytest.approx((row["mean"] - row["prior_mean"]) / row["prior_sd"])
    assert set(table["interval_mass"]) == {0.5}
    assert table["rhat"].max() < 1.01
    # Decades know nothing of the correlation between years, and much of how fast fossil emissions grew.
    assert table.loc["error_correlation", "prior_driven"].all()
    assert not table.loc[("walk_scale", "fossil"), "prior_driven"]
    assert table["prior_driven"].equals((table["sd_ratio"] > 0.8) & (table["shift"].abs() < 0.5))


def test_the_closed_model_has_no_parameters(tree):
    with pytest.raises(InputError, match="has no parameters"):
        summarise_parameters(tree)


def test_the_sentence_names_what_gives_way_the_most(fitted_table_2):
    result = budget.budget_result(fitted_table_2.tree)
    rows = budget.attribute_imbalance(fitted_table_2.tree).query("window == '2014-2023'")
    rows = rows[rows["component"] != "rounding"].set_index("component")
    assert f"{rows['adjustment_mean'].abs().idxmax()}, with " in result.sentence
