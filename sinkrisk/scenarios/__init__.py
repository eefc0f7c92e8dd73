"""Posterior scenarios for optimizers: whole joint draws with probabilities, and a first programme.

`build` picks scenarios from joint draws, `save` and `read` exchange them as NetCDF or Parquet, and
`optimize` solves a two-stage mean-CVaR programme on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.scenarios.files import read as read, save as save
    from sinkrisk.scenarios.programme import (
        Optimum as Optimum,
        optimize as optimize,
        optimize_spec as optimize_spec,
    )
    from sinkrisk.scenarios.recourse import evaluate as evaluate
    from sinkrisk.scenarios.specification import OptimizeSpec as OptimizeSpec, ScenarioSpec as ScenarioSpec
    from sinkrisk.scenarios.tree import build as build, check as check

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "OptimizeSpec": ".specification",
        "Optimum": ".programme",
        "ScenarioSpec": ".specification",
        "build": ".tree",
        "check": ".tree",
        "evaluate": ".recourse",
        "optimize": ".programme",
        "optimize_spec": ".programme",
        "read": ".files",
        "save": ".files",
    },
)
