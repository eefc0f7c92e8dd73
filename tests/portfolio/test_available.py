"""What is known before any simulation: durable removal per tonne, and plans beyond potentials."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sinkrisk import portfolio
from sinkrisk.portfolio.available import durable_fraction

from .conftest import build_drawn, full_drawn, plans, random_plans


def test_durable_fraction_is_what_the_simulation_keeps_of_a_tonne():
    drawn = full_drawn(40, seed=4)
    # Couplings and full stores depend on the plan.
    drawn = drawn.drop_vars(["coupling_effect", "saturation_years"]).drop_dims("coupling")
    plan = random_plans(drawn, seed=5)
    share = xr.DataArray([1.0, 0.0, 0.0], dims="region", coords={"region": drawn["region"].values})
    regional = plan.assign(planned=(plan["planned"] * share).assign_attrs(units="GtCO2/yr"))
    # Nothing may move, for then a pathway captures elsewhere than where it was planned.
    drawn["reallocation_headroom"][:] = 0.0
    out = portfolio.simulate(drawn, regional)
    kept = durable_fraction(drawn).isel(region=0, drop=True)
    captured = out["deployed"] + out["received"]
    np.testing.assert_allclose(
        out["durable"].transpose(*captured.dims), (captured * kept).transpose(*captured.dims), atol=1e-14
    )
    # Both sides of the bound are in the draws.
    removal = kept.sel(pathway="forests")
    assert bool((removal == 0.0).any())
    assert bool((removal > 0.0).any())


def test_durable_fraction_needs_no_classes():
    drawn = full_drawn(12)
    drawn["hazard_exponent"][:] = 0.0
    whole = durable_fraction(drawn)
    bare = drawn.drop_vars("classes").drop_dims("class")
    xr.testing.assert_equal(durable_fraction(bare), whole)
    # With modes of classes that bear no names, too.
    xr.testing.assert_equal(durable_fraction(drawn.drop_vars(["classes", "class"])), whole)


def test_durable_fraction_knows_nature_where_only_the_names_of_classes_are_missing():
    drawn = full_drawn(12)
    whole = durable_fraction(drawn)
    xr.testing.assert_equal(durable_fraction(drawn.drop_vars("class")), whole)
    assert not whole.equals(durable_fraction(drawn.drop_vars(["classes", "class"])))


@pytest.mark.parametrize("extra", [0, 1])
def test_weights_of_a_checked_plan_are_repetition(extra):
    drawn = build_drawn(20, seed=2).drop_vars("probability", errors="ignore")
    middle = drawn["potential"].median("sample")
    plan = plans(drawn, {"a": {p: float(middle.sel(pathway=p)) for p in ("daccs", "forests")}})
    times = np.array([1, 3] * 10)
    times[0] += extra
    repeated = drawn.isel(sample=np.repeat(np.arange(20), times))
    repeated = repeated.assign_coords(sample=np.arange(times.sum()))
    # A part of all draws keeps its weights: they need not sum to 1.
    for scale in (1.0, 0.25):
        weighted = drawn.assign(probability=("sample", scale * times / times.sum()))
        (a,), (b,) = portfolio.check_plan(weighted, plan), portfolio.check_plan(repeated, plan)
        assert len(a.table) == 6
        a_table, b_table = (c.table.sort_values(["pathway", "period"]) for c in (a, b))
        for name in ("probability_beyond", "potential_median"):
            np.testing.assert_allclose(a_table[name], b_table[name], rtol=1e-12)
        np.testing.assert_allclose(
            b_table[b_table["pathway"] == "forests"]["potential_median"],
            np.median((repeated["potential"] * nature(repeated)).sel(pathway="forests")),
        )
    (flat,) = portfolio.check_plan(drawn, plan)
    assert not np.allclose(flat.table["probability_beyond"], b.table["probability_beyond"])


def nature(drawn):
    is_nature = xr.DataArray(
        ["nature" in str(c).split(";") for c in drawn["classes"].values],
        dims="pathway", coords={"pathway": drawn["pathway"].values},
    )  # fmt: skip
    return xr.where(is_nature, drawn["land_sink_ratio"].clip(min=0.0), 1.0)


def test_a_draw_of_no_weight_is_no_draw():
    drawn = build_drawn(10, seed=6)
    least = float(drawn["potential"].sel(pathway="daccs").min())
    plan = plans(drawn, {"a": {"daccs": 1.0000001 * least}})
    weight = np.full(10, 1.0 / 9.0)
    weight[int(np.argmin(drawn["potential"].sel(pathway="daccs").values))] = 0.0
    (check,) = portfolio.check_plan(drawn.assign(probability=("sample", weight)), plan)
    assert check.passed is True
    (check,) = portfolio.check_plan(drawn.assign(probability=("sample", np.full(10, 0.1))), plan)
    assert check.table["probability_beyond"].tolist() == pytest.approx([0.1] * 3)
