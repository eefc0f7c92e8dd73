"""What is drawn is what the table says: bar lengths, marks, interval ends, labels, units."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.plots.network import deployment_modes, possible_cells


def caption_of(figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def widths(axes) -> list[float]:
    return [patch.get_width() for patch in axes.patches]


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.axison]


def segments(collection) -> np.ndarray:
    return np.array([s[:, 0] for s in collection.get_segments()])


def test_budget_marks_are_the_means_and_the_bars_the_intervals(budget):
    figure = plots.plot_budget(budget)
    assert titles(figure) == ["Fossil", "Ocean", "Land"]
    land = figure.axes[2]
    stated, reconciled = land.containers
    one = budget[budget["component"] == "land"]
    np.testing.assert_allclose(np.asarray(reconciled.lines[0].get_ydata(), dtype=float), one["mean"])
    bars = np.array([s[:, 1] for s in reconciled.lines[2][0].get_segments()])
    np.testing.assert_allclose(bars, one[["low", "high"]].to_numpy())
    np.testing.assert_allclose(np.asarray(stated.lines[0].get_ydata(), dtype=float), one["stated"])
    ends = np.array([s[:, 1] for s in stated.lines[2][0].get_segments()])
    # Both bars hold 90 %: a normal one reaches 1.6448536 sd either side.
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * 1.6448536269514722 * one["stated_sd"])
    assert [t.get_text() for t in land.get_xticklabels()] == ["2000-2009", "2010-2019", "2024"]
    assert land.get_ylabel() == "GtC/yr"
    assert land.get_ylim()[0] <= 0.0
    assert "90 % equal-tailed interval" in caption_of(figure)


def test_a_component_that_was_not_stated_has_no_hollow_mark(budget):
    budget.loc[budget["component"] == "land", ["stated", "stated_sd"]] = np.nan
    stated, reconciled = plots.plot_budget(budget).axes[2].containers
    assert len(stated.lines[0].get_ydata()) == 0
    assert len(reconciled.lines[0].get_ydata()) == 3


def test_attribution_bars_sum_to_the_imbalance_line(attribution):
    figure = plots.plot_attribution(attribution)
    assert titles(figure) == ["2014-2023\nimbalance −0.40", "2024\nimbalance 0.00"]
    axes = figure.axes[0]
    assert sum(widths(axes)) == pytest.approx(-0.4)
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed[0].get_xdata()[0] == pytest.approx(-0.4)
    ends = segments(axes.collections[0])
    np.testing.assert_allclose(ends, [[-0.5, 0.3], [-1.0, 0.4]])


def test_what_belongs_to_no_component_is_grey(attribution):
    window = attribution["window"] == "2014-2023"
    extra = attribution[window].head(2).assign(component=["rounding", "missing"], adjustment_mean=0.05)
    figure = plots.plot_attribution(pd.concat([attribution, extra], ignore_index=True))
    bars = dict(
        zip([t.get_text() for t in figure.axes[0].get_yticklabels()], figure.axes[0].patches, strict=True)
    )
    assert bars["rounding"].get_facecolor()[:3] == pytest.approx((0xD0 / 255,) * 3)
    assert bars["missing flux"].get_hatch() == "////"
    assert "Hatched: the flux the budget misses" in caption_of(figure)


def test_windows_stand_in_order_of_time_and_single_years_apart(budget):
    shuffled = budget.iloc[::-1]
    axes = plots.plot_budget(shuffled).axes[2]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2000-2009", "2010-2019", "2024"]
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert dotted[0].get_xdata()[0] == 1.5
    assert "includes zero. Right of the dotted line: single years" in caption_of(plots.plot_budget(budget))


def test_deployment_bars_are_the_probabilities(marginals):
    figure = plots.plot_deployment_modes(marginals)
    nature_near, nature_long, _, ocean_long = figure.axes
    full = [patch.get_width() for patch in nature_near.containers[0]]
    np.testing.assert_allclose(full, [0.1, 0.3])
    for axes in figure.axes:
        total = np.sum([[p.get_width() for p in c] for c in axes.containers], axis=0)
        np.testing.assert_allclose(total, 1.0)
    assert [t.get_text() for t in nature_near.get_yticklabels()] == ["North America", "arid zones"]
    assert len(ocean_long.containers[0]) == 1
    assert nature_near.get_title(loc="left").split("\n\n") == ["Near term", "Nature"]
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend == ["full", "throttled", "passive redundancy", "collapse"]
    assert nature_long.get_ylim() == nature_near.get_ylim()


def test_deployment_bars_leave_out_where_nothing_is_possible(marginals):
    pathways = pd.DataFrame(
        [("forests", "nature", "true"), ("kelp", "nature;ocean", "true"), ("pump", "ocean", "false")],
        columns=["pathway", "classes", "creditable"],
    )
    rows = [("forests", "north_america", 1.0), ("forests", "arid_zones", 0.0), ("kelp", "arid_zones", 0.0)]
    rows += [("kelp", "open_ocean", 0.5), ("pump", "arid_zones", 1.0)]
    suitability = pd.DataFrame(rows, columns=["pathway", "region", "high"])
    cells = possible_cells(pathways, suitability)
    assert cells == {("nature", "north_america"), ("nature", "open_ocean"), ("ocean", "open_ocean")}
    figure = plots.plot_deployment_modes(marginals, cells)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["North America"]
    kept = deployment_modes(marginals, cells)
    assert ("nature", "arid_zones") not in {(c, r) for c, r, _ in kept.index}
    # A class that no pathway bears stays whole: nothing is known of it.
    assert len(deployment_modes(marginals, {("nature", "north_america")}).xs("ocean", level="class")) == 2


def test_composition_bars_stack_to_the_planned_total(portfolios):
    figure = plots.plot_portfolio_composition(portfolios)
    near, long = figure.axes
    assert (near.get_title(loc="left"), long.get_title(loc="left")) == ("Near term", "Long term")
    by_pathway = {
        text.get_text(): container
        for text, container in zip(figure.legends[0].get_texts(), near.containers, strict=True)
    }
    assert [p.get_width() for p in by_pathway["forests"]] == [0.6, 1.0]
    assert [p.get_width() for p in by_pathway["DACCS"]] == [0.4, 0.0]
    assert by_pathway["DACCS"][0].get_x() == pytest.approx(0.6)
    assert long.get_xlabel() == "planned, GtCO₂/yr"


def test_measures_draw_means_intervals_and_cvar(measures):
    figure = plots.plot_measures(measures, ["net_removal_2100"])
    (axes,) = figure.axes
    np.testing.assert_allclose(segments(axes.collections[0]), [[80, 160], [20, 90]])
    mean, cvar = axes.lines
    np.testing.assert_allclose(mean.get_xdata(), [120, 60])
    np.testing.assert_allclose(cvar.get_xdata(), [70, 10])
    assert axes.get_xlabel() == "GtCO₂"
    assert "90 % equal-tailed interval" in caption_of(figure)
    assert "worst 5 % of draws" in caption_of(figure)


def test_target_bars_are_the_probabilities(measures):
    figure = plots.plot_target(measures)
    left, right = figure.axes
    assert widths(left) == [0.37, 0.0]
    assert [t.get_text() for t in left.texts] == ["37 %", "0 %"]
    np.testing.assert_allclose(segments(right.collections[0]), [[0, 60], [50, 130]])
    np.testing.assert_allclose(right.lines[1].get_xdata(), [75, 140])


def test_ranks_are_ordered_by_mean_rank_and_sum_to_one(ranking):
    figure = plots.plot_rank_acceptability(ranking)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["mixed", "trees"]
    first, second = axes.containers
    assert [p.get_width() for p in first] == [0.7, 0.3]
    np.testing.assert_allclose([p.get_x() for p in second], [0.7, 0.3])
    assert {"70", "30"} <= {t.get_text() for t in axes.texts}


def test_central_weights_say_never_first_where_there_are_none(ranking):
    figure = plots.plot_central_weights(ranking)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["mixed", "trees"]
    assert [t.get_text() for t in axes.texts] == ["never first", "never first", "0.80", "0.20"]
    assert "give each criterion 0.50" in caption_of(figure)


def test_sobol_bars_and_intervals(sobol):
    figure = plots.plot_sobol(sobol)
    mixed, trees = figure.axes
    assert mixed.get_title(loc="left") == "Total discounted cost\nmixed"
    assert [t.get_text() for t in mixed.get_yticklabels()] == ["network", "cost"]
    total, first = trees.containers
    np.testing.assert_allclose([p.get_width() for p in total], [0.8, 0.2])
    np.testing.assert_allclose([p.get_width() for p in first], [0.6, 0.1])
    np.testing.assert_allclose(segments(trees.collections[0]), [[0.76, 0.86], [0.16, 0.26]])
    left, right = trees.get_xlim()
    assert left <= 0.0
    assert right >= 1.0
    assert "95 % equal-tailed interval" in caption_of(figure)
    assert "N = 256" in caption_of(figure)


def test_sobol_of_an_output_that_does_not_vary_says_so(sobol):
    still = sobol["portfolio"] == "trees"
    sobol.loc[still, ["value", "low", "high"]] = np.nan
    figure = plots.plot_sobol(sobol)
    assert [t.get_text() for t in figure.axes[0].texts] == []
    assert "does not vary" in figure.axes[1].texts[0].get_text()


def test_total_effects_matrix_holds_the_numbers(sobol):
    figure = plots.plot_total_effects(sobol)
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["network", "cost"]
    assert [t.get_text() for t in axes.texts] == ["0.70", "0.20", "0.80", "0.20"]


def test_optimum_bars_and_what_is_left_out(optimum):
    figure = plots.plot_optimum(optimum)
    near, long = figure.axes
    assert [t.get_text() for t in near.get_yticklabels()] == ["Forests", "DACCS"]
    assert widths(near) == [0.3, 0.0]
    assert widths(long) == [1.2, 2.5]
    assert long.get_title(loc="left") == "Long term\ntotal 3.7 GtCO₂/yr"
    assert "1 pathways" not in caption_of(figure)
    assert "One pathway is planned in no period" in caption_of(figure)


def test_equal_figures_give_equal_bytes(sobol, tmp_path):
    one = plots.save_svg(plots.plot_sobol(sobol), tmp_path / "a.svg")
    two = plots.save_svg(plots.plot_sobol(sobol), tmp_path / "b.svg")
    assert one.read_bytes() == two.read_bytes()
    assert b"<dc:date>" not in one.read_bytes()


def test_drawing_leaves_the_users_settings_and_pyplot_alone(budget):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.plot_budget(budget)
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys, sinkrisk.plots as p\n"
        "assert not {'matplotlib', 'pandas'} & set(sys.modules)\n"
        "import pandas as pd\n"
        "row = {'pathway': 'oae', 'period': 'near_term', 'planned': 1.0, 'unit': 'GtCO2/yr'}\n"
        "p.plot_optimum(pd.DataFrame([row]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_table_in_memory_and_the_same_read_from_csv_draw_alike(ranking, tmp_path):
    ranking.to_csv(tmp_path / "ranking.csv", index=False)
    read = pd.read_csv(tmp_path / "ranking.csv")
    a = plots.plot_rank_acceptability(ranking).axes[0]
    b = plots.plot_rank_acceptability(read).axes[0]
    assert widths(a) == widths(b)


def test_outputs_named_measure_and_portfolio_are_told_apart(sobol):
    joined = sobol.assign(measure=sobol["output"], portfolio="")
    headings = [axes.get_title(loc="left") for axes in plots.plot_sobol(joined).axes]
    assert headings == ["Total discounted cost\nmixed", "Total discounted cost\ntrees"]
    # A CSV read without care turns the empty portfolio into NaN.
    headings = [axes.get_title(loc="left") for axes in plots.plot_sobol(joined.assign(portfolio=None)).axes]
    assert headings == ["Total discounted cost\nmixed", "Total discounted cost\ntrees"]


def test_idle_drivers_are_named_instead_of_drawn(sobol):
    idle = sobol["driver"] == "cost"
    sobol.loc[idle, ["value", "low", "high"]] = 0.0
    for figure in (plots.plot_sobol(sobol), plots.plot_total_effects(sobol)):
        assert "Not drawn, below 0.005 everywhere: cost." in caption_of(figure)
    assert [t.get_text() for t in plots.plot_sobol(sobol).axes[0].get_yticklabels()] == ["network"]


def test_a_figure_gives_its_caption_away_and_keeps_its_picture(optimum):
    from sinkrisk.plots.style import svg_text, without_caption

    figure = plots.plot_optimum(optimum)
    caption, svg = caption_of(figure), svg_text(figure)
    shown, words = without_caption(figure, svg)
    assert words == caption
    frame = r'height="([\d.]+)pt" viewBox="0 0 [\d.]+ ([\d.]+)"'
    whole, cut = re.search(frame, svg), re.search(frame, shown)
    assert float(cut[1]) < float(whole[1])
    assert shown == svg.replace(whole[0], cut[0])
    # What is cut off lies below the lowest axis label: every axes' tight box ends above the cut.
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert lowest / figure.bbox.height >= 1.0 - float(cut[1]) / float(whole[1])


def test_a_figure_without_caption_stays_whole():
    from sinkrisk.plots import style

    figure = style.new_figure(2.0)
    svg = style.svg_text(figure)
    assert style.without_caption(figure, svg) == (svg, "")


def test_a_scale_is_named_where_a_criterion_has_no_unit(measures):
    table = measures.assign(criterion="technological_maturity", unit="1").drop_duplicates(
        ["portfolio", "statistic"]
    )
    (axes,) = plots.plot_measures(table).axes
    assert axes.get_xlabel() == "TRL"
