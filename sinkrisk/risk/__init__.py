"""Risk numerics: quantiles, reserves, regret, rank acceptability, dominance, value of information.

Arrays in, numbers and arrays out; no pathway, region or unit is known here. Draws may carry a
`probability`; without one they count equally.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.risk.acceptability import smaa as smaa
    from sinkrisk.risk.dominance import dominance_matrix as dominance_matrix, dominates as dominates
    from sinkrisk.risk.information import (
        StateInformation as StateInformation,
        evpi as evpi,
        evppi_states as evppi_states,
    )
    from sinkrisk.risk.partial_information import PartialInformation as PartialInformation, evppi as evppi
    from sinkrisk.risk.quantiles import cvar as cvar, quantile as quantile, value_at_risk as value_at_risk
    from sinkrisk.risk.regretting import expected_regret as expected_regret, regrets as regrets
    from sinkrisk.risk.reserving import (
        AtRisk as AtRisk,
        Reserve as Reserve,
        at_risk as at_risk,
        reserve as reserve,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "AtRisk": ".reserving",
        "PartialInformation": ".partial_information",
        "Reserve": ".reserving",
        "StateInformation": ".information",
        "at_risk": ".reserving",
        "cvar": ".quantiles",
        "evpi": ".information",
        "evppi": ".partial_information",
        "evppi_states": ".information",
        "dominance_matrix": ".dominance",
        "dominates": ".dominance",
        "expected_regret": ".regretting",
        "quantile": ".quantiles",
        "regrets": ".regretting",
        "reserve": ".reserving",
        "smaa": ".acceptability",
        "value_at_risk": ".quantiles",
    },
)
