"""The head of the page: what was run, and the answers in a few sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sinkrisk import files
from sinkrisk.plots.labels import in_order, readable, signed
from sinkrisk.plots.portfolio import tail_share
from sinkrisk.plots.sensitivity import split_outputs
from sinkrisk.reporting.air import air_text
from sinkrisk.reporting.choices import named, names_of, statistics_of, target_text
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.deciding import decision_text
from sinkrisk.reporting.doubts import OWN_NOISE, Leading, leading_groups
from sinkrisk.reporting.driver_tables import CHOICE
from sinkrisk.reporting.numbers import (
    decimals_for,
    fixed,
    percent,
    significant,
    unit_text,
    window_text,
)  # fmt: skip
from sinkrisk.reporting.ranks import first_text
from sinkrisk.reporting.sinks import (
    interval_of,
    largest_adjustment,
    modes_of,
    moved,
    printed_text,
    reference_window,
)
from sinkrisk.reporting.tracing import traced_text


def facts(collected: Collected) -> list[tuple[str, str]]:
    """Return what was run: seed, draws, target, versions, date."""
    manifest = collected.manifest
    pairs = [("Seed", str(manifest.seed))]
    draws = collected.option("draws")
    if draws is not None:
        pairs.append(("Joint draws", str(draws)))
    if collected.option("budget") is not None:
        model = collected.option("budget", "model")
        pairs.append(("Budget", f"{model} model on {observations_text(collected)}"))
    total = collected.option("portfolios", "total")
    if isinstance(total, dict):
        told = ", ".join(
            f"{readable(k)} {significant(float(v))}" for k in in_order(total) for v in [total[k]]
        )
        pairs.append(("Planned removal", f"{told} GtCO₂/yr"))
    if isinstance(total, dict):
        pairs.append(("Periods", period_years(list(total))))
    if target_text(collected):
        pairs.append(("Target", target_text(collected)))
    pairs.append(("Run on", run_date(manifest)))
    names = ("sinkrisk", "python", "numpy", "pymc", "pgmpy", "SALib")
    held = [f"{n} {manifest.versions[n]}" for n in names if n in manifest.versions]
    pairs.append(("Versions", ", ".join(held)))
    return pairs


def period_years(periods: list[str]) -> str:
    """Return the years of the periods as the library of priors defines them."""
    from sinkrisk.priors import load_table

    table = load_table("periods")
    known = {
        str(row["period"]): f"{int(row['start'])}–{int(row['end_exclusive']) - 1}"
        for row in table.to_dict(orient="records")
    }
    return ", ".join(f"{readable(p)} {known[p]}" for p in in_order(periods) if p in known)


def observations_text(collected: Collected) -> str:
    """Return what the budget was reconciled from: the table's name, and the works its rows are from.

    The works are named where the file that the run read is the library's own; of a user's file the
    run keeps no more than its name and its hash.
    """
    from sinkrisk.errors import InputError
    from sinkrisk.priors import load_observations, load_references
    from sinkrisk.priors.references import REVIEW

    name = str(collected.option("budget", "observations"))
    text = f"the observations '{Path(name).name}'"
    if Path(name).suffix:
        return text
    try:
        table = load_observations(name)
    except InputError:
        return text
    if files.sha256_of(table.attrs["path"]) != collected.manifest.inputs.get("observations"):
        return text
    works = load_references()
    keys = dict.fromkeys(key.strip() for cell in table["source"] for key in str(cell).split(";"))
    told = [works[key]["title"] if "title" in works.get(key, {}) else key for key in keys]
    if len(told) > 2:
        told = [*told[:2], f"{len(told) - 2} more works"]
    # A row's locator says where the review prints it: "Table 2, 1960s".
    places = list(dict.fromkeys(str(cell).split(",")[0] for cell in table["locator"]))
    where = f", as printed in {places[0]} of the review" if len(places) == 1 and [*keys] != [REVIEW] else ""
    return f"{text}: {', '.join(told)}{where}"


def run_date(manifest: Any) -> str:
    """Return the manifest's date of the run; never the clock's, so that a page can be made again."""
    for name in ("finished", "started", "created"):
        value = getattr(manifest, name, None)
        if value:
            return str(value)
    return "date not recorded in the manifest"


def answers(collected: Collected) -> list[str]:
    """Return the answers of the run, each a sentence with its numbers and intervals."""
    told = [
        _sinks(collected),
        _imbalance(collected),
        _institutions(collected),
        traced_text(collected),
        air_text(collected),
        first_text(collected),
        _outcome(collected),
        decision_text(collected),
        _drivers(collected),
    ]
    return [sentence for sentence in told if sentence]


def _sinks(collected: Collected) -> str:
    table = collected.table("budget")
    if table is None:
        return ""
    window = reference_window(list(dict.fromkeys(table["window"])))
    here = keyed(table[table["window"] == window], "component")
    unit, interval = unit_text(table["unit"].iloc[0]), interval_of(table)
    parts = [
        f"the {readable(c)} took up {fixed(here[c]['mean'], 2)} ({fixed(here[c]['low'], 2)} to "
        f"{fixed(here[c]['high'], 2)})"
        for c in ("ocean", "land")
        if c in here
    ]
    if not parts:
        return ""
    return f"In {window_text(window)}, {' and '.join(parts)} {unit} ({interval}s)."


def _imbalance(collected: Collected) -> str:
    table = collected.table("attribution")
    if table is None or table.empty:
        return ""
    window = reference_window(list(dict.fromkeys(table["window"])))
    first = largest_adjustment(table[table["window"] == window])
    unit, interval = unit_text(table["unit"].iloc[0]), interval_of(table)
    text = (
        f"The stated estimates of that window leave {signed(first['reported_imbalance'])} {unit} unexplained"
        + (f" ({printed_text(first)})" if printed_text(first) else "")
        + f"; closing the budget moves the {readable(first['component'])} estimate the most, "
        f"{moved(collected, window, first['component'])} (its part of the imbalance: "
        f"{signed(first['adjustment_mean'])} {unit}, {interval} {signed(first['adjustment_low'])} to "
        f"{signed(first['adjustment_high'])})"
    )
    if collected.option("budget", "model") == "closed":
        text += ", which in the closed model only restates that its stated error is the largest"
    return text + "."


def _institutions(collected: Collected) -> str:
    wide = modes_of(collected)
    if wide is None or "full" not in wide.columns:
        return ""
    mean = keyed(wide.groupby(level=["class", "period"], sort=False).mean().reset_index(), "class", "period")
    best = max(mean, key=lambda k: mean[k]["full"])
    worst = min(mean, key=lambda k: mean[k]["full"])
    return (
        "Institutions let a class of pathways be fully deployed with a probability between "
        f"{percent(mean[worst]['full'])} ({readable(worst[0])}, {readable(worst[1])}) and "
        f"{percent(mean[best]['full'])} ({readable(best[0])}, {readable(best[1])}), averaged over the "
        "regions where the class is possible."
    )


def _outcome(collected: Collected) -> str:
    raw = collected.table("measures")
    if raw is None:
        return ""
    table = named(raw, names_of(collected))
    values = statistics_of(table)
    met = {p: s["probability_met"] for (p, c), s in values.items() if "probability_met" in s}
    if not met:
        return ""
    best = max(met, key=lambda p: met[p])
    target = target_text(collected)
    short = values[(best, "shortfall")]
    held = table[table["criterion"] == "shortfall"]
    unit = unit_text(held["unit"].iloc[0])
    decimals = decimals_for([short["cvar"], short["high"]])
    aim = f"the target ({target})" if target else "the target"
    text = (
        (
            f"“{best}” meets {aim} with probability {percent(met[best])}"
            if len(met) == 1
            else f"“{best}” has the best chance to meet {aim}, {percent(met[best])}"
        )
        + f"; in the worst {tail_share(held)} of draws it falls short by "
        f"{fixed(short['cvar'], decimals)} {unit} on average"
    )
    removal = values.get((best, "net_removal_2100"))
    if removal is not None:
        part = table[(table["criterion"] == "net_removal_2100") & table["statistic"].isin(["low", "high"])]
        amounts = unit_text(part["unit"].iloc[0])
        places = decimals_for([removal["high"], removal["mean"]])
        text += (
            f", and its net removal until 2100 is {fixed(removal['mean'], places)} {amounts} "
            f"({interval_of(part)} {fixed(removal['low'], places)} to {fixed(removal['high'], places)})"
        )
    return text + "."


def _drivers(collected: Collected) -> str:
    raw = collected.table("sobol")
    if raw is None:
        return ""
    table = split_outputs(raw)
    parts, many = [], False
    # Of what a choice turns on, the head names the margin; who is first is told in the section.
    told = [m for m in dict.fromkeys(table["measure"]) if m not in CHOICE or m == "margin"]
    for measure in told:
        groups = leading_groups(table, measure)
        if groups:
            many = many or groups[0].portfolios > 1
            parts.append(f"{readable(measure)}: " + ", ".join(_group(g) for g in groups))
    if not parts:
        return ""
    row = raw.iloc[0]
    # Which kind of interval it is stands where the analysis is told; here it is what it is about.
    interval = f"{round(100 * float(row['interval_mass']), 6):g} % interval"
    replicates = f"from {int(row['replicates'])} independent repetitions of the analysis"
    over = " (mean and range over the portfolios; in how many the group is the largest)" if many else ""
    return (
        f"The doubts that matter most are, by share of the variance with interactions{over}, "
        f"for {'; for '.join(parts)}. Named are all groups whose {interval} ({replicates}) overlaps the "
        f"largest one's{' in some portfolio' if many else ''}. {OWN_NOISE}"
    )


def _group(group: Leading) -> str:
    text = f"{readable(group.driver)} {fixed(100 * group.mean, 0)} %"
    if group.portfolios == 1:
        return text
    return (
        f"{text} ({fixed(100 * group.lowest, 0)} to {fixed(100 * group.highest, 0)}; "
        f"{group.leads} of {group.portfolios})"
    )
