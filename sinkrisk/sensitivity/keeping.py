"""A folder of evaluated blocks: an analysis that was killed, or is to be carried further, goes on from it

One record says what was analysed; every block of outputs is one file that is there as a whole or not at
all. A base sample that is doubled keeps all its rows, because Sobol' points and random rows extend.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinkrisk import files
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.sensitivity.design import DriverSet

Floats = NDArray[np.float64]

RECORD = "analysis.json"
FORMAT = 1
PROBES = np.array([0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999])
"""Where the drivers' quantiles are compared: a prior that changed is another analysis."""

_BLOCK = re.compile(r"(\d+)-(\d+)\.npy")


def about(who: DriverSet, design: str, second_order: bool, identity: str | None) -> dict[str, Any]:
    """Return what an analysis is of, apart from its seeds: equal records may share evaluations."""
    quantiles = None
    if who.distributions is not None:
        quantiles = files.hash_of(
            [[float(v) for v in np.asarray(d.ppf(PROBES), dtype=float)] for d in who.distributions]
        )
    return {
        "format": FORMAT,
        "drivers": list(who.names),
        "groups": list(who.group_of),
        "quantiles": quantiles,
        "design": design,
        "second_order": second_order,
        "identity": identity,
    }


class Folder:
    """Evaluated blocks on disk.

    Parameters
    ----------
    path : path
        Made if need be; a folder that holds something else is refused.
    record : dict
        From `about`.

    Raises
    ------
    InputError
        For a path that is no folder of evaluations, or one of another analysis: which parts differ.
    """

    def __init__(self, path: str | os.PathLike[str], record: dict[str, Any]) -> None:
        self.path = Path(path)
        self._record = record
        self._kept: dict[int, dict[int, int]] = {}
        self._stored: dict[str, Any] | None = None
        target = self.path / RECORD
        if target.exists():
            self._stored = self._same_analysis(target)
        elif self.path.exists() and (not self.path.is_dir() or self._holds_something()):
            raise InputError(
                Problem(
                    f"'{self.path}' is not a folder of evaluations",
                    allowed="a new or empty folder, or one this was written to before",
                    key="folder",
                )
            )

    def _holds_something(self) -> bool:
        # A record that another process is just writing is none yet.
        return any(not item.name.startswith(f".{RECORD}") for item in self.path.iterdir())

    def _same_analysis(self, target: Path) -> dict[str, Any]:
        """Return the stored record, or raise where it is of another analysis."""
        stored = _read_record(target)
        found = Problems()
        for key, value in self._record.items():
            if stored.get(key) != value:
                found.add(
                    f"'{self.path}' keeps evaluations of another analysis: other {key.replace('_', ' ')}",
                    got=_short(value),
                    allowed=_short(stored.get(key)),
                    key="folder",
                    hint="name another folder, or delete this one",
                )
        found.raise_if_any()
        return stored

    def _begin(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Write the record of a new folder, or return that of a process that was faster.

        Two processes that begin at once must not evaluate rows of different seeds into one folder.
        """
        target = self.path / RECORD
        record = self._record | {"seeds": list(seeds)}
        draft = self.path / f".{RECORD}.{uuid.uuid4().hex}"
        try:
            files.write_json(draft, record)
            try:
                os.link(draft, target)
            except FileExistsError:
                return self._same_analysis(target)
            except OSError:
                # No hard links on this file system.
                files.write_json(target, record)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                Problem(
                    f"no evaluations can be kept in '{self.path}': {error.strerror or error}",
                    key="folder",
                    hint="name a folder that can be written to",
                )
            ) from error
        return record

    def seeds(self, wanted: Sequence[int], fixed: bool) -> list[int]:
        """Return the seeds to use, recording them where the folder is new.

        Parameters
        ----------
        wanted : sequence of int
            One seed a replicate.
        fixed : bool
            Whether the user asked for them. Otherwise those of the folder are taken.
        """
        if self._stored is None:
            self._stored = self._begin(wanted)
        stored = [int(seed) for seed in self._stored["seeds"]]
        if not fixed and len(stored) == len(wanted):
            return stored
        common = min(len(stored), len(wanted))
        if stored[:common] != list(wanted)[:common]:
            raise InputError(
                Problem(
                    f"'{self.path}' keeps evaluations of another seed",
                    key="folder",
                    hint="pass the same rng, or rng=None to take the folder's",
                )
            )
        if len(wanted) > len(stored):
            self._stored = self._stored | {"seeds": list(wanted)}
            files.write_json(self.path / RECORD, self._stored)
        return list(wanted)

    def kept(self, replicate: int) -> dict[int, int]:
        """Return the blocks kept of a replicate: first row -> number of rows."""
        if replicate not in self._kept:
            place = self._place(replicate)
            found = [_BLOCK.fullmatch(item.name) for item in place.iterdir()] if place.is_dir() else []
            self._kept[replicate] = {
                int(match[1]): int(match[2]) - int(match[1]) for match in found if match is not None
            }
        return self._kept[replicate]

    def read(self, replicate: int, first: int, rows: int, outputs: int) -> Floats:
        """Return a kept block, (rows, outputs)."""
        path = self._file(replicate, first, rows)
        try:
            y = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(
                Problem(f"a kept block cannot be read: {error}", file=str(path), hint="delete the file")
            ) from error
        if y.shape != (rows, outputs) or y.dtype != np.float64:
            raise InputError(
                Problem(
                    "a kept block has another shape than the function returns",
                    got=str(y.shape),
                    allowed=f"({rows}, {outputs})",
                    file=str(path),
                    hint="name another folder: these are evaluations of another function",
                )
            )
        return np.asarray(y)

    def write(self, replicate: int, first: int, y: Floats) -> None:
        """Keep a block; it is there as a whole or not at all."""
        with files.atomic_file(self._file(replicate, first, len(y)), "wb") as handle:
            np.save(handle, y, allow_pickle=False)
        self.kept(replicate)[first] = len(y)

    def _place(self, replicate: int) -> Path:
        return self.path / f"replicate-{replicate:03d}"

    def _file(self, replicate: int, first: int, rows: int) -> Path:
        return self._place(replicate) / f"{first:010d}-{first + rows:010d}.npy"


def _read_record(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            Problem(f"the record of a folder of evaluations cannot be read: {error}", file=str(path))
        ) from error
    if not isinstance(stored, dict) or not isinstance(stored.get("seeds"), list):
        raise InputError(Problem("not the record of a folder of evaluations", file=str(path)))
    return stored


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
