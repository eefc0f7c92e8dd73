"""Reading a run directory: the manifest first, then only the tables it records, checked by hash."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sinkrisk import files
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.provenance import MANIFEST_NAME, Manifest, StageRecord
from sinkrisk.reporting.sources import SOURCES, Source

OPTIMUM_RECORD = "optimum.json"

STAGES: tuple[str, ...] = (
    "budget", "network", "inputs", "simulate", "scenarios", "optimize", "simulate_optimum", "survey",
    "outlook", "measure", "rank", "decide", "adapt", "sobol",
)  # fmt: skip
"""Stages in the order in which they run; the file of the manifest keeps them by name only."""

_OPTIMUM = ("portfolios", "scenarios", "optimize")

ASKED_BY: dict[str, tuple[str, ...]] = {
    "budget": ("budget",), "network": ("network",), "inputs": ("portfolios",), "simulate": ("portfolios",),
    "scenarios": ("portfolios", "scenarios"), "optimize": _OPTIMUM, "simulate_optimum": _OPTIMUM,
    "survey": ("portfolios", "survey"), "outlook": ("portfolios", "outlook"),
    "measure": ("portfolios", "target"), "rank": ("portfolios", "rank"),
    "decide": ("portfolios", "decision"), "adapt": ("portfolios", "adapt"), "sobol": ("portfolios", "sobol"),
}  # fmt: skip
"""Sections of the spec that ask for a stage: where one of them is not there, the stage is skipped."""


@dataclass(frozen=True)
class Collected:
    """A run directory as the report sees it.

    Parameters
    ----------
    directory : Path
    manifest : Manifest
    tables : dict of str to DataFrame
        The tables that the manifest records, by the names of `SOURCES`.
    optimum : dict
        Contents of ``optimum.json``, empty where there is none.
    """

    directory: Path
    manifest: Manifest
    tables: dict[str, pd.DataFrame]
    optimum: dict[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table, or None where the run has none or it holds no row."""
        return self.tables.get(name)

    def is_empty(self, name: str) -> bool:
        """Return whether the run recorded a table that holds no row."""
        source = SOURCES[name]
        record = self.manifest.stages.get(source.stage)
        return name not in self.tables and record is not None and source.file in record.outputs

    def why_absent(self, name: str) -> str:
        """Return in one sentence why a table is not there."""
        source = SOURCES[name]
        record = self.manifest.stages.get(source.stage)
        if record is None:
            return f"This run has no finished stage '{source.stage}', so there is nothing to report here."
        if record.skipped is not None:
            return f"The stage '{source.stage}' was skipped: {record.skipped}."
        if self.is_empty(name):
            return f"{source.file} holds no row, so there is nothing to report here."
        return f"The stage '{source.stage}' recorded no {source.file}, so there is nothing to report here."

    def option(self, *keys: str) -> Any:
        """Return an entry of the spec as it was run, or None."""
        value: Any = self.manifest.spec
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def checks(self) -> list[dict[str, Any]]:
        """Return every check of the run, each once: stage, name, passed (True, False, None), text."""
        found = [
            {"stage": stage, "name": c["name"], "passed": c["passed"], "text": c["text"]}
            for stage, record in self.stages().items()
            for c in record.checks
        ]
        known = {(c["name"], c["text"]) for c in found}
        table = self.table("checks")
        if table is not None:
            words = {"True": True, "true": True, "False": False, "false": False}
            for _, row in table.iterrows():
                if (row["name"], row["text"]) not in known:
                    passed = words.get(str(row["passed"]))
                    found.append(
                        {"stage": "budget", "name": row["name"], "passed": passed, "text": row["text"]}
                    )
        return found

    def missing(self) -> list[str]:
        """Return the stages that the spec asks for and no record speaks of, in running order.

        A whole run records every stage, run or skipped, so a stage without a record was never
        reached or never ended. The report's own stage is not counted: it may be the one that asks.
        """
        return [
            name
            for name in STAGES
            if name not in self.manifest.stages
            and all(self.option(section) is not None for section in ASKED_BY[name])
        ]

    def stages(self) -> dict[str, StageRecord]:
        """Return the stage records in running order, without the report's own."""
        held = self.manifest.stages
        names = [n for n in STAGES if n in held] + [n for n in held if n not in STAGES and n != "report"]
        return {name: held[name] for name in names}


def keyed(table: pd.DataFrame, *columns: str) -> dict[Any, dict[str, Any]]:
    """Return a table's rows as dicts by the value of one column, or by a tuple of several.

    Examples
    --------
    >>> keyed(pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), "a")["y"]["b"]
    2
    """
    rows = table.to_dict(orient="records")
    if len(columns) == 1:
        return {row[columns[0]]: row for row in rows}  # type: ignore[misc]
    return {tuple(row[c] for c in columns): row for row in rows}  # type: ignore[misc]


def collect(run_dir: str | Path) -> Collected:
    """Read the manifest of a run directory and every table that it records.

    Raises
    ------
    InputError
        All at once: no such directory, no manifest, a recorded file that is missing or was changed
        since, a table without a column it needs, text where a number belongs.
    """
    directory = Path(run_dir)
    if not directory.is_dir():
        raise InputError(
            Problem(
                "no such run directory",
                got=str(directory),
                hint="give the --out directory of 'sinkrisk run'",
            )
        )
    manifest = Manifest.read(directory)
    if manifest is None:
        raise InputError(
            Problem(
                f"not a run directory: it holds no {MANIFEST_NAME}",
                got=str(directory),
                hint="give the --out directory of 'sinkrisk run'",
            )
        )
    recorded: dict[str, set[str]] = {}
    for record in manifest.stages.values():
        for name, digest in record.outputs.items():
            recorded.setdefault(name, set()).add(digest)
    found = Problems()
    tables: dict[str, pd.DataFrame] = {}
    for name, source in SOURCES.items():
        if source.file in recorded:
            text = _intact(directory / source.file, recorded[source.file], found)
            table = _parse(text, source, directory, found) if text is not None else None
            if table is not None and not table.empty:
                tables[name] = table
    optimum: dict[str, Any] = {}
    if OPTIMUM_RECORD in recorded:
        text = _intact(directory / OPTIMUM_RECORD, recorded[OPTIMUM_RECORD], found)
        optimum = _record(text, directory / OPTIMUM_RECORD, found)
    found.raise_if_any()
    return Collected(directory, manifest, tables, optimum)


def _intact(path: Path, digests: set[str], found: Problems) -> str | None:
    """Return the text of a recorded file, or note that it is missing or was changed."""
    if not path.is_file():
        found.add("the manifest records this file, but it is missing", file=str(path), hint="run again")
    elif files.sha256_of(path) not in digests:
        found.add("changed since the manifest recorded it", file=str(path), hint="run again")
    else:
        return files.read_text(path, purpose="table of the run")
    return None


def _parse(text: str, source: Source, directory: Path, found: Problems) -> pd.DataFrame | None:
    path = str(directory / source.file)
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        found.add(f"not a table: {error}", file=path)
        return None
    missing = [c for c in source.columns if c not in table.columns]
    for column in missing:
        found.add("missing column", got=", ".join(map(str, table.columns)), key=column, file=path, row=1)
    if missing:
        return None
    for column in source.numeric:
        values = pd.to_numeric(table[column].replace({"": None}), errors="coerce")
        wrong = values.isna() & ~table[column].str.lower().isin(["", "nan", "na"])
        for row in table.index[wrong]:
            # The header is line 1 of the file.
            found.add("not a number", got=str(table.at[row, column]), key=column, file=path, row=int(row) + 2)
        table[column] = values.astype(float)
    return table


def _record(text: str | None, path: Path, found: Problems) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        found.add(f"not JSON: {error}", file=str(path))
        return {}
    if not isinstance(value, dict):
        found.add("must hold keys and values", got=type(value).__name__, file=str(path))
        return {}
    return value
