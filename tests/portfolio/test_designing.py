"""Designed portfolios: uniform where they say so, exact where they can be, the same for the same seed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio import simplex

FOUR = ["forests", "daccs", "oae", "beccs"]


@pytest.mark.parametrize("smooth", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("method", ["dirichlet", "sobol"])
def test_shares_of_every_period_are_uniform_on_the_simplex(method, smooth):
    n = 2000
    share = portfolio.design_portfolios(n, FOUR, method=method, smooth=smooth, rng=11)["share"]
    np.testing.assert_allclose(share.sum("pathway"), 1.0, rtol=1e-12)
    assert (share >= 0.0).all()
    # A coordinate of Dirichlet(1, 1, 1, 1) is Beta(1, 3), the sum of two Beta(2, 2). Kolmogorov-Smirnov
    # at 1e-5: 18 tests each, so at most 18 x 6 x 1e-5 = .1 % false alarms over all cases; Sobol' points
    # lie closer to the distribution than independent ones.
    for values in share.transpose("period", "pathway", "portfolio").values:
        for one in values:
            assert stats.kstest(one, stats.beta(1, 3).cdf).pvalue > 1e-5
        for i, j in ((0, 1), (1, 2)):
            assert stats.kstest(values[i] + values[j], stats.beta(2, 2).cdf).pvalue > 1e-5


def test_breaking_the_stick_keeps_volume():
    # Rosenblatt's transformation of Dirichlet(1) turned back gives the uniform numbers again.
    u = np.random.default_rng(3).random((200, 4))
    x = simplex.break_stick(u)
    left = np.cumsum(x[:, ::-1], axis=1)[:, ::-1]
    back = np.column_stack([1.0 - (left[:, i + 1] / left[:, i]) ** (4 - i) for i in range(4)])
    np.testing.assert_allclose(back, u, atol=1e-10)


def test_smoothness_is_the_correlation_of_amounts():
    # Amounts are Gamma(1), shares those over their sum; at .7 shares of successive periods correlate
    # about as much. A correlation of 4000 pairs has a standard error below .016: .1 are 6 of them.
    near = portfolio.design_portfolios(4000, FOUR, method="dirichlet", smooth=0.7, rng=2)["share"].values
    rough = portfolio.design_portfolios(4000, FOUR, method="dirichlet", smooth=0.0, rng=2)["share"].values
    assert np.corrcoef(near[:, 0, 0], near[:, 0, 1])[0, 1] == pytest.approx(0.7, abs=0.1)
    assert abs(np.corrcoef(rough[:, 0, 0], rough[:, 0, 1])[0, 1]) < 0.1
    # Two steps on the correlation is squared.
    assert np.corrcoef(near[:, 0, 0], near[:, 0, 2])[0, 1] == pytest.approx(0.49, abs=0.1)


def test_a_smooth_design_is_the_same_mix_throughout():
    share = portfolio.design_portfolios(64, FOUR, rng=1)["share"]
    assert (share == share.isel(period=0)).all()


@pytest.mark.parametrize(("parts", "steps"), [(2, 5), (3, 4), (4, 3)])
def test_a_lattice_holds_every_mix_of_its_step_once(parts, steps):
    points = simplex.lattice(parts, steps)
    by_hand = {k for k in itertools.product(range(steps + 1), repeat=parts) if sum(k) == steps}
    assert {tuple(k) for k in np.rint(points * steps).astype(int).tolist()} == by_hand
    assert len(points) == len(by_hand) == math.comb(steps + parts - 1, parts - 1)
    np.testing.assert_allclose(points * steps, np.rint(points * steps), atol=1e-12)
    assert simplex.mean_nearest_distance(points) == pytest.approx(math.sqrt(2.0) / steps)
    assert simplex.finest_lattice(parts, len(points)) == steps
    assert simplex.finest_lattice(parts, len(points) - 1) == steps - 1


def test_a_rough_lattice_visits_every_mix_in_every_period():
    share = portfolio.design_portfolios(100, FOUR, method="lattice", smooth=0.0, rng=4)["share"]
    rows = [sorted(map(tuple, share.sel(period=q).values.round(9).tolist())) for q in share["period"].values]
    assert rows[0] == rows[1] == rows[2]
    assert not np.array_equal(share.isel(period=0), share.isel(period=1))


def test_sobol_leaves_fewer_holes_than_chance():
    # Points at random cluster: their nearest neighbours are nearer. 6 seeds each, all the same way.
    for seed in range(6):
        spread = [
            portfolio.design_portfolios(1000, FOUR, method=m, rng=seed).attrs["mean_nearest_distance"]
            for m in ("dirichlet", "sobol")
        ]
        assert spread[1] > 1.1 * spread[0]


def test_thousands_of_portfolios_of_all_pathways_are_labelled_and_planned():
    design = portfolio.design_portfolios(3000, rng=5)
    assert dict(design["share"].sizes) == {"portfolio": 3000, "pathway": 15, "period": 3}
    assert design["portfolio"].values[[0, -1]].tolist() == ["design_0001", "design_3000"]
    assert design.indexes["portfolio"].is_unique
    assert design["name"].values[0] == "Design 0001"
    first = design["share"].isel(portfolio=0, period=0)
    assert (
        design["description"].values[0].startswith(str(first["pathway"].values[int(first.values.argmax())]))
    )
    plans = portfolio.plan(design, {"near_term": 1.0, "mid_term": 2.0, "long_term": 3.0})
    np.testing.assert_allclose(plans["planned"].sum("pathway"), np.tile([1.0, 2.0, 3.0], (3000, 1)))


@pytest.mark.parametrize(("method", "smooth"), [("dirichlet", 0.5), ("sobol", 0.5), ("lattice", 0.0)])
def test_equal_seeds_give_equal_designs(method, smooth):
    one, two, other = (
        portfolio.design_portfolios(50, FOUR, method=method, smooth=smooth, rng=seed)["share"].values
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_everything_wrong_is_said_at_once():
    with pytest.raises(InputError) as caught:
        portfolio.design_portfolios(0, ["daccs", "daccs", "forrests"], method="lattic", smooth=1.5)
    for message in (
        "pathway given twice: got 'daccs'",
        "unknown pathway: got 'forrests'",
        "did you mean 'forests'?",
        "unknown method: got 'lattic'; allowed: dirichlet, lattice, sobol; did you mean 'lattice'?",
        "smooth out of range: got 1.5",
        "a design needs a portfolio: got 0",
    ):
        assert message in str(caught.value)
    with pytest.raises(InputError, match="fewer portfolios than the coarsest lattice has: got 3"):
        portfolio.design_portfolios(3, FOUR, method="lattice")
    with pytest.raises(InputError, match="a lattice is smooth or it is not"):
        portfolio.design_portfolios(30, FOUR, method="lattice", smooth=0.5)
    with pytest.raises(InputError, match="at least two pathways: got 'daccs'"):
        portfolio.design_portfolios(30, ["daccs"])
