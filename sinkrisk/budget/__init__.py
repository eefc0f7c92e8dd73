"""The carbon budget: stated estimates reconciled so that the budget closes in every draw.

Data walk through the modules in this order. The model `closed`: `reading` checks the observation table,
`closed` solves it in plain numpy, `assembling` labels the answer. The models of years: `preparing` checks
the table, `annual` turns rows into a linear-Gaussian `structure` and its parameters, `dense` or `banded`
evaluate its likelihood, `operator` and `modelling` put that into PyMC, `sampling` samples the parameters,
`conditional` draws the fluxes exactly, `labelling` labels them. `reconciling` is the door to both,
`diagnostics` guards it, and `summarising` and `attribution` turn it into tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.budget.attribution import (
        attribute_imbalance as attribute_imbalance,
        source_pulls as source_pulls,
    )
    from sinkrisk.budget.calibration import calibrate as calibrate
    from sinkrisk.budget.carbon_cycle import (
        impulse_response as impulse_response,
        one_box as one_box,
        pulse_response as pulse_response,
    )
    from sinkrisk.budget.comparing import ModelComparison as ModelComparison, compare_models as compare_models
    from sinkrisk.budget.conflicts import check_conflicts as check_conflicts, find_conflicts as find_conflicts
    from sinkrisk.budget.diagnostics import diagnose as diagnose, gate as gate
    from sinkrisk.budget.ecosystems import (
        EcosystemBudget as EcosystemBudget,
        reconcile_ecosystems as reconcile_ecosystems,
    )
    from sinkrisk.budget.emission_paths import (
        extend_emissions as extend_emissions,
        gross_emissions as gross_emissions,
        read_emissions as read_emissions,
    )
    from sinkrisk.budget.hierarchical import Fitted as Fitted, fit_annual as fit_annual
    from sinkrisk.budget.hindcasting import (
        annual_series as annual_series,
        hindcast as hindcast,
        hindcast_outlook as hindcast_outlook,
        score_hindcast as score_hindcast,
        true_hindcast as true_hindcast,
    )
    from sinkrisk.budget.influence import trace_influence as trace_influence
    from sinkrisk.budget.labelling import check_report_windows as check_report_windows
    from sinkrisk.budget.outlook_tables import (
        outlook_result as outlook_result,
        summarise_outlook as summarise_outlook,
    )
    from sinkrisk.budget.predictive import (
        check_predictive as check_predictive,
        tabulate_predictive as tabulate_predictive,
    )
    from sinkrisk.budget.preparing import PreparedTable as PreparedTable, prepare_rows as prepare_rows
    from sinkrisk.budget.projecting import outlook as outlook
    from sinkrisk.budget.rates import (
        airborne_fraction as airborne_fraction,
        all_trends as all_trends,
        rate_table as rate_table,
        sink_rates as sink_rates,
        trend_table as trend_table,
        trends as trends,
    )
    from sinkrisk.budget.reading import BudgetTable as BudgetTable, read_table as read_table
    from sinkrisk.budget.reconciling import fit as fit, reconcile as reconcile
    from sinkrisk.budget.sensitivity_to_priors import power_scale as power_scale
    from sinkrisk.budget.shares import constant_shares as constant_shares
    from sinkrisk.budget.simulating import simulate_observations as simulate_observations
    from sinkrisk.budget.specification import BudgetSpec as BudgetSpec
    from sinkrisk.budget.statements import (
        budget_observations as budget_observations,
        china_observations as china_observations,
        ocean_observations as ocean_observations,
    )
    from sinkrisk.budget.summarising import (
        budget_result as budget_result,
        summarise_budget as summarise_budget,
        summarise_parameters as summarise_parameters,
        tabulate_fluxes as tabulate_fluxes,
    )
    from sinkrisk.budget.tables import (
        budget_tables as budget_tables,
        predictive_findings as predictive_findings,
    )
    from sinkrisk.budget.trees import get_flux as get_flux
    from sinkrisk.budget.windows import (
        overlapping as overlapping,
        parse_window as parse_window,
        reference_window as reference_window,
        window_label as window_label,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "all_trends": ".rates",
        "rate_table": ".rates",
        "hindcast_outlook": ".hindcasting",
        "check_conflicts": ".conflicts",
        "BudgetSpec": ".specification",
        "BudgetTable": ".reading",
        "EcosystemBudget": ".ecosystems",
        "Fitted": ".hierarchical",
        "ModelComparison": ".comparing",
        "PreparedTable": ".preparing",
        "airborne_fraction": ".rates",
        "annual_series": ".hindcasting",
        "attribute_imbalance": ".attribution",
        "budget_observations": ".statements",
        "budget_result": ".summarising",
        "budget_tables": ".tables",
        "calibrate": ".calibration",
        "check_predictive": ".predictive",
        "check_report_windows": ".labelling",
        "china_observations": ".statements",
        "compare_models": ".comparing",
        "constant_shares": ".shares",
        "diagnose": ".diagnostics",
        "extend_emissions": ".emission_paths",
        "find_conflicts": ".conflicts",
        "fit": ".reconciling",
        "gate": ".diagnostics",
        "get_flux": ".trees",
        "gross_emissions": ".emission_paths",
        "hindcast": ".hindcasting",
        "impulse_response": ".carbon_cycle",
        "ocean_observations": ".statements",
        "one_box": ".carbon_cycle",
        "outlook": ".projecting",
        "outlook_result": ".outlook_tables",
        "overlapping": ".windows",
        "parse_window": ".windows",
        "power_scale": ".sensitivity_to_priors",
        "predictive_findings": ".tables",
        "prepare_rows": ".preparing",
        "pulse_response": ".carbon_cycle",
        "read_emissions": ".emission_paths",
        "read_table": ".reading",
        "reconcile": ".reconciling",
        "reconcile_ecosystems": ".ecosystems",
        "reference_window": ".windows",
        "score_hindcast": ".hindcasting",
        "simulate_observations": ".simulating",
        "sink_rates": ".rates",
        "source_pulls": ".attribution",
        "summarise_budget": ".summarising",
        "summarise_outlook": ".outlook_tables",
        "summarise_parameters": ".summarising",
        "tabulate_fluxes": ".summarising",
        "tabulate_predictive": ".predictive",
        "trace_influence": ".influence",
        "trend_table": ".rates",
        "trends": ".rates",
        "true_hindcast": ".hindcasting",
        "window_label": ".windows",
    },
)
