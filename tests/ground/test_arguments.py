"""Arguments held against annotations: every kind, unions, what must be held, and what is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk.arguments import Holding, checked
from sinkrisk.errors import InputError


@checked(data=Holding(variables=("cost",), dims=("sample",), never=("year",), origin="from simulate"))
def taking(
    count: int = 1,
    size: float = 1.0,
    flag: bool = True,
    names: Sequence[str] = (),
    amounts: Mapping[str, float] | None = None,
    data: xr.Dataset | None = None,
    place: str | Sequence[str] | None = None,
    unknown: frozenset[str] = frozenset(),
) -> int:
    """Hand back the count."""
    return count


RIGHT = {
    "count": [3, np.int64(3)],
    "size": [1, 1.5, np.float32(2.0), np.array(2.0), np.inf],
    "flag": [False, np.True_],
    "names": [["a"], ("a", "b"), np.array(["a"]), pd.Index(["a"]), xr.DataArray(["a"], dims="x"), []],
    "amounts": [None, {}, {"a": 1}, {"a": np.float64(2)}],
    "data": [None, xr.Dataset({"cost": ("sample", [1.0])})],
    "place": [None, "a", ["a"]],
    "unknown": [3],
}
WRONG = {
    "count": [1.5, 2.0, True, "1", None, [1], np.array([1])],
    "size": ["1", True, None, 1j, [1.0], np.ones(2)],
    "flag": [1, "yes", None],
    "names": ["ab", [1], {"a": 1}, {"a"}, None, pd.DataFrame({"a": [1]}), b"ab", np.array([["a"]])],
    "amounts": [["a"], {"a": "b"}, {1: 1.0}, 1.0, xr.Dataset({"a": 1.0})],
    "data": [1, pd.DataFrame(), xr.DataArray(1.0), {}],
    "place": [1, [1], {"a": "b"}],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in RIGHT.items() for v in vs], ids=repr)
def test_what_fits_is_handed_on(name, value):
    assert taking(**{name: value}) == (value if name == "count" else 1)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in WRONG.items() for v in vs], ids=repr)
def test_what_does_not_fit_is_named(name, value):
    with pytest.raises(
        InputError, match=f"key '{name}': taking: argument of the wrong kind: got .*; allowed"
    ):
        taking(**{name: value})


def test_everything_is_said_at_once_and_how_to_mend_it():
    with pytest.raises(InputError) as caught:
        taking(1.5, names="beccs", data=xr.DataArray([1.0], dims="sample"))
    text = str(caught.value)
    assert text.startswith("3 problems")
    assert "got 1.5; allowed: a whole number" in text
    assert "got 'beccs'; allowed: a list of texts; write ['beccs']" in text
    assert (
        "got xarray DataArray with dims (sample); allowed: an xarray Dataset or None; from simulate" in text
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (xr.Dataset({"a": ("sample", [1.0])}), "lacks the variable 'cost': got xarray Dataset with a; from"),
        (xr.Dataset({"cost": 1.0}), "lacks the dim 'sample'"),
        (xr.Dataset({"cost": (("sample", "year"), [[1.0]])}), "has the dim 'year'"),
    ],
)
def test_what_is_held_is_checked(data, message):
    with pytest.raises(InputError, match=message):
        taking(data=data)


def test_columns_of_a_frame():
    @checked(table=Holding(columns=("unit",), origin="from rank"))
    def of(table: pd.DataFrame) -> int:
        return len(table)

    assert of(pd.DataFrame({"unit": ["1"]})) == 1
    with pytest.raises(InputError, match="lacks the column 'unit': got pandas DataFrame with a; from rank"):
        of(pd.DataFrame({"a": [1]}))


def test_python_itself_refuses_a_name_that_is_none():
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        taking(colour="red")


def test_checking_loads_no_labelled_library():
    code = (
        "from __future__ import annotations\nimport sys\nfrom sinkrisk.arguments import checked\n"
        "@checked()\ndef f(a: xr.Dataset) -> None: ...\n"
        "try:\n    f(1)\nexcept ValueError: pass\nprint(sorted({'xarray', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
