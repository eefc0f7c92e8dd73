"""Indices from draws: closed forms, SALib as oracle, and a driver that tells nothing"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import dependence, given_data_indices, target_sensitivity

N = 4096


@pytest.fixture(scope="module")
def draws():
    g = np.random.default_rng(1)
    x = g.multivariate_normal([0, 0, 0], [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]], N)
    return x, 2.0 * x[:, 0] + x[:, 2]


def of(table, **picked):
    for key, value in picked.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_rank_indices_of_dependent_gaussians_are_squared_correlations(draws):
    x, y = draws
    table = given_data_indices(y, {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}, methods=["rank"])
    # Var(E[Y|X]) / Var(Y): the companion b explains .36 of a's .8. Standard error about 1 / sqrt(N).
    for driver, truth in (("a", 0.8), ("b", 0.36 * 0.8), ("c", 0.2)):
        row = of(table, driver=driver)
        assert row["value"] == pytest.approx(truth, abs=4 / np.sqrt(N))
        assert row["low"] < row["value"] < row["high"]
        assert row["stands_out"]
    assert table["driver"].tolist() == ["a", "b", "c"]


def test_rank_intervals_cover():
    # Var(E[Y|X]) / Var(Y) = 1 / 2; of 100 intervals fewer than 88 hold with probability .0013.
    held = 0
    for seed in range(100):
        g = np.random.default_rng(seed)
        x = g.standard_normal((500, 2))
        row = given_data_indices(
            x.sum(axis=1), {"a": x[:, 0]}, methods=["rank"], permutations=1, halves=50, rng=seed
        ).iloc[0]
        held += row["low"] <= 0.5 <= row["high"]
    assert 88 <= held <= 99


def test_rank_sobol_by_hand():
    # Order 2, 0, 1: neighbours 1, 5 and 5, 3, centred on 3: mean of (-2)(2) and (2)(0) = -2, over 8/3.
    y = np.array([[5.0], [3.0], [1.0]])
    assert dependence.rank_sobol(np.array([2, 0, 1]), y)[0] == pytest.approx(-0.75)


def test_delta_equals_salib_s(draws):
    from SALib.analyze.delta import calc_delta

    x, y = draws
    count = dependence.delta_classes(N)
    order = np.argsort(x[:, 0])
    ours = dependence.delta(dependence.equal_classes(order, count), y[:, None])[0]
    theirs = calc_delta(y, np.linspace(y.min(), y.max(), 100), x[:, 0], np.linspace(0, N, count + 1))
    assert ours == pytest.approx(theirs, abs=1e-10)


def test_pawn_equals_salib_s(draws):
    from SALib.analyze import pawn

    x, y = draws
    # 4,001 draws: SALib's quantiles fall on draws; it leaves out the last one, which moves at most one slice.
    x, y = x[:4001, 0], y[:4001]
    problem = {"num_vars": 1, "names": ["x"], "bounds": [[-9, 9]]}
    theirs = pawn.analyze(problem, x[:, None], y, S=10)["median"][0]
    classes = np.minimum(np.argsort(np.argsort(x)) // 400, 9)
    assert dependence.pawn(classes, y[:, None])[0] == pytest.approx(theirs, abs=1e-4)
    ours = given_data_indices(y, {"x": x}, methods=["pawn"], permutations=1, halves=2)["value"][0]
    assert ours == pytest.approx(theirs, abs=0.003)


def test_pawn_compares_where_a_value_ends():
    # An indicator that is 1 in all draws of one class and 0 in the other: distance .5 in both classes.
    classes = np.array([0, 0, 1, 1])
    y = np.array([[1.0], [1.0], [0.0], [0.0]])
    assert dependence.pawn(classes, y)[0] == 0.5
    assert dependence.delta(classes, y)[0] == 0.5


def test_hsic_is_one_for_the_same_variable_and_zero_for_a_constant_s_sake():
    x = np.random.default_rng(2).standard_normal(200)
    kernel = dependence.centred_kernel(x, states=False)
    assert dependence.hsic(kernel, kernel) == pytest.approx(1.0)
    assert np.isnan(dependence.hsic(kernel, dependence.centred_kernel(np.zeros(200), states=True)))


@pytest.mark.parametrize("method", ["rank", "pawn", "delta", "hsic"])
def test_drivers_that_tell_nothing_stay_below_the_floor(method):
    # 20 idle drivers, each above the largest of 100 shuffles with probability 1/101: more than 3 of them
    # with probability 5e-5.
    g = np.random.default_rng(3)
    idle = {f"i{k}": g.standard_normal(400) for k in range(20)}
    x = g.standard_normal(400)
    table = given_data_indices(x**3 + 0.1 * x, idle | {"x": x}, methods=[method], halves=2)
    assert of(table, driver="x")["stands_out"]
    assert table["stands_out"].sum() <= 1 + 3


def test_states_words_and_several_outputs():
    g = np.random.default_rng(4)
    state = g.choice(["calm", "storm"], size=2000, p=[0.8, 0.2])
    flag = g.random(2000) < 0.5
    loss = np.where(state == "storm", 10.0, 0.0) + g.standard_normal(2000)
    y = xr.DataArray(
        np.stack([loss, g.standard_normal(2000)], axis=1),
        dims=("sample", "pair"),
        coords={
            "pair": ["loss:p", "noise:p"],
            "measure": ("pair", ["loss", "noise"]),
            "portfolio": ("pair", ["p", "p"]),
        },
    )
    table = given_data_indices(y, {"state": state, "flag": flag})
    row = of(table, output="loss:p", driver="state", method="rank")
    # 100 x .16 / (16 + 1).
    assert row["value"] == pytest.approx(16 / 17, abs=0.05)
    assert row["kind"] == "states"
    assert row["measure"] == "loss"
    assert row["portfolio"] == "p"
    assert of(table, output="loss:p", driver="state", method="delta")["stands_out"]
    assert not of(table, output="loss:p", driver="flag", method="pawn")["stands_out"]
    assert table["output"].drop_duplicates().tolist() == ["loss:p", "noise:p"]


def test_portfolios_are_outputs():
    values = xr.DataArray(
        np.random.default_rng(5).standard_normal((64, 2)),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["a", "b"]},
        name="net_benefit",
    )
    table = given_data_indices(values, {"x": values[:, 0]}, methods=["rank"], permutations=2, halves=2)
    assert set(table["output"]) == {"net_benefit:a", "net_benefit:b"}
    assert set(table["portfolio"]) == {"a", "b"}


def test_a_constant_output_has_no_index():
    x = np.arange(32.0)
    table = given_data_indices(
        np.ones(32), {"x": x}, methods=["rank", "pawn", "delta", "hsic"], permutations=2, halves=2
    )
    assert table["value"].isna().all()
    assert not table["stands_out"].any()


def test_target_sensitivity_is_that_of_the_indicator(draws):
    x, y = draws
    drivers = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}
    table = target_sensitivity(y, drivers, below=-1.0, methods=["rank"], rng=6)
    plain = given_data_indices((y < -1.0).astype(float), drivers, methods=["rank"], rng=6)
    np.testing.assert_array_equal(table["value"], plain["value"])
    assert table["event"].tolist() == ["< -1"] * 3
    assert table["probability"][0] == pytest.approx((y < -1.0).mean())
    assert table["driver"][0] == "a"
    never = target_sensitivity(y, drivers, above=1e9, methods=["hsic", "pawn"], permutations=2, halves=2)
    assert never["value"].isna().all()
    with pytest.raises(InputError, match="exactly one bound"):
        target_sensitivity(y, drivers, below=0.0, above=1.0)


def test_intervals_of_strong_and_weak_rank_indices_cover():
    # The bias of neighbours in 600 draws leaves .935 to the strong driver's intervals of mass .95: fewer than
    # 178 of 200 then hold with probability 6e-3. At .81, as with the pair of both ends, 178 or more do so
    # with probability 2e-3.
    held = np.zeros(2)
    for seed in range(200):
        x = np.random.default_rng(seed).standard_normal((600, 2))
        table = given_data_indices(
            x @ [1.0, 0.5], {"a": x[:, 0], "b": x[:, 1]}, methods=["rank"], permutations=1, rng=seed
        )
        for k, (driver, truth) in enumerate((("a", 0.8), ("b", 0.2))):
            row = of(table, driver=driver)
            held[k] += row["low"] <= truth <= row["high"]
    assert (held >= 178).all(), held


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_no_event_that_did_not_happen(draws, bad):
    x, y = draws
    with pytest.raises(InputError, match="outputs are not finite in 2 draws: 3, 7"):
        target_sensitivity(np.where(np.isin(np.arange(N), [3, 7]), bad, y), {"a": x[:, 0]}, below=0.0)
    with pytest.raises(InputError, match="the bound is not a number"):
        target_sensitivity(y, {"a": x[:, 0]}, above=np.nan)


def test_equal_seeds_give_equal_tables(draws):
    x, y = draws
    one, two = (given_data_indices(y[:300], {"a": x[:300, 0]}, rng=7) for _ in range(2))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"y": np.ones(3)}, "too few draws"),
        ({"y": np.ones((32, 2, 2))}, "numbers (draw,) or (draw, output)"),
        ({"y": np.r_[np.nan, np.ones(31)]}, "not finite in 1 draws: 0"),
        ({"drivers": {"x": np.ones(31)}}, "key 'x': driver of another shape"),
        ({"drivers": {"x": np.r_[np.inf, np.ones(31)]}}, "key 'x': driver is not finite"),
        ({"drivers": {"x": np.ones((32, 2))}}, "driver of another shape"),
        ({"drivers": {}}, "no drivers"),
        ({"methods": ["rang"]}, "unknown method: got 'rang'"),
        ({"methods": []}, "no method"),
        ({"permutations": 0}, "permutations"),
        ({"halves": 1}, "half-samples"),
        ({"level": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_input(change, text):
    settings = {"y": np.arange(32.0), "drivers": {"x": np.arange(32.0)}} | change
    with pytest.raises(InputError) as error:
        given_data_indices(settings.pop("y"), settings.pop("drivers"), **settings)
    assert text in str(error.value)
