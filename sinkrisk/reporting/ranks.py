"""The section on the ranking: probabilities of ranks, what leads and whether it delivers, sensitivity."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import readable, sentence_case
from sinkrisk.plots.ranking import acceptability_table
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of, statistics_of, target_text
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import MISSING, fixed, percent, significant, unit_text

NEAR = 2.0
"""Standard errors within which two probabilities are not told apart."""


def points(error: float) -> str:
    """Return a standard error of a probability in percentage points, ``± 0.9``.

    Examples
    --------
    >>> points(0.0085), points(float("nan"))
    ('± 0.9', '')
    """
    return "" if math.isnan(error) else f"± {fixed(100.0 * error, 1)}"


def first_text(collected: Collected) -> str:
    """Return who ranks first most often, with the Monte Carlo error, and whether that one delivers."""
    raw = collected.table("ranking")
    if raw is None:
        return ""
    table = named(raw, names_of(collected))
    wide = acceptability_table(table)
    first = wide.iloc[:, 0].sort_values(ascending=False, kind="stable")
    best = str(first.index[0])
    if len(first) == 1:
        return f"“{best}” is the only portfolio of the run: nothing is ranked."
    error = _errors(table)[best]
    text = f"Over all draws and criteria weights, “{best}” ranks first most often, with probability "
    text += percent(float(first.iloc[0]))
    if points(error):
        text += f" ({points(error)} percentage points, Monte Carlo)"
    text += f", ahead of “{first.index[1]}” with {percent(float(first.iloc[1]))}"
    # The two indicators exclude each other, so their errors add up to more than either.
    spread = math.hypot(error, _errors(table)[str(first.index[1])])
    if first.iloc[0] - first.iloc[1] <= NEAR * spread:
        text += " (a difference within Monte Carlo error)"
    return f"{text}. " + _delivered(collected, wide, best)


def _errors(table: pd.DataFrame) -> dict[str, float]:
    one = table[(table["quantity"] == "rank_acceptability") & (table["label"].astype(str) == "1")]
    return {str(k): float(v) for k, v in zip(one["portfolio"], one["standard_error"], strict=True)}


def _delivered(collected: Collected, wide: pd.DataFrame, best: str) -> str:
    """Return P(target met), mean net removal and mean rank of the portfolio that ranks first."""
    mean = {str(k): float(v) for k, v in (wide * wide.columns.to_numpy(dtype=float)).sum(axis=1).items()}
    lowest = min(mean, key=lambda p: mean[p])
    rank = f"its mean rank is {fixed(mean[best], 1)} of {len(mean)}"
    if mean[best] - mean[lowest] < 1e-9:
        rank += ", the best"
    else:
        rank += f" (the best: {fixed(mean[lowest], 1)}, “{lowest}”)"
    parts = []
    measures = collected.table("measures")
    values = {} if measures is None else statistics_of(named(measures, names_of(collected)))
    met = {p: s["probability_met"] for (p, c), s in values.items() if "probability_met" in s}
    if best in met:
        target = target_text(collected)
        likeliest = max(met, key=lambda p: met[p])
        parts.append(
            f"it meets the target{f' ({target})' if target else ''} with probability {percent(met[best])}"
            + (f" (likeliest: “{likeliest}”, {percent(met[likeliest])})" if likeliest != best else "")
        )
    removal = values.get((best, "net_removal_2100"))
    if measures is not None and removal is not None:
        unit = unit_text(measures.loc[measures["criterion"] == "net_removal_2100", "unit"].iloc[0])
        parts.append(f"its mean net removal until 2100 is {significant(removal['mean'])} {unit}")
    text = "; ".join([*parts, rank]) + "."
    return text[:1].upper() + text[1:]


def ranking_section(collected: Collected) -> Section:
    """Return the section with the probabilities of the ranks."""
    section = Section("ranking", "The ranking, with its probabilities")
    raw = collected.table("ranking")
    if raw is None:
        section.absent = collected.why_absent("ranking")
        return section
    names = names_of(collected)
    table = named(raw, names)
    wide = acceptability_table(table)
    if len(wide) == 1:
        section.sentences.append(f"{first_text(collected)} A ranking needs a second one to compare with.")
        return section
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
    section.sentences.append(
        f"{first_text(collected)} A probability far from 100 % means that the order depends on the draw and "
        "on whose weights count."
    )
    errors = _errors(table)
    rows = []
    for position, p in enumerate(ordered):
        shares = [float(v) for v in wide.iloc[position]]
        mean = sum(r * v for r, v in zip(ranks, shares, strict=True))
        held = confidence.get(p)
        rows.append(
            [
                p,
                f"{percent(shares[0])} {points(errors[p])}".strip(),
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
            "own central weights. ± one Monte Carlo standard error in percentage points, "
            "√(p (1 − p) / draws): conservative, for the draws spread more evenly than independent ones. "
            "From ranking.csv.",
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
    section.blocks += _sensitivity(collected, section, ordered, names)
    section.blocks += _pairwise(table, ordered, names)
    return section


def _sensitivity(
    collected: Collected, section: Section, ordered: list[str], names: dict[str, str]
) -> list[Block]:
    """Return the table of the ranking with a criterion or a portfolio left out; adds a sentence."""
    raw = collected.table("ranking_sensitivity")
    if raw is None:
        return []
    table = named(raw, names)
    variants = list(dict.fromkeys(str(v) for v in table["variant"]))
    held = keyed(table, "variant", "portfolio")
    leader = {
        v: max((float(held[(v, p)]["first"]), p) for p in ordered if (v, p) in held)[1] for v in variants
    }
    usual = leader[variants[0]]
    others = [
        f"{_variant(v, names)} “{leader[v]}” ({percent(held[(v, leader[v])]['first'])})"
        for v in variants[1:]
        if leader[v] != usual
    ]
    optimum = "without optimum" in variants
    each_out = "with each left out, and without the optimum" if optimum else "and with each left out"
    or_it = ", or the optimum," if optimum else ""
    section.sentences.append(
        f"Leaving out one criterion{or_it} changes who is first most often in {len(others)} of "
        f"{len(variants) - 1} cases" + (f": {', '.join(others)}" if others else "") + "."
    )
    rows = [
        [
            p,
            *(
                _unbroken(f"{percent(held[(v, p)]['first'])} / {fixed(held[(v, p)]['mean_rank'], 1)}")
                if (v, p) in held
                else MISSING
                for v in variants
            ),
        ]
        for p in ordered
    ]
    return [
        Table(
            "How the ranking depends on what is compared: probability of rank 1 / mean rank, with all "
            f"criteria of the spec, {each_out}. A dash: left out. From ranking_sensitivity.csv.",
            [Column("Portfolio", False), *(Column(sentence_case(_variant(v, names))) for v in variants)],
            rows,
        )
    ]


def _unbroken(text: str) -> str:
    # Narrow spaces: eight columns of pairs just fit a page.
    return text.replace(" ", "\N{NARROW NO-BREAK SPACE}")


def _variant(variant: str, names: dict[str, str]) -> str:
    what = variant.removeprefix("without ")
    if what == variant:
        return variant
    return f"without “{names[what]}”" if what in names else f"without {readable(what)}"


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
