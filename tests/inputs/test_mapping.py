"""From u to inputs: whole-space properties on the packaged priors and network."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import qmc

from sinkrisk import network, units
from sinkrisk.errors import InputError
from sinkrisk.inputs import InputsSpec, drivers, sample, transform
from sinkrisk.inputs.blocks import SMALLEST
from sinkrisk.inputs.quantities import CHAIN_QUANTITIES, MODES, PATHWAY_QUANTITIES
from sinkrisk.priors import elicit, load_table
from sinkrisk.rng import generator, seed_of

QUANTITIES = {q.name: q for q in PATHWAY_QUANTITIES}
POOL = ("oae", "oif")


def uniform(drivers, n, seed=0):
    return np.random.default_rng(seed).random((n, len(drivers)))


def cells(before, after):
    """Return the variables that differ between two samples, each with the indices that differ."""
    changed = {}
    for name in (*before.data_vars, "mode"):
        a, b = before[name].values, after[name].values
        if not np.array_equal(a, b):
            changed[name] = {tuple(index) for index in np.argwhere(a != b).tolist()}
    return changed


class TestMarginals:
    def test_each_scalar_has_the_quantiles_of_its_prior(self, bare, claims):
        q = np.array([0.0, 0.01, 0.05, 0.3, 0.5, 0.8, 0.95, 0.999, 1.0])
        inside = np.clip(q, SMALLEST, 1 - SMALLEST)
        drawn = transform(bare, np.repeat(q[:, None], len(bare), axis=1))
        seen = 0
        for name in bare.names:
            quantity, _, pathway = name.partition("__")
            if quantity not in QUANTITIES or (quantity == "potential" and pathway == "oae_oif"):
                continue
            owner = pathway
            if pathway in POOL and not ((claims.pathway == pathway) & (claims.quantity == quantity)).any():
                owner = "oae_oif"
            prior, stated = elicit(claims, owner, quantity), QUANTITIES[quantity]
            expected = prior.ppf(inside) * units.factor(prior.unit, stated.unit)
            got = drawn[quantity].sel(pathway=pathway).values
            assert_allclose(got, np.clip(expected, stated.low, stated.high), rtol=1e-12, err_msg=name)
            seen += 1
        assert seen > 100

    def test_the_ends_of_a_claim_alone_on_its_quantity_are_the_5_and_95_per_cent_quantiles(
        self, bare, claims
    ):
        """Against the numbers printed in claims.csv, not against the elicitation that reads them."""
        drawn = transform(bare, np.repeat([[0.05], [0.95]], len(bare), axis=1))
        alone = claims.groupby(["pathway", "quantity"])["id"].transform("size") == 1
        wide = claims["low"].notna() & claims["high"].notna() & (claims["high"] > claims["low"])
        seen = set()
        for row in claims[alone & wide & (claims["interval"].astype(str) == "0.9")].itertuples():
            name = f"{row.quantity}__{row.pathway}"
            if name not in bare.names or row.unit != QUANTITIES[row.quantity].unit:
                continue
            got = drawn[row.quantity].sel(pathway=row.pathway).values
            assert_allclose(got, [row.low, row.high], rtol=2e-3, err_msg=row.id)
            seen.add(name)
        assert {"potential__forests", "cost__forests", "energy__beccs"} <= seen
        assert len(seen) > 20

    def test_quantities_of_the_chain_likewise(self, bare, claims):
        q = np.array([0.05, 0.5, 0.95])
        drawn = transform(bare, np.repeat(q[:, None], len(bare), axis=1))
        for quantity in CHAIN_QUANTITIES:
            assert_allclose(drawn[quantity.name], elicit(claims, "all", quantity.name).ppf(q), rtol=1e-12)
        throttled = elicit(claims, "all", "fraction_throttled").ppf(q)
        passive = elicit(claims, "all", "fraction_passive_redundancy").ppf(q)
        expected = np.stack([np.ones(3), throttled, passive, np.zeros(3)], axis=1)
        assert_allclose(drawn["mode_fraction"], expected, rtol=1e-12)

    def test_weights_of_suitability_are_uniform_between_low_and_high(self, bare):
        table = load_table("suitability")
        u = uniform(bare, 3, seed=4)
        share = transform(bare, u)["suitability_share"]
        for pathway in ("daccs", "forests", "oae"):
            rows = table[table["pathway"] == pathway]
            weights = {}
            for region, low, high in zip(rows["region"], rows["low"], rows["high"], strict=True):
                name = f"suitability__{pathway}__{region}"
                at = u[:, bare.index(name)] if name in bare.names else np.zeros(3)
                weights[region] = low + (high - low) * at
            total = sum(weights.values())
            for region, weight in weights.items():
                assert_allclose(share.sel(pathway=pathway, region=region), weight / total, atol=1e-15)


class TestPool:
    def test_the_merged_row_rules_the_sum_and_own_claims_the_ratio(self, bare, claims):
        u = uniform(bare, 500, seed=2)
        potential = transform(bare, u)["potential"]
        oae, oif = (potential.sel(pathway=p).values for p in ("oae", "oif"))
        total = elicit(claims, "oae_oif", "potential").ppf(u[:, bare.index("potential__oae_oif")])
        assert_allclose(oae + oif, total, rtol=1e-12)
        own = [
            elicit(claims, p, "potential").ppf(u[:, bare.index(f"potential_own__{p}")])
            for p in ("oae", "oif")
        ]
        assert_allclose(oae / oif, own[0] / own[1], rtol=1e-9)

    def test_the_sum_lies_in_the_range_printed_for_the_merged_row(self, bare, claims):
        merged = claims[(claims["pathway"] == "oae_oif") & (claims["quantity"] == "potential")]
        (stated,) = merged[merged["basis"] == "technical"].itertuples()
        u = uniform(bare, 2, seed=2)
        u[:, bare.index("potential__oae_oif")] = [0.05, 0.95]
        total = transform(bare, u)["potential"].sel(pathway=["oae", "oif"]).sum("pathway").values
        assert_allclose(total, [stated.low, stated.high], rtol=2e-3)

    def test_ninety_per_cent_of_the_sum_lies_in_the_elicited_interval(self, bare, claims):
        potential = sample(bare, 4096, rng=3)["potential"]
        total = (potential.sel(pathway="oae") + potential.sel(pathway="oif")).values
        low, high = elicit(claims, "oae_oif", "potential").interval(0.9)
        # Binomial sd of 4096 draws at 0.9 is .0047; Sobol' points do better; 4 sd: false alarm < 1e-4.
        assert np.mean((total >= low) & (total <= high)) == pytest.approx(0.9, abs=0.019)


class TestIndependence:
    def test_a_driver_moves_only_its_own_outputs(self, full):
        base = np.full(len(full), 0.31)
        u = np.vstack([base, base + np.eye(len(full)) * 0.62])
        drawn = transform(full, u)
        drawn.load()
        one = drawn.isel(sample=0)
        pathways, resources = list(drawn["pathway"].values), list(drawn["resource"].values)
        moved = 0
        for i, name in enumerate(full.names):
            changed = cells(one, drawn.isel(sample=i + 1))
            quantity, _, rest = name.partition("__")
            group = full.groups[name]
            if name == "budget_draw":
                assert set(changed) == {"budget_draw", "land_sink", "ocean_sink", "land_sink_ratio"}
            elif name == "network_tables":
                assert {"network_table"} <= set(changed) <= {"network_table", "mode", "shock"}
            elif quantity in ("potential_own", "potential") and rest in {"oae", "oif", "oae_oif"}:
                both = {(pathways.index("oae"),), (pathways.index("oif"),)}
                assert changed == {"potential": both}, name
            elif quantity in QUANTITIES:
                here = pathways.index(rest)
                follows = {"current_capacity": "experience", "energy": "resource_use"}.get(quantity)
                for variable, touched in changed.items():
                    assert variable in (quantity, follows), name
                    assert {index[0] for index in touched} == {here}, name
                assert changed[quantity] == {(here,)}, name
            elif quantity.startswith("supply"):
                assert set(changed) == {"resource_supply"}, name
                assert {index[0] for index in changed["resource_supply"]} == {resources.index(rest)}, name
            elif quantity.startswith("use_"):
                cell = (pathways.index(rest), resources.index(quantity.removeprefix("use_")))
                assert changed == {"resource_use": {cell}}, name
            elif quantity == "coupling":
                cell = (list(drawn["coupling"].values).index(rest),)
                assert changed == {"coupling_effect": {cell}}, name
            elif quantity.startswith("grid_intensity"):
                follows = {"grid_intensity", "heat_intensity"} if quantity.endswith("decline") else {quantity}
                assert set(changed) == follows, name
            elif quantity.startswith("heat_"):
                assert set(changed) == {"heat_intensity"}, name
            elif quantity == "experience_years":
                assert changed == {"experience": {(i,) for i in range(len(pathways))}}
            elif quantity in ("shock_own", "shock_common", "shock_spread"):
                assert set(changed) == {"shock_severity"}, name
            elif quantity == "shock_correlation":
                assert set(changed) == {"shock_severity", "shock_correlation"}, name
            elif quantity == "suitability":
                row = pathways.index(rest.split("__")[0])
                assert set(changed) == {"suitability_share"}
                assert {index[0] for index in changed["suitability_share"]} == {row}, name
            elif quantity == "deployment_mode":
                assert set(changed) <= {"mode"}, name
                assert len(changed.get("mode", ())) <= 3, name  # itself and the periods after it
            elif quantity in ("fraction_throttled", "fraction_passive_redundancy"):
                code = MODES.index(quantity.removeprefix("fraction_"))
                assert changed == {"mode_fraction": {(code,)}}
            elif group in ("policy", "market", "acceptance", "climate", "deployment") and rest:
                assert set(changed) <= {"mode", "shock"}, name
            else:
                assert set(changed) == {name}, name
            moved += bool(changed)
        # Noise of a node that a strong parent overrules may leave all states as they are.
        assert moved > len(full) / 2


class TestBudget:
    def test_whole_draws_are_picked_each_once(self, full, posterior):
        n = 50
        u = uniform(full, n)
        u[:, full.index("budget_draw")] = (np.arange(n) + 0.5) / n
        drawn = transform(full, u)
        flux = posterior["posterior"]["window_flux"].sel(window="2014-2023")
        flat = flux.stack(row=("chain", "draw")).transpose("row", "component")
        draw = drawn["budget_draw"].values
        assert_array_equal(np.sort(draw), np.arange(n))
        assert_array_equal(drawn["land_sink"], flat.sel(component="land").values[draw])
        assert_array_equal(drawn["ocean_sink"], flat.sel(component="ocean").values[draw])
        assert np.all(np.diff(drawn["land_sink"].values) >= 0)
        signs = xr.DataArray([1.0, 1, -1, -1, -1], coords={"component": flat["component"]}, dims="component")
        assert_allclose((flat.isel(row=draw) * signs).sum("component"), 0, atol=1e-12)
        assert_allclose(drawn["land_sink_ratio"].mean(), 1.0, rtol=1e-12)
        assert drawn.attrs["budget_window"] == "2014-2023"

    def test_without_a_budget_the_ratio_is_one(self, bare):
        drawn = sample(bare, 8, rng=1)
        assert_array_equal(drawn["land_sink_ratio"], 1.0)
        assert "land_sink" not in drawn
        assert "budget_draw" not in bare.names


class TestNetwork:
    def test_modes_and_shocks_are_the_states_the_network_gives(self, full, net):
        u = uniform(full, 200, seed=8)
        drawn = transform(full, u)
        bank = next(block.bank for block in full.blocks if hasattr(block, "bank"))
        own = np.stack([u[:, full.index(name)] for name in net.order], axis=1)
        index = np.floor(u[:, full.index("network_tables")] * bank.size).astype(int)
        states = network.sample(net, u=own, tables=bank.take(index))
        for name in net.order:
            node = net.nodes[name]
            labels = np.array(node.states)[states[name].values]
            if node.base == "deployment_mode":
                got = (
                    drawn["mode"]
                    .sel(region=node.region, period=node.period)
                    .isel({"class": list(drawn["class"].values).index(node.cls)})
                )
                assert_array_equal(np.array(MODES)[got.values], labels)
            elif node.base == "disturbance":
                got = drawn["shock"].sel(region=node.region, period=node.period)
                assert_array_equal(got.values, labels == "shock")

    def test_every_cell_of_the_modes_is_reached(self, full):
        drawn = sample(full, 512, rng=6)
        assert (drawn["mode"].values.max(axis=0) > 0).all()
        assert set(np.unique(drawn["mode"].values)) <= {0, 1, 2, 3}

    def test_without_a_network_all_is_full_and_calm(self, bare):
        drawn = sample(bare, 8, rng=1)
        assert not drawn["mode"].values.any()
        assert not drawn["shock"].values.any()


class TestSpareShocks:
    """A network without disturbance nodes leaves shocks to the claim on their probability."""

    @pytest.fixture(autouse=True)
    def _without_modes(self, monkeypatch):
        # The small network has no deployment modes either, which drivers refuse.
        monkeypatch.setattr(network, "require_deployment_modes", lambda net: None)

    def test_a_network_without_modes_is_refused(self, claims, monkeypatch):
        monkeypatch.undo()
        small = network.network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
        with pytest.raises(InputError, match="deployment_mode"):
            drivers(InputsSpec(tables=4), network=small, claims=claims)

    def test_each_region_and_period_has_its_own_chance(self, claims):
        small = network.network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
        spare = drivers(InputsSpec(tables=4), network=small, claims=claims)
        u = uniform(spare, 300, seed=3)
        shock = transform(spare, u)["shock"]
        probability = elicit(claims, "all", "shock_probability").ppf(u[:, spare.index("shock_probability")])
        for region in shock["region"].values:
            for period in shock["period"].values:
                own = u[:, spare.index(f"shock__{region}__{period}")]
                assert_array_equal(shock.sel(region=region, period=period), own < probability)

    def test_held_by_quantile_only(self, claims):
        small = network.network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
        name = "shock__arid_zones__near_term"
        held = drivers(InputsSpec(quantiles={name: 0.0}, tables=4), network=small, claims=claims)
        assert transform(held, uniform(held, 5))["shock"].sel(region="arid_zones", period="near_term").all()
        with pytest.raises(InputError, match="held by quantile"):
            drivers(InputsSpec(fixed={name: 1.0}, tables=4), network=small, claims=claims)


class TestPoints:
    @pytest.mark.parametrize("corner", [0.0, 1.0])
    def test_the_corners_of_the_cube_are_finite(self, full, corner):
        drawn = transform(full, np.full((1, len(full)), corner))
        for name in drawn.data_vars:
            values = drawn[name].values
            if name == "half_life":
                store = drawn["store"].values
                assert_array_equal(np.isinf(values[0]), store == "geological")
                values = values[0, store != "geological"]
            if name in ("non_co2_fade", "fast_half_life", "saturation_years"):
                assert np.isfinite(values).any()
                values = values[np.isfinite(values)]
            assert np.isfinite(values).all(), name
            # A coupling can be for the worse; a normal prior has two tails.
            signed = name == "coupling_effect" or name.endswith("_discrepancy")
            if not signed and not name.startswith("outlook_warming"):
                assert (values >= 0).all(), name

    @settings(max_examples=15, deadline=None)
    @given(data=st.data())
    def test_shares_sum_to_one_and_the_impossible_is_zero(self, bare, data):
        seed = data.draw(st.integers(0, 2**31))
        u = uniform(bare, 20, seed)
        u[data.draw(st.integers(0, 19))] = data.draw(st.sampled_from([0.0, 1.0, 1e-300]))
        drawn = transform(bare, u)
        share = drawn["suitability_share"]
        assert_allclose(share.sum("region"), 1.0, atol=1e-14)
        assert (share >= 0).all()
        land = ["forests", "wetlands", "biochar", "enhanced_weathering", "daccs", "coastal_blue_carbon"]
        assert_array_equal(share.sel(pathway=land, region="open_ocean"), 0.0)
        assert_array_equal(share.sel(pathway=["oae", "oif"], region="arid_zones"), 0.0)
        assert_array_equal(share.sel(pathway="oif", region="open_ocean"), 1.0)

    def test_a_row_does_not_depend_on_its_block(self, full):
        u = uniform(full, 2500, seed=5)
        whole = transform(full, u)
        for rows in (slice(0, 1), slice(700, 1900), slice(2499, 2500)):
            part = transform(full, u[rows]).drop_vars(["probability", "sample"])
            assert part.identical(whole.isel(sample=rows).drop_vars(["probability", "sample"]))

    def test_u_is_not_changed(self, bare):
        u = uniform(bare, 4)
        u[0] = 0.0
        kept = u.copy()
        transform(bare, u)
        assert_array_equal(u, kept)


class TestSample:
    def test_equals_transform_at_scrambled_sobol_points(self, full):
        seed = np.random.default_rng(seed_of(generator(5)))
        points = qmc.Sobol(len(full), scramble=True, rng=seed).random_base2(11)
        expected = transform(full, points)
        drawn = sample(full, 2048, rng=5)
        drawn.attrs = expected.attrs
        assert drawn.identical(expected)

    def test_same_seed_same_draws(self, full):
        assert sample(full, 32, rng=1).identical(sample(full, 32, rng=1))
        assert not sample(full, 32, rng=1).identical(sample(full, 32, rng=2))
        assert sample(full, 32, rng=np.random.default_rng(1)).identical(sample(full, 32, rng=1))

    @pytest.mark.parametrize("n", [1, 100, 1500])
    def test_any_n_is_the_head_of_the_sequence_and_says_it_is_unbalanced(self, bare, n):
        drawn = sample(bare, n, rng=9).drop_vars("probability")
        longer = sample(bare, 2048, rng=9).drop_vars("probability").isel(sample=slice(0, n))
        assert drawn.attrs["balanced"] == int(n == 1)
        assert longer.attrs["balanced"] == 1
        drawn.attrs = longer.attrs
        assert drawn.identical(longer)

    def test_probability_is_uniform(self, bare):
        assert_array_equal(sample(bare, 8, rng=1)["probability"], 1 / 8)

    @pytest.mark.parametrize("n", [0, -4, 2.5, True, "8"])
    def test_bad_n(self, bare, n):
        with pytest.raises(InputError, match="positive integer"):
            sample(bare, n)


class TestDataset:
    def test_round_trip_through_netcdf(self, full, tmp_path):
        drawn = sample(full, 16, rng=1)
        drawn.to_netcdf(tmp_path / "inputs.nc")
        with xr.open_dataset(tmp_path / "inputs.nc") as back:
            back.load()
        xr.testing.assert_equal(back, drawn)
        assert back["shock"].dtype == bool

    def test_dims_and_units_are_those_of_the_contract(self, full):
        drawn = sample(full, 4, rng=1)
        assert drawn["mode"].dims == ("sample", "class", "region", "period")
        assert drawn["shock"].dims == ("sample", "region", "period")
        assert drawn["suitability_share"].dims == ("sample", "pathway", "region")
        assert drawn["mode"].dtype == np.int8
        assert drawn["mode"].attrs["flag_meanings"].split() == list(MODES)
        expected = {"potential": "GtCO2/yr", "cost": "USD/tCO2", "energy": "GJ/tCO2", "half_life": "yr"}
        assert {name: drawn[name].attrs["units"] for name in expected} == expected
        assert all("units" in drawn[name].attrs for name in drawn.data_vars)
        assert_array_equal(drawn["period_length"], [10, 15, 51])
        assert_array_equal(drawn["period_start"], [2025, 2035, 2050])

    def test_only_creditable_pathways(self, full, creditable):
        drawn = sample(full, 2, rng=1)
        assert list(drawn["pathway"].values) == creditable
        assert "microbial_carbon_pump" not in creditable

    def test_structural_values(self, full):
        drawn = sample(full, 16, rng=1)
        geological = drawn["store"] == "geological"
        assert np.isinf(drawn["half_life"].where(geological, drop=True)).all()
        assert (drawn["leakage_rate"].where(geological, drop=True) > 0).all()
        assert (drawn["leakage_rate"].where(~geological, drop=True) == 0).all()
        # Rock, product and sea do not burn; the BECCS store is rock.
        calm = [
            "beccs",
            "daccs",
            "enhanced_weathering",
            "industrial_carbonation",
            "point_source_ccs",
            "oae",
            "oif",
        ]
        assert_array_equal(drawn["reversal_loss"].sel(pathway=calm), 0.0)
        assert (drawn["reversal_loss"].drop_sel(pathway=calm) > 0).all()
        share = drawn["removal_share"]
        assert_array_equal(share.sel(pathway="daccs"), 1.0)
        assert_array_equal(share.sel(pathway="point_source_ccs"), 0.0)
        assert ((share.sel(pathway="industrial_carbonation") % 1) > 0).all()


class TestBadPoints:
    def test_wrong_width(self, bare):
        with pytest.raises(InputError, match=rf"shape \(3, 7\).*\(n, {len(bare)}\)"):
            transform(bare, np.zeros((3, 7)))

    def test_one_point_without_its_row_axis(self, bare):
        with pytest.raises(InputError, match=r"u\[None, :\]"):
            transform(bare, np.zeros(len(bare)))

    def test_no_rows_and_no_numbers(self, bare):
        with pytest.raises(InputError, match="no rows"):
            transform(bare, np.zeros((0, len(bare))))
        with pytest.raises(InputError, match="must be numbers"):
            transform(bare, [["a"] * len(bare)])

    @pytest.mark.parametrize(("value", "text"), [(np.nan, "1 of them NaN"), (-0.1, "-0.1"), (1.5, "1.5")])
    def test_values_that_are_no_probability_are_named(self, bare, value, text):
        u = uniform(bare, 5)
        u[3, 2] = value
        with pytest.raises(InputError) as error:
            transform(bare, u)
        message = str(error.value)
        assert text in message
        assert "rows 3" in message
        assert bare.names[2] in message
