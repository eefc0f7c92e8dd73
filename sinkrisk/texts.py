"""Plain-text answers of the small commands: a table on a terminal, with its interval named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sinkrisk import files
from sinkrisk.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


def _aligned(frame: pd.DataFrame, digits: int = 3) -> str:
    return frame.to_string(index=False, float_format=lambda x: f"{x:.{digits}f}", na_rep="")


def reconcile_text(
    observations: str,
    *,
    model: str,
    attribution: str,
    draws: int,
    seed: int,
    level: float,
    out: Path | None,
) -> str:
    """Reconcile a table and return it as text; write ``budget.csv`` and ``attribution.csv`` to `out`."""
    from sinkrisk import budget, priors

    tree = budget.reconcile(
        priors.load_observations(observations), model=model, draws=draws, rng=seed, attribution=attribution
    )
    checks = budget.diagnose(tree)
    budget.gate(checks)
    table = budget.summarise_budget(tree, level=level)
    shares = budget.attribute_imbalance(tree, level=level)
    parts = [
        f"{table['unit'].iloc[0]}; {table['interval_kind'].iloc[0]} {level:.0%} intervals; model {model}",
        _aligned(table[["window", "component", "stated", "stated_sd", "mean", "sd", "low", "high"]]),
        "",
        "Where the imbalance goes (adjustments sum to the reported imbalance):",
        _aligned(
            shares[
                [
                    "window",
                    "component",
                    "adjustment_mean",
                    "adjustment_share",
                    "variance_share",
                    "reported_imbalance",
                    "imbalance_sd",
                ]
            ]
        ),
        "",
        budget.budget_result(tree, level=level).sentence,
        *(f"note: {check.text}" for check in checks if check.passed is None),
    ]
    if out is not None:
        if out.exists() and not out.is_dir():
            raise InputError(Problem("--out is a file, not a folder", got=str(out)))
        for name, frame in (("budget.csv", table), ("attribution.csv", shares)):
            files.write_text(out / name, frame.to_csv(index=False, lineterminator="\n"))
            parts.append(str(out / name))
    return "\n".join(parts)


def priors_check_text() -> tuple[str, bool]:
    """Return the outcome of every check of the prior library, and whether one failed."""
    from sinkrisk.priors import check_priors

    checks = check_priors()
    marks = {True: "ok  ", False: "FAIL", None: "info"}
    lines = [f"{marks[c.passed]}  {c.name}: {c.text}" for c in checks]
    return "\n".join(lines), any(c.passed is False for c in checks)


def priors_list_text() -> str:
    """Return the quantities of the claims table with how many claims and pathways each has."""
    from sinkrisk import priors

    claims = priors.load_claims()
    table = claims.groupby("quantity").agg(
        claims=("id", "size"), pathways=("pathway", "nunique"), sources=("source", "nunique")
    )
    return _aligned(table.reset_index())


def priors_show_text(quantity: str, pathway: str | None = None) -> str:
    """Return every claim on a quantity with its source and locator."""
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
    return _aligned(chosen[columns], digits=4)
