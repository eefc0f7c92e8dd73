"""The annual budget of a workbook: which sheet it is, its series, their stated uncertainty, closure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import Problems
from sinkrisk.priors import workbook_meaning as meaning
from sinkrisk.priors.workbook_meaning import FLUXES, REQUIRED
from sinkrisk.priors.workbook_plausibility import check_values
from sinkrisk.priors.workbook_series import UNIT, Floats, Ints, Series, Skipped, column_series, sheet_unit
from sinkrisk.priors.workbook_tables import Column, Table, letters, note_texts

if TYPE_CHECKING:
    import pandas as pd

CLOSURE_TOLERANCE = 1e-9
"""Largest difference between the printed and the recomputed imbalance that passes, GtC/yr."""

TREND_YEARS = 11
"""Years of the straight line that stands in for a percentage's reference."""

_SIGNS = {"fossil": 1, "land_use": 1, "atmosphere": -1, "ocean": -1, "land": -1, "cement": -1}
_DEFINITIONS = {
    "land_use": "net land-use change emissions",
    "atmosphere": "growth rate of the atmospheric stock",
    "ocean": "net ocean sink",
    "land": "land sink without land-use change",
    "cement": "cement carbonation sink",
    "imbalance": "fossil + land_use - atmosphere - ocean - land - cement",
}
_STATED = re.compile(
    r"uncertainty\s+(?:of|around|about|is)?\s*(?:about\s+)?[±+/\-–]*\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|\w+/yr)"
)
_FROM = re.compile(r"from\s+(?P<year>(?:19|20)\d\d)")
_ONE_SIGMA = re.compile(r"(?:1|one)[\s-]*(?:sigma|σ)|68\s*%")


@dataclass(frozen=True)
class AnnualBudget:
    """The budget's own series, in GtC/yr."""

    sheet: str
    unit: str
    years: Ints
    series: dict[str, Series]
    imbalance: Series | None

    def recomputed(self) -> Floats:
        """Return emissions minus sinks by year, GtC/yr; fossil net of carbonation leaves cement out."""
        total = np.zeros(len(self.years))
        for name, series in self.series.items():
            if not (name == "cement" and _is_net(self.series["fossil"])):
                total += _SIGNS[name] * series.values
        return total

    def closure(self) -> pd.DataFrame:
        """Return year, printed and recomputed imbalance and their difference, GtC/yr."""
        import pandas as pd

        printed = self.imbalance.values if self.imbalance is not None else np.full(len(self.years), np.nan)
        recomputed = self.recomputed()
        return pd.DataFrame(
            {
                "year": self.years,
                "printed": printed,
                "recomputed": recomputed,
                "residual": printed - recomputed,
                "unit": UNIT,
            }
        )

    def with_sd(self, component: str, stated: Series, found: Problems) -> AnnualBudget:
        """Return the budget with the yearly standard deviations another sheet states for a component."""
        if component not in self.series:
            return self
        one = self.series[component]
        sd = stated.on(one.years)
        refuse_negative(stated, found)
        note = f"sd: column '{stated.estimate}' of {stated.sheet}"
        changed = replace(one, sd=np.where(sd > 0, sd, np.nan), note=note)
        return replace(self, series={**self.series, component: changed})

    def rows(self, estimate: str) -> list[Series]:
        """Return the series as estimates of that name."""
        out = [*self.series.values(), *([self.imbalance] if self.imbalance is not None else [])]
        return [replace(series, estimate=estimate) for series in out]


@dataclass(frozen=True)
class LongBudget:
    """The years of the long budget before the annual one, and how far they agree where both have a year."""

    series: tuple[Series, ...] = ()
    overlap: dict[str, tuple[str, Series]] = field(default_factory=dict)

    def rows(self, estimate: str) -> list[Series]:
        """Return the series as estimates of that name."""
        return [replace(series, estimate=estimate) for series in self.series]


def _is_net(fossil: Series) -> bool:
    return fossil.definition.startswith("net of")


def _columns(table: Table) -> tuple[dict[str, list[Column]], dict[str, Column], list[Column]]:
    """Return the columns by component, those of uncertainties, and those that could not be placed."""
    placed: dict[str, list[Column]] = {}
    sds: dict[str, Column] = {}
    left: list[Column] = []
    for column in table.columns:
        named = meaning.component_of_column(column)
        if named is None:
            left.append(column)
        elif named[1]:
            sds[named[0]] = column
        elif column.numbers:
            placed.setdefault(named[0], []).append(column)
    return placed, sds, left


def choose(
    tables: Sequence[Table], skipped: list[Skipped], found: Problems
) -> tuple[Table | None, list[Table]]:
    """Return the sheet of the annual budget, and the sheets of the long one.

    The long budget is the one that says so, else the one with years in which components are missing.
    """
    scored = []
    for table in tables:
        placed = _columns(table)[0]
        count = sum(name in placed for name in REQUIRED)
        if count >= 2 and not meaning.is_regional(table.sheet):
            scored.append((count, table))
    whole = [table for count, table in scored if count == len(REQUIRED)]
    if not whole:
        _refuse_unplaced(tables, scored, skipped, found)
        return None, []
    long = [table for table in whole if meaning.is_historical(table.sheet)]
    annual = [table for table in whole if table not in long]
    if not annual:
        # Never the historical budget in its place: other methods, other definitions.
        short = [item for item in scored if not meaning.is_historical(item[1].sheet)]
        if short:
            _refuse_unplaced(tables, short, skipped, found)
        else:
            found.add(
                "no sheet holds the annual budget",
                got=f"only a historical one, '{long[0].sheet.name}'",
                allowed=f"a sheet with columns for {', '.join(REQUIRED)}",
            )
        return None, []
    if len(annual) > 1:
        full = [table for table in annual if _complete(table)]
        if len(full) == 1:
            long.extend(table for table in annual if table is not full[0])
            annual = full
    if len(annual) > 1:
        found.add(
            "several sheets hold a whole annual budget",
            got=", ".join(table.sheet.name for table in annual),
            allowed="one",
            hint="a sheet of the years before 1959 says 'historical' in its name",
        )
        return None, []
    for count, table in scored:
        if table not in whole and count >= 3:
            missing = [name for name in REQUIRED if name not in _columns(table)[0]]
            skipped.append(
                Skipped(table.sheet.name, "", f"a budget without {', '.join(missing)}", placed=False)
            )
    return annual[0], long


def _complete(table: Table) -> bool:
    placed = _columns(table)[0]
    return all(placed[name][0].numbers == len(table.rows) for name in REQUIRED)


def _refuse_unplaced(
    tables: Sequence[Table], scored: list[tuple[int, Table]], skipped: list[Skipped], found: Problems
) -> None:
    sheets = "; ".join(str(item) for item in skipped)
    if not tables:
        found.add(
            "no sheet has a column of years", allowed="a Global Carbon Budget workbook", hint=sheets or None
        )
        return
    if not scored:
        named = ", ".join(f"'{table.sheet.name}'" for table in tables)
        found.add("no sheet holds the annual budget", got=named, allowed=f"columns for {', '.join(REQUIRED)}")
        return
    best = max(count for count, _ in scored)
    for _, table in [item for item in scored if item[0] == best]:
        placed, _, left = _columns(table)
        missing = [name for name in REQUIRED if name not in placed]
        found.add(
            f"sheet '{table.sheet.name}': no column could be placed as {', '.join(missing)}",
            got=", ".join(f"{letters(c.index)} '{c.label}'" for c in left) or "no further column",
            row=table.header_row + 1,
            hint="these columns could not be placed",
        )


def read_budget(table: Table, found: Problems, skipped: list[Skipped]) -> AnnualBudget:
    """Read the annual budget; every problem goes to `found`."""
    name = table.sheet.name
    found.extend(table.problems.found)
    skipped.extend(Skipped.of(text) for text in table.skipped)
    placed, sds, left = _columns(table)
    for column in left:
        place = f"{name}!{letters(column.index)}"
        skipped.append(Skipped(place, column.label, "no component of the budget", placed=False))
    for component, columns in placed.items():
        if len(columns) > 1 and component in (*FLUXES, "imbalance"):
            got = ", ".join(f"{letters(c.index)} '{c.label}'" for c in columns)
            found.add(
                f"sheet '{name}': several columns for {component}",
                got=got,
                allowed="one",
                row=table.header_row + 1,
            )
    skipped.extend(
        Skipped(f"{name}!{letters(column.index)}", column.label, "a sum of other columns")
        for column in placed.pop("total_emissions", [])
    )
    unit = sheet_unit(table, found)
    if unit is None:
        return AnnualBudget(name, UNIT, np.array(table.years), {}, None)
    conventions = _conventions(table, unit)
    series: dict[str, Series] = {}
    for component in (*FLUXES, "imbalance"):
        if component not in placed:
            continue
        column = placed[component][0]
        before = len(found.found)
        one = column_series(
            table, column, unit, found, complete=True,
            component=component, estimate="", method="derived" if component == "imbalance" else "assessment",
            definition=_definition(component, column),
        )  # fmt: skip
        if len(found.found) == before:
            sd, note = _sd(one, sds.get(component), conventions.get(component), table, unit, found)
            if component == "imbalance":
                sd, note = None, "derived by the source from its other columns: never in a likelihood"
            one = replace(one, sd=sd, note=note)
        series[component] = one
    imbalance = series.pop("imbalance", None)
    result = AnnualBudget(name, unit, np.array(table.years, dtype=np.int64), series, imbalance)
    if not found:
        check_values(result, left, found)
    return result


def _definition(component: str, column: Column) -> str:
    if component != "fossil":
        return _DEFINITIONS[component]
    words = meaning.plain(column.label)
    net = re.search(r"includ\w* (cement )?carbonation|net of|minus (cement )?carbonation", words)
    return "net of cement carbonation" if net else "without cement carbonation"


def _conventions(table: Table, unit: str) -> dict[str, tuple[float, str, int, str]]:
    """Return the uncertainties the sheet states: component -> (number, unit, first year, place)."""
    texts = list(note_texts(table))
    stated: dict[str, tuple[float, str, int, str]] = {}
    if not any(_ONE_SIGMA.search(text) for _, text in texts):
        return stated
    for place, text in texts:
        match = _STATED.search(text)
        named = meaning.component_of(text.partition("(")[0])
        if match is None or named is None or match["unit"] not in ("%", unit, "GtC/yr"):
            continue
        since = _FROM.search(text[match.end() : match.end() + 40].partition(")")[0])
        stated.setdefault(
            named[0], (float(match["number"]), match["unit"], int(since["year"]) if since else 0, place)
        )
    return stated


def refuse_negative(sd: Series, found: Problems) -> None:
    """Collect the negative numbers of a column of standard deviations: it is misread or mistyped."""
    for value, row in zip(sd.values, sd.rows, strict=True):
        if value < 0.0:
            what = f"sheet '{sd.sheet}': a standard deviation below 0"
            found.add(what, got=float(value), allowed="above 0", row=row + 1, key=letters(sd.column))


def _sd(
    series: Series,
    column: Column | None,
    stated: tuple[float, str, int, str] | None,
    table: Table,
    unit: str,
    found: Problems,
) -> tuple[Floats | None, str]:
    """Return the standard deviations as the workbook states them, and where."""
    if column is not None:
        read = column_series(table, column, unit, found, component="", method="", estimate="")
        refuse_negative(read, found)
        sd = np.where(read.values > 0, read.values, np.nan)
        return sd, f"sd: column {column.label}, {table.sheet.name}"
    if stated is None:
        return None, "sd not stated by the workbook"
    number, of, since, place = stated
    if of == "%":
        # A smooth reference: a sd proportional to the year's own value would let a bias absorb the series.
        sd = number / 100.0 * np.abs(_trend(series.years, series.values))
        return sd, f"sd: {number:g} % of the trend of {TREND_YEARS} years, stated in {place}"
    sd = np.full(len(series.values), number)
    if since:
        sd = np.where(series.years >= since, sd, np.nan)
        return sd, f"sd: {number:g} {of} from {since}, stated in {place}"
    return sd, f"sd: {number:g} {of}, stated in {place}"


def _trend(years: Ints, values: Floats) -> Floats:
    """Return at each year the straight line through its nearest `TREND_YEARS` years."""
    size = min(TREND_YEARS, len(years))
    out = np.empty(len(years))
    for i in range(len(years)):
        start = min(max(i - size // 2, 0), len(years) - size)
        x, y = years[start : start + size].astype(float), values[start : start + size]
        centred = x - x.mean()
        slope = float(centred @ y / (centred @ centred)) if size > 1 else 0.0
        out[i] = y.mean() + slope * (years[i] - x.mean())
    return out


def read_long(
    tables: Sequence[Table],
    annual: AnnualBudget,
    found: Problems,
    skipped: list[Skipped],
    *,
    historical: bool,
) -> LongBudget:
    """Read the long budget: its earlier years if asked, its agreement with the annual one always."""
    series: list[Series] = []
    overlap: dict[str, tuple[str, Series]] = {}
    for table in tables:
        name = table.sheet.name
        if not historical:
            reason = (
                "years before the annual budget, by other methods; read_workbook(historical=True) adds them"
            )
            skipped.append(Skipped(name, "", reason))
        problems = Problems(file=found.file)
        problems.extend(table.problems.found)
        unit = sheet_unit(table, problems)
        placed = _columns(table)[0]
        read: dict[str, Series] = {}
        for component in (*FLUXES, "imbalance"):
            if unit is not None and len(placed.get(component, [])) == 1:
                column = placed[component][0]
                definition = f"{_definition(component, column)}; historical budget"
                method = "derived" if component == "imbalance" else "assessment"
                read[component] = column_series(
                    table, column, unit, problems,
                    component=component, method=method, estimate="", definition=definition,
                    note="sd not stated by the workbook",
                )  # fmt: skip
        found.extend(problems.found)
        for component, one in read.items():
            overlap.setdefault(component, (name, one))
            early = one.years < annual.years[0]
            if historical:
                values = np.where(early, one.values, np.nan)
                series.append(replace(one, values=values))
    return LongBudget(tuple(series), overlap)
