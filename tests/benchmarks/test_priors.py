"""What the evidence costs to read: a workbook of the size of a release, and an official one where it is."""

from __future__ import annotations

import os
from pathlib import Path

import openpyxl
import pytest

from sinkrisk import priors

OFFICIAL = "Global_Carbon_Budget_2024_v1.0.xlsx"


def _official() -> Path:
    beside = Path(priors.__file__).parents[3] / "shared"
    path = Path(os.environ.get("SINKRISK_SHARED", beside)) / "data" / "gcb" / OFFICIAL
    if not path.is_file():
        pytest.skip(
            "the official workbooks are not here; set SINKRISK_SHARED to the folder that holds data/gcb"
        )
    return path


def _bare(path):
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows = [list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets]
    book.close()
    return rows


@pytest.mark.benchmark(group="workbook")
@pytest.mark.parametrize("way", ["1 bare read of the cells", "2 load_observations", "3 every check"])
def test_workbook(benchmark, way):
    path = _official()
    call = {"1": _bare, "2": priors.load_observations, "3": priors.check_workbook}[way[0]]
    benchmark.pedantic(call, args=(path,), rounds=5, warmup_rounds=1)
