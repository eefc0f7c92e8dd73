"""Pictures of drivers hold the numbers of their tables"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from sinkrisk import sensitivity
from sinkrisk.errors import InputError
from sinkrisk.plots import drivers as pictures, style

DRIVERS = {name: stats.uniform(0, 1) for name in ("carbon_price", "climate", "cost")}


def function(x):
    return x[:, 0] * x[:, 1] + 0.3 * x[:, 2]


@pytest.fixture(scope="module")
def draws():
    x = np.random.default_rng(1).random((500, 3))
    values = dict(zip(DRIVERS, x.T, strict=True)) | {"regime": np.where(x[:, 0] > 0.5, "high", "low")}
    return function(x), values


@pytest.fixture(scope="module")
def indices():
    return sensitivity.sobol_until(function, DRIVERS, first=64, most=256, width=0.0, second_order=True, rng=1)


def caption_of(figure):
    return " ".join(figure.get_supxlabel().split())


def ticks(axes):
    return [t.get_text().replace("\n", " ") for t in axes.get_yticklabels()]


def test_tornado_bars_go_from_the_mean_to_the_mean_at_each_end(draws):
    y, values = draws
    table = sensitivity.tornado_table(y, values, tail=0.2)
    figure = pictures.plot_tornado(table, top=3)
    (axes,) = figure.axes
    assert len(ticks(axes)) == 3
    widest = table.iloc[0]
    low, high = (container[0] for container in axes.containers)
    assert low.get_x() + low.get_width() == pytest.approx(widest["at_low"])
    assert high.get_x() + high.get_width() == pytest.approx(widest["at_high"])
    assert "95 % equal-tailed Student t interval" in caption_of(figure)
    assert style.svg_text(figure) == style.svg_text(pictures.plot_tornado(table, top=3))


def test_tornado_bears_the_unit_of_its_output(draws):
    y, values = draws
    table = sensitivity.tornado_table(y, values, tail=0.2)
    (axes,) = pictures.plot_tornado(table.assign(unit="GtCO2")).axes
    assert axes.get_xlabel() == "GtCO₂"
    (axes,) = pictures.plot_tornado(table).axes
    assert axes.get_xlabel() == ""


def test_interactions_hold_the_numbers_and_bold_those_that_are_sure(indices):
    table = sensitivity.sobol_table(indices)
    figure = pictures.plot_interactions(table)
    (axes,) = figure.axes
    shown = {(round(t.get_position()[0] - 0.5), round(t.get_position()[1] - 0.5)): t for t in axes.texts}
    assert set(shown) == {(0, 1), (0, 2), (1, 2)}
    assert shown[0, 1].get_text() == f"{indices['S2'].values[0, 1]:.2f}"
    assert shown[0, 1].get_weight() == "bold"
    with pytest.raises(InputError, match="no second-order indices"):
        pictures.plot_interactions(table[table["index"] != "S2"])


def test_responses_draw_curves_and_states(draws):
    y, values = draws
    table = sensitivity.response_curves(y, values, points=5)
    figure = pictures.plot_responses(table, drivers=["carbon_price", "regime"], unit="GtCO2")
    curve, states = figure.axes[:2]
    part = table[table["driver"] == "carbon_price"]
    np.testing.assert_allclose(curve.lines[0].get_ydata(), part["mean"])
    assert [t.get_text() for t in states.get_xticklabels()] == ["high", "low"]
    assert curve.get_xlabel() == "carbon price"
    assert "95 % equal-tailed Student t" in caption_of(figure)
    with pytest.raises(InputError, match="no such driver: got 'regimes'"):
        pictures.plot_responses(table, drivers=["regimes"])


def test_labels_of_responses_are_apart_and_break_no_word(draws):
    y, values = draws
    policy = np.array(["declining", "strengthening", "passive_redundancy"])[np.arange(len(y)) % 3]
    table = sensitivity.response_curves(y, {"capacity": 1e-4 * values["carbon_price"], "policy": policy})
    figure = pictures.plot_responses(table)
    figure.canvas.draw()
    curve, states = figure.axes[:2]
    words = {t.get_text() for t in states.get_xticklabels()}
    assert words == {"declining", "strengthening", "passive\nredundancy"}
    boxes = [t.get_window_extent() for t in curve.get_xticklabels() if t.get_text()]
    inside = [box for box in boxes if curve.bbox.x0 - 1 <= (box.x0 + box.x1) / 2 <= curve.bbox.x1 + 1]
    assert len(inside) >= 3
    assert all(left.x1 < right.x0 for left, right in pairwise(inside))


def test_ranks_draw_shares_and_intervals(indices):
    table = sensitivity.driver_ranks(indices, top=1)
    figure = pictures.plot_driver_ranks(table)
    left, right = figure.axes
    np.testing.assert_allclose([p.get_width() for p in left.containers[0]], table["among_top"])
    np.testing.assert_allclose(right.lines[0].get_xdata(), table["rank"])
    assert left.get_title(loc="left") == "leads"
    assert "95 % equal-tailed interval" in caption_of(figure)


def test_convergence_draws_every_n(indices):
    table = sensitivity.convergence_table(indices)
    figure = pictures.plot_convergence(table, top=2)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["64", "128", "256"]
    assert len(axes.lines) == 2
    best = indices["ST"].values.max()
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(best)


def test_an_output_must_be_named_where_there_are_several(draws):
    y, values = draws
    table = sensitivity.tornado_table(np.stack([y, 2 * y], axis=1), values)
    with pytest.raises(InputError, match="no such output"):
        pictures.plot_tornado(table)
    assert pictures.plot_tornado(table, "1").axes
    with pytest.raises(InputError, match="missing column"):
        pictures.plot_tornado(table.drop(columns="base"))
