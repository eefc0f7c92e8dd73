"""The banded engine against the plain definition: value, gradient, solve, on every kind of structure."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as some
from scipy.stats import multivariate_normal

from sinkrisk.budget import banded
from sinkrisk.budget.structure import Cross, Process, Structure, covariance, design


class Draft:
    """Processes and observations, collected one by one."""

    def __init__(self, years):
        self.years, self.processes, self.rows, self.crosses = years, [], [], []
        self.coef, self.rho = [], []

    def coefficient(self, value):
        self.coef.append(value)
        return len(self.coef) - 1

    def correlation(self, value):
        self.rho.append(value)
        return len(self.rho) - 1

    def add(self, kind, profile=1.0, variance=0.3, rho=None, coefficient=None, correlation=-1):
        if coefficient is None:
            coefficient = self.coefficient(variance)
        if rho is not None:
            correlation = self.correlation(rho)
        profile = np.broadcast_to(profile, self.years + (kind == "endpoint")).astype(float)
        name = f"{kind} {len(self.processes)}"
        self.processes.append(Process(name, kind, "error", "ocean", profile, coefficient, correlation))
        return len(self.processes) - 1

    def see(self, start, end, loadings, noise=0.0):
        self.rows.append((start, end, loadings, noise))

    def build(self, seed=0):
        loading = np.zeros((len(self.rows), len(self.processes)))
        for i, (_, _, loadings, _) in enumerate(self.rows):
            for p, sign in loadings.items():
                loading[i, p] = sign
        start, end, _, noise = zip(*self.rows, strict=True)
        y = np.random.default_rng(seed).normal(size=len(self.rows))
        structure = Structure(
            years=np.arange(1960, 1960 + self.years),
            processes=tuple(self.processes),
            loading=loading,
            start=np.array(start),
            end=np.array(end),
            y=y,
            offset=np.zeros(len(y)),
            noise_variance=np.array(noise, dtype=float),
            crosses=tuple(self.crosses),
            coefficients=tuple(map(str, range(len(self.coef)))),
            correlations=tuple(map(str, range(len(self.rho)))),
        )
        return structure, np.array(self.coef), np.array(self.rho)


def random_draft(seed, years, components, windows, zero_noise):
    """Components with shared and own processes, series with gaps, windows on some of them."""
    rng = np.random.default_rng(seed)
    d = Draft(years)

    def profile(kind="walk"):
        return rng.uniform(0.5, 1.5, years + (kind == "endpoint")) * rng.choice([-1, 1])

    fluxes = []
    for _ in range(components):
        level, slope = d.add("constant"), d.add("constant", np.arange(years) - years / 2, 0.02)
        # A cross within what is positive definite.
        d.crosses.append(Cross(d.coefficient(rng.uniform(-0.9, 0.9) * np.sqrt(0.3 * 0.02)), level, slope))
        fluxes.append([level, slope, d.add("walk", profile())])
        if rng.random() < 0.6:
            # A variance may stand at several places.
            shared_variance = d.processes[int(rng.integers(len(d.processes)))].coefficient
            fluxes[-1].append(d.add("white", profile(), coefficient=shared_variance))
        if rng.random() < 0.4:
            fluxes[-1].append(d.add("ar", profile(), rho=rng.uniform(-0.9, 0.95)))
    shared = d.add("ar", profile(), rho=0.6)
    series = [dict.fromkeys(flux, 1) for flux in fluxes]
    series.append(
        {p: sign for flux, sign in zip(fluxes, rng.choice([-1, 1], components), strict=True) for p in flux}
    )
    series += [dict(series[int(rng.integers(components))]) for _ in range(2)]
    for k, seen in enumerate(series):
        seen[d.add("constant")] = 1
        noise = 0.0
        kind = rng.choice(
            ["ar", "white", "endpoint", "noise"] if zero_noise else ["both", "endpoint", "noise"]
        )
        if kind in ("ar", "both"):
            seen[d.add("ar", profile(), rho=rng.uniform(-0.5, 0.95))] = rng.choice([-1, 1])
        if kind in ("white", "both"):
            seen[d.add("white", profile())] = -1
        if kind == "endpoint":
            seen[d.add("endpoint", profile("endpoint"))] = 1
        if kind in ("endpoint", "noise", "both") or not zero_noise:
            noise = rng.uniform(0.05, 0.5)
        if rng.random() < 0.4:
            seen[shared] = 1
        for year in range(years):
            if rng.random() < 0.75:
                d.see(year, year, seen, noise)
        if k < windows and years > 1:
            for _ in range(2):
                first = int(rng.integers(years - 1))
                d.see(first, int(rng.integers(first + 1, years)), seen, 0.01)
    if not d.rows:
        d.see(0, 0, series[0], 0.1)
    return d.build(seed)


def dense_answers(structure, coef, rho):
    """Value, gradient 0.5 tr((aa' - K^-1) dK) and K^-1 r by the plain definition."""
    k = covariance(structure, coef, rho)
    r, years = structure.residual, len(structure.years)
    inverse = np.linalg.inv(k)
    a = np.linalg.solve(k, r)
    m = 0.5 * (np.outer(a, a) - inverse)
    # K is linear in the coefficients.
    base = covariance(structure, np.zeros_like(coef), rho)
    by_coef = [np.sum(m * (covariance(structure, unit, rho) - base)) for unit in np.eye(len(coef))]
    by_rho = np.zeros(len(rho))
    lags = np.abs(np.subtract.outer(np.arange(years), np.arange(years)))
    for index, process in enumerate(structure.processes):
        if process.kind == "ar":
            d, q = design(structure, index), rho[process.correlation]
            slope = lags * q ** np.maximum(lags - 1, 0)
            by_rho[process.correlation] += coef[process.coefficient] * np.sum(m * (d @ slope @ d.T))
    value = multivariate_normal(np.zeros(len(r)), k).logpdf(r)
    return value, np.array(by_coef), by_rho, a


def check(structure, coef, rho, rtol=1e-8):
    arrays = banded.prepare(structure).arrays
    r = structure.residual
    value, by_coef, by_rho = banded.value_and_gradient(coef, rho, r, *arrays)
    expected, d_coef, d_rho, a = dense_answers(structure, coef, rho)
    np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-9)
    scale = np.abs(coef) + 1e-300
    # A derivative per relative change of its coefficient is what a sampler sees.
    np.testing.assert_allclose(by_coef * scale, d_coef * scale, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(by_rho, d_rho, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(banded.solve(coef, rho, r, *arrays), a, rtol=rtol, atol=rtol * np.abs(a).max())
    return value, by_coef, by_rho


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    seed=some.integers(0, 2**32 - 1),
    years=some.integers(1, 12),
    components=some.integers(1, 3),
    windows=some.integers(0, 3),
    zero_noise=some.booleans(),
)
@example(seed=1, years=1, components=1, windows=0, zero_noise=True)
@example(seed=2, years=30, components=3, windows=3, zero_noise=True)
@example(seed=3, years=30, components=3, windows=6, zero_noise=False)
def test_random_structures_equal_the_plain_definition(seed, years, components, windows, zero_noise):
    check(*random_draft(seed, years, components, windows, zero_noise))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_gradient_equals_central_differences(seed):
    structure, coef, rho = random_draft(seed, 9, 2, 2, seed == 12)
    arrays, r = banded.prepare(structure).arrays, structure.residual

    def value(c, q):
        return banded.value_and_gradient(c, q, r, *arrays)[0]

    _, by_coef, by_rho = banded.value_and_gradient(coef, rho, r, *arrays)
    for k in range(len(coef)):
        step = 1e-5 * np.abs(coef[k]) * np.eye(len(coef))[k]
        slope = (value(coef + step, rho) - value(coef - step, rho)) / (2 * step[k])
        assert by_coef[k] == pytest.approx(slope, rel=1e-5, abs=1e-5)
    for k in range(len(rho)):
        step = 1e-5 * np.eye(len(rho))[k]
        slope = (value(coef, rho + step) - value(coef, rho - step)) / 2e-5
        assert by_rho[k] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def own_error(kind, years=8, noise=0.0, observed=None, window=None):
    """A walk and a level under one series with an error of its own, and a second series of the walk."""
    d = Draft(years)
    flux = {d.add("constant"): 1, d.add("walk", variance=0.05): 1}
    error = d.add(kind, np.linspace(0.5, 1.5, years), 0.2, rho=0.7 if kind == "ar" else None)
    for t in range(years):
        if observed is None or t in observed:
            d.see(t, t, {**flux, error: 1}, noise)
        d.see(t, t, flux, 0.1)
    if window:
        d.see(*window, {**flux, error: 1}, 0.01)
    return d.build()


@pytest.mark.parametrize(
    ("kind", "noise", "observed", "window", "states"),
    [
        ("white", 0.0, None, None, 1),
        ("white", 0.3, None, None, 1),
        ("white", 0.3, None, (2, 5), 2),
        # Without rounding the window takes the annual residuals instead.
        ("white", 0.0, None, (2, 5), 1),
        ("ar", 0.0, None, None, 1),
        ("ar", 0.0, None, (2, 5), 1),
        ("ar", 0.3, None, None, 2),
        ("ar", 0.0, {0, 1, 4, 7}, None, 2),
        ("ar", 0.0, {0, 1, 4}, (3, 7), 2),
        ("ar", 0.0, {3}, None, 1),
    ],
)
def test_states_of_a_year_are_as_few_as_announced_and_the_answer_exact(kind, noise, observed, window, states):
    structure, coef, rho = own_error(kind, noise=noise, observed=observed, window=window)
    assert banded.prepare(structure).shape[1] == states
    check(structure, coef, rho)


def test_an_endpoint_error_ties_two_years():
    d = Draft(7)
    level, bias = d.add("constant"), d.add("constant", variance=0.1)
    walk, ends = d.add("walk", variance=0.05), d.add("endpoint", np.linspace(1.0, 2.0, 8), 0.02)
    for t in range(7):
        d.see(t, t, {level: 1, walk: 1, bias: 1, ends: 1}, 1e-4)
        d.see(t, t, {level: 1, walk: 1}, 0.1)
    d.see(1, 4, {level: 1, walk: 1, bias: 1, ends: 1}, 1e-4)
    check(*d.build())


def test_an_ar_error_beside_noise_in_some_years_only():
    structure, coef, rho = own_error("ar")
    noise = structure.noise_variance.copy()
    noise[[4, 6, 14]] = 0.2
    object.__setattr__(structure, "noise_variance", noise)
    check(structure, coef, rho)


def test_an_ar_error_two_series_share():
    d = Draft(6)
    level, common = d.add("constant"), d.add("ar", rho=0.8)
    own = [d.add("ar", variance=v, rho=q) for v, q in ((0.1, -0.4), (0.2, 0.3))]
    for t in range(6):
        d.see(t, t, {level: 1, common: 1, own[0]: 1})
        d.see(t, t, {level: -1, common: 1, own[1]: -1})
    structure, coef, rho = d.build()
    assert banded.prepare(structure).shape[1] == 1
    check(structure, coef, rho)


def test_constants_alone_windows_alone_and_one_year():
    d = Draft(1)
    level, walk = d.add("constant"), d.add("walk")
    d.see(0, 0, {level: 1, walk: 1}, 0.1)
    check(*d.build())
    d = Draft(6)
    level, walk, white = d.add("constant"), d.add("walk"), d.add("white")
    for first in range(4):
        d.see(first, first + 2, {level: 1, walk: 1, white: 1}, 0.05)
    check(*d.build())


def test_a_cross_with_a_constant_nobody_sees_changes_nothing():
    d = Draft(3)
    seen, unseen = d.add("constant"), d.add("constant")
    d.crosses.append(Cross(d.coefficient(0.1), seen, unseen))
    for t in range(3):
        d.see(t, t, {seen: 1}, 0.1)
    _, by_coef, _ = check(*d.build())
    assert by_coef[1] == by_coef[2] == 0.0


@pytest.mark.parametrize("size", [1e-8, 1e-4, 100.0])
@pytest.mark.parametrize("kind", ["constant", "walk", "ar", "white"])
def test_tiny_and_large_variances(kind, size):
    structure, coef, rho = random_draft(21, 20, 2, 1, False)
    chosen = {p.coefficient for p in structure.processes if p.kind == kind}
    crossed = [c.coefficient for c in structure.crosses]
    coef[crossed] = 0.0
    coef[sorted(chosen)] = size
    check(structure, coef, rho)


def test_negligible_noise_is_dropped_on_request_only():
    structure, coef, rho = own_error("ar", noise=1e-9)
    assert banded.prepare(structure).shape[1] == 2
    layout = banded.prepare(structure, negligible=1e-8)
    assert layout.shape[1] == 1
    value, _, _ = banded.value_and_gradient(coef, rho, structure.residual, *layout.arrays)
    assert value == pytest.approx(dense_answers(structure, coef, rho)[0], rel=1e-6)


@pytest.mark.parametrize("bad", [0.0, -0.1, np.nan, np.inf])
def test_what_is_no_variance_has_no_density(bad):
    structure, coef, rho = random_draft(5, 6, 2, 1, False)
    coef[structure.processes[2].coefficient] = bad
    refuses(structure, coef, rho)


@pytest.mark.parametrize("bad", [1.0, -1.0, 2.0, np.nan])
def test_what_is_no_correlation_has_no_density(bad):
    structure, coef, rho = random_draft(5, 6, 2, 1, False)
    rho[0] = bad
    refuses(structure, coef, rho)


def test_a_covariance_too_large_and_a_missing_value_have_no_density():
    structure, coef, rho = random_draft(5, 6, 2, 1, False)
    refuses(structure.with_values(np.where(np.arange(len(structure.y)) == 1, np.nan, structure.y)), coef, rho)
    coef[structure.crosses[0].coefficient] = 10.0
    refuses(structure, coef, rho)


def refuses(structure, coef, rho):
    arrays = banded.prepare(structure).arrays
    value, by_coef, by_rho = banded.value_and_gradient(coef, rho, structure.residual, *arrays)
    assert value == -np.inf
    assert not by_coef.any()
    assert not by_rho.any()
    assert np.isnan(banded.solve(coef, rho, structure.residual, *arrays)).any()


def test_an_observation_without_any_noise_is_named():
    d = Draft(3)
    level = d.add("constant")
    for t in range(3):
        d.see(t, t, {level: 1}, 0.0 if t == 2 else 0.1)
    structure, _, _ = d.build()
    with pytest.raises(ValueError, match=r"observation 2 \(year 1962\) has neither noise nor"):
        banded.prepare(structure)


def test_an_observation_whose_only_error_another_of_the_year_shares_is_named():
    d = Draft(3)
    level, error = d.add("constant"), d.add("ar", rho=0.5)
    for t in range(3):
        d.see(t, t, {level: 1, error: 1})
        d.see(t, t, {level: -1, error: 1}, 0.1)
    structure, _, _ = d.build()
    with pytest.raises(ValueError, match="observations 0 and 1 \\(year 1960\\) share the process 'ar 1'"):
        banded.prepare(structure)


@numba.njit
def _within(coef, rho, r, arrays):
    return banded.value_and_gradient(coef, rho, r, *arrays)[0] + banded.solve(coef, rho, r, *arrays)[0]


def test_one_compilation_serves_every_structure_and_kernels_call_it():
    compiled = set()
    for seed in (1, 2, 3):
        structure, coef, rho = random_draft(seed, 5, 1, seed, True)
        arrays, r = banded.prepare(structure).arrays, structure.residual
        value, _, _ = banded.value_and_gradient(coef, rho, r, *arrays)
        assert _within(coef, rho, r, arrays) == pytest.approx(value + banded.solve(coef, rho, r, *arrays)[0])
        compiled.add((len(banded.value_and_gradient.signatures), len(banded.solve.signatures)))
    assert len(compiled) == 1


def test_the_same_call_twice_gives_the_same_and_leaves_its_inputs():
    structure, coef, rho = random_draft(7, 10, 2, 2, True)
    arrays, r = banded.prepare(structure).arrays, structure.residual.copy()
    first = banded.value_and_gradient(coef, rho, r, *arrays)
    second = banded.value_and_gradient(coef, rho, r, *arrays)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(r, structure.residual)
    for array in arrays:
        assert array.flags.c_contiguous
        assert array.dtype in (np.int64, np.float64)


def test_years_cost_panels_and_nothing_else():
    sizes = {years: banded.prepare(own_error("ar", years=years, noise=0.1)[0]).shape for years in (20, 80)}
    np.testing.assert_array_equal(sizes[20][1:6], sizes[80][1:6])
