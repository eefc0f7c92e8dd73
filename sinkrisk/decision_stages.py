"""Stages around the ranking: what places allow, what the air does, and what to decide

As in `stages`, no mathematics lives here: a stage asks a room for a result and writes it down.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sinkrisk import files
from sinkrisk.artefacts import air, all_outcomes, drawn_inputs, join, library, section, with_air, write_table
from sinkrisk.pipeline import Context, Stage, StageOutput

Skip = Callable[[str], Callable[[Context], str | None]]

YEAR_STEP = 5
"""Years between the rows of ``air.csv``."""

LEARNED: tuple[str, ...] = (
    "potential", "cost", "growth_rate", "trl", "years_per_trl", "energy", "reversal_loss", "additionality",
    "efficiency", "non_co2", "foregone_regrowth", "learning_rate", "cost_slope", "discount_rate",
    "resource_supply", "suitability_share", "mode", "shock", "land_sink", "ocean_sink",
)  # fmt: skip
"""Inputs whose learning is valued: one of the chain, or all pathways (regions, periods) of it at once."""


def _survey(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    spec, level = context.spec.survey, context.spec.level
    plans = context.spec.portfolios
    assert spec is not None
    assert plans is not None
    drawn = drawn_inputs(context)
    atlas = portfolio.suitability(
        drawn, method=spec.method, n=spec.draws, level=level, rng=context.stream("suitability")
    )
    matrix = portfolio.schedule(drawn, plans.total, level=level)
    curves = portfolio.abatement_curves(drawn, prices=spec.prices, level=level)
    credits = portfolio.credit_discounts(drawn, rng=context.stream("credits"))
    write_table(portfolio.suitability_table(atlas), into / "suitability.csv")
    write_table(portfolio.schedule_table(matrix), into / "schedule.csv")
    write_table(portfolio.abatement_table(curves), into / "abatement.csv")
    write_table(portfolio.credit_table(credits, level=level), into / "credits.csv")
    write_table(
        portfolio.exchange_table(portfolio.exchange_rates(credits, level=level)), into / "exchange_rates.csv"
    )
    return StageOutput(
        notes=[
            portfolio.suitability_sentence(atlas),
            portfolio.schedule_sentence(matrix),
            portfolio.abatement_sentence(curves),
            portfolio.credit_sentence(credits, level=level),
        ]
    )


def _outlook(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    spec = context.spec.outlook
    assert spec is not None
    outcomes, drawn = all_outcomes(context), drawn_inputs(context)
    first = int(outcomes["period_start"].values[0])
    years = sorted({*range(first, spec.until + 1, YEAR_STEP), 2100, spec.until})
    projected = air(context, outcomes, drawn, until=spec.until, years=years)
    write_table(portfolio.air_table(projected, level=context.spec.level), into / "air.csv")
    # The same call as in the analysis of drivers: their CO2 must not differ in the last digit.
    co2 = with_air(context, outcomes, drawn)["co2_2100"]
    co2.drop_vars([n for n in co2.coords if n not in ("sample", "portfolio")]).to_netcdf(into / "co2_2100.nc")
    return StageOutput(notes=[portfolio.air_sentence(projected, level=context.spec.level)])


def _decide(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    spec, target, level = context.spec.decision, context.spec.target, context.spec.level
    assert spec is not None
    assert target is not None
    outcomes, drawn = all_outcomes(context), drawn_inputs(context)
    values = portfolio.net_benefit(outcomes, target=target, decision=spec)
    compared = portfolio.compare_portfolios(values, level=level)
    learned = {
        name: drawn[name].values
        for name in LEARNED
        if name in drawn and np.ptp(np.asarray(drawn[name].values, dtype=float), axis=0).any()
    }
    learning = portfolio.value_of_learning(values, learned, rng=context.stream("learning"))
    write_table(compared, into / "decision.csv")
    write_table(learning, into / "learning.csv")
    write_table(portfolio.buffer_table(outcomes), into / "buffers.csv")
    apart = portfolio.decouple_shocks(drawn, rng=context.stream("decoupled shocks"))
    wanted = ("removed", "returned", "stored")
    decoupled = join(
        [portfolio.simulate(apart, plans, variables=wanted) for plans in context.memory["portfolios"]]
    )
    at_risk = portfolio.carbon_at_risk(
        outcomes, decoupled=decoupled, interval_mass=level, rng=context.stream("carbon at risk")
    )
    write_table(at_risk, into / "carbon_at_risk.csv")
    return StageOutput(notes=[portfolio.comparison_sentence(compared), portfolio.learning_sentence(learning)])


def _adapt(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    spec, target, decision = context.spec.adapt, context.spec.target, context.spec.decision
    assert spec is not None
    assert target is not None
    assert decision is not None
    drawn, level = drawn_inputs(context), context.spec.level
    candidates = context.memory["portfolios"][0].sel(portfolio=list(spec.candidates))
    adapted = portfolio.adapt(
        drawn,
        candidates,
        target=target,
        decision=decision,
        signals=spec.signals,
        caution=spec.caution,
        level=level,
        rng=context.stream("adapt"),
    )
    warned = portfolio.early_warning(
        drawn,
        candidates,
        target=target,
        signals=spec.signals,
        false_alarm_rate=spec.false_alarm_rate,
        level=level,
        rng=context.stream("early warning"),
    )
    for name, frame in (
        ("adaptation.csv", adapted.table), ("courses.csv", adapted.courses),
        ("decisions.csv", adapted.decisions), ("triggers.csv", adapted.triggers),
        ("flows.csv", adapted.flows), ("early_warning.csv", warned.table), ("lead_times.csv", warned.leads),
        ("warning_calibration.csv", warned.calibration),
    ):  # fmt: skip
        write_table(frame, into / name)
    return StageOutput(notes=[adapted.sentence, warned.sentence])


LEAST_ADAPTED = 512
"""Fewest joint draws of a run that adapts: half of them re-weighted must leave a hundred or so."""


def _not_adapted(without: Skip) -> Callable[[Context], str | None]:
    """Return why a run does not adapt: no section, or so few draws (a quick look) that it says nothing."""

    def skip(context: Context) -> str | None:
        reason = without("adapt")(context)
        if reason is None and context.spec.draws < LEAST_ADAPTED:
            reason = f"{context.spec.draws} joint draws; re-weighting them needs {LEAST_ADAPTED}"
        return reason

    return skip


def before_measures(without: Skip) -> tuple[Stage, ...]:
    """Return the stages whose results the measures and the report read."""
    return (
        Stage(
            "survey", ("inputs",),
            lambda c: [c.spec.seed, c.spec.level, section(c, "survey", "portfolios"), library(c)],
            without("survey"), _survey,
            ("suitability.csv", "schedule.csv", "abatement.csv", "credits.csv", "exchange_rates.csv"),
        ),
        Stage(
            "outlook", ("budget", "inputs", "simulate", "simulate_optimum"),
            lambda c: [c.spec.seed, c.spec.level, section(c, "outlook"), _emissions(c), library(c)],
            without("outlook"), _outlook, ("air.csv", "co2_2100.nc"),
        ),
    )  # fmt: skip


def after_measures(without: Skip) -> tuple[Stage, ...]:
    """Return the stages that decide by what was simulated."""
    return (
        Stage(
            "decide", ("inputs", "simulate", "simulate_optimum"),
            lambda c: [c.spec.seed, c.spec.level, section(c, "decision", "target"), library(c)],
            without("decision"), _decide,
            ("decision.csv", "learning.csv", "buffers.csv", "carbon_at_risk.csv"),
        ),
        Stage(
            "adapt", ("inputs", "simulate"),
            lambda c: [c.spec.seed, c.spec.level, section(c, "adapt", "decision", "target", "portfolios"),
                       library(c)],
            _not_adapted(without), _adapt,
            ("adaptation.csv", "courses.csv", "decisions.csv", "triggers.csv", "flows.csv",
             "early_warning.csv", "lead_times.csv", "warning_calibration.csv"),
        ),
    )  # fmt: skip


def _emissions(context: Context) -> str | None:
    """Return the hash of the spec's own emissions; the library's are part of the library."""
    spec = context.spec.outlook
    if spec is None or spec.emissions is None:
        return None
    return files.sha256_of(context.loaded.resolve(spec.emissions))
