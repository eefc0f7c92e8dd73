"""What portfolios do to the air: years from periods, stores after the horizon, closure with the sinks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import sinkrisk
from sinkrisk import budget, risk
from sinkrisk.budget.cycle_table import draw_cycle
from sinkrisk.budget.projecting import DISCREPANCIES
from sinkrisk.errors import InputError
from sinkrisk.portfolio.air import OUTLOOK_PREFIX, annual_relief, project_air
from sinkrisk.portfolio.air_tables import air_sentence, air_table

DIMS = ("sample", "portfolio", "pathway", "period")
STARTS, LENGTHS = [2025, 2035, 2050], [10, 15, 51]


def outcomes_of(n: int = 6, seed: int = 3, **given: float) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    shape = (n, 2, 3, 3)
    stored = rng.uniform(0.0, 3.0, shape)
    values = {
        "stored": stored, "avoided": rng.uniform(0.0, 1.0, shape), "utilised": rng.uniform(0.0, 0.5, shape),
        "process": rng.uniform(0.0, 0.2, shape), "foregone": rng.uniform(0.0, 0.2, shape),
    }  # fmt: skip
    values |= {name: np.full(shape, value) for name, value in given.items()}
    closing = (values["stored"] * LENGTHS).sum(-1)
    return xr.Dataset(
        {name: (DIMS, v, {"units": "GtCO2/yr"}) for name, v in values.items()}
        | {"retained": (DIMS[:3], closing * rng.uniform(0.2, 1.0, shape[:3]), {"units": "GtCO2"})},
        coords={
            "sample": np.arange(n), "portfolio": ["a", "b"], "pathway": ["x", "y", "z"],
            "period": ["near", "mid", "long"], "period_start": ("period", STARTS),
            "period_length": ("period", LENGTHS),
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def closed():
    return budget.reconcile(
        sinkrisk.load_observations("global"), model="closed", draws=20, chains=2, rng=5, progress=False
    )


def test_years_add_up_to_the_periods():
    outcomes = outcomes_of()
    relief = annual_relief(outcomes)
    assert relief["year"].values.tolist() == list(range(2025, 2101))
    net = outcomes["stored"] + outcomes["avoided"] + outcomes["utilised"]
    # Foregone regrowth never entered a store: what is stored is without it.
    net = (net - outcomes["process"]).sum("pathway")
    for q, (start, length) in enumerate(zip(STARTS, LENGTHS, strict=True)):
        years = relief.sel(year=slice(start, start + length - 1))
        assert years.sizes["year"] == length
        np.testing.assert_allclose(years.sum("year"), net.isel(period=q) * length, rtol=1e-12)


def test_after_the_horizon_stores_give_back_down_to_what_is_retained():
    outcomes = outcomes_of()
    relief = annual_relief(outcomes, until=2200).sel(year=slice(2101, 2200))
    length = outcomes["period_length"]
    closing = (outcomes["stored"] * length).sum(("period", "pathway"))
    given_back = closing - outcomes["retained"].sum("pathway")
    np.testing.assert_allclose(-relief.sum("year"), given_back, rtol=1e-10)
    assert (relief.values <= 0.0).all()
    # One store decaying at one rate gives back the same share of what is left every year.
    one = outcomes.isel(pathway=[0], sample=[0], portfolio=[0])
    back = -annual_relief(one, until=2200).sel(year=slice(2101, 2200)).values.ravel()
    np.testing.assert_allclose(back[1:] / back[:-1], back[1] / back[0], rtol=1e-9)


def test_the_air_closes_in_every_draw(closed):
    outcomes = outcomes_of(n=7)
    out = project_air(outcomes, closed, rng=1, block=3)
    # Air = emissions - relief - ocean - land, year by year.
    from sinkrisk.budget.cycle_table import load_carbon_cycle
    from sinkrisk.budget.emission_paths import read_emissions
    from sinkrisk.priors import load_table

    path = read_emissions(load_table("emissions"), scenario="decline").set_index("year")
    emitted = (path["fossil"] + path["land_use"]).loc[2026:2100].to_numpy()
    carbon = out["co2"] * load_carbon_cycle().carbon_per_ppm
    growth = carbon.diff("year")
    gone = out["relief"].sel(year=growth["year"]) * 12.0 / 44.0
    left = emitted - gone - out["ocean"].sel(year=growth["year"]) - out["land"].sel(year=growth["year"])
    np.testing.assert_allclose(growth.transpose(*left.dims), left, atol=1e-9)


def test_removal_weakens_the_sinks_and_nothing_changes_nothing(closed):
    nothing = dict.fromkeys(("stored", "avoided", "utilised", "process"), 0.0)
    still = project_air(outcomes_of(**nothing), closed, rng=1)
    np.testing.assert_allclose(still["net_effect"], 0.0, atol=1e-9)
    out = project_air(outcomes_of(process=0.0), closed, rng=1)
    gross = (out["relief_cumulative"] * 12.0 / 44.0).sel(year=2100)
    effect = -out["net_effect"].sel(year=2100)
    assert bool(((effect > 0.2 * gross) & (effect < gross)).all())
    expected = out["co2_without_removal"] + out["net_effect"] / 2.124
    np.testing.assert_allclose(out["co2"], expected.transpose(*out["co2"].dims), rtol=1e-6)


def test_draws_keep_their_own_sinks(closed):
    outcomes = outcomes_of(n=4)
    number = np.array([3, 3, 17, 0])
    drawn = xr.Dataset({"budget_draw": ("sample", number)})
    held = {
        f"outlook_{name}": ("sample", np.full(4, value))
        for name, value in {
            "ocean_efficiency_decline": 40.0, "land_half_saturation": 200.0, "land_tipping_threshold": 3.0,
            "land_tipping_timescale": 100.0, "land_tipping_loss": 0.2, "warming_present": 1.2,
            "warming_per_emission": 0.00165, "ocean_discrepancy": 0.0, "land_discrepancy": 0.0,
        }.items()
    }  # fmt: skip
    same = outcomes.isel(sample=[1, 1, 1, 1]).assign_coords(sample=np.arange(4))
    out = project_air(same, closed, drawn=drawn.assign(held), years=[2050, 2100])
    assert out["year"].values.tolist() == [2050, 2100]
    # The same outcomes, sinks and carbon cycle give the same air; other sinks another.
    np.testing.assert_array_equal(out["co2"][0], out["co2"][1])
    assert float(abs(out["co2"][0] - out["co2"][2]).min()) > 1e-3
    flux = closed["posterior"]["window_flux"].sel(window="2014-2023").stack(sample=("chain", "draw"))
    sink = flux.sel(component=["ocean", "land"]).sum("component").values[number]
    order = np.argsort(out["co2"].sel(portfolio="a", year=2050).values[[0, 2, 3]])
    assert order.tolist() == np.argsort(-sink[[0, 2, 3]]).tolist()


def test_blocks_change_nothing(closed):
    outcomes = outcomes_of(n=5)
    whole = project_air(outcomes, closed, rng=2, until=2200)
    parts = project_air(outcomes, closed, rng=2, until=2200, block=2)
    xr.testing.assert_allclose(whole, parts, rtol=1e-12)


def test_everything_wrong_is_said(closed):
    outcomes = outcomes_of(n=3)
    with pytest.raises(InputError, match="key 'avoided': outcomes lack a variable"):
        annual_relief(outcomes.drop_vars("avoided"))
    with pytest.raises(InputError, match="until=2100"):
        annual_relief(outcomes.drop_vars("retained"), until=2150)
    with pytest.raises(InputError, match="2025 to 2200"):
        annual_relief(outcomes, until=2300)
    beyond = xr.Dataset({"budget_draw": ("sample", [0, 1, 40])})
    with pytest.raises(InputError, match="numbered 0 to 39"):
        project_air(outcomes, closed, drawn=beyond)
    with pytest.raises(InputError, match="years outside the outlook"):
        project_air(outcomes, closed, years=[2020])
    with pytest.raises(InputError, match=r"unknown scenario.*steady, decline, rapid"):
        project_air(outcomes, closed, scenario="wishful")


def test_the_sentence_weighs_draws_like_repetition(closed):
    counts = np.array([1, 5, 1, 3])
    drawn = xr.Dataset({"budget_draw": ("sample", [3, 8, 17, 0])})
    parameters = draw_cycle(4, rng=1) | {name: np.zeros(4) for name in DISCREPANCIES}
    drawn = drawn.assign({OUTLOOK_PREFIX + name: ("sample", v) for name, v in parameters.items()})
    # Draws that differ tenfold in what they remove.
    outcomes = outcomes_of(n=4) * xr.DataArray([1.0, 0.1, 1.0, 0.3], dims="sample")
    weighted = outcomes.assign_coords(probability=("sample", counts / counts.sum()))
    places = np.repeat(np.arange(4), counts)
    repeated = outcomes.isel(sample=places).assign_coords(sample=np.arange(len(places)))

    def told(held, inputs):
        text = air_sentence(project_air(held, closed, drawn=inputs, years=[2100]))
        return text.split(": ")[-1]

    assert told(weighted, drawn) == told(repeated, drawn.isel(sample=places))
    assert told(weighted, drawn) != told(outcomes, drawn)


def test_intervals_do_not_jump_where_weights_are_all_but_equal(closed):
    """Equal and unequal weights go by one rule of quantiles, the one that all other tables go by."""
    # Of 21 equal draws no step of the distribution ends at 5, 50 or 95 %.
    outcomes = outcomes_of(21)
    projected = project_air(outcomes, closed, years=[2050, 2100], rng=1)
    table = air_table(projected)
    weight = np.full(21, 1.0 / 21.0) + 1e-9 * (-1.0) ** np.arange(21)
    almost = air_table(projected.assign_coords(probability=("sample", weight)))
    for name in ("mean", "median", "low", "high"):
        np.testing.assert_allclose(table[name], almost[name], rtol=1e-6, err_msg=name)
    row = table.query("quantity == 'co2' and portfolio == 'a' and year == 2100").iloc[0]
    assert row["low"] == pytest.approx(
        risk.quantile(projected["co2"].sel(portfolio="a", year=2100).values, 0.05).item()
    )


def test_no_more_is_kept_from_the_air_than_is_emitted(closed):
    years = np.arange(2024, 2101)
    path = pd.DataFrame({"year": years, "fossil": np.where(years < 2050, 3.0, 0.3), "land_use": 1.0})
    plain = dict.fromkeys(("stored", "process"), 1.0) | {"avoided": 1.0, "utilised": 0.5, "foregone": 0.0}
    outcomes = outcomes_of(n=3, **plain)
    out = project_air(outcomes, closed, path, rng=1)
    # Three pathways: 3 avoided and 1.5 utilised of 11 GtCO2/yr of fossil carbon until 2049, of 1.1 after.
    np.testing.assert_allclose(out["relief"].sel(year=slice(2025, 2049)), 4.5)
    np.testing.assert_allclose(out["relief"].sel(year=slice(2050, 2100)), 1.1)
    np.testing.assert_allclose(out["relief_cumulative"].sel(year=2100), 25 * 4.5 + 51 * 1.1)
    assert out.attrs["held_to_fossil"] == pytest.approx(51 / 76)
    # The air knows of it: the same as with outcomes that avoid no more than there is.
    fewer = outcomes.copy()
    for name, share in (("avoided", 1.0 - 1e-13), ("utilised", 1.0 - 1e-13)):
        fewer[name] = fewer[name].where(fewer["period_start"] < 2050, fewer[name] * share * 1.1 / 4.5)
    same = project_air(fewer, closed, path, rng=1)
    np.testing.assert_allclose(out["co2"], same["co2"], rtol=1e-12)
    assert same.attrs["held_to_fossil"] <= 1e-9
    # Removal is not bounded by emissions.
    none = dict.fromkeys(("avoided", "utilised", "process", "foregone"), 0.0)
    removal = project_air(outcomes_of(n=3, stored=9.0, **none), closed, path)
    np.testing.assert_allclose(removal["relief"], 27.0)
    assert removal.attrs["held_to_fossil"] == 0.0


def test_what_is_held_to_fossil_emissions_weighs_draws(closed):
    years = np.arange(2024, 2101)
    path = pd.DataFrame({"year": years, "fossil": np.where(years < 2050, 3.0, 0.3), "land_use": 1.0})
    outcomes = outcomes_of(n=2, stored=1.0, process=0.0, avoided=1.0, utilised=0.0, foregone=0.0)
    # The first draw avoids 3 GtCO2/yr of the 1.1 there are from 2050 on, the second next to nothing.
    outcomes["avoided"] = outcomes["avoided"] * xr.DataArray([1.0, 0.01], dims="sample")
    outcomes["avoided"] = outcomes["avoided"].transpose(*DIMS)
    for weight, held in (([0.5, 0.5], 0.5 * 51 / 76), ([0.9, 0.1], 0.9 * 51 / 76)):
        weighted = outcomes.assign_coords(probability=("sample", weight))
        out = project_air(weighted, closed, path, rng=1)
        assert out.attrs["held_to_fossil"] == pytest.approx(held)
