"""The set-up files say the same thing, and nothing of one machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import sinkrisk

ROOT = Path(sinkrisk.__file__).parent.parent

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="needs the checkout: a wheel carries no set-up files"
)


def _lock(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Package -> version and hashes, of one lock."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.match(r"^([A-Za-z0-9_.\-]+)==([^\s;]+)", line)
        if match:
            found[match[1]] = (match[2], frozenset(re.findall(r"sha256:[0-9a-f]{64}", line)))
    return found


def test_the_developers_lock_holds_the_users_lock():
    users, developers = _lock("requirements.lock"), _lock("requirements-dev.lock")
    assert len(users) > 90
    assert {name: pin for name, pin in users.items() if developers.get(name) != pin} == {}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_a_hash_and_no_registry_is_named(name):
    assert [package for package, (_, hashes) in _lock(name).items() if not hashes] == []
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text


def test_every_dependency_is_locked_and_ranged():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = {name.lower() for name in _lock("requirements.lock")}
    for requirement in project["dependencies"]:
        name = re.match(r"[A-Za-z0-9_.\-]+", requirement)
        assert name is not None
        assert name[0].lower() in lock, requirement
        assert ">=" in requirement, requirement


def test_no_lock_pulls_in_torch_or_cuda():
    assert not [n for n in _lock("requirements-dev.lock") if n == "torch" or n.startswith("nvidia")]


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == sinkrisk.__version__ == citation["version"]


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_tracked_files_name_no_machine_path_and_no_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    patterns = [
        re.compile(r"(?<![\w/.])/(?:" + "|".join(["ro" + "ot", "wo" + "rk", "fa" + "rm"]) + r")/"),
        re.compile(
            r"https?://[a-z0-9.\-]*(?:" + "|".join(["py" + "pi", "pythonho" + "sted", "npm" + "js"]) + r")\."
        ),
    ]
    hits = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        hits += [f"{name}: {m[0]}" for pattern in patterns for m in pattern.finditer(text)]
    assert hits == []
