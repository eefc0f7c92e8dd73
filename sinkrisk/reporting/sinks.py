"""Sections on the sinks and on institutions: the budget, its imbalance, the deployment modes."""

from __future__ import annotations

import re

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import in_order, readable, sentence_case, signed
from sinkrisk.plots.network import deployment_modes, possible_cells
from sinkrisk.reporting.blocks import Column, Picture, Section, Table
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import MISSING, fixed, interval_name, percent, span, unit_text, window_text
from sinkrisk.reporting.years import add_years

COMPONENTS = ("fossil", "land_use", "atmosphere", "ocean", "land", "cement")


def reference_window(windows: list[str]) -> str:
    """Return the latest window of at least ten years, or the last one where none is so long.

    Examples
    --------
    >>> reference_window(["2004-2013", "2014-2023", "2023", "2024"])
    '2014-2023'
    """
    decades = []
    for window in windows:
        years = [int(y) for y in re.findall(r"\d{4}", window)]
        if len(years) == 2 and years[1] - years[0] >= 9:
            decades.append((years[1], window))
    return max(decades)[1] if decades else windows[-1]


def interval_of(table: pd.DataFrame) -> str:
    """Return the interval's name from a table's first stated row."""
    stated = table[(table["interval_kind"] != "") & table["interval_mass"].notna()]
    return interval_name(str(stated["interval_kind"].iloc[0]), float(stated["interval_mass"].iloc[0]))


def moved(collected: Collected, window: str, component: str) -> str:
    """Return how reconciling moves one flux, ``from 3.20 to 2.97 GtC/yr``, or an empty string."""
    table = collected.table("budget")
    row = keyed(table, "window", "component").get((window, component)) if table is not None else None
    if row is None:
        return ""
    return f"from {fixed(row['stated'], 2)} to {fixed(row['mean'], 2)} {unit_text(row['unit'])}"


def budget_section(collected: Collected) -> Section:
    """Return the section with stated and reconciled fluxes of every window."""
    section = Section("budget", "The carbon budget, with intervals")
    table = collected.table("budget")
    if table is None:
        section.absent = collected.why_absent("budget")
        return section
    unit, interval = unit_text(table["unit"].iloc[0]), interval_of(table)
    windows = list(dict.fromkeys(table["window"]))
    components = in_order(table["component"], COMPONENTS)
    model = collected.option("budget", "model") or "unnamed"
    section.sentences.append(
        f"Published estimates of the carbon budget do not add up: each source, sink and the growth of "
        f"atmospheric CO₂ is measured separately, with its own error. The {model} model moves them, "
        + ("each in proportion to its stated variance" if model == "closed" else "as its priors allow")
        + ", until emissions equal the sum of atmospheric growth and sinks in every draw."
    )
    # Two decimals hide the seas of one country; the world's fluxes are not known to three.
    digits = 2 if float(table["mean"].abs().max()) > 5.0 else 3
    reference = reference_window(windows)
    here = keyed(table[table["window"] == reference], "component")
    said = []
    for component in [c for c in ("ocean", "land") if c in here]:
        row = here[component]
        known = row["stated"] == row["stated"]
        says = (
            f"stated {fixed(row['stated'], digits)} ± {fixed(row['stated_sd'], digits)}"
            if known
            else "not stated"
        )
        said.append(
            f"the {readable(component)} sink is {fixed(row['mean'], digits)} {unit} ({interval} "
            f"{fixed(row['low'], digits)} to {fixed(row['high'], digits)}; {says})"
        )
    if said:
        section.sentences.append(f"In {window_text(reference)}, " + " and ".join(said) + ".")
    unseen = table[table["stated"].isna()].groupby("component", sort=False)["window"].agg(list)
    if len(unseen):
        named = "; ".join(
            f"{readable(str(c))} in {', '.join(window_text(w) for w in at)}" for c, at in unseen.items()
        )
        section.sentences.append(
            f"Not stated, so known only through closure and neighbouring years: {named}. An atmosphere that "
            "nothing measures is the net contribution to the air that the other terms leave."
        )
    rows = []
    indexed = keyed(table, "window", "component")
    for window in windows:
        stated, reconciled = [window_text(window), "stated"], [window_text(window), "reconciled"]
        for component in components:
            if (window, component) not in indexed:
                stated.append(MISSING)
                reconciled.append(MISSING)
                continue
            row = indexed[(window, component)]
            known = row["stated"] == row["stated"]
            value, sd = fixed(row["stated"], digits), fixed(row["stated_sd"], digits)
            stated.append(f"{value} ± {sd}" if known else MISSING)
            reconciled.append(span(row["mean"], row["low"], row["high"], digits))
        rows += [stated, reconciled]
    section.blocks = [
        Picture(
            "budget",
            f"Stated and reconciled fluxes of {', '.join(readable(c) for c in components)} for the windows "
            f"{windows[0]} to {windows[-1]}; the numbers are in the table that follows.",
            f"Stated values beside reconciled means with their {interval}s, {unit}.",
            lambda: plots.plot_budget(table),
        ),
        Table(
            f"Fluxes in {unit}. Stated: value ± one stated standard deviation. Reconciled: mean, in brackets "
            f"the {interval}. A dash: not stated. From budget.csv.",
            [
                Column("Window", False),
                Column("Estimate", False),
                *(Column(sentence_case(c)) for c in components),
            ],
            rows,
            row_headers=2,
        ),
    ]
    add_years(section, collected)
    return section


def largest_adjustment(table: pd.DataFrame) -> pd.Series:
    """Return the row of the component that closing the budget of one window moves the most."""
    moves = table[table["component"].isin(COMPONENTS)]
    return moves.iloc[int(moves["adjustment_mean"].abs().to_numpy().argmax())]


def printed_text(row: pd.Series) -> str:
    """Return what the source printed as the imbalance beside the recomputed one, or an empty string."""
    printed = float(row["printed_imbalance"])
    if printed != printed:
        return ""
    return f"recomputed from the rounded means of the tables; {signed(printed)} printed"


def modes_of(collected: Collected) -> pd.DataFrame | None:
    """Return the deployment modes where some pathway of the class is possible, or None without a network."""
    table = collected.table("network_marginals")
    return None if table is None else deployment_modes(table, _cells(collected))


def _cells(collected: Collected) -> set[tuple[str, str]]:
    """Return where a class is possible, of the regions that make up the world of the run."""
    from sinkrisk.priors import load_table

    cells = possible_cells(load_table("pathways"), load_table("suitability"))
    regions = collected.option("inputs", "regions")
    return cells if regions is None else {(c, r) for c, r in cells if r in regions}


def imbalance_section(collected: Collected) -> Section:
    """Return the section with the adjustments that close each window's budget."""
    section = Section("imbalance", "Where the budget imbalance comes from")
    table = collected.table("attribution")
    if collected.is_empty("attribution"):
        section.absent = "No window has a statement of every component, so there is no imbalance to explain."
        return section
    if table is None:
        section.absent = collected.why_absent("attribution")
        return section
    unit, interval = unit_text(table["unit"].iloc[0]), interval_of(table)
    windows = list(dict.fromkeys(table["window"]))
    # The picture has bars for rounding; as one more column it would not fit a page.
    components = [c for c in in_order(table["component"], (*COMPONENTS, "missing")) if c != "rounding"]
    rounding = table[table["component"] == "rounding"]["adjustment_mean"].abs()
    reference = reference_window(windows)
    first = largest_adjustment(table[table["window"] == reference])
    section.sentences = [
        "The imbalance is what remains when all stated sinks and the atmospheric growth are taken from "
        "stated emissions. Reconciling distributes it: the adjustments of the components add up to it "
        "exactly.",
        f"In {window_text(reference)} the stated values leave {signed(first['reported_imbalance'])} {unit} "
        + (f"({printed_text(first)}) " if printed_text(first) else "")
        + f"± {fixed(first['imbalance_sd'], 2)}, one standard deviation of all stated errors together. "
        f"Closing the budget moves the {readable(first['component'])} estimate the most, "
        f"{moved(collected, reference, first['component'])}: it accounts for "
        f"{signed(first['adjustment_mean'])} {unit} of the imbalance ({interval} "
        f"{signed(first['adjustment_low'])} to {signed(first['adjustment_high'])}).",
    ]
    if len(rounding):
        section.sentences.append(
            "Rounding of the printed digits makes up the rest of each imbalance, on average at most "
            f"{fixed(float(rounding.max()), 2)} {unit} in any window; the figure shows it."
        )
    if collected.option("budget", "model") == "closed":
        defined = table[table["adjustment_share"].notna()]
        gap = float((defined["adjustment_share"] - defined["variance_share"]).abs().max())
        differ = (
            "are equal"
            if gap < 5e-4
            else f"differ by sampling noise only (at most {fixed(100 * gap, 1)} percentage points)"
        )
        section.warnings.append(
            "In the closed model this attribution is stated variance and nothing more. Errors are taken as "
            "independent, so each component's expected share of the imbalance equals its share of the summed "
            "stated variances, whatever the imbalance is; where the imbalance is not zero, the two shares in "
            f"the last table of this section {differ}. It is no evidence about which estimate is wrong."
        )
    indexed = keyed(table, "window", "component")
    adjustments, shares = [], []
    for window in windows:
        one = table[table["window"] == window].iloc[0]
        line = [
            window_text(window),
            f"{signed(one['reported_imbalance'])} ± {fixed(one['imbalance_sd'], 2)}",
            *(
                MISSING if one[c] != one[c] else signed(one[c])
                for c in ("printed_imbalance", "rounding_difference")
            ),
        ]
        share = [window_text(window)]
        for component in components:
            if (window, component) not in indexed:
                line.append(MISSING)
                share.append(MISSING)
                continue
            row = indexed[(window, component)]
            line.append(
                f"{signed(row['adjustment_mean'])} ({signed(row['adjustment_low'])} to "
                f"{signed(row['adjustment_high'])})"
            )
            part = row["adjustment_share"]
            part_text = f"{fixed(100 * part, 0)} %" if part == part else MISSING
            share.append(f"{part_text} / {fixed(100 * row['variance_share'], 0)} %")
        adjustments.append(line)
        shares.append(share)
    headings = [Column(sentence_case(c)) for c in components]
    section.blocks = [
        Picture(
            "attribution",
            f"Mean adjustment of every component for the windows {windows[0]} to {windows[-1]}, with "
            "intervals; the numbers are in the table that follows.",
            f"Adjustments that close each budget, with their {interval}s, {unit}.",
            lambda: plots.plot_attribution(table),
        ),
        Table(
            f"Adjustments in {unit}: mean, in brackets the {interval}; sign × (stated − reconciled), + for "
            "sources and − for sinks. Imbalance: of the stated values, ± one standard deviation of all "
            "stated errors together. Printed: the imbalance the source prints, and what it differs by "
            "because the printed means are rounded; a dash: not printed. From attribution.csv.",
            [
                Column("Window", False),
                Column("Imbalance"),
                Column("Printed"),
                Column("Rounding"),
                *headings,
            ],
            adjustments,
        ),
        Table(
            "Share of the imbalance / share of the stated variance. A dash: the imbalance is zero, so it "
            "has no shares. A share of a small imbalance is noisy.",
            [Column("Window", False), *headings],
            shares,
        ),
    ]
    return section


def institutions_section(collected: Collected) -> Section:
    """Return the section with the probabilities of the deployment modes."""
    section = Section("institutions", "What institutions allow")
    table = collected.table("network_marginals")
    if table is None:
        section.absent = collected.why_absent("network_marginals")
        return section
    cells = _cells(collected)
    wide = deployment_modes(table, cells)
    grouped = wide.groupby(level=["class", "period"], sort=False)
    mean, low, high = (
        keyed(part.reset_index(), "class", "period")
        for part in (grouped.mean(), grouped.min(), grouped.max())
    )
    classes = in_order(c for c, _ in mean)
    periods = in_order(p for _, p in mean)
    modes = [str(m) for m in wide.columns]
    section.sentences.append(
        "A Bayesian network of policy, markets, public acceptance and governance decides how far planned "
        "removal is deployed. Full: as planned. Throttled: only a part. Passive redundancy: little of it "
        "works and what is lost moves, as far as headroom allows, to biochar and to weathering on cropland. "
        "Collapse: none of it."
    )
    if "full" in modes:
        last = sorted((mean[(c, periods[-1])]["full"], c) for c in classes if (c, periods[-1]) in mean)
        section.sentences.append(
            "Averaged with equal weight over the regions where some pathway of the class is possible, the "
            "class most likely to be fully deployed in the "
            f"{readable(periods[-1])} is {readable(last[-1][1])} ({percent(last[-1][0])}), the least likely "
            f"{readable(last[0][1])} ({percent(last[0][0])})."
        )
    rows = [
        [
            sentence_case(c),
            sentence_case(p),
            *(
                f"{percent(mean[(c, p)][m])} ({percent(low[(c, p)][m])} to {percent(high[(c, p)][m])})"
                for m in modes
            ),
        ]
        for c in classes
        for p in periods
        if (c, p) in mean
    ]
    section.warnings.append(
        "The conditional tables of the network are judgements, most of them assumptions of this project. The "
        "probabilities here follow from their central values; how unsure the tables themselves are enters "
        "the simulation as a driver."
    )
    section.blocks = [
        Picture(
            "deployment_modes",
            "Stacked bars with the probability of each deployment mode for every class, region and period; "
            "averages over regions are in the table that follows.",
            "Probability of each deployment mode by class, region and period.",
            lambda: plots.plot_deployment_modes(table, cells),
        ),
        Table(
            "Probability of each deployment mode: mean with equal weight over the regions where some pathway "
            "of the class is possible (suitability above zero), in brackets the lowest and highest of them "
            "(a range between regions, not an uncertainty interval). Every region is in "
            "network_marginals.csv.",
            [Column("Class", False), Column("Period", False), *(Column(sentence_case(m)) for m in modes)],
            rows,
            row_headers=2,
        ),
    ]
    return section
