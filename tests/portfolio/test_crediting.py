"""Credit discounts factor by factor by hand, exchange rates and their reciprocity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import portfolio, priors
from sinkrisk.errors import InputError
from sinkrisk.portfolio.crediting import CHARGES, FACTORS

from .conftest import build_drawn, full_drawn, plans, simple_drawn

PERFECT = pd.DataFrame({"pathway": ["daccs"], "factor": ["measurement"], "low": [1.0], "high": [1.0]})


def creditable(drawn: xr.Dataset) -> xr.Dataset:
    return drawn.assign_coords(creditable=("pathway", np.ones(drawn.sizes["pathway"], bool)))


def simple(**values: float) -> xr.Dataset:
    return creditable(simple_drawn("forests", **values))


def factors(drawn: xr.Dataset, pathway: str = "forests", credits: pd.DataFrame = PERFECT) -> dict[str, float]:
    """Factors and charges of the first draw."""
    got = portfolio.credit_discounts(drawn, credits=credits).isel(sample=0).sel(pathway=pathway)
    shares = zip(got["factor"].values.tolist(), got["factors"].values.tolist(), strict=True)
    tonnes = zip(got["charge"].values.tolist(), got["charges"].values.tolist(), strict=True)
    return dict(shares) | dict(tonnes)


def test_a_perfect_tonne_is_a_credit():
    got = factors(simple())
    assert got == dict.fromkeys(FACTORS, 1.0) | dict.fromkeys(CHARGES, 0.0)
    discounts = portfolio.credit_discounts(simple(), credits=PERFECT)
    assert (discounts["discount"] == 1.0).all()


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
    drawn["power_share"] = one[0], 0.4 * one[1]
    drawn["heat_intensity"] = ("sample", "period"), [[0.08, 0.05, 0.02]]
    drawn["late_hazard"] = ("sample", "region"), [[0.01, 0.0, 0.0]]
    shock = np.zeros((1, 3, 3))
    shock[0, 1, 1] = 1.0
    drawn["shock"] = ("sample", "region", "period"), shock
    got = factors(drawn)
    assert got["durability"] == pytest.approx(0.3 * 0.5**5 + 0.7 * 0.5 * np.exp(-0.1))
    assert got["uptake"] == pytest.approx(0.8)
    assert got["additionality"] == pytest.approx(0.7)
    assert got["foregone_regrowth"] == pytest.approx(0.1)
    assert got["delay"] == pytest.approx(1.05**-4)
    # Capacity does not grow here: every period counts by its years. What was built before period one is
    # half of it old there, and a period older in each that follows.
    ages = np.exp(-np.array([5.0, 20.0, 71.0]) / 38.0) @ [10.0, 15.0, 51.0] / 76.0
    assert got["other_gases"] == pytest.approx(0.05 + 0.2 * ages)
    mean = (10.0 * 0.1 + 15.0 * 0.05) / 76.0
    power = mean * (0.5 + 0.3 * 2.0)
    heat = (10.0 * 0.08 + 15.0 * 0.05 + 51.0 * 0.02) / 76.0
    assert got["process_energy"] == pytest.approx(3.0 * (0.4 * power + 0.6 * heat))
    own = drawn.assign(own_fuel=drawn["power_share"] * 0.0 + 0.75)
    assert factors(own)["process_energy"] == pytest.approx(3.0 * (0.4 * power + 0.6 * 0.25 * heat))
    # Without a grid heat alone is charged; without a share of power all energy is power.
    assert factors(drawn.drop_vars("grid_intensity"))["process_energy"] == pytest.approx(3.0 * 0.6 * heat)
    for gone in (["power_share"], ["power_share", "heat_intensity"]):
        assert factors(drawn.drop_vars(gone))["process_energy"] == pytest.approx(3.0 * power)
    # Stored in periods one and two the shock of region two strikes (.4 lost, share .3); region one's late
    # hazard .01 a year for the years of the hundred that lie after 2100: 34, 49 and 100.
    late = np.exp(-0.01 * 0.4 * np.array([34.0, 49.0, 100.0]))
    by_period = 0.5 * late + 0.3 * np.array([0.6, 0.6, 1.0]) + 0.2
    assert got["reversal"] == pytest.approx(by_period @ [10.0, 15.0, 51.0] / 76.0)
    whole = portfolio.credit_discounts(drawn, credits=PERFECT)["discount"].sel(pathway="forests").item()
    stored = got["durability"] * got["reversal"] * (0.7 * 0.8 - 0.1)
    assert whole == pytest.approx(1.05**-4 * (stored - got["other_gases"] - got["process_energy"]))
    # Taking off tonnes leaves less than multiplying shares would.
    assert whole < np.prod([got[f] for f in FACTORS]) * 0.9


def test_a_weak_land_sink_raises_the_hazard_of_nature_alone():
    drawn = simple(reversal_loss=0.2, land_sink_ratio=0.5)
    drawn["hazard_exponent"] = "sample", [1.0]
    drawn["shock"][...] = True
    assert factors(drawn)["reversal"] == pytest.approx((0.6**3 * 10 + 0.6**2 * 15 + 0.6 * 51) / 76)
    assert factors(drawn, "biochar")["reversal"] == pytest.approx((0.8**3 * 10 + 0.8**2 * 15 + 0.8 * 51) / 76)


TONNES_ALONE = ("measurement", "leakage", "delay", "co_benefit")


def engine_share(drawn: xr.Dataset, names: list[str]) -> xr.DataArray:
    """Durable net tonnes per tonne captured, of plans of one pathway each that ask for all there is."""
    out = portfolio.simulate(drawn, plans(drawn, {n: {n: 1e4} for n in names}))
    total = {
        n: (out[n] * out["period_length"]).sum(["pathway", "period"])
        for n in ("durable", "process", "non_co2", "deployed")
    }
    net = total["durable"] - total["process"] - total["non_co2"]
    return (net / total["deployed"].where(total["deployed"] > 0.0)).rename(portfolio="pathway")


def test_a_discount_is_what_the_simulation_keeps_of_a_pathway_alone():
    """Charges, growth, modes, shocks, ages and grids as drawn; net sources included, draw by draw."""
    drawn = full_drawn(200, seed=5)
    drawn["reallocation_headroom"][...] = 0.0
    # A plan above all capacity fails by what it lacks, and full stores depend on the plan.
    drawn["setback"][...] = 0.0
    drawn["saturation_years"][...] = np.inf
    # More regrowth given up than there is to store in some draws, in most less.
    real = drawn["additionality"] * drawn["efficiency"]
    drawn["foregone_regrowth"] = drawn["foregone_regrowth"] * 1.9 * real
    assert 0.05 < float((drawn["foregone_regrowth"] > real).mean()) < 0.5
    names = ["beccs", "daccs", "biochar", "enhanced_weathering", "forests"]
    got = portfolio.credit_discounts(drawn, leave_out=TONNES_ALONE)["discount"].sel(pathway=names)
    expected = engine_share(drawn, names)
    deployed = expected.notnull().transpose("sample", "pathway").values
    assert deployed.mean() > 0.9
    np.testing.assert_allclose(
        got.values[deployed], expected.transpose("sample", "pathway").values[deployed], rtol=1e-9, atol=1e-12
    )
    # Neither side is clipped: both kinds of tonne are there.
    assert 0.05 < float((got < 0.0).mean()) < 0.95


def test_regrowth_given_up_is_charged_up_to_what_there_is_to_store():
    drawn = simple(energy=0.0)
    one = ("sample", "pathway"), np.ones((1, 3))
    for name, value in (("additionality", 0.7), ("efficiency", 0.5), ("foregone_regrowth", 0.6)):
        drawn[name] = one[0], value * one[1]
    got = portfolio.credit_discounts(drawn, credits=PERFECT).sel(pathway="forests").isel(sample=0)
    assert got["charges"].sel(charge="foregone_regrowth").item() == pytest.approx(0.35)
    # Not .35 - .6 < 0: land that stores nothing is no source.
    assert got["discount"].item() == pytest.approx(0.0, abs=1e-12)
    assert engine_share(drawn, ["forests"]).item() == pytest.approx(0.0, abs=1e-12)


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


def test_left_out_factors_are_one_and_charges_zero():
    drawn = full_drawn(50)
    whole = portfolio.credit_discounts(drawn)
    less = portfolio.credit_discounts(drawn, leave_out=("co_benefit", "delay"))
    both = whole["factors"].sel(factor=["co_benefit", "delay"]).prod("factor")
    np.testing.assert_allclose(less["discount"] * both, whole["discount"])
    gross = portfolio.credit_discounts(drawn, leave_out=CHARGES)
    np.testing.assert_allclose(gross["discount"], whole["factors"].prod("factor"))


def test_a_premium_scales_and_a_charge_subtracts():
    drawn = full_drawn(50)
    free = portfolio.credit_discounts(drawn, leave_out=(*TONNES_ALONE, "process_energy"))
    charged = portfolio.credit_discounts(drawn, leave_out=TONNES_ALONE)
    off = charged["charges"].sel(charge="process_energy")
    np.testing.assert_allclose(free["discount"] - charged["discount"], off, atol=1e-12)


def test_exchange_rates_by_hand_and_their_reciprocity():
    drawn = creditable(build_drawn(201, seed=7))
    discounts = portfolio.credit_discounts(drawn)
    rates = portfolio.exchange_rates(discounts, level=0.8)
    values = discounts["discount"]
    ratio = values.sel(pathway="daccs") / values.sel(pathway="forests")
    cell = rates.sel(pathway="daccs", other="forests")
    assert cell.sel(statistic="median").item() == pytest.approx(ratio.median().item())
    means = values.sel(pathway="daccs").mean() / values.sel(pathway="forests").mean()
    assert cell.sel(statistic="ratio_of_means").item() == pytest.approx(means.item())
    # Odd numbers of draws: the median of the reciprocal is the reciprocal, and bounds swap.
    median = rates.sel(statistic="median").values
    np.testing.assert_allclose(median * median.T, 1.0, rtol=1e-9)
    np.testing.assert_allclose(np.diagonal(median), 1.0)
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
    assert np.isnan(nothing.sel(statistic=["median", "low", "high", "ratio_of_means"])).all()
    assert (nothing.sel(statistic="probability_defined") == 0.0).all()
    assert rates.sel(pathway="forests", other="biochar", statistic="median").item() == 0.0


def test_a_net_source_buys_nothing_and_has_no_rate_in_its_own_draws():
    discounts = xr.Dataset(
        {
            "discount": (("sample", "pathway"), [[0.8, 0.4], [0.6, -0.2], [0.9, 0.3], [0.5, -0.9]]),
            "probability": ("sample", [0.25] * 4),
        },
        coords={"pathway": ["daccs", "oif"]},
    )
    rates = portfolio.exchange_rates(discounts)
    there, back = rates.sel(pathway="daccs", other="oif"), rates.sel(pathway="oif", other="daccs")
    # Defined in two draws, with rates 2 and 3; on average a credit of oif holds less than nothing.
    assert there.sel(statistic="probability_defined").item() == pytest.approx(0.5)
    assert there.sel(statistic="median").item() == pytest.approx(2.5)
    assert np.isnan(there.sel(statistic="ratio_of_means"))
    assert np.isnan(back.sel(statistic="ratio_of_means"))
    assert back.sel(statistic="probability_defined").item() == 1.0
    assert back.sel(statistic="low").item() < 0.0


def test_weights_equal_repetition():
    drawn = creditable(build_drawn(30))
    discounts = portfolio.credit_discounts(drawn)
    counts = np.random.default_rng(1).integers(1, 4, 30)
    repeated = discounts.isel(sample=np.repeat(np.arange(30), counts))
    repeated["probability"] = "sample", np.full(counts.sum(), 1.0 / counts.sum())
    weighted = portfolio.exchange_rates(discounts, probability=counts / counts.sum())
    plain = portfolio.exchange_rates(repeated)
    np.testing.assert_allclose(weighted, plain, rtol=1e-9)


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
    drawn["additionality"] = ("sample", "pathway"), [[0.0, 1.0, 1.0]]
    text = portfolio.credit_sentence(portfolio.credit_discounts(drawn, credits=PERFECT))
    assert "forests 0.00, the least, above all for its additionality" in text
    assert "do not exchange: in 100% of draws one of forests holds nothing" in text


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


def test_the_table_weighs_draws():
    """All weight on one draw: every statistic is that draw's value."""
    rng = np.random.default_rng(6)
    axes = {"factors": ("factor", ["durability"]), "charges": ("charge", ["process_energy"])}
    discounts = xr.Dataset(
        {n: (("sample", "pathway", d), rng.random((9, 2, 1))) for n, (d, _) in axes.items()}
        | {"discount": (("sample", "pathway"), rng.random((9, 2)))}
        | {"probability": ("sample", (np.arange(9) == 4).astype(float))},
        coords={"pathway": ["daccs", "forests"]} | dict(axes.values()),
    )
    table = portfolio.credit_table(discounts).query("factor == 'discount'")
    for name in ("mean", "median", "low", "high"):
        np.testing.assert_allclose(table[name], discounts["discount"].values[4])
