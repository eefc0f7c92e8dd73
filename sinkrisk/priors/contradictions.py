"""What the review says against itself and against arithmetic, found by rules over the tables.

Each rule reads statements and yields findings: two statements, or a statement and what follows from
others, that differ as printed. The column `severity` says how hard they collide: no value fits both
(``incompatible``), two ranges share values but not their ends, or two best estimates differ by no more
than one standard deviation of both together, which is no conflict of the numbers but two numbers for one
thing all the same. No rule knows a number or a place of the review; what it
needs beyond the rows is in ``relations.csv`` (which component is the sum of which) and in the
grammar of an observation's `definition` (`rules_shares`). A contradiction is a result, not a failure
of the library.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sinkrisk import units
from sinkrisk.priors import rules_claims, rules_shares, rules_sums, statements as st, tables
from sinkrisk.priors.findings import (
    COLUMNS,
    SEVERITIES,
    Finding,
    Library,
    Relation,
    comparable_pairs,
    gap,
    pair,
)
from sinkrisk.priors.references import ASSUMPTION, split_keys
from sinkrisk.priors.statements import Statement

if TYPE_CHECKING:
    import pandas as pd

MAGNITUDE = 10.0
"""Factor between two statements from which they differ by an order of magnitude."""


def find_contradictions(
    observations: Mapping[str, pd.DataFrame] | None = None,
    claims: pd.DataFrame | None = None,
    relations: pd.DataFrame | None = None,
    groups: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Find every contradiction that the rules can compute.

    Parameters
    ----------
    observations : mapping of str to DataFrame, optional
        Observation tables by name, as `load_observations` returns them; default the library's own,
        all of them.
    claims, relations, groups : DataFrame, optional
        As `load_claims` and `load_table` (``relations``, ``pathway_groups``) return them; default
        the library's.

    Returns
    -------
    DataFrame
        One row per contradiction: the rule, what is spoken of, statement A and B with source and
        locator, the size of the conflict (`absolute` in `unit`, `relative` to the larger of the
        two), what the rule found, and the severity (`findings.SEVERITIES`). Sorted by rule, within it
        by severity, the hardest and then the largest first.

    Examples
    --------
    >>> table = find_contradictions()
    >>> bool(len(table) >= 30)
    True
    """
    import pandas as pd

    library = _library(observations, claims, relations, groups)
    records = [finding.record() for finding in _all(library)]
    table = pd.DataFrame(records, columns=list(COLUMNS))
    if not len(table):
        return table
    # The order of rules is that of first appearance in `_all`; within a rule the hardest, then the largest.
    order = {rule: place for place, rule in enumerate(dict.fromkeys(table["rule"]))}
    hardness = {severity: place for place, severity in enumerate(SEVERITIES)}
    table = table.assign(_order=table["rule"].map(order), _hard=table["severity"].map(hardness))
    table = table.sort_values(["_order", "_hard", "relative"], ascending=[True, True, False], kind="stable")
    return table.drop(columns=["_order", "_hard"]).reset_index(drop=True)


def _library(
    observations: Mapping[str, pd.DataFrame] | None,
    claims: pd.DataFrame | None,
    relations: pd.DataFrame | None,
    groups: pd.DataFrame | None,
) -> Library:
    if observations is None:
        observations = {name: tables.load_observations(name) for name in tables.OBSERVATION_TABLES}
    claims = tables.load_claims() if claims is None else claims
    relations = tables.load_table("relations") if relations is None else relations
    groups = tables.load_table("pathway_groups") if groups is None else groups
    rows = [s for name, table in observations.items() for s in st.read_observations(table, name)]
    return Library(
        observed=tuple(st.mark_superseded(s for s in rows if s.source != ASSUMPTION)),
        claimed=tuple(st.read_claims(claims)),
        assumed=tuple(s for s in rows if s.source == ASSUMPTION),
        relations=tuple(
            Relation(r["relation"], r["measure"], r["whole"], split_keys(r["parts"]), r["locator"], r["note"])
            for r in relations.to_dict("records")
        ),
        groups=tuple((g["group"], split_keys(g["members"])) for g in groups.to_dict("records")),
    )


def _all(library: Library) -> Iterator[Finding]:
    yield from rules_sums.row_arithmetic(library)
    yield from rules_sums.sums(library)
    yield from rules_shares.sums_of_shares(library)
    yield from rules_shares.shares_and_ratios(library)
    yield from rules_shares.ranks(library)
    yield from rules_sums.constant_shares(library)
    yield from rules_sums.definitions_mixed(library)
    yield from unequal_statements(library)
    yield from rules_claims.all_rules(library)


def unequal_statements(library: Library) -> Iterator[Finding]:
    """Yield pairs of statements of one quantity that differ; the rule's name says how."""
    found = []
    for a, b in comparable_pairs((*library.observed, *library.claimed)):
        if (a.method == "attribution") != (b.method == "attribution") or (a.in_words and a.table == "claims"):
            continue
        difference = gap(a, b) if not (b.in_words and b.table == "claims") else None
        if difference is None:
            continue
        ratio = _factor(a, b.to(a.unit))
        if units.factor(a.unit, b.unit) != 1.0 or ratio >= MAGNITUDE:
            rule = "units and magnitudes"
            text = f"one quantity in {a.unit} and in {b.unit}, a factor of {ratio:.3g} apart"
        elif a.in_table != b.in_table:
            rule, text = "text against table", "the text and the table differ"
        else:
            rule, text = "unequal statements", "two statements of one quantity"
        if not (a.point or b.point) and a.bounded and b.bounded:
            apart = a.high < b.to(a.unit).low or b.to(a.unit).high < a.low
            text += "; the ranges do not meet" if apart else "; the ranges have other ends"
        if a.basis != b.basis:
            text += f"; bases {a.basis or 'not stated'} and {b.basis or 'not stated'}"
        if set(split_keys(a.source)) & set(split_keys(b.source)) - {"ma2025"}:
            text += "; both cite the same work"
        found.append(pair(rule, a, b, difference, text))
    yield from sorted(found, key=lambda f: f.rule)


def _factor(a: Statement, b: Statement) -> float:
    def middle(s: Statement) -> float:
        ends = [x for x in (s.low, s.high) if math.isfinite(x)]
        return math.fsum(ends) / len(ends)

    first, second = middle(a), middle(b)
    if first * second <= 0.0:
        return 1.0
    return max(first / second, second / first)
