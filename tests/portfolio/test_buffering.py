"""Buffers and Carbon-at-Risk: two pathways in closed form, pooling, shocks decoupled."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from sinkrisk import portfolio, risk
from sinkrisk.errors import InputError

from .conftest import build_drawn, plans
from .made_outcomes import constant_outcomes, random_outcomes


def two_stores(n: int, chance: float, share: float) -> xr.Dataset:
    """DACCS and forests remove 1 GtCO2/yr each and lose `share` of it in the same draws."""
    out = constant_outcomes({"deployed": 1.0, "removed": [1.0, 1.0, 0.0]}, n)
    hit = np.arange(n) < round(chance * n)
    out["returned"] = out["removed"] * xr.DataArray(share * hit, dims="sample")
    out["returned"] = out["returned"].transpose(*out["removed"].dims)
    out["stored"] = out["removed"] - out["returned"]
    return out


def test_carbon_at_risk_of_two_stores():
    # As in the numerics' test, in tonnes: 76 years, two pathways.
    together = two_stores(2000, 0.1, 0.6)
    apart = two_stores(2000, 0.1, 0.6)
    # One of two is hit with probability .2, never both: .3 of the whole at 95 %.
    returned = apart["returned"].values.copy()
    returned[:, :, 1] = returned[::-1, :, 1]
    apart["returned"][...] = returned
    table = portfolio.carbon_at_risk(together, level=0.95, decoupled=apart).iloc[0]
    kept = 152.0 * (1.0 - 0.06)
    assert table["removed"] == pytest.approx(152.0)
    assert table["promised"] == pytest.approx(kept)
    assert table["kept"] == pytest.approx(152.0 * 0.4)
    assert table["extra"] == pytest.approx(152.0 * (0.94 / 0.4 - 1.0))
    assert table["extra_decoupled"] == pytest.approx(152.0 * (0.94 / 0.7 - 1.0))
    assert table["extra_certain"] == pytest.approx(kept * 0.6 / 0.4)
    assert table["extra_certain_decoupled"] == pytest.approx(kept * 0.3 / 0.7)
    assert table["gap_certain"] == pytest.approx(table["extra"])
    fixed = portfolio.carbon_at_risk(together, level=0.95, promised=100.0).iloc[0]
    assert fixed["extra"] == pytest.approx(152.0 * (100.0 / 60.8 - 1.0))
    assert np.isnan(
        fixed[["extra_decoupled", "extra_decoupled_low", "extra_decoupled_high"]].astype(float)
    ).all()


def test_the_promise_is_kept_where_removal_varies_and_the_same_seed_repeats():
    outcomes = random_outcomes(2000)
    table = portfolio.carbon_at_risk(outcomes, level=0.95).set_index("portfolio")
    length = outcomes["period_length"]
    stored = ((outcomes["removed"] - outcomes["returned"]) * length).sum(["pathway", "period"])
    for name, row in table.iterrows():
        factor = (row["removed"] + row["extra"]) / row["removed"]
        kept = factor * stored.sel(portfolio=name).values >= row["promised"] - 1e-9
        assert 0.95 - 1e-9 <= kept.mean() <= 0.95 + 2.0 / 2000
        assert row["extra_low"] <= row["extra"] <= row["extra_high"]
    assert table.reset_index().equals(portfolio.carbon_at_risk(outcomes, level=0.95))


def test_decoupled_portfolios_are_found_by_name():
    outcomes = random_outcomes(300)
    one = outcomes.isel(portfolio=[1])
    table = portfolio.carbon_at_risk(outcomes, decoupled=one).set_index("portfolio")
    names = [str(v) for v in outcomes["portfolio"].values]
    # Nothing was decoupled in these: the same draws give the same number.
    assert table.loc[names[1], "extra_decoupled"] == pytest.approx(table.loc[names[1], "extra"])
    assert np.isnan(table.loc[names[0], "extra_decoupled"])


def test_weighted_outcomes_are_not_held_against_decoupled_ones_of_equal_weight():
    outcomes = random_outcomes(300)
    weight = np.arange(1.0, 301.0) / np.arange(1.0, 301.0).sum()
    alone = portfolio.carbon_at_risk(outcomes, probability=weight)
    assert np.isfinite(alone["extra"]).all()
    with pytest.raises(InputError, match="key 'probability': outcomes weigh by probability, decoupled"):
        portfolio.carbon_at_risk(outcomes, probability=weight, decoupled=outcomes)


def test_shocks_simulated_apart_take_no_more_where_all_regions_share_one():
    drawn = build_drawn(3000, seed=3)
    hit = np.random.default_rng(4).random((3000, 1, 3)) < 0.3
    drawn["shock"] = ("sample", "region", "period"), np.broadcast_to(hit, (3000, 3, 3)).copy()
    for name, value in (("reversal_loss", 0.5), ("mode", 0), ("growth_rate", 0.0), ("potential", 8.0),
                        ("current_capacity", 8.0), ("leakage_rate", 0.0), ("half_life", np.inf),
                        ("land_sink_ratio", 1.0)):  # fmt: skip
        drawn[name][...] = value
    drawn["suitability_share"][...] = 1.0 / 3.0
    wanted = plans(drawn, {"p": {"forests": 1.0, "daccs": 1.0}})
    outcomes = [
        portfolio.simulate(d, wanted, variables=("removed", "returned"))
        for d in (drawn, portfolio.decouple_shocks(drawn, rng=1))
    ]
    table = portfolio.carbon_at_risk(outcomes[0], decoupled=outcomes[1]).iloc[0]
    # Far beyond the intervals: shocks of three regions average out.
    assert table["extra_decoupled_high"] < 0.9 * table["extra_low"]


def test_buffers_of_two_stores_that_fall_together_save_nothing():
    table = portfolio.buffer_table(two_stores(1000, 0.1, 0.6), level=0.95).set_index("pathway")
    # The worst 5 % of draws all lose .6 of 76.
    assert table.loc["daccs", "own_buffer"] == pytest.approx(45.6)
    assert table.loc["pool", "own_buffer"] == pytest.approx(91.2)
    assert table.loc["pool", "pooled_buffer"] == pytest.approx(91.2)
    assert table.loc["pool", "saved"] == pytest.approx(0.0)
    assert table.loc["forests", "own_share"] == pytest.approx(0.6)
    assert "point_source_ccs" not in table.index


def test_pooling_stores_that_fall_apart_saves():
    outcomes = two_stores(1000, 0.1, 0.6)
    returned = outcomes["returned"].values.copy()
    returned[:, :, 1] = returned[::-1, :, 1]
    outcomes["returned"][...] = returned
    table = portfolio.buffer_table(outcomes, level=0.95).set_index("pathway")
    # Never both in one draw: the pool's worst 5 % lose what one of them loses.
    assert table.loc["pool", "own_buffer"] == pytest.approx(91.2)
    assert table.loc["pool", "pooled_buffer"] == pytest.approx(45.6)
    assert table.loc["pool", "saved"] == pytest.approx(0.5)
    assert table.loc[["daccs", "forests"], "pooled_buffer"].sum() == pytest.approx(45.6)


def test_pools_of_random_outcomes_are_subadditive_and_only_creditable_pathways_count():
    outcomes = random_outcomes(800)
    table = portfolio.buffer_table(outcomes)
    pool = table[table["pathway"] == "pool"]
    assert len(pool) == outcomes.sizes["portfolio"]
    assert (pool["pooled_buffer"] <= pool["own_buffer"] + 1e-9).all()
    parts = table[table["pathway"] != "pool"].groupby("portfolio")["pooled_buffer"].sum()
    np.testing.assert_allclose(parts.values, pool["pooled_buffer"].values)
    assert table["own_share"].between(0.0, 1.0).all()
    # A pathway alone: the worst shares by hand, each draw by what it issues.
    alone = outcomes.isel(portfolio=[0], pathway=[0])
    total = {
        n: (alone[n] * alone["period_length"]).sum(["pathway", "period"]).isel(portfolio=0).values
        for n in ("removed", "returned")
    }
    share, issued = total["returned"] / total["removed"], total["removed"] / total["removed"].sum()
    own = portfolio.buffer_table(alone).iloc[0]
    assert own["own_share"] == pytest.approx(risk.cvar(share, 0.95, probability=issued))
    assert own["own_buffer"] == pytest.approx(own["own_share"] * total["removed"].mean())
    fewer = outcomes.assign_coords(creditable=("pathway", [True, False, True]))
    assert set(portfolio.buffer_table(fewer)["pathway"]) == {"daccs", "pool"}


tonnes = st.floats(0.0, 1e3).map(lambda x: 0.0 if x < 1e-3 else x)
removals = hnp.arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 3)), elements=tonnes)


@given(removals, st.floats(0.0, 0.97), st.randoms(use_true_random=False))
def test_buffers_are_shares_of_credits_and_a_pool_never_needs_more(removed, level, dice):
    """Whatever removal varies by: shares lie in [0, 1], pooling is subadditive."""
    returned = removed * np.array([dice.random() for _ in range(removed.size)]).reshape(removed.shape)
    flow = ("sample", "portfolio", "pathway", "period")
    outcomes = xr.Dataset(
        {
            "removed": (flow, removed[:, None, :, None]),
            "returned": (flow, returned[:, None, :, None]),
            "period_length": ("period", [10.0]),
        },
        coords={"portfolio": ["p"], "pathway": ["daccs", "forests", "biochar"][: removed.shape[1]]},
    )
    table = portfolio.buffer_table(outcomes, level=level)
    assert table.empty == bool((removed == 0.0).all())
    for column in ("own_share", "pooled_share"):
        assert table[column].between(0.0, 1.0 + 1e-9).all()
    pool = table[table["pathway"] == "pool"]
    assert (pool["pooled_buffer"] <= pool["own_buffer"] * (1.0 + 1e-9) + 1e-9).all()


def test_weights_equal_repetition():
    outcomes = random_outcomes(40)
    counts = np.random.default_rng(1).integers(1, 4, 40)
    repeated = outcomes.isel(sample=np.repeat(np.arange(40), counts)).drop_vars("probability")
    weighted = portfolio.buffer_table(outcomes, probability=counts / counts.sum())
    plain = portfolio.buffer_table(repeated)
    numbers = ["removed", "own_buffer", "pooled_buffer"]
    np.testing.assert_allclose(weighted[numbers], plain[numbers], rtol=1e-9)
    at = portfolio.carbon_at_risk(outcomes, probability=counts / counts.sum())
    np.testing.assert_allclose(at["extra"], portfolio.carbon_at_risk(repeated)["extra"], rtol=1e-9)


def test_decoupled_shocks_keep_each_region_and_lose_what_they_share():
    drawn = build_drawn(4000, seed=3)
    hit = np.random.default_rng(4).random((4000, 1, 3)) < 0.3
    drawn["shock"] = ("sample", "region", "period"), np.broadcast_to(hit, (4000, 3, 3)).copy()
    apart = portfolio.decouple_shocks(drawn, rng=1)
    np.testing.assert_allclose(apart["shock"].mean("sample"), drawn["shock"].mean("sample"))
    one, other = (apart["shock"].isel(region=r).values.astype(float) for r in (0, 1))
    # Correlations of 4000 independent draws are within 5 / sqrt(4000) = .08.
    for q in range(3):
        assert abs(np.corrcoef(one[:, q], other[:, q])[0, 1]) < 0.08
    assert np.corrcoef(drawn["shock"].values[:, 0, 0], drawn["shock"].values[:, 1, 0])[0, 1] == pytest.approx(
        1
    )
    # A region's history moves as a whole.
    rows = {tuple(r) for r in drawn["shock"].values[:, 0].tolist()}
    assert {tuple(r) for r in apart["shock"].values[:, 0].tolist()} == rows
    xr.testing.assert_identical(apart.drop_vars("shock"), drawn.drop_vars("shock"))


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match="key 'returned': outcomes lack a variable"):
        portfolio.buffer_table(random_outcomes(5).drop_vars("returned"))
    with pytest.raises(InputError, match="level outside its range"):
        portfolio.carbon_at_risk(random_outcomes(5), level=1.0)
    drawn = build_drawn(4)
    drawn["probability"] = "sample", [0.4, 0.2, 0.2, 0.2]
    with pytest.raises(InputError, match="equally probable"):
        portfolio.decouple_shocks(drawn)


def test_shares_count_by_what_is_issued_and_by_the_weight_of_the_draw():
    """Two draws of one pathway: 1 removed and .5 of it lost, 3 removed and nothing lost."""
    made = constant_outcomes({"deployed": 1.0, "removed": [1.0, 0.0, 0.0]}, 2)
    size = xr.DataArray([1.0, 3.0], dims="sample")
    made["removed"] = (made["removed"] * size).transpose(*made["removed"].dims)
    made["returned"] = made["removed"] * xr.DataArray([0.5, 0.0], dims="sample")
    made["returned"] = made["returned"].transpose(*made["removed"].dims)
    row = portfolio.buffer_table(made, level=0.0).iloc[0]
    # 1 of 4 issued credits is of the draw that loses half; by draws alone it would be a quarter.
    assert row["own_share"] == pytest.approx(0.125)
    heavy = portfolio.buffer_table(made, level=0.0, probability=[0.75, 0.25]).iloc[0]
    assert heavy["own_share"] == pytest.approx(0.25)
    assert heavy["removed"] == pytest.approx(76.0 * 1.5)
