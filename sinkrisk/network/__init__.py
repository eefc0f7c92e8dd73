"""The governance network: policy, markets, public acceptance and the deployment modes they allow.

A discrete Bayesian network written once as plates (`priors/network.yaml`) and expanded over
regions, deployment classes and periods. Exact queries and interventions, most probable states,
causes and sensitivities; joint states as a function of uniforms; banks of conditional tables that
carry how unsure the tables are, updated from events and opinions; scenarios, jurisdictions and
cascades of collapse; files that other programs read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.network.attributing import causes as causes
    from sinkrisk.network.bif import read_bif as read_bif
    from sinkrisk.network.bifxml import read_bifxml as read_bifxml, save_bifxml as save_bifxml
    from sinkrisk.network.building import (
        Network as Network,
        Node as Node,
        network_from_tables as network_from_tables,
    )
    from sinkrisk.network.cascading import (
        collapse_cascades as collapse_cascades,
        worst_state_shocks as worst_state_shocks,
    )
    from sinkrisk.network.cells import (
        possible_cells as possible_cells,
        require_deployment_modes as require_deployment_modes,
    )
    from sinkrisk.network.effects import scenario_effects as scenario_effects
    from sinkrisk.network.events import read_events as read_events
    from sinkrisk.network.exchange import read_xdsl as read_xdsl, save_xdsl as save_xdsl
    from sinkrisk.network.expansion import load as load
    from sinkrisk.network.foreseeing import update_summary as update_summary
    from sinkrisk.network.inference import (
        evidence_probability as evidence_probability,
        marginals as marginals,
        query as query,
    )
    from sinkrisk.network.jurisdictions import (
        JurisdictionRanking as JurisdictionRanking,
        rank_jurisdictions as rank_jurisdictions,
    )
    from sinkrisk.network.maximising import (
        Explanation as Explanation,
        explanation_table as explanation_table,
        most_probable as most_probable,
    )
    from sinkrisk.network.opinion_tables import pooled_table as pooled_table
    from sinkrisk.network.opinions import PooledRow as PooledRow, pool as pool
    from sinkrisk.network.perturbing import entry_sensitivity as entry_sensitivity
    from sinkrisk.network.realised import (
        disturbance_evidence as disturbance_evidence,
        joined_evidence as joined_evidence,
        reversal_evidence as reversal_evidence,
        shortfall_evidence as shortfall_evidence,
    )
    from sinkrisk.network.reweighing import Reweighed as Reweighed, reweighed as reweighed
    from sinkrisk.network.sampling import sample as sample, sample_states as sample_states
    from sinkrisk.network.scenarios import Scenario as Scenario, load_scenarios as load_scenarios
    from sinkrisk.network.separating import Separation as Separation, separated as separated
    from sinkrisk.network.specification import NetworkSpec as NetworkSpec
    from sinkrisk.network.tables import (
        TableBank as TableBank,
        TableDraws as TableDraws,
        table_bank as table_bank,
    )
    from sinkrisk.network.uncertain import (
        draw_intervals as draw_intervals,
        query_draws as query_draws,
    )
    from sinkrisk.network.updating import updated as updated

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Scenario": ".scenarios",
        "load_scenarios": ".scenarios",
        "scenario_effects": ".effects",
        "possible_cells": ".cells",
        "require_deployment_modes": ".cells",
        "JurisdictionRanking": ".jurisdictions",
        "rank_jurisdictions": ".jurisdictions",
        "collapse_cascades": ".cascading",
        "worst_state_shocks": ".cascading",
        "read_events": ".events",
        "updated": ".updating",
        "update_summary": ".foreseeing",
        "Reweighed": ".reweighing",
        "reweighed": ".reweighing",
        "PooledRow": ".opinions",
        "pool": ".opinions",
        "pooled_table": ".opinion_tables",
        "Explanation": ".maximising",
        "explanation_table": ".maximising",
        "most_probable": ".maximising",
        "Separation": ".separating",
        "separated": ".separating",
        "entry_sensitivity": ".perturbing",
        "causes": ".attributing",
        "disturbance_evidence": ".realised",
        "joined_evidence": ".realised",
        "reversal_evidence": ".realised",
        "shortfall_evidence": ".realised",
        "read_bif": ".bif",
        "read_bifxml": ".bifxml",
        "save_bifxml": ".bifxml",
        "read_xdsl": ".exchange",
        "Network": ".building",
        "Node": ".building",
        "load": ".expansion",
        "network_from_tables": ".building",
        "save_xdsl": ".exchange",
        "evidence_probability": ".inference",
        "marginals": ".inference",
        "query": ".inference",
        "sample": ".sampling",
        "sample_states": ".sampling",
        "NetworkSpec": ".specification",
        "TableBank": ".tables",
        "TableDraws": ".tables",
        "table_bank": ".tables",
        "draw_intervals": ".uncertain",
        "query_draws": ".uncertain",
    },
)
