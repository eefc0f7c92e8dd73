"""Selection: which claims speak for one quantity of one pathway, and which are left out, and why.

Only claims of one `basis` are pooled. With ``basis=None`` it is the first basis of the quantity's
`basis_order` on which there is a claim. Claims of one bound (">200") are pooled only where no other
claim of that basis speaks: beside ranges they are listed as left out. A pathway without a claim of its
own takes those of the first group of ``priors/pathway_groups.csv`` that speaks (never for ``potential``,
which a group's members divide).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.priors import layouts, tables
from sinkrisk.priors.readings import Rule
from sinkrisk.priors.references import split_keys

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

_NEEDED = ("id", "pathway", "quantity", "low", "high", "central", "sd", "unit", "interval", "basis", "source")


@dataclass(frozen=True)
class Selection:
    """The claims to pool and those left out.

    Parameters
    ----------
    basis : tuple of str
        Bases of the claims pooled.
    rows : list of dict
        Rows of the claims table.
    left_out : list of dict
        ``id, basis, reason, source, locator``.
    """

    basis: tuple[str, ...]
    rows: list[Row]
    left_out: list[dict[str, str]]


def rows_by_quantity(claims: pd.DataFrame, quantity: str | None = None) -> dict[str, list[Row]]:
    """Return the claims as plain rows, by quantity, in the table's order.

    Parameters
    ----------
    claims : DataFrame
        As `load_claims` returns.
    quantity : str, optional
        Only this one.

    Raises
    ------
    InputError
        For a frame without the columns of a table of claims.
    """
    _require_columns(claims)
    columns = [name for name in (*_NEEDED, "locator") if name in claims.columns]
    cells = [claims[name].array for name in columns]
    found: dict[str, list[Row]] = {}
    if quantity is not None:
        # Only the rows asked for leave pandas: one quantity costs a fraction of the table.
        here = np.flatnonzero(np.asarray(claims["quantity"] == quantity, dtype=bool))
        cells = [column.take(here) for column in cells]
        found[quantity] = []
    for values in zip(*(column.tolist() for column in cells), strict=True):
        row = dict(zip(columns, values, strict=True))
        found.setdefault(row["quantity"], []).append(row)
    return found


def select(
    rows: Sequence[Row], pathway: str, rule: Rule, basis: str | Sequence[str] | None = None
) -> Selection:
    """Return the claims on a quantity of a pathway that are pooled, in the table's order.

    Parameters
    ----------
    rows : sequence of dict
        All claims on the quantity (`rows_by_quantity`).
    pathway : str
    rule : Rule
        The quantity's.
    basis : str or sequence of str, optional

    Raises
    ------
    InputError
        Where no claim fits; the message lists what there is.
    """
    groups = groups_of(pathway)
    there = [row for row in rows if row["pathway"] == pathway or row["pathway"] in groups]
    own = [row for row in there if row["pathway"] == pathway]
    of_groups = [row for row in there if row["pathway"] != pathway]
    if not own and rule.quantity != "potential" and of_groups:
        # A group is asked in the order of pathway_groups.csv; the first that speaks answers.
        names = {row["pathway"] for row in of_groups}
        speaking = next(group for group in groups if group in names)
        own = [row for row in of_groups if row["pathway"] == speaking]
        of_groups = [row for row in of_groups if row["pathway"] != speaking]
    if not own:
        have = sorted({row["pathway"] for row in rows})
        raise InputError(Problem(f"no claim on {rule.quantity}", got=pathway, allowed=have, key="pathway"))
    chosen = _chosen_bases(own, rule, basis, pathway)
    pooled = "/".join(chosen)
    left = [
        _left_out(row, f"basis {row['basis']}, pooled is {pooled}")
        for row in own
        if row["basis"] not in chosen
    ]
    left += [_left_out(row, f"speaks of the group {row['pathway']}") for row in of_groups]
    pooled_rows = [row for row in own if row["basis"] in chosen]
    shaped = [row for row in pooled_rows if not one_sided(row)]
    if shaped:
        # A bound beside ranges says where the quantity is not; what lies beyond it would be our
        # assumption, and must not pull a pool that others have stated.
        left += [
            _left_out(row, "one-sided, beside claims that state both ends")
            for row in pooled_rows
            if one_sided(row)
        ]
        pooled_rows = shaped
    return Selection(chosen, pooled_rows, left)


def one_sided(row: Row) -> bool:
    """Return whether a claim states one bound and nothing else.

    Examples
    --------
    >>> nan = float("nan")
    >>> one_sided({"low": 200.0, "high": nan, "central": nan})
    True
    >>> one_sided({"low": 200.0, "high": 600.0, "central": nan})
    False
    """
    return bool(np.isnan(row["central"]) and np.isnan(row["low"]) != np.isnan(row["high"]))


def groups_of(pathway: str) -> list[str]:
    """Return the groups of ``priors/pathway_groups.csv`` a pathway belongs to, in the file's order."""
    return [group for group, members in _group_members().items() if pathway in members]


@functools.cache
def _group_members() -> dict[str, tuple[str, ...]]:
    table = tables.load_table("pathway_groups").to_dict("records")
    return {str(row["group"]): split_keys(str(row["members"])) for row in table}


def _require_columns(claims: pd.DataFrame) -> None:
    found = Problems()
    for name in _NEEDED:
        if name not in claims.columns:
            found.add("claims: missing column", got=", ".join(map(str, claims.columns)), key=name)
    if found:
        found.add(
            "not a table of claims",
            got=f"{len(claims)} rows",
            allowed=", ".join(layouts.CLAIMS.names),
            hint="sinkrisk.priors.check_frame('claims', frame) says what is wrong with a frame",
        )
    found.raise_if_any()


def _left_out(row: Row, reason: str) -> dict[str, str]:
    return {
        "id": str(row["id"]),
        "basis": str(row["basis"]),
        "reason": reason,
        "source": str(row["source"]),
        "locator": str(row.get("locator", "")),
    }


def _chosen_bases(
    own: Sequence[Row], rule: Rule, basis: str | Sequence[str] | None, pathway: str
) -> tuple[str, ...]:
    there = tuple(dict.fromkeys(row["basis"] for row in own))
    if basis is None:
        for name in rule.basis_order:
            if name in there:
                return (name,)
        wanted: tuple[str, ...] = rule.basis_order
    else:
        wanted = (basis,) if isinstance(basis, str) else tuple(basis)
        if all(name in there for name in wanted) and wanted:
            return wanted
    what = f"no claim on {rule.quantity} of {pathway} with that basis"
    raise InputError(Problem(what, got=", ".join(wanted), allowed=there, key="basis"))
