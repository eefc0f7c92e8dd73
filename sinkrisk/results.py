"""What every analysis hands back: a table, a sentence, a picture, and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Result:
    """A result that explains itself.

    Parameters
    ----------
    name : str
        Short name, for example ``"budget"``.
    table : DataFrame
        The numbers, with their intervals' kind and mass as columns or in ``attrs``.
    sentence : str
        What the numbers say, in words an analyst can quote.
    picture : callable returning Figure, optional
        Called only when a picture is wanted, so that matplotlib is not imported before.
    provenance : mapping
        Sources, seeds and settings behind the numbers.
    """

    name: str
    table: pd.DataFrame
    sentence: str
    picture: Callable[[], Figure] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Parameters
    ----------
    name : str
        What was checked.
    passed : bool or None
        None where the check only informs.
    text : str
        The finding in one sentence, with the figure and the threshold.
    table : DataFrame, optional
        The numbers behind it.
    """

    name: str
    passed: bool | None
    text: str
    table: pd.DataFrame | None = None
