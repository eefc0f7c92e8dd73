"""Sobol' analysis of many outputs at once against SALib called for each, and what the rest costs.

Figures are kept in RESULTS.md, never asserted; the first benchmark of a group is its baseline.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import scipy.stats as st
import xarray as xr

from sinkrisk import sensitivity
from sinkrisk.sensitivity import design, estimators

DRIVERS, N, OUTPUTS, RESAMPLES = 40, 4096, 20, 200
NAMES = tuple(f"x{k}" for k in range(DRIVERS))


@pytest.fixture(scope="module")
def evaluated():
    who = design.DriverSet(NAMES, NAMES)
    plan = design.draw_design(who, N, design="qmc", second_order=False, seed=3)
    g = np.random.default_rng(1)
    x = plan.block(0, plan.rows)
    y = np.sin(3 * x) @ g.normal(size=(DRIVERS, OUTPUTS))
    return plan, y + (x[:, :20] * x[:, 20:]) @ g.normal(size=(20, OUTPUTS))


def by_salib(y):
    from SALib.analyze import sobol as analyzer

    problem = {"num_vars": DRIVERS, "names": list(NAMES), "bounds": [[0.0, 1.0]] * DRIVERS}
    return [
        analyzer.analyze(
            problem, y[:, k], calc_second_order=False, num_resamples=RESAMPLES, keep_resamples=True, seed=9
        )
        for k in range(OUTPUTS)
    ]


def by_sinkrisk(plan, y):
    found = estimators.estimate(plan, y)
    drawn = estimators.bootstrap(plan, y, RESAMPLES, np.random.default_rng(9))
    return found, drawn, [estimators.percentile_interval(part, 0.95) for part in drawn[:2]]


GROUP = "Sobol' analysis: 40 drivers, N = 4,096, S1 and ST, 200 bootstraps, 20 outputs"


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("way", ["1 SALib, output by output", "2 all outputs at once"])
def test_sobol_analysis(benchmark, evaluated, way):
    plan, y = evaluated
    if way.startswith("1"):
        benchmark.pedantic(by_salib, args=(y,), rounds=1)
        return
    benchmark.pedantic(by_sinkrisk, args=(plan, y), rounds=3, warmup_rounds=1)
    began = time.perf_counter()
    theirs = by_salib(y)
    middle = time.perf_counter()
    found, drawn, _ = by_sinkrisk(plan, y)
    ended = time.perf_counter()
    gap = max(
        np.abs(ours - np.stack([one[key] for one in theirs], axis=-1)).max()
        for ours, key in (
            (found.s1, "S1"), (found.st, "ST"), (drawn[0], "S1_conf_all"), (drawn[1], "ST_conf_all"),
        )
    )  # fmt: skip
    ratio = (middle - began) / (ended - middle)
    benchmark.extra_info["note"] = (
        f"{ratio:.0f} times SALib's speed in the same run; largest difference {gap:.1e}"
    )


@pytest.mark.benchmark(group="Sobol' analysis, 300 drivers, N = 512, 8 scrambles, 20 outputs: model and all")
def test_many_drivers(benchmark):
    weights = np.random.default_rng(2).normal(size=(300, OUTPUTS))
    drivers = {f"x{k}": st.uniform(0, 1) for k in range(300)}
    benchmark.pedantic(
        sensitivity.sobol, args=(lambda x: x @ weights, drivers, 512), kwargs={"rng": 1}, rounds=1
    )


@pytest.mark.benchmark(
    group="driver ranking of the chain by group, N = 256, 8 scrambles, all outputs at once"
)
@pytest.mark.parametrize("workers", [1, 2], ids=["1 one thread", "2 two threads"])
def test_driver_ranking(benchmark, chain, workers):
    import sinkrisk

    plans, target = chain["plans"], {"net_removal": 150.0, "unit": "GtCO2", "year": 2100}
    decision = {"carbon_value": 200.0, "shortfall_penalty": 600.0}

    def function(u):
        outcomes = sinkrisk.simulate(sinkrisk.inputs.transform(chain["drivers"], u), plans)
        measures = sinkrisk.measure(outcomes, target=target)
        # Undefined where nothing durable is stored.
        kept = [str(c) for c in measures["criterion"].values if str(c) != "cost_per_durable_tonne"]
        return sensitivity.stack_outputs(
            measures,
            sinkrisk.portfolio.net_benefit(outcomes, target=target, decision=decision),
            criteria=kept,
            missed="shortfall",
        )

    def ranking():
        found = sensitivity.sobol(function, chain["drivers"], 256, workers=workers, rng=1)
        return found, sensitivity.driver_ranks(found)

    found, _ = benchmark.pedantic(ranking, rounds=1)
    benchmark.extra_info["note"] = f"{found.attrs['rows']:,} rows, {found.sizes['output']} outputs"


@pytest.mark.benchmark(
    group="given-data indices: 10 drivers, 5 outputs, 4,000 draws, 100 shuffles, 30 halves"
)
@pytest.mark.parametrize("method", ["rank", "pawn", "delta", "hsic"])
def test_given_data(benchmark, method):
    x = np.random.default_rng(3).standard_normal((4000, 10))
    y = xr.DataArray(x @ np.random.default_rng(4).normal(size=(10, 5)), dims=("sample", "output"))
    drivers = {f"x{k}": x[:, k] for k in range(10)}
    benchmark.pedantic(
        sensitivity.given_data_indices, args=(y, drivers), kwargs={"methods": [method]}, rounds=1
    )


@pytest.mark.benchmark(group="Shapley effects: 4 inputs, 4,000 draws")
@pytest.mark.parametrize("way", ["linear", "neighbours"])
def test_shapley(benchmark, way):
    x = np.random.default_rng(5).standard_normal((4000, 4))
    drivers = {f"x{k}": x[:, k] for k in range(4)}
    benchmark.pedantic(
        sensitivity.shapley_effects, args=(x.sum(axis=1), drivers), kwargs={"estimator": way}, rounds=1
    )
