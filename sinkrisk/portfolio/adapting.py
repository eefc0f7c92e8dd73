"""Adaptive deployment: what it is worth to decide again each period on what monitoring shows

A fixed course, a greedy one, a rolling one and perfect information are compared out of sample: chosen on
one half of the draws, evaluated on the other, then the halves change places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.arguments import Holding
from sinkrisk.errors import Problems
from sinkrisk.portfolio import adaptive_tables as tables, composing, pairing, policies
from sinkrisk.portfolio.adaptive_checks import check_candidates, check_options
from sinkrisk.portfolio.forms import DRAWN, checked, find_sample_problem, find_weight_problem
from sinkrisk.portfolio.policies import POLICIES, Followed, Game, Objective, Rule
from sinkrisk.portfolio.signalling import find_signals
from sinkrisk.portfolio.specification import (
    DecisionSpec,
    TargetSpec,
    make_decision,
    make_target,
)
from sinkrisk.portfolio.triggering import Trigger, find_trigger
from sinkrisk.results import Result

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Half:
    """What was chosen on one half of the draws and happened on the other.

    Parameters
    ----------
    train, test : ndarray of int
        Draws chosen on, and draws evaluated on.
    followed : mapping of str to Followed
        By policy.
    triggers : sequence of Trigger or None
        One per period after the first; alternatives are the candidates.
    """

    train: Ints
    test: Ints
    followed: Mapping[str, Followed]
    triggers: Sequence[Trigger | None]


@dataclass(frozen=True)
class AdaptResult(Result):
    """Policies compared; `table` has one row per policy.

    Parameters
    ----------
    table : DataFrame
        policy, mean, low, high, cvar, gain, gain_low, gain_high (against the fixed course, in the same
        draws), cvar_gain, cvar_gain_low, cvar_gain_high, draws, unit, interval_kind, interval_mass,
        tail_mass. Intervals are widened, see `adapt`.
    courses : DataFrame
        The fixed course of each half: half, period, candidate, and ``probability_same``, the share of
        draws in which the rolling policy does the same.
    decisions : DataFrame
        policy, period, ess (median over draws by their probability, of Kish's size ``1 / sum w^2`` with w
        the probability times the likelihood of what was read), refused (share of decisions that fell back
        on the fixed course), departs (share of draws in which the choice differs from the fixed
        course's).
    triggers : DataFrame
        half, period, from, to, signal, side, threshold, signal_unit, share (of draws that switch),
        value, low, high, kept (low above nought), unit, interval_kind, interval_mass; the rows with
        period ``all`` follow all rules of a half, the first that fires. Values are of the half that the
        rule was not found on. No threshold lies where the signal itself never is; a period of a half
        in which no threshold helps has no row.
    flows : DataFrame
        policy, period, next_period, from, to, share: which share of draws goes from which candidate to
        which.
    draws : Dataset
        ``value`` (sample, policy), billion USD, and ``choice`` (sample, policy, period), the position
        of the candidate; coordinate ``half`` (sample), in which half a draw is.
    """

    courses: pd.DataFrame = field(default_factory=lambda: _frame())
    decisions: pd.DataFrame = field(default_factory=lambda: _frame())
    triggers: pd.DataFrame = field(default_factory=lambda: _frame())
    flows: pd.DataFrame = field(default_factory=lambda: _frame())
    draws: xr.Dataset = field(default_factory=xr.Dataset)


def _frame() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


@checked(drawn=Holding(variables=("potential", "class", "suitability_share"), dims=("sample",), origin=DRAWN))
def adapt(
    drawn: xr.Dataset,
    candidates: xr.Dataset,
    *,
    target: TargetSpec | Mapping[str, Any],
    decision: DecisionSpec | Mapping[str, Any],
    signals: Sequence[str] | None = None,
    noise: Mapping[str, float] | None = None,
    network: xr.DataArray | None = None,
    objective: Objective = "mean",
    tail: float = 0.95,
    level: float = 0.9,
    ess_min: float = 100.0,
    on_low_ess: Literal["fixed", "error"] = "fixed",
    caution: float = 0.0,
    replicates: int = pairing.REPLICATES,
    rng: random.RandomSource = None,
) -> AdaptResult:
    """Compare deciding once with deciding again in every period.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``), 200 or more.
    candidates : Dataset
        Two or more portfolios (`plan`): in every period one of them is followed.
    target : TargetSpec or mapping
        What the shortfall is taken from.
    decision : DecisionSpec or mapping
        Coefficients of the net benefit, which is made as large as possible.
    signals : sequence of str, optional
        What monitoring sees by the end of each period, see `signalling`; `signalling.DEFAULT` when left
        out.
    noise : mapping of str to float, optional
        Signal -> size of its error, in place of ``priors/monitoring.csv``, which is the world's: of draws
        cut to regions the sinks' errors are smaller, see `signalling`.
    network : DataArray, (sample, node), optional
        From ``inputs.network_states`` of the same seed, for signals ``node:...``.
    objective : "mean" or "cvar"
        What all policies choose by: the mean net benefit, or that of the worst draws.
    tail : float
        0.95: the worst 5 %.
    level : float
        Mass of the intervals.
    ess_min : float
        Fewest effective draws that a re-weighting may rest on.
    on_low_ess : "fixed" or "error"
        A decision that has fewer falls back on the fixed course, or raises.
    caution : float
        Standard errors by which leaving the fixed course must be better for a decision to do so: with 0
        policies also follow what is chance in the weights. Only with objective "mean".
    replicates : int
        Of the bootstrap.
    rng : int, Generator or None
        Splits the draws, errs for monitoring, resamples.

    Returns
    -------
    AdaptResult
        ``plots.adaptive.plot_decision_map(result.flows, result.triggers)`` is its picture.

    Raises
    ------
    InputError
        Everything wrong with the arguments, at once, before anything is simulated; with "error", where
        decisions rest on too few effective draws.

    Notes
    -----
    Policies: ``fixed`` takes the composite plan that is best over the training draws; ``greedy`` takes in
    each period the candidate that is best for that period alone; ``rolling`` the candidate that begins
    the best rest of the horizon, decided as if nothing more were learned (open-loop feedback); both see
    the training draws re-weighted by the likelihood of all readings so far (models.md 3.4). ``perfect``
    knows the draw: no policy can do better. The shortfall's penalty belongs to the period that holds the
    target year, so that greedy decisions before it do not see it.

    Intervals are over draws, with what was chosen on either half held. Each half chooses for the other, so
    that their errors are not independent: intervals of the table are wider by ``sqrt(1 + 2 / pi)``
    (`pairing.HALVES_TOGETHER`), those of triggers, found on one half alone, are not. Of 90 % intervals of
    the gain there lay above and below the truth, in percent, without the widening and with it:

    - plans of equal value, a signal that says nothing: 8.6 and 7.0, then 4.0 and 3.3 (200 draws, 1000
      problems); 5.3 and 6.8, then 1.8 and 2.8 (800 draws, 600 problems); three plans in three periods 7.3
      and 8.0, then 2.0 and 3.7 (800 draws, 300 problems);
    - the same, greedy where the first period says the opposite of the whole: 9.2 and 10.6, then 3.3 and
      4.4 (200 draws, 1000 problems); 9.7 and 9.3, then 4.3 and 4.3 (800 draws, 300 problems);
    - a signal that is worth 0.27 standard deviations: 7.8 and 9.8, then 2.4 and 3.6 (200 draws, 500
      problems); one that is worth 0.04: 6.2 and 8.4, then 2.4 and 3.4 (200 draws, 500 problems).

    They are thus rather too wide, but where halves lean on one another most. Draws at Sobol' points are
    spread more evenly than random ones: intervals are then wider still than they need be.

    Examples
    --------
    >>> from sinkrisk import inputs, portfolio
    >>> drawn = inputs.sample(inputs.drivers(), 256, rng=1)
    >>> shares = portfolio.load_portfolios(names=["daccs_only", "phased"])
    >>> plans = portfolio.plan(shares, {"near_term": 0.1, "mid_term": 1.0, "long_term": 5.0})
    >>> target = {"net_removal": 20, "unit": "GtCO2", "year": 2100}
    >>> result = adapt(drawn, plans, target=target, decision={"carbon_value": 300}, ess_min=10, rng=1)
    >>> result.table["policy"].tolist()
    ['fixed', 'greedy', 'rolling', 'perfect']
    >>> float(result.table["gain"].max()) == float(result.table["gain"].iloc[-1])  # no policy knows more
    True
    """
    goal, spec = make_target(target), make_decision(decision)
    found = Problems()
    composing.check_setting(drawn, candidates, goal, periods=2, found=found)
    find_sample_problem(found, {"drawn": drawn} | ({} if network is None else {"network": network}))
    find_weight_problem(found, drawn)
    check_candidates(drawn, candidates, found)
    check_options(objective, tail, level, ess_min, on_low_ess, caution, replicates, drawn, found)
    chosen = (
        [] if "period_start" not in drawn.variables else find_signals(signals, drawn, network, noise, found)
    )
    found.raise_if_any()
    seed = random.seed_of(rng)
    game = composing.build_game(
        drawn, candidates, goal, spec, chosen, network, random.stream(seed, "monitoring")
    )
    rule = Rule(objective, tail, ess_min, caution)
    both = run_halves(game, rule, random.stream(seed, "halves"))
    names = [str(v) for v in candidates["portfolio"].values]
    periods = [str(v) for v in drawn["period"].values]
    if on_low_ess == "error":
        _raise_on_low_ess(both, periods, ess_min)
    frame = tables.Frame(
        names=names,
        periods=periods,
        signals=[s.name for s in chosen],
        signal_units=[s.unit for s in chosen],
        level=level,
        tail=tail,
        replicates=replicates,
    )
    draws = policy_draws(game, both, drawn["sample"].values, names, periods)
    resamples = pairing.resampled(len(game.probability), replicates, random.stream(seed, "bootstrap"))
    table = tables.policy_table(draws["value"].values, game.probability, resamples, frame)
    decisions = tables.decision_table(both, game.probability, frame)
    triggers = tables.trigger_table(game, both, frame, random.stream(seed, "triggers"))
    return AdaptResult(
        name="adaptive",
        table=table,
        sentence=tables.adaptive_sentence(table, decisions, triggers, frame),
        provenance={
            "target": f"{goal.net_removal:g} {goal.unit} durable by {goal.year}",
            "decision": spec.model_dump(),
            "signals": {s.name: s.noise.size for s in chosen},
            "objective": objective,
            "ess_min": ess_min,
            "caution": caution,
            "draws": len(game.probability),
            "courses": len(names) ** len(periods),
            "seed": seed,
        },
        courses=tables.course_table(both, game.probability, frame),
        decisions=decisions,
        triggers=triggers,
        flows=tables.flow_table(both, game.probability, frame),
        draws=draws,
    )


def run_halves(game: Game, rule: Rule, rng: random.RandomSource) -> tuple[Half, Half]:
    """Choose on each half of the draws, and follow what was chosen on the other one.

    Parameters
    ----------
    game : Game
    rule : Rule
    rng : int, Generator or None

    Returns
    -------
    tuple of Half
        Two; every draw is evaluated once.
    """
    first, second = policies.halves(len(game.probability), random.generator(rng))
    return _half(game, first, second, rule), _half(game, second, first, rule)


def _half(game: Game, train: Ints, test: Ints, rule: Rule) -> Half:
    followed = policies.play(game, train, test, rule)
    fixed = followed["fixed"].course[0]
    values = game.value()
    triggers = []
    for q in range(1, game.periods):
        gains = switch_gains(game, values, fixed, q)[train]
        done = int(policies.number(fixed[:q], game.candidates))
        triggers.append(
            find_trigger(
                game.read[q - 1][train, done],
                gains,
                game.probability[train],
                truth=game.truth[q - 1][train, done],
            )
        )
    return Half(train, test, followed, triggers)


def switch_gains(game: Game, values: Floats, fixed: Ints, period: int) -> Floats:
    """Return what leaving the fixed course for each candidate from a period on adds, (draw, candidate).

    Parameters
    ----------
    game : Game
    values : ndarray, (draw, K ** periods)
        ``game.value()``.
    fixed : ndarray of int, (period,)
    period : int
        Of the switch: earlier periods follow the fixed course. The fixed course's own candidate of that
        period adds 0: going on with it is no switch.
    """
    stay = values[:, int(policies.number(fixed, game.candidates))]
    out = np.zeros((len(values), game.candidates))
    for k in range(game.candidates):
        if k != fixed[period]:
            course = np.append(fixed[:period], np.full(game.periods - period, k))
            out[:, k] = values[:, int(policies.number(course, game.candidates))] - stay
    return out


def policy_draws(
    game: Game,
    both: Sequence[Half],
    sample: NDArray[Any],
    names: Sequence[str],
    periods: Sequence[str],
) -> xr.Dataset:
    """Return the value and the choices of every policy in every draw, each decided on the other half."""
    values = game.value()
    worth = np.empty((len(values), len(POLICIES)))
    choice = np.empty((len(values), len(POLICIES), game.periods), dtype=np.int64)
    half = np.empty(len(values), dtype=np.int64)
    for h, one in enumerate(both):
        half[one.test] = h
        for p, policy in enumerate(POLICIES):
            course = one.followed[policy].course
            choice[one.test, p] = course
            worth[one.test, p] = values[one.test, policies.number(course, game.candidates)]
    return xr.Dataset(
        {
            "value": (("sample", "policy"), worth, {"units": tables.MONEY, "long_name": "net benefit"}),
            "choice": (("sample", "policy", "period"), choice, {"units": "1"}),
            "probability": ("sample", game.probability, {"units": "1"}),
        },
        coords={
            "sample": sample,
            "policy": list(POLICIES),
            "period": list(periods),
            "half": ("sample", half),
            "candidate": list(names),
        },
    )


def _raise_on_low_ess(both: Sequence[Half], periods: Sequence[str], ess_min: float) -> None:
    found = Problems()
    refused = np.concatenate([one.followed["rolling"].refused for one in both])
    for q in np.flatnonzero(refused.any(axis=0)):
        found.add(
            f"decisions in {periods[int(q)]} rest on fewer than {ess_min:g} effective draws",
            got=f"{refused[:, q].mean():.1%} of draws",
            hint="more draws, fewer signals, or on_low_ess='fixed'",
        )
    found.raise_if_any()
