"""What a value and gradient of the annual budget's likelihood costs, by years and by series."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk.budget import banded
from sinkrisk.budget.structure import Process, Structure

SIGNS = {"fossil": 1, "land_use": 1, "ocean": -1, "land": -1, "cement": -1}


def _annual(years, means):
    """Five components, six assessed series with shared-out errors, `means` series of method means."""
    processes, correlations = [], []

    def add(kind, component, profile=1.0):
        correlation = -1
        if kind == "ar":
            correlation = len(correlations)
            correlations.append(component)
        profile = np.broadcast_to(profile, years + (kind == "endpoint")).astype(float)
        place = len(processes)
        processes.append(Process(f"{kind} {place}", kind, "flux", component, profile, place, correlation))
        return place

    slope = (np.arange(years) - years / 2) / 10
    flux = {
        c: [add("constant", c), add("constant", c, slope), add("walk", c)]
        + ([add("white", c)] if c == "land" else [])
        for c in SIGNS
    }
    series = []
    for component in [*SIGNS, "atmosphere"]:
        seen = {add(kind, component): 1 for kind in ("constant", "ar", "white")}
        if component == "atmosphere":
            seen[add("endpoint", component)] = 1
            seen |= {p: sign for c, sign in SIGNS.items() for p in flux[c]}
        else:
            seen |= dict.fromkeys(flux[component], 1)
        series.append(seen)
    for k in range(means):
        component = ("ocean", "land")[k % 2]
        seen = {add(kind, component): 1 for kind in ("constant", "ar")}
        series.append(seen | dict.fromkeys(flux[component], 1))
    loading = np.zeros((len(series), years, len(processes)))
    for k, seen in enumerate(series):
        loading[k, :, list(seen)] = np.array(list(seen.values()), dtype=float)[:, None]
    count = len(series) * years
    rng = np.random.default_rng(1)
    places = np.tile(np.arange(years), len(series))
    structure = Structure(
        years=np.arange(1960, 1960 + years),
        processes=tuple(processes),
        loading=loading.reshape(count, -1),
        start=places,
        end=places,
        y=rng.normal(size=count),
        offset=np.zeros(count),
        noise_variance=np.zeros(count),
        crosses=(),
        coefficients=tuple(p.name for p in processes),
        correlations=tuple(correlations),
    )
    return structure, rng.uniform(0.05, 0.5, len(processes)), rng.uniform(0.2, 0.9, len(correlations))


@pytest.mark.benchmark(group="banded likelihood, value and gradient")
@pytest.mark.parametrize(
    ("years", "means"),
    [(65, 0), (130, 0), (260, 0), (65, 10)],
    ids=["1 65 years", "2 130 years", "3 260 years", "4 65 years, ten method means"],
)
def test_banded(benchmark, years, means):
    structure, coef, rho = _annual(years, means)
    layout = banded.prepare(structure)
    benchmark.extra_info["states per year"] = int(layout.shape[1])
    args = (coef, rho, structure.residual, *layout.arrays)
    benchmark.pedantic(banded.value_and_gradient, args=args, rounds=20, iterations=10, warmup_rounds=1)


@pytest.mark.benchmark(group="banded likelihood, solve")
@pytest.mark.parametrize("years", [65, 130], ids=["1 65 years", "2 130 years"])
def test_solve(benchmark, years):
    structure, coef, rho = _annual(years, 0)
    args = (coef, rho, structure.residual, *banded.prepare(structure).arrays)
    benchmark.pedantic(banded.solve, args=args, rounds=20, iterations=10, warmup_rounds=1)
