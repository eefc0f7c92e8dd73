"""Ranks of jurisdictions against the ranks of exact queries under every draw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import Network, load, query_draws, rank_jurisdictions, table_bank
from sinkrisk.network.jurisdictions import _rank_shares
from sinkrisk.network.simulated import interval_errors

REGIONS = ["north_america", "china_east_coast", "china_southwest", "china_arid_north"]
PERIODS = ["near_term", "mid_term"]


@pytest.fixture(scope="module")
def net() -> Network:
    return load(regions=REGIONS, periods=PERIODS)


@pytest.fixture(scope="module")
def bank(net):
    return table_bank(net, 24, rng=1)


def _risks(net, bank, do=None):
    """Oracle: mean over cells of the exact probability of having fallen, (region, draw)."""
    risks = []
    for region in REGIONS:
        nodes = [
            n for n, node in net.nodes.items() if node.base == "deployment_mode" and node.region == region
        ]
        fallen = [
            query_draws(net, n, bank, do=do).sel(state=["passive_redundancy", "collapse"]).sum("state")
            for n in nodes
        ]
        risks.append(np.mean(fallen, axis=0))
    return np.array(risks)


@pytest.mark.parametrize("do", [None, {"policy_support__china_southwest__near_term": "declining"}])
def test_ranks_are_those_of_exact_queries_under_every_draw(net, bank, do):
    found = rank_jurisdictions(net, bank, cells="all", do=do, samples=2)
    risks = _risks(net, bank, do)
    table = found.table.set_index("region").loc[REGIONS]
    np.testing.assert_allclose(table.risk, risks.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(table.risk_high, np.quantile(risks, 0.95, axis=1), rtol=1e-12)
    ranks = found.ranks.pivot(index="region", columns="rank", values="probability").loc[REGIONS]
    for region, row in enumerate(REGIONS):
        above = (risks > risks[region] + 1e-12).sum(axis=0)
        equal = (np.abs(risks - risks[region]) <= 1e-12).sum(axis=0)
        for rank in range(1, 5):
            share = np.where((rank > above) & (rank <= above + equal), 1.0 / equal, 0.0)
            assert ranks.loc[row, rank] == pytest.approx(share.mean(), abs=1e-12)


def test_regions_of_the_same_tables_share_their_ranks(net, bank):
    ranks = rank_jurisdictions(net, bank, cells="all", samples=2).ranks.pivot(
        index="region", columns="rank", values="probability"
    )
    np.testing.assert_array_equal(ranks.loc["china_east_coast"], ranks.loc["china_southwest"])
    np.testing.assert_allclose(ranks.sum(axis=1), 1.0)
    np.testing.assert_allclose(ranks.sum(axis=0), 1.0)


def test_alike_regions_are_told_apart_by_an_intervention_in_one_of_them(net, bank):
    do = {"disturbance__china_southwest__near_term": "shock"}
    table = rank_jurisdictions(net, bank, cells="all", do=do, samples=2).table.set_index("region")
    assert table.loc["china_southwest", "risk"] > table.loc["china_east_coast", "risk"] + 0.01


def test_a_region_with_a_table_of_its_own_is_not_taken_for_its_like(net, bank):
    name = "governance_capacity__china_southwest"
    rule = net.nodes[name].rule
    own = dataclasses.replace(net.rules[rule], mean=np.array([0.9, 0.1]))
    nodes = [dataclasses.replace(n, rule="own") if n.name == name else n for n in net.nodes.values()]
    changed = Network(nodes, {**net.rules, "own": own})
    table = rank_jurisdictions(
        changed, table_bank(changed, 8, rng=1), cells="all", samples=2
    ).table.set_index("region")
    assert table.loc["china_southwest", "risk"] > table.loc["china_east_coast", "risk"] + 0.01


def test_shares_of_ranks_by_hand():
    # Draw 1: the second is alone at the top, the others tie for ranks 2 and 3. Draw 2: all tie.
    shares = _rank_shares(np.array([[0.2, 0.3], [0.5, 0.3], [0.2, 0.3]]))
    np.testing.assert_allclose(shares[:, :, 0], [[0, 0.5, 0.5], [1, 0, 0], [0, 0.5, 0.5]])
    np.testing.assert_allclose(shares[:, :, 1], np.full((3, 3), 1 / 3))


def test_fewer_draws_are_spread_over_the_bank(net):
    bank = table_bank(net, 40, rng=3)
    few = rank_jurisdictions(net, bank, cells="all", periods=["near_term"], samples=2, draws=10)
    assert few.table.mc_error.max() > 0.0
    exact = [
        query_draws(net, f"deployment_mode__{cls}__north_america__near_term", bank)
        for cls in ("nature", "land_based", "geological", "mineral", "ocean")
    ]
    fallen = np.mean([e.sel(state=["passive_redundancy", "collapse"]).sum("state") for e in exact], axis=0)
    risk = few.table.set_index("region").risk["north_america"]
    assert risk == pytest.approx(fallen[2::4].mean(), rel=1e-12)
    for wrong in (0, 1.5, True):
        with pytest.raises(InputError, match="draws of the bank"):
            rank_jurisdictions(net, bank, draws=wrong)


def test_errors_of_interval_ends_are_what_repeated_banks_scatter_by():
    # 400 sets of 500 normals: the sd of a sd is known to 3.5 %; 25 % is seven of those.
    values = np.random.default_rng(1).normal(size=(400, 500))
    ends = np.quantile(values, [0.05, 0.95], axis=1)
    errors = np.mean([interval_errors(row, 0.9) for row in values], axis=0)
    np.testing.assert_allclose(errors, ends.std(axis=1), rtol=0.25)
