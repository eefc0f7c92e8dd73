"""Priors: what is believed and who said so, as validated tables and as distributions.

`load_observations`, `load_claims` and `load_table` read the CSV files under ``priors/``;
`elicit` turns the claims on one quantity into a distribution; `check_priors` audits the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.priors.audit import check_priors as check_priors
    from sinkrisk.priors.elicitation import (
        ElicitationWarning as ElicitationWarning,
        Elicited as Elicited,
        elicit as elicit,
    )
    from sinkrisk.priors.references import (
        list_sources as list_sources,
        load_references as load_references,
    )
    from sinkrisk.priors.tables import (
        list_tables as list_tables,
        load_claims as load_claims,
        load_observations as load_observations,
        load_table as load_table,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Elicited": ".elicitation",
        "ElicitationWarning": ".elicitation",
        "check_priors": ".audit",
        "elicit": ".elicitation",
        "list_sources": ".references",
        "list_tables": ".tables",
        "load_claims": ".tables",
        "load_observations": ".tables",
        "load_references": ".references",
        "load_table": ".tables",
    },
)
