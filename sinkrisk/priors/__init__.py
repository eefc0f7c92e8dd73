"""Priors: what is believed and who said so, as validated tables and as distributions.

`load_observations`, `load_claims` and `load_table` read the CSV files under ``priors/``;
`elicit` turns the claims on one quantity into a distribution; `check_priors` audits the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.priors.audit import check_priors as check_priors
    from sinkrisk.priors.contradictions import find_contradictions as find_contradictions
    from sinkrisk.priors.distributions import Elicited as Elicited
    from sinkrisk.priors.elicitation import elicit as elicit, elicit_all as elicit_all
    from sinkrisk.priors.fetching import FetchError as FetchError, fetch_release as fetch_release
    from sinkrisk.priors.frames import check_frame as check_frame, frame_schema as frame_schema
    from sinkrisk.priors.readings import ElicitationWarning as ElicitationWarning
    from sinkrisk.priors.references import (
        list_sources as list_sources,
        load_references as load_references,
    )
    from sinkrisk.priors.releases import compare_releases as compare_releases
    from sinkrisk.priors.tables import (
        list_tables as list_tables,
        load_claims as load_claims,
        load_observations as load_observations,
        load_table as load_table,
    )
    from sinkrisk.priors.workbook import Workbook as Workbook, read_workbook as read_workbook
    from sinkrisk.priors.workbook_checks import check_workbook as check_workbook

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Elicited": ".distributions",
        "ElicitationWarning": ".readings",
        "FetchError": ".fetching",
        "Workbook": ".workbook",
        "check_frame": ".frames",
        "check_priors": ".audit",
        "check_workbook": ".workbook_checks",
        "compare_releases": ".releases",
        "elicit": ".elicitation",
        "elicit_all": ".elicitation",
        "fetch_release": ".fetching",
        "find_contradictions": ".contradictions",
        "frame_schema": ".frames",
        "list_sources": ".references",
        "list_tables": ".tables",
        "load_claims": ".tables",
        "load_observations": ".tables",
        "load_references": ".references",
        "load_table": ".tables",
        "read_workbook": ".workbook",
    },
)
