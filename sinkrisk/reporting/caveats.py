"""What to distrust, where everything came from, and what the terms mean."""

from __future__ import annotations

import json

import pandas as pd

from sinkrisk.plots.labels import readable, sentence_case
from sinkrisk.reporting.blocks import Block, Column, Facts, Listing, Section, Table
from sinkrisk.reporting.choices import BEYOND, beyond_text
from sinkrisk.reporting.collecting import Collected
from sinkrisk.reporting.numbers import MISSING, fixed, joined, percent, sentence

CLOSED_MODEL = (
    "The closed budget model takes the stated errors of components as independent of each other and of time. "
    "Real errors are shared between windows and methods (a bias of a method stays for decades), so its "
    "intervals of long means are too narrow and its differences between windows too wide.",
    "It has flat priors and no memory: a decade learns nothing from its neighbours, and trends and "
    "interannual variability do not enter.",
    "It has no missing flux and no outliers: whatever does not close is spread over the stated components in "
    "proportion to their stated variances.",
)
"""What the closed model leaves out."""

CLOSED_CHECKS = (
    "For the closed model the checks of R-hat and effective sample size test independent draws from an exact "
    "posterior, and the budget closes in every draw by construction: that they pass says nothing about "
    "the model."
)
"""What the checks of the closed model are worth."""

NO_FEEDBACK = (
    "Removal does not feed back on the natural sinks here: taking CO₂ out of the air weakens them, so the "
    "net effect on the atmosphere is smaller than the removal reported."
)
"""What a run without an outlook leaves out."""

FEEDBACK = (
    "Only the section on the air lets removal weaken the natural sinks; tonnes removed are counted elsewhere "
    "as they are taken, and neither yields nor hazards answer to the warming that portfolios avoid."
)
"""What a run with an outlook leaves out."""

CHAIN = (
    "Sobol' indices of a posterior or of a bank of network tables speak of the draws at hand, and the index "
    "of a network node is the share of its own noise, not of the state it passes on.",
    "The strength of the land sink scales the potential of every nature pathway one for one: an assumption, "
    "no source states how restored land answers where the sink is weaker.",
    "Climate shocks after the horizon are not drawn: durable removal and what is still stored in 2200 take "
    "the hazard expected after it, so later chance, and later shocks that strike together, are in no "
    "interval.",
    "Suitability says how well a place fits, by weights and endowments that are mostly assumptions; it does "
    "not enter the simulation, where potentials by region do.",
    "Shares, totals and targets of the portfolios are scenarios set in the spec, not findings; so are what a "
    "durable tonne is worth and what a missing one costs.",
)
"""What the rest of the chain leaves out."""


def assumed(source: str) -> str:
    """Return whether a driver's sources are all assumptions, partly, or none: ``all|part|none``.

    Examples
    --------
    >>> assumed("assumption"), assumed("ma2025; assumption"), assumed("ma2025")
    ('all', 'part', 'none')
    """
    parts = [p.strip() for p in source.split(";") if p.strip()]
    count = sum(p == "assumption" or p.startswith("assumption:") for p in parts)
    return "none" if count == 0 else "all" if count == len(parts) else "part"


def distrust_section(collected: Collected) -> Section:
    """Return the section with assumptions, checks, skipped stages, what the models leave out."""
    section = Section("distrust", "What to distrust")
    drivers = collected.table("drivers")
    if drivers is None:
        section.sentences.append(
            "How many drivers rest on assumptions is not known. " + collected.why_absent("drivers")
        )
    else:
        section.blocks += _assumptions(section, drivers)
    section.blocks += _checks(collected, section)
    if collected.option("budget", "model") == "closed" and collected.checks():
        section.sentences.append(CLOSED_CHECKS)
    section.blocks.append(Listing("Stages that did not run", _skipped(collected)))
    left_out: list[str] = []
    if collected.option("budget", "model") == "closed":
        left_out += CLOSED_MODEL
    feedback = NO_FEEDBACK if collected.table("air") is None else FEEDBACK
    section.blocks.append(Listing("What the models leave out", [*left_out, feedback, *CHAIN]))
    return section


def _assumptions(section: Section, drivers: pd.DataFrame) -> list[Block]:
    kinds = [assumed(str(s)) for s in drivers["source"]]
    entire, partly, count = kinds.count("all"), kinds.count("part"), len(kinds)
    section.sentences.append(
        f"{entire} of {count} drivers ({percent(entire / count)}) rest on assumptions of this project alone, "
        f"because the literature used here states no number; {partly} more rest on assumptions in part. "
        "Their reasons are in the notes of the tables of priors. The network's probabilities and the "
        "suitability weights count as assumptions: the literature gives words for them, not numbers."
    )
    table = drivers.assign(kind_of_source=kinds)
    rows = []
    for group, part in table.groupby("group", sort=False):
        held = list(part["kind_of_source"])
        rows.append(
            [
                readable(group),
                str(len(part)),
                str(held.count("all")),
                str(held.count("part")),
                ", ".join(dict.fromkeys(readable(k) for k in part["kind"])),
            ]
        )
    resting = table[table["kind_of_source"] != "none"]
    listed = [
        [readable(row["name"]), readable(row["group"]), str(row["source"])]
        for row in resting.to_dict(orient="records")
    ]
    return [
        Table(
            "Drivers by group, and how many rest on assumptions. Epistemic: could be learnt; aleatory: "
            "chance. From drivers.csv.",
            [
                Column("Group", False),
                Column("Drivers"),
                Column("Assumption alone"),
                Column("Assumption in part"),
                Column("Kind", False),
            ],
            rows,
        ),
        Table(
            f"The {len(listed)} drivers that rest on assumptions, alone or in part.",
            [Column("Driver", False), Column("Group", False), Column("Source", False)],
            listed,
            folded=True,
        ),
    ]


def _checks(collected: Collected, section: Section) -> list[Block]:
    checks = collected.checks()
    failed = [c for c in checks if c["passed"] is False]
    informing = [c for c in checks if c["passed"] is None]
    passed = len(checks) - len(failed) - len(informing)
    if not checks:
        section.sentences.append("The run recorded no checks.")
        return []
    section.sentences.append(
        f"Of {len(checks)} checks {passed} passed, {len(failed)} failed and {len(informing)} only inform."
    )
    if failed:
        section.warnings.append("Failed checks: " + joined(str(c["text"]) for c in failed))
    order = {False: 0, None: 1, True: 2}
    words = {False: "failed", None: "informs", True: "passed"}
    minded = collected.table("measures") is not None and bool(beyond_text(collected))
    rows = [
        [
            words[c["passed"]],
            f"{readable(c['stage'])}: {readable(c['name'])}",
            # What the section on the portfolios minds is not said again, in the words of the labels.
            "Told in the section on the portfolios."
            if minded and c["name"] == BEYOND and c["passed"] is not True
            else sentence(str(c["text"])),
        ]
        for c in sorted(checks, key=lambda c: order[c["passed"]])
    ]
    return [
        Table(
            "Checks of the run: failed first, then those that inform, then those that passed.",
            [Column("Outcome", False), Column("Stage: check", False), Column("Finding", False)],
            rows,
        )
    ]


def _skipped(collected: Collected) -> list[str]:
    items = [
        f"{readable(name)}: {sentence(record.skipped)}"
        for name, record in collected.stages().items()
        if record.skipped is not None
    ]
    items += [
        f"{readable(name)}: missing; the spec asks for it, but the run ended before it was finished."
        for name in collected.missing()
    ]
    if items:
        return items
    return ["Every stage ran; none was skipped." if collected.stages() else "No stage is recorded."]


def provenance_section(collected: Collected) -> Section:
    """Return the section with the manifest, in words and in full."""
    manifest = collected.manifest
    section = Section("provenance", "Provenance")
    section.sentences.append(
        "Everything on this page was read from the files of the run directory that its manifest records, "
        "after checking that they are unchanged. Equal spec, inputs, versions and seed give equal numbers."
    )
    stages = collected.stages()
    section.blocks = [
        Table(
            "Stages of the run, the files they wrote and how long they took.",
            [Column("Stage", False), Column("Outcome", False), Column("Files", False), Column("Seconds")],
            [
                [
                    readable(name),
                    "ran" if record.skipped is None else f"skipped: {record.skipped}",
                    ", ".join(sorted(record.outputs)) or MISSING,
                    fixed(record.seconds, 1) if record.skipped is None else MISSING,
                ]
                for name, record in stages.items()
            ],
        ),
        Listing(
            "Notes of the stages",
            [f"{sentence_case(name)}: {note}" for name, record in stages.items() for note in record.notes],
            folded=True,
        ),
        Facts("Package versions", sorted(manifest.versions.items()), folded=True),
        Table(
            "Input files and the SHA-256 of their bytes.",
            [Column("File", False), Column("SHA-256", False)],
            [[name, digest] for name, digest in sorted(manifest.inputs.items())],
            folded=True,
        ),
        Listing(
            "The spec as it was run, defaults filled in",
            preformatted=json.dumps(manifest.spec, indent=2, ensure_ascii=False, default=str),
            folded=True,
        ),
    ]
    section.blocks = [b for b in section.blocks if not isinstance(b, Listing) or b.items or b.preformatted]
    return section


GLOSSARY: list[tuple[str, str]] = [
    (
        "Aleatory, epistemic",
        "Aleatory uncertainty is chance (whether a disturbance strikes); epistemic uncertainty is ignorance "
        "that more knowledge could reduce (what a tonne costs).",
    ),
    ("Attribution", "How much of a budget imbalance each component's adjustment accounts for."),
    (
        "Budget imbalance",
        "Emissions minus atmospheric growth minus sinks, from separately stated estimates. It would be zero "
        "if all were exact.",
    ),
    (
        "Buffer",
        "Tonnes held back against carbon that comes back. A pool holds one buffer for several pathways, "
        "whose losses do not all fall into the same draw.",
    ),
    (
        "Carbon-at-Risk",
        "Extra gross removal that guarantees, at a stated probability, the amount a portfolio stores on "
        "average.",
    ),
    (
        "Central weights",
        "The mean of the criteria weights for which a portfolio ranks first: the preferences it suits.",
    ),
    (
        "Confidence factor",
        "The probability that a portfolio ranks first when the criteria have its central weights.",
    ),
    (
        "Conditional value at risk (CVaR)",
        "The mean outcome over the worst share of draws, for example the worst 5 %.",
    ),
    (
        "Credit discount",
        "Part of a tonne booked as removal that is left when durability, reversal, measurement, "
        "additionality, leakage, delay and energy are counted. The ratio of two discounts is the exchange "
        "rate.",
    ),
    (
        "Cost per durable tonne",
        "Cost of everything a portfolio captures, in any ledger, undiscounted, over its durable removal.",
    ),
    ("Deployment mode", "How far institutions let a class of pathways be deployed in a region and period."),
    (
        "Dominance, stochastic",
        "A portfolio dominates another in the first order when everybody who prefers more prefers it, in the "
        "second order when everybody who also dislikes risk does.",
    ),
    ("Driver", "One uncertain input of the chain; drivers are independent and analysed by group."),
    (
        "Durable removal",
        "Gross removal, after foregone regrowth, times the share still stored 100 years after it was stored, "
        "by decay, leakage, the shocks drawn until the end of the horizon and the hazard expected after it; "
        "less process emissions and non-CO₂ effects.",
    ),
    (
        "Equal-tailed interval",
        "The range with the same probability below and above it: a 90 % interval leaves 5 % on each side.",
    ),
    (
        "Expected regret",
        "What the best portfolio of each draw would have brought more than the one chosen, on average.",
    ),
    (
        "Expected value of learning (EVPPI)",
        "What knowing one input before choosing adds to the value of the choice, on average; EVPI: knowing "
        "everything. Estimates fitted and judged on the same draws are too high, cross-fitted ones too low.",
    ),
    ("First-order index (S1)", "Share of a measure's variance that a group of drivers explains alone."),
    (
        "Marginal abatement cost",
        "Cost of the last tonne of CO₂ captured at the use of capacity reached; mean over pathways, regions "
        "and periods weighted by tonnes, undiscounted. It is above the average cost, which the total cost "
        "adds up.",
    ),
    (
        "Monte Carlo error",
        "Standard error of a probability p estimated from n draws, √(p (1 − p) / n) for independent ones; "
        "the draws here spread more evenly (scrambled Sobol' points), so it is conservative.",
    ),
    (
        "Net benefit",
        "Worth of a portfolio's durable tonnes less its cost less the penalty on the shortfall.",
    ),
    (
        "Net effect on the air",
        "How much less CO₂ the air holds because of a portfolio. It is less than what was removed, because "
        "ocean and land take up less where there is less CO₂.",
    ),
    (
        "Optimality gap",
        "How far, at most, a plan's objective is from the best possible one; zero is a proven optimum.",
    ),
    ("Rank acceptability", "Probability that a portfolio takes a rank, over draws and criteria weights."),
    (
        "Replicate t interval",
        "An interval for an index from the scatter of independent repetitions of the whole estimate, by "
        "Student's t distribution; it speaks of sampling noise, not of the inputs' uncertainty.",
    ),
    (
        "Reversal",
        "Return of stored carbon to the air, for example by fire, drought or leakage.",
    ),
    (
        "Scheduling matrix",
        "For each pathway, region and period its share of the planned total when the total is reached at "
        "least cost, and how likely it is used at all.",
    ),
    (
        "Share moved to other pathways",
        "Tonnes that passive redundancy moved to biochar and enhanced weathering, over all tonnes a "
        "portfolio delivers.",
    ),
    (
        "Shortfall",
        "How much the durable removal of a portfolio, summed until the target year, lacks of the target; "
        "zero where it meets it.",
    ),
    (
        "Suitability",
        "How well a region offers what a pathway needs, scored by multi-criteria analysis under uncertain "
        "weights and endowments; the probability that the score passes a threshold.",
    ),
    (
        "Technology readiness level (TRL)",
        "How far a technology has come, from 1 (its principle is known) to 9 (proven in operation).",
    ),
    (
        "Total discounted cost",
        "Present value of what everything a portfolio captures costs, in any ledger, discounted to the start "
        "of the first period at each draw's own rate.",
    ),
    (
        "Total-order index (ST)",
        "Share of a measure's variance in which a group takes part, alone or with others. "
        "The indices of all groups may add up to more than 1.",
    ),
    ("Value at risk (VaR)", "The outcome that only the worst share of draws exceeds."),
]
"""Terms a reader meets on the page."""
