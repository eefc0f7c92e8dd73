"""Plain-text answers of the small commands: a table on a terminal, with its interval named."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinkrisk import files
from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


def _aligned(frame: pd.DataFrame, digits: int = 3) -> str:
    def shown(x: float) -> str:
        text = f"{x:.{digits}f}"
        # What rounds to nothing has no sign.
        return text.removeprefix("-") if float(text) == 0.0 else text

    return frame.to_string(index=False, float_format=shown, na_rep="")


def reconcile_text(
    observations: str,
    *,
    model: str,
    attribution: str,
    errors: str,
    series: str | None,
    draws: int,
    seed: int,
    level: float,
    out: Path | None,
) -> str:
    """Reconcile a table and return it as text; write ``budget.csv`` and ``attribution.csv`` to `out`."""
    from sinkrisk import budget, interrupts
    from sinkrisk.budget.arguments import check_level

    # Whatever can be refused is refused before minutes of sampling.
    check_level(level)
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(Problem("--out is a file, not a folder", got=str(out)))
    with _told("sinkrisk.budget"):
        tree = budget.reconcile(
            budget.budget_observations(observations, model),
            model=model,
            draws=draws,
            rng=seed,
            attribution=attribution,
            errors=errors,
            series=series,
            check=False,
        )
    interrupts.check()
    checks = budget.diagnose(tree)
    budget.gate(checks)
    table = budget.summarise_budget(tree, level=level)
    shares = budget.attribute_imbalance(tree, level=level)
    parts = [
        f"{table['unit'].iloc[0]}; {table['interval_kind'].iloc[0]} {level:.0%} intervals; model {model}",
        "stated_sd, imbalance_sd, sd and what stands after +- are standard deviations",
        _aligned(table[["window", "component", "stated", "stated_sd", "mean", "sd", "low", "high"]]),
        "",
        *_attribution_lines(shares),
        "",
        budget.budget_result(tree, level=level).sentence,
        *(f"note: {check.text}" for check in checks if check.passed is None),
    ]
    if out is not None:
        for name, frame in (("budget.csv", table), ("attribution.csv", shares)):
            files.write_text(out / name, frame.to_csv(index=False, lineterminator="\n"))
            parts.append(str(out / name))
    return "\n".join(parts)


def _attribution_lines(shares: pd.DataFrame) -> list[str]:
    left_out = shares.attrs.get("not_attributed", [])
    said = f"No imbalance where closure determines a component: {', '.join(left_out)}." if left_out else ""
    if shares.empty:
        return [said or "No window states every component, so no imbalance is reported."]
    columns = [
        "window", "component", "adjustment_mean", "adjustment_low", "adjustment_high", "variance_share",
        "reported_imbalance", "imbalance_sd",
    ]  # fmt: skip
    title = "Where the imbalance goes (adjustments sum to the reported imbalance):"
    return [title, _aligned(shares[columns]), *filter(None, [said])]


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Show on a terminal what a part of the library logs of its progress."""
    log = logging.getLogger(name)
    if not sys.stderr.isatty():
        yield
        return
    handler, level = logging.StreamHandler(sys.stderr), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def priors_check_text(out: Path | None = None) -> tuple[str, bool]:
    """Return the outcome of every check of the prior library, and whether one failed.

    The checks come first, then every contradiction of the review: what is stated, what stands
    against it, the size between them. With `out` the contradictions are also written there as CSV.
    """
    from sinkrisk.priors import check_priors

    if out is not None and out.is_dir():
        raise InputError(Problem("--out is a folder, not a file", got=str(out)))
    checks = check_priors()
    marks = {True: "ok  ", False: "FAIL", None: "info"}
    lines = [f"{marks[c.passed]}  {c.name}: {c.text}" for c in checks]
    for check in checks:
        if check.name != "contradictions of the review" or check.table is None:
            continue
        for number, row in enumerate(check.table.to_dict("records"), 1):
            lines += ["", *_contradiction_lines(number, row)]
        if out is not None:
            files.write_text(out, check.table.to_csv(index=False, lineterminator="\n"))
            lines += ["", str(out)]
    return "\n".join(lines), any(c.passed is False for c in checks)


def _contradiction_lines(number: int, row: Mapping[Hashable, Any]) -> list[str]:
    unit = "" if row["unit"] == "1" else f" {row['unit']}"
    absolute = f"{row['absolute']:.3g}" if row["absolute"] < 1000.0 else f"{row['absolute']:.0f}"
    size = f"{absolute}{unit}, {row['relative']:.1%} of the larger"
    return [
        f"{number:3}  {row['rule']}: {row['subject']}, {row['quantity']}, {row['geography']}",
        f"     A  {row['statement_a']}  [{row['source_a']}; {row['locator_a']}]",
        f"     B  {row['statement_b']}  [{row['source_b']}; {_few(row['locator_b'])}]",
        f"     {row['severity']}; size {size}: {row['explanation']}",
    ]


def _few(locators: str, most: int = 2) -> str:
    places = locators.split("; ")
    if len(places) <= most:
        return locators
    return f"{'; '.join(places[:most])} and {len(places) - most} more"


def priors_list_text() -> str:
    """Return the quantities of the claims table with how many claims and pathways each has."""
    from sinkrisk import priors

    claims = priors.load_claims()
    table = claims.groupby("quantity").agg(
        claims=("id", "size"), pathways=("pathway", "nunique"), sources=("source", "nunique")
    )
    return _aligned(table.reset_index())


def priors_show_text(quantity: str, pathway: str | None = None) -> str:
    """Return every claim on a quantity with its source and locator, and what each pathway's give."""
    from sinkrisk import priors

    claims = priors.load_claims()
    known = sorted(set(claims["quantity"]))
    if quantity not in known:
        raise InputError(Problem("no claims on this quantity", got=quantity, allowed=known))
    chosen = claims[claims["quantity"] == quantity]
    if pathway is not None:
        pathways = sorted(set(chosen["pathway"]))
        if pathway not in pathways:
            raise InputError(
                Problem(f"no claims on {quantity} of this pathway", got=pathway, allowed=pathways)
            )
        chosen = chosen[chosen["pathway"] == pathway]
    columns = ["pathway", "low", "high", "central", "sd", "unit", "basis", "source", "locator"]
    stated = list(dict.fromkeys(chosen["pathway"]))
    return "\n".join([_aligned(chosen[columns], digits=4), "", *_elicited_lines(claims, quantity, stated)])


def _elicited_lines(claims: pd.DataFrame, quantity: str, pathways: list[str]) -> list[str]:
    """Return the pooled prior of each pathway as a table, and below it what was left out and why."""
    import pandas as pd

    from sinkrisk import priors

    rows, notes = [], []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", priors.ElicitationWarning)
        for pathway in pathways:
            try:
                found = priors.elicit(claims, pathway, quantity)
            except InputError as error:
                notes.append(f"not pooled: {error}")
                continue
            low, high = found.interval(0.9)
            rows.append(
                {
                    "pathway": pathway,
                    "basis": "/".join(found.basis),
                    "median": f"{float(found.ppf(0.5)):.4g}",
                    "low": f"{low:.4g}",
                    "high": f"{high:.4g}",
                    "unit": found.unit,
                    "claims": len(found.claims_used),
                    "sources": len(found.parts),
                    "disagreement": f"{found.disagreement:.2f}" if len(found.parts) > 1 else "",
                }
            )
            notes += [f"left out of {pathway}: {r['id']} ({r['reason']})" for r in found.claims_left_out]
    lines = []
    if rows:
        lines.append("Elicited: linear pool, low to high the 90 % equal-tailed interval; disagreement is the")
        lines.append("share of the variance between sources (of the logarithm, or the log odds of shares).")
        lines.append(_aligned(pd.DataFrame(rows)))
    return [*lines, *notes, *(f"warning: {item.message}" for item in caught)]


def data_fetch_text(
    release: str | None, *, url: str | None = None, sha256: str | None = None, folder: Path | None = None
) -> str:
    """Download a workbook and return its path; a line of progress on a terminal."""
    from sinkrisk.priors import fetch_release

    def show(held: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        print(f"\r{held / 1e6:.1f}{of} MB", end="", file=sys.stderr, flush=True)

    progress = show if sys.stderr.isatty() else None
    path = fetch_release(release, url=url, sha256=sha256, folder=folder, progress=progress)
    if progress is not None:
        print(file=sys.stderr)
    return str(path)


def data_check_text(file: Path) -> tuple[str, bool]:
    """Return what a workbook or an observation table holds and every check of it, and whether one failed."""
    from sinkrisk import priors

    if file.suffix.lower() == ".csv":
        return _check_observations(priors.load_observations(file))
    book = priors.read_workbook(file)
    rows = book.observations
    named = f"release {book.release}" + (f" v{book.version}" if book.version else "")
    counts = rows.groupby(["component", "method"], sort=False).agg(
        series=("estimate", "nunique"), rows=("value", "size"), first=("start", "min"), last=("end", "max")
    )
    lines = [f"{named}: {len(rows)} observations in GtC/yr", _aligned(counts.reset_index()), ""]
    checks = priors.check_workbook(book)
    marks = {True: "ok  ", False: "FAIL", None: "info"}
    lines.extend(f"{marks[c.passed]}  {c.name}: {c.text}" for c in checks)
    return "\n".join(lines), any(c.passed is False for c in checks)


def _check_observations(table: pd.DataFrame) -> tuple[str, bool]:
    """Return what an observation table holds, and whether the sums of a budget of it are beyond belief."""
    from sinkrisk import budget
    from sinkrisk.budget.balancing import find_misfits
    from sinkrisk.budget.identity import DERIVED, REQUIRED, SIGNS

    lines = [f"ok    {len(table)} observations of {table['component'].nunique()} components"]
    failed = False
    for geography, rows in table.groupby("geography", sort=False):
        if not set(REQUIRED) <= set(rows["component"]):
            continue
        mine = rows[rows["component"].isin([*SIGNS, *DERIVED])]
        mine.attrs = table.attrs
        # Members beside their assessed series are a choice to make, not a fault of the file.
        misfits = find_misfits(budget.prepare_rows(mine, series="assessed").rows)
        failed |= bool(misfits)
        lines.extend(f"FAIL  closure, {geography}: {misfit.text}" for misfit in misfits)
        if not misfits:
            lines.append(f"ok    closure, {geography}: the stated means of no window leave 4 of their sds")
    return "\n".join(lines), failed
