"""The layouts of the tables behind the budget models: hyperparameters, and statements that join a budget."""

from __future__ import annotations

import math

from sinkrisk.priors.schemas import AddProblem, Column, Row, Schema

SOURCE = (Column("source", "source"), Column("locator", required=False), Column("note", required=False))
"""Where a row comes from: columns of most tables."""

BUDGET_FAMILIES: tuple[str, ...] = (
    "normal", "halfnormal", "lognormal", "beta", "gamma", "dirichlet", "constant", "relative",
)  # fmt: skip
"""Families of `BUDGET`, with what a and b are.

normal: mean, sd; halfnormal: 0, scale; lognormal: mean and sd of the logarithm; beta: both shapes;
gamma: shape, rate; dirichlet: weight; constant: the number, b where the note says what it is;
relative: a share of a flux, the least result in GtC/yr.
"""


def _budget_row(row: Row, add: AddProblem) -> None:
    family, a, b = row["family"], row["a"], row["b"]
    if family not in ("dirichlet", "constant") and math.isnan(b):
        add(f"a {family} needs b", got="", key="b")
    if family != "constant" and b <= 0.0:
        add("must be positive", got=b, allowed="above 0", key="b")
    if family in ("beta", "gamma", "dirichlet", "relative") and a <= 0.0:
        add("must be positive", got=a, allowed="above 0", key="a")


BUDGET = Schema(
    "budget",
    (
        Column("parameter", "identifier"),
        # Empty: the same for every component.
        Column("component", "identifier", required=False, vocabulary="components"),
        Column("family", "identifier", allowed=BUDGET_FAMILIES),
        Column("a", "number"),
        Column("b", "number", required=False),
        # A drift is a flux per year: of no other table, so not among units.UNITS.
        Column("unit", "unit", extra=("GtC/yr^2",)),
        *SOURCE,
    ),
    unique=("parameter", "component"),
    row_checks=(_budget_row,),
)

BUDGET_STATEMENTS = Schema(
    "budget statements",
    (
        Column("view", "identifier"),
        Column("table", "identifier"),
        Column("component", "identifier", vocabulary="components"),
        Column("geography", "identifier"),
        Column("estimate"),
        Column("start", "integer", minimum=1700, maximum=2300),
        # Empty: the row stays out, note says why.
        Column("as_component", "identifier", required=False, vocabulary="components"),
        Column("definition", required=False),
        Column("combine", required=False),
        Column("note"),
    ),
    unique=("view", "table", "component", "geography", "estimate", "start"),
)


EMISSIONS = Schema(
    "emissions",
    (
        Column("scenario", "identifier"),
        Column("year", "integer", minimum=1750, maximum=2300),
        # Gross of removal: a path net of it would count removal twice beside a portfolio.
        Column("fossil", "number", minimum=0.0),
        Column("land_use", "number"),
        Column("unit", "unit", allowed=("GtC/yr",)),
        *SOURCE,
    ),
    unique=("scenario", "year"),
)
