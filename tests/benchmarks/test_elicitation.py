"""What elicitation costs. Figures are kept in RESULTS.md, never asserted.

The first benchmark of a group is its baseline: `tabulate.py` prints the others as ratios to it.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as st

from sinkrisk import priors
from sinkrisk.priors.quantiles import InverseTable


@pytest.fixture(scope="module")
def claims():
    table = priors.load_claims()
    priors.elicit_all(table)
    return table


@pytest.mark.benchmark(group="elicit every pathway and quantity")
@pytest.mark.parametrize(
    "way",
    [
        "1 from scratch",
        "2 from stored parameters",
        "3 from stored parameters, one call each",
        "4 hierarchical pools, stored",
    ],
)
def test_elicit_all(benchmark, claims, way):
    if way.startswith("3"):
        pairs = list(priors.elicit_all(claims))

        def run():
            return [priors.elicit(claims, *pair) for pair in pairs]
    else:
        options = {
            "stored": not way.startswith("1"),
            "pool": "hierarchical" if way.startswith("4") else "linear",
        }

        def run():
            return priors.elicit_all(claims, **options)

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="inverse tables, built once a prior")
@pytest.mark.parametrize(
    ("pathway", "quantity", "pool"),
    [("daccs", "cost", "linear"), ("oae", "trl", "linear"), ("oae", "trl", "hierarchical")],
    ids=["1 three lognormals", "2 two betas", "3 hierarchical, log odds"],
)
def test_inverse_table(benchmark, claims, pathway, quantity, pool):
    found = priors.elicit(claims, pathway, quantity, pool=pool)
    logarithmic = found.scale.name == "log"
    benchmark.pedantic(InverseTable, args=(found.pool,), kwargs={"logarithmic": logarithmic}, rounds=3)


@pytest.mark.benchmark(group="quantiles of a pool, 1e6 values")
@pytest.mark.parametrize(
    "way", ["1 scipy ppf of one beta", "2 two betas pooled", "3 hierarchical", "4 ranges that do not meet"]
)
def test_ppf(benchmark, claims, way):
    u = np.random.default_rng(1).random(1_000_000)
    if way.startswith("1"):
        benchmark.pedantic(st.beta(2.0, 5.0).ppf, args=(u,), rounds=1)
        return
    if way.startswith("4"):
        rows = claims[claims["quantity"] == "cost"].iloc[:2].assign(
            pathway="daccs", basis="net", low=[10.0, 500.0], high=[20.0, 900.0], central=np.nan, interval=0.9,
            source=["ma2025", "bach2023"],
        )  # fmt: skip
        found = priors.elicit(rows, "daccs", "cost")
    else:
        found = priors.elicit(claims, "oae", "trl", pool="hierarchical" if way.startswith("3") else "linear")
    benchmark.pedantic(found.ppf, args=(u,), rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="a user's table of claims")
@pytest.mark.parametrize("way", ["1 load the file", "2 pandera schema alone", "3 check_frame"])
def test_check_frame(benchmark, claims, way):
    schema = priors.frame_schema("claims")
    calls = {
        "1": priors.load_claims,
        "2": lambda: schema.validate(claims, lazy=True),
        "3": lambda: priors.check_frame("claims", claims),
    }
    benchmark.pedantic(calls[way[0]], rounds=3, warmup_rounds=1)
