"""Abatement curves are drawn where the table says, tonnes across and price upwards."""

from __future__ import annotations

import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError


@pytest.fixture
def curves() -> pd.DataFrame:
    rows = [
        (region, period, price, base * price / 100.0, base * price / 200.0, base * price / 50.0)
        for region, base in (("north_america", 1.0), ("arid_zones", 0.0), ("world", 4.0), ("open_ocean", 2.0))
        for period in ("long_term", "near_term")
        for price in (0.0, 100.0, 400.0)
    ]
    table = pd.DataFrame(rows, columns=["region", "period", "price", "median", "low", "high"])
    return table.assign(unit="GtCO2/yr", interval_kind="equal-tailed", interval_mass=0.9)


def test_curves_are_drawn_where_the_table_says(curves):
    figure = plots.plot_abatement(curves)
    drawn = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in drawn] == [
        "North America", "Arid zones", "World", "Open ocean",
    ]  # fmt: skip
    near, late = drawn[0].lines
    assert (near.get_label(), late.get_label()) == ("near term", "long term")
    assert list(near.get_xdata()) == [0.0, 1.0, 4.0]
    assert list(near.get_ydata()) == [0.0, 100.0, 400.0]
    band = drawn[0].collections[0].get_paths()[0].vertices
    assert band[:, 0].max() == pytest.approx(8.0)
    assert {(0.5, 100.0), (2.0, 100.0)} <= {(round(float(x), 9), float(y)) for x, y in band}
    assert drawn[1].get_xlim() == (0.0, 1.0)
    assert drawn[0].get_ylim() == (0.0, 400.0)
    assert "90 % equal-tailed interval" in " ".join(t.get_text() for t in figure.texts)


def test_regions_are_picked_in_the_order_asked_for(curves):
    figure = plots.plot_abatement(curves, regions=["world", "north_america"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["World", "North America"]
    assert figure.axes[0].get_xlabel() == "GtCO₂/yr"


def test_one_region_has_a_panel_and_a_scale_for_each_period(curves):
    late = (curves["region"] == "world") & (curves["period"] == "long_term")
    for column in ("median", "low", "high"):
        curves.loc[late, column] *= 10.0
    near, far = plots.plot_abatement(curves, regions=["world"]).axes
    assert [axes.get_title(loc="left") for axes in (near, far)] == ["World, near term", "World, long term"]
    assert [list(axes.lines[0].get_xdata()) for axes in (near, far)] == [[0.0, 4.0, 16.0], [0.0, 40.0, 160.0]]
    assert far.get_xlim()[1] == pytest.approx(10.0 * near.get_xlim()[1])


def test_bad_tables_are_named(curves):
    with pytest.raises(InputError, match=r"no such region: got 'wrld'.*did you mean 'world'"):
        plots.plot_abatement(curves, regions=["wrld"])
    with pytest.raises(InputError, match="two rows for one region, period and price"):
        plots.plot_abatement(pd.concat([curves, curves]))
    with pytest.raises(InputError, match="missing column"):
        plots.plot_abatement(curves.drop(columns="median"))
    with pytest.raises(InputError, match="interval ends before it starts"):
        plots.plot_abatement(curves.assign(low=99.0))
