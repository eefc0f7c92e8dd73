"""Risk numerics: quantiles of losses, rank acceptability, stochastic dominance, value of information.

Arrays in, numbers and arrays out; no pathway, region or unit is known here. Draws may carry a
`probability`; without one they count equally.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.risk.acceptability import smaa as smaa
    from sinkrisk.risk.dominance import dominates as dominates
    from sinkrisk.risk.information import (
        StateInformation as StateInformation,
        evpi as evpi,
        evppi_states as evppi_states,
    )
    from sinkrisk.risk.quantiles import cvar as cvar, quantile as quantile, value_at_risk as value_at_risk

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "StateInformation": ".information",
        "cvar": ".quantiles",
        "evpi": ".information",
        "evppi_states": ".information",
        "dominates": ".dominance",
        "quantile": ".quantiles",
        "smaa": ".acceptability",
        "value_at_risk": ".quantiles",
    },
)
