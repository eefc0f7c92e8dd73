"""The land sink ecosystem by ecosystem: what separates a sum of stated sinks from the budget's own.

The ecosystems' sum compares with land minus land-use emissions, both net. Definitions differ, so every
stated sink carries an offset, and the sum three terms of its own::

    stated[i] = sink[i] + offset[i] + error[i]
    land - land_use = sum of sink - overlap + lateral + unaccounted

All terms are Gaussian with priors from ``priors/budget.csv``, so the posterior is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random, units
from sinkrisk.budget.arguments import MOST_DRAWS, check_count
from sinkrisk.budget.cells import factor_of, value_and_sd_of, window_of
from sinkrisk.budget.checking import as_frame, as_numbers, records
from sinkrisk.budget.hyper import Hyper, load_hyper
from sinkrisk.budget.identity import UNIT
from sinkrisk.budget.trees import group
from sinkrisk.budget.windows import reference_window
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.priors.tables import load_observations, load_table
from sinkrisk.results import Result

LEVEL = 0.9
"""Mass of the equal-tailed intervals of the table."""

_TERMS = ("overlap", "lateral", "unaccounted")
_SIGNS = {"overlap": -1.0, "lateral": 1.0, "unaccounted": 1.0}
_TABLE = "Table 4"
_UNITS = {"units": UNIT}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EcosystemBudget(Result):
    """A `Result` with the labelled posterior behind it.

    Parameters
    ----------
    tree : DataTree
        ``posterior`` (chain, draw): sink, offset and error by ecosystem; overlap, lateral,
        unaccounted, net and net_error. ``exact``: mean (term) and covariance (term, term_other).
        ``constant_data``: stated, stated_sd, offset_prior and offset_prior_sd by ecosystem;
        stated_net, stated_net_sd. GtC/yr.
    """

    tree: xr.DataTree = field(default_factory=xr.DataTree)


def reconcile_ecosystems(
    observations: pd.DataFrame | None = None,
    *,
    land: str | tuple[float, float] | xr.DataTree = "table",
    rng: random.RandomSource = None,
    draws: int = 4000,
) -> EcosystemBudget:
    """Reconcile the net sinks of ecosystems with land minus land-use emissions.

    Parameters
    ----------
    observations : DataFrame, optional
        Rows of the observation schema, one per ecosystem with a value; default the global net sinks
        of Table 4. Ecosystems without a value belong to the unaccounted term.
    land : {"table", "text"}, (mean, sd) or DataTree
        Land minus land-use emissions, GtC/yr: from Table 2 (default), from the review's text, given,
        or from a reconciled budget; of windows the latest complete decade.
    rng : int, Generator or None
    draws : int

    Returns
    -------
    EcosystemBudget
        In every draw ``sum of stated - stated_net = sum of offset + sum of error + overlap - lateral -
        unaccounted - net_error`` and ``net = sum of sink - overlap + lateral + unaccounted``. The
        table has one row per term: term, ecosystem, stated, prior_mean, prior_sd, mean, sd, low,
        high, part_of_gap (GtC/yr; they add up to the gap), share_of_gap, unit, interval_kind,
        interval_mass.

    Raises
    ------
    InputError
        Everything wrong with the rows or the arguments.

    Examples
    --------
    >>> result = reconcile_ecosystems(rng=1, draws=10)
    >>> print(result.sentence.partition(";")[0])
    The stated sinks of 4 ecosystems sum to 2.41 GtC/yr, land minus land_use is stated as 2.10 +- 1.14
    """
    check_count(draws, key="draws", most=MOST_DRAWS)
    hyper = load_hyper()
    rows = _stated(observations, hyper)
    net, net_sd, source = _net(land)
    model = _Model.of(rows, hyper, net, net_sd)
    mean, covariance = model.posterior()
    generator = random.generator(int(rng) if isinstance(rng, np.integer) else rng)
    tree = _tree(model, mean, covariance, generator, int(draws))
    tree.attrs.update({"model": "ecosystems", "net_from": source, "units": UNIT})
    table = _table(model, mean, covariance)
    return EcosystemBudget(
        name="ecosystems",
        table=table,
        sentence=_sentence(model, table, mean, covariance),
        provenance={"net_from": source, "rows": rows["locator"].tolist(), "priors": "priors/budget.csv"},
        tree=tree,
    )


def _stated(observations: pd.DataFrame | None, hyper: Hyper) -> pd.DataFrame:
    """Return component, value, sd and locator of the stated sinks, GtC/yr."""
    if observations is None:
        library = load_observations("ecosystems")
        chosen = (library["geography"] == "global") & library["locator"].str.startswith(_TABLE)
        observations = library[chosen & library["value"].notna()]
    frame = as_frame(observations)
    found = Problems(file=str(frame.attrs.get("path") or "") or None)
    frame = as_numbers(frame, found)
    components = load_table("components")
    known = components.loc[components["role"] == "ecosystem", "component"].tolist()
    family, share, least = hyper.row("ecosystem_sd")
    if family != "relative":
        raise InputError(
            Problem("the sd of an ecosystem is a share of its value", got=family, allowed="relative")
        )
    out, seen = [], dict[str, int]()
    for record in records(frame):
        name, line = record["component"], int(record["row"])
        if name not in known:
            found.add("not an ecosystem", got=name, allowed=known, row=line, key="component")
            continue
        if not np.isfinite([record["value"], record["low"], record["high"]]).any():
            continue
        if name in seen:
            hint = "keep one statement per ecosystem: several definitions of one sink cannot be summed"
            found.add(
                f"several rows of {name}", got=f"row {seen[name]} too", row=line, key="component", hint=hint
            )
            continue
        seen[name] = line
        window, factor = window_of(record, found), factor_of(record, found)
        if np.isnan(record["sd"]) and not np.isfinite([record["low"], record["high"]]).all() and factor:
            record["sd"] = max(share * abs(record["value"]), least / factor)
        value, sd = value_and_sd_of(record, window, found)
        if value is not None and sd is not None and factor is not None:
            out.append((name, value * factor, sd * factor, record["locator"] or record["source"]))
    if not out and not found:
        found.add("no ecosystem states a net sink", allowed="rows with a value, or low and high")
    if len(set(frame["geography"])) > 1:
        found.add(
            "rows of several geographies", got=", ".join(sorted(set(frame["geography"]))), key="geography"
        )
    found.raise_if_any()
    return pd.DataFrame(out, columns=["component", "value", "sd", "locator"])


def _net(land: str | tuple[float, float] | xr.DataTree) -> tuple[float, float, str]:
    """Return mean and sd of land minus land_use, and where they come from."""
    if isinstance(land, xr.DataTree):
        flux = group(land, "posterior")["window_flux"]
        window = reference_window([str(label) for label in flux["window"].to_numpy()])
        chosen = flux.sel(window=window)
        difference = chosen.sel(component="land") - chosen.sel(component="land_use")
        return float(difference.mean()), float(difference.std(ddof=1)), f"reconciled budget, {window}"
    if isinstance(land, str):
        return _library_net(land)
    sound = isinstance(land, Sequence) and len(land) == 2 and all(_is_number(number) for number in land)
    mean, sd = (float(number) for number in land) if sound else (np.nan, np.nan)
    if not (np.isfinite(mean) and 0 < sd < np.inf):
        allowed = "(mean, sd) with sd above 0, GtC/yr"
        raise InputError(
            Problem("land minus land_use needs a mean and an sd", got=land, allowed=allowed, key="land")
        )
    return mean, sd, "given"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _library_net(name: str) -> tuple[float, float, str]:
    if name == "table":
        table = load_observations("global")
        decade = table[table["end"] - table["start"] == 9]
        latest = decade[decade["start"] == decade["start"].max()].set_index("component")
        value, sd = latest["value"], latest["sd"]
        mean = float(value["land"] - value["land_use"])
        return mean, float(np.hypot(sd["land"], sd["land_use"])), str(latest["locator"].iloc[0])
    if name == "text":
        table = load_observations("ecosystems")
        text = table[
            (table["component"] == "terrestrial") & (table["geography"] == "global") & table["sd"].notna()
        ]
        row = records(text[text["end"] == text["end"].max()])[0]
        scale = units.factor(row["unit"], UNIT)
        return row["value"] * scale, row["sd"] * scale, f"{row['source']}, {row['locator']}"
    raise InputError(
        Problem("unknown land minus land_use", got=name, allowed=("table", "text"), key="land",
                hint="or give (mean, sd), or a reconciled budget")
    )  # fmt: skip


@dataclass(frozen=True)
class _Model:
    """Latent terms z ~ N(prior_mean, diag(prior_sd^2)) seen as y = matrix z + noise."""

    names: tuple[str, ...]
    stated: Floats
    stated_sd: Floats
    net: float
    net_sd: float
    prior_mean: Floats
    prior_sd: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame, hyper: Hyper, net: float, net_sd: float) -> _Model:
        names = tuple(rows["component"])
        level = [hyper.row("level")[1:]] * len(names)
        offsets = [hyper.row("ecosystem_offset", name)[1:] for name in names]
        terms = [hyper.row(f"ecosystem_{name}")[1:] for name in _TERMS]
        prior = np.array([*level, *offsets, *terms], dtype=float)
        values, sds = rows["value"].to_numpy(dtype=float), rows["sd"].to_numpy(dtype=float)
        return cls(names, values, sds, net, net_sd, prior[:, 0], prior[:, 1])

    @property
    def labels(self) -> list[str]:
        return [*(f"sink {n}" for n in self.names), *(f"offset {n}" for n in self.names), *_TERMS]

    @property
    def to_net(self) -> Floats:
        """Weights of the latent terms in land minus land_use."""
        count = len(self.names)
        return np.concatenate([np.ones(count), np.zeros(count), [_SIGNS[name] for name in _TERMS]])

    @property
    def matrix(self) -> Floats:
        count = len(self.names)
        stated = np.hstack([np.eye(count), np.eye(count), np.zeros((count, len(_TERMS)))])
        return np.vstack([stated, self.to_net])

    def posterior(self) -> tuple[Floats, Floats]:
        """Return the exact posterior mean and covariance of the latent terms."""
        h, prior = self.matrix, np.diag(self.prior_sd**2)
        y = np.append(self.stated, self.net)
        noise = np.diag(np.append(self.stated_sd, self.net_sd) ** 2)
        gain = np.linalg.solve(h @ prior @ h.T + noise, h @ prior).T
        left = np.eye(len(prior)) - gain @ h
        # Joseph's form keeps the covariance symmetric and positive.
        return self.prior_mean + gain @ (
            y - h @ self.prior_mean
        ), left @ prior @ left.T + gain @ noise @ gain.T


def _tree(
    model: _Model, mean: Floats, covariance: Floats, generator: np.random.Generator, draws: int
) -> xr.DataTree:
    count = len(model.names)
    root = np.linalg.cholesky(covariance)
    z = mean + generator.standard_normal((1, draws, len(mean))) @ root.T
    sink, offset = z[..., :count], z[..., count : 2 * count]
    extra = {name: z[..., 2 * count + place] for place, name in enumerate(_TERMS)}
    # Derived last, so that both identities hold in every draw.
    net = sink.sum(axis=-1) - extra["overlap"] + extra["lateral"] + extra["unaccounted"]
    by_name, alone = ("chain", "draw", "ecosystem"), ("chain", "draw")
    variables: dict[str, Any] = {
        "sink": (by_name, sink, _UNITS),
        "offset": (by_name, offset, _UNITS),
        "error": (by_name, model.stated - sink - offset, _UNITS),
        **{name: (alone, values, _UNITS) for name, values in extra.items()},
        "net": (alone, net, _UNITS),
        "net_error": (alone, model.net - net, _UNITS),
    }
    ecosystem = {"ecosystem": list(model.names)}
    terms = model.labels
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(variables, {"chain": [0], "draw": np.arange(draws), **ecosystem}),
            "exact": xr.Dataset(
                {
                    "mean": ("term", mean, _UNITS),
                    "covariance": (("term", "term_other"), covariance, {"units": f"({UNIT})^2"}),
                },
                {"term": terms, "term_other": terms},
            ),
            "constant_data": xr.Dataset(
                {
                    "stated": ("ecosystem", model.stated, _UNITS),
                    "stated_sd": ("ecosystem", model.stated_sd, _UNITS),
                    "offset_prior": ("ecosystem", model.prior_mean[count : 2 * count], _UNITS),
                    "offset_prior_sd": ("ecosystem", model.prior_sd[count : 2 * count], _UNITS),
                    "stated_net": ((), model.net, _UNITS),
                    "stated_net_sd": ((), model.net_sd, _UNITS),
                },
                ecosystem,
            ),
        }
    )


def _table(model: _Model, mean: Floats, covariance: Floats) -> pd.DataFrame:
    """One row per term: prior, posterior, and its share of the gap between the stated sums."""
    from scipy.special import ndtri

    count, size = len(model.names), len(mean)
    gap = float(model.stated.sum() - model.net)
    # Linear maps of the latent terms: the terms themselves, the errors, net and its error.
    errors = -model.matrix
    maps = np.vstack([np.eye(size), errors[:count], model.to_net, errors[count]])
    shift = np.concatenate([np.zeros(size), model.stated, [0.0, model.net]])
    posterior, sd = shift + maps @ mean, np.sqrt(np.einsum("ij,jk,ik->i", maps, covariance, maps))
    prior_mean = np.concatenate([model.prior_mean, np.zeros(count), [model.to_net @ model.prior_mean, 0.0]])
    prior_net = float(np.sqrt(model.to_net**2 @ model.prior_sd**2))
    prior_sd = np.concatenate([model.prior_sd, model.stated_sd, [prior_net, model.net_sd]])
    sign = np.concatenate(
        [np.full(count, np.nan), np.ones(count), [-_SIGNS[n] for n in _TERMS], np.ones(count), [np.nan, -1.0]]
    )
    term = ["sink"] * count + ["offset"] * count + [*_TERMS] + ["error"] * count + ["net", "net_error"]
    blank = [""] * len(_TERMS)
    half = float(ndtri((1 + LEVEL) / 2)) * sd
    stated = np.full(len(term), np.nan)
    stated[:count], stated[-2] = model.stated, model.net
    return pd.DataFrame(
        {
            "term": term,
            "ecosystem": [*model.names, *model.names, *blank, *model.names, "", ""],
            "stated": stated,
            "prior_mean": prior_mean,
            "prior_sd": prior_sd,
            "mean": posterior,
            "sd": sd,
            "low": posterior - half,
            "high": posterior + half,
            "part_of_gap": sign * posterior,
            "share_of_gap": sign * posterior / gap if abs(gap) > 0 else np.full(len(term), np.nan),
            "unit": UNIT,
            "interval_kind": "equal-tailed",
            "interval_mass": LEVEL,
        }
    )


def _sentence(model: _Model, table: pd.DataFrame, mean: Floats, covariance: Floats) -> str:
    total = float(model.stated.sum())
    weights = model.to_net
    net, sd = float(weights @ mean), float(np.sqrt(weights @ covariance @ weights))
    parts = table.groupby("term", sort=False)["part_of_gap"].sum()
    named = ", ".join(
        f"{words} {parts[name]:+.2f}"
        for name, words in (
            ("offset", "definitions"), ("error", "stated errors"), ("overlap", "overlap"),
            ("lateral", "lateral export"), ("unaccounted", "what no ecosystem states"),
            ("net_error", "the error of the net sink itself"),
        )
    )  # fmt: skip
    return (
        f"The stated sinks of {len(model.names)} ecosystems sum to {total:.2f} {UNIT}, land minus land_use "
        f"is stated as {model.net:.2f} +- {model.net_sd:.2f}; reconciled it is {net:.2f} +- {sd:.2f}, and "
        f"the gap of {total - model.net:+.2f} falls to {named}, by priors more than by data: one sum cannot "
        "tell its parts apart"
    )
