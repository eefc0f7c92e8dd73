"""What each room costs, and ratios within one run. Figures are kept in RESULTS.md, never asserted.

The first benchmark of a group is its baseline: `tabulate.py` prints the others as ratios to it.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats as st

import sinkrisk
from sinkrisk.risk import smaa
from sinkrisk.sensitivity import sobol

TARGET = {"net_removal": 150.0, "unit": "GtCO2", "year": 2100}


def _python(code):
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.benchmark(group="start-up")
@pytest.mark.parametrize(
    "code",
    ["import numpy", "import numpy, sinkrisk", "from sinkrisk.cli import app"],
    ids=["1 numpy alone", "2 import sinkrisk", "3 command line"],
)
def test_start_up(benchmark, code):
    benchmark.pedantic(_python, args=(code,), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="closed budget, Table 2")
def test_closed_budget(benchmark):
    observations = sinkrisk.load_observations("global")
    benchmark.pedantic(
        sinkrisk.reconcile, args=(observations,), kwargs={"model": "closed", "rng": 1}, rounds=5
    )


@pytest.mark.benchmark(group="elicited quantiles, 1e6 values")
@pytest.mark.parametrize("way", ["1 scipy ppf of one lognormal", "2 pooled, stored inverse table"])
def test_quantiles(benchmark, way):
    u = np.random.default_rng(1).random(1_000_000)
    if way.startswith("1"):
        benchmark.pedantic(st.lognorm(0.4, scale=300.0).ppf, args=(u,), rounds=3)
    else:
        elicited = sinkrisk.elicit(sinkrisk.load_claims(), "daccs", "cost")
        benchmark.pedantic(elicited.ppf, args=(u,), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="network")
@pytest.mark.parametrize("way", ["1 exact marginals of every node", "2 4,096 joint draws from one table"])
def test_network(benchmark, chain, way):
    net = chain["net"]
    if way.startswith("1"):
        benchmark.pedantic(sinkrisk.network.marginals, args=(net,), rounds=3)
    else:
        benchmark.pedantic(
            sinkrisk.network.sample, args=(net, 4096), kwargs={"rng": 1}, rounds=3, warmup_rounds=1
        )


@pytest.mark.benchmark(group="inputs, 4,096 rows")
def test_transform(benchmark, chain):
    u = np.random.default_rng(3).random((4096, len(chain["drivers"])))
    benchmark.pedantic(sinkrisk.inputs.transform, args=(chain["drivers"], u), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="simulate, 4,096 draws x named portfolios")
@pytest.mark.parametrize(
    "block", [4096, 1024, 128], ids=["1 one block", "2 blocks of 1,024", "3 blocks of 128"]
)
def test_simulate(benchmark, chain, drawn, block):
    plans = chain["plans"]
    cells = (
        drawn.sizes["sample"] * plans.sizes["portfolio"] * drawn.sizes["pathway"] * drawn.sizes["region"] * 3
    )
    benchmark.extra_info["cells"] = cells
    benchmark.pedantic(
        sinkrisk.simulate, args=(drawn, plans), kwargs={"block": block}, rounds=3, warmup_rounds=1
    )


@pytest.mark.benchmark(group="measure and rank, 4,096 draws")
@pytest.mark.parametrize("way", ["1 measure", "2 rank"])
def test_measure_and_rank(benchmark, chain, drawn, way):
    outcomes = sinkrisk.simulate(drawn, chain["plans"])
    if way.startswith("1"):
        benchmark.pedantic(
            sinkrisk.measure, args=(outcomes,), kwargs={"target": TARGET}, rounds=3, warmup_rounds=1
        )
    else:
        measures = sinkrisk.measure(outcomes, target=TARGET)
        benchmark.pedantic(sinkrisk.rank, args=(measures,), kwargs={"rng": 1}, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="SMAA, draws x 50 alternatives x 8 criteria")
@pytest.mark.parametrize("draws", [10_000, 100_000], ids=["1 1e4 draws", "2 1e5 draws"])
def test_smaa(benchmark, draws):
    scores = np.random.default_rng(4).random((draws, 50, 8))
    benchmark.pedantic(smaa, args=(scores,), kwargs={"rng": 5}, rounds=2)


def _ishigami(x):
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


@pytest.mark.benchmark(group="Sobol', Ishigami, 8 scrambles")
@pytest.mark.parametrize("n", [1024, 4096], ids=["1 N = 1,024", "2 N = 4,096"])
def test_sobol(benchmark, n):
    x = {name: st.uniform(-np.pi, 2 * np.pi) for name in "abc"}
    benchmark.pedantic(sobol, args=(_ishigami, x, n), kwargs={"rng": 1}, rounds=3, warmup_rounds=1)
