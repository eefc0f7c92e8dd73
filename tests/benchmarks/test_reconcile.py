"""Sampling the annual budget: effective draws per second, cold and warm times, a whole workbook.

The first case of a group is its baseline; the notes hold what a time alone does not say. "Compiled"
leaves compilation apart, "cold" includes it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import arviz_stats as az
import numpy as np
import pytest

import sinkrisk
from sinkrisk.budget import sampling
from sinkrisk.budget.conditional import draw_conditional
from sinkrisk.budget.direct import make_direct_model, sample_compiled
from sinkrisk.budget.direct_plan import plan_direct
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.labelling import fluxes

SIZE = {"draws": 1000, "tune": 1000, "chains": 4}

WORKBOOK = """
import time
start = time.perf_counter()
import sinkrisk
table = sinkrisk.load_observations({path!r})
tree = sinkrisk.reconcile(table, series={series!r}, rng=1)
seconds = time.perf_counter() - start
# Of this process alone: what getrusage says is inherited from the parent.
lines = open("/proc/self/status").read().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(seconds, peak / 2**20)
"""


def smallest_ess(likelihood, sampled, conditional):
    """Smallest bulk ESS of any parameter and any annual flux."""
    chains, draws = next(iter(sampled.values.values())).shape[:2]
    flux = fluxes(likelihood.annual, conditional).reshape(chains, draws, -1)
    arrays = np.concatenate([likelihood.pack(sampled.values), flux], axis=-1)
    return float(az.ess(np.moveaxis(arrays, -1, 0), chain_axis=1, draw_axis=2, method="bulk").min())


@pytest.fixture(scope="module")
def table_2():
    return prepare_likelihood(sinkrisk.load_observations("global"))[1]


def run_marginal(likelihood):
    sampling._compiled.clear()
    start = time.perf_counter()
    sampling.compiled_model(likelihood)
    compilation, start = time.perf_counter() - start, time.perf_counter()
    sampled = sampling.sample_parameters(likelihood, generator=np.random.default_rng(1), **SIZE)
    flat = {name: v.reshape(-1, v.shape[-1]) for name, v in sampled.values.items()}
    drawn = draw_conditional(
        likelihood, *likelihood.annual.parameters.evaluate(flat), np.random.default_rng(2)
    )
    return compilation, time.perf_counter() - start, sampled, drawn


def run_direct(likelihood):
    import nutpie

    start = time.perf_counter()
    plan = plan_direct(likelihood.annual)
    compiled = nutpie.compile_pymc_model(make_direct_model(likelihood, plan))
    compilation, start = time.perf_counter() - start, time.perf_counter()
    sampled, drawn = sample_compiled(likelihood, plan, compiled, generator=np.random.default_rng(1), **SIZE)
    return compilation, time.perf_counter() - start, sampled, drawn


@pytest.fixture(scope="module")
def rates():
    """What each way reached, for the ratio in the last note."""
    return {}


@pytest.mark.benchmark(group="Table 2, all processes by NUTS or integrated out, with compilation")
@pytest.mark.parametrize("way", ["1 direct", "2 marginal"])
def test_effective_draws(benchmark, table_2, rates, way):
    run = run_direct if way.startswith("1") else run_marginal
    compilation, seconds, sampled, drawn = benchmark.pedantic(run, args=(table_2,), rounds=1)
    ess = smallest_ess(table_2, sampled, drawn)
    rates[way[2:]] = {"compiled": ess / seconds, "cold": ess / (compilation + seconds)}
    note = (
        f"compilation {compilation:.1f} s, sampling {seconds:.1f} s, "
        f"{int(sampled.stats['diverging'].sum())} divergences, smallest bulk ESS {ess:.0f}, "
        f"{ess / seconds:.1f}/s"
    )
    if len(rates) == 2:
        for kind in ("compiled", "cold"):
            ratio = rates["marginal"][kind] / rates["direct"][kind]
            benchmark.extra_info[f"ESS per second over direct, {kind}"] = ratio
            note += f"; {ratio:.0f} times direct's ESS/s {kind}"
    benchmark.extra_info["note"] = note


@pytest.mark.benchmark(group="reconcile, Table 2, four chains of 1,000")
@pytest.mark.parametrize("way", ["1 cold: a new process, nothing compiled before", "2 warm"])
def test_table_2(benchmark, way, tmp_path):
    if way.startswith("1"):
        # An empty cache of compiled kernels: what a first run on a machine waits for.
        empty = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        code = "import sinkrisk; sinkrisk.reconcile(sinkrisk.load_observations('global'), rng=1)"
        benchmark.pedantic(
            subprocess.run,
            args=([sys.executable, "-c", code],),
            kwargs={"check": True, "capture_output": True, "env": empty},
            rounds=1,
        )
    else:
        table = sinkrisk.load_observations("global")
        benchmark.pedantic(sinkrisk.reconcile, args=(table,), kwargs={"rng": 1}, rounds=2, warmup_rounds=1)


@pytest.mark.benchmark(group="reconcile, workbook of the 2024 release, a new process")
@pytest.mark.parametrize("series", ["1 assessed", "2 members"])
def test_workbook(benchmark, series):
    beside = Path(sinkrisk.__file__).parents[2] / "shared"
    folder = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "gcb"
    books = sorted(folder.glob("*2024*.xlsx"))
    if not books:
        pytest.skip(
            "the official workbooks are not here; set SINKRISK_SHARED to the folder that holds data/gcb"
        )
    code = WORKBOOK.format(path=str(books[0]), series=series[2:])
    done = benchmark.pedantic(
        subprocess.run,
        args=([sys.executable, "-c", code],),
        kwargs={"check": True, "capture_output": True, "text": True},
        rounds=1,
    )
    memory = float(done.stdout.split()[-1])
    benchmark.extra_info["memory, GiB"] = memory
    benchmark.extra_info["note"] = f"peak memory {memory:.2f} GiB"
