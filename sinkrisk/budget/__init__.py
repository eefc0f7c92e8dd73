"""The carbon budget: stated estimates reconciled so that the budget closes in every draw.

Data walk through the modules in this order: `reading` checks the observation table, `closed` solves
it in plain numpy, `reconciling` runs the two and `assembling` labels the answer as a DataTree,
`diagnostics` guards it, and `summarising` and `attribution` turn it into tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.budget.attribution import attribute_imbalance as attribute_imbalance
    from sinkrisk.budget.diagnostics import diagnose as diagnose, gate as gate
    from sinkrisk.budget.reading import BudgetTable as BudgetTable, read_table as read_table
    from sinkrisk.budget.reconciling import get_flux as get_flux, reconcile as reconcile
    from sinkrisk.budget.shares import constant_shares as constant_shares
    from sinkrisk.budget.specification import BudgetSpec as BudgetSpec
    from sinkrisk.budget.summarising import (
        budget_result as budget_result,
        summarise_budget as summarise_budget,
    )
    from sinkrisk.budget.windows import (
        overlapping as overlapping,
        parse_window as parse_window,
        reference_window as reference_window,
        window_label as window_label,
    )

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "BudgetSpec": ".specification",
        "BudgetTable": ".reading",
        "attribute_imbalance": ".attribution",
        "budget_result": ".summarising",
        "constant_shares": ".shares",
        "diagnose": ".diagnostics",
        "gate": ".diagnostics",
        "get_flux": ".reconciling",
        "overlapping": ".windows",
        "parse_window": ".windows",
        "read_table": ".reading",
        "reconcile": ".reconciling",
        "reference_window": ".windows",
        "summarise_budget": ".summarising",
        "window_label": ".windows",
    },
)
