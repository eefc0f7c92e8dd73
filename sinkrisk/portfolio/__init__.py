"""Pathway-Region-Temporal portfolios: named strategies, simulation, measures and ranking.

`load_portfolios` and `plan` make plans, `simulate` runs them over joint draws of the inputs,
`measure` and `summarise` turn outcomes into criteria, `rank` says which portfolio is how likely
the best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.portfolio.abatement import (
        abatement_curves as abatement_curves,
        abatement_sentence as abatement_sentence,
        abatement_table as abatement_table,
    )
    from sinkrisk.portfolio.adapting import AdaptResult as AdaptResult, adapt as adapt
    from sinkrisk.portfolio.air import annual_relief as annual_relief, project_air as project_air
    from sinkrisk.portfolio.air_tables import air_sentence as air_sentence, air_table as air_table
    from sinkrisk.portfolio.alarming import WarningResult as WarningResult, early_warning as early_warning
    from sinkrisk.portfolio.buffering import (
        buffer_table as buffer_table,
        carbon_at_risk as carbon_at_risk,
        decouple_shocks as decouple_shocks,
    )
    from sinkrisk.portfolio.candidates import (
        load_plans as load_plans,
        load_portfolios as load_portfolios,
        plan as plan,
        plan_from_table as plan_from_table,
        plan_table as plan_table,
    )
    from sinkrisk.portfolio.crediting import (
        credit_discounts as credit_discounts,
        credit_sentence as credit_sentence,
        credit_table as credit_table,
        exchange_rates as exchange_rates,
        exchange_table as exchange_table,
    )
    from sinkrisk.portfolio.deciding import (
        compare_portfolios as compare_portfolios,
        comparison_sentence as comparison_sentence,
        dominance as dominance,
    )
    from sinkrisk.portfolio.designing import design_portfolios as design_portfolios
    from sinkrisk.portfolio.joining import join_outcomes as join_outcomes
    from sinkrisk.portfolio.ledgers import check_identities as check_identities
    from sinkrisk.portfolio.measuring import measure as measure, summarise as summarise
    from sinkrisk.portfolio.ranking import (
        rank as rank,
        ranking_sensitivity as ranking_sensitivity,
        ranking_values as ranking_values,
    )
    from sinkrisk.portfolio.scheduling import (
        schedule as schedule,
        schedule_sentence as schedule_sentence,
        schedule_table as schedule_table,
    )
    from sinkrisk.portfolio.simulation import (
        capacity as capacity,
        check_plan as check_plan,
        simulate as simulate,
    )
    from sinkrisk.portfolio.specification import (
        AdaptSpec as AdaptSpec,
        DecisionSpec as DecisionSpec,
        OutlookSpec as OutlookSpec,
        PortfolioSpec as PortfolioSpec,
        RankSpec as RankSpec,
        SurveySpec as SurveySpec,
        TargetSpec as TargetSpec,
    )
    from sinkrisk.portfolio.strategies import list_strategies as list_strategies
    from sinkrisk.portfolio.streaming import simulate_to_zarr as simulate_to_zarr
    from sinkrisk.portfolio.suiting import (
        suitability as suitability,
        suitability_sentence as suitability_sentence,
        suitability_table as suitability_table,
    )
    from sinkrisk.portfolio.tables import (
        ranking_sentence as ranking_sentence,
        ranking_table as ranking_table,
        summary_table as summary_table,
    )
    from sinkrisk.portfolio.tracing import (
        binding_table as binding_table,
        limiting_table as limiting_table,
        trace_sentence as trace_sentence,
        trace_table as trace_table,
    )
    from sinkrisk.portfolio.valuing import (
        learning_sentence as learning_sentence,
        net_benefit as net_benefit,
        value_of_learning as value_of_learning,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "air_sentence": ".air_tables",
        "air_table": ".air_tables",
        "annual_relief": ".air",
        "project_air": ".air",
        "AdaptSpec": ".specification",
        "DecisionSpec": ".specification",
        "OutlookSpec": ".specification",
        "PortfolioSpec": ".specification",
        "RankSpec": ".specification",
        "SurveySpec": ".specification",
        "TargetSpec": ".specification",
        "AdaptResult": ".adapting",
        "WarningResult": ".alarming",
        "adapt": ".adapting",
        "early_warning": ".alarming",
        "abatement_curves": ".abatement",
        "abatement_sentence": ".abatement",
        "abatement_table": ".abatement",
        "binding_table": ".tracing",
        "limiting_table": ".tracing",
        "trace_sentence": ".tracing",
        "trace_table": ".tracing",
        "buffer_table": ".buffering",
        "carbon_at_risk": ".buffering",
        "compare_portfolios": ".deciding",
        "comparison_sentence": ".deciding",
        "decouple_shocks": ".buffering",
        "credit_discounts": ".crediting",
        "credit_sentence": ".crediting",
        "credit_table": ".crediting",
        "exchange_rates": ".crediting",
        "exchange_table": ".crediting",
        "dominance": ".deciding",
        "join_outcomes": ".joining",
        "learning_sentence": ".valuing",
        "net_benefit": ".valuing",
        "value_of_learning": ".valuing",
        "capacity": ".simulation",
        "check_identities": ".ledgers",
        "check_plan": ".simulation",
        "design_portfolios": ".designing",
        "list_strategies": ".strategies",
        "load_plans": ".candidates",
        "load_portfolios": ".candidates",
        "measure": ".measuring",
        "plan": ".candidates",
        "plan_from_table": ".candidates",
        "plan_table": ".candidates",
        "ranking_sentence": ".tables",
        "ranking_table": ".tables",
        "summary_table": ".tables",
        "rank": ".ranking",
        "ranking_sensitivity": ".ranking",
        "ranking_values": ".ranking",
        "schedule": ".scheduling",
        "schedule_sentence": ".scheduling",
        "schedule_table": ".scheduling",
        "simulate": ".simulation",
        "simulate_to_zarr": ".streaming",
        "suitability": ".suiting",
        "suitability_sentence": ".suiting",
        "suitability_table": ".suiting",
        "summarise": ".measuring",
    },
)
