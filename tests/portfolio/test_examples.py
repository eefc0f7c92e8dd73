"""Every public function of the rooms portfolio and risk shows how it is called, by an example that runs."""

from __future__ import annotations

import doctest
import inspect

import pytest

from sinkrisk import portfolio, risk


def functions():
    return [
        pytest.param(getattr(room, name), id=f"{room.__name__}.{name}")
        for room in (portfolio, risk)
        for name in room.__all__
        if inspect.isfunction(getattr(room, name))
    ]


def shown(function) -> bool:
    """Return whether an example comes to a result: a call that is refused or skipped shows no use."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(function) or "")
    skipped = doctest.OPTIONFLAGS_BY_NAME["SKIP"]
    return any(e.want and not e.want.startswith("Traceback") and not e.options.get(skipped) for e in examples)


@pytest.mark.parametrize("function", functions())
def test_every_function_has_an_example(function):
    assert shown(function)
