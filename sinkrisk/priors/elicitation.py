"""Elicitation: the claims on one quantity become one distribution that knows its sources.

`selecting` says which claims speak, `readings` how each becomes a distribution, `pooling` how the
sources become one. Claims that share a source key, or repeat identical numbers on one basis, count as
one source and share its weight (`readings.voices`); sources count alike. Fitted parameters are read from
``priors/elicited.csv`` where they were fitted to the very claims at hand (`storing`), and fitted
otherwise: the numbers are the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.priors import storing
from sinkrisk.priors.distributions import Elicited
from sinkrisk.priors.pooling import Part, default_between, hierarchical, scale_of
from sinkrisk.priors.quantiles import Pool, share_weights
from sinkrisk.priors.readings import (
    MASS_TOLERANCE as MASS_TOLERANCE,
    ElicitationWarning as ElicitationWarning,
    Fit,
    OneSided,
    Rule,
    read_claim,
    rule_of,
    voices,
)
from sinkrisk.priors.references import split_keys
from sinkrisk.priors.selecting import Selection, rows_by_quantity, select

if TYPE_CHECKING:
    import pandas as pd

POOLS = ("linear", "hierarchical")


def elicit(
    claims: pd.DataFrame,
    pathway: str,
    quantity: str,
    *,
    basis: str | Sequence[str] | None = None,
    mass: float = storing.MASS,
    pool: Literal["linear", "hierarchical"] = "linear",
    between: float | None = None,
    one_sided: OneSided = "spread",
    stored: bool = True,
) -> Elicited:
    """Turn the claims on one quantity of one pathway into a distribution.

    Parameters
    ----------
    claims : DataFrame
        As `load_claims` returns.
    pathway : str
        A pathway, a group, or ``"all"``. A pathway without a claim of its own takes those of the
        group it belongs to (never for ``potential``, which a group's members divide).
    quantity : str
        A quantity of ``priors/quantities.csv``.
    basis : str or sequence of str, optional
        Bases to pool; default: the first of the quantity's order of preference that has a claim.
    mass : float
        Mass of low to high where a claim's `interval` is empty.
    pool : str
        ``"linear"``, the average of the sources' distributions, or ``"hierarchical"``, one number
        measured by sources that are each biased (`sinkrisk.priors.pooling`).
    between : float, optional
        Hierarchical pool: scale of the half-normal prior of the between-source sd, on the quantity's
        scale. Default: from the quantity's `spread`, an assumption.
    one_sided : str
        What a single bound of a bounded quantity becomes: the interval that the quantity's `spread`
        gives, or the distribution of maximum ``"entropy"``.
    stored : bool
        Whether fitted parameters may come from ``priors/elicited.csv``.

    Returns
    -------
    Elicited
        In the unit of the quantity.

    Raises
    ------
    InputError
        For an unknown quantity, or where no claim fits; the message lists what there is. For a claim
        whose numbers make no sense (`readings.read_claim`): its id, the column, what is allowed.

    Warns
    -----
    ElicitationWarning
        Where a fitted distribution misses the stated mass by more than `MASS_TOLERANCE`, or the
        stated mean and sd.

    Examples
    --------
    >>> from sinkrisk.priors import load_claims
    >>> claims = load_claims()
    >>> cost = elicit(claims[claims["source"] == "ma2025"], "daccs", "cost")
    >>> cost.unit, cost.disagreement
    ('USD/tCO2', 0.0)
    """
    rule = rule_of(quantity)
    _check_options(mass, pool, one_sided)
    chosen = select(rows_by_quantity(claims, quantity)[quantity], pathway, rule, basis)
    return _elicited(pathway, rule, chosen, mass, pool, between, one_sided, stored)


def elicit_all(
    claims: pd.DataFrame,
    *,
    mass: float = storing.MASS,
    pool: Literal["linear", "hierarchical"] = "linear",
    between: float | None = None,
    one_sided: OneSided = "spread",
    stored: bool = True,
) -> dict[tuple[str, str], Elicited]:
    """Elicit everything there are claims on, each on the basis its quantity prefers.

    Equal to calling `elicit` on each, with the table of claims read once.

    Parameters
    ----------
    claims : DataFrame
        As `load_claims` returns.
    mass, pool, between, one_sided, stored
        As for `elicit`.

    Returns
    -------
    dict of (pathway, quantity) to Elicited
        Pathways that are lent the claims of their group included.

    Raises
    ------
    InputError
        Every quantity whose claims all stand on a basis outside its order of preference, and every claim
        whose numbers make no sense.

    Examples
    --------
    >>> from sinkrisk.priors import load_claims
    >>> found = elicit_all(load_claims())
    >>> found["oif", "energy"].sources
    ('ma2025',)
    """
    _check_options(mass, pool, one_sided)
    rows, problems = rows_by_quantity(claims), Problems()
    found: dict[tuple[str, str], Elicited] = {}
    for pathway, quantity in dict.fromkeys((key.pathway, key.quantity) for key in storing.keys(rows)):
        rule = rule_of(quantity)
        try:
            chosen = select(rows[quantity], pathway, rule)
            got = _elicited(pathway, rule, chosen, mass, pool, between, one_sided, stored)
        except InputError as error:
            problems.extend(error.problems)
            continue
        found[pathway, quantity] = got
    problems.raise_if_any()
    return found


def _elicited(
    pathway: str,
    rule: Rule,
    chosen: Selection,
    mass: float,
    pool: str,
    between: float | None,
    one_sided: OneSided,
    stored: bool,
) -> Elicited:
    fits: tuple[Fit, ...] | None = None
    if stored:
        fits = storing.stored_fits(pathway, rule, chosen, mass, one_sided)
    from_stored = fits is not None
    if fits is None:
        fits = tuple(read_claim(row, rule, mass, one_sided) for row in chosen.rows)
    for fit in fits:
        if fit.shortfall:
            warnings.warn(fit.shortfall, ElicitationWarning, stacklevel=3)

    groups = voices(chosen.rows, rule)
    weights = share_weights(groups)
    used = tuple(_used(row, fit, weight) for row, fit, weight in zip(chosen.rows, fits, weights, strict=True))
    scale, parts = scale_of(rule), _parts(chosen.rows, fits, groups)
    pooled, hierarchy = Pool(tuple(fit.family for fit in fits), weights), None
    if pool == "hierarchical":
        hierarchy = hierarchical(parts, scale, default_between(rule) if between is None else between)
        pooled = hierarchy.pool
    return Elicited(
        pathway=pathway,
        quantity=rule.quantity,
        unit=rule.unit,
        basis=chosen.basis,
        pool=pooled,
        parts=parts,
        scale=scale,
        claims_used=used,
        claims_left_out=tuple(chosen.left_out),
        hierarchy=hierarchy,
        from_stored=from_stored,
    )


def _check_options(mass: float, pool: str, one_sided: str) -> None:
    if not 0.0 < mass < 1.0:
        raise InputError(Problem("not a mass", got=mass, allowed="between 0 and 1", key="mass"))
    if pool not in POOLS:
        raise InputError(Problem("unknown pool", got=pool, allowed=POOLS, key="pool"))
    if one_sided not in ("spread", "entropy"):
        what = "unknown reading of a single bound"
        raise InputError(Problem(what, got=one_sided, allowed=("spread", "entropy"), key="one_sided"))


def _used(row: dict[str, Any], fit: Fit, weight: float) -> dict[str, Any]:
    return {
        "id": row["id"],
        "weight": weight,
        "reading": fit.reading,
        "low": fit.low,
        "high": fit.high,
        "mass": fit.mass,
        "reached": fit.reached,
        "basis": row["basis"],
        "source": row["source"],
        "locator": row.get("locator", ""),
    }


def _parts(rows: list[dict[str, Any]], fits: Sequence[Fit], groups: list[int]) -> tuple[Part, ...]:
    """Return one part a source, in the order in which sources appear."""
    parts = []
    for group in dict.fromkeys(groups):
        mine = [index for index, other in enumerate(groups) if other == group]
        keys = dict.fromkeys(key for index in mine for key in split_keys(rows[index]["source"]))
        share = (1.0 / len(mine),) * len(mine)
        parts.append(
            Part(
                label=";".join(keys),
                weight=1.0 / len(set(groups)),
                pool=Pool(tuple(fits[index].family for index in mine), share),
                claims=tuple(str(rows[index]["id"]) for index in mine),
            )
        )
    return tuple(parts)
