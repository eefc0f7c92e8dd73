"""The stages of a run: what each reads from the spec, computes with its room, and writes.

No mathematics lives here. A stage asks a room for a result and writes it down; what it needs from
an earlier stage it reads from that stage's files, whether they are a second or a month old, so that a
resumed run gives the same values to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sinkrisk import decision_stages, driver_stages, files
from sinkrisk.artefacts import (
    all_outcomes,
    co2_2100,
    drawn_inputs,
    drivers,
    library,
    measured,
    outcomes,
    section,
    store,
    write_table,
)
from sinkrisk.pipeline import Context, Stage, StageOutput

if TYPE_CHECKING:
    import xarray as xr


def _without(name: str, reason: str) -> Callable[[Context], str | None]:
    def skip(context: Context) -> str | None:
        return None if getattr(context.spec, name) is not None else reason

    return skip


# --- budget -----------------------------------------------------------------------------------


def _budget(context: Context, into: Path) -> StageOutput:
    from sinkrisk import budget

    spec = context.spec.budget
    assert spec is not None
    observations = context.memory["observations"]

    def reconciled(errors: Literal["shares", "iid"]) -> xr.DataTree:
        tree: xr.DataTree = budget.reconcile(
            observations,
            model=spec.model,
            draws=spec.draws,
            tune=spec.tune,
            chains=spec.chains,
            rng=context.stream("budget"),
            attribution=spec.attribution,
            windows=spec.windows,
            errors=errors,
            series=spec.series,
            sampler=spec.sampler,
            check=False,
        )
        return tree

    tree = reconciled(spec.errors)
    # How sure a trend is depends on the structure of errors more than on anything else: both are told.
    both = spec.model == "hierarchical" and spec.errors != "iid" and tree.attrs.get("geography") == "global"
    compared = reconciled("iid") if both else None
    checks = budget.diagnose(tree, rhat_max=spec.rhat_max, ess_min=spec.ess_min, closure_max=spec.closure_max)
    tree.to_netcdf(into / "budget.nc")
    for name, frame in budget.budget_tables(tree, level=spec.level, compared=compared).items():
        write_table(frame, into / name)
    sentence = budget.budget_result(tree, level=spec.level).sentence
    return StageOutput(checks=[*checks, *budget.predictive_findings(tree, observations)], notes=[sentence])


def _budget_hashes(context: Context) -> list[str | None]:
    """Return hashes of all that a budget rests on: the rows, and the priors of the models of years."""
    names = ("observations", "budget", "budget_statements")
    return [context.memory["hashes"].get(name) for name in names]


# --- network ----------------------------------------------------------------------------------


def _network(context: Context, into: Path) -> StageOutput:
    from sinkrisk import network

    net = context.memory["network"]
    network.save_xdsl(net, into / "network.xdsl")
    write_table(network.marginals(net), into / "network_marginals.csv")
    return StageOutput()


# --- inputs -----------------------------------------------------------------------------------


def _inputs(context: Context, into: Path) -> StageOutput:
    from sinkrisk import inputs

    registry = drivers(context)
    drawn = inputs.sample(registry, context.spec.draws, rng=context.stream("inputs"))
    drawn.to_netcdf(into / "inputs.nc")
    write_table(registry.table, into / "drivers.csv")
    return StageOutput(notes=[f"{len(registry)} drivers, {context.spec.draws} joint draws"])


# --- simulate ---------------------------------------------------------------------------------


def _simulate(context: Context, into: Path) -> StageOutput:
    import pandas as pd

    from sinkrisk import portfolio

    sets = context.memory["portfolios"]
    drawn = drawn_inputs(context)
    outcomes = portfolio.join_outcomes([portfolio.simulate(drawn, plans) for plans in sets])
    # Conservation fails the stage; a plan beyond the potential only informs.
    checks = [*portfolio.check_identities(outcomes)]
    for plans in sets:
        checks += portfolio.check_plan(drawn, plans)
    store(outcomes, into / "outcomes.zarr")
    tables = [portfolio.plan_table(plans) for plans in sets]
    write_table(pd.concat(tables, ignore_index=True), into / "portfolios.csv")
    level = context.spec.level
    traced = portfolio.trace_table(outcomes, level=level)
    write_table(traced, into / "tracing.csv")
    write_table(portfolio.binding_table(outcomes, level=level), into / "binding.csv")
    write_table(portfolio.limiting_table(drawn), into / "limiting.csv")
    return StageOutput(checks=checks, notes=[portfolio.trace_sentence(traced)])


# --- scenarios and optimum --------------------------------------------------------------------


def _scenarios(context: Context, into: Path) -> StageOutput:
    from sinkrisk import scenarios

    spec = context.spec.scenarios
    assert spec is not None
    built = scenarios.build(
        drawn_inputs(context), outcomes(context), spec.n, method=spec.method, rng=context.stream("scenarios")
    )
    scenarios.save(built, into / "scenarios.nc")
    scenarios.save(built, into / "scenarios.parquet")
    return StageOutput()


def _optimize(context: Context, into: Path) -> StageOutput:
    from sinkrisk import inputs, scenarios

    # Read back from the file an optimizer would read, not from memory: the hand-over is the product.
    read = scenarios.read(context.directory / "scenarios.nc")
    # Plans of the world, where there are any: the programme plans for the world.
    plans = context.memory["portfolios"][0]
    optimum = scenarios.optimize_spec(
        read, context.spec.optimize, context.spec.portfolios, context.spec.target, plans["planned"]
    )
    # The scenarios were picked from the run's draws, so those draws flatter the plan as well.
    fresh = inputs.sample(drivers(context), context.spec.draws, rng=context.stream("out of sample"))
    optimum = scenarios.validate(optimum, fresh, plans, rng=context.stream("out of sample", "bootstrap"))
    write_table(optimum.table, into / "optimum.csv")
    files.write_json(into / "optimum.json", optimum.record())
    return StageOutput(notes=[optimum.sentence])


def _simulate_optimum(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    plan = optimum_plan(context)
    simulated = portfolio.simulate(drawn_inputs(context), plan)
    store(simulated, into / "outcomes_optimum.zarr")
    return StageOutput()


def optimum_plan(context: Context) -> xr.Dataset:
    """Return the optimum as one more portfolio, read from ``optimum.csv``."""
    import pandas as pd

    from sinkrisk import portfolio

    table = pd.read_csv(context.directory / "optimum.csv")
    return portfolio.plan_from_table(table, portfolio="optimum", name="Optimum of the mean-CVaR programme")


# --- measure and rank -------------------------------------------------------------------------


def _measure(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    target = context.spec.target
    assert target is not None
    outcomes = all_outcomes(context)
    if context.spec.outlook is not None:
        outcomes = outcomes.assign(co2_2100=co2_2100(context))
    measures = portfolio.measure(outcomes, target=target)
    probability = drawn_inputs(context)["probability"]
    summary = portfolio.summarise(measures, level=context.spec.level, probability=probability)
    measures.to_dataset(name="measures").to_netcdf(into / "measures.nc")
    write_table(portfolio.summary_table(summary), into / "measures.csv")
    return StageOutput()


def _rank(context: Context, into: Path) -> StageOutput:
    from sinkrisk import portfolio

    spec = context.spec.rank
    assert spec is not None
    measures = measured(context)
    measures = measures.sel(criterion=list(spec.criteria))
    criteria, weights = list(spec.criteria), spec.weights
    ranking = portfolio.rank(measures, weights=weights, criteria=criteria, rng=context.stream("rank"))
    write_table(portfolio.ranking_table(ranking), into / "ranking.csv")
    varied = portfolio.ranking_sensitivity(
        measures, weights=weights, criteria=criteria, rng=context.stream("rank")
    )
    write_table(varied, into / "ranking_sensitivity.csv")
    return StageOutput(notes=[portfolio.ranking_sentence(ranking)])


# --- report -----------------------------------------------------------------------------------


def _report(context: Context, into: Path) -> StageOutput:
    from sinkrisk import reporting

    reporting.compose(context.directory, into)
    return StageOutput()


def stages() -> tuple[Stage, ...]:
    """Return the stages of a run in the order they run."""
    no_portfolios = _without("portfolios", "the spec has no 'portfolios' section")

    def not_optimized(context: Context) -> str | None:
        for name in ("portfolios", "scenarios", "optimize"):
            if getattr(context.spec, name) is None:
                return f"the spec has no '{name}' section"
        return None

    def not_ranked(name: str) -> Callable[[Context], str | None]:
        return lambda c: no_portfolios(c) or _without(name, f"the spec has no '{name}' section")(c)

    return (
        Stage(
            "budget", (),
            lambda c: [c.spec.seed, section(c, "budget"), *_budget_hashes(c)],
            _without("budget", "the spec has no 'budget' section"), _budget,
            ("budget.nc", "budget.csv", "attribution.csv", "fluxes.csv", "parameters.csv",
             "sink_rates.csv", "trends.csv"),
        ),
        Stage(
            "network", (), lambda c: [section(c, "network"), library(c)],
            _without("network", "the spec has no 'network' section"), _network,
            ("network.xdsl", "network_marginals.csv"),
        ),
        Stage(
            "inputs", ("budget", "network"),
            lambda c: [c.spec.seed, c.spec.draws, section(c, "inputs"), library(c)],
            no_portfolios, _inputs, ("inputs.nc", "drivers.csv"),
        ),
        Stage(
            "simulate", ("inputs",), lambda c: [c.spec.level, section(c, "portfolios"), library(c)],
            no_portfolios, _simulate,
            ("outcomes.zarr", "portfolios.csv", "tracing.csv", "binding.csv", "limiting.csv"),
        ),
        Stage(
            "scenarios", ("simulate",), lambda c: [c.spec.seed, section(c, "scenarios")],
            not_ranked("scenarios"), _scenarios, ("scenarios.nc", "scenarios.parquet"),
        ),
        Stage(
            "optimize", ("scenarios",), lambda c: section(c, "optimize", "portfolios", "target"),
            not_optimized, _optimize, ("optimum.csv", "optimum.json"),
        ),
        Stage(
            "simulate_optimum", ("inputs", "optimize"), lambda c: library(c),
            not_optimized, _simulate_optimum, ("outcomes_optimum.zarr",),
        ),
        *decision_stages.before_measures(not_ranked),
        Stage(
            "measure", ("simulate", "simulate_optimum", "outlook"),
            lambda c: [section(c, "target", "level"), library(c)],
            not_ranked("target"), _measure, ("measures.nc", "measures.csv"),
        ),
        Stage(
            "rank", ("measure",), lambda c: [c.spec.seed, section(c, "rank")],
            not_ranked("rank"), _rank, ("ranking.csv", "ranking_sensitivity.csv"),
        ),
        *decision_stages.after_measures(not_ranked),
        *driver_stages.driver_stages(not_ranked),
        Stage(
            "report",
            ("budget", "network", "inputs", "survey", "outlook", "measure", "rank", "decide", "adapt",
             "sobol", "optimize"),
            lambda c: [section(c, "title", "description"), c.allow_unconverged],
            lambda _: None, _report, ("report.html", "figures"),
        ),
    )  # fmt: skip
