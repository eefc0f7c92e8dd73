"""The `budget` section of a spec, and the room's public names."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from functools import partial

import pydantic
import pytest
import yaml

from sinkrisk import budget, files

solve_closed = partial(budget.reconcile, model="closed")


def test_defaults_reconcile_the_packaged_table(packaged):
    spec = budget.BudgetSpec()
    tree = budget.reconcile(
        packaged(spec.observations),
        spec.model,
        draws=spec.draws,
        tune=spec.tune,
        chains=spec.chains,
        attribution=spec.attribution,
        windows=spec.windows,
        rng=1,
    )
    checks = budget.diagnose(tree, rhat_max=spec.rhat_max, ess_min=spec.ess_min, closure_max=spec.closure_max)
    assert budget.gate(checks) == ()


def test_a_run_needs_a_thousand_effective_draws():
    assert budget.BudgetSpec().ess_min == 1000.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["global", "china", "ocean"])
def test_packaged_analyses_pass_the_gate_of_runs(name):
    section = yaml.safe_load(files.data_path("analyses", f"{name}.yaml").read_text())["budget"]
    spec = budget.BudgetSpec.model_validate(section)
    tree = budget.reconcile(
        budget.budget_observations(spec.observations, spec.model),
        spec.model,
        draws=spec.draws,
        tune=spec.tune,
        chains=spec.chains,
        sampler=spec.sampler,
        errors=spec.errors,
        series=spec.series,
        attribution=spec.attribution,
        windows=spec.window_labels,
        rng=1,
    )
    assert budget.gate(budget.diagnose(tree, rhat_max=spec.rhat_max, ess_min=spec.ess_min)) == ()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"modle": "closed"}, "extra"),
        ({"model": "opne"}, "'hierarchical', 'open', 'robust' or 'closed'"),
        ({"windows": [[2023, 2014]]}, "ends before it starts"),
        ({"windows": []}, "at least 1"),
        ({"windows": ["196x"]}, r"not a period: got '196x'; allowed: a year 2023 or \[2023\], a decade"),
        ({"windows": [[2014, 2018, 2023]]}, r"not a period: got \[2014, 2018, 2023\].*span '1960-1969'"),
        ({"windows": [True]}, "not a period: got True"),
        ({"windows": {"start": 2014}}, "windows must be a list: got .*; allowed: a list, each item a year"),
        ({"windows": "196x"}, "not a period: got '196x'"),
        ({"level": 90}, "less than 1"),
        ({"chains": 1}, "greater than or equal to 2"),
        ({"draws": 0}, "greater than or equal to 1"),
        ({"attribution": "yes"}, "exclude"),
        ({"model": "closed", "errors": "iid"}, "the closed model has no 'errors'"),
        ({"model": "closed", "series": "members"}, "the closed model has no 'series'"),
    ],
)
def test_bad_values_are_refused(values, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        budget.BudgetSpec.model_validate(values)


def test_windows_are_taken_as_the_results_print_them(packaged):
    every = solve_closed(packaged("global"), draws=1, rng=1)
    printed = list(budget.summarise_budget(every)["window"].unique())
    assert budget.BudgetSpec.model_validate({"windows": printed}).window_labels == tuple(printed)
    values = ["2014-2023", 2024, [2024], [2014, 2023], "1960s"]
    spec = budget.BudgetSpec.model_validate({"windows": values})
    assert spec.windows == [(2014, 2023), (2024, 2024), (2024, 2024), (2014, 2023), (1960, 1969)]
    tree = solve_closed(packaged("global"), windows=spec.windows, draws=1, rng=1)
    assert list(tree["exact"]["window"].values) == ["1960-1969", "2014-2023", "2024"]
    assert budget.BudgetSpec.model_validate({"windows": "2014-2023"}).window_labels == ("2014-2023",)
    assert budget.BudgetSpec.model_validate({"windows": 2024}).window_labels == ("2024",)
    # What is written into a manifest reads back.
    assert budget.BudgetSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_lazy_names_are_not_submodules_and_load_twice():
    submodules = {module.name for module in pkgutil.iter_modules(budget.__path__)}
    assert not submodules & set(budget.__all__)
    for name in budget.__all__:
        assert getattr(budget, name) is getattr(budget, name)


def test_importing_the_room_is_light():
    heavy = "('pandas', 'xarray', 'pymc', 'pgmpy', 'scipy', 'pydantic')"
    code = f"import sys, sinkrisk.budget; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
