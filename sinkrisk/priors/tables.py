"""Loading the prior tables: validated DataFrames from the library or from a user's file."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from sinkrisk import files, units
from sinkrisk.errors import InputError, Problem
from sinkrisk.priors import (
    layouts,
    layouts_budget,
    layouts_credits,
    layouts_portfolio,
    layouts_resources,
    references,
    schemas,
)

if TYPE_CHECKING:
    import pandas as pd

OBSERVATION_TABLES: tuple[str, ...] = (
    "global", "china", "ocean", "ecosystems", "reservoirs", "overview", "properties",
)  # fmt: skip
"""Names `load_observations` knows."""

WORKBOOK_SUFFIXES: tuple[str, ...] = (".xlsx", ".xlsm")
"""Endings of files read as Global Carbon Budget workbooks."""

_TABLES: dict[str, schemas.Schema] = {
    "pathways": layouts.PATHWAYS,
    "pathway_groups": layouts.PATHWAY_GROUPS,
    "regions": layouts.REGIONS,
    "periods": layouts.PERIODS,
    "criteria": layouts.CRITERIA,
    "suitability": layouts.SUITABILITY,
    "portfolios": layouts.PORTFOLIOS,
    "portfolio_names": layouts.PORTFOLIO_NAMES,
    "portfolios_further": layouts_portfolio.FURTHER_PORTFOLIOS,
    "portfolio_regions": layouts_portfolio.PORTFOLIO_REGIONS,
    "suitability_criteria": layouts_portfolio.SUITABILITY_CRITERIA,
    "monitoring": layouts_portfolio.MONITORING,
    "resources": layouts_resources.RESOURCE_SUPPLY,
    "point_emissions": layouts_resources.POINT_EMISSIONS,
    "grid": layouts_resources.GRID_INTENSITY,
    "resource_use": layouts_resources.RESOURCE_USE,
    "interactions": layouts_resources.INTERACTIONS,
    "credits": layouts_credits.CREDITS,
    "quantities": layouts.QUANTITIES,
    "components": layouts.COMPONENTS,
    "relations": layouts.RELATIONS,
    "ocean_mechanisms": layouts.OCEAN_MECHANISMS,
    "releases": layouts.RELEASES,
    "budget": layouts_budget.BUDGET,
    "carbon_cycle": layouts.CARBON_CYCLE,
    "budget_statements": layouts_budget.BUDGET_STATEMENTS,
    "emissions": layouts_budget.EMISSIONS,
    "elicited": layouts.ELICITED,
}

# Which file lists the words a column may hold: vocabulary -> (table, column).
_WORDS = {
    "pathways": ("pathways", "pathway"),
    "regions": ("regions", "region"),
    "periods": ("periods", "period"),
    "quantities": ("quantities", "quantity"),
    "components": ("components", "component"),
}


def list_tables() -> tuple[str, ...]:
    """Return the names `load_table` knows.

    Examples
    --------
    >>> "pathways" in list_tables()
    True
    """
    return tuple(_TABLES)


def load_table(name: str, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Load one table of the library, or a file of the same layout.

    Parameters
    ----------
    name : str
        One of `list_tables`.
    path : path, optional
        A file of the user's own in that layout; default ``priors/<name>.csv``. A column that may be
        empty may be missing in it, and a source is any text.

    Returns
    -------
    DataFrame
        Numbers as float64 with NaN where the cell is empty, text as str; ``attrs["path"]``. Of a
        user's file ``attrs["free_sources"]`` lists the sources that are no key of a bibliography.

    Raises
    ------
    InputError
        For an unknown name, or every problem of the file at once.

    Examples
    --------
    >>> load_table("periods")[["period", "start", "end_exclusive"]]
          period  start  end_exclusive
    0  near_term   2025           2035
    1   mid_term   2035           2050
    2  long_term   2050           2101
    """
    if name not in _TABLES:
        raise InputError(Problem("unknown table", got=name, allowed=tuple(_TABLES)))
    where = Path(path) if path is not None else files.data_path("priors", f"{name}.csv")
    return _parse(where, _TABLES[name])


def load_observations(name_or_path: str | os.PathLike[str]) -> pd.DataFrame:
    """Load one table of observations.

    Parameters
    ----------
    name_or_path : str or path
        ``"global"`` (the review's Table 2), ``"china"`` (Table 3), ``"ocean"``, ``"ecosystems"`` and
        ``"reservoirs"`` (Table 4 and section 3), ``"overview"`` (section 3.1's text on both budgets),
        ``"properties"`` (shares, ratios, ranks, areas), the path of a CSV file of the user's own, or
        that of a Global Carbon Budget workbook (.xlsx, releases 2017 to 2025). A user's file needs
        component, start, end, unit and value with sd, or low, high and interval; left out, geography
        is "global", method "assessment", kind "observed", estimate and source the file's name. A
        source is a key of the library's bibliography, of a .bib beside the file, or any words.
        Numbers count as rounded to the last digit written: 3.0 is not 3.

    Returns
    -------
    DataFrame
        ``component, geography, method, estimate, start, end, value, sd, low, high, interval, unit,
        definition, kind, source, locator, note``. Years int64, inclusive; numbers float64 in the
        row's `unit`, NaN where not stated; emissions positive into the air, sinks positive out of
        it. ``attrs["path"]`` names the file; of a user's file ``attrs["free_sources"]`` lists the
        sources that are no key of a bibliography, ``attrs["printed_digits"]`` the last digit written,
        by column and row. A workbook's rows are annual, in GtC/yr, one per series
        and year with a number; ``attrs`` then also holds ``release``, ``skipped`` (what was left out
        and why) and ``notes``.

    Raises
    ------
    InputError
        For an unknown name, or every problem of the file at once.

    Examples
    --------
    >>> table = load_observations("global")
    >>> table.loc[(table.component == "ocean") & (table.start == 2014), ["value", "sd"]].to_numpy()
    array([[2.9, 0.4]])
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise InputError(
            Problem(
                "observations are named",
                got=name_or_path,
                allowed=f"{', '.join(OBSERVATION_TABLES)}, or the path of a CSV file or a workbook",
                key="observations",
            )
        )
    text = os.fspath(name_or_path)
    if text in OBSERVATION_TABLES:
        where = files.data_path("priors", "observations", f"{text}.csv")
    elif Path(text).suffix == "" and not Path(text).exists():
        hint = "or give the path of a CSV file"
        raise InputError(
            Problem(
                "unknown observations", got=text, allowed=OBSERVATION_TABLES, key="observations", hint=hint
            )
        )
    elif Path(text).suffix.lower() in WORKBOOK_SUFFIXES:
        from sinkrisk.priors import workbook

        return workbook.load_workbook(text)
    elif Path(text).suffix.lower() != ".csv":
        what = "observations are read from CSV files and workbooks"
        raise InputError(Problem(what, got=text, allowed="a .csv or an .xlsx file", key="observations"))
    else:
        where = Path(text)
    table = _parse(where, layouts.OBSERVATIONS)
    table.attrs["printed_digits"] = _printed_digits(where)
    return table


def _printed_digits(path: Path) -> dict[str, dict[int, float]]:
    """Return the last printed digit of numbers, by column and row: a float forgets the nought of 10.0."""
    rows = files.read_csv(path, required=(), purpose="observations")
    digits: dict[str, dict[int, float]] = {}
    for column in ("value", "low", "high"):
        found = {index: _last_digit(row.cells.get(column, "")) for index, row in enumerate(rows)}
        digits[column] = {index: digit for index, digit in found.items() if digit is not None}
    return digits


def _last_digit(text: str) -> float | None:
    """Return the unit of the last decimal written, 1 for whole numbers; None for what is no number."""
    try:
        exponent = Decimal(text.strip()).as_tuple().exponent
    except InvalidOperation:
        return None
    return float(10.0 ** min(exponent, 0)) if isinstance(exponent, int) else None


def load_claims(path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Load the claims of the literature on the pathways, one row per statement.

    Parameters
    ----------
    path : path, optional
        A file of the user's own in the same layout; default ``priors/claims.csv``. A column that may
        be empty may be missing in it, and a source is any text.

    Returns
    -------
    DataFrame
        ``id, pathway, quantity, geography, start, end, low, high, central, sd, unit, interval,
        basis, source, locator, note``. Numbers float64 in the row's `unit`, NaN where not stated;
        `interval` is the mass low to high is taken to hold. ``attrs["path"]`` names the file.

    Raises
    ------
    InputError
        Every problem of the file at once; besides the cells, a unit that does not turn into that
        of the quantity, and a bound outside the quantity's support.

    Examples
    --------
    >>> claims = load_claims()
    >>> claims.loc[claims.id == "daccs_cost_2", ["low", "high", "basis"]].to_numpy().tolist()
    [[200.0, 600.0, 'captured']]
    """
    where = Path(path) if path is not None else files.data_path("priors", "claims.csv")
    return _parse(where, schema_of("claims"))


def _parse(where: Path, schema: schemas.Schema) -> pd.DataFrame:
    """Read a table: one of the library's in full, one of a user's with what it leaves out filled in."""
    if where.resolve().is_relative_to(files.data_path("priors").resolve()):
        return schemas.parse(where, schema, _vocabularies(schema, where))
    own = schemas.for_own_files(schema, where.name)
    table = schemas.parse(where, own, _vocabularies(own, where))
    if "source" in table:
        known = {*references.known_keys(beside=where), where.name}
        free = (cell for cell in table["source"] if not known.issuperset(references.split_keys(cell)))
        table.attrs["free_sources"] = tuple(dict.fromkeys(free))
    return table


def schema_of(name: str) -> schemas.Schema:
    """Return the layout of a table, with the rules that need other tables of the library.

    Parameters
    ----------
    name : str
        ``claims``, ``observations`` or one of `list_tables`.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> schema_of("regions").unique
    ('region',)
    """
    if name == "observations":
        return layouts.OBSERVATIONS
    if name == "claims":
        checks = (*layouts.CLAIMS.row_checks, _fits_quantity())
        return dataclasses.replace(layouts.CLAIMS, row_checks=checks)
    if name not in _TABLES:
        allowed = ("claims", "observations", *_TABLES)
        raise InputError(Problem("unknown table", got=name, allowed=allowed))
    return _TABLES[name]


def vocabularies_of(schema: schemas.Schema) -> dict[str, tuple[str, ...]]:
    """Return the words the columns of a layout may hold, from the library's own tables."""
    return _vocabularies(schema, files.data_path("priors") / "claims.csv")


def _fits_quantity() -> schemas.RowCheck:
    rules = {str(rule["quantity"]): rule for rule in load_table("quantities").to_dict("records")}

    def fits_quantity(row: schemas.Row, add: schemas.AddProblem) -> None:
        if row["quantity"] not in rules:
            return
        rule = rules[row["quantity"]]
        try:
            scale = units.factor(row["unit"], rule["unit"])
        except InputError:
            allowed = f"a unit that turns into {rule['unit']}"
            add(
                f"unit of another dimension than {row['quantity']}",
                got=row["unit"],
                allowed=allowed,
                key="unit",
            )
            return
        for key in ("low", "high", "central"):
            value = row[key] * scale
            if value < rule["lower"] or value > rule["upper"]:
                allowed = _support(rule["lower"], rule["upper"], rule["unit"])
                add(f"outside what {row['quantity']} can be", got=value, allowed=allowed, key=key)

    return fits_quantity


def load_everything() -> dict[str, pd.DataFrame]:
    """Return every table of the library that is there: name -> DataFrame.

    Names are those of `load_table`, ``claims``, and ``observations/<name>``.
    """
    tables: dict[str, pd.DataFrame] = {}
    for name in OBSERVATION_TABLES:
        tables[f"observations/{name}"] = load_observations(name)
    tables["claims"] = load_claims()
    for name in _TABLES:
        try:
            files.data_path("priors", f"{name}.csv")
        except InputError:
            continue
        tables[name] = load_table(name)
    return tables


def _support(lower: float, upper: float, unit: str) -> str:
    if math.isnan(upper):
        return f"at least {lower:g} {unit}"
    return f"{lower:g} to {upper:g} {unit}"


def _vocabularies(schema: schemas.Schema, where: Path) -> dict[str, tuple[str, ...]]:
    """Return the words that columns of `schema` may hold, read from the library's own tables."""
    words: dict[str, tuple[str, ...]] = {}
    for column in schema.columns:
        if column.kind == "source":
            words["sources"] = references.known_keys(beside=where)
        if column.vocabulary is None:
            continue
        if column.vocabulary == "pathways and groups":
            words[column.vocabulary] = (*_words("pathways", "pathway"), *_words("pathway_groups", "group"))
        elif column.vocabulary == "creditable pathways":
            pathways = load_table("pathways")
            words[column.vocabulary] = tuple(pathways.loc[pathways["creditable"], "pathway"])
        elif column.vocabulary == "places":
            words[column.vocabulary] = (*_words("regions", "region"), *_words("periods", "period"))
        else:
            words[column.vocabulary] = _words(*_WORDS[column.vocabulary])
    return words


def _words(table: str, column: str) -> tuple[str, ...]:
    path = files.data_path("priors", f"{table}.csv")
    return _words_of(path, path.stat().st_mtime_ns, table, column)


@functools.cache
def _words_of(path: Path, modified: int, table: str, column: str) -> tuple[str, ...]:
    return tuple(load_table(table, path)[column])
