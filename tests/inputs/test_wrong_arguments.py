"""Whatever is handed to a function of the input space, it works or says what is wrong"""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import inputs, network

from ..wrong_objects import faults

WRONG = {
    "None": None, "half": 1.5, "minus": -1, "text": "beccs", "numbers": [1, 2], "names": ["a"], "nothing": [],
    "mapping": {"a": 1}, "object": object(), "true": True, "frame": pd.DataFrame({"a": [1.0]}),
    "array": xr.DataArray([1.0, 2.0], dims="a"), "dataset": xr.Dataset({"a": ("b", [1.0])}),
    "numpy": np.ones((2, 2)), "nan": float("nan"),
}  # fmt: skip


@pytest.fixture(scope="module")
def calls():
    drivers = inputs.drivers(inputs.InputsSpec(budget=False, network=False))
    region = network.load(regions=["north_america"])
    whole = inputs.drivers(inputs.InputsSpec(budget=False, regions=["north_america"]), network=region)
    return {
        "drivers": {},
        "network_states": {"drivers": whole, "n": 4, "rng": 1},
        "restrict": {"drawn": inputs.sample(drivers, 4, rng=1), "regions": ["north_america"]},
        "sample": {"drivers": drivers, "n": 4, "rng": 1},
        "transform": {"drivers": drivers, "u": np.full((1, len(drivers)), 0.5)},
    }


FITTING: dict[str, tuple[str, ...]] = {}

FUNCTIONS = [name for name in inputs.__all__ if inspect.isfunction(getattr(inputs, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_arguments_work(name, calls):
    getattr(inputs, name)(**calls[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_objects_are_named_or_work(name, calls):
    found = faults(getattr(inputs, name), calls[name], WRONG, FITTING)
    assert not found, "\n".join(found)
