"""Pictures of results: one function for each kind of table, each returning a matplotlib Figure.

The functions read the tidy tables that the rooms produce and a run directory keeps, so a picture
can be drawn from a result in memory or from a CSV file alike. Figures are built without pyplot:
nothing opens a window and nothing is left behind in a global list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.plots.abatement import plot_abatement as plot_abatement
    from sinkrisk.plots.adaptive import (
        plot_decision_map as plot_decision_map,
        plot_early_warning as plot_early_warning,
    )
    from sinkrisk.plots.air import (
        plot_concentrations as plot_concentrations,
        plot_net_effect as plot_net_effect,
    )
    from sinkrisk.plots.annual import (
        plot_fluxes as plot_fluxes,
        plot_outlook as plot_outlook,
        plot_parameters as plot_parameters,
    )
    from sinkrisk.plots.budget import plot_attribution as plot_attribution, plot_budget as plot_budget
    from sinkrisk.plots.crediting import (
        plot_buffers as plot_buffers,
        plot_carbon_at_risk as plot_carbon_at_risk,
        plot_discounts as plot_discounts,
        plot_exchange_rates as plot_exchange_rates,
    )
    from sinkrisk.plots.decision import (
        plot_learning as plot_learning,
        plot_mean_against_cvar as plot_mean_against_cvar,
    )
    from sinkrisk.plots.drivers import (
        plot_convergence as plot_convergence,
        plot_driver_ranks as plot_driver_ranks,
        plot_interactions as plot_interactions,
        plot_responses as plot_responses,
        plot_tornado as plot_tornado,
    )
    from sinkrisk.plots.elicitation import plot_elicitation as plot_elicitation
    from sinkrisk.plots.governance import (
        plot_entry_sensitivity as plot_entry_sensitivity,
        plot_jurisdictions as plot_jurisdictions,
        plot_scenario_effects as plot_scenario_effects,
    )
    from sinkrisk.plots.network import plot_deployment_modes as plot_deployment_modes
    from sinkrisk.plots.network_graph import plot_network_region as plot_network_region
    from sinkrisk.plots.portfolio import (
        plot_measures as plot_measures,
        plot_portfolio_composition as plot_portfolio_composition,
        plot_target as plot_target,
    )
    from sinkrisk.plots.programme import plot_optimum as plot_optimum
    from sinkrisk.plots.ranking import (
        plot_central_weights as plot_central_weights,
        plot_rank_acceptability as plot_rank_acceptability,
    )
    from sinkrisk.plots.sensitivity import plot_sobol as plot_sobol, plot_total_effects as plot_total_effects
    from sinkrisk.plots.style import save_svg as save_svg
    from sinkrisk.plots.suitability import (
        plot_schedule as plot_schedule,
        plot_suitability as plot_suitability,
    )
    from sinkrisk.plots.tracing import (
        plot_limits as plot_limits,
        plot_tracing as plot_tracing,
        plot_waterfall as plot_waterfall,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "plot_convergence": ".drivers",
        "plot_driver_ranks": ".drivers",
        "plot_interactions": ".drivers",
        "plot_responses": ".drivers",
        "plot_tornado": ".drivers",
        "plot_abatement": ".abatement",
        "plot_attribution": ".budget",
        "plot_budget": ".budget",
        "plot_buffers": ".crediting",
        "plot_carbon_at_risk": ".crediting",
        "plot_concentrations": ".air",
        "plot_decision_map": ".adaptive",
        "plot_early_warning": ".adaptive",
        "plot_learning": ".decision",
        "plot_limits": ".tracing",
        "plot_mean_against_cvar": ".decision",
        "plot_net_effect": ".air",
        "plot_tracing": ".tracing",
        "plot_waterfall": ".tracing",
        "plot_central_weights": ".ranking",
        "plot_deployment_modes": ".network",
        "plot_entry_sensitivity": ".governance",
        "plot_jurisdictions": ".governance",
        "plot_scenario_effects": ".governance",
        "plot_discounts": ".crediting",
        "plot_elicitation": ".elicitation",
        "plot_exchange_rates": ".crediting",
        "plot_fluxes": ".annual",
        "plot_measures": ".portfolio",
        "plot_network_region": ".network_graph",
        "plot_optimum": ".programme",
        "plot_outlook": ".annual",
        "plot_parameters": ".annual",
        "plot_portfolio_composition": ".portfolio",
        "plot_rank_acceptability": ".ranking",
        "plot_schedule": ".suitability",
        "plot_sobol": ".sensitivity",
        "plot_suitability": ".suitability",
        "plot_target": ".portfolio",
        "plot_total_effects": ".sensitivity",
        "save_svg": ".style",
    },
)
