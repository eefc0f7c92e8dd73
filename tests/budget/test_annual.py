"""The annual model: what models.md asks of errors on years, by exact conditioning at fixed parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk import budget
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.identity import SIGNS
from sinkrisk.budget.influence import _with_fluxes
from sinkrisk.budget.structure import covariance, design, kernel
from sinkrisk.errors import InputError
from sinkrisk.priors import load_observations

VALUES = {"fossil": 9.0, "land_use": 1.2, "atmosphere": 4.8, "ocean": 2.6, "land": 2.9}
SDS = {"fossil": 0.45, "land_use": 0.7, "atmosphere": 0.2, "ocean": 0.4, "land": 0.9}
YEARS = range(2010, 2020)


def build_years(years=YEARS, components=tuple(VALUES)):
    rng = np.random.default_rng(1)
    cells = [
        (name, "assessment", "assessed", year, year, VALUES[name] + 0.3 * rng.normal(), SDS[name])
        for name in components
        for year in years
    ]
    frame = pd.DataFrame(cells, columns=["component", "method", "estimate", "start", "end", "value", "sd"])
    return frame.assign(geography="global", unit="GtC/yr", kind="observed", source="friedlingstein2024")


def with_decade(frame):
    means = frame.groupby(["component", "method", "estimate"], as_index=False, sort=False)["value"].mean()
    sd = means["component"].map(SDS)
    means = means.assign(start=YEARS[0], end=YEARS[-1], sd=sd, geography="global", unit="GtC/yr")
    return pd.concat([frame, means.assign(kind="observed", source="friedlingstein2024")], ignore_index=True)


def middle(likelihood):
    """Coefficients and correlations at the prior medians."""
    parameters = likelihood.annual.parameters
    coef, rho = parameters.evaluate(parameters.at(np.zeros((1, parameters.size))))
    return coef[0], rho[0]


def flux_moments(likelihood, component, coef=None, rho=None):
    """Exact mean and covariance of a component's fluxes by year at given parameters."""
    structure = likelihood.annual.structure
    if coef is None:
        coef, rho = middle(likelihood)
    years = len(structure.years)
    cross, prior = np.zeros((years, len(structure.y))), np.zeros((years, years))
    for i, process in enumerate(structure.processes):
        if process.role == "flux" and process.component == component:
            c = coef[process.coefficient] * kernel(process, years, rho)
            on_years = process.profile[:, None] if process.kind == "constant" else np.diag(process.profile)
            cross += on_years @ c @ design(structure, i).T
            prior += on_years @ c @ on_years.T
    gain = np.linalg.solve(covariance(structure, coef, rho), cross.T).T
    return gain @ structure.residual, prior - gain @ cross.T


def test_the_decade_beside_its_years_changes_nothing():
    _, years = prepare_likelihood(build_years())
    _, both = prepare_likelihood(with_decade(build_years()))
    assert len(both.annual.structure.y) == len(years.annual.structure.y) + 5
    for name in ("fossil", "land_use", "ocean", "land"):
        (mean, cov), (other_mean, other_cov) = flux_moments(years, name), flux_moments(both, name)
        # The noise of printing is 0.001: the decade says no more than that.
        np.testing.assert_allclose(other_mean, mean, atol=1e-3)
        np.testing.assert_allclose(np.sqrt(np.diag(other_cov)), np.sqrt(np.diag(cov)), rtol=1e-3)
    # Nor does it say anything of the parameters: the likelihoods differ by a constant.
    parameters = years.annual.parameters
    points = years.pack(parameters.prior_draws(np.random.default_rng(2), (20,)))
    differences = [both(point)[0] - years(point)[0] for point in points]
    assert np.ptp(differences) < 0.05


def test_a_decade_with_a_sd_per_window_would_be_counted_twice():
    # The check above can fail: a second, independent statement of the same value narrows the ocean.
    twice = with_decade(build_years())
    twice.loc[twice["start"] != twice["end"], "method"] = "inventory"
    _, years = prepare_likelihood(build_years())
    _, both = prepare_likelihood(twice)
    ratio = np.diag(flux_moments(both, "ocean")[1]) / np.diag(flux_moments(years, "ocean")[1])
    assert ratio.max() < 0.9


def build_ocean_estimates(count):
    """The ocean by `count` estimates of one method over 24 years, the rest assessed."""
    years = range(1990, 2014)
    rng = np.random.default_rng(count)
    frame = build_years(years, tuple(c for c in VALUES if c != "ocean"))
    cells = [
        ("ocean", "gobm", f"model {k:03d}", y, y, 2.6 + offset + 0.1 * rng.normal())
        for k, offset in enumerate(0.3 * rng.normal(size=count))
        for y in years
    ]
    members = pd.DataFrame(cells, columns=["component", "method", "estimate", "start", "end", "value"])
    members = members.assign(sd=np.nan, geography="global", unit="GtC/yr", kind="observed", source="others")
    return pd.concat([frame, members], ignore_index=True)


def test_more_estimates_of_one_method_never_pass_its_floor():
    def window_sd(count, share_of_own=1.0):
        _, likelihood = prepare_likelihood(build_ocean_estimates(count))
        coef, rho = middle(likelihood)
        own = [name.startswith("estimate ") for name in likelihood.annual.structure.coefficients]
        coef = np.where(own, coef * share_of_own, coef)
        return float(np.sqrt(flux_moments(likelihood, "ocean", coef, rho)[1].mean()))

    # n -> infinity at the same parameters: the mean of the estimates loses their own errors (all but
    # 1e-9 of their variance) and keeps what they share.
    floor = window_sd(2, 1e-9)
    sds = [window_sd(n) for n in (2, 10, 100)]
    assert sds[0] > sds[1] > sds[2] >= floor
    assert sds[2] <= 1.05 * floor
    # The same floor by hand, were nothing else known: the shared bias, which no estimate can tell.
    _, likelihood = prepare_likelihood(build_ocean_estimates(2))
    coef, _ = middle(likelihood)
    bias = coef[likelihood.annual.structure.coefficients.index("method ocean gobm bias")]
    assert 0.5 * np.sqrt(bias) < floor < 1.5 * np.sqrt(bias)


def test_the_atmosphere_is_never_free_and_sees_every_flux():
    annual = prepare_likelihood(load_observations("global"))[1].annual
    structure = annual.structure
    assert "atmosphere" not in {p.component for p in structure.processes if p.role == "flux"}
    row = int(np.flatnonzero(annual.observations["component"] == "atmosphere")[0])
    for i, process in enumerate(structure.processes):
        if process.role == "flux":
            assert structure.loading[row, i] == SIGNS[process.component]


def test_land_net_of_land_use_does_not_count_the_sink_twice():
    annual = prepare_likelihood(budget.china_observations())[1].annual
    net = np.flatnonzero(annual.observations["net_of"] == "land_use")
    assert len(net)
    for i, process in enumerate(annual.structure.processes):
        if process.role == "flux" and process.component in ("land", "land_use"):
            expected = 1.0 if process.component == "land" else -1.0
            assert (annual.structure.loading[net, i] == expected).all()


def test_iid_errors_are_white_and_know_no_shares():
    annual = prepare_likelihood(load_observations("global"), errors="iid")[1].annual
    assert {p.kind for p in annual.structure.processes if p.role == "error"} == {"white", "endpoint"}
    assert "share_bias" not in {p.name for p in annual.parameters.parameters}


def test_the_drift_prior_is_wide_enough():
    annual = prepare_likelihood(load_observations("global"))[1].annual
    coef, _ = middle(prepare_likelihood(load_observations("global"))[1])
    slopes = {p.coefficient for p in annual.structure.processes if p.name.endswith("slope")}
    assert min(np.sqrt(coef[list(slopes)])) >= 0.3


def build_both():
    frame = build_ocean_estimates(3)
    ocean = build_years(range(1990, 2014), ("ocean",))
    return pd.concat([frame, ocean], ignore_index=True).assign(source="friedlingstein2024")


def with_statement(value, sd):
    """Table 2 with a second statement on the ocean of 2014-2023."""
    table = load_observations("global")
    row = table[(table["component"] == "ocean") & (table["start"] == 2014)]
    row = row.assign(estimate="text", value=value, sd=sd)
    both = pd.concat([table, row], ignore_index=True)
    both.attrs = table.attrs
    return both


def gains(likelihood, draws=40):
    """d flux of a row's own window / d row over prior draws of the parameters, shape (draw, row)."""
    structure, rows = likelihood.annual.structure, likelihood.annual.observations
    cells = list(zip(rows["component"], rows["start"].astype(int), rows["end"].astype(int), strict=True))
    whole = _with_fluxes(structure, cells)
    parameters, n = likelihood.annual.parameters, len(structure.y)
    coef, rho = parameters.evaluate(parameters.prior_draws(np.random.default_rng(3), (draws,)))
    out = np.empty((draws, n))
    for i in range(draws):
        k = covariance(whole, coef[i], rho[i])
        out[i] = np.diag(np.linalg.solve(k[:n, :n], k[:n, n:]))
    return out


@pytest.mark.parametrize("sd", [0.3, 0.41, 0.5, 0.8])
def test_a_less_precise_statement_pulls_its_flux_the_right_way(sd):
    # Peelle's puzzle: with one bias in proportion to each row's sd a statement of 0.8 beside 0.4 pulled
    # the wrong way in 98 of 100 draws, by .43 of its own change on average.
    _, likelihood = prepare_likelihood(with_statement(2.5, sd))
    found = gains(likelihood)
    text = np.flatnonzero(likelihood.annual.observations["estimate"] == "text")
    assert (found[:, text] > 0.0).all()
    # Every other row too, on average. In single draws the autocorrelated parts of neighbouring windows
    # of different sd still cancel a little (the projection of 2024: at most .07).
    assert (found.mean(axis=0) >= 0.0).all()
    assert found.min() > -0.15


def test_a_lower_statement_never_raises_the_ocean():
    # The attack's numbers: 2.89 alone, and 3.23, 3.03, 2.82 beside 2.1, 2.5, 2.9 +- 0.8.
    means = []
    for value in (2.1, 2.5, 2.9):
        _, likelihood = prepare_likelihood(with_statement(value, 0.8))
        means.append(flux_moments(likelihood, "ocean")[0][-11:-1].mean())
    _, alone = prepare_likelihood(load_observations("global"))
    middle_value = flux_moments(alone, "ocean")[0][-11:-1].mean()
    assert means[0] < means[1] < means[2]
    assert means[0] <= middle_value + 1e-3
    assert means[2] >= middle_value - 0.05


def test_no_two_biases_share_more_than_the_smaller_holds():
    for table in (with_statement(2.5, 0.8), budget.ocean_observations()):
        _, likelihood = prepare_likelihood(table)
        structure, rows = likelihood.annual.structure, likelihood.annual.observations
        coef, _ = middle(likelihood)
        for component in ("ocean", "land", "land_use"):
            k = np.zeros((len(rows), len(rows)))
            for i, process in enumerate(structure.processes):
                if process.role == "error" and process.kind == "constant" and process.component == component:
                    matrix = design(structure, i)
                    k += coef[process.coefficient] * matrix @ matrix.T
            smaller = np.minimum.outer(np.diag(k), np.diag(k))
            # Within one layer, a quarter wide in sd, a little more.
            assert (k <= 1.25 * smaller + 1e-12).all()


def test_estimates_beside_their_assessment_are_no_new_evidence():
    prepared, likelihood = prepare_likelihood(budget.ocean_observations())
    assert any("share the bias of the assessed series" in note for note in prepared.notes)
    coef, rho = middle(likelihood)

    def ocean_sd(coef):
        covariance_of_years = flux_moments(likelihood, "ocean", coef, rho)[1]
        return float(np.sqrt(covariance_of_years[-11:-1, -11:-1].mean()))

    # The floor: models, products and assessment all without an error of their own, so that only their
    # bias is left (and the inversion, which is another method).
    names = likelihood.annual.structure.coefficients
    own = [
        name.startswith("error ocean") and name.split()[-1] in ("ar", "white") and "inversion" not in name
        for name in names
    ]
    assert sum(own) == 6
    floor = ocean_sd(np.where(own, coef * 1e-9, coef))
    assert ocean_sd(coef) >= floor
    # And without models and products the ocean is known as well, to a few per cent.
    view = budget.ocean_observations()
    without = view[~((view["component"] == "ocean") & view["method"].isin(["gobm", "fco2"]))]
    without.attrs = view.attrs
    _, fewer = prepare_likelihood(without)
    own_coef, own_rho = middle(fewer)
    sd = float(np.sqrt(flux_moments(fewer, "ocean", own_coef, own_rho)[1][-11:-1, -11:-1].mean()))
    assert ocean_sd(coef) >= 0.95 * sd


def test_elsewhere_an_assessment_is_not_made_of_the_others():
    annual = prepare_likelihood(budget.china_observations())[1].annual
    biases = [p.name for p in annual.structure.processes if p.component == "ocean" and "bias" in p.name]
    assert biases == ["error ocean assessment bias", "error ocean fco2 bias"]


BAD = {
    "assessed beside its members": (build_both, "same evidence twice"),
    "two components unobserved": (
        lambda: build_years(components=("fossil", "land_use", "atmosphere")),
        "closure cannot tell them apart",
    ),
    "one observation only": (lambda: build_years().iloc[[0]], "closure cannot tell them apart"),
    "zero sd": (lambda: build_years().assign(sd=0.0), "sd"),
    "infinite sd": (lambda: build_years().assign(sd=np.inf), "sd"),
    "a window outside the years": (lambda: build_years().assign(start=1066), "outside the years"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("model", ["hierarchical", "open", "robust"])
def test_errors_come_before_sampling(case, model, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("sampled before the table was checked")

    monkeypatch.setattr("sinkrisk.budget.hierarchical.sample_parameters", never)
    build, message = BAD[case]
    with pytest.raises(InputError, match=message):
        budget.reconcile(build(), model=model, rng=1)
