"""What the caption of Sobol' bars says of the design behind them"""

from __future__ import annotations

from scipy import stats

from sinkrisk import plots, sensitivity

DRIVERS = {name: stats.uniform(0, 1) for name in ("a", "b")}


def caption_of(design):
    found = sensitivity.sobol(lambda x: x @ [1.0, 2.0], DRIVERS, 64, design=design, rng=1)
    return " ".join(plots.plot_sobol(sensitivity.sobol_table(found)).get_supxlabel().split())


def test_replicates_and_random_designs_are_told_apart():
    assert "95 % equal-tailed replicate t interval over independent replicates of N = 64" in caption_of("qmc")
    assert "95 % equal-tailed bootstrap percentile interval of a random design of N = 64" in caption_of(
        "random"
    )
