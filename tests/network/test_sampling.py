from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.network import (
    marginals,
    network_from_tables,
    query,
    sample,
    sample_states,
    table_bank,
)


def _two():
    return network_from_tables(
        {"a": ["x", "y", "z"], "b": ["n", "y"]},
        {"b": ["a"]},
        {"a": [0.2, 0.3, 0.5], "b": [[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]},
    )


def test_inverse_cdf_by_hand():
    u = [[0.0, 0.0], [0.19, 0.5], [0.2, 0.999], [0.499, 1.0], [0.5, 0.249], [1.0, 0.25]]
    drawn = sample(_two(), u=u)
    assert drawn["a"].values.tolist() == [0, 0, 1, 1, 2, 2]
    assert drawn["b"].values.tolist() == [0, 1, 0, 0, 0, 1]
    assert drawn["a"].dtype == np.int8
    assert drawn["a"].attrs["states"] == ["x", "y", "z"]
    assert dict(drawn.sizes) == {"sample": 6}


def test_u_of_nought_and_one_never_reach_a_state_of_probability_nought(governance):
    net = network_from_tables({"a": ["p", "q", "r", "s"]}, {}, {"a": [0.0, 0.1 + 0.2, 0.7 - 1e-17, 0.0]})
    assert sample(net, u=[[0.0], [2.0**-60], [1.0], [1.0 - 2.0**-53]])["a"].values.tolist() == [1, 1, 2, 2]
    lowest = sample_states(governance, u=np.zeros((1, len(governance))))[0]
    assert lowest.min() >= 0
    assert set(lowest[0].tolist()) == {0}


def test_states_rise_with_u_for_equal_parents(governance):
    rng = np.random.default_rng(5)
    u = np.repeat(rng.random((1, len(governance))), 101, axis=0)
    for name in ("climate_ambition__near_term", "deployment_mode__ocean__open_ocean__long_term"):
        moved = u.copy()
        moved[:, governance.position[name]] = np.linspace(0, 1, 101)
        codes = sample_states(governance, u=moved)[0][:, governance.position[name]]
        assert np.all(np.diff(codes) >= 0)
        assert codes[0] == 0
        assert codes[-1] == len(governance.nodes[name].states) - 1


def test_same_u_same_states_and_the_global_generator_is_left_alone(governance):
    before = np.random.get_state()[1].copy()
    u = np.random.default_rng(1).random((50, len(governance)))
    first, second = sample(governance, u=u), sample(governance, u=u)
    assert first.identical(second)
    assert sample(governance, 20, rng=3).identical(sample(governance, 20, rng=3))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_frequencies_equal_exact_marginals(governance):
    n = 40_000
    codes, _ = sample_states(governance, n, rng=11)
    exact = marginals(governance)
    p_values = []
    for name, group in exact.groupby("node", sort=False):
        counts = np.bincount(codes[:, governance.position[name]], minlength=len(group))
        p_values.append(stats.chisquare(counts, group.probability.to_numpy() * n).pvalue)
    # 342 chi-square tests with Bonferroni at 1e-3: false-alarm rate at most 1e-3.
    assert min(p_values) > 1e-3 / len(p_values)


def test_frequencies_under_do_equal_the_exact_query(random_network, enumerate_joint):
    rng = np.random.default_rng(17)
    n = 20_000
    p_values = []
    for _ in range(10):
        net = random_network(rng, zeros=False)
        target = str(rng.choice(net.order))
        do = {target: net.nodes[target].states[-1]}
        codes, weights = sample_states(net, n, do=do, rng=rng)
        assert weights is None
        for name, expected in enumerate_joint(net, {}, do)[1].items():
            counts = np.bincount(codes[:, net.position[name]], minlength=len(expected))
            if name == target:
                assert counts[-1] == n
            else:
                p_values.append(stats.chisquare(counts, expected * n).pvalue)
    # Bonferroni at 1e-3: false-alarm rate at most 1e-3.
    assert min(p_values) > 1e-3 / len(p_values)


def test_evidence_is_met_by_weights(random_network, enumerate_joint):
    rng = np.random.default_rng(23)
    for _ in range(6):
        net = random_network(rng, zeros=False)
        seen, soft = net.order[-1], net.order[-2]
        evidence = {
            seen: net.nodes[seen].states[0],
            soft: {state: 0.2 + k for k, state in enumerate(net.nodes[soft].states)},
        }
        drawn = sample(net, 60_000, evidence=evidence, rng=rng)
        probability = drawn["probability"].values
        assert probability.sum() == pytest.approx(1.0)
        assert set(drawn[seen].values.tolist()) == {0}
        size = drawn.attrs["effective_sample_size"]
        for name, expected in enumerate_joint(net, evidence)[1].items():
            got = np.bincount(drawn[name].values, weights=probability, minlength=len(expected))
            # Five standard errors at the effective size, with a floor: far below 1e-4 false alarms.
            assert np.abs(got - expected).max() < 5 * 0.5 / np.sqrt(size) + 1e-3


def test_tables_per_row_are_those_of_the_bank():
    rows = [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    net = network_from_tables(
        {"a": ["x", "y", "z"], "b": ["n", "y"]},
        {"b": ["a"]},
        {"a": [0.3, 0.3, 0.4], "b": rows},
        equivalent_sample_size=3,
    )
    bank = table_bank(net, 7, rng=2)
    rng = np.random.default_rng(0)
    index = rng.integers(7, size=400)
    u = rng.random((400, 2))
    drawn = sample(net, u=u, tables=bank.take(index))
    for row in range(400):
        one = bank.tables(int(index[row]))
        a = int(np.searchsorted(np.cumsum(one["a"]), u[row, 0], side="right"))
        b = int(np.searchsorted(np.cumsum(one["b"][a]), u[row, 1], side="right"))
        assert (drawn["a"].values[row], drawn["b"].values[row]) == (a, b)


def test_sampling_over_the_bank_spreads_but_keeps_the_mean(governance):
    bank = table_bank(governance, 64, rng=4)
    name = "policy_support__open_ocean__near_term"
    codes, _ = sample_states(governance, 64_000, tables=bank.take(np.repeat(np.arange(64), 1000)), rng=9)
    states = codes[:, governance.position[name]].reshape(64, 1000)
    frequency = (states == 0).mean(axis=1)
    expected = query(governance, name)[name]["declining"]
    # Pure sampling noise of 1,000 rows would be 0.015; the tables add several times that.
    assert frequency.std() > 0.03
    # The mean over 64 draws has a standard error of about 0.01: six of them, false alarms < 1e-8.
    assert abs(frequency.mean() - expected) < 6 * frequency.std() / np.sqrt(64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"u": np.zeros((3, 4))}, r"u has the wrong shape: got \(3, 4\); allowed: \(n, 2\)"),
        ({"u": np.zeros(2)}, "u has the wrong shape"),
        ({"u": [[0.5, 1.5]]}, "u outside its range: got 1.5; allowed: 0 to 1"),
        ({"u": [[0.5, np.nan]]}, "u outside its range"),
        ({"u": np.zeros((3, 2)), "n": 4}, "n disagrees with the rows of u: got 4; allowed: 3"),
        ({}, "number of samples: got None"),
        ({"n": 0}, "number of samples: got 0"),
        ({"n": 5, "evidence": {"a": "y", "b": "y"}}, "no sample agrees with the evidence"),
        ({"n": 5, "do": {"c": "y"}}, "no such node in the network: got 'c'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        sample(_two(), **arguments)


def test_tables_of_another_network_or_length_are_refused(governance):
    bank = table_bank(_two(), 5, rng=1)
    with pytest.raises(InputError, match="table bank of another network"):
        sample(governance, 3, tables=bank)
    with pytest.raises(InputError, match="tables for another number of samples: got 4; allowed: 3"):
        sample(_two(), 3, tables=bank.take(np.zeros(4, dtype=int)))
    with pytest.raises(InputError, match="no such draw in the table bank: got 5; allowed: 0 to 4"):
        bank.take(np.array([0, 5]))
    with pytest.raises(InputError, match="draws of the table bank"):
        bank.take(np.array([0.5]))
    with pytest.raises(InputError, match="size of the table bank: got 0"):
        table_bank(_two(), 0)


def test_dataset_survives_netcdf(tmp_path, governance):
    import xarray as xr

    drawn = sample(governance, 5, evidence={"climate_ambition__near_term": "high"}, rng=1)
    drawn.to_netcdf(tmp_path / "states.nc")
    with xr.open_dataset(tmp_path / "states.nc") as back:
        xr.testing.assert_equal(back.load(), drawn)
        assert list(back["climate_ambition__near_term"].attrs["states"]) == ["low", "medium", "high"]


def test_blocks_do_not_show(governance, monkeypatch):
    from sinkrisk.network import sampling

    u = np.random.default_rng(2).random((100, len(governance)))
    bank = table_bank(governance, 4, rng=1).take(np.arange(100) % 4)
    evidence = {"climate_ambition__near_term": "high"}
    whole = sample_states(governance, u=u, tables=bank, evidence=evidence)
    monkeypatch.setattr(sampling, "BLOCK", 7)
    parts = sample_states(governance, u=u, tables=bank, evidence=evidence)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_allclose(whole[1], parts[1], rtol=1e-12)
