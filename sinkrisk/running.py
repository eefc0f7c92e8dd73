"""Check everything, then run: the functions behind the commands.

`run` reads every input file, builds every object that needs no sampling, and reports all problems
together, before the run directory is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sinkrisk import files
from sinkrisk.config import LoadedSpec, load_spec
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.pipeline import Context, execute
from sinkrisk.provenance import Manifest


def run(
    spec: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    draws: int | None = None,
    seed: int | None = None,
    force: bool = False,
    allow_unconverged: bool = False,
    until: str | None = None,
    progress: bool | None = None,
) -> tuple[Manifest, list[str]]:
    """Run a spec into a directory, going on where an earlier run stopped.

    Parameters
    ----------
    spec : path or str
        A YAML file, or the name of a packaged spec (``"global"``).
    out : path
        The run directory.
    draws, seed : int, optional
        Override the spec's.
    force : bool
        Compute every stage anew.
    allow_unconverged : bool
        Go on past a failed gate; the report carries a banner.
    until : str, optional
        Stop after this stage.
    progress : bool, optional
        Print progress; by default only on a terminal.

    Returns
    -------
    Manifest, list of str
        The record of the run, and the names of failed checks that were allowed.

    Raises
    ------
    InputError
        Everything wrong with the spec and the files it names, before anything is written.
    ConvergenceError
        When the gate refuses.
    """
    from sinkrisk.stages import stages

    loaded = load_spec(spec, {"draws": draws, "seed": seed})
    memory, hashes = prepare(loaded)
    context = Context(
        loaded=loaded,
        directory=Path(out),
        allow_unconverged=allow_unconverged,
        memory={**memory, "hashes": hashes},
    )
    return execute(context, stages(), inputs=hashes, until=until, force=force, progress=progress)


def prepare(loaded: LoadedSpec) -> tuple[dict[str, Any], dict[str, str]]:
    """Read and check every input of a spec.

    Returns
    -------
    memory : dict
        ``observations``, ``claims``, ``network``, ``portfolios`` and ``inputs_spec``, where the
        spec has them.
    hashes : dict of str to str
        Name -> SHA-256 of each input file; ``library`` covers the packaged ``priors/``.

    Raises
    ------
    InputError
        All problems of all files at once.
    """
    spec = loaded.spec
    found = Problems(file=str(loaded.located.path))
    memory: dict[str, Any] = {}
    hashes = {
        "spec": files.sha256_of(loaded.located.path),
        "library": files.sha256_of_tree(files.data_path("priors")),
    }
    if spec.budget is not None:
        _attempt(found, lambda: _observations(loaded, memory, hashes))
    if spec.network is not None:
        _attempt(found, lambda: _network(loaded, memory, hashes))
    if spec.portfolios is not None:
        _attempt(found, lambda: _portfolios(loaded, memory, hashes))
        _attempt(found, lambda: _claims(loaded, memory))
    _cross_check(loaded, memory, found)
    found.raise_if_any()
    return memory, hashes


def _attempt(found: Problems, action: Callable[[], None]) -> None:
    """Run one check; hand its problems to the collector, so that the next check runs too."""
    try:
        action()
    except InputError as error:
        found.extend(error.problems)


def _named_file(loaded: LoadedSpec, name: str, *keys: str) -> Path:
    path = loaded.resolve(name)
    if not path.is_file():
        place = loaded.place(*keys)
        raise InputError(
            Problem("no such file", got=str(path), hint="paths are taken relative to the spec", **place)
        )
    return path


def _observations(loaded: LoadedSpec, memory: dict[str, Any], hashes: dict[str, str]) -> None:
    from sinkrisk import budget, priors

    spec = loaded.spec.budget
    assert spec is not None
    source: str | Path = spec.observations
    if spec.is_file:
        source = _named_file(loaded, spec.observations, "budget", "observations")
    observations = priors.load_observations(source)
    hashes["observations"] = files.sha256_of(observations.attrs["path"])
    budget.read_table(observations, attribution=spec.attribution, windows=spec.windows)
    memory["observations"] = observations


def _network(loaded: LoadedSpec, memory: dict[str, Any], hashes: dict[str, str]) -> None:
    from sinkrisk import network

    spec = loaded.spec.network
    assert spec is not None
    path = None if spec.file is None else _named_file(loaded, spec.file, "network", "file")
    if path is not None:
        hashes["network"] = files.sha256_of(path)
    memory["network"] = network.load(path)


def _portfolios(loaded: LoadedSpec, memory: dict[str, Any], hashes: dict[str, str]) -> None:
    from sinkrisk import portfolio

    spec = loaded.spec.portfolios
    assert spec is not None
    path = None if spec.file is None else _named_file(loaded, spec.file, "portfolios", "file")
    if path is not None:
        hashes["portfolios"] = files.sha256_of(path)
    memory["portfolios"] = portfolio.plan(portfolio.load_portfolios(path, names=spec.names), spec.total)


def _claims(loaded: LoadedSpec, memory: dict[str, Any]) -> None:
    from sinkrisk import priors
    from sinkrisk.inputs.specification import InputsSpec

    memory["claims"] = priors.load_claims()
    given = loaded.spec.inputs or InputsSpec()
    update = {"seed": loaded.spec.seed}
    if loaded.spec.network is not None:
        update["tables"] = loaded.spec.network.tables
    memory["inputs_spec"] = given.model_copy(update=update)


def _cross_check(loaded: LoadedSpec, memory: dict[str, Any], found: Problems) -> None:
    """Check what one section says of another."""
    spec = loaded.spec
    sections = {
        "target": "portfolios",
        "rank": "target",
        "sobol": "target",
        "scenarios": "portfolios",
        "optimize": "scenarios",
    }
    for name, needed in sections.items():
        if getattr(spec, name) is not None and getattr(spec, needed) is None:
            found.add(f"section '{name}' needs a section '{needed}'", **_place(loaded, name))
    if "portfolios" in memory:
        names = [str(n) for n in memory["portfolios"]["portfolio"].values]
        for index, name in enumerate((spec.sobol.portfolios if spec.sobol else None) or ()):
            if name not in names:
                found.add(
                    "unknown portfolio",
                    got=name,
                    allowed=names,
                    **_place(loaded, "sobol", "portfolios", index),
                )
    criteria = _criteria()
    for section, key in (("rank", "criteria"), ("sobol", "measures")):
        part = getattr(spec, section)
        for index, name in enumerate(getattr(part, key) if part is not None else ()):
            if name not in criteria:
                found.add(
                    "unknown criterion", got=name, allowed=criteria, **_place(loaded, section, key, index)
                )


def _place(loaded: LoadedSpec, *keys: str | int) -> dict[str, Any]:
    place = loaded.place(*keys)
    place.pop("file")
    return place


def _criteria() -> list[str]:
    from sinkrisk import priors

    return [str(name) for name in priors.load_table("criteria")["criterion"]]
