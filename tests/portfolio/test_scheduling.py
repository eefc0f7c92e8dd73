"""The scheduling matrix: water-filling against a general optimiser and by hand, and what it must obey."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio import filling

from .conftest import build_drawn

TOTAL = {"near_term": 0.1, "mid_term": 0.5, "long_term": 2.0}


def cost_of(amount, capacity, cost, slope, exponent):
    use = amount / np.where(capacity > 0.0, capacity, 1.0)
    return float((cost[:, None] * capacity * (use + slope * use ** (exponent + 1) / (exponent + 1))).sum())


def problem(seed):
    rng = np.random.default_rng(seed)
    capacity, most = rng.uniform(0.0, 2.0, (4, 3)), rng.uniform(0.2, 1.0, (4, 3))
    capacity[0, 0] = 0.0
    cost, slope, exponent = rng.uniform(20.0, 300.0, 4), rng.uniform(0.1, 3.0), rng.uniform(1.0, 3.0)
    return capacity, most, cost, np.array(slope), np.array(exponent), rng.uniform(0.05, 0.95)


@pytest.mark.parametrize("seed", range(12))
def test_filling_equals_a_general_optimiser(seed):
    capacity, most, cost, slope, exponent, part = problem(seed)
    room = capacity * most
    total = part * room.sum()
    amount, price = filling.fill(capacity, most, cost, slope, exponent, np.array(total))
    assert amount.sum() == pytest.approx(total, rel=1e-13)
    assert ((amount >= 0.0) & (amount <= room * (1 + 1e-12))).all()

    def objective(x):
        return cost_of(x.reshape(4, 3), capacity, cost, slope, exponent) / 100.0

    found = minimize(
        objective, (room * part).ravel(), method="SLSQP", bounds=[(0.0, v) for v in room.ravel()],
        constraints={"type": "eq", "fun": lambda x: x.sum() - total}, options={"maxiter": 500, "ftol": 1e-13},
    )  # fmt: skip
    assert found.success
    ours = objective(amount.ravel())
    # Ours is the lower one, up to how far the optimiser misses the constraint.
    assert ours <= found.fun * (1 + 1e-7)
    assert ours == pytest.approx(found.fun, rel=1e-5)
    # Marginal costs: equal where a cell is neither empty nor full, not above where it is full, not below
    # where it is empty.
    use = amount / np.where(capacity > 0.0, capacity, 1.0)
    marginal = cost[:, None] * (1.0 + slope * use**exponent)
    inside = (use > 1e-9) & (use < most - 1e-9)
    np.testing.assert_allclose(marginal[inside], price, rtol=1e-9)
    assert (marginal[(use >= most - 1e-9) & (capacity > 0.0)] <= price * (1 + 1e-9)).all()
    assert (marginal[(use <= 1e-9) & (capacity > 0.0)] >= price * (1 - 1e-9)).all()


def test_filling_equals_the_best_of_a_fine_grid():
    capacity, most = np.array([[1.0], [1.0]]), np.ones((2, 1))
    cost, slope, exponent = np.array([100.0, 150.0]), np.array(2.0), np.array(2.0)
    amount, _ = filling.fill(capacity, most, cost, slope, exponent, np.array(1.2))
    grid = np.linspace(0.2, 1.0, 8001)
    costs = [cost_of(np.array([[x], [1.2 - x]]), capacity, cost, slope, exponent) for x in grid]
    assert amount[0, 0] == pytest.approx(grid[int(np.argmin(costs))], abs=2e-4)


def test_filling_by_hand():
    # mc = 100 (1 + u) and 150 (1 + u), K = 1: equal at u1 = .8, u2 = .2, both 180, for a total of 1.
    capacity, most = np.array([[1.0], [1.0]]), np.ones((2, 1))
    cost = np.array([100.0, 150.0])
    amount, price = filling.fill(capacity, most, cost, np.array(1.0), np.array(1.0), np.array(1.0))
    np.testing.assert_allclose(amount[:, 0], [0.8, 0.2], rtol=1e-12)
    assert float(price) == pytest.approx(180.0)
    # A total below what the first takes at 150 leaves the second idle.
    amount, price = filling.fill(capacity, most, cost, np.array(1.0), np.array(1.0), np.array(0.4))
    np.testing.assert_allclose(amount[:, 0], [0.4, 0.0], atol=1e-12)
    assert float(price) == pytest.approx(140.0)
    # Institutions that let half through fill the first at .5.
    amount, price = filling.fill(
        capacity, np.array([[0.5], [1.0]]), cost, np.array(1.0), np.array(1.0), np.array(1.0)
    )
    np.testing.assert_allclose(amount[:, 0], [0.5, 0.5], rtol=1e-12)
    assert float(price) == pytest.approx(225.0)


@pytest.mark.parametrize(("slope", "exponent"), [(0.0, 1.0), (1.0, 0.0)])
def test_flat_costs_are_a_merit_order(slope, exponent):
    capacity, most = np.array([[1.0, 3.0], [2.0, 0.0], [5.0, 5.0]]), np.ones((3, 2))
    cost = np.array([20.0, 10.0, 40.0])
    amount, price = filling.fill(capacity, most, cost, np.array(slope), np.array(exponent), np.array(4.0))
    # The cheapest in full, of the next half, shared by room; the dearest not at all.
    np.testing.assert_allclose(amount, [[0.5, 1.5], [2.0, 0.0], [0.0, 0.0]], rtol=1e-12)
    assert float(price) == pytest.approx(20.0 * (1.0 + slope))


def test_what_pays_for_itself_comes_first():
    capacity, most = np.array([[1.0], [1.0], [1.0]]), np.ones((3, 1))
    cost = np.array([50.0, -10.0, 0.0])
    amount, price = filling.fill(capacity, most, cost, np.array(2.0), np.array(2.0), np.array(1.5))
    np.testing.assert_allclose(amount[:, 0], [0.0, 1.0, 0.5], atol=1e-12)
    assert float(price) == pytest.approx(0.0, abs=1e-12)


def test_more_than_there_is_fills_everything_and_nothing_nothing():
    capacity, most, cost, slope, exponent, _ = problem(1)
    amount, _ = filling.fill(capacity, most, cost, slope, exponent, np.array(1e3))
    np.testing.assert_allclose(amount, capacity * most, rtol=1e-12)
    amount, _ = filling.fill(capacity, most, cost, slope, exponent, np.array(0.0))
    np.testing.assert_allclose(amount, 0.0, atol=1e-15)
    amount, price = filling.fill(0.0 * capacity, most, cost, slope, exponent, np.array(1.0))
    assert amount.sum() == 0.0
    assert float(price) == 0.0


@given(seed=st.integers(0, 10_000), more=st.floats(0.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_a_larger_total_lowers_no_cell_and_no_price(seed, more):
    capacity, most, cost, slope, exponent, part = problem(seed)
    room = (capacity * most).sum()
    totals = np.array([part * room, (part + more * (1.0 - part)) * room])
    amount, price = filling.fill(
        *(np.broadcast_to(v, (2, *v.shape)) for v in (capacity, most, cost, slope, exponent)), totals
    )
    assert (amount[1] >= amount[0] - 1e-9).all()
    assert price[1] >= price[0] * (1 - 1e-12)


@pytest.fixture(scope="module")
def drawn():
    return build_drawn(128, seed=4)


@pytest.fixture(scope="module")
def matrix(drawn):
    return portfolio.schedule(drawn, TOTAL, keep_draws=True, least=0.02)


def test_shares_of_a_period_sum_to_one_and_stay_in_the_removal_ledger(drawn, matrix):
    share = matrix["share_drawn"]
    np.testing.assert_allclose(share.sum(["pathway", "region"]), 1.0, rtol=1e-12)
    assert set(matrix["pathway"].values) == {
        "beccs", "daccs", "biochar", "enhanced_weathering", "oae", "forests",
    }  # fmt: skip
    np.testing.assert_allclose(matrix["share_mean"], share.mean("sample"), rtol=1e-12)
    np.testing.assert_allclose(matrix["probability_active"], (share >= 0.02).mean("sample"))
    assert ((matrix["share_low"] <= matrix["share_high"]) & (matrix["share_low"] >= 0.0)).all()
    both = share.sum("region").transpose("pathway", "period", "sample").values
    np.testing.assert_allclose(
        matrix["pathway_share_low"],
        np.quantile(both, 0.05, axis=-1, method="averaged_inverted_cdf"),
        atol=1e-12,
    )


def test_the_draws_are_those_of_the_capacity(drawn, matrix):
    # Where the total is reached, tonnes are at most what capacity and modes allow, and cost no more than
    # the same total spread in proportion.
    there = portfolio.capacity(drawn).sel(pathway=matrix["pathway"])
    room = there["available"] * there["deployable_fraction"]
    for period, total in TOTAL.items():
        left = room.sel(period=period).transpose("sample", "pathway", "region").values
        share = matrix["share_drawn"].sel(period=period).transpose("sample", "pathway", "region").values
        reached = left.sum(axis=(1, 2)) >= total
        assert float(matrix["probability_reached"].sel(period=period)) == pytest.approx(reached.mean())
        amount = share * np.minimum(total, left.sum(axis=(1, 2)))[:, None, None]
        assert (amount <= left + 1e-9).all()
        capacity = there["available"].sel(period=period).transpose("sample", "pathway", "region").values
        for s in np.flatnonzero(reached)[:20]:
            curve = (
                capacity[s],
                drawn["cost"].sel(pathway=matrix["pathway"]).values[s],
                float(drawn["cost_slope"][s]),
                float(drawn["cost_exponent"][s]),
            )
            even = left[s] * total / left[s].sum()
            assert cost_of(amount[s], *curve) <= cost_of(even, *curve) * (1 + 1e-9)


def test_blocks_change_nothing_and_modes_only_widen(drawn, matrix):
    again = portfolio.schedule(drawn, TOTAL, block=17, least=0.02)
    np.testing.assert_allclose(again["share_mean"], matrix["share_mean"], rtol=1e-12)
    free = portfolio.schedule(drawn, TOTAL, modes=False)
    assert (free["probability_reached"] >= matrix["probability_reached"]).all()
    assert (free["price_mean"] <= matrix["price_mean"] * (1 + 1e-12)).all()


def test_probabilities_equal_repetition(drawn):
    few = drawn.isel(sample=slice(0, 12))
    times = np.array([3, 1, 2] * 4)
    weighted = few.assign(probability=("sample", times / times.sum()))
    repeated = few.isel(sample=np.repeat(np.arange(12), times))
    repeated = repeated.assign(probability=("sample", np.full(times.sum(), 1.0 / times.sum())))
    one, two = portfolio.schedule(weighted, TOTAL), portfolio.schedule(repeated, TOTAL)
    ends = ("share_low", "share_high", "pathway_share_low", "pathway_share_high")
    means = ("probability_active", "share_mean", "probability_reached", "unmet_mean", "price_mean")
    for name in ends + means:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-12)


def test_table_and_sentence(matrix):
    table = portfolio.schedule_table(matrix)
    assert len(table) == 6 * 3 * 3
    for pathway, region, period in itertools.product(["daccs"], ["arid_zones"], TOTAL):
        row = table.query("pathway == @pathway and region == @region and period == @period").iloc[0]
        cell = matrix.sel(pathway=pathway, region=region, period=period)
        assert row["share_mean"] == float(cell["share_mean"])
        assert row["total"] == TOTAL[period]
        assert row["probability_reached"] == float(cell["probability_reached"])
    text = portfolio.schedule_sentence(matrix)
    assert "90% equal-tailed interval over 128 draws" in text
    for part in ("near term: ", "mid term: ", "long term: ", "of 2 GtCO2/yr"):
        assert part in text


def test_everything_wrong_is_said_at_once(drawn):
    with pytest.raises(InputError) as caught:
        portfolio.schedule(
            drawn,
            {"near_term": 0.0, "midterm": 1.0, "long_term": 1e300},
            pathways=["dacs"],
            level=0.0,
            least=1.0,
        )
    for message in (
        "key 'total.midterm': total of an unknown period: got 'midterm'",
        "did you mean 'mid_term'?",
        "key 'total.near_term': total out of range: got 0.0",
        "key 'total.long_term': total out of range: got 1e+300; allowed: above 0, to 1000000",
        "key 'total.mid_term': period without a total",
        "unknown pathway: got 'dacs'",
        "did you mean 'daccs'?",
        "level out of range: got 0.0",
        "least share out of range: got 1.0",
    ):
        assert message in str(caught.value)
