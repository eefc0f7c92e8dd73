"""What a model of years adds to the section on the budget: fluxes by year, parameters, predictive checks."""

from __future__ import annotations

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import readable, sentence_case
from sinkrisk.reporting.blocks import Column, Picture, Section, Table
from sinkrisk.reporting.collecting import Collected
from sinkrisk.reporting.numbers import fixed, interval_name, unit_text


def add_years(section: Section, collected: Collected) -> None:
    """Append to the budget's section what a model of years says beyond its windows; nothing for others."""
    fluxes, parameters = collected.table("fluxes"), collected.table("parameters")
    if fluxes is None or fluxes.empty:
        return
    interval = interval_name(str(fluxes["interval_kind"].iloc[0]), float(fluxes["interval_mass"].iloc[0]))
    unit = unit_text(fluxes["unit"].iloc[0])
    first, last = int(fluxes["year"].min()), int(fluxes["year"].max())
    section.sentences.append(
        "Errors live on years: each has a bias that stays, a part that lasts some years and a part that is "
        "new every year, so a decade is not ten times as well known as a year. The sizes of these parts are "
        "learned where the data allow it and are assumptions elsewhere."
    )
    section.sentences += _predictive(collected)
    section.blocks.append(
        Picture(
            "fluxes",
            f"Reconciled fluxes of every year from {first} to {last} with intervals, one panel a component.",
            f"Annual fluxes with their {interval}s, {unit}. From fluxes.csv.",
            lambda: plots.plot_fluxes(fluxes),
        )
    )
    if parameters is None or parameters.empty:
        return
    section.sentences.append(_prior_driven(parameters))
    section.blocks += [
        Picture(
            "parameters",
            "Prior and posterior of every parameter of the budget model; hollow marks are prior-driven.",
            f"What the data taught each parameter: prior and posterior {interval}s.",
            lambda: plots.plot_parameters(parameters),
        ),
        _parameter_table(parameters, interval),
    ]


def _predictive(collected: Collected) -> list[str]:
    """Return the predictive checks as sentences."""
    return [
        str(check["text"])
        for check in collected.checks()
        if check["stage"] == "budget" and str(check["name"]).startswith("predictive")
    ]


def _driven(parameters: pd.DataFrame) -> pd.DataFrame:
    return parameters[parameters["prior_driven"].astype(str) == "True"]


def _prior_driven(parameters: pd.DataFrame) -> str:
    """Return in one sentence which parameters the data hardly moved."""
    driven = _driven(parameters)
    if driven.empty:
        return "No parameter of the budget model is prior-driven: the data moved or narrowed each of them."
    named = [
        f"{readable(name)} ({', '.join(readable(label) for label in group['label'])})"
        for name, group in driven.groupby("parameter", sort=False)
    ]
    return (
        f"{len(driven)} of {len(parameters)} parameters are prior-driven, the data hardly moved them, so "
        f"what they say is what was assumed: {'; '.join(named)}."
    )


def _parameter_table(parameters: pd.DataFrame, interval: str) -> Table:
    rows = [
        [
            f"{sentence_case(str(row['parameter']))}, {readable(row['label'])}",
            f"{fixed(row['prior_mean'], 2)} ({fixed(row['prior_low'], 2)} to {fixed(row['prior_high'], 2)})",
            f"{fixed(row['mean'], 2)} ({fixed(row['low'], 2)} to {fixed(row['high'], 2)})",
            "prior-driven" if str(row["prior_driven"]) == "True" else "informed",
        ]
        for row in parameters.to_dict("records")
    ]
    return Table(
        f"Parameters of the budget model: mean, in brackets the {interval}. Scales of errors are true over "
        "stated standard deviations. From parameters.csv.",
        [Column("Parameter", False), Column("Prior"), Column("Posterior"), Column("The data", False)],
        rows,
    )
