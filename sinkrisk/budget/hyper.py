"""Hyperparameters of the annual models, read from ``priors/budget.csv``: what is assumed, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinkrisk.budget.structure import FloatArray
from sinkrisk.errors import InputError, Problem
from sinkrisk.priors.tables import load_table


@dataclass(frozen=True)
class Hyper:
    """The table of hyperparameters, asked by parameter and component.

    Parameters
    ----------
    table : DataFrame
        Columns parameter, component, family, a, b, unit, source, locator, note.
    """

    table: pd.DataFrame

    def row(self, parameter: str, component: str = "") -> tuple[str, float, float]:
        """Return family, a and b: the component's own row, else the row for all components.

        Raises
        ------
        InputError
            When the table has neither.
        """
        rows = self.table[self.table["parameter"] == parameter]
        for name in (component, ""):
            at = rows[rows["component"] == name]
            if len(at):
                first = at.iloc[0]
                return str(first["family"]), float(first["a"]), float(first["b"])
        raise InputError(
            Problem(
                "no prior for a parameter of the budget model",
                got=f"{parameter} {component}".strip(),
                allowed=sorted(set(self.table["parameter"])),
                file=str(self.table.attrs.get("path", "")) or None,
                key="parameter",
            )
        )

    def a(self, parameter: str, component: str = "") -> float:
        """Return the first number of a row."""
        return self.row(parameter, component)[1]

    def b(self, parameter: str, component: str = "") -> float:
        """Return the second number of a row."""
        return self.row(parameter, component)[2]

    def pairs(self, parameter: str, components: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
        """Return a and b of a parameter for several components, each shape (component,)."""
        rows = [self.row(parameter, name) for name in components]
        return np.array([a for _, a, _ in rows]), np.array([b for _, _, b in rows])

    @property
    def shares(self) -> FloatArray:
        """Dirichlet parameters of the shares (bias, AR(1), white)."""
        return np.array([self.a(name) for name in ("share_bias", "share_ar", "share_white")])


def load_hyper(path: str | os.PathLike[str] | None = None) -> Hyper:
    """Load ``priors/budget.csv`` or a user's table of the same layout."""
    return Hyper(load_table("budget", path))
