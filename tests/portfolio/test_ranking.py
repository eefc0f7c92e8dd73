"""Ranking: orientation, scale, preferences, and the SMAA oracle through the labelled side."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio.ranking import partial_values
from sinkrisk.portfolio.specification import RankSpec


def make_measures(values, directions, names=None):
    values = np.asarray(values, dtype=float)
    _, f, c = values.shape
    return xr.DataArray(
        values,
        dims=("sample", "portfolio", "criterion"),
        coords={
            "portfolio": [f"p{i}" for i in range(f)],
            "criterion": names or [f"c{i}" for i in range(c)],
            "direction": ("criterion", directions),
            "unit": ("criterion", ["1"] * c),
        },
    )


def random_measures(n=200, seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3, 2)) + np.array([[0.0, 2.0], [0.5, 1.0], [1.0, 0.0]])
    return make_measures(values, ["maximise", "minimise"], ["removal", "cost"])


def test_better_in_everything_is_first_always():
    measures = make_measures([[[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]]] * 4, ["maximise", "minimise"])
    out = portfolio.rank(measures, rng=1)
    np.testing.assert_allclose(out["rank_acceptability"], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(out["pairwise"], np.triu(np.ones((3, 3)), 1), atol=1e-12)
    assert out["confidence"].values[0] == 1.0
    assert np.isnan(out["confidence"].values[1:]).all()
    assert np.isnan(out["central_weight"].values[1:]).all()


def test_scale_is_robust_and_oriented():
    rng = np.random.default_rng(2)
    values = rng.uniform(size=(1000, 2, 1))
    values[0, 0, 0] = 1e9
    scores, scale = partial_values(make_measures(values, ["minimise"]))
    # Uniform on [0, 1]: pooled 5 and 95 % quantiles, s.e. .005, whatever one draw does.
    assert scale["c0"] == pytest.approx((0.05, 0.95), abs=0.025)
    assert scores.min() == 0.0
    assert scores.max() == 1.0
    assert scores[0, 0, 0] == 0.0


def test_scores_do_not_depend_on_the_unit_of_a_criterion():
    measures = random_measures()
    scaled = measures.copy(data=measures.values * [1000.0, 1e-3] + [5.0, -7.0])
    np.testing.assert_allclose(partial_values(scaled)[0], partial_values(measures)[0], atol=1e-9)


def test_undefined_is_the_worst_and_constant_says_nothing():
    values = np.array([[[np.nan, 1.0], [5.0, 1.0], [9.0, 1.0]]] * 3)
    scores, _ = partial_values(make_measures(values, ["minimise", "maximise"]))
    assert scores[0, :, 0].tolist() == [0.0, 1.0, 0.0]
    assert not scores[..., 1].any()


def test_preferences_move_the_ranking():
    measures = random_measures()
    removal = portfolio.rank(measures, weights=["removal", "cost"], rng=1)["rank_acceptability"].sel(rank=1)
    cost = portfolio.rank(measures, weights=["cost", "removal"], rng=1)["rank_acceptability"].sel(rank=1)
    uniform = portfolio.rank(measures, weights="uniform", rng=1)["rank_acceptability"].sel(rank=1)
    strong = portfolio.rank(measures, weights={"removal": 50.0, "cost": 1.0}, rng=1)[
        "rank_acceptability"
    ].sel(rank=1)
    # p2 is best in both criteria; p1 is its rival by either: the differences exceed 5 s.e. of .005.
    assert strong.sel(portfolio="p0") > removal.sel(portfolio="p0") > cost.sel(portfolio="p0") + 0.02
    np.testing.assert_allclose(uniform, (removal + cost) / 2.0, atol=0.025)


def test_ordinal_order_is_by_name_not_by_position():
    measures = random_measures()
    a = portfolio.rank(measures, weights=["cost", "removal"], rng=3)
    b = portfolio.rank(measures, weights=["cost", "removal"], criteria=["removal", "cost"], rng=3)
    heavier = a["central_weight"].sel(criterion="cost") > a["central_weight"].sel(criterion="removal")
    assert bool(heavier.all())
    assert bool(
        (b["central_weight"].sel(criterion="cost") > b["central_weight"].sel(criterion="removal")).all()
    )


def test_probability_of_the_draws_counts():
    measures = make_measures([[[1.0], [0.0]], [[0.0], [1.0]]], ["maximise"])
    out = portfolio.rank(measures, probability=[0.8, 0.2], rng=1)
    np.testing.assert_allclose(out["rank_acceptability"].sel(rank=1), [0.8, 0.2])


def test_same_seed_same_ranking():
    measures = random_measures()
    xr.testing.assert_identical(portfolio.rank(measures, rng=5), portfolio.rank(measures, rng=5))


def test_all_that_is_measured_counts_and_a_spec_brings_its_own():
    measures = random_measures().assign_coords(axis=("criterion", [True, False]))
    assert portfolio.rank(measures, rng=1)["criterion"].values.tolist() == ["removal", "cost"]
    spec = RankSpec(criteria=["cost", "removal"])
    assert portfolio.rank(measures, weights=spec, rng=1)["criterion"].values.tolist() == ["cost", "removal"]
    with pytest.raises(InputError, match="unknown criterion: got 'sequestration_rate'"):
        portfolio.rank(measures, weights=RankSpec())


def test_table_and_sentence():
    out = portfolio.rank(random_measures(), rng=1)
    table = portfolio.ranking_table(out)
    first = table.query("quantity == 'rank_acceptability' and portfolio == 'p2' and label == '1'")
    assert first["value"].item() == float(out["rank_acceptability"].sel(portfolio="p2", rank=1))
    assert set(table["quantity"]) == {"rank_acceptability", "central_weight", "confidence", "pairwise"}
    assert portfolio.ranking_sentence(out).startswith("p2 is most often first: in ")


def test_one_portfolio_is_not_the_first_of_many():
    out = portfolio.rank(random_measures().isel(portfolio=[0]), rng=1)
    assert portfolio.ranking_sentence(out).startswith("p0 is the only portfolio: nothing is ranked")


def test_sensitivity_is_the_ranking_of_each_variant():
    measures = random_measures().assign_coords(portfolio=["p0", "p1", "optimum"])
    table = portfolio.ranking_sensitivity(measures, rng=4)
    assert list(dict.fromkeys(table["variant"])) == [
        "all criteria", "without removal", "without cost", "without optimum",
    ]  # fmt: skip
    whole = portfolio.rank(measures, rng=4)["rank_acceptability"]
    got = table[table["variant"] == "all criteria"].set_index("portfolio")
    np.testing.assert_array_equal(got["first"], whole.sel(rank=1))
    np.testing.assert_allclose(got["mean_rank"], (whole * [1, 2, 3]).sum("rank"))
    # One criterion is left, so weights say nothing: shares of draws in which each is the cheapest.
    alone = table[table["variant"] == "without removal"].set_index("portfolio")["first"]
    cheapest = measures.sel(criterion="cost").argmin("portfolio")
    scores, _ = partial_values(measures.sel(criterion=["cost"]))
    best = scores[..., 0] == scores[..., 0].max(axis=1, keepdims=True)
    np.testing.assert_allclose(alone, best.mean(axis=0), atol=1e-12)
    assert alone["optimum"] >= float((cheapest == 2).mean()) - 1e-12
    pair = table[table["variant"] == "without optimum"].set_index("portfolio")
    assert list(pair.index) == ["p0", "p1"]
    expected = portfolio.rank(measures.sel(portfolio=["p0", "p1"]), rng=4)["rank_acceptability"].sel(rank=1)
    np.testing.assert_array_equal(pair["first"], expected)


@pytest.mark.parametrize("weights", [["cost", "removal"], {"cost": 3.0, "removal": 1.0}, "uniform"])
def test_sensitivity_keeps_the_form_of_the_preferences(weights):
    measures = random_measures()
    table = portfolio.ranking_sensitivity(measures, weights=weights, rng=4)
    whole = portfolio.rank(measures, weights=weights, rng=4)["rank_acceptability"].sel(rank=1)
    np.testing.assert_array_equal(table.loc[table["variant"] == "all criteria", "first"], whole)
    assert set(table["variant"]) == {"all criteria", "without removal", "without cost"}


def test_two_criteria_that_say_the_same_are_told_apart_by_leaving_one_out():
    """The fault that moved this function in: a quantity counted twice decides who is first."""
    values = random_measures().values
    twice = make_measures(
        np.dstack([values, -values[..., 0]]), ["maximise", "minimise", "minimise"], ["a", "cost", "a_again"]
    )
    table = portfolio.ranking_sensitivity(twice, rng=4).pivot(
        index="variant", columns="portfolio", values="first"
    )
    once = portfolio.rank(twice, criteria=["a", "cost"], rng=4)["rank_acceptability"].sel(rank=1)
    np.testing.assert_array_equal(table.loc["without a_again"], once)
    assert abs(table.loc["all criteria"] - table.loc["without a_again"]).max() > 0.02


def test_the_monte_carlo_error_is_not_below_the_scatter_of_repeated_rankings():
    firsts, errors = [], []
    for seed in range(60):
        out = portfolio.rank(random_measures(n=100, seed=seed), rng=seed)
        table = portfolio.ranking_table(out)
        row = table.query("quantity == 'rank_acceptability' and portfolio == 'p1' and label == '1'").iloc[0]
        firsts.append(row["value"])
        errors.append(row["standard_error"])
        assert row["standard_error"] == pytest.approx(np.sqrt(row["value"] * (1 - row["value"]) / 100))
    # The sd of 60 estimates has a relative error of .09: 3 sd above it, false alarm < 1e-3.
    assert np.std(firsts, ddof=1) < 1.3 * np.mean(errors)


def test_the_monte_carlo_error_counts_weighted_draws_by_what_they_are_worth():
    weight = 0.97 ** np.arange(200.0)
    weight /= weight.sum()
    firsts, errors = [], []
    for seed in range(60):
        out = portfolio.rank(random_measures(seed=seed), probability=weight, rng=seed)
        assert out.attrs["effective_draws"] == pytest.approx(1.0 / (weight**2).sum())
        row = portfolio.ranking_table(out).query("quantity == 'rank_acceptability' and label == '1'").iloc[1]
        firsts.append(row["value"])
        errors.append(row["standard_error"])
    # As above; 200 draws are worth 65, so that counted whole they would say 1.75 times too little.
    assert np.std(firsts, ddof=1) < 1.3 * np.mean(errors)
    text = portfolio.ranking_sentence(out)
    best = float(out["rank_acceptability"].sel(rank=1).max())
    assert f"at most {100.0 * np.sqrt(best * (1.0 - best) / out.attrs['effective_draws']):.1f} " in text


@pytest.mark.parametrize(
    ("further", "message"),
    [
        ({"criteria": ["removl"]}, "unknown criterion: got 'removl'; .* did you mean 'removal'"),
        ({"criteria": ["cost"], "weights": {"removal": 1.0}}, "weights and criteria name different criteria"),
        ({"weights": {"removal": -1.0, "cost": 1.0}}, "concentrations must be positive"),
        ({"weights": "unifrom"}, "weights not understood: got 'unifrom'"),
        ({"criteria": []}, "at least one criterion"),
    ],
)
def test_bad_preferences_are_named(further, message):
    with pytest.raises(InputError, match=message):
        portfolio.rank(random_measures(), **further)


def test_the_scale_weighs_draws():
    """All weight on one draw: its portfolios alone set what scores 0 and 1."""
    measures = random_measures(n=20)
    _, scale = partial_values(measures, (np.arange(20) == 3).astype(float))
    _, alone = partial_values(measures.isel(sample=[3]))
    for name, ends in alone.items():
        assert scale[name] == pytest.approx(ends)


def test_weights_equal_repetition():
    measures = random_measures(30)
    counts = np.random.default_rng(2).integers(0, 4, 30)
    weight, repeated = counts / counts.sum(), measures.isel(sample=np.repeat(np.arange(30), counts))
    scores, scale = partial_values(measures, probability=weight)
    plain, same_scale = partial_values(repeated)
    assert {name: list(ends) for name, ends in scale.items()} == {n: list(e) for n, e in same_scale.items()}
    np.testing.assert_array_equal(np.repeat(scores, counts, axis=0), plain)
    # With one criterion no preferences are drawn.
    one = portfolio.rank(measures, probability=weight, criteria=["removal"], rng=1)
    two = portfolio.rank(repeated, criteria=["removal"], rng=1)
    for name in ("rank_acceptability", "pairwise", "confidence"):
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-12, err_msg=name)
