"""Blocks on disk, in threads and in growing designs: no row twice, no bit different"""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sinkrisk.errors import InputError
from sinkrisk.sensitivity import sobol, sobol_until
from sinkrisk.sensitivity.evaluating import PROBED, spans
from sinkrisk.sensitivity.keeping import Folder

DRIVERS = {name: stats.uniform(0, 1) for name in "abc"}


class Counting:
    """A function of three drivers that counts its rows, and can stop after some."""

    def __init__(self, stop_after=None):
        self.rows, self.stop_after = 0, stop_after

    def __call__(self, x):
        if self.stop_after is not None and self.rows >= self.stop_after:
            raise KeyboardInterrupt
        self.rows += len(x)
        y = np.column_stack([x @ [1.0, 2.0, 4.0], x[:, 0] * x[:, 1]])
        return xr.DataArray(y, dims=("sample", "output"), coords={"output": ["sum", "product"]})


ROWS = 8 * 256 * 5


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_a_stopped_analysis_goes_on_and_ends_as_if_it_had_not_stopped(tmp_path, kind):
    plain = sobol(Counting(), DRIVERS, 256, design=kind, block=100, rng=3)
    rows = plain.attrs["rows"]
    first = Counting(stop_after=int(0.6 * rows))
    with pytest.raises(KeyboardInterrupt):
        sobol(first, DRIVERS, 256, design=kind, block=100, folder=tmp_path / "kept", rng=3)
    again = Counting()
    whole = sobol(again, DRIVERS, 256, design=kind, block=64, folder=tmp_path / "kept", rng=3)
    assert again.rows <= rows - first.rows + PROBED
    assert whole.attrs["evaluated"] == rows - first.rows
    xr.testing.assert_equal(whole, plain)
    assert whole["output"].values.tolist() == ["sum", "product"]
    last = Counting()
    sobol(last, DRIVERS, 256, design=kind, folder=tmp_path / "kept", rng=3)
    assert last.rows <= PROBED


def test_a_process_that_is_killed_leaves_whole_blocks(tmp_path):
    code = f"""
        import os, numpy as np
        from scipy import stats
        from sinkrisk.sensitivity import sobol
        done = 0
        def function(x):
            global done
            if done > 0.6 * {ROWS}:
                os.kill(os.getpid(), 9)
            done += len(x)
            return x @ [1.0, 2.0, 4.0]
        sobol(function, {{n: stats.uniform(0, 1) for n in "abc"}}, 256, block=100, workers=2,
              folder={str(tmp_path / "kept")!r}, rng=3)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr

    def function(x):
        return x @ [1.0, 2.0, 4.0]

    found = sobol(function, DRIVERS, 256, folder=tmp_path / "kept", rng=3)
    assert 0.25 * ROWS < found.attrs["evaluated"] < 0.5 * ROWS
    xr.testing.assert_equal(found, sobol(function, DRIVERS, 256, rng=3))


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_a_larger_n_evaluates_only_what_is_new(tmp_path, kind):
    sobol(Counting(), DRIVERS, 256, design=kind, folder=tmp_path / "kept", rng=5)
    more = Counting()
    found = sobol(more, DRIVERS, 512, design=kind, folder=tmp_path / "kept", rng=5)
    assert found.attrs["evaluated"] == found.attrs["rows"] // 2
    plain = sobol(Counting(), DRIVERS, 512, design=kind, rng=5)
    xr.testing.assert_equal(found, plain)
    # And a smaller one nothing, even where blocks reach beyond it.
    less = sobol(Counting(), DRIVERS, 64, design=kind, folder=tmp_path / "kept", rng=5)
    assert less.attrs["evaluated"] == 0
    xr.testing.assert_equal(less, sobol(Counting(), DRIVERS, 64, design=kind, rng=5))


def test_more_scrambles_keep_the_first_ones(tmp_path):
    sobol(Counting(), DRIVERS, 64, folder=tmp_path, rng=5)
    found = sobol(Counting(), DRIVERS, 64, replicates=12, folder=tmp_path, rng=5)
    assert found.attrs["evaluated"] == 4 * 64 * 5


def test_without_a_seed_the_folder_s_is_taken(tmp_path):
    first = sobol(Counting(), DRIVERS, 64, folder=tmp_path)
    again = sobol(Counting(), DRIVERS, 64, folder=tmp_path)
    assert again.attrs["evaluated"] == 0
    xr.testing.assert_equal(first, again)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rng": 6}, "of another seed"),
        ({"drivers": dict(zip("abd", DRIVERS.values(), strict=True))}, "other drivers: got 'a, b, d'"),
        ({"drivers": DRIVERS | {"c": stats.uniform(0, 2)}}, "other quantiles"),
        ({"groups": {"g": ["a", "b"]}}, "other groups"),
        ({"second_order": True}, "other second order"),
        ({"design": "random"}, "other design"),
        ({"identity": "spec 2"}, "other identity"),
        ({"function": lambda x: x @ [1.0, 2.0, 4.1]}, "of another function"),
        ({"function": lambda x: x @ np.ones((3, 3))}, "another shape"),
    ],
)
def test_a_folder_of_another_analysis_is_refused(tmp_path, change, text):
    def function(x):
        return x @ [1.0, 2.0, 4.0]

    settings = {"folder": tmp_path / "kept", "rng": 5, "identity": "spec 1"}
    sobol(function, DRIVERS, 64, **settings)
    settings |= change
    with pytest.raises(InputError) as error:
        sobol(settings.pop("function", function), settings.pop("drivers", DRIVERS), 64, **settings)
    assert text in str(error.value)


def test_a_folder_that_holds_something_else_or_a_torn_block_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("words")
    with pytest.raises(InputError, match="is not a folder of evaluations"):
        sobol(Counting(), DRIVERS, 64, folder=tmp_path / "other", rng=1)
    sobol(Counting(), DRIVERS, 64, folder=tmp_path / "kept", rng=1)
    block = next((tmp_path / "kept").glob("replicate-003/*.npy"))
    block.write_bytes(block.read_bytes()[:100])
    with pytest.raises(InputError, match="a kept block cannot be read"):
        sobol(Counting(), DRIVERS, 64, folder=tmp_path / "kept", rng=1)
    (tmp_path / "kept" / "analysis.json").write_text("[]")
    with pytest.raises(InputError, match="not the record"):
        sobol(Counting(), DRIVERS, 64, folder=tmp_path / "kept", rng=1)


def test_threads_and_executors_change_no_bit():
    plain = sobol(Counting(), DRIVERS, 256, block=64, rng=2)
    xr.testing.assert_identical(sobol(Counting(), DRIVERS, 256, block=64, rng=2, workers=3), plain)
    with ThreadPoolExecutor(2) as pool:
        xr.testing.assert_identical(sobol(Counting(), DRIVERS, 256, block=64, rng=2, workers=pool), plain)
    with pytest.raises(InputError, match="key 'workers'"):
        sobol(Counting(), DRIVERS, 256, workers=0)


def test_an_error_in_a_thread_is_the_error_raised():
    def broken(x):
        return np.full(len(x), np.nan)

    with pytest.raises(InputError, match="rows 0, 1, 2"):
        sobol(broken, DRIVERS, 256, workers=2, rng=1)


def test_memory_of_a_qmc_analysis_does_not_grow_with_n():
    def peak(n):
        tracemalloc.start()
        sobol(lambda x: x @ np.ones((3, 60)), DRIVERS, n, block=1024, rng=1, draws=False)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    # Outputs held would take 9.8 MB more for 2**13 points than for 2**12; base points take 0.2.
    assert peak(2**13) - peak(2**12) < 1.5e6


def test_spans_cover_every_row_once():
    rng = np.random.default_rng(1)
    for _ in range(200):
        edges = np.unique(rng.integers(0, 60, size=6))
        kept = {int(a): int(rng.integers(1, b - a + 1)) for a, b in pairwise(edges)}
        start, stop = sorted(rng.integers(0, 70, size=2).tolist())
        found = list(spans(start, stop, 7, kept))
        rows = [row for first, last, _ in found for row in range(first, last)]
        assert rows == list(range(start, stop))
        for first, last, known in found:
            inside = any(a <= first and last <= a + n for a, n in kept.items())
            assert known == inside
            assert known or last - first <= 7


# --- doubling until the ranking has settled --------------------------------------------------


@pytest.mark.parametrize("kind", ["qmc", "random"])
def test_doubling_evaluates_no_row_twice_and_ends_where_sobol_does(kind):
    counting = Counting()
    found = sobol_until(counting, DRIVERS, first=64, most=512, width=0.0, design=kind, rng=4)
    assert found["n_points"].values.tolist() == [64, 128, 256, 512]
    assert counting.rows == found.attrs["rows"] == found.attrs["evaluated"]
    plain = sobol(Counting(), DRIVERS, 512, design=kind, rng=4)
    for index in ("S1", "ST"):
        np.testing.assert_allclose(found[index], plain[index], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(found[index], found[f"{index}_series"].isel(n_points=-1))
    small = sobol(Counting(), DRIVERS, 128, design=kind, rng=4)
    np.testing.assert_allclose(found["ST_series"].sel(n_points=128), small["ST"], rtol=0, atol=1e-12)
    assert found.attrs["met"] == 0
    assert found.attrs["stopped"].startswith("not settled at N = 512")


def test_doubling_stops_by_its_rule():
    found = sobol_until(Counting(), DRIVERS, first=64, top=3, width=0.02, rng=4)
    assert found.attrs["met"] == 1
    assert float(found["widest"][-1]) <= 0.02
    assert not ((found["widest"] <= 0.02) & found["stable"])[:-1].any()
    assert bool(found["stable"][-1])
    wait = sobol_until(Counting(), DRIVERS, first=64, top=3, width=1.0, patience=3, rng=4)
    assert wait["n_points"].values.tolist() == [64, 128, 256, 512]


def test_a_series_that_begins_early_does_not_stop_before_its_least():
    early = sobol_until(Counting(), DRIVERS, first=64, least=512, top=3, width=1.0, rng=4)
    assert early["n_points"].values.tolist() == [64, 128, 256, 512]
    assert early.attrs["met"] == 1
    plain = sobol(Counting(), DRIVERS, 512, rng=4)
    np.testing.assert_allclose(early["ST"], plain["ST"], rtol=0, atol=1e-12)


def test_doubling_goes_on_in_a_folder(tmp_path):
    sobol_until(Counting(), DRIVERS, first=64, most=128, width=0.0, folder=tmp_path, rng=4)
    found = sobol_until(Counting(), DRIVERS, first=64, most=256, width=0.0, folder=tmp_path, rng=4)
    assert found.attrs["evaluated"] == found.attrs["rows"] // 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"first": 100}, "N must be a power of two"),
        ({"first": 512, "most": 256}, "fewer base points at most"),
        ({"least": 512, "most": 256}, "fewer base points at most than at least"),
        ({"width": 2.0}, "key 'width'"),
        ({"top": 0}, "key 'top'"),
        ({"patience": 0}, "key 'patience'"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(change, text):
    with pytest.raises(InputError) as error:
        sobol_until(Counting(stop_after=0), DRIVERS, **change)
    assert text in str(error.value)


def test_what_has_no_indices_is_never_told_as_settled():
    still = sobol_until(lambda x: np.ones(len(x)), DRIVERS, first=64, most=512, rng=4)
    assert (still.attrs["met"], still.attrs["n"]) == (0, 128)
    assert np.isnan(still["widest"]).all()
    assert still.attrs["stopped"] == (
        "not settled at N = 128: nothing is ranked; 1 of 1 outputs has no indices"
    )

    def partly(x):
        return np.column_stack([x[:, 0], np.ones(len(x))])

    found = sobol_until(partly, DRIVERS, first=64, width=0.5, top=1, rng=4)
    assert found.attrs["met"] == 1
    assert found.attrs["stopped"].endswith("is wider than 0.5; 1 of 2 outputs has no indices")


def test_a_function_that_changed_in_few_rows_is_refused(tmp_path):
    uniform = {name: stats.uniform(0, 1) for name in ("x", "y")}
    sobol(lambda x: 1.0 * (x[:, 0] > 0.5), uniform, 64, folder=tmp_path / "kept", rng=1)
    # Other where x is small and y large: in one row of twelve, and in none of the first four.
    with pytest.raises(InputError, match="another function"):
        sobol(
            lambda x: 1.0 * ((x[:, 0] > 0.5) | (x[:, 1] > 0.8)), uniform, 64, folder=tmp_path / "kept", rng=1
        )


def test_of_two_that_begin_at_once_both_take_the_seeds_of_the_faster(tmp_path):
    record = {"format": 1}
    one, other = Folder(tmp_path / "kept", record), Folder(tmp_path / "kept", record)
    assert one.seeds([1, 2], fixed=False) == [1, 2]
    assert other.seeds([3, 4], fixed=False) == [1, 2]
    third = Folder(tmp_path / "kept", record)
    third._stored = None
    with pytest.raises(InputError, match="another seed"):
        third.seeds([5, 6], fixed=True)
    assert [item.name for item in (tmp_path / "kept").iterdir()] == ["analysis.json"]


def test_a_folder_that_cannot_be_written_to_is_told_before_any_evaluation(tmp_path):
    (tmp_path / "file").write_text("")

    def never(x):
        raise AssertionError("evaluated")

    with pytest.raises(InputError, match="no evaluations can be kept"):
        sobol(never, {"x": stats.uniform(0, 1)}, 8, folder=tmp_path / "file" / "kept", rng=1)
