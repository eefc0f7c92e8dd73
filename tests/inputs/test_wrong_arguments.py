"""Whatever is handed to a function of the input space, it works or says what is wrong"""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import inputs
from sinkrisk.errors import SinkriskError

WRONG = {
    "None": None, "half": 1.5, "minus": -1, "text": "beccs", "numbers": [1, 2], "names": ["a"], "nothing": [],
    "mapping": {"a": 1}, "object": object(), "true": True, "frame": pd.DataFrame({"a": [1.0]}),
    "array": xr.DataArray([1.0, 2.0], dims="a"), "dataset": xr.Dataset({"a": ("b", [1.0])}),
    "numpy": np.ones((2, 2)), "nan": float("nan"),
}  # fmt: skip


@pytest.fixture(scope="module")
def calls():
    drivers = inputs.drivers(inputs.InputsSpec(budget=False, network=False))
    return {
        "drivers": {},
        "network_states": {"drivers": drivers, "n": 4, "rng": 1},
        "restrict": {"drawn": inputs.sample(drivers, 4, rng=1), "regions": ["north_america"]},
        "sample": {"drivers": drivers, "n": 4, "rng": 1},
        "transform": {"drivers": drivers, "u": np.full((1, len(drivers)), 0.5)},
    }


FUNCTIONS = [name for name in inputs.__all__ if inspect.isfunction(getattr(inputs, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_objects_are_named_or_work(name, calls):
    function = getattr(inputs, name)
    faults = []
    for argument in inspect.signature(function).parameters:
        for kind, value in WRONG.items():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(**calls[name] | {argument: value})
            except SinkriskError:
                pass
            except Exception as error:
                faults.append(f"{argument}={kind}: {type(error).__name__}: {str(error)[:90]}")
    assert not faults, "\n".join(faults)
