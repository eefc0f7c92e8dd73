"""Regret by hand, and what binds it to the value of information."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from sinkrisk import risk
from sinkrisk.errors import InputError

tables = hnp.arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.floats(-50, 50))


def test_by_hand():
    values = [[3.0, 1.0, 2.0], [0.0, 4.0, 4.0]]
    np.testing.assert_array_equal(risk.regrets(values), [[0, 2, 1], [4, 0, 0]])
    np.testing.assert_allclose(risk.expected_regret(values), [2.0, 1.0, 0.5])
    np.testing.assert_allclose(risk.expected_regret(values, probability=[0.75, 0.25]), [1.0, 1.5, 0.75])
    np.testing.assert_allclose(risk.expected_regret(values, level=0.5), [4.0, 2.0, 1.0])


@given(tables)
def test_least_mean_regret_is_the_value_of_perfect_information(values):
    assert risk.expected_regret(values).min() == pytest.approx(risk.evpi(values), abs=1e-9)


@given(tables, st.floats(0.0, 0.95))
def test_bad_draws_regret_more_and_a_common_shift_changes_nothing(values, level):
    mean, tail = risk.expected_regret(values), risk.expected_regret(values, level=level)
    assert (tail >= mean - 1e-9).all()
    shift = np.arange(float(len(values)))[:, None]
    np.testing.assert_allclose(risk.regrets(values + shift), risk.regrets(values), atol=1e-9)


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match=r"level outside its range: got 1\.0"):
        risk.expected_regret([[1.0]], level=1.0)
    with pytest.raises(InputError, match="values are not finite"):
        risk.regrets([[np.inf, 1.0]])
