"""The layout of the credit factors: what a tonne's measurement, displacement and side effects take or add

Durability, reversal, additionality, delay and process energy come from the simulation's own inputs; only
what no input says stands here.
"""

from __future__ import annotations

from collections.abc import Sequence

from sinkrisk.errors import Problems
from sinkrisk.priors.schemas import AddProblem, Column, Row, Schema

CREDIT_FACTORS: tuple[str, ...] = ("measurement", "leakage", "co_benefit")
"""Factors of ``credits.csv``: share certified, share not displaced elsewhere, premium for side effects."""


def _credit_row(row: Row, add: AddProblem) -> None:
    if row["low"] > row["high"]:
        add("low lies above high", got=row["low"], allowed=f"at most {row['high']:g}", key="low")
    if row["factor"] != "co_benefit" and row["high"] > 1.0:
        add("a share above 1", got=row["high"], allowed="at most 1", key="high")


def _every_factor(rows: Sequence[tuple[int, Row]], found: Problems) -> None:
    held: dict[str, set[str]] = {}
    for _, row in rows:
        held.setdefault(row["pathway"], set()).add(row["factor"])
    for pathway, factors in held.items():
        for factor in CREDIT_FACTORS:
            if factor not in factors:
                found.add(f"pathway '{pathway}' lacks a factor", allowed=factor, key="factor")


CREDITS = Schema(
    "credits",
    (
        Column("pathway", "identifier", vocabulary="pathways"),
        Column("factor", "identifier", allowed=CREDIT_FACTORS),
        # Bounds of a uniform distribution, not an interval of some mass: a share has no tail beyond 1.
        Column("low", "number", minimum=0.0),
        Column("high", "number", minimum=0.0, maximum=2.0),
        Column("source", "source"),
        Column("locator", required=False),
        Column("note"),
    ),
    unique=("pathway", "factor"),
    row_checks=(_credit_row,),
    table_checks=(_every_factor,),
)
