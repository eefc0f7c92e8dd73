from __future__ import annotations

import itertools

import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError
from sinkrisk.network import JurisdictionRanking, entry_sensitivity, network_from_tables


@pytest.fixture
def effects() -> pd.DataFrame:
    rows = []
    for k, (name, cls, period) in enumerate(
        itertools.product(
            ("price_collapse", "linked_incentives"), ("nature", "ocean"), ("near_term", "mid_term")
        )
    ):
        rows.append((name, "shock", cls, period, "fallen", 0.01 * k, 0.01 * k - 0.02, 0.01 * k + 0.03))
    columns = ["scenario", "kind", "class", "period", "state", "change", "change_low", "change_high"]
    return pd.DataFrame(rows, columns=columns).assign(interval_kind="equal-tailed", interval_mass=0.9)


@pytest.fixture
def ranking() -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.DataFrame(
        {
            "region": ["open_ocean", "arid_zones"],
            "risk": [0.8, 0.5],
            "risk_low": [0.7, 0.4],
            "risk_high": [0.9, 0.6],
        }
    ).assign(interval_kind="equal-tailed", interval_mass=0.9)
    ranks = pd.DataFrame(
        [("open_ocean", 1, 0.75), ("open_ocean", 2, 0.25), ("arid_zones", 1, 0.25), ("arid_zones", 2, 0.75)],
        columns=["region", "rank", "probability"],
    )
    return table, ranks


def test_effects_are_drawn_where_the_table_says(effects):
    figure = plots.plot_scenario_effects(effects)
    first, second = figure.axes
    assert (first.get_title(loc="left"), second.get_title(loc="left")) == ("Near term", "Mid term")
    nature, ocean = [line for line in second.lines if line.get_label() in ("nature", "ocean")]
    # Percentage points: rows 1 and 5 are nature, 3 and 7 the ocean.
    assert list(nature.get_xdata()) == pytest.approx([1.0, 5.0])
    assert list(ocean.get_xdata()) == pytest.approx([3.0, 7.0])
    ends = second.collections[0].get_segments()[0]
    assert list(ends[:, 0]) == pytest.approx([-1.0, 4.0])
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["price collapse", "linked incentives"]


def test_effects_per_region_are_refused_with_the_way_out(effects):
    twice = pd.concat([effects, effects], ignore_index=True)
    with pytest.raises(InputError, match=r"by=\('class', 'period'\)"):
        plots.plot_scenario_effects(twice)
    with pytest.raises(InputError, match="not one row a scenario"):
        plots.plot_scenario_effects(effects, state="collapse")
    with pytest.raises(InputError, match="missing column"):
        plots.plot_scenario_effects(effects.drop(columns="change_low"))


def test_jurisdictions_show_risk_and_ranks(ranking):
    figure = plots.plot_jurisdictions(*ranking)
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["open ocean", "arid zones"]
    assert list(left.lines[0].get_xdata()) == pytest.approx([80.0, 50.0])
    assert [text.get_text() for text in right.texts] == ["75", "25", "25", "75"]
    assert right.images[0].get_array()[0, 0] == pytest.approx(0.75)


def test_jurisdictions_without_an_interval_are_refused(ranking):
    table, ranks = ranking
    with pytest.raises(InputError, match="missing column"):
        plots.plot_jurisdictions(table.drop(columns="risk_low"), ranks)


def test_the_caption_follows_the_state_and_the_scenarios_bear_their_labels(effects):
    def caption(state):
        table = effects.assign(state=state, label=effects["scenario"].map(str.upper))
        table.attrs["cells"] = "the 9 of 10 cells (class, region) in which a pathway is possible"
        figure = plots.plot_scenario_effects(table, state=state)
        ticks = [tick.get_text().replace("\n", " ") for tick in figure.axes[0].get_yticklabels()]
        assert ticks == ["PRICE COLLAPSE", "LINKED INCENTIVES"]
        return " ".join(text.get_text() for text in figure.texts).replace("\n", " ")

    assert "a class is deployed in full, averaged over regions (the 9 of 10 cells" in caption("full")
    assert "Right of nought is better." in caption("full")
    assert "that a class collapses, " in caption("collapse")
    assert "Right of nought is worse." in caption("collapse")
    assert "Right of nought" not in caption("throttled")


def test_jurisdictions_take_the_ranking_as_it_is(ranking):
    table, ranks = ranking
    figure = plots.plot_jurisdictions(JurisdictionRanking(table, ranks))
    assert len(figure.axes) == 2
    with pytest.raises(InputError, match="no ranks"):
        plots.plot_jurisdictions(table)


def test_a_tornado_bars_run_from_low_to_high():
    net = network_from_tables(
        {"rain": ["no", "yes"], "wet": ["no", "yes"]},
        {"wet": ["rain"]},
        {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]},
        equivalent_sample_size=20.0,
    )
    table = entry_sensitivity(net, "rain", "yes", {"wet": "yes"})
    figure = plots.plot_entry_sensitivity(table, most=3)
    low, high = figure.axes[0].containers
    for bars, column in ((low, "at_low"), (high, "at_high")):
        ends = [bar.get_x() + bar.get_width() for bar in bars]
        assert ends == pytest.approx(list(100 * table[column].head(3)))
    assert figure.axes[0].get_yticklabels()[0].get_text() == "wet: entry (rain=no, no)"
    with pytest.raises(InputError, match="missing column"):
        plots.plot_entry_sensitivity(table.drop(columns="at_low"))
    with pytest.raises(InputError, match="bars of a tornado"):
        plots.plot_entry_sensitivity(table, most=0)
