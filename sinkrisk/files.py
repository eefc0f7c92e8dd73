"""Files: safe YAML with line numbers, CSV with row numbers, hashes, atomic writes, packaged data.

Nothing here knows what a file means. Readers keep the place of each value, so that an error can
name it; writers leave either the old file or the whole new one.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Any

from sinkrisk.errors import InputError, Problem, Problems

MAX_TEXT_BYTES = 64 * 1024 * 1024
"""Largest text file read, in bytes: a table of the literature is thousands of times smaller."""
MAX_YAML_DEPTH = 40
MAX_YAML_NODES = 200_000
"""Values of a YAML file with its aliases written out: nine aliases of nine are hundreds of millions."""


def data_path(*parts: str) -> Path:
    """Return the path of a data file or folder that ships with the package.

    Data lie in ``sinkrisk/_data`` in an installed wheel and at the root of a checkout otherwise.
    An editable install may leave an older ``_data`` elsewhere; it is never looked at.

    Raises
    ------
    InputError
        When no such file exists, naming the folders looked in.
    """
    package = Path(str(resources.files("sinkrisk")))
    tried = [package / "_data", package.parent]
    for root in tried:
        candidate = root.joinpath(*parts)
        if candidate.exists():
            return candidate
    looked = ", ".join(str(root) for root in tried)
    raise InputError(Problem("no such packaged data", got="/".join(parts), hint=f"looked in {looked}"))


def require_file(path: str | os.PathLike[str], *, purpose: str, key: str | None = None) -> Path:
    """Return `path` when it is a readable file; otherwise raise an `InputError` naming it."""
    path = Path(path)
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*" + path.suffix)) if path.parent.is_dir() else []
        raise InputError(
            Problem(
                f"{purpose}: no such file",
                got=str(path),
                key=key,
                allowed=near or None,
                hint=None if near else f"the folder {path.parent} holds no {path.suffix or 'such'} file",
            )
        )
    if not path.is_file():
        raise InputError(Problem(f"{purpose}: not a file", got=str(path), key=key))
    return path


def read_text(path: str | os.PathLike[str], *, purpose: str = "read") -> str:
    """Return the text of a UTF-8 file, refusing other encodings and oversized files."""
    path = require_file(path, purpose=purpose)
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise InputError(
            Problem(
                f"{purpose}: file too large",
                got=f"{size} bytes",
                allowed=f"up to {MAX_TEXT_BYTES} bytes",
                file=str(path),
            )
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            Problem(
                f"{purpose}: not UTF-8 text (byte {error.start})",
                file=str(path),
                hint="save the file as UTF-8",
            )
        ) from error


@dataclass(frozen=True)
class LocatedYaml:
    """A YAML document with the line of every key and list item.

    Parameters
    ----------
    data : object
        The document as plain Python objects.
    lines : mapping of tuple to int
        Path of keys and indexes -> line, counted from 1.
    path : Path
    """

    data: Any
    lines: Mapping[tuple[str | int, ...], int]
    path: Path

    def line(self, *keys: str | int) -> int | None:
        """Return the line of a key, or of the nearest enclosing key that is in the file."""
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return None


def load_yaml(path: str | os.PathLike[str], *, purpose: str = "YAML file") -> LocatedYaml:
    """Read a YAML file safely: no tags, no duplicate keys, nothing nested or repeated without end.

    Raises
    ------
    InputError
        For a missing file, a syntax error, a Python tag, a duplicate key, nesting beyond
        `MAX_YAML_DEPTH`, or aliases that stand for more than `MAX_YAML_NODES` values or for
        themselves, with its line.
    """
    import yaml

    path = Path(path)
    text = read_text(path, purpose=purpose)
    found = Problems(file=str(path))
    try:
        _refuse_deep(text, found)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[tuple[str | int, ...], int] = {}
        if node is not None:
            _refuse_many(node, found)
        if node is not None:
            _walk_yaml(node, (), lines, found)
        found.raise_if_any()
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            Problem(
                f"{purpose}: not valid YAML: {getattr(error, 'problem', None) or error}",
                file=str(path),
                row=mark.line + 1 if mark is not None else None,
            )
        ) from error
    return LocatedYaml(data=data, lines=lines, path=path)


def _refuse_deep(text: str, found: Problems) -> None:
    """Refuse deep nesting from the events, before anything calls itself once a level."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            mark = event.start_mark
            row = None if mark is None else mark.line + 1
            found.add(f"nested deeper than {MAX_YAML_DEPTH} levels", row=row)
            found.raise_if_any()


def _refuse_many(root: Any, found: Problems) -> None:
    """Refuse aliases that stand for too many values, counted without writing them out."""
    import yaml

    counts: dict[int, int] = {}
    open_: set[int] = set()

    def count(node: Any) -> int:
        if id(node) in open_:
            found.add("an alias stands for what it lies in", row=node.start_mark.line + 1)
            found.raise_if_any()
        if id(node) not in counts:
            open_.add(id(node))
            parts: list[Any] = []
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                parts = node.value
            counts[id(node)] = 1 + sum(count(part) for part in parts)
            open_.discard(id(node))
            if counts[id(node)] > MAX_YAML_NODES:
                found.add(
                    "too many values once aliases are written out",
                    got=counts[id(node)],
                    allowed=f"up to {MAX_YAML_NODES}",
                    row=node.start_mark.line + 1,
                    hint="write the values without anchors (&) and aliases (*)",
                )
                found.raise_if_any()
        return counts[id(node)]

    count(root)


def _walk_yaml(
    node: Any, where: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], found: Problems
) -> None:
    import yaml

    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            row = key_node.start_mark.line + 1
            if key in seen:
                found.add("key given twice", key=".".join(map(str, (*where, key))), row=row)
            seen.add(key)
            lines[(*where, key)] = row
            _walk_yaml(value_node, (*where, key), lines, found)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk_yaml(item, (*where, index), lines, found)


@dataclass(frozen=True)
class LocatedRow:
    """One row of a CSV file as text, with the line it starts on (the header is line 1)."""

    row: int
    cells: Mapping[str, str]


def read_csv(
    path: str | os.PathLike[str],
    *,
    required: Sequence[str],
    optional: Sequence[str] | None = None,
    purpose: str = "CSV file",
) -> list[LocatedRow]:
    """Read a CSV file as text cells, keeping line numbers.

    Parameters
    ----------
    path : path
    required : sequence of str
        Columns that must be there.
    optional : sequence of str, optional
        Columns that may be there; with None any further column is accepted.
    purpose : str
        What the file is, for messages.

    Raises
    ------
    InputError
        All at once: missing, unknown or doubled columns, rows of another length, an empty file.
    """
    path = Path(path)
    text = read_text(path, purpose=purpose)
    found = Problems(file=str(path))
    reader = csv.reader(text.splitlines(keepends=True))
    header = next(_rows_of(reader, path, purpose), None)
    if not header:
        raise InputError(
            Problem(f"{purpose}: empty", file=str(path), hint=f"it needs the columns {', '.join(required)}")
        )
    header = [name.strip() for name in header]
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(required) > 1 and len(header) == 1 and separator in header[0]:
            raise InputError(
                Problem(
                    f"{purpose}: cells are separated by {word}",
                    got=header[0],
                    file=str(path),
                    row=1,
                    hint="save the file with commas between cells and points in numbers",
                )
            )
    for name in required:
        if name not in header:
            found.add(f"{purpose}: missing column", got=", ".join(header), key=name, row=1)
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            found.add(f"{purpose}: column given twice", key=name, row=1)
        if optional is not None and name not in required and name not in optional:
            found.add(f"{purpose}: unknown column", got=name, allowed=[*required, *optional], row=1)
    rows: list[LocatedRow] = []
    start = reader.line_num + 1
    for cells in _rows_of(reader, path, purpose):
        if any(cell.strip() for cell in cells):
            if len(cells) != len(header):
                found.add(
                    f"{purpose}: wrong number of cells",
                    got=len(cells),
                    allowed=str(len(header)),
                    row=start,
                    hint="quote a cell that contains a comma",
                )
            else:
                rows.append(LocatedRow(start, dict(zip(header, (c.strip() for c in cells), strict=True))))
        start = reader.line_num + 1
    found.raise_if_any()
    return rows


def _rows_of(reader: Any, path: Path, purpose: str) -> Iterator[list[str]]:
    """Yield the rows of a csv reader; what it cannot parse is an `InputError` with its line."""
    try:
        yield from reader
    except csv.Error as error:
        raise InputError(
            Problem(f"{purpose}: not readable as CSV: {error}", file=str(path), row=reader.line_num)
        ) from error


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_tree(path: str | os.PathLike[str]) -> str:
    """Return one SHA-256 for a file, or for a folder's files and their names."""
    path = Path(path)
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    for item in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(item.relative_to(path).as_posix().encode() + b"\0" + sha256_of(item).encode() + b"\0")
    return digest.hexdigest()


def hash_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value in its canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary neighbour of `path`; on success it replaces `path`, else it vanishes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle_number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle_number, mode, encoding=None if "b" in mode else "utf-8") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def require_target(path: str | os.PathLike[str], *, purpose: str) -> Path:
    """Return `path` when a file can be written there; otherwise raise an `InputError` naming it."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(Problem(f"{purpose}: not a path", got=type(path).__name__, allowed="a path"))
    target = Path(path)
    if target.is_dir():
        raise InputError(Problem(f"{purpose}: a folder, not a file", got=str(path), hint="add a file name"))
    return target


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically, UTF-8."""
    with atomic_file(path) as handle:
        handle.write(text)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a JSON file atomically, keys in the order given, numbers finite."""
    write_text(path, json.dumps(value, indent=2, default=str, allow_nan=False) + "\n")


def move_into(source: Path, target: Path) -> None:
    """Rename a file or folder onto `target`, moving what stood there aside first.

    A rename onto a folder that is not empty fails, so the old one is first renamed to a hidden
    neighbour and removed after the new one is in place.
    """
    aside: Path | None = None
    if target.is_dir() and not target.is_symlink():
        aside = Path(tempfile.mkdtemp(prefix=f".old-{target.name}-", dir=target.parent)) / target.name
        os.rename(target, aside)
    try:
        os.replace(source, target)
    except OSError:
        if aside is not None:
            os.rename(aside, target)
        raise
    finally:
        if aside is not None:
            shutil.rmtree(aside.parent, ignore_errors=True)
