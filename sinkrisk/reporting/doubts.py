"""Sections on what drives the answers, and on the plan an optimizer makes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import in_order, readable, sentence_case
from sinkrisk.plots.style import PATHWAY_STYLES
from sinkrisk.reporting.blocks import Block, Column, Facts, Picture, Section, Table
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.driver_tables import (
    CHOICE,
    driver_blocks,
    labelled,
    settling_sentence,
    undefined_sentence,
)  # fmt: skip
from sinkrisk.reporting.judging import judging_sentences, judging_tables, rivals
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

GROUPS: dict[str, str] = {
    "budget": "which posterior draw of the carbon budget holds, so how strong the land and ocean sinks are",
    "network_tables": "which conditional tables of the governance network hold",
    "policy": "the states that the policy nodes of the network take",
    "market": "the states that the market nodes of the network take",
    "acceptance": "the states that the public-acceptance nodes of the network take",
    "deployment": "the deployment modes, given the states of their causes",
    "climate": "chance of climate shocks and disturbances",
    "potential": "how much each pathway can remove in a year",
    "growth": "today's capacity and how fast it can grow",
    "suitability": "how each pathway's potential is spread over the regions",
    "cost": "cost per tonne of each pathway",
    "energy": "process energy per tonne of each pathway",
    "durability": "how long stores last and how much a disturbance returns",
    "maturity": "technology readiness of each pathway",
    "ecological": "ecological risk scores",
    "economics": "how costs rise with use, and discounting",
    "accounting": "which part of a product's carbon counts as removal",
    "outlook": "how ocean, land and temperature answer to emissions",
    "feedback": "what removal sets off: regrowth foregone, other gases, setbacks that slow what follows",
    "resources": "what there is of land, biomass, water, clean energy and the rest, and what pathways need",
    "interactions": "what pathways do to each other",
}
"""What the groups of drivers stand for, in words."""

OWN_NOISE = (
    "The index of a network node measures the node's own noise: what policy and markets do through the "
    "deployment modes is credited to policy and market, not to deployment."
)
"""What an index of a group of network nodes says and what it does not."""

FEW_PANELS = 6
"""Up to so many outputs are drawn with bars; more become a matrix and a table."""


def driver_section(collected: Collected) -> Section:
    """Return the section with Sobol' indices of every measure and portfolio analysed."""
    section = Section("drivers", "Which doubt matters: the drivers")
    raw = collected.table("sobol")
    if raw is None:
        section.absent = collected.why_absent("sobol")
        return section
    table = labelled(collected, "sobol")
    assert table is not None
    measures = _choice_last(list(dict.fromkeys(table["measure"])))
    interval, size = interval_of(table), int(table["n"].iloc[0])
    replicates = int(table["replicates"].iloc[0])
    section.sentences = [
        "Sobol' indices divide the variance of a measure among groups of uncertain inputs. S1 is the part a "
        "group explains alone, ST its part with all its interactions; a group with ST near 0 may be fixed "
        "without changing the answer. They speak of variance, not of which portfolio wins.",
        f"Indices come from {replicates} independent scrambled designs of N = {size} points; intervals are "
        f"{interval}s over these replicates.",
        *(_leading(table, measure) for measure in measures),
        *filter(None, (_of_choice(measures), undefined_sentence(table), settling_sentence(collected))),
        OWN_NOISE,
    ]
    groups = collected.table("drivers")
    if groups is not None:
        counted = groups["group"].value_counts(sort=False)
        section.blocks.append(
            Facts(
                "Groups of drivers",
                [
                    (
                        readable(g),
                        _described(groups, str(g), int(n)),
                    )
                    for g, n in counted.items()
                ],
                folded=True,
            )
        )
    for measure in measures:
        section.blocks += _indices(table[table["measure"] == measure], measure, interval)
    section.blocks += driver_blocks(collected)
    return section


def _choice_last(measures: list[str]) -> list[str]:
    """Return the criteria, then what the choice turns on."""
    return [m for m in measures if m not in CHOICE] + [m for m in measures if m in CHOICE]


def _of_choice(measures: list[str]) -> str:
    """Return what the outputs that the choice turns on are, where the run analysed them."""
    if "margin" not in measures:
        return ""
    return (
        "Two kinds of output speak of the choice itself: whether a portfolio is the best of those analysed, "
        "by net benefit, and by how much the best leads the second. Of a yes or no, interactions explain "
        "more and single groups less than of a number."
    )


def _described(groups: pd.DataFrame, group: str, count: int) -> str:
    """Return what a group holds: its description where there is one, its size, its first driver."""
    text = f"{GROUPS[group]}; " if group in GROUPS else ""
    name = readable(groups.loc[groups["group"] == group, "name"].iloc[0])
    return f"{text}{count} driver{'' if count == 1 else 's'}, for example {name}"


@dataclass(frozen=True)
class Leading:
    """A group of drivers whose total-order index of a measure is, or may be, the largest.

    Parameters
    ----------
    driver : str
    mean, lowest, highest : float
        ST over the portfolios.
    leads, overlaps, portfolios : int
        In how many portfolios it is the largest; in how many its interval overlaps that of the
        largest (its own included); of how many.
    """

    driver: str
    mean: float
    lowest: float
    highest: float
    leads: int
    overlaps: int
    portfolios: int


def leading_groups(table: pd.DataFrame, measure: str) -> list[Leading]:
    """Return every group that leads a measure in some portfolio or cannot be told from its leader.

    Parameters
    ----------
    table : DataFrame
        Columns measure, portfolio, driver, index, value, low, high (`split_outputs`).
    measure : str

    Returns
    -------
    list of Leading
        Those that lead most often first, then by mean; empty where the measure never varies.
    """
    one = table[(table["measure"] == measure) & (table["index"] == "ST")].dropna(subset=["value"])
    leads: Counter[str] = Counter()
    overlaps: Counter[str] = Counter()
    for _, part in one.groupby("portfolio", sort=False):
        top = part.sort_values("value", ascending=False, kind="stable").iloc[0]
        leads[str(top["driver"])] += 1
        near = part[(part["high"] >= float(top["low"])) & (part["low"] <= float(top["high"]))]
        overlaps.update(str(d) for d in near["driver"])
    found = []
    for driver in overlaps | leads:
        values = one.loc[one["driver"] == driver, "value"]
        found.append(
            Leading(
                driver, float(values.mean()), float(values.min()), float(values.max()), leads[driver],
                overlaps[driver], int(one["portfolio"].nunique()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda g: (-g.leads, -g.mean))


def _leading(table: pd.DataFrame, measure: str) -> str:
    """Return which groups have, or may have, the largest total-order index of a measure."""
    groups = leading_groups(table, measure)
    if not groups:
        return (
            f"{sentence_case(measure)}: it is constant, or hardly ever varies, in every portfolio, so no "
            "index is defined."
        )
    many = groups[0].portfolios > 1
    told = []
    for g in groups:
        text = f"{readable(g.driver)} "
        if many:
            text += f"(largest in {g.leads} of {g.portfolios} portfolios, its interval overlaps the "
            text += f"largest's in {g.overlaps}; "
            text += f"mean ST {fixed(g.mean, 2)}, {fixed(g.lowest, 2)} to {fixed(g.highest, 2)})"
        else:
            text += f"(ST {fixed(g.mean, 2)})"
        told.append(text)
    return (
        f"{sentence_case(measure)}: groups whose total-order index is the largest, or whose interval "
        f"overlaps that of the largest{', in some portfolio' if many else ''}: {'; '.join(told)}."
    )


def _indices(one: pd.DataFrame, measure: str, interval: str) -> list[Block]:
    outputs = list(dict.fromkeys(one["output"]))
    label = readable(measure)
    rows: list[list[str]] = []
    held = keyed(one, "output", "driver", "index")
    for output in outputs:
        part = one[one["output"] == output]
        for driver in dict.fromkeys(part["driver"]):
            cells = []
            for index in ("S1", "ST"):
                row = held.get((output, driver, index))
                cells.append(span(row["value"], row["low"], row["high"], 2) if row else MISSING)
            if cells != [MISSING, MISSING]:
                rows.append([part["portfolio"].iloc[0] or MISSING, readable(driver), *cells])
    few = len(outputs) <= FEW_PANELS
    return [
        Picture(
            f"sobol_{''.join(c if c.isalnum() else '_' for c in measure)}",
            f"Sobol' indices of {label} by group of drivers and portfolio; the numbers are in the table that "
            "follows.",
            f"{sentence_case(measure)}: "
            + (f"S1 and ST with {interval}s." if few else "total-order index ST; intervals in the table."),
            lambda: plots.plot_sobol(one) if few else plots.plot_total_effects(one),
        ),
        Table(
            f"{sentence_case(measure)}: first-order (S1) and total-order (ST) index, in brackets the "
            f"{interval}. From sobol.csv.",
            [Column("Portfolio", False), Column("Group of drivers", False), Column("S1"), Column("ST")],
            rows,
            row_headers=2,
            folded=True,
        ),
    ]


def optimum_section(collected: Collected) -> Section:
    """Return the section with the plan an optimizer found on the scenarios."""
    section = Section("optimum", "The optimum over the scenarios")
    table = collected.table("optimum")
    if table is None:
        section.absent = collected.why_absent("optimum")
        return section
    record = collected.optimum
    unit = unit_text(table["unit"].iloc[0])
    section.sentences.append(
        "Whole joint draws were handed to a linear programme that plans capacity before it knows which "
        "scenario comes true, trading expected loss against the mean of the worst cases (CVaR). A tonne of "
        "the target missed costs a penalty, in money of the target year and discounted like that period's "
        "costs. The plan is then judged on fresh draws, and simulated on the run's draws it enters the "
        "ranking as one more portfolio."
    )
    section.sentences.append(_planned(table, unit))
    section.sentences += judging_sentences(record)
    compared, beaten = rivals(record)
    if beaten:
        section.warnings.append(compared)
    elif compared:
        section.sentences.append(compared)
    wide = keyed(table, "pathway", "period")
    periods = in_order(table["period"])
    pathways = in_order(table["pathway"], tuple(PATHWAY_STYLES))
    decimals = max(decimals_for([float(v) for v in table["planned"]]), 2)
    rows = [
        [
            sentence_case(p),
            *(fixed(wide[(p, q)]["planned"], decimals) if (p, q) in wide else MISSING for q in periods),
        ]
        for p in pathways
    ]
    section.blocks = [
        *judging_tables(record),
        Facts("Solution", _solution(record)),
        Picture(
            "optimum",
            "Planned amount of every pathway in the optimum, one panel a period; the numbers are in the "
            "table that follows.",
            f"The optimum's plan, {unit}.",
            lambda: plots.plot_optimum(table),
        ),
        Table(
            f"Planned per year in {unit}, mean over the period. From optimum.csv.",
            [Column("Pathway", False), *(Column(sentence_case(q)) for q in periods)],
            rows,
        ),
    ]
    return section


def _planned(table: pd.DataFrame, unit: str) -> str:
    """Return what the plan reaches in its last period, and which pathways lead it."""
    last = in_order(table["period"])[-1]
    part = table[table["period"] == last].sort_values("planned", ascending=False, kind="stable")
    leading = [
        f"{readable(row['pathway'])} {significant(row['planned'], 2)}"
        for row in part.head(3).to_dict(orient="records")
    ]
    return (
        f"In the {readable(last)} the plan reaches {significant(float(part['planned'].sum()))} {unit}, led "
        f"by {', '.join(leading)}."
    )


SOLUTION: dict[str, tuple[str, str]] = {
    "status": ("Status", "text"),
    "gap": ("Optimality gap on the scenarios, relative", "gap"),
    "linearisation": ("Most that the linear pieces misstate an expected cost by", "money"),
    "cvar_level": ("Level of the CVaR", "share"),
    "risk_weight": ("Weight of the CVaR in the objective", "share"),
    "shortfall_penalty": ("Penalty on the shortfall, USD/tCO₂ of the target year", "number"),
    "commitment_share": ("Share of the unit cost owed for what is planned and not delivered", "share"),
    "curtail": ("Captures may be left undone", "choice"),
    "segments": ("Linear pieces of a cost curve", "count"),
}
"""Entries of ``optimum.json`` in the order told: what they are called and how they are written."""


def _solution(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the solver's status, gap and numbers as pairs, the certificate first."""
    units = record["units"] if isinstance(record.get("units"), dict) else {}
    known = [key for key in SOLUTION if record.get(key) is not None]
    other = [k for k, v in record.items() if k not in {*SOLUTION, "sentence", "units"} and _plain(v)]
    out: list[tuple[str, str]] = []
    for key in [*known, *other]:
        label, kind = SOLUTION.get(key, (sentence_case(key), "number"))
        value = record[key]
        if isinstance(value, bool):
            text = "yes" if value else "no"
        elif kind == "count" or not isinstance(value, int | float):
            text = str(value)
        elif kind == "share":
            text = percent(float(value))
        elif kind == "gap":
            text = f"{float(value):.1e} (0 is a proven optimum; no plan is better by more)"
        else:
            unit = unit_text(str(units.get(kind, "")))
            text = significant(float(value)) + (f" {unit}" if unit else "")
        out.append((label, text))
    return out


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
