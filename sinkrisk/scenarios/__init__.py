"""Posterior scenarios for optimizers: whole joint draws with probabilities, and a first programme.

`build` picks scenarios from joint draws, `save` and `read` exchange them as NetCDF or Parquet, and
`optimize` solves a two-stage mean-CVaR programme on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.scenarios.files import read as read, save as save
    from sinkrisk.scenarios.programme import optimize as optimize, optimize_spec as optimize_spec
    from sinkrisk.scenarios.recourse import evaluate as evaluate
    from sinkrisk.scenarios.solution import Optimum as Optimum
    from sinkrisk.scenarios.specification import OptimizeSpec as OptimizeSpec, ScenarioSpec as ScenarioSpec
    from sinkrisk.scenarios.tree import build as build, check as check, whole as whole
    from sinkrisk.scenarios.validation import simulated_loss as simulated_loss, validate as validate

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "OptimizeSpec": ".specification",
        "Optimum": ".solution",
        "ScenarioSpec": ".specification",
        "build": ".tree",
        "check": ".tree",
        "evaluate": ".recourse",
        "optimize": ".programme",
        "optimize_spec": ".programme",
        "read": ".files",
        "save": ".files",
        "simulated_loss": ".validation",
        "validate": ".validation",
        "whole": ".tree",
    },
)
