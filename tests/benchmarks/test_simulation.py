"""The portfolio simulation: cells per second, against plain xarray, scaling, workers, and memory.

A cell is a sample, portfolio, pathway, region and period, whether the plan uses it or not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sinkrisk import inputs, portfolio

HERE = Path(__file__).parent
KEPT = ["net", "durable"]
CHINA = ["china_east_coast", "china_southwest"]


def cells(drawn, plans, samples=None):
    sizes = [drawn.sizes[d] for d in ("pathway", "region", "period")]
    return (samples or drawn.sizes["sample"]) * plans.sizes["portfolio"] * int(np.prod(sizes))


@pytest.mark.benchmark(group="simulate, 4,096 draws x named portfolios, two outcomes kept")
@pytest.mark.parametrize("workers", [1, 2], ids=["1 one worker", "2 two workers"])
def test_workers(benchmark, chain, drawn, workers):
    plans = chain["plans"]
    portfolio.simulate(drawn, plans, variables=KEPT)
    benchmark.pedantic(
        portfolio.simulate, (drawn, plans), {"variables": KEPT, "workers": workers}, rounds=5, iterations=1
    )
    benchmark.extra_info["cells"] = cells(drawn, plans)


@pytest.mark.benchmark(group="simulate, 4,096 draws x 100 designed portfolios, two outcomes kept")
@pytest.mark.parametrize("workers", [1, 2], ids=["1 one worker", "2 two workers"])
def test_workers_of_many(benchmark, drawn, workers):
    shares = portfolio.design_portfolios(100, rng=3)
    plans = portfolio.plan(shares, {"near_term": 1.0, "mid_term": 4.0, "long_term": 8.0})
    benchmark.pedantic(
        portfolio.simulate, (drawn, plans), {"variables": KEPT, "workers": workers}, rounds=3, warmup_rounds=1
    )
    benchmark.extra_info["cells"] = cells(drawn, plans)


@pytest.mark.benchmark(group="simulate, time by samples and portfolios")
@pytest.mark.parametrize(
    ("samples", "portfolios"), [(1024, 10), (2048, 10), (4096, 10), (1024, 20), (1024, 40)],
    ids=["1 1,024 x 10", "2 2,048 x 10", "3 4,096 x 10", "4 1,024 x 20", "5 1,024 x 40"],
)  # fmt: skip
def test_linear(benchmark, chain, drawn, samples, portfolios):
    shares = portfolio.design_portfolios(portfolios, rng=3)
    plans = portfolio.plan(shares, {"near_term": 1.0, "mid_term": 4.0, "long_term": 8.0})
    part = drawn.isel(sample=slice(0, samples))
    benchmark.pedantic(
        portfolio.simulate, (part, plans), {"variables": KEPT, "workers": 1}, rounds=5, warmup_rounds=1
    )
    benchmark.extra_info["cells"] = cells(part, plans)


def in_a_process(code: str) -> dict:
    """Run code that prints JSON last, in a process of its own, so that its peak memory is its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=HERE.parents[1],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


PEAK = """
def peak():
    # Of this process alone: what getrusage says is inherited from the parent.
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def forget_peak():
    with open("/proc/self/clear_refs", "w") as handle:
        handle.write("5")
"""

COMPARED = """
import gc, json, time
import numpy as np
from sinkrisk import portfolio
from tests.portfolio.conftest import random_plans
from tests.portfolio.plain_model import plain_simulate
from tests.portfolio.test_plain_model import everything_on

drawn = everything_on({samples}, seed=1)
plans = random_plans(drawn, {portfolios}, seed=2)
small = drawn.isel(sample=slice(0, 8))
portfolio.simulate(small, plans); plain_simulate(small, plans); gc.collect()
forget_peak()
before = peak()
begin = time.perf_counter()
out = {call}
seconds = time.perf_counter() - begin
used = peak() - before
sums = {{name: float(out[name].sum()) for name in ("net", "durable")}}
print(json.dumps({{"seconds": seconds, "mib": used, "sums": sums}}))
"""


@pytest.mark.benchmark(
    group="simulate against plain xarray, 2,048 draws x 8 portfolios, every option on, two outcomes kept"
)
@pytest.mark.parametrize("way", ["1 plain xarray", "2 sinkrisk"])
def test_against_plain(benchmark, way, request):
    plain = "plain_simulate(drawn, plans, ('net', 'durable'))"
    call = plain if way.startswith("1") else "portfolio.simulate(drawn, plans, variables=['net', 'durable'])"
    code = PEAK + COMPARED.format(samples=2048, portfolios=8, call=call)
    found = benchmark.pedantic(in_a_process, (code,), rounds=1, iterations=1)
    told = request.config.stash.setdefault(_TOLD, {})
    told[way] = found
    note = f"{found['seconds']:.2f} s and {found['mib']:.0f} MiB without start-up"
    if len(told) == 2:
        plain, ours = told["1 plain xarray"], told["2 sinkrisk"]
        for name, value in plain["sums"].items():
            assert ours["sums"][name] == pytest.approx(value, rel=1e-9, abs=1e-6)
        note += (
            f"; {plain['seconds'] / ours['seconds']:.1f} times faster, "
            f"{plain['mib'] / max(ours['mib'], 1.0):.1f} times less memory"
        )
    benchmark.extra_info["note"] = note


_TOLD = pytest.StashKey[dict]()

STREAMED = """
import json, tempfile, time
from sinkrisk import inputs, portfolio
registry = inputs.drivers()
drawn = inputs.sample(registry, 100_000, rng=1)
shares = portfolio.design_portfolios(100, rng=3)
plans = portfolio.plan(shares, {"near_term": 1.0, "mid_term": 4.0, "long_term": 8.0})
held = peak() / 1024
begin = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    portfolio.simulate_to_zarr(drawn, plans, folder + "/out.zarr", variables=["net", "durable"])
seconds = time.perf_counter() - begin
cells = 100_000 * 100 * drawn.sizes["pathway"] * drawn.sizes["region"] * drawn.sizes["period"]
print(json.dumps({"seconds": seconds, "rate": cells / seconds, "peak": peak() / 1024, "held": held}))
"""


@pytest.mark.benchmark(group="simulate 1e5 draws x 100 portfolios to Zarr, two outcomes, a new process")
def test_streamed(benchmark, request):
    if request.config.getoption("benchmark_disable"):
        pytest.skip("minutes; only where benchmarks are timed")
    found = benchmark.pedantic(in_a_process, (PEAK + STREAMED,), rounds=1, iterations=1)
    assert found["peak"] < 2.0
    benchmark.extra_info["note"] = (
        f"{found['rate']:.3g} cells/s, peak memory {found['peak']:.2f} GiB "
        f"({found['held']:.2f} GiB of it inputs)"
    )


@pytest.mark.benchmark(group="inputs, restricted and whole, 4,096 rows")
@pytest.mark.parametrize("way", ["1 whole", "2 two regions"])
def test_restricted(benchmark, drawn, way):
    regions = list(map(str, drawn["region"].values)) if way.startswith("1") else CHINA
    benchmark(inputs.restrict, drawn, regions)
