"""Opening a workbook safely: its cells as plain rows, or one clear error and nothing read.

An .xlsx file is a zip archive of XML. Its directory is looked at before anything is unpacked, so that
a zip bomb, a renamed web page or half a download costs no memory and yields a sentence, not a
traceback.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import ParseError

from sinkrisk import files
from sinkrisk.errors import InputError, Problem

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Largest workbook opened, in bytes: the official ones have 0.4 million."""

MAX_UNPACKED_BYTES = 24 * 1024 * 1024
"""Largest sum of the unpacked parts, in bytes: the official ones have 2 million."""

MAX_TABLE_BYTES = 4 * 1024 * 1024
"""Largest unpacked styles or shared strings, which openpyxl holds as objects many times their size."""

MAX_RATIO = 250
"""Largest unpacked-to-packed ratio of a part above `RATIO_FROM` bytes; sheets of numbers reach about 30."""

_TABLES = ("xl/styles.xml", "xl/sharedStrings.xml")

RATIO_FROM = 1024 * 1024
MAX_PARTS = 2000
MAX_ROWS = 20_000
MAX_COLUMNS = 1024
MAX_SHEETS = 200

_PURPOSE = "workbook"
_CHUNK = 1 << 20
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    RuntimeError,
    RecursionError,
)
"""What zipfile and openpyxl raise on a damaged archive; none of them names the file."""

Cell = Any
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """One worksheet: its name, its rows of cell values, and whether it is hidden."""

    name: str
    rows: tuple[Row, ...]
    hidden: bool = False


def read_sheets(path: Path) -> tuple[Sheet, ...]:
    """Return the worksheets of an .xlsx file as rows of values.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of Sheet
        In the workbook's order. A cell is a number, a text, a date, a truth value or None; a formula
        is the value stored beside it.

    Raises
    ------
    InputError
        When there is no such file, or it is not a workbook, damaged, encrypted, too large, or a zip
        bomb. Nothing is unpacked before the archive's directory has passed.
    """
    path = files.require_file(path, purpose=_PURPOSE)
    _check_signature(path)
    _check_archive(path)
    return _read(path)


def _refuse(path: Path, what: str, **place: Any) -> NoReturn:
    raise InputError(Problem(f"{_PURPOSE}: {what}", file=str(path), **place))


def _check_signature(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        _refuse(path, "file too large", got=f"{size} bytes", allowed=f"up to {MAX_FILE_BYTES} bytes")
    if size == 0:
        _refuse(path, "empty file", hint="download it again")
    with path.open("rb") as handle:
        head = handle.read(512)
    if head[:2] == b"PK":
        return
    if head[:4] == b"\xd0\xcf\x11\xe0":
        _refuse(path, "an old .xls or an encrypted file", hint="save it as an unprotected .xlsx")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in text:
        hint = (
            "a licence or login page saved in its place? Accept the licence in a browser and download again"
        )
        _refuse(path, "a web page (HTML), not an .xlsx file", hint=hint)
    _refuse(path, "not an .xlsx file", hint="its first bytes are not those of a zip archive")


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            _check_directory(path, parts)
            names = {part.filename for part in parts}
            if "[Content_Types].xml" not in names or not any(n.startswith("xl/workbook") for n in names):
                shown = sorted(names)[:5]
                _refuse(path, "a zip archive, but no workbook in it", got=", ".join(shown))
            for part in parts:
                _check_part(path, archive, part)
    except InputError:
        raise
    except _BROKEN as error:
        hint = "the file is cut off or damaged; download it again"
        _refuse(path, f"not a readable zip archive ({_first_line(error)})", hint=hint)


def _check_directory(path: Path, parts: list[zipfile.ZipInfo]) -> None:
    if len(parts) > MAX_PARTS:
        _refuse(path, "too many parts in the archive", got=len(parts), allowed=f"up to {MAX_PARTS}")
    total = sum(part.file_size for part in parts)
    if total > MAX_UNPACKED_BYTES:
        allowed = f"up to {MAX_UNPACKED_BYTES} bytes"
        _refuse(path, "unpacks to too much (a zip bomb?)", got=f"{total} bytes", allowed=allowed)
    for part in parts:
        if part.filename in _TABLES and part.file_size > MAX_TABLE_BYTES:
            got = f"{part.filename}: {part.file_size} bytes"
            _refuse(
                path, "a part is too large (a zip bomb?)", got=got, allowed=f"up to {MAX_TABLE_BYTES} bytes"
            )
        if part.file_size > RATIO_FROM and part.file_size > MAX_RATIO * max(part.compress_size, 1):
            got = f"{part.filename}: {part.compress_size} bytes unpack to {part.file_size}"
            _refuse(path, "a part unpacks too far (a zip bomb?)", got=got, allowed=f"up to {MAX_RATIO} times")
        if part.flag_bits & 0x1:
            _refuse(path, "encrypted", hint="save it without a password")


def _check_part(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Unpack one part in pieces: its checksum must hold, and XML must define no entities."""
    tail = b""
    is_xml = part.filename.endswith((".xml", ".rels"))
    with archive.open(part) as handle:
        first = True
        while piece := handle.read(_CHUNK):
            if is_xml and first and piece[:2] in (b"\xff\xfe", b"\xfe\xff"):
                _refuse(path, f"{part.filename} is not UTF-8")
            first = False
            if is_xml and b"<!DOCTYPE" in tail + piece:
                _refuse(path, f"{part.filename} declares a document type; workbooks never do")
            tail = piece[-16:]


def _read(path: Path) -> tuple[Sheet, ...]:
    import openpyxl

    sheets: list[Sheet] = []
    try:
        # openpyxl warns of styles and extensions it does not know; the cells do not depend on them.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                if len(book.worksheets) > MAX_SHEETS:
                    _refuse(path, "too many sheets", got=len(book.worksheets), allowed=f"up to {MAX_SHEETS}")
                sheets.extend(_sheet(path, sheet) for sheet in book.worksheets)
            finally:
                book.close()
    except InputError:
        raise
    except _BROKEN as error:
        _refuse(path, f"its sheets cannot be read ({_first_line(error)})", hint="download it again")
    if not sheets:
        _refuse(path, "no worksheets in it")
    return tuple(sheets)


def _sheet(path: Path, sheet: Any) -> Sheet:
    # The stored dimension may be wrong or huge: rows are read as they are, up to the limits.
    sheet.reset_dimensions()
    rows: list[Row] = []
    for row in sheet.iter_rows(values_only=True, max_row=MAX_ROWS + 1):
        last = len(row)
        while last and (row[last - 1] is None or row[last - 1] == ""):
            last -= 1
        if last > MAX_COLUMNS:
            _refuse(
                path, f"sheet '{sheet.title}' is too wide", got=last, allowed=f"up to {MAX_COLUMNS} columns"
            )
        rows.append(tuple(row[:last]))
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) > MAX_ROWS:
        _refuse(path, f"sheet '{sheet.title}' is too long", allowed=f"up to {MAX_ROWS} rows")
    return Sheet(str(sheet.title), tuple(rows), sheet.sheet_state != "visible")


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:120]}" if text else type(error).__name__
