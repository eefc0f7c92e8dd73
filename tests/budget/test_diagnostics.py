"""The gate lets nothing unconverged leave, and names what failed."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk import budget
from sinkrisk.errors import ConvergenceError


def by_name(checks):
    return {check.name: check for check in checks}


def test_enough_draws_pass(tree):
    checks = budget.diagnose(tree)
    assert budget.gate(checks) == ()
    named = by_name(checks)
    assert all(named[n].passed is True for n in ("finite", "closure", "rhat", "ess_bulk", "ess_tail"))
    # Independent draws: the worst of 40 ESS lies near the 20,000 drawn.
    assert named["ess_bulk"].table["ess_bulk"].min() > 16_000
    assert named["note"].passed is None


def test_too_few_draws_are_refused_by_name(table_2):
    tree = budget.reconcile(table_2, draws=25, chains=4, rng=1)
    checks = budget.diagnose(tree, rhat_max=1.5, ess_min=400)
    with pytest.raises(
        ConvergenceError, match=r"ess_bulk.*Smallest bulk ESS is \d+ \(window_flux of .*needed 400"
    ):
        budget.gate(checks)
    failed = budget.gate(checks, allow_unconverged=True)
    assert {check.name for check in failed} == {"ess_bulk", "ess_tail"}


def test_one_chain_is_refused(table_2):
    checks = budget.diagnose(budget.reconcile(table_2, draws=1000, chains=1, rng=1))
    with pytest.raises(ConvergenceError, match="at least 2 chains"):
        budget.gate(checks)


def test_a_shifted_chain_fails_rhat(table_2):
    tree = budget.reconcile(table_2, draws=500, chains=4, rng=1).copy(deep=True)
    flux = tree["posterior"]["window_flux"]
    # Shift source and sink of one chain alike, so that only convergence is broken.
    flux.loc[{"chain": 0, "component": ["fossil", "land"], "window": "2023"}] += 3.0
    with pytest.raises(ConvergenceError, match=r"Largest R-hat is .*(fossil|land) 2023"):
        budget.gate(budget.diagnose(tree))


def test_a_leak_of_mass_is_named(table_2):
    tree = budget.reconcile(table_2, draws=500, chains=4, rng=1).copy(deep=True)
    tree["posterior"]["window_flux"].loc[{"chain": 1, "draw": 3, "component": "land", "window": "2024"}] += (
        1e-6
    )
    with pytest.raises(ConvergenceError, match=r"closure\] Largest .* 1\.0e-06 GtC/yr \(in 2024\)"):
        budget.gate(budget.diagnose(tree))
    assert budget.gate(budget.diagnose(tree, closure_max=1e-5)) == ()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named(table_2, value):
    tree = budget.reconcile(table_2, draws=500, chains=4, rng=1).copy(deep=True)
    tree["posterior"]["window_flux"].loc[{"chain": 1, "draw": 3, "component": "land", "window": "2024"}] = (
        value
    )
    with pytest.raises(ConvergenceError, match="Not finite in some draw: land 2024"):
        budget.gate(budget.diagnose(tree))


def test_constructed_columns_and_excluded_rows_inform(packaged):
    tree = budget.reconcile(packaged("china"), attribution="include", rng=1)
    named = by_name(budget.diagnose(tree))
    assert named["constant_shares"].passed is None
    assert "Constructed: atmosphere is 44 %, ocean is 23 %, land is 31 %" in named["constant_shares"].text
    assert named["excluded_rows"].text == "12 rows stay out: 12 derived from the other columns."
