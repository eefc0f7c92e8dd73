"""EVPPI against the closed form of a linear-Gaussian problem, its bracket, and drivers that do nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sinkrisk import risk
from sinkrisk.errors import InputError
from sinkrisk.risk.features import block_features, principal_components, spline_features


def closed_form(mean: float, sd: float) -> float:
    """E[max(B, 0)] - max(E B, 0) for B normal: sd phi(m/sd) - |m| Phi(-|m|/sd) (Raiffa and Schlaifer)."""
    return sd * stats.norm.pdf(mean / sd) - abs(mean) * stats.norm.cdf(-abs(mean) / sd)


def problem(n: int, seed: int, mean: float = 0.3, slopes=(1.0, 0.7)):
    x = np.random.default_rng(seed).standard_normal((n, len(slopes)))
    return np.stack([np.zeros(n), mean + x @ slopes], axis=1), x


@pytest.mark.parametrize("mean", [-0.5, 0.0, 0.3])
@pytest.mark.parametrize("which", [0, 1])
def test_linear_gaussian_problem_has_its_closed_form(mean, which):
    values, x = problem(20_000, 11, mean)
    found = risk.evppi(values, x[:, which], permutations=5, rng=1)
    exact = closed_form(mean, (1.0, 0.7)[which])
    # sd of max(fit, 0) is below 1, so its mean has a standard error of at most .007; the mean that is
    # subtracted is measured on the same draws. Five of them, and the spline's own bias of about
    # features x noise variance / n / (2 sd) < 3e-4.
    assert found.plug_in == pytest.approx(exact, abs=0.036)
    assert found.cross_fitted == pytest.approx(exact, abs=0.036)
    assert found.cross_fitted <= found.plug_in + 4 * found.mc_error
    assert found.plug_in <= found.perfect + 0.01
    assert found.acts


def test_perfect_information_is_the_closed_form_of_the_whole():
    values, x = problem(100_000, 12)
    assert risk.evpi(values) == pytest.approx(closed_form(0.3, float(np.hypot(1.0, 0.7))), abs=0.012)
    both = risk.evppi(values[:20_000], x[:20_000], permutations=3, rng=1)
    assert both.kind == "block"
    assert both.plug_in == pytest.approx(both.perfect, abs=0.01)


def test_a_block_is_worth_its_values_and_not_its_row_number():
    # Ten correlated variables, 2000 draws of them: the second alternative is worth a sum of theirs.
    rng = np.random.default_rng(13)
    mixing = rng.standard_normal((10, 10))
    block = rng.standard_normal((2000, 10)) @ mixing * np.geomspace(1e-3, 1e3, 10)
    scale = block.std(axis=0)
    known = (block / scale) @ rng.standard_normal(10)
    known = 2.2 * known / known.std()
    values = np.stack([np.zeros(2000), known + rng.standard_normal(2000)], axis=1)
    exact = closed_form(0.0, 2.2)
    found = risk.evppi(values, block, permutations=20, rng=1)
    # sd of max(known, 0) is 1.3, its standard error .029; four of them.
    assert found.plug_in == pytest.approx(exact, abs=0.12)
    assert found.cross_fitted == pytest.approx(exact, abs=0.12)
    assert found.acts
    row = risk.evppi(values, np.arange(2000.0), permutations=20, rng=1)
    assert row.plug_in < 0.25 * exact
    assert not row.acts
    with pytest.raises(InputError, match=r"too many states: got 2000.*not by the row it picks"):
        risk.evppi(values, np.arange(2000))


def test_units_of_the_driver_do_not_matter():
    values, x = problem(1500, 14)
    plain = risk.evppi(values, x[:, 0], permutations=5, rng=2)
    moved = risk.evppi(values, 1e6 * x[:, 0] - 3e7, permutations=5, rng=2)
    assert moved.plug_in == pytest.approx(plain.plug_in, rel=1e-6)
    scaled = risk.evppi(3.0 * values + 5.0, x[:, 0], permutations=5, rng=2)
    for name in ("plug_in", "cross_fitted", "mc_error", "floor", "perfect"):
        assert getattr(scaled, name) == pytest.approx(3.0 * getattr(plain, name), rel=1e-6, abs=1e-9)


def test_a_bent_effect_is_seen_where_a_line_sees_nothing():
    x = np.random.default_rng(15).standard_normal(8000)
    values = np.stack([np.zeros(8000), x**2 - 1.0], axis=1)
    # E[max(x^2 - 1, 0)] = 2 phi(1), by parts.
    found = risk.evppi(values, x, permutations=5, rng=1)
    assert found.plug_in == pytest.approx(2.0 * stats.norm.pdf(1.0), abs=0.08)
    block = risk.evppi(values, np.stack([x, np.ones(8000)], axis=1), permutations=5, rng=1)
    assert block.plug_in == pytest.approx(2.0 * stats.norm.pdf(1.0), abs=0.08)


def test_the_bracket_holds_the_truth_on_average():
    exact = closed_form(0.1, 0.3)
    plug, crossed = [], []
    for seed in range(200):
        values, x = problem(60, 1000 + seed, 0.1, (0.3, 1.0))
        found = risk.evppi(values, x[:, 0], permutations=1, rng=seed)
        plug.append(found.plug_in)
        crossed.append(found.cross_fitted)
    for got, sign in ((plug, 1.0), (crossed, -1.0)):
        error = np.std(got) / np.sqrt(len(got))
        assert sign * (np.mean(got) - exact) > 3.0 * error


@pytest.mark.parametrize("kind", ["scalar", "states", "block"])
def test_a_driver_that_does_nothing_never_acts(kind):
    """Exceeding the floor has probability 1/101 each; four or more of 60 then has 3e-3, seeds fixed."""
    rng = np.random.default_rng(16)
    acts = 0
    for seed in range(60):
        values, _ = problem(250, 2000 + seed, 0.1)
        driver = {
            "scalar": rng.standard_normal(250),
            "states": rng.integers(4, size=250),
            "block": rng.standard_normal((250, 3)),
        }[kind]
        acts += risk.evppi(values, driver, permutations=100, rng=seed).acts
    assert acts <= 3


@pytest.mark.parametrize("driver", [np.full(300, 2.5), np.ones(300, dtype=int), np.full((300, 2), 7.0)])
def test_a_constant_driver_is_worth_exactly_nothing(driver):
    found = risk.evppi(problem(300, 17)[0], driver, permutations=3, rng=1)
    assert (found.plug_in, found.floor, found.acts) == (0.0, 0.0, False)
    assert found.cross_fitted <= 0.0


def test_states_agree_with_group_means():
    values, x = problem(900, 18)
    states = np.digitize(x[:, 0], [-0.5, 0.5])
    found = risk.evppi(values, states, permutations=5, rng=1)
    means = np.array([values[states == k].mean(axis=0).max() for k in range(3)])
    exact = np.bincount(states) / 900 @ means - values.mean(axis=0).max()
    assert found.plug_in == pytest.approx(exact, abs=1e-8)
    words = risk.evppi(values, np.array(["a", "b", "c"])[states], permutations=5, rng=1)
    assert words == found
    assert risk.evppi_states(values, states, rng=1).plug_in == pytest.approx(found.plug_in, abs=1e-8)


def test_weights_equal_repetition():
    values, x = problem(80, 19)
    counts = np.random.default_rng(1).integers(1, 4, 80)
    states = (x[:, 0] > 0).astype(int)
    weighted = risk.evppi(values, states, probability=counts / counts.sum(), permutations=1, rng=1)
    repeated = risk.evppi(np.repeat(values, counts, axis=0), np.repeat(states, counts), permutations=1, rng=1)
    assert weighted.plug_in == pytest.approx(repeated.plug_in, abs=1e-9)
    assert weighted.perfect == pytest.approx(repeated.perfect, abs=1e-12)


def test_one_alternative_leaves_nothing_to_choose():
    found = risk.evppi(problem(100, 20)[0][:, 1:], problem(100, 20)[1][:, 0], permutations=2, rng=1)
    assert (found.plug_in, found.cross_fitted, found.perfect) == (0.0, 0.0, 0.0)


def test_same_seed_same_value():
    values, x = problem(200, 21)
    assert risk.evppi(values, x, rng=3) == risk.evppi(values, x, rng=3)


def test_splines_span_cubics_and_components_are_uncorrelated():
    x = np.random.default_rng(2).gamma(2.0, size=400)
    basis = np.column_stack([np.ones(400), spline_features(x, 6)])
    assert basis.shape == (400, 7)
    for power in range(4):
        left = x**power - basis @ np.linalg.lstsq(basis, x**power, rcond=None)[0]
        assert np.abs(left).max() < 1e-8 * (x**power).max()
    block = np.random.default_rng(3).standard_normal((400, 3)) @ np.array([[1.0, 2, 0], [0, 1, 0], [0, 0, 0]])
    parts = principal_components(block)
    assert parts.shape == (400, 2)
    np.testing.assert_allclose(parts.T @ parts / 400, np.eye(2), atol=1e-9)
    # More variables than draws: never more components than draws allow.
    assert principal_components(np.random.default_rng(4).random((8, 30))).shape[1] <= 7
    assert np.isfinite(block_features(block, 4)).all()


@pytest.mark.parametrize(
    ("driver", "further", "message"),
    [
        (np.zeros(9), {}, r"driver: got '\(9,\)'; allowed: \(10,\) or \(10, variable\)"),
        (np.r_[np.nan, np.zeros(9)], {}, "driver is not finite: got 'draw 0'"),
        (np.zeros(10), {"kind": "blok"}, "unknown kind of driver.*did you mean 'block'"),
        (np.zeros(10), {"kind": "block"}, "a block driver has the wrong number of axes"),
        (np.array(list("abcdefghij")), {"kind": "scalar"}, "a scalar driver must be numbers"),
        (np.zeros(10), {"folds": 1, "permutations": 0, "flexibility": 2}, "3 problems"),
        (np.zeros(10), {"probability": np.zeros(10)}, "do not sum to 1"),
    ],
)
def test_bad_arguments_are_named(driver, further, message):
    with pytest.raises(InputError, match=message):
        risk.evppi(np.zeros((10, 2)), driver, **further)
