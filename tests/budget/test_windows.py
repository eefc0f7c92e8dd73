"""Labels and periods of windows."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sinkrisk import budget
from sinkrisk.errors import InputError


@given(st.integers(1000, 2500), st.integers(0, 60))
def test_labels_read_back(start, length):
    assert budget.parse_window(budget.window_label(start, start + length)) == (start, start + length)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("1960s", (1960, 1969)),
        ("2014~2023", (2014, 2023)),
        ("2014–2023", (2014, 2023)),
        ("2024 (projection.)", (2024, 2024)),
        (2023, (2023, 2023)),
        ((2014, 2023), (2014, 2023)),
        ([2024], (2024, 2024)),
    ],
)
def test_periods_as_tables_print_them(text, window):
    assert budget.parse_window(text) == window


@pytest.mark.parametrize(
    "text", ["196x", "", None, True, [], [True], (1, 2, 3), 2.5, "2023-2014", [2023, 2014]]
)
def test_anything_else_is_refused(text):
    with pytest.raises(InputError, match=r"not a period|ends before it starts"):
        budget.parse_window(text)


@given(st.lists(st.tuples(st.integers(1950, 2030), st.integers(0, 15)), min_size=1, max_size=6))
def test_overlap_equals_comparing_years(spans):
    windows = sorted({(start, start + length) for start, length in spans})
    labels = [budget.window_label(*window) for window in windows]
    years = [set(range(start, end + 1)) for start, end in windows]
    want = [
        (labels[i], labels[j])
        for i in range(len(windows))
        for j in range(i + 1, len(windows))
        if years[i] & years[j]
    ]
    assert budget.overlapping(labels) == want


def test_reference_window():
    assert budget.reference_window(["2023", "2014-2023", "2024", "1960-1969"]) == "2014-2023"
    assert budget.reference_window(["2023", "2020-2022"]) == "2020-2022"
    with pytest.raises(InputError, match="no windows"):
        budget.reference_window([])
