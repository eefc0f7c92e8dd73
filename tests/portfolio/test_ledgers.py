"""Conservation: identities hold in every draw with every mechanism on, and a break of any is seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio import ledgers

from .conftest import build_drawn, full_drawn, plans, random_plans


def some_plans(drawn, seed):
    flags = np.random.default_rng(seed).random(5) < 0.5
    return random_plans(drawn, seed=seed + 1).assign_coords(coordinated=("portfolio", flags))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_identities_hold_with_everything_on(seed):
    drawn = full_drawn(12, seed=seed)
    out = portfolio.simulate(drawn, some_plans(drawn, seed))
    checks = portfolio.check_identities(out, drawn)
    assert len(checks) == len(ledgers.IDENTITIES) + 1
    for check in checks:
        assert check.passed, check.text
    signed = {"coupled", "non_co2", "net", "stored", "returned", "cost", "marginal_cost"}
    for name in set(out.data_vars) - signed:
        assert float(out[name].min()) >= 0.0, name
    assert float(out["returned"].min()) >= -1e-12
    assert bool((out["durable"] <= out["removed"] + 1e-12).all())
    assert bool((out["retained"] <= (out["removed"] * out["period_length"]).sum("period") + 1e-9).all())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_without_headroom_nothing_moves_and_the_rest_is_as_it_was(seed):
    drawn = full_drawn(8, seed=seed)
    drawn["reallocation_headroom"][:] = 0.0
    plan = some_plans(drawn, seed)
    out = portfolio.simulate(drawn, plan)
    assert float(out["received"].max()) == 0.0
    # Passive redundancy that may not move anything is a throttle at the same fraction.
    throttled = drawn.copy(deep=True)
    throttled["mode"] = throttled["mode"].where(throttled["mode"] != 2, 1).astype(np.int8)
    fraction = throttled["mode_fraction"].values
    same = drawn.copy(deep=True)
    same["mode_fraction"][:, 1] = fraction[:, 2]
    throttled["mode_fraction"][:, 1] = fraction[:, 2]
    a, b = portfolio.simulate(same, plan), portfolio.simulate(throttled, plan)
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values)


def test_point_source_ccs_alone_removes_nothing_with_everything_on():
    drawn = full_drawn(100, seed=3)
    drawn["reallocation_headroom"][:] = 0.0
    out = portfolio.simulate(drawn, plans(drawn, {"ccs": {"point_source_ccs": 4.0}}))
    for name in (
        "removed",
        "stored",
        "returned",
        "durable",
        "credited",
        "utilised",
        "uncounted",
        "foregone",
        "retained",
    ):
        assert float(abs(out[name]).max()) == 0.0, name
    assert float(out["avoided"].max()) > 0.0
    supply = drawn["resource_supply"].sel(resource="point_co2").sum("region")
    assert bool((out["deployed"].sum("pathway") <= supply + 1e-12).all())


BREAKS = {
    "planned = deployed + reallocated + lost": "planned",
    "lost = limited + scarce + withheld": "scarce",
    "received = reallocated": "received",
    "captured + coupled = removed + avoided + utilised + uncounted + foregone + saturated": "saturated",
    "removed = stored + returned": "returned",
    "each pathway writes only into its own ledger": "avoided",
    "no carbon returns twice": "stored",
    "net = stored - process - non-CO2": "net",
    "credits never run ahead of removal": "credited",
    "captured by region = captured by pathway": "captured_in",
    "cost by region = cost by pathway": "cost_in",
    "resources in use within their supply": "resource_used",
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_of_each_identity_is_seen(name):
    drawn = full_drawn(10)
    out = portfolio.simulate(drawn, random_plans(drawn))
    change = -1000.0 if BREAKS[name] == "stored" else 1000.0
    broken = out.assign({BREAKS[name]: out[BREAKS[name]] + change})
    checks = {c.name: c.passed for c in portfolio.check_identities(broken, drawn)}
    assert set(checks) == set(BREAKS)
    assert checks[name] is False


def test_what_was_not_kept_is_not_said_to_hold():
    drawn = full_drawn(4)
    out = portfolio.simulate(drawn, random_plans(drawn), variables=["removed", "stored", "returned"])
    checks = {c.name: c for c in portfolio.check_identities(out)}
    assert checks["removed = stored + returned"].passed is True
    absent = checks["lost = limited + scarce + withheld"]
    assert absent.passed is None
    assert "outcomes lack lost, limited, scarce, withheld" in absent.text


def test_a_draw_that_is_none_does_not_pass_for_one_that_holds():
    drawn = build_drawn(8)
    outcomes = portfolio.simulate(drawn, random_plans(drawn, 2))
    broken = outcomes.copy(deep=True)
    broken["removed"].values[3, 1, 0, 2] = np.nan
    told = {c.name: c for c in portfolio.check_identities(broken)}
    failed = [name for name, check in told.items() if check.passed is False]
    assert "removed = stored + returned" in failed
    assert "not finite" in told["removed = stored + returned"].text
    with pytest.raises(InputError, match="different draws"):
        portfolio.check_identities(outcomes, drawn.isel(sample=slice(4)))
