"""One small whole run for the session; tests read it, they do not repeat it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sinkrisk import files, running

SMALL = {
    "draws": 64,
    # Exact, so that the machinery of runs is tested without the minutes of a sampler.
    "budget": {"model": "closed"},
    "portfolios": {"names": ["phased", "nature_first", "daccs_only"]},
    "network": {"tables": 16},
    "sobol": {
        "n": 256,
        "replicates": 8,
        "single_draws": 256,
        "measures": ["net_removal_2100", "shortfall"],
        "portfolios": ["phased"],
    },
    "scenarios": {"n": 8},
    "survey": {"draws": 100},
    # Skipped, and said so: re-weighting needs hundreds of draws. test_decisions runs it.
    "adapt": {"candidates": ["phased", "nature_first"]},
}


@pytest.fixture(scope="session")
def small_spec(tmp_path_factory) -> Path:
    """The packaged global spec, made small."""
    spec = yaml.safe_load(files.data_path("analyses", "global.yaml").read_text())
    for key, value in SMALL.items():
        spec[key] = {**spec[key], **value} if isinstance(value, dict) else value
    path = tmp_path_factory.mktemp("spec") / "small.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def small_run(small_spec, tmp_path_factory) -> Path:
    """A run directory of the small spec, complete."""
    out = tmp_path_factory.mktemp("run") / "small"
    running.run(small_spec, out)
    return out
