"""A table that cannot be drawn is refused with one message that says what to mend."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError


def test_missing_columns_are_named_together(budget):
    with pytest.raises(InputError) as caught:
        plots.plot_budget(budget.drop(columns=["low", "unit"]))
    assert {p.key for p in caught.value.problems} == {"low", "unit"}


@pytest.mark.parametrize(
    ("name", "table"), [("plot_budget", [1, 2]), ("plot_measures", None), ("plot_sobol", "sobol.csv")]
)
def test_what_is_no_table_is_refused(name, table):
    with pytest.raises(InputError, match=r"not a table.*DataFrame"):
        getattr(plots, name)(table)


def test_an_empty_table_is_refused(optimum):
    with pytest.raises(InputError, match="no rows to draw"):
        plots.plot_optimum(optimum.iloc[:0])


def test_text_and_infinity_where_numbers_belong(sobol):
    table = sobol.astype({"value": object})
    table.loc[2, "value"] = "much"
    with pytest.raises(InputError, match="not a number") as caught:
        plots.plot_sobol(table)
    assert caught.value.problems[0].row == 3
    sobol.loc[0, "high"] = np.inf
    with pytest.raises(InputError, match="not finite"):
        plots.plot_sobol(sobol)


def test_an_interval_that_ends_before_it_starts(budget):
    budget.loc[4, ["low", "high"]] = [3.0, 1.0]
    with pytest.raises(InputError, match="ends before it starts") as caught:
        plots.plot_budget(budget)
    assert caught.value.problems[0].row == 5


def test_two_units_cannot_share_an_axis(portfolios):
    portfolios.loc[0, "unit"] = "MtCO2/yr"
    with pytest.raises(InputError, match=r"'unit' must be the same"):
        plots.plot_portfolio_composition(portfolios)


def test_two_interval_masses_cannot_share_a_caption(budget):
    budget.loc[0, "interval_mass"] = 0.5
    with pytest.raises(InputError, match=r"'interval_mass' must be the same"):
        plots.plot_budget(budget)


def test_a_negative_plan_is_refused(portfolios):
    portfolios.loc[1, "planned"] = -0.4
    with pytest.raises(InputError, match="negative"):
        plots.plot_portfolio_composition(portfolios)


def test_unknown_criterion_names_the_nearest(measures):
    with pytest.raises(InputError, match="did you mean 'shortfall'"):
        plots.plot_measures(measures, ["shortfal"])
    with pytest.raises(InputError, match="nothing chosen"):
        plots.plot_measures(measures, [])


def test_missing_statistic_is_named(measures):
    with pytest.raises(InputError, match="missing statistic"):
        plots.plot_measures(measures[measures["statistic"] != "low"])
    with pytest.raises(InputError, match="probability_met"):
        plots.plot_target(measures[measures["statistic"] != "probability_met"])


def test_marginals_without_deployment_modes_or_not_summing_to_one(marginals):
    with pytest.raises(InputError, match="no node 'deployment_mode'"):
        plots.plot_deployment_modes(marginals[marginals["base"] != "deployment_mode"])
    marginals.loc[1, "probability"] = 0.9
    with pytest.raises(InputError, match="no probabilities"):
        plots.plot_deployment_modes(marginals)


def test_acceptabilities_that_do_not_sum_to_one(ranking):
    ranking.loc[0, "value"] = 0.5
    with pytest.raises(InputError, match=r"do not sum to one.*trees"):
        plots.plot_rank_acceptability(ranking)


def test_a_rank_that_is_no_number(ranking):
    ranking.loc[0, "label"] = "first"
    with pytest.raises(InputError, match="no whole number"):
        plots.plot_rank_acceptability(ranking)


def test_a_ranking_without_the_quantity(ranking):
    with pytest.raises(InputError, match="no such quantity"):
        plots.plot_central_weights(ranking[ranking["quantity"] != "central_weight"])


def test_total_effects_of_two_measures_are_refused(sobol):
    sobol.loc[sobol["portfolio"] == "trees", "measure"] = "shortfall"
    with pytest.raises(InputError, match=r"'measure' must be the same"):
        plots.plot_total_effects(sobol)


def test_every_lazy_name_can_be_called_twice():
    for name in plots.__all__:
        assert callable(getattr(plots, name))
        assert getattr(plots, name) is getattr(plots, name)


def test_colours_tell_neighbours_apart():
    from matplotlib.colors import to_rgb

    from sinkrisk.plots import style

    for known in (style.MODE_STYLES, style.PATHWAY_STYLES):
        assert len(set(known.values())) == len(known)
    # Under deuteranopia (Machado et al. 2009, severity 1) the modes' colours stay apart.
    matrix = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    seen = [matrix @ np.array(to_rgb(colour)) for colour, _ in style.MODE_STYLES.values()]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 0.2


def test_ink_is_readable_on_every_colour_of_the_heatmaps():
    import matplotlib
    from matplotlib.colors import to_hex

    from sinkrisk.plots.style import ink_on

    assert (ink_on("#000000"), ink_on("#ffffff")) == ("white", "black")
    for name in ("cividis", "Blues"):
        for part in np.linspace(0, 1, 11):
            assert ink_on(to_hex(matplotlib.colormaps[name](part))) in {"white", "black"}


def test_frames_are_not_changed(sobol):
    before = sobol.copy()
    plots.plot_sobol(sobol)
    pd.testing.assert_frame_equal(sobol, before)
