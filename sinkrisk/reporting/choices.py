"""Sections on the choice: what portfolios plan and achieve, and their ranking."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import in_order, readable, sentence_case
from sinkrisk.plots.portfolio import tail_share
from sinkrisk.plots.ranking import acceptability_table
from sinkrisk.plots.style import PATHWAY_STYLES
from sinkrisk.reporting.blocks import Block, Column, Facts, Picture, Section, Table
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import (
    MISSING,
    decimals_for,
    fixed,
    percent,
    significant,
    span,
    unit_text,
)  # fmt: skip
from sinkrisk.reporting.sinks import interval_of

OUTCOMES = ("net_removal_2050", "net_removal_2100", "total_cost")
"""Criteria reported as outcomes; the shortfall has a table of its own, the others are axes."""


def names_of(collected: Collected) -> dict[str, str]:
    """Return portfolio -> name as the run's table of portfolios gives it."""
    table = collected.table("portfolios")
    names: dict[str, str] = {"optimum": "Optimum of the programme"}
    if table is not None and "name" in table.columns:
        names |= {str(k): str(v) for k, v in zip(table["portfolio"], table["name"], strict=True) if v}
    return names


def named(table: pd.DataFrame, names: dict[str, str], column: str = "portfolio") -> pd.DataFrame:
    """Return a copy of a table with portfolios called by their names."""
    return table.assign(**{column: [names.get(str(v), readable(v)) if v else "" for v in table[column]]})


def target_text(collected: Collected) -> str:
    """Return the target of the run in words, or an empty string where it has none."""
    amount, unit = collected.option("target", "net_removal"), collected.option("target", "unit")
    year = collected.option("target", "year")
    if amount is None:
        return ""
    return f"{significant(float(amount))} {unit_text(str(unit))} of net durable removal by {year}"


def _interval(measures: pd.DataFrame) -> str:
    return interval_of(measures[measures["statistic"].isin(["low", "high"])])


def statistics_of(measures: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """Return (portfolio, criterion) -> statistic -> value."""
    out: dict[tuple[str, str], dict[str, float]] = {}
    for row in measures.to_dict(orient="records"):
        out.setdefault((row["portfolio"], row["criterion"]), {})[row["statistic"]] = row["value"]
    return out


def portfolio_section(collected: Collected) -> Section:
    """Return section 4: what the portfolios are made of and what they achieve."""
    section = Section("portfolios", "Portfolios: what they plan and what they achieve")
    plans, measures = collected.table("portfolios"), collected.table("measures")
    names = names_of(collected)
    if plans is None and measures is None:
        section.absent = collected.why_absent("measures")
        return section
    if plans is not None:
        section.blocks += _composition(plans, names)
    else:
        section.sentences.append(collected.why_absent("portfolios"))
    if measures is None:
        section.sentences.append(collected.why_absent("measures"))
        return section
    table = named(measures, names)
    values, interval = statistics_of(table), _interval(table)
    portfolios = list(dict.fromkeys(table["portfolio"]))
    criteria = list(dict.fromkeys(table["criterion"]))
    draws = collected.option("draws")
    section.sentences.append(
        "Every portfolio is simulated to 2100 under the same joint draws"
        + (f" ({int(draws)} of them)" if draws is not None else "")
        + " of sinks, institutions, potentials, costs and disturbances, so differences between portfolios "
        "are not differences of luck."
    )
    undefined = sorted(
        (1.0 - s["probability_defined"], readable(c), p)
        for (p, c), s in values.items()
        if s.get("probability_defined", 1.0) < 1.0
    )
    if undefined:
        share, criterion, portfolio = undefined[-1]
        section.warnings.append(
            f"A measure per tonne is undefined in draws where nothing is deployed; statistics then speak of "
            f"the other draws. The largest such share is {percent(share)} ({criterion}, “{portfolio}”)."
        )
    axes = [c for c in criteria if c not in OUTCOMES and c != "shortfall"]
    outcomes = [c for c in criteria if c in OUTCOMES]
    if "shortfall" in criteria:
        section.blocks += _target(collected, table, portfolios, values)
    for name, picked, title in (
        ("outcomes", outcomes, "Cumulative removal and cost"),
        ("criteria", axes, "The criteria of the comparison"),
    ):
        if picked:
            section.blocks += _measured(table, portfolios, picked, values, interval, name, title)
    return section


def _composition(plans: pd.DataFrame, names: dict[str, str]) -> list[Block]:
    table = named(plans, names)
    unit = unit_text(table["unit"].iloc[0])
    portfolios = list(dict.fromkeys(table["portfolio"]))
    blocks: list[Block] = []
    if "description" in table.columns:
        described = dict(zip(table["portfolio"], table["description"], strict=True))
        blocks.append(Facts("The portfolios", [(p, described[p] or MISSING) for p in portfolios]))
    pathways = in_order(table["pathway"], tuple(PATHWAY_STYLES))
    periods = in_order(table["period"])
    planned = keyed(table, "portfolio", "pathway", "period")
    decimals = decimals_for([float(v) for v in table["planned"]])

    def cell(portfolio: str, pathway: str) -> str:
        held = [planned.get((portfolio, pathway, period)) for period in periods]
        if not any(held):
            return MISSING
        return " / ".join(fixed(row["planned"], decimals) if row else "0" for row in held)

    blocks.append(
        Picture(
            "composition",
            "Stacked bars of the planned amount by pathway for every portfolio and period; the numbers are "
            "in the table that follows.",
            f"What each portfolio plans, {unit}.",
            lambda: plots.plot_portfolio_composition(table),
        )
    )
    blocks.append(
        Table(
            f"Planned per year in {unit}: {' / '.join(readable(p) for p in periods)}. A dash: not part of "
            "the portfolio. From portfolios.csv.",
            [Column("Portfolio", False), *(Column(sentence_case(p)) for p in pathways)],
            [[p, *(cell(p, pathway) for pathway in pathways)] for p in portfolios],
            folded=True,
        )
    )
    return blocks


def _target(
    collected: Collected,
    table: pd.DataFrame,
    portfolios: list[str],
    values: dict[tuple[str, str], dict[str, float]],
) -> list[Block]:
    short = table[table["criterion"] == "shortfall"]
    unit, interval, tail = unit_text(short["unit"].iloc[0]), _interval(short), tail_share(short)
    target = target_text(collected)
    of = [values[(p, "shortfall")] for p in portfolios]
    decimals = decimals_for([s["cvar"] for s in of])
    rows = [
        [
            p,
            percent(s["probability_met"]),
            span(s["mean"], s["low"], s["high"], decimals),
            fixed(s.get("value_at_risk", math.nan), decimals),
            fixed(s["cvar"], decimals),
        ]
        for p, s in zip(portfolios, of, strict=True)
    ]
    caption = f"Target: {target}. " if target else ""
    return [
        Picture(
            "target",
            "Probability that each portfolio meets the target, and its shortfall with interval and "
            "conditional value at risk; the numbers are in the table that follows.",
            f"{caption}Probability that it is met, and the shortfall where it is not.",
            lambda: plots.plot_target(table),
        ),
        Table(
            f"{caption}Shortfall in {unit}: mean, in brackets the {interval}; value at risk (VaR) and "
            f"conditional value at risk (CVaR, the mean) of the worst {tail} of draws. From measures.csv.",
            [
                Column("Portfolio", False),
                Column("P(target met)"),
                Column("Shortfall"),
                Column("VaR"),
                Column("CVaR"),
            ],
            rows,
        ),
    ]


def _measured(
    table: pd.DataFrame,
    portfolios: list[str],
    picked: list[str],
    values: dict[tuple[str, str], dict[str, float]],
    interval: str,
    name: str,
    title: str,
) -> list[Block]:
    units = {c: unit_text(table.loc[table["criterion"] == c, "unit"].iloc[0]) for c in picked}
    decimals = {
        c: decimals_for([values[(p, c)][s] for p in portfolios for s in ("low", "mean", "high")])
        for c in picked
    }
    rows = []
    for p in portfolios:
        row = [p]
        for c in picked:
            s = values[(p, c)]
            row.append(span(s["mean"], s["low"], s["high"], decimals[c]))
        rows.append(row)
    return [
        Picture(
            name,
            f"Mean and interval of {', '.join(readable(c) for c in picked)} for every portfolio; the numbers "
            "are in the table that follows.",
            f"{title}: means with {interval}s.",
            lambda: plots.plot_measures(table, picked),
        ),
        Table(
            f"{title}: mean, in brackets the {interval}. From measures.csv.",
            [
                Column("Portfolio", False),
                *(Column(sentence_case(c) + (f", {units[c]}" if units[c] else "")) for c in picked),
            ],
            rows,
        ),
    ]


def ranking_section(collected: Collected) -> Section:
    """Return section 5: the probabilities of the ranks."""
    section = Section("ranking", "The ranking, with its probabilities")
    raw = collected.table("ranking")
    if raw is None:
        section.absent = collected.why_absent("ranking")
        return section
    names = names_of(collected)
    table = named(raw, names)
    wide = acceptability_table(table)
    first = {str(k): float(v) for k, v in wide.iloc[:, 0].items()}
    ranks = [int(r) for r in wide.columns]
    confidence = keyed(table[table["quantity"] == "confidence"], "portfolio")
    ordered = [str(p) for p in wide.index]
    criteria = collected.option("rank", "criteria")
    weights = collected.option("rank", "weights")
    section.sentences.append(
        "Portfolios are compared by stochastic multicriteria acceptability analysis (SMAA-2): for every "
        "joint draw and every set of criteria weights they are ranked, and the shares are the probabilities "
        "below."
        + (f" Criteria: {', '.join(readable(c) for c in criteria)}." if criteria else "")
        + _weights_text(weights)
    )
    best = max(first, key=lambda p: first[p])
    ahead = ", ".join(f"“{p}” {percent(v)}" for p, v in sorted(first.items(), key=lambda i: -i[1])[1:3])
    section.sentences.append(
        f"“{best}” ranks first with probability {percent(first[best])}"
        + (f", ahead of {ahead}" if ahead else "")
        + ". A probability far from 100 % means that the order depends on the draw and on whose "
        "weights count."
    )
    rows = []
    for position, p in enumerate(ordered):
        shares = [float(v) for v in wide.iloc[position]]
        mean = sum(r * v for r, v in zip(ranks, shares, strict=True))
        held = confidence.get(p)
        rows.append(
            [
                p,
                percent(shares[0]),
                percent(min(sum(shares[:3]), 1.0)),
                percent(shares[-1]),
                fixed(mean, 1),
                percent(held["value"]) if held else MISSING,
            ]
        )
    section.blocks = [
        Picture(
            "rank_acceptability",
            "Stacked bars with the probability of every rank for each portfolio, ordered by mean rank; the "
            "numbers are in the table that follows.",
            "Rank acceptability: the probability of every rank.",
            lambda: plots.plot_rank_acceptability(table),
        ),
        Table(
            "Probabilities of ranks, and the confidence factor: the probability of rank 1 at the portfolio's "
            "own central weights. From ranking.csv.",
            [
                Column("Portfolio", False),
                Column("P(rank 1)"),
                Column("P(rank 1 to 3)"),
                Column("P(last)"),
                Column("Mean rank"),
                Column("Confidence"),
            ],
            rows,
        ),
    ]
    if (table["quantity"] == "central_weight").any():
        section.blocks.append(
            Picture(
                "central_weights",
                "Matrix of the central criteria weights of each portfolio: the mean weights for which it "
                "ranks first.",
                "Central weights: for whose preferences each portfolio is the best.",
                lambda: plots.plot_central_weights(table),
            )
        )
    section.blocks += _pairwise(table, ordered, names)
    return section


def _weights_text(weights: Any) -> str:
    if weights == "uniform":
        return " Weights: every set of weights is equally likely (uniform)."
    if isinstance(weights, dict):
        told = ", ".join(f"{readable(k)} {significant(float(v))}" for k, v in weights.items())
        return f" Weights: Dirichlet with concentrations {told}."
    if isinstance(weights, list):
        return f" Weights: any that keep this order of importance: {', '.join(map(readable, weights))}."
    return ""


def _pairwise(table: pd.DataFrame, ordered: list[str], names: dict[str, str]) -> list[Block]:
    pairs = named(table[table["quantity"] == "pairwise"], names, "label")
    if pairs.empty:
        return []
    held = keyed(pairs, "portfolio", "label")
    rows = [
        [p, *(percent(held[(p, q)]["value"]) if p != q and (p, q) in held else MISSING for q in ordered)]
        for p in ordered
    ]
    return [
        Table(
            "Probability that the portfolio of the row ranks before that of the column.",
            [Column("Portfolio", False), *(Column(p) for p in ordered)],
            rows,
            folded=True,
        )
    ]
