"""The section on the decision: mean against the worst draws, regret, dominance, value of learning"""

from __future__ import annotations

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.decision import learned_word
from sinkrisk.plots.labels import sentence_case
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected
from sinkrisk.reporting.numbers import decimals_for, fixed, percent, significant, span, unit_text
from sinkrisk.reporting.sinks import interval_of
from sinkrisk.risk.partial_information import bracket


def _tail(table: pd.DataFrame) -> str:
    return f"{100.0 * float(table['tail_mass'].iloc[0]):.3g} %"


def decision_text(collected: Collected) -> str:
    """Return who is best on average, who in the worst draws, who is regretted least, who dominated."""
    raw = collected.table("decision")
    if raw is None:
        return ""
    table = named(raw, names_of(collected))
    unit = unit_text(table["unit"].iloc[0])
    mean = table.sort_values("mean", ascending=False, kind="stable").iloc[0]
    safe = table.sort_values("cvar", ascending=False, kind="stable").iloc[0]
    calm = table.sort_values("expected_regret", kind="stable").iloc[0]
    worth = (
        f"By net benefit (what durable tonnes are worth less cost less the penalty on the shortfall) "
        f"“{mean['portfolio']}” is best on average, {significant(mean['mean'])} {unit} "
        f"({interval_of(table)} {significant(mean['low'])} to {significant(mean['high'])})"
    )
    if len(table) == 1:
        return (
            f"The net benefit (what durable tonnes are worth less cost less the penalty on the shortfall) of "
            f"“{mean['portfolio']}” is {significant(mean['mean'])} {unit} on average ({interval_of(table)} "
            f"{significant(mean['low'])} to {significant(mean['high'])}), in the worst {_tail(table)} of "
            f"draws {significant(mean['cvar'])}. With one portfolio there is nothing to choose or to regret."
        )
    tail = f"the worst {_tail(table)} of draws, {significant(safe['cvar'])} on average there"
    worth += (
        f", and in {tail}"
        if safe["portfolio"] == mean["portfolio"]
        else f"; “{safe['portfolio']}” is best in {tail}"
    )
    regret = (
        f"; least regretted is “{calm['portfolio']}”, {significant(calm['expected_regret'])} {unit} behind "
        "the best of each draw"
    )
    return f"{worth}{regret}. {_dominated(table)}"


def _dominated(table: pd.DataFrame) -> str:
    """Return who is dominated, or, where they are many, who is not."""
    below = table["dominated_second"] > 0
    losers, others = ([f"“{p}”" for p in table.loc[mask, "portfolio"]] for mask in (below, ~below))
    if not losers:
        return "No portfolio is dominated: the choice depends on how risk is disliked."
    taken = (
        f"would take {', '.join(losers)}"
        if len(losers) <= len(others) + 2
        else f"would take any but {', '.join(others)}"
    )
    return (
        f"Nobody who prefers more and dislikes risk {taken}: another portfolio dominates in the second order."
    )


def decision_section(collected: Collected) -> Section:
    """Return the decision: portfolios by mean, tail, regret and dominance, and what learning is worth."""
    section = Section("decision", "The decision: average, worst draws, regret, and what to learn first")
    raw = collected.table("decision")
    if raw is None:
        section.absent = collected.why_absent("decision")
        return section
    table = named(raw, names_of(collected))
    unit, interval, tail = unit_text(table["unit"].iloc[0]), interval_of(table), _tail(table)
    value, penalty = (collected.option("decision", k) for k in ("carbon_value", "shortfall_penalty"))
    section.sentences.append(decision_text(collected))
    if value is not None:
        what = "the order" if len(table) > 1 else "this"
        section.sentences.append(
            f"A durable tonne is worth {significant(float(value))} USD here and a missing one costs "
            f"{significant(float(penalty or 0.0))} USD: choices of the spec, on which {what} depends."
        )
    decimals = decimals_for([abs(float(v)) for c in ("low", "high", "cvar") for v in table[c]])
    section.blocks = [
        Picture(
            "decision",
            "Scatter of each portfolio's mean net benefit against its mean in the worst draws, and bars of "
            "the expected regret; the numbers are in the table that follows.",
            "Net benefit on average and in the worst draws.",
            lambda: plots.plot_mean_against_cvar(table),
        ),
        Table(
            f"Net benefit in {unit}: mean, in brackets the {interval}; CVaR, the mean of the worst {tail} of "
            "draws; expected regret against the best portfolio of each draw, and its CVaR; how likely the "
            "portfolio is the best of a draw; how many portfolios dominate it in the first and the second "
            "order. In the order of the CVaR. From decision.csv.",
            [
                Column("Portfolio", False), Column("Mean"), Column("CVaR"), Column("Regret"),
                Column("CVaR of regret"), Column("P(best)"), Column("Dominated by, 1st / 2nd"),
            ],
            [
                [
                    r["portfolio"],
                    span(r["mean"], r["low"], r["high"], decimals),
                    fixed(r["cvar"], decimals),
                    fixed(r["expected_regret"], decimals),
                    fixed(r["cvar_regret"], decimals),
                    percent(r["probability_best"]),
                    f"{int(r['dominated_first'])} / {int(r['dominated_second'])}",
                ]
                for r in table.to_dict("records")
            ],
        ),
    ]  # fmt: skip
    # What is learnt before a choice of one is worth nothing, and nothing more is to be said of it.
    section.blocks += _learning(collected, section) if len(table) > 1 else []
    return section


def _learning(collected: Collected, section: Section) -> list[Block]:
    raw = collected.table("learning")
    if raw is None:
        return []
    acts = raw["acts"].astype(str) == "True"
    unit, perfect = unit_text(raw["unit"].iloc[0]), float(raw["perfect"].iloc[0])
    text = f"Knowing everything before choosing would be worth {significant(perfect)} {unit} (EVPI)"
    if acts.any():
        told, crossed = [], 0
        for r in raw[acts].to_dict("records"):
            low, high, cross = bracket(*(float(r[c]) for c in ("cross_fitted", "plug_in", "mc_error")))
            crossed += cross
            mark = ", the estimates cross" if cross else ""
            told.append(f"{learned_word(r['driver'])} ({significant(low)} to {significant(high)}{mark})")
        text += (
            f". Of {len(raw)} inputs {len(told)} stand out from a shuffled one: {', '.join(told)} (EVPPI, "
            "from the estimate biased down to the one biased up, each end moved out by its 90 % Monte Carlo "
            "error)."
        )
        if crossed:
            text += " Where the estimates cross, chance is larger than what tells them apart."
    else:
        text += (
            f". Of {len(raw)} inputs, learnt one by one, none stands out from a shuffled one: no single "
            "piece of knowledge would reliably change the choice, at this number of draws."
        )
    section.sentences.append(text)
    decimals = decimals_for([float(v) for c in ("plug_in", "floor") for v in raw[c]])
    return [
        Picture(
            "learning",
            "For each input a bracket of what learning it would be worth, beside the value of a shuffled "
            "input; the numbers are in the table that follows.",
            "Value of learning one input before choosing.",
            lambda: plots.plot_learning(raw),
        ),
        Table(
            f"Expected value of learning an input before the choice (EVPPI), {unit}: cross-fitted (biased "
            "down) with its Monte Carlo error, plug-in (biased up), and the floor, the plug-in value of a "
            "shuffled input. From learning.csv.",
            [
                Column("Input", False), Column("Cross-fitted"), Column("± error"), Column("Plug-in"),
                Column("Floor"), Column("Stands out", False),
            ],
            [
                [
                    sentence_case(learned_word(r["driver"])), fixed(r["cross_fitted"], decimals),
                    fixed(r["mc_error"], decimals), fixed(r["plug_in"], decimals),
                    fixed(r["floor"], decimals),
                    "yes" if stands else "no",
                ]
                for r, stands in zip(raw.to_dict("records"), acts, strict=True)
            ],
            folded=True,
        ),
    ]  # fmt: skip
