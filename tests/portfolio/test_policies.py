"""Policies on arrays: closed forms, perfect and useless signals, bounds, triggers, intervals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from sinkrisk.portfolio import adapting, adaptive_tables, pairing
from sinkrisk.portfolio.policies import (
    POLICIES,
    Game,
    Rule,
    digits,
    fixed_course,
    halves,
    number,
    play,
)
from sinkrisk.portfolio.triggering import find_trigger
from sinkrisk.portfolio.weighing import Noise, read_signals

RULE = Rule()


def two_periods(theta, noise, seed=5, states=0):
    """Nothing happens in the first period; in the second A is worth 0 and B theta, which was read."""
    n = len(theta)
    last = np.zeros((n, 4))
    last[:, 1] = last[:, 3] = theta
    truth = [np.repeat(np.asarray(theta, float)[:, None, None], 2, axis=1)]
    noises = [noise]
    return Game(
        [np.zeros((n, 2)), last], truth, read_signals(truth, noises, seed), noises, np.full(n, 1 / n), 2
    )


def random_game(n=600, candidates=3, periods=3, seed=1, noise=0.5):
    rng = np.random.default_rng(seed)
    worth = [rng.normal(size=(n, candidates ** (q + 1))) for q in range(periods)]
    truth = [w[..., None] + rng.normal(size=(*w.shape, 1)) for w in worth[:-1]]
    noises = [Noise("normal", noise)]
    return Game(
        worth, truth, read_signals(truth, noises, seed), noises, rng.dirichlet(np.full(n, 5.0)), candidates
    )


def values_of(game, rule=RULE, seed=3):
    both = adapting.run_halves(game, rule, seed)
    names, periods = [f"c{k}" for k in range(game.candidates)], [f"q{q}" for q in range(game.periods)]
    draws = adapting.policy_draws(game, both, np.arange(len(game.probability)), names, periods)
    return both, draws, names, periods


def tables_of(game, rule=RULE, level=0.9, seed=3, replicates=400):
    both, draws, names, periods = values_of(game, rule, seed)
    signals = [f"s{k}" for k in range(len(game.noises))]
    frame = adaptive_tables.Frame(
        names, periods, signals, ["1"] * len(signals), level=level, replicates=replicates
    )
    resamples = pairing.resampled(len(game.probability), replicates, np.random.default_rng(1))
    table = adaptive_tables.policy_table(draws["value"].values, game.probability, resamples, frame)
    triggers = adaptive_tables.trigger_table(game, both, frame, np.random.default_rng(2))
    return table.set_index("policy"), triggers, both, draws


@pytest.mark.parametrize(("mean", "spread", "noise"), [(0.0, 1.0, 0.5), (-0.3, 2.0, 1.0)])
def test_value_of_adapting_has_its_closed_form(mean, spread, noise):
    # E max(0, m) with m normal of sd s = spread^2 / sqrt(spread^2 + noise^2), less max(0, mean).
    n = 4096
    theta = mean + spread * np.random.default_rng(11).standard_normal(n)
    table, triggers, both, draws = tables_of(two_periods(theta, Noise("normal", noise)))
    s = spread**2 / np.hypot(spread, noise)
    adapted = s * norm.pdf(mean / s) + mean * norm.cdf(mean / s)
    # In the first case either plan may look better on a half; fixed is then worth nought on average.
    rolling = draws["value"].sel(policy="rolling").values
    # 4 standard errors: false-alarm rate 6e-5. What re-weighting by chance loses is of the second order.
    assert abs(rolling.mean() - adapted) < 4 * rolling.std() / np.sqrt(n) + 0.005 * spread
    gain = table.loc["rolling"]
    assert gain["gain_low"] < adapted - max(mean, 0.0) + 0.01 * spread
    assert gain["gain_low"] > 0.0
    assert not np.concatenate([b.followed["rolling"].refused for b in both]).mean() > 0.2
    # A threshold on the one signal is the best policy there is: its trigger gets all of the value.
    rules = triggers[triggers["period"] == "q1"]
    assert rules["kept"].all()
    assert rules["signal"].tolist() == ["s0", "s0"]


def test_a_signal_that_says_nothing_adds_nothing():
    # Its value is at most 0 in truth; each 90 % interval lies above 0 by chance in 5 % or less.
    rng = np.random.default_rng(2)
    above = kept = 0
    for seed in range(20):
        theta = 1.0 + rng.standard_normal(1000)
        game = two_periods(theta, Noise("normal", 1.0), seed)
        truth = [0.0 * t for t in game.truth]
        read = read_signals(truth, game.noises, seed)
        blind = Game(game.worth, truth, read, game.noises, game.probability, 2)
        table, triggers, _, _ = tables_of(blind, seed=seed)
        above += table.loc["rolling", "gain_low"] > 0.0
        kept += int(triggers["kept"].sum())
        # The same reading for every draw: all weights are equal, and the fixed course is kept.
        assert table.loc["rolling", "gain"] == 0.0
    # 40 rules and as many rows of all rules, 5 % of them kept by chance: 12 or more of 80 in 1e-3.
    assert above == 0
    assert kept < 12


def test_a_useless_but_varying_signal_adds_nothing():
    rng = np.random.default_rng(8)
    wins = 0
    for seed in range(20):
        theta = 0.3 + rng.standard_normal(1000)
        game = two_periods(theta, Noise("normal", 1.0), seed)
        truth = [np.repeat(rng.standard_normal((1000, 1, 1)), 2, axis=1)]
        useless = Game(
            game.worth, truth, read_signals(truth, game.noises, seed), game.noises, game.probability, 2
        )
        table, triggers, _, _ = tables_of(useless, seed=seed)
        wins += table.loc["rolling", "gain_low"] > 0.0
        wins += int(triggers.loc[triggers["period"] == "q1", "kept"].sum())
    # 60 intervals, each above nought with 5 % at most: 10 or more with less than 1e-3.
    assert wins < 10


def opposite(n, seed):
    """Two plans of equal value; the first period says the opposite of the whole, the signal nothing."""
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(n)
    first, last = np.zeros((n, 2)), np.zeros((n, 4))
    first[:, 1], last[:, 2], last[:, 3] = -0.5 * theta, 1.5 * theta, 1.5 * theta
    truth, noises = [np.repeat(rng.standard_normal((n, 1, 1)), 2, axis=1)], [Noise("normal", 1.0)]
    return Game([first, last], truth, read_signals(truth, noises, rng), noises, np.full(n, 1 / n), 2)


def test_intervals_hold_where_halves_lean_on_one_another_most():
    """Greedy takes the plan that looks worse on the other half: unwidened, 20 % of intervals miss nought."""
    outside = 0
    for seed in range(300):
        table, _, _, _ = tables_of(opposite(200, seed), Rule(ess_min=10.0), seed=seed)
        row = table.loc["greedy"]
        outside += row["gain_low"] > 0.0 or row["gain_high"] < 0.0
    # Were a tenth outside, 45 or more of 300 would be in 4e-3; of a fifth fewer than 45 are in 2e-2.
    assert outside < 45


def test_intervals_hold_a_gain_that_is_known():
    # Two plans as good, a reading of error 1: E max(0, m), m of sd 1 / sqrt(2); re-weighting loses little.
    missed, true = 0, norm.pdf(0.0) / np.sqrt(2.0)
    for seed in range(200):
        theta = np.random.default_rng([4, seed]).standard_normal(200)
        game = two_periods(theta, Noise("normal", 1.0), seed)
        row = tables_of(game, Rule(ess_min=10.0), seed=seed)[0].loc["rolling"]
        missed += not row["gain_low"] <= true <= row["gain_high"]
    # Were a tenth outside, 33 or more of 200 would be in 3e-3; unwidened about 18 % are.
    assert missed < 33


def test_halves_that_choose_for_one_another_err_together():
    # The errors of the closed form: -s_B a and -s_A b in the plan that looked worse less the better.
    a, b = np.random.default_rng(6).standard_normal((2, 200_000))
    # Standard error of a correlation of .64 over 2e5 pairs: below 2.3e-3; four of them.
    measured = np.corrcoef(-np.sign(b) * a, -np.sign(a) * b)[0, 1]
    assert measured == pytest.approx(pairing.HALVES_TOGETHER, abs=9e-3)
    x = np.array([1.0, 2.0, 6.0])
    assert np.array_equal(pairing.widened(x, 2.0, 0.0), x)
    assert pairing.widened(x, 2.0).std() == pytest.approx(np.sqrt(1.0 + 2.0 / np.pi) * x.std())


def test_a_perfect_signal_of_a_state_is_perfect_information():
    theta = np.where(np.arange(1000) % 2, 1.0, -1.0)
    _, draws, _, _ = values_of(two_periods(theta, Noise("normal", 1e-3)))
    assert np.array_equal(draws["value"].sel(policy="rolling"), draws["value"].sel(policy="perfect"))
    assert float(draws["value"].sel(policy="rolling").mean()) == 0.5
    # The same by codes of states, misread hardly ever.
    state = two_periods((theta > 0).astype(float), Noise("misread", 1e-9, 2))
    state = Game(
        [state.worth[0], 2.0 * state.worth[1] - 1.0],
        state.truth,
        state.read,
        state.noises,
        state.probability,
        2,
    )
    _, draws, _, _ = values_of(state)
    assert float(draws["value"].sel(policy="rolling").mean()) == pytest.approx(
        float(draws["value"].sel(policy="perfect").mean())
    )


def test_a_sharp_reading_of_a_continuous_signal_is_refused():
    theta = np.random.default_rng(1).standard_normal(1000)
    both, draws, _, _ = values_of(two_periods(theta, Noise("normal", 1e-6)))
    for one in both:
        rolling = one.followed["rolling"]
        assert rolling.refused[:, 1].all()
        assert not rolling.refused[:, 0].any()
        assert (rolling.size[:, 1] < 3.0).all()
        assert np.array_equal(rolling.course, one.followed["fixed"].course)
    # Without the limit the nearest draw decides: perfect information but for the gap to it.
    _, draws, _, _ = values_of(two_periods(theta, Noise("normal", 1e-6)), Rule(ess_min=1.0))
    lost = draws["value"].sel(policy="perfect") - draws["value"].sel(policy="rolling")
    assert float(lost.mean()) < 0.005


def test_with_one_candidate_all_policies_are_one():
    game = random_game(candidates=1)
    _, draws, _, _ = values_of(game)
    for policy in POLICIES:
        assert np.array_equal(draws["value"].sel(policy=policy), draws["value"].sel(policy="fixed"))
    assert (draws["choice"] == 0).all()


@pytest.mark.parametrize("objective", ["mean", "cvar"])
def test_perfect_information_bounds_and_the_fixed_course_is_the_best(objective):
    game = random_game()
    rule = Rule(objective, 0.8, 20.0)
    both, draws, _, _ = values_of(game, rule)
    perfect = draws["value"].sel(policy="perfect")
    assert (draws["value"] <= perfect).all()
    values = game.value()
    for one in both:
        weight = game.probability[one.train] / game.probability[one.train].sum()
        best = int(rule.score(values[one.train], weight[None])[0].argmax())
        assert np.array_equal(one.followed["fixed"].course[0], digits(best, 3, 3))


def test_rolling_and_greedy_against_loops():
    game = random_game(n=300, candidates=2)
    rule = Rule(ess_min=30.0)
    train, test = halves(300, np.random.default_rng(4))
    played = play(game, train, test, rule)
    fixed = fixed_course(game, train, rule)
    prior = game.probability[train] / game.probability[train].sum()
    for policy in ("rolling", "greedy"):
        for i in range(0, len(test), 17):
            draw, done, log_like = test[i], [], np.zeros(len(train))
            for q in range(3):
                weight = prior * np.exp(log_like)
                weight = weight / weight.sum()
                scores = {}
                for rest in itertools.product(range(2), repeat=3 - q if policy == "rolling" else 1):
                    course = [*done, *rest]
                    worth = np.zeros(len(train))
                    for p in range(q, len(course)):
                        worth += game.worth[p][train, number(np.array(course[: p + 1]), 2)]
                    scores[rest] = weight @ worth
                choice = max(scores, key=scores.get)[0]
                if q and 1.0 / (weight**2).sum() < 30.0:
                    choice = fixed[q]
                assert played[policy].course[i, q] == choice
                done.append(choice)
                if q < 2:
                    at = number(np.array(done), 2)
                    gap = game.read[q][draw, at, 0] - game.truth[q][train, at, 0]
                    log_like -= 0.5 * (gap / 0.5) ** 2


def test_numbers_of_courses():
    every = np.array(list(itertools.product(range(3), repeat=4)))
    assert np.array_equal(number(every, 3), np.arange(81))
    assert np.array_equal(digits(np.arange(81), 3, 4), every)


def test_halves_part_the_draws():
    first, second = halves(101, np.random.default_rng(1))
    assert sorted([*first, *second]) == list(range(101))
    assert abs(len(first) - len(second)) == 1


def test_a_trigger_is_the_best_of_all():
    rng = np.random.default_rng(3)
    read, gains, weight = (
        rng.normal(size=(60, 2)).round(1),
        rng.normal(size=(60, 3)),
        rng.dirichlet(np.ones(60)),
    )
    rule = find_trigger(read, gains, weight, least_share=0.1)
    best = 0.0
    for s, to, below in itertools.product(range(2), range(3), (True, False)):
        for cut in np.unique(read[:, s])[:-1] + 0.05:
            fires = read[:, s] < cut if below else read[:, s] > cut
            if 0.1 <= weight @ fires <= 0.9:
                best = max(best, weight @ (fires * gains[:, to]))
    assert rule.gain == pytest.approx(best)
    assert weight @ (rule.fires(read) * gains[:, rule.to]) == pytest.approx(best)


def test_no_threshold_lies_where_the_signal_never_is():
    """A sink within 0.1 read with an error of 1: what pays beyond 0.1 waits for an error, not the sink."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(-0.1, 0.1, (400, 1))
    read = truth + rng.normal(size=(400, 1))
    gains = np.where(read > 0.8, 1.0, -1.0)
    weight = np.ones(400)
    assert find_trigger(read, gains, weight).threshold == pytest.approx(0.8, abs=0.05)
    # Above any threshold within the range more readings cost than pay; and below any.
    assert find_trigger(read, gains, weight, truth=truth) is None
    # Draws of no probability do not widen the range.
    wide = np.vstack([truth, [[5.0]]])
    more = np.vstack([read, [[5.0]]]), np.vstack([gains, [[1.0]]]), np.append(weight, 0.0)
    assert find_trigger(*more, truth=wide) is None
    within = find_trigger(read, np.where(read > 0.05, 1.0, -1.0), weight, truth=truth)
    assert within.threshold == pytest.approx(0.05, abs=0.02)


def test_no_trigger_where_nothing_varies_or_pays():
    assert find_trigger(np.zeros((50, 1)), np.ones((50, 1)), np.ones(50)) is None
    assert find_trigger(np.arange(50.0)[:, None], -np.ones((50, 2)), np.ones(50)) is None


def test_intervals_are_those_of_the_mean():
    rng = np.random.default_rng(1)
    x, weight = rng.normal(3.0, 2.0, 2000), np.full(2000, 1 / 2000)
    low, high = pairing.bounds(pairing.mean_replicates(x, weight, pairing.resampled(2000, 4000, 1)), 0.9)
    half = 1.6449 * x.std() / np.sqrt(2000)
    # The bounds' own Monte Carlo error is 2 to 3 % of the half-width.
    assert low == pytest.approx(x.mean() - half, abs=0.12 * half)
    assert high == pytest.approx(x.mean() + half, abs=0.12 * half)


def test_the_interval_covers_as_said():
    # 300 sets of 200 draws: 90 % intervals cover 270 times; below 252 with about 6e-4.
    rng = np.random.default_rng(9)
    counts = pairing.resampled(200, 400, 1)
    covered = 0
    for _ in range(300):
        x = rng.normal(size=200)
        low, high = pairing.bounds(pairing.mean_replicates(x, np.full(200, 1 / 200), counts), 0.9)
        covered += low <= 0.0 <= high
    assert covered >= 252


def test_equal_seed_equal_play():
    game = random_game()
    one, two = (values_of(game)[1] for _ in range(2))
    assert one.identical(two)
    assert not one["half"].equals(values_of(game, seed=4)[1]["half"])


def test_caution_keeps_to_the_fixed_course_unless_leaving_it_is_clear():
    game = random_game()
    free, careful = (values_of(game, Rule(ess_min=20.0, caution=c))[1]["choice"] for c in (0.0, 3.0))
    fixed = free.sel(policy="fixed")
    assert (careful.sel(policy="rolling") != fixed).mean() < (free.sel(policy="rolling") != fixed).mean()
    # A state that decides everything and is read without error is followed all the same.
    theta = np.where(np.arange(1000) % 2, 1.0, -1.0)
    _, draws, _, _ = values_of(two_periods(theta, Noise("normal", 1e-3)), Rule(caution=3.0))
    assert np.array_equal(draws["value"].sel(policy="rolling"), draws["value"].sel(policy="perfect"))


def test_caution_against_its_definition():
    game = random_game(n=300, candidates=2, periods=2)
    train, test = halves(300, np.random.default_rng(4))
    rule = Rule(ess_min=5.0, caution=1.0)
    fixed = fixed_course(game, train, rule)
    chosen = play(game, train, test, rule)["rolling"].course
    prior = game.probability[train] / game.probability[train].sum()
    for i, draw in enumerate(test):
        gap = game.read[0][draw, fixed[0], 0] - game.truth[0][train, fixed[0], 0]
        weight = prior * np.exp(-0.5 * (gap / 0.5) ** 2)
        weight /= weight.sum()
        kept, other = (game.worth[1][train, 2 * fixed[0] + k] for k in (fixed[1], 1 - fixed[1]))
        lead = weight @ (other - kept)
        error = np.sqrt((weight**2 * (other - kept - lead) ** 2).sum())
        if 1.0 / (weight**2).sum() >= 5.0:
            assert chosen[i, 1] == (1 - fixed[1] if lead > error else fixed[1])


def test_no_draw_is_evaluated_by_what_was_chosen_on_it():
    game = random_game(n=301)
    both = adapting.run_halves(game, RULE, 3)
    assert np.sort(np.concatenate([one.test for one in both])).tolist() == list(range(301))
    for one in both:
        assert not np.intersect1d(one.train, one.test).size
        rest = np.setdiff1d(np.arange(301), one.test)
        np.testing.assert_array_equal(one.followed["fixed"].course[0], fixed_course(game, rest, RULE))


def test_a_fixed_course_chosen_among_equals_shows_no_optimism():
    """729 courses, all worth 0 on average: the best of the training draws is worth 0 on the others."""
    worth, inside = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        game = random_game(n=200, candidates=9, periods=3, seed=seed)
        last = rng.normal(size=(200, 729))
        game = Game([0.0 * w for w in game.worth[:2]] + [last], game.truth, game.read, game.noises,
                    np.full(200, 1 / 200), 9)  # fmt: skip
        for first, second in (halves(200, rng), halves(200, rng)[::-1]):
            course = int(number(fixed_course(game, first, RULE), 9))
            worth.append(last[second, course].mean())
            inside.append(last[first, course].mean())
    # In sample about 3 standard errors of .1 each; out of sample 40 means of sd .1: 5 sd are .08.
    assert np.mean(inside) > 0.25
    assert abs(np.mean(worth)) < 0.08


def test_flows_and_departures_weigh_draws():
    game = random_game(n=300)
    both, draws, names, periods = values_of(game, Rule(ess_min=5.0))
    frame = adaptive_tables.Frame(names, periods, ["s0"], ["1"])
    weight, choice = game.probability, draws["choice"].sel(policy="rolling").values
    flows = adaptive_tables.flow_table(both, weight, frame).query("policy == 'rolling' and period == 'q0'")
    for row in flows.itertuples():
        pair = [names.index(row[4]), names.index(row.to)]
        assert row.share == pytest.approx(weight @ (choice[:, :2] == pair).all(axis=1))
    fixed = draws["choice"].sel(policy="fixed").values
    decisions = adaptive_tables.decision_table(both, weight, frame).query("policy == 'rolling'")
    assert decisions["departs"].tolist() == pytest.approx((weight @ (choice != fixed)).tolist())
    # Weights that differ say something else than heads counted.
    assert abs(weight @ (choice != fixed) - (choice != fixed).mean(axis=0)).max() > 1e-3
