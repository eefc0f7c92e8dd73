"""Intervals over draws of the tables, and the errors that the number of draws leaves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.network import draw_intervals, network_from_tables, query_draws, table_bank


def test_intervals_are_those_of_the_beta_within_their_own_errors():
    net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]}, equivalent_sample_size=10.0)
    draws = query_draws(net, "rain", table_bank(net, 4000, rng=7))
    table = draw_intervals(draws, 0.8).set_index("state")
    exact = stats.beta(2.0, 8.0)
    row = table.loc["yes"]
    # Three normal statements, each wrong beyond 5 standard errors with probability 6e-7.
    for value, error, truth in (
        (row.probability, row.mc_error, 0.2),
        (row.low, row.mc_error_low, exact.ppf(0.1)),
        (row.high, row.mc_error_high, exact.ppf(0.9)),
    ):
        assert abs(value - truth) < 5 * error
        assert error < 0.01
    assert row.mc_error == pytest.approx(exact.std() / np.sqrt(4000), rel=0.1)
    assert (row.interval_kind, row.interval_mass, row.draws) == ("equal-tailed", 0.8, 4000)
    with pytest.raises(InputError, match="mass of an interval"):
        draw_intervals(draws, 1.0)
