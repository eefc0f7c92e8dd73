"""Elicitation: closed forms, scipy as oracle, pooling rules, and the inverse table's accuracy."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from sinkrisk import priors
from sinkrisk.errors import InputError
from sinkrisk.priors import families
from sinkrisk.priors.elicitation import ElicitationWarning
from sinkrisk.priors.quantiles import Pool, connected

NAN = math.nan


def claim(**cells):
    row = {
        "id": "c",
        "pathway": "daccs",
        "quantity": "cost",
        "geography": "global",
        "start": NAN,
        "end": NAN,
        "low": NAN,
        "high": NAN,
        "central": NAN,
        "sd": NAN,
        "unit": "USD/tCO2",
        "interval": 0.9,
        "basis": "unspecified",
        "source": "ma2025",
        "locator": "",
        "note": "",
    }
    return row | cells


def table(*rows):
    return pd.DataFrame([row | {"id": f"c{i}"} for i, row in enumerate(rows)])


def test_a_range_is_the_equal_tailed_interval_of_a_lognormal():
    got = priors.elicit(table(claim(low=100.0, high=400.0)), "daccs", "cost")
    # Closed form: median sqrt(100 * 400), sigma = ln(4) / (2 * 1.6448536).
    sigma = math.log(4.0) / (2.0 * 1.6448536269514722)
    oracle = stats.lognorm(s=sigma, scale=200.0)
    assert got.interval(0.9) == pytest.approx((100.0, 400.0), rel=1e-9)
    assert got.mean == pytest.approx(oracle.mean(), rel=1e-12)
    assert got.sd == pytest.approx(oracle.std(), rel=1e-12)
    q = np.linspace(0.001, 0.999, 101)
    np.testing.assert_allclose(got.ppf(q), oracle.ppf(q), rtol=1e-9)
    np.testing.assert_allclose(got.cdf(oracle.ppf(q)), q, atol=1e-12)
    assert got.unit == "USD/tCO2"
    assert got.sources == ("ma2025",)


def test_the_stated_mass_is_the_mass_used():
    got = priors.elicit(table(claim(low=100.0, high=400.0, interval=0.5)), "daccs", "cost")
    assert got.interval(0.5) == pytest.approx((100.0, 400.0), rel=1e-9)
    blank = table(claim(low=100.0, high=400.0, interval=NAN))
    assert priors.elicit(blank, "daccs", "cost", mass=0.8).interval(0.8) == pytest.approx((100.0, 400.0))


def test_shares_are_beta_with_the_stated_tails():
    rows = table(claim(quantity="reversal_loss", unit="1", low=0.03, high=0.3, basis="realistic"))
    got = priors.elicit(rows, "daccs", "reversal_loss")
    fitted = got.pool.families[0]
    oracle = stats.beta(fitted.a, fitted.b)
    assert oracle.cdf(0.03) == pytest.approx(0.05, abs=1e-9)
    assert oracle.sf(0.3) == pytest.approx(0.05, abs=1e-9)
    assert got.mean == pytest.approx(oracle.mean(), rel=1e-12)
    assert got.sd == pytest.approx(oracle.std(), rel=1e-12)
    q = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(got.ppf(q), oracle.ppf(q), atol=1e-8)


def test_plus_minus_is_a_normal_cut_off_at_the_support():
    got = priors.elicit(table(claim(central=300.0, sd=200.0)), "daccs", "cost")
    oracle = stats.truncnorm(-1.5, math.inf, loc=300.0, scale=200.0)
    q = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(got.ppf(q), oracle.ppf(q), rtol=1e-6)
    assert got.mean == pytest.approx(oracle.mean(), rel=1e-10)
    assert got.sd == pytest.approx(oracle.std(), rel=1e-9)


def test_units_are_converted_to_that_of_the_quantity():
    rows = table(claim(quantity="current_capacity", unit="MtCO2/yr", low=2.0, high=4.0, basis="current"))
    got = priors.elicit(rows, "daccs", "current_capacity")
    assert got.unit == "GtCO2/yr"
    assert got.interval(0.9) == pytest.approx((0.002, 0.004), rel=1e-9)


def test_one_sided_claims_keep_their_bound_as_a_tail_quantile():
    # The cost's spread is 1.5 (priors/quantities.csv): ">200" reaches to 200 * 1.5**2.
    above = priors.elicit(table(claim(low=200.0, interval=NAN)), "daccs", "cost")
    assert above.interval(0.9) == pytest.approx((200.0, 450.0), rel=1e-9)
    below = priors.elicit(table(claim(high=450.0, interval=NAN)), "daccs", "cost")
    assert below.interval(0.9) == pytest.approx((200.0, 450.0), rel=1e-9)
    assert above.used["reading"].iloc[0].startswith("one-sided above 200")


def test_a_point_spreads_by_the_quantitys_spread():
    point = priors.elicit(table(claim(central=300.0, interval=NAN)), "daccs", "cost")
    assert point.interval(0.9) == pytest.approx((200.0, 450.0), rel=1e-9)
    same = priors.elicit(table(claim(low=300.0, high=300.0)), "daccs", "cost")
    assert same.interval(0.9) == pytest.approx((200.0, 450.0), rel=1e-9)
    # Level 9 on the scale 0.5 to 9.5 has odds 17; spread 2 puts the tails at odds 8.5 and 34.
    level = table(claim(quantity="trl", unit="1", central=9.0, basis="current", interval=NAN))
    low, high = priors.elicit(level, "daccs", "trl").interval(0.9)
    assert (low - 0.5) / (9.5 - low) == pytest.approx(8.5, rel=1e-4)
    assert (high - 0.5) / (9.5 - high) == pytest.approx(34.0, rel=1e-4)


def test_sources_count_alike_and_share_their_weight():
    rows = table(
        claim(low=100.0, high=200.0, source="a2020;b2020"),
        claim(low=120.0, high=220.0, source="b2020"),
        claim(low=300.0, high=600.0, source="c2020"),
    )
    got = priors.elicit(rows, "daccs", "cost")
    assert got.used["weight"].tolist() == [0.25, 0.25, 0.5]
    parts = [priors.elicit(rows.iloc[[i]], "daccs", "cost") for i in range(3)]
    x = np.linspace(50.0, 900.0, 40)
    expected = 0.25 * parts[0].cdf(x) + 0.25 * parts[1].cdf(x) + 0.5 * parts[2].cdf(x)
    np.testing.assert_allclose(got.cdf(x), expected, atol=1e-14)
    assert got.sources == ("a2020", "b2020", "c2020")


def test_chains_of_shared_keys_are_one_source():
    assert connected([("a",), ("c",), ("a", "b"), ("b", "c"), ("d",)]) == [0, 0, 0, 0, 1]


def test_only_equal_bases_pool_and_the_rest_is_reported():
    rows = table(
        claim(quantity="potential", unit="GtCO2/yr", low=10.0, high=100.0, basis="theoretical"),
        claim(quantity="potential", unit="GtCO2/yr", low=5.0, high=20.0, basis="technical"),
    )
    default = priors.elicit(rows, "daccs", "potential")
    assert default.basis == ("technical",)
    assert default.used["id"].tolist() == ["c1"]
    assert default.left_out["id"].tolist() == ["c0"]
    assert default.left_out["reason"].iloc[0] == "basis theoretical, pooled is technical"
    assert "left out: c0" in default.describe()
    asked = priors.elicit(rows, "daccs", "potential", basis="theoretical")
    assert asked.interval(0.9) == pytest.approx((10.0, 100.0), rel=1e-9)
    both = priors.elicit(rows, "daccs", "potential", basis=["technical", "theoretical"])
    assert len(both.used) == 2


def test_a_member_takes_its_groups_claims_except_for_potential():
    claims = priors.load_claims()
    energy = priors.elicit(claims, "oif", "energy")
    assert energy.interval(0.9) == pytest.approx((1.0, 6.0), rel=1e-9)
    assert energy.used["id"].tolist() == ["oae_oif_energy_1"]
    own = priors.elicit(claims, "oae", "cost")
    assert own.interval(0.9) == pytest.approx((60.0, 150.0), rel=1e-9)
    assert "oae_oif_cost_1" in own.left_out["id"].tolist()
    without = claims[~claims["id"].isin(["oae_potential_1", "oae_potential_2"])]
    with pytest.raises(InputError, match="no claim on potential: got 'oae'"):
        priors.elicit(without, "oae", "potential")


def test_errors_name_what_there_is():
    claims = priors.load_claims()
    with pytest.raises(InputError, match=r"unknown quantity: got 'costs'.*did you mean 'cost'"):
        priors.elicit(claims, "daccs", "costs")
    with pytest.raises(InputError, match=r"no claim on removal_share: got 'daccs'.*industrial_carbonation"):
        priors.elicit(claims, "daccs", "removal_share")
    with pytest.raises(InputError, match=r"key 'basis'.*got 'net'; allowed: unspecified, captured"):
        priors.elicit(claims, "daccs", "cost", basis="net")
    with pytest.raises(InputError, match="not a mass"):
        priors.elicit(claims, "daccs", "cost", mass=1.0)
    with pytest.raises(InputError, match=r"not a probability: got 1.5"):
        priors.elicit(claims, "daccs", "cost").ppf([0.5, 1.5])
    edge = table(claim(quantity="reversal_loss", unit="1", low=0.0, basis="realistic"))
    with pytest.raises(InputError, match="only states the edge"):
        priors.elicit(edge, "daccs", "reversal_loss")


def test_a_range_from_the_edge_of_the_support_is_one_sided():
    # A lognormal has no quantile at 0, so "0-400" states its upper end only.
    got = priors.elicit(table(claim(low=0.0, high=450.0)), "daccs", "cost")
    assert got.interval(0.9) == pytest.approx((200.0, 450.0), rel=1e-9)


def test_a_fit_that_misses_the_mass_warns(monkeypatch):
    from sinkrisk.priors import elicitation

    monkeypatch.setattr(elicitation, "fit_beta", lambda *a: families.BetaScaled(1.0, 1.0))
    rows = table(claim(quantity="reversal_loss", unit="1", low=0.2, high=0.3, basis="realistic"))
    with pytest.warns(
        ElicitationWarning, match=r"claim c0: asked for tails of 0\.05 .* reached 0\.2 and 0\.7"
    ):
        priors.elicit(rows, "daccs", "reversal_loss")


def test_every_quantity_of_the_chain_elicits_within_table_accuracy():
    """The stored table against the solved quantile: below 1e-6 of the 90 % width in the body."""
    claims, pathways = priors.load_claims(), priors.load_table("pathways")
    u = np.linspace(0.0005, 0.9995, 997)
    z = stats.norm.ppf(u)
    for pathway in [*pathways.loc[pathways["creditable"], "pathway"], "all"]:
        for quantity in claims.loc[claims["pathway"] == pathway, "quantity"].unique():
            got = priors.elicit(claims, pathway, quantity)
            exact = got.pool.quantile_at(z)
            np.testing.assert_allclose(got.cdf(exact), u, atol=1e-12)
            low, high = got.interval(0.9)
            assert np.abs(got.ppf(u) - exact).max() < 1e-6 * (high - low), (pathway, quantity)
            ends = got.ppf([0.0, 2.0**-60, 2.0**-53, 1.0 - 2.0**-53, 1.0])
            assert np.isfinite(ends).all()
            assert (np.diff(ends) >= 0).all()


@settings(max_examples=25, deadline=None)
@given(
    st.floats(1e-4, 1e3),
    st.floats(1.05, 30.0),
    st.floats(1e-4, 1e3),
    st.floats(1.05, 30.0),
    st.floats(0.05, 0.95),
)
def test_pools_of_lognormals_invert(low, ratio, other, other_ratio, weight):
    pool = Pool(
        (
            families.fit_lognormal(low, low * ratio, 0.9),
            families.fit_lognormal(other, other * other_ratio, 0.9),
        ),
        (weight, 1.0 - weight),
    )
    u = np.linspace(0.001, 0.999, 199)
    x = pool.quantile_at(stats.norm.ppf(u))
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(pool.cdf(x), u, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.02, 0.95), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_beta_fits_reach_their_mass(low, fraction, mass):
    high = low + (0.99 - low) * fraction
    fitted = families.fit_beta(low, high, mass)
    tail = (1.0 - mass) / 2.0
    assert stats.beta(fitted.a, fitted.b).cdf(low) == pytest.approx(tail, abs=1e-6)
    assert stats.beta(fitted.a, fitted.b).sf(high) == pytest.approx(tail, abs=1e-6)


def test_ppf_keeps_shape_and_nan():
    got = priors.elicit(priors.load_claims(), "biochar", "potential")
    q = np.array([[0.1, np.nan], [0.5, 0.9]])
    x = got.ppf(q)
    assert x.shape == (2, 2)
    assert np.isnan(x[0, 1])
    assert np.isfinite(x[1]).all()
    assert got.ppf(0.5).shape == ()


def test_pooled_mean_and_sd_match_a_fine_grid():
    got = priors.elicit(priors.load_claims(), "biochar", "potential")
    u = (np.arange(200_000) + 0.5) / 200_000
    x = got.ppf(u)
    # Midpoint rule on the quantile function; the lognormal tails leave about 1e-4 of the sd.
    assert got.mean == pytest.approx(x.mean(), rel=1e-5)
    assert got.sd == pytest.approx(x.std(), rel=1e-3)


def test_to_pymc_has_the_pools_density():
    pymc = pytest.importorskip("pymc")
    got = priors.elicit(priors.load_claims(), "daccs", "cost")
    with pymc.Model():
        variable = got.to_pymc("cost")
    x = got.ppf([0.05, 0.3, 0.5, 0.7, 0.95])
    logp = pymc.logp(variable, x).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(np.exp(logp), got.pdf(x), rtol=2e-3)
