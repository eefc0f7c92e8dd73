"""Whatever is handed to a public function, it works or says what is wrong: no raw Python error."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from sinkrisk import sensitivity
from sinkrisk.errors import SinkriskError

from ..wrong_objects import faults


def total(x: np.ndarray) -> xr.DataArray:
    """Two outputs with names."""
    values = np.stack([x.sum(axis=1), x[:, 0] * x[:, 1]], axis=1)
    return xr.DataArray(values, dims=("sample", "output"), coords={"output": ["sum", "product"]})


class World:
    """Right arguments for every public function, made once; `calls` maps a name to them."""

    def __init__(self) -> None:
        uniform = {name: stats.uniform(0, 1) for name in ("a", "b")}
        indices = sensitivity.sobol(total, uniform, 8, rng=1)
        series = sensitivity.sobol_until(total, uniform, first=8, most=16, rng=1)
        x = np.random.default_rng(1).standard_normal((64, 2))
        y, given = x.sum(axis=1), {"a": x[:, 0], "b": x[:, 1]}
        values = xr.DataArray(
            np.stack([x[:, 0], 0 * x[:, 0]], axis=1),
            dims=("sample", "portfolio"),
            coords={"portfolio": ["bold", "safe"]},
        )
        states = xr.DataArray(
            (x > 0).astype(np.int8), dims=("sample", "node"), coords={"node": ["policy", "weather"]}
        )
        measures = xr.DataArray(
            np.stack([x, x**2], axis=2),
            dims=("sample", "portfolio", "criterion"),
            coords={"portfolio": ["bold", "safe"], "criterion": ["removal", "shortfall"]},
        )
        ranks, tornado = sensitivity.driver_ranks(indices), sensitivity.tornado_table(y, given)
        actions = sensitivity.action_table(values, given, permutations=5)
        small = {"permutations": 5, "halves": 4}
        run = {"function": total, "drivers": uniform, "rng": 1}
        self.calls: dict[str, dict[str, Any]] = {
            "action_table": {"values": values, "drivers": given, "permutations": 5},
            "convergence_table": {"result": series},
            "driver_ranks": {"indices": indices, "simulated": 50},
            "driver_sentence": {"dataset": indices, "output": "sum"},
            "driver_sentences": {"indices": indices, "output": "sum", "ranks": ranks}
            | {"tornado": tornado, "actions": actions},
            "gaussian_shapley": {"covariance": np.eye(2), "coefficients": [1.0, 2.0]},
            "given_data_indices": {"y": y, "drivers": given} | small,
            "rank_text": {"row": ranks.iloc[0]},
            "response_curves": {"y": y, "drivers": given},
            "screen_drivers": {"y": y, "drivers": given},
            "shapley_effects": {"y": y, "drivers": given, "estimator": "linear"} | small,
            "sobol": run | {"n": 8},
            "sobol_table": {"dataset": indices},
            "sobol_until": run | {"first": 8, "most": 16},
            "stack_outputs": {"measures": measures, "values": values, "missed": "shortfall"},
            "state_shares": {"y": y, "states": states} | small,
            "swing_text": {"row": tornado.iloc[0]},
            "target_sensitivity": {"y": y, "drivers": given, "below": 0.0} | small,
            "tornado_table": {"y": y, "drivers": given},
            "value_of_observing": {"values": values, "states": states, "permutations": 5},
            "winners_by": {"values": values, "drivers": given},
            "worth_text": {"row": actions.iloc[0]},
        }
        self.wrong: dict[str, Any] = {
            "None": None, "half": 1.5, "minus": -1, "text": "beccs", "numbers": [1, 2], "names": ["x", "y"],
            "nothing": [], "mapping": {"a": 1}, "letters": {"a": "b"}, "empty": {}, "object": object(),
            "true": True, "frame": pd.DataFrame({"a": [1.0]}), "array": xr.DataArray([1.0, 2.0], dims="a"),
            "dataset": xr.Dataset({"a": ("b", [1.0])}), "numpy": np.ones((2, 2)), "indices": indices,
            "values": values, "states": states, "measures": measures, "ranks": ranks, "series": ranks.iloc[0],
            "nan": float("nan"), "words": np.array(["x", "y"], dtype=object),
        }  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World()


FITTING: dict[str, tuple[str, ...]] = {
    "Dataset": ("dataset", "indices"), "DataArray": ("array", "values", "states", "measures"),
    "ArrayLike": ("frame", "array", "numpy", "numbers", "half", "minus", "true", "nothing", "words",
                  "values", "states", "measures", "ranks", "nan"),
    "Mapping": ("mapping", "letters", "empty", "dataset", "indices"),
    "Sequence": ("nothing", "names", "words"), "str": ("text",),
    "Any": ("mapping", "letters", "dataset", "indices"),
}  # fmt: skip
"""Annotation -> kinds that are right for it: what is wrong with their content is said of that content."""

FUNCTIONS = [name for name in sensitivity.__all__ if inspect.isfunction(getattr(sensitivity, name))]


def test_every_public_function_is_called(world):
    assert set(world.calls) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_arguments_work(name, world):
    getattr(sensitivity, name)(**world.calls[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_objects_are_named_or_work(name, world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = faults(getattr(sensitivity, name), world.calls[name], world.wrong, FITTING)
    assert not found, "\n".join(found)


UNIFORM = {name: stats.uniform(0, 1) for name in ("a", "b", "c")}


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: [[1.0], [1.0, 2.0]] * (len(x) // 2), "returned no array"),
        (lambda x: xr.Dataset({"y": ("sample", x[:, 0])}), "returned no array"),
        (lambda x: np.ma.masked_greater(x[:, 0], 0.5), "not finite in"),
        (lambda x: pd.DataFrame(x, columns=["u", "u", "v"]), "two outputs one name: got 'u'"),
        (lambda x: x[:, 0].astype(object), "no real numbers"),
    ],
)
def test_what_a_function_must_not_return(function, text):
    with pytest.raises(SinkriskError, match=text):
        sensitivity.sobol(function, UNIFORM, 8, rng=1)


def test_columns_of_a_frame_name_the_outputs():
    found = sensitivity.sobol(lambda x: pd.DataFrame(x[:, :2], columns=["u", "v"]), UNIFORM, 8, rng=1)
    assert found["output"].values.tolist() == ["u", "v"]
    plain = sensitivity.sobol(lambda x: x[:, :2], UNIFORM, 8, rng=1)
    np.testing.assert_array_equal(found["ST"].values, plain["ST"].values)


def test_given_outputs_of_one_name_are_refused():
    x = np.random.default_rng(1).standard_normal((64, 2))
    y = xr.DataArray(x, dims=("sample", "output"), coords={"output": ["u", "u"]})
    with pytest.raises(SinkriskError, match="two outputs of one name"):
        sensitivity.tornado_table(y, {"a": x[:, 0]})


@pytest.mark.parametrize("groups", [{"g": 3}, {"g": None}, {"g": {"a": 1}}])
def test_groups_that_hold_no_names(groups):
    with pytest.raises(SinkriskError, match="'g' holds no names"):
        sensitivity.sobol(total, UNIFORM, 8, groups=groups)


def test_a_family_without_its_parameters_is_no_distribution():
    with pytest.raises(SinkriskError, match="not a frozen distribution"):
        sensitivity.sobol(total, UNIFORM | {"b": stats.lognorm}, 8)


def test_a_series_without_any_index_claims_no_stable_ranks():
    found = sensitivity.sobol_until(lambda x: np.ones(len(x)), UNIFORM, first=8, most=32, rng=1)
    assert "nothing is ranked" in found.attrs["stopped"]
    assert "stable" not in found.attrs["stopped"]


@pytest.mark.parametrize(
    ("covariance", "coefficients", "text"),
    [
        (np.eye(3), [1.0, 2.0], "a square of covariances"),
        (np.eye(13), np.ones(13), "12 inputs at most"),
        ([[1.0, 2.0], [2.0, 1.0]], [1.0, 1.0], "no covariance"),
        (np.eye(2), [0.0, 0.0], "no variance to share out"),
        (np.eye(2), [np.nan, 0.0], "not finite"),
    ],
)
def test_what_has_no_gaussian_shapley(covariance, coefficients, text):
    with pytest.raises(SinkriskError, match=text):
        sensitivity.gaussian_shapley(covariance, coefficients)


def test_no_nodes_are_told_as_no_nodes(world):
    with pytest.raises(SinkriskError, match=r"'nodes': no node to look at: got \[\]"):
        sensitivity.state_shares(**world.calls["state_shares"], nodes=[])
