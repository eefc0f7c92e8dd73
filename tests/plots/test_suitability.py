from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError

PATHWAYS, REGIONS = ("daccs", "forests"), ("north_america", "open_ocean")


@pytest.fixture
def atlas() -> pd.DataFrame:
    rows = [
        ("daccs", "north_america", True, 0.97),
        ("daccs", "open_ocean", False, 0.0),
        ("forests", "north_america", True, 0.31),
        ("forests", "open_ocean", False, 0.0),
    ]
    table = pd.DataFrame(rows, columns=["pathway", "region", "possible", "probability_suited"])
    return table.assign(method="vikor", threshold=0.5, draws=400)


@pytest.fixture
def matrix() -> pd.DataFrame:
    rows = [
        (*cell, 0.1 * k, 0.003 if k == 0 else 0.04 * k)
        for k, cell in enumerate(itertools.product(("near_term", "long_term"), PATHWAYS, REGIONS))
    ]
    table = pd.DataFrame(rows, columns=["period", "pathway", "region", "probability_active", "share_mean"])
    return table.assign(
        share_low=0.5 * table["share_mean"],
        share_high=2.0 * table["share_mean"],
        total=table["period"].map({"near_term": 0.5, "long_term": 8.0}),
        probability_reached=table["period"].map({"near_term": 0.25, "long_term": 1.0}),
        least=0.005,
        draws=64,
        interval_kind="equal-tailed",
        interval_mass=0.9,
    )


def _caption(figure):
    return " ".join(figure.get_supxlabel().split())


def test_the_atlas_is_drawn_where_the_table_says(atlas):
    figure = plots.plot_suitability(atlas)
    axes = figure.axes[0]
    # Forests stand first, as in every picture.
    np.testing.assert_allclose(axes.images[0].get_array().filled(-1.0), [[0.31, -1.0], [0.97, -1.0]])
    assert [text.get_text() for text in axes.texts] == ["31", "97"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["Forests", "DACCS"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["North America", "Open ocean"]
    # What is impossible is hatched.
    assert [(p.get_x(), p.get_y()) for p in axes.patches] == [(0.5, -0.5), (0.5, 0.5)]
    assert all(p.get_hatch() for p in axes.patches)
    assert "400 draws" in _caption(figure)
    assert "VIKOR" in _caption(figure)
    # sqrt(.25 / 400) = 2.5 percentage points.
    assert "at most 2.5 percentage points" in _caption(figure)


def test_the_schedule_is_drawn_where_the_table_says(matrix):
    figure = plots.plot_schedule(matrix)
    near, long = figure.axes[:2]
    assert near.get_title(loc="left") == "Near term: 0.5 GtCO₂/yr"
    assert long.get_title(loc="left") == "Long term: 8 GtCO₂/yr"
    np.testing.assert_allclose(near.images[0].get_array(), [[0.2, 0.3], [0.0, 0.1]])
    # .3 % stays without a number.
    assert [text.get_text() for text in near.texts] == ["8", "12", "4"]
    np.testing.assert_allclose(long.images[0].get_array(), [[0.6, 0.7], [0.4, 0.5]])
    text = _caption(figure)
    assert "at least 0.5 % of the total" in text
    assert "in the near term the total is reached in 25 % of draws" in text.replace("In the", "in the")
    assert "largest cell forests in open ocean, 14 to 56 % (90 % equal-tailed interval)" in text


def test_tables_that_cannot_be_drawn_are_refused(atlas, matrix):
    with pytest.raises(InputError, match="not one row for each pathway and region: got '3 rows'"):
        plots.plot_suitability(atlas.iloc[:3])
    with pytest.raises(InputError, match="outside 0 to 1"):
        plots.plot_suitability(atlas.assign(probability_suited=1.5))
    with pytest.raises(InputError, match="'method' must be the same in every row"):
        plots.plot_suitability(atlas.assign(method=["topsis", "vikor", "topsis", "vikor"]))
    with pytest.raises(InputError, match="missing column"):
        plots.plot_schedule(matrix.drop(columns="least"))
    with pytest.raises(InputError, match="interval ends before it starts"):
        plots.plot_schedule(matrix.assign(share_low=1.0, share_high=0.0))


def test_equal_tables_give_equal_pictures(atlas, tmp_path):
    one = plots.save_svg(plots.plot_suitability(atlas), tmp_path / "one.svg").read_bytes()
    assert one == plots.save_svg(plots.plot_suitability(atlas), tmp_path / "two.svg").read_bytes()
