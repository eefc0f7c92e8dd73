"""The section on credits: discounts, exchange rates, buffers own and pooled, Carbon-at-Risk"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import readable, sentence_case, unit_text
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import MISSING, decimals_for, fixed, percent, significant, span
from sinkrisk.reporting.sinks import interval_of

WHOLE = "discount"
"""Name of what factors and charges come to, among the factors of ``credits.csv``."""


def credits_section(collected: Collected) -> Section:
    """Return what a credited tonne holds, at what rates credits exchange, what must be held against loss."""
    section = Section("credits", "Credits: what a tonne booked as removal holds")
    discounts = collected.table("credits")
    rates, buffers, risk = (collected.table(n) for n in ("exchange_rates", "buffers", "carbon_at_risk"))
    if discounts is None and buffers is None and risk is None:
        section.absent = collected.why_absent("credits")
        return section
    if discounts is not None:
        section.blocks += _discounts(section, discounts)
    else:
        section.sentences.append(collected.why_absent("credits"))
    if rates is not None:
        section.blocks += _rates(section, rates)
    names = names_of(collected)
    if buffers is not None:
        section.blocks += _buffers(section, named(buffers, names))
    if risk is not None:
        section.blocks += _at_risk(section, named(risk, names))
    if buffers is None and risk is None:
        section.sentences.append(collected.why_absent("buffers"))
    return section


def _discounts(section: Section, table: pd.DataFrame) -> list[Block]:
    whole = table[table["factor"] == WHOLE].sort_values("median", ascending=False, kind="stable")
    interval = interval_of(table)
    best, worst = whole.iloc[0], whole.iloc[-1]
    section.sentences.append(
        "A tonne booked as removal is discounted for how long it stays, reversal, measurement, "
        "additionality, leakage and delay, and charged with the tonnes of its energy, other gases and the "
        f"regrowth it displaces. {sentence_case(best['pathway'])} keeps most, "
        f"{span(best['median'], best['low'], best['high'], 2)}, {readable(worst['pathway'])} least, "
        f"{span(worst['median'], worst['low'], worst['high'], 2)} (medians, in brackets {interval}s)."
    )
    sources = [readable(r["pathway"]) for r in whole.to_dict("records") if r["median"] <= 0.0]
    if sources:
        section.sentences.append(
            f"Charges exceed what stays stored in at least half of the draws for {', '.join(sources)}: such "
            "a credit stands for a net source."
        )
    kinds = dict(zip(table["factor"], table["kind"], strict=True))
    factors = [f for f in dict.fromkeys(table["factor"]) if f != WHOLE]
    held = keyed(table, "pathway", "factor")
    return [
        Picture(
            "discounts",
            "Discount of each pathway's credits with its interval, and what takes most off; the "
            "numbers are in the table that follows.",
            "Credit discounts by pathway.",
            lambda: plots.plot_discounts(table),
        ),
        Table(
            f"Credited tonnes per tonne booked as removal (median, in brackets the {interval}) and the "
            "medians of its factors (×) and charges (−, tonnes per tonne captured): durability × reversal × "
            "(additionality × uptake − foregone regrowth) − process energy − other gases, times "
            "measurement, leakage, delay and co-benefit. From credits.csv.",
            [
                Column("Pathway", False), Column("Credited"),
                *(Column(f"{'−' if kinds[f] == 'charge' else '×'} {readable(f)}") for f in factors),
            ],
            [
                [
                    sentence_case(r["pathway"]),
                    span(r["median"], r["low"], r["high"], 2),
                    *(
                        fixed(held[(r["pathway"], f)]["median"], 2) if (r["pathway"], f) in held else MISSING
                        for f in factors
                    ),
                ]
                for r in whole.to_dict("records")
            ],
            folded=True,
        ),
    ]  # fmt: skip


def _rates(section: Section, table: pd.DataFrame) -> list[Block]:
    names = list(dict.fromkeys([*table["pathway"], *table["other"]]))
    held = keyed(table, "pathway", "other")
    if ("daccs", "forests") in held:
        one = held[("daccs", "forests")]
        defined = float(one["probability_defined"])
        if defined < 0.5:
            section.sentences.append(
                f"Credits of DACCS and forests do not exchange: in {percent(1.0 - defined)} of draws one of "
                "forests holds nothing or stands for a net source."
            )
        else:
            part = (
                "" if defined > 0.9995 else f", over the {percent(defined)} of draws in which it is defined"
            )
            section.sentences.append(
                f"At equal durable tonnes one credit of DACCS is worth "
                f"{span(one['median'], one['low'], one['high'], 1)} credits of forests (median, in brackets "
                f"the {interval_of(table)}{part}): to exchange them one for one overstates what is removed."
                if one["low"] > 1.0
                else f"At equal durable tonnes one credit of DACCS is worth "
                f"{span(one['median'], one['low'], one['high'], 1)} credits of forests (median, in brackets "
                f"the {interval_of(table)}{part})."
            )
    return [
        Picture(
            "exchange_rates",
            "Heat map of how many credits of one pathway are worth one of another, with intervals; the "
            "medians are in the table that follows.",
            "Exchange rates between credits.",
            lambda: plots.plot_exchange_rates(table),
        ),
        Table(
            "How many credits of the column's pathway one credit of the row's pathway is worth: medians over "
            "the draws in which the column's holds anything, where those are half or more. Below 0 the row's "
            "credit is a net source. From exchange_rates.csv.",
            [Column("One credit of", False), *(Column(sentence_case(n)) for n in names)],
            [
                [
                    sentence_case(a),
                    *("1" if a == b else _rate(held[(a, b)]) if (a, b) in held else MISSING for b in names),
                ]
                for a in names
            ],
            folded=True,
        ),
    ]


def _rate(row: Mapping[str, Any]) -> str:
    value = float(row["median"])
    return MISSING if math.isnan(value) or row["probability_defined"] < 0.5 else significant(value, 2)


def _buffers(section: Section, table: pd.DataFrame) -> list[Block]:
    pool = table[table["pathway"] == "pool"]
    if pool.empty:
        return []
    tail = f"{100.0 * float(table['tail_mass'].iloc[0]):.3g} %"
    most = pool.sort_values("pooled_share", ascending=False, kind="stable").iloc[0]
    least = pool.sort_values("pooled_share", kind="stable").iloc[0]
    saved = pool.sort_values("saved", ascending=False, kind="stable").iloc[0]
    section.sentences.append(
        f"To cover the mean share lost in the worst {tail} of draws one pool must hold back between "
        f"{percent(least['pooled_share'])} (“{least['portfolio']}”) and {percent(most['pooled_share'])} "
        f"(“{most['portfolio']}”) of its credits. Pooling saves up to {percent(saved['saved'])} of the "
        f"buffers the pathways would need apart (“{saved['portfolio']}”)."
    )
    rows = [
        [
            r["portfolio"], "Pool" if r["pathway"] == "pool" else readable(r["pathway"]),
            significant(r["removed"]), percent(r["own_share"]), percent(r["pooled_share"]),
            percent(r["saved"]) if not math.isnan(r["saved"]) else MISSING,
        ]
        for r in table.to_dict("records")
    ]  # fmt: skip
    return [
        Picture(
            "buffers",
            "Buffer that each portfolio's credits need, every pathway for itself and as one pool; the "
            "numbers are in the table that follows.",
            "Buffers against carbon that comes back.",
            lambda: plots.plot_buffers(table),
        ),
        Table(
            f"Buffer in per cent of the credits, at the CVaR of the share lost in the worst {tail} of draws: "
            "every pathway for itself, and its part of one pool. From buffers.csv.",
            [
                Column("Portfolio", False), Column("Pathway", False), Column("Removed, GtCO₂"),
                Column("Own buffer"), Column("Part of the pool"), Column("Saved by pooling"),
            ],
            rows,
            row_headers=2,
            folded=True,
        ),
    ]  # fmt: skip


def _at_risk(section: Section, table: pd.DataFrame) -> list[Block]:
    level, unit = float(table["level"].iloc[0]), unit_text(table["unit"].iloc[0])
    finite = table[table["extra"].map(math.isfinite)]
    if not finite.empty:
        most = finite.sort_values("extra", ascending=False, kind="stable").iloc[0]
        apart = losses = ""
        more = "; no portfolio more" if len(finite) > 1 else ""
        if not math.isnan(most["extra_decoupled"]):
            apart = (
                f"; if regions' shocks struck apart, {significant(most['extra_decoupled'])} "
                f"({significant(most['extra_decoupled_low'])} to {significant(most['extra_decoupled_high'])})"
            )
            losses = f", {significant(most['extra_certain_decoupled'])} if regions' shocks struck apart"
        section.sentences.append(
            f"Carbon-at-Risk: to store in {percent(level)} of draws what it stores on average, "
            f"“{most['portfolio']}” would have to add {significant(most['extra'])} "
            f"({significant(most['extra_low'])} to {significant(most['extra_high'])}) {unit} of the same "
            f"mix, as uncertain as the rest{apart}{more} (in brackets the "
            f"{interval_of(table)}). For losses alone, were removal certain, "
            f"{significant(most['extra_certain'])} {unit} beyond what is promised would do{losses}."
        )
    gone = [f"“{p}”" for p in table.loc[~table["extra"].map(math.isfinite), "portfolio"]]
    if gone:
        section.sentences.append(
            f"No factor on {', '.join(gone)} keeps the promise in {percent(level)} of draws: in too many of "
            "them nothing is stored."
        )
    decimals = decimals_for([float(v) for v in table["removed"]])
    return [
        Picture(
            "carbon_at_risk",
            "Extra removal that guarantees what each portfolio stores, with shocks as drawn and with "
            "regions' shocks apart; the numbers are in the table that follows.",
            "Carbon-at-Risk.",
            lambda: plots.plot_carbon_at_risk(table),
        ),
        Table(
            f"Carbon-at-Risk, {unit}: removal (mean), what is promised (stored at the end of the horizon, "
            f"mean), what is stored in {percent(level)} of draws as planned, and the removal of the same mix "
            "to add to keep the promise in as many, shocks as drawn and regions' shocks simulated apart (in "
            f"brackets the {interval_of(table)}). Last, were the removed amount certain: what to remove "
            "beyond the promise, and beyond the mean removal (below 0: that would do). From "
            "carbon_at_risk.csv.",
            [
                Column("Portfolio", False), Column("Removed"), Column("Promised"), Column("Stored for sure"),
                Column("To add, shocks as drawn"), Column("To add, regions' shocks apart"),
                Column("Certain removal: beyond the promise"), Column("the same, regions' shocks apart"),
                Column("beyond the mean"),
            ],
            [
                [
                    r["portfolio"], fixed(r["removed"], decimals), fixed(r["promised"], decimals),
                    fixed(r["kept"], decimals),
                    *(
                        MISSING if math.isnan(r[n]) else span(r[n], r[f"{n}_low"], r[f"{n}_high"], decimals)
                        for n in ("extra", "extra_decoupled")
                    ),
                    fixed(r["extra_certain"], decimals),
                    MISSING
                    if math.isnan(r["extra_certain_decoupled"])
                    else fixed(r["extra_certain_decoupled"], decimals),
                    fixed(r["gap_certain"], decimals),
                ]
                for r in table.to_dict("records")
            ],
        ),
    ]  # fmt: skip
