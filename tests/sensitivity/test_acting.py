"""What learning a driver is worth beside what it explains, and the outputs a choice turns on"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import (
    action_table,
    response_curves,
    sobol,
    stack_outputs,
    tornado_table,
    winners_by,
)
from sinkrisk.sensitivity.stacking import first_shares

DRIVERS = {"price": stats.norm(), "weather": stats.norm(), "idle": stats.norm()}


def net_benefit(x):
    """Bold wins when the price is high; the weather moves both alike."""
    both = 3.0 * x[:, 1]
    return xr.DataArray(
        np.stack([x[:, 0] + both, both], axis=1),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["bold", "safe"]},
        attrs={"units": "billion USD"},
    )


@pytest.fixture(scope="module")
def chain():
    indices = sobol(lambda x: stack_outputs(values=net_benefit(x)), DRIVERS, 512, rng=1)
    x = np.random.default_rng(2).standard_normal((4000, 3))
    return indices, net_benefit(x), dict(zip(DRIVERS, x.T, strict=True))


def test_what_moves_the_outcome_is_not_what_is_worth_learning(chain):
    indices, values, drivers = chain
    outcome = sobol(lambda x: net_benefit(x).values[:, 0], DRIVERS, 512, rng=1)
    table = action_table(values, drivers, indices=outcome, rng=3).set_index("driver")
    assert table["ST"]["weather"] == pytest.approx(0.9, abs=0.02)
    assert table["ST"]["price"] == pytest.approx(0.1, abs=0.02)
    assert table["acts"].to_dict() == {"price": True, "weather": False, "idle": False}
    # EVPPI = E[max(x, 0)] = 1 / sqrt(2 pi); its standard error is about .015.
    row = table.loc["price"]
    assert row["plug_in"] == pytest.approx(0.3989, abs=0.05)
    assert row["cross_fitted"] == pytest.approx(0.3989, abs=0.05)
    assert row["winners"].startswith("lowest third: safe; middle third: ")
    assert row["winners"].endswith("highest third: bold")
    assert row["changes"]
    assert row["unit"] == "billion USD"
    # Which one ranks first is the price's doing alone.
    first = action_table(values, drivers, indices=indices, output="ranked_first:bold", rng=3).set_index(
        "driver"
    )
    assert first["ST"].to_dict() == {"price": pytest.approx(1.0, abs=0.01), "weather": 0.0, "idle": 0.0}
    assert (first["ST_low"] <= first["ST"]).all()


def test_a_driver_that_does_nothing_never_acts():
    # The floor alone would let one in a hundred through; indices that are exactly 0 let none.
    indices = sobol(lambda x: stack_outputs(values=net_benefit(x)), DRIVERS, 64, rng=1)
    for seed in range(30):
        x = np.random.default_rng(seed).standard_normal((200, 3))
        table = action_table(
            net_benefit(x), dict(zip(DRIVERS, x.T, strict=True)), indices=indices, output="margin",
            permutations=20, rng=seed,
        ).set_index("driver")  # fmt: skip
        assert not table["acts"]["idle"]
        assert not table["acts"]["weather"]


def test_an_idle_driver_is_below_the_permuted_one_in_evppi():
    # The floor is the largest of 100 shuffles: exceeded with probability 1/101 each; of 40 more than 3 are
    # with probability 6e-4.
    above = 0
    for seed in range(40):
        x = np.random.default_rng(seed).standard_normal((300, 3))
        row = action_table(net_benefit(x), {"idle": x[:, 2]}, rng=seed).iloc[0]
        above += row["plug_in"] > row["floor"]
    assert above <= 3


def test_groups_states_and_blocks():
    x = np.random.default_rng(4).standard_normal((1000, 3))
    values = net_benefit(x)
    indices = sobol(
        lambda x: stack_outputs(values=net_benefit(x)),
        DRIVERS,
        64,
        groups={"market": ["price", "idle"]},
        rng=1,
    )
    regime = np.where(x[:, 0] > 0, "high", "low")
    block = np.column_stack([x[:, 0], 2 * x[:, 0] + 0.1 * x[:, 2]])
    table = action_table(
        values,
        {"regime": regime, "block": block},
        indices=indices,
        output="ranked_first:safe",
        labels={"regime": "market"},
    ).set_index("driver")
    assert table["ST"]["regime"] == pytest.approx(1.0, abs=0.05)
    assert np.isnan(table["ST"]["block"])
    assert table["winners"]["regime"] == "high: bold; low: safe"
    assert "third of its first component" in table["winners"]["block"]
    assert table["kind"].to_dict() == {"regime": "states", "block": "block"}
    assert table["acts"].all()


def test_winners_by_hand_with_probabilities():
    values = xr.DataArray(
        np.tile([[4.0, 0.0], [0.0, 1.0], [0.0, 3.0], [0.0, 2.0]], (4, 1)),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["a", "b"]},
    )
    state = np.tile(["good", "bad", "bad", "bad"], 4)
    table = winners_by(values, {"state": state}).set_index("condition")
    # Unconditional means 1 and 1.5.
    assert table["without"].unique().tolist() == ["b"]
    assert table["winner"].to_dict() == {"bad": "b", "good": "a"}
    assert table["gain"].to_dict() == {"bad": 0.0, "good": 4.0}
    assert table["probability"].to_dict() == {"bad": 0.75, "good": 0.25}
    assert table["mean"]["bad"] == pytest.approx(2.0)
    weight = np.tile([3.0, 1.0, 1.0, 1.0], 4)
    again = winners_by(values, {"state": state}, probability=weight).set_index("condition")
    assert again["without"].unique().tolist() == ["a"]
    assert again["probability"]["good"] == pytest.approx(0.5)
    assert again["gain"].to_dict() == {"bad": pytest.approx(2.0), "good": 0.0}
    never = winners_by(values, {"state": state}, probability=np.tile([1.0, 0.0, 0.0, 0.0], 4))
    assert never["condition"].tolist() == ["good"]


def test_bad_input_of_the_table(chain):
    indices, values, drivers = chain
    with pytest.raises(InputError, match="no such output"):
        action_table(values, drivers, indices=indices)
    with pytest.raises(InputError, match="2 problems"):
        action_table(
            values, drivers, indices=indices, output="margin", labels={"prize": "price", "price": "x"}
        )
    with pytest.raises(InputError, match="lacks the dim 'portfolio'"):
        winners_by(values.rename(portfolio="plan"), drivers)
    with pytest.raises(InputError, match="probability"):
        winners_by(values, drivers, probability=np.ones(3))


def test_equal_values_of_a_driver_do_not_choose_with_the_order_of_the_draws():
    # The choice is better by 3 standard errors of a third: another wins there with probability 1e-3 each.
    gain = np.sort(np.random.default_rng(6).standard_normal(3000)) + 0.1
    values = xr.DataArray(
        np.stack([gain, 0.0 * gain], axis=1),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["bold", "safe"]},
    )
    table = winners_by(values, {"one": np.zeros(3000)})
    assert table["winner"].tolist() == ["bold"] * 3


def test_what_does_not_act_changes_no_choice_though_two_are_close():
    # Of two portfolios this close chance puts the second ahead in some third of six tables in ten.
    # One that tells nothing acts with probability .01, in one of eight tables .08.
    ahead = 0
    for seed in range(8):
        g = np.random.default_rng(seed)
        values = xr.DataArray(
            g.standard_normal((600, 2)), dims=("sample", "portfolio"), coords={"portfolio": ["bold", "safe"]}
        )
        row = action_table(values, {"idle": g.random(600)}, rng=100 + seed).iloc[0]
        assert not row["acts"]
        assert not row["changes"]
        ahead += len({pair.split(": ")[1] for pair in row["winners"].split("; ")}) > 1
    assert ahead >= 2


# --- outputs ---------------------------------------------------------------------------------


def measures(values):
    return xr.DataArray(
        np.stack([values, np.maximum(1.0 - values, 0.0)], axis=2),
        dims=("sample", "portfolio", "criterion"),
        coords={
            "portfolio": ["a", "b"],
            "criterion": ["gain", "shortfall"],
            "sample": np.arange(len(values)),
        },
    )


def test_outputs_bear_their_units_as_far_as_the_tables_made_of_them():
    rng = np.random.default_rng(3)
    data = rng.normal(size=(200, 2))
    held = measures(data).assign_coords(unit=("criterion", ["GtCO2", "GtCO2"]))
    values = xr.DataArray(
        data, dims=("sample", "portfolio"), coords={"portfolio": ["a", "b"]}, attrs={"units": "billion USD"}
    )
    outputs = stack_outputs(held, values, criteria=["gain"], missed="shortfall")
    wanted = {"gain": "GtCO2", "target_missed": "1", "ranked_first": "1", "margin": "billion USD"}
    assert dict(zip(outputs["measure"].values, outputs["unit"].values, strict=True)) == wanted
    for table in (tornado_table(outputs, {"x": data[:, 0]}), response_curves(outputs, {"x": data[:, 0]})):
        assert {m: set(t["unit"]) for m, t in table.groupby("measure")} == {m: {u} for m, u in wanted.items()}
    margin = outputs.sel(output="margin").drop_vars(["unit", "measure", "portfolio", "output"])
    assert set(tornado_table(margin, {"x": data[:, 0]})["unit"]) == {""}
    alone = margin.assign_attrs(units="USD")
    assert set(tornado_table(alone, {"x": data[:, 0]})["unit"]) == {"USD"}


def test_all_outputs_side_by_side():
    data = np.array([[3.0, 0.5], [0.0, 2.0], [1.0, 1.0]])
    values = xr.DataArray(data, dims=("sample", "portfolio"), coords={"portfolio": ["a", "b"]})
    outputs = stack_outputs(measures(data), values, criteria=["gain"], missed="shortfall", between=("b", "a"))
    assert outputs["output"].values.tolist() == [
        "gain:a", "gain:b", "target_missed:a", "target_missed:b",
        "ranked_first:a", "ranked_first:b", "margin",
    ]  # fmt: skip
    assert outputs.values.tolist() == [
        [3.0, 0.5, 0.0, 1.0, 1.0, 0.0, -2.5],
        [0.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0],
        [1.0, 1.0, 0.0, 0.0, 0.5, 0.5, 0.0],
    ]
    assert outputs["measure"].values.tolist()[-1] == "margin"
    # A shortfall that is not known is no target met.
    unknown = measures(np.array([[np.nan, 0.5]]))
    event = stack_outputs(unknown, criteria=[], missed="shortfall")
    np.testing.assert_array_equal(event, [[np.nan, 1.0]])
    assert outputs["portfolio"].values.tolist() == ["a", "b", "a", "b", "a", "b", ""]


def test_indicators_that_rank_first_add_up_to_one():
    values = np.random.default_rng(5).integers(0, 3, size=(200, 4))
    shares = first_shares(values)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares > 0).tolist() == (values == values.max(axis=1, keepdims=True)).tolist()


def test_the_indicator_of_a_rank_has_indices():
    # P(x > y): 1{first} of two uniforms; Var(E[1|x]) / Var = (1/12) / (1/4) = 1/3 each, ST 2/3.
    def two(x):
        values = xr.DataArray(x[:, :2], dims=("sample", "portfolio"), coords={"portfolio": ["a", "b"]})
        return stack_outputs(values=values)

    uniform = {name: stats.uniform(0, 1) for name in "xyz"}
    found = sobol(two, uniform, 2048, rng=6).sel(output="ranked_first:a")
    np.testing.assert_allclose(found["S1"], [1 / 3, 1 / 3, 0], atol=0.02)
    np.testing.assert_allclose(found["ST"], [2 / 3, 2 / 3, 0], atol=0.02)


def test_bad_input_of_outputs():
    data = np.ones((2, 2))
    values = xr.DataArray(data, dims=("sample", "portfolio"), coords={"portfolio": ["a", "b"]})
    with pytest.raises(InputError, match="nothing to stack"):
        stack_outputs()
    with pytest.raises(InputError, match="2 problems"):
        stack_outputs(measures(data).rename(criterion="x"), values.rename(portfolio="x"))
    with pytest.raises(InputError, match="no such criterion among the measures: got 'gian'"):
        stack_outputs(measures(data), criteria=["gian"])
    with pytest.raises(InputError, match="no such portfolio: got 'c'"):
        stack_outputs(values=values, between=("a", "c"))
    with pytest.raises(InputError, match="which were not given"):
        stack_outputs(values=values, missed="shortfall")
