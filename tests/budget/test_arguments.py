"""Arguments of the budget's functions: refused in words, alike everywhere, before any work."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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
