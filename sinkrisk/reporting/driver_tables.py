"""What is told of drivers beside their indices: how sure ranks are, single drivers, what to learn first"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sinkrisk import plots
from sinkrisk.plots.labels import readable, sentence_case
from sinkrisk.plots.sensitivity import split_outputs
from sinkrisk.reporting.blocks import Block, Column, Listing, Picture, Table
from sinkrisk.reporting.choices import named, names_of
from sinkrisk.reporting.collecting import Collected, keyed
from sinkrisk.reporting.numbers import (
    MISSING,
    decimals_for,
    fixed,
    percent,
    significant,
    span,
    unit_text,
)  # fmt: skip
from sinkrisk.reporting.sinks import interval_of
from sinkrisk.risk.partial_information import bracket
from sinkrisk.sensitivity.quoting import rank_text, swing_text, worth_text

CHOICE = ("margin", "ranked_first", "target_missed")
"""Measures of what a choice turns on, which no criterion is."""

QUOTED = 3
"""Groups, and single drivers, that get a sentence for each output told."""


def labelled(collected: Collected, name: str) -> pd.DataFrame | None:
    """Return a table of the drivers' stage with portfolios by their names, in outputs too."""
    raw = collected.table(name)
    if raw is None:
        return None
    table = named(split_outputs(raw), names_of(collected))
    joined = [f"{m}:{p}" if p else m for m, p in zip(table["measure"], table["portfolio"], strict=True)]
    return table.assign(output=joined)


def focus(collected: Collected) -> list[str]:
    """Return the outputs that are pictured: the first one, and the margin between the best portfolios."""
    table = labelled(collected, "sobol")
    if table is None:
        return []
    defined = table[(table["index"] == "ST") & table["value"].notna()]
    outputs = list(dict.fromkeys(defined["output"]))
    return [*outputs[:1], *(o for o in outputs[1:] if o == "margin")]


def output_text(output: str) -> str:
    """Return an output in words.

    Examples
    --------
    >>> output_text("net_removal_2100:Phased"), output_text("margin")
    ('net removal until 2100 of “Phased”', 'margin between the two best portfolios')
    """
    measure, _, portfolio = output.partition(":")
    return readable(measure) + (f" of “{portfolio}”" if portfolio else "")


def undefined_sentence(table: pd.DataFrame) -> str:
    """Return which outputs have no indices, or nothing.

    Parameters
    ----------
    table : DataFrame
        ``sobol.csv``, `labelled`.
    """
    total = table[table["index"] == "ST"]
    gone = [o for o, part in total.groupby("output", sort=False) if part["value"].isna().all()]
    if not gone:
        return ""
    return (
        "Undefined are the indices of outputs that are constant, or constant in one of the designs: "
        f"{', '.join(output_text(str(o)) for o in gone)}."
    )


def settling_sentence(collected: Collected) -> str:
    """Return whether the ranking has settled as N grew, or nothing where the run kept no series."""
    series = collected.table("convergence")
    if series is None:
        return ""
    told = series.assign(width=series["high"] - series["low"]).groupby("n")["width"].max().dropna()
    if told.empty:
        return ""
    widths = ", ".join(f"{fixed(w, 2)} at N = {n:g}" for n, w in told.items())
    record = collected.manifest.stages.get("sobol")
    rule = [n for n in (record.notes if record is not None else []) if n.startswith("Stopping rule: ")]
    text = f"As N doubles, the widest interval of any index of any output is {widths}."
    return text + (f" {rule[0].replace('Stopping rule: ', 'The rule to stop: ')}" if rule else "")


def driver_blocks(collected: Collected) -> list[Block]:
    """Return pictures and tables of everything the drivers' stage wrote beside the indices."""
    told = focus(collected)
    blocks: list[Block] = []
    quoted = quotations(collected, told)
    if quoted:
        blocks.append(Listing("To quote", quoted))
    blocks += _ranks(collected, told)
    blocks += _settling(collected, told)
    blocks += _pairs(collected, told)
    blocks += _swings(collected, told)
    blocks += _curves(collected, told)
    blocks += _states(collected)
    blocks += _actions(collected)
    return blocks


def quotations(collected: Collected, told: list[str]) -> list[str]:
    """Return sentences on the leading groups and single drivers of some outputs."""
    out: list[str] = []
    sobol, ranks = labelled(collected, "sobol"), labelled(collected, "driver_ranks")
    tornado, actions = labelled(collected, "tornado"), collected.table("actions")
    grouped = collected.option("sobol", "groups") is not False
    noun = "Group" if grouped else "Driver"
    acted = {} if actions is None else keyed(actions, "driver")
    names = names_of(collected)
    for output in told:
        assert sobol is not None
        part = sobol[sobol["output"] == output]
        held = keyed(part, "driver", "index")
        # Of what does nothing there is nothing to quote.
        total = part[(part["index"] == "ST") & (part["value"] != 0.0)]
        total = total.sort_values("value", ascending=False, kind="stable")
        for driver in total["driver"].head(QUOTED):
            shares = [_share(held[driver, index]) for index in ("S1", "ST")]
            text = (
                f"{noun} {readable(driver)}: alone it explains {shares[0]} of the variance of "
                f"{output_text(output)}, {shares[1]} with its interactions ({interval_of(part)}s)."
            )
            row = _row(ranks, output, driver)
            out.append(text + (f" {rank_text(row)}" if row is not None else ""))
        if tornado is None:
            continue
        for swing in tornado[tornado["output"] == output].head(QUOTED).to_dict(orient="records"):
            low, high = (readable(swing[f"{end}_label"]) for end in ("low", "high"))
            words: dict[str, Any] = {str(k): v for k, v in swing.items()}
            words |= {"low_label": low.replace("%", " %"), "high_label": high.replace("%", " %")}
            text = f"{sentence_case(swing['driver'])} ({readable(swing['group'])}), {output_text(output)}: "
            text += swing_text(words, unit_text(swing["unit"])).replace("The mean", "the mean")
            if output == "margin" and swing["driver"] in acted:
                text += " " + worth_text(_in_words(acted[swing["driver"]], names))
            # What a table calls -1 is −1 on the page.
            out.append(re.sub(r"(?<![\w.])-(?=\d)", "−", text))
    return out


def _share(row: Mapping[str, Any]) -> str:
    value, low, high = (fixed(100 * float(row[key]), 0) for key in ("value", "low", "high"))
    return f"{value} % ({low} to {high} %)"


def _row(table: pd.DataFrame | None, output: str, driver: str) -> dict[str, Any] | None:
    if table is None:
        return None
    part = table[(table["output"] == output) & (table["driver"] == driver)]
    return None if part.empty else {str(k): v for k, v in part.iloc[0].items()}


def _in_words(row: Mapping[Any, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of ``actions.csv`` with portfolios by their names and a truth value for `acts`."""

    def told(text: object) -> str:
        pairs = [pair.partition(": ") for pair in str(text).split("; ")]
        return "; ".join(f"{readable(c)}: “{names.get(w, readable(w))}”" for c, _, w in pairs)

    winner = names.get(str(row["winner"]), readable(row["winner"]))
    return {
        **{str(k): v for k, v in row.items()},
        "acts": _true(row["acts"]),
        "winners": told(row["winners"]),
        "winner": f"“{winner}”",
    }


def _true(value: object) -> bool:
    return str(value).lower() == "true"


def _name(kind: str, output: str) -> str:
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]+', '_', output)}".strip("_").lower()


def _ranks(collected: Collected, told: list[str]) -> list[Block]:
    table = labelled(collected, "driver_ranks")
    if table is None:
        return []
    top = int(table["top"].iloc[0])
    mass = f"{round(100 * float(table['interval_mass'].iloc[0]), 6):g} %"
    rows = [
        [
            output_text(row["output"]), readable(row["driver"]), f"{row['rank']:g}",
            f"{row['rank_low']:g} to {row['rank_high']:g}", percent(row["first"]), percent(row["among_top"]),
        ]
        for row in table.to_dict(orient="records")
        if row["among_top"] > 0.0
    ]  # fmt: skip
    pictures: list[Block] = [
        Picture(
            _name("ranks", output),
            f"How often each driver is among the first {top} for {output_text(output)}, and the interval of "
            "its rank; the numbers are in the table that follows.",
            f"{sentence_case(output_text(output))}: how sure the ranking of drivers by ST is.",
            lambda output=output: plots.plot_driver_ranks(table, output),  # type: ignore[misc]
        )
        for output in told
        if output in set(table["output"])
    ]
    return [
        *pictures,
        Table(
            f"Ranks by ST: the estimate's, its {mass} equal-tailed interval, and in which share of "
            f"replications of the analysis, simulated from its replicates, a driver leads or is among the "
            f"first {top}. Left out: drivers that are never among them. From driver_ranks.csv.",
            [Column("Output", False), Column("Driver", False), Column("Rank"), Column("Interval"),
             Column("Leads"), Column(f"Among the first {top}")],
            rows,
            row_headers=2,
            folded=True,
        ),
    ]  # fmt: skip


def _settling(collected: Collected, told: list[str]) -> list[Block]:
    table = labelled(collected, "convergence")
    if table is None:
        return []
    return [
        Picture(
            _name("convergence", output),
            f"Total-order indices of the leading drivers of {output_text(output)} as the base sample "
            "doubles; all numbers are in convergence.csv.",
            f"{sentence_case(output_text(output))}: ST as N doubles, with {interval_of(table)}s.",
            lambda output=output: plots.plot_convergence(table, output),  # type: ignore[misc]
        )
        for output in told
        if table.loc[table["output"] == output, "value"].notna().any()
    ]


def _pairs(collected: Collected, told: list[str]) -> list[Block]:
    table = labelled(collected, "sobol")
    if table is None or not (table["index"] == "S2").any():
        return []
    return [
        Picture(
            _name("interactions", output),
            f"Second-order indices of {output_text(output)}, drivers by drivers; all numbers are in "
            "sobol.csv.",
            f"{sentence_case(output_text(output))}: what pairs of drivers make together (S2).",
            lambda output=output: plots.plot_interactions(table, output),  # type: ignore[misc]
        )
        for output in told
    ]


def _swings(collected: Collected, told: list[str]) -> list[Block]:
    table, chosen = labelled(collected, "tornado"), collected.table("leading_drivers")
    if table is None:
        return []
    interval, n = interval_of(table), int(table["n"].iloc[0])
    among = "" if chosen is None else f" of {int(chosen['tried'].iloc[0])}"
    rows = []
    for row in table.to_dict(orient="records"):
        places = decimals_for([row[k] for k in ("base", "at_low", "at_high")])
        ends = [
            f"{span(row[f'at_{end}'], row[f'at_{end}_low'], row[f'at_{end}_high'], places)}; "
            f"{readable(row[f'{end}_label']).replace('%', ' %')}"
            for end in ("low", "high")
        ]
        rows.append(
            [output_text(row["output"]), readable(row["driver"]), readable(row["group"]), *ends,
             unit_text(row["unit"]) or MISSING]
        )  # fmt: skip
    pictures: list[Block] = [
        Picture(
            _name("tornado", output),
            f"Mean of {output_text(output)} where each single driver is low and where it is high; the "
            "numbers are in the table that follows.",
            f"{sentence_case(output_text(output))}: the single drivers{among} that it moves with most, and "
            f"how far, {n} independent draws.",
            lambda output=output: plots.plot_tornado(table, output),  # type: ignore[misc]
        )
        for output in told
        if output in set(table["output"])
    ]
    return [
        *pictures,
        Table(
            f"Mean of each output where a single driver is low and where it is high, in brackets the "
            f"{interval}. The drivers were chosen{among} on other draws than the {n} behind the numbers, and "
            "each explains more there than any of them would by chance. From tornado.csv.",
            [Column("Output", False), Column("Driver", False), Column("Group", False), Column("Low"),
             Column("High"), Column("Unit", False)],
            rows,
            row_headers=2,
            folded=True,
        ),
    ]  # fmt: skip


def _curves(collected: Collected, told: list[str]) -> list[Block]:
    table = labelled(collected, "responses")
    if table is None:
        return []
    blocks: list[Block] = []
    for output in told:
        part = table[table["output"] == output]
        if part.empty:
            continue
        drivers = list(dict.fromkeys(part["driver"]))[:6]
        unit = unit_text(part["unit"].iloc[0])
        blocks.append(
            Picture(
                _name("responses", output),
                f"Mean of {output_text(output)} over each of {len(drivers)} single drivers; all numbers are "
                "in responses.csv.",
                f"{sentence_case(output_text(output))}: what is expected of it when a driver is learnt, with "
                f"{interval_of(part)}s.",
                lambda output=output, drivers=drivers, unit=unit: plots.plot_responses(  # type: ignore[misc]
                    table, output, drivers=drivers, unit=unit
                ),
            )
        )
    return blocks


def _states(collected: Collected) -> list[Block]:
    table = labelled(collected, "state_shares")
    if table is None:
        return []
    rows = [
        [
            output_text(row["output"]), readable(row["node"]),
            span(row["value"], row["low"], row["high"], 3), fixed(row["floor"], 3),
            fixed(row["own_noise_S1"], 3),
        ]
        for row in table.to_dict(orient="records")
    ]  # fmt: skip
    return [
        Table(
            "Share of the variance that the state of a network node explains, Var(E[Y|state])/Var(Y), in "
            f"brackets the {interval_of(table)}; the largest such share of the states shuffled (floor); and "
            f"the first-order index of the node's own noise ({table['own_noise_kind'].iloc[0]}), which "
            "leaves out what its causes do. From state_shares.csv.",
            [Column("Output", False), Column("Node", False), Column("Share of its state"), Column("Floor"),
             Column("S1 of its own noise")],
            rows,
            row_headers=2,
            folded=True,
        )
    ]  # fmt: skip


def _actions(collected: Collected) -> list[Block]:
    table = collected.table("actions")
    if table is None:
        return []
    names = names_of(collected)
    rows = []
    for raw in table.to_dict(orient="records"):
        row = _in_words(raw, names)
        ends = bracket(row["cross_fitted"], row["plug_in"], row["mc_error"])[:2]
        # What is nothing but rounding of the best value is nothing.
        low, high, floor = (
            significant(v, 3) if abs(v) > 1e-6 * row["perfect"] else "0" for v in (*ends, row["floor"])
        )
        rows.append(
            [
                readable(row["driver"]), readable(row["group"]),
                span(row["ST"], row["ST_low"], row["ST_high"], 2),
                f"{low} to {high}", floor,
                "yes" if row["acts"] else "no",
                # The best of each third of what does not act is chance's choice.
                row["winners"] if row["acts"] else row["winner"],
            ]
        )  # fmt: skip
    unit, perfect = unit_text(table["unit"].iloc[0]), significant(float(table["perfect"].iloc[0]), 3)
    of = "their group's" if collected.option("sobol", "groups") is not False else "their"
    winner = _in_words(table.iloc[0].to_dict(), names)["winner"]
    return [
        Table(
            f"What learning a single driver before choosing among the portfolios analysed would be worth "
            f"(EVPPI, {unit}, from the estimate biased down to the one biased up, each moved out by its 90 % "
            f"Monte Carlo error), beside {of} ST of the margin between the best two. A driver acts where it "
            f"is worth more than its shuffles. Without knowing, {winner} is chosen; knowing everything would "
            f"be worth {perfect}. The choices named are the best in the draws, their lead untested; where "
            "a driver does not act, it is the one without knowing. From actions.csv.",
            [Column("Driver", False), Column("Group", False), Column("ST"), Column("EVPPI"),
             Column("Most of its shuffles"), Column("Acts", False), Column("Who would be chosen", False)],
            rows,
            row_headers=2,
        )
    ]  # fmt: skip
