"""The imbalance explained is an identity."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

from sinkrisk import budget
from sinkrisk.budget.attribution import draw_adjustments, missing_and_biases, source_pulls
from sinkrisk.budget.hierarchical import fit_annual
from sinkrisk.budget.identity import REQUIRED
from sinkrisk.budget.statements import china_observations
from sinkrisk.errors import InputError

solve_closed = partial(budget.reconcile, model="closed")


def test_adjustments_sum_to_the_reported_imbalance(tree):
    table = budget.attribute_imbalance(tree)
    for _, rows in table.groupby("window"):
        assert rows["adjustment_mean"].sum() == pytest.approx(rows["reported_imbalance"].iloc[0], abs=1e-9)
        assert rows["variance_share"].sum() == pytest.approx(1.0)


def test_figures_of_2014_2023_by_hand(tree):
    rows = budget.attribute_imbalance(tree).query("window == '2014-2023'").set_index("component")
    bare = xr.DataTree.from_dict({k: v for k, v in tree.to_dict().items() if not k.startswith("/exact")})
    from_draws = budget.attribute_imbalance(bare).query("window == '2014-2023'").set_index("component")
    variances = {"fossil": 0.25, "land_use": 0.49, "atmosphere": 0.04, "ocean": 0.16, "land": 0.81}
    assert rows["reported_imbalance"].iloc[0] == pytest.approx(-0.5)
    assert rows["imbalance_sd"].iloc[0] == pytest.approx(1.75**0.5)
    assert rows["printed_imbalance"].iloc[0] == -0.4
    assert rows["rounding_difference"].iloc[0] == pytest.approx(0.1)
    for component, variance in variances.items():
        row = rows.loc[component]
        assert row["variance_share"] == pytest.approx(variance / 1.75)
        assert row["adjustment_mean"] == pytest.approx(-0.5 * variance / 1.75)
        assert row["adjustment_share"] == pytest.approx(row["variance_share"])
        sd = np.sqrt(variance * (1 - variance / 1.75))
        z = 1.6448536269514722
        assert row["adjustment_low"] == pytest.approx(-0.5 * variance / 1.75 - z * sd)
        assert row["adjustment_high"] == pytest.approx(-0.5 * variance / 1.75 + z * sd)
        # From 20,000 draws: 5 standard errors of the mean and of a 5 % quantile (density .103 there).
        row = from_draws.loc[component]
        assert row["adjustment_mean"] == pytest.approx(-0.5 * variance / 1.75, abs=5 * sd / np.sqrt(20_000))
        error = 5 * sd * np.sqrt(0.05 * 0.95 / 20_000) / 0.1031
        assert row["adjustment_low"] == pytest.approx(-0.5 * variance / 1.75 - z * sd, abs=error)
        assert row["adjustment_high"] == pytest.approx(-0.5 * variance / 1.75 + z * sd, abs=error)
    assert set(rows["interval_kind"]) == {"equal-tailed"}
    assert set(rows["interval_mass"]) == {0.9}


@given(st.lists(st.floats(0.01, 5), min_size=5, max_size=5), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore::sinkrisk.errors.ImbalanceWarning")
def test_identity_for_any_sds(sds, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"component": REQUIRED, "value": rng.normal(3, 2, 5), "sd": sds})
    frame = frame.assign(start=2000, end=2009, unit="GtC/yr")
    table = budget.attribute_imbalance(solve_closed(frame, draws=10, chains=2, rng=seed))
    want = frame["value"] @ [1, 1, -1, -1, -1]
    assert table["adjustment_mean"].sum() == pytest.approx(want, abs=1e-9)
    np.testing.assert_allclose(table["adjustment_mean"], want * table["variance_share"], atol=1e-9)


def test_a_balanced_window_has_no_shares(tree):
    rows = budget.attribute_imbalance(tree).query("window == '2023'")
    assert rows["reported_imbalance"].abs().max() < 1e-12
    assert rows["adjustment_share"].isna().all()


def test_windows_with_an_unstated_component_are_named(table_2):
    without = table_2[~((table_2["component"] == "land") & (table_2["start"] == 2023))]
    table = budget.attribute_imbalance(solve_closed(without, draws=10, rng=0))
    assert table.attrs["not_attributed"] == ["2023"]
    assert "2023" not in set(table["window"])


def test_level_is_checked(tree):
    with pytest.raises(InputError, match="allowed: 0 < level < 1"):
        budget.attribute_imbalance(tree, level=90)


# Models of years.

MODELS = ["fitted_table_2", "fitted_iid", "fitted_open"]


@pytest.mark.parametrize("model", MODELS)
def test_the_identity_holds_in_every_draw(model, request):
    tree = request.getfixturevalue(model).tree
    given = tree["constant_data"]
    reported = (given["sign"] * given["stated"]).sum("component")
    parts = draw_adjustments(tree)
    assert float(abs(parts.sum("part") - reported).max()) < 1e-9
    assert list(parts["part"].values)[:6] == [*REQUIRED, "rounding"]
    assert ("missing" in parts["part"].values) == (model == "fitted_open")


@pytest.mark.parametrize("model", MODELS)
def test_parts_are_errors_rounding_and_the_missing_flux(model, request):
    """Each part from its own draws: the table states every window by one row per component."""
    tree = request.getfixturevalue(model).tree
    posterior, given = tree["posterior"].to_dataset(), tree["constant_data"]
    parts = draw_adjustments(tree)
    component = posterior["observation_component"].values
    sign = given["sign"].sel(component=component.astype(str)).values
    for window in parts["window"].values:
        here = posterior["observation_window"].values == window
        for name in REQUIRED:
            at = here & (component == name)
            want = posterior["error"].values[:, :, at][..., 0] * sign[at]
            np.testing.assert_allclose(parts.sel(part=name, window=window), want, atol=1e-9)
        rounding = (posterior["rounding"].values * sign)[:, :, here].sum(axis=-1)
        np.testing.assert_allclose(parts.sel(part="rounding", window=window), rounding, atol=1e-9)
        if model == "fitted_open":
            years = slice(int(window[:4]), int(window[-4:]))
            missing = posterior["missing"].sel(year=years).mean("year")
            np.testing.assert_allclose(parts.sel(part="missing", window=window), -missing, atol=1e-9)


def test_the_table_of_a_model_of_years(fitted_open):
    table = budget.attribute_imbalance(fitted_open.tree)
    assert len(table) == 8 * 7
    for _, rows in table.groupby("window"):
        assert rows["adjustment_mean"].sum() == pytest.approx(rows["reported_imbalance"].iloc[0], abs=1e-9)
        assert rows["variance_share"].sum() == pytest.approx(1.0)
    rows = table.query("window == '2014-2023'").set_index("component")
    variances = {"fossil": 0.25, "land_use": 0.49, "atmosphere": 0.04, "ocean": 0.16, "land": 0.81}
    for component, variance in variances.items():
        assert rows.loc[component, "variance_share"] == pytest.approx(variance / 1.75)
    assert rows.loc[["rounding", "missing"], "variance_share"].tolist() == [0.0, 0.0]
    # Rounding cannot give way by more than five half digits.
    assert abs(rows.loc["rounding", "adjustment_mean"]) < 0.05
    assert set(rows["basis"]) == {"draws"}
    assert not {"rounding", "missing"} & set(budget.summarise_budget(fitted_open.tree)["component"])


def test_a_decade_is_taken_apart_by_its_years():
    """Annual rows reported by a window nobody stated: its value is the mean of its years."""
    years = np.arange(1990, 2002)
    values = {"fossil": 6.4, "land_use": 1.6, "atmosphere": 3.1, "ocean": 2.1, "land": 2.5}
    wiggle = np.random.default_rng(4).normal(0, 0.3, (5, len(years)))
    frame = pd.concat(
        [
            pd.DataFrame({"component": c, "start": years, "end": years, "value": (v + w).round(2)})
            for (c, v), w in zip(values.items(), wiggle, strict=True)
        ],
        ignore_index=True,
    ).assign(sd=0.4, unit="GtC/yr")
    tree = fit_annual(
        frame,
        draws=20,
        tune=50,
        chains=2,
        windows=["1990-1999", 2001],
        sampler="elliptical_slice",
        generator=np.random.default_rng(1),
    ).tree
    table = budget.attribute_imbalance(tree)
    signs = {"fossil": 1, "land_use": 1, "atmosphere": -1, "ocean": -1, "land": -1}
    signed = frame["value"] * frame["component"].map(signs)
    for window, first, last in (("1990-1999", 1990, 1999), ("2001", 2001, 2001)):
        rows = table[table["window"] == window]
        want = signed[frame["start"].between(first, last)].sum() / (last - first + 1)
        assert rows["reported_imbalance"].iloc[0] == pytest.approx(want)
        assert rows["adjustment_mean"].sum() == pytest.approx(want, abs=1e-9)


def test_gaps_and_shrinkage_of_the_closed_model_by_hand(table_2):
    """One window: the gap of the ocean is its adjustment, its shrinkage its share of the variance."""
    here = table_2[table_2["start"] == 2014]
    tree = solve_closed(here, draws=20_000, chains=4, rng=3)
    ocean = source_pulls(tree).set_index("component").loc["ocean"]
    share = 0.16 / 1.75
    sd = np.sqrt(0.16 * (1 - share))
    # 80,000 draws, 5 standard errors of a mean and of a variance.
    assert ocean["gap"] == pytest.approx(0.5 * share, abs=5 * sd / np.sqrt(80_000))
    assert ocean["gap_in_sds"] == pytest.approx(ocean["gap"] / 0.4)
    assert ocean["shrinkage"] == pytest.approx(share, abs=5 * np.sqrt(2 / 80_000))
    assert (ocean["observations"], ocean["largest_window"]) == (1, "2014-2023")


def test_gaps_of_a_model_of_years_are_its_errors_and_rounding(fitted_table_2):
    tree = fitted_table_2.tree
    table = source_pulls(tree).set_index("component")
    assert table["observations"].tolist() == [8] * 5
    posterior = tree["posterior"].to_dataset()
    gap = (posterior["error"] + posterior["rounding"]).mean(("chain", "draw")).values
    for name in REQUIRED:
        at = posterior["observation_component"].values == name
        sds = tree["constant_data"]["sd"].values[at]
        assert table.loc[name, "gap"] == pytest.approx(gap[at].mean())
        assert table.loc[name, "largest_in_sds"] == pytest.approx(
            (gap[at] / sds)[np.abs(gap[at] / sds).argmax()]
        )
    assert table["shrinkage"].between(0.0, 1.0).all()


def test_the_missing_mean_is_confounded_with_the_biases(fitted_open, fitted_table_2):
    missing, biases = missing_and_biases(fitted_open.tree)
    posterior = fitted_open.tree["posterior"].to_dataset()
    np.testing.assert_allclose(missing, posterior["missing"].mean("year").values.ravel())
    # Over the decades biases less missing flux is the mean imbalance but for rounding and 2010-2013.
    correlation = np.corrcoef(missing, biases)[0, 1]
    assert correlation > 0.9
    text = budget.budget_result(fitted_open.tree).sentence
    said = "its mean is confounded with the sum of the biases of the stated values"
    assert said in text
    assert f"(posterior correlation {correlation:+.2f})." in text
    assert "misses" not in budget.budget_result(fitted_table_2.tree).sentence
    # What they have in common comes from the biases themselves, not only from errors that come and go.
    functions = fitted_open.conditional.functions
    signs = {"fossil": 1, "land_use": 1, "atmosphere": -1, "ocean": -1, "land": -1}
    constant = sum(
        signs[name.split()[1]] * values.mean(axis=1)
        for name, values in functions.items()
        if name.startswith("error") and " bias" in name
    )
    # Measured .85; the standard error of a correlation of 4000 draws is below .01.
    assert np.corrcoef(missing, constant)[0, 1] > 0.7


def test_a_missing_flux_that_nothing_observes():
    """China states no atmosphere: no window has an imbalance, and the sentence says so."""
    tree = fit_annual(
        china_observations(),
        model="open",
        sampler="elliptical_slice",
        draws=15,
        tune=5,
        chains=2,
        generator=np.random.default_rng(1),
    ).tree
    assert np.isnan(missing_and_biases(tree)[1]).all()
    assert budget.budget_result(tree).sentence.endswith("so only its prior speaks of it.")
    assert budget.attribute_imbalance(tree).empty
