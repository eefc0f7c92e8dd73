"""Check everything, then run: the functions behind the commands.

`run` reads every input file, builds every object that needs no sampling, and reports all problems
together, before the run directory is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sinkrisk import files
from sinkrisk.config import LoadedSpec, SpecError, load_spec
from sinkrisk.consistency import cross_check
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.pipeline import Context, exclusive, execute
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
        Print a line per stage to standard error; by default only on a terminal.

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

    try:
        loaded = load_spec(spec, {"draws": draws, "seed": seed})
    except SpecError as error:
        # A user with mistakes of both kinds hears of the ill-formed keys and the bad files in one go.
        found = Problems(found=list(error.problems))
        sound = error.sound
        if sound is not None:
            _attempt(found, lambda: prepare(sound))
        raise InputError(found.found) from error
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
        ``observations``, ``claims``, ``network``, ``portfolios`` (sets of plans: of the world, by
        region) and ``inputs_spec``, where the spec has them.
    hashes : dict of str to str
        Name -> SHA-256 of each input file; ``library`` covers the packaged ``priors/``.

    Raises
    ------
    InputError
        All problems of all files at once.
    """
    spec = loaded.spec
    found = Problems()
    memory: dict[str, Any] = {}
    hashes = {
        "spec": files.sha256_of(loaded.located.path),
        "library": files.sha256_of_tree(files.data_path("priors")),
    }
    if spec.budget is not None:
        _attempt(found, lambda: _observations(loaded, memory, hashes), loaded, "budget")
    if spec.network is not None:
        _attempt(found, lambda: _network(loaded, memory, hashes), loaded, "network")
    if spec.portfolios is not None:
        _attempt(found, lambda: _portfolios(loaded, memory, hashes), loaded, "portfolios")
        _attempt(found, lambda: _claims(loaded, memory), loaded, "inputs")
        if "inputs_spec" in memory:
            _attempt(found, lambda: _drivers(memory), loaded, "inputs")
    if spec.outlook is not None:
        _attempt(found, lambda: _outlook(loaded), loaded, "outlook")
    cross_check(loaded, memory, found)
    found.raise_if_any()
    return memory, hashes


def _attempt(
    found: Problems, action: Callable[[], Any], loaded: LoadedSpec | None = None, section: str = ""
) -> None:
    """Run one check; hand its problems to the collector, so that the next check runs too.

    A room does not know which file its argument came from: a problem without a file is placed at the
    spec's section.
    """
    try:
        action()
    except InputError as error:
        found.extend(
            p if loaded is None or p.file is not None else _placed(p, loaded, section) for p in error.problems
        )


def _placed(problem: Problem, loaded: LoadedSpec, section: str) -> Problem:
    keys = [k for k in (problem.key or "").split(".") if k]
    keys = keys if keys[:1] == [section] else [section, *keys]
    return replace(problem, **loaded.place(*keys))


def _named_file(loaded: LoadedSpec, name: str, *keys: str) -> Path:
    path = loaded.resolve(name)
    if not path.is_file():
        place = loaded.place(*keys)
        raise InputError(
            Problem("no such file", got=str(path), hint="paths are taken relative to the spec", **place)
        )
    return path


def _observations(loaded: LoadedSpec, memory: dict[str, Any], hashes: dict[str, str]) -> None:
    from sinkrisk import budget

    spec = loaded.spec.budget
    assert spec is not None
    source = spec.observations
    if spec.is_file:
        source = str(_named_file(loaded, spec.observations, "budget", "observations"))
    observations = budget.budget_observations(source, spec.model)
    path = observations.attrs.get("path")
    # A view joined of several tables has no file of its own: its rows are what the run depends on.
    content = observations.to_csv().encode()
    hashes["observations"] = files.sha256_of(path) if path else hashlib.sha256(content).hexdigest()
    if spec.model == "closed":
        budget.read_table(observations, attribution=spec.attribution, windows=spec.windows)
    else:
        for name in ("budget", "budget_statements"):
            hashes[name] = files.sha256_of(files.data_path("priors", f"{name}.csv"))
        prepared = budget.prepare_rows(observations, attribution=spec.attribution, series=spec.series)
        budget.check_report_windows(prepared, spec.windows)
    memory["observations"] = observations


def _network(loaded: LoadedSpec, memory: dict[str, Any], hashes: dict[str, str]) -> None:
    from sinkrisk import network

    spec = loaded.spec.network
    assert spec is not None
    path = None if spec.file is None else _named_file(loaded, spec.file, "network", "file")
    if path is not None:
        hashes["network"] = files.sha256_of(path)
    net = network.load(path)
    if loaded.spec.portfolios is not None:
        _deployable(net, path)
    memory["network"] = net


def _deployable(net: Any, path: Path | None) -> None:
    """Check that the network says what the simulation asks of it, and name its file."""
    from sinkrisk.network import require_deployment_modes

    try:
        require_deployment_modes(net)
    except InputError as error:
        file = None if path is None else str(path)
        raise InputError([replace(problem, file=file) for problem in error.problems]) from error


def _portfolios(loaded: LoadedSpec, memory: dict[str, Any], hashes: dict[str, str]) -> None:
    from sinkrisk import portfolio

    spec = loaded.spec.portfolios
    assert spec is not None
    path = None if spec.file is None else _named_file(loaded, spec.file, "portfolios", "file")
    if path is not None:
        hashes["portfolios"] = files.sha256_of(path)
    given = loaded.spec.inputs
    regions = given.regions if given is not None else None
    if path is None and spec.names is not None:
        listed = portfolio.list_strategies().set_index("portfolio")["regional"]
        world = [name for name in spec.names if not listed.get(name, False)]
        by_region = [name for name in spec.names if listed.get(name, False)]
        if world and by_region:
            memory["portfolios"] = [
                portfolio.plan(portfolio.load_portfolios(names=names, regions=regions), spec.total)
                for names in (world, by_region)
            ]
            return
    try:
        shares = portfolio.load_portfolios(path, names=spec.names, regions=regions)
    except InputError as error:
        if spec.names is None:
            raise
        # The totals are checked all the same, against every portfolio of the file.
        found = Problems(found=list(error.problems))
        _attempt(found, lambda: portfolio.plan(portfolio.load_portfolios(path), spec.total))
        raise InputError(found.found) from error
    memory["portfolios"] = [portfolio.plan(shares, spec.total)]


def _drivers(memory: dict[str, Any]) -> None:
    """Check what the spec fixes, replaces and cuts, before the budget that comes in last is sampled.

    What it says of the budget's own drivers can only be checked once there is a budget.
    """
    from sinkrisk import inputs

    def without_budget(given: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in given.items() if k != "budget_draw" and not k.startswith("outlook_")}

    spec = memory["inputs_spec"]
    names = ("fixed", "quantiles", "replaced", "between")
    spec = spec.model_copy(update={n: without_budget(getattr(spec, n)) for n in names})
    inputs.drivers(spec, network=memory.get("network"), claims=memory["claims"])


def _outlook(loaded: LoadedSpec) -> None:
    """Check the emissions of the outlook: the file, the scenario, the years."""
    from sinkrisk.budget.emission_paths import extend_emissions, gross_emissions, read_emissions

    spec = loaded.spec.outlook
    assert spec is not None
    if spec.emissions is None:
        from sinkrisk.priors import load_table

        path = read_emissions(load_table("emissions"), scenario=spec.scenario or "decline")
    else:
        named = _named_file(loaded, spec.emissions, "outlook", "emissions")
        path = read_emissions(named, scenario=spec.scenario)
    extend_emissions(gross_emissions(path, rule=spec.gross), spec.until, rule=spec.extend)


def _claims(loaded: LoadedSpec, memory: dict[str, Any]) -> None:
    from sinkrisk import priors
    from sinkrisk.inputs.specification import InputsSpec

    memory["claims"] = priors.load_claims()
    given = loaded.spec.inputs or InputsSpec()
    update = {"seed": loaded.spec.seed}
    if loaded.spec.network is not None:
        update["tables"] = loaded.spec.network.tables
    memory["inputs_spec"] = given.model_copy(update=update)


def rewrite_report(run_dir: str | os.PathLike[str]) -> tuple[Path, list[str], list[str]]:
    """Write the report of a run directory anew.

    Returns
    -------
    Path, list of str, list of str
        The report, the names of the run's failed checks, and the stages it has not reached.

    Raises
    ------
    InputError
        When the directory is no run, or another run is writing into it.
    """
    from sinkrisk import reporting
    from sinkrisk.reporting.collecting import collect

    directory = Path(run_dir)
    # No run has ever held a directory without a lock: the reader then says what is missing.
    held = exclusive(directory) if (directory / ".lock").exists() else contextlib.nullcontext()
    with held:
        path = reporting.report(directory)
        missing = collect(directory).missing()
    manifest = Manifest.read(directory) or Manifest()
    failed = [c["name"] for record in manifest.stages.values() for c in record.checks if c["passed"] is False]
    return path, failed, missing
