from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import response_curves, tornado_table


def test_a_bin_is_a_mean_with_its_t_interval():
    g = np.random.default_rng(1)
    x = g.random(300)
    y = 3 * x + g.standard_normal(300)
    table = response_curves(y, {"x": x}, points=3, level=0.9)
    lowest = x <= np.quantile(x, 1 / 3)
    part = y[lowest]
    reach = stats.t.ppf(0.95, part.size - 1) * part.std(ddof=1) / np.sqrt(part.size)
    row = table.iloc[0]
    assert row["n"] == part.size
    assert row["at"] == pytest.approx(x[lowest].mean())
    assert row["mean"] == pytest.approx(part.mean())
    assert (row["low"], row["high"]) == pytest.approx((part.mean() - reach, part.mean() + reach))
    assert row["interval_mass"] == 0.9
    assert table["n"].sum() == 300


def test_spline_intervals_hold_the_curve():
    # A cubic is in the space of the spline. 200 curves at one point of noise that grows with x: fewer than
    # 180 of 200 intervals of mass .95 hold with probability 2e-3.
    held = 0
    for seed in range(200):
        g = np.random.default_rng(seed)
        x = g.random(200)
        y = x**3 - x + (0.2 + x) * g.standard_normal(200)
        row = response_curves(y, {"x": x}, kind="spline", points=3).iloc[1]
        held += row["low"] <= row["at"] ** 3 - row["at"] <= row["high"]
    assert 180 <= held <= 199


def test_a_spline_of_what_it_can_hold_is_exact():
    x = np.linspace(-1, 2, 60)
    table = response_curves(x**3, {"x": x}, kind="spline", points=5)
    np.testing.assert_allclose(table["mean"], table["at"] ** 3, atol=1e-9)
    assert table["interval_kind"].unique().tolist() == ["equal-tailed normal (HC3)"]


def test_states_ties_and_several_outputs():
    state = np.array(["hot", "cold"] * 20)
    few = np.repeat([1.0, 2.0], 20)
    y = np.stack([np.where(state == "hot", 2.0, 1.0), few], axis=1)
    table = response_curves(y, {"state": state, "few": few}, kind="spline")
    states = table[(table["driver"] == "state") & (table["output"] == "0")]
    assert states["state"].tolist() == ["cold", "hot"]
    assert states["mean"].tolist() == [1.0, 2.0]
    assert states["kind"].unique().tolist() == ["states"]
    ties = table[(table["driver"] == "few") & (table["output"] == "1")]
    assert ties[["at", "mean"]].values.tolist() == [[1.0, 1.0], [2.0, 2.0]]
    bins = response_curves(few, {"few": few}, points=7)
    assert bins["mean"].tolist() == [1.0, 2.0]


def test_tornado_orders_by_swing_and_takes_the_outer_states():
    g = np.random.default_rng(2)
    x, z = g.random(1000), g.random(1000)
    state = g.choice(["calm", "storm", "usual"], size=1000)
    y = x - 5 * z + np.select([state == "calm", state == "storm"], [10.0, 0.0], 5.0)
    table = tornado_table(y, {"x": x, "z": z, "state": state}, tail=0.2)
    assert table["driver"].tolist() == ["state", "z", "x"]
    first = table.iloc[0]
    assert (first["low_label"], first["high_label"]) == ("storm", "calm")
    second = table.iloc[1]
    assert (second["low_label"], second["high_label"]) == ("lowest 20%", "highest 20%")
    order = np.argsort(z)
    assert second["at_low"] == pytest.approx(y[order[:200]].mean())
    assert second["at_high"] == pytest.approx(y[order[-200:]].mean())
    assert second["swing"] < 0
    assert second["base"] == pytest.approx(y.mean())
    assert (table["at_low_low"] < table["at_low"]).all()
    assert (table["at_high"] < table["at_high_high"]).all()


@pytest.mark.parametrize(
    ("function", "change", "text"),
    [
        (response_curves, {"kind": "loess"}, "unknown kind of curve"),
        (response_curves, {"points": 1}, "points"),
        (response_curves, {"flexibility": 2}, "flexibility"),
        (response_curves, {"level": 0.0}, "between 0 and 1"),
        (tornado_table, {"tail": 0.7}, "tail"),
        (tornado_table, {"tail": 0.01}, "holds two draws"),
        (tornado_table, {"level": 2.0}, "between 0 and 1"),
    ],
)
def test_bad_input(function, change, text):
    with pytest.raises(InputError) as error:
        function(np.arange(32.0), {"x": np.arange(32.0)}, **change)
    assert text in str(error.value)


def test_equal_values_of_a_driver_do_not_swing_with_the_order_of_the_draws():
    # Outputs in rising order: a driver of one value, cut in the order of the draws, would swing by 3.5 sd.
    y = np.sort(np.random.default_rng(5).standard_normal(2000))
    row = tornado_table(y, {"one": np.zeros(2000)}).iloc[0]
    # The standard error of a difference of two means of 200 is .1: beyond .4 with probability 6e-5.
    assert abs(row["swing"]) < 0.4


def test_intervals_of_the_outer_states_hold_though_they_were_chosen_by_their_means():
    # Six states that do nothing: the outer two of 200 tables. Fewer than 180 of 200 intervals of mass .95
    # hold with probability 2e-3; as single states' they held 175 and 172 times.
    held = np.zeros(2)
    for seed in range(200):
        g = np.random.default_rng(seed)
        row = tornado_table(g.standard_normal(600), {"state": g.integers(6, size=600)}).iloc[0]
        held += [row["at_low_low"] <= 0 <= row["at_low_high"], row["at_high_low"] <= 0 <= row["at_high_high"]]
    assert (held >= 180).all(), held


def test_probabilities_have_intervals_that_stay_between_nought_and_one():
    g = np.random.default_rng(11)
    x = g.random(400)
    always = np.where(x > 0.3, 1.0, (g.random(400) < 0.5).astype(float))
    curve = response_curves(always, {"x": x}, points=10)
    assert set(curve["interval_kind"]) == {"Wilson score"}
    last = curve.iloc[-1]
    # Wilson (1927) for 40 of 40, by hand: n / (n + z^2) to 1.
    assert (last["mean"], last["n"]) == (1.0, 40)
    assert last["low"] == pytest.approx(40 / (40 + 1.959964**2), rel=1e-6)
    assert last["high"] == pytest.approx(1.0)
    swing = tornado_table(always, {"x": x}, tail=0.1).iloc[0]
    assert swing["interval_kind"] == "Wilson score"
    assert swing["at_high_high"] <= 1.0
    smooth = response_curves(always, {"x": x}, kind="spline")
    assert smooth[["mean", "low", "high"]].to_numpy().max() <= 1.0
    assert smooth["interval_kind"].tolist()[0] == "equal-tailed normal (HC3)"


def test_wilson_intervals_cover_a_probability_near_one():
    """400 sets of 60 draws at .97; coverage below .90 has a false-alarm rate under 1e-4 at 95 %."""
    g = np.random.default_rng(12)
    held = 0
    for _ in range(400):
        y = (g.random(60) < 0.97).astype(float)
        row = response_curves(y, {"state": np.full(60, "all")}, kind="bins").iloc[0]
        held += row["low"] <= 0.97 <= row["high"]
    assert held / 400 >= 0.90
