"""The governance network: policy, markets, public acceptance and the deployment modes they allow.

A discrete Bayesian network written once as plates (`priors/network.yaml`) and expanded over
regions, deployment classes and periods. Exact queries and interventions, joint states as a
function of uniforms, and banks of conditional tables that carry how unsure the tables are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.network.building import (
        Network as Network,
        Node as Node,
        network_from_tables as network_from_tables,
    )
    from sinkrisk.network.exchange import save_xdsl as save_xdsl
    from sinkrisk.network.expansion import load as load
    from sinkrisk.network.inference import (
        evidence_probability as evidence_probability,
        marginals as marginals,
        query as query,
    )
    from sinkrisk.network.sampling import sample as sample, sample_states as sample_states
    from sinkrisk.network.specification import NetworkSpec as NetworkSpec
    from sinkrisk.network.tables import (
        TableBank as TableBank,
        TableDraws as TableDraws,
        table_bank as table_bank,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
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
    },
)
