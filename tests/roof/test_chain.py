"""The chain as a whole against independent estimates: what no single room can test."""

from __future__ import annotations

import numpy as np
import pytest

import sinkrisk
from sinkrisk.risk import smaa

TARGET = {"net_removal": 150.0, "unit": "GtCO2", "year": 2100}
TOTAL = {"near_term": 1.0, "mid_term": 4.0, "long_term": 8.0}


@pytest.fixture(scope="module")
def chain():
    """Drivers, plans of three portfolios, and the function from u to net removal (rows, portfolio)."""
    tree = sinkrisk.reconcile(sinkrisk.load_observations("global"), model="closed", rng=1)
    registry = sinkrisk.inputs.drivers(budget=tree, network=sinkrisk.network.load())
    names = ["nature_first", "phased", "daccs_only"]
    plans = sinkrisk.portfolio.plan(sinkrisk.portfolio.load_portfolios(names=names), TOTAL)

    def net_removal(u):
        outcomes = sinkrisk.simulate(sinkrisk.inputs.transform(registry, u), plans)
        measures = sinkrisk.measure(outcomes, target=TARGET)
        return measures.sel(criterion="net_removal_2100").transpose("sample", "portfolio").values

    return registry, names, net_removal


@pytest.mark.slow
def test_group_indices_equal_an_independent_estimate(chain):
    """Pick-freeze on independent uniforms: no Sobol' points, no SALib, no shared code.

    ST = E[(f(A) - f(A with the group from B))^2] / (2 Var), S1 by the covariance form. With 8,192
    rows the standard error is taken from the terms; 5 of them over 18 comparisons: false-alarm rate
    below 2e-5 plus the replicate interval's own, which enters the same bound.
    """
    registry, names, function = chain
    n = 8192
    rng = np.random.default_rng(11)
    a, b = rng.random((n, len(registry))), rng.random((n, len(registry)))
    fa, fb = function(a), function(b)
    variance = np.concatenate([fa, fb]).var(axis=0)
    mean = np.concatenate([fa, fb]).mean(axis=0)
    indices = sinkrisk.sensitivity.sobol(function, registry, 256, replicates=8, rng=5)
    for group in ("budget", "growth", "potential"):
        mixed = a.copy()
        columns = [i for i, name in enumerate(registry.names) if registry.groups[name] == group]
        mixed[:, columns] = b[:, columns]
        fm = function(mixed)
        total = (fa - fm) ** 2 / 2 / variance
        first = (fb - mean) * (fm - fa) / variance
        for index, terms in (("ST", total), ("S1", first)):
            estimate = indices[index].sel(driver=group).values
            half = (indices[f"{index}_high"] - indices[f"{index}_low"]).sel(driver=group).values / 2
            error = np.hypot(5 * terms.std(axis=0) / np.sqrt(n), 2.1 * half)
            assert (np.abs(estimate - terms.mean(axis=0)) <= error).all(), (group, index, names)


def test_a_group_that_the_portfolio_cannot_feel_has_indices_of_exactly_zero(chain):
    """Direct air capture alone stores in the ground: the land sink cannot matter to it."""
    registry, names, function = chain
    indices = sinkrisk.sensitivity.sobol(function, registry, 256, replicates=8, rng=6)
    daccs = names.index("daccs_only")
    assert indices["ST"].sel(driver="budget").values[daccs] == 0.0
    assert indices["S1"].sel(driver="budget").values[daccs] == 0.0
    assert indices["ST"].sel(driver="budget").values[names.index("nature_first")] > 0.0


def test_rows_do_not_depend_on_their_block(chain):
    registry, _, function = chain
    u = np.random.default_rng(3).random((96, len(registry)))
    np.testing.assert_array_equal(function(u)[40:60], function(u[40:60]))


def test_the_land_sink_posterior_moves_nature_and_nothing_else(chain):
    """Fix everything at its median but the budget draw: nature follows the land sink, monotonically."""
    registry, names, function = chain
    u = np.full((9, len(registry)), 0.5)
    u[:, registry.index("budget_draw")] = np.linspace(0.05, 0.95, 9)
    removal = function(u)
    nature = removal[:, names.index("nature_first")]
    assert (np.diff(nature) > 0).all()
    assert np.ptp(removal[:, names.index("daccs_only")]) == 0.0


def test_rank_equals_smaa_by_hand_on_the_chain(chain):
    """Acceptabilities from `rank` against weights drawn and scores compared in plain numpy."""
    registry, _, _ = chain
    names = ["nature_first", "phased", "daccs_only"]
    plans = sinkrisk.portfolio.plan(sinkrisk.portfolio.load_portfolios(names=names), TOTAL)
    drawn = sinkrisk.inputs.sample(registry, 1024, rng=7)
    measures = sinkrisk.measure(sinkrisk.simulate(drawn, plans), target=TARGET)
    chosen = measures.sel(criterion=["sequestration_rate", "ecological_risk"])
    ranking = sinkrisk.rank(chosen, rng=8)
    rng = np.random.default_rng(9)
    scores = chosen.transpose("sample", "portfolio", "criterion").values
    low, high = np.quantile(scores.reshape(-1, 2), [0.05, 0.95], axis=0)
    value = (scores - low) / (high - low) * np.array([1.0, -1.0])
    first = np.zeros(3)
    for _ in range(40):
        weights = rng.dirichlet([1.0, 1.0], size=1024)
        best = np.argmax(np.einsum("spc,sc->sp", value, weights), axis=1)
        first += np.bincount(best, minlength=3)
    first /= first.sum()
    # 1,024 draws shared by both; only the weights differ. 4 standard errors of the weights' part.
    np.testing.assert_allclose(
        ranking["rank_acceptability"].isel(rank=0), first, atol=4 * 0.5 / np.sqrt(1024)
    )
    direct = smaa(value, rng=10)
    np.testing.assert_allclose(direct["rank_acceptability"][:, 0], first, atol=4 * 0.5 / np.sqrt(1024))
