"""XML read safely, with the line of every element: nothing is expanded, fetched or read without bound."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from sinkrisk import files
from sinkrisk.errors import InputError, Problem

MAX_ELEMENTS = 1_000_000
"""Elements one file may hold; a node of a network takes some twenty."""
MAX_DEPTH = 40

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# Older versions of GeNIe write Latin-1 and say so.
_ONE_BYTE = {"iso-8859-1", "latin-1", "latin1", "windows-1252", "us-ascii", "ascii"}


@dataclass(slots=True)
class Element:
    """One element: its tag, attributes, own text and children, and the line it starts on."""

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """Return the children of a tag."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> Element | None:
        """Return the first child of a tag, or None."""
        return next(iter(self.all(tag)), None)


def parse_xml(path: str | os.PathLike[str], *, purpose: str) -> Element:
    """Return the root element of an XML file.

    A document type may declare elements and attributes, as BIFXML files do, but no entities: so
    there is nothing to expand, and nothing outside the file is read. The file may have
    `files.MAX_TEXT_BYTES` (64 MiB), `MAX_ELEMENTS` elements and `MAX_DEPTH` levels. It is UTF-8,
    or Latin-1 when it says so.

    Raises
    ------
    InputError
        With the line: not XML, an entity declared or used, a limit passed, another encoding.
    """
    path = Path(path)
    text = _text(path, purpose)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    # Attributes that a document type would add by default are left out: they multiply a file's size.
    parser.specified_attributes = True
    root: list[Element] = []
    opened: list[Element] = []
    parts: list[list[str]] = []
    count = 0

    def refuse(what: str, **details: str) -> NoReturn:
        raise InputError(
            Problem(f"{purpose}: {what}", file=str(path), row=parser.CurrentLineNumber, **details)
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS:
            refuse("too many XML elements", allowed=f"up to {MAX_ELEMENTS}")
        if len(opened) >= MAX_DEPTH:
            refuse("XML nested too deeply", allowed=f"up to {MAX_DEPTH} levels")
        element = Element(tag, attributes, parser.CurrentLineNumber)
        (opened[-1].children if opened else root).append(element)
        opened.append(element)
        parts.append([])

    def end(_: str) -> None:
        opened.pop().text = "".join(parts.pop())

    def characters(data: str) -> None:
        parts[-1].append(data)

    def entity(name: str, *_: object) -> None:
        refuse("declares an entity", got=name, hint="entities are refused: write the text itself")

    def skipped(name: str, _: bool) -> None:
        refuse("uses an entity that the file does not define", got=name)

    def external(*_: object) -> int:
        refuse("refers to an external entity", hint="nothing outside the file is read")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = entity
    parser.SkippedEntityHandler = skipped
    parser.ExternalEntityRefHandler = external
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        raise InputError(
            Problem(
                f"{purpose}: not well-formed XML: {expat.ErrorString(error.code)}",
                file=str(path),
                row=error.lineno,
            )
        ) from error
    return root[0]


def _text(path: Path, purpose: str) -> str:
    files.require_file(path, purpose=purpose)
    with path.open("rb") as handle:
        declared = _DECLARED.match(handle.read(200))
    if declared is None or declared[1].decode().lower() not in _ONE_BYTE:
        return files.read_text(path, purpose=purpose)
    if path.stat().st_size > files.MAX_TEXT_BYTES:
        raise InputError(
            Problem(
                f"{purpose}: file too large", allowed=f"up to {files.MAX_TEXT_BYTES} bytes", file=str(path)
            )
        )
    encoding = declared[1].decode()
    try:
        return path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            Problem(f"{purpose}: not {encoding} text (byte {error.start})", file=str(path))
        ) from error
