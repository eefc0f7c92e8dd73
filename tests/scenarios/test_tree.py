"""Building scenarios, and exchanging them as files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sinkrisk import portfolio, scenarios
from sinkrisk.errors import InputError
from sinkrisk.scenarios.tree import VARIABLES


def test_scenarios_are_whole_draws(drawn, built):
    capacity = portfolio.capacity(drawn)
    for k, draw in enumerate(built["draw"].values):
        one = built.isel(sample=k)
        np.testing.assert_array_equal(one["available"], capacity["available"].sel(sample=draw))
        np.testing.assert_array_equal(one["cost"], drawn["cost"].sel(sample=draw))
        assert float(one["land_sink"]) == float(drawn["land_sink"].sel(sample=draw))
        assert float(one["discount_rate"]) == float(drawn["discount_rate"].sel(sample=draw))
    assert float(built["probability"].sum()) == pytest.approx(1.0, abs=1e-12)
    assert built["land_sink"].attrs["units"] == "GtC/yr"
    for name, (_, unit, _) in VARIABLES.items():
        assert built[name].attrs["units"] == unit


def test_summed_forms_by_hand(built):
    one = built.isel(sample=0).sel(pathway="forests", period="mid_term")
    a, f, d = (one[name].values for name in ("available", "deployable_fraction", "durable_fraction"))
    assert float(one["capacity"]) == pytest.approx(a.sum())
    assert float(one["deliverable"]) == pytest.approx((a * f).sum())
    assert float(one["delivered_fraction"]) == pytest.approx((a * f).sum() / a.sum())
    assert float(one["durable_share"]) == pytest.approx((a * f * d).sum() / (a * f).sum())


def test_avoided_carbon_is_never_durable_and_utilised_carbon_by_its_share(built):
    assert float(built["durable_fraction"].sel(pathway="point_source_ccs").max()) == 0.0
    mineral = built["durable_fraction"].sel(pathway="industrial_carbonation")
    np.testing.assert_allclose(mineral, 0.4 * np.exp(-100 * 1e-4))


def test_discount_factor_is_that_of_the_measures(built):
    rate = float(built["discount_rate"][0])
    years = np.linspace(0, 10, 100001)
    expected = np.trapezoid((1 + rate) ** -years, years) / 10
    assert float(built["discount_factor"][0, 0]) == pytest.approx(expected, rel=1e-8)


def test_unit_cost_is_the_mean_of_the_cost_curve_at_full_use(built):
    one = built.isel(sample=3)
    u = np.linspace(0, 1, 20001)
    curve = 1 + float(one["cost_slope"]) * u ** float(one["cost_exponent"])
    np.testing.assert_allclose(one["unit_cost"], one["cost"] * np.trapezoid(curve, u), rtol=1e-7)


def test_forward_selection_beats_a_random_sample(drawn):
    chosen = scenarios.build(drawn, None, 10)
    random = [scenarios.build(drawn, None, 10, method="sample", rng=k) for k in range(5)]
    assert all(chosen.attrs["wasserstein"] < one.attrs["wasserstein"] for one in random)
    assert random[0]["probability"].values.tolist() == [0.1] * 10
    assert len(set(random[0]["draw"].values.tolist())) == 10
    assert not np.array_equal(random[0]["draw"], random[1]["draw"])
    whole = scenarios.build(drawn, None, 64)
    assert whole.attrs["wasserstein"] == 0.0
    np.testing.assert_allclose(whole["probability"], 1 / 64)


def test_draw_probabilities_are_honoured(drawn):
    weight = np.full(64, 0.1 / 63)
    weight[7] = 0.9
    weighted = drawn.assign(probability=("sample", weight))
    built = scenarios.build(weighted, None, 3)
    assert 7 in built["draw"].values
    assert float(built["probability"].where(built["draw"] == 7, drop=True)[0]) >= 0.9
    sampled = scenarios.build(weighted, None, 10, method="sample", rng=1)
    # Drawn with replacement; P(draw 7 fewer than 5 times of 10) = 1.5e-4, and the seed is fixed.
    assert (sampled["draw"].values == 7).sum() >= 5


def test_outcomes_join_the_features(drawn):
    plain = scenarios.build(drawn, None, 5)
    outcomes = xr.Dataset(
        {
            "durable": (
                ("sample", "portfolio", "pathway", "period"),
                np.random.default_rng(1).random((64, 2, 5, 3)),
            )
        },
        coords={"sample": np.arange(64)},
    )
    joined = scenarios.build(drawn, outcomes, 5)
    assert joined.attrs["features"] == plain.attrs["features"] + 2 * 3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"n": 0}, "number of scenarios out of range: got 0; allowed: 1 to 64"),
        ({"n": 65}, "got 65"),
        ({"n": 2.5}, "got 2.5"),
        ({"method": "forward_section"}, "did you mean 'forward_selection'"),
        ({"outcomes": xr.Dataset(coords={"sample": [1, 2]})}, "outcomes: not of the same draws"),
    ],
)
def test_build_refuses(drawn, change, text):
    arguments = {"drawn": drawn, "outcomes": None, "n": 5} | change
    with pytest.raises(InputError) as error:
        scenarios.build(arguments.pop("drawn"), arguments.pop("outcomes"), arguments.pop("n"), **arguments)
    assert text in str(error.value)


def test_build_lists_every_missing_variable(drawn):
    with pytest.raises(InputError) as error:
        scenarios.build(drawn.drop_vars(["shock", "half_life"]), None, 5)
    assert len(error.value.problems) == 2


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nc", ".parquet"])
def test_round_trip_is_exact(built, tmp_path, suffix):
    path = scenarios.save(built, tmp_path / f"scenarios{suffix}")
    back = scenarios.read(path)
    xr.testing.assert_identical(back, built)
    for name, variable in built.variables.items():
        assert back[name].dtype == variable.dtype, name
        assert back[name].attrs == variable.attrs
        assert [type(v) for v in back[name].attrs.values()] == [type(v) for v in variable.attrs.values()]
    assert list(tmp_path.iterdir()) == [path]


def test_parquet_is_readable_without_our_code(built, tmp_path):
    table = pd.read_parquet(scenarios.save(built, tmp_path / "s.parquet"))
    assert len(table) == 12 * 5 * 2 * 3
    assert table.groupby("sample")["probability"].first().sum() == pytest.approx(1.0)
    row = table[(table["sample"] == 4) & (table["pathway"] == "daccs") & (table["region"] == "south")]
    row = row[row["period"] == "long_term"].iloc[0]
    one = built.sel(sample=4, pathway="daccs", period="long_term")
    assert row["available"] == float(one["available"].sel(region="south"))
    assert row["unit_cost"] == float(one["unit_cost"])
    assert row["flow_class"] == "removal"
    assert row["draw"] == int(one["draw"])


def test_parquet_rows_may_stand_in_any_order(built, tmp_path):
    import pyarrow.parquet as pq

    path = scenarios.save(built, tmp_path / "s.parquet")
    table = pq.read_table(path)
    order = np.random.default_rng(1).permutation(len(table))
    pq.write_table(table.take(order), tmp_path / "shuffled.parquet")
    xr.testing.assert_identical(scenarios.read(tmp_path / "shuffled.parquet"), built)
    pq.write_table(table.slice(1), tmp_path / "short.parquet")
    with pytest.raises(InputError, match="not the full product"):
        scenarios.read(tmp_path / "short.parquet")
    changed = table.to_pandas()
    changed.loc[3, "probability"] = 0.5
    import pyarrow as pa

    again = pa.Table.from_pandas(changed, preserve_index=False).replace_schema_metadata(table.schema.metadata)
    pq.write_table(again, tmp_path / "changed.parquet")
    with pytest.raises(InputError, match="varies within its dimensions"):
        scenarios.read(tmp_path / "changed.parquet")


def test_metadata_names_units_and_dimensions(built, tmp_path):
    import pyarrow.parquet as pq

    schema = pq.read_schema(scenarios.save(built, tmp_path / "s.parquet"))
    about = json.loads(schema.metadata[b"sinkrisk"])["columns"]
    assert about["available"]["attrs"]["units"] == "GtCO2/yr"
    assert about["probability"]["dims"] == ["sample"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (lambda s: s.drop_vars("unit_cost"), "variable missing: got 'unit_cost'"),
        (lambda s: s.assign(probability=s["probability"] * 0.9), "do not sum to 1"),
        (lambda s: s.assign(capacity=s["capacity"].where(s["capacity"] > 1.0)), "not finite"),
        (lambda s: s.assign(deliverable=-s["deliverable"]), "negative"),
        (lambda s: s.assign(durable_share=s["durable_share"] + 0.9), "above 1"),
        (lambda s: s.assign(cost=s["cost"].isel(pathway=0, drop=True)), "wrong dimensions"),
        (lambda s: s.assign_coords(pathway=["beccs"] * 5), "label given twice"),
        (lambda s: s.assign_coords(flow_class=("pathway", ["removed"] * 5)), "did you mean 'removal'"),
    ],
)
def test_faulty_scenarios_are_neither_written_nor_solved(built, tmp_path, fault, text):
    faulty = fault(built)
    with pytest.raises(InputError) as error:
        scenarios.save(faulty, tmp_path / "s.nc")
    assert text in str(error.value)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError) as error:
        scenarios.optimize(faulty, target=10.0)
    assert text in str(error.value)


def test_files_that_are_no_scenarios_are_refused(tmp_path, built):
    (tmp_path / "a.nc").write_text("not netcdf")
    with pytest.raises(InputError, match="not a NetCDF file"):
        scenarios.read(tmp_path / "a.nc")
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="not a scenario table written by sinkrisk"):
        scenarios.read(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not a scenario table"):
        scenarios.read(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="no such file"):
        scenarios.read(tmp_path / "missing.nc")
    with pytest.raises(InputError, match="unknown file type"):
        scenarios.save(built, tmp_path / "s.csv")


def test_a_failed_write_leaves_the_old_file(built, tmp_path, monkeypatch):
    path = scenarios.save(built, tmp_path / "s.parquet")
    before = path.read_bytes()
    import pyarrow.parquet as pq

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        scenarios.save(built, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
