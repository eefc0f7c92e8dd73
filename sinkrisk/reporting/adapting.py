"""The section on deciding again: what monitoring lets policies gain, when they switch, what it foretells"""

from __future__ import annotations

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import sentence_case
from sinkrisk.portfolio.adaptive_tables import MOST_REFUSED
from sinkrisk.reporting.blocks import Block, Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected
from sinkrisk.reporting.numbers import MISSING, decimals_for, fixed, percent, significant, span, unit_text
from sinkrisk.reporting.sinks import interval_of

POLICIES = {
    "fixed": "Fixed: the best plan, kept",
    "greedy": "Greedy: best for the next period",
    "rolling": "Rolling: best for all that is left",
    "perfect": "Perfect information: unattainable",
}
"""What the policies are called."""


def adapting_section(collected: Collected) -> Section:
    """Return what deciding again in every period gains, and how early a missed target is foretold."""
    section = Section("adapting", "Deciding again as monitoring comes in")
    raw = collected.table("adaptation")
    if raw is None:
        section.absent = collected.why_absent("adaptation")
        return section
    unit, interval = unit_text(raw["unit"].iloc[0]), interval_of(raw)
    rows = {str(r["policy"]): r for r in raw.to_dict("records")}
    rolling, perfect = rows.get("rolling"), rows.get("perfect")
    refused = _refused(collected)
    if refused > MOST_REFUSED:
        text = (
            "What deciding again in every period adds to the best fixed plan is not estimable from these "
            f"draws: {percent(refused)} of the later decisions rest on too few effective draws and keep to "
            "the fixed plan, so that the gains in the table are hardly those of deciding again"
        )
        if perfect is not None:
            text += f". Perfect information would add {significant(perfect['gain'])} {unit}"
        section.sentences.append(text + ".")
    elif rolling is not None:
        clear = rolling["gain_low"] > 0.0
        text = (
            "Deciding again in every period by what monitoring shows "
            f"{'adds' if clear else 'does not clearly add'} to the best fixed plan: "
            f"{span(rolling['gain'], rolling['gain_low'], rolling['gain_high'])} {unit} (in brackets the "
            f"{interval}, out of sample)"
        )
        if perfect is not None:
            text += f", of {significant(perfect['gain'])} that perfect information would add"
        section.sentences.append(text + ".")
    decimals = decimals_for([abs(float(v)) for v in raw["cvar"]])
    gains = decimals_for([abs(float(v)) for c in ("gain_low", "gain_high") for v in raw[c]])
    table = Table(
        f"Net benefit of policies in {unit}, chosen on one half of the draws and judged on the other: "
        f"mean, CVaR, and the gain of each over the fixed plan; in brackets the {interval}. From "
        "adaptation.csv.",
        [
            Column("Policy", False), Column("Mean"), Column("CVaR"), Column("Gain in the mean"),
            Column("Gain in the CVaR"),
        ],
        [
            [
                POLICIES.get(name, sentence_case(name)),
                span(r["mean"], r["low"], r["high"], decimals),
                fixed(r["cvar"], decimals),
                MISSING if name == "fixed" else span(r["gain"], r["gain_low"], r["gain_high"], gains),
                MISSING
                if name == "fixed"
                else span(r["cvar_gain"], r["cvar_gain_low"], r["cvar_gain_high"], gains),
            ]
            for name, r in rows.items()
        ],
    )  # fmt: skip
    section.blocks.append(table)
    section.blocks += _map(collected, names_of(collected))
    section.blocks += _warning(collected, section)
    return section


def _refused(collected: Collected) -> float:
    """Return the share of the rolling policy's later decisions that were refused, 0 where no table says."""
    table = collected.table("decisions")
    if table is None:
        return 0.0
    # The first decision rests on all draws and has no effective number.
    later = table[(table["policy"] == "rolling") & table["ess"].notna()]
    return 0.0 if later.empty else float(later["refused"].mean())


def _map(collected: Collected, names: dict[str, str]) -> list[Block]:
    flows, triggers = collected.table("flows"), collected.table("triggers")
    if flows is None:
        return []
    drawn = named(named(flows, names, "from"), names, "to")
    rules: pd.DataFrame | None = None
    if triggers is not None:
        rules = named(named(triggers, names, "from"), names, "to")
        # A file has the words.
        rules = rules.assign(kept=rules["kept"].astype(str) == "True")
    return [
        Picture(
            "decision_map",
            "Map of which plan is followed in which period, with the rules by which it is left.",
            "Which plan when, and what triggers a switch.",
            lambda: plots.plot_decision_map(drawn, rules),
        )
    ]


def _warning(collected: Collected, section: Section) -> list[Block]:
    raw = collected.table("early_warning")
    if raw is None:
        return []
    table = named(raw, names_of(collected))
    seen = table[table["auc"].notna()]
    if seen.empty:
        rates = table.groupby("portfolio", sort=False)["base_rate"].first()
        told = ", ".join(f"“{p}” ({percent(float(v))})" for p, v in rates.items())
        section.sentences.append(
            f"There is nothing to warn of: whether the target is missed is all but certain for {told} "
            "(share of draws that miss it)."
        )
        return []
    best = seen.sort_values("auc", ascending=False, kind="stable").iloc[0]
    early = seen.sort_values(["year", "auc"], ascending=[True, False], kind="stable").iloc[0]
    section.sentences.append(
        f"By {int(early['year'])} monitoring tells draws of “{early['portfolio']}” that will miss the "
        "target from the others with an area under the curve of "
        f"{span(early['auc'], early['low'], early['high'], 2)} ({interval_of(table)}; 0.5 is chance), the "
        "most of that year"
        + (
            f"; by {int(best['year'])} with {fixed(best['auc'], 2)} for “{best['portfolio']}”."
            if best["year"] != early["year"]
            else "."
        )
    )
    calibration = collected.table("warning_calibration")
    lead = collected.table("lead_times")
    blocks: list[Block] = [
        Picture(
            "early_warning",
            "How well monitoring tells misses from the rest by portfolio and year, and how well predicted "
            "risks are calibrated.",
            "Early warning of a missed target.",
            lambda: plots.plot_early_warning(table, calibration),
        )
    ]
    if lead is not None:
        times = named(lead, names_of(collected))
        mass = float(lead["lead_mass"].iloc[0]) if "lead_mass" in lead else 0.9
        blocks.append(
            Table(
                "Alarms at the accepted share of false ones: share of misses that are foretold, and years "
                f"from the alarm to the target year (mean, in brackets the {percent(mass)} equal-tailed "
                "interval over draws). A dash: nothing to warn of. From lead_times.csv.",
                [
                    Column("Portfolio", False), Column("False alarms"), Column("Foretold"),
                    Column("Lead, years"),
                ],
                [
                    [
                        r["portfolio"], percent(r["false_alarms"]), percent(r["hit_rate"]),
                        span(r["lead_time"], r["lead_low"], r["lead_high"], 0),
                    ]
                    for r in times.to_dict("records")
                ],
            )
        )  # fmt: skip
    return blocks
