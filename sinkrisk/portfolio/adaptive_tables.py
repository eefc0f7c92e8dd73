"""What came of adapting, as tables and a sentence: policies, decisions, triggers, flows between candidates"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sinkrisk.portfolio import pairing
from sinkrisk.portfolio.policies import POLICIES, Followed, Game, number
from sinkrisk.portfolio.triggering import Trigger

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MONEY = "billion USD"
ALL = "all"

MOST_REFUSED = 0.5
"""Share of later decisions refused from which on a policy is the fixed plan by default, and its gain none."""


class HalfLike(Protocol):
    """What was chosen on one half of the draws and happened on the other (`adapting.Half`)."""

    @property
    def test(self) -> Ints: ...
    @property
    def followed(self) -> Mapping[str, Followed]: ...
    @property
    def triggers(self) -> Sequence[Trigger | None]: ...


@dataclass(frozen=True)
class Frame:
    """Names and settings that all tables share.

    Parameters
    ----------
    names, periods : sequence of str
        Of the candidates and the periods.
    signals, signal_units : sequence of str
    level, tail : float
        Mass of the intervals, and level of the CVaR.
    replicates : int
    """

    names: Sequence[str]
    periods: Sequence[str]
    signals: Sequence[str]
    signal_units: Sequence[str]
    level: float = 0.9
    tail: float = 0.95
    replicates: int = pairing.REPLICATES

    @property
    def interval(self) -> dict[str, Any]:
        """The columns that say what kind of interval a row holds that rests on one half alone."""
        return {"interval_kind": pairing.INTERVAL, "interval_mass": self.level}


def policy_table(values: Floats, probability: Floats, resamples: Floats, frame: Frame) -> pd.DataFrame:
    """Return one row per policy: its value, and what it adds to the fixed course in the same draws.

    Parameters
    ----------
    values : ndarray, (draw, policy)
        In the order of `POLICIES`.
    probability : ndarray, (draw,)
    resamples : ndarray, (replicate, draw)
        From `pairing.resampled`: the same for all policies, so that differences are paired.
    frame : Frame
    """
    import pandas as pd

    once = np.ones((1, len(values)))
    fixed = POLICIES.index("fixed")
    tails = [
        pairing.tail_replicates(values[:, p], probability, resamples, frame.tail)
        for p in range(len(POLICIES))
    ]
    worst = [
        float(pairing.tail_replicates(values[:, p], probability, once, frame.tail)[0])
        for p in range(len(POLICIES))
    ]
    rows = []
    for p, policy in enumerate(POLICIES):
        gain = values[:, p] - values[:, fixed]
        mean, gained = (float(pairing.mean_replicates(x, probability, once)[0]) for x in (values[:, p], gain))
        low, high = _bounds(pairing.mean_replicates(values[:, p], probability, resamples), mean, frame)
        gain_low, gain_high = _bounds(pairing.mean_replicates(gain, probability, resamples), gained, frame)
        tail_gain = worst[p] - worst[fixed]
        tail_low, tail_high = _bounds(tails[p] - tails[fixed], tail_gain, frame)
        rows.append(
            {
                "policy": policy,
                "mean": mean,
                "low": low,
                "high": high,
                "cvar": worst[p],
                "gain": gained,
                "gain_low": gain_low,
                "gain_high": gain_high,
                "cvar_gain": tail_gain,
                "cvar_gain_low": tail_low,
                "cvar_gain_high": tail_high,
                "draws": len(values),
                "unit": MONEY,
                "interval_kind": pairing.WIDENED,
                "interval_mass": frame.level,
                "tail_mass": 1.0 - frame.tail,
            }
        )
    return pd.DataFrame(rows)


def _bounds(replicates: Floats, value: float, frame: Frame) -> tuple[float, float]:
    """Return the bounds of what both halves of the draws, each choosing for the other, come to."""
    return pairing.bounds(pairing.widened(replicates, value), frame.level)


def course_table(both: Sequence[HalfLike], probability: Floats, frame: Frame) -> pd.DataFrame:
    """Return the fixed course of each half, and how often the rolling policy does the same."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for h, one in enumerate(both):
        fixed, rolling = (one.followed[p].course for p in ("fixed", "rolling"))
        weight = probability[one.test] / probability[one.test].sum()
        rows.extend(
            {
                "half": h + 1,
                "period": period,
                "candidate": frame.names[fixed[0, q]],
                "probability_same": float(weight @ (rolling[:, q] == fixed[:, q])),
            }
            for q, period in enumerate(frame.periods)
        )
    return pd.DataFrame(rows)


def decision_table(both: Sequence[HalfLike], probability: Floats, frame: Frame) -> pd.DataFrame:
    """Return how well founded the decisions of each period were, and how often they left the fixed course."""
    import pandas as pd

    weight = np.concatenate([probability[one.test] for one in both])
    weight = weight / weight.sum()
    fixed = np.concatenate([one.followed["fixed"].course for one in both])
    rows: list[dict[str, Any]] = []
    for policy in ("greedy", "rolling"):
        followed = [one.followed[policy] for one in both]
        course = np.concatenate([f.course for f in followed])
        size = np.concatenate([f.size for f in followed])
        refused = np.concatenate([f.refused for f in followed])
        for q, period in enumerate(frame.periods):
            made = np.isfinite(size[:, q]).any()
            rows.append(
                {
                    "policy": policy,
                    "period": period,
                    "ess": _median(size[:, q], weight) if made else np.nan,
                    "refused": float(weight @ refused[:, q]),
                    "departs": float(weight @ (course[:, q] != fixed[:, q])),
                }
            )
    return pd.DataFrame(rows)


def _median(x: Floats, weight: Floats) -> float:
    """Return the weighted median: that of the draws repeated in proportion to their weights."""
    order = np.argsort(x, kind="stable")
    reached = np.cumsum(weight[order])
    # Where the weights split in halves, up to rounding, it lies midway between the two in the middle.
    low = int(np.searchsorted(reached, 0.5 - 1e-12))
    high = int(np.searchsorted(reached, 0.5 + 1e-12))
    return float(0.5 * (x[order[low]] + x[order[min(high, len(x) - 1)]]))


def flow_table(both: Sequence[HalfLike], probability: Floats, frame: Frame) -> pd.DataFrame:
    """Return which share of draws goes from which candidate to which, by policy and period."""
    import pandas as pd

    weight = np.concatenate([probability[one.test] for one in both])
    weight = weight / weight.sum()
    rows: list[dict[str, Any]] = []
    for policy in POLICIES:
        course = np.concatenate([one.followed[policy].course for one in both])
        for q in range(len(frame.periods) - 1):
            pairs, where = np.unique(course[:, q : q + 2], axis=0, return_inverse=True)
            shares = np.bincount(where.ravel(), weights=weight)
            rows.extend(
                {
                    "policy": policy,
                    "period": frame.periods[q],
                    "next_period": frame.periods[q + 1],
                    "from": frame.names[a],
                    "to": frame.names[b],
                    "share": float(share),
                }
                for (a, b), share in zip(pairs, shares, strict=True)
            )
    return pd.DataFrame(rows)


def trigger_table(
    game: Game, both: Sequence[HalfLike], frame: Frame, rng: np.random.Generator
) -> pd.DataFrame:
    """Return every trigger with its value on the half it was not found on.

    Parameters
    ----------
    game : Game
    both : sequence of Half
    frame : Frame
    rng : Generator
        For the bootstrap.

    Returns
    -------
    DataFrame
        See `adapting.AdaptResult`. Whether a rule is kept is read from the same draws as its value: the
        values of kept rules alone are too good; the rows ``all``, which follow every rule, are not.
    """
    import pandas as pd

    values = game.value()
    rows: list[dict[str, Any]] = []
    for h, one in enumerate(both):
        fixed = one.followed["fixed"].course[0]
        resamples = pairing.resampled(len(one.test), frame.replicates, rng)
        weight = game.probability[one.test]
        stay = values[one.test, int(number(fixed, game.candidates))]
        reached, gone = stay.copy(), np.zeros(len(one.test), dtype=bool)
        for q, rule in enumerate(one.triggers, start=1):
            if rule is None:
                continue
            done = int(number(fixed[:q], game.candidates))
            fires = rule.fires(game.read[q - 1][one.test, done])
            course = np.append(fixed[:q], np.full(game.periods - q, rule.to))
            switched = values[one.test, int(number(course, game.candidates))]
            rows.append(
                {
                    "half": h + 1,
                    "period": frame.periods[q],
                    "from": frame.names[fixed[q]],
                    "to": frame.names[rule.to],
                    "signal": frame.signals[rule.signal],
                    "side": "below" if rule.below else "above",
                    "threshold": rule.threshold,
                    "signal_unit": frame.signal_units[rule.signal],
                    **_worth(np.where(fires, switched - stay, 0.0), fires, weight, resamples, frame),
                }
            )
            # Whoever has switched is off the course that later rules speak of.
            reached = np.where(fires & ~gone, switched, reached)
            gone |= fires
        text = {"from": "", "to": "", "signal": "", "side": "", "threshold": np.nan, "signal_unit": ""}
        rows.append(
            {
                "half": h + 1,
                "period": ALL,
                **text,
                **_worth(reached - stay, gone, weight, resamples, frame),
            }
        )
    return pd.DataFrame(rows)


def _worth(
    gain: Floats, fires: NDArray[np.bool_], weight: Floats, resamples: Floats, frame: Frame
) -> dict[str, Any]:
    once = np.ones((1, len(gain)))
    low, high = pairing.bounds(pairing.mean_replicates(gain, weight, resamples), frame.level)
    return {
        "share": float(weight @ fires / weight.sum()),
        "value": float(pairing.mean_replicates(gain, weight, once)[0]),
        "low": low,
        "high": high,
        "kept": low > 0.0,
        "unit": MONEY,
        **frame.interval,
    }


def adaptive_sentence(
    table: pd.DataFrame, decisions: pd.DataFrame, triggers: pd.DataFrame, frame: Frame
) -> str:
    """Return what the tables say, in a few sentences."""
    by = table.set_index("policy")
    row, perfect = by.loc["rolling"], by.loc["perfect"]
    interval = f"{100.0 * frame.level:g} % {pairing.WIDENED} interval, paired"
    verdict = (
        "adds" if row["gain_low"] > 0.0 else "loses" if row["gain_high"] < 0.0 else "does not clearly add"
    )
    later = decisions[decisions["ess"].notna()].groupby("policy")["refused"].mean()
    refused = float(later.get("rolling", 0.0))
    resting = (
        f"{refused:.0%} of its later decisions rest on too few effective draws and keep to the fixed plan"
    )
    greedy = by.loc["greedy"]
    changed = (
        f"The greedy policy changes it by {greedy['gain']:.3g} ({greedy['gain_low']:.3g} to "
        f"{greedy['gain_high']:.3g}). "
    )
    if refused > MOST_REFUSED:
        # It hardly ever decided anything: a gain of nought with a narrow interval would say it had.
        return (
            "What deciding again each period adds to the best fixed plan is not estimable from these draws: "
            f"{resting}. Perfect information would add {perfect['gain']:.3g} {MONEY}. "
        ) + _triggers_said(triggers, frame)
    text = (
        f"Deciding again each period {verdict} to the best fixed plan: {row['gain']:.3g} {MONEY} "
        f"({row['gain_low']:.3g} to {row['gain_high']:.3g}, {interval}), of {perfect['gain']:.3g} that "
        f"perfect information would add; the mean of the worst {100.0 * row['tail_mass']:.3g} % of draws "
        f"changes by {row['cvar_gain']:.3g} ({row['cvar_gain_low']:.3g} to {row['cvar_gain_high']:.3g}). "
    )
    if float(later.get("greedy", 0.0)) <= MOST_REFUSED:
        text += changed
    return text + f"{resting}. " + _triggers_said(triggers, frame)


def _triggers_said(triggers: pd.DataFrame, frame: Frame) -> str:
    rules = triggers[triggers["period"] != ALL]
    kept = rules[rules["kept"].astype(bool)]
    if rules.empty:
        return "No threshold helps, on any signal in any period."
    # Either half looks for a rule for every period but the first.
    sought = triggers["half"].nunique() * (len(frame.periods) - 1)
    helpless = sought - len(rules)
    none = f" In {helpless} of {sought} searches no threshold helps." if helpless > 0 else ""
    if kept.empty:
        return "No trigger holds on draws it was not found on." + none
    best = kept[kept["value"] == kept["value"].max()].iloc[0]
    unit = "" if best["signal_unit"] == "1" else f" {best['signal_unit']}"
    return (
        f"{len(kept)} of {len(rules)} triggers hold on draws they were not found on; the best: in "
        f"{best['period']} switch from {best['from']} to {best['to']} where {best['signal']} lies "
        f"{best['side']} {best['threshold']:.3g}{unit} ({best['share']:.0%} of draws; {best['value']:.3g} "
        f"{MONEY}, {best['low']:.3g} to {best['high']:.3g})." + none
    )
