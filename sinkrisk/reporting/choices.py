"""The section on the portfolios: what they plan and what they achieve."""

from __future__ import annotations

import math
import re

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import in_order, readable, scale_text, sentence_case
from sinkrisk.plots.portfolio import tail_share
from sinkrisk.plots.style import PATHWAY_STYLES
from sinkrisk.reporting.blocks import Block, Column, Facts, Picture, Section, Table
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import (
    MISSING,
    decimals_for,
    fixed,
    percent,
    sentence,
    significant,
    span,
    unit_text,
)  # fmt: skip
from sinkrisk.reporting.sinks import interval_of

GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "outcomes",
        "Removal, what stays of it, and the air",
        ("net_removal_2050", "net_removal_2100", "durable_removal", "retained_2200", "co2_2100"),
    ),
    (
        "demands",
        "Costs and demands",
        ("total_cost", "cost_per_durable_tonne", "energy_demand", "land_demand", "water_demand"),
    ),
    (
        "ledgers",
        "Other ledgers, credits and people",
        (
            "avoided_emissions", "utilised_carbon", "credited_tonnes", "reallocated_share", "acceptance",
            "regional_equity",
        ),
    ),
)  # fmt: skip
"""Criteria told together, each group a figure and a table: its name, its title, what it holds."""

OUTCOMES: tuple[str, ...] = tuple(c for _, _, held in GROUPS for c in held)
"""Criteria reported as outcomes; the shortfall has a table of its own, the others are axes."""

MEDIANS = {
    "cost_per_durable_tonne": "as a few draws with hardly any durable tonne rule its mean, both of draws "
    "with durable removal above nought alone"
}
"""Criteria told by their median and after it the mean, in the table alone, and why."""


DISCOUNTING = (
    "The total cost is a present value, discounted to the start of the first period at each draw's own rate; "
    "the cost per durable tonne and the marginal abatement cost are not discounted."
)
"""Which of the costs told are discounted (`portfolio.measure`)."""

BEYOND = "plans within potentials"
"""Name of the simulation's check that says which plans ask for more than there is."""


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
    return f"{significant(float(amount))} {unit_text(str(unit))} of durable removal by {year}"


def _interval(measures: pd.DataFrame) -> str:
    return interval_of(measures[measures["statistic"].isin(["low", "high"])])


def statistics_of(measures: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """Return (portfolio, criterion) -> statistic -> value."""
    out: dict[tuple[str, str], dict[str, float]] = {}
    for row in measures.to_dict(orient="records"):
        out.setdefault((row["portfolio"], row["criterion"]), {})[row["statistic"]] = row["value"]
    return out


def portfolio_section(collected: Collected) -> Section:
    """Return the section with what the portfolios are made of and what they achieve."""
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
    drawn = f" ({int(draws)} of them)" if draws is not None else ""
    of_what = "of sinks, institutions, potentials, costs and disturbances"
    section.sentences.append(
        f"The portfolio is simulated to 2100 under joint draws{drawn} {of_what}."
        if len(portfolios) == 1
        else f"Every portfolio is simulated to 2100 under the same joint draws{drawn} {of_what}, so "
        "differences between portfolios are not differences of luck."
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
    section.warnings += beyond_text(collected)
    if "total_cost" in criteria:
        section.sentences.append(DISCOUNTING)
    moved = _moved(plans, names, values)
    if moved:
        section.sentences.append(moved)
    if "shortfall" in criteria:
        section.blocks += _target(collected, table, portfolios, values)
    for name, title, held in _groups(criteria):
        section.blocks += _measured(table, portfolios, held, values, interval, name, title)
    return section


def _groups(criteria: list[str]) -> list[tuple[str, str, list[str]]]:
    """Return the criteria of a run by group: the axes, named ones, and what the table of criteria adds."""
    from sinkrisk.priors import load_table

    table = load_table("criteria")
    reported = set(table.loc[~table["axis"].astype(bool), "criterion"].astype(str))
    rest = [c for c in criteria if c not in OUTCOMES and c != "shortfall"]
    groups = [
        ("criteria", "The axes of the comparison", [c for c in rest if c not in reported]),
        *((name, title, [c for c in held if c in criteria]) for name, title, held in GROUPS),
        ("others", "Further measures", [c for c in rest if c in reported]),
    ]
    return [group for group in groups if group[2]]


def _moved(
    plans: pd.DataFrame | None, names: dict[str, str], values: dict[tuple[str, str], dict[str, float]]
) -> str:
    """Return how much of what portfolios of one pathway deliver is of other pathways."""
    if plans is None:
        return ""
    held = named(plans[plans["planned"] > 0.0], names)
    counts = held.groupby("portfolio", sort=False)["pathway"].nunique()
    single = [
        (values[(p, "reallocated_share")]["mean"], p)
        for p in counts.index[counts == 1]
        if (p, "reallocated_share") in values
    ]
    told = [f"{percent(v)} of what “{p}” delivers" for v, p in sorted(single, reverse=True) if v > 0.0]
    if not told:
        return ""
    return (
        "What passive redundancy frees moves to biochar and enhanced weathering and counts for the portfolio "
        f"that planned it. A portfolio of one pathway is therefore not that pathway alone: {', '.join(told)} "
        "was moved there, on average over draws."
    )


def beyond_text(collected: Collected) -> list[str]:
    """Return what the simulation found of plans beyond the potential, in the names of the page, in one.

    Plans of the world and plans by region are checked apart; the page minds them once.
    """
    plans = collected.table("portfolios")
    words: dict[str, str] = {}
    if plans is not None:
        words |= {v: readable(v) for c in ("pathway", "period") for v in map(str, plans[c])}
        names = names_of(collected)
        words |= {v: f"“{names.get(v, readable(v))}”" for v in map(str, plans["portfolio"])}
    told = []
    for check in collected.checks():
        if check["name"] != BEYOND or check["passed"] is True:
            continue
        # What has an underscore is a label: of a region, where plans are by region.
        text = re.sub(
            r"\w+",
            lambda m: words.get(m[0], readable(m[0]) if "_" in m[0] else m[0]),
            str(check["text"]),
        )
        text = re.sub(r"(?<=\d)%", " %", unit_text(text))
        told.append(text[:1].upper() + text[1:])
    return [" ".join(map(sentence, told))] if told else []


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
    same = _bound_is_risk(short)
    rows = [
        [
            p,
            percent(s["probability_met"]),
            span(s["mean"], s["low"], s["high"], decimals),
            *([] if same else [fixed(s.get("value_at_risk", math.nan), decimals)]),
            fixed(s["cvar"], decimals),
        ]
        for p, s in zip(portfolios, of, strict=True)
    ]
    risk = "whose upper end is also the value at risk (VaR);" if same else "value at risk (VaR) and"
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
            f"{caption}Shortfall in {unit}: mean, in brackets the {interval}{',' if same else ';'} {risk} "
            f"conditional value at risk (CVaR, the mean) of the worst {tail} of draws. From measures.csv.",
            [
                Column("Portfolio", False),
                Column("P(target met)"),
                Column("Shortfall"),
                *([] if same else [Column("VaR")]),
                Column("CVaR"),
            ],
            rows,
        ),
    ]


def _bound_is_risk(short: pd.DataFrame) -> bool:
    """Return whether the interval leaves above it just the tail that the risk measures speak of."""
    stated = short[short["interval_mass"].notna() & (short["interval_kind"] != "")]
    masses = short.loc[short["statistic"] == "cvar", "tail_mass"].dropna()
    if stated.empty or masses.empty or set(stated["interval_kind"]) != {"equal-tailed"}:
        return False
    # A confidence level of 0.95 and a tail mass of 0.05 say the same.
    tail = min(float(masses.iloc[0]), 1.0 - float(masses.iloc[0]))
    return abs((1.0 - float(stated["interval_mass"].iloc[0])) / 2.0 - tail) < 1e-9


def _heading(criterion: str, unit: str) -> str:
    """Return a criterion with its unit, unless its name says it: "Share moved to other pathways"."""
    name = sentence_case(criterion)
    return name if not unit or unit in name.lower() else f"{name}, {unit}"


def _measured(
    table: pd.DataFrame,
    portfolios: list[str],
    picked: list[str],
    values: dict[tuple[str, str], dict[str, float]],
    interval: str,
    name: str,
    title: str,
) -> list[Block]:
    units = {c: scale_text(c, table.loc[table["criterion"] == c, "unit"].iloc[0]) for c in picked}
    decimals = {
        c: decimals_for([values[(p, c)][s] for p in portfolios for s in ("low", "median", "high")])
        for c in picked
    }
    rows = []
    for p in portfolios:
        row = [p]
        for c in picked:
            s = values[(p, c)]
            told = span(s["median" if c in MEDIANS else "mean"], s["low"], s["high"], decimals[c])
            row.append(f"{told}; {fixed(s['mean'], decimals[c])}" if c in MEDIANS else told)
        rows.append(row)
    drawn = [c for c in picked if c not in MEDIANS]
    pictures = [
        Picture(
            name,
            f"Mean and interval of {', '.join(readable(c) for c in drawn)} for every portfolio; the numbers "
            "are in the table that follows.",
            f"{title}: means with {interval}s.",
            lambda: plots.plot_measures(table, drawn),
        )
    ]
    return [
        *(pictures if drawn else []),
        Table(
            f"{title}: mean, in brackets the {interval}."
            + "".join(
                f" {sentence_case(c)}: median and after it the mean, {why}."
                for c, why in MEDIANS.items()
                if c in picked
            )
            + " From measures.csv.",
            [
                Column("Portfolio", False),
                *(Column(_heading(c, units[c])) for c in picked),
            ],
            rows,
            # What most readers look for stays open; with many portfolios the page is long enough.
            folded=name not in ("criteria", "outcomes"),
        ),
    ]
