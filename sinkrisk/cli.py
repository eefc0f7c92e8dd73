"""The command line: thin, fast to start, and the only place where an error becomes an exit code.

Exit 0 on success, 2 on bad input with one message and no traceback, 3 when the convergence gate
refuses, 130 when interrupted. What the user asked for goes to standard output, everything else to
standard error.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sinkrisk import __version__
from sinkrisk.errors import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    EXIT_UNCONVERGED,
    ImbalanceWarning,
    SinkriskError,
)

app = typer.Typer(
    name="sinkrisk",
    help="Bayesian uncertainty and risk analysis for carbon sinks and removal portfolios.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
priors_app = typer.Typer(help="Look at and check the prior library.", no_args_is_help=True)
app.add_typer(priors_app, name="priors")
data_app = typer.Typer(help="Fetch and check Global Carbon Budget workbooks.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Spec = Annotated[str, typer.Argument(help="A spec file, or the name of a packaged one (global).")]
Out = Annotated[Path, typer.Option("--out", help="Run directory; created, resumed when it exists.")]
Draws = Annotated[
    int | None, typer.Option("--draws", help="Joint draws, a power of two; overrides the spec.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Random seed; overrides the spec.")]
Force = Annotated[bool, typer.Option("--force", help="Compute every stage anew.")]
Allow = Annotated[
    bool,
    typer.Option("--allow-unconverged", help="Go on past a failed gate, with a banner; exit code 3 stays."),
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no line per finished stage.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sinkrisk {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _run(spec: str, out: Path, until: str | None, **options: Any) -> None:
    from sinkrisk import running

    manifest, unconverged = running.run(spec, out, until=until, **options)
    shown = "report" if until is None else until
    record = manifest.stages[shown]
    if record.skipped is not None:
        typer.echo(f"{shown}: skipped, {record.skipped}", err=True)
    for name in record.outputs:
        if name.endswith((".html", ".csv", ".parquet")):
            typer.echo(os.fspath(out / name))
    if unconverged:
        typer.echo(f"not converged, allowed: {', '.join(unconverged)}", err=True)
        raise typer.Exit(EXIT_UNCONVERGED)


@app.command()
def run(
    spec: Spec,
    out: Out,
    draws: Draws = None,
    seed: Seed = None,
    force: Force = False,
    allow_unconverged: Allow = False,
    quiet: Quiet = False,
) -> None:
    """Run every stage of a spec and print the path of the report."""
    options = {"draws": draws, "seed": seed, "force": force, "allow_unconverged": allow_unconverged}
    _run(spec, out, None, progress=not quiet, **options)


def _stage_command(stage: str, text: str) -> None:
    def command(
        spec: Spec,
        out: Out,
        draws: Draws = None,
        seed: Seed = None,
        force: Force = False,
        allow_unconverged: Allow = False,
        quiet: Quiet = False,
    ) -> None:
        options = {"draws": draws, "seed": seed, "force": force, "allow_unconverged": allow_unconverged}
        _run(spec, out, stage, progress=not quiet, **options)

    command.__doc__ = text
    app.command(name=stage, help=text)(command)


_STAGES = {
    "network": "Run a spec up to the institutions: the network and its marginals.",
    "rank": "Run a spec up to the ranking of its portfolios.",
    "sobol": "Run a spec up to the Sobol' indices of its drivers.",
    "scenarios": "Run a spec up to the scenarios for optimizers.",
}
for _stage, _text in _STAGES.items():
    _stage_command(_stage, _text)


@app.command()
def reconcile(
    observations: Annotated[
        str, typer.Argument(help="global, china, ocean, a CSV file or a GCB workbook.")
    ] = "global",
    model: Annotated[str, typer.Option(help="hierarchical, open, robust or closed.")] = "hierarchical",
    errors: Annotated[
        str, typer.Option(help="'shares' (bias, autocorrelated, white) or 'iid', for comparison.")
    ] = "shares",
    series: Annotated[
        str | None, typer.Option(help="Of a workbook: 'assessed' series or the individual 'members'.")
    ] = None,
    attribution: Annotated[
        str, typer.Option(help="'include' lets constructed columns (method=attribution) into the likelihood.")
    ] = "exclude",
    draws: Annotated[int, typer.Option(help="Draws per chain.")] = 1000,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 1,
    level: Annotated[float, typer.Option(help="Mass of the equal-tailed intervals.")] = 0.9,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for budget.csv and attribution.csv.")
    ] = None,
) -> None:
    """Reconcile a carbon budget and print it with its intervals and the imbalance's attribution."""
    import warnings

    from sinkrisk import interrupts, texts

    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=ImbalanceWarning)
        warnings.showwarning = lambda message, *_, **__: typer.echo(f"sinkrisk: warning: {message}", err=True)
        text = texts.reconcile_text(
            observations,
            model=model,
            attribution=attribution,
            errors=errors,
            series=series,
            draws=draws,
            seed=seed,
            level=level,
            out=out,
        )
    interrupts.check()
    typer.echo(text)


@app.command()
def report(run_dir: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    """Write report.html of a run anew and print its path; exit 3 where a check of the run failed."""
    from sinkrisk import running

    path, failed, missing = running.rewrite_report(run_dir)
    typer.echo(os.fspath(path))
    if missing:
        typer.echo(f"unfinished run, these stages are missing: {', '.join(missing)}", err=True)
    if failed:
        typer.echo(f"not converged, allowed: {', '.join(failed)}", err=True)
        raise typer.Exit(EXIT_UNCONVERGED)


@priors_app.command("check")
def priors_check(
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV file for the table of contradictions.")
    ] = None,
) -> None:
    """Check the prior library and list what the review says against itself.

    Exit 2 when a source, interval or share of the library is wrong; a contradiction of the review
    is a result and fails nothing.
    """
    from sinkrisk import texts

    text, failed = texts.priors_check_text(out)
    typer.echo(text)
    if failed:
        raise typer.Exit(2)


@priors_app.command("list")
def priors_list() -> None:
    """List the quantities the library holds claims on, with the number of claims."""
    from sinkrisk import texts

    typer.echo(texts.priors_list_text())


@priors_app.command("show")
def priors_show(
    quantity: Annotated[str, typer.Argument(help="A quantity, for example cost.")],
    pathway: Annotated[str | None, typer.Option(help="Only this pathway.")] = None,
) -> None:
    """Show every claim on a quantity with its source and locator."""
    from sinkrisk import texts

    typer.echo(texts.priors_show_text(quantity, pathway))


@data_app.command("fetch")
def data_fetch(
    release: Annotated[
        str | None, typer.Option("--release", help="A release with a known hash: 2023 or 2024.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Address of any other workbook, or a mirror.")
    ] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="SHA-256 the file must have.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder; default a cache of the user's.")] = None,
) -> None:
    """Download a workbook, going on where an earlier attempt stopped, and print its path."""
    from sinkrisk import texts

    typer.echo(texts.data_fetch_text(release, url=url, sha256=sha256, folder=to))


@data_app.command("check")
def data_check(
    file: Annotated[Path, typer.Argument(help="A workbook (.xlsx) or an observation CSV.")],
) -> None:
    """Check a workbook against itself: closure, ensemble means, what was left out; exit 2 on failure."""
    from sinkrisk import texts

    text, failed = texts.data_check_text(file)
    typer.echo(text)
    if failed:
        raise typer.Exit(2)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; the console script's entry."""
    from sinkrisk import interrupts

    try:
        with interrupts.watch():
            app(args=arguments)
    except (KeyboardInterrupt, SystemExit) as stopped:
        # Typer turns an interrupt into a quiet exit, and a command may have finished in spite of one.
        if isinstance(stopped, SystemExit) and stopped.code != EXIT_INTERRUPTED and not interrupts.pressed():
            raise
        again = "; start the same command again to go on" if _resumes(arguments) else ", nothing is kept"
        typer.echo(f"\nsinkrisk: interrupted{again}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except SinkriskError as error:
        typer.echo(f"sinkrisk: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone; nothing is left to say to it.
        sys.stdout = None
        sys.exit(0)
    except OSError as error:
        typer.echo(f"sinkrisk: {_os_text(error)}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    finally:
        if arguments is None:
            # A process that ends looks through every object once more: after a compiler has filled the
            # heap, seconds between the answer and the prompt.
            gc.freeze()


def _resumes(arguments: list[str] | None) -> bool:
    """Return whether a command goes on where it stopped when it is started again."""
    given = sys.argv[1:] if arguments is None else arguments
    return bool(given) and (given[0] in ("run", *_STAGES) or given[:2] == ["data", "fetch"])


def _os_text(error: OSError) -> str:
    """Return what the system refused, and where, in one line."""
    if error.strerror is None:
        return str(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror}"


if __name__ == "__main__":
    main()
