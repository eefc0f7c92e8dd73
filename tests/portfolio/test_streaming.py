"""Blocks, threads, dask, a cluster and Zarr: the same numbers, and a killed run that goes on."""

from __future__ import annotations

import pytest
import xarray as xr
import zarr

from sinkrisk import portfolio
from sinkrisk.errors import InputError
from sinkrisk.portfolio import engine, streaming
from sinkrisk.portfolio.streaming import simulate_to_zarr

from .conftest import build_drawn, full_drawn, random_plans


@pytest.fixture(scope="module")
def drawn():
    return full_drawn(50, seed=7)


@pytest.fixture(scope="module")
def plan(drawn):
    flags = [True, False, True, False, True]
    return random_plans(drawn).assign_coords(coordinated=("portfolio", flags))


@pytest.fixture(scope="module")
def whole(drawn, plan):
    return portfolio.simulate(drawn, plan, workers=1)


@pytest.mark.parametrize(("block", "workers"), [(1, 1), (7, 2), (16, 3), (1024, None)])
def test_neither_block_nor_workers_change_a_result(drawn, plan, whole, block, workers):
    xr.testing.assert_identical(portfolio.simulate(drawn, plan, block=block, workers=workers), whole)


@pytest.mark.parametrize("taken", [[3], [49, 0, 17], range(5, 40, 2)], ids=["one", "three", "many"])
def test_the_samples_worked_on_together_do_not_change_one_another(drawn, plan, whole, taken):
    part = drawn.isel(sample=list(taken))
    part["probability"] = part["probability"] / part["probability"].sum()
    some = portfolio.simulate(part, plan).drop_vars("probability")
    for name in some.data_vars:
        expected = whole[name].isel(sample=list(taken)).values
        assert some[name].values.tobytes() == expected.tobytes(), name


def test_variables_keep_a_part_of_the_same(drawn, plan, whole):
    names = ["durable", "cost_in", "retained", "planned"]
    part = portfolio.simulate(drawn, plan, variables=names)
    assert set(part.data_vars) & set(whole.data_vars) >= set(names)
    assert "removed" not in part
    for name in names:
        xr.testing.assert_identical(part[name].reset_coords(drop=True), whole[name].reset_coords(drop=True))
    with pytest.raises(InputError, match=r"unknown outcome: got 'durabel'.*did you mean 'durable'"):
        portfolio.simulate(drawn, plan, variables=["durabel"])
    with pytest.raises(InputError, match="no outcome asked for"):
        portfolio.simulate(drawn, plan, variables=[])


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_dask_gives_the_same(drawn, plan, whole, scheduler):
    lazy = portfolio.simulate(drawn, plan, chunks=16)
    assert lazy["retained"].chunks[0] == (16, 16, 16, 2)
    xr.testing.assert_identical(lazy.compute(scheduler=scheduler), whole)


@pytest.mark.slow
def test_a_cluster_gives_the_same(drawn, plan, whole):
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        there = portfolio.simulate(drawn, plan, chunks={"sample": 13}).compute()
    xr.testing.assert_identical(there, whole)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_store_holds_the_same(tmp_path, drawn, plan, whole, workers):
    stored = simulate_to_zarr(drawn, plan, tmp_path / "a" / "out.zarr", block=16, workers=workers)
    assert stored["removed"].encoding["chunks"][0] == 16
    xr.testing.assert_identical(stored.load(), whole)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out.zarr"]


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch, drawn, plan, whole):
    path, real, seen = tmp_path / "out.zarr", engine.simulate_block, []

    def count(*args):
        # The store is made with a run of one sample; blocks are counted.
        if len(args) == 4:
            if len(seen) == 2:
                raise KeyboardInterrupt
            seen.append(1)
        real(*args)

    monkeypatch.setattr(engine, "simulate_block", count)
    with pytest.raises(KeyboardInterrupt):
        simulate_to_zarr(drawn, plan, path, block=16, workers=1)
    assert dict(zarr.open_group(path, mode="r").attrs)[streaming.PROGRESS]["complete"] == [[0, 1]]
    half = xr.open_zarr(path, consolidated=False, chunks=None)["removed"]
    assert int(half.isnull().any(["portfolio", "pathway", "period"]).sum()) == 50 - 32

    def rest(*args):
        seen.append(1)
        real(*args)

    monkeypatch.setattr(engine, "simulate_block", rest)
    xr.testing.assert_identical(simulate_to_zarr(drawn, plan, path, block=16).load(), whole)
    assert len(seen) == 4
    simulate_to_zarr(drawn, plan, path, block=16)
    assert len(seen) == 4


def test_a_store_of_other_inputs_is_refused(tmp_path, drawn, plan):
    path = tmp_path / "out.zarr"
    simulate_to_zarr(drawn, plan, path, block=32, variables=["net"])
    other = drawn.copy(deep=True)
    other["cost"][0, 0] += 1.0
    for changed, plans, options in (
        (other, plan, {"block": 32, "variables": ["net"]}),
        (drawn, plan.assign(planned=plan["planned"] * 2.0), {"block": 32, "variables": ["net"]}),
        (drawn, plan.drop_vars("coordinated"), {"block": 32, "variables": ["net"]}),
        (drawn, plan, {"block": 16, "variables": ["net"]}),
        (drawn, plan, {"block": 32, "variables": ["net", "cost"]}),
    ):
        with pytest.raises(InputError, match=r"holds a run of other inputs.*resume=False"):
            simulate_to_zarr(changed, plans, path, **options)
    fresh = simulate_to_zarr(other, plan, path, block=32, variables=["net"], resume=False)
    expected = portfolio.simulate(other, plan, variables=["net"])
    xr.testing.assert_identical(fresh.load(), expected)


def test_what_is_no_store_is_not_touched(tmp_path, drawn, plan):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "dear.txt").write_text("diary")
    for resume in (True, False):
        with pytest.raises(InputError, match="not a store of this kind"):
            simulate_to_zarr(drawn, plan, tmp_path / "notes", resume=resume)
    assert (tmp_path / "notes" / "dear.txt").read_text() == "diary"
    (tmp_path / "empty").mkdir()
    simulate_to_zarr(drawn, plan, tmp_path / "empty", variables=["net"])


def test_bad_input_is_refused_before_anything_is_written(tmp_path, drawn, plan):
    broken = drawn.copy(deep=True)
    broken["cost"][3, 1] = float("nan")
    with pytest.raises(InputError, match="NaN"):
        simulate_to_zarr(broken, plan, tmp_path / "out.zarr")
    assert list(tmp_path.iterdir()) == []


def test_draws_without_a_probability_are_equally_probable(tmp_path):
    drawn = build_drawn(10).drop_vars("probability")
    stored = simulate_to_zarr(drawn, random_plans(drawn), tmp_path / "out.zarr", block=4, variables=["net"])
    assert stored["probability"].values.tolist() == [0.1] * 10


def test_a_lost_chunk_is_made_again(tmp_path, drawn, plan, whole):
    path = tmp_path / "out.zarr"
    stored = simulate_to_zarr(drawn, plan, path, block=16)
    stored.close()
    (path / "net" / "c" / "1" / "0" / "0" / "0").unlink()
    xr.testing.assert_identical(simulate_to_zarr(drawn, plan, path, block=16).load(), whole)


def test_a_store_has_a_chunk_for_everything(tmp_path, drawn, plan):
    """A chunk that is absent was lost: none is left out for what it holds."""
    simulate_to_zarr(drawn, plan, tmp_path / "out.zarr", block=16).close()
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    for name in ("net", "received", "planned", "resource_used"):
        assert group[name].nchunks_initialized == group[name].nchunks == 4
