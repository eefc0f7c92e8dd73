"""The section on what becomes of a planned tonne, and which shared resource holds plans back"""

from __future__ import annotations

from typing import Any

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import in_order, readable, sentence_case
from sinkrisk.plots.tracing import STEP_WORDS
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import decimals_for, fixed, percent, span
from sinkrisk.reporting.sinks import interval_of

IN_A_TABLE = {"reallocated": "of which moved to other pathways"}
"""Words of a step that is a part of the one above, not one of the way."""

NOTED = 0.01
"""Least probability of binding that has a row."""


def traced_text(collected: Collected) -> str:
    """Return how much of a planned tonne becomes net removal, and where most of it is lost."""
    raw = collected.table("tracing")
    if raw is None:
        return ""
    table = named(raw, names_of(collected))
    net = table[table["step"] == "net"].set_index("portfolio")["share"].dropna()
    if net.empty:
        return ""
    best, worst = str(net.idxmax()), str(net.idxmin())
    own = keyed(table[table["portfolio"] == best], "step")
    losses = sorted((row for row in own.values() if row["role"] == "change"), key=lambda row: row["mean"])
    lost = [f"{percent(-row['share'])} {STEP_WORDS[row['step']]}" for row in losses[:2] if row["mean"] < 0.0]
    text = f"Of what “{best}” plans {percent(net[best])} become net removal on average"
    if len(net) > 1:
        text += f", the most of all portfolios (least: “{worst}”, {percent(net[worst])})"
    if lost:
        text += f"; the most is lost {' and '.join(f'as {one}' for one in lost)}"
    return text + "."


def tracing_section(collected: Collected) -> Section:
    """Return what becomes of a planned tonne: the steps to net removal, and the resources that bind."""
    section = Section("tracing", "What becomes of a planned tonne")
    raw = collected.table("tracing")
    if raw is None:
        section.absent = collected.why_absent("tracing")
        return section
    table = named(raw, names_of(collected))
    interval = interval_of(table)
    portfolios = list(dict.fromkeys(table["portfolio"]))
    section.sentences = [
        traced_text(collected),
        "A planned tonne may find no capacity, no shared resource, or no institutions that let it happen; "
        "what passive redundancy frees may move to another pathway. What is captured may be no removal, no "
        "addition, make up for regrowth given up on its land, or return to the air; what is stored pays for "
        "process emissions and non-CO₂ effects. Nothing is counted twice: the steps add up in every draw.",
    ]
    net = table[table["step"] == "net"].set_index("portfolio")["mean"]
    best = str(net.idxmax())
    held = keyed(table, "portfolio", "step")
    words = STEP_WORDS | IN_A_TABLE
    steps = [s for s in STEP_WORDS if (table.loc[table["step"] == s, "mean"] != 0.0).any()]
    # Small steps matter beside large plans.
    decimals = max(1, decimals_for([float(v) for v in table.loc[table["step"] == "net", "mean"]]))
    rows = []
    for p in portfolios:
        row = [p]
        for s in steps:
            one = held[(p, s)]
            if one["role"] == "level" and s != "planned":
                row.append(span(one["mean"], one["low"], one["high"], decimals))
            else:
                row.append(fixed(one["mean"], decimals))
        rows.append(row)
    section.blocks = [
        Picture(
            "tracing",
            "Two rows of stacked bars for each portfolio: what becomes of its plan, and what of the carbon "
            "it captures; the numbers are in the table that follows.",
            "From the plan to net removal, all portfolios.",
            lambda: plots.plot_tracing(table),
        ),
        Picture(
            "waterfall",
            f"Waterfall from plan to net removal of the portfolio “{best}”.",
            "Step by step, for the portfolio with the largest mean net removal.",
            lambda: plots.plot_waterfall(table, best),
        ),
        Table(
            f"Steps from plan to net removal, GtCO₂ over all periods: means, of levels in brackets the "
            f"{interval}. Negative: taken off. From tracing.csv.",
            [Column("Step", False), *(Column(p) for p in portfolios)],
            [[sentence_case(words[s]), *(row[k + 1] for row in rows)] for k, s in enumerate(steps)],
            folded=len(portfolios) > 6,
        ),
    ]
    section.blocks += _binding(collected, section)
    return section


def _binding(collected: Collected, section: Section) -> list[Block]:
    raw = collected.table("binding")
    if raw is None:
        return []
    table = named(raw, names_of(collected))
    noted = table[table["probability_binds"] >= NOTED]
    if noted.empty:
        section.sentences.append(
            f"No shared resource is oversubscribed in {percent(NOTED)} of draws or more: plans are cut by "
            "what can grow and by institutions before they compete for resources."
        )
        return []
    top = noted.sort_values("probability_binds", ascending=False, kind="stable").iloc[0]
    text = (
        f"Of the shared resources {readable(top['resource'])} binds most often: in "
        f"{percent(top['probability_binds'])} of draws for “{top['portfolio']}” in the "
        f"{readable(top['period'])}, where it takes {percent(top['share'])} of the plan on average"
    )
    if float(noted["share"].max()) < 0.01:
        text += ". Nowhere do shared resources take as much as 1 % of a plan"
    section.sentences.append(text + ".")
    return [
        Table(
            f"Shared resources that are oversubscribed in at least {percent(NOTED)} of draws: how likely, "
            f"how much is cut (GtCO₂/yr: mean, in brackets the {interval_of(table)}) and which share of "
            "the plan. From binding.csv.",
            [
                Column("Portfolio", False), Column("Period", False), Column("Resource", False),
                Column("P(binds)"), Column("Cut, GtCO₂/yr"), Column("Share of the plan"),
            ],
            [
                [
                    r["portfolio"], sentence_case(r["period"]), readable(r["resource"]),
                    percent(r["probability_binds"]), span(r["mean"], r["low"], r["high"]),
                    percent(r["share"]),
                ]
                for r in _sorted(noted)
            ],
            folded=True,
        )
    ]  # fmt: skip


def _sorted(noted: pd.DataFrame) -> list[dict[str, Any]]:
    order = {p: k for k, p in enumerate(in_order(noted["period"]))}
    portfolios = {p: k for k, p in enumerate(dict.fromkeys(noted["portfolio"]))}
    rows: list[dict[str, Any]] = [{str(k): v for k, v in r.items()} for r in noted.to_dict("records")]
    return sorted(rows, key=lambda r: (portfolios[r["portfolio"]], order[str(r["period"])]))
