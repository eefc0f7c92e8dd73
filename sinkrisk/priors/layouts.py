"""The layout of each prior table: its columns and the rules between them.

Every rule a file under ``priors/`` must obey is a few lines here, and what a user's own table may leave
out; `schemas` applies them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from sinkrisk import units
from sinkrisk.errors import Problems
from sinkrisk.priors.schemas import AddProblem, Column, Row, Schema

METHODS: tuple[str, ...] = (
    "assessment", "gobm", "fco2", "dgvm", "bookkeeping", "inversion", "inventory", "attribution",
    "derived", "model", "stock_change", "eddy_covariance", "observation", "projection",
)  # fmt: skip
"""How an estimate was made; `derived` rows follow from other rows and never enter a likelihood."""

BASES: tuple[str, ...] = (
    "theoretical", "technical", "realistic", "current", "target", "cumulative", "optimal",
    "captured", "net", "unspecified", "total", "heat", "electricity", "grinding",
)  # fmt: skip
"""What a claim speaks of; only claims of one basis are pooled."""

FLUX_UNITS: tuple[str, ...] = tuple(unit for unit in units.UNITS if unit.endswith(("C/yr", "CO2/yr")))
"""Units of a flux of carbon: the ones a message on an observation's unit lists."""

EARTH_SURFACE_TOLERANCE = 1e-9
SHARE_TOLERANCE = 1e-6

_SOURCE = (Column("source", "source"), Column("locator", required=False), Column("note", required=False))
_YEARS = {"minimum": 1700, "maximum": 2300}


def _ordered_interval(row: Row, add: AddProblem) -> None:
    low, high = row["low"], row["high"]
    if low > high:
        add("low lies above high", got=low, allowed=f"at most {high:g}", key="low")
    if not math.isnan(low) and not math.isnan(high) and math.isnan(row.get("interval", 0.0)):
        allowed = "a number between 0 and 1, for example 0.9"
        add("an interval needs the mass it holds", got="", allowed=allowed, key="interval")


def _observation_row(row: Row, add: AddProblem) -> None:
    if row["end"] < row["start"]:
        add("window ends before it starts", got=row["end"], allowed=f"at least {row['start']}", key="end")
    _ordered_interval(row, add)
    if all(math.isnan(row[name]) for name in ("value", "low", "high")):
        if not row["note"].startswith("not stated"):
            hint = "start the note with 'not stated' to keep an empty cell of a table"
            add("no value and no bound", got="", key="value", hint=hint)
    elif row["value"] < row["low"] or row["value"] > row["high"]:
        allowed = f"{row['low']:g} to {row['high']:g}"
        add("value lies outside its own interval", got=row["value"], allowed=allowed, key="value")
    if math.isnan(row["value"]) and not math.isnan(row["sd"]):
        add("a standard deviation needs a value", got="", key="value")


OBSERVATIONS = Schema(
    "observations",
    (
        Column("component", "identifier", vocabulary="components"),
        Column("geography", "identifier"),
        Column("method", "identifier", allowed=METHODS),
        Column("estimate"),
        Column("start", "integer", **_YEARS),  # type: ignore[arg-type]
        Column("end", "integer", **_YEARS),  # type: ignore[arg-type]
        Column("value", "number", required=False),
        Column("sd", "number", required=False, minimum=0.0, above=True),
        Column("low", "number", required=False),
        Column("high", "number", required=False),
        Column("interval", "number", required=False, minimum=0.0, maximum=1.0, above=True),
        Column("unit", "unit", shown=FLUX_UNITS),
        Column("definition", required=False),
        Column("kind", "identifier", allowed=("observed", "projection")),
        *_SOURCE,
    ),
    unique=("component", "geography", "method", "estimate", "start", "end", "definition", "locator"),
    row_checks=(_observation_row,),
    fills=(
        ("geography", "global"),
        ("method", "assessment"),
        ("estimate", "{stem}"),
        ("kind", "observed"),
    ),
    either=(("value", "sd"), ("low", "high", "interval")),
)


def _claim_row(row: Row, add: AddProblem) -> None:
    _ordered_interval(row, add)
    stated = [row[name] for name in ("low", "high", "central") if not math.isnan(row[name])]
    if not stated:
        add("a claim states nothing", got="", key="low", allowed="at least one of low, high, central")
    if row["central"] < row["low"] or row["central"] > row["high"]:
        add("central lies outside its own interval", got=row["central"], key="central")
    if not math.isnan(row["sd"]) and math.isnan(row["central"]):
        add("a standard deviation needs a central value", got="", key="central")
    start, end = row["start"], row["end"]
    if end < start:
        add("window ends before it starts", got=end, allowed=f"at least {start:g}", key="end")


CLAIMS = Schema(
    "claims",
    (
        Column("id", "identifier"),
        Column("pathway", "identifier", vocabulary="pathways and groups", extra=("all",)),
        Column("quantity", "identifier", vocabulary="quantities"),
        Column("geography", "identifier"),
        Column("start", "number", required=False, **_YEARS),  # type: ignore[arg-type]
        Column("end", "number", required=False, **_YEARS),  # type: ignore[arg-type]
        Column("low", "number", required=False),
        Column("high", "number", required=False),
        Column("central", "number", required=False),
        Column("sd", "number", required=False, minimum=0.0, above=True),
        Column("unit", "unit"),
        Column("interval", "number", required=False, minimum=0.0, maximum=1.0, above=True),
        Column("basis", "identifier", allowed=BASES),
        *_SOURCE,
    ),
    unique=("id",),
    row_checks=(_claim_row,),
)

PATHWAYS = Schema(
    "pathways",
    (
        Column("pathway", "identifier"),
        Column("name"),
        Column("classes", "names", allowed=("nature", "land_based", "geological", "mineral", "ocean")),
        Column("flow_class", "identifier", allowed=("removal", "avoided", "utilisation")),
        Column("creditable", "boolean"),
        Column(
            "store",
            "identifier",
            allowed=("geological", "mineral", "biomass_soil", "biochar", "ocean", "product"),
        ),
        *_SOURCE,
    ),
    unique=("pathway",),
)

PATHWAY_GROUPS = Schema(
    "pathway groups",
    (
        Column("group", "identifier"),
        Column("name"),
        Column("members", "names", vocabulary="pathways"),
        *_SOURCE,
    ),
    unique=("group",),
)


def _sum_of_shares(rows: Sequence[tuple[int, Row]], found: Problems) -> None:
    total = math.fsum(row["surface_share"] for _, row in rows)
    if abs(total - 1.0) > EARTH_SURFACE_TOLERANCE:
        found.add("the regions do not partition the globe", got=total, allowed="1", key="surface_share")


REGIONS = Schema(
    "regions",
    (
        Column("region", "identifier"),
        Column("name"),
        Column("domain", "identifier", allowed=("land", "ocean")),
        Column("surface_share", "number", minimum=0.0, maximum=1.0, above=True),
        Column("covers"),
        *_SOURCE,
    ),
    unique=("region",),
    table_checks=(_sum_of_shares,),
)


def _period_row(row: Row, add: AddProblem) -> None:
    if row["end_exclusive"] <= row["start"]:
        allowed = f"above {row['start']}"
        add("period ends before it starts", got=row["end_exclusive"], allowed=allowed, key="end_exclusive")


def _periods_join(rows: Sequence[tuple[int, Row]], found: Problems) -> None:
    for (_, before), (at, row) in itertools.pairwise(rows):
        if row["start"] != before["end_exclusive"]:
            allowed = f"{before['end_exclusive']}, where the period before ends"
            found.add("periods do not join", got=row["start"], allowed=allowed, key="start", row=at)


PERIODS = Schema(
    "periods",
    (
        Column("period", "identifier"),
        Column("start", "integer", **_YEARS),  # type: ignore[arg-type]
        Column("end_exclusive", "integer", **_YEARS),  # type: ignore[arg-type]
        Column("phase"),
        *_SOURCE,
    ),
    unique=("period",),
    row_checks=(_period_row,),
    table_checks=(_periods_join,),
)

CRITERIA = Schema(
    "criteria",
    (
        Column("criterion", "identifier"),
        Column("name"),
        Column("axis", "boolean"),
        Column("direction", "identifier", allowed=("maximise", "minimise")),
        # Money of a whole programme and volumes of water: not among units.UNITS.
        Column("unit", "unit", extra=("billion USD", "km3/yr")),
        Column("definition"),
        *_SOURCE,
    ),
    unique=("criterion",),
)

SUITABILITY = Schema(
    "suitability",
    (
        Column("pathway", "identifier", vocabulary="pathways"),
        Column("region", "identifier", vocabulary="regions"),
        Column("low", "number", minimum=0.0, maximum=1.0),
        Column("high", "number", minimum=0.0, maximum=1.0),
        *_SOURCE,
    ),
    unique=("pathway", "region"),
    row_checks=(_ordered_interval,),
)


def _shares_of_portfolios(rows: Sequence[tuple[int, Row]], found: Problems) -> None:
    sums: dict[tuple[str, str], float] = {}
    for _, row in rows:
        cell = (row["portfolio"], row["period"])
        sums[cell] = sums.get(cell, 0.0) + row["share"]
    for (portfolio, period), total in sums.items():
        if abs(total - 1.0) > SHARE_TOLERANCE:
            where = f"portfolio '{portfolio}', period '{period}'"
            found.add(f"shares of {where} do not sum to 1", got=total, allowed="1", key="share")


PORTFOLIOS = Schema(
    "portfolios",
    (
        Column("portfolio", "identifier"),
        Column("pathway", "identifier", vocabulary="creditable pathways"),
        Column("period", "identifier", vocabulary="periods"),
        Column("share", "number", minimum=0.0, maximum=1.0),
        *_SOURCE,
    ),
    unique=("portfolio", "pathway", "period"),
    table_checks=(_shares_of_portfolios,),
)

PORTFOLIO_NAMES = Schema(
    "portfolio names",
    (Column("portfolio", "identifier"), Column("name"), Column("description", required=False)),
    unique=("portfolio",),
)

QUANTITIES = Schema(
    "quantities",
    (
        Column("quantity", "identifier"),
        Column("name"),
        Column("unit", "unit"),
        Column("family", "identifier", allowed=("lognormal", "beta", "normal")),
        Column("lower", "number", required=False),
        Column("upper", "number", required=False),
        Column("basis_order", "names", allowed=BASES),
        Column("spread", "number", minimum=1.0, above=True),
        Column("reach", "number", required=False, minimum=1.0, above=True),
        *_SOURCE,
    ),
    unique=("quantity",),
)

COMPONENTS = Schema(
    "components",
    (
        Column("component", "identifier"),
        Column("name"),
        Column("role", "identifier", allowed=("budget", "derived", "ecosystem", "reservoir", "context")),
    ),
    unique=("component",),
)

OCEAN_MECHANISMS = Schema(
    "ocean mechanisms",
    (
        Column("mechanism", "identifier"),
        Column("attribute", "identifier"),
        Column("value"),
        Column("low", "number", required=False),
        Column("high", "number", required=False),
        Column("unit", "unit", required=False),
        Column("source", "source"),
        Column("locator"),
    ),
    unique=("mechanism", "attribute"),
)

ELICITED = Schema(
    "elicited",
    (
        Column("pathway", "identifier"),
        Column("quantity", "identifier"),
        Column("basis", "identifier"),
        Column("claim", "identifier"),
        Column("weight", "number", minimum=0.0, maximum=1.0, above=True),
        Column("family", "identifier", allowed=("lognormal", "beta", "normal")),
        # mu and sigma of the logarithm; the two shapes; centre and scale before the cut.
        Column("first", "number"),
        Column("second", "number", minimum=0.0, above=True),
        Column("lower", "number", required=False),
        Column("upper", "number", required=False),
        Column("reading"),
        Column("low", "number", required=False),
        Column("high", "number", required=False),
        Column("mass", "number", required=False, minimum=0.0, maximum=1.0, above=True),
        Column("reached", "number", required=False, minimum=0.0, maximum=1.0),
        Column("shortfall", required=False),
        Column("hash"),
    ),
    unique=("pathway", "quantity", "basis", "claim"),
)

RELATIONS = Schema(
    "relations",
    (
        Column("relation", "identifier", allowed=("sum", "at_least", "same", "gross_and_net")),
        Column("measure", "identifier", allowed=("stock", "flux")),
        Column("whole", "identifier", vocabulary="components"),
        Column("parts", "names", vocabulary="components"),
        *_SOURCE,
    ),
    unique=("relation", "measure", "whole", "parts"),
)

RELEASES = Schema(
    "releases",
    (
        Column("release"),
        Column("version"),
        Column("doi"),
        Column("file"),
        Column("sha256"),
        Column("url"),
        *_SOURCE,
    ),
    unique=("release",),
)


def _cycle_row(row: Row, add: AddProblem) -> None:
    _ordered_interval(row, add)
    if row["family"] in ("fixed", "tabulated"):
        if math.isnan(row["value"]):
            add("a fixed row states no value", got="", key="value")
    elif math.isnan(row["low"]) or math.isnan(row["high"]):
        add("an uncertain row needs low and high", got="", key="low")


CARBON_CYCLE = Schema(
    "carbon cycle",
    (
        Column("process", "identifier"),
        Column("parameter", "identifier"),
        # Number of a pool or term, or the year of a tabulated value.
        Column("place", "integer"),
        Column("family", "identifier", allowed=("fixed", "tabulated", "normal", "lognormal", "uniform")),
        Column("value", "number", required=False),
        Column("low", "number", required=False),
        Column("high", "number", required=False),
        Column("interval", "number", required=False, minimum=0.0, maximum=1.0, above=True),
        # Units of the box model alone, so not among units.UNITS.
        Column("unit", "unit", extra=("GtC/ppm", "K", "K/GtC")),
        Column("scenario", required=False),
        *_SOURCE,
    ),
    unique=("process", "parameter", "place"),
    row_checks=(_cycle_row,),
)
