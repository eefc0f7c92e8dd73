"""Named portfolios, a user's tables, and the message of every broken file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import portfolio, priors
from sinkrisk.errors import InputError
from sinkrisk.portfolio.specification import AXES, PortfolioSpec, RankSpec, TargetSpec, make_target

BAD = Path(__file__).parents[1] / "data" / "bad"
TOTAL = {"near_term": 0.5, "mid_term": 2.0, "long_term": 8.0}


def test_the_reviews_strategies_are_there_and_say_what_the_review_says():
    shares = portfolio.load_portfolios()["share"]
    assert set(shares["portfolio"].values) == {
        "nature_foundation", "phased", "engineered_first", "nature_first", "developing_country_mix",
        "balanced", "daccs_only", "beccs_only", "biochar_only", "forests_only",
    }  # fmt: skip
    np.testing.assert_allclose(shares.sum("pathway"), 1.0, rtol=1e-15)
    assert (shares >= 0.0).all()
    nature = ["forests", "wetlands", "croplands", "grasslands", "deserts", "urban", "coastal_blue_carbon"]
    # Section 4.1.1: nature the foundation (most of it), engineered the supplement (but some).
    assert (shares.sel(portfolio="nature_foundation", pathway=nature).sum("pathway") > 0.5).all()
    np.testing.assert_allclose(shares.sel(portfolio="nature_first", pathway=nature).sum("pathway"), 1.0)
    # Section 4.1.3: what each phase names carries most of it.
    phased = shares.sel(portfolio="phased")
    named = {
        "near_term": ["beccs", "point_source_ccs"],
        "mid_term": ["biochar", "enhanced_weathering", "wetlands", "forests"],
        "long_term": ["oae"],
    }
    for period, pathways in named.items():
        assert float(phased.sel(period=period, pathway=pathways).sum()) > 0.5
    assert "microbial_carbon_pump" not in shares["pathway"].values


def test_every_creditable_pathway_has_a_strategy_of_its_own():
    pathways = priors.load_table("pathways")
    creditable = pathways.loc[pathways["creditable"], "pathway"].tolist()
    shares = portfolio.load_portfolios(names=[f"{name}_only" for name in creditable])["share"]
    for name in creditable:
        own = shares.sel(portfolio=f"{name}_only")
        assert (own.sel(pathway=name) == 1.0).all()
        assert float(own.sum()) == 3.0


def test_strategies_are_listed_with_their_names():
    table = portfolio.list_strategies().set_index("portfolio")
    assert table.index.is_unique
    assert table["default"].sum() == 10
    assert table.index[table["regional"]].tolist() == [
        "china_zones", "china_zones_coordinated", "autarkic_regions", "coordinated_regions",
    ]  # fmt: skip
    assert table.index[table["coordinated"]].tolist() == ["china_zones_coordinated", "coordinated_regions"]
    assert (table["description"] != "").all()
    assert (table["name"] != table.index).all()
    rows = pd.concat(priors.load_table(n) for n in ("portfolios", "portfolios_further", "portfolio_regions"))
    assert (rows["source"] != "").all()
    assert (rows.loc[rows["source"] == "assumption", "note"] != "").all()


def test_chinas_zones_plan_what_the_review_names_for_them():
    zones = portfolio.load_portfolios(names=["china_zones", "china_zones_coordinated"])
    assert zones["share"].dims == ("portfolio", "pathway", "region", "period")
    assert zones["coordinated"].values.tolist() == [False, True]
    np.testing.assert_allclose(zones["share"].sum(["pathway", "region"]), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(zones["share"][0], zones["share"][1])
    share = zones["share"].sel(portfolio="china_zones")
    used = {
        region: {str(p) for p in share["pathway"].values[(share.sel(region=region) > 0.0).any("period")]}
        for region in share["region"].values
    }
    assert {r for r, p in used.items() if p} == {"china_east_coast", "china_southwest", "china_arid_north"}
    assert used["china_east_coast"] == {"point_source_ccs", "daccs", "industrial_carbonation"}
    assert used["china_southwest"] == {"wetlands", "forests", "biochar", "enhanced_weathering"}
    assert used["china_arid_north"] == {"daccs", "enhanced_weathering"}
    # Half of the plan to the coast.
    np.testing.assert_allclose(share.sel(region="china_east_coast").sum("pathway"), 0.5)


def test_regions_coordinated_or_not_share_one_plan():
    both = portfolio.load_portfolios(names=["autarkic_regions", "coordinated_regions"])
    np.testing.assert_array_equal(both["share"][0], both["share"][1])
    assert both["coordinated"].values.tolist() == [False, True]
    mix = portfolio.load_portfolios(names=["nature_foundation"])["share"][0]
    np.testing.assert_allclose(both["share"][0].sum("region"), mix, atol=1e-15)
    plans = portfolio.plan(both, TOTAL)
    np.testing.assert_allclose(plans["planned"].sum(["pathway", "region"]), [list(TOTAL.values())] * 2)
    assert plans["coordinated"].values.tolist() == [False, True]


def test_the_world_and_regions_do_not_mix():
    with pytest.raises(InputError, match="phased beside china_zones'; simulate them apart"):
        portfolio.load_portfolios(names=["phased", "china_zones"])


def test_developed_and_developing_mixes_lead_with_what_the_review_names():
    shares = portfolio.load_portfolios(names=["developed_country_mix", "developing_country_mix"])["share"]
    developed, developing = shares
    assert (developed.sel(pathway=["daccs", "point_source_ccs"]).sum("pathway") >= 0.6).all()
    named = ["biochar", "industrial_carbonation", "oae"]
    np.testing.assert_allclose(developing.sel(pathway=named).sum("pathway"), 1.0)
    assert (developing.sel(pathway="oae") <= 0.1).all()


def _written(tmp_path, text):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_plan_by_region_is_read_planned_and_read_back(tmp_path):
    path = _written(
        tmp_path,
        "portfolio,pathway,region,period,planned,unit,coordinated\n"
        "mine,daccs,north_america,near_term,100,MtCO2/yr,true\n"
        "mine,daccs,arid_zones,long_term,2,GtCO2/yr,true\n"
        "yours,forests,rest_of_world,mid_term,1,GtCO2/yr,\n",
    )
    plans = portfolio.load_plans(path)
    planned = plans["planned"]
    assert planned.dims == ("portfolio", "pathway", "region", "period")
    at = planned.sel(portfolio="mine", pathway="daccs")
    assert float(at.sel(region="north_america", period="near_term")) == pytest.approx(0.1)
    assert float(planned.sum()) == pytest.approx(3.1)
    assert plans["coordinated"].values.tolist() == [True, False]
    table = portfolio.plan_table(plans)
    assert table["region"].tolist() == ["north_america", "arid_zones", "rest_of_world"]
    table.to_csv(tmp_path / "again.csv", index=False)
    xr.testing.assert_allclose(portfolio.load_plans(tmp_path / "again.csv"), plans)
    xr.testing.assert_allclose(portfolio.plan_from_table(table), plans)
    # Only one of its portfolios, without the column.
    one = table[table["portfolio"] == "yours"].drop(columns=["portfolio", "coordinated", "name"])
    assert "coordinated" not in portfolio.plan_from_table(one, portfolio="yours").coords


def test_a_users_shares_by_region_sum_over_both(tmp_path):
    text = "portfolio,pathway,region,period,share\n" + "".join(
        f"mine,{pathway},{region},{period},0.25\n"
        for pathway in ("daccs", "forests")
        for region in ("north_america", "rest_of_world")
        for period in TOTAL
    )
    shares = portfolio.load_portfolios(_written(tmp_path, text))
    np.testing.assert_allclose(shares["share"].sum(["pathway", "region"]), 1.0)
    plans = portfolio.plan(shares, TOTAL)["planned"].sel(pathway="daccs", region="north_america")
    np.testing.assert_allclose(plans[0], [0.125, 0.5, 2.0])


def test_everything_wrong_with_a_table_by_region_is_said_at_once(tmp_path):
    path = _written(
        tmp_path,
        "portfolio,pathway,region,period,share,coordinated\n"
        "mine,daccs,north_amerika,near_term,0.5,true\n"
        "mine,daccs,,near_term,0.6,false\n"
        "mine,dacs,arid_zones,midterm,-1,maybe\n"
        "mine,daccs,arid_zones,long_term,1,true\n",
    )
    with pytest.raises(InputError) as caught:
        portfolio.load_portfolios(path)
    for message in (
        "row 2, key 'region': unknown region: got 'north_amerika'",
        "did you mean 'north_america'?",
        "row 3, key 'region': plan without a region",
        "row 3, key 'coordinated': a portfolio coordinated in part: got 'mine'",
        "row 4, key 'pathway': unknown pathway: got 'dacs'",
        "row 4, key 'period': unknown period: got 'midterm'",
        "row 4, key 'share': negative share: got -1.0",
        "row 4, key 'coordinated': not true or false: got 'maybe'",
        "row 2: shares of 'mine' in 'near_term' do not sum to 1: got 1.1",
        "row 2, key 'mid_term': portfolio without shares in a period: got 'mine'",
    ):
        assert message in str(caught.value)


def test_broken_rows_of_regional_strategies_are_named(tmp_path):
    path = _written(
        tmp_path,
        "portfolio,region,mix,part,coordinated,source\n"
        "mine,north_america,phased,0.5,true,me\n"
        "mine,arid_zones,phased,0.6,false,me\n",
    )
    with pytest.raises(InputError) as caught:
        priors.load_table("portfolio_regions", path)
    assert "row 3, key 'coordinated': a portfolio is coordinated or not: got 'mine'" in str(caught.value)
    assert "key 'part': parts of portfolio 'mine' do not sum to 1: got 1.1" in str(caught.value)


def test_names_are_kept_in_the_order_asked_for():
    chosen = portfolio.load_portfolios(names=["phased", "balanced"])
    assert chosen["portfolio"].values.tolist() == ["phased", "balanced"]
    assert chosen["name"].values.tolist() == ["Phased", "Balanced"]


def test_plan_multiplies_shares_by_totals():
    plans = portfolio.plan(portfolio.load_portfolios(), TOTAL)
    np.testing.assert_allclose(plans["planned"].sum("pathway").sel(portfolio="phased"), [0.5, 2.0, 8.0])
    assert plans["planned"].attrs["units"] == "GtCO2/yr"


def test_plans_are_written_and_read_back(tmp_path):
    plans = portfolio.plan(portfolio.load_portfolios(names=["phased", "daccs_only"]), TOTAL)
    table = portfolio.plan_table(plans)
    table.to_csv(tmp_path / "portfolios.csv", index=False)
    back = portfolio.load_plans(tmp_path / "portfolios.csv")
    xr.testing.assert_allclose(back, plans, rtol=1e-12)
    assert back["name"].values.tolist() == ["Phased", "DACCS only"]


def test_a_table_of_one_portfolio_in_another_unit():
    table = pd.DataFrame(
        {"pathway": ["daccs"], "period": ["mid_term"], "planned": [1500.0], "unit": ["MtCO2/yr"]}
    )
    plans = portfolio.plan_from_table(table, portfolio="optimum", name="Optimum")
    assert float(plans["planned"].sum()) == pytest.approx(1.5)
    assert float(
        plans["planned"].sel(portfolio="optimum", pathway="daccs", period="mid_term")
    ) == pytest.approx(1.5)
    with pytest.raises(InputError, match="key 'unit': plan lacks a column"):
        portfolio.plan_from_table(table.drop(columns="unit"), portfolio="optimum")


@pytest.mark.parametrize(
    ("file", "messages"),
    [
        ("shares_off", ["shares of 'mix' in 'near_term' do not sum to 1: got 0.9"]),
        ("negative_share", ["row 3, key 'share': negative share: got -0.2; allowed: 0 or more"]),
        ("unknown_pathway", ["row 2, key 'pathway': unknown pathway: got 'dacs'", "did you mean 'daccs'?"]),
        (
            "unknown_period",
            ["row 3, key 'period': unknown period: got 'midterm'", "did you mean 'mid_term'?"],
        ),
        (
            "empty",
            ["portfolios: no row; one per portfolio, pathway and period: portfolio, pathway, period, share"],
        ),
        ("missing_period", ["key 'long_term': portfolio without shares in a period: got 'mix'"]),
        ("missing_column", ["key 'period': portfolios: missing column: got 'portfolio, pathway, share'"]),
        (
            "several",
            [
                "row 2, key 'share': not a number: got 'half'",
                "row 3: given twice: got 'mix, daccs, near_term'",
                "row 5, key 'pathway': unknown pathway: got 'microbial_carbon_pump'",
            ],
        ),
    ],
)
def test_broken_shares_are_named(file, messages):
    path = BAD / f"portfolio_{file}.csv"
    with pytest.raises(InputError) as caught:
        portfolio.load_portfolios(path)
    for message in [str(path), *messages]:
        assert message in str(caught.value)


def test_broken_plans_are_named():
    with pytest.raises(InputError) as caught:
        portfolio.load_plans(BAD / "portfolio_negative_plan.csv")
    for message in (
        "row 2, key 'planned': negative planned: got -1.0; allowed: 0 or more",
        "row 3, key 'unit': cannot turn 'GtCO2' into 'GtCO2/yr'",
        "empty portfolio: it plans nothing: got 'none'",
    ):
        assert message in str(caught.value)


def test_an_amount_beyond_sense_is_refused_in_its_own_unit_and_row():
    table = pd.DataFrame(
        {
            "pathway": ["daccs", "beccs", "biochar"],
            "period": ["mid_term"] * 3,
            "planned": [3e14, 1e300, 1e9],
            "unit": ["MtCO2/yr", "GtCO2/yr", "MtCO2/yr"],
        }
    )
    with pytest.raises(InputError) as caught:
        portfolio.plan_from_table(table, portfolio="mine")
    said = str(caught.value)
    assert "row 2, key 'planned': plan beyond sense: got '300000000000000.0 MtCO2/yr'" in said
    assert "row 3, key 'planned': plan beyond sense: got '1e+300 GtCO2/yr'; allowed: 0 to 1000000" in said
    assert "row 4" not in said


def test_unknown_portfolio_and_totals_are_named():
    with pytest.raises(InputError, match=r"unknown portfolio: got 'phasd'; .* did you mean 'phased'"):
        portfolio.load_portfolios(names=["phasd"])
    shares = portfolio.load_portfolios()
    for total, message in (
        ({"near_term": 1.0, "mid_term": 1.0}, "key 'total.long_term': period without a planned total"),
        (TOTAL | {"later": 1.0}, "total of an unknown period: got 'later'"),
        (TOTAL | {"mid_term": -1.0}, "planned total out of range: got -1.0"),
        (
            TOTAL | {"mid_term": 1e300},
            r"key 'total.mid_term': planned total beyond sense: got 1e\+300; allowed: 0 to 1000000 "
            "GtCO2/yr; the air holds",
        ),
        (TOTAL | {"mid_term": math.nan}, "planned total out of range: got nan"),
        (dict.fromkeys(TOTAL, 0.0), "the planned totals are all zero"),
    ):
        with pytest.raises(InputError, match=message):
            portfolio.plan(shares, total)


def test_target_converts_its_unit_and_refuses_a_wrong_one():
    assert TargetSpec(net_removal=1.0, unit="GtC").net_removal_gtco2 == pytest.approx(44.0 / 12.0)
    with pytest.raises(InputError) as caught:
        make_target({"net_removal": -1.0, "unit": "GtCO2/yr", "yaer": 2100})
    for message in (
        "key 'target.net_removal': below its range: got -1.0; allowed: a finite number above 0",
        "key 'target.unit': cannot turn 'GtCO2/yr' into 'GtCO2'",
        "key 'target.yaer'",
    ):
        assert message in str(caught.value)


def test_specs_refuse_what_makes_no_sense():
    assert RankSpec().criteria == list(AXES)
    assert RankSpec(weights=["total_cost", "shortfall"]).criteria == ["total_cost", "shortfall"]
    with pytest.raises(
        ValueError, match="different criteria: got 'total_cost, shortfall'; allowed: each of total_cost"
    ):
        RankSpec(criteria=["total_cost"], weights={"total_cost": 1.0, "shortfall": 1.0})
    with pytest.raises(ValueError, match="greater than 0"):
        RankSpec(weights={"total_cost": 0.0})
    with pytest.raises(ValueError, match="a criterion named twice: got 'total_cost'"):
        RankSpec(criteria=["total_cost", "total_cost"])
    with pytest.raises(ValueError, match="at least one period needs a positive total"):
        PortfolioSpec(total={"near_term": 0.0})
    with pytest.raises(ValueError, match=r"near_term\n.*greater than or equal to 0"):
        PortfolioSpec(total={"near_term": -1.0, "mid_term": 1.0})
    with pytest.raises(ValueError, match="Extra inputs"):
        PortfolioSpec(total=TOTAL, totl=1)


@pytest.mark.parametrize(
    ("portfolios", "total", "message"),
    [
        ("mine.csv", {}, "wrong kind: got 'mine.csv'.*load_portfolios"),
        (None, [1, 4, 8], "wrong kind.*a mapping of names to numbers"),
        (None, {"near_term": "1 Gt"}, "wrong kind.*a mapping of names to numbers"),
        (None, {"near_term": True}, "wrong kind.*a mapping of names to numbers"),
    ],
)
def test_plans_of_something_else_are_refused(portfolios, total, message):
    from sinkrisk.portfolio import load_portfolios, measure, plan

    shares = load_portfolios(names=["phased"]) if portfolios is None else portfolios
    with pytest.raises(InputError, match=message):
        plan(shares, total)
    with pytest.raises(InputError, match="key 'target': measure: argument of the wrong kind: got 60"):
        measure(None, target=60)


def _named(tmp_path: Path, first: str, again: str, other: str) -> Path:
    path = tmp_path / "named.csv"
    rows = [("a", p, n) for p, n in zip(TOTAL, (first, again, ""), strict=True)]
    rows += [("b", p, other) for p in TOTAL]
    lines = [f"{label},biochar,{period},1,{name}" for label, period, name in rows]
    path.write_text("\n".join(["portfolio,pathway,period,share,name", *lines]) + "\n")
    return path


def test_a_name_may_be_said_in_any_row_of_a_portfolio(tmp_path):
    read = portfolio.load_portfolios(_named(tmp_path, "", "Alpha", "Beta"))
    assert read["name"].values.tolist() == ["Alpha", "Beta"]
    assert portfolio.load_portfolios(_named(tmp_path, "", "", ""))["name"].values.tolist() == ["a", "b"]


def test_names_that_contradict_or_repeat_are_said_with_their_rows(tmp_path):
    with pytest.raises(InputError, match=r"row 3, key 'name': another name for one portfolio: got 'Gamma'"):
        portfolio.load_portfolios(_named(tmp_path, "Alpha", "Gamma", "Beta"))
    with pytest.raises(InputError, match=r"row 5, key 'name': portfolios 'a' and 'b' have one name"):
        portfolio.load_portfolios(_named(tmp_path, "Alpha", "", "Alpha"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: s.assign(share=s["share"] + 0.2),
            "'share.daccs_only.near_term': shares do not sum to 1: got",
        ),
        (lambda s: s.assign(share=-s["share"]), "shares negative or not finite: got '3 of"),
        (lambda s: s.assign(share=s["share"] * np.nan), "shares negative or not finite"),
        (lambda s: s.assign(share=s["share"].astype(str)), "shares must be numbers"),
        (lambda s: s.isel(portfolio=[]), "no portfolio to plan"),
    ],
    ids=["sum", "negative", "nan", "text", "empty"],
)
def test_shares_that_cannot_be_planned_are_named(spoil, message):
    shares = portfolio.load_portfolios(names=["daccs_only"])
    with pytest.raises(InputError, match=message):
        portfolio.plan(spoil(shares), {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
