"""Sampled answers against exact ones, where the tables are certain and where they are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk.errors import InputError
from sinkrisk.network import (
    collapse_cascades,
    load,
    load_scenarios,
    network_from_tables,
    query,
    query_draws,
    rank_jurisdictions,
    require_deployment_modes,
    scenario_effects,
    table_bank,
    worst_state_shocks,
)
from sinkrisk.network.simulated import Doubt

REGIONS = ["arid_zones", "northern_europe"]


@pytest.fixture(scope="module")
def small():
    return load(regions=REGIONS, periods=["near_term", "mid_term"])


@pytest.fixture(scope="module")
def certain(small):
    """The same network with tables beyond doubt."""
    return small.with_tables({})


@pytest.fixture(scope="module")
def scenarios(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("scenarios") / "scenarios.yaml"
    path.write_text(
        "scenarios:\n"
        "  support:\n    label: Support\n    kind: shock\n    rationale: test\n    source: assumption\n"
        "    set:\n      - {node: policy_support, state: declining, periods: [mid_term]}\n"
        "  price:\n    label: Price\n    kind: shock\n    rationale: test\n    source: assumption\n"
        "    set:\n      - {node: carbon_price_regime, state: collapsed, periods: [near_term]}\n"
    )
    return load_scenarios(small, path)


def test_effects_are_exact_but_for_chance_where_tables_are_certain(certain, scenarios):
    bank = table_bank(certain, 64, rng=1)
    table = scenario_effects(certain, scenarios, bank, samples=128, rng=3)
    worst = 0.0
    widths = []
    for (name, cls, region, period), rows in table.groupby(["scenario", "class", "region", "period"]):
        node = f"deployment_mode__{cls}__{region}__{period}"
        before = query(certain, node)[node]
        after = query(certain, node, do=dict(scenarios[name].do))[node]
        for row in rows.itertuples():
            parts = ["passive_redundancy", "collapse"] if row.state == "fallen" else [row.state]
            exact = sum(after[part] - before[part] for part in parts)
            error = abs(row.change - exact)
            if row.mc_error == 0.0:
                assert error < 1e-12
                continue
            worst = max(worst, error / row.mc_error)
            # In units of what chance alone would spread over: 3.29 sd of a draw's estimate.
            widths.append((row.change_high - row.change_low) / (3.29 * row.mc_error * 8.0))
    # 120 changes, t with 64 degrees of freedom: beyond 5.5 with probability below 1e-4.
    assert worst < 5.5
    # Nothing is in doubt, so most of what chance spreads has to be taken out again.
    assert np.mean(widths) < 0.4


def test_groups_are_means_of_cells(small, scenarios):
    bank = table_bank(small, 16, rng=2)
    kwargs = {"samples": 64, "rng": 3}
    cells = scenario_effects(small, scenarios, bank, **kwargs)
    groups = scenario_effects(small, scenarios, bank, by=("class", "period"), **kwargs)
    means = cells.groupby(["scenario", "class", "period", "state"])[
        ["baseline", "probability", "change"]
    ].mean()
    got = groups.set_index(["scenario", "class", "period", "state"])[means.columns].sort_index()
    pd.testing.assert_frame_equal(got, means.sort_index())
    sums = cells[cells.state != "fallen"].groupby(["scenario", "class", "region", "period"]).probability.sum()
    np.testing.assert_allclose(sums, 1.0)
    with pytest.raises(InputError, match="groups of effects: got 'class, country'"):
        scenario_effects(small, scenarios, bank, by=("class", "country"))


def test_an_intervention_does_nothing_before_itself(certain, scenarios):
    table = scenario_effects(certain, scenarios, table_bank(certain, 4, rng=1), samples=64)
    early = table[(table.scenario == "support") & (table.period == "near_term")]
    assert len(early) == 45
    assert (early.change == 0.0).all()


def test_intervals_of_effects_are_those_of_exact_queries_on_each_draw(small, scenarios):
    bank = table_bank(small, 200, rng=5)
    node = "deployment_mode__geological__northern_europe__mid_term"
    do = dict(scenarios["support"].do)
    exact = query_draws(small, node, bank, do=do) - query_draws(small, node, bank)
    table = scenario_effects(small, {"support": scenarios["support"]}, bank, samples=512, rng=2)
    rows = table[
        (table["class"] == "geological") & (table.region == "northern_europe") & (table.period == "mid_term")
    ]
    for row in rows.itertuples():
        parts = ["passive_redundancy", "collapse"] if row.state == "fallen" else [row.state]
        draws = exact.sel(state=parts).sum("state").values
        # Chance in the mean is mc_error, in the ends some few times that.
        assert row.change == pytest.approx(draws.mean(), abs=6 * row.mc_error)
        low, high = np.quantile(draws, [0.05, 0.95])
        width = high - low
        assert row.change_low == pytest.approx(low, abs=0.12 * width)
        assert row.change_high == pytest.approx(high, abs=0.12 * width)


def test_doubt_is_separated_from_chance():
    rng = np.random.default_rng(11)
    true = rng.normal(0.3, 0.05, size=4000)
    seen = true + rng.normal(0.0, 0.08, size=(2, 4000))
    doubt = Doubt.of(seen)
    # Raw means of the halves have sd sqrt(.05^2 + .08^2 / 2) = .0755; six standard errors of an sd.
    assert doubt.values.std() == pytest.approx(true.std(), abs=6 * 0.0755 / np.sqrt(2 * 4000) * 1.6)
    assert doubt.mc_error == pytest.approx(0.08 / np.sqrt(2 * 4000), rel=0.1)
    only_chance = Doubt.of(rng.normal(0.3, 0.08, size=(2, 4000)))
    assert only_chance.values.std() < 0.02


def test_what_sampling_cannot_resolve_is_not_certain():
    # Chance exceeds doubt: no spread over draws is left, and the interval is chance's own.
    seen = np.random.default_rng(2).normal(0.01, 0.08, size=(2, 3)) + np.array([[0.0], [0.3]])
    doubt = Doubt.of(seen)
    assert np.ptp(doubt.values) == 0.0
    columns = doubt.columns("p", 0.9)
    np.testing.assert_allclose(columns["p_high"] - columns["p"], 1.6448536 * doubt.mc_error, rtol=1e-6)
    np.testing.assert_allclose(columns["p"] - columns["p_low"], 1.6448536 * doubt.mc_error, rtol=1e-6)
    assert doubt.columns("p", 0.9, (0.0, 1.0))["p_low"] == 0.0


def test_certain_tables_leave_the_interval_of_chance(certain, scenarios):
    table = scenario_effects(certain, scenarios, table_bank(certain, 8, rng=1), samples=64)
    moved = table[table.mc_error > 0.0]
    assert len(moved) > 50
    assert (moved.change_high - moved.change_low >= 3.2 * moved.mc_error).all()
    assert table[["baseline_low", "probability_low"]].to_numpy().min() >= 0.0


def test_jurisdictions_are_ranked_by_exact_risk(certain):
    bank = table_bank(certain, 4, rng=1)
    ranking = rank_jurisdictions(
        certain, bank, samples=2000, periods=["mid_term"], weights={"ocean": 0.0, "nature": 2.0}
    )
    assert list(ranking.table.region) == ["arid_zones", "northern_europe"]
    for row in ranking.table.itertuples():
        names = {
            cls: f"deployment_mode__{cls}__{row.region}__mid_term"
            for cls in ("nature", "land_based", "geological", "mineral")
        }
        answers = query(certain, list(names.values()))
        fallen = {c: answers[n]["passive_redundancy"] + answers[n]["collapse"] for c, n in names.items()}
        exact = (2 * fallen["nature"] + fallen["land_based"] + fallen["geological"] + fallen["mineral"]) / 5
        assert row.risk == pytest.approx(exact, abs=1e-12)
        capacity = query(certain, f"governance_capacity__{row.region}")[f"governance_capacity__{row.region}"]
        assert row.governance_capacity == pytest.approx(capacity["robust"], abs=1e-12)
    np.testing.assert_allclose(ranking.ranks.groupby("region").probability.sum(), 1.0)
    np.testing.assert_allclose(ranking.ranks.groupby("rank").probability.sum(), 1.0)


def test_ranking_follows_governance_capacity(small):
    bank = table_bank(small, 64, rng=1)
    usual = rank_jurisdictions(small, bank, samples=64).table.set_index("region").risk
    turned = (
        rank_jurisdictions(
            small,
            bank,
            samples=64,
            do={
                "governance_capacity__arid_zones": "robust",
                "governance_capacity__northern_europe": "limited",
            },
        )
        .table.set_index("region")
        .risk
    )
    assert turned["arid_zones"] < usual["arid_zones"]
    assert turned["northern_europe"] > usual["northern_europe"]


def test_cascades_count_what_exact_queries_say(certain):
    name = "deployment_mode__geological__arid_zones__near_term"
    shocks = worst_state_shocks(certain, ["deployment_mode"], "near_term")
    assert len(shocks) == 10
    planned = pd.DataFrame(
        [("geological", "arid_zones", "near_term", 2.0), ("nature", "arid_zones", "mid_term", 5.0)],
        columns=["class", "region", "period", "removal"],
    )
    delivered = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.1, "collapse": 0.0}
    bank = table_bank(certain, 6, rng=1)
    table = collapse_cascades(
        certain, {name: shocks[name]}, bank, cells="all", samples=4000, planned=planned, delivered=delivered
    ).set_index("measure")
    modes = [node for node in certain.order if node.startswith("deployment_mode")]
    before, after = query(certain, modes), query(certain, modes, do={name: "collapse"})
    collapse = {k: (before[k]["collapse"], after[k]["collapse"]) for k in modes}
    own = [f"deployment_mode__geological__arid_zones__{p}" for p in ("near_term", "mid_term")]
    row = table.loc["collapsed_cells"]
    assert row.change == pytest.approx(sum(b - a for a, b in collapse.values()), abs=8 * row.mc_error)
    row = table.loc["spread"]
    exact = sum(b - a for k, (a, b) in collapse.items() if k not in own)
    assert exact > 0.0
    assert row.change == pytest.approx(exact, abs=8 * row.mc_error)
    assert row.change > 0.0
    lost = []
    for answers in (before, after):
        geo, nature = answers[name], answers["deployment_mode__nature__arid_zones__mid_term"]
        lost.append(
            sum(2.0 * p * (1 - delivered[s]) for s, p in geo.items())
            + sum(5.0 * p * (1 - delivered[s]) for s, p in nature.items())
        )
    row = table.loc["lost"]
    assert row.unit == "GtCO2"
    assert row.baseline == pytest.approx(lost[0], abs=0.02)
    assert row.change == pytest.approx(lost[1] - lost[0], abs=8 * row.mc_error)


def test_bad_questions_are_refused(small, scenarios):
    bank = table_bank(small, 2, rng=1)
    with pytest.raises(InputError, match="samples per draw: got 3; allowed: an even integer"):
        scenario_effects(small, scenarios, bank, samples=3)
    with pytest.raises(InputError, match="mass of an interval: got 90"):
        scenario_effects(small, scenarios, bank, mass=90)
    with pytest.raises(InputError, match="no deployment node in such a region: got 'nowhere'"):
        scenario_effects(small, scenarios, bank, cells=[("nature", "nowhere")])
    plain = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    with pytest.raises(InputError, match="no deployment node"):
        rank_jurisdictions(plain, table_bank(plain, 2, rng=1))
    with pytest.raises(InputError, match="2 problems") as caught:
        rank_jurisdictions(small, bank, periods=["midterm"], weights={"oceans": 1.0})
    assert "did you mean 'mid_term'?" in str(caught.value)
    with pytest.raises(InputError, match="no weight left"):
        rank_jurisdictions(small, bank, cells=[("ocean", "arid_zones")], weights={"ocean": 0.0})
    with pytest.raises(InputError, match="no such node in the period: got 'weather in mid_term'"):
        worst_state_shocks(small, ["weather"], "mid_term")
    with pytest.raises(InputError, match="no such node in the network"):
        collapse_cascades(small, {"x": {"policy_suport__arid_zones__mid_term": "declining"}}, bank)
    plan = pd.DataFrame(
        [("nature", "mars", "near_term", -1.0)], columns=["class", "region", "period", "removal"]
    )
    with pytest.raises(InputError) as caught:
        collapse_cascades(small, {}, bank, planned=plan, delivered={"full": 1.0, "throttled": 2.0})
    assert "plan for a cell that is not asked about: got 'nature, mars, near_term'" in str(caught.value)
    assert "mode without a delivered share" in str(caught.value)
    assert "delivered share: got 2.0" in str(caught.value)
    with pytest.raises(InputError, match="planned and delivered go together"):
        collapse_cascades(small, {}, bank, planned=plan)


def test_possible_cells_are_counted_unless_asked(certain, scenarios):
    bank = table_bank(certain, 2, rng=1)
    kwargs = {"samples": 16}
    usual = scenario_effects(certain, scenarios, bank, **kwargs)
    places = set(zip(usual["class"], usual["region"], strict=True))
    assert ("ocean", "arid_zones") not in places
    assert len(places) == 9
    assert usual.attrs["cells"] == "the 9 of 10 cells (class, region) in which a pathway is possible"
    whole = scenario_effects(certain, scenarios, bank, cells="all", **kwargs)
    assert len(set(zip(whole["class"], whole["region"], strict=True))) == 10
    ranking = rank_jurisdictions(certain, bank, **kwargs)
    assert ranking.cells == usual.attrs["cells"]
    assert ranking.table.set_index("region").cells.to_dict() == {"northern_europe": 10, "arid_zones": 8}
    asked = rank_jurisdictions(certain, bank, cells=[("nature", "arid_zones")], **kwargs)
    assert asked.cells == "1 of 10 cells (class, region), as asked for"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([("natur", "arid_zones")], "no deployment node of such a class: got 'natur'.*did you mean 'nature'"),
        (
            [("nature", "arid_zones"), ("nature", "arid_zone")],
            "no deployment node in such a region: got 'arid_zone'.*did you mean 'arid_zones'",
        ),
        ([], "no cells asked for"),
        ("nature", "allowed: possible, all"),
        (["nature"], "not a cell: got 'nature'"),
    ],
)
def test_every_cell_asked_for_is_checked(certain, scenarios, cells, message):
    bank = table_bank(certain, 2, rng=1)
    with pytest.raises(InputError, match=message):
        scenario_effects(certain, scenarios, bank, cells=cells)
    with pytest.raises(InputError, match=message):
        rank_jurisdictions(certain, bank, cells=cells)


def test_scenarios_come_in_several_forms(certain, scenarios):
    bank = table_bank(certain, 2, rng=1)
    do = {"carbon_price_regime__near_term": "collapsed"}
    expected = scenario_effects(certain, {"price": scenarios["price"]}, bank, samples=16)
    assert set(expected.label) == {"Price"}
    listed = scenario_effects(certain, [scenarios["price"]], bank, samples=16)
    pd.testing.assert_frame_equal(listed, expected)
    plain = scenario_effects(certain, {"price": do}, bank, samples=16)
    pd.testing.assert_frame_equal(plain.drop(columns="label"), expected.drop(columns="label"))
    shocks = collapse_cascades(certain, {"price": do}, bank, samples=16)
    again = collapse_cascades(certain, [scenarios["price"]], bank, samples=16)
    pd.testing.assert_frame_equal(shocks, again)
    by = scenario_effects(certain, scenarios, bank, by="class", samples=16)
    assert list(by.columns[3:5]) == ["class", "state"]
    for wrong in ("price", 3, ["price"], {"price": "collapsed"}):
        with pytest.raises(InputError, match="scenario"):
            scenario_effects(certain, wrong, bank)
    with pytest.raises(InputError, match="no such node in the network: got 'carbon'"):
        scenario_effects(certain, {"price": {"carbon": "collapsed"}}, bank)


def test_arguments_in_the_wrong_place_are_named(certain, scenarios):
    with pytest.raises(InputError, match="not a bank of tables: got 'NoneType'"):
        scenario_effects(certain, scenarios, None)
    with pytest.raises(InputError, match="not a network: got 'str'"):
        rank_jurisdictions("network.yaml", table_bank(certain, 1))
    assert worst_state_shocks(certain, "disturbance", "mid_term").keys() == {
        f"disturbance__{region}__mid_term" for region in REGIONS
    }


def test_a_cell_planned_twice_is_refused(certain):
    plan = pd.DataFrame(
        [("nature", "arid_zones", "mid_term", 1.0), ("nature", "arid_zones", "mid_term", 2.0)],
        columns=["class", "region", "period", "removal"],
    )
    share = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.1, "collapse": 0.0}
    with pytest.raises(InputError, match="row 2, key 'planned': cell planned twice"):
        collapse_cascades(certain, {}, table_bank(certain, 1), planned=plan, delivered=share)


def test_networks_without_the_modes_of_a_run_are_named():
    require_deployment_modes(load(regions=["arid_zones"], periods=["near_term"]))
    plain = network_from_tables({"deployment_mod": ["a", "b"]}, {}, {"deployment_mod": [0.8, 0.2]})
    with pytest.raises(InputError, match="needs a node 'deployment_mode'; is it 'deployment_mod'"):
        require_deployment_modes(plain)
    two = network_from_tables({"deployment_mode": ["full", "none"]}, {}, {"deployment_mode": [0.8, 0.2]})
    with pytest.raises(InputError, match="got 'full, none'; allowed: full, throttled, passive_redundancy"):
        require_deployment_modes(two)


def test_shipped_scenarios_on_part_of_the_network():
    part = load(regions=["arid_zones"], periods=["near_term"], classes=["nature", "ocean"])
    with pytest.warns(
        UserWarning, match="scenario '.*' is left out: this part of the network lacks mid_term"
    ):
        found = load_scenarios(part)
    assert "price_collapse" not in found
    assert "mid_term, long_term" in found["linked_incentives"].remark
    assert set(found["linked_incentives"].do) == {"institutional_compatibility__arid_zones__near_term"}
