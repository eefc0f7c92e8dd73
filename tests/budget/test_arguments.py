"""Arguments of the budget's functions: refused in words, alike everywhere, before any work."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sinkrisk
from sinkrisk import budget
from sinkrisk.budget.arguments import check_level, nearest_first
from sinkrisk.errors import ConvergenceWarning, InputError

FRAME = pd.DataFrame(
    {"component": ["fossil", "land_use", "atmosphere", "ocean", "land"], "start": 2014, "end": 2023,
     "value": [9.7, 1.1, 5.2, 2.9, 3.2], "sd": [0.5, 0.7, 0.2, 0.4, 0.9], "unit": "GtC/yr"}
)  # fmt: skip


@pytest.fixture
def unsampled(monkeypatch):
    """No argument that is refused may reach a sampler."""

    def sampled(*_, **__):
        raise AssertionError("the sampler was started")

    monkeypatch.setattr("sinkrisk.budget.hierarchical.sample_parameters", sampled)
    monkeypatch.setattr("sinkrisk.budget.calibration.compiled_model", sampled)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draws": 1}, "key 'draws': must be a whole number of at least 8 and at most 1000000: got 1; R-hat"),
        ({"draws": 0}, "at least 8"),
        ({"draws": 10**12, "model": "closed"}, "at most 1000000: got 1000000000000"),
        ({"model": ["closed"]}, r"unknown budget model: got \['closed'\]"),
        ({"model": "closed", "errors": "iid"}, "the closed model has no 'errors'"),
        ({"model": "closed", "series": "members"}, "the closed model has no 'series'"),
        ({"model": "closed", "fixed": {"walk_scale": 1.0}}, "the closed model has no 'fixed'"),
        ({"model": "closed", "direct": True}, "the closed model has no 'direct'"),
        ({"progress": "yes"}, "key 'progress': must be True or False: got 'yes'"),
        ({"direct": "yes"}, "key 'direct': must be True or False: got 'yes'"),
        ({"check": 1}, "key 'check': must be True or False: got 1"),
        ({"errors": []}, r"unknown errors: got \[\]"),
        ({"series": ""}, "unknown series: got ''"),
        ({"fixed": [1]}, "held parameters are given by name"),
        ({"fixed": {"walk_scale": "a"}}, "key 'fixed.walk_scale': not numbers: got 'a'"),
        ({"windows": []}, "windows must be a list with at least one window"),
        ({"windows": 2015}, "windows must be a list with at least one window"),
    ],
)  # fmt: skip
def test_reconcile_refuses(options, said, unsampled):
    with pytest.raises(InputError, match=said):
        budget.reconcile(FRAME, **{"rng": 1, **options})


@pytest.mark.parametrize("model", ["x", "closed", ["open"]])
def test_simulation_and_calibration_take_models_of_years_only(model, unsampled):
    for call in (lambda: budget.simulate_observations("prior", FRAME, model=model, rng=1),
                 lambda: budget.calibrate(FRAME, model=model, simulations=20, draws=19, rng=1)):  # fmt: skip
        with pytest.raises(InputError, match="key 'model': not a model of years"):
            call()


def test_simulation_and_calibration_know_two_errors(unsampled):
    for call in (lambda: budget.simulate_observations("prior", FRAME, errors="x", rng=1),
                 lambda: budget.calibrate(FRAME, errors="x", simulations=20, draws=19, rng=1)):  # fmt: skip
        with pytest.raises(InputError, match="key 'errors': unknown errors: got 'x'; allowed: shares, iid"):
            call()


def test_a_fit_that_did_not_converge_says_so():
    """Eight draws of two chains have no effective sample of 400: certain to fail."""
    options = {"draws": 8, "tune": 5, "chains": 2, "rng": 1, "sampler": "elliptical_slice"}
    with pytest.warns(ConvergenceWarning, match=r"(?s)must not be used.*\[ess_bulk\] Smallest"):
        fitted = budget.fit(FRAME, **options)
    with pytest.warns(ConvergenceWarning, match=r"\[ess_tail\]"):
        budget.reconcile(FRAME, **options)
    # Warnings are errors here.
    assert budget.fit(FRAME, check=False, **options).tree.attrs["draws"] == fitted.tree.attrs["draws"] == 8


def test_a_level_in_per_cent_is_told_apart():
    with pytest.raises(InputError, match=r"0 < level < 1; 90 % is 0\.9"):
        check_level(90)
    assert check_level(np.float32(0.5)) == 0.5
    for bad in (True, "0.9", None, 0, 1, np.nan, 0.5 + 0j, [0.9]):
        with pytest.raises(InputError, match="not the mass of an interval"):
            check_level(bad)


def test_lists_in_messages_start_with_the_nearest_and_end_after_eight():
    words = [str(year) for year in range(1959, 2024)]
    assert nearest_first("20203", words) == "2023, 1959, 1960, 1961, 1962, 1963, 1964, 1965 and 57 more"
    assert nearest_first("x", ["a", "b"]) == "a, b"


YEARS = range(2014, 2024)
TRUTH = {
    name: dict.fromkeys(YEARS, value)
    for name, value in {"fossil": 9.7, "land_use": 1.1, "ocean": 2.9, "land": 2.7}.items()
}
PATH = pd.DataFrame({"year": range(2024, 2101), "fossil": 9.0, "land_use": 1.0})
SERIES = pd.DataFrame(
    {name: np.linspace(1.0, 2.0, 65) for name in ("fossil", "land_use", "atmosphere", "ocean", "land")},
    index=range(1959, 2024),
)


def of_china(tree):
    other = tree.copy()
    other.attrs = {**tree.attrs, "geography": "china"}
    return other


def simulate(truth=TRUTH, **options):
    return budget.simulate_observations(truth, FRAME, rng=1, **options)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda t: budget.find_conflicts(t), "needs a fit, .*got 'DataTree'.*pass budget.fit"),
        (lambda t: budget.power_scale(t), "needs a fit, .*got 'DataTree'"),
        (lambda t: budget.trace_influence(t), "needs a fit, .*got 'DataTree'"),
        (lambda t: budget.find_conflicts(None), "needs a fit, .*got 'NoneType'"),
        (lambda t: budget.compare_models({"a": "x", "b": 1}), "needs a fit, .*got 'str'"),
        (lambda t: budget.compare_models([t, t]), "compared by name: got 'list'"),
        (lambda t: budget.summarise_parameters(t), "the model 'closed' has no parameters"),
        (lambda t: budget.trends(t), "'closed' has no annual flux"),
        (lambda t: budget.sink_rates(None), "values of other dimensions: got 'NoneType'"),
        (lambda t: budget.gate(t), r"no checks: got 'DataTree'.*budget\.gate\(budget\.diagnose\(tree\)\)"),
        (lambda t: budget.summarise_outlook(t), r"not an outlook: got 'DataTree'.*budget\.outlook\("),
        (lambda t: budget.outlook_result(None), "not an outlook: got 'NoneType'"),
        (lambda t: budget.outlook(t, PATH, residual=-1), "key 'residual': .*got -1; allowed: >= 0"),
        (lambda t: budget.outlook(t, PATH, draws="a", until="x"), "(?s)key 'draws'.*key 'until'"),
        (lambda t: budget.outlook(t, PATH, removal=5), "removal is given by year: got 'int'"),
        (lambda t: budget.outlook(t, 5), "no emissions: got 'int'"),
        (lambda t: budget.outlook(None, PATH), "no draws of fluxes: got 'NoneType'"),
        (lambda t: budget.outlook(of_china(t), PATH), "follows the globe's .*got 'a budget of china'"),
        (lambda t: budget.read_emissions(PATH.assign(fossil=37000.0)), r"in MtCO2\?: got '37000 in 2024'"),
        (lambda t: budget.annual_series(None), "no observations: got None"),
        (lambda t: budget.hindcast(None), "not an annual series: got 'NoneType'"),
        (lambda t: budget.hindcast(FRAME.assign(method="assessment")), r"pass budget\.annual_series"),
        (lambda t: budget.hindcast(SERIES, level=90), r"90 % is 0\.9"),
        (lambda t: budget.hindcast(SERIES, horizons=0), "key 'horizons': .*got 0"),
        (lambda t: budget.hindcast(SERIES, horizons=2.5), "key 'horizons': .*got 2.5"),
        (lambda t: budget.hindcast(SERIES, origins=1990), "origins must be a list of years: got 1990"),
        (lambda t: budget.hindcast(SERIES, origins=[]), "no origin to forecast from"),
        (lambda t: budget.true_hindcast(SERIES, None), "not an annual series"),
        (lambda t: budget.true_hindcast(SERIES, SERIES, level=2), "not the mass of an interval"),
        (lambda t: budget.score_hindcast(None), "no forecasts to score: got 'NoneType'"),
        (lambda t: budget.score_hindcast(pd.DataFrame()), "no forecasts to score"),
        (lambda t: budget.calibrate(FRAME, cores=0), "key 'cores': .*got 0"),
        (lambda t: budget.calibrate(FRAME, simulations="a"), "key 'simulations': .*got 'a'"),
        (lambda t: budget.calibrate(FRAME, years=2000), "years must be a list: got 2000"),
        (lambda t: budget.calibrate(FRAME, years=[1]), "outside the template: got 1; allowed: 2014 to 2023"),
        (lambda t: budget.calibrate(FRAME, sd_factor=0), "key 'sd_factor': .*got 0; allowed: > 0"),
        (lambda t: simulate(None), "unknown truth: got 'NoneType'"),
        (lambda t: simulate({**TRUTH, "sea": TRUTH["land"]}), "no such component: got 'sea'; allowed: fos"),
        (lambda t: simulate({**TRUTH, "land": "x"}), "the truth of land is no number by year: got 'x'"),
        (
            lambda t: simulate({**TRUTH, "land": 2.7}),
            r"no flux by year: got 2\.7.*dict\.fromkeys\(range\(2014, 2024\)",
        ),
        (lambda t: simulate(shifts={"fossil": 1}), "a shift is given by component and method: got 'fossil'"),
        (lambda t: simulate(shifts={("fossil", "assessment"): "a"}), "key 'shifts': .*got 'a'"),
        (
            lambda t: simulate(parameters={"error_scale": "a"}),
            "one number, or one for each of its entries: got 'a'",
        ),
        (lambda t: budget.reconcile_ecosystems(land=5), "needs a mean and an sd: got 5"),
        (lambda t: budget.reconcile_ecosystems(draws="a"), "key 'draws': .*got 'a'"),
        (lambda t: sinkrisk.load_observations(None), "observations are named: got None"),
        (lambda t: sinkrisk.load_observations(5), "observations are named: got 5"),
    ],
)  # fmt: skip
def test_functions_refuse_in_words(call, said, tree, unsampled):
    with pytest.raises(InputError, match=said):
        call(tree)
