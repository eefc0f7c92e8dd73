"""The section on the air: concentrations with and without portfolios, gross removal and net effect"""

from __future__ import annotations

from sinkrisk import plots
from sinkrisk.plots.air import WITHOUT, effect_table
from sinkrisk.plots.labels import signed
from sinkrisk.reporting.blocks import Column, Picture, Section, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import MISSING, fixed, percent, span, unit_text
from sinkrisk.reporting.sinks import interval_of

YEAR = 2100
"""Year of which numbers are told, or the last of the table."""


def _year(years: list[int]) -> int:
    return YEAR if YEAR in years else max(years)


def air_text(collected: Collected) -> str:
    """Return what the air holds without any portfolio, and under the one that leaves it lowest."""
    raw = collected.table("air")
    if raw is None:
        return ""
    table = named(raw, names_of(collected) | {WITHOUT: WITHOUT})
    year = _year(sorted({int(y) for y in table["year"]}))
    co2 = keyed(table[(table["quantity"] == "co2") & (table["year"] == year)], "portfolio")
    plain = co2.pop(WITHOUT)
    if not co2:
        return ""
    best = min(co2, key=lambda p: co2[p]["median"])
    row, unit = co2[best], unit_text(plain["unit"])
    scenario = collected.option("outlook", "scenario")
    under = f"Under the emission scenario '{scenario}' " if scenario else "Under the run's emission scenario "
    effect = keyed(effect_table(table, year), "portfolio")[best]
    lowest = ", lowest," if len(co2) > 1 else ""
    text = (
        f"{under}the air holds {span(plain['median'], plain['low'], plain['high'], 0)} {unit} of CO₂ at the "
        f"end of {year} without any portfolio and{lowest} {span(row['median'], row['low'], row['high'], 0)} "
        f"{unit} with “{best}” (medians, in brackets {interval_of(table)}s); a difference of medians of "
        f"{fixed(abs(plain['median'] - row['median']), 1)} {unit}"
    )
    if effect["removed"] > 0.0:
        text += (
            f". The air keeps {percent(effect['share'])} of what is removed or avoided: ocean and land take "
            "up less where there is less CO₂"
        )
    return text + "."


def air_section(collected: Collected) -> Section:
    """Return what portfolios do to the air."""
    section = Section("air", "The air: concentrations with and without the portfolios")
    raw = collected.table("air")
    if raw is None:
        section.absent = collected.why_absent("air")
        return section
    table = named(raw, names_of(collected) | {WITHOUT: WITHOUT})
    interval = interval_of(table)
    years = sorted({int(y) for y in table["year"]})
    year = _year(years)
    section.sentences = [
        air_text(collected),
        "Every draw runs with its own sinks and its own portfolio outcome. The bands are mostly the carbon "
        "cycle's, which draws share with and without a portfolio: what a portfolio does is the difference "
        "within draws, not whether bands overlap.",
    ]
    co2 = table[table["quantity"] == "co2"]
    shown = sorted({year, years[-1]} | ({2050} & set(years)))
    held = keyed(co2, "portfolio", "year")
    effects = keyed(effect_table(table, year), "portfolio")
    portfolios = [p for p in dict.fromkeys(co2["portfolio"]) if p != WITHOUT]
    rows = []
    for p in [WITHOUT, *portfolios]:
        row = ["Without any" if p == WITHOUT else p]
        for y in shown:
            one = held[(p, y)]
            row.append(span(one["median"], one["low"], one["high"], 0))
        if p == WITHOUT:
            row += [MISSING] * 4
        else:
            one, own = effects[p], held[(p, year)]["median"] - held[(WITHOUT, year)]["median"]
            row += [
                signed(own, 1),
                span(one["removed"], one["removed_low"], one["removed_high"], 0),
                span(one["less"], one["less_low"], one["less_high"], 0),
                percent(one["share"]),
            ]
        rows.append(row)
    section.blocks = [
        Picture(
            "concentrations",
            f"CO₂ of the air to {years[-1]} with each portfolio over that without any, median and band, one "
            "panel a portfolio; numbers are in the table that follows.",
            f"Concentration fans to {years[-1]}.",
            lambda: plots.plot_concentrations(table),
        ),
        Picture(
            "net_effect",
            f"For each portfolio what it removed or avoided until {year} beside what the air then holds "
            "less, with intervals; the numbers are in the table that follows.",
            f"Gross removal and net effect on the air until {year}.",
            lambda: plots.plot_net_effect(table, year),
        ),
        Table(
            f"CO₂ at the end of the year in ppm (median, in brackets the {interval}) and its difference to "
            f"the air without any portfolio in {year}; then, in GtCO₂ until {year} (means), what is "
            "removed or avoided, what the air holds less, and the share of the two. From air.csv.",
            [
                Column("Portfolio", False), *(Column(f"CO₂ {y}") for y in shown),
                Column(f"Difference {year}"), Column("Removed"), Column("Less in the air"), Column("Kept"),
            ],
            rows,
        ),
    ]  # fmt: skip
    return section
