"""The bibliography: which source keys exist, and where each is used.

A row's ``source`` is one key or several joined by ``;``. Every key of the library resolves in
``priors/references.bib`` or is the word ``assumption``: a belief of ours, whose reason stands in the
row's ``note``. In a user's own file a source may also be a key of a ``.bib`` beside it, or words.
Locators are places in the review (`REVIEW`); a key other than the review's is the work the review names
for the statement.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sinkrisk import files
from sinkrisk.errors import InputError, Problems

if TYPE_CHECKING:
    import pandas as pd

REVIEW = "ma2025"
"""Key of the review that the project implements."""

ASSUMPTION = "assumption"
"""The source of what the review does not state."""

_ENTRY = re.compile(r"^@(?P<kind>\w+)\s*\{\s*(?P<key>[^,\s]+)\s*,", re.MULTILINE)
_FIELD = re.compile(r"^\s*(?P<name>\w+)\s*=\s*\{(?P<value>.*)\}\s*,?\s*$", re.MULTILINE)


def split_keys(source: str) -> tuple[str, ...]:
    """Return the keys of a ``source`` cell.

    Examples
    --------
    >>> split_keys("fang2018; tang2018")
    ('fang2018', 'tang2018')
    """
    return tuple(key.strip() for key in source.split(";") if key.strip())


def load_references(path: str | os.PathLike[str] | None = None) -> dict[str, dict[str, str]]:
    """Return the entries of a BibTeX file: key -> fields, in the file's order.

    Parameters
    ----------
    path : path, optional
        Default: the library's ``priors/references.bib``. One field per line, values in braces.

    Raises
    ------
    InputError
        For a file that cannot be read, or a key that stands twice.

    Examples
    --------
    >>> load_references()["ma2025"]["year"]
    '2025'
    """
    path = Path(path) if path is not None else files.data_path("priors", "references.bib")
    text = files.read_text(path, purpose="bibliography")
    found = Problems(file=str(path))
    entries: dict[str, dict[str, str]] = {}
    heads = list(_ENTRY.finditer(text))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following is not None else len(text)]
        key = head["key"]
        if key in entries:
            found.add("entry given twice", got=key, row=text.count("\n", 0, head.start()) + 1)
        fields = {match["name"].lower(): match["value"] for match in _FIELD.finditer(body)}
        entries[key] = {"type": head["kind"].lower(), **fields}
    found.raise_if_any()
    return entries


@functools.cache
def _library_keys(path: Path, modified: int) -> tuple[str, ...]:
    return tuple(load_references(path))


def known_keys(beside: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Return the keys a table may cite: the library's, those of bibliographies beside it, `ASSUMPTION`."""
    library = files.data_path("priors", "references.bib")
    keys = dict.fromkeys(_library_keys(library, library.stat().st_mtime_ns))
    if beside is not None:
        for own in sorted(Path(beside).resolve().parent.glob("*.bib")):
            if own == library.resolve() or not own.is_file():
                continue
            # Any other bibliography may lie there for another purpose: its faults are none of ours.
            with contextlib.nullcontext() if own.name == library.name else contextlib.suppress(InputError):
                keys.update(dict.fromkeys(_library_keys(own, own.stat().st_mtime_ns)))
    return (*keys, ASSUMPTION)


def list_sources() -> pd.DataFrame:
    """Return every source of the library with the number of rows that cite it.

    Returns
    -------
    DataFrame
        Columns ``source, rows, tables, author, year, title``, most cited first; a row that cites
        several works counts for each. ``assumption`` is listed as a source of its own.

    Examples
    --------
    >>> sources = list_sources().set_index("source")
    >>> sources.loc["nasem2021", "tables"]
    'claims'
    """
    import pandas as pd

    from sinkrisk.priors import tables

    counts: dict[str, int] = {}
    where: dict[str, list[str]] = {}
    for name, table in tables.load_everything().items():
        if "source" not in table:
            continue
        for cell in table["source"]:
            for key in split_keys(cell):
                counts[key] = counts.get(key, 0) + 1
                if name not in where.setdefault(key, []):
                    where[key].append(name)
    entries = load_references()
    rows = [
        {
            "source": key,
            "rows": counts.get(key, 0),
            "tables": ";".join(where.get(key, [])),
            "author": entries.get(key, {}).get("author", ""),
            "year": entries.get(key, {}).get("year", ""),
            "title": entries.get(key, {}).get("title", ""),
        }
        for key in dict.fromkeys([*entries, *counts])
    ]
    return pd.DataFrame(rows).sort_values(["rows", "source"], ascending=[False, True]).reset_index(drop=True)
