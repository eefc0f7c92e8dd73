"""`reconcile` on the review's tables: the oracle of the models' document and the identities."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings, strategies as st

from sinkrisk import budget
from sinkrisk.errors import InputError

solve_closed = partial(budget.reconcile, model="closed")

NAMES = ["fossil", "land_use", "atmosphere", "ocean", "land"]

# The closed oracle on Table 2: means and sds, computed outside this code base (models.md 1.3).
ORACLE = {
    "1960-1969": ([2.9788, 1.3407, 1.7026, 1.2847, 1.3323], [0.1957, 0.4857, 0.0698, 0.3646, 0.4288]),
    "1990-1999": ([6.3763, 1.4711, 3.1105, 2.1421, 2.5947], [0.2879, 0.5286, 0.1965, 0.3709, 0.4963]),
    "2014-2023": ([9.7714, 1.2400, 5.1886, 2.8543, 2.9686], [0.4629, 0.5940, 0.1977, 0.3813, 0.6596]),
    "2024": ([10.2654, 1.3282, 6.0765, 2.9058, 2.6113], [0.4815, 0.6482, 0.2960, 0.5677, 0.8822]),
}


def lagrange(values, sds):
    """Closed form by hand: each component moves by its variance times the multiplier."""
    signs = {"fossil": 1, "land_use": 1, "atmosphere": -1, "ocean": -1, "land": -1}
    misfit = sum(signs[n] * values[n] for n in values)
    total = sum(sds[n] ** 2 for n in values)
    multiplier = misfit / total
    mean = {n: values[n] - signs[n] * sds[n] ** 2 * multiplier for n in values}
    sd = {n: sds[n] * (1 - sds[n] ** 2 / total) ** 0.5 for n in values}
    return mean, sd


@pytest.mark.parametrize("source", ["typed", "packaged"])
@pytest.mark.parametrize("window", ORACLE)
def test_oracle_of_table_2(source, window, table_2, packaged):
    frame = table_2 if source == "typed" else packaged("global")
    exact = solve_closed(frame, draws=1, rng=0)["exact"].sel(window=window, component=NAMES)
    sd = np.sqrt(np.diagonal(exact["covariance"].sel(component_other=NAMES).values))
    # 5e-5: half a unit of the oracle's last digit (1e-12 for ties on it).
    np.testing.assert_allclose(exact["mean"].values, ORACLE[window][0], rtol=0, atol=5e-5 + 1e-12)
    np.testing.assert_allclose(sd, ORACLE[window][1], rtol=0, atol=5e-5 + 1e-12)


@pytest.mark.parametrize("name", ["global", "china"])
def test_every_window_equals_the_lagrange_solution(name, packaged):
    frame = packaged(name)
    exact = solve_closed(frame, draws=1, rng=0, attribution="include")["exact"]
    for (start, end), rows in frame[frame["component"].isin(NAMES)].groupby(["start", "end"]):
        rows = rows.set_index("component")
        mean, sd = lagrange(rows["value"].to_dict(), rows["sd"].to_dict())
        got = exact.sel(window=budget.window_label(start, end))
        for component in NAMES:
            at = {"component": component}
            assert float(got["mean"].sel(at)) == pytest.approx(mean[component], abs=1e-12)
            variance = float(got["covariance"].sel({**at, "component_other": component}))
            assert variance == pytest.approx(sd[component] ** 2, abs=1e-12)


def test_table_3_with_declared_sds(packaged):
    """The 2010s by hand: misfit 2.69 - .18 - 1.10 - .58 - .78 = .05 over the summed variances."""
    tree = solve_closed(packaged("china"), attribution="include", draws=1, rng=0)
    total = 0.2152**2 + 0.05**2 + 0.33**2 + 0.174**2 + 0.234**2
    got = tree["exact"]["mean"].sel(window="2010-2019")
    assert float(got.sel(component="land")) == pytest.approx(0.78 + 0.05 * 0.234**2 / total, abs=1e-12)
    assert float(got.sel(component="fossil")) == pytest.approx(2.69 - 0.05 * 0.2152**2 / total, abs=1e-12)
    shares = {row["component"]: row["share"] for row in json.loads(tree.attrs["constant_shares"])}
    assert {name: round(share, 2) for name, share in shares.items()} == {
        "atmosphere": 0.44,
        "ocean": 0.23,
        "land": 0.31,
    }
    np.testing.assert_allclose(
        tree["constant_data"]["constant_share"].sel(component=NAMES).values,
        [np.nan, np.nan, shares["atmosphere"], shares["ocean"], shares["land"]],
    )


def test_draws_match_the_exact_moments(tree):
    flux = tree["posterior"]["window_flux"].stack(sample=("chain", "draw"))
    n = flux.sizes["sample"]
    exact = tree["exact"]
    sd = np.sqrt(
        xr.DataArray(
            np.diagonal(exact["covariance"].values, axis1=1, axis2=2).T,
            dims=("component", "window"),
        )
    ).values
    # 5 standard errors, 40 means and 40 sds: false-alarm rate below 5e-5 in all.
    assert (np.abs(flux.mean("sample").values - exact["mean"].values) < 5 * sd / np.sqrt(n)).all()
    assert (np.abs(flux.std("sample").values - sd) < 5 * sd / np.sqrt(2 * n)).all()


def test_closure_and_imbalance_hold_in_every_draw(tree):
    posterior, given = tree["posterior"], tree["constant_data"]
    closure = (posterior["window_flux"] * given["sign"]).sum("component")
    assert float(abs(closure).max()) < 1e-9
    reported = (given["stated"] * given["sign"]).sum("component")
    assert float(abs(posterior["imbalance"] - reported).max()) < 1e-9
    assert float(reported.sel(window="2014-2023")) == pytest.approx(9.7 + 1.1 - 5.2 - 2.9 - 3.2)


@given(
    st.lists(st.floats(-20, 20), min_size=5, max_size=5),
    st.lists(st.floats(1e-3, 30), min_size=5, max_size=5),
    st.permutations(range(5)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::sinkrisk.errors.ImbalanceWarning")
def test_closure_whatever_the_numbers_and_the_order_of_rows(values, sds, order):
    frame = pd.DataFrame({"component": NAMES, "value": values, "sd": sds})
    frame = frame.iloc[list(order)].assign(start=2000, end=2009, unit="GtC/yr")
    tree = solve_closed(frame, draws=20, chains=2, rng=3)
    posterior = tree["posterior"]
    closure = (posterior["window_flux"] * tree["constant_data"]["sign"]).sum("component")
    assert float(abs(closure).max()) < 1e-9
    signs = np.array([1, 1, -1, -1, -1])
    assert float(posterior["imbalance"].std()) < 1e-9
    assert float(posterior["imbalance"][0, 0, 0]) == pytest.approx(float(signs @ values), abs=1e-9)


def test_units_only_change_the_numbers_of_the_input(table_2):
    small = table_2.assign(value=table_2["value"] * 1000, sd=table_2["sd"] * 1000, unit="MtC/yr")
    oxide = table_2.assign(value=table_2["value"] * 44 / 12, sd=table_2["sd"] * 44 / 12, unit="GtCO2/yr")
    one, *others = (solve_closed(frame, rng=2, draws=10) for frame in (table_2, small, oxide))
    for other in others:
        xr.testing.assert_allclose(one["exact"].to_dataset(), other["exact"].to_dataset(), rtol=1e-12)
        xr.testing.assert_allclose(one["posterior"].to_dataset(), other["posterior"].to_dataset(), atol=1e-12)


def test_two_estimates_equal_one_with_pooled_precision(table_2):
    ocean = (table_2["component"] == "ocean") & (table_2["start"] == 2014)
    second = table_2[ocean].assign(estimate="other product", value=2.5, sd=0.8)
    both = solve_closed(pd.concat([table_2, second], ignore_index=True), draws=1, rng=0)
    weight = np.array([1 / 0.4**2, 1 / 0.8**2])
    pooled = table_2.copy()
    pooled.loc[ocean, "value"] = (weight @ [2.9, 2.5]) / weight.sum()
    pooled.loc[ocean, "sd"] = weight.sum() ** -0.5
    xr.testing.assert_allclose(
        both["exact"].to_dataset(), solve_closed(pooled, draws=1, rng=0)["exact"].to_dataset()
    )
    assert both["observed_data"].sizes["observation"] == 41


def test_a_literal_repetition_counts_once(table_2):
    twice = pd.concat([table_2, table_2[table_2["component"] == "land"]], ignore_index=True)
    tree = solve_closed(twice, draws=1, rng=0)
    xr.testing.assert_equal(
        tree["exact"].to_dataset(), solve_closed(table_2, draws=1, rng=0)["exact"].to_dataset()
    )
    repeated = [row for row in json.loads(tree.attrs["excluded"]) if row["reason"].startswith("repeats row")]
    assert [row["row"] for row in repeated] == list(range(57, 65))
    assert repeated[0]["reason"] == "repeats row 5; counted once"


def test_derived_columns_never_enter(table_2):
    absurd = table_2.copy()
    absurd.loc[absurd["component"].isin(["total_emissions", "imbalance"]), "value"] = 1e6
    plain = table_2[table_2["component"].isin(NAMES)].reset_index(drop=True)
    for one in (absurd, plain):
        xr.testing.assert_equal(
            solve_closed(one, draws=5, rng=4)["posterior"].to_dataset(),
            solve_closed(table_2, draws=5, rng=4)["posterior"].to_dataset(),
        )


def test_one_missing_component_is_determined_by_closure(table_2):
    without = table_2[~((table_2["component"] == "land") & (table_2["start"] == 2023))]
    tree = solve_closed(without, rng=1, draws=500)
    exact = tree["exact"].sel(window="2023")
    # By hand: 10.1 + 1.0 - 5.9 - 2.9 = 2.3, variance .25 + .49 + .04 + .16 = .94.
    assert float(exact["mean"].sel(component="land")) == pytest.approx(2.3)
    assert float(exact["covariance"].sel(component="land", component_other="land")) == pytest.approx(0.94)
    assert float(exact["mean"].sel(component="fossil")) == pytest.approx(10.1)
    assert bool(tree["posterior"]["imbalance"].sel(window="2023").isnull().all())
    assert bool(tree["posterior"]["imbalance"].sel(window="1960-1969").notnull().all())
    assert any("determined by closure alone" in note for note in json.loads(tree.attrs["notes"]))


def test_a_missing_atmosphere_is_the_residual(table_2):
    tree = solve_closed(table_2[table_2["component"] != "atmosphere"], rng=1, draws=10)
    got = float(tree["exact"]["mean"].sel(component="atmosphere", window="2014-2023"))
    assert got == pytest.approx(9.7 + 1.1 - 2.9 - 3.2)


def test_cement_joins_only_where_it_is_observed(table_2):
    cement = table_2.iloc[[0]].assign(component="cement", start=2014, end=2023, value=0.2, sd=0.05)
    tree = solve_closed(pd.concat([table_2, cement], ignore_index=True), rng=1, draws=50)
    flux = tree["posterior"]["window_flux"]
    assert bool(flux.sel(component="cement", window="2023").isnull().all())
    here = flux.sel(window="2014-2023")
    closure = here.sel(component=["fossil", "land_use"]).sum("component") - here.sel(
        component=["atmosphere", "ocean", "land", "cement"]
    ).sum("component")
    assert float(abs(closure).max()) < 1e-9
    # Misfit is now -.7 over 1.75 + .0025.
    want = 0.2 - 0.7 * 0.0025 / 1.7525
    assert float(tree["exact"]["mean"].sel(component="cement", window="2014-2023")) == pytest.approx(want)
    plain = solve_closed(table_2, rng=1, draws=1)
    assert float(tree["exact"]["mean"].sel(component="land", window="2023")) == pytest.approx(
        float(plain["exact"]["mean"].sel(component="land", window="2023"))
    )
    assert not any(check.passed is False for check in budget.diagnose(tree, ess_min=50, rhat_max=1.2))
    assert "cement" not in set(budget.summarise_budget(tree).query("window == '2023'")["component"])


def test_windows_are_selected(table_2):
    tree = solve_closed(table_2, windows=["1960s", [2014, 2023], 2024], rng=1, draws=5)
    assert list(tree["posterior"]["window"].values) == ["1960-1969", "2014-2023", "2024"]
    reasons = {row["reason"] for row in json.loads(tree.attrs["excluded"])}
    assert "window not selected" in reasons


def test_same_seed_same_draws_and_another_seed_others(table_2):
    one, two, other = (solve_closed(table_2, rng=seed, draws=20) for seed in (7, 7, 8))
    xr.testing.assert_equal(one["posterior"].to_dataset(), two["posterior"].to_dataset())
    assert not one["posterior"]["window_flux"].equals(other["posterior"]["window_flux"])
    assert one.attrs["seed"] == "7"
    generator = solve_closed(table_2, rng=np.random.default_rng(7), draws=20)
    xr.testing.assert_equal(one["posterior"].to_dataset(), generator["posterior"].to_dataset())


def test_predictive_and_log_likelihood(tree):
    from scipy import stats

    given, flux = tree["constant_data"], tree["posterior"]["window_flux"]
    value, sd = tree["observed_data"]["value"], given["sd"]
    component = value["observation_component"].values
    window = value["observation_window"].values
    place = int(np.flatnonzero((component == "land") & (window == "2024"))[0])
    x = flux.sel(component="land", window="2024").values
    want = stats.norm.logpdf(3.2, x, 1.5)
    np.testing.assert_allclose(tree["log_likelihood"]["value"][..., place].values, want, rtol=1e-12)
    residual = (tree["posterior_predictive"]["value"][..., place].values - x) / float(sd[place])
    # 20,000 standard normals: 5 standard errors, false-alarm rate below 1e-6.
    assert abs(residual.mean()) < 5 / np.sqrt(residual.size)
    assert abs(residual.std() - 1) < 5 / np.sqrt(2 * residual.size)
    kinds = set(value["observation_kind"].values[window == "2024"])
    assert kinds == {"projection"}


def test_the_tree_survives_netcdf(tmp_path, table_2):
    tree = solve_closed(table_2, rng=1, draws=10)
    path = tmp_path / "budget.nc"
    tree.to_netcdf(path)
    with xr.open_datatree(path) as back:
        back.load()
        for name in ("posterior", "exact", "constant_data", "observed_data"):
            xr.testing.assert_equal(back[name].to_dataset(), tree[name].to_dataset())
        assert back.attrs["excluded"] == tree.attrs["excluded"]
        pd.testing.assert_frame_equal(budget.summarise_budget(back), budget.summarise_budget(tree))


def test_an_annual_flux_is_refused_with_the_reason(tree):
    with pytest.raises(InputError, match=r"'closed' has no annual flux.*knows no years inside it"):
        budget.get_flux(tree)
    with pytest.raises(InputError, match="not a reconciled budget: got 'dict'"):
        budget.get_flux({})


def test_arguments_are_checked_together(table_2):
    with pytest.raises(InputError) as caught:
        budget.reconcile(table_2, model="close", draws=0, chains=True, tune=-1)
    message = str(caught.value)
    assert (
        "unknown budget model: got 'close'; allowed: hierarchical, open, robust, closed; did you mean "
        "'closed'?" in message
    )
    assert len(caught.value.problems) == 4


def test_a_negative_seed_is_bad_input(table_2):
    with pytest.raises(InputError, match="key 'seed': the seed must not be negative: got -1; allowed: >= 0"):
        solve_closed(table_2, rng=-1)
