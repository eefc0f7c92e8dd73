"""Early warning: how soon and how surely monitoring tells that a plan will miss its target"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problems
from sinkrisk.portfolio import composing, policies, scoring
from sinkrisk.portfolio.forms import DRAWN, checked, find_sample_problem, find_weight_problem
from sinkrisk.portfolio.labels import validated
from sinkrisk.portfolio.signalling import NEEDED, Signal, find_signals, signal_values
from sinkrisk.portfolio.specification import TargetSpec, make_target
from sinkrisk.portfolio.weighing import read_signals
from sinkrisk.results import Result

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_EVENTS = 10
"""Fewest draws of either kind in a half: with fewer there is nothing to learn a warning from."""

BINS = 10
INTERVAL = "logit-normal (DeLong)"


@dataclass(frozen=True)
class WarningResult(Result):
    """How well a miss is foretold; `table` has one row per portfolio and period.

    Parameters
    ----------
    table : DataFrame
        portfolio, period (whose end the warning is given at), year (of that end), draws, base_rate
        (share of draws that miss the target), auc, low, high, brier_skill (against the base rate),
        alarm_level (risk), hit_rate and false_alarms (share of misses, and of the rest, whose risk is
        above the level at this period), auc_no_error (area of the same regression on the signals
        themselves: what monitoring's errors cost), interval_kind, interval_mass. NaN where misses, or
        draws that meet the target, are too few to learn from.
    leads : DataFrame
        One row per portfolio: portfolio, false_alarm_rate (asked for), false_alarms and hit_rate
        (held out, at any period), lead_time (mean years from the first alarm to the target year, of the
        misses that had one), lead_low and lead_high (equal-tailed, of the given level),
        lead_mass, target_year.
    calibration : DataFrame
        portfolio, period, draws, predicted, observed, low, high, interval_kind, interval_mass.
    risks : DataArray, (sample, portfolio, period)
        Held-out risk of every draw.
    """

    leads: pd.DataFrame = field(default_factory=lambda: _frame())
    calibration: pd.DataFrame = field(default_factory=lambda: _frame())
    risks: xr.DataArray = field(default_factory=xr.DataArray)


def _frame() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


@dataclass(frozen=True)
class Foretold:
    """Held-out risks of one plan.

    Parameters
    ----------
    risks : ndarray, (draw, time)
    alarms : ndarray of bool, (draw, time)
    levels : ndarray, (half, time)
    base : ndarray, (draw,)
        Share of events in the half that a draw's risk was learned on.
    halves : tuple of ndarray of int
        Draws evaluated on, by half.
    """

    risks: Floats
    alarms: Bools
    levels: Floats
    base: Floats
    halves: tuple[NDArray[np.int64], NDArray[np.int64]]


@checked(drawn=Holding(variables=("potential", "class", "suitability_share"), dims=("sample",), origin=DRAWN))
def early_warning(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    *,
    target: TargetSpec | Mapping[str, Any],
    signals: Sequence[str] | None = None,
    noise: Mapping[str, float] | None = None,
    network: xr.DataArray | None = None,
    false_alarm_rate: float = 0.1,
    ridge: float = 1.0,
    level: float = 0.9,
    rng: random.RandomSource = None,
) -> WarningResult:
    """Say how early monitoring tells that the target will be missed.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``), 200 or more.
    portfolios : Dataset
        Plans (`plan`), one or more.
    target : TargetSpec or mapping
        The event is that its shortfall is above 0.
    signals, noise, network
        As for `adapt`.
    false_alarm_rate : float
        Share of the draws that meet the target which may have an alarm at any time.
    ridge : float
        See `scoring.fit_logistic`.
    level : float
        Mass of the intervals: of the area under the curve, of the lead time and of the calibration.
    rng : int, Generator or None
        Splits the draws and errs for monitoring.

    Returns
    -------
    WarningResult
        ``plots.adaptive.plot_early_warning(result.table, result.calibration)`` is its picture.

    Raises
    ------
    InputError
        Everything wrong with the arguments, at once, before anything is simulated.

    Notes
    -----
    A ridge logistic regression on the readings of all periods until one, learned on half of the draws and
    scored on the other, then the halves change places; the area is the mean of both halves', its
    interval normal on the scale of log odds with DeLong's standard errors (`scoring.area_interval`).
    The alarm level is chosen on the learning half. Every draw counts alike, so draws of unequal
    probability are refused.

    The regression finds what there is to find in the readings. Of four plans of the world (phased,
    nature_foundation, engineered_first, balanced; 60 GtCO2 by 2100, 8192 draws, default signals, standard
    errors 0.01) the areas by 2050 are

    - 0.53, 0.63, 0.57 and 0.58 by this regression;
    - 0.53, 0.62, 0.58 and 0.58 by the exact posterior, draws weighted by the likelihood of the readings;
    - 0.67, 0.79, 0.69 and 0.76 by this regression on signals read without error;
    - 0.87, 0.87, 0.80 and 0.83 by an oracle that knows every driver until 2050 (boosted trees);
    - 0.82, 0.87, 0.83 and 0.84 by one that sees nothing but the deployment modes after 2050;
    - 0.95, 0.93, 0.90 and 0.91 by one that knows both.

    Most is lost to monitoring: removal is read to 0.1 of what was planned, while before 2050 no more than
    0.004 to 0.12 of it is removed on average. Read to a tenth of itself it would give 0.66, 0.78, 0.68 and
    0.76. Then comes what is not there to be seen before 2050.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 256, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> target = {"net_removal": 100, "unit": "GtCO2", "year": 2100}
    >>> warned = early_warning(drawn, plans, target=target, rng=1)
    >>> seen = warned.table.set_index("period")["auc"]  # 0.5 tells nothing, 1 tells all
    >>> bool(0.5 < seen["near_term"] < seen["mid_term"] <= 1.0)
    True
    """
    goal = make_target(target)
    found = Problems()
    composing.check_setting(drawn, portfolios, goal, periods=2, found=found)
    find_sample_problem(found, {"drawn": drawn} | ({} if network is None else {"network": network}))
    find_weight_problem(found, drawn)
    if "planned" in portfolios:
        try:
            validated(drawn, portfolios)
        except InputError as error:
            found.extend(error.problems)
    if not 0.0 < false_alarm_rate < 1.0:
        found.add("false_alarm_rate outside its range", got=false_alarm_rate, allowed="0 < rate < 1")
    if not ridge > 0.0:
        found.add("ridge must be positive", got=ridge, key="ridge")
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    _check_weights(drawn, found)
    timed = "period_start" in drawn.variables
    chosen = find_signals(signals, drawn, network, noise, found) if timed else []
    times = _times(drawn, goal) if timed else 0
    if timed and not times:
        found.add("no period ends before the target year", got=goal.year, key="target.year")
    found.raise_if_any()
    seed = random.seed_of(rng)
    read, truth, short = _watched(drawn, portfolios, goal, chosen, network, random.stream(seed, "monitoring"))
    both = policies.halves(len(short), random.stream(seed, "halves"))
    ends = (drawn["period_start"].values + drawn["period_length"].values)[:times]
    labels = [str(v) for v in drawn["period"].values[:times]]
    names = [str(v) for v in portfolios["portfolio"].values]
    rows: list[dict[str, Any]] = []
    leads: list[dict[str, Any]] = []
    bins: list[dict[str, Any]] = []
    risks = []
    for f, name in enumerate(names):
        event = short[:, f] > 0.0
        told, exact = (
            foretell([r[:, f] for r in seen[:times]], event, both, false_alarm_rate, ridge)
            for seen in (read, truth)
        )
        risks.append(told.risks if told else np.full((len(event), times), np.nan))
        rows.extend(
            {"portfolio": name, "period": p, "year": int(e), **scores, "auc_no_error": unerring["auc"],
             "interval_kind": INTERVAL, "interval_mass": level}
            for p, e, scores, unerring in zip(
                labels, ends, _scores(told, event, times, level), _scores(exact, event, times, level),
                strict=True,
            )
        )  # fmt: skip
        leads.append({"portfolio": name, "false_alarm_rate": false_alarm_rate,
                      **_lead(told, event, ends, goal.year, level), "lead_mass": level,
                      "target_year": goal.year})  # fmt: skip
        bins.extend({"portfolio": name, **row} for row in _bins(told, event, labels, level))
    import pandas as pd

    table, lead = pd.DataFrame(rows), pd.DataFrame(leads)
    return WarningResult(
        name="early_warning",
        table=table,
        sentence=warning_sentence(table, lead),
        provenance={
            "target": f"{goal.net_removal:g} {goal.unit} durable by {goal.year}",
            "signals": {s.name: s.noise.size for s in chosen},
            "ridge": ridge,
            "draws": len(short),
            "seed": seed,
        },
        leads=lead,
        calibration=pd.DataFrame(bins, columns=["portfolio", *_BIN_COLUMNS]),
        risks=xr.DataArray(
            np.stack(risks, axis=1),
            dims=("sample", "portfolio", "period"),
            coords={"sample": drawn["sample"].values, "portfolio": names, "period": labels},
            name="risk",
            attrs={"units": "1", "long_name": "risk that the target is missed, held out"},
        ),
    )


def foretell(
    read: Sequence[Floats],
    event: Bools,
    both: tuple[NDArray[np.int64], NDArray[np.int64]],
    rate: float,
    ridge: float,
) -> Foretold | None:
    """Learn on each half what the readings so far say of the event, and say it of the other half.

    Parameters
    ----------
    read : sequence of ndarray, (draw, signal)
        One per time.
    event : ndarray of bool, (draw,)
    both : tuple of ndarray of int
        Two halves of the draws.
    rate : float
        Of false alarms, see `scoring.alarm_levels`.
    ridge : float

    Returns
    -------
    Foretold or None
        None where either half has fewer than `LEAST_EVENTS` draws with or without the event.
    """
    if any(min(event[h].sum(), (~event[h]).sum()) < LEAST_EVENTS for h in both):
        return None
    risks = np.empty((len(event), len(read)))
    alarms = np.zeros(risks.shape, dtype=bool)
    levels, base = np.empty((2, len(read))), np.empty(len(event))
    for h, (train, test) in enumerate(((both[1], both[0]), (both[0], both[1]))):
        own = np.empty((len(train), len(read)))
        for q in range(len(read)):
            seen = np.concatenate(read[: q + 1], axis=1)
            model = scoring.fit_logistic(seen[train], event[train], ridge=ridge)
            own[:, q], risks[test, q] = model.risk(seen[train]), model.risk(seen[test])
        levels[h] = scoring.alarm_levels(own, event[train], rate)
        alarms[test] = risks[test] > levels[h]
        base[test] = event[train].mean()
    return Foretold(risks, alarms, levels, base, both)


def _check_weights(drawn: xr.Dataset, found: Problems) -> None:
    if "probability" not in drawn.variables:
        return
    weight = np.asarray(drawn["probability"].values, dtype=float)
    if np.ptp(weight) > 1e-9 * np.abs(weight).max():
        found.add(
            "early warning counts every draw alike, these differ in probability",
            got=f"{weight.min():.3g} to {weight.max():.3g}",
            allowed="equal probabilities",
            key="probability",
            hint="draw inputs of equal probability; copies of one draw would stand in both halves",
        )


def _times(drawn: xr.Dataset, goal: TargetSpec) -> int:
    """Return how many periods end before the target year and the horizon."""
    ends = drawn["period_start"].values + drawn["period_length"].values
    return int((ends[:-1] < goal.year).sum())


def _watched(
    drawn: xr.Dataset,
    portfolios: xr.Dataset,
    goal: TargetSpec,
    signals: Sequence[Signal],
    network: xr.DataArray | None,
    rng: np.random.Generator,
) -> tuple[list[Floats], list[Floats], Floats]:
    """Return readings and signals by period (draw, portfolio, signal), and shortfalls (draw, portfolio)."""
    from sinkrisk.portfolio.simulation import simulate

    wanted = tuple(dict.fromkeys((*NEEDED, *composing.VALUED)))
    outcomes = simulate(drawn, portfolios, variables=wanted)
    seen = signal_values(signals, outcomes, drawn, network)
    truth = [seen[:, :, q] for q in range(seen.shape[2])]
    read = read_signals(truth, [s.noise for s in signals], rng)
    return read, truth, composing.shortfall_of(outcomes, goal)


def _scores(told: Foretold | None, event: Bools, times: int, level: float) -> list[dict[str, Any]]:
    out = []
    for q in range(times):
        row = {"draws": len(event), "base_rate": float(event.mean())}
        names = ("auc", "low", "high", "brier_skill", "alarm_level", "hit_rate", "false_alarms")
        if told is None:
            out.append(row | dict.fromkeys(names, np.nan))
            continue
        each = [scoring.area_under_curve(told.risks[h, q], event[h]) for h in told.halves]
        rarer = [min(event[h].sum(), (~event[h]).sum()) for h in told.halves]
        found = (
            *scoring.area_interval([a for a, _ in each], [e for _, e in each], rarer, level),
            scoring.brier_skill(told.risks[:, q], event, told.base),
            float(told.levels[:, q].mean()),
            float(told.alarms[event, q].mean()),
            float(told.alarms[~event, q].mean()),
        )
        out.append(row | dict(zip(names, found, strict=True)))
    return out


def _lead(
    told: Foretold | None, event: Bools, ends: NDArray[Any], year: int, level: float
) -> dict[str, float]:
    names = ("false_alarms", "hit_rate", "lead_time", "lead_low", "lead_high")
    if told is None:
        return dict.fromkeys(names, np.nan)
    ever = told.alarms.any(axis=1)
    first = year - ends[told.alarms.argmax(axis=1)].astype(float)
    warned = first[event & ever]
    spread = (
        (warned.mean(), *np.quantile(warned, [0.5 - level / 2.0, 0.5 + level / 2.0]))
        if len(warned)
        else (np.nan,) * 3
    )
    return dict(zip(names, map(float, (ever[~event].mean(), ever[event].mean(), *spread)), strict=True))


_BIN_COLUMNS = (
    "period", "draws", "predicted", "observed", "low", "high", "interval_kind", "interval_mass",
)  # fmt: skip


def _bins(told: Foretold | None, event: Bools, labels: Sequence[str], level: float) -> list[dict[str, Any]]:
    if told is None:
        return []
    return [
        dict(zip(_BIN_COLUMNS, (label, int(row[0]), *row[1:], "Wilson", level), strict=True))
        for q, label in enumerate(labels)
        for row in scoring.calibration(told.risks[:, q], event, BINS, level)
    ]


def warning_sentence(table: pd.DataFrame, leads: pd.DataFrame) -> str:
    """Return what the tables say, in a few sentences."""
    known = table[table["auc"].notna()]
    silent = [p for p in dict.fromkeys(table["portfolio"]) if p not in set(known["portfolio"])]
    parts = []
    if not known.empty:
        last = known[known["period"] == known["period"].iloc[-1]]
        best = last.loc[last["auc"] == last["auc"].max()].iloc[0]
        early = known[known["portfolio"] == best["portfolio"]].iloc[0]
        lead = leads[leads["portfolio"] == best["portfolio"]].iloc[0]
        mass = f"{100.0 * best['interval_mass']:g} % {best['interval_kind']} interval"
        above = int((last["low"] > 0.5).sum())
        parts.append(
            f"By {best['year']} monitoring tells better than chance for {above} of {len(last)} portfolios "
            f"whether the target will be missed, best for {best['portfolio']}: area under the curve "
            f"{best['auc']:.2f} ({best['low']:.2f} to {best['high']:.2f}, {mass}; 0.5 is chance), by "
            f"{early['year']} {early['auc']:.2f}; if monitoring did not err it would be "
            f"{best['auc_no_error']:.2f} by {best['year']}; Brier skill against the base rate "
            f"{best['brier_skill']:.2g}. "
            f"It is missed in {best['base_rate']:.0%} of draws."
        )
        warned = (
            f", {lead['lead_time']:.0f} years before {int(lead['target_year'])} on average"
            if np.isfinite(lead["lead_time"])
            else ""
        )
        parts.append(
            f"At an alarm set for {lead['false_alarm_rate']:.0%} of false alarms ({lead['false_alarms']:.0%} "
            f"on held-out draws) {lead['hit_rate']:.0%} of its misses are announced{warned}."
        )
    if silent:
        rates = table.groupby("portfolio")["base_rate"].first()
        listed = ", ".join(f"{p} ({rates[p]:.0%} of draws miss it)" for p in silent)
        parts.append(f"Nothing to warn of, because the outcome is all but certain: {listed}.")
    return " ".join(parts)
