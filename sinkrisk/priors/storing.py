"""Stored fits: the parameters of every elicited distribution, with the hash of the claims behind each.

``priors/elicited.csv`` has one row for each claim pooled into each (pathway, quantity, basis). A row
holds only as long as its hash is that of the claims, the quantity's rule and the options at hand: any
change in them, and `elicit` fits anew. ``python -m sinkrisk.priors.storing`` writes the file again;
with ``--check`` it only says what is out of date, and ends with 1 if anything is.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinkrisk import files
from sinkrisk.errors import InputError
from sinkrisk.priors import layouts, tables
from sinkrisk.priors.families import BetaScaled, Family, Lognormal, Normal
from sinkrisk.priors.quantiles import share_weights
from sinkrisk.priors.readings import Fit, OneSided, Rule, read_claim, rule_of, voices
from sinkrisk.priors.selecting import Selection, groups_of, rows_by_quantity, select

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

MASS = 0.9
"""Mass of a claim's interval where it states none: what the stored fits were made with."""

FILE = "elicited.csv"

_VERSION = 2  # Raise when a claim is read differently: every stored fit is then out of date.
_HASHED = ("id", "low", "high", "central", "sd", "unit", "interval", "basis", "source")


@dataclass(frozen=True, order=True)
class Key:
    """What a stored distribution is of."""

    pathway: str
    quantity: str
    basis: str


def hash_of_claims(rows: Sequence[Row], rule: Rule, mass: float, one_sided: OneSided) -> str:
    """Return 16 hexadecimal digits that change with anything the fits depend on."""
    cells = [[_cell(row[name]) for name in _HASHED] for row in rows]
    how = [rule.unit, rule.family, rule.lower, rule.upper, rule.spread, rule.reach, mass, one_sided, _VERSION]
    return files.hash_of([cells, [_cell(value) for value in how]])[:16]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else repr(float(value))


def stored_fits(
    pathway: str, rule: Rule, chosen: Selection, mass: float, one_sided: OneSided
) -> tuple[Fit, ...] | None:
    """Return the stored fits of the claims chosen, or None where there are none for these very claims."""
    try:
        path = _path()
    except InputError:
        return None
    kept = _stored(path, path.stat().st_mtime_ns).get(Key(pathway, rule.quantity, "/".join(chosen.basis)))
    if kept is None or kept[0] != hash_of_claims(chosen.rows, rule, mass, one_sided):
        return None
    return kept[1]


@functools.cache
def _path() -> Path:
    return files.data_path("priors", FILE)


@functools.lru_cache(maxsize=4)
def _stored(path: Path, modified: int) -> dict[Key, tuple[str, tuple[Fit, ...]]]:
    table = tables.load_table("elicited", path).to_dict("records")
    found: dict[Key, tuple[str, list[Fit]]] = {}
    for row in table:
        key = Key(str(row["pathway"]), str(row["quantity"]), str(row["basis"]))
        found.setdefault(key, (str(row["hash"]), []))[1].append(_fit_of({str(k): v for k, v in row.items()}))
    return {key: (digest, tuple(fits)) for key, (digest, fits) in found.items()}


def _fit_of(row: Row) -> Fit:
    lower = -math.inf if math.isnan(row["lower"]) else row["lower"]
    upper = math.inf if math.isnan(row["upper"]) else row["upper"]
    family: Family
    if row["family"] == "lognormal":
        family = Lognormal(row["first"], row["second"])
    elif row["family"] == "beta":
        family = BetaScaled(row["first"], row["second"], lower, upper)
    else:
        family = Normal(row["first"], row["second"], lower, upper)
    return Fit(family, row["reading"], row["low"], row["high"], row["mass"], row["reached"], row["shortfall"])


def _cells_of(family: Family) -> Row:
    if isinstance(family, Lognormal):
        name, numbers = "lognormal", (family.mu, family.sigma, math.nan, math.nan)
    elif isinstance(family, BetaScaled):
        name, numbers = "beta", (family.a, family.b, family.lower, family.upper)
    elif isinstance(family, Normal):
        name, numbers = "normal", (family.center, family.scale, family.lower, family.upper)
    else:
        raise TypeError(f"no stored form for {type(family).__name__}")
    return {"family": name, **dict(zip(("first", "second", "lower", "upper"), numbers, strict=True))}


def keys(rows: Mapping[str, Sequence[Row]]) -> list[Key]:
    """Return everything that can be elicited: own claims and those a group lends, basis by basis.

    Parameters
    ----------
    rows : mapping of str to sequence of dict
        Claims by quantity (`rows_by_quantity`).
    """
    known = [str(name) for name in tables.load_table("pathways")["pathway"]]
    found = []
    for quantity, stated in rows.items():
        bases: dict[str, dict[str, None]] = {}
        for row in stated:
            bases.setdefault(row["pathway"], {})[row["basis"]] = None
        for pathway in dict.fromkeys([*known, *bases]):
            speakers = [pathway] if quantity == "potential" else [pathway, *groups_of(pathway)]
            speaking = next((name for name in speakers if name in bases), None)
            if speaking is not None:
                found += [Key(pathway, quantity, basis) for basis in bases[speaking]]
    return sorted(found)


def fitted_rows(claims: pd.DataFrame) -> Iterator[Row]:
    """Fit every claim from scratch; one row of ``priors/elicited.csv`` at a time, in its order."""
    rows = rows_by_quantity(claims)
    for key in keys(rows):
        rule = rule_of(key.quantity)
        chosen = select(rows[key.quantity], key.pathway, rule, key.basis)
        digest = hash_of_claims(chosen.rows, rule, MASS, "spread")
        weights = share_weights(voices(chosen.rows, rule))
        for row, weight in zip(chosen.rows, weights, strict=True):
            fit = read_claim(row, rule, MASS)
            yield {
                **dataclasses.asdict(key),
                "claim": row["id"],
                "weight": weight,
                **_cells_of(fit.family),
                "reading": fit.reading,
                "low": fit.low,
                "high": fit.high,
                "mass": fit.mass,
                "reached": fit.reached,
                "shortfall": fit.shortfall,
                "hash": digest,
            }


def text_of(claims: pd.DataFrame) -> str:
    """Return the content of ``priors/elicited.csv``; equal claims give equal text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(layouts.ELICITED.names)
    for row in fitted_rows(claims):
        writer.writerow([_written(row[name]) for name in layouts.ELICITED.names])
    return out.getvalue()


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    # Full precision: the shortest digits that give the same double again.
    return repr(float(value)) if math.isfinite(value) else ""


def out_of_date(claims: pd.DataFrame) -> list[Key]:
    """Return what the stored file lacks, holds for other claims, or holds though nothing claims it."""
    path, rows = _path(), rows_by_quantity(claims)
    stored = {key: digest for key, (digest, _) in _stored(path, path.stat().st_mtime_ns).items()}
    fresh = {}
    for key in keys(rows):
        rule = rule_of(key.quantity)
        chosen = select(rows[key.quantity], key.pathway, rule, key.basis)
        fresh[key] = hash_of_claims(chosen.rows, rule, MASS, "spread")
    return sorted(key for key in fresh.keys() | stored.keys() if fresh.get(key) != stored.get(key))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write ``priors/elicited.csv`` anew, or with ``--check`` say what is out of date."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given not in ([], ["--check"]):
        print("usage: python -m sinkrisk.priors.storing [--check]", file=sys.stderr)
        return 2
    claims = tables.load_claims()
    if given:
        late = out_of_date(claims)
        for key in late:
            print(f"out of date: {key.quantity} of {key.pathway}, basis {key.basis}")
        return 1 if late else 0
    target = files.data_path("priors") / FILE
    files.write_text(target, text_of(claims))
    print(f"{target}: {len(keys(rows_by_quantity(claims)))} distributions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
