"""The section on credits: discounts, exchange rates, buffers own and pooled, Carbon-at-Risk"""

from __future__ import annotations

import math

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import readable, sentence_case, unit_text
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import MISSING, decimals_for, fixed, percent, significant, span
from sinkrisk.reporting.sinks import interval_of

WHOLE = "discount"
"""Name of the product of all factors among the factors of ``credits.csv``."""


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
        f"additionality, leakage, delay and energy. {sentence_case(best['pathway'])} keeps most, "
        f"{span(best['median'], best['low'], best['high'], 2)}, {readable(worst['pathway'])} least, "
        f"{span(worst['median'], worst['low'], worst['high'], 2)} (medians, in brackets {interval}s)."
    )
    factors = [f for f in dict.fromkeys(table["factor"]) if f != WHOLE]
    held = keyed(table, "pathway", "factor")
    return [
        Picture(
            "discounts",
            "Discount of each pathway's credits with its interval, and the factor that takes most off; the "
            "numbers are in the table that follows.",
            "Credit discounts by pathway.",
            lambda: plots.plot_discounts(table),
        ),
        Table(
            f"Credited tonnes per tonne booked as removal (median, in brackets the {interval}) and the "
            "medians of the factors it is the product of. From credits.csv.",
            [
                Column("Pathway", False), Column("Credited"), *(Column(sentence_case(f)) for f in factors),
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
        section.sentences.append(
            f"At equal durable tonnes one credit of DACCS is worth "
            f"{span(one['median'], one['low'], one['high'], 1)} credits of forests (median, in brackets the "
            f"{interval_of(table)}): to exchange them one for one overstates what is removed."
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
            "How many credits of the column's pathway one credit of the row's pathway is worth: medians. "
            "From exchange_rates.csv.",
            [Column("One credit of", False), *(Column(sentence_case(n)) for n in names)],
            [
                [
                    sentence_case(a),
                    *(
                        "1" if a == b else _rate(held[(a, b)]["median"]) if (a, b) in held else MISSING
                        for b in names
                    ),
                ]
                for a in names
            ],
            folded=True,
        ),
    ]


def _rate(value: float) -> str:
    return MISSING if math.isnan(value) else significant(value, 2)


def _buffers(section: Section, table: pd.DataFrame) -> list[Block]:
    pool = table[table["pathway"] == "pool"]
    if pool.empty:
        return []
    tail = f"{100.0 * float(table['tail_mass'].iloc[0]):.3g} %"
    most = pool.sort_values("pooled_share", ascending=False, kind="stable").iloc[0]
    least = pool.sort_values("pooled_share", kind="stable").iloc[0]
    saved = pool.sort_values("saved", ascending=False, kind="stable").iloc[0]
    section.sentences.append(
        f"To cover the mean loss of the worst {tail} of draws one pool must hold back between "
        f"{percent(least['pooled_share'])} (“{least['portfolio']}”) and {percent(most['pooled_share'])} "
        f"(“{most['portfolio']}”) of the tonnes removed. Pooling saves up to {percent(saved['saved'])} of "
        f"the buffers the pathways would need apart (“{saved['portfolio']}”)."
    )
    over = [f"“{p}”" for p in pool.loc[pool["own_share"] > 1.0, "portfolio"]]
    if over:
        section.sentences.append(
            f"Buffers above 100 % ({', '.join(over)}, apart) mean that in the worst draws more comes back "
            "than the average draw removes: such tonnes are better discounted than insured."
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
            f"Buffer in per cent of the tonnes removed, at the CVaR of the worst {tail} of draws: every "
            "pathway for itself, and its part of one pool. From buffers.csv.",
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
    most = table.sort_values("extra", ascending=False, kind="stable").iloc[0]
    section.sentences.append(
        f"Carbon-at-Risk: to store in {percent(level)} of draws what it stores on average, "
        f"“{most['portfolio']}” would have to remove {significant(most['extra'])} {unit} more, "
        f"{significant(most['extra_decoupled'])} if shocks struck regions and pathways independently; no "
        "portfolio more."
    )
    decimals = decimals_for([float(v) for v in table["removed"]])
    return [
        Picture(
            "carbon_at_risk",
            "Extra removal that guarantees what each portfolio stores, with and without the common shock; "
            "the numbers are in the table that follows.",
            "Carbon-at-Risk.",
            lambda: plots.plot_carbon_at_risk(table),
        ),
        Table(
            f"Carbon-at-Risk, {unit}: gross removal (mean), what is promised (stored at the end of the "
            f"horizon, mean), and the extra gross removal that keeps the promise in {percent(level)} of "
            "draws, with the common shock and without; in brackets the share of the gross removal lost at "
            "that level. From carbon_at_risk.csv.",
            [
                Column("Portfolio", False), Column("Removed"), Column("Promised"),
                Column("Extra, common shock"), Column("Extra, independent shocks"),
            ],
            [
                [
                    r["portfolio"], fixed(r["removed"], decimals), fixed(r["promised"], decimals),
                    f"{fixed(r['extra'], decimals)} ({percent(r['loss_share'])})",
                    f"{fixed(r['extra_decoupled'], decimals)} ({percent(r['loss_share_decoupled'])})",
                ]
                for r in table.to_dict("records")
            ],
        ),
    ]  # fmt: skip
