"""`simulate` as a whole: conservation in every draw, blocks, dask, an independent rewrite, bad input."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

from sinkrisk import portfolio, stages
from sinkrisk.errors import InputError, MissingDependencyError
from sinkrisk.portfolio import engine
from sinkrisk.portfolio.variables import MOST_PLANNED

from .conftest import build_drawn, plans, random_plans


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_nothing_is_lost_or_counted_twice(seed, passive):
    drawn = build_drawn(20, seed=seed, passive=passive)
    out = portfolio.simulate(drawn, random_plans(drawn, seed=seed + 1))
    for check in portfolio.check_identities(out):
        assert check.passed, check.text
    for name in ("deployed", "reallocated", "received", "lost", "removed", "durable", "avoided", "utilised"):
        assert float(out[name].min()) >= 0.0
    assert float(out["returned"].min()) >= -1e-12
    assert bool((out["durable"] <= out["removed"] + 1e-12).all())


def test_the_stage_records_conservation_and_plans_beyond_the_potential(tmp_path, monkeypatch):
    drawn = build_drawn(20)
    plan = plans(drawn, {"a": {"daccs": 100.0}})
    context = SimpleNamespace(
        memory={"portfolios": [plan]}, artefact=lambda name, read: drawn, spec=SimpleNamespace(level=0.9)
    )
    output = stages._simulate(context, tmp_path)
    *conserved, beyond = output.checks
    assert [c.passed for c in conserved] == [True] * 11
    assert beyond.passed is None
    assert "daccs" in beyond.text
    # A simulation that counts a tonne twice must not be recorded as sound.
    honest = portfolio.simulate(drawn, plan)
    monkeypatch.setattr(portfolio, "simulate", lambda *_: honest.assign(removed=2.0 * honest["removed"]))
    broken = stages._simulate(context, tmp_path)
    assert [c.passed for c in broken.checks].count(False) == 2


def test_the_check_sees_a_broken_ledger():
    drawn = build_drawn(20)
    out = portfolio.simulate(drawn, random_plans(drawn))
    broken = out.assign(removed=out["removed"] + out["avoided"])
    failed = [c.name for c in portfolio.check_identities(broken) if not c.passed]
    assert failed == [
        "captured + coupled = removed + avoided + utilised + uncounted + foregone + saturated",
        "removed = stored + returned",
        "each pathway writes only into its own ledger",
    ]


def test_equals_an_independent_rewrite_in_plain_xarray():
    """The same model cell by cell on labels, without blocks or tricks."""
    drawn = build_drawn(30, seed=11)
    planned = random_plans(drawn, seed=12)["planned"]
    out = portfolio.simulate(drawn, planned.to_dataset())
    cap = portfolio.capacity(drawn)
    available, fraction = cap["available"], cap["deployable_fraction"]
    base = np.minimum(planned * drawn["suitability_share"], available)
    deployed = base * fraction

    passive = []
    by_class = drawn["mode_fraction"].isel(mode=drawn["mode"].astype(int))
    for text in drawn["classes"].values:
        members = by_class.sel({"class": text.split(";")})
        modes = drawn["mode"].sel({"class": text.split(";")})
        holds = members == members.min("class")
        passive.append((holds & (modes == 2)).any("class") & ~(holds & (modes == 3)).any("class"))
    freed = (base - deployed) * xr.concat(passive, dim="pathway").assign_coords(pathway=drawn["pathway"])
    recipient = drawn["pathway"].isin(["biochar", "enhanced_weathering"])
    freed = freed.where(~recipient, 0.0)
    room = ((available - base) * fraction * drawn["reallocation_headroom"]).where(recipient, 0.0)
    moved = np.minimum(freed.sum("pathway"), room.sum("pathway"))
    reallocated = (freed * moved / freed.sum("pathway")).fillna(0.0)
    received = (room * moved / room.sum("pathway")).fillna(0.0)
    captured = deployed + received
    slope, exponent = drawn["cost_slope"], drawn["cost_exponent"]
    use = (captured / available).fillna(0.0)
    cost = drawn["cost"] * captured * (1.0 + slope * use**exponent / (exponent + 1.0))
    marginal_cost = drawn["cost"] * captured * (1.0 + slope * use**exponent)
    share = xr.where(
        drawn["flow_class"] == "utilisation", drawn["removal_share"], drawn["flow_class"] == "removal"
    )
    removed = captured * share
    rate = np.log(2.0) / drawn["half_life"] + drawn["leakage_rate"]
    left = 1.0 - drawn["reversal_loss"] * drawn["shock"]
    stock, stored, durable = 0.0, [], []
    for q, length in enumerate(drawn["period_length"].values):
        closing = stock * np.exp(-rate * length)
        closing = closing + removed.isel(period=q, drop=True) * (1.0 - np.exp(-rate * length)) / rate
        closing = closing * left.isel(period=q, drop=True)
        stored.append((closing - stock) / length)
        stock = closing
        survives = left.isel(period=slice(q, None)).prod("period")
        durable.append(removed.isel(period=q, drop=True) * np.exp(-100.0 * rate) * survives)
    period = drawn["period"]
    expected = {
        "deployed": deployed,
        "reallocated": reallocated,
        "received": received,
        "cost": cost,
        "marginal_cost": marginal_cost,
        "energy": drawn["energy"] * captured,
        "removed": removed,
        "stored": xr.concat(stored, dim="period").assign_coords(period=period),
        "durable": xr.concat(durable, dim="period").assign_coords(period=period),
    }
    for name, values in expected.items():
        summed = values.sum("region").transpose(*out[name].dims)
        np.testing.assert_allclose(out[name].values, summed.values, rtol=1e-11, atol=1e-12, err_msg=name)


def test_block_size_does_not_change_a_result():
    drawn = build_drawn(150, seed=4)
    plan = random_plans(drawn)
    whole = portfolio.simulate(drawn, plan)
    for block in (1, 7, 64):
        part = portfolio.simulate(drawn, plan, block=block)
        for name in engine.OUTCOMES:
            np.testing.assert_allclose(part[name].values, whole[name].values, rtol=1e-12, atol=1e-12)


def test_a_sample_does_not_depend_on_its_neighbours_nor_a_portfolio_on_others():
    drawn = build_drawn(40, seed=6)
    plan = random_plans(drawn)
    whole = portfolio.simulate(drawn, plan)
    some = portfolio.simulate(drawn.isel(sample=[3, 17]), plan.isel(portfolio=[2]))
    for name in engine.OUTCOMES:
        picked = whole[name].isel(sample=[3, 17], portfolio=[2])
        np.testing.assert_allclose(some[name].values, picked.values, rtol=1e-12, atol=1e-12)


def test_chunks_give_the_same_lazily():
    drawn = build_drawn(50, seed=7)
    plan = random_plans(drawn)
    lazy = portfolio.simulate(drawn, plan, chunks={"sample": 16})
    assert lazy["removed"].chunks[0] == (16, 16, 16, 2)
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), portfolio.simulate(drawn, plan))


def test_chunks_without_dask_say_what_to_install(monkeypatch):
    drawn = build_drawn(4)
    plan = random_plans(drawn)
    # A None in sys.modules makes `import dask.array` fail as if it were not installed.
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(MissingDependencyError, match=r"sinkrisk\[scale\]"):
        portfolio.simulate(drawn, plan, chunks=2)


def test_outcomes_survive_zarr_and_netcdf(tmp_path):
    drawn = build_drawn(8)
    out = portfolio.simulate(drawn, random_plans(drawn))
    out.to_zarr(tmp_path / "o.zarr", consolidated=False)
    out.to_netcdf(tmp_path / "o.nc")
    for opened in (xr.open_zarr(tmp_path / "o.zarr", consolidated=False), xr.open_dataset(tmp_path / "o.nc")):
        with opened as back:
            xr.testing.assert_equal(back.load().drop_vars(["name"]), out.drop_vars(["name"]))
            assert back["cost"].attrs["units"] == "billion USD/yr"


def test_plans_in_another_order_and_with_fewer_pathways_are_matched_by_label():
    drawn = build_drawn(10)
    plan = plans(drawn, {"a": {"daccs": 1.0, "forests": 2.0}})
    turned = plan.sel(pathway=["forests", "daccs"], period=["long_term", "near_term", "mid_term"])
    a, b = portfolio.simulate(drawn, plan), portfolio.simulate(drawn, turned)
    np.testing.assert_array_equal(a["removed"].values, b["removed"].values)


def test_a_plan_beyond_the_potential_is_reported_not_clipped():
    drawn = build_drawn(50)
    plan = plans(drawn, {"a": {"daccs": 100.0, "forests": 1e-6}})
    out = portfolio.simulate(drawn, plan)
    assert (out["planned"].sel(pathway="daccs") == 100.0).all()
    (check,) = portfolio.check_plan(drawn, plan)
    assert check.passed is None
    assert check.table["pathway"].tolist() == ["daccs"] * 3
    assert check.table["probability_beyond"].tolist() == [1.0] * 3
    assert "daccs" in out.attrs["plan_beyond_potential"]
    (fine,) = portfolio.check_plan(drawn, plans(drawn, {"a": {"forests": 1e-6}}))
    assert fine.passed is True


def nan_cost(d):
    d["cost"][0, 1] = np.nan


def negative_capacity(d):
    d["current_capacity"][0, 0] = -1.0


def share_off(d):
    d["suitability_share"][0, 0] *= 2.0


def odd_mode(d):
    d["mode"][0, 0, 0, 0] = 7


def zero_half_life(d):
    d["half_life"][0, 0] = 0.0


def overlap(d):
    d["period_start"] = "period", [2025, 2030, 2050]


def flow(d):
    d["flow_class"] = "pathway", ["removal", "removals", *d["flow_class"].values[2:]]


def member(d):
    d["classes"] = "pathway", ["land_base", *d["classes"].values[1:]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan_cost, "key 'cost': NaN or infinite inputs: got '1 of 512 at daccs'"),
        (negative_capacity, "key 'current_capacity': negative inputs: got -1.0"),
        (share_off, "suitability shares do not sum to 1 over the regions: got 2.0"),
        (odd_mode, "unknown deployment mode"),
        (zero_half_life, "half-life must be positive"),
        (
            overlap,
            r"periods must follow each other without gap or overlap: got '\[2025, 2035\), \[2030, 2045\)",
        ),
        (flow, "unknown flow class: got 'removals'; .* did you mean 'removal'"),
        (member, "unknown deployment class: got 'land_base'; .* did you mean 'land_based'"),
    ],
)
def test_bad_inputs_are_named(spoil, message):
    drawn = build_drawn(64)
    plan = random_plans(drawn)
    spoil(drawn)
    with pytest.raises(InputError, match=message):
        portfolio.simulate(drawn, plan)


def test_all_problems_come_at_once():
    drawn = build_drawn(8)
    plan = random_plans(drawn)
    plan["planned"][0, 0, 0] = -1.0
    with pytest.raises(
        InputError, match=r"(?s)3 problems.*trl.*'shock'.*key 'p0.beccs.near_term': negative plan"
    ):
        portfolio.simulate(drawn.drop_vars(["trl", "shock"]), plan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p.assign_coords(pathway=["beccs", "dacss", *p["pathway"].values[2:]]),
            "did you mean 'daccs'",
        ),
        (lambda p: p.isel(period=[0, 2]), "portfolios lack a period.*mid_term|key 'mid_term'"),
        (lambda p: p.isel(portfolio=[]), "no portfolio to simulate"),
        (lambda p: p * 0.0, "empty portfolio: it plans nothing"),
        (lambda p: p.where(p["planned"] < 1.0), "plan is not a finite number"),
        (
            lambda p: p.assign(planned=p["planned"] * 1e300),
            r"key 'p0\.\w+\.\w+': plan beyond sense: got .*e\+\d+; allowed: 0 to 1000000",
        ),
        (lambda p: p.rename(planned="share"), "portfolios lack the variable 'planned': got 'share'"),
        (lambda p: p.assign(planned=p["planned"].assign_attrs(units="MtCO2/yr")), "plans in another unit"),
    ],
)
def test_bad_plans_are_named(change, message):
    drawn = build_drawn(4)
    with pytest.raises(InputError, match=message):
        portfolio.simulate(drawn, change(random_plans(drawn)))


def test_a_plan_beyond_any_potential_is_simulated_and_only_one_beyond_sense_refused():
    drawn = build_drawn(4)
    plan = random_plans(drawn)
    large = plan.assign(planned=plan["planned"].clip(max=0.0) + MOST_PLANNED)
    assert np.isfinite(portfolio.simulate(drawn, large)["net"]).all()
    with pytest.raises(InputError, match="plan beyond sense"):
        portfolio.simulate(drawn, large.assign(planned=large["planned"] * 1.0001))


def test_bad_sizes_are_named():
    drawn = build_drawn(4)
    plan = random_plans(drawn)
    with pytest.raises(InputError, match="block must be at least 1"):
        portfolio.simulate(drawn, plan, block=0)
    with pytest.raises(InputError, match="chunks must hold at least 1 sample"):
        portfolio.simulate(drawn, plan, chunks=0)
