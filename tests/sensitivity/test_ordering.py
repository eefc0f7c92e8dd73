"""Ranks, their uncertainty, and the sentences made of them"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import action_table, driver_ranks, driver_sentences, sobol, tornado_table
from sinkrisk.sensitivity.converging import convergence_table, ranks_held, sobol_until
from sinkrisk.sensitivity.ordering import simulate_means
from sinkrisk.sensitivity.quoting import rank_text, worth_text

DRIVERS = {name: stats.uniform(0, 1) for name in ("a", "b", "c", "idle")}


def function(x):
    return np.column_stack([x @ [1.0, 1.05, 3.0, 0.0], x[:, 0]])


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_ranks_are_sure_where_indices_are_apart_and_shared_where_equal(kind):
    found = sobol(function, DRIVERS, 64, design=kind, rng=1)
    table = driver_ranks(found, top=2)
    first = table[table["output"] == "0"].set_index("driver")
    assert first["rank"]["c"] == 1.0
    assert first["first"]["c"] == 1.0
    assert first["among_top"]["c"] == 1.0
    # a and b differ by a tenth in ST: neither is surely second.
    assert 0.0 < first["among_top"]["a"] < first["among_top"]["b"] < 1.0
    assert first["among_top"]["a"] + first["among_top"]["b"] == pytest.approx(1.0)
    assert first["rank_high"]["a"] == 3.0
    assert first["rank_low"]["b"] == 2.0
    wide = driver_ranks(found, level=0.9999).query("output == '0'").set_index("driver")
    assert (wide["rank_low"]["a"], wide["rank_high"]["b"]) == (2.0, 3.0)
    assert first["rank"]["idle"] == 4.0
    second = table[table["output"] == "1"].set_index("driver")
    # Three drivers that do nothing share ranks 2 to 4.
    assert second["rank"].loc[["b", "c", "idle"]].tolist() == [3.0, 3.0, 3.0]
    assert second["rank_low"]["idle"] == second["rank_high"]["idle"] == 3.0


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_what_does_nothing_is_never_among_the_first(kind):
    # One driver acts: three that do nothing share ranks 2 to 4 and are not "among the first 3" for it.
    found = sobol(lambda x: x[:, 0], DRIVERS, 64, design=kind, rng=1)
    table = driver_ranks(found, top=3).set_index("driver")
    assert table["among_top"].to_dict() == {"a": 1.0, "b": 0.0, "c": 0.0, "idle": 0.0}
    assert table["first"].to_dict() == {"a": 1.0, "b": 0.0, "c": 0.0, "idle": 0.0}
    texts = driver_sentences(found, ranks=driver_ranks(found))
    assert [text.split()[0] for text in texts] == ["a"]


def test_only_what_is_always_so_is_told_as_all_of_replications():
    row = {"rank_low": 1, "rank_high": 2, "top": 3, "interval_mass": 0.95}
    for share, text in (
        (1.0, " 100 %"),
        (0.9996, "more than 99 %"),
        (0.0004, "less than 1 %"),
        (0.0, " 0 %"),
    ):
        assert f"{text} of replications" in rank_text(row | {"among_top": share})


def test_means_over_replicates_are_drawn_with_the_margins_of_their_t_interval():
    g = np.random.default_rng(2)
    replicates = g.standard_normal((8, 3)) + np.array([0.0, 1.0, 5.0])
    drawn = simulate_means(replicates, 40000, np.random.default_rng(3))
    scale = replicates.std(axis=0, ddof=1) / np.sqrt(8)
    for k in range(3):
        # A Kolmogorov-Smirnov distance of .01 has probability 1e-3 at 40,000.
        exact = stats.t(7, loc=replicates[:, k].mean(), scale=scale[k])
        assert stats.ks_1samp(drawn[:, k], exact.cdf).statistic < 0.01
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(replicates.T), atol=0.05)


def test_ranks_hold_up_to_ties():
    import xarray as xr

    def index(*values):
        return xr.DataArray(list(values), dims="driver")

    assert ranks_held(index(0.6, 0.3, 0.1), index(0.5, 0.4, 0.1), 2, 0.0)
    assert not ranks_held(index(0.6, 0.3, 0.1), index(0.4, 0.5, 0.1), 2, 0.05)
    assert ranks_held(index(0.6, 0.3, 0.1), index(0.4, 0.5, 0.1), 2, 0.1)
    # The third enters the first two.
    assert not ranks_held(index(0.6, 0.3, 0.1), index(0.6, 0.1, 0.3), 2, 0.1)
    # Below the first two, ranks may change.
    assert ranks_held(index(0.6, 0.3, 0.1, 0.0), index(0.6, 0.3, 0.0, 0.1), 2, 0.0)
    undefined = index(np.nan, np.nan, np.nan)
    assert ranks_held(undefined, undefined, 2, 0.0)
    assert not ranks_held(undefined, index(0.6, 0.3, 0.1), 2, 0.0)


def test_the_series_is_a_table():
    found = sobol_until(function, DRIVERS, first=64, most=256, width=0.0, rng=1)
    table = convergence_table(found)
    assert sorted(set(table["n"])) == [64, 128, 256]
    assert len(table) == 3 * 2 * 2 * 4
    with pytest.raises(InputError, match="no series over N"):
        convergence_table(sobol(function, DRIVERS, 64, rng=1))


def test_sentences_carry_ranks_swings_and_actions(tmp_path):
    import xarray as xr

    found = sobol(function, DRIVERS, 256, rng=1)
    found.to_netcdf(tmp_path / "indices.nc")
    x = np.random.default_rng(4).random((2000, 4))
    values = xr.DataArray(
        np.stack([x[:, 2], 0.5 + 0.0 * x[:, 2]], axis=1),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["bold", "safe"]},
        attrs={"units": "billion USD"},
    )
    drivers = dict(zip(DRIVERS, x.T, strict=True))
    y = xr.DataArray(function(x), dims=("sample", "output"), coords={"output": ["0", "1"]})
    texts = driver_sentences(
        found,
        "0",
        top=2,
        ranks=driver_ranks(found, top=1),
        tornado=tornado_table(y, drivers),
        actions=action_table(values, drivers, indices=found, output="0"),
        unit="GtCO2",
    )
    assert len(texts) == 2
    assert texts[0].startswith("c alone explains 81 % (8")
    assert "It leads in 100 % of replications of the analysis (95 % interval: rank 1)." in texts[0]
    assert "GtCO2 (highest 10%; " in texts[0]
    # Every interval in the sentence is said to be one: of what kind and mass.
    assert "with its interactions (95 % equal-tailed replicate t intervals)." in texts[0]
    assert "in brackets 95 % equal-tailed Student t intervals." in texts[0]
    assert "Learning it before choosing would be worth 0.1" in texts[0]
    assert "moved out by its 90 % Monte Carlo error): lowest third: safe;" in texts[0]
    assert "highest third: bold, against" in texts[0]
    assert "was not seen to change the choice by more than chance would" in texts[1]
    with pytest.raises(InputError, match="no such output"):
        driver_sentences(found, "2")
    with pytest.raises(InputError, match="too small"):
        driver_sentences(found, "0", top=0)


def test_a_worth_is_told_with_its_error_and_says_when_its_estimates_cross():
    row = {
        "acts": True, "cross_fitted": 12.0, "plug_in": 10.0, "mc_error": 2.0, "unit": "USD",
        "winner": "safe", "winners": "low: safe; high: bold",
    }  # fmt: skip
    text = worth_text(row)
    # 12 - 1.645 x 2 and 10 + 1.645 x 2, by hand.
    assert "would be worth 8.71 to 13.3 USD" in text
    assert "which cross: the first is 12, the second 10" in text
    assert "which cross" not in worth_text(row | {"cross_fitted": 9.0})
    assert worth_text(row | {"acts": False}).startswith("Learning it before choosing was not seen to change")


def test_what_cannot_be_ranked_is_refused():
    found = sobol(function, DRIVERS, 64, draws=False, rng=1)
    with pytest.raises(InputError, match="indices without draws"):
        driver_ranks(found)
    still = sobol(lambda x: np.ones(len(x)), DRIVERS, 64, rng=1)
    with pytest.raises(InputError, match="no output has indices"):
        driver_ranks(still)
    assert driver_sentences(still) == []
    whole = sobol(function, DRIVERS, 64, rng=1)
    for change in ({"top": 0}, {"level": 1.5}, {"simulated": 1}, {"index": "S2"}):
        with pytest.raises(InputError):
            driver_ranks(whole, **change)
