"""Group predictive densities against brute-force conditioning and against the marginal likelihood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from sinkrisk.budget.groups import Covariances, Part, future_part, group_parts, predict_parts, restrict
from sinkrisk.budget.hierarchical import prepare_likelihood
from sinkrisk.budget.structure import covariance

DRAWS = 6


def build_members() -> pd.DataFrame:
    """Six years: three products and two models of the ocean beside assessed series of the rest."""
    rng = np.random.default_rng(11)
    rows = []
    for year in range(2010, 2016):
        for name, value, sd in (
            ("fossil", 9.5, 0.5),
            ("land_use", 1.2, 0.7),
            ("atmosphere", 5.0, 0.2),
            ("land", 3.0, 0.9),
        ):
            rows.append((name, "assessment", "GCB", year, value + 0.1 * rng.normal(), sd))
        rows += [
            ("ocean", "fco2", f"product {k}", year, 2.9 + 0.1 * k + 0.05 * rng.normal(), None)
            for k in range(3)
        ]
        rows += [
            ("ocean", "gobm", f"model {k}", year, 2.5 + 0.1 * k + 0.05 * rng.normal(), None) for k in range(2)
        ]
    frame = pd.DataFrame(rows, columns=["component", "method", "estimate", "start", "value", "sd"])
    return frame.assign(end=frame["start"], geography="global", unit="GtC/yr", kind="observed", source="made")


@pytest.fixture(params=["hierarchical", "open", "robust", "iid", "members"], scope="module")
def case(request, packaged):
    if request.param == "members":
        _, likelihood = prepare_likelihood(build_members(), series="members")
    else:
        model = "hierarchical" if request.param == "iid" else request.param
        errors = "iid" if request.param == "iid" else "shares"
        _, likelihood = prepare_likelihood(packaged("global"), model=model, errors=errors)
    values = likelihood.annual.parameters.prior_draws(np.random.default_rng(5), (DRAWS,))
    return likelihood, values


def test_covariances_equal_the_plain_definition(case):
    likelihood, values = case
    structure = likelihood.annual.structure
    coefficients, correlations = likelihood.annual.parameters.evaluate(values)
    got = Covariances(structure).at(coefficients, correlations)
    for i in range(DRAWS):
        expected = covariance(structure, coefficients[i], correlations[i])
        np.testing.assert_allclose(got[i], expected, rtol=1e-10, atol=1e-12)


def test_groups_are_all_rows_of_a_component_and_method(case):
    likelihood, _ = case
    annual = likelihood.annual
    parts = group_parts(annual)
    assert sorted(np.concatenate([p.target for p in parts])) == list(range(len(annual.observations)))
    for part in parts:
        rows = annual.observations.iloc[part.target]
        assert {f"{c} {m}" for c, m in zip(rows["component"], rows["method"], strict=True)} == {part.name}
        assert not set(part.target) & set(part.given)
        assert len(part.target) + len(part.given) == len(annual.observations)
    assert sorted(i for p in parts for i in p.panels) == list(range(len(annual.panels)))


def test_prediction_equals_brute_force_conditioning(case):
    likelihood, values = case
    structure = likelihood.annual.structure
    coefficients, correlations = likelihood.annual.parameters.evaluate(values)
    parts = group_parts(likelihood.annual)
    predictions = predict_parts(likelihood.annual, parts, values)
    for part, prediction in zip(parts, predictions, strict=True):
        t, g = part.target, part.given
        for i in range(DRAWS):
            k = covariance(structure, coefficients[i], correlations[i])
            gain = k[np.ix_(t, g)] @ np.linalg.inv(k[np.ix_(g, g)])
            mean = structure.offset[t] + gain @ structure.residual[g]
            spread = k[np.ix_(t, t)] - gain @ k[np.ix_(g, t)]
            np.testing.assert_allclose(prediction.mean[i], mean, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(prediction.covariance[i], spread, rtol=1e-5, atol=1e-6)
            if not part.panels:
                density = multivariate_normal(mean, spread, allow_singular=True).logpdf(structure.y[t])
                assert prediction.log_density[i] == pytest.approx(density, abs=1e-4)
        np.testing.assert_allclose(prediction.left_out, prediction.log_density, rtol=1e-12)


def test_density_is_the_joint_likelihood_less_that_of_the_rest(case):
    # The engines compute both terms: an oracle that shares no code with the conditioning, and it checks
    # `restrict` and the contrasts at the same time.
    likelihood, values = case
    packed = likelihood.pack(values)
    for part in group_parts(likelihood.annual):
        prediction = predict_parts(likelihood.annual, (part,), values)[0]
        rest = restrict(likelihood, part)
        for i in range(DRAWS):
            expected = likelihood(packed[i])[0] - rest(packed[i])[0]
            assert prediction.log_density[i] == pytest.approx(expected, abs=1e-5)


def test_sequential_groups_sum_to_the_joint_likelihood(case):
    likelihood, values = case
    annual = likelihood.annual
    total, before = np.zeros(DRAWS), np.zeros(0, dtype=int)
    for part in group_parts(annual):
        step = Part(part.name, part.target, before, panels=part.panels)
        total += predict_parts(annual, (step,), values)[0].log_density
        before = np.concatenate([before, part.target])
    expected = [likelihood(row)[0] for row in likelihood.pack(values)]
    np.testing.assert_allclose(total, expected, atol=1e-5)


def test_blocks_change_nothing(case, monkeypatch):
    likelihood, values = case
    parts = group_parts(likelihood.annual)
    whole = predict_parts(likelihood.annual, parts, values)
    monkeypatch.setattr("sinkrisk.budget.groups.BLOCK_BYTES", 1.0)
    split = predict_parts(likelihood.annual, parts, values)
    for a, b in zip(whole, split, strict=True):
        np.testing.assert_allclose(a.log_density, b.log_density, rtol=1e-10)
        np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-10)


def test_the_future_is_predicted_from_windows_that_are_over(table_2):
    _, likelihood = prepare_likelihood(table_2)
    rows = likelihood.annual.observations
    part = future_part(likelihood.annual, 2023)
    assert set(rows.loc[part.target, "window"]) == {"2024"}
    assert len(part.given) == 35
    early = future_part(likelihood.annual, 2015)
    assert set(rows.loc[early.target, "window"]) == {"2023", "2024"}
    # 2014-2023 is under way in 2015: neither given nor predicted, but the weights know it is left out.
    assert len(early.given) == 25
    values = likelihood.annual.parameters.prior_draws(np.random.default_rng(5), (DRAWS,))
    prediction = predict_parts(likelihood.annual, (early,), values)[0]
    packed = likelihood.pack(values)
    rest = restrict(likelihood, early)
    for i in range(DRAWS):
        expected = likelihood(packed[i])[0] - rest(packed[i])[0]
        assert prediction.left_out[i] == pytest.approx(expected, abs=1e-5)
        assert prediction.mean.shape == (DRAWS, 10)
    alone = restrict(likelihood, Part("", part.target, np.union1d(early.given, early.target)))
    for i in range(DRAWS):
        expected = alone(packed[i])[0] - rest(packed[i])[0]
        assert prediction.log_density[i] == pytest.approx(expected, abs=1e-5)


def test_other_data_enter_through_the_residual(table_2):
    _, likelihood = prepare_likelihood(table_2)
    annual = likelihood.annual
    values = annual.parameters.prior_draws(np.random.default_rng(5), (DRAWS,))
    part = group_parts(annual)[0]
    moved = annual.structure.residual.copy()
    moved[part.target] += 1.0
    base, other = (predict_parts(annual, (part,), values, r)[0] for r in (annual.structure.residual, moved))
    # What is predicted does not depend on the part itself; its density does.
    np.testing.assert_allclose(base.mean, other.mean)
    assert (base.log_density > other.log_density).all()
