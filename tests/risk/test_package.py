from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["sinkrisk.risk", "sinkrisk.portfolio"])
def test_names_are_lazy_and_no_submodule_hides_one(name):
    package = importlib.import_module(name)
    assert not set(package.__all__) & {m.name for m in pkgutil.iter_modules(package.__path__)}
    for public in package.__all__:
        first = getattr(package, public)
        assert callable(first)
        assert getattr(package, public) is first


def test_import_loads_nothing_heavy():
    code = (
        "import sys, sinkrisk.risk, sinkrisk.portfolio;"
        "print([m for m in ('pandas', 'xarray', 'scipy', 'pydantic', 'dask') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
