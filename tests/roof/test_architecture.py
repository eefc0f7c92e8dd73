"""The house stands as ARCHITECTURE.md says: imports go one way, the module map is true."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sinkrisk

PACKAGE = Path(sinkrisk.__file__).parent
ROOT = PACKAGE.parent

GROUND = [
    "errors",
    "shapes",
    "arguments",
    "interrupts",
    "lazy",
    "units",
    "rng",
    "files",
    "results",
    "provenance",
]
ROOMS = [
    "risk", "priors", "budget", "network", "inputs", "portfolio",
    "sensitivity", "scenarios", "plots", "reporting",
]  # fmt: skip
ROOF = [
    "config",
    "pipeline",
    "artefacts",
    "decision_stages",
    "driver_stages",
    "stages",
    "consistency",
    "running",
    "texts",
    "cli",
    "__main__",
]
ORDER = {name: level for level, name in enumerate([*GROUND, *ROOMS, *ROOF])}

checkout = pytest.mark.skipif(
    not (ROOT / "ARCHITECTURE.md").exists(), reason="needs the checkout: a wheel carries no ARCHITECTURE.md"
)


def _modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "_data" not in p.parts)


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Rooms of sinkrisk that a module imports, at module level or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "sinkrisk" and len(parts) > 1 and parts[1] in ORDER:
                found.add(parts[1])
    return found


# The front door names every room, lazily; it is the one module that may.
INDOORS = [p for p in _modules() if p != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", INDOORS, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_up_only(path):
    room = _room(path)
    assert room in ORDER, f"{room} is not in the house's order: add it to the design and to this test"
    downward = {other for other in _imports(path) if ORDER[other] > ORDER[room]}
    assert not downward, f"{room} imports from below: {sorted(downward)}"


def test_the_check_sees_both_forms_of_import(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(
        "def f():\n    from sinkrisk import portfolio\n\nfrom sinkrisk.budget.closed import solve\n"
    )
    assert _imports(path) == {"portfolio", "budget"}


@checkout
def test_the_module_map_is_true():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(sinkrisk/[\w/]+\.py)` \|", text, flags=re.MULTILINE))
    actual = {p.relative_to(ROOT).as_posix() for p in _modules() if p.name != "__init__.py"}
    assert listed == actual


@checkout
def test_every_module_is_of_a_readable_length():
    lengths = {p.relative_to(ROOT).as_posix(): len(p.read_text().splitlines()) for p in _modules()}
    assert {name: n for name, n in lengths.items() if n > 450} == {}


PACKAGES = ["sinkrisk", *(f"sinkrisk.{room}" for room in ROOMS)]


@pytest.mark.parametrize("name", PACKAGES)
def test_no_submodule_bears_the_name_of_a_public_function(name):
    package = importlib.import_module(name)
    folder = Path(str(package.__file__)).parent
    submodules = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    public = set(package.__all__) - (set(ROOMS) | set(GROUND) if name == "sinkrisk" else set())
    assert public, f"{name} exports nothing"
    assert not public & submodules


@pytest.mark.parametrize("name", PACKAGES)
def test_every_lazy_name_gives_the_same_object_twice(name):
    package = importlib.import_module(name)
    for attribute in package.__all__:
        first = getattr(package, attribute)
        assert getattr(package, attribute) is first
        assert attribute in dir(package)
    with pytest.raises(AttributeError):
        package.no_such_name  # noqa: B018


LIGHT = """
import sys, numpy
before = set(sys.modules)
import sinkrisk
new = {name.split('.')[0] for name in set(sys.modules) - before}
heavy = new - set(sys.stdlib_module_names) - {'sinkrisk', 'numpy', '_distutils_hack'}
print(sorted(heavy))
"""


def test_importing_sinkrisk_loads_the_standard_library_and_numpy_only():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


HEAVY = {
    "pymc", "pytensor", "arviz", "pgmpy", "matplotlib", "linopy", "preliz", "SALib", "xarray", "pandas",
}  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_importing_a_room_loads_nothing_heavy(room):
    code = f"import sys, sinkrisk.{room}\nprint(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
