"""What pathways share and do to each other: tables against draws, by hand and as properties."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

from sinkrisk.inputs import InputsSpec, drivers, sample, transform
from sinkrisk.inputs.blocks import Slot
from sinkrisk.inputs.sharing_blocks import (
    ConstantBlock,
    ExperienceBlock,
    LateHazardBlock,
    Line,
    LognormalRange,
    PlaceBlock,
    SeverityBlock,
    UseBlock,
    score_correlation,
)
from sinkrisk.priors import load_table

HELD = Slot(None)
NATURE = (
    "forests", "wetlands", "croplands", "grasslands", "deserts", "urban", "coastal_blue_carbon",
)  # fmt: skip
MANUFACTURED = ("beccs", "daccs", "biochar", "industrial_carbonation", "point_source_ccs")
LAND_BASED = ("beccs", "biochar", *NATURE)


def uniform(drivers_, n, seed=0):
    return np.random.default_rng(seed).random((n, len(drivers_)))


@pytest.fixture(scope="module")
def some(full):
    return sample(full, 512, rng=8)


@pytest.fixture(scope="module")
def severity(claims):
    spec = InputsSpec(fixed={"shock_correlation": 0.45, "shock_spread": 0.5})
    held = drivers(spec, claims=claims)
    u = np.random.default_rng(20).random((40_000, len(held)))
    drawn = transform(held, u)
    return drawn["shock_severity"].sel(region=drawn["domain"] == "land")


class TestBlocks:
    def test_a_lognormal_range_has_its_ends_at_its_tails(self):
        prior = LognormalRange(2.0, 8.0, 0.8)
        assert_allclose(prior(np.array([0.1, 0.5, 0.9])), [2.0, 4.0, 8.0])
        assert_array_equal(LognormalRange(3.0, 3.0)(np.array([0.0, 0.7])), 3.0)

    def test_a_place_is_level_times_region_times_period(self):
        out = {"x": np.full((2, 3, 2, 2), -1.0)}
        block = PlaceBlock(
            "x", 1, (HELD, 10.0), np.array([0.2, 0.8]), np.array([0.5, 1.0]), None, np.array([5.0, 20.0])
        )
        block.fill(np.empty((2, 0)), out)
        assert_allclose(out["x"][0, 1], [[1.0, 2.0], [4.0, 8.0]])
        assert (out["x"][:, [0, 2]] == -1.0).all()

    def test_a_decline_halves_the_level_in_its_half_life(self):
        out = {"x": np.empty((1, 1, 2))}
        rate = np.log(2.0) / 20.0
        PlaceBlock("x", None, (HELD, 8.0), np.ones(1), np.ones(2), (HELD, rate), np.array([0.0, 20.0])).fill(
            np.empty((1, 0)), out
        )
        assert_allclose(out["x"], [[[8.0, 4.0]]])

    def test_need_may_be_a_multiple_of_energy(self):
        out = {"energy": np.array([[3.0, 5.0]]), "resource_use": np.zeros((1, 2, 2))}
        UseBlock(((0, 1, (HELD, 2.0), True), (1, 0, (HELD, 7.0), False))).fill(np.empty((1, 0)), out)
        assert_allclose(out["resource_use"], [[[0.0, 6.0], [7.0, 0.0]]])

    def test_experience_is_years_of_capacity(self):
        out = {"current_capacity": np.array([[0.5, 2.0]]), "experience": np.empty((1, 2))}
        ExperienceBlock((Slot(0), lambda u: 40.0 * u)).fill(np.array([[0.25]]), out)
        assert_allclose(out["experience"], [[5.0, 20.0]])

    def test_one_number_for_several(self):
        out = {"x": np.zeros((2, 3))}
        ConstantBlock("x", np.array([0, 2]), (Slot(0), Line(1.0, 3.0))).fill(np.array([[0.5], [1.0]]), out)
        assert_allclose(out["x"], [[2, 0, 2], [3, 0, 3]])

    def test_severity_by_hand(self):
        # Correlation 1: only the common score counts. s = 0.5, z = 1: exp(0.5 - 0.125).
        out = {"shock_correlation": np.array([1.0, 0.0]), "shock_severity": np.ones((2, 2, 1))}
        SeverityBlock((HELD, 0.5), ((HELD, 1.0),), ((0, 0, (HELD, -2.0)),)).fill(np.empty((2, 0)), out)
        assert_allclose(out["shock_severity"][:, 0, 0], [np.exp(0.375), np.exp(-1.125)])
        assert_array_equal(out["shock_severity"][:, 1], 1.0)

    def test_without_spread_severity_is_one(self):
        out = {"shock_correlation": np.array([0.4]), "shock_severity": np.zeros((1, 1, 1))}
        SeverityBlock((HELD, 0.0), ((HELD, 1.0),), ((0, 0, (HELD, 2.0)),)).fill(np.empty((1, 0)), out)
        assert_array_equal(out["shock_severity"], 1.0)

    @pytest.mark.parametrize("rho", [0.0, 0.3, 0.7, 1.0])
    @pytest.mark.parametrize("spread", [1e-6, 0.5, 2.0])
    def test_score_correlation_inverts_the_lognormal_formula(self, rho, spread):
        r = score_correlation(np.array([rho]), np.array([spread]))
        back = np.expm1(spread**2 * r) / np.expm1(spread**2)
        assert_allclose(back, rho, rtol=1e-9, atol=1e-12)

    def test_late_hazard_is_chance_over_length(self):
        out = {"late_hazard": np.zeros((1, 3))}
        LateHazardBlock((HELD, 0.4), np.array([0, 2]), 50.0).fill(np.empty((1, 0)), out)
        assert_allclose(out["late_hazard"], [[0.008, 0.0, 0.008]])


class TestRanges:
    def test_dims_and_units(self, some):
        expected = {
            "additionality": ("pathway",), "efficiency": ("pathway",), "learning_rate": ("pathway",),
            "experience": ("pathway",), "cost_floor": ("pathway",), "scarcity": ("pathway",),
            "foregone_regrowth": ("pathway",), "non_co2": ("pathway",), "non_co2_young": ("pathway",),
            "non_co2_fade": ("pathway",), "fast_share": ("pathway",), "fast_half_life": ("pathway",),
            "saturation_years": ("pathway",), "verification_delay": ("pathway",), "years_per_trl": (),
            "hazard_exponent": (), "setback": (), "shock_correlation": (),
            "resource_use": ("pathway", "resource"), "resource_supply": ("resource", "region", "period"),
            "coupling_effect": ("coupling",), "grid_intensity": ("region", "period"),
            "power_share": ("pathway",), "own_fuel": ("pathway",), "heat_intensity": ("period",),
            "shock_severity": ("region", "period"), "late_hazard": ("region",),
        }  # fmt: skip
        assert {name: some[name].dims[1:] for name in expected} == expected
        units = {
            "experience": "GtCO2", "grid_intensity": "tCO2/GJ", "heat_intensity": "tCO2/GJ",
            "power_share": "1", "late_hazard": "1/yr",
            "verification_delay": "yr", "saturation_years": "yr", "years_per_trl": "yr", "setback": "1",
        }  # fmt: skip
        assert {name: some[name].attrs["units"] for name in units} == units
        assert dict(zip(some["resource"].values, some["resource_unit"].values, strict=True)) == {
            "land": "Mha", "biomass": "EJ/yr", "water": "km3/yr", "clean_energy": "EJ/yr",
            "reactive_mineral": "Gt/yr", "co2_transport": "GtCO2/yr", "co2_storage": "GtCO2/yr",
            "point_co2": "GtCO2/yr",
        }  # fmt: skip
        assert some["creditable"].dtype == bool
        assert some["creditable"].all()

    @pytest.mark.parametrize(
        ("name", "pathways", "neutral"),
        [
            ("additionality", NATURE, 1.0),
            ("efficiency", ("oae", "oif"), 1.0),
            ("learning_rate", MANUFACTURED, 0.0),
            ("cost_floor", MANUFACTURED, 0.0),
            ("scarcity", LAND_BASED, 0.0),
            ("fast_share", ("biochar",), 0.0),
            ("fast_half_life", ("biochar",), np.inf),
            ("saturation_years", NATURE, np.inf),
            ("foregone_regrowth", ("beccs", "forests"), 0.0),
            ("non_co2_young", ("wetlands", "coastal_blue_carbon"), 0.0),
            ("non_co2_fade", ("wetlands", "coastal_blue_carbon"), np.inf),
        ],
    )
    def test_who_is_touched_and_who_is_neutral(self, some, name, pathways, neutral):
        values = some[name]
        touched = values.sel(pathway=list(pathways))
        assert (touched != neutral).all()
        assert_array_equal(values.drop_sel(pathway=list(pathways)), neutral)

    @pytest.mark.parametrize(
        "name",
        ["additionality", "efficiency", "foregone_regrowth", "fast_share", "cost_floor", "setback",
         "shock_correlation", "learning_rate", "power_share", "own_fuel"],
    )  # fmt: skip
    def test_shares_lie_in_the_unit_interval(self, some, name):
        assert ((some[name] >= 0) & (some[name] <= 1)).all()

    def test_albedo_takes_at_most_about_a_third(self, some, claims):
        stated = claims.set_index("id").loc["forests_non_co2_1", "high"]
        assert stated == pytest.approx(1 / 3, abs=1e-4)
        albedo = some["non_co2"].sel(pathway="forests")
        # The claim's end is the 95 % quantile: 26 of 512 points of a Sobol' sequence, within 8.
        assert int((albedo > stated).sum()) == pytest.approx(26, abs=8)

    def test_everything_that_captures_waits_for_its_credit(self, some):
        assert (some["verification_delay"] > 0).all()
        delay = some["verification_delay"].median("sample")
        # The review calls the cycles of weathering long; a meter at the well is quick.
        assert delay.sel(pathway="enhanced_weathering") > 3 * delay.sel(pathway="daccs")

    def test_todays_capacities_are_the_review_s(self, claims):
        rows = claims[claims["quantity"] == "current_capacity"].set_index("id")
        assert rows.loc["beccs_current_capacity_1", ["central", "unit"]].tolist() == [3, "MtCO2/yr"]
        assert rows.loc["daccs_current_capacity_1", ["high", "unit"]].tolist() == [0.02, "GtCO2/yr"]
        assert rows.loc["biochar_current_capacity_1", ["central", "unit"]].tolist() == [0.25, "MtCO2/yr"]

    def test_experience_is_the_same_number_of_years_for_all(self, some):
        years = some["experience"] / some["current_capacity"]
        assert_allclose(years, years.isel(pathway=[0]).values * np.ones(years.shape), rtol=1e-12)


class TestResources:
    def test_regions_share_each_resource_whole(self, some):
        world = some["resource_supply"].sum("region")
        levels = {name: world.sel(resource=name) for name in world["resource"].values}
        table = load_table("resources")
        for name, level in levels.items():
            if name == "point_co2":
                continue
            factor = table[(table["resource"] == name) & (table["parameter"] == "period")]["low"].to_numpy()
            # Dividing out the constant of the period leaves one level in every period.
            assert_allclose(level / factor, (level / factor).isel(period=[2]).values * np.ones(3), rtol=1e-12)

    def test_the_level_has_the_printed_interval(self, full):
        table = load_table("resources")
        stated = table[table["parameter"] == "level"].set_index("resource")
        u = np.full((2, len(full)), 0.5)
        for name, row in stated.iterrows():
            u[:, full.index(f"supply__{name}")] = [0.05, 0.95]
            last = transform(full, u)["resource_supply"].sel(resource=name).isel(period=2).sum("region")
            factor = table[(table["resource"] == name) & (table["place"] == "long_term")]["low"].item()
            assert_allclose(last, np.array([row["low"], row["high"]]) * factor, rtol=1e-12)

    def test_supply_rises_with_its_driver_and_with_no_other(self, full):
        names = [name for name in full.names if name.startswith("supply__")]
        assert len(names) == 8
        for name in names:
            u = np.full((5, len(full)), 0.4)
            u[:, full.index(name)] = [0.0, 0.2, 0.5, 0.8, 1.0]
            supply = transform(full, u)["resource_supply"]
            own = supply.sel(resource=name.removeprefix("supply__"))
            steps = own.diff("sample")
            possible = own.isel(sample=-1) > 0
            assert (steps.where(possible) > 0).sum() == possible.sum() * 4
            rest = supply.drop_sel(resource=name.removeprefix("supply__"))
            assert_array_equal(rest, rest.isel(sample=[0]).values * np.ones((5, 1, 1, 1)))

    def test_point_emissions_decline_at_their_rate(self, bare):
        spec = InputsSpec(fixed={"supply__point_co2": 16.0, "supply_decline__point_co2": 0.03})
        held = drivers(spec)
        world = transform(held, uniform(held, 2))["resource_supply"].sel(resource="point_co2").sum("region")
        # Middles of the periods lie 5, 17.5 and 50.5 years after 2025.
        assert_allclose(world, 16.0 * np.exp(-0.03 * np.array([[5.0, 17.5, 50.5]] * 2)))

    def test_the_grid_declines_and_keeps_its_order(self, full, some):
        grid = some["grid_intensity"]
        assert (grid.diff("period") < 0).all()
        ratio = load_table("grid").set_index(["parameter", "place"])["low"]
        for region in ("northern_europe", "china_arid_north"):
            got = grid.sel(region=region) / grid.sel(region="rest_of_world")
            assert_allclose(got, ratio["region", region] / ratio["region", "rest_of_world"])

    def test_clean_energy_is_the_drawn_process_energy(self, some):
        for pathway in ("daccs", "oae", "enhanced_weathering"):
            assert_array_equal(
                some["resource_use"].sel(pathway=pathway, resource="clean_energy"),
                some["energy"].sel(pathway=pathway),
            )
        assert (some["resource_use"].sel(pathway="beccs", resource="clean_energy") == 0).all()

    def test_every_tonne_injected_is_one_tonne(self, some):
        use = some["resource_use"].sel(resource="co2_storage")
        geological = some["store"] == "geological"
        assert_array_equal(use, np.broadcast_to(geological.values, use.shape).astype(float))

    def test_the_engine_is_left_to_count_point_emissions(self, some):
        assert (some["resource_use"].sel(resource="point_co2") == 0).all()

    def test_a_pathway_with_a_region_has_what_it_needs_there(self, some):
        """Where suitability is above 0 no resource that the pathway uses is missing altogether."""
        share, use, supply = (
            some[name].max("sample") for name in ("suitability_share", "resource_use", "resource_supply")
        )
        lacking = (share > 0) & (use > 0) & (supply.max("period") == 0)
        assert not lacking.any()


class TestCouplings:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("enhanced_weathering", "beccs"), ("enhanced_weathering", "biochar"),
            ("point_source_ccs", "industrial_carbonation"), ("beccs", "biochar"), ("beccs", "oae"),
            ("forests", "biochar"), ("wetlands", "point_source_ccs"),
        ],
    )  # fmt: skip
    def test_the_named_couplings_are_there(self, some, one, other):
        pairs = zip(some["coupling_pathway"].values, some["coupling_with"].values, strict=True)
        assert {one, other} in [set(pair) for pair in pairs]

    def test_effects_lie_in_the_table_s_range_and_reach_its_ends(self, full):
        table = load_table("interactions")
        u = np.full((3, len(full)), 0.5)
        u[0], u[2] = 0.0, 1.0
        drawn = transform(full, u)
        assert list(drawn["coupling"].values) == table["coupling"].tolist()
        effect = drawn["coupling_effect"].values
        assert_allclose(effect, [table["low"], (table["low"] + table["high"]) / 2, table["high"]], atol=1e-12)
        assert set(drawn["coupling_kind"].values) <= {"yield", "cost", "energy"}

    def test_injection_harms_wetlands_and_hubs_save(self, some):
        effect = some["coupling_effect"]
        assert (effect.sel(coupling="injection_disturbs_wetlands") <= 0).all()
        assert (effect.sel(coupling="hubs_share_storage") <= 0).all()
        assert (effect.sel(coupling="biochar_lifts_forests") >= 0).all()


class TestShocks:
    def test_mean_is_one(self, severity):
        """The sd of a cell's mean is .533 / 200 = .0027; 24 cells at 5 sd: false alarm below 2e-5."""
        assert_allclose(severity.mean("sample"), 1.0, atol=0.0134)

    def test_regions_correlate_by_the_driver(self, severity):
        """Sd of a correlation of 4e4 skewed pairs: below .008; 28 x 3 pairs at 5 sd: below 1e-4."""
        for period in severity["period"].values:
            found = np.corrcoef(severity.sel(period=period).values.T)
            pairs = found[np.triu_indices(len(found), 1)]
            assert_allclose(pairs, 0.45, atol=0.04)
            # The mean over the pairs is closer still.
            assert pairs.mean() == pytest.approx(0.45, abs=0.025)

    def test_periods_are_independent(self, severity):
        found = np.corrcoef(severity.isel(region=0).values.T)
        # Sd 1 / 200; three pairs at 5 sd: false alarm below 2e-6.
        assert_allclose(found[np.triu_indices(3, 1)], 0.0, atol=0.025)

    def test_the_sea_is_calm(self, some):
        assert_array_equal(some["shock_severity"].sel(region="open_ocean"), 1.0)

    def test_late_hazard_is_the_network_s_exact_chance(self, full, net, some):
        from sinkrisk import network

        for region in some["region"].values:
            name = f"disturbance__{region}__long_term"
            chance = network.query(net, name)[name]["shock"]
            assert_allclose(some["late_hazard"].sel(region=region), chance / 51.0)

    def test_late_hazard_under_an_intervention(self, net, claims):
        name = "disturbance__arid_zones__long_term"
        for state, expected in (("shock", 1 / 51.0), ("none", 0.0)):
            held = drivers(InputsSpec(fixed={name: state}, tables=4), network=net, claims=claims)
            drawn = transform(held, uniform(held, 2))
            assert_allclose(drawn["late_hazard"].sel(region="arid_zones"), expected)
            assert drawn["late_hazard"].sel(region="north_america").min() > 0

    def test_without_a_network_the_claim_speaks(self, bare):
        u = uniform(bare, 4)
        drawn = transform(bare, u)
        from sinkrisk.priors import elicit, load_claims

        chance = elicit(load_claims(), "all", "shock_probability").ppf(u[:, bare.index("shock_probability")])
        assert_allclose(drawn["late_hazard"], np.repeat(chance[:, None], 9, axis=1) / 51.0)
        assert not drawn["shock"].any()


class TestOutlook:
    def test_parameters_are_those_the_budget_draws(self, full, bare):
        from sinkrisk.budget.cycle_table import UNCERTAIN, draw_cycle

        u = uniform(full, 40, seed=4)
        drawn = transform(full, u)
        own = np.stack([u[:, full.index(f"outlook_{name}")] for name in UNCERTAIN], axis=1)
        expected = draw_cycle(40, u=own)
        for name in UNCERTAIN:
            assert_allclose(drawn[f"outlook_{name}"], expected[name], rtol=1e-12)
            assert drawn[f"outlook_{name}"].attrs["units"]
        missed = {"outlook_ocean_discrepancy", "outlook_land_discrepancy"}
        assert set(full.in_group("outlook")) == {f"outlook_{name}" for name in UNCERTAIN} | missed
        for name in missed:
            expected_normal = stats.norm.ppf(u[:, full.index(name)])
            assert_allclose(drawn[name], expected_normal, rtol=1e-9, atol=1e-12)
        assert "outlook" not in bare.group_names

    def test_they_can_be_handed_to_the_outlook(self, full):
        from sinkrisk.budget.cycle_table import UNCERTAIN, draw_cycle

        drawn = transform(full, uniform(full, 6))
        fixed = {name: drawn[f"outlook_{name}"].values for name in UNCERTAIN}
        back = draw_cycle(6, rng=1, fixed=fixed)
        for name in UNCERTAIN:
            assert_array_equal(back[name], fixed[name])

    def test_they_can_be_held(self, posterior, claims):
        spec = InputsSpec(
            fixed={"outlook_land_tipping_loss": 0.0}, between={"outlook_warming_present": (1.1, 1.2)}
        )
        held = drivers(spec, budget=posterior, claims=claims)
        drawn = sample(held, 64, rng=2)
        assert_array_equal(drawn["outlook_land_tipping_loss"], 0.0)
        assert drawn["outlook_warming_present"].min() >= 1.1
        assert drawn["outlook_warming_present"].max() <= 1.2


class TestNeutral:
    def test_without_its_claims_everything_new_is_neutral(self, claims):
        new = {
            "additionality": 1.0, "efficiency": 1.0, "learning_rate": 0.0, "cost_floor": 0.0, "scarcity": 0.0,
            "foregone_regrowth": 0.0, "non_co2": 0.0, "non_co2_young": 0.0, "non_co2_fade": np.inf,
            "fast_share": 0.0, "fast_half_life": np.inf, "saturation_years": np.inf, "years_per_trl": 0.0,
            "hazard_exponent": 0.0, "setback": 0.0, "verification_delay": 0.0, "shock_correlation": 0.0,
            "power_share": 1.0, "own_fuel": 0.0, "heat_intensity": 0.0,
        }  # fmt: skip
        gone = [*new, "heat_decline", "shock_spread", "experience_years"]
        old = claims[~claims["quantity"].isin(gone)].copy()
        plain = drivers(claims=old)
        drawn = transform(plain, uniform(plain, 3))
        for name, neutral in new.items():
            assert_array_equal(drawn[name], neutral, err_msg=name)
        assert_array_equal(drawn["shock_severity"], 1.0)
        assert_array_equal(drawn["experience"], 10.0 * drawn["current_capacity"])


class TestSpeed:
    def test_4096_rows_in_less_than_four_tenths_of_a_second(self, full):
        """Time of this process, so that others on the machine do not count; the best of five."""
        u = uniform(full, 4096)
        transform(full, u[:8])
        best = np.inf
        for _ in range(5):
            start = time.process_time()
            transform(full, u)
            best = min(best, time.process_time() - start)
        assert best < 0.4

    def test_rows_do_not_touch_each_other(self, full):
        u = uniform(full, 6)
        u[2], u[4] = 0.0, 1.0
        whole = transform(full, u)
        for row in range(6):
            one = transform(full, u[row : row + 1]).isel(sample=0)
            for name in whole.data_vars:
                if name != "probability":
                    assert_array_equal(one[name], whole[name].isel(sample=row), err_msg=name)


def test_normal_scores_at_the_ends_are_finite():
    assert np.isfinite(special.ndtri(np.array([2.0**-53, 1 - 2.0**-53]))).all()
