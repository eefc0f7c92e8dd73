"""Running a spec: stages in order, each validated first, written whole, reused when unchanged.

A stage writes into ``DIR/.tmp-<stage>``; its outputs are renamed into place and only then recorded
in the manifest, so a run that dies leaves either a recorded stage or nothing that reads as one.
Started again it takes up every stage whose inputs' hash is unchanged and whose files are intact; a
stage of many evaluations keeps them in a folder of its own and goes on where it was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk import files, rng
from sinkrisk.errors import ConvergenceError, InputError, Problem
from sinkrisk.provenance import Manifest, StageRecord
from sinkrisk.results import Check

if TYPE_CHECKING:
    from sinkrisk.config import LoadedSpec, RunSpec


KEPT = ".kept-"
"""Begins the name of a folder that outlives a killed stage."""


@dataclass
class Context:
    """What stages share: the spec, the run directory and the artefacts in memory.

    Parameters
    ----------
    loaded : LoadedSpec
    directory : Path
        The run directory.
    allow_unconverged : bool
    memory : dict
        What `running.prepare` read, and what stages have read back from files, by name.
    digests : dict of str to str
        Stage -> hash of all that decides its result.
    """

    loaded: LoadedSpec
    directory: Path
    allow_unconverged: bool = False
    memory: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> RunSpec:
        """The checked spec."""
        return self.loaded.spec

    def stream(self, *names: str) -> np.random.Generator:
        """Return the named random stream of this run."""
        return rng.stream(self.spec.seed, *names)

    def artefact(self, name: str, read: Callable[[], Any]) -> Any:
        """Return an artefact, read once.

        Stages never hand arrays over in memory: a sum over an array read from a file and over the
        one that was written can differ in the last bit, and a resumed run must not differ.
        """
        if name not in self.memory:
            self.memory[name] = read()
        return self.memory[name]

    def kept(self, stage: str) -> Path:
        """Return the folder in which a stage keeps what it is to find again after a kill.

        It bears the hash of all that decides the stage's result, so it is never taken up by another
        spec or other code, and goes once the stage is recorded.
        """
        return self.directory / f"{KEPT}{stage}-{self.digests[stage][:16]}"


@dataclass
class StageOutput:
    """What a stage hands back beside the files it wrote."""

    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Parameters
    ----------
    name : str
    needs : tuple of str
        Stages whose outputs it reads; a skipped one counts as an empty input.
    identity : callable
        Context -> JSON-able value of everything in the spec and the input files that decides its
        result; the hash of it and of the needed stages' hashes decides reuse.
    skip : callable
        Context -> reason for skipping it, or None.
    run : callable
        (Context, folder to write into) -> StageOutput.
    outputs : tuple of str
        Names of the files or folders it writes, all of them.
    """

    name: str
    needs: tuple[str, ...]
    identity: Callable[[Context], Any]
    skip: Callable[[Context], str | None]
    run: Callable[[Context, Path], StageOutput]
    outputs: tuple[str, ...]


class Progress:
    """One line per stage on standard error; on a terminal it opens when the stage starts.

    Parameters
    ----------
    total : int
        Stages to come.
    enabled : bool, optional
        Print at all; by default on a terminal only.
    """

    def __init__(self, total: int, enabled: bool | None = None) -> None:
        self.total = total
        self.count = 0
        # A reader of a log wants whole lines, one per finished stage, as soon as it is finished.
        self.live = sys.stderr.isatty()
        self.enabled = self.live if enabled is None else enabled
        self.head = ""

    def start(self, name: str) -> None:
        """Announce a stage."""
        self.count += 1
        self.head = f"[{self.count:2d}/{self.total}] {name}"
        if self.enabled and self.live:
            print(f"{self.head} ...", end="", flush=True, file=sys.stderr)

    def end(self, text: str) -> None:
        """Close the stage's line."""
        if self.enabled:
            print(f" {text}" if self.live else f"{self.head}: {text}", flush=True, file=sys.stderr)


def package_hash() -> str:
    """Return a hash of the package's own source: changed code never reuses old results."""
    package = Path(__file__).parent
    sources = sorted(p for p in package.rglob("*") if p.suffix in {".py", ".j2"} and "_data" not in p.parts)
    return files.hash_of([[p.relative_to(package).as_posix(), files.sha256_of(p)] for p in sources])


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the run directory; the lock goes with the process, so a killed run leaves none behind."""
    lock = directory / ".lock"
    # A finished run may be read-only: its lock can still be held through a handle for reading.
    with open(lock, "a" if not lock.exists() or os.access(lock, os.W_OK) else "r") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                Problem(
                    "another run is writing into this directory",
                    got=str(directory),
                    hint="wait for it or use another --out",
                )
            ) from error
        yield


def prepare_directory(directory: Path) -> None:
    """Create the run directory, refusing a place that is a file or holds something else.

    Raises
    ------
    InputError
        When the path is a file, or a non-empty folder without a manifest.
    """
    if directory.exists() and not directory.is_dir():
        raise InputError(Problem("--out is a file, not a folder", got=str(directory)))
    if directory.is_dir() and Manifest.read(directory) is None:
        strangers = [p.name for p in directory.iterdir() if p.name != ".lock"]
        if strangers:
            raise InputError(
                Problem(
                    "--out is not empty and holds no manifest of a run",
                    got=f"{directory} ({', '.join(sorted(strangers)[:5])})",
                    hint="choose another folder, so that nothing of yours is overwritten",
                )
            )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(Problem(f"--out cannot be created: {error.strerror}", got=str(directory))) from error


def execute(
    context: Context,
    stages: Sequence[Stage],
    *,
    inputs: dict[str, str],
    until: str | None = None,
    force: bool = False,
    progress: bool | None = None,
) -> tuple[Manifest, list[str]]:
    """Run the stages that are not complete yet.

    Parameters
    ----------
    context : Context
    stages : sequence of Stage
        In an order in which every stage follows those it needs.
    inputs : dict of str to str
        File -> SHA-256 of the inputs, for the manifest.
    until : str, optional
        Stop after this stage; later ones that are still valid stay recorded.
    force : bool
        Compute every stage anew.
    progress : bool, optional
        Print a line per stage; by default only on a terminal.

    Returns
    -------
    Manifest, list of str
        The manifest, and the names of the checks that failed but were allowed.

    Raises
    ------
    ConvergenceError
        When a check failed and `context.allow_unconverged` is False; the stage is not recorded.
    """
    prepare_directory(context.directory)
    with exclusive(context.directory):
        _sweep(context.directory, stages)
        earlier = Manifest.read(context.directory) or Manifest()
        reasons = {stage.name: stage.skip(context) for stage in stages}
        digests = context.digests = _digests(context, stages, reasons)
        # What an earlier run recorded for other inputs leaves the manifest before anything new is
        # computed: a run killed half-way must never read as a mixture of two specs.
        manifest = Manifest(
            spec=context.spec.model_dump(mode="json"),
            seed=context.spec.seed,
            inputs=inputs,
            allowed_unconverged=context.allow_unconverged,
            stages={
                name: earlier.stages[name]
                for name, digest in digests.items()
                if not force and earlier.complete(context.directory, name, digest)
            },
        )
        # A run that goes on keeps its date, so that running it again changes no byte.
        resumed = bool(manifest.stages) and bool(earlier.started)
        manifest.started = earlier.started if resumed else datetime.now(UTC).isoformat(timespec="seconds")
        if manifest != earlier:
            manifest.write(context.directory)
            # At once, not at the end: beside the manifest of a new spec, a killed or refused run must
            # not leave tables and a report of the old one that open as if they were its own.
            _drop_strays(context.directory, manifest, earlier)
        _sweep_kept(context, [name for name in digests if name not in manifest.stages], force)
        last = len(stages) if until is None else [s.name for s in stages].index(until) + 1
        reporter = Progress(last, progress)
        unconverged: list[str] = []
        for stage in stages[:last]:
            reporter.start(stage.name)
            record = manifest.stages.get(stage.name)
            reused = record is not None
            if record is None:
                record = _run_stage(stage, context, digests[stage.name], reasons[stage.name])
            reporter.end(_ending(record, reused))
            failed = [c for c in record.checks if c["passed"] is False]
            if failed and not context.allow_unconverged:
                raise ConvergenceError(_refusal(stage.name, failed))
            unconverged += [c["name"] for c in failed]
            if reused:
                continue
            # Python dicts keep insertion order: a stage computed late takes its place in the order.
            manifest.stages[stage.name] = record
            manifest.stages = {s.name: manifest.stages[s.name] for s in stages if s.name in manifest.stages}
            manifest.write(context.directory)
            shutil.rmtree(context.kept(stage.name), ignore_errors=True)
    return manifest, unconverged


def _sweep(directory: Path, stages: Sequence[Stage]) -> None:
    """Remove what a killed run of these stages left behind, and nothing that only looks like it."""
    for stage in stages:
        shutil.rmtree(directory / f".tmp-{stage.name}", ignore_errors=True)
        for output in stage.outputs:
            for aside in directory.glob(f".old-{glob.escape(output)}-????????"):
                shutil.rmtree(aside, ignore_errors=True)


def _sweep_kept(context: Context, unfinished: Sequence[str], force: bool) -> None:
    """Remove what killed stages kept, unless a stage of this run can go on from it."""
    wanted = set() if force else {context.kept(name).name for name in unfinished}
    for folder in context.directory.glob(f"{KEPT}*"):
        if folder.name not in wanted:
            shutil.rmtree(folder, ignore_errors=True)


def _digests(context: Context, stages: Sequence[Stage], reasons: dict[str, str | None]) -> dict[str, str]:
    code = package_hash()
    digests: dict[str, str] = {}
    for stage in stages:
        upstream = {name: digests[name] for name in stage.needs if name in digests}
        digests[stage.name] = files.hash_of(
            [stage.name, code, reasons[stage.name], upstream, stage.identity(context)]
        )
    return digests


def _ending(record: StageRecord, reused: bool) -> str:
    if record.skipped is not None:
        return f"skipped: {record.skipped}"
    return "unchanged" if reused else f"{record.seconds:.1f} s"


def _run_stage(stage: Stage, context: Context, digest: str, reason: str | None) -> StageRecord:
    if reason is not None:
        return StageRecord(stage.name, digest, {}, 0.0, skipped=reason)
    folder = context.directory / f".tmp-{stage.name}"
    folder.mkdir()
    begin = time.perf_counter()
    try:
        with disk_errors_named(folder):
            output = stage.run(context, folder)
        checks = [
            {"name": c.name, "passed": None if c.passed is None else bool(c.passed), "text": c.text}
            for c in output.checks
        ]
        failed = [c for c in checks if c["passed"] is False]
        if failed and not context.allow_unconverged:
            raise ConvergenceError(_refusal(stage.name, failed))
        written = {p.name for p in folder.iterdir()}
        if written != set(stage.outputs):
            raise RuntimeError(
                f"stage {stage.name} wrote {sorted(written)}, declared {sorted(stage.outputs)}"
            )
        digests = {name: files.sha256_of_tree(folder / name) for name in stage.outputs}
        for name in stage.outputs:
            files.move_into(folder / name, context.directory / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return StageRecord(
        stage.name, digest, digests, round(time.perf_counter() - begin, 3), None, checks, list(output.notes)
    )


@contextlib.contextmanager
def disk_errors_named(folder: Path) -> Iterator[None]:
    """Turn the NetCDF library's bare RuntimeError on a full disk into an `OSError` that names a place."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("NetCDF:"):
            raise
        raise OSError(f"{folder}: could not be written ({error}); is the disk full?") from error


def _refusal(stage: str, failed: Sequence[dict[str, Any]]) -> str:
    listed = "; ".join(c["text"].rstrip(". ") for c in failed)
    return (
        f"stage {stage}: {listed}. Nothing was recorded. Where a convergence check failed, ask for more "
        "draws; --allow-unconverged goes on with a banner and keeps exit code 3"
    )


def _drop_strays(directory: Path, manifest: Manifest, earlier: Manifest) -> None:
    """Remove files that an earlier run recorded and this one no longer makes."""
    current = {name for record in manifest.stages.values() for name in record.outputs}
    for record in earlier.stages.values():
        for name in set(record.outputs) - current:
            target = directory / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)


def checks_table(manifest: Manifest) -> list[dict[str, Any]]:
    """Return every recorded check with its stage, one dict a row."""
    return [{"stage": name, **check} for name, record in manifest.stages.items() for check in record.checks]
