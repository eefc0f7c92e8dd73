"""What the shipped network cites: its source keys resolve, and what it quotes stands in the review."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from sinkrisk.files import data_path


def _review() -> str:
    shared = os.environ.get("SINKRISK_SHARED")
    root = Path(shared) if shared else data_path("priors").parent.parent / "shared"
    path = root / "reference" / "carbon-sink-review.txt"
    if not path.is_file():
        pytest.skip(f"the review's text is not beside the checkout: {path}")
    return path.read_text(encoding="utf-8")


def _entries():
    """Everything in the file with a rationale: where it stands, its text, source and locator."""
    found = []

    def walk(value, place):
        if isinstance(value, dict):
            if "rationale" in value:
                found.append((place, value["rationale"], value["source"], value.get("locator", "")))
            for key, inner in value.items():
                walk(inner, f"{place}.{key}")
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, f"{place}[{index}]")

    walk(yaml.safe_load(Path(data_path("priors", "network.yaml")).read_text()), "network")
    return found


def _plain(text: str) -> str:
    """One blank between words, straight quotation marks, small letters."""
    return re.sub(r"\s+", " ", re.sub("[“”]", '"', text)).lower()


def test_every_source_is_in_the_bibliography_or_an_assumption():
    keys = set(re.findall(r"@\w+\{([^,\s]+)", Path(data_path("priors", "references.bib")).read_text()))
    assert "ma2025" in keys
    entries = _entries()
    assert len(entries) > 40
    for place, _, source, locator in entries:
        assert source == "assumption" or source in keys, place
        assert (source == "assumption") == (not locator), place


def test_what_is_quoted_stands_in_the_review():
    review = _plain(_review())
    quoted = [(place, q) for place, text, *_ in _entries() for q in re.findall('"([^"]+)"', text)]
    assert len(quoted) > 25
    missing = [(place, q) for place, q in quoted if _plain(q) not in review]
    assert missing == []


def test_every_section_named_stands_in_the_review():
    sections = set(re.findall(r"^(\d(?:\.\d)+)\.? ", _review(), re.MULTILINE))
    for place, _, source, locator in _entries():
        named = re.findall(r"\d(?:\.\d)+", locator)
        if source == "ma2025":
            assert named, place
        assert set(named) <= sections, place
