from __future__ import annotations

import pytest

from sinkrisk.errors import (
    ConvergenceError,
    InputError,
    MissingDependencyError,
    Problem,
    Problems,
    SinkriskError,
    did_you_mean,
)


def test_problem_says_where_what_got_allowed_and_how_to_mend():
    problem = Problem(
        "unknown key", got="drwas", allowed=["draws", "seed"], file="a.yaml", row=4, key="drwas"
    )
    assert str(problem) == (
        "a.yaml, row 4, key 'drwas': unknown key: got 'drwas'; allowed: draws, seed; did you mean 'draws'?"
    )


def test_a_got_of_none_is_shown_but_an_absent_one_is_not():
    assert str(Problem("missing")) == "missing"
    assert str(Problem("missing", got=None)) == "missing: got None"


def test_all_problems_are_raised_at_once_and_none_twice():
    found = Problems(file="x.csv")
    found.add("first", row=1)
    found.add("second", row=2)
    found.extend([Problem("second", file="x.csv", row=2), Problem("third")])
    with pytest.raises(InputError) as caught:
        found.raise_if_any()
    assert len(caught.value.problems) == 3
    assert str(caught.value).splitlines() == [
        "3 problems:",
        "  - x.csv, row 1: first",
        "  - x.csv, row 2: second",
        "  - third",
    ]


def test_an_empty_collector_raises_nothing():
    Problems().raise_if_any()
    assert not Problems()


def test_exit_codes_and_ancestry():
    assert InputError("x").exit_code == 2
    assert ConvergenceError("x").exit_code == 3
    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, SinkriskError)


def test_missing_dependency_says_what_to_install():
    error = MissingDependencyError("dask", "chunks=", extra="scale")
    assert "pip install 'sinkrisk[scale]'" in str(error)
    assert isinstance(error, ImportError)


@pytest.mark.parametrize(("got", "near"), [("forest", "forests"), ("WETLAND", "wetlands"), ("zzz", None)])
def test_did_you_mean(got, near):
    assert did_you_mean(got, ["forests", "wetlands"]) == near


def test_hundreds_of_problems_are_counted_but_not_all_shown():
    error = InputError([Problem(f"fault {i}") for i in range(413)])
    lines = str(error).splitlines()
    assert lines[0] == "413 problems:"
    assert lines[-1] == "  ... and 353 more; they are in the error's `problems`"
    assert len(lines) == 62
    assert len(error.problems) == 413
