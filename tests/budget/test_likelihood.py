"""The likelihood of parameters: value against plain densities, gradient against differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.panels import panel_log_likelihood
from sinkrisk.budget.structure import covariance
from sinkrisk.errors import InputError
from sinkrisk.priors import load_observations


def build_members(years=range(2000, 2013), estimates=4):
    """Assessed series of four components; the ocean by individual estimates of two methods."""
    rng = np.random.default_rng(7)
    cells = [
        (name, "assessment", "synthetic", year, value + 0.3 * rng.normal(), sd)
        for name, value, sd in (
            ("fossil", 8.0, 0.4), ("land_use", 1.4, 0.7), ("atmosphere", 4.2, 0.2), ("land", 2.8, 0.8),
        )
        for year in years
    ]  # fmt: skip
    for method in ("gobm", "fco2"):
        for k in range(estimates):
            own = 0.3 * rng.normal()
            cells += [
                ("ocean", method, f"{method} {k}", year, 2.4 + own + 0.1 * rng.normal(), np.nan)
                for year in years
            ]
    columns = ["component", "method", "estimate", "start", "value", "sd"]
    frame = pd.DataFrame(cells, columns=columns).assign(geography="global", unit="GtC/yr", kind="observed")
    # Independent of the assessment: the sources are told apart.
    source = np.where(frame["method"] == "assessment", "friedlingstein2024", "others")
    return frame.assign(end=frame["start"], source=source)


CASES = {
    "table 2": lambda: (load_observations("global"), {}),
    "open": lambda: (load_observations("global"), {"model": "open"}),
    "robust": lambda: (load_observations("global"), {"model": "robust"}),
    "iid": lambda: (load_observations("global"), {"errors": "iid"}),
    "held": lambda: (load_observations("global"), {"fixed": {"error_scale": 1.2, "error_correlation": 0.5}}),
    "panels": lambda: (build_members(), {}),
    "panels, banded": lambda: (build_members(), {"engine": "banded"}),
}


@pytest.fixture(params=CASES, ids=str)
def likelihood(request):
    table, options = CASES[request.param]()
    return prepare_likelihood(table, **options)[1]


def prior_point(likelihood, seed=1):
    return likelihood.annual.parameters.prior_draws(np.random.default_rng(seed), (1,))


def test_value_is_that_of_the_plain_densities(likelihood):
    values, annual = prior_point(likelihood), likelihood.annual
    coef, rho = annual.parameters.evaluate(values)
    k = covariance(annual.structure, coef[0], rho[0])
    expected = multivariate_normal(np.zeros(len(k)), k, allow_singular=False).logpdf(
        annual.structure.residual
    )
    for panel in annual.panels:
        label = f"{panel.component} {panel.method}"
        a, b, q = (
            values[p.name][0, p.labels.index(label)]
            for name in ("estimate_offset_scale", "estimate_error_scale", "estimate_correlation")
            for p in annual.parameters.parameters
            if p.name == name
        )
        expected += panel_log_likelihood(panel, a**2, b**2, q)
    assert likelihood(likelihood.pack(values)[0])[0] == pytest.approx(expected, rel=1e-8)


def test_gradient_is_the_slope_of_the_value(likelihood):
    point = likelihood.pack(prior_point(likelihood, 2))[0]
    _, gradient = likelihood(point)
    names = [name for stack in likelihood.stacks for name in stack.entries]
    for place, name in enumerate(names):
        step = 1e-3 * min(point[place], 1.0 - point[place] if point[place] < 1.0 else 1.0)

        def at(shift, place=place):
            return likelihood(np.where(np.arange(len(point)) == place, point + shift, point))[0]

        # Five points: the step stays large beside the rounding of the value.
        slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-4), name


def test_other_data_need_no_other_likelihood():
    _, likelihood = prepare_likelihood(load_observations("global"))
    point = likelihood.pack(prior_point(likelihood))[0]
    other = load_observations("global")
    other["value"] = other["value"] + 0.1
    _, moved = prepare_likelihood(other)
    assert moved(point)[0] == likelihood(point, moved.annual.structure.residual)[0]


def test_parameters_of_panels_cannot_be_held():
    with pytest.raises(InputError, match=r"fixed\.estimate_error_scale"):
        prepare_likelihood(build_members(), fixed={"estimate_error_scale": 0.1})
