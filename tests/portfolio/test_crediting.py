"""Credit discounts factor by factor by hand, exchange rates and their reciprocity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import portfolio, priors
from sinkrisk.errors import InputError
from sinkrisk.portfolio.crediting import FACTORS

from .conftest import build_drawn, plans, simple_drawn

PERFECT = pd.DataFrame({"pathway": ["daccs"], "factor": ["measurement"], "low": [1.0], "high": [1.0]})


def creditable(drawn: xr.Dataset) -> xr.Dataset:
    return drawn.assign_coords(creditable=("pathway", np.ones(drawn.sizes["pathway"], bool)))


def simple(**values: float) -> xr.Dataset:
    return creditable(simple_drawn("forests", **values))


def factors(drawn: xr.Dataset, pathway: str = "forests", credits: pd.DataFrame = PERFECT) -> dict[str, float]:
    got = portfolio.credit_discounts(drawn, credits=credits)["factors"].isel(sample=0).sel(pathway=pathway)
    return dict(zip(got["factor"].values.tolist(), got.values.tolist(), strict=True))


def test_a_perfect_tonne_is_a_credit():
    got = factors(simple())
    assert set(got) == set(FACTORS)
    assert set(got.values()) == {1.0}


def test_each_factor_by_hand():
    drawn = simple(half_life=100.0, leakage_rate=0.001, energy=3.0, discount_rate=0.05, reversal_loss=0.4)
    one = ("sample", "pathway"), np.ones((1, 3))
    drawn["fast_share"] = one[0], 0.3 * one[1]
    drawn["fast_half_life"] = one[0], 20.0 * one[1]
    drawn["verification_delay"] = one[0], 4.0 * one[1]
    drawn["additionality"] = one[0], 0.7 * one[1]
    drawn["efficiency"] = one[0], 0.8 * one[1]
    drawn["foregone_regrowth"] = one[0], 0.1 * one[1]
    drawn["non_co2"] = one[0], 0.05 * one[1]
    drawn["non_co2_young"] = one[0], 0.2 * one[1]
    drawn["non_co2_fade"] = one[0], 38.0 * one[1]
    # Shares .5 .3 .2 of the regions; .1, .05 and 0 tCO2/GJ in the three periods of 10, 15 and 51 years.
    grid = np.array([0.1, 0.05, 0.0]) * np.array([[1.0], [2.0], [0.0]])
    drawn["grid_intensity"] = ("sample", "region", "period"), grid[None]
    drawn["late_hazard"] = ("sample", "region"), [[0.01, 0.0, 0.0]]
    shock = np.zeros((1, 3, 3))
    shock[0, 1, 1] = 1.0
    drawn["shock"] = ("sample", "region", "period"), shock
    got = factors(drawn)
    assert got["durability"] == pytest.approx(0.3 * 0.5**5 + 0.7 * 0.5 * np.exp(-0.1))
    assert got["uptake"] == pytest.approx(0.8)
    assert got["additionality"] == pytest.approx(0.7)
    assert got["leakage"] == pytest.approx(0.9)
    assert got["delay"] == pytest.approx(1.05**-4)
    # Horizon of 76 years, two e-foldings: mean of exp(-age / 38) is (1 - exp(-2)) / 2.
    assert got["other_gases"] == pytest.approx(0.95 - 0.2 * (1.0 - np.exp(-2.0)) / 2.0)
    mean = (10.0 * 0.1 + 15.0 * 0.05) / 76.0
    assert got["energy_penalty"] == pytest.approx(1.0 - 3.0 * mean * (0.5 + 0.3 * 2.0))
    # Stored in periods one and two the shock of region two strikes (.4 lost, share .3); region one's late
    # hazard .01 a year for the years of the hundred that lie after 2100: 34, 49 and 100.
    late = np.exp(-0.01 * 0.4 * np.array([34.0, 49.0, 100.0]))
    by_period = 0.5 * late + 0.3 * np.array([0.6, 0.6, 1.0]) + 0.2
    assert got["reversal"] == pytest.approx(by_period @ [10.0, 15.0, 51.0] / 76.0)
    whole = portfolio.credit_discounts(drawn, credits=PERFECT)
    assert whole["discount"].sel(pathway="forests").item() == pytest.approx(np.prod(list(got.values())))


def test_a_weak_land_sink_raises_the_hazard_of_nature_alone():
    drawn = simple(reversal_loss=0.2, land_sink_ratio=0.5)
    drawn["hazard_exponent"] = "sample", [1.0]
    drawn["shock"][...] = True
    assert factors(drawn)["reversal"] == pytest.approx((0.6**3 * 10 + 0.6**2 * 15 + 0.6 * 51) / 76)
    assert factors(drawn, "biochar")["reversal"] == pytest.approx((0.8**3 * 10 + 0.8**2 * 15 + 0.8 * 51) / 76)


def test_reversal_equals_the_simulation_where_no_mode_holds_anything_back():
    """Durable over removed of constant deployment is durability times reversal, draw by draw."""
    drawn = creditable(build_drawn(40, seed=5))
    drawn["mode"][...] = 0
    drawn["growth_rate"][...] = 0.0
    drawn["current_capacity"] = drawn["potential"]
    drawn["land_sink_ratio"][...] = 1.0
    out = portfolio.simulate(drawn, plans(drawn, {"p": {"forests": 0.05, "beccs": 0.05}}))
    sums = {
        n: (out[n] * out["period_length"]).sum("period").isel(portfolio=0) for n in ("durable", "removed")
    }
    got = portfolio.credit_discounts(drawn)["factors"]
    for pathway in ("forests", "beccs"):
        share = sums["durable"].sel(pathway=pathway) / sums["removed"].sel(pathway=pathway)
        expected = got.sel(pathway=pathway, factor=["durability", "reversal"]).prod("factor")
        np.testing.assert_allclose(share, expected, rtol=1e-9)


def test_stated_factors_are_uniform_between_their_bounds_and_repeat():
    drawn = creditable(build_drawn(4000))
    got = portfolio.credit_discounts(drawn, rng=3)
    table = priors.load_table("credits").set_index(["pathway", "factor"])
    for factor in ("measurement", "co_benefit"):
        low, high = table.loc[("oae", factor), ["low", "high"]]
        x = got["factors"].sel(pathway="oae", factor=factor).values
        assert low <= x.min()
        assert x.max() <= high
        # Standard error of the mean: width / sqrt(12 n); five of them.
        assert x.mean() == pytest.approx((low + high) / 2, abs=5 * (high - low) / np.sqrt(12 * 4000))
    xr.testing.assert_identical(got, portfolio.credit_discounts(drawn, rng=3))


def test_avoided_tonnes_and_what_is_not_creditable_do_not_exchange():
    drawn = creditable(build_drawn(10))
    got = portfolio.credit_discounts(drawn)
    assert "point_source_ccs" not in got["pathway"].values
    flags = drawn["pathway"].values == "daccs"
    assert portfolio.credit_discounts(drawn.assign_coords(creditable=("pathway", flags)))["pathway"] == [
        "daccs"
    ]
    with pytest.raises(InputError, match="no pathway is creditable"):
        portfolio.credit_discounts(drawn.assign_coords(creditable=("pathway", ~np.ones(len(flags), bool))))


def test_left_out_factors_are_one():
    drawn = creditable(build_drawn(50))
    whole = portfolio.credit_discounts(drawn)
    less = portfolio.credit_discounts(drawn, leave_out=("co_benefit", "delay"))
    expected = whole["factors"].drop_sel(factor=["co_benefit", "delay"]).prod("factor")
    np.testing.assert_allclose(less["discount"], expected)


def test_exchange_rates_by_hand_and_their_reciprocity():
    drawn = creditable(build_drawn(201, seed=7))
    discounts = portfolio.credit_discounts(drawn)
    rates = portfolio.exchange_rates(discounts, level=0.8)
    values = discounts["discount"]
    ratio = values.sel(pathway="daccs") / values.sel(pathway="forests")
    cell = rates.sel(pathway="daccs", other="forests")
    assert cell.sel(statistic="mean").item() == pytest.approx(ratio.mean().item())
    assert cell.sel(statistic="median").item() == pytest.approx(ratio.median().item())
    # Odd numbers of draws: the median of the reciprocal is the reciprocal, and bounds swap.
    median = rates.sel(statistic="median").values
    np.testing.assert_allclose(median * median.T, 1.0, rtol=1e-9)
    np.testing.assert_allclose(np.diagonal(rates.sel(statistic="mean").values), 1.0)
    # Jensen: the mean rate there and the mean rate back multiply to 1 or more.
    mean = rates.sel(statistic="mean").values
    assert (mean * mean.T >= 1.0 - 1e-12).all()
    assert (rates.sel(statistic="low") <= rates.sel(statistic="high")).all()
    assert rates.attrs["interval_mass"] == 0.8
    table = portfolio.exchange_table(rates).set_index(["pathway", "other"])
    count = rates.sizes["pathway"]
    assert len(table) == count * (count - 1)
    assert table.loc[("daccs", "forests"), "median"] == cell.sel(statistic="median").item()
    assert set(table["interval_mass"]) == {0.8}


def test_a_credit_that_holds_nothing_has_no_rate():
    drawn = simple()
    drawn["additionality"] = ("sample", "pathway"), [[0.0, 1.0, 1.0]]
    rates = portfolio.exchange_rates(portfolio.credit_discounts(drawn, credits=PERFECT))
    nothing = rates.sel(other="forests")
    assert np.isnan(nothing.sel(statistic="mean")).all()
    assert (nothing.sel(statistic="probability_defined") == 0.0).all()
    assert rates.sel(pathway="forests", other="biochar", statistic="mean").item() == 0.0


def test_weights_equal_repetition():
    drawn = creditable(build_drawn(30))
    discounts = portfolio.credit_discounts(drawn)
    counts = np.random.default_rng(1).integers(1, 4, 30)
    repeated = discounts.isel(sample=np.repeat(np.arange(30), counts))
    repeated["probability"] = "sample", np.full(counts.sum(), 1.0 / counts.sum())
    weighted = portfolio.exchange_rates(discounts, probability=counts / counts.sum())
    plain = portfolio.exchange_rates(repeated)
    mean = {"statistic": "mean"}
    np.testing.assert_allclose(weighted.sel(mean), plain.sel(mean), rtol=1e-9)


def test_table_and_sentence():
    drawn = simple(half_life=50.0)
    drawn["half_life"].loc[{"pathway": "biochar"}] = 1e6
    discounts = portfolio.credit_discounts(drawn, credits=PERFECT)
    table = portfolio.credit_table(discounts).set_index(["pathway", "factor"])
    assert table.loc[("forests", "discount"), "mean"] == pytest.approx(0.25)
    assert table.loc[("forests", "durability"), "median"] == pytest.approx(0.25)
    assert set(table["interval_kind"]) == {"equal-tailed"}
    text = portfolio.credit_sentence(discounts)
    assert "one by forests 0.25, the least, above all for its durability" in text
    assert "is worth 4 of forests" in text


@pytest.mark.parametrize(
    ("change", "further", "message"),
    [
        (lambda d: d.drop_vars(["shock", "energy"]), {}, r"(?s)2 problems.*'shock'.*'energy'"),
        (lambda d: d, {"leave_out": ("durabilty",)}, "unknown factor.*did you mean 'durability'"),
        (lambda d: d, {"credits": PERFECT.drop(columns="low")}, "key 'low': credits lack a column"),
        (lambda d: d, {"credits": PERFECT.assign(factor="buffer", low=2.0)}, "2 problems"),
        (lambda d: d, {"credits": pd.concat([PERFECT, PERFECT])}, "stated twice"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(change, further, message):
    with pytest.raises(InputError, match=message):
        portfolio.credit_discounts(change(simple()), **further)
    with pytest.raises(InputError, match="level outside its range"):
        portfolio.exchange_rates(portfolio.credit_discounts(simple()), level=1.0)
