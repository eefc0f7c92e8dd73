"""Which pathway suits which region: probability under uncertain criteria, weights and needs"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import risk
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio import mcda
from sinkrisk.portfolio.forms import DRAWN, checked, find_weight_problem
from sinkrisk.risk.acceptability import dirichlet_weights
from sinkrisk.rng import RandomSource, generator

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Weights = str | Mapping[str, float] | Sequence[str] | None


@dataclass(frozen=True)
class Criteria:
    """What regions have and pathways need, as ranges.

    Parameters
    ----------
    endowment : ndarray, (2, criterion, region)
        Low and high, 0 to 1.
    need : ndarray, (2, pathway, criterion)
        Low and high, 0 to 1.
    possible : ndarray of bool, (pathway, region)
    """

    criteria: list[str]
    pathways: list[str]
    regions: list[str]
    endowment: Floats
    need: Floats
    possible: NDArray[np.bool_]


@checked(drawn=Holding(variables=("suitability_share",), dims=("sample",), origin=DRAWN))
def suitability(
    drawn: xr.Dataset | None = None,
    *,
    method: Literal["topsis", "vikor", "promethee"] = "topsis",
    weights: Weights = None,
    threshold: float = 0.5,
    essential: float = 0.8,
    floor: float = 0.1,
    n: int = 1000,
    level: float = 0.9,
    rng: RandomSource = 1,
    criteria: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    """Return the probability that each pathway suits each region.

    Parameters
    ----------
    drawn : Dataset, optional
        Joint draws of the inputs: pathways and regions are theirs, and a pathway is impossible where
        its ``suitability_share`` or its potential is 0 in every draw. When left out those of ``priors/``,
        impossible where ``priors/suitability.csv`` allows no share.
    method : str
        ``topsis``, ``vikor`` or ``promethee``, see `mcda.score_places`.
    weights : "uniform", mapping or sequence, optional
        How much criteria count: every weighting as likely (the default), Dirichlet concentrations by
        criterion (those not named 1), or criteria from the most important on (uniform over all
        weightings in that order, every criterion named).
    threshold : float
        Score from which on a pathway is called suited; at a half a region is nearer to having
        everything the pathway needs than to having nothing of it.
    essential : float
        Need, 0 to 1, from which on a pathway cannot do without a criterion; 0.8 is an assumption.
    floor : float
        Endowment, 0 to 1, below which a place has none of a criterion to speak of; a draw in which it
        lacks so what the pathway cannot do without counts as not suited, whatever its score. 0 lets
        plenty make up for everything.
    n : int
        Draws of weights, endowments and needs.
    level : float
        Mass of the interval of the score.
    rng : int, Generator or None
        Methods given the same seed see the same draws.
    criteria : path, optional
        Table in the layout of ``priors/suitability_criteria.csv``.

    Returns
    -------
    Dataset, (pathway, region)
        ``probability_suited``, 1: share of draws whose score reaches the threshold and that lack nothing
        essential, exactly 0 where a pathway is impossible; ``vetoed``, 1: share of draws that lack
        something essential; ``standard_error``, 1, its Monte Carlo error
        ``sqrt(p (1 - p) / n)``; ``score_mean``, ``score_low``, ``score_high``, 1: mean and
        equal-tailed interval of the score over draws, NaN where impossible; ``possible``;
        ``limiting``: the criterion with the largest weighted shortfall, mean over draws, or what most
        often lacks where half of the draws or more are vetoed. Attributes
        method, weights, threshold, essential, floor, draws, statistic, interval_kind and interval_mass.

    Raises
    ------
    InputError
        For a method, weights, a threshold or a level that make no sense, a criterion that a region
        lacks or a pathway without any need; all at once.

    Notes
    -----
    Endowments and needs are uniform between low and high, all independent of each other. A region's
    endowment is drawn once for all pathways, a pathway's need once for all regions; criteria weights
    are multiplied by the need and scaled to sum to 1 (`mcda.met`). The scores compensate: plenty of one
    thing makes up for lack of another; of what a pathway lives on it must not, hence the veto
    (`mcda.lacking`), as in outranking methods (Roy 1991, Theory and Decision 31). Suitability says
    how well a place fits, not how much of it there is.

    Examples
    --------
    >>> atlas = suitability(n=50, rng=1)
    >>> float(atlas.probability_suited.sel(pathway="beccs", region="open_ocean"))
    0.0
    """
    found = Problems()
    if drawn is not None:
        find_weight_problem(found, drawn)
    if method not in mcda.METHODS:
        found.add("unknown method", got=method, allowed=mcda.METHODS, key="method")
    if not 0.0 < threshold <= 1.0:
        found.add("threshold out of range", got=threshold, allowed="above 0 and at most 1", key="threshold")
    for key, value in (("essential", essential), ("floor", floor)):
        if not 0.0 <= value <= 1.0:
            found.add(f"{key} out of range", got=value, allowed="0 to 1", key=key)
    if n < 1:
        found.add("at least one draw is needed", got=n, key="n")
    if not 0.0 < level < 1.0:
        found.add("level out of range", got=level, allowed="between 0 and 1", key="level")
    read = _read_criteria(drawn, criteria, found)
    _check_weights(weights, read.criteria, found)
    found.raise_if_any()
    random = generator(rng)
    drawn_weights, text = _draw_weights(weights, read.criteria, n, random)
    low, high = read.endowment
    endowments = low + (high - low) * random.random((n, *low.shape))
    low, high = read.need
    needs = low + (high - low) * random.random((n, *low.shape))
    score = np.full((len(read.pathways), len(read.regions), n), np.nan)
    shortfall = np.zeros((len(read.pathways), len(read.regions), len(read.criteria)))
    lacks, vetoed = np.zeros_like(shortfall), np.zeros(score.shape, dtype=bool)
    for p in range(len(read.pathways)):
        here = np.flatnonzero(read.possible[p])
        if here.size == 0:
            continue
        for s in range(n):
            scores, own = mcda.met(endowments[s][:, here], drawn_weights[s], needs[s, p])
            score[p, here, s] = mcda.score_places(scores, own, method)
            shortfall[p, here] += own * (1.0 - scores)
            lack = mcda.lacking(endowments[s][:, here], needs[s, p], essential, floor)
            lacks[p, here] += lack.T
            vetoed[p, here, s] = lack.any(axis=0)
    probability = np.where(read.possible, ((score >= threshold) & ~vetoed).mean(axis=-1), 0.0)
    barred = vetoed.mean(axis=-1)
    tails = ((1.0 - level) / 2.0, (1.0 + level) / 2.0)
    interval = np.full((*read.possible.shape, 2), np.nan)
    if read.possible.any():
        interval[read.possible] = risk.quantile(score[read.possible], tails)
    worst = np.where(barred >= 0.5, lacks.argmax(axis=-1), shortfall.argmax(axis=-1))
    limiting = np.array(read.criteria, dtype=object)[worst]
    limiting[~read.possible] = ""
    dims, one = ("pathway", "region"), {"units": "1"}
    return xr.Dataset(
        {
            "probability_suited": (dims, probability, one),
            "standard_error": (dims, np.sqrt(probability * (1.0 - probability) / n), one),
            "vetoed": (dims, barred, one),
            "score_mean": (dims, score.mean(axis=-1), one),
            "score_low": (dims, interval[..., 0], one),
            "score_high": (dims, interval[..., 1], one),
            "possible": (dims, read.possible),
            "limiting": (dims, limiting.astype(str)),
        },
        coords={"pathway": read.pathways, "region": read.regions},
        attrs={
            "method": method,
            "weights": text,
            "threshold": threshold,
            "essential": essential,
            "floor": floor,
            "draws": n,
            "statistic": "share of draws of weights, endowments and needs whose score reaches the threshold "
            "and that lack nothing essential",
            "interval_kind": "equal-tailed",
            "interval_mass": level,
        },
    )


def _read_criteria(
    drawn: xr.Dataset | None, path: str | os.PathLike[str] | None, found: Problems
) -> Criteria:
    from sinkrisk.priors import load_table
    from sinkrisk.priors.layouts_portfolio import SUITABILITY_CRITERIA_NAMES

    table = load_table("suitability_criteria", path)
    if drawn is None:
        shares = load_table("suitability")
        regions = load_table("regions")["region"].tolist()
        pathways = list(dict.fromkeys(shares["pathway"]))
        high = shares.pivot(index="pathway", columns="region", values="high")
        possible = high.reindex(index=pathways, columns=regions).fillna(0.0).to_numpy() > 0.0
    else:
        share = drawn["suitability_share"]
        pathways = [str(v) for v in drawn["pathway"].values]
        regions = [str(v) for v in drawn["region"].values]
        if "potential" in drawn:
            # Of some regions alone: a pathway that suits none of them has no potential there.
            share = share.where(drawn["potential"] > 0.0, 0.0)
        possible = (share > 0.0).any("sample").transpose("pathway", "region").values
    names = [c for c in SUITABILITY_CRITERIA_NAMES if c in set(table["criterion"])]
    endowment = np.full((2, len(names), len(regions)), np.nan)
    need = np.zeros((2, len(pathways), len(names)))
    for row in table.to_dict("records"):
        c, bounds = names.index(row["criterion"]), (row["low"], row["high"])
        if row["kind"] == "endowment" and row["region"] in regions:
            endowment[:, c, regions.index(row["region"])] = bounds
        elif row["kind"] == "need" and row["pathway"] in pathways:
            need[:, pathways.index(row["pathway"]), c] = bounds
    where = str(table.attrs.get("path", "suitability criteria"))
    needed = (need[1] > 0.0).any(axis=0)
    for c, r in np.argwhere(np.isnan(endowment[0]) & needed[:, None]):
        found.add(f"no endowment of {regions[r]}", key=names[c], file=where)
    for p in np.flatnonzero((need[0] <= 0.0).all(axis=1)):
        hint = "give it a criterion it cannot do without: a need whose low end is above 0"
        found.add("a pathway without any need", got=pathways[p], file=where, hint=hint)
    return Criteria(names, pathways, regions, np.nan_to_num(endowment), need, possible)


def _check_weights(weights: Weights, criteria: list[str], found: Problems) -> None:
    if weights is None or weights == "uniform":
        return
    if isinstance(weights, str):
        allowed = "'uniform', a mapping of concentrations, or criteria in order"
        found.add("weights not understood", got=weights, allowed=allowed, key="weights")
        return
    for name in weights:
        if name not in criteria:
            found.add("unknown criterion", got=str(name), allowed=criteria, key="weights")
    if isinstance(weights, Mapping):
        for name, value in weights.items():
            if not 0.0 < float(value) < np.inf:
                found.add("a concentration must be positive", got=value, key=f"weights.{name}")
    elif sorted(map(str, weights)) != sorted(criteria):
        hint = "an order names every criterion once"
        found.add("criteria in order", got=", ".join(map(str, weights)), allowed=criteria, hint=hint)


def _draw_weights(
    weights: Weights, criteria: list[str], n: int, random: np.random.Generator
) -> tuple[Floats, str]:
    alphas = np.ones(len(criteria))
    if weights is None or isinstance(weights, str):
        return dirichlet_weights(n, alphas, rng=random), "uniform on the simplex"
    if isinstance(weights, Mapping):
        alphas = np.array([float(weights.get(c, 1.0)) for c in criteria])
        text = "Dirichlet: " + ", ".join(f"{c} {a:g}" for c, a in zip(criteria, alphas, strict=True))
        return dirichlet_weights(n, alphas, rng=random), text
    order = list(weights)
    ordered = dirichlet_weights(n, alphas, rng=random, ordinal=True)
    return ordered[:, [order.index(c) for c in criteria]], "ordinal: " + " >= ".join(order)


@checked()
def suitability_table(atlas: xr.Dataset) -> pd.DataFrame:
    """Return the atlas as a tidy table.

    Parameters
    ----------
    atlas : Dataset
        From `suitability`.

    Returns
    -------
    DataFrame
        One row for each pathway and region: pathway, region, possible, probability_suited,
        standard_error, vetoed, score_mean, score_low, score_high, limiting, method, threshold, essential,
        floor, draws, interval_kind, interval_mass.

    Examples
    --------
    >>> table = suitability_table(suitability(n=20, rng=1))
    >>> len(table), table["interval_kind"].unique().tolist()
    (135, ['equal-tailed'])
    """
    table = atlas.to_dataframe().reset_index()
    for name in ("method", "threshold", "essential", "floor", "draws", "interval_kind", "interval_mass"):
        table[name] = atlas.attrs[name]
    order = [
        "pathway", "region", "possible", "probability_suited", "standard_error", "vetoed", "score_mean",
        "score_low", "score_high", "limiting", "method", "threshold", "essential", "floor", "draws",
        "interval_kind", "interval_mass",
    ]  # fmt: skip
    return table[order]


@checked()
def suitability_sentence(atlas: xr.Dataset) -> str:
    """Return what the atlas says, in two sentences.

    Parameters
    ----------
    atlas : Dataset
        From `suitability`.

    Raises
    ------
    InputError
        When no cell is possible.

    Examples
    --------
    >>> text = suitability_sentence(suitability(n=50, rng=1))
    >>> text.startswith("Of ") and "pairs of pathway and region" in text
    True
    """
    possible = atlas["possible"].values
    if not possible.any():
        raise InputError(Problem("no pathway is possible in any region"))
    probability = atlas["probability_suited"].values
    n = int(atlas.attrs["draws"])
    sure, unsure = int((probability[possible] >= 0.9).sum()), int((probability[possible] <= 0.1).sum())
    order = np.argsort(-np.where(possible, atlas["score_mean"].values, -1.0), axis=None)[:3]
    best = [
        f"{atlas['pathway'].values[p]} in {atlas['region'].values[r]} ({probability[p, r]:.0%})"
        for p, r in (np.unravel_index(i, possible.shape) for i in order)
    ]
    return (
        f"Of {int(possible.sum())} possible pairs of pathway and region {sure} are suited with a "
        f"probability of at least 90 %, {unsure} with one of at most 10 % ({atlas.attrs['method']}, score of "
        f"at least {atlas.attrs['threshold']:g}, nothing essential lacking, weights "
        f"{atlas.attrs['weights']}, {n} draws; Monte Carlo error at most "
        f"{50.0 / np.sqrt(n):.1f} percentage points). Best on average: {', '.join(best)}."
    )
