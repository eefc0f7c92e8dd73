"""Elicitation: closed forms, scipy as oracle, pooling rules, and the inverse table's accuracy."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from sinkrisk import priors
from sinkrisk.errors import InputError
from sinkrisk.priors import ElicitationWarning, families, fitting
from sinkrisk.priors.quantiles import InverseTable, Pool, connected

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


def test_plus_minus_has_the_stated_mean_and_sd_on_the_support():
    """Maximum entropy under two moments is exp of a quadratic: the normal, cut off where need be."""
    got = priors.elicit(table(claim(central=300.0, sd=200.0)), "daccs", "cost")
    fitted = got.pool.families[0]
    oracle = stats.truncnorm(-fitted.center / fitted.scale, math.inf, loc=fitted.center, scale=fitted.scale)
    assert oracle.mean() == pytest.approx(300.0, rel=1e-9)
    assert oracle.std() == pytest.approx(200.0, rel=1e-9)
    assert (got.mean, got.sd) == pytest.approx((300.0, 200.0), rel=1e-9)
    q = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(got.ppf(q), oracle.ppf(q), rtol=1e-6)
    assert got.cdf(0.0) == 0.0
    # Far from the bound nothing is cut: the plain normal.
    far = priors.elicit(table(claim(central=300.0, sd=20.0)), "daccs", "cost")
    np.testing.assert_allclose(far.ppf(q), stats.norm(300.0, 20.0).ppf(q), rtol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ratio", [0.95, 0.98, 1.0, 1.5, 2.0])
def test_a_plus_minus_that_no_cut_normal_has_is_a_lognormal(ratio):
    got = priors.elicit(table(claim(central=100.0, sd=100.0 * ratio)), "daccs", "cost")
    assert (got.mean, got.sd) == pytest.approx((100.0, 100.0 * ratio), rel=1e-7)
    reading = got.used["reading"].iloc[0]
    if ratio >= 0.98:
        assert "no cut normal has these on 0 to inf, read as the lognormal with these moments" in reading
    else:
        assert reading.endswith("normal with these moments after the cut at the bounds")


@pytest.mark.filterwarnings("error")
def test_a_plus_minus_of_a_share_that_no_cut_normal_has_is_a_beta():
    rows = table(claim(quantity="reversal_loss", unit="1", central=0.1, sd=0.2, basis="realistic"))
    got = priors.elicit(rows, "daccs", "reversal_loss")
    assert (got.mean, got.sd) == pytest.approx((0.1, 0.2), rel=1e-9)
    assert "read as the beta with these moments" in got.used["reading"].iloc[0]


def test_a_plus_minus_that_no_distribution_has_warns_and_is_cut():
    # No variance on 0 to 1 exceeds mean (1 - mean).
    rows = table(claim(quantity="reversal_loss", unit="1", central=0.5, sd=0.6, basis="realistic"))
    with pytest.warns(ElicitationWarning, match=r"claim c0: no distribution on 0 to 1 has mean 0.5"):
        got = priors.elicit(rows, "daccs", "reversal_loss")
    oracle = stats.truncnorm(-0.5 / 0.6, 0.5 / 0.6, loc=0.5, scale=0.6)
    assert (got.mean, got.sd) == pytest.approx((oracle.mean(), oracle.std()), rel=1e-9)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"low": 400.0, "high": 100.0}, r"key 'low': claim c0: low lies above high: got 400.*at most 100"),
        ({"low": 100.0, "high": math.inf}, r"key 'high': claim c0: not a finite number: got inf"),
        ({"low": -math.inf, "high": 100.0}, r"key 'low': claim c0: not a finite number: got -inf"),
        ({"central": 100.0, "sd": 0.0}, r"key 'sd': claim c0: not a standard deviation: got 0.*above 0"),
        ({"central": 100.0, "sd": -5.0}, r"key 'sd': claim c0: not a standard deviation: got -5"),
        ({"low": -5.0, "high": 100.0}, r"key 'low': claim c0: outside the support of cost: got -5.*0 to inf"),
        ({"central": -100.0, "sd": 5.0}, r"key 'central': claim c0: outside the support of cost"),
        ({"central": 0.0, "sd": 5.0}, r"key 'central': claim c0: a mean on the edge"),
        ({"high": 0.0}, r"only states the edge of the support: got 'c0'"),
        ({"low": 0.0, "high": 0.0}, r"only states the edge of the support: got 'c0'"),
    ],
)
def test_claims_that_make_no_sense_are_refused(cells, message):
    with pytest.raises(InputError, match=message):
        priors.elicit(table(claim(**cells)), "daccs", "cost")
    with pytest.raises(InputError, match=message):
        priors.elicit_all(table(claim(**cells)))


def test_a_bound_beyond_a_share_is_refused():
    rows = table(claim(quantity="reversal_loss", unit="1", low=0.2, high=1.5, basis="realistic"))
    with pytest.raises(
        InputError, match=r"key 'high': .*outside the support of reversal_loss: got 1.5.*0 to 1"
    ):
        priors.elicit(rows, "daccs", "reversal_loss")


def test_identical_numbers_on_one_basis_are_one_source():
    """The table and its own section: a repeat, whatever the two cite."""
    repeated = claim(low=300.0, high=600.0, source="b2020")
    rows = table(claim(low=300.0, high=600.0), repeated, claim(low=60.0, high=90.0, source="c2020"))
    got = priors.elicit(rows, "daccs", "cost")
    assert got.used["weight"].tolist() == [0.25, 0.25, 0.5]
    assert len(got.parts) == 2
    other = table(claim(low=300.0, high=600.0), repeated | {"basis": "net"})
    both = priors.elicit(other, "daccs", "cost", basis=["unspecified", "net"])
    assert len(both.parts) == 2
    claims = priors.load_claims()
    assert len(priors.elicit(claims, "daccs", "cost").parts) == 1
    assert priors.elicit(claims, "biochar", "cost").used["weight"].tolist() == [0.25, 0.5, 0.25]


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
    monkeypatch.setattr(fitting, "fit_beta", lambda *a: families.BetaScaled(1.0, 1.0))
    rows = table(claim(quantity="reversal_loss", unit="1", low=0.2, high=0.3, basis="realistic"))
    with pytest.warns(
        ElicitationWarning, match=r"claim c0: asked for tails of 0\.05 .* reached 0\.2 and 0\.7"
    ):
        got = priors.elicit(rows, "daccs", "reversal_loss")
    # A uniform holds a tenth between 0.2 and 0.3, not nine tenths.
    assert got.used["mass"].iloc[0] == 0.9
    assert got.used["reached"].iloc[0] == pytest.approx(0.1, abs=1e-12)


def test_everything_elicits_within_table_accuracy():
    """The stored table against the solved quantile: below 1e-6 of the 90 % width, jumps included."""
    u = np.linspace(0.0005, 0.9995, 499)
    z = stats.norm.ppf(u)
    found = priors.elicit_all(priors.load_claims())
    creditable = priors.load_table("pathways").query("creditable")["pathway"]
    assert {(pathway, "cost") for pathway in creditable} <= set(found)
    for key, got in found.items():
        exact = got.pool.quantile_at(z)
        np.testing.assert_allclose(got.cdf(exact), u, atol=1e-12)
        low, high = got.interval(0.9)
        assert np.abs(got.ppf(u) - exact).max() < 1e-6 * (high - low), key
        ends = got.ppf([0.0, 2.0**-60, 2.0**-53, 1.0 - 2.0**-53, 1.0])
        assert np.isfinite(ends).all()
        assert (np.diff(ends) >= 0).all()


def test_eliciting_all_equals_eliciting_each():
    claims = priors.load_claims()
    found = priors.elicit_all(claims)
    u = np.array([0.01, 0.5, 0.99])
    for pathway, quantity in [("oif", "energy"), ("daccs", "cost"), ("all", "cost_slope"), ("oae", "trl")]:
        one, other = found[pathway, quantity], priors.elicit(claims, pathway, quantity)
        np.testing.assert_array_equal(one.ppf(u), other.ppf(u))
        pd.testing.assert_frame_equal(one.used, other.used)
        pd.testing.assert_frame_equal(one.left_out, other.left_out)


def test_a_frame_that_is_no_table_of_claims_is_refused():
    with pytest.raises(InputError, match=r"key 'basis': claims: missing column(.|\n)*check_frame\('claims'"):
        priors.elicit(priors.load_claims().drop(columns="basis"), "daccs", "cost")
    with pytest.raises(InputError, match=r"unknown pool: got 'linaer'.*did you mean 'linear'"):
        priors.elicit(priors.load_claims(), "daccs", "cost", pool="linaer")


DISJOINT = [(5.0, 20.0, 1e3, 2e3), (1.0, 1.05, 30.0, 33.0), (1.0, 1.2, 1.5, 1.8), (1.0, 1.001, 1.1, 1.101)]


@pytest.mark.parametrize("ends", DISJOINT, ids=str)
@pytest.mark.parametrize("weight", [0.5, 0.05])
def test_the_table_follows_the_jump_between_ranges_that_do_not_meet(ends, weight):
    """Between two modes the quantile function all but jumps; the cells there are solved."""
    pool = Pool(
        (fitting.fit_lognormal(*ends[:2], 0.9), fitting.fit_lognormal(*ends[2:], 0.9)), (weight, 1.0 - weight)
    )
    inverse = InverseTable(pool, logarithmic=True)
    # Crowded around the jump, where the whole of the lower mode has been passed.
    u = np.unique(np.r_[np.linspace(1e-4, 1.0 - 1e-4, 2001), weight + np.linspace(-1e-3, 1e-3, 2001)])
    # At the jump itself every x of the gap is a quantile, to the last digit of the probability.
    u = u[np.abs(u - weight) > 1e-9]
    exact = pool.quantile_at(stats.norm.ppf(u))
    low, high = pool.quantile_at(stats.norm.ppf([0.05, 0.95]))
    assert np.abs(inverse(u) - exact).max() < 1e-6 * (high - low)
    assert (np.diff(inverse(u)) >= 0.0).all()
    assert 0.0 <= inverse.solved_share < 0.06


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
            fitting.fit_lognormal(low, low * ratio, 0.9),
            fitting.fit_lognormal(other, other * other_ratio, 0.9),
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
    fitted = fitting.fit_beta(low, high, mass)
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


@pytest.mark.parametrize(
    ("pathway", "quantity"), [("daccs", "cost"), ("oae", "trl"), ("biochar", "potential")]
)
@pytest.mark.parametrize("pool", ["linear", "hierarchical"])
def test_to_pymc_has_the_pools_density(pathway, quantity, pool):
    import pymc

    got = priors.elicit(priors.load_claims(), pathway, quantity, pool=pool)
    with pymc.Model():
        variable = got.to_pymc("x")
    x = got.ppf(np.linspace(0.005, 0.995, 199))
    logp = pymc.logp(variable, x).eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(np.exp(logp), got.pdf(x), rtol=1e-3)


def test_draws_of_the_pymc_prior_follow_the_elicited_one():
    import pymc

    got = priors.elicit(priors.load_claims(), "biochar", "potential")
    with pymc.Model():
        variable = got.to_pymc("x")
    drawn = pymc.draw(variable, draws=4000, random_seed=11, mode="FAST_COMPILE")
    # Kolmogorov-Smirnov at p > 0.001: a fair sampler fails one seed in a thousand; the seed is fixed.
    assert stats.kstest(drawn, got.cdf).pvalue > 1e-3


def test_a_bound_beside_ranges_does_not_pull_the_pool():
    """ ">200 USD/t" agrees with 300-600: it must not widen the pool towards 200."""
    elicited = priors.elicit(priors.load_claims(), "daccs", "cost")
    np.testing.assert_allclose(elicited.interval(0.9), (300.0, 600.0), rtol=1e-9)
    left = elicited.left_out.set_index("id")["reason"]
    assert left["daccs_cost_4"] == "one-sided, beside claims that state both ends"


def test_a_bound_on_a_young_capacity_leaves_orders_of_magnitude_open():
    """ "below 0.02 GtCO2/yr" alone: the open end is the table's assumed reach, and the reading says so."""
    elicited = priors.elicit(priors.load_claims(), "daccs", "current_capacity")
    np.testing.assert_allclose(elicited.interval(0.9), (2e-5, 0.02), rtol=1e-9)
    assert elicited.used["reading"].iloc[0] == "one-sided below 0.02, reach 1000 assumed"


def test_an_interval_that_holds_everything_is_refused():
    claims = priors.load_claims()
    one = claims[claims["id"] == "daccs_cost_1"].assign(interval=1.0)
    with pytest.raises(InputError, match=r"claim daccs_cost_1: an interval that holds everything.*below 1"):
        priors.elicit(one, "daccs", "cost")
