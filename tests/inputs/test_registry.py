"""The driver table, what can be fixed, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pydantic
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from sinkrisk.errors import InputError
from sinkrisk.inputs import InputsSpec, drivers, sample, transform
from sinkrisk.inputs.blocks import Marginal
from sinkrisk.inputs.building import Builder
from sinkrisk.priors import elicit, load_table


def at(drivers_, value=0.4, n=1):
    return np.full((n, len(drivers_)), value)


class TestTable:
    def test_columns_order_and_length(self, full):
        table = full.table
        assert list(table.columns) == ["name", "group", "kind", "source", "transform"]
        assert tuple(table["name"]) == full.names
        assert len(table) == len(full) == len(set(full.names))
        assert dict(zip(table["name"], table["group"], strict=True)) == full.groups
        assert [full.index(name) for name in full.names] == list(range(len(full)))

    def test_every_driver_says_where_it_comes_from(self, full):
        for column in ("source", "transform", "group"):
            assert (full.table[column].str.strip() != "").all(), column

    def test_groups_of_the_contract(self, full):
        expected = {
            "budget", "network_tables", "policy", "market", "acceptance", "deployment", "climate",
            "potential", "cost", "energy", "growth", "durability", "suitability", "ecological", "economics",
        }  # fmt: skip
        assert expected <= set(full.group_names)
        assert sum(len(full.in_group(group)) for group in full.group_names) == len(full)

    def test_only_climate_is_aleatory(self, full):
        aleatory = full.table["kind"] == "aleatory"
        assert_array_equal(aleatory, full.table["group"] == "climate")
        assert full.table.loc[aleatory, "name"].str.contains("disturbance").any()

    def test_one_driver_per_network_node(self, full, net):
        assert set(net.order) <= set(full.names)
        assert all(full.groups[name] == net.nodes[name].group for name in net.order)

    def test_printing_counts_the_groups(self, full):
        text = str(full)
        assert f"{len(full)} drivers" in text
        assert "suitability" in text

    def test_unknown_name_and_group(self, full):
        with pytest.raises(InputError, match="did you mean 'cost__daccs'"):
            full.index("cost__dacs")
        with pytest.raises(InputError, match="did you mean 'climate'"):
            full.columns("climat")


class TestSuitabilityTable:
    def test_every_creditable_pathway_and_region_once(self, creditable):
        table = load_table("suitability")
        pairs = list(zip(table["pathway"], table["region"], strict=True))
        wanted = {(p, r) for p in creditable for r in load_table("regions")["region"]}
        assert len(pairs) == len(set(pairs))
        assert set(pairs) == wanted

    def test_weights_are_ordered_and_explained(self):
        table = load_table("suitability")
        assert ((table["low"] >= 0) & (table["low"] <= table["high"]) & (table["high"] <= 1)).all()
        located = table["locator"].fillna("").str.strip() != ""
        assert ((table["source"] == "assumption") | located).all()
        assert (table["note"].str.len() > 10).all()

    def test_the_review_s_named_matches_carry_the_largest_weights(self):
        table = load_table("suitability").set_index(["pathway", "region"])["low"]
        named = [
            ("daccs", "north_america"), ("daccs", "northern_europe"), ("point_source_ccs", "northern_europe"),
            ("forests", "southeast_asia_tropics"), ("wetlands", "southeast_asia_tropics"),
            ("beccs", "southeast_asia_tropics"), ("enhanced_weathering", "arid_zones"),
        ]  # fmt: skip
        for pathway, region in named:
            assert table[pathway, region] == table[pathway].max(), (pathway, region)
        zones = table.unstack().loc[:, ["china_east_coast", "china_southwest", "china_arid_north"]].T
        assert zones["daccs"].idxmax() in ("china_east_coast", "china_arid_north")
        assert zones["point_source_ccs"].idxmax() == "china_east_coast"
        for pathway in ("wetlands", "forests", "biochar"):
            assert zones[pathway].idxmax() == "china_southwest"


class TestFixed:
    def test_value_leaves_u_and_changes_nothing_else(self, bare, claims):
        spec = InputsSpec(fixed={"cost__daccs": 300.0, "suitability__forests__north_america": 0.5})
        fixed = drivers(spec, claims=claims)
        assert set(bare.names) - set(fixed.names) == set(spec.fixed)
        u = np.random.default_rng(1).random((6, len(bare)))
        kept = [bare.index(name) for name in fixed.names]
        before, after = transform(bare, u), transform(fixed, u[:, kept])
        assert_array_equal(after["cost"].sel(pathway="daccs"), 300.0)
        xr.testing.assert_equal(
            after["cost"].drop_sel(pathway="daccs"), before["cost"].drop_sel(pathway="daccs")
        )
        xr.testing.assert_equal(after["potential"], before["potential"])
        held = fixed.constants.set_index("name")
        assert held.loc["cost__daccs", "value"] == 300.0
        assert held.loc["cost__daccs", "unit"] == "USD/tCO2"

    def test_quantile_is_the_prior_s_quantile(self, claims):
        spec = InputsSpec(quantiles={"cost__daccs": 0.9, "potential__oae_oif": 0.5, "cost_slope": 0.0})
        fixed = drivers(spec, claims=claims)
        drawn = transform(fixed, at(fixed))
        assert_allclose(
            drawn["cost"].sel(pathway="daccs"), elicit(claims, "daccs", "cost").ppf(np.array([0.9]))
        )
        pool = drawn["potential"].sel(pathway=["oae", "oif"]).sum("pathway")
        assert_allclose(pool, elicit(claims, "oae_oif", "potential").ppf(np.array([0.5])))
        assert np.isfinite(drawn["cost_slope"]).all()

    def test_a_weight_held_at_a_quantile(self, bare, claims):
        name = "suitability__daccs__arid_zones"
        fixed = drivers(InputsSpec(quantiles={name: 0.7}), claims=claims)
        u = np.random.default_rng(2).random((3, len(bare)))
        u[:, bare.index(name)] = 0.7
        kept = [bare.index(other) for other in fixed.names]
        assert_allclose(
            transform(fixed, u[:, kept])["suitability_share"],
            transform(bare, u)["suitability_share"],
            rtol=1e-13,
        )

    def test_budget_draw_by_land_sink_and_by_quantile(self, posterior, claims):
        land = np.sort(
            posterior["posterior"]["window_flux"].sel(window="2014-2023", component="land").values.ravel()
        )
        for spec, expected in (
            (InputsSpec(fixed={"budget_draw": float(land[10]) + 1e-9}), land[10]),
            (InputsSpec(quantiles={"budget_draw": 0.999}), land[-1]),
        ):
            fixed = drivers(spec, budget=posterior, claims=claims)
            assert "budget_draw" not in fixed.names
            assert_array_equal(transform(fixed, at(fixed, n=3))["land_sink"], expected)

    def test_another_window(self, posterior, claims):
        fixed = drivers(InputsSpec(window="2000-2009"), budget=posterior, claims=claims)
        drawn = transform(fixed, at(fixed))
        land = posterior["posterior"]["window_flux"].sel(window="2000-2009", component="land").values
        assert drawn["land_sink"].item() in land

    def test_a_node_fixed_at_a_state_is_an_intervention(self, full, net, claims):
        name = next(n for n in net.order if net.nodes[n].base == "deployment_mode")
        node = net.nodes[name]
        fixed = drivers(InputsSpec(fixed={name: "collapse"}), network=net, claims=claims)
        assert name not in fixed.names
        u = np.random.default_rng(3).random((64, len(fixed)))
        mode = transform(fixed, u)["mode"].sel(region=node.region, period=node.period)
        classes = list(mode["class"].values)
        assert_array_equal(mode.isel({"class": classes.index(node.cls)}), 3)
        others = mode.isel({"class": [i for i, c in enumerate(classes) if c != node.cls]})
        assert len(np.unique(others.values)) > 1

    def test_a_node_held_at_a_quantile_and_a_table_draw(self, net, claims):
        name = net.order[0]
        spec = InputsSpec(quantiles={name: 0.2}, fixed={"network_tables": 7}, tables=16)
        held = drivers(spec, network=net, claims=claims)
        plain = drivers(InputsSpec(tables=16), network=net, claims=claims)
        u = np.random.default_rng(4).random((40, len(plain)))
        u[:, plain.index(name)] = 0.2
        u[:, plain.index("network_tables")] = 7.5 / 16
        kept = [plain.index(other) for other in held.names]
        a, b = transform(plain, u), transform(held, u[:, kept])
        assert_array_equal(a["mode"], b["mode"])
        assert_array_equal(b["network_table"], 7)

    def test_parts_can_be_left_out(self, posterior, net, claims, bare):
        none = drivers(InputsSpec(budget=False, network=False), budget=posterior, network=net, claims=claims)
        assert none.names == bare.names

    def test_what_is_held_does_not_move(self, claims):
        spec = InputsSpec(
            fixed={"current_capacity__beccs": 0.01, "fraction_throttled": 0.25, "trl__oif": 4},
            quantiles={"half_life__forests": 0.5, "suitability__urban__north_america": 0.3},
        )
        fixed = drivers(spec, claims=claims)
        drawn = sample(fixed, 64, rng=1)
        assert_array_equal(drawn["current_capacity"].sel(pathway="beccs"), 0.01)
        assert_array_equal(drawn["mode_fraction"].isel(mode=1), 0.25)
        assert_array_equal(drawn["trl"].sel(pathway="oif"), 4.0)
        assert len(np.unique(drawn["half_life"].sel(pathway="forests"))) == 1
        # Beside them stand the needs that are 1 by definition: a tonne carried, a tonne injected.
        points = fixed.constants[fixed.constants["reason"] == "stated as a point"]["name"]
        assert points.str.startswith("use_").all()
        held = set(fixed.constants["name"]) - set(points)
        assert held == set(spec.fixed) | set(spec.quantiles)

    def test_a_prior_without_width_is_a_constant_that_can_be_fixed(self):
        point = Marginal(lambda q: np.full_like(q, 3.0), 1.0, 0.0, 10.0)
        for spec, value, reason in (
            (InputsSpec(), 3.0, "stated as a point"),
            (InputsSpec(fixed={"x": 5.0}), 5.0, "fixed by the spec"),
        ):
            builder = Builder(spec)
            slot, held = builder.scalar("x", "cost", point, unit="1", source="s", text="t")
            assert (slot.column, held, builder.rows) == (None, value, [])
            assert builder.held[0].reason == reason

    def test_two_drivers_of_one_name_are_refused(self):
        builder = Builder(InputsSpec())
        line = Marginal(lambda q: q, 1.0, 0.0, 1.0)
        for _ in range(2):
            builder.scalar("x", "cost", line, unit="1", source="s", text="t")
        with pytest.raises(InputError, match="two drivers of one name"):
            builder.problems.raise_if_any()


class TestRefused:
    def test_unknown_driver_with_suggestion(self, claims):
        spec = InputsSpec(fixed={"cost__dacs": 1.0}, quantiles={"potentail__beccs": 0.5})
        with pytest.raises(InputError) as error:
            drivers(spec, claims=claims)
        message = str(error.value)
        assert "did you mean 'cost__daccs'" in message
        assert "did you mean 'potential__beccs'" in message
        assert "inputs.fixed.cost__dacs" in message

    def test_a_driver_of_a_part_that_is_absent(self, claims):
        with pytest.raises(InputError, match=r"no such driver.*budget_draw"):
            drivers(InputsSpec(quantiles={"budget_draw": 0.5}), claims=claims)

    def test_all_missing_claims_at_once(self, claims):
        gone = [("daccs", "energy"), ("forests", "half_life"), ("all", "cost_slope"), ("oif", "potential")]
        drop = np.zeros(len(claims), dtype=bool)
        for pathway, quantity in gone:
            drop |= ((claims["pathway"] == pathway) & (claims["quantity"] == quantity)).to_numpy()
        with pytest.raises(InputError) as error:
            drivers(claims=claims[~drop])
        assert len(error.value.problems) == len(gone)
        for pathway, quantity in gone:
            assert f"no claim on {quantity} of {pathway}" in str(error.value)

    def test_impossible_values(self, claims):
        spec = InputsSpec(fixed={"reversal_loss__forests": 1.5, "cost__daccs": -3.0, "trl__daccs": "high"})
        with pytest.raises(InputError) as error:
            drivers(spec, claims=claims)
        assert len(error.value.problems) == 3
        assert "[0, 1]" in str(error.value)

    def test_fixed_twice(self, claims):
        spec = InputsSpec(fixed={"cost__daccs": 300.0}, quantiles={"cost__daccs": 0.5})
        with pytest.raises(InputError, match="both at a value and at a quantile"):
            drivers(spec, claims=claims)

    def test_unknown_state_of_a_node(self, net, claims):
        name = next(n for n in net.order if net.nodes[n].base == "deployment_mode")
        with pytest.raises(InputError, match="did you mean 'throttled'"):
            drivers(InputsSpec(fixed={name: "throtled"}, tables=4), network=net, claims=claims)

    def test_budget_without_a_sink_or_window(self, posterior, claims):
        flux = posterior["posterior"]["window_flux"]
        lame = xr.DataTree.from_dict(
            {"posterior": xr.Dataset({"window_flux": flux.drop_sel(component="land")})}
        )
        with pytest.raises(InputError, match=r"lacks a sink.*'land'"):
            drivers(budget=lame, claims=claims)
        with pytest.raises(InputError, match="posterior window_flux"):
            drivers(budget=xr.DataTree(), claims=claims)
        with pytest.raises(InputError, match=r"no such window.*2004-2013"):
            drivers(InputsSpec(window="2004-2013"), budget=posterior, claims=claims)

    def test_yields_may_follow_the_land_sink_net_of_land_use(self, posterior, claims):
        drawn = sample(drivers(InputsSpec(yield_sink="net_land"), budget=posterior, claims=claims), 64, rng=1)
        flux = posterior["posterior"]["window_flux"].sel(window="2014-2023")
        flux_components = list(flux["component"].values)
        flux = flux.transpose("chain", "draw", "component").values.reshape(-1, 5)
        net = flux[:, flux_components.index("land")] - flux[:, flux_components.index("land_use")]
        expected = net[drawn["budget_draw"].values] / net.mean()
        np.testing.assert_allclose(drawn["land_sink_ratio"], expected, rtol=1e-12)
        gone = posterior["posterior"].to_dataset().drop_sel(component="land_use")
        with pytest.raises(InputError, match=r"lacks a sink.*'land_use'"):
            drivers(InputsSpec(yield_sink="net_land"), budget=xr.DataTree.from_dict({"posterior": gone}))

    def test_a_land_source_cannot_scale(self, posterior, claims):
        tree = xr.DataTree.from_dict(
            {"posterior": xr.Dataset({"window_flux": -posterior["posterior"]["window_flux"]})}
        )
        with pytest.raises(InputError, match="not positive"):
            drivers(budget=tree, claims=claims)

    def test_a_prior_outside_what_the_quantity_can_be(self, claims):
        wrong = claims.copy()
        rows = wrong["quantity"] == "leakage_rate"
        wrong.loc[rows, ["low", "high"]] = [0.5, 40.0]
        with pytest.raises(InputError, match=r"prior of leakage_rate of daccs lies outside.*\[0, 1\] 1/yr"):
            drivers(claims=wrong)

    def test_a_claim_in_an_impossible_unit(self, claims):
        wrong = claims.copy()
        wrong.loc[(wrong["pathway"] == "daccs") & (wrong["quantity"] == "cost"), "unit"] = "GtCO2/yr"
        with pytest.raises(InputError, match=r"USD/tCO2"):
            drivers(claims=wrong)


class TestSpec:
    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ({"fixd": {}}, "fixd"),
            ({"quantiles": {"cost__daccs": 1.2}}, "less than or equal to 1"),
            ({"fixed": {"cost__daccs": float("nan")}}, "finite"),
            ({"mass": 1.0}, "less than 1"),
            ({"tables": 1}, "greater than or equal to 2"),
        ],
    )
    def test_refuses(self, given, text):
        with pytest.raises(pydantic.ValidationError, match=text):
            InputsSpec.model_validate(given)

    def test_basis_is_passed_on(self, claims):
        theoretical = drivers(InputsSpec(basis={"potential": "theoretical"}), claims=pooled(claims))
        drawn = transform(theoretical, at(theoretical, 0.5))
        expected = elicit(pooled(claims), "daccs", "potential", basis="theoretical").ppf(np.array([0.5]))
        assert_allclose(drawn["potential"].sel(pathway="daccs"), expected)


def pooled(claims: pd.DataFrame) -> pd.DataFrame:
    """Give every potential a theoretical claim ten times its other ones."""
    rows = claims[claims["quantity"] == "potential"].copy()
    columns = ["low", "high", "central", "sd"]
    rows[columns] = rows[columns] * 10
    rows["basis"] = "theoretical"
    rows["id"] = rows["id"] + "_x"
    attrs = claims.attrs
    out = pd.concat([claims, rows], ignore_index=True)
    out.attrs = dict(attrs)
    return out
