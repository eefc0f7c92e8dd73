"""Some regions as a world of their own."""

from __future__ import annotations

import numpy as np
import pytest

from sinkrisk import inputs, portfolio
from sinkrisk.errors import InputError

CHINA = ["china_east_coast", "china_southwest", "china_arid_north"]
INLAND = ["china_southwest", "china_arid_north"]


@pytest.fixture(scope="module")
def drawn():
    return inputs.sample(inputs.drivers(), 16, rng=4)


def test_regions_keep_their_part_of_the_potential(drawn):
    part = inputs.restrict(drawn, CHINA)
    held = drawn["suitability_share"].sel(region=CHINA).sum("region")
    for name in ("potential", "current_capacity", "experience"):
        np.testing.assert_allclose(part[name], drawn[name] * held, rtol=1e-12)
        assert part[name].attrs == drawn[name].attrs
    np.testing.assert_allclose(part["suitability_share"].sum("region"), 1.0, atol=1e-12)
    # Each region's own amount is what it was.
    before = (drawn["potential"] * drawn["suitability_share"]).sel(region=CHINA)
    np.testing.assert_allclose(part["potential"] * part["suitability_share"], before, atol=1e-15)


def test_capacity_of_a_region_does_not_depend_on_the_others(drawn):
    part = portfolio.capacity(inputs.restrict(drawn, CHINA))["available"]
    whole = portfolio.capacity(drawn)["available"].sel(region=CHINA)
    np.testing.assert_allclose(part, whole, rtol=1e-10, atol=1e-15)


def test_a_pathway_without_a_place_keeps_nothing(drawn):
    part = inputs.restrict(drawn, INLAND)
    assert float(part["potential"].sel(pathway="oae").max()) == 0.0
    plans = portfolio.plan(
        portfolio.load_portfolios(names=["phased"]), {"near_term": 0.1, "mid_term": 0.5, "long_term": 1.0}
    )
    atlas = portfolio.suitability(part, n=100)
    assert not atlas["possible"].sel(pathway="oae").any()
    assert float(atlas["probability_suited"].sel(pathway="oae").max()) == 0.0
    outcomes = portfolio.simulate(part, plans)
    assert float(outcomes["deployed"].sel(pathway="oae").max()) == 0.0
    assert outcomes["captured_in"]["region"].values.tolist() == INLAND


def test_drivers_restrict_what_they_draw(drawn):
    spec = inputs.InputsSpec(regions=CHINA)
    own = inputs.sample(inputs.drivers(spec), 16, rng=4)
    np.testing.assert_array_equal(own["potential"], inputs.restrict(drawn, CHINA)["potential"])
    assert own.attrs["regions"] == CHINA


def test_wrong_regions_are_named(drawn):
    with pytest.raises(InputError, match="did you mean 'arid_zones'"):
        inputs.restrict(drawn, ["arid_zone"])
    with pytest.raises(InputError, match="named twice"):
        inputs.restrict(drawn, ["arid_zones", "arid_zones"])
    with pytest.raises(InputError, match="a list of texts"):
        inputs.restrict(drawn, "arid_zones")
    with pytest.raises(InputError, match=r"inputs.regions.*did you mean 'china_southwest'"):
        inputs.drivers(inputs.InputsSpec(regions=["china_southwst"]))
