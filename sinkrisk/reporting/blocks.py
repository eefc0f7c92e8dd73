"""What a page is made of: sections of sentences, tables and figures. No numbers are computed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers are set flush right."""

    heading: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table as text cells.

    Parameters
    ----------
    caption : str
        What the rows are, the unit, and the interval's kind and mass where there is one.
    columns : list of Column
    rows : list of list of str
    row_headers : int
        How many leading columns head their row.
    folded : bool
        Whether the page shows it folded away at first.
    """

    caption: str
    columns: list[Column]
    rows: list[list[str]]
    row_headers: int = 1
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure to draw.

    Parameters
    ----------
    name : str
        File name under ``figures/`` without the suffix.
    alt : str
        What the figure shows, for readers who cannot see it.
    caption : str
    draw : callable returning Figure
    """

    name: str
    alt: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class Facts:
    """A list of terms and what is to be said of each."""

    heading: str
    pairs: list[tuple[str, str]]
    folded: bool = False


@dataclass(frozen=True)
class Listing:
    """A heading with a list of sentences, or with preformatted text."""

    heading: str
    items: list[str] = field(default_factory=list)
    preformatted: str = ""
    folded: bool = False


Block = Table | Picture | Facts | Listing


@dataclass
class Section:
    """A numbered section of the page.

    Parameters
    ----------
    anchor, title : str
    sentences : list of str
        Paragraphs that come first.
    warnings : list of str
        Set apart, after the paragraphs.
    blocks : list of Block
    absent : str, optional
        Why there is nothing to show; then nothing else is shown.
    """

    anchor: str
    title: str
    sentences: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    absent: str | None = None

    def kind_of(self, block: Block) -> str:
        """Return the block's kind in lower case, by which the template chooses its markup."""
        return type(block).__name__.lower()
