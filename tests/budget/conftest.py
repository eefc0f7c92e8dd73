"""The review's Table 2 and a reconciled tree of it, shared by the tests of the budget."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sinkrisk
from sinkrisk import budget
from sinkrisk.priors import load_observations

# Review, Table 2: window, then value and sd of fossil, land_use, atmosphere, ocean, land, and the
# imbalance it prints. Typed here apart from priors/, so that the two are checked on each other.
TABLE_2 = [
    (1960, 1969, (3.0, 0.2), (1.6, 0.7), (1.7, 0.07), (1.2, 0.4), (1.2, 0.5), 0.5),
    (1970, 1979, (4.7, 0.2), (1.4, 0.7), (2.8, 0.07), (1.5, 0.4), (2.0, 0.8), -0.1),
    (1980, 1989, (5.5, 0.3), (1.4, 0.7), (3.4, 0.2), (1.9, 0.4), (1.8, 0.8), -0.2),
    (1990, 1999, (6.4, 0.3), (1.6, 0.7), (3.1, 0.2), (2.1, 0.4), (2.5, 0.6), 0.2),
    (2000, 2009, (7.8, 0.4), (1.4, 0.7), (4.0, 0.2), (2.3, 0.4), (2.8, 0.7), 0.0),
    (2014, 2023, (9.7, 0.5), (1.1, 0.7), (5.2, 0.2), (2.9, 0.4), (3.2, 0.9), -0.4),
    (2023, 2023, (10.1, 0.5), (1.0, 0.7), (5.9, 0.2), (2.9, 0.4), (2.3, 1.1), 0.0),
    (2024, 2024, (10.2, 0.5), (1.2, 0.7), (6.1, 0.3), (3.0, 0.6), (3.2, 1.5), -0.9),
]
NAMES = ("fossil", "land_use", "atmosphere", "ocean", "land")


def build_table_2() -> pd.DataFrame:
    rows = []
    for start, end, *cells, imbalance in TABLE_2:
        kind = "projection" if start == 2024 else "observed"
        for name, (value, sd) in zip(NAMES, cells, strict=True):
            rows.append((name, "global", "assessment", "GCB2024", start, end, value, sd, kind))
        total = cells[0][0] + cells[1][0]
        rows.append(("total_emissions", "global", "derived", "GCB2024", start, end, total, None, kind))
        rows.append(("imbalance", "global", "derived", "GCB2024", start, end, imbalance, None, kind))
    frame = pd.DataFrame(
        rows, columns=["component", "geography", "method", "estimate", "start", "end", "value", "sd", "kind"]
    )
    frame["unit"], frame["source"] = "GtC/yr", "friedlingstein2024"
    return frame


@pytest.fixture
def table_2():
    return build_table_2()


@pytest.fixture(scope="session")
def packaged():
    """The reader of the packaged observation tables."""
    return load_observations


@pytest.fixture(scope="session")
def tree():
    """Table 2 reconciled with many draws; tests read it and never change it."""
    return budget.reconcile(build_table_2(), model="closed", rng=20261122, draws=5000, chains=4)


# Each model of years is compiled and sampled once for all tests; they read the fits and never change them.
# Seeds are fixed: whether a test passes is settled once, not at every run.


def fit(**options):
    from sinkrisk.budget.hierarchical import fit_annual

    return fit_annual(load_observations("global"), generator=np.random.default_rng(20261123), **options)


@pytest.fixture(scope="session")
def fitted_table_2():
    """Table 2 in the default model, with its prepared rows, likelihood and draws."""
    return fit(model="hierarchical")


@pytest.fixture(scope="session")
def fitted_iid():
    """Table 2 with the stated sds as they are and all errors white: the comparison that has to fail."""
    return fit(model="hierarchical", errors="iid", fixed={"error_scale": 1.0})


@pytest.fixture(scope="session")
def fitted_open():
    """Table 2 with a flux the budget misses."""
    return fit(model="open")


@pytest.fixture(scope="session")
def official():
    """The folder of the official workbooks, outside the repository."""
    beside = Path(sinkrisk.__file__).parents[2] / "shared"
    folder = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "gcb"
    if not (folder / "SOURCES.md").is_file():
        pytest.skip(
            "the official workbooks are not here; set SINKRISK_SHARED to the folder that holds data/gcb"
        )
    return folder
