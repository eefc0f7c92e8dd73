"""Other priors and ranges from the spec: exact quantiles, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.inputs import InputsSpec, drivers, sample, transform
from sinkrisk.inputs.blocks import Marginal
from sinkrisk.inputs.replacing import conditioned_marginal, replaced_marginal
from sinkrisk.priors import elicit

Q = np.array([0.05, 0.3, 0.5, 0.9])


def at(drivers_, name, values, rest=0.5):
    u = np.full((len(values), len(drivers_)), rest)
    u[:, drivers_.index(name)] = values
    return u


class TestReplaced:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"distribution": "lognorm", "s": 0.4, "scale": 120.0}, stats.lognorm(s=0.4, scale=120.0)),
            ({"distribution": "triang", "c": 0.3, "loc": 100.0, "scale": 50.0}, stats.triang(0.3, 100, 50)),
            ({"distribution": "LogNormal", "mu": 4.0, "sigma": 0.3}, stats.lognorm(s=0.3, scale=np.exp(4))),
            ({"distribution": "normal", "mu": 300.0, "sigma": 20.0}, stats.norm(300, 20)),
        ],
    )
    def test_a_cost_has_the_quantiles_of_the_given_family(self, claims, given, expected):
        name = "cost__daccs"
        other = drivers(InputsSpec(replaced={name: given}), claims=claims)
        drawn = transform(other, at(other, name, Q))
        assert_allclose(drawn["cost"].sel(pathway="daccs"), expected.ppf(Q), rtol=1e-9)
        row = other.table.set_index("name").loc[name]
        assert row["source"] == "given by the spec"
        assert given["distribution"] in row["transform"]

    def test_the_order_of_u_and_everything_else_stay(self, claims, bare):
        spec = InputsSpec(
            replaced={
                "cost__daccs": {"distribution": "uniform", "loc": 100, "scale": 50},
                "supply__land": {"distribution": "uniform", "loc": 100, "scale": 50},
            }
        )
        other = drivers(spec, claims=claims)
        assert other.names == bare.names
        u = np.random.default_rng(2).random((5, len(bare)))
        a, b = transform(bare, u), transform(other, u)
        assert_array_equal(a["potential"], b["potential"])
        assert_array_equal(a["cost"].drop_sel(pathway="daccs"), b["cost"].drop_sel(pathway="daccs"))
        land = b["resource_supply"].sel(resource="land").isel(period=2).sum("region")
        assert_allclose(land, 100 + 50 * u[:, bare.index("supply__land")])

    def test_a_weight_of_suitability(self, claims, bare):
        name = "suitability__daccs__arid_zones"
        given = {"distribution": "beta", "a": 2.0, "b": 3.0}
        other = drivers(InputsSpec(replaced={name: given}), claims=claims)
        assert other.names == bare.names
        got = transform(other, at(other, name, Q))["suitability_share"].sel(pathway="daccs")
        weights = transform(bare, at(bare, name, [0.5]))["suitability_share"].sel(pathway="daccs")
        ratio = got.sel(region="arid_zones") / got.sel(region="northern_europe")
        held = drivers(InputsSpec(fixed={name: 0.5}), claims=claims)
        one = transform(held, np.full((1, len(held)), 0.5))["suitability_share"].sel(pathway="daccs")
        per_weight = (one.sel(region="arid_zones") / one.sel(region="northern_europe")).item() / 0.5
        assert_allclose(ratio, stats.beta(2, 3).ppf(Q) * per_weight, rtol=1e-9)
        assert weights.sizes["region"] == 9

    def test_replaced_and_held_at_a_quantile(self, claims):
        given = {"distribution": "uniform", "loc": 100.0, "scale": 100.0}
        spec = InputsSpec(replaced={"cost__daccs": given}, quantiles={"cost__daccs": 0.25})
        held = drivers(spec, claims=claims)
        assert "cost__daccs" not in held.names
        assert_allclose(sample(held, 2, rng=1)["cost"].sel(pathway="daccs"), 125.0)

    def test_tails_are_clipped_to_what_the_quantity_can_be(self):
        prior = replaced_marginal({"distribution": "norm", "loc": 0.5, "scale": 0.3}, 0.0, 1.0, key="x")
        assert_array_equal(prior(np.array([1e-9, 1 - 1e-9])), [0.0, 1.0])

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ({"distribution": "lognrm", "s": 1.0}, "did you mean 'lognorm'"),
            ({"distribution": "lognorm", "sigma": 1.0}, "has no parameter"),
            ({"distribution": "lognorm"}, "lacks a parameter"),
            ({"distribution": "norm", "loc": 1.0, "scale": -1.0}, "without finite quantiles"),
            ({"distribution": "LogNormal", "mu": 1.0}, "lacks parameters"),
            ({"distribution": "LogNormal", "mean": 1.0}, "has no parameter"),
            ({"distribution": "norm", "loc": -5.0, "scale": 1.0}, "outside what the driver can be"),
            ({"distribution": "poisson", "mu": 3.0}, "unknown distribution"),
        ],
    )
    def test_refused(self, given, text):
        with pytest.raises(InputError, match=text):
            replaced_marginal(given, 0.0, np.inf, key="inputs.replaced.x")


class TestBetween:
    def test_the_cut_prior_is_the_prior_given_the_range(self, claims):
        name, low, high = "cost__daccs", 350.0, 500.0
        cut = drivers(InputsSpec(between={name: (low, high)}), claims=claims)
        got = transform(cut, at(cut, name, [0.0, *Q, 1.0]))["cost"].sel(pathway="daccs").values
        prior = elicit(claims, "daccs", "cost")
        start, end = prior.cdf(np.array([low, high]))
        assert_allclose(got[1:-1], prior.ppf(start + Q * (end - start)), rtol=1e-5)
        assert_allclose(got[[0, -1]], [low, high], rtol=1e-6)
        assert got.min() >= low
        assert got.max() <= high

    def test_of_a_replaced_prior(self, claims):
        spec = InputsSpec(
            replaced={"cost__daccs": {"distribution": "uniform", "loc": 0.0, "scale": 100.0}},
            between={"cost__daccs": (20.0, 40.0)},
        )
        cut = drivers(spec, claims=claims)
        drawn = transform(cut, at(cut, "cost__daccs", Q))["cost"].sel(pathway="daccs")
        assert_allclose(drawn, 20.0 + 20.0 * Q, rtol=1e-9)

    def test_conditioning_equals_rejection(self, bare, claims):
        """The same conditional mean as keeping the draws that fall inside: 4 standard errors, 6e-5."""
        name = "potential__daccs"
        whole = sample(bare, 8192, rng=3)["potential"].sel(pathway="daccs").values
        kept = whole[(whole >= 6.0) & (whole <= 8.0)]
        cut = drivers(InputsSpec(between={name: (6.0, 8.0)}), claims=claims)
        got = sample(cut, 4096, rng=4)["potential"].sel(pathway="daccs").values
        assert got.mean() == pytest.approx(kept.mean(), abs=4 * kept.std() / np.sqrt(kept.size))

    def test_a_weight_of_suitability(self, claims):
        name = "suitability__daccs__arid_zones"
        low, high = 0.35, 0.4
        cut = drivers(InputsSpec(between={name: (low, high)}), claims=claims)
        a = transform(cut, at(cut, name, [0.5]))["suitability_share"]
        held = drivers(InputsSpec(fixed={name: 0.375}), claims=claims)
        b = transform(held, np.full((1, len(held)), 0.5))["suitability_share"]
        assert_allclose(a, b, rtol=1e-9)

    def test_a_posterior_draw_by_its_land_sink(self, posterior, claims):
        land = posterior["posterior"]["window_flux"].sel(window="2014-2023", component="land").values.ravel()
        low, high = np.quantile(land, [0.3, 0.6])
        cut = drivers(InputsSpec(between={"budget_draw": (low, high)}), budget=posterior, claims=claims)
        n = int(((land >= low) & (land <= high)).sum())
        drawn = transform(cut, at(cut, "budget_draw", (np.arange(n) + 0.5) / n))
        assert_array_equal(drawn["land_sink"], np.sort(land[(land >= low) & (land <= high)]))
        # The ratio stays one to the mean of the whole posterior.
        assert_allclose(drawn["land_sink_ratio"], drawn["land_sink"] / land.mean())

    def test_no_mass_there(self):
        prior = Marginal(lambda u: 10.0 * u, 1.0, 0.0, 10.0)
        with pytest.raises(InputError, match="no mass in this range"):
            conditioned_marginal(prior, 12.0, 15.0, key="x")

    def test_an_atom_at_a_bound_is_kept(self):
        prior = Marginal(lambda u: 20.0 * u, 1.0, 0.0, 10.0)  # Half of the mass lies at 10.
        cut = conditioned_marginal(prior, 5.0, 10.0, key="x")
        assert_allclose(cut(np.array([0.0, 1 / 3, 0.5, 1.0])), [5.0, 10.0, 10.0, 10.0], rtol=1e-9)


class TestRefused:
    def test_unknown_names_in_all_four_lists_at_once(self, claims):
        spec = InputsSpec(
            fixed={"cost__dacs": 1.0},
            quantiles={"setbak": 0.5},
            replaced={"supply__lnd": {"distribution": "norm"}},
            between={"scarcty": (0.1, 0.2)},
        )
        with pytest.raises(InputError) as error:
            drivers(spec, claims=claims)
        message = str(error.value)
        assert len(error.value.problems) == 4
        for name, part in (
            ("cost__daccs", "fixed"), ("setback", "quantiles"), ("supply__land", "replaced"),
            ("scarcity", "between"),
        ):  # fmt: skip
            assert f"did you mean '{name}'" in message
            assert f"inputs.{part}." in message

    def test_what_is_no_scalar_prior(self, posterior, net, claims):
        node = next(n for n in net.order if net.nodes[n].base == "deployment_mode")
        other = {"distribution": "norm", "loc": 1.0, "scale": 1.0}
        spec = InputsSpec(
            replaced={node: other, "budget_draw": other}, between={"network_tables": (1.0, 4.0)}, tables=4
        )
        with pytest.raises(InputError) as error:
            drivers(spec, budget=posterior, network=net, claims=claims)
        assert len(error.value.problems) == 3
        assert "a network node has no scalar prior" in str(error.value)
        assert "a posterior draw has no other prior" in str(error.value)

    def test_fixed_and_replaced(self, claims):
        spec = InputsSpec(fixed={"setback": 0.5}, between={"setback": (0.1, 0.2)})
        with pytest.raises(InputError, match="fixed, and given another prior"):
            drivers(spec, claims=claims)

    def test_a_range_without_draws(self, posterior, claims):
        with pytest.raises(InputError, match="no posterior draw in this range"):
            drivers(InputsSpec(between={"budget_draw": (90.0, 99.0)}), budget=posterior, claims=claims)

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ({"replaced": {"x": {"loc": 1.0}}}, "needs a distribution"),
            ({"replaced": {"x": {"distribution": "norm", "loc": float("inf")}}}, "finite number"),
            ({"replaced": {"x": {"distribution": "norm", "loc": "high"}}}, "finite number"),
            ({"between": {"x": (2.0, 1.0)}}, "low lies below its high"),
            ({"between": {"x": (1.0, 1.0)}}, "low lies below its high"),
            ({"between": {"x": (float("nan"), 1.0)}}, "low lies below its high"),
        ],
    )
    def test_by_the_spec_itself(self, given, text):
        with pytest.raises(ValueError, match=text):
            InputsSpec.model_validate(given)


def test_new_drivers_can_be_fixed_and_the_zero_of_every_one_is_allowed(claims):
    names = (
        "setback", "hazard_exponent", "years_per_trl", "shock_spread", "scarcity", "cost_floor",
        "coupling__hubs_share_storage", "non_co2__forests", "use_land__beccs", "shock_common__near_term",
    )  # fmt: skip
    held = drivers(InputsSpec(fixed=dict.fromkeys(names, 0.0)), claims=claims)
    drawn = sample(held, 16, rng=1)
    for name in ("setback", "hazard_exponent", "years_per_trl", "scarcity", "cost_floor"):
        assert_array_equal(drawn[name], 0.0)
    assert_array_equal(drawn["shock_severity"], 1.0)
    assert_array_equal(drawn["coupling_effect"].sel(coupling="hubs_share_storage"), 0.0)
    assert_array_equal(drawn["resource_use"].sel(pathway="beccs", resource="land"), 0.0)
