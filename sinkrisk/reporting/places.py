"""Sections on what places allow and what tonnes cost: atlas, scheduling matrix, abatement curves"""

from __future__ import annotations

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import in_order, readable, sentence_case
from sinkrisk.plots.style import PATHWAY_STYLES
from sinkrisk.plots.tracing import LIMIT_STYLES
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import MISSING, decimals_for, fixed, percent, significant, span, unit_text
from sinkrisk.reporting.sinks import interval_of

SURE, UNLIKELY = 0.9, 0.1
"""Probabilities from which a place counts as surely suited, and below which as hardly."""

LARGEST = 5
"""Cells of the scheduling matrix told for each period."""

PRICES = (100.0, 200.0)
"""Prices at which capacities are told, beside the highest of the curves, USD/t."""

WORLD = "world"
TOGETHER = "all regions together"
"""What the page calls the whole of a run that simulates some regions as a world of their own."""


def _true(column: pd.Series) -> pd.Series:
    """Return a column of a file, which has the words, as truth values."""
    return column.astype(str).str.lower() == "true"


def places_section(collected: Collected) -> Section:
    """Return what places allow: suitability, limits of capacity, and the cheapest way to the totals."""
    section = Section("places", "What places allow: suitability and scheduling")
    atlas, matrix, limits = (collected.table(n) for n in ("suitability", "schedule", "limiting"))
    if atlas is None and matrix is None and limits is None:
        section.absent = collected.why_absent("suitability")
        return section
    if atlas is not None:
        section.blocks += _atlas(section, atlas.assign(possible=_true(atlas["possible"])))
    else:
        section.sentences.append(collected.why_absent("suitability"))
    if limits is not None:
        section.blocks += _limits(section, limits)
    if matrix is not None:
        section.blocks += _schedule(section, matrix, collected.table("abatement"))
    return section


def _atlas(section: Section, atlas: pd.DataFrame) -> list[Block]:
    possible = atlas[atlas["possible"]]
    sure = int((possible["probability_suited"] >= SURE).sum())
    hardly = int((possible["probability_suited"] < UNLIKELY).sum())
    regions = possible.groupby("region", sort=False)["probability_suited"].mean()
    counts = possible["limiting"].replace({"": None}).dropna().value_counts()
    scarce = [f"{readable(n)} ({k})" for n, k in counts.head(3).items()]
    section.sentences.append(
        f"Of {len(possible)} pairs of pathway and region that are possible at all, {sure} are suited with a "
        f"probability of at least {percent(SURE)} and {hardly} with less than {percent(UNLIKELY)}. On "
        f"average over its pathways {readable(regions.idxmax())} suits most and {readable(regions.idxmin())} "
        f"least; what a place most often lacks is {', '.join(scarce)} (number of pairs)."
    )
    pathways = in_order(atlas["pathway"], tuple(PATHWAY_STYLES))
    places = in_order(atlas["region"], ())
    held = keyed(atlas, "pathway", "region")

    def cell(pathway: str, region: str) -> str:
        row = held.get((pathway, region))
        if row is None or not row["possible"]:
            return MISSING
        lacking = f" ({readable(row['limiting'])})" if row["limiting"] else ""
        return f"{percent(row['probability_suited'])}{lacking}"

    return [
        Picture(
            "suitability",
            "Heat map of the probability that each pathway suits each region; the numbers are in the table "
            "that follows.",
            "Atlas of suitability: the probability that a region offers what a pathway needs.",
            lambda: plots.plot_suitability(atlas),
        ),
        Table(
            "Probability that the pathway suits the region, in brackets what it lacks most. A dash: "
            "impossible. From suitability.csv.",
            [Column("Pathway", False), *(Column(sentence_case(r), False) for r in places)],
            [[sentence_case(p), *(cell(p, r) for r in places)] for p in pathways],
            folded=True,
        ),
    ]


def _limits(section: Section, limits: pd.DataFrame) -> list[Block]:
    periods = in_order(limits["period"])
    count = limits["pathway"].nunique()
    mean = limits.groupby(["period", "limit"])["probability"].sum() / count
    told = []
    for period in periods:
        here = mean[period].sort_values(ascending=False, kind="stable")
        first = f"{readable(here.index[0])} in {percent(float(here.iloc[0]))}"
        told.append(f"in the {readable(period)} {first} of cases")
    late = limits[limits["period"] == periods[-1]]
    others = late[~late["limit"].isin(["growth", "potential"])].sort_values(
        "probability", ascending=False, kind="stable"
    )
    named = [
        f"{readable(r['limit'])} for {readable(r['pathway'])} ({percent(r['probability'])})"
        for r in others.head(3).to_dict("records")
    ]
    section.sentences.append(
        "Capacity is the least of the potential, of what can have grown since today and of what each "
        f"resource of the region suffices for. Averaged over pathways the least is {'; '.join(told)} "
        "(growth means growth from today's capacity)."
        + (
            f" Of the resources those that bind most often in the {readable(periods[-1])} are "
            f"{', '.join(named)}."
            if named
            else ""
        )
    )
    pathways = in_order(limits["pathway"], tuple(PATHWAY_STYLES))
    kinds = in_order(limits["limit"], tuple(LIMIT_STYLES))
    held = keyed(limits, "pathway", "period", "limit")

    def cell(pathway: str, kind: str) -> str:
        rows = [held.get((pathway, period, kind)) for period in periods]
        if not any(rows):
            return MISSING
        return " / ".join(percent(row["probability"]) if row else "0 %" for row in rows)

    return [
        Picture(
            "limits",
            "Stacked bars of what limits the capacity of each pathway, one panel a period; the numbers are "
            "in the table that follows.",
            "What limits capacity, before anything is planned.",
            lambda: plots.plot_limits(limits),
        ),
        Table(
            f"Probability that a limit of capacity is the least: {' / '.join(readable(p) for p in periods)}. "
            "A dash: never. From limiting.csv.",
            [Column("Pathway", False), *(Column(sentence_case(k)) for k in kinds)],
            [[sentence_case(p), *(cell(p, k) for k in kinds)] for p in pathways],
            folded=True,
        ),
    ]


def _schedule(section: Section, matrix: pd.DataFrame, curves: pd.DataFrame | None) -> list[Block]:
    interval = interval_of(matrix)
    periods = in_order(matrix["period"])
    first = {p: matrix[matrix["period"] == p].iloc[0] for p in periods}
    section.sentences.append(
        "The cheapest way to the planned totals, everything being allowed that places, growth and "
        "institutions allow, reaches "
        + "; ".join(
            f"{significant(first[p]['total'])} GtCO₂/yr in the {readable(p)} in "
            f"{percent(first[p]['probability_reached'])} of draws"
            for p in periods
        )
        + ". Where a total is out of reach, everything there is is used whatever it costs."
    )
    whole = {} if curves is None else _at_most(curves)
    rows = []
    for p in periods:
        top = whole.get(p)
        rows.append(
            [
                sentence_case(p),
                significant(first[p]["total"]),
                percent(first[p]["probability_reached"]),
                span(top["median"], top["low"], top["high"]) if top else MISSING,
            ]
        )
    price = next(iter(whole.values()))["price"] if whole else None
    at_most = f"at most {significant(price)} USD/t" if price is not None else "the highest price"
    cells = [
        [
            sentence_case(p),
            readable(r["pathway"]),
            readable(r["region"]),
            percent(r["probability_active"]),
            f"{percent(r['share_mean'])} ({percent(r['share_low'])} to {percent(r['share_high'])})",
        ]
        for p in periods
        for r in matrix[matrix["period"] == p]
        .sort_values("share_mean", ascending=False, kind="stable")
        .head(LARGEST)
        .to_dict("records")
    ]
    return [
        Picture(
            "schedule",
            "Heat maps, one a period, of the probability that each cell of pathway and region is in use at "
            "least cost, with its mean share; the largest are in the table that follows.",
            "Scheduling matrix: pathway by region by period at least cost.",
            lambda: plots.plot_schedule(matrix),
        ),
        Table(
            "Which total can be reached: the spec's total, the probability that it is, and the capacity "
            f"there is for {at_most} before shared resources are divided (median, in brackets the "
            f"{interval}). From schedule.csv and abatement.csv.",
            [
                Column("Period", False), Column("Total, GtCO₂/yr"), Column("P(reached)"),
                Column("Capacity, GtCO₂/yr"),
            ],
            rows,
        ),
        Table(
            f"The {LARGEST} largest cells of each period: how likely in use, and mean share of the total, in "
            f"brackets the {interval}. From schedule.csv.",
            [
                Column("Period", False), Column("Pathway", False), Column("Region", False),
                Column("P(in use)"), Column("Share of the total"),
            ],
            cells,
            folded=True,
        ),
    ]  # fmt: skip


def _at_most(curves: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the world's capacity at the highest price, by period."""
    world = curves[curves["region"] == WORLD]
    if world.empty:
        return {}
    top = world[world["price"] == world["price"].max()]
    return {str(k): {str(n): v for n, v in row.items()} for k, row in keyed(top, "period").items()}


def _nearest(there: list[float], want: float) -> float:
    return min(there, key=lambda price: abs(price - want))


def costs_section(collected: Collected) -> Section:
    """Return what tonnes cost: marginal abatement cost curves of the world and of every region."""
    section = Section("costs", "What tonnes cost: marginal abatement cost")
    curves = collected.table("abatement")
    if curves is None:
        section.absent = collected.why_absent("abatement")
        return section
    interval, unit = interval_of(curves), unit_text(curves["unit"].iloc[0])
    periods = in_order(curves["period"])
    whole = WORLD if collected.option("inputs", "regions") is None else TOGETHER
    curves = curves.assign(region=curves["region"].replace(WORLD, whole))
    regions = list(dict.fromkeys(curves["region"]))
    there = sorted(set(curves["price"]))
    prices = sorted({_nearest(there, want) for want in PRICES} | {there[-1]})
    held = keyed(curves, "region", "period", "price")
    place = whole if whole in regions else regions[0]
    called = "the world" if place == WORLD else readable(place)
    last = periods[-1]
    told = []
    for price in prices:
        row = held[(place, last, price)]
        told.append(
            f"{span(row['median'], row['low'], row['high'])} {unit} for at most {significant(price)} USD/tCO₂"
        )
    section.sentences.append(
        f"In the {readable(last)} {called} could remove "
        f"{', '.join(told)} (medians, in brackets {interval}s), before pathways compete "
        "for shared resources; the price is that of a tonne removed, of which there are fewer than are "
        "captured. Steep curves mean that capacity, not price, is what is short."
    )
    decimals = {p: decimals_for([held[(r, p, x)]["high"] for r in regions for x in prices]) for p in periods}
    rows = [
        [
            sentence_case(r),
            sentence_case(p),
            *(
                span(one["median"], one["low"], one["high"], decimals[p])
                for one in (held[(r, p, x)] for x in prices)
            ),
        ]
        for r in regions
        for p in periods
    ]
    if place == whole:
        section.blocks.append(
            Picture(
                "abatement_world",
                f"Marginal abatement cost curves of {called} with bands, one panel a period.",
                f"What each price calls forth in {called}.",
                lambda: plots.plot_abatement(curves, [whole]),
            )
        )
    places = [r for r in regions if r != whole]
    if places:
        section.blocks.append(
            Picture(
                "abatement",
                "Marginal abatement cost curves with bands, one panel a region and one line a period; the "
                "numbers at some prices are in the table that follows.",
                "What each price calls forth by region.",
                lambda: plots.plot_abatement(curves, places),
            )
        )
    section.blocks.append(
        Table(
            f"Capacity whose tonnes removed cost at most so much each, {unit}: median, in brackets the "
            f"{interval}. From abatement.csv.",
            [
                Column("Region", False), Column("Period", False),
                *(Column(f"{fixed(x, 0)} USD/tCO₂") for x in prices),
            ],
            rows,
            row_headers=2,
            folded=True,
        )
    )  # fmt: skip
    return section
