"""The layouts of the tables behind portfolios: further strategies, their regions, criteria of suitability"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sinkrisk.errors import Problems
from sinkrisk.priors import layouts
from sinkrisk.priors.layouts_budget import SOURCE
from sinkrisk.priors.schemas import AddProblem, Column, Row, Schema

SUITABILITY_CRITERIA_NAMES: tuple[str, ...] = (
    "clean_energy", "water", "co2_sources", "transport", "storage", "biomass",
    "reactive_minerals", "land", "acceptance", "market", "sea",
)  # fmt: skip
"""What a place must have for a pathway to suit it: the criteria of sections 4.1.2, 4.3 and 4.5."""

FURTHER_PORTFOLIOS = dataclasses.replace(layouts.PORTFOLIOS, name="further portfolios")
"""Strategies of the world that a run takes up only when they are named."""


def _parts_of_portfolios(rows: Sequence[tuple[int, Row]], found: Problems) -> None:
    sums: dict[str, float] = {}
    ways: dict[str, bool] = {}
    for at, row in rows:
        name = row["portfolio"]
        sums[name] = sums.get(name, 0.0) + row["part"]
        if ways.setdefault(name, row["coordinated"]) != row["coordinated"]:
            found.add("a portfolio is coordinated or not", got=name, key="coordinated", row=at)
    for name, total in sums.items():
        if abs(total - 1.0) > layouts.SHARE_TOLERANCE:
            found.add(f"parts of portfolio '{name}' do not sum to 1", got=total, allowed="1", key="part")


PORTFOLIO_REGIONS = Schema(
    "portfolio regions",
    (
        Column("portfolio", "identifier"),
        Column("region", "identifier", vocabulary="regions"),
        # A strategy of portfolios.csv or portfolios_further.csv, which says the shares of pathways.
        Column("mix", "identifier"),
        Column("part", "number", minimum=0.0, maximum=1.0, above=True),
        Column("coordinated", "boolean"),
        *SOURCE,
    ),
    unique=("portfolio", "region", "mix"),
    table_checks=(_parts_of_portfolios,),
)


def _criterion_row(row: Row, add: AddProblem) -> None:
    if row["low"] > row["high"]:
        add("low lies above high", got=row["low"], allowed=f"at most {row['high']:g}", key="low")
    here, elsewhere = ("region", "pathway") if row["kind"] == "endowment" else ("pathway", "region")
    if not row[here]:
        add(f"a row of kind '{row['kind']}' names a {here}", got="", key=here)
    if row[elsewhere]:
        add(f"a row of kind '{row['kind']}' names no {elsewhere}", got=row[elsewhere], key=elsewhere)


SUITABILITY_CRITERIA = Schema(
    "suitability criteria",
    (
        # endowment: how much of it a region has, 0 none to 1 as much as anywhere.
        # need: how far a pathway depends on it, 0 not at all to 1 impossible without.
        Column("kind", "identifier", allowed=("endowment", "need")),
        Column("criterion", "identifier", allowed=SUITABILITY_CRITERIA_NAMES),
        Column("pathway", "identifier", required=False, vocabulary="creditable pathways"),
        Column("region", "identifier", required=False, vocabulary="regions"),
        Column("low", "number", minimum=0.0, maximum=1.0),
        Column("high", "number", minimum=0.0, maximum=1.0),
        *SOURCE,
    ),
    unique=("kind", "criterion", "pathway", "region"),
    row_checks=(_criterion_row,),
)

MONITORING_KINDS: tuple[str, ...] = ("normal", "misread")
"""How monitoring errs: by a normal deviation of that size, or by reading a state as another one."""


def _monitoring_row(row: Row, add: AddProblem) -> None:
    if row["kind"] == "misread" and row["size"] >= 1.0:
        add("the probability of reading another state", got=row["size"], allowed="below 1", key="size")


MONITORING = Schema(
    "monitoring",
    (
        Column("signal", "identifier"),
        Column("kind", "identifier", allowed=MONITORING_KINDS),
        # normal: standard deviation of one period's reading; misread: probability of another state.
        Column("size", "number", minimum=0.0, above=True),
        Column("unit", "unit"),
        # The world's flux that is read with an error of that size; empty where the world has no part in it.
        Column("reference", "number", required=False, minimum=0.0, above=True),
        *SOURCE,
    ),
    unique=("signal",),
    row_checks=(_monitoring_row,),
)
