"""Lazy attributes for packages: `import sinkrisk` stays fast, heavy rooms load on first use.

`attach` returns the module-level ``__getattr__`` and ``__dir__`` of PEP 562. No name handed to it
may equal a submodule's name: importing that submodule would rebind the attribute to the module
and the second call would fail (a test compares the two lists in every package).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def attach(
    package: str, attributes: Mapping[str, str], submodules: tuple[str, ...] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``(__getattr__, __dir__, __all__)`` for a package.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    attributes : mapping of str to str
        Public name -> module that defines it, relative to the package (``".budget.reconciling"``).
    submodules : tuple of str
        Submodules reachable as attributes without an import of their own.
    """

    def __getattr__(name: str) -> Any:
        if name in attributes:
            return getattr(importlib.import_module(attributes[name], package), name)
        if name in submodules:
            return importlib.import_module(f".{name}", package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    names = sorted([*attributes, *submodules])

    def __dir__() -> list[str]:
        return names

    return __getattr__, __dir__, names
