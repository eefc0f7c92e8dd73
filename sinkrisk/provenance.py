"""Where a result came from: package versions, the machine's Python, input hashes, stage records.

The manifest of a run directory is the only authority on what is complete: a file that no stage
has recorded does not exist, whatever lies on the disk.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from sinkrisk import files
from sinkrisk.errors import InputError, Problem

MANIFEST_NAME = "manifest.json"
MANIFEST_FORMAT = 1

REPORTED_PACKAGES: tuple[str, ...] = (
    "sinkrisk", "numpy", "scipy", "pandas", "xarray", "pymc", "arviz",
    "pgmpy", "SALib", "linopy", "highspy", "zarr", "netCDF4", "pyarrow",
)  # fmt: skip


def versions(packages: Sequence[str] = REPORTED_PACKAGES) -> dict[str, str]:
    """Return installed versions by package name, and Python's; an absent package is left out."""
    out = {"python": platform.python_version(), "platform": sys.platform}
    for name in packages:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return out


@dataclass
class StageRecord:
    """What the manifest keeps of one finished stage."""

    stage: str
    inputs_hash: str
    outputs: dict[str, str]
    seconds: float
    skipped: str | None = None
    checks: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Manifest:
    """The record of a run directory.

    Parameters
    ----------
    spec : dict
        The spec as it was run, defaults filled in.
    seed : int
    inputs : dict of str to str
        File -> SHA-256 of every input read.
    versions : dict of str to str
    stages : dict of str to StageRecord
        In the order they finished.
    allowed_unconverged : bool
        True where a failed gate was overridden.
    started : str
        UTC time at which the first of the recorded stages began, ISO 8601.
    """

    spec: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    inputs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    allowed_unconverged: bool = False
    started: str = ""

    def write(self, directory: Path) -> None:
        """Write ``manifest.json`` into `directory`, atomically."""
        files.write_json(directory / MANIFEST_NAME, {"format": MANIFEST_FORMAT, **asdict(self)})

    @classmethod
    def read(cls, directory: Path) -> Manifest | None:
        """Return the manifest of a run directory, or None where there is none.

        Raises
        ------
        InputError
            When the file is there but is not a manifest.
        """
        path = directory / MANIFEST_NAME
        if not path.is_file():
            return None
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw.pop("format") != MANIFEST_FORMAT:
                raise KeyError("format")
            stages = {name: StageRecord(**record) for name, record in raw.pop("stages").items()}
            return cls(stages=stages, **raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                Problem(
                    "not a manifest written by sinkrisk",
                    file=str(path),
                    hint="use another --out, or remove this directory",
                )
            ) from error

    def complete(self, directory: Path, stage: str, inputs_hash: str) -> bool:
        """Return whether `stage` was recorded for these inputs and its outputs are unchanged."""
        record = self.stages.get(stage)
        if record is None or record.inputs_hash != inputs_hash:
            return False
        return all(
            (directory / name).exists() and files.sha256_of_tree(directory / name) == digest
            for name, digest in record.outputs.items()
        )
