"""The sweep of wrong objects over the public functions of a room: named or working, never a raw error"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sinkrisk.errors import SinkriskError


def faults(
    function: Callable[..., Any],
    right: Mapping[str, Any],
    wrong: Mapping[str, Any],
    fitting: Mapping[str, Collection[str]],
) -> list[str]:
    """Return what goes wrong when each argument in turn is each wrong object.

    Parameters
    ----------
    function : callable
    right : mapping
        Arguments that work.
    wrong : mapping
        Name of a kind -> an object of it.
    fitting : mapping
        Word of an annotation -> kinds that are right for it: what is wrong with their content is said
        of that content, not of the argument.
    """
    found = []
    for argument, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        suited = {
            kind for word, kinds in fitting.items() if word in str(parameter.annotation) for kind in kinds
        }
        for kind, value in wrong.items():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(**{**right, argument: value})
            except SinkriskError as error:
                if argument not in str(error) and kind not in suited:
                    found.append(f"{argument}={kind}: not named: {str(error)[:90]}")
            except OSError:
                pass
            except Exception as error:
                found.append(f"{argument}={kind}: {type(error).__name__}: {str(error)[:90]}")
    return found
