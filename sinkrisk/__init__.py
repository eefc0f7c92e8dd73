"""Bayesian uncertainty and risk analysis for carbon sinks and removal portfolios.

Three questions, in this order: how sure are we of the sinks (`reconcile`), will institutions let
removal happen (`network`), and which pathway, where and when - and which doubt matters most
(`inputs`, `simulate`, `measure`, `rank`, `sensitivity`).

Importing the package loads the standard library and numpy only; everything else loads when it is
first used.

Examples
--------
>>> import sinkrisk
>>> observations = sinkrisk.load_observations("global")
>>> tree = sinkrisk.reconcile(observations, model="closed", rng=1)
>>> float(tree["exact"]["mean"].sel(component="ocean", window="2014-2023").round(2))
2.85
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk import (
        budget as budget,
        errors as errors,
        inputs as inputs,
        network as network,
        plots as plots,
        portfolio as portfolio,
        priors as priors,
        reporting as reporting,
        risk as risk,
        scenarios as scenarios,
        sensitivity as sensitivity,
        units as units,
    )
    from sinkrisk.budget import reconcile as reconcile
    from sinkrisk.portfolio import (
        measure as measure,
        rank as rank,
        simulate as simulate,
        summarise as summarise,
    )
    from sinkrisk.priors import (
        elicit as elicit,
        load_claims as load_claims,
        load_observations as load_observations,
    )
    from sinkrisk.reporting import report as report

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "elicit": ".priors",
        "load_claims": ".priors",
        "load_observations": ".priors",
        "measure": ".portfolio",
        "rank": ".portfolio",
        "reconcile": ".budget",
        "report": ".reporting",
        "simulate": ".portfolio",
        "summarise": ".portfolio",
    },
    submodules=(
        "budget",
        "errors",
        "inputs",
        "network",
        "plots",
        "portfolio",
        "priors",
        "reporting",
        "risk",
        "scenarios",
        "sensitivity",
        "units",
    ),
)
