from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.network import Network, network_from_tables, query, table_bank
from sinkrisk.network.tables import RankedParameters, TableRule, favourability, ranked_table


def _wide(correlation: float):
    """A yes-or-no child of four roots of three states: 81 rows, all one half."""
    roots = [f"r{i}" for i in range(4)]
    states = {name: ["a", "b", "c"] for name in roots} | {"child": ["n", "y"]}
    tables = {name: [1 / 3, 1 / 3, 1 / 3] for name in roots}
    tables["child"] = np.full((3, 3, 3, 3, 2), 0.5)
    return network_from_tables(
        states, {"child": roots}, tables, equivalent_sample_size=12, correlation=correlation
    )


def _marginal_sd(net, size: int) -> float:
    bank = table_bank(net, size, rng=8)
    child = bank.draws["child"]
    weight = np.full(81, 1 / 81)
    return float((child.reshape(size, 81, 2)[:, :, 1] @ weight).std())


def test_each_row_is_dirichlet_with_the_stated_mean():
    rule = TableRule("t", np.array([[0.6, 0.3, 0.1], [0.05, 0.0, 0.95]]), 10.0, 0.5)
    draws = rule.draw(4000, np.random.default_rng(3))
    np.testing.assert_allclose(draws.sum(axis=-1), 1.0, atol=1e-12)
    assert np.all(draws[:, 1, 1] == 0.0)
    for row, state in ((0, 0), (0, 2), (1, 2)):
        p = rule.mean[row, state]
        # Kolmogorov-Smirnov against the beta marginal; three tests at 1e-3: false alarms below .003.
        assert stats.kstest(draws[:, row, state], stats.beta(10 * p, 10 * (1 - p)).cdf).pvalue > 1e-3


def test_bank_mean_is_the_stated_table(governance):
    size = 2000
    bank = table_bank(governance, size, rng=21)
    worst = 0.0
    cells = 0
    for name, rule in governance.rules.items():
        draws = bank.draws[name]
        error = np.abs(draws.mean(axis=0) - rule.mean)
        allowed = 5.5 * draws.std(axis=0) / np.sqrt(size)
        # Ranked tables are raked on 256 quasi-random draws, good to about 0.002 of the true mean.
        if rule.ranked is not None:
            allowed = allowed + 0.004
        worst = max(worst, float((error - allowed).max()))
        cells += error.size
    # Normal tail beyond 5.5 is 4e-8; some 11,000 cells give a false-alarm rate below 5e-4.
    assert 5_000 < cells < 12_000
    assert worst <= 0.0


def test_spread_of_a_marginal_does_not_vanish_with_the_number_of_rows():
    # Beta(6, 6) has sd .139; 81 independent rows leave .0154, the shared deviation keeps most.
    alone = float(np.sqrt(0.25 / 13))
    independent = _marginal_sd(_wide(0.0), 2000)
    assert independent == pytest.approx(alone / 9, rel=0.1)
    shared = _marginal_sd(_wide(0.5), 2000)
    assert shared == pytest.approx(alone * np.sqrt(0.5), rel=0.1)
    assert _marginal_sd(_wide(1.0), 2000) == pytest.approx(alone, rel=0.1)


def test_query_on_one_draw_of_the_bank(governance):
    bank = table_bank(governance, 8, rng=6)
    name = "deployment_mode__mineral__arid_zones__near_term"
    values = [query(governance.with_tables(bank.tables(i)), name)[name]["full"] for i in range(8)]
    assert np.std(values) > 0.005
    assert len(set(values)) == 8


def test_a_plate_is_one_belief_and_overrides_share_its_random_numbers(governance):
    bank = table_bank(governance, 200, rng=1)
    one = bank.tables(3)
    np.testing.assert_array_equal(
        one["policy_support__arid_zones__mid_term"], one["policy_support__rest_of_world__long_term"]
    )
    a = bank.draws[governance.nodes["policy_support__northern_europe__mid_term"].rule][:, 0, 0, 0, 0]
    b = bank.draws[governance.nodes["policy_support__open_ocean__mid_term"].rule][:, 0, 0, 0, 0]
    # Independent draws would correlate by more than 0.25 in fewer than 1 in 1,000 cases.
    assert stats.spearmanr(a, b).statistic > 0.5


def test_bank_is_sorted_by_its_summary_and_repeats_with_its_seed(governance):
    bank, again = table_bank(governance, 50, rng=5), table_bank(governance, 50, rng=5)
    assert np.all(np.diff(bank.summary) >= 0)
    for rule in governance.rules:
        np.testing.assert_array_equal(bank.draws[rule], again.draws[rule])


def test_ranked_table_equals_the_truncated_normal_worked_out_directly():
    p = RankedParameters(
        parents=(favourability(3, False), favourability(2, True)),
        constants=(0.4,),
        weights=(2.0, 1.0, 3.0),
        baseline_weight=2.0,
        baseline=0.7,
        spread=0.2,
        bottleneck=0.25,
        limiting=(True, False, True),
        states=4,
        favourable_first=True,
    )
    table = ranked_table(p)
    assert table.shape == (3, 2, 4)
    for i, j in itertools.product(range(3), range(2)):
        first, second = (i + 0.5) / 3, (0.75, 0.25)[j]
        mean = (2 * first + 1 * second + 3 * 0.4 + 2 * 0.7) / 8
        mean = 0.75 * mean + 0.25 * min(first, 0.4)
        cdf = stats.truncnorm((0 - mean) / 0.2, (1 - mean) / 0.2, mean, 0.2).cdf
        slices = np.diff(cdf(np.linspace(0, 1, 5)))
        np.testing.assert_allclose(table[i, j], slices[::-1], atol=1e-12)


def test_a_better_parent_never_makes_a_ranked_child_worse(governance):
    # First-order dominance of the child's distribution, along each parent's favourable direction.
    for node in governance.nodes.values():
        rule = governance.rules[node.rule]
        if rule.ranked is None:
            continue
        table = rule.mean if node.favourable == "last" else rule.mean[..., ::-1]
        cdf = np.cumsum(table, axis=-1)
        for axis, parent in enumerate(node.parents):
            sign = 1 if governance.nodes[parent].favourable == "last" else -1
            assert np.all(sign * np.diff(cdf, axis=axis) <= 1e-12)


def test_ranked_draws_are_probabilities_for_every_spread_and_size_of_the_schema():
    # A spread of .02 leaves far states below 1e-300, and a size of one makes draws without any weight.
    generator = np.random.default_rng(0)
    for _ in range(60):
        dims = int(generator.integers(1, 4))
        parameters = RankedParameters(
            tuple(favourability(int(generator.integers(2, 5)), False) for _ in range(dims)),
            (),
            tuple(float(w) for w in generator.choice([0.001, 0.1, 1.0, 100.0], size=dims)),
            float(generator.choice([0.0, 1e-6, 1.0])),
            float(generator.choice([0.0, 1e-6, 0.5, 1.0])),
            float(generator.choice([0.02, 0.03, 1.0])),
            0.0,
            (False,) * dims,
            int(generator.integers(2, 8)),
            bool(generator.integers(2)),
        )
        size = float(generator.choice([1.0, 1.5, 1e4]))
        rule = TableRule("t", ranked_table(parameters), size, ranked=parameters)
        draws = rule.draw(32, np.random.default_rng(1))
        assert np.all(draws >= 0.0)
        np.testing.assert_allclose(draws.sum(axis=-1), 1.0, atol=1e-12)


def test_a_bank_of_what_is_no_probability_is_refused_with_the_node():
    net = network_from_tables({"a": ["n", "y"], "b": ["n", "y"]}, {}, {"a": [0.5, 0.5], "b": [0.5, 0.5]})
    wrong = TableRule("b", np.full(2, np.nan), 5.0)
    with pytest.raises(InputError, match="table 'b' is no table of probabilities"):
        Network(net.nodes.values(), {**net.rules, "b": wrong})
    # A sound mean may still be drawn from parameters that are not.
    broken = Network(net.nodes.values(), {**net.rules, "b": TableRule("b", np.full(2, 0.5), 5.0)})
    object.__setattr__(broken.rules["b"], "mean", wrong.mean)
    with pytest.raises(InputError, match=r"node 'b': draws of its table are not finite"):
        table_bank(broken, 4, rng=1)
