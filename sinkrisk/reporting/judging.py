"""How the optimum fares on draws it was not chosen on, and beside the named portfolios."""

from __future__ import annotations

from typing import Any

from sinkrisk.reporting.blocks import Column, Table
from sinkrisk.reporting.numbers import (
    MISSING,
    decimals_for,
    fixed,
    interval_name,
    percent,
    significant,
    span,
    unit_text,
)  # fmt: skip

FIGURES: dict[str, tuple[str, str]] = {
    "objective": ("Objective", "money"),
    "expected_loss": ("Expected loss (cost and penalty)", "money"),
    "expected_cost": ("Expected cost", "money"),
    "cvar": ("CVaR of the loss", "money"),
    "expected_shortfall": ("Mean shortfall", "shortfall"),
    "probability_met": ("Probability that the target is met", "share"),
}
"""Figures of ``optimum.json`` told in and out of sample: what they are called and their kind."""

SAME = 0.005
"""Relative difference of two costs below which they are not told apart."""


def judging_sentences(record: dict[str, Any]) -> list[str]:
    """Return what the plan does out of sample, what flattered it, and what its programme leaves out."""
    inside, outside = record.get("in_sample") or {}, record.get("out_of_sample")
    reduction = record.get("reduction") or {}
    sentences = []
    if outside:
        sentences.append(_headline(inside, outside, record))
    elif inside:
        sentences.append(
            "The figures below are in sample: they are of the scenarios the plan was chosen on, and so too "
            "good."
        )
    if reduction:
        sentences.append(_reduction(reduction, float(record.get("cvar_level", 0.0))))
    if outside and outside.get("programme"):
        sentences.append(_left_out(outside, record))
    return sentences


def _headline(inside: dict[str, Any], outside: dict[str, Any], record: dict[str, Any]) -> str:
    interval = interval_name(outside["interval_kind"], outside["interval_mass"])
    worst, met, short = (outside[k] for k in ("cvar", "probability_met", "expected_shortfall"))
    money = _unit(record, "money")
    text = (
        f"Out of sample, simulated on {outside['draws']} fresh draws, the plan meets the target with "
        f"probability {percent(met['value'])} ({percent(met['low'])} to {percent(met['high'])}), falls "
        f"{span(short['value'], short['low'], short['high'])} {_unit(record, 'shortfall')} short on average, "
        f"and its CVaR of the loss is {span(worst['value'], worst['low'], worst['high'])} {money} (in "
        f"brackets {interval}s: how well the draws determine these figures of this one plan)."
    )
    if inside.get("cvar"):
        apart = worst["value"] / inside["cvar"] - 1.0
        text += (
            f" In sample, on the scenarios it was chosen on, the CVaR was {significant(inside['cvar'])}: "
            f"out of sample it is {percent(abs(apart))} {'higher' if apart >= 0.0 else 'lower'}."
        )
        if apart > 0.0:
            text += (
                " A plan is fitted to its scenarios, and a few of them hold less of the tail than all draws."
            )
    return text


def _reduction(reduction: dict[str, Any], level: float) -> str:
    effective = float(reduction["effective_scenarios"])
    text = (
        f"The {reduction['scenarios']} scenarios carry unequal probabilities and weigh as much as "
        f"{significant(effective)} equally probable ones, about "
        f"{significant(effective * (1.0 - level), 2)} of them in the tail that the CVaR averages"
    )
    distance = reduction.get("wasserstein")
    if distance is not None:
        text += (
            f"; their Wasserstein distance to all draws is {significant(float(distance))} standard "
            "deviations (root mean square over the features that tell draws apart)"
        )
    return text + "."


def _left_out(outside: dict[str, Any], record: dict[str, Any]) -> str:
    ours, theirs = outside["programme"]["expected_cost"], outside["expected_cost"]["value"]
    short, less = outside["programme"]["expected_shortfall"], outside["expected_shortfall"]["value"]
    money = _unit(record, "money")
    differ = abs(ours - theirs) > SAME * max(abs(theirs), 1e-12)
    costs = f"{significant(ours)} and {significant(theirs)} {money}"
    text = (
        "The programme charges delivered tonnes on the same rising cost curves as the simulation, but it "
        "sums over regions and so does not know of effort that passive redundancy moves to other pathways: "
        "on the same fresh draws the expected cost by its own reckoning and in the simulation "
    )
    text += f"is {costs}" if differ else f"agrees within {percent(SAME)} ({costs})"
    text += (
        f", the mean shortfall {significant(short)} and {significant(less)} {_unit(record, 'shortfall')}. "
        "The comparisons here use the simulation."
    )
    if record.get("curtail"):
        text += (
            " The programme may also leave captures undone once the scenario is known; the simulation "
            "never does."
        )
    return text


def rivals(record: dict[str, Any]) -> tuple[str, bool]:
    """Return how the optimum compares with the best named portfolio, and whether that one is better."""
    compared = (record.get("out_of_sample") or {}).get("portfolios") or []
    if not compared:
        return "", False
    best = min(compared, key=lambda one: float(one["objective"]))
    outside = record["out_of_sample"]
    interval = interval_name(outside["interval_kind"], outside["interval_mass"])
    # The unit without its "present value", which the table below says.
    gain = f"{significant(abs(best['difference']))} {_unit(record, 'money').split(',')[0]}"
    ends = (best["difference_low"], best["difference_high"])
    decimals = decimals_for([best["difference"], *ends])
    apart = f"{interval} {fixed(ends[0], decimals)} to {fixed(ends[1], decimals)}"
    told = best["difference_low"] * best["difference_high"] > 0.0
    doubt = "" if told else " The interval holds zero: the draws do not tell the two apart."
    if best["difference"] < 0.0:
        return (
            f"“{best['name']}”, a named portfolio, has a better simulated objective than the optimum, by "
            f"{gain} (difference: {apart}).{doubt} The optimum is the best plan for its scenarios "
            "and its programme, not for every draw of the simulation.",
            True,
        )
    return (
        f"No named portfolio has a better simulated objective; the best of them, “{best['name']}”, is {gain} "
        f"worse (difference: {apart}).{doubt}",
        False,
    )


def judging_tables(record: dict[str, Any]) -> list[Table]:
    """Return the figures in and out of sample, and the comparison with the named portfolios."""
    inside, outside = record.get("in_sample") or {}, record.get("out_of_sample") or {}
    tables = []
    model = outside.get("programme") or {}
    rows = []
    for key, (label, kind) in FIGURES.items():
        if key not in inside and key not in outside:
            continue
        unit = "" if kind == "share" else f", {_unit(record, kind)}"
        cell = outside.get(key)
        rows.append(
            [
                f"{label}{unit}",
                _one(inside.get(key), kind),
                _one(model.get(key), kind),
                _with_interval(cell, kind) if cell else MISSING,
            ]
        )
    if rows:
        kinds = (
            f", in brackets the {interval_name(outside['interval_kind'], outside['interval_mass'])}"
            if outside
            else ""
        )
        tables.append(
            Table(
                "The optimum on the scenarios it was chosen on (in sample) and on fresh draws (out of "
                f"sample), there by the programme's own reckoning and simulated{kinds}. From optimum.json.",
                [
                    Column("Figure", False), Column("In sample"), Column("Fresh draws, programme"),
                    Column("Fresh draws, simulated"),
                ],
                rows,
            )
        )  # fmt: skip
    compared = outside.get("portfolios") or []
    if compared:
        tables.append(_comparison(record, outside, compared))
    return tables


def _comparison(record: dict[str, Any], outside: dict[str, Any], compared: list[dict[str, Any]]) -> Table:
    own = {
        "name": "Optimum of the programme", "objective": outside["objective"]["value"],
        **{end: outside["objective"][end] for end in ("low", "high")},
        **{
            key: outside[key]["value"]
            for key in ("expected_cost", "expected_shortfall", "probability_met", "cvar")
        },
    }  # fmt: skip
    everyone = sorted([own, *compared], key=lambda one: float(one["objective"]))
    decimals = decimals_for([float(one["objective"]) for one in everyone])
    rows = [
        [
            str(one["name"]),
            span(one["objective"], one["low"], one["high"], decimals),
            span(one["difference"], one["difference_low"], one["difference_high"], decimals)
            if "difference" in one
            else MISSING,
            fixed(one["cvar"], decimals),
            fixed(one["expected_cost"], decimals),
            significant(one["expected_shortfall"]),
            percent(one["probability_met"]),
        ]
        for one in everyone
    ]
    money = _unit(record, "money")
    return Table(
        f"Optimum and named portfolios simulated on the same {outside['draws']} fresh draws; objective, "
        f"difference to the optimum, CVaR and expected cost in {money}, shortfall in "
        f"{_unit(record, 'shortfall')}; in brackets the "
        f"{interval_name(outside['interval_kind'], outside['interval_mass'])}. From optimum.json.",
        [
            Column("Portfolio", False), Column("Objective"), Column("Above the optimum"),
            Column("CVaR of the loss"), Column("Expected cost"), Column("Mean shortfall"),
            Column("Target met"),
        ],
        rows,
    )  # fmt: skip


def _one(value: Any, kind: str) -> str:
    if value is None:
        return MISSING
    return percent(float(value)) if kind == "share" else significant(float(value))


def _with_interval(cell: dict[str, float], kind: str) -> str:
    if kind == "share":
        return f"{percent(cell['value'])} ({percent(cell['low'])} to {percent(cell['high'])})"
    return span(cell["value"], cell["low"], cell["high"])


def _unit(record: dict[str, Any], kind: str) -> str:
    units = record.get("units")
    return unit_text(str(units.get(kind, ""))) if isinstance(units, dict) else ""
