"""Sobol' indices against closed forms, SALib and scipy; statistical bounds state their rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st
from scipy import stats

from sinkrisk import sensitivity
from sinkrisk.errors import InputError
from sinkrisk.sensitivity import design, estimators

ISHIGAMI_VARIANCE = 13.8445879407
ISHIGAMI_S1 = [0.31390519, 0.44241114, 0.0]
ISHIGAMI_ST = [0.55758886, 0.44241114, 0.24368366]
ISHIGAMI_S13 = 0.24368366


def ishigami(x):
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


ISHIGAMI_DRIVERS = {f"x{i}": stats.uniform(-math.pi, 2 * math.pi) for i in (1, 2, 3)}

G_A = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0])


def sobol_g(x):
    return np.prod((np.abs(4 * x - 2) + G_A) / (1 + G_A), axis=1)


def sobol_g_analytic():
    part = 1 / (3 * (1 + G_A) ** 2)
    whole = np.prod(1 + part) - 1
    return part / whole, part * np.prod(1 + part) / (1 + part) / whole


def uniforms(*names):
    return {name: stats.uniform(0, 1) for name in names}


class Table:
    """The least an inputs.Drivers offers: uniform space, groups."""

    def __init__(self, groups):
        self.groups = dict(groups)
        self.names = tuple(groups)

    def __len__(self):
        return len(self.names)


# --- closed forms -----------------------------------------------------------------------------


def test_ishigami_within_five_thousandths():
    # QMC at N = 2**14 over 8 scrambles: the error is about 2e-4, so 0.005 is 20 standard errors.
    out = sensitivity.sobol(ishigami, ISHIGAMI_DRIVERS, 2**14, second_order=True, block=2**14, rng=11)
    np.testing.assert_allclose(out["S1"], ISHIGAMI_S1, atol=0.005)
    np.testing.assert_allclose(out["ST"], ISHIGAMI_ST, atol=0.005)
    assert float(out["S2"].sel(driver="x1", driver_other="x3")) == pytest.approx(ISHIGAMI_S13, abs=0.005)
    assert float(out["S2"].sel(driver="x1", driver_other="x2")) == pytest.approx(0.0, abs=0.005)
    assert float(out["variance"]) == pytest.approx(ISHIGAMI_VARIANCE, rel=0.002)
    assert out.attrs["rows"] == 8 * 2**14 * 8


def test_sobol_g_within_five_thousandths():
    s1, total = sobol_g_analytic()
    np.testing.assert_allclose(s1[:4], [0.716192, 0.179048, 0.023676, 0.007162], atol=1e-6)
    np.testing.assert_allclose(total[:4], [0.787144, 0.242198, 0.034317, 0.010460], atol=1e-6)
    out = sensitivity.sobol(sobol_g, uniforms(*[f"x{i}" for i in range(8)]), 2**14, block=2**14, rng=12)
    np.testing.assert_allclose(out["S1"], s1, atol=0.005)
    np.testing.assert_allclose(out["ST"], total, atol=0.005)


def test_additive_function_has_no_interactions():
    out = sensitivity.sobol(lambda x: x @ [1.0, 2.0, 3.0], uniforms(*"abc"), 4096, second_order=True, rng=1)
    np.testing.assert_allclose(out["S1"], np.array([1, 4, 9]) / 14, atol=0.003)
    np.testing.assert_allclose(out["ST"], out["S1"], atol=0.003)
    np.testing.assert_allclose(out["S2"].values[np.triu_indices(3, 1)], 0.0, atol=0.003)


def test_purely_interactive_function_has_only_interactions():
    out = sensitivity.sobol(
        lambda x: (x[:, 0] - 0.5) * (x[:, 1] - 0.5), uniforms(*"ab"), 4096, second_order=True, rng=2
    )
    np.testing.assert_allclose(out["S1"], 0.0, atol=0.01)
    np.testing.assert_allclose(out["ST"], 1.0, atol=0.01)
    assert float(out["S2"].values[0, 1]) == pytest.approx(1.0, abs=0.02)


def test_group_of_correlated_inputs_of_a_linear_gaussian_model():
    # z1, z2 are standard normals with correlation 0.8, built from two drivers of one group;
    # y = 2 z1 + z2 + 3 z3: the group explains (4 + 1 + 2*2*1*0.8) / (that + 9).
    rho = 0.8

    def linear(u):
        z = stats.norm.ppf(u)
        second = rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]
        return 2 * z[:, 0] + second + 3 * z[:, 2]

    table = Table({"z1": "pair", "z2": "pair", "z3": "single"})
    out = sensitivity.sobol(linear, table, 4096, rng=3)
    group = 4 + 1 + 4 * rho
    expected = np.array([group, 9.0]) / (group + 9.0)
    assert out["driver"].values.tolist() == ["pair", "single"]
    np.testing.assert_allclose(out["S1"], expected, atol=0.004)
    np.testing.assert_allclose(out["ST"], expected, atol=0.004)
    assert out.attrs["grouped"] == 1
    alone = sensitivity.sobol(linear, table, 256, groups=False, rng=3)
    assert alone["driver"].values.tolist() == ["z1", "z2", "z3"]


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_an_idle_driver_has_indices_exactly_zero(kind):
    out = sensitivity.sobol(
        lambda x: 1e6 + np.exp(x[:, 0]) * x[:, 2],
        uniforms("a", "idle", "c"),
        256,
        design=kind,
        block=100,
        rng=4,
    )
    for name in ("S1", "ST", "S1_low", "S1_high", "ST_low", "ST_high"):
        value = float(out[name].sel(driver="idle"))
        assert value == 0.0
        assert math.copysign(1.0, value) == 1.0


# --- the same numbers as SALib and scipy -----------------------------------------------------


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("groups", [None, ["g", "h", "g", "x4"]])
def test_rows_are_salib_s_bit_for_bit(second_order, groups):
    from SALib.sample import sobol as sampler

    names = ["x1", "x2", "x3", "x4"]
    problem = {"num_vars": 4, "names": list(names), "bounds": [[0.0, 1.0]] * 4}
    if groups:
        problem["groups"] = list(groups)
    theirs = sampler.sample(problem, 64, calc_second_order=second_order, seed=5)
    who = design.DriverSet(tuple(names), tuple(groups or names))
    ours = design.draw_design(who, 64, design="sobol", second_order=second_order, seed=5)
    blocks = [ours.block(k, min(k + 37, ours.rows)) for k in range(0, ours.rows, 37)]
    np.testing.assert_array_equal(np.concatenate(blocks), theirs)


@pytest.mark.parametrize("second_order", [False, True])
@pytest.mark.parametrize("groups", [None, ["g", "h", "g"]])
def test_indices_and_resamples_equal_salib_s(second_order, groups):
    from SALib.analyze import sobol as analyzer

    names = ["x1", "x2", "x3"]
    who = design.DriverSet(tuple(names), tuple(groups or names))
    plan = design.draw_design(who, 128, design="sobol", second_order=second_order, seed=6)
    x = (plan.block(0, plan.rows) - 0.5) * 2 * math.pi
    y = np.column_stack([ishigami(x), 1e4 + x @ [1.0, 2.0, 3.0], np.exp(x[:, 0])])
    ours = estimators.estimate(plan, y)
    problem = {"num_vars": 3, "names": names, "bounds": [[0.0, 1.0]] * 3}
    if groups:
        problem["groups"] = list(groups)
    draws = estimators.bootstrap(plan, y, 150, np.random.default_rng(9))
    for k in range(3):
        theirs = analyzer.analyze(
            problem, y[:, k], calc_second_order=second_order, num_resamples=150, keep_resamples=True, seed=9
        )
        np.testing.assert_allclose(ours.s1[:, k], theirs["S1"], atol=1e-10)
        np.testing.assert_allclose(ours.st[:, k], theirs["ST"], atol=1e-10)
        np.testing.assert_allclose(draws[0][:, :, k], theirs["S1_conf_all"], atol=1e-10)
        np.testing.assert_allclose(draws[1][:, :, k], theirs["ST_conf_all"], atol=1e-10)
        if second_order:
            # A driver that does nothing interacts with nothing: exactly 0 here, noise in SALib's S2.
            idle = ours.st[:, k] == 0.0
            still = idle[:, None] | idle[None]
            np.testing.assert_array_equal(ours.s2[:, :, k][np.triu(still, 1)], 0.0)
            both = np.triu(~still, 1)
            np.testing.assert_allclose(ours.s2[:, :, k][both], theirs["S2"][both], atol=1e-10)
            spread = stats.norm.ppf(0.975) * draws[2][:, :, :, k].std(axis=0, ddof=1)
            np.testing.assert_allclose(spread[both], theirs["S2_conf"][both], atol=1e-10)


def test_indices_agree_with_scipy():
    # Same formulas; scipy centres on A and B, SALib on all rows, so S1 differs by the centring
    # times the mean of AB - A (about 1e-5 here); ST, free of centring, by rounding only.
    who = design.DriverSet(("x1", "x2", "x3"), ("x1", "x2", "x3"))
    plan = design.draw_design(who, 2**12, design="sobol", second_order=False, seed=7)
    y = ishigami((plan.block(0, plan.rows) - 0.5) * 2 * math.pi)[:, None]
    a, b, ab, _ = plan.separate(y)
    theirs = stats.sobol_indices(
        func={"f_A": a.T, "f_B": b.T, "f_AB": np.moveaxis(ab, (0, 1, 2), (2, 0, 1))}, n=2**12
    )
    ours = estimators.estimate(plan, y)
    np.testing.assert_allclose(ours.st[:, 0], np.ravel(theirs.total_order), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.s1[:, 0], np.ravel(theirs.first_order), rtol=0, atol=1e-4)
    # With scipy's centring S1 is the same number.
    centre = np.concatenate([a, b]).mean()
    again = ((b - centre) * (ab[:, 0] - a)).mean() / np.concatenate([a, b]).var()
    assert again == pytest.approx(np.ravel(theirs.first_order)[0], abs=1e-6)


# --- outputs, blocks, seeds ------------------------------------------------------------------


def both(x):
    return np.column_stack([x[:, 0] + x[:, 1], x[:, 0] * x[:, 1], 3.0 * x[:, 1]])


def test_several_outputs_equal_each_alone_and_blocks_do_not_matter():
    drivers = uniforms(*"abc")
    whole = sensitivity.sobol(both, drivers, 256, second_order=True, rng=8)
    small = sensitivity.sobol(both, drivers, 256, second_order=True, rng=8, block=77)
    xr.testing.assert_identical(whole, small)
    for k in range(3):
        alone = sensitivity.sobol(lambda x, k=k: both(x)[:, k], drivers, 256, second_order=True, rng=8)
        for name in ("S1", "ST", "S2", "S1_low", "ST_high", "S2_high", "variance"):
            np.testing.assert_allclose(whole[name].isel(output=k), alone[name], atol=1e-10)


def test_blocks_are_bounded_and_every_row_is_evaluated_once():
    sizes = []

    def spy(x):
        sizes.append(x.shape)
        return x[:, 0]

    out = sensitivity.sobol(spy, uniforms(*"abc"), 256, block=100, rng=1)
    assert max(rows for rows, _ in sizes) == 100
    assert sum(rows for rows, _ in sizes) == out.attrs["rows"] == 8 * 256 * 5
    assert all(columns == 3 for _, columns in sizes)


def test_labels_of_a_labelled_output_are_kept_for_the_table():
    stacked = xr.DataArray(
        np.zeros((1, 3)),
        dims=("sample", "pair"),
        coords={
            "pair": ["m1@p", "m2@p", "m1@q"],
            "measure": ("pair", ["m1", "m2", "m1"]),
            "portfolio": ("pair", ["p", "p", "q"]),
        },
    )

    def labelled(x):
        return stacked.isel(sample=np.zeros(len(x), int)).copy(data=both(x))

    out = sensitivity.sobol(labelled, uniforms(*"abc"), 256, rng=8)
    assert out["output"].values.tolist() == ["m1@p", "m2@p", "m1@q"]
    plain = sensitivity.sobol(both, uniforms(*"abc"), 256, rng=8)
    np.testing.assert_array_equal(out["S1"].values, plain["S1"].values)
    table = sensitivity.sobol_table(out)
    assert len(table) == 3 * 3 * 2
    row = table.query("portfolio == 'q' and driver == 'b' and index == 'S1'").iloc[0]
    assert row["measure"] == "m1"
    assert row["value"] == pytest.approx(1.0, abs=0.005)
    assert row["low"] <= row["value"] <= row["high"]
    assert row["n"] == 256
    assert row["replicates"] == 8


def test_a_stacked_measure_array_keeps_its_levels(tmp_path):
    def measure(x):
        grid = np.stack([both(x), 2 + both(x) ** 2], axis=1)
        out = xr.DataArray(
            grid,
            dims=("sample", "portfolio", "criterion"),
            coords={"portfolio": ["p", "q"], "criterion": ["a", "b", "c"], "sample": np.arange(len(x))},
        )
        return out.stack(pair=("portfolio", "criterion"))

    out = sensitivity.sobol(measure, uniforms(*"abc"), 256, rng=8)
    table = sensitivity.sobol_table(out)
    assert set(table["portfolio"]) == {"p", "q"}
    assert set(table["measure"]) == {"a", "b", "c"}
    out.to_netcdf(tmp_path / "sobol.nc")
    xr.testing.assert_allclose(xr.load_dataset(tmp_path / "sobol.nc"), out)


def test_equal_seeds_give_equal_numbers_and_other_seeds_do_not():
    first, again, other = (sensitivity.sobol(ishigami, ISHIGAMI_DRIVERS, 256, rng=seed) for seed in (0, 0, 1))
    xr.testing.assert_identical(first, again)
    assert (first["S1"] != other["S1"]).any()


def test_uniform_rows_never_reach_zero_or_one():
    who = design.DriverSet(("a", "b"), ("a", "b"))
    edge = who.inputs(np.array([[0.0, 1.0]]))
    assert edge.tolist() == [[2.0**-53, 1 - 2.0**-53]]
    normal = design.DriverSet(("a", "b"), ("a", "b"), (stats.norm(), stats.norm()))
    assert np.isfinite(normal.inputs(np.array([[0.0, 1.0]]))).all()


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3), seed=st.integers(0, 2**31))
def test_indices_do_not_change_with_scale_or_shift(scale, shift, seed):
    drivers = uniforms(*"ab")
    plain = sensitivity.sobol(lambda x: x[:, 0] * (1 + x[:, 1]), drivers, 16, rng=seed)
    moved = sensitivity.sobol(lambda x: scale * (shift + x[:, 0] * (1 + x[:, 1])), drivers, 16, rng=seed)
    np.testing.assert_allclose(plain["S1"], moved["S1"], atol=1e-8)
    np.testing.assert_allclose(plain["ST"], moved["ST"], atol=1e-8)


# --- undefined indices and bad input ---------------------------------------------------------


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_a_constant_output_has_undefined_indices_and_says_so(kind):
    def function(x):
        wobble = 0.1 + 0.2 + 0 * x[:, 0] + np.where(x[:, 0] > 0.5, 1e-16, 0.0)
        return np.column_stack([x[:, 0], np.full(len(x), 7.0), wobble])

    out = sensitivity.sobol(function, uniforms(*"ab"), 256, design=kind, rng=1)
    assert out["status"].values.tolist() == [0, 1, 1]
    for name in ("S1", "ST", "S1_low", "ST_high"):
        assert np.isnan(out[name].isel(output=[1, 2])).all()
        assert np.isfinite(out[name].isel(output=0)).all()
    assert "2 of 3 outputs" in out.attrs["note"]
    assert "same in all" in sensitivity.driver_sentence(out, 1)


def test_a_rare_event_absent_from_a_base_sample_is_undefined_not_zero():
    # P(event) = 0.01: with 16 points some of 8 replicates hold none in A and B (seed fixed).
    out = sensitivity.sobol(lambda x: (x[:, 0] * x[:, 1] < 0.0017).astype(float), uniforms(*"ab"), 16, rng=1)
    assert int(out["status"]) == 2
    assert np.isnan(out["S1"]).all()
    assert "cannot be told" in sensitivity.driver_sentence(out)


def test_rows_that_are_not_finite_are_named_with_their_output():
    def broken(x):
        y = both(x)
        y[3, 1] = np.nan
        y[7:20, 2] = np.inf
        return y

    with pytest.raises(InputError) as error:
        sensitivity.sobol(broken, uniforms(*"abc"), 256, block=50, rng=1)
    text = str(error.value)
    assert "output 1 is not finite in 1 rows" in text
    assert "rows 3" in text
    assert "output 2 is not finite in 13 rows" in text
    assert "rows 7, 8, 9, 10, 11 and 8 more" in text


def never(x):
    raise AssertionError("evaluated before validation")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n": 1000}, "N must be a power of two: got 1000; allowed: for example 512 or 1024"),
        ({"n": 0}, "too small: got 0"),
        ({"n": 2.0}, "a whole number"),
        ({"replicates": 4}, "at least 8"),
        ({"level": 95}, "between 0 and 1"),
        ({"design": "halton"}, "unknown design"),
        ({"block": 0}, "key 'block'"),
        ({"drivers": {}}, "none given"),
        ({"drivers": {"a": stats.uniform(0, 1), "b": stats.uniform(2, 0)}}, "key 'b': driver: quantiles"),
        ({"drivers": {"a": stats.binom(1, 0.0)}}, "degenerate"),
        ({"drivers": {"a": stats.norm(0, np.nan)}}, "not finite"),
        ({"drivers": {"a": 3.0}}, "not a frozen distribution"),
        ({"drivers": ["a", "b"]}, "neither a driver table nor a mapping"),
        ({"groups": {"a": "g", "q": "g"}}, "'g' names an unknown driver: got 'q'; allowed: a, b, c"),
        ({"groups": {"g": ["a", "q"]}}, "'g' names an unknown driver"),
        ({"groups": {"g": ["a", "b"], "h": ["b"]}}, "'b' is in two groups"),
        ({"groups": {"a": "b"}}, "bears the name of a driver outside it"),
        ({"groups": True}, "carry no groups"),
        ({"groups": 3}, "True or False or a mapping or None"),
        ({"drivers": {"a": stats.uniform(0, 1)}, "second_order": True}, "at least two"),
    ],
)
def test_bad_input_is_refused_before_any_evaluation(change, text):
    arguments = {"drivers": uniforms(*"abc"), "n": 256} | change
    with pytest.raises(InputError, match=None) as error:
        sensitivity.sobol(never, arguments.pop("drivers"), arguments.pop("n"), **arguments)
    assert text in str(error.value)


def test_duplicate_names_and_all_problems_are_reported_together():
    table = Table({"a": "g"})
    table.names = ("a", "a")
    with pytest.raises(InputError) as error:
        sensitivity.sobol(never, table, 100, level=2.0)
    assert len(error.value.problems) == 3
    assert "name given twice: got 'a'" in str(error.value)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: x[:5, 0], "wrong shape: got (5,)"),
        (lambda x: 1.0, "wrong shape: got ()"),
        (lambda x: x[:, :, None], "wrong shape"),
        (lambda x: x.T, "wrong shape"),
        (lambda x: np.array(["a"] * len(x)), "no real numbers"),
        (lambda x: x[:, : 1 + (len(x) == 256)], "changed its number of outputs"),
    ],
)
def test_a_function_of_the_wrong_shape_is_refused(function, text):
    with pytest.raises(InputError) as error:
        sensitivity.sobol(function, uniforms(*"abc"), 256, rng=1)
    assert text in str(error.value)


# --- words and specs -------------------------------------------------------------------------


def test_the_sentence_ranks_by_total_order_and_names_idle_drivers():
    out = sensitivity.sobol(lambda x: x[:, 0] + 2 * x[:, 1], uniforms("small", "large", "idle"), 256, rng=1)
    text = sensitivity.driver_sentence(out, top=2)
    assert text.index("large 80 %") < text.index("small 20 %")
    assert "idle has no effect at all" in text
    assert "the leading drivers are large" in text
    one = sensitivity.sobol(lambda x: x[:, 0], uniforms("a", "b"), 256, groups={"g": ["a", "b"]}, rng=1)
    assert "the leading group of drivers is g 100 %" in sensitivity.driver_sentence(one)
    assert "95% equal-tailed replicate t intervals, 8 scrambles of N = 256, 10,240 evaluations" in text
    with pytest.raises(InputError, match="no such output"):
        sensitivity.driver_sentence(out, "nothing")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"n": 300}, "for example 256 or 512"),
        ({"n": 128}, "greater than or equal to 256"),
        ({"replicates": 2}, "greater than or equal to 8"),
        ({"measure": ["x"]}, "Extra inputs"),
        ({"measures": []}, "at least 1"),
        ({"measures": ["a", "a"]}, "twice"),
        ({"most": 300}, "for example 256 or 512"),
        ({"most": 0}, "power of two"),
        ({"n": 1024, "most": 512}, "'most' is below 'n', 1024.*got 512; allowed: 1024 or more"),
        ({"top": 0}, "greater than or equal to 1"),
        ({"width": 1.5}, "less than or equal to 1"),
        ({"single_draws": 100}, "greater than or equal to 256"),
        ({"workers": 0}, "greater than or equal to 1"),
    ],
)
def test_spec_refuses(raw, text):
    with pytest.raises(ValueError, match=text):
        sensitivity.SobolSpec.model_validate(raw)


# --- coverage --------------------------------------------------------------------------------


def _coverage(kind, n):
    inside = {"S1": np.zeros(3), "ST": np.zeros(3)}
    truth = {"S1": ISHIGAMI_S1, "ST": ISHIGAMI_ST}
    for seed in range(100):
        out = sensitivity.sobol(ishigami, ISHIGAMI_DRIVERS, n, design=kind, block=2**14, rng=1000 + seed)
        for name, true in truth.items():
            inside[name] += (out[f"{name}_low"] <= true) & (true <= out[f"{name}_high"])
    return inside


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n"), [("random", 2048), ("sobol", 256)])
def test_95_percent_intervals_cover(kind, n):
    # Coverage over 800 other seeds: .940 to .951 (random), over 400: .938 to .972 (sobol). At .94 a
    # count falls below 90 with probability .03, at .97 it is 100 with probability .05: with six
    # indices per design a fresh seed would raise a false alarm in about one run of six. The seeds
    # are fixed, so a failure means that the numbers changed.
    for name, count in _coverage(kind, n).items():
        assert (count >= 90).all(), (name, count)
        assert (count <= 99).all(), (name, count)
